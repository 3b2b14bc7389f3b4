//! Whom a resource belongs to: every patient named anywhere on it.
//!
//! The Patient compartment of R4 asks for *a* link to the patient; a decision must ask for more.
//! An Observation about Maria whose `focus` is her sister is the sister's too, so each patient
//! named anywhere must permit (design §6). Hence the rules:
//!
//! - Every `Reference` at any depth counts: subject, focus, participant, link, members of a Group,
//!   items of a List, references inside extensions, contained resources and Bundle entries.
//! - `Patient/…` names that patient. An absolute URL names a patient of another server, who is not
//!   the one that has the same id here, unless the URL starts with a base known to be ours.
//! - What may name a patient but cannot be resolved makes the whole resource
//!   [`Belonging::Unknown`], which no patient's permission covers: a `Patient?…` search, a contained
//!   Patient, a `urn:` or absolute URL, a reference by identifier alone. It does not count when the
//!   reference says that it is of another type, when R4 lets the element point to no Patient, or
//!   when the identifier is a US National Provider Identifier.
//! - A reference that has a display text only names nobody that a machine could find.
//! - A resource of a directory type ([`is_directory`]) that names no patient is
//!   [`Belonging::Directory`]. Any other
//!   resource that names none is [`Belonging::Unknown`]; so is a Binary whose `securityContext` is
//!   not a patient, until the caller has looked at that context.

#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use core::str::FromStr;

use proviso_core::category_rules::is_directory;
use proviso_core::decision::Belonging;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::resource_type::ResourceType;

use crate::json::Node;
use crate::spec::{self, Member, Shape};

/// Identifier systems whose identifiers can never be a patient's.
const PROVIDER_SYSTEMS: &[&str] =
    &["http://hl7.org/fhir/sid/us-npi", "urn:oid:2.16.840.1.113883.4.6"];

/// Whom a resource belongs to. No absolute URL counts as ours.
pub fn belonging(resource: Node<'_>) -> Belonging {
    belonging_under(resource, &[])
}

/// Whom a resource belongs to, where absolute URLs below these bases (without a slash at the end)
/// name our own resources.
pub fn belonging_under(resource: Node<'_>, own_bases: &[&str]) -> Belonging {
    let mut named = Named { own_bases, patients: BTreeSet::new(), unresolved: false };
    let Some(resource_type) = resource.resource_type() else { return Belonging::Unknown };
    // A Consent is the patient's whose it is; whoever else it names is somebody it speaks of.
    let whole = resource_type != ResourceType::CONSENT;
    let own = if whole { Some(resource) } else { resource.get("patient") };
    for node in own.into_iter().flat_map(Node::descendants) {
        match node.key() {
            Some("reference") if !node.is_object() => named.literal(resource, node),
            Some("identifier") if node.is_object() => named.by_identifier(node),
            Some("resourceType") => named.inner_resource(resource, node),
            Some(_) | None => {}
        }
    }
    if named.unresolved {
        Belonging::Unknown
    } else if !named.patients.is_empty() {
        Belonging::Patients(named.patients)
    } else if is_directory(resource_type) {
        Belonging::Directory
    } else {
        Belonging::Unknown
    }
}

/// Where the text of a reference leads.
enum Lead<'t> {
    /// To that patient here.
    Patient(PatientId),
    /// To something that is no patient.
    Other,
    /// To a contained resource.
    Contained(&'t str),
    /// It cannot be said.
    Unclear,
}

struct Named<'b> {
    own_bases: &'b [&'b str],
    patients: BTreeSet<PatientId>,
    unresolved: bool,
}

