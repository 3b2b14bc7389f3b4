mod damage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome, ProxyShare, Told};
use proviso_core::category::{Category, CategorySet, SensitiveSet};
use proviso_core::consent::Capacity;
use proviso_core::id::{AuditEntryId, TenantId};
use proviso_core::time::At;
use proviso_store::{
    AuditLogReader, Batch, CommitError, ExpectSetting, Faults, Op, OpenError, OpenOptions,
    Precondition, Store,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::clients::AuthMemory;
use crate::keys::{Keys, MasterKey};
use crate::live::Live;
use crate::ports::{ManualClock, SystemEntropy};
use crate::settings::Settings;

const AT: At = At::from_secs(1_800_000_000);

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("proviso.db")
}

async fn open(folder: &TempDir, faults: Faults) -> App {
    let options = OpenOptions::new(TenantId::default_tenant()).with_faults(faults);
    let store = Store::open_sqlite(&database(folder), options).unwrap();
    let entropy = SystemEntropy::default();
    let master = MasterKey::from_bytes([1; 32]);
    let (keys, unstored) = Keys::open(master, &store.keys().await.unwrap(), &entropy, AT).unwrap();
    let keys = Arc::new(keys);
    let puts: Vec<Op> = unstored.0.into_iter().map(Op::PutKey).collect();
    store.commit(Batch::from(puts)).await.unwrap();
    let settings = Settings::demo("http://127.0.0.1:8080");
    install_signer(&store, &keys, &settings).await.unwrap();
    App {
        audit: Sealer::new(&keys).unwrap(),
        auth: AuthMemory::new(),
        around: Arc::default(),
        directory: crate::aged::Aged::default(),
        relations: crate::aged::Aged::default(),
        accounts: tokio::sync::Mutex::new(()),
        live: Live::load(&store, &keys, &settings.filed, At::from_secs(0)).await.unwrap(),
        policies: crate::policy::Policies::load(&store).await.unwrap(),
        subscriptions: crate::subscriptions::Subscriptions::load(&store, &keys).await.unwrap(),
        clock: Arc::new(ManualClock::starting_at(AT)),
        entropy: Arc::new(entropy),
        store,
        keys,
        settings,
        visits: crate::visits::VisitsPort::default(),
        evaluations: crate::evaluation::EvaluationsPort::default(),
        simulations: crate::simulate::SimulationsPort::default(),
    }
}

fn entry(number: u64) -> AuditEntry {
    let at = AT.plus_secs(i64::try_from(number).unwrap());
    AuditEntry {
        id: format!("aud_{number:032x}").parse::<AuditEntryId>().unwrap(),
        at,
        kind: AuditKind::Access,
        outcome: if number.is_multiple_of(4) {
            AuditOutcome::Denied
        } else {
            AuditOutcome::Success
        },
        action: "read".to_owned(),
        client: Some(if number.is_multiple_of(2) { "glucose-coach" } else { "bill-helper" })
            .map(|id| id.parse().unwrap()),
        account: Some("acc_maria".parse().unwrap()),
        on_behalf_of: None,
        patients: vec![if number.is_multiple_of(3) { "james" } else { "maria" }.parse().unwrap()],
        interaction: None,
        resource_type: None,
        resources: vec![],
        asked: CategorySet::EMPTY,
        categories: if number.is_multiple_of(5) {
            CategorySet::EMPTY.with(Category::Laboratory)
        } else {
            CategorySet::EMPTY.with(Category::Vitals)
        },
        sensitive: SensitiveSet::EMPTY,
        released: 1,
        for_proxies: None,
        withheld: 0,
        purpose: None,
        consent: None,
        policy_version: Some("rules 1".to_owned()),
        decision: Some(format!("dec_{number}").parse().unwrap()),
        reasons: vec![],
        emergency: None,
        grant: None,
        token: None,
        session: None,
        request: None,
        trace: None,
        network: Some("192.0.2.7".to_owned()),
        status: Some(200),
        query_shape: None,
        digest: None,
        redaction: None,
        noticed: std::collections::BTreeSet::new(),
        about: None,
        record: None,
    }
}

async fn with_entries(folder: &TempDir, count: u64) {
    let app = open(folder, Faults::default()).await;
    for number in 0..count / 2 {
        app.append_audit(entry(number)).await.unwrap();
    }
    app.append_audits((count / 2..count).map(entry).collect()).await.unwrap();
}

