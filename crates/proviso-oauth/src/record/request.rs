//! Launches and authorization requests under way.

use proviso_core::id::{
    AccountId, AuthorizationRequestId, ClientId, EmergencyId, GrantId, PatientId, ResourceId,
    SessionId,
};
use proviso_core::scope::Scope;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

use super::{OpaqueBytes, TokenHash};

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
    /// The emergency that the person declared for this patient, when the app is started under it;
    /// asks for access for BTG by name. It is not told to the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<EmergencyId>,
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
