use alloc::collections::BTreeSet;

use proviso_core::decision::Belonging;

use super::{belonging, belonging_under};
use crate::json::Doc;

fn of(text: &str) -> Belonging {
    belonging(Doc::parse(text.as_bytes().to_vec()).unwrap().root())
}

fn patients(ids: &[&str]) -> Belonging {
    Belonging::Patients(ids.iter().map(|id| id.parse().unwrap()).collect::<BTreeSet<_>>())
}

#[test]
fn every_patient_named_anywhere_counts() {
    let cases: &[(&str, &[&str])] = &[
        (r#"{"resourceType":"Patient","id":"a"}"#, &["a"]),
        (
            r#"{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/m"},"type":"replaces"}]}"#,
            &["a", "m"],
        ),
        (r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"}}"#, &["a"]),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a/_history/2"},"focus":[{"reference":"Patient/b"}]}"#,
            &["a", "b"],
        ),
        (
            r#"{"resourceType":"Coverage","beneficiary":{"reference":"Patient/a"},"subscriber":{"reference":"Patient/b"},"payor":[{"reference":"Organization/o"}]}"#,
            &["a", "b"],
        ),
        (
            r#"{"resourceType":"Group","member":[{"entity":{"reference":"Patient/a"}},{"entity":{"reference":"Patient/b"}}]}"#,
            &["a", "b"],
        ),
        (
            r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Practitioner/x"}},{"actor":{"reference":"Patient/a"}}]}"#,
            &["a"],
        ),
        (
            r##"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"performer":[{"reference":"#r"}],"contained":[{"resourceType":"RelatedPerson","id":"r","patient":{"reference":"Patient/b"}}]}"##,
            &["a", "b"],
        ),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"extension":[{"url":"http://x","extension":[{"url":"y","valueReference":{"reference":"Patient/b"}}]}]}"#,
            &["a", "b"],
        ),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"_status":{"extension":[{"url":"y","valueReference":{"reference":"Patient/b"}}]}}"#,
            &["a", "b"],
        ),
        (r#"{"resourceType":"RelatedPerson","patient":{"reference":"Patient/a"}}"#, &["a"]),
        (r#"{"resourceType":"Binary","securityContext":{"reference":"Patient/a"}}"#, &["a"]),
        (
            r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"a"}},{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/b"}}}]}"#,
            &["a", "b"],
        ),
        (r#"{"resourceType":"Device","patient":{"reference":"Patient/a"}}"#, &["a"]),
        (r#"{"resourceType":"Observation","subject":{"reference":"P\u0061tient\/a"}}"#, &["a"]),
        // A text that says who it is, and one that names nobody.
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a","type":"Practitioner"},"performer":[{"display":"Dr. X"}]}"#,
            &["a"],
        ),
    ];
    for (text, ids) in cases {
        assert_eq!(of(text), patients(ids), "{text}");
    }
}

