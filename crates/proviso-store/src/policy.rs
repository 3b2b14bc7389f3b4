//! Sets of policies, as they are stored.

use proviso_core::org::lifecycle::PolicySetRecord;

/// A set of policies and its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicySet {
    /// Its name, who proposed it and how far it has come.
    pub record: PolicySetRecord,
    /// Its documents, encoded by their owner. They never change: the name is their hash.
    pub documents: String,
}
