//! Writes, prepared: everything is checked and laid out, nothing is stored yet.
//!
//! The caller judges what was before and what will be after, then commits the operations in one
//! batch with their audit entry. Every operation carries the version it rests on, so a change in
//! between fails the batch instead of being lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::json::Doc;
use proviso_fhir::label::RuleSet;
use proviso_fhir::meta::{Stamp, stamp, without_server_fields};
use proviso_fhir::patch::Patch;
use proviso_fhir::search::{Query, SearchScope};
use proviso_fhir::validate::validate;
use proviso_store::{Expect, Op, RangeKey, RecordMethod, RecordVersion};

use super::relabel::labels_of;
use super::turn::Turn;
use super::{PageStart, Reading, Record, RecordFault, Records, Search, View, indexer, patients_of};
use crate::filed::{FiledSettings, Version as FhirVersion, is_choice};

/// LIMIT: candidates looked at for the criteria of one conditional interaction. Criteria that name
/// something (an identifier, a code of one patient) are found by an index and look at few.
const CRITERIA_CANDIDATES_MAX: usize = 10_000;

/// What a prepared write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A resource comes into being, also again after a deletion.
    Created,
    /// A resource gets a new version.
    Updated,
    /// The resource already is what was asked for; there is nothing to store.
    Unchanged,
    /// A resource is deleted.
    Deleted,
    /// There was nothing to delete.
    NothingThere,
    /// A conditional create found the resource it was about.
    Existing,
}

/// What `If-Match` or `If-None-Match` asks of the current version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Match {
    /// Nothing.
    #[default]
    Any,
    /// It is this version.
    Version(u64),
    /// There is none.
    Absent,
}

/// Who chooses the id of a resource that an update brings into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewIds {
    /// The server: an update of a resource that does not exist is refused.
    Server,
    /// The client: an update of a resource that does not exist creates it.
    Client,
}

/// A write, checked and laid out.
///
/// A conditional create or update holds its turn until it is dropped: commit it or drop it before
/// the next one is prepared.
#[derive(Debug)]
pub struct Prepared {
    /// What it does.
    pub change: Change,
    /// The type.
    pub resource_type: ResourceType,
    /// The id, chosen already.
    pub id: ResourceId,
    /// The version after the write; 0 where there was nothing to delete.
    pub version: u64,
    /// When that version is from.
    pub at: At,
    /// What was there before, deletions not counted.
    pub before: Option<Record>,
    /// What will be there after.
    pub after: Option<Doc>,
    ops: Vec<Op>,
    turn: Option<Turn>,
}

impl Match {
    /// Reads `If-Match: W/"3"`; strong tags are accepted as well.
    ///
    /// # Errors
    /// A tag that none of our versions can have matches nothing.
    pub fn if_match(header: Option<&str>) -> Result<Self, RecordFault> {
        let Some(header) = header else { return Ok(Self::Any) };
        let tag = header.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        match number.map(str::parse) {
            Some(Ok(version)) => Ok(Self::Version(version)),
            _ => Err(RecordFault::VersionMismatch),
        }
    }
}

impl Prepared {
    /// Hands out the operations to commit; none where nothing is to be stored.
    pub fn take_ops(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }

    /// The same with what another one does, in one commit; what it is and does is still this one.
    #[must_use]
    pub fn together_with(mut self, mut other: Self) -> Self {
        self.ops.append(&mut other.ops);
        self
    }

    /// The weak ETag of the version after the write.
    pub fn etag(&self) -> String {
        proviso_fhir::bundle::etag(self.version)
    }

    fn with_turn(mut self, turn: Turn) -> Self {
        self.turn = Some(turn);
        self
    }
}

impl Records {
    /// Prepares a create; the server chooses the id.
    ///
    /// # Errors
    /// The body is not acceptable, or the store cannot be read.
    pub fn create(
        &self,
        resource_type: ResourceType,
        body: Vec<u8>,
    ) -> Result<Prepared, RecordFault> {
        let doc = acceptable(resource_type, body)?;
        self.plan_create(resource_type, self.new_id()?, &doc)
    }

