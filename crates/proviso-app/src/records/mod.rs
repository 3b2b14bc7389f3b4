//! The embedded FHIR R4 store: reads, searches and writes over a view.
//!
//! Everything that reads takes a [`View`]; [`WholeStore`] is for administration and import only.
//! Answers are functions of the view: a hidden resource is never matched, joined, included,
//! counted or sorted by. Writes are *prepared* here and carried out by the caller in one batch
//! with their audit entry.
//!
//! This module knows no HTTP and no consent.

mod around;
mod fault;
mod history;
mod import;
mod include;
mod links;
mod relabel;
mod search;
mod terms;
mod transaction;
mod turn;
mod view;
mod write;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use proviso_core::category::SensitiveSet;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::json::Doc;
use proviso_fhir::label::RuleSet;
use proviso_fhir::search::{Context, Indexer};
use proviso_store::{Store, StoredRecord};

use crate::App;
use crate::filed::FiledSettings;
use crate::ports::{Clock, Entropy};

pub(crate) use around::Around;
pub use fault::RecordFault;
pub use history::{HistoryPage, HistoryScope, Version};
pub use import::{ImportError, ImportProgress, ImportReport, NotCommitted, Rejection};
pub use proviso_store::{KeptAnswer, KeptChange, KeptKind, KeptRequest, Op, RecordMethod};
pub use relabel::{LabelProgress, RelabelError, Relabelled};
pub use search::{Hit, Page, PageStart, Search};
pub use transaction::{PreparedEntry, PreparedTransaction, patch_of};
pub use view::{View, WholeStore};
pub use write::{Change, Match, NewIds, Prepared};

/// The embedded store with what it needs from outside. A clone costs a few reference counts.
#[derive(Debug, Clone)]
pub struct Records {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    base: String,
    around: Arc<Around>,
    labels: Arc<RuleSet>,
    filed: Arc<FiledSettings>,
}

/// One live version of a resource.
#[derive(Debug, Clone)]
pub struct Record {
    /// The type.
    pub resource_type: ResourceType,
    /// The logical id.
    pub id: ResourceId,
    /// The version number.
    pub version: u64,
    /// When it was written.
    pub at: At,
    /// How it was written.
    pub method: RecordMethod,
    /// The resource.
    pub doc: Doc,
    /// The sensitive kinds that it has besides those that it is labelled with now: from what it was
    /// labelled when it was written, and from what it refers to, as far as that was looked at.
    pub around: SensitiveSet,
    /// The kinds that it gave to its referrers when it was labelled last.
    given: SensitiveSet,
    /// The resource as a view shows it, where that is not the whole.
    part: Option<Doc>,
}

/// What a read found, before any decision.
#[derive(Debug, Clone)]
pub enum Reading {
    /// The current version.
    Live(Record),
    /// It was deleted; the version before tells whose it was.
    Deleted {
        /// The number of the version that is the deletion.
        version: u64,
        /// When it was deleted.
        at: At,
        /// The last version with a body.
        last: Option<Record>,
    },
    /// There never was such a resource.
    Absent,
}

impl App {
    /// The embedded FHIR store.
    pub fn records(&self) -> Records {
        Records {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            base: self.settings.fhir_base(),
            around: Arc::clone(&self.around),
            labels: self.labels(),
            filed: Arc::clone(&self.settings.filed),
        }
    }
}

impl Records {
    /// The records of a store, labelled by these rules; `base` is the FHIR base URL without a slash
    /// at the end.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        base: impl Into<String>,
        labels: Arc<RuleSet>,
    ) -> Self {
        let base = base.into();
        let filed = Arc::new(FiledSettings::new(base.clone()));
        Self { store, clock, entropy, base, around: Arc::default(), labels, filed }
    }

    /// What queries depend on besides their text.
    pub fn context(&self) -> Context<'_> {
        Context { own_base: &self.base, at: self.clock.now() }
    }

    /// The state of the store now, for reads that must all see the same.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn latest_seq(&self) -> Result<u64, RecordFault> {
        Ok(self.store.latest_seq().await?)
    }

    /// The current version of a resource, without a view: the caller decides.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn read(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
    ) -> Result<Reading, RecordFault> {
        let Some(stored) = self.store.record(resource_type, id, None).await? else {
            return Ok(Reading::Absent);
        };
        self.reading(stored).await
    }

    /// One version of a resource, without a view: the caller decides.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn vread(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        version: u64,
    ) -> Result<Reading, RecordFault> {
        let Some(stored) = self.store.record_version(resource_type, id, version).await? else {
            return Ok(Reading::Absent);
        };
        self.reading(stored).await
    }

    async fn reading(&self, stored: StoredRecord) -> Result<Reading, RecordFault> {
        if stored.body.is_some() {
            return Ok(Reading::Live(Record::from_stored(stored)?));
        }
        let (version, at) = (stored.version, stored.at);
        let mut last = None;
        // A deletion follows a version with a body; the store refuses to delete twice in a row.
        if let Some(number) = version.checked_sub(1) {
            let before =
                self.store.record_version(stored.resource_type, &stored.id, number).await?;
            if let Some(before) = before.filter(|before| before.body.is_some()) {
                last = Some(Record::from_stored(before)?);
            }
        }
        Ok(Reading::Deleted { version, at, last })
    }
}

impl Record {
    pub(crate) fn from_stored(stored: StoredRecord) -> Result<Self, RecordFault> {
        let StoredRecord { resource_type, id, version, at, method, body, labels, .. } = stored;
        let doc = body.and_then(|body| Doc::parse(body).ok()).ok_or(RecordFault::Corrupt)?;
        // What it was labelled once counts until it is labelled anew, whatever the rules say now.
        let (around, given) = (labels.kinds(), labels.given);
        Ok(Self { resource_type, id, version, at, method, doc, around, given, part: None })
    }

    /// The type and id.
    pub fn key(&self) -> (ResourceType, ResourceId) {
        (self.resource_type, self.id.clone())
    }

    /// The resource as it is looked at: as a view shows it, where that was worked out.
    fn shown(&self) -> &Doc {
        self.part.as_ref().unwrap_or(&self.doc)
    }

    /// The weak ETag of this version.
    pub fn etag(&self) -> String {
        proviso_fhir::bundle::etag(self.version)
    }
}

/// The compiled parameters of a type. They are static data in all but name: compiled from HL7's
/// tables on first use, the same for every store.
fn indexer(resource_type: ResourceType) -> Result<&'static Indexer, RecordFault> {
    static INDEXERS: [OnceLock<Indexer>; ResourceType::COUNT] =
        [const { OnceLock::new() }; ResourceType::COUNT];
    INDEXERS
        .get(resource_type.index())
        .map(|slot| slot.get_or_init(|| Indexer::new(resource_type)))
        .ok_or(RecordFault::Corrupt)
}

/// Every patient named on a resource, as far as its facts know; absolute references to our own
/// base count as the local ones they are.
pub(crate) fn patients_of(doc: &Doc, own_base: &str) -> Vec<PatientId> {
    use proviso_core::decision::Belonging;
    match proviso_fhir::compartment::belonging_under(doc.root(), &[own_base]) {
        Belonging::Patients(patients) => patients.into_iter().collect(),
        Belonging::Directory | Belonging::Unknown => Vec::new(),
    }
}
