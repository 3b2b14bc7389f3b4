//! A patient's visits for the page from which staff start apps: the verbs of the pipeline, for a
//! person instead of an app.
//!
//! Who asks is known by the session of the page and not by a token; from `decide` on everything is
//! as for a FHIR request: the permit comes from `decide`, the upstream does nothing without it,
//! each visit is judged again as it would leave, and the entry is durable before the page learns
//! anything. The page gets an id, a date and a word for each visit, never the resource.

use http::StatusCode;
use proviso_app::visits::{Asking, Visit, VisitList, VisitLook, Visits, VisitsError};
use proviso_core::audit::AuditOutcome;
use proviso_core::decision::AccessPlan;
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::Node;
use proviso_fhir::search::{Context, Query, SearchScope};

use crate::audit::record_line;
use crate::cursor::Point;
use crate::decide::{Permit, decide_visits};
use crate::door::too_often;
use crate::filter::{Line, Outcome, disagreement};
use crate::forward::refuse_search;
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::query;
use crate::trail::Trail;
use crate::upstream::Reading;
use crate::upstream::scan::{Scanned, Search};
use crate::view::View;

/// LIMIT: a list that somebody reads through; older visits are opened without the list.
const VISITS_MAX: usize = 100;
/// LIMIT: a word for a visit, on a page.
pub(crate) const WORDS_MAX: usize = 120;

impl Visits for Gateway {
    fn list<'a>(&'a self, look: VisitLook<'a>) -> Asking<'a, Option<VisitList>> {
        Box::pin(async move {
            let mut walk = Walk::begin(self, look, Interaction::Search)?;
            let found = walk.list().await;
            walk.end(found).await
        })
    }

    fn may_open<'a>(&'a self, look: VisitLook<'a>, visit: &'a ResourceId) -> Asking<'a, bool> {
        Box::pin(async move {
            let mut walk = Walk::begin(self, look, Interaction::Read)?;
            let found = walk.open(visit).await;
            Ok(walk.end(found).await?.is_some())
        })
    }
}

/// One look on its way.
struct Walk<'a> {
    gateway: &'a Gateway,
    look: VisitLook<'a>,
    interaction: Interaction,
    trail: Trail,
    /// What was permitted, once something was.
    plan: Option<AccessPlan>,
}

impl<'a> Walk<'a> {
    fn begin(
        gateway: &'a Gateway,
        look: VisitLook<'a>,
        interaction: Interaction,
    ) -> Result<Self, VisitsError> {
        let at = gateway.app.now();
        let entropy = gateway.app.entropy().for_id().map_err(|_| VisitsError::NotLogged)?;
        let mut trail = Trail::of_page(look, at, entropy);
        trail.interaction = Some(interaction.clone());
        trail.resource_type = Some(ResourceType::ENCOUNTER);
        Ok(Self { gateway, look, interaction, trail, plan: None })
    }

    async fn decide(&mut self) -> Result<(View, Permit), Refusal> {
        let (person, patient) = (&self.look.person.account.id, self.look.patient);
        self.gateway.app.renew_relations(person, self.trail.at).await;
        let network = self.look.via.network.as_deref();
        let planned = self.gateway.app.plan_visits(person, patient, network, self.trail.at);
        let planned = planned.map_err(|_| Problem::Unavailable)?;
        let (view, permit) =
            decide_visits(self.gateway, planned, &self.interaction, &mut self.trail).await?;
        self.plan = Some(view.plan().clone());
        Ok((view, permit))
    }

    async fn list(&mut self) -> Result<VisitList, Refusal> {
        let (view, permit) = self.decide().await?;
        let gateway = self.gateway;
        let mut raw = "patient=".to_owned();
        query::encode(self.look.patient.as_str(), &mut raw);
        raw.push_str("&_sort=-date");
        self.trail.query_shape = query::shape(&raw);
        let context = Context { own_base: &gateway.base, at: self.trail.at };
        let scope = SearchScope::Type(ResourceType::ENCOUNTER);
        let query =
            Query::parse(&context, scope, &[&raw]).map_err(|error| refuse_search(&error))?;
        let search = Search {
            permit: &permit,
            view: &view,
            interaction: &self.interaction,
            query: &query,
            raw: &raw,
            own_base: &gateway.base,
            point: Point::default(),
            count: VISITS_MAX,
            most: gateway.settings.limits.scan_records_max,
        };
        let Scanned { entries, withheld, next, .. } = gateway.upstream.search(&search).await?;
        let mut visits = Vec::with_capacity(entries.len());
        for entry in entries {
            let judged = view.judge_stored(&self.interaction, &entry.stored);
            if !judged.permits() {
                return Err(disagreement(&mut self.trail, &judged.decision.reasons));
            }
            self.trail.release(&judged);
            let shown = view.form(entry.stored, &judged).map_err(Refusal::from)?;
            visits.extend(visit_of(shown.doc.root()));
        }
        self.trail.withhold_found(&withheld);
        self.within_budget()?;
        Ok(VisitList { newest_first: visits, cut: next.is_some() })
    }

