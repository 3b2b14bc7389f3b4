//! The small world behind the gateway, and the requests that must not tell what is hidden in it.

use crate::gateway_world::Terms;
use http::Method;
use proviso_core::category::{Category, CategorySet, SensitiveSet};

/// Laboratory results, medications and demographics of one patient; no sensitive kind.
pub const NARROW: &[Category] =
    &[Category::Laboratory, Category::Medications, Category::Demographics];

const SCOPES: &str = "patient/Patient.rs patient/Observation.cruds patient/MedicationRequest.rs \
                      patient/Practitioner.rs patient/DiagnosticReport.rs";

/// The category code of laboratory results.
pub const LAB: &str = "laboratory";
const VITAL: &str = "vital-signs";

/// What patient `a` shares with the app.
pub fn terms(categories: &[Category]) -> Terms {
    Terms {
        patient: "a",
        categories: categories.iter().copied().collect::<CategorySet>(),
        sensitive: SensitiveSet::EMPTY,
        scopes: SCOPES,
    }
}

/// Texts that occur in hidden records only.
pub const CANARIES: &[&str] = &["Bluebird", "b-lab", "99.99", "1955-05-05", "a-hiv", "a-vital"];

/// One result. `more` is put behind the id.
pub fn observation(
    id: &str,
    subject: &str,
    category: &str,
    code: &str,
    value: &str,
    date: &str,
    more: &str,
) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}"{more},"status":"final",
"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"{category}"}}]}}],
"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},
"subject":{{"reference":"Patient/{subject}"}},"effectiveDateTime":"{date}",
"performer":[{{"reference":"Practitioner/p"}}],
"valueQuantity":{{"value":{value},"unit":"%","system":"http://unitsofmeasure.org","code":"%"}}}}"#
    )
}

const HIV: &str = r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}"#;

/// What the app of [`terms`] sees.
pub fn only_visible() -> Vec<String> {
    vec![
        r#"{"resourceType":"Patient","id":"a","name":[{"family":"Ash","given":["Ann"]}],"gender":"female","birthDate":"1980-01-01"}"#.to_owned(),
        r#"{"resourceType":"Practitioner","id":"p","name":[{"family":"Patel"}]}"#.to_owned(),
        observation("a-lab", "a", LAB, "4548-4", "7.20", "2026-01-01", ""),
        observation("a-lab2", "a", LAB, "4548-4", "6.90", "2026-01-02", ""),
        observation("a-lab3", "a", LAB, "2345-7", "101", "2026-01-03", ""),
        r#"{"resourceType":"MedicationRequest","id":"a-med","status":"active","intent":"order",
"medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"860975"}]},
"subject":{"reference":"Patient/a"},"authoredOn":"2026-01-01"}"#.to_owned(),
    ]
}

/// A hidden laboratory result by its id: of the other patient, or new of the own.
pub fn hidden(id: &str) -> String {
    let subject = if id.starts_with('a') { "a" } else { "b" };
    observation(id, subject, LAB, "4548-4", "99.99", "2026-01-01", "")
}

/// The whole store: what is visible, and everything around it that is not.
pub fn everything() -> Vec<String> {
    let mut all = only_visible();
    let about_b = r#","focus":[{"reference":"Patient/b"}]"#;
    all.extend([
        r#"{"resourceType":"Patient","id":"b","name":[{"family":"Bluebird"}],"gender":"male","birthDate":"1955-05-05",
"identifier":[{"system":"urn:mrn","value":"B-1"}]}"#.to_owned(),
        observation("a-hiv", "a", LAB, "75622-1", "99.99", "2026-01-01", HIV),
        observation("a-vital", "a", VITAL, "8867-4", "99.99", "2026-01-01", ""),
        observation("a-about-b", "a", LAB, "4548-4", "99.99", "2026-01-01", about_b),
        hidden("b-lab"),
        r#"{"resourceType":"Condition","id":"b-cond","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}]},
"subject":{"reference":"Patient/b"}}"#.to_owned(),
        r#"{"resourceType":"Condition","id":"a-cond","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"E11.9"}]},
"subject":{"reference":"Patient/a"}}"#.to_owned(),
        r#"{"resourceType":"DiagnosticReport","id":"b-rep","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/b"},
