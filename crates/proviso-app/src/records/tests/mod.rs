//! Tests of the embedded store, on both back ends where that is cheap.

mod history;
mod import;
mod relabel;
mod search;
mod terms;
mod transaction;
mod view;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proviso_core::id::{ResourceId, TenantId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::bundle::SearchMode;
use proviso_fhir::search::{Query, SearchScope};
use proviso_store::{Batch, OpenOptions, Store};

use super::{Page, PageStart, Prepared, RecordFault, Records, Search, View, WholeStore};
use crate::ports::{Entropy, EntropyError, ManualClock};

pub(super) const BASE: &str = "http://127.0.0.1:8080/fhir/r4";

/// Counts up; every id is another one and every run is the same.
#[derive(Debug, Default)]
struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        buffer.fill(0);
        for (to, from) in buffer.iter_mut().rev().zip(next.iter().rev()) {
            *to = *from;
        }
        Ok(())
    }
}

pub(super) struct World {
    pub(super) records: Records,
    pub(super) clock: Arc<ManualClock>,
    _folder: Option<tempfile::TempDir>,
}

pub(super) fn model() -> World {
    world(Store::model(OpenOptions::new(TenantId::default_tenant())), None)
}

pub(super) fn sqlite() -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(TenantId::default_tenant());
    let store = Store::open_sqlite(&folder.path().join("store.db"), options).unwrap();
    world(store, Some(folder))
}

fn world(store: Store, folder: Option<tempfile::TempDir>) -> World {
    let clock = Arc::new(ManualClock::starting_at(At::parse("2026-01-01T00:00:00Z").unwrap()));
    let records = Records::new(
        store,
        clock.clone(),
        Arc::new(CountingEntropy::default()),
        BASE,
        Arc::new(proviso_fhir::label::RuleSet::shipped()),
    );
    World { records, clock, _folder: folder }
}

impl World {
    pub(super) async fn commit(&self, mut prepared: Prepared) -> Prepared {
        self.records.store.commit(Batch::from(prepared.take_ops())).await.unwrap();
        prepared
    }

    /// Stores resources under their own ids.
    pub(super) async fn put(&self, resources: &[&str]) {
        for json in resources {
            let doc = proviso_fhir::json::Doc::parse(json.as_bytes().to_vec()).unwrap();
            let (kind, id) = (doc.resource_type().unwrap(), doc.id().unwrap());
            let prepared = self
                .records
                .update(kind, &id, doc.into_bytes(), super::Match::Any, super::NewIds::Client)
                .await
                .unwrap_or_else(|fault| panic!("{json}: {fault:?}"));
            self.commit(prepared).await;
        }
    }

    pub(super) fn query(&self, kind: ResourceType, raw: &str) -> Query {
        Query::parse(&self.records.context(), SearchScope::Type(kind), &[raw]).unwrap()
    }

    pub(super) async fn page(
        &self,
        query: &Query,
        as_of: Option<u64>,
        start: &PageStart,
        view: &dyn View,
    ) -> Result<Page, RecordFault> {
        self.records.search(Search { query, as_of, start, most: 10_000 }, view).await
    }

    /// The ids of the first page, as `Type/id`, included ones after a bar.
    pub(super) async fn found(&self, kind: ResourceType, raw: &str) -> String {
        let query = self.query(kind, raw);
        shown(&self.page(&query, None, &PageStart::First, &WholeStore).await.unwrap())
    }
}

pub(super) fn shown(page: &Page) -> String {
    let name = |mode| {
        let names: Vec<String> = page
            .hits
            .iter()
            .filter(|hit| hit.mode == mode)
            .map(|hit| format!("{}/{}", hit.record.resource_type, hit.record.id))
            .collect();
        names.join(" ")
    };
    match name(SearchMode::Include) {
        included if included.is_empty() => name(SearchMode::Match),
        included => format!("{} | {included}", name(SearchMode::Match)),
    }
}

pub(super) fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}
