//! Finding the current versions that fit every clause, in the order of their ids.
//!
//! Two ways lead to the same rows. When some clause names few versions, those are fetched, the rest
//! of the clauses checked on each, and the result sorted. When every clause names many, the
//! versions of the type are walked in the order of their ids and each is checked, which ends after
//! about `limit` hits. Which way is shorter is found out by counting, up to a bound.

use proviso_core::id::{PatientId, ResourceId};
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::codes::{int, to_json, type_code};
use super::read::Reads;
use super::read_records::RawRecord;
use crate::error::ReadError;
use crate::record::{CandidateQuery, Clause, StoredRecord};

/// LIMIT: a clause that names this many versions or more is not worth starting from.
const SELECTIVE_MAX: i64 = 4096;

/// SQL in the making: numbered parameters and their values.
struct Query {
    values: Vec<Value>,
}

impl Query {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn bind_list<T: serde::Serialize>(&mut self, list: &[T]) -> Result<String, ReadError> {
        let json = to_json(&list).map_err(|why| ReadError::Storage(why.to_string()))?;
        Ok(self.bind(json))
    }

    /// The sequence numbers that a clause names, from its index; `None` when it has no such index.
    fn driver(&mut self, clause: &Clause) -> Result<Option<String>, ReadError> {
        Ok(match clause {
            // Index: the primary key of record_key.
            Clause::AnyKey(keys) => match keys.as_slice() {
                [key] => {
                    let key = self.bind(*key);
                    Some(format!(
                        "SELECT k.seq FROM record_key k
                         WHERE k.tenant = ?1 AND k.type = ?2 AND k.key = {key} AND k.seq <= ?3"
                    ))
                }
                keys => {
                    let keys = self.bind_list(keys)?;
                    Some(format!(
                        "SELECT k.seq FROM json_each({keys}) j CROSS JOIN record_key k
                         WHERE k.tenant = ?1 AND k.type = ?2 AND k.key = j.value AND k.seq <= ?3"
                    ))
                }
            },
            // Index: record_version_id.
            Clause::Ids(ids) => {
                let ids: Vec<&str> = ids.iter().map(ResourceId::as_str).collect();
                let ids = self.bind_list(&ids)?;
                Some(format!(
                    "SELECT i.seq FROM json_each({ids}) j CROSS JOIN record_version i
                     WHERE i.tenant = ?1 AND i.type = ?2 AND i.id = j.value AND +i.seq <= ?3"
                ))
            }
            // Index: the primary key of record_patient.
            Clause::Patients(patients) => {
                let patients: Vec<&str> = patients.iter().map(PatientId::as_str).collect();
                let patients = self.bind_list(&patients)?;
                Some(format!(
                    "SELECT p.seq FROM json_each({patients}) j CROSS JOIN record_patient p
                     WHERE p.tenant = ?1 AND p.type = ?2 AND p.patient = j.value AND p.seq <= ?3"
                ))
            }
            // Overlap of intervals has no index that bounds it on both sides.
            Clause::Range { .. } => None,
        })
    }

    /// A condition on the version `v` at hand.
    fn condition(&mut self, clause: &Clause) -> Result<String, ReadError> {
        Ok(match clause {
            // Index: the primary key of record_key, probed once for each key.
            Clause::AnyKey(keys) => match keys.as_slice() {
                [key] => {
                    let key = self.bind(*key);
                    format!(
                        "EXISTS (SELECT 1 FROM record_key k WHERE k.tenant = ?1 AND k.type = ?2
                                 AND k.key = {key} AND k.seq = v.seq)"
                    )
                }
                keys => {
                    let keys = self.bind_list(keys)?;
                    format!(
                        "EXISTS (SELECT 1 FROM json_each({keys}) j CROSS JOIN record_key k
                                 WHERE k.tenant = ?1 AND k.type = ?2 AND k.key = j.value
                                   AND k.seq = v.seq)"
                    )
                }
            },
            // Index: the primary key of record_range.
            Clause::Range { param, low, high } => {
                let param = self.bind(i64::from(*param));
                let (low, high) = (self.bind(*low), self.bind(*high));
                format!(
                    "EXISTS (SELECT 1 FROM record_range r WHERE r.seq = v.seq
                             AND r.param = {param} AND r.low <= {high} AND r.high >= {low})"
                )
            }
            Clause::Ids(ids) => {
                let ids: Vec<&str> = ids.iter().map(ResourceId::as_str).collect();
                let ids = self.bind_list(&ids)?;
                format!("v.id IN (SELECT value FROM json_each({ids}))")
            }
            // Index: record_patient_seq. The list is read once, not once for each version.
            Clause::Patients(patients) => {
                let patients: Vec<&str> = patients.iter().map(PatientId::as_str).collect();
                let patients = self.bind_list(&patients)?;
                format!(
                    "EXISTS (SELECT 1 FROM record_patient p INDEXED BY record_patient_seq
                             WHERE p.seq = v.seq
                               AND +p.patient IN (SELECT value FROM json_each({patients})))"
                )
            }
        })
    }
}

