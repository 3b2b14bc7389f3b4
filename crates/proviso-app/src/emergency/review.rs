//! The queue of reviews: what is open, and what an officer finds.

use std::collections::BTreeSet;

use proviso_core::account::{Account, AccountStatus};
use proviso_core::audit::AuditOutcome;
use proviso_core::category::PurposeOfUse;
use proviso_core::decision::Effect;
use proviso_core::emergency::Emergency;
use proviso_core::emergency::Why;
use proviso_core::emergency::review::{Finding, Review, ReviewError, Verdict};
use proviso_core::id::{EmergencyId, SessionId};
use proviso_core::org::{
    FactSource, Governance, Mode, OrgAction, OrgAnswer, OrgQuestion, OrgResource, Provenance,
    Sourced,
};
use proviso_core::reason::ReasonCode;
use proviso_store::{Batch, Op, Precondition};
use serde::{Deserialize, Serialize};

use super::{EndRefusal, describe};
use crate::App;
use crate::failure::Failure;
use crate::via::Via;

/// Who looks at reviews or decides them.
#[derive(Debug, Clone, Copy)]
pub struct Officer<'a> {
    /// Who.
    pub account: &'a Account,
    /// Their session, unless they act on the machine itself.
    pub session: Option<&'a SessionId>,
    /// How the request reached us.
    pub via: &'a Via,
}

/// An emergency with its review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyRow {
    /// The emergency.
    pub emergency: Emergency,
    /// Its review.
    pub review: Review,
}

