//! Discovery documents, made from what is really offered: SMART configuration, OIDC discovery and
//! authorization server metadata (RFC 8414).

use serde_json::{Value, json};

use crate::jose::SignatureAlgorithm;
use crate::record::{ClientProfile, IdTokenAlgorithm};
use crate::server::ServerUrls;

/// SMART capabilities; each has a positive test, each absent one is refused when tried.
pub const CAPABILITIES: &[&str] = &[
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

/// Scopes to name in metadata: patterns for the common needs, not a list of all types.
pub const SCOPES: &[&str] = &[
    "openid",
    "fhirUser",
    "profile",
    "launch",
    "launch/patient",
    "offline_access",
    "online_access",
    "patient/*.rs",
    "patient/*.cruds",
    "patient/*.read",
    "patient/*.write",
    "patient/*.*",
    "user/*.rs",
    "user/*.cruds",
    "user/*.read",
    "user/*.write",
    "user/*.*",
    "system/*.rs",
    "system/*.read",
];

const GRANT_TYPES: &[&str] = &["authorization_code", "refresh_token", "client_credentials"];
const AUTH_METHODS: &[&str] =
    &["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
const CONFIDENTIAL_AUTH_METHODS: &[&str] =
    &["client_secret_basic", "client_secret_post", "private_key_jwt"];

/// Whether apps may register themselves, which decides whether the endpoint is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationOffer {
    /// Open to all.
    Open,
    /// Not offered.
    Closed,
}

fn signing_algorithms() -> Vec<&'static str> {
    crate::client_auth::assertion_algorithms(ClientProfile::Smart)
        .iter()
        .map(|algorithm| algorithm.name())
        .collect()
}

/// What all three documents share.
fn shared(urls: &ServerUrls, registration: RegistrationOffer) -> serde_json::Map<String, Value> {
    let mut document = serde_json::Map::new();
    let mut put = |name: &str, value: Value| {
        document.insert(name.to_owned(), value);
    };
    put("issuer", json!(urls.issuer()));
    put("jwks_uri", json!(urls.jwks_uri()));
    put("authorization_endpoint", json!(urls.authorization_endpoint()));
    put("token_endpoint", json!(urls.token_endpoint()));
    put("introspection_endpoint", json!(urls.introspection_endpoint()));
    put("revocation_endpoint", json!(urls.revocation_endpoint()));
    if registration == RegistrationOffer::Open {
        put("registration_endpoint", json!(urls.registration_endpoint()));
    }
    put("grant_types_supported", json!(GRANT_TYPES));
    put("response_types_supported", json!(["code"]));
    put("response_modes_supported", json!(["query"]));
    put("code_challenge_methods_supported", json!(["S256"]));
    put("scopes_supported", json!(SCOPES));
    put("token_endpoint_auth_methods_supported", json!(AUTH_METHODS));
    put("token_endpoint_auth_signing_alg_values_supported", json!(signing_algorithms()));
    put("introspection_endpoint_auth_methods_supported", json!(CONFIDENTIAL_AUTH_METHODS));
    put("introspection_endpoint_auth_signing_alg_values_supported", json!(signing_algorithms()));
    put("revocation_endpoint_auth_methods_supported", json!(AUTH_METHODS));
    put("revocation_endpoint_auth_signing_alg_values_supported", json!(signing_algorithms()));
    // RFC 9207 §3.
    put("authorization_response_iss_parameter_supported", json!(true));
    put("request_parameter_supported", json!(false));
    put("request_uri_parameter_supported", json!(false));
    put("claims_parameter_supported", json!(false));
    document
}

/// `{fhir base}/.well-known/smart-configuration` (SMART "Conformance").
pub fn smart_configuration(urls: &ServerUrls, registration: RegistrationOffer) -> String {
    let mut document = shared(urls, registration);
    document.insert("capabilities".to_owned(), json!(CAPABILITIES));
    document.insert("management_endpoint".to_owned(), json!(urls.management_endpoint()));
    Value::Object(document).to_string()
}

/// `/.well-known/openid-configuration` (OIDC Discovery §3).
pub fn openid_configuration(urls: &ServerUrls, registration: RegistrationOffer) -> String {
    let mut document = shared(urls, registration);
    let algorithms: Vec<_> =
        [IdTokenAlgorithm::Rs256, IdTokenAlgorithm::Es256, IdTokenAlgorithm::EdDsa]
            .map(|algorithm| SignatureAlgorithm::from(algorithm).name())
            .to_vec();
    for (name, value) in [
        ("userinfo_endpoint", json!(urls.userinfo_endpoint())),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(algorithms)),
        ("claim_types_supported", json!(["normal"])),
        (
            "claims_supported",
            json!(["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser", "profile"]),
        ),
        ("prompt_values_supported", json!(["none", "login", "consent", "select_account"])),
        ("display_values_supported", json!(["page"])),
        ("ui_locales_supported", json!(["en", "es"])),
    ] {
        document.insert(name.to_owned(), value);
    }
    Value::Object(document).to_string()
}

