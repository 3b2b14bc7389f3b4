//! SHALLs of SMART App Launch 2.2 that no public suite checks (oauth-smart.md Appendix A).

use proviso_testkit::browser::Browser;
use proviso_testkit::smart_app::{LOOPBACK, SmartApp, everything};
use serde_json::json;

use crate::world::{
    PATIENT, World, begin_by_form, check_error, check_token_response, parameter, scopes, signed_in,
    told,
};

// Covers: SMART App Launch 2.2 (A18): only registered launch URLs are started
#[tokio::test]
async fn a18_the_launch_page_starts_registered_addresses_only() {
    let world = World::new().await;
    let mut doctor = signed_in(&world, "drpatel").await;
    doctor.go(&world.url("/launch")).await.unwrap();
    doctor.stop_at = Some("http".to_owned());
    let form = doctor.form_with("app").unwrap();
    for app in [
        "chart-lens https://evil.example/launch",
        "chart-lens http://127.0.0.1:9123/other",
        "nobody http://127.0.0.1:9123/launch",
        "quality-study http://127.0.0.1:9123/launch",
    ] {
        doctor.submit(&form, &[("app", app), ("patient", "maria")]).await.unwrap();
        assert!(doctor.page.status.is_client_error(), "{app}: {}", doctor.page.status);
        assert_eq!(doctor.page.header("location"), None, "{app}");
    }
    // Nor for a patient who is not in her care.
    let app = format!("chart-lens {LOOPBACK}/launch");
    doctor.submit(&form, &[("app", &app), ("patient", "james")]).await.unwrap();
    assert!(doctor.page.status.is_client_error(), "{}", doctor.page.status);
}

// Covers: SMART App Launch 2.2 (A24, 316, A296, A297); RFC 7591 §3.2.1
#[tokio::test]
async fn a24_registration_gives_an_id_with_which_the_app_launches() {
    let world = World::new().await;
    let registered = world
        .registered(&json!({
            "token_endpoint_auth_method": "client_secret_basic",
            "launch_uris": [format!("{LOOPBACK}/launch")],
        }))
        .await;
    let id = registered["client_id"].as_str().unwrap();
    let secret = registered["client_secret"].as_str().unwrap().to_owned();
    let proof = proviso_testkit::smart_app::Proof::Secret(secret);
    let app = SmartApp::new(&world.server.origin, id, proof, PATIENT);
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    assert_eq!(tokens.text("patient"), "maria");
    check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
    // A250: it cannot give itself what only an organisation can agree to.
    let scope = json!({ "scope": "system/*.rs patient/*.rs" });
    let registered = world.registered(&scope).await;
    assert!(!registered["scope"].as_str().unwrap().contains("system/"));
}

/// States that break what decodes them once too often, or once too few.
fn states() -> Vec<String> {
    vec![
        "a&b=c+d e%20f%2Bg#h?i/j;k,l\"m'<n>".to_owned(),
        "ünïcödé · 日本語 · 🩺".to_owned(),
        "s".repeat(1024),
        "日本語+&=%".repeat(60),
        "+".to_owned(),
        "%00%ff".to_owned(),
    ]
}

// Covers: SMART App Launch 2.2 (A48, A49, A53, A56, A57, A59): `state` comes back byte for byte
#[tokio::test]
async fn a59_state_comes_back_byte_for_byte_with_yes_no_and_error_by_get_and_by_post() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = signed_in(&world, "maria").await;
    for state in states() {
        let yes = app.launch_with(&[("state", Some(&state))]).unwrap();
        let code = app.code_for(&yes, &mut browser, "maria", &everything()).await.unwrap();
        assert!(browser.url.as_str().starts_with(&app.redirect_uri));
        assert!(!code.is_empty());

        let no = app.launch_with(&[("state", Some(&state))]).unwrap();
        begin_by_form(&world, &mut browser, &no).await;
        let form = browser.form_with("decision").unwrap();
        browser.submit(&form, &[("decision", "deny")]).await.unwrap();
        assert_eq!(parameter(&browser.url, "error").as_deref(), Some("access_denied"));
        assert_eq!(parameter(&browser.url, "state").as_deref(), Some(state.as_str()));

        let changes = [("state", Some(state.as_str())), ("scope", Some("no-such-scope"))];
        let url = told(&mut browser, &app.launch_with(&changes).unwrap()).await;
        assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_scope"));
        assert_eq!(parameter(&url, "state").as_deref(), Some(state.as_str()));
    }
}

