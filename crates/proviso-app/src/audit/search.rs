//! Finding entries: what a patient sees of what happened to their records, and what officers look
//! for.

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome, Told};
use proviso_core::category::Category;
use proviso_core::consent::Capacity;
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
    /// Who reads: the patient, or somebody who acts for them and may not know everything.
    pub reader: Capacity,
    /// Without this person's own looks at the portal and at lists of people: they are in the log, but in a list that the
    /// person reads they would bury what matters.
    pub without_looks_of: Option<AccountId>,
    /// Only of these kinds; none means every kind.
    pub kinds: Vec<AuditKind>,
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
    /// Which of the entries.
    pub which: Which,
}

/// Which entries about a patient are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those that a policy of the organisation tells the patient of at once.
    Notices,
}

/// An entry and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its place.
    pub index: u64,
    /// The entry.
    pub entry: AuditEntry,
}

/// An entry as the reader may know it, and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldEntry {
    /// Its place. It counts everybody's entries, so it is not for the reader.
    pub index: u64,
    /// What the reader may know.
    pub told: Told,
}

/// Entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The `before` of the next page; `None` when there is nothing older.
    pub next_before: Option<u64>,
}

impl From<&ActivityQuery> for AuditSearch {
    fn from(query: &ActivityQuery) -> Self {
        Self {
            patient: Some(query.patient.clone()),
            account: None,
            client: query.client.clone(),
            kinds: query.kinds.clone(),
            from: query.from,
            to: query.to,
            // What it was about is compared with what the reader may know, never with the entry.
            category: None,
            outcome: query.outcome,
            before: query.before,
            limit: query.limit,
            which: Which::All,
        }
    }
}

impl ActivityQuery {
    fn told(&self, entry: AuditEntry) -> Option<Told> {
        let is_look = matches!(entry.kind, AuditKind::PortalView | AuditKind::NamesShown);
        let own_look = is_look && entry.account == self.without_looks_of;
        if own_look && self.without_looks_of.is_some() || entry.is_second_entry() {
            return None;
        }
        let told = match self.reader {
            Capacity::Patient => Some(Told::to_patient(entry)),
            Capacity::Proxy | Capacity::LegalAuthority => Told::to_proxy(entry, &self.patient),
        };
        told.filter(|told| self.category.is_none_or(|category| told.is_about(category)))
    }
}

impl AuditSearch {
    /// The store finds by pseudonyms and plain columns; what is inside the sealed entry is compared
    /// here. The identities are compared again too: a row of the index is not evidence, and a
    /// foreign one must not show somebody else's entry.
    fn fits(&self, entry: &AuditEntry) -> bool {
        let about = |patient: &PatientId| match self.which {
            Which::All => {
                entry.patients.contains(patient) || entry.on_behalf_of.as_ref() == Some(patient)
            }
            Which::Notices => entry.noticed.contains(patient),
        };
        self.patient.as_ref().is_none_or(about)
            && self.account.as_ref().is_none_or(|id| entry.account.as_ref() == Some(id))
            && self.client.as_ref().is_none_or(|id| entry.client.as_ref() == Some(id))
            && self.category.is_none_or(|category| entry.categories.contains(category))
    }
}

impl App {
    /// What happened to a patient's records, newest first, refusals included: for the patient
    /// everything the log says about them, for others what they may know.
    ///
    /// # Errors
    /// When the log cannot be read or an entry cannot be opened. Nothing is left out silently.
    pub async fn activity(&self, query: &ActivityQuery) -> Result<LogPage<ToldEntry>, AuditError> {
        let keep = |index, entry| query.told(entry).map(|told| ToldEntry { index, told });
        self.read_log(&AuditSearch::from(query), query.category.is_some(), keep).await
    }

    /// What a policy of the organisation tells a patient of at once, since an instant and newest
    /// first, as the reader may know it.
    ///
    /// # Errors
    /// As [`App::activity`].
    pub async fn notices(
        &self,
        patient: &PatientId,
        reader: Capacity,
        from: At,
        limit: usize,
    ) -> Result<Vec<Told>, AuditError> {
        let query = ActivityQuery {
            patient: patient.clone(),
            reader,
            without_looks_of: None,
            kinds: Vec::new(),
            client: None,
            from: Some(from),
            to: None,
            category: None,
            outcome: None,
            before: None,
            limit,
        };
        let search = AuditSearch { which: Which::Notices, ..AuditSearch::from(&query) };
        let page = self.read_log(&search, false, |_, entry| query.told(entry)).await?;
        Ok(page.entries)
    }

    /// Entries for officers, newest first.
    ///
    /// # Errors
    /// As [`App::activity`].
    pub async fn search_audit(
        &self,
        search: &AuditSearch,
    ) -> Result<LogPage<LoggedEntry>, AuditError> {
        let keep = |index, entry| Some(LoggedEntry { index, entry });
        self.read_log(search, search.category.is_some(), keep).await
    }

    /// Reads the log backwards; `sparse` when few of the entries will be kept.
    async fn read_log<T>(
        &self,
        search: &AuditSearch,
        sparse: bool,
        keep: impl Fn(u64, AuditEntry) -> Option<T> + Send,
    ) -> Result<LogPage<T>, AuditError> {
        let sealer = &self.audit;
        let subjects = search
            .patient
            .iter()
            .map(|patient| match search.which {
                Which::All => sealer.patient(patient),
                Which::Notices => sealer.notices(patient),
            })
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
        if sparse {
            query.limit = CHUNK;
        }
        let mut page = LogPage { entries: Vec::new(), next_before: None };
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
                    page.entries.extend(keep(stored.index, entry));
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
