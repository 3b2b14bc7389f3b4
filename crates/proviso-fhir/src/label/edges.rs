//! Along which references labels travel, and how far.
//!
//! It knows one resource at a time and says what to look at next; whoever has the others at hand
//! walks ([`Walk`] keeps the way, the bound and what was seen).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::id::ResourceId;
use proviso_core::label::Hop;
use proviso_core::resource_type::ResourceType;

use super::set::{EdgeRule, RuleSet, Text};
use crate::json::Node;
use crate::references::targets;

/// A type and an id.
pub type Key = (ResourceType, ResourceId);

/// One reference along which labels travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge<'r> {
    /// The rule that lets them: of those that fit, the one that reaches farthest.
    pub rule: &'r str,
    /// Where the reference stands in the resource.
    pub element: String,
    /// What it leads to.
    pub target: Key,
    /// How far from the labelled record it may stand.
    pub steps: u8,
}

impl Edge<'_> {
    /// The step as explanations keep it.
    pub fn hop(&self) -> Hop {
        Hop {
            rule: self.rule.into(),
            element: self.element.clone(),
            to: self.target.0,
            id: self.target.1.clone(),
        }
    }
}

impl RuleSet {
    /// What a resource refers to along which labels travel, each with the greatest step at which
    /// it counts: [`Self::edges`] without what only explanations need.
    pub fn reach(&self, resource: Node<'_>, own_base: &str) -> BTreeMap<Key, u8> {
        let mut found = BTreeMap::new();
        for (node, target) in targets(resource, own_base) {
            let Some(rule) = self.edge_rule(node, target.0) else { continue };
            let steps = found.entry(target).or_insert(0);
            *steps = rule.steps.max(*steps);
        }
        found
    }

    /// The references of a resource along which labels travel, one for each target. `own_base` is
    /// our FHIR base without a slash at the end.
    pub fn edges(&self, resource: Node<'_>, own_base: &str) -> Vec<Edge<'_>> {
        let mut found: BTreeMap<Key, Edge<'_>> = BTreeMap::new();
        for (node, target) in targets(resource, own_base) {
            let Some(rule) = self.edge_rule(node, target.0) else { continue };
            if found.get(&target).is_some_and(|known| known.steps >= rule.steps) {
                continue;
            }
            let element = node.path();
            found.insert(
                target.clone(),
                Edge { rule: &rule.id, element, target, steps: rule.steps },
            );
        }
        found.into_values().collect()
    }

    /// The rule that lets labels travel farthest along a reference.
    fn edge_rule(&self, reference: Node<'_>, to: ResourceType) -> Option<&EdgeRule> {
        let mut best: Option<&EdgeRule> = None;
        let mut place: Option<Place<'_>> = None;
        for rule in &self.rules.edges {
            let reaches_farther = best.is_none_or(|best| best.steps < rule.steps);
            if !reaches_farther || !(rule.to.is_empty() || rule.to.contains(&to)) {
                continue;
            }
            let is_anywhere = rule.from.is_empty() && rule.elements.is_empty();
            if is_anywhere {
                best = Some(rule);
                continue;
            }
            let place = place.get_or_insert_with(|| Place::of(reference));
            if place.is_within(&rule.from, &rule.elements) {
                best = Some(rule);
            }
        }
        best
    }

    /// The greatest distance at which a reference still counts.
    pub fn steps_max(&self) -> u8 {
        self.rules.edges.iter().map(|rule| rule.steps).max().unwrap_or(0)
    }
}

/// Where a value stands: the resource that it is part of, and the names on the way up to it.
struct Place<'a> {
    kind: Option<ResourceType>,
    names: Vec<&'a str>,
}

impl<'a> Place<'a> {
    fn of(node: Node<'a>) -> Self {
        let mut names = Vec::new();
        let mut at = Some(node);
        while let Some(here) = at {
            let holder = here.parent();
            if is_resource_place(here, holder) {
                return Self { kind: here.resource_type(), names };
            }
            names.extend(here.key());
            at = holder;
        }
        Self { kind: None, names }
    }

    /// Whether that is a resource of one of these types, inside one of these elements; no types and
    /// no elements are every type and element.
    fn is_within(&self, types: &[ResourceType], elements: &[Text]) -> bool {
        let is_of_type = types.is_empty() || self.kind.is_some_and(|kind| types.contains(&kind));
        is_of_type
            && (elements.is_empty()
                || elements.iter().any(|path| {
                    let mut names = self.names.iter().rev();
                    path.split('.').all(|wanted| names.next() == Some(&wanted))
                }))
    }
}

/// Whether a resource stands here: at the top, in `contained`, or as an entry of a Bundle. Asking
/// every object on the way for its type would cost more than everything else.
fn is_resource_place(node: Node<'_>, holder: Option<Node<'_>>) -> bool {
    match (node.key(), holder) {
        (_, None) => true,
        (Some(key), Some(_)) => key == "resource" && node.get("resourceType").is_some(),
        (None, Some(holder)) => holder.key() == Some("contained"),
    }
}

/// As [`Place::is_within`], of a value.
pub(super) fn stands_at(node: Node<'_>, types: &[ResourceType], elements: &[Text]) -> bool {
    (types.is_empty() && elements.is_empty()) || Place::of(node).is_within(types, elements)
}

/// A walk from one record along references, breadth first: nothing is visited twice, so a cycle
/// ends it like any other end.
#[derive(Debug, Default)]
pub struct Walk {
    /// What was seen, and from where; the record itself is nowhere in it but for its own key.
    seen: BTreeMap<Key, Option<Key>>,
    /// What is still to be looked at, at this step.
    front: BTreeSet<Key>,
    step: u8,
    most: usize,
    is_cut: bool,
}

impl Walk {
    /// A walk from a record that visits at most so many others.
    pub fn new(own: Option<Key>, most: usize) -> Self {
        let seen = own.into_iter().map(|own| (own, None)).collect();
        Self { seen, step: 1, most, ..Self::default() }
    }

    /// Goes along the references of the record itself (`from` is `None`) or of one of the ring that
    /// is being looked at. Each comes with the greatest step at which it counts.
    pub fn go(&mut self, from: Option<&Key>, edges: impl IntoIterator<Item = (Key, u8)>) {
        for (target, steps) in edges {
            if steps < self.step || self.seen.contains_key(&target) {
                continue;
            }
            if self.seen.len() > self.most {
                self.is_cut = true;
                return;
            }
            self.seen.insert(target.clone(), from.cloned());
            self.front.insert(target);
        }
    }

    /// The next ring of resources to look at; none when the walk is over.
    pub fn next_ring(&mut self) -> Vec<Key> {
        self.step = self.step.saturating_add(1);
        core::mem::take(&mut self.front).into_iter().collect()
    }

    /// The way to something that was seen, from the record on: the last is the thing itself.
    pub fn way(&self, to: &Key) -> Vec<Key> {
        let mut way = alloc::vec![to.clone()];
        let mut at = to;
        while let Some(Some(before)) = self.seen.get(at) {
            way.push(before.clone());
            at = before;
        }
        way.reverse();
        way
    }

    /// Whether there was more than the walk may visit. Whoever walks counts every kind then.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}
