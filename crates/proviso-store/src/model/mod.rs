//! The store in memory: plain maps, no cleverness. It is the oracle that SQLite is compared with,
//! and what unit tests of other crates run on.

pub(crate) mod access_reviews;
mod apply;
pub(crate) mod emergencies;
pub(crate) mod policies;
mod read;
mod records;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use proviso_core::account::{Account, Relationship, RelationshipKind, Session};
use proviso_core::emergency::Emergency;
use proviso_core::emergency::review::Review;
use proviso_core::id::{
    AccountId, AuditEntryId, AuthorizationRequestId, ClientId, ConsentId, ConsentVersionId,
    EmergencyId, GrantId, PatientId, ResourceId, SessionId,
};
use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetId};
use proviso_core::oversight::AccessReview;
use proviso_core::resource_type::ResourceType;
use proviso_oauth::record::{
    AuthorizationCode, AuthorizationRequest, Client, Grant, LaunchTicket, RefreshToken, SealedKey,
    TokenHash, UsedAssertion,
};
use proviso_tlog::{Hash, Tree};

use crate::batch::{Batch, CommitError, Op, Receipt};
use crate::choice::{Objection, StoredConsent};
use crate::kept::KeptAnswer;
use crate::log::{SharedSigner, StoredAudit, StoredCheckpoint};
use crate::options::OpenOptions;
use crate::policy::StoredPolicySet;
use crate::record::RecordVersion;
use crate::subscription::StoredSubscription;

/// A record version and the sequence number at which it stopped being the current one.
#[derive(Debug, Clone)]
pub(crate) struct ModelRecord {
    pub(crate) version: RecordVersion,
    pub(crate) to: u64,
}

/// Everything that is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) clients: BTreeMap<ClientId, Client>,
    pub(crate) tickets: BTreeMap<TokenHash, LaunchTicket>,
    pub(crate) requests: BTreeMap<AuthorizationRequestId, AuthorizationRequest>,
    pub(crate) codes: BTreeMap<TokenHash, AuthorizationCode>,
    pub(crate) assertions: BTreeMap<(ClientId, String), UsedAssertion>,
    pub(crate) grants: BTreeMap<GrantId, Grant>,
    pub(crate) refresh_tokens: BTreeMap<TokenHash, RefreshToken>,
    pub(crate) consents: BTreeMap<ConsentId, Vec<Arc<StoredConsent>>>,
    /// The epoch of the batch that wrote each version.
    pub(crate) consent_epochs: BTreeMap<ConsentVersionId, u64>,
    pub(crate) relationships: BTreeMap<(AccountId, PatientId, RelationshipKind), Relationship>,
    pub(crate) objections: BTreeMap<PatientId, Objection>,
    pub(crate) policy_sets: BTreeMap<PolicySetId, StoredPolicySet>,
    pub(crate) policies_in_force: PoliciesInForce,
    pub(crate) emergencies: BTreeMap<EmergencyId, Vec<Emergency>>,
    pub(crate) reviews: BTreeMap<EmergencyId, Vec<Review>>,
    pub(crate) kept: BTreeMap<[u8; 32], KeptAnswer>,
    pub(crate) subscriptions: BTreeMap<ResourceId, StoredSubscription>,
    pub(crate) access_reviews: BTreeMap<AuditEntryId, Vec<AccessReview>>,
    pub(crate) keys: BTreeMap<String, SealedKey>,
    pub(crate) settings: BTreeMap<String, String>,
    /// All record versions; the one with sequence number `n` is at `n - 1`.
    pub(crate) records: Vec<Arc<ModelRecord>>,
    /// The sequence numbers of the versions of each record, oldest first.
    pub(crate) versions: BTreeMap<(ResourceType, ResourceId), Vec<u64>>,
    pub(crate) log: Vec<Arc<StoredAudit>>,
    pub(crate) tree: Tree,
    pub(crate) tiles: BTreeMap<(u8, u64), Vec<Hash>>,
    pub(crate) checkpoint: Option<StoredCheckpoint>,
    pub(crate) epoch: u64,
}

/// The store in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct ModelStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: RwLock<Arc<State>>,
    writer: Mutex<()>,
    signer: RwLock<Option<SharedSigner>>,
    options: OpenOptions,
}

impl ModelStore {
    pub(crate) fn new(options: OpenOptions) -> Self {
        Self(Arc::new(Shared {
            state: RwLock::default(),
            writer: Mutex::new(()),
            signer: RwLock::new(options.signer.clone()),
            options,
        }))
    }

    pub(crate) fn install_signer(&self, signer: SharedSigner) {
        *self.0.signer.write().unwrap_or_else(PoisonError::into_inner) = Some(signer);
    }

    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        let _only_writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let signer = self.0.signer.read().unwrap_or_else(PoisonError::into_inner).clone();
        let appends = batch.ops.iter().any(|op| matches!(op, Op::AppendAudit(_)));
        let alters = batch.ops.iter().any(Op::alters_decisions);
        if appends && signer.is_none() {
            return Err(CommitError::NoSigner);
        }
        // The batch works on a copy that takes the place of the state only when all went well.
        let mut next = State::clone(&self.state());
        let mut receipt = Receipt::default();
        for (op, operation) in batch.ops.into_iter().enumerate() {
            next.apply(operation, &mut receipt)
                .map_err(|which| CommitError::Precondition { op, which })?;
        }
        next.epoch += u64::from(alters);
        receipt.epoch = next.epoch;
        if let Some(signer) = signer.filter(|_| appends) {
            next.sign(&signer)?;
        }
        if self.0.options.faults.commits_fail() {
            return Err(CommitError::Storage("a test made this commit fail".to_owned()));
        }
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(receipt)
    }
}

impl State {
    fn sign(&mut self, signer: &SharedSigner) -> Result<(), CommitError> {
        let (size, root) = (self.tree.size(), self.tree.root());
        let note = signer.sign(size, &root).map_err(|why| CommitError::Storage(why.to_string()))?;
        for (tile, hashes) in self.tree.partials() {
            self.tiles.insert((tile.level, tile.index), hashes.to_vec());
        }
        self.checkpoint = Some(StoredCheckpoint { size, root, note });
        Ok(())
    }
}
