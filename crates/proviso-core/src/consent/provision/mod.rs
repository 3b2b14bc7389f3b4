//! The provision engine: what a patient's directive says of one request and one record.
//!
//! Knows the parts of a FHIR Consent that decide (provisions, their attributes and exceptions), the
//! named dialects in which they are read, and how answers are combined. Does not know FHIR's wire
//! form, the clock, scopes or organisation rules: a reader turns a resource into a [`Directive`],
//! and the decision function asks for an [`Outcome`] and intersects it with everything else.
//!
//! A decision takes the consents of a patient that are in force and goes: [`Plan::compile`] once for
//! a request; [`Plan::view`] and [`Plan::decide`] for each record; [`decide`] with the
//! [`Fallback`]; [`across_patients`] where a record names several. Directives that do not fit a plan
//! are evaluated directly, by [`evaluate`] and [`combine`], which also explain an answer.
//!
//! Source: FHIR R4 and R5 Consent, IHE Privacy Consent on FHIR (PCF), HL7 FAST Consent Management,
//! HL7 Permission.

mod code_tree;
mod combine;
mod confidentiality;
mod cover;
mod dialect;
mod directive;
mod evaluation;
mod facts;
mod flat;
mod grid;
mod label;
mod matching;
mod pcf;
mod plan;
mod purpose;
mod residual;
mod sensitivity;
mod tree;

use alloc::string::String;

use serde::{Deserialize, Serialize};

pub use combine::{
    Combination, Combined, Existence, Fallback, JointAnswer, JointVoices, Voice, across_patients,
    combine, decide, joint_rule,
};
pub use confidentiality::{CONFIDENTIALITY_SYSTEM, Confidentiality};
pub use cover::Cover;
pub use dialect::{CombiningCode, Dialect};
pub use directive::{
    ActorClause, ActorRole, DataClause, DataMeaning, Directive, DirectiveError, Identifier, Limits,
    Provision, Rule, Unreadable, Who, WhoKind,
};
pub use evaluation::{Evaluation, Step, Trace, evaluate};
pub use facts::{Fact, Identities, RecordFacts, RequestFacts};
pub use grid::{CASES_MAX, Comparison, DIFFERENCES_MAX, Difference, compare};
pub use label::{Label, LabelSet, SensitivitySet, is_handling};
pub use matching::{ACTION_SYSTEM, Attribute, Match, PermitReach, Reading, RelatedMeaning};
pub use pcf::{PcfAnswer, PcfToken, ResidualEntry, ResidualType, issue as issue_pcf_token};
pub use plan::{ATOMS_MAX, Plan, PlanError, RecordView};
pub use purpose::{PURPOSE_SYSTEM, Purpose, PurposeCode};
pub use residual::{Readability, Residual, ResidualProvision};
pub use sensitivity::{SENSITIVITY_SYSTEM, Sensitivity};

/// A code with the system that defines it (FHIR `Coding`, without display and version).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Coding {
    /// The code system's URI; empty when none was stated.
    pub system: String,
    /// The code.
    pub code: String,
}

impl Coding {
    /// A code of a system.
    pub fn new(system: impl Into<String>, code: impl Into<String>) -> Self {
        Self { system: system.into(), code: code.into() }
    }
}

/// What a directive says (XACML effects).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// May be released.
    Permit,
    /// Must be withheld.
    Deny,
    /// The directive does not speak of this; the jurisdiction's default decides.
    NotApplicable,
    /// The directive cannot be read here; withheld at the end.
    Indeterminate,
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
