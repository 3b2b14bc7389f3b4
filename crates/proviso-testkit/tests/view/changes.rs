//! Changes and Bundles: what a condition finds, and what a change meets, must not depend on what is
//! hidden.

use std::collections::BTreeSet;

use http::Method;
use proviso_testkit::gateway_world::{Reply, World, request};
use serde_json::{Value, json};

use crate::worlds::{CODES, Draw, Drawn, path, search};
use crate::{name, run, seen, world};

const CHANGES: usize = 25;
const JSON: (&str, &str) = ("content-type", "application/fhir+json");

/// One request that changes something, or several at once.
#[derive(Debug, Clone)]
struct Change {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

fn body(draw: &mut Draw, id: Option<&str>) -> Value {
    let subject = draw.pick(&["Patient/a", "Patient/a", "Patient/b"]);
    let mut own = json!({"resourceType": "Observation", "status": "final",
        "category": [{"coding": [{"code": "laboratory",
            "system": "http://terminology.hl7.org/CodeSystem/observation-category"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": draw.pick(&CODES)}]},
        "subject": {"reference": subject}});
    if let Some(id) = id {
        own["id"] = json!(id);
    }
    own
}

fn change(draw: &mut Draw, ids: &BTreeSet<String>) -> Change {
    let any: Vec<&String> = ids.iter().collect();
    let one = any[draw.below(any.len())].clone();
    let id = one.split_once('/').map_or("x", |(_, id)| id).to_owned();
    let criteria = search(draw, "Observation", &any, false);
    let query = criteria.split_once('?').map_or("", |(_, query)| query).to_owned();
    let plain = vec![(JSON.0, JSON.1.to_owned())];
    let of = |method, path: String, body| Change { method, path, headers: plain.clone(), body };
    match draw.below(8) {
        0 => Change {
            headers: vec![(JSON.0, JSON.1.to_owned()), ("if-none-exist", query)],
            ..of(Method::POST, "Observation".to_owned(), body(draw, None))
        },
        1 => of(Method::PUT, criteria, body(draw, None)),
        2 => of(Method::DELETE, criteria, Value::Null),
        3 => of(Method::PUT, format!("Observation/{id}"), body(draw, Some(&id))),
        4 => of(Method::DELETE, one, Value::Null),
        5 => Change {
            headers: vec![("content-type", "application/json-patch+json".to_owned())],
            ..of(
                Method::PATCH,
                if draw.one_in(2) { criteria } else { one },
                json!([{"op": "replace", "path": "/status", "value": "amended"}]),
            )
        },
        6 => {
            let entries: Vec<Value> = (0..3)
                .map(|_| json!({"request": {"method": "GET", "url": path(draw, ids)}}))
                .collect();
            let kind = draw.pick(&["batch", "transaction"]);
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
            of(Method::POST, String::new(), bundle)
        }
        _ => {
            let entry = json!({"resource": body(draw, None),
                "request": {"method": "POST", "url": "Observation", "ifNoneExist": query}});
            let read = json!({"request": {"method": "GET", "url": one}});
            let kind = draw.pick(&["batch", "transaction"]);
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry, read]});
            of(Method::POST, String::new(), bundle)
        }
    }
}

/// What of an answer cannot differ for another reason than what is hidden: ids that a server makes
/// up are no part of it.
fn told(reply: &Reply) -> String {
    let body = reply.json();
    let entries = body["entry"].as_array().cloned().unwrap_or_default();
    let of_entry = |entry: &Value| {
        let status = entry["response"]["status"].as_str().unwrap_or("").to_owned();
        let inner = &entry["resource"];
        let code = &entry["response"]["outcome"]["issue"][0]["details"]["coding"][0]["code"];
        format!("{status} {code} {} {}", inner["resourceType"], inner["total"])
    };
    let entries: Vec<String> = entries.iter().map(of_entry).collect();
    format!("{} {} {entries:?}", reply.status, reply.code())
}

async fn send(world: &World, token: &str, change: &Change) -> Reply {
    let headers: Vec<(&str, &str)> =
        change.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = if change.body.is_null() { String::new() } else { change.body.to_string() };
    let path = if change.path.is_empty() { "/fhir/r4" } else { &change.path };
    let sent = request(change.method.clone(), token, path, &headers, body).unwrap();
    world.send(sent).await.unwrap()
}

/// How many changes of a world were made.
async fn compare(seed: u64) -> usize {
    let drawn = Drawn::that_may_write(seed);
    let (full, token_full) = world(&drawn, |_| true).await;
    let seen_of_all = seen(&full, &token_full, &drawn).await;
    let (bare, token_bare) = world(&drawn, |name| seen_of_all.contains(name)).await;
    let ids: BTreeSet<String> = drawn.resources.iter().map(name).collect();
    let draw = &mut Draw::of(seed ^ 0x00c0_ffee);
    let mut made = 0;
    for number in 0..CHANGES {
        let change = change(draw, &ids);
        let one = send(&full, &token_full, &change).await;
        let two = send(&bare, &token_bare, &change).await;
        assert_eq!(
            told(&one),
            told(&two),
            "seed {seed}, change {number}: {change:?}\nseen: {seen_of_all:?}\nterms: {:?}\n{}\n{}",
            drawn.terms,
            one.fingerprint(),
            two.fingerprint(),
        );
        made += usize::from(one.status.is_success());
    }
    let total = async |world: &World, token: &str| {
        world.get(token, "Observation?_summary=count").await.unwrap().json()["total"].clone()
    };
    assert_eq!(total(&full, &token_full).await, total(&bare, &token_bare).await, "seed {seed}");
    made
}

// Covers: design P1, §7 (conditions, changes, Bundles); leaks.md: the rule
#[tokio::test]
async fn a_change_meets_nothing_that_is_hidden() {
    run::law("changes", run::seeds(60), CHANGES, 5, compare).await;
}
