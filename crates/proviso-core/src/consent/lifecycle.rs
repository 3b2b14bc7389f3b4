//! The five verbs: record, amend, revoke, expire, mark in error.
//!
//! ```text
//! (none)   --record--------> active
//! draft    --amend---------> active
//! draft    --revoke--------> inactive
//! draft    --mark in error-> entered-in-error
//! proposed --amend---------> active
//! proposed --revoke--------> inactive
//! proposed --expire--------> inactive
//! proposed --mark in error-> entered-in-error
//! active   --amend---------> active
//! active   --revoke--------> inactive
//! active   --expire--------> inactive
//! active   --mark in error-> entered-in-error
//! rejected --mark in error-> entered-in-error
//! inactive --mark in error-> entered-in-error
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::canonical::text_hash;
use super::{Capacity, ConsentStatus, ConsentVersion, DurationChoice, OfflineAccess, Recipient};
use crate::category::{CategorySet, PurposeSet, SensitiveSet};
use crate::id::{AccountId, ConsentId, PatientId};
use crate::scope::Scope;
use crate::time::{At, Period};

/// What is done to a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentVerb {
    /// Save a new choice.
    Record,
    /// Change it.
    Amend,
    /// Stop sharing.
    Revoke,
    /// Its time is over.
    Expire,
    /// It was recorded by mistake.
    MarkInError,
}

impl ConsentVerb {
    /// The word that the log uses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Amend => "amend",
            Self::Revoke => "revoke",
            Self::Expire => "expire",
            Self::MarkInError => "mark-in-error",
        }
    }
}

/// Every transition there is: status before, verb, status after. What is not here is refused.
pub const TRANSITIONS: &[(Option<ConsentStatus>, ConsentVerb, ConsentStatus)] = {
    use ConsentStatus::{Active, Draft, EnteredInError, Inactive, Proposed, Rejected};
    use ConsentVerb::{Amend, Expire, MarkInError, Record, Revoke};
    &[
        (None, Record, Active),
        (Some(Draft), Amend, Active),
        (Some(Draft), Revoke, Inactive),
        (Some(Draft), MarkInError, EnteredInError),
        (Some(Proposed), Amend, Active),
        (Some(Proposed), Revoke, Inactive),
        (Some(Proposed), Expire, Inactive),
        (Some(Proposed), MarkInError, EnteredInError),
        (Some(Active), Amend, Active),
        (Some(Active), Revoke, Inactive),
        (Some(Active), Expire, Inactive),
        (Some(Active), MarkInError, EnteredInError),
        (Some(Rejected), MarkInError, EnteredInError),
        (Some(Inactive), MarkInError, EnteredInError),
    ]
};

/// What a person decides; everything of a version but its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentTerms {
    /// Whom the data is about.
    pub patient: PatientId,
    /// Who gives it.
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
    /// When access is allowed; usually [`DurationChoice::period_from`].
    pub period: Period,
    /// Which clinical time the data may come from.
    pub data_period: Period,
    /// The duration as chosen.
    pub duration: DurationChoice,
    /// Whether the app may go on while the patient is away.
    pub offline: OfflineAccess,
    /// What tokens of this consent may carry at most.
    pub granted_scopes: Vec<Scope>,
    /// The legal basis, as a code of the organisation's list.
    pub legal_basis: String,
    /// The terms shown.
    pub policy_uri: String,
    /// BCP 47 tag of the text shown.
    pub language: String,
    /// The exact text shown.
    pub shown_text: String,
}