impl Reads<'_> {
    pub(crate) fn candidates(
        &self,
        query: &CandidateQuery,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let (sql, values) = self.candidates_sql(query, SELECTIVE_MAX)?;
        let rows = self.rows(&sql, params_from_iter(values), RawRecord::read)?;
        rows.into_iter().map(RawRecord::check).collect()
    }

    /// The SQL and its values; apart from running it, so that a test can read its plan.
    pub(super) fn candidates_sql(
        &self,
        query: &CandidateQuery,
        selective_max: i64,
    ) -> Result<(String, Vec<Value>), ReadError> {
        let start = self.most_selective(query, selective_max)?;
        let mut sql = Query { values: self.fixed_values(query) };
        let after = sql.bind(query.after.as_ref().map_or("", ResourceId::as_str).to_owned());
        let limit = sql.bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
        let mut conditions = Vec::new();
        let from_few = start.and_then(|start| query.clauses.get(start));
        let from_few = from_few.map(|clause| sql.driver(clause)).transpose()?.flatten();
        // A leading plus takes a term out of the choice of index, so that the plan is the one that
        // was chosen here.
        let (hint, order) = match &from_few {
            Some(few) => {
                conditions.push(format!("v.seq IN ({few})"));
                ("+", "+v.id")
            }
            None => ("", "v.id"),
        };
        for (position, clause) in query.clauses.iter().enumerate() {
            if from_few.is_none() || Some(position) != start {
                conditions.push(sql.condition(clause)?);
            }
        }
        // Bodies are fetched last, for the rows of the page only.
        let mut text = format!(
            "SELECT page.seq, page.type, page.id, page.version, page.at, page.method, b.body,
                    page.labels FROM (
                 SELECT v.seq, v.type, v.id, v.version, v.at, v.method, v.labels
                 FROM record_version v
                 WHERE {hint}v.tenant = ?1 AND {hint}v.type = ?2 AND {hint}v.id > {after}
                   AND +v.seq <= ?3 AND v.to_seq > ?3 AND v.method <> 3"
        );
        for condition in conditions {
            text.push_str("\n AND ");
            text.push_str(&condition);
        }
        text.push_str("\n ORDER BY ");
        text.push_str(order);
        text.push_str(" LIMIT ");
        text.push_str(&limit);
        text.push_str(") page CROSS JOIN record_body b ON b.seq = page.seq ORDER BY page.id");
        Ok((text, sql.values))
    }

    fn fixed_values(&self, query: &CandidateQuery) -> Vec<Value> {
        vec![
            Value::from(self.tenant),
            Value::from(type_code(query.resource_type)),
            // Below the end of the versions that are current now, which is the largest number.
            Value::from(int(query.as_of).min(i64::MAX - 1)),
        ]
    }

    /// The clause that names the fewest versions, if any names few.
    fn most_selective(
        &self,
        query: &CandidateQuery,
        selective_max: i64,
    ) -> Result<Option<usize>, ReadError> {
        let mut best: Option<(i64, usize)> = None;
        // Ids and patients most often name few; counting them first bounds the other counts.
        let mut clauses: Vec<_> = query.clauses.iter().enumerate().collect();
        clauses.sort_by_key(|(_, clause)| match clause {
            Clause::Ids(_) => 0,
            Clause::Patients(_) => 1,
            Clause::AnyKey(_) | Clause::Range { .. } => 2,
        });
        for (position, clause) in clauses {
            let mut sql = Query { values: self.fixed_values(query) };
            let bound = best.map_or(selective_max, |(count, _)| count);
            let Some(named) = sql.driver(clause)? else { continue };
            let limit = sql.bind(bound);
            let text = format!("SELECT count(*) FROM ({named} LIMIT {limit})");
            let mut statement = self.db.prepare_cached(&text)?;
            let count: i64 = statement.query_row(params_from_iter(sql.values), |row| row.get(0))?;
            if count < bound {
                best = Some((count, position));
            }
            if count == 0 {
                break;
            }
        }
        Ok(best.map(|(_, position)| position))
    }
}
