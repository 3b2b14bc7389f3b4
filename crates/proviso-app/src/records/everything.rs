//! `Patient/[id]/$everything` as a search of the patient's compartment.

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::search::{Context, Query, SearchError, SearchScope};

use super::{RecordFault, Records};

impl Records {
    /// The search that answers `$everything`: the compartment, and one step beyond it to whom and
    /// what it refers. Its pages are those of any search.
    ///
    /// `raw` holds the operation's own parameters: `_since`, `_type`, `_count` and those that lay
    /// out the answer. `start` and `end` are refused: they would need one meaning of "care date"
    /// for every type.
    ///
    /// # Errors
    /// A parameter that is unknown, not supported or malformed.
    pub fn everything(
        context: &Context<'_>,
        patient: &ResourceId,
        raw: &str,
    ) -> Result<Query, RecordFault> {
        let scope = SearchScope::Compartment {
            owner_type: ResourceType::PATIENT,
            owner: patient.clone(),
            resource_type: None,
        };
        let mut translated: Vec<String> = Vec::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name {
                "_since" => translated.push(format!("_lastUpdated=ge{value}")),
                "_type" | "_count" | "_format" | "_pretty" | "_summary" | "_elements"
                | "_total" => translated.push(part.to_owned()),
                _ => {
                    let parameter = name.to_owned();
                    return Err(SearchError::Unsupported { parameter }.into());
                }
            }
        }
        // With `_type`, only those types are wanted, wherever a reference may lead.
        if !translated.iter().any(|part| part.starts_with("_type=")) {
            translated.push("_include=*".to_owned());
        }
        Ok(Query::parse(context, scope, &[&translated.join("&")])?)
    }
}
