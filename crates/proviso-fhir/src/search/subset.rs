//! `_summary` and `_elements`: parts of a resource, marked as such.

use alloc::vec::Vec;

use super::control::{Controls, Summary};
use crate::json::edit::Edit;
use crate::json::{Doc, Node};
use crate::spec::{self, Shape};

/// FHIR R4 resource.html#Meta.tag: what marks a resource that is not complete.
const SUBSETTED: &[u8] =
    br#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

impl Controls {
    /// The part of a resource that was asked for, or `None` where that is all of it.
    pub fn subset(&self, doc: &Doc) -> Option<Vec<u8>> {
        let whole = self.summary == Summary::False && self.elements.is_empty();
        let root = doc.root();
        let shape = root.resource_type().and_then(spec::shape_of)?;
        if whole {
            return None;
        }
        let mut edit = Edit::new(doc);
        for (key, node) in root.entries() {
            if key != "resourceType" && !self.keeps(shape, key) {
                edit.remove(node);
            } else if self.summary == Summary::True {
                trim(&mut edit, shape, key, node);
            }
        }
        mark(&mut edit, root);
        edit.finish().ok()
    }

    fn keeps(&self, shape: &Shape, key: &str) -> bool {
        let name = key.strip_prefix('_').unwrap_or(key);
        if matches!(name, "id" | "meta") {
            return true;
        }
        let Some(member) = shape.member(name) else { return false };
        // FHIR R4 search.html#elements: mandatory and modifier elements always stay.
        let needed = member.element.min() > 0 || member.element.is_modifier();
        if !self.elements.is_empty() {
            let asked = |wanted: &str| wanted == member.element.name() || wanted == name;
            return needed || self.elements.iter().any(|wanted| asked(wanted));
        }
        match self.summary {
            Summary::True => needed || member.element.is_summary(),
            Summary::Text => name == "text" || member.element.min() > 0,
            Summary::Data => name != "text",
            Summary::False | Summary::Count => true,
        }
    }
}

/// Removes what is not part of the summary inside an element that is.
fn trim(edit: &mut Edit<'_>, shape: &Shape, key: &str, node: Node<'_>) {
    let Some(inner) = shape.member(key).and_then(|member| member.element_type.shape()) else {
        return;
    };
    for item in node.items_or_self() {
        for (name, child) in item.entries() {
            let plain = name.strip_prefix('_').unwrap_or(name);
            let kept = inner.member(plain).is_none_or(|m| {
                m.element.is_summary() || m.element.is_modifier() || m.element.min() > 0
            });
            if kept {
                trim(edit, inner, name, child);
            } else {
                edit.remove(child);
            }
        }
    }
}

fn mark(edit: &mut Edit<'_>, root: Node<'_>) {
    let mut tags = Vec::from(*b"[");
    tags.extend_from_slice(SUBSETTED);
    tags.push(b']');
    let Some(meta) = root.get("meta").filter(|meta| meta.is_object()) else {
        let mut meta = Vec::from(*b"{\"tag\":");
        meta.extend_from_slice(&tags);
        meta.push(b'}');
        edit.set(root, "meta", &meta);
        return;
    };
    match meta.get("tag").filter(|tag| tag.is_array()) {
        Some(tag) => edit.insert_item(tag, tag.len(), SUBSETTED),
        None => edit.set(meta, "tag", &tags),
    }
}
