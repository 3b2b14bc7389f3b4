//! Everything that can be written: typed operations with their preconditions, in atomic batches.

use proviso_core::account::{Account, Relationship, Session};
use proviso_core::consent::ConsentVersion;
use proviso_core::emergency::Emergency;
use proviso_core::emergency::review::Review;
use proviso_core::id::{AccountId, ConsentId, ConsentVersionId, GrantId, ResourceId, SessionId};
use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetRecord};
use proviso_core::oversight::AccessReview;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_oauth::record::{
    AuthorizationCode, AuthorizationRequest, Client, Grant, GrantEnd, LaunchTicket, RefreshToken,
    SealedKey, TokenHash, UsedAssertion,
};

use crate::choice::Objection;
use crate::error::Inconsistency;
use crate::kept::KeptAnswer;
use crate::log::SealedAudit;
use crate::policy::StoredPolicySet;
use crate::record::{Expect, RecordLabels, RecordVersion};
use crate::subscription::{StoredSubscription, SubscriptionProgress};

/// Whether a row must be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It must not.
    Absent,
    /// It must.
    Present,
    /// Either will do.
    Any,
}

/// What a setting must hold before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectSetting {
    /// Nothing.
    Absent,
    /// Exactly this.
    Is(String),
    /// Anything or nothing.
    Any,
}