// Covers: RFC 6749 §4.1.1: `state` is recommended, not required
#[tokio::test]
async fn a_request_without_state_gets_none_back() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = Browser::new().unwrap();
    let launch = app.launch_with(&[("state", None)]).unwrap();
    browser.stop_at = Some(app.redirect_uri.clone());
    browser.go(&launch.url).await.unwrap();
    app.answer(&mut browser, "maria", &everything()).await.unwrap();
    assert_eq!(parameter(&browser.url, "state"), None);
    assert!(parameter(&browser.url, "code").is_some());
}

// Covers: SMART App Launch 2.2 (A73, A84–A87)
#[tokio::test]
async fn a73_success_and_error_are_json_and_never_cached() {
    let world = World::new().await;
    let app = world.coach();
    let launch = app.launch().unwrap();
    let mut browser = Browser::new().unwrap();
    let code = app.code_for(&launch, &mut browser, "maria", &everything()).await.unwrap();
    check_token_response(&app.exchange(&launch, &code).await.unwrap());
    for fields in
        [vec![("grant_type", "authorization_code")], vec![("grant_type", "refresh_token")], vec![]]
    {
        check_error(&app.token(&fields).await.unwrap(), 400, "invalid_request");
    }
}

// Covers: SMART App Launch 2.2 (A91): at most an hour; RFC 6750 §2.1 syntax (A85)
#[tokio::test]
async fn a85_access_tokens_are_short_lived_and_fit_a_header() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    assert!(tokens.body["expires_in"].as_i64().unwrap() <= 3600);
    let syntax = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    assert!(tokens.access().bytes().all(syntax));
    assert!(tokens.access().len() < 8 * 1024);
    let claims = proviso_testkit::signing::jwt_part(tokens.access(), 1).unwrap();
    let lived = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lived, tokens.body["expires_in"].as_i64().unwrap());
}

