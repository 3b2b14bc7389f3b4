//! `/demo`: the demonstration apps, Glucose Coach for patients and Chart Lens ([`chart`]) for
//! clinicians.
//!
//! They are apps like any other: public clients that know this server by its address alone and
//! share nothing with it but HTTP. They run in the same process so that a newcomer needs nothing
//! else installed; what they keep is in their own memory and gone after a restart.

pub(crate) mod chart;
pub(crate) mod client;
pub(crate) mod records;
pub(crate) mod view;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use self::chart::ChartLens;
use self::client::{Access, AppError, Launch, Registered, SmartApp, random_text};
use self::records::COACH_KINDS;
use self::view::{DemoPage, DemoState};
use crate::cookie::{self, Keep};
use crate::form::Form;
use crate::frame::{FormTargets, page, see_other};
use crate::state::HttpState;
use crate::visitor::Visitor;

const COOKIE: &str = "__Host-glucose-coach";

// LIMIT: a demonstration on loopback has a handful of browsers; beyond this the store starts anew.
const BROWSERS_MAX: usize = 1000;

/// What the app remembers of one browser.
#[derive(Debug, Clone)]
enum Memory {
    /// Sent off to ask for access.
    Launched(Launch),
    /// Has access; what it got last.
    Connected { access: Access, state: DemoState },
    /// Has none, for a reason worth telling.
    Ended(DemoState),
}

static COACH: Registered = Registered {
    client_id: "glucose-coach",
    scopes: "launch/patient openid fhirUser offline_access patient/Patient.rs \
         patient/AllergyIntolerance.rs patient/Condition.rs patient/MedicationRequest.rs \
         patient/Observation.rs patient/Immunization.rs patient/Encounter.rs",
    kinds: COACH_KINDS,
};

/// What an app remembers, by browser.
#[derive(Debug)]
struct Browsers<T>(Mutex<HashMap<String, T>>);

impl<T> Default for Browsers<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Browsers<T> {
    fn recall(&self, browser: &str) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(browser).cloned()
    }

    fn remember(&self, browser: &str, what: T) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() >= BROWSERS_MAX && !memory.contains_key(browser) {
            memory.clear();
        }
        memory.insert(browser.to_owned(), what);
    }

    fn forget(&self, browser: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(browser);
    }
}

/// The demonstration apps.
#[derive(Debug)]
pub(crate) struct DemoApp {
    smart: SmartApp,
    memory: Browsers<Memory>,
    chart: ChartLens,
}

impl DemoApp {
    pub(crate) fn new(public_url: &str) -> Self {
        Self {
            smart: SmartApp::new(&COACH, public_url),
            memory: Browsers::default(),
            chart: ChartLens::new(public_url),
        }
    }
}

/// `GET /demo`
pub(crate) async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    let known = cookie::read(&headers, COOKIE).and_then(|browser| demo.memory.recall(&browser));
    let view = match known {
        None | Some(Memory::Launched(_)) => DemoState::NotConnected,
        Some(Memory::Connected { state, .. } | Memory::Ended(state)) => state,
    };
    page(StatusCode::OK, &DemoPage::new(&visitor.visit, &view), &FormTargets::Own)
}

/// `POST /demo/launch`: asks the server for access (SMART standalone launch).
pub(crate) async fn launch(State(state): State<HttpState>, _: Form) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    let entropy = state.app.entropy();
    let (Some(browser), Some(launch)) = (random_text(entropy), Launch::new(entropy, None)) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut response = match demo.smart.authorization_url(&launch).await {
        Ok(url) => {
            demo.memory.remember(&browser, Memory::Launched(launch));
            see_other(&url)
        }
        Err(error) => {
            demo.memory.remember(&browser, Memory::Ended(failed(&error)));
            see_other("/demo")
        }
    };
    if let Some(value) = cookie::write(COOKIE, &browser, Keep::WhileOpen) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// `GET /demo/callback`: the answer to the request for access.
pub(crate) async fn callback(
    State(state): State<HttpState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    let query = query.as_deref().unwrap_or("");
    // Both apps have this one address; the request under way tells whose answer it is.
    if let Some((browser, launch)) = demo.chart.awaited(&headers, query) {
        return chart::finish(&state, &demo.chart, &browser, &launch, query).await;
    }
    let browser = cookie::read(&headers, COOKIE);
    let launched = browser.as_deref().and_then(|browser| demo.memory.recall(browser));
    let (Some(browser), Some(Memory::Launched(launch))) = (browser, launched) else {
        return see_other("/demo");
    };
    let outcome = match demo.smart.redeem(&launch, query).await {
        Ok(access) => look(&state, demo, access).await,
        Err(AppError::Denied) => Memory::Ended(DemoState::Denied),
        Err(error) => Memory::Ended(failed(&error)),
    };
    demo.memory.remember(&browser, outcome);
    see_other("/demo")
}

/// `POST /demo/refresh`: asks for the data again; this is where a stop shows.
pub(crate) async fn ask_again(
    State(state): State<HttpState>,
    headers: HeaderMap,
    _: Form,
) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    let Some(browser) = cookie::read(&headers, COOKIE) else { return see_other("/demo") };
    if let Some(Memory::Connected { access, .. }) = demo.memory.recall(&browser) {
        let outcome = look(&state, demo, access).await;
        demo.memory.remember(&browser, outcome);
    }
    see_other("/demo")
}

/// `POST /demo/forget`: the app gives its access back and forgets everything.
pub(crate) async fn forget(
    State(state): State<HttpState>,
    headers: HeaderMap,
    _: Form,
) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    if let Some(browser) = cookie::read(&headers, COOKIE) {
        if let Some(Memory::Connected { access, .. }) = demo.memory.recall(&browser) {
            demo.smart.give_back(&access).await;
        }
        demo.memory.forget(&browser);
    }
    let mut response = see_other("/demo");
    if let Some(value) = cookie::write(COOKIE, "", Keep::Remove) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Fetches everything the app cares for; renews its access once when that has run out.
async fn look(state: &HttpState, demo: &DemoApp, access: Access) -> Memory {
    let first = demo.smart.fetch_all(&access).await;
    let (access, result) = match first {
        Err(AppError::Refused(answer)) => match demo.smart.renew(&access).await {
            Ok(renewed) => {
                let again = demo.smart.fetch_all(&renewed).await;
                (renewed, again)
            }
            Err(AppError::NothingToRenew) => (access, Err(AppError::Refused(answer))),
            Err(error) => (access, Err(error)),
        },
        other => (access, other),
    };
    match result {
        Ok(kinds) => {
            let state = DemoState::Connected {
                patient: access.patient.clone(),
                scope_text: access.scope.clone(),
                asked_at: state.app.now(),
                kinds,
            };
            Memory::Connected { access, state }
        }
        Err(AppError::Refused(answer)) => Memory::Ended(DemoState::Refused { answer }),
        Err(error) => Memory::Ended(failed(&error)),
    }
}

fn failed(error: &AppError) -> DemoState {
    DemoState::Failed { answer: error.to_string() }
}
