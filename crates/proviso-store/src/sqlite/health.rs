//! Whether a database file is sound, looked at from outside.

use std::path::Path;

use proviso_core::id::{TenantId, hex};
use proviso_core::label::LabelSetVersion;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::connection;
use super::migrate::MIGRATIONS;
use super::read::Reads;
use crate::error::OpenError;
use crate::record::LabelCounts;

/// LIMIT: one complaint is enough to know; a few help to tell what is hit.
const COMPLAINTS_MAX: u32 = 3;

/// Which schema a database has, compared with what this release knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaHealth {
    /// The newest one.
    Current {
        /// Its number.
        number: u32,
    },
    /// An older one: the next start brings it up to date.
    Older {
        /// The number found.
        found: u32,
        /// The newest this release knows.
        known: u32,
    },
    /// One of a newer release.
    Newer {
        /// The number found.
        found: u32,
        /// The newest this release knows.
        known: u32,
    },
    /// A migration that was applied is not the one of this release.
    Changed {
        /// Its number.
        number: u32,
    },
}

/// What SQLite says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHealth {
    /// Complaints of its own check; none when the file is sound.
    pub complaints: Vec<String>,
    /// The schema; `None` when it cannot be read.
    pub schema: Option<SchemaHealth>,
}

/// Looks at a database file. A running server is not disturbed.
///
/// # Errors
/// When the file cannot be opened or is no database.
pub fn store_health(path: &Path) -> Result<StoreHealth, OpenError> {
    connection::check_library()?;
    let db = connection::open_inspector(path)?;
    let complaints = match complaints(&db) {
        Ok(complaints) => complaints,
        // Pages so broken that the check itself cannot go on.
        Err(why) => vec![why.to_string()],
    };
    Ok(StoreHealth { complaints, schema: schema(&db).ok() })
}

/// How far the versions in a database file are labelled by a rule set. A running server is not
/// disturbed.
///
/// # Errors
/// When the file cannot be opened, is no database of ours, or is of an older schema.
pub fn stored_label_counts(
    path: &Path,
    tenant: &TenantId,
    set: &LabelSetVersion,
) -> Result<LabelCounts, OpenError> {
    connection::check_library()?;
    let failed = |why: rusqlite::Error| OpenError::Storage(why.to_string());
    let db = connection::open_inspector(path)?;
    // Index: the unique index of `tenant.id`.
    let find = "SELECT no FROM tenant WHERE id = ?1";
    let tenant = db.query_row(find, [tenant.as_str()], |row| row.get(0)).map_err(failed)?;
    let counts = Reads { db: &db, tenant }.label_counts(set);
    counts.map_err(|why| OpenError::Storage(why.to_string()))
}

fn complaints(db: &Connection) -> rusqlite::Result<Vec<String>> {
    // Everything but the comparison of indexes with their tables, which takes many times as long;
    // the log's own are compared by its verification.
    let mut statement = db.prepare(&format!("PRAGMA quick_check({COMPLAINTS_MAX})"))?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let lines = lines.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn schema(db: &Connection) -> rusqlite::Result<SchemaHealth> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let mut statement = db.prepare("SELECT number, digest FROM schema_version ORDER BY number")?;
    let applied = statement
        .query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for ((number, digest), (_, sql)) in applied.iter().zip(MIGRATIONS) {
        if *digest != hex(&Sha256::digest(sql.as_bytes())) {
            return Ok(SchemaHealth::Changed { number: *number });
        }
    }
    let found = applied.last().map_or(0, |(number, _)| *number);
    Ok(match found.cmp(&known) {
        std::cmp::Ordering::Less => SchemaHealth::Older { found, known },
        std::cmp::Ordering::Equal => SchemaHealth::Current { number: found },
        std::cmp::Ordering::Greater => SchemaHealth::Newer { found, known },
    })
}
