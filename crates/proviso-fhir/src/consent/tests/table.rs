//! The truth table of the IHE PCF examples, from JSON through the reader to the engine.
//!
//! Rows, columns and answers are those of the worked table (purpose TREAT, access in 2026, the
//! consent alone), with the records that make every consent separate some. The oracle is the table,
//! written by hand.

use super::*;
use proviso_core::consent::provision::{
    ACTION_SYSTEM, Coding, Fact, Identities, Outcome, PURPOSE_SYSTEM, Purpose, RecordFacts,
    RequestFacts, Who, evaluate,
};
use proviso_core::time::At;

const RECORDS: [&str; 10] = [
    "ex-alcoholUse",
    "ex-bloodSugar",
    "ex-bloodPressure",
    "ex-weight",
    "ex-weight-2",
    "ex-encounter",
    "ours-by-practitioner",
    "ours-elsewhere",
    "ours-psychiatry",
    "ours-psychiatry-hiv",
];

fn request(purpose: &str, who: &[&str], at: &str) -> RequestFacts {
    let purpose = match purpose.split_once('#') {
        Some((system, code)) => Coding::new(system, code),
        None => Coding::new(PURPOSE_SYSTEM, purpose),
    };
    RequestFacts {
        at: At::parse(at).unwrap(),
        asker: Identities::exactly(who.iter().copied().map(Who::reference)),
        others: Vec::new(),
        purpose: Fact::Known(Purpose::from_coding(purpose)),
        action: Fact::Unknown,
        locations: Fact::Unknown,
        understood: understood(),
    }
}

/// The answers for every record: `+` permit, `-` deny, `.` not applicable, `?` indeterminate.
fn answers(consent: &str, request: &RequestFacts) -> String {
    let consent = read_doc(&fixture(&format!("pcf/{consent}")), Version::R4).unwrap();
    RECORDS
        .iter()
        .map(|name| {
            let doc = fixture(&format!("records/{name}"));
            let record =
                record_facts(doc.root(), RULES.label(doc.root()), &RULES, &Zone::UTC, OWN_BASE);
            match evaluate(consent.directive(), request, &record).outcome(&record.labels) {
                Outcome::Permit => '+',
                Outcome::Deny => '-',
                Outcome::NotApplicable => '.',
                Outcome::Indeterminate => '?',
            }
        })
        .collect()
}

const P: &[&str] = &["Practitioner/ex-practitioner"];
const CLERK: &[&str] = &["Practitioner/ex-clerk"];
const PRIVILEGED: &[&str] = &["Practitioner/ex-practitioner", "Group/ex-privilegedUsers"];

fn check(consent: &str, purpose: &str, who: &[&str], expected: &str) {
    let found = answers(consent, &request(purpose, who, "2026-03-01T10:00:00Z"));
    assert_eq!(found, expected, "{consent} for {purpose} by {who:?}");
}

// Covers: IHE PCF 1.1, examples; columns: alc sug bp wt wt2 enc | byP elsewhere psy psy+hiv
#[test]
fn the_basic_examples_answer_as_the_table_says() {
    for who in [P, CLERK] {
        for consent in ["basic-treat", "basic-treat-infant", "basic-ink"] {
            check(consent, "TREAT", who, "++++++++++");
            check(consent, "HRESCH", who, "..........");
        }
        check("expired-treat", "TREAT", who, "..........");
        check("basic-reject", "TREAT", who, "----------");
        check("basic-reject", "HRESCH", who, "..........");
        check("basic-research", "TREAT", who, "..........");
        check("basic-research", "HRESCH", who, "++++++++++");
    }
    let before = request("TREAT", CLERK, "2022-10-01T00:00:00Z");
    assert_eq!(answers("expired-treat", &before), "++++++++++");
    // The end of the period is the last instant of its last day.
    let last = request("TREAT", CLERK, "2022-12-31T23:59:59Z");
    assert_eq!(answers("expired-treat", &last), "++++++++++");
    let after = request("TREAT", CLERK, "2023-01-01T00:00:00Z");
    assert_eq!(answers("expired-treat", &after), "..........");
}

