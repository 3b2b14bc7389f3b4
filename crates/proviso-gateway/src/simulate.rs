//! Who could see what of a patient's records, now and after a change: the verbs of the pipeline, for
//! everybody at once.
//!
//! As for decisions about others ([`crate::evaluate`]): the permit comes from `decide`, the upstream
//! does nothing without it, each record is judged by the view of each plan, and the entry is durable
//! before the answer leaves. The plans for after a change come from what would be in force; nothing
//! is changed.

use std::sync::Arc;

use http::StatusCode;
use proviso_app::access::Planned;
use proviso_app::simulate::{
    Answered, PossibleSubject, RECORDS_MAX, Simulated, SimulatedRecord, SimulatedSubject,
    Simulating, Simulation, SimulationError, Simulations, SubjectWays, Verdict, Viewer,
    may_be_told,
};
use proviso_core::audit::AuditOutcome;
use proviso_core::category_rules::is_directory;
use proviso_core::consent::Capacity;
use proviso_core::decision::{AccessPlan, Decision, FiledRule, ResourceFacts};
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::Node;
use proviso_fhir::label::RuleSet;

use crate::audit::{record_decisions, record_line};
use crate::decide::{Permit, decide_to_simulate};
use crate::evaluate::{is_nearer, patients_of};
use crate::filter::Line;
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::trail::Trail;
use crate::upstream::files::Files;
use crate::upstream::{Reading, Stored};
use crate::view::{View, facts_of};
use crate::visits::{WORDS_MAX, words_of};

/// After so many records, others get their turn.
const YIELD_EVERY: usize = 32;

impl Simulations for Gateway {
    fn simulate<'a>(&'a self, viewer: Viewer<'a>, question: &'a Simulation) -> Simulating<'a> {
        Box::pin(async move {
            let turn = self.simulating.acquire().await;
            let _turn = turn.map_err(|_| SimulationError::NoAnswer)?;
            simulate(self, viewer, question).await
        })
    }
}

/// The ways of one subject, ready to judge records.
struct Eyes {
    who: PossibleSubject,
    before: Vec<Result<View, Decision>>,
    /// `None` where nothing changes.
    after: Option<Vec<Result<View, Decision>>>,
}

/// Everything by which the records of one look are judged.
struct Look<'a> {
    gateway: &'a Gateway,
    viewer: Viewer<'a>,
    question: &'a Simulation,
    permit: Permit,
    /// What a person before a page may see.
    own: Option<View>,
    eyes: Vec<Eyes>,
    labels: Arc<RuleSet>,
}

/// One page of records.
type Found = (Vec<SimulatedRecord>, Option<(ResourceType, proviso_core::id::ResourceId)>);

