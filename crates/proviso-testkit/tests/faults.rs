//! No log, no data: while the audit log cannot be written, every surface answers 503 and nothing
//! else, and what was asked has no effect. Afterwards everything goes on.

use http::{Method, StatusCode};
use proviso_gateway::Rates;
use proviso_testkit::browser::{Browser, links};
use proviso_testkit::demo_world::{DemoWorld, Engine};
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::smart_app::{Proof, SmartApp};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.rs \
                     patient/Observation.cruds";
const CHOICES: &[(&str, &str)] = &[
    ("category", "laboratory"),
    ("category", "medications"),
    ("category", "demographics"),
    ("duration", "1-year"),
    ("offline", "yes"),
];
/// Texts that occur in Maria's records and on her pages, and the shapes of secrets. Her own name
/// stands above every page while she is signed in.
const NEVER: &[&str] =
    &["1980-", "4548-4", "Glucose Coach", "access_token", "refresh_token", "code="];

fn check_503(what: &str, answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
    assert!(answer.header("x-request-id").is_some(), "{what}: no request id");
    assert!(answer.header("set-cookie").is_none_or(|cookie| cookie.contains("-browser")), "{what}");
    assert!(answer.header("location").is_none(), "{what}: sent somewhere");
    for header in ["etag", "last-modified"] {
        assert!(answer.header(header).is_none(), "{what}: tells {header}");
    }
    let text = answer.text();
    for never in NEVER {
        assert!(!text.contains(never), "{what}: `{never}` left");
    }
    for internal in ["sqlite", "proviso_store", "CommitError", "panicked"] {
        assert!(!text.to_lowercase().contains(&internal.to_lowercase()), "{what}: {internal}");
    }
}

async fn with_cookies(
    world: &DemoWorld,
    browser: &Browser,
    method: Method,
    path: &str,
    body: &str,
) -> Answer {
    let pairs: Vec<_> = browser.cookies().iter().map(|(k, v)| format!("{k}={v}")).collect();
    let cookies = pairs.join("; ");
    let mut headers = vec![("cookie", cookies.as_str()), ("accept", "text/html")];
    if method == Method::POST {
        headers.push(("content-type", "application/x-www-form-urlencoded"));
    }
    HttpClient::default().send(method, &world.url(path), &headers, body.to_owned()).await.unwrap()
}

fn csrf_of(browser: &Browser) -> String {
    let form = browser.form_with("csrf").unwrap();
    form.controls.iter().find(|c| c.name() == "csrf").unwrap().value().to_owned()
}

