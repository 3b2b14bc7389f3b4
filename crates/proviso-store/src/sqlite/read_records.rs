//! Reading record versions.

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use rusqlite::{OptionalExtension as _, Row};

use super::codes::{bad, int, method_from_code, type_code, type_from_code, uint};
use super::read::Reads;
use crate::error::ReadError;
use crate::record::{HistoryQuery, RecordMethod, StoredRecord};

/// The columns of a version and its body, in the order that [`RawRecord::read`] expects.
const COLUMNS: &str = "v.seq, v.type, v.id, v.version, v.at, v.method, b.body";

/// A row before it has been found to make sense.
pub(super) struct RawRecord {
    seq: i64,
    kind: i64,
    id: String,
    version: i64,
    at: i64,
    method: i64,
    body: Option<Vec<u8>>,
}

impl RawRecord {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            kind: row.get(1)?,
            id: row.get(2)?,
            version: row.get(3)?,
            at: row.get(4)?,
            method: row.get(5)?,
            body: row.get(6)?,
        })
    }

    pub(super) fn check(self) -> Result<StoredRecord, ReadError> {
        let key = self.seq.to_string();
        let unreadable = |column| bad("record_version", column, &key);
        let method = method_from_code(self.method).ok_or_else(|| unreadable("method"))?;
        if self.body.is_some() == (method == RecordMethod::Delete) {
            return Err(bad("record_body", "body", &key).into());
        }
        Ok(StoredRecord {
            seq: uint(self.seq),
            resource_type: type_from_code(self.kind).ok_or_else(|| unreadable("type"))?,
            id: self.id.parse().map_err(|_| unreadable("id"))?,
            version: uint(self.version),
            at: At::from_micros(self.at),
            method,
            body: self.body,
        })
    }
}

impl Reads<'_> {
    pub(crate) fn latest_seq(&self) -> Result<u64, ReadError> {
        // Index: the primary key, from its end.
        let mut statement =
            self.db.prepare_cached("SELECT coalesce(max(seq), 0) FROM record_version")?;
        Ok(statement.query_row([], |row| row.get(0).map(uint))?)
    }

    pub(crate) fn record(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        as_of: Option<u64>,
    ) -> Result<Option<StoredRecord>, ReadError> {
        // Index: record_version_id, from its end. Version numbers and sequence numbers of one
        // record grow together.
        let sql = "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body
                   FROM record_version v LEFT JOIN record_body b ON b.seq = v.seq
                   WHERE v.tenant = ?1 AND v.type = ?2 AND v.id = ?3 AND v.seq <= ?4
                   ORDER BY v.version DESC LIMIT 1";
        let as_of = as_of.map_or(i64::MAX, int);
        let params = (self.tenant, type_code(resource_type), id.as_str(), as_of);
        let mut statement = self.db.prepare_cached(sql)?;
        let row = statement.query_row(params, RawRecord::read).optional()?;
        row.map(RawRecord::check).transpose()
    }

    pub(crate) fn record_version(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        version: u64,
    ) -> Result<Option<StoredRecord>, ReadError> {
        // Index: record_version_id.
        let sql = "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body
                   FROM record_version v LEFT JOIN record_body b ON b.seq = v.seq
                   WHERE v.tenant = ?1 AND v.type = ?2 AND v.id = ?3 AND v.version = ?4";
        let params = (self.tenant, type_code(resource_type), id.as_str(), int(version));
        let mut statement = self.db.prepare_cached(sql)?;
        let row = statement.query_row(params, RawRecord::read).optional()?;
        row.map(RawRecord::check).transpose()
    }

    pub(crate) fn history(&self, query: &HistoryQuery) -> Result<Vec<StoredRecord>, ReadError> {
        let kind = query.resource_type.map(type_code);
        let id = query.id.as_ref().map(ResourceId::as_str);
        // Indexes: record_version_id with an id, record_version_type with a type, else the primary
        // key; each from its end.
        let narrowed = match (kind, id) {
            (Some(_), Some(_)) => "v.type = ?2 AND v.id = ?3",
            (Some(_), None) => "v.type = ?2 AND ?3 IS NULL",
            (None, Some(_)) => "?2 IS NULL AND v.id = ?3",
            (None, None) => "?2 IS NULL AND ?3 IS NULL",
        };
        let order = if kind.is_some() && id.is_some() { "v.version" } else { "v.seq" };
        let sql = format!(
            "SELECT {COLUMNS}
             FROM record_version v LEFT JOIN record_body b ON b.seq = v.seq
             WHERE v.tenant = ?1 AND {narrowed} AND v.seq < ?4 AND v.at >= ?5
             ORDER BY {order} DESC LIMIT ?6"
        );
        let params = (
            self.tenant,
            kind,
            id,
            query.before_seq.map_or(i64::MAX, int),
            query.since.map_or(i64::MIN, At::as_micros),
            i64::try_from(query.limit).unwrap_or(i64::MAX),
        );
        self.rows(&sql, params, RawRecord::read)?.into_iter().map(RawRecord::check).collect()
    }

    pub(crate) fn count_records(&self) -> Result<u64, ReadError> {
        // A scan of the current versions; asked for rarely.
        let mut statement = self.db.prepare_cached(
            "SELECT count(*) FROM record_version
             WHERE tenant = ?1 AND to_seq = 9223372036854775807 AND method <> 3",
        )?;
        Ok(statement.query_row((self.tenant,), |row| row.get(0).map(uint))?)
    }
}
