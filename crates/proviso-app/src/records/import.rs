//! Bulk loading: NDJSON as Bulk Data writes it, and transaction Bundles.
//!
//! Lines are parsed, validated and indexed on several threads while the batch before is being
//! written. How far a file has come is stored in the same batch as its resources, so an import
//! that was stopped goes on where it was.
//!
//! References by criteria (`Practitioner?identifier=…`, as Synthea writes them) are replaced by what
//! they lead to when that is stored already; others stay as they are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::bundle::{EntryRequest, IncomingEntry};
use proviso_fhir::classify::Method;
use proviso_fhir::json::{Doc, Node};
use proviso_fhir::search::ResourceKey;
use proviso_store::{Batch, Expect, ExpectSetting, Op, RecordMethod, RecordVersion};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::links::{conditional, with_texts};
use super::transaction::Rules;
use super::write::{Writing, is_same, version_of};
use super::{NewIds, Reading, RecordFault, Records, WholeStore};

/// Lines per batch.
const BATCH_LINES: usize = 500;
/// Batches being parsed at once.
const AHEAD: usize = 3;
/// LIMIT: rejections that are described one by one; all are counted.
const REJECTIONS_MAX: usize = 1000;

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportProgress {
    /// Lines read, empty ones included.
    pub lines: u64,
    /// Versions written.
    pub stored: u64,
    /// Resources that were there already, exactly so.
    pub unchanged: u64,
    /// Lines that were not accepted.
    pub rejected: u64,
}

/// A line that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Which, counting from 1.
    pub line: u64,
    /// Why, without a word of what is in it.
    pub reason: String,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// The counts, those of earlier runs over the same file included.
    pub progress: ImportProgress,
    /// Why lines were rejected in this run; the first thousand.
    pub rejections: Vec<Rejection>,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file could not be read.
    #[error("the file could not be read")]
    Input(#[from] io::Error),
    /// The records could not be read or prepared.
    #[error(transparent)]
    Records(#[from] RecordFault),
    /// A batch could not be committed.
    #[error("a batch could not be committed: {0}")]
    Commit(String),
    /// A worker was stopped.
    #[error("a worker was stopped")]
    Worker,
    /// The progress of an earlier run cannot be read.
    #[error("the progress of an earlier run cannot be read")]
    Progress,
}

/// What the caller's commit answers when a batch was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotCommitted {
    /// A precondition did not hold: something with one of the ids exists.
    Precondition,
    /// Anything else.
    Failed(String),
}

/// Lines of a batch, as read.
struct Chunk {
    first: u64,
    lines: Vec<Vec<u8>>,
    at: At,
}

/// Conditional references that have been looked up, with what they lead to.
type Resolved = Arc<BTreeMap<String, Option<String>>>;

/// What a worker makes of a chunk.
enum Worked {
    Parsed(Parsed),
    /// References have to be looked up first.
    Unresolved(Chunk, BTreeSet<String>),
}

/// Lines of a batch, parsed.
struct Parsed {
    lines: u64,
    ready: Vec<(RecordVersion, Doc)>,
    rejections: Vec<Rejection>,
}

/// What an import writes with and reports to.
struct Run<'a, C> {
    key: String,
    commit: &'a C,
    report: ImportReport,
}

