//! The edges of each rule of redaction: for every check the record on either side of it, found by
//! switching the checks off one by one (`cargo mutants -f 'crates/proviso-fhir/src/redact/*.rs'`).
//!
//! What is left makes no difference to any record of FHIR R4: that a null in a list is settled as an
//! object without members (`keep_item`), that the value of a primitive has the shape of what stands
//! beside it (`shape_under`: it is a text, which has no members), and where exactly masking stops going
//! down (`masked`: no type has mandatory elements within mandatory ones that deep).

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::tests::{PATIENT, RESULT, doc, rules, seen};
use super::*;
use proviso_core::category::SensitiveKind;

#[test]
fn rules_say_what_they_are_about() {
    let none = Redactions::default();
    let some = rules(&[("Patient", &["name"])]);
    assert!(none.is_empty() && !some.is_empty());
    assert!(some.covers(ResourceType::PATIENT) && !some.covers(ResourceType::OBSERVATION));
    assert!(!some.hides(ResourceType::PATIENT, "_id"));
    assert!(!some.hides(ResourceType::PATIENT, "_type"));
    assert!(!some.hides_identifiers());
    assert!(rules(&[("Patient", &["identifier"])]).hides_identifiers());
    assert!(rules(&[("Observation", &["subject.identifier"])]).hides_identifiers());
    let of_type = |name: &str| -> Redactions {
        let elements = Elements::OfType(DataType::parse(name).unwrap());
        [(ResourceType::PATIENT, ElementRule { elements, kinds: None })].into_iter().collect()
    };
    assert!(of_type("Identifier").hides_identifiers());
    assert!(!of_type("HumanName").hides_identifiers());
}

/// An address, a system and the type of a reference are no secrets: what is hidden tells nothing by
/// them, and what is shown may have the same.
#[test]
fn what_only_says_where_or_of_which_kind_is_no_secret() {
    let hidden = rules(&[("Patient", &["identifier"]), ("Observation", &["performer"])]);
    let text = PATIENT.replace(
        r#""extension":["#,
        r#""extension":[{"url":"http://example.org/e","valueString":"http://example.org/mrn"},"#,
    );
    assert_eq!(seen(&hidden, &text)["extension"][0]["valueString"], "http://example.org/mrn");
    let text = RESULT.replace(
        r##""performer":[{"reference":"#p"}]"##,
        r#""performer":[{"reference":"Practitioner/q","type":"Practitioner","display":"Dr. Quimby"}]"#,
    );
    let text = text.replace("Seen with her sister Rosa.", "A Practitioner.");
    let shown = seen(&hidden, &text);
    assert_eq!(shown["note"][0]["text"], "A Practitioner.", "a type is none");
    let told = text.replace("A Practitioner.", "Dr. Quimby said so.");
    assert!(!seen(&hidden, &told).to_string().contains("Quimby"), "a name is one");
}

/// A rule may name a single text: that is a secret too, unless it only says where.
#[test]
fn a_single_text_that_is_hidden_stands_nowhere_else() {
    let twice = |value: &str| {
        PATIENT.replace(
            r#""extension":["#,
            &format!(r#""extension":[{{"url":"http://example.org/e","valueString":"{value}"}},"#),
        )
    };
    let born = seen(&rules(&[("Patient", &["birthDate"])]), &twice("born 1980-04-02"));
    assert!(!born.to_string().contains("1980"), "{born}");
    let city = rules(&[("Patient", &["address.city"])]);
    assert!(seen(&city, PATIENT).get("extension").is_none(), "`of Salem` is said in it");
    let system = rules(&[("Patient", &["identifier.system"])]);
    let shown = seen(&system, &twice("http://example.org/mrn"));
    assert_eq!(shown["extension"][0]["valueString"], "http://example.org/mrn");
    assert!(shown["identifier"][0].get("system").is_none());
}

/// The narrative of a contained resource without rules goes when it says a secret, and what refers
/// somewhere by the same letters stays.
#[test]
fn narratives_tell_and_references_do_not() {
    let hidden = rules(&[("Observation", &["note"])]);
    let contained = |div: &str| {
        format!(
            r##"{{"resourceType":"Observation","id":"o","status":"final",
"contained":[{{"resourceType":"Practitioner","id":"p","text":{{"status":"generated",
"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{div}</div>"}}}}],
"code":{{"text":"x"}},"subject":{{"reference":"Patient/rosa"}},
"performer":[{{"reference":"#p"}}],"note":[{{"text":"Rosa"}}]}}"##
        )
    };
    let shown = seen(&hidden, &contained("Her sister Rosa came."));
    assert!(!shown.to_string().contains("sister"), "{shown}");
    assert_eq!(shown["subject"]["reference"], "Patient/rosa");
    let shown = seen(&hidden, &contained("Nobody came."));
    assert!(shown.to_string().contains("Nobody came."));
}

