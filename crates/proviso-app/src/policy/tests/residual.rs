//! The rules for one who asks answer every question as the policies themselves do.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proviso_core::category::{CategorySet, SensitiveSet};
use proviso_core::decision::{Effect, Labels};
use proviso_core::org::{
    Age, Environment, ObligationSet, OrgAnswer, OrgResource, OrgRules, Provenance, RecordKind,
    Related, Relation, RoleSet, RuleQuestion, SharedRules, Sourced,
};

use super::*;

/// Every way in which a policy can look at a record, an action, a purpose or a relation.
const ODD: &str = r#"
@id("any-of") @reason("care-relationship") @otherwise("kind-not-for-role; purpose-not-allowed")
permit (principal in Role::"clinician", action, resource is Record)
when { resource.categories.containsAny([Category::"notes", Category::"problems"]) }
when { if context.purpose == Purpose::"TREAT" then context has care else resource.labelled };

@id("all-of") @reason("on-shift") @otherwise("kind-not-for-role; unlabelled")
permit (principal in Role::"nurse", action in Action::"view", resource is Record)
when { resource.categories.containsAll([Category::"notes", Category::"visits"]) ||
       resource.kinds == [SensitiveKind::"hiv", SensitiveKind::"sti"] }
when { resource.labelled != false };

@id("by-type") @reason("billing-work") @otherwise("kind-not-for-role; interaction-not-for-role")
permit (principal, action, resource)
when { resource is Record && (resource.type == Type::"Claim" ||
       [Type::"Coverage", Type::"Account"].contains(resource.type)) ||
       resource is Directory && resource.type != Type::"Location" }
unless { action == Action::"delete" || (action in Action::"change" && !(context has shift)) };

@id("one-person") @reason("oversight") @otherwise("no-care-relationship")
permit (principal == Person::"acc_one", action == Action::"read", resource is Record)
when { context has care && context.care.source != Source::"account" && context.care.age <= 900 };

@id("own-chart") @reason("policy-forbids")
forbid (principal is Person, action, resource is Record)
when { context.mode == Mode::"operational" }
when { context has self };

@id("both-kinds") @reason("sensitive-kind-not-shared")
forbid (principal, action in [Action::"read", Action::"search-type"], resource is Record)
when { resource.kinds.contains(SensitiveKind::"hiv") &&
       resource.kinds.contains(SensitiveKind::"mental-health") };

@id("named-only") @reason("kind-not-for-role")
forbid (principal, action, resource is Record)
when { context.mode == Mode::"operational" }
unless { resource.kinds.isEmpty() || !resource.categories.isEmpty() ||
         [SensitiveKind::"genetics"].containsAll(resource.kinds) };

@id("overflows") @reason("environment-not-allowed")
forbid (principal, action, resource is Record)
when { context has hour && context.hour == 3 && context has covering }
when { context.covering.age + 9223372036854775807 > 5 };
"#;

fn odd() -> PolicySet {
    let policies = vec![TextFile { name: "odd.cedar".to_owned(), text: ODD.to_owned() }];
    let documents = Documents { policies, tests: Vec::new(), ..Documents::starter() };
    PolicySet::compile(documents).unwrap_or_else(|findings| panic!("{}", lines(&findings)))
}

fn subset<T: Copy + std::fmt::Debug + 'static>(
    all: &'static [T],
    most: usize,
) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(proptest::sample::select(all), 0..=most)
}

fn related() -> impl Strategy<Value = Related> {
    let fact = (
        proptest::sample::select(Relation::ALL),
        proptest::sample::select(FactSource::ALL),
        proptest::sample::select(Age::ALL),
    );
    proptest::collection::vec(fact, 0..4).prop_map(|facts| {
        let fact = |(relation, source, age)| (relation, Provenance { source, age });
        facts.into_iter().map(fact).collect()
    })
}

