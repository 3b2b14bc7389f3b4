//! Keys under which a store finds candidates, and what a query asks of those keys.
//!
//! INVARIANT: every resource that matches a query satisfies every clause of the query. Clauses
//! only narrow; [`super::Query::matches`] decides.

use alloc::vec::Vec;
use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use super::canonical::{UriMatch, named, uri_parents};
use super::filter::Tree;
use super::interval::Interval;
use super::lookup::Found;
use super::param::{Param, ParamType};
use super::predicate::{NumberTest, Prefix, ReferenceTest, Test, TextMatch};
use super::query::{Filter, FilterKind, Joined, Query, SearchScope};
use super::reference::Target;
use super::text::{PREFIX_LENGTHS, fold, key_hash, soundex};
use super::value::{SearchValue, values};
use crate::json::Node;

/// LIMIT: values of one ordered parameter that are indexed one by one; beyond it their hull is.
const RANGES_MAX: usize = 8;
/// LIMIT: answers of a join that are turned into keys or ids; beyond it the join is only evaluated.
const JOIN_KEYS_MAX: usize = 500;

/// A closed range of an ordered parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RangeKey {
    /// Which parameter, hashed.
    pub param: u32,
    /// The lowest key.
    pub low: i64,
    /// The highest key.
    pub high: i64,
}

/// What a resource is stored under.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexKeys {
    /// Hashed keys, sorted, each once.
    pub keys: Vec<i64>,
    /// Ranges of dates, numbers and quantities.
    pub ranges: Vec<RangeKey>,
}

/// What candidates must have; all clauses of a query together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// One of these keys.
    AnyKey(Vec<i64>),
    /// A range of the parameter that has a point in common with this one.
    Range(RangeKey),
    /// One of these ids.
    Ids(Vec<ResourceId>),
}

/// The parameters of one type, compiled once for indexing many resources.
#[derive(Debug, Clone)]
pub struct Indexer {
    resource_type: ResourceType,
    params: Vec<Param>,
    /// For each parameter, under the name of which parameter its values are stored.
    homes: Vec<usize>,
}

impl Indexer {
    /// Compiles the parameters of a type.
    pub fn new(resource_type: ResourceType) -> Self {
        let params = Param::all(resource_type);
        let homes = (0..params.len()).map(|at| home_of(&params, at)).collect();
        Self { resource_type, params, homes }
    }

    /// The type whose resources it indexes.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The keys and ranges of a resource.
    pub fn keys(&self, resource: Node<'_>, own_base: &str) -> IndexKeys {
        let mut index = IndexKeys::default();
        for (at, param) in self.params.iter().enumerate() {
            // `_id` has a clause of its own; a composite is narrowed by its components.
            let is_own_home = self.homes.get(at) == Some(&at);
            if !is_own_home || param.kind == ParamType::Composite || param.code == "_id" {
                continue;
            }
            let first_range = index.ranges.len();
            for value in values(param, resource, own_base) {
                add_keys(param, &value, &mut index);
            }
            join_ranges(&mut index.ranges, first_range);
        }
        index.keys.sort_unstable();
        index.keys.dedup();
        index
    }

    /// The name under which a parameter's values are stored.
    fn home(&self, code: &str) -> Option<&'static str> {
        let at = self.params.iter().position(|param| param.code == code)?;
        self.params.get(*self.homes.get(at)?).map(|param| param.code)
    }

    /// The keys of references to these ids, through a reference parameter of this type.
    pub fn reference_keys<'i>(
        &self,
        code: &str,
        ids: impl IntoIterator<Item = &'i ResourceId>,
    ) -> Option<Clause> {
        let home = self.home(code)?;
        Some(Clause::AnyKey(ids.into_iter().map(|id| key_hash(&[home, id.as_str()])).collect()))
    }
}

/// Many parameters look at the same elements (`patient` and `subject`; `code` and `combo-code`).
/// Each element is stored once, under the parameter that sees most of it.
fn home_of(params: &[Param], at: usize) -> usize {
    let mut home = at;
    loop {
        let Some(current) = params.get(home) else { return at };
        let wider = params.iter().enumerate().position(|(other_at, other)| {
            other_at != home
                && covers(other, current)
                && (other_at < home || !covers(current, other))
        });
        match wider {
            Some(next) => home = next,
            None => return home,
        }
    }
}

