//! Labels: by which rules records are labelled, what an organisation changes of them, and why a
//! record is labelled as it is.
//!
//! It knows the file in which an organisation writes its rules and its tests of them. How rules are
//! found in a resource is `proviso-fhir`'s; who may see a label is not known here.

mod explain;
mod format;
mod load;
#[cfg(test)]
mod tests;
mod trial;

pub use explain::{ExplainError, Explained, explain_resource};
pub use format::{FileFault, FileProblem, RulesFile};
pub use load::RulesError;
pub use proviso_fhir::label::RuleSet;
pub use trial::{Expected, Trial, TrialResult};
