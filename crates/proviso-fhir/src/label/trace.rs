//! Every label of a record with its way: what explanations, tests of rules and audits read.
//!
//! Labelling itself keeps no ways; this finds the same kinds by the same walk, slower, and says
//! where each comes from. It is driven from outside, since it does not know where resources are.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::decision::Labels;
use proviso_core::label::{Hop, Label, Origin};

use super::edges::{Key, Walk};
use super::set::RuleSet;
use super::takes_labels;
use crate::json::Doc;

/// LIMIT: a record that leads to more is treated as if each kind were among them.
const VISITS_MAX: usize = 1000;

/// The labels of a record, being traced: ask for each ring until it is empty, and give what is
/// there.
#[derive(Debug)]
pub struct Trace<'r> {
    rules: &'r RuleSet,
    own_base: String,
    walk: Walk,
    hops: BTreeMap<(Option<Key>, Key), Hop>,
    own: Labels,
    found: Vec<Label>,
    missing: BTreeSet<Key>,
}

/// The labels of a record and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// What decisions go by.
    pub labels: Labels,
    /// Each label with its rule, place and way.
    pub found: Vec<Label>,
    /// What it refers to and is not there, so that nothing is known of it.
    pub missing: Vec<Key>,
    /// Whether it leads to more than is looked at; every kind counts then.
    pub is_cut: bool,
}

impl<'r> Trace<'r> {
    /// Starts with the record itself.
    pub fn new(rules: &'r RuleSet, record: &Doc, own_base: &str) -> Self {
        let root = record.root();
        let own = record.resource_type().zip(record.id());
        let mut trace = Self {
            rules,
            own_base: own_base.into(),
            walk: Walk::new(own, VISITS_MAX),
            hops: BTreeMap::new(),
            own: rules.label(root),
            found: rules.findings(root),
            missing: BTreeSet::new(),
        };
        if record.resource_type().is_some_and(takes_labels) {
            trace.go(None, record);
        }
        trace
    }

    fn go(&mut self, from: Option<&Key>, doc: &Doc) {
        let edges = self.rules.edges(doc.root(), &self.own_base);
        for edge in &edges {
            self.hops.insert((from.cloned(), edge.target.clone()), edge.hop());
        }
        self.walk.go(from, edges.into_iter().map(|edge| (edge.target, edge.steps)));
    }

    /// What has to be looked at next; nothing when the trace is over.
    pub fn next_ring(&mut self) -> Vec<Key> {
        if self.walk.is_cut() { Vec::new() } else { self.walk.next_ring() }
    }

    /// Gives one of the ring, or says that it is not there.
    pub fn give(&mut self, key: &Key, doc: Option<&Doc>) {
        let Some(doc) = doc else {
            self.missing.insert(key.clone());
            return;
        };
        let way = self.way(key);
        let found = self.rules.findings_for_referrers(doc.root()).into_iter();
        self.found
            .extend(found.map(|label| Label { origin: Origin::Propagated(way.clone()), ..label }));
        self.go(Some(key), doc);
    }

    fn way(&self, key: &Key) -> Vec<Hop> {
        let mut way = Vec::new();
        let mut from = None;
        for next in self.walk.way(key) {
            way.extend(self.hops.get(&(from, next.clone())).cloned());
            from = Some(next);
        }
        way
    }

    /// The labels, once the rings are done.
    pub fn finish(mut self) -> Traced {
        self.found.sort_unstable();
        self.found.dedup();
        let is_cut = self.walk.is_cut();
        let around: SensitiveSet = if is_cut {
            SensitiveSet::all()
        } else {
            self.found.iter().map(|label| label.kind).collect()
        };
        let labels = match self.own {
            Labels::Known(kinds) => Labels::Known(kinds.union(around)),
            Labels::Unclassified if around.is_empty() => Labels::Unclassified,
            Labels::Unclassified => Labels::Known(around.with(SensitiveKind::Restricted)),
        };
        Traced { labels, found: self.found, missing: self.missing.into_iter().collect(), is_cut }
    }
}
