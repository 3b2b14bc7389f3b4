//! `emergency`: what was declared, its reviews, and ending it.

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;

use crate::{Ran, World};

// Covers: design §6: review queue, with and without a running server
#[tokio::test]
async fn emergencies_are_listed_shown_ended_and_reviewed() {
    let world = World::new().await;
    let data = world.path();
    let of = async |arguments: &[&str]| {
        Ran::of(&[&["emergency"], arguments, &["--data", &data]].concat()).await
    };
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    of(&["list"]).await.expect(0).says("no review waits");
    let mut browser = Browser::open(&server.url("/login")).await.unwrap();
    browser.sign_in("drstone", "proviso-demo").await.unwrap();
    browser.go(&server.url("/emergency")).await.unwrap();
    let form = browser.form_with("why").unwrap();
    let fields = [
        ("patient", "maria"),
        ("reason", "life-threat"),
        ("why", "Chest pain, no records at hand."),
        ("minutes", "15"),
        ("password", "proviso-demo"),
    ];
    browser.submit(&form, &fields).await.unwrap();

    // The server is running: it is the one that answers, decides and writes the log.
    let listed = of(&["list", "--json"]).await.expect(0).json();
    let row = &listed["emergencies"][0];
    assert_eq!(row["standing"], "in-force");
    assert_eq!(row["review_standing"], "open");
    let id = row["emergency"]["declaration"]["id"].as_str().unwrap().to_owned();
    let review =
        |verdict, by| ["review", &id, "--verdict", verdict, "--note", "Checked.", "--by", by];
    of(&review("justified", "priya")).await.expect(1).says("still in force");
    of(&["end", &id, "--by", "drpatel"]).await.expect(1).says("may not look after reviews");
    of(&["end", &id, "--by", "priya"]).await.expect(0).says("ended, review open");
    of(&["end", &id, "--by", "priya"]).await.expect(1).says("is over");
    server.interrupt().await.unwrap();

    // The server is gone: the command does it itself.
    for by in ["drstone", "drpatel", "admin"] {
        of(&review("justified", by)).await.expect(1).says("may not look after reviews");
    }
    of(&review("justified", "nobody")).await.expect(1).says("there is no account `nobody`");
    of(&review("fine", "priya")).await.expect(1).says("`fine` is not a verdict");
    let mute = ["review", &id, "--verdict", "justified", "--note", " ", "--by", "priya"];
    of(&mute).await.expect(1).says("the note says why");
    of(&review("follow-up", "priya")).await.expect(0).says("review follow-up");
    of(&["list"]).await.expect(0).says(&id);
    of(&review("not-justified", "priya")).await.expect(0).says("review not-justified");
    of(&review("justified", "priya")).await.expect(1).says("was decided before");
    of(&["list"]).await.expect(0).says("no review waits");
    of(&["list", "--all"]).await.expect(0).says("Chest pain");
    let shown = of(&["show", &id, "--json"]).await.expect(0).json();
    let versions = shown["emergencies"][0]["reviews"].as_array().unwrap();
    assert_eq!(versions.len(), 3, "{shown}");
    of(&["show", &id]).await.expect(0).says("follow-up by acc_priya").says("not-justified by");
    of(&["show", "emg_none"]).await.expect(1).says("there is no emergency access `emg_none`");
    of(&["show", "maria"]).await.expect(1).says("is not the id of an emergency access");
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}
