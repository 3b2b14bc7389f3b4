//! Batches and transactions as they arrive (FHIR R4 http.html#transaction).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use proviso_core::resource_type::ResourceType;

use crate::classify::Method;
use crate::json::{Doc, Node};
use crate::outcome::{Issue, IssueCode, OperationOutcome};

/// LIMIT: entries in one batch or transaction (design §13).
pub const ENTRIES_MAX: usize = 200;

/// Batch or transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IncomingKind {
    /// Each entry on its own.
    Batch,
    /// All or nothing.
    Transaction,
}

/// `Bundle.entry.request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRequest {
    /// The method.
    pub method: Method,
    /// The URL relative to the FHIR base, query included, as it came.
    pub url: String,
    /// `ifNoneMatch`
    pub if_none_match: Option<String>,
    /// `ifModifiedSince`
    pub if_modified_since: Option<String>,
    /// `ifMatch`
    pub if_match: Option<String>,
    /// `ifNoneExist`: the query of a conditional create.
    pub if_none_exist: Option<String>,
}

/// One entry that arrived.
#[derive(Debug, Clone)]
pub struct IncomingEntry<'a> {
    /// Its position, counting from 0.
    pub index: usize,
    /// Its `fullUrl`, which other entries may refer to.
    pub full_url: Option<String>,
    /// The resource, if there is one.
    pub resource: Option<Node<'a>>,
    /// What to do.
    pub request: EntryRequest,
}

/// A batch or transaction that arrived.
#[derive(Debug, Clone)]
pub struct IncomingBundle<'a> {
    /// Batch or transaction.
    pub kind: IncomingKind,
    /// The entries in their order.
    pub entries: Vec<IncomingEntry<'a>>,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryFault {
    /// It is no object.
    NotAnObject,
    /// `request` or one of its required elements is missing or no string.
    NoRequest,
    /// The method is not one of the value set.
    UnknownMethod,
    /// A resource is needed for this method and there is none, or the other way round.
    WrongResource,
    /// A Bundle inside a Bundle, which could hide requests from the decision.
    NestedBundle,
    /// Two entries have the same `fullUrl`.
    DuplicateFullUrl,
    /// A text element holds something else.
    NotAString,
}

/// Why a body is no batch or transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is no Bundle.
    #[error("the body is not a Bundle")]
    NotABundle,
    /// It is a Bundle of another type.
    #[error("the Bundle is neither a batch nor a transaction")]
    WrongType,
    /// It has more entries than the limit.
    #[error("the Bundle has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// One entry is malformed.
    #[error("entry {index}: {fault}")]
    Entry {
        /// Which, counting from 0.
        index: usize,
        /// What is wrong with it.
        fault: EntryFault,
    },
}

impl fmt::Display for EntryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "not an object",
            Self::NoRequest => "`request.method` and `request.url` are required",
            Self::UnknownMethod => "unknown method",
            Self::WrongResource => "this method needs a resource, or must not have one",
            Self::NestedBundle => "a Bundle may not be nested in a batch or transaction",
            Self::DuplicateFullUrl => "`fullUrl` occurs twice",
            Self::NotAString => "a text element is not a string",
        })
    }
}

impl BundleError {
    /// HTTP status and body.
    pub fn to_response(&self) -> (u16, OperationOutcome) {
        let (status, code, detail) = match self {
            Self::NotABundle | Self::WrongType => (400, IssueCode::Structure, "not-a-batch"),
            Self::TooManyEntries => (413, IssueCode::TooLong, "too-many-entries"),
            Self::Entry { .. } => (400, IssueCode::Invalid, "bad-entry"),
        };
        let issue = Issue::error(code, alloc::format!("{self}")).with_detail(detail);
        let issue = match self {
            Self::Entry { index, .. } => issue.at(alloc::format!("Bundle.entry[{index}]")),
            Self::NotABundle | Self::WrongType | Self::TooManyEntries => issue,
        };
        (status, issue.into())
    }
}

impl<'a> IncomingBundle<'a> {
    /// Reads a batch or transaction.
    ///
    /// # Errors
    /// The first thing that is wrong. The URLs of the entries are not looked at here; classify
    /// them one by one.
    pub fn read(doc: &'a Doc) -> Result<Self, BundleError> {
        let root = doc.root();
        if doc.resource_type() != Some(ResourceType::BUNDLE) {
            return Err(BundleError::NotABundle);
        }
        let kind = match root.get("type").and_then(Node::as_str).as_deref() {
            Some("batch") => IncomingKind::Batch,
            Some("transaction") => IncomingKind::Transaction,
            Some(_) | None => return Err(BundleError::WrongType),
        };
        let items = match root.get("entry") {
            Some(list) if list.is_array() => list.items(),
            Some(_) => return Err(BundleError::NotABundle),
            None => return Ok(Self { kind, entries: Vec::new() }),
        };
        let mut entries: Vec<IncomingEntry<'a>> = Vec::new();
        for (index, node) in items.enumerate() {
            if index == ENTRIES_MAX {
                return Err(BundleError::TooManyEntries);
            }
            let entry =
                read_entry(index, node).map_err(|fault| BundleError::Entry { index, fault })?;
            let twice = entry.full_url.is_some()
                && entries.iter().any(|before| before.full_url == entry.full_url);
            // FHIR R4 bdl-7. In a batch, two reads of one URL are harmless, and clients send them.
            if twice && kind == IncomingKind::Transaction {
                let fault = EntryFault::DuplicateFullUrl;
                return Err(BundleError::Entry { index, fault });
            }
            entries.push(entry);
        }
        Ok(Self { kind, entries })
    }
}

fn read_entry(index: usize, node: Node<'_>) -> Result<IncomingEntry<'_>, EntryFault> {
    if !node.is_object() {
        return Err(EntryFault::NotAnObject);
    }
    let request = node.get("request").ok_or(EntryFault::NoRequest)?;
    let method = text(request, "method")?.ok_or(EntryFault::NoRequest)?;
    let method: Method = method.parse().map_err(|_| EntryFault::UnknownMethod)?;
    let resource = node.get("resource");
    let fits = match method {
        Method::Post | Method::Put | Method::Patch => resource.is_some_and(Node::is_object),
        // A GET or DELETE with a body means different things to different readers.
        Method::Get | Method::Head | Method::Delete => resource.is_none(),
        Method::Options => return Err(EntryFault::UnknownMethod),
    };
    let is_search = method == Method::Post && resource.is_none();
    if !fits && !is_search {
        return Err(EntryFault::WrongResource);
    }
    if resource.and_then(Node::resource_type) == Some(ResourceType::BUNDLE) {
        return Err(EntryFault::NestedBundle);
    }
    Ok(IncomingEntry {
        index,
        full_url: text(node, "fullUrl")?,
        resource,
        request: EntryRequest {
            method,
            url: text(request, "url")?.ok_or(EntryFault::NoRequest)?,
            if_none_match: text(request, "ifNoneMatch")?,
            if_modified_since: text(request, "ifModifiedSince")?,
            if_match: text(request, "ifMatch")?,
            if_none_exist: text(request, "ifNoneExist")?,
        },
    })
}

fn text(object: Node<'_>, key: &str) -> Result<Option<String>, EntryFault> {
    match object.get(key) {
        None => Ok(None),
        Some(node) => match node.as_str() {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(EntryFault::NotAString),
        },
    }
}
