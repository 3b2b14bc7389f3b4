//! FHIR Subscriptions: what apps asked to be told of. In memory as they are in the store, where they
//! are sealed.
//!
//! A subscription gives nobody anything: it is a search that its app could make itself, made again
//! for each change, with what the grant behind it allows at that moment.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use proviso_core::id::{ClientId, ConsentId, GrantId, PatientId, ResourceId, TokenId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_oauth::record::{Grant, GrantBasis};
use proviso_store::{
    Batch, CommitError, Op, ReadError, Receipt, Store, StoredRecord, StoredSubscription,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::App;
use crate::audit::{AuditError, SealError};
use crate::caller::Caller;
use crate::envelope::{Envelope, EnvelopeError};
use crate::failure::Failure;
use crate::keys::Keys;
use crate::live::Live;
use crate::ports::Entropy;

pub use proviso_store::{Presence, SubscriptionProgress, SubscriptionStatus};

/// LIMIT: subscriptions of one grant.
pub const OF_GRANT_MAX: usize = 20;
/// LIMIT: subscriptions in all; each is about 2 KiB in memory.
pub const ALL_MAX: usize = 20_000;

/// What an app asked to be told of.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: ResourceId,
    /// Whose it is.
    pub client: ClientId,
    /// The grant that it was made with and ends with.
    pub grant: GrantId,
    /// The token that it was made with, for the log.
    pub token: TokenId,
    /// When that token ends.
    pub token_end: At,
    /// What that token could do; what the grant still allows of it counts.
    pub scope: String,
    /// The number of this version.
    pub version: u64,
    /// When this version was written.
    pub at: At,
    /// The resource as it was written, JSON.
    pub resource: String,
    /// The type whose changes it is about.
    pub kind: ResourceType,
    /// The only patient whose records its app can reach; `None` where it can be others, or where the type
    /// is about no patient.
    pub patient: Option<PatientId>,
    /// What a record must match: a query string.
    pub criteria: String,
    /// Where notifications go.
    pub endpoint: String,
    /// What they carry besides: names and values.
    pub headers: Vec<(String, String)>,
    /// Whether they carry the record.
    pub with_record: bool,
    /// What is told where it was asked for by topic.
    pub topic: Option<Topic>,
    /// From this instant on there are none.
    pub end: Option<At>,
}

/// What is asked for by topic (HL7 Subscriptions R5 Backport).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// How much of a record comes along.
    pub content: Content,
    /// After so many seconds without an event it is told that there was none.
    pub heartbeat_secs: Option<u32>,
}

impl Topic {
    /// Whether a notification says which record it is about.
    pub const fn names_the_record(&self) -> bool {
        !matches!(self.content, Content::Empty)
    }
}

/// How much of a record comes along (`backport-content-value-set`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// That there was an event.
    Empty,
    /// Which record.
    IdOnly,
    /// The record.
    FullResource,
}

/// Headers may hold secrets of the receiver, criteria name patients.
impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, client, grant, kind, .. } = self;
        f.debug_struct("Subscription")
            .field("id", id)
            .field("client", client)
            .field("grant", grant)
            .field("kind", kind)
            .finish_non_exhaustive()
    }
}

/// A version of a record that was written.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Its sequence number.
    pub seq: u64,
    /// Which record.
    pub id: ResourceId,
    /// What was written; `None` for a deletion.
    pub body: Option<Vec<u8>>,
}

/// A subscription, and how far it is.
#[derive(Debug, Clone)]
pub struct Held {
    /// What is asked for.
    pub asked: Arc<Subscription>,
    /// How far it is.
    pub progress: SubscriptionProgress,
}

