//! Sets of codes, read from ValueSet and CodeSystem resources.
//!
//! There is no terminology service: a set is exactly what stored resources enumerate. What would
//! need more than that (filters, parts of a code system, an expansion cut short) has no reading,
//! so that no answer rests on half a set.
//!
//! Versions of code systems are not compared: the values that a search looks at state none.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use super::reference::{self, Target};
use crate::json::Node;

/// LIMIT: rules that one set consists of, those of nested sets counted at each place.
const RULES_MAX: usize = 10_000;

/// Codes of one or more systems.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeSet {
    include: Vec<Rule>,
    exclude: Vec<Rule>,
}

/// Codes that satisfy everything that is stated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    system: Option<String>,
    codes: Option<BTreeSet<String>>,
    within: Vec<Arc<CodeSet>>,
}

/// How a value set is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueSetName {
    /// By its logical id here.
    Id(ResourceId),
    /// By its canonical URL.
    Url {
        /// The URL without a version.
        url: String,
        /// The version, where one is named.
        version: Option<String>,
    },
}

/// What a ValueSet says, while the sets that it refers to are still to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSetReading {
    include: Vec<Draft>,
    exclude: Vec<Draft>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Draft {
    system: Option<String>,
    codes: Option<BTreeSet<String>>,
    within: Vec<ValueSetName>,
}

/// Which way to go in a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards what is more general.
    Above,
    /// Towards what is more special.
    Below,
}

impl CodeSet {
    /// Some codes of one system.
    pub fn listing(system: &str, codes: BTreeSet<String>) -> Self {
        let system = Some(system.to_owned());
        let rule = Rule { system, codes: Some(codes), within: Vec::new() };
        Self { include: Vec::from([rule]), exclude: Vec::new() }
    }

    /// Whether a code of a system is in the set.
    pub fn contains(&self, system: &str, code: &str) -> bool {
        let holds = |rule: &Rule| {
            rule.system.as_deref().is_none_or(|own| own == system)
                && rule.codes.as_ref().is_none_or(|codes| codes.contains(code))
                && rule.within.iter().all(|set| set.contains(system, code))
        };
        self.include.iter().any(holds) && !self.exclude.iter().any(holds)
    }

    /// Codes among which all codes of the set are; `None` where it has whole systems.
    pub(super) fn listed(&self) -> Option<BTreeSet<&str>> {
        let mut all = BTreeSet::new();
        for rule in &self.include {
            match &rule.codes {
                Some(codes) => all.extend(codes.iter().map(String::as_str)),
                None => all.extend(rule.within.iter().find_map(|set| set.listed())?),
            }
        }
        Some(all)
    }

    fn weight(&self) -> usize {
        let of = |rule: &Rule| {
            rule.within.iter().fold(1_usize, |sum, set| sum.saturating_add(set.weight()))
        };
        self.include.iter().chain(&self.exclude).map(of).fold(0, usize::saturating_add)
    }
}

impl ValueSetName {
    /// Reads a canonical URL, `ValueSet/id`, or the address of a ValueSet of this server.
    pub fn parse(text: &str, own_base: &str) -> Option<Self> {
        match reference::read(text.into(), own_base)? {
            Target::Local { resource_type, id, version: None }
                if resource_type == ResourceType::VALUE_SET =>
            {
                Some(Self::Id(id))
            }
            Target::Url { url, version } if url.contains(':') => Some(Self::Url {
                url: url.into_owned(),
                version: version.map(alloc::borrow::Cow::into_owned),
            }),
            Target::Local { .. } | Target::Url { .. } | Target::Contained(_) => None,
        }
    }
}

fn string(node: Node<'_>, name: &str) -> Option<String> {
    node.get(name).and_then(Node::as_str).map(alloc::borrow::Cow::into_owned)
}

impl ValueSetReading {
    /// The ways in which a ValueSet can be read, the best first: its definition, and then the
    /// expansion that is stored with it.
    pub fn of(value_set: Node<'_>, own_base: &str) -> Vec<Self> {
        let mut readings = Vec::new();
        if value_set.resource_type() == Some(ResourceType::VALUE_SET) && is_plain(value_set) {
            let compose = value_set.get("compose");
            readings.extend(compose.and_then(|compose| Self::definition(compose, own_base)));
            readings.extend(value_set.get("expansion").and_then(Self::expansion));
        }
        readings
    }

