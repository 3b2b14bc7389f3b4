//! The audit log: entries are sealed, committed together with what they describe, found again for
//! the people they are about, and verified from disk.
//!
//! No log, no data: whoever releases something waits for [`App::append_audit`] or [`App::commit`]
//! and releases nothing when they fail.

mod leaf;
mod place;
mod replay;
mod seal;
mod search;
mod signer;
#[cfg(test)]
mod tests;
mod verify;

use proviso_core::audit::AuditEntry;
use proviso_core::id::AuditEntryId;
use proviso_store::{Batch, CommitError, Op, Precondition, ReadError, Receipt};

pub use self::leaf::{Leaf, LeafError};
pub use self::replay::{
    Outcome, ReplayCounts, ReplayFailure, Replayed, Wanted, replay_with_master,
};
pub use self::seal::Sealer;
pub use self::search::{ActivityQuery, AuditSearch, LogPage, LoggedEntry, ToldEntry};
pub use self::signer::{LogSigner, install_signer};
pub(crate) use self::signer::{ORIGIN_SETTING, origin_in};
pub use self::verify::{
    BadEntry, VerifyError, VerifyReport, Why, verify_database, verify_with_master,
};
use crate::App;
use crate::envelope::EnvelopeError;
pub use crate::envelope::SealError;
use crate::filed::with_pictures;
use crate::ports::EntropyError;

/// Why something could not be logged, or the log not be read. The caller releases nothing.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// An entry could not be sealed, or a stored one not be opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The batch was not written.
    #[error("the batch was not written")]
    Commit(#[from] CommitError),
    /// The log could not be read.
    #[error("the audit log could not be read")]
    Read(#[from] ReadError),
}

impl From<EnvelopeError> for AuditError {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Entropy(error) => Self::Entropy(error),
            EnvelopeError::Seal(error) => Self::Seal(error),
        }
    }
}

impl AuditError {
    /// The precondition of the batch that did not hold, if that is why.
    pub const fn precondition(&self) -> Option<&Precondition> {
        match self {
            Self::Commit(why) => why.precondition(),
            Self::Entropy(_) | Self::Seal(_) | Self::Read(_) => None,
        }
    }
}

/// Proof that an entry is durable and covered by a signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReceipt {
    /// The entry.
    pub id: AuditEntryId,
    /// Its place in the log.
    pub index: u64,
}

impl App {
    /// Appends one entry and waits until it is durable.
    ///
    /// # Errors
    /// When it is not; nothing may be released then.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<AuditReceipt, AuditError> {
        let id = entry.id.clone();
        let receipt = self.commit(Batch::new(), entry).await?;
        receipt_of(id, receipt.audit_indexes.first())
    }

    /// Appends several entries, all of them or none, and waits until they are durable.
    ///
    /// # Errors
    /// As [`App::append_audit`].
    pub async fn append_audits(
        &self,
        entries: Vec<AuditEntry>,
    ) -> Result<Vec<AuditReceipt>, AuditError> {
        let ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
        let receipt = self.commit_with(Batch::new(), entries).await?;
        let mut indexes = receipt.audit_indexes.iter();
        ids.into_iter().map(|id| receipt_of(id, indexes.next())).collect()
    }

    /// Writes a batch and the entry that describes it: both, or neither.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn commit(&self, batch: Batch, entry: AuditEntry) -> Result<Receipt, AuditError> {
        self.commit_with(batch, vec![entry]).await
    }

    /// Writes a batch and the entries that describe it: everything, or nothing.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn commit_with(
        &self,
        mut batch: Batch,
        entries: Vec<AuditEntry>,
    ) -> Result<Receipt, AuditError> {
        with_pictures(&self.records(), &mut batch)?;
        for entry in &entries {
            batch.push(Op::AppendAudit(self.audit.seal(entry, &*self.entropy)?));
        }
        // Whatever the batch changes is in force in memory before this returns.
        self.subscriptions.commit(&self.live, &self.store, batch).await
    }
}

fn receipt_of(id: AuditEntryId, index: Option<&u64>) -> Result<AuditReceipt, AuditError> {
    // The store gives one index for each entry; anything else is no proof.
    let index = index.copied().ok_or(CommitError::Closed)?;
    Ok(AuditReceipt { id, index })
}
