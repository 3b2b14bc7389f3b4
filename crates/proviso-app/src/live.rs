//! What decisions are made from: grants, consents, people and their relationships, in memory.
//!
//! Loaded from the store at start; changed by every durable commit before the one who made it is
//! told. A request therefore sees every change that was acknowledged before it began, and the
//! gateway asks nobody.
//!
//! INVARIANT: a batch that changes one of these values is written through [`Live::commit`] and no
//! other way, since a change that is on disk but not here would not be in force.

mod horizon;
mod names;
mod snapshot;
mod suppose;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::{Arc, RwLock};

use proviso_core::account::{Account, Relationship, RelationshipKind};
use proviso_core::category::{CategorySet, SensitiveSet};
use proviso_core::consent::NamedConsent;
use proviso_core::consent::index::{ConsentIndex, Holding, IndexedConsent};
use proviso_core::decision::org_rules::proxy_sensitive;
use proviso_core::emergency::{Emergency, Standing};
use proviso_core::id::{AccountId, ClientId, ConsentId, EmergencyId, GrantId, PatientId};
use proviso_core::time::At;
use proviso_oauth::record::{Client, Grant};
use proviso_store::{
    Batch, CommitError, ConsentScan, Objection, Op, ReadError, Receipt, ScanPlace, Store,
    StoredConsent,
};

use self::horizon::Horizon;
pub use self::names::KeptNames;
pub(crate) use self::snapshot::CONSENTS_MIN;
pub use self::snapshot::{SnapshotError, SnapshotWritten};
pub(crate) use self::suppose::About;

use crate::filed::{FiledConsent, FiledSettings, Files, is_filed};
use crate::keys::Keys;

/// After so many changes, grants that ended or expired are forgotten.
const PRUNE_EVERY: u32 = 4096;

/// LIMIT: how many epochs an ended grant is remembered. A change that was durable before the end
/// but is applied after it must find the end; both are applied right after their commits, so a
/// few epochs would do.
const ENDED_KEPT_EPOCHS: u64 = 65_536;

/// How many consents on file are read at once at start.
const LOADED_AT_ONCE: usize = 512;

/// How many consents are looked at in one go for their end; nothing can change meanwhile.
const OVERDUE_AT_ONCE: u32 = 4096;

/// How many versions of consents are read at once at start.
const VERSIONS_AT_ONCE: usize = 2048;

/// A value and the epoch of the batch that wrote it. Epochs are the order in which batches became
/// durable; they are applied in whatever order their tasks run.
#[derive(Debug, Clone)]
struct Stamped<T> {
    epoch: u64,
    value: T,
}

/// Who acts for, treats, or is on shift for whom.
type RelationshipKey = (PatientId, RelationshipKind);

#[derive(Debug)]
struct State {
    clients: HashMap<ClientId, Stamped<Arc<Client>>>,
    accounts: HashMap<AccountId, Stamped<Arc<Account>>>,
    /// `None` is a grant that ended.
    grants: HashMap<GrantId, Stamped<Option<Arc<Grant>>>>,
    /// Which grants there are for an app; ended ones may still be among them.
    grants_of: HashMap<ClientId, BTreeSet<GrantId>>,
    consents: ConsentIndex<KeptNames>,
    relationships: HashMap<AccountId, HashMap<RelationshipKey, Stamped<Relationship>>>,
    /// Who acts or acted for a patient.
    proxies_of: HashMap<PatientId, BTreeSet<AccountId>>,
    objections: HashMap<PatientId, Stamped<CategorySet>>,
    files: Files,
    /// Declared emergencies by their latest version; those long over are forgotten.
    emergencies: HashMap<EmergencyId, Arc<Emergency>>,
    changes: u32,
    newest: Option<At>,
}

/// The live values.
#[derive(Debug)]
pub struct Live {
    state: RwLock<State>,
    horizon: Horizon,
    /// One snapshot is written at a time.
    writing: tokio::sync::Mutex<()>,
    /// How consents on file are read.
    filed: Arc<FiledSettings>,
}

