//! Registered apps.

use proviso_core::category::PurposeOfUse;
use proviso_core::id::ClientId;
use proviso_core::scope::Scope;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

use super::TokenHash;

/// How an app proves who it is at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ClientAuthentication {
    /// It cannot: a public client (RFC 6749 §2.1).
    None,
    /// A secret that this server generated, sent by Basic header or in the body.
    ClientSecret {
        /// Hash of the secret.
        secret_hash: TokenHash,
    },
    /// A signed assertion (RFC 7523, SMART "asymmetric").
    PrivateKeyJwt {
        /// Where the app's public keys are.
        keys: ClientKeys,
    },
}

/// Where an app's public keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum ClientKeys {
    /// The JWK set itself, as registered.
    Inline(String),
    /// The URL of the JWK set.
    Uri(String),
}

/// Which rules of security profiles hold for an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientProfile {
    /// SMART App Launch 2.2: assertions may name the token URL or the issuer.
    Smart,
    /// FAPI 2.0: assertions name the issuer only; no RSASSA-PKCS1.
    Fapi2,
}

/// An OAuth grant type that this server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4, with asymmetric authentication only (SMART Backend Services).
    ClientCredentials,
}

/// Whether an app may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientStatus {
    /// May be used.
    Active,
    /// Switched off: no requests, no tokens, and tokens already out are dead.
    Disabled,
}

/// The signature of ID tokens, per app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdTokenAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: the OIDC default, and what SMART asks for.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// How long tokens of an app live, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLifetimes {
    /// Access tokens; at most 3600.
    pub access_secs: u32,
    /// Refresh tokens from their last use; at least three months for SMART apps.
    pub refresh_secs: u32,
    /// Refresh tokens from the first grant on, whatever their use.
    pub refresh_absolute_secs: u32,
}

impl TokenLifetimes {
    /// Five minutes; 100 days sliding (certification asks for three months and more); two years.
    pub const DEFAULT: Self =
        Self { access_secs: 300, refresh_secs: 100 * 86_400, refresh_absolute_secs: 730 * 86_400 };
}

/// A registered app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its `client_id`.
    pub id: ClientId,
    /// The name people see.
    pub name: String,
    /// What it does, in its maker's words.
    pub description: Option<String>,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// Which profile's rules hold.
    pub profile: ClientProfile,
    /// Exact redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Exact launch URIs for launches from inside the EHR.
    pub launch_uris: Vec<String>,
    /// The most it may ever ask for.
    pub scopes: Vec<Scope>,
    /// The grant types it may use.
    pub grant_types: Vec<GrantType>,
    /// Browser origins that may call the token endpoint and the FHIR API.
    pub origins: Vec<String>,
    /// What its access is for.
    pub purpose: PurposeOfUse,
    /// Whom to ask: mail addresses or URLs.
    pub contacts: Vec<String>,
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its logo; shown as a link, never fetched by our pages.
    pub logo_uri: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
    /// Whether it may be used.
    pub status: ClientStatus,
    /// How long its tokens live.
    pub lifetimes: TokenLifetimes,
    /// How its ID tokens are signed.
    pub id_token_signed_response_alg: IdTokenAlgorithm,
    /// When it was registered.
    pub created_at: At,
}

/// How the ids of apps that register themselves begin. The prefix keeps them apart from account
/// ids, which are the `sub` of people (R25).
pub const SELF_REGISTERED_PREFIX: &str = "app-";
/// Random bytes in such an id, in lower-case hex.
pub const SELF_REGISTERED_BYTES: usize = 12;

impl Client {
    /// Whether the app cannot prove who it is.
    pub const fn is_public(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::None)
    }

    /// Whether the app registered itself (RFC 7591), as its id tells: no organisation has looked
    /// at it, so it is for patients and not for staff.
    pub fn registered_itself(&self) -> bool {
        self.id.as_str().strip_prefix(SELF_REGISTERED_PREFIX).is_some_and(|rest| {
            rest.len() == 2 * SELF_REGISTERED_BYTES
                && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// Whether the app may use a grant type.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }
}
