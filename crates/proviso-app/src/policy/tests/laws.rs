//! Laws of answers, checked against Cedar itself and against the rule set that came before.

use std::collections::BTreeSet;

use proviso_core::decision::Effect;
use proviso_core::org::{OrgPolicy as _, OrgQuestion, RulesOne};

use super::super::analyse::Tabled;
use super::super::atom::{Tables, Truth};
use super::super::domain::{DIMS, Dim, Domain, Point};
use super::*;

/// A plain sequence of numbers, the same at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn point(&mut self, domain: &Domain) -> Point {
        let mut point = Domain::ordinary();
        for dim in DIMS {
            // Half of the facts stay ordinary, or nothing would ever be permitted.
            if self.below(2) == 0 {
                point.set(dim, self.below(domain.size(dim)));
            }
        }
        point
    }
}

fn tabled(set: &PolicySet, domain: &Domain) -> Vec<Tabled> {
    let mut findings = Vec::new();
    set.tabled(&mut Tables::new(domain, &set.words), &mut findings)
        .unwrap_or_else(|| panic!("{}", lines(&findings)))
}

fn decide(tabled: &[Tabled], point: &Point) -> (Effect, BTreeSet<String>) {
    let applying = |effect| {
        tabled
            .iter()
            .filter(move |own| own.rule.effect == effect && own.applies(point))
            .map(|own| own.rule.name.to_string())
            .collect::<BTreeSet<String>>()
    };
    let (forbids, permits) = (applying(Effect::Deny), applying(Effect::Permit));
    if !forbids.is_empty() {
        return (Effect::Deny, forbids);
    }
    (if permits.is_empty() { Effect::Deny } else { Effect::Permit }, permits)
}

#[test]
fn every_question_of_the_domain_fits_the_schema() {
    let set = starter();
    let (schema, _) = cedar_policy::Schema::from_cedarschema_str(SCHEMA).unwrap();
    let (domain, mut numbers) = (domain(&set), Numbers(1));
    for dim in DIMS {
        for value in 0..domain.size(dim) {
            let mut point = numbers.point(&domain);
            point.set(dim, value);
            let question = domain.question(&point);
            set.words.ask(&question, Some(&schema)).unwrap();
        }
    }
}

#[test]
fn what_the_checks_reason_with_is_what_is_answered() {
    let set = starter();
    let (domain, mut numbers) = (domain(&set), Numbers(2));
    let tabled = tabled(&set, &domain);
    let mut permits = 0;
    for _ in 0..3_000 {
        let point = numbers.point(&domain);
        let question = domain.question(&point);
        let answer = set.evaluate(&question);
        let names = answer.determining.iter().map(ToString::to_string).collect();
        assert_eq!(
            decide(&tabled, &point),
            (answer.effect, names),
            "{}",
            describe_question(&question)
        );
        assert!(!answer.reasons.is_empty());
        assert!(answer.reasons.iter().all(|own| own.is_basis() == answer.is_permit()));
        assert!(answer.is_permit() || answer.obligations.is_empty());
        permits += usize::from(answer.is_permit());
    }
    assert!(permits > 60, "only {permits} points permit: the comparison would see one side");
}

/// A question with one fact less.
fn without(question: &OrgQuestion, fact: usize) -> OrgQuestion {
    let mut less = question.clone();
    match fact {
        0 => less.roles = None,
        1 => less.departments = None,
        2 => less.related.clear(),
        3 => less.named = proviso_core::category::SensitiveSet::EMPTY,
        4 => less.environment.network = None,
        5 => less.environment.place = None,
        6 => less.environment.device = None,
        7 => less.environment.acr = None,
        8 => less.environment.hour = None,
        9 => less.environment.weekday = None,
        _ => less.emergency = None,
    }
    less
}

