//! Any number of further patients, each with a history that hangs together.

use jiff::civil::{Date, date};

use super::calendar::{TODAY, age, at, plus_days};
use super::chart::{
    AllergyDetails, Chart, ConditionCategory, ConditionDetails, DocumentDetails, LAB,
    MedicationDetails, MoreAboutPatient, ObservationCategory, ObservationDetails, PatientDetails,
    Reading, Record, ReportDetails, Visit, VisitDetails, Vitals, lab, note,
};
use super::codes::{self as c, Code};
use super::directory::{
    BROOKS, Clinician, EMERGENCY_ROOM, FAMILY_CLINIC, HARBOR_HOUSE, MOSS, OKAFOR, Place, REED,
    STONE, TALK_ROOM, TEEN_CLINIC,
};
use super::random::Random;

const GIVEN_FEMALE: &[&str] = &[
    "Aisha", "Amara", "Beatriz", "Camila", "Dana", "Elena", "Fatima", "Gloria", "Hannah", "Imani",
    "Joan", "Keiko", "Lucia", "Mei", "Nora", "Olga", "Paula", "Rosa", "Sofia", "Tara", "Uma",
    "Vera", "Wanda", "Yara", "Zoe",
];
const GIVEN_MALE: &[&str] = &[
    "Ahmed", "Ben", "Carlos", "David", "Emil", "Felix", "George", "Hiro", "Ivan", "Jamal", "Karl",
    "Luis", "Mateo", "Noah", "Omar", "Pavel", "Quinn", "Rafael", "Samir", "Theo", "Umar", "Victor",
    "Walter", "Xavier", "Yusuf",
];
const FAMILY: &[&str] = &[
    "Abbott",
    "Begay",
    "Castillo",
    "Diaz",
    "Eriksen",
    "Flores",
    "Garcia",
    "Hughes",
    "Ibrahim",
    "Johnson",
    "Kim",
    "Lopez",
    "Martin",
    "Nguyen",
    "Ortiz",
    "Park",
    "Quintero",
    "Rivera",
    "Singh",
    "Torres",
    "Underwood",
    "Vargas",
    "Watson",
    "Xu",
    "Young",
    "Zimmer",
    "Bell",
    "Cruz",
    "Dubois",
    "Ellis",
    "Foster",
    "Grant",
    "Hayes",
    "Jensen",
    "Klein",
    "Lang",
    "Moreno",
    "Novak",
    "Owens",
    "Price",
];
const MIDDLE: &[&str] = &["Ana", "Lee", "Jo", "Ray", "Max", "Kim", "Sky", "Lou", "Ash", "Jay"];
const STREETS: &[&str] = &[
    "Agave Road",
    "Canyon Street",
    "Desert Lane",
    "Elm Street",
    "Ironwood Way",
    "Palo Verde Drive",
];
const RACES: &[(&str, &str)] = &[
    ("2106-3", "White"),
    ("2106-3", "White"),
    ("2106-3", "White"),
    ("2054-5", "Black or African American"),
    ("2028-9", "Asian"),
    ("1002-5", "American Indian or Alaska Native"),
];

/// A lasting illness: what it is called, what is taken for it.
struct Illness {
    codes: &'static [Code],
    medicine: Code,
    instruction: &'static str,
    from_age: i64,
    percent: i64,
}

const ILLNESSES: &[Illness] = &[
    Illness {
        codes: &[c::I_HYPERTENSION, c::S_HYPERTENSION],
        medicine: c::LISINOPRIL_10,
        instruction: "Take one tablet by mouth every morning",
        from_age: 38,
        percent: 42,
    },
    Illness {
        codes: &[c::I_DIABETES, c::S_DIABETES],
        medicine: c::METFORMIN_500,
        instruction: "Take one tablet by mouth twice a day with meals",
        from_age: 40,
        percent: 18,
    },
    Illness {
        codes: &[c::I_LIPIDS, c::S_LIPIDS],
        medicine: c::ATORVASTATIN_20,
        instruction: "Take one tablet by mouth every evening",
        from_age: 42,
        percent: 34,
    },
    Illness {
        codes: &[c::I_ASTHMA, c::S_ASTHMA],
        medicine: c::ALBUTEROL,
        instruction: "Two puffs when short of breath",
        from_age: 4,
        percent: 10,
    },
    Illness {
        codes: &[c::I_KNEE, c::S_KNEE],
        medicine: c::IBUPROFEN_200,
        instruction: "Take one tablet by mouth when in pain, at most three a day",
        from_age: 55,
        percent: 22,
    },
];

