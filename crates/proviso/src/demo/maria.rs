//! Maria Alvarez, 46: diabetes and hypertension that come under control; a past she shares with few.

use jiff::civil::{Date, date};

use super::calendar::{TODAY, at, plus_days};
use super::chart::{
    AllergyDetails, CarePlanDetails, Chart, ConditionCategory, ConditionDetails, ContactPerson,
    DocumentDetails, GoalDetails, LAB, MedicationDetails, MoreAboutPatient, ObservationCategory,
    ObservationDetails, PatientDetails, RADIOLOGY, Reading, Record, ReportDetails, Sender, Visit,
    VisitDetails, Vitals, lab, note,
};
use super::codes::{self as c, Code};
use super::directory::{
    BROOKS, Clinician, EMERGENCY_ROOM, FAMILY_CLINIC, HARBOR_HOUSE, PATEL, Place, REED, STONE,
    TALK_ROOM,
};
use super::world::people;

const BORN: Date = date(1980, 3, 14);

/// The whole chart.
pub(super) fn chart() -> Vec<Record> {
    let mut chart = Chart::of(people::MARIA_PATIENT, people::MARIA.display_name);
    chart.patient(&PatientDetails {
        given: "Maria",
        middle: "Elena",
        family: "Alvarez",
        female: true,
        birth: BORN,
        race: ("2106-3", "White"),
        hispanic: true,
        language: ("es", "Spanish"),
        street: "1208 Mesquite Street",
        postal_code: "85002",
        phone: "+1-602-555-0111",
        record_number: "RH-100046",
        marital: Some(("D", "Divorced")),
        died: None,
        doctor: &PATEL,
        more: MoreAboutPatient {
            former_name: Some(("Reyes", date(2004, 6, 12))),
            former_address: Some(("77 Cactus Court", "85004", date(2018, 1, 8))),
            gender_identity: Some(c::IDENTIFIES_AS_FEMALE),
            ..MoreAboutPatient::default()
        },
    });
    chart.relative(&ContactPerson {
        id: "rosa",
        given: "Rosa",
        family: "Alvarez",
        gender: "female",
        birth: date(1952, 8, 19),
        role: ("MTH", "mother"),
        phone: "+1-602-555-0112",
        period: (None, None),
    });
    let coverage = chart.coverage(date(2018, 1, 1), "SM-4471902");
    chart.labelled(&[c::LABEL_VIOLENCE], |chart| emergency_2017(chart, &coverage));
    recovery(&mut chart, &coverage);
    let first = check_up_2022(&mut chart, &coverage);
    let diabetes = diabetes(&mut chart, &coverage);
    therapy(&mut chart, &coverage);
    hardship(&mut chart);
    second_opinion(&mut chart);
    cough(&mut chart);
    everyday(&mut chart, &first, &diabetes);
    super::eyes::chart(&mut chart, &diabetes);
    chart.into_records()
}

fn visit(
    on: Date,
    hour: i8,
    kind: Code,
    by: &'static Clinician,
    place: &'static Place,
    reason: Code,
) -> VisitDetails {
    VisitDetails {
        class: c::AMBULATORY,
        kind,
        on,
        time: (hour, 0),
        minutes: 30,
        by,
        place,
        reason: Some(reason),
    }
}

fn survey<'a>(
    categories: &'a [ObservationCategory],
    code: Code,
    reading: Reading<'a>,
) -> ObservationDetails<'a> {
    ObservationDetails {
        profile: Some("us-core-observation-screening-assessment"),
        categories,
        code,
        reading,
        usual: None,
        focus: None,
        specimen: None,
    }
}

