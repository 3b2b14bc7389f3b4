//! Sixth verb: the entry is durable before the first byte leaves, or nothing leaves.
//!
//! Only this module makes an [`Audited`]. CRASH: if we stop after the entry is durable and before
//! the answer is sent, the log says that something was released which nobody received: the safe
//! side to be wrong on.

use http::StatusCode;
use proviso_app::caller::Caller;
use proviso_app::records::{Op, PreparedTransaction};
use proviso_core::audit::{AuditEntry, AuditOutcome};
use proviso_core::id::{AuditEntryId, DecisionId, RequestId};
use proviso_core::reason::ReasonCode;
use proviso_fhir::bundle::BundleType;

use crate::answer::Answer;
use crate::beat::may_tell;
use crate::bundle::in_one_bundle;
use crate::filter::{Filtered, Line, Outcome, Shape};
use crate::gateway::Gateway;
use crate::kept::{self, RequestKey};
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

/// Answers whose changes have been made, each together with its line in the log.
#[derive(Debug)]
pub struct Settled {
    request: RequestId,
    caller: Option<Caller>,
    outcomes: Vec<Ended>,
    bundle: Option<Together>,
}

/// How one interaction ended, and whether the log knows of it.
#[derive(Debug)]
struct Ended {
    /// Its position in a Bundle.
    index: usize,
    outcome: Outcome,
    recorded: bool,
}

/// What is said of a Bundle as a whole.
#[derive(Debug)]
struct Together {
    line: Line,
    recorded: bool,
    kind: BundleType,
}

impl Settled {
    fn of(filtered_of: (RequestId, Option<Caller>), outcome: Outcome, recorded: bool) -> Self {
        let (request, caller) = filtered_of;
        let outcomes = vec![Ended { index: 0, outcome, recorded }];
        Self { request, caller, outcomes, bundle: None }
    }

    /// The answers of a batch, in its order, each as it would have been by itself.
    pub(crate) fn batch(answers: Vec<Self>, trail: Trail) -> Self {
        let (request, caller) = (trail.request.clone(), trail.caller().cloned());
        let outcomes = answers.into_iter().flat_map(|answer| answer.outcomes).collect();
        let line = Line::of_bundle(trail);
        let bundle = Some(Together { line, recorded: false, kind: BundleType::BatchResponse });
        Self { request, caller, outcomes, bundle }
    }

    /// Adds the answer of a read of a transaction, at its position. A transaction that did not
    /// happen has none.
    pub(crate) fn and_read(mut self, index: usize, answer: Self) -> Self {
        self.outcomes.extend(answer.outcomes.into_iter().map(|read| Ended { index, ..read }));
        self.outcomes.sort_by_key(|ended| ended.index);
        self
    }

    /// How many of the answers could tell that something is not there.
    pub(crate) fn telling(&self) -> usize {
        self.outcomes.iter().filter(|ended| may_tell(ended.outcome.answer.status)).count()
    }

    /// Whether a transaction happened.
    pub(crate) fn is_bundle(&self) -> bool {
        self.bundle.is_some()
    }

    /// Which answers would not be given any more. A refusal keeps saying what it said: a token
    /// without a scope is not one that has ended.
    fn fallen(&self, gateway: &Gateway) -> Vec<usize> {
        let caller = self.caller.as_ref();
        let falls = |ended: &Ended| {
            is_answer(&ended.outcome) && !stands(gateway, caller, [&ended.outcome.line.trail])
        };
        let outcomes = self.outcomes.iter().enumerate();
        outcomes.filter(|(_, ended)| falls(ended)).map(|(place, _)| place).collect()
    }

    /// Takes answers back. In a batch each entry is on its own: what was done in another one stays
    /// done, and is told.
    fn withdraw(&mut self, fallen: &[usize]) {
        for place in fallen {
            if let Some(ended) = self.outcomes.get_mut(*place) {
                ended.outcome = withdrawn(&ended.outcome);
                ended.recorded = false;
            }
        }
    }

    /// The lines that the log does not have yet.
    fn pending(&self) -> Vec<Line> {
        let bundle = self.bundle.iter().filter(|bundle| !bundle.recorded);
        let ended = self.outcomes.iter().filter(|ended| !ended.recorded);
        bundle
            .map(|bundle| bundle.line.clone())
            .chain(ended.map(|ended| ended.outcome.line.clone()))
            .collect()
    }
}

/// Makes the changes of what was filtered, each together with its line: both, or neither. What
/// changes nothing passes as it is; its line is written when the whole answer is known.
pub async fn settle(gateway: &Gateway, filtered: Filtered) -> Settled {
    let (request, caller, shape) = filtered.into_parts();
    let of = (request, caller);
    match shape {
        Shape::Single(outcome) => settle_one(gateway, of, *outcome).await,
        Shape::Together { outcomes, prepared, keep, bundle } => {
            let prepared = prepared.map(|prepared| (prepared, keep));
            settle_together(gateway, of, outcomes, prepared, *bundle).await
        }
    }
}

