//! `doctor`: good, and with each thing broken.

use std::os::unix::fs::PermissionsExt as _;

use proviso_testkit::process::free_port;

use crate::{Ran, World, tamper, text};

/// Runs it and gives the results by check; the exit code must fit them.
async fn findings(arguments: &[&str]) -> Vec<(String, String, String)> {
    let mut all = vec!["doctor", "--json"];
    all.extend_from_slice(arguments);
    let ran = Ran::of(&all).await;
    let rows: Vec<_> = ran
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("check"), text("result"), text("text"))
        })
        .collect();
    let wrong = rows.iter().any(|(_, result, _)| result == "fail");
    assert_eq!(ran.code, Some(if wrong { 3 } else { 0 }), "{rows:?}");
    rows
}

async fn check_broken(arguments: &[&str], check: &str, words: &str) {
    let rows = findings(arguments).await;
    let found = rows
        .iter()
        .any(|(what, result, text)| what == check && result == "fail" && text.contains(words));
    assert!(found, "`{check}` is not found wrong with `{words}`: {rows:?}");
    // Nothing that is lost may be announced as about to be made.
    let promised = rows.iter().any(|(_, _, text)| text.contains("the first start makes it"));
    assert!(!promised, "{rows:?}");
}

#[tokio::test]
async fn a_good_installation_passes_every_check() {
    let world = World::new().await;
    let rows = findings(&["--data", &world.path()]).await;
    let checks: Vec<_> = rows.iter().map(|(check, _, _)| check.as_str()).collect();
    for check in [
        "configuration",
        "data folder",
        "master key",
        "disk",
        "store",
        "keys",
        "audit log",
        "clock",
    ] {
        assert!(checks.contains(&check), "no check of {check}: {checks:?}");
    }
    assert!(rows.iter().all(|(_, result, _)| result == "ok"), "{rows:?}");
    let config = world.config("good.toml", "");
    let rows = findings(&["--config", &config]).await;
    assert!(rows.iter().all(|(_, result, _)| result == "ok"), "{rows:?}");
    assert!(rows.iter().any(|(check, _, _)| check == "tls"), "{rows:?}");
    let plain = Ran::of(&["doctor", "--config", &config]).await.expect(0);
    assert!(plain.out.lines().all(|line| line.trim_start().starts_with("ok")), "{}", plain.out);
}

