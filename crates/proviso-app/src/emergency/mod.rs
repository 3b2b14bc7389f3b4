//! Emergency access: who may declare it, what happens when it is declared or ended, and what is
//! told of it.
//!
//! TRUST: whoever is in the privileged group can open one patient's records after proving who they
//! are again. Nothing stops them beforehand but the rule of the organisation; everything tells of it
//! afterwards: the log, the patient's page and a review by somebody else.

mod declare;
mod review;

pub use self::declare::{DeclareProblem, DeclareRefusal, DeclaredTerms};
pub use self::review::{EmergencyRow, Officer, ReviewRefusal, Reviewed};

use std::collections::BTreeSet;

use proviso_core::account::{Account, AccountStatus};
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::emergency::{Emergency, EmergencyError, Standing};
use proviso_core::id::{EmergencyId, PatientId};
use proviso_core::org::EmergencyReason;
use proviso_core::reason::ReasonCode;
use proviso_core::time::At;
use proviso_oauth::record::{GrantEnd, GrantEndReason};
use proviso_store::{Batch, Op, Precondition};

use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;
use crate::via::Via;

/// How often ending is tried again when a connection of the emergency ends at the same moment.
const END_TRIES: usize = 3;

/// The place of "not related at all" among the ways of being related.
const NOT_RELATED: u8 = 0;

/// Why an emergency is not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndRefusal {
    /// There is none of this id that the person may end.
    #[error("there is no such emergency access of yours")]
    NotFound,
    /// It is over.
    #[error("the emergency access is over")]
    Over,
}

impl App {
    /// The reasons for which a person could declare an emergency now, by what the policy in force
    /// says; none for one who may not.
    pub fn emergency_reasons(&self, account: &Account, via: &Via) -> Vec<EmergencyReason> {
        let allowed =
            |reason: &EmergencyReason| self.emergency_refusals(account, *reason, via).is_none();
        EmergencyReason::ALL.iter().copied().filter(allowed).collect()
    }

    /// Why a person may not declare an emergency for this reason; `None` when they may.
    fn emergency_refusals(
        &self,
        account: &Account,
        reason: EmergencyReason,
        via: &Via,
    ) -> Option<BTreeSet<ReasonCode>> {
        if account.status != AccountStatus::Active {
            return Some(BTreeSet::from([ReasonCode::AccountDisabled]));
        }
        let at = self.now();
        let Some(facts) = declare::as_if(account, reason, at) else {
            return Some(BTreeSet::from([ReasonCode::FactMissing]));
        };
        let network = self.network_of(via.network.as_deref());
        let environment = self.grounds().environment(network, at);
        let ground = self.policies.ground_of_emergency(account, environment, &facts, at);
        let missing = match &ground.rules {
            Some(rules) => rules.records_shut(NOT_RELATED, PurposeOfUse::BreakGlass),
            None => BTreeSet::from([ReasonCode::FactMissing]),
        };
        (!missing.is_empty()).then_some(missing)
    }

    /// Every emergency access to a patient's records, newest first: for the patient's own pages.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn emergencies_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<Emergency>, Failure> {
        let mut all = self.store.emergencies_of_patient(patient).await?;
        all.sort_by_key(|own| std::cmp::Reverse(own.declaration.declared_at));
        Ok(all)
    }

    /// Ends an emergency that the person declared, with every connection that rests on it. From the
    /// moment this returns nothing is read under it.
    ///
    /// # Errors
    /// When something inside fails; it may be tried again.
    pub async fn end_own_emergency(
        &self,
        person: &SignedIn,
        id: &EmergencyId,
        via: &Via,
    ) -> Result<Result<Emergency, EndRefusal>, Failure> {
        let own = self.store.emergency(id).await?;
        // Somebody else's and none at all are told apart by nothing.
        let own = own.filter(|own| own.declaration.by == person.account.id);
        let mut draft = self.emergency_entry(via, AuditOutcome::Success, "end")?;
        draft.account = Some(person.account.id.clone());
        draft.session = Some(person.session.id.clone());
        if let Some(own) = own {
            return self.end_emergency(own, &person.account, draft).await;
        }
        draft.outcome = AuditOutcome::Denied;
        draft.reasons = vec![ReasonCode::EmergencyNotOpen];
        self.append_audit(draft).await?;
        Ok(Err(EndRefusal::NotFound))
    }

    async fn end_emergency(
        &self,
        emergency: Emergency,
        by: &Account,
        mut entry: AuditEntry,
    ) -> Result<Result<Emergency, EndRefusal>, Failure> {
        describe(&mut entry, &emergency);
        let ended = match emergency.clone().end(by.id.clone(), entry.at) {
            Ok(ended) => ended,
            Err(
                EmergencyError::Over | EmergencyError::StepUp | EmergencyError::TooManyVersions,
            ) => {
                return Ok(Err(EndRefusal::Over));
            }
        };
        let end = GrantEnd { at: entry.at, reason: GrantEndReason::EmergencyEnded };
        let id = &emergency.declaration.id;
        for _ in 0..END_TRIES {
            // Connections that are made meanwhile rest on a version that is over.
            let grants = self.store.grants_of_account(&emergency.declaration.by).await?;
            let mut batch = Batch::new().with(Op::PutEmergencyVersion(ended.clone()));
            for grant in grants {
                if grant.emergency() == Some(id) && grant.ended.is_none() {
                    batch.push(Op::EndGrant { id: grant.id, end });
                }
            }
            match self.commit(batch, entry.clone()).await {
                Ok(_) => return Ok(Ok(ended)),
                Err(error) => match error.precondition() {
                    Some(Precondition::Changed) => return Ok(Err(EndRefusal::Over)),
                    Some(Precondition::Ended) => {}
                    _ => return Err(error.into()),
                },
            }
        }
        // The access itself is what has to stop; what rests on it is dead with it.
        self.commit(Batch::new().with(Op::PutEmergencyVersion(ended.clone())), entry).await?;
        Ok(Ok(ended))
    }

    fn emergency_entry(
        &self,
        via: &Via,
        outcome: AuditOutcome,
        action: &str,
    ) -> Result<AuditEntry, Failure> {
        Ok(self.draft_entry(via, AuditKind::Emergency, outcome, action)?)
    }

    /// The emergencies that a person has open now.
    pub fn open_emergencies(&self, account: &Account) -> Vec<std::sync::Arc<Emergency>> {
        self.live.emergencies_of(&account.id, self.now())
    }
}

/// Fills in what an entry is about. The free text stays with the declaration.
fn describe(entry: &mut AuditEntry, emergency: &Emergency) {
    let own = &emergency.declaration;
    entry.patients = vec![own.patient.clone()];
    entry.emergency = Some(own.id.clone());
    entry.purpose = Some(PurposeOfUse::BreakGlass);
}

/// Whether an emergency is in force at an instant.
pub fn is_in_force(emergency: &Emergency, at: At) -> bool {
    emergency.standing(at) == Standing::InForce
}

#[cfg(test)]
mod tests;