impl Named<'_> {
    /// A `reference` member.
    fn literal(&mut self, resource: Node<'_>, node: Node<'_>) {
        let Some(text) = node.as_str() else {
            // A number or list where a text belongs: nobody can say what it names.
            self.unresolved = true;
            return;
        };
        match self.lead(&text) {
            Lead::Patient(id) => {
                self.patients.insert(id);
            }
            Lead::Other => {}
            Lead::Contained(local) => {
                let target = contained_type(resource, local);
                let clear = match target {
                    // The contained Patient itself is found by `inner_resource`.
                    Some(_) => true,
                    None => node.parent().is_some_and(|parent| !may_be_patient(parent)),
                };
                self.unresolved |= !clear;
            }
            Lead::Unclear => self.unresolved |= node.parent().is_none_or(may_be_patient),
        }
    }

    fn lead<'t>(&self, text: &'t str) -> Lead<'t> {
        if let Some(local) = text.strip_prefix('#') {
            return Lead::Contained(local);
        }
        let own = self.own_bases.iter().find_map(|base| text.strip_prefix(base)?.strip_prefix('/'));
        let is_own = own.is_some() || !text.contains(':');
        let path = own.unwrap_or(text);
        if let Some((name, _)) = path.split_once('?') {
            // A conditional reference that was not resolved: `Practitioner?identifier=…`.
            return match name.rsplit('/').next().map(ResourceType::from_str) {
                Some(Ok(ResourceType::PATIENT) | Err(_)) | None => Lead::Unclear,
                Some(Ok(_)) => Lead::Other,
            };
        }
        let path = path.split_once("/_history/").map_or(path, |(path, _)| path);
        let mut parts = path.rsplit('/');
        let id = parts.next().and_then(|id| ResourceId::from_str(id).ok());
        let name = parts.next().and_then(|name| ResourceType::from_str(name).ok());
        match (name, id) {
            (Some(ResourceType::PATIENT), Some(id)) if is_own && parts.next().is_none() => {
                Lead::Patient(id.into_patient())
            }
            (Some(ResourceType::PATIENT) | None, _) | (_, None) => Lead::Unclear,
            (Some(_), Some(_)) => Lead::Other,
        }
    }

    /// An `identifier` that may stand for a reference.
    fn by_identifier(&mut self, identifier: Node<'_>) {
        let Some(parent) = identifier.parent() else { return };
        let known = |key: &str| {
            matches!(
                key,
                "identifier" | "type" | "display" | "id" | "extension" | "_type" | "_display"
            )
        };
        // With a literal reference beside it, that one counts.
        if !parent.entries().all(|(key, _)| known(key)) {
            return;
        }
        let system = identifier.get("system").and_then(Node::as_str);
        let provider = system.is_some_and(|system| PROVIDER_SYSTEMS.contains(&system.as_ref()));
        self.unresolved |= !provider && may_be_patient(parent);
    }

    /// A `resourceType` member: a resource of its own, inside the one that is looked at.
    fn inner_resource(&mut self, resource: Node<'_>, node: Node<'_>) {
        let Some(inner) = node.parent() else { return };
        if node.as_str().as_deref() != Some("Patient") {
            return;
        }
        // A contained resource has no id outside of its container (FHIR R4 references.html).
        let is_contained = inner.index() != resource.index()
            && (inner.key() == Some("contained")
                || inner.parent().is_some_and(|list| list.key() == Some("contained")));
        let id = inner.get("id").and_then(Node::as_str);
        let id = id.and_then(|id| PatientId::from_str(&id).ok()).filter(|_| !is_contained);
        match id {
            Some(id) => {
                self.patients.insert(id);
            }
            None => self.unresolved = true,
        }
    }
}

/// The type of a contained resource; `None` if there is no such one. `#` alone is the container.
fn contained_type(resource: Node<'_>, local: &str) -> Option<ResourceType> {
    if local.is_empty() {
        return resource.resource_type();
    }
    resource
        .get("contained")?
        .items_or_self()
        .find(|inner| inner.get("id").and_then(Node::as_str).is_some_and(|id| id == local))?
        .resource_type()
}

/// Whether a `Reference` object may point to a Patient, by its `type` or else by what R4 allows at
/// that element.
fn may_be_patient(reference: Node<'_>) -> bool {
    if let Some(stated) = reference.get("type") {
        return match stated.as_str().as_deref().map(ResourceType::from_str) {
            Some(Ok(ResourceType::PATIENT) | Err(_)) | None => true,
            Some(Ok(_)) => false,
        };
    }
    match member_of(reference) {
        Some(member) => match member.element_type {
            spec::ElementType::Reference(_) => {
                let targets = member.element_type.targets();
                targets.is_empty() || targets.contains(&ResourceType::PATIENT)
            }
            // R4 has no reference here: what looks like one is something else.
            spec::ElementType::Complex(_) => false,
            spec::ElementType::Primitive(_) | spec::ElementType::Inline => true,
        },
        None => true,
    }
}

/// Whether a `Reference` object can only lead to somebody (an entry of the directory, a person, a
/// group, a device) and to no record of care, by its `type` or else by what R4 allows there.
pub(crate) fn leads_to_parties_only(reference: Node<'_>) -> bool {
    let is_party = |name: ResourceType| {
        is_directory(name)
            || matches!(
                name,
                ResourceType::PATIENT
                    | ResourceType::PERSON
                    | ResourceType::RELATED_PERSON
                    | ResourceType::CARE_TEAM
                    | ResourceType::GROUP
                    | ResourceType::DEVICE
            )
    };
    if let Some(stated) = reference.get("type") {
        let stated = stated.as_str();
        return stated.is_some_and(|name| ResourceType::from_str(&name).is_ok_and(is_party));
    }
    member_of(reference).is_some_and(|member| {
        let targets = member.element_type.targets();
        !targets.is_empty() && targets.iter().copied().all(is_party)
    })
}

/// What R4 says about the element a value belongs to; `None` if it knows no such element.
fn member_of(node: Node<'_>) -> Option<Member> {
    match node.key() {
        Some(key) => shape_at(node.parent()?)?.member(key),
        None => member_of(node.parent()?),
    }
}

fn shape_at(object: Node<'_>) -> Option<&'static Shape> {
    match object.resource_type() {
        Some(name) => spec::shape_of(name),
        None => member_of(object)?.element_type.shape(),
    }
}
