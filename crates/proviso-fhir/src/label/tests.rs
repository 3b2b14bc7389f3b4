//! Both sides of every group of rules.

use alloc::format;
use alloc::vec::Vec;

use SensitiveKind::{
    Adolescent, Genetics, Hiv, MentalHealth, PsychotherapyNotes, Reproductive, Restricted, Sti,
    SubstanceUse, Violence,
};

use super::*;
use crate::json::Doc;

fn labels_of(json: &str) -> Labels {
    let doc = Doc::parse(json.as_bytes().to_vec()).unwrap();
    RuleSet::shipped().label(doc.root())
}

fn check(json: &str, expected: &[SensitiveKind]) {
    assert_eq!(labels_of(json), Labels::Known(expected.iter().copied().collect()), "{json}");
}

fn check_code(system: &str, code: &str, expected: &[SensitiveKind]) {
    check(
        &format!(
            r#"{{"resourceType":"Condition","code":{{"coding":[{{"system":"{system}","code":"{code}"}}]}}}}"#
        ),
        expected,
    );
}

const ICD10: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const ICD9: &str = "http://hl7.org/fhir/sid/icd-9-cm";
const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";

#[test]
fn icd_10_chapters_have_both_ends_and_no_more() {
    check_code(ICD10, "F01.50", &[MentalHealth]);
    check_code(ICD10, "F33.1", &[MentalHealth]);
    check_code(ICD10, "f33.1", &[MentalHealth]);
    check_code(ICD10, "F331", &[MentalHealth]);
    check_code(ICD10, "F99", &[MentalHealth]);
    check_code(ICD10, "G00.0", &[]);
    check_code(ICD10, "E99", &[]);
    check_code(ICD10, "F10.20", &[SubstanceUse]);
    check_code(ICD10, "F11.21", &[SubstanceUse]);
    check_code(ICD10, "F17.210", &[]);
    check_code(ICD10, "F19.10", &[SubstanceUse]);
    check_code(ICD10, "K70.30", &[SubstanceUse]);
    check_code(ICD10, "K71.0", &[]);
    check_code(ICD10, "B20", &[Hiv]);
    check_code(ICD10, "Z21", &[Hiv]);
    check_code(ICD10, "B19.20", &[]);
    check_code(ICD10, "O09.90", &[Reproductive]);
    check_code(ICD10, "O9A.11", &[Reproductive]);
    check_code(ICD10, "Z30.011", &[Reproductive]);
    check_code(ICD10, "Z3A.20", &[Reproductive]);
    check_code(ICD10, "Z38.00", &[]);
    check_code(ICD10, "A56.01", &[Sti]);
    check_code(ICD10, "A64", &[Sti]);
    check_code(ICD10, "A65", &[]);
    check_code(ICD10, "A49.9", &[]);
    check_code(ICD10, "T74.11XA", &[Violence]);
    check_code(ICD10, "T75.00XA", &[]);
    check_code(ICD10, "Z15.01", &[Genetics]);
    check_code(ICD10, "Q90.9", &[Genetics]);
    check_code(ICD10, "Q89.9", &[]);
    check_code(ICD10, "E11.9", &[]);
    check_code(ICD10, "I10", &[]);
}

#[test]
fn a_code_can_mean_several_kinds() {
    check_code(ICD10, "F52.21", &[MentalHealth, Reproductive]);
    check_code(ICD10, "Z31.430", &[Genetics, Reproductive]);
    check_code(ICD10, "O98.71", &[Hiv, Reproductive]);
    check_code(ICD10, "Z69.11", &[MentalHealth, Violence]);
    check_code(SNOMED, "868187001", &[Adolescent, SubstanceUse]);
}

#[test]
fn icd_9_is_still_read() {
    check_code(ICD9, "296.32", &[MentalHealth]);
    check_code(ICD9, "303.90", &[SubstanceUse]);
    check_code(ICD9, "305.1", &[]);
    check_code(ICD9, "042", &[Hiv]);
    check_code(ICD9, "V22.1", &[Reproductive]);
    check_code(ICD9, "250.00", &[]);
}

#[test]
fn single_codes_of_the_other_systems() {
    check_code(LOINC, "56888-1", &[Hiv]);
    check_code(LOINC, "21613-5", &[Sti]);
    check_code(LOINC, "44261-6", &[MentalHealth]);
    check_code(LOINC, "75626-2", &[SubstanceUse]);
    check_code(LOINC, "51969-4", &[Genetics]);
    check_code(LOINC, "2106-3", &[Reproductive]);
    check_code(LOINC, "4548-4", &[]);
    check_code(LOINC, "72166-2", &[]);
    check_code(SNOMED, "706893006", &[Violence]);
    check_code(SNOMED, "44054006", &[]);
    check_code(RXNORM, "351267", &[SubstanceUse]);
    check_code(RXNORM, "276237", &[Hiv]);
    check_code(RXNORM, "36437", &[MentalHealth]);
    check_code(RXNORM, "748962", &[Reproductive]);
    check_code(RXNORM, "861007", &[]);
}

