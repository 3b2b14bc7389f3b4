//! Both sides of each boundary, one by one, with the reasons that are given.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::*;
use crate::account::RelationshipKind;
use crate::category::{Category, SensitiveKind};
use crate::consent::tests::{NOON, terms};
use crate::consent::{Capacity, ConsentTerms, ConsentVersion, NamedConsent};
use crate::interaction::Interaction;
use crate::scope::ScopeSet;

fn scopes(text: &str) -> Vec<Scope> {
    ScopeSet::parse(text).unwrap().known.into_vec()
}

fn consent(change: impl FnOnce(&mut ConsentTerms)) -> NamedConsent {
    let mut terms = terms();
    terms.granted_scopes = scopes("patient/*.rs");
    change(&mut terms);
    NamedConsent::new(ConsentVersion::record("cns_1".parse().unwrap(), terms, NOON).unwrap())
}

/// Maria's app, asking at noon for her own use, unless a test says otherwise.
struct Asked {
    at: At,
    client: ClientId,
    account: AccountId,
    scopes: Option<Vec<Scope>>,
    patient: Option<PatientId>,
    purpose: PurposeOfUse,
}

fn asked() -> Asked {
    Asked {
        at: NOON,
        client: "glucose-coach".parse().unwrap(),
        account: "acc_maria".parse().unwrap(),
        scopes: Some(scopes("patient/*.rs")),
        patient: Some("maria".parse().unwrap()),
        purpose: PurposeOfUse::PatientRequest,
    }
}

impl Asked {
    fn plan(&self, mode: AccessMode<'_>) -> Result<AccessPlan, Decision> {
        let kind = match mode {
            AccessMode::Operational { kind, .. } => kind,
            AccessMode::PatientDirected { .. }
            | AccessMode::OwnRecord { .. }
            | AccessMode::Emergency { .. }
            | AccessMode::PreAuthorized => ActorKind::System,
        };
        plan(&AccessRequest {
            policy: &OrgGround::fixed(kind),
            at: self.at,
            client: &self.client,
            account: Some(&self.account),
            mode,
            scopes: self.scopes.as_deref(),
            patient_in_context: self.patient.as_ref(),
            purpose: self.purpose,
            met: crate::org::ObligationSet::EMPTY,
        })
    }

    fn directed(&self, consent: &NamedConsent) -> Result<AccessPlan, Decision> {
        self.plan(AccessMode::PatientDirected {
            consent: Some(consent.facts()),
            person: ActingPerson::Patient,
        })
    }
}

fn laboratory_of(patients: &[&str]) -> ResourceFacts {
    ResourceFacts {
        resource_type: ResourceType::OBSERVATION,
        id: None,
        belonging: Belonging::Patients(patients.iter().map(|id| id.parse().unwrap()).collect()),
        categories: CategorySet::EMPTY.with(Category::Laboratory),
        labels: Labels::Known(SensitiveSet::EMPTY),
        clinical_period: None,
        filed: None,
    }
}

/// A plan of a choice in force, and a record that it covers.
pub(super) fn shared_plan() -> (AccessPlan, ResourceFacts) {
    let named = consent(|_| {});
    (asked().directed(&named).unwrap(), laboratory_of(&["maria"]))
}

fn reasons(plan: &AccessPlan, facts: &ResourceFacts) -> Vec<ReasonCode> {
    plan.decide(&Interaction::Read, facts, &|_| true).reasons
}

fn refusal(plan: Result<AccessPlan, Decision>) -> Vec<ReasonCode> {
    plan.unwrap_err().reasons
}

fn before(at: At) -> At {
    At::from_micros(at.as_micros() - 1)
}

#[test]
fn a_consent_permits_from_its_first_to_before_its_last_instant() {
    let consent = consent(|_| {});
    let end = consent.version().period.end.unwrap();
    let at = |at| Asked { at, ..asked() }.directed(&consent);
    assert_eq!(refusal(at(before(NOON))), [ReasonCode::ConsentNotInForce]);
    assert!(at(NOON).is_ok());
    assert!(at(before(end)).is_ok());
    assert_eq!(refusal(at(end)), [ReasonCode::ConsentNotInForce]);
}