/// A complaint that passes.
const COMPLAINTS: &[(&[Code], i64, &str)] = &[
    (&[c::I_SORE_THROAT, c::S_SORE_THROAT], 10, "Sore throat for three days."),
    (&[c::I_BRONCHITIS, c::S_BRONCHITIS], 18, "Cough and a little fever."),
    (&[c::I_SINUSITIS, c::S_SINUSITIS], 14, "Blocked nose and pressure in the face."),
    (&[c::I_ANKLE, c::S_ANKLE], 30, "Twisted the right ankle on the stairs."),
    (&[c::I_URINARY, c::S_URINARY], 9, "Burning when passing water."),
    (&[c::I_BACK, c::S_BACK], 40, "Low back pain after lifting."),
    (&[c::I_REFLUX], 60, "Burning behind the breastbone after meals."),
];

struct Person {
    born: Date,
    female: bool,
    height_cm: i64,
    weight_hg: i64,
    systolic: i64,
    a1c: i64,
    illnesses: Vec<&'static Illness>,
    coverage: String,
}

impl Person {
    fn has(&self, problem: Code) -> bool {
        self.illnesses.iter().any(|illness| illness.codes.contains(&problem))
    }

    /// HbA1c in tenths of a percent: with diabetes, high at first and lower with every year of
    /// treatment.
    fn a1c_in_year(&self, year: i64) -> i64 {
        let treated = 5 * year.min(3);
        if self.has(c::I_DIABETES) { self.a1c + 28 - treated } else { self.a1c }
    }

    fn systolic_in_year(&self, year: i64) -> i64 {
        let treated = 7 * year.min(3);
        if self.has(c::I_HYPERTENSION) { self.systolic + 32 - treated } else { self.systolic }
    }
}

/// The id of a further patient, counted from 1.
pub fn patient_id(number: u32) -> String {
    format!("syn-{number:06}")
}

/// One further patient's chart, the same for the same seed and number.
pub(super) fn chart(seed: u64, number: u32) -> Vec<Record> {
    let mut random = Random::of(seed, u64::from(number));
    let female = random.chance(52);
    let given =
        random.pick(if female { GIVEN_FEMALE } else { GIVEN_MALE }).copied().unwrap_or("Alex");
    let family = random.pick(FAMILY).copied().unwrap_or("Lang");
    let mut chart = Chart::of(&patient_id(number), &format!("{given} {family}"));
    let person = write_person(&mut chart, &mut random, number, (given, family, female));
    let mut last: Option<Visit> = None;
    let years = age(person.born, TODAY);
    let mut illnesses = Vec::new();
    for (index, year) in (2021..=2026_i16).enumerate() {
        let month = i8::try_from(random.between(1, 9)).unwrap_or(5);
        let day = i8::try_from(random.between(1, 28)).unwrap_or(7);
        let visit = yearly_visit(&mut chart, &mut random, &person, date(year, month, day));
        if index == 0 {
            illnesses = begin_illnesses(&mut chart, &mut random, &person, &visit);
            allergy(&mut chart, &mut random);
        }
        if random.chance(45) {
            complaint(&mut chart, &mut random, &person, plus_days(visit.day(), 40));
        }
        last = Some(visit);
    }
    if let Some(visit) = &last {
        social_history(&mut chart, &mut random, years, visit);
        sensitive(&mut chart, &mut random, &person, years, visit.day());
        chart.provenance(visit, &illnesses);
    }
    if random.chance(40) {
        let day = plus_days(TODAY, random.between(5, 120));
        chart.appointment(at(day, 9, 0), &MOSS, "booked", "Yearly check-up");
    }
    chart.into_records()
}

