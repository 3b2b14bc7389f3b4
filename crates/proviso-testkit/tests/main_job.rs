//! The main job through plain HTTP without JavaScript: sign in, choose, read, see, stop, refused.

use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::{LOOPBACK, SmartApp, Tokens};

const EVERYTHING: &str = "launch/patient openid fhirUser offline_access patient/*.rs";

const MEDICATIONS_AND_LABORATORY: &[(&str, &str)] = &[
    ("category", "medications"),
    ("category", "laboratory"),
    ("duration", "30-days"),
    ("offline", "yes"),
];

fn found(bundle: &serde_json::Value) -> usize {
    bundle["entry"].as_array().map_or(0, Vec::len)
}

/// What the server says of the app's own token; a public app asks with that token.
async fn introspect(app: &SmartApp, tokens: &Tokens) -> serde_json::Value {
    let bearer = format!("Bearer {}", tokens.access());
    let url = format!("{}/oauth/introspect", app.origin);
    let headers = [("authorization", bearer.as_str())];
    let fields = [("token", tokens.access())];
    let answer = HttpClient::default().post_form(&url, &headers, &fields).await.unwrap();
    answer.json().unwrap_or_default()
}

// Covers: design P2, P4; SMART App Launch 2.2 §standalone launch; RFC 6749 §4.1; RFC 7662 §2.2
#[tokio::test]
async fn a_patient_shares_two_kinds_sees_what_was_read_and_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path(), &[]).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, EVERYTHING);
    let mut maria = Browser::new().unwrap();

    // She narrows to medications and laboratory results.
    let tokens = app.connect(&mut maria, "maria", MEDICATIONS_AND_LABORATORY).await.unwrap();
    let patient = tokens.text("patient").to_owned();
    assert!(!patient.is_empty(), "no patient in context: {}", tokens.body);
    assert!(!tokens.refresh().is_empty(), "no refresh token: {}", tokens.body);
    let scope = tokens.text("scope");
    assert!(scope.contains("MedicationRequest"), "{scope}");
    assert!(!scope.contains("Condition"), "{scope}");

    // The app reads exactly that.
    let labs = app.fhir(tokens.access(), &format!("Observation?patient={patient}")).await.unwrap();
    assert_eq!(labs.status, 200, "{}", labs.text());
    let labs = labs.json().unwrap();
    assert!(found(&labs) > 0, "no laboratory results");
    for entry in labs["entry"].as_array().unwrap() {
        let category = entry["resource"]["category"].to_string();
        assert!(category.contains("laboratory"), "not a laboratory result: {category}");
    }
    let medications =
        app.fhir(tokens.access(), &format!("MedicationRequest?patient={patient}")).await.unwrap();
    assert_eq!(medications.status, 200);
    assert!(found(&medications.json().unwrap()) > 0, "no medications");
    let conditions =
        app.fhir(tokens.access(), &format!("Condition?patient={patient}")).await.unwrap();
    assert!(
        matches!(conditions.status.as_u16(), 401 | 403),
        "g10 limited app: denied types answer 401 or 403, got {}",
        conditions.status
    );

    // She sees what was read.
    maria.stop_at = None;
    maria.go(&server.url("/portal/activity")).await.unwrap();
    let text = maria.text();
    assert!(text.contains("Glucose Coach looked at"), "{text}");
    assert!(text.contains("Laboratory results") && text.contains("Medications"), "{text}");
    assert!(introspect(&app, &tokens).await["active"] == true);

    // She stops it: the page says what would happen before, and what happened after.
    maria.go(&server.url("/portal/apps")).await.unwrap();
    maria.follow("Stop sharing").await.unwrap();
    let before = maria.text();
    assert!(before.contains("What will happen"), "{before}");
    assert!(before.contains("Its next request for records is refused."), "{before}");
    let form = maria.form_with("csrf").unwrap();
    let confirm = maria
        .forms()
        .into_iter()
        .find(|form| form.attributes.get("action").is_some_and(|action| action.contains("stop")));
    maria.submit(&confirm.unwrap_or(form), &[]).await.unwrap();
    let after = maria.text();
    assert_eq!(maria.page.status, 200, "{after}");
    assert!(after.contains("What happened"), "{after}");
    assert!(after.contains("From now on each request of Glucose Coach is refused."), "{after}");

    // The next request, refresh and introspection fail.
    assert!(introspect(&app, &tokens).await["active"] != true);
    let refused =
        app.fhir(tokens.access(), &format!("Observation?patient={patient}")).await.unwrap();
    assert_eq!(refused.status, 401, "{}", refused.text());
    let refused = app.refresh(tokens.refresh()).await.unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json().unwrap()["error"], "invalid_grant");

    assert_eq!(server.interrupt().await.unwrap(), Some(0), "Ctrl-C stops cleanly");
}

#[tokio::test]
async fn refusing_to_share_gives_the_app_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path(), &[]).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, EVERYTHING);
    let launch = app.launch().unwrap();
    let mut maria = Browser::new().unwrap();
    maria.stop_at = Some(app.redirect_uri.clone());
    maria.go(&launch.url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let form = maria.form_with("decision").unwrap();
    maria.submit(&form, &[("decision", "deny")]).await.unwrap();
    let query: std::collections::HashMap<_, _> = maria.url.query_pairs().into_owned().collect();
    assert_eq!(query.get("error").map(String::as_str), Some("access_denied"));
    assert_eq!(query.get("state"), Some(&launch.state));
    assert_eq!(query.get("iss"), Some(&server.origin));
    assert!(!query.contains_key("code"));
    server.kill().await.unwrap();
}

