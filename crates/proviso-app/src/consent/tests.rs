//! Choices, live values and plans together, over the store in memory.

mod proxies;
mod receipts;

use std::future::Future as _;
use std::task::{Context, Waker};

use proviso_core::account::{AccountStatus, ActorKind, Relationship, RelationshipKind};
use proviso_core::category::{Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::{ConsentStatus, DurationChoice, OfflineAccess};
use proviso_core::decision::{
    AccessPlan, Belonging, Decision, Labels, PatientReach, ResourceFacts,
};
use proviso_core::id::{AccountId, GrantId, TenantId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Scope, ScopeSet};
use proviso_core::time::Period;
use proviso_oauth::record::{
    ClientAuthentication, ClientProfile, ClientStatus, Grant, GrantBasis, GrantType,
    IdTokenAlgorithm, LaunchContext, RefreshToken, Renewal, TokenHash, TokenLifetimes,
};
use proviso_store::{Faults, Objection, OpenOptions, Precondition, Presence, Store};

use super::*;
use crate::audit::ActivityQuery;
use crate::caller::Caller;
use crate::keys::MasterKey;
use crate::live::Live;
use crate::ports::{ManualClock, SystemEntropy};
use crate::settings::Settings;

const NOON: At = At::from_secs(1_800_000_000);

struct World {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    faults: Faults,
}

fn account(name: &str, kind: ActorKind, patient: Option<&str>) -> Account {
    Account {
        id: format!("acc_{name}").parse().unwrap(),
        username: name.to_owned(),
        display_name: name.to_owned(),
        kind,
        roles: proviso_core::org::RoleSet::EMPTY,
        fhir_user: patient.map(|id| (ResourceType::PATIENT, id.parse().unwrap())),
        password_hash: None,
        language: None,
        status: AccountStatus::Active,
        created_at: NOON,
    }
}

fn client(name: &str) -> Client {
    Client {
        id: name.parse().unwrap(),
        name: name.to_owned(),
        description: None,
        authentication: ClientAuthentication::None,
        profile: ClientProfile::Smart,
        redirect_uris: vec![],
        launch_uris: vec![],
        scopes: scopes("patient/*.rs user/*.rs offline_access"),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        origins: vec![],
        purpose: PurposeOfUse::PatientRequest,
        contacts: vec![],
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        status: ClientStatus::Active,
        lifetimes: TokenLifetimes::DEFAULT,
        id_token_signed_response_alg: IdTokenAlgorithm::Rs256,
        created_at: NOON,
    }
}

fn relationship(account: &str, patient: &str, kind: RelationshipKind) -> Relationship {
    Relationship {
        account: format!("acc_{account}").parse().unwrap(),
        patient: patient.parse().unwrap(),
        kind,
        period: Period { start: Some(NOON), end: Some(NOON.plus_days(10)) },
        mandate: None,
        source: proviso_core::org::FactSource::Relationship,
    }
}

fn scopes(text: &str) -> Vec<Scope> {
    ScopeSet::parse(text).unwrap().known.into_vec()
}

async fn open(store: Store, clock: Arc<ManualClock>) -> Arc<App> {
    let master = MasterKey::from_bytes([7; 32]);
    let entropy = Arc::new(SystemEntropy::default());
    App::open(store, master, clock, entropy, Settings::demo("http://127.0.0.1:8080")).await.unwrap()
}

impl World {
    async fn new() -> Self {
        let faults = Faults::default();
        let options = OpenOptions::new(TenantId::default_tenant()).with_faults(faults.clone());
        let store = Store::model(options);
        let clock = Arc::new(ManualClock::starting_at(NOON));
        let put = |account| Op::PutAccount { account, expect: Presence::Absent };
        let batch = Batch::from(vec![
            put(account("maria", ActorKind::Patient, Some("maria"))),
            put(account("james", ActorKind::Patient, Some("james"))),
            put(account("grace", ActorKind::Proxy, None)),
            put(account("drpatel", ActorKind::Clinician, None)),
            put(account("priya", ActorKind::PrivacyOfficer, None)),
            Op::PutClient { client: client("glucose-coach"), expect: Presence::Absent },
            Op::PutClient { client: client("chart-lens"), expect: Presence::Absent },
            Op::PutRelationship(relationship("grace", "james", RelationshipKind::Proxy)),
            Op::PutRelationship(relationship("drpatel", "maria", RelationshipKind::Care)),
        ]);
        store.commit(batch).await.unwrap();
        let app = open(store, Arc::clone(&clock)).await;
        Self { app, clock, faults }
    }

    async fn restart(&mut self) {
        self.app = open(self.app.store().clone(), Arc::clone(&self.clock)).await;
    }

    fn account(&self, name: &str) -> Account {
        let id = format!("acc_{name}").parse().unwrap();
        self.app.live().account(&id).unwrap().as_ref().clone()
    }

    fn terms(&self, giver: &str, patient: &str) -> ConsentTerms {
        ConsentTerms {
            patient: patient.parse().unwrap(),
            given_by: format!("acc_{giver}").parse().unwrap(),
            capacity: if giver == patient { Capacity::Patient } else { Capacity::Proxy },
            recipient: Recipient::App("glucose-coach".parse().unwrap()),
            categories: [Category::Medications, Category::Laboratory].into_iter().collect(),
            sensitive: SensitiveSet::EMPTY,
            purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
            period: DurationChoice::ThirtyDays.period_from(self.app.now()),
            data_period: Period::ALWAYS,
            duration: DurationChoice::ThirtyDays,
            offline: OfflineAccess::Allowed,
            granted_scopes: scopes("patient/*.rs offline_access"),
            legal_basis: "consent".to_owned(),
            policy_uri: "https://example.org/terms".to_owned(),
            language: "en".to_owned(),
            shown_text: "Share medications and laboratory results.".to_owned(),
        }
    }

    /// Shares with glucose-coach as the consent page does: consent, grant and refresh token in one
    /// batch.
    async fn share(&self, giver: &str, patient: &str) -> Caller {
        let at = self.app.now();
        let person = self.account(giver);
        let prepared = self.app.prepare_consent(&person, self.terms(giver, patient), at).unwrap();
        let consent = prepared.consent.version().consent.clone();
        let grant = Grant {
            basis: GrantBasis::Consent { consent: consent.clone() },
            ..self.grant(giver, patient)
        };
        let caller = caller_of(&grant, ActorKind::Patient, Some(consent));
        let mut entry = self.app.consent_entry(&Via::default(), ConsentVerb::Record).unwrap();
        describe_consent(&mut entry, &prepared.consent, Some(&person));
        let token = refresh_token(&grant, grant.id.as_str(), 1);
        let batch = Batch::new()
            .with(prepared.op)
            .with(Op::PutGrant(grant))
            .with(Op::PutRefreshToken(token));
        self.app.commit(batch, entry).await.unwrap();
        caller
    }

    fn grant(&self, account: &str, patient: &str) -> Grant {
        let at = self.app.now();
        Grant {
            id: GrantId::generate(at, self.app.entropy().for_id().unwrap()),
            client: "glucose-coach".parse().unwrap(),
            account: Some(format!("acc_{account}").parse().unwrap()),
            basis: GrantBasis::Operational,
            scopes: scopes("patient/*.rs offline_access"),
            context: LaunchContext {
                patient: Some(patient.parse().unwrap()),
                ..LaunchContext::default()
            },
            purpose: PurposeOfUse::PatientRequest,
            renewal: Renewal::Offline,
            fhir_user: None,
            authenticated_at: Some(at),
            nonce: None,
            created_at: at,
            expires_at: None,
            ended: None,
        }
    }

    async fn put(&self, op: Op) {
        let entry = self.app.consent_entry(&Via::default(), ConsentVerb::Record).unwrap();
        self.app.commit(Batch::new().with(op), entry).await.unwrap();
    }

    fn plan(&self, caller: &Caller) -> Result<AccessPlan, Decision> {
        self.app.plan_access(caller, self.app.now())
    }

    fn refusal(&self, caller: &Caller) -> Vec<ReasonCode> {
        self.plan(caller).unwrap_err().reasons
    }

    async fn stop(&self, by: &str, caller: &Caller) -> Result<NamedConsent, ChoiceError> {
        let consent = caller.consent.as_ref().unwrap();
        self.app.revoke_consent(&self.account(by), consent, None, &Via::default()).await
    }

    async fn activity(&self, patient: &str) -> Vec<AuditEntry> {
        let query = ActivityQuery {
            patient: patient.parse().unwrap(),
            reader: Capacity::Patient,
            without_looks_of: None,
            kinds: vec![],
            client: None,
            from: None,
            to: None,
            category: None,
            outcome: None,
            before: None,
            limit: 50,
        };
        let page = self.app.activity(&query).await.unwrap();
        page.entries.into_iter().map(|one| one.told.entry().clone()).collect()
    }
}

fn refresh_token(grant: &Grant, text: &str, generation: u32) -> RefreshToken {
    RefreshToken {
        hash: TokenHash::of(text),
        grant: grant.id.clone(),
        client: grant.client.clone(),
        generation,
        issued_at: grant.created_at,
        expires_at: grant.created_at.plus_days(100),
        absolute_expires_at: grant.created_at.plus_days(700),
        rotated: None,
    }
}

fn caller_of(grant: &Grant, kind: ActorKind, consent: Option<ConsentId>) -> Caller {
    Caller {
        client: grant.client.clone(),
        account: grant.account.clone(),
        kind,
        grant: grant.id.clone(),
        token: "tok_1".parse().unwrap(),
        scopes: grant.scopes.clone(),
        patient: grant.context.patient.clone(),
        consent,
        purpose: grant.purpose,
        fhir_user: None,
        network: None,
        expires_at: grant.created_at.plus_secs(300),
        token_secs: 300,
    }
}

fn laboratory(patient: &str) -> ResourceFacts {
    ResourceFacts {
        resource_type: ResourceType::OBSERVATION,
        id: None,
        belonging: Belonging::Patients([patient.parse().unwrap()].into()),
        categories: CategorySet::EMPTY.with(Category::Laboratory),
        labels: Labels::Known(SensitiveSet::EMPTY),
        clinical_period: None,
        filed: None,
    }
}

#[tokio::test]
async fn revocation_takes_effect_on_the_next_request() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let plan = world.plan(&caller).unwrap();
    let decision = plan.decide(&Interaction::Read, &laboratory("maria"), &|_| true);
    assert!(decision.is_permit());
    assert!(world.app.still_in_force(&caller, world.app.now()));

    let stopped = world.stop("maria", &caller).await.unwrap();

    assert_eq!(stopped.version().status, ConsentStatus::Inactive);
    assert_eq!(world.refusal(&caller), [ReasonCode::ConsentRevoked]);
    assert!(!world.app.still_in_force(&caller, world.app.now()));
    assert!(world.app.live().grant(&caller.grant).is_none());
    let grant = world.app.store().grant(&caller.grant).await.unwrap().unwrap();
    assert_eq!(grant.ended.unwrap().reason, GrantEndReason::ConsentRevoked);
    let rotate = Op::RotateRefreshToken {
        current: TokenHash::of(grant.id.as_str()),
        next: refresh_token(&grant, "second", 2),
        at: world.app.now(),
    };
    let refused = world.app.store().commit(Batch::new().with(rotate)).await.unwrap_err();
    assert_eq!(refused.precondition(), Some(&Precondition::GrantEnded));
}

