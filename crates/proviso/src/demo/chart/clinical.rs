//! Visits, conditions, medicines, procedures, plans and what else happens in care.

use jiff::civil::Date;

use super::{Chart, Visit, link, own_identifier};
use crate::demo::calendar::{at, day, plus_days, plus_minutes, stamp};
use crate::demo::codes::{self, Code, bare, concept};
use crate::demo::directory::{Clinician, FOX, LABORATORY, Place};
use crate::demo::value::{Value, list, object};

/// What an Encounter says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VisitDetails {
    pub(crate) class: Code,
    pub(crate) kind: Code,
    pub(crate) on: Date,
    pub(crate) time: (i8, i8),
    pub(crate) minutes: i64,
    pub(crate) by: &'static Clinician,
    pub(crate) place: &'static Place,
    pub(crate) reason: Option<Code>,
}

/// On which of US Core's lists a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConditionCategory {
    ProblemList,
    EncounterDiagnosis,
    HealthConcern,
    /// A problem that is also a social determinant of health.
    SocialProblem,
}

/// What a Condition says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConditionDetails<'a> {
    pub(crate) category: ConditionCategory,
    pub(crate) codes: &'a [Code],
    pub(crate) onset: Date,
    pub(crate) abated: Option<Date>,
    pub(crate) visit: &'a Visit,
}

/// What a prescription says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MedicationDetails<'a> {
    pub(crate) medicine: Code,
    /// The id of a Medication resource to refer to instead of the code.
    pub(crate) as_resource: Option<&'static str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) instruction: &'static str,
    pub(crate) times_a_day: i64,
    pub(crate) stopped: bool,
    pub(crate) visit: &'a Visit,
}

/// What an AllergyIntolerance says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllergyDetails {
    pub(crate) substance: Code,
    pub(crate) category: &'static str,
    pub(crate) reaction: Code,
    pub(crate) severity: &'static str,
    pub(crate) since: Date,
}

/// What a Goal says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoalDetails<'a> {
    pub(crate) text: &'static str,
    pub(crate) start: Date,
    pub(crate) due: Date,
    pub(crate) addresses: &'a str,
}

/// What a CarePlan says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CarePlanDetails<'a> {
    pub(crate) title: &'static str,
    pub(crate) steps: &'a [&'static str],
    pub(crate) start: Date,
    pub(crate) addresses: &'a str,
    pub(crate) goal: &'a str,
    pub(crate) team: &'a str,
    pub(crate) by: &'static Clinician,
}

impl Chart {
    /// Writes a visit.
    pub(crate) fn visit(&mut self, details: VisitDetails) -> Visit {
        let start = at(details.on, details.time.0, details.time.1);
        let end = plus_minutes(start, details.minutes);
        let period = || object! { "start": stamp(start), "end": stamp(end) };
        let number = format!("{}-{}", self.patient, start.strftime("%Y%m%d%H%M"));
        let inpatient = details.class.code == "IMP";
        let content = object! {
            "identifier": own_identifier(&number),
            "status": "finished",
            "class": details.class.coding(),
            "type": list![details.kind.concept()],
            "subject": self.subject(),
            "participant": list![object! {
                "type": list![Code::new(
                    "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "PPRF",
                    "primary performer",
                ).concept()],
                "period": period(),
                "individual": details.by.reference(),
            }],
            "period": period(),
            "reasonCode": details.reason.map(|reason| list![reason.concept()]),
            "hospitalization": inpatient.then(|| object! {
                "dischargeDisposition": Code::new(
                    "http://terminology.hl7.org/CodeSystem/discharge-disposition", "home", "Home",
                ).concept(),
            }),
            "location": list![object! { "location": details.place.reference() }],
            "serviceProvider": details.by.house.reference(),
        };
        let reference = self.add("Encounter", &["us-core-encounter"], content);
        Visit { reference, start, end, by: details.by, place: details.place }
    }

