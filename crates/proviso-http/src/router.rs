//! Which address is served by what.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::answer::{oauth_error, problem_json};
use crate::frame::see_other;
use crate::problem::Problem;
use crate::state::HttpState;
use crate::visitor::Visitor;
use crate::{
    asset, authorize, cors, demo, discovery, edge, launch, oauth, portal, sign_in, terms, visitor,
};

/// Everything of the control plane: pages, OAuth endpoints, discovery.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .merge(pages(&state))
        .merge(endpoints(&state))
        .merge(documents())
        .route("/assets/{name}", get(asset::serve))
        .layer(from_fn_with_state(state.clone(), edge::guard))
        .with_state(state)
}

/// Pages for people. No other origin may read them or frame them.
fn pages(state: &HttpState) -> Router<HttpState> {
    let mut pages = Router::new()
        .route("/", get(async || see_other("/portal")))
        .route("/login", get(sign_in::show).post(sign_in::submit))
        .route("/logout", post(sign_in::sign_out))
        .route("/terms", get(terms::show))
        .route("/oauth/authorize", get(authorize::begin).post(authorize::begin_by_form))
        .route("/oauth/authorize/{request}", get(authorize::show).post(authorize::answer::submit))
        .route("/portal", get(portal::home::show))
        .route("/portal/apps", get(portal::apps::show))
        .route("/portal/apps/{consent}/stop", get(portal::apps::ask_stop).post(portal::apps::stop))
        .route("/portal/apps/{consent}/stopped", get(portal::apps::show_stopped))
        .route("/portal/activity", get(portal::activity::show))
        .route("/launch", get(launch::show).post(launch::submit));
    if state.demo.is_some() {
        pages = pages
            .route("/demo", get(demo::show))
            .route("/demo/launch", post(demo::launch))
            .route("/demo/callback", get(demo::callback))
            .route("/demo/refresh", post(demo::ask_again))
            .route("/demo/forget", post(demo::forget));
    }
    pages
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .layer(from_fn_with_state(state.clone(), visitor::receive))
}

/// Endpoints that apps call, also from browsers of registered origins.
fn endpoints(state: &HttpState) -> Router<HttpState> {
    Router::new()
        .route("/oauth/token", post(oauth::token::submit))
        .route("/oauth/introspect", post(oauth::introspect::submit))
        .route("/oauth/revoke", post(oauth::revoke::submit))
        .route("/oauth/register", post(oauth::register::submit))
        .route("/oauth/userinfo", get(oauth::userinfo::show).post(oauth::userinfo::show))
        .method_not_allowed_fallback(wrong_endpoint_method)
        .layer(from_fn_with_state(state.clone(), cors::registered_origins))
}

/// Documents that everybody may read.
fn documents() -> Router<HttpState> {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery::openid))
        .route("/.well-known/oauth-authorization-server", get(discovery::authorization_server))
        .route("/.well-known/smart-configuration", get(discovery::smart))
        .route("/fhir/r4/.well-known/smart-configuration", get(discovery::smart))
        .route("/oauth/jwks", get(oauth::jwks::show))
        .route("/launch/smart-style.json", get(discovery::style))
        .method_not_allowed_fallback(wrong_endpoint_method)
        .layer(from_fn(cors::any_origin))
}

async fn wrong_endpoint_method() -> Response {
    oauth_error(
        StatusCode::METHOD_NOT_ALLOWED,
        "invalid_request",
        "this endpoint does not answer this method",
    )
}

async fn wrong_method(visitor: Visitor) -> Response {
    Problem::Method.page(&visitor.visit)
}

/// An address that is nobody's, answered in the form of its neighbours.
async fn nothing_here(uri: Uri, visitor: Visitor, request: Request) -> Response {
    let path = uri.path();
    if path.starts_with("/api/") {
        let id = &visitor.visit.request;
        return problem_json(StatusCode::NOT_FOUND, "not-found", "there is nothing here", Some(id));
    }
    if path.starts_with("/oauth/") || path.starts_with("/.well-known/") {
        return oauth_error(StatusCode::NOT_FOUND, "invalid_request", "there is nothing here");
    }
    if path.starts_with("/assets/") {
        drop(request);
        return StatusCode::NOT_FOUND.into_response();
    }
    Problem::NotFound.page(&visitor.visit)
}