/// Why the subscriptions cannot be had at the start.
#[derive(Debug, thiserror::Error)]
pub enum LoadSubscriptionsError {
    /// The store cannot be read.
    #[error("the subscriptions cannot be read")]
    Read(#[from] ReadError),
    /// One cannot be opened: another master key, or changed bytes.
    #[error("a subscription cannot be opened")]
    Seal(#[from] SealError),
}

/// Seals and opens subscriptions.
struct Seal(Envelope);

impl Seal {
    fn new(keys: &Keys) -> Result<Self, SealError> {
        let key = keys.derive(b"subscription 1").map_err(|_| SealError)?;
        Envelope::new(&key).map(Self)
    }

    fn seal(&self, own: &Subscription, entropy: &dyn Entropy) -> Result<Vec<u8>, EnvelopeError> {
        let plain = serde_json::to_vec(own).map_err(|_| SealError)?;
        self.0.seal(plain, own.id.as_str().as_bytes(), entropy)
    }

    fn open(&self, id: &ResourceId, body: &[u8]) -> Result<Subscription, SealError> {
        let plain = self.0.open(body, id.as_str().as_bytes())?;
        let own: Subscription = serde_json::from_slice(&plain).map_err(|_| SealError)?;
        if own.id == *id { Ok(own) } else { Err(SealError) }
    }
}

/// What a batch changes of them.
enum Change {
    Put(Box<Held>),
    Moved(ResourceId, SubscriptionProgress),
    Gone(ResourceId),
}

/// What a change must be of to be of interest: a type, and a patient if only one counts.
type Interest = (ResourceType, Option<PatientId>);

/// The subscriptions, and who has an interest in what.
#[derive(Default)]
struct All {
    held: BTreeMap<ResourceId, Held>,
    interests: BTreeMap<Interest, BTreeSet<ResourceId>>,
}

impl All {
    fn put(&mut self, held: Held) {
        self.take_out(&held.asked.id);
        let interest = (held.asked.kind, held.asked.patient.clone());
        self.interests.entry(interest).or_default().insert(held.asked.id.clone());
        self.held.insert(held.asked.id.clone(), held);
    }

    fn take_out(&mut self, id: &ResourceId) {
        let Some(held) = self.held.remove(id) else { return };
        let interest = (held.asked.kind, held.asked.patient.clone());
        if let Some(ids) = self.interests.get_mut(&interest) {
            ids.remove(id);
            if ids.is_empty() {
                self.interests.remove(&interest);
            }
        }
    }

    /// Who has an interest in records of a type that name these patients.
    fn interested(&self, kind: ResourceType, patients: &[PatientId]) -> Vec<ResourceId> {
        let interests = patients.iter().map(|patient| (kind, Some(patient.clone())));
        let interests = interests.chain([(kind, None)]);
        interests.filter_map(|interest| self.interests.get(&interest)).flatten().cloned().collect()
    }
}

/// All subscriptions.
pub(crate) struct Subscriptions {
    seal: Seal,
    all: RwLock<All>,
    /// Those for which there could be something to tell.
    due: Mutex<BTreeSet<ResourceId>>,
    /// Counts what could be something to tell.
    news: watch::Sender<u64>,
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").finish_non_exhaustive()
    }
}

impl Subscriptions {
    pub(crate) async fn load(
        store: &Store,
        keys: &Keys,
    ) -> Result<Arc<Self>, LoadSubscriptionsError> {
        let seal = Seal::new(keys)?;
        let mut all = All::default();
        for stored in store.subscriptions().await? {
            let asked = Arc::new(seal.open(&stored.id, &stored.body)?);
            all.put(Held { asked, progress: stored.progress });
        }
        let (news, _) = watch::channel(0);
        let due = Mutex::new(all.held.keys().cloned().collect());
        Ok(Arc::new(Self { seal, all: RwLock::new(all), due, news }))
    }

    fn changes(&self, batch: &Batch) -> Result<Vec<Change>, SealError> {
        let mut changes = Vec::new();
        for op in &batch.ops {
            if let Op::PutSubscription { subscription: own, .. } = op {
                let asked = Arc::new(self.seal.open(&own.id, &own.body)?);
                let held = Held { asked, progress: own.progress.clone() };
                changes.push(Change::Put(Box::new(held)));
            } else if let Op::PutSubscriptionProgress { id, progress } = op {
                changes.push(Change::Moved(id.clone(), progress.clone()));
            } else if let Op::DeleteSubscription { id } = op {
                changes.push(Change::Gone(id.clone()));
            }
        }
        Ok(changes)
    }

