//! Which resources of this server a resource refers to, wherever it says so.
//!
//! A reference tells of what it leads to: that it exists, and often what it is about. So a
//! resource carries the labels of what it refers to (design §6, propagation); this module finds
//! the edges, whoever decides follows them.

use alloc::collections::BTreeSet;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use crate::json::Node;
use crate::search::{Target, read_reference};

/// Every resource of this server that is named by a literal reference at any depth, or by the
/// `url` of an attachment. `own_base` is our FHIR base without a slash at the end.
///
/// Patients are left out: whom a resource belongs to is a question of its own.
///
/// ```
/// # use proviso_fhir::{json::Doc, references::references};
/// let doc = Doc::parse(br#"{"resourceType":"Provenance","target":[
///     {"reference":"Condition/c/_history/2"},{"reference":"Patient/p"}]}"#.to_vec()).unwrap();
/// let found = references(doc.root(), "https://example.org/fhir");
/// assert_eq!(found.len(), 1);
/// ```
pub fn references(resource: Node<'_>, own_base: &str) -> BTreeSet<(ResourceType, ResourceId)> {
    targets(resource, own_base).map(|(_, target)| target).collect()
}

/// As [`references`], in reading order, each with the text that names it.
pub(crate) fn targets<'a>(
    resource: Node<'a>,
    own_base: &str,
) -> impl Iterator<Item = (Node<'a>, (ResourceType, ResourceId))> {
    resource
        .descendants()
        .filter(|node| matches!(node.key(), Some("reference" | "url")) || is_listed_url(*node))
        .filter_map(move |node| match read_reference(node.as_str()?, own_base) {
            Some(Target::Local { resource_type, id, .. }) => Some((node, (resource_type, id))),
            Some(Target::Url { .. } | Target::Contained(_)) | None => None,
        })
        .filter(|(_, (resource_type, _))| {
            !matches!(*resource_type, ResourceType::PATIENT | ResourceType::PERSON)
        })
}

/// Elements of type `uri` and `canonical` may name a resource too: `valueUri`, `instantiatesUri`.
fn is_listed_url(node: Node<'_>) -> bool {
    let key = node.key().or_else(|| node.parent().and_then(Node::key));
    key.is_some_and(|key| {
        matches!(key, "valueUri" | "valueUrl" | "valueCanonical") || key.starts_with("instantiates")
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};
    use alloc::vec::Vec;

    use super::*;
    use crate::json::Doc;

    fn of(text: &str) -> Vec<String> {
        let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
        references(doc.root(), "https://us.example/fhir")
            .into_iter()
            .map(|(kind, id)| [kind.to_string(), id.to_string()].join("/"))
            .collect()
    }

    #[test]
    fn every_reference_to_this_server_counts_whatever_its_form() {
        let text = r##"{"resourceType":"DiagnosticReport","subject":{"reference":"Patient/a"},
"result":[{"reference":"Observation/o1"},{"reference":"https://us.example/fhir/Observation/o2"},
{"reference":"Observation/o3/_history/1"},{"reference":"#c"},{"reference":"urn:uuid:1"},
{"reference":"https://other.example/fhir/Observation/o4"}],
"contained":[{"resourceType":"Observation","id":"c","derivedFrom":[{"reference":"Observation/o5"}]}],
"presentedForm":[{"url":"Binary/b"}],
"extension":[{"url":"http://x","valueReference":{"reference":"Condition/k"}},{"url":"y","valueUri":"Media/m"}]}"##;
        assert_eq!(
            of(text),
            [
                "Binary/b",
                "Condition/k",
                "Media/m",
                "Observation/o1",
                "Observation/o2",
                "Observation/o3",
                "Observation/o5"
            ]
        );
    }
}
