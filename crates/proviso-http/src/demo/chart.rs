//! `/demo/launch`: the demonstration app Chart Lens, which a clinician starts from `/launch`.
//!
//! It runs the EHR launch of SMART App Launch 2.2 as any app would, reads once what it shows, and
//! keeps no token afterwards.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use proviso_core::time::At;

use super::Browsers;
use super::client::{AppError, Launch, Registered, SmartApp, random_text};
use super::records::CHART_KINDS;
use super::view::{KindAnswer, KindResult, KindView, Message, kind_view, name_of_patient};
use crate::cookie::{self, Keep};
use crate::frame::{FormTargets, Frame, Visit, page, see_other};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::visitor::Visitor;

const COOKIE: &str = "__Host-chart-lens";

/// The page on which the chart is shown.
const PAGE: &str = "/demo/chart";

// Only what the page shows, and only of the patient with whom the app was started.
static CHART_LENS: Registered = Registered {
    client_id: "chart-lens",
    scopes: "launch openid fhirUser patient/Patient.rs patient/Condition.rs \
         patient/AllergyIntolerance.rs patient/MedicationRequest.rs patient/Observation.rs",
    kinds: CHART_KINDS,
};

/// How the app stands.
#[derive(Debug, Clone)]
pub(crate) enum Chart {
    /// Nobody started it in this browser.
    Closed,
    /// Started; the answer to its request for access has not come.
    Launched(Launch),
    /// The clinician did not let it.
    Denied,
    /// Something went wrong; the error code of the answer.
    Failed { answer: String },
    /// It shows what it got.
    Open { patient: String, asked_at: At, kinds: Vec<KindResult> },
}

/// The app.
#[derive(Debug)]
pub(crate) struct ChartLens {
    smart: SmartApp,
    memory: Browsers<Chart>,
}

impl ChartLens {
    pub(crate) fn new(public_url: &str) -> Self {
        Self { smart: SmartApp::new(&CHART_LENS, public_url), memory: Browsers::default() }
    }

    /// The request under way in a browser to which an answer belongs.
    pub(crate) fn awaited(&self, headers: &HeaderMap, query: &str) -> Option<(String, Launch)> {
        let browser = cookie::read(headers, COOKIE)?;
        let Some(Chart::Launched(launch)) = self.memory.recall(&browser) else { return None };
        (parameter(query, "state").as_deref() == Some(launch.state.as_str()))
            .then_some((browser, launch))
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// `GET /demo/launch`: the EHR starts the app with `iss` and `launch`.
pub(crate) async fn launch(
    State(state): State<HttpState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    let chart = &demo.chart;
    let query = query.as_deref().unwrap_or("");
    // TRUST: whoever makes the address names the server to which the app would talk. It knows one,
    // and asks no other.
    let known = parameter(query, "iss").as_deref() == Some(chart.smart.fhir_base.as_str());
    let handle = parameter(query, "launch").filter(|handle| !handle.is_empty());
    let (true, Some(handle)) = (known, handle) else {
        return Problem::Launch.page(&visitor.visit);
    };
    let entropy = state.app.entropy();
    let (Some(browser), Some(launch)) = (random_text(entropy), Launch::new(entropy, Some(handle)))
    else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (next, to) = match chart.smart.authorization_url(&launch).await {
        Ok(url) => (Chart::Launched(launch), url),
        Err(error) => (Chart::Failed { answer: error.to_string() }, PAGE.to_owned()),
    };
    chart.memory.remember(&browser, next);
    let mut response = see_other(&to);
    if let Some(value) = cookie::write(COOKIE, &browser, Keep::WhileOpen) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// The answer to the request for access has come: fetches the chart.
pub(crate) async fn finish(
    state: &HttpState,
    chart: &ChartLens,
    browser: &str,
    launch: &Launch,
    query: &str,
) -> Response {
    let read = async {
        let access = chart.smart.redeem(launch, query).await?;
        let kinds = chart.smart.fetch_all(&access).await?;
        Ok(Chart::Open { patient: access.patient, asked_at: state.app.now(), kinds })
    };
    let outcome = match read.await {
        Ok(open) => open,
        Err(AppError::Denied) => Chart::Denied,
        Err(error) => Chart::Failed { answer: error.to_string() },
    };
    chart.memory.remember(browser, outcome);
    see_other(PAGE)
}

/// `GET /demo/chart`
pub(crate) async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    let known =
        cookie::read(&headers, COOKIE).and_then(|browser| demo.chart.memory.recall(&browser));
    let chart = known.unwrap_or(Chart::Closed);
    page(StatusCode::OK, &ChartPage::new(&visitor.visit, &chart), &FormTargets::Own)
}

#[derive(Debug, Template)]
#[template(path = "chart.html")]
pub(crate) struct ChartPage {
    frame: Frame,
    message: Option<Message>,
    open: bool,
    who: String,
    whose: String,
    /// What developers want to know, in technical words.
    technical: Vec<String>,
    asked: String,
    kinds: Vec<KindView>,
}

impl ChartPage {
    pub(crate) fn new(visit: &Visit, chart: &Chart) -> Self {
        let t = visit.texts();
        let mut page = Self {
            frame: visit.other_party_frame(t.say("demo-chart-title")),
            message: None,
            open: false,
            who: String::new(),
            whose: String::new(),
            asked: String::new(),
            technical: Vec::new(),
            kinds: Vec::new(),
        };
        match chart {
            Chart::Closed | Chart::Launched(_) => {}
            Chart::Denied => {
                page.message = Some(Message::new(visit, "care", "status", "demo-chart-denied"));
            }
            Chart::Failed { answer } => {
                page.message = Some(Message::new(visit, "bad", "alert", "demo-chart-failed"));
                page.technical = vec![answer.clone()];
            }
            Chart::Open { patient, asked_at, kinds } => {
                page.open = true;
                page.whose = match name_of_patient(kinds) {
                    Some(name) => t.with("demo-connected-for", &[("patient", name)]),
                    None => t.say("demo-connected-for-somebody"),
                };
                page.technical = vec![format!("patient: {patient}")];
                page.asked = t.with("demo-data-when", &[("at", &t.moment(*asked_at))]);
                // The patient is the heading, everything else is below it.
                page.who = kinds.first().map(who).unwrap_or_default();
                page.kinds = kinds
                    .iter()
                    .skip(1)
                    .map(|kind| kind_view(visit, kind, "demo-chart-kind-refused"))
                    .collect();
            }
        }
        page
    }
}

/// Name and birth date of the patient whose chart is open.
fn who(patient: &KindResult) -> String {
    let KindAnswer::Records { lines, .. } = &patient.answer else { return String::new() };
    let line = lines.first().map(|line| [line.name.as_str(), line.value.as_str()]);
    line.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}
