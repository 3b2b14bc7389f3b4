//! The `fhir-tree` reading: provisions as a tree of exceptions (FHIR R4 and R5 Consent).
//!
//! - Attributes of a provision are all required, values of one are alternatives.
//! - An exception is reached only inside its parent, so its condition includes its parent's.
//! - Among siblings a deny decides, then what cannot be read, then a permit.
//! - Where no exception speaks, the provision's own rule holds.
//! - An unknown attribute makes a permit not match and a deny match. Said of a whole tree: the
//!   answer is a deny if one is possible, and a permit only if it would be one whatever the unknown
//!   attributes turned out to be. So an exception that denies is heard even where its parent is
//!   only possible, and a permit is never reached by way of what is not known.

use alloc::vec::Vec;

use super::evaluation::{Evaluation, Step, Trace};
use super::matching::{attributes, is_readable};
use super::{
    Cover, Directive, Match, Outcome, Provision, Reading, RecordFacts, RequestFacts, Rule,
};

/// What one provision says to the one above it.
pub(super) struct Said {
    pub(super) outcome: Outcome,
    pub(super) step: Step,
    /// Of a permit: what it covers, whatever is not known.
    pub(super) cover: Cover,
    /// Of a deny that may apply and would be lifted if it did: what the lifting covers.
    pub(super) may_lift: Option<Cover>,
}

/// The answers of siblings, combined.
pub(super) struct Siblings {
    outcome: Outcome,
    /// What permits that stand beside each other cover.
    permits: Cover,
    /// What the exceptions of denies that were lifted cover; `None` when no deny was.
    lifted: Option<Cover>,
    /// The same of denies that may apply.
    may_lift: Option<Cover>,
}

/// Each deny that was lifted has to be lifted for every label.
fn both(one: Option<Cover>, other: Option<Cover>) -> Option<Cover> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

impl Siblings {
    pub(super) const NONE: Self = Self {
        outcome: Outcome::NotApplicable,
        permits: Cover::Nothing,
        lifted: None,
        may_lift: None,
    };

    /// Deny decides, then what cannot be read, then a permit. The order of siblings is irrelevant.
    pub(super) fn add(&mut self, rule: Rule, said: Said) {
        const fn weight(outcome: Outcome) -> u8 {
            match outcome {
                Outcome::NotApplicable => 0,
                Outcome::Permit => 1,
                Outcome::Indeterminate => 2,
                Outcome::Deny => 3,
            }
        }
        if weight(said.outcome) > weight(self.outcome) {
            self.outcome = said.outcome;
        }
        self.may_lift = both(self.may_lift.take(), said.may_lift);
        match (said.outcome, rule) {
            (Outcome::Permit, Rule::Permit) => {
                self.permits = core::mem::take(&mut self.permits).or(said.cover);
            }
            (Outcome::Permit, Rule::Deny) => {
                self.lifted = both(self.lifted.take(), Some(said.cover));
            }
            (Outcome::Deny | Outcome::NotApplicable | Outcome::Indeterminate, _) => {}
        }
    }

    /// What is covered where these siblings stand under a permit that covers `own`.
    ///
    /// A deny that was lifted has taken away what the permit above it covered; one that may apply
    /// may have.
    fn cover_under(self, own: Cover) -> Cover {
        let base = both(self.lifted.clone(), self.may_lift).map_or(own.clone(), |lifting| {
            if self.lifted.is_some() { lifting } else { own.and(lifting) }
        });
        base.or(self.permits)
    }

    /// What is covered where nothing above these siblings permits.
    fn cover_alone(self) -> Cover {
        if self.lifted.is_some() { self.cover_under(Cover::Nothing) } else { self.permits }
    }

