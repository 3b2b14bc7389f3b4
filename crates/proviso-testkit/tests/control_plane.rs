//! Rules of the control plane that hold whatever a page or endpoint does: headers, forms, origins,
//! sizes, cookies.

use http::Method;
use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::{LOOPBACK, Proof, SmartApp};

const EVERYTHING: &str = "launch/patient openid fhirUser offline_access patient/*.rs";

const PAGES: &[&str] = &[
    "/login",
    "/terms",
    "/portal",
    "/portal/apps",
    "/portal/people",
    "/portal/activity",
    "/launch",
    "/demo",
    "/demo/chart",
    "/no",
];

const FORMS: &[&str] =
    &["/login", "/logout", "/launch", "/demo/launch", "/demo/refresh", "/demo/forget"];

const JSON_ENDPOINTS: &[&str] =
    &["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/register", "/oauth/userinfo"];

const DOCUMENTS: &[&str] = &[
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/smart-configuration",
    "/fhir/r4/.well-known/smart-configuration",
    "/oauth/jwks",
    "/launch/smart-style.json",
];

async fn demo() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path(), &[]).await.unwrap();
    (folder, server)
}

async fn send(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    HttpClient::default().send(method, &server.url(path), headers, String::new()).await.unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn has(answer: &Answer, name: &str, wanted: &str) {
    let value = answer.header(name).unwrap_or_default();
    assert!(value.contains(wanted), "{name}: {value:?} has no {wanted:?}");
}

fn check_page_headers(path: &str, answer: &Answer) {
    has(answer, "content-type", "text/html; charset=utf-8");
    for part in ["default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "form-action"]
    {
        has(answer, "content-security-policy", part);
    }
    assert!(!answer.header("content-security-policy").unwrap().contains("unsafe"), "{path}");
    has(answer, "x-frame-options", "DENY");
    has(answer, "referrer-policy", "no-referrer");
    has(answer, "cache-control", "no-store");
    has(answer, "permissions-policy", "camera=()");
}

// Covers: R21, R22, design §13 (a request id on every answer)
#[tokio::test]
async fn pages_and_endpoints_carry_their_headers() {
    let (_folder, server) = demo().await;
    for path in PAGES {
        let answer = send(&server, Method::GET, path, &[("origin", LOOPBACK)]).await;
        if answer.status == 200 || answer.status == 404 {
            check_page_headers(path, &answer);
        } else {
            assert_eq!(answer.status, 303, "{path}");
            has(&answer, "location", "/login?next=");
        }
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        has(&answer, "x-request-id", "req_");
        has(&answer, "x-content-type-options", "nosniff");
    }
    let answer = send(&server, Method::GET, "/oauth/authorize", &[("origin", LOOPBACK)]).await;
    assert_eq!(answer.status, 400);
    check_page_headers("/oauth/authorize", &answer);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    for path in JSON_ENDPOINTS {
        let answer = send(&server, Method::POST, path, &[FORM]).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        has(&answer, "content-type", "application/json");
        has(&answer, "cache-control", "no-store");
        has(&answer, "pragma", "no-cache");
        has(&answer, "x-request-id", "req_");
        assert!(answer.json().unwrap()["error"].is_string(), "{path}");
    }
    for path in DOCUMENTS {
        let answer = send(&server, Method::GET, path, &[("accept", "text/plain")]).await;
        assert_eq!(answer.status, 200, "{path}");
        has(&answer, "content-type", "application/json");
        has(&answer, "cache-control", "max-age=");
        has(&answer, "x-request-id", "req_");
        answer.json().unwrap();
    }
    server.kill().await.unwrap();
}

// Covers: A16, A17, R21
#[tokio::test]
async fn only_registered_origins_read_tokens_and_anybody_reads_discovery() {
    let (_folder, server) = demo().await;
    let strange = "https://evil.example";
    for method in [Method::POST, Method::OPTIONS] {
        for path in JSON_ENDPOINTS {
            let known = send(&server, method.clone(), path, &[FORM, ("origin", LOOPBACK)]).await;
            assert_eq!(known.header("access-control-allow-origin"), Some(LOOPBACK), "{path}");
            has(&known, "vary", "Origin");
            let other = send(&server, method.clone(), path, &[FORM, ("origin", strange)]).await;
            assert_eq!(other.header("access-control-allow-origin"), None, "{path}");
        }
    }
    for path in DOCUMENTS {
        let answer = send(&server, Method::GET, path, &[("origin", strange)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    let answer = send(&server, Method::OPTIONS, "/oauth/authorize", &[("origin", LOOPBACK)]).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    server.kill().await.unwrap();
}

// Covers: R23
#[tokio::test]
async fn a_form_without_its_csrf_value_changes_nothing() {
    let (_folder, server) = demo().await;
    for path in FORMS {
        let answer = send(&server, Method::POST, path, &[FORM]).await;
        let refused = answer.status == 403 || (answer.status == 303 && path == &"/launch");
        assert!(refused, "{path}: {}", answer.status);
    }
    // The value belongs to one browser, and to one session of it.
    let mut maria = Browser::open(&server.url("/login")).await.unwrap();
    let before = maria.form_with("password").unwrap();
    let mut stranger = Browser::open(&server.url("/login")).await.unwrap();
    let fields = [("username", "maria"), ("password", "proviso-demo")];
    stranger.submit(&before, &fields).await.unwrap();
    assert_eq!(stranger.page.status, 403, "{}", stranger.text());
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    assert_eq!(maria.page.status, 200);
    maria.submit(&before, &fields).await.unwrap();
    assert_eq!(maria.page.status, 403, "a form from before sign-in is dead afterwards");
    // Browsers say where a form comes from; from elsewhere it is refused whatever it carries.
    maria.go(&server.url("/portal")).await.unwrap();
    let form = maria.form_with("csrf").unwrap();
    let csrf = form.controls.iter().find(|c| c.name() == "csrf").unwrap().value().to_owned();
    let cookies: Vec<String> = maria.cookies().iter().map(|(n, v)| format!("{n}={v}")).collect();
    let answer = HttpClient::default()
        .send(
            Method::POST,
            &server.url("/logout"),
            &[FORM, ("cookie", &cookies.join("; ")), ("sec-fetch-site", "cross-site")],
            format!("csrf={csrf}"),
        )
        .await
        .unwrap();
    assert_eq!(answer.status, 403);
    maria.go(&server.url("/portal")).await.unwrap();
    assert_eq!(maria.page.status, 200, "still signed in");
    server.kill().await.unwrap();
}

// Covers: design §13, R27
#[tokio::test]
async fn bad_input_is_answered_by_the_table() {
    let (_folder, server) = demo().await;
    let http = HttpClient::default();
    let post = async |path: &str, kind: &str, body: String| {
        http.send(Method::POST, &server.url(path), &[("content-type", kind)], body).await.unwrap()
    };
    let form = FORM.1;
    for path in JSON_ENDPOINTS.iter().filter(|path| !path.ends_with("userinfo")) {
        let wrong = if path.ends_with("register") { form } else { "application/json" };
        assert_eq!(post(path, wrong, "{}".to_owned()).await.status, 415, "{path}");
        assert_eq!(send(&server, Method::DELETE, path, &[]).await.status, 405, "{path}");
        let right = if path.ends_with("register") { "application/json" } else { form };
        let large = "a".repeat(4 * 1024 * 1024 + 1);
        assert_eq!(post(path, right, large).await.status, 413, "{path}");
    }
    assert_eq!(post("/oauth/token", form, "a=1&a=2".to_owned()).await.status, 400);
    assert_eq!(post("/login", "application/json", "{}".to_owned()).await.status, 415);
    assert_eq!(post("/login", form, "a".repeat(4 * 1024 * 1024 + 1)).await.status, 413);
    assert_eq!(send(&server, Method::PUT, "/terms", &[]).await.status, 405);
    for path in ["/terms", "/oauth/jwks", "/.well-known/openid-configuration"] {
        let long = format!("{path}?x={}", "a".repeat(8 * 1024));
        let answer = send(&server, Method::GET, &long, &[]).await;
        assert_eq!(answer.status, 414, "{path}");
        has(&answer, "x-request-id", "req_");
        let heavy = "a".repeat(16 * 1024);
        let answer = send(&server, Method::GET, path, &[("x-heavy", &heavy)]).await;
        assert_eq!(answer.status, 431, "{path}");
    }
    server.kill().await.unwrap();
}

// Covers: R29
#[tokio::test]
async fn guessing_at_the_token_endpoint_is_slowed_down() {
    let (_folder, server) = demo().await;
    let http = HttpClient::default();
    let body = "grant_type=client_credentials&client_id=bill-helper&client_secret=guess";
    let mut last = None;
    for _ in 0..=300 {
        let guess = http.send(Method::POST, &server.url("/oauth/token"), &[FORM], body).await;
        last = Some(guess.unwrap());
        if last.as_ref().is_some_and(|answer| answer.status == 429) {
            break;
        }
    }
    let last = last.unwrap();
    assert_eq!(last.status, 429, "{}", last.text());
    let wait: u64 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    // People signing in are counted by themselves.
    let mut maria = Browser::open(&server.url("/portal")).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    assert_eq!(maria.page.status, 200);
    server.kill().await.unwrap();
}

// Covers: R23 (the session rotates at sign-in), R4
#[tokio::test]
async fn sessions_begin_and_end_with_the_person() {
    let (_folder, server) = demo().await;
    let session = "__Host-proviso-session";
    let mut maria = Browser::open(&server.url("/portal")).await.unwrap();
    assert!(!maria.cookies().contains_key(session));
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    assert!(maria.url.path() == "/portal" && maria.page.status == 200, "{}", maria.text());
    let first = maria.cookies()[session].clone();
    maria.go(&server.url("/login")).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let second = maria.cookies()[session].clone();
    assert_ne!(first, second);
    for (cookie, status) in [(&first, 303), (&second, 200)] {
        let cookie = format!("{session}={cookie}");
        let answer = send(&server, Method::GET, "/portal", &[("cookie", &cookie)]).await;
        assert_eq!(answer.status, status);
    }
    let form = maria.form_with("csrf").unwrap();
    assert_eq!(form.attributes["action"], "/logout");
    maria.submit(&form, &[]).await.unwrap();
    assert!(maria.text().contains("You are signed out."));
    let cookie = format!("{session}={second}");
    let answer = send(&server, Method::GET, "/portal", &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, 303, "the session is dead, not only its cookie");
    // Sign-in leads to this server only.
    for next in ["//evil.example/", "https://evil.example/", "/\\evil.example"] {
        let mut maria = Browser::open(&server.url(&format!("/login?next={next}"))).await.unwrap();
        maria.sign_in("maria", "proviso-demo").await.unwrap();
        assert_eq!(maria.url.path(), "/portal", "{next}");
    }
    server.kill().await.unwrap();
}

// Covers: A48, A49, A59; SMART authorize-post
#[tokio::test]
async fn a_request_sent_as_a_form_is_the_same_request() {
    let (_folder, server) = demo().await;
    let app = SmartApp::glucose_coach(&server.origin, EVERYTHING);
    let state = "ñ & + = % \u{1F600} ".repeat(40);
    let launch = app.launch_with(&[("state", Some(&state))]).unwrap();
    let query = launch.url.split_once('?').unwrap().1.to_owned();
    let answer = HttpClient::default()
        .send(Method::POST, &server.url("/oauth/authorize"), &[FORM], query)
        .await
        .unwrap();
    assert_eq!(answer.status, 303, "never 307");
    let mut maria = Browser::new().unwrap();
    maria.stop_at = Some(app.redirect_uri.clone());
    maria.go(&server.url(answer.header("location").unwrap())).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let form = maria.form_with("decision").unwrap();
    maria.submit(&form, &[("decision", "deny")]).await.unwrap();
    let returned = maria.url.query_pairs().find(|(name, _)| name == "state").unwrap().1;
    assert_eq!(returned, state);
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_request_belongs_to_the_browser_that_brought_it() {
    let (_folder, server) = demo().await;
    let app = SmartApp::glucose_coach(&server.origin, EVERYTHING);
    let launch = app.launch().unwrap();
    let mut maria = Browser::new().unwrap();
    maria.go(&launch.url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let address = maria.url.to_string();
    assert!(address.contains("/oauth/authorize/arq_"), "{address}");
    let mut stranger = Browser::open(&server.url("/login")).await.unwrap();
    stranger.sign_in("james", "proviso-demo").await.unwrap();
    stranger.go(&address).await.unwrap();
    assert_eq!(stranger.page.status, 400);
    assert!(!stranger.text().contains("Maria"), "{}", stranger.text());
    server.kill().await.unwrap();
}

#[tokio::test]
async fn the_page_comes_back_with_what_is_missing_and_keeps_what_was_ticked() {
    let (_folder, server) = demo().await;
    let app = SmartApp::glucose_coach(&server.origin, EVERYTHING);
    let mut maria = Browser::new().unwrap();
    maria.go(&app.launch().unwrap().url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let allow = ("decision", "allow");
    let form = maria.form_with("decision").unwrap();
    maria.submit(&form, &[("duration", "30-days"), allow]).await.unwrap();
    assert_eq!(maria.page.status, 422);
    assert!(maria.text().contains("Tick at least one kind of record"));
    let form = maria.form_with("decision").unwrap();
    let ticked = |name: &str| {
        let on = form.controls.iter().filter(|c| c.name() == name && c.checked());
        on.map(|c| c.value().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ticked("duration"), ["30-days"]);
    for fields in [
        vec![("category", "everything"), ("duration", "once"), allow],
        vec![("category", "laboratory"), ("duration", "forever"), allow],
        vec![("category", "laboratory"), ("sensitive", "secrets"), ("duration", "once"), allow],
        vec![("category", "laboratory"), ("duration", "once"), ("offline", "maybe"), allow],
        vec![("category", "laboratory"), ("duration", "once"), ("offline", "yes"), allow],
        vec![("category", "laboratory"), allow],
        vec![("category", "laboratory"), ("sensitive", "adolescent"), ("duration", "once"), allow],
        vec![("category", "laboratory"), ("duration", "once"), ("shown", "00"), allow],
        // 42 CFR 2.31(a)(7): a consent to substance use records has an end.
        vec![
            ("category", "laboratory"),
            ("sensitive", "substance-use"),
            ("duration", "until-stopped"),
            allow,
        ],
    ] {
        let form = maria.form_with("decision").unwrap();
        maria.submit(&form, &fields).await.unwrap();
        assert_eq!(maria.page.status, 422, "{fields:?}");
    }
    // Without an answer there is no answer.
    let form = maria.form_with("decision").unwrap();
    maria.submit(&form, &[("category", "laboratory")]).await.unwrap();
    assert_eq!(maria.page.status, 400);
    server.kill().await.unwrap();
}

#[tokio::test]
async fn whoever_refuses_before_choosing_a_patient_has_answered() {
    let (_folder, server) = demo().await;
    let scope = "launch/patient openid fhirUser patient/*.rs";
    let app = SmartApp::new(&server.origin, "chart-lens", Proof::Public, scope);
    let mut doctor = Browser::new().unwrap();
    doctor.stop_at = Some(app.redirect_uri.clone());
    let launch = app.launch().unwrap();
    doctor.go(&launch.url).await.unwrap();
    doctor.sign_in("drpatel", "proviso-demo").await.unwrap();
    let picker = doctor.form_with("patient").unwrap();
    doctor.submit(&picker, &[]).await.unwrap();
    assert!(doctor.text().contains("Choose one person."), "{}", doctor.text());
    let picker = doctor.form_with("patient").unwrap();
    doctor.submit(&picker, &[("decision", "deny")]).await.unwrap();
    let query = doctor.url.query().unwrap_or_default().to_owned();
    assert!(query.contains("error=access_denied"), "{query}");
    server.kill().await.unwrap();
}

#[tokio::test]
async fn asking_only_who_somebody_is_promises_no_records() {
    let (_folder, server) = demo().await;
    let app = SmartApp::glucose_coach(&server.origin, "openid fhirUser");
    let mut maria = Browser::new().unwrap();
    maria.stop_at = Some(app.redirect_uri.clone());
    let launch = app.launch().unwrap();
    maria.go(&launch.url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    assert!(maria.text().contains("It sees no health records."), "{}", maria.text());
    let form = maria.form_with("decision").unwrap();
    maria.submit(&form, &[("decision", "allow")]).await.unwrap();
    let code = app.code(&launch, &maria.url).unwrap();
    let tokens = app.exchange(&launch, &code).await.unwrap();
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    let tokens = tokens.json().unwrap();
    assert!(tokens["id_token"].is_string(), "{tokens}");
    let answer = app.fhir(tokens["access_token"].as_str().unwrap(), "Condition").await.unwrap();
    assert!(matches!(answer.status.as_u16(), 401 | 403), "{}", answer.text());
    server.kill().await.unwrap();
}

#[tokio::test]
async fn each_person_sees_the_pages_that_are_theirs() {
    let (_folder, server) = demo().await;
    for (username, page, status) in [
        ("maria", "/portal/apps", 200),
        ("maria", "/portal/apps?patient=james", 404),
        ("maria", "/portal/activity?patient=nobody", 404),
        ("maria", "/launch", 403),
        ("wei", "/portal/apps", 200),
        ("wei", "/portal/people?patient=james", 404),
        ("drpatel", "/portal/people", 403),
        ("drpatel", "/portal", 200),
        ("drpatel", "/portal/apps", 403),
        ("drpatel", "/launch", 200),
        ("priya", "/portal", 200),
        ("priya", "/portal/activity", 403),
        ("sol", "/launch", 403),
    ] {
        let mut person = Browser::open(&server.url("/login")).await.unwrap();
        person.sign_in(username, "proviso-demo").await.unwrap();
        person.go(&server.url(page)).await.unwrap();
        assert_eq!(person.page.status, status, "{username} at {page}: {}", person.text());
    }
    server.kill().await.unwrap();
}

/// James shares with his daughter, who also acts for him.
#[tokio::test]
async fn sharing_with_a_person_is_seen_and_stopped_like_sharing_with_an_app() {
    let (_folder, server) = demo().await;
    let mut james = Browser::open(&server.url("/portal")).await.unwrap();
    james.sign_in("james", "proviso-demo").await.unwrap();
    let text = james.text();
    assert!(text.contains("No app can see the records."), "people are no apps: {text}");
    assert!(text.contains("Records are shared with one person."), "{text}");
    james.go(&server.url("/portal/apps")).await.unwrap();
    assert!(!james.text().contains("Grace Okoro"), "{}", james.text());
    james.follow("People").await.unwrap();
    let text = james.text();
    for words in ["Grace Okoro", "They may see", "Until", "Stop sharing", "privacy officer"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    james.follow("Stop sharing").await.unwrap();
    let address = james.url.to_string();
    assert!(address.contains("/portal/people/cns_"), "{address}");
    assert!(james.text().contains("This works at once."), "{}", james.text());
    // The same choice is no app's, and nobody else's.
    let as_app = address.replace("/people/", "/apps/");
    james.go(&as_app).await.unwrap();
    assert_eq!(james.page.status, 404);
    let mut maria = Browser::open(&server.url("/portal")).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    maria.go(&address).await.unwrap();
    assert_eq!(maria.page.status, 404);
    james.go(&address).await.unwrap();
    let form = james.forms().into_iter().find(|form| form.attributes["action"].contains("stop"));
    james.submit(&form.unwrap(), &[]).await.unwrap();
    assert!(
        james.text().contains("Records are no longer shared with Grace Okoro"),
        "{}",
        james.text()
    );
    james.go(&server.url("/portal")).await.unwrap();
    assert!(james.text().contains("Records are shared with no person."), "{}", james.text());
    assert!(james.text().contains("You stopped sharing."), "{}", james.text());
    // She goes on acting for him: that is another right, and the page says whose it is to end.
    james.go(&server.url("/portal/people")).await.unwrap();
    assert!(james.text().contains("Who can end this"), "{}", james.text());
    server.kill().await.unwrap();
}
