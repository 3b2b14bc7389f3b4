//! What somebody with bad intentions tries, and does not get.

use std::sync::Arc;

use proviso_app::authorize::{Answer, Decided, Step};
use proviso_app::clients::{ClientAuthentication, ClientStatus, TokenHash};
use proviso_app::introspect::TokenUseError;
use proviso_app::via::Via;
use proviso_core::category::CategorySet;
use proviso_core::consent::{DurationChoice, OfflineAccess};
use proviso_oauth::introspect::Introspection;
use proviso_oauth::record::GrantType;
use proviso_oauth::register::RegistrationError;
use proviso_store::Presence;

use crate::world::{
    BROWSER, SECRET, World, choice, client, everything, form, query_of, request, via,
};

const SELF_REGISTERED: &str = "app-0123456789abcdef01234567";

#[tokio::test]
async fn an_app_that_may_no_longer_go_on_alone_renews_nothing() {
    // Covers: P4: narrowing a choice narrows what is out already, its renewal included
    for (duration, offline) in [
        (DurationChoice::OneYear, OfflineAccess::Refused),
        (DurationChoice::Once, OfflineAccess::Refused),
    ] {
        let world = World::new().await;
        let before = world.connected().await;
        let refresh = before.refresh_token.as_deref().unwrap();
        world.clock.advance_secs(5);
        let mut narrower = choice(CategorySet::all());
        narrower.duration = duration;
        narrower.offline = offline;
        let code = world.code_for("maria", &request(&[]), narrower).await;
        let after = world.redeem(&code).await.unwrap();
        assert_eq!(after.refresh_token, None);
        let refused = world.refresh(refresh).await.unwrap_err();
        assert_eq!(refused.error.code(), "invalid_grant", "{duration:?}");
    }
}

#[tokio::test]
async fn an_app_that_registered_itself_is_not_for_staff() {
    // Covers: design §5, patients choose their apps, an organisation chooses those of its staff
    let world = World::new().await;
    let app = client(SELF_REGISTERED, ClientAuthentication::None, "launch/patient user/*.rs");
    world.app.save_client(app, Presence::Absent, "register", &via()).await.unwrap();
    let offered = world.app.launchable_clients().await.unwrap();
    assert!(offered.iter().all(|client| client.id.as_str() != SELF_REGISTERED));
    let doctor = world.sign_in("drpatel").await;
    let asked = request(&[("client_id", SELF_REGISTERED), ("scope", "launch/patient user/*.rs")]);
    let step = world.begin(&asked, Some(&doctor.signed_in)).await;
    let Step::Return { url } = &step else { panic!("{step:?}") };
    assert_eq!(query_of(url).text("error"), Some("access_denied"));
    let maria = world.sign_in("maria").await;
    let step = world.begin(&asked, Some(&maria.signed_in)).await;
    assert!(matches!(step, Step::Consent(_)), "{step:?}");
}

#[tokio::test]
async fn a_service_that_registered_itself_learns_nothing_of_other_apps_tokens() {
    // Covers: RFC 7662 §4
    let world = World::new().await;
    let secret = ClientAuthentication::ClientSecret { secret_hash: TokenHash::of(SECRET) };
    let mut app = client(SELF_REGISTERED, secret, "patient/*.rs");
    app.grant_types = vec![GrantType::ClientCredentials];
    world.app.save_client(app, Presence::Absent, "register", &via()).await.unwrap();
    let tokens = world.connected().await;
    let asked = form(&[
        ("token", tokens.access_token.as_str()),
        ("client_id", SELF_REGISTERED),
        ("client_secret", SECRET),
    ]);
    let answer: Result<Introspection, TokenUseError> =
        world.app.introspect(None, &asked, &via()).await;
    assert_eq!(answer.unwrap(), Introspection::Inactive);
}

