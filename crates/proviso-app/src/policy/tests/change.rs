//! Policies changed on a running application: four eyes, entries, epochs, shadow, going back.

use std::sync::Arc;

use proviso_core::account::{Account, AccountStatus};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::id::TenantId;
use proviso_core::org::lifecycle::{
    PoliciesInForce, PolicySetId, PolicySetRecord, PolicyStepError,
};
use proviso_core::org::{Environment, OrgResource, RecordKind};
use proviso_core::time::At;
use proviso_store::{Batch, Op, OpenOptions, Presence, Store, StoredPolicySet};

use proviso_core::decision::Effect;

use super::*;
use crate::App;
use crate::audit::AuditSearch;
use crate::keys::MasterKey;
use crate::ports::{ManualClock, SystemEntropy};
use crate::settings::Settings;
use crate::via::Via;

struct World {
    app: Arc<App>,
    via: Via,
    environment: Environment,
}

fn account(name: &str, kind: ActorKind) -> Account {
    Account {
        id: format!("acc_{name}").parse().unwrap(),
        username: name.to_owned(),
        display_name: name.to_owned(),
        kind,
        roles: proviso_core::org::RoleSet::EMPTY,
        fhir_user: None,
        password_hash: None,
        language: None,
        status: AccountStatus::Active,
        created_at: At::from_secs(1),
    }
}

async fn open(store: Store) -> Arc<App> {
    let master = MasterKey::from_bytes([7; 32]);
    let entropy = Arc::new(SystemEntropy::default());
    let clock = Arc::new(ManualClock::starting_at(At::from_secs(1_800_000_000)));
    App::open(store, master, clock, entropy, Settings::demo("http://127.0.0.1:8080")).await.unwrap()
}

impl World {
    async fn new() -> Self {
        let store = Store::model(OpenOptions::new(TenantId::default_tenant()));
        let people = [
            ("priya", ActorKind::PrivacyOfficer),
            ("admin", ActorKind::Administrator),
            ("drpatel", ActorKind::Clinician),
        ];
        let put = people.map(|(name, kind)| Op::PutAccount {
            account: account(name, kind),
            expect: Presence::Absent,
        });
        store.commit(Batch::from(put.to_vec())).await.unwrap();
        let app = open(store).await;
        Self { app, via: Via::default(), environment: Environment::default() }
    }

    fn by<'a>(&'a self, account: &'a Account) -> Changer<'a> {
        Changer { account, environment: &self.environment, via: &self.via }
    }

    /// A set that is approved already.
    async fn approved(&self) -> PolicySetRecord {
        self.approved_of(stricter()).await
    }

    async fn approved_of(&self, documents: Documents) -> PolicySetRecord {
        let at = At::from_secs(5);
        let by = "acc_admin".parse().unwrap();
        let record = PolicySetRecord::propose(documents.id(), "tighter".to_owned(), by, at);
        let decided = record.clone().approve("acc_priya".parse().unwrap(), at).unwrap();
        let documents = serde_json::to_string(&documents).unwrap();
        let batch = Batch::new()
            .with(Op::ProposePolicySet(StoredPolicySet { record, documents }))
            .with(Op::DecidePolicySet(decided.clone()));
        self.app.store().commit(batch).await.unwrap();
        decided
    }

    /// The kinds of entry about policies, newest first.
    async fn told(&self) -> Vec<(String, AuditOutcome)> {
        let search = AuditSearch {
            kinds: vec![AuditKind::Administration],
            limit: 20,
            ..AuditSearch::default()
        };
        let page = self.app.search_audit(&search).await.unwrap();
        page.entries
            .into_iter()
            .map(|logged| logged.entry)
            .filter(|entry| entry.action.starts_with("policy-"))
            .map(|entry| (entry.action, entry.outcome))
            .collect()
    }
}

/// The starter set without the nurse's access to anything that has a shift.
fn stricter() -> Documents {
    let mut documents = Documents::starter();
    let file = &mut documents.policies[2];
    let from = "when { context has shift }\nwhen { [Purpose::\"TREAT\", Purpose::\"COC\"]";
    assert!(file.text.contains(from));
    file.text = file.text.replace(
        from,
        "when { context has shift && context.shift.age <= 900 }\nwhen { [Purpose::\"TREAT\", Purpose::\"COC\"]",
    );
    documents
}

/// A nurse whose shift was last confirmed within the hour.
fn nurse() -> OrgQuestion {
    let mut question =
        OrgQuestion::of_account("acc_nurse".parse().unwrap(), ActorKind::Nurse, Mode::Operational);
    question.related.insert(
        proviso_core::org::Relation::Shift,
        proviso_core::org::Provenance {
            source: FactSource::Schedule,
            age: proviso_core::org::Age::Hour,
        },
    );
    question.resource = OrgResource::Record(RecordKind {
        resource_type: ResourceType::OBSERVATION,
        categories: [Category::Vitals].into_iter().collect(),
        labels: proviso_core::decision::Labels::Known(proviso_core::category::SensitiveSet::EMPTY),
    });
    question
}

