//! The `fhir-tree` reading: provisions as a tree of exceptions (FHIR R4 and R5 Consent).
//!
//! - Attributes of a provision are all required, values of one are alternatives.
//! - An exception is reached only inside its parent, so its condition includes its parent's.
//! - Among siblings a deny decides, then what cannot be read, then a permit.
//! - Where no exception speaks, the provision's own rule holds.
//! - An unknown attribute makes a permit not match and a deny match. Both are said of the whole
//!   condition: a deny inside a permit that may apply, may apply; a permit inside a deny that may
//!   apply does not lift it.

use alloc::vec::Vec;

use super::evaluation::{Evaluation, Step, Trace};
use super::matching::{attributes, is_readable};
use super::{
    Cover, Directive, Match, Outcome, Provision, Reading, RecordFacts, RequestFacts, Rule,
};

/// The answers of siblings, combined.
pub(super) struct Siblings {
    pub(super) outcome: Outcome,
    /// What permits that stand beside each other cover.
    permits: Cover,
    /// What the exceptions of denies that were lifted cover; `None` when no deny was.
    lifted: Option<Cover>,
}

impl Siblings {
    pub(super) const NONE: Self =
        Self { outcome: Outcome::NotApplicable, permits: Cover::Nothing, lifted: None };

    /// Deny decides, then what cannot be read, then a permit. The order of siblings is irrelevant.
    pub(super) fn add(&mut self, rule: Rule, outcome: Outcome, cover: Cover) {
        const fn weight(outcome: Outcome) -> u8 {
            match outcome {
                Outcome::NotApplicable => 0,
                Outcome::Permit => 1,
                Outcome::Indeterminate => 2,
                Outcome::Deny => 3,
            }
        }
        if weight(outcome) > weight(self.outcome) {
            self.outcome = outcome;
        }
        if outcome == Outcome::Permit {
            match rule {
                Rule::Permit => self.permits = core::mem::take(&mut self.permits).or(cover),
                // Each deny that was lifted has to be lifted for every label.
                Rule::Deny => {
                    self.lifted = Some(match self.lifted.take() {
                        None => cover,
                        Some(lifted) => lifted.and(cover),
                    });
                }
            }
        }
    }

    /// What the node above them says.
    pub(super) fn settle(self, rule: Rule, matched: Match, own: Cover) -> (Outcome, Cover, Step) {
        match self.outcome {
            Outcome::Deny => (Outcome::Deny, Cover::Nothing, Step::ExceptionDenies),
            Outcome::Indeterminate => {
                (Outcome::Indeterminate, Cover::Nothing, Step::ExceptionIndeterminate)
            }
            Outcome::Permit => {
                // A deny that was lifted has taken away what the permit above it covered.
                let cover = match (self.lifted, rule) {
                    (Some(lifted), Rule::Permit | Rule::Deny) => lifted.or(self.permits),
                    (None, Rule::Permit) => own.or(self.permits),
                    (None, Rule::Deny) => self.permits,
                };
                (Outcome::Permit, cover, Step::ExceptionPermits)
            }
            Outcome::NotApplicable => match (rule, matched) {
                (_, Match::No) => (Outcome::NotApplicable, Cover::Nothing, Step::NotMatched),
                (Rule::Permit, Match::Yes) => (Outcome::Permit, own, Step::OwnRule),
                (Rule::Permit, Match::Unknown | Match::UnknownCode) => {
                    (Outcome::NotApplicable, Cover::Nothing, Step::UnknownAttribute)
                }
                (Rule::Deny, Match::Yes) => (Outcome::Deny, Cover::Nothing, Step::OwnRule),
                (Rule::Deny, Match::Unknown) => {
                    (Outcome::Deny, Cover::Nothing, Step::DeniedAsUnknown)
                }
                (Rule::Deny, Match::UnknownCode) => {
                    (Outcome::Indeterminate, Cover::Nothing, Step::UnknownCode)
                }
            },
        }
    }

    /// What a directive without a root says.
    fn at_root(self) -> (Outcome, Cover) {
        let cover = match self.lifted {
            Some(lifted) => lifted.or(self.permits),
            None => self.permits,
        };
        (self.outcome, cover)
    }
}

