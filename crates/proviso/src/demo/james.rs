//! James Okoro, 71: heart failure, many visits, a device, a daughter who helps.

use jiff::civil::{Date, date};

use super::calendar::{TODAY, at, plus_days};
use super::chart::{
    AllergyDetails, CARDIOLOGY as CARDIOLOGY_REPORT, CarePlanDetails, Chart, ConditionCategory,
    ConditionDetails, ContactPerson, DocumentDetails, GoalDetails, LAB, MedicationDetails,
    MoreAboutPatient, ObservationCategory, ObservationDetails, PatientDetails, RADIOLOGY, Reading,
    Record, ReportDetails, Sender, Visit, VisitDetails, Vitals, lab, note,
};
use super::codes::{self as c, Code};
use super::directory::{
    APIXABAN_ID, CARDIOLOGY, EMERGENCY_ROOM, FAMILY_CLINIC, MOSS, OKAFOR, RUIZ, STONE,
};
use super::world::people;

/// The whole chart.
pub(super) fn chart() -> Vec<Record> {
    let mut chart = Chart::of(people::JAMES_PATIENT, people::JAMES.display_name);
    chart.patient(&PatientDetails {
        given: "James",
        middle: "Chidi",
        family: "Okoro",
        female: false,
        birth: date(1955, 7, 2),
        race: ("2054-5", "Black or African American"),
        hispanic: false,
        language: ("en", "English"),
        street: "77 Juniper Court",
        postal_code: "85004",
        phone: "+1-602-555-0122",
        record_number: "RH-100071",
        marital: Some(("W", "Widowed")),
        died: None,
        doctor: &MOSS,
        more: MoreAboutPatient {
            suffix: Some("Sr."),
            gender_identity: Some(c::IDENTIFIES_AS_MALE),
            ..MoreAboutPatient::default()
        },
    });
    chart.relative(&ContactPerson {
        id: people::GRACE_PERSON,
        given: "Grace",
        family: "Okoro",
        gender: "female",
        birth: date(1984, 12, 9),
        role: ("DAU", "natural daughter"),
        phone: "+1-602-555-0123",
        period: (Some(date(2024, 12, 1)), Some(people::GRACE_UNTIL)),
    });
    let coverage = chart.coverage(date(2020, 7, 1), "SM-2093381");
    let failing = heart(&mut chart, &coverage);
    clinic(&mut chart, &coverage, &failing);
    admission(&mut chart, &coverage, date(2024, 11, 18), 6);
    admission(&mut chart, &coverage, date(2026, 2, 9), 4);
    defibrillator(&mut chart, &failing);
    gene_test(&mut chart);
    contact(&mut chart);
    everyday(&mut chart);
    chart.into_records()
}

fn clinic_visit(on: Date, kind: Code, reason: Code) -> VisitDetails {
    VisitDetails {
        class: c::AMBULATORY,
        kind,
        on,
        time: (10, 30),
        minutes: 40,
        by: &OKAFOR,
        place: &CARDIOLOGY,
        reason: Some(reason),
    }
}

fn problem<'a>(codes: &'a [Code], onset: Date, visit: &'a Visit) -> ConditionDetails<'a> {
    ConditionDetails { category: ConditionCategory::ProblemList, codes, onset, abated: None, visit }
}

