//! Sixth verb: the entry is durable before the first byte leaves, or nothing leaves.
//!
//! Only this module makes an [`Audited`]. CRASH: if we stop after the entry is durable and before
//! the answer is sent, the log says that something was released which nobody received: the safe
//! side to be wrong on.

use http::StatusCode;
use proviso_app::caller::Caller;
use proviso_core::audit::{AuditEntry, AuditOutcome};
use proviso_core::id::{AuditEntryId, DecisionId, RequestId};
use proviso_core::reason::ReasonCode;

use crate::answer::Answer;
use crate::bundle::batch_response;
use crate::filter::{Filtered, Line, Outcome, Shape};
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::trail::Trail;

/// An answer that the log knows of.
#[derive(Debug)]
pub struct Audited {
    answer: Answer,
    request: RequestId,
    allowed_origin: Option<String>,
}

impl Audited {
    pub(crate) fn into_parts(self) -> (Answer, RequestId, Option<String>) {
        (self.answer, self.request, self.allowed_origin)
    }

    fn refused(problem: Problem, request: RequestId, allowed_origin: Option<String>) -> Self {
        let answer = Answer::refusing(&Refusal::from(problem), &request);
        Self { answer, request, allowed_origin }
    }
}

/// Makes changes and records every line, then makes sure that the permission still stands.
pub async fn audit(gateway: &Gateway, filtered: Filtered, origin: Option<String>) -> Audited {
    let (request, caller, shape) = filtered.into_parts();
    let allowed_origin = allowed_origin(gateway, caller.as_ref(), origin);
    let (mut outcomes, bundle) = match shape {
        Shape::Single(outcome) => (vec![*outcome], None),
        Shape::Batch { outcomes, bundle } => (outcomes, Some(bundle)),
    };
    // P2: a consent that was revoked while we read is as good as one revoked before, and nothing
    // is changed under it.
    if !stands(gateway, caller.as_ref()) {
        outcomes = outcomes.into_iter().map(withdrawn).collect();
    }
    let recorded = record_all(gateway, &mut outcomes, bundle.as_deref()).await;
    if let Err(Unrecorded) = recorded {
        tracing::error!(request = %request, "no audit entry, hence no answer");
        return Audited::refused(Problem::AuditUnavailable, request, allowed_origin);
    }
    // Writing the log takes time, and a permission may end meanwhile: asked once more, last.
    if !stands(gateway, caller.as_ref()) {
        let lines: Vec<Line> =
            outcomes.into_iter().map(|outcome| withdrawn(outcome).line).collect();
        let problem = match record(gateway, &lines).await {
            Ok(()) => Problem::TokenInvalid,
            Err(Unrecorded) => Problem::AuditUnavailable,
        };
        return Audited::refused(problem, request, allowed_origin);
    }
    let answer = match bundle {
        Some(_) => {
            let answers = outcomes.into_iter().map(|outcome| outcome.answer).collect();
            Answer::new(StatusCode::OK, batch_response(&gateway.base, answers))
        }
        None => match outcomes.pop() {
            Some(outcome) => outcome.answer,
            None => Answer::refusing(&Problem::Unavailable.into(), &request),
        },
    };
    Audited { answer, request, allowed_origin }
}

/// Records that a change is about to be asked of an upstream by URL.
pub(crate) async fn record_intent(gateway: &Gateway, trail: &Trail) -> Result<(), Refusal> {
    let line = Line {
        trail: trail.clone(),
        outcome: AuditOutcome::Success,
        status: StatusCode::PROCESSING,
    };
    record(gateway, &[line]).await.map_err(|Unrecorded| Problem::AuditUnavailable.into())
}

/// Fetch: the answer is for pages of the token's own app, and no other page may read it.
fn allowed_origin(
    gateway: &Gateway,
    caller: Option<&Caller>,
    origin: Option<String>,
) -> Option<String> {
    let client = gateway.app.live().client(&caller?.client)?;
    origin.filter(|origin| client.origins.contains(origin))
}

/// Whether the access of an authenticated caller is still in force; a request without one has
/// nothing to lose.
fn stands(gateway: &Gateway, caller: Option<&Caller>) -> bool {
    caller.is_none_or(|caller| gateway.app.still_in_force(caller, gateway.app.now()))
}

fn withdrawn(outcome: Outcome) -> Outcome {
    if !outcome.answer.status.is_success() && outcome.answer.status != StatusCode::NOT_MODIFIED {
        return outcome;
    }
    let refusal = Refusal::from(Problem::TokenInvalid).because(&[ReasonCode::ConsentNotInForce]);
    let mut refused = Outcome::refused(outcome.line.trail, &refusal);
    refused.line.outcome = AuditOutcome::Denied;
    refused
}

/// Every change together with its line, then all other lines at once.
async fn record_all(
    gateway: &Gateway,
    outcomes: &mut [Outcome],
    bundle: Option<&Line>,
) -> Result<(), Unrecorded> {
    let mut lines: Vec<Line> = bundle.into_iter().cloned().collect();
    for outcome in outcomes {
        let ops = outcome.prepared.take().map(|mut prepared| (prepared.take_ops(), prepared));
        let Some((ops, _turn)) = ops else {
            lines.push(outcome.line.clone());
            continue;
        };
        let entry = entry(gateway, &outcome.line)?;
        match gateway.app.commit(ops.into(), entry).await {
            Ok(_) => {}
            // Somebody else was faster: nothing was written, and that is the answer.
            Err(error) if error.precondition().is_some() => {
                let trail = outcome.line.trail.clone();
                *outcome = Outcome::refused(trail, &Problem::Conflict.into());
                lines.push(outcome.line.clone());
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "change not written");
                return Err(Unrecorded);
            }
        }
    }
    record(gateway, &lines).await
}

/// A refusal at the door. It was made before anybody was asked for, from sizes and counts alone,
/// and carries fixed words only; recording each would let strangers fill the log.
pub(crate) fn unrecorded(refusal: &Refusal, request: RequestId) -> Audited {
    let answer = Answer::refusing(refusal, &request);
    tracing::info!(request = %request, code = refusal.problem.code(), "refused at the door");
    Audited { answer, request, allowed_origin: None }
}

/// A document that is the same for everybody and says nothing of any patient.
pub(crate) fn public_document(
    body: Vec<u8>,
    request: RequestId,
    origin: Option<String>,
) -> Audited {
    Audited { answer: Answer::new(StatusCode::OK, body), request, allowed_origin: origin }
}

struct Unrecorded;

async fn record(gateway: &Gateway, lines: &[Line]) -> Result<(), Unrecorded> {
    if lines.is_empty() {
        return Ok(());
    }
    let entries = lines.iter().map(|line| entry(gateway, line)).collect::<Result<Vec<_>, _>>()?;
    match gateway.app.append_audits(entries).await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "audit entry not written");
            Err(Unrecorded)
        }
    }
}

fn entry(gateway: &Gateway, line: &Line) -> Result<AuditEntry, Unrecorded> {
    let entropy = || gateway.app.entropy().for_id().map_err(|_| Unrecorded);
    let id = AuditEntryId::generate(line.trail.at, entropy()?);
    let decision = DecisionId::generate(line.trail.at, entropy()?);
    Ok(line.trail.entry(id, decision, line.outcome, line.status.as_u16()))
}
