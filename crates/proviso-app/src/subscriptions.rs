//! FHIR Subscriptions: what apps asked to be told of. In memory as they are in the store, where they
//! are sealed.
//!
//! A subscription gives nobody anything: it is a search that its app could make itself, made again
//! for each change, with what the grant behind it allows at that moment.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use proviso_core::account::ActorKind;
use proviso_core::id::{ClientId, ConsentId, GrantId, ResourceId, TokenId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_oauth::record::GrantBasis;
use proviso_store::{
    Batch, CommitError, Op, ReadError, Receipt, Store, StoredRecord, StoredSubscription,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::App;
use crate::audit::{AuditError, SealError};
use crate::bearer::scopes_now;
use crate::caller::Caller;
use crate::failure::Failure;
use crate::keys::Keys;
use crate::live::Live;

pub use proviso_store::{Presence, SubscriptionProgress, SubscriptionStatus};

/// LIMIT: subscriptions of one grant.
pub const OF_GRANT_MAX: usize = 20;
/// LIMIT: subscriptions in all: each looks at every change of its type.
pub const ALL_MAX: usize = 1000;
/// The first byte of a sealed body: version 1, AES-256-GCM, then 12 bytes of nonce.
const BODY_VERSION: u8 = 1;

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
struct Seal(LessSafeKey);

impl Seal {
    fn new(keys: &Keys) -> Result<Self, SealError> {
        let key = keys.derive(b"subscription 1").map_err(|_| SealError)?;
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(|_| SealError)?)))
    }

    fn seal(&self, own: &Subscription, nonce: [u8; NONCE_LEN]) -> Result<Vec<u8>, SealError> {
        let mut sealed = serde_json::to_vec(own).map_err(|_| SealError)?;
        let bound_to = Aad::from(own.id.as_str().as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound_to, &mut sealed)
            .map_err(|_| SealError)?;
        Ok([&[BODY_VERSION], nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, id: &ResourceId, body: &[u8]) -> Result<Subscription, SealError> {
        let (version, rest) = body.split_first().ok_or(SealError)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        if *version != BODY_VERSION {
            return Err(SealError);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut sealed = sealed.to_vec();
        let bound_to = Aad::from(id.as_str().as_bytes());
        let plain = self.0.open_in_place(nonce, bound_to, &mut sealed).map_err(|_| SealError)?;
        let own: Subscription = serde_json::from_slice(plain).map_err(|_| SealError)?;
        if own.id == *id { Ok(own) } else { Err(SealError) }
    }
}

/// What a batch changes of them.
enum Change {
    Put(ResourceId, Box<Held>),
    Moved(ResourceId, SubscriptionProgress),
    Gone(ResourceId),
}

/// All subscriptions.
pub(crate) struct Subscriptions {
    seal: Seal,
    all: RwLock<BTreeMap<ResourceId, Held>>,
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
        let mut all = BTreeMap::new();
        for stored in store.subscriptions().await? {
            let asked = Arc::new(seal.open(&stored.id, &stored.body)?);
            all.insert(stored.id, Held { asked, progress: stored.progress });
        }
        let (news, _) = watch::channel(0);
        Ok(Arc::new(Self { seal, all: RwLock::new(all), news }))
    }

    fn changes(&self, batch: &Batch) -> Result<Vec<Change>, SealError> {
        let mut changes = Vec::new();
        for op in &batch.ops {
            if let Op::PutSubscription { subscription: own, .. } = op {
                let asked = Arc::new(self.seal.open(&own.id, &own.body)?);
                let held = Held { asked, progress: own.progress.clone() };
                changes.push(Change::Put(own.id.clone(), Box::new(held)));
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
                Change::Put(id, held) => {
                    all.insert(id, *held);
                }
                Change::Moved(id, progress) => {
                    if let Some(held) = all.get_mut(&id) {
                        held.progress = progress;
                    }
                }
                Change::Gone(id) => {
                    all.remove(&id);
                }
            }
        }
    }

    fn wake(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn read<T>(&self, get: impl FnOnce(&BTreeMap<ResourceId, Held>) -> T) -> Option<T> {
        self.all.read().ok().map(|all| get(&all))
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
        let has_news = batch.ops.iter().any(|op| matches!(op, Op::PutRecord { .. }));
        let changes = self.changes(&batch)?;
        if changes.is_empty() {
            let receipt = live.commit(store, batch).await?;
            if has_news {
                self.wake();
            }
            return Ok(receipt);
        }
        let has_news = has_news || changes.iter().any(|own| matches!(own, Change::Put(..)));
        let (own, live, store) = (Arc::clone(self), Arc::clone(live), store.clone());
        let task = tokio::spawn(async move {
            let receipt = live.commit(&store, batch).await?;
            own.apply(changes);
            if has_news {
                own.wake();
            }
            Ok::<_, CommitError>(receipt)
        });
        // The task fails only when the runtime is being shut down.
        Ok(task.await.unwrap_or(Err(CommitError::Closed))?)
    }
}

impl App {
    /// Hears of everything that could be something to tell; the number itself means nothing.
    pub fn subscription_news(&self) -> watch::Receiver<u64> {
        self.subscriptions.news.subscribe()
    }

    /// One subscription.
    pub fn subscription(&self, id: &ResourceId) -> Option<Held> {
        self.subscriptions.read(|all| all.get(id).cloned()).flatten()
    }

    /// All subscriptions, by id.
    pub fn subscriptions(&self) -> Vec<Held> {
        self.subscriptions.read(|all| all.values().cloned().collect()).unwrap_or_default()
    }

    /// The subscriptions of a grant, by id.
    pub fn subscriptions_of(&self, grant: &GrantId) -> Vec<Held> {
        let of = |all: &BTreeMap<ResourceId, Held>| {
            all.values().filter(|held| held.asked.grant == *grant).cloned().collect()
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
        let mut nonce = [0_u8; NONCE_LEN];
        self.entropy.fill(&mut nonce)?;
        let body = self.subscriptions.seal.seal(own, nonce)?;
        let (id, grant) = (own.id.clone(), own.grant.clone());
        let subscription = StoredSubscription { id, grant, body, progress };
        Ok(Op::PutSubscription { subscription, expect })
    }

    /// Notes that everything up to a place was looked at and nothing of it was to be told. It is
    /// written with what is told next: after a restart it is looked at again.
    pub fn pass_over(&self, id: &ResourceId, reached: u64) {
        if let Ok(mut all) = self.subscriptions.all.write()
            && let Some(held) = all.get_mut(id)
        {
            held.progress.reached = held.progress.reached.max(reached);
        }
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

    /// Versions of a type after a sequence number, in the order in which they were written.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn changes(
        &self,
        kind: ResourceType,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Changed>, ReadError> {
        let found = self.store.changes(kind, after, limit).await?;
        let changed = |StoredRecord { seq, id, body, .. }| Changed { seq, id, body };
        Ok(found.into_iter().map(changed).collect())
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
        let grant = self.live.grant(&own.grant);
        let Some(grant) = grant.filter(|grant| grant.client == own.client && grant.is_live(at))
        else {
            return Ok(None);
        };
        if self.check_basis(&grant, at).is_err() {
            return Ok(None);
        }
        let lasts = at < own.token_end || grant.basis == GrantBasis::PreAuthorized;
        if !lasts && !self.renewal_holds(&grant, at).await? {
            return Ok(None);
        }
        let kind = match &grant.account {
            None => ActorKind::System,
            Some(id) => match self.live.account(id) {
                Some(account) => account.kind,
                None => return Ok(None),
            },
        };
        Ok(Some(Caller {
            client: grant.client.clone(),
            account: grant.account.clone(),
            kind,
            token: own.token.clone(),
            scopes: scopes_now(&self.live, &own.scope, &grant).into_vec(),
            patient: grant.context.patient.clone(),
            consent: grant.consent().cloned(),
            purpose: grant.purpose,
            fhir_user: grant.fhir_user.clone(),
            network: None,
            expires_at: grant.expires_at.unwrap_or(At::from_micros(i64::MAX)),
            token_secs: i64::MAX,
            grant: grant.id.clone(),
        }))
    }
}
