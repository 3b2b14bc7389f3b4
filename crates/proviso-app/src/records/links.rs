//! References by criteria, `Type?criteria`, and their replacement by what they lead to.

use std::collections::BTreeMap;

use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::edit::Edit;
use proviso_fhir::json::{Doc, Node, write};

use super::{RecordFault, Records, View};

/// Reads `Type?criteria` (FHIR R4 http.html#trules, conditional references).
pub(super) fn conditional(text: &str) -> Option<(ResourceType, &str)> {
    let (name, criteria) = text.split_once('?')?;
    Some((name.parse().ok()?, criteria)).filter(|_| !criteria.is_empty())
}

/// The name of the element a value belongs to, also for items of a list.
pub(super) fn element_name(node: Node<'_>) -> Option<&str> {
    node.key().or_else(|| node.parent().and_then(Node::key))
}

/// A resource with some of its texts replaced, each named by the place of its node.
pub(super) fn with_texts(doc: Doc, texts: &BTreeMap<usize, String>) -> Result<Doc, RecordFault> {
    if texts.is_empty() {
        return Ok(doc);
    }
    let mut edit = Edit::new(&doc);
    for node in doc.root().descendants() {
        if let Some(text) = texts.get(&node.index()) {
            edit.replace(node, write::string_text(text).as_bytes());
        }
    }
    let bytes = edit.finish().map_err(|_| RecordFault::WrongType)?;
    Ok(Doc::parse(bytes)?)
}

impl Records {
    /// What a conditional reference leads to in the view, as `Type/id`; `None` where it leads to
    /// nothing or to more than one resource.
    pub(super) async fn resolve(
        &self,
        text: &str,
        view: &dyn View,
    ) -> Result<Option<String>, RecordFault> {
        let Some((resource_type, criteria)) = conditional(text) else { return Ok(None) };
        match self.find_one(resource_type, criteria, view).await {
            Ok(found) => Ok(found.map(|found| format!("{}/{}", found.resource_type, found.id))),
            Err(RecordFault::MultipleMatches | RecordFault::Query(_) | RecordFault::NoCriteria) => {
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}
