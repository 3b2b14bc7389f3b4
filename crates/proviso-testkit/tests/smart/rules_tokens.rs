//! RFC 9700, as far as codes, tokens and who may use them go. Each test has the number of its rule
//! in oauth-smart.md §5.1.

use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::Answer;
use proviso_testkit::smart_app::{Launch, SmartApp, Tokens, basic, everything};
use serde_json::json;

use crate::world::{PATIENT, World, check_error, check_token_response, scopes, signed_in};

async fn code(app: &SmartApp, browser: &mut Browser) -> (Launch, String) {
    let launch = app.launch().unwrap();
    let code = app.code_for(&launch, browser, "maria", &everything()).await.unwrap();
    (launch, code)
}

/// That nothing of a connection is alive any more.
async fn check_dead(world: &World, app: &SmartApp, tokens: &Tokens) {
    assert_eq!(world.read(tokens.access(), "Patient/maria").await.status, 401);
    check_error(&app.refresh(tokens.refresh()).await.unwrap(), 400, "invalid_grant");
}

// Covers: RFC 6749 §4.1.2, RFC 9700 §4.5 (R9)
#[tokio::test]
async fn r09_the_second_use_of_a_code_ends_what_the_first_gave() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = Browser::new().unwrap();
    let (launch, code) = code(&app, &mut browser).await;
    let tokens = check_token_response(&app.exchange(&launch, &code).await.unwrap());
    assert_eq!(world.read(tokens.access(), "Patient/maria").await.status, 200);
    check_error(&app.exchange(&launch, &code).await.unwrap(), 400, "invalid_grant");
    check_dead(&world, &app, &tokens).await;
}

// Covers: RFC 9700 §4.5 (R9): under a hundred parallel redemptions
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r09_of_a_hundred_parallel_redemptions_exactly_one_succeeds() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = Browser::new().unwrap();
    let (launch, code) = code(&app, &mut browser).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (app, launch, code) = (app.clone(), launch.clone(), code.clone());
        tasks.spawn(async move { app.exchange(&launch, &code).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let (good, bad): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1);
    for answer in &bad {
        check_error(answer, 400, "invalid_grant");
    }
    // The other ninety-nine were replays.
    let tokens = Tokens { body: good[0].json().unwrap() };
    check_dead(&world, &app, &tokens).await;
}

// Covers: RFC 9700 §4.5.3, RFC 6749 §4.1.3 (R11)
#[tokio::test]
async fn r11_a_code_is_for_its_app_its_address_and_its_challenge() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = signed_in(&world, "maria").await;
    let (launch, code) = code(&app, &mut browser).await;
    let other = world.app("old-tracker", PATIENT);
    check_error(&other.exchange(&launch, &code).await.unwrap(), 400, "invalid_grant");
    let helper = world.app("bill-helper", PATIENT);
    check_error(&helper.exchange(&launch, &code).await.unwrap(), 400, "invalid_grant");
    for redirect_uri in ["http://127.0.0.1:9124/callback", "https://evil.example/cb"] {
        let moved = SmartApp { redirect_uri: redirect_uri.to_owned(), ..app.clone() };
        check_error(&moved.exchange(&launch, &code).await.unwrap(), 400, "invalid_grant");
    }
    let foreign = app.launch().unwrap();
    check_error(&app.exchange(&foreign, &code).await.unwrap(), 400, "invalid_grant");
    // None of these used the code up.
    check_token_response(&app.exchange(&launch, &code).await.unwrap());
}

// Covers: RFC 9700 §2.2.2, §4.14.2 (R14)
#[tokio::test]
async fn r14_a_replaced_refresh_token_that_comes_back_ends_the_connection() {
    let world = World::new().await;
    let (app, first, _) = world.maria_connected().await;
    let second = check_token_response(&app.refresh(first.refresh()).await.unwrap());
    assert_ne!(first.refresh(), second.refresh(), "public apps' refresh tokens rotate");
    let third = check_token_response(&app.refresh(second.refresh()).await.unwrap());
    // Two generations old: nobody honest has it.
    check_error(&app.refresh(first.refresh()).await.unwrap(), 400, "invalid_grant");
    check_dead(&world, &app, &third).await;
}

// Covers: oauth-smart.md §6 "rotate idempotently"
#[tokio::test]
async fn r14_an_answer_that_was_lost_on_the_way_can_be_asked_for_again() {
    let world = World::new().await;
    let (app, first, _) = world.maria_connected().await;
    let once = check_token_response(&app.refresh(first.refresh()).await.unwrap());
    let again = check_token_response(&app.refresh(first.refresh()).await.unwrap());
    assert_eq!(once.refresh(), again.refresh());
    check_token_response(&app.refresh(once.refresh()).await.unwrap());
}