async fn simulate(
    gateway: &Gateway,
    viewer: Viewer<'_>,
    question: &Simulation,
) -> Result<Simulated, SimulationError> {
    let (app, patient) = (&gateway.app, &question.patient);
    let began = app.now();
    let entropy = app.entropy().for_id().map_err(|_| SimulationError::NotLogged)?;
    let mut trail = Trail::of_simulation(viewer, patient, began, entropy);
    let (permit, own_way) = match decide_to_simulate(gateway, viewer, patient, began) {
        Ok(decided) => decided,
        Err(denial) => {
            trail.withhold(&denial.reasons);
            end_without(gateway, trail, AuditOutcome::Denied).await?;
            return Err(SimulationError::Refused);
        }
    };
    let supposed = match &question.change {
        None => None,
        Some(change) => match app.suppose(patient, change, began).await {
            Ok(supposed) => Some(supposed),
            Err(error) => {
                end_without(gateway, trail, AuditOutcome::Failure).await?;
                return Err(error.into());
            }
        },
    };
    // A choice that begins now has begun only after it was made.
    let at = app.now();
    let would_be = supposed.as_ref().map(proviso_app::simulate::Supposed::live);
    let ways = app.ways_to(viewer, patient, &question.subjects, would_be, at);
    let ways = ways.ok_or(SimulationError::NoAnswer)?;
    let own = match &own_way {
        Some(way) => {
            let view = view_of(gateway, way, Hears::Everything).await;
            Some(view.map_err(|_| SimulationError::Refused)?)
        }
        None => None,
    };
    let mut eyes = Vec::with_capacity(ways.len());
    for one in &ways {
        eyes.push(Eyes::of(gateway, one, Hears::by(viewer)).await);
    }
    let look = Look { gateway, viewer, question, permit, own, eyes, labels: app.labels() };
    let found = look.find(&mut trail).await;
    let (records, next) = match found {
        Ok(found) => found,
        Err(error) => {
            trail.release_nothing();
            end_without(gateway, trail, AuditOutcome::Failure).await?;
            return Err(error);
        }
    };
    let subjects = ways.iter().map(|one| named(gateway, one)).collect();
    let line = Line { trail, outcome: AuditOutcome::Success, status: StatusCode::OK };
    let logged = record_decisions(gateway, &[line]).await;
    let (decision, _) =
        logged.ok().and_then(|named| named.into_iter().next()).ok_or(SimulationError::NotLogged)?;
    // P2: the right to look, and what was looked at, may end while we read and write.
    still_stands(&look, own_way.as_ref(), &ways)?;
    Ok(Simulated { patient: patient.clone(), at, decision, subjects, records, next })
}

/// Logs a look of which nothing is told.
async fn end_without(
    gateway: &Gateway,
    trail: Trail,
    outcome: AuditOutcome,
) -> Result<(), SimulationError> {
    let status = match outcome {
        AuditOutcome::Denied => StatusCode::FORBIDDEN,
        AuditOutcome::Success | AuditOutcome::Failure | AuditOutcome::Error => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    let line = Line { trail, outcome, status };
    record_line(gateway, &line).await.map_err(|_| SimulationError::NotLogged)
}

fn still_stands(
    look: &Look<'_>,
    own: Option<&Planned>,
    ways: &[SubjectWays],
) -> Result<(), SimulationError> {
    let Look { gateway, viewer, question, .. } = look;
    let (now, patient) = (gateway.app.now(), &question.patient);
    let Ok((_, plan)) = decide_to_simulate(gateway, *viewer, patient, now) else {
        return Err(SimulationError::Refused);
    };
    let same_own = match (own.map(|way| &way.plan), plan.map(|way| way.plan)) {
        (None, None) => true,
        (Some(Ok(made)), Some(Ok(plan))) => AccessPlan { at: made.at, ..plan } == *made,
        (Some(_) | None, Some(_) | None) => false,
    };
    let stand = gateway.app.ways_stand(*viewer, patient, &question.subjects, ways, now);
    let mut views = look.own.iter().chain(look.eyes.iter().flat_map(Eyes::views));
    let heard = views.all(|view| view.hearing().stands());
    if same_own && stand && heard { Ok(()) } else { Err(SimulationError::NoAnswer) }
}

fn named(gateway: &Gateway, ways: &SubjectWays) -> SimulatedSubject {
    let SubjectWays { who, before, after } = ways;
    let account = who.account.as_ref().map(|id| gateway.app.name_of_account(id));
    let (name, for_name) = match &who.client {
        Some(client) => (gateway.app.name_of_app(client), account),
        None => (account.unwrap_or_default(), None),
    };
    SimulatedSubject {
        who: who.clone(),
        name,
        for_name,
        refused: refusals(before),
        refused_after: refusals(after.as_ref().unwrap_or(before)),
    }
}

/// Why there is no way in at all, on the way that comes nearest; nothing where there is one.
fn refusals(ways: &[Planned]) -> Vec<ReasonCode> {
    if ways.iter().any(|way| way.plan.is_ok()) {
        return Vec::new();
    }
    let denials = ways.iter().filter_map(|way| way.plan.as_ref().err());
    let nearest = denials.min_by_key(|denial| denial.reasons.len());
    nearest.map(|denial| denial.reasons.clone()).unwrap_or_default()
}

/// Whether what consents on file say has a part in what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hears {
    Everything,
    /// What is on file may speak of what those who act for a patient may not know, and what it
    /// withholds from others would tell of it. They are told what could be seen at most.
    NothingOnFile,
}

