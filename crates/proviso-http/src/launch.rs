//! `/launch`: where a clinician starts an app with a patient (SMART App Launch, EHR launch).
//!
//! Two pages: the app and the patient, then, for who wants it, one of the patient's visits. Visits
//! are records, so the second page asks the data plane for them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::failure::Failure;
use proviso_app::launch::{LaunchOrder, LaunchRefusal};
use proviso_app::visits::{Visit as PatientVisit, VisitList, VisitsError};
use proviso_core::id::{ClientId, PatientId, ResourceId};
use proviso_core::time::At;

use crate::authorize::failed;
use crate::form::Form;
use crate::frame::{
    Choice, FormTargets, Frame, Menu, Problem, Section, Visit, menu_of, page, see_other,
};
use crate::problem::Problem as ErrorPage;
use crate::state::HttpState;
use crate::text::Texts;
use crate::visitor::Member;

/// One app that can be started from here.
#[derive(Debug, Clone)]
pub(crate) struct LaunchableApp {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// The addresses at which it can be started, its usual one first.
    pub(crate) launch_uris: Vec<String>,
}

impl LaunchableApp {
    /// The app at the address that a form names, if it is one of its own.
    fn at(&self, value: &str) -> Option<AppAt> {
        let (id, launch_uri) = value.split_once(' ')?;
        let own = id == self.id && self.launch_uris.iter().any(|uri| uri == launch_uri);
        own.then(|| AppAt {
            value: value.to_owned(),
            name: self.name.clone(),
            launch_uri: launch_uri.to_owned(),
        })
    }
}

/// One app at one of its addresses.
#[derive(Debug, Clone)]
pub(crate) struct AppAt {
    /// `client_id` and launch URI, as one value.
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) launch_uri: String,
}

/// One app as the page shows it: once, with its addresses below.
#[derive(Debug)]
pub(crate) struct AppChoice {
    id: String,
    name: String,
    about: String,
    addresses: Vec<Choice>,
}

impl AppChoice {
    fn new(visit: &Visit, number: usize, app: &LaunchableApp, chosen: Option<&str>) -> Self {
        let addresses = app.launch_uris.iter().enumerate().map(|(place, uri)| {
            // `client_id` and launch URI, as one value.
            let value = format!("{} {uri}", app.id);
            Choice {
                id: format!("app-{number}-{place}"),
                ticked: chosen == Some(value.as_str()),
                value,
                label: visit.texts().with("launch-address", &[("uri", uri)]),
                about: String::new(),
            }
        });
        Self {
            id: format!("app-{number}"),
            name: app.name.clone(),
            about: app.description.clone(),
            addresses: addresses.collect(),
        }
    }
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
}

#[derive(Debug, Template)]
#[template(path = "launch.html")]
pub(crate) struct LaunchPage {
    frame: Frame,
    problems: Vec<Problem>,
    apps: Vec<AppChoice>,
    patients: Vec<Choice>,
    /// Where emergencies are declared, for those who may.
    emergency: Option<&'static str>,
}

impl LaunchPage {
    pub(crate) fn new(
        visit: &Visit,
        apps: &[LaunchableApp],
        patients: &[LaunchablePatient],
        chosen: &LaunchChoice,
        emergency: Option<&'static str>,
        problems: Vec<Problem>,
    ) -> Self {
        let t = visit.texts();
        let app_choice = |(number, app)| AppChoice::new(visit, number, app, chosen.app.as_deref());
        let apps = apps.iter().enumerate().map(app_choice);
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
            emergency,
            frame: visit.frame(t.say("launch-title"), Section::Launch),
        }
    }
}

/// The app and the patient whose visit is being chosen.
#[derive(Debug, Clone)]
pub(crate) struct VisitOf<'a> {
    pub(crate) app: &'a AppAt,
    pub(crate) patient: &'a PatientId,
    pub(crate) patient_name: &'a str,
}

/// The second page: which of the patient's visits, or none.
#[derive(Debug, Template)]
#[template(path = "launch-visit.html")]
pub(crate) struct LaunchVisitPage {
    frame: Frame,
    problems: Vec<Problem>,
    intro: String,
    app: String,
    patient: String,
    visits: Vec<Choice>,
    note: Option<String>,
}

