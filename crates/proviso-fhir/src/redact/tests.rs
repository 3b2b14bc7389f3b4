use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use proptest::prelude::*;
use proviso_core::category::SensitiveKind;

use super::*;
use crate::validate::validate;

pub(super) const PATIENT: &str = r#"{
    "resourceType":"Patient","id":"maria",
    "meta":{"versionId":"7","lastUpdated":"2026-11-22T12:00:00Z","tag":[{"code":"x"}]},
    "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Maria</div>"},
    "identifier":[{"system":"http://example.org/mrn","value":"MRN-778"}],
    "active":true,
    "name":[{"use":"official","family":"Alvarez","given":["Maria","Luz"],
             "_given":[{"extension":[{"url":"http://example.org/q","valueCode":"q"}]},null]}],
    "telecom":[{"system":"phone","value":"+1 555 0100","use":"home"}],
    "gender":"female","birthDate":"1980-04-02","_birthDate":{"extension":[
        {"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime",
         "valueDateTime":"1980-04-02T10:00:00Z"}]},
    "address":[{"line":["1 River Road"],"city":"Salem","state":"MA"}],
    "contact":[{"name":{"text":"Luis ALVAREZ"},"telecom":[{"system":"phone","value":"1"}]}],
    "extension":[{"url":"http://example.org/nickname","valueString":"maria of Salem"}],
    "communication":[{"language":{"text":"Spanish"}}]
}"#;