// Covers: RFC 9700 §4.14.2 (R15); SMART App Launch 2.2 (A103)
#[tokio::test]
async fn r15_another_app_cannot_use_a_refresh_token_nor_use_it_up() {
    let world = World::new().await;
    let (app, tokens, _) = world.maria_connected().await;
    for other in ["bill-helper", "second-opinion", "old-tracker"] {
        let other = world.app(other, PATIENT);
        let answer = other.refresh(tokens.refresh()).await.unwrap();
        check_error(&answer, 400, "invalid_grant");
    }
    check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
}

// Covers: RFC 6749 §6 (R16); SMART App Launch 2.2 (A104, A109–115)
#[tokio::test]
async fn r16_a_refresh_may_narrow_and_widen_back_but_never_beyond_the_grant() {
    let world = World::new().await;
    let app = world.app(
        "glucose-coach",
        "launch/patient openid offline_access patient/Patient.rs patient/Observation.rs",
    );
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    let granted = tokens.text("scope").to_owned();
    let refresh = async |tokens: &Tokens, scope: &str| -> Answer {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh()),
            ("scope", scope),
        ];
        app.token(&fields).await.unwrap()
    };
    for wider in [
        "patient/*.rs",
        "patient/Condition.rs",
        "patient/Observation.cruds",
        "patient/Patient.rs patient/Condition.rs",
        "user/Observation.rs",
        "fhirUser",
    ] {
        check_error(&refresh(&tokens, wider).await, 400, "invalid_scope");
    }
    let narrow = check_token_response(&refresh(&tokens, "patient/Patient.rs").await);
    assert_eq!(narrow.text("scope"), "patient/Patient.rs");
    assert_eq!(world.read(narrow.access(), "Patient/maria").await.status, 200);
    let refused = world.read(narrow.access(), "Observation?patient=maria").await;
    assert!(matches!(refused.status.as_u16(), 401 | 403), "{}", refused.status);
    let back = check_token_response(&refresh(&narrow, &granted).await);
    assert_eq!(scopes(back.text("scope")), scopes(&granted));
    assert_eq!(world.read(back.access(), "Observation?patient=maria").await.status, 200);
}

// Covers: RFC 9700 §4.14 (R17): a refresh token only where the person allowed it
#[tokio::test]
async fn r17_no_refresh_token_for_a_single_visit() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = Browser::new().unwrap();
    let choices = [("category", "*"), ("duration", "once")];
    let tokens = app.connect(&mut browser, "maria", &choices).await.unwrap();
    assert!(tokens.body.get("refresh_token").is_none());
    assert!(!scopes(tokens.text("scope")).contains(&"offline_access"));
}

// Covers: RFC 9700 §2.3 (R18); RFC 9068 §4
#[tokio::test]
async fn r18_a_token_for_another_address_opens_nothing_though_the_keys_are_the_same() {
    // Both are copies of one demo, hence with the same signing keys and the same people.
    let (here, there) = (World::new().await, World::new().await);
    let (_, tokens, _) = there.maria_connected().await;
    assert_eq!(there.read(tokens.access(), "Patient/maria").await.status, 200);
    let answer = here.read(tokens.access(), "Patient/maria").await;
    assert_eq!(answer.status, 401);
    let helper = here.app("bill-helper", PATIENT);
    assert_eq!(here.introspect(&helper, tokens.access()).await, json!({ "active": false }));
}

// Covers: RFC 9700 §4.3.2, RFC 6750 §2.3 (R19)
#[tokio::test]
async fn r19_a_token_in_the_address_or_the_form_opens_nothing() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    let token = tokens.access();
    for path in [
        format!("/fhir/r4/Patient/maria?access_token={token}"),
        format!("/oauth/userinfo?access_token={token}"),
    ] {
        let answer = world.http.get(&world.url(&path), &[]).await.unwrap();
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{}", answer.status);
    }
    for path in ["/fhir/r4/Patient/_search", "/oauth/userinfo"] {
        let fields = [("access_token", token)];
        let answer = world.http.post_form(&world.url(path), &[], &fields).await.unwrap();
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{path}: {}", answer.status);
    }
    // Not even beside a good header.
    let path = format!("Patient/maria?access_token={token}");
    assert_eq!(world.read(token, &path).await.status, 400);
}

