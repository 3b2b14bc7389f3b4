//! From a request to a plan: everything that does not depend on a resource.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::policy::{by_rules, in_emergency};
use super::trace::{Check, Detail, Trace};
use super::{
    AccessMode, AccessPlan, AccessRequest, ActingPerson, Decision, FiledRule, PatientReach,
    PlanRules, org_rules,
};
use crate::account::{ActorKind, Relationship, RelationshipKind};
use crate::category::{CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use crate::consent::{Capacity, ConsentFacts, Recipient, Standing};
use crate::emergency::{EmergencyFacts, Standing as EmergencyStanding};
use crate::id::{ConsentId, ConsentVersionId, EmergencyId, PatientId};
use crate::reason::ReasonCode;
use crate::scope::{ResourceScope, Scope, ScopeContext, ScopeSet};
use crate::time::{At, Period};

/// What a mode allows at most, before scopes.
pub(super) struct Ground {
    pub(super) reach: PatientReach,
    pub(super) categories: CategorySet,
    pub(super) sensitive: SensitiveSet,
    pub(super) data_period: Period,
    pub(super) consent: Option<(ConsentId, ConsentVersionId)>,
    pub(super) objections: Vec<(PatientId, CategorySet)>,
    pub(super) filed: FiledRule,
    pub(super) basis: ReasonCode,
    pub(super) lacking: Option<ReasonCode>,
    pub(super) rules: Option<PlanRules>,
}

/// Makes the plan for a request, or denies it as a whole.
///
/// # Errors
/// The denial, with every reason that stands in the way.
pub fn plan(request: &AccessRequest<'_>) -> Result<AccessPlan, Decision> {
    let mut refusals: Vec<ReasonCode> = Vec::new();
    traced(request, &mut refusals).ok_or_else(|| Decision::deny(refusals))
}

/// As [`plan`], telling of every check.
pub(super) fn traced(request: &AccessRequest<'_>, trace: &mut impl Trace) -> Option<AccessPlan> {
    let trace = &mut Heard { trace, refused: false };
    let scopes = match usable_scopes(request) {
        Ok(scopes) => {
            trace.check(Check::ScopeCounts, None, || scopes_counted(scopes.as_deref()));
            scopes
        }
        Err(reason) => {
            trace.check(Check::ScopeCounts, Some(reason), || Detail::Scopes(Vec::new()));
            None
        }
    };
    let ground = match request.mode {
        AccessMode::PatientDirected { consent: None, .. } => {
            let reason = Some(ReasonCode::NoConsent);
            trace.check(Check::ConsentNamesParties, reason, || Detail::Nothing);
            None
        }
        AccessMode::PatientDirected { consent: Some(consent), person } => {
            Some(patient_directed(request, &consent, person, trace))
        }
        AccessMode::OwnRecord { patient, person } => {
            Some(own_record(request, patient, person, trace))
        }
        AccessMode::Operational { kind, relationships, objections } => {
            operational(request, kind, relationships, objections, trace)
        }
        AccessMode::Emergency { declared } => emergency(request, declared, trace),
        AccessMode::PreAuthorized => Some(match &request.policy.rules {
            Some(rules) => by_rules(request, rules, ActorKind::System, &[], &[], trace),
            None => pre_authorized(request, trace),
        }),
    };
    let ground = ground.filter(|_| !trace.refused)?;
    let patient_in_context = patient_in_context(request).cloned();
    Some(AccessPlan {
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
        filed: ground.filed,
        way: request.mode.way(),
        basis: ground.basis,
        lacking: ground.lacking,
        rules: ground.rules,
        policy_version: request.policy.version.clone(),
        emergency: emergency_of(request),
    })
}

/// The emergency that a request rests on.
fn emergency_of(request: &AccessRequest<'_>) -> Option<EmergencyId> {
    match request.mode {
        AccessMode::Emergency { declared } => declared.map(|own| own.id.clone()),
        AccessMode::PatientDirected { .. }
        | AccessMode::OwnRecord { .. }
        | AccessMode::Operational { .. }
        | AccessMode::PreAuthorized => None,
    }
}

/// Passes checks on, and remembers whether one refused.
struct Heard<'t, T> {
    trace: &'t mut T,
    refused: bool,
}

impl<T: Trace> Trace for Heard<'_, T> {
    fn check(
        &mut self,
        check: Check,
        refused: Option<ReasonCode>,
        detail: impl FnOnce() -> Detail,
    ) {
        self.refused |= refused.is_some();
        self.trace.check(check, refused, detail);
    }
}

fn scopes_counted(scopes: Option<&[ResourceScope]>) -> Detail {
    Detail::Scopes(scopes.unwrap_or_default().iter().cloned().map(Scope::Resource).collect())
}

