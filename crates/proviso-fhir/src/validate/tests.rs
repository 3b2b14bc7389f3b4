use alloc::string::String;
use alloc::vec::Vec;
use alloc::{borrow::ToOwned, format};

use super::{FAULTS_MAX, FaultKind, outcome, status, validate};
use crate::json::Doc;

const FIXTURES: &[(&str, &str)] = &[
    ("bundle", include_str!("../../fixtures/bundle.json")),
    ("condition", include_str!("../../fixtures/condition.json")),
    ("document-reference", include_str!("../../fixtures/document-reference.json")),
    ("encounter", include_str!("../../fixtures/encounter.json")),
    ("explanation-of-benefit", include_str!("../../fixtures/explanation-of-benefit.json")),
    ("group", include_str!("../../fixtures/group.json")),
    ("medication-request", include_str!("../../fixtures/medication-request.json")),
    ("observation", include_str!("../../fixtures/observation.json")),
    ("patient", include_str!("../../fixtures/patient.json")),
    ("questionnaire-response", include_str!("../../fixtures/questionnaire-response.json")),
];

/// The faults as `kind path`, in order.
fn faults(text: &str) -> Vec<String> {
    let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
    let shown = |fault: &super::Fault| format!("{} {}", fault.kind.detail(), fault.path);
    validate(doc.root()).iter().map(shown).collect()
}

#[test]
fn what_r4_allows_is_accepted() {
    for (name, text) in FIXTURES {
        assert_eq!(faults(text), Vec::<String>::new(), "{name}");
    }
}

/// An Observation that is valid but for what is added to it.
fn observation(extra: &str) -> Vec<String> {
    faults(&format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}}{extra}}}"#
    ))
}

