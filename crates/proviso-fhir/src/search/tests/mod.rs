//! Tests of search as a whole; the parts have theirs beside them.

mod catalogue;
mod filter;
mod grammar;
mod laws;
mod lookups;
mod oracle;
mod semantics;

use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use super::{Context, Joined, Query, SearchError, SearchScope};
use crate::json::Doc;

pub(super) const BASE: &str = "https://fhir.example/r4";

pub(super) fn context() -> Context<'static> {
    Context { own_base: BASE, at: At::parse("2026-01-01T00:00:00Z").unwrap() }
}

pub(super) fn doc(json: &str) -> Doc {
    Doc::parse(json.as_bytes().to_vec()).unwrap()
}

pub(super) fn parse(resource_type: ResourceType, raw: &str) -> Result<Query, SearchError> {
    Query::parse(&context(), SearchScope::Type(resource_type), &[raw])
}

pub(super) fn matches(json: &str, raw: &str) -> bool {
    let doc = doc(json);
    let query = parse(doc.resource_type().unwrap(), raw).unwrap();
    query.matches(doc.root(), &Joined::default())
}
