//! `consent`: sharing choices now, in every version, and at any past instant.

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::SmartApp;

use crate::{Ran, World};

const SCOPE: &str = "launch/patient openid fhirUser patient/*.rs";

// Covers: design §5, "what was in force then", with and without a running server
#[tokio::test]
async fn every_version_and_every_past_instant_can_be_asked() {
    let world = World::new().await;
    let data = world.path();
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, SCOPE);
    let mut browser = Browser::new().unwrap();
    let both = &[("category", "laboratory"), ("category", "vitals"), ("duration", "30-days")];
    app.connect(&mut browser, "maria", both).await.unwrap();
    let one = &[("category", "laboratory"), ("duration", "30-days")];
    app.connect(&mut browser, "maria", one).await.unwrap();

    // The server is running: it is the one that answers, and that writes the log.
    let later = ["consent", "at", "2099-01-01T00:00:00Z", "--patient", "maria"];
    let nothing = Ran::of(&[&later[..], &["--data", &data]].concat()).await.expect(0);
    nothing.says("nothing was in force for maria at 2099-01-01T00:00:00Z");
    let rows =
        sqlite(&world, "select distinct consent from consent_version where patient = 'maria'");
    let consent = rows.trim();
    let history = Ran::of(&["consent", "history", consent, "--data", &data, "--json"]).await;
    let history = history.expect(0).json();
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "{history}");
    assert_eq!(versions[1]["version"]["predecessor"], versions[0]["version_id"]);
    let said = versions[1]["changes"].to_string();
    assert!(said.contains("no longer shares vitals"), "{said}");
    server.interrupt().await.unwrap();

    // The server is gone: the command does it itself and says the same.
    let again = Ran::of(&["consent", "history", consent, "--data", &data, "--json"]).await;
    assert_eq!(again.expect(0).json(), history);
    let first = versions[0]["version"]["recorded_at"].as_i64().unwrap();
    let at = proviso_core::time::At::from_micros(first);
    let before = proviso_core::time::At::from_micros(first - 1);
    let of = async |at: String| {
        let arguments = ["consent", "at", &at, "--patient", "maria", "--data", &data, "--json"];
        Ran::of(&arguments).await.expect(0).json()["versions"].as_array().unwrap().clone()
    };
    assert_eq!(of(at.to_string()).await.len(), 1);
    assert_eq!(of(at.to_string()).await[0]["version"]["number"], 1);
    assert_eq!(of(before.to_string()).await.len(), 0);
    let shown = Ran::of(&["consent", "show", consent, "--data", &data]).await.expect(0);
    shown.says("version 2: in-force").says("shares       laboratory").says("changed");

    let wrong = Ran::of(&["consent", "show", "cns_none", "--data", &data]).await.expect(1);
    wrong.says("there is no sharing choice `cns_none`");
    Ran::of(&["consent", "at", "yesterday", "--patient", "x", "--data", &data])
        .await
        .expect(1)
        .says("is not an instant");
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}

fn sqlite(world: &World, query: &str) -> String {
    let program = "import sqlite3, sys\n\
                   for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(row[0])";
    let database = world.database();
    let done = std::process::Command::new("python3")
        .args(["-c", program, database.to_str().unwrap(), query])
        .output()
        .unwrap();
    String::from_utf8(done.stdout).unwrap()
}
