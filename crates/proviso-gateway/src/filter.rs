//! Fifth verb: every resource is judged again, on its own, as it would leave.
//!
//! The upstream was asked for no more than the view holds; that is the first layer. This is the
//! second, and the one that counts. When the two disagree on a page, something is wrong with one
//! of them: the page is dropped and an alarm is raised. Bytes that stay are not touched.
//!
//! Security labels in `meta.security` leave with their resource: a resource is released only if
//! each of its sensitive kinds was named to this caller, who may therefore know of the label.

use std::borrow::Cow;

use http::StatusCode;
use proviso_app::caller::Caller;
use proviso_app::records::{Op, Prepared, PreparedTransaction};
use proviso_core::account::ActorKind;
use proviso_core::audit::AuditOutcome;
use proviso_core::id::RequestId;
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_fhir::json::write::object;
use proviso_fhir::outcome::{Issue, IssueCode, OperationOutcome, Severity};
use proviso_fhir::validate::Fault;

use crate::answer::Answer;
use crate::bundle;
use crate::classify::{Meta, Return};
use crate::cursor::{Binding, Position};
use crate::decide::{Parts, Permitted};
use crate::file;
use crate::forward::{
    Carried, Change, Forwarded, ForwardedParts, ForwardedTogether, Found, HistoryEntry,
    HistoryPage, Page, PageEntry, Written,
};
use crate::gateway::Gateway;
use crate::kept::RequestKey;
use crate::notice::Notice;
use crate::problem::{Problem, Refusal};
use crate::stop::Stopped;
use crate::trail::Trail;
use crate::upstream::{Reading, Stored};

/// An answer that holds nothing its caller may not see, and what the log will say of it.
#[derive(Debug)]
pub struct Filtered {
    request: RequestId,
    caller: Option<Caller>,
    shape: Shape,
}

impl Filtered {
    pub(crate) fn into_parts(self) -> (RequestId, Option<Caller>, Shape) {
        (self.request, self.caller, self.shape)
    }

    /// The status of a single answer.
    pub(crate) fn status(&self) -> StatusCode {
        match &self.shape {
            Shape::Single(outcome) => outcome.answer.status,
            Shape::Together { .. } => StatusCode::OK,
        }
    }

    /// The body of a single answer that is none of a refusal.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        match &self.shape {
            Shape::Single(outcome) => {
                outcome.answer.status.is_success().then_some(outcome.answer.body.as_slice())
            }
            Shape::Together { .. } => None,
        }
    }
}

/// One answer, or those of the changes of a transaction.
#[derive(Debug)]
pub(crate) enum Shape {
    Single(Box<Outcome>),
    Together {
        /// By their position in the Bundle.
        outcomes: Vec<(usize, Outcome)>,
        prepared: Option<PreparedTransaction>,
        /// The key under which what is done is to be kept.
        keep: Option<RequestKey>,
        bundle: Box<Line>,
    },
}

/// How one interaction ended: the answer, its line in the log, and the change that is still to be
/// made together with that line.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) line: Line,
    pub(crate) prepared: Option<Prepared>,
    /// What is to be made that is no record.
    pub(crate) op: Option<Box<Op>>,
    /// The key under which what is done is to be kept.
    pub(crate) keep: Option<RequestKey>,
}

/// One entry-to-be of the log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) trail: Trail,
    pub(crate) outcome: AuditOutcome,
    pub(crate) status: StatusCode,
}

impl Line {
    /// The line of a Bundle itself.
    pub(crate) fn of_bundle(trail: Trail) -> Self {
        Self { trail, outcome: AuditOutcome::Success, status: StatusCode::OK }
    }
}

impl Outcome {
    fn new(answer: Answer, trail: Trail, outcome: AuditOutcome) -> Self {
        let line = Line { status: answer.status, trail, outcome };
        Self { answer, line, prepared: None, op: None, keep: None }
    }

    /// The same interaction, refused after all.
    pub(crate) fn refused(mut trail: Trail, refusal: &Refusal) -> Self {
        trail.release_nothing();
        trail.reasons.extend(refusal.reasons.iter().copied());
        let outcome = if trail.is_of_former_caller() {
            AuditOutcome::Denied
        } else {
            outcome_of(refusal.problem, trail.withheld > 0)
        };
        Self::new(Answer::refusing(refusal, &trail.request), trail, outcome)
    }
}

/// Judges what was found and makes the answer of what remains.
pub fn filter(gateway: &Gateway, forwarded: Forwarded) -> Result<Filtered, Stopped> {
    judge(gateway, forwarded).map(single)
}

