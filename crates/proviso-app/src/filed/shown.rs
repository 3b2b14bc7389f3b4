//! Consents on file for their own patient to see.

use proviso_core::id::{PatientId, ResourceId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::consent::{ReadConsent, Version};
use proviso_fhir::json::Doc;
use proviso_fhir::search::{Query, SearchScope};

use super::is_filed;
use crate::App;
use crate::records::{RecordFault, WholeStore};

/// LIMIT: consents on file of one patient that are shown.
const SHOWN_MAX: usize = 500;

/// A consent on file, as it is now.
#[derive(Debug)]
pub struct FiledDocument {
    /// Its logical id.
    pub id: ResourceId,
    /// The number of the version.
    pub number: u64,
    /// When that version was filed.
    pub filed_at: At,
    /// The resource.
    pub doc: Doc,
    /// What it says; `None` when it is not understood any more, and so withholds.
    pub read: Option<ReadConsent>,
}

impl App {
    /// The consents on file of a patient, ended ones included, the newest first. What may be shown
    /// of them to whom is for the caller to say, and to log.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn filed_documents(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<FiledDocument>, RecordFault> {
        let records = self.records();
        let raw = format!("patient=Patient/{patient}");
        let scope = SearchScope::Type(ResourceType::CONSENT);
        let query = Query::parse(&records.context(), scope, &[&raw])?;
        let as_of = records.latest_seq().await?;
        let found = records.matches(&query, as_of, SHOWN_MAX, &WholeStore).await?;
        let mut documents: Vec<FiledDocument> = found
            .into_iter()
            .filter(|record| is_filed(record.resource_type, &record.id))
            .map(|record| FiledDocument {
                read: self.settings.filed.read(&record.doc, Version::R4).ok(),
                id: record.id,
                number: record.version,
                filed_at: record.at,
                doc: record.doc,
            })
            .collect();
        documents.sort_by(|a, b| (b.filed_at, &b.id).cmp(&(a.filed_at, &a.id)));
        Ok(documents)
    }
}
