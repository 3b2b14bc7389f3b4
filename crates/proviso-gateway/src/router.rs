//! The HTTP face: one handler for every path below the FHIR base, and what browsers need.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use proviso_core::id::RequestId;

use crate::audit::{public_document, unrecorded};
use crate::classify::check_accept;
use crate::door::receive;
use crate::gateway::Gateway;
use crate::pipeline;
use crate::respond::{X_REQUEST_ID, nothing_at_all, respond};

/// The FHIR API, for `nest_service("/fhir/r4", …)`: that also takes the base with a slash at its
/// end, to which batches are posted.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(handle).with_state(gateway)
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let is_metadata = request.uri().path() == "/metadata";
    if request.method() == Method::OPTIONS {
        let origin = request.headers().get(ORIGIN).cloned();
        return preflight(&gateway, origin, is_metadata).await;
    }
    if is_metadata && matches!(*request.method(), Method::GET | Method::HEAD) {
        return metadata(&gateway, request).await;
    }
    pipeline::answer(&gateway, request).await
}

/// What this server offers; public, and the same for everybody (leak 84).
async fn metadata(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    let at = gateway.app.now();
    let Ok(entropy) = gateway.app.entropy().for_id() else { return nothing_at_all() };
    let id = RequestId::generate(at, entropy);
    let received = match receive(gateway, request, id.clone(), at).await {
        Ok(received) => received,
        Err(refusal) => return respond(gateway, unrecorded(&refusal, id)),
    };
    if let Err(refusal) = check_accept(&received) {
        return respond(gateway, unrecorded(&refusal, id));
    }
    // Discovery is for any origin (SMART App Launch 2.2 §4.1.2).
    let any = Some("*".to_owned());
    respond(gateway, public_document(gateway.capability.clone(), id, any))
}

/// Fetch §4.8: a browser asks before it sends. Nothing of the resource is looked at (leak 6); any
/// registered origin may go on to ask, and the answer itself is for the token's app only.
async fn preflight(
    gateway: &Gateway,
    origin: Option<HeaderValue>,
    metadata: bool,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if let Ok(entropy) = gateway.app.entropy().for_id() {
        let id = RequestId::generate(gateway.app.now(), entropy);
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            headers.insert(X_REQUEST_ID, id);
        }
    }
    let text = origin.as_ref().and_then(|origin| origin.to_str().ok());
    let known = match text {
        Some(text) => metadata || gateway.app.is_registered_origin(text).await.unwrap_or(false),
        None => false,
    };
    if let Some(origin) = origin.filter(|_| known) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
        );
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "Authorization, Accept, Content-Type, Idempotency-Key, If-Match, If-None-Exist, \
                 If-None-Match, Prefer",
            ),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}
