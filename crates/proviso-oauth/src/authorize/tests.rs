use super::*;
use crate::fixture::{BASE, client};
use crate::record::ClientAuthentication;

const REDIRECT: &str = "https://app.example/cb?keep=1";

fn good() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", "glucose-coach"),
        ("redirect_uri", REDIRECT),
        ("scope", "launch/patient openid patient/Observation.rs"),
        ("state", "s+ &=%ü"),
        ("aud", "https://ehr.example/fhir/r4"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]
}

fn encode(pairs: &[(&str, &str)]) -> Params {
    let mut query = String::new();
    for (name, value) in pairs {
        params::append(&mut query, name, value.as_bytes());
    }
    Params::parse_with_repeats(query.as_bytes()).unwrap()
}

fn with(changes: &[(&'static str, Option<&'static str>)]) -> Params {
    let mut pairs = good();
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        if let Some(value) = value {
            pairs.push((name, value));
        }
    }
    encode(&pairs)
}

fn run(request: &Params) -> Result<RequestedAuthorization, Refusal> {
    let client = client(ClientAuthentication::None);
    validate(request, Some(&client), &ServerUrls::new(BASE))
}

fn error(request: &Params) -> &'static str {
    match run(request) {
        Ok(_) => "none",
        Err(Refusal::Page(error)) => error.code(),
        Err(Refusal::Return { error, .. }) => error.code(),
    }
}

#[test]
fn a_good_request_is_accepted_and_keeps_state_byte_for_byte() {
    // Covers: SMART 59
    let requested = run(&with(&[])).unwrap();
    assert_eq!(requested.state, Some(OpaqueBytes("s+ &=%ü".as_bytes().to_vec())));
    assert_eq!(requested.redirect_uri, REDIRECT);
    assert_eq!(
        requested.scopes,
        crate::fixture::scopes("launch/patient openid patient/Observation.rs")
    );
}

#[test]
fn unknown_client_and_foreign_redirect_uri_are_told_to_the_person_only() {
    // Covers: R2, R4
    let urls = ServerUrls::new(BASE);
    assert_eq!(validate(&with(&[]), None, &urls), Err(Refusal::Page(PageError::UnknownClient)));
    let mut disabled = client(ClientAuthentication::None);
    disabled.status = ClientStatus::Disabled;
    assert_eq!(
        validate(&with(&[]), Some(&disabled), &urls),
        Err(Refusal::Page(PageError::UnknownClient))
    );
    for uri in [None, Some("https://evil.example/"), Some("https://app.example/cb")] {
        assert_eq!(
            run(&with(&[("redirect_uri", uri)])),
            Err(Refusal::Page(PageError::RedirectUri))
        );
    }
    let mut twice = good();
    twice.push(("redirect_uri", REDIRECT));
    assert_eq!(run(&encode(&twice)), Err(Refusal::Page(PageError::RedirectUri)));
    twice.push(("client_id", "x"));
    assert_eq!(claimed_client(&encode(&twice)), Err(PageError::ClientId));
}

#[test]
fn each_bad_parameter_has_its_error_code() {
    // Covers: R5, R6, R12, R27, F3, O5, SMART "aud", g10 invalid_aud
    for (change, expected) in [
        (("response_type", None), "invalid_request"),
        (("response_type", Some("token")), "unsupported_response_type"),
        (("response_type", Some("code id_token")), "unsupported_response_type"),
        (("response_mode", Some("fragment")), "invalid_request"),
        (("code_challenge", None), "invalid_request"),
        (("code_challenge_method", None), "invalid_request"),
        (("code_challenge_method", Some("plain")), "invalid_request"),
        (("aud", None), "invalid_request"),
        (("aud", Some("https://inferno.healthit.gov/invalid_aud")), "invalid_request"),
        (("scope", None), "invalid_request"),
        (("scope", Some("patient/Nonsense.rs launch/patient")), "none"),
        (("scope", Some("system/Patient.rs")), "invalid_scope"),
        (("scope", Some("patient/Observation.sr")), "invalid_scope"),
        (("scope", Some("launch patient/Patient.rs")), "none"),
        (("scope", Some("launch")), "invalid_request"),
        (("prompt", Some("none login")), "invalid_request"),
        (("max_age", Some("-1")), "invalid_request"),
        (("request", Some("x.y.z")), "request_not_supported"),
        (("request_uri", Some("urn:x")), "request_uri_not_supported"),
        (("nonsense", Some("1")), "none"),
        (("display", Some("popup")), "none"),
        (("ui_locales", Some("xx")), "none"),
        (("acr_values", Some("1 2")), "none"),
        (("login_hint", Some("maria")), "none"),
    ] {
        let (name, value) = change;
        let got = error(&with(&[(name, value)]));
        // A missing scope has nothing in it but sign-in, which needs no `aud`.
        let expected = if name == "scope" && value.is_none() { "invalid_scope" } else { expected };
        assert_eq!(got, expected, "{name}={value:?}");
    }
    let mut twice = good();
    twice.push(("scope", "openid"));
    assert_eq!(error(&encode(&twice)), "invalid_request");
}

#[test]
fn errors_go_back_with_state_and_issuer_and_keep_the_registered_query() {
    // Covers: R26, F13, SMART 54
    let Err(Refusal::Return { to, error, silent }) = run(&with(&[("aud", None)])) else {
        panic!("refused otherwise")
    };
    assert!(!silent);
    let url = to.with_error(error, "https://ehr.example");
    assert!(url.starts_with("https://app.example/cb?keep=1&error=invalid_request&"), "{url}");
    assert!(url.contains("&state=s%2B%20%26%3D%25%C3%BC&"), "{url}");
    assert!(url.ends_with("&iss=https%3A%2F%2Fehr.example"), "{url}");
}

#[test]
fn a_repeated_state_is_not_echoed() {
    let mut twice = good();
    twice.push(("state", "other"));
    let Err(Refusal::Return { to, error, .. }) = run(&encode(&twice)) else {
        panic!("refused otherwise")
    };
    assert!(!to.with_error(error, BASE).contains("state="));
}

#[test]
fn a_long_state_and_a_64_character_nonce_work() {
    // Covers: F12
    let long: &'static str = Box::leak("x+ ".repeat(400).into_boxed_str());
    let nonce: &'static str = Box::leak("n".repeat(64).into_boxed_str());
    let requested = run(&with(&[("state", Some(long)), ("nonce", Some(nonce))])).unwrap();
    assert_eq!(requested.state, Some(OpaqueBytes(long.as_bytes().to_vec())));
    assert_eq!(requested.nonce.as_deref(), Some(nonce));
    assert!(run(&with(&[("state", None), ("nonce", None)])).is_ok());
}

#[test]
fn only_sign_in_needs_no_audience() {
    assert_eq!(error(&with(&[("aud", None), ("scope", Some("openid fhirUser"))])), "none");
    assert_eq!(
        error(&with(&[("aud", Some("https://other")), ("scope", Some("openid"))])),
        "invalid_request"
    );
}

#[test]
fn scopes_are_cut_to_the_registration_and_keep_their_spelling() {
    // Covers: S6, S7
    let requested =
        run(&with(&[("scope", Some("launch/patient patient/Observation.read patient/*.cruds"))]))
            .unwrap();
    let text = crate::token::scope_text(&requested.scopes);
    assert!(text.contains("patient/Observation.read"), "{text}");
    assert!(!text.contains('c'.to_string().as_str()) || !text.contains("cruds"), "{text}");
}
