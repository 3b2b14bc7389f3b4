//! Durable storage behind one narrow waist: typed batches in, owned values out.
//!
//! This is the only crate with SQL. It knows how rows become values and in what order things become
//! durable; it knows nothing of what they mean, who may see them, or how bodies are encrypted.

pub mod batch;
pub mod choice;
pub mod error;
pub mod kept;
pub mod log;
mod model;
pub mod options;
pub mod policy;
pub mod record;
mod sqlite;
mod store;
pub mod subscription;

pub use batch::{Batch, CommitError, ExpectSetting, Op, Precondition, Presence, Receipt};
pub use choice::{ConsentPage, ConsentScan, Objection, ScanPlace, StoredConsent};
pub use error::{Inconsistency, OpenError, ReadError};
pub use kept::{KeptAnswer, KeptChange, KeptKind, KeptRequest};
pub use log::{
    AuditQuery, CheckpointSigner, SealedAudit, SharedSigner, SignerError, StoredAudit,
    StoredCheckpoint, SubjectKey,
};
pub use model::ModelStore;
pub use options::{Faults, OpenOptions};
pub use policy::StoredPolicySet;
pub use record::{
    CandidateQuery, Clause, Expect, FoundLabels, HistoryQuery, LabelCounts, RangeKey, RecordLabels,
    RecordMethod, RecordVersion, StoredRecord,
};
pub use sqlite::{
    AuditLogReader, RawAuditEntry, RawCheckpoint, SchemaHealth, SqliteStore, StoreHealth,
    store_health, stored_label_counts,
};
pub use store::Store;
pub use subscription::{StoredSubscription, SubscriptionProgress, SubscriptionStatus};