    fn definition(compose: Node<'_>, own_base: &str) -> Option<Self> {
        // Without inactive codes the set needs to know which ones those are.
        if !is_plain(compose) || compose.get("inactive").and_then(Node::as_bool) == Some(false) {
            return None;
        }
        let drafts = |name| {
            let list = compose.get(name).into_iter().flat_map(Node::items_or_self);
            list.map(|node| Draft::read(node, own_base)).collect::<Option<Vec<_>>>()
        };
        let (include, exclude) = (drafts("include")?, drafts("exclude")?);
        if include.is_empty() { None } else { Some(Self { include, exclude }) }
    }

    /// FHIR R4 valueset.html: an expansion may be one page of several, a selection by text, or
    /// marked as not complete.
    fn expansion(expansion: Node<'_>) -> Option<Self> {
        let is_whole =
            expansion.get("offset").and_then(Node::number_text).is_none_or(|offset| offset == "0")
                && !expansion.at(&["parameter", "name"]).any(|name| {
                    name.as_str().is_none_or(|name| name == "filter" || name == "limitedExpansion")
                })
                && !expansion.at(&["extension", "url"]).any(|url| {
                    url.as_str().is_none_or(|url| {
                        url.ends_with("/valueset-unclosed") || url.ends_with("/valueset-toocostly")
                    })
                });
        if !is_whole || !is_plain(expansion) {
            return None;
        }
        let mut systems: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut open: Vec<Node<'_>> = Vec::from([expansion]);
        let mut entries = 0_usize;
        while let Some(parent) = open.pop() {
            for entry in parent.get("contains").into_iter().flat_map(Node::items_or_self) {
                if !is_plain(entry) {
                    return None;
                }
                entries += 1;
                open.push(entry);
                let is_abstract = entry.get("abstract").and_then(Node::as_bool) == Some(true);
                if let Some(code) = string(entry, "code").filter(|_| !is_abstract) {
                    systems.entry(string(entry, "system")?).or_default().insert(code);
                }
            }
        }
        let total = expansion.get("total").and_then(Node::number_text);
        if total.is_some_and(|total| total.parse().map_or(true, |total: usize| total > entries)) {
            return None;
        }
        let include = systems
            .into_iter()
            .map(|(system, codes)| Draft {
                system: Some(system),
                codes: Some(codes),
                within: Vec::new(),
            })
            .collect();
        Some(Self { include, exclude: Vec::new() })
    }

    /// The value sets that this one refers to.
    pub fn needs(&self) -> BTreeSet<&ValueSetName> {
        self.include.iter().chain(&self.exclude).flat_map(|draft| &draft.within).collect()
    }

    /// The set, given those it refers to; `None` when one of them is missing or all of it is too
    /// large.
    pub fn complete(self, found: &BTreeMap<ValueSetName, Arc<CodeSet>>) -> Option<CodeSet> {
        let rules = |drafts: Vec<Draft>| {
            let rules = drafts.into_iter().map(|draft| {
                let within: Option<Vec<_>> =
                    draft.within.iter().map(|name| found.get(name).cloned()).collect();
                Some(Rule { system: draft.system, codes: draft.codes, within: within? })
            });
            rules.collect::<Option<Vec<_>>>()
        };
        let set = CodeSet { include: rules(self.include)?, exclude: rules(self.exclude)? };
        if set.weight() > RULES_MAX { None } else { Some(set) }
    }
}

