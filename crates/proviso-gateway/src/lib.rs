//! The FHIR data plane: seven verbs between an app and the records.
//!
//! `request → authenticate → classify → decide → forward → filter → audit → respond`, in
//! [`pipeline`]. This crate knows HTTP and FHIR; it knows nothing of storage, and no byte of a
//! record leaves it by another way. The page on which staff choose a visit walks the same verbs
//! from `decide` on, in `visits`.

mod answer;
pub mod audit;
pub mod authenticate;
mod beat;
mod bundle;
mod capability;
pub mod classify;
mod consents;
mod cursor;
pub mod decide;
pub mod door;
mod evaluate;
mod file;
pub mod filter;
pub mod forward;
mod forward_auth;
mod gateway;
mod kept;
mod notice;
mod overseen;
pub mod pipeline;
mod problem;
mod query;
mod rate;
pub mod respond;
mod router;
mod settings;
mod simulate;
pub mod stop;
mod subscriptions;
pub mod trail;
mod upstream;
mod view;
mod visits;

pub use consents::consents_router;
pub use forward_auth::forward_auth_router;
pub use gateway::{Gateway, GatewayError};
pub use problem::Problem;
pub use router::router;
pub use settings::{GatewaySettings, HttpUpstreamSettings, Limits, Rates, Reach, UpstreamSettings};
pub use upstream::http::UpstreamSetupError;
pub use upstream::probe::{UpstreamProbeError, probe_upstream};
