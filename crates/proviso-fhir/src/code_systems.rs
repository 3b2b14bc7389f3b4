//! Code systems under all their names.
//!
//! HL7 moved its v3 code systems twice; texts name them by OID, by the address of FHIR STU3 and by
//! that of HL7 Terminology. Knows which names mean one system, and nothing about the codes.

use proviso_core::consent::provision::{
    ACTION_SYSTEM, CONFIDENTIALITY_SYSTEM, Coding, PURPOSE_SYSTEM, SENSITIVITY_SYSTEM,
};

use crate::json::Node;

/// HL7 v3 ParticipationType: the roles of actors.
pub(crate) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
/// FHIR resource types, as a code system.
pub(crate) const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";
/// Media types (BCP 13), as a code system.
pub(crate) const MEDIA_TYPES: &str = "urn:ietf:bcp:13";
/// URIs, as a code system.
pub(crate) const URIS: &str = "urn:ietf:rfc:3986";

/// The present name of a code system; any other name stays as it is.
pub(crate) fn present_name(system: &str) -> &str {
    match system {
        "http://hl7.org/fhir/v3/Confidentiality" | "urn:oid:2.16.840.1.113883.5.25" => {
            CONFIDENTIALITY_SYSTEM
        }
        "http://hl7.org/fhir/v3/ActCode" | "urn:oid:2.16.840.1.113883.5.4" => SENSITIVITY_SYSTEM,
        "http://hl7.org/fhir/v3/ActReason" | "urn:oid:2.16.840.1.113883.5.8" => PURPOSE_SYSTEM,
        "http://hl7.org/fhir/v3/ParticipationType" | "urn:oid:2.16.840.1.113883.5.90" => {
            PARTICIPATION
        }
        "http://hl7.org/fhir/v3/ObservationValue" | "urn:oid:2.16.840.1.113883.5.1063" => {
            "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
        }
        "http://hl7.org/fhir/consentaction" => ACTION_SYSTEM,
        // FHIR R5 keeps its types in a system of their own.
        "http://hl7.org/fhir/fhir-types" => RESOURCE_TYPES,
        other => other,
    }
}

/// Reads a FHIR `Coding`; `None` when it has no code. A missing system is an empty one.
pub(crate) fn coding(node: Node<'_>) -> Option<Coding> {
    let code = node.get("code")?.as_str()?;
    let system = node.get("system").and_then(Node::as_str).unwrap_or_default();
    Some(Coding::new(present_name(&system), code))
}