/// Everything about one token's grant, as of one moment.
#[derive(Debug, Clone)]
pub(crate) struct GrantFacts {
    pub(crate) grant: Arc<Grant>,
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) account: Option<Arc<Account>>,
    pub(crate) consent: Option<IndexedConsent>,
    pub(crate) emergency: Option<Arc<Emergency>>,
    pub(crate) relationships: Vec<Relationship>,
    pub(crate) objections: Vec<(PatientId, CategorySet)>,
}

/// Everything about a person that their role is judged by, as of one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct StaffFacts {
    pub(crate) account: Option<Arc<Account>>,
    pub(crate) relationships: Vec<Relationship>,
}

/// A change that a batch makes to live values.
#[derive(Debug)]
enum Change {
    Client(Arc<Client>),
    Account(Arc<Account>),
    Grant(Arc<Grant>),
    GrantEnd(GrantId),
    /// The grants are named by the receipt.
    GrantsEnd,
    Consent(Arc<NamedConsent>),
    Relationship(Relationship),
    Objection(Objection),
    /// A version of an emergency access; its number is the order.
    Emergency(Arc<Emergency>),
    /// A version of a consent on file; its number is the order.
    Filed(Arc<FiledConsent>),
    /// What records are labelled: nothing of it is kept here, but the epoch counts it.
    Labels,
}

fn change_of(op: &Op, filed: &FiledSettings) -> Option<Change> {
    match op {
        Op::PutAccount { account, .. } => Some(Change::Account(Arc::new(account.clone()))),
        Op::PutClient { client, .. } => Some(Change::Client(Arc::new(client.clone()))),
        Op::PutGrant(grant) | Op::AmendGrant(grant) => Some(Change::Grant(Arc::new(grant.clone()))),
        Op::EndGrant { id, .. } => Some(Change::GrantEnd(id.clone())),
        Op::EndGrantsOfConsent { .. } => Some(Change::GrantsEnd),
        Op::PutConsentVersion { version, .. } => {
            Some(Change::Consent(Arc::new(NamedConsent::new(version.clone()))))
        }
        Op::PutRelationship(relationship) => Some(Change::Relationship(relationship.clone())),
        Op::PutObjection(objection) => Some(Change::Objection(objection.clone())),
        Op::PutEmergencyVersion(version) => Some(Change::Emergency(Arc::new(version.clone()))),
        Op::PutLabels { .. } => Some(Change::Labels),
        Op::PutRecord { record, .. } => is_filed(record.resource_type, &record.id)
            .then(|| Change::Filed(Arc::new(FiledConsent::of(record, filed)))),
        Op::PutSession(_)
        | Op::TouchSession { .. }
        | Op::EndSession { .. }
        | Op::EndSessionsOfAccount { .. }
        | Op::PutLaunchTicket(_)
        | Op::ConsumeLaunchTicket { .. }
        | Op::PutAuthorizationRequest { .. }
        | Op::PutAuthorizationCode(_)
        | Op::ConsumeAuthorizationCode { .. }
        | Op::UseAssertion(_)
        | Op::PutRefreshToken(_)
        | Op::RotateRefreshToken { .. }
        | Op::ProposePolicySet(_)
        | Op::DecidePolicySet(_)
        // Followed by `policy::Policies`, which holds the sets that it names.
        | Op::PutPoliciesInForce { .. }
        | Op::PutReviewVersion(_)
        | Op::PutAccessReviewVersion(_)
        | Op::PutKey(_)
        | Op::RetireKey { .. }
        | Op::PutSetting { .. }
        | Op::AppendAudit(_)
        | Op::KeepAnswer(_)
        // Followed by `subscriptions::Subscriptions`.
        | Op::PutSubscription { .. }
        | Op::PutSubscriptionProgress { .. }
        | Op::DeleteSubscription { .. }
        | Op::PurgeExpired { .. } => None,
    }
}

