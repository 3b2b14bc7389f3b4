//! Who signs in: accounts, roles, sessions, relationships.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::category::{CategorySet, SensitiveSet};
use crate::decision::org_rules::proxy_sensitive;
use crate::id::{AccountId, PatientId, SessionId};
use crate::mandate::Mandate;
use crate::org::RoleSet;
use crate::resource_type::ResourceType;
use crate::time::{At, Period};

/// What kind of actor an account is (design §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// The person the data is about.
    Patient,
    /// A relative or caregiver who acts for a patient.
    Proxy,
    /// A clinician with own responsibility.
    Clinician,
    /// A nurse on shift.
    Nurse,
    /// Other staff of the organisation.
    Staff,
    /// A privacy officer.
    PrivacyOfficer,
    /// A platform administrator; sees no clinical data.
    Administrator,
    /// A support agent; sees no clinical data.
    SupportAgent,
    /// A service without a person.
    System,
}

/// A login of a human on this server. The password hash is an argon2id PHC string.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The stable id.
    pub id: AccountId,
    /// What the person types at sign-in; unique within the tenant, compared case-insensitively.
    pub username: String,
    /// How pages address the person.
    pub display_name: String,
    /// What kind of actor this is.
    pub kind: ActorKind,
    /// The roles that the person has beside those of the kind, such as that of the privileged group
    /// for emergencies.
    #[serde(default, skip_serializing_if = "no_roles")]
    pub roles: RoleSet,
    /// The FHIR resource that is this person, for `fhirUser`.
    pub fhir_user: Option<(ResourceType, crate::id::ResourceId)>,
    /// The argon2id hash as a PHC string; `None` when the account cannot use a password.
    pub password_hash: Option<String>,
    /// The language of pages, as a BCP 47 tag; `None` follows the browser.
    pub language: Option<String>,
    /// Whether the account may sign in.
    pub status: AccountStatus,
    /// When it was made.
    pub created_at: At,
}

impl Account {
    /// Every role that the person has.
    pub const fn all_roles(&self) -> RoleSet {
        RoleSet::of_kind(self.kind).union(self.roles)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn no_roles(roles: &RoleSet) -> bool {
    roles.is_empty()
}

impl core::fmt::Debug for Account {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The hash is not printed: it would be an offline guessing target in a log.
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("roles", &self.roles)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Whether an account may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountStatus {
    /// May sign in.
    Active,
    /// May not; every session and token of it is dead.
    Disabled,
}

/// A signed-in browser session; the cookie secret itself is never stored, only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The stable id, safe to log.
    pub id: SessionId,
    /// SHA-256 of the cookie value, hex.
    pub secret_hash: String,
    /// Whose session it is.
    pub account: AccountId,
    /// When the person proved who they are.
    pub authenticated_at: At,
    /// When the session was last used.
    pub last_used_at: At,
    /// The absolute end, whatever the use.
    pub expires_at: At,
    /// When it was ended, if it was.
    pub ended_at: Option<At>,
}

/// How a person who is not the patient relates to a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relationship {
    /// Who.
    pub account: AccountId,
    /// To which patient.
    pub patient: PatientId,
    /// How.
    pub kind: RelationshipKind,
    /// When it holds, as stated.
    pub period: Period,
    /// The approval behind it, for those who act for the patient; it can only shorten the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<Mandate>,
}

impl Relationship {
    /// The same relationship with the period in which it really holds: as stated, and no longer than
    /// its mandate.
    #[must_use]
    pub fn limited(self) -> Self {
        let period = self.mandate.as_ref().map_or(self.period, |own| own.limit(self.period));
        Self { period, ..self }
    }

    /// The sensitive kinds that somebody who acts for the patient by it may see at an instant.
    pub fn proxy_sensitive_at(&self, at: At) -> SensitiveSet {
        self.mandate.as_ref().map_or_else(proxy_sensitive, |own| own.sensitive_at(at))
    }

    /// The kinds of record for which they act.
    pub fn proxy_categories(&self) -> CategorySet {
        self.mandate.as_ref().map_or_else(CategorySet::all, |own| own.categories)
    }
}

/// The kinds of relationship that organisation rules know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationshipKind {
    /// Treats the patient (general practitioner, care team, encounter).
    Care,
    /// On shift in the patient's department.
    Shift,
    /// Acts for the patient as a whole, as a parent of a minor or a legal representative does.
    Proxy,
}

/// Everything organisation rules know about one staff member or proxy at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relationships {
    /// All relationships on record, whatever their period.
    pub all: Vec<Relationship>,
}
