//! The canonical bytes of a question, for use as a cache key.
//!
//! Every field is written in the order of the struct: closed values as one byte behind a tag that
//! says whether there is one, sets as their bits in full width, texts behind their length. Two
//! questions that differ anywhere therefore differ in their bytes, whatever their texts contain.

use alloc::vec::Vec;

use super::question::{
    Emergency, Environment, OrgQuestion, OrgResource, OrgSubject, PatientMatch, Provenance,
    Sourced, TenantMatch, TokenReach,
};
use crate::account::ActorKind;
use crate::decision::Labels;
use crate::resource_type::ResourceType;

/// Names the encoding, so that a later one can never yield the bytes of this one.
const ENCODING: u8 = 1;

/// The canonical bytes of one question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgKey(Vec<u8>);

impl OrgKey {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl OrgQuestion {
    /// The canonical bytes.
    pub fn key(&self) -> OrgKey {
        let mut out = Writer(Vec::with_capacity(160));
        out.byte(ENCODING);
        match &self.subject {
            OrgSubject::Account(id) => out.tagged(0, id.as_str()),
            OrgSubject::Service(id) => out.tagged(1, id.as_str()),
        }
        out.byte(kind_byte(self.kind));
        out.optional(self.roles.as_ref(), |out, roles| {
            out.bytes(&roles.value.bits().to_be_bytes());
            out.provenance(roles.provenance);
        });
        out.optional(self.departments.as_ref(), |out, departments| {
            out.count(departments.value.len());
            for department in &departments.value {
                out.text(department.as_str());
            }
            out.provenance(departments.provenance);
        });
        out.count(self.related.len());
        for (relation, provenance) in &self.related {
            out.byte(*relation as u8);
            out.provenance(*provenance);
        }
        out.byte(self.mode as u8);
        out.byte(self.purpose as u8);
        out.byte(self.action as u8);
        out.resource(&self.resource);
        out.bytes(&self.named.bits().to_be_bytes());
        out.byte(match self.tenant {
            TenantMatch::Own => 0,
            TenantMatch::Other => 1,
        });
        out.byte(match self.token {
            TokenReach::Reaches => 0,
            TokenReach::Lacks => 1,
        });
        out.environment(&self.environment);
        out.optional(self.emergency.as_ref(), |out, emergency| out.emergency(*emergency));
        OrgKey(out.0)
    }
}

const fn kind_byte(kind: ActorKind) -> u8 {
    match kind {
        ActorKind::Patient => 0,
        ActorKind::Proxy => 1,
        ActorKind::Clinician => 2,
        ActorKind::Nurse => 3,
        ActorKind::Staff => 4,
        ActorKind::PrivacyOfficer => 5,
        ActorKind::Administrator => 6,
        ActorKind::SupportAgent => 7,
        ActorKind::System => 8,
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn count(&mut self, count: usize) {
        // `usize` has at most 64 bits on every target; saturating keeps the function total.
        self.bytes(&u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn tagged(&mut self, tag: u8, text: &str) {
        self.byte(tag);
        self.text(text);
    }

    fn optional<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        match value {
            None => self.byte(0),
            Some(value) => {
                self.byte(1);
                write(self, value);
            }
        }
    }

    fn provenance(&mut self, provenance: Provenance) {
        self.byte(provenance.source as u8);
        self.byte(provenance.age as u8);
    }

    fn resource_type(&mut self, resource_type: ResourceType) {
        self.count(resource_type.index());
    }

    fn resource(&mut self, resource: &OrgResource) {
        match resource {
            OrgResource::Record(record) => {
                self.byte(0);
                self.resource_type(record.resource_type);
                self.bytes(&record.categories.bits().to_be_bytes());
                match record.labels {
                    Labels::Known(kinds) => {
                        self.byte(0);
                        self.bytes(&kinds.bits().to_be_bytes());
                    }
                    Labels::Unclassified => self.byte(1),
                }
            }
            OrgResource::Directory(resource_type) => {
                self.byte(1);
                self.resource_type(*resource_type);
            }
            OrgResource::Governance(governance) => {
                self.byte(2);
                self.byte(*governance as u8);
            }
        }
    }

    fn environment(&mut self, environment: &Environment) {
        self.optional(environment.network.as_ref(), |out, network| out.byte(*network as u8));
        self.optional(environment.place.as_ref(), |out, Sourced { value, provenance }| {
            out.text(value.as_str());
            out.provenance(*provenance);
        });
        self.optional(environment.device.as_ref(), |out, Sourced { value, provenance }| {
            out.byte(*value as u8);
            out.provenance(*provenance);
        });
        self.optional(environment.acr.as_ref(), |out, acr| out.byte(*acr as u8));
        self.optional(environment.hour.as_ref(), |out, hour| out.byte(*hour));
        self.optional(environment.weekday.as_ref(), |out, weekday| out.byte(*weekday));
    }

    fn emergency(&mut self, emergency: Emergency) {
        self.optional(emergency.reason.as_ref(), |out, reason| out.byte(*reason as u8));
        self.byte(emergency.minutes);
        self.byte(match emergency.for_patient {
            PatientMatch::Same => 0,
            PatientMatch::Other => 1,
        });
    }
}
