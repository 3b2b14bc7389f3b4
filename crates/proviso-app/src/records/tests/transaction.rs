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