fn patient_in_context<'a>(request: &AccessRequest<'a>) -> Option<&'a PatientId> {
    match request.mode {
        AccessMode::OwnRecord { patient, .. } => {
            Some(request.patient_in_context.unwrap_or(patient))
        }
        AccessMode::Emergency { declared } => {
            request.patient_in_context.or(declared.map(|own| &own.patient))
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
            | AccessMode::Emergency { .. }
            | AccessMode::PreAuthorized => Err(ReasonCode::ScopeMissing),
        };
    };
    let carried: ScopeSet = carried.iter().cloned().collect();
    let carried = match request.mode {
        AccessMode::PatientDirected { consent: Some(consent), .. } => {
            carried.narrow(consent.granted_scopes)
        }
        AccessMode::PatientDirected { consent: None, .. }
        | AccessMode::OwnRecord { .. }
        | AccessMode::Operational { .. }
        | AccessMode::Emergency { .. }
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
    consent: &ConsentFacts<'_>,
    person: ActingPerson<'_>,
    trace: &mut impl Trace,
) -> Ground {
    // TRUST: the consent is found through the grant. Were the wrong one found, the names on it
    // must still be those of this request.
    let for_this_app = matches!(consent.recipient, Recipient::App(app) if app == request.client);
    let of_this_person = request.account == Some(consent.given_by);
    let parties = refused_unless(for_this_app && of_this_person, ReasonCode::NoConsent);
    trace.check(Check::ConsentNamesParties, parties, || Detail::Nothing);
    let ended = match consent.standing(request.at) {
        Standing::InForce => None,
        Standing::Revoked => Some(ReasonCode::ConsentRevoked),
        Standing::NotInForce => Some(ReasonCode::ConsentNotInForce),
    };
    trace.check(Check::ConsentInForce, ended, || Detail::Consent {
        consent: consent.consent.clone(),
        version: consent.version.clone(),
        status: consent.status,
        period: consent.period,
    });
    let mut sensitive = consent.sensitive;
    let by_patient =
        matches!(person, ActingPerson::Patient) && consent.capacity == Capacity::Patient;
    let mut categories = consent.categories;
    if !by_patient {
        sensitive = sensitive.intersection(proxy_sensitive(person, request.at));
        categories = categories.intersection(proxy_categories(person));
        check_proxy(request, consent.patient, person, trace);
    }
    check_purpose(request, consent.purposes, trace);
    check_context(request, consent.patient, trace);
    Ground {
        reach: PatientReach::Only(BTreeSet::from([consent.patient.clone()])),
        categories,
        sensitive,
        data_period: consent.data_period,
        consent: Some((consent.consent.clone(), consent.version.clone())),
        objections: Vec::new(),
        filed: FiledRule::Restricts,
        basis: ReasonCode::ConsentInForce,
        lacking: Some(ReasonCode::NoConsent),
        rules: None,
    }
}

fn refused_unless(holds: bool, reason: ReasonCode) -> Option<ReasonCode> {
    (!holds).then_some(reason)
}

/// By name only: a purpose is in the set or it is not; no code implies another.
fn check_purpose(request: &AccessRequest<'_>, named: PurposeSet, trace: &mut impl Trace) {
    let refused = refused_unless(named.contains(request.purpose), ReasonCode::PurposeNotAllowed);
    trace.check(Check::PurposeNamed, refused, || Detail::Purpose { asked: request.purpose, named });
}

fn check_context(request: &AccessRequest<'_>, about: &PatientId, trace: &mut impl Trace) {
    let same = request.patient_in_context.is_none_or(|launched| launched == about);
    let refused = refused_unless(same, ReasonCode::OutsidePatientContext);
    trace.check(Check::PatientInContext, refused, || Detail::Context {
        launched: request.patient_in_context.cloned(),
        about: Some(about.clone()),
    });
}

fn check_proxy(
    request: &AccessRequest<'_>,
    patient: &PatientId,
    person: ActingPerson<'_>,
    trace: &mut impl Trace,
) {
    let holds = proxy_in_force(request, patient, person);
    let refused = refused_unless(holds, ReasonCode::ProxyNotInForce);
    trace.check(Check::ProxyInForce, refused, || Detail::Relationship(RelationshipKind::Proxy));
}

fn own_record(
    request: &AccessRequest<'_>,
    patient: &PatientId,
    person: ActingPerson<'_>,
    trace: &mut impl Trace,
) -> Ground {
    let categories = proxy_categories(person);
    let (purposes, sensitive, filed, basis) = match person {
        // What patients keep from others they do not keep from themselves.
        ActingPerson::Patient => (
            PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
            SensitiveSet::all(),
            FiledRule::NotHeard,
            ReasonCode::OwnRecord,
        ),
        ActingPerson::Proxy(_) => (
            PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest).with(PurposeOfUse::Family),
            proxy_sensitive(person, request.at),
            FiledRule::Restricts,
            ReasonCode::ProxyInForce,
        ),
    };
    if matches!(person, ActingPerson::Proxy(_)) {
        check_proxy(request, patient, person, trace);
    }
    let known = refused_unless(request.account.is_some(), ReasonCode::FactMissing);
    trace.check(Check::PersonKnown, known, || Detail::Nothing);
    check_purpose(request, purposes, trace);
    check_context(request, patient, trace);
    Ground {
        reach: PatientReach::Only(BTreeSet::from([patient.clone()])),
        categories,
        sensitive,
        data_period: Period::ALWAYS,
        consent: None,
        objections: Vec::new(),
        filed,
        basis,
        lacking: None,
        rules: None,
    }
}