    fn apply(&self, changes: Vec<Change>) {
        // A poisoned lock stays poisoned, and every read of it finds nothing: nobody is told.
        let Ok(mut all) = self.all.write() else { return };
        for change in changes {
            match change {
                Change::Put(held) => all.put(*held),
                Change::Moved(id, progress) => {
                    // What was under way for a version does not touch the next one.
                    if let Some(held) = all.held.get_mut(&id)
                        && held.progress.version == progress.version
                    {
                        held.progress = progress;
                    }
                }
                Change::Gone(id) => all.take_out(&id),
            }
        }
    }

    /// Notes for whom there could be something to tell.
    fn wake(&self, ids: impl IntoIterator<Item = ResourceId>) {
        // What is noted is a hint; a lock that was poisoned holds as much of it as before.
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let before = due.len();
        due.extend(ids);
        let more = due.len() > before;
        drop(due);
        if !more {
            return;
        }
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn read<T>(&self, get: impl FnOnce(&All) -> T) -> Option<T> {
        self.all.read().ok().map(|all| get(&all))
    }

    /// Who has an interest in what a batch writes.
    fn interested(&self, batch: &Batch) -> BTreeSet<ResourceId> {
        let of = |all: &All| {
            let mut ids = BTreeSet::new();
            for op in &batch.ops {
                if let Op::PutRecord { record, .. } = op {
                    ids.extend(all.interested(record.resource_type, &record.patients));
                }
            }
            ids
        };
        self.read(of).unwrap_or_default()
    }

    /// Commits a batch and applies what it changes here; whoever waits for news hears of it.
    ///
    /// As in [`Live::commit`], a caller that goes away in between must not leave one on disk that is
    /// still told of here, so both steps run in a task of their own where there are any.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        live: &Arc<Live>,
        store: &Store,
        batch: Batch,
    ) -> Result<Receipt, AuditError> {
        let mut due = self.interested(&batch);
        let changes = self.changes(&batch)?;
        if changes.is_empty() {
            let receipt = live.commit(store, batch).await?;
            self.wake(due);
            return Ok(receipt);
        }
        for change in &changes {
            if let Change::Put(held) = change {
                due.insert(held.asked.id.clone());
            }
        }
        let (own, live, store) = (Arc::clone(self), Arc::clone(live), store.clone());
        let task = tokio::spawn(async move {
            let receipt = live.commit(&store, batch).await?;
            own.apply(changes);
            own.wake(due);
            Ok::<_, CommitError>(receipt)
        });
        // The task fails only when the runtime is being shut down.
        Ok(task.await.unwrap_or(Err(CommitError::Closed))?)
    }
}

impl App {
    /// The subscriptions for which there could be something to tell since this was asked last.
    pub fn take_due_subscriptions(&self) -> BTreeSet<ResourceId> {
        let mut due = self.subscriptions.due.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::take(&mut *due)
    }

    /// Hears of everything that could be something to tell; the number itself means nothing.
    pub fn subscription_news(&self) -> watch::Receiver<u64> {
        self.subscriptions.news.subscribe()
    }

    /// One subscription.
    pub fn subscription(&self, id: &ResourceId) -> Option<Held> {
        self.subscriptions.read(|all| all.held.get(id).cloned()).flatten()
    }

    /// All subscriptions, by id.
    pub fn subscriptions(&self) -> Vec<Held> {
        self.subscriptions.read(|all| all.held.values().cloned().collect()).unwrap_or_default()
    }

    /// The subscriptions of a grant, by id.
    pub fn subscriptions_of(&self, grant: &GrantId) -> Vec<Held> {
        let of = |all: &All| {
            all.held.values().filter(|held| held.asked.grant == *grant).cloned().collect()
        };
        self.subscriptions.read(of).unwrap_or_default()
    }

    /// Whether somebody is told at once of new records by what a patient chose.
    pub fn tells_by(&self, consent: &ConsentId) -> bool {
        self.subscriptions().iter().any(|held| {
            let goes_on = matches!(
                held.progress.status,
                SubscriptionStatus::Active | SubscriptionStatus::Requested
            );
            let grant = self.live.grant(&held.asked.grant).filter(|_| goes_on);
            grant.is_some_and(|grant| grant.consent() == Some(consent))
        })
    }

