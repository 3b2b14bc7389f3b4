//! What the policies that come with this release say of emergencies, as decisions take it.

use std::collections::BTreeSet;

use proviso_core::account::{Account, AccountStatus, ActorKind};
use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::decision::EmergencyGround;
use proviso_core::emergency::{EmergencyFacts, STEP_UP_SECS_MAX};
use proviso_core::org::{
    EmergencyReason, FactSource, Mode, OrgQuestion, Provenance, Role, RoleSet, Sourced,
    emergency_ground,
};
use proviso_core::reason::ReasonCode;
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

/// What the starter set says of somebody with these roles at an instant.
fn says(roles: RoleSet, facts: &EmergencyFacts, at: At) -> EmergencyGround {
    let own = account(roles);
    let mut who = OrgQuestion::of_account(own.id.clone(), own.kind, Mode::Operational);
    let provenance = Provenance::now(FactSource::Account);
    who.roles = Some(Sourced { value: own.all_roles(), provenance });
    emergency_ground(&*PolicySet::starter().unwrap(), &who, facts, at)
}

fn privileged() -> RoleSet {
    RoleSet::EMPTY.with(Role::EmergencyClinician)
}

fn refusals(ground: &EmergencyGround) -> BTreeSet<ReasonCode> {
    match ground {
        EmergencyGround::Refuses(reasons) => reasons.clone(),
        EmergencyGround::Lets(rule) => panic!("{rule:?}"),
    }
}

#[test]
fn only_the_privileged_group_is_let_in() {
    let facts = declared(EmergencyReason::LifeThreat);
    assert!(matches!(says(privileged(), &facts, NOON), EmergencyGround::Lets(_)));
    let refused = refusals(&says(RoleSet::EMPTY, &facts, NOON));
    assert!(refused.contains(&ReasonCode::PurposeNotAllowed), "{refused:?}");
    // Who looks after the platform or proves what happened sees no records, emergencies included.
    for role in [Role::PrivacyOfficer, Role::Administrator, Role::Support] {
        let refused = refusals(&says(privileged().with(role), &facts, NOON));
        assert!(refused.contains(&ReasonCode::RoleWithoutClinicalData), "{role}");
    }
}

#[test]
fn the_policy_counts_minutes_and_wants_a_step_up() {
    let facts = declared(EmergencyReason::LifeThreat);
    let lets = |facts: &EmergencyFacts, at| {
        matches!(says(privileged(), facts, at), EmergencyGround::Lets(_))
    };
    assert!(lets(&facts, NOON.plus_secs(3_599)));
    assert!(!lets(&facts, NOON.plus_secs(3_600)));
    let stale = EmergencyFacts { authenticated_at: NOON.plus_secs(-STEP_UP_SECS_MAX), ..facts };
    assert!(!lets(&stale, NOON));
    let refused = refusals(&says(privileged(), &stale, NOON));
    assert!(refused.contains(&ReasonCode::StepUpNeeded), "{refused:?}");
}

#[test]
fn each_sensitive_kind_opens_by_a_policy_that_is_named() {
    let of = |reason| match says(privileged(), &declared(reason), NOON) {
        EmergencyGround::Lets(rule) => rule,
        EmergencyGround::Refuses(reasons) => panic!("{reasons:?}"),
    };
    let by = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    for reason in EmergencyReason::ALL.iter().copied() {
        let rule = of(reason);
        let cannot_consent =
            matches!(reason, EmergencyReason::Unresponsive | EmergencyReason::LifeThreat);
        let mut expected = SensitiveSet::all().without(SensitiveKind::PsychotherapyNotes);
        if !cannot_consent {
            expected = expected.without(SensitiveKind::SubstanceUse);
        }
        assert_eq!(rule.sensitive, expected, "{reason}");
        assert_eq!(rule.basis, ReasonCode::EmergencyAccess);
        assert_eq!(rule.by, by(&["emergency"]));
        assert_eq!(rule.by_kind[&SensitiveKind::Restricted], by(&["emergency"]));
        let part2 = rule.by_kind.get(&SensitiveKind::SubstanceUse);
        assert_eq!(part2.is_some(), cannot_consent, "{reason}");
        if let Some(part2) = part2 {
            assert_eq!(*part2, by(&["part-2-medical-emergency"]));
        }
        let noticed = SensitiveSet::EMPTY.with(SensitiveKind::SubstanceUse);
        assert_eq!(rule.noticed.is_empty(), !cannot_consent);
        assert!(rule.noticed.is_subset_of(noticed));
    }
}
