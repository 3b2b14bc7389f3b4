//! Searches over several resources.

use proviso_core::resource_type::ResourceType;
use proviso_fhir::search::{Query, SearchScope};

use super::{World, id, model, shown, sqlite};
use crate::records::{Match, PageStart, RecordFault, Search, WholeStore};

const OBSERVATION: ResourceType = ResourceType::OBSERVATION;
const PATIENT: ResourceType = ResourceType::PATIENT;

pub(super) const RESOURCES: [&str; 9] = [
    r#"{"resourceType":"Organization","id":"o1","name":"Alpha","partOf":{"reference":"Organization/o2"}}"#,
    r#"{"resourceType":"Organization","id":"o2","name":"Beta"}"#,
    r#"{"resourceType":"Patient","id":"p1","name":[{"family":"Alvarez"}],"birthDate":"1980","managingOrganization":{"reference":"Organization/o1"}}"#,
    r#"{"resourceType":"Patient","id":"p2","name":[{"family":"Okoro"}],"birthDate":"1950"}"#,
    r#"{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2020-03-01","valueQuantity":{"value":7}}"#,
    r#"{"resourceType":"Observation","id":"b","status":"final","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/p2"},"effectiveDateTime":"2020-01-01","valueQuantity":{"value":8}}"#,
    r#"{"resourceType":"Observation","id":"c","status":"final","code":{"coding":[{"code":"y"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2020-02-01"}"#,
    r#"{"resourceType":"Observation","id":"d","status":"amended","code":{"coding":[{"code":"x"}]},"subject":{"reference":"http://127.0.0.1:8080/fhir/r4/Patient/p1"},"effectiveDateTime":"2021"}"#,
    r#"{"resourceType":"Practitioner","id":"dr","name":[{"family":"Patel"}]}"#,
];

async fn table(world: World) {
    world.put(&RESOURCES).await;
    for (kind, raw, expected) in [
        (OBSERVATION, "code=x", "Observation/a Observation/b Observation/d"),
        (OBSERVATION, "patient=p1&code=x", "Observation/a Observation/d"),
        (OBSERVATION, "code=x&_sort=-date", "Observation/d Observation/a Observation/b"),
        (
            OBSERVATION,
            "_sort=value-quantity,-_id",
            "Observation/a Observation/b Observation/d Observation/c",
        ),
        (OBSERVATION, "date=ge2020-02&date=lt2021", "Observation/a Observation/c"),
        (OBSERVATION, "code-value-quantity=x$gt7", "Observation/b"),
        (OBSERVATION, "patient.name=alv", "Observation/a Observation/c Observation/d"),
        (OBSERVATION, "patient.organization.name=alpha&code=y", "Observation/c"),
        (OBSERVATION, "patient.organization.partof.name=beta&code=y", "Observation/c"),
        (OBSERVATION, "status:not=final", "Observation/d"),
        (OBSERVATION, "_id=a,d,nope", "Observation/a Observation/d"),
        (PATIENT, "_has:Observation:patient:code=y", "Patient/p1"),
        (PATIENT, "_has:Observation:patient:value-quantity=gt7", "Patient/p2"),
        (PATIENT, "family=o&_revinclude=Observation:patient", "Patient/p2 | Observation/b"),
        (OBSERVATION, "_id=a&_include=Observation:subject", "Observation/a | Patient/p1"),
        (
            OBSERVATION,
            "_id=a&_include=Observation:subject&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
            "Observation/a | Patient/p1 Organization/o1 Organization/o2",
        ),
        (OBSERVATION, "_id=a&_include=*", "Observation/a | Patient/p1"),
        (PATIENT, "_id=p2&_revinclude=*:*", "Patient/p2 | Observation/b"),
        (PATIENT, "_lastUpdated=2026-01-01&_id=p1", "Patient/p1"),
        (PATIENT, "_lastUpdated=lt2026-01-01", ""),
        (ResourceType::PRACTITIONER, "name=pat", "Practitioner/dr"),
    ] {
        assert_eq!(world.found(kind, raw).await, expected, "{raw}");
    }
}

#[tokio::test]
async fn queries_find_what_they_should_in_memory() {
    table(model()).await;
}

#[tokio::test]
async fn queries_find_what_they_should_in_sqlite() {
    table(sqlite()).await;
}

#[tokio::test]
async fn totals_are_told_when_asked_or_known() {
    let world = model();
    world.put(&RESOURCES).await;
    for (raw, hits, total, more) in [
        ("", 4, Some(4), false),
        ("_count=2", 2, None, true),
        ("_count=2&_total=accurate", 2, Some(4), true),
        ("_count=2&_sort=date", 2, Some(4), true),
        ("_summary=count", 0, Some(4), false),
        ("_count=0", 0, Some(4), false),
        ("_total=none", 4, None, false),
    ] {
        let query = world.query(OBSERVATION, raw);
        let page = world.page(&query, None, &PageStart::First, &WholeStore).await.unwrap();
        assert_eq!((page.hits.len(), page.total, page.more), (hits, total, more), "{raw}");
    }
}