async fn settle_one(
    gateway: &Gateway,
    of: (RequestId, Option<Caller>),
    mut outcome: Outcome,
) -> Settled {
    // The turn of a conditional change ends when this is dropped, after the commit.
    let mut prepared = outcome.prepared.take();
    let op = outcome.op.take();
    if prepared.is_none() && op.is_none() {
        return Settled::of(of, outcome, false);
    }
    // P2: nothing is changed under a choice that was stopped or narrowed while we read.
    if !stands(gateway, of.1.as_ref(), [&outcome.line.trail]) {
        return Settled::of(of, withdrawn(&outcome), false);
    }
    let mut ops: Vec<Op> = op.into_iter().map(|op| *op).collect();
    if let Some(prepared) = &mut prepared {
        ops.extend(prepared.take_ops());
        if let Some(key) = &outcome.keep {
            let made = kept::change_of(0, prepared).into_iter().collect();
            ops.push(key.keep(outcome.line.trail.at, made));
        }
    }
    match commit(gateway, ops, &[&outcome.line]).await {
        Ok(()) => {
            outcome.line.trail.has_filed();
            Settled::of(of, outcome, true)
        }
        Err(problem) => {
            let refused = Outcome::refused(outcome.line.trail, &problem.into());
            Settled::of(of, refused, false)
        }
    }
}

async fn settle_together(
    gateway: &Gateway,
    of: (RequestId, Option<Caller>),
    outcomes: Vec<(usize, Outcome)>,
    prepared: Option<(PreparedTransaction, Option<RequestKey>)>,
    bundle: Line,
) -> Settled {
    let recorded = prepared.is_some();
    if let Some((mut prepared, keep)) = prepared {
        let trails = outcomes.iter().map(|(_, own)| &own.line.trail);
        let problem = if stands(gateway, of.1.as_ref(), trails) {
            let lines: Vec<&Line> =
                std::iter::once(&bundle).chain(outcomes.iter().map(|(_, own)| &own.line)).collect();
            let mut ops = prepared.take_ops();
            if let Some(key) = keep {
                let places = outcomes.iter().map(|(index, _)| *index);
                let made = kept::changes_of(places.zip(&prepared.entries));
                ops.push(key.keep(bundle.trail.at, made));
            }
            commit(gateway, ops, &lines).await.err()
        } else {
            Some(Problem::TokenInvalid)
        };
        if let Some(problem) = problem {
            return Settled::of(of, Outcome::refused(bundle.trail, &problem.into()), false);
        }
    }
    let outcomes =
        outcomes.into_iter().map(|(index, outcome)| Ended { index, outcome, recorded }).collect();
    let kind = BundleType::TransactionResponse;
    let bundle = Some(Together { line: bundle, recorded, kind });
    let (request, caller) = of;
    Settled { request, caller, outcomes, bundle }
}

/// One commit: changes and the lines that tell of them.
async fn commit(gateway: &Gateway, ops: Vec<Op>, lines: &[&Line]) -> Result<(), Problem> {
    let written = entries_of(gateway, lines.iter().copied());
    let (entries, reviews) = written.map_err(|Unrecorded| Problem::AuditUnavailable)?;
    let ops: Vec<Op> = ops.into_iter().chain(reviews).collect();
    match gateway.app.commit_with(ops.into(), entries).await {
        Ok(_) => Ok(()),
        // Somebody else was faster: nothing was written, and that is the answer.
        Err(error) if error.precondition().is_some() => Err(Problem::Conflict),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "change not written");
            Err(Problem::AuditUnavailable)
        }
    }
}

