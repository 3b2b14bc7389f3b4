//! Reading the state in memory.

use std::sync::Arc;

use proviso_core::account::{Account, Session};
use proviso_core::id::{ConsentId, PatientId};
use proviso_oauth::record::Grant;
use proviso_tlog::TileId;

use super::State;
use crate::choice::StoredConsent;
use crate::log::{AuditQuery, StoredAudit};

impl State {
    pub(crate) fn account_by_username(&self, username: &str) -> Option<Account> {
        let wanted = username.to_lowercase();
        self.accounts.values().find(|account| account.username.to_lowercase() == wanted).cloned()
    }

    pub(crate) fn session_by_secret(&self, secret_hash: &str) -> Option<Session> {
        self.sessions.values().find(|session| session.secret_hash == secret_hash).cloned()
    }

    pub(crate) fn grants(&self, wanted: impl Fn(&Grant) -> bool) -> Vec<Grant> {
        self.grants.values().filter(|grant| wanted(grant)).cloned().collect()
    }

    pub(crate) fn consent_versions(&self, consent: &ConsentId) -> Vec<StoredConsent> {
        let versions = self.consents.get(consent).into_iter().flatten();
        versions.map(|stored| StoredConsent::clone(stored)).collect()
    }

    pub(crate) fn consents_latest(&self, patient: Option<&PatientId>) -> Vec<StoredConsent> {
        let latest = self.consents.values().filter_map(|versions| versions.last());
        latest
            .filter(|stored| patient.is_none_or(|patient| stored.version.patient == *patient))
            .map(|stored| StoredConsent::clone(stored))
            .collect()
    }

    pub(crate) fn consent_versions_of_patient(&self, patient: &PatientId) -> Vec<StoredConsent> {
        let versions = self.consents.values().flatten();
        versions
            .filter(|stored| stored.version.patient == *patient)
            .map(|stored| StoredConsent::clone(stored))
            .collect()
    }

    pub(crate) fn audit_page(&self, query: &AuditQuery) -> Vec<StoredAudit> {
        let fits = |stored: &&Arc<StoredAudit>| {
            let entry = &stored.entry;
            query.before.is_none_or(|before| stored.index < before)
                && query.from.is_none_or(|from| entry.at >= from)
                && query.to.is_none_or(|to| entry.at < to)
                && (query.kinds.is_empty() || query.kinds.contains(&entry.kind))
                && query.outcome.is_none_or(|outcome| entry.outcome == outcome)
                && query.subjects.iter().all(|subject| entry.subjects.contains(subject))
        };
        let newest_first = self.log.iter().rev().filter(fits).take(query.limit);
        newest_first.map(|stored| StoredAudit::clone(stored)).collect()
    }

    pub(crate) fn tile(&self, tile: TileId) -> Option<Vec<u8>> {
        let hashes = self.tiles.get(&(tile.level, tile.index))?;
        Some(proviso_tlog::tile::tile_bytes(hashes.get(..usize::from(tile.width))?))
    }

    pub(crate) fn leaves(&self, from: u64, limit: usize) -> Vec<Vec<u8>> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        self.log.iter().skip(from).take(limit).map(|stored| stored.entry.leaf.clone()).collect()
    }
}
