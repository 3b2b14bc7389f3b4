//! Documents by which apps find their way: SMART, OpenID Connect, RFC 8414, keys, style.

use axum::extract::State;
use axum::response::Response;
use proviso_oauth::discovery;

use crate::answer::public_json;
use crate::state::HttpState;

// Long enough to spare us most requests, short enough that a change is seen the same hour.
const DOCUMENT_AGE_SECS: u32 = 300;

/// `GET /fhir/r4/.well-known/smart-configuration`, and the same at the origin's root, where some
/// clients look. JSON whatever `Accept` says (SMART 374).
pub(crate) async fn smart(State(state): State<HttpState>) -> Response {
    let document = discovery::smart_configuration(&state.urls, state.registration());
    public_json(document, DOCUMENT_AGE_SECS)
}

/// `GET /.well-known/openid-configuration`
pub(crate) async fn openid(State(state): State<HttpState>) -> Response {
    let document = discovery::openid_configuration(&state.urls, state.registration());
    public_json(document, DOCUMENT_AGE_SECS)
}

/// `GET /.well-known/oauth-authorization-server`
pub(crate) async fn authorization_server(State(state): State<HttpState>) -> Response {
    let document = discovery::authorization_server_metadata(&state.urls, state.registration());
    public_json(document, DOCUMENT_AGE_SECS)
}

/// `GET /launch/smart-style.json` (SMART "context-style")
pub(crate) async fn style() -> Response {
    public_json(discovery::smart_style(), DOCUMENT_AGE_SECS)
}