#[test]
fn a_system_we_do_not_know_says_nothing_and_a_missing_one_is_tried() {
    check_code("http://unitsofmeasure.org", "B20", &[]);
    check(r#"{"resourceType":"Condition","code":{"coding":[{"code":"B20"}]}}"#, &[Hiv]);
    check(r#"{"resourceType":"Condition","code":{"coding":[{"code":"704"}]}}"#, &[]);
}

#[test]
fn every_place_inside_the_resource_counts() {
    let sud = r#"{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F11.20"}"#;
    for json in [
        format!(r#"{{"resourceType":"Encounter","reasonCode":[{{"coding":[{sud}]}}]}}"#),
        format!(
            r#"{{"resourceType":"Claim","diagnosis":[{{"diagnosisCodeableConcept":{{"coding":[{sud}]}}}}]}}"#
        ),
        format!(
            r#"{{"resourceType":"Claim","contained":[{{"resourceType":"Condition","code":{{"coding":[{sud}]}}}}]}}"#
        ),
        format!(
            r#"{{"resourceType":"Observation","component":[{{"code":{{"coding":[{sud}]}}}}]}}"#
        ),
        format!(r#"{{"resourceType":"Basic","extension":[{{"url":"x","valueCoding":{sud}}}]}}"#),
    ] {
        check(&json, &[SubstanceUse]);
    }
}

#[test]
fn texts_for_people_count_and_names_of_people_do_not() {
    check(
        r#"{"resourceType":"MedicationRequest","medicationCodeableConcept":{"text":"Suboxone film"}}"#,
        &[SubstanceUse],
    );
    check(
        r#"{"resourceType":"DocumentReference","description":"Psychotherapy session note"}"#,
        &[MentalHealth, PsychotherapyNotes],
    );
    check(
        r#"{"resourceType":"Observation","text":{"status":"generated","div":"<div>seen after <b>sexual</b> assault<br/></div>"}}"#,
        &[Violence],
    );
    check(
        r#"{"resourceType":"RelatedPerson","name":[{"family":"Heroin","given":["Hiv"]}],"address":[{"city":"Addict"}]}"#,
        &[],
    );
    check(
        r#"{"resourceType":"Encounter","subject":{"reference":"Patient/depression"},"identifier":[{"value":"HIV"}]}"#,
        &[],
    );
}

#[test]
fn people_and_the_directory_are_labelled_only_by_their_own_labels() {
    check(r#"{"resourceType":"Organization","name":"Harbor Recovery Program"}"#, &[]);
    check(r#"{"resourceType":"Medication","code":{"text":"buprenorphine"}}"#, &[]);
    check(r#"{"resourceType":"Patient","maritalStatus":{"text":"depressed"}}"#, &[]);
    check(
        r#"{"resourceType":"Patient","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}]}}"#,
        &[Restricted],
    );
}

fn labelled(system: &str, code: &str) -> Labels {
    labels_of(&format!(
        r#"{{"resourceType":"Observation","meta":{{"security":[{{"system":"{system}","code":"{code}"}}]}}}}"#
    ))
}

fn known(kinds: &[SensitiveKind]) -> Labels {
    Labels::Known(kinds.iter().copied().collect())
}

#[test]
fn labels_already_there_are_kept() {
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let law = "http://terminology.hl7.org/CodeSystem/v3-ActUSPrivacyLaw";
    assert_eq!(labelled(act, "OPIOIDUD"), known(&[SubstanceUse]));
    assert_eq!(labelled(act, "BH"), known(&[MentalHealth, SubstanceUse]));
    assert_eq!(labelled(act, "PSYTHPN"), known(&[MentalHealth, PsychotherapyNotes]));
    assert_eq!(labelled(act, "ADOL"), known(&[Adolescent]));
    assert_eq!(labelled(act, "PRS"), known(&[Restricted]));
    assert_eq!(labelled(act, "REDACT"), known(&[]));
    assert_eq!(labelled(law, "42CFRPart2"), known(&[SubstanceUse]));
    assert_eq!(labelled(confidentiality, "N"), known(&[]));
    assert_eq!(labelled(confidentiality, "R"), known(&[Restricted]));
}

#[test]
fn a_label_that_is_not_understood_restricts() {
    assert_eq!(labelled("http://example.org/labels", "secret"), known(&[Restricted]));
    assert_eq!(
        labelled("http://terminology.hl7.org/CodeSystem/v3-ActCode", "NEW"),
        known(&[Restricted])
    );
    assert_eq!(
        labelled("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "X"),
        known(&[Restricted])
    );
    check(r#"{"resourceType":"Observation","meta":{"security":[{}]}}"#, &[Restricted]);
}

#[test]
fn labels_of_parts_count_for_the_whole() {
    check(
        r#"{"resourceType":"Claim","contained":[{"resourceType":"Condition","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}}]}"#,
        &[Hiv],
    );
    check(
        r#"{"resourceType":"CarePlan","activity":[{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label","valueCoding":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"STD"}}]}]}"#,
        &[Sti],
    );
    // The class of a visit uses the same code system and is no label.
    check(
        r#"{"resourceType":"Encounter","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}}"#,
        &[],
    );
}

#[test]
fn text_inside_attachments_is_read() {
    // "Admits heroin use." and "All well."
    check(
        r#"{"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"text/plain","data":"QWRtaXRzIGhlcm9pbiB1c2Uu"}}]}"#,
        &[SubstanceUse],
    );
    check(r#"{"resourceType":"Binary","contentType":"text/plain","data":"QWxsIHdlbGwu"}"#, &[]);
}

#[test]
fn content_that_cannot_be_read_is_unclassified_until_its_source_labels_it() {
    let pdf = r#""contentType":"application/pdf","data":"JVBERi0=""#;
    assert_eq!(labels_of(&format!(r#"{{"resourceType":"Binary",{pdf}}}"#)), Labels::Unclassified);
    assert_eq!(
        labels_of(r#"{"resourceType":"Binary","contentType":"text/plain","data":"*"}"#),
        Labels::Unclassified
    );
    assert_eq!(
        labels_of(&format!(
            r#"{{"resourceType":"DocumentReference","content":[{{"attachment":{{{pdf}}}}}]}}"#
        )),
        Labels::Unclassified
    );
    check(
        &format!(
            r#"{{"resourceType":"Binary","meta":{{"security":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}}]}},{pdf}}}"#
        ),
        &[],
    );
}

#[test]
fn what_is_no_resource_is_unclassified() {
    assert_eq!(labels_of("{}"), Labels::Unclassified);
    assert_eq!(labels_of(r#"{"resourceType":"Nonsense"}"#), Labels::Unclassified);
    assert_eq!(labels_of("[]"), Labels::Unclassified);
}

#[test]
fn findings_name_their_rules() {
    let doc = Doc::parse(
        br#"{"resourceType":"Condition","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F33.1","display":"Major depressive disorder"}]}}"#.to_vec(),
    )
    .unwrap();
    let rules: Vec<_> =
        RuleSet::shipped().findings(doc.root()).into_iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["mental-icd10-chapter", "mental-words"]);
}

/// The check finds a mistyped code by its form or check digit, a rule that can never match, and two
/// rules with one id.
#[test]
fn shipped_rules_pass_their_own_check_and_every_kind_has_one() {
    assert_eq!(check::faults(&rules::shipped()), []);
    for kind in SensitiveKind::ALL {
        let rules = RuleSet::shipped();
        assert!(rules.rules().labels.iter().any(|rule| rule.kind == *kind), "{kind}");
    }
}

/// The same code, however its system is named or the code is written.
#[test]
fn another_name_for_a_system_or_another_way_to_write_a_code_is_no_way_out() {
    for (system, code) in [
        ("http://hl7.org/fhir/sid/icd-10-cm", "b20"),
        ("http://hl7.org/fhir/sid/icd-10-cm", " B20 "),
        ("https://hl7.org/fhir/sid/icd-10-cm/", "B20"),
        ("HTTP://HL7.org/fhir/sid/ICD-10-CM", "B20"),
        ("http://hl7.org/fhir/sid/icd-10-cm|2026", "B20"),
        ("http://hl7.org/fhir/sid/icd-10-gm", "B20"),
        ("https://snomed.info/sct", "86406008"),
        ("http://snomed.info/sct/731000124108", "86406008"),
        ("http://snomed.info/sct/731000124108/version/20250301", "86406008"),
        ("https://loinc.org/", "75622-1 "),
    ] {
        let text = alloc::format!(
            r#"{{"resourceType":"Basic","code":{{"coding":[{{"system":"{system}","code":"{code}"}}]}}}}"#
        );
        let doc = Doc::parse(text.into_bytes()).unwrap();
        let expected = Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Hiv));
        assert_eq!(RuleSet::shipped().label(doc.root()), expected, "{system} {code}");
    }
}

#[test]
fn words_are_read_as_a_person_reads_them() {
    for text in
        ["substance&#160;use disorder", "sub\u{ad}stance use disorder", "\u{ff53}ubstance use"]
    {
        let json = alloc::format!(
            r#"{{"resourceType":"Basic","text":{{"status":"generated","div":"<div>{text}</div>"}}}}"#
        );
        let doc = Doc::parse(json.into_bytes()).unwrap();
        let expected = Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::SubstanceUse));
        assert_eq!(RuleSet::shipped().label(doc.root()), expected, "{text}");
    }
}
