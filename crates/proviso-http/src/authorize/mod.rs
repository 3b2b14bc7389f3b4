//! `/oauth/authorize` and the pages behind it: sign in, pick, decide.
//!
//! A request is stored before anything else and has an address of its own,
//! `/oauth/authorize/{request}`; pages are computed from what is stored, so that loading one again
//! or changing its language asks nothing anew.

pub(crate) mod answer;
pub(crate) mod consent;
pub(crate) mod operational;
pub(crate) mod picker;

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use proviso_app::authorize::{ConsentModel, OperationalModel, PageRefusal, PatientRelation, Step};
use proviso_app::failure::Failure;
use proviso_core::consent::{Capacity, OfflineAccess};
use proviso_core::id::AuthorizationRequestId;
use proviso_oauth::params::{Params, append};
use proviso_oauth::record::Client;

use self::consent::{AppFacts, ConsentPage, ConsentRequest, Decider, Ticked};
use self::operational::{OperationalPage, OperationalRequest};
use self::picker::{PickablePatient, PickerPage, PickerState, Relation};
use crate::form::{BodyError, Form, is_form, read_body};
use crate::frame::{FormTargets, Problem as FieldProblem, Visit, page, see_other};
use crate::portal::who::Losing;
use crate::problem::Problem;
use crate::state::HttpState;
use crate::visitor::{Visitor, sign_in_address};

/// The address of a stored request.
fn address_of(request: &AuthorizationRequestId) -> String {
    format!("/oauth/authorize/{request}")
}

/// `GET /oauth/authorize`: a request to connect arrives.
pub(crate) async fn begin(
    State(state): State<HttpState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let visit = &visitor.visit;
    if let Some(turned_away) = too_many(&state, &visitor) {
        return turned_away;
    }
    let params = match Params::parse_with_repeats(query.unwrap_or_default().as_bytes()) {
        Ok(params) => params,
        Err(error) => return Problem::Authorize.page_with(visit, Some(error.to_string())),
    };
    let signed_in = visitor.signed_in.as_ref();
    let begun =
        state.app.begin_authorization(&params, &visitor.browser, signed_in, &visitor.via).await;
    match begun {
        Ok(step) => leave_query(visit, step),
        Err(error) => failed(visit, &error),
    }
}

/// Turns away an address from which strangers send requests without end.
fn too_many(state: &HttpState, visitor: &Visitor) -> Option<Response> {
    if visitor.signed_in.is_some() {
        return None;
    }
    let address = visitor.via.network.as_deref()?.parse().ok()?;
    let at = state.app.now();
    let Some(wait) = state.strangers.wait_secs(address, at) else {
        state.strangers.count(address, at);
        return None;
    };
    let mut response = Problem::TooMany.page(&visitor.visit);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    Some(response)
}

/// Answers the first request: whatever shows a page does so at the stored request's own address.
fn leave_query(visit: &Visit, step: Step) -> Response {
    match step {
        Step::Refused { why, return_link } => refused(visit, why, return_link),
        Step::Return { url } => see_other(&url),
        Step::SignIn { request, .. } => see_other(&sign_in_address(&address_of(&request))),
        Step::PickPatient { request, .. } => see_other(&address_of(&request)),
        Step::Consent(model) => see_other(&address_of(&model.request)),
        Step::Operational(model) => see_other(&address_of(&model.request)),
    }
}

/// `POST /oauth/authorize` (SMART `authorize-post`): the same request, sent as a form.
///
/// It comes from the app's own site, so the browser leaves out our cookies (`SameSite=Lax`). Sent
/// on as a GET, it arrives as a navigation of its own, with them: both ways end up the same.
pub(crate) async fn begin_by_form(visitor: Visitor, request: Request) -> Response {
    let visit = visitor.visit.clone();
    if !is_form(request.headers()) {
        return Problem::MediaType.page(&visit);
    }
    let query = request.uri().query().unwrap_or("").to_owned();
    let body = match read_body(request).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => return Problem::TooLarge.page(&visit),
        Err(BodyError::Broken) => return Problem::Form.page(&visit),
    };
    let mut sent = body.to_vec();
    if !query.is_empty() {
        sent.push(b'&');
        sent.extend_from_slice(query.as_bytes());
    }
    // Re-encoded pair by pair: whatever bytes came, a header can carry them afterwards.
    let mut encoded = String::new();
    for pair in sent.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(halves.next().unwrap_or_default());
        let value = decoded(halves.next().unwrap_or_default());
        let Ok(name) = String::from_utf8(name) else { continue };
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        append(&mut encoded, &name, &value);
    }
    // LIMIT: the address it becomes must itself be acceptable.
    if encoded.len() > 7 * 1024 {
        return Problem::TooLarge.page(&visit);
    }
    see_other(&format!("/oauth/authorize?{encoded}"))
}

