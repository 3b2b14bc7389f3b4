//! A transparency log as pure functions: Merkle tree, tiles, checkpoints, signed notes, proofs and
//! the walk that finds the first bad entry.
//!
//! Sources: RFC 6962 §2.1 (hashing, proofs), RFC 9162 §2.1 (proof verification), C2SP tlog-tiles,
//! C2SP tlog-checkpoint, C2SP signed-note. The crate knows bytes only: no clock, no files, no keys.
//! Signing and signature checks are closures of the caller, so that no cryptography beyond SHA-256
//! lives here.
#![no_std]
#![deny(missing_docs)]
extern crate alloc;

pub mod checkpoint;
pub mod hash;
pub mod note;
pub mod proof;
pub mod tile;
pub mod tree;
pub mod walk;

pub use checkpoint::Checkpoint;
pub use hash::{Hash, leaf_hash, node_hash};
pub use note::SignedNote;
pub use tile::TileId;
pub use tree::Tree;
pub use walk::{Fault, FaultKind, Walk};