fn patient(members: &str) -> Vec<String> {
    faults(&format!(r#"{{"resourceType":"Patient",{members}}}"#))
}

#[test]
fn what_is_no_resource_is_refused() {
    for text in ["[]", "1", "{}", r#"{"resourceType":"Nonsense"}"#, r#"{"resourceType":1}"#] {
        assert_eq!(faults(text), ["not-a-resource Resource"], "{text}");
    }
    assert_eq!(faults(r#"{"resourceType":"SubscriptionStatus"}"#), ["not-a-resource Resource"]);
    assert_eq!(faults(r#"{"resourceType":"Patient"}"#), Vec::<String>::new());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_fault_is_found_and_named() {
    let cases: &[(&str, &str)] = &[
        (r#","shoeSize":1"#, "unknown-element Observation.shoeSize"),
        (r#","value":1"#, "unknown-element Observation.value"),
        (r#","valueMoney":{"value":1}"#, "unknown-element Observation.valueMoney"),
        (r#","_subject":{"id":"a"}"#, "unknown-element Observation._subject"),
        (r#","fhir_comments":["x"]"#, "unknown-element Observation.fhir_comments"),
        (r#","<b>":1"#, "unknown-element Observation.?"),
        (r#","component":[{"valueString":"a"}]"#, "missing-element Observation.component[0].code"),
        (r#","category":{"text":"a"}"#, "not-an-array Observation.category"),
        (r#","category":[]"#, "empty-array Observation.category"),
        (r#","issued":["2024-01-01T00:00:00Z"]"#, "unexpected-array Observation.issued"),
        (r#","category":[{}]"#, "empty-element Observation.category[0]"),
        (r#","category":[{"id":"a"}]"#, "empty-element Observation.category[0]"),
        (r#","issued":null"#, "null-value Observation.issued"),
        (r#","category":[null]"#, "null-value Observation.category[0]"),
        (r#","category":["a"]"#, "wrong-json-type Observation.category[0]"),
        (r#","valueInteger":"1""#, "wrong-json-type Observation.valueInteger"),
        (r#","valueString":1"#, "wrong-json-type Observation.valueString"),
        (r#","valueBoolean":"true""#, "wrong-json-type Observation.valueBoolean"),
        (r#","valueInteger":1.5"#, "bad-format Observation.valueInteger"),
        (r#","valueDateTime":"2024-02-30""#, "bad-format Observation.valueDateTime"),
        (r#","valueString":"""#, "bad-format Observation.valueString"),
        (r#","id":"a_b""#, "bad-format Observation.id"),
        (r#","meta":{"lastUpdated":"2024"}"#, "bad-format Observation.meta.lastUpdated"),
        (
            r#","text":{"status":"generated","div":"<div><script/></div>"}"#,
            "bad-format Observation.text.div",
        ),
        (
            r#","text":{"status":"made-up","div":"<div>x</div>"}"#,
            "bad-code Observation.text.status",
        ),
        (r#","valueString":"a","valueInteger":1"#, "two-choices Observation.valueInteger"),
        (
            r#","valueString":"a","_valueInteger":{"extension":[{"url":"x","valueCode":"y"}]}"#,
            "two-choices Observation._valueInteger",
        ),
        (r#","extension":[{"valueString":"a"}]"#, "missing-element Observation.extension[0].url"),
        (r#","extension":[{"url":"x"}]"#, "bad-extension Observation.extension[0]"),
        (
            r#","extension":[{"url":"x","valueString":"a","extension":[{"url":"y","valueString":"b"}]}]"#,
            "bad-extension Observation.extension[0]",
        ),
        (r#","subject":{"reference":"nonsense"}"#, "bad-reference Observation.subject.reference"),
        (
            r#","subject":{"reference":"Patient/a/b"}"#,
            "bad-reference Observation.subject.reference",
        ),
        (r#","subject":{"reference":"patient/a"}"#, "bad-reference Observation.subject.reference"),
        (r#","subject":{"reference":"urn:uuid:1"}"#, "bad-reference Observation.subject.reference"),
        (
            r#","subject":{"reference":"javascript:alert(1)"}"#,
            "bad-reference Observation.subject.reference",
        ),
        (
            r#","subject":{"reference":"Practitioner/a"}"#,
            "wrong-target Observation.subject.reference",
        ),
        (
            r#","subject":{"reference":"https://x.example/fhir/Practitioner/a"}"#,
            "wrong-target Observation.subject.reference",
        ),
        (
            r#","subject":{"reference":"Patient/a","type":"Group"}"#,
            "wrong-target Observation.subject.reference",
        ),
        (r#","subject":{"type":"Practitioner"}"#, "wrong-target Observation.subject"),
        (r#","subject":{}"#, "empty-element Observation.subject"),
        (r##","subject":{"reference":"#p"}"##, "not-contained Observation.subject.reference"),
        (
            r#","contained":[{"resourceType":"Patient"}]"#,
            "contained-without-id Observation.contained[0]",
        ),
        (
            r#","contained":[{"resourceType":"Nonsense"}]"#,
            "not-a-resource Observation.contained[0]",
        ),
        (
            r#","contained":[{"resourceType":"Patient","id":"p"}]"#,
            "unreferenced Observation.contained[0]",
        ),
    ];
    for (extra, wanted) in cases {
        assert_eq!(observation(extra), [*wanted], "{extra}");
    }
    assert_eq!(
        faults(r#"{"resourceType":"Observation","status":"finished"}"#),
        ["bad-code Observation.status", "missing-element Observation.code"]
    );
}

#[test]
fn contained_resources_have_rules_of_their_own() {
    let with = |inner: &str, other: &str| {
        observation(&format!(
            r##","performer":[{{"reference":"#p"}}],"contained":[{inner}{other}]"##
        ))
    };
    let plain = r#"{"resourceType":"Practitioner","id":"p","active":true}"#;
    assert_eq!(with(plain, ""), Vec::<String>::new());
    assert_eq!(with(plain, &format!(",{plain}")), ["contained-twice Observation.contained[1]"]);
    let versioned = r#"{"resourceType":"Practitioner","id":"p","meta":{"versionId":"1"}}"#;
    assert_eq!(with(versioned, ""), ["contained-version Observation.contained[0].meta.versionId"]);
    let nested = r#"{"resourceType":"Practitioner","id":"p","contained":[{"resourceType":"Organization","id":"o"}]}"#;
    assert_eq!(with(nested, ""), ["nested-contained Observation.contained[0].contained"]);
    // Pointing to the container is as good as being pointed at.
    let points_back = r##"{"resourceType":"Provenance","id":"v","target":[{"reference":"#"}],"recorded":"2024-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}"##;
    assert_eq!(with(plain, &format!(",{points_back}")), Vec::<String>::new());
}

#[test]
fn required_bindings_of_concepts_need_one_coding_of_the_set() {
    let with = |concept: &str| {
        faults(&format!(
            r#"{{"resourceType":"Condition","subject":{{"reference":"Patient/a"}},"clinicalStatus":{concept}}}"#
        ))
    };
    let system = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    assert_eq!(
        with(&format!(r#"{{"coding":[{{"system":"{system}","code":"active"}}]}}"#)),
        Vec::<String>::new()
    );
    let wrong = ["bad-code Condition.clinicalStatus"];
    assert_eq!(with(&format!(r#"{{"coding":[{{"system":"{system}","code":"Active"}}]}}"#)), wrong);
    assert_eq!(with(r#"{"coding":[{"system":"http://x","code":"active"}]}"#), wrong);
    assert_eq!(with(r#"{"coding":[{"code":"active"}]}"#), wrong);
    assert_eq!(with(r#"{"text":"active"}"#), wrong);
}

#[test]
fn extensions_beside_primitives_match_their_values() {
    let extension = r#"{"extension":[{"url":"x","valueCode":"masked"}]}"#;
    let name = |members: &str| patient(&format!(r#""name":[{{{members}}}]"#));
    assert_eq!(
        name(&format!(r#""given":["a",null],"_given":[null,{extension}]"#)),
        Vec::<String>::new()
    );
    assert_eq!(name(&format!(r#""_given":[{extension}]"#)), Vec::<String>::new());
    assert_eq!(name(&format!(r#""_family":{extension}"#)), Vec::<String>::new());
    assert_eq!(
        name(&format!(r#""given":["a"],"_given":[null,{extension}]"#)),
        ["unmatched-extensions Patient.name[0]._given"]
    );
    assert_eq!(name(r#""given":["a",null]"#), ["null-value Patient.name[0].given[1]"]);
    assert_eq!(name(r#""given":[null],"_given":[null]"#), ["null-value Patient.name[0].given[0]"]);
    assert_eq!(name(r#""_given":[null]"#), ["null-value Patient.name[0]._given[0]"]);
    assert_eq!(name(r#""_family":{}"#), ["empty-element Patient.name[0]._family"]);
    assert_eq!(name(r#""_family":"a""#), ["wrong-json-type Patient.name[0]._family"]);
    assert_eq!(
        name(r#""_family":{"value":"a"}"#),
        ["unknown-element Patient.name[0]._family.value"]
    );
    // A required primitive may be given by its extensions alone.
    assert_eq!(
        faults(&format!(
            r#"{{"resourceType":"Observation","_status":{extension},"code":{{"text":"x"}}}}"#
        )),
        Vec::<String>::new()
    );
}

#[test]
fn a_resource_inside_a_bundle_is_validated_with_the_path_of_its_entry() {
    let text = r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","gender":"x"}}]}"#;
    assert_eq!(faults(text), ["bad-code Bundle.entry[0].resource.gender"]);
    // Taken alone, the path starts at the resource.
    let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
    let inner = doc.root().first(&["entry", "resource"]).unwrap();
    assert_eq!(validate(inner)[0].path, "Patient.gender");
}

#[test]
fn the_number_of_faults_is_bounded() {
    let names = alloc::vec!["{\"x\":1}"; 1000].join(",");
    assert_eq!(patient(&format!(r#""name":[{names}]"#)).len(), FAULTS_MAX);
}

#[test]
fn faults_never_quote_values() {
    let doc = Doc::parse(
        br#"{"resourceType":"Patient","gender":"SECRET","birthDate":"SECRET","managingOrganization":{"reference":"SECRET"}}"#
            .to_vec(),
    )
    .unwrap();
    let faults = validate(doc.root());
    assert_eq!(faults.len(), 3);
    let body = String::from_utf8(outcome(&faults).to_bytes()).unwrap();
    assert!(!body.contains("SECRET"), "{body}");
    let answer = Doc::parse(body.into_bytes()).unwrap();
    assert_eq!(validate(answer.root()), []);
}

#[test]
fn the_status_tells_form_from_rules() {
    let of = |text: &str| {
        let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
        status(&validate(doc.root()))
    };
    assert_eq!(of(r#"{"resourceType":"Patient","x":1}"#), 400);
    assert_eq!(of(r#"{"resourceType":"Patient","gender":"x"}"#), 422);
}

#[test]
fn details_are_distinct() {
    let mut details: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.detail().to_owned()).collect();
    details.sort();
    details.dedup();
    assert_eq!(details.len(), FaultKind::ALL.len());
}
