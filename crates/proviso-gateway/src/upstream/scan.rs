//! Searches in front of a FHIR server by URL: ask it for no more than the view can hold, then
//! judge and match every candidate here.
//!
//! The upstream's own evaluation only ever narrows. Totals, order, pages and includes are made
//! from what remains, so they are functions of the view and not of the store behind it. What would
//! need the upstream to look at other resources than the one it returns (chains, `_has`, value
//! sets, hierarchies) is refused: it would look at hidden ones.

use std::collections::{BTreeMap, BTreeSet};

use ::http::StatusCode;
use proviso_core::decision::Belonging;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::SearchMode;
use proviso_fhir::compartment::belonging;
use proviso_fhir::json::Node;
use proviso_fhir::search::{DEPTH_MAX, Include, Joined, Param, Query, Summary};
use proviso_fhir::spec;

use crate::cursor::Point;
use crate::decide::Permit;
use crate::forward::{PageEntry, refuse_search};
use crate::problem::{Problem, Refusal};
use crate::query::{encode, pairs};
use crate::upstream::http::{HttpUpstream, UpstreamError};
use crate::upstream::remote::bundle;
use crate::upstream::{Reading, Stored};
use crate::view::{Judged, View, Withheld};

/// LIMIT: patients named in one upstream query.
const PATIENTS_PER_QUERY: usize = 50;
/// LIMIT: resources added to one page by includes.
const INCLUDED_MAX: usize = 1000;
/// LIMIT: bytes of a page link that say where its page begins; a longer place is told by number.
const ROW_BYTES_MAX: usize = 1024;
/// Candidates asked for at once.
const UPSTREAM_PAGE: usize = 500;

/// What one search wants of an upstream.
#[derive(Debug, Clone)]
pub(crate) struct Search<'a> {
    pub(crate) permit: &'a Permit,
    pub(crate) view: &'a View,
    /// What each candidate is judged for.
    pub(crate) interaction: &'a Interaction,
    pub(crate) query: &'a Query,
    /// The caller's own query text, for what can be pushed.
    pub(crate) raw: &'a str,
    pub(crate) own_base: &'a str,
    pub(crate) point: Point,
    pub(crate) count: usize,
    pub(crate) most: usize,
}

/// Resources of one type, and where their list goes on.
type Candidates = (Vec<(ResourceId, Stored)>, Option<String>);

/// One page of the view.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) entries: Vec<PageEntry>,
    pub(crate) total: Option<u64>,
    pub(crate) withheld: Withheld,
    /// Where the view goes on after this page, if it does.
    pub(crate) next: Option<Point>,
}

impl HttpUpstream {
    pub(crate) async fn search(&self, search: &Search<'_>) -> Result<Scanned, Refusal> {
        let joins = search.query.joins.iter().map(|join| &join.name);
        let lookups = search.query.lookups.iter().map(|lookup| &lookup.name);
        if let Some(name) = joins.chain(lookups).next() {
            return Err(Refusal::from(Problem::SearchRefused).at(name));
        }
        let (mut matches, withheld) = self.matches(search).await?;
        order(search.query, &mut matches);
        let total = matches.len();
        let wanted = if search.query.controls.summary == Summary::Count { 0 } else { search.count };
        let first = first_of_page(search, &matches)?;
        let page: Vec<Stored> = matches.into_iter().skip(first).take(wanted).collect();
        let reached = first.saturating_add(page.len());
        let next = (wanted > 0 && reached < total).then(|| Point {
            skip: reached,
            row: page.last().and_then(|last| row_of(search.query, last)),
            ..Point::default()
        });
        let mut entries: Vec<PageEntry> =
            page.into_iter().map(|stored| PageEntry { stored, mode: SearchMode::Match }).collect();
        let included = self.included(search, &entries).await?;
        entries.extend(included);
        let total = u64::try_from(total).ok();
        Ok(Scanned { entries, total, withheld, next })
    }

