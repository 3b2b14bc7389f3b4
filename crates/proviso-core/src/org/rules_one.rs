//! `org-rules/1` as answers: the fixed rule set that came before policies, kept as the one that
//! policies are compared with.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use super::answer::{OrgAnswer, OrgPolicy};
use super::question::{OrgQuestion, OrgResource};
use super::words::{Mode, Relation};
use crate::category::{SensitiveKind, SensitiveSet};
use crate::decision::{Effect, Labels, org_rules};
use crate::reason::ReasonCode;

/// The fixed rule set. It knows nothing of governance, environment or emergencies and refuses
/// what it does not know.
#[derive(Debug, Clone, Copy, Default)]
pub struct RulesOne;

impl OrgPolicy for RulesOne {
    fn version(&self) -> &str {
        org_rules::VERSION
    }

    fn answer(&self, question: &OrgQuestion) -> Arc<OrgAnswer> {
        let mut refusals = BTreeSet::new();
        let basis = match question.mode {
            Mode::Operational => operational(question, &mut refusals),
            Mode::PreAuthorized => {
                if !org_rules::PRE_AUTHORIZED_PURPOSES.contains(question.purpose) {
                    refusals.insert(ReasonCode::PurposeNotAllowed);
                }
                content(question, SensitiveSet::EMPTY, &mut refusals);
                ReasonCode::PreAuthorized
            }
            // Access by patients' own right was never this rule set's matter: it stands in
            // nobody's way there.
            Mode::OwnRecord => ReasonCode::OwnRecord,
            Mode::PatientDirected => ReasonCode::ConsentInForce,
        };
        if let OrgResource::Governance(_) = question.resource {
            refusals.insert(ReasonCode::InteractionNotOffered);
        }
        Arc::new(if refusals.is_empty() {
            OrgAnswer::bare(Effect::Permit, BTreeSet::from([basis]))
        } else {
            OrgAnswer::bare(Effect::Deny, refusals)
        })
    }
}

fn operational(question: &OrgQuestion, refusals: &mut BTreeSet<ReasonCode>) -> ReasonCode {
    let Some(rule) = org_rules::rule_for(question.kind) else {
        refusals.insert(ReasonCode::RoleWithoutClinicalData);
        return ReasonCode::RoleWithoutClinicalData;
    };
    if !question.related.contains_key(&Relation::of(rule.relationship)) {
        refusals.insert(rule.lacking);
    }
    if !rule.purposes.contains(question.purpose) {
        refusals.insert(ReasonCode::PurposeNotAllowed);
    }
    content(question, rule.sensitive, refusals);
    rule.basis
}

fn content(question: &OrgQuestion, seen: SensitiveSet, refusals: &mut BTreeSet<ReasonCode>) {
    match question.resource {
        OrgResource::Record(record) => match record.labels {
            Labels::Known(kinds) => {
                if !kinds.is_subset_of(seen) {
                    refusals.insert(ReasonCode::SensitiveKindNotShared);
                }
            }
            Labels::Unclassified => {
                if !seen.contains(SensitiveKind::Restricted) {
                    refusals.insert(ReasonCode::Unlabelled);
                }
            }
        },
        OrgResource::Directory(_) | OrgResource::Governance(_) => {}
    }
}
