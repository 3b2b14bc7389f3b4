//! `proxy`: people who act for a patient, approved, renewed and ended, with and without a server.

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;
use serde_json::Value;

use crate::{Ran, World};

// Covers: design §5: a proxy is scoped, dated, approved again, and dies at once when ended
#[tokio::test]
async fn somebody_acts_for_a_patient_from_the_approval_until_the_end_and_no_longer() {
    let world = World::new().await;
    let data = world.path();
    let of = async |arguments: &[&str]| {
        Ran::of(&[&["proxy"], arguments, &["--data", &data]].concat()).await
    };
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let mut browser = Browser::open(&server.url("/login")).await.unwrap();
    browser.sign_in("grace", "proviso-demo").await.unwrap();
    let page = server.url("/portal/activity?patient=maria");
    let mut sees = async || {
        let status = browser.go(&page).await.unwrap().status;
        status == 200 && browser.text().contains("Maria")
    };
    assert!(!sees().await, "nobody approved it yet");

    let approve = ["approve", "grace", "maria", "--basis", "appointed", "--by", "priya"];
    of(&approve).await.expect(0).says("grace acts for maria").says("the patient's appointment");
    assert!(sees().await, "in force once it is told");
    of(&["end", "grace", "maria", "--by", "drpatel"]).await.expect(1).says("not for this person");
    of(&["end", "grace", "maria", "--by", "maria"]).await.expect(0).says("does not act for maria");
    assert!(!sees().await, "over once it is told");
    of(&["end", "grace", "maria", "--by", "maria"]).await.expect(1).says("no such proxy");
    server.interrupt().await.unwrap();

    // The server is gone: the command does it itself.
    let narrow = [&approve[..], &["--category", "laboratory", "--until", "2999-01-01T00:00:00Z"]];
    of(&narrow.concat())
        .await
        .expect(0)
        .says("sees         laboratory")
        .says("approved by  acc_priya");
    of(&["renew", "grace", "maria", "--by", "admin"]).await.expect(0).says("acc_admin");
    let rows = of(&["list", "--json"]).await.expect(0).json();
    let acting = |rows: &Value| {
        let all = rows["proxies"].as_array().unwrap().clone();
        all.iter().map(|own| own["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(acting(&rows), ["grace", "wei", "grace"], "{rows}");
    let rows = of(&["list", "--patient", "maria", "--json"]).await.expect(0).json();
    assert_eq!(acting(&rows), ["grace"]);
    of(&["list", "--patient", "nobody"]).await.expect(0).says("nobody acts for a patient");
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}

#[tokio::test]
async fn what_cannot_be_approved_is_said_and_changes_nothing() {
    let world = World::new().await;
    let data = world.path();
    let of = async |arguments: &[&str]| {
        Ran::of(&[&["proxy"], arguments, &["--data", &data]].concat()).await
    };
    Server::demo(&world.data(), &[]).await.unwrap().interrupt().await.unwrap();
    let approve = async |who: &str, patient: &str, more: &[&str]| {
        of(&[&["approve", who, patient, "--by", "priya"], more].concat()).await.expect(1)
    };
    let appointed = ["--basis", "appointed"];
    approve("nobody", "maria", &appointed).await.says("there is no account `nobody`");
    approve("grace", "nobody", &appointed).await.says("there is no patient `nobody`");
    approve("grace", "a b", &appointed).await.says("is not the id of a patient");
    approve("grace", "maria", &["--basis", "friend"]).await.says("`friend` is no basis");
    approve("grace", "lily", &["--basis", "parent"]).await.says("says whose law counts");
    let law = |place| ["--basis", "parent", "--jurisdiction", place];
    approve("grace", "lily", &law("ZZ")).await.says("age of majority in `ZZ`");
    approve("grace", "maria", &law("US-AZ")).await.says("the patient is of age");
    let past = [&appointed[..], &["--until", "2001-01-01T00:00:00Z"]].concat();
    approve("grace", "maria", &past).await.says("over already");
    let wrong = [&appointed[..], &["--until", "tomorrow"]].concat();
    approve("grace", "maria", &wrong).await.says("`tomorrow` is no instant");
    let wrong = [&appointed[..], &["--category", "secrets"]].concat();
    approve("grace", "maria", &wrong).await.says("`secrets` is no kind of record");
    let law = law("US-AZ");
    let by = ["approve", "grace", "lily", "--by", "drpatel"];
    of(&[&by[..], &law].concat()).await.expect(1).says("not for this person");
    of(&["list", "--patient", "maria"]).await.expect(0).says("nobody acts for a patient");
    // The law of the place dates the end: the day on which Lily is eighteen.
    let by = ["approve", "grace", "lily", "--by", "priya"];
    let parent = of(&[&by[..], &law].concat()).await.expect(0);
    parent.says("being a parent").says("until        ");
}