#[tokio::test]
async fn every_change_of_a_choice_is_in_the_patients_activity() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let stopped = world.stop("maria", &caller).await.unwrap();
    let entries = world.activity("maria").await;
    let newest = entries.first().unwrap();
    assert_eq!((newest.kind, newest.outcome), (AuditKind::Consent, AuditOutcome::Success));
    assert_eq!(newest.action, "revoke");
    assert_eq!(newest.client, Some(caller.client));
    assert_eq!(newest.on_behalf_of, None);
    let consent = stopped.version().consent.clone();
    assert_eq!(newest.consent, Some((consent, stopped.id().clone())));
    assert_eq!(entries.get(1).unwrap().action, "record");
}

#[tokio::test]
async fn a_revocation_survives_a_restart() {
    let mut world = World::new().await;
    let caller = world.share("maria", "maria").await;
    world.restart().await;
    assert!(world.plan(&caller).is_ok());
    world.stop("maria", &caller).await.unwrap();
    world.restart().await;
    assert_eq!(world.refusal(&caller), [ReasonCode::ConsentRevoked]);
}

#[tokio::test]
async fn hanging_up_does_not_keep_a_revocation_out_of_force() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    {
        let mut stopping = Box::pin(world.stop("maria", &caller));
        // The first step hands the batch to its task; then the browser goes away.
        let first = stopping.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending());
    }
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.refusal(&caller), [ReasonCode::ConsentRevoked]);
}

