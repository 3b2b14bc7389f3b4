//! The control plane: sign-in, consent pages, portal, OAuth endpoints.
//!
//! Handlers are found by their URL. They extract, call one use case of `proviso-app`, and render;
//! no decision is made here, and no patient data is reached but through the use cases.

mod access;
mod answer;
mod asset;
mod authorize;
mod cookie;
mod cors;
mod demo;
mod discovery;
mod edge;
mod emergency;
mod form;
mod frame;
mod health;
mod launch;
mod oauth;
mod portal;
mod problem;
mod router;
#[cfg(test)]
mod samples;
mod sign_in;
pub mod simulation;
mod state;
mod terms;
mod text;
mod visitor;

pub use crate::health::{HEALTH_PATHS, health_router};
pub use crate::router::{route_paths, router};
pub use crate::state::{Demonstration, HttpState};
