//! A consent version as a FHIR R4 Consent.
//!
//! The provision tree reads, in the dialect of design §6 (attributes AND, values OR, children are
//! exceptions of their parent): for this recipient, these purposes and this time nothing is shared;
//! except each chosen kind of record; except of those whatever carries the label of a sensitive
//! kind that was not named. Every permit holds that last exception itself, because between
//! siblings a deny would win over every permit and a permit over nothing.
//!
//! What R4 has no element for (the hash that names the version, the predecessor, the duration as
//! chosen, offline access, scopes, the SHA-256 of the text shown) is in extensions.

mod provision;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::example;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proviso_core::consent::{
    Capacity, ConsentStatus, ConsentVersion, DurationChoice, NamedConsent, OfflineAccess,
};
use proviso_core::id::{ConsentId, ResourceId};

use crate::json::write::{self, ArrayWriter, ObjectWriter};

/// The identifier system of consents; the value is the consent's own id.
pub const CONSENT_SYSTEM: &str = "urn:proviso:consent";
/// The identifier system of versions; the value is the content hash.
pub const VERSION_SYSTEM: &str = "urn:proviso:consent-version";
/// The identifier system of accounts.
pub const ACCOUNT_SYSTEM: &str = "urn:proviso:account";
/// The identifier system of apps.
pub const CLIENT_SYSTEM: &str = "urn:proviso:client";

/// The logical id under which a consent appears in FHIR, whose ids have no underscore.
pub fn resource_id(consent: &ConsentId) -> Option<ResourceId> {
    consent.as_str().replacen('_', "-", 1).parse().ok()
}

/// The consent that a logical id stands for.
pub fn consent_id(id: &ResourceId) -> Option<ConsentId> {
    id.as_str().replacen('-', "_", 1).parse().ok()
}

/// Writes a version as a FHIR R4 Consent.
pub fn to_fhir(consent: &NamedConsent) -> Vec<u8> {
    let version = consent.version();
    write::object(|out| {
        out.string("resourceType", "Consent");
        let id = resource_id(&version.consent);
        out.string_if("id", id.as_ref().map(ResourceId::as_str));
        out.object("meta", |meta| {
            meta.string("versionId", &version.number.to_string());
            meta.string("lastUpdated", &version.recorded_at.to_rfc3339());
        });
        if !version.language.is_empty() {
            out.string("language", &version.language);
        }
        out.array("extension", |extensions| write_extensions(version, extensions));
        out.array("identifier", |identifiers| {
            identifiers
                .object(|one| write_identifier(CONSENT_SYSTEM, version.consent.as_str(), one));
            identifiers.object(|one| write_identifier(VERSION_SYSTEM, consent.id().as_str(), one));
        });
        out.string("status", status_code(version.status));
        out.object("scope", |scope| {
            coded(scope, "http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy");
        });
        out.array("category", |categories| {
            // "Patient Consent", as US Core and IHE PCF name it.
            categories.object(|category| coded(category, "http://loinc.org", "59284-0"));
        });
        out.object("patient", |patient| {
            patient.string("reference", &["Patient/", version.patient.as_str()].concat());
        });
        out.string("dateTime", &version.recorded_at.to_rfc3339());
        out.array("performer", |performers| {
            performers.object(|performer| write_performer(version, performer));
        });
        out.object("sourceAttachment", |attachment| write_text_shown(version, attachment));
        if !version.policy_uri.is_empty() {
            out.array("policy", |policies| {
                policies.object(|policy| policy.string("uri", &version.policy_uri));
            });
        }
        if !version.legal_basis.is_empty() {
            out.object("policyRule", |rule| {
                coded(rule, "urn:proviso:legal-basis", &version.legal_basis);
            });
        }
        out.object("provision", |root| provision::write_root(version, root));
    })
}

fn status_code(status: ConsentStatus) -> &'static str {
    match status {
        ConsentStatus::Draft => "draft",
        ConsentStatus::Proposed => "proposed",
        ConsentStatus::Active => "active",
        ConsentStatus::Rejected => "rejected",
        ConsentStatus::Inactive => "inactive",
        ConsentStatus::EnteredInError => "entered-in-error",
    }
}

fn write_extensions(version: &ConsentVersion, out: &mut ArrayWriter<'_>) {
    let mut extension = |url: &str, key: &str, value: &str| {
        out.object(|one| {
            one.string("url", url);
            one.string(key, value);
        });
    };
    let duration = match version.duration {
        DurationChoice::Once => "once",
        DurationChoice::ThirtyDays => "30-days",
        DurationChoice::OneYear => "1-year",
        DurationChoice::UntilStopped => "until-stopped",
    };
    extension("urn:proviso:duration", "valueCode", duration);
    let offline = match version.offline {
        OfflineAccess::Allowed => "allowed",
        OfflineAccess::Refused => "refused",
    };
    extension("urn:proviso:offline-access", "valueCode", offline);
    if let Some(predecessor) = &version.predecessor {
        extension("urn:proviso:predecessor", "valueString", predecessor.as_str());
    }
    if let Some(reason) = version.change_reason.as_deref().filter(|text| !text.trim().is_empty()) {
        extension("urn:proviso:change-reason", "valueString", reason);
    }
    for scope in &version.granted_scopes {
        extension("urn:proviso:granted-scope", "valueString", &scope.to_string());
    }
}

fn write_identifier(system: &str, value: &str, out: &mut ObjectWriter<'_>) {
    out.string("system", system);
    out.string("value", value);
}

/// The members of a CodeableConcept with one coding.
fn coded(out: &mut ObjectWriter<'_>, system: &str, code: &str) {
    out.array("coding", |codings| codings.object(|one| coding(one, system, code)));
}

/// The members of a Coding.
fn coding(out: &mut ObjectWriter<'_>, system: &str, code: &str) {
    out.string("system", system);
    out.string("code", code);
}

/// Who gave it. A person who is not the patient has an account here, not a resource.
fn write_performer(version: &ConsentVersion, out: &mut ObjectWriter<'_>) {
    match version.capacity {
        Capacity::Patient => {
            out.string("reference", &["Patient/", version.patient.as_str()].concat());
        }
        Capacity::Proxy | Capacity::LegalAuthority => {
            out.string("type", "RelatedPerson");
            out.object("identifier", |id| {
                write_identifier(ACCOUNT_SYSTEM, version.given_by.as_str(), id);
            });
        }
    }
}

/// The exact text shown. R4's `Attachment.hash` is SHA-1, so our hash is an extension.
fn write_text_shown(version: &ConsentVersion, out: &mut ObjectWriter<'_>) {
    out.array("extension", |extensions| {
        extensions.object(|one| {
            one.string("url", "urn:proviso:sha-256");
            one.string("valueString", &version.shown_text_hash);
        });
    });
    out.string("contentType", "text/plain; charset=utf-8");
    if !version.language.is_empty() {
        out.string("language", &version.language);
    }
    if !version.shown_text.is_empty() {
        out.string("data", &base64(version.shown_text.as_bytes()));
    }
    out.string("creation", &version.recorded_at.to_rfc3339());
}

const ALPHABET: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    let symbol = |bits: usize| ALPHABET.get(bits & 63).copied().map_or('=', char::from);
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut block = [0_u8; 3];
        for (to, from) in block.iter_mut().zip(chunk) {
            *to = *from;
        }
        let [a, b, c] = block.map(usize::from);
        let bits = a << 16 | b << 8 | c;
        for (position, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            out.push(if position > chunk.len() { '=' } else { symbol(bits >> shift) });
        }
    }
    out
}
