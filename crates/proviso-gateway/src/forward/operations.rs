//! Operations that are searches: `$everything`, `$docref`, `$lastn`. What they find is found, judged
//! and counted as by any search, so they have no rules of their own about what may be seen.

use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::SearchMode;
use proviso_fhir::search::{Context, DocRef, LastN, Query};

use super::{Page, PageEntry, page_size, position, refuse_search};
use crate::cursor::{Point, Position};
use crate::decide::{Parts, Permit};
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::query;
use crate::upstream::Reading;
use crate::upstream::scan::{Scanned, Search};
use crate::view::Withheld;

/// By a time it would be told when what is not shown changed, or what a hidden date is.
fn tells_no_time(parts: &Parts, parameter: Option<&str>) -> Result<(), Refusal> {
    match parameter.filter(|_| parts.view.is_partial()) {
        Some(name) => Err(Refusal::from(Problem::SearchRefused).at(name)),
        None => Ok(()),
    }
}

/// `$everything` of a patient the caller may see; of any other there is no such resource (leak 65).
/// It is a search of the whole compartment with what that leads to, so it has the same rules.
pub(super) async fn everything(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    id: ResourceId,
    own_query: String,
) -> Result<Page, Refusal> {
    let path = format!("Patient/{id}/$everything");
    let (raw, point) = position(gateway, parts, &path, own_query.clone())?;
    let found = gateway.upstream.read(permit, ResourceType::PATIENT, &id).await?;
    let Reading::Live(patient) = found else { return Err(Problem::NotFound.into()) };
    let judged = parts.view.judge_stored(&parts.interaction, &patient);
    if !judged.permits() {
        parts.trail.keep_back(&judged);
        return Err(Problem::NotFound.into());
    }
    let mut asked = query::pairs(&raw).ok_or(Problem::SearchRefused)?.into_iter();
    let by_time = asked.find(|(name, _)| matches!(name.as_str(), "start" | "end" | "_since"));
    tells_no_time(parts, by_time.as_ref().map(|(name, _)| name.as_str()))?;
    let context = Context { own_base: &gateway.base, at: parts.trail.at };
    let mut query =
        Query::everything(&context, &id, &raw).map_err(|error| refuse_search(&error))?;
    query = parts.view.blinded(query);
    // Types the caller may not see at all need not be looked for.
    query.types.retain(|kind| parts.view.plan().offers(&parts.interaction, *kind));
    let search = Search {
        permit,
        view: &parts.view,
        interaction: &parts.interaction,
        query: &query,
        raw: "",
        own_base: &gateway.base,
        point: point.clone().unwrap_or_default(),
        count: query
            .controls
            .count
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(gateway.settings.limits.page_max),
        most: gateway.settings.limits.scan_records_max,
    };
    let found = gateway.upstream.search(&search).await?;
    Ok(Page {
        path,
        own_query,
        interaction: parts.interaction.clone(),
        entries: found.entries,
        total: found.total,
        withheld: found.withheld,
        next: found.next.map(|point| Position { query: raw, point }),
        subset: None,
    })
}

/// `DocumentReference/$docref` (US Core 6.1.0): the documents of a patient, or the newest one.
pub(super) async fn docref(
    gateway: &Gateway,
    parts: &Parts,
    permit: &Permit,
    own_query: String,
) -> Result<Page, Refusal> {
    let path = "DocumentReference/$docref".to_owned();
    let (raw, point) = position(gateway, parts, &path, own_query.clone())?;
    let context = Context { own_base: &gateway.base, at: parts.trail.at };
    let asked = DocRef::parse(&context, &raw).map_err(|error| refuse_search(&error))?;
    tells_no_time(parts, asked.by_date)?;
    let query = parts.view.blinded(asked.query);
    let count = if asked.newest_only { 1 } else { page_size(gateway, &query) };
    let search = search_of(gateway, parts, permit, &query, point.unwrap_or_default(), count);
    let upstream = gateway.upstream_of(ResourceType::DOCUMENT_REFERENCE);
    let Scanned { entries, mut total, withheld, mut next } = upstream.search(&search).await?;
    if asked.newest_only {
        total = total.map(|all| all.min(1));
        next = None;
    }
    Ok(Page {
        path,
        own_query,
        interaction: Interaction::Search,
        entries,
        total,
        withheld,
        next: next.map(|point| Position { query: raw, point }),
        subset: None,
    })
}

/// `Observation/$lastn` (FHIR R4): the newest observations of each code, over all that the caller
/// sees. It has to look at all of them, so it is refused where they are too many.
pub(super) async fn last_n(
    gateway: &Gateway,
    parts: &Parts,
    permit: &Permit,
    own_query: String,
) -> Result<Page, Refusal> {
    let context = Context { own_base: &gateway.base, at: parts.trail.at };
    let LastN { query, most } =
        LastN::parse(&context, &own_query).map_err(|error| refuse_search(&error))?;
    let asked = LastN { query: parts.view.blinded(query), most };
    let limits = &gateway.settings.limits;
    let upstream = gateway.upstream_of(ResourceType::OBSERVATION);
    let mut found: Vec<PageEntry> = Vec::new();
    let mut withheld = Withheld::default();
    let mut point = Some(Point::default());
    while let Some(from) = point {
        let search = search_of(gateway, parts, permit, &asked.query, from, limits.page_max);
        let page = upstream.search(&search).await?;
        found.extend(page.entries.into_iter().filter(|entry| entry.mode == SearchMode::Match));
        if found.len() > limits.everything_max {
            return Err(Problem::SearchTooCostly.into());
        }
        // Each page comes across the same records.
        if page.withheld.count() > withheld.count() {
            withheld = page.withheld;
        }
        point = page.next;
    }
    let kept = asked.kept(found.iter().map(|entry| entry.stored.shown().root()));
    let mut places: Vec<Option<PageEntry>> = found.into_iter().map(Some).collect();
    let entries: Vec<PageEntry> =
        kept.into_iter().filter_map(|place| places.get_mut(place)?.take()).collect();
    Ok(Page {
        path: "Observation/$lastn".to_owned(),
        own_query,
        interaction: Interaction::Search,
        total: u64::try_from(entries.len()).ok(),
        entries,
        withheld,
        next: None,
        subset: None,
    })
}

fn search_of<'a>(
    gateway: &'a Gateway,
    parts: &'a Parts,
    permit: &'a Permit,
    query: &'a Query,
    point: Point,
    count: usize,
) -> Search<'a> {
    Search {
        permit,
        view: &parts.view,
        interaction: &Interaction::Search,
        query,
        raw: "",
        own_base: &gateway.base,
        point,
        count,
        most: gateway.settings.limits.scan_records_max,
    }
}
