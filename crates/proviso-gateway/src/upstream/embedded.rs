//! Our own FHIR store as an upstream: the same questions, answered over the same view.

use std::sync::Mutex;

use proviso_app::App;
use proviso_app::records::{
    HistoryScope, Match, NewIds, PageStart, Prepared, PreparedTransaction, Reading as Found,
    Record, RecordFault, RecordMethod, Records, Search as RecordSearch, Version,
    View as RecordView,
};
use proviso_core::category_rules::is_directory;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::{IncomingEntry, SearchMode};
use proviso_fhir::json::Doc;
use proviso_fhir::redact::RedactError;
use proviso_fhir::search::{Query, SearchError, SearchScope};

use crate::cursor::{Point, Seq};
use crate::decide::{Parts, Permit};
use crate::forward::{Carried, Change, HistoryEntry, PageEntry, Written, refuse_search};
use crate::problem::{Problem, Refusal};
use crate::trail::Trail;
use crate::upstream::scan::{Scanned, Search, names};
use crate::upstream::{Criteria, History, Obstacle, Reading, Stored, Versions};
use crate::view::{Judged, View, Withheld, judge_before};

/// The caller's view as the store wants it: one record at a time.
struct Eyes<'a> {
    view: &'a View,
    interaction: &'a Interaction,
    /// The version that a change must find.
    if_match: Option<&'a str>,
    /// What was come across and is not seen.
    withheld: Mutex<Withheld>,
    /// What was found and may not be changed, last.
    kept_back: Mutex<Option<Judged>>,
}

impl<'a> Eyes<'a> {
    fn new(view: &'a View, interaction: &'a Interaction) -> Self {
        let withheld = Mutex::default();
        Self { view, interaction, if_match: None, withheld, kept_back: Mutex::new(None) }
    }

    /// Criteria and changes: matched over what the caller may find by searching (leak 89).
    fn to_change(view: &'a View, if_match: Option<&'a str>) -> Self {
        Self { if_match, ..Self::new(view, &Interaction::Search) }
    }

    fn withheld(self) -> Withheld {
        self.withheld.into_inner().unwrap_or_default()
    }

    fn kept_back(self) -> Option<Judged> {
        self.kept_back.into_inner().ok().flatten()
    }
}

impl RecordView for Eyes<'_> {
    fn sees(&self, record: &Record) -> bool {
        let judged = self.view.judge_with(self.interaction, record.doc.root(), record.around);
        let sees = judged.permits();
        if !sees && let Ok(mut withheld) = self.withheld.lock() {
            withheld.add(judged);
        }
        sees
    }

    fn admits(&self, query: &Query) -> Result<(), SearchError> {
        self.view.admits(query)
    }

    fn is_partial(&self) -> bool {
        self.view.is_partial()
    }

    fn part(&self, record: &Record) -> Result<Option<Doc>, RedactError> {
        let judged = self.view.judge_with(self.interaction, record.doc.root(), record.around);
        self.view.part(&record.doc, &judged)
    }

    fn uses(&self, record: &Record) {
        if self.view.oversees() {
            let (root, around) = (record.doc.root(), record.around);
            self.view.uses(&self.view.judge_with(self.interaction, root, around));
        }
    }

    fn may_change(&self, record: &Record, interaction: &Interaction) -> bool {
        let (root, around) = (record.doc.root(), record.around);
        let judge = |interaction: &Interaction| self.view.judge_with(interaction, root, around);
        let judged = judge_before(interaction, self.if_match, judge);
        let may = judged.permits();
        if !may && let Ok(mut kept_back) = self.kept_back.lock() {
            *kept_back = Some(judged);
        }
        may
    }

    /// A directory entry names no patient, so it cannot be found by one; every other record that
    /// is visible names one of those that the plan reaches.
    fn patients(&self, resource_type: ResourceType) -> Option<Vec<PatientId>> {
        if is_directory(resource_type) { None } else { self.view.patients() }
    }
}

impl From<Record> for Stored {
    fn from(record: Record) -> Self {
        let Record { version, at, doc, around, .. } = record;
        let (version, at) = (Some(version.to_string()), Some(at));
        Self { doc, version, at, around, part: None, belongs_to: None }
    }
}

