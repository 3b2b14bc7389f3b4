//! What `$validate` is about (FHIR R4 resource-operation-validate.html): a resource as the body, or
//! in Parameters as `resource`.

use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::{Doc, Node};

use super::check_type;
use crate::problem::{Problem, Refusal};

/// The resource to look at. A parameter that would ask for more than the base rules is refused,
/// so that nobody takes our answer for another one.
pub(super) fn resource_of(doc: Doc, kind: ResourceType) -> Result<Doc, Refusal> {
    if doc.resource_type() != Some(ResourceType::PARAMETERS) || kind == ResourceType::PARAMETERS {
        check_type(&doc, kind)?;
        return Ok(doc);
    }
    let mut found = None;
    for parameter in doc.root().get("parameter").into_iter().flat_map(Node::items) {
        match parameter.string_at(&["name"]).as_deref() {
            Some("resource") if found.is_none() => found = parameter.get("resource"),
            Some("mode") if is_write_mode(parameter) => {}
            Some("profile") if is_base_profile(parameter, kind) => {}
            Some(name) => return Err(Refusal::from(Problem::ParameterRefused).at(name)),
            None => return Err(Problem::ParameterRefused.into()),
        }
    }
    let resource = found.ok_or_else(|| Refusal::from(Problem::ParameterRefused).at("resource"))?;
    let inner = Doc::parse(resource.raw().to_vec()).map_err(|e| super::refuse_json(&e))?;
    check_type(&inner, kind)?;
    Ok(inner)
}

/// A create and an update ask the same of a resource here; a delete asks of what is stored.
fn is_write_mode(parameter: Node<'_>) -> bool {
    matches!(parameter.string_at(&["valueCode"]).as_deref(), Some("create" | "update"))
}

fn is_base_profile(parameter: Node<'_>, kind: ResourceType) -> bool {
    let base = format!("http://hl7.org/fhir/StructureDefinition/{kind}");
    let named = ["valueUri", "valueCanonical"].into_iter().find_map(|v| parameter.string_at(&[v]));
    named.as_deref() == Some(base.as_str())
}
