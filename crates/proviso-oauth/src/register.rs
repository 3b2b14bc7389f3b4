//! Registration of apps by themselves (RFC 7591).

use proviso_core::category::PurposeOfUse;
use proviso_core::id::ClientId;
use proviso_core::scope::ScopeSet;
use proviso_core::secret::Secret;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::jose;
use crate::record::{
    Client, ClientAuthentication, ClientKeys, ClientProfile, ClientStatus, GrantType,
    IdTokenAlgorithm, TokenHash, TokenLifetimes,
};
use crate::redirect::{self, RedirectUriError};
use crate::token;

/// What an app says about itself. Unknown members are ignored (RFC 7591 §2).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    redirect_uris: Vec<String>,
    launch_uris: Vec<String>,
    initiate_login_uri: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    scope: Option<String>,
    contacts: Vec<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    jwks_uri: Option<String>,
    jwks: Option<serde_json::Value>,
    id_token_signed_response_alg: Option<IdTokenAlgorithm>,
}

/// Why an app is not registered (RFC 7591 §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The body is not what RFC 7591 describes.
    #[error("the body is not client metadata")]
    Malformed,
    /// A redirect URI cannot be registered.
    #[error(transparent)]
    RedirectUri(#[from] RedirectUriError),
    /// There is no redirect URI, or too many.
    #[error("the authorization code flow needs one to sixteen redirect URIs")]
    RedirectUriCount,
    /// A member has a value that is not offered.
    #[error("`{0}` has a value that is not offered")]
    Member(&'static str),
    /// Registration is not open.
    #[error("registration is not open here")]
    Closed,
    /// Too many apps were registered from there, or in all, within the hour.
    #[error("too many apps were registered, try again later")]
    TooMany,
}

impl RegistrationError {
    /// The `error` code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RedirectUri(_) | Self::RedirectUriCount => "invalid_redirect_uri",
            Self::Malformed | Self::Member(_) => "invalid_client_metadata",
            Self::Closed => "access_denied",
            Self::TooMany => "temporarily_unavailable",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Closed => 403,
            Self::TooMany => 429,
            Self::Malformed | Self::RedirectUri(_) | Self::RedirectUriCount | Self::Member(_) => {
                400
            }
        }
    }

    /// The JSON body.
    pub fn to_json(self) -> String {
        token::error_json(self.code(), &self.to_string())
    }
}

/// The id and secret that a new app is given.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Its `client_id`.
    pub id: ClientId,
    /// Its secret, if it is to have one; 256 bits of entropy as text.
    pub secret: Secret<String>,
}

/// How a newly registered app proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    Secret,
    PrivateKeyJwt,
}

impl Metadata {
    /// Reads a request body.
    ///
    /// # Errors
    /// When it is not a JSON object of the expected members.
    pub fn parse(body: &[u8]) -> Result<Self, RegistrationError> {
        jose::object_from_json(body).ok_or(RegistrationError::Malformed)
    }

