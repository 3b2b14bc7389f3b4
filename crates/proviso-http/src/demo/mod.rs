//! `/demo`: the demonstration app Glucose Coach.
//!
//! It is an app like any other: a public client that knows this server by its address alone and
//! shares nothing with it but HTTP. It runs in the same process so that a newcomer needs nothing
//! else installed; what it keeps is in its own memory and gone after a restart.

pub(crate) mod client;
pub(crate) mod records;
pub(crate) mod view;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use self::client::{Access, AppError, Launch, SmartApp};
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

/// The demonstration app.
#[derive(Debug)]
pub(crate) struct DemoApp {
    smart: SmartApp,
    memory: Mutex<HashMap<String, Memory>>,
}

impl DemoApp {
    pub(crate) fn new(public_url: &str) -> Self {
        Self { smart: SmartApp::new(public_url), memory: Mutex::default() }
    }

    fn recall(&self, browser: &str) -> Option<Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(browser).cloned()
    }

    fn remember(&self, browser: &str, what: Memory) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() >= BROWSERS_MAX && !memory.contains_key(browser) {
            memory.clear();
        }
        memory.insert(browser.to_owned(), what);
    }

    fn forget(&self, browser: &str) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(browser);
    }
}

/// `GET /demo`
pub(crate) async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Response {
    let Some(demo) = state.demo.as_deref() else { return StatusCode::NOT_FOUND.into_response() };
    let known = cookie::read(&headers, COOKIE).and_then(|browser| demo.recall(&browser));
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
    let (Ok(browser), Ok(request_state), Ok(verifier)) =
        (entropy.secret_bytes(), entropy.secret_bytes(), entropy.secret_bytes())
    else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let browser = URL_SAFE_NO_PAD.encode(browser);
    let launch = Launch {
        state: URL_SAFE_NO_PAD.encode(request_state),
        verifier: URL_SAFE_NO_PAD.encode(verifier),
    };
    let mut response = match demo.smart.authorization_url(&launch).await {
        Ok(url) => {
            demo.remember(&browser, Memory::Launched(launch));
            see_other(&url)
        }
        Err(error) => {
            demo.remember(&browser, Memory::Ended(failed(&error)));
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
    let browser = cookie::read(&headers, COOKIE);
    let launched = browser.as_deref().and_then(|browser| demo.recall(browser));
    let (Some(browser), Some(Memory::Launched(launch))) = (browser, launched) else {
        return see_other("/demo");
    };
    let outcome = match demo.smart.redeem(&launch, query.as_deref().unwrap_or("")).await {
        Ok(access) => look(&state, demo, access).await,
        Err(AppError::Denied) => Memory::Ended(DemoState::Denied),
        Err(error) => Memory::Ended(failed(&error)),
    };
    demo.remember(&browser, outcome);
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
    if let Some(Memory::Connected { access, .. }) = demo.recall(&browser) {
        let outcome = look(&state, demo, access).await;
        demo.remember(&browser, outcome);
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
        if let Some(Memory::Connected { access, .. }) = demo.recall(&browser) {
            demo.smart.give_back(&access).await;
        }
        demo.forget(&browser);
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