/// One operation. Its preconditions are checked inside the transaction that writes it, against
/// everything that earlier operations of the same batch have done.
#[derive(Debug, Clone)]
pub enum Op {
    /// Saves an account as a whole. Usernames are unique whatever their letter case.
    PutAccount {
        /// The account.
        account: Account,
        /// Whether it must exist.
        expect: Presence,
    },
    /// Starts a session; neither its id nor its secret may exist.
    PutSession(Session),
    /// Notes that a session was used; it must not have ended. Time never runs backwards here.
    TouchSession {
        /// Which.
        id: SessionId,
        /// When.
        at: At,
    },
    /// Ends a session; it must not have ended before.
    EndSession {
        /// Which.
        id: SessionId,
        /// When.
        at: At,
    },
    /// Ends every session of an account that has not ended yet.
    EndSessionsOfAccount {
        /// Whose.
        account: AccountId,
        /// When.
        at: At,
    },
    /// Saves an app as a whole.
    PutClient {
        /// The app.
        client: Client,
        /// Whether it must exist.
        expect: Presence,
    },
    /// Saves a launch ticket; its hash must be new.
    PutLaunchTicket(LaunchTicket),
    /// Takes a launch ticket: it must exist, be unused and not have ended.
    ConsumeLaunchTicket {
        /// Which.
        hash: TokenHash,
        /// When.
        at: At,
    },
    /// Saves an authorization request: a new one when `expect` is `None`, else one whose stored
    /// revision is `expect`.
    PutAuthorizationRequest {
        /// The request, with its new revision.
        request: AuthorizationRequest,
        /// The revision it had when it was read.
        expect: Option<u32>,
    },
    /// Saves an authorization code; its hash must be new.
    PutAuthorizationCode(AuthorizationCode),
    /// Takes a code: it must exist, be unused, not have ended, and its grant must be active.
    ConsumeAuthorizationCode {
        /// Which.
        hash: TokenHash,
        /// When.
        at: At,
    },
    /// Notes an assertion `jti`; the pair of issuer and `jti` must be new.
    UseAssertion(UsedAssertion),
    /// Saves a new grant.
    PutGrant(Grant),
    /// Replaces a grant that has not ended (narrowing). It cannot be used to end one.
    AmendGrant(Grant),
    /// Ends a grant; it must not have ended before.
    EndGrant {
        /// Which.
        id: GrantId,
        /// When and why.
        end: GrantEnd,
    },
    /// Ends every grant of a consent that has not ended yet; there may be none.
    EndGrantsOfConsent {
        /// Which consent.
        consent: ConsentId,
        /// When and why.
        end: GrantEnd,
    },
    /// Saves a refresh token; its hash must be new and its grant active.
    PutRefreshToken(RefreshToken),
    /// Replaces a refresh token: the current one must exist, must not have been replaced or have
    /// ended, and its grant must be active.
    RotateRefreshToken {
        /// The token presented.
        current: TokenHash,
        /// Its successor, of the same grant.
        next: RefreshToken,
        /// When.
        at: At,
    },
    /// Appends a version to a consent. Versions are never changed or removed.
    PutConsentVersion {
        /// The content hash.
        id: ConsentVersionId,
        /// The version; its number is one more than that of its predecessor.
        version: ConsentVersion,
        /// The latest version now: `None` for the first.
        expect: Option<ConsentVersionId>,
    },
    /// Saves a relationship, by account, patient and kind.
    PutRelationship(Relationship),
    /// Saves an objection, by patient.
    PutObjection(Objection),
    /// Saves a new set of policies, waiting for another person; its name must be new.
    ProposePolicySet(StoredPolicySet),
    /// Approves or rejects a set that waits: everything but the stage must be as it is stored, and
    /// the one who decides another than the one who proposed.
    DecidePolicySet(PolicySetRecord),
    /// Says which sets are in force; each must be there and approved.
    PutPoliciesInForce {
        /// Which.
        now: PoliciesInForce,
        /// What must be in force before.
        expect: PoliciesInForce,
    },
    /// Appends a version of an emergency access: its declaration, or its early end. Versions are
    /// never changed or removed.
    PutEmergencyVersion(Emergency),
    /// Appends a version of a review, of an emergency that is there: its opening, or a verdict by
    /// another person than the one who declared it. Versions are never changed or removed.
    PutReviewVersion(Review),
    /// Appends a version of the review of an access: its opening, or a verdict by another person
    /// than the one whose access it was. Versions are never changed or removed.
    PutAccessReviewVersion(AccessReview),
    /// Saves a new key.
    PutKey(SealedKey),
    /// Stops a key from signing; it must exist and not be retired.
    RetireKey {
        /// Its `kid`.
        id: String,
        /// When.
        at: At,
        /// Until when its public half stays published.
        publish_until: Option<At>,
    },
    /// Saves a setting.
    PutSetting {
        /// Its name.
        key: String,
        /// Its value.
        value: String,
        /// What must be there now.
        expect: ExpectSetting,
    },
    /// Adds a version of a FHIR resource.
    PutRecord {
        /// The version, its number one more than that of the newest one.
        record: RecordVersion,
        /// What must be there now.
        expect: Expect,
    },
    /// Replaces what a version was labelled; the version must exist and be no deletion.
    PutLabels {
        /// Its sequence number.
        seq: u64,
        /// What it is labelled from now on.
        labels: RecordLabels,
    },
    /// Appends a sealed entry to the audit log.
    AppendAudit(SealedAudit),
    /// Keeps what was done for a request under a key of its own; the key must be new, or what is kept
    /// under it be over.
    KeepAnswer(KeptAnswer),
    /// Makes a subscription or replaces it.
    PutSubscription {
        /// The subscription.
        subscription: StoredSubscription,
        /// Whether it must be there.
        expect: Presence,
    },
    /// Notes how far a subscription is, which must be there, in the version that this is about.
    PutSubscriptionProgress {
        /// Which one.
        id: ResourceId,
        /// How far.
        progress: SubscriptionProgress,
    },
    /// Ends a subscription, which must be there.
    DeleteSubscription {
        /// Which one.
        id: ResourceId,
    },
    /// Forgets sessions, launch tickets, requests, codes of ended grants, assertions and kept answers
    /// that ended before an instant. Nothing that could still be used or must be noticed is touched.
    PurgeExpired {
        /// The instant.
        before: At,
    },
}

