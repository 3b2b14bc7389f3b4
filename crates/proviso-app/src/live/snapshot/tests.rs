use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use proviso_core::category::{Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::{
    Capacity, ConsentStatus, ConsentTerms, ConsentVersion, DurationChoice, NamedConsent,
    OfflineAccess, Recipient,
};
use proviso_core::id::{ConsentId, TenantId};
use proviso_core::time::{At, Period};
use proviso_store::{Batch, Op, OpenOptions};
use tempfile::TempDir;

use super::*;
use crate::App;
use crate::keys::MasterKey;
use crate::ports::{ManualClock, SystemEntropy};
use crate::settings::Settings;

const NOON: At = At::from_secs(1_800_000_000);

async fn open(folder: &Path) -> Arc<App> {
    let options = OpenOptions::new(TenantId::default_tenant());
    let store = Store::open_sqlite(&folder.join("proviso.db"), options).unwrap();
    let clock = Arc::new(ManualClock::starting_at(NOON));
    let entropy = Arc::new(SystemEntropy::default());
    let settings = Settings::demo("http://127.0.0.1:8080");
    App::open(store, MasterKey::from_bytes([1; 32]), clock, entropy, settings).await.unwrap()
}

fn recorded(number: u32) -> NamedConsent {
    let terms = ConsentTerms {
        patient: format!("p-{}", number / 5).parse().unwrap(),
        given_by: format!("acc_{:032x}", number / 5).parse().unwrap(),
        capacity: Capacity::Patient,
        recipient: Recipient::App(format!("app-{}", number % 7).parse().unwrap()),
        categories: CategorySet::EMPTY.with(Category::Laboratory),
        sensitive: SensitiveSet::EMPTY,
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: DurationChoice::OneYear.period_from(NOON),
        data_period: Period::ALWAYS,
        duration: DurationChoice::OneYear,
        offline: OfflineAccess::Refused,
        granted_scopes: vec!["patient/Observation.rs".parse().unwrap()],
        legal_basis: "patient-choice".to_owned(),
        policy_uri: "https://example.org/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: "Share laboratory results.".to_owned(),
    };
    let id = format!("cns_{number:032x}").parse().unwrap();
    NamedConsent::new(ConsentVersion::record(id, terms, NOON).unwrap())
}

fn op(named: &NamedConsent) -> Op {
    let version = named.version().clone();
    Op::PutConsentVersion { id: named.id().clone(), expect: version.predecessor.clone(), version }
}

/// Commits as use cases do, with an entry of the log.
async fn commit(app: &App, versions: &[NamedConsent]) {
    let via = crate::via::Via::default();
    let (kind, outcome) =
        (proviso_core::audit::AuditKind::Consent, proviso_core::audit::AuditOutcome::Success);
    let entry = app.draft_entry(&via, kind, outcome, "test").unwrap();
    let batch = Batch::from(versions.iter().map(op).collect::<Vec<_>>());
    app.commit(batch, entry).await.unwrap();
}

fn revoked(named: &NamedConsent) -> NamedConsent {
    NamedConsent::new(named.version().revoke(NOON.plus_secs(1), None).unwrap())
}

async fn snapshot(app: &App) -> SnapshotWritten {
    app.live.write_snapshot(&app.store, &app.keys, &*app.entropy).await.unwrap().unwrap()
}

/// What the store has, by consent.
async fn stored(app: &App) -> BTreeMap<ConsentId, NamedConsent> {
    let all = app.store.consents().await.unwrap();
    all.into_iter()
        .map(|stored| (stored.version.consent.clone(), NamedConsent::new(stored.version)))
        .collect()
}

async fn in_memory_is_what_is_stored(app: &App) {
    let stored = stored(app).await;
    assert_eq!(app.live().holding().unwrap().consents, stored.len());
    for (id, named) in &stored {
        assert_eq!(app.live().consent(id).unwrap().facts(), named.facts());
    }
}

/// Whether the snapshot in a folder would be taken, and for which epoch it stands.
async fn taken(app: &App) -> Result<Option<u64>, Refusal> {
    load(&app.store, &app.keys).await.map(|loaded| loaded.map(|(_, epoch)| epoch))
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn snapshot_file(folder: &TempDir) -> PathBuf {
    folder.path().join("consents.snapshot")
}

async fn with_consents(folder: &TempDir, count: u32) -> (Arc<App>, Vec<NamedConsent>) {
    let app = open(folder.path()).await;
    let all: Vec<NamedConsent> = (0..count).map(recorded).collect();
    for some in all.chunks(50) {
        commit(&app, some).await;
    }
    (app, all)
}

#[tokio::test]
async fn a_start_from_a_snapshot_has_what_the_store_has_and_revoked_stays_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let (app, all) = with_consents(&folder, 300).await;
    commit(&app, &[revoked(&all[0])]).await;
    let written = snapshot(&app).await;
    assert_eq!((written.consents, written.epoch), (300, app.live().epoch()));
    // The process is killed after these: no snapshot has them.
    commit(&app, &[revoked(&all[1]), recorded(1000)]).await;
    let narrowed = all[2].version().amend(
        ConsentTerms {
            categories: CategorySet::EMPTY.with(Category::Vitals),
            ..all[2].version().terms()
        },
        NOON.plus_secs(2),
        None,
    );
    commit(&app, &[NamedConsent::new(narrowed.unwrap())]).await;
    drop(app);

    let app = open(folder.path()).await;
    assert_eq!(taken(&app).await.unwrap(), Some(written.epoch));
    in_memory_is_what_is_stored(&app).await;
    for named in &all[..2] {
        let found = app.live().consent(&named.version().consent).unwrap();
        assert_eq!(found.facts().status, ConsentStatus::Inactive);
        assert!(!found.facts().in_force(NOON.plus_secs(1)));
    }
    let of_patient = app.live().consents_of(&"p-0".parse().unwrap());
    assert_eq!(of_patient.len(), 5);
}

#[tokio::test]
async fn a_snapshot_does_not_stand_for_a_batch_that_is_durable_but_not_yet_applied() {
    let folder = tempfile::tempdir().unwrap();
    let (app, all) = with_consents(&folder, 20).await;
    // One batch is durable, its task has not come to applying it, and a later one has been.
    let before = app.live().epoch();
    let under_way = app.live.horizon.set_out();
    app.store.commit(Batch::new().with(op(&revoked(&all[3])))).await.unwrap();
    commit(&app, &[revoked(&all[4])]).await;
    assert_eq!(app.live().epoch(), before + 2);
    assert_eq!(snapshot(&app).await.epoch, before);
    drop(under_way);
    drop(app);
    let app = open(folder.path()).await;
    in_memory_is_what_is_stored(&app).await;
    let id = &all[3].version().consent;
    assert_eq!(app.live().consent(id).unwrap().facts().status, ConsentStatus::Inactive);
}

#[tokio::test]
async fn each_byte_changed_and_each_end_cut_off_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = with_consents(&folder, 7).await;
    snapshot(&app).await;
    let whole = std::fs::read(snapshot_file(&folder)).unwrap();
    let read = |bytes: &[u8]| read_from(bytes, &app.keys, KeptNames::within(None));
    assert_eq!(read(&whole).unwrap().index.holding().consents, 7);
    for position in 0..whole.len() {
        for flip in [1, 0x80] {
            let mut changed = whole.clone();
            changed[position] ^= flip;
            assert!(read(&changed).is_err(), "byte {position} by {flip}");
        }
        assert!(read(&whole[..position]).is_err(), "cut at {position}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(matches!(read(&longer), Err(Refusal::Incomplete)));
    // Refused as a whole, and the start goes on from the store.
    std::fs::write(snapshot_file(&folder), &whole[..whole.len() - 1]).unwrap();
    drop(app);
    let app = open(folder.path()).await;
    assert!(taken(&app).await.is_err());
    in_memory_is_what_is_stored(&app).await;
}

#[tokio::test]
async fn chunks_of_two_snapshots_are_not_one() {
    let folder = tempfile::tempdir().unwrap();
    let (app, all) = with_consents(&folder, 7).await;
    snapshot(&app).await;
    let first = std::fs::read(snapshot_file(&folder)).unwrap();
    commit(&app, &[revoked(&all[0])]).await;
    snapshot(&app).await;
    let second = std::fs::read(snapshot_file(&folder)).unwrap();
    // The header of the later one before the pieces of the earlier one: revoked would be in force.
    let header_end = |bytes: &[u8]| {
        let length = u32::from_be_bytes(bytes[24..28].try_into().unwrap());
        24 + 5 + length as usize + 32
    };
    let mut spliced = second[..header_end(&second)].to_vec();
    spliced.extend_from_slice(&first[header_end(&first)..]);
    let read = read_from(spliced.as_slice(), &app.keys, KeptNames::within(None));
    assert!(matches!(read, Err(Refusal::Mac)));
}

#[tokio::test]
async fn a_snapshot_of_another_installation_is_refused() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (app, _) = with_consents(&folder, 10).await;
    snapshot(&app).await;
    drop(app);
    let (app, _) = with_consents(&other, 5).await;
    std::fs::copy(snapshot_file(&folder), snapshot_file(&other)).unwrap();
    assert!(matches!(taken(&app).await, Err(Refusal::Mac)));
    drop(app);
    let app = open(other.path()).await;
    in_memory_is_what_is_stored(&app).await;
}

#[tokio::test]
async fn a_snapshot_newer_than_the_store_or_of_another_history_is_refused() {
    let (folder, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (app, all) = with_consents(&folder, 10).await;
    drop(app);
    copy(folder.path(), kept.path());
    let app = open(folder.path()).await;
    commit(&app, &[revoked(&all[0])]).await;
    snapshot(&app).await;
    drop(app);
    // The store is put back from the copy, the snapshot is not.
    std::fs::copy(snapshot_file(&folder), snapshot_file(&kept)).unwrap();
    let app = open(kept.path()).await;
    in_memory_is_what_is_stored(&app).await;
    // The copy goes on, until it has as many changes and as long a log.
    assert!(matches!(taken(&app).await, Err(Refusal::Newer)));
    for named in &all[1..5] {
        commit(&app, &[revoked(named)]).await;
    }
    assert!(matches!(taken(&app).await, Err(Refusal::History)));
    drop(app);
    let app = open(kept.path()).await;
    in_memory_is_what_is_stored(&app).await;
}

#[tokio::test]
async fn an_earlier_snapshot_that_is_put_back_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let (app, all) = with_consents(&folder, 10).await;
    snapshot(&app).await;
    let earlier = std::fs::read(snapshot_file(&folder)).unwrap();
    commit(&app, &[revoked(&all[0])]).await;
    snapshot(&app).await;
    commit(&app, &[revoked(&all[1])]).await;
    drop(app);
    std::fs::write(snapshot_file(&folder), earlier).unwrap();
    let app = open(folder.path()).await;
    assert!(taken(&app).await.unwrap().is_some());
    in_memory_is_what_is_stored(&app).await;
}

#[tokio::test]
async fn an_unfinished_file_is_not_looked_at_and_a_small_installation_writes_none() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = with_consents(&folder, 10).await;
    assert_eq!(app.write_snapshot().await.unwrap(), None);
    assert!(!snapshot_file(&folder).exists());
    std::fs::write(folder.path().join("consents.snapshot.new"), b"half of one").unwrap();
    assert_eq!(taken(&app).await.unwrap(), None);
    snapshot(&app).await;
    assert!(!folder.path().join("consents.snapshot.new").exists());
    let mode = std::fs::metadata(snapshot_file(&folder)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn consents_that_change_while_a_snapshot_is_written_are_in_it_or_read_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let (app, all) = with_consents(&folder, 2_000).await;
    let writing = snapshot(&app);
    let changing = async {
        for some in all.chunks(100) {
            commit(&app, &some.iter().map(revoked).collect::<Vec<_>>()).await;
        }
    };
    tokio::join!(writing, changing);
    drop(app);
    let app = open(folder.path()).await;
    assert!(taken(&app).await.unwrap().is_some());
    in_memory_is_what_is_stored(&app).await;
}

// Covers: design P4: a choice and its picture are one object, those from before pictures too
#[tokio::test]
async fn choices_from_before_there_were_pictures_get_theirs_at_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(TenantId::default_tenant());
    let store = Store::open_sqlite(&folder.path().join("proviso.db"), options).unwrap();
    let made: Vec<NamedConsent> = (0..450).map(recorded).collect();
    let ended = revoked(&made[7]);
    let ops: Vec<Op> = made.iter().chain([&ended]).map(op).collect();
    store.commit(Batch::from(ops)).await.unwrap();
    drop(store);

    let app = open(folder.path()).await;
    for (place, named) in made.iter().enumerate() {
        let id = proviso_fhir::consent_r4::resource_id(&named.version().consent).unwrap();
        let kind = proviso_core::resource_type::ResourceType::CONSENT;
        let drawn = app.store.record(kind, &id, None).await.unwrap().unwrap();
        assert_eq!(drawn.version, if place == 7 { 2 } else { 1 });
        assert!(app.missing_pictures(&named.version().consent).await.unwrap().is_empty());
    }
    // What a start left undone is what the next one does.
    let ended = revoked(&made[8]);
    app.store.commit(Batch::from(vec![op(&ended)])).await.unwrap();
    assert_eq!(app.missing_pictures(&ended.version().consent).await.unwrap().len(), 1);
}