fn ground() -> impl Strategy<Value = OrgQuestion> {
    let kinds = [
        ActorKind::Clinician,
        ActorKind::Nurse,
        ActorKind::Staff,
        ActorKind::PrivacyOfficer,
        ActorKind::Administrator,
        ActorKind::SupportAgent,
    ];
    let who = (
        proptest::sample::select(&["acc_one", "acc_two"][..]),
        proptest::sample::select(kinds.to_vec()),
    );
    let roles = (subset(Role::ALL, 2), proptest::sample::select(Age::ALL), 0_u8..20);
    let place = (
        proptest::option::of(proptest::sample::select(Network::ALL)),
        proptest::option::of(proptest::sample::select(AuthLevel::ALL)),
        proptest::option::of(prop_oneof![Just(3_u8), 0_u8..24]),
        proptest::option::of((
            proptest::sample::select(Device::ALL),
            proptest::sample::select(Age::ALL),
        )),
    );
    (who, roles, place, 0_u8..6).prop_map(|((id, kind), (given, age, known), place, service)| {
        if service == 0 {
            return OrgQuestion::of_service("quality-study".parse().unwrap());
        }
        let mut question = OrgQuestion::of_account(id.parse().unwrap(), kind, Mode::Operational);
        let roles = RoleSet::of_kind(kind).union(given.into_iter().collect());
        question.roles = (known > 0).then_some(Sourced {
            value: roles,
            provenance: Provenance { source: FactSource::Scim, age },
        });
        let (network, acr, hour, device) = place;
        let device = device.map(|(value, age)| Sourced {
            value,
            provenance: Provenance { source: FactSource::Session, age },
        });
        question.environment = Environment { network, acr, hour, device, ..Environment::default() };
        question
    })
}

/// Kinds that few roles see, so that those roles see something.
const DESK: &[Category] = &[Category::Demographics, Category::Appointments];

fn resource() -> impl Strategy<Value = OrgResource> {
    let types: Vec<ResourceType> = ResourceType::all().collect();
    let usual = ["Claim", "Coverage", "Observation", "DocumentReference", "Location"];
    let usual: Vec<ResourceType> = usual.iter().map(|own| own.parse().unwrap()).collect();
    let kind = prop_oneof![proptest::sample::select(types), proptest::sample::select(usual)];
    let labels = prop_oneof![
        2 => Just(Labels::Known(SensitiveSet::EMPTY)),
        4 => subset(SensitiveKind::ALL, 3).prop_map(|own| Labels::Known(own.into_iter().collect())),
        1 => Just(Labels::Unclassified),
    ];
    (kind, prop_oneof![subset(Category::ALL, 3), subset(DESK, 2)], labels, 0_u8..8).prop_map(
        |(kind, categories, labels, which)| {
            if which == 0 {
                return OrgResource::Directory(kind);
            }
            let categories: CategorySet = categories.into_iter().collect();
            OrgResource::Record(RecordKind { resource_type: kind, categories, labels })
        },
    )
}

type Rest = (usize, PurposeOfUse, OrgAction, OrgResource);

fn rest() -> impl Strategy<Value = Vec<Rest>> {
    let one = (
        0_usize..64,
        prop_oneof![
            Just(PurposeOfUse::Treatment),
            Just(PurposeOfUse::Operations),
            proptest::sample::select(PurposeOfUse::ALL),
        ],
        prop_oneof![Just(OrgAction::Read), proptest::sample::select(OrgAction::ALL)],
        resource(),
    );
    proptest::collection::vec(one, 40)
}

fn question(ground: &OrgQuestion, rules: &OrgRules, rest: &Rest) -> (RuleQuestion, OrgQuestion) {
    let (standing, purpose, action, resource) = *rest;
    let standing = standing % rules.standings.len();
    let related = rules.standings[standing].clone();
    let short = RuleQuestion { standing: standing.try_into().unwrap(), purpose, action, resource };
    (short, OrgQuestion { related, purpose, action, resource, ..ground.clone() })
}

