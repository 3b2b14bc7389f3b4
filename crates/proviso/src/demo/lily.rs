//! Lily Chen, 15: asthma, vaccines, and one visit that is hers alone.

use jiff::civil::{Date, date};

use super::calendar::{TODAY, age, at, plus_days};
use super::chart::{
    AllergyDetails, Chart, ConditionCategory, ConditionDetails, ContactPerson, DocumentDetails,
    MedicationDetails, MoreAboutPatient, ObservationCategory, ObservationDetails, PatientDetails,
    Reading, Record, Visit, VisitDetails, Vitals, lab, note,
};
use super::codes::{self as c, Code};
use super::directory::{FAMILY_CLINIC, PATEL, TEEN_CLINIC};
use super::world::people;

const BORN: Date = people::LILY_BORN;

/// The whole chart.
pub(super) fn chart() -> Vec<Record> {
    let mut chart = Chart::of(people::LILY_PATIENT, people::LILY.display_name);
    chart.patient(&PatientDetails {
        given: "Lily",
        middle: "An",
        family: "Chen",
        female: true,
        birth: BORN,
        race: ("2028-9", "Asian"),
        hispanic: false,
        language: ("en", "English"),
        street: "41 Willow Lane",
        postal_code: "85003",
        phone: "+1-602-555-0133",
        record_number: "RH-100015",
        marital: None,
        died: None,
        doctor: &PATEL,
        more: MoreAboutPatient::default(),
    });
    chart.relative(&ContactPerson {
        id: people::WEI_PERSON,
        given: "Wei",
        family: "Chen",
        gender: "male",
        birth: date(1979, 5, 30),
        role: ("FTH", "father"),
        phone: "+1-602-555-0134",
        period: (Some(BORN), None),
    });
    let coverage = chart.coverage(date(2018, 1, 1), "SM-7710230");
    growing(&mut chart, &coverage);
    asthma(&mut chart);
    ankle(&mut chart, &coverage);
    confidential(&mut chart);
    chart.allergy(AllergyDetails {
        substance: c::PEANUT,
        category: "food",
        reaction: c::ANAPHYLAXIS,
        severity: "severe",
        since: date(2014, 6, 1),
    });
    for (vaccine, on) in [
        (c::MMR, date(2012, 5, 2)),
        (c::VARICELLA, date(2012, 5, 2)),
        (c::MMR, date(2016, 4, 28)),
        (c::TDAP, date(2022, 5, 4)),
        (c::MENINGOCOCCAL, date(2022, 5, 4)),
        (c::HPV, date(2022, 5, 4)),
        (c::HPV, date(2022, 11, 9)),
        (c::FLU, date(2025, 10, 8)),
        (c::FLU, date(2026, 10, 6)),
    ] {
        chart.immunization(vaccine, on, &PATEL);
    }
    let _team = chart.care_team(
        &[&PATEL],
        Some((people::WEI_PERSON, people::WEI.display_name)),
        date(2018, 1, 1),
    );
    chart.appointment(at(plus_days(TODAY, 170), 15, 30), &PATEL, "booked", "Yearly check-up");
    chart.into_records()
}

fn visit(on: Date, kind: Code, reason: Code) -> VisitDetails {
    VisitDetails {
        class: c::AMBULATORY,
        kind,
        on,
        time: (15, 30),
        minutes: 30,
        by: &PATEL,
        place: &FAMILY_CLINIC,
        reason: Some(reason),
    }
}

fn growing(chart: &mut Chart, coverage: &str) {
    for year in 2018..=2026_i16 {
        let on = date(year, 4, 27);
        let years = age(BORN, on);
        let visit = chart.visit(visit(on, c::WELL_CHILD, c::I_WELL_CHILD));
        let mut written = chart.vitals(
            &visit,
            Vitals {
                systolic: 96 + years,
                diastolic: 60,
                pulse: 84,
                weight_hg: 40 * years - 20,
                height_cm: 86 + years * 5,
            },
        );
        // Where she stands among children of her age: a little above the middle, all the time.
        written.push(chart.vital_sign(
            "pediatric-bmi-for-age",
            c::BMI_PERCENTILE,
            Reading::Quantity(52 + years % 4, 0, "%", "%"),
            &visit,
        ));
        if years >= 12 {
            let social = [ObservationCategory::SocialHistory];
            written.push(chart.observation(
                ObservationDetails {
                    profile: Some("us-core-smokingstatus"),
                    categories: &social,
                    code: c::SMOKING,
                    reading: Reading::Coded(c::NEVER_SMOKED),
                    usual: None,
                    focus: None,
                    specimen: None,
                },
                &visit,
            ));
        }
        chart.bill(&visit, c::I_WELL_CHILD, coverage, 16_800);
        chart.provenance(&visit, &written);
    }
}