/// What a provision passes down to its exceptions as covered unless they name labels themselves.
///
/// An exception to a deny of a category, which names no label, is about that very category.
pub(super) fn inherited_by_children(
    provision: &Provision,
    own: &Cover,
    inherited: &Cover,
    reading: Reading,
) -> Cover {
    match provision.rule {
        Rule::Permit => own.clone(),
        Rule::Deny => {
            inherited.clone().or(Cover::categories(&provision.labels, reading.permits_reach))
        }
    }
}

struct Walk<'a> {
    request: &'a RequestFacts,
    record: &'a RecordFacts,
    reading: Reading,
}

impl Walk<'_> {
    fn siblings(
        &self,
        provisions: &[Provision],
        path: &[u16],
        above: Match,
        inherited: &Cover,
    ) -> (Siblings, Vec<Trace>) {
        let mut siblings = Siblings::NONE;
        let mut traces = Vec::with_capacity(provisions.len());
        for (index, provision) in (0u16..).zip(provisions) {
            let mut here = Vec::with_capacity(path.len() + 1);
            here.extend_from_slice(path);
            here.push(index);
            let (cover, trace) = self.node(provision, here, above, inherited);
            siblings.add(provision.rule, trace.outcome, cover);
            traces.push(trace);
        }
        (siblings, traces)
    }

    fn node(
        &self,
        provision: &Provision,
        path: Vec<u16>,
        above: Match,
        inherited: &Cover,
    ) -> (Cover, Trace) {
        let rule = provision.rule;
        let trace = |matched, attributes, outcome, step, exceptions| Trace {
            path: Vec::new(),
            rule,
            matched,
            attributes,
            outcome,
            step,
            exceptions,
        };
        if !is_readable(provision) {
            let unread =
                trace(above, Vec::new(), Outcome::Indeterminate, Step::Unreadable, Vec::new());
            return (Cover::Nothing, Trace { path, ..unread });
        }
        let attributes = attributes(provision, self.request, self.record, self.reading);
        let matched = attributes.iter().fold(above, |all, (_, one)| all.and(*one));
        let (siblings, exceptions, own) = if matched == Match::No {
            (Siblings::NONE, Vec::new(), Cover::Nothing)
        } else {
            let own = Cover::of_labels(&provision.labels, self.reading.permits_reach)
                .unwrap_or_else(|| inherited.clone());
            let passed = inherited_by_children(provision, &own, inherited, self.reading);
            let (siblings, exceptions) =
                self.siblings(&provision.children, &path, matched, &passed);
            (siblings, exceptions, own)
        };
        let (outcome, cover, step) = siblings.settle(rule, matched, own);
        (cover, Trace { path, ..trace(matched, attributes, outcome, step, exceptions) })
    }
}

/// Evaluates a directive as a tree.
pub(super) fn evaluate(
    directive: &Directive,
    request: &RequestFacts,
    record: &RecordFacts,
) -> Evaluation {
    let walk = Walk { request, record, reading: Reading::HL7 };
    let (siblings, provisions) =
        walk.siblings(directive.provisions(), &[], Match::Yes, &Cover::Everything);
    let (said, cover, step) = if let Some(rule) = directive.base() {
        let spoke = siblings.outcome != Outcome::NotApplicable;
        let (said, cover, step) = siblings.settle(rule, Match::Yes, Cover::Everything);
        (said, cover, if spoke { step } else { Step::Base })
    } else {
        let (said, cover) = siblings.at_root();
        let step = match said {
            Outcome::Permit => Step::RulePermits,
            Outcome::Deny => Step::RuleDenies,
            Outcome::NotApplicable => Step::NothingApplies,
            Outcome::Indeterminate => Step::Unreadable,
        };
        (said, cover, step)
    };
    Evaluation { dialect: directive.dialect(), said, cover, step, provisions }
}

/// Whether exceptions are nested more than so many levels deep, the root being one. A directive
/// with a base (FHIR R5) has its root in the base.
pub(super) fn is_deeper_than(directive: &Directive, levels: usize) -> bool {
    fn depth(provisions: &[Provision]) -> usize {
        provisions.iter().map(|provision| 1 + depth(&provision.children)).max().unwrap_or(0)
    }
    let above = usize::from(directive.base().is_some());
    depth(directive.provisions()) + above > levels
}
