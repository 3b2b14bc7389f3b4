//! The plainest JSON that says each value: what is written when nothing was kept of how it came.

use alloc::string::String;

use proviso_core::consent::provision::{
    ActorClause, ActorRole, Coding, DataClause, DataMeaning, Identifier, Who,
};
use proviso_core::time::Period;

use super::zone;
use crate::code_systems::PARTICIPATION;
use crate::json::write::{self, ObjectWriter};

/// The extension that says where a recipient is.
pub(super) const LOCATION: &str = "http://hl7.org/fhir/StructureDefinition/consent-location";

fn text(bytes: alloc::vec::Vec<u8>) -> String {
    // The writer escapes strings into UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The members of a Coding.
pub(super) fn coding_members(out: &mut ObjectWriter<'_>, coding: &Coding) {
    if !coding.system.is_empty() {
        out.string("system", &coding.system);
    }
    out.string("code", &coding.code);
}

/// The members of a CodeableConcept of one coding.
pub(super) fn concept_members(out: &mut ObjectWriter<'_>, coding: &Coding) {
    out.array("coding", |codings| codings.object(|one| coding_members(one, coding)));
}

pub(super) fn concept(coding: &Coding) -> String {
    text(write::object(|out| concept_members(out, coding)))
}

/// The members of an Identifier.
pub(super) fn identifier_members(out: &mut ObjectWriter<'_>, id: &Identifier) {
    if !id.system.is_empty() {
        out.string("system", &id.system);
    }
    out.string("value", &id.value);
}

pub(super) fn identifier(id: &Identifier) -> String {
    text(write::object(|out| identifier_members(out, id)))
}

/// The members of a Reference.
pub(super) fn reference_members(out: &mut ObjectWriter<'_>, who: &Who) {
    match who {
        Who::Reference(address) => out.string("reference", address),
        Who::Identifier(id) => out.object("identifier", |out| identifier_members(out, id)),
    }
}

pub(super) fn reference(who: &Who) -> String {
    text(write::object(|out| reference_members(out, who)))
}

/// A Period; `None` when a date is outside the years that FHIR can write.
pub(crate) fn period(period: &Period) -> Option<String> {
    let start = period.start.map(|start| zone::start_text(start).ok_or(()));
    let end = period.end.map(|end| zone::end_text(end).ok_or(()));
    let (start, end) = (start.transpose().ok()?, end.transpose().ok()?);
    Some(text(write::object(|out| {
        out.string_if("start", start.as_deref());
        out.string_if("end", end.as_deref());
    })))
}

/// The role of an actor, as a coding.
pub(super) fn role_coding(role: &ActorRole) -> Coding {
    match role {
        ActorRole::Recipient => Coding::new(PARTICIPATION, "IRCP"),
        ActorRole::Custodian => Coding::new(PARTICIPATION, "CST"),
        ActorRole::Author => Coding::new(PARTICIPATION, "AUT"),
        ActorRole::Other(coding) => coding.clone(),
    }
}

pub(super) fn actors(clauses: &[ActorClause]) -> String {
    text(write::array(|out| {
        for clause in clauses {
            out.object(|actor| {
                actor.object("role", |role| concept_members(role, &role_coding(&clause.role)));
                if let Some(who) = &clause.who {
                    actor.object("reference", |out| reference_members(out, who));
                }
            });
        }
    }))
}

pub(super) fn codings(codings: &[Coding]) -> String {
    text(write::array(|out| {
        for coding in codings {
            out.object(|one| coding_members(one, coding));
        }
    }))
}

pub(super) fn concepts(codings: &[Coding]) -> String {
    text(write::array(|out| {
        for coding in codings {
            out.object(|one| concept_members(one, coding));
        }
    }))
}

pub(super) const fn meaning_code(meaning: DataMeaning) -> &'static str {
    match meaning {
        DataMeaning::Instance => "instance",
        DataMeaning::Related => "related",
        DataMeaning::Dependents => "dependents",
        DataMeaning::AuthoredBy => "authoredby",
    }
}

pub(super) fn data(clauses: &[DataClause]) -> String {
    text(write::array(|out| {
        for clause in clauses {
            out.object(|one| {
                one.string("meaning", meaning_code(clause.meaning));
                one.object("reference", |out| reference_members(out, &clause.reference));
            });
        }
    }))
}

/// The extensions that say where a recipient is.
pub(super) fn locations(locations: &[Who]) -> String {
    text(write::array(|out| {
        for location in locations {
            out.object(|one| {
                one.string("url", LOCATION);
                one.object("valueReference", |out| reference_members(out, location));
            });
        }
    }))
}
