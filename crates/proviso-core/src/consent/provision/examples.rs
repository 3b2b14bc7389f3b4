//! Single promises, each with both sides of its boundary.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::worlds::{OURS, THEIRS};
use super::*;
use crate::category::{SensitiveKind, SensitiveSet};
use crate::time::{At, Period};

fn purpose(code: &str) -> Purpose {
    Purpose::Hl7(code.parse().unwrap())
}

fn sensitive(code: &str) -> Label {
    Label::Sensitivity(code.parse().unwrap())
}

fn level(code: &str) -> Label {
    Label::Confidentiality(code.parse().unwrap())
}

fn request(asked: Purpose) -> RequestFacts {
    RequestFacts {
        at: At::from_secs(100),
        asker: Identities::exactly([Who::reference("Practitioner/p")]),
        others: Vec::new(),
        purpose: Fact::Known(asked),
        action: Fact::Unknown,
        locations: Fact::Known(BTreeSet::new()),
        understood: BTreeSet::from([OURS.into()]),
    }
}

fn record(labels: &[Label]) -> RecordFacts {
    RecordFacts {
        instance: Fact::Known(Who::reference("Observation/o")),
        labels: Fact::Known(labels.iter().cloned().collect()),
        authors: Fact::Known(Identities::default()),
        custodian: Fact::Known(Identities::default()),
        refers_to: Fact::Known(BTreeSet::new()),
        referred_by: Fact::Known(BTreeSet::new()),
        classes: Fact::Known(BTreeSet::new()),
        codes: Fact::Known(BTreeSet::new()),
        patients: Fact::Known(BTreeSet::new()),
        clinical: Fact::Unknown,
    }
}

fn directive(dialect: Dialect, root: Provision) -> Directive {
    Directive::new(dialect, None, vec![root], Vec::new()).unwrap()
}

fn says(directive: &Directive, request: &RequestFacts, record: &RecordFacts) -> Outcome {
    evaluate(directive, request, record).outcome(&record.labels)
}

/// What a provision at the root says to a request for treatment.
fn check(root: &Provision, record: &RecordFacts, wanted: Outcome) {
    let tree = directive(Dialect::FhirTree, root.clone());
    assert_eq!(says(&tree, &request(purpose("TREAT")), record), wanted, "{root:?} {record:?}");
}

fn permit() -> Provision {
    Provision::new(Rule::Permit)
}

fn deny() -> Provision {
    Provision::new(Rule::Deny)
}

// Covers: HL7 v3-ActReason PurposeOfUse, v3-ActCode InformationSensitivityPolicy.
#[test]
fn vocabularies_hold_every_code_once() {
    assert_eq!(PurposeCode::ALL.len(), 62);
    assert_eq!(Sensitivity::ALL.len(), 45);
    let purposes: BTreeSet<&str> = PurposeCode::ALL.iter().map(|it| it.code()).collect();
    let codes: BTreeSet<&str> = Sensitivity::ALL.iter().map(|it| it.code()).collect();
    assert_eq!((purposes.len(), codes.len()), (62, 45));
    for code in PurposeCode::ALL {
        assert_eq!(code.code().parse(), Ok(*code));
        assert!(code.reaches(*code) && code.is_a(PurposeCode::Any));
    }
    for code in Sensitivity::ALL {
        assert_eq!(code.code().parse(), Ok(*code));
        assert!(!code.kinds().is_empty());
    }
    assert!(Confidentiality::ALL.is_sorted());
}

#[test]
fn some_purposes_must_be_named() {
    for (named, asked, reaches) in [
        ("TREAT", "TREAT", true),
        ("TREAT", "COC", true),
        ("TREAT", "ETREAT", false),
        ("TREAT", "ERTREAT", false),
        ("TREAT", "BTG", false),
        ("ETREAT", "ERTREAT", true),
        ("ETREAT", "BTG", false),
        ("BTG", "BTG", true),
        ("PATRQT", "SUPNWK", true),
        ("PATRQT", "FAMRQT", false),
        ("PATRQT", "PWATRNY", false),
        ("PurposeOfUse", "HPAYMT", true),
        ("PurposeOfUse", "HRESCH", false),
        ("PurposeOfUse", "BIORCH", false),
        ("PurposeOfUse", "HMARKT", false),
        ("HRESCH", "CLINTRCHNPC", true),
        ("COC", "TREAT", false),
    ] {
        let provision = Provision { purposes: vec![purpose(named)], ..permit() };
        let deny = Provision { rule: Rule::Deny, ..provision.clone() };
        for (provision, wanted) in [(provision, Outcome::Permit), (deny, Outcome::Deny)] {
            let wanted = if reaches { wanted } else { Outcome::NotApplicable };
            let tree = directive(Dialect::FhirTree, provision);
            let got = says(&tree, &request(purpose(asked)), &record(&[]));
            assert_eq!(got, wanted, "{named} {asked}");
        }
    }
}

