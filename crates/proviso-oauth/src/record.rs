//! What is kept between requests: registered apps, requests under way, codes, grants, tokens.
//!
//! These are values; which of them are written together is the caller's choice. Secrets and tokens
//! appear only as hashes, so that a copy of the database opens nothing (RFC 9700 §4.13).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proviso_core::category::PurposeOfUse;
use proviso_core::id::{
    AccountId, AuthorizationRequestId, ClientId, ConsentId, GrantId, PatientId, ResourceId,
    SessionId,
};
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::Scope;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 of an opaque token, code or secret that this server made with 256 bits of entropy.
///
/// A fast hash is right here: what it hashes cannot be guessed, unlike a password.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes the text form of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest as lower-case hex: the key under which the record is stored.
    pub fn to_hex(self) -> String {
        proviso_core::id::hex(&self.0)
    }

    /// Whether a presented token has this hash, compared in constant time.
    pub fn is_of(&self, token: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.ct_eq(&Self::of(token).0).into()
    }
}

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hex digits")]
pub struct TokenHashError;

impl TryFrom<String> for TokenHash {
    type Error = TokenHashError;

    fn try_from(text: String) -> Result<Self, TokenHashError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(TokenHashError),
        };
        if text.len() != 64 {
            return Err(TokenHashError);
        }
        let mut bytes = [0_u8; 32];
        for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return Err(TokenHashError) };
            *slot = (digit(*high)? << 4) | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_hex()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Bytes that must come back exactly as they were sent (`state`, RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpaqueBytes(pub Vec<u8>);

impl TryFrom<String> for OpaqueBytes {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        URL_SAFE_NO_PAD.decode(text).map(Self)
    }
}

impl From<OpaqueBytes> for String {
    fn from(bytes: OpaqueBytes) -> Self {
        URL_SAFE_NO_PAD.encode(bytes.0)
    }
}

// ---------------------------------------------------------------------------------------------
// Apps

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

impl Client {
    /// Whether the app cannot prove who it is.
    pub const fn is_public(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::None)
    }

    /// Whether the app may use a grant type.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }
}

// ---------------------------------------------------------------------------------------------
// Launch and authorization request

/// One item of SMART's `fhirContext` (SMART App Launch 2.2 "fhirContext").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FhirContextItem {
    /// A relative reference, `Type/id`.
    pub reference: String,
    /// The role; absent means `launch`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
}

/// What the app is told about where it was started, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LaunchContext {
    /// The patient in context.
    pub patient: Option<PatientId>,
    /// The visit in context.
    pub encounter: Option<ResourceId>,
    /// Further resources in context; never Patient or Encounter.
    #[serde(default)]
    pub fhir_context: Vec<FhirContextItem>,
    /// What the person wants to do.
    pub intent: Option<String>,
    /// Whether the app must show whose data it is; `None` when the launch did not come from an EHR.
    pub need_patient_banner: Option<bool>,
}

/// What a `launch` parameter stands for: one start of one app from inside the EHR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTicket {
    /// Hash of the `launch` value.
    pub hash: TokenHash,
    /// The app that was started; another one cannot use it.
    pub client: ClientId,
    /// Who started it; another person cannot use it.
    pub account: AccountId,
    /// The context at that moment.
    pub context: LaunchContext,
    /// When it was made.
    pub created_at: At,
    /// When it ends.
    pub expires_at: At,
    /// When it was used; it works once.
    pub consumed_at: Option<At>,
}

/// A PKCE challenge by S256: base64url of a SHA-256 digest, 43 characters (RFC 7636 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PkceChallenge(pub(crate) String);

impl PkceChallenge {
    /// The text as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The OIDC `prompt` values that matter here (OIDC Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// No page may be shown.
    None,
    /// The person must prove again who they are.
    Login,
    /// The person must be asked again.
    Consent,
    /// The person must choose who they are.
    SelectAccount,
}

