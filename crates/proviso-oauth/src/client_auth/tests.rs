use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::fixture::{BASE, NOW, client};
use crate::jose::{SigningKey, generate_pkcs8, jwks_document};
use crate::record::{ClientKeys, TokenHash};

fn urls() -> ServerUrls {
    ServerUrls::new(BASE)
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{id}:{secret}")))
}

fn by_secret(secret: &str) -> Client {
    client(ClientAuthentication::ClientSecret { secret_hash: TokenHash::of(secret) })
}

fn signing(algorithm: SignatureAlgorithm) -> (Client, SigningKey, KeySet) {
    let key = SigningKey::from_pkcs8("k1", algorithm, &generate_pkcs8(algorithm).unwrap()).unwrap();
    let jwks = jwks_document(&[key.public_jwk()]);
    let keys = KeySet::parse(&jwks).unwrap();
    let client = client(ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Inline(jwks) });
    (client, key, keys)
}

/// Exactly what the certification kit sends: no `iat`, no `nbf`, five minutes.
fn kit_claims() -> serde_json::Value {
    serde_json::json!({
        "iss": "glucose-coach",
        "sub": "glucose-coach",
        "aud": "https://ehr.example/oauth/token",
        "exp": NOW.as_secs() + 300,
        "jti": "3f9c",
    })
}

fn body(assertion: &str) -> Params {
    Params::from([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)])
}

fn try_claims(claims: &serde_json::Value) -> Result<Authenticated, ClientAuthError> {
    let (client, key, keys) = signing(SignatureAlgorithm::Es256);
    let presented = Presented::read(None, &body(&key.sign("JWT", claims).unwrap()))?;
    authenticate(&client, &presented, Some(&keys), &urls(), NOW)
}

