//! Recomputing the whole log from disk.
//!
//! Nothing in the database is believed: every leaf, tile, root and signature is computed again, and
//! with the server's keys also that every body opens, says what its row says, and can be found by
//! everybody it is about.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::id::TenantId;
use proviso_core::time::At;
use proviso_store::{AuditLogReader, OpenError, RawAuditEntry, RawCheckpoint};
use proviso_tlog::{Checkpoint, Fault, FaultKind, SignedNote, TileId, Walk};

use super::leaf::Leaf;
use super::seal::Sealer;
use crate::keys::{Keys, KeysError, MasterKey};
use crate::ports::SystemEntropy;

/// How many entries are read at once.
const CHUNK: usize = 512;

/// Why an entry is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The Merkle tree does not fit.
    #[error("{0}")]
    Tree(FaultKind),
    /// The leaf is not one of ours.
    #[error("the leaf is not in its canonical form")]
    Leaf,
    /// Body or salt do not fit the commitment in the leaf.
    #[error("the body or its salt does not match the commitment in the leaf")]
    Commitment,
    /// A column beside the leaf says something else.
    #[error("the row says something else than the sealed entry")]
    Columns,
    /// The body does not open with this server's keys.
    #[error("the body cannot be opened")]
    Body,
    /// Somebody the entry is about would not find it.
    #[error("the entry is missing from the index by which people find it")]
    Index,
    /// The entries end before what a signed checkpoint covers.
    #[error("the log was cut: a signed checkpoint covers more entries")]
    Cut,
    /// No valid checkpoint covers the entry.
    #[error("no checkpoint with a valid signature covers the entry")]
    Unsigned,
    /// The row of the entry, or what the log needs to prove it, cannot be read from the database.
    #[error("the database cannot be read there")]
    Unreadable,
    /// The checkpoint beside the database does not fit.
    #[error("the checkpoint beside the database is not one of this log")]
    SideFile,
}

/// The first entry that is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {why}")]
pub struct BadEntry {
    /// Its place in the log.
    pub index: u64,
    /// What is wrong.
    pub why: Why,
}