// Covers: issue "missing attribute = deny"; consent.md §7.4
#[test]
fn what_nobody_knows_never_permits() {
    let set = starter();
    let (domain, mut numbers) = (domain(&set), Numbers(3));
    for _ in 0..400 {
        let question = domain.question(&numbers.point(&domain));
        if set.evaluate(&question).is_permit() {
            continue;
        }
        for fact in 0..11 {
            let less = without(&question, fact);
            assert!(!set.evaluate(&less).is_permit(), "{}", describe_question(&less));
        }
    }
}

/// The differences from the fixed rules, as "who: which policy". Everything else is decided alike.
const INTENDED: &[&str] = &[
    // Roles and relations that the fixed rules did not know.
    "+ a clinician: consultant",
    "+ a clinician: covering-clinician",
    "+ a clinician: clinicians-directory",
    "+ a nurse at the front desk: front-desk-books",
    "+ a nurse at the front desk: front-desk-looks",
    "+ a nurse at the front desk: front-desk-directory",
    "+ a privacy officer: privacy-officer-decides",
    "+ a privacy officer: privacy-officer-looks",
    "+ a researcher: researcher-with-protocol",
    "+ a support agent who also bills: billing-directory",
    "+ a support agent who also bills: support",
    "+ a support agent: support",
    "+ an administrator who also treats: administrator",
    "+ an administrator who also treats: clinicians-directory",
    "+ an administrator who also treats: emergency-directory",
    "+ an administrator: administrator",
    "+ an emergency clinician: clinicians-directory",
    "+ an emergency clinician: consultant",
    "+ an emergency clinician: covering-clinician",
    "+ an emergency clinician: emergency",
    "+ an emergency clinician: emergency-directory",
    "+ an emergency clinician: part-2-medical-emergency",
    "+ the billing office: billing",
    "+ the billing office: billing-directory",
    "+ the front desk: front-desk-books",
    "+ the front desk: front-desk-looks",
    "+ the front desk: front-desk-directory",
    // A directory entry is changed by services only. The decision function said so itself; the
    // fixed rules left it to that.
    "- a clinician: directory",
    "- a nurse: directory",
    "- a nurse at the front desk: directory",
    "- an emergency clinician: directory",
];

// Covers: the starter set permits what `org-rules/1` permits, and the new roles
#[test]
fn the_starter_set_differs_from_the_fixed_rules_where_it_is_meant_to() {
    let set = starter();
    let domain = domain(&set);
    let tabled = tabled(&set, &domain);
    let actions = representatives(&domain, &tabled, Dim::Action);
    let records = representatives(&domain, &tabled, Dim::Record);
    let mut found = BTreeSet::new();
    let mut compared = 0_u64;
    for persona in 0..domain.personas.len() {
        let mut point = Domain::ordinary();
        point.set(Dim::Persona, persona);
        let own = &domain.personas[persona];
        let place = |wanted: Mode| Mode::ALL.iter().position(|mode| *mode == wanted).unwrap();
        point.set(
            Dim::Mode,
            place(match own.kind {
                ActorKind::Patient | ActorKind::Proxy => continue,
                ActorKind::System => Mode::PreAuthorized,
                ActorKind::Clinician
                | ActorKind::Nurse
                | ActorKind::Staff
                | ActorKind::PrivacyOfficer
                | ActorKind::Administrator
                | ActorKind::SupportAgent => Mode::Operational,
            }),
        );
        // What the new roles need: the office, a step-up, an open emergency.
        point.set(Dim::Auth, 3);
        point.set(Dim::Emergency, 3);
        for relation in fresh(&domain) {
            for purpose in 0..domain.size(Dim::Purpose) {
                for record in &records {
                    for labels in 0..domain.size(Dim::Labels) {
                        for (dim, value) in [
                            (Dim::Relation, relation),
                            (Dim::Purpose, purpose),
                            (Dim::Record, *record),
                            (Dim::Labels, labels),
                        ] {
                            point.set(dim, value);
                        }
                        // The fixed rules do not look at the action.
                        let question = domain.question(&point);
                        let before = RulesOne.answer(&question).effect;
                        for action in &actions {
                            point.set(Dim::Action, *action);
                            compared += 1;
                            differ(before, &question, &tabled, own.name, &point, &mut found);
                        }
                    }
                }
            }
        }
    }
    let intended: BTreeSet<String> = INTENDED.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(found, intended);
    assert!(records.len() > 6 && actions.len() > 3, "{records:?} {actions:?}");
    assert!(compared > 300_000, "{compared}");
}