fn asthma(chart: &mut Chart) {
    let visit = chart.visit(visit(date(2019, 11, 12), c::FOR_PROBLEM, c::I_ASTHMA));
    let condition = chart.condition(ConditionDetails {
        category: ConditionCategory::ProblemList,
        codes: &[c::I_ASTHMA, c::S_ASTHMA],
        onset: date(2019, 9, 1),
        abated: None,
        visit: &visit,
    });
    let medicine = chart.medication(MedicationDetails {
        medicine: c::ALBUTEROL,
        as_resource: None,
        reason: Some(&condition),
        instruction: "Two puffs when short of breath, at most every four hours",
        times_a_day: 2,
        stopped: false,
        visit: &visit,
    });
    let text = note(
        &visit,
        "Cough at night for two months.",
        "Wheeze on both sides, better after albuterol.",
        "Inhaler with spacer. Plan for school given to her father.",
    );
    let document = chart.document(
        DocumentDetails { kind: c::PROGRESS_NOTE, title: "Progress note", text: &text },
        &visit,
    );
    chart.provenance(&visit, &[condition, medicine, document]);
}

fn ankle(chart: &mut Chart, coverage: &str) {
    let visit = chart.visit(visit(date(2025, 9, 18), c::FOR_SYMPTOM, c::I_ANKLE));
    let condition = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes: &[c::I_ANKLE, c::S_ANKLE],
        onset: visit.day(),
        abated: Some(date(2025, 10, 20)),
        visit: &visit,
    });
    chart.bill(&visit, c::I_ANKLE, coverage, 12_200);
    chart.provenance(&visit, &[condition]);
}

/// What she said about herself.
fn told(
    chart: &mut Chart,
    visit: &Visit,
    profile: &'static str,
    code: Code,
    answer: Code,
) -> String {
    let details = ObservationDetails {
        profile: Some(profile),
        categories: &[ObservationCategory::SocialHistory],
        code,
        reading: Reading::Coded(answer),
        usual: None,
        focus: None,
        specimen: None,
    };
    chart.observation(details, visit)
}

/// Adolescent-confidential, reproductive, STI: care that she may consent to herself, and that her
/// father's access does not reach.
fn confidential(chart: &mut Chart) {
    chart.labelled(&[c::LABEL_ADOLESCENT], |chart| {
        let visit = chart.visit(VisitDetails {
            class: c::AMBULATORY,
            kind: c::CONSULTATION,
            on: date(2026, 8, 11),
            time: (16, 0),
            minutes: 40,
            by: &PATEL,
            place: &TEEN_CLINIC,
            reason: Some(c::I_CONTRACEPTION),
        });
        let infection = chart.condition(ConditionDetails {
            category: ConditionCategory::EncounterDiagnosis,
            codes: &[c::I_CHLAMYDIA, c::S_CHLAMYDIA],
            onset: visit.day(),
            abated: Some(date(2026, 9, 1)),
            visit: &visit,
        });
        let written = vec![
            chart.observation(lab(c::PREGNANCY_TEST, Reading::Coded(c::NEGATIVE), None), &visit),
            chart.observation(lab(c::CHLAMYDIA_TEST, Reading::Coded(c::POSITIVE), None), &visit),
            told(
                chart,
                &visit,
                "us-core-observation-pregnancystatus",
                c::PREGNANCY_STATUS,
                c::NOT_PREGNANT,
            ),
            told(
                chart,
                &visit,
                "us-core-observation-pregnancyintent",
                c::PREGNANCY_INTENT,
                c::NO_WISH_FOR_PREGNANCY,
            ),
            chart.medication(MedicationDetails {
                medicine: c::AZITHROMYCIN,
                as_resource: None,
                reason: Some(&infection),
                instruction: "Take four tablets by mouth at once",
                times_a_day: 1,
                stopped: true,
                visit: &visit,
            }),
            chart.medication(MedicationDetails {
                medicine: c::ETONOGESTREL,
                as_resource: None,
                reason: None,
                instruction: "Placed under the skin of the left arm",
                times_a_day: 1,
                stopped: false,
                visit: &visit,
            }),
            chart.procedure(c::IMPLANT_INSERTION, &visit, Some(c::I_CONTRACEPTION)),
            infection,
        ];
        let text = note(
            &visit,
            "Confidential visit. Wishes contraception.",
            "Well. Chlamydia test sent and positive two days later.",
            "Implant placed. Azithromycin given. Knows that her parents are not told.",
        );
        let _document = chart.document(
            DocumentDetails {
                kind: c::PROGRESS_NOTE,
                title: "Confidential visit note",
                text: &text,
            },
            &visit,
        );
        chart.provenance(&visit, &written);
    });
}
