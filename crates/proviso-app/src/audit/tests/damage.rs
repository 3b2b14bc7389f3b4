//! Whatever byte of the log is turned over on disk, verification names an entry; or nothing that
//! the log says has changed.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rusqlite::types::Value;

use super::*;

/// How many entries the log has: several pages of entries and of their index.
const ENTRIES: u64 = 48;
/// The tables of the log with their columns. The row number `no` is a place on disk and says
/// nothing; it is reached by the raw flips.
const TABLES: &[(&str, &[&str])] = &[
    (
        "audit_entry",
        &["tenant", "idx", "id", "at", "kind", "outcome", "leaf", "salt", "subjects", "body"],
    ),
    ("audit_subject", &["tenant", "subject", "idx"]),
    ("log_tile", &["tenant", "level", "idx", "hashes"]),
    ("log_checkpoint", &["tenant", "slot", "size", "root", "note"]),
];

/// A stream of numbers that is the same at every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A value with one bit turned.
fn turned(value: &Value, numbers: &mut Numbers) -> Value {
    let bit = 1_u8 << numbers.below(8);
    let mut turn = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = usize::try_from(numbers.below(bytes.len() as u64)).unwrap();
        bytes[at] ^= bit;
        bytes
    };
    match value {
        Value::Integer(number) => Value::Integer(number ^ (1 << numbers.below(20))),
        Value::Text(text) => Value::Blob(turn(text.as_bytes())),
        Value::Blob(bytes) => Value::Blob(turn(bytes)),
        Value::Null | Value::Real(_) => panic!("no such value in the log"),
    }
}

fn found(folder: &TempDir) -> Option<BadEntry> {
    verify(&database(folder)).first_bad
}

async fn log() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    with_entries(&folder, ENTRIES).await;
    tamper(&database(&folder), |_| ());
    assert_eq!(found(&folder), None);
    folder
}

#[tokio::test]
async fn a_flipped_bit_in_any_cell_of_the_log_is_noticed_with_an_index() {
    let folder = log().await;
    let mut numbers = Numbers(20_261_125);
    for (table, columns) in TABLES {
        for column in *columns {
            let (mut done, mut tried) = (0, 0);
            while done < 3 {
                tried += 1;
                assert!(tried < 100, "{table}.{column} cannot be changed");
                let db = Connection::open(database(&folder)).unwrap();
                db.execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF")
                    .unwrap();
                let rows = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                    row.get::<_, i64>(0)
                });
                let offset = numbers.below(u64::try_from(rows.unwrap()).unwrap());
                let all = columns.join(", ");
                let pick = format!("SELECT {all} FROM {table} LIMIT 1 OFFSET {offset}");
                let row: Vec<Value> = db
                    .query_row(&pick, [], |row| (0..columns.len()).map(|at| row.get(at)).collect())
                    .unwrap();
                let place = columns.iter().position(|other| other == column).unwrap();
                if matches!(&row[place], Value::Blob(bytes) if bytes.is_empty()) {
                    continue;
                }
                let mut changed = row.clone();
                changed[place] = turned(&row[place], &mut numbers);
                // A text column takes the bytes as they are, also such that are no UTF-8.
                let sets = columns.iter().zip(&row).enumerate().map(|(at, (column, value))| {
                    let text = matches!(value, Value::Text(_));
                    let value = format!("?{}", at + 1);
                    let value = if text { format!("CAST({value} AS TEXT)") } else { value };
                    format!("{column} = {value}")
                });
                let sets = sets.collect::<Vec<_>>().join(", ");
                let keys = columns.iter().enumerate().map(|(at, column)| {
                    format!("{column} IS {}", sets_value(&row[at], at + 1 + columns.len()))
                });
                let keys = keys.collect::<Vec<_>>().join(" AND ");
                let update = format!("UPDATE {table} SET {sets} WHERE {keys}");
                let from_to = |from: &[Value], to: &[Value]| {
                    let values = to.iter().chain(from).cloned();
                    db.execute(&update, rusqlite::params_from_iter(values))
                };
                // Two rows may not say that they are the same one; then another bit is turned.
                match from_to(&row, &changed) {
                    Ok(changed_rows) => assert_eq!(changed_rows, 1, "{table}.{column}"),
                    Err(_) => continue,
                }
                let bad = found(&folder);
                assert!(bad.is_some(), "{table}.{column}: {row:?} became {changed:?} unnoticed");
                assert_eq!(from_to(&changed, &row).unwrap(), 1, "not undone: {table}.{column}");
                done += 1;
            }
        }
    }
    assert_eq!(found(&folder), None, "everything was undone");
}

fn sets_value(value: &Value, number: usize) -> String {
    if matches!(value, Value::Text(_)) {
        format!("CAST(?{number} AS TEXT)")
    } else {
        format!("?{number}")
    }
}

