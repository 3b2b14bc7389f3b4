//! Decisions about others, for enforcement points that the organisation runs: the verbs of the
//! pipeline, for a question instead of a request.
//!
//! From `decide` on everything is as for a FHIR request: the permit comes from `decide`, the
//! upstream does nothing without it, the record is judged by the same view, and the entry is durable
//! before the answer leaves. No record leaves.

use std::collections::BTreeSet;

use http::StatusCode;
use proviso_app::access::Planned;
use proviso_app::evaluation::{
    Asker, Asking, Evaluated, EvaluationError, EvaluationSubject, Evaluations, Question,
    ResourcePage, ResourceQuestion,
};
use proviso_core::audit::AuditOutcome;
use proviso_core::category::PurposeOfUse;
use proviso_core::decision::explain::{CallerTold, Explanation};
use proviso_core::decision::{AccessPlan, Belonging, Decision};
use proviso_core::id::PatientId;
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_fhir::compartment::belonging;
use proviso_fhir::search::{Context, Query, SearchScope};

use crate::audit::record_decisions;
use crate::cursor::{Binding, Point, Position};
use crate::decide::{Permit, decide_to_evaluate, is_server_owned, is_write, needs_whole};
use crate::filter::Line;
use crate::gateway::Gateway;
use crate::trail::Trail;
use crate::upstream::files::Files;
use crate::upstream::scan::{Scanned, Search};
use crate::upstream::{Reading, Stored};
use crate::view::{View, judge_before};

impl Evaluations for Gateway {
    fn evaluate<'a>(
        &'a self,
        asker: Asker<'a>,
        questions: &'a [Question],
        stop: fn(&Decision) -> bool,
    ) -> Asking<'a, Vec<Evaluated>> {
        Box::pin(async move {
            let mut lines = Vec::new();
            let mut answers = Vec::new();
            let mut permitted = Vec::new();
            for question in questions {
                let (decided, trail, patients) = decide_one(self, asker, question).await?;
                if let (true, Some(made)) = (decided.decision.is_permit(), trail.made()) {
                    let hearing = trail.hearing().cloned();
                    permitted.push((question, patients, made.clone(), hearing));
                }
                let permits = decided.decision.is_permit();
                let outcome = if permits { AuditOutcome::Success } else { AuditOutcome::Denied };
                lines.push(Line { trail, outcome, status: StatusCode::OK });
                let enough = stop(&decided.decision);
                answers.push(decided);
                if enough {
                    break;
                }
            }
            let named =
                record_decisions(self, &lines).await.map_err(|_| EvaluationError::NotLogged)?;
            // Writing the log takes time, and the right to ask may end meanwhile.
            if !self.app.may_still_evaluate(asker, self.app.now()) {
                return Err(EvaluationError::NoAnswer);
            }
            // P2: so may what was permitted, while we read and wrote. Then there is no answer.
            for (question, patients, made, hearing) in &permitted {
                let Question { subject, purpose, .. } = question;
                let heard = hearing.as_ref().is_none_or(|hearing| hearing.stands());
                if !heard || !still_made(self, subject, *purpose, patients, made) {
                    return Err(EvaluationError::NoAnswer);
                }
            }
            let with_name = |(decided, (id, digest)): (Decided, _)| Evaluated {
                told: decided.told,
                consent: decided.consent,
                decision: decided.decision,
                id,
                digest,
                explanation: decided.explanation,
            };
            Ok(answers.into_iter().zip(named).map(with_name).collect())
        })
    }

    fn find<'a>(
        &'a self,
        asker: Asker<'a>,
        question: &'a ResourceQuestion,
    ) -> Asking<'a, ResourcePage> {
        Box::pin(find(self, asker, question))
    }
}

/// A decision that has no name yet.
struct Decided {
    decision: Decision,
    told: CallerTold,
    consent: Option<proviso_core::id::ConsentId>,
    explanation: Option<Explanation>,
}