fn verify(database: &Path) -> VerifyReport {
    let master = MasterKey::from_bytes([1; 32]);
    verify_with_master(database, &TenantId::default_tenant(), master, |_, _| ()).unwrap()
}

fn query() -> ActivityQuery {
    ActivityQuery {
        patient: "maria".parse().unwrap(),
        reader: Capacity::Patient,
        without_looks_of: None,
        kinds: vec![],
        client: None,
        from: None,
        to: None,
        category: None,
        outcome: None,
        before: None,
        limit: 100,
    }
}

async fn indexes(app: &App, query: ActivityQuery) -> (Vec<u64>, Option<u64>) {
    let page = app.activity(&query).await.unwrap();
    (page.entries.iter().map(|one| one.index).collect(), page.next_before)
}

#[tokio::test]
async fn a_patient_finds_their_entries_newest_first_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(&folder, Faults::default()).await;
    for number in 0..10 {
        let receipt = app.append_audit(entry(number)).await.unwrap();
        assert_eq!((receipt.index, receipt.id), (number, entry(number).id));
    }
    let page = app.activity(&query()).await.unwrap();
    let found: Vec<_> = page.entries.iter().map(|one| one.told.clone()).collect();
    assert_eq!(found, [8, 7, 5, 4, 2, 1].map(|number| Told::to_patient(entry(number))));
    assert_eq!(page.next_before, None);
    let stranger = ActivityQuery { patient: "lily".parse().unwrap(), ..query() };
    assert_eq!(indexes(&app, stranger).await, (vec![], None));
}

#[tokio::test]
async fn activity_is_filtered_and_paged() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(&folder, Faults::default()).await;
    app.append_audits((0..30).map(entry).collect()).await.unwrap();
    let of_app = ActivityQuery { client: Some("bill-helper".parse().unwrap()), ..query() };
    assert_eq!(indexes(&app, of_app).await.0, [29, 25, 23, 19, 17, 13, 11, 7, 5, 1]);
    let refused = ActivityQuery { outcome: Some(AuditOutcome::Denied), ..query() };
    assert_eq!(indexes(&app, refused).await.0, [28, 20, 16, 8, 4]);
    let of_kind = ActivityQuery { category: Some(Category::Laboratory), ..query() };
    assert_eq!(indexes(&app, of_kind).await.0, [25, 20, 10, 5]);
    let between =
        ActivityQuery { from: Some(AT.plus_secs(10)), to: Some(AT.plus_secs(14)), ..query() };
    assert_eq!(indexes(&app, between).await.0, [13, 11, 10]);

    let mut page = ActivityQuery { limit: 7, ..query() };
    let mut all = Vec::new();
    loop {
        let (found, next) = indexes(&app, page.clone()).await;
        all.extend(found);
        match next {
            Some(next) => page.before = Some(next),
            None => break,
        }
    }
    assert_eq!(all, indexes(&app, query()).await.0);
    assert_eq!(all.len(), 20);
}

#[tokio::test]
async fn a_kind_that_a_proxy_may_not_know_of_finds_nothing_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(&folder, Faults::default()).await;
    let both = CategorySet::EMPTY.with(Category::Laboratory).with(Category::Vitals);
    let mut mixed = entry(1);
    mixed.categories = both;
    mixed.for_proxies = Some(ProxyShare {
        patients: mixed.patients.iter().cloned().collect(),
        categories: CategorySet::EMPTY.with(Category::Vitals),
        released: 1,
    });
    app.append_audits(vec![mixed, entry(2)]).await.unwrap();
    for (reader, category, expected) in [
        (Capacity::Patient, Category::Laboratory, vec![0]),
        (Capacity::Patient, Category::Vitals, vec![1, 0]),
        (Capacity::Proxy, Category::Laboratory, vec![]),
        (Capacity::Proxy, Category::Vitals, vec![0]),
    ] {
        let asked = ActivityQuery { reader, category: Some(category), ..query() };
        assert_eq!(indexes(&app, asked).await.0, expected, "{reader:?} {category}");
    }
}

