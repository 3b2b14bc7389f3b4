//! The words and the bytes of the question.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::account::ActorKind;
use crate::category::{CategorySet, PurposeOfUse, SensitiveSet};
use crate::decision::Labels;
use crate::interaction::Interaction;
use crate::resource_type::ResourceType;

fn pick<T: Copy + core::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn provenance() -> impl Strategy<Value = Provenance> {
    (pick(FactSource::ALL), pick(Age::ALL)).prop_map(|(source, age)| Provenance { source, age })
}

fn sourced<T: core::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Sourced<T>>> {
    proptest::option::of(
        (value, provenance()).prop_map(|(value, provenance)| Sourced { value, provenance }),
    )
}

fn resource() -> impl Strategy<Value = OrgResource> {
    let types: Vec<ResourceType> = ResourceType::all().collect();
    let of_type = proptest::sample::select(types);
    let categories = proptest::collection::vec(pick(crate::category::Category::ALL), 0..3);
    let kinds = proptest::collection::vec(pick(crate::category::SensitiveKind::ALL), 0..3);
    let labels = proptest::option::of(kinds).prop_map(|kinds| {
        kinds.map_or(Labels::Unclassified, |kinds| Labels::Known(kinds.into_iter().collect()))
    });
    prop_oneof![
        (of_type.clone(), categories, labels).prop_map(|(resource_type, categories, labels)| {
            let categories: CategorySet = categories.into_iter().collect();
            OrgResource::Record(RecordKind { resource_type, categories, labels })
        }),
        of_type.prop_map(OrgResource::Directory),
        pick(Governance::ALL).prop_map(OrgResource::Governance),
    ]
}

fn environment() -> impl Strategy<Value = Environment> {
    let place = sourced("[a-c]{1,3}".prop_map(|text| text.parse::<Place>().unwrap()));
    (
        proptest::option::of(pick(Network::ALL)),
        place,
        sourced(pick(Device::ALL)),
        proptest::option::of(pick(AuthLevel::ALL)),
        proptest::option::of(0_u8..24),
        proptest::option::of(1_u8..8),
    )
        .prop_map(|(network, place, device, acr, hour, weekday)| Environment {
            network,
            place,
            device,
            acr,
            hour,
            weekday,
        })
}

fn emergency() -> impl Strategy<Value = Option<Emergency>> {
    let same = prop_oneof![Just(PatientMatch::Same), Just(PatientMatch::Other)];
    let one = (proptest::option::of(pick(EmergencyReason::ALL)), any::<u8>(), same);
    proptest::option::of(one.prop_map(|(reason, minutes, for_patient)| Emergency {
        reason,
        minutes,
        for_patient,
    }))
}

