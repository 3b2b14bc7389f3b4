//! Labels: which sensitive kinds a resource carries, and by which rule.
//!
//! Three sources, and their union is the answer; nothing subtracts. (1) Labels the resource already
//! has. (2) Codes anywhere inside it: `code`, `reasonCode`, contained resources, components, line
//! items ... (3) Words in every text inside it: displays, titles, narratives, notes and the text of
//! inline attachments. The rules are a value, [`RuleSet`]: the shipped ones, with what an
//! organisation changed of them. The module knows one resource at a time; whoever has the others at
//! hand walks along the [`Edge`]s and adds what each gives to its referrers
//! ([`RuleSet::label_for_referrers`]).

mod check;
mod content;
mod edges;
mod index;
mod plain;
mod rules;
mod security;
mod set;
mod system;
mod trace;
mod words;

use alloc::borrow::Cow;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::category_rules::is_directory;
use proviso_core::decision::Labels;
use proviso_core::label::{Confidence, Label, Origin};
use proviso_core::resource_type::ResourceType;

pub use self::edges::{Edge, Key, Walk};
pub use self::set::{
    Changes, CodeList, EdgeRule, KnownLabel, LabelRule, RuleFault, RuleProblem, RuleSet, Rules,
    STEPS_MAX, Text,
};
pub use self::system::CodeSystem;
pub use self::trace::{Trace, Traced};
pub use content::base64 as decode_base64;

use self::index::RuleIndex;
use self::security::Meaning;
use crate::json::Node;

/// The rule id of a kind that the resource's own security labels state by HL7's meaning.
pub const SECURITY_LABEL: &str = "security-label";

/// What a walk over a resource comes upon.
#[derive(Debug, Clone, Copy)]
enum Hit<'r> {
    /// A rule over codes or words.
    Rule(RuleIndex),
    /// A security label; `by` is the rule that knows it.
    Stated { kind: SensitiveKind, by: &'r str },
}

impl RuleSet {
    /// Computes the labels of a resource.
    ///
    /// ```
    /// # use proviso_fhir::{json::Doc, label::RuleSet};
    /// # use proviso_core::{category::{SensitiveKind, SensitiveSet}, decision::Labels};
    /// let rules = RuleSet::shipped();
    /// let doc = Doc::parse(br#"{"resourceType":"Condition","code":{"coding":[
    ///     {"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}]}}"#.to_vec()).unwrap();
    /// let hiv = SensitiveSet::EMPTY.with(SensitiveKind::Hiv);
    /// assert_eq!(rules.label(doc.root()), Labels::Known(hiv));
    /// ```
    pub fn label(&self, resource: Node<'_>) -> Labels {
        let mut kinds = SensitiveSet::EMPTY;
        let by_content = resource.resource_type().is_some_and(has_content);
        match self.walk(resource, by_content, &mut |hit, _| self.count(hit, &mut kinds)) {
            Legibility::Read => Labels::Known(kinds),
            Legibility::Unreadable if kinds.is_empty() => Labels::Unclassified,
            // What could be read counts; the rest may be anything.
            Legibility::Unreadable => Labels::Known(kinds.with(SensitiveKind::Restricted)),
        }
    }

    /// The kinds that a resource gives to whatever refers to it: its own labels, and for an entry
    /// of the directory what it says of itself. A program for recovery is an entry like any other
    /// until somebody's visit leads to it.
    ///
    /// What cannot be read gives nothing; it is withheld by itself.
    pub fn label_for_referrers(&self, resource: Node<'_>) -> SensitiveSet {
        let mut kinds = SensitiveSet::EMPTY;
        let (Legibility::Read | Legibility::Unreadable) =
            self.walk(resource, gives_content(resource), &mut |hit, _| self.count(hit, &mut kinds));
        kinds
    }

    /// Every label of a resource with its rule and place, sorted, each once.
    pub fn findings(&self, resource: Node<'_>) -> Vec<Label> {
        self.listed(resource, resource.resource_type().is_some_and(has_content))
    }

    /// As [`Self::findings`], of what a resource gives to its referrers.
    pub fn findings_for_referrers(&self, resource: Node<'_>) -> Vec<Label> {
        self.listed(resource, gives_content(resource))
    }

    fn listed(&self, resource: Node<'_>, by_content: bool) -> Vec<Label> {
        let mut found = Vec::new();
        // An unreadable part hides further findings; those made stand.
        let (Legibility::Read | Legibility::Unreadable) =
            self.walk(resource, by_content, &mut |hit, node| {
                found.extend(self.as_label(hit, node));
            });
        found.sort_unstable();
        found.dedup();
        found
    }