/// Violence: one emergency visit that nobody else needs to know about.
fn emergency_2017(chart: &mut Chart, coverage: &str) {
    let visit = chart.visit(VisitDetails {
        class: c::EMERGENCY,
        kind: c::EMERGENCY_ADMISSION,
        on: date(2017, 9, 3),
        time: (22, 40),
        minutes: 185,
        by: &STONE,
        place: &EMERGENCY_ROOM,
        reason: Some(c::I_ABUSE),
    });
    let condition = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes: &[c::I_ABUSE, c::S_PARTNER_ABUSE],
        onset: visit.day(),
        abated: Some(date(2017, 11, 1)),
        visit: &visit,
    });
    let screening = chart.procedure(c::ABUSE_SCREENING, &visit, None);
    let text = note(
        &visit,
        "Bruises on both arms. States that her partner pushed her against a door.",
        "Contusions of both upper arms, no fracture. Intimate partner violence discussed in private.",
        "Safety plan and phone numbers given. Wishes to stay with her sister.",
    );
    let document = chart.document(
        DocumentDetails {
            kind: c::EMERGENCY_NOTE,
            title: "Emergency department note",
            text: &text,
        },
        &visit,
    );
    chart.bill(&visit, c::I_ABUSE, coverage, 128_000);
    chart.provenance(&visit, &[condition, screening, document]);
}

/// Substance use: a 42 CFR Part 2 program, labelled by its source.
fn recovery(chart: &mut Chart, coverage: &str) {
    chart.labelled(&[c::LABEL_SUD, c::LABEL_PART_2], |chart| {
        let start = date(2019, 5, 6);
        let intake =
            chart.visit(visit(start, 10, c::CONSULTATION, &REED, &HARBOR_HOUSE, c::I_OPIOID));
        let condition = chart.condition(ConditionDetails {
            category: ConditionCategory::ProblemList,
            codes: &[c::I_OPIOID, c::S_OPIOID],
            onset: date(2018, 2, 1),
            abated: Some(date(2021, 6, 30)),
            visit: &intake,
        });
        let medicine = chart.medication(MedicationDetails {
            medicine: c::BUPRENORPHINE_8,
            as_resource: None,
            reason: Some(&condition),
            instruction: "Dissolve one tablet under the tongue once a day",
            times_a_day: 1,
            stopped: true,
            visit: &intake,
        });
        let mut written = vec![condition, medicine];
        for (months, positive) in [(0, true), (3, false), (9, false), (18, false), (25, false)] {
            let on = plus_days(start, months * 30);
            let session =
                chart.visit(visit(on, 14, c::FOLLOW_UP, &REED, &HARBOR_HOUSE, c::I_OPIOID));
            written.push(chart.procedure(c::SUD_COUNSELING, &session, Some(c::I_OPIOID)));
            let answer = if positive { c::POSITIVE } else { c::NEGATIVE };
            written.push(
                chart.observation(lab(c::OPIATES_URINE, Reading::Coded(answer), None), &session),
            );
            if months == 25 {
                let text = note(
                    &session,
                    "Closing visit of the recovery program.",
                    "In sustained remission from opioid dependence that began after a back injury. \
                     Buprenorphine tapered and stopped in May.",
                    "Discharged with thanks and a standing invitation. Naloxone kit renewed.",
                );
                written.push(chart.document(
                    DocumentDetails {
                        kind: c::DISCHARGE_SUMMARY,
                        title: "Program discharge summary",
                        text: &text,
                    },
                    &session,
                ));
                chart.bill(&session, c::I_OPIOID, coverage, 16_000);
            }
        }
        chart.provenance(&intake, &written);
    });
}

fn check_up_2022(chart: &mut Chart, coverage: &str) -> Visit {
    let visit = chart.visit(visit(
        date(2022, 2, 15),
        9,
        c::GENERAL_EXAMINATION,
        &PATEL,
        &FAMILY_CLINIC,
        c::I_CHECK_UP,
    ));
    let mut written = chart.vitals(
        &visit,
        Vitals { systolic: 152, diastolic: 94, pulse: 78, weight_hg: 861, height_cm: 160 },
    );
    chart.first_vitals(&visit, 160);
    written.push(
        chart.observation(lab(c::A1C, Reading::Quantity(62, 1, "%", "%"), Some((40, 56))), &visit),
    );
    let pressure = chart.condition(ConditionDetails {
        category: ConditionCategory::ProblemList,
        codes: &[c::I_HYPERTENSION, c::S_HYPERTENSION],
        onset: visit.day(),
        abated: None,
        visit: &visit,
    });
    written.push(chart.medication(MedicationDetails {
        medicine: c::LISINOPRIL_10,
        as_resource: None,
        reason: Some(&pressure),
        instruction: "Take one tablet by mouth every morning",
        times_a_day: 1,
        stopped: false,
        visit: &visit,
    }));
    written.push(pressure);
    written.push(chart.condition(ConditionDetails {
        category: ConditionCategory::ProblemList,
        codes: &[c::I_PREDIABETES, c::S_PREDIABETES],
        onset: visit.day(),
        abated: Some(date(2023, 6, 8)),
        visit: &visit,
    }));
    chart.bill(&visit, c::I_HYPERTENSION, coverage, 21_500);
    chart.provenance(&visit, &written);
    visit
}

