//! Person, family, insurance, bills, appointments and messages.

use jiff::civil::{Date, DateTime};

use super::{Chart, Visit, link, own_identifier, profile, resource};
use crate::demo::calendar::{day, plus_days, plus_minutes, stamp};
use crate::demo::codes::Code;
use crate::demo::directory::{Clinician, FAMILY_CLINIC, INSURANCE, RIVERSIDE};
use crate::demo::value::{Value, list, object};

/// What a Patient resource says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PatientDetails<'a> {
    pub(crate) given: &'a str,
    pub(crate) middle: &'a str,
    pub(crate) family: &'a str,
    pub(crate) female: bool,
    pub(crate) birth: Date,
    pub(crate) race: (&'static str, &'static str),
    pub(crate) hispanic: bool,
    pub(crate) language: (&'static str, &'static str),
    pub(crate) street: &'a str,
    pub(crate) postal_code: &'a str,
    pub(crate) phone: &'a str,
    pub(crate) record_number: &'a str,
    pub(crate) marital: Option<(&'static str, &'static str)>,
    pub(crate) died: Option<DateTime>,
    pub(crate) doctor: &'static Clinician,
    pub(crate) more: MoreAboutPatient<'a>,
}

/// What only some people say about themselves, or have behind them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MoreAboutPatient<'a> {
    pub(crate) suffix: Option<&'a str>,
    /// The family name of before, and since when it is another.
    pub(crate) former_name: Option<(&'a str, Date)>,
    /// The street and postal code of before, and since when it is another.
    pub(crate) former_address: Option<(&'a str, &'a str, Date)>,
    pub(crate) tribe: Option<Code>,
    pub(crate) gender_identity: Option<Code>,
}

/// A relative on the chart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContactPerson<'a> {
    pub(crate) id: &'a str,
    pub(crate) given: &'a str,
    pub(crate) family: &'a str,
    pub(crate) gender: &'static str,
    pub(crate) birth: Date,
    pub(crate) role: (&'static str, &'static str),
    pub(crate) phone: &'a str,
    pub(crate) period: (Option<Date>, Option<Date>),
}

const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/";
const RACES: &str = "urn:oid:2.16.840.1.113883.6.238";

fn race_extension(name: &str, code: &'static str, display: &'static str) -> Value {
    object! {
        "url": format!("{US_CORE}{name}"),
        "extension": list![
            object! { "url": "ombCategory", "valueCoding": object! {
                "system": RACES, "code": code, "display": display,
            } },
            object! { "url": "text", "valueString": display },
        ],
    }
}

fn person_address(
    usage: &'static str,
    street: &str,
    postal_code: &str,
    since: Date,
    until: Option<Date>,
) -> Value {
    object! {
        "use": usage, "line": list![street.to_owned()], "city": "Riverside", "state": "AZ",
        "postalCode": postal_code.to_owned(), "country": "US",
        "period": object! { "start": day(since), "end": until.map(day) },
    }
}

/// What a Patient resource says beyond base FHIR.
fn extensions(details: &PatientDetails<'_>) -> Value {
    let (ethnicity, ethnicity_name) = if details.hispanic {
        ("2135-2", "Hispanic or Latino")
    } else {
        ("2186-5", "Not Hispanic or Latino")
    };
    let mut extensions = vec![
        race_extension("us-core-race", details.race.0, details.race.1),
        race_extension("us-core-ethnicity", ethnicity, ethnicity_name),
        object! {
            "url": format!("{US_CORE}us-core-birthsex"),
            "valueCode": if details.female { "F" } else { "M" },
        },
        // SNOMED CT, as the extension binds it: female and male.
        object! {
            "url": format!("{US_CORE}us-core-sex"),
            "valueCode": if details.female { "248152002" } else { "248153007" },
        },
    ];
    extensions.extend(details.more.tribe.map(|tribe| {
        object! {
            "url": format!("{US_CORE}us-core-tribal-affiliation"),
            "extension": list![
                object! { "url": "tribalAffiliation", "valueCodeableConcept": tribe.concept() },
                object! { "url": "isEnrolled", "valueBoolean": true },
            ],
        }
    }));
    extensions.extend(details.more.gender_identity.map(|identity| {
        object! {
            "url": format!("{US_CORE}us-core-genderIdentity"),
            "valueCodeableConcept": identity.concept(),
        }
    }));
    extensions.into()
}

