//! What survives: killed processes, torn files, reopened databases.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod world;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use proviso_core::resource_type::ResourceType;
use proviso_store::{
    AuditQuery, Batch, CandidateQuery, Clause, CommitError, Expect, ExpectSetting, Op, OpenError,
    OpenOptions, Store,
};
use world::{audit, observation, options, record};

/// Names the database for the process that is going to be killed.
const CHILD: &str = "PROVISO_STORE_TEST_DATABASE";

/// Names the database for the process that is not given enough space.
const CHILD_WITHOUT_SPACE: &str = "PROVISO_STORE_TEST_SMALL_DATABASE";

/// One batch that touches three tables and the log; all of it carries the same number.
fn batch(number: u64) -> Batch {
    let id = format!("r{number}");
    Batch::new()
        .with(Op::PutSetting {
            key: format!("s{number}"),
            value: "written".to_owned(),
            expect: ExpectSetting::Absent,
        })
        .with(Op::PutRecord { record: observation(&id, &[1, 2, 3], 4), expect: Expect::Absent })
        .with(Op::AppendAudit(audit(number)))
}

/// Which batches are there; fails when one is there in part.
async fn whole_batches(store: &Store, up_to: u64) -> Vec<u64> {
    let log = store.audit_page(AuditQuery { limit: usize::MAX, ..AuditQuery::default() });
    let log = log.await.unwrap();
    let indexes = log.iter().rev().map(|one| one.index);
    assert!(indexes.eq(0..log.len() as u64), "the log has gaps");
    let logged: Vec<_> = log.iter().map(|one| one.entry.id.clone()).collect();
    let mut present = Vec::new();
    for number in 0..up_to {
        let setting = store.setting(&format!("s{number}")).await.unwrap().is_some();
        let id = format!("r{number}").parse().unwrap();
        let stored = store.record(ResourceType::OBSERVATION, &id, None).await.unwrap();
        let entry = logged.contains(&audit(number).id);
        assert_eq!((setting, setting), (stored.is_some(), entry), "batch {number} is half-done");
        present.extend(setting.then_some(number));
    }
    assert_eq!(present.len(), log.len());
    assert_eq!(store.latest_seq().await.unwrap(), log.len() as u64);
    if let Some(checkpoint) = store.checkpoint().await.unwrap() {
        assert_eq!(checkpoint.size, log.len() as u64);
    }
    present
}

