//! `/health/live` and `/health/ready`, for the admin listener.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use proviso_app::App;

const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";

/// Every address of the health endpoints.
pub const HEALTH_PATHS: &[&str] = &[LIVE, READY];

/// The health endpoints. `live` says that the process runs; `ready` also asks the store, so that
/// no traffic comes to a node that could only answer 503.
pub fn health_router(app: Arc<App>) -> Router {
    Router::new().route(LIVE, get(live)).route(READY, get(ready)).with_state(app)
}

async fn live() -> Response {
    answer(StatusCode::OK, "live")
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.store().latest_seq().await {
        Ok(_) => answer(StatusCode::OK, "ready"),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            answer(StatusCode::SERVICE_UNAVAILABLE, "store")
        }
    }
}

fn answer(status: StatusCode, word: &'static str) -> Response {
    let body = serde_json::json!({ "status": word }).to_string();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}
