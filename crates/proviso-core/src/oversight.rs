//! Accesses that a policy of the organisation has looked at afterwards (obligation `open-review`),
//! and their reviews: another person looks at one before a deadline and says whether it was
//! justified, in the stages of [`crate::emergency::review`].
//!
//! Knows what was accessed by whom, as the log has it. Does not know which policy asked for it: the
//! record of the decision does.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::audit::AuditEntry;
use crate::category::PurposeOfUse;
use crate::emergency::review::{DUE_SECS, Finding, ReviewError, ReviewStanding, Stage};
use crate::id::{AccountId, AuditEntryId, ClientId, DecisionId, PatientId};
use crate::interaction::Interaction;
use crate::resource_type::ResourceType;
use crate::time::At;

/// For so many seconds a token lives at most that opens what a policy with the obligation
/// `shorten-token` permits.
pub const SHORT_TOKEN_SECS: i64 = 60;

/// For so many days a patient is shown on the first page what a policy tells them of at once; it
/// stays in the activity list.
pub const NOTICE_DAYS: i64 = 30;

/// An access that somebody is to look at. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedAccess {
    /// Its entry in the log, by which it is named.
    pub entry: AuditEntryId,
    /// The decision that permitted it, which can be made again.
    pub decision: Option<DecisionId>,
    /// When.
    pub at: At,
    /// By which app.
    pub client: Option<ClientId>,
    /// By which person; a service has none.
    pub account: Option<AccountId>,
    /// What for.
    pub purpose: Option<PurposeOfUse>,
    /// Whose records a policy has looked after.
    pub patients: BTreeSet<PatientId>,
    /// What was done.
    pub interaction: Option<Interaction>,
    /// The type that was asked for.
    pub resource_type: Option<ResourceType>,
    /// How many records left or were changed.
    pub released: u32,
}

impl WatchedAccess {
    /// The access of an entry, with the patients whose records a policy has looked after. Of a
    /// decision that an enforcement point asked for, it is the one that the decision is about.
    pub fn of(entry: &AuditEntry, patients: BTreeSet<PatientId>) -> Self {
        let decided = entry.record.as_ref().and_then(|record| record.request.account.clone());
        Self {
            entry: entry.id.clone(),
            decision: entry.decision.clone(),
            at: entry.at,
            client: entry.client.clone(),
            account: decided.or_else(|| entry.account.clone()),
            purpose: entry.purpose,
            patients,
            interaction: entry.interaction.clone(),
            resource_type: entry.resource_type,
            released: entry.released,
        }
    }
}

/// One version of the review of an access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessReview {
    /// What is reviewed.
    pub access: WatchedAccess,
    /// The number of this version, from 1.
    pub number: u32,
    /// By when it is to be decided.
    pub due_at: At,
    /// How far it has come.
    pub stage: Stage,
}

impl AccessReview {
    /// Opens the review of an access, when that is made.
    pub fn open(access: WatchedAccess) -> Self {
        let due_at = access.at.plus_secs(DUE_SECS);
        Self { access, number: 1, due_at, stage: Stage::Open }
    }

    /// Gives a verdict: the next version.
    ///
    /// # Errors
    /// When it was the person's own access, or the verdict cannot follow.
    pub fn decide(self, finding: Finding) -> Result<Self, ReviewError> {
        if self.access.account.as_ref() == Some(&finding.by) {
            return Err(ReviewError::SamePerson);
        }
        let number = self.number.checked_add(1).ok_or(ReviewError::TooManyVersions)?;
        let stage = self.stage.decide(finding)?;
        Ok(Self { number, due_at: stage.due_at(self.due_at), stage, ..self })
    }

    /// How it stands at an instant.
    pub fn standing(&self, at: At) -> ReviewStanding {
        self.stage.standing(self.due_at, at)
    }

    /// What was found last, if anything.
    pub const fn finding(&self) -> Option<&Finding> {
        self.stage.finding()
    }

    /// Whether this is the version that comes of another by the verdict it has.
    pub fn follows(&self, before: &Self) -> bool {
        let next = self.finding().map(|own| before.clone().decide(own.clone()));
        next.is_some_and(|next| next.as_ref() == Ok(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emergency::review::Verdict;

    const NOON: At = At::from_secs(43_200);

    fn access(account: Option<&str>) -> WatchedAccess {
        WatchedAccess {
            entry: "aud_1".parse().unwrap(),
            decision: None,
            at: NOON,
            client: None,
            account: account.map(|own| own.parse().unwrap()),
            purpose: Some(PurposeOfUse::Treatment),
            patients: BTreeSet::from(["maria".parse().unwrap()]),
            interaction: Some(Interaction::Read),
            resource_type: None,
            released: 1,
        }
    }

    fn finding(verdict: Verdict, by: &str, at: At) -> Finding {
        let note = "looked at".parse().unwrap();
        Finding { verdict, note, by: by.parse().unwrap(), at }
    }

    #[test]
    fn a_review_is_decided_by_another_person_and_once() {
        let open = AccessReview::open(access(Some("acc_a")));
        for verdict in Verdict::ALL {
            let own = open.clone().decide(finding(*verdict, "acc_a", NOON));
            assert_eq!(own, Err(ReviewError::SamePerson));
            let next = open.clone().decide(finding(*verdict, "acc_b", NOON)).unwrap();
            assert!(next.follows(&open), "{verdict:?}");
            let again = next.clone().decide(finding(*verdict, "acc_b", NOON));
            assert_eq!(again, Err(ReviewError::AlreadyDecided));
            assert!(!next.follows(&next) && !open.follows(&next));
        }
    }

    #[test]
    fn an_access_of_a_service_is_reviewed_by_anybody() {
        let open = AccessReview::open(access(None));
        assert!(open.decide(finding(Verdict::Justified, "acc_a", NOON)).is_ok());
    }

    #[test]
    fn a_review_is_overdue_at_its_deadline_and_a_follow_up_has_its_own() {
        let open = AccessReview::open(access(None));
        let before = NOON.plus_secs(DUE_SECS - 1);
        assert_eq!(open.standing(before), ReviewStanding::Open);
        assert_eq!(open.standing(NOON.plus_secs(DUE_SECS)), ReviewStanding::Overdue);
        let follow_up = open.decide(finding(Verdict::NeedsFollowUp, "acc_b", before)).unwrap();
        assert_eq!(follow_up.standing(before.plus_secs(DUE_SECS - 1)), ReviewStanding::FollowUp);
        assert_eq!(follow_up.standing(before.plus_secs(DUE_SECS)), ReviewStanding::Overdue);
    }
}
