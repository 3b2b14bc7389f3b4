//! Use cases: load facts, call pure functions, save the result and its audit entry in one
//! transaction.
//!
//! Everything that changes state or releases data goes through [`App`]. It knows the store, the
//! clock, entropy and keys through ports; it knows nothing of HTTP.

pub mod access;
mod aged;
pub mod audit;
pub mod authorize;
pub mod bearer;
pub mod caller;
pub mod clients;
pub mod consent;
pub mod emergency;
mod envelope;
pub mod evaluation;
pub mod failure;
pub mod filed;
pub mod introspect;
pub mod keys;
pub mod labels;
pub mod launch;
pub mod live;
pub mod network;
pub mod open;
pub mod oversight;
pub mod password;
pub mod policy;
pub mod portal;
pub mod ports;
pub mod proxies;
pub mod receipt;
pub mod records;
pub mod redaction;
pub mod relations;
pub mod rotate;
pub mod session;
pub mod settings;
pub mod sign_in;
pub mod simulate;
pub mod staff;
pub mod subscriptions;
mod throttle;
pub mod token;
pub mod userinfo;
pub mod via;
pub mod visits;

use std::sync::Arc;

use proviso_core::decision::AccessPlan;
use proviso_core::time::At;
use proviso_fhir::label::RuleSet;
use proviso_fhir::redact::Redactions;
use proviso_store::Store;

use crate::keys::Keys;
use crate::live::{Live, SnapshotError, SnapshotWritten};
use crate::ports::{Clock, Entropy};
use crate::settings::Settings;

/// The application: what every surface (OAuth, portal, gateway) calls.
#[derive(Debug)]
pub struct App {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) audit: audit::Sealer,
    pub(crate) auth: clients::AuthMemory,
    pub(crate) around: Arc<records::Around>,
    /// What the directory said of people, for a while.
    pub(crate) directory: aged::Aged<proviso_core::consent::provision::Identities>,
    /// The relations to patients that records said people have, for a while.
    pub(crate) relations: aged::Aged<Arc<[proviso_core::account::Relationship]>>,
    /// Held by whoever changes an account, which is saved as a whole.
    pub(crate) accounts: tokio::sync::Mutex<()>,
    pub(crate) live: Arc<Live>,
    pub(crate) policies: policy::Policies,
    pub(crate) subscriptions: Arc<subscriptions::Subscriptions>,
    pub(crate) settings: Settings,
    pub(crate) visits: visits::VisitsPort,
    pub(crate) evaluations: evaluation::EvaluationsPort,
    pub(crate) simulations: simulate::SimulationsPort,
}

impl App {
    /// The instant now, from the clock port.
    pub fn now(&self) -> At {
        self.clock.now()
    }

    /// The server's keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What decisions are made from, in memory.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Writes what is in memory of consents beside the database, so that the next start is quick;
    /// `None` when there are too few to be worth it.
    ///
    /// # Errors
    /// When it cannot be written. The one before stays, and is brought up to date at start.
    pub async fn write_snapshot(&self) -> Result<Option<SnapshotWritten>, SnapshotError> {
        let worth = self.live.holding().is_some_and(|own| own.consents >= live::CONSENTS_MIN);
        if !worth {
            return Ok(None);
        }
        self.live.write_snapshot(&self.store, &self.keys, &*self.entropy).await
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// By which rules records are labelled.
    pub fn labels(&self) -> Arc<RuleSet> {
        Arc::clone(&self.settings.labels)
    }

    /// What of a record is not shown to those who see it by a plan.
    pub fn redactions_for(&self, plan: &AccessPlan) -> Arc<Redactions> {
        self.settings.redaction.for_plan(plan)
    }

    /// The store, for reads that no use case covers; every write goes through [`App`].
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Randomness, from the entropy port.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }
}
