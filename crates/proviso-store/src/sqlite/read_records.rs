//! Reading record versions.

use proviso_core::id::{PatientId, ResourceId};
use proviso_core::label::LabelSetVersion;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params_from_iter};

use super::codes::{bad, int, method_from_code, to_json, type_code, type_from_code, uint};
use super::read::Reads;
use crate::error::ReadError;
use crate::record::{FoundLabels, HistoryQuery, LabelCounts, RecordMethod, StoredRecord};

/// A row of a version and its body before it has been found to make sense.
pub(super) struct RawRecord {
    seq: i64,
    kind: i64,
    id: String,
    version: i64,
    at: i64,
    method: i64,
    body: Option<Vec<u8>>,
    labels: Option<String>,
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
            labels: row.get(7)?,
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
            labels: match self.labels {
                None => FoundLabels::default(),
                Some(text) => serde_json::from_str(&text).map_err(|_| unreadable("labels"))?,
            },
        })
    }
}

// A leading plus takes a term out of the choice of index. `hot_queries_use_their_indexes` reads the
// plans of these.

/// Index: record_version_id, from its end, and not all versions of the type. Version numbers and
/// sequence numbers of one record grow together.
pub(super) const RECORD: &str =
    "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body, v.labels
     FROM record_version v LEFT JOIN record_body b ON b.seq = v.seq
     WHERE v.tenant = ?1 AND v.type = ?2 AND v.id = ?3 AND +v.seq <= ?4
     ORDER BY v.version DESC LIMIT 1";

/// Index: record_version_id.
pub(super) const RECORD_VERSION: &str =
    "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body, v.labels
     FROM record_version v LEFT JOIN record_body b ON b.seq = v.seq
     WHERE v.tenant = ?1 AND v.type = ?2 AND v.id = ?3 AND v.version = ?4";

/// Index: the primary key, from where the last look ended.
pub(super) const STALE_LABELS: &str =
    "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body, v.labels
     FROM record_version v CROSS JOIN record_body b ON b.seq = v.seq
     WHERE v.seq > ?1 AND +v.tenant = ?2 AND v.label_set IS DISTINCT FROM ?3
     ORDER BY v.seq LIMIT ?4";

/// Index: record_version_on_file, in order. What the pictures of choices are called is left out in
/// the words of that index, or SQLite would not use it.
pub(super) const ON_FILE: &str =
    "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body, v.labels
     FROM record_version v INDEXED BY record_version_on_file
     CROSS JOIN record_body b ON b.seq = v.seq
     WHERE v.type = 28 AND NOT (v.id GLOB 'cns-?*' AND v.id NOT GLOB '*.*')
       AND v.tenant = ?1 AND v.id > ?2 AND v.to_seq = 9223372036854775807 AND v.method <> 3
     ORDER BY v.id LIMIT ?3";

/// Index: record_version_type, from where the last look ended.
pub(super) const CHANGES: &str =
    "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body, v.labels
     FROM record_version v LEFT JOIN record_body b ON b.seq = v.seq
     WHERE v.tenant = ?1 AND v.type = ?2 AND v.seq > ?3
     ORDER BY v.seq LIMIT ?4";

/// Index: the primary key of record_patient, from where the last look ended.
pub(super) const CHANGES_OF: &str =
    "SELECT v.seq, v.type, v.id, v.version, v.at, v.method, b.body, v.labels
     FROM record_patient p CROSS JOIN record_version v ON v.seq = p.seq
     LEFT JOIN record_body b ON b.seq = p.seq
     WHERE p.tenant = ?1 AND p.type = ?2 AND p.seq > ?3 AND p.patient = ?5
     ORDER BY p.seq LIMIT ?4";

