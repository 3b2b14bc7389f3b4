//! Backend services: signed assertions for tokens of five minutes.

use proviso_testkit::signing::{SigningKey, now_secs};
use proviso_testkit::smart_app::{ASSERTION_TYPE, Proof, SmartApp, basic};
use serde_json::{Value, json};

use crate::world::{PATIENT, World, check_error, check_token_response, scopes};

const SERVICE: &str = "system/Patient.rs system/Observation.rs";

fn study(world: &World) -> SmartApp {
    world.app("quality-study", SERVICE)
}

fn key(app: &SmartApp) -> &SigningKey {
    match &app.proof {
        Proof::Key(key) => key,
        Proof::Public | Proof::Secret(_) => panic!("no key"),
    }
}

async fn ask(app: &SmartApp, scope: &str) -> proviso_testkit::http_client::Answer {
    app.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await.unwrap()
}

/// Asks with an assertion of our own making.
async fn ask_with(
    world: &World,
    app: &SmartApp,
    assertion: &str,
) -> proviso_testkit::http_client::Answer {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", SERVICE),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    world.http.post_form(&app.token_endpoint(), &[], &fields).await.unwrap()
}

// Covers: SMART App Launch 2.2 §backend services (A253–258, A261); Inferno
// `smart_backend_services_auth_request_success`, `…_auth_response_body`
#[tokio::test]
async fn a_service_signs_and_reads() {
    let world = World::new().await;
    let app = study(&world);
    let answer = ask(&app, SERVICE).await;
    let tokens = check_token_response(&answer);
    assert!(tokens.body["expires_in"].as_i64().unwrap() <= 300, "SHALL 257");
    assert!(tokens.body.get("refresh_token").is_none(), "SHOULD 248");
    assert!(tokens.body.get("id_token").is_none());
    for scope in scopes(tokens.text("scope")) {
        assert!(scopes(SERVICE).contains(&scope), "{scope}");
    }
    let read = world.read(tokens.access(), "Patient/james").await;
    assert_eq!(read.status, 200);
    // A265, A266: the resource server checks the scope.
    assert!(matches!(world.read(tokens.access(), "Condition").await.status.as_u16(), 401 | 403));
}

// Covers: Inferno `smart_backend_services_invalid_grant_type`
#[tokio::test]
async fn an_unknown_grant_type_is_a_bad_request_whoever_asks() {
    let world = World::new().await;
    let app = study(&world);
    let fields = [("grant_type", "not_a_grant_type"), ("scope", SERVICE)];
    check_error(&app.token(&fields).await.unwrap(), 400, "unsupported_grant_type");
}

// Covers: Inferno `smart_backend_services_invalid_client_assertion`, `…_invalid_jwt`
#[tokio::test]
async fn an_unknown_type_of_assertion_is_refused() {
    let world = World::new().await;
    let app = study(&world);
    let assertion = key(&app).assertion(&app.client_id, &app.token_endpoint()).unwrap();
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", SERVICE),
        ("client_assertion_type", "not_an_assertion_type"),
        ("client_assertion", assertion.as_str()),
    ];
    let answer = world.http.post_form(&app.token_endpoint(), &[], &fields).await.unwrap();
    assert!(matches!(answer.status.as_u16(), 400 | 401), "{}", answer.text());
    assert!(answer.json().unwrap()["error"].is_string());
}

// Covers: RFC 7523 §3; SMART App Launch 2.2 §asymmetric (A335–A338, A340), S11
#[tokio::test]
async fn an_assertion_that_is_wrong_in_one_thing_is_refused() {
    let world = World::new().await;
    let app = study(&world);
    let own = key(&app);
    let endpoint = app.token_endpoint();
    let now = now_secs().unwrap();
    let claims = |change: &dyn Fn(&mut Value)| {
        let mut claims = SigningKey::claims(&app.client_id, &endpoint).unwrap();
        change(&mut claims);
        claims
    };
    let cases: Vec<(&str, Value)> = vec![
        ("wrong aud", claims(&|c| c["aud"] = json!("https://elsewhere.example/token"))),
        ("aud is the FHIR base", claims(&|c| c["aud"] = json!(app.base()))),
        // R32: audience injection.
        ("aud is an array", claims(&|c| c["aud"] = json!([endpoint]))),
        ("no aud", claims(&|c| c["aud"] = Value::Null)),
        ("expired", claims(&|c| c["exp"] = json!(now - 120))),
        ("too long", claims(&|c| c["exp"] = json!(now + 3600))),
        ("no exp", claims(&|c| c["exp"] = Value::Null)),
        ("issued in the future", claims(&|c| c["iat"] = json!(now + 120))),
        ("not yet valid", claims(&|c| c["nbf"] = json!(now + 120))),
        ("no jti", claims(&|c| c["jti"] = Value::Null)),
        ("another sub", claims(&|c| c["sub"] = json!("bill-helper"))),
        ("no sub", claims(&|c| c["sub"] = Value::Null)),
        ("unknown iss", claims(&|c| c["iss"] = json!("nobody-knows-me"))),
    ];
    for (what, claims) in cases {
        let assertion = own.sign(&own.header(), &claims).unwrap();
        let answer = ask_with(&world, &app, &assertion).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        assert_eq!(answer.json().unwrap()["error"], "invalid_client", "{what}");
    }
    // What the kit leaves out, or sends, is accepted.
    for (what, claims) in [
        ("issuer as aud", claims(&|c| c["aud"] = json!(world.server.origin))),
        ("ten seconds ahead", claims(&|c| c["iat"] = json!(now + 10))),
    ] {
        let assertion = own.sign(&own.header(), &claims).unwrap();
        let answer = ask_with(&world, &app, &assertion).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    }
}

