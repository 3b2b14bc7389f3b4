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

/// Where a scan of consents has come to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ScanPlace {
    epoch: u64,
    consent: String,
    number: u32,
}

impl ScanPlace {
    pub(crate) const fn at(epoch: u64, consent: String, number: u32) -> Self {
        Self { epoch, consent, number }
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn consent(&self) -> &str {
        &self.consent
    }

    pub(crate) const fn number(&self) -> u32 {
        self.number
    }
}

/// Asks for consents, some at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentScan {
    /// Only versions written by a batch with a later epoch; `None` for all.
    pub written_after: Option<u64>,
    /// Where the page before ended; the default for the first.
    pub place: ScanPlace,
    /// How many versions are looked at for this page, at least one.
    pub limit: usize,
}

/// Some consents. The latest version of each is among those of all pages; earlier ones may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentPage {
    /// The versions.
    pub consents: Vec<StoredConsent>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<ScanPlace>,
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
