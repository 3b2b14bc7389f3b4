//! What somebody with bad intentions tries at the doors of the built server, and does not get.

use std::path::Path;

use http::Method;
use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::{LOOPBACK, SmartApp, everything};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/Observation.rs";

async fn demo() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path(), &[]).await.unwrap();
    (folder, server)
}

async fn register(server: &Server, members: &serde_json::Value) -> Answer {
    let mut metadata = serde_json::json!({
        "redirect_uris": [format!("{LOOPBACK}/callback")],
        "token_endpoint_auth_method": "none",
    });
    for (name, value) in members.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    HttpClient::default()
        .send(
            Method::POST,
            &server.url("/oauth/register"),
            &[("content-type", "application/json")],
            metadata.to_string(),
        )
        .await
        .unwrap()
}

// Covers: R3, R23, design §13: nothing that registers itself reaches a header, a name or staff
#[tokio::test]
async fn an_app_cannot_register_its_way_into_headers_names_or_the_launch_page() {
    let (_folder, server) = demo().await;
    for members in [
        serde_json::json!({ "redirect_uris": ["https://evil.example;sandbox/cb"] }),
        serde_json::json!({ "redirect_uris": ["https://evil.example/\r\nset-cookie:a=b"] }),
        serde_json::json!({ "redirect_uris": ["javascript:alert(1)"] }),
        serde_json::json!({ "client_name": "Chart \u{202e}sneL" }),
        serde_json::json!({ "client_name": "chart-LENS" }),
        serde_json::json!({ "launch_uris": vec!["https://evil.example/launch"; 40] }),
    ] {
        let answer = register(&server, &members).await;
        assert_eq!(answer.status, 400, "{members}");
    }
    let launch = serde_json::json!({
        "client_name": "Chart Helper",
        "launch_uris": ["https://evil.example/launch"],
    });
    assert_eq!(register(&server, &launch).await.status, 201);
    let mut doctor = Browser::open(&server.url("/launch")).await.unwrap();
    doctor.sign_in("drpatel", "proviso-demo").await.unwrap();
    assert!(doctor.text().contains("Chart Lens"), "{}", doctor.text());
    assert!(!doctor.page.text().contains("evil.example"));
    assert!(!doctor.text().contains("Chart Helper"));
    server.kill().await.unwrap();
}

// Covers: design §13, requests over an address's rate: 429 with Retry-After
#[tokio::test]
async fn strangers_cannot_fill_the_disk_with_requests_to_connect() {
    let (_folder, server) = demo().await;
    let client = HttpClient::default();
    let mut turned_away = None;
    for _ in 0..700 {
        let answer = client.get(&server.url("/oauth/authorize?client_id=no"), &[]).await.unwrap();
        if answer.status == 429 {
            turned_away = Some(answer);
            break;
        }
        assert_eq!(answer.status, 400);
    }
    let answer = turned_away.unwrap();
    assert!(answer.header("retry-after").is_some());
    assert!(answer.text().contains("Too many requests"), "{}", answer.text());
    // Who is signed in is known, and goes on.
    let mut maria = Browser::open(&server.url("/login")).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, SCOPE);
    let tokens = app.connect(&mut maria, "maria", &everything()).await.unwrap();
    assert_eq!(tokens.text("patient"), "maria");
    server.kill().await.unwrap();
}

// Covers: P4, the text recorded is the text shown
#[tokio::test]
async fn a_choice_made_on_another_page_is_not_recorded() {
    let (_folder, server) = demo().await;
    let app = SmartApp::glucose_coach(&server.origin, SCOPE);
    let mut maria = Browser::new().unwrap();
    maria.stop_at = Some(app.redirect_uri.clone());
    maria.go(&app.launch().unwrap().url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let form = maria.form_with("decision").unwrap();
    let own = form.controls.iter().find(|c| c.name() == "shown").unwrap().value().to_owned();
    let choice = [("category", "laboratory"), ("duration", "once"), ("decision", "allow")];
    for shown in [vec!["00"], vec![own.as_str(), "00"], vec![""]] {
        let mut fields = choice.to_vec();
        fields.extend(shown.iter().map(|hash| ("shown", *hash)));
        maria.submit(&form, &fields).await.unwrap();
        assert_eq!(maria.page.status, 422, "{shown:?}");
    }
    maria.submit(&form, &choice).await.unwrap();
    assert!(maria.url.as_str().starts_with(&app.redirect_uri), "{}", maria.url);
    server.kill().await.unwrap();
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            // A socket holds no bytes; everything else is read.
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

// Covers: R20, nothing usable is found on disk
#[tokio::test]
async fn no_token_code_cookie_or_password_is_on_the_disk() {
    let (folder, server) = demo().await;
    let app = SmartApp::glucose_coach(&server.origin, SCOPE);
    let mut maria = Browser::new().unwrap();
    let launch = app.launch().unwrap();
    let code = app.code_for(&launch, &mut maria, "maria", &everything()).await.unwrap();
    let first = app.exchange(&launch, &code).await.unwrap().json().unwrap();
    let text = |body: &serde_json::Value, member: &str| body[member].as_str().unwrap().to_owned();
    let second = app.refresh(&text(&first, "refresh_token")).await.unwrap().json().unwrap();
    app.fhir(&text(&second, "access_token"), "Observation?_count=1").await.unwrap();
    let mut typist = Browser::open(&server.url("/login")).await.unwrap();
    typist.sign_in("wrong-field-password-1", "wrong-password-1").await.unwrap();
    let cookie = |name: &str| maria.cookies()[name].clone();
    let secrets = [
        ("code", code.clone()),
        ("access token", text(&first, "access_token")),
        ("renewed access token", text(&second, "access_token")),
        ("refresh token", text(&first, "refresh_token")),
        ("renewed refresh token", text(&second, "refresh_token")),
        ("ID token", text(&first, "id_token")),
        ("session", cookie("__Host-proviso-session")),
        ("browser", cookie("__Host-proviso-browser")),
        ("password", "proviso-demo".to_owned()),
        ("typed username", "wrong-field-password-1".to_owned()),
        ("typed password", "wrong-password-1".to_owned()),
    ];
    server.kill().await.unwrap();
    let mut found = Vec::new();
    files(folder.path(), &mut found);
    assert!(found.iter().any(|(name, body)| name.contains(".db") && !body.is_empty()));
    for (name, body) in &found {
        for (what, secret) in &secrets {
            let there = body.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!there, "{what} is in {name}");
        }
    }
}
