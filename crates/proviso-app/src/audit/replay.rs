//! Making past decisions again from what the log keeps of them (design P5).
//!
//! Reads the database from outside, as verification does, so the server may be running. The body of
//! an entry is authenticated by its encryption; whether the log itself is whole is for
//! [`super::verify_with_master`] to say.

use std::collections::HashMap;
use std::path::Path;

use proviso_core::audit::AuditEntry;
use proviso_core::consent::NamedConsent;
use proviso_core::decision::explain::Explanation;
use proviso_core::decision::record::{DecisionRecord, ReplayError};
use proviso_core::decision::{FiledAtHand, FiledVersion};
use proviso_core::id::{ConsentVersionId, DecisionId, RequestId, TenantId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_store::{AuditLogReader, OpenError, ReadError};

use super::seal::Sealer;
use crate::filed::{FiledSettings, directive_of};
use crate::keys::{Keys, KeysError, MasterKey};
use crate::ports::SystemEntropy;

/// How many entries are read at once.
const CHUNK: usize = 512;

/// Which decisions are made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All that are kept.
    All,
    /// The one with this id.
    Decision(DecisionId),
    /// Those of one request.
    Request(RequestId),
}

/// What came of making a decision again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The same bytes.
    Same,
    /// Other bytes: what would be decided today from the same inputs.
    Differs(Box<DecisionRecord>),
    /// The digest in the entry is not that of the record beside it.
    DigestWrong,
    /// Something it was made from is not at hand.
    Impossible(ReplayError),
}

/// A decision that was made again.
#[derive(Debug)]
pub struct Replayed {
    /// The place of its entry in the log.
    pub index: u64,
    /// The entry.
    pub entry: AuditEntry,
    /// What was kept of the decision.
    pub record: DecisionRecord,
    /// The consent version that it rested on.
    pub consent: Option<NamedConsent>,
    /// What came of it.
    pub outcome: Outcome,
}

impl Replayed {
    /// The tree for each kept resource, or for the request when no resource was judged.
    pub fn explanations(&self) -> Vec<Explanation> {
        self.record.explain(self.consent.as_ref().map(NamedConsent::facts))
    }
}

/// How many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayCounts {
    /// Entries looked at.
    pub entries: u64,
    /// Entries that carry decisions.
    pub decisions: u64,
    /// Of those, how many did not come out as they were.
    pub differing: u64,
}

/// Why nothing could be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayFailure {
    /// The database could not be opened.
    #[error("the database could not be opened")]
    Open(#[from] OpenError),
    /// The server's keys could not be opened.
    #[error("the server's keys could not be opened")]
    Keys(#[from] KeysError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// An entry does not open.
    #[error("entry {0} cannot be opened; `proviso verify` says what is wrong with the log")]
    Sealed(u64),
}

/// Makes decisions again and hands each to `each`; `filed` says how consents on file are read; `progress` is told how many entries of how many
/// have been looked at.
///
/// # Errors
/// When the file, its keys or an entry cannot be read.
pub fn replay_with_master(
    database: &Path,
    (tenant, settings): (&TenantId, &FiledSettings),
    master: MasterKey,
    wanted: &Wanted,
    mut each: impl FnMut(Replayed),
    mut progress: impl FnMut(u64, u64),
) -> Result<ReplayCounts, ReplayFailure> {
    let log = AuditLogReader::open(database, tenant)?;
    let stored = log.sealed_keys()?;
    let (keys, unstored) =
        Keys::open(master, &stored, &SystemEntropy::default(), At::from_micros(0))?;
    drop(unstored);
    let sealer = Sealer::new(&keys)?;
    let size = log.size()?;
    let mut consents = Consents { log: &log, known: HashMap::new() };
    let mut files = Files { log: &log, settings, known: FiledAtHand::new() };
    let mut counts = ReplayCounts::default();
    loop {
        let rows = log.entries(counts.entries, CHUNK)?;
        if rows.is_empty() {
            return Ok(counts);
        }
        for row in rows {
            let shut = || ReplayFailure::Sealed(row.index);
            let id = row.id.parse().map_err(|_| shut())?;
            let mut entry = sealer.open(&id, &row.body).map_err(|_| shut())?;
            counts.entries = row.index.saturating_add(1);
            if !wanted.includes(&entry) {
                continue;
            }
            let Some(record) = entry.record.take() else { continue };
            let consent =
                record.request.consent().map(|id| consents.get(id)).transpose()?.flatten();
            files.have(&record)?;
            let outcome = outcome(&entry, &record, consent.as_ref(), &files.known);
            counts.decisions += 1;
            counts.differing += u64::from(outcome != Outcome::Same);
            each(Replayed { index: row.index, entry, record, consent, outcome });
        }
        progress(counts.entries, size);
    }
}

impl Wanted {
    fn includes(&self, entry: &AuditEntry) -> bool {
        match self {
            Self::All => true,
            Self::Decision(id) => entry.decision.as_ref() == Some(id),
            Self::Request(id) => entry.request.as_ref() == Some(id),
        }
    }
}

fn outcome(
    entry: &AuditEntry,
    record: &DecisionRecord,
    consent: Option<&NamedConsent>,
    filed: &FiledAtHand,
) -> Outcome {
    if record.digest().ok() != entry.digest {
        return Outcome::DigestWrong;
    }
    match record.replay(consent, filed) {
        Err(why) => Outcome::Impossible(why),
        Ok(again) if again.digest().ok() == entry.digest => Outcome::Same,
        Ok(again) => Outcome::Differs(Box::new(again)),
    }
}

/// Consent versions, read once each. One whose content does not have the name it is kept under is
/// not the one.
struct Consents<'a> {
    log: &'a AuditLogReader,
    known: HashMap<ConsentVersionId, Option<NamedConsent>>,
}

impl Consents<'_> {
    fn get(&mut self, id: &ConsentVersionId) -> Result<Option<NamedConsent>, ReadError> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let found = self.log.consent_version(id)?;
        let named = found.map(|stored| NamedConsent::new(stored.version));
        let named = named.filter(|named| named.id() == id);
        self.known.insert(id.clone(), named.clone());
        Ok(named)
    }
}

/// Consents on file, each version read once. One whose content does not have the name under which it
/// was heard is not the one.
struct Files<'a> {
    log: &'a AuditLogReader,
    settings: &'a FiledSettings,
    known: FiledAtHand,
}

impl Files<'_> {
    /// Reads the versions that the decisions of a record heard.
    fn have(&mut self, record: &DecisionRecord) -> Result<(), ReadError> {
        for version in record.filed_needed() {
            if self.known.contains_key(&version.name) {
                continue;
            }
            let FiledVersion { consent, number, .. } = version;
            let stored = self.log.record_version(ResourceType::CONSENT, consent, *number)?;
            let directive = stored.and_then(|own| directive_of(version, &own, self.settings));
            if let Some(directive) = directive {
                self.known.insert(version.name.clone(), directive);
            }
        }
        Ok(())
    }
}