#[tokio::test]
async fn each_broken_thing_is_named() {
    let world = World::new().await;

    let open = world.copy("open-key");
    let key = open.join("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    check_broken(&["--data", &text(&open)], "master key", "read by others").await;

    let lost = world.copy("lost-key");
    std::fs::remove_file(lost.join("master.key")).unwrap();
    check_broken(&["--data", &text(&lost)], "master key", "master.key").await;
    check_broken(&["--data", &text(&lost)], "keys", "master.key").await;

    let other = world.copy("other-key");
    std::fs::write(other.join("master.key"), [9_u8; 32]).unwrap();
    check_broken(&["--data", &text(&other)], "keys", "").await;

    let folder = world.copy("open-folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    check_broken(&["--data", &text(&folder)], "data folder", "read by others").await;

    let damaged = world.copy("damaged");
    let script = "db.execute(\"update audit_entry set body = zeroblob(9) where idx = 2\")";
    tamper(&damaged.join("proviso.db"), script);
    check_broken(&["--data", &text(&damaged)], "audit log", "entry 2").await;

    let config = world.config("unknown.toml", "nonsense = 1");
    check_broken(&["--config", &config], "configuration", "unknown key `nonsense`").await;

    let port = free_port().unwrap();
    let more = format!("upstream.url = \"http://127.0.0.1:{port}/fhir\"");
    let config = world.config("upstream.toml", &more);
    check_broken(&["--config", &config], "upstream", &format!("127.0.0.1:{port}")).await;

    let more = format!(
        "upstream.url = \"http://127.0.0.1:{port}/fhir\"\nupstream.authorization_file = \"gone\""
    );
    let config = world.config("credential.toml", &more);
    check_broken(&["--config", &config], "upstream", "upstream.authorization_file").await;

    let more = "tls = { certificate_file = \"no.pem\", key_file = \"no.pem\" }";
    let config = world.config("tls.toml", more);
    check_broken(&["--config", &config], "tls", "tls.certificate_file").await;
}

// A file with a page of somebody else, a schema of a later or of another release, no schema at all.
#[tokio::test]
async fn each_way_in_which_the_store_is_broken_is_named() {
    let world = World::new().await;
    for (name, script, words) in [
        (
            "newer",
            "db.execute(\"insert into schema_version values (99, 'later', 'x')\")",
            "schema 99, this release knows up to",
        ),
        (
            "changed",
            "db.execute(\"update schema_version set digest = 'x' where number = 1\")",
            "schema 1 is not the one of this release",
        ),
        ("none", "db.execute('drop table schema_version')", "the schema cannot be read"),
    ] {
        let copy = world.copy(name);
        tamper(&copy.join("proviso.db"), script);
        check_broken(&["--data", &text(&copy)], "store", words).await;
    }
    let torn = world.copy("torn");
    tamper(&torn.join("proviso.db"), "pass");
    let mut bytes = std::fs::read(torn.join("proviso.db")).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(torn.join("proviso.db"), bytes).unwrap();
    check_broken(&["--data", &text(&torn)], "store", "proviso.db` is damaged").await;
    let other = world.copy("other");
    std::fs::write(other.join("proviso.db"), b"not a database, whatever its name says").unwrap();
    check_broken(&["--data", &text(&other)], "store", "proviso.db").await;
}

/// Serves one answer to everybody on a free port and gives the base URL. With a credential, it is
/// for those only who send it.
async fn answering(content_type: &str, body: &str, credential: Option<&str>) -> String {
    let (kind, body) = (content_type.to_owned(), body.to_owned());
    let credential = credential.map(str::to_owned);
    let answer = async move |headers: axum::http::HeaderMap| {
        let sent = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let status = if credential.is_none() || sent == credential { 200 } else { 401 };
        (axum::http::StatusCode::from_u16(status).unwrap(), [("content-type", kind)], body)
    };
    let app = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/fhir")
}

// Covers: design §12 (`--upstream`): what stands behind us must be a FHIR R4 server
#[tokio::test]
async fn an_upstream_must_be_a_fhir_r4_server_that_takes_the_credential() {
    const FHIR: &str = "application/fhir+json";
    let statement = |version: &str| {
        format!(r#"{{"resourceType":"CapabilityStatement","fhirVersion":"{version}"}}"#)
    };
    let world = World::new().await;
    std::fs::write(world.folder.path().join("credential"), "Bearer right\n").unwrap();
    let config = |base: &str| {
        let more =
            format!("upstream.url = \"{base}\"\nupstream.authorization_file = \"credential\"");
        world.config("upstream.toml", &more)
    };
    for (kind, body, credential, words) in [
        ("text/html", "<ul><li>metadata</li></ul>".to_owned(), None, "than a CapabilityStatement"),
        (FHIR, r#"{"resourceType":"Patient"}"#.to_owned(), None, "than a CapabilityStatement"),
        (FHIR, "{}".to_owned(), None, "than a CapabilityStatement"),
        (FHIR, statement("4.3.0"), None, "speaks FHIR `4.3.0`"),
        (FHIR, statement("5.0.0"), None, "speaks FHIR `5.0.0`"),
        (FHIR, statement("4.0.1"), Some("Bearer other"), "refuses the credential with status 401"),
    ] {
        let base = answering(kind, &body, credential).await;
        check_broken(&["--config", &config(&base)], "upstream", words).await;
    }
    let base = answering(FHIR, &statement("4.0.1"), Some("Bearer right")).await;
    let rows = findings(&["--config", &config(&base)]).await;
    let good = rows.iter().any(|(check, result, text)| {
        check == "upstream" && result == "ok" && text.contains("speaks FHIR 4.0.1")
    });
    assert!(good, "{rows:?}");
}

// A database without its master key must not get a new one.
#[tokio::test]
async fn a_lost_master_key_is_never_replaced() {
    let world = World::new().await;
    std::fs::remove_file(world.data().join("master.key")).unwrap();
    for arguments in [
        &["demo", "--listen", "127.0.0.1:0", "--data"][..],
        &["verify", "--data"],
        &["keys", "rotate", "--data"],
    ] {
        let data = world.path();
        let mut all = arguments.to_vec();
        all.push(&data);
        Ran::of(&all).await.expect(1).says("master.key");
        assert!(!world.data().join("master.key").exists(), "{arguments:?} made a new one");
    }
}
