//! Scopes with search parameters: the two sets of the US Core suites against Maria's record.

use std::collections::{BTreeMap, BTreeSet};

use proviso_testkit::browser::Browser;
use proviso_testkit::smart_app::everything;
use serde_json::Value;

use crate::world::{World, scopes};

const CONDITION: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const US_CONDITION: &str = "http://hl7.org/fhir/us/core/CodeSystem/condition-category";
const OBSERVATION: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const US_CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category";

const COMMON: &str = "launch/patient openid fhirUser offline_access";

/// Type, system, code of each granular scope.
type Set = &'static [(&'static str, &'static str, &'static str)];

const SET_1: Set = &[
    ("Condition", CONDITION, "encounter-diagnosis"),
    ("Condition", US_CONDITION, "health-concern"),
    ("Observation", OBSERVATION, "laboratory"),
    ("Observation", OBSERVATION, "social-history"),
];

const SET_2: Set = &[
    ("Condition", CONDITION, "problem-list-item"),
    ("Observation", OBSERVATION, "vital-signs"),
    ("Observation", OBSERVATION, "survey"),
    ("Observation", US_CORE, "sdoh"),
];

fn scope_of(&(resource_type, system, code): &(&str, &str, &str)) -> String {
    format!("patient/{resource_type}.rs?category={system}|{code}")
}

/// Whether a resource matches one of the scopes of its type; scopes are OR-ed.
fn matches(set: Set, resource: &Value) -> bool {
    set.iter().filter(|(of, _, _)| resource["resourceType"] == *of).any(|(_, system, code)| {
        let concepts = resource["category"].as_array().into_iter().flatten();
        concepts
            .flat_map(|concept| concept["coding"].as_array().into_iter().flatten())
            .any(|coding| coding["system"] == *system && coding["code"] == *code)
    })
}

fn ids(resources: &[Value]) -> BTreeSet<&str> {
    resources.iter().filter_map(|resource| resource["id"].as_str()).collect()
}

/// The first value of a token element, `system|code` and bare.
fn token(resource: &Value, element: &str) -> Option<(String, String)> {
    let coding = &resource[element]["coding"][0];
    let (system, code) = (coding["system"].as_str()?, coding["code"].as_str()?);
    Some((format!("{system}|{code}"), code.to_owned()))
}

/// The searches of the suites that fit a type, with values taken from what is there.
fn searches(resource_type: &str, all: &[Value]) -> BTreeSet<String> {
    let encode = |text: &str| text.replace('|', "%7C").replace('+', "%2B");
    let patient = format!("{resource_type}?patient=maria");
    let mut queries = BTreeSet::from([patient.clone()]);
    let mut add = |rest: String| {
        queries.insert(format!("{patient}&{}", encode(&rest)));
    };
    for resource in all {
        let category = resource["category"][0]["coding"][0].clone();
        if let (Some(system), Some(code)) = (category["system"].as_str(), category["code"].as_str())
        {
            for value in [format!("{system}|{code}"), code.to_owned()] {
                add(format!("category={value}"));
                add(format!("category={value}&_lastUpdated=gt2000-01-01T00:00:00Z"));
                if resource_type == "Condition" {
                    if let Some((status, _)) = token(resource, "clinicalStatus") {
                        add(format!("category={value}&clinical-status={status}"));
                    }
                    if let Some(visit) = resource["encounter"]["reference"].as_str() {
                        add(format!("category={value}&encounter={visit}"));
                    }
                } else {
                    add(format!("category={value}&status=final"));
                    add(format!("category={value}&date=gt2000-01-01"));
                }
            }
        }
        if let Some((full, bare)) = token(resource, "code") {
            add(format!("code={full}"));
            add(format!("code={bare}"));
            if resource_type == "Observation" {
                add(format!("code={full}&date=gt2000-01-01"));
            }
        }
        if resource_type == "Condition" {
            if let Some((status, bare)) = token(resource, "clinicalStatus") {
                add(format!("clinical-status={status}"));
                add(format!("clinical-status={bare}"));
            }
            add("onset-date=gt1900-01-01".to_owned());
            add("recorded-date=gt1900-01-01".to_owned());
        }
    }
    queries
}

/// What broad scopes gave for one type: everything, and the answer to each search.
struct Before {
    resource_type: &'static str,
    all: Vec<Value>,
    answers: BTreeMap<String, Vec<Value>>,
}