    /// The operation that makes a subscription or replaces it.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn put_subscription(
        &self,
        own: &Subscription,
        progress: SubscriptionProgress,
        expect: Presence,
    ) -> Result<Op, AuditError> {
        let body = self.subscriptions.seal.seal(own, &*self.entropy)?;
        let (id, grant) = (own.id.clone(), own.grant.clone());
        let subscription = StoredSubscription { id, grant, body, progress };
        Ok(Op::PutSubscription { subscription, expect })
    }

    /// Notes that everything up to a place was looked at and nothing of it was to be told. It is
    /// written with what is told next: after a restart it is looked at again.
    pub fn pass_over(&self, id: &ResourceId, reached: u64) {
        if let Ok(mut all) = self.subscriptions.all.write()
            && let Some(held) = all.held.get_mut(id)
        {
            held.progress.reached = held.progress.reached.max(reached);
        }
    }

    /// Holds in memory how far a subscription is, where it cannot be written: what was told is not told
    /// again before the next start, and a wait is kept.
    pub fn hold_progress(&self, id: &ResourceId, progress: SubscriptionProgress) {
        self.subscriptions.apply(vec![Change::Moved(id.clone(), progress)]);
    }

    /// Notes how far a subscription is. It changes nothing that anybody may see, so the log does not
    /// hear of it.
    ///
    /// # Errors
    /// When it cannot be written, or there is no such subscription any more.
    pub async fn move_subscription(
        &self,
        id: &ResourceId,
        progress: SubscriptionProgress,
    ) -> Result<(), AuditError> {
        let op = Op::PutSubscriptionProgress { id: id.clone(), progress };
        let batch = Batch::new().with(op);
        self.subscriptions.commit(&self.live, &self.store, batch).await.map(drop)
    }

    /// Forgets a subscription whose grant has ended; the end of the grant is in the log.
    ///
    /// # Errors
    /// As [`App::move_subscription`].
    pub async fn forget_subscription(&self, id: &ResourceId) -> Result<(), AuditError> {
        let batch = Batch::new().with(Op::DeleteSubscription { id: id.clone() });
        self.subscriptions.commit(&self.live, &self.store, batch).await.map(drop)
    }

    /// Versions that a subscription could be about, after a sequence number, in the order in which they
    /// were written.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn changes(
        &self,
        own: &Subscription,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Changed>, ReadError> {
        let found = self.store.changes(own.kind, own.patient.as_ref(), after, limit).await?;
        let changed = |StoredRecord { seq, id, body, .. }| Changed { seq, id, body };
        Ok(found.into_iter().map(changed).collect())
    }

    /// The grant behind a subscription, if it and what it rests on are alive.
    fn grant_behind(&self, own: &Subscription, at: At) -> Option<Arc<Grant>> {
        let grant = self.live.grant(&own.grant);
        let grant = grant.filter(|grant| grant.client == own.client && grant.is_live(at))?;
        self.check_basis(&grant, at).is_ok().then_some(grant)
    }

    /// Whether a subscription has ended with the grant that it was made with.
    pub fn has_ended(&self, own: &Subscription, at: At) -> bool {
        self.grant_behind(own, at).is_none()
    }

    /// Who is told by a subscription: the app with what its grant allows at this instant; `None` when
    /// it may not go on.
    ///
    /// TRUST: an app that may not act while the person is away is told for as long as its token would
    /// let it ask, and afterwards only if it could renew that token.
    ///
    /// # Errors
    /// When that cannot be known.
    pub async fn told_by(&self, own: &Subscription, at: At) -> Result<Option<Caller>, Failure> {
        let Some(grant) = self.grant_behind(own, at) else { return Ok(None) };
        let lasts = at < own.token_end || grant.basis == GrantBasis::PreAuthorized;
        if !lasts && !self.renewal_holds(&grant, at).await? {
            return Ok(None);
        }
        Ok(Caller::of_grant(&self.live, &grant, &own.scope, own.token.clone()))
    }
}
