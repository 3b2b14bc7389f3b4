//! What a policy lets one person or service do, in the shape that plans are made from: asked once,
//! kept in the plan, applied to any number of resources.
//!
//! A plan has one answer for every kind of record. Where a policy tells kinds of record or
//! interactions apart, that is asked per resource ([`super::OrgPolicy::answer`]); what is told here
//! is about a plain record that is read, and can only be narrowed by it.

use alloc::sync::Arc;

use super::answer::{OrgAnswer, OrgPolicy};
use super::question::{Emergency, OrgQuestion, OrgResource, PatientMatch, Provenance, RecordKind};
use super::words::{AuthLevel, FactSource, OrgAction, Relation};
use crate::account::RelationshipKind;
use crate::category::{
    Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet,
};
use crate::decision::Labels;
use crate::decision::org_rules::OrgRule;
use crate::emergency::EmergencyFacts;
use crate::resource_type::ResourceType;
use crate::time::At;

/// The relationships on record that give staff access, in the order in which they are tried.
const RELATIONSHIPS: [RelationshipKind; 2] = [RelationshipKind::Care, RelationshipKind::Shift];

/// The rule for a member of staff, in the place of the fixed one of the same shape; `None` for one
/// whom the policy lets see no record by any relationship.
///
/// `ground` says who asks and from where, in the operational mode.
pub fn staff_rule(policy: &dyn OrgPolicy, ground: &OrgQuestion) -> Option<OrgRule> {
    RELATIONSHIPS.into_iter().find_map(|relationship| {
        let mut related = ground.clone();
        related
            .related
            .insert(Relation::of(relationship), Provenance::now(FactSource::Relationship));
        let purposes = purposes_of(policy, &related);
        let purpose = purposes.iter().next()?;
        let plain = Labels::Known(SensitiveSet::EMPTY);
        let basis = *ask(policy, &related, purpose, plain).reasons.first()?;
        // Whoever is let in without the relationship has no rule that rests on it.
        let stranger = ask(policy, ground, purpose, plain);
        let lacking = *stranger.reasons.first().filter(|_| !stranger.is_permit())?;
        let sensitive = SensitiveKind::ALL
            .iter()
            .copied()
            .filter(|kind| {
                let labels = Labels::Known(SensitiveSet::EMPTY.with(*kind));
                purposes.iter().all(|purpose| ask(policy, &related, purpose, labels).is_permit())
            })
            .collect();
        Some(OrgRule { relationship, basis, lacking, sensitive, purposes })
    })
}

/// What the policies are told of an emergency that the one in `ground` declared, at an instant.
///
/// They are asked about the patient of the declaration alone; records that name anybody else are out
/// of reach whatever they say.
pub fn emergency_question(ground: OrgQuestion, facts: &EmergencyFacts, at: At) -> OrgQuestion {
    let mut open = ground;
    open.purpose = PurposeOfUse::BreakGlass;
    open.environment.acr = facts.stepped_up().then_some(AuthLevel::StepUp);
    open.emergency = Some(Emergency {
        reason: Some(facts.reason),
        minutes: facts.minutes(at),
        for_patient: PatientMatch::Same,
    });
    open
}

/// The purposes for which a plain record may be read.
pub fn purposes_of(policy: &dyn OrgPolicy, ground: &OrgQuestion) -> PurposeSet {
    let plain = Labels::Known(SensitiveSet::EMPTY);
    PurposeOfUse::ALL
        .iter()
        .copied()
        .filter(|purpose| ask(policy, ground, *purpose, plain).is_permit())
        .collect()
}

fn ask(
    policy: &dyn OrgPolicy,
    ground: &OrgQuestion,
    purpose: PurposeOfUse,
    labels: Labels,
) -> Arc<OrgAnswer> {
    policy.answer(&OrgQuestion {
        purpose,
        action: OrgAction::Read,
        resource: OrgResource::Record(RecordKind {
            resource_type: ResourceType::OBSERVATION,
            categories: CategorySet::EMPTY.with(Category::Laboratory),
            labels,
        }),
        ..ground.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Mode, RulesOne};
    use super::*;
    use crate::account::ActorKind;
    use crate::decision::org_rules;

    #[test]
    fn the_fixed_rules_come_out_as_they_went_in() {
        for kind in [
            ActorKind::Clinician,
            ActorKind::Nurse,
            ActorKind::Staff,
            ActorKind::PrivacyOfficer,
            ActorKind::Administrator,
            ActorKind::SupportAgent,
        ] {
            let account = "acc_one".parse().unwrap();
            let ground = OrgQuestion::of_account(account, kind, Mode::Operational);
            assert_eq!(staff_rule(&RulesOne, &ground), org_rules::rule_for(kind), "{kind:?}");
        }
        let service = OrgQuestion::of_service("quality-study".parse().unwrap());
        assert_eq!(purposes_of(&RulesOne, &service), org_rules::PRE_AUTHORIZED_PURPOSES);
    }
}