impl Live {
    /// Reads everything from the store.
    ///
    /// # Errors
    /// When the store cannot be read; nothing may be decided then.
    pub async fn load(
        store: &Store,
        keys: &Arc<Keys>,
        filed: &Arc<FiledSettings>,
        at: At,
    ) -> Result<Arc<Self>, ReadError> {
        let epoch = store.epoch().await?;
        let mut state = State::with(consents_at_start(store, keys).await?);
        for client in store.clients().await? {
            state.apply(Change::Client(Arc::new(client)), epoch);
        }
        for account in store.accounts().await? {
            state.apply(Change::Account(Arc::new(account)), epoch);
        }
        for grant in store.active_grants().await? {
            state.apply(Change::Grant(Arc::new(grant)), epoch);
        }
        for relationship in store.relationships().await? {
            state.apply(Change::Relationship(relationship), epoch);
        }
        for objection in store.objections().await? {
            state.apply(Change::Objection(objection), epoch);
        }
        for emergency in store.emergencies_after(at).await? {
            state.apply(Change::Emergency(Arc::new(emergency)), epoch);
        }
        state.load_filed(store, filed).await?;
        Ok(Arc::new(Self {
            state: RwLock::new(state),
            horizon: Horizon::at(epoch),
            writing: tokio::sync::Mutex::default(),
            filed: Arc::clone(filed),
        }))
    }