/// Where only a name in a reference goes, a tag would tell that there was one.
#[test]
fn a_record_of_a_type_without_rules_has_no_tag() {
    let hidden = rules(&[("Patient", &["name"])]);
    let bare = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},
"subject":{"reference":"Patient/maria","display":"Maria"}}"#;
    let shown = seen(&hidden, bare);
    assert!(shown["subject"].get("display").is_none());
    assert!(shown.get("meta").is_none(), "{shown}");
}

#[test]
fn a_rule_about_a_data_type_for_some_kinds_leaves_other_records_alone() {
    let kinds = SensitiveSet::EMPTY.with(SensitiveKind::Hiv);
    let elements = Elements::OfType(DataType::parse("Annotation").unwrap());
    let rule = ElementRule { elements, kinds: Some(kinds) };
    let hidden: Redactions = [(ResourceType::OBSERVATION, rule)].into_iter().collect();
    let has_note = |labels| {
        let after = hidden.apply(&doc(RESULT), labels).unwrap().unwrap();
        after.root().get("note").is_some()
    };
    assert!(has_note(Labels::Known(SensitiveSet::EMPTY)));
    assert!(!has_note(Labels::Known(kinds)));
}

/// Of a list of texts all go with one, since what stands beside them counts by position; of an object
/// only the one that tells.
#[test]
fn a_text_that_tells_takes_along_its_list_and_not_its_object() {
    let hidden = rules(&[("Patient", &["name"])]);
    let text = PATIENT.replace(
        r#""contact":[{"name":{"text":"Luis ALVAREZ"}"#,
        r#""contact":[{"name":{"text":"Luis ALVAREZ","family":"Perez","given":["Ann","Luz"]}"#,
    );
    let contact = &seen(&hidden, &text)["contact"][0];
    assert_eq!(contact["name"], serde_json::json!({"family": "Perez"}));
}

/// Everything that must be there is masked, each once: several in one object, choices, and groups with
/// what must be in them.
#[test]
fn each_mandatory_element_is_masked_once_and_with_what_it_must_have() {
    let hidden = rules(&[
        ("MedicationRequest", &["medication", "subject"]),
        ("DocumentReference", &["content"]),
        ("Claim", &["insurance", "type", "provider"]),
    ]);
    let masked = |value: &serde_json::Value| value["extension"][0]["valueCode"] == "masked";
    let order = r#"{"resourceType":"MedicationRequest","id":"m","status":"active","intent":"order",
"medicationCodeableConcept":{"text":"Zoloft"},"subject":{"reference":"Patient/a"}}"#;
    let shown = seen(&hidden, order);
    assert!(masked(&shown["subject"]), "{shown}");
    assert!(masked(&shown["medicationCodeableConcept"]), "{shown}");
    let note = r#"{"resourceType":"DocumentReference","id":"d","status":"current",
"content":[{"attachment":{"title":"x"}},{"attachment":{"title":"y"}}]}"#;
    let shown = seen(&hidden, note);
    assert_eq!(shown["content"].as_array().unwrap().len(), 1, "{shown}");
    assert!(masked(&shown["content"][0]) && masked(&shown["content"][0]["attachment"]), "{shown}");
    let claim = r#"{"resourceType":"Claim","id":"c","status":"active","use":"claim",
"type":{"text":"t"},"patient":{"reference":"Patient/a"},"created":"2026-01-01",
"provider":{"reference":"Practitioner/p"},"priority":{"text":"p"},
"insurance":[{"sequence":1,"focal":true,"coverage":{"reference":"Coverage/c"}}]}"#;
    let shown = seen(&hidden, claim);
    let insurance = &shown["insurance"][0];
    assert!(masked(&insurance["_sequence"]) && masked(&insurance["_focal"]), "{shown}");
    assert!(masked(&insurance["coverage"]) && masked(&shown["type"]), "{shown}");
    assert!(masked(&shown["provider"]));
}

/// The tag comes to the labels that are there, once.
#[test]
fn the_tag_is_added_to_other_labels() {
    let hidden = rules(&[("Patient", &["photo"])]);
    let labelled = r#"{"resourceType":"Patient","id":"b","meta":{"security":[{"code":"R"}]}}"#;
    let shown = seen(&hidden, labelled);
    let codes: Vec<&str> = shown["meta"]["security"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["R", "REDACTED"]);
}

/// The address of an extension stays; that of an attachment may go.
#[test]
fn an_address_may_be_hidden_unless_it_says_what_an_extension_is() {
    let parse =
        |kind: ResourceType, text| ElementPath::parse(kind, text).map(|own| own.to_string());
    let attachment = parse(ResourceType::DOCUMENT_REFERENCE, "content.attachment.url");
    assert_eq!(attachment.as_deref(), Ok("content.attachment.url"));
    let extension = parse(ResourceType::PATIENT, "extension.url");
    assert!(matches!(extension, Err(PathError::Fixed { .. })), "{extension:?}");
}
