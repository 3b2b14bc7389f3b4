//! What a store is opened with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proviso_core::id::TenantId;

use crate::log::SharedSigner;

/// What a store is opened with.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whose rows are read and written.
    pub tenant: TenantId,
    /// Signs checkpoints. May be installed later, once its key has been read from this very store;
    /// until then every batch that has an audit entry is refused.
    pub signer: Option<SharedSigner>,
    /// How many reads that may take long go on at once, at most, each on a connection of its own.
    pub readers_max: usize,
    /// Lets a test make commits fail.
    pub faults: Faults,
}

impl OpenOptions {
    /// The usual options for one tenant.
    pub fn new(tenant: TenantId) -> Self {
        Self { tenant, signer: None, readers_max: 8, faults: Faults::default() }
    }

    /// These options with a signer.
    #[must_use]
    pub fn with_signer(mut self, signer: SharedSigner) -> Self {
        self.signer = Some(signer);
        self
    }

    /// These options with a switch for failures.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

/// A switch with which a test makes the storage fail as a full disk would. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<AtomicBool>);

impl Faults {
    /// From now on commits fail, or work again.
    pub fn fail_commits(&self, fail: bool) {
        self.0.store(fail, Ordering::SeqCst);
    }

    pub(crate) fn commits_fail(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