fn begin(
    gateway: &Gateway,
    asker: Asker<'_>,
    action: &'static str,
) -> Result<(Trail, Permit), EvaluationError> {
    let entropy = gateway.app.entropy().for_id().map_err(|_| EvaluationError::NotLogged)?;
    let trail = Trail::of_evaluation(asker, action, gateway.app.now(), entropy);
    let permit = decide_to_evaluate(gateway, asker, &trail)?;
    Ok((trail, permit))
}

async fn decide_one(
    gateway: &Gateway,
    asker: Asker<'_>,
    question: &Question,
) -> Result<(Decided, Trail, BTreeSet<PatientId>), EvaluationError> {
    let (mut trail, permit) = begin(gateway, asker, "evaluate")?;
    trail.interaction = Some(question.interaction.clone());
    trail.resource_type = Some(question.resource_type);
    let upstream = gateway.upstream_of(question.resource_type);
    let reading = upstream.read(&permit, question.resource_type, &question.id).await;
    let stored = match reading.map_err(|_| EvaluationError::NoAnswer)? {
        Reading::Live(mut stored) => {
            let bounds = (gateway.base.as_str(), gateway.settings.limits.scan_records_max);
            let looked = Files::default().look(upstream, &permit, None, bounds, &mut stored).await;
            looked.map_err(|_| EvaluationError::NoAnswer)?;
            Some(stored)
        }
        // What is not there is decided as a request whose record nobody can judge: a denial.
        Reading::Deleted { .. } | Reading::Absent => None,
    };
    let patients = stored.as_ref().map(patients_of).unwrap_or_default();
    // After the read: what ended meanwhile is not in force.
    let at = gateway.app.now();
    gateway.app.renew_subject(&question.subject, at).await;
    let ways = gateway.app.ways_in(&question.subject, question.purpose, &patients, at);
    let offered = ways.iter().any(|way| {
        let plan = way.plan.as_ref();
        plan.is_ok_and(|plan| plan.offers(&question.interaction, question.resource_type))
    });
    let mut decided = judge_ways(gateway, question, ways, stored.as_ref(), &mut trail).await;
    decided.told = told(question, &decided, offered);
    // A tree that does not say what was decided would mislead.
    decided.explanation = trail.explanation(&gateway.app).filter(|tree| {
        tree.effect == decided.decision.effect && tree.reasons == decided.decision.reasons
    });
    Ok((decided, trail, patients))
}

/// What of a decision the one who would act may be told: nothing that depends on the record.
///
/// The ways of a patient or proxy are found by the patients that the record names, so that none of
/// their refusals may be told apart.
fn told(question: &Question, decided: &Decided, offered: bool) -> CallerTold {
    if decided.decision.is_permit() {
        return CallerTold::Permitted;
    }
    let by_record = matches!(question.subject, EvaluationSubject::Account(_));
    match decided.told {
        CallerTold::MayNotAsk(reason) if !offered && !by_record => CallerTold::MayNotAsk(reason),
        CallerTold::MayNotAsk(_) | CallerTold::NothingToSee | CallerTold::Permitted => {
            CallerTold::NothingToSee
        }
    }
}

/// Whether one of the ways in that a subject has now is the one by which something was permitted.
fn still_made(
    gateway: &Gateway,
    subject: &EvaluationSubject,
    purpose: Option<PurposeOfUse>,
    patients: &BTreeSet<PatientId>,
    made: &AccessPlan,
) -> bool {
    let ways = gateway.app.ways_in(subject, purpose, patients, gateway.app.now());
    ways.into_iter()
        .filter_map(|way| way.plan.ok())
        .any(|now| AccessPlan { at: made.at, ..now } == *made)
}

/// The first way that permits; otherwise the way in which least stood against it.
async fn judge_ways(
    gateway: &Gateway,
    question: &Question,
    ways: Vec<Planned>,
    stored: Option<&Stored>,
    trail: &mut Trail,
) -> Decided {
    let mut closest: Option<(Decided, Trail)> = None;
    for way in ways {
        let mut own = trail.clone();
        let decided = judge_way(gateway, question, way, stored, &mut own).await;
        let known = closest.as_ref().map(|(known, _)| &known.decision);
        if is_nearer(&decided.decision, known) {
            let permits = decided.decision.is_permit();
            closest = Some((decided, own));
            if permits {
                break;
            }
        }
    }
    let Some((decided, own)) = closest else {
        trail.withhold(&[ReasonCode::NoConsent]);
        return Decided {
            decision: Decision::deny(vec![ReasonCode::NoConsent]),
            told: CallerTold::MayNotAsk(ReasonCode::NoConsent),
            consent: None,
            explanation: None,
        };
    };
    *trail = own;
    decided
}

