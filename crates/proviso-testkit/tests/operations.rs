//! Operations that are searches: `$lastn` and `$docref`, over what the caller sees.

use http::{Method, StatusCode};
use proviso_core::category::{Category, CategorySet, SensitiveSet};
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings};
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_cases::{LAB, observation};
use proviso_testkit::gateway_world::{ORIGIN, Reply, Terms, World, request};
use serde_json::json;

const HIV: &str = r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}"#;

fn visible() -> Vec<String> {
    let lab = |id, code, value, date| observation(id, "a", LAB, code, value, date, "");
    vec![
        json!({"resourceType": "Patient", "id": "a", "name": [{"family": "Ash"}]}).to_string(),
        json!({"resourceType": "Practitioner", "id": "p"}).to_string(),
        lab("sugar-1", "2345-7", "101", "2026-01-01"),
        lab("sugar-2", "2345-7", "99", "2026-01-05"),
        lab("sugar-3", "2345-7", "98", "2026-01-03"),
        lab("a1c-1", "4548-4", "7", "2026-01-02"),
        lab("a1c-2", "4548-4", "6", "2025-01-02"),
        document("plan-old", "a", "current", "18776-5", "2025-02-01", ""),
        document("note-new", "a", "current", "11488-4", "2026-02-01", ""),
        document("note-former", "a", "superseded", "11488-4", "2026-03-01", ""),
    ]
}

/// Newer than what is visible, of the same codes and of others.
fn hidden() -> Vec<String> {
    vec![
        json!({"resourceType": "Patient", "id": "b", "name": [{"family": "Bluebird"}]}).to_string(),
        observation("sugar-hiv", "a", LAB, "2345-7", "1", "2026-05-01", HIV),
        observation("other-hiv", "a", LAB, "75622-1", "1", "2026-05-01", HIV),
        observation("sugar-b", "b", LAB, "2345-7", "2", "2026-05-01", ""),
        document("note-hiv", "a", "current", "11488-4", "2026-06-01", HIV),
        document("note-b", "b", "current", "11488-4", "2026-06-01", ""),
    ]
}

fn document(id: &str, patient: &str, status: &str, code: &str, date: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"DocumentReference","id":"{id}"{more},"status":"{status}",
"type":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},
"category":[{{"coding":[{{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}}]}}],
"subject":{{"reference":"Patient/{patient}"}},"date":"{date}T08:00:00Z",
"content":[{{"attachment":{{"contentType":"text/plain","data":"QQ=="}}}}],
"context":{{"period":{{"start":"{date}","end":"{date}"}}}}}}"#
    )
}

fn terms() -> Terms {
    Terms {
        patient: "a",
        categories: Category::ALL.iter().copied().collect::<CategorySet>(),
        sensitive: SensitiveSet::EMPTY,
        scopes: "patient/Observation.rs patient/DocumentReference.rs patient/Patient.r",
    }
}

async fn world(records: &[String]) -> (World, String) {
    let world = World::embedded().await.unwrap();
    world.load(records).await.unwrap();
    let token = world.share("glucose-coach", &terms()).await.unwrap().token;
    (world, token)
}

fn ids(reply: &Reply) -> Vec<String> {
    reply.entries().iter().map(|name| name.split_once('/').unwrap().1.to_owned()).collect()
}

/// What is asked, and what comes of it in this order.
const ASKED: &[(&str, &[&str])] = &[
    ("Observation/$lastn?patient=a&category=laboratory", &["sugar-2", "a1c-1"]),
    (
        "Observation/$lastn?subject=Patient/a&category=laboratory&max=2",
        &["sugar-2", "sugar-3", "a1c-1", "a1c-2"],
    ),
    ("Observation/$lastn?patient=a&code=2345-7&max=100", &["sugar-2", "sugar-3", "sugar-1"]),
    ("Observation/$lastn?patient=a&code=2345-7&date=lt2026-01-05", &["sugar-3"]),
    ("Observation/$lastn?patient=a&code=75622-1", &[]),
    ("Observation/$lastn?patient=b&category=laboratory", &[]),
    ("DocumentReference/$docref?patient=a", &["note-new"]),
    ("DocumentReference/$docref?patient=Patient/a&type=http://loinc.org|18776-5", &["plan-old"]),
    ("DocumentReference/$docref?patient=a&start=2020", &["note-former", "note-new", "plan-old"]),
    ("DocumentReference/$docref?patient=a&start=2026-02-01&end=2026-02-01", &["note-new"]),
    ("DocumentReference/$docref?patient=a&end=2026-01-31", &["plan-old"]),
    ("DocumentReference/$docref?patient=a&start=2026-04-01", &[]),
    ("DocumentReference/$docref?patient=b", &[]),
    ("DocumentReference/$docref?patient=never", &[]),
];

// Covers: FHIR R4 observation-operation-lastn; US Core 6.1.0 docref; design P1; leaks 74, 78
#[tokio::test]
async fn the_newest_are_the_newest_of_what_is_seen() {
    let mut all = visible();
    all.extend(hidden());
    let (full, token_full) = world(&all).await;
    let (bare, token_bare) = world(&visible()).await;
    for (path, expected) in ASKED {
        let reply = full.get(&token_full, path).await.unwrap();
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert_eq!(ids(&reply), *expected, "{path}");
        assert_eq!(reply.json()["total"], expected.len(), "{path}");
        let same = bare.get(&token_bare, path).await.unwrap();
        assert_eq!(reply.fingerprint(), same.fingerprint(), "{path}");
    }
    let log = full.accesses().await.unwrap();
    assert_eq!(log.len(), ASKED.len());
    assert_eq!(log.last().unwrap().query_shape.as_deref(), Some("patient&category"));
}

