//! Observations, reports, specimens, images and questionnaires.

use jiff::civil::DateTime;

use super::clinical::push;
use super::{Chart, Visit, link, own_identifier, profile, resource};
use crate::demo::calendar::{plus_minutes, stamp};
use crate::demo::codes::{self, Code};
use crate::demo::directory::{HADDAD, RIVERSIDE};
use crate::demo::value::{Value, list, object};
use crate::demo::world::ids;

/// The categories of observations, as US Core and HL7 code them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObservationCategory {
    Laboratory,
    VitalSigns,
    SocialHistory,
    Survey,
    Sdoh,
    Imaging,
    Exam,
    Activity,
}

impl ObservationCategory {
    fn code(self) -> Code {
        const HL7: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
        const US_CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category";
        match self {
            Self::Laboratory => Code::new(HL7, "laboratory", "Laboratory"),
            Self::VitalSigns => Code::new(HL7, "vital-signs", "Vital Signs"),
            Self::SocialHistory => Code::new(HL7, "social-history", "Social History"),
            Self::Survey => Code::new(HL7, "survey", "Survey"),
            Self::Sdoh => Code::new(US_CORE, "sdoh", "SDOH"),
            Self::Imaging => Code::new(HL7, "imaging", "Imaging"),
            Self::Exam => Code::new(HL7, "exam", "Exam"),
            Self::Activity => Code::new(HL7, "activity", "Activity"),
        }
    }
}

/// What was observed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reading<'a> {
    /// Digits, scale, unit as shown, UCUM code.
    Quantity(i64, u32, &'static str, &'static str),
    Coded(Code),
    Words(&'a str),
    Count(i64),
    Flag(bool),
    Parts(&'a [(Code, Reading<'a>)]),
}

/// What an Observation says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObservationDetails<'a> {
    pub(crate) profile: Option<&'static str>,
    pub(crate) categories: &'a [ObservationCategory],
    pub(crate) code: Code,
    pub(crate) reading: Reading<'a>,
    /// Low and high ends of what is usual, in the digits of the reading.
    pub(crate) usual: Option<(i64, i64)>,
    pub(crate) focus: Option<&'a str>,
    pub(crate) specimen: Option<&'a str>,
}

/// What a DiagnosticReport says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReportDetails<'a> {
    pub(crate) category: (&'static str, &'static str, &'static str),
    pub(crate) code: Code,
    pub(crate) results: &'a [String],
    pub(crate) order: Option<&'a str>,
    pub(crate) specimen: Option<&'a str>,
    pub(crate) study: Option<&'a str>,
    /// A picture in it: a Media.
    pub(crate) picture: Option<&'a str>,
    pub(crate) conclusion: &'static str,
    pub(crate) text: Option<&'a str>,
}

const UCUM: &str = "http://unitsofmeasure.org";

fn quantity(digits: i64, scale: u32, unit: &'static str, code: &'static str) -> Value {
    object! {
        "value": Value::decimal(digits, scale), "unit": unit, "system": UCUM, "code": code,
    }
}

fn reading(value: Reading<'_>) -> (&'static str, Value) {
    match value {
        Reading::Quantity(digits, scale, unit, code) => {
            ("valueQuantity", quantity(digits, scale, unit, code))
        }
        Reading::Coded(code) => ("valueCodeableConcept", code.concept()),
        Reading::Words(text) => ("valueString", text.to_owned().into()),
        Reading::Count(number) => ("valueInteger", number.into()),
        Reading::Flag(flag) => ("valueBoolean", Value::Flag(flag)),
        Reading::Parts(parts) => {
            let components: Vec<Value> = parts
                .iter()
                .map(|(code, value)| {
                    let mut component = object! { "code": code.concept() };
                    push(&mut component, [reading(*value)]);
                    component
                })
                .collect();
            ("component", components.into())
        }
    }
}

fn interpretation(value: Reading<'_>, usual: Option<(i64, i64)>) -> Value {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    let (Reading::Quantity(digits, ..), Some((low, high))) = (value, usual) else {
        return Value::Absent;
    };
    let code = if digits < low {
        Code::new(SYSTEM, "L", "Low")
    } else if digits > high {
        Code::new(SYSTEM, "H", "High")
    } else {
        Code::new(SYSTEM, "N", "Normal")
    };
    list![code.concept()]
}

