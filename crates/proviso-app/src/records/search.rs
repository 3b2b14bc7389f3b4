//! Search over a view, at one state of the store.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::SearchMode;
use proviso_fhir::search::{Clause, Joined, Query, ResourceKey, SortRow, Summary, Total};
use proviso_store::{CandidateQuery, Clause as StoreClause};

use super::around::State;
use super::terms::Sight;
use super::{Record, RecordFault, Records, View, indexer};

/// How many candidates are read in one step, at least and at most: a first page rarely needs
/// many, a walk over everything wants few steps.
const STEP_MIN: usize = 16;
const STEP_MAX: usize = 512;
/// Entries on a page when the query does not say.
pub(super) const COUNT_DEFAULT: u32 = 20;

/// Where a page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PageStart {
    /// At the first match.
    #[default]
    First,
    /// After so many matches of the view.
    Skip(u64),
    /// After this resource, as it stood at the same state of the store.
    After(ResourceKey),
}

/// One search.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// What is asked.
    pub query: &'a Query,
    /// The state of the store to look at; the state now for a first page.
    pub as_of: Option<u64>,
    /// Where the page begins.
    pub start: &'a PageStart,
    /// LIMIT: candidates looked at before the search is given up as too costly.
    pub most: usize,
}

/// One entry of a page.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The resource.
    pub record: Record,
    /// Why it is there.
    pub mode: SearchMode,
}

/// One page of the view.
#[derive(Debug, Clone)]
pub struct Page {
    /// The state of the store that every page of this search looks at.
    pub as_of: u64,
    /// Matches first, then what was included.
    pub hits: Vec<Hit>,
    /// How many matches the view has, where that was asked for or is known anyway.
    pub total: Option<u64>,
    /// Whether there are matches after this page.
    pub more: bool,
}

/// What a walk over all matches is for.
struct Walk<'a> {
    query: &'a Query,
    joined: Joined,
    as_of: u64,
    state: State,
    most: usize,
    looked_at: usize,
    /// How many matches are wanted; `None` for all of them.
    wanted: Option<usize>,
    view: &'a dyn View,
}

/// Whether a walk goes on after a match.
enum Next {
    Go,
    Stop,
}

