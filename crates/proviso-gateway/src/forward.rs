//! Fourth verb: carry the permitted request to where the records are.
//!
//! Reads come back as they are found and are judged in `filter`. Changes are different: the
//! resource as it is now is read and judged first, and the change is made only if it is still at
//! that version (leaks 86, 87, 93).

use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::bundle::SearchMode;
use proviso_fhir::search::{Context, Query, SearchError, SearchScope, Summary, Total};
use proviso_fhir::validate::Fault;

use crate::classify::Asked;
use crate::cursor::{Binding, Point, Position};
use crate::decide::{Parts, Permit, Permitted};
use crate::gateway::Gateway;
use crate::kept;
use crate::problem::{Problem, Refusal};
use crate::query;
use crate::stop::Stopped;
use crate::subscriptions::{self, SubscriptionAnswer};
use crate::upstream::scan::{Scanned, Search};
use crate::upstream::{History, Reading, Stored};
use crate::view::Withheld;

mod change;
mod filing;
mod operations;
mod together;

pub(crate) use change::{Carried, Change, Written, refuse_patch};
pub(crate) use filing::refuse as refuse_filing;
pub(crate) use together::ForwardedParts;
pub use together::{ForwardedTogether, forward_together};

/// What came back, with everything needed to judge it.
#[derive(Debug)]
pub struct Forwarded {
    parts: Parts,
    found: Found,
}

impl Forwarded {
    pub(crate) fn into_parts(self) -> (Parts, Found) {
        (self.parts, self.found)
    }
}

/// What an upstream found or did.
#[derive(Debug)]
pub(crate) enum Found {
    One(Reading),
    Page(Page),
    History(HistoryPage),
    Written(Box<Written>),
    /// A conditional delete found nothing that it should delete.
    NothingToDelete,
    /// What `$validate` found.
    Validated(Vec<Fault>),
    Subscription(Box<SubscriptionAnswer>),
}

/// A page of a search or of `$everything`.
#[derive(Debug)]
pub(crate) struct Page {
    /// Below the base, such as `Observation`.
    pub(crate) path: String,
    /// As the caller asked.
    pub(crate) own_query: String,
    /// What each entry is judged for.
    pub(crate) interaction: Interaction,
    pub(crate) entries: Vec<PageEntry>,
    pub(crate) total: Option<u64>,
    pub(crate) withheld: Withheld,
    pub(crate) next: Option<Position>,
    /// The query whose `_summary` or `_elements` cut resources down, once they have been judged.
    pub(crate) subset: Option<Box<Query>>,
}

#[derive(Debug)]
pub(crate) struct PageEntry {
    pub(crate) stored: Stored,
    pub(crate) mode: SearchMode,
}

/// A page of versions, newest first.
#[derive(Debug)]
pub(crate) struct HistoryPage {
    pub(crate) path: String,
    pub(crate) own_query: String,
    pub(crate) entries: Vec<HistoryEntry>,
    /// Versions in all that the caller may see, where that is known.
    pub(crate) total: Option<u64>,
    pub(crate) next: Option<Position>,
}

/// One version, or one deletion.
#[derive(Debug, Clone)]
pub(crate) struct HistoryEntry {
    pub(crate) kind: ResourceType,
    pub(crate) id: ResourceId,
    pub(crate) method: &'static str,
    pub(crate) version: Option<String>,
    pub(crate) at: Option<At>,
    /// The version itself; `None` for a deletion.
    pub(crate) stored: Option<Stored>,
    /// For a deletion, the version it deleted, if it can be had.
    pub(crate) before: Option<Stored>,
}

impl HistoryEntry {
    pub(crate) fn live(
        kind: ResourceType,
        id: ResourceId,
        method: &'static str,
        stored: Stored,
    ) -> Self {
        let (version, at) = (stored.version.clone(), stored.at);
        Self { kind, id, method, version, at, stored: Some(stored), before: None }
    }

    pub(crate) fn deleted(kind: ResourceType, id: ResourceId) -> Self {
        Self { kind, id, method: "DELETE", version: None, at: None, stored: None, before: None }
    }