fn reference_range(value: Reading<'_>, usual: Option<(i64, i64)>) -> Value {
    let (Reading::Quantity(_, scale, unit, code), Some((low, high))) = (value, usual) else {
        return Value::Absent;
    };
    list![object! {
        "low": quantity(low, scale, unit, code), "high": quantity(high, scale, unit, code),
    }]
}

impl Chart {
    /// Writes an observation made at a visit.
    pub(crate) fn observation(&mut self, details: ObservationDetails<'_>, visit: &Visit) -> String {
        self.observation_at(details, visit, plus_minutes(visit.start, 10))
    }

    /// Writes an observation made at an instant of a visit.
    pub(crate) fn observation_at(
        &mut self,
        details: ObservationDetails<'_>,
        visit: &Visit,
        at: DateTime,
    ) -> String {
        let laboratory = details.categories.contains(&ObservationCategory::Laboratory);
        let performer = if laboratory { RIVERSIDE.reference() } else { visit.by.reference() };
        let categories: Vec<Value> =
            details.categories.iter().map(|category| category.code().concept()).collect();
        let mut content = object! {
            "status": "final",
            "category": categories,
            "code": details.code.concept(),
            "subject": self.subject(),
            "focus": details.focus.map(|focus| list![link(focus)]),
            "encounter": visit.link(),
            "effectiveDateTime": stamp(at),
            "issued": stamp(plus_minutes(at, if laboratory { 240 } else { 1 })),
            "performer": list![performer],
        };
        push(
            &mut content,
            [
                reading(details.reading),
                ("interpretation", interpretation(details.reading, details.usual)),
                ("specimen", details.specimen.map(link).into()),
                ("referenceRange", reference_range(details.reading, details.usual)),
            ],
        );
        // Components come last in the resource, after the range.
        if let Value::Object(members) = &mut content {
            members.sort_by_key(|(key, _)| *key == "component");
        }
        self.add("Observation", details.profile.as_slice(), content)
    }

    /// Writes a weight that belongs to somebody else, under an id of its own.
    pub(crate) fn mistake(&mut self, visit: &Visit) {
        let record = resource(
            "Observation",
            ids::MISTAKE,
            object! {
                "meta": profile("us-core-body-weight"),
                "status": "final",
                "category": list![ObservationCategory::VitalSigns.code().concept()],
                "code": codes::WEIGHT.concept(),
                "subject": self.subject(),
                "encounter": visit.link(),
                "effectiveDateTime": stamp(visit.start),
                "valueQuantity": quantity(1204, 1, "kg", "kg"),
            },
        );
        self.add_as(record);
    }

    /// Writes a specimen taken at a visit.
    pub(crate) fn specimen(&mut self, kind: Code, visit: &Visit) -> String {
        let number = format!("{}-{}", self.patient, visit.start.strftime("%Y%m%d"));
        self.add(
            "Specimen",
            &["us-core-specimen"],
            object! {
                "identifier": own_identifier(&format!("S-{number}")),
                "accessionIdentifier": object! {
                    "system": "https://riverside.example/accession", "value": format!("A-{number}"),
                },
                "status": "available",
                "type": kind.concept(),
                "subject": self.subject(),
                "collection": object! { "collectedDateTime": stamp(plus_minutes(visit.start, 10)) },
            },
        )
    }

