//! `POST /oauth/introspect` (RFC 7662).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::introspect::TokenUseError;

use super::{AppForm, BASIC, BEARER_REFUSED, refusal, with_retry_after};
use crate::answer::secret_json;
use crate::state::HttpState;

pub(crate) async fn submit(State(state): State<HttpState>, form: AppForm) -> Response {
    let AppForm { params, authorization, via } = form;
    match state.app.introspect(authorization.as_deref(), &params, &via).await {
        Ok(introspection) => secret_json(StatusCode::OK, introspection.to_json()),
        Err(error) => {
            // RFC 9110 §11.6.1: the challenge names the scheme by which the asker may get in.
            let scheme =
                if matches!(error, TokenUseError::Bearer(_)) { BEARER_REFUSED } else { BASIC };
            let response = refusal(error.status(), error.to_json(), scheme);
            with_retry_after(response, error.retry_after_secs())
        }
    }
}
