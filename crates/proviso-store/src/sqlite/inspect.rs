//! Looking at the audit log from outside: raw rows, nothing assumed, also of a damaged file.

use std::path::Path;

use proviso_core::id::TenantId;
use proviso_oauth::record::SealedKey;
use proviso_tlog::TileId;
use proviso_tlog::tile::tile_hashes;
use rusqlite::{Connection, OptionalExtension as _};

use super::codes::{int, uint};
use super::connection;
use super::read::Reads;
use super::read_log::{COLUMNS, RawEntry};
use super::side_file::SideFile;
use crate::error::{OpenError, ReadError};

/// An entry as its row stands, before anything about it has been believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAuditEntry {
    /// Its place, as the row says.
    pub index: u64,
    /// Its id.
    pub id: String,
    /// When, in microseconds.
    pub at: i64,
    /// The code of what happened.
    pub kind: String,
    /// The code of how it ended.
    pub outcome: String,
    /// The leaf.
    pub leaf: Vec<u8>,
    /// The salt of the commitment.
    pub salt: Vec<u8>,
    /// The pseudonyms under which it is found, one after the other.
    pub subjects: Vec<u8>,
    /// The encrypted entry.
    pub body: Vec<u8>,
    /// How many of the pseudonyms really have their row in the index by which entries are found.
    pub indexed: u64,
}

/// Reads the audit log of a database file without opening the store, so that a log that the store
/// refuses can still be judged.
#[derive(Debug)]
pub struct AuditLogReader {
    db: Connection,
    tenant: i64,
    side: Result<Option<String>, String>,
}

impl AuditLogReader {
    /// Opens a database file for looking only.
    ///
    /// # Errors
    /// When the file is not there, is no database of ours, or does not know the tenant.
    pub fn open(path: &Path, tenant: &TenantId) -> Result<Self, OpenError> {
        connection::check_library()?;
        // Read before the snapshot is taken: the file never runs ahead of the database, so that
        // appends by a running server cannot make it seem to.
        let side = SideFile::beside(path, tenant).read().map_err(|why| why.to_string());
        let db = connection::open_inspector(path)?;
        let failed = |why: rusqlite::Error| OpenError::Storage(why.to_string());
        // One snapshot for the whole look; it is taken by the first read.
        db.execute_batch("BEGIN").map_err(failed)?;
        let number: Option<i64> = db
            .query_row("SELECT no FROM tenant WHERE id = ?1", [tenant.as_str()], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        let tenant =
            number.ok_or_else(|| OpenError::Storage(format!("there is no tenant `{tenant}`")))?;
        Ok(Self { db, tenant, side })
    }

    /// How many entries there are by their highest index.
    pub fn size(&self) -> Result<u64, ReadError> {
        // Index: audit_entry_idx, from its end.
        let sql = "SELECT coalesce(max(idx), -1) + 1 FROM audit_entry WHERE tenant = ?1";
        Ok(self.db.query_row(sql, [self.tenant], |row| row.get(0).map(uint))?)
    }

    /// The rows from an index on, in order, at most so many.
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<RawAuditEntry>, ReadError> {
        // Index: audit_entry_idx.
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_entry e WHERE e.tenant = ?1 AND e.idx >= ?2
             ORDER BY e.idx LIMIT ?3"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map((self.tenant, int(from), limit), RawEntry::read)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter().map(|row| self.with_index(row)).collect()
    }

    fn with_index(&self, row: RawEntry) -> Result<RawAuditEntry, ReadError> {
        // Index: the primary key of audit_subject.
        let mut probe = self.db.prepare_cached(
            "SELECT 1 FROM audit_subject WHERE tenant = ?1 AND subject = ?2 AND idx = ?3",
        )?;
        let mut indexed = 0;
        for subject in row.subjects.chunks(32) {
            indexed += u64::from(probe.exists((self.tenant, subject, row.index))?);
        }
        Ok(RawAuditEntry {
            index: uint(row.index),
            id: row.id,
            at: row.at,
            kind: row.kind,
            outcome: row.outcome,
            leaf: row.leaf,
            salt: row.salt,
            subjects: row.subjects,
            body: row.body,
            indexed,
        })
    }

    /// The hashes of a tile, cut to the wanted width; `None` when it is missing or shorter.
    pub fn tile(&self, tile: TileId) -> Option<Vec<proviso_tlog::Hash>> {
        // Index: log_tile_idx.
        let sql = "SELECT hashes FROM log_tile WHERE tenant = ?1 AND level = ?2 AND idx = ?3";
        let mut statement = self.db.prepare_cached(sql).ok()?;
        let params = (self.tenant, tile.level, int(tile.index));
        let bytes: Vec<u8> = statement.query_row(params, |row| row.get(0)).ok()?;
        let mut hashes = tile_hashes(&bytes)?;
        let width = usize::from(tile.width);
        (hashes.len() >= width).then(|| {
            hashes.truncate(width);
            hashes
        })
    }

    /// The signed notes of every kept checkpoint, oldest first.
    pub fn checkpoint_notes(&self) -> Result<Vec<String>, ReadError> {
        // Index: the primary key, in order.
        let sql = "SELECT note FROM log_checkpoint WHERE tenant = ?1 ORDER BY slot";
        let mut statement = self.db.prepare_cached(sql)?;
        let notes = statement.query_map([self.tenant], |row| row.get(0))?;
        Ok(notes.collect::<rusqlite::Result<_>>()?)
    }

    /// The signed note in the file beside the database; `None` when there is no such file.
    pub fn side_note(&self) -> Result<Option<String>, ReadError> {
        self.side.clone().map_err(ReadError::Storage)
    }

    /// The server's sealed keys.
    pub fn sealed_keys(&self) -> Result<Vec<SealedKey>, ReadError> {
        Reads { db: &self.db, tenant: self.tenant }.keys()
    }
}
