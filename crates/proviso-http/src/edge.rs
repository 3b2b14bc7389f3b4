//! What holds for every request: an id, and limits on address and headers (design §13).

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use proviso_core::id::RequestId;

use crate::answer::oauth_error;
use crate::frame::Visit;
use crate::problem::Problem;
use crate::state::HttpState;
use crate::text::Language;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

// LIMIT: browsers and apps stay far below; what is longer is a mistake or an attack.
const ADDRESS_BYTES_MAX: usize = 8 * 1024;
// LIMIT: an id, not a message.
const ECHO_BYTES_MAX: usize = 256;
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Gives the request its id, echoes it in the answer, and turns away what is too long.
pub(crate) async fn guard(
    State(state): State<HttpState>,
    mut request: Request,
    next: Next,
) -> Response {
    // Without randomness nothing that follows could be trusted either.
    let Ok(entropy) = state.app.entropy().for_id() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let id = RequestId::generate(state.app.now(), entropy);
    let echo = echoed(&request);
    let mut response = if let Some(problem) = too_long(&request) {
        turn_away(&state, &request, id.clone(), problem)
    } else {
        request.extensions_mut().insert(id.clone());
        next.run(request).await
    };
    let own = || HeaderValue::try_from(id.as_str()).ok();
    if let Some(value) = echo.or_else(own) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
        .headers_mut()
        .entry(axum::http::header::X_CONTENT_TYPE_OPTIONS)
        .or_insert(HeaderValue::from_static("nosniff"));
    response
}

/// The id that an enforcement point gave its question, which it gets back (AuthZEN §12.1.7). It is a
/// word of a stranger: the log has ours.
fn echoed(request: &Request) -> Option<HeaderValue> {
    if !request.uri().path().starts_with("/access/") {
        return None;
    }
    let given = request.headers().get(REQUEST_ID)?;
    (given.len() <= ECHO_BYTES_MAX && given.to_str().is_ok()).then(|| given.clone())
}

fn too_long(request: &Request) -> Option<Problem> {
    let address = request.uri().path_and_query().map_or(0, |both| both.as_str().len());
    if address > ADDRESS_BYTES_MAX {
        return Some(Problem::AddressTooLong);
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (headers > HEADER_BYTES_MAX).then_some(Problem::HeadersTooLong)
}

/// Says so in the form of the address: JSON where apps ask, a page elsewhere. Nothing of the
/// request is looked at any further.
fn turn_away(state: &HttpState, request: &Request, id: RequestId, problem: Problem) -> Response {
    let path = request.uri().path();
    let for_apps = path.starts_with("/.well-known/")
        || path.starts_with("/access/")
        || (path.starts_with("/oauth/") && !path.starts_with("/oauth/authorize"));
    if for_apps {
        return oauth_error(problem.status(), "invalid_request", "the request is too long");
    }
    let visit = Visit {
        language: Language::English,
        address: "/".to_owned(),
        csrf: String::new(),
        request: id,
        organization: state.app.settings().organization_name.clone(),
        world: state.world(),
        signed_in: None,
    };
    problem.page(&visit)
}
