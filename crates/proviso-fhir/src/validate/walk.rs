//! Walking a resource along the tables.
//!
//! The walk recurses; the JSON reader has bounded the depth.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{FAULTS_MAX, Fault, FaultKind, codes, reference};
use crate::json::{Kind, Node};
use crate::spec::{self, Element, ElementType, Member, Primitive, Shape};

/// Where a resource stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The resource that is written.
    Root,
    /// In `contained`.
    Contained,
    /// In a Bundle entry or parameter.
    Inline,
}

/// A validation in progress.
pub(super) struct Walk<'a> {
    root: Node<'a>,
    /// The resource that contained ones belong to: the root, or an inline resource.
    container: Node<'a>,
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: Node<'a>) -> Self {
        Self { root, container: root, faults: Vec::new() }
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    fn is_full(&self) -> bool {
        self.faults.len() >= FAULTS_MAX
    }

    fn fault(&mut self, kind: FaultKind, node: Node<'a>) {
        let path = self.path_of(node, "");
        self.push(kind, path);
    }

    fn push(&mut self, kind: FaultKind, path: String) {
        if !self.is_full() {
            self.faults.push(Fault { kind, path });
        }
    }

    /// The path of a node, or of an element that should be in it.
    fn path_of(&self, node: Node<'a>, missing: &str) -> String {
        let mut parts = Vec::new();
        let name = self.root.resource_type().map_or("Resource", |name| name.as_str());
        parts.push(name);
        let path = node.path();
        // The root may itself be part of a larger document, such as an entry of a Bundle.
        let inner = path.strip_prefix(self.root.path().as_str()).unwrap_or(&path);
        let inner = inner.strip_prefix('.').unwrap_or(inner);
        if !inner.is_empty() {
            parts.push(".");
            parts.push(inner);
        }
        if !missing.is_empty() {
            parts.push(".");
            parts.push(missing);
        }
        parts.concat()
    }

    /// A whole resource.
    pub(super) fn resource(&mut self, node: Node<'a>, place: Place) {
        let shape = node.resource_type().and_then(spec::shape_of);
        let Some(shape) = shape.filter(|_| node.is_object()) else {
            self.fault(FaultKind::NotAResource, node);
            return;
        };
        let outer = self.container;
        match place {
            Place::Root => {}
            Place::Inline => self.container = node,
            Place::Contained => self.contained(node),
        }
        self.members(node, shape);
        if place != Place::Contained {
            self.container_rules(node);
        }
        self.container = outer;
    }

    /// Rules for one contained resource.
    fn contained(&mut self, node: Node<'a>) {
        if node.get("id").is_none() {
            self.fault(FaultKind::ContainedWithoutId, node);
        }
        if let Some(inner) = node.get("contained") {
            self.fault(FaultKind::NestedContained, inner);
        }
        for key in ["versionId", "lastUpdated"] {
            if let Some(field) = node.first(&["meta", key]) {
                self.fault(FaultKind::ContainedVersion, field);
            }
        }
    }

    /// Rules between a resource and what it contains.
    fn container_rules(&mut self, node: Node<'a>) {
        let Some(list) = node.get("contained") else { return };
        let mut ids: Vec<Cow<'a, str>> = Vec::new();
        for inner in list.items() {
            let Some(id) = inner.get("id").and_then(Node::as_str) else { continue };
            if ids.contains(&id) {
                self.fault(FaultKind::ContainedTwice, inner);
            } else if !reference::is_referred_to(node, inner, &id) {
                self.fault(FaultKind::Unreferenced, inner);
            }
            ids.push(id);
        }
    }

    /// The members of an object of that shape.
    fn members(&mut self, object: Node<'a>, shape: &'static Shape) {
        let mut seen: Vec<(&'static Element, &'a str)> = Vec::new();
        for (key, value) in object.entries() {
            if self.is_full() {
                return;
            }
            if key == "resourceType" && object.resource_type().is_some() {
                continue;
            }
            let plain = key.strip_prefix('_');
            let name = plain.unwrap_or(key);
            let Some(member) = shape.member(name) else {
                self.fault(FaultKind::UnknownElement, value);
                continue;
            };
            let twice = seen
                .iter()
                .any(|(element, other)| core::ptr::eq(*element, member.element) && *other != name);
            if twice {
                self.fault(FaultKind::TwoChoices, value);
            }
            seen.push((member.element, name));
            match (plain, member.element_type) {
                (None, _) => self.element(object, key, value, member),
                (Some(name), ElementType::Primitive(_)) => {
                    self.primitive_extensions(object, name, value, member.element);
                }
                (Some(_), _) => self.fault(FaultKind::UnknownElement, value),
            }
        }
        for element in shape.elements().filter(|element| element.min() > 0) {
            if !seen.iter().any(|(one, _)| core::ptr::eq(*one, element)) {
                let suffix = if element.is_choice() { "[x]" } else { "" };
                let path = self.path_of(object, &[element.name(), suffix].concat());
                self.push(FaultKind::Missing, path);
            }
        }
    }

    /// One member with its value or values.
    fn element(&mut self, object: Node<'a>, key: &str, value: Node<'a>, member: Member) {
        if !member.element.is_many() {
            if value.is_array() {
                self.fault(FaultKind::AnArray, value);
            } else {
                self.value(value, member);
            }
            return;
        }
        if !value.is_array() {
            self.fault(FaultKind::NotAnArray, value);
            return;
        }
        if value.is_empty() {
            self.fault(FaultKind::EmptyArray, value);
        }
        let extensions = object.get(&["_", key].concat());
        for (position, item) in value.items().enumerate() {
            let beside = extensions.and_then(|list| list.items().nth(position));
            if item.is_null() && beside.is_some_and(Node::is_object) {
                continue;
            }
            self.value(item, member);
        }
    }

    /// `_name`: id and extensions of a primitive, or of each primitive of a list.
    fn primitive_extensions(
        &mut self,
        object: Node<'a>,
        name: &str,
        value: Node<'a>,
        element: &'static Element,
    ) {
        let values = object.get(name);
        if !element.is_many() {
            self.extended(value);
            return;
        }
        if !value.is_array() {
            self.fault(FaultKind::NotAnArray, value);
            return;
        }
        if value.is_empty() {
            self.fault(FaultKind::EmptyArray, value);
        }
        if values.is_some_and(|values| values.len() != value.len()) {
            self.fault(FaultKind::UnmatchedExtensions, value);
        }
        let alone = values.is_none();
        for item in value.items() {
            if !item.is_null() {
                self.extended(item);
            } else if alone {
                // Neither a value nor extensions.
                self.fault(FaultKind::Null, item);
            }
        }
    }

    fn extended(&mut self, node: Node<'a>) {
        match spec::primitive_extension_shape() {
            Some(shape) if node.is_object() => self.object(node, shape),
            _ => self.fault(FaultKind::WrongJsonType, node),
        }
    }

    /// One value of an element.
    fn value(&mut self, node: Node<'a>, member: Member) {
        if node.is_null() {
            self.fault(FaultKind::Null, node);
            return;
        }
        match member.element_type {
            ElementType::Primitive(primitive) => self.primitive(node, primitive, member.element),
            ElementType::Inline => {
                let contained = member.element.name() == "contained";
                let place = if contained { Place::Contained } else { Place::Inline };
                self.resource(node, place);
            }
            ElementType::Complex(_) | ElementType::Reference(_) if !node.is_object() => {
                self.fault(FaultKind::WrongJsonType, node);
            }
            ElementType::Complex(_) => {
                let Some(shape) = member.element_type.shape() else { return };
                self.object(node, shape);
                if let Some(codes) = member.element.codes()
                    && !codes::fits(node, shape.name(), codes)
                {
                    self.fault(FaultKind::BadCode, node);
                }
            }
            ElementType::Reference(_) => {
                let Some(shape) = member.element_type.shape() else { return };
                self.object(node, shape);
                let found = reference::check(node, self.container, member.element_type.targets());
                if let Err(kind) = found {
                    self.fault(kind, node.get("reference").unwrap_or(node));
                }
            }
        }
    }

    fn primitive(&mut self, node: Node<'a>, primitive: Primitive, element: &'static Element) {
        use spec::Written;
        let text = match (primitive.written(), node.kind()) {
            (Written::String, Kind::String) => node.as_str(),
            (Written::Number, Kind::Number) => node.number_text().map(Cow::Borrowed),
            (Written::Boolean, Kind::Bool) => Some(Cow::Borrowed(node.raw_text())),
            _ => None,
        };
        let Some(text) = text else {
            self.fault(FaultKind::WrongJsonType, node);
            return;
        };
        if !primitive.accepts(&text) {
            self.fault(FaultKind::BadFormat, node);
        } else if element.codes().is_some_and(|codes| !codes.has_code(&text)) {
            self.fault(FaultKind::BadCode, node);
        }
    }

    /// An object that is no resource.
    fn object(&mut self, node: Node<'a>, shape: &'static Shape) {
        // R4 `ele-1`: an id alone is no content.
        if node.entries().all(|(key, _)| key == "id") {
            self.fault(FaultKind::EmptyObject, node);
            return;
        }
        self.members(node, shape);
        if shape.name() == "Extension" {
            let valued = node
                .entries()
                .any(|(key, _)| key.strip_prefix('_').unwrap_or(key).starts_with("value"));
            if valued == node.get("extension").is_some() {
                self.fault(FaultKind::BadExtension, node);
            }
        }
    }
}
