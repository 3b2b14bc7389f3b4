//! The policies in force in memory: the set that decides, and the one evaluated beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use proviso_core::account::{Account, ActorKind};
use proviso_core::decision::{AccessPlan, Effect, OrgGround, ResourceFacts};
use proviso_core::emergency::EmergencyFacts;
use proviso_core::id::{AccountId, ClientId};
use proviso_core::interaction::Interaction;
use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetId};
use proviso_core::org::{
    EmergencyReason, Environment, Mode, OrgAnswer, OrgPolicy, OrgQuestion, OrgRules, Related,
    RoleSet, SharedRules, emergency_question,
};
use proviso_core::time::At;
use proviso_store::{ReadError, Store};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::compile::PolicySet;
use super::describe::describe_question;
use super::documents::Documents;
use super::finding::Finding;

/// LIMIT: so many different differences are kept; the count goes on.
const MAX_KEPT: usize = 1_000;

/// Why the policies in force cannot be loaded. Nothing is decided then, and nothing starts.
#[derive(Debug, thiserror::Error)]
pub enum LoadPoliciesError {
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] ReadError),
    /// A set that is in force is not there, or its documents are not what its name says.
    #[error("the documents of policy set {0} are missing or damaged")]
    Damaged(PolicySetId),
    /// A set does not compile with this release.
    #[error("a policy set does not compile: {}", told(.0))]
    Refused(Vec<Finding>),
}

fn told(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; ")
}

/// What differs between the live set and its shadow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowDifference {
    /// The question, without who asked.
    pub question: String,
    /// What was decided.
    pub live: Effect,
    /// What the shadow would have decided.
    pub shadow: Effect,
    /// How often.
    pub times: u64,
}

/// What the shadow has shown since it was set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// Which set.
    pub set: PolicySetId,
    /// How many questions both were asked.
    pub asked: u64,
    /// How many they answered differently.
    pub different: u64,
    /// The differences, the most frequent first.
    pub differences: Vec<ShadowDifference>,
}

/// A set that is evaluated beside the live one.
#[derive(Debug)]
struct Shadow {
    set: Arc<PolicySet>,
    seen: Arc<Seen>,
}

/// What a shadow has shown.
#[derive(Debug, Default)]
struct Seen {
    asked: AtomicU64,
    different: AtomicU64,
    kept: Mutex<BTreeMap<String, ShadowDifference>>,
}

#[derive(Debug)]
struct Sets {
    now: PoliciesInForce,
    live: Arc<PolicySet>,
    shadow: Option<Shadow>,
    /// What the live set comes to for those who asked before.
    grounds: Cache<GroundKey, Arc<OrgGround>>,
    /// What it comes to for emergencies that were asked about before.
    emergencies: Cache<EmergencyKey, Arc<OrgGround>>,
    /// What the shadow comes to for them, by where the rules of the live set are in memory.
    besides: Cache<usize, Arc<Beside>>,
}

/// The rules of the shadow for one who asks, beside those of the live set.
#[derive(Debug)]
pub struct Beside {
    /// Held so that no other rules can come to lie in their place.
    live: SharedRules,
    shadow: OrgRules,
    who: OrgQuestion,
    seen: Arc<Seen>,
}

impl Beside {
    /// Notes what the shadow would have said of something that the live set was asked about.
    pub fn note(&self, plan: &AccessPlan, interaction: &Interaction, facts: &ResourceFacts) {
        let asked = plan.rules.as_ref();
        let Some((question, live)) =
            asked.and_then(|rules| rules.asked(plan.purpose, interaction, facts))
        else {
            return;
        };
        let related = live.standings.get(usize::from(question.standing)).cloned();
        let (before, after) = (live.answer(&question), self.shadow.answer(&question));
        self.seen.note(&before, &after, || {
            describe_question(&OrgQuestion {
                related: related.unwrap_or_default(),
                purpose: question.purpose,
                action: question.action,
                resource: question.resource,
                ..self.who.clone()
            })
        });
    }
}

/// LIMIT: so many askers are remembered; each is a few hundred bytes.
const MAX_GROUNDS: usize = 10_000;

/// A person as policies know them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Staff {
    account: AccountId,
    kind: ActorKind,
    roles: RoleSet,
}

impl Staff {
    fn of(account: &Account) -> Self {
        Self { account: account.id.clone(), kind: account.kind, roles: account.all_roles() }
    }

    fn question(&self) -> OrgQuestion {
        OrgQuestion::of_account(self.account.clone(), self.kind, Mode::Operational)
            .with_roles(self.roles)
    }
}

/// For whom a set is asked what it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum GroundKey {
    Staff(Box<StaffAsking>),
    Service(ClientId),
    Patient,
}

/// For which emergency a set is asked: everything of it that a policy is told, from where and when it
/// is used, the reason, the age in minutes and whether there was a step-up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct EmergencyKey {
    staff: Staff,
    environment: Environment,
    asked: (EmergencyReason, u8, bool),
}

