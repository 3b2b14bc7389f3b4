//! What an operation sees of the transaction it runs in.

use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use crate::batch::{CommitError, Precondition};
use crate::error::Inconsistency;

/// Why an operation did not do its work.
#[derive(Debug)]
pub(super) enum OpError {
    /// A precondition did not hold: only this batch fails.
    Precondition(Precondition),
    /// Only this batch fails.
    Batch(CommitError),
    /// The storage failed: the whole transaction fails.
    Storage(String),
}

impl From<Precondition> for OpError {
    fn from(which: Precondition) -> Self {
        Self::Precondition(which)
    }
}

impl From<Inconsistency> for OpError {
    fn from(why: Inconsistency) -> Self {
        Self::Batch(CommitError::Inconsistent(why))
    }
}

impl From<CommitError> for OpError {
    fn from(why: CommitError) -> Self {
        Self::Batch(why)
    }
}

impl From<rusqlite::Error> for OpError {
    fn from(why: rusqlite::Error) -> Self {
        Self::Storage(why.to_string())
    }
}

pub(super) fn require(holds: bool, otherwise: Precondition) -> Result<(), OpError> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// The connection inside a transaction, and whose rows it may touch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    pub(super) tenant: i64,
}

impl Tx<'_> {
    /// The only row of a query, if there is one.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, OpError> {
        Ok(self.db.prepare_cached(sql)?.query_row(params, read).optional()?)
    }

    /// Whether a query has a row.
    pub(super) fn exists(&self, sql: &str, params: impl Params) -> Result<bool, OpError> {
        Ok(self.db.prepare_cached(sql)?.exists(params)?)
    }

    /// Runs a statement and says how many rows it changed.
    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<usize, OpError> {
        Ok(self.db.prepare_cached(sql)?.execute(params)?)
    }

    /// Runs a statement that must change exactly one row.
    pub(super) fn run_one(&self, sql: &str, params: impl Params) -> Result<(), OpError> {
        match self.run(sql, params)? {
            1 => Ok(()),
            changed => Err(OpError::Storage(format!("a write changed {changed} rows, not one"))),
        }
    }
}
