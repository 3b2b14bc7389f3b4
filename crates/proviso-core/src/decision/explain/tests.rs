//! The tree says what the decision says, and tells the one who asked nothing of what is stored.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::category::{CategorySet, SensitiveSet};
use crate::decision::worlds::{World, any_world};
use crate::decision::{Belonging, Detail, FiledRule, Labels, PatientReach, plan};
use crate::resource_type::ResourceType;
use crate::scope::ScopeFilter;
use crate::time::Period;

fn explained(world: &World) -> Explanation {
    explain(&world.request(), &world.interaction, &world.facts, &|filter: &ScopeFilter| {
        world.matching.contains(filter)
    })
}

/// The plan and facts with one check made to pass, the way the tree says.
fn mend(plan: &mut AccessPlan, facts: &mut ResourceFacts, step: &Step) {
    match step.check {
        Check::PolicyPermits => plan.rules = None,
        Check::CategoryIncluded => plan.categories = CategorySet::all(),
        Check::DataPeriodCovers => plan.data_period = Period::ALWAYS,
        Check::SensitiveKindsNamed => plan.sensitive = SensitiveSet::all(),
        Check::NoObjection => plan.objections.clear(),
        Check::FiledConsentsAllow => plan.filed = FiledRule::NotHeard,
        Check::EveryPatientReached => {
            plan.reach = PatientReach::Any;
            // Whoever is related so is related for the policies as well.
            plan.rules = None;
            if !matches!(&facts.belonging, Belonging::Patients(own) if !own.is_empty()) {
                // Once it is known whose it is, that patient may have objected, here or on file.
                plan.objections.clear();
                plan.filed = FiledRule::NotHeard;
                facts.belonging = Belonging::Patients(BTreeSet::from(["p1".parse().unwrap()]));
            }
        }
        Check::ScopeReaches => plan.scopes = None,
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
        | Check::ConsentInForce => panic!("{:?} is a check of the request", step.check),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn every_decision_explains_itself(world in any_world()) {
        let tree = explained(&world);
        let decision = world.decide();
        prop_assert_eq!(tree.effect, decision.effect);
        prop_assert_eq!(&tree.reasons, &decision.reasons);
        let refused: BTreeSet<_> = tree.would_be_permitted_if().filter_map(|s| s.refused).collect();
        if decision.is_permit() {
            prop_assert!(refused.is_empty());
        } else {
            prop_assert_eq!(refused, decision.reasons.iter().copied().collect());
        }
        for layer in &tree.layers {
            prop_assert_eq!(
                layer.effect == Effect::Deny,
                layer.steps.iter().any(|step| step.refused.is_some())
            );
            prop_assert!(layer.steps.iter().all(|step| step.check.layer() == layer.layer));
        }
    }

    /// "Would be permitted if": with each refusing check mended, and nothing else, it is.
    #[test]
    fn the_counterfactual_holds(world in any_world()) {
        let Ok(mut plan) = plan(&world.request()) else { return Ok(()) };
        let matches = |filter: &ScopeFilter| world.matching.contains(filter);
        let tree = plan.explain(&world.interaction, &world.facts, &matches);
        let mut steps: Vec<Step> = tree.would_be_permitted_if().cloned().collect();
        // Of a consent whose patient becomes known, the content is no longer looked at.
        let known = matches!(&world.facts.belonging, Belonging::Patients(own) if !own.is_empty());
        prop_assume!(known || world.facts.resource_type != ResourceType::CONSENT);
        // The policies are asked once, and may have several reasons.
        steps.dedup_by_key(|step| step.check);
        prop_assume!(steps.iter().all(|step| step.check != Check::InteractionOffered));
        let mut facts = world.facts.clone();
        for (index, step) in steps.iter().enumerate() {
            prop_assert!(
                !plan.decide(&world.interaction, &facts, &matches).is_permit(),
                "{index} of {steps:?} sufficed"
            );
            mend(&mut plan, &mut facts, step);
        }
        prop_assert!(plan.decide(&world.interaction, &facts, &matches).is_permit());
    }

    /// Two worlds that differ in the record alone: who is refused is told the same in both.
    #[test]
    fn a_refusal_tells_the_caller_nothing_of_the_record(one in any_world(), two in any_world()) {
        let other = World { facts: ResourceFacts {
            resource_type: one.facts.resource_type, ..two.facts }, matching: two.matching,
            ..one.clone() };
        let (here, there) = (explained(&one).for_caller(), explained(&other).for_caller());
        if here != CallerTold::Permitted && there != CallerTold::Permitted {
            prop_assert_eq!(here, there);
        }
    }
}

#[test]
fn a_tree_is_the_same_after_it_was_written_and_read() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut checks = BTreeSet::new();
    for _ in 0..4_000 {
        let world = any_world().new_tree(&mut runner).unwrap().current();
        let tree = explained(&world);
        let text = serde_json::to_string(&tree).unwrap();
        assert_eq!(serde_json::from_str::<Explanation>(&text).unwrap(), tree);
        for step in tree.steps() {
            checks.insert((step.check, step.refused.is_some()));
        }
    }
    // The token is compared with its grant before a plan is made.
    for check in Check::ALL.iter().filter(|check| **check != Check::GrantStands) {
        assert!(checks.contains(&(*check, true)), "{check:?} never refused");
        assert!(checks.contains(&(*check, false)), "{check:?} never passed");
    }
}

#[test]
fn the_tree_says_which_kind_was_not_named() {
    use crate::category::SensitiveKind;
    use crate::decision::tests::shared_plan;
    let (plan, mut facts) = shared_plan();
    facts.labels = Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Hiv));
    let tree = plan.explain(&Interaction::Read, &facts, &|_| true);
    let missing: Vec<&Step> = tree.would_be_permitted_if().collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].check, Check::SensitiveKindsNamed);
    assert_eq!(
        missing[0].detail,
        Detail::SensitiveKinds { record: facts.labels, named: plan.sensitive }
    );
    assert_eq!(tree.for_caller(), CallerTold::NothingToSee);
}
