//! `POST /oauth/token` (RFC 6749 §3.2).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{AppForm, BASIC, refusal, with_retry_after};
use crate::answer::{oauth_error, secret_json};
use crate::state::HttpState;

pub(crate) async fn submit(State(state): State<HttpState>, form: AppForm) -> Response {
    let AppForm { params, authorization, via } = form;
    match state.app.token(authorization.as_deref(), &params, &via).await {
        Ok(response) => match serde_json::to_string(&response) {
            Ok(body) => secret_json(StatusCode::OK, body),
            Err(error) => {
                tracing::error!(%error, "a token response could not be written");
                oauth_error(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "temporarily_unavailable",
                    "the server cannot answer just now",
                )
            }
        },
        Err(refused) => {
            let response = refusal(refused.error.status(), refused.error.to_json(), BASIC);
            let response = with_retry_after(response, refused.error.retry_after_secs());
            if refused.challenge_basic { response } else { without_challenge(response) }
        }
    }
}

/// RFC 6749 §5.2 asks for the challenge only where the app tried by the header.
fn without_challenge(mut response: Response) -> Response {
    response.headers_mut().remove(axum::http::header::WWW_AUTHENTICATE);
    response
}
