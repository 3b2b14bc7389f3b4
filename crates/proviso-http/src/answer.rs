//! JSON answers of the OAuth endpoints and the management API, with the headers each one needs.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use proviso_core::id::RequestId;

/// A JSON answer that may hold secrets: never stored (RFC 6749 §5.1; OAuth 2.1 drops `Pragma`, but
/// certification tests still ask for it).
pub(crate) fn secret_json(status: StatusCode, body: String) -> Response {
    (
        status,
        [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::PRAGMA, HeaderValue::from_static("no-cache")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ],
        body,
    )
        .into_response()
}

/// A JSON document that everybody may read, from any origin, for a while.
pub(crate) fn public_json(body: String, max_age_secs: u32) -> Response {
    let age = format!("public, max-age={max_age_secs}");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(age) = HeaderValue::try_from(age) {
        headers.insert(header::CACHE_CONTROL, age);
    }
    (StatusCode::OK, headers, body).into_response()
}

/// An error in the form of RFC 6749 §5.2.
pub(crate) fn oauth_error(status: StatusCode, code: &str, description: &str) -> Response {
    secret_json(status, proviso_oauth::token::error_json(code, description))
}

/// An error of the management API, in the form of RFC 9457.
pub(crate) fn problem_json(
    status: StatusCode,
    code: &str,
    title: &str,
    request: Option<&RequestId>,
) -> Response {
    let body = serde_json::json!({
        "type": format!("urn:proviso:problem:{code}"),
        "title": title,
        "status": status.as_u16(),
        "code": code,
        "request": request.map(RequestId::as_str),
    });
    let mut response = secret_json(status, body.to_string());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// Adds a challenge to a 401 (RFC 9110 §11.6.1).
pub(crate) fn challenge(mut response: Response, value: &'static str) -> Response {
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
    response
}