#[test]
fn what_may_name_a_patient_but_cannot_be_resolved_is_unknown() {
    let with = |extra: &str| {
        of(&alloc::format!(
            r#"{{"resourceType":"Observation","subject":{{"reference":"Patient/a"}},{extra}}}"#
        ))
    };
    let unknown = [
        r#""focus":[{"reference":"http://other.example/fhir/Patient/b"}]"#,
        r#""focus":[{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}]"#,
        r#""performer":[{"reference":"Patient?identifier=x|y"}]"#,
        r#""performer":[{"reference":"x/Patient/b"}]"#,
        r#""performer":[{"reference":"patient/b"}]"#,
        r#""performer":[{"reference":"Patient/"}]"#,
        r#""performer":[{"reference":"Patient/b/name"}]"#,
        r#""performer":[{"reference":"Patient/b_c"}]"#,
        r#""performer":[{"reference":""}]"#,
        r#""performer":[{"reference":1}]"#,
        r#""performer":[{"reference":["Patient/b"]}]"#,
        r#""performer":[{"identifier":{"system":"http://mrn","value":"1"}}]"#,
        r#""performer":[{"identifier":{"value":"1"},"type":"Patient"}]"#,
        r#""performer":[{"identifier":{"value":"1"},"type":"http://x/Practitioner"}]"#,
        r##""performer":[{"reference":"#nobody"}]"##,
        r##""contained":[{"resourceType":"Patient","id":"p"}],"performer":[{"reference":"#p"}]"##,
        r#""contained":[{"resourceType":"Patient","id":"a"}]"#,
        r#""unknownElement":{"reference":"urn:uuid:1"}"#,
    ];
    for extra in unknown {
        assert_eq!(with(extra), Belonging::Unknown, "{extra}");
    }
    for text in [
        r#"{"resourceType":"Observation"}"#,
        r#"{"resourceType":"Observation","subject":{"display":"Maria"}}"#,
        r#"{"resourceType":"Observation","subject":{"reference":"Group/g"}}"#,
        r#"{"resourceType":"Patient"}"#,
        r#"{"resourceType":"Binary","securityContext":{"reference":"DocumentReference/d"}}"#,
        r#"{"resourceType":"Binary"}"#,
        r#"{"resourceType":"Group","actual":false}"#,
        r#"{"resourceType":"Nonsense"}"#,
        "[]",
        r#"{"resourceType":"Device","id":"x"}"#,
        r#"{"resourceType":"Device","patient":{"identifier":{"value":"1"}}}"#,
        r#"{"resourceType":"Medication","contained":[{"resourceType":"Patient","id":"a"}]}"#,
    ] {
        assert_eq!(of(text), Belonging::Unknown, "{text}");
    }
}

#[test]
fn what_cannot_name_a_patient_does_not_count() {
    let harmless = [
        r#""performer":[{"identifier":{"system":"http://hl7.org/fhir/sid/us-npi","value":"1"}}]"#,
        r#""performer":[{"identifier":{"value":"1"},"type":"Organization"}]"#,
        r#""performer":[{"reference":"Practitioner?identifier=x|y"}]"#,
        r#""performer":[{"reference":"https://other.example/fhir/Practitioner/b"}]"#,
        r#""performer":[{"reference":"urn:uuid:1","type":"Organization"}]"#,
        r#""encounter":{"identifier":{"value":"1"}}"#,
        r#""encounter":{"reference":"urn:uuid:1"}"#,
        r##""contained":[{"resourceType":"Organization","id":"o"}],"performer":[{"reference":"#o"}]"##,
        r#""identifier":[{"value":"1"}]"#,
        r#""performer":[{"reference":"Practitioner/x","identifier":{"value":"1"}}]"#,
    ];
    for extra in harmless {
        let text = alloc::format!(
            r#"{{"resourceType":"Observation","subject":{{"reference":"Patient/a"}},{extra}}}"#
        );
        assert_eq!(of(&text), patients(&["a"]), "{extra}");
    }
}

#[test]
fn the_directory_is_about_nobody() {
    for text in [
        r#"{"resourceType":"Practitioner","id":"x"}"#,
        r#"{"resourceType":"Organization","partOf":{"identifier":{"value":"1"}}}"#,
        r#"{"resourceType":"PractitionerRole","practitioner":{"identifier":{"value":"1"}}}"#,
        r#"{"resourceType":"Slot","schedule":{"reference":"Schedule/s"}}"#,
    ] {
        assert_eq!(of(text), Belonging::Directory, "{text}");
    }
}

#[test]
fn an_absolute_url_is_ours_only_below_our_base() {
    let text = r#"{"resourceType":"Observation","subject":{"reference":"https://us.example/fhir/Patient/a"}}"#;
    let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
    assert_eq!(belonging(doc.root()), Belonging::Unknown);
    assert_eq!(belonging_under(doc.root(), &["https://us.example/fhir"]), patients(&["a"]));
    assert_eq!(belonging_under(doc.root(), &["https://us.example"]), Belonging::Unknown);
    assert_eq!(belonging_under(doc.root(), &["https://us.example/f"]), Belonging::Unknown);
}