impl Records {
    /// One page of the matches that the view sees.
    ///
    /// # Errors
    /// The store cannot be read, or too many candidates would have to be looked at.
    pub async fn search(&self, search: Search<'_>, view: &dyn View) -> Result<Page, RecordFault> {
        let query = search.query;
        view.admits(query)?;
        let as_of = match search.as_of {
            Some(seq) => seq,
            None => self.store.latest_seq().await?,
        };
        let joined = self.join(query, as_of, search.most, view).await?;
        let controls = &query.controls;
        let count = if controls.summary == Summary::Count {
            0
        } else {
            controls.count.unwrap_or(COUNT_DEFAULT)
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let wants_total = count == 0
            || matches!(controls.total, Total::Accurate | Total::Estimate)
            || controls.summary == Summary::Count;
        let wanted = (!wants_total && controls.sort.is_empty()).then_some(count + 1);
        let most = search.most;
        let state = self.state(as_of).await?;
        let mut walk = Walk { query, joined, as_of, state, most, looked_at: 0, wanted, view };
        let mut page = if controls.sort.is_empty() {
            self.in_order_of_ids(&mut walk, search.start, count, wants_total).await?
        } else {
            self.in_asked_order(&mut walk, search.start, count).await?
        };
        if controls.total == Total::None {
            page.total = None;
        }
        self.add_included(query, &mut page, search.most, view).await?;
        Ok(page)
    }

    /// Every match that the view sees, up to `most`, without includes.
    ///
    /// # Errors
    /// As [`Records::search`].
    pub async fn matches(
        &self,
        query: &Query,
        as_of: u64,
        most: usize,
        view: &dyn View,
    ) -> Result<Vec<Record>, RecordFault> {
        view.admits(query)?;
        let joined = self.join(query, as_of, most, view).await?;
        let wanted = None;
        let state = self.state(as_of).await?;
        let mut walk = Walk { query, joined, as_of, state, most, looked_at: 0, wanted, view };
        let mut found = Vec::new();
        for resource_type in &query.types {
            self.walk(&mut walk, *resource_type, None, &mut |record| {
                found.push(record);
                Next::Go
            })
            .await?;
        }
        Ok(found)
    }

    /// Answers the joins and lookups of a query: the same search, over the same view, one step
    /// further away.
    fn join<'a>(
        &'a self,
        query: &'a Query,
        as_of: u64,
        most: usize,
        view: &'a dyn View,
    ) -> Pin<Box<dyn Future<Output = Result<Joined, RecordFault>> + Send + 'a>> {
        Box::pin(async move {
            let mut joined = Joined::default();
            for join in &query.joins {
                let mut answers = BTreeSet::new();
                for inner in &join.queries {
                    for record in self.matches(inner, as_of, most, view).await? {
                        join.collect(record.doc.root(), &self.base, &mut answers);
                    }
                }
                joined.keys.push(answers);
            }
            for lookup in &query.lookups {
                joined.found.push(self.look_up(lookup, Sight { as_of, most, view }).await?);
            }
            Ok(joined)
        })
    }

    /// Visits the matches of one type in the order of their ids, from after an id on.
    async fn walk(
        &self,
        walk: &mut Walk<'_>,
        resource_type: ResourceType,
        mut after: Option<ResourceId>,
        visit: &mut (dyn FnMut(Record) -> Next + Send),
    ) -> Result<(), RecordFault> {
        let mut clauses: Vec<StoreClause> = walk
            .query
            .clauses(indexer(resource_type)?, &walk.joined)
            .into_iter()
            .map(store_clause)
            .collect();
        clauses.extend(walk.view.patients(resource_type).map(StoreClause::Patients));
        let mut limit = walk.wanted.map_or(STEP_MAX, |wanted| wanted.clamp(STEP_MIN, STEP_MAX));
        loop {
            let step = self
                .store
                .candidates(CandidateQuery {
                    as_of: walk.as_of,
                    resource_type,
                    clauses: clauses.clone(),
                    after: after.take(),
                    limit,
                })
                .await?;
            let is_last = step.len() < limit;
            limit = (limit * 2).min(STEP_MAX);
            walk.looked_at += step.len();
            for stored in step {
                after = Some(stored.id.clone());
                let mut record = Record::from_stored(stored)?;
                self.take_part(&mut record, walk.view).await?;
                if !walk.query.matches(record.shown().root(), &walk.joined)
                    || !self.shows_at(&mut record, walk.state, walk.view).await?
                {
                    continue;
                }
                walk.view.uses(&record);
                if matches!(visit(record), Next::Stop) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
            if walk.looked_at >= walk.most {
                return Err(RecordFault::TooCostly);
            }
        }
    }

    /// Works out what of a record is shown, where a view shows records in part: what is matched and
    /// ordered is what is seen (design §7). What it refers to has a say in what kinds it is of.
    async fn take_part(&self, record: &mut Record, view: &dyn View) -> Result<(), RecordFault> {
        if view.is_partial() {
            self.look_around(record).await?;
            record.part = view.part(record)?;
        }
        Ok(())
    }

    async fn in_order_of_ids(
        &self,
        walk: &mut Walk<'_>,
        start: &PageStart,
        count: usize,
        wants_total: bool,
    ) -> Result<Page, RecordFault> {
        let mut records: Vec<Record> = Vec::new();
        let (mut matched, mut more) = (0_u64, false);
        let skip = match start {
            PageStart::First | PageStart::After(_) => 0,
            PageStart::Skip(skip) => *skip,
        };
        // A total needs a walk over everything, which then starts at the beginning.
        let from = match start {
            PageStart::After(key) if !wants_total => Some(key),
            PageStart::After(_) | PageStart::First | PageStart::Skip(_) => None,
        };
        for resource_type in walk.query.types.clone() {
            let after = match from {
                Some((sought, _)) if resource_type < *sought => continue,
                Some((sought, id)) if resource_type == *sought => Some(id.clone()),
                _ => None,
            };
            self.walk(walk, resource_type, after, &mut |record| {
                matched += 1;
                let before_page = match start {
                    PageStart::First => false,
                    PageStart::Skip(_) => matched <= skip,
                    PageStart::After(key) => record.key() <= *key,
                };
                if before_page {
                    return Next::Go;
                }
                if records.len() < count {
                    records.push(record);
                    return Next::Go;
                }
                more = count > 0;
                if wants_total { Next::Go } else { Next::Stop }
            })
            .await?;
            if more && !wants_total {
                break;
            }
        }
        let counted_all = wants_total || (!more && from.is_none());
        let hits = records.into_iter().map(|record| Hit { record, mode: SearchMode::Match });
        Ok(Page {
            as_of: walk.as_of,
            hits: hits.collect(),
            total: counted_all.then_some(matched),
            more,
        })
    }

    /// Any other order needs every match before the first page can be made. Only the keys are
    /// kept; the page's resources are read again, at the same state.
    async fn in_asked_order(
        &self,
        walk: &mut Walk<'_>,
        start: &PageStart,
        count: usize,
    ) -> Result<Page, RecordFault> {
        let query = walk.query;
        let mut rows: Vec<(SortRow, ResourceKey)> = Vec::new();
        for resource_type in query.types.clone() {
            self.walk(walk, resource_type, None, &mut |record| {
                rows.extend(query.sort_row(record.shown().root()).map(|row| (row, record.key())));
                Next::Go
            })
            .await?;
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let first = match start {
            PageStart::First => 0,
            PageStart::Skip(skip) => usize::try_from(*skip).unwrap_or(usize::MAX),
            PageStart::After((resource_type, id)) => {
                let last = self.store.record(*resource_type, id, Some(walk.as_of)).await?;
                let mut last = Record::from_stored(last.ok_or(RecordFault::NotFound)?)?;
                self.take_part(&mut last, walk.view).await?;
                match query.sort_row(last.shown().root()) {
                    Some(last) => rows.partition_point(|(row, _)| *row <= last),
                    None => rows.len(),
                }
            }
        };
        let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let more = count > 0 && rows.len().saturating_sub(first) > count;
        let mut hits = Vec::new();
        for (_, (resource_type, id)) in rows.into_iter().skip(first).take(count) {
            let stored = self.store.record(resource_type, &id, Some(walk.as_of)).await?;
            let mut record = Record::from_stored(stored.ok_or(RecordFault::Corrupt)?)?;
            self.look_around(&mut record).await?;
            hits.push(Hit { record, mode: SearchMode::Match });
        }
        Ok(Page { as_of: walk.as_of, hits, total: Some(total), more })
    }
}

pub(super) fn store_clause(clause: Clause) -> StoreClause {
    match clause {
        Clause::AnyKey(keys) => StoreClause::AnyKey(keys),
        Clause::Range(range) => {
            StoreClause::Range { param: range.param, low: range.low, high: range.high }
        }
        Clause::Ids(ids) => StoreClause::Ids(ids),
    }
}
