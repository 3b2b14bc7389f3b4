//! Looking at one's own pages, at those of somebody one acts for, or at a list of names.

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::consent::Capacity;
use proviso_core::id::{ClientId, PatientId};
use proviso_core::reason::ReasonCode;

use crate::App;
use crate::audit::AuditError;
use crate::session::SignedIn;
use crate::via::Via;

impl App {
    /// Logs that a person looks at a page of the portal, before the page is shown: somebody who
    /// acts for a patient is seen by the patient, and the other way round.
    ///
    /// # Errors
    /// When it cannot be logged; the page must not be shown then.
    pub async fn log_portal_view(
        &self,
        person: &SignedIn,
        patient: &PatientId,
        capacity: Capacity,
        page: &str,
        via: &Via,
    ) -> Result<(), AuditError> {
        let mut entry =
            self.draft_entry(via, AuditKind::PortalView, AuditOutcome::Success, page)?;
        entry.account = Some(person.account.id.clone());
        entry.session = Some(person.session.id.clone());
        entry.patients = vec![patient.clone()];
        match capacity {
            Capacity::Patient => {
                entry.purpose = Some(PurposeOfUse::PatientRequest);
                entry.reasons = vec![ReasonCode::OwnRecord];
            }
            Capacity::Proxy | Capacity::LegalAuthority => {
                entry.purpose = Some(PurposeOfUse::Family);
                entry.reasons = vec![ReasonCode::ProxyInForce];
                entry.on_behalf_of = Some(patient.clone());
            }
        }
        self.append_audit(entry).await.map(|_| ())
    }

    /// Logs that a page shows a person the names of patients to choose from, before it is shown:
    /// that somebody is a patient here is already something to know about them. `client` is the app
    /// that waits for the choice, if one does; `page` a short stable word.
    ///
    /// # Errors
    /// When it cannot be logged; the page must not be shown then.
    pub async fn log_names_shown(
        &self,
        person: &SignedIn,
        patients: Vec<PatientId>,
        client: Option<&ClientId>,
        page: &str,
        via: &Via,
    ) -> Result<(), AuditError> {
        // A page without any name tells nothing about anybody.
        if patients.is_empty() {
            return Ok(());
        }
        let mut entry =
            self.draft_entry(via, AuditKind::NamesShown, AuditOutcome::Success, page)?;
        entry.client = client.cloned();
        entry.account = Some(person.account.id.clone());
        entry.session = Some(person.session.id.clone());
        entry.patients = patients;
        self.append_audit(entry).await.map(|_| ())
    }
}