#[test]
fn a_stopped_consent_says_so() {
    let stopped =
        NamedConsent::new(consent(|_| {}).version().revoke(NOON.plus_secs(1), None).unwrap());
    assert_eq!(refusal(asked().directed(&stopped)), [ReasonCode::ConsentRevoked]);
    let none = AccessMode::PatientDirected { consent: None, person: ActingPerson::Patient };
    assert_eq!(refusal(asked().plan(none)), [ReasonCode::NoConsent]);
}

#[test]
fn a_consent_serves_its_own_app_account_patient_and_purpose_only() {
    let consent = consent(|_| {});
    let other_app = Asked { client: "old-tracker".parse().unwrap(), ..asked() };
    assert_eq!(refusal(other_app.directed(&consent)), [ReasonCode::NoConsent]);
    let other_account = Asked { account: "acc_grace".parse().unwrap(), ..asked() };
    assert_eq!(refusal(other_account.directed(&consent)), [ReasonCode::NoConsent]);
    let other_patient = Asked { patient: Some("james".parse().unwrap()), ..asked() };
    assert_eq!(refusal(other_patient.directed(&consent)), [ReasonCode::OutsidePatientContext]);
    for purpose in PurposeOfUse::ALL {
        let asked = Asked { purpose: *purpose, ..asked() };
        let expected = *purpose == PurposeOfUse::PatientRequest;
        assert_eq!(asked.directed(&consent).is_ok(), expected, "{purpose}");
    }
}

#[test]
fn a_refusal_lists_every_conjunct_that_failed() {
    let consent = consent(|terms| {
        terms.data_period = Period { start: Some(NOON), end: None };
    });
    let plan = asked().directed(&consent).unwrap();
    let mut facts = laboratory_of(&["james"]);
    facts.categories = CategorySet::EMPTY.with(Category::Notes);
    facts.labels = Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Hiv));
    let decision = plan.decide(&Interaction::Create, &facts, &|_| true);
    assert_eq!(
        decision.reasons,
        [
            ReasonCode::ScopeMissing,
            ReasonCode::NoConsent,
            ReasonCode::CategoryNotShared,
            ReasonCode::OutsideDataPeriod,
            ReasonCode::SensitiveKindNotShared,
        ]
    );
}

#[test]
fn every_patient_named_must_be_the_one_who_consents() {
    let plan = asked().directed(&consent(|_| {})).unwrap();
    assert_eq!(reasons(&plan, &laboratory_of(&["maria"])), [ReasonCode::ConsentInForce]);
    assert_eq!(
        reasons(&plan, &laboratory_of(&["maria", "james"])),
        [ReasonCode::OutsidePatientContext, ReasonCode::OtherPatientNamed]
    );
    assert_eq!(reasons(&plan, &laboratory_of(&[])), [ReasonCode::FactMissing]);
    let mut unknown = laboratory_of(&[]);
    unknown.belonging = Belonging::Unknown;
    assert_eq!(
        reasons(&plan, &unknown),
        [ReasonCode::OutsidePatientContext, ReasonCode::FactMissing]
    );
}

#[test]
fn a_sensitive_kind_needs_its_name_and_each_label_needs_its_own() {
    let both = SensitiveSet::EMPTY.with(SensitiveKind::Hiv).with(SensitiveKind::MentalHealth);
    let mut facts = laboratory_of(&["maria"]);
    facts.labels = Labels::Known(both);
    let plan_for = |named| asked().directed(&consent(|t| t.sensitive = named)).unwrap();
    let hiv = SensitiveSet::EMPTY.with(SensitiveKind::Hiv);
    assert_eq!(reasons(&plan_for(hiv), &facts), [ReasonCode::SensitiveKindNotShared]);
    assert_eq!(reasons(&plan_for(both), &facts), [ReasonCode::ConsentInForce]);
    facts.labels = Labels::Unclassified;
    assert_eq!(reasons(&plan_for(both), &facts), [ReasonCode::Unlabelled]);
}