async fn judge_way(
    gateway: &Gateway,
    question: &Question,
    way: Planned,
    stored: Option<&Stored>,
    trail: &mut Trail,
) -> Decided {
    trail.asked_of(&way);
    let plan = match way.plan {
        Ok(plan) => plan,
        Err(decision) => {
            trail.withhold(&decision.reasons);
            // No record had a part in it, so it may be told.
            let reason = decision.reasons.first().copied().unwrap_or(ReasonCode::FactMissing);
            return Decided {
                decision,
                told: CallerTold::MayNotAsk(reason),
                consent: None,
                explanation: None,
            };
        }
    };
    let hearing = gateway.app.hearing_for(&way.request).await;
    let view = View::new(&gateway.app, plan, hearing);
    trail.planned(&view);
    let plan = view.plan();
    let consent = plan.consent.as_ref().map(|(id, _)| id.clone());
    // As a request would find it: some types only this server writes, and a patch tells what it met.
    let owned = is_write(&question.interaction) && is_server_owned(question.resource_type)
        || needs_whole(&question.interaction) && view.sees_in_part(question.resource_type);
    if owned || !plan.offers(&question.interaction, question.resource_type) {
        trail.not_offered(&question.interaction, question.resource_type);
        trail.withhold(&[ReasonCode::ScopeMissing]);
        return Decided {
            decision: Decision::deny(vec![ReasonCode::ScopeMissing]),
            told: CallerTold::MayNotAsk(ReasonCode::ScopeMissing),
            consent,
            explanation: None,
        };
    }
    let Some(stored) = stored else {
        trail.withhold(&[ReasonCode::FactMissing]);
        let decision = Decision::deny(vec![ReasonCode::FactMissing]);
        return Decided { decision, told: CallerTold::NothingToSee, consent, explanation: None };
    };
    let judge = |interaction: &Interaction| view.judge_stored(interaction, stored);
    let judged = judge_before(&question.interaction, None, judge);
    trail.note(&judged);
    if judged.permits() {
        trail.oblige(&judged);
    } else {
        trail.withhold(&judged.decision.reasons);
    }
    let told = if judged.permits() { CallerTold::Permitted } else { CallerTold::NothingToSee };
    Decided { decision: judged.decision, told, consent, explanation: None }
}

/// Whether a decision comes nearer to a permit than what is known: of several ways, the first that
/// permits counts, and otherwise the one in which least stood in the way.
pub(crate) fn is_nearer(decision: &Decision, known: Option<&Decision>) -> bool {
    known.is_none_or(|known| decision.is_permit() || decision.reasons.len() < known.reasons.len())
}

pub(crate) fn patients_of(stored: &Stored) -> BTreeSet<PatientId> {
    match belonging(stored.doc.root()) {
        Belonging::Patients(patients) => patients,
        Belonging::Directory | Belonging::Unknown => BTreeSet::new(),
    }
}

