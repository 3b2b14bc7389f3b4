//! Single writes.

use proviso_core::resource_type::ResourceType;

use super::{World, id, model, sqlite};
use crate::records::{
    Change, HistoryScope, Match, NewIds, Prepared, Reading, RecordFault, Records, WholeStore,
};

const PATIENT: ResourceType = ResourceType::PATIENT;

fn body(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

async fn update(world: &World, text: &str, expected: Match) -> Result<Prepared, RecordFault> {
    world.records.update(PATIENT, &id("p"), body(text), expected, NewIds::Client).await
}

async fn a_life(world: World) {
    let first = r#"{"resourceType":"Patient","id":"p","active":true }"#;
    let created = world.commit(update(&world, first, Match::Any).await.unwrap()).await;
    assert_eq!((created.change, created.version), (Change::Created, 1));

    // The same again needs no version; another version does.
    let same = update(&world, first, Match::Any).await.unwrap();
    assert_eq!((same.change, same.version), (Change::Unchanged, 1));
    let second = r#"{"resourceType":"Patient","id":"p","active":false }"#;
    let updated = update(&world, second, Match::Version(1)).await.unwrap();
    world.clock.advance_secs(10);
    let third = first.replace("true", "false,\"gender\":\"male\"");
    let mut racing = update(&world, &third, Match::Any).await.unwrap();
    let updated = world.commit(updated).await;
    assert_eq!((updated.change, updated.etag().as_str()), (Change::Updated, "W/\"2\""));

    // Who was slower loses nothing silently.
    let refused = world.records.store.commit(racing.take_ops().into()).await.unwrap_err();
    assert!(matches!(RecordFault::from(refused), RecordFault::Conflict));
    assert!(matches!(
        update(&world, second, Match::Version(1)).await,
        Err(RecordFault::VersionMismatch)
    ));

    let Reading::Live(live) = world.records.read(PATIENT, &id("p")).await.unwrap() else {
        panic!("gone")
    };
    assert_eq!(
        live.doc.text(),
        r#"{"resourceType":"Patient","id":"p","meta":{"versionId":"2","lastUpdated":"2026-01-01T00:00:00Z"},"active":false }"#
    );

    let deleted = world.records.delete(PATIENT, &id("p"), Match::Any).await.unwrap();
    let deleted = world.commit(deleted).await;
    assert_eq!((deleted.change, deleted.version), (Change::Deleted, 3));
    let again = world.records.delete(PATIENT, &id("p"), Match::Any).await.unwrap();
    assert_eq!(again.change, Change::NothingThere);
    let Reading::Deleted { version: 3, last: Some(last), .. } =
        world.records.read(PATIENT, &id("p")).await.unwrap()
    else {
        panic!("not deleted")
    };
    assert_eq!(last.version, 2);
    assert_eq!(world.found(PATIENT, "").await, "");

    let reborn = world.commit(update(&world, first, Match::Any).await.unwrap()).await;
    assert_eq!((reborn.change, reborn.version), (Change::Created, 4));
    assert_eq!(world.found(PATIENT, "active=true").await, "Patient/p");

    let scope = HistoryScope::Instance(PATIENT, id("p"));
    let page = world.records.history(&scope, None, None, 3, 100, &WholeStore).await.unwrap();
    let numbers: Vec<u64> = page.versions.iter().map(|v| v.version).collect();
    assert_eq!(numbers, [4, 3, 2]);
    let rest = world.records.history(&scope, None, page.next, 3, 100, &WholeStore).await.unwrap();
    assert_eq!((rest.versions.len(), rest.next), (1, None));
    assert!(matches!(
        world.records.vread(PATIENT, &id("p"), 1).await.unwrap(),
        Reading::Live(record) if record.version == 1
    ));
}

#[tokio::test]
async fn a_resource_lives_dies_and_lives_again_in_memory() {
    a_life(model()).await;
}

#[tokio::test]
async fn a_resource_lives_dies_and_lives_again_in_sqlite() {
    a_life(sqlite()).await;
}

#[tokio::test]
async fn what_is_not_acceptable_is_refused() {
    let world = model();
    let create = |text: &str| world.records.create(PATIENT, body(text));
    assert!(matches!(create("{"), Err(RecordFault::Json(_))));
    assert!(matches!(create(r#"{"resourceType":"Group"}"#), Err(RecordFault::WrongType)));
    assert!(matches!(
        create(r#"{"resourceType":"Patient","foo":1}"#),
        Err(RecordFault::Invalid(faults)) if faults.len() == 1
    ));
    assert!(matches!(
        update(&world, r#"{"resourceType":"Patient","id":"q"}"#, Match::Any).await,
        Err(RecordFault::WrongId)
    ));
    let refused = world
        .records
        .update(
            PATIENT,
            &id("p"),
            body(r#"{"resourceType":"Patient","id":"p"}"#),
            Match::Any,
            NewIds::Server,
        )
        .await;
    assert!(matches!(refused, Err(RecordFault::ClientId)));
    let absent = world.records.delete(PATIENT, &id("p"), Match::Version(1)).await;
    assert!(matches!(absent, Err(RecordFault::VersionMismatch)));
}

#[tokio::test]
async fn a_create_gets_an_id_from_the_server() {
    let world = model();
    let text = r#"{"resourceType":"Patient","id":"mine"}"#;
    let created = world.commit(world.records.create(PATIENT, body(text)).unwrap()).await;
    assert_ne!(created.id.as_str(), "mine");
    assert_eq!(created.id.as_str().len(), 36);
    assert_eq!(created.after.unwrap().id(), Some(created.id));
}

#[tokio::test]
async fn conditional_writes_find_none_one_or_many() {
    let world = model();
    world
        .put(&[
            r#"{"resourceType":"Patient","id":"a","identifier":[{"value":"1"}],"active":true}"#,
            r#"{"resourceType":"Patient","id":"b","identifier":[{"value":"2"}],"active":true}"#,
        ])
        .await;
    let records: &Records = &world.records;
    let text = r#"{"resourceType":"Patient","identifier":[{"value":"1"}]}"#;
    let create =
        |criteria| records.create_if_none_exists(PATIENT, body(text), criteria, &WholeStore);
    let found = create("identifier=1").await.unwrap();
    assert_eq!((found.change, found.id.as_str()), (Change::Existing, "a"));
    drop(found);
    assert!(matches!(create("active=true").await, Err(RecordFault::MultipleMatches)));
    assert!(matches!(create("_count=1").await, Err(RecordFault::NoCriteria)));
    assert_eq!(create("identifier=9").await.unwrap().change, Change::Created);

    let put = |criteria| {
        let how = (Match::Any, NewIds::Client);
        records.update_matching(PATIENT, criteria, body(text), how, &WholeStore)
    };
    let updated = put("identifier=1").await.unwrap();
    assert_eq!((updated.change, updated.id.as_str()), (Change::Updated, "a"));
    drop(updated);
    assert_eq!(put("identifier=9").await.unwrap().change, Change::Created);
    assert!(matches!(put("active=true").await, Err(RecordFault::MultipleMatches)));

    let delete = |criteria| records.delete_matching(PATIENT, criteria, Match::Any, &WholeStore);
    assert_eq!(delete("identifier=1").await.unwrap().unwrap().change, Change::Deleted);
    assert!(delete("identifier=9").await.unwrap().is_none(), "nothing is left to delete");
    assert!(matches!(delete("active=true").await, Err(RecordFault::MultipleMatches)));

    let patch =
        proviso_fhir::json::Doc::parse(body(r#"[{"op":"remove","path":"/active"}]"#)).unwrap();
    let patched =
        records.patch_matching(PATIENT, "identifier=2", &patch, Match::Any, &WholeStore).await;
    let patched = world.commit(patched.unwrap()).await;
    assert_eq!((patched.change, patched.id.as_str()), (Change::Updated, "b"));
    assert!(!patched.after.unwrap().text().contains("active"));
}

#[tokio::test]
async fn two_conditional_creates_at_once_make_one_resource() {
    let world = std::sync::Arc::new(model());
    let one = |world: std::sync::Arc<World>| async move {
        let text = r#"{"resourceType":"Patient","identifier":[{"value":"1"}]}"#;
        let prepared = world
            .records
            .create_if_none_exists(PATIENT, body(text), "identifier=1", &WholeStore)
            .await
            .unwrap();
        // Somebody else gets the chance to look before this one commits.
        tokio::task::yield_now().await;
        world.commit(prepared).await.change
    };
    let (a, b) = tokio::join!(tokio::spawn(one(world.clone())), tokio::spawn(one(world.clone())));
    let mut changes = [a.unwrap(), b.unwrap()];
    changes.sort_by_key(|change| *change == Change::Existing);
    assert_eq!(changes, [Change::Created, Change::Existing]);
}