fn covers(wide: &Param, narrow: &Param) -> bool {
    let paths = narrow.expression.paths();
    wide.kind == narrow.kind
        && narrow.kind != ParamType::Composite
        && !wide.is_phonetic()
        && !narrow.is_phonetic()
        && !paths.is_empty()
        && paths.iter().all(|path| wide.expression.paths().iter().any(|own| own.covers(path)))
}

fn range_param(code: &str) -> u32 {
    let [a, b, c, d, ..] = key_hash(&[code, "range"]).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn add_keys(param: &Param, value: &SearchValue<'_>, index: &mut IndexKeys) {
    let code = param.code;
    let keys = &mut index.keys;
    match value {
        SearchValue::Number(range) => {
            index.ranges.push(number_range(code, range.low, range.high));
        }
        SearchValue::Quantity(found) => {
            index.ranges.push(number_range(code, found.range.low, found.range.high));
        }
        SearchValue::Date(interval) => index.ranges.push(date_range(code, *interval)),
        SearchValue::Text(text) if param.is_phonetic() => {
            keys.extend(text.split_whitespace().filter_map(soundex).map(|s| key_hash(&[code, &s])));
        }
        SearchValue::Text(text) => {
            let folded = fold(text);
            keys.extend(
                PREFIX_LENGTHS.iter().filter_map(|length| prefix_key(code, &folded, *length)),
            );
        }
        SearchValue::Token(token) => {
            keys.extend(token.folded_code().map(|found| key_hash(&[code, &found])));
        }
        SearchValue::Reference(reference) => match &reference.target {
            Some(Target::Local { id, .. }) => keys.push(key_hash(&[code, id.as_str()])),
            Some(Target::Url { url, .. }) => {
                keys.push(key_hash(&[code, url]));
                // Should our own base URL change, the same text may be a local reference.
                let last = url.rsplit('/').next().unwrap_or("");
                if url.contains("://") && ResourceId::from_str(last).is_ok() {
                    keys.push(key_hash(&[code, last]));
                }
            }
            Some(Target::Contained(_)) | None => {}
        },
        SearchValue::Uri(uri) => {
            keys.push(key_hash(&[code, uri]));
            // A canonical URL is found with and without the version that it names.
            if let (url, Some(_)) = named(uri) {
                keys.push(key_hash(&[code, url]));
            }
        }
        // There is no key for a place: `near` looks at every Location.
        SearchValue::Composite(_) | SearchValue::Position(_) => {}
    }
}

fn prefix_key(code: &str, folded: &str, length: usize) -> Option<i64> {
    let end = match folded.char_indices().nth(length) {
        Some((end, _)) => end,
        None if folded.chars().count() == length => folded.len(),
        None => return None,
    };
    Some(key_hash(&[code, folded.get(..end)?]))
}

fn number_range(
    code: &str,
    low: Option<super::decimal::Decimal>,
    high: Option<super::decimal::Decimal>,
) -> RangeKey {
    RangeKey {
        param: range_param(code),
        low: low.map_or(i64::MIN, super::decimal::Decimal::order_key),
        high: high.map_or(i64::MAX, super::decimal::Decimal::order_key),
    }
}

fn date_range(code: &str, interval: Interval) -> RangeKey {
    RangeKey { param: range_param(code), low: interval.low, high: interval.high.saturating_sub(1) }
}

/// Replaces the ranges from `first` on by their hull when there are too many of them.
fn join_ranges(ranges: &mut Vec<RangeKey>, first: usize) {
    if ranges.len() - first > RANGES_MAX {
        let hull = hull(ranges.drain(first..));
        ranges.extend(hull);
    }
}

fn hull(ranges: impl Iterator<Item = RangeKey>) -> Option<RangeKey> {
    ranges.reduce(|a, b| RangeKey {
        param: a.param,
        low: a.low.min(b.low),
        high: a.high.max(b.high),
    })
}

impl Query {
    /// What candidates of the indexer's type must have. Joins narrow as well, once answered.
    pub fn clauses(&self, indexer: &Indexer, joined: &Joined) -> Vec<Clause> {
        let mut clauses = Vec::new();
        for filter in &self.filters {
            add_clauses(filter, indexer, joined, &mut clauses);
        }
        clauses.extend(self.compartment_clause(indexer));
        // The most telling first: a store may take one of them as its starting point.
        clauses.sort_by_key(|clause| match clause {
            Clause::Ids(_) => 0,
            Clause::AnyKey(keys) => keys.len().min(100),
            Clause::Range(_) => 200,
        });
        clauses
    }

    fn compartment_clause(&self, indexer: &Indexer) -> Option<Clause> {
        let SearchScope::Compartment { owner_type, owner, .. } = &self.scope else { return None };
        // The owner itself is in its compartment without a reference.
        if indexer.resource_type == *owner_type {
            return None;
        }
        let (_, params) =
            self.compartment.iter().find(|(found, _)| *found == indexer.resource_type)?;
        let keys = params
            .iter()
            .filter_map(|param| Some(key_hash(&[indexer.home(param.code)?, owner.as_str()])))
            .collect();
        Some(Clause::AnyKey(keys))
    }
}

/// Adds what everything that passes a filter must have.
fn add_clauses(filter: &Filter, indexer: &Indexer, joined: &Joined, clauses: &mut Vec<Clause>) {
    let own = |(found, _): &&(ResourceType, Param)| *found == indexer.resource_type;
    let param = filter.params.iter().find(own).map(|(_, param)| param);
    match (&filter.kind, param) {
        (FilterKind::Any(tests), Some(param)) => {
            let tests: Vec<&Test> = tests.iter().collect();
            narrow(indexer, param, &tests, clauses);
        }
        (FilterKind::Chain(join), Some(param)) => {
            if let Some(set) = joined.keys.get(*join).filter(|s| s.len() <= JOIN_KEYS_MAX) {
                let ids = set.iter().map(|(_, id)| id);
                clauses.extend(indexer.reference_keys(param.code, ids));
            }
        }
        (FilterKind::Has(join), _) => {
            if let Some(set) = joined.keys.get(*join).filter(|s| s.len() <= JOIN_KEYS_MAX) {
                let own = set.iter().filter(|(t, _)| *t == indexer.resource_type);
                clauses.push(Clause::Ids(own.map(|(_, id)| id.clone()).collect()));
            }
        }
        (FilterKind::Within(lookups), Some(param)) => {
            let found = joined.answers(lookups);
            clauses.extend(found.and_then(|found| found_keys(indexer, param, &found)));
        }
        (FilterKind::Tree(tree), _) => add_tree_clauses(tree, indexer, joined, clauses),
        (
            FilterKind::Missing(_)
            | FilterKind::NoneOf(_)
            | FilterKind::SomeOther(_)
            | FilterKind::Outside(_)
            | FilterKind::NotWithin(_),
            _,
        )
        | (_, None) => {}
    }
}

/// Of an expression only what must hold whatever else does can narrow.
fn add_tree_clauses(tree: &Tree, indexer: &Indexer, joined: &Joined, clauses: &mut Vec<Clause>) {
    match tree {
        Tree::All(parts) => {
            for part in parts {
                add_tree_clauses(part, indexer, joined, clauses);
            }
        }
        Tree::Test(filter) => add_clauses(filter, indexer, joined, clauses),
        Tree::Any(_) | Tree::Not(_) => {}
    }
}

/// Adds clauses that hold wherever one of the alternatives holds.
fn narrow(indexer: &Indexer, param: &Param, tests: &[&Test], clauses: &mut Vec<Clause>) {
    if param.kind == ParamType::Composite {
        for (at, component) in param.components.iter().enumerate() {
            let parts: Option<Vec<&Test>> = tests
                .iter()
                .map(|test| if let Test::Composite(parts) = test { parts.get(at) } else { None })
                .collect();
            if let Some(parts) = parts {
                narrow(indexer, component, &parts, clauses);
            }
        }
        return;
    }
    if param.code == "_id" {
        clauses.extend(ids_clause(tests));
        return;
    }
    let Some(home) = indexer.home(param.code) else { return };
    let mut keys = Vec::new();
    let mut ranges = Vec::new();
    for test in tests {
        // An alternative that cannot be narrowed leaves the whole parameter open.
        let bounded = match range_of(home, test) {
            Some(range) => {
                ranges.push(range);
                true
            }
            None => test_keys(home, param, test, &mut keys),
        };
        if !bounded {
            return;
        }
    }
    match hull(ranges.into_iter()) {
        Some(range) => clauses.push(Clause::Range(range)),
        None => clauses.push(Clause::AnyKey(keys)),
    }
}

/// The keys of everything that lookups found; nothing where those are not known one by one.
fn found_keys(indexer: &Indexer, param: &Param, found: &[&Found]) -> Option<Clause> {
    let home = indexer.home(param.code).filter(|_| param.code != "_id" && !param.is_contact)?;
    let mut keys = Vec::new();
    for one in found {
        match one {
            Found::Codes(set) => {
                keys.extend(set.listed()?.into_iter().map(|code| key_hash(&[home, code])));
            }
            Found::Resources(set) => {
                keys.extend(set.iter().map(|(_, id)| key_hash(&[home, id.as_str()])));
            }
        }
    }
    if keys.len() > JOIN_KEYS_MAX { None } else { Some(Clause::AnyKey(keys)) }
}

fn ids_clause(tests: &[&Test]) -> Option<Clause> {
    let mut ids = Vec::new();
    for test in tests {
        let Test::Token(token) = test else { return None };
        // A text that is no id is no resource's id; it adds no candidate.
        if let Ok(id) = ResourceId::from_str(token.code.as_ref()?) {
            ids.push(id);
        }
    }
    Some(Clause::Ids(ids))
}

fn range_of(home: &str, test: &Test) -> Option<RangeKey> {
    match test {
        Test::Number(number) | Test::Quantity { number, .. } => number_test_range(home, number),
        Test::Date { prefix, interval } => {
            let (low, high) = match prefix {
                Prefix::Eq | Prefix::Ap => (interval.low, interval.high),
                Prefix::Ne => return None,
                Prefix::Gt | Prefix::Sa => (interval.high, i64::MAX),
                Prefix::Ge => (interval.low, i64::MAX),
                Prefix::Lt | Prefix::Eb => (i64::MIN, interval.low),
                Prefix::Le => (i64::MIN, interval.high),
            };
            Some(RangeKey { param: range_param(home), low, high })
        }
        Test::Text { .. }
        | Test::Token(_)
        | Test::TokenText(_)
        | Test::OfType { .. }
        | Test::Reference(_)
        | Test::Identifier(_)
        | Test::Uri { .. }
        | Test::Composite(_)
        | Test::Near(_) => None,
    }
}

fn number_test_range(home: &str, test: &NumberTest) -> Option<RangeKey> {
    let (low, high) = match test.prefix {
        Prefix::Eq => (Some(test.low), Some(test.high)),
        Prefix::Ne => return None,
        Prefix::Gt | Prefix::Ge | Prefix::Sa => (Some(test.value), None),
        Prefix::Lt | Prefix::Le | Prefix::Eb => (None, Some(test.value)),
        Prefix::Ap => {
            let near = test.value.within_tenth();
            (near.low, near.high)
        }
    };
    Some(number_range(home, low, high))
}

/// Adds the keys of one alternative; tells whether it could.
fn test_keys(home: &str, param: &Param, test: &Test, keys: &mut Vec<i64>) -> bool {
    let before = keys.len();
    match test {
        // Keys are of codes as they are written.
        Test::Token(token) if token.any_case && !param.is_contact => {}
        Test::Token(token) => keys.extend(token.code.as_ref().map(|code| {
            if param.is_contact { key_hash(&[home, &fold(code)]) } else { key_hash(&[home, code]) }
        })),
        Test::OfType { value, .. } => keys.push(key_hash(&[home, value])),
        Test::Reference(ReferenceTest::Id(id) | ReferenceTest::Local { id, .. }) => {
            keys.push(key_hash(&[home, id.as_str()]));
        }
        Test::Reference(ReferenceTest::Url { url, .. }) => keys.push(key_hash(&[home, url])),
        Test::Text { how: TextMatch::Sounds, text } => {
            keys.extend(text.split(' ').next().map(|code| key_hash(&[home, code])));
        }
        Test::Text { how: TextMatch::Starts | TextMatch::Equals | TextMatch::Exact, text } => {
            let folded = fold(text);
            let length = folded.chars().count();
            let longest = PREFIX_LENGTHS.iter().rev().find(|known| **known <= length);
            keys.extend(longest.and_then(|known| prefix_key(home, &folded, *known)));
        }
        Test::Uri { how: UriMatch::Equal, uri } => keys.push(key_hash(&[home, uri])),
        Test::Uri { how: UriMatch::Above, uri } => {
            let (url, _) = named(uri);
            keys.extend(uri_parents(url).iter().map(|parent| key_hash(&[home, parent])));
        }
        Test::Text { how: TextMatch::Contains | TextMatch::Ends, .. }
        | Test::Uri { how: UriMatch::Below, .. }
        | Test::Reference(ReferenceTest::Canonical { .. })
        | Test::TokenText(_)
        | Test::Identifier(_)
        | Test::Number(_)
        | Test::Date { .. }
        | Test::Quantity { .. }
        | Test::Composite(_)
        | Test::Near(_) => {}
    }
    keys.len() > before
}
