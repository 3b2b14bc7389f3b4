//! The facts of one record.

use super::*;
use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::consent::provision::{Coding, Fact, Identifier, RecordFacts, Who, WhoKind};
use proviso_core::decision::Labels;
use proviso_core::resource_type::ResourceType;

fn facts(json: &str) -> RecordFacts {
    let doc = parse(json);
    record_facts(doc.root(), RULES.label(doc.root()), &RULES, &Zone::UTC, OWN_BASE)
}

fn labels(json: &str) -> Vec<String> {
    let facts = facts(json);
    let Fact::Known(set) = facts.labels else { return Vec::from(["unknown".to_string()]) };
    let mut codes: Vec<String> =
        set.confidentiality.iter().map(|level| level.code().to_string()).collect();
    codes.extend(set.sensitivity.iter().map(|code| code.code().to_string()));
    codes.extend(set.foreign.into_iter().map(|coding| coding.code));
    codes
}

#[test]
fn a_stated_label_counts_as_it_is_and_not_as_its_kind() {
    let with = |security: &str, code: &str| {
        format!(
            r#"{{"resourceType":"Observation","meta":{{"security":[{security}]}},"code":{{"coding":[{{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"{code}"}}]}}}}"#
        )
    };
    let act = |code: &str| {
        format!(
            r#"{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{code}"}}"#
        )
    };
    let level = |code: &str| {
        format!(r#"{{"system":"http://hl7.org/fhir/v3/Confidentiality","code":"{code}"}}"#)
    };
    assert_eq!(
        labels(&with(&format!("{},{}", act("OPIOIDUD"), level("R")), "Z00.0")),
        ["R", "OPIOIDUD"]
    );
    // What the content says is added to it.
    assert_eq!(labels(&with(&act("OPIOIDUD"), "B20")), ["HIV", "OPIOIDUD"]);
    assert_eq!(labels(&with("", "B20")), ["HIV"]);
    assert_eq!(labels(&with("", "Z00.0")), Vec::<String>::new());
    assert_eq!(labels(&with(r#"{"system":"http://x","code":"SECRET"}"#, "Z00.0")), ["SECRET"]);
    assert_eq!(labels(&with(r#"{"display":"secret"}"#, "Z00.0")), ["unknown"]);
}

#[test]
fn a_kind_that_came_from_another_record_is_a_label_too() {
    let doc = parse(
        r#"{"resourceType":"Encounter","id":"e","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]}}"#,
    );
    let propagated = SensitiveSet::EMPTY.with(SensitiveKind::SubstanceUse);
    let with = record_facts(doc.root(), Labels::Known(propagated), &RULES, &Zone::UTC, OWN_BASE);
    let Fact::Known(set) = with.labels else { panic!("labelled") };
    assert_eq!(set.kinds(), propagated);
    let unclassified = record_facts(doc.root(), Labels::Unclassified, &RULES, &Zone::UTC, OWN_BASE);
    assert_eq!(unclassified.labels, Fact::Unknown);
}

#[test]
fn the_author_is_who_the_type_says() {
    for (json, who) in [
        (
            r#"{"resourceType":"Observation","performer":[{"reference":"Practitioner/a"}]}"#,
            "Practitioner/a",
        ),
        (
            r#"{"resourceType":"DocumentReference","author":[{"reference":"Organization/a"}]}"#,
            "Organization/a",
        ),
        (r#"{"resourceType":"Condition","asserter":{"reference":"Patient/a"}}"#, "Patient/a"),
        (
            r#"{"resourceType":"MedicationRequest","requester":{"reference":"https://us.example/fhir/Device/a"}}"#,
            "Device/a",
        ),
        (
            r#"{"resourceType":"Immunization","performer":[{"actor":{"reference":"Practitioner/a/_history/2"}}]}"#,
            "Practitioner/a",
        ),
    ] {
        let Fact::Known(authors) = facts(json).authors else { panic!("{json}") };
        assert!(authors.known.contains(&Who::reference(who)), "{json}");
        assert!(authors.unresolved.contains(&WhoKind::Group), "{json}");
    }
    // Not said, not of a type that says it, and not a reference that can be followed.
    assert_eq!(facts(r#"{"resourceType":"Observation"}"#).authors, Fact::Unknown);
    assert_eq!(
        facts(r#"{"resourceType":"Encounter","performer":[{"reference":"Practitioner/a"}]}"#)
            .authors,
        Fact::Unknown
    );
    let Fact::Known(authors) =
        facts(r#"{"resourceType":"Observation","performer":[{"display":"Dr. Who"}]}"#).authors
    else {
        panic!()
    };
    assert!(authors.known.is_empty() && authors.unresolved.contains(&WhoKind::Practitioner));
}

#[test]
fn another_practitioner_is_not_the_author_and_an_organization_may_be() {
    let Fact::Known(authors) =
        facts(r#"{"resourceType":"Observation","performer":[{"reference":"Practitioner/a"}]}"#)
            .authors
    else {
        panic!()
    };
    assert!(!authors.unresolved.contains(&WhoKind::Practitioner));
    assert!(authors.unresolved.contains(&WhoKind::Organization));
    let Fact::Known(authors) =
        facts(r#"{"resourceType":"Observation","performer":[{"reference":"Organization/a"}]}"#)
            .authors
    else {
        panic!()
    };
    assert!(authors.unresolved.contains(&WhoKind::Practitioner));
}

#[test]
fn the_table_of_authors_names_elements_of_r4() {
    use crate::spec::{ElementType, shape_of};
    let mut types: Vec<ResourceType> = Vec::new();
    for (resource_type, paths) in record::tables() {
        types.push(resource_type);
        for path in paths {
            let mut shape = shape_of(resource_type).unwrap();
            for (index, key) in path.iter().enumerate() {
                let member =
                    shape.member(key).unwrap_or_else(|| panic!("{resource_type} {path:?}"));
                if index + 1 == path.len() {
                    assert!(
                        matches!(member.element_type, ElementType::Reference(_)),
                        "{resource_type} {path:?}"
                    );
                } else {
                    shape = member.element_type.shape().unwrap();
                }
            }
        }
    }
    assert_eq!(types.len(), 45 + 2, "the reference page states the number");
}

#[test]
fn references_are_followed_or_unknown() {
    let of =
        |members: &str| facts(&format!(r#"{{"resourceType":"Observation",{members}}}"#)).refers_to;
    let Fact::Known(found) = of(
        r##""encounter":{"reference":"Encounter/e"},"subject":{"identifier":{"system":"m","value":"1"}},"performer":[{"identifier":{"system":"npi","value":"2"}},{"reference":"#c"}],
        "contained":[{"resourceType":"Practitioner","id":"c","extension":[{"url":"u","valueReference":{"reference":"Encounter/f"}}]}]"##,
    ) else {
        panic!("known")
    };
    assert!(
        found.contains(&Who::reference("Encounter/e"))
            && found.contains(&Who::reference("Encounter/f"))
    );
    assert!(
        found.contains(&Who::Identifier(Identifier { system: "npi".into(), value: "2".into() }))
    );
    // An encounter that is known by its number only may be any encounter.
    assert_eq!(of(r#""encounter":{"identifier":{"system":"visits","value":"1"}}"#), Fact::Unknown);
    assert_eq!(of(r#""encounter":{"reference":"urn:uuid:1"}"#), Fact::Unknown);
    assert_eq!(
        of(r#""derivedFrom":[{"type":"Observation","identifier":{"system":"x","value":"1"}}]"#),
        Fact::Unknown
    );
    assert!(matches!(of(r#""device":{"display":"scale"}"#), Fact::Known(_)));
}

#[test]
fn classes_and_codes_are_those_of_the_record() {
    let json = r#"{"resourceType":"DocumentReference","id":"d","meta":{"profile":["http://p"],"security":[{"system":"s","code":"label"}]},
        "type":{"coding":[{"system":"http://loinc.org","code":"34133-9"}]},"custodian":{"reference":"Organization/o"},
        "content":[{"attachment":{"contentType":"application/hl7-cda+xml"},"format":{"system":"f","code":"cda"}}]}"#;
    let found = facts(json);
    let Fact::Known(classes) = found.classes else { panic!() };
    for (system, code) in [
        ("http://hl7.org/fhir/resource-types", "DocumentReference"),
        ("urn:ietf:rfc:3986", "http://p"),
        ("urn:ietf:bcp:13", "application/hl7-cda+xml"),
        ("f", "cda"),
        ("http://loinc.org", "34133-9"),
    ] {
        assert!(classes.contains(&Coding::new(system, code)), "{code}");
    }
    let Fact::Known(codes) = found.codes else { panic!() };
    assert!(codes.contains(&Coding::new("http://loinc.org", "34133-9")));
    assert!(!codes.contains(&Coding::new("s", "label")));
    assert!(found.custodian.known().unwrap().known.contains(&Who::reference("Organization/o")));
    assert_eq!(found.instance, Fact::Known(Who::reference("DocumentReference/d")));
    let words = r#"{"resourceType":"Condition","code":{"text":"something"}}"#;
    assert_eq!(facts(words).codes, Fact::Unknown);
    let unplaced = r#"{"resourceType":"Condition","code":{"coding":[{"code":"B20"}]}}"#;
    assert_eq!(facts(unplaced).codes, Fact::Unknown);
}

#[test]
fn a_day_of_care_is_a_day_where_the_consent_is_read() {
    let doc = parse(r#"{"resourceType":"Observation","effectiveDateTime":"2022-01-01"}"#);
    let eastern = Zone::parse("-05:00").unwrap();
    let start = |zone: &Zone| {
        let facts = record_facts(doc.root(), RULES.label(doc.root()), &RULES, zone, OWN_BASE);
        facts.clinical.known().unwrap().start.unwrap()
    };
    assert_eq!(start(&eastern), start(&Zone::UTC).plus_secs(5 * 3600));
}

#[test]
fn what_is_no_record_is_unknown() {
    assert_eq!(facts("{}"), RecordFacts::UNKNOWN);
    let found = facts(r#"{"resourceType":"Observation"}"#);
    assert_eq!(
        (found.instance, found.clinical, found.referred_by),
        (Fact::Unknown, Fact::Unknown, Fact::Unknown)
    );
    assert_eq!(found.patients, Fact::Unknown);
}