/// HbA1c in tenths of a percent, weight in hectograms, systolic pressure: better year by year.
const COURSE: &[(i16, i8, i8, i64, i64, i64)] = &[
    (2023, 6, 8, 84, 912, 148),
    (2023, 9, 14, 76, 898, 142),
    (2024, 1, 18, 71, 884, 136),
    (2024, 7, 11, 69, 871, 134),
    (2025, 1, 16, 68, 862, 132),
    (2025, 8, 21, 67, 858, 128),
    (2026, 3, 12, 66, 849, 126),
    (2026, 10, 12, 66, 846, 124),
];

fn diabetes(chart: &mut Chart, coverage: &str) -> String {
    let mut diagnosis = String::new();
    for (index, &(year, month, day, a1c, weight_hg, systolic)) in COURSE.iter().enumerate() {
        let kind = if index == 0 { c::FOR_PROBLEM } else { c::FOLLOW_UP };
        let visit = chart.visit(visit(
            date(year, month, day),
            9,
            kind,
            &PATEL,
            &FAMILY_CLINIC,
            c::I_DIABETES,
        ));
        let mut written = chart.vitals(
            &visit,
            Vitals {
                systolic,
                diastolic: systolic * 6 / 10 + 4,
                pulse: 76,
                weight_hg,
                height_cm: 160,
            },
        );
        written.push(blood_work(chart, &visit, a1c));
        if index == 0 {
            diagnosis = begin_treatment(chart, &visit);
            hiv_test(chart, &visit);
        }
        if index == 2 {
            written.push(raise_metformin(chart, &visit, &diagnosis));
        }
        let found = format!(
            "HbA1c {}.{} %, blood pressure {systolic} systolic. Feet without lesions.",
            a1c / 10,
            a1c % 10,
        );
        let text = note(
            &visit,
            "Review of type 2 diabetes and blood pressure.",
            &found,
            "Keep walking, keep metformin and lisinopril. Blood work again in six months.",
        );
        written.push(chart.document(
            DocumentDetails { kind: c::PROGRESS_NOTE, title: "Progress note", text: &text },
            &visit,
        ));
        chart.bill(&visit, c::I_DIABETES, coverage, 18_900);
        chart.provenance(&visit, &written);
    }
    diagnosis
}

fn blood_work(chart: &mut Chart, visit: &Visit, a1c: i64) -> String {
    let order = chart.order(c::LABORATORY_PROCEDURE, c::PANEL_METABOLIC, visit);
    let specimen = chart.specimen(c::BLOOD, visit);
    let mut results = Vec::new();
    let mg =
        |digits, low, high| (Reading::Quantity(digits, 0, "mg/dL", "mg/dL"), Some((low, high)));
    // Average glucose in mg/dL from HbA1c (ADAG): 28.7 x A1c - 46.7.
    let glucose = (287 * a1c - 4670) / 100;
    for (code, (reading, usual)) in [
        (c::A1C, (Reading::Quantity(a1c, 1, "%", "%"), Some((40, 56)))),
        (c::GLUCOSE, mg(glucose, 70, 99)),
        (c::CREATININE, (Reading::Quantity(82, 2, "mg/dL", "mg/dL"), Some((57, 100)))),
        (
            c::EGFR,
            (Reading::Quantity(87, 0, "mL/min/1.73 m2", "mL/min/{1.73_m2}"), Some((60, 120))),
        ),
        (c::ALBUMIN_RATIO, (Reading::Quantity(18, 0, "mg/g", "mg/g"), Some((0, 29)))),
        (c::CHOLESTEROL, mg(150 + a1c, 0, 199)),
        (c::LDL, mg(70 + a1c - 50, 0, 99)),
        (c::HDL, mg(52, 50, 90)),
        (c::TRIGLYCERIDE, mg(100 + a1c, 0, 149)),
    ] {
        let mut details = lab(code, reading, usual);
        details.specimen = Some(&specimen);
        results.push(chart.observation(details, visit));
    }
    chart.report(
        ReportDetails {
            category: LAB,
            code: c::PANEL_METABOLIC,
            results: &results,
            order: Some(&order),
            specimen: Some(&specimen),
            study: None,
            picture: None,
            conclusion: if a1c > 70 { "HbA1c above target" } else { "HbA1c at target" },
            text: None,
        },
        visit,
    )
}

