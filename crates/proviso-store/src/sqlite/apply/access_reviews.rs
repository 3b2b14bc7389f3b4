//! Reviews of accesses.

use proviso_core::oversight::AccessReview;

use super::super::codes::{from_json, to_json};
use super::super::tx::{OpError, Tx};
use crate::model::access_reviews::access_review_fits;

impl Tx<'_> {
    pub(super) fn put_access_review_version(&self, next: &AccessReview) -> Result<(), OpError> {
        let entry = next.access.entry.as_str();
        // Index: the primary key, from its end.
        let body: Option<String> = self.one(
            "SELECT body FROM access_review_version
             WHERE tenant = ?1 AND entry = ?2 ORDER BY number DESC LIMIT 1",
            (self.tenant, entry),
            |row| row.get(0),
        )?;
        let read = |body: String| from_json("access_review_version", entry, &body);
        let latest: Option<AccessReview> = body.map(read).transpose()?;
        access_review_fits(latest.as_ref(), next)?;
        self.run_one(
            "INSERT INTO access_review_version (tenant, entry, number, body)
             VALUES (?1, ?2, ?3, ?4)",
            (self.tenant, entry, next.number, to_json(next)?),
        )?;
        if let Some(latest) = latest {
            self.run_one(
                "DELETE FROM access_review_waiting
                 WHERE tenant = ?1 AND due_at = ?2 AND entry = ?3",
                (self.tenant, latest.due_at.as_micros(), entry),
            )?;
        }
        if next.stage.is_decided() {
            return Ok(());
        }
        self.run_one(
            "INSERT INTO access_review_waiting (tenant, due_at, entry) VALUES (?1, ?2, ?3)",
            (self.tenant, next.due_at.as_micros(), entry),
        )
    }
}
