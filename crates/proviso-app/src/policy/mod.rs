//! The organisation's policy: sets of Cedar policies, checked as a whole before they decide.
//!
//! [`Documents`] are the texts of a set, named by their content. [`PolicySet::compile`] makes of
//! them something that answers; [`PolicySet::check`] says what is wrong with it: tests that fail,
//! policies that can never apply, invariants that it breaks. Questions and answers are values of
//! `proviso_core::org`; nothing of Cedar leaves this module.

mod analyse;
mod ask;
mod atom;
mod by_library;
mod change;
mod compile;
mod describe;
mod diff;
mod documents;
mod domain;
mod evaluate;
mod facts;
mod finding;
mod in_force;
mod invariant;
mod outline;
mod residual;
mod scenario;
mod solve;
mod split;
mod wording;

pub use analyse::Report;
pub use by_library::{ByLibrary, Put};
pub use change::{ChangePoliciesError, Changer};
pub use compile::PolicySet;
pub use describe::{describe_answer, describe_question};
pub use diff::{Change, Difference, compare};
pub use documents::{Documents, DocumentsError, SCHEMA, TextFile};
pub use evaluate::Explained;
pub use facts::{related_to_all, related_to_any};
pub use finding::{Finding, FindingCode, Place, Severity};
pub(crate) use in_force::StaffAsking;
pub use in_force::{Beside, LoadPoliciesError, Policies, ShadowDifference, ShadowReport};
pub use invariant::Invariant;
pub use scenario::{Scenario, ScenarioError, read_question};

#[cfg(test)]
mod tests;
