//! Which parts of a record go, and what is left of it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::decision::Labels;
use proviso_core::resource_type::ResourceType;

use super::canary::Secrets;
use super::walk::{plain, shape_under, targets_of};
use super::{Elements, Redactions};
use crate::json::Node;
use crate::json::edit::Edit;
use crate::spec::{Element, ElementType, Member, Shape};

/// v3-ObservationValue: the record is less than what is stored. It is on every record that could be.
const REDACTED: &str =
    r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}"#;
/// What stands in the place of something that must be there.
const MASKED: &str = r#""extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]"#;
/// LIMIT: so deep are mandatory elements within masked ones.
const MASK_DEPTH: usize = 4;

/// What goes.
pub(super) struct Marks<'r> {
    redactions: &'r Redactions,
    labels: Labels,
    /// The places of nodes that go, and everything under them.
    gone: BTreeSet<usize>,
    /// The data types that go from the resource that is gone through.
    types: Vec<&'static str>,
    /// Whether a resource was met that has rules.
    narrow: bool,
}

impl<'r> Marks<'r> {
    pub(super) fn new(redactions: &'r Redactions, labels: Labels) -> Self {
        let gone = BTreeSet::new();
        Self { redactions, labels, gone, types: Vec::new(), narrow: false }
    }

    /// Whether the record is not shown as it is stored.
    pub(super) fn is_any(&self) -> bool {
        self.narrow || !self.gone.is_empty()
    }

    /// Whether a resource was met that has rules.
    pub(super) const fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// A resource, on its own or within another.
    pub(super) fn resource(
        &mut self,
        root: Node<'_>,
        shape: &'static Shape,
        secrets: &mut Secrets,
    ) {
        let resource_type = root.resource_type();
        let rules = resource_type.and_then(|own| self.redactions.0.get(&own));
        let (mut paths, mut types) = (Vec::new(), Vec::new());
        for rule in rules.into_iter().flatten() {
            let applies = match (rule.kinds, self.labels) {
                (None, _) | (Some(_), Labels::Unclassified) => true,
                (Some(kinds), Labels::Known(own)) => !kinds.intersection(own).is_empty(),
            };
            match &rule.elements {
                Elements::At(path) if applies => paths.push(path.names()),
                Elements::OfType(hidden) if applies => types.push(hidden.name()),
                Elements::At(_) | Elements::OfType(_) => {}
            }
        }
        // What is within another resource has rules of its own, and those of what it is in not.
        let outer = core::mem::replace(&mut self.types, types);
        if rules.is_some() {
            self.narrow = true;
            // A narrative may say anything, and so may who wrote it down when.
            for name in ["text", "_text"] {
                self.gone.extend(root.get(name).map(Node::index));
            }
            for name in ["versionId", "lastUpdated", "source", "_versionId", "_lastUpdated"] {
                self.gone.extend(root.first(&["meta", name]).map(Node::index));
            }
        }
        self.object(root, shape, &paths, secrets);
        self.types = outer;
    }

    fn object(
        &mut self,
        node: Node<'_>,
        shape: &'static Shape,
        paths: &[&[String]],
        secrets: &mut Secrets,
    ) {
        for (key, value) in node.entries() {
            let Some(member) = shape.member(plain(key)) else { continue };
            let name = member.element.name();
            let mut inner: Vec<&[String]> = Vec::new();
            let mut goes = self.types.contains(&member.element_type.name());
            for path in paths {
                match path.split_first() {
                    Some((first, rest)) if first == name => {
                        goes |= rest.is_empty();
                        inner.push(rest);
                    }
                    Some(_) | None => {}
                }
            }
            if goes {
                let under = value.items_or_self().next().and_then(|v| shape_under(member, key, v));
                secrets.add(value, (shape, member.element), under);
                self.gone.insert(value.index());
                continue;
            }
            for item in value.items_or_self() {
                let Some(under) = shape_under(member, key, item) else { continue };
                if matches!(member.element_type, ElementType::Inline) {
                    self.resource(item, under, secrets);
                    continue;
                }
                if under.name() == "Reference" {
                    let targets = targets_of(item, member.element_type.targets());
                    self.reference(item, under, &targets, secrets);
                }
                self.object(item, under, &inner, secrets);
            }
        }
    }

    /// A reference says the name and the identifiers of what it leads to.
    fn reference(
        &mut self,
        node: Node<'_>,
        shape: &'static Shape,
        targets: &[ResourceType],
        secrets: &mut Secrets,
    ) {
        for (of, key) in [("name", "display"), ("identifier", "identifier")] {
            if !targets.iter().any(|target| self.redactions.hides_element(*target, of)) {
                continue;
            }
            let Some(value) = node.get(key) else { continue };
            let Some(member) = shape.member(key) else { continue };
            secrets.add(value, (shape, member.element), member.element_type.shape());
            self.gone.insert(value.index());
            self.gone.extend(node.get(&format!("_{key}")).map(Node::index));
        }
    }

    pub(super) fn is_gone(&self, node: Node<'_>) -> bool {
        let mut at = Some(node);
        while let Some(own) = at {
            if self.gone.contains(&own.index()) {
                return true;
            }
            at = own.parent();
        }
        false
    }

    /// A text that tells a secret goes; of a list of texts all do, since what stands beside them
    /// counts by position.
    pub(super) fn take_text(&mut self, text: Node<'_>) {
        let above = text.parent().filter(|parent| parent.is_array() || text.key() == Some("div"));
        self.gone.insert(above.unwrap_or(text).index());
    }