    /// Prepares a create that happens only if nothing in the view matches the criteria.
    ///
    /// # Errors
    /// As [`Records::create`]; also when several resources match.
    pub async fn create_if_none_exists(
        &self,
        resource_type: ResourceType,
        body: Vec<u8>,
        criteria: &str,
        view: &dyn View,
    ) -> Result<Prepared, RecordFault> {
        let turn = self.turn(&BTreeSet::from([resource_type])).await;
        let doc = acceptable(resource_type, body)?;
        if let Some(found) = self.find_one(resource_type, criteria, view).await? {
            return Ok(existing(found));
        }
        let prepared = self.plan_create(resource_type, self.new_id()?, &doc)?;
        Ok(prepared.with_turn(turn))
    }

    /// Prepares an update.
    ///
    /// # Errors
    /// The body is not acceptable, its id is another one, the version is not the expected one, or
    /// there is no such resource and the client may not choose ids.
    pub async fn update(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        body: Vec<u8>,
        expected: Match,
        new_ids: NewIds,
    ) -> Result<Prepared, RecordFault> {
        let doc = acceptable(resource_type, body)?;
        self.plan_update(resource_type, id, &doc, expected, new_ids).await
    }

    /// Prepares an update of the one resource in the view that matches the criteria, or a create
    /// where none does.
    ///
    /// # Errors
    /// As [`Records::update`]; also when several resources match.
    pub async fn update_matching(
        &self,
        resource_type: ResourceType,
        criteria: &str,
        body: Vec<u8>,
        (expected, new_ids): (Match, NewIds),
        view: &dyn View,
    ) -> Result<Prepared, RecordFault> {
        let turn = self.turn(&BTreeSet::from([resource_type])).await;
        let doc = acceptable(resource_type, body)?;
        let found =
            self.find_to_change(resource_type, criteria, &Interaction::Update, view).await?;
        let how = (expected, new_ids);
        let prepared = self.plan_update_matching(found, &doc, how, view).await?;
        Ok(prepared.with_turn(turn))
    }

    /// Prepares a JSON Patch (RFC 6902).
    ///
    /// # Errors
    /// There is no such resource, the version is not the expected one, or the patch or its result
    /// is not acceptable.
    pub async fn patch(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        patch: &Doc,
        expected: Match,
    ) -> Result<Prepared, RecordFault> {
        match self.read(resource_type, id).await? {
            Reading::Live(before) => self.plan_patch(before, patch, expected),
            Reading::Deleted { .. } | Reading::Absent => Err(RecordFault::NotFound),
        }
    }

    /// Prepares a JSON Patch of the one resource in the view that matches the criteria.
    ///
    /// # Errors
    /// As [`Records::patch`]; also when several resources match.
    pub async fn patch_matching(
        &self,
        resource_type: ResourceType,
        criteria: &str,
        patch: &Doc,
        expected: Match,
        view: &dyn View,
    ) -> Result<Prepared, RecordFault> {
        let found = self.find_to_change(resource_type, criteria, &Interaction::Patch, view).await?;
        let before = found.ok_or(RecordFault::NotFound)?;
        self.plan_patch(before, patch, expected)
    }

    /// Prepares a delete; deleting what is not there changes nothing.
    ///
    /// # Errors
    /// The version is not the expected one, or the store cannot be read.
    pub async fn delete(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        expected: Match,
    ) -> Result<Prepared, RecordFault> {
        match self.read(resource_type, id).await? {
            Reading::Live(before) => self.plan_delete(before, expected),
            Reading::Deleted { .. } | Reading::Absent if expected != Match::Any => {
                Err(RecordFault::VersionMismatch)
            }
            Reading::Deleted { .. } | Reading::Absent => {
                Ok(self.nothing_there(resource_type, id.clone()))
            }
        }
    }

    /// Prepares a delete of the one resource in the view that matches the criteria; `None` where
    /// none does, since then there is nothing left to delete (FHIR R4 http.html#cdelete).
    ///
    /// # Errors
    /// As [`Records::delete`]; also when several resources match.
    pub async fn delete_matching(
        &self,
        resource_type: ResourceType,
        criteria: &str,
        expected: Match,
        view: &dyn View,
    ) -> Result<Option<Prepared>, RecordFault> {
        let found =
            self.find_to_change(resource_type, criteria, &Interaction::Delete, view).await?;
        match found {
            Some(before) => self.plan_delete(before, expected).map(Some),
            None if expected != Match::Any => Err(RecordFault::VersionMismatch),
            None => Ok(None),
        }
    }

    /// Checks a resource against the base rules of its type, without storing anything:
    /// `$validate`.
    ///
    /// # Errors
    /// As for a write of that resource.
    pub fn validate(resource_type: ResourceType, body: Vec<u8>) -> Result<(), RecordFault> {
        acceptable(resource_type, body).map(drop)
    }

