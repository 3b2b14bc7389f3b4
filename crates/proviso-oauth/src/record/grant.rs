//! Codes, grants, refresh tokens, used assertions.

use proviso_core::category::PurposeOfUse;
use proviso_core::id::{
    AccountId, ClientId, ConsentId, EmergencyId, GrantId, ResourceId, SessionId,
};
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::Scope;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

use super::{LaunchContext, PkceChallenge, TokenHash};

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
    /// A staff member's declared emergency, for one patient and a short time.
    Emergency {
        /// Which one.
        emergency: EmergencyId,
    },
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
    /// The emergency that it rested on was ended.
    EmergencyEnded,
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
            GrantBasis::Operational | GrantBasis::Emergency { .. } | GrantBasis::PreAuthorized => {
                None
            }
        }
    }

    /// The declared emergency it rests on.
    pub const fn emergency(&self) -> Option<&EmergencyId> {
        match &self.basis {
            GrantBasis::Emergency { emergency } => Some(emergency),
            GrantBasis::Consent { .. } | GrantBasis::Operational | GrantBasis::PreAuthorized => {
                None
            }
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
