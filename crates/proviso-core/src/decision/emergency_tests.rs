//! Emergency access, condition by condition, with the reasons that are given.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::explain::explain;
use super::record::{DecisionRecord, JudgedResource, RecordedRequest};
use super::*;
use crate::category::{Category, SensitiveKind};
use crate::interaction::Interaction;
use crate::org::{
    Condition, EmergencyReason, Obligation, OrgActionSet, OrgRules, PolicyName, RuleInForce,
    RuleTarget, RuleTargetSet, SetTest, Test, standings_of,
};
use crate::scope::ScopeSet;

const NOON: At = At::from_secs(1_795_000_000);

fn names(names: &[&str]) -> BTreeSet<PolicyName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn declared() -> EmergencyFacts {
    EmergencyFacts {
        id: "emg_1".parse().unwrap(),
        by: "acc_drstone".parse().unwrap(),
        patient: "maria".parse().unwrap(),
        reason: EmergencyReason::Unresponsive,
        authenticated_at: NOON,
        declared_at: NOON,
        ends_at: NOON.plus_secs(1_800),
        ended_at: None,
    }
}

fn rule(name: &str, effect: Effect, test: Test) -> RuleInForce {
    let (reason, obligations) = match effect {
        Effect::Permit => (
            ReasonCode::EmergencyAccess,
            BTreeSet::from([
                Obligation::AuditTwice,
                Obligation::NotifyPatient,
                Obligation::OpenReview,
            ]),
        ),
        Effect::Deny => (ReasonCode::SensitiveKindNotShared, BTreeSet::new()),
    };
    let otherwise = Some(ReasonCode::KindNotForRole);
    RuleInForce {
        name: name.parse().unwrap(),
        effect,
        reason,
        actions: OrgActionSet::all(),
        targets: RuleTargetSet::EMPTY.with(RuleTarget::Record),
        when: alloc::vec![Condition { test, otherwise }],
        obligations,
    }
}

fn has(kind: SensitiveKind) -> Test {
    Test::Kinds(SetTest::HasAny, SensitiveSet::EMPTY.with(kind))
}

/// The shape of the policies that come with this release, for somebody they let in.
fn rules() -> Vec<RuleInForce> {
    let part2 = has(SensitiveKind::SubstanceUse);
    let mut by_part2 = rule("part-2-medical-emergency", Effect::Permit, part2.clone());
    by_part2.obligations.insert(Obligation::AttachPart2Notice);
    let apart = has(SensitiveKind::PsychotherapyNotes);
    alloc::vec![
        rule("notes-stay-apart", Effect::Deny, apart),
        rule("emergency", Effect::Permit, Test::Not(alloc::boxed::Box::new(part2))),
        by_part2,
    ]
}

fn says(rules: Vec<RuleInForce>) -> OrgGround {
    OrgGround::by_rules("some".into(), OrgRules { standings: standings_of([]), rules })
}

fn lets() -> OrgGround {
    says(rules())
}

struct Asked {
    at: At,
    account: AccountId,
    declared: Option<EmergencyFacts>,
    scopes: Vec<Scope>,
    patient: Option<PatientId>,
    purpose: PurposeOfUse,
    says: OrgGround,
    met: ObligationSet,
}

fn asked() -> Asked {
    Asked {
        at: NOON.plus_secs(60),
        account: "acc_drstone".parse().unwrap(),
        declared: Some(declared()),
        scopes: ScopeSet::parse("user/*.cruds").unwrap().known.into_vec(),
        patient: Some("maria".parse().unwrap()),
        purpose: PurposeOfUse::BreakGlass,
        says: lets(),
        met: ObligationSet::EMPTY.with(Obligation::AttachPart2Notice),
    }
}