#[test]
fn sensitive_kinds_are_written_as_codes_and_read_back() {
    for kind in SensitiveKind::ALL {
        let only = SensitiveSet::EMPTY.with(*kind);
        assert_eq!(Sensitivity::of_kind(*kind).kinds(), only);
        let all: Vec<Sensitivity> = Sensitivity::all_of_kind(*kind).collect();
        assert!(all.contains(&Sensitivity::of_kind(*kind)));
        assert_eq!(LabelSet::from(only).kinds(), only);
    }
    // A code above several kinds counts as each.
    assert_eq!(Sensitivity::SpeciallyProtected.kinds().len(), 3);
}

#[test]
fn confidentiality_is_a_chain() {
    for (index, lower) in ["U", "L", "M", "N", "R", "V"].into_iter().enumerate() {
        for (other, upper) in ["U", "L", "M", "N", "R", "V"].into_iter().enumerate() {
            let labels = record(&[level(upper)]);
            let permits = Provision { labels: vec![level(lower)], ..permit() };
            let denies = Provision { labels: vec![level(lower)], ..deny() };
            let yes = |holds, outcome| if holds { outcome } else { Outcome::NotApplicable };
            check(&permits, &labels, yes(other <= index, Outcome::Permit));
            check(&denies, &labels, yes(other >= index, Outcome::Deny));
        }
    }
}

#[test]
fn sensitivity_is_a_tree() {
    let permits = |code| Provision { labels: vec![sensitive(code)], ..permit() };
    let denies = |code| Provision { labels: vec![sensitive(code)], ..deny() };
    check(&permits("SUD"), &record(&[sensitive("OPIOIDUD")]), Outcome::Permit);
    check(&permits("OPIOIDUD"), &record(&[sensitive("SUD")]), Outcome::NotApplicable);
    check(&denies("SUD"), &record(&[sensitive("OPIOIDUD")]), Outcome::Deny);
    check(&denies("SUD"), &record(&[sensitive("HIV")]), Outcome::NotApplicable);
    // What is only known to be specially protected may be about opioids.
    check(&denies("OPIOIDUD"), &record(&[sensitive("SPI")]), Outcome::Deny);
    check(&denies("OPIOIDUD"), &record(&[sensitive("ETHUD")]), Outcome::NotApplicable);
    // Two words for substance use.
    check(&denies("ETH"), &record(&[sensitive("ETHUD")]), Outcome::Deny);
    check(&denies("SUD"), &record(&[sensitive("ETH")]), Outcome::Deny);
    check(&permits("ETH"), &record(&[sensitive("ETHUD")]), Outcome::NotApplicable);
}

#[test]
fn every_sensitive_label_must_be_covered() {
    let psychiatry = Provision { labels: vec![sensitive("PSY")], ..permit() };
    check(&psychiatry, &record(&[level("R"), sensitive("PSY")]), Outcome::Permit);
    check(&psychiatry, &record(&[level("R"), sensitive("PSY"), sensitive("HIV")]), Outcome::Deny);
    let hiv = record(&[sensitive("PSY"), sensitive("HIV")]);
    let tree = directive(Dialect::FhirTree, psychiatry.clone());
    let evaluation = evaluate(&tree, &request(purpose("TREAT")), &hiv);
    let missing: Vec<Label> = evaluation.cover.missing(hiv.labels.known().unwrap()).collect();
    assert_eq!((evaluation.said, missing), (Outcome::Permit, vec![sensitive("HIV")]));
    // Including sensitive: R alone covers every category, R beside a category only that one.
    let restricted = Provision { labels: vec![level("R")], ..permit() };
    check(&restricted, &record(&[level("R"), sensitive("HIV")]), Outcome::Permit);
    let both = Provision { labels: vec![level("R"), sensitive("PSY")], ..permit() };
    check(&both, &record(&[level("R"), sensitive("HIV")]), Outcome::Deny);
    // Up to normal covers none.
    let normal = Provision { labels: vec![level("N")], ..permit() };
    check(&normal, &record(&[level("N"), sensitive("HIV")]), Outcome::Deny);
    check(&normal, &record(&[]), Outcome::Permit);
    // A handling label asks for nothing, a strange one does.
    let test = Label::Foreign(Coding::new(PURPOSE_SYSTEM, "HTEST"));
    check(&normal, &record(&[level("N"), test]), Outcome::Permit);
    let strange = Label::Foreign(Coding::new(THEIRS, "X"));
    check(&normal, &record(&[level("N"), strange.clone()]), Outcome::Deny);
    check(&permit(), &record(&[level("N"), strange]), Outcome::Permit);
}

