//! The waist itself: one type, two back ends, the same answers.

use std::path::{Path, PathBuf};

use proviso_core::account::{Account, Relationship, Session};
use proviso_core::emergency::Emergency;
use proviso_core::emergency::review::Review;
use proviso_core::id::{
    AccountId, AuditEntryId, AuthorizationRequestId, ClientId, ConsentId, EmergencyId, GrantId,
    PatientId, ResourceId, SessionId,
};
use proviso_core::label::LabelSetVersion;
use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetId, PolicySetRecord};
use proviso_core::oversight::AccessReview;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_oauth::record::{
    AuthorizationCode, AuthorizationRequest, Client, Grant, LaunchTicket, RefreshToken, SealedKey,
    TokenHash,
};
use proviso_tlog::TileId;

use crate::batch::{Batch, CommitError, Receipt};
use crate::choice::{ConsentPage, ConsentScan, Objection, StoredConsent};
use crate::error::{OpenError, ReadError};
use crate::kept::KeptRequest;
use crate::log::{AuditQuery, SharedSigner, StoredAudit, StoredCheckpoint};
use crate::model::ModelStore;
use crate::options::OpenOptions;
use crate::policy::StoredPolicySet;
use crate::record::{CandidateQuery, HistoryQuery, LabelCounts, StoredRecord};
use crate::sqlite::SqliteStore;
use crate::subscription::StoredSubscription;

/// Durable storage. Clones share it.
#[derive(Debug, Clone)]
pub enum Store {
    /// A SQLite file.
    Sqlite(SqliteStore),
    /// Everything in memory, for tests and simulations.
    Model(ModelStore),
}

/// Looks one row up on either back end: on a SQLite connection, or in the state in memory.
macro_rules! look_up {
    ($store:ident, |$db:ident| $sqlite:expr, |$state:ident| $model:expr) => {
        match $store {
            Self::Sqlite(store) => store.look_up(|$db| $sqlite).await,
            Self::Model(store) => {
                let $state = store.state();
                Ok($model)
            }
        }
    };
}

/// Reads rows on either back end: with owned copies of the named arguments on a SQLite connection,
/// or over the state in memory.
macro_rules! scan {
    ($store:ident, [$($own:ident),*], |$db:ident| $sqlite:expr, |$state:ident| $model:expr) => {
        match $store {
            Self::Sqlite(store) => {
                $(let $own = $own.to_owned();)*
                store.scan(move |$db| $sqlite).await
            }
            Self::Model(store) => {
                let $state = store.state();
                Ok($model)
            }
        }
    };
}

impl Store {
    /// Opens or makes a store in a SQLite file. The latest checkpoint of the audit log is also kept
    /// in `audit.checkpoint` beside it.
    ///
    /// # Errors
    /// When another process has it open, it was written by a newer release, or its audit log is
    /// damaged or shorter than what was acknowledged.
    pub fn open_sqlite(path: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        SqliteStore::open(path, options).map(Self::Sqlite)
    }

    /// A store in memory.
    pub fn model(options: OpenOptions) -> Self {
        Self::Model(ModelStore::new(options))
    }

    /// The place of a file that belongs to this store, in the folder of its database and under a name
    /// of its tenant's own; `None` for a store in memory.
    pub fn beside(&self, stem: &str, extension: &str) -> Option<PathBuf> {
        match self {
            Self::Sqlite(store) => Some(store.beside(stem, extension)),
            Self::Model(_) => None,
        }
    }

    /// Hands the writer the key with which it signs checkpoints from now on.
    pub fn install_signer(&self, signer: SharedSigner) {
        match self {
            Self::Sqlite(store) => store.install_signer(signer),
            Self::Model(store) => store.install_signer(signer),
        }
    }