    /// A contained resource to which nothing leads any more goes (FHIR R4 references.html#contained,
    /// dom-3).
    pub(super) fn take_orphans(&mut self, root: Node<'_>) {
        loop {
            let leads_to = |inner: Node<'_>| {
                let id = inner.string_at(&["id"]).unwrap_or_default();
                let inside = inner.index()..inner.index() + inner.descendants().count();
                root.descendants().filter(|node| !self.is_gone(*node)).any(|node| {
                    let wanted = if inside.contains(&node.index()) { "" } else { &*id };
                    node.as_str().is_some_and(|text| text.strip_prefix('#') == Some(wanted))
                })
            };
            let is_orphan = |inner: &Node<'_>| !self.is_gone(*inner) && !leads_to(*inner);
            let contained = root.get("contained").into_iter().flat_map(Node::items);
            let orphans: Vec<usize> = contained.filter(is_orphan).map(Node::index).collect();
            if orphans.is_empty() {
                return;
            }
            self.gone.extend(orphans);
        }
    }

    /// Takes out what is marked, and what has nothing left; masks what must be there. Says whether
    /// anything is left of an object.
    pub(super) fn settle(
        &mut self,
        edit: &mut Edit<'_>,
        node: Node<'_>,
        shape: &'static Shape,
    ) -> bool {
        let mut left = false;
        let mut missing: Vec<Member> = Vec::new();
        // FHIR R4 extensibility.html, ext-1: an extension has a value or extensions.
        let says_nothing = |key: &str| shape.name() == "Extension" && matches!(key, "url" | "id");
        for (key, value) in node.entries() {
            let Some(member) = shape.member(plain(key)) else {
                left = true;
                continue;
            };
            if self.keep(edit, key, value, member) {
                left |= !says_nothing(key);
                continue;
            }
            edit.remove(value);
            if !missing.iter().any(|own| own.element.name() == member.element.name()) {
                missing.push(member);
            }
        }
        for member in missing.into_iter().filter(|own| own.element.min() > 0) {
            Self::mask(edit, node, member);
            left = true;
        }
        left
    }

    /// Whether something under a key is left.
    fn keep(&mut self, edit: &mut Edit<'_>, key: &str, value: Node<'_>, member: Member) -> bool {
        if self.gone.contains(&value.index()) {
            return false;
        }
        // The texts beside a list that goes, go with it.
        if let Some(name) = key.strip_prefix('_')
            && let Some(beside) = value.parent().and_then(|parent| parent.get(name))
            && self.gone.contains(&beside.index())
        {
            return false;
        }
        if value.is_array() {
            let mut left = false;
            for item in value.items() {
                if self.keep_item(edit, key, item, member) {
                    left = true;
                } else {
                    edit.remove(item);
                }
            }
            return left || value.is_empty();
        }
        self.keep_item(edit, key, value, member)
    }

    fn keep_item(
        &mut self,
        edit: &mut Edit<'_>,
        key: &str,
        item: Node<'_>,
        member: Member,
    ) -> bool {
        if self.gone.contains(&item.index()) {
            return false;
        }
        match shape_under(member, key, item) {
            Some(shape) if item.is_object() => self.settle(edit, item, shape) || item.is_empty(),
            Some(_) | None => true,
        }
    }

    /// Puts "masked" where FHIR demands something.
    fn mask(edit: &mut Edit<'_>, object: Node<'_>, member: Member) {
        let name = member.element.name();
        let key = if member.element.is_choice() {
            choice_key(name, member.element_type)
        } else {
            name.into()
        };
        let (key, value) = masked(&key, member.element, member.element_type, MASK_DEPTH);
        // A primitive's value is gone; what says so stands beside it.
        edit.set(object, &key, value.as_bytes());
    }
}

fn choice_key(name: &str, chosen: ElementType) -> String {
    let tail = chosen.name();
    let mut letters = tail.chars();
    let first = letters.next().map(|own| own.to_ascii_uppercase());
    let mut key = String::from(name);
    key.extend(first);
    key.push_str(letters.as_str());
    key
}

/// A member that stands for something masked: the key and the value.
fn masked(key: &str, element: &Element, of: ElementType, depth: usize) -> (String, String) {
    let many = |value: String| if element.is_many() { format!("[{value}]") } else { value };
    if matches!(of, ElementType::Primitive(_)) {
        return (format!("_{key}"), many(format!("{{{MASKED}}}")));
    }
    let mut value = format!("{{{MASKED}");
    if let Some(shape) = of.shape().filter(|_| depth > 0) {
        for inner in shape.elements().filter(|inner| inner.min() > 0) {
            let Some(first) = inner.types().first() else { continue };
            let key = if inner.is_choice() {
                choice_key(inner.name(), *first)
            } else {
                inner.name().into()
            };
            let (key, inner) = masked(&key, inner, *first, depth - 1);
            value.extend([",\"", &key, "\":", &inner]);
        }
    }
    value.push('}');
    (key.into(), many(value))
}

/// Says on the record that it is less than what is stored.
pub(super) fn tag(edit: &mut Edit<'_>, root: Node<'_>) {
    let has_tag =
        |label: Node<'_>| label.string_at(&["code"]).is_some_and(|code| code == "REDACTED");
    let meta = root.get("meta").filter(|meta| meta.is_object() && !edit.removes(*meta));
    match meta {
        None => edit.set(root, "meta", format!("{{\"security\":[{REDACTED}]}}").as_bytes()),
        Some(meta) => match meta.get("security").filter(|own| own.is_array()) {
            Some(list) if list.items().any(has_tag) => {}
            Some(list) => edit.insert_item(list, list.len(), REDACTED.as_bytes()),
            None => edit.set(meta, "security", format!("[{REDACTED}]").as_bytes()),
        },
    }
}
