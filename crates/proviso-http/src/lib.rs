//! The control plane: sign-in, consent pages, portal, OAuth endpoints.
//!
//! Handlers are found by their URL. They extract, call one use case of `proviso-app`, and render;
//! no decision is made here, and no patient data is reached but through the use cases.

mod asset;
mod authorize;
mod demo;
mod frame;
mod launch;
mod portal;
mod problem;
#[cfg(test)]
mod samples;
mod sign_in;
mod terms;
mod text;