    /// By which version it is judged: its own, or the one it deleted. `None` is never shown.
    pub(crate) fn judged_by(&self) -> Option<&Stored> {
        self.stored.as_ref().or(self.before.as_ref())
    }

    pub(crate) fn request_url(&self) -> String {
        if self.method == "POST" {
            self.kind.to_string()
        } else {
            format!("{}/{}", self.kind, self.id)
        }
    }

    pub(crate) fn status(&self) -> &'static str {
        match self.method {
            "POST" => "201",
            "DELETE" => "204",
            _ => "200",
        }
    }
}

/// Carries out a permitted request.
pub async fn forward(gateway: &Gateway, permitted: Permitted) -> Result<Forwarded, Stopped> {
    let (mut parts, asked, permit) = permitted.into_parts();
    match carry(gateway, &mut parts, asked, &permit).await {
        Ok(found) => Ok(Forwarded { parts, found }),
        Err(refusal) => Err(Stopped::new(refusal, parts.trail)),
    }
}

async fn carry(
    gateway: &Gateway,
    parts: &mut Parts,
    asked: Asked,
    permit: &Permit,
) -> Result<Found, Refusal> {
    let kind = parts.resource_type;
    let upstream = gateway.upstream_of(kind);
    let is_fresh = matches!(asked, Asked::Create { .. } | Asked::Validate { .. });
    if kind == ResourceType::BINARY && !is_fresh {
        before_file(gateway, parts, permit).await?;
    }
    if let Some(made) = parts.kept.before().map(<[_]>::to_vec) {
        return kept::again(gateway, parts, permit, (&made, 0)).await;
    }
    Ok(match asked {
        Asked::Read { id } => {
            let found = upstream.read(permit, kind, &id).await?;
            Found::One(with_its_file(gateway, parts, permit, found).await?)
        }
        Asked::Vread { id, version } => {
            still_shown(gateway, parts, permit, &id).await?;
            let found = upstream.vread(permit, kind, &id, &version).await?;
            Found::One(with_its_file(gateway, parts, permit, found).await?)
        }
        Asked::HistoryInstance { id, query } => {
            still_shown(gateway, parts, permit, &id).await?;
            let path = format!("{kind}/{id}/_history");
            Found::History(history(gateway, parts, permit, Some(id), path, query).await?)
        }
        Asked::HistoryType { query } => {
            let path = format!("{kind}/_history");
            Found::History(history(gateway, parts, permit, None, path, query).await?)
        }
        Asked::Search { compartment, query } => {
            Found::Page(search(gateway, parts, permit, compartment, query).await?)
        }
        Asked::Everything { id, query } => {
            Found::Page(operations::everything(gateway, parts, permit, id, query).await?)
        }
        Asked::DocRef { query } => {
            Found::Page(operations::docref(gateway, parts, permit, query).await?)
        }
        Asked::LastN { query } => {
            Found::Page(operations::last_n(gateway, parts, permit, query).await?)
        }
        Asked::Create { doc, criteria } => {
            change::create(gateway, parts, permit, doc, criteria).await?
        }
        Asked::Update { which, doc, if_match } => {
            change::update(gateway, parts, permit, which, doc, if_match).await?
        }
        Asked::Patch { which, patch, if_match } => {
            change::patch(gateway, parts, permit, which, patch, if_match).await?
        }
        Asked::Delete { which, if_match } => {
            change::delete(gateway, parts, permit, which, if_match).await?
        }
        Asked::File { doc, documents } => {
            filing::file(gateway, parts, permit, &doc, &documents).await?
        }
        Asked::Refile { id, doc, if_match } => {
            filing::refile(gateway, parts, permit, &id, &doc, if_match.as_deref()).await?
        }
        Asked::Revoke { id, patient, documents } => {
            filing::revoke(gateway, parts, permit, (&id, &patient), &documents).await?
        }
        Asked::Subscription(ask) => {
            Found::Subscription(Box::new(subscriptions::carry(gateway, parts, ask).await?))
        }
        Asked::Validate { doc } => Found::Validated(proviso_fhir::validate::validate(doc.root())),
    })
}