async fn walk(world: &World, raw: &str, by_key: bool) -> Vec<String> {
    let query = world.query(OBSERVATION, raw);
    let (mut start, mut as_of, mut found) = (PageStart::First, None, Vec::new());
    loop {
        let page = world.page(&query, as_of, &start, &WholeStore).await.unwrap();
        found.extend(page.hits.iter().map(|hit| hit.record.id.to_string()));
        if !page.more {
            return found;
        }
        as_of = Some(page.as_of);
        start = match page.hits.last() {
            Some(last) if by_key => PageStart::After(last.record.key()),
            _ => PageStart::Skip(found.len() as u64),
        };
        // The store changes between two pages; the pages must not.
        let first = world.records.read(OBSERVATION, &id("c")).await.unwrap();
        if matches!(first, crate::records::Reading::Live(_)) {
            let deletion = world.records.delete(OBSERVATION, &id("c"), Match::default()).await;
            world.commit(deletion.unwrap()).await;
            world.put(&[&RESOURCES[4].replace(r#""id":"a""#, r#""id":"aa""#)]).await;
            world.put(&[&RESOURCES[7].replace("2021", "1999")]).await;
        }
    }
}

#[tokio::test]
async fn pages_hold_still_while_the_store_changes() {
    for by_key in [true, false] {
        for (raw, expected) in
            [("_count=1", "a b c d"), ("_count=1&_sort=-date", "d a c b"), ("_count=3", "a b c d")]
        {
            for world in [model(), sqlite()] {
                world.put(&RESOURCES).await;
                let found = walk(&world, raw, by_key).await;
                assert_eq!(found.join(" "), expected, "{raw} {by_key}");
            }
        }
    }
}

#[tokio::test]
async fn everything_is_the_compartment_and_what_it_refers_to() {
    let world = model();
    world.put(&RESOURCES).await;
    let everything = |raw| Query::everything(&world.records.context(), &id("p1"), raw);
    let all = everything("").unwrap();
    let page = world.page(&all, None, &PageStart::First, &WholeStore).await.unwrap();
    assert_eq!(
        shown(&page),
        "Observation/a Observation/c Observation/d Patient/p1 | Organization/o1"
    );
    for (raw, expected) in [
        ("_type=Patient", "Patient/p1"),
        ("_type=Patient&_type=Organization", "Patient/p1 | Organization/o1"),
        ("_type=Organization", ""),
        ("start=2020-03-01", "Observation/a Observation/d Patient/p1 | Organization/o1"),
        ("start=2020-03-02", "Observation/d Patient/p1 | Organization/o1"),
        ("end=2020-02-01", "Observation/c Patient/p1 | Organization/o1"),
        ("end=2020-01-31", "Patient/p1 | Organization/o1"),
        ("start=2020-02&end=2020&_type=Observation", "Observation/a Observation/c"),
        ("start=2021-12-31&_type=Observation", "Observation/d"),
        ("start=2022&_type=Observation", ""),
        ("_since=2026-01-01&_type=Patient", "Patient/p1"),
        ("_since=2026-01-02", ""),
    ] {
        let query = everything(raw).unwrap();
        let page = world.page(&query, None, &PageStart::First, &WholeStore).await.unwrap();
        assert_eq!(shown(&page), expected, "{raw}");
    }
}

#[tokio::test]
async fn care_outside_the_range_does_not_come_back_as_what_care_inside_refers_to() {
    let world = model();
    world.put(&RESOURCES).await;
    world
        .put(&[
            r#"{"resourceType":"Encounter","id":"old","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"period":{"start":"2019-12-30","end":"2019-12-31"}}"#,
            r#"{"resourceType":"Encounter","id":"long","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"period":{"start":"2019-12-30"}}"#,
            r#"{"resourceType":"Procedure","id":"q","status":"completed","subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/old"},"performedDateTime":"2020-01-01"}"#,
        ])
        .await;
    let types = "_type=Encounter,Procedure";
    for (raw, expected) in [
        ("", "Encounter/long Encounter/old Procedure/q"),
        ("&start=2019-12-31", "Encounter/long Encounter/old Procedure/q"),
        ("&start=2020-01-01", "Encounter/long Procedure/q"),
        ("&start=2020-01-02", "Encounter/long"),
        ("&end=2019-12-31", "Encounter/long Encounter/old"),
        ("&end=2019-12-29", ""),
    ] {
        let raw = format!("{types}{raw}");
        let query = Query::everything(&world.records.context(), &id("p1"), &raw).unwrap();
        let page = world.page(&query, None, &PageStart::First, &WholeStore).await.unwrap();
        assert_eq!(shown(&page), expected, "{raw}");
    }
}

#[tokio::test]
async fn a_search_of_several_types_goes_by_type_and_id() {
    let world = model();
    world.put(&RESOURCES).await;
    let raw = "_type=Patient,Organization&_count=3";
    let query = Query::parse(&world.records.context(), SearchScope::System, &[raw]).unwrap();
    let first = world.page(&query, None, &PageStart::First, &WholeStore).await.unwrap();
    assert_eq!(shown(&first), "Organization/o1 Organization/o2 Patient/p1");
    let start = PageStart::After((PATIENT, id("p1")));
    let second = world.page(&query, Some(first.as_of), &start, &WholeStore).await.unwrap();
    assert_eq!((shown(&second).as_str(), second.more), ("Patient/p2", false));
}

#[tokio::test]
async fn a_search_that_looks_at_too_much_is_given_up() {
    let world = model();
    let json = RESOURCES[1];
    for n in 0..450 {
        world.put(&[&json.replace("o2", &format!("n{n}"))]).await;
    }
    let query = world.query(ResourceType::ORGANIZATION, "name:contains=zzz");
    let start = PageStart::First;
    let search = |most| Search { query: &query, as_of: None, start: &start, most };
    assert!(world.records.search(search(1000), &WholeStore).await.is_ok());
    assert!(matches!(
        world.records.search(search(200), &WholeStore).await,
        Err(RecordFault::TooCostly)
    ));
}