#[tokio::test]
async fn what_cannot_be_logged_does_not_happen() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    world.faults.fail_commits(true);
    assert!(matches!(world.stop("maria", &caller).await, Err(ChoiceError::Failure(_))));
    assert!(world.plan(&caller).is_ok(), "it said that it failed, so it still stands");
    world.faults.fail_commits(false);
    world.stop("maria", &caller).await.unwrap();
    assert!(world.plan(&caller).is_err());
}

#[tokio::test]
async fn of_two_who_stop_at_once_one_is_told_that_it_had_ended() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let (first, second) = tokio::join!(world.stop("maria", &caller), world.stop("maria", &caller));
    let mut ended = [first, second].into_iter().filter(Result::is_err);
    assert!(matches!(ended.next(), Some(Err(ChoiceError::Ended))));
    assert!(ended.next().is_none());
}

#[tokio::test]
async fn amending_narrows_live_tokens_at_the_next_request() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let id = caller.consent.clone().unwrap();
    let seen = world.app.store().consent(&id).await.unwrap().unwrap();
    let mut narrower = seen.version.terms();
    narrower.categories = CategorySet::EMPTY.with(Category::Medications);
    narrower.granted_scopes = scopes("patient/MedicationRequest.rs");
    narrower.offline = OfflineAccess::Refused;
    let maria = world.account("maria");
    let amend = |seen: ConsentVersionId, terms| {
        let (world, id, maria) = (&world, &id, &maria);
        async move { world.app.amend_consent(maria, id, &seen, terms, None, &Via::default()).await }
    };
    let before = world.plan(&caller).unwrap();
    assert!(world.app.plan_stands(&caller, &before, world.app.now().plus_secs(1)));
    let next = amend(seen.id.clone(), narrower.clone()).await.unwrap();
    assert_eq!(next.version().number, 2);
    // What was read under the first version may not leave any more.
    assert!(world.app.still_in_force(&caller, world.app.now()));
    assert!(!world.app.plan_stands(&caller, &before, world.app.now()));
    let decision =
        world.plan(&caller).unwrap().decide(&Interaction::Read, &laboratory("maria"), &|_| true);
    assert_eq!(decision.reasons, [ReasonCode::ScopeMissing, ReasonCode::CategoryNotShared]);
    let stale = amend(seen.id.clone(), narrower).await;
    assert!(matches!(stale, Err(ChoiceError::Changed)));
}