fn begin_treatment(chart: &mut Chart, visit: &Visit) -> String {
    let diagnosis = chart.condition(ConditionDetails {
        category: ConditionCategory::ProblemList,
        codes: &[c::I_DIABETES, c::S_DIABETES],
        onset: visit.day(),
        abated: None,
        visit,
    });
    let lipids = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes: &[c::I_LIPIDS, c::S_LIPIDS],
        onset: visit.day(),
        abated: None,
        visit,
    });
    let _concern = chart.condition(ConditionDetails {
        category: ConditionCategory::HealthConcern,
        codes: &[c::I_OBESITY, c::S_OBESITY],
        onset: visit.day(),
        abated: None,
        visit,
    });
    for (medicine, reason, instruction, times_a_day, stopped) in [
        (c::METFORMIN_500, &diagnosis, "Take one tablet by mouth twice a day with meals", 2, true),
        (c::ATORVASTATIN_20, &lipids, "Take one tablet by mouth every evening", 1, false),
    ] {
        let _order = chart.medication(MedicationDetails {
            medicine,
            as_resource: None,
            reason: Some(reason),
            instruction,
            times_a_day,
            stopped,
            visit,
        });
    }
    let _teaching = chart.procedure(c::DIABETES_EDUCATION, visit, Some(c::I_DIABETES));
    let team = chart.care_team(
        &[&PATEL, &super::directory::FOX],
        Some(("rosa", "Rosa Alvarez")),
        visit.day(),
    );
    let goal = chart.goal(GoalDetails {
        text: "HbA1c below 7 percent",
        start: visit.day(),
        due: date(2026, 12, 31),
        addresses: &diagnosis,
    });
    chart.care_plan(CarePlanDetails {
        title: "Diabetes care plan",
        steps: &[
            "Walk 30 minutes on five days a week",
            "Measure glucose before breakfast",
            "Eye examination every year",
        ],
        start: visit.day(),
        addresses: &diagnosis,
        goal: &goal,
        team: &team,
        by: &PATEL,
    });
    diagnosis
}

fn raise_metformin(chart: &mut Chart, visit: &Visit, diagnosis: &str) -> String {
    chart.medication(MedicationDetails {
        medicine: c::METFORMIN_1000,
        as_resource: None,
        reason: Some(diagnosis),
        instruction: "Take one tablet by mouth twice a day with meals",
        times_a_day: 2,
        stopped: false,
        visit,
    })
}

/// HIV: one test, negative; that it was done is what is sensitive.
fn hiv_test(chart: &mut Chart, visit: &Visit) {
    let _result = chart.observation(lab(c::HIV_TEST, Reading::Coded(c::NEGATIVE), None), visit);
}