    /// Writes a report.
    pub(crate) fn report(&mut self, details: ReportDetails<'_>, visit: &Visit) -> String {
        let laboratory = details.category.1 == "LAB";
        let (system, code, display) = details.category;
        let name = if laboratory {
            "us-core-diagnosticreport-lab"
        } else {
            "us-core-diagnosticreport-note"
        };
        let results: Vec<Value> = details.results.iter().map(|result| link(result)).collect();
        let issued = plus_minutes(visit.start, 260);
        let content = object! {
            "basedOn": details.order.map(|order| list![link(order)]),
            "status": "final",
            "category": list![Code::new(system, code, display).concept()],
            "code": details.code.concept(),
            "subject": self.subject(),
            "encounter": visit.link(),
            "effectiveDateTime": stamp(plus_minutes(visit.start, 10)),
            "issued": stamp(issued),
            "performer": list![RIVERSIDE.reference()],
            "resultsInterpreter": list![HADDAD.reference()],
            "specimen": details.specimen.map(|specimen| list![link(specimen)]),
            "result": results,
            "imagingStudy": details.study.map(|study| list![link(study)]),
            "media": details.picture.map(|picture| list![object! {
                "comment": "What was seen", "link": link(picture),
            }]),
            "conclusion": details.conclusion,
            "presentedForm": details.text.map(|text| list![object! {
                "contentType": "text/plain; charset=utf-8",
                "data": super::documents::base64(text),
                "title": details.code.display,
                "creation": stamp(issued),
            }]),
        };
        self.add("DiagnosticReport", &[name], content)
    }

    /// Writes the images behind a report.
    pub(crate) fn imaging_study(
        &mut self,
        procedure: Code,
        visit: &Visit,
        uid: &'static str,
    ) -> String {
        let modality = object! {
            "system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX",
            "display": "Digital Radiography",
        };
        self.add(
            "ImagingStudy",
            &[],
            object! {
                "identifier": list![object! {
                    "system": "urn:dicom:uid", "value": format!("urn:oid:{uid}"),
                }],
                "status": "available",
                "modality": list![modality.clone()],
                "subject": self.subject(),
                "encounter": visit.link(),
                "started": stamp(plus_minutes(visit.start, 20)),
                "numberOfSeries": 1,
                "numberOfInstances": 2,
                "procedureCode": list![procedure.concept()],
                "series": list![object! {
                    "uid": format!("{uid}.1"), "number": 1, "modality": modality,
                    "numberOfInstances": 2,
                    "bodySite": object! {
                        "system": "http://snomed.info/sct", "code": "51185008",
                        "display": "Thoracic structure",
                    },
                }],
            },
        )
    }

    /// Writes the answers to a questionnaire.
    pub(crate) fn questionnaire(
        &mut self,
        canonical: &'static str,
        answers: &[(&'static str, &'static str, Code)],
        visit: &Visit,
    ) -> String {
        let items: Vec<Value> = answers
            .iter()
            .map(|(link_id, text, answer)| {
                object! {
                    "linkId": *link_id, "text": *text,
                    "answer": list![object! { "valueCoding": answer.coding() }],
                }
            })
            .collect();
        self.add(
            "QuestionnaireResponse",
            &["us-core-questionnaireresponse"],
            object! {
                "questionnaire": canonical,
                "status": "completed",
                "subject": self.subject(),
                "encounter": visit.link(),
                "authored": stamp(plus_minutes(visit.start, 5)),
                "author": visit.by.reference(),
                "source": self.subject(),
                "item": items,
            },
        )
    }