    /// Writes a batch: all of it, durably, or nothing. When it returns `Ok`, everything is on disk
    /// and every audit entry in it is covered by a signed checkpoint.
    ///
    /// # Errors
    /// When a precondition does not hold or the storage fails; nothing counts as written then.
    pub async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        match self {
            Self::Sqlite(store) => store.commit(batch).await,
            Self::Model(store) => store.commit(batch),
        }
    }

    // -- People and sessions

    /// An account.
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, ReadError> {
        look_up!(self, |db| db.account(id), |state| state.accounts.get(id).cloned())
    }

    /// An account by what its person types, whatever the letter case.
    pub async fn account_by_username(&self, name: &str) -> Result<Option<Account>, ReadError> {
        look_up!(self, |db| db.account_by_username(name), |state| state.account_by_username(name))
    }

    /// Every account, by id.
    pub async fn accounts(&self) -> Result<Vec<Account>, ReadError> {
        scan!(self, [], |db| db.accounts(), |state| state.accounts.values().cloned().collect())
    }

    /// A session, ended ones included.
    pub async fn session(&self, id: &SessionId) -> Result<Option<Session>, ReadError> {
        look_up!(self, |db| db.session(id), |state| state.sessions.get(id).cloned())
    }

    /// A session by the hash of its secret, ended ones included.
    pub async fn session_by_secret(&self, hash: &str) -> Result<Option<Session>, ReadError> {
        look_up!(self, |db| db.session_by_secret(hash), |state| state.session_by_secret(hash))
    }

    /// Every relationship on record, whatever its period.
    pub async fn relationships(&self) -> Result<Vec<Relationship>, ReadError> {
        scan!(self, [], |db| db.relationships(), |state| state
            .relationships
            .values()
            .cloned()
            .collect())
    }

    // -- Apps, requests, grants, tokens

    /// An app.
    pub async fn client(&self, id: &ClientId) -> Result<Option<Client>, ReadError> {
        look_up!(self, |db| db.client(id), |state| state.clients.get(id).cloned())
    }

    /// Every app, by id.
    pub async fn clients(&self) -> Result<Vec<Client>, ReadError> {
        scan!(self, [], |db| db.clients(), |state| state.clients.values().cloned().collect())
    }

    /// A launch ticket, used ones included.
    pub async fn launch_ticket(&self, hash: &TokenHash) -> Result<Option<LaunchTicket>, ReadError> {
        look_up!(self, |db| db.launch_ticket(hash), |state| state.tickets.get(hash).cloned())
    }

    /// An authorization request.
    pub async fn authorization_request(
        &self,
        id: &AuthorizationRequestId,
    ) -> Result<Option<AuthorizationRequest>, ReadError> {
        look_up!(self, |db| db.authorization_request(id), |state| state.requests.get(id).cloned())
    }

    /// An authorization code, used ones included.
    pub async fn authorization_code(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<AuthorizationCode>, ReadError> {
        look_up!(self, |db| db.authorization_code(hash), |state| state.codes.get(hash).cloned())
    }

    /// A grant, ended ones included.
    pub async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, ReadError> {
        look_up!(self, |db| db.grant(id), |state| state.grants.get(id).cloned())
    }

    /// Every grant that has not been ended, by id. Those past their time are included.
    pub async fn active_grants(&self) -> Result<Vec<Grant>, ReadError> {
        scan!(self, [], |db| db.active_grants(), |state| state
            .grants(|grant| grant.ended.is_none()))
    }

    /// Every grant of an account, ended ones included, by id.
    pub async fn grants_of_account(&self, account: &AccountId) -> Result<Vec<Grant>, ReadError> {
        scan!(self, [account], |db| db.grants_of_account(&account), |state| state
            .grants(|grant| grant.account.as_ref() == Some(account)))
    }

    /// Every grant of an app, ended ones included, by id.
    pub async fn grants_of_client(&self, client: &ClientId) -> Result<Vec<Grant>, ReadError> {
        scan!(self, [client], |db| db.grants_of_client(&client), |state| state
            .grants(|grant| grant.client == *client))
    }

    /// Every grant that rests on a consent, ended ones included, by id.
    pub async fn grants_of_consent(&self, consent: &ConsentId) -> Result<Vec<Grant>, ReadError> {
        scan!(self, [consent], |db| db.grants_of_consent(&consent), |state| state
            .grants(|grant| grant.consent() == Some(consent)))
    }

    /// A refresh token, replaced ones included.
    pub async fn refresh_token(&self, hash: &TokenHash) -> Result<Option<RefreshToken>, ReadError> {
        look_up!(self, |db| db.refresh_token(hash), |state| state.refresh_tokens.get(hash).cloned())
    }

    // -- Choices

    /// The latest version of a consent.
    pub async fn consent(&self, id: &ConsentId) -> Result<Option<StoredConsent>, ReadError> {
        look_up!(self, |db| db.consent(id), |state| state.consent_versions(id).pop())
    }

    /// Every version of a consent, oldest first.
    pub async fn consent_versions(&self, id: &ConsentId) -> Result<Vec<StoredConsent>, ReadError> {
        scan!(self, [id], |db| db.consent_versions(&id), |state| state.consent_versions(id))
    }

    /// The latest version of each consent of a patient, by consent id.
    pub async fn consents_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<StoredConsent>, ReadError> {
        scan!(self, [patient], |db| db.consents_of_patient(&patient), |state| state
            .consents_latest(Some(patient)))
    }

    /// Every version of every consent of a patient, by consent id and then oldest first.
    pub async fn consent_versions_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<StoredConsent>, ReadError> {
        scan!(self, [patient], |db| db.consent_versions_of_patient(&patient), |state| state
            .consent_versions_of_patient(patient))
    }

    /// The latest version of every consent, by consent id.
    pub async fn consents(&self) -> Result<Vec<StoredConsent>, ReadError> {
        scan!(self, [], |db| db.consents(), |state| state.consents_latest(None))
    }

    /// Some consents, for whoever goes through all of them, or all that were written lately.
    pub async fn consents_from(&self, query: ConsentScan) -> Result<ConsentPage, ReadError> {
        scan!(self, [], |db| db.consents_from(&query), |state| state.consents_from(&query))
    }

    // -- Policies

    /// A set of policies with its documents.
    pub async fn policy_set(&self, id: &PolicySetId) -> Result<Option<StoredPolicySet>, ReadError> {
        scan!(self, [id], |db| db.policy_set(&id), |state| state.policy_sets.get(id).cloned())
    }

    /// Every set of policies, by id, without documents.
    pub async fn policy_sets(&self) -> Result<Vec<PolicySetRecord>, ReadError> {
        scan!(self, [], |db| db.policy_sets(), |state| {
            state.policy_sets.values().map(|set| set.record.clone()).collect()
        })
    }

    /// Which sets of policies are in force.
    pub async fn policies_in_force(&self) -> Result<PoliciesInForce, ReadError> {
        scan!(self, [], |db| db.policies_in_force(), |state| state.policies_in_force.clone())
    }

    /// Every objection, by patient.
    pub async fn objections(&self) -> Result<Vec<Objection>, ReadError> {
        scan!(self, [], |db| db.objections(), |state| state.objections.values().cloned().collect())
    }

    /// What was done for a request under a key, unless it is over at an instant.
    pub async fn kept_answer(
        &self,
        key: &[u8; 32],
        at: At,
    ) -> Result<Option<KeptRequest>, ReadError> {
        let key = *key;
        scan!(self, [], |db| db.kept_answer(&key, at), |state| state
            .kept
            .get(&key)
            .filter(|kept| kept.until > at)
            .map(|kept| kept.done.clone()))
    }

    /// Every subscription, by id.
    pub async fn subscriptions(&self) -> Result<Vec<StoredSubscription>, ReadError> {
        scan!(self, [], |db| db.subscriptions(), |state| {
            state.subscriptions.values().cloned().collect()
        })
    }

    // -- Emergencies

    /// The latest version of an emergency access.
    pub async fn emergency(&self, id: &EmergencyId) -> Result<Option<Emergency>, ReadError> {
        scan!(self, [id], |db| db.emergency(&id), |state| state.emergency(id))
    }

    /// The latest version of every emergency access, by id, which is by time.
    pub async fn emergencies(&self) -> Result<Vec<Emergency>, ReadError> {
        scan!(self, [], |db| db.emergencies(), |state| state.emergencies(|_| true))
    }

    /// The latest version of each emergency access whose own end lies after an instant, by id.
    pub async fn emergencies_after(&self, at: At) -> Result<Vec<Emergency>, ReadError> {
        scan!(self, [], |db| db.emergencies_after(at), |state| state
            .emergencies(|own| own.declaration.ends_at > at))
    }

    /// The latest version of each emergency access to a patient's records, by id.
    pub async fn emergencies_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<Emergency>, ReadError> {
        scan!(self, [patient], |db| db.emergencies_of_patient(&patient), |state| state
            .emergencies(|own| own.declaration.patient == *patient))
    }

    /// The latest version of each emergency access that an account declared, by id.
    pub async fn emergencies_of_account(
        &self,
        account: &AccountId,
    ) -> Result<Vec<Emergency>, ReadError> {
        scan!(self, [account], |db| db.emergencies_of_account(&account), |state| state
            .emergencies(|own| own.declaration.by == *account))
    }

    /// The latest version of every review, by the id of its emergency.
    pub async fn reviews(&self) -> Result<Vec<Review>, ReadError> {
        scan!(self, [], |db| db.reviews(), |state| state.reviews())
    }

    /// The reviews of accesses that somebody has to decide, by their deadlines, after a place in that
    /// order.
    pub async fn access_reviews_waiting(
        &self,
        after: Option<&(At, AuditEntryId)>,
        limit: usize,
    ) -> Result<Vec<AccessReview>, ReadError> {
        let after = after.cloned();
        scan!(self, [], |db| db.access_reviews_waiting(after.as_ref(), limit), |state| state
            .access_reviews_waiting(after.as_ref(), limit))
    }

    /// The latest version of each review of an access, newest access first, before an entry.
    pub async fn access_reviews_before(
        &self,
        before: Option<&AuditEntryId>,
        limit: usize,
    ) -> Result<Vec<AccessReview>, ReadError> {
        let before = before.cloned();
        scan!(self, [], |db| db.access_reviews_before(before.as_ref(), limit), |state| state
            .access_reviews_before(before.as_ref(), limit))
    }

    /// Every version of the review of an access, oldest first.
    pub async fn access_review_versions(
        &self,
        entry: &AuditEntryId,
    ) -> Result<Vec<AccessReview>, ReadError> {
        scan!(self, [entry], |db| db.access_review_versions(&entry), |state| state
            .access_review_versions(entry))
    }

    /// Every version of the review of an emergency, oldest first.
    pub async fn review_versions(&self, id: &EmergencyId) -> Result<Vec<Review>, ReadError> {
        scan!(self, [id], |db| db.review_versions(&id), |state| state.review_versions(id))
    }

    // -- Keys and settings

    /// Every key, retired ones included, by `kid`.
    pub async fn keys(&self) -> Result<Vec<SealedKey>, ReadError> {
        scan!(self, [], |db| db.keys(), |state| state.keys.values().cloned().collect())
    }

    /// A setting.
    pub async fn setting(&self, key: &str) -> Result<Option<String>, ReadError> {
        look_up!(self, |db| db.setting(key), |state| state.settings.get(key).cloned())
    }

    /// How many committed batches could have changed a decision.
    pub async fn epoch(&self) -> Result<u64, ReadError> {
        look_up!(self, |db| db.epoch(), |state| state.epoch)
    }

    // -- Records

    /// The sequence number of the newest version of anything; 0 when there is none.
    pub async fn latest_seq(&self) -> Result<u64, ReadError> {
        look_up!(self, |db| db.latest_seq(), |state| state.latest_seq())
    }

    /// The newest version of a record, now or as of a sequence number. A deletion is a version.
    pub async fn record(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        as_of: Option<u64>,
    ) -> Result<Option<StoredRecord>, ReadError> {
        look_up!(self, |db| db.record(resource_type, id, as_of), |state| state.record(
            resource_type,
            id,
            as_of
        ))
    }

    /// One version of a record.
    pub async fn record_version(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        version: u64,
    ) -> Result<Option<StoredRecord>, ReadError> {
        look_up!(self, |db| db.record_version(resource_type, id, version), |state| state
            .record_version(resource_type, id, version))
    }

    /// Versions, newest first.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<StoredRecord>, ReadError> {
        scan!(self, [], |db| db.history(&query), |state| state.history(&query))
    }

    /// Versions of a type, of all or of those that name a patient, after a sequence number, in its
    /// order.
    pub async fn changes(
        &self,
        resource_type: ResourceType,
        patient: Option<&PatientId>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let own = patient.cloned();
        scan!(self, [], |db| db.changes(resource_type, own.as_ref(), after, limit), |state| state
            .changes(resource_type, patient, after, limit))
    }

    /// The current, not deleted versions that fit every clause, ordered by id.
    pub async fn candidates(&self, query: CandidateQuery) -> Result<Vec<StoredRecord>, ReadError> {
        scan!(self, [], |db| db.candidates(&query), |state| state.candidates(&query))
    }

    /// Consents on file as they are now, by id, from after `after`: Consents whose ids are not of
    /// the form that the pictures of choices have.
    pub async fn consents_on_file(
        &self,
        after: Option<&ResourceId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let own = after.cloned();
        scan!(self, [], |db| db.consents_on_file(own.as_ref(), limit), |state| state
            .consents_on_file(after, limit))
    }

    /// Versions that are not labelled by a rule set, after a sequence number, in its order.
    pub async fn stale_labels(
        &self,
        set: &LabelSetVersion,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        scan!(self, [set], |db| db.stale_labels(&set, after, limit), |state| state
            .stale_labels(set, after, limit))
    }

    /// How many versions are labelled by a rule set, and how many are not.
    pub async fn label_counts(&self, set: &LabelSetVersion) -> Result<LabelCounts, ReadError> {
        scan!(self, [set], |db| db.label_counts(&set), |state| state.label_counts(set))
    }

    /// How many records there are now, deleted ones not counted.
    pub async fn count_records(&self) -> Result<u64, ReadError> {
        scan!(self, [], |db| db.count_records(), |state| state.count_records())
    }

    // -- The audit log

    /// Entries, newest first.
    pub async fn audit_page(&self, query: AuditQuery) -> Result<Vec<StoredAudit>, ReadError> {
        scan!(self, [], |db| db.audit_page(&query), |state| state.audit_page(&query))
    }

    /// The latest signed checkpoint; `None` before the first entry.
    pub async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, ReadError> {
        scan!(self, [], |db| db.checkpoint(), |state| state.checkpoint.clone())
    }

    /// The root of the log when it had so many entries; `None` when it never had.
    pub async fn log_root(&self, size: u64) -> Result<Option<[u8; 32]>, ReadError> {
        scan!(self, [], |db| db.log_root(size), |state| state.log_root(size))
    }

    /// The bytes of a tile, full or partial; `None` when the log does not reach so far.
    pub async fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, ReadError> {
        scan!(self, [], |db| db.tile(tile), |state| state.tile(tile))
    }

    /// The leaves of the log from an index on, in order, at most so many: what an entry bundle of a
    /// C2SP tlog-tiles log is made of.
    pub async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        scan!(self, [], |db| db.leaves(from, limit), |state| state.leaves(from, limit))
    }
}