    fn count(&self, hit: Hit<'_>, kinds: &mut SensitiveSet) {
        let kind = match hit {
            Hit::Stated { kind, .. } => Some(kind),
            Hit::Rule(number) => self.rule(number).map(|rule| rule.kind),
        };
        *kinds = kind.map_or(*kinds, |kind| kinds.with(kind));
    }

    /// The kinds that the content of a resource gives it, apart from the labels that it states: for
    /// whoever takes those word for word.
    pub(crate) fn kinds_of_content(&self, resource: Node<'_>) -> SensitiveSet {
        let mut kinds = SensitiveSet::EMPTY;
        if !resource.resource_type().is_some_and(has_content) {
            return kinds;
        }
        let mut found = |hit: Hit<'_>, node: Node<'_>| {
            let in_label = is_security_label(node) || node.parent().is_some_and(is_security_label);
            if let Hit::Rule(number) = hit
                && !in_label
                && let Some(rule) = self.rule(number)
            {
                kinds = kinds.with(rule.kind);
            }
        };
        // What cannot be read leaves the resource unclassified, which `label` says.
        let (Legibility::Read | Legibility::Unreadable) = self.walk(resource, true, &mut found);
        kinds
    }

    fn as_label(&self, hit: Hit<'_>, node: Node<'_>) -> Option<Label> {
        let element = node.path();
        Some(match hit {
            Hit::Stated { kind, by } => Label {
                kind,
                rule: by.to_string(),
                confidence: Confidence::Stated,
                origin: Origin::ExistingLabel,
                element,
            },
            Hit::Rule(number) => {
                let rule = self.rule(number)?;
                Label {
                    kind: rule.kind,
                    rule: rule.id.to_string(),
                    confidence: rule.confidence,
                    origin: Origin::OwnContent,
                    element,
                }
            }
        })
    }

    fn walk<'r>(
        &'r self,
        resource: Node<'_>,
        by_content: bool,
        found: &mut dyn FnMut(Hit<'r>, Node<'_>),
    ) -> Legibility {
        if resource.resource_type().is_none() {
            return Legibility::Unreadable;
        }
        let mut stated = Stated::Nothing;
        let mut legibility = Legibility::Read;
        for node in resource.descendants() {
            if node.is_object() {
                if is_security_label(node) {
                    self.security_label(node, &mut stated, found);
                } else if by_content {
                    self.coding(node, found);
                    if let Legibility::Unreadable = self.attachment(node, found) {
                        legibility = Legibility::Unreadable;
                    }
                }
            } else if by_content && may_hold_words(node) {
                self.text(node, found);
            }
        }
        if stated == Stated::Confidentiality {
            // The source has labelled it, so content that we cannot read is classified all the
            // same.
            return Legibility::Read;
        }
        legibility
    }

    fn security_label<'r>(
        &'r self,
        node: Node<'_>,
        stated: &mut Stated,
        found: &mut dyn FnMut(Hit<'r>, Node<'_>),
    ) {
        let member = |key| node.get(key).and_then(Node::as_str).unwrap_or(Cow::Borrowed(""));
        let (system, code) = (member("system"), member("code"));
        let known = self.rules.known.iter().find(|label| {
            !security::is_known(&system) && label.system == system && label.code == code
        });
        let (meaning, by) = match known {
            Some(label) if label.means.is_empty() => (Meaning::Handling, label.id.as_ref()),
            Some(label) => (Meaning::Kinds(label.means), label.id.as_ref()),
            None => (security::meaning(&system, &code), SECURITY_LABEL),
        };
        match meaning {
            Meaning::Kinds(kinds) => {
                *stated = Stated::Confidentiality;
                for kind in kinds.iter() {
                    found(Hit::Stated { kind, by }, node);
                }
            }
            Meaning::Ordinary => *stated = Stated::Confidentiality,
            Meaning::Handling => {}
        }
    }

    /// Judges an object that has `code` as a Coding. Quantities look alike and match no rule,
    /// because the system of their units is none that a rule may name.
    fn coding<'r>(&'r self, node: Node<'_>, found: &mut dyn FnMut(Hit<'r>, Node<'_>)) {
        let Some(code) = node.get("code").and_then(Node::as_str) else { return };
        let uri = node.get("system").and_then(Node::as_str);
        self.codes.find(uri.as_deref(), &code, &mut |number| self.hit(number, node, found));
    }

    /// Passes a match of a rule on, where the rule looks at this place at all.
    fn hit<'r>(
        &'r self,
        number: RuleIndex,
        node: Node<'_>,
        found: &mut dyn FnMut(Hit<'r>, Node<'_>),
    ) {
        let looks = |rule: &LabelRule| edges::stands_at(node, &rule.on, &rule.at);
        if self.rule(number).is_some_and(looks) {
            found(Hit::Rule(number), node);
        }
    }

    /// Reads the text of an Attachment or Binary with inline data.
    fn attachment<'r>(
        &'r self,
        node: Node<'_>,
        found: &mut dyn FnMut(Hit<'r>, Node<'_>),
    ) -> Legibility {
        let Some(data) = node.get("data").and_then(Node::as_str) else { return Legibility::Read };
        let Some(content_type) = node.get("contentType").and_then(Node::as_str) else {
            // `data` is also a member of SampledData and Consent.provision, where it is no content;
            // only a Binary is nothing but its content.
            let is_binary = node.resource_type() == Some(ResourceType::BINARY);
            return if is_binary { Legibility::Unreadable } else { Legibility::Read };
        };
        if !content::is_text(&content_type) {
            return Legibility::Unreadable;
        }
        let Some(bytes) = content::base64(&data) else { return Legibility::Unreadable };
        self.scan_words(&bytes, node, found);
        Legibility::Read
    }

    fn text<'r>(&'r self, node: Node<'_>, found: &mut dyn FnMut(Hit<'r>, Node<'_>)) {
        if let Some(text) = node.as_str() {
            self.scan_words(text.as_bytes(), node, found);
        }
    }

    fn scan_words<'r>(
        &'r self,
        text: &[u8],
        node: Node<'_>,
        found: &mut dyn FnMut(Hit<'r>, Node<'_>),
    ) {
        self.words.scan(&plain::plain(text), &mut |number| self.hit(number, node, found));
    }
}