impl Hears {
    const fn by(viewer: Viewer<'_>) -> Self {
        match viewer.capacity() {
            Capacity::Patient => Self::Everything,
            Capacity::Proxy | Capacity::LegalAuthority => Self::NothingOnFile,
        }
    }
}

async fn view_of(gateway: &Gateway, way: &Planned, hears: Hears) -> Result<View, Decision> {
    let mut plan = way.plan.clone()?;
    if hears == Hears::NothingOnFile {
        plan.filed = FiledRule::NotHeard;
    }
    let hearing = gateway.app.hearing_for(&way.request).await;
    Ok(View::new(&gateway.app, plan, hearing))
}

async fn views_of(
    gateway: &Gateway,
    ways: &[Planned],
    hears: Hears,
) -> Vec<Result<View, Decision>> {
    let mut views = Vec::with_capacity(ways.len());
    for way in ways {
        views.push(view_of(gateway, way, hears).await);
    }
    views
}

impl Eyes {
    async fn of(gateway: &Gateway, ways: &SubjectWays, hears: Hears) -> Self {
        Self {
            who: ways.who.clone(),
            before: views_of(gateway, &ways.before, hears).await,
            after: match &ways.after {
                Some(ways) => Some(views_of(gateway, ways, hears).await),
                None => None,
            },
        }
    }

    fn views(&self) -> impl Iterator<Item = &View> {
        self.before.iter().chain(self.after.iter().flatten()).filter_map(|view| view.as_ref().ok())
    }
}

/// What somebody's ways come to for one record. A record of a type that a plan does not offer is
/// judged all the same, so that everything is told that stands in the way.
fn judge_ways(ways: &[Result<View, Decision>], stored: &Stored) -> Verdict {
    let mut nearest: Option<Decision> = None;
    for way in ways {
        let decision = match way {
            Err(denial) => denial.clone(),
            Ok(view) => view.judge_stored(&Interaction::Read, stored).decision,
        };
        if is_nearer(&decision, nearest.as_ref()) {
            let permits = decision.is_permit();
            nearest = Some(decision);
            if permits {
                break;
            }
        }
    }
    let nearest = nearest.unwrap_or_else(|| Decision::deny(vec![ReasonCode::NoConsent]));
    Verdict { permitted: nearest.is_permit(), reasons: nearest.reasons }
}