/// The name of today, and the one of before.
fn names(details: &PatientDetails<'_>) -> Value {
    let name = |usage: &'static str, family: &str, start: Date, end: Option<Date>| {
        object! {
            "use": usage, "family": family.to_owned(),
            "given": list![details.given.to_owned(), details.middle.to_owned()],
            "suffix": details.more.suffix.map(|suffix| list![suffix.to_owned()]),
            "period": object! { "start": day(start), "end": end.map(day) },
        }
    };
    let changed = details.more.former_name.map(|(_, on)| on);
    let mut names = vec![name("official", details.family, changed.unwrap_or(details.birth), None)];
    let former = details.more.former_name;
    names.extend(former.map(|(family, on)| name("old", family, details.birth, Some(on))));
    names.into()
}

/// The home of today, and the one of before.
fn addresses(details: &PatientDetails<'_>) -> Value {
    let before = plus_days(details.birth, 4000);
    let moved = details.more.former_address.map_or(before, |(_, _, on)| on);
    let mut addresses =
        vec![person_address("home", details.street, details.postal_code, moved, None)];
    addresses.extend(details.more.former_address.map(|(street, postal_code, on)| {
        person_address("old", street, postal_code, before.min(on), Some(on))
    }));
    addresses.into()
}

impl Chart {
    /// Writes the Patient.
    pub(crate) fn patient(&mut self, details: &PatientDetails<'_>) {
        let identifier_type = object! { "coding": list![object! {
            "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR",
            "display": "Medical record number",
        }] };
        let content = object! {
            "meta": profile("us-core-patient"),
            "extension": extensions(details),
            "identifier": list![object! {
                "use": "usual", "type": identifier_type,
                "system": "https://riverside.example/mrn", "value": details.record_number.to_owned(),
                "assigner": RIVERSIDE.reference(),
            }],
            "active": true,
            "name": names(details),
            "telecom": list![
                object! { "system": "phone", "value": details.phone.to_owned(), "use": "mobile" },
                object! {
                    "system": "email", "use": "home",
                    "value": format!("{}@mail.example", self.patient),
                },
            ],
            "gender": if details.female { "female" } else { "male" },
            "birthDate": day(details.birth),
            "deceasedDateTime": details.died.map(stamp),
            "address": addresses(details),
            "maritalStatus": details.marital.map(|(code, display)| object! {
                "coding": list![object! {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
                    "code": code, "display": display,
                }],
            }),
            "communication": list![object! {
                "language": object! {
                    "coding": list![object! {
                        "system": "urn:ietf:bcp:47", "code": details.language.0,
                        "display": details.language.1,
                    }],
                    "text": details.language.1,
                },
                "preferred": true,
            }],
            "generalPractitioner": list![details.doctor.reference()],
            "managingOrganization": RIVERSIDE.reference(),
        };
        let record = resource("Patient", &self.patient.clone(), content);
        self.add_as(record);
    }

    /// Writes a relative.
    pub(crate) fn relative(&mut self, person: &ContactPerson<'_>) {
        let content = object! {
            "meta": profile("us-core-relatedperson"),
            "active": true,
            "patient": self.subject(),
            "relationship": list![object! { "coding": list![object! {
                "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
                "code": person.role.0, "display": person.role.1,
            }] }],
            "name": list![object! {
                "use": "official", "family": person.family.to_owned(),
                "given": list![person.given.to_owned()],
            }],
            "telecom": list![
                object! { "system": "phone", "value": person.phone.to_owned(), "use": "mobile" },
            ],
            "gender": person.gender,
            "birthDate": day(person.birth),
            "address": list![object! {
                "line": list!["41 Willow Lane"], "city": "Riverside", "state": "AZ",
                "postalCode": "85003", "country": "US",
            }],
            "period": object! {
                "start": person.period.0.map(day), "end": person.period.1.map(day),
            },
        };
        self.add_as(resource("RelatedPerson", person.id, content));
    }