// Covers: design P3, §13
#[tokio::test]
async fn fhir_answers_nothing_that_is_not_logged() {
    for engine in [Engine::Model, Engine::Sqlite] {
        let world = DemoWorld::with(engine, Rates::default()).await.unwrap();
        let app = SmartApp::glucose_coach(&world.origin, SCOPE);
        let mut maria = Browser::new().unwrap();
        let tokens = app.connect(&mut maria, "maria", CHOICES).await.unwrap();
        let patient = tokens.text("patient").to_owned();
        let bearer = format!("Bearer {}", tokens.access());
        let json = "application/fhir+json";
        let new = format!(
            r#"{{"resourceType":"Observation","status":"final","subject":{{"reference":"Patient/{patient}"}},
"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],
"code":{{"coding":[{{"system":"http://loinc.org","code":"2345-7"}}]}}}}"#
        );
        let batch = format!(
            r#"{{"resourceType":"Bundle","type":"batch","entry":[
                {{"request":{{"method":"GET","url":"Patient/{patient}"}}}}]}}"#
        );
        let requests = [
            (Method::GET, format!("/Patient/{patient}"), String::new()),
            (Method::HEAD, format!("/Patient/{patient}"), String::new()),
            (Method::GET, format!("/Patient/{patient}/_history"), String::new()),
            (Method::GET, format!("/Observation?patient={patient}"), String::new()),
            (Method::GET, "/Observation/_history".to_owned(), String::new()),
            (Method::GET, format!("/Patient/{patient}/$everything"), String::new()),
            (Method::GET, "/Patient/nobody-at-all".to_owned(), String::new()),
            (Method::GET, "/Encounter/1".to_owned(), String::new()),
            (Method::POST, "/Observation".to_owned(), new),
            (Method::POST, "/".to_owned(), batch),
        ];
        let ask = async |(method, path, body): &(Method, String, String)| {
            let mut headers = vec![("authorization", bearer.as_str())];
            if !body.is_empty() {
                headers.push(("content-type", json));
            }
            let url = world.url(&format!("/fhir/r4{path}"));
            let client = HttpClient::default();
            client.send(method.clone(), &url, &headers, body.clone()).await.unwrap()
        };
        let log = world.log_size().await.unwrap();
        let latest = world.app.store().latest_seq().await.unwrap();
        world.faults.fail_commits(true);
        for request in &requests {
            let what = format!("{engine:?}: {} {}", request.0, request.1);
            let answer = ask(request).await;
            check_503(&what, &answer);
            if request.0 != Method::HEAD {
                let outcome = answer.json().unwrap();
                let code = &outcome["issue"][0]["details"]["coding"][0]["code"];
                assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}");
                assert_eq!(code, "audit-unavailable", "{what}");
            }
        }
        // A refusal that cannot be logged is still a refusal, and what is public stays so.
        let client = HttpClient::default();
        let anonymous = client.get(&world.url("/fhir/r4/Patient/x"), &[]).await.unwrap();
        assert!(matches!(anonymous.status.as_u16(), 401 | 503), "{}", anonymous.status);
        let metadata = client.get(&world.url("/fhir/r4/metadata"), &[]).await.unwrap();
        assert_eq!(metadata.status, 200);

        world.faults.fail_commits(false);
        assert_eq!(world.log_size().await.unwrap(), log, "{engine:?}: something was logged");
        assert_eq!(world.app.store().latest_seq().await.unwrap(), latest, "{engine:?}: stored");
        for request in &requests {
            let answer = ask(request).await;
            let what = format!("{engine:?}: {} {} afterwards", request.0, request.1);
            assert_ne!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
        }
        assert!(world.log_size().await.unwrap() >= log + requests.len() as u64, "{engine:?}");
    }
}

// Covers: design P3, P4
#[tokio::test]
async fn tokens_are_issued_ended_and_told_about_only_when_logged() {
    let world = DemoWorld::start().await.unwrap();
    let app = SmartApp::glucose_coach(&world.origin, SCOPE);
    let mut maria = Browser::new().unwrap();
    let tokens = app.connect(&mut maria, "maria", CHOICES).await.unwrap();

    // A second launch, as far as its code.
    let launch = app.launch().unwrap();
    maria.go(&launch.url).await.unwrap();
    let form = maria.form_with("decision").unwrap();
    let mut fields = CHOICES.to_vec();
    fields.push(("decision", "allow"));
    maria.submit(&form, &fields).await.unwrap();
    let code = app.code(&launch, &maria.url).unwrap();

    let clients = world.clients().unwrap();
    let secret = proviso_testkit::smart_app::client_secret(&clients, "bill-helper").unwrap();
    let about_token = async |path: &str, token: &str| {
        let fields =
            [("token", token), ("client_id", "bill-helper"), ("client_secret", secret.as_str())];
        HttpClient::default().post_form(&world.url(path), &[], &fields).await.unwrap()
    };
    let own_token = async |path: &str, token: &str| {
        let fields = [("token", token), ("client_id", "glucose-coach")];
        HttpClient::default().post_form(&world.url(path), &[], &fields).await.unwrap()
    };

    let bearer = format!("Bearer {}", tokens.access());
    let userinfo = async |method: Method| {
        let headers = [("authorization", bearer.as_str())];
        let url = world.url("/oauth/userinfo");
        HttpClient::default().send(method, &url, &headers, String::new()).await.unwrap()
    };

    world.faults.fail_commits(true);
    for (what, answer) in [
        ("code", app.exchange(&launch, &code).await.unwrap()),
        ("wrong code", app.exchange(&launch, "nonsense").await.unwrap()),
        ("refresh", app.refresh(tokens.refresh()).await.unwrap()),
        ("wrong refresh", app.refresh("nonsense").await.unwrap()),
        ("introspection", about_token("/oauth/introspect", tokens.access()).await),
        ("userinfo", userinfo(Method::GET).await),
        ("userinfo by POST", userinfo(Method::POST).await),
        ("revocation", own_token("/oauth/revoke", tokens.refresh()).await),
    ] {
        check_503(what, &answer);
        assert_eq!(answer.json().unwrap()["error"], "temporarily_unavailable", "{what}");
    }
    let metadata = r#"{"redirect_uris":["https://app.example/callback"],"client_name":"x",
"token_endpoint_auth_method":"none"}"#;
    let headers = [("content-type", "application/json")];
    let client = HttpClient::default();
    let url = world.url("/oauth/register");
    let answer = client.send(Method::POST, &url, &headers, metadata).await.unwrap();
    check_503("registration", &answer);
    assert_eq!(answer.json().unwrap()["error"], "temporarily_unavailable");

    // Nothing was consumed, rotated or ended meanwhile.
    world.faults.fail_commits(false);
    let logged = world.log_size().await.unwrap();
    assert_eq!(userinfo(Method::GET).await.status, 200);
    assert_eq!(world.log_size().await.unwrap(), logged + 1, "userinfo was not logged");
    let answer = app.exchange(&launch, &code).await.unwrap();
    assert_eq!(answer.status, 200, "the code was used up: {}", answer.text());
    let answer = app.refresh(tokens.refresh()).await.unwrap();
    assert_eq!(answer.status, 200, "the refresh token was used up: {}", answer.text());
    let path = format!("Patient/{}", tokens.text("patient"));
    assert_eq!(app.fhir(tokens.access(), &path).await.unwrap().status, 200);
}