#[tokio::test]
async fn nobody_else_may_stop_and_the_attempt_is_logged() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    for stranger in ["grace", "james", "drpatel", "priya"] {
        assert!(matches!(world.stop(stranger, &caller).await, Err(ChoiceError::NotFound)));
    }
    assert!(world.plan(&caller).is_ok());
    let newest = world.activity("maria").await.remove(0);
    assert_eq!((newest.kind, newest.outcome), (AuditKind::Consent, AuditOutcome::Denied));
    let unknown = "cns_unknown".parse().unwrap();
    let maria = world.account("maria");
    let missing = world.app.revoke_consent(&maria, &unknown, None, &Via::default()).await;
    assert!(matches!(missing, Err(ChoiceError::NotFound)));
}

#[tokio::test]
async fn a_proxys_app_ends_with_the_proxy_and_can_still_be_stopped() {
    let world = World::new().await;
    let caller = world.share("grace", "james").await;
    assert!(world.plan(&caller).is_ok());
    let early = Relationship {
        period: Period { start: Some(NOON), end: Some(NOON.plus_secs(60)) },
        ..relationship("grace", "james", RelationshipKind::Proxy)
    };
    world.put(Op::PutRelationship(early)).await;
    world.clock.advance_secs(59);
    assert!(world.plan(&caller).is_ok());
    world.clock.advance_secs(1);
    assert_eq!(world.refusal(&caller), [ReasonCode::ProxyNotInForce]);
    let late = world.app.prepare_consent(
        &world.account("grace"),
        world.terms("grace", "james"),
        world.app.now(),
    );
    assert!(matches!(late, Err(ChoiceError::Capacity)));
    world.stop("grace", &caller).await.unwrap();
    let newest = world.activity("james").await.remove(0);
    assert_eq!(newest.on_behalf_of, Some("james".parse().unwrap()));
}