impl From<Fault> for BadEntry {
    fn from(fault: Fault) -> Self {
        Self { index: fault.index, why: Why::Tree(fault.kind) }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many entries were found.
    pub entries: u64,
    /// The latest checkpoint, if its signature is valid.
    pub checkpoint: Option<Checkpoint>,
    /// The first bad entry; `None` when everything fits.
    pub first_bad: Option<BadEntry>,
}

/// Why nothing could be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database could not be opened.
    #[error("the database could not be opened")]
    Open(#[from] OpenError),
    /// The server's keys could not be opened.
    #[error("the server's keys could not be opened")]
    Keys(#[from] KeysError),
}

/// Verifies the log of a database file with the keys sealed in it. `progress` is told how many
/// entries of how many are done.
///
/// # Errors
/// When the file or its keys cannot be read; a damaged log is a report, not an error.
pub fn verify_with_master(
    database: &Path,
    tenant: &TenantId,
    master: MasterKey,
    progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, VerifyError> {
    let log = match AuditLogReader::open(database, tenant) {
        Err(OpenError::Unreadable(_)) => return Ok(nothing_readable()),
        opened => opened?,
    };
    // Without the keys no signature can be checked, so the first entry cannot be proven.
    let Ok(stored) = log.sealed_keys() else { return Ok(nothing_readable()) };
    // Keys that are missing would be made here and thrown away: they would fit nothing.
    let (keys, unstored) =
        Keys::open(master, &stored, &SystemEntropy::default(), At::from_micros(0))?;
    drop(unstored);
    let sealer = Sealer::new(&keys)?;
    Ok(verify_log(&log, &keys.checkpoint_public_key(), Some(&sealer), progress))
}

const fn nothing_readable() -> VerifyReport {
    let bad = BadEntry { index: 0, why: Why::Unreadable };
    VerifyReport { entries: 0, checkpoint: None, first_bad: Some(bad) }
}

/// Verifies the log of a database file against a known checkpoint key; with a sealer, also what is
/// inside the entries.
///
/// # Errors
/// When the file cannot be read; a damaged log is a report, not an error.
pub fn verify_database(
    database: &Path,
    tenant: &TenantId,
    public_key: &[u8; 32],
    sealer: Option<&Sealer>,
    progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, VerifyError> {
    let log = match AuditLogReader::open(database, tenant) {
        Err(OpenError::Unreadable(_)) => return Ok(nothing_readable()),
        opened => opened?,
    };
    Ok(verify_log(&log, public_key, sealer, progress))
}

fn verify_log(
    log: &AuditLogReader,
    public_key: &[u8; 32],
    sealer: Option<&Sealer>,
    mut progress: impl FnMut(u64, u64),
) -> VerifyReport {
    let rows = log.checkpoints();
    let signed: Vec<Option<Checkpoint>> =
        rows.iter().map(|row| row.as_ref().and_then(|row| kept(row, public_key))).collect();
    let latest = signed.last().cloned().flatten();
    // A log has one name for ever: the same key may sign other logs.
    let origin = signed.iter().flatten().next_back().map(|valid| valid.origin.clone());
    let own = |checkpoint: &Checkpoint| Some(&checkpoint.origin) == origin.as_ref();
    let signed: Vec<Option<Checkpoint>> =
        signed.into_iter().map(|checkpoint| checkpoint.filter(&own)).collect();
    let beside = match log.side_note() {
        Ok(None) => SideFile::Absent,
        Ok(Some(note)) => {
            let kept = verified(&note, public_key).filter(|kept| own(kept) || origin.is_none());
            kept.map_or(SideFile::Unreadable, SideFile::Signed)
        }
        Err(_) => SideFile::Unreadable,
    };
    let covered = latest.as_ref().map_or(0, |checkpoint| checkpoint.size);
    // Where the last entry cannot be found, the walk to the signed size names the first bad one.
    let size = log.size();
    let entries = *size.as_ref().unwrap_or(&covered);
    let report = |first_bad| VerifyReport { entries, checkpoint: latest.clone(), first_bad };
    let mut expected: Vec<Checkpoint> = signed.iter().flatten().cloned().collect();
    if let SideFile::Signed(checkpoint) = &beside {
        expected.push(checkpoint.clone());
    }
    expected.retain(|checkpoint| checkpoint.size > 0);
    expected.sort_by_key(|checkpoint| checkpoint.size);
    let mut walk = Walk::new(entries.max(covered), |tile: TileId| log.tile(tile));
    if let Some(bad) = walk_entries(log, &mut walk, sealer, &expected, entries, &mut progress) {
        return report(Some(bad));
    }
    if let Err(fault) = walk.finish() {
        let why = if fault.index >= entries { Why::Cut } else { Why::Tree(fault.kind) };
        return report(Some(BadEntry { index: fault.index, why }));
    }
    progress(entries, entries);
    let unreadable = BadEntry { index: entries, why: Why::Unreadable };
    let bad = judge_checkpoints(entries, &signed, &beside)
        .or_else(|| (!log.checkpoints_are_sound()).then(|| first_gap(&signed)))
        .or_else(|| judge_tiles(log, entries))
        .or_else(|| size.is_err().then_some(unreadable));
    report(bad)
}

/// Where the first run of entries begins that has no checkpoint of its own. One commit of more than
/// 256 entries leaves such a gap too; it is asked for only where the table is not sound.
fn first_gap(signed: &[Option<Checkpoint>]) -> BadEntry {
    let mut index = 0;
    for checkpoint in signed.iter().flatten() {
        if slot_of(checkpoint.size) > slot_of(index + 1) {
            break;
        }
        index = checkpoint.size;
    }
    BadEntry { index, why: Why::Unreadable }
}

/// Tiles that are there besides the ones that were walked, or longer than the log.
fn judge_tiles(log: &AuditLogReader, entries: u64) -> Option<BadEntry> {
    let Ok(tiles) = log.tiles() else {
        return Some(BadEntry { index: entries, why: Why::Unreadable });
    };
    let extra =
        |tile: &&TileId| TileId::in_tree(tile.level, tile.index, entries).as_ref() != Some(*tile);
    let tile = tiles.iter().find(extra)?;
    let shift = 8 * u32::from(tile.level.min(proviso_tlog::tile::LEVEL_MAX));
    let first = tile.index.saturating_mul(u64::from(proviso_tlog::tile::TILE_WIDTH));
    let index = first.checked_shl(shift).unwrap_or(entries).min(entries);
    Some(BadEntry { index, why: Why::Tree(FaultKind::TileMismatch) })
}

/// The run of 256 entries for which a checkpoint is kept.
const fn slot_of(size: u64) -> u64 {
    size.saturating_sub(1) / 256
}

/// The checkpoint in a row, if it is signed and the row says the same.
fn kept(row: &RawCheckpoint, public_key: &[u8; 32]) -> Option<Checkpoint> {
    let checkpoint = verified(&row.note, public_key)?;
    let fits = row.size == checkpoint.size
        && row.root == checkpoint.root
        && u64::try_from(row.slot) == Ok(slot_of(checkpoint.size));
    fits.then_some(checkpoint)
}

/// The checkpoint that is kept beside the database.
enum SideFile {
    /// There is none.
    Absent,
    /// There is something else.
    Unreadable,
    /// One that the log's key signed.
    Signed(Checkpoint),
}

/// What only the checkpoints can tell, once every entry has been found in place.
fn judge_checkpoints(
    entries: u64,
    signed: &[Option<Checkpoint>],
    beside: &SideFile,
) -> Option<BadEntry> {
    // The first checkpoint without a valid signature leaves what follows the one before it open.
    let mut trusted = 0;
    for checkpoint in signed {
        match checkpoint {
            Some(checkpoint) => trusted = checkpoint.size,
            None => return Some(BadEntry { index: trusted, why: Why::Unsigned }),
        }
    }
    if trusted < entries {
        return Some(BadEntry { index: trusted, why: Why::Unsigned });
    }
    match beside {
        SideFile::Unreadable => Some(BadEntry { index: entries, why: Why::SideFile }),
        SideFile::Signed(kept) if kept.size > entries => {
            Some(BadEntry { index: entries, why: Why::Cut })
        }
        // No file: a copy of the database alone is verified.
        SideFile::Signed(_) | SideFile::Absent => None,
    }
}

/// The checkpoint in a note, if the log's key signed it under the log's own name.
fn verified(note: &str, public_key: &[u8; 32]) -> Option<Checkpoint> {
    let note = SignedNote::parse(note).ok()?;
    let checkpoint = Checkpoint::parse(&note.text).ok()?;
    let key = UnparsedPublicKey::new(&ED25519, public_key);
    note.verify_ed25519(&checkpoint.origin, public_key, |text, signature| {
        key.verify(text, signature).is_ok()
    })
    .ok()?;
    Some(checkpoint)
}

fn walk_entries<F: FnMut(TileId) -> Option<Vec<proviso_tlog::Hash>>>(
    log: &AuditLogReader,
    walk: &mut Walk<F>,
    sealer: Option<&Sealer>,
    checkpoints: &[Checkpoint],
    total: u64,
    progress: &mut impl FnMut(u64, u64),
) -> Option<BadEntry> {
    let mut checkpoints = checkpoints.iter().peekable();
    let mut from = 0;
    // Beyond this place a chunk could not be read as a whole: one by one, the bad one shows.
    let mut singly_until = 0;
    loop {
        let limit = if from < singly_until { 1 } else { CHUNK };
        let rows = match log.entries(from, limit) {
            Ok(rows) => rows,
            Err(_) if limit > 1 => {
                singly_until = from.saturating_add(CHUNK as u64);
                continue;
            }
            Err(_) => return Some(BadEntry { index: from, why: Why::Unreadable }),
        };
        let last = rows.last()?;
        from = last.index.saturating_add(1);
        for row in &rows {
            if let Err(fault) = walk.leaf(row.index, &row.leaf) {
                return Some(fault.into());
            }
            if let Err(why) = judge_entry(row, sealer) {
                return Some(BadEntry { index: row.index, why });
            }
            while let Some(checkpoint) =
                checkpoints.next_if(|checkpoint| checkpoint.size == row.index + 1)
            {
                if let Err(fault) = walk.checkpoint(&checkpoint.root) {
                    return Some(fault.into());
                }
            }
        }
        progress(from, total);
    }
}

/// Whether an entry is what its leaf commits to.
fn judge_entry(row: &RawAuditEntry, sealer: Option<&Sealer>) -> Result<(), Why> {
    let leaf = Leaf::parse(&row.leaf).map_err(|_| Why::Leaf)?;
    if Leaf::commitment(&row.salt, &row.body) != leaf.commit {
        return Err(Why::Commitment);
    }
    let at = At::from_micros(row.at);
    let columns_fit = row.placed
        && code(leaf.kind) == Some(row.kind.clone())
        && code_of_outcome(leaf.outcome) == Some(row.outcome.clone())
        && Leaf::bucket(at) == leaf.at;
    if !columns_fit {
        return Err(Why::Columns);
    }
    let Some(sealer) = sealer else { return Ok(()) };
    let id = row.id.parse().map_err(|_| Why::Columns)?;
    let entry = sealer.open(&id, &row.body).map_err(|_| Why::Body)?;
    let salt = <[u8; 32]>::try_from(row.salt.as_slice()).map_err(|_| Why::Columns)?;
    if entry.at != at || !leaf_fits(&leaf, &entry, &salt) {
        return Err(Why::Columns);
    }
    let subjects = sealer.subjects(&entry);
    let found = row.subjects == subjects.as_flattened() && row.indexed == subjects.len() as u64;
    if found { Ok(()) } else { Err(Why::Index) }
}

fn leaf_fits(leaf: &Leaf, entry: &AuditEntry, salt: &[u8; 32]) -> bool {
    let mut expected = Leaf { commit: leaf.commit.clone(), ..Leaf::of(entry, salt, &[]) };
    // Entries of earlier releases make no statement. It cannot be taken away later: the leaf with
    // it is what the tree hashes.
    if leaf.statement.is_none() {
        (expected.v, expected.statement) = (1, None);
    }
    *leaf == expected
}

fn code(kind: AuditKind) -> Option<String> {
    serde_json::to_value(kind).ok()?.as_str().map(str::to_owned)
}

fn code_of_outcome(outcome: AuditOutcome) -> Option<String> {
    serde_json::to_value(outcome).ok()?.as_str().map(str::to_owned)
}
