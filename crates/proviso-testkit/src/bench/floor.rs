//! Floors: what the machine, the disk and the libraries give without Proviso.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use proviso_app::ports::SystemEntropy;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::contest::Meter;
use super::table::Pass;

/// The settings of the store's one writer; a test compares them with the store.
const SETTINGS: &str = "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -65536;
             PRAGMA wal_autocheckpoint = 4000;
             PRAGMA journal_size_limit = 67108864;";
/// About what an entry of a read takes: leaf, sealed body, salt, keys under which it is found.
const ROW_BYTES: usize = 1024;
/// As many as the store takes into one transaction.
const GROUP_MAX: usize = 1024;
/// As many resources as an import commits at once.
const IMPORT_GROUP: usize = 500;

/// Copies bytes once.
pub fn copy(from: &[u8], to: &mut Vec<u8>) {
    to.clear();
    to.extend_from_slice(black_box(from));
    black_box(to);
}

/// A hash map as the standard library makes it, from ids as patients have them.
#[derive(Debug)]
pub struct BareMap {
    map: HashMap<String, u64>,
    keys: Vec<String>,
    next: usize,
}

impl BareMap {
    /// A map of so many.
    pub fn of(size: u64) -> Self {
        let keys: Vec<String> = (0..size).map(|number| format!("patient-{number}")).collect();
        let map = keys.iter().cloned().zip(0..).collect();
        Self { map, keys, next: 0 }
    }

    /// Looks up one, far from the one before.
    ///
    /// # Errors
    /// When it is not there.
    pub fn look_up(&mut self) -> anyhow::Result<()> {
        // A step without a factor in common with any size used here visits every key.
        self.next = (self.next + 7_368_787) % self.keys.len().max(1);
        let key = self.keys.get(self.next).context("an empty map")?;
        black_box(self.map.get(black_box(key.as_str())).context("not there")?);
        Ok(())
    }
}

/// One argon2id hash with the parameters of the server, without a server.
///
/// # Errors
/// When the library fails.
pub fn bare_argon2() -> anyhow::Result<()> {
    black_box(proviso_app::password::hash_password("proviso-demo", &SystemEntropy::default())?);
    Ok(())
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    let db = Connection::open(path)?;
    db.execute_batch(SETTINGS)?;
    Ok(db)
}

/// So many waiters, each of which has one row made durable and waits for it, again and again; one
/// writer takes all who wait into one transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn group_commit(path: &Path, waiters: usize, time: Duration) -> anyhow::Result<Pass> {
    let db = open(path)?;
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS entry (idx INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
    )?;
    let (ask, asked) = mpsc::channel();
    let writer = std::thread::spawn(move || write_groups(&db, &asked));
    let meter = Meter::start();
    let mut tasks = Vec::new();
    for _ in 0..waiters {
        let ask = ask.clone();
        tasks.push(tokio::spawn(async move {
            let started = super::load::now();
            let mut count = 0_u64;
            while started.elapsed() < time {
                let (reply, durable) = oneshot::channel();
                ask.send(reply)?;
                durable.await?;
                count += 1;
            }
            anyhow::Ok(count)
        }));
    }
    drop(ask);
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    let pass = meter.stop(count);
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    Ok(pass)
}

fn write_groups(
    db: &Connection,
    asked: &mpsc::Receiver<oneshot::Sender<()>>,
) -> anyhow::Result<()> {
    let row = vec![0x5a_u8; ROW_BYTES];
    while let Ok(first) = asked.recv() {
        let group: Vec<_> =
            std::iter::once(first).chain(asked.try_iter().take(GROUP_MAX - 1)).collect();
        db.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = db.prepare_cached("INSERT INTO entry (body) VALUES (?1)")?;
        for _ in &group {
            insert.execute([&row])?;
        }
        db.execute_batch("COMMIT")?;
        for reply in group {
            reply.send(()).map_err(|()| anyhow::anyhow!("a waiter did not wait"))?;
        }
    }
    Ok(())
}

/// Parses each line as JSON and writes it into a bare table, as many to a transaction as an import
/// takes. Gives how many there were.
///
/// # Errors
/// When a line is no JSON or the database cannot be written.
pub fn bare_import(path: &Path, lines: &[u8]) -> anyhow::Result<u64> {
    let db = open(path)?;
    db.execute_batch(
        "CREATE TABLE record (type TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
         PRIMARY KEY (type, id)) STRICT, WITHOUT ROWID",
    )?;
    let lines: Vec<&[u8]> =
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut count = 0;
    for group in lines.chunks(IMPORT_GROUP) {
        db.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert =
            db.prepare_cached("INSERT INTO record (type, id, body) VALUES (?1, ?2, ?3)")?;
        for line in group {
            let resource: serde_json::Value = serde_json::from_slice(line)?;
            let text = |name: &str| resource.get(name).and_then(serde_json::Value::as_str);
            insert.execute(rusqlite::params![
                text("resourceType").context("no type")?,
                text("id").context("no id")?,
                line
            ])?;
            count += 1;
        }
        db.execute_batch("COMMIT")?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_has_the_settings_of_the_store() {
        let store = include_str!("../../../proviso-store/src/sqlite/connection.rs");
        assert!(store.contains(SETTINGS), "the store's writer has other settings than the floor");
    }

    #[tokio::test]
    async fn a_group_commit_keeps_every_row_it_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("floor.db");
        let pass = group_commit(&path, 4, Duration::from_millis(20)).await.unwrap();
        let db = Connection::open(&path).unwrap();
        let rows: i64 = db.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
        assert!(pass.count > 0);
        assert_eq!(u64::try_from(rows).unwrap(), pass.count);
    }

    #[test]
    fn a_bare_import_writes_every_line() {
        let folder = tempfile::tempdir().unwrap();
        let lines = b"{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";
        assert_eq!(bare_import(&folder.path().join("floor.db"), lines).unwrap(), 2);
    }
}
