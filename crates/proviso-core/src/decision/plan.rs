//! From a request to a plan: everything that does not depend on a resource.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{
    AccessMode, AccessPlan, AccessRequest, ActingPerson, Decision, PatientReach, org_rules,
};
use crate::account::{ActorKind, Relationship, RelationshipKind};
use crate::category::{CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use crate::consent::{Capacity, NamedConsent, Recipient, Standing};
use crate::id::{ConsentId, ConsentVersionId, PatientId};
use crate::reason::ReasonCode;
use crate::scope::{ResourceScope, ScopeContext, ScopeSet};
use crate::time::Period;

/// What a mode allows at most, before scopes.
struct Ground {
    reach: PatientReach,
    categories: CategorySet,
    sensitive: SensitiveSet,
    data_period: Period,
    consent: Option<(ConsentId, ConsentVersionId)>,
    objections: Vec<(PatientId, CategorySet)>,
    basis: ReasonCode,
}

/// Makes the plan for a request, or denies it as a whole.
///
/// # Errors
/// The denial, with every reason that stands in the way.
pub fn plan(request: &AccessRequest<'_>) -> Result<AccessPlan, Decision> {
    let mut refusals = Vec::new();
    let scopes = match usable_scopes(request) {
        Ok(scopes) => scopes,
        Err(reason) => {
            refusals.push(reason);
            None
        }
    };
    let ground = match request.mode {
        AccessMode::PatientDirected { consent: None, .. } => {
            refusals.push(ReasonCode::NoConsent);
            None
        }
        AccessMode::PatientDirected { consent: Some(consent), person } => {
            Some(patient_directed(request, consent, person, &mut refusals))
        }
        AccessMode::OwnRecord { patient, person } => {
            Some(own_record(request, patient, person, &mut refusals))
        }
        AccessMode::Operational { kind, relationships, objections } => {
            operational(request, kind, relationships, objections, &mut refusals)
        }
        AccessMode::PreAuthorized => Some(pre_authorized(request, &mut refusals)),
    };
    let Some(ground) = ground.filter(|_| refusals.is_empty()) else {
        return Err(Decision::deny(refusals));
    };
    let patient_in_context = patient_in_context(request).cloned();
    Ok(AccessPlan {
        at: request.at,
        purpose: request.purpose,
        reach: narrow_reach(ground.reach, scopes.as_deref(), patient_in_context.as_ref()),
        categories: ground.categories,
        sensitive: ground.sensitive,
        data_period: ground.data_period,
        scopes,
        patient_in_context,
        consent: ground.consent,
        objections: ground.objections,
        basis: ground.basis,
        policy_version: org_rules::VERSION.to_owned(),
    })
}

fn patient_in_context<'a>(request: &AccessRequest<'a>) -> Option<&'a PatientId> {
    match request.mode {
        AccessMode::OwnRecord { patient, .. } => {
            Some(request.patient_in_context.unwrap_or(patient))
        }
        AccessMode::PatientDirected { .. }
        | AccessMode::Operational { .. }
        | AccessMode::PreAuthorized => request.patient_in_context,
    }
}

/// The resource scopes that count in this mode.
///
/// `system/` scopes belong to services and the other two to people, so neither can borrow from
/// the other. A live token is cut down to what the consent allows now (design P4).
fn usable_scopes(request: &AccessRequest<'_>) -> Result<Option<Vec<ResourceScope>>, ReasonCode> {
    let Some(carried) = request.scopes else {
        return match request.mode {
            AccessMode::OwnRecord { .. } => Ok(None),
            AccessMode::PatientDirected { .. }
            | AccessMode::Operational { .. }
            | AccessMode::PreAuthorized => Err(ReasonCode::ScopeMissing),
        };
    };
    let carried: ScopeSet = carried.iter().cloned().collect();
    let carried = match request.mode {
        AccessMode::PatientDirected { consent: Some(consent), .. } => {
            carried.narrow(&consent.version().granted_scopes)
        }
        AccessMode::PatientDirected { consent: None, .. }
        | AccessMode::OwnRecord { .. }
        | AccessMode::Operational { .. }
        | AccessMode::PreAuthorized => carried,
    };
    let for_service = matches!(request.mode, AccessMode::PreAuthorized);
    let own_class: Vec<ResourceScope> = carried
        .resources()
        .filter(|scope| (scope.context == ScopeContext::System) == for_service)
        .cloned()
        .collect();
    if own_class.is_empty() {
        return Err(ReasonCode::ScopeMissing);
    }
    // SMART App Launch 2.2 requirement 164: `patient/` scopes mean a patient in context. Without
    // one they reach nobody.
    let in_context = patient_in_context(request).is_some();
    let usable: Vec<ResourceScope> = own_class
        .into_iter()
        .filter(|scope| in_context || scope.context != ScopeContext::Patient)
        .collect();
    if usable.is_empty() { Err(ReasonCode::OutsidePatientContext) } else { Ok(Some(usable)) }
}

/// A token that has only `patient/` scopes reaches only the patient in context.
fn narrow_reach(
    reach: PatientReach,
    scopes: Option<&[ResourceScope]>,
    patient_in_context: Option<&PatientId>,
) -> PatientReach {
    let (Some(scopes), Some(patient)) = (scopes, patient_in_context) else { return reach };
    if scopes.iter().any(|scope| scope.context != ScopeContext::Patient) {
        return reach;
    }
    match reach {
        PatientReach::Only(mut patients) => {
            patients.retain(|own| own == patient);
            PatientReach::Only(patients)
        }
        PatientReach::Any => PatientReach::Only(BTreeSet::from([patient.clone()])),
    }
}

