//! Looking at the audit log from outside: raw rows, nothing assumed, also of a damaged file.

use std::path::Path;

use proviso_core::id::{ConsentVersionId, ResourceId, TenantId};
use proviso_core::resource_type::ResourceType;
use proviso_oauth::record::SealedKey;
use proviso_tlog::TileId;
use proviso_tlog::tile::tile_hashes;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row};

use super::codes::{int, uint};
use super::connection;
use super::read::Reads;
use super::read_log::{COLUMNS, RawEntry};
use super::side_file::SideFile;
use crate::choice::StoredConsent;
use crate::error::{OpenError, ReadError};
use crate::record::StoredRecord;

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
    /// Whether the row says the same place as the index that led to it.
    pub placed: bool,
}

/// A kept checkpoint as its row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCheckpoint {
    /// Which run of 256 entries it is kept for.
    pub slot: i64,
    /// How many entries it covers, as the row says.
    pub size: u64,
    /// The root, as the row says.
    pub root: Vec<u8>,
    /// The signed note.
    pub note: String,
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
        let failed = |why: rusqlite::Error| match why.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Unreadable(why.to_string()),
            _ => OpenError::Storage(why.to_string()),
        };
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
            "SELECT {COLUMNS}, e.no FROM audit_entry e WHERE e.tenant = ?1 AND e.idx >= ?2
             ORDER BY e.idx LIMIT ?3"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map((self.tenant, int(from), limit), |row| {
                Ok((RawEntry::read(row)?, row.get::<_, i64>(9)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter().map(|(row, no)| self.with_index(row, no)).collect()
    }

    fn with_index(&self, row: RawEntry, no: i64) -> Result<RawAuditEntry, ReadError> {
        // SQLite answers `idx` from the index; what the row itself says is asked by its number.
        let mut own = self.db.prepare_cached(
            "SELECT count(*) FROM audit_entry NOT INDEXED WHERE no = ?1 AND tenant = ?2 AND idx = ?3",
        )?;
        let placed = own.query_row((no, self.tenant, row.index), |row| row.get::<_, i64>(0))? == 1;
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
            placed,
        })
    }

    /// The hashes of a tile, cut to the wanted width; `None` when it is missing or shorter.
    pub fn tile(&self, tile: TileId) -> Option<Vec<proviso_tlog::Hash>> {
        // Index: log_tile_idx.
        let sql = "SELECT hashes, no FROM log_tile WHERE tenant = ?1 AND level = ?2 AND idx = ?3";
        let mut statement = self.db.prepare_cached(sql).ok()?;
        let params = (self.tenant, tile.level, int(tile.index));
        let (bytes, no): (Vec<u8>, i64) =
            statement.query_row(params, |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
        // As with entries: the row itself must say which tile it is.
        let mut own = self
            .db
            .prepare_cached(
                "SELECT 1 FROM log_tile NOT INDEXED
                 WHERE no = ?1 AND tenant = ?2 AND level = ?3 AND idx = ?4",
            )
            .ok()?;
        own.query_row((no, self.tenant, tile.level, int(tile.index)), |_| Ok(())).ok()?;
        let mut hashes = tile_hashes(&bytes)?;
        let width = usize::from(tile.width);
        (hashes.len() >= width).then(|| {
            hashes.truncate(width);
            hashes
        })
    }

    /// Every stored tile with its width.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tiles(&self) -> Result<Vec<TileId>, ReadError> {
        // Index: log_tile_idx, in order.
        let sql = "SELECT level, idx, length(hashes) / 32 FROM log_tile WHERE tenant = ?1
                   ORDER BY level, idx";
        let mut statement = self.db.prepare_cached(sql)?;
        let tiles = statement.query_map([self.tenant], |row| {
            Ok(TileId { level: row.get(0)?, index: uint(row.get(1)?), width: row.get(2)? })
        })?;
        Ok(tiles.collect::<rusqlite::Result<_>>()?)
    }

    /// Every kept checkpoint, oldest first; `None` for a row that cannot be read. What comes after
    /// a page that cannot be read is not there at all.
    pub fn checkpoints(&self) -> Vec<Option<RawCheckpoint>> {
        // Index: the primary key, in order.
        let sql =
            "SELECT slot, size, root, note FROM log_checkpoint WHERE tenant = ?1 ORDER BY slot";
        let mut found = Vec::new();
        let Ok(mut statement) = self.db.prepare_cached(sql) else { return vec![None] };
        let Ok(mut rows) = statement.query([self.tenant]) else { return vec![None] };
        loop {
            match rows.next() {
                Ok(None) => return found,
                Ok(Some(row)) => found.push(raw_checkpoint(row).ok()),
                Err(_) => {
                    found.push(None);
                    return found;
                }
            }
        }
    }

    /// Whether the table of kept checkpoints is sound and every row has its tenant. Nobody can
    /// tell from the others that a checkpoint in the middle is gone, so its pages must.
    pub fn checkpoints_are_sound(&self) -> bool {
        let orphan = "SELECT count(*) FROM log_checkpoint NOT INDEXED
                      WHERE tenant NOT IN (SELECT no FROM tenant)";
        let orphans = self.db.query_row(orphan, [], |row| row.get::<_, i64>(0));
        let checked = self
            .db
            .query_row("PRAGMA integrity_check('log_checkpoint')", [], |row| row.get(0))
            .is_ok_and(|said: String| said == "ok");
        orphans.is_ok_and(|count| count == 0) && checked
    }

    /// The signed note in the file beside the database; `None` when there is no such file.
    pub fn side_note(&self) -> Result<Option<String>, ReadError> {
        self.side.clone().map_err(ReadError::Storage)
    }

    /// The consent version with a name, if it is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn consent_version(
        &self,
        id: &ConsentVersionId,
    ) -> Result<Option<StoredConsent>, ReadError> {
        Reads { db: &self.db, tenant: self.tenant }.consent_version(id)
    }

    /// One version of a record, if it is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record_version(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        version: u64,
    ) -> Result<Option<StoredRecord>, ReadError> {
        Reads { db: &self.db, tenant: self.tenant }.record_version(resource_type, id, version)
    }

    /// A setting.
    pub fn setting(&self, key: &str) -> Result<Option<String>, ReadError> {
        Reads { db: &self.db, tenant: self.tenant }.setting(key)
    }

    /// The server's sealed keys.
    pub fn sealed_keys(&self) -> Result<Vec<SealedKey>, ReadError> {
        Reads { db: &self.db, tenant: self.tenant }.keys()
    }
}

fn raw_checkpoint(row: &Row<'_>) -> rusqlite::Result<RawCheckpoint> {
    Ok(RawCheckpoint {
        slot: row.get(0)?,
        size: uint(row.get(1)?),
        root: row.get(2)?,
        note: row.get(3)?,
    })
}
