//! `decide`: the operator's question, offline and to a running server.

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::SmartApp;

use crate::{Ran, World};

async fn ask(data: &str, more: &[&str], code: i32) -> Ran {
    Ran::of(&[&["decide", "--data", data], more].concat()).await.expect(code)
}

// Covers: design P5; exit codes 0 yes, 3 no, 1 failed, 2 wrong command line
#[tokio::test]
async fn whether_somebody_may_is_said_with_why_and_logged() {
    let world = World::new().await;
    let data = world.path();
    let yes = ask(&data, &["--account", "drpatel", "--resource", "Patient/maria"], 0).await;
    yes.says("`drpatel` may read Patient/maria").says("care-relationship");
    let no = ask(&data, &["--account", "drpatel", "--resource", "Patient/james"], 3).await;
    no.says("may not read Patient/james").says("it would be permitted if");

    let json = ask(&data, &["--account", "sol", "--resource", "Patient/maria", "--json"], 3).await;
    let told = json.json();
    assert_eq!(told["permitted"], false);
    assert_eq!(told["reasons"], serde_json::json!(["role-without-clinical-data"]));
    let decision = told["decision"].as_str().unwrap();
    // It is a decision like any other: in the log, and made again from there.
    let replayed = Ran::of(&["replay", "--data", &data, "--decision", decision]).await.expect(0);
    replayed.says("the same").says("role-without-clinical-data");

    for (words, said) in [
        (&["--account", "nobody", "--resource", "Patient/maria"][..], "there is no account"),
        (&["--account", "maria", "--resource", "Patient"], "Type/id"),
        (&["--account", "maria", "--resource", "Person-of/maria"], "not a type of FHIR R4"),
        (&["--account", "maria", "--resource", "Patient/a b"], "not an id of FHIR"),
        (
            &["--account", "maria", "--resource", "Patient/maria", "--action", "fly"],
            "not an action",
        ),
        (&["--account", "maria", "--resource", "Patient/maria", "--purpose", "FUN"], "purpose"),
    ] {
        ask(&data, words, 1).await.says(said);
    }
    ask(&data, &["--resource", "Patient/maria"], 2).await;
    let both = ["--account", "a", "--app", "b", "--resource", "Patient/maria"];
    ask(&data, &both, 2).await;
}

// Covers: design P2: a running server answers from what is in force in it
#[tokio::test]
async fn a_running_server_decides_itself() {
    let world = World::new().await;
    let data = world.path();
    let question = ["--app", "glucose-coach", "--for", "maria", "--resource", "Patient/maria"];
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    ask(&data, &question, 3).await.says("no-consent");
    let app = SmartApp::glucose_coach(&server.origin, "launch/patient patient/Patient.rs");
    let choices = [("category", "demographics"), ("duration", "1-year")];
    app.connect(&mut Browser::new().unwrap(), "maria", &choices).await.unwrap();
    ask(&data, &question, 0).await.says("consent-in-force").says("The sharing choice is in force.");
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    ask(&data, &question, 0).await;
}