#[tokio::test]
async fn a_place_in_the_log_is_read_by_nobody_and_opens_for_its_reader_alone() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(&folder, Faults::default()).await;
    let (wei, lily) = ("acc_wei".parse().unwrap(), "lily".parse().unwrap());
    let places: Vec<_> =
        [1, u64::MAX].iter().map(|index| app.seal_place(*index, &wei, &lily).unwrap()).collect();
    assert_eq!(places[0].len(), places[1].len());
    assert_eq!(app.open_place(&places[0], &wei, &lily), Some(1));
    assert_eq!(app.open_place(&places[1], &wei, &lily), Some(u64::MAX));
    assert_eq!(app.open_place(&places[0], &"acc_lily".parse().unwrap(), &lily), None);
    assert_eq!(app.open_place(&places[0], &wei, &"james".parse().unwrap()), None);
    assert_eq!(app.open_place("17", &wei, &lily), None);
}

#[tokio::test]
async fn officers_find_entries_by_person_and_kind() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(&folder, Faults::default()).await;
    let mut other = entry(1);
    (other.account, other.kind) = (Some("acc_drpatel".parse().unwrap()), AuditKind::SignIn);
    app.append_audits(vec![entry(0), other, entry(2)]).await.unwrap();
    let found = async |search: AuditSearch| {
        let page = app.search_audit(&AuditSearch { limit: 9, ..search }).await.unwrap();
        page.entries.iter().map(|one| one.index).collect::<Vec<_>>()
    };
    let account = Some("acc_drpatel".parse().unwrap());
    assert_eq!(found(AuditSearch { account, ..AuditSearch::default() }).await, [1]);
    let kinds = vec![AuditKind::Access];
    assert_eq!(found(AuditSearch { kinds, ..AuditSearch::default() }).await, [2, 0]);
    assert_eq!(found(AuditSearch::default()).await, [2, 1, 0]);
}

#[tokio::test]
async fn a_change_and_its_entry_are_written_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let app = open(&folder, faults.clone()).await;
    let put = |expect| {
        Batch::new().with(Op::PutSetting { key: "a".to_owned(), value: "b".to_owned(), expect })
    };
    faults.fail_commits(true);
    let failed = app.commit(put(ExpectSetting::Any), entry(0)).await;
    assert!(matches!(failed, Err(AuditError::Commit(CommitError::Storage(_)))), "{failed:?}");
    assert!(app.append_audit(entry(0)).await.is_err());
    faults.fail_commits(false);
    assert_eq!(app.store.setting("a").await.unwrap(), None);
    assert_eq!(app.store.checkpoint().await.unwrap(), None);

    app.commit(put(ExpectSetting::Absent), entry(0)).await.unwrap();
    let refused = app.commit(put(ExpectSetting::Absent), entry(1)).await.unwrap_err();
    assert_eq!(refused.precondition(), Some(&Precondition::Exists));
    assert_eq!(app.store.checkpoint().await.unwrap().unwrap().size, 1);
}

#[tokio::test]
async fn neither_leaf_nor_body_nor_row_names_anybody() {
    let folder = tempfile::tempdir().unwrap();
    with_entries(&folder, 3).await;
    let mut bytes = std::fs::read(database(&folder)).unwrap();
    bytes.extend(std::fs::read(folder.path().join("audit.checkpoint")).unwrap());
    let shows = |what: &str| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    assert!(shows("aud_"), "the file is readable at all");
    for hidden in ["maria", "james", "glucose-coach", "192.0.2.7"] {
        assert!(!shows(hidden), "`{hidden}` is in the clear");
    }
}