#[tokio::test]
async fn a_choice_is_given_in_the_capacity_that_the_giver_has() {
    let world = World::new().await;
    let at = world.app.now();
    let mut claimed = world.terms("grace", "james");
    claimed.capacity = Capacity::Patient;
    let grace = world.account("grace");
    assert!(matches!(world.app.prepare_consent(&grace, claimed, at), Err(ChoiceError::Capacity)));
    let for_another = world.terms("maria", "maria");
    assert!(matches!(
        world.app.prepare_consent(&grace, for_another, at),
        Err(ChoiceError::Capacity)
    ));
    let maria = world.account("maria");
    let recorded =
        world.app.record_consent(&maria, world.terms("maria", "maria"), &Via::default()).await;
    assert_eq!(recorded.unwrap().version().number, 1);
}

#[tokio::test]
async fn switched_off_apps_and_accounts_get_nothing() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let mut off = client("glucose-coach");
    off.status = ClientStatus::Disabled;
    world.put(Op::PutClient { client: off, expect: Presence::Present }).await;
    assert_eq!(world.refusal(&caller), [ReasonCode::AccountDisabled]);
    let on = client("glucose-coach");
    world.put(Op::PutClient { client: on, expect: Presence::Present }).await;
    assert!(world.plan(&caller).is_ok());
    let mut maria = world.account("maria");
    maria.status = AccountStatus::Disabled;
    world.put(Op::PutAccount { account: maria, expect: Presence::Present }).await;
    assert_eq!(world.refusal(&caller), [ReasonCode::AccountDisabled]);
    let own = world.app.plan_own_record(
        &"acc_maria".parse().unwrap(),
        &"maria".parse().unwrap(),
        world.app.now(),
    );
    assert_eq!(own.unwrap_err().reasons, [ReasonCode::AccountDisabled]);
}

#[tokio::test]
async fn a_token_that_disagrees_with_its_grant_gets_nothing() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let changed = |change: fn(&mut Caller)| {
        let mut caller = caller.clone();
        change(&mut caller);
        world.refusal(&caller)
    };
    let stolen = changed(|caller| caller.client = "chart-lens".parse().unwrap());
    assert!(stolen.contains(&ReasonCode::NoConsent));
    let other = changed(|caller| caller.account = Some("acc_james".parse().unwrap()));
    assert!(other.contains(&ReasonCode::NoConsent));
    let elsewhere = changed(|caller| caller.patient = Some("james".parse().unwrap()));
    assert!(elsewhere.contains(&ReasonCode::OutsidePatientContext));
    let emergency = changed(|caller| caller.purpose = PurposeOfUse::BreakGlass);
    assert!(emergency.contains(&ReasonCode::PurposeNotAllowed));
    let unknown = changed(|caller| caller.grant = "grt_unknown".parse().unwrap());
    assert_eq!(unknown, [ReasonCode::NoConsent]);
}

#[tokio::test]
async fn a_clinicians_app_sees_patients_in_care_until_that_ends() {
    let world = World::new().await;
    let mut grant = world.grant("drpatel", "maria");
    grant.client = "chart-lens".parse().unwrap();
    grant.purpose = PurposeOfUse::Treatment;
    grant.scopes = scopes("user/*.rs patient/*.rs");
    let caller = caller_of(&grant, ActorKind::Clinician, None);
    world.put(Op::PutGrant(grant)).await;
    let plan = world.plan(&caller).unwrap();
    assert_eq!(plan.reach, PatientReach::Only(["maria".parse().unwrap()].into()));
    let objection = Objection {
        patient: "maria".parse().unwrap(),
        categories: CategorySet::EMPTY.with(Category::Laboratory),
        recorded_at: world.app.now(),
    };
    world.put(Op::PutObjection(objection)).await;
    let plan = world.plan(&caller).unwrap();
    let decision = plan.decide(&Interaction::Read, &laboratory("maria"), &|_| true);
    assert_eq!(decision.reasons, [ReasonCode::PatientObjection]);
    world.clock.advance_secs(10 * 86_400);
    assert!(world.refusal(&caller).contains(&ReasonCode::NoCareRelationship));
}

#[tokio::test]
async fn the_portal_shows_a_record_to_the_patient_and_to_proxies_only() {
    let world = World::new().await;
    let looks = |account: &str, patient: &str| {
        let account: AccountId = format!("acc_{account}").parse().unwrap();
        world.app.plan_own_record(&account, &patient.parse().unwrap(), world.app.now())
    };
    assert_eq!(looks("maria", "maria").unwrap().basis, ReasonCode::OwnRecord);
    assert_eq!(looks("grace", "james").unwrap().basis, ReasonCode::ProxyInForce);
    for (stranger, patient) in
        [("maria", "james"), ("grace", "maria"), ("drpatel", "maria"), ("priya", "maria")]
    {
        let refused = looks(stranger, patient).unwrap_err();
        assert_eq!(refused.reasons, [ReasonCode::ProxyNotInForce], "{stranger}");
    }
}

