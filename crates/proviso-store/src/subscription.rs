//! FHIR Subscriptions: what they ask for, sealed, and how far they are.

use proviso_core::id::{GrantId, ResourceId};
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSubscription {
    /// Its id.
    pub id: ResourceId,
    /// The grant that it was made with and ends with.
    pub grant: GrantId,
    /// What it asks for, sealed.
    pub body: Vec<u8>,
    /// How far it is.
    pub progress: SubscriptionProgress,
}

/// How far a subscription is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionProgress {
    /// Of which version of the subscription.
    #[serde(default)]
    pub version: u64,
    /// What it does.
    pub status: SubscriptionStatus,
    /// The newest version of a record that was looked at for it.
    pub reached: u64,
    /// Deliveries that failed one after the other.
    pub failures: u32,
    /// Before this instant nothing is tried again.
    pub next_try: Option<At>,
    /// How many events were told.
    #[serde(default)]
    pub events: u64,
    /// When something was sent last.
    #[serde(default)]
    pub sent_at: Option<At>,
}

/// What a subscription does (FHIR R4 `valueset-subscription-status.html`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscriptionStatus {
    /// Its receiver has not answered yet.
    Requested,
    /// It is in force.
    Active,
    /// It failed too often and was given up.
    Error,
    /// It was switched off, or its time is over.
    Off,
}