impl Draft {
    /// Reads one `include` or `exclude`.
    fn read(node: Node<'_>, own_base: &str) -> Option<Self> {
        if !is_plain(node) || node.get("filter").is_some() {
            return None;
        }
        let system = string(node, "system");
        let codes = match node.get("concept") {
            Some(list) => {
                Some(list.items_or_self().map(|c| string(c, "code")).collect::<Option<_>>()?)
            }
            None => None,
        };
        let within = node
            .get("valueSet")
            .into_iter()
            .flat_map(Node::items_or_self)
            .map(|name| ValueSetName::parse(&name.as_str()?, own_base))
            .collect::<Option<Vec<_>>>()?;
        // FHIR R4 ValueSet, vsd-1 and vsd-2: codes need a system, and something must be stated.
        if system.is_none() && (codes.is_some() || within.is_empty()) {
            return None;
        }
        Some(Self { system, codes, within })
    }
}

/// FHIR R4 extensibility.html#modifierExtension: what is not understood must not be ignored.
fn is_plain(node: Node<'_>) -> bool {
    node.get("modifierExtension").is_none()
}

/// A code with everything below or above it in the hierarchy of its CodeSystem; `None` when the
/// resource does not state the whole hierarchy, or has no such code.
///
/// FHIR R4 search.html#modifiers: `:below` finds what the code subsumes, `:above` what subsumes
/// it, the code itself among both.
pub fn hierarchy(code_system: Node<'_>, code: &str, direction: Direction) -> Option<CodeSet> {
    let system = string(code_system, "url")?;
    let is_complete = string(code_system, "content").as_deref() == Some("complete");
    // FHIR R4 codesystem-hierarchy-meaning: a group or a part does not subsume.
    let subsumes = string(code_system, "hierarchyMeaning").is_none_or(|meaning| meaning == "is-a");
    if !is_complete || !subsumes || !is_plain(code_system) {
        return None;
    }
    let edges = edges(code_system)?;
    let mut onward: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (parent, child) in &edges.pairs {
        let (from, to) = match direction {
            Direction::Below => (parent, child),
            Direction::Above => (child, parent),
        };
        onward.entry(from).or_default().push(to);
    }
    if !edges.codes.contains(code) {
        return None;
    }
    let mut reached = BTreeSet::from([code.to_owned()]);
    let mut open = Vec::from([code]);
    while let Some(from) = open.pop() {
        for to in onward.get(from).into_iter().flatten() {
            if reached.insert((*to).to_owned()) {
                open.push(to);
            }
        }
    }
    Some(CodeSet::listing(&system, reached))
}

struct Edges {
    codes: BTreeSet<String>,
    /// Parents with their children.
    pairs: Vec<(String, String)>,
}

/// FHIR R4 codesystem.html#hierarchy: concepts in concepts, and the properties `parent` and
/// `child`, under whatever code the code system gives them.
fn edges(code_system: Node<'_>) -> Option<Edges> {
    let named = |code: &str, fragment: &str| {
        let uri = code_system
            .get("property")
            .into_iter()
            .flat_map(Node::items_or_self)
            .find(|property| string(*property, "code").as_deref() == Some(code))
            .and_then(|property| string(property, "uri"));
        match uri
            .as_deref()
            .and_then(|uri| uri.strip_prefix("http://hl7.org/fhir/concept-properties#"))
        {
            Some(known) => known == fragment,
            None => uri.is_none() && code == fragment,
        }
    };
    let mut edges = Edges { codes: BTreeSet::new(), pairs: Vec::new() };
    let mut open: Vec<(Node<'_>, Option<String>)> = Vec::from([(code_system, None)]);
    while let Some((outer, parent)) = open.pop() {
        for concept in outer.get("concept").into_iter().flat_map(Node::items_or_self) {
            if !is_plain(concept) {
                return None;
            }
            let code = string(concept, "code")?;
            for property in concept.get("property").into_iter().flat_map(Node::items_or_self) {
                let (Some(name), Some(value)) =
                    (string(property, "code"), string(property, "valueCode"))
                else {
                    continue;
                };
                if named(&name, "parent") {
                    edges.pairs.push((value, code.clone()));
                } else if named(&name, "child") {
                    edges.pairs.push((code.clone(), value));
                }
            }
            edges.pairs.extend(parent.clone().map(|parent| (parent, code.clone())));
            edges.codes.insert(code.clone());
            open.push((concept, Some(code)));
        }
    }
    Some(edges)
}
