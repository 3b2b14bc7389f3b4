//! `keys`: rotation that no live client notices.

use std::collections::BTreeSet;

use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::process::{Server, free_port};
use proviso_testkit::smart_app::SmartApp;

use crate::{Ran, World};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.rs";
const CHOICES: &[(&str, &str)] =
    &[("category", "demographics"), ("duration", "1-year"), ("offline", "yes")];

async fn published(server: &Server) -> BTreeSet<String> {
    let jwks = HttpClient::default().get(&server.url("/oauth/jwks"), &[]).await.unwrap();
    let jwks = jwks.json().unwrap();
    let keys = jwks["keys"].as_array().unwrap().iter();
    assert!(keys.clone().all(|key| key["d"].is_null()), "a private key is published");
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

// Covers: O6; design §13 of the issue: rotatable by a command without breaking a live client
#[tokio::test]
async fn rotation_breaks_no_live_client() {
    let world = World::new().await;
    let data = world.path();
    // The same address before and after: it is the issuer.
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let arguments = ["demo", "--listen", &address, "--data", &data];
    let server = Server::start(&arguments).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, SCOPE);
    let tokens = app.connect(&mut Browser::new().unwrap(), "maria", CHOICES).await.unwrap();
    let before = published(&server).await;
    server.interrupt().await.unwrap();

    let listed = Ran::of(&["keys", "list", "--data", &data, "--json"]).await.expect(0).json();
    let listed: BTreeSet<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(before.is_subset(&listed), "{before:?} of {listed:?}");
    let rotated = Ran::of(&["keys", "rotate", "--data", &data, "--json"]).await.expect(0).json();
    let new: BTreeSet<_> = rotated["active"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    assert!(!new.is_empty() && new.is_disjoint(&before), "{new:?}");
    let list = Ran::of(&["keys", "list", "--data", &data]).await.expect(0);
    list.says("active").says("retired").says("published until");

    let server = Server::start(&arguments).await.unwrap();
    let after = published(&server).await;
    assert!(before.is_subset(&after) && new.is_subset(&after), "{before:?} {new:?} {after:?}");
    let path = format!("Patient/{}", tokens.text("patient"));
    assert_eq!(app.fhir(tokens.access(), &path).await.unwrap().status, 200, "an old token died");
    let answer = app.refresh(tokens.refresh()).await.unwrap();
    assert_eq!(answer.status, 200, "refresh broke: {}", answer.text());
    let fresh = answer.json().unwrap()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.fhir(&fresh, &path).await.unwrap().status, 200);
    server.interrupt().await.unwrap();
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}

// Covers: O6; the same without a restart: the running server takes the new keys up itself
#[tokio::test]
async fn a_running_server_rotates_without_a_restart_and_breaks_no_live_client() {
    let world = World::new().await;
    let data = world.path();
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, SCOPE);
    let tokens = app.connect(&mut Browser::new().unwrap(), "maria", CHOICES).await.unwrap();
    let before = published(&server).await;
    let rotated = Ran::of(&["keys", "rotate", "--data", &data, "--json"]).await.expect(0).json();
    let new: BTreeSet<_> = rotated["active"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    assert!(!new.is_empty() && new.is_disjoint(&before), "{new:?}");
    // Published at once, by the process that was running all the time.
    let after = published(&server).await;
    assert!(before.is_subset(&after) && new.is_subset(&after), "{before:?} {new:?} {after:?}");
    let path = format!("Patient/{}", tokens.text("patient"));
    assert_eq!(app.fhir(tokens.access(), &path).await.unwrap().status, 200, "an old token died");
    let answer = app.refresh(tokens.refresh()).await.unwrap();
    assert_eq!(answer.status, 200, "refresh broke: {}", answer.text());
    let fresh = answer.json().unwrap()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.fhir(&fresh, &path).await.unwrap().status, 200);

    // Only the owner may ask, and nonsense changes nothing.
    let socket = world.data().join("control.sock");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    std::io::Write::write_all(&mut stream, b"open-the-door\n").unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
    assert!(said.contains("no such order"), "{said}");
    assert_eq!(published(&server).await, after);

    // The server stops in good order, leaves no socket, and knows the same keys afterwards.
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    assert!(!socket.exists(), "the socket was left behind");
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    assert_eq!(published(&server).await, after);
    // One that was killed leaves its socket; the command and the next start are not confused by it.
    server.kill().await.unwrap();
    assert!(socket.exists());
    Ran::of(&["keys", "rotate", "--data", &data]).await.expect(0).says("ten minutes from now");
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    assert!(published(&server).await.len() > after.len());
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}

#[tokio::test]
async fn there_are_no_keys_before_the_first_start() {
    let world = World::new().await;
    let empty = world.folder.path().join("empty");
    let more = format!("data_dir = {:?}", empty.to_str().unwrap());
    let config = world.config("empty.toml", &more);
    for command in ["list", "rotate"] {
        let ran = Ran::of(&["keys", command, "--config", &config]).await.expect(1);
        ran.says("no keys yet");
    }
    assert!(!empty.exists(), "the folder was made");
}