#[test]
fn a_data_period_wants_a_date_wholly_inside() {
    let day = Period { start: Some(NOON), end: Some(NOON.plus_days(1)) };
    let plan = asked().directed(&consent(|terms| terms.data_period = day)).unwrap();
    let dated = |start: At, end: At| {
        let mut facts = laboratory_of(&["maria"]);
        facts.clinical_period = Some(Period { start: Some(start), end: Some(end) });
        reasons(&plan, &facts)
    };
    assert_eq!(dated(NOON, NOON.plus_days(1)), [ReasonCode::ConsentInForce]);
    assert_eq!(dated(before(NOON), NOON.plus_secs(1)), [ReasonCode::OutsideDataPeriod]);
    let late = At::from_micros(NOON.plus_days(1).as_micros() + 1);
    assert_eq!(dated(NOON, late), [ReasonCode::OutsideDataPeriod]);
    assert_eq!(reasons(&plan, &laboratory_of(&["maria"])), [ReasonCode::OutsideDataPeriod]);
}

#[test]
fn granular_scopes_are_alternatives_and_their_filters_are_all_required() {
    let text = "patient/Observation.rs?category=a patient/Observation.r?category=b&status=final";
    let consent = consent(|terms| terms.granted_scopes = scopes(text));
    let plan = Asked { scopes: Some(scopes(text)), ..asked() }.directed(&consent).unwrap();
    let facts = laboratory_of(&["maria"]);
    let with = |interaction: Interaction, matched: &[&str]| {
        plan.decide(&interaction, &facts, &|filter: &ScopeFilter| {
            matched.contains(&filter.value.as_str())
        })
        .is_permit()
    };
    assert!(with(Interaction::Read, &["a"]));
    assert!(with(Interaction::Search, &["a"]));
    assert!(with(Interaction::Read, &["b", "final"]));
    assert!(!with(Interaction::Search, &["b", "final"]));
    assert!(!with(Interaction::Read, &["b"]));
    assert!(!with(Interaction::Read, &[]));
    assert!(!with(Interaction::Update, &["a"]));
}

#[test]
fn amending_a_consent_narrows_live_tokens() {
    let first = consent(|_| {});
    let mut narrower = first.version().terms();
    narrower.granted_scopes = scopes("patient/MedicationRequest.rs");
    narrower.categories = CategorySet::EMPTY.with(Category::Medications);
    let second = NamedConsent::new(first.version().amend(narrower, NOON, None).unwrap());
    let facts = laboratory_of(&["maria"]);
    assert_eq!(reasons(&asked().directed(&first).unwrap(), &facts), [ReasonCode::ConsentInForce]);
    assert_eq!(
        reasons(&asked().directed(&second).unwrap(), &facts),
        [ReasonCode::ScopeMissing, ReasonCode::CategoryNotShared]
    );
}

fn relationship(account: &str, patient: &str, kind: RelationshipKind) -> Relationship {
    Relationship {
        account: account.parse().unwrap(),
        patient: patient.parse().unwrap(),
        kind,
        period: Period { start: Some(NOON), end: Some(NOON.plus_days(1)) },
        mandate: None,
        source: crate::org::FactSource::Relationship,
    }
}

