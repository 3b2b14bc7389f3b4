//! Consent versions and objections.

use proviso_core::consent::ConsentVersion;
use proviso_core::id::ConsentVersionId;

use super::super::codes::{int, to_json};
use super::super::tx::{OpError, Tx, require};
use crate::batch::Precondition;
use crate::choice::Objection;

/// The columns of the latest version that its successor must fit.
struct Latest {
    number: u32,
    version_id: String,
    patient: String,
}

impl Tx<'_> {
    fn latest_consent_version(&self, version: &ConsentVersion) -> Result<Option<Latest>, OpError> {
        // Index: consent_version_number, from its end.
        self.one(
            "SELECT number, version_id, patient FROM consent_version
             WHERE tenant = ?1 AND consent = ?2 ORDER BY number DESC LIMIT 1",
            (self.tenant, version.consent.as_str()),
            |row| Ok(Latest { number: row.get(0)?, version_id: row.get(1)?, patient: row.get(2)? }),
        )
    }

    pub(super) fn put_consent_version(
        &self,
        id: &ConsentVersionId,
        version: &ConsentVersion,
        expect: Option<&ConsentVersionId>,
        epoch: u64,
    ) -> Result<(), OpError> {
        let latest = self.latest_consent_version(version)?;
        match (&latest, expect) {
            (None, None) => {}
            (Some(_), None) => return Err(Precondition::Exists.into()),
            (None, Some(_)) => return Err(Precondition::Missing.into()),
            (Some(latest), Some(expected)) => {
                require(latest.version_id == expected.as_str(), Precondition::Changed)?;
            }
        }
        // INVARIANT: a consent is about one patient in all its versions.
        let follows = version.predecessor.as_ref() == expect
            && version.number == latest.as_ref().map_or(1, |latest| latest.number + 1)
            && latest.is_none_or(|latest| latest.patient == version.patient.as_str());
        require(follows, Precondition::Contradiction)?;
        // Index: consent_version_id.
        let known = self.exists(
            "SELECT 1 FROM consent_version WHERE tenant = ?1 AND version_id = ?2",
            (self.tenant, id.as_str()),
        )?;
        require(!known, Precondition::Exists)?;
        self.run_one(
            "INSERT INTO consent_version
                 (tenant, consent, number, version_id, patient, body, epoch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                self.tenant,
                version.consent.as_str(),
                version.number,
                id.as_str(),
                version.patient.as_str(),
                to_json(version)?,
                int(epoch),
            ),
        )
    }

    pub(super) fn put_objection(&self, objection: &Objection) -> Result<(), OpError> {
        // Index: the primary key.
        self.run_one(
            "INSERT INTO objection (tenant, patient, categories, recorded_at)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, patient) DO UPDATE
             SET categories = excluded.categories, recorded_at = excluded.recorded_at",
            (
                self.tenant,
                objection.patient.as_str(),
                to_json(&objection.categories)?,
                objection.recorded_at.as_micros(),
            ),
        )
    }
}
