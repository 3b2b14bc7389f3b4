//! RFC 9700, as far as pages, cookies and origins go. Each test has the number of its rule in
//! oauth-smart.md §5.1.

use http::Method;
use proviso_testkit::browser::{Browser, links};
use proviso_testkit::smart_app::{LOOPBACK, everything};

use crate::world::{PATIENT, World, begin_by_form, check_error, signed_in};

// Covers: RFC 9700 §4.12 (R13)
#[tokio::test]
async fn r13_every_redirect_after_a_form_is_303() {
    let world = World::new().await;
    let app = world.coach();
    let origin = world.server.origin.clone();
    let launch = app.launch().unwrap();
    let mut browser = Browser::new().unwrap();
    browser.go(&launch.url).await.unwrap();
    // From here every redirect is looked at instead of being followed.
    let check = |browser: &Browser, what: &str| {
        assert_eq!(browser.page.status, 303, "{what}: {}", browser.text());
        assert!(browser.page.header("location").is_some(), "{what}");
    };
    browser.stop_at = Some(origin.clone());
    browser.sign_in("maria", "proviso-demo").await.unwrap();
    check(&browser, "sign-in");
    browser.stop_at = None;
    let url = browser.url.to_string();
    browser.go(&url).await.unwrap();
    browser.stop_at = Some("http".to_owned());
    app.answer(&mut browser, "maria", &everything()).await.unwrap();
    check(&browser, "consent");
    assert!(browser.url.as_str().starts_with(LOOPBACK));

    begin_by_form(&world, &mut browser, &launch).await;
    check(&browser, "authorization request by form");

    let mut doctor = signed_in(&world, "drpatel").await;
    doctor.go(&world.url("/launch")).await.unwrap();
    doctor.stop_at = Some("http".to_owned());
    let form = doctor.form_with("app").unwrap();
    let app = format!("chart-lens {LOOPBACK}/launch");
    doctor.submit(&form, &[("app", &app), ("patient", "maria")]).await.unwrap();
    check(&doctor, "launch");

    let mut maria = signed_in(&world, "maria").await;
    maria.go(&world.url("/portal")).await.unwrap();
    let out = maria
        .forms()
        .into_iter()
        .find(|form| form.attributes.get("action").is_some_and(|action| action == "/logout"));
    maria.stop_at = Some("http".to_owned());
    maria.submit(&out.unwrap(), &[]).await.unwrap();
    check(&maria, "sign-out");
}

// Covers: RFC 9700 §2.6 (R21); SMART App Launch 2.2 §CORS (A17)
#[tokio::test]
async fn r21_only_registered_origins_may_call_the_token_endpoint_and_the_records() {
    let world = World::new().await;
    let (app, tokens, _) = world.maria_connected().await;
    let bearer = format!("Bearer {}", tokens.access());
    let evil = "https://evil.example";
    for (origin, allowed) in [(LOOPBACK, true), (evil, false), ("null", false)] {
        let expected = allowed.then_some(origin);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        for url in [app.token_endpoint(), world.url("/oauth/revoke")] {
            let answer = world.http.post_form(&url, &[("origin", origin)], &fields).await.unwrap();
            assert_eq!(answer.header("access-control-allow-origin"), expected, "{url} {origin}");
        }
        let headers = [("origin", origin), ("authorization", bearer.as_str())];
        for path in
            ["/fhir/r4/Patient/maria", "/fhir/r4/Condition?patient=maria", "/oauth/userinfo"]
        {
            let answer = world.http.get(&world.url(path), &headers).await.unwrap();
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), expected, "{path} {origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        }
        for path in ["/fhir/r4/Patient/maria", "/oauth/token"] {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", "GET"),
                ("access-control-request-headers", "authorization"),
            ];
            let answer =
                world.http.send(Method::OPTIONS, &world.url(path), &headers, "").await.unwrap();
            assert_eq!(answer.header("access-control-allow-origin"), expected, "{path} {origin}");
        }
    }
}

