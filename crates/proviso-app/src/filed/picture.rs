//! Choices made here, as FHIR Consents for registries: each version of a choice is one version of the
//! resource, written in the same commit (design P4: one object). They are pictures: decisions are
//! made from the choices themselves.

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::consent::{ConsentVersion, NamedConsent};
use proviso_core::id::ConsentId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::consent_r4;
use proviso_fhir::json::Doc;
use proviso_store::{
    Batch, CommitError, ConsentScan, Expect, ExpectSetting, Op, RecordMethod, ScanPlace,
};

use crate::App;
use crate::open::OpenAppError;
use crate::records::Records;
use crate::via::Via;

/// The setting that says that every choice made before there were pictures has its own.
pub const PICTURES_DRAWN: &str = "choices.as_consents";

/// LIMIT: choices whose pictures are drawn in one commit, of about forty kilobytes each.
const DRAWN_AT_ONCE: usize = 200;

/// Adds to a batch the picture of every version of a choice that it writes.
pub(crate) fn with_pictures(records: &Records, batch: &mut Batch) -> Result<(), CommitError> {
    let versions: Vec<&ConsentVersion> = batch
        .ops
        .iter()
        .filter_map(|op| {
            if let Op::PutConsentVersion { version, .. } = op { Some(version) } else { None }
        })
        .collect();
    let pictures = versions.into_iter().map(|version| picture(records, version));
    let pictures = pictures.collect::<Result<Vec<Op>, CommitError>>()?;
    batch.ops.extend(pictures);
    Ok(())
}

fn picture(records: &Records, version: &ConsentVersion) -> Result<Op, CommitError> {
    let cannot = || CommitError::Encode("a choice has no picture as a FHIR Consent".to_owned());
    let id = consent_r4::resource_id(&version.consent).ok_or_else(cannot)?;
    let bytes = consent_r4::to_fhir(&NamedConsent::new(version.clone()));
    let doc = Doc::parse(bytes).map_err(|_| cannot())?;
    let number = u64::from(version.number);
    let (method, expect) = match number.checked_sub(1) {
        None | Some(0) => (RecordMethod::Create, Expect::Absent),
        Some(before) => (RecordMethod::Update, Expect::Version(before)),
    };
    let record = records.version_at(&doc, &id, (number, version.recorded_at, method));
    Ok(Op::PutRecord { record: record.map_err(|_| cannot())?, expect })
}

impl App {
    /// Draws the pictures of choices that were made before there were any. CRASH: what has a picture
    /// is passed over, so it goes on where it stopped.
    pub(crate) async fn adopt_choices(&self) -> Result<(), OpenAppError> {
        if self.store.setting(PICTURES_DRAWN).await?.is_some() {
            return Ok(());
        }
        let mut next = Some(ScanPlace::default());
        while let Some(place) = next {
            let scan = ConsentScan { written_after: None, place, limit: DRAWN_AT_ONCE };
            let page = self.store.consents_from(scan).await?;
            let mut batch = Batch::new();
            for latest in page.consents {
                batch.ops.extend(self.missing_pictures(&latest.version.consent).await?);
            }
            if !batch.ops.is_empty() {
                self.live.commit(&self.store, batch).await?;
            }
            next = page.next;
        }
        let done = Op::PutSetting {
            key: PICTURES_DRAWN.to_owned(),
            value: "1".to_owned(),
            expect: ExpectSetting::Any,
        };
        let via = Via::default();
        let kind = AuditKind::Administration;
        let entry = self.draft_entry(&via, kind, AuditOutcome::Success, "adopt-choices")?;
        self.commit(Batch::new().with(done), entry).await?;
        Ok(())
    }

    pub(crate) async fn missing_pictures(
        &self,
        consent: &ConsentId,
    ) -> Result<Vec<Op>, OpenAppError> {
        let Some(id) = consent_r4::resource_id(consent) else { return Ok(Vec::new()) };
        let drawn = self.store.record(ResourceType::CONSENT, &id, None).await?;
        let drawn = drawn.map_or(0, |record| record.version);
        let versions = self.store.consent_versions(consent).await?;
        let missing = versions.iter().filter(|own| u64::from(own.version.number) > drawn);
        let records = self.records();
        Ok(missing.map(|own| picture(&records, &own.version)).collect::<Result<_, _>>()?)
    }
}