/// The heart attack of 2021 and what followed from it; gives the heart failure.
fn heart(chart: &mut Chart, coverage: &str) -> String {
    let attack = chart.visit(VisitDetails {
        class: c::INPATIENT,
        kind: c::HOSPITAL_ADMISSION,
        on: date(2021, 8, 23),
        time: (4, 15),
        minutes: 4 * 24 * 60,
        by: &OKAFOR,
        place: &CARDIOLOGY,
        reason: Some(c::I_CORONARY),
    });
    let mut written = vec![
        chart.condition(problem(&[c::I_CORONARY, c::S_CORONARY], attack.day(), &attack)),
        chart.procedure(c::ANGIOGRAPHY, &attack, Some(c::I_CORONARY)),
        chart.procedure(c::STENT, &attack, Some(c::I_CORONARY)),
    ];
    chart.bill(&attack, c::I_CORONARY, coverage, 4_185_000);
    chart.provenance(&attack, &written);

    let visit = chart.visit(clinic_visit(date(2022, 4, 12), c::FOR_PROBLEM, c::I_HEART_FAILURE));
    let failing =
        chart.condition(problem(&[c::I_HEART_FAILURE, c::S_HEART_FAILURE], visit.day(), &visit));
    let flutter = chart.condition(problem(&[c::I_AFIB, c::S_AFIB], visit.day(), &visit));
    let kidneys =
        chart.condition(problem(&[c::I_KIDNEY_3, c::S_KIDNEY_3], date(2023, 5, 2), &visit));
    written = vec![failing.clone(), flutter.clone(), kidneys];
    for (medicine, as_resource, reason, instruction, times_a_day) in [
        (c::CARVEDILOL_12, None, &failing, "Take one tablet by mouth twice a day with food", 2),
        (c::LISINOPRIL_20, None, &failing, "Take one tablet by mouth every morning", 1),
        (c::FUROSEMIDE_40, None, &failing, "Take one tablet by mouth every morning", 1),
        (c::SPIRONOLACTONE_25, None, &failing, "Take one tablet by mouth every morning", 1),
        (c::ATORVASTATIN_40, None, &failing, "Take one tablet by mouth every evening", 1),
        (c::APIXABAN_5, Some(APIXABAN_ID), &flutter, "Take one tablet by mouth twice a day", 2),
    ] {
        written.push(chart.medication(MedicationDetails {
            medicine,
            as_resource,
            reason: Some(reason),
            instruction,
            times_a_day,
            stopped: false,
            visit: &visit,
        }));
    }
    echo(chart, &visit, 32);
    let team = chart.care_team(
        &[&OKAFOR, &RUIZ, &MOSS],
        Some((people::GRACE_PERSON, people::GRACE.display_name)),
        visit.day(),
    );
    let goal = chart.goal(GoalDetails {
        text: "Weight within one kilogram of 82",
        start: visit.day(),
        due: date(2027, 4, 12),
        addresses: &failing,
    });
    chart.care_plan(CarePlanDetails {
        title: "Heart failure care plan",
        steps: &[
            "Weigh every morning",
            "Less than two grams of salt a day",
            "Call when weight rises by two kilograms",
        ],
        start: visit.day(),
        addresses: &failing,
        goal: &goal,
        team: &team,
        by: &OKAFOR,
    });
    chart.provenance(&visit, &written);
    failing
}

fn echo(chart: &mut Chart, visit: &Visit, percent: i64) {
    let category = [ObservationCategory::Imaging];
    let fraction = chart.observation(
        ObservationDetails {
            profile: Some("us-core-observation-clinical-result"),
            categories: &category,
            code: c::EJECTION_FRACTION,
            reading: Reading::Quantity(percent, 0, "%", "%"),
            usual: Some((50, 70)),
            focus: None,
            specimen: None,
        },
        visit,
    );
    let _procedure = chart.procedure(c::ECHOCARDIOGRAPHY, visit, Some(c::I_HEART_FAILURE));
    let text = format!("Echocardiography. Left ventricular ejection fraction {percent} percent.");
    let _report = chart.report(
        ReportDetails {
            category: CARDIOLOGY_REPORT,
            code: c::EKG_STUDY,
            results: &[fraction],
            order: None,
            specimen: None,
            study: None,
            picture: None,
            conclusion: "Reduced ejection fraction",
            text: Some(&text),
        },
        visit,
    );
}

/// Visits every two months: weight and NT-proBNP rise before each admission and fall after it.
fn clinic(chart: &mut Chart, coverage: &str, failing: &str) {
    let mut on = date(2022, 6, 14);
    let mut number = 0;
    while on < TODAY {
        let before = |admitted: Date| on < admitted && plus_days(on, 75) > admitted;
        let worse = before(date(2024, 11, 18)) || before(date(2026, 2, 9));
        let mut details = clinic_visit(on, c::FOLLOW_UP, c::I_HEART_FAILURE);
        if number % 3 == 2 {
            details.by = &RUIZ;
        }
        let visit = chart.visit(details);
        let mut written = chart.vitals(
            &visit,
            Vitals {
                systolic: if worse { 142 } else { 124 },
                diastolic: 74,
                pulse: if worse { 92 } else { 68 },
                weight_hg: if worse { 861 } else { 822 },
                height_cm: 178,
            },
        );
        written.push(blood_work(chart, &visit, if worse { 4_850 } else { 1_120 }));
        let text = note(
            &visit,
            "Heart failure clinic.",
            if worse {
                "Swollen ankles, short of breath on stairs."
            } else {
                "No swelling, lungs clear."
            },
            if worse {
                "Furosemide doubled for five days."
            } else {
                "No change. Next visit in two months."
            },
        );
        written.push(chart.document(
            DocumentDetails {
                kind: c::PROGRESS_NOTE,
                title: "Cardiology progress note",
                text: &text,
            },
            &visit,
        ));
        if number % 2 == 0 {
            chart.bill(&visit, c::I_HEART_FAILURE, coverage, 23_400);
        }
        if number == 4 {
            let _flutter = chart.condition(ConditionDetails {
                category: ConditionCategory::HealthConcern,
                codes: &[c::I_FALL_RISK],
                onset: visit.day(),
                abated: None,
                visit: &visit,
            });
        }
        chart.provenance(&visit, &written);
        on = plus_days(on, 61);
        number += 1;
    }
    let _goal = chart.goal(GoalDetails {
        text: "Walk to the market and back",
        start: date(2025, 3, 1),
        due: date(2026, 12, 1),
        addresses: failing,
    });
}