fn write_person(
    chart: &mut Chart,
    random: &mut Random,
    number: u32,
    (given, family, female): (&str, &str, bool),
) -> Person {
    let born = plus_days(TODAY, -random.between(3 * 366, 91 * 365));
    let years = age(born, TODAY);
    let hispanic = random.chance(28);
    let middle = random.pick(MIDDLE).copied().unwrap_or("Lee");
    let street = random.pick(STREETS).copied().unwrap_or("Elm Street");
    chart.patient(&PatientDetails {
        given,
        middle,
        family,
        female,
        birth: born,
        race: random.pick(RACES).copied().unwrap_or(("2131-1", "Other Race")),
        hispanic,
        language: if hispanic && random.chance(40) { ("es", "Spanish") } else { ("en", "English") },
        street: &format!("{} {street}", random.between(10, 4999)),
        postal_code: &format!("850{:02}", random.between(1, 48)),
        phone: &format!("+1-480-555-{:04}", random.between(100, 199)),
        record_number: &format!("RH-{}", 200_000 + number),
        marital: (years >= 18)
            .then(|| if random.chance(55) { ("M", "Married") } else { ("S", "Never Married") }),
        died: None,
        doctor: &MOSS,
        more: MoreAboutPatient::default(),
    });
    let coverage = chart.coverage(date(2020, 1, 1), &format!("SM-{}", 5_000_000 + number));
    let grown = years.min(18);
    let height_cm = if female { 70 + grown * 5 + 3 } else { 72 + grown * 6 - 4 };
    let build = random.between(19, 33);
    Person {
        born,
        female,
        height_cm,
        weight_hg: build * height_cm * height_cm / 1000,
        systolic: 98 + years.min(60) * 5 / 10 + random.between(0, 16),
        a1c: 50 + random.between(0, 5),
        illnesses: ILLNESSES
            .iter()
            .filter(|illness| years >= illness.from_age && random.chance(illness.percent))
            .collect(),
        coverage,
    }
}

fn details(
    on: Date,
    kind: Code,
    by: &'static Clinician,
    place: &'static Place,
    reason: Code,
) -> VisitDetails {
    VisitDetails {
        class: c::AMBULATORY,
        kind,
        on,
        time: (10, 15),
        minutes: 25,
        by,
        place,
        reason: Some(reason),
    }
}

fn yearly_visit(chart: &mut Chart, random: &mut Random, person: &Person, on: Date) -> Visit {
    let child = age(person.born, on) < 18;
    let reason = if child { c::I_WELL_CHILD } else { c::I_CHECK_UP };
    let kind = if child { c::WELL_CHILD } else { c::GENERAL_EXAMINATION };
    let year = i64::from(on.year()) - 2021;
    let visit = chart.visit(details(on, kind, &MOSS, &FAMILY_CLINIC, reason));
    let mut written = chart.vitals(
        &visit,
        Vitals {
            systolic: person.systolic_in_year(year) + random.between(-5, 5),
            diastolic: 62 + random.between(0, 18),
            pulse: 66 + random.between(0, 20),
            weight_hg: person.weight_hg + random.between(-15, 15),
            height_cm: person.height_cm,
        },
    );
    if !child {
        written.push(blood_work(chart, random, person, &visit));
    }
    let text = note(
        &visit,
        "Yearly check-up.",
        "No new complaints. Examination unremarkable.",
        "Again in a year.",
    );
    written.push(chart.document(
        DocumentDetails { kind: c::HISTORY_NOTE, title: "History and physical note", text: &text },
        &visit,
    ));
    chart.bill(&visit, reason, &person.coverage, 15_000 + random.between(0, 9_000));
    if random.chance(65) {
        chart.immunization(c::FLU, plus_days(on, 12), &MOSS);
    }
    visit
}

fn blood_work(chart: &mut Chart, random: &mut Random, person: &Person, visit: &Visit) -> String {
    let mut results = Vec::new();
    // Average glucose in mg/dL from HbA1c (ADAG): 28.7 x A1c - 46.7.
    let a1c = person.a1c_in_year(i64::from(visit.day().year()) - 2021) + random.between(-2, 2);
    let glucose = (287 * a1c - 4670) / 100;
    for (code, reading, usual) in [
        (c::A1C, Reading::Quantity(a1c, 1, "%", "%"), (40, 56)),
        (
            c::GLUCOSE,
            Reading::Quantity(glucose + random.between(-12, 8), 0, "mg/dL", "mg/dL"),
            (70, 99),
        ),
        (
            c::CREATININE,
            Reading::Quantity(70 + random.between(0, 40), 2, "mg/dL", "mg/dL"),
            (57, 120),
        ),
        (
            c::CHOLESTEROL,
            Reading::Quantity(150 + random.between(0, 80), 0, "mg/dL", "mg/dL"),
            (0, 199),
        ),
        (
            c::HEMOGLOBIN,
            Reading::Quantity(128 + random.between(0, 25), 1, "g/dL", "g/dL"),
            (120, 160),
        ),
    ] {
        results.push(chart.observation(lab(code, reading, Some(usual)), visit));
    }
    chart.report(
        ReportDetails {
            category: LAB,
            code: c::PANEL_METABOLIC,
            results: &results,
            order: None,
            specimen: None,
            study: None,
            picture: None,
            conclusion: "See single results",
            text: None,
        },
        visit,
    )
}

