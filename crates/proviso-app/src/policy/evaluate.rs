//! Answers: which policies are asked, what they say, and why nothing permits when nothing does.
//!
//! Three steps keep the cost down. An answer is remembered under the canonical bytes of its
//! question; the policies that can apply at all are chosen by action, kind of resource and roles
//! before Cedar sees any; and only a denial that no policy forbids is looked into for its reasons.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{Authorizer, Decision, PolicyId};
use proviso_core::decision::Effect;
use proviso_core::org::{
    Advice, Mode, OrgAction, OrgAnswer, OrgKey, OrgPolicy, OrgQuestion, OrgResource, OrgSubject,
    PolicyName, RoleSet,
};
use proviso_core::reason::ReasonCode;
use quick_cache::sync::Cache;

use super::ask::roles_held;
use super::atom::single;
use super::compile::{PolicySet, Rule};

/// LIMIT: answers remembered per set. One is some hundred bytes; the least used go first.
const MAX_ANSWERS: usize = 65_536;

/// LIMIT: choices of policies remembered per set; there are as many as combinations of action, kind
/// of resource and roles that occur.
const MAX_SLICES: usize = 4_096;

/// What chooses the policies that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SliceKey {
    action: OrgAction,
    resource: u8,
    service: bool,
    mode: Mode,
    roles: RoleSet,
}

/// The policies that can apply.
#[derive(Debug)]
struct Slice {
    set: cedar_policy::PolicySet,
    rules: Vec<Arc<Rule>>,
}

/// What is remembered between questions.
#[derive(Debug)]
pub(super) struct Engine {
    authorizer: Authorizer,
    answers: Cache<OrgKey, Arc<OrgAnswer>>,
    slices: Cache<SliceKey, Arc<Slice>>,
    /// Parts of policies by themselves, by their text.
    parts: Cache<String, Arc<cedar_policy::PolicySet>>,
}

impl Engine {
    pub(super) fn new() -> Self {
        Self {
            authorizer: Authorizer::new(),
            answers: Cache::new(MAX_ANSWERS),
            slices: Cache::new(MAX_SLICES),
            parts: Cache::new(MAX_SLICES),
        }
    }

    pub(super) const fn authorizer(&self) -> &Authorizer {
        &self.authorizer
    }

    /// A part of a policy as a set by itself; `None` when it is no condition.
    pub(super) fn part(&self, part: &serde_json::Value) -> Option<Arc<cedar_policy::PolicySet>> {
        let text = part.to_string();
        if let Some(known) = self.parts.get(&text) {
            return Some(known);
        }
        let made = Arc::new(single(part.clone()).ok()?);
        self.parts.insert(text, Arc::clone(&made));
        Some(made)
    }
}

/// How one policy stood to a question, for explanations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which policy.
    pub policy: PolicyName,
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// Whether it applied.
    pub applied: bool,
    /// What kept a permit from applying, in the order of its conditions.
    pub missing: Vec<ReasonCode>,
}

impl OrgPolicy for PolicySet {
    fn version(&self) -> &str {
        &self.version
    }

    fn answer(&self, question: &OrgQuestion) -> Arc<OrgAnswer> {
        let key = question.key();
        if let Some(known) = self.engine.answers.get(&key) {
            return known;
        }
        let answer = Arc::new(self.evaluate(question));
        self.engine.answers.insert(key, Arc::clone(&answer));
        answer
    }
}