#[test]
fn a_proxy_acts_inside_the_period_and_never_sees_what_a_teenager_told_in_confidence() {
    let wei = relationship("acc_wei", "lily", RelationshipKind::Proxy);
    let lily: PatientId = "lily".parse().unwrap();
    let looks = |at, person| {
        Asked { at, account: "acc_wei".parse().unwrap(), scopes: None, patient: None, ..asked() }
            .plan(AccessMode::OwnRecord { patient: &lily, person })
    };
    let proxy = ActingPerson::Proxy(Some(&wei));
    let plan = looks(NOON, proxy).unwrap();
    let mut facts = laboratory_of(&["lily"]);
    assert_eq!(reasons(&plan, &facts), [ReasonCode::ProxyInForce]);
    facts.labels = Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Adolescent));
    assert_eq!(reasons(&plan, &facts), [ReasonCode::SensitiveKindNotShared]);
    facts.labels = Labels::Unclassified;
    assert_eq!(reasons(&plan, &facts), [ReasonCode::Unlabelled]);

    assert_eq!(refusal(looks(before(NOON), proxy)), [ReasonCode::ProxyNotInForce]);
    assert!(looks(before(NOON.plus_days(1)), proxy).is_ok());
    assert_eq!(refusal(looks(NOON.plus_days(1), proxy)), [ReasonCode::ProxyNotInForce]);
    assert_eq!(refusal(looks(NOON, ActingPerson::Proxy(None))), [ReasonCode::ProxyNotInForce]);
    let care = relationship("acc_wei", "lily", RelationshipKind::Care);
    assert_eq!(
        refusal(looks(NOON, ActingPerson::Proxy(Some(&care)))),
        [ReasonCode::ProxyNotInForce]
    );
}

#[test]
fn the_app_of_a_proxy_loses_access_with_the_proxy() {
    let given = consent(|terms| {
        terms.given_by = "acc_grace".parse().unwrap();
        terms.capacity = Capacity::Proxy;
        terms.patient = "james".parse().unwrap();
        terms.sensitive = SensitiveSet::all();
        terms.period = Period { start: Some(NOON), end: None };
    });
    let grace = relationship("acc_grace", "james", RelationshipKind::Proxy);
    let asks = |at, person| {
        let patient = Some("james".parse().unwrap());
        Asked { at, account: "acc_grace".parse().unwrap(), patient, ..asked() }
            .plan(AccessMode::PatientDirected { consent: Some(given.facts()), person })
    };
    let plan = asks(NOON, ActingPerson::Proxy(Some(&grace))).unwrap();
    assert!(!plan.sensitive.contains(SensitiveKind::Adolescent));
    assert!(plan.sensitive.contains(SensitiveKind::Hiv));
    let over = asks(NOON.plus_days(1), ActingPerson::Proxy(Some(&grace)));
    assert_eq!(refusal(over), [ReasonCode::ProxyNotInForce]);
    // Even a caller who takes her for the patient cannot lift the rule.
    assert_eq!(refusal(asks(NOON, ActingPerson::Patient)), [ReasonCode::ProxyNotInForce]);
}

#[test]
fn the_patient_sees_everything_of_their_own() {
    let maria: PatientId = "maria".parse().unwrap();
    let plan = Asked { scopes: None, patient: None, ..asked() }
        .plan(AccessMode::OwnRecord { patient: &maria, person: ActingPerson::Patient })
        .unwrap();
    let mut facts = laboratory_of(&["maria"]);
    facts.labels = Labels::Known(SensitiveSet::all());
    assert_eq!(reasons(&plan, &facts), [ReasonCode::OwnRecord]);
    facts.categories = CategorySet::EMPTY;
    facts.labels = Labels::Unclassified;
    assert_eq!(reasons(&plan, &facts), [ReasonCode::OwnRecord]);
    let create = plan.decide(&Interaction::Create, &facts, &|_| true);
    assert_eq!(create.reasons, [ReasonCode::InteractionNotOffered]);
}

fn staff(
    kind: ActorKind,
    relationships: &[Relationship],
    objections: &[(PatientId, CategorySet)],
    change: impl FnOnce(&mut Asked),
) -> Result<AccessPlan, Decision> {
    let mut asked = Asked {
        account: "acc_staff".parse().unwrap(),
        scopes: Some(scopes("user/*.rs")),
        patient: None,
        purpose: PurposeOfUse::Treatment,
        ..asked()
    };
    change(&mut asked);
    asked.plan(AccessMode::Operational { kind, relationships, objections })
}