#[tokio::test]
async fn a_consent_is_out_of_force_at_its_end_and_later_says_so() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    assert_eq!(world.app.expire_consents(&Via::default()).await.unwrap(), 0);
    world.clock.advance_secs(30 * 86_400);
    assert_eq!(world.refusal(&caller), [ReasonCode::ConsentNotInForce]);
    assert_eq!(world.app.expire_consents(&Via::default()).await.unwrap(), 1);
    assert_eq!(world.app.expire_consents(&Via::default()).await.unwrap(), 0);
    assert_eq!(world.refusal(&caller), [ReasonCode::ConsentNotInForce]);
    let grant = world.app.store().grant(&caller.grant).await.unwrap().unwrap();
    assert_eq!(grant.ended.unwrap().reason, GrantEndReason::Expired);
}

#[tokio::test]
async fn choices_in_force_are_listed_first_with_the_app_they_name() {
    let world = World::new().await;
    let stopped = world.share("maria", "maria").await;
    world.stop("maria", &stopped).await.unwrap();
    world.clock.advance_secs(1);
    let maria = world.account("maria");
    let terms = world.terms("maria", "maria");
    let kept = world.app.record_consent(&maria, terms, &Via::default()).await.unwrap();
    let patient = "maria".parse().unwrap();
    let choices = world.app.sharing_choices(&patient, world.app.now()).await.unwrap();
    let standings: Vec<Standing> = choices.iter().map(|choice| choice.standing).collect();
    assert_eq!(standings, [Standing::InForce, Standing::Revoked]);
    let first = choices.first().unwrap();
    assert_eq!(first.consent, kept);
    assert_eq!(first.app.as_ref().unwrap().name, "glucose-coach");
    assert_eq!(first.given_by.as_ref().unwrap().username, "maria");
}

#[tokio::test]
async fn the_epoch_counts_what_can_change_a_decision() {
    let world = World::new().await;
    let before = world.app.live().epoch();
    let caller = world.share("maria", "maria").await;
    let shared = world.app.live().epoch();
    assert!(before < shared);
    world.app.store().commit(Batch::new()).await.unwrap();
    assert_eq!(world.app.live().epoch(), shared);
    world.stop("maria", &caller).await.unwrap();
    assert!(shared < world.app.live().epoch());
    let reloaded = Live::load(
        world.app.store(),
        &world.app.keys,
        &world.app.settings().filed,
        world.app.now(),
    )
    .await
    .unwrap();
    assert_eq!(reloaded.epoch(), world.app.live().epoch());
}