fn blood_work(chart: &mut Chart, visit: &Visit, natriuretic: i64) -> String {
    let order = chart.order(c::LABORATORY_PROCEDURE, c::PANEL_METABOLIC, visit);
    let specimen = chart.specimen(c::SERUM, visit);
    let mut results = Vec::new();
    for (code, reading, usual) in [
        (c::NT_PRO_BNP, Reading::Quantity(natriuretic, 0, "pg/mL", "pg/mL"), (0, 450)),
        (c::CREATININE, Reading::Quantity(138, 2, "mg/dL", "mg/dL"), (74, 135)),
        (c::EGFR, Reading::Quantity(54, 0, "mL/min/1.73 m2", "mL/min/{1.73_m2}"), (60, 120)),
        (c::POTASSIUM, Reading::Quantity(46, 1, "mmol/L", "mmol/L"), (35, 51)),
        (c::SODIUM, Reading::Quantity(138, 0, "mmol/L", "mmol/L"), (136, 145)),
    ] {
        let mut details = lab(code, reading, Some(usual));
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
            conclusion: if natriuretic > 2000 {
                "NT-proBNP much raised"
            } else {
                "NT-proBNP stable"
            },
            text: None,
        },
        visit,
    )
}

fn admission(chart: &mut Chart, coverage: &str, on: Date, days: i64) {
    let emergency = chart.visit(VisitDetails {
        class: c::EMERGENCY,
        kind: c::EMERGENCY_ADMISSION,
        on,
        time: (2, 50),
        minutes: 240,
        by: &STONE,
        place: &EMERGENCY_ROOM,
        reason: Some(c::I_HEART_FAILURE_ACUTE),
    });
    let uid =
        if on.year() == 2024 { "1.2.840.99999999.71.2024" } else { "1.2.840.99999999.71.2026" };
    let study = chart.imaging_study(c::CHEST_XRAY, &emergency, uid);
    let order = chart.order(c::IMAGING_PROCEDURE, c::CHEST_XRAY_REPORT, &emergency);
    let _picture = chart.report(
        ReportDetails {
            category: RADIOLOGY,
            code: c::CHEST_XRAY_REPORT,
            results: &[],
            order: Some(&order),
            specimen: None,
            study: Some(&study),
            picture: None,
            conclusion: "Fluid in both lungs",
            text: Some("Chest, two views. Enlarged heart, fluid in both lungs."),
        },
        &emergency,
    );
    let stay = chart.visit(VisitDetails {
        class: c::INPATIENT,
        kind: c::HOSPITAL_ADMISSION,
        on,
        time: (7, 0),
        minutes: days * 24 * 60,
        by: &OKAFOR,
        place: &CARDIOLOGY,
        reason: Some(c::I_HEART_FAILURE_ACUTE),
    });
    let diagnosis = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes: &[c::I_HEART_FAILURE_ACUTE, c::S_HEART_FAILURE],
        onset: on,
        abated: Some(plus_days(on, days)),
        visit: &stay,
    });
    let text = note(
        &stay,
        "Short of breath at night.",
        "Fluid in both lungs; weight four kilograms above his usual.",
        "Home after diuresis. Daughter will help with daily weights.",
    );
    let summary = chart.document(
        DocumentDetails { kind: c::DISCHARGE_SUMMARY, title: "Discharge summary", text: &text },
        &stay,
    );
    chart.bill(&stay, c::I_HEART_FAILURE_ACUTE, coverage, 1_860_000);
    chart.provenance(&stay, &[diagnosis, summary]);
}

fn defibrillator(chart: &mut Chart, failing: &str) {
    let on = date(2024, 12, 16);
    let visit = chart.visit(clinic_visit(on, c::FOR_PROBLEM, c::I_HEART_FAILURE));
    let device = chart.implant(c::DEFIBRILLATOR, date(2024, 9, 2), "ICD-552301");
    let procedure = chart.procedure(
        Code::new("http://snomed.info/sct", "395218007", "Implantation of cardiac defibrillator"),
        &visit,
        Some(c::I_HEART_FAILURE),
    );
    echo(chart, &visit, 29);
    chart.provenance(&visit, &[device, procedure, failing.to_owned()]);
}