fn begin_illnesses(
    chart: &mut Chart,
    random: &mut Random,
    person: &Person,
    visit: &Visit,
) -> Vec<String> {
    let mut written = Vec::new();
    for illness in &person.illnesses {
        let since = plus_days(visit.day(), -random.between(30, 2500));
        let condition = chart.condition(ConditionDetails {
            category: ConditionCategory::ProblemList,
            codes: illness.codes,
            onset: since,
            abated: None,
            visit,
        });
        written.push(chart.medication(MedicationDetails {
            medicine: illness.medicine,
            as_resource: None,
            reason: Some(&condition),
            instruction: illness.instruction,
            times_a_day: 1,
            stopped: false,
            visit,
        }));
        written.push(condition);
    }
    written
}

fn allergy(chart: &mut Chart, random: &mut Random) {
    if random.chance(25) {
        let substance = random.pick(&[c::PENICILLIN, c::SULFONAMIDE, c::ASPIRIN]).copied();
        chart.allergy(AllergyDetails {
            substance: substance.unwrap_or(c::PENICILLIN),
            category: "medication",
            reaction: c::RASH,
            severity: "mild",
            since: date(2015, 5, 5),
        });
    }
}

fn complaint(chart: &mut Chart, random: &mut Random, person: &Person, on: Date) {
    let Some((codes, days, words)) = random.pick(COMPLAINTS).copied() else { return };
    let Some(reason) = codes.first().copied() else { return };
    let visit = chart.visit(details(on, c::FOR_SYMPTOM, &MOSS, &FAMILY_CLINIC, reason));
    let _condition = chart.condition(ConditionDetails {
        category: ConditionCategory::EncounterDiagnosis,
        codes,
        onset: plus_days(on, -2),
        abated: Some(plus_days(on, days)),
        visit: &visit,
    });
    let text = note(
        &visit,
        words,
        "In keeping with the complaint.",
        "Rest. Come back if it does not pass.",
    );
    let _document = chart.document(
        DocumentDetails { kind: c::PROGRESS_NOTE, title: "Progress note", text: &text },
        &visit,
    );
    chart.bill(&visit, reason, &person.coverage, 9_800);
}

fn social_history(chart: &mut Chart, random: &mut Random, years: i64, visit: &Visit) {
    if years < 12 {
        return;
    }
    let answer = match random.between(1, 10) {
        1 => c::SMOKER,
        2 | 3 => c::FORMER_SMOKER,
        _ => c::NEVER_SMOKED,
    };
    let social = [ObservationCategory::SocialHistory];
    let _smoking = chart.observation(
        ObservationDetails {
            profile: Some("us-core-smokingstatus"),
            categories: &social,
            code: c::SMOKING,
            reading: Reading::Coded(answer),
            usual: None,
            focus: None,
            specimen: None,
        },
        visit,
    );
}