#[test]
fn the_intermediate_examples_answer_as_the_table_says() {
    for who in [P, CLERK] {
        check("intermediate-timeframe", "TREAT", who, "+-----++--");
        check("intermediate-not-timeframe", "TREAT", who, "-++++---++");
        check("intermediate-authoredby", "TREAT", who, "------+---");
        check("intermediate-not-authoredby", "TREAT", who, "+++++--+++");
        check("intermediate-encounter", "TREAT", who, "+++++++-++");
        check("intermediate-not-encounter", "TREAT", who, "-------+--");
        check("intermediate-data", "TREAT", who, "++++++----");
        check("intermediate-not-data", "TREAT", who, "-+++++++++");
    }
    let foo = "http://example.org/policies/purposeOfUse#FooBar";
    check("intermediate-purpose", "TREAT", CLERK, "..........");
    check("intermediate-purpose", foo, CLERK, "..........");
    check("intermediate-purpose", foo, &["Organization/ex-org-researcher"], "++++++++++");
    check("dissent-break-glass", "TREAT", PRIVILEGED, "----------");
    check("dissent-break-glass", "BTG", CLERK, "----------");
    check("dissent-break-glass", "BTG", PRIVILEGED, "++++++++++");
}

#[test]
fn the_advanced_examples_answer_as_the_table_says() {
    for who in [P, CLERK] {
        check("advanced-normal", "TREAT", who, "-+++++++--");
        check("advanced-normal-restricted", "TREAT", who, "++++++++++");
        check("advanced-normal-not-restricted", "TREAT", who, "-+++++++--");
    }
    check("advanced-normal-focused-restricted", "TREAT", P, "++++++++++");
    check("advanced-normal-focused-restricted", "TREAT", CLERK, "-+++++++--");
    for consent in ["advanced-normal-focused-psy", "advanced-normal-focused-psy-or-sdv"] {
        check(consent, "TREAT", P, "-++++++++-");
        check(consent, "TREAT", CLERK, "-+++++++--");
    }
    let consent = "advanced-normal-break-glass-restricted";
    check(consent, "TREAT", PRIVILEGED, "-+++++++--");
    check(consent, "BTG", CLERK, "-+++++++--");
    check(consent, "BTG", PRIVILEGED, "++++++++++");
}

// Covers: the book §1.4: a limit on the root is no answer in FHIR, and a deny in IHE PCF
#[test]
fn under_fhirs_own_reading_a_limit_of_the_root_answers_nothing() {
    let consent = read_doc(&fixture("pcf/intermediate-timeframe"), Version::R4).unwrap();
    let tree = consent.directive().under(Dialect::FhirTree);
    let doc = fixture("records/ex-weight");
    let record = record_facts(doc.root(), RULES.label(doc.root()), &RULES, &Zone::UTC, OWN_BASE);
    let asked = request("TREAT", P, "2026-03-01T10:00:00Z");
    assert_eq!(evaluate(&tree, &asked, &record).outcome(&record.labels), Outcome::NotApplicable);
    assert_eq!(
        evaluate(consent.directive(), &asked, &record).outcome(&record.labels),
        Outcome::Deny
    );
}

/// What an example of HL7 says to one request: `+`, `-`, `.` or `?`.
fn says(
    name: &str,
    version: Version,
    asked: &RequestFacts,
    change: &dyn Fn(&mut RecordFacts),
) -> Outcome {
    let consent = read_doc(&fixture(name), version).unwrap();
    let doc = fixture("records/ex-bloodSugar");
    let mut record =
        record_facts(doc.root(), RULES.label(doc.root()), &RULES, &Zone::UTC, OWN_BASE);
    change(&mut record);
    evaluate(consent.directive(), asked, &record).outcome(&record.labels)
}