impl LaunchVisitPage {
    pub(crate) fn new(
        visit: &Visit,
        of: &VisitOf<'_>,
        list: &VisitList,
        problems: Vec<Problem>,
    ) -> Self {
        let t = visit.texts();
        let no_visit = Choice {
            id: "visit-none".to_owned(),
            value: String::new(),
            label: t.say("launch-visit-none"),
            about: String::new(),
            ticked: true,
        };
        let visits = list.newest_first.iter().map(|one| Choice {
            id: format!("visit-{}", one.id),
            value: one.id.to_string(),
            label: visit_label(t, one),
            about: String::new(),
            ticked: false,
        });
        let note = match (list.newest_first.is_empty(), list.cut) {
            (true, _) => Some("launch-visit-empty"),
            (false, true) => Some("launch-visit-cut"),
            (false, false) => None,
        };
        Self {
            frame: visit.frame(
                t.with("launch-visit-title", &[("patient", of.patient_name)]),
                Section::Launch,
            ),
            problems,
            intro: t.with("launch-visit-intro", &[("app", &of.app.name)]),
            app: of.app.value.clone(),
            patient: of.patient.to_string(),
            visits: core::iter::once(no_visit).chain(visits).collect(),
            note: note.map(|key| t.say(key)),
        }
    }
}

/// A visit by its kind and its beginning, as far as the record says either.
fn visit_label(t: Texts, visit: &PatientVisit) -> String {
    let what = visit.what.clone().unwrap_or_else(|| t.say("launch-visit-unnamed"));
    let when = match visit.start.as_deref() {
        None => t.say("launch-visit-undated"),
        // FHIR R4 dateTime: a time of day comes with a zone; a date alone has none to convert.
        Some(start) => match At::parse(start).filter(|_| start.contains('T')) {
            Some(at) => t.moment(at),
            None => start.to_owned(),
        },
    };
    t.with("launch-visit-label", &[("what", &what), ("when", &when)])
}

/// `GET /launch`
pub(crate) async fn show(State(state): State<HttpState>, member: Member) -> Response {
    if menu_of(member.signed_in.account.kind) != Menu::Launch {
        return ErrorPage::Forbidden.page(member.visit());
    }
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
    let targets = FormTargets::redirecting_to_any(
        apps.iter().flat_map(|app| &app.launch_uris).map(String::as_str),
    );
    let problems_shown = in_words(visit, problems);
    let (account, via) = (&member.signed_in.account, &member.visitor.via);
    let may = !state.app.emergency_reasons(account, via).is_empty();
    let emergency = may.then_some("/emergency");
    let view = LaunchPage::new(visit, &apps, &patients, chosen, emergency, problems_shown);
    page(status_of(problems), &view, &targets)
}

fn in_words(visit: &Visit, problems: &[(&'static str, &'static str)]) -> Vec<Problem> {
    let t = visit.texts();
    problems.iter().map(|(href, key)| Problem { href, text: t.say(key) }).collect()
}

