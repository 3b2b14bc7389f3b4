//! `verify`: whoever owns the disk changes one thing, and the first bad entry is named.

use proviso_testkit::browser::Browser;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::SmartApp;

use crate::{Ran, World, tamper, text};

/// A closed world with some entries, among them one about a patient.
async fn lived_in() -> World {
    let world = World::new().await;
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let scope = "launch/patient patient/*.rs";
    let app = SmartApp::glucose_coach(&server.origin, scope);
    let choices = [("category", "demographics"), ("duration", "1-year")];
    let tokens = app.connect(&mut Browser::new().unwrap(), "maria", &choices).await.unwrap();
    for _ in 0..3 {
        let path = format!("Patient/{}", tokens.text("patient"));
        assert_eq!(app.fhir(tokens.access(), &path).await.unwrap().status, 200);
    }
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    world
}

/// SQL on the entry with index 3, unless it says otherwise.
fn sql(statement: &str) -> String {
    let statement = statement.replace("{3}", "where idx = 3").replace("{t}", "audit_entry");
    format!("db.execute(\"{statement}\")\n")
}

/// Turns one bit in the middle of a column.
fn flip(column: &str) -> String {
    format!(
        "b = bytearray(one('select {column} from audit_entry where idx = 3')[0])\n\
         b[len(b) // 2] ^= 1\n\
         db.execute('update audit_entry set {column} = ? where idx = 3', (bytes(b),))"
    )
}

/// Turns one bit of the fourth leaf hash.
const TILE: &str = "
b = bytearray(one('select hashes from log_tile where level = 0 and idx = 0')[0])
b[3 * 32] ^= 1
db.execute('update log_tile set hashes = ? where level = 0 and idx = 0', (bytes(b),))";

/// What is done, and the entry at which it begins to show.
fn tampers(entries: u64) -> Vec<(&'static str, String, u64)> {
    let last = entries - 1;
    let columns = "kind, outcome, leaf, salt, subjects, body";
    vec![
        ("body", flip("body"), 3),
        ("leaf", flip("leaf"), 3),
        ("salt", flip("salt"), 3),
        ("tile", TILE.to_owned(), 3),
        ("subjects", sql("update {t} set subjects = zeroblob(32) {3}"), 3),
        ("time", sql("update {t} set at = at + 1 {3}"), 3),
        (
            "outcome",
            sql("update {t} set outcome = case outcome when 'denied' then 'success' \
                 else 'denied' end {3}"),
            3,
        ),
        ("id", sql("update {t} set id = id || '0' {3}"), 3),
        ("id that is no text", sql("update {t} set id = cast(x'61ff62' as text) {3}"), 3),
        (
            "checkpoint that is no text",
            "db.execute(\"update log_checkpoint set note = cast(x'ff' || note as text)\")"
                .to_owned(),
            0,
        ),
        (
            "checkpoint that says another size beside its note",
            "db.execute('update log_checkpoint set size = size - 1')".to_owned(),
            0,
        ),
        ("dropped", sql("delete from {t} {3}"), 3),
        (
            "dropped and closed up",
            sql("delete from {t} {3}")
                + "for n in range(4, 1000):\n    "
                + "db.execute('update audit_entry set idx = ? where idx = ?', (n - 1, n))",
            3,
        ),
        (
            "swapped",
            sql("update {t} set idx = 9999 {3}")
                + &sql("update {t} set idx = 3 where idx = 5")
                + &sql("update {t} set idx = 5 where idx = 9999"),
            3,
        ),
        (
            "repeated",
            sql(&format!(
                "insert into {{t}} (tenant, idx, id, at, {columns}) \
                 select tenant, {entries}, 'copy', at, {columns} from {{t}} {{3}}"
            )),
            entries,
        ),
        ("last one dropped", sql(&format!("delete from {{t}} where idx = {last}")), last),
        (
            "hidden from its patient",
            sql(&format!("delete from audit_subject where idx = {last}")),
            last,
        ),
    ]
}