/// Lists the records of one way in after the other; a token says which way, and where in it.
async fn find(
    gateway: &Gateway,
    asker: Asker<'_>,
    question: &ResourceQuestion,
) -> Result<ResourcePage, EvaluationError> {
    let (mut trail, permit) = begin(gateway, asker, "find")?;
    trail.interaction = Some(question.interaction.clone());
    trail.resource_type = Some(question.resource_type);
    let patients = match &question.subject {
        EvaluationSubject::Account(account) => gateway.app.patients_of_account(account),
        EvaluationSubject::App { .. } | EvaluationSubject::Grant(_) => BTreeSet::new(),
    };
    gateway.app.renew_subject(&question.subject, trail.at).await;
    let ways = gateway.app.ways_in(&question.subject, question.purpose, &patients, trail.at);
    let (start, cursor) = match &question.token {
        None => (0, None),
        Some(token) => {
            let (way, cursor) = token.split_once('.').ok_or(EvaluationError::Token)?;
            let way = way.parse::<usize>().map_err(|_| EvaluationError::Token)?;
            (way, Some(cursor).filter(|cursor| !cursor.is_empty()))
        }
    };
    let mut page = ResourcePage::default();
    // One way for each page, so that a page costs one search.
    if let Some(way) = ways.into_iter().nth(start) {
        let mut next = Some(format!("{}.", start + 1));
        trail.asked_of(&way);
        if let Ok(plan) = way.plan
            && plan.offers(&question.interaction, question.resource_type)
        {
            let hearing = gateway.app.hearing_for(&way.request).await;
            let view = View::new(&gateway.app, plan, hearing);
            trail.planned(&view);
            let found =
                find_in(gateway, asker, question, &view, &permit, (start, cursor), &mut trail);
            let (ids, more) = found.await?;
            page.ids = ids;
            next = more.or(next);
        }
        page.next = next;
    }
    let line = Line { trail, outcome: AuditOutcome::Success, status: StatusCode::OK };
    let (made, hearing) = (line.trail.made().cloned(), line.trail.hearing().cloned());
    record_decisions(gateway, &[line]).await.map_err(|_| EvaluationError::NotLogged)?;
    // P2: the right to ask, and what was permitted, may end while we read and write.
    let ResourceQuestion { subject, purpose, .. } = question;
    let stands = made.is_none_or(|made| still_made(gateway, subject, *purpose, &patients, &made))
        && hearing.is_none_or(|hearing| hearing.stands());
    if !stands || !gateway.app.may_still_evaluate(asker, gateway.app.now()) {
        return Err(EvaluationError::NoAnswer);
    }
    Ok(page)
}

async fn find_in(
    gateway: &Gateway,
    asker: Asker<'_>,
    question: &ResourceQuestion,
    view: &View,
    permit: &Permit,
    (way, cursor): (usize, Option<&str>),
    trail: &mut Trail,
) -> Result<(Vec<proviso_core::id::ResourceId>, Option<String>), EvaluationError> {
    // Pages are read by enforcement points only.
    let caller = asker.caller.ok_or(EvaluationError::NoAnswer)?;
    let path = format!("evaluate/{way}/{}", question.resource_type);
    let binding = Binding {
        client: &caller.client,
        grant: &caller.grant,
        plan: view.fingerprint().ok_or(EvaluationError::NoAnswer)?,
        path: &path,
    };
    let point = match cursor {
        None => Point::default(),
        Some(text) => {
            let opened = gateway.cursors.open(&binding, text, trail.at);
            opened.map_err(|_| EvaluationError::Token)?.point
        }
    };
    let context = Context { own_base: &gateway.base, at: trail.at };
    let scope = SearchScope::Type(question.resource_type);
    let query = Query::parse(&context, scope, &[""]).map_err(|_| EvaluationError::NoAnswer)?;
    let search = Search {
        permit,
        view,
        interaction: &question.interaction,
        query: &query,
        raw: "",
        own_base: &gateway.base,
        point,
        count: question.limit,
        most: gateway.settings.limits.scan_records_max,
    };
    let upstream = gateway.upstream_of(question.resource_type);
    let found = upstream.search(&search).await.map_err(|_| EvaluationError::NoAnswer)?;
    let Scanned { entries, withheld, next, .. } = found;
    let mut ids = Vec::with_capacity(entries.len());
    for entry in &entries {
        let judged = view.judge_stored(&question.interaction, &entry.stored);
        if judged.permits() {
            trail.note(&judged);
            ids.extend(entry.stored.doc.id());
        }
    }
    trail.withhold_found(&withheld);
    let more = match next {
        None => None,
        Some(point) => {
            let position = Position { query: String::new(), point };
            let entropy = gateway.app.entropy();
            let sealed = gateway.cursors.seal(&binding, &position, trail.at, entropy);
            Some(format!("{way}.{}", sealed.map_err(|_| EvaluationError::NoAnswer)?))
        }
    };
    Ok((ids, more))
}