    /// Writes blood pressure, pulse, weight and the like, as taken at the start of a visit.
    pub(crate) fn vitals(&mut self, visit: &Visit, vitals: Vitals) -> Vec<String> {
        let mut written = Vec::new();
        let mut one = |chart: &mut Self, name: &'static str, code, value| {
            written.push(chart.observation_at(
                ObservationDetails {
                    profile: Some(name),
                    categories: &[ObservationCategory::VitalSigns],
                    code,
                    reading: value,
                    usual: None,
                    focus: None,
                    specimen: None,
                },
                visit,
                plus_minutes(visit.start, 3),
            ));
        };
        let pressure = [
            (codes::SYSTOLIC, Reading::Quantity(vitals.systolic, 0, "mmHg", "mm[Hg]")),
            (codes::DIASTOLIC, Reading::Quantity(vitals.diastolic, 0, "mmHg", "mm[Hg]")),
        ];
        one(self, "us-core-blood-pressure", codes::BLOOD_PRESSURE, Reading::Parts(&pressure));
        one(
            self,
            "us-core-heart-rate",
            codes::HEART_RATE,
            Reading::Quantity(vitals.pulse, 0, "beats/minute", "/min"),
        );
        one(
            self,
            "us-core-body-weight",
            codes::WEIGHT,
            Reading::Quantity(vitals.weight_hg, 1, "kg", "kg"),
        );
        one(
            self,
            "us-core-bmi",
            codes::BMI,
            Reading::Quantity(bmi_tenths(vitals.weight_hg, vitals.height_cm), 1, "kg/m2", "kg/m2"),
        );
        written
    }

    /// Writes what is measured once at a first examination: height, temperature, breathing, oxygen.
    pub(crate) fn first_vitals(&mut self, visit: &Visit, height_cm: i64) {
        let mut one = |name: &'static str, code: Value, value: Value| {
            let _reference = self.add(
                "Observation",
                &[name],
                object! {
                    "status": "final",
                    "category": list![ObservationCategory::VitalSigns.code().concept()],
                    "code": code,
                    "subject": self.subject(),
                    "encounter": visit.link(),
                    "effectiveDateTime": stamp(plus_minutes(visit.start, 4)),
                    "performer": list![visit.by.reference()],
                    "valueQuantity": value,
                },
            );
        };
        one("us-core-body-height", codes::HEIGHT.concept(), quantity(height_cm, 0, "cm", "cm"));
        one(
            "us-core-body-temperature",
            codes::TEMPERATURE.concept(),
            quantity(368, 1, "Cel", "Cel"),
        );
        one(
            "us-core-respiratory-rate",
            codes::RESPIRATORY_RATE.concept(),
            quantity(14, 0, "breaths/minute", "/min"),
        );
        self.oxygen(visit);
    }

    /// Writes the oxygen in the blood, with the air that was breathed: here that of the room.
    fn oxygen(&mut self, visit: &Visit) {
        let part = |code: Code, value: Value| {
            object! { "code": code.concept(), "valueQuantity": value }
        };
        let _reference = self.add(
            "Observation",
            &["us-core-pulse-oximetry"],
            object! {
                "status": "final",
                "category": list![ObservationCategory::VitalSigns.code().concept()],
                // US Core asks for both codes: the general one and the one that names the method.
                "code": codes::concept(&[codes::OXYGEN_PULSE, codes::OXYGEN]),
                "subject": self.subject(),
                "encounter": visit.link(),
                "effectiveDateTime": stamp(plus_minutes(visit.start, 4)),
                "performer": list![visit.by.reference()],
                "valueQuantity": quantity(98, 0, "%", "%"),
                "component": list![
                    part(codes::OXYGEN_FLOW, quantity(0, 0, "L/min", "L/min")),
                    part(codes::OXYGEN_INHALED, quantity(21, 0, "%", "%")),
                ],
            },
        );
    }

    /// Writes one vital sign of a child.
    pub(crate) fn vital_sign(
        &mut self,
        profile: &'static str,
        code: Code,
        reading: Reading<'_>,
        visit: &Visit,
    ) -> String {
        let details = ObservationDetails {
            profile: Some(profile),
            categories: &[ObservationCategory::VitalSigns],
            code,
            reading,
            usual: None,
            focus: None,
            specimen: None,
        };
        self.observation_at(details, visit, plus_minutes(visit.start, 5))
    }

    /// Writes a picture taken at a visit.
    pub(crate) fn picture(&mut self, title: &'static str, visit: &Visit) -> String {
        self.add(
            "Media",
            &[],
            object! {
                "status": "completed",
                "subject": self.subject(),
                "encounter": visit.link(),
                "createdDateTime": stamp(plus_minutes(visit.start, 12)),
                "operator": visit.by.reference(),
                // Only where it lies: bytes that nobody can read would make the record unlabelled.
                "content": object! {
                    "contentType": "image/jpeg",
                    "url": format!(
                        "https://images.riverside.example/{}/{}.jpg",
                        self.patient,
                        visit.start.strftime("%Y%m%d%H%M"),
                    ),
                    "title": title,
                },
            },
        )
    }

    /// Writes an observation that rests on another record: a form, or what belongs to it.
    pub(crate) fn derived(
        &mut self,
        details: ObservationDetails<'_>,
        (member, from): (Option<&str>, Option<&str>),
        visit: &Visit,
    ) -> String {
        let categories: Vec<Value> =
            details.categories.iter().map(|category| category.code().concept()).collect();
        let mut content = object! {
            "status": "final",
            "category": categories,
            "code": details.code.concept(),
            "subject": self.subject(),
            "encounter": visit.link(),
            "effectiveDateTime": stamp(plus_minutes(visit.start, 15)),
            "performer": list![visit.by.reference()],
        };
        push(
            &mut content,
            [
                reading(details.reading),
                ("hasMember", member.map(|member| list![link(member)]).into()),
                ("derivedFrom", from.map(|from| list![link(from)]).into()),
            ],
        );
        self.add("Observation", details.profile.as_slice(), content)
    }

    /// Writes a form with answers of every kind, some of them below others.
    pub(crate) fn intake_form(&mut self, visit: &Visit) -> String {
        let number = format!("{}-intake", self.patient);
        let question = |id: &'static str, text: &'static str, answer: Value| {
            object! { "linkId": id, "text": text, "answer": list![answer] }
        };
        self.add(
            "QuestionnaireResponse",
            &["us-core-questionnaireresponse"],
            object! {
                "identifier": object! {
                    "system": "https://riverside.example/forms", "value": number,
                },
                "questionnaire": "https://riverside.example/Questionnaire/before-your-visit",
                "_questionnaire": object! { "extension": list![
                    object! {
                        "url": "http://hl7.org/fhir/StructureDefinition/display",
                        "valueString": "Before your visit",
                    },
                    object! {
                        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-extension-questionnaire-uri",
                        "valueUri": "https://riverside.example/forms/before-your-visit",
                    },
                ] },
                "status": "completed",
                "subject": self.subject(),
                "encounter": visit.link(),
                "authored": stamp(visit.start),
                "author": self.subject(),
                "source": self.subject(),
                "item": list![object! {
                    "linkId": "1", "text": "Daily life",
                    "item": list![
                        question("1.1", "Do you wear glasses?", object! {
                            "valueCoding": codes::YES.coding(),
                            "item": list![question("1.1.1", "Since which year?", object! {
                                "valueString": "1994",
                            })],
                        }),
                        question("1.2", "How many hours do you drive on a workday?", object! {
                            "valueDecimal": Value::decimal(55, 1),
                        }),
                    ],
                }],
            },
        )
    }
}

