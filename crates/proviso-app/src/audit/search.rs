//! Finding entries: what a patient sees of what happened to their records, and what officers look
//! for.

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::Category;
use proviso_core::id::{AccountId, ClientId, PatientId};
use proviso_core::time::At;
use proviso_store::AuditQuery;

use super::AuditError;
use crate::App;

/// LIMIT: how many entries one call opens at most; a filter that fits few of them gets a short page
/// and a place from which to go on.
const OPENED_MAX: usize = 5_000;
/// How many entries are read at once.
const CHUNK: usize = 200;

/// Which entries about a patient are wanted, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Whose.
    pub patient: PatientId,
    /// Only of this app.
    pub client: Option<ClientId>,
    /// Only at or after this instant.
    pub from: Option<At>,
    /// Only before this instant.
    pub to: Option<At>,
    /// Only what touched this kind of record.
    pub category: Option<Category>,
    /// Only what ended like this.
    pub outcome: Option<AuditOutcome>,
    /// Only entries before this place in the log.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// Which entries an officer wants, newest first. Every filter given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditSearch {
    /// Only about this patient.
    pub patient: Option<PatientId>,
    /// Only by this person.
    pub account: Option<AccountId>,
    /// Only of this app.
    pub client: Option<ClientId>,
    /// Only of these kinds; none means every kind.
    pub kinds: Vec<AuditKind>,
    /// Only at or after this instant.
    pub from: Option<At>,
    /// Only before this instant.
    pub to: Option<At>,
    /// Only what touched this kind of record.
    pub category: Option<Category>,
    /// Only what ended like this.
    pub outcome: Option<AuditOutcome>,
    /// Only entries before this place in the log.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// An entry and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its place.
    pub index: u64,
    /// The entry.
    pub entry: AuditEntry,
}

/// Entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActivityPage {
    /// The entries.
    pub entries: Vec<LoggedEntry>,
    /// The `before` of the next page; `None` when there is nothing older.
    pub next_before: Option<u64>,
}

impl From<ActivityQuery> for AuditSearch {
    fn from(query: ActivityQuery) -> Self {
        Self {
            patient: Some(query.patient),
            account: None,
            client: query.client,
            kinds: Vec::new(),
            from: query.from,
            to: query.to,
            category: query.category,
            outcome: query.outcome,
            before: query.before,
            limit: query.limit,
        }
    }
}

impl AuditSearch {
    /// The store finds by pseudonyms and plain columns; what is inside the sealed entry is compared
    /// here. The identities are compared again too: a row of the index is not evidence, and a
    /// foreign one must not show somebody else's entry.
    fn fits(&self, entry: &AuditEntry) -> bool {
        let about = |patient: &PatientId| {
            entry.patients.contains(patient) || entry.on_behalf_of.as_ref() == Some(patient)
        };
        self.patient.as_ref().is_none_or(about)
            && self.account.as_ref().is_none_or(|id| entry.account.as_ref() == Some(id))
            && self.client.as_ref().is_none_or(|id| entry.client.as_ref() == Some(id))
            && self.category.is_none_or(|category| entry.categories.contains(category))
    }
}

impl App {
    /// What happened to a patient's records, newest first: everything the log says about them,
    /// refusals included.
    ///
    /// # Errors
    /// When the log cannot be read or an entry cannot be opened. Nothing is left out silently.
    pub async fn activity(&self, query: ActivityQuery) -> Result<ActivityPage, AuditError> {
        self.search_audit(&AuditSearch::from(query)).await
    }

    /// Entries for officers, newest first.
    ///
    /// # Errors
    /// As [`App::activity`].
    pub async fn search_audit(&self, search: &AuditSearch) -> Result<ActivityPage, AuditError> {
        let sealer = &self.audit;
        let subjects = search
            .patient
            .iter()
            .map(|patient| sealer.patient(patient))
            .chain(search.account.iter().map(|account| sealer.account(account)))
            .chain(search.client.iter().map(|client| sealer.client(client)))
            .collect();
        let mut query = AuditQuery {
            subjects,
            from: search.from,
            to: search.to,
            kinds: search.kinds.clone(),
            outcome: search.outcome,
            before: search.before,
            limit: CHUNK.min(search.limit.saturating_add(1)),
        };
        if search.category.is_some() {
            query.limit = CHUNK;
        }
        let mut page = ActivityPage::default();
        let mut opened = 0;
        while page.entries.len() < search.limit && opened < OPENED_MAX {
            let chunk = self.store.audit_page(query.clone()).await?;
            let more = chunk.len() == query.limit;
            opened += chunk.len();
            for stored in chunk {
                if page.entries.len() == search.limit {
                    return Ok(page);
                }
                page.next_before = Some(stored.index);
                query.before = Some(stored.index);
                let entry = sealer.open(&stored.entry.id, &stored.entry.body)?;
                if search.fits(&entry) {
                    page.entries.push(LoggedEntry { index: stored.index, entry });
                }
            }
            if !more {
                page.next_before = None;
                return Ok(page);
            }
        }
        Ok(page)
    }
}
