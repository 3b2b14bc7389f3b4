//! Histories over a view: what is hidden makes no page, no cost and no refusal.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use proviso_core::id::PatientId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use super::{World, id, model, sqlite};
use crate::records::{
    HistoryPage, HistoryScope, Match, NotCommitted, Record, RecordFault, RecordMethod, View,
    WholeStore,
};

const KIND: ResourceType = ResourceType::OBSERVATION;

/// Sees what names patient `a` only and is not sensitive; counts what it is shown.
#[derive(Default)]
struct OfA {
    judged: AtomicUsize,
}

impl View for OfA {
    fn sees(&self, record: &Record) -> bool {
        self.judged.fetch_add(1, Ordering::Relaxed);
        let text = record.doc.text();
        text.contains("Patient/a") && !text.contains("Patient/b") && !text.contains("sensitive")
    }

    fn patients(&self, _: ResourceType) -> Option<Vec<PatientId>> {
        Some(vec!["a".parse().unwrap()])
    }
}

fn observation(name: &str, patient: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{name}","status":"final","code":{{"text":"{code}"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    )
}

async fn put(world: &World, name: &str, patient: &str, code: &str) {
    world.put(&[&observation(name, patient, code)]).await;
}

async fn delete(world: &World, name: &str) {
    let prepared = world.records.delete(KIND, &id(name), Match::Any).await.unwrap();
    world.commit(prepared).await;
}

async fn page(
    world: &World,
    scope: &HistoryScope,
    before_seq: Option<u64>,
    count: usize,
    view: &dyn View,
) -> Result<HistoryPage, RecordFault> {
    let since = At::parse("2020-01-01T00:00:00Z");
    world.records.history(scope, since, before_seq, count, 10_000, view).await
}

/// Every page: what is on it, and whether another follows.
async fn pages(world: &World, scope: &HistoryScope, count: usize) -> Vec<(Vec<String>, bool)> {
    let (mut all, mut position) = (Vec::new(), None);
    loop {
        let page = page(world, scope, position, count, &OfA::default()).await.unwrap();
        let versions = page.versions.iter().map(|one| {
            let body = one.record.as_ref().map(|record| record.doc.text().to_owned());
            format!("{}/{} {:?} {body:?}", one.id, one.version, one.method)
        });
        all.push((versions.collect(), page.next.is_some()));
        match page.next {
            Some(next) => position = Some(next),
            None => return all,
        }
    }
}

async fn two_worlds(bare: World, full: World) {
    put(&full, "b-old", "b", "x").await;
    put(&full, "a-old", "a", "sensitive").await;
    for world in [&bare, &full] {
        put(world, "one", "a", "x").await;
        put(world, "one", "a", "y").await;
    }
    put(&full, "b-between", "b", "x").await;
    put(&full, "a-between", "a", "sensitive").await;
    delete(&full, "a-between").await;
    for world in [&bare, &full] {
        put(world, "two", "a", "x").await;
        delete(world, "two").await;
    }
    put(&full, "b-new", "b", "x").await;
    put(&full, "a-new", "a", "sensitive").await;
    for count in 1..=5 {
        let scope = HistoryScope::Type(KIND);
        let seen = pages(&full, &scope, count).await;
        assert_eq!(seen, pages(&bare, &scope, count).await, "{count} on a page");
        assert_eq!(seen.len(), 4_usize.div_ceil(count), "{count} on a page");
    }
}

// Covers: design P1; leak 61
#[tokio::test]
async fn a_hidden_version_makes_no_further_page_in_memory() {
    two_worlds(model(), model()).await;
}

// Covers: design P1; leak 61
#[tokio::test]
async fn a_hidden_version_makes_no_further_page_in_sqlite() {
    two_worlds(sqlite(), sqlite()).await;
}

/// The first version was about somebody else, or sensitive.
// Covers: leak 59
#[tokio::test]
async fn the_last_visible_version_of_a_resource_ends_its_history() {
    for world in [model(), sqlite()] {
        for (name, patient, code) in [("moved", "b", "x"), ("opened", "a", "sensitive")] {
            put(&world, name, patient, code).await;
            put(&world, name, "a", "x").await;
            put(&world, name, "a", "y").await;
            let scope = HistoryScope::Instance(KIND, id(name));
            let numbers = async |count, view: &dyn View| {
                let page = page(&world, &scope, None, count, view).await.unwrap();
                let numbers: Vec<u64> = page.versions.iter().map(|one| one.version).collect();
                (numbers, page.next.is_some())
            };
            assert_eq!(numbers(1, &OfA::default()).await, (vec![3], true));
            assert_eq!(numbers(2, &OfA::default()).await, (vec![3, 2], false));
            assert_eq!(numbers(2, &WholeStore).await, (vec![3, 2], true));
            assert_eq!(numbers(3, &WholeStore).await, (vec![3, 2, 1], false));
        }
    }
}

async fn import(world: &World, name: &str, patient: &str, count: usize) {
    let store = world.records.store.clone();
    let commit = async |batch| match store.commit(batch).await {
        Ok(_) => Ok(()),
        Err(error) => Err(NotCommitted::Failed(error.to_string())),
    };
    let lines = (0..count).map(|number| {
        Ok::<_, io::Error>(observation(&format!("{name}{number}"), patient, "x").into_bytes())
    });
    let report = world.records.import_lines(name, lines, &commit, &mut |_| {}).await.unwrap();
    assert_eq!(report.progress.stored, u64::try_from(count).unwrap());
}

/// More records of somebody else than one history may look at, older and newer than the own.
async fn crowded(quiet: World, crowd: World) {
    import(&crowd, "before", "b", 300).await;
    for world in [&quiet, &crowd] {
        put(world, "kept", "a", "x").await;
        put(world, "gone", "a", "x").await;
        delete(world, "gone").await;
    }
    import(&crowd, "after", "b", 10_200).await;
    let scope = HistoryScope::Type(KIND);
    let mut looked_at = Vec::new();
    for world in [&quiet, &crowd] {
        let view = OfA::default();
        let page = page(world, &scope, None, 20, &view).await.unwrap();
        let found: Vec<_> = page.versions.iter().map(|one| (one.id.as_str(), one.method)).collect();
        assert_eq!(
            found,
            [
                ("gone", RecordMethod::Delete),
                ("gone", RecordMethod::Create),
                ("kept", RecordMethod::Create)
            ]
        );
        assert_eq!(page.next, None);
        looked_at.push(view.judged.into_inner());
    }
    assert_eq!(looked_at.first(), looked_at.last());
    // Within the own reach the limit still holds.
    import(&quiet, "own", "a", 250).await;
    let history =
        async |most| quiet.records.history(&scope, None, None, 400, most, &OfA::default()).await;
    assert!(matches!(history(200).await, Err(RecordFault::TooCostly)));
    assert_eq!(history(201).await.unwrap().versions.len(), 253);
}

#[tokio::test]
async fn records_of_others_make_no_history_too_costly_in_memory() {
    crowded(model(), model()).await;
}

#[tokio::test]
async fn records_of_others_make_no_history_too_costly_in_sqlite() {
    crowded(sqlite(), sqlite()).await;
}