/// Asks many questions both ways, and returns how many were permitted.
fn agree(set: &PolicySet, grounds: u32) -> (u32, u32, BTreeSet<ReasonCode>) {
    let config = Config { cases: grounds, failure_persistence: None, ..Config::default() };
    // The same questions each time, since what has to come up among them is counted.
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seen = std::cell::RefCell::new((0, 0, BTreeSet::new()));
    let world = (ground(), proptest::collection::vec(related(), 0..4), rest());
    runner
        .run(&world, |(ground, ways, rest)| {
            let rules = set.rules_for(&ground, ways);
            let text = serde_json::to_string(&rules).unwrap();
            let rules: OrgRules = serde_json::from_str(&text).unwrap();
            let shared = SharedRules::new(rules.clone());
            for rest in &rest {
                let (short, whole) = question(&ground, &rules, rest);
                let wanted = OrgAnswer { advice: Vec::new(), ..set.evaluate(&whole) };
                let answer = rules.answer(&short);
                prop_assert_eq!(&answer, &wanted, "{}", describe_question(&whole));
                let open = wanted.is_permit() && wanted.obligations.is_empty();
                prop_assert_eq!(rules.basis(&short, ObligationSet::EMPTY).is_some(), open);
                prop_assert_eq!(
                    shared.basis(&short, ObligationSet::EMPTY),
                    rules.basis(&short, ObligationSet::EMPTY)
                );
                prop_assert_eq!(rules.refusals(&short, ObligationSet::EMPTY).is_empty(), open);
                if open {
                    // What is permitted for some record was never said to be out of the question.
                    let record = matches!(short.resource, OrgResource::Record(_));
                    let hopeless = rules.hopeless(short.standing, short.purpose);
                    prop_assert!(!record || hopeless.is_empty(), "{:?}", hopeless);
                }
                let mut seen = seen.borrow_mut();
                seen.0 += 1;
                seen.1 += u32::from(wanted.effect == Effect::Permit);
                seen.2.extend(wanted.reasons);
            }
            Ok(())
        })
        .unwrap();
    seen.into_inner()
}

#[test]
fn the_rules_for_one_who_asks_answer_as_the_starter_set_does() {
    let (asked, permitted, reasons) = agree(&starter(), 600);
    assert!(asked >= 10_000 && permitted >= 100, "{asked} asked, {permitted} permitted");
    for reason in [
        ReasonCode::CareRelationship,
        ReasonCode::FrontDeskWork,
        ReasonCode::KindNotForRole,
        ReasonCode::InteractionNotForRole,
        ReasonCode::SensitiveKindNotShared,
        ReasonCode::FactMissing,
    ] {
        assert!(reasons.contains(&reason), "{reason:?} never came up");
    }
}

#[test]
fn the_rules_for_one_who_asks_answer_as_policies_with_every_operator_do() {
    let set = odd();
    assert!(set.unplannable().is_empty());
    let (asked, permitted, reasons) = agree(&set, 255);
    assert!(asked >= 10_000 && permitted >= 100, "{asked} asked, {permitted} permitted");
    for reason in [ReasonCode::Oversight, ReasonCode::PolicyFault, ReasonCode::PolicyForbids] {
        assert!(reasons.contains(&reason), "{reason:?} never came up");
    }
}