/// Why a version cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum ConsentError {
    /// The verb does not apply to a consent in this status.
    #[error("cannot {} a consent that is `{}`", verb.code(), from.code())]
    NoTransition {
        /// The status now.
        from: ConsentStatus,
        /// What was tried.
        verb: ConsentVerb,
    },
    /// No kind of record is chosen.
    #[error("no kind of record is chosen")]
    NoCategory,
    /// No purpose is named.
    #[error("no purpose is named")]
    NoPurpose,
    /// The period of validity ends before it starts, or has no instant in it.
    #[error("period of validity is empty")]
    EmptyPeriod,
    /// The data period ends before it starts, or has no instant in it.
    #[error("data period is empty")]
    EmptyDataPeriod,
    /// The period would already be over when the version is recorded.
    #[error("period of validity is already over")]
    AlreadyOver,
    /// The text that the person saw is missing.
    #[error("text shown is missing")]
    NoShownText,
    /// The language of the text, the legal basis or the terms are missing.
    #[error("language, legal basis or terms are missing")]
    NoLegalContext,
    /// The app would keep access while the person is away, although they refused that.
    #[error("scopes include offline access, which was refused")]
    OfflineNotChosen,
    /// A change of an existing choice names another patient or another recipient.
    #[error("a change cannot move a choice to another patient or recipient")]
    OtherParties,
    /// The numbering is exhausted.
    #[error("too many versions")]
    TooManyVersions,
    /// The period has not ended yet, so the consent cannot have expired.
    #[error("period of validity is not over")]
    NotOver,
}

/// How a consent stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Given, and inside its period.
    InForce,
    /// Ended by a person before its time.
    Revoked,
    /// Not given, not begun, over, or recorded by mistake.
    NotInForce,
}

impl ConsentTerms {
    /// Checks what a person decided, as of the instant at which it is recorded.
    fn validate(&self, at: At) -> Result<(), ConsentError> {
        if self.categories.is_empty() {
            return Err(ConsentError::NoCategory);
        }
        if self.purposes.is_empty() {
            return Err(ConsentError::NoPurpose);
        }
        if is_empty(&self.period) {
            return Err(ConsentError::EmptyPeriod);
        }
        if self.period.end.is_some_and(|end| end <= at) {
            return Err(ConsentError::AlreadyOver);
        }
        if is_empty(&self.data_period) {
            return Err(ConsentError::EmptyDataPeriod);
        }
        if self.shown_text.is_empty() {
            return Err(ConsentError::NoShownText);
        }
        if self.language.is_empty() || self.legal_basis.is_empty() || self.policy_uri.is_empty() {
            return Err(ConsentError::NoLegalContext);
        }
        let offline_scope = self.granted_scopes.contains(&Scope::OfflineAccess);
        if offline_scope && self.offline == OfflineAccess::Refused {
            return Err(ConsentError::OfflineNotChosen);
        }
        Ok(())
    }
}

fn is_empty(period: &Period) -> bool {
    matches!((period.start, period.end), (Some(start), Some(end)) if end <= start)
}

fn transition(from: Option<ConsentStatus>, verb: ConsentVerb) -> Option<ConsentStatus> {
    TRANSITIONS
        .iter()
        .find(|(before, with, _)| *before == from && *with == verb)
        .map(|(_, _, after)| *after)
}

impl ConsentVersion {
    /// Records a new choice: version 1, active.
    ///
    /// # Errors
    /// When the terms are incomplete or contradict themselves.
    pub fn record(consent: ConsentId, terms: ConsentTerms, at: At) -> Result<Self, ConsentError> {
        terms.validate(at)?;
        Ok(Self {
            consent,
            number: 1,
            predecessor: None,
            status: ConsentStatus::Active,
            shown_text_hash: text_hash(&terms.shown_text),
            patient: terms.patient,
            given_by: terms.given_by,
            capacity: terms.capacity,
            recipient: terms.recipient,
            categories: terms.categories,
            sensitive: terms.sensitive,
            purposes: terms.purposes,
            period: terms.period,
            data_period: terms.data_period,
            duration: terms.duration,
            offline: terms.offline,
            granted_scopes: terms.granted_scopes,
            legal_basis: terms.legal_basis,
            policy_uri: terms.policy_uri,
            language: terms.language,
            shown_text: terms.shown_text,
            recorded_at: at,
            change_reason: None,
        })
    }