/// What the app asked for, once validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedAuthorization {
    /// Which app.
    pub client: ClientId,
    /// Where the answer goes, exactly as sent.
    pub redirect_uri: String,
    /// `state`, byte for byte.
    pub state: Option<OpaqueBytes>,
    /// The scopes asked for that this server knows and the app is registered for.
    pub scopes: Vec<Scope>,
    /// The scope string as it came, for the record.
    pub scope_text: String,
    /// The PKCE challenge.
    pub challenge: PkceChallenge,
    /// The OIDC nonce.
    pub nonce: Option<String>,
    /// Which FHIR base the token is for.
    pub aud: String,
    /// The `launch` value of an EHR launch, by hash.
    pub launch: Option<TokenHash>,
    /// The OIDC prompts.
    pub prompt: Vec<Prompt>,
    /// The oldest sign-in accepted, in seconds.
    pub max_age_secs: Option<u32>,
    /// Whom the app expects to sign in; only a pre-filled field.
    pub login_hint: Option<String>,
}

/// How far a request has come.
///
/// ```text
/// Requested → SignedIn → PatientPicked → Decided
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum AuthorizationStage {
    /// Validated; nobody has signed in for it.
    Requested,
    /// Somebody signed in.
    SignedIn {
        /// Who.
        account: AccountId,
        /// In which session.
        session: SessionId,
        /// When they proved who they are.
        authenticated_at: At,
    },
    /// The patient (or that there is none) is settled.
    PatientPicked {
        /// Who.
        account: AccountId,
        /// In which session.
        session: SessionId,
        /// When they proved who they are.
        authenticated_at: At,
        /// For whom, and where.
        context: LaunchContext,
    },
    /// Answered; the request cannot be used again.
    Decided {
        /// Who.
        account: AccountId,
        /// When.
        at: At,
        /// The grant that was made, when access was allowed.
        grant: Option<GrantId>,
    },
}

impl AuthorizationStage {
    /// A stable word for the stage: preconditions and the log use it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::SignedIn { .. } => "signed-in",
            Self::PatientPicked { .. } => "patient-picked",
            Self::Decided { .. } => "decided",
        }
    }
}

/// A request under way in one browser (RFC 6749 §4.1.1); it survives restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The stable id, safe in a URL.
    pub id: AuthorizationRequestId,
    /// Counts changes, so that two tabs cannot both move the same request on.
    pub revision: u32,
    /// What was asked.
    pub requested: RequestedAuthorization,
    /// Hash of the cookie value of the browser that brought it; no other browser can go on with it.
    pub browser: TokenHash,
    /// When it came.
    pub created_at: At,
    /// When it ends if nobody answers.
    pub expires_at: At,
    /// How far it has come.
    pub stage: AuthorizationStage,
}

// ---------------------------------------------------------------------------------------------
// Code, grant, refresh token

/// An authorization code (RFC 6749 §4.1.2): at most 60 seconds, one use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// Hash of the code.
    pub hash: TokenHash,
    /// The only app that may redeem it.
    pub client: ClientId,
    /// The redirect URI of the request, which the token request must repeat.
    pub redirect_uri: String,
    /// The PKCE challenge.
    pub challenge: Option<PkceChallenge>,
    /// The grant it stands for.
    pub grant: GrantId,
    /// When it was issued.
    pub issued_at: At,
    /// When it ends.
    pub expires_at: At,
    /// When it was redeemed. The row stays until the grant is purged, so that reuse is noticed.
    pub consumed_at: Option<At>,
}

/// What a grant rests on: the two access modes of design §5, which never share a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum GrantBasis {
    /// A patient's sharing choice.
    Consent {
        /// Which one.
        consent: ConsentId,
    },
    /// A staff member's own role and relationship, through an app.
    Operational,
    /// An organisation's agreement with a service.
    PreAuthorized,
}

/// Whether and how long an app may renew its access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Renewal {
    /// Not at all.
    None,
    /// While the person stays signed in (`online_access`).
    WhileSignedIn {
        /// In this session.
        session: SessionId,
    },
    /// Also while the person is away (`offline_access`).
    Offline,
}