#[test]
fn access_time_and_clinical_time_are_half_open_and_apart() {
    let bounds =
        |start, end| Period { start: Some(At::from_secs(start)), end: Some(At::from_secs(end)) };
    let timed = |period| Provision { period: Some(period), ..permit() };
    check(&timed(bounds(100, 200)), &record(&[]), Outcome::Permit);
    check(&timed(bounds(50, 100)), &record(&[]), Outcome::NotApplicable);
    check(&timed(bounds(101, 200)), &record(&[]), Outcome::NotApplicable);
    let of = |start, end| RecordFacts { clinical: Fact::Known(bounds(start, end)), ..record(&[]) };
    let permits = Provision { data_period: Some(bounds(10, 20)), ..permit() };
    let denies = Provision { data_period: Some(bounds(10, 20)), ..deny() };
    for (clinical, permitted, denied) in [
        (of(10, 20), true, true),
        (of(20, 21), false, false),
        (of(9, 10), false, false),
        // Partly inside: nobody knows on which side the record falls.
        (of(19, 21), false, true),
        (record(&[]), false, true),
    ] {
        let yes = |holds, outcome| if holds { outcome } else { Outcome::NotApplicable };
        check(&permits, &clinical, yes(permitted, Outcome::Permit));
        check(&denies, &clinical, yes(denied, Outcome::Deny));
    }
    // Reversed, or empty: not "never", but unreadable.
    check(&timed(bounds(200, 100)), &record(&[]), Outcome::Indeterminate);
    check(&timed(bounds(100, 100)), &record(&[]), Outcome::Indeterminate);
    let never = Provision { data_period: Some(bounds(20, 10)), ..permit() };
    check(&never, &of(12, 13), Outcome::Indeterminate);
}

#[test]
fn what_cannot_be_read_is_indeterminate_where_it_may_restrict() {
    let zap = Purpose::Foreign(Coding::new(THEIRS, "zap"));
    let known = Purpose::Foreign(Coding::new(OURS, "zip"));
    let with = |rule, purpose: &Purpose| Provision {
        purposes: vec![purpose.clone()],
        ..Provision::new(rule)
    };
    check(&with(Rule::Deny, &zap), &record(&[]), Outcome::Indeterminate);
    check(&with(Rule::Permit, &zap), &record(&[]), Outcome::NotApplicable);
    check(&with(Rule::Deny, &known), &record(&[]), Outcome::NotApplicable);
    let unread = Provision { unreadable: vec![Unreadable::Element("x".into())], ..permit() };
    check(&unread, &record(&[]), Outcome::Indeterminate);
    // Reached only where its parent applies.
    let elsewhere = Provision { children: vec![unread], ..with(Rule::Permit, &purpose("HPAYMT")) };
    check(&elsewhere, &record(&[]), Outcome::NotApplicable);
}

#[test]
fn an_unknown_attribute_makes_a_permit_not_match_and_a_deny_match() {
    let actor = |name: &str| {
        vec![ActorClause { role: ActorRole::Recipient, who: Some(Who::reference(name)) }]
    };
    let mut asked = request(purpose("TREAT"));
    let answer = |rule, name, asked: &RequestFacts| {
        let it = Provision { actors: actor(name), ..Provision::new(rule) };
        let evaluation = evaluate(&directive(Dialect::FhirTree, it), asked, &record(&[]));
        (evaluation.said, evaluation.rests_on_unknown())
    };
    assert_eq!(answer(Rule::Permit, "Practitioner/p", &asked), (Outcome::Permit, false));
    assert_eq!(answer(Rule::Permit, "Group/g", &asked), (Outcome::NotApplicable, false));
    assert_eq!(answer(Rule::Deny, "Group/g", &asked), (Outcome::NotApplicable, false));
    asked.asker.unresolved.insert(WhoKind::Group);
    assert_eq!(answer(Rule::Permit, "Group/g", &asked), (Outcome::NotApplicable, true));
    assert_eq!(answer(Rule::Deny, "Group/g", &asked), (Outcome::Deny, true));
    assert_eq!(answer(Rule::Deny, "CareTeam/t", &asked), (Outcome::NotApplicable, false));
}

