//! `$fileConsent` and `$revokeConsent` (HL7 FAST Consent Management): what is in their Parameters.

use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::{Doc, Node};

use super::{Asked, check_type, refuse_json};
use crate::problem::{Problem, Refusal};

/// LIMIT: documents filed with one Consent.
const DOCUMENTS_MAX: usize = 20;

/// Reads the Parameters of `$fileConsent`: one Consent, and what accompanies it.
pub(super) fn to_file(doc: &Doc) -> Result<Asked, Refusal> {
    let Parameters { consent, patient: None, documents } = parameters(doc)? else {
        return Err(Refusal::from(Problem::ParameterRefused).at("patient"));
    };
    let doc = inner(consent, ResourceType::CONSENT)?;
    let documents = documents
        .into_iter()
        .map(|(kind, document)| inner(document, kind))
        .collect::<Result<_, _>>()?;
    Ok(Asked::File { doc, documents })
}

/// Reads the Parameters of `$revokeConsent`: which Consent, and of whom.
pub(super) fn to_revoke(doc: &Doc) -> Result<Asked, Refusal> {
    let Parameters { consent, patient, documents } = parameters(doc)?;
    let missing = |name| Refusal::from(Problem::ParameterRefused).at(name);
    let id = consent.string_at(&["id"]).and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| missing("consent.id"))?;
    let patient = patient.ok_or_else(|| missing("patient"))?;
    let patient = patient.string_at(&["id"]).and_then(|id| id.parse().ok());
    let patient = patient.ok_or_else(|| missing("patient.id"))?;
    let documents = documents
        .into_iter()
        .map(|(kind, document)| inner(document, kind))
        .collect::<Result<_, _>>()?;
    Ok(Asked::Revoke { id, patient, documents })
}

struct Parameters<'a> {
    consent: Node<'a>,
    patient: Option<Node<'a>>,
    documents: Vec<(ResourceType, Node<'a>)>,
}

fn parameters(doc: &Doc) -> Result<Parameters<'_>, Refusal> {
    check_type(doc, ResourceType::PARAMETERS)?;
    let (mut consent, mut patient, mut documents) = (None, None, Vec::new());
    for parameter in doc.root().get("parameter").into_iter().flat_map(Node::items) {
        let name = parameter.string_at(&["name"]).unwrap_or_default().into_owned();
        let refused = || Refusal::from(Problem::ParameterRefused).at(&name);
        let resource = parameter.get("resource").ok_or_else(refused)?;
        // The profile writes the names of its slices with a capital, the definition without.
        match name.to_ascii_lowercase().as_str() {
            "consent" if consent.is_none() => consent = Some(resource),
            "patient" if patient.is_none() => patient = Some(resource),
            "document" | "questionnaire" if documents.len() < DOCUMENTS_MAX => {
                let kind = resource.resource_type().filter(|kind| {
                    [ResourceType::DOCUMENT_REFERENCE, ResourceType::QUESTIONNAIRE_RESPONSE]
                        .contains(kind)
                });
                documents.push((kind.ok_or_else(refused)?, resource));
            }
            _ => return Err(refused()),
        }
    }
    let consent = consent.ok_or_else(|| Refusal::from(Problem::ParameterRefused).at("consent"))?;
    Ok(Parameters { consent, patient, documents })
}

fn inner(node: Node<'_>, kind: ResourceType) -> Result<Doc, Refusal> {
    let doc = Doc::parse(node.raw().to_vec()).map_err(|error| refuse_json(&error))?;
    check_type(&doc, kind)?;
    Ok(doc)
}
