//! What can go wrong when reading.

/// A stored row cannot be read as the value it must be: a bug or a damaged file. Never guessed
/// around, because a guess could widen access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table `{table}`, column `{column}`, row `{row}`")]
pub struct Inconsistency {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The key of the row, as text; never patient data beyond the id.
    pub row: String,
}

/// Why something could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// A stored row cannot be read as what it must be.
    #[error("stored data is inconsistent")]
    Inconsistent(#[from] Inconsistency),
    /// The storage failed.
    #[error("the storage failed: {0}")]
    Storage(String),
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite library in this binary has a known way to corrupt databases.
    #[error("SQLite {found} is older than 3.51.3")]
    LibraryTooOld {
        /// The version linked.
        found: &'static str,
    },
    /// Another process has the database open for writing.
    #[error("the database is in use by another process")]
    InUse,
    /// The database was written by a newer release.
    #[error("the database has schema {found}, this release knows up to {known}")]
    NewerSchema {
        /// The schema of the database.
        found: u32,
        /// The newest schema this release knows.
        known: u32,
    },
    /// A migration that was applied has been changed since.
    #[error("migration {number} differs from the one that was applied")]
    MigrationChanged {
        /// Its number.
        number: u32,
    },
    /// The audit log holds less than what was once acknowledged.
    #[error("the audit log has {found} entries, but {acknowledged} were acknowledged")]
    LogTruncated {
        /// How many are there.
        found: u64,
        /// How many the checkpoint beside the database covers.
        acknowledged: u64,
    },
    /// The audit log contradicts its own tiles or checkpoint.
    #[error("the audit log is damaged: {0}; run `proviso verify`")]
    LogDamaged(String),
    /// A stored row cannot be read.
    #[error("stored data is inconsistent")]
    Inconsistent(#[from] Inconsistency),
    /// A page that must be read before anything else cannot be.
    #[error("a page of the database cannot be read: {0}")]
    Unreadable(String),
    /// The storage failed.
    #[error("cannot open the database: {0}")]
    Storage(String),
    /// A thread could not be started, or a file beside the database not be read.
    #[error("cannot open the database")]
    Io(#[from] std::io::Error),
}
