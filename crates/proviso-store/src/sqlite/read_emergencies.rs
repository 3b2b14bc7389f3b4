//! Reading emergency access and its reviews.

use proviso_core::emergency::Emergency;
use proviso_core::emergency::review::Review;
use proviso_core::id::{AccountId, EmergencyId, PatientId};
use proviso_core::time::At;

use super::read::Reads;
use crate::error::ReadError;

impl Reads<'_> {
    pub(crate) fn emergency(&self, id: &EmergencyId) -> Result<Option<Emergency>, ReadError> {
        // Index: the primary key, from its end.
        let sql = "SELECT emergency, body FROM emergency_version
                   WHERE tenant = ?1 AND emergency = ?2 ORDER BY number DESC LIMIT 1";
        self.value("emergency_version", sql, (self.tenant, id.as_str()))
    }

    pub(crate) fn emergencies(&self) -> Result<Vec<Emergency>, ReadError> {
        // Index: the primary key, in order and for newer versions.
        let sql = "SELECT v.emergency, v.body FROM emergency_version v
                   WHERE v.tenant = ?1
                     AND NOT EXISTS (SELECT 1 FROM emergency_version newer
                                     WHERE newer.tenant = ?1 AND newer.emergency = v.emergency
                                       AND newer.number > v.number)
                   ORDER BY v.emergency";
        self.values("emergency_version", sql, (self.tenant,))
    }

    pub(crate) fn emergencies_after(&self, at: At) -> Result<Vec<Emergency>, ReadError> {
        // Indexes: emergency_version_end, then the primary key for newer versions; few are open.
        let sql = "SELECT v.emergency, v.body FROM emergency_version v
                   WHERE v.tenant = ?1 AND v.ends_at > ?2
                     AND NOT EXISTS (SELECT 1 FROM emergency_version newer
                                     WHERE newer.tenant = ?1 AND newer.emergency = v.emergency
                                       AND newer.number > v.number)
                   ORDER BY v.emergency";
        self.values("emergency_version", sql, (self.tenant, at.as_micros()))
    }

    pub(crate) fn emergencies_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<Emergency>, ReadError> {
        // Indexes: emergency_version_patient, then the primary key for newer versions.
        let sql = "SELECT v.emergency, v.body FROM emergency_version v
                   WHERE v.tenant = ?1 AND v.patient = ?2
                     AND NOT EXISTS (SELECT 1 FROM emergency_version newer
                                     WHERE newer.tenant = ?1 AND newer.emergency = v.emergency
                                       AND newer.number > v.number)
                   ORDER BY v.emergency";
        self.values("emergency_version", sql, (self.tenant, patient.as_str()))
    }

    pub(crate) fn emergencies_of_account(
        &self,
        account: &AccountId,
    ) -> Result<Vec<Emergency>, ReadError> {
        // Indexes: emergency_version_account, then the primary key for newer versions.
        let sql = "SELECT v.emergency, v.body FROM emergency_version v
                   WHERE v.tenant = ?1 AND v.account = ?2
                     AND NOT EXISTS (SELECT 1 FROM emergency_version newer
                                     WHERE newer.tenant = ?1 AND newer.emergency = v.emergency
                                       AND newer.number > v.number)
                   ORDER BY v.emergency";
        self.values("emergency_version", sql, (self.tenant, account.as_str()))
    }

    pub(crate) fn reviews(&self) -> Result<Vec<Review>, ReadError> {
        // Index: the primary key, in order and for newer versions.
        let sql = "SELECT v.emergency, v.body FROM emergency_review_version v
                   WHERE v.tenant = ?1
                     AND NOT EXISTS (SELECT 1 FROM emergency_review_version newer
                                     WHERE newer.tenant = ?1 AND newer.emergency = v.emergency
                                       AND newer.number > v.number)
                   ORDER BY v.emergency";
        self.values("emergency_review_version", sql, (self.tenant,))
    }

    pub(crate) fn review_versions(&self, id: &EmergencyId) -> Result<Vec<Review>, ReadError> {
        // Index: the primary key, in order.
        let sql = "SELECT emergency, body FROM emergency_review_version
                   WHERE tenant = ?1 AND emergency = ?2 ORDER BY number";
        self.values("emergency_review_version", sql, (self.tenant, id.as_str()))
    }
}