// Covers: RFC 9700 §2.6 (R21): never on the authorization endpoint
#[tokio::test]
async fn r21_no_origin_may_read_a_page() {
    let world = World::new().await;
    let app = world.coach();
    let launch = app.launch().unwrap();
    for origin in [LOOPBACK, world.server.origin.as_str(), "https://evil.example"] {
        for url in [launch.url.as_str(), &world.url("/login"), &world.url("/portal")] {
            for method in [Method::GET, Method::OPTIONS] {
                let headers = [("origin", origin), ("access-control-request-method", "GET")];
                let answer = world.http.send(method.clone(), url, &headers, "").await.unwrap();
                assert_eq!(answer.header("access-control-allow-origin"), None, "{method} {url}");
            }
        }
    }
}

// Covers: RFC 9700 §4.16 (R22)
#[tokio::test]
async fn r22_no_page_can_be_framed_or_tells_others_where_one_is() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = Browser::new().unwrap();
    let mut pages = Vec::new();
    let launch = app.launch().unwrap();
    browser.go(&launch.url).await.unwrap();
    pages.push(("sign-in", browser.page.clone()));
    browser.sign_in("maria", "proviso-demo").await.unwrap();
    pages.push(("consent", browser.page.clone()));
    for path in ["/portal", "/portal/apps", "/portal/activity", "/terms", "/nowhere"] {
        browser.go(&world.url(path)).await.unwrap();
        pages.push((path, browser.page.clone()));
    }
    browser.go(&world.url("/oauth/authorize?client_id=nobody")).await.unwrap();
    pages.push(("error", browser.page.clone()));
    let mut doctor = signed_in(&world, "drpatel").await;
    doctor.go(&world.url("/launch")).await.unwrap();
    pages.push(("launch", doctor.page.clone()));
    doctor.go(&world.app("chart-lens", PATIENT).launch().unwrap().url).await.unwrap();
    pages.push(("picker or role", doctor.page.clone()));
    for (what, page) in pages {
        let policy = page.header("content-security-policy").unwrap_or("");
        assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert!(policy.contains("default-src 'none'"), "{what}: {policy}");
        for loose in ["unsafe-inline", "unsafe-eval", "*"] {
            assert!(!policy.contains(loose), "{what}: {policy}");
        }
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{what}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{what}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{what}");
        assert!(page.header("cache-control").unwrap_or("").contains("no-store"), "{what}");
        let html = page.text();
        for attribute in ["src=\"http", "src=\"//", "rel=\"stylesheet\" href=\"http"] {
            assert!(!html.contains(attribute), "{what} loads from elsewhere");
        }
        for (text, href) in links(&html) {
            assert!(!href.starts_with("javascript:"), "{what}: {text}");
        }
    }
}

// Covers: RFC 9700 §4.7 (R23)
#[tokio::test]
async fn r23_a_form_without_its_secret_does_nothing() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = Browser::new().unwrap();
    browser.go(&app.launch().unwrap().url).await.unwrap();
    browser.sign_in("maria", "proviso-demo").await.unwrap();
    let consent = browser.url.to_string();
    let choices = [("category", "allergies"), ("duration", "once"), ("decision", "allow")];
    for csrf in [None, Some(""), Some("wrong")] {
        let mut fields = choices.to_vec();
        fields.extend(csrf.map(|csrf| ("csrf", csrf)));
        for path in [consent.as_str(), "/launch", "/logout", "/login", "/demo/launch"] {
            browser.post(path, &fields).await.unwrap();
            assert!(browser.page.status.is_client_error(), "{path}: {}", browser.page.status);
        }
    }
    // Another browser's secret is as good as none.
    let other = signed_in(&world, "james").await;
    let foreign = other.forms().into_iter().flat_map(|form| form.controls);
    let foreign = foreign.into_iter().find(|control| control.name() == "csrf").unwrap();
    let mut fields = choices.to_vec();
    fields.push(("csrf", foreign.value()));
    browser.post(&consent, &fields).await.unwrap();
    assert!(browser.page.status.is_client_error());
    browser.go(&world.url("/portal/apps")).await.unwrap();
    assert!(!browser.text().contains("Glucose Coach"), "nothing was shared");
}

