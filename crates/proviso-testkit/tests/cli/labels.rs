//! `labels`: rules of an organisation, from the mistake in a file to the records of a server.

use proviso_testkit::process::{Server, free_port};

use crate::{Ran, World, text};

const RULES: &str = r#"name = "riverside"

[[rule]]
id = "riverside-word"
kind = "genetics"
words = ["starflower"]

[[test]]
name = "the word"
resource = '{"resourceType":"Basic","code":{"text":"a starflower panel"}}'
kinds = ["genetics"]
"#;

/// Writes a file beside the world and gives its path.
fn file(world: &World, name: &str, content: &str) -> String {
    let path = world.folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    text(&path)
}

#[tokio::test]
async fn a_file_of_rules_is_checked_and_its_tests_are_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        text(&path)
    };
    let good = path("good.toml", RULES);
    Ran::of(&["labels", "check", &good]).await.expect(0).says("`riverside` is accepted");
    let json = Ran::of(&["labels", "check", &good, "--json"]).await.expect(0).json();
    assert_eq!((&json["accepted"], &json["tests"]), (&true.into(), &1.into()));
    assert_eq!(json["version"].as_str().unwrap().len(), 64);
    Ran::of(&["labels", "test", &good]).await.expect(0).says("1 tests, 0 failed");

    let typo = path("typo.toml", &RULES.replace("\"genetics\"\nwords", "\"genes\"\nwords"));
    for verb in ["check", "test"] {
        let ran = Ran::of(&["labels", verb, &typo]).await.expect(3);
        ran.says("line 5, `riverside-word`: the kind `genes` is not known");
    }
    let json = Ran::of(&["labels", "check", &typo, "--json"]).await.expect(3).json();
    assert_eq!(json["faults"][0]["line"], 5);
    assert_eq!(json["faults"][0]["rule"], "riverside-word");

    let failing = path("failing.toml", &RULES.replace("kinds = [\"genetics\"]", "kinds = []"));
    Ran::of(&["labels", "check", &failing]).await.expect(0);
    let ran = Ran::of(&["labels", "test", &failing]).await.expect(3);
    ran.says("expected no kind, found genetics")
        .says("genetics by `riverside-word` at `code.text`");
    let json = Ran::of(&["labels", "test", &failing, "--json"]).await.expect(3).json();
    assert_eq!((&json["failed"], &json["tests"][0]["holds"]), (&1.into(), &false.into()));

    Ran::of(&["labels", "check", "no-such-file"]).await.expect(1).says("cannot read");
}

#[tokio::test]
async fn an_explanation_says_which_rule_fired_where_and_by_which_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        text(&path)
    };
    let result = path(
        "result.json",
        r#"{"resourceType":"Observation","id":"o","encounter":{"reference":"Encounter/e"}}"#,
    );
    let visit = path(
        "visit.json",
        r#"{"resourceType":"Encounter","id":"e","reasonCode":[{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}]}]}"#,
    );
    let alone = Ran::of(&["labels", "explain", &result]).await.expect(0);
    alone.says("Observation/o: no kind").says("`Encounter/e` is not at hand");
    let both = Ran::of(&["labels", "explain", &result, "--with", &visit]).await.expect(0);
    both.says("Observation/o: hiv")
        .says("hiv by `hiv-icd10` at `reasonCode[0].coding[0]` (certain)")
        .says("from Encounter/e at `encounter.reference` by `refers-to`");
    let arguments = ["labels", "explain", &result, "--with", &visit, "--json"];
    let json = Ran::of(&arguments).await.expect(0).json();
    assert_eq!(json["resources"][0]["kinds"], serde_json::json!(["hiv"]));
    let label = &json["resources"][0]["labels"][0];
    assert_eq!(label["rule"], "hiv-icd10");
    assert_eq!(label["origin"]["propagated"][0]["element"], "encounter.reference");
    let nonsense = path("nonsense.json", "{}");
    Ran::of(&["labels", "explain", &nonsense]).await.expect(1).says("cannot be explained");
}

// Covers: design §13: what is wrong in the configuration refuses to start and names the key
#[tokio::test]
async fn a_server_with_wrong_rules_or_failing_tests_does_not_start() {
    let world = World::new().await;
    for (name, content, words) in [
        ("typo.toml", RULES.replace("\"genetics\"\nwords", "\"genes\"\nwords"), "line 5"),
        (
            "failing.toml",
            RULES.replace("kinds = [\"genetics\"]", "kinds = []"),
            "the test `the word`",
        ),
    ] {
        file(&world, name, &content);
        let config = world.config("wrong.toml", &format!("labels.rules_file = \"{name}\""));
        for arguments in [&["serve", "--config"][..], &["doctor", "--config"]] {
            let mut all = arguments.to_vec();
            all.push(&config);
            let ran = Ran::of(&all).await;
            assert_ne!(ran.code, Some(0), "{arguments:?}");
            ran.says("key `labels.rules_file`").says(words);
        }
        let checked = Ran::of(&["config", "check", "--config", &config]).await.expect(3);
        checked.says("key `labels.rules_file`").says(words);
    }
    let config = world.config("gone.toml", "labels.rules_file = \"gone.toml.missing\"");
    Ran::of(&["serve", "--config", &config]).await.expect(1).says("cannot read");
}

/// Other rules on an existing store: the doctor says what is left to do, a run of the server does it.
#[tokio::test]
async fn a_server_labels_its_records_by_other_rules_and_the_doctor_tells_how_far_it_is() {
    let world = World::new().await;
    file(&world, "rules.toml", RULES);
    let origin = format!("http://127.0.0.1:{}", free_port().unwrap());
    let listen = origin.trim_start_matches("http://");
    let more = format!(
        "public_url = \"{origin}\"\nlisten = \"{listen}\"\nlabels.rules_file = \"rules.toml\""
    );
    let config = world.config("labelled.toml", &more);
    let labels = async || {
        let ran = Ran::of(&["doctor", "--json", "--config", &config]).await;
        let rows = ran.json();
        let row = rows.as_array().unwrap().iter().find(|row| row["check"] == "labels").unwrap();
        (row["result"].as_str().unwrap().to_owned(), row["text"].as_str().unwrap().to_owned())
    };
    let (result, text) = labels().await;
    assert_eq!(result, "note", "{text}");
    assert!(text.contains("still to be labelled"), "{text}");
    let server = Server::start_at(&["serve", "--config", &config], &origin).await.unwrap();
    // The job works beside the requests; the doctor looks without disturbing it.
    let mut tries = 0;
    while labels().await.0 != "ok" {
        tries += 1;
        assert!(tries < 200, "the job does not end");
    }
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    assert_eq!(labels().await.0, "ok");
}
