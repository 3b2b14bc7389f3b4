//! Why a request to the embedded store could not be carried out.

use proviso_fhir::consent::ConsentRefusal;
use proviso_fhir::search::SearchError;
use proviso_fhir::validate::Fault;
use proviso_store::{CommitError, Precondition, ReadError};

use crate::ports::EntropyError;

/// Why nothing was read or written. Facts only; the edge words them for the caller.
#[derive(Debug, thiserror::Error)]
pub enum RecordFault {
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error("the store could not be written")]
    Commit(#[source] CommitError),
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// What is stored is not what was written.
    #[error("a stored resource cannot be read")]
    Corrupt,
    /// The query is refused.
    #[error(transparent)]
    Query(#[from] SearchError),
    /// What of a record is shown could not be worked out.
    #[error("a record cannot be shown in part")]
    Part(#[from] proviso_fhir::redact::RedactError),
    /// A conditional interaction whose criteria select nothing in particular.
    #[error("a conditional interaction needs criteria")]
    NoCriteria,
    /// Answering would need to look at more candidates than the limit.
    #[error("the search would look at too many resources")]
    TooCostly,
    /// The body is no JSON that we accept.
    #[error("the body is not acceptable JSON")]
    Json(#[from] proviso_fhir::json::JsonError),
    /// The body is of another type than the address.
    #[error("the resource is of another type than the address")]
    WrongType,
    /// The body has no id or another one than the address.
    #[error("the id in the resource is not the id in the address")]
    WrongId,
    /// The resource breaks the base rules of its type.
    #[error("the resource is not valid")]
    Invalid(Vec<Fault>),
    /// A Consent that is not understood; it could not be enforced.
    #[error("{}", in_words(.0))]
    NotUnderstood(ConsentRefusal),
    /// There is no such resource.
    #[error("there is no such resource")]
    NotFound,
    /// The client may not choose the id of a new resource.
    #[error("new resources get their id from the server")]
    ClientId,
    /// `If-Match` names another version, or there is none to match.
    #[error("the version is not the one that was expected")]
    VersionMismatch,
    /// Somebody else was faster.
    #[error("the resource was changed at the same time")]
    Conflict,
    /// Conditional criteria match more than one resource.
    #[error("the criteria match more than one resource")]
    MultipleMatches,
    /// A patch cannot be applied.
    #[error("the patch cannot be applied: {0}")]
    Patch(proviso_fhir::patch::PatchError),
    /// The entry of a transaction that stands in the way.
    #[error("entry {index}")]
    Entry {
        /// Its position, counting from 0.
        index: usize,
        /// Why.
        #[source]
        fault: Box<RecordFault>,
    },
    /// An entry of a transaction that is no write, read or search of a resource.
    #[error("this request is not possible in a transaction")]
    NotInTransaction,
    /// Two entries of a transaction change the same resource.
    #[error("two entries change the same resource")]
    SameResourceTwice,
    /// A reference of a transaction leads to no or several resources.
    #[error("a conditional reference does not lead to exactly one resource")]
    BadReference,
}

/// The first reason, and how many there are.
fn in_words(refusal: &ConsentRefusal) -> String {
    let first = refusal.faults.first().map(ToString::to_string).unwrap_or_default();
    format!("{refusal}: {first}")
}

impl From<CommitError> for RecordFault {
    fn from(error: CommitError) -> Self {
        match error.precondition() {
            Some(
                Precondition::VersionConflict { .. }
                | Precondition::Exists
                | Precondition::Missing
                | Precondition::Changed,
            ) => Self::Conflict,
            _ => Self::Commit(error),
        }
    }
}
