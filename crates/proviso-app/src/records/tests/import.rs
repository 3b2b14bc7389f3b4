//! Bulk loading.

use std::cell::Cell;
use std::io;

use proviso_core::resource_type::ResourceType;
use proviso_store::{Batch, Store};

use super::{World, model, sqlite};
use crate::records::{ImportError, ImportProgress, ImportReport, NotCommitted};

async fn write(store: &Store, batch: Batch) -> Result<(), NotCommitted> {
    match store.commit(batch).await {
        Ok(_) => Ok(()),
        Err(error) if error.precondition().is_some() => Err(NotCommitted::Precondition),
        Err(error) => Err(NotCommitted::Failed(error.to_string())),
    }
}

fn lines(texts: &[String]) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    texts.iter().map(|text| Ok(text.clone().into_bytes()))
}

fn patients(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!(r#"{{"resourceType":"Patient","id":"p{n}","birthDate":"1980"}}"#))
        .collect()
}

async fn import(world: &World, name: &str, texts: &[String]) -> Result<ImportReport, ImportError> {
    let store = world.records.store.clone();
    let commit = async |batch| write(&store, batch).await;
    world.records.import_lines(name, lines(texts), &commit, &mut |_| {}).await
}

fn counts(report: &ImportReport) -> (u64, u64, u64, u64) {
    let ImportProgress { lines, stored, unchanged, rejected } = report.progress;
    (lines, stored, unchanged, rejected)
}

async fn loads(world: World) {
    let mut texts = patients(1200);
    texts[3] = r#"{"resourceType":"Patient","id":"p3","foo":1}"#.to_owned();
    texts[700] = "not json".to_owned();
    texts[701] = r#"{"resourceType":"Patient"}"#.to_owned();
    texts[702] = String::new();
    let report = import(&world, "a", &texts).await.unwrap();
    assert_eq!(counts(&report), (1200, 1196, 0, 3));
    let rejected: Vec<(u64, &str)> =
        report.rejections.iter().map(|r| (r.line, r.reason.as_str())).collect();
    assert_eq!(rejected[0].0, 4);
    assert!(rejected[0].1.starts_with("Patient.foo: "), "{rejected:?}");
    assert_eq!(rejected[2], (702, "`id` is missing or malformed"));
    assert_eq!(world.records.store.count_records().await.unwrap(), 1196);

    // The same file again is done already; under another name everything is there already.
    let again = import(&world, "a", &texts).await.unwrap();
    assert_eq!(counts(&again), (1200, 1196, 0, 3));
    let other = import(&world, "b", &texts).await.unwrap();
    assert_eq!(counts(&other), (1200, 0, 1196, 3));

    // A changed line and a line that comes twice become new versions.
    let changed = ["1981", "1982"]
        .map(|year| format!(r#"{{"resourceType":"Patient","id":"p0","birthDate":"{year}"}}"#));
    assert_eq!(counts(&import(&world, "c", &changed).await.unwrap()), (2, 2, 0, 0));
    assert_eq!(world.found(ResourceType::PATIENT, "birthdate=1982").await, "Patient/p0");
    assert_eq!(world.found(ResourceType::PATIENT, "birthdate=1981").await, "");
}

#[tokio::test]
async fn lines_are_loaded_rejected_and_recognised_in_memory() {
    loads(model()).await;
}

#[tokio::test]
async fn lines_are_loaded_rejected_and_recognised_in_sqlite() {
    loads(sqlite()).await;
}

#[tokio::test]
async fn an_import_that_was_stopped_goes_on_where_it_was() {
    let world = model();
    let texts = patients(1200);
    let store = world.records.store.clone();
    let commits = Cell::new(0);
    let commit = async |batch| {
        commits.set(commits.get() + 1);
        if commits.get() > 1 {
            return Err(NotCommitted::Failed("the disk is full".to_owned()));
        }
        write(&store, batch).await
    };
    let stopped = world.records.import_lines("a", lines(&texts), &commit, &mut |_| {}).await;
    assert!(matches!(stopped, Err(ImportError::Commit(_))));
    assert_eq!(store.count_records().await.unwrap(), 500);
    let report = import(&world, "a", &texts).await.unwrap();
    assert_eq!(counts(&report), (1200, 1200, 0, 0));
    assert_eq!(store.count_records().await.unwrap(), 1200);
}

#[tokio::test]
async fn a_bundle_keeps_its_ids_and_resolves_its_links() {
    let world = model();
    let store = world.records.store.clone();
    let commit = async |batch| write(&store, batch).await;
    let bundle = r#"{"resourceType":"Bundle","type":"transaction","entry":[
        {"fullUrl":"urn:uuid:p-1","resource":{"resourceType":"Patient","id":"p-1"},
         "request":{"method":"POST","url":"Patient"}},
        {"fullUrl":"urn:uuid:f-1","resource":{"resourceType":"Flag","id":"f-1","status":"active",
          "code":{"text":"x"},"subject":{"reference":"urn:uuid:p-1"}},
         "request":{"method":"POST","url":"Flag"}}]}"#;
    for stored in [2, 0] {
        let report =
            world.records.import_bundle(bundle.as_bytes().to_vec(), &commit).await.unwrap();
        assert_eq!(report.progress.stored, stored);
    }
    assert_eq!(world.found(ResourceType::FLAG, "patient=p-1").await, "Flag/f-1");
}

#[tokio::test]
async fn references_by_criteria_lead_to_what_is_stored_already() {
    let world = model();
    world
        .put(&[r#"{"resourceType":"Practitioner","id":"dr","identifier":[{"system":"npi","value":"1"}]}"#])
        .await;
    let encounter = |id: &str, who: &str| {
        format!(
            r#"{{"resourceType":"Encounter","id":"{id}","status":"finished","class":{{"code":"AMB"}},"participant":[{{"individual":{{"reference":"Practitioner?identifier=npi|{who}"}}}}]}}"#
        )
    };
    let texts = [encounter("e1", "1"), encounter("e2", "2")];
    assert_eq!(counts(&import(&world, "a", &texts).await.unwrap()), (2, 2, 0, 0));
    let encounters = ResourceType::ENCOUNTER;
    assert_eq!(world.found(encounters, "practitioner=dr").await, "Encounter/e1");
    // What leads nowhere yet is kept, and found by what it says.
    assert_eq!(world.found(encounters, "practitioner:identifier=npi|2").await, "Encounter/e2");
    assert_eq!(counts(&import(&world, "b", &texts).await.unwrap()), (2, 0, 2, 0));
}