/// Writes as fast as it can and says so, until it is killed. Runs only when told which database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "how a test tells its own child what to do")]
async fn writes_until_it_is_killed() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (start, path) = told.split_once(' ').unwrap();
    let start: u64 = start.parse().unwrap();
    let store = Store::open_sqlite(Path::new(path), options()).unwrap();
    let tasks: Vec<_> = (0..8_u64)
        .map(|lane| {
            let store = store.clone();
            tokio::spawn(async move {
                for step in 0..10_000 {
                    let number = start + step * 8 + lane;
                    store.commit(batch(number)).await.unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "acknowledged {number}").unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.db");
    let mut acknowledged: Vec<u64> = Vec::new();
    let mut start = 0;
    for round in 1..=5_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, format!("{start} {}", path.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        let mut note = |line: String| {
            // The test runner's own words may share the first line.
            if let Some((_, number)) = line.split_once("acknowledged ") {
                acknowledged.push(number.parse().unwrap());
                seen += 1;
            }
            seen
        };
        while note(lines.next().expect("the child writes until it is killed").unwrap()) < round * 37
        {
        }
        child.kill().unwrap();
        // What it said before it died counts too, but a line cut in two does not.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        for line in rest.iter().take(rest.len().saturating_sub(1)) {
            note(line.clone());
        }
        child.wait().unwrap();

        let store = Store::open_sqlite(&path, options()).unwrap();
        start += 100_000;
        check_round(&store, &acknowledged).await;
    }
}

/// Every acknowledged batch is there, and nothing is there in part.
async fn check_round(store: &Store, acknowledged: &[u64]) {
    let log = store.audit_page(AuditQuery { limit: usize::MAX, ..AuditQuery::default() });
    let logged: Vec<_> = log.await.unwrap().into_iter().map(|one| one.entry.id).collect();
    for number in acknowledged {
        assert!(logged.contains(&audit(*number).id), "batch {number} was acknowledged and is lost");
        assert!(store.setting(&format!("s{number}")).await.unwrap().is_some());
    }
    assert_eq!(store.latest_seq().await.unwrap(), logged.len() as u64);
    assert_eq!(store.count_records().await.unwrap(), logged.len() as u64);
    assert_eq!(store.checkpoint().await.unwrap().unwrap().size, logged.len() as u64);
}

/// Writes one batch after the other until one is refused, says so, and tries a few more times.
/// Runs only when told which database.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how a test tells its own child what to do")]
async fn writes_until_the_disk_is_full() {
    let Ok(path) = std::env::var(CHILD_WITHOUT_SPACE) else { return };
    let store = Store::open_sqlite(Path::new(&path), options()).unwrap();
    let mut refused = 0;
    for number in 0..100_000 {
        let told = match store.commit(batch(number)).await {
            Ok(_) => format!("acknowledged {number}\n"),
            Err(CommitError::Storage(_)) => {
                refused += 1;
                format!("refused {number}\n")
            }
            Err(other) => panic!("{other:?}"),
        };
        std::io::stdout().lock().write_all(told.as_bytes()).unwrap();
        if refused == 5 {
            return;
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn on_a_full_disk_batches_are_refused_and_what_was_acknowledged_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.db");
    drop(Store::open_sqlite(&path, options()).unwrap());
    // No file may grow beyond 4 MiB: writing more fails as it does on a full disk.
    let child = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 8192; exec \"$0\" --exact \"$1\" --nocapture")
        .arg(std::env::current_exe().unwrap())
        .arg("writes_until_the_disk_is_full")
        .env(CHILD_WITHOUT_SPACE, &path)
        .output()
        .unwrap();
    let told = String::from_utf8(child.stdout).unwrap();
    let numbers = |word: &str| -> Vec<u64> {
        told.lines()
            .filter_map(|line| line.split_once(word))
            .map(|(_, number)| number.trim().parse().unwrap())
            .collect()
    };
    let (acknowledged, refused) = (numbers("acknowledged "), numbers("refused "));
    assert_eq!(refused.len(), 5, "{told}");
    assert!(acknowledged.len() > 10, "{told}");
    let store = Store::open_sqlite(&path, options()).unwrap();
    check_round(&store, &acknowledged).await;
    // With space again, what was refused can be written.
    let present = whole_batches(&store, acknowledged.len() as u64 + 10).await;
    for number in refused.into_iter().filter(|number| !present.contains(number)) {
        store.commit(batch(number)).await.unwrap();
    }
}

#[tokio::test]
async fn a_torn_write_ahead_log_never_leaves_half_a_batch() {
    const BATCHES: u64 = 24;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.db");
    let store = Store::open_sqlite(&path, options()).unwrap();
    for number in 0..BATCHES {
        store.commit(batch(number)).await.unwrap();
    }
    // Copied while the store is open: the log has not been folded back into the database.
    let database = std::fs::read(&path).unwrap();
    let wal = std::fs::read(folder.path().join("whole.db-wal")).unwrap();
    let mut most = 0;
    for cut in 0..=40 {
        let copy = tempfile::tempdir().unwrap();
        let torn = copy.path().join("torn.db");
        let length = (wal.len() * cut / 40).saturating_sub(cut * 131 % 4096);
        std::fs::write(&torn, &database).unwrap();
        std::fs::write(copy.path().join("torn.db-wal"), wal.get(..length).unwrap()).unwrap();
        let reopened = Store::open_sqlite(&torn, options()).unwrap();
        let present = whole_batches(&reopened, BATCHES).await;
        let count = present.len() as u64;
        assert!(present.into_iter().eq(0..count), "a later batch without an earlier one");
        assert!(count >= most, "more of the log gave less");
        most = count;
        reopened.commit(batch(BATCHES)).await.unwrap();
    }
    assert!(most > BATCHES / 2, "only {most} batches came back");
}

#[tokio::test]
async fn everything_is_found_again_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.db");
    for round in 0..3_u64 {
        let store = Store::open_sqlite(&path, options()).unwrap();
        assert_eq!(whole_batches(&store, 300).await.len() as u64, round * 100);
        let commits: Vec<_> = (round * 100..round * 100 + 100)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { store.commit(batch(number)).await.unwrap() })
            })
            .collect();
        let mut indexes = Vec::new();
        for commit in commits {
            indexes.extend(commit.await.unwrap().audit_indexes);
        }
        indexes.sort_unstable();
        assert!(indexes.into_iter().eq(round * 100..round * 100 + 100));
    }
    let side = std::fs::read_to_string(folder.path().join("audit.checkpoint")).unwrap();
    assert!(side.starts_with("test.example/log\n300\n"), "{side}");
    let leftovers =
        std::fs::metadata(folder.path().join("again.db-wal")).map_or(0, |wal| wal.len());
    assert_eq!(leftovers, 0, "a closed database is one file");
}

