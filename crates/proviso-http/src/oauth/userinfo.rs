//! `GET` and `POST /oauth/userinfo` (OIDC Core §5.3).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::userinfo::UserInfoError;

use super::{BEARER_REFUSED, authorization, refusal};
use crate::answer::{oauth_error, secret_json};
use crate::state::HttpState;
use crate::visitor::via;

// RFC 6750 §3: without credentials the challenge names no error.
const NO_TOKEN: &str = r#"Bearer realm="proviso""#;

/// The token comes in the header only: not in the query (R19), and a body is not read.
pub(crate) async fn show(State(state): State<HttpState>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let header = authorization(&parts.headers);
    let token = header.as_deref().and_then(bearer);
    let Some(token) = token else {
        let body = proviso_oauth::token::error_json("invalid_request", "a bearer token is needed");
        return refusal(401, body, NO_TOKEN);
    };
    match state.app.userinfo(token, &via(&parts)).await {
        Ok(info) => match serde_json::to_string(&info) {
            Ok(body) => secret_json(StatusCode::OK, body),
            Err(error) => unavailable(&error),
        },
        Err(UserInfoError::Bearer(error)) => {
            let body = proviso_oauth::token::error_json("invalid_token", &error.to_string());
            refusal(401, body, BEARER_REFUSED)
        }
        Err(UserInfoError::Unavailable(error)) => unavailable(&error),
    }
}

fn unavailable(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "nobody could be told who somebody is");
    oauth_error(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "the server cannot answer just now",
    )
}

/// The token of a `Bearer` header; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
