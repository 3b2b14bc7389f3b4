//! The pure heart of Proviso: what a consent is, what a scope is, who may see what and why.
//!
//! This crate knows nothing of HTTP, SQL, JSON resources or the clock. Instants and entropy are
//! arguments, every function is total, and equal inputs give equal bytes.
#![no_std]
#![deny(missing_docs)]
extern crate alloc;

pub mod account;
pub mod audit;
pub mod category;
pub mod category_rules;
pub mod consent;
pub mod decision;
pub mod delegation;
pub mod emergency;
pub mod id;
pub mod interaction;
pub mod label;
pub mod mandate;
pub mod obligation;
pub mod org;
pub mod oversight;
pub mod reason;
pub mod resource_type;
pub mod scope;
pub mod secret;
pub mod time;