// Covers: design P3
#[tokio::test]
async fn nobody_signs_in_unless_it_is_logged() {
    let world = DemoWorld::start().await.unwrap();
    let browser = Browser::open(&world.url("/login")).await.unwrap();
    let csrf = csrf_of(&browser);
    let sign_in = async |password: &str| {
        let body = format!("csrf={csrf}&username=maria&password={password}");
        with_cookies(&world, &browser, Method::POST, "/login", &body).await
    };
    let signed_in = world.signed_in("james").await.unwrap();
    let own_csrf = csrf_of(&signed_in);

    world.faults.fail_commits(true);
    for (what, password) in [("sign-in", "proviso-demo"), ("wrong password", "wrong")] {
        let answer = sign_in(password).await;
        check_503(what, &answer);
        assert!(answer.text().contains("<html"), "{what}: not a page");
        assert!(answer.header("set-cookie").is_none(), "{what}: a session was begun");
    }
    let body = format!("csrf={own_csrf}");
    let answer = with_cookies(&world, &signed_in, Method::POST, "/logout", &body).await;
    check_503("sign-out", &answer);

    world.faults.fail_commits(false);
    assert_eq!(sign_in("proviso-demo").await.status, 303);
    let answer = with_cookies(&world, &signed_in, Method::GET, "/portal", "").await;
    assert_eq!(answer.status, 200, "the session ended without an entry");
    let answer = with_cookies(&world, &signed_in, Method::POST, "/logout", &body).await;
    assert_eq!(answer.status, 303);
}

// Covers: design P3
#[tokio::test]
async fn no_app_is_started_from_the_ehr_unless_it_is_logged() {
    let world = DemoWorld::start().await.unwrap();
    let doctor = world.signed_in("drpatel").await.unwrap();
    let csrf = csrf_of(&doctor);
    let body = format!("csrf={csrf}&patient=maria&app=chart-lens+http://127.0.0.1:9123/launch");
    let start = || with_cookies(&world, &doctor, Method::POST, "/launch", &body);
    world.faults.fail_commits(true);
    check_503("EHR launch", &start().await);
    world.faults.fail_commits(false);
    let answer = start().await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(answer.header("location").unwrap().contains("launch="));
}

// Covers: design P3: a name in a list of patients is data too
#[tokio::test]
async fn no_name_of_a_patient_is_shown_unless_it_is_logged() {
    let world = DemoWorld::start().await.unwrap();
    let mut doctor = world.signed_in("drpatel").await.unwrap();
    let scope = "launch/patient openid patient/*.rs";
    let app = SmartApp::new(&world.origin, "chart-lens", Proof::Public, scope);
    doctor.go(&app.launch().unwrap().url).await.unwrap();
    let picker = doctor.url.path().to_owned();
    let csrf = csrf_of(&doctor);
    let names = ["Maria Alvarez", "Lily Chen"];
    // Both also come back when something is missing in the form.
    let requests = [
        (Method::GET, "/launch", String::new()),
        (Method::POST, "/launch", format!("csrf={csrf}")),
        (Method::GET, picker.as_str(), String::new()),
        (Method::POST, picker.as_str(), format!("csrf={csrf}&decision=continue")),
    ];
    for (method, path, body) in &requests {
        world.faults.fail_commits(true);
        let answer = with_cookies(&world, &doctor, method.clone(), path, body).await;
        check_503(&format!("{method} {path}"), &answer);
        for name in names {
            assert!(!answer.text().contains(name), "{method} {path}: {name}");
        }
        world.faults.fail_commits(false);
        let logged = world.log_size().await.unwrap();
        let answer = with_cookies(&world, &doctor, method.clone(), path, body).await;
        for name in names {
            assert!(answer.text().contains(name), "{method} {path}: {}", answer.text());
        }
        assert_eq!(world.log_size().await.unwrap(), logged + 1, "{method} {path}");
    }
}

