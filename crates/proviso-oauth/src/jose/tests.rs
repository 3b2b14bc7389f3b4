use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents};

use super::*;

const OWN: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::Es256, SignatureAlgorithm::Rs256, SignatureAlgorithm::EdDsa];

fn key(kid: &str, algorithm: SignatureAlgorithm) -> SigningKey {
    SigningKey::from_pkcs8(kid, algorithm, &generate_pkcs8(algorithm).unwrap()).unwrap()
}

fn set(keys: &[&SigningKey]) -> KeySet {
    let jwks: Vec<_> = keys.iter().map(|key| key.public_jwk()).collect();
    KeySet::parse(&jwks_document(&jwks)).unwrap()
}

fn claims() -> serde_json::Value {
    serde_json::json!({ "sub": "x" })
}

#[test]
fn what_each_algorithm_signs_the_other_library_verifies() {
    for algorithm in OWN {
        let key = key("k1", algorithm);
        let token = key.sign("JWT", &claims()).unwrap();
        let read: serde_json::Value = set(&[&key]).verify(&token, &OWN, &["jwt"]).unwrap();
        assert_eq!(read, claims(), "{}", algorithm.name());
    }
}

#[test]
fn a_changed_byte_breaks_the_signature() {
    let key = key("k1", SignatureAlgorithm::Es256);
    let token = key.sign("JWT", &claims()).unwrap();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(r#"{"sub":"y"}"#);
    let forged = format!("{header}.{other}.{signature}");
    assert_eq!(
        set(&[&key]).verify::<serde_json::Value>(&forged, &OWN, &["jwt"]),
        Err(JwsError::Signature)
    );
}

#[test]
fn none_and_symmetric_algorithms_are_refused() {
    // Covers: RFC 8725 §3.1, oauth-smart 1.12
    let key = key("k1", SignatureAlgorithm::Rs256);
    for alg in ["none", "None", "HS256", "HS512", "RS1", "ES512", ""] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"{alg}","kid":"k1"}}"#));
        let body = URL_SAFE_NO_PAD.encode("{}");
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{body}.{signature}");
            assert_eq!(
                set(&[&key]).verify::<serde_json::Value>(&token, &OWN, &["jwt"]),
                Err(JwsError::Algorithm),
                "{alg}"
            );
        }
    }
}

#[test]
fn the_public_key_does_not_work_as_an_hmac_secret() {
    // Covers: RFC 8725 §2.1
    let key = key("k1", SignatureAlgorithm::Rs256);
    use_explicit_provider();
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256","kid":"k1"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode("{}"));
    let secret = jsonwebtoken::EncodingKey::from_secret(&key.public_bytes());
    let signature =
        jsonwebtoken::crypto::sign(signed.as_bytes(), &secret, Algorithm::HS256).unwrap();
    assert_eq!(
        set(&[&key]).verify::<serde_json::Value>(&format!("{signed}.{signature}"), &OWN, &["jwt"]),
        Err(JwsError::Algorithm)
    );
}

#[test]
fn the_key_is_found_by_kid_and_type_and_must_be_one() {
    // Covers: SMART 338
    let first = key("k1", SignatureAlgorithm::Es256);
    let second = key("k2", SignatureAlgorithm::Es256);
    let rsa = key("k1", SignatureAlgorithm::Rs256);
    let token = first.sign("JWT", &claims()).unwrap();
    assert!(
        set(&[&first, &second, &rsa]).verify::<serde_json::Value>(&token, &OWN, &["jwt"]).is_ok()
    );
    assert_eq!(
        set(&[&second]).verify::<serde_json::Value>(&token, &OWN, &["jwt"]),
        Err(JwsError::UnknownKey)
    );
    let twin = key("k1", SignatureAlgorithm::Es256);
    assert_eq!(
        set(&[&first, &twin]).verify::<serde_json::Value>(&token, &OWN, &["jwt"]),
        Err(JwsError::UnknownKey)
    );
}