/// Judges the changes of a transaction: one that may not be, and none of them is.
pub fn filter_together(
    gateway: &Gateway,
    forwarded: ForwardedTogether,
) -> Result<(Filtered, Vec<(usize, Permitted)>), Stopped> {
    let ForwardedParts { changes, reads, prepared, bundle, keep } = forwarded.into_parts();
    let mut outcomes = Vec::with_capacity(changes.len());
    for (index, change) in changes {
        let outcome = judge(gateway, change).map_err(|stopped| stopped.in_entry(index))?;
        outcomes.push((index, outcome));
    }
    let (request, caller) = (bundle.request.clone(), bundle.caller().cloned());
    let bundle = Box::new(Line::of_bundle(bundle));
    let shape = Shape::Together { outcomes, prepared, keep, bundle };
    Ok((Filtered { request, caller, shape }, reads))
}

fn judge(gateway: &Gateway, forwarded: Forwarded) -> Result<Outcome, Stopped> {
    let (mut parts, found) = forwarded.into_parts();
    let (mut prepared, mut op) = (None, None);
    let result = match found {
        Found::One(reading) => one(&mut parts, reading),
        Found::Page(page) => self::page(gateway, &mut parts, page),
        Found::History(page) => history(gateway, &mut parts, page),
        Found::Written(written) => self::written(&mut parts, *written, &mut prepared),
        Found::NothingToDelete => Ok(Answer::new(StatusCode::NO_CONTENT, Vec::new())),
        Found::Validated(faults) => Ok(validated(&parts, &faults)),
        Found::Subscription(done) => {
            op = done.op.map(Box::new);
            Ok(Answer {
                version: done.version.map(|version| version.to_string()),
                last_modified: done.at,
                location: done.location,
                ..Answer::new(done.status, done.body)
            })
        }
    };
    let result = result.and_then(|answer| {
        // Without a body nothing is disclosed, and a notice would tell what the record is about.
        let notice =
            if answer.body.is_empty() { None } else { Notice::for_what_leaves(gateway, &parts)? };
        Ok(Answer { notice, ..answer })
    });
    let Parts { caller, trail, kept, .. } = parts;
    match result.and_then(|answer| within_budget(gateway, &caller, &trail).map(|()| answer)) {
        Ok(answer) => {
            let outcome = Outcome::new(answer, trail, AuditOutcome::Success);
            Ok(Outcome { prepared, op, keep: kept.first(), ..outcome })
        }
        Err(refusal) => Err(Stopped::new(refusal, trail)),
    }
}

/// The answer of a request that ended early.
pub(crate) fn refuse(stopped: Stopped) -> Filtered {
    let (refusal, trail) = stopped.into_parts();
    single(Outcome::refused(trail, &refusal))
}

fn single(outcome: Outcome) -> Filtered {
    let trail = &outcome.line.trail;
    let (request, caller) = (trail.request.clone(), trail.caller().cloned());
    Filtered { request, caller, shape: Shape::Single(Box::new(outcome)) }
}

fn outcome_of(problem: Problem, withheld: bool) -> AuditOutcome {
    match problem.status() {
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => AuditOutcome::Denied,
        StatusCode::NOT_FOUND if withheld => AuditOutcome::Denied,
        status if status.is_server_error() => AuditOutcome::Error,
        _ => AuditOutcome::Failure,
    }
}

/// One login that walks through many patients is stopped, whatever it was permitted (leak 136).
fn within_budget(gateway: &Gateway, caller: &Caller, trail: &Trail) -> Result<(), Refusal> {
    // A service reads whole populations; that is what its pre-authorization is for.
    let Some(account) = caller.account.as_ref().filter(|_| caller.kind != ActorKind::System) else {
        return Ok(());
    };
    gateway.rates.spend_patients(account, trail.patients(), trail.at).map_err(|wait| {
        tracing::warn!(
            request = %trail.request,
            account = %account,
            "alert: one person asked for more patients within an hour than the budget allows"
        );
        Refusal::from(Problem::PatientBudget).retry_after(wait.retry_after_secs)
    })
}

fn one(parts: &mut Parts, reading: Reading) -> Result<Answer, Refusal> {
    let (stored, gone) = match reading {
        Reading::Live(stored) => (stored, false),
        // That something was deleted is known only to those who could have seen it (leak 5).
        Reading::Deleted { last: Some(last) } => (last, true),
        Reading::Deleted { last: None } | Reading::Absent => {
            return Err(Problem::NotFound.into());
        }
    };
    let judged = parts.view.judge_stored(&parts.interaction, &stored);
    if !judged.permits() {
        parts.trail.keep_back(&judged);
        return Err(Problem::NotFound.into());
    }
    if gone {
        parts.trail.note(&judged);
        return Err(Problem::Gone.into());
    }
    parts.trail.release(&judged);
    let shown = parts.view.form(stored, &judged)?;
    if parts.conditions.meta == Meta::Alone {
        return Ok(meta(&shown));
    }
    let if_none_match = parts.conditions.if_none_match.as_deref();
    match &parts.conditions.own_form {
        Some(asked) => file::answer(&shown, asked, |version| is_known(if_none_match, version)),
        None => Ok(representation(shown, if_none_match)),
    }
}