    /// Checks what an app says about itself and makes a record of it.
    ///
    /// An app that registers itself is for patients and has no system scopes: those are agreed with
    /// an organisation, not taken.
    ///
    /// # Errors
    /// With the member that stands in the way.
    pub fn into_client(self, issued: &Issued, at: At) -> Result<Client, RegistrationError> {
        let method = self.method()?;
        let grant_types = self.grant_types(method)?;
        self.check_uris(&grant_types)?;
        let scopes = self.scopes(&grant_types)?;
        let authentication = match method {
            Method::None => ClientAuthentication::None,
            Method::Secret => ClientAuthentication::ClientSecret {
                secret_hash: TokenHash::of(issued.secret.expose()),
            },
            Method::PrivateKeyJwt => ClientAuthentication::PrivateKeyJwt { keys: self.keys()? },
        };
        let origins = origins(&self.redirect_uris);
        let mut launch_uris = self.launch_uris;
        launch_uris.extend(self.initiate_login_uri);
        let name = self.client_name.filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| issued.id.as_str().to_owned());
        if name.chars().count() > 80 || !is_plain_text(&name) {
            return Err(RegistrationError::Member("client_name"));
        }
        Ok(Client {
            id: issued.id.clone(),
            name,
            description: None,
            authentication,
            profile: ClientProfile::Smart,
            redirect_uris: self.redirect_uris,
            launch_uris,
            scopes,
            grant_types,
            origins,
            purpose: PurposeOfUse::PatientRequest,
            contacts: self.contacts,
            client_uri: self.client_uri,
            logo_uri: self.logo_uri,
            policy_uri: self.policy_uri,
            tos_uri: self.tos_uri,
            status: ClientStatus::Active,
            lifetimes: TokenLifetimes::DEFAULT,
            id_token_signed_response_alg: self
                .id_token_signed_response_alg
                .unwrap_or(IdTokenAlgorithm::Rs256),
            created_at: at,
        })
    }

    fn method(&self) -> Result<Method, RegistrationError> {
        match self.token_endpoint_auth_method.as_deref() {
            Some("none") => Ok(Method::None),
            // RFC 7591 §2: without a method, `client_secret_basic` is meant.
            None | Some("client_secret_basic" | "client_secret_post") => Ok(Method::Secret),
            Some("private_key_jwt") => Ok(Method::PrivateKeyJwt),
            Some(_) => Err(RegistrationError::Member("token_endpoint_auth_method")),
        }
    }

    fn grant_types(&self, method: Method) -> Result<Vec<GrantType>, RegistrationError> {
        if self.response_types.as_ref().is_some_and(|types| types.iter().any(|t| t != "code")) {
            return Err(RegistrationError::Member("response_types"));
        }
        let Some(named) = &self.grant_types else {
            return Ok(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]);
        };
        let refused = RegistrationError::Member("grant_types");
        let mut types = Vec::new();
        for name in named {
            let grant_type = match name.as_str() {
                "authorization_code" => GrantType::AuthorizationCode,
                "refresh_token" => GrantType::RefreshToken,
                // A344: services sign.
                "client_credentials" if method == Method::PrivateKeyJwt => {
                    GrantType::ClientCredentials
                }
                _ => return Err(refused),
            };
            if !types.contains(&grant_type) {
                types.push(grant_type);
            }
        }
        if types.is_empty() { Err(refused) } else { Ok(types) }
    }

    fn check_uris(&self, grant_types: &[GrantType]) -> Result<(), RegistrationError> {
        let needs_redirect = grant_types.contains(&GrantType::AuthorizationCode);
        if (needs_redirect && self.redirect_uris.is_empty()) || self.redirect_uris.len() > 16 {
            return Err(RegistrationError::RedirectUriCount);
        }
        if self.launch_uris.len() > 16 {
            return Err(RegistrationError::Member("launch_uris"));
        }
        for uri in
            self.redirect_uris.iter().chain(&self.launch_uris).chain(&self.initiate_login_uri)
        {
            redirect::check_registration(uri)?;
        }
        for (name, uri) in [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
        ] {
            if uri.as_deref().is_some_and(|uri| !is_web_page(uri)) {
                return Err(RegistrationError::Member(name));
            }
        }
        let fits = |contact: &String| contact.len() <= 256 && is_plain_text(contact);
        if self.contacts.len() > 8 || !self.contacts.iter().all(fits) {
            return Err(RegistrationError::Member("contacts"));
        }
        Ok(())
    }

    fn scopes(
        &self,
        grant_types: &[GrantType],
    ) -> Result<Vec<proviso_core::scope::Scope>, RegistrationError> {
        let malformed = RegistrationError::Member("scope");
        // Nothing named: what a patient's app commonly needs.
        let text = self
            .scope
            .as_deref()
            .unwrap_or("openid fhirUser profile launch launch/patient offline_access patient/*.rs");
        let parsed = ScopeSet::parse(text).map_err(|_| malformed)?;
        // What the organisation agrees with a service, nobody gives themselves.
        let system = |scope: &proviso_core::scope::Scope| {
            *scope == proviso_core::scope::Scope::AccessEvaluation
                || scope.as_resource().is_some_and(|resource| {
                    resource.context == proviso_core::scope::ScopeContext::System
                })
        };
        let scopes: Vec<_> = parsed.known.iter().filter(|scope| !system(scope)).cloned().collect();
        let only_service = !grant_types.contains(&GrantType::AuthorizationCode);
        if scopes.is_empty() && !only_service { Err(malformed) } else { Ok(scopes) }
    }

    fn keys(&self) -> Result<ClientKeys, RegistrationError> {
        match (&self.jwks, &self.jwks_uri) {
            // RFC 7591 §2: not both.
            (Some(_), Some(_)) => Err(RegistrationError::Member("jwks")),
            (Some(jwks), None) => {
                let text = jwks.to_string();
                if jose::is_registrable_jwks(&text) {
                    Ok(ClientKeys::Inline(text))
                } else {
                    Err(RegistrationError::Member("jwks"))
                }
            }
            (None, Some(uri)) if is_web_page(uri) => Ok(ClientKeys::Uri(uri.clone())),
            (None, _) => Err(RegistrationError::Member("jwks_uri")),
        }
    }
}

