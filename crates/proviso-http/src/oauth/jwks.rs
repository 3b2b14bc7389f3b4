//! `GET /oauth/jwks`: the public keys that tokens are verified with (RFC 7517 §5).

use axum::extract::State;
use axum::response::Response;

use crate::answer::public_json;
use crate::state::HttpState;

// A new key is published before it signs, by more than this.
const KEYS_AGE_SECS: u32 = 300;

pub(crate) async fn show(State(state): State<HttpState>) -> Response {
    public_json(state.app.keys().jwks(state.app.now()), KEYS_AGE_SECS)
}