/// A page that was sent back for correction is 422, so that tools see the difference.
const fn status_of(problems: &[(&'static str, &'static str)]) -> StatusCode {
    if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

type Offers = (Vec<LaunchableApp>, Vec<LaunchablePatient>);

async fn offers(state: &HttpState, member: &Member) -> Result<Offers, Failure> {
    let patients = state.app.candidates(&member.signed_in.account).await?;
    let patients = patients
        .into_iter()
        .map(|candidate| LaunchablePatient { id: candidate.patient, name: candidate.name });
    Ok((offered_apps(state).await?, patients.collect()))
}

pub(crate) async fn offered_apps(state: &HttpState) -> Result<Vec<LaunchableApp>, Failure> {
    let clients = state.app.clients_offered_to_staff().await?;
    let apps = clients.into_iter().map(|client| LaunchableApp {
        id: client.id.to_string(),
        name: client.name,
        description: client.description.unwrap_or_default(),
        launch_uris: client.launch_uris,
    });
    Ok(apps.collect())
}

/// `POST /launch`: starts the app with a launch of its own, or asks for the visit first.
pub(crate) async fn submit(State(state): State<HttpState>, member: Member, form: Form) -> Response {
    if menu_of(member.signed_in.account.kind) != Menu::Launch {
        return ErrorPage::Forbidden.page(member.visit());
    }
    let chosen = LaunchChoice {
        app: form.one("app").map(str::to_owned),
        patient: form.one("patient").map(str::to_owned),
    };
    let app = chosen.app.as_deref().and_then(|value| {
        let (client, launch_uri) = value.split_once(' ')?;
        Some((client.parse::<ClientId>().ok()?, launch_uri.to_owned()))
    });
    let patient = chosen.patient.as_deref().and_then(|id| id.parse::<PatientId>().ok());
    let mut problems = Vec::new();
    if app.is_none() {
        problems.push(("#app", "launch-missing-app"));
    }
    if patient.is_none() {
        problems.push(("#patient", "launch-missing-patient"));
    }
    let (Some((client, launch_uri)), Some(patient)) = (app, patient) else {
        return answer(&state, &member, &chosen, &problems).await;
    };
    let app = chosen.app.as_deref().unwrap_or_default();
    if form.one("step") == Some("visit") {
        return choose_visit(&state, &member, app, &patient, &[]).await;
    }
    // A visit that cannot be one is answered like one that is not to be had.
    let Ok(encounter) = visit_in(&form) else {
        return choose_visit(&state, &member, app, &patient, &[WRONG_VISIT]).await;
    };
    let order = LaunchOrder {
        client,
        launch_uri,
        patient: Some(patient.clone()),
        encounter,
        intent: None,
        emergency: None,
    };
    match state.app.start_launch(&member.signed_in, order, &member.visitor.via).await {
        Ok(Ok(url)) => see_other(&url),
        Ok(Err(LaunchRefusal::Visit)) => {
            choose_visit(&state, &member, app, &patient, &[WRONG_VISIT]).await
        }
        Ok(Err(LaunchRefusal::App | LaunchRefusal::Patient)) => {
            ErrorPage::Launch.page(member.visit())
        }
        Err(error) => not_started(member.visit(), &error),
    }
}

/// One and the same for a visit of another patient, a hidden, an absent and an impossible one.
const WRONG_VISIT: (&str, &str) = ("#visit", "launch-wrong-visit");

/// Which visit the form names: chosen from the list, or sent by a tool that knows its id.
fn visit_in(form: &Form) -> Result<Option<ResourceId>, WrongVisit> {
    let mut sent = form.all("encounter").map(str::trim);
    match (sent.next().unwrap_or(""), sent.next()) {
        ("", None) => Ok(None),
        (id, None) => id.parse().map(Some).map_err(|_| WrongVisit),
        (_, Some(_)) => Err(WrongVisit),
    }
}

/// The form names no possible visit.
#[derive(Debug)]
struct WrongVisit;

/// Shows the patient's visits. The look at them is in the log before this page is made; it names
/// the patient, whose name the page shows.
async fn choose_visit(
    state: &HttpState,
    member: &Member,
    app: &str,
    patient: &PatientId,
    problems: &[(&'static str, &'static str)],
) -> Response {
    let visit = member.visit();
    let found = async {
        let apps = offered_apps(state).await?;
        let Some(app) = apps.iter().find_map(|one| one.at(app)) else { return Ok(None) };
        let via = &member.visitor.via;
        let Ok(list) = state.app.visits_of(&member.signed_in, patient, via).await? else {
            return Ok(None);
        };
        Ok(Some((app, list, state.app.patient_name(patient).await?)))
    };
    match found.await {
        Ok(Some((app, list, patient_name))) => {
            let targets = FormTargets::redirecting_to(&app.launch_uri);
            let of = VisitOf { app: &app, patient, patient_name: &patient_name };
            let view = LaunchVisitPage::new(visit, &of, &list, in_words(visit, problems));
            page(status_of(problems), &view, &targets)
        }
        Ok(None) => ErrorPage::Launch.page(visit),
        Err(error) => not_started(visit, &error),
    }
}

fn not_started(visit: &Visit, error: &Failure) -> Response {
    if matches!(error, Failure::Visits(VisitsError::TooMany)) {
        ErrorPage::TooMany.page(visit)
    } else {
        failed(visit, error)
    }
}
