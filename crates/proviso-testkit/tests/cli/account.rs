//! `account`: roles listed, given and taken, with and without a running server.

use proviso_testkit::process::Server;
use serde_json::{Value, json};

use crate::{Ran, World};

async fn roles_of(data: &str, name: &str) -> Value {
    let listed = Ran::of(&["account", "list", "--data", data, "--json"]).await.expect(0).json();
    let rows = listed.as_array().unwrap();
    assert!(rows.iter().all(|row| row["username"] != "maria"), "patients have no roles");
    rows.iter().find(|row| row["username"] == name).unwrap()["roles"].clone()
}

#[tokio::test]
async fn a_role_is_given_and_taken_with_and_without_a_server() {
    let world = World::new().await;
    let data = world.path();
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    assert_eq!(roles_of(&data, "nurseruiz").await, json!(["nurse"]));
    let change = async |verb: &str, role: &str, code| {
        Ran::of(&["account", verb, "nurseruiz", role, "--data", &data]).await.expect(code)
    };
    change("give", "billing", 0).await.says("nurseruiz has now: nurse, billing");
    assert_eq!(roles_of(&data, "nurseruiz").await, json!(["nurse", "billing"]));
    Ran::of(&["policy", "shadow", "--data", &data]).await.expect(0).says("no set is tried out");
    server.interrupt().await.unwrap();

    assert_eq!(roles_of(&data, "nurseruiz").await, json!(["nurse", "billing"]));
    change("take", "billing", 0).await.says("nurseruiz has now: nurse");
    let list = Ran::of(&["account", "list", "--data", &data]).await.expect(0);
    list.says("drstone").says("privacy-officer");

    let wrong = change("give", "doctor", 1).await;
    assert!(wrong.err.contains("`doctor` is no role; there are front-desk"), "{}", wrong.err);
    let wrong = change("take", "nurse", 1).await;
    assert!(wrong.err.contains("comes with the kind of account"), "{}", wrong.err);
    let wrong = Ran::of(&["account", "give", "maria", "billing", "--data", &data]).await.expect(1);
    assert!(wrong.err.contains("has no roles"), "{}", wrong.err);
    let wrong = Ran::of(&["account", "give", "nobody", "billing", "--data", &data]).await.expect(1);
    assert!(wrong.err.contains("there is no account `nobody`"), "{}", wrong.err);
    let idle = Ran::of(&["policy", "shadow", "--data", &data]).await.expect(1);
    assert!(idle.err.contains("no server runs here"), "{}", idle.err);
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}