/// No relation, and each relation as of now.
fn fresh(domain: &Domain) -> Vec<usize> {
    let now = |own: &Option<(proviso_core::org::Relation, proviso_core::org::Age)>| {
        own.is_none_or(|(_, age)| age == proviso_core::org::Age::Now)
    };
    let places = domain.relations.iter().enumerate().filter(|(_, own)| now(own));
    places.map(|(place, _)| place).collect()
}

/// One value of each group of values of a fact that no policy tells apart, whatever the labels.
fn representatives(domain: &Domain, tabled: &[Tabled], dim: Dim) -> Vec<usize> {
    let mut seen: Vec<Vec<Truth>> = Vec::new();
    let mut kept = Vec::new();
    for value in 0..domain.size(dim) {
        let mut truths = Vec::new();
        for atom in tabled.iter().flat_map(|own| &own.atoms).filter(|own| own.dims.contains(&dim)) {
            let others = [dim, Dim::Labels, Dim::Named];
            assert!(atom.dims.iter().all(|own| others.contains(own)));
            for labels in 0..domain.size(Dim::Labels) {
                let mut point = Domain::ordinary();
                point.set(dim, value);
                point.set(Dim::Labels, labels);
                truths.push(atom.at(&point));
            }
        }
        // Records, entries and governance are told apart by the fixed rules as well.
        let mut point = Domain::ordinary();
        point.set(dim, value);
        let kind = RulesOne.answer(&domain.question(&point)).reasons.len();
        truths.extend(std::iter::repeat_n(Truth::True, kind));
        if !seen.contains(&truths) {
            seen.push(truths);
            kept.push(value);
        }
    }
    kept
}

fn differ(
    before: Effect,
    question: &OrgQuestion,
    tabled: &[Tabled],
    persona: &str,
    point: &Point,
    found: &mut BTreeSet<String>,
) {
    let applies =
        |effect| tabled.iter().filter(move |own| own.rule.effect == effect && own.applies(point));
    let forbidden = applies(Effect::Deny).next().is_some();
    let mut permits = applies(Effect::Permit).peekable();
    let after = permits.peek().is_some() && !forbidden;
    match (before, after) {
        (Effect::Deny, true) => {
            found.extend(permits.map(|own| format!("+ {persona}: {}", own.rule.name)));
        }
        (Effect::Permit, false) => {
            let what = match question.resource {
                proviso_core::org::OrgResource::Directory(_) => "directory",
                proviso_core::org::OrgResource::Record(_) => "record",
                proviso_core::org::OrgResource::Governance(_) => "governance",
            };
            found.insert(format!("- {persona}: {what}"));
        }
        (Effect::Permit, true) | (Effect::Deny, false) => {}
    }
}

// Covers: what plans are made from is what the fixed rules said
#[test]
fn plans_are_made_from_the_same_rules_as_before() {
    use proviso_core::decision::org_rules;
    let set = starter();
    for kind in [
        ActorKind::Clinician,
        ActorKind::Nurse,
        ActorKind::Staff,
        ActorKind::PrivacyOfficer,
        ActorKind::Administrator,
        ActorKind::SupportAgent,
    ] {
        let ground = OrgQuestion::of_account("acc_one".parse().unwrap(), kind, Mode::Operational);
        let rule = proviso_core::org::staff_rule(&*set, &ground);
        assert_eq!(rule, org_rules::rule_for(kind), "{kind:?}");
    }
    let service = OrgQuestion::of_service("quality-study".parse().unwrap());
    let purposes = proviso_core::org::purposes_of(&*set, &service);
    assert_eq!(purposes, org_rules::PRE_AUTHORIZED_PURPOSES);
}
