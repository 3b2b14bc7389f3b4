//! Roles given and taken on a running application.

use std::sync::Arc;

use proviso_core::audit::AuditEntry;
use proviso_core::id::TenantId;
use proviso_core::org::Environment;
use proviso_core::time::At;
use proviso_store::{OpenOptions, Store};

use super::*;
use crate::audit::AuditSearch;
use crate::keys::MasterKey;
use crate::ports::{ManualClock, SystemEntropy};
use crate::settings::Settings;

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
        roles: RoleSet::EMPTY,
        fhir_user: None,
        password_hash: None,
        language: None,
        status: AccountStatus::Active,
        created_at: At::from_secs(1),
    }
}

impl World {
    async fn new() -> Self {
        let store = Store::model(OpenOptions::new(TenantId::default_tenant()));
        let people = [
            ("admin", ActorKind::Administrator),
            ("priya", ActorKind::PrivacyOfficer),
            ("drstone", ActorKind::Clinician),
            ("dana", ActorKind::Staff),
            ("maria", ActorKind::Patient),
        ];
        let put = people.map(|(name, kind)| Op::PutAccount {
            account: account(name, kind),
            expect: Presence::Absent,
        });
        store.commit(Batch::from(put.to_vec())).await.unwrap();
        let master = MasterKey::from_bytes([7; 32]);
        let entropy = Arc::new(SystemEntropy::default());
        let clock = Arc::new(ManualClock::starting_at(At::from_secs(1_800_000_000)));
        let settings = Settings::demo("http://127.0.0.1:8080");
        let app = App::open(store, master, clock, entropy, settings).await.unwrap();
        Self { app, via: Via::default(), environment: Environment::default() }
    }

    async fn change(&self, by: Option<&str>, of: &str, change: RoleChange, role: Role) -> Told {
        let of = format!("acc_{of}").parse().unwrap();
        let by = by.map(|by| {
            (*self.app.live().account(&format!("acc_{by}").parse().unwrap()).unwrap()).clone()
        });
        let keeper = match &by {
            None => RoleKeeper::Operator(&self.via),
            Some(account) => RoleKeeper::Person(Changer {
                account,
                environment: &self.environment,
                via: &self.via,
            }),
        };
        match self.app.change_role(keeper, &of, change, role).await {
            Ok(changed) => Ok(changed.all_roles()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn roles(&self, of: &str) -> RoleSet {
        self.app.live().account(&format!("acc_{of}").parse().unwrap()).unwrap().all_roles()
    }

    async fn last_entry(&self) -> AuditEntry {
        let search = AuditSearch { limit: 1, ..AuditSearch::default() };
        let page = self.app.search_audit(&search).await.unwrap();
        page.entries.into_iter().next().unwrap().entry
    }
}

type Told = Result<RoleSet, String>;

const DESK: RoleSet = RoleSet::EMPTY.with(Role::FrontDesk);

#[tokio::test]
async fn a_role_that_is_given_is_in_force_at_once_and_logged() {
    let world = World::new().await;
    assert_eq!(world.roles("dana"), RoleSet::EMPTY);
    let given = world.change(Some("admin"), "dana", RoleChange::Give, Role::FrontDesk).await;
    assert_eq!(given, Ok(DESK));
    assert_eq!(world.roles("dana"), DESK);
    let entry = world.last_entry().await;
    assert_eq!(entry.action, "role-give-front-desk");
    assert_eq!(entry.outcome, AuditOutcome::Success);
    assert_eq!(entry.account, Some("acc_admin".parse().unwrap()));
    assert_eq!(entry.about, Some("acc_dana".parse().unwrap()));

    let taken = world.change(None, "dana", RoleChange::Take, Role::FrontDesk).await;
    assert_eq!(taken, Ok(RoleSet::EMPTY));
    assert_eq!(world.roles("dana"), RoleSet::EMPTY);
    let entry = world.last_entry().await;
    assert_eq!((entry.action.as_str(), entry.account), ("role-take-front-desk", None));
}

#[tokio::test]
async fn who_may_not_change_accounts_changes_no_role_and_leaves_a_trace() {
    let world = World::new().await;
    for by in ["drstone", "priya", "maria"] {
        let told = world.change(Some(by), "dana", RoleChange::Give, Role::Clinician).await;
        assert_eq!(told, Err("the person may not change accounts".to_owned()), "{by}");
        assert_eq!(world.roles("dana"), RoleSet::EMPTY, "{by}");
        let entry = world.last_entry().await;
        assert_eq!(entry.outcome, AuditOutcome::Denied, "{by}");
        assert_eq!(entry.about, Some("acc_dana".parse().unwrap()));
    }
}

#[tokio::test]
async fn nobody_gives_themselves_a_role() {
    let world = World::new().await;
    let told = world.change(Some("admin"), "admin", RoleChange::Give, Role::Clinician).await;
    assert_eq!(told, Err("nobody changes their own roles".to_owned()));
    assert_eq!(world.roles("admin"), RoleSet::of_kind(ActorKind::Administrator));
    assert_eq!(world.last_entry().await.outcome, AuditOutcome::Denied);
}

#[tokio::test]
async fn a_role_that_does_not_fit_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let cases = [
        ("maria", RoleChange::Give, Role::Billing, "an account of this kind has no roles"),
        ("dana", RoleChange::Give, Role::Service, "`service` is no role of people"),
        ("drstone", RoleChange::Take, Role::Clinician, "`clinician` comes with the kind"),
        ("nobody", RoleChange::Give, Role::Billing, "there is no such account"),
    ];
    for (of, change, role, why) in cases {
        let told = world.change(None, of, change, role).await.unwrap_err();
        assert!(told.starts_with(why), "{told}");
    }
    assert_eq!(world.roles("drstone"), RoleSet::of_kind(ActorKind::Clinician));
    assert_eq!(world.roles("maria"), RoleSet::EMPTY);
}

#[tokio::test]
async fn a_role_given_twice_is_held_once_and_one_of_the_kind_stays() {
    let world = World::new().await;
    for _ in 0..2 {
        let told = world.change(None, "drstone", RoleChange::Give, Role::EmergencyClinician).await;
        let both = RoleSet::EMPTY.with(Role::Clinician).with(Role::EmergencyClinician);
        assert_eq!(told, Ok(both));
    }
    let told = world.change(None, "drstone", RoleChange::Take, Role::EmergencyClinician).await;
    assert_eq!(told, Ok(RoleSet::EMPTY.with(Role::Clinician)));
}
