//! Decisions in process: a plan made for the request, then one resource judged.

use std::hint::black_box;

use proviso_core::account::ActorKind;
use proviso_core::category::{Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::{
    Capacity, ConsentTerms, ConsentVersion, DurationChoice, NamedConsent, OfflineAccess, Recipient,
};
use proviso_core::decision::{
    AccessMode, AccessRequest, ActingPerson, Belonging, Labels, OrgGround, ResourceFacts, plan,
};
use proviso_core::id::{AccountId, ClientId, ConsentId, PatientId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::Scope;
use proviso_core::time::{At, Period};

/// One whole decision, to be made again and again: the plan of a patient-directed request, and one
/// resource that it permits. A call fails when the decision is no permit: a benchmark that denies
/// measures nothing.
///
/// # Errors
/// When the world of the decision cannot be made.
pub fn decider() -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let at = At::from_secs(1_790_000_000);
    let client: ClientId = "glucose-coach".parse()?;
    let account = AccountId::generate(at, [1; 10]);
    let patient: PatientId = "maria".parse()?;
    let scopes: Vec<Scope> = ["patient/Observation.rs", "patient/MedicationRequest.rs"]
        .into_iter()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let terms = ConsentTerms {
        patient: patient.clone(),
        given_by: account.clone(),
        capacity: Capacity::Patient,
        recipient: Recipient::App(client.clone()),
        categories: CategorySet::EMPTY.with(Category::Laboratory).with(Category::Medications),
        sensitive: SensitiveSet::EMPTY,
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: DurationChoice::OneYear.period_from(at),
        data_period: Period::ALWAYS,
        duration: DurationChoice::OneYear,
        offline: OfflineAccess::Allowed,
        granted_scopes: scopes.clone(),
        legal_basis: "consent".to_owned(),
        policy_uri: "https://example.org/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: "text".to_owned(),
    };
    let id = ConsentId::generate(at, [2; 10]);
    let version = ConsentVersion::record(id, terms, at)?;
    let consent = NamedConsent::new(version);
    let facts = ResourceFacts {
        resource_type: ResourceType::OBSERVATION,
        id: None,
        belonging: Belonging::Patients([patient.clone()].into()),
        categories: CategorySet::EMPTY.with(Category::Laboratory),
        labels: Labels::Known(SensitiveSet::EMPTY),
        clinical_period: None,
        filed: None,
    };
    let policy = OrgGround::fixed(ActorKind::Patient);
    Ok(move || {
        let request = AccessRequest {
            policy: &policy,
            at: at.plus_secs(60),
            client: &client,
            account: Some(&account),
            mode: AccessMode::PatientDirected {
                consent: Some(consent.facts()),
                person: ActingPerson::Patient,
            },
            scopes: Some(&scopes),
            patient_in_context: Some(&patient),
            purpose: PurposeOfUse::PatientRequest,
        };
        let plan = plan(black_box(&request)).map_err(|denial| anyhow::anyhow!("{denial:?}"))?;
        let decision = plan.decide(&Interaction::Read, black_box(&facts), &|_| true);
        anyhow::ensure!(decision.is_permit(), "the decision is no permit: {decision:?}");
        Ok(())
    })
}