// Covers: design §5, every past instant can be asked "what was in force then"
#[tokio::test]
async fn every_past_instant_can_be_asked_and_a_restart_forgets_none() {
    let mut world = World::new().await;
    let start = world.app.now();
    let caller = world.share("maria", "maria").await;
    world.clock.advance_secs(100);
    let id = caller.consent.clone().unwrap();
    let first = world.app.store().consent(&id).await.unwrap().unwrap();
    let mut narrower = first.version.terms();
    narrower.categories = CategorySet::EMPTY.with(Category::Medications);
    let maria = world.account("maria");
    let via = Via::default();
    world.app.amend_consent(&maria, &id, &first.id, narrower, None, &via).await.unwrap();
    world.clock.advance_secs(100);
    world.stop("maria", &caller).await.unwrap();
    world.restart().await;
    let patient = "maria".parse().unwrap();
    let in_force = async |secs: i64| {
        let found = world.app.consents_in_force_at(&patient, start.plus_secs(secs)).await.unwrap();
        found.iter().map(|named| named.version().number).collect::<Vec<_>>()
    };
    assert_eq!(in_force(-1).await, [0_u32; 0]);
    assert_eq!(in_force(0).await, [1]);
    assert_eq!(in_force(99).await, [1]);
    assert_eq!(in_force(100).await, [2]);
    assert_eq!(in_force(199).await, [2]);
    assert_eq!(in_force(200).await, [0_u32; 0]);
    let line = world.app.consent_timeline(&id).await.unwrap().unwrap();
    assert_eq!(line.versions().count(), 3);
    assert!(world.app.consent_timeline(&"cns_none".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_history_that_does_not_hang_together_is_not_told() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let id = caller.consent.clone().unwrap();
    let first = world.app.store().consent(&id).await.unwrap().unwrap();
    // Somebody writes a version past the use case, under a name that is not its own.
    let next = first.version.revoke(world.app.now(), None).unwrap();
    let forged = Op::PutConsentVersion {
        id: ConsentVersionId::from_digest(&[7; 32]),
        version: next,
        expect: Some(first.id.clone()),
    };
    let told = world.app.store().commit(Batch::new().with(forged)).await;
    assert!(told.is_ok(), "the store keeps what it is given: {told:?}");
    let refused = world.app.consent_timeline(&id).await.unwrap_err();
    assert!(matches!(refused, HistoryError::Renamed { number: 2, .. }), "{refused}");
    let of_patient = world.app.timelines_of_patient(&"maria".parse().unwrap()).await;
    assert!(of_patient.is_err());
}

// Covers: 42 CFR 2.31(a), (c)(2): what lacks an element is no ground for a disclosure
#[tokio::test]
async fn a_consent_to_substance_use_records_is_recorded_only_when_it_is_whole() {
    use proviso_core::category::SensitiveKind;
    use proviso_core::consent::{Part2Gap, Part2Parties, part2_statements};
    use proviso_core::reason::Language;
    let world = World::new().await;
    let maria = world.account("maria");
    let via = Via::default();
    let mut terms = world.terms("maria", "maria");
    terms.sensitive = SensitiveSet::EMPTY.with(SensitiveKind::SubstanceUse);
    let refused = world.app.record_consent(&maria, terms.clone(), &via).await.unwrap_err();
    assert!(refused.to_string().contains("42 CFR 2.31(a)"), "{refused}");
    let parties = Part2Parties {
        patient: "maria",
        discloser: &world.app.settings().organization_name,
        recipient: "glucose-coach",
    };
    terms.shown_text = part2_statements(Language::English, parties).join("\n");
    let mut endless = terms.clone();
    endless.period.end = None;
    let refused = world.app.record_consent(&maria, endless.clone(), &via).await.unwrap_err();
    assert!(matches!(refused, ChoiceError::Part2(Part2Gap::Expiry)), "{refused}");
    let kept = world.app.record_consent(&maria, terms, &via).await.unwrap();
    // Nor can it be reached by a change.
    let id = kept.version().consent.clone();
    let amended = world.app.amend_consent(&maria, &id, kept.id(), endless, None, &via).await;
    assert!(matches!(amended.unwrap_err(), ChoiceError::Part2(Part2Gap::Expiry)));
    assert_eq!(world.app.store().consent(&id).await.unwrap().unwrap().id, *kept.id());
}

/// Steps of a small deterministic generator (SplitMix64), so that a failure names its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// A random walk through share, stop, failing disk, restart and waiting; after each step every
/// token ever given is asked for, and must be answered as a plain list of what was acknowledged
/// says.
#[tokio::test]
async fn no_history_of_choices_leaves_a_token_in_force_that_should_not_be() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let mut world = World::new().await;
        // Each token with the instant at which it must end.
        let mut tokens: Vec<(Caller, At)> = Vec::new();
        for step in 0..40 {
            match dice.roll(6) {
                0 | 1 => {
                    let caller = world.share("maria", "maria").await;
                    tokens.push((caller, world.app.now().plus_days(30)));
                }
                2 | 3 if !tokens.is_empty() => {
                    let index = usize::try_from(dice.roll(tokens.len() as u64)).unwrap();
                    let broken = dice.roll(3) == 0;
                    world.faults.fail_commits(broken);
                    let (caller, ends_at) = &mut tokens[index];
                    let stopped = world.stop("maria", caller).await;
                    world.faults.fail_commits(false);
                    if stopped.is_ok() {
                        *ends_at = world.app.now();
                    } else {
                        assert!(broken || *ends_at <= world.app.now());
                    }
                }
                4 => world.restart().await,
                _ => world.clock.advance_secs(i64::try_from(dice.roll(8)).unwrap() * 86_400),
            }
            let now = world.app.now();
            for (caller, ends_at) in &tokens {
                let permitted = world.plan(caller).is_ok();
                assert_eq!(permitted, now < *ends_at, "seed {seed}, step {step}");
            }
        }
    }
}