/// A member of staff, as far as policies may tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StaffAsking {
    /// Who.
    pub(crate) account: AccountId,
    /// The kind of account.
    pub(crate) kind: ActorKind,
    /// Every role.
    pub(crate) roles: RoleSet,
    /// From where and when.
    pub(crate) environment: Environment,
    /// In which ways they are related to patients.
    pub(crate) ways: BTreeSet<Related>,
}

impl GroundKey {
    /// Who asks; nobody for patients, whose own way no policy of the organisation restricts.
    fn who(&self) -> Option<OrgQuestion> {
        match self {
            Self::Staff(asking) => {
                let StaffAsking { account, kind, roles, environment, ways: _ } = &**asking;
                let who = OrgQuestion::of_account(account.clone(), *kind, Mode::Operational);
                let environment = environment.clone();
                Some(OrgQuestion { environment, ..who.with_roles(*roles) })
            }
            Self::Service(client) => Some(OrgQuestion::of_service(client.clone())),
            Self::Patient => None,
        }
    }

    fn ways(&self) -> BTreeSet<Related> {
        match self {
            Self::Staff(asking) => asking.ways.clone(),
            Self::Service(_) | Self::Patient => BTreeSet::new(),
        }
    }
}

impl Sets {
    fn ground(&self, key: GroundKey) -> Arc<OrgGround> {
        if let Some(known) = self.grounds.get(&key) {
            return known;
        }
        let version = self.live.version().to_string();
        // What consents on file mean is the operator's to say, and added where it is asked for.
        let ground = match key.who() {
            Some(who) => {
                let rules = self.live.rules_for(&who, key.ways());
                let ground = OrgGround::by_rules(version, rules);
                self.put_beside(&ground, who, key.ways());
                ground
            }
            None => OrgGround::for_patients(version),
        };
        let ground = Arc::new(ground);
        self.grounds.insert(key, Arc::clone(&ground));
        ground
    }

    /// The same for an emergency: what is asked is made of the declaration and the instant.
    fn emergency_ground(
        &self,
        staff: Staff,
        environment: Environment,
        facts: &EmergencyFacts,
        at: At,
    ) -> Arc<OrgGround> {
        let asked = (facts.reason, facts.minutes(at), facts.stepped_up());
        let key = EmergencyKey { staff, environment, asked };
        if let Some(known) = self.emergencies.get(&key) {
            return known;
        }
        let who = OrgQuestion { environment: key.environment.clone(), ..key.staff.question() };
        let who = emergency_question(who, facts, at);
        let rules = self.live.rules_for(&who, []);
        let ground = Arc::new(OrgGround::by_rules(self.live.version().to_string(), rules));
        self.put_beside(&ground, who, BTreeSet::new());
        self.emergencies.insert(key, Arc::clone(&ground));
        ground
    }

    fn put_beside(&self, ground: &OrgGround, who: OrgQuestion, ways: BTreeSet<Related>) {
        let (Some(shadow), Some(live)) = (&self.shadow, &ground.rules) else { return };
        let beside = Beside {
            live: live.clone(),
            shadow: shadow.set.rules_for(&who, ways),
            who,
            seen: Arc::clone(&shadow.seen),
        };
        self.besides.insert(live.place(), Arc::new(beside));
    }
}

/// The policies in force.
#[derive(Debug)]
pub struct Policies {
    sets: ArcSwap<Sets>,
    /// Held by whoever changes them, so that memory follows the store in its order.
    pub(super) changing: tokio::sync::Mutex<()>,
}

impl Policies {
    /// Loads what is in force.
    ///
    /// # Errors
    /// When it cannot be loaded; nothing may be decided then.
    pub(crate) async fn load(store: &Store) -> Result<Self, LoadPoliciesError> {
        let sets = Sets::load(store, None).await?;
        Ok(Self { sets: ArcSwap::from_pointee(sets), changing: tokio::sync::Mutex::new(()) })
    }

    /// Reads again what is in force, after a change.
    pub(super) async fn reload(&self, store: &Store) -> Result<(), LoadPoliciesError> {
        let before = self.sets.load_full();
        self.sets.store(Arc::new(Sets::load(store, Some(&before)).await?));
        Ok(())
    }

    /// The answer of the live set; the shadow, where there is one, is asked as well and what it
    /// would have said is kept.
    pub fn answer(&self, question: &OrgQuestion) -> Arc<OrgAnswer> {
        let sets = self.sets.load();
        let answer = sets.live.answer(question);
        if let Some(shadow) = &sets.shadow {
            shadow.compare(question, &answer);
        }
        answer
    }

    /// What the live set comes to for a member of staff.
    pub(crate) fn ground_of_staff(&self, asking: StaffAsking) -> Arc<OrgGround> {
        self.sets.load().ground(GroundKey::Staff(Box::new(asking)))
    }

