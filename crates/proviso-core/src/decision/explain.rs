//! Why a decision fell as it did, as a tree, in three voices.
//!
//! The tree is made by the same code that decides: [`AccessPlan::explain`] walks the checks that
//! [`AccessPlan::decide`] walks. It holds everything, so it is for the patient and the privacy
//! officer; what the one who asked may be told is [`Explanation::for_caller`].

mod words;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::plan::traced;
use super::trace::{Check, Detail, Layer, Step};
use super::{AccessPlan, AccessRequest, Decision, Effect, FilterMatch, ResourceFacts};
use crate::id::{ConsentId, ConsentVersionId};
use crate::interaction::Interaction;
use crate::reason::ReasonCode;

/// The tree: layers, and in each the checks that were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Permit or deny.
    pub effect: Effect,
    /// The ground of a permit, or everything that stood in the way.
    pub reasons: Vec<ReasonCode>,
    /// The consent it rests on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consent: Option<(ConsentId, ConsentVersionId)>,
    /// The organisation's rules in force.
    pub policy_version: alloc::string::String,
    /// The layers in which something was looked at, in the order of design §6.
    pub layers: Vec<LayerOutcome>,
}

/// What came of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerOutcome {
    /// Which.
    pub layer: Layer,
    /// Whether nothing in it refused.
    pub effect: Effect,
    /// The checks, in the order in which they were made.
    pub steps: Vec<Step>,
}

/// What somebody who asked may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerTold {
    /// It was permitted.
    Permitted,
    /// It may not be asked; the code says why and depends on nothing that is stored about anybody.
    MayNotAsk(ReasonCode),
    /// There is no such record, or it may not be seen: the two are not told apart.
    NothingToSee,
}

/// The tree for a request as a whole, before any record is looked at.
pub fn explain_plan(request: &AccessRequest<'_>) -> Explanation {
    let mut steps: Vec<Step> = Vec::new();
    let plan = traced(request, &mut steps);
    let basis = plan.as_ref().map(|plan| plan.basis);
    let consent = plan.and_then(|plan| plan.consent);
    tree(steps, basis, consent, &request.policy.version)
}

/// A request whose token was not taken, because it and its grant disagree or one has ended.
pub fn explain_gate(reasons: &[ReasonCode], policy_version: &str) -> Explanation {
    let refused = |reason: &ReasonCode| Step {
        check: Check::GrantStands,
        refused: Some(*reason),
        detail: Detail::Nothing,
    };
    tree(reasons.iter().map(refused).collect(), None, None, policy_version)
}

/// The tree for one resource: the checks of the request, then those of the resource.
///
/// Equal in effect and reasons to [`super::plan`] followed by [`AccessPlan::decide`].
pub fn explain(
    request: &AccessRequest<'_>,
    interaction: &Interaction,
    facts: &ResourceFacts,
    filter_matches: &FilterMatch<'_>,
) -> Explanation {
    let mut steps: Vec<Step> = Vec::new();
    let version = &request.policy.version;
    let Some(plan) = traced(request, &mut steps) else {
        return tree(steps, None, None, version);
    };
    plan.traced(interaction, facts, filter_matches, &mut steps);
    tree(steps, Some(plan.basis_for(interaction, facts)), plan.consent, version)
}

impl AccessPlan {
    /// The tree for one resource under a plan that was made before.
    pub fn explain(
        &self,
        interaction: &Interaction,
        facts: &ResourceFacts,
        filter_matches: &FilterMatch<'_>,
    ) -> Explanation {
        let mut steps: Vec<Step> = Vec::new();
        self.traced(interaction, facts, filter_matches, &mut steps);
        let basis = self.basis_for(interaction, facts);
        tree(steps, Some(basis), self.consent.clone(), &self.policy_version)
    }
}

fn tree(
    mut steps: Vec<Step>,
    basis: Option<ReasonCode>,
    consent: Option<(ConsentId, ConsentVersionId)>,
    policy_version: &str,
) -> Explanation {
    let refusals: Vec<ReasonCode> = steps.iter().filter_map(|step| step.refused).collect();
    let decision = match basis {
        Some(basis) if refusals.is_empty() => Decision::permit(basis),
        Some(_) | None => Decision::deny(refusals),
    };
    let mut layers: Vec<LayerOutcome> = Vec::new();
    for layer in Layer::ALL {
        let (own, others): (Vec<Step>, Vec<Step>) =
            steps.into_iter().partition(|step| step.check.layer() == *layer);
        steps = others;
        if own.is_empty() {
            continue;
        }
        let refused = own.iter().any(|step| step.refused.is_some());
        let effect = if refused { Effect::Deny } else { Effect::Permit };
        layers.push(LayerOutcome { layer: *layer, effect, steps: own });
    }
    Explanation {
        effect: decision.effect,
        reasons: decision.reasons,
        consent,
        policy_version: policy_version.into(),
        layers,
    }
}

impl Explanation {
    /// Every check that refused: each of them, and nothing else, would have to be different for a
    /// permit. Empty for a permit.
    pub fn would_be_permitted_if(&self) -> impl Iterator<Item = &Step> {
        self.steps().filter(|step| step.refused.is_some())
    }

    /// All checks, layer by layer.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.layers.iter().flat_map(|layer| &layer.steps)
    }

    /// What the one who asked may be told. What depends on a record is told as if there were none,
    /// so that a refusal says nothing about what is stored (design §7: 404 for everything hidden).
    pub fn for_caller(&self) -> CallerTold {
        if self.effect == Effect::Permit {
            return CallerTold::Permitted;
        }
        let of_request = self
            .would_be_permitted_if()
            .filter(|step| !depends_on_record(step))
            .find_map(|step| step.refused);
        of_request.map_or(CallerTold::NothingToSee, CallerTold::MayNotAsk)
    }
}

/// Whether a refusal could have fallen otherwise for another record.
const fn depends_on_record(step: &Step) -> bool {
    match step.check {
        Check::GrantStands
        | Check::ScopeCounts
        | Check::InteractionOffered
        | Check::PatientInContext
        | Check::PersonKnown
        | Check::ProxyInForce
        | Check::PurposeNamed
        | Check::RoleHasClinicalData
        | Check::RelationshipInForce
        | Check::EmergencyInForce
        | Check::EmergencyStepUp
        | Check::EmergencyRuleLets
        | Check::PolicyLetsAsk
        | Check::ConsentNamesParties
        | Check::ConsentInForce => false,
        // No scope for the type is a fact about the token; a scope whose filter or patient did not
        // match is one about the record.
        Check::ScopeReaches => !matches!(step.refused, Some(ReasonCode::ScopeMissing)),
        Check::EveryPatientReached
        | Check::PolicyPermits
        | Check::NoObjection
        | Check::FiledConsentsAllow
        | Check::CategoryIncluded
        | Check::DataPeriodCovers
        | Check::SensitiveKindsNamed => true,
    }
}

#[cfg(test)]
mod tests;