fn changed(name: &str, value: serde_json::Value) -> serde_json::Value {
    let mut claims = kit_claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> serde_json::Value {
    let mut claims = kit_claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn basic_works_raw_and_form_encoded() {
    // Covers: RFC 6749 §2.3.1, Inferno token exchange (not URL-encoded)
    let client = by_secret("p%41ss+word");
    let check = |header: &str| {
        let presented = Presented::read(Some(header), &Params::default()).unwrap();
        authenticate(&client, &presented, None, &urls(), NOW)
    };
    assert_eq!(check(&basic("glucose-coach", "p%41ss+word")), Ok(Authenticated::BySecret));
    assert_eq!(check(&basic("glucose%2Dcoach", "p%2541ss%2Bword")), Ok(Authenticated::BySecret));
    assert_eq!(check(&basic("glucose-coach", "wrong")), Err(ClientAuthError::Failed));
    assert_eq!(
        check(&format!("bAsIc  {}", BASE64.encode("glucose-coach:p%41ss+word"))),
        Ok(Authenticated::BySecret)
    );
}

#[test]
fn the_secret_may_come_in_the_body() {
    let client = by_secret("s3cret");
    let body = Params::from([("client_id", "glucose-coach"), ("client_secret", "s3cret")]);
    let presented = Presented::read(None, &body).unwrap();
    assert_eq!(authenticate(&client, &presented, None, &urls(), NOW), Ok(Authenticated::BySecret));
}

#[test]
fn two_ways_at_once_are_refused() {
    // Covers: RFC 6749 §2.3
    let body = Params::from([("client_id", "glucose-coach"), ("client_secret", "s")]);
    assert_eq!(
        Presented::read(Some(&basic("glucose-coach", "s")), &body).err(),
        Some(ClientAuthError::Contradiction)
    );
    let other = Params::from([("client_id", "other")]);
    assert_eq!(
        Presented::read(Some(&basic("glucose-coach", "s")), &other).err(),
        Some(ClientAuthError::Failed)
    );
}

#[test]
fn a_confidential_client_cannot_pass_as_public_nor_the_other_way() {
    let named = Presented::Id("glucose-coach".parse().unwrap());
    assert_eq!(
        authenticate(&by_secret("s"), &named, None, &urls(), NOW),
        Err(ClientAuthError::Failed)
    );
    let public = client(ClientAuthentication::None);
    assert_eq!(authenticate(&public, &named, None, &urls(), NOW), Ok(Authenticated::Public));
    let presented =
        Presented::read(Some(&basic("glucose-coach", "x")), &Params::default()).unwrap();
    assert_eq!(authenticate(&public, &presented, None, &urls(), NOW), Err(ClientAuthError::Failed));
}

#[test]
fn a_disabled_app_is_not_believed() {
    let mut public = client(ClientAuthentication::None);
    public.status = ClientStatus::Disabled;
    let named = Presented::Id(public.id.clone());
    assert_eq!(authenticate(&public, &named, None, &urls(), NOW), Err(ClientAuthError::Failed));
}

#[test]
fn the_kits_assertion_is_accepted_with_every_algorithm_we_sign_with() {
    // Covers: Inferno 1.2-5, SMART 310
    for algorithm in
        [SignatureAlgorithm::Es256, SignatureAlgorithm::Rs256, SignatureAlgorithm::EdDsa]
    {
        let (client, key, keys) = signing(algorithm);
        let token = key.sign("JWT", &kit_claims()).unwrap();
        let presented = Presented::read(None, &body(&token)).unwrap();
        let result = authenticate(&client, &presented, Some(&keys), &urls(), NOW);
        let Ok(Authenticated::ByAssertion(used)) = result else { panic!("{result:?}") };
        assert_eq!(used.jti, "3f9c");
        assert_eq!(used.expires_at, NOW.plus_secs(330));
    }
}

#[test]
fn the_audience_is_the_token_url_or_the_issuer_as_one_string() {
    // Covers: oauth-smart.md §6 row 1, R32
    use serde_json::json;
    assert!(try_claims(&changed("aud", json!("https://ehr.example"))).is_ok());
    for aud in [
        json!(["https://ehr.example/oauth/token"]),
        json!("https://ehr.example/"),
        json!("https://ehr.example/oauth/authorize"),
        json!("https://other.example/oauth/token"),
        json!(null),
    ] {
        assert_eq!(
            try_claims(&changed("aud", aud.clone())),
            Err(ClientAuthError::Claim("aud")),
            "{aud}"
        );
    }
}

#[test]
fn a_fapi_client_names_the_issuer_only_and_no_pkcs1_signature() {
    // Covers: F5, F9
    let (mut client, key, keys) = signing(SignatureAlgorithm::Es256);
    client.profile = ClientProfile::Fapi2;
    let check = |claims: &serde_json::Value| {
        let presented = Presented::read(None, &body(&key.sign("JWT", claims).unwrap())).unwrap();
        authenticate(&client, &presented, Some(&keys), &urls(), NOW)
    };
    assert_eq!(check(&kit_claims()), Err(ClientAuthError::Claim("aud")));
    assert!(check(&changed("aud", serde_json::json!("https://ehr.example"))).is_ok());
    let (mut rsa_client, rsa, rsa_keys) = signing(SignatureAlgorithm::Rs256);
    rsa_client.profile = ClientProfile::Fapi2;
    let presented = Presented::read(None, &body(&rsa.sign("JWT", &kit_claims()).unwrap())).unwrap();
    assert_eq!(
        authenticate(&rsa_client, &presented, Some(&rsa_keys), &urls(), NOW),
        Err(ClientAuthError::Assertion(JwsError::Algorithm))
    );
}

#[test]
fn times_are_judged_with_thirty_seconds_of_skew() {
    // Covers: RFC 7523 §3, design §13, F5 (8 s ahead accepted, more than 60 s refused)
    let now = NOW.as_secs();
    for (name, offset, accepted) in [
        ("exp", 300, true),
        ("exp", 330, true),
        ("exp", 331, false),
        ("exp", -29, true),
        ("exp", -30, false),
        ("iat", 8, true),
        ("iat", 31, false),
        ("nbf", 8, true),
        ("nbf", 61, false),
        ("iat", -200, true),
    ] {
        let result = try_claims(&changed(name, serde_json::json!(now + offset)));
        if accepted {
            assert!(result.is_ok(), "{name} {offset}");
        } else {
            let expected = if name == "exp" { "exp" } else { name };
            assert_eq!(result, Err(ClientAuthError::Claim(expected)), "{name} {offset}");
        }
    }
}

#[test]
fn missing_or_foreign_claims_are_refused() {
    // Covers: S11, F5
    for name in ["sub", "aud", "exp", "jti"] {
        assert_eq!(try_claims(&without(name)), Err(ClientAuthError::Claim(name)), "{name}");
    }
    assert!(try_claims(&without("iss")).is_err());
    assert_eq!(
        try_claims(&changed("sub", serde_json::json!("other"))),
        Err(ClientAuthError::Claim("sub"))
    );
    assert_eq!(
        try_claims(&changed("iss", serde_json::json!("other"))),
        Err(ClientAuthError::Failed)
    );
    assert_eq!(
        try_claims(&changed("exp", serde_json::json!(1e300))),
        Err(ClientAuthError::Claim("exp"))
    );
}

#[test]
fn another_apps_key_is_refused() {
    let (client, _, keys) = signing(SignatureAlgorithm::Es256);
    let (_, foreign, _) = signing(SignatureAlgorithm::Es256);
    let token = foreign.sign("JWT", &kit_claims()).unwrap();
    let presented = Presented::read(None, &body(&token)).unwrap();
    assert_eq!(
        authenticate(&client, &presented, Some(&keys), &urls(), NOW),
        Err(ClientAuthError::Assertion(JwsError::Signature))
    );
    assert_eq!(authenticate(&client, &presented, None, &urls(), NOW), Err(ClientAuthError::Failed));
}

#[test]
fn an_unknown_assertion_type_is_refused() {
    // Covers: Inferno smart_backend_services_invalid_client_assertion
    let (_, key, _) = signing(SignatureAlgorithm::Es256);
    let token = key.sign("JWT", &kit_claims()).unwrap();
    let body = Params::from([
        ("client_assertion_type", "not_an_assertion_type"),
        ("client_assertion", &token),
    ]);
    assert_eq!(Presented::read(None, &body).err(), Some(ClientAuthError::Malformed));
}

#[test]
fn a_key_location_in_the_header_is_never_followed() {
    // Covers: S11 (`jku` only if whitelisted; we whitelist none), oauth-smart 1.12
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (client, own, keys) = signing(SignatureAlgorithm::Es256);
    let (_, foreign, _) = signing(SignatureAlgorithm::Es256);
    let header = r#"{"alg":"ES256","kid":"k1","typ":"JWT","jku":"https://evil.example/jwks"}"#;
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(kit_claims().to_string())
    );
    let check = |key: &SigningKey| {
        let signature = URL_SAFE_NO_PAD.encode(key.sign_bytes(signed.as_bytes()).unwrap());
        let presented = Presented::read(None, &body(&format!("{signed}.{signature}"))).unwrap();
        authenticate(&client, &presented, Some(&keys), &urls(), NOW)
    };
    assert!(check(&own).is_ok());
    assert_eq!(check(&foreign), Err(ClientAuthError::Assertion(JwsError::Signature)));
}