#[tokio::test]
async fn a_set_decides_after_one_person_proposed_and_another_approved_it() {
    let world = World::new().await;
    let (priya, admin) =
        (account("priya", ActorKind::PrivacyOfficer), account("admin", ActorKind::Administrator));
    let app = &world.app;
    assert!(app.policies().answer(&nurse()).is_permit());
    let before = app.store().epoch().await.unwrap();
    let set = app.propose_policies(world.by(&admin), stricter(), "tighter").await.unwrap();
    let early = app.activate_policies(world.by(&admin), Some(&set.id)).await;
    assert!(matches!(early, Err(ChangePoliciesError::Step(PolicyStepError::NotApproved))));
    let alone = app.approve_policies(world.by(&admin), &set.id).await;
    assert!(matches!(alone, Err(ChangePoliciesError::Step(PolicyStepError::SamePerson))));
    app.approve_policies(world.by(&priya), &set.id).await.unwrap();
    assert!(app.policies().answer(&nurse()).is_permit(), "approved is not yet in force");
    app.activate_policies(world.by(&admin), Some(&set.id)).await.unwrap();
    assert!(!app.policies().answer(&nurse()).is_permit());
    assert_eq!(app.policies().live().id(), &set.id);
    assert_eq!(app.store().epoch().await.unwrap(), before + 1, "only coming into force counts");
    let twice = app.propose_policies(world.by(&priya), stricter(), "again").await;
    assert!(matches!(twice, Err(ChangePoliciesError::Known)));
    let ok = AuditOutcome::Success;
    let entries = world.told().await;
    let entries: Vec<(&str, AuditOutcome)> =
        entries.iter().map(|(action, outcome)| (action.as_str(), *outcome)).collect();
    assert_eq!(
        entries,
        [
            ("policy-activate", ok),
            ("policy-approve", ok),
            ("policy-approve", AuditOutcome::Denied),
            ("policy-activate", AuditOutcome::Denied),
            ("policy-propose", ok),
        ]
    );
}

#[tokio::test]
async fn what_is_in_force_survives_a_restart_and_one_goes_back_at_once() {
    let world = World::new().await;
    let (priya, admin) =
        (account("priya", ActorKind::PrivacyOfficer), account("admin", ActorKind::Administrator));
    let set = world.approved().await;
    world.app.activate_policies(world.by(&priya), Some(&set.id)).await.unwrap();
    let again = open(world.app.store().clone()).await;
    assert_eq!(again.policies().live().id(), &set.id);
    assert!(!again.policies().answer(&nurse()).is_permit());
    let shipped = again.activate_policies(world.by(&admin), None).await.unwrap();
    assert_eq!(shipped, PoliciesInForce::default());
    assert!(again.policies().answer(&nurse()).is_permit());
    again.activate_policies(world.by(&admin), Some(&set.id)).await.unwrap();
    assert!(!again.policies().answer(&nurse()).is_permit());
}

#[tokio::test]
async fn a_shadow_decides_nothing_and_tells_what_it_would_have_decided() {
    let world = World::new().await;
    let admin = account("admin", ActorKind::Administrator);
    let app = &world.app;
    let set = world.approved().await;
    assert!(app.policies().shadow_report().is_none());
    app.shadow_policies(world.by(&admin), Some(&set.id)).await.unwrap();
    for _ in 0..3 {
        assert!(app.policies().answer(&nurse()).is_permit());
    }
    let report = app.policies().shadow_report().unwrap();
    assert_eq!((report.asked, report.different), (3, 3));
    assert_eq!(report.differences.len(), 1);
    assert_eq!(report.differences[0].times, 3);
    assert!(!report.differences[0].question.contains("acc_"), "names nobody");
    // Once live it is no shadow any more.
    app.activate_policies(world.by(&admin), Some(&set.id)).await.unwrap();
    assert!(app.policies().shadow_report().is_none());
    let twice = app.shadow_policies(world.by(&admin), None).await;
    assert!(matches!(twice, Err(ChangePoliciesError::Step(PolicyStepError::NothingChanges))));
}

/// The starter set in which nurses look and change nothing.
fn looking() -> Documents {
    let mut documents = Documents::starter();
    let file = &mut documents.policies[2];
    let from = "principal in Role::\"nurse\",\n    action,";
    assert!(file.text.contains(from));
    let to = "principal in Role::\"nurse\",\n    action in Action::\"view\",";
    file.text = file.text.replace(from, to);
    documents
}

