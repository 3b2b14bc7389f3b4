//! `POST /oauth/revoke` (RFC 7009).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{AppForm, BASIC, refusal, with_retry_after};
use crate::answer::secret_json;
use crate::state::HttpState;

/// RFC 7009 §2.2: 200 also for a token that is unknown or already dead.
pub(crate) async fn submit(State(state): State<HttpState>, form: AppForm) -> Response {
    let AppForm { params, authorization, via } = form;
    match state.app.revoke_token(authorization.as_deref(), &params, &via).await {
        Ok(()) => secret_json(StatusCode::OK, "{}".to_owned()),
        Err(error) => {
            let response = refusal(error.status(), error.to_json(), BASIC);
            with_retry_after(response, error.retry_after_secs())
        }
    }
}
