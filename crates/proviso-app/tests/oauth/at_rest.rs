use std::path::Path;

use proviso_app::authorize::{Answer, Decided, Step};
use proviso_core::id::TenantId;
use proviso_store::{Faults, OpenOptions, Store};

use crate::world::{BROWSER, World, everything, query_of, request, via};

fn open(folder: &Path) -> Store {
    let options = OpenOptions::new(TenantId::default_tenant());
    Store::open_sqlite(&folder.join("proviso.db"), options).unwrap()
}

fn bytes_on_disk(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_that_opens_anything_is_on_disk() {
    // Covers: R20
    let folder = tempfile::tempdir().unwrap();
    let world = World::on(open(folder.path()), Faults::default()).await;
    let session = world.sign_in("maria").await;
    let code = world.code_for("maria", &request(&[]), everything()).await;
    let tokens = world.redeem(&code).await.unwrap();
    let renewed = world.refresh(tokens.refresh_token.as_ref().unwrap()).await.unwrap();
    let disk = bytes_on_disk(folder.path());
    assert!(disk.len() > 10_000);
    for secret in [
        code.as_str(),
        tokens.refresh_token.as_deref().unwrap(),
        renewed.refresh_token.as_deref().unwrap(),
        session.cookie.expose(),
        crate::world::SECRET,
        "proviso-demo",
        BROWSER,
        tokens.access_token.rsplit('.').next().unwrap(),
    ] {
        let found = disk.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a secret of {} bytes is on disk", secret.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_and_a_connection_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::on(open(folder.path()), Faults::default()).await;
    let before = world.connected().await;
    let session = world.sign_in("maria").await;
    let step = world.begin(&request(&[]), Some(&session.signed_in)).await;
    let Step::Consent(model) = step else { panic!("{step:?}") };

    let world = world.restarted(|| open(folder.path())).await;
    assert!(world.app.authenticate_bearer(&before.access_token, world.app.now()).await.is_ok());
    world.refresh(before.refresh_token.as_ref().unwrap()).await.unwrap();
    let person = world.app.signed_in(session.cookie.expose()).await.unwrap().unwrap();
    let answer = Answer::Share(Box::new(everything()));
    let decided = world
        .app
        .decide_authorization(&model.request, BROWSER, Some(&person), answer, &via())
        .await
        .unwrap();
    let Decided::Step(Step::Return { url }) = decided else { panic!("{decided:?}") };
    world.redeem(query_of(&url).text("code").unwrap()).await.unwrap();
}
