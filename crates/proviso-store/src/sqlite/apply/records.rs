//! Record versions with their search keys.

use std::fmt::Write as _;
use std::sync::LazyLock;

use proviso_core::label::LabelSetVersion;
use rusqlite::ToSql;

use super::super::codes::{int, method_code, to_json, type_code, uint};
use super::super::tx::{OpError, Tx, require};
use crate::batch::Precondition;
use crate::record::{Expect, RecordLabels, RecordMethod, RecordVersion};

/// How many keys one statement inserts: stepping a statement costs more than a row of it.
const KEYS_AT_ONCE: usize = 16;

static INSERT_KEYS: LazyLock<String> = LazyLock::new(|| {
    // OR FAIL: these keys cannot exist, since their sequence number is new, and without it SQLite
    // would keep a journal of its own for each statement.
    let mut sql = "INSERT OR FAIL INTO record_key (tenant, type, key, seq) VALUES ".to_owned();
    for row in 0..KEYS_AT_ONCE {
        let comma = if row == 0 { "" } else { ", " };
        if write!(sql, "{comma}(?1, ?2, ?{}, ?3)", row + 4).is_err() {
            break;
        }
    }
    sql
});

struct Newest {
    seq: i64,
    version: u64,
    deleted: bool,
}

/// The text of what was found; most often nothing was.
fn text_of(labels: &RecordLabels) -> Result<Option<String>, OpError> {
    if labels.found.is_empty() {
        return Ok(None);
    }
    to_json(&labels.found).map(Some).map_err(OpError::Batch)
}

impl Tx<'_> {
    fn newest_version(&self, record: &RecordVersion) -> Result<Option<Newest>, OpError> {
        // Index: record_version_id, from its end.
        self.one(
            "SELECT seq, version, method FROM record_version
             WHERE tenant = ?1 AND type = ?2 AND id = ?3 ORDER BY version DESC LIMIT 1",
            (self.tenant, type_code(record.resource_type), record.id.as_str()),
            |row| {
                let method: i64 = row.get(2)?;
                Ok(Newest {
                    seq: row.get(0)?,
                    version: uint(row.get(1)?),
                    deleted: method == method_code(RecordMethod::Delete),
                })
            },
        )
    }

    pub(super) fn put_record(
        &self,
        record: &RecordVersion,
        expect: Expect,
        seq: u64,
    ) -> Result<(), OpError> {
        if record.body.is_none() != (record.method == RecordMethod::Delete) {
            return Err(Precondition::Contradiction.into());
        }
        let newest = self.newest_version(record)?;
        let current = newest.as_ref().map(|newest| newest.version);
        let live = newest.as_ref().is_some_and(|newest| !newest.deleted);
        let fits = match expect {
            Expect::Absent => current.is_none(),
            Expect::Version(version) => live && current == Some(version),
            Expect::AbsentOrDeleted => !live,
            Expect::Any => true,
        };
        if !fits || record.version != current.unwrap_or(0) + 1 {
            return Err(Precondition::VersionConflict { current }.into());
        }
        if let Some(newest) = newest {
            // Index: the primary key.
            self.run_one(
                "UPDATE record_version SET to_seq = ?1 WHERE seq = ?2",
                (int(seq), newest.seq),
            )?;
        }
        self.insert_version(record, seq)?;
        if let Some(body) = &record.body {
            self.run_one(
                "INSERT INTO record_body (seq, tenant, body) VALUES (?1, ?2, ?3)",
                (int(seq), self.tenant, body),
            )?;
        }
        self.insert_search_rows(record, seq)
    }

    fn insert_version(&self, record: &RecordVersion, seq: u64) -> Result<(), OpError> {
        let labels = record.labels.as_ref();
        let set = labels.map(|labels| self.label_set(&labels.set)).transpose()?;
        self.run_one(
            "INSERT INTO record_version
                 (seq, tenant, type, id, version, at, method, label_set, labels)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                int(seq),
                self.tenant,
                type_code(record.resource_type),
                record.id.as_str(),
                int(record.version),
                record.at.as_micros(),
                method_code(record.method),
                set,
                labels.map(text_of).transpose()?.flatten(),
            ),
        )
    }

    /// The number of a rule set, made if it is new.
    fn label_set(&self, version: &LabelSetVersion) -> Result<i64, OpError> {
        // Index: label_set_version.
        let find = "SELECT no FROM label_set WHERE tenant = ?1 AND version = ?2";
        let params = (self.tenant, version.as_str());
        if let Some(known) = self.one(find, params, |row| row.get(0))? {
            return Ok(known);
        }
        self.run_one("INSERT INTO label_set (tenant, version) VALUES (?1, ?2)", params)?;
        self.one(find, params, |row| row.get(0))?.ok_or(Precondition::Missing.into())
    }

    pub(super) fn put_labels(&self, seq: u64, labels: &RecordLabels) -> Result<(), OpError> {
        // Index: the primary key.
        let exists = self.exists(
            "SELECT 1 FROM record_version WHERE seq = ?1 AND tenant = ?2 AND method <> 3",
            (int(seq), self.tenant),
        )?;
        require(exists, Precondition::Missing)?;
        let set = self.label_set(&labels.set)?;
        // Index: the primary key.
        self.run_one(
            "UPDATE record_version SET label_set = ?1, labels = ?2 WHERE seq = ?3",
            (set, text_of(labels)?, int(seq)),
        )
    }

    fn insert_search_rows(&self, record: &RecordVersion, seq: u64) -> Result<(), OpError> {
        let (kind, seq) = (type_code(record.resource_type), int(seq));
        let mut keys = record.keys.clone();
        keys.sort_unstable();
        keys.dedup();
        let runs = keys.chunks_exact(KEYS_AT_ONCE);
        let rest = runs.remainder();
        for run in runs {
            let head: [&dyn ToSql; 3] = [&self.tenant, &kind, &seq];
            let params: Vec<&dyn ToSql> =
                head.into_iter().chain(run.iter().map(|key| key as &dyn ToSql)).collect();
            self.run(&INSERT_KEYS, params.as_slice())?;
        }
        for key in rest {
            self.run(
                "INSERT INTO record_key (tenant, type, key, seq) VALUES (?1, ?2, ?3, ?4)",
                (self.tenant, kind, key, seq),
            )?;
        }
        let mut ranges = record.ranges.clone();
        ranges.sort_unstable();
        ranges.dedup();
        for range in ranges {
            self.run(
                "INSERT INTO record_range (tenant, seq, param, low, high)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (self.tenant, seq, range.param, range.low, range.high),
            )?;
        }
        let mut patients: Vec<_> = record.patients.iter().collect();
        patients.sort_unstable();
        patients.dedup();
        for patient in patients {
            self.run(
                "INSERT INTO record_patient (tenant, type, patient, seq) VALUES (?1, ?2, ?3, ?4)",
                (self.tenant, kind, patient.as_str(), seq),
            )?;
        }
        Ok(())
    }
}
