//! Reading reviews of accesses.

use proviso_core::id::AuditEntryId;
use proviso_core::oversight::AccessReview;
use proviso_core::time::At;

use super::read::Reads;
use crate::error::ReadError;

/// Indexes: the primary key of those that wait, in order, then that of the versions, from its end.
pub(super) const REVIEWS_WAITING: &str = "
    SELECT w.entry,
           (SELECT v.body FROM access_review_version v
            WHERE v.tenant = ?1 AND v.entry = w.entry
            ORDER BY v.number DESC LIMIT 1)
    FROM access_review_waiting w
    WHERE w.tenant = ?1 AND (w.due_at, w.entry) > (?2, ?3)
    ORDER BY w.due_at, w.entry LIMIT ?4";

/// Index: the primary key, from its end and for newer versions. Ids count up with time, and no id
/// begins with a letter after `a`.
pub(super) const REVIEWS_BEFORE: &str = "
    SELECT v.entry, v.body FROM access_review_version v
    WHERE v.tenant = ?1 AND v.entry < coalesce(?2, 'b')
      AND NOT EXISTS (SELECT 1 FROM access_review_version newer
                      WHERE newer.tenant = ?1 AND newer.entry = v.entry
                        AND newer.number > v.number)
    ORDER BY v.entry DESC LIMIT ?3";

impl Reads<'_> {
    pub(crate) fn access_reviews_waiting(
        &self,
        after: Option<&(At, AuditEntryId)>,
        limit: usize,
    ) -> Result<Vec<AccessReview>, ReadError> {
        let (due_at, entry) = match after {
            Some((due_at, entry)) => (due_at.as_micros(), entry.as_str()),
            None => (i64::MIN, ""),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.values("access_review_version", REVIEWS_WAITING, (self.tenant, due_at, entry, limit))
    }

    pub(crate) fn access_reviews_before(
        &self,
        before: Option<&AuditEntryId>,
        limit: usize,
    ) -> Result<Vec<AccessReview>, ReadError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let before = before.map(AuditEntryId::as_str);
        self.values("access_review_version", REVIEWS_BEFORE, (self.tenant, before, limit))
    }

    pub(crate) fn access_review_versions(
        &self,
        entry: &AuditEntryId,
    ) -> Result<Vec<AccessReview>, ReadError> {
        // Index: the primary key, in order.
        let sql = "SELECT entry, body FROM access_review_version
                   WHERE tenant = ?1 AND entry = ?2 ORDER BY number";
        self.values("access_review_version", sql, (self.tenant, entry.as_str()))
    }
}
