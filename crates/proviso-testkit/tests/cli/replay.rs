//! `replay`: any past decision is made again, to the same bytes (design P5).

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::SmartApp;

use crate::{Ran, World, tamper, text};

/// A closed world in which things were shown, withheld, refused and changed.
async fn lived_in() -> World {
    let world = World::new().await;
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let scope = "launch/patient patient/Patient.rs patient/Observation.rs patient/Condition.rs";
    let app = SmartApp::glucose_coach(&server.origin, scope);
    let choices = [
        ("category", "demographics"),
        ("category", "laboratory"),
        ("category", "problems"),
        ("duration", "1-year"),
    ];
    let tokens = app.connect(&mut Browser::new().unwrap(), "maria", &choices).await.unwrap();
    let patient = tokens.text("patient");
    for (path, status) in [
        (format!("Patient/{patient}"), 200),
        // Some of what matches is sensitive and withheld.
        ("Observation?_count=5&_sort=-date".to_owned(), 200),
        ("Condition".to_owned(), 200),
        (format!("Patient/{patient}/$everything"), 200),
        (format!("Patient/{patient}/_history"), 200),
        // Another patient's, and nobody's.
        ("Patient/james".to_owned(), 404),
        ("Observation/never-was".to_owned(), 404),
        ("MedicationRequest".to_owned(), 403),
    ] {
        let answer = app.fhir(tokens.access(), &path).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    world
}

/// Everything that the command says about one world, as JSON.
async fn replayed(data: &str, more: &[&str], code: i32) -> serde_json::Value {
    let arguments = [&["replay", "--data", data, "--json"], more].concat();
    Ran::of(&arguments).await.expect(code).json()
}

// Covers: design P5, consent.md §7.4 (digest to inputs, replayed bit for bit)
#[tokio::test]
async fn every_past_decision_comes_out_the_same_and_says_why() {
    let world = lived_in().await;
    let report = replayed(&world.path(), &[], 0).await;
    assert_eq!(report["differing"], 0, "{report}");
    assert_eq!(report["decisions"], 8, "{report}");
    assert_eq!(report["shown"], serde_json::json!([]));
    Ran::of(&["replay", "--data", &world.path()]).await.expect(0).says("come out the same");

    // One that withheld something, by the id that the log gives it.
    let ids = decision_ids(&world);
    let mut reasons = std::collections::BTreeSet::new();
    for id in &ids {
        let one = replayed(&world.path(), &["--decision", id], 0).await;
        let shown = &one["shown"][0];
        assert_eq!(shown["outcome"], "the same");
        assert_eq!(shown["digest"].as_str().unwrap().len(), 64);
        for tree in shown["explanations"].as_array().unwrap() {
            let codes = tree["reasons"].as_array().unwrap();
            assert!(!codes.is_empty(), "{tree}");
            reasons.extend(codes.iter().map(|code| code.as_str().unwrap().to_owned()));
        }
    }
    for expected in
        ["consent-in-force", "sensitive-kind-not-shared", "category-not-shared", "no-consent"]
    {
        assert!(reasons.contains(expected), "{expected} in {reasons:?}");
    }
    let told = Ran::of(&["replay", "--data", &world.path(), "--decision", &ids[2]]).await.expect(0);
    told.says("what the app may ask for").says("it would be permitted if");
}

/// The ids of decisions, as the leaves of the log tell them.
fn decision_ids(world: &World) -> Vec<String> {
    let program = "import sqlite3, sys, json\n\
        db = sqlite3.connect(sys.argv[1])\n\
        for leaf, in db.execute(\"select leaf from audit_entry where kind = 'access' order by idx\"):\n\
        \x20   print(json.loads(leaf)['decision'])";
    let done = std::process::Command::new("python3")
        .args(["-c", program, &text(&world.database())])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

// Covers: design P6 (what is not at hand is not guessed)
#[tokio::test]
async fn a_decision_whose_consent_was_changed_on_disk_cannot_be_made_again() {
    let world = lived_in().await;
    let script =
        "db.execute(\"update consent_version set body = replace(body, 'laboratory', 'vitals')\")";
    tamper(&world.database(), script);
    let report = replayed(&world.path(), &[], 3).await;
    assert_eq!(report["differing"], report["decisions"], "{report}");
    let said = report["shown"][0]["outcome"].as_str().unwrap();
    assert!(said.contains("is not at hand"), "{said}");
}

#[tokio::test]
async fn what_is_not_in_the_log_is_a_failure_and_a_wrong_id_a_wrong_command_line() {
    let world = World::new().await;
    let unknown = "dec_00000000000070008000000000000000";
    let ran = Ran::of(&["replay", "--data", &world.path(), "--decision", unknown]).await.expect(1);
    ran.says("no decision with this id");
    Ran::of(&["replay", "--data", &world.path(), "--decision", "nonsense"]).await.expect(2);
    Ran::of(&["replay", "--data", &world.path()]).await.expect(0).says("0 decisions");
}
