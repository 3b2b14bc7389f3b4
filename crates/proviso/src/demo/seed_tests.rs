//! Seeding into the in-memory store: whole, again, further, and after a stop at any point.

use proviso_app::clients::{ClientAuthentication, TokenHash};
use proviso_app::keys::MasterKey;
use proviso_app::ports::{ManualClock, SystemEntropy};
use proviso_app::settings::Settings;
use proviso_store::{OpenOptions, Store};

use super::*;
use crate::demo::folder::require_free_or_world;

const ORIGIN: &str = "http://127.0.0.1:8080";

struct Demo {
    folder: tempfile::TempDir,
    store: Store,
    master: [u8; 32],
}

impl Demo {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        require_free_or_world(folder.path()).unwrap();
        let store = Store::model(OpenOptions::new(Settings::demo(ORIGIN).tenant));
        Self { folder, store, master: [7; 32] }
    }

    async fn open(&self, origin: &str, at: &str) -> Arc<App> {
        let clock = ManualClock::starting_at(At::parse(at).unwrap());
        App::open(
            self.store.clone(),
            MasterKey::from_bytes(self.master),
            Arc::new(clock),
            Arc::new(SystemEntropy::default()),
            Settings::demo(origin),
        )
        .await
        .unwrap()
    }

    async fn start(&self, origin: &str, patients: u32) -> Arc<App> {
        let app = self.open(origin, "2026-11-22T10:00:00Z").await;
        let done = seed(&app, self.folder.path(), patients, &ProgressBar::hidden(), &never()).await;
        assert_eq!(done.unwrap(), Seeding::Complete);
        app
    }

    fn file(&self) -> serde_json::Value {
        let text = std::fs::read(self.folder.path().join(clients::CLIENTS_FILE)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

/// Nobody stops it.
fn never() -> watch::Receiver<bool> {
    watch::channel(false).1
}

fn world_size(patients: u32) -> u64 {
    u64::try_from(parts(SEED, patients).flatten().count()).unwrap()
}

#[tokio::test]
async fn the_first_start_builds_everything() {
    let demo = Demo::new();
    let app = demo.start(ORIGIN, 2).await;
    let store = app.store();
    assert_eq!(read_marker(demo.folder.path()).unwrap().state, State::Ready);
    // One record was deleted again; whether it counts is the store's business.
    let records = store.count_records().await.unwrap();
    assert!((world_size(2) - 1..=world_size(2)).contains(&records), "{records}");
    for person in people::ALL {
        let account = store.account_by_username(person.username).await.unwrap().unwrap();
        assert_eq!(account.id, account_id(person).unwrap());
        assert!(account.password_hash.unwrap().starts_with("$argon2id$"));
    }
    let consents =
        store.consents_of_patient(&people::JAMES_PATIENT.parse().unwrap()).await.unwrap();
    let grace = account_id(&people::GRACE).unwrap();
    assert_eq!(consents.len(), 1);
    assert_eq!(consents[0].version.recipient, Recipient::Person(grace));
}

#[tokio::test]
async fn a_second_start_adds_only_the_shift() {
    let demo = Demo::new();
    let first = demo.start(ORIGIN, 1).await;
    let before =
        (first.store().latest_seq().await.unwrap(), first.store().clients().await.unwrap());
    let file = demo.file();
    drop(first);
    let app = demo.open(ORIGIN, "2026-11-23T07:00:00Z").await;
    seed(&app, demo.folder.path(), 0, &ProgressBar::hidden(), &never()).await.unwrap();
    let after = (app.store().latest_seq().await.unwrap(), app.store().clients().await.unwrap());
    assert_eq!(before, after);
    assert_eq!(demo.file(), file);
    let shifts: Vec<_> = app
        .live()
        .relationships(&account_id(&people::NURSERUIZ).unwrap())
        .into_iter()
        .filter(|relationship| relationship.kind == RelationshipKind::Shift)
        .collect();
    assert_eq!(shifts.len(), 1);
    assert!(shifts[0].period.contains(At::parse("2026-11-23T18:59:59Z").unwrap()));
    assert!(!shifts[0].period.contains(At::parse("2026-11-23T19:00:00Z").unwrap()));
}

#[tokio::test]
async fn a_build_that_was_stopped_is_finished_by_the_next_start() {
    let demo = Demo::new();
    let app = demo.open(ORIGIN, "2026-11-22T10:00:00Z").await;
    let (bar, never) = (ProgressBar::hidden(), never());
    {
        let building = seed(&app, demo.folder.path(), 8, &bar, &never);
        let some_records = async {
            while app.store().count_records().await.unwrap() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            built = building => panic!("built before it could be stopped: {built:?}"),
            () = some_records => {}
        }
    }
    assert_eq!(read_marker(demo.folder.path()).unwrap().state, State::Building);
    let stopped_at = app.store().count_records().await.unwrap();
    assert!(stopped_at < world_size(8), "{stopped_at}");
    drop(app);
    let app = demo.start(ORIGIN, 8).await;
    assert!(app.store().count_records().await.unwrap() >= world_size(8) - 1);
    assert_eq!(read_marker(demo.folder.path()).unwrap().state, State::Ready);
}

#[tokio::test]
async fn more_patients_are_added_to_a_world_that_is_there() {
    let demo = Demo::new();
    let few = demo.start(ORIGIN, 1).await.store().count_records().await.unwrap();
    let more = demo.start(ORIGIN, 3).await.store().count_records().await.unwrap();
    assert_eq!(more - few, world_size(3) - world_size(1));
    assert_eq!(read_marker(demo.folder.path()).unwrap().patients, 3);
}

#[tokio::test]
async fn the_secrets_in_the_file_open_the_apps_and_follow_the_origin() {
    let demo = Demo::new();
    let app = demo.start(ORIGIN, 0).await;
    let file = demo.file();
    for entry in file["clients"].as_array().unwrap() {
        let id = entry["client_id"].as_str().unwrap();
        let client = app.store().client(&id.parse().unwrap()).await.unwrap().unwrap();
        match client.authentication {
            ClientAuthentication::None => assert!(entry.get("client_secret").is_none()),
            ClientAuthentication::ClientSecret { secret_hash } => {
                let secret = entry["client_secret"].as_str().unwrap();
                assert_eq!(secret_hash, TokenHash::of(secret));
            }
            ClientAuthentication::PrivateKeyJwt { .. } => {
                assert!(entry["private_jwk"]["d"].is_string(), "{id}");
            }
        }
    }
    drop(app);
    let moved = demo.start("http://127.0.0.1:9999", 0).await;
    let coach = moved.store().client(&"glucose-coach".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(
        coach.redirect_uris,
        ["http://127.0.0.1:9999/demo/callback", "http://127.0.0.1:9123/callback"]
    );
    let lens = moved.store().client(&"chart-lens".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(
        lens.launch_uris,
        ["http://127.0.0.1:9999/demo/launch", "http://127.0.0.1:9123/launch"]
    );
    assert_eq!(demo.file()["clients"][1]["client_secret"], file["clients"][1]["client_secret"]);
}

#[tokio::test]
async fn whoever_asks_it_to_stop_waits_for_one_batch_and_the_next_start_goes_on() {
    let demo = Demo::new();
    let app = demo.open(ORIGIN, "2026-11-22T10:00:00Z").await;
    let (stop, stopped) = watch::channel(false);
    let bar = ProgressBar::hidden();
    let building = seed(&app, demo.folder.path(), 40, &bar, &stopped);
    let asking = async {
        while app.store().count_records().await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        stop.send_replace(true);
    };
    let (ended, ()) = tokio::join!(building, asking);
    assert_eq!(ended.unwrap(), Seeding::Stopped);
    assert_eq!(read_marker(demo.folder.path()).unwrap().state, State::Building);
    let there = app.store().count_records().await.unwrap();
    assert!(there > 0 && there < world_size(40), "not stopped in the middle: {there}");
    drop(app);
    let app = demo.start(ORIGIN, 40).await;
    assert!(app.store().count_records().await.unwrap() >= world_size(40) - 1);
    // Asked before it begins, it builds nothing.
    let other = Demo::new();
    let app = other.open(ORIGIN, "2026-11-22T10:00:00Z").await;
    let ended = seed(&app, other.folder.path(), 0, &bar, &stopped).await;
    assert_eq!(ended.unwrap(), Seeding::Stopped);
    assert_eq!(app.store().count_records().await.unwrap(), 0);
}
