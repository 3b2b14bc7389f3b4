//! Two people without an account: a man who died, and a child in its first year.

use jiff::civil::{Date, date};

use super::calendar::at;
use super::chart::{
    Chart, ConditionCategory, ConditionDetails, ContactPerson, MoreAboutPatient, PatientDetails,
    Reading, Record, VisitDetails,
};
use super::codes as c;
use super::directory::{EMERGENCY_ROOM, FAMILY_CLINIC, MOSS, STONE};

/// Walter Begay, who died at 82.
pub(super) fn walter() -> Vec<Record> {
    let mut chart = Chart::of("walter", "Walter Begay");
    let last = date(2025, 12, 3);
    chart.patient(&PatientDetails {
        given: "Walter",
        middle: "Joe",
        family: "Begay",
        female: false,
        birth: date(1943, 7, 2),
        race: ("1002-5", "American Indian or Alaska Native"),
        hispanic: false,
        language: ("en", "English"),
        street: "9 Juniper Road",
        postal_code: "85006",
        phone: "+1-602-555-0143",
        record_number: "RH-100082",
        marital: Some(("W", "Widowed")),
        died: Some(at(last, 21, 40)),
        doctor: &MOSS,
        more: MoreAboutPatient {
            suffix: Some("Jr."),
            tribe: Some(c::TRIBE),
            gender_identity: Some(c::IDENTIFIES_AS_MALE),
            ..MoreAboutPatient::default()
        },
    });
    let visit = chart.visit(VisitDetails {
        class: c::EMERGENCY,
        kind: c::EMERGENCY_ADMISSION,
        on: last,
        time: (19, 0),
        minutes: 160,
        by: &STONE,
        place: &EMERGENCY_ROOM,
        reason: Some(c::I_HEART_FAILURE),
    });
    let condition = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes: &[c::I_HEART_FAILURE, c::S_HEART_FAILURE],
        onset: last,
        abated: Some(last),
        visit: &visit,
    });
    chart.provenance(&visit, &[condition]);
    chart.into_records()
}

const NOAH_BORN: Date = date(2026, 3, 2);
/// Age in months, weight in hectograms, length and head in millimetres, and where the head and the
/// weight stand among children alike.
const NOAH_GROWS: &[(i8, i64, i64, i64, i64, i64)] =
    &[(4, 52, 586, 391, 47, 44), (6, 66, 640, 416, 49, 46), (8, 76, 668, 433, 50, 49)];

/// Noah Begay, in his first year.
pub(super) fn noah() -> Vec<Record> {
    let mut chart = Chart::of("noah", "Noah Begay");
    chart.patient(&PatientDetails {
        given: "Noah",
        middle: "Sam",
        family: "Begay",
        female: false,
        birth: NOAH_BORN,
        race: ("1002-5", "American Indian or Alaska Native"),
        hispanic: false,
        language: ("en", "English"),
        street: "9 Juniper Road",
        postal_code: "85006",
        phone: "+1-602-555-0144",
        record_number: "RH-100083",
        marital: None,
        died: None,
        doctor: &MOSS,
        more: MoreAboutPatient { tribe: Some(c::TRIBE), ..MoreAboutPatient::default() },
    });
    chart.relative(&ContactPerson {
        id: "ada",
        given: "Ada",
        family: "Begay",
        gender: "female",
        birth: date(1998, 1, 20),
        role: ("MTH", "mother"),
        phone: "+1-602-555-0144",
        period: (Some(NOAH_BORN), None),
    });
    for &(month, weight, length, head, head_percentile, weight_percentile) in NOAH_GROWS {
        let visit = chart.visit(VisitDetails {
            class: c::AMBULATORY,
            kind: c::WELL_CHILD,
            on: date(2026, month, 2),
            time: (10, 0),
            minutes: 20,
            by: &MOSS,
            place: &FAMILY_CLINIC,
            reason: Some(c::I_WELL_CHILD),
        });
        let percent = |digits| Reading::Quantity(digits, 0, "%", "%");
        let written: Vec<String> = [
            ("us-core-body-weight", c::WEIGHT, Reading::Quantity(weight, 1, "kg", "kg")),
            ("us-core-body-height", c::HEIGHT, Reading::Quantity(length, 1, "cm", "cm")),
            (
                "us-core-head-circumference",
                c::HEAD_CIRCUMFERENCE,
                Reading::Quantity(head, 1, "cm", "cm"),
            ),
            (
                "head-occipital-frontal-circumference-percentile",
                c::HEAD_PERCENTILE,
                percent(head_percentile),
            ),
            ("pediatric-weight-for-height", c::WEIGHT_FOR_LENGTH, percent(weight_percentile)),
        ]
        .into_iter()
        .map(|(profile, code, reading)| chart.vital_sign(profile, code, reading, &visit))
        .collect();
        chart.provenance(&visit, &written);
    }
    chart.into_records()
}