#[test]
fn a_leaf_has_one_spelling() {
    let leaf = Leaf::of(&entry(1), &[7; 32], b"body");
    let bytes = leaf.to_bytes().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let hour = AT.as_secs() / 3600 * 3600;
    let start = format!(r#"{{"v":1,"at":{hour},"kind":"access","outcome":"success","policy":""#);
    assert!(text.starts_with(&start), "{text}");
    let end = format!(r#""decision":"dec_1","commit":"{}"}}"#, Leaf::commitment(&[7; 32], b"body"));
    assert!(text.ends_with(&end), "{text}");
    assert_eq!(Leaf::parse(&bytes), Ok(leaf));
    for other in [text.replace("{\"v\"", "{ \"v\""), text.replace(":1,", ":2,"), "{}".to_owned()] {
        assert!(Leaf::parse(other.as_bytes()).is_err(), "{other}");
    }
}

#[tokio::test]
async fn an_untouched_log_verifies_also_after_restarts() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        verify_with_master(
            &database(&folder),
            &TenantId::default_tenant(),
            MasterKey::from_bytes([1; 32]),
            |_, _| ()
        )
        .is_err()
    );
    drop(open(&folder, Faults::default()).await);
    let empty = verify(&database(&folder));
    assert_eq!(empty, VerifyReport { entries: 0, checkpoint: None, first_bad: None });
    let app = open(&folder, Faults::default()).await;
    app.append_audits((0..300).map(entry).collect()).await.unwrap();
    drop(app);
    let app = open(&folder, Faults::default()).await;
    for number in 300..310 {
        app.append_audit(entry(number)).await.unwrap();
    }
    // Also while the server is running.
    let mut seen = Vec::new();
    let report = verify_with_master(
        &database(&folder),
        &TenantId::default_tenant(),
        MasterKey::from_bytes([1; 32]),
        |done, total| seen.push((done, total)),
    )
    .unwrap();
    assert_eq!((report.entries, report.first_bad), (310, None));
    let checkpoint = report.checkpoint.unwrap();
    assert_eq!(checkpoint.origin, "127.0.0.1:8080/audit/log/default");
    assert_eq!(checkpoint.size, 310);
    assert_eq!(seen.last(), Some(&(310, 310)));
}

/// What somebody who can write the database file does to it, once the triggers are out of the way.
fn tamper(database: &Path, change: impl FnOnce(&Connection)) {
    let db = Connection::open(database).unwrap();
    let triggers: Vec<String> = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for trigger in triggers {
        db.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    change(&db);
}

fn sql(statement: &str) -> impl FnOnce(&Connection) {
    move |db| db.execute_batch(statement).unwrap()
}

/// Flips one bit in a blob.
fn flip(table: &str, column: &str, condition: &str, at: usize) -> impl FnOnce(&Connection) {
    let select = format!("SELECT {column} FROM {table} WHERE {condition}");
    let update = format!("UPDATE {table} SET {column} = ?1 WHERE {condition}");
    move |db| {
        let mut blob: Vec<u8> = db.query_row(&select, [], |row| row.get(0)).unwrap();
        let at = at.min(blob.len() - 1);
        blob[at] ^= 1;
        assert_eq!(db.execute(&update, [blob]).unwrap(), 1);
    }
}

/// A log of 600 entries, of which each damage gets a copy of its own.
struct Intact(TempDir);

impl Intact {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        with_entries(&folder, 600).await;
        assert_eq!(verify(&database(&folder)).first_bad, None);
        Self(folder)
    }

    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(database(&self.0), database(&copy)).unwrap();
        let side = "audit.checkpoint";
        std::fs::copy(self.0.path().join(side), copy.path().join(side)).unwrap();
        copy
    }

    /// After the change, verification names this entry for this reason.
    fn check(&self, change: impl FnOnce(&Connection), index: u64, why: Why) {
        let copy = self.copy();
        tamper(&database(&copy), change);
        assert_eq!(verify(&database(&copy)).first_bad, Some(BadEntry { index, why }));
    }
}

const fn tree(kind: proviso_tlog::FaultKind) -> Why {
    Why::Tree(kind)
}

#[tokio::test]
async fn the_first_entry_with_a_flipped_byte_is_named() {
    use proviso_tlog::FaultKind::{LeafMismatch, TileMismatch};
    let intact = Intact::new().await;
    for (index, at) in [(0, 0), (255, 40), (256, 70), (417, 100), (599, 9_999)] {
        let condition = format!("idx = {index}");
        let flip = |column| flip("audit_entry", column, &condition, at);
        intact.check(flip("leaf"), index, tree(LeafMismatch));
        intact.check(flip("body"), index, Why::Commitment);
        intact.check(flip("salt"), index, Why::Commitment);
    }
    let tile = |condition, at| flip("log_tile", "hashes", condition, at);
    intact.check(tile("level = 0 AND idx = 1", 32 * 5), 256 + 5, tree(LeafMismatch));
    intact.check(tile("level = 0 AND idx = 2", 0), 512, tree(LeafMismatch));
    intact.check(tile("level = 1", 40), 256, tree(TileMismatch));
}