#[test]
fn a_custodian_and_a_recipient_in_one_permit_are_both_required() {
    let clause = |role, name: &str| ActorClause { role, who: Some(Who::reference(name)) };
    let actors = vec![
        clause(ActorRole::Custodian, "Organization/o"),
        clause(ActorRole::Recipient, "Practitioner/p"),
    ];
    let held = |by: &str| RecordFacts {
        custodian: Fact::Known(Identities::exactly([Who::reference(by)])),
        ..record(&[])
    };
    let permits = Provision { actors: actors.clone(), ..permit() };
    check(&permits, &held("Organization/o"), Outcome::Permit);
    check(&permits, &held("Organization/x"), Outcome::NotApplicable);
    let denies = Provision { actors, ..deny() };
    check(&denies, &held("Organization/x"), Outcome::Deny);
}

#[test]
fn directives_are_bounded() {
    let nested = |depth: usize| {
        (1..depth).fold(permit(), |below, _| Provision { children: vec![below], ..permit() })
    };
    let make = |provisions| Directive::new(Dialect::FhirTree, None, provisions, Vec::new());
    assert!(make(vec![nested(Limits::DEPTH)]).is_ok());
    assert_eq!(make(vec![nested(Limits::DEPTH + 1)]), Err(DirectiveError::TooDeep));
    assert!(make(vec![permit(); Limits::PROVISIONS]).is_ok());
    assert_eq!(make(vec![permit(); Limits::PROVISIONS + 1]), Err(DirectiveError::TooMany));
    let codes = |many| vec![Provision { codes: vec![Coding::new(OURS, "c"); many], ..permit() }];
    assert!(make(codes(Limits::VALUES)).is_ok());
    assert_eq!(make(codes(Limits::VALUES + 1)), Err(DirectiveError::TooManyValues));
    // Nor can one be read in past the bounds.
    let deep = serde_json::json!({ "dialect": "fhir-tree", "provisions": [nested(17)] });
    assert!(serde_json::from_value::<Directive>(deep).is_err());
}

#[test]
fn a_plan_says_when_its_bits_are_used_up() {
    let compile = |many: usize, of: &dyn Fn(usize) -> Provision| {
        let all: Vec<Directive> =
            (0..many).map(|index| directive(Dialect::FhirTree, of(index))).collect();
        let consents: Vec<(At, &Directive)> =
            all.iter().map(|one| (At::from_secs(0), one)).collect();
        Plan::compile(&consents, Combination::DenyOverrides, &request(purpose("TREAT"))).err()
    };
    let code = |index| Provision { codes: vec![Coding::new(OURS, format!("{index}"))], ..permit() };
    assert_eq!(compile(ATOMS_MAX, &code), None);
    assert_eq!(compile(ATOMS_MAX + 1, &code), Some(PlanError::TooManyNames));
    let label = |index| Provision {
        labels: vec![Label::Foreign(Coding::new(OURS, format!("{index}")))],
        ..permit()
    };
    assert_eq!(compile(64, &label), None);
    assert_eq!(compile(65, &label), Some(PlanError::TooManyLabels));
}

/// Found by the long comparison: a plan asked for cover of a label that says only how to handle.
#[test]
fn a_plan_asks_for_no_cover_of_a_handling_label_that_a_provision_names() {
    let test = Label::Foreign(Coding::new(PURPOSE_SYSTEM, "HTEST"));
    let root = Provision { labels: vec![level("N"), test.clone()], ..permit() };
    let directive = directive(Dialect::FhirTree, root);
    let asked = request(purpose("TREAT"));
    let consents = [(At::from_secs(0), &directive)];
    let plan = Plan::compile(&consents, Combination::DenyOverrides, &asked).unwrap();
    let decide = |labels: &[Label]| plan.decide(&plan.view(&record(labels)));
    assert_eq!(decide(&[level("N"), test.clone()]), Outcome::Permit);
    assert_eq!(decide(&[level("N"), test, sensitive("HIV")]), Outcome::Deny);
}