    /// The one resource in the view that matches the criteria, if any does.
    pub(super) async fn find_one(
        &self,
        resource_type: ResourceType,
        criteria: &str,
        view: &dyn View,
    ) -> Result<Option<Record>, RecordFault> {
        let scope = SearchScope::Type(resource_type);
        let mut query = Query::parse(&self.context(), scope, &[criteria])?;
        if query.filters.is_empty() {
            return Err(RecordFault::NoCriteria);
        }
        query.controls = proviso_fhir::search::Controls { count: Some(2), ..Default::default() };
        let search = Search {
            query: &query,
            as_of: None,
            start: &PageStart::First,
            most: CRITERIA_CANDIDATES_MAX,
        };
        let mut hits = self.search(search, view).await?.hits.into_iter();
        match (hits.next(), hits.next()) {
            (_, Some(_)) => Err(RecordFault::MultipleMatches),
            (first, None) => Ok(first.map(|hit| hit.record)),
        }
    }

    /// As [`Self::find_one`], for a change; what is found and may not be changed in this way is
    /// refused as if it were not there, like any change by id.
    pub(super) async fn find_to_change(
        &self,
        resource_type: ResourceType,
        criteria: &str,
        interaction: &Interaction,
        view: &dyn View,
    ) -> Result<Option<Record>, RecordFault> {
        let Some(mut found) = self.find_one(resource_type, criteria, view).await? else {
            return Ok(None);
        };
        if self.lets_change(&mut found, interaction, view).await? {
            Ok(Some(found))
        } else {
            Err(RecordFault::NotFound)
        }
    }

