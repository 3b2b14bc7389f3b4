extern crate std;

mod faults;
mod hostile;
mod laws;
mod profiles;
mod published;
mod random;
mod records;
mod search;
mod table;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::json::Doc;
use crate::label::RuleSet;

/// The rules that are shipped.
pub(super) static RULES: std::sync::LazyLock<RuleSet> = std::sync::LazyLock::new(RuleSet::shipped);

pub(super) const OWN_BASE: &str = "https://us.example/fhir";
/// The code systems that the published examples bring along, as a site would have to know them.
pub(super) const UNDERSTOOD: [&str; 4] = [
    "http://SHIFT-Task-Force.github.io/SLS-ValueSets/CodeSystem/AB352HealthSensitivityCs",
    "http://example.org/policies/purposeOfUse",
    "https://www.regional-ehr.example/CodeSystem/purposeOfUse",
    "http://ours.example/codes",
];

pub(super) fn understood() -> BTreeSet<String> {
    UNDERSTOOD.iter().map(ToString::to_string).collect()
}

pub(super) fn fixture(name: &str) -> Doc {
    let path = format!("{}/tests/consent/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Doc::parse(std::fs::read(path).unwrap()).unwrap()
}

pub(super) fn read_doc(doc: &Doc, version: Version) -> Result<ReadConsent, ConsentRefusal> {
    let understood = understood();
    let context = Context { own_base: OWN_BASE, understood: &understood, policies: &[] };
    read(doc, version, &Zone::UTC, &context)
}

pub(super) fn parse(json: &str) -> Doc {
    Doc::parse(json.to_owned().into_bytes()).unwrap()
}

pub(super) fn read_bytes(bytes: &[u8], version: Version) -> Result<ReadConsent, ConsentRefusal> {
    read_doc(&Doc::parse(bytes.to_vec()).unwrap(), version)
}

/// Each fault as its code and place.
pub(super) fn shown(refused: Result<ReadConsent, ConsentRefusal>) -> Vec<String> {
    match refused {
        Ok(_) => Vec::new(),
        Err(refusal) => refusal.faults.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn written(consent: &ReadConsent, version: Version) -> Result<Vec<u8>, WriteRefusal> {
    match version {
        Version::R4 => write_r4(consent),
        Version::R5 => write_r5(consent),
    }
}

pub(super) fn write_faults(consent: &ReadConsent, version: Version) -> Vec<String> {
    match written(consent, version) {
        Ok(_) => Vec::new(),
        Err(refusal) => refusal.faults.iter().map(ToString::to_string).collect(),
    }
}