// Covers: SMART App Launch 2.2 §asymmetric (A338): exactly one registered key, found by `kid`
#[tokio::test]
async fn an_assertion_by_any_other_key_is_refused() {
    let world = World::new().await;
    let app = study(&world);
    let own = key(&app);
    let claims = || SigningKey::claims(&app.client_id, &app.token_endpoint()).unwrap();
    let stranger = SigningKey::es384(&own.kid).unwrap();
    let rsa = SigningKey::rs384(&own.kid).unwrap();
    let mut unknown_kid = own.header();
    unknown_kid["kid"] = json!("never-registered");
    let mut none = own.header();
    none["alg"] = json!("none");
    let mut symmetric = own.header();
    symmetric["alg"] = json!("HS256");
    let mut foreign_jku = own.header();
    foreign_jku["jku"] = json!("https://elsewhere.example/jwks.json");
    let mut own_jwk = stranger.header();
    own_jwk["jwk"] = stranger.public_jwk().unwrap();
    let unsigned = {
        let text = own.sign(&none, &claims()).unwrap();
        let (signed, _) = text.rsplit_once('.').unwrap();
        format!("{signed}.")
    };
    let cases = [
        ("a stranger's key", stranger.sign(&stranger.header(), &claims()).unwrap()),
        ("a key of another kind", rsa.sign(&rsa.header(), &claims()).unwrap()),
        ("an unknown kid", own.sign(&unknown_kid, &claims()).unwrap()),
        ("no signature", unsigned),
        ("a symmetric algorithm", own.sign(&symmetric, &claims()).unwrap()),
        ("a key set that is not registered", stranger.sign(&foreign_jku, &claims()).unwrap()),
        ("a key brought along", stranger.sign(&own_jwk, &claims()).unwrap()),
        ("not a JWT", "abc".to_owned()),
    ];
    for (what, assertion) in cases {
        let answer = ask_with(&world, &app, &assertion).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{what}: {}", answer.text());
        assert_eq!(answer.json().unwrap()["error"], "invalid_client", "{what}");
    }
}

// Covers: SMART App Launch 2.2 §asymmetric (A336): a `jti` once per `iss`
#[tokio::test]
async fn an_assertion_is_good_once_even_when_sent_in_parallel() {
    let world = World::new().await;
    let app = study(&world);
    let assertion = key(&app).assertion(&app.client_id, &app.token_endpoint()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (http, url, assertion) = (world.http.clone(), app.token_endpoint(), assertion.clone());
        tasks.spawn(async move {
            let fields = [
                ("grant_type", "client_credentials"),
                ("scope", SERVICE),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion.as_str()),
            ];
            http.post_form(&url, &[], &fields).await.unwrap().status.as_u16()
        });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
}

// Covers: SMART App Launch 2.2 §backend services (A240, A241, A250, SHOULD 243, 244, 252)
#[tokio::test]
async fn a_service_gets_no_more_than_was_agreed() {
    let world = World::new().await;
    let app = study(&world);
    for scope in [
        "system/*.cruds",
        "system/Observation.cud",
        "patient/Observation.rs",
        "user/*.rs",
        "openid",
        "made-up",
        "system/Observation.rs made-up",
    ] {
        let answer = ask(&app, scope).await;
        if answer.status == 200 {
            let tokens = check_token_response(&answer);
            for granted in scopes(tokens.text("scope")) {
                let (name, letters) = granted.rsplit_once('.').unwrap();
                assert!(name.starts_with("system/"), "`{scope}` gave `{granted}`");
                assert!(!letters.contains(['c', 'u', 'd']), "`{scope}` gave `{granted}`");
            }
        } else {
            check_error(&answer, 400, "invalid_scope");
        }
    }
    let answer = app.token(&[("grant_type", "client_credentials")]).await.unwrap();
    assert_eq!(answer.status, 400, "no scope at all");
}

// Covers: SMART App Launch 2.2 §backend services (A344): no symmetric profile for services
#[tokio::test]
async fn an_app_with_a_secret_is_no_service() {
    let world = World::new().await;
    let helper = world.app("bill-helper", PATIENT);
    let answer = ask(&helper, SERVICE).await;
    check_error(&answer, 400, "unauthorized_client");
    // Nor can a service get in without its key.
    let app = study(&world);
    let fields =
        [("grant_type", "client_credentials"), ("scope", SERVICE), ("client_id", "quality-study")];
    let answer = world.http.post_form(&app.token_endpoint(), &[], &fields).await.unwrap();
    check_error(&answer, 401, "invalid_client");
    let header = basic("quality-study", "secret");
    let fields = [("grant_type", "client_credentials"), ("scope", SERVICE)];
    let url = app.token_endpoint();
    let answer = world.http.post_form(&url, &[("authorization", &header)], &fields).await.unwrap();
    check_error(&answer, 401, "invalid_client");
}