fn question() -> impl Strategy<Value = OrgQuestion> {
    let subject = prop_oneof![
        "[a-b]{1,2}".prop_map(|t| OrgSubject::Account(alloc::format!("acc_{t}").parse().unwrap())),
        "[a-b]{1,2}".prop_map(|t| OrgSubject::Service(t.parse().unwrap())),
    ];
    let kinds = [ActorKind::Clinician, ActorKind::Nurse, ActorKind::System, ActorKind::Patient];
    let roles = sourced(proptest::collection::vec(pick(Role::ALL), 0..3)).prop_map(|own| {
        own.map(|own| Sourced {
            value: own.value.into_iter().collect::<RoleSet>(),
            provenance: own.provenance,
        })
    });
    let department = "[a-b]{1,2}".prop_map(|text| text.parse::<Department>().unwrap());
    let departments = sourced(proptest::collection::btree_set(department, 0..3));
    let related = proptest::collection::btree_map(pick(Relation::ALL), provenance(), 0..3);
    let who = (subject, proptest::sample::select(kinds.to_vec()), roles, departments, related);
    let what = (pick(Mode::ALL), pick(PurposeOfUse::ALL), pick(OrgAction::ALL), resource());
    let flags = (any::<bool>(), any::<bool>(), any::<u8>());
    (who, what, flags, environment(), emergency()).prop_map(
        |(who, what, flags, environment, emergency)| {
            let (subject, kind, roles, departments, related) = who;
            let (mode, purpose, action, resource) = what;
            let named: SensitiveSet = crate::category::SensitiveKind::ALL
                .iter()
                .enumerate()
                .filter(|(place, _)| flags.2 & (1 << (place % 8)) != 0)
                .map(|(_, kind)| *kind)
                .collect();
            OrgQuestion {
                subject,
                kind,
                roles,
                departments,
                related,
                mode,
                purpose,
                action,
                resource,
                named,
                tenant: if flags.0 { TenantMatch::Own } else { TenantMatch::Other },
                token: if flags.1 { TokenReach::Reaches } else { TokenReach::Lacks },
                environment,
                emergency,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    // Covers: design §6 (cache keys: every input, length-prefixed, injective)
    #[test]
    fn questions_share_bytes_only_when_they_are_the_same(one in question(), other in question()) {
        prop_assert_eq!(one.key() == other.key(), one == other);
        prop_assert_eq!(one.key(), one.clone().key());
    }

    #[test]
    fn no_bytes_of_a_question_begin_those_of_another(one in question(), other in question()) {
        let (one_key, other_key) = (one.key(), other.key());
        let begins = other_key.as_bytes().starts_with(one_key.as_bytes());
        prop_assert_eq!(begins, one == other);
    }

    #[test]
    fn every_field_is_part_of_the_bytes(one in question(), other in question()) {
        let key = one.key();
        for field in 0..14_u8 {
            let mut changed = one.clone();
            swap(&mut changed, &other, field);
            prop_assert_eq!(changed.key() == key, changed == one, "field {}", field);
        }
    }
}

fn swap(into: &mut OrgQuestion, other: &OrgQuestion, field: u8) {
    match field {
        0 => into.subject = other.subject.clone(),
        1 => into.kind = other.kind,
        2 => into.roles = other.roles.clone(),
        3 => into.departments = other.departments.clone(),
        4 => into.related = other.related.clone(),
        5 => into.mode = other.mode,
        6 => into.purpose = other.purpose,
        7 => into.action = other.action,
        8 => into.resource = other.resource,
        9 => into.named = other.named,
        10 => into.tenant = other.tenant,
        11 => into.token = other.token,
        12 => into.environment = other.environment.clone(),
        _ => into.emergency = other.emergency,
    }
}

#[test]
fn an_age_is_the_step_that_it_does_not_pass() {
    let steps = [
        (0, Age::Now),
        (1, Age::Minute),
        (60, Age::Minute),
        (61, Age::Quarter),
        (900, Age::Quarter),
        (901, Age::Hour),
        (3_600, Age::Hour),
        (3_601, Age::Day),
        (86_400, Age::Day),
        (86_401, Age::Older),
        // A fact from the future: some clock is wrong, and nothing is known about its age.
        (-1, Age::Older),
    ];
    for (secs, age) in steps {
        assert_eq!(Age::of_secs(secs), age, "{secs}");
        assert!(secs <= age.secs_max());
    }
}

#[test]
fn only_what_carries_others_or_is_open_to_all_is_no_action() {
    for none in [Interaction::Batch, Interaction::Transaction, Interaction::Capabilities] {
        assert_eq!(OrgAction::of(&none), None);
    }
    let operation = |name: &str| OrgAction::of(&Interaction::Operation(name.into()));
    assert_eq!(operation("everything"), Some(OrgAction::Search));
    assert_eq!(operation("export"), Some(OrgAction::Export));
    assert_eq!(operation("anything-else"), Some(OrgAction::Operation));
    assert_eq!(OrgAction::of(&Interaction::Delete), Some(OrgAction::Delete));
}

#[test]
fn a_kind_is_read_back_from_its_code() {
    let kinds = [
        ActorKind::Patient,
        ActorKind::Proxy,
        ActorKind::Clinician,
        ActorKind::Nurse,
        ActorKind::Staff,
        ActorKind::PrivacyOfficer,
        ActorKind::Administrator,
        ActorKind::SupportAgent,
        ActorKind::System,
    ];
    let codes: BTreeSet<&str> = kinds.iter().map(|kind| kind_code(*kind)).collect();
    assert_eq!(codes.len(), kinds.len());
    for kind in kinds {
        assert_eq!(kind_from_code(kind_code(kind)), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind_code(kind));
    }
    assert!(kind_from_code("surgeon").is_err());
}

#[test]
fn without_a_reason_an_answer_denies() {
    let answer = OrgAnswer::bare(crate::decision::Effect::Permit, BTreeSet::new());
    assert!(!answer.is_permit());
}
