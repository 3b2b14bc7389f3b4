//! Starting: keys, log, live state, in the order in which each needs the one before.

use std::sync::Arc;

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_store::{Batch, CommitError, Op, ReadError, Store};

use crate::App;
use crate::aged::Aged;
use crate::audit::{AuditError, SealError, Sealer, install_signer};
use crate::clients::AuthMemory;
use crate::evaluation::EvaluationsPort;
use crate::keys::{Keys, KeysError, MasterKey};
use crate::live::Live;
use crate::policy::{LoadPoliciesError, Policies};
use crate::ports::{Clock, Entropy, EntropyError};
use crate::settings::Settings;
use crate::subscriptions::{LoadSubscriptionsError, Subscriptions};
use crate::via::Via;
use crate::visits::VisitsPort;

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenAppError {
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] ReadError),
    /// New keys cannot be stored.
    #[error("new keys cannot be stored")]
    Commit(#[from] CommitError),
    /// The keys cannot be used; most often the master key is not the one they were sealed with.
    #[error("the keys cannot be opened with this master key")]
    Keys(#[from] KeysError),
    /// The log cannot be written.
    #[error("the audit log cannot be written")]
    Audit(#[from] AuditError),
    /// The log's own keys cannot be derived.
    #[error("the audit log's keys cannot be derived")]
    Seal(#[from] SealError),
    /// The policies in force cannot be loaded; nothing could be decided.
    #[error("the policies in force cannot be loaded")]
    Policies(#[from] LoadPoliciesError),
    /// The subscriptions cannot be had; somebody would wait to be told in vain.
    #[error("the subscriptions cannot be loaded")]
    Subscriptions(#[from] LoadSubscriptionsError),
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl App {
    /// Opens the application on a store: opens or makes its keys, names and signs the log, loads
    /// what decisions are made from, and logs that it started.
    ///
    /// CRASH: new keys are stored before anything is signed with them; a crash before that leaves
    /// nothing that anybody has seen.
    ///
    /// # Errors
    /// When any of it fails. Nothing is served then.
    pub async fn open(
        store: Store,
        master: MasterKey,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Result<Arc<Self>, OpenAppError> {
        let stored = store.keys().await?;
        let (keys, unstored) = Keys::open(master, &stored, &*entropy, clock.now())?;
        let made: Vec<Op> = unstored.0.into_iter().map(Op::PutKey).collect();
        let first_start = !made.is_empty();
        if first_start {
            store.commit(Batch::from(made)).await?;
        }
        let keys = Arc::new(keys);
        install_signer(&store, &keys, &settings).await?;
        let audit = Sealer::new(&keys)?;
        let live = Live::load(&store, &keys, &settings.filed, clock.now()).await?;
        let policies = Policies::load(&store).await?;
        let subscriptions = Subscriptions::load(&store, &keys).await?;
        let auth = AuthMemory::new();
        let around = Arc::default();
        let visits = VisitsPort::default();
        let evaluations = EvaluationsPort::default();
        let simulations = crate::simulate::SimulationsPort::default();
        let app = Arc::new(Self {
            store,
            clock,
            entropy,
            keys,
            audit,
            auth,
            around,
            directory: Aged::default(),
            relations: Aged::default(),
            accounts: tokio::sync::Mutex::new(()),
            live,
            policies,
            subscriptions,
            settings,
            visits,
            evaluations,
            simulations,
        });
        app.log_start(first_start).await?;
        app.adopt_labels().await?;
        app.adopt_choices().await?;
        Ok(app)
    }

    async fn log_start(&self, first_start: bool) -> Result<(), OpenAppError> {
        let via = Via::default();
        if first_start {
            let entry = self.draft_entry(&via, AuditKind::Key, AuditOutcome::Success, "create")?;
            self.append_audit(entry).await?;
        }
        let entry =
            self.draft_entry(&via, AuditKind::Administration, AuditOutcome::Success, "start")?;
        self.append_audit(entry).await?;
        Ok(())
    }
}
