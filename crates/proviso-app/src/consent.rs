//! Sharing choices: record, change, stop, expire, list.
//!
//! Each change is one batch with its audit entry, durable and in force before the person is told.
//! Nothing is changed in place: each step appends the next version.

mod history;
mod part2;

use std::sync::Arc;

use proviso_core::account::Account;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::consent::{
    Capacity, ConsentError, ConsentTerms, ConsentVerb, ConsentVersion, NamedConsent, Part2Gap,
    Recipient, Standing,
};
use proviso_core::id::{ConsentId, ConsentVersionId, PatientId};
use proviso_core::reason::ReasonCode;
use proviso_core::time::At;
use proviso_oauth::record::{Client, GrantEnd, GrantEndReason};
use proviso_store::{Batch, Op, StoredConsent};

pub use self::history::HistoryError;
use crate::App;
use crate::access::OwnStanding;
use crate::failure::Failure;
use crate::via::Via;

/// How often a change is tried again when somebody else changed the same choice in between.
const TRIES: usize = 5;

/// Why a choice could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// There is no such choice, or this person has no say in it. One answer for both, so that
    /// nobody learns which choices exist.
    #[error("no such sharing choice")]
    NotFound,
    /// The choice has ended.
    #[error("the sharing choice has ended")]
    Ended,
    /// The choice was changed since the person saw it.
    #[error("the sharing choice was changed in the meantime")]
    Changed,
    /// The terms are incomplete or contradict themselves.
    #[error("the terms cannot be recorded: {0}")]
    Terms(#[source] ConsentError),
    /// It names substance use and lacks what 42 CFR 2.31 asks of a written consent; the first gap.
    #[error("{0}")]
    Part2(Part2Gap),
    /// The choice says that it was given in a capacity that the person does not have.
    #[error("not given in the capacity that the person has")]
    Capacity,
    /// Something inside failed; nothing was changed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<ConsentError> for ChoiceError {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::NoTransition { .. } => Self::Ended,
            ConsentError::NoCategory
            | ConsentError::NoPurpose
            | ConsentError::EmptyPeriod
            | ConsentError::EmptyDataPeriod
            | ConsentError::AlreadyOver
            | ConsentError::NoShownText
            | ConsentError::NoLegalContext
            | ConsentError::OfflineNotChosen
            | ConsentError::OtherParties
            | ConsentError::TooManyVersions
            | ConsentError::NotOver => Self::Terms(error),
        }
    }
}

/// One row of the page that lists what a patient shares.
#[derive(Debug, Clone)]
pub struct SharingChoice {
    /// The latest version.
    pub consent: NamedConsent,
    /// The app it names, if it names one that is registered.
    pub app: Option<Arc<Client>>,
    /// Who gave it.
    pub given_by: Option<Arc<Account>>,
    /// How it stands now.
    pub standing: Standing,
}

/// A new choice, not yet saved, with the operation that saves it.
#[derive(Debug)]
pub(crate) struct PreparedConsent {
    /// The first version.
    pub(crate) consent: NamedConsent,
    /// Saves it; belongs into the same batch as whatever rests on it.
    pub(crate) op: Op,
}

impl App {
    /// Makes the first version of a choice, for a batch that also makes the grant resting on it.
    /// Whoever names substance use calls `check_part2` first.
    ///
    /// # Errors
    /// When the terms are wrong or the giver does not have the capacity they state.
    pub(crate) fn prepare_consent(
        &self,
        giver: &Account,
        terms: ConsentTerms,
        at: At,
    ) -> Result<PreparedConsent, ChoiceError> {
        self.check_capacity(giver, &terms, at)?;
        let id = ConsentId::generate(at, self.entropy.for_id().map_err(Failure::from)?);
        let consent = NamedConsent::new(ConsentVersion::record(id, terms, at)?);
        let op = put(&consent, None);
        Ok(PreparedConsent { consent, op })
    }

    /// Records a new choice by itself.
    ///
    /// # Errors
    /// When the terms are refused, or it could not be saved and logged.
    pub async fn record_consent(
        &self,
        giver: &Account,
        terms: ConsentTerms,
        via: &Via,
    ) -> Result<NamedConsent, ChoiceError> {
        let mut entry = self.consent_entry(via, ConsentVerb::Record)?;
        self.check_part2(&terms).await?;
        let PreparedConsent { consent, op } = self.prepare_consent(giver, terms, entry.at)?;
        describe_consent(&mut entry, &consent, Some(giver));
        self.commit(Batch::new().with(op), entry).await.map_err(Failure::from)?;
        Ok(consent)
    }