/// A policy that looks at a record in a way that only Cedar could evaluate.
fn strange(effect: &str) -> PolicySet {
    let annotations = match effect {
        "permit" => "@reason(\"care-relationship\") @otherwise(\"kind-not-for-role\")",
        _ => "@reason(\"kind-not-for-role\")",
    };
    let text = format!(
        "@id(\"plain\") @reason(\"care-relationship\")
         permit (principal in Role::\"clinician\", action, resource is Record);
         @id(\"strange\") {annotations}
         {effect} (principal in Role::\"nurse\", action, resource is Record)
         when {{ [resource.categories].contains([Category::\"notes\"]) }};"
    );
    let policies = vec![TextFile { name: "strange.cedar".to_owned(), text }];
    let documents = Documents { policies, tests: Vec::new(), ..Documents::starter() };
    PolicySet::compile(documents).unwrap_or_else(|findings| panic!("{}", lines(&findings)))
}

#[test]
fn what_cannot_be_worked_out_ahead_opens_nothing_and_never_comes_into_force() {
    let asked = |set: &PolicySet, roles: &[Role]| {
        let staff = OrgQuestion::of_account(
            "acc_one".parse().unwrap(),
            ActorKind::Staff,
            Mode::Operational,
        );
        let rules = set.rules_for(&staff.with_roles(roles.iter().copied().collect()), []);
        let record = RecordKind {
            resource_type: ResourceType::OBSERVATION,
            categories: CategorySet::EMPTY.with(Category::Laboratory),
            labels: Labels::Known(SensitiveSet::EMPTY),
        };
        let question = RuleQuestion {
            standing: 0,
            purpose: PurposeOfUse::Treatment,
            action: OrgAction::Read,
            resource: OrgResource::Record(record),
        };
        rules.refusals(&question, ObligationSet::EMPTY)
    };
    let permits = strange("permit");
    assert_eq!(asked(&permits, &[Role::Nurse]), BTreeSet::from([ReasonCode::PolicyFault]));
    assert_eq!(asked(&permits, &[Role::Clinician]), BTreeSet::new());
    let forbids = strange("forbid");
    let both = [Role::Nurse, Role::Clinician];
    assert_eq!(asked(&forbids, &both), BTreeSet::from([ReasonCode::KindNotForRole]));
    assert_eq!(asked(&forbids, &[Role::Clinician]), BTreeSet::new());
    for set in [permits, forbids] {
        let report = set.check();
        let found = |own: &&Finding| own.code == FindingCode::Unplannable;
        let finding = report.findings.iter().find(found).unwrap();
        assert!(finding.is_error());
        assert_eq!(finding.place.as_ref().unwrap().name.as_deref(), Some("strange"));
    }
    assert!(starter().unplannable().is_empty());
}

/// Somebody whom a limit keeps from every record, and a permit lets read names of places, may ask:
/// the directory answers, and no record does (the limits of the starter set are about records).
#[test]
fn who_may_read_the_directory_and_no_record_may_ask() {
    use proviso_core::decision::{
        AccessMode, AccessRequest, Belonging, OrgGround, ResourceFacts, plan,
    };
    use proviso_core::interaction::Interaction;
    let set = PolicySet::starter().unwrap();
    let account: proviso_core::id::AccountId = "acc_one".parse().unwrap();
    let facts = |resource_type, belonging| ResourceFacts {
        resource_type,
        id: None,
        belonging,
        categories: CategorySet::EMPTY,
        labels: Labels::Known(SensitiveSet::EMPTY),
        clinical_period: None,
        filed: None,
    };
    let asked = |roles: &[Role], purpose| {
        let kind = ActorKind::SupportAgent;
        let who = OrgQuestion::of_account(account.clone(), kind, Mode::Operational);
        let roles = RoleSet::of_kind(kind).union(roles.iter().copied().collect());
        let mut who = who.with_roles(roles);
        who.environment.network = Some(Network::Internal);
        let policy = OrgGround::by_rules("some".to_owned(), set.rules_for(&who, []));
        let plan = plan(&AccessRequest {
            policy: &policy,
            at: proviso_core::time::At::from_secs(1_790_000_000),
            client: &"chart-lens".parse().unwrap(),
            account: Some(&account),
            mode: AccessMode::Operational { kind, relationships: &[], objections: &[] },
            scopes: Some(&["user/*.rs".parse().unwrap()]),
            patient_in_context: None,
            purpose,
            met: proviso_core::org::ObligationSet::EMPTY,
        })
        .ok()?;
        let reads = |facts| plan.decide(&Interaction::Read, &facts, &|_| true).is_permit();
        let patients = Belonging::Patients(["maria".parse().unwrap()].into());
        Some((
            reads(facts(ResourceType::ORGANIZATION, Belonging::Directory)),
            reads(facts(ResourceType::OBSERVATION, patients)),
        ))
    };
    assert_eq!(asked(&[Role::Billing], PurposeOfUse::Payment), Some((true, false)));
    assert_eq!(asked(&[Role::Billing], PurposeOfUse::Treatment), None);
    assert_eq!(asked(&[], PurposeOfUse::Payment), None);
}