impl Asked {
    fn with<T>(&self, then: impl FnOnce(&AccessRequest<'_>) -> T) -> T {
        let client: ClientId = "chart-lens".parse().unwrap();
        then(&AccessRequest {
            at: self.at,
            client: &client,
            account: Some(&self.account),
            mode: AccessMode::Emergency { declared: self.declared.as_ref() },
            scopes: Some(&self.scopes),
            patient_in_context: self.patient.as_ref(),
            purpose: self.purpose,
            policy: &self.says,
            met: self.met,
        })
    }

    fn plan(&self) -> Result<AccessPlan, Vec<ReasonCode>> {
        self.with(plan).map_err(|denial| denial.reasons)
    }
}

fn record(patients: &[&str], kinds: &[SensitiveKind]) -> ResourceFacts {
    ResourceFacts {
        resource_type: ResourceType::CONDITION,
        id: Some("one".parse().unwrap()),
        belonging: Belonging::Patients(patients.iter().map(|id| id.parse().unwrap()).collect()),
        categories: CategorySet::EMPTY.with(Category::Problems),
        labels: Labels::Known(kinds.iter().copied().collect()),
        clinical_period: None,
        filed: None,
    }
}

fn before(at: At) -> At {
    At::from_micros(at.as_micros() - 1)
}

fn reads(plan: &AccessPlan, facts: &ResourceFacts) -> Vec<ReasonCode> {
    plan.decide(&Interaction::Read, facts, &|_| true).reasons
}

#[test]
fn what_was_declared_opens_the_records_of_that_patient() {
    let plan = asked().plan().unwrap();
    assert_eq!(reads(&plan, &record(&["maria"], &[])), [ReasonCode::EmergencyAccess]);
    assert_eq!(plan.emergency.unwrap(), declared().id);
}

#[test]
fn nothing_opens_without_a_declaration_of_the_one_who_asks() {
    let none = Asked { declared: None, ..asked() };
    assert_eq!(none.plan(), Err(alloc::vec![ReasonCode::EmergencyNotOpen]));
    let others = Asked { account: "acc_drbrooks".parse().unwrap(), ..asked() };
    assert_eq!(others.plan(), Err(alloc::vec![ReasonCode::EmergencyNotOpen]));
}

#[test]
fn it_opens_nothing_before_it_is_declared_nor_from_its_end_on() {
    let end = declared().ends_at;
    let over = Err(alloc::vec![ReasonCode::EmergencyNotOpen]);
    for (at, open) in [(before(NOON), false), (NOON, true), (before(end), true), (end, false)] {
        let plan = Asked { at, ..asked() }.plan();
        assert_eq!(plan.is_ok(), open, "{at}");
        assert!(open || plan == over);
    }
    let ended = EmergencyFacts { ended_at: Some(NOON.plus_secs(30)), ..declared() };
    assert_eq!(Asked { declared: Some(ended), ..asked() }.plan(), over);
}

#[test]
fn who_did_not_prove_who_they_are_just_before_gets_nothing() {
    let limit = crate::emergency::STEP_UP_SECS_MAX;
    for (secs, fresh) in [(-1, false), (0, true), (limit - 1, true), (limit, false)] {
        let authenticated_at = NOON.plus_secs(-secs);
        let declared = Some(EmergencyFacts { authenticated_at, ..declared() });
        let plan = Asked { declared, ..asked() }.plan();
        assert_eq!(plan.is_ok(), fresh, "{secs}");
        assert!(fresh || plan == Err(alloc::vec![ReasonCode::StepUpNeeded]));
    }
}

#[test]
fn it_is_asked_for_by_name() {
    for purpose in PurposeOfUse::ALL.iter().copied() {
        let plan = Asked { purpose, ..asked() }.plan();
        assert_eq!(plan.is_ok(), purpose == PurposeOfUse::BreakGlass, "{purpose}");
    }
}

#[test]
fn the_policy_in_force_decides_whether_there_is_a_way_in() {
    let summed_up = OrgGround::fixed(ActorKind::Clinician);
    let none = Asked { says: summed_up, ..asked() };
    assert_eq!(none.plan(), Err(alloc::vec![ReasonCode::FactMissing]));
    let silent = Asked { says: says(Vec::new()), ..asked() };
    assert_eq!(silent.plan(), Err(alloc::vec![ReasonCode::RoleWithoutClinicalData]));
    let mut shut = rules();
    for own in &mut shut {
        let otherwise = Some(ReasonCode::EnvironmentNotAllowed);
        own.when.insert(0, Condition { test: Test::Never, otherwise });
    }
    let refused = Asked { says: says(shut), ..asked() };
    assert_eq!(refused.plan(), Err(alloc::vec![ReasonCode::EnvironmentNotAllowed]));
}

/// A policy may tell records apart by anything that it may tell apart for staff (design §6).
#[test]
fn what_the_policy_forbids_of_single_records_stays_shut() {
    let mut narrow = rules();
    let both = [SensitiveKind::Hiv, SensitiveKind::MentalHealth].into_iter().collect();
    narrow.push(rule("not-both", Effect::Deny, Test::Kinds(SetTest::HasAll, both)));
    let documents = BTreeSet::from([ResourceType::DOCUMENT_REFERENCE]);
    narrow.push(rule("no-documents", Effect::Deny, Test::Type(documents)));
    let vitals = CategorySet::EMPTY.with(Category::Vitals);
    narrow.push(rule("no-vitals", Effect::Deny, Test::Categories(SetTest::HasAny, vitals)));
    narrow.push(rule("labelled-only", Effect::Deny, Test::Not(Test::Labelled.into())));
    let plan = Asked { says: says(narrow), ..asked() }.plan().unwrap();
    let kept = [ReasonCode::SensitiveKindNotShared];
    let open = [ReasonCode::EmergencyAccess];
    for (kinds, expected) in [
        (&[SensitiveKind::Hiv][..], open),
        (&[SensitiveKind::MentalHealth], open),
        (&[SensitiveKind::Hiv, SensitiveKind::MentalHealth], kept),
    ] {
        assert_eq!(reads(&plan, &record(&["maria"], kinds)), expected, "{kinds:?}");
    }
    let mut document = record(&["maria"], &[]);
    document.resource_type = ResourceType::DOCUMENT_REFERENCE;
    assert_eq!(reads(&plan, &document), kept);
    let mut vital = record(&["maria"], &[]);
    vital.resource_type = ResourceType::OBSERVATION;
    vital.categories = vitals;
    assert_eq!(reads(&plan, &vital), kept);
    let mut unlabelled = record(&["maria"], &[]);
    unlabelled.labels = Labels::Unclassified;
    assert_eq!(reads(&plan, &unlabelled), kept);
}

#[test]
fn an_obligation_that_nobody_meets_opens_nothing() {
    let mut demanding = rules();
    for own in demanding.iter_mut().filter(|own| own.effect == Effect::Permit) {
        own.obligations.insert(Obligation::ShortenToken);
    }
    let refused = Asked { says: says(demanding.clone()), ..asked() }.plan().unwrap();
    assert_eq!(reads(&refused, &record(&["maria"], &[])), [ReasonCode::PolicyFault]);
    let met = asked().met.with(Obligation::ShortenToken);
    let permitted = Asked { says: says(demanding), met, ..asked() }.plan().unwrap();
    assert_eq!(reads(&permitted, &record(&["maria"], &[])), [ReasonCode::EmergencyAccess]);
}

/// 42 CFR 2.32, 2.51: the notice goes with substance use records, and with no others.
#[test]
fn what_has_to_be_done_is_said_for_each_record() {
    let plan = asked().plan().unwrap();
    for (kinds, noticed) in [(&[][..], false), (&[SensitiveKind::SubstanceUse], true)] {
        let demanded = plan.obligations(&Interaction::Read, &record(&["maria"], kinds));
        assert!(demanded.contains(Obligation::AuditTwice));
        assert_eq!(demanded.contains(Obligation::AttachPart2Notice), noticed);
    }
}

#[test]
fn it_reaches_one_patient_and_no_record_that_names_another() {
    let plan = asked().plan().unwrap();
    assert_eq!(reads(&plan, &record(&["james"], &[])), [ReasonCode::EmergencyNotOpen]);
    assert_eq!(reads(&plan, &record(&["maria", "james"], &[])), [ReasonCode::OtherPatientNamed]);
    let launched = Asked { patient: Some("james".parse().unwrap()), ..asked() };
    assert_eq!(launched.plan(), Err(alloc::vec![ReasonCode::OutsidePatientContext]));
    // Without a patient in context, `patient/` scopes mean the one of the declaration.
    let scopes = ScopeSet::parse("patient/*.rs").unwrap().known.into_vec();
    let alone = Asked { patient: None, scopes, ..asked() }.plan().unwrap();
    assert_eq!(reads(&alone, &record(&["maria"], &[])), [ReasonCode::EmergencyAccess]);
    assert_eq!(alone.reach, PatientReach::Only(BTreeSet::from(["maria".parse().unwrap()])));
}

/// Consents on file are asked with purpose BTG, and what they deny of that stays denied.
#[test]
fn a_consent_on_file_that_denies_break_glass_is_not_overridden() {
    use crate::consent::provision::{Outcome, RecordFacts};
    let plan = asked().plan().unwrap();
    for (outcome, expected) in [
        (Outcome::Deny, ReasonCode::FiledConsentDenies),
        (Outcome::Indeterminate, ReasonCode::FiledConsentUnreadable),
        (Outcome::NotApplicable, ReasonCode::EmergencyAccess),
        (Outcome::Permit, ReasonCode::EmergencyAccess),
    ] {
        let mut facts = record(&["maria"], &[]);
        let answer = FiledAnswer { patient: "maria".parse().unwrap(), outcome, heard: Vec::new() };
        let answers = FiledAnswers { record: RecordFacts::UNKNOWN, answers: Vec::from([answer]) };
        facts.filed = Some(alloc::boxed::Box::new(answers));
        assert_eq!(reads(&plan, &facts), [expected], "{outcome:?}");
    }
}

#[test]
fn a_scope_is_never_widened() {
    let scopes = |text| ScopeSet::parse(text).unwrap().known.into_vec();
    let laboratory = Asked { scopes: scopes("user/Observation.rs"), ..asked() };
    let plan = laboratory.plan().unwrap();
    assert_eq!(reads(&plan, &record(&["maria"], &[])), [ReasonCode::ScopeMissing]);
    let service = Asked { scopes: scopes("system/*.rs"), ..asked() };
    assert_eq!(service.plan(), Err(alloc::vec![ReasonCode::ScopeMissing]));
}

#[test]
fn it_reads_and_changes_nothing() {
    let plan = asked().plan().unwrap();
    for (interaction, offered) in [
        (Interaction::Read, true),
        (Interaction::Search, true),
        (Interaction::HistoryInstance, true),
        (Interaction::Create, false),
        (Interaction::Update, false),
        (Interaction::Patch, false),
        (Interaction::Delete, false),
    ] {
        assert_eq!(plan.offers(&interaction, ResourceType::CONDITION), offered);
        let decision = plan.decide(&interaction, &record(&["maria"], &[]), &|_| true);
        assert_eq!(decision.is_permit(), offered, "{interaction:?}");
    }
}

#[test]
fn sensitive_kinds_open_as_the_policy_says_and_psychotherapy_notes_stay_apart() {
    let plan = asked().plan().unwrap();
    for kind in SensitiveKind::ALL.iter().copied() {
        let expected = if kind == SensitiveKind::PsychotherapyNotes {
            ReasonCode::SensitiveKindNotShared
        } else {
            ReasonCode::EmergencyAccess
        };
        assert_eq!(reads(&plan, &record(&["maria"], &[kind])), [expected], "{kind}");
    }
    let mut unlabelled = record(&["maria"], &[]);
    unlabelled.labels = Labels::Unclassified;
    assert_eq!(reads(&plan, &unlabelled), [ReasonCode::EmergencyAccess]);
}

#[test]
fn the_explanation_names_the_policy_that_let_the_record_out() {
    let let_in = |kinds: &[SensitiveKind]| {
        asked().with(|request| {
            let facts = record(&["maria"], kinds);
            let tree = explain(request, &Interaction::Read, &facts, &|_| true);
            let asked = tree.steps().find(|step| step.check == Check::PolicyPermits);
            match asked.map(|step| step.detail.clone()) {
                Some(Detail::Policy { by, .. }) => by,
                other => panic!("{other:?}"),
            }
        })
    };
    assert_eq!(let_in(&[]), names(&["emergency"]));
    assert_eq!(let_in(&[SensitiveKind::SubstanceUse]), names(&["part-2-medical-emergency"]));
    let both = let_in(&[SensitiveKind::SubstanceUse, SensitiveKind::Hiv]);
    assert_eq!(both, names(&["part-2-medical-emergency"]));
}

#[test]
fn the_decision_is_made_again_to_the_same_bytes_and_keeps_no_free_text() {
    let facts = record(&["maria"], &[SensitiveKind::SubstanceUse]);
    asked().with(|request| {
        let mut kept = DecisionRecord::new(RecordedRequest::of(request));
        let decision = plan(request).unwrap().decide(&Interaction::Read, &facts, &|_| true);
        let judged = JudgedResource { facts: &facts, filters: &[], decision: &decision };
        kept.judge(&Interaction::Read, judged);
        let bytes = kept.to_bytes().unwrap();
        let read: DecisionRecord = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read.replay(None, &FiledAtHand::new()).unwrap().to_bytes().unwrap(), bytes);
        assert!(!alloc::string::String::from_utf8(bytes).unwrap().contains("why"));
    });
}

/// Whoever is refused before there is a plan is told the same whatever is stored of any patient.
#[test]
fn a_refusal_of_the_whole_tells_nothing_of_the_patient() {
    let end = declared().ends_at;
    for facts in [record(&["maria"], &[]), record(&["james"], &[SensitiveKind::Hiv])] {
        let told = Asked { at: end, ..asked() }
            .with(|request| explain(request, &Interaction::Read, &facts, &|_| true).for_caller());
        assert_eq!(told, explain::CallerTold::MayNotAsk(ReasonCode::EmergencyNotOpen));
    }
}