    /// Changes a choice. Live tokens are held to the new terms from the next request on.
    ///
    /// `seen` is the version that the person saw when they decided.
    ///
    /// # Errors
    /// When the person has no say in it, it has ended or was changed since, or the terms are wrong.
    pub async fn amend_consent(
        &self,
        by: &Account,
        id: &ConsentId,
        seen: &ConsentVersionId,
        terms: ConsentTerms,
        change_reason: Option<String>,
        via: &Via,
    ) -> Result<NamedConsent, ChoiceError> {
        let mut entry = self.consent_entry(via, ConsentVerb::Amend)?;
        let latest = self.latest_consent(id).await?;
        if self.standing_for(by, &latest.version.patient, entry.at).is_none() {
            return Err(self.refuse_change(entry, latest, by).await?);
        }
        if latest.id != *seen {
            return Err(ChoiceError::Changed);
        }
        self.check_capacity(by, &terms, entry.at)?;
        self.check_part2(&terms).await?;
        let next = NamedConsent::new(latest.version.amend(terms, entry.at, change_reason)?);
        describe_consent(&mut entry, &next, Some(by));
        let batch = Batch::new().with(put(&next, Some(latest.id)));
        match self.commit(batch, entry).await.map_err(Failure::from) {
            Ok(_) => Ok(next),
            Err(error) if error.precondition().is_some() => Err(ChoiceError::Changed),
            Err(error) => Err(error.into()),
        }
    }

    /// Stops sharing: ends the choice and every grant that rests on it, and with those their codes
    /// and refresh tokens. When this returns `Ok`, no request that starts later is permitted.
    ///
    /// The patient may always stop, and so may a proxy in force, and whoever gave the consent even
    /// after their time as a proxy: stopping takes from nobody but the app.
    ///
    /// # Errors
    /// When the person has no say in it, it has ended already, or it could not be saved and
    /// logged; it is still in force in the last case.
    pub async fn revoke_consent(
        &self,
        by: &Account,
        id: &ConsentId,
        change_reason: Option<String>,
        via: &Via,
    ) -> Result<NamedConsent, ChoiceError> {
        for _ in 0..TRIES {
            let entry = self.consent_entry(via, ConsentVerb::Revoke)?;
            let latest = self.latest_consent(id).await?;
            let may_stop = latest.version.given_by == by.id
                || self.standing_for(by, &latest.version.patient, entry.at).is_some();
            if !may_stop {
                return Err(self.refuse_change(entry, latest, by).await?);
            }
            let next = latest.version.revoke(entry.at, change_reason.clone())?;
            let reason = GrantEndReason::ConsentRevoked;
            // Somebody changed it in between: stop what it is now, not what it was.
            if let Some(stopped) =
                self.end_consent(next, latest.id, reason, entry, Some(by)).await?
            {
                return Ok(stopped);
            }
        }
        Err(ChoiceError::Changed)
    }

    /// Ends every active choice whose period is over, and the grants that rest on it. They are out
    /// of force at their end whether or not this has run; it only makes the record say so.
    ///
    /// # Errors
    /// When the store or the log fails; what was ended before stays ended.
    pub async fn expire_consents(&self, via: &Via) -> Result<usize, Failure> {
        let mut expired = 0;
        let mut place = Some(0);
        while let Some(from) = place {
            let (overdue, next) = self.live.overdue(self.now(), from);
            for id in overdue {
                expired += usize::from(self.expire_consent(&id, via).await?);
            }
            place = next;
        }
        Ok(expired)
    }

    /// Ends a choice whose period is over; says whether it was still active.
    async fn expire_consent(&self, id: &ConsentId, via: &Via) -> Result<bool, Failure> {
        let Some(stored) = self.store.consent(id).await? else { return Ok(false) };
        let entry = self.consent_entry(via, ConsentVerb::Expire)?;
        let Ok(next) = stored.version.expire(entry.at) else { return Ok(false) };
        let reason = GrantEndReason::Expired;
        Ok(self.end_consent(next, stored.id, reason, entry, None).await?.is_some())
    }