impl Op {
    /// Whether the operation can change what some request is answered (design §8: epochs).
    pub(crate) fn alters_decisions(&self) -> bool {
        match self {
            // A consent on file has a say in every decision about its patient.
            Self::PutRecord { record, .. } => record.resource_type == ResourceType::CONSENT,
            Self::PutAccount { .. }
            | Self::PutClient { .. }
            | Self::PutGrant(_)
            | Self::AmendGrant(_)
            | Self::EndGrant { .. }
            | Self::EndGrantsOfConsent { .. }
            | Self::PutConsentVersion { .. }
            | Self::PutRelationship(_)
            | Self::PutObjection(_)
            | Self::PutPoliciesInForce { .. }
            | Self::PutEmergencyVersion(_)
            | Self::PutSetting { .. }
            | Self::PutLabels { .. } => true,
            Self::PutSession(_)
            | Self::TouchSession { .. }
            | Self::EndSession { .. }
            | Self::EndSessionsOfAccount { .. }
            | Self::PutLaunchTicket(_)
            | Self::ConsumeLaunchTicket { .. }
            | Self::PutAuthorizationRequest { .. }
            | Self::PutAuthorizationCode(_)
            | Self::ConsumeAuthorizationCode { .. }
            | Self::UseAssertion(_)
            | Self::PutRefreshToken(_)
            | Self::RotateRefreshToken { .. }
            | Self::ProposePolicySet(_)
            | Self::DecidePolicySet(_)
            | Self::PutReviewVersion(_)
            | Self::PutAccessReviewVersion(_)
            | Self::PutKey(_)
            | Self::RetireKey { .. }
            | Self::AppendAudit(_)
            | Self::KeepAnswer(_)
            | Self::PutSubscription { .. }
            | Self::PutSubscriptionProgress { .. }
            | Self::DeleteSubscription { .. }
            | Self::PurgeExpired { .. } => false,
        }
    }
}

/// Operations that are written together or not at all, in order.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The operations.
    pub ops: Vec<Op>,
}

impl Batch {
    /// A batch that does nothing yet.
    pub const fn new() -> Self {
        Self { ops: Vec::new() }
    }

    /// This batch with one more operation at its end.
    #[must_use]
    pub fn with(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// Adds an operation at the end.
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }
}

impl From<Vec<Op>> for Batch {
    fn from(ops: Vec<Op>) -> Self {
        Self { ops }
    }
}

/// What a durable commit gave out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// The sequence number of each [`Op::PutRecord`], in order.
    pub record_seqs: Vec<u64>,
    /// The log index of each [`Op::AppendAudit`], in order.
    pub audit_indexes: Vec<u64>,
    /// The grants that [`Op::EndGrantsOfConsent`] ended.
    pub ended_grants: Vec<GrantId>,
    /// The epoch after this batch.
    pub epoch: u64,
}

/// Which precondition of an operation did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Precondition {
    /// Something with this key exists already.
    #[error("exists already")]
    Exists,
    /// Nothing with this key exists.
    #[error("does not exist")]
    Missing,
    /// The username belongs to another account.
    #[error("the username is taken")]
    UsernameTaken,
    /// It was changed since it was read.
    #[error("was changed since it was read")]
    Changed,
    /// It ended, by itself or by someone.
    #[error("has ended")]
    Ended,
    /// It works once and was used.
    #[error("was used before")]
    AlreadyConsumed,
    /// The grant behind it has ended or does not exist.
    #[error("its grant has ended")]
    GrantEnded,
    /// The newest version is not the expected one.
    #[error("the newest version is another one")]
    VersionConflict {
        /// The number of the newest version, if there is one.
        current: Option<u64>,
    },
    /// What was handed in contradicts itself, such as a successor of another grant.
    #[error("contradicts itself")]
    Contradiction,
}

/// Why a batch was not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold; nothing of the batch was written.
    #[error("operation {op}: {which}")]
    Precondition {
        /// The position of the operation in the batch.
        op: usize,
        /// What did not hold.
        which: Precondition,
    },
    /// The batch has an audit entry, but nobody can sign the checkpoint that must cover it.
    #[error("the audit log cannot be signed")]
    NoSigner,
    /// A stored row cannot be read as what it must be.
    #[error("stored data is inconsistent")]
    Inconsistent(#[from] Inconsistency),
    /// A value cannot be written in its stored form.
    #[error("a value cannot be encoded")]
    Encode(String),
    /// The storage failed or is full. The caller must release nothing.
    #[error("the storage failed: {0}")]
    Storage(String),
    /// The writer has stopped.
    #[error("the storage is closed")]
    Closed,
}

impl CommitError {
    /// The precondition that did not hold, if it was one.
    pub const fn precondition(&self) -> Option<&Precondition> {
        match self {
            Self::Precondition { which, .. } => Some(which),
            Self::NoSigner
            | Self::Inconsistent(_)
            | Self::Encode(_)
            | Self::Storage(_)
            | Self::Closed => None,
        }
    }
}