    /// Every resource of the view that matches, and those that matched and were withheld.
    async fn matches(&self, search: &Search<'_>) -> Result<(Vec<Stored>, Withheld), Refusal> {
        search.view.admits(search.query).map_err(|error| refuse_search(&error))?;
        let mut found: BTreeMap<(ResourceType, ResourceId), Stored> = BTreeMap::new();
        let mut withheld: BTreeMap<(ResourceType, ResourceId), Judged> = BTreeMap::new();
        let mut seen = 0_usize;
        for kind in &search.query.types {
            for narrowed in narrowings(*kind, search.view.patients().as_deref()) {
                let mut tail = Some(first_page(*kind, &narrowed, search));
                while let Some(page) = tail {
                    let (candidates, next) = self.candidates(*kind, &page).await?;
                    seen += candidates.len();
                    if seen > search.most {
                        return Err(Problem::SearchTooCostly.into());
                    }
                    // What is shown in part is matched once it is known what that is.
                    let matching = candidates
                        .into_iter()
                        .filter(|(_, stored)| search.view.is_partial() || is_match(search, stored));
                    let (visible, others) = self.part(search, matching.collect()).await?;
                    let visible = visible.into_iter().filter(|(_, own)| is_match(search, own));
                    found.extend(visible.map(|(id, stored)| ((*kind, id), stored)));
                    withheld.extend(others.into_iter().map(|(id, judged)| ((*kind, id), judged)));
                    tail = next;
                }
            }
        }
        Ok((found.into_values().collect(), withheld.into_values().collect()))
    }

    /// All records of a type that name a patient, as far as a search for the patient finds them. Of a
    /// type that has no parameter for its patient, nothing can be found by one.
    pub(crate) async fn about(
        &self,
        _: &Permit,
        patient: &PatientId,
        kind: ResourceType,
        most: usize,
    ) -> Result<Vec<Stored>, Refusal> {
        let mut found: BTreeMap<ResourceId, Stored> = BTreeMap::new();
        let mut seen = 0_usize;
        let narrowed = narrowings(kind, Some(core::slice::from_ref(patient)));
        for params in narrowed.iter().filter(|params| !params.is_empty()) {
            let mut tail = Some(page_of(kind, params));
            while let Some(page) = tail {
                let Some((candidates, next)) = self.candidates_if_known(kind, &page).await? else {
                    return Ok(Vec::new());
                };
                seen += candidates.len();
                if seen > most {
                    return Err(Problem::SearchTooCostly.into());
                }
                let own = candidates.into_iter();
                found.extend(own.filter(|(_, stored)| names(stored.doc.root(), patient)));
                tail = next;
            }
        }
        let mut found: Vec<Stored> = found.into_values().collect();
        self.look_around(&mut found.iter_mut().collect::<Vec<_>>()).await?;
        Ok(found)
    }

    /// Parts candidates into those that the view sees, together with what they refer to, and the
    /// others as they were judged.
    async fn part(
        &self,
        search: &Search<'_>,
        candidates: Vec<(ResourceId, Stored)>,
    ) -> Result<(Vec<(ResourceId, Stored)>, Vec<(ResourceId, Judged)>), UpstreamError> {
        let mut others = Vec::new();
        let mut part = |candidates: Vec<(ResourceId, Stored)>| {
            let mut visible = Vec::with_capacity(candidates.len());
            for (id, stored) in candidates {
                let judged = search.view.judge_stored(search.interaction, &stored);
                if judged.permits() {
                    visible.push((id, stored));
                } else if is_match(search, &stored) {
                    others.push((id, judged));
                }
            }
            visible
        };
        let mut visible = part(candidates);
        let mut within: Vec<&mut Stored> = visible.iter_mut().map(|(_, stored)| stored).collect();
        self.look_around(&mut within).await?;
        let visible = part(visible);
        let visible = shown_in_part(search, visible)?;
        if search.view.oversees() {
            for (_, stored) in &visible {
                search.view.uses(&search.view.judge_stored(search.interaction, stored));
            }
        }
        Ok((visible, others))
    }