#[test]
fn routine_care_is_for_plain_records_inside_the_organisation_that_holds_them() {
    let organisation = Who::reference("Organization/o");
    let mut asked = request(purpose("TREAT"));
    let held = |labels: &[Label]| RecordFacts {
        custodian: Fact::Known(Identities::exactly([organisation.clone()])),
        ..record(labels)
    };
    let rule =
        |asked: &RequestFacts, record: RecordFacts| Fallback::RoutineCare.rule(asked, &record);
    assert_eq!(rule(&asked, held(&[])), Rule::Deny);
    asked.asker.known.insert(organisation.clone());
    assert_eq!(rule(&asked, held(&[])), Rule::Permit);
    assert_eq!(Fallback::Deny.rule(&asked, &held(&[])), Rule::Deny);
    assert_eq!(rule(&asked, held(&[level("R")])), Rule::Deny);
    assert_eq!(rule(&asked, held(&[level("N"), sensitive("HIV")])), Rule::Deny);
    let unlabelled = RecordFacts { labels: Fact::Unknown, ..held(&[]) };
    assert_eq!(rule(&asked, unlabelled), Rule::Deny);
    asked.purpose = Fact::Known(purpose("BTG"));
    assert_eq!(rule(&asked, held(&[])), Rule::Deny);
}

/// The readings that part over a root, with the case on which they do.
fn parted(root: Provision, dialects: [&str; 2]) -> Option<Difference> {
    let dialects = dialects.map(|name| name.parse().unwrap());
    let directive = directive(Dialect::FhirTree, root);
    let found = compare(&directive, &dialects, Fallback::Deny);
    assert!(found.cases > 1 && found.cases <= CASES_MAX);
    found.differences.into_iter().next()
}

// The five conflicts of consent semantics that are told in docs/src/concepts/consent-semantics.md.
#[test]
fn the_grid_finds_a_case_for_each_known_disagreement() {
    let tpo = || vec![purpose("TREAT"), purpose("HPAYMT"), purpose("HOPERAT")];
    let p = || {
        vec![ActorClause {
            role: ActorRole::Recipient,
            who: Some(Who::reference("Practitioner/p")),
        }]
    };
    // 1. A focused permit outside the root's label.
    let focused = Provision {
        purposes: tpo(),
        labels: vec![level("N")],
        children: vec![Provision { labels: vec![sensitive("PSY")], actors: p(), ..permit() }],
        ..permit()
    };
    let case = parted(focused, ["ihe-pcf-advanced", "fhir-tree"]).unwrap();
    let [ihe, tree] = &case.answers[..] else { panic!("two answers") };
    assert_eq!((ihe.1, tree.1), (Outcome::Permit, Outcome::NotApplicable));
    // 2. Siblings that conflict.
    let place = vec![Who::reference("Location/ca")];
    let label = || vec![Label::Foreign(Coding::new(OURS, "ABORTION"))];
    let breadth = Provision {
        children: vec![
            Provision { labels: label(), ..deny() },
            Provision { labels: label(), locations: place, ..permit() },
        ],
        ..permit()
    };
    assert!(parted(breadth, ["fhir-tree", "permission-permit-overrides"]).is_some());
    // 4. What `related` means.
    let related = Provision {
        data: vec![DataClause {
            meaning: DataMeaning::Related,
            reference: Who::reference("Encounter/e"),
        }],
        ..permit()
    };
    assert!(parted(related, ["ihe-pcf-intermediate", "fhir-tree"]).is_some());
    // An exception to an exception is lost where any deny wins.
    let nested = Provision {
        children: vec![Provision {
            labels: vec![level("R")],
            children: vec![Provision { actors: p(), ..permit() }],
            ..deny()
        }],
        ..permit()
    };
    assert!(parted(nested, ["fhir-tree", "joint"]).is_some());
    // And where nothing parts, nothing is told.
    let plain = Provision { purposes: tpo(), ..permit() };
    assert_eq!(parted(plain, ["fhir-tree", "ihe-pcf-basic"]), None);
}
