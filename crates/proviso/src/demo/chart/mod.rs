//! One patient's chart as it is being written: builders for every type of record.
//!
//! Ids count up per type (`maria-condition-3`), so that no id says what the record is about.

mod administrative;
mod clinical;
mod documents;
mod results;

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};

use super::calendar::stamp;
use super::codes::Code;
use super::directory::{Clinician, Place};
use super::value::{Value, list, object};

pub(super) use administrative::{ContactPerson, MoreAboutPatient, PatientDetails, Sender};
pub(super) use clinical::{
    AllergyDetails, CarePlanDetails, ConditionCategory, ConditionDetails, GoalDetails,
    MedicationDetails, VisitDetails,
};
pub(super) use documents::{DocumentDetails, note};
pub(super) use results::{
    CARDIOLOGY, LAB, ObservationCategory, ObservationDetails, RADIOLOGY, Reading, ReportDetails,
    Vitals, lab,
};

/// One resource of the demo world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its type.
    pub resource_type: &'static str,
    /// Its logical id.
    pub id: String,
    /// Its JSON.
    pub body: Vec<u8>,
}

/// A resource with its type and id first.
pub(super) fn resource(resource_type: &'static str, id: &str, content: Value) -> Record {
    let mut members: Vec<(&'static str, Value)> =
        vec![("resourceType", resource_type.into()), ("id", id.to_owned().into())];
    if let Value::Object(content) = content {
        members.extend(content);
    }
    Record { resource_type, id: id.to_owned(), body: Value::Object(members).to_bytes() }
}

/// `meta` with one US Core 6.1 profile.
pub(super) fn profile(name: &str) -> Value {
    object! {
        "profile": list![format!("http://hl7.org/fhir/us/core/StructureDefinition/{name}")],
    }
}

/// A visit that has been written: what happens at it refers to it.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) reference: String,
    pub(super) start: DateTime,
    pub(super) end: DateTime,
    pub(super) by: &'static Clinician,
    pub(super) place: &'static Place,
}

impl Visit {
    pub(super) fn link(&self) -> Value {
        object! { "reference": self.reference.clone() }
    }

    pub(super) fn day(&self) -> Date {
        self.start.date()
    }
}

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    patient: String,
    name: String,
    numbers: BTreeMap<&'static str, u32>,
    labels: Vec<Code>,
    records: Vec<Record>,
}

impl Chart {
    pub(super) fn of(patient: &str, name: &str) -> Self {
        Self {
            patient: patient.to_owned(),
            name: name.to_owned(),
            numbers: BTreeMap::new(),
            labels: Vec::new(),
            records: Vec::with_capacity(96),
        }
    }

    /// Everything written from here on carries these security labels.
    pub(super) fn labelled(&mut self, labels: &[Code], write: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.labels, labels.to_vec());
        write(self);
        self.labels = before;
    }

    pub(super) fn into_records(self) -> Vec<Record> {
        self.records
    }

    pub(super) fn subject(&self) -> Value {
        object! { "reference": format!("Patient/{}", self.patient), "display": self.name.clone() }
    }

    fn next_id(&mut self, resource_type: &'static str) -> String {
        let number = self.numbers.entry(resource_type).or_insert(0);
        *number += 1;
        format!("{}-{}-{number}", self.patient, resource_type.to_ascii_lowercase())
    }

    fn meta(&self, profiles: &[&str]) -> Value {
        object! {
            "profile": profiles
                .iter()
                .map(|name| format!("http://hl7.org/fhir/us/core/StructureDefinition/{name}").into())
                .collect::<Vec<Value>>(),
            "security": self.labels.iter().map(|label| label.coding()).collect::<Vec<Value>>(),
        }
    }

    /// Writes one resource under the next id of its type and gives its reference.
    pub(super) fn add(
        &mut self,
        resource_type: &'static str,
        profiles: &[&str],
        content: Value,
    ) -> String {
        let id = self.next_id(resource_type);
        let mut members = vec![("meta", self.meta(profiles))];
        if let Value::Object(content) = content {
            members.extend(content);
        }
        self.records.push(resource(resource_type, &id, Value::Object(members)));
        format!("{resource_type}/{id}")
    }

    /// Writes one resource under an id of its own.
    pub(super) fn add_as(&mut self, record: Record) {
        self.records.push(record);
    }

    /// Who wrote down what came out of a visit, and for whom.
    pub(super) fn provenance(&mut self, visit: &Visit, targets: &[String]) {
        // The patient is a target too: otherwise nothing on the record would say whom it is about.
        let target: Vec<Value> = [format!("Patient/{}", self.patient)]
            .iter()
            .chain(targets)
            .chain([&visit.reference])
            .map(|reference| link(reference))
            .collect();
        let content = object! {
            "target": target,
            "recorded": stamp(visit.end),
            "agent": list![object! {
                "type": object! { "coding": list![object! {
                    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                    "code": "author", "display": "Author",
                }] },
                "who": visit.by.reference(),
                "onBehalfOf": visit.by.house.reference(),
            }, object! {
                "type": object! { "coding": list![object! {
                    "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type",
                    "code": "transmitter", "display": "Transmitter",
                }] },
                "who": visit.by.house.reference(),
            }],
        };
        let _reference = self.add("Provenance", &["us-core-provenance"], content);
    }
}

/// A list with one reference, or nothing.
pub(super) fn link(reference: &str) -> Value {
    object! { "reference": reference.to_owned() }
}

/// The identifier that the house gives to its records.
pub(super) fn own_identifier(value: &str) -> Value {
    list![object! { "system": "https://riverside.example/records", "value": value.to_owned() }]
}