/// Looks for the records that a file belongs to, where it is one.
pub(crate) async fn look_at_file(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    stored: &mut Stored,
) -> Result<(), Refusal> {
    if stored.doc.resource_type() != Some(ResourceType::BINARY) {
        return Ok(());
    }
    let bounds = (gateway.base.as_str(), gateway.settings.limits.scan_records_max);
    let Parts { view, files, .. } = parts;
    // Boxed: few requests are about a file, and those that are not should stay small.
    Box::pin(files.look(&gateway.upstream, permit, Some(view), bounds, stored)).await
}

/// What has to be known before a file is asked for.
pub(crate) async fn before_file(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
) -> Result<(), Refusal> {
    let most = gateway.settings.limits.scan_records_max;
    let Parts { view, files, .. } = parts;
    Box::pin(files.prepare(&gateway.upstream, permit, view, most)).await
}

/// As [`look_at_file`], for what a read found.
async fn with_its_file(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    mut found: Reading,
) -> Result<Reading, Refusal> {
    if let Reading::Live(stored) | Reading::Deleted { last: Some(stored) } = &mut found {
        look_at_file(gateway, parts, permit, stored).await?;
    }
    Ok(found)
}

/// Old versions belong to whoever sees the resource as it is now or last was: what a patient has
/// restricted since, or what turned out to be another's, is not left open in the past.
pub(crate) async fn still_shown(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    id: &ResourceId,
) -> Result<(), Refusal> {
    let upstream = gateway.upstream_of(parts.resource_type);
    let found = upstream.read(permit, parts.resource_type, id).await?;
    let newest = match with_its_file(gateway, parts, permit, found).await? {
        Reading::Live(newest) | Reading::Deleted { last: Some(newest) } => newest,
        // An upstream by URL does not say what was deleted; each version is judged by itself.
        Reading::Deleted { last: None } => return Ok(()),
        Reading::Absent => return Err(Problem::NotFound.into()),
    };
    let judged = parts.view.judge_stored(&parts.interaction, &newest);
    if judged.permits() {
        return Ok(());
    }
    parts.trail.keep_back(&judged);
    Err(Problem::NotFound.into())
}

/// The query to carry out and where to go on, from the caller's query or the page link it names.
fn position(
    gateway: &Gateway,
    parts: &Parts,
    path: &str,
    query: String,
) -> Result<(String, Option<Point>), Refusal> {
    let pairs = query::pairs(&query).ok_or(Problem::SearchRefused)?;
    let Some((_, cursor)) = pairs.iter().find(|(name, _)| name == "_cursor") else {
        return Ok((query, None));
    };
    // The link is whole: nothing can be added to the question while its answer is read.
    if pairs.iter().any(|(name, _)| name != "_cursor" && name != "_format" && name != "_pretty") {
        return Err(Problem::CursorInvalid.into());
    }
    let binding = Binding {
        client: &parts.caller.client,
        grant: &parts.caller.grant,
        plan: parts.view.fingerprint().ok_or(Problem::Unavailable)?,
        path,
    };
    let position = gateway
        .cursors
        .open(&binding, cursor, parts.trail.at)
        .map_err(|_| Problem::CursorInvalid)?;
    Ok((position.query, Some(position.point)))
}

async fn search(
    gateway: &Gateway,
    parts: &Parts,
    permit: &Permit,
    compartment: Option<ResourceId>,
    own_query: String,
) -> Result<Page, Refusal> {
    let kind = parts.resource_type;
    let (path, scope) = match compartment {
        None => (kind.to_string(), SearchScope::Type(kind)),
        Some(owner) => (
            format!("Patient/{owner}/{kind}"),
            SearchScope::Compartment {
                owner_type: ResourceType::PATIENT,
                owner,
                resource_type: Some(kind),
            },
        ),
    };
    let (raw, point) = position(gateway, parts, &path, own_query.clone())?;
    let context = Context { own_base: &gateway.base, at: parts.trail.at };
    let query = Query::parse(&context, scope, &[&raw]).map_err(|error| refuse_search(&error))?;
    let query = parts.view.blinded(query);
    let search = Search {
        permit,
        view: &parts.view,
        interaction: &Interaction::Search,
        query: &query,
        raw: &raw,
        own_base: &gateway.base,
        point: point.unwrap_or_default(),
        count: page_size(gateway, &query),
        most: gateway.settings.limits.scan_records_max,
    };
    let Scanned { entries, total, withheld, next } =
        gateway.upstream_of(kind).search(&search).await?;
    let total = total.filter(|_| query.controls.total != Total::None);
    let whole = query.controls.summary == Summary::False && query.controls.elements.is_empty();
    Ok(Page {
        path,
        own_query,
        interaction: Interaction::Search,
        entries,
        total,
        withheld,
        next: next.map(|point| Position { query: raw, point }),
        subset: (!whole).then(|| Box::new(query)),
    })
}