// Covers: RFC 9700 §4.14, design §4 (R20)
#[tokio::test]
async fn r20_what_is_kept_on_disk_holds_no_usable_token() {
    let world = World::new().await;
    let app = world.app("bill-helper", PATIENT);
    let mut browser = Browser::new().unwrap();
    let (launch, code) = code(&app, &mut browser).await;
    let tokens = check_token_response(&app.exchange(&launch, &code).await.unwrap());
    let second = check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
    let (_, unused) = self::code(&app, &mut browser).await;
    let session = browser.cookies().iter().find(|(name, _)| name.contains("session")).unwrap();
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    let secrets = [
        ("access token", signature(tokens.access())),
        ("ID token", signature(tokens.text("id_token"))),
        ("refresh token", tokens.refresh().to_owned()),
        ("next refresh token", second.refresh().to_owned()),
        ("code", code),
        ("unused code", unused),
        ("verifier", launch.verifier),
        ("session", session.1.clone()),
        ("password", "proviso-demo".to_owned()),
    ];
    let mut looked_at = 0;
    for file in std::fs::read_dir(world.data()).unwrap() {
        let path = file.unwrap().path();
        // The demo hands out its apps' secrets in this one file, on purpose.
        if path.file_name().is_some_and(|name| name == "demo-clients.json") {
            continue;
        }
        // The control socket of a running server holds no bytes.
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        looked_at += bytes.len();
        for (what, secret) in &secrets {
            assert!(secret.len() >= 12, "{what} is too short to look for");
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the {what} is in {}", path.display());
        }
    }
    assert!(looked_at > 1_000_000, "only {looked_at} bytes");
}

// Covers: RFC 9700 §4.15 (R25)
#[tokio::test]
async fn r25_no_app_can_be_named_like_a_person() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    let claims = proviso_testkit::signing::jwt_part(tokens.text("id_token"), 1).unwrap();
    let subject = claims["sub"].as_str().unwrap();
    let wanted = json!({ "client_id": subject, "client_name": subject });
    let registered = world.registered(&wanted).await;
    let id = registered["client_id"].as_str().unwrap();
    assert_ne!(id, subject);
    let prefix = |text: &str| text.split(['_', '-']).next().map(str::to_owned);
    assert_ne!(prefix(id), prefix(subject));
}

// Covers: RFC 6749 §5.2, RFC 6750 §3 (R28)
#[tokio::test]
async fn r28_a_401_says_how_to_get_in_and_a_403_what_is_missing() {
    let world = World::new().await;
    let app = world.app("bill-helper", PATIENT);
    let url = app.token_endpoint();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let wrong = basic("bill-helper", "wrong");
    let answer = world.http.post_form(&url, &[("authorization", &wrong)], &fields).await.unwrap();
    check_error(&answer, 401, "invalid_client");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));

    let narrow = world.app("glucose-coach", "launch/patient patient/Patient.rs");
    let mut browser = Browser::new().unwrap();
    let tokens = narrow.connect(&mut browser, "maria", &everything()).await.unwrap();
    let challenge = |answer: &Answer| answer.header("www-authenticate").unwrap_or("").to_owned();
    let patient = format!("{}/Patient/maria", world.base());
    let answer = world.http.get(&patient, &[]).await.unwrap();
    assert_eq!(answer.status, 401);
    assert!(challenge(&answer).starts_with("Bearer "));
    assert!(!challenge(&answer).contains("error="), "RFC 6750 §3.1: no code without a token");
    let answer = world.read("not-a-token", "Patient/maria").await;
    assert_eq!(answer.status, 401);
    assert!(challenge(&answer).contains(r#"error="invalid_token""#));
    let answer = world.read(tokens.access(), "Observation?patient=maria").await;
    assert_eq!(answer.status, 403);
    assert!(challenge(&answer).contains(r#"error="insufficient_scope""#));
    assert!(challenge(&answer).contains("scope=\""), "{}", challenge(&answer));
    assert!(challenge(&answer).contains("Observation"), "{}", challenge(&answer));
}

// Covers: RFC 9700 §2.5, RFC 6749 §2.3.1 (R29)
#[tokio::test]
async fn r29_unknown_and_wrong_look_the_same() {
    let world = World::new().await;
    let url = world.url("/oauth/token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let mut answers = Vec::new();
    for header in [
        basic("bill-helper", "wrong"),
        basic("nobody-here", "wrong"),
        basic("glucose-coach", "wrong"),
        basic("second-opinion", "wrong"),
    ] {
        let headers = [("authorization", header.as_str())];
        let answer = world.http.post_form(&url, &headers, &fields).await.unwrap();
        check_error(&answer, 401, "invalid_client");
        answers.push(answer.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");

    let mut pages = Vec::new();
    for username in ["maria", "nobody-of-this-name"] {
        let mut browser = Browser::open(&world.url("/login")).await.unwrap();
        browser.sign_in(username, "wrong").await.unwrap();
        assert!(browser.form_with("password").is_ok());
        // The demo's own hint names Maria; the field repeats what was typed.
        let html = browser.page.text().replace("maria", "…").replace(username, "…");
        pages.push((browser.page.status, proviso_testkit::browser::visible_text(&html)));
    }
    assert_eq!(pages[0], pages[1]);
}
