//! Reading the state in memory.

use std::sync::Arc;

use proviso_core::account::{Account, Session};
use proviso_core::id::{ConsentId, PatientId};
use proviso_oauth::record::Grant;
use proviso_tlog::proof::TileReader;
use proviso_tlog::{Hash, TileId};

use super::State;
use crate::choice::{ConsentPage, ConsentScan, ScanPlace, StoredConsent};
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

    pub(crate) fn consents_from(&self, query: &ConsentScan) -> ConsentPage {
        let versions = self.consents.iter().flat_map(|(id, versions)| {
            let place = |stored: &StoredConsent| {
                let epoch = self.consent_epochs.get(&stored.id).copied().unwrap_or(0);
                ScanPlace::at(epoch, id.as_str().to_owned(), stored.version.number)
            };
            versions.iter().map(move |stored| (place(stored), stored))
        });
        // Without an epoch to count from, the order is that of ids and numbers alone.
        let key = |place: &ScanPlace| match query.written_after {
            None => ScanPlace::at(0, place.consent().to_owned(), place.number()),
            Some(_) => place.clone(),
        };
        let wanted = |place: &ScanPlace| {
            query.written_after.is_none_or(|epoch| place.epoch() > epoch)
                && key(place) > key(&query.place)
        };
        let mut found: Vec<_> = versions.filter(|(place, _)| wanted(place)).collect();
        found.sort_by_key(|(place, _)| key(place));
        found.truncate(query.limit);
        let next = found.last().filter(|_| found.len() >= query.limit);
        let next = next.map(|(place, _)| place.clone());
        let mut consents = Vec::new();
        let mut found = found.into_iter().peekable();
        while let Some((place, stored)) = found.next() {
            if found.peek().is_none_or(|(following, _)| following.consent() != place.consent()) {
                consents.push(StoredConsent::clone(stored));
            }
        }
        ConsentPage { consents, next }
    }

    pub(crate) fn log_root(&self, size: u64) -> Option<Hash> {
        let found = self.checkpoint.as_ref().map_or(0, |latest| latest.size);
        let hashes = |tile: TileId| {
            let hashes = self.tiles.get(&(tile.level, tile.index))?;
            hashes.get(..usize::from(tile.width)).map(<[Hash]>::to_vec)
        };
        (size <= found).then(|| TileReader::new(found, hashes).root(size).ok()).flatten()
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
