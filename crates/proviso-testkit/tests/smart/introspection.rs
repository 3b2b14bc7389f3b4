//! Token introspection: who may ask, what is told, and that nothing is told of anything else.

use proviso_testkit::browser::Browser;
use proviso_testkit::signing::jwt_part;
use proviso_testkit::smart_app::{SmartApp, Tokens, everything};
use serde_json::{Value, json};

use crate::world::{CLINICIAN, PATIENT, World, check_error, check_not_cached, scopes};

async fn service_token(world: &World) -> String {
    let app = world.app("quality-study", "system/Patient.rs");
    let fields = [("grant_type", "client_credentials"), ("scope", "system/Patient.rs")];
    let body = app.token(&fields).await.unwrap().json().unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

/// Asks with a bearer token of somebody else, as SMART requires to be possible.
async fn by_bearer(world: &World, bearer: &str, token: &str) -> Value {
    let header = format!("Bearer {bearer}");
    let url = world.url("/oauth/introspect");
    let headers = [("authorization", header.as_str())];
    let answer = world.http.post_form(&url, &headers, &[("token", token)]).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().unwrap()
}

#[track_caller]
fn check_active(body: &Value, app: &SmartApp, tokens: &Tokens) {
    assert_eq!(body["active"], true, "{body}");
    assert_eq!(body["client_id"], app.client_id);
    let told = scopes(body["scope"].as_str().unwrap());
    let granted = scopes(tokens.text("scope"));
    assert_eq!(told.len(), granted.len());
    assert!(granted.iter().all(|scope| told.contains(scope)));
    // A275, A276: `exp` is that of the token.
    let claims = jwt_part(tokens.access(), 1).unwrap();
    assert_eq!(body["exp"], claims["exp"]);
    assert_eq!(
        body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(),
        tokens.body["expires_in"].as_i64().unwrap()
    );
    let identity = jwt_part(tokens.text("id_token"), 1).unwrap();
    for name in ["iss", "sub", "fhirUser"] {
        assert_eq!(body[name], identity[name], "{name}");
    }
    // A277: every launch context parameter is repeated.
    for name in
        ["patient", "encounter", "intent", "need_patient_banner", "smart_style_url", "tenant"]
    {
        assert_eq!(body.get(name), tokens.body.get(name), "{name}");
    }
}

// Covers: RFC 7662 §2.2; SMART App Launch 2.2 §token introspection (A271–279); Inferno
// `smart_token_introspection_stu2_2`; g10 9.20
#[tokio::test]
async fn an_app_with_a_secret_is_told_all_about_its_own_token() {
    let world = World::new().await;
    let app = world.app("bill-helper", PATIENT);
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    check_active(&world.introspect(&app, tokens.access()).await, &app, &tokens);
}

// Covers: SMART App Launch 2.2 §token introspection (A282, A283); S13
#[tokio::test]
async fn a_bearer_token_of_a_service_may_ask_about_the_token_of_any_app() {
    let world = World::new().await;
    let service = service_token(&world).await;
    let (coach, tokens, _) = world.maria_connected().await;
    check_active(&by_bearer(&world, &service, tokens.access()).await, &coach, &tokens);
    let (lens, tokens, _) = world.patel_launched(CLINICIAN).await;
    check_active(&by_bearer(&world, &service, tokens.access()).await, &lens, &tokens);
}

// Covers: SMART App Launch 2.2 §token introspection: a public app asks about itself
#[tokio::test]
async fn a_public_app_may_ask_about_its_own_token_with_that_token() {
    let world = World::new().await;
    let (app, tokens, _) = world.maria_connected().await;
    let body = by_bearer(&world, tokens.access(), tokens.access()).await;
    check_active(&body, &app, &tokens);
}

// Covers: RFC 7662 §2.2; Inferno: `active` is false and nothing else is said
#[tokio::test]
async fn of_anything_but_a_live_token_only_that_is_said() {
    let world = World::new().await;
    let helper = world.app("bill-helper", PATIENT);
    let (_, tokens, _) = world.maria_connected().await;
    let inactive = json!({ "active": false });
    let mut tampered = tokens.access().to_owned();
    tampered.truncate(tampered.len() - 4);
    for (what, token) in [
        ("nonsense", "invalid_token_value"),
        ("a token of another app", tokens.access()),
        ("a refresh token of another app", tokens.refresh()),
        ("a tampered token", tampered.as_str()),
        ("an ID token", tokens.text("id_token")),
    ] {
        assert_eq!(world.introspect(&helper, token).await, inactive, "{what}");
    }
    let service = service_token(&world).await;
    let id_token = tokens.text("id_token");
    assert_eq!(by_bearer(&world, &service, id_token).await, inactive, "an ID token");
}

// Covers: RFC 7662 §2.1, §4 (never anonymous); RFC 6750 §3
#[tokio::test]
async fn nobody_asks_anonymously() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    let url = world.url("/oauth/introspect");
    let token = [("token", tokens.access())];
    let named = [("token", tokens.access()), ("client_id", "glucose-coach")];
    for fields in [&token[..], &named[..]] {
        let answer = world.http.post_form(&url, &[], fields).await.unwrap();
        check_error(&answer, 401, "invalid_client");
        assert!(answer.header("www-authenticate").is_some());
    }
    let headers = [("authorization", "Bearer nonsense")];
    let answer = world.http.post_form(&url, &headers, &token).await.unwrap();
    assert_eq!(answer.status, 401, "{}", answer.text());
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer"), "who came with a bearer token: {challenge}");
    let headers = [("authorization", "Basic YmlsbC1oZWxwZXI6d3Jvbmc=")];
    let answer = world.http.post_form(&url, &headers, &token).await.unwrap();
    check_error(&answer, 401, "invalid_client");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    check_not_cached(&answer);
}

// Covers: RFC 7662 §2.1: `token` is required
#[tokio::test]
async fn who_names_no_token_is_told_so() {
    let world = World::new().await;
    let helper = world.app("bill-helper", PATIENT);
    let url = world.url("/oauth/introspect");
    check_error(&helper.post(&url, &[]).await.unwrap(), 400, "invalid_request");
    let twice = [("token", "a"), ("token", "b")];
    check_error(&helper.post(&url, &twice).await.unwrap(), 400, "invalid_request");
}