impl From<Found> for Reading {
    fn from(found: Found) -> Self {
        match found {
            Found::Live(record) => Self::Live(record.into()),
            Found::Deleted { last, .. } => Self::Deleted { last: last.map(Stored::from) },
            Found::Absent => Self::Absent,
        }
    }
}

pub(crate) async fn read(
    app: &App,
    _: &Permit,
    kind: ResourceType,
    id: &ResourceId,
) -> Result<Reading, Refusal> {
    let records = app.records();
    let found = records.read(kind, id).await.map_err(refusal)?;
    with_surroundings(&records, found).await
}

/// A record is judged together with what it refers to.
async fn with_surroundings(records: &Records, mut found: Found) -> Result<Reading, Refusal> {
    if let Found::Live(record) | Found::Deleted { last: Some(record), .. } = &mut found {
        records.look_around(record).await.map_err(refusal)?;
    }
    Ok(found.into())
}

pub(crate) async fn vread(
    app: &App,
    _: &Permit,
    kind: ResourceType,
    id: &ResourceId,
    version: &str,
) -> Result<Reading, Refusal> {
    // Our versions are whole numbers, written in one way only.
    let Some(number) = version.parse::<u64>().ok().filter(|n| n.to_string() == version) else {
        return Ok(Reading::Absent);
    };
    let records = app.records();
    let found = records.vread(kind, id, number).await.map_err(refusal)?;
    with_surroundings(&records, found).await
}

pub(crate) async fn history(app: &App, _: &Permit, ask: &History<'_>) -> Result<Versions, Refusal> {
    let scope = match ask.id {
        Some(id) => HistoryScope::Instance(ask.kind, id.clone()),
        None => HistoryScope::Type(ask.kind),
    };
    let eyes = Eyes::new(ask.view, ask.interaction);
    let records = app.records();
    let page = records
        .history(
            &scope,
            ask.since,
            ask.point.before_seq.map(|seq| seq.0),
            ask.count,
            ask.most,
            &eyes,
        )
        .await
        .map_err(refusal)?;
    let mut entries = Vec::with_capacity(page.versions.len());
    for version in page.versions {
        let Version { resource_type, id, version, at, method, record } = version;
        let before = match (&record, version.checked_sub(1)) {
            (None, Some(number)) => {
                let found = records.vread(resource_type, &id, number).await.map_err(refusal)?;
                match with_surroundings(&records, found).await? {
                    Reading::Live(before) => Some(before),
                    Reading::Deleted { .. } | Reading::Absent => None,
                }
            }
            _ => None,
        };
        entries.push(HistoryEntry {
            kind: resource_type,
            id,
            method: method_name(method),
            version: Some(version.to_string()),
            at: Some(at),
            stored: record.map(Stored::from),
            before,
        });
    }
    let next = page.next.map(|seq| Point { before_seq: Some(Seq(seq)), ..Point::default() });
    Ok(Versions { entries, total: None, withheld: eyes.withheld(), next })
}

pub(crate) async fn search(app: &App, search: &Search<'_>) -> Result<Scanned, Refusal> {
    let eyes = Eyes::new(search.view, search.interaction);
    let mut query = search.query.clone();
    query.controls.count = Some(u32::try_from(search.count).unwrap_or(u32::MAX));
    let start = match &search.point.after {
        Some(key) => PageStart::After(key.clone()),
        None => PageStart::First,
    };
    let ask = RecordSearch {
        query: &query,
        as_of: search.point.as_of.map(|seq| seq.0),
        start: &start,
        most: search.most,
    };
    let page = app.records().search(ask, &eyes).await.map_err(refusal)?;
    let last = page.hits.iter().rfind(|hit| hit.mode == SearchMode::Match);
    let next = last.filter(|_| page.more).map(|hit| Point {
        as_of: Some(Seq(page.as_of)),
        after: Some(hit.record.key()),
        ..Point::default()
    });
    let entries = page
        .hits
        .into_iter()
        .map(|hit| PageEntry { stored: hit.record.into(), mode: hit.mode })
        .collect();
    Ok(Scanned { entries, total: page.total, withheld: eyes.withheld(), next })
}