async fn look_with_broad_scopes(world: &World) -> Vec<Before> {
    let (_, broad, _) = world.maria_connected().await;
    let mut before = Vec::new();
    for resource_type in ["Condition", "Observation"] {
        let all = world.search(broad.access(), &format!("{resource_type}?patient=maria")).await;
        let mut answers = BTreeMap::new();
        for query in searches(resource_type, &all) {
            let found = world.search(broad.access(), &query).await;
            answers.insert(query, found);
        }
        before.push(Before { resource_type, all, answers });
    }
    before
}

/// `us_core_granted_granular_scopes`: each scope is echoed with a plain bar, and none is wider.
fn check_scopes(set: Set, granted: &str) {
    let granted = scopes(granted);
    for scope in set.iter().map(scope_of) {
        assert!(granted.contains(&scope.as_str()), "`{scope}` was not granted: {granted:?}");
    }
    for scope in granted {
        let is_whole = scope.contains('/') && !scope.starts_with("launch/") && !scope.contains('?');
        assert!(!is_whole, "`{scope}` is a resource-level scope");
    }
}

/// `us_core_granted_granular_scopes`, the searches and the reads, for one set.
async fn check_set(set: Set) {
    let world = World::new().await;
    let before = look_with_broad_scopes(&world).await;
    let wanted: Vec<String> = set.iter().map(scope_of).collect();
    let app = world.app("glucose-coach", &format!("{COMMON} {}", wanted.join(" ")));
    let launch = app.launch().unwrap();
    assert!(launch.url.contains("%7C"), "the bar arrives percent-encoded");
    let mut browser = Browser::new().unwrap();
    let narrow = app.connect_with(&launch, &mut browser, "maria", &everything()).await.unwrap();
    check_scopes(set, narrow.text("scope"));

    let mut compared = 0;
    for before in &before {
        for (_, _, code) in set.iter().filter(|(of, _, _)| *of == before.resource_type) {
            let has = |resource: &Value| resource["category"].to_string().contains(code);
            assert!(before.all.iter().any(has), "the demo has no `{code}`");
        }
        for (query, answer) in &before.answers {
            let now = world.search(narrow.access(), query).await;
            assert_eq!(ids(&now), ids(&matching(set, answer)), "{query}");
            compared += 1;
        }
        let posted = search_by_post(&world, narrow.access(), before.resource_type).await;
        assert_eq!(ids(&posted), ids(&matching(set, &before.all)));
        check_reads(&world, set, narrow.access(), before).await;
    }
    assert!(compared > 30, "only {compared} searches");
}

fn matching(set: Set, resources: &[Value]) -> Vec<Value> {
    resources.iter().filter(|resource| matches(set, resource)).cloned().collect()
}

/// GET and POST are the same search.
async fn search_by_post(world: &World, token: &str, resource_type: &str) -> Vec<Value> {
    let bearer = format!("Bearer {token}");
    let url = format!("{}/{resource_type}/_search", world.base());
    let headers = [("authorization", bearer.as_str())];
    let fields = [("patient", "maria"), ("_count", "500")];
    let answer = world.http.post_form(&url, &headers, &fields).await.unwrap();
    assert_eq!(answer.status, 200);
    let bundle = answer.json().unwrap();
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"].clone()).collect()
}

/// Reads: what matches is 200; what does not is not, and says nothing.
async fn check_reads(world: &World, set: Set, token: &str, before: &Before) {
    let mut refused = 0;
    for resource in &before.all {
        let path = format!("{}/{}", before.resource_type, resource["id"].as_str().unwrap());
        let read = world.read(token, &path).await;
        if matches(set, resource) {
            assert_eq!(read.status, 200, "{path}");
        } else {
            assert_ne!(read.status, 200, "{path}");
            assert_eq!(read.json().unwrap()["resourceType"], "OperationOutcome", "{path}");
            refused += 1;
        }
    }
    assert!(refused > 0, "nothing in the demo lies outside of the set");
}

// Covers: SMART App Launch 2.2 §finer-grained resource constraints; US Core granular scopes set 1
#[tokio::test]
async fn the_first_set_of_granular_scopes_filters_exactly() {
    check_set(SET_1).await;
}

// Covers: SMART App Launch 2.2 §finer-grained resource constraints; US Core granular scopes set 2
#[tokio::test]
async fn the_second_set_of_granular_scopes_filters_exactly() {
    check_set(SET_2).await;
}