    /// Writes the insurance.
    pub(crate) fn coverage(&mut self, since: Date, member: &str) -> String {
        let class = |code: &'static str, value: &'static str, name: &'static str| {
            object! {
                "type": object! { "coding": list![object! {
                    "system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": code,
                }] },
                "value": value, "name": name,
            }
        };
        let content = object! {
            "identifier": list![object! {
                "type": object! { "coding": list![object! {
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB",
                    "display": "Member number",
                }] },
                "system": "https://saguaro.example/members", "value": member.to_owned(),
            }],
            "status": "active",
            "type": Code::new(
                "http://terminology.hl7.org/CodeSystem/v3-ActCode", "EHCPOL", "extended healthcare",
            ).concept(),
            "subscriberId": member.to_owned(),
            "beneficiary": self.subject(),
            "relationship": Code::new(
                "http://terminology.hl7.org/CodeSystem/subscriber-relationship", "self", "Self",
            ).concept(),
            "period": object! { "start": day(since) },
            "payor": list![INSURANCE.reference()],
            "class": list![
                class("group", "RH-2100", "Riverside employers"),
                class("plan", "SILVER-2", "Silver 2"),
            ],
        };
        self.add("Coverage", &["us-core-coverage"], content)
    }

    /// Writes what a visit cost: the claim and what the insurer made of it.
    pub(crate) fn bill(&mut self, visit: &Visit, reason: Code, coverage: &str, cents: i64) {
        let money = |cents| object! { "value": Value::decimal(cents, 2), "currency": "USD" };
        let created = day(plus_days(visit.day(), 2));
        let kind = || {
            Code::new(
                "http://terminology.hl7.org/CodeSystem/claim-type",
                "professional",
                "Professional",
            )
            .concept()
        };
        let period = || object! { "start": stamp(visit.start), "end": stamp(visit.end) };
        let diagnosis =
            || list![object! { "sequence": 1, "diagnosisCodeableConcept": reason.concept() }];
        let insurance = || {
            list![object! {
                "sequence": 1, "focal": true, "coverage": link(coverage),
            }]
        };
        let item = |cents| {
            let service = object! { "text": "Professional services" };
            object! {
                "sequence": 1, "diagnosisSequence": list![1], "productOrService": service,
                "encounter": list![visit.link()], "net": money(cents),
            }
        };
        let claim = self.add("Claim", &[], object! {
            "status": "active", "type": kind(), "use": "claim", "patient": self.subject(),
            "billablePeriod": period(), "created": created.clone(), "insurer": INSURANCE.reference(),
            "provider": visit.by.house.reference(),
            "priority": super::super::codes::bare(
                "http://terminology.hl7.org/CodeSystem/processpriority", "normal",
            ),
            "diagnosis": diagnosis(), "insurance": insurance(), "item": list![item(cents)],
            "total": money(cents),
        });
        let paid = cents * 8 / 10;
        let adjudication = |code: &'static str, cents| {
            object! {
                "category": super::super::codes::bare(
                    "http://terminology.hl7.org/CodeSystem/adjudication", code,
                ),
                "amount": money(cents),
            }
        };
        let _eob = self.add("ExplanationOfBenefit", &[], object! {
            "status": "active", "type": kind(), "use": "claim", "patient": self.subject(),
            "billablePeriod": period(), "created": created, "insurer": INSURANCE.reference(),
            "provider": visit.by.house.reference(), "claim": link(&claim), "outcome": "complete",
            "diagnosis": diagnosis(),
            "insurance": list![object! { "focal": true, "coverage": link(coverage) }],
            "item": list![object! {
                "sequence": 1, "diagnosisSequence": list![1],
                "productOrService": object! { "text": "Professional services" },
                "adjudication": list![adjudication("submitted", cents), adjudication("benefit", paid)],
            }],
            "total": list![adjudication("submitted", cents), adjudication("benefit", paid)],
            "payment": object! { "amount": money(paid) },
        });
    }

    /// Writes an appointment.
    pub(crate) fn appointment(
        &mut self,
        start: DateTime,
        with: &'static Clinician,
        status: &'static str,
        description: &'static str,
    ) {
        let party = |actor: Value| {
            object! { "actor": actor, "required": "required", "status": "accepted" }
        };
        let _reference = self.add("Appointment", &[], object! {
            "status": status,
            "description": description,
            "start": format!("{}", stamp(start)),
            "end": stamp(plus_minutes(start, 30)),
            "minutesDuration": 30,
            "created": day(plus_days(start.date(), -30)),
            "participant": list![
                party(self.subject()), party(with.reference()), party(FAMILY_CLINIC.reference()),
            ],
        });
    }

    /// Writes a message between the patient and a clinician.
    pub(crate) fn message(
        &mut self,
        sent: DateTime,
        from_patient: Sender,
        clinician: &'static Clinician,
        text: &'static str,
    ) {
        let (sender, recipient) = match from_patient {
            Sender::Patient => (self.subject(), clinician.reference()),
            Sender::Clinician => (clinician.reference(), self.subject()),
        };
        let number = format!("{}-{}", self.patient, sent.strftime("%Y%m%d%H%M"));
        let _reference = self.add(
            "Communication",
            &[],
            object! {
                "identifier": own_identifier(&number),
                "status": "completed",
                "category": list![Code::new(
                    "http://terminology.hl7.org/CodeSystem/communication-category", "notification",
                    "Notification",
                ).concept()],
                "subject": self.subject(),
                "sent": stamp(sent),
                "received": stamp(plus_minutes(sent, 1)),
                "recipient": list![recipient],
                "sender": sender,
                "payload": list![object! { "contentString": text }],
            },
        );
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Patient,
    Clinician,
}
