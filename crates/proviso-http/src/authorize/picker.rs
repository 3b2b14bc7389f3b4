//! The page on which a person who acts for somebody chooses whose records a request is about.

use askama::Template;

use crate::frame::{Choice, Frame, Section, Visit};

/// One person whose records the signed-in person may share or open.
#[derive(Debug, Clone)]
pub(crate) struct PickablePatient {
    pub(crate) patient: String,
    pub(crate) name: String,
    pub(crate) relation: Relation,
}

/// How the signed-in person relates to a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The same person.
    You,
    /// The signed-in person acts for the patient.
    ActingFor,
    /// The patient is in the signed-in person's care.
    InCare,
}

#[derive(Debug, Template)]
#[template(path = "picker.html")]
pub(crate) struct PickerPage {
    frame: Frame,
    problem: Option<String>,
    first_id: String,
    intro: String,
    action: String,
    patients: Vec<Choice>,
}

/// Whether the person sent the form without a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PickerState {
    Fresh,
    NothingChosen,
}

impl PickerPage {
    pub(crate) fn new(
        visit: &Visit,
        app: &str,
        action: String,
        patients: &[PickablePatient],
        state: PickerState,
    ) -> Self {
        let t = visit.texts();
        let choice = |patient: &PickablePatient| {
            let key = match patient.relation {
                Relation::You => "picker-you",
                Relation::ActingFor => "picker-acting",
                Relation::InCare => "picker-patient",
            };
            Choice {
                id: format!("patient-{}", patient.patient),
                value: patient.patient.clone(),
                label: t.with(key, &[("name", &patient.name)]),
                about: String::new(),
                ticked: false,
            }
        };
        let patients: Vec<Choice> = patients.iter().map(choice).collect();
        Self {
            frame: visit.frame(t.say("picker-title"), Section::None),
            problem: (state == PickerState::NothingChosen).then(|| t.say("picker-missing")),
            first_id: patients.first().map_or_else(|| "main".to_owned(), |first| first.id.clone()),
            intro: t.with("picker-intro", &[("app", app)]),
            action,
            patients,
        }
    }
}
