//! Refresh tokens as the certification kits use them.

use proviso_testkit::browser::Browser;
use proviso_testkit::smart_app::{LOOPBACK, SmartApp, everything};

use crate::world::{PATIENT, World, check_error, check_token_response, scopes};

/// `smart_token_refresh_stu2` without and with `scope`, then `g10_invalid_token_refresh`.
async fn check_refresh(app: &SmartApp) {
    let mut browser = Browser::new().unwrap();
    let mut tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    let granted = tokens.text("scope").to_owned();
    for scope in [None, Some(granted.as_str())] {
        let refresh_token = tokens.refresh().to_owned();
        let mut fields =
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
        fields.extend(scope.map(|scope| ("scope", scope)));
        let refreshed = check_token_response(&app.token(&fields).await.unwrap());
        for scope in scopes(refreshed.text("scope")) {
            assert!(scopes(&granted).contains(&scope), "`{scope}` was never granted");
        }
        assert_eq!(refreshed.text("scope"), granted, "A109: no scope means as before");
        assert_eq!(refreshed.text("patient"), "maria");
        // g10_patient_context with the new token.
        let read = app.fhir(refreshed.access(), "Patient/maria").await.unwrap();
        assert_eq!(read.status, 200);
        if refreshed.refresh().is_empty() {
            continue;
        }
        tokens = refreshed;
    }
    let answer = app.refresh("0d0dbe3c-2f4a-4f5a-8a7b-6f0e1f8f5a55").await.unwrap();
    check_error(&answer, 400, "invalid_grant");
}

// Covers: SMART App Launch 2.2 §refresh; Inferno `smart_token_refresh_stu2`,
// `g10_invalid_token_refresh`
#[tokio::test]
async fn a_public_app_refreshes() {
    let world = World::new().await;
    check_refresh(&world.coach()).await;
}

// Covers: SMART App Launch 2.2 §refresh, symmetric
#[tokio::test]
async fn an_app_with_a_secret_refreshes() {
    let world = World::new().await;
    check_refresh(&world.app("bill-helper", PATIENT)).await;
}

// Covers: SMART App Launch 2.2 §refresh, asymmetric; g10 9.21
#[tokio::test]
async fn an_app_with_a_key_refreshes() {
    let world = World::new().await;
    check_refresh(&world.app("second-opinion", PATIENT)).await;
}

// Covers: SMART App Launch 2.2 §CORS (A17): a browser app refreshes from its own origin
#[tokio::test]
async fn a_browser_app_may_read_the_answer_to_its_refresh() {
    let world = World::new().await;
    let (app, tokens, _) = world.maria_connected().await;
    let answer = app.refresh(tokens.refresh()).await.unwrap();
    assert_eq!(answer.header("access-control-allow-origin"), Some(LOOPBACK));
}

// Covers: oauth-smart.md §6 "public refresh without `client_id`" (fhirclient JS)
#[tokio::test]
async fn a_public_app_that_forgets_its_name_is_known_by_its_token() {
    let world = World::new().await;
    let (app, tokens, _) = world.maria_connected().await;
    let send = async |token: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        world.http.post_form(&app.token_endpoint(), &[], &fields).await.unwrap()
    };
    check_token_response(&send(tokens.refresh()).await);

    // An app that can prove itself must.
    let helper = world.app("bill-helper", PATIENT);
    let mut browser = Browser::new().unwrap();
    let tokens = helper.connect(&mut browser, "maria", &everything()).await.unwrap();
    let answer = send(tokens.refresh()).await;
    assert!(matches!(answer.status.as_u16(), 400 | 401), "{}", answer.text());
}
