//! Rules that many hold, with what makes asking them quick.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

use super::answer::ObligationSet;
use super::rules::{OrgRules, RuleInForce, RuleQuestion, basis_of};
use crate::reason::ReasonCode;

/// Rules, held by many and written as the value.
#[derive(Debug, Clone)]
pub struct SharedRules(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rules: OrgRules,
    /// The places of the rules that are not idle: policies about other wards, places or people stay
    /// only to say what is missing, and cost nothing where something is permitted.
    busy: Vec<usize>,
    /// The obligations that any of those comes with.
    demands: ObligationSet,
}

impl SharedRules {
    /// To be shared from now on.
    pub fn new(rules: OrgRules) -> Self {
        let busy = || rules.rules.iter().enumerate().filter(|(_, rule)| !rule.is_idle());
        let demands = busy().flat_map(|(_, rule)| rule.obligations.iter().copied()).collect();
        let busy = busy().map(|(place, _)| place).collect();
        Self(Arc::new(Shared { rules, busy, demands }))
    }

    /// As [`OrgRules::basis`]; what it costs grows with the rules that could apply or fail.
    pub fn basis(&self, question: &RuleQuestion, met: ObligationSet) -> Option<ReasonCode> {
        basis_of(self.busy(), question, met)
    }

    /// The obligations of a permit; what it costs grows with the rules that could apply.
    pub fn obligations(&self, question: &RuleQuestion) -> ObligationSet {
        if self.0.demands.is_empty() {
            ObligationSet::EMPTY
        } else {
            self.answer(question).obligations.into_iter().collect()
        }
    }

    /// The obligations that some permit comes with which could apply.
    pub fn demands(&self) -> ObligationSet {
        self.0.demands
    }

    /// How many rules could apply or fail.
    pub fn busy_count(&self) -> usize {
        self.0.busy.len()
    }

    fn busy(&self) -> impl Iterator<Item = &RuleInForce> {
        self.0.busy.iter().filter_map(|place| self.0.rules.rules.get(*place))
    }

    /// Whether both are one value in memory, not merely equal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where it is in memory: a name for it while somebody holds it.
    pub fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl PartialEq for SharedRules {
    fn eq(&self, other: &Self) -> bool {
        self.0.rules == other.0.rules
    }
}

impl Eq for SharedRules {}

impl Deref for SharedRules {
    type Target = OrgRules;

    fn deref(&self) -> &OrgRules {
        &self.0.rules
    }
}

impl Serialize for SharedRules {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.rules.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedRules {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OrgRules::deserialize(deserializer).map(Self::new)
    }
}