impl PolicySet {
    /// The answer, worked out afresh.
    pub fn evaluate(&self, question: &OrgQuestion) -> OrgAnswer {
        let slice = self.slice(question);
        let Ok((request, entities)) = self.words.ask(question, None) else {
            return OrgAnswer::fault(BTreeSet::new());
        };
        let response = self.engine.authorizer.is_authorized(&request, &slice.set, &entities);
        // Cedar leaves out a policy that fails; were it one that forbids, leaving it out would
        // permit. Hence any failure denies.
        let faults: BTreeSet<&PolicyId> = response
            .diagnostics()
            .errors()
            .map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
            })
            .collect();
        if !faults.is_empty() {
            let named = |rule: &&Arc<Rule>| faults.contains(rule.policy.id());
            return OrgAnswer::fault(
                slice.rules.iter().filter(named).map(|rule| rule.name.clone()).collect(),
            );
        }
        let reasons: BTreeSet<&PolicyId> = response.diagnostics().reason().collect();
        let determining: Vec<&Arc<Rule>> =
            slice.rules.iter().filter(|rule| reasons.contains(rule.policy.id())).collect();
        match response.decision() {
            Decision::Allow => told(Effect::Permit, &determining),
            Decision::Deny if !determining.is_empty() => told(Effect::Deny, &determining),
            Decision::Deny => OrgAnswer::bare(Effect::Deny, self.lacking(question, &slice)),
        }
    }

    /// Every policy that could apply to such a question, and how it stood.
    pub fn explain(&self, question: &OrgQuestion) -> (OrgAnswer, Vec<Explained>) {
        let answer = self.evaluate(question);
        let slice = self.slice(question);
        let mut told = Vec::new();
        for rule in &slice.rules {
            let missing = self.missing(question, rule);
            let alone = cedar_policy::PolicySet::from_policies([rule.policy.clone()]);
            let applied = alone.is_ok_and(|alone| self.applies(question, &alone, &rule.policy));
            told.push(Explained {
                policy: rule.name.clone(),
                effect: rule.effect,
                applied,
                missing: if applied { Vec::new() } else { missing },
            });
        }
        (answer, told)
    }

    /// How many policies are asked for such a question.
    #[cfg(test)]
    pub(super) fn asked(&self, question: &OrgQuestion) -> usize {
        self.slice(question).rules.len()
    }

    fn applies(
        &self,
        question: &OrgQuestion,
        alone: &cedar_policy::PolicySet,
        policy: &cedar_policy::Policy,
    ) -> bool {
        self.words.ask(question, None).is_ok_and(|(request, entities)| {
            let response = self.engine.authorizer.is_authorized(&request, alone, &entities);
            response.diagnostics().reason().any(|id| id == policy.id())
        })
    }

    fn slice(&self, question: &OrgQuestion) -> Arc<Slice> {
        let key = SliceKey {
            action: question.action,
            resource: match question.resource {
                OrgResource::Record(_) => 0,
                OrgResource::Directory(_) => 1,
                OrgResource::Governance(_) => 2,
            },
            service: matches!(question.subject, OrgSubject::Service(_)),
            mode: question.mode,
            roles: roles_held(question),
        };
        if let Some(known) = self.engine.slices.get(&key) {
            return known;
        }
        let rules: Vec<Arc<Rule>> =
            self.rules.iter().filter(|rule| can_apply(rule, key)).cloned().collect();
        let policies = rules.iter().map(|rule| rule.policy.clone());
        // Names differ, which was checked, so the policies make a set; were it not so, a slice
        // without policies denies.
        let slice = match cedar_policy::PolicySet::from_policies(policies) {
            Ok(set) => Slice { set, rules },
            Err(_) => Slice { set: cedar_policy::PolicySet::new(), rules: Vec::new() },
        };
        let slice = Arc::new(slice);
        self.engine.slices.insert(key, Arc::clone(&slice));
        slice
    }

    /// Why nothing permits: what the permits that came closest lack.
    fn lacking(&self, question: &OrgQuestion, slice: &Slice) -> BTreeSet<ReasonCode> {
        let permits: Vec<Vec<ReasonCode>> = slice
            .rules
            .iter()
            .filter(|rule| rule.effect == Effect::Permit)
            .map(|rule| self.missing(question, rule))
            .filter(|missing| !missing.is_empty())
            .collect();
        let closest = permits.iter().map(Vec::len).min();
        let lacking: BTreeSet<ReasonCode> = permits
            .iter()
            .filter(|missing| Some(missing.len()) == closest)
            .flatten()
            .copied()
            .collect();
        if !lacking.is_empty() {
            return lacking;
        }
        // No permit is about this action for these roles; perhaps one is about another action.
        let other_action = OrgAction::ALL.iter().any(|action| {
            let other = OrgQuestion { action: *action, ..question.clone() };
            self.slice(&other).rules.iter().any(|rule| rule.effect == Effect::Permit)
        });
        BTreeSet::from([if other_action {
            ReasonCode::InteractionNotForRole
        } else {
            ReasonCode::RoleWithoutClinicalData
        }])
    }

    /// The conditions of a permit that do not hold, by the reasons given for them.
    fn missing(&self, question: &OrgQuestion, rule: &Rule) -> Vec<ReasonCode> {
        let Ok((request, entities)) = self.words.ask(question, None) else {
            return vec![ReasonCode::PolicyFault];
        };
        let holds = |single: &cedar_policy::PolicySet| {
            let response = self.engine.authorizer.is_authorized(&request, single, &entities);
            response.decision() == Decision::Allow
        };
        let mut missing: Vec<ReasonCode> = rule
            .otherwise
            .iter()
            .filter(|(single, _)| !holds(single))
            .map(|(_, reason)| *reason)
            .collect();
        missing.dedup();
        missing
    }
}

fn can_apply(rule: &Rule, key: SliceKey) -> bool {
    let head = &rule.head;
    let reached = match key.resource {
        0 => head.reach.record,
        1 => head.reach.directory,
        _ => head.reach.governance,
    };
    let subject = if key.service { head.service } else { head.person };
    let role_held = head.role.is_none_or(|role| key.roles.contains(role));
    let mode = head.modes.contains(key.mode);
    head.actions.contains(key.action) && reached && subject && role_held && mode
}

fn told(effect: Effect, determining: &[&Arc<Rule>]) -> OrgAnswer {
    let reasons = determining.iter().map(|rule| rule.reason).collect();
    let advice = determining
        .iter()
        .filter_map(|rule| Some(Advice { policy: rule.name.clone(), text: rule.advice.clone()? }));
    OrgAnswer {
        determining: determining.iter().map(|rule| rule.name.clone()).collect(),
        obligations: determining.iter().flat_map(|rule| rule.obligations.iter().copied()).collect(),
        advice: advice.collect(),
        ..OrgAnswer::bare(effect, reasons)
    }
}