impl Records {
    /// Imports NDJSON. `name` stands for the file: a second run under the same name goes on after
    /// the last line that was committed. `commit` writes a batch with whatever audit entry belongs
    /// to it.
    ///
    /// # Errors
    /// The file cannot be read or a batch cannot be written. What was committed stays.
    pub async fn import_lines<L, C>(
        &self,
        name: &str,
        lines: L,
        commit: &C,
        on_progress: &mut dyn FnMut(&ImportProgress),
    ) -> Result<ImportReport, ImportError>
    where
        L: Iterator<Item = io::Result<Vec<u8>>>,
        C: AsyncFn(Batch) -> Result<(), NotCommitted>,
    {
        let key = format!("import.{name}");
        let progress = self.import_progress(&key).await?;
        let report = ImportReport { progress, rejections: Vec::new() };
        let mut run = Run { key, commit, report };
        let mut lines = lines.skip(usize::try_from(progress.lines).unwrap_or(usize::MAX));
        let mut next_line = progress.lines + 1;
        let mut resolved = Resolved::default();
        let mut ahead: VecDeque<JoinHandle<Worked>> = VecDeque::new();
        loop {
            while ahead.len() < AHEAD {
                let chunk: Vec<Vec<u8>> =
                    lines.by_ref().take(BATCH_LINES).collect::<Result<_, _>>()?;
                if chunk.is_empty() {
                    break;
                }
                let chunk = Chunk { first: next_line, lines: chunk, at: self.clock.now() };
                next_line += u64::try_from(chunk.lines.len()).unwrap_or(0);
                ahead.push_back(self.work_on(chunk, &resolved));
            }
            let Some(worker) = ahead.pop_front() else { return Ok(run.report) };
            let parsed = match worker.await.map_err(|_| ImportError::Worker)? {
                Worked::Parsed(parsed) => parsed,
                Worked::Unresolved(chunk, texts) => {
                    for text in texts {
                        let target = self.resolve(&text, &WholeStore).await?;
                        Arc::make_mut(&mut resolved).insert(text, target);
                    }
                    // The workers ahead of this one find out what is still missing themselves.
                    ahead.push_front(self.work_on(chunk, &resolved));
                    continue;
                }
            };
            self.write_chunk(&mut run, parsed).await?;
            on_progress(&run.report.progress);
        }
    }

    fn work_on(&self, chunk: Chunk, resolved: &Resolved) -> JoinHandle<Worked> {
        let (writing, resolved) = (self.writing(), Arc::clone(resolved));
        tokio::task::spawn_blocking(move || work(chunk, &writing, &resolved))
    }

    async fn import_progress(&self, key: &str) -> Result<ImportProgress, ImportError> {
        match self.store.setting(key).await.map_err(RecordFault::from)? {
            None => Ok(ImportProgress::default()),
            Some(text) => serde_json::from_str(&text).map_err(|_| ImportError::Progress),
        }
    }

