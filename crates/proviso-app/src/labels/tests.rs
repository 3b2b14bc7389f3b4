//! The file of an organisation's rules: what is accepted, what is refused and where, and what it
//! labels.

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::label::{Confidence, Origin};

use super::*;

const CLINIC: &str = r#"name = "example-clinic"
systems = ["http://clinic.example/codes"]
switch-off = ["mental-hcpcs"]

[[value-set]]
url = "http://clinic.example/ValueSet/recovery"
codes = [{ system = "http://clinic.example/codes", exact = ["REC-1"], under = ["RX"] }]

[[rule]]
id = "clinic-recovery"
kind = "substance-use"
source = "catalogue of programs, 2026"
value-sets = ["http://clinic.example/ValueSet/recovery"]

[[rule]]
id = "clinic-visit-type"
kind = "adolescent"
on = ["Encounter"]
at = ["serviceType"]
codes = [{ system = "http://clinic.example/codes", exact = ["TEEN"] }]

[[rule]]
id = "genetics-words"
replaces = true
kind = "genetics"
words = ["genome"]

[[reference]]
id = "clinic-device"
from = ["Device"]
elements = ["definition"]
steps = 2

[[label]]
id = "clinic-label"
system = "http://clinic.example/labels"
code = "STAFF"
means = []

[[test]]
name = "the recovery program is substance use"
resource = '''{"resourceType":"Encounter","reasonCode":[{"coding":[
  {"system":"http://clinic.example/codes","code":"RX-77"}]}]}'''
kinds = ["substance-use"]

[[test]]
name = "a result of that visit too"
resource = '{"resourceType":"Observation","encounter":{"reference":"Encounter/e"}}'
with = ['''{"resourceType":"Encounter","id":"e","reasonCode":[{"coding":[
  {"system":"http://clinic.example/codes","code":"REC-1"}]}]}''']
kinds = ["substance-use"]

[[test]]
name = "a picture is unclassified"
resource = '{"resourceType":"Binary","contentType":"image/png","data":"AA=="}'
unclassified = true
"#;