#[tokio::test]
async fn they_are_the_same_in_front_of_another_server() {
    let server = FhirServer::start().await.unwrap();
    server.load(&visible()).await.unwrap();
    server.load(&hidden()).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let token = world.share("glucose-coach", &terms()).await.unwrap().token;
    for (path, expected) in ASKED {
        let reply = world.get(&token, path).await.unwrap();
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert_eq!(ids(&reply), *expected, "{path}");
    }
}

async fn post(world: &World, token: &str, path: &str, parameters: serde_json::Value) -> Reply {
    let headers = [("content-type", "application/fhir+json")];
    let body = json!({"resourceType": "Parameters", "parameter": parameters}).to_string();
    world.send(request(Method::POST, token, path, &headers, body).unwrap()).await.unwrap()
}

// Covers: FHIR R4 operations.html#request: parameters in the body
#[tokio::test]
async fn parameters_may_come_as_a_resource() {
    let (world, token) = world(&visible()).await;
    let parameters = json!([
        {"name": "patient", "valueId": "a"},
        {"name": "type", "valueCodeableConcept":
            {"coding": [{"system": "http://loinc.org", "code": "18776-5"}]}},
    ]);
    let reply = post(&world, &token, "DocumentReference/$docref", parameters).await;
    assert_eq!(ids(&reply), ["plan-old"], "{}", reply.text());
    let parameters = json!([
        {"name": "max", "valuePositiveInt": 2},
        {"name": "code", "valueCoding": {"system": "http://loinc.org", "code": "4548-4"}},
    ]);
    let reply = post(&world, &token, "Observation/$lastn?patient=a", parameters).await;
    assert_eq!(ids(&reply), ["a1c-1", "a1c-2"], "{}", reply.text());
    for (parameters, code) in [
        (json!([{"name": "patient"}]), "parameter-refused"),
        (json!([{"valueId": "a"}]), "parameter-refused"),
        (json!([{"name": "patient", "part": [{"name": "x"}]}]), "parameter-refused"),
        (json!([{"name": "on-demand", "valueBoolean": true}]), "search-refused"),
    ] {
        let reply = post(&world, &token, "DocumentReference/$docref", parameters).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, code), "{}", reply.text());
    }
}

/// Pages of `$docref` hold the question and belong to it.
#[tokio::test]
async fn a_range_of_documents_comes_in_pages() {
    let (world, token) = world(&visible()).await;
    let mut path = "DocumentReference/$docref?patient=a&start=2020&_count=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get(&token, &path).await.unwrap();
        assert_eq!(page.json()["total"], 3, "{}", page.text());
        seen.extend(ids(&page));
        match page.next() {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen, ["note-former", "note-new", "plan-old"]);
    let other = path.replace("$docref", "$lastn").replace("DocumentReference", "Observation");
    let reply = world.get(&token, &other).await.unwrap();
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    let reply = world.get(&token, &path.replace("/$docref", "")).await.unwrap();
    assert_eq!(reply.code(), "cursor-invalid");
}

/// They are searches: who may read and not search may not ask.
// Covers: SMART App Launch 2.2 scopes (`s`)
#[tokio::test]
async fn they_need_the_right_to_search() {
    let world = World::embedded().await.unwrap();
    world.load(&visible()).await.unwrap();
    let only_read =
        Terms { scopes: "patient/Observation.r patient/DocumentReference.r", ..terms() };
    let token = world.share("reader", &only_read).await.unwrap().token;
    for (path, _) in ASKED {
        let reply = world.get(&token, path).await.unwrap();
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(reply.code(), "scope-insufficient", "{path}");
    }
    for path in ["Observation/a/$lastn?patient=a&code=x", "Patient/$docref?patient=a", "$lastn"] {
        let reply = world.get(&token, path).await.unwrap();
        assert_eq!(reply.code(), "operation-not-offered", "{path}");
    }
}

// Covers: FHIR R4 resource-operation-meta; design P1
#[tokio::test]
async fn meta_is_that_of_a_read_and_of_nothing_that_is_hidden() {
    let mut all = visible();
    all.extend(hidden());
    let (world, token) = world(&all).await;
    for name in ["Observation/sugar-1", "DocumentReference/note-new", "Patient/a"] {
        let read = world.get(&token, name).await.unwrap().json();
        let meta = world.get(&token, &format!("{name}/$meta")).await.unwrap();
        let expected = json!({"resourceType": "Parameters",
            "parameter": [{"name": "return", "valueMeta": read["meta"]}]});
        assert_eq!((meta.status, meta.json()), (StatusCode::OK, expected), "{name}");
    }
    let never = world.get(&token, "Observation/never/$meta").await.unwrap();
    assert_eq!(never.status, StatusCode::NOT_FOUND);
    for hidden in ["Observation/sugar-hiv/$meta", "Observation/sugar-b/$meta"] {
        let reply = world.get(&token, hidden).await.unwrap();
        assert_eq!(reply.fingerprint(), never.fingerprint(), "{hidden}");
    }
    for (method, path) in [
        (Method::GET, "Observation/$meta"),
        (Method::GET, "$meta"),
        (Method::POST, "Observation/sugar-1/$meta-add"),
        (Method::GET, "Observation/sugar-1/_history/1/$meta"),
        (Method::GET, "Observation/sugar-1/$meta?x=y"),
    ] {
        let reply = world.send(request(method, &token, path, &[], "").unwrap()).await.unwrap();
        assert!(reply.status.is_client_error(), "{path}: {}", reply.text());
    }
}