#[tokio::test]
async fn one_batch_that_fails_does_not_fail_those_it_shares_a_transaction_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(&folder.path().join("shared.db"), options()).unwrap();
    let tasks: Vec<_> = (0..200_u64)
        .map(|number| {
            let store = store.clone();
            // Every number is written twice: one of the two must fail, whichever comes later.
            tokio::spawn(async move { store.commit(batch(number / 2)).await.is_ok() })
        })
        .collect();
    let mut went_well = 0;
    for task in tasks {
        went_well += u32::from(task.await.unwrap());
    }
    assert_eq!(went_well, 100);
    assert_eq!(whole_batches(&store, 100).await.len(), 100);
}

#[test]
fn a_database_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.db");
    let first = Store::open_sqlite(&path, options()).unwrap();
    let second = Store::open_sqlite(&path, options());
    assert!(matches!(second, Err(OpenError::InUse)), "{second:?}");
    drop(first);
    assert!(Store::open_sqlite(&path, options()).is_ok());
}

#[tokio::test]
async fn readers_see_a_commit_as_soon_as_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(&folder.path().join("fresh.db"), options()).unwrap();
    for version in 1..50 {
        let put = Op::PutRecord {
            record: record(ResourceType::PATIENT, "p", version),
            expect: Expect::Any,
        };
        store.commit(Batch::new().with(put)).await.unwrap();
        let found = store.record(ResourceType::PATIENT, &"p".parse().unwrap(), None).await;
        assert_eq!(found.unwrap().unwrap().version, version);
    }
}

#[tokio::test]
async fn a_tenant_never_sees_the_rows_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants.db");
    let open = |tenant: &str| {
        let options = OpenOptions::new(tenant.parse().unwrap()).with_signer(world::signer());
        Store::open_sqlite(&path, options).unwrap()
    };
    let first = open("first");
    for number in 0..3 {
        first.commit(batch(number)).await.unwrap();
    }
    drop(first);
    let second = open("second");
    let id = "r1".parse().unwrap();
    assert_eq!(second.setting("s1").await.unwrap(), None);
    assert_eq!(second.record(ResourceType::OBSERVATION, &id, None).await.unwrap(), None);
    assert_eq!(second.count_records().await.unwrap(), 0);
    assert_eq!(second.checkpoint().await.unwrap(), None);
    let everything = CandidateQuery {
        as_of: u64::MAX,
        resource_type: ResourceType::OBSERVATION,
        clauses: vec![Clause::AnyKey(vec![1])],
        after: None,
        limit: 10,
    };
    assert_eq!(second.candidates(everything.clone()).await.unwrap(), vec![]);
    // The same names, a log of its own, and sequence numbers that go on counting.
    let receipt = second.commit(batch(1)).await.unwrap();
    assert_eq!((receipt.record_seqs, receipt.audit_indexes), (vec![4], vec![0]));
    drop(second);
    let first = open("first");
    assert_eq!(first.candidates(everything).await.unwrap().len(), 3);
    assert_eq!(first.checkpoint().await.unwrap().unwrap().size, 3);
    assert!(folder.path().join("audit-first.checkpoint").exists());
}