    /// One page of the upstream's answer: resources of the one type that was asked for.
    async fn candidates(
        &self,
        kind: ResourceType,
        tail: &str,
    ) -> Result<Candidates, UpstreamError> {
        let known = self.candidates_if_known(kind, tail).await?;
        known.ok_or(UpstreamError::Unacceptable("a search that failed"))
    }

    /// As [`Self::candidates`]; `None` when the upstream says that there is no such type.
    pub(super) async fn candidates_if_known(
        &self,
        kind: ResourceType,
        tail: &str,
    ) -> Result<Option<Candidates>, UpstreamError> {
        let answer = self.get(tail).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if answer.status != StatusCode::OK {
            return Err(UpstreamError::Unacceptable("a search that failed"));
        }
        let bundle = bundle(answer)?;
        let mut candidates = Vec::new();
        for entry in bundle.root().at(&["entry"]) {
            if entry.string_at(&["search", "mode"]).is_some_and(|mode| mode != "match") {
                continue;
            }
            let resource =
                entry.get("resource").ok_or(UpstreamError::Unacceptable("an empty entry"))?;
            let doc = self.adopt(resource.raw().to_vec())?;
            let id = doc.id().ok_or(UpstreamError::Unacceptable("a resource without id"))?;
            if doc.resource_type() != Some(kind) {
                return Err(UpstreamError::Unacceptable("another type than asked for"));
            }
            candidates.push((id, Stored::of(doc)));
        }
        let next = self.next(&bundle)?;
        let total = bundle.root().get("total").and_then(|t| t.number_text()?.parse::<usize>().ok());
        // A first page that is all there is must hold all there is: a total that says otherwise
        // and no way to go on would silently shorten the answer.
        let first = !tail.contains("_offset=") && !tail.contains("page");
        if next.is_none() && first && total.is_some_and(|total| total > candidates.len()) {
            return Err(UpstreamError::Unacceptable("a page that ends too early"));
        }
        Ok(Some((candidates, next)))
    }

    /// What the page's matches lead to and what leads to them, decided one by one (leaks 35-38).
    async fn included(
        &self,
        search: &Search<'_>,
        matches: &[PageEntry],
    ) -> Result<Vec<PageEntry>, Refusal> {
        let controls = &search.query.controls;
        let mut known: BTreeSet<(ResourceType, ResourceId)> =
            matches.iter().filter_map(|entry| key(&entry.stored)).collect();
        let mut added: Vec<PageEntry> = Vec::new();
        let mut frontier: Vec<Stored> = matches.iter().map(|entry| entry.stored.clone()).collect();
        for round in 0..DEPTH_MAX {
            let mut fresh = Vec::new();
            for include in controls.includes.iter().filter(|i| round == 0 || i.iterate) {
                fresh.extend(self.forwards(search, include, &frontier, &mut known).await?);
            }
            for include in controls.revincludes.iter().filter(|i| round == 0 || i.iterate) {
                fresh.extend(self.backwards(search, include, &frontier, &mut known).await?);
            }
            if fresh.is_empty() {
                break;
            }
            if added.len() + fresh.len() > INCLUDED_MAX {
                return Err(Problem::SearchTooCostly.into());
            }
            added.extend(
                fresh
                    .iter()
                    .map(|stored| PageEntry { stored: stored.clone(), mode: SearchMode::Include }),
            );
            frontier = fresh;
        }
        Ok(added)
    }

    async fn forwards(
        &self,
        search: &Search<'_>,
        include: &Include,
        from: &[Stored],
        known: &mut BTreeSet<(ResourceType, ResourceId)>,
    ) -> Result<Vec<Stored>, Refusal> {
        let mut fresh = Vec::new();
        for stored in from {
            for target in include.edges(stored.doc.root(), search.own_base) {
                if !known.insert(target.clone()) {
                    continue;
                }
                if known.len() > INCLUDED_MAX * 2 {
                    return Err(Problem::SearchTooCostly.into());
                }
                let (kind, id) = target;
                if let Reading::Live(found) = self.read(search.permit, kind, &id).await?
                    && search.query.admits(found.doc.root())
                    && search.view.judge_stored(search.interaction, &found).permits()
                {
                    fresh.push(found);
                }
            }
        }
        Ok(fresh)
    }

