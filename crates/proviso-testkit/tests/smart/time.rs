//! What ends by itself: codes, tokens, launches, choices. Over HTTP as everything here, but in a
//! server whose clock the test moves.

use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::smart_app::{
    LOOPBACK, Launch, Proof, SmartApp, Tokens, basic, client_secret, everything,
};

use crate::world::{
    CLINICIAN, PATIENT, check_error, check_token_response, parameter, scopes, told,
};

const DAY_SECS: i64 = 86_400;

fn coach(world: &DemoWorld) -> SmartApp {
    SmartApp::glucose_coach(&world.origin, PATIENT)
}

async fn code(world: &DemoWorld, app: &SmartApp) -> (Launch, String) {
    let launch = app.launch().unwrap();
    let mut browser = world.signed_in("maria").await.unwrap();
    let code = app.code_for(&launch, &mut browser, "maria", &everything()).await.unwrap();
    (launch, code)
}

async fn connected(world: &DemoWorld, duration: &str) -> (SmartApp, Tokens) {
    let app = coach(world);
    let mut browser = world.signed_in("maria").await.unwrap();
    let mut choices = vec![("category", "*"), ("duration", duration)];
    // A single visit and access while away exclude each other.
    if duration != "once" {
        choices.push(("offline", "yes"));
    }
    let tokens = app.connect(&mut browser, "maria", &choices).await.unwrap();
    (app, tokens)
}

async fn patient_status(app: &SmartApp, tokens: &Tokens) -> u16 {
    app.fhir(tokens.access(), "Patient/maria").await.unwrap().status.as_u16()
}

// Covers: RFC 9700 §4.5 (R10); SMART App Launch 2.2 (SHOULD 58)
#[tokio::test]
async fn r10_a_code_lives_for_a_minute() {
    let world = DemoWorld::start().await.unwrap();
    let app = coach(&world);
    let (launch, early) = code(&world, &app).await;
    world.clock.advance_secs(59);
    check_token_response(&app.exchange(&launch, &early).await.unwrap());
    let (launch, late) = code(&world, &app).await;
    world.clock.advance_secs(60);
    check_error(&app.exchange(&launch, &late).await.unwrap(), 400, "invalid_grant");
}

// Covers: SMART App Launch 2.2 (A77, A91, A95); RFC 7662 §2.2
#[tokio::test]
async fn a77_an_access_token_ends_when_it_was_said_to() {
    let world = DemoWorld::start().await.unwrap();
    let (app, tokens) = connected(&world, "1-year").await;
    let secs = tokens.body["expires_in"].as_i64().unwrap();
    let bearer = format!("Bearer {}", tokens.access());
    let active = async || {
        let url = world.url("/oauth/introspect");
        let headers = [("authorization", bearer.as_str())];
        let fields = [("token", tokens.access())];
        HttpClient::default().post_form(&url, &headers, &fields).await.unwrap().status.as_u16()
    };
    world.clock.advance_secs(secs - 1);
    assert_eq!(patient_status(&app, &tokens).await, 200);
    assert_eq!(active().await, 200);
    world.clock.advance_secs(1);
    assert_eq!(patient_status(&app, &tokens).await, 401);
    assert_eq!(active().await, 401, "it cannot even ask about itself");
    let renewed = check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
    assert_eq!(patient_status(&app, &renewed).await, 200);
}

// Covers: ONC (g)(10) attestation: refresh tokens of three months, renewed on each use; R17
#[tokio::test]
async fn r17_a_refresh_token_is_good_for_three_months_from_each_use_and_ends_unused() {
    let world = DemoWorld::start().await.unwrap();
    let (app, mut tokens) = connected(&world, "until-stopped").await;
    for _ in 0..5 {
        world.clock.advance_secs(92 * DAY_SECS);
        tokens = check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
        assert_eq!(patient_status(&app, &tokens).await, 200);
    }
    world.clock.advance_secs(181 * DAY_SECS);
    check_error(&app.refresh(tokens.refresh()).await.unwrap(), 400, "invalid_grant");
}

// Covers: RFC 9700 §4.14.2 (R14): after the grace for lost answers, a replaced token is theft
#[tokio::test]
async fn r14_a_replaced_refresh_token_after_a_minute_ends_the_connection() {
    let world = DemoWorld::start().await.unwrap();
    let (app, first) = connected(&world, "1-year").await;
    let second = check_token_response(&app.refresh(first.refresh()).await.unwrap());
    world.clock.advance_secs(61);
    check_error(&app.refresh(first.refresh()).await.unwrap(), 400, "invalid_grant");
    assert_eq!(patient_status(&app, &second).await, 401);
    check_error(&app.refresh(second.refresh()).await.unwrap(), 400, "invalid_grant");
}

// Covers: SMART App Launch 2.2 (A96, A109); design §5: what the person chose is the end of it all
#[tokio::test]
async fn no_token_outlives_what_the_patient_chose() {
    let world = DemoWorld::start().await.unwrap();
    let (app, tokens) = connected(&world, "30-days").await;
    world.clock.advance_secs(30 * DAY_SECS - 60);
    let last = check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
    assert!(last.body["expires_in"].as_i64().unwrap() <= 60, "{}", last.body["expires_in"]);
    assert_eq!(patient_status(&app, &last).await, 200);
    world.clock.advance_secs(60);
    assert_eq!(patient_status(&app, &last).await, 401);
    check_error(&app.refresh(last.refresh()).await.unwrap(), 400, "invalid_grant");

    let (app, once) = connected(&world, "once").await;
    assert!(!scopes(once.text("scope")).contains(&"offline_access"));
    world.clock.advance_secs(3600);
    assert_eq!(patient_status(&app, &once).await, 401);
}