// Covers: RFC 9700 §4.7 (R23): the session is new after sign-in and gone after sign-out
#[tokio::test]
async fn r23_signing_in_makes_a_new_session_and_signing_out_ends_it() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "maria").await;
    let session = |browser: &Browser| {
        browser.cookies().iter().find(|(name, _)| name.contains("session")).map(|(_, v)| v.clone())
    };
    let first = session(&browser).unwrap();
    browser.go(&world.url("/login")).await.unwrap();
    browser.sign_in("maria", "proviso-demo").await.unwrap();
    let second = session(&browser).unwrap();
    assert_ne!(first, second);
    let portal = async |cookie: &str| {
        let cookie = format!("__Host-proviso-session={cookie}");
        let headers = [("cookie", cookie.as_str()), ("accept", "text/html")];
        world.http.get(&world.url("/portal"), &headers).await.unwrap().status.as_u16()
    };
    assert_ne!(portal(&first).await, 200, "the earlier session went with the second sign-in");
    assert_eq!(portal(&second).await, 200);
    browser.go(&world.url("/portal")).await.unwrap();
    let out = browser
        .forms()
        .into_iter()
        .find(|form| form.attributes.get("action").is_some_and(|action| action == "/logout"));
    browser.submit(&out.unwrap(), &[]).await.unwrap();
    assert_ne!(portal(&second).await, 200);
}

// Covers: RFC 9700 §4.7: cookies that no other site can set or send along
#[tokio::test]
async fn r23_cookies_are_for_this_host_only() {
    let world = World::new().await;
    let mut browser = Browser::open(&world.url("/login")).await.unwrap();
    let form = browser.form_with("password").unwrap();
    browser.stop_at = Some("http".to_owned());
    let fields = [("username", "maria"), ("password", "proviso-demo")];
    let answer = browser.submit(&form, &fields).await.unwrap();
    let cookies: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert!(cookies.iter().any(|cookie| cookie.contains("session")), "{cookies:?}");
    for cookie in cookies {
        for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
        assert!(cookie.starts_with("__Host-") && !cookie.contains("Domain"), "{cookie}");
    }
}

// Covers: RFC 9700 §4.7: a request to connect belongs to the browser that brought it
#[tokio::test]
async fn r23_another_browser_cannot_finish_a_request() {
    let world = World::new().await;
    let app = world.coach();
    let mut maria = Browser::new().unwrap();
    maria.go(&app.launch().unwrap().url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let mut james = signed_in(&world, "james").await;
    james.go(maria.url.as_str()).await.unwrap();
    assert!(james.page.status.is_client_error(), "{}", james.page.status);
    assert!(james.form_with("decision").is_err());
    assert!(!james.text().contains("Maria"), "{}", james.text());
}

// Covers: RFC 6749 §3.2, RFC 9110 §15.5.6: endpoints for apps answer in JSON, whatever comes
#[tokio::test]
async fn endpoints_for_apps_refuse_other_methods_and_media_types_in_json() {
    let world = World::new().await;
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let url = world.url(path);
        let answer = world.http.get(&url, &[]).await.unwrap();
        assert_eq!(answer.status, 405, "{path}");
        assert!(answer.json().unwrap()["error"].is_string(), "{path}");
        let headers = [("content-type", "application/json")];
        let answer = world.http.send(Method::POST, &url, &headers, "{}").await.unwrap();
        assert_eq!(answer.status, 415, "{path}");
        assert!(answer.json().unwrap()["error"].is_string(), "{path}");
        let answer = world.http.post_form(&url, &[], &[]).await.unwrap();
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{path}");
    }
    let app = world.coach();
    check_error(&app.token(&[]).await.unwrap(), 400, "invalid_request");
}