/// What is measured at the start of a visit. Weight in hectograms: one digit after the kilogram.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    pub(crate) systolic: i64,
    pub(crate) diastolic: i64,
    pub(crate) pulse: i64,
    pub(crate) weight_hg: i64,
    pub(crate) height_cm: i64,
}

/// Body mass index in tenths of kg/m2, rounded.
pub(crate) fn bmi_tenths(weight_hg: i64, height_cm: i64) -> i64 {
    let square = height_cm.saturating_mul(height_cm).max(1);
    (weight_hg.saturating_mul(10_000) + square / 2) / square
}

/// A test that is not part of the vital signs of every visit.
pub(crate) const fn lab(
    code: Code,
    reading: Reading<'_>,
    usual: Option<(i64, i64)>,
) -> ObservationDetails<'_> {
    ObservationDetails {
        profile: Some("us-core-observation-lab"),
        categories: &[ObservationCategory::Laboratory],
        code,
        reading,
        usual,
        focus: None,
        specimen: None,
    }
}

/// The report category of laboratory results.
pub(crate) const LAB: (&str, &str, &str) =
    ("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", "Laboratory");
/// The report category of radiology.
pub(crate) const RADIOLOGY: (&str, &str, &str) = ("http://loinc.org", "LP29684-5", "Radiology");
/// The report category of cardiology.
pub(crate) const CARDIOLOGY: (&str, &str, &str) = ("http://loinc.org", "LP29708-2", "Cardiology");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_mass_index_is_rounded() {
        assert_eq!(bmi_tenths(700, 175), 229);
        assert_eq!(bmi_tenths(912, 160), 356);
    }
}
