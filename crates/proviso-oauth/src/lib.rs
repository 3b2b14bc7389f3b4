//! OAuth 2, OpenID Connect and SMART App Launch 2.2 as pure functions.
//!
//! Requests are parsed into values that cannot be wrong, or refused with an error that says which
//! rule was broken and who may be told. Instants and entropy are arguments; nothing here reads a
//! clock, a socket or a table. What must be remembered between requests is in [`record`].
#![deny(missing_docs)]

pub mod authorize;
pub mod claims;
pub mod client_auth;
pub mod discovery;
#[cfg(test)]
mod fixture;
pub mod introspect;
pub mod jose;
pub mod params;
pub mod pkce;
pub mod record;
pub mod redirect;
pub mod register;
pub mod server;
pub mod token;
