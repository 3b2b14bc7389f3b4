//! The catalogue of leaks as a runner: questions that must not tell what is hidden, asked of any
//! FHIR server by URL.

mod case;
mod run;
mod scorecard;
mod server;

pub use case::{Case, Catalogue, Step};
pub use run::{Finding, Outcome, run};
pub use scorecard::{Column, scorecard};
pub use server::{Adapter, Request};