/// What some people would rather not tell everyone: every kind occurs in a large enough world.
fn sensitive(chart: &mut Chart, random: &mut Random, person: &Person, years: i64, last: Date) {
    let on = plus_days(last, 20);
    let adult = years >= 18;
    if adult && random.chance(12) {
        talking(chart, random, on);
    }
    if adult && random.chance(5) {
        chart.labelled(&[c::LABEL_SUD, c::LABEL_PART_2], |chart| {
            episode(
                chart,
                details(on, c::CONSULTATION, &REED, &HARBOR_HOUSE, c::I_ALCOHOL),
                &[c::I_ALCOHOL, c::S_ALCOHOL],
                None,
            );
        });
    }
    if adult {
        infections_and_genes(chart, random, on);
    }
    if person.female && (20..45).contains(&years) && random.chance(14) {
        let _visit = episode(
            chart,
            details(on, c::CONSULTATION, &MOSS, &FAMILY_CLINIC, c::I_PREGNANCY),
            &[c::I_PREGNANCY, c::S_PREGNANCY],
            None,
        );
    }
    if (17..60).contains(&years) && random.chance(4) {
        let visit = episode(
            chart,
            details(on, c::FOR_SYMPTOM, &MOSS, &FAMILY_CLINIC, c::I_CHLAMYDIA),
            &[c::I_CHLAMYDIA, c::S_CHLAMYDIA],
            Some(c::AZITHROMYCIN),
        );
        let _test =
            chart.observation(lab(c::CHLAMYDIA_TEST, Reading::Coded(c::POSITIVE), None), &visit);
    }
    if adult && random.chance(2) {
        let _visit = episode(
            chart,
            details(on, c::FOR_PROBLEM, &STONE, &EMERGENCY_ROOM, c::I_ABUSE),
            &[c::I_ABUSE, c::S_PARTNER_ABUSE],
            None,
        );
    }
    if person.female && (13..18).contains(&years) && random.chance(40) {
        chart.labelled(&[c::LABEL_ADOLESCENT], |chart| {
            episode(
                chart,
                details(on, c::CONSULTATION, &MOSS, &TEEN_CLINIC, c::I_CONTRACEPTION),
                &[c::I_CONTRACEPTION],
                None,
            );
        });
    }
    if adult && random.chance(3) {
        chart.labelled(&[c::LABEL_PATIENT_ASKED], |chart| {
            episode(
                chart,
                details(on, c::CONSULTATION, &MOSS, &FAMILY_CLINIC, c::I_BACK),
                &[c::I_BACK],
                None,
            );
        });
    }
}

fn infections_and_genes(chart: &mut Chart, random: &mut Random, on: Date) {
    if random.chance(3) {
        let visit = episode(
            chart,
            details(on, c::FOLLOW_UP, &OKAFOR, &FAMILY_CLINIC, c::I_HIV),
            &[c::I_HIV, c::S_HIV],
            Some(c::TENOFOVIR),
        );
        let _load = chart.observation(
            lab(c::HIV_LOAD, Reading::Quantity(20, 0, "copies/mL", "{copies}/mL"), Some((0, 20))),
            &visit,
        );
    }
    if random.chance(3) {
        let visit = episode(
            chart,
            details(on, c::CONSULTATION, &MOSS, &FAMILY_CLINIC, c::I_BRCA),
            &[c::I_BRCA],
            None,
        );
        let _test = chart.observation(lab(c::BRCA1, Reading::Words("c.68_69delAG"), None), &visit);
    }
}

/// One visit with its diagnosis and perhaps a medicine.
fn episode(
    chart: &mut Chart,
    visit: VisitDetails,
    codes: &[Code],
    medicine: Option<Code>,
) -> Visit {
    let visit = chart.visit(visit);
    let condition = chart.condition(ConditionDetails {
        category: ConditionCategory::ProblemList,
        codes,
        onset: visit.day(),
        abated: None,
        visit: &visit,
    });
    if let Some(medicine) = medicine {
        let _order = chart.medication(MedicationDetails {
            medicine,
            as_resource: None,
            reason: Some(&condition),
            instruction: "Take as explained",
            times_a_day: 1,
            stopped: false,
            visit: &visit,
        });
    }
    visit
}

fn talking(chart: &mut Chart, random: &mut Random, on: Date) {
    let anxious = random.chance(50);
    let codes: &[Code] = if anxious {
        &[c::I_ANXIETY, c::S_ANXIETY]
    } else {
        &[c::I_DEPRESSION_SINGLE, c::S_DEPRESSION]
    };
    let reason = if anxious { c::I_ANXIETY } else { c::I_DEPRESSION_SINGLE };
    let visit = episode(
        chart,
        details(on, c::CONSULTATION, &BROOKS, &TALK_ROOM, reason),
        codes,
        Some(c::SERTRALINE_50),
    );
    let survey = [ObservationCategory::Survey];
    let _score = chart.observation(
        ObservationDetails {
            profile: Some("us-core-observation-screening-assessment"),
            categories: &survey,
            code: if anxious { c::GAD_7 } else { c::PHQ_9 },
            reading: Reading::Quantity(random.between(8, 18), 0, "{score}", "{score}"),
            usual: None,
            focus: None,
            specimen: None,
        },
        &visit,
    );
    if random.chance(50) {
        chart.labelled(&[c::LABEL_PSYCHOTHERAPY], |chart| {
            let _document = chart.document(
                DocumentDetails {
                    kind: c::PSYCHIATRY_NOTE,
                    title: "Psychotherapy session note",
                    text: "Psychotherapy session note.\n\nKept apart from the medical record.\n",
                },
                &visit,
            );
        });
    }
}