    async fn write_chunk<C>(&self, run: &mut Run<'_, C>, parsed: Parsed) -> Result<(), ImportError>
    where
        C: AsyncFn(Batch) -> Result<(), NotCommitted>,
    {
        let room = REJECTIONS_MAX.saturating_sub(run.report.rejections.len());
        let rejected = u64::try_from(parsed.rejections.len()).unwrap_or(0);
        run.report.rejections.extend(parsed.rejections.into_iter().take(room));
        let mut after = run.report.progress;
        after.lines += parsed.lines;
        after.rejected += rejected;
        after.stored += u64::try_from(parsed.ready.len()).unwrap_or(0);
        let fresh = |record: &RecordVersion| Op::PutRecord {
            record: record.clone(),
            expect: Expect::Absent,
        };
        let mut batch = Batch::from(parsed.ready.iter().map(|(r, _)| fresh(r)).collect::<Vec<_>>());
        batch.push(progress_op(&run.key, after)?);
        match (run.commit)(batch).await {
            Ok(()) => {
                run.report.progress = after;
                Ok(())
            }
            // Some of them exist already: look at each.
            Err(NotCommitted::Precondition) => {
                after.stored = run.report.progress.stored;
                self.write_one_by_one(run, parsed.ready, after).await
            }
            Err(NotCommitted::Failed(why)) => Err(ImportError::Commit(why)),
        }
    }

    async fn write_one_by_one<C>(
        &self,
        run: &mut Run<'_, C>,
        ready: Vec<(RecordVersion, Doc)>,
        mut after: ImportProgress,
    ) -> Result<(), ImportError>
    where
        C: AsyncFn(Batch) -> Result<(), NotCommitted>,
    {
        let failed = |refusal| match refusal {
            NotCommitted::Precondition => ImportError::Records(RecordFault::Conflict),
            NotCommitted::Failed(why) => ImportError::Commit(why),
        };
        let mut batch = Batch::new();
        let mut in_batch: BTreeSet<ResourceKey> = BTreeSet::new();
        for (record, doc) in ready {
            let key = (record.resource_type, record.id.clone());
            // The same resource twice in a file: the second version rests on the first.
            if in_batch.contains(&key) {
                (run.commit)(std::mem::take(&mut batch)).await.map_err(failed)?;
                in_batch.clear();
            }
            match self.on_top_of(record, &doc).await? {
                Some(op) => {
                    batch.push(op);
                    in_batch.insert(key);
                    after.stored += 1;
                }
                None => after.unchanged += 1,
            }
        }
        batch.push(progress_op(&run.key, after)?);
        (run.commit)(batch).await.map_err(failed)?;
        run.report.progress = after;
        Ok(())
    }

    /// The operation that puts a resource on top of what is there; `None` when it is there.
    async fn on_top_of(&self, record: RecordVersion, doc: &Doc) -> Result<Option<Op>, ImportError> {
        let (version, method, expect) = match self.read(record.resource_type, &record.id).await? {
            Reading::Absent => {
                return Ok(Some(Op::PutRecord { record, expect: Expect::Absent }));
            }
            Reading::Live(before) if is_same(&before.doc, doc) => return Ok(None),
            Reading::Live(before) => {
                (before.version + 1, RecordMethod::Update, Expect::Version(before.version))
            }
            Reading::Deleted { version, .. } => {
                (version + 1, RecordMethod::Create, Expect::AbsentOrDeleted)
            }
        };
        let (record, _) =
            version_of(doc, &record.id, (version, record.at, method), &self.writing())?;
        Ok(Some(Op::PutRecord { record, expect }))
    }

    /// Imports a Bundle of resources or requests, all of it in one batch. Ids are kept; references
    /// by URN and by criteria are resolved.
    ///
    /// # Errors
    /// The Bundle is malformed, an entry is not acceptable, or the batch cannot be written.
    pub async fn import_bundle<C>(
        &self,
        bytes: Vec<u8>,
        commit: &C,
    ) -> Result<ImportReport, ImportError>
    where
        C: AsyncFn(Batch) -> Result<(), NotCommitted>,
    {
        let doc = Doc::parse(bytes).map_err(RecordFault::from)?;
        let entries = entries_of(&doc)?;
        let rules = Rules { view: &WholeStore, new_ids: NewIds::Client, keeps_ids: true };
        let mut prepared = self.prepare_all(&entries, rules).await?;
        let ops = prepared.take_ops();
        let stored = u64::try_from(ops.len()).unwrap_or(0);
        let lines = u64::try_from(entries.len()).unwrap_or(0);
        commit(Batch::from(ops)).await.map_err(|refusal| match refusal {
            NotCommitted::Precondition => ImportError::Records(RecordFault::Conflict),
            NotCommitted::Failed(why) => ImportError::Commit(why),
        })?;
        let progress =
            ImportProgress { lines, stored, unchanged: lines.saturating_sub(stored), rejected: 0 };
        Ok(ImportReport { progress, rejections: Vec::new() })
    }
}

fn progress_op(key: &str, progress: ImportProgress) -> Result<Op, ImportError> {
    let value = serde_json::to_string(&progress).map_err(|_| ImportError::Progress)?;
    Ok(Op::PutSetting { key: key.to_owned(), value, expect: ExpectSetting::Any })
}

fn work(chunk: Chunk, writing: &Writing, resolved: &Resolved) -> Worked {
    let mut parsed = Parsed { lines: 0, ready: Vec::new(), rejections: Vec::new() };
    let mut missing = BTreeSet::new();
    for (line, bytes) in (chunk.first..).zip(&chunk.lines) {
        parsed.lines += 1;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match parse_line(bytes.clone(), chunk.at, writing, resolved, &mut missing) {
            Ok(Some(ready)) => parsed.ready.push(ready),
            Ok(None) => {}
            Err(reason) => parsed.rejections.push(Rejection { line, reason }),
        }
    }
    if missing.is_empty() { Worked::Parsed(parsed) } else { Worked::Unresolved(chunk, missing) }
}

/// One line, validated and indexed; `None` when a reference has to be looked up first.
fn parse_line(
    bytes: Vec<u8>,
    at: At,
    writing: &Writing,
    resolved: &Resolved,
    missing: &mut BTreeSet<String>,
) -> Result<Option<(RecordVersion, Doc)>, String> {
    let doc = Doc::parse(bytes).map_err(|error| error.to_string())?;
    if doc.resource_type().is_none() {
        return Err("`resourceType` is missing or unknown".to_owned());
    }
    let Some(id) = doc.id() else { return Err("`id` is missing or malformed".to_owned()) };
    let mut texts = BTreeMap::new();
    for node in doc.root().descendants().filter(|node| node.key() == Some("reference")) {
        let Some(text) = node.as_str().filter(|text| conditional(text).is_some()) else { continue };
        match resolved.get(text.as_ref()) {
            Some(Some(target)) => {
                texts.insert(node.index(), target.clone());
            }
            Some(None) => {}
            None => {
                missing.insert(text.into_owned());
            }
        }
    }
    // Once one reference is missing the whole chunk comes again; only what else is missing counts.
    if !missing.is_empty() {
        return Ok(None);
    }
    let doc = with_texts(doc, &texts).map_err(|fault| fault.to_string())?;
    let faults = proviso_fhir::validate::validate(doc.root());
    if let Some(fault) = faults.first() {
        return Err(format!("{}: {}", fault.path, fault.text()));
    }
    writing.may_be_kept(&doc, &id).map_err(|fault| fault.to_string())?;
    version_of(&doc, &id, (1, at, RecordMethod::Create), writing)
        .map(|(record, _)| Some((record, doc)))
        .map_err(|fault| fault.to_string())
}

/// The entries of a Bundle file. One without requests (a collection) is a list of creates.
fn entries_of(doc: &Doc) -> Result<Vec<IncomingEntry<'_>>, RecordFault> {
    if doc.resource_type() != Some(ResourceType::BUNDLE) {
        return Err(RecordFault::WrongType);
    }
    let mut entries = Vec::new();
    for (index, node) in doc.root().at(&["entry"]).enumerate() {
        let fault = |fault| RecordFault::Entry { index, fault: Box::new(fault) };
        let resource = node.get("resource").filter(|resource| resource.is_object());
        let text = |path: &[&str]| node.string_at(path).map(std::borrow::Cow::into_owned);
        let method = text(&["request", "method"]);
        let resource_type = resource.and_then(Node::resource_type);
        let (method, url) = match (method, text(&["request", "url"])) {
            (Some(method), Some(url)) => {
                (method.parse().map_err(|_| fault(RecordFault::NotInTransaction))?, url)
            }
            (None, None) => {
                let resource_type = resource_type.ok_or_else(|| fault(RecordFault::WrongType))?;
                (Method::Post, resource_type.as_str().to_owned())
            }
            _ => return Err(fault(RecordFault::NotInTransaction)),
        };
        entries.push(IncomingEntry {
            index,
            full_url: text(&["fullUrl"]),
            resource,
            request: EntryRequest {
                method,
                url,
                if_none_match: None,
                if_modified_since: None,
                if_match: text(&["request", "ifMatch"]),
                if_none_exist: text(&["request", "ifNoneExist"]),
            },
        });
    }
    Ok(entries)
}