fn parsed(text: &str) -> RulesFile {
    RulesFile::parse(text).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn labelled(file: &RulesFile, json: &str) -> Expected {
    explain_resource(&file.set, json.as_bytes().to_vec(), vec![]).unwrap()[0].labels
}

fn kinds(list: &[SensitiveKind]) -> Expected {
    Expected::Kinds(list.iter().copied().collect::<SensitiveSet>())
}

#[test]
fn a_file_adds_replaces_and_switches_off_and_its_tests_hold() {
    let file = parsed(CLINIC);
    for result in file.run_trials() {
        assert!(result.holds(), "{}: {:?}", result.name, result.found);
    }
    // Added, only where it says.
    let visit = |element: &str| {
        format!(
            r#"{{"resourceType":"Encounter","{element}":{{"coding":[{{"system":"http://clinic.example/codes","code":"TEEN"}}]}}}}"#
        )
    };
    assert_eq!(labelled(&file, &visit("serviceType")), kinds(&[SensitiveKind::Adolescent]));
    assert_eq!(labelled(&file, &visit("priority")), kinds(&[]));
    // Replaced.
    let text = |words: &str| format!(r#"{{"resourceType":"Basic","code":{{"text":"{words}"}}}}"#);
    assert_eq!(labelled(&file, &text("whole genome")), kinds(&[SensitiveKind::Genetics]));
    assert_eq!(labelled(&file, &text("karyotype")), kinds(&[]));
    // Switched off: one of the two kinds of this code is left.
    let code = r#"{"resourceType":"Basic","code":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/HCPCS","code":"H0020"}]}}"#;
    assert_eq!(labelled(&file, code), kinds(&[SensitiveKind::SubstanceUse]));
    let shipped = RuleSet::shipped();
    let both = explain_resource(&shipped, code.as_bytes().to_vec(), vec![]).unwrap();
    let expected = kinds(&[SensitiveKind::MentalHealth, SensitiveKind::SubstanceUse]);
    assert_eq!(both[0].labels, expected);
}

/// A label of an unknown system restricts; one that the organisation knows does not, and it takes
/// nothing away from what HL7's labels say.
#[test]
fn a_label_of_the_organisation_means_what_it_says() {
    let file = parsed(CLINIC);
    let with = |code: &str| {
        format!(
            r#"{{"resourceType":"Basic","meta":{{"security":[{{"system":"http://clinic.example/labels","code":"{code}"}}]}}}}"#
        )
    };
    assert_eq!(labelled(&file, &with("STAFF")), kinds(&[]));
    assert_eq!(labelled(&file, &with("staff")), kinds(&[SensitiveKind::Restricted]));
    assert_eq!(labelled(&file, &with("OTHER")), kinds(&[SensitiveKind::Restricted]));
}

#[test]
fn the_version_is_that_of_the_content_and_of_nothing_else() {
    let file = parsed(CLINIC);
    let version = file.set.version().clone();
    assert_ne!(version, *RuleSet::shipped().version());
    let renamed = CLINIC.replace("example-clinic", "another").replace("2026", "2027");
    assert_eq!(*parsed(&renamed).set.version(), version);
    for (from, to) in [
        ("\"REC-1\"", "\"REC-2\""),
        ("steps = 2", "steps = 3"),
        ("\"genome\"", "\"genomes\""),
        ("at = [\"serviceType\"]", "at = [\"type\"]"),
        ("kind = \"adolescent\"", "kind = \"sti\""),
        ("means = []", "means = [\"hiv\"]"),
        ("switch-off = [\"mental-hcpcs\"]", ""),
    ] {
        let changed = CLINIC.replacen(from, to, 1);
        assert_ne!(changed, CLINIC, "{from}");
        assert_ne!(*parsed(&changed).set.version(), version, "{from}");
    }
}

#[test]
fn a_test_that_does_not_hold_says_what_was_found() {
    let wrong = CLINIC.replacen("kinds = [\"substance-use\"]", "kinds = [\"hiv\"]", 1);
    let results = parsed(&wrong).run_trials();
    let failed: Vec<_> = results.iter().filter(|result| !result.holds()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].expected.words(), "hiv");
    assert_eq!(failed[0].found.words(), "substance-use");
    assert_eq!(failed[0].labels[0].rule, "clinic-recovery");
    assert_eq!(failed[0].labels[0].confidence, Confidence::Certain);
}

fn check_refused(more: &str, line: usize, words: &str) {
    let text = format!("name = \"x\"\n{more}");
    let faults = RulesFile::parse(&text).expect_err(more);
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let found = faults
        .iter()
        .zip(&said)
        .any(|(fault, said)| fault.line == Some(line) && said.contains(words));
    assert!(found, "line {line} `{words}` is not in {said:?}");
}

#[test]
fn each_mistake_is_named_with_its_line_and_rule() {
    let rule = |tail: &str| format!("[[rule]]\nid = \"r\"\n{tail}");
    let hiv = |tail: &str| rule(&format!("kind = \"hiv\"\n{tail}"));
    check_refused(&rule("kind = \"aids\"\nwords = [\"abc\"]"), 4, "`r`: the kind `aids` is not");
    check_refused(&hiv(""), 3, "`r`: names no code and no word");
    check_refused(&hiv("words = [\"HIV\"]"), 3, "the phrase `HIV` fits no text");
    check_refused(&hiv("words = [\"ab\"]"), 3, "the phrase `ab` fits no text");
    check_refused(&hiv("confidence = \"stated\"\nwords = [\"abc\"]"), 5, "`stated` is not known");
    check_refused(
        &hiv("codes = [{ system = \"http://loinc.example\", exact = [\"1\"] }]"),
        3,
        "the code system `http://loinc.example` is not known",
    );
    check_refused(
        &hiv("codes = [{ system = \"http://loinc.org\", exact = [\"56888-2\"] }]"),
        3,
        "`56888-2` is no code of LOINC",
    );
    check_refused(
        &hiv("codes = [{ system = \"http://snomed.info/sct\", under = [\"86\"] }]"),
        3,
        "codes of SNOMED CT are not grouped",
    );
    check_refused(
        &hiv(
            "codes = [{ system = \"http://hl7.org/fhir/sid/icd-10-cm\", between = [[\"B24\", \"B20\"]] }]",
        ),
        3,
        "nothing lies between `B24` and `B20`",
    );
    check_refused(
        &hiv("codes = [{ system = \"http://loinc.org\" }]"),
        3,
        "a list of codes of `http://loinc.org` is empty",
    );
    check_refused(&hiv("on = [\"Visit\"]\nwords = [\"abc\"]"), 5, "`Visit` is no resource type");
    check_refused(&hiv("on = [\"Patient\"]\nwords = [\"abc\"]"), 3, "`Patient` is never labelled");
    check_refused(
        &hiv("on = [\"Encounter\"]\nat = [\"kind\"]\nwords = [\"abc\"]"),
        3,
        "has the element `kind`",
    );
    check_refused(&hiv("at = [\"type\"]\nwords = [\"abc\"]"), 3, "elements but no types");
    check_refused(&hiv("value-sets = [\"x\"]\nwords = [\"abc\"]"), 5, "no value set `x`");
    check_refused(
        "[[value-set]]\nurl = \"x\"\ncodes = []\n[[rule]]\nid = \"r\"\nkind = \"hiv\"\nwords = [\"abc\"]",
        3,
        "no rule uses the value set `x`",
    );
    check_refused("switch-off = [\"no-such\"]", 2, "`no-such`: no shipped rule has this id");
    let taken = "[[rule]]\nid = \"hiv-words\"\nkind = \"hiv\"\nwords = [\"abc\"]";
    check_refused(taken, 3, "there is another rule with this id");
    let gone = "[[rule]]\nid = \"mine\"\nreplaces = true\nkind = \"hiv\"\nwords = [\"abc\"]";
    check_refused(gone, 3, "`mine`: no shipped rule has this id");
    check_refused("[[rule]]\nid = \"a b\"\nkind = \"hiv\"\nwords = [\"abc\"]", 3, "an id is");
    check_refused("[[reference]]\nid = \"r\"\nsteps = 0", 3, "`steps` is a whole number");
    check_refused("[[reference]]\nid = \"r\"\nsteps = 5", 3, "`steps` is a whole number");
    check_refused(
        "[[reference]]\nid = \"r\"\nfrom = [\"Claim\"]\nelements = [\"item.visit\"]\nsteps = 2",
        3,
        "has the element `item.visit`",
    );
    check_refused(
        "[[label]]\nid = \"r\"\nsystem = \"http://terminology.hl7.org/CodeSystem/v3-ActCode\"\ncode = \"HIV\"\nmeans = []",
        3,
        "`HIV` has its meaning from HL7",
    );
}

#[test]
fn what_is_no_file_of_rules_is_refused_with_its_line() {
    let hiv = |tail: &str| format!("[[rule]]\nid = \"r\"\nkind = \"hiv\"\n{tail}");
    check_refused("nonsense = 1", 2, "unknown field `nonsense`");
    check_refused("[[rule]]\nid = \"r\"\nkind = 5", 4, "invalid type");
    let test = |tail: &str| format!("{}\n[[test]]\nname = \"t\"\n{tail}", hiv("words = [\"abc\"]"));
    check_refused(&test("resource = \"{\"\nkinds = []"), 8, "`t`: the resource of the test is no");
    check_refused(&test("resource = \"{}\""), 7, "a test says either");
    check_refused(
        &test("resource = \"{}\"\nkinds = []\nwith = [\"{}\"]"),
        10,
        "needs its type and",
    );
    let empty = RulesFile::parse("name = \"x\"").unwrap_err();
    assert_eq!(empty[0].problem, FileProblem::Empty);
    // One mistake is told once.
    let one =
        RulesFile::parse("name = \"x\"\n[[rule]]\nid = \"r\"\nkind = \"aids\"\nwords = [\"abc\"]");
    assert_eq!(one.unwrap_err().len(), 1);
}

#[test]
fn an_explanation_names_rule_place_and_way() {
    let file = parsed(CLINIC);
    let claim = r#"{"resourceType":"Claim","id":"c","item":[{"encounter":[{"reference":"Encounter/e"}]}],
        "prescription":{"reference":"MedicationRequest/gone"}}"#;
    let visit = r#"{"resourceType":"Encounter","id":"e","diagnosis":[{"condition":{"reference":"Condition/k"}}]}"#;
    let problem = r#"{"resourceType":"Condition","id":"k","encounter":{"reference":"Encounter/e"},
        "code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}]}}"#;
    let others = vec![visit.as_bytes().to_vec(), problem.as_bytes().to_vec()];
    let explained = explain_resource(&file.set, claim.as_bytes().to_vec(), others).unwrap();
    let [claim] = explained.as_slice() else { panic!("{explained:?}") };
    assert_eq!(claim.resource, "Claim/c");
    assert_eq!(claim.labels, kinds(&[SensitiveKind::Hiv]));
    assert_eq!(claim.missing, ["MedicationRequest/gone"]);
    let [label] = claim.found.as_slice() else { panic!("{:?}", claim.found) };
    assert_eq!((label.rule.as_str(), label.element.as_str()), ("hiv-icd10", "code.coding[0]"));
    let Origin::Propagated(way) = &label.origin else { panic!("{label:?}") };
    let steps: Vec<(&str, &str, &str)> =
        way.iter().map(|hop| (hop.rule.as_str(), hop.element.as_str(), hop.id.as_str())).collect();
    assert_eq!(
        steps,
        [
            ("claim-reason", "item[0].encounter[0].reference", "e"),
            ("visit-reason", "diagnosis[0].condition.reference", "k"),
        ]
    );
}
