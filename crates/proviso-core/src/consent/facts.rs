//! What is read of a version of a consent when something is decided, wherever the version is kept.

use super::{Capacity, ConsentStatus, DurationChoice, NamedConsent, OfflineAccess, Recipient};
use super::{ConsentVersion, Standing};
use crate::category::{CategorySet, PurposeSet, SensitiveSet};
use crate::id::{AccountId, ConsentId, ConsentVersionId, PatientId};
use crate::scope::Scope;
use crate::time::{At, Period};

/// The part of a version that decisions, tokens and notices ask for: everything but the texts, the
/// place in the chain and the instant of recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentFacts<'a> {
    /// The consent.
    pub consent: &'a ConsentId,
    /// The name of the version: the hash of its content.
    pub version: &'a ConsentVersionId,
    /// Its number.
    pub number: u32,
    /// Draft, active, ended ...
    pub status: ConsentStatus,
    /// Whether it was ended by a person before its period was over.
    pub ended_early: bool,
    /// Whom the data is about.
    pub patient: &'a PatientId,
    /// Who gave it.
    pub given_by: &'a AccountId,
    /// In what capacity.
    pub capacity: Capacity,
    /// To whom.
    pub recipient: &'a Recipient,
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
    /// What tokens of this consent may carry at most.
    pub granted_scopes: &'a [Scope],
}

impl ConsentFacts<'_> {
    /// How the consent stands at an instant.
    pub fn standing(&self, at: At) -> Standing {
        match self.status {
            ConsentStatus::Active if self.period.contains(at) => Standing::InForce,
            ConsentStatus::Inactive if self.ended_early => Standing::Revoked,
            ConsentStatus::Active
            | ConsentStatus::Inactive
            | ConsentStatus::Draft
            | ConsentStatus::Proposed
            | ConsentStatus::Rejected
            | ConsentStatus::EnteredInError => Standing::NotInForce,
        }
    }

    /// Whether the consent is given and `at` lies inside its period.
    pub fn in_force(&self, at: At) -> bool {
        self.standing(at) == Standing::InForce
    }
}

impl ConsentFacts<'_> {
    /// As [`ConsentVersion::sensitive_known_to`].
    pub fn sensitive_known_to(&self, reader: Capacity) -> Option<SensitiveSet> {
        super::sensitive_known(self.sensitive, self.capacity, reader)
    }
}

impl ConsentVersion {
    /// Whether a person ended it before its period was over.
    pub(super) fn ended_early(&self) -> bool {
        self.status == ConsentStatus::Inactive
            && self.period.end.is_none_or(|end| self.recorded_at < end)
    }
}

impl NamedConsent {
    /// What is read of it when something is decided.
    pub fn facts(&self) -> ConsentFacts<'_> {
        let version = self.version();
        ConsentFacts {
            consent: &version.consent,
            version: self.id(),
            number: version.number,
            status: version.status,
            ended_early: version.ended_early(),
            patient: &version.patient,
            given_by: &version.given_by,
            capacity: version.capacity,
            recipient: &version.recipient,
            categories: version.categories,
            sensitive: version.sensitive,
            purposes: version.purposes,
            period: version.period,
            data_period: version.data_period,
            duration: version.duration,
            offline: version.offline,
            granted_scopes: &version.granted_scopes,
        }
    }
}
