//! What a receipt carries so that it can be believed later: the key that signed it, vouched for by
//! the log's key, and the place of the consent version in the log.
//!
//! Signing keys rotate and are forgotten; the log's key stays ([`crate::keys`]). So the log's key
//! signs a note that names the signing key, and checkpoints of the log show that the version was
//! recorded. Whoever kept either key can check a receipt without asking anybody.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::id::{ConsentVersionId, hex};
use proviso_tlog::note::parse_ed25519_verifier_key;
use proviso_tlog::proof::verify_inclusion;
use proviso_tlog::{Checkpoint, Hash, SignedNote, leaf_hash};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::audit::Leaf;

/// The first line of the note about a signing key. A checkpoint has a number in its second line and
/// this note has not, so that neither passes for the other.
const KEY_NOTE: &str = "proviso receipt key 1";

/// The key that signed, and why it is the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEvidence {
    /// The public key.
    pub jwk: EcKey,
    /// A signed note of the log's key that names it.
    pub note: String,
}

/// A public key on P-256 (RFC 7518 §6.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcKey {
    alg: String,
    crv: String,
    /// Its name.
    pub kid: String,
    kty: String,
    #[serde(rename = "use")]
    key_use: String,
    x: String,
    y: String,
}

impl EcKey {
    /// The thumbprint (RFC 7638 §3.2): SHA-256 over the members that make the key, in order.
    pub fn thumbprint(&self) -> String {
        thumbprint([&self.crv, &self.kty, &self.x, &self.y])
    }

    /// The thumbprint of a JWK on P-256 with whatever other members; `None` for another kind.
    pub(super) fn thumbprint_of(jwk: &serde_json::Value) -> Option<String> {
        let member = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
        let members = [member("crv")?, member("kty")?, member("x")?, member("y")?];
        (member("crv") == Some("P-256")).then(|| thumbprint(members))
    }

    /// The text of the note in which the key of a log vouches for this key.
    pub(super) fn note_text(&self, origin: &str) -> String {
        format!("{KEY_NOTE}\n{origin}\n{}\n{}\n", self.kid, self.thumbprint())
    }
}

fn thumbprint([crv, kty, x, y]: [&str; 4]) -> String {
    let text = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

/// The public key of a log, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// The log's name.
    pub origin: String,
    key: [u8; 32],
}

impl LogKey {
    /// Reads a verifier key line (C2SP signed-note).
    pub fn parse(line: &str) -> Option<Self> {
        parse_ed25519_verifier_key(line).map(|(origin, key)| Self { origin, key })
    }

    fn signed(&self, note: &str) -> Option<SignedNote> {
        let parsed = SignedNote::parse(note).ok()?;
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        let verify = |text: &[u8], signature: &[u8]| key.verify(text, signature).is_ok();
        parsed.verify_ed25519(&self.origin, &self.key, verify).ok()?;
        Some(parsed)
    }

    /// Whether this log's key vouches for a signing key.
    pub(super) fn vouches_for(&self, evidence: &KeyEvidence) -> bool {
        self.signed(&evidence.note)
            .is_some_and(|note| note.text == evidence.jwk.note_text(&self.origin))
    }
}

/// Where the log says that the version was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEvidence {
    /// The place of the entry.
    pub index: u64,
    /// The leaf, as the log has it.
    pub leaf: String,
    /// The salt of its statement, hex.
    pub salt: String,
    /// A signed checkpoint that covers the entry.
    pub checkpoint: String,
    /// The inclusion proof, each hash in base64.
    pub path: Vec<String>,
}

/// Why the log does not show that a version was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// The checkpoint is not signed by the log's key, or is no checkpoint of it.
    #[error("the checkpoint is not one of the log")]
    Checkpoint,
    /// The leaf is not one of a recorded consent.
    #[error("the leaf is not that of a recorded consent")]
    Leaf,
    /// The leaf states another version.
    #[error("the leaf is about another version")]
    Statement,
    /// The proof does not lead from the leaf to the checkpoint.
    #[error("the entry is not in the log")]
    Inclusion,
}

impl LogEvidence {
    /// Checks that the log holds the entry that recorded a version. Gives the size of the log by
    /// the checkpoint.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn check(&self, log: &LogKey, version: &ConsentVersionId) -> Result<u64, LogFault> {
        let note = log.signed(&self.checkpoint).ok_or(LogFault::Checkpoint)?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| LogFault::Checkpoint)?;
        if checkpoint.origin != log.origin {
            return Err(LogFault::Checkpoint);
        }
        let leaf = Leaf::parse(self.leaf.as_bytes()).map_err(|_| LogFault::Leaf)?;
        if leaf.kind != AuditKind::Consent || leaf.outcome != AuditOutcome::Success {
            return Err(LogFault::Leaf);
        }
        let salt = unhex(&self.salt).ok_or(LogFault::Statement)?;
        if leaf.statement != Some(Leaf::statement_about(&salt, version)) {
            return Err(LogFault::Statement);
        }
        let path: Option<Vec<Hash>> = self.path.iter().map(|hash| decode_hash(hash)).collect();
        let path = path.ok_or(LogFault::Inclusion)?;
        let hash = leaf_hash(self.leaf.as_bytes());
        if verify_inclusion(&hash, self.index, checkpoint.size, &path, &checkpoint.root) {
            Ok(checkpoint.size)
        } else {
            Err(LogFault::Inclusion)
        }
    }
}

pub(super) fn encode_hash(hash: &Hash) -> String {
    STANDARD.encode(hash)
}

fn decode_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Reads 32 bytes from lower-case hex, their only spelling here.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = core::str::from_utf8(pair).ok()?;
        *slot = u8::from_str_radix(pair, 16).ok()?;
    }
    (hex(&bytes) == text).then_some(bytes)
}