/// Genetics: a gene that could have explained his heart, tested at his children's wish.
fn gene_test(chart: &mut Chart) {
    let visit = chart.visit(clinic_visit(date(2025, 5, 6), c::CONSULTATION, c::I_HEART_FAILURE));
    let finding = chart.observation(
        lab(
            Code::new(
                "http://loinc.org",
                "53037-8",
                "Genetic variation clinical significance [Imp]",
            ),
            Reading::Words("No pathogenic variant in TTR"),
            None,
        ),
        &visit,
    );
    let _report = chart.report(
        ReportDetails {
            category: LAB,
            code: c::GENETIC_REPORT,
            results: &[finding],
            order: None,
            specimen: None,
            study: None,
            picture: None,
            conclusion: "No pathogenic variant found",
            text: None,
        },
        &visit,
    );
}

/// One observation on his chart that is about somebody else: a contact tested by infection control.
fn contact(chart: &mut Chart) {
    let visit = chart.visit(clinic_visit(date(2026, 1, 20), c::FOR_SYMPTOM, c::I_BRONCHITIS));
    let category = [ObservationCategory::Laboratory];
    let focus = format!("Patient/{}", people::MARIA_PATIENT);
    let _observation = chart.observation(
        ObservationDetails {
            profile: None,
            categories: &category,
            code: Code::new(
                "http://loinc.org", "80382-5",
                "Influenza virus A Ag [Presence] in Upper respiratory specimen by Rapid immunoassay",
            ),
            reading: Reading::Coded(c::POSITIVE),
            usual: None,
            focus: Some(&focus),
            specimen: None,
        },
        &visit,
    );
    let _condition = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes: &[c::I_BRONCHITIS, c::S_BRONCHITIS],
        onset: visit.day(),
        abated: Some(plus_days(visit.day(), 14)),
        visit: &visit,
    });
}

fn everyday(chart: &mut Chart) {
    let visit = chart.visit(VisitDetails {
        class: c::AMBULATORY,
        kind: c::GENERAL_EXAMINATION,
        on: date(2026, 6, 16),
        time: (8, 30),
        minutes: 40,
        by: &MOSS,
        place: &FAMILY_CLINIC,
        reason: Some(c::I_CHECK_UP),
    });
    chart.first_vitals(&visit, 178);
    let social = [ObservationCategory::SocialHistory];
    let survey = [ObservationCategory::Survey];
    for (profile, categories, code, reading) in [
        ("us-core-smokingstatus", &social, c::SMOKING, Reading::Coded(c::FORMER_SMOKER)),
        (
            "us-core-observation-occupation",
            &social,
            c::OCCUPATION,
            Reading::Words("Retired electrician"),
        ),
        ("us-core-observation-screening-assessment", &survey, c::FALLS, Reading::Count(1)),
    ] {
        let _observation = chart.observation(
            ObservationDetails {
                profile: Some(profile),
                categories,
                code,
                reading,
                usual: None,
                focus: None,
                specimen: None,
            },
            &visit,
        );
    }
    chart.allergy(AllergyDetails {
        substance: c::SULFONAMIDE,
        category: "medication",
        reaction: c::RASH,
        severity: "mild",
        since: date(1988, 1, 11),
    });
    for year in 2020..=2026 {
        chart.immunization(c::FLU, date(year, 10, 1), &RUIZ);
    }
    chart.immunization(c::PNEUMOCOCCAL, date(2020, 9, 15), &MOSS);
    chart.immunization(c::COVID, date(2021, 2, 9), &MOSS);
    let _colon = chart.procedure(c::COLONOSCOPY, &visit, None);
    chart.flag("Risk of falls: walks with a stick", date(2023, 2, 10));
    chart.family_history(("FTH", "father"), c::S_HEART_ATTACK, 58, visit.day());
    chart.appointment(at(plus_days(TODAY, 16), 10, 30), &OKAFOR, "booked", "Heart failure clinic");
    chart.message(
        at(date(2026, 10, 3), 7, 15),
        Sender::Patient,
        &OKAFOR,
        "My weight is up one kilogram since Thursday.",
    );
    chart.message(
        at(date(2026, 10, 3), 9, 40),
        Sender::Clinician,
        &OKAFOR,
        "Please take the second furosemide today and weigh again tomorrow.",
    );
}
