//! Consents on file: FHIR Consents that a registry keeps for patients (IHE PCF, HL7 FAST).
//!
//! A Consent that is filed is a record of our own store like any other, version by version, and from
//! the commit on it has a say in every decision about its patient. It restricts and never widens.
//! Here it is read ([`FiledConsent`]), checked before it is filed ([`App::check_filing`](crate::App::check_filing)) and heard
//! ([`Hearing`]). Who may file and read it is for the decision function to say.

mod filing;
mod hearing;
mod leftover;
mod picture;
mod shown;
mod standing;
mod warning;

use std::collections::BTreeSet;
use std::sync::Arc;

use proviso_core::consent::provision::{Combination, Directive, Unreadable, Who};
use proviso_core::decision::{FiledDirective, FiledRule, FiledVersion};
use proviso_core::id::{ConsentVersionId, PatientId, ResourceId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::consent::{Context, ReadConsent, Status, read};
pub use proviso_fhir::consent::{Version, Zone};
use proviso_fhir::consent_r4;
use proviso_fhir::json::Doc;
use proviso_store::{RecordVersion, StoredRecord};
use sha2::{Digest as _, Sha256};

use crate::records::patients_of;

pub use filing::{Filing, FilingError, FilingRefusal, revoked};
pub use hearing::Hearing;
pub use shown::FiledDocument;
pub use warning::{DialectWarning, warnings};

pub use picture::PICTURES_DRAWN;
pub(crate) use picture::with_pictures;
pub(crate) use standing::{entries_naming, matching};

/// Names the encoding, so that a later one can never yield the name of this one.
const DOMAIN: &[u8] = b"proviso filed consent, encoding 1";

/// What the operator decided about consents on file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledSettings {
    /// Our FHIR base, without a slash at the end.
    pub base: String,
    /// Where dates without an offset are.
    pub zone: Zone,
    /// How several consents of one patient are combined.
    pub combination: Combination,
    /// Code systems beyond HL7's whose labels and purposes this site assigns itself.
    pub understood: BTreeSet<String>,
    /// The organisation that runs this server, as consents name it.
    pub organization: Option<Who>,
    /// What they mean for the organisation's own staff.
    pub staff: FiledRule,
    /// What they mean for pre-authorized services.
    pub services: FiledRule,
}

impl FiledSettings {
    /// What holds where nothing else is configured.
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            zone: Zone::UTC,
            combination: Combination::DenyOverrides,
            understood: BTreeSet::new(),
            organization: None,
            staff: FiledRule::default(),
            services: FiledRule::default(),
        }
    }

    /// Reads a Consent of a FHIR version with what this site knows.
    ///
    /// # Errors
    /// Every reason why it is not understood.
    pub fn read(
        &self,
        doc: &Doc,
        version: Version,
    ) -> Result<ReadConsent, proviso_fhir::consent::ConsentRefusal> {
        let context = Context { own_base: &self.base, understood: &self.understood, policies: &[] };
        read(doc, version, &self.zone, &context)
    }
}

/// The newest version of a consent on file, as decisions hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledConsent {
    /// Its logical id.
    pub id: ResourceId,
    /// The number of the version.
    pub number: u64,
    /// The name of the version: the hash of its content.
    pub name: ConsentVersionId,
    /// Whose it is.
    pub patients: Vec<PatientId>,
    /// What is enforced of it; `None` when it is not active, or not about sharing.
    pub enforced: Option<FiledDirective>,
}

/// Whether a record is a consent on file: a Consent that is not the picture of a choice made here.
pub fn is_filed(resource_type: ResourceType, id: &ResourceId) -> bool {
    resource_type == ResourceType::CONSENT && !is_choice(id)
}

/// Whether a logical id is that of a choice that was made here ([`consent_r4::resource_id`]).
pub fn is_choice(id: &ResourceId) -> bool {
    consent_r4::consent_id(id).is_some()
}