    /// A new id: a UUID of version 7, so that ids grow with time (RFC 9562 §5.7).
    pub(super) fn new_id(&self) -> Result<ResourceId, RecordFault> {
        let [e0, e1, e2, e3, e4, e5, e6, e7, e8, e9] = self.entropy.for_id()?;
        let millis = u64::try_from(self.clock.now().as_micros() / 1000).unwrap_or(0);
        let millis = millis & 0xffff_ffff_ffff;
        let text = format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            millis >> 16,
            millis & 0xffff,
            u16::from_be_bytes([e0, e1]) & 0xfff,
            u16::from_be_bytes([0x80 | (e2 & 0x3f), e3]),
            u64::from_be_bytes([0, 0, e4, e5, e6, e7, e8, e9]),
        );
        text.parse().map_err(|_| RecordFault::Corrupt)
    }

    pub(super) fn plan_create(
        &self,
        resource_type: ResourceType,
        id: ResourceId,
        doc: &Doc,
    ) -> Result<Prepared, RecordFault> {
        let layout = Layout { change: Change::Created, version: 1, expect: Expect::Absent };
        self.lay_out(resource_type, id, doc, layout, None)
    }

    pub(super) async fn plan_update(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        doc: &Doc,
        expected: Match,
        new_ids: NewIds,
    ) -> Result<Prepared, RecordFault> {
        // FHIR R4 http.html#update: the body states the id of the address.
        if doc.id().as_ref() != Some(id) {
            return Err(RecordFault::WrongId);
        }
        let layout = match self.read(resource_type, id).await? {
            Reading::Live(before) => return self.plan_replace(before, doc, expected),
            // Whose the deleted one was is not asked: it is as if it had never been.
            Reading::Deleted { .. } | Reading::Absent if new_ids == NewIds::Server => {
                return Err(RecordFault::ClientId);
            }
            _ if matches!(expected, Match::Version(_)) => return Err(RecordFault::VersionMismatch),
            Reading::Deleted { version, .. } => Layout {
                change: Change::Created,
                version: version + 1,
                expect: Expect::AbsentOrDeleted,
            },
            Reading::Absent => {
                Layout { change: Change::Created, version: 1, expect: Expect::Absent }
            }
        };
        self.lay_out(resource_type, id.clone(), doc, layout, None)
    }

    pub(super) async fn plan_update_matching(
        &self,
        found: Option<Record>,
        doc: &Doc,
        (expected, new_ids): (Match, NewIds),
        view: &dyn View,
    ) -> Result<Prepared, RecordFault> {
        let resource_type = doc.resource_type().ok_or(RecordFault::WrongType)?;
        match (found, doc.id()) {
            (Some(before), Some(id)) if id != before.id => Err(RecordFault::WrongId),
            (Some(before), _) => self.plan_replace(before, doc, expected),
            (None, _) if matches!(expected, Match::Version(_)) => Err(RecordFault::VersionMismatch),
            (None, None) => self.plan_create(resource_type, self.new_id()?, doc),
            (None, Some(id)) => {
                // FHIR R4 http.html#cond-update: an id that exists but does not match is an
                // update of another resource than the criteria meant.
                match self.read(resource_type, &id).await? {
                    Reading::Absent => {
                        self.plan_update(resource_type, &id, doc, Match::Any, new_ids).await
                    }
                    // TRUST: what is hidden must look like what never existed. Where clients
                    // choose ids, a taken id cannot be hidden from them.
                    Reading::Live(mut taken) if new_ids == NewIds::Server => {
                        let shown = self.shows(&mut taken, view).await?;
                        Err(if shown { RecordFault::Conflict } else { RecordFault::ClientId })
                    }
                    Reading::Deleted { .. } if new_ids == NewIds::Server => {
                        Err(RecordFault::ClientId)
                    }
                    Reading::Live(_) | Reading::Deleted { .. } => Err(RecordFault::Conflict),
                }
            }
        }
    }

    pub(super) fn plan_replace(
        &self,
        before: Record,
        doc: &Doc,
        expected: Match,
    ) -> Result<Prepared, RecordFault> {
        check_version(&before, expected)?;
        let version = before.version + 1;
        let layout =
            Layout { change: Change::Updated, version, expect: Expect::Version(before.version) };
        let prepared =
            self.lay_out(before.resource_type, before.id.clone(), doc, layout, Some(before))?;
        Ok(unless_unchanged(prepared))
    }

    pub(super) fn plan_patch(
        &self,
        before: Record,
        patch: &Doc,
        expected: Match,
    ) -> Result<Prepared, RecordFault> {
        check_version(&before, expected)?;
        let patched = Patch::read(patch)
            .and_then(|patch| patch.apply(&before.doc))
            .map_err(RecordFault::Patch)?;
        let patched = acceptable(before.resource_type, patched.into_bytes())?;
        if patched.id().as_ref() != Some(&before.id) {
            return Err(RecordFault::WrongId);
        }
        self.plan_replace(before, &patched, expected)
    }

    pub(super) fn plan_delete(
        &self,
        before: Record,
        expected: Match,
    ) -> Result<Prepared, RecordFault> {
        check_version(&before, expected)?;
        let at = self.clock.now();
        let version = before.version + 1;
        let record = RecordVersion {
            resource_type: before.resource_type,
            id: before.id.clone(),
            version,
            at,
            method: RecordMethod::Delete,
            body: None,
            patients: patients_of(&before.doc, &self.base),
            keys: Vec::new(),
            ranges: Vec::new(),
            labels: None,
        };
        let expect = Expect::Version(before.version);
        Ok(Prepared {
            change: Change::Deleted,
            resource_type: before.resource_type,
            id: before.id.clone(),
            version,
            at,
            before: Some(before),
            after: None,
            ops: vec![Op::PutRecord { record, expect }],
            turn: None,
        })
    }

    pub(super) fn nothing_there(&self, resource_type: ResourceType, id: ResourceId) -> Prepared {
        Prepared {
            change: Change::NothingThere,
            resource_type,
            id,
            version: 0,
            at: self.clock.now(),
            before: None,
            after: None,
            ops: Vec::new(),
            turn: None,
        }
    }

    fn lay_out(
        &self,
        resource_type: ResourceType,
        id: ResourceId,
        doc: &Doc,
        layout: Layout,
        before: Option<Record>,
    ) -> Result<Prepared, RecordFault> {
        let at = self.clock.now();
        let Layout { change, version, expect } = layout;
        let method =
            if change == Change::Created { RecordMethod::Create } else { RecordMethod::Update };
        let writing = self.writing();
        writing.may_be_kept(doc, &id)?;
        let (record, after) = version_of(doc, &id, (version, at, method), &writing)?;
        Ok(Prepared {
            change,
            resource_type,
            id,
            version,
            at,
            before,
            after: Some(after),
            ops: vec![Op::PutRecord { record, expect }],
            turn: None,
        })
    }
}

#[derive(Clone, Copy)]
struct Layout {
    change: Change,
    version: u64,
    expect: Expect,
}