/// Every record that names one patient. What of it anybody may know is decided later.
struct NamesPatient<'a>(&'a PatientId);

impl RecordView for NamesPatient<'_> {
    fn sees(&self, record: &Record) -> bool {
        names(record.doc.root(), self.0)
    }

    fn patients(&self, _: ResourceType) -> Option<Vec<PatientId>> {
        Some(vec![self.0.clone()])
    }
}

pub(crate) async fn about(
    app: &App,
    _: &Permit,
    patient: &PatientId,
    kind: ResourceType,
    most: usize,
) -> Result<Vec<Stored>, Refusal> {
    let records = app.records();
    let as_of = records.latest_seq().await.map_err(refusal)?;
    let query = Query::parse(&records.context(), SearchScope::Type(kind), &[""])
        .map_err(|error| refuse_search(&error))?;
    let found = records.matches(&query, as_of, most, &NamesPatient(patient)).await;
    Ok(found.map_err(refusal)?.into_iter().map(Stored::from).collect())
}

pub(crate) fn create(app: &App, _: &Permit, doc: &Doc) -> Result<Written, Refusal> {
    let kind = doc.resource_type().ok_or(Problem::BodyMismatch)?;
    Written::ready(app.records().create(kind, doc.bytes().to_vec()).map_err(refusal)?)
}

/// Criteria are matched over what the caller may find by searching (leak 89).
pub(crate) async fn create_unless(
    app: &App,
    _: &Permit,
    view: &View,
    doc: &Doc,
    criteria: &Criteria<'_>,
) -> Result<Prepared, Refusal> {
    let kind = doc.resource_type().ok_or(Problem::BodyMismatch)?;
    let eyes = Eyes::new(view, &Interaction::Search);
    app.records()
        .create_if_none_exists(kind, doc.bytes().to_vec(), criteria.text, &eyes)
        .await
        .map_err(refusal)
}

pub(crate) async fn update_matching(
    app: &App,
    _: &Permit,
    parts: &mut Parts,
    doc: &Doc,
    criteria: &Criteria<'_>,
) -> Result<Prepared, Refusal> {
    let (kind, body) = (parts.resource_type, doc.bytes().to_vec());
    let how = (version_of(criteria)?, NewIds::Server);
    let eyes = Eyes::to_change(&parts.view, criteria.if_match);
    let done = app.records().update_matching(kind, criteria.text, body, how, &eyes).await;
    noted(done, eyes.kept_back(), &mut parts.trail)
}

pub(crate) async fn patch_matching(
    app: &App,
    _: &Permit,
    parts: &mut Parts,
    patch: &Doc,
    criteria: &Criteria<'_>,
) -> Result<Prepared, Refusal> {
    let (kind, expected) = (parts.resource_type, version_of(criteria)?);
    let eyes = Eyes::to_change(&parts.view, criteria.if_match);
    let done = app.records().patch_matching(kind, criteria.text, patch, expected, &eyes).await;
    noted(done, eyes.kept_back(), &mut parts.trail)
}

pub(crate) async fn delete_matching(
    app: &App,
    _: &Permit,
    parts: &mut Parts,
    criteria: &Criteria<'_>,
) -> Result<Option<Prepared>, Refusal> {
    let (kind, expected) = (parts.resource_type, version_of(criteria)?);
    let eyes = Eyes::to_change(&parts.view, criteria.if_match);
    let done = app.records().delete_matching(kind, criteria.text, expected, &eyes).await;
    noted(done, eyes.kept_back(), &mut parts.trail)
}