    /// What the live set comes to in an emergency that a member of staff declared.
    pub(crate) fn ground_of_emergency(
        &self,
        account: &Account,
        environment: Environment,
        facts: &EmergencyFacts,
        at: At,
    ) -> Arc<OrgGround> {
        self.sets.load().emergency_ground(Staff::of(account), environment, facts, at)
    }

    /// What the live set comes to for a service.
    pub(crate) fn ground_of_service(&self, client: &ClientId) -> Arc<OrgGround> {
        self.sets.load().ground(GroundKey::Service(client.clone()))
    }

    /// The live set, for the patients' own way, which it does not restrict.
    pub(crate) fn ground_of_patient(&self) -> Arc<OrgGround> {
        self.sets.load().ground(GroundKey::Patient)
    }

    /// The set that decides; one value for a whole request keeps its decisions consistent.
    pub fn live(&self) -> Arc<PolicySet> {
        Arc::clone(&self.sets.load().live)
    }

    /// Which sets are in force.
    pub fn now(&self) -> PoliciesInForce {
        self.sets.load().now.clone()
    }

    /// What the shadow comes to for the one for whom a plan was made; `None` where there is no
    /// shadow, or the plan is older than it.
    pub fn beside(&self, plan: &AccessPlan) -> Option<Arc<Beside>> {
        let live = plan.rules.as_ref()?.rules();
        let beside = self.sets.load().besides.get(&live.place())?;
        beside.live.is_same(live).then_some(beside)
    }

    /// What the shadow has shown.
    pub fn shadow_report(&self) -> Option<ShadowReport> {
        self.sets.load().shadow.as_ref().map(Shadow::report)
    }
}

impl Sets {
    async fn load(store: &Store, before: Option<&Self>) -> Result<Self, LoadPoliciesError> {
        let now = store.policies_in_force().await?;
        let known = |id: &PolicySetId| {
            let before = before?;
            let shadow = before.shadow.as_ref().map(|shadow| &shadow.set);
            std::iter::once(&before.live).chain(shadow).find(|set| set.id() == id).cloned()
        };
        let live = match &now.live {
            None => PolicySet::starter().map_err(LoadPoliciesError::Refused)?,
            Some(id) => match known(id) {
                Some(set) => set,
                None => Arc::new(stored(store, id).await?),
            },
        };
        let shadow = match &now.shadow {
            None => None,
            Some(id) => {
                let set = match known(id) {
                    Some(set) => set,
                    None => Arc::new(stored(store, id).await?),
                };
                Some(Shadow::new(set))
            }
        };
        Ok(Self {
            now,
            live,
            shadow,
            grounds: Cache::new(MAX_GROUNDS),
            emergencies: Cache::new(MAX_GROUNDS),
            besides: Cache::new(MAX_GROUNDS),
        })
    }
}

/// A set as it is stored, which must be what its name says.
pub(super) async fn stored(
    store: &Store,
    id: &PolicySetId,
) -> Result<PolicySet, LoadPoliciesError> {
    let damaged = || LoadPoliciesError::Damaged(id.clone());
    let stored = store.policy_set(id).await?.ok_or_else(damaged)?;
    let documents: Documents = serde_json::from_str(&stored.documents).map_err(|_| damaged())?;
    if documents.id() != *id {
        return Err(damaged());
    }
    PolicySet::compile(documents).map_err(LoadPoliciesError::Refused)
}

impl Shadow {
    fn new(set: Arc<PolicySet>) -> Self {
        Self { set, seen: Arc::default() }
    }

    fn compare(&self, question: &OrgQuestion, answer: &OrgAnswer) {
        self.seen.note(answer, &self.set.answer(question), || describe_question(question));
    }

    fn report(&self) -> ShadowReport {
        self.seen.report(self.set.id().clone())
    }
}

impl Seen {
    fn note(&self, live: &OrgAnswer, shadow: &OrgAnswer, question: impl FnOnce() -> String) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if shadow.effect == live.effect && shadow.obligations == live.obligations {
            return;
        }
        self.different.fetch_add(1, Ordering::Relaxed);
        // A poisoned lock means that another thread stopped half-way; counting goes on.
        let Ok(mut kept) = self.kept.lock() else { return };
        let text = question();
        if let Some(known) = kept.get_mut(&text) {
            known.times += 1;
        } else if kept.len() < MAX_KEPT {
            let (live, shadow) = (live.effect, shadow.effect);
            let first = ShadowDifference { question: text.clone(), live, shadow, times: 1 };
            kept.insert(text, first);
        }
    }

    fn report(&self, set: PolicySetId) -> ShadowReport {
        let mut differences: Vec<ShadowDifference> =
            self.kept.lock().map(|kept| kept.values().cloned().collect()).unwrap_or_default();
        differences.sort_by_key(|own| std::cmp::Reverse(own.times));
        ShadowReport {
            set,
            asked: self.asked.load(Ordering::Relaxed),
            different: self.different.load(Ordering::Relaxed),
            differences,
        }
    }
}