#[tokio::test]
async fn nobody_registers_apps_without_end() {
    // Covers: design §13, requests over an address's rate
    let world = World::new().await;
    let body = br#"{"redirect_uris":["https://app.example/cb"],"client_name":"Again"}"#;
    let mut refused = 0;
    for _ in 0..100 {
        match world.app.register_client(body, &via()).await.unwrap() {
            Ok(_) => {}
            Err(error) => {
                assert_eq!((error, error.status()), (RegistrationError::TooMany, 429));
                refused += 1;
            }
        }
    }
    assert!(refused >= 30, "{refused}");
    let elsewhere = Via { network: Some("10.0.0.2".to_owned()), ..Via::default() };
    assert!(world.app.register_client(body, &elsewhere).await.unwrap().is_ok());
    world.clock.advance_secs(3601);
    assert!(world.app.register_client(body, &via()).await.unwrap().is_ok());
}

#[tokio::test]
async fn an_app_that_was_switched_off_while_its_page_was_open_gets_no_code() {
    let world = World::new().await;
    let session = world.sign_in("maria").await;
    let person = Some(&session.signed_in);
    let Step::Consent(model) = world.begin(&request(&[]), person).await else { panic!("no page") };
    let mut off = (*model.client).clone();
    off.status = ClientStatus::Disabled;
    world.app.save_client(off, Presence::Present, "disable", &via()).await.unwrap();
    let answer = Answer::Share(Box::new(everything()));
    let decided = world
        .app
        .decide_authorization(&model.request, BROWSER, person, answer, &via())
        .await
        .unwrap();
    if let Decided::Step(Step::Return { url }) = &decided {
        assert_eq!(query_of(url).text("code"), None, "{url}");
    }
    assert!(world.app.store().consents().await.unwrap().is_empty(), "{decided:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_in_many_windows_at_once_are_one_choice() {
    // Covers: P4: one object is the choice and the row in the portal; P2: stopping it stops all
    let world = Arc::new(World::new().await);
    let session = world.sign_in("maria").await;
    let mut models = Vec::new();
    for _ in 0..8 {
        let step = world.begin(&request(&[]), Some(&session.signed_in)).await;
        let Step::Consent(model) = step else { panic!("{step:?}") };
        models.push(model.request.clone());
    }
    let tasks: Vec<_> = models
        .into_iter()
        .map(|id| {
            let (world, person) = (Arc::clone(&world), session.signed_in.clone());
            tokio::spawn(async move {
                let answer = Answer::Share(Box::new(everything()));
                let decided = world
                    .app
                    .decide_authorization(&id, BROWSER, Some(&person), answer, &via())
                    .await;
                matches!(decided.unwrap(), Decided::Step(Step::Return { .. }))
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    let consents = world.app.store().consents().await.unwrap();
    assert_eq!(consents.len(), 1);
}

#[tokio::test]
async fn nobody_registers_under_the_name_of_an_app_that_was_agreed_on() {
    let world = World::new().await;
    for name in ["bill-helper", "Bill Helper", " BILL\u{a0}helper "] {
        let body = serde_json::json!({
            "redirect_uris": ["https://evil.example/cb"],
            "client_name": name,
        });
        let answer = world.app.register_client(body.to_string().as_bytes(), &via()).await.unwrap();
        assert_eq!(answer.unwrap_err(), RegistrationError::Member("client_name"), "{name}");
    }
}

#[tokio::test]
async fn nobody_goes_on_for_a_patient_who_is_no_longer_theirs() {
    // Covers: design §5, a revoked proxy loses access; care that ended opens nothing
    for username in ["drpatel", "wei"] {
        let world = World::new().await;
        // What ties them to their patients ends thirty days from the start.
        world.clock.advance_secs(30 * 86_400 - 600);
        let session = world.sign_in(username).await;
        let person = Some(&session.signed_in);
        let step = world.begin(&request(&[]), person).await;
        let Step::PickPatient { request: id, .. } = step else { panic!("{step:?}") };
        let lily = "lily".parse().unwrap();
        world.app.pick_patient(&id, BROWSER, person, &lily, &via()).await.unwrap();
        world.clock.advance_secs(601);
        let answer = match username {
            "wei" => Answer::Share(Box::new(everything())),
            _ => Answer::ActWithinRole,
        };
        let decided = world.app.decide_authorization(&id, BROWSER, person, answer, &via()).await;
        let Decided::Step(Step::Return { url }) = decided.unwrap() else { panic!("{username}") };
        assert_eq!(query_of(&url).text("code"), None, "{username}");
        assert_eq!(query_of(&url).text("error"), Some("access_denied"), "{username}");
    }
}
