//! The consent vectors: data files with answers that the engine did not give.
//!
//! Each file says on top where it comes from and who wrote its answers. A `#` starts a comment, an
//! object defines a directive, request or record, and an array is a row of cases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a malformed data file fails its test"
)]

use std::collections::BTreeMap;

use proviso_core::consent::provision::{
    Dialect, Directive, Existence, JointAnswer, JointVoices, Outcome, RecordFacts, RequestFacts,
    evaluate, joint_rule,
};
use serde_json::Value;

#[derive(Default)]
struct Definitions {
    directives: BTreeMap<String, Directive>,
    requests: BTreeMap<String, RequestFacts>,
    records: Vec<(String, RecordFacts)>,
}

fn define(known: &mut Definitions, line: &Value) {
    let name = line["name"].as_str().unwrap().to_owned();
    let value = line["value"].clone();
    match line["kind"].as_str().unwrap() {
        "directive" => {
            known.directives.insert(name, serde_json::from_value(value).unwrap());
        }
        "request" => {
            known.requests.insert(name, serde_json::from_value(value).unwrap());
        }
        "record" => known.records.push((name, serde_json::from_value(value).unwrap())),
        other => panic!("unknown definition {other}"),
    }
}

fn letter(outcome: Outcome) -> char {
    match outcome {
        Outcome::Permit => 'P',
        Outcome::Deny => 'D',
        Outcome::NotApplicable => 'N',
        Outcome::Indeterminate => 'I',
    }
}

/// Checks every row of a file and returns how many cases it held.
fn check(file: &str, mut row: impl FnMut(&Definitions, &[Value]) -> usize) -> usize {
    let mut known = Definitions::default();
    let mut cases = 0;
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        let line: Value = serde_json::from_str(line).unwrap();
        match line.as_array() {
            Some(parts) => cases += row(&known, parts),
            None => define(&mut known, &line),
        }
    }
    cases
}

fn evaluates(file: &str) -> usize {
    let mut wrong = Vec::new();
    let cases = check(file, |known, parts| {
        let text = |index: usize| parts[index].as_str().unwrap();
        let dialect: Dialect = text(0).parse().unwrap();
        let directive = known.directives[text(1)].under(dialect);
        let request = &known.requests[text(2)];
        let wanted: Vec<char> = text(3).chars().collect();
        assert_eq!(wanted.len(), known.records.len());
        for ((name, record), wanted) in known.records.iter().zip(&wanted) {
            let evaluation = evaluate(&directive, request, record);
            let got = letter(evaluation.outcome(&record.labels));
            if got != *wanted {
                wrong.push(format!(
                    "{dialect} {} {} {name}: {got}, not {wanted}",
                    text(1),
                    text(2)
                ));
            }
        }
        wanted.len()
    });
    assert!(wrong.is_empty(), "{} wrong, first: {:#?}", wrong.len(), &wrong[..wrong.len().min(12)]);
    cases
}

// Covers: IHE PCF 1.1, the published consents.
#[test]
fn the_published_pcf_consents_are_read_as_ihe_and_as_hl7_read_them() {
    assert_eq!(evaluates(include_str!("vectors/ihe-pcf.jsonl")), 19_500);
}

// Covers: SHIFT AB 352 consents.
#[test]
fn nested_exceptions_of_ab_352_hold_in_depth_and_conflict_in_breadth() {
    assert_eq!(evaluates(include_str!("vectors/ab352.jsonl")), 10_800);
}

// Covers: FHIR Consent, examples.
#[test]
fn the_examples_of_fhir_say_what_their_narratives_say() {
    assert_eq!(evaluates(include_str!("vectors/hl7-examples.jsonl")), 8_640);
}

// Covers: HL7 Permission, permission-rule-combining.
#[test]
fn every_short_list_of_rules_combines_as_its_code_says() {
    assert_eq!(evaluates(include_str!("vectors/permission.jsonl")), 2_400);
}

#[test]
fn the_joint_rule_hears_its_voices_in_order() {
    let cases = check(include_str!("vectors/joint-rule.jsonl"), |_, parts| {
        let read = |index: usize| parts[index].clone();
        let existence: Existence = serde_json::from_value(read(0)).unwrap();
        let admin: Outcome = serde_json::from_value(read(1)).unwrap();
        let cascade: Outcome = serde_json::from_value(read(2)).unwrap();
        let patients: Vec<Outcome> = serde_json::from_value(read(3)).unwrap();
        let wanted: JointAnswer = serde_json::from_value(read(4)).unwrap();
        let voices = JointVoices { existence, admin, patients: &patients, cascade };
        assert_eq!(joint_rule(&voices), wanted, "{parts:?}");
        1
    });
    assert_eq!(cases, 1_008);
}

#[path = "../examples/consent_disagreements/page.rs"]
mod disagreements;

// A change to what a reading says shows as a change of this page.
#[test]
fn the_page_of_disagreements_is_current() {
    let page = include_str!("../../../docs/src/reference/consent-disagreements.md");
    assert!(
        page == disagreements::page(),
        "write it anew: cargo run -p proviso-core --example consent_disagreements"
    );
}