/// Mental health and psychotherapy notes.
fn therapy(chart: &mut Chart, coverage: &str) {
    let start = date(2024, 3, 5);
    let mut written = Vec::new();
    let mut first: Option<Visit> = None;
    for (session, (days, score)) in
        [(0, 16), (28, 13), (56, 9), (112, 6), (196, 3)].into_iter().enumerate()
    {
        let visit = chart.visit(visit(
            plus_days(start, days),
            16,
            c::FOLLOW_UP,
            &BROOKS,
            &TALK_ROOM,
            c::I_DEPRESSION,
        ));
        let category = [ObservationCategory::Survey];
        written.push(chart.observation(
            survey(&category, c::PHQ_9, Reading::Quantity(score, 0, "{score}", "{score}")),
            &visit,
        ));
        written.push(chart.procedure(c::PSYCHOTHERAPY, &visit, Some(c::I_DEPRESSION)));
        if session == 0 {
            let condition = chart.condition(ConditionDetails {
                category: ConditionCategory::ProblemList,
                codes: &[c::I_DEPRESSION, c::S_DEPRESSION],
                onset: date(2024, 1, 15),
                abated: None,
                visit: &visit,
            });
            written.push(chart.medication(MedicationDetails {
                medicine: c::SERTRALINE_50,
                as_resource: None,
                reason: Some(&condition),
                instruction: "Take one tablet by mouth every morning",
                times_a_day: 1,
                stopped: false,
                visit: &visit,
            }));
            written.push(condition);
        }
        if session < 2 {
            chart.labelled(&[c::LABEL_PSYCHOTHERAPY], |chart| {
                let text = format!(
                    "Psychotherapy session note, session {}.\n\nKept apart from the medical record.\n\n\
                     Talked about sleep, the divorce and how to be kind to herself.\n",
                    session + 1,
                );
                let _document = chart.document(
                    DocumentDetails { kind: c::PSYCHIATRY_NOTE, title: "Psychotherapy session note", text: &text },
                    &visit,
                );
            });
        }
        chart.bill(&visit, c::I_DEPRESSION, coverage, 14_000);
        first.get_or_insert(visit);
    }
    if let Some(first) = first {
        chart.provenance(&first, &written);
    }
}

/// Food insecurity: two categories on one observation, and a questionnaire.
fn hardship(chart: &mut Chart) {
    let visit = chart.visit(visit(
        date(2024, 11, 7),
        11,
        c::FOR_PROBLEM,
        &PATEL,
        &FAMILY_CLINIC,
        c::I_FOOD,
    ));
    let both = [ObservationCategory::Survey, ObservationCategory::Sdoh];
    let _answer =
        chart.observation(survey(&both, c::FOOD_WORRY, Reading::Coded(c::OFTEN_TRUE)), &visit);
    let _condition = chart.condition(ConditionDetails {
        category: ConditionCategory::SocialProblem,
        codes: &[c::I_FOOD],
        onset: date(2024, 9, 1),
        abated: None,
        visit: &visit,
    });
    let _form = chart.questionnaire(
        "https://riverside.example/questionnaires/hunger-vital-sign",
        &[("88122-7", "We worried whether our food would run out", c::OFTEN_TRUE)],
        &visit,
    );
    let _referral = chart.order(
        Code::new("http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "sdoh", "SDOH"),
        Code::new("http://snomed.info/sct", "713109004", "Referral to community meals service"),
        &visit,
    );
}

/// A cough, and a picture of the chest to be sure.
fn cough(chart: &mut Chart) {
    let visit = chart.visit(visit(
        date(2025, 2, 20),
        14,
        c::FOR_SYMPTOM,
        &PATEL,
        &FAMILY_CLINIC,
        c::I_BRONCHITIS,
    ));
    let condition = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes: &[c::I_BRONCHITIS, c::S_BRONCHITIS],
        onset: date(2025, 2, 12),
        abated: Some(date(2025, 3, 4)),
        visit: &visit,
    });
    let study = chart.imaging_study(c::CHEST_XRAY, &visit, "1.2.840.99999999.46.2025");
    let order = chart.order(c::IMAGING_PROCEDURE, c::CHEST_XRAY_REPORT, &visit);
    let report = chart.report(
        ReportDetails {
            category: RADIOLOGY,
            code: c::CHEST_XRAY_REPORT,
            results: &[],
            order: Some(&order),
            specimen: None,
            study: Some(&study),
            picture: None,
            conclusion: "Clear lungs",
            text: Some("Chest, two views. Clear lungs, heart of normal size."),
        },
        &visit,
    );
    chart.provenance(&visit, &[condition, report]);
}

