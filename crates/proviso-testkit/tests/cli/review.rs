//! `review`: accesses that a policy has looked at afterwards.

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::{LOOPBACK, Proof, SmartApp};

use crate::policy::Set;
use crate::{Ran, World};

// Covers: design §6 (obligations): reviews are listed, shown and decided, with and without a server
#[tokio::test]
async fn accesses_are_listed_shown_and_reviewed() {
    let world = World::new().await;
    let data = world.path();
    let of = async |arguments: &[&str]| {
        Ran::of(&[&["review"], arguments, &["--data", &data]].concat()).await
    };
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    of(&["list"]).await.expect(0).says("no review waits");
    of(&["list", "--all"]).await.expect(0).says("no access was to be reviewed");
    watch(&data).await;
    let mut browser = Browser::open(&server.url("/login")).await.unwrap();
    browser.sign_in("drpatel", "proviso-demo").await.unwrap();
    browser.go(&server.url("/launch")).await.unwrap();
    browser.stop_at = Some(LOOPBACK.to_owned());
    let form = browser.form_with("app").unwrap();
    let start = format!("chart-lens {LOOPBACK}/launch");
    browser.submit(&form, &[("app", start.as_str()), ("patient", "maria")]).await.unwrap();
    let url = browser.url.clone();
    let launch = url.query_pairs().find(|(name, _)| name == "launch").unwrap().1.into_owned();
    let scope = "launch openid online_access user/*.rs";
    let app =
        SmartApp::new(server.url("").trim_end_matches('/'), "chart-lens", Proof::Public, scope);
    let launch = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    let tokens = app.connect_with(&launch, &mut browser, "drpatel", &[]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(app.fhir(tokens.access(), "Patient/maria").await.unwrap().status, 200);
    }

    // The server is running: it is the one that answers, decides and writes the log.
    let listed = of(&["list", "--json"]).await.expect(0).json();
    let rows = listed["reviews"].as_array().unwrap();
    assert!(rows.len() >= 2, "{listed}");
    assert_eq!(rows[0]["standing"], "open");
    let access = &rows.last().unwrap()["reviews"][0]["access"];
    assert_eq!(access["account"], "acc_drpatel");
    assert_eq!(access["patients"][0], "maria");
    let id = access["entry"].as_str().unwrap().to_owned();
    let few = of(&["list", "--limit", "1"]).await.expect(0);
    few.says("there are more").says("review due");
    of(&["list", "--limit", "0"]).await.expect(2);
    of(&["list", "--all", "--before", "maria"]).await.expect(1).says("is not the id of an entry");
    let decide =
        |verdict, by| ["decide", &id, "--verdict", verdict, "--note", "Checked.", "--by", by];
    of(&decide("justified", "drpatel")).await.expect(1).says("may not look after reviews");
    of(&decide("follow-up", "priya")).await.expect(0).says("follow-up by acc_priya");
    server.interrupt().await.unwrap();

    // The server is gone: the command does it itself.
    of(&decide("justified", "nobody")).await.expect(1).says("there is no account `nobody`");
    of(&decide("fine", "priya")).await.expect(1).says("`fine` is not a verdict");
    of(&decide("justified", "admin")).await.expect(1).says("may not look after reviews");
    of(&decide("justified", "priya")).await.expect(0).says(&format!("{id}: justified"));
    of(&decide("justified", "priya")).await.expect(1).says("was decided before");
    let still = of(&["list"]).await.expect(0);
    assert!(!still.out.contains(&id), "{}", still.out);
    of(&["list", "--all"]).await.expect(0).says(&id);
    let shown = of(&["show", &id, "--json"]).await.expect(0).json();
    assert_eq!(shown["reviews"][0]["reviews"].as_array().unwrap().len(), 3, "{shown}");
    of(&["show", &id]).await.expect(0).says("read Patient, 1 released").says("justified by");
    of(&["show", "aud_none"]).await.expect(1).says("`aud_none` is not reviewed");
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}

/// A set in which everything that a clinician sees of a patient is watched comes into force.
async fn watch(data: &str) {
    let set = Set::new().await;
    let reason = "@id(\"treating-clinician\")\n@reason(\"care-relationship\")";
    let watched = "@obligations(\"audit-twice; notify-patient; open-review\")";
    set.edit("20-treatment.cedar", reason, &format!("{reason}\n{watched}"));
    let path = set.path();
    let of = async |arguments: &[&str]| {
        Ran::of(&[&["policy"], arguments, &["--data", data]].concat()).await.expect(0)
    };
    of(&["propose", &path, "--note", "Somebody looks.", "--by", "admin"]).await;
    let listed = of(&["list", "--json"]).await.json();
    let id = listed["sets"][0]["id"].as_str().unwrap().to_owned();
    of(&["approve", &id, "--by", "priya"]).await;
    of(&["activate", &id, "--by", "priya"]).await;
}
