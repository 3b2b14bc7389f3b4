//! Reviews of accesses in memory, and what one version must fit to follow another.

use proviso_core::id::AuditEntryId;
use proviso_core::oversight::AccessReview;
use proviso_core::time::At;

use super::State;
use crate::batch::Precondition;

type Outcome = Result<(), Precondition>;

/// Whether a version of a review can be written after the latest one.
pub(crate) fn access_review_fits(latest: Option<&AccessReview>, next: &AccessReview) -> Outcome {
    match latest {
        None if *next == AccessReview::open(next.access.clone()) => Ok(()),
        None if next.number == 1 => Err(Precondition::Contradiction),
        None => Err(Precondition::Missing),
        Some(_) if next.number == 1 => Err(Precondition::Exists),
        Some(latest) if latest.stage.is_decided() => Err(Precondition::Ended),
        Some(latest) if next.number <= latest.number => Err(Precondition::Changed),
        Some(latest) if next.follows(latest) => Ok(()),
        Some(_) => Err(Precondition::Contradiction),
    }
}

impl State {
    pub(super) fn put_access_review_version(&mut self, next: AccessReview) -> Outcome {
        let versions = self.access_reviews.get(&next.access.entry);
        access_review_fits(versions.and_then(|all| all.last()), &next)?;
        self.access_reviews.entry(next.access.entry.clone()).or_default().push(next);
        Ok(())
    }

    /// The reviews to be decided that come after a place in the order of deadlines.
    pub(crate) fn access_reviews_waiting(
        &self,
        after: Option<&(At, AuditEntryId)>,
        limit: usize,
    ) -> Vec<AccessReview> {
        let latest = self.access_reviews.values().filter_map(|all| all.last());
        let place = |own: &AccessReview| (own.due_at, own.access.entry.clone());
        let mut waiting: Vec<AccessReview> = latest
            .filter(|own| !own.stage.is_decided())
            .filter(|own| after.is_none_or(|after| place(own) > *after))
            .cloned()
            .collect();
        waiting.sort_by_key(place);
        waiting.truncate(limit);
        waiting
    }

    /// The latest versions of reviews of accesses before an entry, newest first.
    pub(crate) fn access_reviews_before(
        &self,
        before: Option<&AuditEntryId>,
        limit: usize,
    ) -> Vec<AccessReview> {
        let all = self.access_reviews.iter().rev();
        let older = all.filter(|(id, _)| before.is_none_or(|before| *id < before));
        older.filter_map(|(_, versions)| versions.last()).take(limit).cloned().collect()
    }

    pub(crate) fn access_review_versions(&self, entry: &AuditEntryId) -> Vec<AccessReview> {
        self.access_reviews.get(entry).cloned().unwrap_or_default()
    }
}
