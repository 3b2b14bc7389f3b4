//! `POST /oauth/register` (RFC 7591), where registration is open.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::{body_error, refusal};
use crate::answer::{oauth_error, secret_json};
use crate::form::read_body;
use crate::state::HttpState;
use crate::visitor::via;

pub(crate) async fn submit(State(state): State<HttpState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let json = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !json {
        return oauth_error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid_client_metadata",
            "the body must be `application/json`",
        );
    }
    let via = via(&parts);
    let body = match read_body(Request::from_parts(parts, body)).await {
        Ok(body) => body,
        Err(error) => return body_error(error),
    };
    match state.app.register_client(&body, &via).await {
        Ok(Ok(registered)) => match serde_json::to_string(&registered) {
            Ok(body) => secret_json(StatusCode::CREATED, body),
            Err(error) => unavailable(&error),
        },
        Ok(Err(error)) => refusal(error.status(), error.to_json(), super::BASIC),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "an app could not be registered");
    oauth_error(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "the server cannot answer just now",
    )
}