    /// Writes a batch durably, then applies what it changes here, then returns.
    ///
    /// The two steps run in a task of their own: a caller that goes away between them (a browser
    /// that hangs up while "stop sharing" is being written) must not leave a revocation on disk
    /// that is not in force.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit(
        self: &Arc<Self>,
        store: &Store,
        batch: Batch,
    ) -> Result<Receipt, CommitError> {
        let changes: Vec<Change> =
            batch.ops.iter().filter_map(|op| change_of(op, &self.filed)).collect();
        if changes.is_empty() {
            return store.commit(batch).await;
        }
        let (live, store) = (Arc::clone(self), store.clone());
        let task = tokio::spawn(async move {
            let under_way = live.horizon.set_out();
            match store.commit(batch).await {
                Ok(receipt) => {
                    live.apply(changes, &receipt);
                    live.horizon.arrived(under_way);
                    Ok(receipt)
                }
                // Whether it is on disk after all, nobody knows before the next start.
                Err(error @ (CommitError::Storage(_) | CommitError::Closed)) => Err(error),
                Err(error) => {
                    live.horizon.arrived(under_way);
                    Err(error)
                }
            }
        });
        // The task fails only when the runtime is being shut down.
        task.await.unwrap_or(Err(CommitError::Closed))
    }

    fn apply(&self, changes: Vec<Change>, receipt: &Receipt) {
        // A poisoned lock stays poisoned, and every read of it finds nothing: closed, not stale.
        let Ok(mut state) = self.state.write() else { return };
        for change in changes {
            if matches!(change, Change::GrantsEnd) {
                for id in &receipt.ended_grants {
                    state.apply(Change::GrantEnd(id.clone()), receipt.epoch);
                }
            } else {
                state.apply(change, receipt.epoch);
            }
        }
        state.prune(receipt.epoch);
        self.horizon.applied(receipt.epoch);
    }

    fn read<T>(&self, get: impl FnOnce(&State) -> Option<T>) -> Option<T> {
        self.state.read().ok().and_then(|state| get(&state))
    }

    /// The epoch of the newest change that is in force here.
    pub fn epoch(&self) -> u64 {
        self.horizon.newest()
    }

    /// An app.
    pub fn client(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.read(|state| state.clients.get(id).map(|stamped| Arc::clone(&stamped.value)))
    }

    /// An account.
    pub fn account(&self, id: &AccountId) -> Option<Arc<Account>> {
        self.read(|state| state.accounts.get(id).map(|stamped| Arc::clone(&stamped.value)))
    }

    /// A grant that was not ended; it may have reached its own end, see [`Grant::is_live`].
    pub fn grant(&self, id: &GrantId) -> Option<Arc<Grant>> {
        self.read(|state| state.grants.get(id).and_then(|stamped| stamped.value.clone()))
    }

    /// The grants of an app that were not ended, in the order of their ids.
    pub fn grants_of_client(&self, client: &ClientId) -> Vec<Arc<Grant>> {
        self.read(|state| {
            let ids = state.grants_of.get(client)?;
            let grants = ids.iter().filter_map(|id| state.grants.get(id)?.value.clone());
            Some(grants.collect())
        })
        .unwrap_or_default()
    }

    /// The ids of all apps.
    pub fn client_ids(&self) -> Vec<ClientId> {
        self.read(|state| Some(state.clients.keys().cloned().collect())).unwrap_or_default()
    }

    /// The ids of all accounts.
    pub fn account_ids(&self) -> Vec<AccountId> {
        self.read(|state| Some(state.accounts.keys().cloned().collect())).unwrap_or_default()
    }

    /// The latest version of a consent, as far as decisions read it. Its texts are in the store.
    pub fn consent(&self, id: &ConsentId) -> Option<IndexedConsent> {
        self.read(|state| state.consents.get(id))
    }

    /// The latest version of each consent of a patient, by id.
    pub fn consents_of(&self, patient: &PatientId) -> Vec<IndexedConsent> {
        self.read(|state| Some(state.consents.of_patient(patient))).unwrap_or_default()
    }

    /// Active consents whose period is over, among some from a place on, with the place to go on
    /// from; `None` after the last.
    pub(crate) fn overdue(&self, at: At, from: u32) -> (Vec<ConsentId>, Option<u32>) {
        self.read(|state| Some(state.consents.overdue(at, from, OVERDUE_AT_ONCE)))
            .unwrap_or_default()
    }

    /// How many consents there are, and of how many patients.
    pub fn holding(&self) -> Option<Holding> {
        self.read(|state| Some(state.consents.holding()))
    }

    /// The emergency access that somebody has to a patient's records at an instant; of several the
    /// one that lasts longest.
    pub fn emergency_of(
        &self,
        account: &AccountId,
        patient: &PatientId,
        at: At,
    ) -> Option<Arc<Emergency>> {
        let open = self.emergencies_of(account, at).into_iter();
        open.filter(|own| own.declaration.patient == *patient)
            .max_by_key(|own| own.declaration.ends_at)
    }

    /// Every emergency access that somebody has at an instant, in the order of their ids.
    pub fn emergencies_of(&self, account: &AccountId, at: At) -> Vec<Arc<Emergency>> {
        let mut found = self
            .read(|state| {
                let own = state.emergencies.values().filter(|own| {
                    own.declaration.by == *account && own.standing(at) == Standing::InForce
                });
                Some(own.cloned().collect::<Vec<_>>())
            })
            .unwrap_or_default();
        found.sort_by(|a, b| a.declaration.id.cmp(&b.declaration.id));
        found
    }

    /// An emergency access by its latest version, unless it has long been over.
    pub fn emergency(&self, id: &EmergencyId) -> Option<Arc<Emergency>> {
        self.read(|state| state.emergencies.get(id).cloned())
    }

    /// The consents on file of a patient that are enforced, in the order of their ids.
    pub(crate) fn filed_of(&self, patient: &PatientId) -> Vec<Arc<FiledConsent>> {
        match self.state.read() {
            Ok(state) => state.files.of(patient),
            // Closed, not stale: whoever cannot be asked withholds.
            Err(_) => vec![Arc::new(FiledConsent::unknown(patient))],
        }
    }

    /// How many consents on file of a patient are enforced.
    pub fn filed_in_use(&self, patient: &PatientId) -> usize {
        self.filed_of(patient).len()
    }

    /// Whether anybody has a consent on file.
    pub(crate) fn has_filed(&self) -> bool {
        self.state.read().map_or(true, |state| state.files.any())
    }

    /// The relationships of an account, whatever their period, each as long as its mandate lets it.
    pub fn relationships(&self, account: &AccountId) -> Vec<Relationship> {
        self.read(|state| Some(state.relationships_of(account))).unwrap_or_default()
    }

    /// A person and everything that their role is judged by, as of one moment.
    pub(crate) fn staff_facts(&self, account: &AccountId) -> StaffFacts {
        self.read(|state| {
            Some(StaffFacts {
                account: state.accounts.get(account).map(|own| Arc::clone(&own.value)),
                relationships: state.relationships_of(account),
            })
        })
        .unwrap_or_default()
    }

    /// The objections of the patients to whom somebody is related.
    pub(crate) fn objections_among(
        &self,
        relationships: &[Relationship],
    ) -> Vec<(PatientId, CategorySet)> {
        self.read(|state| Some(state.objections_among(relationships))).unwrap_or_default()
    }

    /// The objections of all patients.
    pub(crate) fn objections(&self) -> Vec<(PatientId, CategorySet)> {
        self.read(|state| {
            let all = state.objections.iter();
            Some(all.map(|(patient, own)| (patient.clone(), own.value)).collect())
        })
        .unwrap_or_default()
    }

    /// The relationships in which people act for a patient, whatever their period.
    pub fn acting_for(&self, patient: &PatientId) -> Vec<Relationship> {
        let key = (patient.clone(), RelationshipKind::Proxy);
        self.read(|state| {
            // Ordered, as the accounts are.
            let accounts = state.proxies_of.get(patient)?.iter();
            let own = accounts.filter_map(|account| state.relationships.get(account)?.get(&key));
            Some(own.map(|own| own.value.clone().limited()).collect())
        })
        .unwrap_or_default()
    }

    /// The sensitive kinds that everybody who acts for a patient at an instant may see. Whoever
    /// cannot be asked hides.
    pub(crate) fn open_to_proxies(&self, patient: &PatientId, at: At) -> SensitiveSet {
        let own = self.acting_for(patient);
        let acting = own.iter().filter(|own| own.period.contains(at));
        acting.fold(proxy_sensitive(), |open, own| open.intersection(own.proxy_sensitive_at(at)))
    }

    /// A grant and everything around it, as of one moment.
    pub(crate) fn facts_of(&self, grant: &GrantId) -> Option<GrantFacts> {
        self.read(|state| {
            let grant = state.grants.get(grant)?.value.clone()?;
            let account = grant.account.as_ref();
            let relationships = account.map(|id| state.relationships_of(id)).unwrap_or_default();
            let objections = state.objections_among(&relationships);
            Some(GrantFacts {
                client: state.clients.get(&grant.client).map(|own| Arc::clone(&own.value)),
                account: account
                    .and_then(|id| state.accounts.get(id))
                    .map(|own| Arc::clone(&own.value)),
                consent: grant.consent().and_then(|id| state.consents.get(id)),
                emergency: grant.emergency().and_then(|id| state.emergencies.get(id)).cloned(),
                relationships,
                objections,
                grant,
            })
        })
    }
}