// Covers: SMART App Launch 2.2 (A94–A96)
#[tokio::test]
async fn a94_the_resource_server_checks_signature_and_form() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    let token = tokens.access();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    for bad in [
        format!("{head}."),
        format!("{head}.{turned}"),
        format!("{token}x"),
        head.to_owned(),
        "x".to_owned(),
    ] {
        assert_eq!(world.read(&bad, "Patient/maria").await.status, 401, "{}", bad.len());
    }
    // RFC 9110 §11.1: the scheme in any case.
    for scheme in ["bearer", "BEARER"] {
        let header = format!("{scheme} {token}");
        let url = format!("{}/Patient/maria", world.base());
        let answer = world.http.get(&url, &[("authorization", &header)]).await.unwrap();
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

async fn sign_out(world: &World, browser: &mut Browser) {
    browser.stop_at = None;
    browser.go(&world.url("/portal")).await.unwrap();
    let out = browser
        .forms()
        .into_iter()
        .find(|form| form.attributes.get("action").is_some_and(|action| action == "/logout"));
    browser.submit(&out.unwrap(), &[]).await.unwrap();
    assert_eq!(browser.page.status, 200);
}

// Covers: SMART App Launch 2.2 (A100, A101)
#[tokio::test]
async fn a100_online_access_ends_with_the_session_and_offline_access_does_not() {
    let world = World::new().await;
    let online = world.app("bill-helper", "launch/patient openid online_access patient/*.rs");
    let mut browser = Browser::new().unwrap();
    let mut choices = everything();
    choices.retain(|(name, _)| *name != "offline");
    let tokens = online.connect(&mut browser, "maria", &choices).await.unwrap();
    let tokens = check_token_response(&online.refresh(tokens.refresh()).await.unwrap());
    sign_out(&world, &mut browser).await;
    check_error(&online.refresh(tokens.refresh()).await.unwrap(), 400, "invalid_grant");

    let (offline, tokens, mut browser) = world.maria_connected().await;
    sign_out(&world, &mut browser).await;
    let tokens = check_token_response(&offline.refresh(tokens.refresh()).await.unwrap());
    assert_eq!(world.read(tokens.access(), "Patient/maria").await.status, 200);
}

// Covers: RFC 7009 §2.1, §2.2; SMART App Launch 2.2 §management
#[tokio::test]
async fn an_app_gives_its_access_back_and_nobody_elses() {
    let world = World::new().await;
    let (app, tokens, _) = world.maria_connected().await;
    let url = world.url("/oauth/revoke");
    let other = world.app("bill-helper", PATIENT);
    let answer = other.post(&url, &[("token", tokens.refresh())]).await.unwrap();
    assert_eq!(answer.status, 200, "nothing is said about it");
    assert_eq!(world.read(tokens.access(), "Patient/maria").await.status, 200);
    assert_eq!(app.post(&url, &[("token", "unknown")]).await.unwrap().status, 200);
    let answer = app.post(&url, &[("token", tokens.refresh())]).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(world.read(tokens.access(), "Patient/maria").await.status, 401);
    check_error(&app.refresh(tokens.refresh()).await.unwrap(), 400, "invalid_grant");
    check_error(&app.post(&url, &[]).await.unwrap(), 400, "invalid_request");
}

// Covers: SMART App Launch 2.2 (A119): registration and role cap what is asked for
#[tokio::test]
async fn a119_policy_beats_what_was_asked_for() {
    let world = World::new().await;
    // Registered for less than it asks.
    let tracker =
        world.app("old-tracker", "launch/patient openid patient/*.cruds patient/Procedure.rs");
    let mut browser = Browser::new().unwrap();
    let tokens = tracker.connect(&mut browser, "maria", &everything()).await.unwrap();
    for scope in scopes(tokens.text("scope")) {
        if let Some((_, letters)) = scope.split_once('/').and_then(|(_, rest)| rest.split_once('.'))
        {
            assert!(!letters.contains(['c', 'u', 'd']) || letters == "read", "{scope}");
        }
    }
}

// Covers: SMART App Launch 2.2 (A129): letters out of order are not understood
#[tokio::test]
async fn a129_letters_out_of_order_give_nothing() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = signed_in(&world, "maria").await;
    let launch =
        app.launch_with(&[("scope", Some("launch/patient patient/Observation.sr"))]).unwrap();
    let url = told(&mut browser, &launch).await;
    if parameter(&url, "error").is_none() {
        app.answer(&mut browser, "maria", &everything()).await.unwrap();
        let code = app.code(&launch, &browser.url).unwrap();
        let tokens = check_token_response(&app.exchange(&launch, &code).await.unwrap());
        assert!(!tokens.text("scope").contains("Observation"));
    }
}

// Covers: SMART App Launch 2.2 (A136): one patient
#[tokio::test]
async fn a136_patient_scopes_reach_one_patient_only() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    let nobody = world.read(tokens.access(), "Patient/nobody-of-this-name").await;
    let james = world.read(tokens.access(), "Patient/james").await;
    assert_eq!(james.status, nobody.status);
    assert_ne!(james.status, 200);
    for query in ["Observation", "Condition?patient=james", "Observation?patient=james&_count=5"] {
        for resource in world.search(tokens.access(), query).await {
            let subject = resource["subject"]["reference"].as_str().unwrap_or("");
            assert!(subject.ends_with("Patient/maria"), "{query}: {subject}");
        }
    }
}

// Covers: SMART App Launch 2.2 (A164, A168–A170)
#[tokio::test]
async fn a164_a_patient_scope_alone_establishes_the_patient() {
    let world = World::new().await;
    let app = world.app("glucose-coach", "patient/Observation.rs");
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    assert_eq!(tokens.text("patient"), "maria");
    assert_eq!(tokens.text("scope"), "patient/Observation.rs");
}

// Covers: SMART App Launch 2.2 (A197): `fhirUser` only for who has a FHIR resource
#[tokio::test]
async fn a197_an_administrator_without_a_fhir_resource_gets_no_fhir_user() {
    let world = World::new().await;
    let app = world.app("chart-lens", "openid fhirUser");
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "admin", &[]).await.unwrap();
    assert!(!scopes(tokens.text("scope")).contains(&"fhirUser"), "{}", tokens.text("scope"));
    let claims = proviso_testkit::signing::jwt_part(tokens.text("id_token"), 1).unwrap();
    assert!(claims.get("fhirUser").is_none());
}
