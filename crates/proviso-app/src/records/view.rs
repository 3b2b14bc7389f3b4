//! Whose eyes a read looks through.

use proviso_core::id::PatientId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::Doc;
use proviso_fhir::redact::RedactError;
use proviso_fhir::search::{Query, SearchError};

use super::Record;

/// What one caller may see, one resource at a time.
pub trait View: Send + Sync {
    /// Whether the record is part of the view.
    fn sees(&self, record: &Record) -> bool;

    /// Refuses a query that looks at what is not shown of records.
    ///
    /// # Errors
    /// With the parameter that does.
    fn admits(&self, query: &Query) -> Result<(), SearchError> {
        let _ = query;
        Ok(())
    }

    /// Whether some records are shown in part only.
    fn is_partial(&self) -> bool {
        false
    }

    /// A record as it is shown; `None` where that is as it is stored.
    ///
    /// # Errors
    /// When it cannot be worked out; nothing of it may be shown then.
    fn part(&self, record: &Record) -> Result<Option<Doc>, RedactError> {
        let _ = record;
        Ok(None)
    }

    /// An answer is made from a record that is seen: it is shown, counted or leads to another.
    fn uses(&self, record: &Record) {
        let _ = record;
    }

    /// Whether a record may also be changed in this way by whoever has the view. What may be seen
    /// and what may be changed are decided apart: neither follows from the other.
    fn may_change(&self, record: &Record, interaction: &Interaction) -> bool {
        let _ = interaction;
        self.sees(record)
    }

    /// Whether there is anything that the view does not see.
    fn is_limited(&self) -> bool {
        true
    }

    /// The only patients that visible records of a type can name, where every visible record of
    /// that type names at least one of them. It narrows what is looked at; it decides nothing.
    fn patients(&self, resource_type: ResourceType) -> Option<Vec<PatientId>> {
        let _ = resource_type;
        None
    }
}

/// Everything. TRUST: whoever is given this view sees every patient; it is for administration,
/// import and tests, never for a request.
#[derive(Debug, Clone, Copy)]
pub struct WholeStore;

impl View for WholeStore {
    fn sees(&self, _record: &Record) -> bool {
        true
    }

    fn is_limited(&self) -> bool {
        false
    }
}
