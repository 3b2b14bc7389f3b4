//! What queries look up in other resources: value sets, code systems, parts of places.
//!
//! Everything is found by searches over the view of the query itself. What the view does not see
//! is not there: an unknown, a hidden and an unusable value set all give the same refusal.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use proviso_core::resource_type::ResourceType;
use proviso_fhir::search::{
    ALTERNATIVES_MAX, CodeSet, Direction, Found, Join, JoinKind, Lookup, LookupKind, Param, Query,
    ResourceKey, SearchError, SearchScope, ValueSetName, ValueSetReading, hierarchy, part_of,
};

use super::{Record, RecordFault, Records, View};

/// LIMIT: steps from a value set to those it refers to.
const NESTED_MAX: usize = 3;
/// LIMIT: value sets read for one value of a query.
const VALUE_SETS_MAX: usize = 100;
/// LIMIT: steps of a hierarchy of resources.
const LEVELS_MAX: usize = 16;
/// LIMIT: resources in one hierarchy.
const PARTS_MAX: usize = 1000;

/// Whose eyes a lookup has, and where they look.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) as_of: u64,
    pub(super) most: usize,
    pub(super) view: &'a dyn View,
}

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Option<CodeSet>, RecordFault>> + Send + 'a>>;

impl Records {
    /// Answers one lookup.
    pub(super) async fn look_up(
        &self,
        lookup: &Lookup,
        sight: Sight<'_>,
    ) -> Result<Found, RecordFault> {
        let codes = match &lookup.kind {
            LookupKind::ValueSet(name) => {
                self.value_set(name, NESTED_MAX, &mut VALUE_SETS_MAX.clone(), sight).await?
            }
            LookupKind::Concept { system, code, direction } => {
                let found = self.canonical(ResourceType::CODE_SYSTEM, system, None, sight).await?;
                found.and_then(|record| hierarchy(record.doc.root(), code, *direction))
            }
            LookupKind::PartOf { start, direction } => {
                return Ok(Found::Resources(match direction {
                    Direction::Below => self.parts_of(start, sight).await?,
                    Direction::Above => self.wholes_of(start, sight).await?,
                }));
            }
        };
        codes.map(Found::Codes).ok_or_else(|| lookup.refusal().into())
    }

    /// The codes of a value set; `None` where the view does not enumerate them.
    fn value_set<'a>(
        &'a self,
        name: &'a ValueSetName,
        deeper: usize,
        left: &'a mut usize,
        sight: Sight<'a>,
    ) -> Reading<'a> {
        Box::pin(async move {
            let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
            *left = fewer;
            let record = match name {
                ValueSetName::Id(id) => {
                    self.by_ids(ResourceType::VALUE_SET, &format!("_id={id}"), sight).await?.pop()
                }
                ValueSetName::Url { url, version } => {
                    let version = version.as_deref();
                    self.canonical(ResourceType::VALUE_SET, url, version, sight).await?
                }
            };
            let Some(record) = record else { return Ok(None) };
            'readings: for reading in ValueSetReading::of(record.doc.root(), &self.base) {
                let mut nested = BTreeMap::new();
                for needed in reading.needs() {
                    let set = match deeper.checked_sub(1) {
                        Some(deeper) => self.value_set(needed, deeper, left, sight).await?,
                        None => None,
                    };
                    let Some(set) = set else { continue 'readings };
                    nested.insert(needed.clone(), Arc::new(set));
                }
                if let Some(set) = reading.complete(&nested) {
                    return Ok(Some(set));
                }
            }
            Ok(None)
        })
    }

    /// The one resource with a canonical URL. Several versions have no order that is known here,
    /// so that none of them is taken unless the version is named.
    async fn canonical(
        &self,
        resource_type: ResourceType,
        url: &str,
        version: Option<&str>,
        sight: Sight<'_>,
    ) -> Result<Option<Record>, RecordFault> {
        let query = Query::of_canonical(&self.context(), resource_type, url)?;
        let mut found = self.matches(&query, sight.as_of, sight.most, sight.view).await?;
        found.retain(|record| {
            let own = record.doc.root().string_at(&["version"]);
            version.is_none_or(|wanted| own.as_deref() == Some(wanted))
        });
        let only = found.pop();
        Ok(only.filter(|_| found.is_empty()))
    }

    /// `raw` holds ids alone, which need no escapes.
    async fn by_ids(
        &self,
        resource_type: ResourceType,
        raw: &str,
        sight: Sight<'_>,
    ) -> Result<Vec<Record>, RecordFault> {
        let scope = SearchScope::Type(resource_type);
        let query = Query::parse(&self.context(), scope, &[raw])?;
        self.matches(&query, sight.as_of, sight.most, sight.view).await
    }

    /// A resource and everything that is a part of it.
    async fn parts_of(
        &self,
        start: &ResourceKey,
        sight: Sight<'_>,
    ) -> Result<BTreeSet<ResourceKey>, RecordFault> {
        let code = link_of(start)?;
        let mut all = BTreeSet::from([start.clone()]);
        let mut level = vec![start.clone()];
        for _ in 0..=LEVELS_MAX {
            let mut next = Vec::new();
            for some in level.chunks(ALTERNATIVES_MAX) {
                let ids: Vec<String> = some.iter().map(|(t, id)| format!("{t}/{id}")).collect();
                let raw = format!("{code}={}", ids.join(","));
                for record in self.by_ids(start.0, &raw, sight).await? {
                    let key = record.key();
                    if all.insert(key.clone()) {
                        next.push(key);
                    }
                }
            }
            if next.is_empty() {
                return Ok(all);
            }
            if all.len() > PARTS_MAX {
                break;
            }
            level = next;
        }
        Err(RecordFault::TooCostly)
    }

    /// A resource and everything that it is a part of.
    async fn wholes_of(
        &self,
        start: &ResourceKey,
        sight: Sight<'_>,
    ) -> Result<BTreeSet<ResourceKey>, RecordFault> {
        let code = link_of(start)?;
        let link = Param::find(start.0, code)
            .ok_or_else(|| SearchError::UnknownParameter { parameter: code.to_owned() })?;
        let up =
            Join { name: code.to_owned(), kind: JoinKind::Referenced(link), queries: Vec::new() };
        let mut all = BTreeSet::from([start.clone()]);
        let mut level = all.clone();
        for _ in 0..=LEVELS_MAX {
            let mut next = BTreeSet::new();
            for (resource_type, id) in &level {
                for record in self.by_ids(*resource_type, &format!("_id={id}"), sight).await? {
                    up.collect(record.doc.root(), &self.base, &mut next);
                }
            }
            next.retain(|key| key.0 == start.0 && all.insert(key.clone()));
            if next.is_empty() {
                return Ok(all);
            }
            level = next;
        }
        Err(RecordFault::TooCostly)
    }
}

/// The parameter that makes the hierarchy in which a resource stands.
fn link_of(start: &ResourceKey) -> Result<&'static str, SearchError> {
    let unknown = || SearchError::UnknownParameter { parameter: start.0.as_str().to_owned() };
    part_of(start.0).ok_or_else(unknown)
}
