//! RFC 9700, as far as authorization requests and their answers go. Each test has the number of its
//! rule in oauth-smart.md §5.1.

use proviso_testkit::browser::Browser;
use proviso_testkit::smart_app::{LOOPBACK, SmartApp, everything};
use serde_json::json;
use url::Url;

use crate::world::{
    PATIENT, World, check_error, check_token_response, parameter, scopes, signed_in, told,
};

/// Opens an authorization request in a fresh browser and gives the page that is shown instead of
/// any redirect to an app.
async fn page_for(world: &World, launch: &str) -> Browser {
    let mut browser = signed_in(world, "maria").await;
    browser.stop_at = Some("http".to_owned());
    browser.go(launch).await.unwrap();
    browser
}

/// R2: an error page in place of a redirect.
async fn check_page(world: &World, launch: &str, what: &str) {
    let browser = page_for(world, launch).await;
    let page = &browser.page;
    assert!(page.status.is_client_error(), "{what}: {} {}", page.status, browser.url);
    assert_eq!(page.header("location"), None, "{what}");
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{what}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"), "{what}");
}

/// What a signed-in person's app is told about a request that is wrong.
async fn error_of(world: &World, app: &SmartApp, changes: &[(&str, Option<&str>)]) -> Url {
    let mut browser = signed_in(world, "maria").await;
    let url = told(&mut browser, &app.launch_with(changes).unwrap()).await;
    assert!(url.as_str().starts_with(LOOPBACK), "{changes:?}: {}", browser.text());
    assert_eq!(parameter(&url, "code"), None);
    url
}

// Covers: RFC 9700 §2.1, §4.1.3 (R1); SMART App Launch 2.2 (A18); RFC 8252 §7.3
#[tokio::test]
async fn r01_a_redirect_uri_is_compared_by_character_and_only_a_loopback_port_may_vary() {
    let world = World::new().await;
    let app = world.coach();
    for other in [
        "http://127.0.0.1:9123/callback/",
        "http://127.0.0.1:9123/Callback",
        "http://127.0.0.1:9123/callback?x=1",
        "http://127.0.0.1:9123/callback#x",
        "http://127.0.0.1:9123/x/../callback",
        "http://127.0.0.1:9123/callback%20",
        "http://localhost:9123/callback",
        "https://127.0.0.1:9123/callback",
        "http://127.0.0.1:9123@evil.example/callback",
        "http://127.0.0.1.evil.example:9123/callback",
        "https://evil.example/callback",
    ] {
        let launch = app.launch_with(&[("redirect_uri", Some(other))]).unwrap();
        check_page(&world, &launch.url, other).await;
    }
    let moved =
        SmartApp { redirect_uri: "http://127.0.0.1:50004/callback".to_owned(), ..app.clone() };
    let mut browser = Browser::new().unwrap();
    let tokens = moved.connect(&mut browser, "maria", &everything()).await.unwrap();
    assert_eq!(tokens.text("patient"), "maria");
}

// Covers: RFC 6749 §4.1.2.1, RFC 9700 §4.11.2 (R2)
#[tokio::test]
async fn r02_an_unknown_app_or_address_gets_a_page_and_never_a_redirect() {
    let world = World::new().await;
    let app = world.coach();
    let evil = "https://evil.example/cb";
    for (what, changes) in [
        ("unknown app", vec![("client_id", Some("nobody"))]),
        ("no app", vec![("client_id", None)]),
        ("no redirect URI", vec![("redirect_uri", None)]),
        ("unknown app elsewhere", vec![("client_id", Some("x")), ("redirect_uri", Some(evil))]),
        ("a service", vec![("client_id", Some("quality-study"))]),
    ] {
        check_page(&world, &app.launch_with(&changes).unwrap().url, what).await;
    }
    for twice in ["client_id=glucose-coach", "redirect_uri=https%3A%2F%2Fevil.example"] {
        let launch = app.launch().unwrap();
        check_page(&world, &format!("{}&{twice}", launch.url), twice).await;
    }
}

// Covers: RFC 9700 §2.1, RFC 6749 §3.1.2 (R3); SMART App Launch 2.2 (A24, 316)
#[tokio::test]
async fn r03_addresses_that_could_leak_a_code_cannot_be_registered() {
    let world = World::new().await;
    for uri in [
        "http://app.example/cb",
        "https://app.example/cb#part",
        "https://*.app.example/cb",
        "https://app.example/*",
        "https://user:secret@app.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "/callback",
        "",
    ] {
        let answer = world.register(&json!({ "redirect_uris": [uri] })).await;
        check_error(&answer, 400, "invalid_redirect_uri");
    }
    let answer = world.register(&json!({ "redirect_uris": [] })).await;
    check_error(&answer, 400, "invalid_redirect_uri");
    for uri in ["https://app.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"] {
        let registered = world.registered(&json!({ "redirect_uris": [uri] })).await;
        assert!(registered["client_id"].as_str().is_some_and(|id| !id.is_empty()), "{uri}");
    }
}