    async fn open(&mut self, visit: &ResourceId) -> Result<(), Refusal> {
        let (view, permit) = self.decide().await?;
        let kind = ResourceType::ENCOUNTER;
        let Reading::Live(stored) = self.gateway.upstream.read(&permit, kind, visit).await? else {
            return Err(Problem::NotFound.into());
        };
        let judged = view.judge_stored(&self.interaction, &stored);
        if !judged.permits() {
            self.trail.keep_back(&judged);
            return Err(Problem::NotFound.into());
        }
        self.trail.release(&judged);
        self.within_budget()
    }

    /// As for FHIR requests: one login that walks through many patients is stopped (leak 136).
    fn within_budget(&self) -> Result<(), Refusal> {
        let (account, patients) = (&self.look.person.account.id, self.trail.patients());
        self.gateway.rates.spend_patients(account, patients, self.trail.at).map_err(too_often)
    }

    /// Logs how it went, and only then says so.
    async fn end<T>(self, found: Result<T, Refusal>) -> Result<Option<T>, VisitsError> {
        let Self { gateway, look, trail, plan, .. } = self;
        let line = match &found {
            Ok(_) => Line {
                trail: trail.clone(),
                outcome: AuditOutcome::Success,
                status: StatusCode::OK,
            },
            Err(refusal) => Outcome::refused(trail.clone(), refusal).line,
        };
        record_line(gateway, &line).await.map_err(|_| VisitsError::NotLogged)?;
        let value = match found {
            Ok(value) => value,
            Err(refusal) => return refused(&refusal),
        };
        // Writing the log takes time, and a relationship may end meanwhile: asked once more, last.
        let (person, now) = (&look.person.account.id, gateway.app.now());
        let same = |now: AccessPlan| {
            plan.as_ref().is_some_and(|made| AccessPlan { at: made.at, ..now } == *made)
                && trail.hearing().is_none_or(|hearing| hearing.stands())
        };
        let network = look.via.network.as_deref();
        let planned = gateway.app.plan_visits(person, look.patient, network, now);
        let reasons = match planned.map_err(|_| VisitsError::NoAnswer)?.plan {
            Ok(now) if same(now.clone()) => return Ok(Some(value)),
            // The patient has objected, or taken an objection back, here or on file.
            Ok(_) => vec![ReasonCode::PatientObjection],
            Err(denial) => denial.reasons,
        };
        let ended = Refusal::from(Problem::AccessRefused).because(&reasons);
        let line = Outcome::refused(trail, &ended).line;
        record_line(gateway, &line).await.map_err(|_| VisitsError::NotLogged)?;
        Ok(None)
    }
}

/// A no is an answer; that there was none is an error.
fn refused<T>(refusal: &Refusal) -> Result<Option<T>, VisitsError> {
    match refusal.problem.status() {
        StatusCode::TOO_MANY_REQUESTS => Err(VisitsError::TooMany),
        status if status.is_server_error() => Err(VisitsError::NoAnswer),
        _ => Ok(None),
    }
}

/// What the page says of a visit.
fn visit_of(root: Node<'_>) -> Option<Visit> {
    let id = root.string_at(&["id"])?.parse().ok()?;
    let start = root.string_at(&["period", "start"]).map(std::borrow::Cow::into_owned);
    let words = ["type", "serviceType"]
        .iter()
        .find_map(|name| root.first(&[name]).and_then(words_of))
        .or_else(|| root.string_at(&["class", "display"]).map(std::borrow::Cow::into_owned));
    let what = words.map(|words| words.chars().take(WORDS_MAX).collect());
    Some(Visit { id, start, what })
}

/// The words of a CodeableConcept: its text, else the first display.
pub(crate) fn words_of(concept: Node<'_>) -> Option<String> {
    let displays = || concept.at(&["coding"]).find_map(|coding| coding.string_at(&["display"]));
    concept.string_at(&["text"]).or_else(displays).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proviso_fhir::json::Doc;

    use super::*;

    #[test]
    fn a_visit_is_called_by_its_type_else_by_its_class() {
        let check = |members: &str, what: Option<&str>, start: Option<&str>| {
            let text = format!(r#"{{"resourceType":"Encounter","id":"e1"{members}}}"#);
            let doc = Doc::parse(text.into_bytes()).unwrap();
            let visit = visit_of(doc.root()).unwrap();
            assert_eq!((visit.what.as_deref(), visit.start.as_deref()), (what, start), "{members}");
        };
        check("", None, None);
        check(r#","period":{"start":"2024-05"}"#, None, Some("2024-05"));
        let class = r#","class":{"code":"AMB","display":"ambulatory"}"#;
        check(class, Some("ambulatory"), None);
        let coded = r#","type":[{"coding":[{"code":"1"},{"code":"2","display":"Check-up"}]}]"#;
        check(&format!("{class}{coded}"), Some("Check-up"), None);
        let named = r#","type":[{"text":"Annual check-up","coding":[{"display":"Check-up"}]}]"#;
        check(&format!("{class}{named}"), Some("Annual check-up"), None);
        let long = format!(r#","type":[{{"text":"{}"}}]"#, "é".repeat(WORDS_MAX + 1));
        check(&long, Some(&"é".repeat(WORDS_MAX)), None);
    }
}
