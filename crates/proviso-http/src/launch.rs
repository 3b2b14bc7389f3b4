//! `/launch`: where a clinician starts an app with a patient (SMART App Launch, EHR launch).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::failure::Failure;
use proviso_app::launch::LaunchOrder;
use proviso_core::id::{ClientId, PatientId, ResourceId};

use crate::authorize::failed;
use crate::form::Form;
use crate::frame::{
    Choice, FormTargets, Frame, Menu, Problem, Section, Visit, menu_of, page, see_other,
};
use crate::problem::Problem as ErrorPage;
use crate::state::HttpState;
use crate::visitor::Member;

/// One app that can be started from here.
#[derive(Debug, Clone)]
pub(crate) struct LaunchableApp {
    /// `client_id` and launch URI, as one value.
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) launch_uri: String,
}

/// One patient in care.
#[derive(Debug, Clone)]
pub(crate) struct LaunchablePatient {
    pub(crate) id: PatientId,
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
            value: patient.id.to_string(),
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

/// `GET /launch`
pub(crate) async fn show(State(state): State<HttpState>, member: Member) -> Response {
    answer(&state, &member, &LaunchChoice::default(), &[]).await
}

/// Shows the page with what can be started and for whom.
async fn answer(
    state: &HttpState,
    member: &Member,
    chosen: &LaunchChoice,
    problems: &[(&'static str, &'static str)],
) -> Response {
    let visit = member.visit();
    if menu_of(member.signed_in.account.kind) != Menu::Launch {
        return ErrorPage::Forbidden.page(visit);
    }
    let found = offers(state, member).await;
    let (apps, patients) = match found {
        Ok(found) => found,
        Err(error) => return failed(visit, &error),
    };
    // Without an app the page shows no names either.
    if !apps.is_empty() {
        let shown = patients.iter().map(|patient| patient.id.clone()).collect();
        let via = &member.visitor.via;
        if let Err(error) =
            state.app.log_names_shown(&member.signed_in, shown, None, "launch", via).await
        {
            return failed(visit, &error);
        }
    }
    let t = visit.texts();
    let status =
        if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let problems = problems.iter().map(|(href, key)| Problem { href, text: t.say(key) }).collect();
    let targets = FormTargets::redirecting_to_any(apps.iter().map(|app| app.launch_uri.as_str()));
    page(status, &LaunchPage::new(visit, &apps, &patients, chosen, problems), &targets)
}

type Offers = (Vec<LaunchableApp>, Vec<LaunchablePatient>);

async fn offers(state: &HttpState, member: &Member) -> Result<Offers, Failure> {
    let clients = state.app.launchable_clients().await?;
    let apps = clients.into_iter().flat_map(|client| {
        let id = client.id;
        let name = client.name;
        client.launch_uris.into_iter().map(move |launch_uri| LaunchableApp {
            value: format!("{id} {launch_uri}"),
            name: name.clone(),
            launch_uri,
        })
    });
    let patients = state.app.candidates(&member.signed_in.account).await?;
    let patients = patients
        .into_iter()
        .map(|candidate| LaunchablePatient { id: candidate.patient, name: candidate.name });
    Ok((apps.collect(), patients.collect()))
}

/// `POST /launch`: starts the app with a launch of its own.
pub(crate) async fn submit(State(state): State<HttpState>, member: Member, form: Form) -> Response {
    let chosen = LaunchChoice {
        app: form.one("app").map(str::to_owned),
        patient: form.one("patient").map(str::to_owned),
        encounter: form.one("encounter").unwrap_or("").trim().to_owned(),
    };
    let app = chosen.app.as_deref().and_then(|value| {
        let (client, launch_uri) = value.split_once(' ')?;
        Some((client.parse::<ClientId>().ok()?, launch_uri.to_owned()))
    });
    let patient = chosen.patient.as_deref().and_then(|id| id.parse::<PatientId>().ok());
    let encounter = match chosen.encounter.as_str() {
        "" => Ok(None),
        id => id.parse::<ResourceId>().map(Some),
    };
    let mut problems = Vec::new();
    if app.is_none() {
        problems.push(("#app", "launch-missing-app"));
    }
    if patient.is_none() {
        problems.push(("#patient", "launch-missing-patient"));
    }
    if encounter.is_err() {
        problems.push(("#encounter", "launch-bad-encounter"));
    }
    let (Some((client, launch_uri)), Some(patient), Ok(encounter)) = (app, patient, encounter)
    else {
        return answer(&state, &member, &chosen, &problems).await;
    };
    let order = LaunchOrder { client, launch_uri, patient: Some(patient), encounter, intent: None };
    match state.app.start_launch(&member.signed_in, order, &member.visitor.via).await {
        Ok(Ok(url)) => see_other(&url),
        Ok(Err(_)) => ErrorPage::Launch.page(member.visit()),
        Err(error) => failed(member.visit(), &error),
    }
}
