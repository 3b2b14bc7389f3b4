//! What accompanies records that leave: the notice and explanation of 42 CFR 2.32.
//!
//! A record's own bytes stay as they are. The statement travels beside it: in two headers of every
//! answer, in the labels of a Bundle, and as an OperationOutcome where a Bundle has a place for one.
//! A client that knows nothing of all this reads the records as it always did.

use std::borrow::Cow;

use proviso_core::consent::index::IndexedConsent;
use proviso_core::decision::AccessPlan;
use proviso_core::obligation::{Obligation, PART2_STATEMENT, of_disclosure};
use proviso_core::org::Obligation as ByPolicy;
use proviso_fhir::outcome::{Issue, IssueCode, OperationOutcome, Severity};

use crate::decide::Parts;
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};

/// The code system of both labels.
const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// A notice that must accompany what leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The explanation of the consent's scope.
    pub(crate) scope: String,
}

impl Notice {
    /// The labels of a Bundle that holds such records: the law, and "no redisclosure without
    /// consent directive".
    pub(crate) const LABELS: &'static [(&'static str, &'static str)] =
        &[(ACT_CODE, "42CFRPart2"), (ACT_CODE, "NORDSCLCD")];

    /// The notice for what a request releases; `None` when nothing of it asks for one.
    pub(crate) fn for_what_leaves(
        gateway: &Gateway,
        parts: &Parts,
    ) -> Result<Option<Self>, Refusal> {
        let released = parts.trail.disclosed();
        let consent = match &parts.view.plan().consent {
            None => None,
            Some((id, version)) => {
                // A choice that was changed since the plan was made is not what this leaves by; the
                // answer would be withdrawn a moment later anyway.
                let live =
                    gateway.app.live().consent(id).filter(|indexed| indexed.version() == version);
                Some(live.ok_or(Problem::Unavailable)?)
            }
        };
        let obligations =
            of_disclosure(released, consent.as_ref().map(IndexedConsent::facts).as_ref());
        // Where the organisation's policies demand it: for one, without consent in a medical
        // emergency (42 CFR 2.51).
        let demanded = parts.trail.obliged().contains(ByPolicy::AttachPart2Notice);
        let mut notice = demanded.then(|| Self::by_policy(parts.view.plan()));
        for obligation in obligations {
            match obligation {
                Obligation::AttachPart2Notice(accompanying) => {
                    notice = Some(Self { scope: accompanying.scope_text() });
                }
                // Nothing here carries these out yet, so nothing leaves that asks for one.
                Obligation::Withhold | Obligation::Redact(_) | Obligation::Mask(_) => {
                    return Err(Problem::Unavailable.into());
                }
            }
        }
        Ok(notice)
    }

    fn by_policy(plan: &AccessPlan) -> Self {
        let scope = match &plan.emergency {
            Some(id) => format!(
                "Disclosed without consent in a medical emergency (42 CFR 2.51), under the \
                 declaration {id}."
            ),
            None => format!(
                "Disclosed under the organization's policies ({}), for purpose {}.",
                plan.policy_version,
                plan.purpose.code()
            ),
        };
        Self { scope }
    }

    /// The notice as an OperationOutcome (FHIR R4 search.html#entry, bundle `response.outcome`).
    pub(crate) fn outcome(&self) -> Vec<u8> {
        let issue = |text: Cow<'static, str>| Issue {
            severity: Severity::Information,
            code: IssueCode::Informational,
            detail: Some("redisclosure-notice"),
            diagnostics: text,
            expression: None,
        };
        let issues =
            vec![issue(Cow::Borrowed(PART2_STATEMENT)), issue(Cow::Owned(self.scope.clone()))];
        OperationOutcome::from_issues(issues).to_bytes()
    }
}
