//! Decisions for enforcement points of the organisation: AuthZEN Authorization API 1.0.
//!
//! Who asks is a service with the scope `access_evaluation`. What is asked about is decided by the
//! gateway, through a port, by the function that decides FHIR requests; what leaves is yes or no.

mod discovery;
mod evaluation;
mod search;
mod simulate;
mod wire;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use proviso_app::caller::Caller;
use proviso_app::evaluation::{Asker, EvaluationError};
use proviso_app::via::Via;
use serde_json::Value;

pub(crate) use discovery::show as configuration;
pub(crate) use evaluation::{many, one};
pub(crate) use search::{actions, resources, subjects};
pub(crate) use simulate::simulate;

use crate::answer::{challenge, problem_json, secret_json};
use crate::form::{BodyError, read_body};
use crate::oauth::{BEARER_REFUSED, authorization};
use crate::state::HttpState;
use crate::visitor::via;

/// RFC 6750 §3: without credentials the challenge names no error.
const NO_TOKEN: &str = r#"Bearer realm="proviso""#;
/// RFC 6750 §3.1.
const NO_SCOPE: &str =
    r#"Bearer realm="proviso", error="insufficient_scope", scope="access_evaluation""#;

/// A question of an enforcement point, read as JSON.
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    pub(crate) via: Via,
    pub(crate) body: Value,
}

impl Asked {
    /// Reads a request: first who asks, then what.
    pub(crate) async fn read(state: &HttpState, request: Request) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let via = via(&parts);
        let header = authorization(&parts.headers);
        let token = header.as_deref().and_then(bearer);
        let refused = |status, code, title, scheme| {
            challenge(problem_json(status, code, title, via.request.as_ref()), scheme)
        };
        let unauthorized = StatusCode::UNAUTHORIZED;
        let Some(token) = token else {
            let title = "a bearer token is needed";
            return Err(refused(unauthorized, "token-missing", title, NO_TOKEN));
        };
        let caller = match state.app.enforcement_point(token, state.app.now()).await {
            Ok(Some(caller)) => caller,
            Ok(None) => {
                let title = "the token was not given for asking for decisions";
                return Err(refused(StatusCode::FORBIDDEN, "scope-missing", title, NO_SCOPE));
            }
            Err(_) => {
                let title = "the token opens nothing";
                return Err(refused(unauthorized, "token-invalid", title, BEARER_REFUSED));
            }
        };
        let bad =
            |code, title| problem_json(StatusCode::BAD_REQUEST, code, title, via.request.as_ref());
        let is_json = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(bad("media-type", "the body must be `application/json`"));
        }
        let body = match read_body(Request::from_parts(parts, body)).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => {
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                let title = "the body is larger than this server accepts";
                return Err(problem_json(status, "too-large", title, via.request.as_ref()));
            }
            Err(BodyError::Broken) => {
                return Err(bad("body-broken", "the body did not arrive whole"));
            }
        };
        match serde_json::from_slice::<Value>(&body) {
            Ok(body @ Value::Object(_)) => Ok(Self { caller, via, body }),
            Ok(_) => Err(bad("malformed", "the body must be a JSON object")),
            Err(_) => Err(bad("malformed", "the body is not JSON")),
        }
    }

    /// Who asks.
    pub(crate) const fn by(&self) -> Asker<'_> {
        Asker { caller: Some(&self.caller), via: &self.via }
    }

    /// A refusal of the question as a whole.
    pub(crate) fn bad(&self, title: &str) -> Response {
        let request = self.via.request.as_ref();
        problem_json(StatusCode::BAD_REQUEST, "malformed", title, request)
    }
}

/// The token of a `Bearer` header; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// No answer, as opposed to the answer no.
pub(crate) fn no_answer(error: EvaluationError, via: &Via) -> Response {
    let (status, code, title) = match error {
        EvaluationError::Token => {
            (StatusCode::BAD_REQUEST, "page-token", "the page token is not valid")
        }
        EvaluationError::NotLogged | EvaluationError::NoAnswer => {
            tracing::error!(%error, "an enforcement point got no answer");
            let title = "the server cannot answer just now";
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable", title)
        }
    };
    problem_json(status, code, title, via.request.as_ref())
}

/// An answer.
pub(crate) fn answer(body: &Value) -> Response {
    secret_json(StatusCode::OK, body.to_string())
}
