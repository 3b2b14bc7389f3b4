//! Reading the audit log for those who search it or serve it.

use proviso_core::id::AuditEntryId;
use proviso_core::time::At;
use proviso_tlog::proof::TileReader;
use proviso_tlog::tile::tile_hashes;
use proviso_tlog::{Hash, TileId};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params_from_iter};

use super::codes::{bad, int, kind_code, kind_from_code, outcome_code, outcome_from_code, uint};
use super::read::Reads;
use crate::error::ReadError;
use crate::log::{AuditQuery, SealedAudit, StoredAudit, StoredCheckpoint, SubjectKey};

/// An entry's row before it has been found to make sense.
pub(super) struct RawEntry {
    pub(super) index: i64,
    pub(super) id: String,
    pub(super) at: i64,
    pub(super) kind: String,
    pub(super) outcome: String,
    pub(super) leaf: Vec<u8>,
    pub(super) salt: Vec<u8>,
    pub(super) subjects: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// The columns of an entry, in the order that [`RawEntry::read`] expects.
pub(super) const COLUMNS: &str =
    "e.idx, e.id, e.at, e.kind, e.outcome, e.leaf, e.salt, e.subjects, e.body";

impl RawEntry {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            index: row.get(0)?,
            id: row.get(1)?,
            at: row.get(2)?,
            kind: row.get(3)?,
            outcome: row.get(4)?,
            leaf: row.get(5)?,
            salt: row.get(6)?,
            subjects: row.get(7)?,
            body: row.get(8)?,
        })
    }

    pub(super) fn check(self) -> Result<StoredAudit, ReadError> {
        let key = self.index.to_string();
        let unreadable = |column| bad("audit_entry", column, &key);
        let (subjects, cut) = self.subjects.as_chunks::<32>();
        if !cut.is_empty() {
            return Err(unreadable("subjects").into());
        }
        let id: AuditEntryId = self.id.parse().map_err(|_| unreadable("id"))?;
        let entry = SealedAudit {
            id,
            at: At::from_micros(self.at),
            kind: kind_from_code(&self.kind).ok_or_else(|| unreadable("kind"))?,
            outcome: outcome_from_code(&self.outcome).ok_or_else(|| unreadable("outcome"))?,
            leaf: self.leaf,
            body: self.body,
            salt: self.salt.try_into().map_err(|_| unreadable("salt"))?,
            subjects: subjects.to_vec(),
        };
        Ok(StoredAudit { index: uint(self.index), entry })
    }
}

impl Reads<'_> {
    pub(crate) fn audit_page(&self, query: &AuditQuery) -> Result<Vec<StoredAudit>, ReadError> {
        let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind_code(*kind)).collect();
        let kinds = (!kinds.is_empty())
            .then(|| serde_json::to_string(&kinds))
            .transpose()
            .map_err(|why| ReadError::Storage(why.to_string()))?;
        let text = |value: Option<String>| value.map_or(Value::Null, Value::Text);
        let mut values = vec![
            Value::from(self.tenant),
            Value::from(query.before.map_or(i64::MAX, int)),
            Value::from(query.from.map_or(i64::MIN, At::as_micros)),
            query.to.map_or(Value::Null, |to| Value::from(to.as_micros())),
            text(kinds),
            text(query.outcome.map(|outcome| outcome_code(outcome).to_owned())),
            Value::from(i64::try_from(query.limit).unwrap_or(i64::MAX)),
        ];
        let sql = audit_sql(&query.subjects, &mut values);
        self.rows(&sql, params_from_iter(values), RawEntry::read)?
            .into_iter()
            .map(RawEntry::check)
            .collect()
    }

    pub(crate) fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, ReadError> {
        // Index: the primary key, from its end.
        let mut statement = self.db.prepare_cached(
            "SELECT size, root, note FROM log_checkpoint WHERE tenant = ?1
             ORDER BY slot DESC LIMIT 1",
        )?;
        let row: Option<(i64, Vec<u8>, String)> = statement
            .query_row((self.tenant,), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((size, root, note)) = row else { return Ok(None) };
        let root = root.try_into().map_err(|_| bad("log_checkpoint", "root", &size.to_string()))?;
        Ok(Some(StoredCheckpoint { size: uint(size), root, note }))
    }

    pub(crate) fn log_root(&self, size: u64) -> Result<Option<Hash>, ReadError> {
        let found = self.checkpoint()?.map_or(0, |latest| latest.size);
        if size > found {
            return Ok(None);
        }
        let hashes = |tile| tile_hashes(&self.tile(tile).ok().flatten()?);
        let root = TileReader::new(found, hashes).root(size);
        root.map(Some).map_err(|why| ReadError::Storage(why.to_string()))
    }

    pub(crate) fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        // Index: audit_entry_idx.
        self.rows(
            "SELECT leaf FROM audit_entry WHERE tenant = ?1 AND idx >= ?2 ORDER BY idx LIMIT ?3",
            (self.tenant, int(from), i64::try_from(limit).unwrap_or(i64::MAX)),
            |row| row.get(0),
        )
    }

    pub(crate) fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, ReadError> {
        // Index: log_tile_idx.
        let mut statement = self.db.prepare_cached(
            "SELECT hashes FROM log_tile WHERE tenant = ?1 AND level = ?2 AND idx = ?3",
        )?;
        let hashes: Option<Vec<u8>> = statement
            .query_row((self.tenant, tile.level, int(tile.index)), |row| row.get(0))
            .optional()?;
        let wanted = usize::from(tile.width) * 32;
        Ok(hashes.filter(|hashes| hashes.len() >= wanted).map(|mut hashes| {
            hashes.truncate(wanted);
            hashes
        }))
    }
}

/// Indexes: the primary key of audit_subject with a pseudonym, else audit_entry_idx; both from
/// their ends.
fn audit_sql(subjects: &[SubjectKey], values: &mut Vec<Value>) -> String {
    let mut bind = |subject: &SubjectKey| {
        values.push(Value::from(subject.to_vec()));
        values.len()
    };
    let (from, order) = match subjects.first() {
        Some(first) => {
            let first = bind(first);
            let from = format!(
                "audit_subject s CROSS JOIN audit_entry e ON e.tenant = ?1 AND e.idx = s.idx
                 WHERE s.tenant = ?1 AND s.subject = ?{first} AND s.idx < ?2"
            );
            (from, "s.idx")
        }
        None => ("audit_entry e WHERE e.tenant = ?1 AND e.idx < ?2".to_owned(), "e.idx"),
    };
    let others: Vec<String> = subjects
        .iter()
        .skip(1)
        .map(|subject| {
            let subject = bind(subject);
            format!(
                "AND EXISTS (SELECT 1 FROM audit_subject o
                             WHERE o.tenant = ?1 AND o.subject = ?{subject} AND o.idx = e.idx)"
            )
        })
        .collect();
    let others = others.join("\n");
    format!(
        "SELECT {COLUMNS} FROM {from}
         AND e.at >= ?3 AND (?4 IS NULL OR e.at < ?4)
         AND (?5 IS NULL OR e.kind IN (SELECT value FROM json_each(?5)))
         AND (?6 IS NULL OR e.outcome = ?6)
         {others}
         ORDER BY {order} DESC LIMIT ?7"
    )
}
