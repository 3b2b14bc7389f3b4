//! Going through a resource by what its elements are.

use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use crate::json::Node;
use crate::spec::{self, Element, ElementType, Member, Shape};

/// The key without the mark of a primitive's extensions.
pub(super) fn plain(key: &str) -> &str {
    key.strip_prefix('_').unwrap_or(key)
}

/// The shape of what stands under a key: that of the value, of a whole resource by its type, or of
/// what stands beside a primitive.
pub(super) fn shape_under(member: Member, key: &str, value: Node<'_>) -> Option<&'static Shape> {
    match member.element_type {
        ElementType::Inline => value.resource_type().and_then(spec::shape_of),
        ElementType::Primitive(_) if key.starts_with('_') => spec::primitive_extension_shape(),
        ElementType::Primitive(_) | ElementType::Complex(_) | ElementType::Reference(_) => {
            member.element_type.shape()
        }
    }
}

/// Visits every text under a node, with the element that it is the value of.
pub(super) fn each_text<'a>(
    node: Node<'a>,
    shape: &'static Shape,
    visit: &mut dyn FnMut(Node<'a>, &'static Shape, &'static Element, &'a str),
) {
    for (key, value) in node.entries() {
        let Some(member) = shape.member(plain(key)) else { continue };
        for item in value.items_or_self() {
            if item.as_str().is_some() {
                visit(item, shape, member.element, key);
            } else if let Some(inner) = shape_under(member, key, item) {
                each_text(item, inner, visit);
            }
        }
    }
}

/// The types that a reference could lead to: every one that it names, in its text or beside it; where
/// it names none, those that its element allows.
pub(super) fn targets_of(
    reference: Node<'_>,
    allowed: &'static [ResourceType],
) -> Vec<ResourceType> {
    let stated = reference.string_at(&["type"]);
    let text = reference.string_at(&["reference"]).unwrap_or_default();
    let named: Vec<ResourceType> =
        stated.iter().map(|name| &**name).chain(text.split('/')).flat_map(str::parse).collect();
    match (named.is_empty(), allowed.is_empty()) {
        (false, _) => named,
        (true, false) => allowed.to_vec(),
        (true, true) => ResourceType::all().collect(),
    }
}
