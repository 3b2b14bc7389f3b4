use super::*;
use crate::fixture::{NOW, client, scopes};
use crate::record::{ClientKeys, GrantBasis, LaunchContext, PkceChallenge, Renewal, TokenHash};
use proviso_core::category::PurposeOfUse;
use proviso_core::id::GrantId;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "https://app.example/cb?keep=1";

fn code() -> AuthorizationCode {
    AuthorizationCode {
        hash: TokenHash::of("code"),
        client: "glucose-coach".parse().unwrap(),
        redirect_uri: REDIRECT.to_owned(),
        challenge: Some(PkceChallenge::of(VERIFIER)),
        grant: GrantId::generate(NOW, [1; 10]),
        issued_at: NOW,
        expires_at: NOW.plus_secs(60),
        consumed_at: None,
    }
}

fn grant(text: &str) -> Grant {
    Grant {
        id: GrantId::generate(NOW, [1; 10]),
        client: "glucose-coach".parse().unwrap(),
        account: None,
        basis: GrantBasis::Operational,
        scopes: scopes(text),
        context: LaunchContext::default(),
        purpose: PurposeOfUse::Treatment,
        renewal: Renewal::Offline,
        fhir_user: None,
        authenticated_at: None,
        nonce: None,
        created_at: NOW,
        expires_at: None,
        ended: None,
    }
}

#[test]
fn an_unknown_grant_type_is_exactly_400() {
    // Covers: smart_backend_services_invalid_grant_type, R12 (no password grant)
    for grant_type in ["not_a_grant_type", "password", "implicit"] {
        let error = parse(&Params::from([("grant_type", grant_type)])).unwrap_err();
        assert_eq!((error.code(), error.status()), ("unsupported_grant_type", 400));
    }
    let error = parse(&Params::default()).unwrap_err();
    assert_eq!((error.code(), error.status()), ("invalid_request", 400));
}

#[test]
fn a_code_is_bound_to_app_redirect_uri_verifier_and_sixty_seconds() {
    // Covers: R10, R11, F5, RFC 6749 §4.1.3
    let own = client(ClientAuthentication::None);
    let check = |redirect, verifier, at| check_code(&code(), &own, redirect, verifier, at);
    let last = NOW.plus_secs(59);
    assert_eq!(check(Some(REDIRECT), Some(VERIFIER), last), Ok(()));
    assert_eq!(check(Some(REDIRECT), Some(VERIFIER), NOW.plus_secs(60)), Err(TokenError::Code));
    assert_eq!(check(None, Some(VERIFIER), NOW), Err(TokenError::RedirectUri));
    assert_eq!(
        check(Some("http://127.0.0.1:9123/callback"), Some(VERIFIER), NOW),
        Err(TokenError::RedirectUri)
    );
    assert_eq!(check(Some(REDIRECT), None, NOW), Err(TokenError::Verifier(VerifierError::Missing)));
    let mut other = client(ClientAuthentication::None);
    other.id = "other".parse().unwrap();
    assert_eq!(
        check_code(&code(), &other, Some(REDIRECT), Some(VERIFIER), NOW),
        Err(TokenError::Code)
    );
    for error in [TokenError::Code, TokenError::RedirectUri, TokenError::RefreshToken] {
        assert_eq!((error.code(), error.status()), ("invalid_grant", 400));
    }
}

#[test]
fn a_refresh_may_narrow_and_never_widen() {
    // Covers: S4, R16
    let grant = grant("openid patient/*.rs offline_access");
    assert_eq!(narrowed_scopes(&grant, None), Ok(grant.scopes.clone()));
    assert_eq!(
        narrowed_scopes(&grant, Some("patient/Observation.rs openid")),
        Ok(scopes("patient/Observation.rs openid"))
    );
    assert_eq!(
        narrowed_scopes(&grant, Some("openid patient/*.rs offline_access")),
        Ok(grant.scopes.clone())
    );
    for more in ["patient/*.cruds", "user/Patient.rs", "fhirUser", "", "nonsense", "patient/X.sr"] {
        assert_eq!(narrowed_scopes(&grant, Some(more)), Err(TokenError::Scope), "{more}");
    }
}

#[test]
fn a_service_gets_at_most_what_was_agreed_and_must_sign() {
    // Covers: SMART 240-244, 250, A344, S12
    let mut service =
        client(ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Inline(String::new()) });
    service.scopes = scopes("system/Patient.rs system/Observation.rs");
    service.grant_types = vec![GrantType::ClientCredentials];
    assert_eq!(check_grant_type(&service, GrantType::ClientCredentials), Ok(()));
    assert_eq!(service_scopes(&service, "system/Patient.rs"), Ok(scopes("system/Patient.rs")));
    assert_eq!(
        service_scopes(&service, "system/*.rs"),
        Ok(scopes("system/Patient.rs system/Observation.rs"))
    );
    for more in [
        "system/Condition.rs",
        "system/Patient.rs system/Condition.rs",
        "patient/*.rs",
        "openid",
        "x",
    ] {
        assert_eq!(service_scopes(&service, more), Err(TokenError::Scope), "{more}");
    }
    service.authentication = ClientAuthentication::ClientSecret { secret_hash: TokenHash::of("x") };
    assert_eq!(
        check_grant_type(&service, GrantType::ClientCredentials),
        Err(TokenError::UnauthorizedClient)
    );
}

#[test]
fn error_bodies_are_plain_json() {
    // Covers: RFC 6749 §5.2, S12 (`error_description` present)
    let error = TokenError::Client(ClientAuthError::Failed);
    assert_eq!(error.status(), 401);
    let body: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
    assert_eq!(body["error"], "invalid_client");
    assert_eq!(body["error_description"], "client authentication failed");
    assert!(!error_json("x", "a\"b\\c\u{e9}").contains("\\\""));
}
