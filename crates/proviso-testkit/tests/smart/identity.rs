//! OpenID Connect: the ID token, its keys, and the FHIR resource that is the person.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use proviso_testkit::signing::{jwt_part, now_secs};
use serde_json::Value;

use crate::world::{CLINICIAN, World};

async fn json_of(world: &World, url: &str) -> Value {
    let answer = world.http.get(url, &[]).await.unwrap();
    assert_eq!(answer.status, 200, "{url}");
    assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{url}");
    answer.json().unwrap()
}

/// Does what `smart_openid_connect_stu2_2` does, from the ID token on, and gives its claims.
async fn check_id_token(world: &World, client_id: &str, id_token: &str) -> Value {
    let header = jwt_part(id_token, 0).unwrap();
    let claims = jwt_part(id_token, 1).unwrap();
    let issuer = claims["iss"].as_str().unwrap();
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let configuration = json_of(world, &discovery).await;
    for name in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert!(configuration.get(name).is_some(), "{name}");
    }
    let algorithms = configuration["id_token_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.iter().any(|algorithm| algorithm == "RS256"));
    assert_eq!(configuration["issuer"], issuer);

    // A207: bare keys; no private member ever.
    let keys = json_of(world, configuration["jwks_uri"].as_str().unwrap()).await;
    let keys = keys["keys"].as_array().unwrap();
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "`{private}` is published");
        }
    }
    let rsa: Vec<&Value> = keys.iter().filter(|key| key["kty"] == "RSA").collect();
    assert!(!rsa.is_empty());
    assert_eq!(header["alg"], "RS256");
    let key = rsa.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let key =
        DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap())
            .unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[client_id]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    let verified = jsonwebtoken::decode::<Value>(id_token, &key, &validation).unwrap().claims;
    assert!(verified["iat"].as_i64().is_some_and(|iat| iat <= now_secs().unwrap() + 5));
    let subject = verified["sub"].as_str().unwrap();
    assert!(!subject.is_empty() && subject.len() < 256);
    verified
}

// Covers: OIDC Core §2, SMART App Launch 2.2 §identity (A200, A205, A207, A209, A210); Inferno
// `smart_openid_connect_stu2_2`, `smart_cors_openid_fhir_user_claim`
#[tokio::test]
async fn the_id_token_of_a_patient_verifies_and_leads_to_her_record() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    let claims = check_id_token(&world, "glucose-coach", tokens.text("id_token")).await;
    let person = claims["fhirUser"].as_str().unwrap();
    assert!(person.ends_with("/Patient/maria"), "{person}");
    let bearer = format!("Bearer {}", tokens.access());
    let headers = [("authorization", bearer.as_str()), ("origin", "http://127.0.0.1:9123")];
    let read = world.http.get(person, &headers).await.unwrap();
    assert_eq!(read.status, 200);
    assert_eq!(read.header("access-control-allow-origin"), Some("http://127.0.0.1:9123"));
    assert_eq!(read.json().unwrap()["resourceType"], "Patient");
}

// Covers: SMART App Launch 2.2 §identity (A198): the second-last segment is one that the kit knows
#[tokio::test]
async fn the_id_token_of_a_clinician_leads_to_a_practitioner() {
    let world = World::new().await;
    let (_, tokens, _) = world.patel_launched(CLINICIAN).await;
    let claims = check_id_token(&world, "chart-lens", tokens.text("id_token")).await;
    let person = claims["fhirUser"].as_str().unwrap();
    assert!(person.ends_with("/Practitioner/drpatel"), "{person}");
    let read = world.read(tokens.access(), person).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json().unwrap()["resourceType"], "Practitioner");
}

// Covers: SMART App Launch 2.2 §identity (A198): a proxy is a RelatedPerson
#[tokio::test]
async fn the_id_token_of_a_father_leads_to_a_related_person_that_can_be_read() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = proviso_testkit::browser::Browser::new().unwrap();
    let mut choices = proviso_testkit::smart_app::everything();
    choices.push(("patient", "lily"));
    let tokens = app.connect(&mut browser, "wei", &choices).await.unwrap();
    assert_eq!(tokens.text("patient"), "lily");
    let claims = check_id_token(&world, "glucose-coach", tokens.text("id_token")).await;
    let person = claims["fhirUser"].as_str().unwrap();
    assert!(person.ends_with("/RelatedPerson/wei"), "{person}");
    let read = world.read(tokens.access(), person).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json().unwrap()["resourceType"], "RelatedPerson");
}

// Covers: OIDC Core §3.1.3.7 (nonce), §5.3 (userinfo: GET, POST, same `sub`)
#[tokio::test]
async fn the_nonce_comes_back_and_userinfo_names_the_same_person() {
    let world = World::new().await;
    let app = world.coach();
    let nonce = "n".repeat(64);
    let launch = app.launch_with(&[("nonce", Some(&nonce))]).unwrap();
    let mut browser = proviso_testkit::browser::Browser::new().unwrap();
    let everything = proviso_testkit::smart_app::everything();
    let tokens = app.connect_with(&launch, &mut browser, "maria", &everything).await.unwrap();
    let claims = jwt_part(tokens.text("id_token"), 1).unwrap();
    assert_eq!(claims["nonce"], nonce);
    let bearer = format!("Bearer {}", tokens.access());
    let url = world.url("/oauth/userinfo");
    for method in [http::Method::GET, http::Method::POST] {
        let answer =
            world.http.send(method, &url, &[("authorization", &bearer)], "").await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json().unwrap()["sub"], claims["sub"]);
    }
}

// Covers: design §4 "An ID token is never accepted as an access token"; RFC 9068 §4
#[tokio::test]
async fn an_id_token_opens_nothing() {
    let world = World::new().await;
    let (_, tokens, _) = world.maria_connected().await;
    let id_token = tokens.text("id_token");
    assert_eq!(world.read(id_token, "Patient/maria").await.status, 401);
    let header = format!("Bearer {id_token}");
    let url = world.url("/oauth/userinfo");
    let answer = world.http.get(&url, &[("authorization", &header)]).await.unwrap();
    assert_eq!(answer.status, 401);
}

// Covers: SMART App Launch 2.2 §identity: `fhirUser` and the ID token only when asked for
#[tokio::test]
async fn who_does_not_ask_for_openid_gets_no_id_token() {
    let world = World::new().await;
    let app = world.app("glucose-coach", "launch/patient patient/*.rs");
    let mut browser = proviso_testkit::browser::Browser::new().unwrap();
    let everything = proviso_testkit::smart_app::everything();
    let tokens = app.connect(&mut browser, "maria", &everything).await.unwrap();
    assert!(tokens.body.get("id_token").is_none());
    assert!(tokens.body.get("refresh_token").is_none(), "offline_access was not asked for");
}