/// FHIR R4 resource-operation-meta.html: the `meta` that a read would show.
fn meta(shown: &Stored) -> Answer {
    let own = shown.doc.root().get("meta");
    let body = object(|out| {
        out.string("resourceType", "Parameters");
        let Some(own) = own else { return };
        out.array("parameter", |all| {
            all.object(|one| {
                one.string("name", "return");
                one.raw("valueMeta", own.raw());
            });
        });
    });
    Answer::new(StatusCode::OK, body)
}

/// Whether the caller has this version (RFC 9110 §13.1.2).
fn is_known(if_none_match: Option<&str>, version: &str) -> bool {
    if_none_match.is_some_and(|header| {
        header.split(',').any(|tag| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == version
        })
    })
}

/// The resource itself, or 304: only now, when it is known that the caller may see it (leak 7).
fn representation(stored: Stored, if_none_match: Option<&str>) -> Answer {
    let same = stored.version.as_deref().is_some_and(|version| is_known(if_none_match, version));
    let Stored { doc, version, at, .. } = stored;
    let (status, body) = if same {
        (StatusCode::NOT_MODIFIED, Vec::new())
    } else {
        (StatusCode::OK, doc.into_bytes())
    };
    Answer { version, last_modified: at, ..Answer::new(status, body) }
}

fn page(gateway: &Gateway, parts: &mut Parts, page: Page) -> Result<Answer, Refusal> {
    let mut shown = Vec::with_capacity(page.entries.len());
    for entry in page.entries {
        let judged = parts.view.judge_stored(&page.interaction, &entry.stored);
        if !judged.permits() {
            return Err(disagreement(&mut parts.trail, &judged.decision.reasons));
        }
        parts.trail.release(&judged);
        shown.push(PageEntry { stored: parts.view.form(entry.stored, &judged)?, ..entry });
    }
    let page = Page { entries: shown, ..page };
    parts.trail.withhold_found(&page.withheld);
    let next = next_link(gateway, parts, &page.path, page.next.as_ref())?;
    let notice = Notice::for_what_leaves(gateway, parts)?;
    let body = bundle::searchset(&gateway.base, page, next, notice.as_ref());
    Ok(Answer::new(StatusCode::OK, body))
}

/// Each version is decided as it was then; a deletion as the version it deleted (leaks 59, 62).
fn history(gateway: &Gateway, parts: &mut Parts, page: HistoryPage) -> Result<Answer, Refusal> {
    let mut shown = Vec::with_capacity(page.entries.len());
    for entry in page.entries {
        let judged =
            entry.judged_by().map(|stored| parts.view.judge_stored(&parts.interaction, stored));
        match judged {
            Some(judged) if judged.permits() => {
                parts.trail.release(&judged);
                let stored = entry.stored.map(|own| parts.view.form(own, &judged)).transpose()?;
                shown.push(HistoryEntry { stored, ..entry });
            }
            Some(judged) => {
                return Err(disagreement(&mut parts.trail, &judged.decision.reasons));
            }
            None => return Err(disagreement(&mut parts.trail, &[ReasonCode::FactMissing])),
        }
    }
    let page = HistoryPage { entries: shown, ..page };
    let next = next_link(gateway, parts, &page.path, page.next.as_ref())?;
    let notice = Notice::for_what_leaves(gateway, parts)?;
    let body = bundle::history(&gateway.base, page, next, notice.as_ref());
    Ok(Answer::new(StatusCode::OK, body))
}

/// What was fetched within the view is not within the view: one of the two layers is wrong.
pub(crate) fn disagreement(trail: &mut Trail, reasons: &[ReasonCode]) -> Refusal {
    tracing::error!(
        request = %trail.request,
        "alarm: the search and the decision disagree on a resource; the page was dropped"
    );
    trail.withhold(reasons);
    Problem::Unavailable.into()
}

fn next_link(
    gateway: &Gateway,
    parts: &Parts,
    path: &str,
    position: Option<&Position>,
) -> Result<Option<String>, Refusal> {
    let Some(position) = position else { return Ok(None) };
    let binding = Binding {
        client: &parts.caller.client,
        grant: &parts.caller.grant,
        plan: parts.view.fingerprint().ok_or(Problem::Unavailable)?,
        path,
    };
    let cursor = gateway
        .cursors
        .seal(&binding, position, parts.trail.at, gateway.app.entropy())
        .map_err(|_| Problem::Unavailable)?;
    let link = format!("{}/{path}?_cursor={cursor}", gateway.base);
    // A link that we would refuse ourselves is no link.
    if link.len() > gateway.settings.limits.url_bytes_max {
        return Err(Problem::SearchTooLarge.into());
    }
    Ok(Some(link))
}