#[test]
fn a_clinician_sees_patients_in_their_care_and_no_others() {
    let care = [relationship("acc_staff", "maria", RelationshipKind::Care)];
    let plan = staff(ActorKind::Clinician, &care, &[], |_| {}).unwrap();
    assert_eq!(reasons(&plan, &laboratory_of(&["maria"])), [ReasonCode::CareRelationship]);
    assert_eq!(reasons(&plan, &laboratory_of(&["james"])), [ReasonCode::NoCareRelationship]);
    let both = laboratory_of(&["maria", "james"]);
    assert_eq!(reasons(&plan, &both), [ReasonCode::OtherPatientNamed]);
    let nobody = staff(ActorKind::Clinician, &[], &[], |_| {});
    assert_eq!(refusal(nobody), [ReasonCode::NoCareRelationship]);
    let over = staff(ActorKind::Clinician, &care, &[], |asked| asked.at = NOON.plus_days(1));
    assert_eq!(refusal(over), [ReasonCode::NoCareRelationship]);
    let colleague = [relationship("acc_other", "maria", RelationshipKind::Care)];
    let borrowed = staff(ActorKind::Clinician, &colleague, &[], |_| {});
    assert_eq!(refusal(borrowed), [ReasonCode::NoCareRelationship]);
}

#[test]
fn what_a_treating_clinician_does_not_see_is_named() {
    let care = [relationship("acc_staff", "maria", RelationshipKind::Care)];
    let shift = [relationship("acc_staff", "maria", RelationshipKind::Shift)];
    let clinician = staff(ActorKind::Clinician, &care, &[], |_| {}).unwrap();
    let nurse = staff(ActorKind::Nurse, &shift, &[], |_| {}).unwrap();
    for kind in SensitiveKind::ALL {
        let mut facts = laboratory_of(&["maria"]);
        facts.labels = Labels::Known(SensitiveSet::EMPTY.with(*kind));
        let hidden = matches!(
            kind,
            SensitiveKind::PsychotherapyNotes
                | SensitiveKind::SubstanceUse
                | SensitiveKind::Restricted
        );
        let permitted = clinician.decide(&Interaction::Read, &facts, &|_| true).is_permit();
        assert_eq!(permitted, !hidden, "{kind}");
        assert_eq!(reasons(&nurse, &facts), [ReasonCode::SensitiveKindNotShared], "{kind}");
    }
}

#[test]
fn a_nurse_needs_a_shift() {
    let care = [relationship("acc_staff", "james", RelationshipKind::Care)];
    assert_eq!(refusal(staff(ActorKind::Nurse, &care, &[], |_| {})), [ReasonCode::NotOnShift]);
    let shift = [relationship("acc_staff", "james", RelationshipKind::Shift)];
    let on = |at| staff(ActorKind::Nurse, &shift, &[], |asked| asked.at = at);
    assert!(on(NOON).is_ok());
    assert!(on(before(NOON.plus_days(1))).is_ok());
    assert_eq!(refusal(on(NOON.plus_days(1))), [ReasonCode::NotOnShift]);
}

#[test]
fn officers_administrators_and_support_see_no_clinical_data() {
    let care = [relationship("acc_staff", "maria", RelationshipKind::Care)];
    for kind in [
        ActorKind::PrivacyOfficer,
        ActorKind::Administrator,
        ActorKind::SupportAgent,
        ActorKind::Staff,
        ActorKind::Patient,
        ActorKind::Proxy,
        ActorKind::System,
    ] {
        let refused = refusal(staff(kind, &care, &[], |_| {}));
        assert_eq!(refused, [ReasonCode::RoleWithoutClinicalData], "{kind:?}");
    }
}

#[test]
fn emergency_purposes_open_nothing_by_themselves() {
    let care = [relationship("acc_staff", "maria", RelationshipKind::Care)];
    for purpose in PurposeOfUse::ALL {
        let expected = matches!(purpose, PurposeOfUse::Treatment | PurposeOfUse::Coordination);
        let plan = staff(ActorKind::Clinician, &care, &[], |asked| asked.purpose = *purpose);
        assert_eq!(plan.is_ok(), expected, "{purpose}");
    }
}