/// Restricted at her request: a second opinion that her employer's doctor must not find.
fn second_opinion(chart: &mut Chart) {
    chart.labelled(&[c::LABEL_PATIENT_ASKED], |chart| {
        let visit = chart.visit(visit(
            date(2026, 5, 19),
            15,
            c::CONSULTATION,
            &PATEL,
            &FAMILY_CLINIC,
            c::I_BACK,
        ));
        let text = note(
            &visit,
            "Second opinion about her back before a change of work.",
            "Old disc injury, no new signs.",
            "Letter to the patient only.",
        );
        let document = chart.document(
            DocumentDetails { kind: c::CONSULT_NOTE, title: "Consult note", text: &text },
            &visit,
        );
        chart.provenance(&visit, &[document]);
    });
}

fn everyday(chart: &mut Chart, first: &Visit, diabetes: &str) {
    let social = [ObservationCategory::SocialHistory];
    for (profile, code, reading) in [
        ("us-core-smokingstatus", c::SMOKING, Reading::Coded(c::NEVER_SMOKED)),
        ("us-core-observation-occupation", c::OCCUPATION, Reading::Words("School bus driver")),
        (
            "us-core-observation-sexual-orientation",
            c::SEXUAL_ORIENTATION,
            Reading::Coded(c::HETEROSEXUAL),
        ),
    ] {
        let _observation = chart.observation(
            ObservationDetails {
                profile: Some(profile),
                categories: &social,
                code,
                reading,
                usual: None,
                focus: None,
                specimen: None,
            },
            first,
        );
    }
    // What somebody typed into the wrong chart; seeding deletes it again.
    chart.mistake(first);
    // An observation without any category: what she measured at home and sent in.
    let _home = chart.observation(
        ObservationDetails {
            profile: None,
            categories: &[],
            code: c::GLUCOSE,
            reading: Reading::Quantity(121, 0, "mg/dL", "mg/dL"),
            usual: None,
            focus: None,
            specimen: None,
        },
        first,
    );
    chart.allergy(AllergyDetails {
        substance: c::PENICILLIN,
        category: "medication",
        reaction: c::RASH,
        severity: "moderate",
        since: date(1996, 4, 2),
    });
    for year in 2021..=2026 {
        chart.immunization(c::FLU, date(year, 10, 5), &PATEL);
    }
    chart.immunization(c::COVID, date(2021, 4, 20), &PATEL);
    chart.immunization(c::COVID, date(2021, 5, 11), &PATEL);
    chart.immunization(c::TDAP, date(2020, 8, 3), &PATEL);
    chart.declined_immunization(c::PNEUMOCOCCAL, date(2024, 10, 5));
    chart.home_device(c::GLUCOSE_METER, "GM-88121");
    chart.family_history(("MTH", "mother"), c::S_DIABETES, 52, first.day());
    chart.family_history(("MAUNT", "maternal aunt"), c::S_BREAST_CANCER, 49, first.day());
    chart.appointment(at(plus_days(TODAY, 45), 9, 30), &PATEL, "booked", "Diabetes review");
    chart.appointment(at(date(2026, 10, 12), 9, 0), &PATEL, "fulfilled", "Diabetes review");
    let asked = at(date(2026, 10, 14), 18, 5);
    chart.message(
        asked,
        Sender::Patient,
        &PATEL,
        "Are my October results fine, or should I come in?",
    );
    chart.message(
        at(date(2026, 10, 15), 8, 20),
        Sender::Clinician,
        &PATEL,
        "They are fine. HbA1c is 6.6 again. See you in December.",
    );
    let _foot = chart.procedure(c::FOOT_EXAM, first, Some(c::I_DIABETES));
    let _goal = chart.goal(GoalDetails {
        text: "Blood pressure below 130 over 80",
        start: first.day(),
        due: date(2026, 12, 31),
        addresses: diabetes,
    });
}