"result":[{"reference":"Observation/a-lab"},{"reference":"Observation/b-lab"}]}"#.to_owned(),
        r#"{"resourceType":"List","id":"b-list","status":"current","mode":"working","subject":{"reference":"Patient/b"},
"entry":[{"item":{"reference":"Observation/a-lab"}},{"item":{"reference":"Observation/b-lab"}},{"item":{"reference":"Patient/a"}}]}"#.to_owned(),
        r#"{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/a"}},{"entity":{"reference":"Patient/b"}}]}"#.to_owned(),
    ]);
    all
}

/// One request, and the status it has whatever is hidden.
#[derive(Debug)]
pub struct Case {
    /// Its number in the catalogue of leaks.
    pub leak: u32,
    /// The method.
    pub method: Method,
    /// Below the FHIR base.
    pub path: &'static str,
    /// Headers beside the token.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: &'static str,
    /// The status of the answer.
    pub status: u16,
}

const fn get(leak: u32, path: &'static str, status: u16) -> Case {
    Case { leak, method: Method::GET, path, headers: &[], body: "", status }
}

const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
const JSON: &[(&str, &str)] = &[("content-type", "application/fhir+json")];

/// Requests whose answers are functions of the view alone.
pub const SAME: &[Case] = &[
    get(1, "Observation/b-lab", 404),
    get(1, "Observation/a-hiv", 404),
    get(2, "Patient/b", 404),
    get(5, "Observation/b-gone", 404),
    Case {
        leak: 6,
        method: Method::HEAD,
        path: "Observation/b-lab",
        headers: &[],
        body: "",
        status: 404,
    },
    Case {
        leak: 6,
        method: Method::OPTIONS,
        path: "Observation/b-lab",
        headers: &[],
        body: "",
        status: 204,
    },
    Case {
        leak: 7,
        method: Method::GET,
        path: "Observation/b-lab",
        headers: &[("if-none-match", "W/\"1\"")],
        body: "",
        status: 404,
    },
    get(9, "Observation/b-lab?_format=xml", 406),
    get(16, "Patient?identifier=urn:mrn|B-1", 200),
    get(16, "Patient?_id=b", 200),
    get(16, "Patient", 200),
    get(21, "Patient?_has:Condition:patient:code=E11.9", 200),
    get(21, "Patient?_has:Condition:patient:code=B20", 200),
    get(22, "Observation?subject:Patient.name=Bluebird", 200),
    get(22, "Observation?subject:Patient.birthdate=1955-05-05", 200),
    get(25, "Observation?_sort=-date", 200),
    get(25, "Observation?_sort=value-quantity&_count=2", 200),
    get(26, "Patient?birthdate=lt1960", 200),
    get(28, "Observation?code:not=http://loinc.org|4548-4", 200),
    get(28, "Observation?focus:missing=true", 200),
    get(29, "Observation?value-quantity=gt50", 200),
    get(29, "Observation?value-quantity=ne7.2", 200),
    get(30, "Observation?_text=Bluebird", 400),
    get(30, "Observation?_content=Bluebird", 400),
    get(30, "Observation?_filter=code%20eq%20x", 200),
    get(30, "Observation?_filter=code%20eq%204548-4%20or%20value-quantity%20gt%2050", 200),
    get(30, "Observation?_filter=not%20(status%20eq%20amended)", 200),
    get(31, "Observation?code-value-quantity=http://loinc.org|4548-4$gt50", 200),
    get(33, "Observation?_summary=count", 200),
    get(33, "Observation?_total=accurate&_count=1", 200),
    get(33, "Observation?patient=b&_summary=count", 200),
    get(35, "Observation?_include=Observation:focus", 200),
    get(35, "Observation?_include=Observation:subject&_include=Observation:performer", 200),
    get(36, "Observation?_include=*", 200),
    get(36, "Patient?_revinclude=Observation:subject", 200),
    get(36, "Observation?_id=a-lab&_revinclude=DiagnosticReport:result", 200),
    get(
        37,
        "Observation?_include=Observation:focus&_include:iterate=Patient:general-practitioner",
        200,
    ),
    get(44, "Observation?patient=a", 200),
    get(44, "Observation?patient=b", 200),
    get(44, "Patient/b/Observation", 200),
    get(47, "Observation?_summary=text", 200),
    get(47, "Observation?_elements=status", 200),
    get(48, "?_type=Observation", 405),
    Case {
        leak: 50,
        method: Method::POST,
        path: "Observation/_search?patient=b",
        headers: FORM,
        body: "code=4548-4",
        status: 200,
    },
    Case {
        leak: 50,
        method: Method::POST,
        path: "Observation/_search",
        headers: FORM,
        body: "patient=a&code=4548-4",
        status: 200,
    },
    get(51, "Observation?_contained=true", 400),
    get(54, "Observation?_lastUpdated=gt2026-01-01", 200),
    get(56, "Observation?nonsense=b-lab", 400),
    get(59, "Observation/b-lab/_history", 404),
    get(59, "Observation/a-hiv/_history", 404),
    get(61, "Observation/_history", 200),
    get(61, "Observation/_history?_count=1", 200),
    get(61, "Observation/_history?_count=2&_since=2020-01-01T00:00:00Z", 200),
    get(61, "Observation/_history?_count=3&_since=2020-01-01T00:00:00Z", 200),
    get(61, "Observation/_history?_count=1&_since=2100-01-01T00:00:00Z", 200),
    get(61, "Observation/a-lab/_history?_count=1&_since=2020-01-01T00:00:00Z", 200),
    get(61, "_history", 405),
    get(62, "Observation/b-gone/_history", 404),
    get(63, "Patient/a/$everything", 200),
    get(63, "Patient/a/$everything?start=2026-01-02", 200),
    get(63, "Patient/a/$everything?start=2025&end=2026-01-01&_type=Observation", 200),
    get(63, "Patient/a/$everything?end=x", 400),
    get(22, "Observation?_list=b-list", 200),
    get(22, "Observation?subject:Patient._list=b-list", 200),
    get(22, "Observation?_list=$current-problems", 400),
    get(31, "Observation?_profile:below=http://x", 200),
    get(65, "Patient/b/$everything", 404),
    get(74, "Patient/b/$match", 404),
    Case {
        leak: 85,
        method: Method::POST,
        path: "Observation",
        headers: JSON,
        body: r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/b"}}"#,
        status: 403,
    },
    Case {
        leak: 86,
        method: Method::PUT,
        path: "Observation/b-lab",
        headers: JSON,
        body: r#"{"resourceType":"Observation","id":"b-lab","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/b"}}"#,
        status: 403,
    },
    Case {
        leak: 87,
        method: Method::DELETE,
        path: "Observation/b-lab",
        headers: &[],
        body: "",
        status: 404,
    },
    Case {
        leak: 99,
        method: Method::POST,
        path: "",
        headers: JSON,
        body: r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation/b-lab"}},{"request":{"method":"GET","url":"Observation?patient=b"}}]}"#,
        status: 200,
    },
];

/// What `$everything` of patient `a` has within a range of care, beside its directory entries.
pub const CARE: &[(&str, &str)] = &[
    ("", "a-med a-lab a-lab2 a-lab3 Patient/a"),
    ("start=2026-01-02", "a-lab2 a-lab3 Patient/a"),
    ("start=2026-01-03", "a-lab3 Patient/a"),
    ("start=2026-01-04", "Patient/a"),
    ("end=2025-12-31", "Patient/a"),
    ("end=2026-01-01", "a-med a-lab Patient/a"),
    ("start=2026-01-02&end=2026-01-02", "a-lab2 Patient/a"),
    ("start=2026-01-02&end=2026-01-02&_type=Observation", "a-lab2"),
    ("_type=Observation&_type=Patient", "a-lab a-lab2 a-lab3 Patient/a"),
    ("_type=MedicationRequest&start=2026", "a-med"),
    ("_type=MedicationRequest&start=2027", ""),
];
