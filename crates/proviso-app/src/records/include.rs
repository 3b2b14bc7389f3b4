//! `_include` and `_revinclude`, decided one resource at a time.

use std::collections::BTreeSet;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::SearchMode;
use proviso_fhir::search::{DEPTH_MAX, Include, Query, ResourceKey};
use proviso_store::CandidateQuery;

use super::around::State;
use super::search::store_clause;
use super::{Hit, Page, Record, RecordFault, Records, View, indexer};

/// LIMIT: resources added to one page.
const INCLUDED_MAX: usize = 1000;
/// How many candidates are read, and how many referenced ids are asked for, in one step.
const STEP: usize = 200;

/// What an expansion keeps track of.
struct Expansion<'a> {
    query: &'a Query,
    as_of: u64,
    state: State,
    most: usize,
    looked_at: usize,
    view: &'a dyn View,
    known: BTreeSet<ResourceKey>,
}

impl Expansion<'_> {
    fn count(&mut self, looked_at: usize) -> Result<(), RecordFault> {
        self.looked_at += looked_at;
        if self.looked_at > self.most || self.known.len() > self.most {
            return Err(RecordFault::TooCostly);
        }
        Ok(())
    }
}

impl Records {
    /// Adds what the matches of a page lead to and what leads to them, as far as the view goes.
    /// What was included is followed further only by `:iterate`, at most [`DEPTH_MAX`] steps from
    /// a match.
    pub(super) async fn add_included(
        &self,
        query: &Query,
        page: &mut Page,
        most: usize,
        view: &dyn View,
    ) -> Result<(), RecordFault> {
        let controls = &query.controls;
        if controls.includes.is_empty() && controls.revincludes.is_empty() {
            return Ok(());
        }
        let known = page.hits.iter().map(|hit| hit.record.key()).collect();
        let (as_of, state) = (page.as_of, self.state(page.as_of).await?);
        let mut expansion = Expansion { query, as_of, state, most, looked_at: 0, view, known };
        let mut frontier: Vec<Record> = page.hits.iter().map(|hit| hit.record.clone()).collect();
        let mut added = 0;
        for step in 0..DEPTH_MAX {
            let mut fresh = Vec::new();
            for include in controls.includes.iter().filter(|i| step == 0 || i.iterate) {
                self.forward(include, &frontier, &mut expansion, &mut fresh).await?;
            }
            for include in controls.revincludes.iter().filter(|i| step == 0 || i.iterate) {
                self.backward(include, &frontier, &mut expansion, &mut fresh).await?;
            }
            if fresh.is_empty() {
                break;
            }
            added += fresh.len();
            if added > INCLUDED_MAX {
                return Err(RecordFault::TooCostly);
            }
            let hits = fresh.iter().cloned();
            page.hits.extend(hits.map(|record| Hit { record, mode: SearchMode::Include }));
            frontier = fresh;
        }
        Ok(())
    }

    async fn forward(
        &self,
        include: &Include,
        from: &[Record],
        expansion: &mut Expansion<'_>,
        fresh: &mut Vec<Record>,
    ) -> Result<(), RecordFault> {
        for record in from {
            for (resource_type, id) in include.edges(record.doc.root(), &self.base) {
                if !expansion.known.insert((resource_type, id.clone())) {
                    continue;
                }
                expansion.count(1)?;
                let found = self.store.record(resource_type, &id, Some(expansion.as_of)).await?;
                let Some(found) = found.filter(|found| found.body.is_some()) else { continue };
                let mut found = Record::from_stored(found)?;
                if expansion.query.admits(found.doc.root())
                    && self.shows_at(&mut found, expansion.state, expansion.view).await?
                {
                    fresh.push(found);
                }
            }
        }
        Ok(())
    }

    async fn backward(
        &self,
        include: &Include,
        to: &[Record],
        expansion: &mut Expansion<'_>,
        fresh: &mut Vec<Record>,
    ) -> Result<(), RecordFault> {
        let targets: BTreeSet<ResourceKey> = to.iter().map(Record::key).collect();
        for (source, param) in &include.links {
            let ids: Vec<ResourceId> = targets
                .iter()
                .filter(|(target, _)| {
                    param.may_target(*target) && include.target.is_none_or(|only| only == *target)
                })
                .map(|(_, id)| id.clone())
                .collect();
            for some in ids.chunks(STEP) {
                let Some(clause) = indexer(*source)?.reference_keys(param.code, some) else {
                    continue;
                };
                let clauses = Vec::from([store_clause(clause)]);
                self.referring(include, *source, clauses, &targets, expansion, fresh).await?;
            }
        }
        Ok(())
    }

    async fn referring(
        &self,
        include: &Include,
        source: ResourceType,
        mut clauses: Vec<proviso_store::Clause>,
        targets: &BTreeSet<ResourceKey>,
        expansion: &mut Expansion<'_>,
        fresh: &mut Vec<Record>,
    ) -> Result<(), RecordFault> {
        clauses.extend(expansion.view.patients(source).map(proviso_store::Clause::Patients));
        let mut after: Option<ResourceId> = None;
        loop {
            let step = self
                .store
                .candidates(CandidateQuery {
                    as_of: expansion.as_of,
                    resource_type: source,
                    clauses: clauses.clone(),
                    after: after.take(),
                    limit: STEP,
                })
                .await?;
            let is_last = step.len() < STEP;
            expansion.count(step.len())?;
            for stored in step {
                after = Some(stored.id.clone());
                let mut record = Record::from_stored(stored)?;
                let leads = !include.edges(record.doc.root(), &self.base).is_disjoint(targets);
                if leads
                    && self.shows_at(&mut record, expansion.state, expansion.view).await?
                    && expansion.known.insert(record.key())
                {
                    fresh.push(record);
                }
            }
            if fresh.len() > INCLUDED_MAX {
                return Err(RecordFault::TooCostly);
            }
            if is_last {
                return Ok(());
            }
        }
    }
}
