//! The provision tree of a consent version.

use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::category::{Category, SensitiveKind, SensitiveSet};
use proviso_core::category_rules::{CategoryCode, rules_of};
use proviso_core::consent::provision::{PURPOSE_SYSTEM, SENSITIVITY_SYSTEM};
use proviso_core::consent::{ConsentVersion, Recipient};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::Period;

use super::{ACCOUNT_SYSTEM, CLIENT_SYSTEM, coded, coding, write_identifier};
use crate::code_systems::{PARTICIPATION, RESOURCE_TYPES};
use crate::consent::period_text;
use crate::json::write::{ArrayWriter, ObjectWriter};

/// The root: nothing for this recipient, but for what the children permit.
pub(super) fn write_root(version: &ConsentVersion, out: &mut ObjectWriter<'_>) {
    out.string("type", "deny");
    write_period("period", &version.period, out);
    out.array("actor", |actors| actors.object(|actor| write_actor(&version.recipient, actor)));
    if !version.purposes.is_empty() {
        out.array("purpose", |purposes| {
            for purpose in version.purposes.iter() {
                purposes.object(|one| coding(one, PURPOSE_SYSTEM, purpose.code()));
            }
        });
    }
    if !version.categories.is_empty() {
        let unnamed = SensitiveKind::ALL
            .iter()
            .copied()
            .filter(|kind| !version.sensitive.contains(*kind))
            .collect();
        out.array("provision", |permits| {
            for category in version.categories.iter() {
                write_category(category, version, unnamed, permits);
            }
        });
    }
}

fn write_period(key: &str, period: &Period, out: &mut ObjectWriter<'_>) {
    if period.is_unbounded() {
        return;
    }
    // A date that FHIR cannot write leaves a period that is over, never one without an end.
    let over = || String::from(r#"{"end":"0001-01-01T00:00:00Z"}"#);
    out.raw(key, period_text(period).unwrap_or_else(over).as_bytes());
}

fn write_actor(recipient: &Recipient, out: &mut ObjectWriter<'_>) {
    // Information recipient.
    out.object("role", |role| coded(role, PARTICIPATION, "IRCP"));
    out.object("reference", |out| match recipient {
        Recipient::App(client) => {
            out.string("type", "Device");
            out.object("identifier", |id| write_identifier(CLIENT_SYSTEM, client.as_str(), id));
        }
        Recipient::Person(account) => {
            out.string("type", "RelatedPerson");
            out.object("identifier", |id| write_identifier(ACCOUNT_SYSTEM, account.as_str(), id));
        }
        Recipient::Organization(id) => {
            out.string("reference", &["Organization/", id.as_str()].concat());
        }
        Recipient::CareTeam(id) => {
            out.string("reference", &["CareTeam/", id.as_str()].concat());
        }
    });
}

/// One kind of record: a permit for the types it covers whole, and one for each type of which it
/// covers what carries certain category codes.
fn write_category(
    category: Category,
    version: &ConsentVersion,
    unnamed: SensitiveSet,
    out: &mut ArrayWriter<'_>,
) {
    let mut whole: Vec<ResourceType> = Vec::new();
    let mut split: Vec<(ResourceType, Vec<CategoryCode>)> = Vec::new();
    for rule in rules_of(category) {
        match rule.code {
            None => whole.push(rule.resource_type),
            Some(code) => match split.iter_mut().find(|(name, _)| *name == rule.resource_type) {
                Some((_, codes)) => codes.push(code),
                None => split.push((rule.resource_type, [code].to_vec())),
            },
        }
    }
    let permits = [(whole, Vec::new())]
        .into_iter()
        .chain(split.into_iter().map(|(name, codes)| ([name].to_vec(), codes)))
        .filter(|(types, _)| !types.is_empty());
    for (types, codes) in permits {
        out.object(|permit| {
            permit.array("extension", |extensions| {
                extensions.object(|one| {
                    one.string("url", "urn:proviso:category");
                    one.string("valueCode", category.code());
                });
            });
            write_permit(&types, &codes, version, unnamed, permit);
        });
    }
}

fn write_permit(
    types: &[ResourceType],
    codes: &[CategoryCode],
    version: &ConsentVersion,
    unnamed: SensitiveSet,
    out: &mut ObjectWriter<'_>,
) {
    out.string("type", "permit");
    out.array("class", |classes| {
        for name in types {
            classes.object(|one| coding(one, RESOURCE_TYPES, name.as_str()));
        }
    });
    if !codes.is_empty() {
        out.array("code", |concepts| {
            for code in codes {
                concepts.object(|concept| coded(concept, code.system, code.code));
            }
        });
    }
    write_period("dataPeriod", &version.data_period, out);
    if !unnamed.is_empty() {
        out.array("provision", |denies| {
            denies.object(|deny| {
                deny.string("type", "deny");
                deny.array("securityLabel", |labels| {
                    for kind in unnamed.iter() {
                        labels.object(|label| coding(label, SENSITIVITY_SYSTEM, label_code(kind)));
                    }
                });
            });
        });
    }
}

/// The label of HL7 v3 ActCode that stands for a sensitive kind.
pub(super) fn label_code(kind: SensitiveKind) -> &'static str {
    match kind {
        SensitiveKind::MentalHealth => "MH",
        SensitiveKind::PsychotherapyNotes => "PSYTHPN",
        SensitiveKind::SubstanceUse => "SUD",
        SensitiveKind::Hiv => "HIV",
        SensitiveKind::Reproductive => "SEX",
        SensitiveKind::Sti => "STD",
        SensitiveKind::Violence => "SDV",
        SensitiveKind::Genetics => "GDIS",
        SensitiveKind::Adolescent => "ADOL",
        SensitiveKind::Restricted => "PRS",
    }
}
