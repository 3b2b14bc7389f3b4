//! Use cases: load facts, call pure functions, save the result and its audit entry in one
//! transaction.
//!
//! Everything that changes state or releases data goes through [`App`]. It knows the store, the
//! clock, entropy and keys through ports; it knows nothing of HTTP.

pub mod caller;
pub mod ports;
pub mod settings;
