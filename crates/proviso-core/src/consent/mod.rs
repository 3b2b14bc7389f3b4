//! Consent: the patient's standing choice, in immutable versions named by their content.
//!
//! Knows what a version says, which version may follow which, and how a version is named. Does
//! not know FHIR's wire form, nor where versions are kept. Nothing here changes a version: each
//! verb takes one by reference and yields the next.

mod canonical;
mod change;
mod facts;
pub mod index;
mod lifecycle;
mod part2;
pub mod provision;
mod seen;
mod timeline;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use canonical::NamedConsent;
pub use change::Change;
pub use facts::ConsentFacts;
pub use lifecycle::{ConsentError, ConsentTerms, ConsentVerb, Standing, TRANSITIONS};
pub use part2::{Part2Gap, Part2Parties, part2_statements};
pub use seen::{Extent, SeenVersion};
pub use timeline::{ChainError, Timeline, follows};

use crate::category::{CategorySet, PurposeSet, SensitiveSet};
use crate::decision::org_rules::proxy_sensitive;
use crate::id::{AccountId, ClientId, ConsentId, ConsentVersionId, PatientId};
use crate::scope::Scope;
use crate::time::{At, Period};

/// FHIR R4 `consent-state-codes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentStatus {
    /// Being written.
    Draft,
    /// Offered, not yet given.
    Proposed,
    /// Given; in force while inside its period.
    Active,
    /// Refused.
    Rejected,
    /// Ended: revoked, expired or replaced.
    Inactive,
    /// Recorded by mistake.
    EnteredInError,
}

/// In what capacity the person who gave the consent gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capacity {
    /// The patient.
    Patient,
    /// A proxy of the patient.
    Proxy,
    /// A legal authority.
    LegalAuthority,
}

/// To whom data may go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum Recipient {
    /// A registered app.
    App(ClientId),
    /// A person with an account.
    Person(AccountId),
    /// An organisation, by the logical id of its Organization resource.
    Organization(crate::id::ResourceId),
    /// A care team, by the logical id of its CareTeam resource.
    CareTeam(crate::id::ResourceId),
}

/// How long the patient chose to share. The codes are those of the consent form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurationChoice {
    /// For this visit to the app: ends with the access token, at most one hour.
    Once,
    /// Thirty days.
    #[serde(rename = "30-days")]
    ThirtyDays,
    /// One year.
    #[serde(rename = "1-year")]
    OneYear,
    /// Until stopped, with a yearly reminder.
    UntilStopped,
}

/// Whether the app may go on while the patient is away (`offline_access`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfflineAccess {
    /// May refresh its access.
    Allowed,
    /// May not.
    Refused,
}

impl DurationChoice {
    /// All choices, in the order of the form.
    pub const ALL: &'static [Self] =
        &[Self::Once, Self::ThirtyDays, Self::OneYear, Self::UntilStopped];

    /// The code, as the form and the log use it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::ThirtyDays => "30-days",
            Self::OneYear => "1-year",
            Self::UntilStopped => "until-stopped",
        }
    }

    /// The period during which access is allowed, counted from an instant.
    pub fn period_from(self, at: At) -> Period {
        let end = match self {
            // LIMIT: one hour, the longest life of an access token (SMART App Launch 2.2).
            Self::Once => Some(at.plus_secs(3600)),
            Self::ThirtyDays => Some(at.plus_days(30)),
            Self::OneYear => Some(at.plus_days(365)),
            Self::UntilStopped => None,
        };
        Period { start: Some(at), end }
    }
}

impl core::str::FromStr for DurationChoice {
    type Err = crate::id::IdError;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|choice| choice.code() == code)
            .ok_or(crate::id::IdError::Malformed)
    }
}

/// One immutable version of a consent (design §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentVersion {
    /// The consent this is a version of.
    pub consent: ConsentId,
    /// 1 for the first version, then counting up by one.
    pub number: u32,
    /// The version before this one.
    pub predecessor: Option<ConsentVersionId>,
    /// Draft, active, ended ...
    pub status: ConsentStatus,
    /// Whom the data is about.
    pub patient: PatientId,
    /// Who gave it.
    pub given_by: AccountId,
    /// In what capacity.
    pub capacity: Capacity,
    /// To whom.
    pub recipient: Recipient,
    /// Kinds of record.
    pub categories: CategorySet,
    /// Sensitive kinds named.
    pub sensitive: SensitiveSet,
    /// What for.
    pub purposes: PurposeSet,
    /// When access is allowed.
    pub period: Period,
    /// Which clinical time the data may come from.
    pub data_period: Period,
    /// The duration as chosen.
    pub duration: DurationChoice,
    /// Whether the app may go on while the patient is away.
    pub offline: OfflineAccess,
    /// The OAuth scopes this choice compiles to: what tokens of this consent may carry at most.
    pub granted_scopes: Vec<Scope>,
    /// The legal basis, as a code of the organisation's list.
    pub legal_basis: String,
    /// The terms shown (`Consent.policy.uri`).
    pub policy_uri: String,
    /// BCP 47 tag of the text shown.
    pub language: String,
    /// The exact text shown.
    pub shown_text: String,
    /// SHA-256 of the exact text shown, hex.
    pub shown_text_hash: String,
    /// When this version was recorded.
    pub recorded_at: At,
    /// Why this version exists, in the words of the person or rule that made it.
    pub change_reason: Option<String>,
}

impl ConsentVersion {
    /// Whether the text shown is the one whose hash the version holds.
    pub fn text_fits_hash(&self) -> bool {
        canonical::text_hash(&self.shown_text) == self.shown_text_hash
    }

    /// The sensitive kinds named, as far as a reader in this capacity may know them; `None` when
    /// not even whether there are any.
    ///
    /// What patients named themselves they named in confidence: a parent who sees that a teenager
    /// named a kind learns of care that the records hide. A choice of a proxy cannot take effect
    /// for more than a proxy may see.
    pub fn sensitive_known_to(&self, reader: Capacity) -> Option<SensitiveSet> {
        sensitive_known(self.sensitive, self.capacity, reader)
    }
}

/// Of sensitive kinds that were named in one capacity, those that a reader in another may know.
fn sensitive_known(named: SensitiveSet, by: Capacity, reader: Capacity) -> Option<SensitiveSet> {
    match (reader, by) {
        (Capacity::Patient, _) => Some(named),
        (Capacity::Proxy | Capacity::LegalAuthority, Capacity::Patient) => None,
        (
            Capacity::Proxy | Capacity::LegalAuthority,
            Capacity::Proxy | Capacity::LegalAuthority,
        ) => Some(named.intersection(proxy_sensitive())),
    }
}

#[cfg(test)]
pub(crate) mod tests;
