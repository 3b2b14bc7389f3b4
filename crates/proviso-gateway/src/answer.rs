//! What will be sent, before anybody may send it.

use std::borrow::Cow;

use http::StatusCode;
use proviso_core::id::RequestId;
use proviso_core::time::At;
use proviso_fhir::outcome::{Issue, OperationOutcome, Severity};

use crate::file::FileHead;
use crate::notice::Notice;
use crate::problem::{Problem, Refusal};

/// Status, the few headers a FHIR answer has, and the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// The version, for `ETag: W/"…"`.
    pub(crate) version: Option<String>,
    pub(crate) last_modified: Option<At>,
    pub(crate) location: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) retry_after_secs: Option<u64>,
    pub(crate) allow: Option<&'static str>,
    /// What must accompany the records in the body.
    pub(crate) notice: Option<Notice>,
    /// What is said of a file that leaves in its own form; everything else leaves as FHIR JSON.
    pub(crate) file: Option<FileHead>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            version: None,
            last_modified: None,
            location: None,
            challenge: None,
            retry_after_secs: None,
            allow: None,
            notice: None,
            file: None,
        }
    }

    /// The answer to a refused request: fixed words, a stable code, the request's id.
    pub(crate) fn refusing(refusal: &Refusal, request: &RequestId) -> Self {
        let problem = refusal.problem;
        Self {
            challenge: refusal.challenge(),
            retry_after_secs: refusal.retry_after_secs.or(match problem.status() {
                StatusCode::SERVICE_UNAVAILABLE => Some(5),
                _ => None,
            }),
            allow: (problem == Problem::NotOffered)
                .then_some("GET, HEAD, POST, PUT, PATCH, DELETE"),
            ..Self::new(problem.status(), outcome(refusal, request))
        }
    }
}

/// The OperationOutcome of a refusal: one issue, or one for each fault of a resource.
pub(crate) fn outcome(refusal: &Refusal, request: &RequestId) -> Vec<u8> {
    let problem = refusal.problem;
    let issue = |text: Cow<'static, str>, place: Option<&str>| Issue {
        severity: Severity::Error,
        code: problem.issue(),
        detail: Some(problem.code()),
        diagnostics: text,
        expression: place.filter(|place| !place.is_empty()).map(str::to_owned),
    };
    let issues = if refusal.faults.is_empty() {
        vec![issue(Cow::Borrowed(problem.text()), refusal.place.as_deref())]
    } else {
        refusal
            .faults
            .iter()
            .map(|(place, text)| issue(Cow::Owned(text.clone()), Some(place)))
            .collect()
    };
    OperationOutcome::from_issues(issues).for_request(request.clone()).to_bytes()
}