// Covers: design P3
#[tokio::test]
async fn no_visit_is_shown_or_checked_unless_it_is_logged() {
    let world = DemoWorld::start().await.unwrap();
    let doctor = world.signed_in("drpatel").await.unwrap();
    let csrf = csrf_of(&doctor);
    for more in ["step=visit", "encounter=nothing-of-this-name"] {
        let app = "chart-lens+http://127.0.0.1:9123/launch";
        let body = format!("csrf={csrf}&patient=maria&app={app}&{more}");
        world.faults.fail_commits(true);
        let answer = with_cookies(&world, &doctor, Method::POST, "/launch", &body).await;
        check_503(more, &answer);
        assert!(!answer.text().contains("Maria Alvarez"), "{more}: {}", answer.text());
        world.faults.fail_commits(false);
        let answer = with_cookies(&world, &doctor, Method::POST, "/launch", &body).await;
        assert!(answer.text().contains("Which visit of Maria Alvarez?"), "{}", answer.text());
    }
}

// Covers: design P2, P3, P4
#[tokio::test]
async fn choices_are_made_and_ended_only_when_logged() {
    let world = DemoWorld::start().await.unwrap();
    let app = SmartApp::glucose_coach(&world.origin, SCOPE);
    let mut maria = Browser::new().unwrap();
    let tokens = app.connect(&mut maria, "maria", CHOICES).await.unwrap();
    let path = format!("Patient/{}", tokens.text("patient"));
    maria.stop_at = None;
    maria.go(&world.url("/portal/apps")).await.unwrap();
    let stop = links(&maria.page.text())
        .into_iter()
        .map(|(_, href)| href)
        .find(|href| href.contains("/stop"))
        .unwrap();
    maria.go(&stop).await.unwrap();
    let csrf = csrf_of(&maria);
    let launch = app.launch().unwrap();
    maria.go(&launch.url).await.unwrap();
    let consent_page = maria.url.path().to_owned();
    let choice = format!("csrf={csrf}&category=laboratory&duration=once&decision=allow");

    world.faults.fail_commits(true);
    let requests = [
        (Method::POST, stop.as_str(), format!("csrf={csrf}")),
        (Method::POST, consent_page.as_str(), choice.clone()),
        (Method::POST, consent_page.as_str(), format!("csrf={csrf}&decision=deny")),
        (Method::GET, "/portal", String::new()),
        (Method::GET, "/portal/activity", String::new()),
        (Method::GET, "/portal/apps", String::new()),
    ];
    for (method, path, body) in &requests {
        let answer = with_cookies(&world, &maria, method.clone(), path, body).await;
        check_503(&format!("{method} {path}"), &answer);
        assert!(answer.text().contains("<html"), "{method} {path}: not a page");
    }
    let begin = launch.url.replace(&world.origin, "");
    let answer = with_cookies(&world, &maria, Method::GET, &begin, "").await;
    check_503("GET /oauth/authorize", &answer);

    // The choice was not ended halfway: it stands, is listed, and can be stopped now.
    world.faults.fail_commits(false);
    assert_eq!(app.fhir(tokens.access(), &path).await.unwrap().status, 200);
    let answer = with_cookies(&world, &maria, Method::POST, &consent_page, &choice).await;
    assert_eq!(answer.status, 303, "the request to connect was used up");
    assert!(answer.header("location").unwrap().starts_with(&app.redirect_uri));
    let answer = with_cookies(&world, &maria, Method::POST, &stop, &format!("csrf={csrf}")).await;
    assert_eq!(answer.status, 303);
    assert_eq!(app.fhir(tokens.access(), &path).await.unwrap().status, 401);
}