/// Reads a body and checks it against the base rules of its type.
pub(super) fn acceptable(resource_type: ResourceType, body: Vec<u8>) -> Result<Doc, RecordFault> {
    let doc = Doc::parse(body)?;
    if doc.resource_type() != Some(resource_type) {
        return Err(RecordFault::WrongType);
    }
    let faults = validate(doc.root());
    if faults.is_empty() { Ok(doc) } else { Err(RecordFault::Invalid(faults)) }
}

/// What a version is written with, besides itself.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    pub(super) own_base: String,
    pub(super) labels: Arc<RuleSet>,
    pub(super) filed: Arc<FiledSettings>,
}

impl Writing {
    /// No Consent is kept that is not understood, whichever way it comes: it would be taken for one
    /// that is enforced. Nor one that could be taken for a choice made here.
    pub(super) fn may_be_kept(&self, doc: &Doc, id: &ResourceId) -> Result<(), RecordFault> {
        if doc.resource_type() != Some(ResourceType::CONSENT) {
            return Ok(());
        }
        if is_choice(id) {
            return Err(RecordFault::WrongId);
        }
        self.filed.read(doc, FhirVersion::R4).map(drop).map_err(RecordFault::NotUnderstood)
    }
}

impl Records {
    pub(super) fn writing(&self) -> Writing {
        Writing {
            own_base: self.base.clone(),
            labels: Arc::clone(&self.labels),
            filed: Arc::clone(&self.filed),
        }
    }

    /// A version as the store keeps it, for a resource that this server writes itself.
    pub(crate) fn version_at(
        &self,
        doc: &Doc,
        id: &ResourceId,
        which: (u64, At, RecordMethod),
    ) -> Result<RecordVersion, RecordFault> {
        Ok(version_of(doc, id, which, &self.writing())?.0)
    }
}

/// One version as the store keeps it: stamped, indexed, labelled, and with the patients it names.
pub(super) fn version_of(
    doc: &Doc,
    id: &ResourceId,
    (version, at, method): (u64, At, RecordMethod),
    writing: &Writing,
) -> Result<(RecordVersion, Doc), RecordFault> {
    let own_base = &writing.own_base;
    let bytes =
        stamp(doc, &Stamp { id, version, last_updated: at }).map_err(|_| RecordFault::WrongType)?;
    let stamped = Doc::parse(bytes)?;
    let resource_type = stamped.resource_type().ok_or(RecordFault::WrongType)?;
    let index = indexer(resource_type)?.keys(stamped.root(), own_base);
    let range = |range: &proviso_fhir::search::RangeKey| RangeKey {
        param: range.param,
        low: range.low,
        high: range.high,
    };
    let record = RecordVersion {
        resource_type,
        id: id.clone(),
        version,
        at,
        method,
        body: Some(stamped.bytes().to_vec()),
        patients: patients_of(&stamped, own_base),
        keys: index.keys,
        ranges: index.ranges.iter().map(range).collect(),
        labels: Some(labels_of(&stamped, &writing.labels)),
    };
    Ok((record, stamped))
}

fn check_version(before: &Record, expected: Match) -> Result<(), RecordFault> {
    match expected {
        Match::Any => Ok(()),
        Match::Version(version) if version == before.version => Ok(()),
        Match::Version(_) | Match::Absent => Err(RecordFault::VersionMismatch),
    }
}

/// Whether two bodies mean the same, the server's own fields left aside.
pub(super) fn is_same(a: &Doc, b: &Doc) -> bool {
    match (without_server_fields(a), without_server_fields(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// FHIR R4 http.html#update: a body equal to what is stored needs no new version.
fn unless_unchanged(prepared: Prepared) -> Prepared {
    let unchanged = match (&prepared.before, &prepared.after) {
        (Some(before), Some(after)) if is_same(&before.doc, after) => before.clone(),
        _ => return prepared,
    };
    Prepared {
        change: Change::Unchanged,
        version: unchanged.version,
        at: unchanged.at,
        after: Some(unchanged.doc),
        ops: Vec::new(),
        ..prepared
    }
}

pub(super) fn existing(found: Record) -> Prepared {
    Prepared {
        change: Change::Existing,
        resource_type: found.resource_type,
        id: found.id.clone(),
        version: found.version,
        at: found.at,
        after: Some(found.doc.clone()),
        before: Some(found),
        ops: Vec::new(),
        turn: None,
    }
}
