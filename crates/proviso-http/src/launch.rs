//! `/launch`: where a clinician starts an app with a patient (SMART App Launch, EHR launch).

use askama::Template;

use crate::frame::{Choice, Frame, Problem, Section, Visit};

/// One app that can be started from here.
#[derive(Debug, Clone)]
pub(crate) struct LaunchableApp {
    /// `client_id` and the number of the launch URI, as one value.
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) launch_uri: String,
}

/// One patient in care.
#[derive(Debug, Clone)]
pub(crate) struct LaunchablePatient {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// What was chosen so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaunchChoice {
    pub(crate) app: Option<String>,
    pub(crate) patient: Option<String>,
    pub(crate) encounter: String,
}

#[derive(Debug, Template)]
#[template(path = "launch.html")]
pub(crate) struct LaunchPage {
    frame: Frame,
    problems: Vec<Problem>,
    apps: Vec<Choice>,
    patients: Vec<Choice>,
    encounter: String,
}

impl LaunchPage {
    pub(crate) fn new(
        visit: &Visit,
        apps: &[LaunchableApp],
        patients: &[LaunchablePatient],
        chosen: &LaunchChoice,
        problems: Vec<Problem>,
    ) -> Self {
        let t = visit.texts();
        let apps = apps.iter().enumerate().map(|(number, app)| Choice {
            id: format!("app-{number}"),
            value: app.value.clone(),
            label: app.name.clone(),
            about: t.with("launch-address", &[("uri", &app.launch_uri)]),
            ticked: chosen.app.as_deref() == Some(app.value.as_str()),
        });
        let patients = patients.iter().map(|patient| Choice {
            id: format!("patient-{}", patient.id),
            value: patient.id.clone(),
            label: patient.name.clone(),
            about: String::new(),
            ticked: chosen.patient.as_deref() == Some(patient.id.as_str()),
        });
        Self {
            problems,
            apps: apps.collect(),
            patients: patients.collect(),
            encounter: chosen.encounter.clone(),
            frame: visit.frame(t.say("launch-title"), Section::Launch),
        }
    }
}
