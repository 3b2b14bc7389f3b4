//! Standalone launch: public, with a secret, with a key; from redirect to token response.

use std::sync::Arc;

use http::Method;
use proviso_testkit::browser::Browser;
use proviso_testkit::signing::SigningKey;
use proviso_testkit::smart_app::{LOOPBACK, Proof, SmartApp, everything};
use serde_json::json;

use crate::world::{PATIENT, World, begin_by_form, check_token_response, scopes};

/// Inferno `smart_standalone_launch_stu2_2` from the redirect on, for one app.
async fn check_launch(app: &SmartApp) {
    let mut browser = Browser::new().unwrap();
    let launch = app.launch().unwrap();
    let code = app.code_for(&launch, &mut browser, "maria", &everything()).await.unwrap();
    let answer = app.exchange(&launch, &code).await.unwrap();
    let tokens = check_token_response(&answer);
    for scope in scopes(&app.scope) {
        assert!(scopes(tokens.text("scope")).contains(&scope), "`{scope}` was not granted");
    }
    assert_eq!(tokens.text("patient"), "maria");
    assert!(!tokens.refresh().is_empty());
    assert!(!tokens.text("id_token").is_empty());
    let read = app.fhir(tokens.access(), "Patient/maria").await.unwrap();
    assert_eq!(read.status, 200);
    if matches!(app.proof, Proof::Public) {
        let allowed = answer.header("access-control-allow-origin").unwrap_or("");
        assert!(allowed == LOOPBACK || allowed == "*", "CORS: `{allowed}`");
    }
}

// Covers: SMART App Launch 2.2 §standalone launch; Inferno `smart_standalone_launch_stu2_2`,
// `smart_cors_token_exchange`; g10 9.16
#[tokio::test]
async fn a_public_app_launches_standalone() {
    let world = World::new().await;
    check_launch(&world.coach()).await;
}

// Covers: SMART App Launch 2.2 §client authentication: symmetric
#[tokio::test]
async fn an_app_with_a_secret_launches_standalone() {
    let world = World::new().await;
    check_launch(&world.app("bill-helper", PATIENT)).await;
}

// Covers: SMART App Launch 2.2 §client authentication: asymmetric; g10 9.21
#[tokio::test]
async fn an_app_with_an_es384_key_launches_standalone() {
    let world = World::new().await;
    check_launch(&world.app("second-opinion", PATIENT)).await;
}

// Covers: SMART App Launch 2.2 §client authentication: asymmetric (A296, A310); RFC 7591 §2
#[tokio::test]
async fn an_app_that_registers_an_rs384_key_launches_standalone() {
    let world = World::new().await;
    let key = SigningKey::rs384("rsa-1").unwrap();
    // As the kit's own set: one key of each kind, told apart by `kid`.
    let other = SigningKey::es384("ec-1").unwrap();
    let registered = world
        .registered(&json!({
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [other.public_jwk().unwrap(), key.public_jwk().unwrap()] },
        }))
        .await;
    let id = registered["client_id"].as_str().unwrap();
    let origin = &world.server.origin;
    check_launch(&SmartApp::new(origin, id, Proof::Key(Arc::new(key)), PATIENT)).await;
    check_launch(&SmartApp::new(origin, id, Proof::Key(Arc::new(other)), PATIENT)).await;
}

// Covers: SMART App Launch 2.2 §authorize-post (A48, A49); Inferno `auth_request_method=POST`
#[tokio::test]
async fn an_authorization_request_by_form_is_the_same_as_one_by_address() {
    let world = World::new().await;
    let app = world.coach();
    let launch = app.launch().unwrap();
    let mut browser = Browser::new().unwrap();
    browser.stop_at = Some(app.redirect_uri.clone());
    begin_by_form(&world, &mut browser, &launch).await;
    app.answer(&mut browser, "maria", &everything()).await.unwrap();
    let code = app.code(&launch, &browser.url).unwrap();
    check_token_response(&app.exchange(&launch, &code).await.unwrap());
}

// Covers: SMART App Launch 2.2 §discovery (A30): the way a real app finds everything
#[tokio::test]
async fn an_app_that_knows_only_the_fhir_base_finds_its_way() {
    let world = World::new().await;
    let url = format!("{}/.well-known/smart-configuration", world.base());
    let found = world.http.get(&url, &[]).await.unwrap().json().unwrap();
    let app = world.coach();
    let launch = app.launch().unwrap();
    let authorize = found["authorization_endpoint"].as_str().unwrap();
    assert!(launch.url.starts_with(authorize));
    assert_eq!(found["token_endpoint"], app.token_endpoint());
    let preflight = world
        .http
        .send(
            Method::OPTIONS,
            found["token_endpoint"].as_str().unwrap(),
            &[("origin", LOOPBACK), ("access-control-request-method", "POST")],
            "",
        )
        .await
        .unwrap();
    assert!(preflight.status.is_success());
    assert_eq!(preflight.header("access-control-allow-origin"), Some(LOOPBACK));
}