/// Records every line that the log does not have, then makes sure that the permission still
/// stands.
pub async fn audit(gateway: &Gateway, mut settled: Settled, origin: Option<String>) -> Audited {
    let request = settled.request.clone();
    let allowed_origin = allowed_origin(gateway, settled.caller.as_ref(), origin);
    // P2: a consent that was revoked while we read is as good as one revoked before.
    let fallen = settled.fallen(gateway);
    settled.withdraw(&fallen);
    if let Err(Unrecorded) = record(gateway, &settled.pending()).await {
        tracing::error!(request = %request, "no audit entry, hence no answer");
        return Audited::refused(Problem::AuditUnavailable, request, allowed_origin);
    }
    // Writing the log takes time, and a permission may end meanwhile: asked once more, last.
    if !settled.fallen(gateway).is_empty() {
        let lines: Vec<Line> =
            settled.outcomes.iter().map(|ended| withdrawn(&ended.outcome).line).collect();
        let problem = match record(gateway, &lines).await {
            Ok(()) => Problem::TokenInvalid,
            Err(Unrecorded) => Problem::AuditUnavailable,
        };
        return Audited::refused(problem, request, allowed_origin);
    }
    let mut answers = settled.outcomes.into_iter().map(|ended| ended.outcome.answer);
    let answer = match settled.bundle {
        Some(bundle) => {
            let answers: Vec<Answer> = answers.collect();
            let notice = answers.iter().find_map(|answer| answer.notice.clone());
            let bytes = in_one_bundle(&gateway.base, bundle.kind, answers);
            Answer { notice, ..Answer::new(StatusCode::OK, bytes) }
        }
        None => match answers.next() {
            Some(answer) => answer,
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

/// Whether the access of an authenticated caller is still what it was when each of these was
/// carried out: neither ended nor narrowed, by the patient or by the organisation. A request
/// without a caller has nothing to lose.
fn stands<'a>(
    gateway: &Gateway,
    caller: Option<&Caller>,
    trails: impl IntoIterator<Item = &'a Trail>,
) -> bool {
    let Some(caller) = caller else { return true };
    let now = gateway.app.now();
    trails.into_iter().all(|trail| match trail.made() {
        Some(made) => {
            trail.hearing().is_none_or(|hearing| hearing.stands())
                && gateway.app.plan_stands(caller, made, now)
        }
        None => gateway.app.still_in_force(caller, now),
    })
}

fn is_answer(outcome: &Outcome) -> bool {
    let status = outcome.answer.status;
    status.is_success() || status == StatusCode::NOT_MODIFIED
}

fn withdrawn(outcome: &Outcome) -> Outcome {
    let refusal = Refusal::from(Problem::TokenInvalid).because(&[ReasonCode::ConsentNotInForce]);
    let mut refused = Outcome::refused(outcome.line.trail.clone(), &refusal);
    refused.line.outcome = AuditOutcome::Denied;
    refused
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

/// The log cannot be written; nothing may leave.
pub(crate) struct Unrecorded;

/// Records one line by itself.
pub(crate) async fn record_line(gateway: &Gateway, line: &Line) -> Result<(), Unrecorded> {
    record(gateway, core::slice::from_ref(line)).await
}

async fn record(gateway: &Gateway, lines: &[Line]) -> Result<(), Unrecorded> {
    if lines.is_empty() {
        return Ok(());
    }
    let (entries, reviews) = entries_of(gateway, lines)?;
    write(gateway, entries, reviews).await
}

async fn write(
    gateway: &Gateway,
    entries: Vec<AuditEntry>,
    reviews: Vec<Op>,
) -> Result<(), Unrecorded> {
    match gateway.app.commit_with(reviews.into(), entries).await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "audit entry not written");
            Err(Unrecorded)
        }
    }
}

/// Writes decisions that were asked for, all or none, and gives their names and digests.
pub(crate) async fn record_decisions(
    gateway: &Gateway,
    lines: &[Line],
) -> Result<Vec<(DecisionId, Option<String>)>, Unrecorded> {
    let (entries, reviews) = entries_of(gateway, lines)?;
    let named = entries
        .iter()
        .filter(|entry| !entry.is_second_entry())
        .map(|entry| Some((entry.decision.clone()?, entry.digest.clone())))
        .collect::<Option<Vec<_>>>()
        .ok_or(Unrecorded)?;
    write(gateway, entries, reviews).await.map(|()| named)
}

/// The entries of lines: one each, a second one for what was done under emergency access or is to be
/// written twice, and the reviews that open with them. What is only about to be asked of an upstream
/// was not done yet.
fn entries_of<'a>(
    gateway: &Gateway,
    lines: impl IntoIterator<Item = &'a Line>,
) -> Result<(Vec<AuditEntry>, Vec<Op>), Unrecorded> {
    let (mut entries, mut reviews) = (Vec::new(), Vec::new());
    for line in lines {
        let mut first = entry(gateway, line)?;
        if line.status == StatusCode::PROCESSING {
            first.noticed.clear();
            entries.push(first);
            continue;
        }
        let entropy = gateway.app.entropy().for_id().map_err(|_| Unrecorded)?;
        let second = AuditEntryId::generate(line.trail.at, entropy);
        let second = line.trail.second_entry(&first, second);
        reviews.extend(line.trail.review(&first).map(Op::PutAccessReviewVersion));
        entries.push(first);
        entries.extend(second);
    }
    Ok((entries, reviews))
}

fn entry(gateway: &Gateway, line: &Line) -> Result<AuditEntry, Unrecorded> {
    let entropy = || gateway.app.entropy().for_id().map_err(|_| Unrecorded);
    let id = AuditEntryId::generate(line.trail.at, entropy()?);
    let decision = DecisionId::generate(line.trail.at, entropy()?);
    let status = line.status.as_u16();
    line.trail.entry(id, decision, line.outcome, status).map_err(|_| Unrecorded)
}
