//! `serve` and `config`: what is refused names its key; what is accepted runs.

use proviso_testkit::http_client::HttpClient;
use proviso_testkit::process::{Server, free_port};

use crate::{Ran, World};

const TLS: &str = "tls = { certificate_file = \"no.pem\", key_file = \"no.pem\" }\n";

// Covers: design P6, §13 (configuration)
#[tokio::test]
async fn what_is_unknown_or_insecure_refuses_to_start_and_names_the_key() {
    let world = World::new().await;
    for (name, more, says) in [
        ("unknown", "oauth.acess_token_ttl_secs = 60".to_owned(), "oauth.acess_token_ttl_secs"),
        ("section", "[nonsense]\nx = 1\n".to_owned(), "nonsense"),
        ("plain", "listen = \"0.0.0.0:0\"".to_owned(), "key `listen`"),
        ("public", "public_url = \"http://records.example.org\"".to_owned(), "key `public_url`"),
        ("admin", "admin_listen = \"0.0.0.0:0\"".to_owned(), "key `admin_listen`"),
        ("open", "oauth.registration = \"open\"".to_owned(), "key `oauth.registration`"),
        ("upstream", "upstream.url = \"http://ehr.example.org\"".to_owned(), "key `upstream.url`"),
        ("provider", "keys.provider = \"vault\"".to_owned(), "keys.provider"),
        ("bounds", "oauth.access_token_ttl_secs = 5".to_owned(), "oauth.access_token_ttl_secs"),
        ("kind", "oauth.access_token_ttl_secs = \"300\"".to_owned(), "oauth.access_token_ttl_secs"),
        ("half", "tls = { certificate_file = \"a.pem\" }".to_owned(), "tls.key_file"),
        ("pair", TLS.to_owned(), "tls.certificate_file"),
        ("toml", "listen = ".to_owned(), "not valid TOML"),
        (
            "token",
            "upstream.url = \"http://127.0.0.1:1\"\nupstream.authorization_file = \"no\""
                .to_owned(),
            "upstream.authorization_file",
        ),
    ] {
        // A table header in front would swallow the keys behind it.
        let config = if name == "section" {
            let config = world.config("section.toml", "");
            let text = std::fs::read_to_string(&config).unwrap();
            std::fs::write(&config, format!("{text}\n{more}")).unwrap();
            config
        } else {
            world.config(&format!("{name}.toml"), &more)
        };
        let ran = Ran::of(&["serve", "--config", &config]).await;
        assert_eq!(ran.code, Some(1), "{name}: {}{}", ran.out, ran.err);
        ran.says(says);
        // Files that a key names are looked at only by `serve` and `doctor`.
        if !matches!(name, "pair" | "token") {
            Ran::of(&["config", "check", "--config", &config]).await.expect(3).says(says);
            Ran::of(&["doctor", "--config", &config]).await.expect(3).says(says);
        }
    }
    Ran::of(&["serve", "--config", "/nowhere/x.toml"]).await.expect(1).says("/nowhere/x.toml");
    let good = world.config("good.toml", "");
    Ran::of(&["config", "check", "--config", &good]).await.expect(0).says("is accepted");
}

// Covers: design §11 (health on the admin listener), §13 (rates)
#[tokio::test]
async fn serve_answers_on_both_listeners_within_its_limits() {
    let world = World::new().await;
    let (port, admin) = (free_port().unwrap(), free_port().unwrap());
    let origin = format!("http://127.0.0.1:{port}");
    let config = world.config(
        "serve.toml",
        &format!(
            "public_url = \"{origin}\"\nlisten = \"127.0.0.1:{port}\"\n\
             admin_listen = \"127.0.0.1:{admin}\"\nlimits.address_per_sec = 1\nlog.level = \"error\""
        ),
    );
    let server = Server::start_at(&["serve", "--config", &config], &origin).await.unwrap();
    let client = HttpClient::default();
    for path in ["/health/live", "/health/ready"] {
        let answer = client.get(&format!("http://127.0.0.1:{admin}{path}"), &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(client.get(&server.url(path), &[]).await.unwrap().status, 404, "{path}");
    }
    // No demo in a real installation: no page, no hint, no open registration.
    assert_eq!(client.get(&server.url("/demo"), &[]).await.unwrap().status, 404);
    let page = client.get(&server.url("/login"), &[]).await.unwrap().text();
    assert!(!page.contains("proviso-demo"), "the password of the demo is shown");
    let headers = [("content-type", "application/json")];
    let body = r#"{"redirect_uris":["https://app.example/cb"],"client_name":"x"}"#;
    let url = server.url("/oauth/register");
    let answer = client.send(http::Method::POST, &url, &headers, body).await.unwrap();
    assert!(answer.status.is_client_error(), "registration is open: {}", answer.status);
    // One request a second, twice as many at once: of ten at least one is told to wait.
    let mut refused = 0;
    for _ in 0..10 {
        let answer = client.get(&server.url("/fhir/r4/metadata"), &[]).await.unwrap();
        if answer.status == 429 {
            refused += 1;
            assert!(answer.header("retry-after").is_some());
            assert_eq!(answer.json().unwrap()["resourceType"], "OperationOutcome");
        }
    }
    assert!(refused > 0, "no limit holds");
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
}
