//! The audit log as the store sees it: sealed entries, tiles and checkpoints, nothing readable.

use core::fmt;
use std::sync::Arc;

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::id::AuditEntryId;
use proviso_core::time::At;

/// A keyed pseudonym of a patient, a person or an app, by which entries are found.
pub type SubjectKey = [u8; 32];

/// An entry ready to be appended. The leaf carries no patient data; the body is ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAudit {
    /// The entry's id.
    pub id: AuditEntryId,
    /// When it happened.
    pub at: At,
    /// What happened.
    pub kind: AuditKind,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The canonical leaf bytes that the Merkle tree hashes.
    pub leaf: Vec<u8>,
    /// The encrypted entry.
    pub body: Vec<u8>,
    /// The salt of the commitment to the body.
    pub salt: [u8; 32],
    /// Pseudonyms under which the entry is found.
    pub subjects: Vec<SubjectKey>,
}

/// An entry as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAudit {
    /// Its place in the log.
    pub index: u64,
    /// The entry.
    pub entry: SealedAudit,
}

/// Which entries are wanted, newest first. Every filter given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// Only entries found under all of these pseudonyms.
    pub subjects: Vec<SubjectKey>,
    /// Only at or after this instant.
    pub from: Option<At>,
    /// Only before this instant.
    pub to: Option<At>,
    /// Only of these kinds; none means every kind.
    pub kinds: Vec<AuditKind>,
    /// Only with this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Only indexes below this one.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A signed statement of the size and root of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// How many entries it covers.
    pub size: u64,
    /// The root hash over them.
    pub root: [u8; 32],
    /// The signed note, verbatim.
    pub note: String,
}

/// The checkpoint could not be signed; the commit it belongs to fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint could not be signed")]
pub struct SignerError;

/// Signs checkpoints. Handed to the writer, which calls it once for every transaction that appends
/// to the log, before that transaction commits.
pub trait CheckpointSigner: Send + Sync + fmt::Debug {
    /// The signed note (C2SP tlog-checkpoint) over a tree size and root.
    ///
    /// # Errors
    /// When the key cannot sign; nothing is committed then.
    fn sign(&self, size: u64, root: &[u8; 32]) -> Result<String, SignerError>;
}

/// A signer that writers and callers share.
pub type SharedSigner = Arc<dyn CheckpointSigner>;
