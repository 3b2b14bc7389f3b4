//! The leaf: what the Merkle tree hashes, and what a stranger may see of an entry.

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::id::{ConsentVersionId, DecisionId, hex};
use proviso_core::time::At;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Leaves say the hour only: enough to find one's way, too little to follow a person by.
const BUCKET_SECS: i64 = 3600;

/// The bytes are not a leaf of ours in its only spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a leaf")]
pub struct LeafError;

/// What a leaf says. It names no patient, no person, no app and no record.
///
/// Its canonical bytes are JSON with the members in this order and no white space; every value
/// comes from a fixed set or is hex, so there is one spelling only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The version of this form: 1, or 2 where there is a statement.
    pub v: u8,
    /// The start of the hour in which it happened, in seconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// What happened.
    pub kind: AuditKind,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// SHA-256 of the name and version of the organisation's rules in force, hex.
    pub policy: Option<String>,
    /// The decision.
    pub decision: Option<DecisionId>,
    /// The commitment to the encrypted entry: `SHA-256(0x01 ‖ salt ‖ ciphertext)`, hex.
    pub commit: String,
    /// What the entry states to whoever holds the receipt of a consent version, and to nobody
    /// else: `SHA-256(0x02 ‖ salt of the statement ‖ version id)`, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

impl Leaf {
    /// The leaf of an entry whose encrypted form and salt are known.
    pub fn of(entry: &AuditEntry, salt: &[u8; 32], body: &[u8]) -> Self {
        let policy = entry.policy_version.as_ref();
        let stated = entry
            .consent
            .as_ref()
            .filter(|_| entry.kind == AuditKind::Consent && entry.outcome == AuditOutcome::Success);
        let statement =
            stated.map(|(_, version)| Self::statement_about(&Self::statement_salt(salt), version));
        Self {
            v: if statement.is_some() { 2 } else { 1 },
            at: Self::bucket(entry.at),
            kind: entry.kind,
            outcome: entry.outcome,
            policy: policy.map(|version| hex(&Sha256::digest(version.as_bytes()))),
            decision: entry.decision.clone(),
            commit: Self::commitment(salt, body),
            statement,
        }
    }

    /// The salt of an entry's statement. It is told to the holder of a receipt, so it is another
    /// one than that of the commitment to the entry.
    pub fn statement_salt(salt: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update([3_u8]);
        hasher.update(salt);
        hasher.finalize().into()
    }

    /// The statement that a version of a consent was recorded. Without the salt it cannot be told
    /// from any other, so that the log leads nobody from one choice to the next.
    pub fn statement_about(statement_salt: &[u8; 32], version: &ConsentVersionId) -> String {
        let mut hasher = Sha256::new();
        hasher.update([2_u8]);
        hasher.update(statement_salt);
        hasher.update(version.as_str().as_bytes());
        hex(&hasher.finalize())
    }

    /// The start of the hour of an instant, in seconds.
    pub const fn bucket(at: At) -> i64 {
        at.as_secs().div_euclid(BUCKET_SECS) * BUCKET_SECS
    }

    /// The commitment to a salted ciphertext. The salt keeps a small space of possible entries from
    /// being searched; destroying it with the key erases the entry.
    pub fn commitment(salt: &[u8], body: &[u8]) -> String {
        let mut hasher = Sha256::new();
        hasher.update([1_u8]);
        hasher.update(salt);
        hasher.update(body);
        hex(&hasher.finalize())
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// Never for a leaf made by [`Leaf::of`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, LeafError> {
        serde_json::to_vec(self).map_err(|_| LeafError)
    }

    /// Reads canonical bytes; any other spelling of the same values is refused.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`Leaf::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        let leaf: Self = serde_json::from_slice(bytes).map_err(|_| LeafError)?;
        let form = if leaf.statement.is_some() { 2 } else { 1 };
        if leaf.v == form && leaf.to_bytes()? == bytes { Ok(leaf) } else { Err(LeafError) }
    }
}
