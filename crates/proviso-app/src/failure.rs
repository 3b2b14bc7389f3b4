//! Why a use case could not be carried out at all: nothing was released and nothing half-done.

use proviso_store::{CommitError, Precondition, ReadError};

use crate::keys::KeysError;
use crate::ports::EntropyError;
use crate::visits::VisitsError;

/// Something inside failed. Edges answer 503 and say no more.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] ReadError),
    /// The store could not be written, or a precondition did not hold where it had to.
    #[error("the store could not be written")]
    Commit(#[from] CommitError),
    /// The change could not be logged.
    #[error("the change could not be logged")]
    Audit(#[from] crate::audit::AuditError),
    /// A key could not be used.
    #[error("a key could not be used")]
    Keys(#[from] KeysError),
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Nothing could be said of a patient's visits.
    #[error(transparent)]
    Visits(#[from] VisitsError),
}

impl Failure {
    /// The precondition that did not hold, if that is why.
    pub fn precondition(&self) -> Option<&Precondition> {
        match self {
            Self::Commit(error) => error.precondition(),
            Self::Audit(error) => error.precondition(),
            Self::Read(_) | Self::Keys(_) | Self::Entropy(_) | Self::Visits(_) => None,
        }
    }
}