/// The name of a version of a consent on file: the hash of its id, number and bytes.
pub fn version_name(id: &ResourceId, number: u64, body: &[u8]) -> ConsentVersionId {
    let mut hash = Sha256::new();
    for part in [DOMAIN, id.as_str().as_bytes(), &number.to_be_bytes(), body] {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    ConsentVersionId::from_digest(&hash.finalize().into())
}

impl FiledConsent {
    /// Reads a version that is being written. A deletion directs nothing.
    pub(crate) fn of(record: &RecordVersion, settings: &FiledSettings) -> Self {
        let RecordVersion { id, version, at, body, .. } = record;
        Self::read(id, *version, *at, body.as_deref(), settings)
    }

    /// Reads a version as it is stored.
    pub(crate) fn of_stored(record: &StoredRecord, settings: &FiledSettings) -> Self {
        let StoredRecord { id, version, at, body, .. } = record;
        Self::read(id, *version, *at, body.as_deref(), settings)
    }

    fn read(
        id: &ResourceId,
        number: u64,
        at: At,
        body: Option<&[u8]>,
        settings: &FiledSettings,
    ) -> Self {
        let doc = body.and_then(|body| Doc::parse(body.to_vec()).ok());
        Self {
            id: id.clone(),
            number,
            name: version_name(id, number, body.unwrap_or_default()),
            patients: doc.as_ref().map(|doc| patients_of(doc, &settings.base)).unwrap_or_default(),
            enforced: doc.as_ref().and_then(|doc| enforced(doc, at, settings)),
        }
    }

    /// Which version this is.
    pub fn version(&self) -> FiledVersion {
        FiledVersion { consent: self.id.clone(), number: self.number, name: self.name.clone() }
    }

    /// What has to be assumed of a patient whose consents cannot be asked for.
    pub(crate) fn unknown(patient: &PatientId) -> Self {
        // Both kinds of id have the same form, so this one is the patient's own.
        let id = ResourceId::from(patient.clone());
        let name = version_name(&id, 0, &[]);
        let enforced = Some(unreadable(At::from_micros(0)));
        Self { id, number: 0, name, patients: vec![patient.clone()], enforced }
    }
}

/// What of a stored version is to be enforced.
///
/// What is filed was understood when it was filed. One that is not understood any more, because the
/// configuration or this program changed or it came from elsewhere, withholds: it may be the one
/// that a patient relies on.
pub(crate) fn enforced(
    doc: &Doc,
    filed_at: At,
    settings: &FiledSettings,
) -> Option<FiledDirective> {
    match settings.read(doc, Version::R4) {
        Ok(consent) => {
            let date = consent.header().date.as_ref().and_then(|date| date.span().start);
            let recorded_at = date.unwrap_or(filed_at);
            let directive = consent.enforced()?.clone();
            Some(FiledDirective { recorded_at, directive })
        }
        Err(_) if is_out_of_force(doc) => None,
        Err(_) => Some(unreadable(filed_at)),
    }
}

/// The directive of the version that a decision heard, from what is stored under its id and number;
/// `None` when that is not the version with the name.
pub(crate) fn directive_of(
    version: &FiledVersion,
    stored: &StoredRecord,
    settings: &FiledSettings,
) -> Option<FiledDirective> {
    let read = FiledConsent::of_stored(stored, settings);
    (read.name == version.name).then_some(read.enforced).flatten()
}

/// Whether a Consent says itself that it does not hold.
fn is_out_of_force(doc: &Doc) -> bool {
    let status = doc.root().string_at(&["status"]);
    Status::ALL
        .iter()
        .filter(|known| **known != Status::Active)
        .any(|known| status.as_deref() == Some(known.code()))
}

fn unreadable(recorded_at: At) -> FiledDirective {
    let whole = Unreadable::Element("Consent".to_owned());
    FiledDirective { recorded_at, directive: Directive::that_cannot_be_read(whole) }
}

/// The consents on file in force, by patient; part of the live state.
#[derive(Debug, Default)]
pub(crate) struct Files {
    by_id: std::collections::HashMap<ResourceId, Arc<FiledConsent>>,
    of: std::collections::HashMap<PatientId, BTreeSet<ResourceId>>,
}

impl Files {
    /// Takes in a version, unless a later one is there.
    pub(crate) fn put(&mut self, filed: &Arc<FiledConsent>) {
        if self.by_id.get(&filed.id).is_some_and(|own| own.number > filed.number) {
            return;
        }
        if let Some(before) = self.by_id.insert(filed.id.clone(), Arc::clone(filed)) {
            for patient in &before.patients {
                if let Some(own) = self.of.get_mut(patient) {
                    own.remove(&before.id);
                    if own.is_empty() {
                        self.of.remove(patient);
                    }
                }
            }
        }
        if filed.enforced.is_some() {
            for patient in &filed.patients {
                self.of.entry(patient.clone()).or_default().insert(filed.id.clone());
            }
        }
    }

    /// Whether anybody has one that is enforced.
    pub(crate) fn any(&self) -> bool {
        !self.of.is_empty()
    }

    /// Those of a patient that are enforced, in the order of their ids.
    pub(crate) fn of(&self, patient: &PatientId) -> Vec<Arc<FiledConsent>> {
        let ids = self.of.get(patient).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proviso_core::id::TenantId;
    use proviso_store::{Batch, Expect, Op, OpenOptions, RecordMethod, RecordVersion, Store};

    use super::*;

    /// Ids made of what pictures' ids are made of, so that many come close to being one.
    fn ids() -> BTreeSet<ResourceId> {
        let mut seed = 7_u64;
        let mut below = move |many: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % many
        };
        let parts = ["cns-", "cns", "-", ".", "a", "CNS-", "0", "Z"];
        let drawn = (0..400).map(|_| {
            let length = 1 + below(4);
            let text = |_| parts[usize::try_from(below(8)).unwrap()];
            (0..length).map(text).collect::<String>()
        });
        let tricky = ["cns-", "cns-.", "cns-a", "cns-a.b", "cns--", "cns", "Cns-a", "x", "."];
        let long = format!("cns-{}", "f".repeat(60));
        let all = drawn.chain(tricky.map(str::to_owned)).chain([long]);
        all.filter_map(|id| id.parse().ok()).collect()
    }

    // Covers: design P2, P6: a start hears every consent on file, whatever it is called
    #[tokio::test]
    async fn the_store_finds_exactly_what_is_no_picture_of_a_choice() {
        let folder = tempfile::tempdir().unwrap();
        let options = || OpenOptions::new(TenantId::default_tenant());
        let file = folder.path().join("on-file.db");
        for store in [Store::open_sqlite(&file, options()).unwrap(), Store::model(options())] {
            let ids = ids();
            let mut batch = Batch::new();
            for id in &ids {
                let record = RecordVersion {
                    resource_type: ResourceType::CONSENT,
                    id: id.clone(),
                    version: 1,
                    at: At::from_secs(1_800_000_000),
                    method: RecordMethod::Create,
                    body: Some(b"{}".to_vec()),
                    patients: Vec::new(),
                    keys: Vec::new(),
                    ranges: Vec::new(),
                    labels: None,
                };
                batch.push(Op::PutRecord { record, expect: Expect::Absent });
            }
            store.commit(batch).await.unwrap();
            let wanted: Vec<ResourceId> =
                ids.iter().filter(|id| is_filed(ResourceType::CONSENT, id)).cloned().collect();
            assert!(wanted.len() > 100 && ids.len() - wanted.len() > 20);
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = store.consents_on_file(after.as_ref(), 7).await.unwrap();
                after = page.last().map(|record| record.id.clone());
                found.extend(page.into_iter().map(|record| record.id));
                if found.len() % 7 != 0 || after.is_none() {
                    break;
                }
            }
            assert_eq!(found, wanted);
        }
    }
}