/// Undoes form encoding, byte for byte, as [`Params`] does.
fn decoded(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (*first, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let digits = [char::from(*high).to_digit(16), char::from(*low).to_digit(16)];
                if let [Some(high), Some(low)] = digits
                    && let Ok(byte) = u8::try_from(high * 16 + low)
                {
                    out.push(byte);
                    rest = after;
                } else {
                    out.push(b'%');
                }
            }
            (byte, _) => out.push(byte),
        }
    }
    out
}

/// `GET /oauth/authorize/{request}`
pub(crate) async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    Path(request): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let visit = &visitor.visit;
    let Ok(id) = request.parse::<AuthorizationRequestId>() else {
        return Problem::NotFound.page(visit);
    };
    let query = Form::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    match next_step(&state, &visitor, &id).await {
        Ok(step) => {
            let tick_all = query.one("tick") == Some("all");
            render(&state, &visitor, step, &mut Shown { tick_all, ..Shown::default() }).await
        }
        Err(error) => failed(visit, &error),
    }
}

async fn next_step(
    state: &HttpState,
    visitor: &Visitor,
    id: &AuthorizationRequestId,
) -> Result<Step, Failure> {
    let signed_in = visitor.signed_in.as_ref();
    state.app.continue_authorization(id, &visitor.browser, signed_in, &visitor.via).await
}

/// What a page is shown with, beside its model.
#[derive(Debug, Default)]
struct Shown {
    tick_all: bool,
    ticked: Option<Ticked>,
    problems: Vec<FieldProblem>,
    picker: Option<PickerState>,
    /// What the app could see by what is ticked.
    preview: Option<Losing>,
}

/// Shows what comes next.
async fn render(state: &HttpState, visitor: &Visitor, step: Step, shown: &mut Shown) -> Response {
    let visit = &visitor.visit;
    let problems = || {
        let copy = |it: &FieldProblem| FieldProblem { href: it.href, text: it.text.clone() };
        shown.problems.iter().map(copy).collect::<Vec<_>>()
    };
    match step {
        Step::Refused { why, return_link } => refused(visit, why, return_link),
        Step::Return { url } => see_other(&url),
        Step::SignIn { request, .. } => see_other(&sign_in_address(&address_of(&request))),
        Step::PickPatient { request, client, candidates } => {
            // The step is only ever computed for somebody; without them no name is shown.
            let Some(person) = &visitor.signed_in else { return Problem::Unavailable.page(visit) };
            let shown_names = candidates.iter().map(|it| it.patient.clone()).collect();
            let logged = state
                .app
                .log_names_shown(
                    person,
                    shown_names,
                    Some(&client.id),
                    "patient-picker",
                    &visitor.via,
                )
                .await;
            if let Err(error) = logged {
                return failed(visit, &error);
            }
            let targets = targets_of(state, &request).await;
            let patients: Vec<PickablePatient> = candidates
                .into_iter()
                .map(|candidate| PickablePatient {
                    patient: candidate.patient.to_string(),
                    name: candidate.name,
                    relation: match candidate.relation {
                        PatientRelation::Own => Relation::You,
                        PatientRelation::ActingFor => Relation::ActingFor,
                        PatientRelation::InCare => Relation::InCare,
                    },
                })
                .collect();
            let picker = shown.picker.unwrap_or(PickerState::Fresh);
            let action = address_of(&request);
            let view = PickerPage::new(visit, &client.name, action, &patients, picker);
            page(status_of(picker == PickerState::NothingChosen), &view, &targets)
        }
        Step::Consent(model) => {
            let targets = targets_of(state, &model.request).await;
            let request = consent_request(state, &model);
            let ticked = shown.ticked.clone().unwrap_or_else(|| Ticked {
                categories: if shown.tick_all { model.categories } else { model.preselected },
                ..Ticked::default()
            });
            let mut view = ConsentPage::new(visit, &request, &ticked, problems());
            view.preview = shown.preview.take();
            page(status_of(!shown.problems.is_empty()), &view, &targets)
        }
        Step::Operational(model) => {
            let targets = targets_of(state, &model.request).await;
            let view = OperationalPage::new(visit, &operational_request(&model));
            page(StatusCode::OK, &view, &targets)
        }
    }
}