    /// Changes the choice: the next version, with new terms for the same patient and recipient.
    ///
    /// # Errors
    /// When the consent has ended, or the terms are wrong or move it to other parties.
    pub fn amend(
        &self,
        terms: ConsentTerms,
        at: At,
        change_reason: Option<String>,
    ) -> Result<Self, ConsentError> {
        let status = self.after(ConsentVerb::Amend)?;
        if terms.patient != self.patient || terms.recipient != self.recipient {
            return Err(ConsentError::OtherParties);
        }
        let fresh = Self::record(self.consent.clone(), terms, at)?;
        self.next(status, at, change_reason, fresh)
    }

    /// Stops sharing: the next version says so and keeps the terms for the record.
    ///
    /// # Errors
    /// When the consent has already ended.
    pub fn revoke(&self, at: At, change_reason: Option<String>) -> Result<Self, ConsentError> {
        let status = self.after(ConsentVerb::Revoke)?;
        self.next(status, at, change_reason, self.clone())
    }

    /// Ends a consent whose period is over.
    ///
    /// # Errors
    /// When the consent has already ended, or its period is not over at `at`.
    pub fn expire(&self, at: At) -> Result<Self, ConsentError> {
        let status = self.after(ConsentVerb::Expire)?;
        if self.period.end.is_none_or(|end| at < end) {
            return Err(ConsentError::NotOver);
        }
        self.next(status, at, None, self.clone())
    }

    /// Marks the consent as recorded by mistake.
    ///
    /// # Errors
    /// When it is already marked.
    pub fn mark_in_error(&self, at: At, change_reason: String) -> Result<Self, ConsentError> {
        let status = self.after(ConsentVerb::MarkInError)?;
        self.next(status, at, Some(change_reason), self.clone())
    }

    /// What a person decided, as a starting point for a change.
    pub fn terms(&self) -> ConsentTerms {
        ConsentTerms {
            patient: self.patient.clone(),
            given_by: self.given_by.clone(),
            capacity: self.capacity,
            recipient: self.recipient.clone(),
            categories: self.categories,
            sensitive: self.sensitive,
            purposes: self.purposes,
            period: self.period,
            data_period: self.data_period,
            duration: self.duration,
            offline: self.offline,
            granted_scopes: self.granted_scopes.clone(),
            legal_basis: self.legal_basis.clone(),
            policy_uri: self.policy_uri.clone(),
            language: self.language.clone(),
            shown_text: self.shown_text.clone(),
        }
    }

    /// Whether the consent is given and `at` lies inside its period.
    pub fn in_force(&self, at: At) -> bool {
        self.status == ConsentStatus::Active && self.period.contains(at)
    }

    /// How the consent stands at an instant.
    pub fn standing(&self, at: At) -> Standing {
        match self.status {
            ConsentStatus::Active if self.period.contains(at) => Standing::InForce,
            // Ended while its period still ran: a person did that, no date.
            ConsentStatus::Inactive if self.ended_early() => Standing::Revoked,
            ConsentStatus::Active
            | ConsentStatus::Inactive
            | ConsentStatus::Draft
            | ConsentStatus::Proposed
            | ConsentStatus::Rejected
            | ConsentStatus::EnteredInError => Standing::NotInForce,
        }
    }

    fn after(&self, verb: ConsentVerb) -> Result<ConsentStatus, ConsentError> {
        transition(Some(self.status), verb)
            .ok_or(ConsentError::NoTransition { from: self.status, verb })
    }

    /// Chains a version to this one. A clock that was set back does not keep anyone from
    /// stopping: the chain's own time simply does not run backwards.
    fn next(
        &self,
        status: ConsentStatus,
        at: At,
        change_reason: Option<String>,
        content: Self,
    ) -> Result<Self, ConsentError> {
        Ok(Self {
            number: self.number.checked_add(1).ok_or(ConsentError::TooManyVersions)?,
            predecessor: Some(self.version_id()),
            status,
            recorded_at: at.max(self.recorded_at),
            change_reason,
            ..content
        })
    }
}