/// Whether a text reads as it is written: without control characters, and without those that are
/// not seen or that turn the direction of what follows, by which one name could pass for another.
fn is_plain_text(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(c,
                '\u{00ad}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    })
}

/// `https`, or `http` on loopback: a URL that a page may link to.
fn is_web_page(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
        && redirect::check_registration(uri).is_ok()
}

/// The browser origins of redirect URIs: they may call the token endpoint and the FHIR API (A17).
fn origins(redirect_uris: &[String]) -> Vec<String> {
    let mut origins: Vec<String> = Vec::new();
    for uri in redirect_uris {
        let Ok(url) = Url::parse(uri) else { continue };
        let origin = url.origin();
        if origin.is_tuple() && !origins.contains(&origin.ascii_serialization()) {
            origins.push(origin.ascii_serialization());
        }
    }
    origins
}

/// The answer to a registration (RFC 7591 §3.2.1).
#[derive(Clone, Serialize)]
pub struct Registered {
    client_id: String,
    client_id_issued_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    client_name: String,
    redirect_uris: Vec<String>,
    launch_uris: Vec<String>,
    grant_types: Vec<GrantType>,
    response_types: Vec<&'static str>,
    scope: String,
    token_endpoint_auth_method: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<serde_json::Value>,
    id_token_signed_response_alg: IdTokenAlgorithm,
}

impl core::fmt::Debug for Registered {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Registered").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Registered {
    /// The answer for a new app.
    pub fn of(client: &Client, issued: &Issued) -> Self {
        let (method, secret, jwks_uri, jwks) = match &client.authentication {
            ClientAuthentication::None => ("none", None, None, None),
            ClientAuthentication::ClientSecret { .. } => {
                ("client_secret_basic", Some(issued.secret.expose().clone()), None, None)
            }
            ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Uri(uri) } => {
                ("private_key_jwt", None, Some(uri.clone()), None)
            }
            ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Inline(text) } => {
                ("private_key_jwt", None, None, serde_json::from_str(text).ok())
            }
        };
        let with_code = client.may_use(GrantType::AuthorizationCode);
        Self {
            client_id: client.id.as_str().to_owned(),
            client_id_issued_at: client.created_at.as_secs(),
            // RFC 7591 §3.2.1: 0 means that it does not end.
            client_secret_expires_at: secret.as_ref().map(|_| 0),
            client_secret: secret,
            client_name: client.name.clone(),
            redirect_uris: client.redirect_uris.clone(),
            launch_uris: client.launch_uris.clone(),
            grant_types: client.grant_types.clone(),
            response_types: if with_code { vec!["code"] } else { Vec::new() },
            scope: token::scope_text(&client.scopes),
            token_endpoint_auth_method: method,
            contacts: client.contacts.clone(),
            client_uri: client.client_uri.clone(),
            logo_uri: client.logo_uri.clone(),
            policy_uri: client.policy_uri.clone(),
            tos_uri: client.tos_uri.clone(),
            jwks_uri,
            jwks,
            id_token_signed_response_alg: client.id_token_signed_response_alg,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::NOW;

    fn issued() -> Issued {
        Issued { id: "app-1".parse().unwrap(), secret: Secret::new("s3cret".to_owned()) }
    }

    fn register(body: &serde_json::Value) -> Result<Client, RegistrationError> {
        Metadata::parse(body.to_string().as_bytes())?.into_client(&issued(), NOW)
    }

    #[test]
    fn a_browser_app_registers_as_public_with_its_origin() {
        // Covers: SMART 24, A17
        let client = register(&serde_json::json!({
            "client_name": "My app",
            "redirect_uris": ["https://app.example/cb", "http://127.0.0.1:9123/cb"],
            "token_endpoint_auth_method": "none",
            "unknown_member": 1,
        }))
        .unwrap();
        assert!(client.is_public());
        assert_eq!(client.origins, ["https://app.example", "http://127.0.0.1:9123"]);
        let answer = serde_json::to_value(Registered::of(&client, &issued())).unwrap();
        assert_eq!(answer["client_id"], "app-1");
        assert!(answer.get("client_secret").is_none());
    }

    #[test]
    fn a_confidential_app_is_told_its_secret_once() {
        let client =
            register(&serde_json::json!({ "redirect_uris": ["https://app.example/cb"] })).unwrap();
        let answer = serde_json::to_value(Registered::of(&client, &issued())).unwrap();
        assert_eq!(answer["client_secret"], "s3cret");
        assert!(!serde_json::to_string(&client).unwrap().contains("s3cret"));
    }

    #[test]
    fn bad_metadata_is_refused_by_name() {
        // Covers: R3, O7, S11
        use serde_json::json;
        let with = |name: &str, value: serde_json::Value| {
            let mut body = json!({ "redirect_uris": ["https://app.example/cb"] });
            body[name] = value;
            register(&body).map(|_| ()).map_err(RegistrationError::code)
        };
        for (name, value, expected) in [
            ("redirect_uris", json!([]), "invalid_redirect_uri"),
            ("redirect_uris", json!(["https://app.example/cb#x"]), "invalid_redirect_uri"),
            ("redirect_uris", json!(["http://app.example/cb"]), "invalid_redirect_uri"),
            ("redirect_uris", json!("https://app.example/cb"), "invalid_client_metadata"),
            ("grant_types", json!(["implicit"]), "invalid_client_metadata"),
            ("grant_types", json!(["client_credentials"]), "invalid_client_metadata"),
            ("response_types", json!(["token"]), "invalid_client_metadata"),
            ("logo_uri", json!("javascript:alert(1)"), "invalid_client_metadata"),
            ("scope", json!("patient/Patient.sr"), "invalid_client_metadata"),
            ("scope", json!("system/*.rs"), "invalid_client_metadata"),
            ("token_endpoint_auth_method", json!("tls_client_auth"), "invalid_client_metadata"),
            ("token_endpoint_auth_method", json!("private_key_jwt"), "invalid_client_metadata"),
            ("client_name", json!("x".repeat(81)), "invalid_client_metadata"),
            ("client_name", json!("Glucose \u{202e}hcaoC"), "invalid_client_metadata"),
            ("client_name", json!("Glucose\u{200b} Coach"), "invalid_client_metadata"),
            ("contacts", json!(["a\nb"]), "invalid_client_metadata"),
            ("launch_uris", json!(vec!["https://a.example/l"; 17]), "invalid_client_metadata"),
            ("redirect_uris", json!(["https://evil.example;sandbox/"]), "invalid_redirect_uri"),
            ("redirect_uris", json!(null), "invalid_client_metadata"),
        ] {
            assert_eq!(with(name, value.clone()), Err(expected), "{name}={value}");
        }
    }
}
