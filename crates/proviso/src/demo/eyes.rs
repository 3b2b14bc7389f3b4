//! Maria is sent to have her eyes looked at: the referral, what was found, and the form before it.

use jiff::civil::date;

use super::chart::{
    Chart, DocumentDetails, ObservationCategory, ObservationDetails, RADIOLOGY, Reading,
    ReportDetails, Visit, VisitDetails, lab,
};
use super::codes::{self as c, Code};
use super::directory::{FAMILY_CLINIC, PATEL};

/// Writes all of it.
pub(super) fn chart(chart: &mut Chart, diabetes: &str) {
    let visit = chart.visit(VisitDetails {
        class: c::AMBULATORY,
        kind: c::FOLLOW_UP,
        on: date(2026, 4, 9),
        time: (11, 0),
        minutes: 40,
        by: &PATEL,
        place: &FAMILY_CLINIC,
        reason: Some(c::I_DIABETES),
    });
    let order = chart.referral(
        c::IMAGING_PROCEDURE,
        c::RETINAL_SCREENING,
        (c::I_DIABETES, diabetes),
        &visit,
    );
    let screening = chart.ordered_procedure(c::RETINAL_SCREENING, &order, diabetes, &visit);
    let mut written = findings(chart, &visit);
    let picture = chart.picture("Right eye, retina", &visit);
    written.push(chart.report(
        ReportDetails {
            category: RADIOLOGY,
            code: c::EYE_STUDY,
            results: &written,
            order: Some(&order),
            specimen: None,
            study: None,
            picture: Some(&picture),
            conclusion: "No diabetic retinopathy",
            text: Some("Both retinas seen well. No diabetic retinopathy."),
        },
        &visit,
    ));
    written.push(chart.letter(
        DocumentDetails {
            kind: c::CONSULT_NOTE,
            title: "Letter of the eye clinic",
            text: "Thank you for sending your patient. Both retinas are healthy. Please send her \
                   again in a year.",
        },
        &visit,
    ));
    written.extend([order, screening, picture]);
    written.extend(about_daily_life(chart, &visit));
    chart.provenance(&visit, &written);
}

const fn told<'a>(
    profile: &'static str,
    categories: &'a [ObservationCategory],
    code: Code,
    reading: Reading<'a>,
) -> ObservationDetails<'a> {
    let (usual, focus, specimen) = (None, None, None);
    ObservationDetails { profile: Some(profile), categories, code, reading, usual, focus, specimen }
}

fn findings(chart: &mut Chart, visit: &Visit) -> Vec<String> {
    let result = |code, reading| {
        told("us-core-observation-clinical-result", &[ObservationCategory::Exam], code, reading)
    };
    let pressure = Reading::Quantity(15, 0, "mm[Hg]", "mm[Hg]");
    let mut written: Vec<String> = [
        result(c::RETINA_RIGHT, Reading::Coded(c::NO_RETINOPATHY)),
        result(c::EYE_PRESSURE, pressure),
        result(c::EYE_FINDINGS, Reading::Words("Lenses clear, retinas without lesions.")),
    ]
    .into_iter()
    .map(|details| chart.observation(details, visit))
    .collect();
    written.push(chart.observation(lab(c::URINE_COLOR, Reading::Words("Yellow"), None), visit));
    written
}

/// What she wrote in the form, and what was made of it.
fn about_daily_life(chart: &mut Chart, visit: &Visit) -> Vec<String> {
    const SIMPLE: &str = "us-core-simple-observation";
    const SCREENING: &str = "us-core-observation-screening-assessment";
    let survey = [ObservationCategory::Survey];
    let activity = [ObservationCategory::Activity];
    let form = chart.intake_form(visit);
    let rests_on_form = (None, Some(form.as_str()));
    let steps = Reading::Quantity(6400, 0, "steps per day", "{steps}/d");
    let worry = told(SCREENING, &survey, c::FOOD_WORRY, Reading::Words("Not this year"));
    let member = chart.derived(worry, rests_on_form, visit);
    let falls = Reading::Quantity(0, 0, "falls", "{falls}");
    let panel = told(SCREENING, &survey, c::FALLS, falls);
    let written = vec![
        chart.derived(told(SIMPLE, &activity, c::STEPS, steps), rests_on_form, visit),
        chart.derived(
            told(SIMPLE, &activity, c::STEPS_AIDS, Reading::Coded(c::WALKS_UNAIDED)),
            rests_on_form,
            visit,
        ),
        chart.derived(
            told(SIMPLE, &survey, c::CHIEF_COMPLAINT, Reading::Words("None; sent for a check.")),
            rests_on_form,
            visit,
        ),
        chart.derived(
            told(SIMPLE, &survey, c::EYE_GLASSES, Reading::Flag(true)),
            rests_on_form,
            visit,
        ),
        chart.derived(panel, (Some(&member), None), visit),
    ];
    written.into_iter().chain([member, form]).collect()
}