pub(super) const RESULT: &str = r##"{
    "resourceType":"Observation","id":"o","status":"final",
    "contained":[{"resourceType":"Patient","id":"p","name":[{"family":"Alvarez"}],
                  "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">A</div>"}}],
    "code":{"coding":[{"system":"http://loinc.org","code":"4548-4","display":"HbA1c"}],"text":"HbA1c"},
    "subject":{"reference":"Patient/maria","display":"Maria Alvarez"},
    "performer":[{"reference":"#p"}],
    "effectiveDateTime":"2026-01-05","valueQuantity":{"value":7.20,"unit":"%"},
    "note":[{"text":"Seen with her sister Rosa."}],
    "component":[{"code":{"text":"HbA1c"},"valueString":"high"}]
}"##;

pub(super) fn doc(text: &str) -> Doc {
    Doc::parse(text.as_bytes().to_vec()).unwrap()
}

pub(super) fn rules(of: &[(&str, &[&str])]) -> Redactions {
    let rule = |name: &str, path: &&str| {
        let resource_type: ResourceType = name.parse().unwrap();
        let path = ElementPath::parse(resource_type, path).unwrap();
        (resource_type, ElementRule { elements: Elements::At(path), kinds: None })
    };
    of.iter().flat_map(|(name, paths)| paths.iter().map(|path| rule(name, path))).collect()
}

pub(super) fn seen(redactions: &Redactions, text: &str) -> serde_json::Value {
    let before = doc(text);
    let labels = Labels::Known(SensitiveSet::EMPTY);
    let after = redactions.apply(&before, labels).unwrap();
    let after = after.unwrap_or(before);
    assert_eq!(validate(after.root()), [], "{}", after.text());
    let again = redactions.apply(&after, labels).unwrap().unwrap_or_else(|| after.clone());
    assert_eq!(again.text(), after.text(), "what was redacted stays as it is");
    serde_json::from_str(after.text()).unwrap()
}

#[test]
fn without_rules_a_record_is_as_it_is_stored() {
    assert_eq!(
        seen(&Redactions::default(), PATIENT),
        serde_json::from_str::<serde_json::Value>(PATIENT).unwrap()
    );
    let other = rules(&[("Condition", &["note"])]);
    assert!(other.apply(&doc(RESULT), Labels::Unclassified).unwrap().is_none());
}

// Covers: design §7 (redaction); leaks 107, 108, 110, 112, 115
#[test]
fn what_is_taken_out_stands_nowhere_else() {
    let hidden = rules(&[("Patient", &["name", "birthDate", "identifier"])]);
    let seen = seen(&hidden, PATIENT);
    let text = seen.to_string().to_lowercase();
    for secret in ["alvarez", "luz", "1980", "mrn-778"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    // A word on its own in an extension, and in the name of somebody else.
    assert_eq!(seen.get("extension"), None);
    assert!(seen["contact"][0].get("name").is_none());
    assert_eq!(seen["contact"][0]["telecom"][0]["value"], "1");
    // The rest is there, in the same words.
    assert_eq!(seen["address"][0]["city"], "Salem");
    assert_eq!(seen["gender"], "female");
    for name in ["text", "name", "birthDate", "_birthDate", "identifier"] {
        assert!(seen.get(name).is_none(), "{name}");
    }
    assert!(seen["meta"].get("versionId").is_none() && seen["meta"].get("lastUpdated").is_none());
    assert_eq!(seen["meta"]["security"][0]["code"], "REDACTED");
}

#[test]
fn the_tag_says_that_something_could_be_missing_and_not_that_it_is() {
    let hidden = rules(&[("Patient", &["photo"])]);
    let bare = r#"{"resourceType":"Patient","id":"b"}"#;
    let stored = r#"{"resourceType":"Patient","id":"b","meta":{"versionId":"1"}}"#;
    for text in [PATIENT, bare, stored] {
        assert_eq!(seen(&hidden, text)["meta"]["security"][0]["code"], "REDACTED");
    }
}

#[test]
fn what_must_be_there_is_masked_in_every_form() {
    let hidden = rules(&[
        ("Observation", &["code", "value", "note.text", "component.code"]),
        ("Patient", &["name"]),
    ]);
    let result = seen(&hidden, RESULT);
    let masked = |value: &serde_json::Value| value["extension"][0]["valueCode"] == "masked";
    assert!(masked(&result["code"]), "{result}");
    assert!(masked(&result["component"][0]["code"]));
    assert!(masked(&result["note"][0]["_text"]));
    assert!(result.get("valueQuantity").is_none());
    // The choice goes whatever its type, where it is named; inside a component it was not.
    assert_eq!(result["component"][0]["valueString"], "high");
    // A name of the patient goes wherever it is said, and from what is contained.
    assert_eq!(result["subject"], serde_json::json!({"reference": "Patient/maria"}));
    assert!(result["contained"][0].get("name").is_none());
    assert!(result["contained"][0].get("text").is_none());
}

// Covers: leak 108: a name in a reference, however that leads to whom it names
#[test]
fn whoever_a_reference_could_lead_to_is_not_named_by_it() {
    let hidden = rules(&[("Patient", &["name"])]);
    for (reference, named) in [
        (r#""reference":"Patient/maria""#, false),
        (r#""reference":"Patient/maria/_history/3""#, false),
        (r#""reference":"https://example.org/fhir/Patient/maria""#, false),
        (r#""reference":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0""#, false),
        (r#""type":"Patient","identifier":{"value":"7"}"#, false),
        (r#""identifier":{"value":"7"}"#, false),
        (r#""reference":"Group/g""#, true),
        (r#""type":"Device","identifier":{"value":"7"}"#, true),
    ] {
        let text = RESULT.replace(r#""reference":"Patient/maria""#, reference);
        let text = text.replace("Maria Alvarez", "Somebody");
        let seen = seen(&hidden, &text);
        assert_eq!(seen["subject"].get("display").is_some(), named, "{reference}: {seen}");
    }
}

// Covers: leak 110: an unknown extension carries no less than an element
#[test]
fn elements_of_a_data_type_go_wherever_they_stand() {
    let of = |name: &str, hidden: &str| {
        let elements = Elements::OfType(DataType::parse(hidden).unwrap());
        (name.parse().unwrap(), ElementRule { elements, kinds: None })
    };
    let hidden: Redactions =
        [of("Patient", "HumanName"), of("Patient", "Annotation"), of("Patient", "Attachment")]
            .into_iter()
            .collect();
    let text = PATIENT.replace(
        r#""extension":["#,
        r#""extension":[{"url":"http://example.org/said","valueAnnotation":{"text":"Rosa"}},
            {"url":"http://example.org/seen","valueAttachment":{"title":"Scan"}},"#,
    );
    let seen = seen(&hidden, &text);
    assert!(seen.get("name").is_none() && seen["contact"][0].get("name").is_none());
    assert!(!seen.to_string().contains("Rosa") && !seen.to_string().contains("Scan"));
    assert_eq!(seen["telecom"][0]["value"], "+1 555 0100");
    for (code, hides) in [("family", true), ("name", true), ("phone", false), ("gender", false)] {
        assert_eq!(hidden.hides(ResourceType::PATIENT, code), hides, "{code}");
    }
    let unknown = DataType::parse("Reference").unwrap_err().to_string();
    assert!(unknown.contains("no data type that can be taken out"), "{unknown}");
}

#[test]
fn numbers_keep_their_text() {
    let hidden = rules(&[("Observation", &["note"])]);
    let before = doc(RESULT);
    let after = hidden.apply(&before, Labels::Unclassified).unwrap().unwrap();
    assert!(after.text().contains("7.20") && !after.text().contains("Rosa"));
}

#[test]
fn a_rule_for_some_kinds_leaves_other_records_alone() {
    let kinds = SensitiveSet::EMPTY.with(SensitiveKind::Hiv);
    let path = ElementPath::parse(ResourceType::OBSERVATION, "note").unwrap();
    let rule = ElementRule { elements: Elements::At(path), kinds: Some(kinds) };
    let hidden: Redactions = [(ResourceType::OBSERVATION, rule)].into_iter().collect();
    let has_note = |labels| {
        let after = hidden.apply(&doc(RESULT), labels).unwrap().unwrap();
        after.root().get("note").is_some()
    };
    assert!(has_note(Labels::Known(SensitiveSet::EMPTY)));
    assert!(!has_note(Labels::Known(kinds)));
    assert!(!has_note(Labels::Unclassified), "what nobody has labelled may be of any kind");
}

#[test]
fn elements_that_must_stay_cannot_be_named() {
    let parse =
        |text| ElementPath::parse(ResourceType::OBSERVATION, text).map(|own| own.to_string());
    assert_eq!(parse("value[x]"), Ok("value".to_owned()));
    assert_eq!(parse("component.value.code"), Ok("component.value.code".to_owned()));
    for fixed in ["id", "meta", "meta.tag", "contained"] {
        assert!(matches!(parse(fixed), Err(PathError::Fixed { .. })), "{fixed}");
    }
    for modifier in ["status", "modifierExtension"] {
        assert!(matches!(parse(modifier), Err(PathError::Modifier { .. })), "{modifier}");
    }
    for unknown in ["", "name", "valueQuantity", "component.nothing", "note."] {
        assert!(matches!(parse(unknown), Err(PathError::Unknown { .. })), "{unknown}");
    }
}

// Covers: design §7 (a query may look only at what is seen); leaks 25, 26, 54
#[test]
fn parameters_that_look_at_what_is_taken_out_are_known() {
    let hidden =
        rules(&[("Patient", &["birthDate", "contact.name"]), ("Observation", &["value", "note"])]);
    for (of, code, hides) in [
        ("Patient", "birthdate", true),
        ("Patient", "_lastUpdated", true),
        ("Patient", "gender", false),
        ("Patient", "family", false),
        ("Patient", "_id", false),
        ("Patient", "nothing-known", true),
        ("Observation", "value-quantity", true),
        ("Observation", "combo-value-quantity", true),
        ("Observation", "code-value-quantity", true),
        ("Observation", "component-value-quantity", false),
        ("Observation", "code", false),
        ("Observation", "subject", false),
        ("Observation", "patient", false),
        ("Condition", "_lastUpdated", false),
        ("Condition", "code", false),
    ] {
        assert_eq!(hidden.hides(of.parse().unwrap(), code), hides, "{of} {code}");
    }
    assert!(!hidden.hides_identifiers());
    assert!(rules(&[("Patient", &["identifier"])]).hides_identifiers());
}

/// Every name of an element of a type, two deep.
fn names(resource_type: ResourceType) -> Vec<String> {
    let mut all = vec![];
    for outer in spec::shape_of(resource_type).unwrap().elements() {
        all.push(outer.name().to_owned());
        for shape in outer.types().iter().filter_map(|one| one.shape()) {
            all.extend(shape.elements().map(|own| format!("{}.{}", outer.name(), own.name())));
        }
    }
    all.retain(|name| ElementPath::parse(resource_type, name).is_ok());
    all.sort();
    all.dedup();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// `redact_is_idempotent` and `filter_only_removes` (style §9), for any elements.
    #[test]
    fn whatever_is_named_goes_and_what_is_left_is_valid(
        of_patient in prop::sample::subsequence(names(ResourceType::PATIENT), 0..6),
        of_result in prop::sample::subsequence(names(ResourceType::OBSERVATION), 0..6),
    ) {
        let names = |all: &[String]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (of_patient, of_result) = (names(&of_patient), names(&of_result));
        let (a, b): (Vec<&str>, Vec<&str>) = (
            of_patient.iter().map(String::as_str).collect(),
            of_result.iter().map(String::as_str).collect(),
        );
        let hidden = rules(&[("Patient", &a), ("Observation", &b)]);
        for (text, paths) in [(PATIENT, &a), (RESULT, &b)] {
            let after = seen(&hidden, text);
            let before: serde_json::Value = serde_json::from_str(text).unwrap();
            for path in paths {
                let mut found = vec![];
                reach(&after, path.split('.').collect::<Vec<_>>().as_slice(), &mut found);
                for value in found {
                    let said = value.to_string();
                    prop_assert!(said.contains("masked") && said.len() < 300, "{path}: {said}");
                }
            }
            only_less(&before, &after)?;
        }
    }
}

/// What stands under a path, whatever the type of a choice.
fn reach<'v>(value: &'v serde_json::Value, path: &[&str], found: &mut Vec<&'v serde_json::Value>) {
    let Some((first, rest)) = path.split_first() else {
        found.push(value);
        return;
    };
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| reach(item, path, found)),
        serde_json::Value::Object(members) => {
            for (key, inner) in members {
                let key = key.trim_start_matches('_');
                let is_choice = key.strip_prefix(first).is_some_and(|tail| {
                    tail.is_empty()
                        || *first == "value" && tail.starts_with(char::is_uppercase)
                        || matches!(*first, "effective" | "deceased" | "multipleBirth")
                });
                if is_choice {
                    reach(inner, rest, found);
                }
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

/// Texts and numbers of what is left are all in what was there, apart from what says that
/// something is missing.
fn only_less(before: &serde_json::Value, after: &serde_json::Value) -> Result<(), TestCaseError> {
    fn leaves(value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::Array(items) => items.iter().for_each(|item| leaves(item, all)),
            serde_json::Value::Object(members) => {
                members.values().for_each(|inner| leaves(inner, all));
            }
            leaf @ (serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_)) => all.push(leaf.to_string()),
        }
    }
    let (mut was, mut is) = (vec![], vec![]);
    leaves(before, &mut was);
    leaves(after, &mut is);
    for leaf in is {
        let ours = ["masked", "REDACTED", "data-absent-reason", "v3-ObservationValue"];
        prop_assert!(was.contains(&leaf) || ours.iter().any(|own| leaf.contains(own)), "{leaf}");
    }
    Ok(())
}