#[tokio::test]
async fn a_dropped_swapped_or_added_entry_is_named() {
    use proviso_tlog::FaultKind::{LeafMismatch, Missing};
    let intact = Intact::new().await;
    intact.check(sql("DELETE FROM audit_entry WHERE idx = 123"), 123, tree(Missing));
    intact.check(sql("DELETE FROM audit_entry WHERE idx < 2"), 0, tree(Missing));
    let swap = "UPDATE audit_entry SET idx = 100000 WHERE idx = 40;
                UPDATE audit_entry SET idx = 40 WHERE idx = 50;
                UPDATE audit_entry SET idx = 50 WHERE idx = 100000;";
    intact.check(sql(swap), 40, tree(LeafMismatch));
    let close_the_gap = "DELETE FROM audit_entry WHERE idx = 300;
                UPDATE audit_entry SET idx = -idx WHERE idx > 300;
                UPDATE audit_entry SET idx = -idx - 1 WHERE idx < 0;";
    let unchecked = |db: &Connection| {
        db.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
        db.execute_batch(close_the_gap).unwrap();
    };
    intact.check(unchecked, 300, tree(LeafMismatch));
    let add = "INSERT INTO audit_entry
                   (tenant, idx, id, at, kind, outcome, leaf, salt, subjects, body)
               SELECT tenant, 600, id || 'x', at, kind, outcome, leaf, salt, subjects, body
               FROM audit_entry WHERE idx = 1;";
    intact.check(sql(add), 600, tree(proviso_tlog::FaultKind::TileMismatch));
}

#[tokio::test]
async fn a_cut_log_is_noticed_even_when_all_of_it_was_cut_alike() {
    let intact = Intact::new().await;
    intact.check(sql("DELETE FROM audit_entry WHERE idx >= 590"), 590, Why::Cut);
    // The whole database as it was before: the file beside it tells.
    let folder = tempfile::tempdir().unwrap();
    with_entries(&folder, 10).await;
    let older = folder.path().join("older.db");
    std::fs::copy(database(&folder), &older).unwrap();
    let app = open(&folder, Faults::default()).await;
    app.append_audits((10..20).map(entry).collect()).await.unwrap();
    drop(app);
    std::fs::copy(&older, database(&folder)).unwrap();
    let report = verify(&database(&folder));
    assert_eq!(report.first_bad, Some(BadEntry { index: 10, why: Why::Cut }));
    let options = OpenOptions::new(TenantId::default_tenant());
    let refused = Store::open_sqlite(&database(&folder), options).unwrap_err();
    let expected = matches!(refused, OpenError::LogTruncated { found: 10, acknowledged: 20 });
    assert!(expected, "{refused:?}");
}

#[tokio::test]
async fn a_log_that_was_rewritten_from_some_entry_on_fails_at_its_checkpoint() {
    use proviso_tlog::FaultKind::RootMismatch;
    let intact = Intact::new().await;
    // Another log of the same length, consistent in itself but signed with another key.
    let forged = tempfile::tempdir().unwrap();
    with_entries(&forged, 600).await;
    let report = verify_as_stranger(&intact.0, &database(&forged));
    assert_eq!(report.first_bad, Some(BadEntry { index: 0, why: Why::Unsigned }));
    // Leaves and tiles rewritten alike: the signed root no longer fits.
    let forged_path = database(&forged).display().to_string();
    let rewrite = format!(
        "ATTACH '{forged_path}' AS forged;
         DELETE FROM main.audit_entry; DELETE FROM main.log_tile; DELETE FROM main.audit_subject;
         INSERT INTO main.audit_entry SELECT * FROM forged.audit_entry;
         INSERT INTO main.audit_subject SELECT * FROM forged.audit_subject;
         INSERT INTO main.log_tile SELECT * FROM forged.log_tile;"
    );
    let copy = intact.copy();
    tamper(&database(&copy), sql(&rewrite));
    let report = verify_as_stranger(&intact.0, &database(&copy));
    assert_eq!(report.first_bad, Some(BadEntry { index: 0, why: tree(RootMismatch) }));
}

/// Verifies as a stranger does: with the public key of a log, without the keys of its contents.
fn verify_as_stranger(of: &TempDir, path: &Path) -> VerifyReport {
    let tenant = TenantId::default_tenant();
    let stored = AuditLogReader::open(&database(of), &tenant).unwrap().sealed_keys().unwrap();
    let master = MasterKey::from_bytes([1; 32]);
    let keys = Keys::open(master, &stored, &SystemEntropy::default(), AT).unwrap().0;
    let public_key = keys.checkpoint_public_key();
    verify_database(path, &tenant, &public_key, None, |_, _| ()).unwrap()
}

