//! What became of requests that named a key of their own.
//!
//! Source: draft-ietf-httpapi-idempotency-key-header-07. Nothing that was answered is kept, only what
//! was done: an answer is made again from what its caller may see when it is asked for again.

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

/// What was done for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// A keyed hash of who asked and of the key.
    pub key: [u8; 32],
    /// When it was done.
    pub at: At,
    /// Until when it is kept, this instant excluded.
    pub until: At,
    /// What is kept.
    pub done: KeptRequest,
}

/// The request and its changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRequest {
    /// A hash of everything of the request that its answer comes from.
    pub request: [u8; 32],
    /// Its changes, by their position in a transaction; position 0 for one that came by itself.
    pub made: Vec<KeptChange>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptChange {
    /// Its position.
    pub index: usize,
    /// What it did.
    pub change: KeptKind,
    /// The type of the resource.
    pub resource_type: ResourceType,
    /// Its id.
    pub id: ResourceId,
    /// The version that came of it; of a deletion, the version that was deleted.
    pub version: String,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptKind {
    /// It made the resource.
    Created,
    /// It found the resource and made none.
    Existing,
    /// It changed the resource, or left it as it was.
    Updated,
    /// It deleted the resource.
    Deleted,
}