/// Everything that the log says, table by table, read without any index; or why it cannot be read.
fn contents(path: &Path) -> Result<Vec<Vec<Value>>, String> {
    let mut all = Vec::new();
    let db = Connection::open(path).map_err(|why| why.to_string())?;
    for (table, columns) in TABLES {
        let failed = |why: rusqlite::Error| format!("{table}: {why}");
        let sql = format!("SELECT {} FROM {table} NOT INDEXED", columns.join(", "));
        let mut statement = db.prepare(&sql).map_err(failed)?;
        let rows = statement
            .query_map([], |row| (0..columns.len()).map(|at| row.get(at)).collect())
            .map_err(failed)?;
        all.extend(rows.collect::<rusqlite::Result<Vec<Vec<Value>>>>().map_err(failed)?);
    }
    Ok(all)
}

/// Whether the log says what it said; the message is short where it does not.
fn check_same(before: &[Vec<Value>], after: &Result<Vec<Vec<Value>>, String>, what: &str) {
    match after {
        Err(why) => panic!("{what}: {why}"),
        Ok(after) => assert!(before == after, "{what}: the log says something else"),
    }
}

/// Turns bits of one byte of a file, looks, and turns them back.
fn with_byte_turned<T>(path: &Path, at: u64, bits: u8, look: impl FnOnce() -> T) -> T {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ bits], at).unwrap();
    let seen = look();
    file.write_all_at(&byte, at).unwrap();
    seen
}

/// Flips so many bytes anywhere behind the first page and gives how many were noticed.
fn flip_pages(folder: &TempDir, seed: u64, flips: u64) -> u64 {
    let path = database(folder);
    let before = contents(&path).unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let mut numbers = Numbers(seed);
    let mut noticed = 0;
    for _ in 0..flips {
        let at = 4096 + numbers.below(length - 4096);
        let bits = u8::try_from(1 + numbers.below(255)).unwrap();
        let (report, after) = with_byte_turned(&path, at, bits, || {
            let master = MasterKey::from_bytes([1; 32]);
            let tenant = TenantId::default_tenant();
            (verify_with_master(&path, &tenant, master, |_, _| ()), contents(&path))
        });
        let place = format!("page {}, byte {}, bits {bits:#04x}", at / 4096 + 1, at % 4096);
        match report {
            Ok(report) if report.first_bad.is_some() => noticed += 1,
            // Nothing that the log says has changed: the byte is unused, or somebody else's.
            Ok(_) => check_same(&before, &after, &format!("unnoticed: {place}")),
            // The tenants and the sealed keys are no part of the log; without them it cannot be
            // looked at, and that is said.
            Err(why) => {
                check_same(&before, &after, &format!("{place}: {why:?}"));
                let expected = matches!(why, VerifyError::Keys(_) | VerifyError::Open(_));
                assert!(expected, "{place}: {why:?}");
            }
        }
    }
    noticed
}

#[tokio::test]
async fn a_flipped_byte_of_any_page_is_noticed_or_changes_nothing() {
    let folder = log().await;
    let noticed = flip_pages(&folder, 7, 300);
    assert!(noticed > 50, "only {noticed} of 300 flips reached the log");
    assert_eq!(found(&folder), None, "everything was undone");
}

#[tokio::test]
async fn a_flipped_byte_of_the_side_file_is_noticed() {
    let folder = log().await;
    let side = folder.path().join("audit.checkpoint");
    let length = std::fs::metadata(&side).unwrap().len();
    let note = std::fs::read_to_string(&side).unwrap().trim_end().len() as u64;
    let mut numbers = Numbers(3);
    for at in 0..length {
        // Every byte of the note, and some of the padding behind it.
        if at > note + 1 && !at.is_multiple_of(37) {
            continue;
        }
        let bits = u8::try_from(1 + numbers.below(255)).unwrap();
        let bad = with_byte_turned(&side, at, bits, || found(&folder));
        assert!(bad.is_some(), "byte {at} with {bits:#04x} went unnoticed");
    }
}

/// Changes rows without their index: it is hidden from SQLite meanwhile.
fn past_index(path: &Path, index: &str, statement: &str) {
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA writable_schema = ON").unwrap();
    let (root, sql): (i64, String) = db
        .query_row("SELECT rootpage, sql FROM sqlite_schema WHERE name = ?1", [index], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let table: String = db
        .query_row("SELECT tbl_name FROM sqlite_schema WHERE name = ?1", [index], |row| row.get(0))
        .unwrap();
    db.execute("DELETE FROM sqlite_schema WHERE name = ?1", [index]).unwrap();
    drop(db);
    let db = Connection::open(path).unwrap();
    db.execute_batch(statement).unwrap();
    db.execute_batch("PRAGMA writable_schema = ON").unwrap();
    let back = "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
                VALUES ('index', ?1, ?2, ?3, ?4)";
    db.execute(back, (index, table, root, sql)).unwrap();
}

#[tokio::test]
async fn a_row_that_says_another_place_than_its_index_is_noticed() {
    for (index, statement) in [
        ("audit_entry_idx", "UPDATE audit_entry SET idx = 900 WHERE idx = 7"),
        ("log_tile_idx", "UPDATE log_tile SET idx = 9 WHERE level = 0 AND idx = 0"),
    ] {
        let folder = log().await;
        past_index(&database(&folder), index, statement);
        assert!(found(&folder).is_some(), "{index}");
    }
}