#[test]
fn a_token_of_another_type_is_refused() {
    // Covers: RFC 8725 §3.11, design §4 (an ID token is never an access token)
    let key = key("k1", SignatureAlgorithm::Es256);
    let id_token = key.sign("JWT", &claims()).unwrap();
    assert_eq!(
        set(&[&key]).verify::<serde_json::Value>(&id_token, &OWN, &["at+jwt"]),
        Err(JwsError::Type)
    );
    let access = key.sign("at+jwt", &claims()).unwrap();
    assert!(set(&[&key]).verify::<serde_json::Value>(&access, &OWN, &["at+jwt"]).is_ok());
}

#[test]
fn critical_headers_and_oversized_tokens_are_refused() {
    let key = key("k1", SignatureAlgorithm::Es256);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","crit":["x"],"x":1}"#);
    let token = format!("{header}.e30.AAAA");
    assert_eq!(
        set(&[&key]).verify::<serde_json::Value>(&token, &OWN, &["jwt"]),
        Err(JwsError::Critical)
    );
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(peek_header(&long), Err(JwsError::Malformed));
    let listed = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(r#"["ES256"]"#));
    for bad in ["", "a.b", "a.b.c.d", "....", "e30.e30.e30", &listed] {
        assert_eq!(peek_header(bad), Err(JwsError::Malformed), "{bad}");
    }
}

#[test]
fn private_and_symmetric_keys_are_no_public_key_set() {
    for text in [
        r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#,
        r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}]}"#,
        r#"{"keys":[]}"#,
        "{}",
        "x",
    ] {
        assert!(KeySet::parse(text).is_err(), "{text}");
    }
}

#[test]
fn every_algorithm_that_client_keys_may_use_verifies() {
    // Covers: SMART 310 (RS384, ES384), F9 (PS256)
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let p384 = EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let parts = RsaPublicKeyComponents::<Vec<u8>>::from(rsa.public_key());
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let point = p384.public_key().as_ref();
    let jwks = serde_json::json!({ "keys": [
        { "kty": "RSA", "kid": "r", "n": text(&parts.n), "e": text(&parts.e) },
        {
            "kty": "EC", "crv": "P-384", "kid": "e", "alg": "ES384",
            "x": text(&point[1..49]), "y": text(&point[49..]),
        },
    ] });
    let keys = KeySet::parse(&jwks.to_string()).unwrap();
    let rsa_sign = |encoding: &'static dyn signature::RsaEncoding, message: &[u8]| {
        let mut out = vec![0; rsa.public_modulus_len()];
        rsa.sign(encoding, &random, message, &mut out).unwrap();
        out
    };
    for algorithm in [
        SignatureAlgorithm::Rs256,
        SignatureAlgorithm::Rs384,
        SignatureAlgorithm::Ps256,
        SignatureAlgorithm::Es384,
    ] {
        let kid = if algorithm == SignatureAlgorithm::Es384 { "e" } else { "r" };
        let header = serde_json::json!({ "alg": algorithm.name(), "kid": kid });
        let signed = format!("{}.e30", text(header.to_string().as_bytes()));
        let signature = match algorithm {
            SignatureAlgorithm::Rs384 => rsa_sign(&signature::RSA_PKCS1_SHA384, signed.as_bytes()),
            SignatureAlgorithm::Ps256 => rsa_sign(&signature::RSA_PSS_SHA256, signed.as_bytes()),
            SignatureAlgorithm::Es384 => {
                p384.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec()
            }
            SignatureAlgorithm::Rs256 | SignatureAlgorithm::Es256 | SignatureAlgorithm::EdDsa => {
                rsa_sign(&signature::RSA_PKCS1_SHA256, signed.as_bytes())
            }
        };
        let token = format!("{signed}.{}", text(&signature));
        let all = SignatureAlgorithm::ALL;
        let verified = keys.verify::<serde_json::Value>(&token, all, &[""]);
        assert!(verified.is_ok(), "{} {verified:?}", algorithm.name());
        // The same signature under another name of the family is refused.
        assert!(keys.verify::<serde_json::Value>(&token, &[], &[""]).is_err());
    }
}
