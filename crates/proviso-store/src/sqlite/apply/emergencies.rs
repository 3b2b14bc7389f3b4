//! Emergency access and its reviews.

use proviso_core::emergency::Emergency;
use proviso_core::emergency::review::Review;
use proviso_core::id::EmergencyId;

use super::super::codes::{from_json, to_json};
use super::super::tx::{OpError, Tx};
use crate::batch::Precondition;
use crate::model::emergencies::{emergency_fits, review_fits};

impl Tx<'_> {
    fn latest_emergency(&self, id: &EmergencyId) -> Result<Option<Emergency>, OpError> {
        // Index: the primary key, from its end.
        let body: Option<String> = self.one(
            "SELECT body FROM emergency_version
             WHERE tenant = ?1 AND emergency = ?2 ORDER BY number DESC LIMIT 1",
            (self.tenant, id.as_str()),
            |row| row.get(0),
        )?;
        Ok(body.map(|body| from_json("emergency_version", id.as_str(), &body)).transpose()?)
    }

    pub(super) fn put_emergency_version(&self, next: &Emergency) -> Result<(), OpError> {
        let declaration = &next.declaration;
        emergency_fits(self.latest_emergency(&declaration.id)?.as_ref(), next)?;
        self.run_one(
            "INSERT INTO emergency_version
                 (tenant, emergency, number, account, patient, ends_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                self.tenant,
                declaration.id.as_str(),
                next.number,
                declaration.by.as_str(),
                declaration.patient.as_str(),
                declaration.ends_at.as_micros(),
                to_json(next)?,
            ),
        )
    }

    pub(super) fn put_review_version(&self, next: &Review) -> Result<(), OpError> {
        let Some(emergency) = self.latest_emergency(&next.emergency)? else {
            return Err(Precondition::Missing.into());
        };
        // Index: the primary key, from its end.
        let body: Option<String> = self.one(
            "SELECT body FROM emergency_review_version
             WHERE tenant = ?1 AND emergency = ?2 ORDER BY number DESC LIMIT 1",
            (self.tenant, next.emergency.as_str()),
            |row| row.get(0),
        )?;
        let read = |body: String| from_json("emergency_review_version", "", &body);
        let latest: Option<Review> = body.map(read).transpose()?;
        review_fits(&emergency, latest.as_ref(), next)?;
        self.run_one(
            "INSERT INTO emergency_review_version (tenant, emergency, number, body)
             VALUES (?1, ?2, ?3, ?4)",
            (self.tenant, next.emergency.as_str(), next.number, to_json(next)?),
        )
    }
}