    /// What the provision above them says.
    pub(super) fn settle(self, rule: Rule, matched: Match, own: Cover) -> Said {
        let said = |outcome, step| Said { outcome, step, cover: Cover::Nothing, may_lift: None };
        match (self.outcome, matched) {
            (_, Match::No) => said(Outcome::NotApplicable, Step::NotMatched),
            (Outcome::Deny, _) => said(Outcome::Deny, Step::ExceptionDenies),
            (Outcome::Indeterminate, _) => {
                said(Outcome::Indeterminate, Step::ExceptionIndeterminate)
            }
            (Outcome::Permit | Outcome::NotApplicable, Match::Yes) => {
                self.settle_certain(rule, own)
            }
            (Outcome::Permit, Match::Unknown | Match::UnknownCode) if rule == Rule::Deny => Said {
                may_lift: Some(self.cover_alone()),
                ..said(Outcome::NotApplicable, Step::UnknownAttribute)
            },
            (Outcome::Permit | Outcome::NotApplicable, Match::Unknown | Match::UnknownCode)
                if rule == Rule::Permit =>
            {
                said(Outcome::NotApplicable, Step::UnknownAttribute)
            }
            (_, Match::Unknown) => said(Outcome::Deny, Step::DeniedAsUnknown),
            (_, Match::UnknownCode) => said(Outcome::Indeterminate, Step::UnknownCode),
        }
    }

    /// The same for a provision that applies, under which nothing denies.
    fn settle_certain(self, rule: Rule, own: Cover) -> Said {
        let by_exception = self.outcome == Outcome::Permit;
        let (outcome, cover) = match rule {
            Rule::Permit => (Outcome::Permit, self.cover_under(own)),
            Rule::Deny if by_exception => (Outcome::Permit, self.cover_alone()),
            Rule::Deny => (Outcome::Deny, Cover::Nothing),
        };
        let step = if by_exception { Step::ExceptionPermits } else { Step::OwnRule };
        Said { outcome, step, cover, may_lift: None }
    }

    /// What a directive without a root says.
    fn at_root(self) -> (Outcome, Cover) {
        match self.outcome {
            Outcome::Permit => (Outcome::Permit, self.cover_alone()),
            Outcome::Deny | Outcome::NotApplicable | Outcome::Indeterminate => {
                (self.outcome, Cover::Nothing)
            }
        }
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
        inherited: &Cover,
    ) -> (Siblings, Vec<Trace>) {
        let mut siblings = Siblings::NONE;
        let mut traces = Vec::with_capacity(provisions.len());
        for (index, provision) in (0u16..).zip(provisions) {
            let mut here = Vec::with_capacity(path.len() + 1);
            here.extend_from_slice(path);
            here.push(index);
            let (said, trace) = self.node(provision, here, inherited);
            siblings.add(provision.rule, said);
            traces.push(trace);
        }
        (siblings, traces)
    }

    fn node(&self, provision: &Provision, path: Vec<u16>, inherited: &Cover) -> (Said, Trace) {
        let rule = provision.rule;
        let (said, matched, attributes, exceptions) = if is_readable(provision) {
            let attributes = attributes(provision, self.request, self.record, self.reading);
            let matched = attributes.iter().fold(Match::Yes, |all, (_, one)| all.and(*one));
            let own = Cover::of_labels(&provision.labels, self.reading.permits_reach)
                .unwrap_or_else(|| inherited.clone());
            let (siblings, exceptions) = if matched == Match::No {
                (Siblings::NONE, Vec::new())
            } else {
                let passed = inherited_by_children(provision, &own, inherited, self.reading);
                self.siblings(&provision.children, &path, &passed)
            };
            (siblings.settle(rule, matched, own), matched, attributes, exceptions)
        } else {
            let said = Said {
                outcome: Outcome::Indeterminate,
                step: Step::Unreadable,
                cover: Cover::Nothing,
                may_lift: None,
            };
            (said, Match::Unknown, Vec::new(), Vec::new())
        };
        let (outcome, step) = (said.outcome, said.step);
        (said, Trace { path, rule, matched, attributes, outcome, step, exceptions })
    }
}

/// Evaluates a directive as a tree.
pub(super) fn evaluate(
    directive: &Directive,
    request: &RequestFacts,
    record: &RecordFacts,
) -> Evaluation {
    let walk = Walk { request, record, reading: Reading::HL7 };
    let (siblings, provisions) = walk.siblings(directive.provisions(), &[], &Cover::Everything);
    let (said, cover, step) = if let Some(rule) = directive.base() {
        let spoke = siblings.outcome != Outcome::NotApplicable;
        let said = siblings.settle(rule, Match::Yes, Cover::Everything);
        (said.outcome, said.cover, if spoke { said.step } else { Step::Base })
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