    async fn backwards(
        &self,
        search: &Search<'_>,
        include: &Include,
        to: &[Stored],
        known: &mut BTreeSet<(ResourceType, ResourceId)>,
    ) -> Result<Vec<Stored>, Refusal> {
        let targets: BTreeSet<(ResourceType, ResourceId)> = to.iter().filter_map(key).collect();
        let mut fresh = Vec::new();
        for (kind, param) in &include.links {
            let references: Vec<String> = targets
                .iter()
                .filter(|(target, _)| param.may_target(*target))
                .map(|(target, id)| format!("{target}/{id}"))
                .collect();
            for some in references.chunks(PATIENTS_PER_QUERY) {
                let mut tail = Some(page_of(*kind, &[(param.code.to_owned(), some.join(","))]));
                while let Some(page) = tail {
                    let (candidates, next) = self.candidates(*kind, &page).await?;
                    let leading = candidates.into_iter().filter(|(_, stored)| {
                        let edges = include.edges(stored.doc.root(), search.own_base);
                        edges.iter().any(|target| targets.contains(target))
                    });
                    for (id, stored) in self.part(search, leading.collect()).await?.0 {
                        if known.insert((*kind, id)) {
                            fresh.push(stored);
                        }
                    }
                    if fresh.len() > INCLUDED_MAX {
                        return Err(Problem::SearchTooCostly.into());
                    }
                    tail = next;
                }
            }
        }
        Ok(fresh)
    }
}

/// Whether a record names a patient.
pub(super) fn names(root: Node<'_>, patient: &PatientId) -> bool {
    match belonging(root) {
        Belonging::Patients(patients) => patients.contains(patient),
        Belonging::Directory | Belonging::Unknown => false,
    }
}

fn is_match(search: &Search<'_>, stored: &Stored) -> bool {
    search.query.matches(stored.shown().root(), &Joined::default())
}

/// Works out what of records is shown.
fn shown_in_part(
    search: &Search<'_>,
    mut visible: Vec<(ResourceId, Stored)>,
) -> Result<Vec<(ResourceId, Stored)>, UpstreamError> {
    if search.view.is_partial() {
        for (_, stored) in &mut visible {
            let judged = search.view.judge_stored(search.interaction, stored);
            let part = search.view.part(&stored.doc, &judged);
            stored.part =
                part.map_err(|_| UpstreamError::Unacceptable("no resource of FHIR R4"))?;
        }
    }
    Ok(visible)
}

fn key(stored: &Stored) -> Option<(ResourceType, ResourceId)> {
    stored.doc.resource_type().zip(stored.doc.id())
}

/// Where the page begins: after the place at which the one before ended. What was written or
/// deleted meanwhile moves no other match to a page that was read or out of one that was not.
fn first_of_page(search: &Search<'_>, matches: &[Stored]) -> Result<usize, Refusal> {
    let Some(text) = &search.point.row else { return Ok(search.point.skip) };
    let last = search.query.read_sort_row(text).ok_or(Problem::CursorInvalid)?;
    Ok(matches.partition_point(|stored| {
        search.query.sort_row(stored.shown().root()).is_none_or(|row| row <= last)
    }))
}

fn row_of(query: &Query, stored: &Stored) -> Option<String> {
    let row = query.sort_row(stored.shown().root())?.to_text();
    (row.len() <= ROW_BYTES_MAX).then_some(row)
}

/// As asked, ties and everything else by type and id: the order never depends on what is hidden.
fn order(query: &Query, matches: &mut [Stored]) {
    if query.controls.sort.is_empty() {
        return;
    }
    matches.sort_by_cached_key(|stored| query.sort_row(stored.shown().root()));
}