#[test]
fn an_objection_holds_for_its_kinds_and_for_what_might_be_of_them() {
    let care = [relationship("acc_staff", "maria", RelationshipKind::Care)];
    let objection = [("maria".parse().unwrap(), CategorySet::EMPTY.with(Category::Laboratory))];
    let plan = staff(ActorKind::Clinician, &care, &objection, |_| {}).unwrap();
    let mut facts = laboratory_of(&["maria"]);
    assert_eq!(reasons(&plan, &facts), [ReasonCode::PatientObjection]);
    facts.categories = CategorySet::EMPTY;
    assert_eq!(reasons(&plan, &facts), [ReasonCode::PatientObjection]);
    facts.categories = CategorySet::EMPTY.with(Category::Vitals);
    assert_eq!(reasons(&plan, &facts), [ReasonCode::CareRelationship]);
}

#[test]
fn scope_classes_do_not_lend_to_each_other() {
    let care = [
        relationship("acc_staff", "maria", RelationshipKind::Care),
        relationship("acc_staff", "james", RelationshipKind::Care),
    ];
    let with = |text: &str, patient: Option<&str>| {
        staff(ActorKind::Clinician, &care, &[], |asked| {
            asked.scopes = Some(scopes(text));
            asked.patient = patient.map(|id| id.parse().unwrap());
        })
    };
    let plan = with("patient/*.rs user/Patient.rs", Some("maria")).unwrap();
    assert_eq!(reasons(&plan, &laboratory_of(&["maria"])), [ReasonCode::CareRelationship]);
    assert_eq!(reasons(&plan, &laboratory_of(&["james"])), [ReasonCode::OutsidePatientContext]);
    assert!(matches!(&plan.reach, PatientReach::Only(patients) if patients.len() == 2));
    let plan = with("patient/*.rs", Some("maria")).unwrap();
    assert_eq!(plan.reach, PatientReach::Only(BTreeSet::from(["maria".parse().unwrap()])));
    assert_eq!(refusal(with("patient/*.rs", None)), [ReasonCode::OutsidePatientContext]);
    assert_eq!(refusal(with("system/*.rs", None)), [ReasonCode::ScopeMissing]);
    assert_eq!(refusal(with("openid", None)), [ReasonCode::ScopeMissing]);
    assert_eq!(
        refusal(with("user/*.rs", Some("lily"))),
        [ReasonCode::NoCareRelationship, ReasonCode::OutsidePatientContext]
    );
}

#[test]
fn a_service_has_its_system_scopes_and_no_sensitive_kind() {
    let service = |text: &str, purpose| {
        Asked { scopes: Some(scopes(text)), patient: None, purpose, ..asked() }
            .plan(AccessMode::PreAuthorized)
    };
    let plan = service("system/Observation.rs", PurposeOfUse::Research).unwrap();
    let mut facts = laboratory_of(&["maria", "james"]);
    assert_eq!(reasons(&plan, &facts), [ReasonCode::PreAuthorized]);
    facts.labels = Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Sti));
    assert_eq!(reasons(&plan, &facts), [ReasonCode::SensitiveKindNotShared]);
    facts.belonging = Belonging::Unknown;
    facts.labels = Labels::Known(SensitiveSet::EMPTY);
    assert_eq!(reasons(&plan, &facts), [ReasonCode::FactMissing]);
    let refused = service("system/Observation.rs", PurposeOfUse::BreakGlass);
    assert_eq!(refusal(refused), [ReasonCode::PurposeNotAllowed]);
    let refused = service("user/Observation.rs", PurposeOfUse::Research);
    assert_eq!(refusal(refused), [ReasonCode::ScopeMissing]);
}