/// The kinds that the security labels of a resource and of its parts state by HL7's meaning; every
/// other label restricts. It needs no rules: a change must not take labels away, whoever knows
/// them.
pub fn stated_kinds(resource: Node<'_>) -> SensitiveSet {
    let mut kinds = SensitiveSet::EMPTY;
    for node in resource.descendants().filter(|node| node.is_object() && is_security_label(*node)) {
        let member = |key| node.get(key).and_then(Node::as_str).unwrap_or(Cow::Borrowed(""));
        match security::meaning(&member("system"), &member("code")) {
            Meaning::Kinds(stated) => kinds = kinds.union(stated),
            Meaning::Ordinary | Meaning::Handling => {}
        }
    }
    kinds
}

/// Whether a resource takes on the labels of what it refers to. People and the directory do not:
/// a patient's record would vanish behind the specialty of one of its clinicians.
pub fn takes_labels(resource_type: ResourceType) -> bool {
    has_content(resource_type)
}

/// Whether everything that matters could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Legibility {
    Read,
    Unreadable,
}

/// Whether a resource of this type is labelled by what it says, or only by labels it carries.
///
/// People and the directory say names and addresses; a match in them would be chance, and it would
/// hide the person's whole record or a colleague from the directory.
fn has_content(resource_type: ResourceType) -> bool {
    resource_type != ResourceType::PATIENT
        && resource_type != ResourceType::PERSON
        && !is_directory(resource_type)
}

/// Whether what a resource says counts for what refers to it.
fn gives_content(resource: Node<'_>) -> bool {
    !matches!(resource.resource_type(), Some(ResourceType::PATIENT | ResourceType::PERSON))
}

/// What the resource's own labels amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stated {
    Nothing,
    Confidentiality,
}

/// An item of `meta.security`, of the resource or of one inside it, or an inline label.
pub(crate) fn is_security_label(node: Node<'_>) -> bool {
    let in_meta = || {
        let holder = match node.key() {
            Some(_) => node,
            None => node.parent()?,
        };
        (holder.key()? == "security" && holder.parent()?.key()? == "meta").then_some(())
    };
    let inline = || {
        (node.key()? == "valueCoding").then_some(())?;
        (node.parent()?.string_at(&["url"])? == security::INLINE_LABEL).then_some(())
    };
    in_meta().is_some() || inline().is_some()
}

/// Members whose strings are no words of a clinical statement: identifiers, pointers, names of
/// people and places. Every other string is looked at, so that an element we have not thought of
/// is on the safe side.
const WORDLESS: &[&str] = &[
    "id",
    "resourceType",
    "versionId",
    "lastUpdated",
    "system",
    "reference",
    "data",
    "hash",
    "family",
    "given",
    "line",
    "city",
    "district",
    "state",
    "country",
    "postalCode",
    "value",
];

fn may_hold_words(node: Node<'_>) -> bool {
    let holder = if node.key().is_some() { Some(node) } else { node.parent() };
    holder.and_then(Node::key).is_none_or(|key| !WORDLESS.contains(&key))
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
