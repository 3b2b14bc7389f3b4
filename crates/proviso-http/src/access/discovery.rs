//! `GET /.well-known/authzen-configuration` (AuthZEN §11).

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::answer::public_json;
use crate::state::HttpState;

// LIMIT: the addresses change only when the server moves.
const MAX_AGE_SECS: u32 = 3600;

pub(crate) async fn show(State(state): State<HttpState>) -> Response {
    let base = state.app.settings().public_url.trim_end_matches('/');
    let body = json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{base}/access/v1/evaluations"),
        "search_subject_endpoint": format!("{base}/access/v1/search/subject"),
        "search_resource_endpoint": format!("{base}/access/v1/search/resource"),
        "search_action_endpoint": format!("{base}/access/v1/search/action"),
    });
    public_json(body.to_string(), MAX_AGE_SECS)
}
