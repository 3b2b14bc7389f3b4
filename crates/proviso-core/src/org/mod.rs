//! What the organisation's policy is asked and what it answers (design §6).
//!
//! Knows the words of the question, their canonical bytes and the answer. It knows nothing of the
//! language in which policies are written nor of where facts come from; both are outside and meet
//! here. A fact that is not known is absent, and no absent fact may permit.

mod answer;
mod compiled;
mod key;
pub mod lifecycle;
mod question;
mod rules;
mod rules_one;
mod shared_rules;
mod words;

pub use answer::{Advice, Obligation, ObligationSet, OrgAnswer, OrgPolicy};
pub use compiled::{emergency_question, purposes_of, staff_rule};
pub use key::OrgKey;
pub use question::{
    Department, Emergency, Environment, MAX_EMERGENCY_MINUTES, OrgQuestion, OrgResource,
    OrgSubject, PatientMatch, Place, PolicyName, Provenance, RecordKind, Related, Sourced,
    TenantMatch, TokenReach,
};
pub use rules::{
    Condition, OrgRules, RuleInForce, RuleQuestion, RuleTarget, RuleTargetSet, STANDINGS_MAX,
    SetTest, Test, Truth, in_common, in_either, standings_of,
};
pub use rules_one::RulesOne;
pub use shared_rules::SharedRules;
pub use words::{
    Age, AgeSet, AuthLevel, AuthLevelSet, Device, DeviceSet, EmergencyReason, EmergencyReasonSet,
    FactSource, FactSourceSet, Governance, GovernanceSet, Mode, ModeSet, Network, NetworkSet,
    OrgAction, OrgActionSet, Relation, RelationSet, Role, RoleSet, kind_code, kind_from_code,
};

#[cfg(test)]
mod tests;