#[tokio::test]
async fn a_checkpoint_that_was_changed_or_lost_leaves_its_entries_unsigned() {
    let intact = Intact::new().await;
    let changed = "UPDATE log_checkpoint SET note = replace(note, '600', '599') WHERE size = 600";
    intact.check(sql(changed), 300, Why::Unsigned);
    intact.check(sql("DELETE FROM log_checkpoint WHERE size = 600"), 300, Why::Unsigned);
    let copy = intact.copy();
    let side = copy.path().join("audit.checkpoint");
    let note = std::fs::read_to_string(&side).unwrap().replace("600", "700");
    std::fs::write(&side, note).unwrap();
    let found = verify(&database(&copy)).first_bad;
    assert_eq!(found, Some(BadEntry { index: 600, why: Why::SideFile }));
}

#[tokio::test]
async fn an_entry_that_its_people_cannot_find_or_that_is_misfiled_is_named() {
    let intact = Intact::new().await;
    let lost = "DELETE FROM audit_subject WHERE idx = 77 AND subject =
                (SELECT subject FROM audit_subject WHERE idx = 77 LIMIT 1)";
    intact.check(sql(lost), 77, Why::Index);
    intact.check(flip("audit_entry", "subjects", "idx = 78", 40), 78, Why::Index);
    let columns = [
        "kind = 'token'",
        "outcome = CASE outcome WHEN 'denied' THEN 'success' ELSE 'denied' END",
        "at = at + 1",
        "at = at + 7200000000",
    ];
    for change in columns {
        let update = format!("UPDATE audit_entry SET {change} WHERE idx = 5");
        intact.check(sql(&update), 5, Why::Columns);
    }
    intact.check(sql("UPDATE audit_entry SET id = 'aud_5x' WHERE idx = 5"), 5, Why::Body);
}

#[tokio::test]
async fn a_foreign_row_in_the_index_does_not_show_somebody_elses_entry() {
    let folder = tempfile::tempdir().unwrap();
    with_entries(&folder, 4).await;
    // Entry 0 is about james; maria's pseudonym is planted on it.
    tamper(
        &database(&folder),
        sql("INSERT INTO audit_subject (tenant, subject, idx)
             SELECT s.tenant, s.subject, 0 FROM audit_subject s WHERE s.idx = 1
             AND s.subject NOT IN (SELECT subject FROM audit_subject WHERE idx = 0)"),
    );
    let app = open(&folder, Faults::default()).await;
    assert_eq!(indexes(&app, query()).await.0, [2, 1]);
}

#[tokio::test]
async fn triggers_refuse_to_change_the_log() {
    let folder = tempfile::tempdir().unwrap();
    with_entries(&folder, 2).await;
    let db = Connection::open(database(&folder)).unwrap();
    for statement in [
        "UPDATE audit_entry SET at = 0",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_subject",
        "UPDATE audit_subject SET idx = 0",
        "UPDATE log_tile SET hashes = zeroblob(64)",
        "DELETE FROM log_tile",
        "UPDATE log_checkpoint SET size = 1",
        "DELETE FROM log_checkpoint",
    ] {
        assert!(db.execute_batch(statement).is_err(), "`{statement}` went through");
    }
}

// Covers: C2SP signed-note, with a signature that others made
#[test]
fn a_published_note_verifies_with_our_signature_check() {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let note = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n\
                \n\
                \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p\
                ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let (name, key) = proviso_tlog::note::parse_ed25519_verifier_key(verifier).unwrap();
    let check = |text: &[u8], signature: &[u8]| {
        UnparsedPublicKey::new(&ED25519, key).verify(text, signature).is_ok()
    };
    let parsed = proviso_tlog::SignedNote::parse(note).unwrap();
    assert_eq!(parsed.verify_ed25519(&name, &key, check), Ok(()));
    let changed = note.replace("problem is", "problem was");
    let changed = proviso_tlog::SignedNote::parse(&changed).unwrap();
    assert!(changed.verify_ed25519(&name, &key, check).is_err());
}
