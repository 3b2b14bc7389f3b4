//! Transactions.

use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::IncomingBundle;
use proviso_fhir::json::Doc;
use proviso_store::Batch;

use super::{World, id, model, sqlite};
use crate::records::{
    Change, NewIds, PreparedEntry, PreparedTransaction, Reading, RecordFault, WholeStore,
};

fn bundle(entries: &str) -> Doc {
    let json = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
    Doc::parse(json.into_bytes()).unwrap()
}

async fn prepare(world: &World, entries: &str) -> Result<PreparedTransaction, RecordFault> {
    let doc = bundle(entries);
    let incoming = IncomingBundle::read(&doc).unwrap();
    world.records.transaction(&incoming.entries, NewIds::Client, &WholeStore).await
}

async fn all_together(world: World) {
    world
        .put(&[
            r#"{"resourceType":"Practitioner","id":"dr","identifier":[{"system":"npi","value":"1"}]}"#,
            r#"{"resourceType":"Patient","id":"old"}"#,
        ])
        .await;
    let entries = r#"
        {"fullUrl":"urn:uuid:0b","request":{"method":"POST","url":"Observation"},
         "resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},
            "identifier":[{"system":"urn:x","value":"urn:uuid:0a"}],
            "subject":{"reference":"urn:uuid:0a"},
            "performer":[{"reference":"Practitioner?identifier=npi|1"}],
            "derivedFrom":[{"reference":"urn:uuid:0c"}]}},
        {"fullUrl":"urn:uuid:0a","request":{"method":"POST","url":"Patient"},
         "resource":{"resourceType":"Patient","active":true}},
        {"fullUrl":"urn:uuid:0c","request":{"method":"PUT","url":"Observation/c"},
         "resource":{"resourceType":"Observation","id":"c","status":"final","code":{"text":"x"},
            "subject":{"reference":"Patient/old"}}},
        {"request":{"method":"DELETE","url":"Patient/old"}},
        {"request":{"method":"GET","url":"Patient?active=true"}}"#;
    let mut prepared = prepare(&world, entries).await.unwrap();
    assert!(matches!(prepared.entries[4], PreparedEntry::Read(_)));
    let patient = match &prepared.entries[1] {
        PreparedEntry::Write(write) => write.id.clone(),
        PreparedEntry::Read(_) | PreparedEntry::NothingFound => panic!(),
    };
    world.records.store.commit(Batch::from(prepared.take_ops())).await.unwrap();
    let PreparedEntry::Write(observation) = &prepared.entries[0] else { panic!() };
    let text = observation.after.as_ref().unwrap().text();
    assert!(text.contains(&format!(r#""subject":{{"reference":"Patient/{patient}"}}"#)), "{text}");
    assert!(text.contains(r#"{"reference":"Practitioner/dr"}"#), "{text}");
    assert!(text.contains(r#"{"reference":"Observation/c"}"#), "{text}");
    assert!(text.contains(r#""value":"urn:uuid:0a""#), "{text}");
    assert_eq!(
        world.found(ResourceType::PATIENT, "active=true").await,
        format!("Patient/{patient}")
    );
    assert!(matches!(
        world.records.read(ResourceType::PATIENT, &id("old")).await.unwrap(),
        Reading::Deleted { .. }
    ));
}

#[tokio::test]
async fn a_transaction_happens_as_a_whole_in_memory() {
    all_together(model()).await;
}

#[tokio::test]
async fn a_transaction_happens_as_a_whole_in_sqlite() {
    all_together(sqlite()).await;
}

#[tokio::test]
async fn one_bad_entry_stops_all_of_them_and_is_named() {
    let world = model();
    let good =
        r#"{"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient"}}"#;
    let put = |id: &str| {
        format!(
            r#"{{"request":{{"method":"PUT","url":"Patient/{id}"}},"resource":{{"resourceType":"Patient","id":"{id}"}}}}"#
        )
    };
    for (bad, expected) in [
        (
            r#"{"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient","foo":1}}"#.to_owned(),
            "the resource is not valid",
        ),
        (
            r#"{"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient",
                "generalPractitioner":[{"reference":"Practitioner?identifier=9"}]}}"#.to_owned(),
            "a conditional reference does not lead to exactly one resource",
        ),
        (
            r#"{"request":{"method":"GET","url":"metadata"}}"#.to_owned(),
            "this request is not possible in a transaction",
        ),
        (format!("{},{}", put("a"), put("a")), "two entries change the same resource"),
        (
            r#"{"request":{"method":"PUT","url":"Patient/b","ifMatch":"W/\"3\""},
                "resource":{"resourceType":"Patient","id":"b"}}"#.to_owned(),
            "the version is not the one that was expected",
        ),
    ] {
        match prepare(&world, &format!("{good},{bad}")).await {
            Err(RecordFault::Entry { index, fault }) => {
                assert!(index >= 1);
                assert_eq!(fault.to_string(), expected);
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_conditional_create_in_a_transaction_links_to_what_exists() {
    let world = model();
    world.put(&[r#"{"resourceType":"Patient","id":"p","identifier":[{"value":"1"}]}"#]).await;
    let entries = r#"
        {"fullUrl":"urn:uuid:1","request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=1"},
         "resource":{"resourceType":"Patient","identifier":[{"value":"1"}]}},
        {"request":{"method":"POST","url":"Flag"},"resource":{"resourceType":"Flag",
          "status":"active","code":{"text":"x"},"subject":{"reference":"urn:uuid:1"}}},
        {"request":{"method":"PATCH","url":"Patient/p"},"resource":{"resourceType":"Binary",
          "contentType":"application/json-patch+json","data":"W3sib3AiOiJhZGQiLCJwYXRoIjoiL2FjdGl2ZSIsInZhbHVlIjp0cnVlfV0="}}"#;
    let prepared = prepare(&world, entries).await.unwrap();
    let changes: Vec<Change> = prepared
        .entries
        .iter()
        .map(|entry| match entry {
            PreparedEntry::Write(write) => write.change,
            PreparedEntry::Read(_) | PreparedEntry::NothingFound => panic!(),
        })
        .collect();
    assert_eq!(changes, [Change::Existing, Change::Created, Change::Updated]);
    let PreparedEntry::Write(flag) = &prepared.entries[1] else { panic!() };
    assert!(flag.after.as_ref().unwrap().text().contains("Patient/p"));
}

/// Sees everything, and takes a second for each record that it is asked about.
struct SlowEyes<'a>(&'a World);

impl crate::records::View for SlowEyes<'_> {
    fn sees(&self, _record: &crate::records::Record) -> bool {
        self.0.clock.advance_secs(1);
        true
    }
}

/// What a transaction may look up is bounded, however long its list is.
#[tokio::test]
async fn a_transaction_that_takes_long_to_look_things_up_is_given_up() {
    let world = model();
    world
        .put(&[
            r#"{"resourceType":"Practitioner","id":"a","identifier":[{"value":"1"}]}"#,
            r#"{"resourceType":"Practitioner","id":"b","identifier":[{"value":"2"}]}"#,
        ])
        .await;
    let by = |identifiers: &[&str]| {
        let references: Vec<String> = identifiers
            .iter()
            .map(|value| format!(r#"{{"reference":"Practitioner?identifier={value}"}}"#))
            .collect();
        let references = references.join(",");
        bundle(&format!(
            r#"{{"request":{{"method":"POST","url":"Patient"}},
                "resource":{{"resourceType":"Patient","generalPractitioner":[{references}]}}}}"#
        ))
    };
    let eyes = SlowEyes(&world);
    // The same reference is looked up once, however often it occurs.
    for (identifiers, works) in [(vec!["1"; 100], true), (vec!["1", "2"], false)] {
        let doc = by(&identifiers);
        let incoming = IncomingBundle::read(&doc).unwrap();
        let done = world.records.transaction(&incoming.entries, NewIds::Server, &eyes).await;
        match done {
            Ok(_) => assert!(works, "{identifiers:?}"),
            Err(RecordFault::Entry { index: 0, fault }) => {
                assert!(!works && matches!(*fault, RecordFault::TooCostly), "{fault}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Whoever creates by criteria keeps only those waiting who create the same type by criteria.
#[tokio::test]
async fn conditional_creates_of_different_types_do_not_wait_for_each_other() {
    let world = model();
    let create = |kind: &str| {
        bundle(&format!(
            r#"{{"request":{{"method":"POST","url":"{kind}","ifNoneExist":"identifier=1"}},
                "resource":{{"resourceType":"{kind}"}}}}"#
        ))
    };
    let prepare = async |doc: &Doc| {
        let incoming = IncomingBundle::read(doc).unwrap();
        world.records.transaction(&incoming.entries, NewIds::Server, &WholeStore).await.unwrap()
    };
    let (patient, organization) = (create("Patient"), create("Organization"));
    let held = prepare(&patient).await;
    drop(prepare(&organization).await);
    let mut waiting = Box::pin(prepare(&patient));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("two of one type at once"),
        () = std::future::ready(()) => {}
    }
    drop(held);
    drop(waiting.await);
}
