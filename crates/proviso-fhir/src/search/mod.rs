//! FHIR R4 search: the grammar, what parameters find in a resource, and exact matching.
//!
//! A [`Query`] is parsed strictly: what is not known or not supported is refused by name. It is
//! evaluated one resource at a time by [`Query::matches`]; chains and `_has` are [`Join`]s whose
//! inner queries the caller runs first, over whatever view of the store it grants, so that
//! nothing hidden can influence an answer. Value sets, code systems and hierarchies of places are
//! [`Lookup`]s that the caller answers in the same way. [`Indexer`] and [`Query::clauses`] let a store
//! narrow the candidates; they never decide.
//!
//! This module knows no store, no clock and no terminology service.
//!
//! Source: FHIR R4 (4.0.1) search.html.

mod canonical;
mod codes;
mod control;
mod decimal;
mod error;
mod everything;
mod filter;
mod form;
mod include;
mod interval;
mod lookup;
mod narrow;
mod near;
mod operations;
mod param;
mod path;
mod predicate;
mod query;
mod reference;
mod sort;
mod subset;
mod text;
mod value;

#[cfg(test)]
mod tests;

pub use codes::{CodeSet, Direction, ValueSetName, ValueSetReading, hierarchy};
pub use control::{Controls, Summary, Total};
pub use decimal::{Decimal, DecimalRange};
pub use error::SearchError;
pub use filter::FILTER;
pub use include::Include;
pub use interval::Interval;
pub use lookup::{Found, Lookup, LookupKind, part_of};
pub use narrow::{Clause, IndexKeys, Indexer, RangeKey};
pub use near::Position;
pub use operations::{DocRef, LAST_MAX, LastN};
pub use param::{Param, ParamType};
pub use path::PathError;
pub(crate) use path::elements_at;
pub use predicate::{Modifier, Prefix};
pub use query::{Context, Filter, Join, JoinKind, Joined, Query, ResourceKey, SearchScope};
pub use query::{LIST, matches_scope_filter};
pub(crate) use reference::by_identifier as conditional_identifier;
pub use reference::{Target, local as local_reference, read as read_reference};
pub use sort::{SortKey, SortRow, SortValue};
pub(crate) use text::fold;
pub use value::{Quantity, Reference, SearchValue, Token, values};

/// LIMIT: parameters in one query (design §13).
pub const PARAMETERS_MAX: usize = 50;
/// LIMIT: alternatives in one parameter (design §13).
pub const ALTERNATIVES_MAX: usize = 200;
/// LIMIT: steps of a chain, of nested `_has`, and of includes (design §13).
pub const DEPTH_MAX: usize = 3;
/// LIMIT: entries on one page; a greater `_count` is cut down to it (design §13).
pub const COUNT_MAX: u32 = 1000;