/// Why a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantEndReason {
    /// The person stopped sharing.
    ConsentRevoked,
    /// The app gave it back (RFC 7009).
    ClientRevoked,
    /// A code was used twice (RFC 6749 §4.1.2).
    CodeReused,
    /// A refresh token that had been replaced was used again (RFC 9700 §4.14.2).
    RefreshTokenReused,
    /// A newer grant took its place.
    Replaced,
    /// An administrator ended it.
    Administrator,
    /// Its time was over.
    Expired,
}

/// The end of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantEnd {
    /// When.
    pub at: At,
    /// Why.
    pub reason: GrantEndReason,
}

/// One OAuth authorization grant: what one app may do for one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The stable id; every token names it.
    pub id: GrantId,
    /// Which app.
    pub client: ClientId,
    /// Which person; none for a service.
    pub account: Option<AccountId>,
    /// What it rests on.
    pub basis: GrantBasis,
    /// The scopes granted.
    pub scopes: Vec<Scope>,
    /// Launch context told to the app.
    pub context: LaunchContext,
    /// What for.
    pub purpose: PurposeOfUse,
    /// Whether and how long it may be renewed.
    pub renewal: Renewal,
    /// The FHIR resource that is the person, when `fhirUser` was granted.
    pub fhir_user: Option<(ResourceType, ResourceId)>,
    /// When the person proved who they are.
    pub authenticated_at: Option<At>,
    /// The OIDC nonce of the request.
    pub nonce: Option<String>,
    /// When it was made.
    pub created_at: At,
    /// When it ends by itself.
    pub expires_at: Option<At>,
    /// How it ended, if it did.
    pub ended: Option<GrantEnd>,
}

impl Grant {
    /// Whether tokens of this grant may be used at an instant; the consent is judged elsewhere.
    pub fn is_live(&self, at: At) -> bool {
        self.ended.is_none() && self.expires_at.is_none_or(|end| at < end)
    }

    /// The consent it rests on.
    pub const fn consent(&self) -> Option<&ConsentId> {
        match &self.basis {
            GrantBasis::Consent { consent } => Some(consent),
            GrantBasis::Operational | GrantBasis::PreAuthorized => None,
        }
    }
}

/// The replacement of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Hash of the successor.
    pub to: TokenHash,
    /// When.
    pub at: At,
}

/// A refresh token (RFC 6749 §6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// Hash of the token.
    pub hash: TokenHash,
    /// The grant it renews.
    pub grant: GrantId,
    /// The only app that may use it.
    pub client: ClientId,
    /// 1 for the first token of a grant, then counting up by one.
    pub generation: u32,
    /// When it was issued.
    pub issued_at: At,
    /// When it ends if it is not used.
    pub expires_at: At,
    /// When the whole family ends, whatever the use.
    pub absolute_expires_at: At,
    /// What replaced it.
    pub rotated: Option<Rotation>,
}

/// An assertion that was accepted once and must not be again (RFC 7523 §3, `jti`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedAssertion {
    /// Who signed it.
    pub issuer: ClientId,
    /// Its `jti`.
    pub jti: String,
    /// When it would have ended anyway; the row may go then.
    pub expires_at: At,
}

// ---------------------------------------------------------------------------------------------
// Server keys

/// What a server key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Signs tokens with ES256 (P-256); PKCS#8 inside.
    SignEs256,
    /// Signs tokens with RS256 (RSA 2048); PKCS#8 inside.
    SignRs256,
    /// Signs tokens with EdDSA (Ed25519); PKCS#8 inside.
    SignEdDsa,
    /// Signs checkpoints of the audit log (Ed25519); PKCS#8 inside.
    Checkpoint,
    /// Keys HMACs and symmetric encryption of one server; 32 bytes inside.
    Derivation,
}

/// A server key, sealed under the master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// The `kid`.
    pub id: String,
    /// What it is for.
    pub key_use: KeyUse,
    /// Nonce and ciphertext of AES-256-GCM; id and use are bound as associated data.
    pub sealed: OpaqueBytes,
    /// When it was made.
    pub created_at: At,
    /// When it stopped signing, if it did.
    pub retired_at: Option<At>,
    /// Until when its public half stays published after that.
    pub publish_until: Option<At>,
}
