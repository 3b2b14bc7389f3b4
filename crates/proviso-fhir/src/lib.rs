//! FHIR R4 on the wire.
//!
//! This crate reads and writes FHIR: JSON resources as spans of their own bytes, requests as typed
//! interactions, searches, labels and outcomes. It knows nothing of HTTP servers, storage, the
//! clock or who is asking; it answers what a text says, never whether somebody may see it.
#![no_std]
#![deny(missing_docs)]
extern crate alloc;

pub mod bundle;
pub mod capability;
pub mod category;
pub mod classify;
mod code_systems;
pub mod compartment;
pub mod consent;
pub mod consent_r4;
pub mod facts;
pub mod json;
pub mod label;
pub mod meta;
pub mod outcome;
pub mod patch;
pub mod redact;
pub mod references;
pub mod search;
pub mod spec;
pub mod validate;
