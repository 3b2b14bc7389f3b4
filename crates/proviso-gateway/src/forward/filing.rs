//! Consents on file: a registry files, changes and revokes them. They are kept in our own store,
//! wherever the records are, and have a say in decisions from the commit on.

use proviso_app::filed::{Filing, FilingRefusal, is_choice, revoked};
use proviso_app::records::{Match, NewIds, Prepared};
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::reason::Language;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::consent::{Fault, FaultCode};
use proviso_fhir::json::Doc;

use super::Found;
use super::change::{Written, keeps_labels, present};
use crate::decide::{Parts, Permit};
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::upstream::{Reading, Stored, Upstream, embedded};

/// Files a new Consent, and what accompanies it.
pub(super) async fn file(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    doc: &Doc,
    documents: &[Doc],
) -> Result<Found, Refusal> {
    check(gateway, parts, permit, doc, None).await?;
    let records = gateway.app.records();
    let bytes = doc.bytes().to_vec();
    let prepared = records.create(ResourceType::CONSENT, bytes).map_err(embedded::refusal)?;
    written(with_documents(gateway, prepared, documents)?)
}

/// Files the next version of a Consent.
pub(super) async fn refile(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    id: &ResourceId,
    doc: &Doc,
    if_match: Option<&str>,
) -> Result<Found, Refusal> {
    let before = stored(gateway, parts, permit, id, if_match).await?;
    if !keeps_labels(before.doc.root(), doc.root()) {
        return Err(Refusal::from(Problem::WriteRefused).at("meta.security"));
    }
    check(gateway, parts, permit, doc, Some(&before.doc)).await?;
    written(replace(gateway, id, &before, doc).await?)
}

/// Ends a Consent; one that has ended stays as it is (HL7 FAST `$revokeConsent`).
pub(super) async fn revoke(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    (id, patient): (&ResourceId, &PatientId),
    documents: &[Doc],
) -> Result<Found, Refusal> {
    let before = stored(gateway, parts, permit, id, None).await?;
    let whose = before.doc.root().string_at(&["patient", "reference"]);
    let same = whose.as_deref().and_then(|text| text.rsplit_once("Patient/"));
    if same.is_none_or(|(_, own)| own != patient.as_str()) {
        return Err(Refusal::from(Problem::ConsentChangeRefused).at("patient"));
    }
    let inactive = before.doc.root().string_at(&["status"]).as_deref() == Some("inactive");
    let next = revoked(&before.doc).map_err(|_| Problem::Unavailable)?;
    if !inactive {
        check(gateway, parts, permit, &next, Some(&before.doc)).await?;
        // The cases on which readings part are of no use any more.
        parts.warnings.clear();
    }
    let prepared = replace(gateway, id, &before, &next).await?;
    written(with_documents(gateway, prepared, documents)?)
}

fn written(prepared: Prepared) -> Result<Found, Refusal> {
    Ok(Found::Written(Box::new(Written::ready(prepared)?)))
}

/// The Consent as it is now, if the caller may change it and it is one that is changed here.
async fn stored(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    id: &ResourceId,
    if_match: Option<&str>,
) -> Result<Stored, Refusal> {
    let before = present(gateway, parts, &gateway.registry, permit, id, if_match).await?;
    if is_choice(id) {
        return Err(Problem::ChoiceMadeHere.into());
    }
    Ok(before)
}

async fn replace(
    gateway: &Gateway,
    id: &ResourceId,
    before: &Stored,
    doc: &Doc,
) -> Result<Prepared, Refusal> {
    let version = before.version.as_deref().and_then(|version| version.parse().ok());
    let expected = Match::Version(version.ok_or(Problem::Unavailable)?);
    let records = gateway.app.records();
    let bytes = doc.bytes().to_vec();
    let prepared = records.update(ResourceType::CONSENT, id, bytes, expected, NewIds::Server).await;
    prepared.map_err(embedded::refusal)
}

/// What accompanies a Consent is kept with it, in one commit. Where the records are on another
/// server there is no such commit, so there it is to be put there first.
fn with_documents(
    gateway: &Gateway,
    prepared: Prepared,
    documents: &[Doc],
) -> Result<Prepared, Refusal> {
    let elsewhere = matches!(gateway.upstream, Upstream::Http(_));
    if elsewhere && !documents.is_empty() {
        return Err(Refusal::from(Problem::ParameterRefused).at("document"));
    }
    documents.iter().try_fold(prepared, |prepared, document| {
        let kind = document.resource_type().ok_or(Problem::BodyMismatch)?;
        let made = gateway.app.records().create(kind, document.bytes().to_vec());
        Ok(prepared.together_with(made.map_err(embedded::refusal)?))
    })
}

/// Whether what is filed is understood, is about a patient whose records are here, and can follow
/// what was before. Where readings part is kept for the answer.
async fn check(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    doc: &Doc,
    before: Option<&Doc>,
) -> Result<(), Refusal> {
    let filing = gateway.app.check_filing(doc, before).map_err(|error| refuse(&error))?;
    let Filing { patient, warnings, .. } = filing;
    // TRUST: who may file for any patient may learn which patients there are. A consent about nobody
    // would protect nobody, and its author would believe that it does.
    let id = ResourceId::from(patient);
    let found = gateway.upstream.read(permit, ResourceType::PATIENT, &id).await?;
    if !matches!(found, Reading::Live(_)) {
        return Err(Refusal::from(Problem::ConsentPatientUnknown).at("Consent.patient"));
    }
    parts.warnings = warnings.iter().map(|own| own.text(Language::English)).collect();
    Ok(())
}

/// Why a Consent is not filed, for the caller.
pub(crate) fn refuse(error: &FilingRefusal) -> Refusal {
    match error {
        FilingRefusal::NotUnderstood(why) => {
            let mut refusal = Refusal::from(Problem::ConsentNotUnderstood);
            refusal.faults = why.faults.iter().map(fault_of).collect();
            refusal
        }
        FilingRefusal::PatientElsewhere => {
            Refusal::from(Problem::ConsentPatientUnknown).at("Consent.patient")
        }
        FilingRefusal::OtherPatient => {
            Refusal::from(Problem::ConsentChangeRefused).at("Consent.patient")
        }
        FilingRefusal::NoTransition { .. } => {
            Refusal::from(Problem::ConsentChangeRefused).at("Consent.status")
        }
    }
}

fn fault_of(fault: &Fault<FaultCode>) -> (String, String) {
    (fault.at.clone(), format!("{}: {}", fault.code.code(), fault.code.sentence()))
}