// Covers: RFC 9700 §4.11 (R4)
#[tokio::test]
async fn r04_no_address_sends_a_browser_where_a_parameter_says() {
    let world = World::new().await;
    let targets = [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/%09/evil.example",
        "https:evil.example",
        "javascript:alert(1)",
    ];
    let names = [
        "next",
        "url",
        "redirect",
        "redirect_uri",
        "return",
        "return_to",
        "continue",
        "target",
        "iss",
        "post_logout_redirect_uri",
        "r",
        "u",
    ];
    let local = |location: &str, at: &str| {
        let url = Url::parse(&world.url(at)).unwrap().join(location).unwrap();
        assert_eq!(url.origin().ascii_serialization(), world.server.origin, "{at}: {location}");
    };
    for path in ["/", "/login", "/portal", "/portal/apps", "/launch", "/demo", "/oauth/authorize"] {
        for target in targets {
            let encode =
                |name: &&str| proviso_testkit::http_client::form_encode(&[(*name, target)]);
            let query: Vec<String> = names.iter().map(encode).collect();
            let at = format!("{path}?{}", query.join("&"));
            let answer = world.http.get(&world.url(&at), &[]).await.unwrap();
            if let Some(location) = answer.header("location") {
                local(location, path);
            }
        }
    }
    // The one parameter that is honoured, through sign-in.
    for target in targets {
        let query = proviso_testkit::http_client::form_encode(&[("next", target)]);
        let mut browser = Browser::open(&world.url(&format!("/login?{query}"))).await.unwrap();
        browser.stop_at = Some("http".to_owned());
        let form = browser.form_with("password").unwrap();
        let fields = [("username", "maria"), ("password", "proviso-demo"), ("next", target)];
        browser.submit(&form, &fields).await.unwrap();
        assert_eq!(browser.page.status, 303, "{target}");
        local(browser.page.header("location").unwrap(), "/login");
    }
}

// Covers: RFC 9700 §2.1.1 (R5, R7): there is no code without a challenge
#[tokio::test]
async fn r05_r07_nobody_gets_a_code_without_a_challenge() {
    let world = World::new().await;
    for client in ["glucose-coach", "bill-helper", "second-opinion"] {
        let app = world.app(client, PATIENT);
        for changes in [
            vec![("code_challenge", None), ("code_challenge_method", None)],
            vec![("code_challenge", None)],
            vec![("code_challenge", Some(""))],
            vec![("code_challenge", Some("too-short"))],
        ] {
            let url = error_of(&world, &app, &changes).await;
            assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{client}");
        }
    }
}

// Covers: RFC 7636 §4.3, RFC 9700 §2.1.1 (R6); SMART App Launch 2.2 (A15)
#[tokio::test]
async fn r06_a_plain_challenge_is_refused_by_name_and_by_default() {
    let world = World::new().await;
    for method in [Some("plain"), None, Some("s256"), Some("S512")] {
        let url = error_of(&world, &world.coach(), &[("code_challenge_method", method)]).await;
        assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{method:?}");
    }
}

// Covers: RFC 9700 §2.1.1 (R8)
#[tokio::test]
async fn r08_the_metadata_says_s256_and_nothing_else() {
    let world = World::new().await;
    for path in [
        "/fhir/r4/.well-known/smart-configuration",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let document = world.http.get(&world.url(path), &[]).await.unwrap().json().unwrap();
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]), "{path}");
    }
}

// Covers: RFC 9700 §2.1.2, §2.4 (R12)
#[tokio::test]
async fn r12_passwords_and_tokens_in_addresses_are_not_offered() {
    let world = World::new().await;
    let app = world.coach();
    for response_type in ["token", "id_token", "code token", "code id_token", "none"] {
        let url = error_of(&world, &app, &[("response_type", Some(response_type))]).await;
        let error = parameter(&url, "error");
        assert_eq!(error.as_deref(), Some("unsupported_response_type"), "{response_type}");
        assert_eq!(url.fragment(), None, "{response_type}");
    }
    let url = error_of(&world, &app, &[("response_type", None)]).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"));
    for mode in ["fragment", "form_post"] {
        error_of(&world, &app, &[("response_mode", Some(mode))]).await;
    }
    let fields = [("grant_type", "password"), ("username", "maria"), ("password", "proviso-demo")];
    check_error(&app.token(&fields).await.unwrap(), 400, "unsupported_grant_type");
}

// Covers: RFC 9700 §4.11.2 (R24)
#[tokio::test]
async fn r24_a_stranger_is_shown_a_page_and_not_sent_on_by_an_error() {
    let world = World::new().await;
    let app = world.coach();
    for changes in [
        vec![("scope", Some("no-such-scope"))],
        vec![("response_type", Some("token"))],
        vec![("code_challenge_method", Some("plain"))],
        vec![("aud", Some("https://evil.example/fhir"))],
        vec![("request", Some("x.y.z"))],
    ] {
        let launch = app.launch_with(&changes).unwrap();
        let mut stranger = Browser::new().unwrap();
        let url = told(&mut stranger, &launch).await;
        assert_eq!(url.origin().ascii_serialization(), world.server.origin, "{changes:?}");
        assert!(stranger.page.status.is_client_error(), "{changes:?}");
        // Signed in, the app is told.
        let url = error_of(&world, &app, &changes).await;
        assert!(parameter(&url, "error").is_some(), "{changes:?}");
    }
}