#[test]
fn the_directory_is_open_to_whoever_has_the_scope_and_closed_to_their_writes() {
    let text = "patient/*.cruds";
    let consent = consent(|terms| terms.granted_scopes = scopes(text));
    let plan = Asked { scopes: Some(scopes(text)), ..asked() }.directed(&consent).unwrap();
    let mut facts = laboratory_of(&[]);
    facts.resource_type = ResourceType::PRACTITIONER;
    facts.belonging = Belonging::Directory;
    facts.categories = CategorySet::EMPTY;
    assert_eq!(reasons(&plan, &facts), [ReasonCode::PublicDirectory]);
    let write = plan.decide(&Interaction::Update, &facts, &|_| true);
    assert_eq!(write.reasons, [ReasonCode::InteractionNotOffered]);
    // A claim that a clinical record is a directory entry is not believed.
    facts.resource_type = ResourceType::OBSERVATION;
    facts.categories = CategorySet::EMPTY.with(Category::Laboratory);
    assert_eq!(reasons(&plan, &facts), [ReasonCode::FactMissing]);
    let narrow = Asked { scopes: Some(scopes("patient/Patient.rs")), ..asked() };
    facts.resource_type = ResourceType::PRACTITIONER;
    assert_eq!(reasons(&narrow.directed(&consent).unwrap(), &facts), [ReasonCode::ScopeMissing]);
}

#[test]
fn records_of_what_was_allowed_and_done_are_not_written_from_outside() {
    let text = "system/*.cruds system/Consent.rs";
    let plan = Asked {
        scopes: Some(scopes(text)),
        patient: None,
        purpose: PurposeOfUse::Treatment,
        ..asked()
    }
    .plan(AccessMode::PreAuthorized)
    .unwrap();
    for (resource_type, offered) in [
        (ResourceType::AUDIT_EVENT, false),
        (ResourceType::PROVENANCE, false),
        (ResourceType::OBSERVATION, true),
        (ResourceType::PRACTITIONER, true),
    ] {
        for write in
            [Interaction::Create, Interaction::Update, Interaction::Patch, Interaction::Delete]
        {
            assert_eq!(plan.offers(&write, resource_type), offered, "{write:?} {resource_type}");
        }
        assert!(plan.offers(&Interaction::Read, resource_type));
    }
}

#[test]
fn consents_are_read_and_filed_by_a_service_whose_scope_names_them_and_by_nobody_else() {
    let service = |text| {
        Asked {
            scopes: Some(scopes(text)),
            patient: None,
            purpose: PurposeOfUse::Operations,
            ..asked()
        }
        .plan(AccessMode::PreAuthorized)
        .unwrap()
    };
    let registry = service("system/Consent.cruds");
    for offered in [
        Interaction::Read,
        Interaction::Vread,
        Interaction::HistoryInstance,
        Interaction::HistoryType,
        Interaction::Search,
        Interaction::Create,
        Interaction::Update,
    ] {
        assert!(registry.offers(&offered, ResourceType::CONSENT), "{offered:?}");
        assert!(!service("system/*.cruds").offers(&offered, ResourceType::CONSENT));
    }
    for kept in [Interaction::Patch, Interaction::Delete, Interaction::Transaction] {
        assert!(!registry.offers(&kept, ResourceType::CONSENT), "{kept:?}");
    }
    let mut facts = laboratory_of(&["maria"]);
    facts.resource_type = ResourceType::CONSENT;
    facts.categories = CategorySet::EMPTY;
    // What it says of sensitive kinds is what the registry keeps.
    facts.labels = Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Hiv));
    assert_eq!(reasons(&registry, &facts), [ReasonCode::PreAuthorized]);
    assert_eq!(reasons(&service("system/*.cruds"), &facts), [ReasonCode::ScopeMissing]);

    let text = "patient/*.cruds patient/Consent.cruds";
    let everything = consent(|terms| {
        terms.granted_scopes = scopes(text);
        terms.categories = CategorySet::all();
        terms.sensitive = SensitiveSet::all();
    });
    let app = Asked { scopes: Some(scopes(text)), ..asked() }.directed(&everything).unwrap();
    assert!(!app.offers(&Interaction::Read, ResourceType::CONSENT));
    assert_eq!(reasons(&app, &facts), [ReasonCode::InteractionNotOffered]);
}