/// Two random words for the tables of an index.
fn seeds() -> [u64; 2] {
    [RandomState::new().hash_one(0), RandomState::new().hash_one(1)]
}

/// The latest version of every consent: from a snapshot and what was written since, or all of it
/// from the store.
async fn consents_at_start(
    store: &Store,
    keys: &Arc<Keys>,
) -> Result<ConsentIndex<KeptNames>, ReadError> {
    match snapshot::load(store, keys).await {
        Ok(Some((index, epoch))) => {
            let consents = index.holding().consents;
            tracing::info!(consents, epoch, "the consents in memory come from a snapshot");
            return brought_up_to_date(store, index, Some(epoch)).await;
        }
        Ok(None) => {}
        Err(reason) => {
            tracing::warn!(%reason, "the snapshot of consents is refused; all are read from the store");
        }
    }
    let names =
        KeptNames::within(store.beside("consents", "snapshot").as_deref().and_then(Path::parent));
    brought_up_to_date(store, ConsentIndex::new(seeds(), names), None).await
}

/// Takes into an index what was written after an epoch, or everything.
///
/// While a page is read, the one before is hashed and taken. A version is named by its content and
/// not by what the store says is its name.
async fn brought_up_to_date(
    store: &Store,
    mut index: ConsentIndex<KeptNames>,
    written_after: Option<u64>,
) -> Result<ConsentIndex<KeptNames>, ReadError> {
    let next_page =
        |place| store.consents_from(ConsentScan { written_after, place, limit: VERSIONS_AT_ONCE });
    let mut page = next_page(ScanPlace::default()).await?;
    loop {
        let taking = tokio::task::spawn_blocking(move || take_all(index, page.consents));
        let following = match page.next {
            Some(place) => Some(next_page(place).await),
            None => None,
        };
        index = taking.await.map_err(|why| ReadError::Storage(why.to_string()))??;
        match following {
            Some(read) => page = read?,
            None => return Ok(index),
        }
    }
}

fn take_all(
    mut index: ConsentIndex<KeptNames>,
    consents: Vec<StoredConsent>,
) -> Result<ConsentIndex<KeptNames>, ReadError> {
    for stored in consents {
        let named = NamedConsent::new(stored.version);
        // What cannot be held answers nothing; a start without it would go unnoticed.
        index.put(&named.facts()).map_err(|why| ReadError::Storage(why.to_string()))?;
    }
    Ok(index)
}

