//! Reviews of accesses that a policy has looked at afterwards: what waits, and what an officer finds.

use std::collections::BTreeSet;

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::emergency::Why;
use proviso_core::emergency::review::{Finding, Verdict};
use proviso_core::id::{AuditEntryId, PatientId};
use proviso_core::org::OrgAction;
use proviso_core::oversight::AccessReview;
use proviso_core::reason::ReasonCode;
use proviso_core::time::At;
use proviso_store::{Batch, Op, Precondition};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::emergency::{Officer, ReviewRefusal};
use crate::failure::Failure;
use crate::via::Via;

/// LIMIT: so many reviews are listed at once.
pub const LISTED_MAX: usize = 500;

/// Which reviews are listed, and where the list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewList {
    /// Those that somebody has to decide, the most urgent first, after a place among them.
    Waiting(Option<(At, AuditEntryId)>),
    /// All, the newest access first, before an entry.
    All(Option<AuditEntryId>),
}

/// A page of reviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewPage {
    /// The reviews, in the order of the list.
    pub reviews: Vec<AccessReview>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<ReviewList>,
}

impl App {
    /// Reviews of accesses, for officers. The look is in the log, which names the patients.
    ///
    /// # Errors
    /// When the store or the log fails; nothing may be shown then.
    pub async fn access_reviews(
        &self,
        officer: Officer<'_>,
        list: &ReviewList,
        limit: usize,
    ) -> Result<Result<ReviewPage, ReviewRefusal>, Failure> {
        if !self.may_oversee(officer, OrgAction::Read, "list").await? {
            return Ok(Err(ReviewRefusal::NotAllowed));
        }
        let page = self.review_page(list, limit).await?;
        let mut entry = self.oversight_entry(officer, AuditOutcome::Success, "list")?;
        entry.patients = patients(&page.reviews);
        self.append_audit(entry).await?;
        Ok(Ok(page))
    }

    /// The same for whoever runs the installation, who has the folder and with it everything.
    ///
    /// # Errors
    /// As [`App::access_reviews`].
    pub async fn access_reviews_for_operator(
        &self,
        list: &ReviewList,
        limit: usize,
        via: &Via,
    ) -> Result<ReviewPage, Failure> {
        let page = self.review_page(list, limit).await?;
        let mut entry =
            self.draft_entry(via, AuditKind::Oversight, AuditOutcome::Success, "list")?;
        entry.patients = patients(&page.reviews);
        self.append_audit(entry).await?;
        Ok(page)
    }

    /// Every version of one review, oldest first, for whoever runs the installation; none when there
    /// is no such review.
    ///
    /// # Errors
    /// As [`App::access_reviews`].
    pub async fn access_review_for_operator(
        &self,
        id: &AuditEntryId,
        via: &Via,
    ) -> Result<Vec<AccessReview>, Failure> {
        let versions = self.store.access_review_versions(id).await?;
        let mut entry =
            self.draft_entry(via, AuditKind::Oversight, AuditOutcome::Success, "show")?;
        if let Some(latest) = versions.last() {
            describe(&mut entry, latest);
        }
        self.append_audit(entry).await?;
        Ok(versions)
    }

    /// Decides the review of an access.
    ///
    /// # Errors
    /// When something inside fails; nothing was decided then.
    pub async fn review_access(
        &self,
        officer: Officer<'_>,
        id: &AuditEntryId,
        verdict: Verdict,
        note: Why,
    ) -> Result<Result<AccessReview, ReviewRefusal>, Failure> {
        if !self.may_oversee(officer, OrgAction::Update, "review").await? {
            return Ok(Err(ReviewRefusal::NotAllowed));
        }
        let Some(review) = self.store.access_review_versions(id).await?.pop() else {
            return Ok(Err(ReviewRefusal::NotFound));
        };
        let mut entry = self.oversight_entry(officer, AuditOutcome::Success, "review")?;
        describe(&mut entry, &review);
        let finding = Finding { verdict, note, by: officer.account.id.clone(), at: entry.at };
        let decided = match review.decide(finding) {
            Ok(decided) => decided,
            Err(why) => {
                entry.outcome = AuditOutcome::Denied;
                entry.reasons = vec![ReasonCode::PolicyForbids];
                self.append_audit(entry).await?;
                return Ok(Err(why.into()));
            }
        };
        let op = Op::PutAccessReviewVersion(decided.clone());
        match self.commit(Batch::new().with(op), entry).await {
            Ok(_) => Ok(Ok(decided)),
            Err(error) => match error.precondition() {
                Some(Precondition::Changed | Precondition::Ended) => {
                    Ok(Err(ReviewRefusal::Changed))
                }
                _ => Err(error.into()),
            },
        }
    }

    async fn review_page(&self, list: &ReviewList, limit: usize) -> Result<ReviewPage, Failure> {
        let limit = limit.clamp(1, LISTED_MAX);
        // One more than is shown says whether the list goes on.
        let mut reviews = match list {
            ReviewList::Waiting(after) => {
                self.store.access_reviews_waiting(after.as_ref(), limit + 1).await?
            }
            ReviewList::All(before) => {
                self.store.access_reviews_before(before.as_ref(), limit + 1).await?
            }
        };
        let more = reviews.len() > limit;
        reviews.truncate(limit);
        let next = reviews.last().filter(|_| more).map(|last| match list {
            ReviewList::Waiting(_) => {
                ReviewList::Waiting(Some((last.due_at, last.access.entry.clone())))
            }
            ReviewList::All(_) => ReviewList::All(Some(last.access.entry.clone())),
        });
        Ok(ReviewPage { reviews, next })
    }

    /// Whether the policy in force lets a person look after reviews; a no is in the log.
    async fn may_oversee(
        &self,
        officer: Officer<'_>,
        action: OrgAction,
        word: &str,
    ) -> Result<bool, Failure> {
        let answer = self.on_reviews(officer, action);
        if answer.is_permit() {
            return Ok(true);
        }
        let mut entry = self.oversight_entry(officer, AuditOutcome::Denied, word)?;
        entry.reasons = answer.reasons.iter().copied().collect();
        self.append_audit(entry).await?;
        Ok(false)
    }

    fn oversight_entry(
        &self,
        officer: Officer<'_>,
        outcome: AuditOutcome,
        action: &str,
    ) -> Result<AuditEntry, Failure> {
        let mut entry = self.draft_entry(officer.via, AuditKind::Oversight, outcome, action)?;
        entry.account = Some(officer.account.id.clone());
        entry.session = officer.session.cloned();
        entry.purpose = Some(PurposeOfUse::Operations);
        entry.reasons = vec![ReasonCode::Oversight];
        Ok(entry)
    }
}

/// Fills in what an entry is about. The free text stays with the review.
fn describe(entry: &mut AuditEntry, review: &AccessReview) {
    entry.patients = review.access.patients.iter().cloned().collect();
    entry.decision.clone_from(&review.access.decision);
}

fn patients(reviews: &[AccessReview]) -> Vec<PatientId> {
    let all: BTreeSet<PatientId> =
        reviews.iter().flat_map(|review| review.access.patients.iter().cloned()).collect();
    all.into_iter().collect()
}
