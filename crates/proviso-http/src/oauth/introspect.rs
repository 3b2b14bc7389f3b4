//! `POST /oauth/introspect` (RFC 7662).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{AppForm, BASIC, refusal};
use crate::answer::secret_json;
use crate::state::HttpState;

pub(crate) async fn submit(State(state): State<HttpState>, form: AppForm) -> Response {
    let AppForm { params, authorization, via } = form;
    match state.app.introspect(authorization.as_deref(), &params, &via).await {
        Ok(introspection) => secret_json(StatusCode::OK, introspection.to_json()),
        Err(error) => refusal(error.status(), error.to_json(), BASIC),
    }
}
