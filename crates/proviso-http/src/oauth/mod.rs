//! The OAuth endpoints that apps call directly: no pages, no cookies.

pub(crate) mod failures;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod userinfo;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use proviso_app::via::Via;
use proviso_oauth::params::Params;

use crate::answer::{challenge, oauth_error, secret_json};
use crate::form::{BodyError, is_form, read_body};
use crate::state::HttpState;
use crate::visitor::via;

/// The parameters of a form that an app sent, and how it came.
#[derive(Debug)]
pub(crate) struct AppForm {
    pub(crate) params: Params,
    pub(crate) authorization: Option<String>,
    pub(crate) via: Via,
}

/// The `Authorization` header as text. One that occurs twice, or is not text, is kept as
/// something that no scheme fits, so that it is refused and not ignored.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next()?;
    match (first.to_str(), values.next()) {
        (Ok(text), None) => Some(text.to_owned()),
        _ => Some("Unreadable".to_owned()),
    }
}

impl FromRequest<HttpState> for AppForm {
    type Rejection = Response;

    async fn from_request(request: Request, _: &HttpState) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        if !is_form(&parts.headers) {
            return Err(oauth_error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "the body must be `application/x-www-form-urlencoded`",
            ));
        }
        let body = read_body(Request::from_parts(parts.clone(), body)).await.map_err(body_error)?;
        // R27: a repeated parameter is an error, an unknown one is not.
        let params = Params::parse(&body).map_err(|error| {
            oauth_error(StatusCode::BAD_REQUEST, "invalid_request", &error.to_string())
        })?;
        Ok(Self { params, authorization: authorization(&parts.headers), via: via(&parts) })
    }
}

pub(crate) fn body_error(error: BodyError) -> Response {
    match error {
        BodyError::TooLarge => oauth_error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request",
            "the body is larger than this server accepts",
        ),
        BodyError::Broken => {
            oauth_error(StatusCode::BAD_REQUEST, "invalid_request", "the body did not arrive whole")
        }
    }
}

/// An error of these endpoints: JSON, with the challenge that a 401 needs (R28).
pub(crate) fn refusal(status: u16, body: String, scheme: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = secret_json(status, body);
    if status == StatusCode::UNAUTHORIZED { challenge(response, scheme) } else { response }
}

/// Adds when to try again, where a try was one too many (RFC 6585 §4).
pub(crate) fn with_retry_after(mut response: Response, secs: Option<u32>) -> Response {
    if let Some(secs) = secs {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    response
}

pub(crate) const BASIC: &str = r#"Basic realm="proviso", charset="UTF-8""#;
/// The challenge to a bearer token that is not good (RFC 6750 §3.1).
pub(crate) const BEARER_REFUSED: &str = r#"Bearer realm="proviso", error="invalid_token""#;