/// What somebody who acts for the patient may see of sensitive kinds, at most. A patient who looks at
/// what a proxy chose sees no more than a proxy: the choice is the proxy's.
fn proxy_sensitive(person: ActingPerson<'_>, at: At) -> SensitiveSet {
    match person {
        ActingPerson::Proxy(Some(own)) => own.proxy_sensitive_at(at),
        ActingPerson::Proxy(None) | ActingPerson::Patient => org_rules::proxy_sensitive(),
    }
}

/// For which kinds of record somebody acts.
fn proxy_categories(person: ActingPerson<'_>) -> CategorySet {
    match person {
        ActingPerson::Proxy(Some(own)) => own.proxy_categories(),
        ActingPerson::Proxy(None) | ActingPerson::Patient => CategorySet::all(),
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
    trace: &mut impl Trace,
) -> Option<Ground> {
    if let Some(rules) = &request.policy.rules {
        return Some(by_rules(request, rules, kind, relationships, objections, trace));
    }
    let Some(rule) = request.policy.staff else {
        let reason = Some(ReasonCode::RoleWithoutClinicalData);
        trace.check(Check::RoleHasClinicalData, reason, || Detail::Role(kind));
        return None;
    };
    trace.check(Check::RoleHasClinicalData, None, || Detail::Role(kind));
    let patients: BTreeSet<PatientId> = relationships
        .iter()
        .filter(|relationship| in_force(request, relationship, rule.relationship))
        .map(|relationship| relationship.patient.clone())
        .collect();
    let in_context = request.patient_in_context.is_none_or(|own| patients.contains(own));
    let related = refused_unless(in_context && !patients.is_empty(), rule.lacking);
    trace.check(Check::RelationshipInForce, related, || Detail::Relationship(rule.relationship));
    let outside = refused_unless(in_context, ReasonCode::OutsidePatientContext);
    trace.check(Check::PatientInContext, outside, || Detail::Context {
        launched: request.patient_in_context.cloned(),
        about: request.patient_in_context.filter(|own| patients.contains(own)).cloned(),
    });
    check_purpose(request, rule.purposes, trace);
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
        filed: request.policy.filed,
        basis: rule.basis,
        lacking: Some(rule.lacking),
        rules: None,
    })
}

/// The purposes of emergency access: BTG, by name, and no other.
const EMERGENCY_PURPOSES: PurposeSet = PurposeSet::EMPTY.with(PurposeOfUse::BreakGlass);

/// 45 CFR 164.312(a)(2)(ii), design §6: replaces what consent and relationship would say, and nothing
/// of the scopes.
fn emergency(
    request: &AccessRequest<'_>,
    declared: Option<&EmergencyFacts>,
    trace: &mut Heard<'_, impl Trace>,
) -> Option<Ground> {
    let open = declared.is_some_and(|own| {
        request.account == Some(&own.by) && own.standing(request.at) == EmergencyStanding::InForce
    });
    let refused = refused_unless(open, ReasonCode::EmergencyNotOpen);
    trace.check(Check::EmergencyInForce, refused, || Detail::Emergency(declared.cloned()));
    let declared = declared?;
    let refused = refused_unless(declared.stepped_up(), ReasonCode::StepUpNeeded);
    trace.check(Check::EmergencyStepUp, refused, || Detail::Emergency(Some(declared.clone())));
    check_purpose(request, EMERGENCY_PURPOSES, trace);
    check_context(request, &declared.patient, trace);
    if trace.refused {
        // What the policy would say of an emergency that is none says nothing.
        return None;
    }
    let Some(rules) = &request.policy.rules else {
        let reason = Some(ReasonCode::FactMissing);
        trace.check(Check::EmergencyRuleLets, reason, || Detail::Nothing);
        return None;
    };
    in_emergency(request, rules, declared, trace)
}

fn pre_authorized(request: &AccessRequest<'_>, trace: &mut impl Trace) -> Ground {
    check_purpose(request, request.policy.services, trace);
    Ground {
        reach: PatientReach::Any,
        categories: CategorySet::all(),
        sensitive: SensitiveSet::EMPTY,
        data_period: Period::ALWAYS,
        consent: None,
        objections: Vec::new(),
        filed: request.policy.filed,
        basis: ReasonCode::PreAuthorized,
        lacking: None,
        rules: None,
    }
}
