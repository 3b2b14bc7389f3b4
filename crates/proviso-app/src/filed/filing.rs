//! What a registry may file: a Consent that is understood, of a patient, in a status that can follow.

use proviso_core::id::PatientId;
use proviso_fhir::consent::{ConsentRefusal, ReadConsent, Status, Version};
use proviso_fhir::json::Doc;
use proviso_fhir::json::edit::Edit;
use proviso_fhir::json::write::string_text;

use super::{DialectWarning, warnings};
use crate::App;

/// A Consent that may be filed.
#[derive(Debug)]
pub struct Filing {
    /// What it says.
    pub consent: ReadConsent,
    /// Whose it is.
    pub patient: PatientId,
    /// Where readings of it part, for the person who records it.
    pub warnings: Vec<DialectWarning>,
}

/// Why a Consent is not filed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilingRefusal {
    /// It is not understood; every reason with its place.
    #[error("the consent is not understood")]
    NotUnderstood(ConsentRefusal),
    /// The patient is none of this server.
    #[error("the consent is not about a patient of this server")]
    PatientElsewhere,
    /// A new version names another patient than the one before.
    #[error("a consent cannot move to another patient")]
    OtherPatient,
    /// A consent in the status before cannot come into this one.
    #[error("a consent that is `{}` cannot become `{}`", before.code(), after.code())]
    NoTransition {
        /// The status before.
        before: Status,
        /// The status asked for.
        after: Status,
    },
}

/// Why a revocation does not name a consent that could be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilingError {
    /// What is stored cannot be read as a Consent.
    #[error("the stored consent cannot be read")]
    Corrupt,
}

impl App {
    /// Checks a Consent before it is filed; `before` is the version that it follows.
    ///
    /// # Errors
    /// Why it is not filed.
    pub fn check_filing(&self, doc: &Doc, before: Option<&Doc>) -> Result<Filing, FilingRefusal> {
        let settings = &self.settings.filed;
        let consent = settings.read(doc, Version::R4).map_err(FilingRefusal::NotUnderstood)?;
        let patient = consent.header().patient_id().ok_or(FilingRefusal::PatientElsewhere)?;
        if let Some(before) = before {
            may_follow(before, &consent, &patient)?;
        }
        let warnings = warnings(consent.directive());
        Ok(Filing { consent, patient, warnings })
    }
}

/// Whether a version may follow a stored one. What is stored and cannot be read is judged by what it
/// states of status and patient.
fn may_follow(before: &Doc, next: &ReadConsent, patient: &PatientId) -> Result<(), FilingRefusal> {
    let root = before.root();
    let named = root.string_at(&["patient", "reference"]);
    let same = named.as_deref().is_none_or(|text| {
        text.rsplit_once("Patient/").is_some_and(|(_, id)| id == patient.as_str())
    });
    if !same {
        return Err(FilingRefusal::OtherPatient);
    }
    let stated = root.string_at(&["status"]);
    let status = Status::ALL.iter().find(|known| stated.as_deref() == Some(known.code()));
    let (Some(status), after) = (status.copied(), next.header().status) else { return Ok(()) };
    if follows(status, after) {
        Ok(())
    } else {
        Err(FilingRefusal::NoTransition { before: status, after })
    }
}

/// Which status may follow which. What has ended does not begin again: that is a new consent.
const fn follows(before: Status, after: Status) -> bool {
    match before {
        Status::Draft | Status::Proposed => true,
        Status::Active => {
            matches!(after, Status::Active | Status::Inactive | Status::EnteredInError)
        }
        Status::Inactive | Status::Rejected | Status::NotDone => {
            matches!(after, Status::EnteredInError)
        }
        Status::EnteredInError => false,
    }
}

/// The version that ends a consent: as it was, but inactive (HL7 FAST `$revokeConsent`).
///
/// # Errors
/// When what is stored cannot be changed, which would be a fault of ours.
pub fn revoked(before: &Doc) -> Result<Doc, FilingError> {
    let mut edit = Edit::new(before);
    edit.set(before.root(), "status", string_text(Status::Inactive.code()).as_bytes());
    edit.finish_doc().map_err(|_| FilingError::Corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_does_not_begin_again() {
        let all = Status::ALL.iter().copied();
        for before in all.clone() {
            for after in all.clone() {
                let ended = !matches!(before, Status::Draft | Status::Proposed | Status::Active);
                if ended && follows(before, after) {
                    assert_eq!(after, Status::EnteredInError, "{}", before.code());
                }
            }
        }
        assert!(follows(Status::Draft, Status::Active));
        assert!(follows(Status::Active, Status::Active));
        assert!(follows(Status::Active, Status::Inactive));
        assert!(!follows(Status::Active, Status::Draft));
        assert!(!follows(Status::Inactive, Status::Active));
        assert!(!follows(Status::EnteredInError, Status::EnteredInError));
    }
}