/// Puts a value unless a later batch has written the key already.
fn put<K: std::hash::Hash + Eq, T>(map: &mut HashMap<K, Stamped<T>>, key: K, epoch: u64, value: T) {
    if map.get(&key).is_none_or(|stamped| stamped.epoch <= epoch) {
        map.insert(key, Stamped { epoch, value });
    }
}

impl State {
    fn with(consents: ConsentIndex<KeptNames>) -> Self {
        Self {
            clients: HashMap::new(),
            accounts: HashMap::new(),
            grants: HashMap::new(),
            grants_of: HashMap::new(),
            consents,
            relationships: HashMap::new(),
            proxies_of: HashMap::new(),
            objections: HashMap::new(),
            files: Files::default(),
            emergencies: HashMap::new(),
            changes: 0,
            newest: None,
        }
    }

    fn apply(&mut self, change: Change, epoch: u64) {
        self.changes = self.changes.saturating_add(1);
        match change {
            Change::Client(client) => put(&mut self.clients, client.id.clone(), epoch, client),
            Change::Account(account) => {
                put(&mut self.accounts, account.id.clone(), epoch, account);
            }
            Change::Grant(grant) => {
                self.newest = self.newest.max(Some(grant.created_at));
                let value = grant.ended.is_none().then(|| Arc::clone(&grant));
                let of_client = self.grants_of.entry(grant.client.clone()).or_default();
                of_client.insert(grant.id.clone());
                put(&mut self.grants, grant.id.clone(), epoch, value);
            }
            Change::GrantEnd(id) => put(&mut self.grants, id, epoch, None),
            // Resolved by the caller, which has the receipt.
            Change::GrantsEnd | Change::Labels => {}
            Change::Filed(filed) => self.files.put(&filed),
            Change::Emergency(own) => {
                self.newest = self.newest.max(Some(own.declaration.declared_at));
                let id = &own.declaration.id;
                if self.emergencies.get(id).is_none_or(|known| known.number < own.number) {
                    self.emergencies.insert(id.clone(), own);
                }
            }
            // Versions count up by one, so their numbers are the order.
            Change::Consent(named) => {
                if let Err(error) = self.consents.put(&named.facts()) {
                    // It answers nothing from now on: closed, not stale.
                    let consent = &named.version().consent;
                    tracing::error!(%consent, %error, "a consent cannot be held in memory");
                }
            }
            Change::Relationship(own) => {
                let key = (own.patient.clone(), own.kind);
                if own.kind == RelationshipKind::Proxy {
                    let of_patient = self.proxies_of.entry(own.patient.clone()).or_default();
                    of_patient.insert(own.account.clone());
                }
                let of_account = self.relationships.entry(own.account.clone()).or_default();
                put(of_account, key, epoch, own);
            }
            Change::Objection(objection) => {
                put(&mut self.objections, objection.patient, epoch, objection.categories);
            }
        }
    }

    async fn load_filed(
        &mut self,
        store: &Store,
        settings: &FiledSettings,
    ) -> Result<(), ReadError> {
        let mut after = None;
        loop {
            let page = store.consents_on_file(after.as_ref(), LOADED_AT_ONCE).await?;
            after = page.last().map(|record| record.id.clone());
            let ended = page.len() < LOADED_AT_ONCE;
            for record in &page {
                self.files.put(&Arc::new(FiledConsent::of_stored(record, settings)));
            }
            if ended {
                return Ok(());
            }
        }
    }

    fn relationships_of(&self, account: &AccountId) -> Vec<Relationship> {
        self.relationships.get(account).map_or_else(Vec::new, |own| {
            // What a mandate ends is over for everybody who asks here.
            own.values().map(|stamped| stamped.value.clone().limited()).collect()
        })
    }

    /// The objections of the patients to whom somebody is related.
    fn objections_among(&self, relationships: &[Relationship]) -> Vec<(PatientId, CategorySet)> {
        relationships
            .iter()
            .filter_map(|own| {
                let objection = self.objections.get(&own.patient)?;
                Some((own.patient.clone(), objection.value))
            })
            .collect()
    }