// Covers: RFC 9207 §2 (R26); SMART App Launch 2.2 (A53, A54); RFC 6749 §4.1.2.1
#[tokio::test]
async fn r26_yes_no_and_error_all_name_the_issuer_and_the_state() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = signed_in(&world, "maria").await;
    let launch = app.launch().unwrap();
    app.code_for(&launch, &mut browser, "maria", &everything()).await.unwrap();
    let yes = (browser.url.clone(), launch.state);

    let launch = app.launch().unwrap();
    told(&mut browser, &launch).await;
    let form = browser.form_with("decision").unwrap();
    browser.submit(&form, &[("decision", "deny")]).await.unwrap();
    let no = (browser.url.clone(), launch.state);
    assert_eq!(parameter(&no.0, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&no.0, "code"), None);

    let launch = app.launch_with(&[("scope", Some("no-such-scope"))]).unwrap();
    let error = (told(&mut browser, &launch).await, launch.state);
    assert_eq!(parameter(&error.0, "error").as_deref(), Some("invalid_scope"));
    for (url, state) in [yes, no, error] {
        assert_eq!(parameter(&url, "iss"), Some(world.server.origin.clone()), "{url}");
        assert_eq!(parameter(&url, "state"), Some(state), "{url}");
    }
}

// Covers: RFC 6749 §3.1, §3.2 (R27)
#[tokio::test]
async fn r27_unknown_parameters_are_ignored_and_repeated_ones_refused() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = signed_in(&world, "maria").await;
    let launch = app.launch_with(&[("acr_values", Some("x")), ("made-up", Some("y"))]).unwrap();
    let code = app.code_for(&launch, &mut browser, "maria", &everything()).await.unwrap();
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", app.redirect_uri.as_str()),
        ("code_verifier", launch.verifier.as_str()),
        ("made-up", "y"),
    ];
    fields.push(("redirect_uri", "https://evil.example"));
    check_error(&app.token(&fields).await.unwrap(), 400, "invalid_request");
    fields.pop();
    check_token_response(&app.token(&fields).await.unwrap());

    let launch = app.launch().unwrap();
    for twice in ["scope=openid", "state=x", "aud=x", "code_challenge=x", "made-up=1&made-up=2"] {
        let mut launch = launch.clone();
        launch.url = format!("{}&{twice}", launch.url);
        let url = told(&mut browser, &launch).await;
        let error = parameter(&url, "error");
        assert_eq!(error.as_deref(), Some("invalid_request"), "{twice}: {url}");
    }
}

// Covers: OIDC Core §3.1.2.1 (O1): `prompt=none`, `prompt=login`, hints that never hurt;
// RFC 8252 §8.6: a public app on a loopback address is never answered without the person
#[tokio::test]
async fn prompts_are_kept_and_hints_do_no_harm() {
    let world = World::new().await;
    let app = world.app("bill-helper", PATIENT);
    let none = app.launch_with(&[("prompt", Some("none"))]).unwrap();
    let mut stranger = Browser::new().unwrap();
    let url = told(&mut stranger, &none).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("login_required"), "{url}");
    let mut maria = signed_in(&world, "maria").await;
    let url = told(&mut maria, &none).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("consent_required"), "{url}");
    let tokens = app.connect(&mut maria, "maria", &everything()).await.unwrap();
    let again = app.launch_with(&[("prompt", Some("none"))]).unwrap();
    let url = told(&mut maria, &again).await;
    let code = app.code(&again, &url).unwrap();
    let silent = check_token_response(&app.exchange(&again, &code).await.unwrap());
    assert_eq!(scopes(silent.text("scope")), scopes(tokens.text("scope")));

    let app = world.coach();
    let tokens = app.connect(&mut maria, "maria", &everything()).await.unwrap();
    let none = app.launch_with(&[("prompt", Some("none"))]).unwrap();
    let url = told(&mut maria, &none).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("consent_required"), "{url}");
    assert_eq!(parameter(&url, "code"), None);

    for prompt in ["login", "select_account"] {
        let launch = app.launch_with(&[("prompt", Some(prompt))]).unwrap();
        told(&mut maria, &launch).await;
        assert!(maria.form_with("password").is_ok(), "{prompt} asks for the password again");
    }
    for (name, value) in [
        ("login_hint", "maria"),
        ("ui_locales", "es en"),
        ("display", "popup"),
        ("acr_values", "urn:x"),
        ("claims_locales", "se"),
        ("id_token_hint", tokens.text("id_token")),
        ("max_age", "10000"),
    ] {
        let mut browser = signed_in(&world, "maria").await;
        told(&mut browser, &app.launch_with(&[(name, Some(value))]).unwrap()).await;
        assert!(browser.form_with("decision").is_ok(), "{name}: {}", browser.text());
    }
}