#[tokio::test]
async fn sensitive_kinds_are_never_ticked_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path(), &[]).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, EVERYTHING);
    let launch = app.launch().unwrap();
    let mut maria = Browser::new().unwrap();
    maria.go(&launch.url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let form = maria.form_with("decision").unwrap();
    let sensitive: Vec<_> = form.controls.iter().filter(|c| c.name() == "sensitive").collect();
    assert!(!sensitive.is_empty());
    assert!(sensitive.iter().all(|control| !control.checked()));
    let categories: Vec<_> = form.controls.iter().filter(|c| c.name() == "category").collect();
    assert!(categories.len() > 10, "only {} categories", categories.len());
    for name in ["duration", "offline", "csrf"] {
        assert!(form.controls.iter().any(|c| c.name() == name), "no `{name}`");
    }
    server.kill().await.unwrap();
}

/// The values that the launch page offers for `app`.
fn offered(browser: &Browser) -> Vec<String> {
    let form = browser.form_with("app").unwrap();
    let apps = form.controls.iter().filter(|control| control.name() == "app");
    apps.map(|control| control.value().to_owned()).collect()
}

// Covers: SMART App Launch 2.2 §EHR launch; design §12; the tutorial's step for clinicians
#[tokio::test]
async fn a_clinician_opens_a_chart_with_nothing_else_installed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path(), &[]).await.unwrap();
    let mut doctor = Browser::open(&server.url("/launch")).await.unwrap();
    doctor.sign_in("drpatel", "proviso-demo").await.unwrap();

    // One app, once, its address here first; no app of patients.
    let here = format!("chart-lens {}/demo/launch", server.origin);
    assert_eq!(offered(&doctor), [here.clone(), format!("chart-lens {LOOPBACK}/launch")]);
    let text = doctor.text();
    assert_eq!(text.matches("Chart Lens").count(), 1, "{text}");
    for other in ["Bill Helper", "Glucose Coach", "Old Tracker", "Second Opinion"] {
        assert!(!text.contains(other), "{other} is offered: {text}");
    }

    let form = doctor.form_with("app").unwrap();
    doctor.submit(&form, &[("app", &here), ("patient", "maria")]).await.unwrap();
    assert!(doctor.text().contains("Chart Lens"), "{}", doctor.text());
    let form = doctor.form_with("decision").unwrap();
    doctor.submit(&form, &[("decision", "allow")]).await.unwrap();
    assert_eq!(doctor.url.as_str(), server.url("/demo/chart"), "{}", doctor.text());
    let page = doctor.page.text();
    assert!(!page.contains("<script"), "the page needs JavaScript");
    let text = doctor.text();
    for shown in ["Maria", "Type 2 diabetes", "Penicillin", "metformin", "Hemoglobin A1c"] {
        assert!(text.to_lowercase().contains(&shown.to_lowercase()), "no {shown}: {text}");
    }
    assert!(!text.contains("Refused"), "a kind was refused: {text}");

    // Maria sees it, as she sees every look at her records.
    let mut maria = Browser::open(&server.url("/login")).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    maria.go(&server.url("/portal/activity")).await.unwrap();
    assert!(maria.text().contains("Anika Patel"), "{}", maria.text());

    // Whoever refuses gives the app nothing, and the old chart is gone.
    doctor.go(&server.url("/launch")).await.unwrap();
    let form = doctor.form_with("app").unwrap();
    doctor.submit(&form, &[("app", &here), ("patient", "lily")]).await.unwrap();
    let form = doctor.form_with("decision").unwrap();
    doctor.submit(&form, &[("decision", "deny")]).await.unwrap();
    assert!(doctor.text().contains("did not let the app in"), "{}", doctor.text());
    assert!(!doctor.text().contains("Lily"), "{}", doctor.text());
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
}

// Covers: SMART App Launch 2.2 §EHR launch (`iss` is what the app knows)
#[tokio::test]
async fn the_chart_opens_for_launches_of_its_own_server_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path(), &[]).await.unwrap();
    let client = HttpClient::default();
    let own = format!("{}/fhir/r4", server.origin);
    for query in [
        String::new(),
        "iss=https%3A%2F%2Fevil.example%2Ffhir&launch=x".to_owned(),
        format!("iss={own}"),
        format!("iss={own}&launch="),
    ] {
        let answer = client.get(&server.url(&format!("/demo/launch?{query}")), &[]).await.unwrap();
        assert_eq!(answer.status, 403, "{query}");
        assert!(answer.header("set-cookie").is_none_or(|c| !c.contains("chart-lens")), "{query}");
    }
    // Without a launch there is nothing to see, and an answer nobody waits for opens nothing.
    let closed = client.get(&server.url("/demo/chart"), &[]).await.unwrap();
    assert_eq!(closed.status, 200);
    assert!(closed.text().contains("opens with a patient"), "{}", closed.text());
    // A launch that the server did not make is refused by the server.
    let mut doctor = Browser::open(&server.url("/login")).await.unwrap();
    doctor.sign_in("drpatel", "proviso-demo").await.unwrap();
    doctor.go(&server.url(&format!("/demo/launch?iss={own}&launch=made-up"))).await.unwrap();
    assert!(doctor.text().contains("could not be opened"), "{}", doctor.text());
    server.kill().await.unwrap();
}