impl Reads<'_> {
    pub(crate) fn changes(
        &self,
        resource_type: ResourceType,
        patient: Option<&PatientId>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (tenant, kind, after) = (self.tenant, type_code(resource_type), int(after));
        let rows = match patient {
            None => self.rows(CHANGES, (tenant, kind, after, limit), RawRecord::read)?,
            Some(patient) => {
                let params = (tenant, kind, after, limit, patient.as_str());
                self.rows(CHANGES_OF, params, RawRecord::read)?
            }
        };
        rows.into_iter().map(RawRecord::check).collect()
    }

    pub(crate) fn consents_on_file(
        &self,
        after: Option<&ResourceId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = after.map_or("", ResourceId::as_str);
        let rows = self.rows(ON_FILE, (self.tenant, after, limit), RawRecord::read)?;
        rows.into_iter().map(RawRecord::check).collect()
    }

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
        let as_of = as_of.map_or(i64::MAX, int);
        let params = (self.tenant, type_code(resource_type), id.as_str(), as_of);
        let mut statement = self.db.prepare_cached(RECORD)?;
        let row = statement.query_row(params, RawRecord::read).optional()?;
        row.map(RawRecord::check).transpose()
    }

    pub(crate) fn record_version(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        version: u64,
    ) -> Result<Option<StoredRecord>, ReadError> {
        let params = (self.tenant, type_code(resource_type), id.as_str(), int(version));
        let mut statement = self.db.prepare_cached(RECORD_VERSION)?;
        let row = statement.query_row(params, RawRecord::read).optional()?;
        row.map(RawRecord::check).transpose()
    }

    pub(crate) fn history(&self, query: &HistoryQuery) -> Result<Vec<StoredRecord>, ReadError> {
        let (sql, values) = self.history_sql(query)?;
        let rows = self.rows(&sql, params_from_iter(values), RawRecord::read)?;
        rows.into_iter().map(RawRecord::check).collect()
    }

    /// The SQL and its values; apart from running it, so that a test can read its plan.
    pub(super) fn history_sql(
        &self,
        query: &HistoryQuery,
    ) -> Result<(String, Vec<Value>), ReadError> {
        let kind = query.resource_type.map(type_code);
        let id = query.id.as_ref().map(ResourceId::as_str);
        // Indexes: record_version_id with an id, record_version_type with a type, else the primary
        // key; each from its end.
        let narrowed = match (kind, id) {
            // A leading plus takes a term out of the choice of index: what is read must be the
            // versions of the id or of the patients, not those of the type.
            (Some(_), Some(_)) => "v.tenant = ?1 AND v.type = ?2 AND v.id = ?3 AND +v.seq < ?4",
            (Some(_), None) if query.patients.is_some() => {
                "+v.tenant = ?1 AND +v.type = ?2 AND ?3 IS NULL AND v.seq < ?4"
            }
            (Some(_), None) => "v.tenant = ?1 AND v.type = ?2 AND ?3 IS NULL AND v.seq < ?4",
            (None, Some(_)) => "v.tenant = ?1 AND ?2 IS NULL AND v.id = ?3 AND v.seq < ?4",
            (None, None) => "v.tenant = ?1 AND ?2 IS NULL AND ?3 IS NULL AND v.seq < ?4",
        };
        let of_patients = match (&query.patients, kind, id) {
            (None, _, _) => "?7 IS NULL",
            // Index: the primary key of record_patient; then the primary key of record_version.
            (Some(_), Some(_), None) => {
                "v.seq IN (SELECT p.seq FROM json_each(?7) j CROSS JOIN record_patient p
                           WHERE p.tenant = ?1 AND p.type = ?2 AND p.patient = j.value
                             AND p.seq < ?4)"
            }
            // Index: record_patient_seq, probed for each version.
            (Some(_), _, _) => {
                "EXISTS (SELECT 1 FROM record_patient p INDEXED BY record_patient_seq
                         WHERE p.seq = v.seq
                           AND +p.patient IN (SELECT value FROM json_each(?7)))"
            }
        };
        let order = if kind.is_some() && id.is_some() { "v.version" } else { "v.seq" };
        // Bodies are fetched last, for the rows of the page only. Version numbers and sequence
        // numbers of one record grow together.
        let sql = format!(
            "SELECT page.seq, page.type, page.id, page.version, page.at, page.method, b.body,
                    page.labels FROM (
                 SELECT v.seq, v.type, v.id, v.version, v.at, v.method, v.labels
                 FROM record_version v
                 WHERE {narrowed} AND v.at >= ?5 AND {of_patients}
                 ORDER BY {order} DESC LIMIT ?6
             ) page LEFT JOIN record_body b ON b.seq = page.seq ORDER BY page.seq DESC"
        );
        let patients: Option<Vec<&str>> =
            query.patients.as_ref().map(|all| all.iter().map(PatientId::as_str).collect());
        let patients = patients.map(|all| to_json(&all)).transpose();
        let patients = patients.map_err(|why| ReadError::Storage(why.to_string()))?;
        let values = vec![
            Value::from(self.tenant),
            Value::from(kind),
            Value::from(id.map(str::to_owned)),
            Value::from(query.before_seq.map_or(i64::MAX, int)),
            Value::from(query.since.map_or(i64::MIN, At::as_micros)),
            Value::from(i64::try_from(query.limit).unwrap_or(i64::MAX)),
            Value::from(patients),
        ];
        Ok((sql, values))
    }

    fn label_set(&self, version: &LabelSetVersion) -> Result<Option<i64>, ReadError> {
        // Index: label_set_version.
        let sql = "SELECT no FROM label_set WHERE tenant = ?1 AND version = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row((self.tenant, version.as_str()), |row| row.get(0)).optional()?)
    }

    pub(crate) fn stale_labels(
        &self,
        set: &LabelSetVersion,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        // A set that has no number yet has labelled nothing; no set has the number 0.
        let set = self.label_set(set)?.unwrap_or(0);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            self.rows(STALE_LABELS, (int(after), self.tenant, set, limit), RawRecord::read)?;
        rows.into_iter().map(RawRecord::check).collect()
    }

    pub(crate) fn label_counts(&self, set: &LabelSetVersion) -> Result<LabelCounts, ReadError> {
        // A set that has no number yet has labelled nothing; no set has the number 0.
        let set = self.label_set(set)?.unwrap_or(0);
        // A scan of all versions; asked for rarely.
        let mut statement = self.db.prepare_cached(
            "SELECT count(*) FILTER (WHERE label_set IS NOT DISTINCT FROM ?2),
                    count(*) FILTER (WHERE label_set IS DISTINCT FROM ?2)
             FROM record_version WHERE tenant = ?1 AND method <> 3",
        )?;
        let counts = statement.query_row((self.tenant, set), |row| {
            Ok(LabelCounts { labelled: uint(row.get(0)?), stale: uint(row.get(1)?) })
        })?;
        Ok(counts)
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