/// What was or will be written is judged as it is in the end, with the id and version it got.
fn written(
    parts: &mut Parts,
    written: Written,
    to_commit: &mut Option<Prepared>,
) -> Result<Answer, Refusal> {
    let Written { change, stored, carried } = written;
    let interaction = match change {
        Change::Existing => Interaction::Search,
        // A conditional update that found nothing creates.
        Change::Created => Interaction::Create,
        Change::Updated | Change::Deleted => parts.interaction.clone(),
    };
    let judged = parts.view.judge_stored(&interaction, &stored);
    let is_made = matches!(carried, Carried::Out);
    if !judged.permits() && !is_made {
        parts.trail.note(&judged);
        return Err(Refusal::from(Problem::WriteRefused).because(&judged.decision.reasons));
    }
    parts.trail.release(&judged);
    // Who may write need not be allowed to read what is there now (leak 94).
    let readable = parts.view.judge_stored(&Interaction::Read, &stored).permits();
    let stored = parts.view.form(stored, &judged)?;
    *to_commit = match carried {
        Carried::Ready(prepared) => Some(*prepared),
        Carried::Out | Carried::Before | Carried::Together => None,
    };
    if change == Change::Deleted {
        return Ok(Answer::new(StatusCode::NO_CONTENT, Vec::new()));
    }
    let location = match (stored.doc.resource_type(), stored.doc.id(), &stored.version) {
        (Some(kind), Some(id), Some(version)) => Some(format!("{kind}/{id}/_history/{version}")),
        (Some(kind), Some(id), None) => Some(format!("{kind}/{id}")),
        _ => None,
    };
    // Nor need they be allowed to read what was there before: by its version, or that it stayed the same, one could be told
    // from another. A change never makes readable what was not, so this covers both.
    let wanted = parts.conditions.wanted;
    if change == Change::Updated && !readable {
        let body = if wanted == Return::Outcome { made(parts) } else { Vec::new() };
        return Ok(Answer::new(StatusCode::OK, body));
    }
    let body = match wanted {
        Return::Representation if readable => stored.doc.into_bytes(),
        Return::Representation | Return::Minimal => Vec::new(),
        Return::Outcome => made(parts),
    };
    let created = change == Change::Created;
    Ok(Answer {
        version: stored.version,
        last_modified: stored.at,
        location: location.filter(|_| created),
        ..Answer::new(if created { StatusCode::CREATED } else { StatusCode::OK }, body)
    })
}

/// The outcome of a change, with what is to be said about it. It is made of what came with the
/// request and of nothing that is stored.
fn made(parts: &Parts) -> Vec<u8> {
    let done = Issue {
        severity: Severity::Information,
        code: IssueCode::Informational,
        detail: Some("done"),
        diagnostics: Cow::Borrowed("the change is made"),
        expression: None,
    };
    let warnings = parts.warnings.iter().map(|text| Issue {
        severity: Severity::Warning,
        code: IssueCode::BusinessRule,
        detail: Some("readings-differ"),
        diagnostics: Cow::Owned(text.clone()),
        expression: Some("Consent.provision".to_owned()),
    });
    let issues = std::iter::once(done).chain(warnings).collect();
    OperationOutcome::from_issues(issues).for_request(parts.trail.request.clone()).to_bytes()
}

/// FHIR R4 resource-operation-validate.html: 200 whatever was found, and an outcome that says it.
fn validated(parts: &Parts, faults: &[Fault]) -> Answer {
    let issues = if faults.is_empty() {
        vec![Issue {
            severity: Severity::Information,
            code: IssueCode::Informational,
            detail: Some("valid"),
            diagnostics: Cow::Borrowed("the resource conforms to the base rules of FHIR R4"),
            expression: None,
        }]
    } else {
        faults.iter().map(fault_issue).collect()
    };
    let outcome = OperationOutcome::from_issues(issues).for_request(parts.trail.request.clone());
    Answer::new(StatusCode::OK, outcome.to_bytes())
}

fn fault_issue(fault: &Fault) -> Issue {
    Issue {
        severity: Severity::Error,
        code: Problem::ResourceInvalid.issue(),
        detail: Some(Problem::ResourceInvalid.code()),
        diagnostics: Cow::Owned(fault.text().to_owned()),
        expression: Some(fault.path.clone()),
    }
}