impl Look<'_> {
    async fn find(&self, trail: &mut Trail) -> Result<Found, SimulationError> {
        if let Some((kind, id)) = &self.question.record {
            let upstream = self.gateway.upstream_of(*kind);
            let reading = upstream.read(&self.permit, *kind, id).await;
            let Reading::Live(mut stored) = reading.map_err(|_| SimulationError::NoAnswer)? else {
                return Err(SimulationError::NoRecord);
            };
            self.look_at_file(&mut Files::default(), &mut stored).await?;
            let names = patients_of(&stored).contains(&self.question.patient);
            let record = self.record(*kind, &stored, trail).filter(|_| names);
            return Ok((vec![record.ok_or(SimulationError::NoRecord)?], None));
        }
        let limit = self.question.limit.clamp(1, RECORDS_MAX);
        let most = self.gateway.settings.limits.scan_records_max;
        let (mut records, mut looked_at) = (Vec::new(), 0_usize);
        let mut files = Files::default();
        let after = self.question.after.as_ref();
        for kind in ResourceType::all().filter(|kind| !is_directory(*kind)) {
            if after.is_some_and(|(last, _)| kind < *last) {
                continue;
            }
            let (upstream, patient) = (self.gateway.upstream_of(kind), &self.question.patient);
            let found = upstream.about(&self.permit, patient, kind, most).await;
            let mut found = found.map_err(|refusal| no_answer(&refusal))?;
            for stored in &mut found {
                self.look_at_file(&mut files, stored).await?;
            }
            for stored in &found {
                let Some(id) = stored.doc.id() else { continue };
                if after.is_some_and(|last| (kind, id) <= (last.0, last.1.clone())) {
                    continue;
                }
                looked_at += 1;
                if looked_at.is_multiple_of(YIELD_EVERY) {
                    tokio::task::yield_now().await;
                }
                if records.len() == limit {
                    // What only others may see is no reason for another page.
                    if self.shows(stored).is_some() {
                        let last: Option<&SimulatedRecord> = records.last();
                        let next = last.map(|last| (last.resource_type, last.id.clone()));
                        return Ok((records, next));
                    }
                    continue;
                }
                records.extend(self.record(kind, stored, trail));
            }
        }
        Ok((records, None))
    }

    async fn look_at_file(
        &self,
        files: &mut Files,
        stored: &mut Stored,
    ) -> Result<(), SimulationError> {
        let gateway = self.gateway;
        let bounds = (gateway.base.as_str(), gateway.settings.limits.scan_records_max);
        let looked = files.look(&gateway.upstream, &self.permit, None, bounds, stored).await;
        looked.map_err(|refusal| no_answer(&refusal))
    }

    /// The facts of a record, if who looks may see it.
    fn shows(&self, stored: &Stored) -> Option<ResourceFacts> {
        // What was chosen, and in confidence, is told on pages of its own.
        let is_choice = stored.doc.resource_type() == Some(ResourceType::CONSENT);
        if is_choice && self.viewer.capacity() != Capacity::Patient {
            return None;
        }
        let facts = match (&self.own, self.viewer) {
            (Some(view), _) => {
                let judged = view.judge_stored(&Interaction::Read, stored);
                if judged.permits() { judged.facts } else { None }
            }
            (None, Viewer::Officer(_)) => facts_of(stored.doc.root(), stored.around, &self.labels),
            (None, Viewer::Person { .. }) => None,
        };
        facts.filter(|facts| facts.id.is_some())
    }

    fn record(
        &self,
        kind: ResourceType,
        stored: &Stored,
        trail: &mut Trail,
    ) -> Option<SimulatedRecord> {
        let facts = self.shows(stored)?;
        let id = facts.id.clone()?;
        trail.looked_through(&facts);
        let reader = self.viewer.capacity();
        let answer = |eyes: &Eyes| {
            let before = judge_ways(&eyes.before, stored);
            let after = self.question.change.as_ref().map(|_| match &eyes.after {
                Some(ways) => judge_ways(ways, stored),
                None => before.clone(),
            });
            Answered { before, after }
        };
        let answers = self
            .eyes
            .iter()
            .map(|eyes| may_be_told(&eyes.who, reader, &facts).then(|| answer(eyes)))
            .collect();
        Some(SimulatedRecord {
            resource_type: kind,
            id,
            categories: facts.categories,
            labels: facts.labels,
            period: facts.clinical_period,
            title: self.own.as_ref().and_then(|_| title_of(stored.doc.root())),
            answers,
        })
    }
}

fn no_answer(refusal: &Refusal) -> SimulationError {
    if refusal.problem == Problem::SearchTooCostly {
        SimulationError::TooMany
    } else {
        SimulationError::NoAnswer
    }
}

/// What a record is about, in its own words.
fn title_of(root: Node<'_>) -> Option<String> {
    let concepts = ["code", "medicationCodeableConcept", "vaccineCode", "type", "serviceType"];
    let title = concepts
        .iter()
        .find_map(|name| root.first(&[name]).and_then(words_of))
        .or_else(|| root.string_at(&["medicationReference", "display"]).map(Into::into))
        .or_else(|| root.string_at(&["class", "display"]).map(Into::into));
    title.map(|title| title.chars().take(WORDS_MAX).collect())
}
