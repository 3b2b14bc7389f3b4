//! The laws of the decision function, each as a property over random worlds.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::worlds::{Mode, Person, World, any_world, relationship, sensitive};
use super::*;
use crate::category::{Category, PurposeSet, SensitiveKind};
use crate::consent::index::{ConsentIndex, MemoryNames};
use crate::consent::provision::Outcome;
use crate::consent::{ConsentStatus, ConsentVersion, NamedConsent};
use crate::interaction::Interaction;
use crate::org::{Obligation, SharedRules};

/// The world with another consent, if it has one.
fn with_consent(world: &World, change: impl FnOnce(&mut ConsentVersion)) -> World {
    let mut world = world.clone();
    if let Mode::Directed { consent: Some(named), .. } = &mut world.mode {
        let mut version = named.version().clone();
        change(&mut version);
        *named = NamedConsent::new(version);
    }
    world
}

fn implies(premise: bool, conclusion: bool) -> bool {
    !premise || conclusion
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_consent_out_of_the_index_decides_as_its_whole_version(world in any_world()) {
        if let Some(named) = world.consent() {
            let mut index = ConsentIndex::new([1, 2], MemoryNames::default());
            index.put(&named.facts()).unwrap();
            let indexed = index.get(&named.version().consent).unwrap();
            let whole = world.request();
            let mut request = whole;
            if let AccessMode::PatientDirected { consent, .. } = &mut request.mode {
                *consent = Some(indexed.facts());
            }
            prop_assert_eq!(plan(&request), plan(&whole));
            let recorded = record::RecordedRequest::of(&request);
            prop_assert_eq!(recorded, record::RecordedRequest::of(&whole));
            let matching = |filter: &ScopeFilter| world.matching.contains(filter);
            let tree = |request| {
                explain::explain(request, &world.interaction, &world.facts, &matching)
            };
            prop_assert_eq!(tree(&request), tree(&whole));
        }
    }

    /// Obligations (XACML 3.0 §7.18): a permit holds only where whoever enforces it carries out all
    /// that it demands.
    #[test]
    fn a_permit_that_demands_more_than_is_carried_out_is_none(
        world in any_world(),
        demanded in prop::collection::btree_set(prop::sample::select(Obligation::ALL), 0..4),
        met in prop::collection::btree_set(prop::sample::select(Obligation::ALL), 0..6),
    ) {
        let mut demanding = world.clone();
        demanding.met = met.into_iter().collect();
        let by_rules = world.policy.rules.as_ref().map(|rules| (**rules).clone());
        if let Some(mut rules) = by_rules {
            for rule in rules.rules.iter_mut().filter(|own| own.effect == Effect::Permit) {
                rule.obligations.clone_from(&demanded);
            }
            demanding.policy.rules = Some(SharedRules::new(rules));
        }
        let in_emergency = matches!(world.mode, Mode::Emergency { .. });
        let by_declaration =
            [Obligation::AuditTwice, Obligation::NotifyPatient, Obligation::OpenReview];
        let is_met = |own: &Obligation| {
            demanding.met.contains(*own) || in_emergency && by_declaration.contains(own)
        };
        let decided = demanding.decide();
        if world.policy.rules.is_none() || demanded.iter().all(is_met) {
            prop_assert_eq!(&decided, &world.decide());
        } else {
            prop_assert!(!decided.is_permit());
            let only = world.decide().is_permit();
            prop_assert!(implies(only, decided.reasons == [ReasonCode::PolicyFault]));
        }
        let record = record::RecordedRequest::of(&demanding.request());
        let again = record.request(demanding.consent().map(NamedConsent::facts));
        prop_assert_eq!(plan(&again), demanding.plan(), "what is kept decides alike");
    }

    #[test]
    fn default_deny(world in any_world()) {
        let mut bare = world.clone();
        bare.mode = match world.mode.clone() {
            Mode::Directed { person, .. } => Mode::Directed { consent: None, person },
            Mode::Operational { kind, objections, .. } => {
                Mode::Operational { kind, relationships: Vec::new(), objections }
            }
            Mode::Emergency { .. } => Mode::Emergency { declared: None },
            own @ (Mode::Own { .. } | Mode::PreAuthorized) => own,
        };
        match &bare.mode {
            Mode::Directed { .. } | Mode::Operational { .. } | Mode::Emergency { .. } => {}
            Mode::Own { .. } | Mode::PreAuthorized => bare.scopes = Some(Vec::new()),
        }
        prop_assert!(!bare.permits());
    }

    #[test]
    fn deny_overrides_permit(world in any_world()) {
        let mut world = world;
        let named: Vec<PatientId> = match &world.facts.belonging {
            Belonging::Patients(patients) => patients.iter().cloned().collect(),
            Belonging::Directory | Belonging::Unknown => Vec::new(),
        };
        if let (Mode::Operational { objections, .. }, false) = (&mut world.mode, named.is_empty()) {
            objections.extend(named.into_iter().map(|patient| (patient, CategorySet::all())));
            prop_assert!(!world.permits());
        }
    }

    #[test]
    fn adding_a_deny_never_permits(world in any_world(), kinds in sensitive()) {
        let mut stricter = world.clone();
        if let Mode::Operational { objections, .. } = &mut stricter.mode {
            objections.push(("p1".parse().unwrap(), CategorySet::EMPTY.with(Category::Vitals)));
        }
        prop_assert!(implies(stricter.permits(), world.permits()));

        let mut labelled = world.clone();
        if let Labels::Known(known) = &mut labelled.facts.labels {
            *known = known.union(kinds);
        }
        prop_assert!(implies(labelled.permits(), world.permits()), "labels");

        let mut crowded = world.clone();
        if let Belonging::Patients(patients) = &mut crowded.facts.belonging
            && !patients.is_empty()
        {
            patients.insert("p2".parse().unwrap());
        }
        prop_assert!(implies(crowded.permits(), world.permits()), "patients");
    }

    #[test]
    fn a_consent_on_file_never_widens(world in any_world(), other in any_world()) {
        let mut without = world.clone();
        without.facts.filed = None;
        without.policy.filed = FiledRule::Restricts;
        prop_assert!(implies(world.permits(), without.permits()), "any of them");

        let withholding = |outcome| matches!(outcome, Outcome::Deny | Outcome::Indeterminate);
        let mut stricter = world.clone();
        stricter.facts.filed = other.facts.filed.clone();
        let refuses = match (&stricter.facts.filed, &stricter.facts.belonging) {
            (Some(filed), Belonging::Patients(patients)) => filed
                .answers
                .iter()
                .any(|own| withholding(own.outcome) && patients.contains(&own.patient)),
            (Some(_), Belonging::Directory | Belonging::Unknown) | (None, _) => false,
        };
        let own = matches!(world.mode, Mode::Own { person: Person::Patient, .. });
        let about_consents = stricter.facts.resource_type == ResourceType::CONSENT;
        if refuses && !own && !about_consents {
            prop_assert!(!stricter.permits(), "one that withholds");
        }
    }

    #[test]
    fn where_a_consent_on_file_is_required_one_has_to_permit(world in any_world()) {
        let mut required = world.clone();
        required.policy.filed = FiledRule::Required;
        required.facts.filed = None;
        let heard = matches!(world.mode, Mode::Operational { .. } | Mode::PreAuthorized);
        let about_patients = matches!(world.facts.belonging, Belonging::Patients(_));
        let about_consents = world.facts.resource_type == ResourceType::CONSENT;
        if heard && about_patients && !about_consents {
            prop_assert!(!required.permits());
        }
        required.policy.filed = FiledRule::Restricts;
        let mut plain = world;
        plain.policy.filed = FiledRule::Restricts;
        plain.facts.filed = None;
        prop_assert_eq!(required.permits(), plain.permits());
    }

    #[test]
    fn adding_a_permit_never_denies(world in any_world(), extra in relationship()) {
        let wider = with_consent(&world, |version| {
            version.categories = CategorySet::all();
            version.sensitive = SensitiveSet::all();
            version.purposes = PurposeSet::all();
            version.data_period = Period::ALWAYS;
            version.period = Period::ALWAYS;
        });
        prop_assert!(implies(world.permits(), wider.permits()), "consent");

        let mut related = world.clone();
        if let Mode::Operational { relationships, .. } = &mut related.mode {
            relationships.push(extra);
        }
        // Policies are asked about the ways of being related that there are.
        related.ask_policies_again();
        prop_assert!(implies(world.permits(), related.permits()), "relationships");

        let mut scoped = world.clone();
        if let Some(scopes) = &mut scoped.scopes {
            scopes.push("user/*.cruds".parse().unwrap());
        }
        prop_assert!(implies(world.permits(), scoped.permits()), "scopes");
    }

    #[test]
    fn permit_names_its_basis(world in any_world()) {
        let decision = world.decide();
        let mut once = decision.reasons.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), decision.reasons.len(), "each reason is given once");
        prop_assert!(!decision.reasons.is_empty());
        for reason in &decision.reasons {
            prop_assert_eq!(reason.is_basis(), decision.is_permit());
        }
        if decision.is_permit() {
            prop_assert_eq!(decision.reasons.len(), 1);
            let plan = world.plan().unwrap();
            prop_assert_eq!(plan.consent.is_some(), matches!(world.mode, Mode::Directed { .. }));
            let in_emergency = matches!(world.mode, Mode::Emergency { .. });
            prop_assert_eq!(plan.emergency.is_some(), in_emergency);
            prop_assert!(plan.offers(&world.interaction, world.facts.resource_type));
        }
    }

    #[test]
    fn order_is_irrelevant(world in any_world()) {
        let mut turned = with_consent(&world, |version| version.granted_scopes.reverse());
        if let Mode::Operational { relationships, objections, .. } = &mut turned.mode {
            relationships.reverse();
            objections.reverse();
        }
        if let Some(scopes) = &mut turned.scopes {
            scopes.reverse();
        }
        prop_assert_eq!(turned.decide(), world.decide());
    }

    #[test]
    fn duplicate_is_irrelevant(world in any_world()) {
        let mut doubled =
            with_consent(&world, |version| version.granted_scopes.extend_from_within(..));
        if let Mode::Operational { relationships, objections, .. } = &mut doubled.mode {
            relationships.extend_from_within(..);
            objections.extend_from_within(..);
        }
        if let Some(scopes) = &mut doubled.scopes {
            scopes.extend_from_within(..);
        }
        prop_assert_eq!(doubled.decide(), world.decide());
    }

    #[test]
    fn narrower_scope_never_widens(world in any_world(), ceiling in any_world()) {
        let mut narrower = world.clone();
        if let (Some(own), Some(other)) = (&world.scopes, &ceiling.scopes) {
            let own: crate::scope::ScopeSet = own.iter().cloned().collect();
            narrower.scopes = Some(own.narrow(other).into_vec());
        }
        prop_assert!(implies(narrower.permits(), world.permits()));
    }

    #[test]
    fn narrower_consent_never_widens(world in any_world(), other in any_world()) {
        let Mode::Directed { consent: Some(other), .. } = &other.mode else { return Ok(()) };
        let other = other.version();
        let narrower = with_consent(&world, |version| {
            version.categories = version.categories.intersection(other.categories);
            version.sensitive = version.sensitive.intersection(other.sensitive);
            version.purposes = version.purposes.intersection(other.purposes);
            version.granted_scopes.truncate(1);
        });
        prop_assert!(implies(narrower.permits(), world.permits()));
    }

    #[test]
    fn revoked_never_permits(world in any_world()) {
        let revoked = with_consent(&world, |version| version.status = ConsentStatus::Inactive);
        if matches!(revoked.mode, Mode::Directed { .. }) {
            prop_assert!(!revoked.permits());
        }
    }

    #[test]
    fn expired_is_as_absent(world in any_world()) {
        let at = world.at;
        let expired = with_consent(&world, |version| {
            version.period = Period { start: None, end: Some(at) };
        });
        let mut absent = world.clone();
        if let Mode::Directed { consent, .. } = &mut absent.mode {
            *consent = None;
            prop_assert_eq!(expired.permits(), absent.permits());
        }
    }

    /// An emergency is over at its end, and nothing that somebody ended comes back.
    #[test]
    fn an_emergency_that_is_over_never_permits(world in any_world(), ended in any::<bool>()) {
        let mut over = world.clone();
        if let Mode::Emergency { declared: Some(declared) } = &mut over.mode {
            if ended {
                declared.ended_at = Some(declared.declared_at);
            } else {
                declared.ends_at = world.at;
            }
            prop_assert!(!over.permits());
        }
    }

    /// Emergency access stands in for consent and relationship, never for scope: what no scope of
    /// the token reaches stays closed.
    #[test]
    fn an_emergency_never_widens_a_scope(world in any_world(), scopes in any_world()) {
        let mut narrower = world.clone();
        if matches!(world.mode, Mode::Emergency { .. }) {
            narrower.scopes = Some(Vec::new());
            prop_assert!(!narrower.permits());
            narrower.scopes = scopes.scopes;
            if narrower.permits() {
                let kind = world.facts.resource_type;
                let mut own = narrower.scopes.iter().flatten().filter_map(Scope::as_resource);
                let reached = own.any(|scope| scope.reaches_type(kind));
                prop_assert!(reached);
            }
        }
    }

    #[test]
    fn unlabelled_is_as_restricted(world in any_world()) {
        let mut unlabelled = world.clone();
        unlabelled.facts.labels = Labels::Unclassified;
        let mut restricted = world;
        restricted.facts.labels =
            Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Restricted));
        prop_assert_eq!(unlabelled.permits(), restricted.permits());
    }

    #[test]
    fn plan_permits_only_what_it_offers(world in any_world()) {
        if let Ok(plan) = world.plan() {
            for resource_type in ResourceType::all() {
                let facts = ResourceFacts { resource_type, ..world.facts.clone() };
                if plan.decide(&world.interaction, &facts, &|_| true).is_permit() {
                    prop_assert!(plan.offers(&world.interaction, resource_type));
                }
            }
            prop_assert!(!plan.offers(&Interaction::Capabilities, ResourceType::PATIENT));
        }
    }

    #[test]
    fn same_input_same_bytes(world in any_world()) {
        let bytes = |plan: Result<AccessPlan, Decision>| match plan {
            Ok(plan) => serde_json::to_string(&plan).unwrap(),
            Err(denial) => serde_json::to_string(&denial).unwrap(),
        };
        prop_assert_eq!(bytes(world.plan()), bytes(world.clone().plan()));
        if let Ok(plan) = world.plan() {
            let back: AccessPlan = serde_json::from_str(&bytes(Ok(plan.clone()))).unwrap();
            prop_assert_eq!(back, plan);
        }
    }
}
