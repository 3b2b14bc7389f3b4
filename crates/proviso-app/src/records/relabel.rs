//! Labels of stored records: kept with each version, and made anew when the rules change.
//!
//! What a version was labelled counts until it is labelled anew, and at every read it is labelled by
//! the rules in effect besides: a change of rules closes at once and opens only record by record,
//! when the job has come by.

use std::sync::Arc;

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::label::{Label, LabelSetVersion};
use proviso_fhir::json::Doc;
use proviso_fhir::label::{RuleSet, Trace, Traced};
use proviso_store::{
    Batch, CommitError, ExpectSetting, FoundLabels, LabelCounts, Op, ReadError, RecordLabels,
    StoredRecord,
};
use serde::{Deserialize, Serialize};

use super::{Reading, Record, RecordFault, Records};
use crate::App;
use crate::open::OpenAppError;
use crate::via::Via;

/// LIMIT: versions labelled in one batch, so that the writer is never held for long.
const BATCH: usize = 200;
/// Under which name it is kept how far the job has come.
const PROGRESS: &str = "labels.progress";
/// Under which name it is kept which rules were in effect last.
const VERSION: &str = "labels.version";

/// How far the stored versions are labelled by the rules in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelProgress {
    /// The rules in effect.
    pub set: LabelSetVersion,
    /// Versions labelled by them.
    pub labelled: u64,
    /// Versions still labelled by others, or not at all.
    pub stale: u64,
    /// Of those gone over so far, how many are labelled otherwise than before.
    pub changed: u64,
}

/// How far the job has come, as it is kept beside what it has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    set: LabelSetVersion,
    /// Every version up to this one has been gone over.
    seq: u64,
    changed: u64,
}

/// Labels to be written.
#[derive(Debug)]
pub struct Relabelled {
    /// The labels, and how far the job is with them.
    pub batch: Batch,
    /// How many versions they are of.
    pub count: usize,
}

/// Why records could not be labelled anew.
#[derive(Debug, thiserror::Error)]
pub enum RelabelError {
    /// The store cannot be read.
    #[error("the stored records cannot be read")]
    Read(#[from] ReadError),
    /// A batch cannot be written.
    #[error("a batch of labels cannot be written")]
    Commit(#[from] CommitError),
    /// The work was stopped.
    #[error("the work was stopped")]
    Stopped,
    /// How far it had come cannot be read or written down.
    #[error("how far the labels are cannot be read")]
    Progress,
}

/// What the rules find in a record: of each rule and kind the first place.
pub(super) fn labels_of(doc: &Doc, rules: &RuleSet) -> RecordLabels {
    let mut own: Vec<Label> = rules.findings(doc.root());
    own.dedup_by(|next, first| next.kind == first.kind && next.rule == first.rule);
    let given = rules.label_for_referrers(doc.root());
    RecordLabels { set: rules.version().clone(), found: FoundLabels { own, given } }
}

impl Records {
    /// How far the stored versions are labelled by the rules in effect.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn label_progress(&self) -> Result<LabelProgress, RelabelError> {
        let set = self.labels.version().clone();
        let LabelCounts { labelled, stale } = self.store.label_counts(&set).await?;
        let changed = self.mark().await?.filter(|mark| mark.set == set);
        let changed = changed.map_or(0, |mark| mark.changed);
        Ok(LabelProgress { set, labelled, stale, changed })
    }

    async fn mark(&self) -> Result<Option<Mark>, RelabelError> {
        match self.store.setting(PROGRESS).await? {
            None => Ok(None),
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|_| RelabelError::Progress),
        }
    }