    /// Forgets grants that can no longer be used: a grant that is not here permits nothing.
    fn prune(&mut self, epoch: u64) {
        if self.changes < PRUNE_EVERY {
            return;
        }
        self.changes = 0;
        let newest = self.newest;
        self.grants.retain(|_, stamped| match &stamped.value {
            None => stamped.epoch.saturating_add(ENDED_KEPT_EPOCHS) >= epoch,
            Some(grant) => {
                grant.expires_at.is_none() || newest.is_none_or(|newest| grant.is_live(newest))
            }
        });
        // One that is not here permits nothing; one that was ended is kept for as long as a late
        // change could bring it back.
        self.emergencies.retain(|_, own| {
            newest.is_none_or(|newest| newest < own.declaration.ends_at.plus_days(1))
        });
        let grants = &self.grants;
        for of_client in self.grants_of.values_mut() {
            of_client.retain(|id| grants.contains_key(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use proviso_oauth::record::{GrantBasis, LaunchContext, Renewal};

    use super::*;

    fn grant(scope: &str) -> Grant {
        Grant {
            id: "grt_1".parse().unwrap(),
            client: "quality-study".parse().unwrap(),
            account: None,
            basis: GrantBasis::PreAuthorized,
            scopes: vec![scope.parse().unwrap()],
            context: LaunchContext::default(),
            purpose: proviso_core::category::PurposeOfUse::Operations,
            renewal: Renewal::None,
            fhir_user: None,
            authenticated_at: None,
            nonce: None,
            created_at: At::from_secs(0),
            expires_at: None,
            ended: None,
        }
    }

    fn empty() -> Live {
        Live {
            state: RwLock::new(State::with(ConsentIndex::new(seeds(), KeptNames::within(None)))),
            horizon: Horizon::at(0),
            writing: tokio::sync::Mutex::default(),
            filed: Arc::new(FiledSettings::new("http://127.0.0.1/fhir/r4")),
        }
    }

    fn receipt(epoch: u64) -> Receipt {
        Receipt { epoch, ..Receipt::default() }
    }

    #[test]
    fn a_change_that_is_applied_late_does_not_undo_a_later_one() {
        let live = empty();
        let id = grant("system/*.rs").id;
        live.apply(vec![Change::GrantEnd(id.clone())], &receipt(6));
        live.apply(vec![Change::Grant(Arc::new(grant("system/*.rs")))], &receipt(5));
        assert!(live.grant(&id).is_none());
        assert_eq!(live.epoch(), 6);

        let live = empty();
        live.apply(vec![Change::Grant(Arc::new(grant("system/Patient.rs")))], &receipt(8));
        live.apply(vec![Change::Grant(Arc::new(grant("system/*.rs")))], &receipt(7));
        assert_eq!(live.grant(&id).unwrap().scopes, grant("system/Patient.rs").scopes);
    }

    #[test]
    fn grants_that_a_receipt_names_are_ended() {
        let live = empty();
        let id = grant("system/*.rs").id;
        live.apply(vec![Change::Grant(Arc::new(grant("system/*.rs")))], &receipt(1));
        let ended = Receipt { ended_grants: vec![id.clone()], ..receipt(2) };
        live.apply(vec![Change::GrantsEnd], &ended);
        assert!(live.grant(&id).is_none());
    }

    #[test]
    fn what_is_forgotten_permits_nothing() {
        let live = empty();
        let kept = grant("system/*.rs");
        let mut short = grant("system/*.rs");
        short.id = "grt_2".parse().unwrap();
        short.expires_at = Some(At::from_secs(10));
        let mut later = grant("system/*.rs");
        later.id = "grt_3".parse().unwrap();
        later.created_at = At::from_secs(11);
        for (epoch, grant) in [(1, &kept), (2, &short), (3, &later)] {
            live.apply(vec![Change::Grant(Arc::new(grant.clone()))], &receipt(epoch));
        }
        live.state.write().unwrap().changes = PRUNE_EVERY;
        live.apply(vec![], &receipt(4));
        assert!(live.grant(&kept.id).is_some());
        assert!(live.grant(&short.id).is_none());
        assert!(live.grant(&later.id).is_some());
    }
}