/// Parameters that keep the upstream to the patients of the view. Several, because a resource may
/// name its patient in more than one place and each upstream search can ask for one.
fn narrowings(kind: ResourceType, reach: Option<&[PatientId]>) -> Vec<Vec<(String, String)>> {
    let Some(patients) = reach else { return vec![Vec::new()] };
    let codes: Vec<&str> = if kind == ResourceType::PATIENT {
        vec!["_id"]
    } else {
        spec::patient_compartment_params(kind)
            .iter()
            .copied()
            .filter(|code| {
                Param::find(kind, code).is_some_and(|p| p.may_target(ResourceType::PATIENT))
            })
            .collect()
    };
    if codes.is_empty() {
        // Not of one patient by its type: every candidate is judged by itself.
        return vec![Vec::new()];
    }
    let mut out = Vec::new();
    for some in patients.chunks(PATIENTS_PER_QUERY) {
        for code in &codes {
            let values: Vec<String> = some
                .iter()
                .map(|patient| {
                    if *code == "_id" { patient.to_string() } else { format!("Patient/{patient}") }
                })
                .collect();
            out.push(vec![((*code).to_owned(), values.join(","))]);
        }
    }
    out
}

fn first_page(kind: ResourceType, narrowed: &[(String, String)], search: &Search<'_>) -> String {
    let mut params = narrowed.to_vec();
    params.extend(pushable(kind, search.raw, narrowed));
    page_of(kind, &params)
}

pub(super) fn page_of(kind: ResourceType, params: &[(String, String)]) -> String {
    let mut tail = format!("/{kind}?_count={UPSTREAM_PAGE}");
    for (name, value) in params {
        tail.push('&');
        tail.push_str(name);
        tail.push('=');
        encode(value, &mut tail);
    }
    tail
}

/// The caller's parameters that every server understands alike: plain codes. Everything else is
/// matched here only; pushing is for speed and can only narrow.
fn pushable(kind: ResourceType, raw: &str, narrowed: &[(String, String)]) -> Vec<(String, String)> {
    let plain = |value: &str| {
        !value.is_empty()
            && value.split(',').all(|one| {
                let (system, code) = one.split_once('|').unwrap_or(("x", one));
                !system.is_empty() && !code.is_empty() && !one.contains('\\')
            })
    };
    pairs(raw)
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, value)| {
            let has_system = value.contains('|');
            let token = Param::find(kind, name).is_some_and(|p| p.is_plain_token(has_system));
            token && name != "_id" && plain(value) && narrowed.iter().all(|(own, _)| own != name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patients(ids: &[&str]) -> Vec<PatientId> {
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }

    #[test]
    fn a_search_asks_only_for_the_patients_of_the_view() {
        let reach = patients(&["a", "b"]);
        let narrowed = narrowings(ResourceType::PATIENT, Some(&reach));
        assert_eq!(narrowed, vec![vec![("_id".to_owned(), "a,b".to_owned())]]);
        let narrowed = narrowings(ResourceType::OBSERVATION, Some(&reach));
        assert!(!narrowed.is_empty());
        for one in narrowed {
            assert!(one.iter().all(|(_, value)| value == "Patient/a,Patient/b"), "{one:?}");
        }
        assert_eq!(narrowings(ResourceType::PRACTITIONER, Some(&reach)), vec![Vec::new()]);
        assert_eq!(narrowings(ResourceType::OBSERVATION, None), vec![Vec::new()]);
    }

    #[test]
    fn only_plain_codes_are_pushed() {
        let raw =
            "code=4548-4&code:not=1&date=ge2020&status=final,amended&code=%7Cx&patient=a&_id=b";
        let pushed = pushable(ResourceType::OBSERVATION, raw, &[]);
        let names: Vec<&str> = pushed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["code", "status"]);
        // Others may not know the system of a bare code, and may tell `A` from `a` in contacts.
        let raw = "gender=x%7Cfemale&gender=female&email=a@x&phone=1&identifier=urn:x%7C1";
        let pushed = pushable(ResourceType::PATIENT, raw, &[]);
        let pairs: Vec<(&str, &str)> =
            pushed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("gender", "female"), ("identifier", "urn:x|1")]);
    }
}
