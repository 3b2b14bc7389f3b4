//! Lossless JSON: the bytes stay as they came, and a flat tape says where everything is.
//!
//! A resource is read once, front to back, into a `Vec` of fixed-size entries. Nothing is
//! converted: `7.20` stays `7.20`, member order and unknown elements survive, and whatever is sent
//! on is a copy of spans of the original bytes. Text that two readers could understand differently
//! (duplicate keys, escaped keys, lone surrogates, trailing bytes) is refused, because a
//! disagreement between this parser and the next one is a way around redaction.
//!
//! This module knows nothing of FHIR beyond `resourceType` and `id`.

pub mod edit;
mod error;
mod node;
mod parse;
mod scan;
pub mod write;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

pub use error::{JsonError, JsonFault};
pub use node::{Entries, Found, Items, Kind, Node};

/// LIMIT: how many containers may be open at once (design §13). The walkers of this crate may
/// therefore recurse without a bound of their own.
pub const DEPTH_MAX: usize = 64;

/// LIMIT: how many bytes one number may have. FHIR asks for 18 digits; what is longer is an attack
/// on whoever computes with it.
pub const NUMBER_BYTES_MAX: usize = 128;

/// One value on the tape. A container is followed by everything inside it, up to `next`.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Span of the member's key without its quotes; empty and zero when the value is no member.
    key_start: u32,
    key_end: u32,
    /// Span of the value in the text, quotes and brackets included.
    start: u32,
    end: u32,
    /// Index of the first slot after this value and all it contains.
    next: u32,
    /// Index of the container; the root is its own parent.
    parent: u32,
    kind: Kind,
    /// For strings: whether the text contains an escape.
    escaped: bool,
    member: bool,
}

/// A parsed JSON text that still owns its bytes.
///
/// ```
/// use proviso_fhir::json::Doc;
/// let doc = Doc::parse(br#"{"resourceType":"Patient","id":"a"}"#.to_vec()).unwrap();
/// assert_eq!(doc.id().unwrap().as_str(), "a");
/// assert!(Doc::parse(br#"{"id":"a","id":"b"}"#.to_vec()).is_err());
/// ```
#[derive(Clone)]
pub struct Doc {
    text: String,
    tape: Vec<Slot>,
}

impl Doc {
    /// Parses a whole text: one value, nothing but whitespace around it.
    ///
    /// # Errors
    /// The first fault, with its byte offset and the path of the value it is in.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, JsonError> {
        parse::parse(bytes)
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The text as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Gives the bytes back.
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        Node::new(self, 0)
    }

    /// The `resourceType`, if it is one of FHIR R4.
    pub fn resource_type(&self) -> Option<ResourceType> {
        self.root().resource_type()
    }

    /// The logical id, if it has the shape of one.
    pub fn id(&self) -> Option<ResourceId> {
        self.root().get("id")?.as_str()?.parse().ok()
    }
}

// TRUST: a resource is patient data, so it never prints itself.
impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doc")
            .field("resource_type", &self.resource_type())
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}
