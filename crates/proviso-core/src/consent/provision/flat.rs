//! Flat readings: every provision is a rule whose condition includes all those above it.
//!
//! Knows the six combining codes of HL7 Permission; the joint rule uses the first of them.
//! Source: HL7 Permission, `permission-rule-combining`; OASIS XACML 3.0 appendix C.

use alloc::vec::Vec;

use super::evaluation::{Evaluation, Step, Trace};
use super::matching::{attributes, is_readable};
use super::tree::inherited_by_children;
use super::{
    CombiningCode, Cover, Directive, Match, Outcome, Provision, Reading, RecordFacts, RequestFacts,
    Rule,
};

struct Rules<'a> {
    request: &'a RequestFacts,
    record: &'a RecordFacts,
    reading: Reading,
    denies: bool,
    indeterminate: bool,
    permits: Option<Cover>,
}

impl Rules<'_> {
    fn list(
        &mut self,
        provisions: &[Provision],
        path: &[u16],
        above: Match,
        inherited: &Cover,
    ) -> Vec<Trace> {
        let mut traces = Vec::with_capacity(provisions.len());
        for (index, provision) in (0u16..).zip(provisions) {
            let mut here = Vec::with_capacity(path.len() + 1);
            here.extend_from_slice(path);
            here.push(index);
            traces.push(self.rule(provision, here, above, inherited));
        }
        traces
    }

    fn rule(
        &mut self,
        provision: &Provision,
        path: Vec<u16>,
        above: Match,
        inherited: &Cover,
    ) -> Trace {
        let readable = is_readable(provision);
        let attributes = if readable {
            attributes(provision, self.request, self.record, self.reading)
        } else {
            Vec::new()
        };
        // What stands under a rule that cannot be read stands under an unknown condition.
        let start = if readable { above } else { above.and(Match::UnknownCode) };
        let matched = attributes.iter().fold(start, |all, (_, one)| all.and(*one));
        let own = Cover::of_labels(&provision.labels, self.reading.permits_reach)
            .unwrap_or_else(|| inherited.clone());
        let (outcome, step) = match (readable, provision.rule, matched) {
            (_, _, Match::No) => (Outcome::NotApplicable, Step::NotMatched),
            (false, _, _) => (Outcome::Indeterminate, Step::Unreadable),
            (true, Rule::Permit, Match::Yes) => (Outcome::Permit, Step::OwnRule),
            (true, Rule::Permit, Match::Unknown | Match::UnknownCode) => {
                (Outcome::NotApplicable, Step::UnknownAttribute)
            }
            (true, Rule::Deny, Match::Yes) => (Outcome::Deny, Step::OwnRule),
            (true, Rule::Deny, Match::Unknown) => (Outcome::Deny, Step::DeniedAsUnknown),
            (true, Rule::Deny, Match::UnknownCode) => (Outcome::Indeterminate, Step::UnknownCode),
        };
        match outcome {
            Outcome::Permit => {
                self.permits = Some(self.permits.take().unwrap_or_default().or(own.clone()));
            }
            Outcome::Deny => self.denies = true,
            Outcome::Indeterminate => self.indeterminate = true,
            Outcome::NotApplicable => {}
        }
        let exceptions = if matched == Match::No {
            Vec::new()
        } else {
            let passed = inherited_by_children(provision, &own, inherited, self.reading);
            self.list(&provision.children, &path, matched, &passed)
        };
        Trace { path, rule: provision.rule, matched, attributes, outcome, step, exceptions }
    }
}

/// Evaluates a directive as a list of rules under a combining code.
pub(super) fn evaluate(
    directive: &Directive,
    code: CombiningCode,
    reading: Reading,
    request: &RequestFacts,
    record: &RecordFacts,
) -> Evaluation {
    let mut rules =
        Rules { request, record, reading, denies: false, indeterminate: false, permits: None };
    let provisions = rules.list(directive.provisions(), &[], Match::Yes, &Cover::Everything);
    let (said, cover, step) =
        combine(code, directive.base(), rules.denies, rules.indeterminate, rules.permits);
    Evaluation { dialect: directive.dialect(), said, cover, step, provisions }
}

/// Combines what the rules said.
///
/// The ordered codes give the same answers as the unordered ones: HL7 and XACML define them as
/// identical but for the order in which rules are looked at, and ours have no side effects.
pub(super) fn combine(
    code: CombiningCode,
    base: Option<Rule>,
    denies: bool,
    indeterminate: bool,
    permits: Option<Cover>,
) -> (Outcome, Cover, Step) {
    let deny = (Outcome::Deny, Cover::Nothing, Step::RuleDenies);
    let unread = (Outcome::Indeterminate, Cover::Nothing, Step::Unreadable);
    let otherwise = match base {
        Some(Rule::Permit) => (Outcome::Permit, Cover::Everything, Step::Base),
        Some(Rule::Deny) => (Outcome::Deny, Cover::Nothing, Step::Base),
        None => (Outcome::NotApplicable, Cover::Nothing, Step::NothingApplies),
    };
    // Where no rule denies, the directive's own permit covers everything, whatever rules add to it.
    let open = base == Some(Rule::Permit) && !denies && !indeterminate;
    let permits = permits.map(|cover| if open { Cover::Everything } else { cover });
    match code {
        CombiningCode::DenyOverrides | CombiningCode::OrderedDenyOverrides => {
            match (denies, indeterminate, permits) {
                (true, _, _) => deny,
                (false, true, _) => unread,
                (false, false, Some(cover)) => (Outcome::Permit, cover, Step::RulePermits),
                (false, false, None) => otherwise,
            }
        }
        CombiningCode::PermitOverrides | CombiningCode::OrderedPermitOverrides => {
            match (permits, denies, indeterminate) {
                (Some(cover), _, _) => (Outcome::Permit, cover, Step::RulePermits),
                (None, true, _) => deny,
                (None, false, true) => unread,
                (None, false, false) => otherwise,
            }
        }
        CombiningCode::DenyUnlessPermit => permits
            .map_or((Outcome::Deny, Cover::Nothing, Step::NothingPermits), |cover| {
                (Outcome::Permit, cover, Step::RulePermits)
            }),
        // XACML lets an unreadable rule pass here. What cannot be read never permits, so it denies.
        CombiningCode::PermitUnlessDeny if denies || indeterminate => deny,
        CombiningCode::PermitUnlessDeny => {
            (Outcome::Permit, Cover::Everything, Step::NothingForbids)
        }
    }
}
