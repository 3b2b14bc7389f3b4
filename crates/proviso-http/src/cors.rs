//! Which browser origins may call which endpoint.
//!
//! Discovery documents: anyone. Token, revocation, introspection and userinfo: origins of
//! registered apps only. Pages, `/oauth/authorize` above all: no one (RFC 9700 §2.6, R21).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::state::HttpState;

/// Discovery: any origin may read; there is nothing to protect.
pub(crate) async fn any_origin(request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        let mut headers = preflight();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    next.run(request).await
}

/// Endpoints for apps: the origin must be registered for some active app. Which app it is shows
/// only in the body, so a preflight cannot tell; the answer's readability is all that is at stake.
pub(crate) async fn registered_origins(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = match origin.as_ref().and_then(|origin| origin.to_str().ok()) {
        Some(origin) => is_registered(&state, origin).await,
        None => false,
    };
    let mut response = if request.method() == Method::OPTIONS {
        (StatusCode::NO_CONTENT, preflight()).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let (true, Some(origin)) = (allowed, origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("X-Request-Id, WWW-Authenticate"),
        );
    }
    response
}

fn preflight() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, Accept, DPoP"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers
}

async fn is_registered(state: &HttpState, origin: &str) -> bool {
    match state.app.is_registered_origin(origin).await {
        Ok(registered) => registered,
        Err(error) => {
            tracing::error!(%error, "registered origins cannot be read");
            false
        }
    }
}
