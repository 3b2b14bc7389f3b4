//! Versions of FHIR resources, and the questions that can be asked about them.
//!
//! Every version written gets the next sequence number; it is the current one for sequence numbers
//! in `[from, to)`. A reader that fixes `as_of` once sees the same store on every page.

use proviso_core::category::SensitiveSet;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::label::{Label, LabelSetVersion};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

/// How a version came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordMethod {
    /// Created, also again after a deletion.
    Create,
    /// Updated.
    Update,
    /// Deleted; such a version has no body.
    Delete,
}

/// A closed interval by which a range parameter (date, number, quantity) finds a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RangeKey {
    /// The search parameter, as a number that its owner keeps stable.
    pub param: u32,
    /// Its lower end, included.
    pub low: i64,
    /// Its upper end, included.
    pub high: i64,
}

/// What the rules of one set found in a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundLabels {
    /// Its own labels: of each rule the first place at which it found its kind.
    pub own: Vec<Label>,
    /// The kinds that it gives to what refers to it.
    pub given: SensitiveSet,
}

impl FoundLabels {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.given.is_empty()
    }

    /// The kinds of its own labels.
    pub fn kinds(&self) -> SensitiveSet {
        self.own.iter().map(|label| label.kind).collect()
    }
}

/// What was found in a version, and by which rule set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLabels {
    /// The rule set.
    pub set: LabelSetVersion,
    /// What its rules found.
    pub found: FoundLabels,
}

/// How far the stored versions are labelled by one rule set. Deletions have no labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Versions labelled by it.
    pub labelled: u64,
    /// Versions labelled by another one, or by none.
    pub stale: u64,
}

/// A version to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordVersion {
    /// The type.
    pub resource_type: ResourceType,
    /// The logical id.
    pub id: ResourceId,
    /// 1 for the first version, then counting up by one, deletions included.
    pub version: u64,
    /// When.
    pub at: At,
    /// How.
    pub method: RecordMethod,
    /// The bytes as they came; `None` when deleted.
    pub body: Option<Vec<u8>>,
    /// Every patient named anywhere on it.
    pub patients: Vec<PatientId>,
    /// Hashed search keys. Order and repetition do not matter.
    pub keys: Vec<i64>,
    /// Range keys. Order and repetition do not matter.
    pub ranges: Vec<RangeKey>,
    /// What it was labelled, and under which rule set; `None` when it was not.
    pub labels: Option<RecordLabels>,
}

/// What must be there before a version is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No version at all.
    Absent,
    /// Exactly this version as the newest, not deleted.
    Version(u64),
    /// No version, or a deletion as the newest.
    AbsentOrDeleted,
    /// Anything.
    Any,
}

/// A version as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its sequence number.
    pub seq: u64,
    /// The type.
    pub resource_type: ResourceType,
    /// The logical id.
    pub id: ResourceId,
    /// The version number.
    pub version: u64,
    /// When.
    pub at: At,
    /// How.
    pub method: RecordMethod,
    /// The bytes as they came; `None` when deleted.
    pub body: Option<Vec<u8>>,
    /// What it was labelled when it was written or last gone over; nothing for one that never was.
    pub labels: FoundLabels,
}

/// One condition on a version; several must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// It has at least one of these keys. No keys: nothing fits.
    AnyKey(Vec<i64>),
    /// One of its ranges for the parameter overlaps the closed interval.
    Range {
        /// The parameter.
        param: u32,
        /// Lower end, included.
        low: i64,
        /// Upper end, included.
        high: i64,
    },
    /// Its id is one of these.
    Ids(Vec<ResourceId>),
    /// It names at least one of these patients.
    Patients(Vec<PatientId>),
}

/// Which current versions of one type are wanted, ordered by id (compared byte by byte).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateQuery {
    /// The state of the store to look at.
    pub as_of: u64,
    /// The type.
    pub resource_type: ResourceType,
    /// All must hold.
    pub clauses: Vec<Clause>,
    /// Only ids after this one.
    pub after: Option<ResourceId>,
    /// At most so many.
    pub limit: usize,
}

/// Which versions are wanted, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only of this type.
    pub resource_type: Option<ResourceType>,
    /// Only of this id; asks for a type.
    pub id: Option<ResourceId>,
    /// Only versions written at or after this instant.
    pub since: Option<At>,
    /// Only sequence numbers below this one.
    pub before_seq: Option<u64>,
    /// Only versions that name at least one of these patients; a deletion names those that it was
    /// written with. No patients: nothing fits.
    pub patients: Option<Vec<PatientId>>,
    /// At most so many.
    pub limit: usize,
}