#[tokio::test]
async fn what_a_set_on_trial_would_decide_otherwise_is_found_where_records_are_decided() {
    use proviso_core::account::{Relationship, RelationshipKind};
    use proviso_core::decision::{
        AccessMode, AccessRequest, Belonging, Labels, ResourceFacts, plan, standings_among,
    };
    use proviso_core::interaction::Interaction;
    let world = World::new().await;
    let admin = account("admin", ActorKind::Administrator);
    let set = world.approved_of(looking()).await;
    let nurse = account("nurse", ActorKind::Nurse);
    let at = At::from_secs(9);
    let shift = [Relationship {
        account: nurse.id.clone(),
        patient: "james".parse().unwrap(),
        kind: RelationshipKind::Shift,
        period: proviso_core::time::Period::ALWAYS,
        mandate: None,
        source: FactSource::Relationship,
    }];
    let plan_now = || {
        let policy = world.app.policies().ground_of_staff(StaffAsking {
            account: nurse.id.clone(),
            kind: nurse.kind,
            roles: nurse.all_roles(),
            environment: Environment::default(),
            ways: standings_among(&nurse.id, &shift, at),
        });
        plan(&AccessRequest {
            policy: &policy,
            at,
            client: &"chart-lens".parse().unwrap(),
            account: Some(&nurse.id),
            mode: AccessMode::Operational {
                kind: nurse.kind,
                relationships: &shift,
                objections: &[],
            },
            scopes: Some(&["user/*.cruds".parse().unwrap()]),
            patient_in_context: None,
            purpose: PurposeOfUse::Treatment,
            met: proviso_core::org::ObligationSet::EMPTY,
        })
        .unwrap()
    };
    let before = plan_now();
    assert!(world.app.policies().beside(&before).is_none(), "nothing is tried out");
    world.app.shadow_policies(world.by(&admin), Some(&set.id)).await.unwrap();
    assert!(world.app.policies().beside(&before).is_none(), "the plan is older");
    let plan = plan_now();
    let beside = world.app.policies().beside(&plan).unwrap();
    let facts = ResourceFacts {
        resource_type: ResourceType::OBSERVATION,
        id: None,
        belonging: Belonging::Patients(["james".parse().unwrap()].into()),
        categories: proviso_core::category::CategorySet::EMPTY.with(Category::Vitals),
        labels: Labels::Known(proviso_core::category::SensitiveSet::EMPTY),
        clinical_period: None,
        filed: None,
    };
    for interaction in [Interaction::Read, Interaction::Create, Interaction::Create] {
        // The live set decides, whatever the other would say.
        assert!(plan.decide(&interaction, &facts, &|_| true).is_permit());
        beside.note(&plan, &interaction, &facts);
    }
    let report = world.app.policies().shadow_report().unwrap();
    assert_eq!((report.asked, report.different), (3, 2));
    let [difference] = report.differences.as_slice() else { panic!("{report:?}") };
    assert_eq!(difference.times, 2);
    assert_eq!((difference.live, difference.shadow), (Effect::Permit, Effect::Deny));
    assert!(difference.question.contains("create"), "{}", difference.question);
    assert!(!difference.question.contains("acc_"), "names nobody");
}

#[tokio::test]
async fn who_may_not_change_policies_is_refused_and_that_is_told() {
    let world = World::new().await;
    let drpatel = account("drpatel", ActorKind::Clinician);
    let refused = world.app.propose_policies(world.by(&drpatel), stricter(), "mine").await;
    assert!(matches!(refused, Err(ChangePoliciesError::NotAllowed)));
    let mut admin = account("admin", ActorKind::Administrator);
    admin.status = AccountStatus::Disabled;
    let refused = world.app.propose_policies(world.by(&admin), stricter(), "mine").await;
    assert!(matches!(refused, Err(ChangePoliciesError::NotAllowed)));
    let denied = ("policy-propose".to_owned(), AuditOutcome::Denied);
    assert_eq!(world.told().await, [denied.clone(), denied]);
}

#[tokio::test]
async fn a_wrong_set_is_not_even_proposed() {
    let world = World::new().await;
    let admin = account("admin", ActorKind::Administrator);
    let mut wrong = stricter();
    wrong.tests.clear();
    let refused = world.app.propose_policies(world.by(&admin), wrong, "untested").await;
    let Err(ChangePoliciesError::Refused(findings)) = refused else { panic!("{refused:?}") };
    assert!(findings.iter().any(|own| own.code == FindingCode::Untested));
    let mut other = stricter();
    other.schema.push('\n');
    let refused = world.app.propose_policies(world.by(&admin), other, "other schema").await;
    assert!(matches!(refused, Err(ChangePoliciesError::Refused(_))));
    let refused = world.app.propose_policies(world.by(&admin), stricter(), " ").await;
    assert!(matches!(refused, Err(ChangePoliciesError::Note)));
    let unknown = PolicySetId::from_digest(&[9; 32]);
    let missing = world.app.approve_policies(world.by(&admin), &unknown).await;
    assert!(matches!(missing, Err(ChangePoliciesError::NotFound)));
}
