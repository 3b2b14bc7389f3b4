//! What patients chose, as it is stored.

use proviso_core::category::CategorySet;
use proviso_core::consent::ConsentVersion;
use proviso_core::id::{ConsentVersionId, PatientId};
use proviso_core::time::At;

/// A consent version with the content hash that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsent {
    /// The content hash.
    pub id: ConsentVersionId,
    /// The version.
    pub version: ConsentVersion,
}

/// A patient's objection to operational access (design §5). A later one for the same patient takes
/// the place of an earlier one; an empty set withdraws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// Whose data.
    pub patient: PatientId,
    /// Which kinds of record.
    pub categories: CategorySet,
    /// When it was said.
    pub recorded_at: At,
}
