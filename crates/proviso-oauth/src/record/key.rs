//! Server keys, sealed.

use proviso_core::time::At;
use serde::{Deserialize, Serialize};

use super::OpaqueBytes;

/// What a server key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Signs tokens with ES256 (P-256); PKCS#8 inside.
    SignEs256,
    /// Signs tokens with RS256 (RSA 2048); PKCS#8 inside.
    SignRs256,
    /// Signs tokens with EdDSA (Ed25519); PKCS#8 inside.
    SignEdDsa,
    /// Signs checkpoints of the audit log (Ed25519); PKCS#8 inside.
    Checkpoint,
    /// Keys HMACs and symmetric encryption of one server; 32 bytes inside.
    Derivation,
}

/// A server key, sealed under the master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// The `kid`.
    pub id: String,
    /// What it is for.
    pub key_use: KeyUse,
    /// Nonce and ciphertext of AES-256-GCM; id and use are bound as associated data.
    pub sealed: OpaqueBytes,
    /// When it was made.
    pub created_at: At,
    /// When it stopped signing, if it did.
    pub retired_at: Option<At>,
    /// Until when its public half stays published after that.
    pub publish_until: Option<At>,
}