    /// Writes a condition.
    pub(crate) fn condition(&mut self, details: ConditionDetails<'_>) -> String {
        const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
        const US_CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/condition-category";
        const SDOH: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category";
        let problem = Code::new(CATEGORY, "problem-list-item", "Problem List Item");
        let (name, categories) = match details.category {
            ConditionCategory::ProblemList => {
                ("us-core-condition-problems-health-concerns", vec![problem.concept()])
            }
            ConditionCategory::EncounterDiagnosis => (
                "us-core-condition-encounter-diagnosis",
                vec![Code::new(CATEGORY, "encounter-diagnosis", "Encounter Diagnosis").concept()],
            ),
            ConditionCategory::HealthConcern => (
                "us-core-condition-problems-health-concerns",
                vec![Code::new(US_CORE, "health-concern", "Health Concern").concept()],
            ),
            ConditionCategory::SocialProblem => (
                "us-core-condition-problems-health-concerns",
                vec![problem.concept(), Code::new(SDOH, "sdoh", "SDOH").concept()],
            ),
        };
        let status = if details.abated.is_some() { "resolved" } else { "active" };
        let content = object! {
            "extension": list![object! {
                "url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate",
                "valueDateTime": day(details.visit.day()),
            }],
            "clinicalStatus":
                bare("http://terminology.hl7.org/CodeSystem/condition-clinical", status),
            "verificationStatus":
                bare("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
            "category": categories,
            "code": concept(details.codes),
            "subject": self.subject(),
            "encounter": details.visit.link(),
            "onsetDateTime": day(details.onset),
            "abatementDateTime": details.abated.map(day),
            "recordedDate": day(details.visit.day()),
            "recorder": details.visit.by.reference(),
        };
        self.add("Condition", &[name], content)
    }

    /// Writes a prescription and its first dispense.
    pub(crate) fn medication(&mut self, details: MedicationDetails<'_>) -> String {
        let medicine = || match details.as_resource {
            Some(id) => (
                "medicationReference",
                object! {
                    "reference": format!("Medication/{id}"), "display": details.medicine.display,
                },
            ),
            None => ("medicationCodeableConcept", details.medicine.concept()),
        };
        let dosage = || {
            list![object! {
                "sequence": 1, "text": details.instruction,
                "timing": object! { "repeat": object! {
                    "frequency": details.times_a_day, "period": 1, "periodUnit": "d",
                } },
                "doseAndRate": list![object! {
                    "doseQuantity": object! { "value": 1, "unit": "dose" },
                }],
            }]
        };
        let visit = details.visit;
        let mut order = object! {
            "status": if details.stopped { "stopped" } else { "active" },
            "intent": "order",
            "category": list![Code::new(
                "http://terminology.hl7.org/CodeSystem/medicationrequest-category", "community",
                "Community",
            ).concept()],
            "reportedBoolean": false,
        };
        push(&mut order, [medicine()]);
        push(
            &mut order,
            [
                ("subject", self.subject()),
                ("encounter", visit.link()),
                ("authoredOn", stamp(visit.end).into()),
                ("requester", visit.by.reference()),
                ("reasonReference", details.reason.map(|reason| list![link(reason)]).into()),
                ("dosageInstruction", dosage()),
                (
                    "dispenseRequest",
                    object! {
                        "numberOfRepeatsAllowed": 3,
                        "quantity": object! { "value": 90, "unit": "dose" },
                        "expectedSupplyDuration": object! {
                            "value": 90, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d",
                        },
                    },
                ),
            ],
        );
        let request = self.add("MedicationRequest", &["us-core-medicationrequest"], order);
        let mut dispense = object! { "status": "completed" };
        push(&mut dispense, [medicine()]);
        push(
            &mut dispense,
            [
                ("subject", self.subject()),
                ("context", visit.link()),
                ("performer", list![object! { "actor": FOX.reference() }]),
                ("authorizingPrescription", list![link(&request)]),
                (
                    "type",
                    Code::new(
                        "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                        "FF",
                        "First Fill",
                    )
                    .concept(),
                ),
                ("quantity", object! { "value": 90, "unit": "dose" }),
                ("daysSupply", object! { "value": 90, "unit": "days" }),
                ("whenHandedOver", stamp(plus_minutes(visit.end, 26 * 60)).into()),
                ("dosageInstruction", dosage()),
            ],
        );
        let _dispense = self.add("MedicationDispense", &["us-core-medicationdispense"], dispense);
        request
    }

    /// Writes an allergy.
    pub(crate) fn allergy(&mut self, details: AllergyDetails) {
        let _reference = self.add("AllergyIntolerance", &["us-core-allergyintolerance"], object! {
            "clinicalStatus":
                bare("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
            "verificationStatus": bare(
                "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed",
            ),
            "type": "allergy",
            "category": list![details.category],
            "criticality": if details.severity == "severe" { "high" } else { "low" },
            "code": details.substance.concept(),
            "patient": self.subject(),
            "onsetDateTime": day(details.since),
            "recordedDate": day(details.since),
            "reaction": list![object! {
                "manifestation": list![details.reaction.concept()], "severity": details.severity,
            }],
        });
    }

    /// Writes an immunization.
    pub(crate) fn immunization(&mut self, vaccine: Code, on: Date, by: &'static Clinician) {
        let _reference = self.add(
            "Immunization",
            &["us-core-immunization"],
            object! {
                "status": "completed",
                "vaccineCode": vaccine.concept(),
                "patient": self.subject(),
                "occurrenceDateTime": stamp(at(on, 9, 45)),
                "primarySource": true,
                "lotNumber": format!("RV{}", on.strftime("%y%j")),
                "performer": list![object! { "actor": by.reference() }],
            },
        );
    }

    /// Writes an immunization that the patient did not want.
    pub(crate) fn declined_immunization(&mut self, vaccine: Code, on: Date) {
        let _reference = self.add(
            "Immunization",
            &["us-core-immunization"],
            object! {
                "status": "not-done",
                "statusReason": Code::new(
                    "http://terminology.hl7.org/CodeSystem/v3-ActReason", "PATOBJ",
                    "patient objection",
                ).concept(),
                "vaccineCode": vaccine.concept(),
                "patient": self.subject(),
                "occurrenceDateTime": stamp(at(on, 9, 45)),
                "primarySource": true,
            },
        );
    }

    /// Writes a procedure that was ordered, done at one moment of a visit.
    pub(crate) fn ordered_procedure(
        &mut self,
        code: Code,
        order: &str,
        reason: &str,
        visit: &Visit,
    ) -> String {
        self.add(
            "Procedure",
            &["us-core-procedure"],
            object! {
                "basedOn": list![link(order)],
                "status": "completed",
                "code": code.concept(),
                "subject": self.subject(),
                "encounter": visit.link(),
                "performedDateTime": stamp(plus_minutes(visit.start, 10)),
                "performer": list![object! { "actor": visit.by.reference() }],
                "location": visit.place.reference(),
                "reasonReference": list![link(reason)],
            },
        )
    }

    /// Writes an order to be carried out within a month, with why.
    pub(crate) fn referral(
        &mut self,
        category: Code,
        code: Code,
        why: (Code, &str),
        visit: &Visit,
    ) -> String {
        self.add(
            "ServiceRequest",
            &["us-core-servicerequest"],
            object! {
                "status": "completed",
                "intent": "order",
                "category": list![category.concept()],
                "code": code.concept(),
                "subject": self.subject(),
                "encounter": visit.link(),
                "occurrencePeriod": object! {
                    "start": day(visit.day()), "end": day(plus_days(visit.day(), 30)),
                },
                "authoredOn": stamp(visit.end),
                "requester": visit.by.reference(),
                "reasonCode": list![why.0.concept()],
                "reasonReference": list![link(why.1)],
            },
        )
    }

    /// Writes a procedure.
    pub(crate) fn procedure(&mut self, code: Code, visit: &Visit, reason: Option<Code>) -> String {
        self.add(
            "Procedure",
            &["us-core-procedure"],
            object! {
                "status": "completed",
                "code": code.concept(),
                "subject": self.subject(),
                "encounter": visit.link(),
                "performedPeriod": object! { "start": stamp(visit.start), "end": stamp(visit.end) },
                "performer": list![object! { "actor": visit.by.reference() }],
                "location": visit.place.reference(),
                "reasonCode": reason.map(|reason| list![reason.concept()]),
            },
        )
    }

    /// Writes an order.
    pub(crate) fn order(&mut self, category: Code, code: Code, visit: &Visit) -> String {
        self.add(
            "ServiceRequest",
            &["us-core-servicerequest"],
            object! {
                "status": "completed",
                "intent": "order",
                "category": list![category.concept()],
                "code": code.concept(),
                "subject": self.subject(),
                "encounter": visit.link(),
                "occurrenceDateTime": stamp(visit.end),
                "authoredOn": stamp(visit.start),
                "requester": visit.by.reference(),
                "locationReference": list![LABORATORY.reference()],
            },
        )
    }

    /// Writes the team of a patient.
    /// A relative who helps belongs to it too: `(id, name)`.
    pub(crate) fn care_team(
        &mut self,
        members: &[&'static Clinician],
        relative: Option<(&'static str, &'static str)>,
        since: Date,
    ) -> String {
        let mut participant: Vec<Value> = members
            .iter()
            .map(|member| {
                object! { "role": list![member.specialty.concept()], "member": member.reference() }
            })
            .collect();
        participant.extend(relative.map(|(id, name)| {
            object! {
                "role": list![codes::CAREGIVER.concept()],
                "member": object! {
                    "reference": format!("RelatedPerson/{id}"), "display": name,
                },
            }
        }));
        self.add(
            "CareTeam",
            &["us-core-careteam"],
            object! {
                "status": "active",
                "name": "Primary care team",
                "subject": self.subject(),
                "period": object! { "start": day(since) },
                "participant": participant,
            },
        )
    }

    /// Writes a goal.
    pub(crate) fn goal(&mut self, details: GoalDetails<'_>) -> String {
        self.add("Goal", &["us-core-goal"], object! {
            "lifecycleStatus": "active",
            "achievementStatus": Code::new(
                "http://terminology.hl7.org/CodeSystem/goal-achievement", "in-progress", "In Progress",
            ).concept(),
            "description": object! { "text": details.text },
            "subject": self.subject(),
            "startDate": day(details.start),
            "target": list![object! {
                "measure": object! { "text": details.text }, "detailString": details.text,
                "dueDate": day(details.due),
            }],
            "addresses": list![link(details.addresses)],
        })
    }

    /// Writes a plan, with the narrative that US Core asks for.
    pub(crate) fn care_plan(&mut self, details: CarePlanDetails<'_>) {
        let items = details.steps.join("</li><li>");
        let activity: Vec<Value> = details
            .steps
            .iter()
            .map(|step| {
                object! { "detail": object! { "status": "in-progress", "description": *step } }
            })
            .collect();
        let _reference = self.add("CarePlan", &["us-core-careplan"], object! {
            "text": object! {
                "status": "additional",
                "div": format!(
                    "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{}</p><ul><li>{items}</li></ul></div>",
                    details.title,
                ),
            },
            "status": "active",
            "intent": "plan",
            "category": list![object! { "coding": list![object! {
                "system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category",
                "code": "assess-plan",
            }] }],
            "title": details.title,
            "subject": self.subject(),
            "period": object! { "start": day(details.start) },
            "created": day(details.start),
            "author": details.by.reference(),
            "careTeam": list![link(details.team)],
            "addresses": list![link(details.addresses)],
            "goal": list![link(details.goal)],
            "activity": activity,
        });
    }

    /// Writes an implanted device.
    pub(crate) fn implant(&mut self, kind: Code, made: Date, serial: &'static str) -> String {
        let identifier = "00844588003288";
        let carrier = format!("(01){identifier}(11){}(21){serial}", made.strftime("%y%m%d"));
        self.add(
            "Device",
            &["us-core-implantable-device"],
            object! {
                "udiCarrier": list![object! {
                    "deviceIdentifier": identifier,
                    "carrierAIDC": super::documents::base64(&carrier),
                    "carrierHRF": carrier,
                }],
                "status": "active",
                // 21 CFR 1271.290(c): what the maker of an implant of human cells would put here.
                "distinctIdentifier": format!("{serial}-{}", made.strftime("%y%j")),
                "manufactureDate": day(made),
                "expirationDate": day(plus_days(made, 3650)),
                "lotNumber": "7654321D",
                "serialNumber": serial,
                "type": kind.concept(),
                "patient": self.subject(),
            },
        )
    }

    /// Writes a device that the patient uses at home.
    pub(crate) fn home_device(&mut self, kind: Code, serial: &'static str) {
        let _reference = self.add(
            "Device",
            &[],
            object! {
                "status": "active",
                "serialNumber": serial,
                "deviceName": list![object! { "name": kind.display, "type": "user-friendly-name" }],
                "type": kind.concept(),
                "patient": self.subject(),
            },
        );
    }

    /// Writes an illness in the family.
    pub(crate) fn family_history(
        &mut self,
        relation: (&'static str, &'static str),
        illness: Code,
        age: i64,
        asked: Date,
    ) {
        let _reference = self.add("FamilyMemberHistory", &[], object! {
            "status": "completed",
            "patient": self.subject(),
            "date": day(asked),
            "relationship": Code::new(
                "http://terminology.hl7.org/CodeSystem/v3-RoleCode", relation.0, relation.1,
            ).concept(),
            "condition": list![object! {
                "code": illness.concept(),
                "onsetAge": object! {
                    "value": age, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a",
                },
            }],
        });
    }

    /// Writes what is done to protect the patient, such as from falls.
    pub(crate) fn flag(&mut self, text: &'static str, since: Date) {
        let _reference = self.add(
            "Flag",
            &[],
            object! {
                "status": "active",
                "category": list![Code::new(
                    "http://terminology.hl7.org/CodeSystem/flag-category", "safety", "Safety",
                ).concept()],
                "code": object! { "text": text },
                "subject": self.subject(),
                "period": object! { "start": day(since) },
            },
        );
    }
}

/// Appends members to an object.
pub(super) fn push(object: &mut Value, more: impl IntoIterator<Item = (&'static str, Value)>) {
    if let Value::Object(members) = object {
        members.extend(more);
    }
}