/// Why an officer does not get what they ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefusal {
    /// The policy in force does not let this person.
    #[error("the person may not look after reviews of emergency access")]
    NotAllowed,
    /// There is no such emergency.
    #[error("there is no such emergency access")]
    NotFound,
    /// The verdict cannot be given.
    #[error(transparent)]
    Step(#[from] ReviewError),
    /// Somebody else decided meanwhile.
    #[error("the review was decided by somebody else meanwhile")]
    Changed,
    /// It is over already.
    #[error(transparent)]
    End(#[from] EndRefusal),
}

/// What reviews of an emergency that is looked at come as, oldest first.
pub type Reviewed = (EmergencyRow, Vec<Review>);

impl App {
    /// Every emergency with its review, newest first; for officers. The look is in the log, which
    /// names the patients.
    ///
    /// # Errors
    /// When the store or the log fails; nothing may be shown then.
    pub async fn emergencies(
        &self,
        officer: Officer<'_>,
    ) -> Result<Result<Vec<EmergencyRow>, ReviewRefusal>, Failure> {
        if !self.may_review(officer, OrgAction::Read, "list", None).await? {
            return Ok(Err(ReviewRefusal::NotAllowed));
        }
        let rows = self.emergency_rows().await?;
        self.log_emergencies_shown(officer, "list", &rows).await?;
        Ok(Ok(rows))
    }

    /// The same for whoever runs the installation, who has the folder and with it everything.
    ///
    /// # Errors
    /// As [`App::emergencies`].
    pub async fn emergencies_for_operator(&self, via: &Via) -> Result<Vec<EmergencyRow>, Failure> {
        let rows = self.emergency_rows().await?;
        let mut entry = self.emergency_entry(via, AuditOutcome::Success, "list")?;
        entry.patients = patients(&rows);
        self.append_audit(entry).await?;
        Ok(rows)
    }

    /// One emergency with every version of its review, for whoever runs the installation.
    ///
    /// # Errors
    /// As [`App::emergencies`].
    pub async fn emergency_for_operator(
        &self,
        id: &EmergencyId,
        via: &Via,
    ) -> Result<Option<Reviewed>, Failure> {
        let Some(row) = self.emergency_row(id).await? else { return Ok(None) };
        let mut entry = self.emergency_entry(via, AuditOutcome::Success, "show")?;
        describe(&mut entry, &row.emergency);
        self.append_audit(entry).await?;
        Ok(Some((row, self.store.review_versions(id).await?)))
    }

    /// Decides a review.
    ///
    /// # Errors
    /// When something inside fails; nothing was decided then.
    pub async fn review_emergency(
        &self,
        officer: Officer<'_>,
        id: &EmergencyId,
        verdict: Verdict,
        note: Why,
    ) -> Result<Result<EmergencyRow, ReviewRefusal>, Failure> {
        if !self.may_review(officer, OrgAction::Update, "review", Some(id)).await? {
            return Ok(Err(ReviewRefusal::NotAllowed));
        }
        let Some(row) = self.emergency_row(id).await? else {
            return Ok(Err(ReviewRefusal::NotFound));
        };
        let mut entry = self.emergency_entry(officer.via, AuditOutcome::Success, "review")?;
        describe(&mut entry, &row.emergency);
        entry.purpose = Some(PurposeOfUse::Operations);
        entry.account = Some(officer.account.id.clone());
        entry.session = officer.session.cloned();
        entry.reasons = vec![ReasonCode::Oversight];
        let finding = Finding { verdict, note, by: officer.account.id.clone(), at: entry.at };
        let decided = match row.review.clone().decide(&row.emergency, finding) {
            Ok(decided) => decided,
            Err(why) => {
                entry.outcome = AuditOutcome::Denied;
                entry.reasons = vec![ReasonCode::PolicyForbids];
                self.append_audit(entry).await?;
                return Ok(Err(why.into()));
            }
        };
        match self.commit(Batch::new().with(Op::PutReviewVersion(decided.clone())), entry).await {
            Ok(_) => Ok(Ok(EmergencyRow { review: decided, ..row })),
            Err(error) => match error.precondition() {
                Some(Precondition::Changed | Precondition::Ended) => {
                    Ok(Err(ReviewRefusal::Changed))
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Ends somebody's emergency, as an officer who sees that it is none.
    ///
    /// # Errors
    /// When something inside fails; it may be tried again.
    pub async fn end_emergency_of(
        &self,
        officer: Officer<'_>,
        id: &EmergencyId,
    ) -> Result<Result<Emergency, ReviewRefusal>, Failure> {
        if !self.may_review(officer, OrgAction::Update, "end", Some(id)).await? {
            return Ok(Err(ReviewRefusal::NotAllowed));
        }
        let Some(emergency) = self.store.emergency(id).await? else {
            return Ok(Err(ReviewRefusal::NotFound));
        };
        let mut entry = self.emergency_entry(officer.via, AuditOutcome::Success, "end")?;
        entry.account = Some(officer.account.id.clone());
        entry.session = officer.session.cloned();
        let ended = self.end_emergency(emergency, officer.account, entry).await?;
        Ok(ended.map_err(ReviewRefusal::from))
    }

    async fn emergency_rows(&self) -> Result<Vec<EmergencyRow>, Failure> {
        let emergencies = self.store.emergencies().await?;
        let mut reviews = self.store.reviews().await?.into_iter().peekable();
        let mut rows = Vec::with_capacity(emergencies.len());
        // Both are in the order of the same ids.
        for emergency in emergencies {
            let id = &emergency.declaration.id;
            while reviews.peek().is_some_and(|review| review.emergency < *id) {
                reviews.next();
            }
            // A declaration opens its review in the same commit; one that has none is still to be
            // reviewed.
            let review = reviews
                .next_if(|review| review.emergency == *id)
                .unwrap_or_else(|| Review::open(&emergency));
            rows.push(EmergencyRow { emergency, review });
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.emergency.declaration.declared_at));
        Ok(rows)
    }

    async fn emergency_row(&self, id: &EmergencyId) -> Result<Option<EmergencyRow>, Failure> {
        let Some(emergency) = self.store.emergency(id).await? else { return Ok(None) };
        let review = self.store.review_versions(id).await?.pop();
        let review = review.unwrap_or_else(|| Review::open(&emergency));
        Ok(Some(EmergencyRow { emergency, review }))
    }

    async fn log_emergencies_shown(
        &self,
        officer: Officer<'_>,
        action: &str,
        rows: &[EmergencyRow],
    ) -> Result<(), Failure> {
        let mut entry = self.emergency_entry(officer.via, AuditOutcome::Success, action)?;
        entry.account = Some(officer.account.id.clone());
        entry.session = officer.session.cloned();
        entry.purpose = Some(PurposeOfUse::Operations);
        entry.patients = patients(rows);
        entry.reasons = vec![ReasonCode::Oversight];
        self.append_audit(entry).await?;
        Ok(())
    }

    /// What the policy in force says of a person who looks at reviews or decides them.
    pub(crate) fn on_reviews(&self, officer: Officer<'_>, action: OrgAction) -> OrgAnswer {
        let account = officer.account;
        if account.status != AccountStatus::Active {
            let disabled = BTreeSet::from([ReasonCode::AccountDisabled]);
            return OrgAnswer::bare(Effect::Deny, disabled);
        }
        let ground = OrgQuestion::of_account(account.id.clone(), account.kind, Mode::Operational);
        let answer = self.policies.answer(&OrgQuestion {
            roles: Some(Sourced {
                value: account.all_roles(),
                provenance: Provenance::now(FactSource::Account),
            }),
            purpose: PurposeOfUse::Operations,
            action,
            resource: OrgResource::Governance(Governance::Reviews),
            ..ground
        });
        OrgAnswer::clone(&answer)
    }

    /// Whether the policy in force lets a person look after reviews; a no is in the log.
    async fn may_review(
        &self,
        officer: Officer<'_>,
        action: OrgAction,
        word: &str,
        id: Option<&EmergencyId>,
    ) -> Result<bool, Failure> {
        let answer = self.on_reviews(officer, action);
        if answer.is_permit() {
            return Ok(true);
        }
        let mut entry = self.emergency_entry(officer.via, AuditOutcome::Denied, word)?;
        entry.account = Some(officer.account.id.clone());
        entry.session = officer.session.cloned();
        entry.emergency = id.cloned();
        entry.reasons = answer.reasons.iter().copied().collect();
        self.append_audit(entry).await?;
        Ok(false)
    }
}

fn patients(rows: &[EmergencyRow]) -> Vec<proviso_core::id::PatientId> {
    let mut all: Vec<_> =
        rows.iter().map(|row| row.emergency.declaration.patient.clone()).collect();
    all.sort();
    all.dedup();
    all
}
