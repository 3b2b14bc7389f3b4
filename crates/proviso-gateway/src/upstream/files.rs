//! Files (Binary), which are decided with the records that they belong to.
//!
//! A file says nothing of itself that rules could read: whose it is and how sensitive it is, the
//! document that names it says. So whoever reads a file must see its context
//! (`Binary.securityContext`) and every record that refers to it; one that is withheld takes the file
//! along (leak 118). A file is come by through what refers to it: it is in no search, no history of a
//! type, and nothing brings it along.

use std::collections::BTreeSet;

use proviso_core::decision::Belonging;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::resource_type::ResourceType;
use proviso_fhir::compartment::belonging;
use proviso_fhir::references::references;
use proviso_fhir::search::{Target, read_reference};

use super::{Reading, Stored, Upstream};
use crate::decide::Permit;
use crate::problem::Refusal;
use crate::view::View;

/// Types of which records name files: those of a chart with attachments, and lists of anything. Not a
/// Consent: who may see that is no matter of the chart, and a signed form is the patient's.
const NAMING: &[ResourceType] = &[
    ResourceType::BODY_STRUCTURE,
    ResourceType::CLAIM,
    ResourceType::CLAIM_RESPONSE,
    ResourceType::COMMUNICATION,
    ResourceType::COMMUNICATION_REQUEST,
    ResourceType::COMPOSITION,
    ResourceType::DIAGNOSTIC_REPORT,
    ResourceType::DOCUMENT_MANIFEST,
    ResourceType::DOCUMENT_REFERENCE,
    ResourceType::EXPLANATION_OF_BENEFIT,
    ResourceType::LIST,
    ResourceType::MEDIA,
    ResourceType::PATIENT,
    ResourceType::PERSON,
    ResourceType::QUESTIONNAIRE_RESPONSE,
    ResourceType::RELATED_PERSON,
    ResourceType::REQUEST_GROUP,
    ResourceType::TASK,
];

/// LIMIT: patients among whose records the ones that name a file are looked for. Of a file that does
/// not say whose it is, a caller who reaches more patients sees nothing.
const PATIENTS_MAX: usize = 20;

/// The records of some patients that name files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    of: BTreeSet<PatientId>,
    naming: Vec<Stored>,
}

impl Files {
    /// Reads the records of those whom the caller reaches, whatever file will be asked for and whether
    /// or not it is there: so the time that an answer takes does not tell (leak 4).
    ///
    /// # Errors
    /// As [`Self::look`].
    pub(crate) async fn prepare(
        &mut self,
        upstream: &Upstream,
        permit: &Permit,
        view: &View,
        most: usize,
    ) -> Result<(), Refusal> {
        let reached = view.patients().unwrap_or_default();
        if reached.len() <= PATIENTS_MAX {
            for patient in reached {
                self.read(upstream, permit, patient, most).await?;
            }
        }
        Ok(())
    }

    /// Notes on a file which records it belongs to; on anything else nothing.
    ///
    /// Cost: with the records of the types that name files of the patients whose it may be.
    ///
    /// # Errors
    /// When they cannot be read, or are more than `most` of one type.
    pub(crate) async fn look(
        &mut self,
        upstream: &Upstream,
        permit: &Permit,
        view: Option<&View>,
        (base, most): (&str, usize),
        file: &mut Stored,
    ) -> Result<(), Refusal> {
        if file.doc.resource_type() != Some(ResourceType::BINARY) {
            return Ok(());
        }
        let Some(id) = file.doc.id() else { return Ok(()) };
        let mut belongs_to = Vec::new();
        let mut patients = named_by(file);
        if let Some((kind, context)) = context_of(file, base) {
            match upstream.read(permit, kind, &context).await? {
                Reading::Live(context) if kind != ResourceType::BINARY => {
                    patients.extend(named_by(&context));
                    belongs_to.push(context);
                }
                // What belongs to something that is not there, or to another file, is nobody's.
                Reading::Live(_) | Reading::Deleted { .. } | Reading::Absent => {
                    file.belongs_to = Some(Vec::new());
                    return Ok(());
                }
            }
        }
        if let Some(reached) = view.and_then(View::patients) {
            if patients.is_empty() {
                patients.extend(reached.into_iter().take(PATIENTS_MAX + 1));
            } else {
                // A file of nobody whom the caller reaches is not seen, whatever names it.
                patients.retain(|patient| reached.contains(patient));
            }
        }
        if patients.len() <= PATIENTS_MAX {
            for patient in patients {
                self.read(upstream, permit, patient, most).await?;
            }
            let key = (ResourceType::BINARY, id);
            let names = |own: &&Stored| references(own.doc.root(), base).contains(&key);
            belongs_to.extend(self.naming.iter().filter(names).cloned());
        }
        file.belongs_to = Some(belongs_to);
        Ok(())
    }

    async fn read(
        &mut self,
        upstream: &Upstream,
        permit: &Permit,
        patient: PatientId,
        most: usize,
    ) -> Result<(), Refusal> {
        if self.of.contains(&patient) {
            return Ok(());
        }
        for kind in NAMING {
            self.naming.extend(upstream.about(permit, &patient, *kind, most).await?);
        }
        self.of.insert(patient);
        Ok(())
    }
}

fn named_by(stored: &Stored) -> BTreeSet<PatientId> {
    match belonging(stored.doc.root()) {
        Belonging::Patients(patients) => patients,
        Belonging::Directory | Belonging::Unknown => BTreeSet::new(),
    }
}

/// What a file says that it belongs to, if that is no patient.
fn context_of(file: &Stored, base: &str) -> Option<(ResourceType, ResourceId)> {
    let text = file.doc.root().string_at(&["securityContext", "reference"])?;
    match read_reference(text, base)? {
        Target::Local { resource_type, id, .. } if resource_type != ResourceType::PATIENT => {
            Some((resource_type, id))
        }
        Target::Local { .. } | Target::Url { .. } | Target::Contained(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proviso_fhir::spec::{self, ElementType, Shape};

    use super::*;

    /// Whether an attachment can stand in a value of this shape, outside of extensions.
    fn has_attachment(shape: &'static Shape, above: &mut Vec<&'static str>) -> bool {
        if above.contains(&shape.name()) {
            return false;
        }
        above.push(shape.name());
        let found = shape.elements().filter(|own| !own.name().ends_with("xtension")).any(|own| {
            own.types().iter().any(|kind: &ElementType| {
                kind.name() == "Attachment"
                    || kind.shape().is_some_and(|inner| has_attachment(inner, above))
            })
        });
        above.pop();
        found
    }

    /// Every type of a patient's chart that has attachments is looked through for files.
    // Covers: leak 118
    #[test]
    fn no_type_with_attachments_is_left_out() {
        let left_out: Vec<&str> = spec::patient_compartment_types()
            .chain([ResourceType::PATIENT])
            .filter(|kind| *kind != ResourceType::CONSENT && !NAMING.contains(kind))
            .filter(|kind| has_attachment(spec::shape_of(*kind).unwrap(), &mut Vec::new()))
            .map(ResourceType::as_str)
            .collect();
        assert_eq!(left_out, [""; 0]);
    }
}
