//! Evaluation of one directive: what it says, and why.
//!
//! Knows the shape of an answer and which dialect gives it. Each reading has its own file.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{
    Attribute, Cover, Dialect, Directive, Fact, LabelSet, Match, Outcome, Reading, RecordFacts,
    RequestFacts, Rule, flat, pcf, tree,
};

/// Which step of the reading gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// An attribute does not apply, so neither does the provision.
    NotMatched,
    /// An attribute is not known, so a permit does not apply.
    UnknownAttribute,
    /// An attribute is not known, so a deny applies.
    DeniedAsUnknown,
    /// A deny names a code whose meaning is not known.
    UnknownCode,
    /// A part of the provision cannot be read, or its period is reversed.
    Unreadable,
    /// The rule of the provision itself.
    OwnRule,
    /// An exception denies.
    ExceptionDenies,
    /// An exception cannot be read.
    ExceptionIndeterminate,
    /// An exception permits.
    ExceptionPermits,
    /// The directive's own answer where no provision speaks.
    Base,
    /// No provision speaks.
    NothingApplies,
    /// The document is outside the profile that its dialect names.
    OutsideProfile,
    /// A deny among the rules decides.
    RuleDenies,
    /// A permit among the rules decides.
    RulePermits,
    /// Nothing forbids (IHE PCF), or no rule denies (`permit-unless-deny`).
    NothingForbids,
    /// No rule permits (`deny-unless-permit`).
    NothingPermits,
    /// A residual rule of a token forbids (IHE PCF).
    Forbidden,
}

/// What one provision said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Where the provision stands: the index at each level, from the root.
    pub path: Vec<u16>,
    /// Its rule.
    pub rule: Rule,
    /// Whether it applies; in flat readings, with everything above it.
    pub matched: Match,
    /// Every attribute that it states, with whether that applies.
    pub attributes: Vec<(Attribute, Match)>,
    /// What it says.
    pub outcome: Outcome,
    /// By which step.
    pub step: Step,
    /// What its exceptions said; empty where they were not reached.
    pub exceptions: Vec<Self>,
}

/// What a directive says of one request and one record, with the explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The reading.
    pub dialect: Dialect,
    /// What the provisions say, before labels are looked at; see [`Self::outcome`].
    pub said: Outcome,
    /// Which labels the permits that applied cover.
    pub cover: Cover,
    /// By which step.
    pub step: Step,
    /// What each provision said.
    pub provisions: Vec<Trace>,
}

impl Evaluation {
    /// What the directive says on its own: a permit that leaves a label uncovered is a deny.
    pub fn outcome(&self, labels: &Fact<LabelSet>) -> Outcome {
        if self.said == Outcome::Permit && !self.cover.covers(labels) {
            return Outcome::Deny;
        }
        self.said
    }

    /// Whether an unknown attribute made a difference in some provision: a steward can fill it in.
    pub fn rests_on_unknown(&self) -> bool {
        fn any(traces: &[Trace]) -> bool {
            traces.iter().any(|trace| {
                matches!(trace.step, Step::UnknownAttribute | Step::DeniedAsUnknown)
                    || any(&trace.exceptions)
            })
        }
        any(&self.provisions)
    }
}

/// Evaluates a directive under its own dialect. Total: every input has an answer.
pub fn evaluate(directive: &Directive, request: &RequestFacts, record: &RecordFacts) -> Evaluation {
    let dialect = directive.dialect();
    if !directive.unreadable().is_empty() {
        return Evaluation {
            dialect,
            said: Outcome::Indeterminate,
            cover: Cover::Nothing,
            step: Step::Unreadable,
            provisions: Vec::new(),
        };
    }
    match dialect {
        Dialect::Fast if tree::is_deeper_than(directive, 2) => outside_profile(dialect),
        Dialect::FhirTree | Dialect::LatestWins | Dialect::Fast => {
            tree::evaluate(directive, request, record)
        }
        Dialect::PcfBasic
        | Dialect::PcfIntermediate
        | Dialect::PcfAdvanced
        | Dialect::PcfImplicit => pcf::evaluate(directive, request, record),
        Dialect::Joint => flat::evaluate(
            directive,
            super::CombiningCode::DenyOverrides,
            Reading::JOINT,
            request,
            record,
        ),
        Dialect::Permission(code) => flat::evaluate(directive, code, Reading::HL7, request, record),
    }
}

pub(super) const fn outside_profile(dialect: Dialect) -> Evaluation {
    Evaluation {
        dialect,
        said: Outcome::Indeterminate,
        cover: Cover::Nothing,
        step: Step::OutsideProfile,
        provisions: Vec::new(),
    }
}