/// A page that was sent back for correction is 422, so that tools see the difference.
const fn status_of(wrong: bool) -> StatusCode {
    if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}

/// Chromium applies `form-action` to the redirects after a form, and the answer to these pages is
/// a redirect to the app: its origin must be allowed, and no other.
async fn targets_of(state: &HttpState, request: &AuthorizationRequestId) -> FormTargets {
    match state.app.store().authorization_request(request).await {
        Ok(Some(request)) => FormTargets::redirecting_to(&request.requested.redirect_uri),
        Ok(None) | Err(_) => FormTargets::Own,
    }
}

fn app_facts(client: &Client, returns_to: &str) -> AppFacts {
    AppFacts {
        name: client.name.clone(),
        description: client.description.clone(),
        site: client.client_uri.clone(),
        policy: client.policy_uri.clone(),
        terms: client.tos_uri.clone(),
        contacts: client
            .contacts
            .iter()
            .map(|contact| contact.strip_prefix("mailto:").unwrap_or(contact).to_owned())
            .collect(),
        returns_to: returns_to.to_owned(),
    }
}

fn consent_request(state: &HttpState, model: &ConsentModel) -> ConsentRequest {
    ConsentRequest {
        app: app_facts(&model.client, &model.returns_to),
        patient_name: model.patient_name.clone(),
        decider: match model.capacity {
            Capacity::Patient => Decider::Patient,
            Capacity::Proxy | Capacity::LegalAuthority => Decider::Proxy,
        },
        purpose: model.purpose,
        categories: model.categories,
        sensitive: model.sensitive,
        write: model.writes.into(),
        delete: model.deletes.into(),
        identity: model.identity.into(),
        offline: (model.offline == OfflineAccess::Allowed).into(),
        scope_text: model.scope_text.clone(),
        terms_uri: model.policy_uri.clone(),
        action: address_of(&model.request),
        at: state.app.now(),
    }
}

fn operational_request(model: &OperationalModel) -> OperationalRequest {
    OperationalRequest {
        app: app_facts(&model.client, &model.returns_to),
        patient_name: model.patient_name.clone(),
        encounter: model.encounter.as_ref().map(ToString::to_string),
        emergency_until: model.emergency_until,
        view: model.view,
        write: model.write,
        scope_text: model.scope_text.clone(),
        action: address_of(&model.request),
    }
}

fn refused(visit: &Visit, why: PageRefusal, return_link: Option<String>) -> Response {
    match why {
        PageRefusal::Ended | PageRefusal::OtherBrowser | PageRefusal::ChangedElsewhere => {
            Problem::RequestGone.page(visit)
        }
        // The detail is for the makers of the app, hence in the language of the standards.
        PageRefusal::Request(_) | PageRefusal::App(_) => {
            Problem::Authorize.page_with_return(visit, Some(why.to_string()), return_link)
        }
    }
}

pub(crate) fn failed(visit: &Visit, error: &dyn std::error::Error) -> Response {
    let source = error.source().map(ToString::to_string);
    tracing::error!(%error, ?source, request = %visit.request, "a page could not be served");
    Problem::Unavailable.page(visit)
}

/// The app that waits behind a sign-in page.
#[derive(Debug)]
pub(crate) struct WaitingApp {
    pub(crate) name: String,
    pub(crate) redirect_uri: String,
}

/// Finds the app that waits at an address, when that is a request of this browser.
pub(crate) async fn waiting_app(
    state: &HttpState,
    visitor: &Visitor,
    next: &str,
) -> Option<WaitingApp> {
    let path = next.split('?').next()?;
    let id = path.strip_prefix("/oauth/authorize/")?.parse().ok()?;
    let store = state.app.store();
    let request = store.authorization_request(&id).await.ok()??;
    if !request.browser.is_of(&visitor.browser) {
        return None;
    }
    let client = store.client(&request.requested.client).await.ok()??;
    Some(WaitingApp { name: client.name, redirect_uri: request.requested.redirect_uri })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Covers: SMART 59, `state` byte for byte also by POST
    #[test]
    fn any_bytes_survive_the_way_from_form_to_address() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut encoded = String::new();
        append(&mut encoded, "state", &bytes);
        let value = encoded.strip_prefix("state=").unwrap();
        assert_eq!(decoded(value.as_bytes()), bytes);
        assert_eq!(decoded(b"a+b%2"), b"a b%2");
    }
}