    /// Labels the next versions anew and lays out what to write; `None` when all are labelled by
    /// the rules in effect. Whoever commits it says so with [`Self::relabelled`].
    ///
    /// CRASH: labels and how far the job has come are one commit. A stop loses the batch at hand,
    /// which comes again.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn relabel_next(&self) -> Result<Option<Relabelled>, RelabelError> {
        let set = self.labels.version();
        let old = self.mark().await?;
        // Under other rules the job begins anew.
        let mut mark = old.filter(|mark| mark.set == *set).unwrap_or_else(|| Mark {
            set: set.clone(),
            seq: 0,
            changed: 0,
        });
        let stale = self.store.stale_labels(set, mark.seq, BATCH).await?;
        let count = stale.len();
        let Some(last) = stale.last() else { return Ok(None) };
        mark.seq = last.seq;
        let rules = Arc::clone(&self.labels);
        // Labelling a batch takes long enough to hold up a thread that answers requests.
        let work = tokio::task::spawn_blocking(move || relabelled(stale, &rules));
        let (mut batch, changed) = work.await.map_err(|_| RelabelError::Stopped)?;
        mark.changed += changed;
        let value = serde_json::to_string(&mark).map_err(|_| RelabelError::Progress)?;
        let key = PROGRESS.to_owned();
        batch.push(Op::PutSetting { key, value, expect: ExpectSetting::Any });
        Ok(Some(Relabelled { batch, count }))
    }

    /// Notes that labels were written: what records give to others is looked up anew.
    pub fn relabelled(&self) {
        self.around.forget();
    }

    /// Every label of a record with its rule, its place and the way to it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn trace_labels(&self, record: &Record) -> Result<Traced, RecordFault> {
        let mut trace = Trace::new(&self.labels, &record.doc, &self.base);
        loop {
            let ring = trace.next_ring();
            if ring.is_empty() {
                return Ok(trace.finish());
            }
            for key in ring {
                match self.read(key.0, &key.1).await? {
                    Reading::Live(found) | Reading::Deleted { last: Some(found), .. } => {
                        trace.give(&key, Some(&found.doc));
                    }
                    Reading::Deleted { last: None, .. } | Reading::Absent => trace.give(&key, None),
                }
            }
        }
    }
}

/// The operations that label versions anew, and how many of them are labelled otherwise than before.
fn relabelled(stale: Vec<StoredRecord>, rules: &RuleSet) -> (Batch, u64) {
    let mut batch = Batch::new();
    let mut changed = 0;
    for stored in stale {
        let Some(body) = stored.body else { continue };
        let labels = match Doc::parse(body) {
            Ok(doc) => labels_of(&doc, rules),
            // One that cannot be parsed is never handed out; it keeps what it has.
            Err(_) => RecordLabels { set: rules.version().clone(), found: stored.labels.clone() },
        };
        changed += u64::from(labels.found != stored.labels);
        batch.push(Op::PutLabels { seq: stored.seq, labels });
    }
    (batch, changed)
}

impl App {
    /// How far the stored records are labelled by the rules in effect.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn label_progress(&self) -> Result<LabelProgress, RelabelError> {
        self.records().label_progress().await
    }

    /// Labels one batch of stored records anew and says how many; 0 when nothing is left to do.
    ///
    /// # Errors
    /// The store cannot be read or written; the same batch comes again next time.
    pub async fn relabel_batch(&self) -> Result<usize, RelabelError> {
        let records = self.records();
        let Some(next) = records.relabel_next().await? else { return Ok(0) };
        self.live.commit(&self.store, next.batch).await?;
        records.relabelled();
        Ok(next.count)
    }

    /// Notes which rules are in effect. Other rules than last time are a change that decisions
    /// depend on: it raises the epoch and is logged.
    pub(crate) async fn adopt_labels(&self) -> Result<(), OpenAppError> {
        let version = self.settings.labels.version();
        let known = self.store.setting(VERSION).await?;
        if known.as_deref() == Some(version.as_str()) {
            return Ok(());
        }
        let put = Batch::new().with(Op::PutSetting {
            key: VERSION.to_owned(),
            value: version.as_str().to_owned(),
            expect: ExpectSetting::Any,
        });
        if known.is_none() {
            self.live.commit(&self.store, put).await?;
            return Ok(());
        }
        let (kind, outcome) = (AuditKind::Administration, AuditOutcome::Success);
        let mut entry = self.draft_entry(&Via::default(), kind, outcome, "label-rules")?;
        entry.policy_version = Some(format!("labels:{version}"));
        self.commit(put, entry).await?;
        Ok(())
    }
}
