//! What the policies that come with this release say of emergencies, as decisions take it.

use std::collections::BTreeSet;

use proviso_core::account::{Account, AccountStatus, ActorKind};
use proviso_core::category::{PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::category_rules::categories_of_type;
use proviso_core::decision::Labels;
use proviso_core::emergency::{EmergencyFacts, STEP_UP_SECS_MAX};
use proviso_core::org::{
    EmergencyReason, Mode, Obligation, ObligationSet, OrgAction, OrgPolicy as _, OrgQuestion,
    OrgResource, OrgRules, RecordKind, Role, RoleSet, RuleQuestion, emergency_question,
};
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use crate::policy::PolicySet;

const NOON: At = At::from_secs(1_795_000_000);

fn account(roles: RoleSet) -> Account {
    Account {
        id: "acc_one".parse().unwrap(),
        username: "one".to_owned(),
        display_name: "One".to_owned(),
        kind: ActorKind::Clinician,
        roles,
        fhir_user: None,
        password_hash: None,
        language: None,
        status: AccountStatus::Active,
        created_at: NOON,
    }
}

fn declared(reason: EmergencyReason) -> EmergencyFacts {
    super::declare::as_if(&account(RoleSet::EMPTY), reason, NOON).unwrap()
}

/// What the starter set is told of somebody with these roles at an instant.
fn question(roles: RoleSet, facts: &EmergencyFacts, at: At) -> OrgQuestion {
    let own = account(roles);
    let who = OrgQuestion::of_account(own.id.clone(), own.kind, Mode::Operational);
    emergency_question(who.with_roles(own.all_roles()), facts, at)
}

fn rules(roles: RoleSet, facts: &EmergencyFacts, at: At) -> OrgRules {
    PolicySet::starter().unwrap().rules_for(&question(roles, facts, at), [])
}

/// Why it lets nobody in; empty when it does.
fn refusals(roles: RoleSet, facts: &EmergencyFacts, at: At) -> BTreeSet<ReasonCode> {
    rules(roles, facts, at).records_shut(0, PurposeOfUse::BreakGlass)
}

fn privileged() -> RoleSet {
    RoleSet::EMPTY.with(Role::EmergencyClinician)
}

#[test]
fn only_the_privileged_group_is_let_in() {
    let facts = declared(EmergencyReason::LifeThreat);
    assert!(refusals(privileged(), &facts, NOON).is_empty());
    let refused = refusals(RoleSet::EMPTY, &facts, NOON);
    assert!(refused.contains(&ReasonCode::PurposeNotAllowed), "{refused:?}");
    // Who looks after the platform or proves what happened sees no records, emergencies included.
    for role in [Role::PrivacyOfficer, Role::Administrator, Role::Support] {
        let refused = refusals(privileged().with(role), &facts, NOON);
        assert!(refused.contains(&ReasonCode::RoleWithoutClinicalData), "{role}");
    }
}

#[test]
fn the_policy_counts_minutes_and_wants_a_step_up() {
    let facts = declared(EmergencyReason::LifeThreat);
    let lets = |facts: &EmergencyFacts, at| refusals(privileged(), facts, at).is_empty();
    assert!(lets(&facts, NOON.plus_secs(3_599)));
    assert!(!lets(&facts, NOON.plus_secs(3_600)));
    let stale = EmergencyFacts { authenticated_at: NOON.plus_secs(-STEP_UP_SECS_MAX), ..facts };
    assert!(!lets(&stale, NOON));
    let refused = refusals(privileged(), &stale, NOON);
    assert!(refused.contains(&ReasonCode::StepUpNeeded), "{refused:?}");
}

fn about(resource_type: ResourceType, labels: Labels) -> OrgResource {
    let categories = categories_of_type(resource_type);
    OrgResource::Record(RecordKind { resource_type, categories, labels })
}

fn short(action: OrgAction, resource: OrgResource) -> RuleQuestion {
    RuleQuestion { standing: 0, purpose: PurposeOfUse::BreakGlass, action, resource }
}

#[test]
fn each_sensitive_kind_opens_by_a_policy_that_is_named() {
    let by = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    for reason in EmergencyReason::ALL.iter().copied() {
        let cannot_consent =
            matches!(reason, EmergencyReason::Unresponsive | EmergencyReason::LifeThreat);
        let rules = rules(privileged(), &declared(reason), NOON);
        for kind in SensitiveKind::ALL.iter().copied() {
            let labels = Labels::Known(SensitiveSet::EMPTY.with(kind));
            let answer =
                rules.answer(&short(OrgAction::Read, about(ResourceType::CONDITION, labels)));
            let (open, name) = if kind == SensitiveKind::PsychotherapyNotes {
                (false, "psychotherapy-notes-stay-apart")
            } else if kind == SensitiveKind::SubstanceUse {
                (cannot_consent, "part-2-medical-emergency")
            } else {
                (true, "emergency")
            };
            assert_eq!(answer.is_permit(), open, "{reason} {kind}");
            if open || kind == SensitiveKind::PsychotherapyNotes {
                assert_eq!(answer.determining, by(&[name]), "{reason} {kind}");
            }
            let noticed = answer.obligations.contains(&Obligation::AttachPart2Notice);
            assert_eq!(noticed, open && kind == SensitiveKind::SubstanceUse, "{reason} {kind}");
        }
    }
}

/// The rules that decide record by record answer as the policies themselves do, for every type,
/// every pair of sensitive kinds and every action.
#[test]
fn the_rules_of_an_emergency_answer_as_the_policies_do() {
    let set = PolicySet::starter().unwrap();
    let met: ObligationSet = Obligation::ALL.iter().copied().collect();
    let kinds = SensitiveKind::ALL;
    let pairs = kinds.iter().flat_map(|one| kinds.iter().map(|two| [*one, *two]));
    let mut labels: Vec<Labels> =
        pairs.map(|pair| Labels::Known(pair.into_iter().collect())).collect();
    labels.extend([Labels::Known(SensitiveSet::EMPTY), Labels::Unclassified]);
    let types = [ResourceType::CONDITION, ResourceType::OBSERVATION, ResourceType::BASIC];
    let mut resources = vec![OrgResource::Directory(ResourceType::PRACTITIONER)];
    for of_type in types {
        resources.extend(labels.iter().map(|own| about(of_type, *own)));
    }
    let mut permits = 0;
    for reason in [EmergencyReason::LifeThreat, EmergencyReason::Unreachable] {
        for secs in [0, 3_600] {
            let asked = question(privileged(), &declared(reason), NOON.plus_secs(secs));
            let rules = set.rules_for(&asked, []);
            for action in OrgAction::ALL.iter().copied() {
                for resource in resources.iter().copied() {
                    let whole = OrgQuestion { action, resource, ..asked.clone() };
                    let answer = set.answer(&whole).is_permit();
                    let told = rules.basis(&short(action, resource), met).is_some();
                    assert_eq!(told, answer, "{reason} {secs} {action} {resource:?}");
                    permits += usize::from(told);
                }
            }
        }
    }
    assert!(permits > 1_000, "{permits}");
}