// Covers: design P7, §9
#[tokio::test]
async fn every_kind_of_tampering_names_the_first_bad_entry() {
    let world = lived_in().await;
    let report = Ran::of(&["verify", "--data", &world.path(), "--json"]).await.expect(0).json();
    assert_eq!(report["whole"], true, "{report}");
    let entries = report["entries"].as_u64().unwrap();
    assert_eq!(report["checkpoint"]["size"], entries);
    for (number, (what, script, index)) in tampers(entries).iter().enumerate() {
        let copy = world.copy(&format!("tampered-{number}"));
        tamper(&copy.join("proviso.db"), script);
        let data = text(&copy);
        let report = Ran::of(&["verify", "--data", &data, "--json"]).await.expect(3).json();
        assert_eq!(report["whole"], false, "{what}");
        assert_eq!(report["first_bad"]["index"], *index, "{what}: {report}");
        let plain = Ran::of(&["verify", "--data", &data]).await.expect(3);
        plain.says(&format!("damaged at entry {index}"));
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

// Covers: design P7 (a log that was cut back to an earlier, validly signed state)
#[tokio::test]
async fn a_log_that_was_wound_back_is_noticed() {
    let world = World::new().await;
    // An older state of the database, signed by the right key, beside today's side file.
    let older = world.copy("older");
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    Browser::open(&server.url("/login")).await.unwrap().sign_in("maria", "x").await.unwrap();
    server.interrupt().await.unwrap();
    for name in ["proviso.db", "proviso.db-wal", "proviso.db-shm"] {
        let (from, into) = (older.join(name), world.data().join(name));
        if into.exists() {
            std::fs::remove_file(&into).unwrap();
        }
        if from.exists() {
            std::fs::copy(from, into).unwrap();
        }
    }
    let ran = Ran::of(&["verify", "--data", &world.path(), "--json"]).await.expect(3);
    assert_eq!(ran.json()["whole"], false);
    // Nothing is served on top of it either.
    let data = world.path();
    let ran = Ran::of(&["demo", "--listen", "127.0.0.1:0", "--data", &data]).await.expect(1);
    assert!(!ran.err.is_empty());
}

/// The page at which a table or an index begins, and the size of pages.
fn root_page(database: &std::path::Path, name: &str) -> (u64, u64) {
    let program = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        root = db.execute('select rootpage from sqlite_master where name = ?', (sys.argv[2],))\n\
        print(root.fetchone()[0], db.execute('pragma page_size').fetchone()[0])";
    let done = std::process::Command::new("python3")
        .args(["-c", program, &text(database), name])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

// Covers: design P7 (a disk that gives back something else is damage, not a failure to look)
#[tokio::test]
async fn a_page_of_the_log_that_cannot_be_read_is_damage_with_an_index() {
    let world = lived_in().await;
    tamper(&world.database(), "pass");
    for name in [
        "audit_entry",
        "audit_entry_idx",
        "audit_subject",
        "log_tile",
        "log_tile_idx",
        "log_checkpoint",
    ] {
        let copy = world.copy(&format!("page-{name}"));
        let database = copy.join("proviso.db");
        let (page, size) = root_page(&database, name);
        let mut bytes = std::fs::read(&database).unwrap();
        let start = usize::try_from((page - 1) * size).unwrap();
        // The type of a page that does not exist.
        bytes[start] = 0x77;
        std::fs::write(&database, bytes).unwrap();
        let report = Ran::of(&["verify", "--data", &text(&copy), "--json"]).await.expect(3).json();
        assert_eq!(report["whole"], false, "{name}: {report}");
        let index = report["first_bad"]["index"].as_u64().unwrap();
        // The first entries, about the start itself, are about nobody and need no index of people.
        let entries = report["entries"].as_u64().unwrap();
        let expected = if name == "audit_subject" { 1..entries } else { 0..1 };
        assert!(expected.contains(&index), "{name}: {report}");
    }
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_a_failure_not_a_finding() {
    let world = World::new().await;
    let mut bytes = std::fs::read(world.database()).unwrap();
    bytes[..64].fill(0);
    std::fs::write(world.database(), bytes).unwrap();
    Ran::of(&["verify", "--data", &world.path()]).await.expect(1).says("proviso.db");
}