// Covers: FHIR R5 Consent, examples, as their narratives say
#[test]
fn the_examples_of_fhir_answer_as_their_narratives_say() {
    let action = |code: &str, who: &[&str], at: &str| {
        let mut asked = request("TREAT", who, at);
        asked.action = Fact::Known(Coding::new(ACTION_SYSTEM, code));
        asked
    };
    let access = |who: &[&str]| action("access", who, "2026-03-01T10:00:00Z");
    let same = |_: &mut RecordFacts| {};
    let held_by = |who: &'static str| {
        move |record: &mut RecordFacts| {
            record.custodian = Fact::Known(Identities::exactly([Who::reference(who)]));
        }
    };
    let r5 = |name: &str, asked: &RequestFacts, change: &dyn Fn(&mut RecordFacts)| {
        says(&alloc::format!("hl7-r5/{name}"), Version::R5, asked, change)
    };
    // All but one nurse.
    assert_eq!(r5("notThem", &access(&["Practitioner/f204"]), &same), Outcome::Deny);
    assert_eq!(r5("notThem", &access(CLERK), &same), Outcome::Permit);
    // All but what one hospital holds; of a record whose holder is not known nobody can say.
    assert_eq!(r5("notAuthor", &access(CLERK), &held_by("Organization/f001")), Outcome::Deny);
    assert_eq!(r5("notAuthor", &access(CLERK), &held_by("Organization/other")), Outcome::Permit);
    assert_eq!(r5("notAuthor", &access(CLERK), &same), Outcome::Deny);
    // All but laboratory results.
    assert_eq!(r5("notLabs", &access(CLERK), &same), Outcome::Deny);
    let not_lab = |record: &mut RecordFacts| {
        record.classes = Fact::Known([Coding::new("x", "y")].into());
    };
    assert_eq!(r5("notLabs", &access(CLERK), &not_lab), Outcome::Permit);
    assert_eq!(
        r5("notLabs", &action("disclose", CLERK, "2026-03-01T10:00:00Z"), &same),
        Outcome::Permit
    );
    // Nobody but another organization, to which it may be disclosed.
    let disclose = action("disclose", &["Organization/f203"], "2026-03-01T10:00:00Z");
    assert_eq!(r5("OrgToOrg", &disclose, &same), Outcome::Permit);
    assert_eq!(r5("OrgToOrg", &access(&["Organization/f203"]), &same), Outcome::Deny);
    assert_eq!(
        r5("OrgToOrg", &action("disclose", CLERK, "2026-03-01T10:00:00Z"), &same),
        Outcome::Deny
    );
    // One practitioner, to what one organization holds: both are meant.
    let (held, elsewhere) = (held_by("Organization/f203"), held_by("Organization/other"));
    let doctor = access(&["Practitioner/f007"]);
    assert_eq!(r5("grantor", &doctor, &held), Outcome::Permit);
    assert_eq!(r5("grantor", &doctor, &elsewhere), Outcome::Deny);
    assert_eq!(r5("grantor", &access(CLERK), &held), Outcome::Deny);
    // Always but in one month.
    assert_eq!(
        r5("notTime", &action("access", CLERK, "2015-02-01T23:59:59Z"), &same),
        Outcome::Deny
    );
    assert_eq!(
        r5("notTime", &action("access", CLERK, "2015-02-02T00:00:00Z"), &same),
        Outcome::Permit
    );
    assert_eq!(r5("Out", &access(CLERK), &same), Outcome::Deny);
    // Nothing but in an emergency: the same in both versions.
    for purpose in ["ETREAT", "BTG", "TREAT"] {
        let asked = request(purpose, CLERK, "2026-03-01T10:00:00Z");
        let expected = if purpose == "ETREAT" { Outcome::Permit } else { Outcome::Deny };
        let held = held_by("Organization/f201");
        assert_eq!(r5("Emergency", &asked, &held), expected, "{purpose}");
        assert_eq!(says("hl7-r4/Emergency", Version::R4, &asked, &held), expected, "{purpose}");
    }
}

#[test]
fn the_place_of_the_recipient_opens_the_nested_examples_to_those_in_it() {
    let deep = read_doc(&fixture("ab352/four-deep"), Version::R4).unwrap();
    let abortion = parse(
        r#"{"resourceType":"Observation","id":"a","effectiveDateTime":"2020-05-01","meta":{"security":[
        {"system":"http://SHIFT-Task-Force.github.io/SLS-ValueSets/CodeSystem/AB352HealthSensitivityCs","code":"ABORTION"}]},
        "status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/example"}}"#,
    );
    let old = parse(&abortion.text().replace("2020-05-01", "2014-05-01"));
    let ask = |doc: &Doc, place: &[&str]| {
        let mut asked = request("TREAT", P, "2026-03-01T10:00:00Z");
        asked.locations = Fact::Known(place.iter().copied().map(Who::reference).collect());
        let record =
            record_facts(doc.root(), RULES.label(doc.root()), &RULES, &Zone::UTC, OWN_BASE);
        evaluate(deep.directive(), &asked, &record).outcome(&record.labels)
    };
    assert_eq!(ask(&abortion, &["Location/ca-location"]), Outcome::Permit);
    assert_eq!(ask(&abortion, &["Location/nevada"]), Outcome::Deny);
    assert_eq!(ask(&old, &["Location/ca-location"]), Outcome::Deny);
}