fn patient_directed(
    request: &AccessRequest<'_>,
    consent: &NamedConsent,
    person: ActingPerson<'_>,
    refusals: &mut Vec<ReasonCode>,
) -> Ground {
    let version = consent.version();
    // TRUST: the consent is found through the grant. Were the wrong one found, the names on it
    // must still be those of this request.
    let for_this_app = matches!(&version.recipient, Recipient::App(app) if app == request.client);
    if !for_this_app || request.account != Some(&version.given_by) {
        refusals.push(ReasonCode::NoConsent);
    }
    match version.standing(request.at) {
        Standing::InForce => {}
        Standing::Revoked => refusals.push(ReasonCode::ConsentRevoked),
        Standing::NotInForce => refusals.push(ReasonCode::ConsentNotInForce),
    }
    let mut sensitive = version.sensitive;
    let by_patient =
        matches!(person, ActingPerson::Patient) && version.capacity == Capacity::Patient;
    if !by_patient {
        sensitive = sensitive.intersection(org_rules::proxy_sensitive());
        if !proxy_in_force(request, &version.patient, person) {
            refusals.push(ReasonCode::ProxyNotInForce);
        }
    }
    // By name only: a purpose is in the set or it is not; no code implies another.
    if !version.purposes.contains(request.purpose) {
        refusals.push(ReasonCode::PurposeNotAllowed);
    }
    if request.patient_in_context.is_some_and(|patient| *patient != version.patient) {
        refusals.push(ReasonCode::OutsidePatientContext);
    }
    Ground {
        reach: PatientReach::Only(BTreeSet::from([version.patient.clone()])),
        categories: version.categories,
        sensitive,
        data_period: version.data_period,
        consent: Some((version.consent.clone(), consent.id().clone())),
        objections: Vec::new(),
        basis: ReasonCode::ConsentInForce,
    }
}

fn own_record(
    request: &AccessRequest<'_>,
    patient: &PatientId,
    person: ActingPerson<'_>,
    refusals: &mut Vec<ReasonCode>,
) -> Ground {
    let (purposes, sensitive, basis) = match person {
        ActingPerson::Patient => (
            PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
            SensitiveSet::all(),
            ReasonCode::OwnRecord,
        ),
        ActingPerson::Proxy(_) => (
            PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest).with(PurposeOfUse::Family),
            org_rules::proxy_sensitive(),
            ReasonCode::ProxyInForce,
        ),
    };
    if matches!(person, ActingPerson::Proxy(_)) && !proxy_in_force(request, patient, person) {
        refusals.push(ReasonCode::ProxyNotInForce);
    }
    if request.account.is_none() {
        refusals.push(ReasonCode::FactMissing);
    }
    if !purposes.contains(request.purpose) {
        refusals.push(ReasonCode::PurposeNotAllowed);
    }
    if request.patient_in_context.is_some_and(|context| context != patient) {
        refusals.push(ReasonCode::OutsidePatientContext);
    }
    Ground {
        reach: PatientReach::Only(BTreeSet::from([patient.clone()])),
        categories: CategorySet::all(),
        sensitive,
        data_period: Period::ALWAYS,
        consent: None,
        objections: Vec::new(),
        basis,
    }
}

fn proxy_in_force(
    request: &AccessRequest<'_>,
    patient: &PatientId,
    person: ActingPerson<'_>,
) -> bool {
    match person {
        ActingPerson::Patient | ActingPerson::Proxy(None) => false,
        ActingPerson::Proxy(Some(relationship)) => {
            relationship.patient == *patient
                && in_force(request, relationship, RelationshipKind::Proxy)
        }
    }
}

fn in_force(
    request: &AccessRequest<'_>,
    relationship: &Relationship,
    kind: RelationshipKind,
) -> bool {
    relationship.kind == kind
        && request.account == Some(&relationship.account)
        && relationship.period.contains(request.at)
}

fn operational(
    request: &AccessRequest<'_>,
    kind: ActorKind,
    relationships: &[Relationship],
    objections: &[(PatientId, CategorySet)],
    refusals: &mut Vec<ReasonCode>,
) -> Option<Ground> {
    let Some(rule) = org_rules::rule_for(kind) else {
        refusals.push(ReasonCode::RoleWithoutClinicalData);
        return None;
    };
    let patients: BTreeSet<PatientId> = relationships
        .iter()
        .filter(|relationship| in_force(request, relationship, rule.relationship))
        .map(|relationship| relationship.patient.clone())
        .collect();
    if request.patient_in_context.is_some_and(|patient| !patients.contains(patient)) {
        refusals.push(rule.lacking);
        refusals.push(ReasonCode::OutsidePatientContext);
    } else if patients.is_empty() {
        refusals.push(rule.lacking);
    }
    if !rule.purposes.contains(request.purpose) {
        refusals.push(ReasonCode::PurposeNotAllowed);
    }
    Some(Ground {
        objections: objections
            .iter()
            .filter(|(patient, _)| patients.contains(patient))
            .cloned()
            .collect(),
        reach: PatientReach::Only(patients),
        categories: CategorySet::all(),
        sensitive: rule.sensitive,
        data_period: Period::ALWAYS,
        consent: None,
        basis: rule.basis,
    })
}

fn pre_authorized(request: &AccessRequest<'_>, refusals: &mut Vec<ReasonCode>) -> Ground {
    if !org_rules::PRE_AUTHORIZED_PURPOSES.contains(request.purpose) {
        refusals.push(ReasonCode::PurposeNotAllowed);
    }
    Ground {
        reach: PatientReach::Any,
        categories: CategorySet::all(),
        sensitive: SensitiveSet::EMPTY,
        data_period: Period::ALWAYS,
        consent: None,
        objections: Vec::new(),
        basis: ReasonCode::PreAuthorized,
    }
}
