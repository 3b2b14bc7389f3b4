//! How a request reached us, for the audit entry it leaves; and the skeleton of such entries.

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::{CategorySet, SensitiveSet};
use proviso_core::id::{AuditEntryId, RequestId};

use crate::App;
use crate::ports::EntropyError;

/// How a request reached us. Nothing in it decides anything.
#[derive(Debug, Clone, Default)]
pub struct Via {
    /// The HTTP request.
    pub request: Option<RequestId>,
    /// The peer's address, without port.
    pub network: Option<String>,
    /// The W3C trace id.
    pub trace: Option<String>,
}

impl App {
    /// An entry that says when and how; the use case fills in who and what.
    ///
    /// # Errors
    /// When there is no randomness for its id.
    pub fn draft_entry(
        &self,
        via: &Via,
        kind: AuditKind,
        outcome: AuditOutcome,
        action: &str,
    ) -> Result<AuditEntry, EntropyError> {
        let at = self.now();
        Ok(AuditEntry {
            id: AuditEntryId::generate(at, self.entropy.for_id()?),
            at,
            kind,
            outcome,
            action: action.to_owned(),
            client: None,
            account: None,
            on_behalf_of: None,
            patients: Vec::new(),
            interaction: None,
            resource_type: None,
            resources: Vec::new(),
            asked: CategorySet::EMPTY,
            categories: CategorySet::EMPTY,
            sensitive: SensitiveSet::EMPTY,
            released: 0,
            for_proxies: None,
            withheld: 0,
            purpose: None,
            consent: None,
            policy_version: None,
            decision: None,
            reasons: Vec::new(),
            emergency: None,
            grant: None,
            token: None,
            session: None,
            request: via.request.clone(),
            trace: via.trace.clone(),
            network: via.network.clone(),
            status: None,
            query_shape: None,
            digest: None,
            redaction: None,
            noticed: std::collections::BTreeSet::new(),
            about: None,
            record: None,
        })
    }
}
