//! How connections are opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{OpenError, ReadError};

/// SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when two connections write and checkpoint at
/// the same moment; fixed in 3.51.3.
const VERSION_MIN: i32 = 3_051_003;

/// How many prepared statements a connection remembers: more than there are statements.
const STATEMENTS_MAX: usize = 160;

pub(super) fn check_library() -> Result<(), OpenError> {
    if rusqlite::version_number() < VERSION_MIN {
        return Err(OpenError::LibraryTooOld { found: rusqlite::version() });
    }
    Ok(())
}

fn failed(why: &rusqlite::Error) -> OpenError {
    OpenError::Storage(why.to_string())
}

/// Keeps statements, each with the plan it was prepared with. Otherwise SQLite may make a new plan
/// whenever other values are bound, which takes longer than many a look-up.
fn prepare_once(db: &Connection) -> rusqlite::Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        let db = Connection::open(path)?;
        db.busy_timeout(Duration::from_secs(5))?;
        prepare_once(&db)?;
        // FULL: each commit is on disk before it is acknowledged. The WAL may grow to 4 000 pages
        // before a commit copies it back, because that copying is what makes a commit slow.
        db.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -65536;
             PRAGMA wal_autocheckpoint = 4000;
             PRAGMA journal_size_limit = 67108864;",
        )?;
        Ok(db)
    };
    let db = open().map_err(|why| failed(&why))?;
    let mode: String =
        db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(|why| failed(&why))?;
    if mode != "wal" {
        return Err(OpenError::Storage(format!("journal mode is `{mode}`, not `wal`")));
    }
    Ok(db)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, ReadError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(Duration::from_secs(5))?;
        prepare_once(&db)?;
        db.execute_batch(
            "PRAGMA query_only = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -16384;",
        )?;
        Ok(db)
    };
    open().map_err(|why| ReadError::Storage(why.to_string()))
}

/// Opens a file for looking only; works on a copy that nobody serves, and creates nothing.
pub(super) fn open_inspector(path: &Path) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        // Read-write, because a WAL left by a crash must be readable too; nothing is written.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(Duration::from_secs(5))?;
        db.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
        Ok(db)
    };
    open().map_err(|why| failed(&why))
}