fn page_size(gateway: &Gateway, query: &Query) -> usize {
    let limits = &gateway.settings.limits;
    query
        .controls
        .count
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(limits.page_default)
        .min(limits.page_max)
}

/// The parameter's name, never its value: the same answer for any value (leaks 55, 56).
pub(crate) fn refuse_search(error: &SearchError) -> Refusal {
    let (problem, place) = match error {
        SearchError::Encoding => (Problem::SearchRefused, None),
        SearchError::TooManyParameters => (Problem::SearchTooLarge, None),
        SearchError::TooManyValues { parameter } | SearchError::TooDeep { parameter } => {
            (Problem::SearchTooLarge, Some(parameter))
        }
        SearchError::UnknownParameter { parameter }
        | SearchError::UnknownModifier { parameter, .. }
        | SearchError::Unsupported { parameter }
        | SearchError::BadValue { parameter, .. }
        | SearchError::Repeated { parameter }
        | SearchError::NoChainTarget { parameter } => (Problem::SearchRefused, Some(parameter)),
    };
    match place {
        Some(place) => Refusal::from(problem).at(place),
        None => problem.into(),
    }
}

/// Parameters of a history: `_count` and `_since`.
#[derive(Debug, Default)]
pub(crate) struct HistoryControls {
    pub(crate) count: usize,
    pub(crate) since: Option<At>,
}

fn history_controls(gateway: &Gateway, raw: &str) -> Result<HistoryControls, Refusal> {
    let limits = &gateway.settings.limits;
    let mut controls = HistoryControls { count: limits.page_default, since: None };
    for (name, value) in query::pairs(raw).ok_or(Problem::SearchRefused)? {
        let refused = || Refusal::from(Problem::SearchRefused).at(&name);
        match name.as_str() {
            "_count" => {
                let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                let count = value.parse::<usize>().unwrap_or(limits.page_max);
                if !digits || count == 0 {
                    return Err(refused());
                }
                controls.count = count.min(limits.page_max);
            }
            "_since" => controls.since = Some(At::parse(&value).ok_or_else(refused)?),
            "_format" | "_pretty" => {}
            _ => return Err(refused()),
        }
    }
    Ok(controls)
}

async fn history(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    id: Option<ResourceId>,
    path: String,
    own_query: String,
) -> Result<HistoryPage, Refusal> {
    let (raw, point) = position(gateway, parts, &path, own_query.clone())?;
    let HistoryControls { count, since } = history_controls(gateway, &raw)?;
    let first = point.is_none();
    let ask = History {
        view: &parts.view,
        interaction: &parts.interaction,
        kind: parts.resource_type,
        id: id.as_ref(),
        since,
        point: point.unwrap_or_default(),
        count,
        most: gateway.settings.limits.scan_records_max,
    };
    let found = gateway.upstream_of(parts.resource_type).history(permit, &ask).await?;
    parts.trail.withhold_found(&found.withheld);
    // A resource of which no version is visible is, to this caller, one that never was.
    if first && found.entries.is_empty() && id.is_some() && since.is_none() {
        return Err(Problem::NotFound.into());
    }
    Ok(HistoryPage {
        path,
        own_query,
        entries: found.entries,
        total: found.total,
        next: found.next.map(|point| Position { query: raw, point }),
    })
}