// Covers: SMART App Launch 2.2 §EHR launch: an unused launch is worth nothing later
#[tokio::test]
async fn a_launch_that_nobody_took_up_ends() {
    let world = DemoWorld::start().await.unwrap();
    let mut doctor = world.signed_in("drpatel").await.unwrap();
    doctor.go(&world.url("/launch")).await.unwrap();
    doctor.stop_at = Some(LOOPBACK.to_owned());
    let form = doctor.form_with("app").unwrap();
    let app = format!("chart-lens {LOOPBACK}/launch");
    doctor.submit(&form, &[("app", &app), ("patient", "maria")]).await.unwrap();
    let launch = parameter(&doctor.url, "launch").unwrap();
    world.clock.advance_secs(301);
    let app = SmartApp::new(&world.origin, "chart-lens", Proof::Public, CLINICIAN);
    let late = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    let url = told(&mut doctor, &late).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{url}");
}

// Covers: OIDC Core §3.1.2.1 (O1): `max_age` and `auth_time`
#[tokio::test]
async fn a_session_that_is_too_old_for_the_app_is_asked_for_the_password_again() {
    let world = DemoWorld::start().await.unwrap();
    let app = coach(&world);
    let mut browser = world.signed_in("maria").await.unwrap();
    world.clock.advance_secs(100);
    let fresh = app.launch_with(&[("max_age", Some("100"))]).unwrap();
    told(&mut browser, &fresh).await;
    assert!(browser.form_with("decision").is_ok(), "{}", browser.text());
    let strict = app.launch_with(&[("max_age", Some("99"))]).unwrap();
    told(&mut browser, &strict).await;
    assert!(browser.form_with("password").is_ok(), "{}", browser.text());
    let tokens = app.connect_with(&strict, &mut browser, "maria", &everything()).await.unwrap();
    let claims = proviso_testkit::signing::jwt_part(tokens.text("id_token"), 1).unwrap();
    assert_eq!(claims["auth_time"], claims["iat"]);
}

// Covers: RFC 9700 §4.7: a page that was left open for too long shares nothing
#[tokio::test]
async fn a_request_to_connect_that_was_left_lying_ends() {
    let world = DemoWorld::start().await.unwrap();
    let app = coach(&world);
    let mut browser = Browser::new().unwrap();
    browser.stop_at = Some(LOOPBACK.to_owned());
    browser.go(&app.launch().unwrap().url).await.unwrap();
    browser.sign_in("maria", "proviso-demo").await.unwrap();
    let form = browser.form_with("decision").unwrap();
    world.clock.advance_secs(31 * 60);
    let choices = [("category", "allergies"), ("duration", "once"), ("decision", "allow")];
    browser.submit(&form, &choices).await.unwrap();
    assert!(browser.page.status.is_client_error(), "{}", browser.page.status);
    assert_eq!(browser.page.header("location"), None);
}

// Covers: RFC 6749 §2.3.1 (R29)
#[tokio::test]
async fn r29_guessing_a_password_is_slowed_down() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = Browser::open(&world.url("/login")).await.unwrap();
    let mut tries = 0;
    while browser.page.status != 429 {
        assert!(tries < 8, "nothing slows the guessing down");
        browser.sign_in("james", "wrong").await.unwrap();
        tries += 1;
    }
    let wait: i64 = browser.page.header("retry-after").unwrap().parse().unwrap();
    // The right password does not help while waiting, and nobody else is held up.
    browser.sign_in("james", "proviso-demo").await.unwrap();
    assert_eq!(browser.page.status, 429);
    world.signed_in("maria").await.unwrap();
    world.clock.advance_secs(wait);
    world.signed_in("james").await.unwrap();
}

// Covers: RFC 6749 §2.3.1 (R29): endpoints that take a client's secret resist guessing too
#[tokio::test]
async fn r29_guessing_an_apps_secret_is_slowed_down() {
    let world = DemoWorld::start().await.unwrap();
    let secret = client_secret(&world.clients().unwrap(), "bill-helper").unwrap();
    let ask = async |path: &str, secret: &str| {
        let header = basic("bill-helper", secret);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
        let headers = [("authorization", header.as_str())];
        HttpClient::default().post_form(&world.url(path), &headers, &fields).await.unwrap()
    };
    // A busy app with the right secret is never slowed down.
    for _ in 0..20 {
        check_error(&ask("/oauth/token", &secret).await, 400, "invalid_grant");
    }
    let mut answer = ask("/oauth/token", "guess").await;
    for number in 0..8 {
        check_error(&answer, 401, "invalid_client");
        answer = ask("/oauth/token", &format!("guess-{number}")).await;
        if answer.status == 429 {
            break;
        }
    }
    check_error(&answer, 429, "temporarily_unavailable");
    let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let answer = ask(path, &secret).await;
        check_error(&answer, 429, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some(), "{path}");
    }
    // Other apps go on, and so does this one after the wait.
    let (app, tokens) = connected(&world, "1-year").await;
    check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
    world.clock.advance_secs(wait);
    assert_eq!(ask("/oauth/introspect", &secret).await.status, 200);
}
