//! What the demonstration apps ask for, and how it reads FHIR for people.

use serde_json::Value;

use super::view::{KindAnswer, Line};

/// One kind of record: where it is, and what the app calls it.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) key: &'static str,
    pub(crate) path: &'static str,
}

/// What Glucose Coach shows.
pub(crate) const COACH_KINDS: &[Kind] = &[
    Kind { key: "demo-kind-patient", path: "Patient/{patient}" },
    Kind {
        key: "demo-kind-laboratory",
        path: "Observation?patient={patient}&category=laboratory&_sort=-date&_count=8",
    },
    Kind { key: "demo-kind-medications", path: "MedicationRequest?patient={patient}&_count=8" },
    Kind {
        key: "demo-kind-vitals",
        path: "Observation?patient={patient}&category=vital-signs&_sort=-date&_count=8",
    },
    Kind { key: "demo-kind-problems", path: "Condition?patient={patient}&_count=8" },
    Kind { key: "demo-kind-allergies", path: "AllergyIntolerance?patient={patient}&_count=8" },
    Kind { key: "demo-kind-immunizations", path: "Immunization?patient={patient}&_count=8" },
    Kind { key: "demo-kind-visits", path: "Encounter?patient={patient}&_count=8" },
];

/// What Chart Lens shows. The patient comes first: the app says whose chart is open.
pub(crate) const CHART_KINDS: &[Kind] = &[
    Kind { key: "demo-kind-patient", path: "Patient/{patient}" },
    Kind {
        key: "demo-kind-problems",
        path: "Condition?patient={patient}&clinical-status=active&_count=20",
    },
    Kind { key: "demo-kind-allergies", path: "AllergyIntolerance?patient={patient}&_count=20" },
    Kind {
        key: "demo-kind-medications",
        path: "MedicationRequest?patient={patient}&status=active&_count=20",
    },
    Kind {
        key: "demo-kind-laboratory",
        path: "Observation?patient={patient}&category=laboratory&_sort=-date&_count=12",
    },
];

/// Reads a resource or a search page.
pub(crate) fn read_answer(body: &Value) -> KindAnswer {
    if body.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return KindAnswer::Records { lines: vec![line(body)], total: 1 };
    }
    let resources = body.get("entry").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let lines: Vec<Line> = resources
        .iter()
        .filter(|entry| {
            entry.pointer("/search/mode").and_then(Value::as_str).is_none_or(|mode| mode == "match")
        })
        .filter_map(|entry| entry.get("resource"))
        .map(line)
        .collect();
    let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let total = body.get("total").and_then(Value::as_u64).unwrap_or(shown);
    KindAnswer::Records { lines, total }
}

fn line(resource: &Value) -> Line {
    let date = date(resource);
    let value = match (measured(resource), date) {
        (Some(value), Some(date)) => format!("{value} · {date}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => String::new(),
    };
    Line { name: name(resource), value }
}

fn name(resource: &Value) -> String {
    if resource.get("resourceType").and_then(Value::as_str) == Some("Patient") {
        return person_name(resource);
    }
    ["/code", "/medicationCodeableConcept", "/vaccineCode", "/type/0", "/type"]
        .iter()
        .filter_map(|path| resource.pointer(path))
        .find_map(concept)
        .or_else(|| text(resource, "/medicationReference/display"))
        .unwrap_or_else(|| text(resource, "/resourceType").unwrap_or_default())
}

fn concept(concept: &Value) -> Option<String> {
    text(concept, "/text").or_else(|| text(concept, "/coding/0/display")).map(|name| short(&name))
}

/// The everyday part of a long name: `Glucose` of `Glucose [Mass/volume] in Blood`.
fn short(name: &str) -> String {
    // What it was found in is cut; what it is part of (`in LDL`) is not.
    let marks = [" [", " by ", " in Serum", " in Blood", " in Urine", " in Plasma"];
    let end = marks.iter().filter_map(|mark| name.find(mark)).min();
    let head = end.and_then(|end| name.get(..end)).unwrap_or(name).trim();
    if head.is_empty() { name.to_owned() } else { head.to_owned() }
}

fn text(value: &Value, path: &str) -> Option<String> {
    value.pointer(path).and_then(Value::as_str).map(str::to_owned)
}

fn person_name(patient: &Value) -> String {
    if let Some(whole) = text(patient, "/name/0/text") {
        return whole;
    }
    let given = patient
        .pointer("/name/0/given")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter_map(Value::as_str);
    let family = patient.pointer("/name/0/family").and_then(Value::as_str);
    given.chain(family).collect::<Vec<_>>().join(" ")
}

fn measured(resource: &Value) -> Option<String> {
    let quantity = |value: &Value| {
        let number = value.get("value")?;
        let unit = value.get("unit").and_then(Value::as_str).unwrap_or("");
        Some(format!("{number} {unit}").trim().to_owned())
    };
    if let Some(value) = resource.get("valueQuantity").and_then(quantity) {
        return Some(value);
    }
    if let Some(value) = resource.get("valueCodeableConcept").and_then(concept) {
        return Some(value);
    }
    if let Some(value) = text(resource, "/valueString") {
        return Some(value);
    }
    let parts: Vec<String> = resource
        .get("component")?
        .as_array()?
        .iter()
        .filter_map(|part| part.get("valueQuantity").and_then(quantity))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" / "))
}

fn date(resource: &Value) -> Option<String> {
    [
        "/effectiveDateTime",
        "/authoredOn",
        "/onsetDateTime",
        "/recordedDate",
        "/occurrenceDateTime",
        "/period/start",
        "/birthDate",
    ]
    .iter()
    .find_map(|path| text(resource, path))
    .map(|date| date.chars().take(10).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_search_page_becomes_lines() {
        let page = json!({
            "resourceType": "Bundle", "total": 3,
            "entry": [
                {"search": {"mode": "match"}, "resource": {
                    "resourceType": "Observation", "code": {"text": "Hemoglobin A1c"},
                    "valueQuantity": {"value": 7.2, "unit": "%"},
                    "effectiveDateTime": "2026-10-02T08:00:00Z"}},
                {"search": {"mode": "include"}, "resource": {"resourceType": "Practitioner"}}
            ]
        });
        let KindAnswer::Records { lines, total } = read_answer(&page) else { panic!("refused") };
        assert_eq!(total, 3);
        assert_eq!(
            lines,
            [Line { name: "Hemoglobin A1c".into(), value: "7.2 % · 2026-10-02".into() }]
        );
    }

    #[test]
    fn long_names_are_cut_to_their_everyday_part() {
        for (long, expected) in [
            ("Glucose [Mass/volume] in Serum or Plasma", "Glucose"),
            ("Hemoglobin A1c/Hemoglobin.total in Blood by HPLC", "Hemoglobin A1c/Hemoglobin.total"),
            ("Cholesterol in LDL [Mass/volume] in Serum or Plasma", "Cholesterol in LDL"),
            ("Metformin 500 mg", "Metformin 500 mg"),
            ("[unnamed]", "[unnamed]"),
        ] {
            assert_eq!(short(long), expected);
        }
    }

    #[test]
    fn a_patient_is_one_line() {
        let patient = json!({
            "resourceType": "Patient", "birthDate": "1980-05-01",
            "name": [{"given": ["Maria"], "family": "Alvarez"}]
        });
        let KindAnswer::Records { lines, .. } = read_answer(&patient) else { panic!("refused") };
        assert_eq!(lines, [Line { name: "Maria Alvarez".into(), value: "1980-05-01".into() }]);
    }
}