pub(crate) async fn transaction(
    app: &App,
    _: &Permit,
    view: &View,
    changes: &[IncomingEntry<'_>],
) -> Result<PreparedTransaction, Obstacle> {
    // How far a transaction comes tells whether a version matched, so one version that is stated
    // in it makes every resource it changes one that must be readable.
    let if_match = changes.iter().find_map(|change| change.request.if_match.as_deref());
    let eyes = Eyes::to_change(view, if_match);
    let prepared = app.records().transaction(changes, NewIds::Server, &eyes).await;
    prepared.map_err(|fault| {
        let index = if let RecordFault::Entry { index, .. } = &fault { Some(*index) } else { None };
        Obstacle { index, refusal: refusal(fault), judged: eyes.kept_back() }
    })
}

/// The version that a conditional change must find; a text that none of ours has finds nothing.
fn version_of(criteria: &Criteria<'_>) -> Result<Match, Refusal> {
    match criteria.if_match {
        None => Ok(Match::Any),
        Some(text) => text.parse().map(Match::Version).map_err(|_| Problem::VersionMismatch.into()),
    }
}

/// What was found and may not be changed is told to the log.
fn noted<T>(
    done: Result<T, RecordFault>,
    kept_back: Option<Judged>,
    trail: &mut Trail,
) -> Result<T, Refusal> {
    if let Some(judged) = kept_back {
        trail.keep_back(&judged);
    }
    done.map_err(refusal)
}

pub(crate) async fn update(
    app: &App,
    _: &Permit,
    doc: &Doc,
    before: &Stored,
) -> Result<Written, Refusal> {
    let (Some(kind), Some(id)) = (doc.resource_type(), doc.id()) else {
        return Err(Problem::BodyMismatch.into());
    };
    let prepared = app
        .records()
        .update(kind, &id, doc.bytes().to_vec(), exactly(before)?, NewIds::Server)
        .await
        .map_err(refusal)?;
    Written::ready(prepared)
}

pub(crate) async fn delete(
    app: &App,
    _: &Permit,
    kind: ResourceType,
    id: &ResourceId,
    before: Stored,
) -> Result<Written, Refusal> {
    let expected = exactly(&before)?;
    let prepared = app.records().delete(kind, id, expected).await.map_err(refusal)?;
    Ok(Written {
        change: Change::Deleted,
        stored: before,
        carried: Carried::Ready(Box::new(prepared)),
    })
}

/// The version that was judged, and no other.
fn exactly(before: &Stored) -> Result<Match, Refusal> {
    let version = before.version.as_deref().and_then(|version| version.parse().ok());
    version.map(Match::Version).ok_or_else(|| Problem::Unavailable.into())
}

const fn method_name(method: RecordMethod) -> &'static str {
    match method {
        RecordMethod::Create => "POST",
        RecordMethod::Update => "PUT",
        RecordMethod::Delete => "DELETE",
    }
}

/// What of a fault the caller may know; the rest goes to the operator's log.
pub(crate) fn refusal(fault: RecordFault) -> Refusal {
    match fault {
        RecordFault::Query(error) => crate::forward::refuse_search(&error),
        RecordFault::TooCostly => Problem::SearchTooCostly.into(),
        RecordFault::NoCriteria => Problem::CriteriaMissing.into(),
        RecordFault::Json(_) => Problem::BodyMalformed.into(),
        RecordFault::WrongType | RecordFault::WrongId => Problem::BodyMismatch.into(),
        RecordFault::Invalid(faults) => {
            let mut refusal = Refusal::from(Problem::ResourceInvalid);
            refusal.faults = faults.iter().map(|f| (f.path.clone(), f.text().to_owned())).collect();
            refusal
        }
        RecordFault::NotUnderstood(why) => {
            crate::forward::refuse_filing(&proviso_app::filed::FilingRefusal::NotUnderstood(why))
        }
        RecordFault::NotFound | RecordFault::ClientId => Problem::NotFound.into(),
        RecordFault::VersionMismatch => Problem::VersionMismatch.into(),
        RecordFault::Conflict | RecordFault::SameResourceTwice => Problem::Conflict.into(),
        RecordFault::MultipleMatches | RecordFault::BadReference => {
            Problem::ConditionAmbiguous.into()
        }
        RecordFault::Patch(error) => crate::forward::refuse_patch(&error),
        RecordFault::NotInTransaction => Problem::NotOffered.into(),
        RecordFault::Entry { fault, .. } => refusal(*fault),
        fault @ (RecordFault::Read(_)
        | RecordFault::Commit(_)
        | RecordFault::Entropy(_)
        | RecordFault::Part(_)
        | RecordFault::Corrupt) => {
            tracing::error!(error = &fault as &dyn std::error::Error, "embedded store");
            Problem::Unavailable.into()
        }
    }
}
