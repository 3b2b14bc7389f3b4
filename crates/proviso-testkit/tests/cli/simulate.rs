//! `consent who`, `what-if` and `explain`: offline and from a running server, for people and as JSON.

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::SmartApp;
use serde_json::{Value, json};

use crate::{Ran, World};

async fn ask(data: &str, words: &[&str], code: i32) -> Ran {
    Ran::of(&[&["consent"], words, &["--data", data]].concat()).await.expect(code)
}

fn subject(answer: &Value, key: &str) -> Value {
    let all = answer["subjects"].as_array().unwrap();
    all.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("{key}: {answer}")).clone()
}

// Covers: consent.md §7.7; exit codes 0 done, 1 failed, 2 wrong command line
#[tokio::test]
async fn who_could_see_what_is_told_with_and_without_a_server() {
    let world = World::new().await;
    let data = world.path();
    let alone = ask(&data, &["who", "--patient", "maria"], 0).await;
    alone.says("Dr. Anika Patel (staff, account:acc_drpatel)").says("sensitive-kind-not-shared");
    let one = ["who", "--patient", "maria", "--record", "Patient/maria"];
    ask(&data, &one, 0).await.says("Permitted: operational access of a clinician");

    let sign = ["what-if", "--patient", "maria", "--sign", "glucose-coach", "--by", "maria"];
    let kinds = ["--categories", "medications", "--json"];
    let supposed = ask(&data, &[&sign[..], &kinds].concat(), 0).await.json();
    let key = "app:glucose-coach:acc_maria";
    let would = subject(&supposed, key)["appear"].as_array().unwrap().len();
    assert!(would > 0);

    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, "launch/patient patient/*.rs");
    let choices = [("category", "medications"), ("duration", "1-year")];
    app.connect(&mut Browser::new().unwrap(), "maria", &choices).await.unwrap();
    let now = ask(&data, &["who", "--patient", "maria", "--json"], 0).await.json();
    let coach = subject(&now, key);
    assert_eq!(coach["before"]["permitted"], json!(would), "what was supposed is so");
    let consent = coach["consents"][0].as_str().unwrap().to_owned();

    let stop = ["what-if", "--consent", &consent, "--stop"];
    let stopped = ask(&data, &stop, 0).await;
    stopped.says(&format!("sees {would} now, 0 afterwards")).says("would disappear");
    stopped.says("consent-revoked");
    let explained = ask(&data, &["explain", &consent], 0).await;
    explained.says("The kinds of record are medications.").says("It stands as: in-force.");
    explained.says(&format!("opens {would}")).says("category-not-shared");
    let none = ask(&data, &["explain", &consent, "--json"], 0).await.json();
    assert_eq!(none["subjects"].as_array().unwrap().len(), 1);
    assert!(none["consent"]["means"][0].as_str().unwrap().contains("the app glucose-coach"));
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    let again = ask(&data, &["who", "--patient", "maria", "--json"], 0).await.json();
    assert_eq!(again["subjects"], now["subjects"], "the command says the same by itself");

    let wider = ["what-if", "--consent", &consent, "--categories", "medications,visits"];
    ask(&data, &wider, 1).await.says("to add to it is to sign anew");
    for (words, said) in [
        (&["what-if", "--consent", "cns_none", "--stop"][..], "no such sharing choice"),
        (&["what-if", "--consent", &consent, "--categories", "x"], "`x` is not a kind of record"),
        (&["what-if", "--patient", "maria", "--end-proxy", "wei"], "does not act for the patient"),
        (&["who", "--patient", "maria", "--record", "maria"], "Type/id"),
        (&["who", "--patient", "maria", "--record", "Patient/james"], "no such record"),
        (&["who", "--patient", "a b"], "not the id of a patient"),
        (&["explain", "nonsense"], "not the id of a sharing choice"),
    ] {
        ask(&data, words, 1).await.says(said);
    }
    ask(&data, &["what-if", "--stop"], 2).await;
    ask(&data, &["what-if", "--consent", "a", "--end-proxy", "b", "--patient", "c"], 2).await;
    ask(&data, &["what-if", "--consent", "a", "--stop", "--categories", "visits"], 2).await;
}