    /// What a patient shares and shared: choices in force first, the newest first among equals.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn sharing_choices(
        &self,
        patient: &PatientId,
        at: At,
    ) -> Result<Vec<SharingChoice>, Failure> {
        let stored = self.store.consents_of_patient(patient).await?;
        let mut choices: Vec<SharingChoice> = stored
            .into_iter()
            .map(|StoredConsent { version, .. }| SharingChoice {
                app: match &version.recipient {
                    Recipient::App(client) => self.live.client(client),
                    Recipient::Person(_) | Recipient::Organization(_) | Recipient::CareTeam(_) => {
                        None
                    }
                },
                given_by: self.live.account(&version.given_by),
                standing: version.standing(at),
                consent: NamedConsent::new(version),
            })
            .collect();
        choices.sort_by_key(|choice| {
            let recorded_at = choice.consent.version().recorded_at;
            (choice.standing != Standing::InForce, core::cmp::Reverse(recorded_at))
        });
        Ok(choices)
    }

    async fn latest_consent(&self, id: &ConsentId) -> Result<StoredConsent, ChoiceError> {
        let stored = self.store.consent(id).await.map_err(Failure::from)?;
        stored.ok_or(ChoiceError::NotFound)
    }

    /// Whether the terms name the giver, in the capacity that the giver has for this patient now.
    fn check_capacity(
        &self,
        giver: &Account,
        terms: &ConsentTerms,
        at: At,
    ) -> Result<(), ChoiceError> {
        let standing = self.standing_for(giver, &terms.patient, at);
        let fits = match terms.capacity {
            Capacity::Patient => standing == Some(OwnStanding::Patient),
            Capacity::Proxy => standing == Some(OwnStanding::Proxy),
            // No account holds a legal authority yet, so nobody can act under one.
            Capacity::LegalAuthority => false,
        };
        if fits && terms.given_by == giver.id { Ok(()) } else { Err(ChoiceError::Capacity) }
    }

    /// Saves a version that ends a choice. `None` when the choice was changed in between.
    async fn end_consent(
        &self,
        next: ConsentVersion,
        latest: ConsentVersionId,
        reason: GrantEndReason,
        mut entry: AuditEntry,
        by: Option<&Account>,
    ) -> Result<Option<NamedConsent>, Failure> {
        let next = NamedConsent::new(next);
        describe_consent(&mut entry, &next, by);
        let end = GrantEnd { at: entry.at, reason };
        let batch = Batch::from(Vec::from(ending(&next, latest, end)));
        match self.commit(batch, entry).await.map_err(Failure::from) {
            Ok(_) => Ok(Some(next)),
            Err(error) if error.precondition().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn consent_entry(&self, via: &Via, verb: ConsentVerb) -> Result<AuditEntry, Failure> {
        Ok(self.draft_entry(via, AuditKind::Consent, AuditOutcome::Success, verb.code())?)
    }

    /// Logs that somebody without a say tried to change a choice, and gives the answer for it.
    async fn refuse_change(
        &self,
        mut entry: AuditEntry,
        latest: StoredConsent,
        by: &Account,
    ) -> Result<ChoiceError, Failure> {
        describe_consent(&mut entry, &NamedConsent::new(latest.version), Some(by));
        entry.outcome = AuditOutcome::Denied;
        entry.reasons = vec![ReasonCode::ProxyNotInForce];
        self.commit(Batch::new(), entry).await?;
        Ok(ChoiceError::NotFound)
    }
}

/// What ends a choice: its last version, and the end of every connection that rests on it.
pub(crate) fn ending(next: &NamedConsent, latest: ConsentVersionId, end: GrantEnd) -> [Op; 2] {
    let consent = next.version().consent.clone();
    [put(next, Some(latest)), Op::EndGrantsOfConsent { consent, end }]
}

pub(crate) fn put(consent: &NamedConsent, expect: Option<ConsentVersionId>) -> Op {
    Op::PutConsentVersion { id: consent.id().clone(), version: consent.version().clone(), expect }
}

/// Says in an audit entry which choice it is about: parties, kinds of record, version.
pub(crate) fn describe_consent(
    entry: &mut AuditEntry,
    consent: &NamedConsent,
    by: Option<&Account>,
) {
    let version = consent.version();
    entry.client = match &version.recipient {
        Recipient::App(client) => Some(client.clone()),
        Recipient::Person(_) | Recipient::Organization(_) | Recipient::CareTeam(_) => None,
    };
    entry.account = by.map(|account| account.id.clone());
    entry.on_behalf_of = by
        .filter(|account| !crate::access::is_patient(account, &version.patient))
        .map(|_| version.patient.clone());
    entry.patients = vec![version.patient.clone()];
    entry.categories = version.categories;
    entry.sensitive = version.sensitive;
    let mut purposes = version.purposes.iter();
    entry.purpose = purposes.next().filter(|_| purposes.next().is_none());
    entry.consent = Some((version.consent.clone(), consent.id().clone()));
}

#[cfg(test)]
mod tests;