/// `/.well-known/oauth-authorization-server` (RFC 8414 §3).
pub fn authorization_server_metadata(urls: &ServerUrls, registration: RegistrationOffer) -> String {
    let mut document = shared(urls, registration);
    document.insert("service_documentation".to_owned(), json!(urls.issuer()));
    Value::Object(document).to_string()
}

/// The style sheet that `smart_style_url` names (SMART "context-style"): the colours of our pages.
pub fn smart_style() -> String {
    json!({
        "color_background": "#ffffff",
        "color_error": "#b3261e",
        "color_highlight": "#0b57d0",
        "color_modal_backdrop": "",
        "color_success": "#146c2e",
        "color_text": "#1f1f1f",
        "dim_border_radius": "8px",
        "dim_font_size": "16px",
        "dim_spacing_size": "16px",
        "font_family_body": "system-ui, sans-serif",
        "font_family_heading": "system-ui, sans-serif",
    })
    .to_string()
}

impl From<IdTokenAlgorithm> for SignatureAlgorithm {
    fn from(algorithm: IdTokenAlgorithm) -> Self {
        match algorithm {
            IdTokenAlgorithm::Rs256 => Self::Rs256,
            IdTokenAlgorithm::Es256 => Self::Es256,
            IdTokenAlgorithm::EdDsa => Self::EdDsa,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn strings(value: &Value) -> Vec<&str> {
        value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
    }

    #[test]
    fn the_smart_configuration_has_what_certification_asks_for() {
        // Covers: oauth-smart.md §1.1
        let urls = ServerUrls::new("https://ehr.example");
        let document = parsed(&smart_configuration(&urls, RegistrationOffer::Open));
        for name in [
            "authorization_endpoint",
            "token_endpoint",
            "issuer",
            "jwks_uri",
            "introspection_endpoint",
            "revocation_endpoint",
            "registration_endpoint",
            "management_endpoint",
        ] {
            assert!(document[name].as_str().unwrap().starts_with("https://ehr.example"), "{name}");
        }
        assert!(strings(&document["grant_types_supported"]).contains(&"authorization_code"));
        assert_eq!(strings(&document["code_challenge_methods_supported"]), ["S256"]);
        let methods = strings(&document["token_endpoint_auth_methods_supported"]);
        assert!(methods.contains(&"private_key_jwt"));
        let algorithms = strings(&document["token_endpoint_auth_signing_alg_values_supported"]);
        assert!(algorithms.contains(&"RS384") && algorithms.contains(&"ES384"));
        let capabilities = strings(&document["capabilities"]);
        for needed in [
            "launch-standalone",
            "launch-ehr",
            "client-public",
            "client-confidential-symmetric",
            "client-confidential-asymmetric",
            "sso-openid-connect",
            "context-standalone-patient",
            "context-banner",
            "context-style",
            "context-ehr-patient",
            "context-ehr-encounter",
            "permission-offline",
            "permission-patient",
            "permission-user",
            "authorize-post",
            "permission-v2",
            "permission-v1",
        ] {
            assert!(capabilities.contains(&needed), "{needed}");
        }
        assert!(strings(&document["scopes_supported"]).contains(&"patient/*.rs"));
    }

    #[test]
    fn registration_is_named_only_where_it_is_open() {
        let urls = ServerUrls::new("https://ehr.example");
        let document = parsed(&smart_configuration(&urls, RegistrationOffer::Closed));
        assert!(document.get("registration_endpoint").is_none());
    }

    #[test]
    fn every_scope_named_is_one_that_is_understood() {
        use proviso_core::scope::ScopeSet;
        let parsed = ScopeSet::parse(&SCOPES.join(" ")).unwrap();
        assert_eq!(parsed.unknown, Vec::<String>::new());
    }

    #[test]
    fn openid_discovery_has_the_required_fields() {
        // Covers: smart_openid_required_configuration_fields
        let urls = ServerUrls::new("https://ehr.example");
        let document = parsed(&openid_configuration(&urls, RegistrationOffer::Closed));
        for name in [
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "response_types_supported",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
        ] {
            assert!(document.get(name).is_some(), "{name}");
        }
        assert!(strings(&document["id_token_signing_alg_values_supported"]).contains(&"RS256"));
    }
}
