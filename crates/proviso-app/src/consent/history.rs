//! Sharing choices through time: every version of one, and what was in force at any past instant.
//!
//! Answers come from the immutable versions alone, and only where these are one whole chain: a
//! damaged history is said to be damaged, never guessed at.

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::consent::{ChainError, NamedConsent, Timeline};
use proviso_core::id::{ConsentId, PatientId};
use proviso_core::time::At;
use proviso_store::{ReadError, StoredConsent};

use crate::App;
use crate::audit::AuditError;
use crate::via::Via;

/// Why a history cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] ReadError),
    /// A stored version is filed under another name than that of its content.
    #[error("version {number} of {consent} is not what its name says")]
    Renamed {
        /// Of which choice.
        consent: ConsentId,
        /// Which version.
        number: u32,
    },
    /// The versions are not one whole chain.
    #[error("the versions of {consent} do not follow one another: {why}")]
    Broken {
        /// Of which choice.
        consent: ConsentId,
        /// What does not fit.
        #[source]
        why: ChainError,
    },
}

impl App {
    /// Every version of a choice; `None` when there is no such choice.
    ///
    /// # Errors
    /// When the store cannot be read or the history is damaged.
    pub async fn consent_timeline(
        &self,
        consent: &ConsentId,
    ) -> Result<Option<Timeline>, HistoryError> {
        let stored = self.store.consent_versions(consent).await?;
        if stored.is_empty() { Ok(None) } else { timeline(consent, stored).map(Some) }
    }

    /// Every version of every choice of a patient, by the choice's id.
    ///
    /// # Errors
    /// When the store cannot be read or a history is damaged.
    pub async fn timelines_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<Timeline>, HistoryError> {
        let stored = self.store.consent_versions_of_patient(patient).await?;
        stored
            .chunk_by(|one, next| one.version.consent == next.version.consent)
            .filter_map(|versions| Some((versions.first()?.version.consent.clone(), versions)))
            .map(|(consent, versions)| timeline(&consent, versions.to_vec()))
            .collect()
    }

    /// The choices of a patient that were in force at an instant, each in its version of then.
    ///
    /// # Errors
    /// When the store cannot be read or a history is damaged.
    pub async fn consents_in_force_at(
        &self,
        patient: &PatientId,
        at: At,
    ) -> Result<Vec<NamedConsent>, HistoryError> {
        let lines = self.timelines_of_patient(patient).await?;
        Ok(lines.iter().filter_map(|line| line.in_force_at(at).cloned()).collect())
    }

    /// Logs that whoever runs this installation looks at sharing choices, before they see them.
    ///
    /// # Errors
    /// When it cannot be logged; nothing may be shown then.
    pub async fn log_choices_shown(
        &self,
        patients: Vec<PatientId>,
        via: &Via,
    ) -> Result<(), AuditError> {
        let mut entry =
            self.draft_entry(via, AuditKind::Administration, AuditOutcome::Success, "choices")?;
        entry.patients = patients;
        self.append_audit(entry).await.map(|_| ())
    }
}

/// The chain of stored versions. Names are computed anew, so that a version which was changed in
/// the file is not taken for what it was.
fn timeline(consent: &ConsentId, stored: Vec<StoredConsent>) -> Result<Timeline, HistoryError> {
    let mut versions = Vec::with_capacity(stored.len());
    for StoredConsent { id, version } in stored {
        let named = NamedConsent::new(version);
        if *named.id() != id {
            let number = named.version().number;
            return Err(HistoryError::Renamed { consent: consent.clone(), number });
        }
        versions.push(named);
    }
    Timeline::new(versions).map_err(|why| HistoryError::Broken { consent: consent.clone(), why })
}
