//! Why a resource in a file is labelled as it is: which rules fired, where, and from what it refers
//! to.

use proviso_core::label::Label;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::{Doc, JsonError};
use proviso_fhir::label::RuleSet;

use super::trial::{Expected, traced};

/// Why a resource cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// It is no JSON.
    #[error("not valid JSON: {0}")]
    NotJson(#[from] JsonError),
    /// It is no resource.
    #[error("`resourceType` is missing or unknown")]
    NoResource,
}

/// Why a resource is labelled as it is.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The type and, if it has one, the id.
    pub resource: String,
    /// What it is labelled.
    pub labels: Expected,
    /// Each label with its rule, place and way.
    pub found: Vec<Label>,
    /// What it refers to and was not at hand.
    pub missing: Vec<String>,
}

/// Explains one resource, or each entry of a Bundle, among the entries and `others`.
///
/// # Errors
/// One of the texts is no JSON or no resource.
pub fn explain_resource(
    rules: &RuleSet,
    text: Vec<u8>,
    others: Vec<Vec<u8>>,
) -> Result<Vec<Explained>, ExplainError> {
    let wanted = resources_of(text)?;
    let mut at_hand = wanted.clone();
    for other in others {
        at_hand.extend(resources_of(other)?);
    }
    Ok(wanted.iter().map(|doc| explained(rules, doc, &at_hand)).collect())
}

fn resources_of(text: Vec<u8>) -> Result<Vec<Doc>, ExplainError> {
    let doc = Doc::parse(text)?;
    match doc.resource_type() {
        None => Err(ExplainError::NoResource),
        Some(ResourceType::BUNDLE) => {
            let entries = doc.root().at(&["entry", "resource"]);
            let parsed = entries.map(|entry| Ok(Doc::parse(entry.raw().to_vec())?));
            parsed.collect()
        }
        Some(_) => Ok(vec![doc]),
    }
}

fn explained(rules: &RuleSet, doc: &Doc, at_hand: &[Doc]) -> Explained {
    let traced = traced(rules, doc, at_hand);
    let kind = doc.resource_type().map_or_else(String::new, |kind| kind.as_str().to_owned());
    let name = |kind: &str, id: &str| format!("{kind}/{id}");
    Explained {
        resource: match doc.id() {
            Some(id) => name(&kind, id.as_str()),
            None => kind,
        },
        labels: traced.labels.into(),
        found: traced.found,
        missing: traced.missing.iter().map(|(kind, id)| name(kind.as_str(), id.as_str())).collect(),
    }
}
