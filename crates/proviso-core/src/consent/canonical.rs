//! The bytes that name a version, and the name.
//!
//! Every field is written as its length (eight bytes, big-endian) and its bytes, in the order of
//! the struct; lists are preceded by their count, and an absent value by a zero. Two versions
//! that differ anywhere therefore differ in their bytes, whatever their texts contain.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Capacity, ConsentStatus, ConsentVersion, OfflineAccess, Recipient};
use crate::id::{ConsentVersionId, hex};
use crate::time::{At, Period};

/// Names the encoding, so that a later one can never yield the bytes of this one.
const DOMAIN: &str = "proviso consent version, encoding 1";

/// Collects length-prefixed fields.
struct Canonical(Vec<u8>);

impl Canonical {
    fn count(&mut self, count: usize) {
        // `usize` has at most 64 bits on every target; saturating keeps the function total.
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&count.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.count(usize::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn list<I: ExactSizeIterator<Item = String>>(&mut self, items: I) {
        self.count(items.len());
        for item in items {
            self.text(&item);
        }
    }

    fn at(&mut self, at: At) {
        self.text(&at.as_micros().to_string());
    }

    fn period(&mut self, period: &Period) {
        for bound in [period.start, period.end] {
            self.optional(bound.map(|at| at.as_micros().to_string()).as_deref());
        }
    }
}

impl ConsentStatus {
    /// The FHIR R4 `consent-state-codes` code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::Rejected => "rejected",
            Self::Inactive => "inactive",
            Self::EnteredInError => "entered-in-error",
        }
    }
}

impl Capacity {
    /// The code of the capacity.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Proxy => "proxy",
            Self::LegalAuthority => "legal-authority",
        }
    }
}

impl OfflineAccess {
    /// The code of the choice.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }
}

impl Recipient {
    fn kind_and_id(&self) -> (&'static str, &str) {
        match self {
            Self::App(id) => ("app", id.as_str()),
            Self::Person(id) => ("person", id.as_str()),
            Self::Organization(id) => ("organization", id.as_str()),
            Self::CareTeam(id) => ("care-team", id.as_str()),
        }
    }
}

impl ConsentVersion {
    /// The bytes that name this version.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Canonical(Vec::with_capacity(1024 + self.shown_text.len()));
        out.text(DOMAIN);
        out.text(self.consent.as_str());
        out.text(&self.number.to_string());
        out.optional(self.predecessor.as_ref().map(ConsentVersionId::as_str));
        out.text(self.status.code());
        out.text(self.patient.as_str());
        out.text(self.given_by.as_str());
        out.text(self.capacity.code());
        let (kind, id) = self.recipient.kind_and_id();
        out.text(kind);
        out.text(id);
        // Codes, not bits: the bytes must not depend on the order of the catalogue.
        let sorted = |mut codes: Vec<String>| {
            codes.sort_unstable();
            codes.into_iter()
        };
        out.list(sorted(self.categories.iter().map(|c| c.code().into()).collect()));
        out.list(sorted(self.sensitive.iter().map(|s| s.code().into()).collect()));
        out.list(sorted(self.purposes.iter().map(|p| p.code().into()).collect()));
        out.period(&self.period);
        out.period(&self.data_period);
        out.text(self.duration.code());
        out.text(self.offline.code());
        out.list(self.granted_scopes.iter().map(|scope| format!("{scope}")));
        out.text(&self.legal_basis);
        out.text(&self.policy_uri);
        out.text(&self.language);
        out.text(&self.shown_text);
        out.text(&self.shown_text_hash);
        out.at(self.recorded_at);
        out.optional(self.change_reason.as_deref());
        out.0
    }

    /// The content hash that names this version.
    pub fn version_id(&self) -> ConsentVersionId {
        ConsentVersionId::from_digest(&Sha256::digest(self.canonical_bytes()).into())
    }
}

/// SHA-256 of a text, as lower-case hex.
pub(super) fn text_hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// A version together with its name, so that the name is computed once and never taken on trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ConsentVersion", into = "ConsentVersion")]
pub struct NamedConsent {
    id: ConsentVersionId,
    version: ConsentVersion,
}

impl NamedConsent {
    /// Computes the name.
    pub fn new(version: ConsentVersion) -> Self {
        Self { id: version.version_id(), version }
    }

    /// The name: the hash of the content.
    pub const fn id(&self) -> &ConsentVersionId {
        &self.id
    }

    /// The version.
    pub const fn version(&self) -> &ConsentVersion {
        &self.version
    }

    /// The version, without its name.
    pub fn into_version(self) -> ConsentVersion {
        self.version
    }
}

impl From<ConsentVersion> for NamedConsent {
    fn from(version: ConsentVersion) -> Self {
        Self::new(version)
    }
}

impl From<NamedConsent> for ConsentVersion {
    fn from(named: NamedConsent) -> Self {
        named.version
    }
}
