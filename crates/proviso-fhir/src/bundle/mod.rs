//! Bundles: writing answers around the bytes of resources, and reading batches and transactions.

mod incoming;
#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proviso_core::time::At;

use crate::json::write::{self, ArrayWriter, ObjectWriter};

pub use incoming::{
    BundleError, ENTRIES_MAX, EntryFault, EntryRequest, IncomingBundle, IncomingEntry, IncomingKind,
};

/// FHIR R4 `bundle-type`, as far as Proviso writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BundleType {
    /// Results of a search.
    Searchset,
    /// Versions.
    History,
    /// Answers to a batch.
    BatchResponse,
    /// Answers to a transaction.
    TransactionResponse,
    /// Just resources.
    Collection,
}

impl BundleType {
    /// The code of the value set.
    pub fn code(self) -> &'static str {
        match self {
            Self::Searchset => "searchset",
            Self::History => "history",
            Self::BatchResponse => "batch-response",
            Self::TransactionResponse => "transaction-response",
            Self::Collection => "collection",
        }
    }
}

/// Why a resource is among the results of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchMode {
    /// It matches.
    Match,
    /// `_include` or `_revinclude` brought it.
    Include,
    /// It is an OperationOutcome about the search.
    Outcome,
}

impl SearchMode {
    /// The code of the value set.
    pub fn code(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Include => "include",
            Self::Outcome => "outcome",
        }
    }
}

/// `Bundle.entry.response`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryResponse {
    /// The status, such as `201 Created` or just `201`.
    pub status: String,
    /// Where it is now.
    pub location: Option<String>,
    /// The ETag, quotes and `W/` included.
    pub etag: Option<String>,
    /// When it was last changed.
    pub last_modified: Option<At>,
    /// JSON text of an OperationOutcome.
    pub outcome: Option<Vec<u8>>,
}

/// One entry to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The absolute URL of the resource, without version.
    pub full_url: Option<String>,
    /// JSON text of the resource, written as it is.
    pub resource: Option<Vec<u8>>,
    /// Why it is there, in a searchset.
    pub search: Option<SearchMode>,
    /// Method and URL that made this version, in a history.
    pub request: Option<(&'static str, String)>,
    /// What came of it, in a history or response.
    pub response: Option<EntryResponse>,
}

/// A Bundle to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// What it is.
    pub bundle_type: BundleType,
    /// When it was put together.
    pub timestamp: Option<At>,
    /// The profile that it claims.
    pub profile: Option<&'static str>,
    /// Security labels of the Bundle as a whole: system and code.
    pub security: Vec<(&'static str, &'static str)>,
    /// How many matches there are in all, if that is known and may be said.
    pub total: Option<u64>,
    /// Relation and URL of each link.
    pub links: Vec<(&'static str, String)>,
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Bundle {
    /// An empty Bundle.
    pub fn new(bundle_type: BundleType) -> Self {
        Self {
            bundle_type,
            timestamp: None,
            profile: None,
            security: Vec::new(),
            total: None,
            links: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// The JSON text.
    pub fn to_bytes(&self) -> Vec<u8> {
        write::object(|bundle| {
            bundle.string("resourceType", "Bundle");
            if !self.security.is_empty() || self.profile.is_some() {
                bundle.object("meta", |meta| {
                    if let Some(profile) = self.profile {
                        meta.array("profile", |all| all.string(profile));
                    }
                    if self.security.is_empty() {
                        return;
                    }
                    meta.array("security", |labels| {
                        for (system, code) in &self.security {
                            labels.object(|label| {
                                label.string("system", system);
                                label.string("code", code);
                            });
                        }
                    });
                });
            }
            bundle.string("type", self.bundle_type.code());
            if let Some(at) = self.timestamp {
                bundle.string("timestamp", &at.to_rfc3339());
            }
            if let Some(total) = self.total {
                bundle.integer("total", total);
            }
            // FHIR R4 json.html: an array is never empty.
            if !self.links.is_empty() {
                bundle.array("link", |links| {
                    for (relation, url) in &self.links {
                        links.object(|link| {
                            link.string("relation", relation);
                            link.string("url", url);
                        });
                    }
                });
            }
            if !self.entries.is_empty() {
                bundle.array("entry", |entries| {
                    for entry in &self.entries {
                        write_entry(entry, entries);
                    }
                });
            }
        })
    }
}

fn write_entry(entry: &Entry, entries: &mut ArrayWriter<'_>) {
    entries.object(|out| {
        out.string_if("fullUrl", entry.full_url.as_deref());
        if let Some(resource) = &entry.resource {
            out.raw("resource", resource);
        }
        if let Some(mode) = entry.search {
            out.object("search", |search| search.string("mode", mode.code()));
        }
        if let Some((method, url)) = &entry.request {
            out.object("request", |request| {
                request.string("method", method);
                request.string("url", url);
            });
        }
        if let Some(response) = &entry.response {
            out.object("response", |out| write_response(response, out));
        }
    });
}

fn write_response(response: &EntryResponse, out: &mut ObjectWriter<'_>) {
    out.string("status", &response.status);
    out.string_if("location", response.location.as_deref());
    out.string_if("etag", response.etag.as_deref());
    if let Some(at) = response.last_modified {
        out.string("lastModified", &at.to_rfc3339());
    }
    if let Some(outcome) = &response.outcome {
        out.raw("outcome", outcome);
    }
}

/// The weak ETag of a version (FHIR R4 http.html#versioning).
pub fn etag(version: u64) -> String {
    ["W/\"", &version.to_string(), "\""].concat()
}
