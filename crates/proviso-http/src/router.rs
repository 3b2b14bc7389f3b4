//! Which address is served by what.

use axum::Extension;
use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};

use proviso_core::id::RequestId;

use crate::answer::{oauth_error, problem_json};
use crate::frame::see_other;
use crate::problem::Problem;
use crate::state::HttpState;
use crate::visitor::Visitor;
use crate::{
    access, asset, authorize, cors, demo, discovery, edge, emergency, launch, oauth, portal,
    sign_in, terms, visitor,
};

/// Addresses and what answers them. The router is built from such lists and from nothing else, so
/// that a test can name every address.
type Routes = Vec<(&'static str, MethodRouter<HttpState>)>;

/// Everything of the control plane: pages, OAuth endpoints, discovery.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .merge(pages(&state))
        .merge(endpoints(&state))
        .merge(decisions(&state))
        .merge(documents())
        .merge(all(asset_routes()))
        .layer(from_fn_with_state(state.clone(), edge::guard))
        .with_state(state)
}

/// Every address that the router knows, with its placeholders, those of the demo included.
pub fn route_paths() -> Vec<&'static str> {
    [
        page_routes(),
        demo_routes(),
        endpoint_routes(),
        decision_routes(),
        document_routes(),
        asset_routes(),
    ]
    .into_iter()
    .flatten()
    .map(|(path, _)| path)
    .collect()
}

fn all(routes: Routes) -> Router<HttpState> {
    routes.into_iter().fold(Router::new(), |router, (path, answers)| router.route(path, answers))
}

/// Pages for people. No other origin may read them or frame them.
fn pages(state: &HttpState) -> Router<HttpState> {
    let mut routes = page_routes();
    if state.demo.is_some() {
        routes.extend(demo_routes());
    }
    all(routes)
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .layer(from_fn_with_state(state.clone(), visitor::receive))
}

fn page_routes() -> Routes {
    vec![
        ("/", get(async || see_other("/portal"))),
        ("/login", get(sign_in::show).post(sign_in::submit)),
        ("/logout", post(sign_in::sign_out)),
        ("/terms", get(terms::show)),
        ("/oauth/authorize", get(authorize::begin).post(authorize::begin_by_form)),
        ("/oauth/authorize/{request}", get(authorize::show).post(authorize::answer::submit)),
        ("/portal", get(portal::home::show)),
        ("/portal/apps", get(portal::apps::show)),
        ("/portal/apps/{consent}", get(portal::choice::show_app)),
        ("/portal/apps/{consent}/receipts/{version}", get(portal::choice::receipt_app)),
        ("/portal/apps/{consent}/receipts/{version}/file", get(portal::choice::file_app)),
        ("/portal/apps/{consent}/stop", get(portal::apps::ask_stop).post(portal::apps::stop)),
        ("/portal/apps/{consent}/stopped", get(portal::apps::show_stopped)),
        ("/portal/people", get(portal::people::show)),
        ("/portal/people/{consent}", get(portal::choice::show_person)),
        ("/portal/people/{consent}/receipts/{version}", get(portal::choice::receipt_person)),
        ("/portal/people/{consent}/receipts/{version}/file", get(portal::choice::file_person)),
        ("/portal/people/{consent}/stop", get(portal::people::ask_stop).post(portal::people::stop)),
        ("/portal/people/{consent}/stopped", get(portal::people::show_stopped)),
        ("/portal/who", get(portal::who::show)),
        ("/portal/who/records", get(portal::who::records)),
        ("/portal/activity", get(portal::activity::show)),
        ("/portal/choices", get(portal::filed::show)),
        ("/launch", get(launch::show).post(launch::submit)),
        ("/emergency", get(emergency::show).post(emergency::declare)),
        ("/emergency/{emergency}", post(emergency::act)),
    ]
}

fn demo_routes() -> Routes {
    vec![
        ("/demo", get(demo::show)),
        ("/demo/launch", get(demo::chart::launch).post(demo::launch)),
        ("/demo/chart", get(demo::chart::show)),
        ("/demo/callback", get(demo::callback)),
        ("/demo/refresh", post(demo::ask_again)),
        ("/demo/forget", post(demo::forget)),
    ]
}

/// Endpoints that apps call, also from browsers of registered origins.
fn endpoints(state: &HttpState) -> Router<HttpState> {
    all(endpoint_routes())
        .method_not_allowed_fallback(wrong_endpoint_method)
        .layer(from_fn_with_state(state.clone(), oauth::failures::limit))
        .layer(from_fn_with_state(state.clone(), cors::registered_origins))
}

fn endpoint_routes() -> Routes {
    vec![
        ("/oauth/token", post(oauth::token::submit)),
        ("/oauth/introspect", post(oauth::introspect::submit)),
        ("/oauth/revoke", post(oauth::revoke::submit)),
        ("/oauth/register", post(oauth::register::submit)),
        ("/oauth/userinfo", get(oauth::userinfo::show).post(oauth::userinfo::show)),
    ]
}

/// Decisions for enforcement points, which are servers: no browser of any origin may ask.
fn decisions(state: &HttpState) -> Router<HttpState> {
    all(decision_routes())
        .method_not_allowed_fallback(wrong_decision_method)
        .layer(from_fn_with_state(state.clone(), oauth::failures::limit))
}

fn decision_routes() -> Routes {
    vec![
        ("/access/v1/evaluation", post(access::one)),
        ("/access/v1/evaluations", post(access::many)),
        ("/access/v1/search/subject", post(access::subjects)),
        ("/access/v1/search/resource", post(access::resources)),
        ("/access/v1/search/action", post(access::actions)),
        ("/access/v1/simulate", post(access::simulate)),
    ]
}

/// Documents that everybody may read.
fn documents() -> Router<HttpState> {
    all(document_routes())
        .method_not_allowed_fallback(wrong_endpoint_method)
        .layer(from_fn(cors::any_origin))
}

fn document_routes() -> Routes {
    vec![
        ("/.well-known/openid-configuration", get(discovery::openid)),
        ("/.well-known/oauth-authorization-server", get(discovery::authorization_server)),
        ("/.well-known/smart-configuration", get(discovery::smart)),
        ("/fhir/r4/.well-known/smart-configuration", get(discovery::smart)),
        ("/.well-known/authzen-configuration", get(access::configuration)),
        ("/oauth/jwks", get(oauth::jwks::show)),
        ("/launch/smart-style.json", get(discovery::style)),
    ]
}

fn asset_routes() -> Routes {
    vec![("/assets/{name}", get(asset::serve))]
}

async fn wrong_endpoint_method() -> Response {
    oauth_error(
        StatusCode::METHOD_NOT_ALLOWED,
        "invalid_request",
        "this endpoint does not answer this method",
    )
}

async fn wrong_decision_method(Extension(request): Extension<RequestId>) -> Response {
    let title = "this endpoint does not answer this method";
    problem_json(StatusCode::METHOD_NOT_ALLOWED, "method", title, Some(&request))
}

async fn wrong_method(visitor: Visitor) -> Response {
    Problem::Method.page(&visitor.visit)
}

/// An address that is nobody's, answered in the form of its neighbours.
async fn nothing_here(uri: Uri, visitor: Visitor, request: Request) -> Response {
    let path = uri.path();
    if path.starts_with("/api/") || path.starts_with("/access/") {
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
