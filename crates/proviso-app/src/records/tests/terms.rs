//! Value sets, code systems and hierarchies of places, looked up over the view.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proviso_core::resource_type::ResourceType;

use super::view::Hides;
use super::{World, model, shown, sqlite};
use crate::records::{PageStart, RecordFault, View, WholeStore};

const OBSERVATION: ResourceType = ResourceType::OBSERVATION;
const ENCOUNTER: ResourceType = ResourceType::ENCOUNTER;
const LOCATION: ResourceType = ResourceType::LOCATION;
const PROCEDURE: ResourceType = ResourceType::PROCEDURE;
const CARE_PLAN: ResourceType = ResourceType::CARE_PLAN;

const RESOURCES: [&str; 23] = [
    r#"{"resourceType":"ValueSet","id":"v1","status":"active","url":"http://x/v1","version":"1","compose":{"include":[{"system":"s","concept":[{"code":"b"}]},{"valueSet":["http://x/v2"]}]}}"#,
    r#"{"resourceType":"ValueSet","id":"v2","status":"active","url":"http://x/v2","compose":{"include":[{"system":"t"}],"exclude":[{"system":"t","concept":[{"code":"no"}]}]}}"#,
    r#"{"resourceType":"ValueSet","id":"filter","status":"active","url":"http://x/filter","compose":{"include":[{"system":"s","filter":[{"property":"concept","op":"is-a","value":"a"}]}]}}"#,
    r#"{"resourceType":"ValueSet","id":"stored","status":"active","url":"http://x/stored","compose":{"include":[{"system":"s","filter":[{"property":"concept","op":"is-a","value":"a"}]}]},"expansion":{"timestamp":"2026-01-01T00:00:00Z","contains":[{"system":"s","code":"c"}]}}"#,
    r#"{"resourceType":"ValueSet","id":"circle","status":"active","url":"http://x/circle","compose":{"include":[{"valueSet":["ValueSet/circle"]}]}}"#,
    r#"{"resourceType":"CodeSystem","id":"s","status":"active","url":"s","content":"complete","concept":[{"code":"a","concept":[{"code":"b"},{"code":"c"}]}]}"#,
    r#"{"resourceType":"Location","id":"l1","position":{"longitude":0,"latitude":50}}"#,
    r#"{"resourceType":"Location","id":"l2","partOf":{"reference":"Location/l1"},"position":{"longitude":0,"latitude":51}}"#,
    r#"{"resourceType":"Location","id":"l3","partOf":{"reference":"Location/l2"}}"#,
    r#"{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"location":[{"location":{"reference":"Location/l1"}}]}"#,
    r#"{"resourceType":"Encounter","id":"e2","status":"finished","class":{"code":"AMB"},"location":[{"location":{"reference":"Location/l2"}}]}"#,
    r#"{"resourceType":"Encounter","id":"e3","status":"finished","class":{"code":"AMB"},"location":[{"location":{"reference":"Location/l3"}}]}"#,
    r#"{"resourceType":"Encounter","id":"e4","status":"finished","class":{"code":"AMB"},"partOf":{"reference":"Encounter/e1"}}"#,
    r#"{"resourceType":"Procedure","id":"q1","status":"completed","subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e4"}}"#,
    r#"{"resourceType":"Procedure","id":"q2","status":"completed","subject":{"reference":"Patient/p"},"partOf":[{"reference":"Procedure/q1"},{"reference":"Observation/oa"}]}"#,
    r#"{"resourceType":"List","id":"w1","status":"current","mode":"working","entry":[{"item":{"reference":"Observation/oa"}},{"item":{"reference":"Observation/ob"}},{"item":{"reference":"Encounter/e4"}}]}"#,
    r#"{"resourceType":"List","id":"w2","status":"current","mode":"changes","entry":[{"item":{"reference":"Observation/oc"}},{"deleted":true,"item":{"reference":"Observation/ot"}}]}"#,
    r#"{"resourceType":"CarePlan","id":"k","status":"active","intent":"plan","subject":{"reference":"Patient/p"},"instantiatesCanonical":["http://x/plan|2.1"]}"#,
    r#"{"resourceType":"Observation","id":"oa","status":"final","code":{"coding":[{"system":"s","code":"a"}]},"encounter":{"reference":"Encounter/e3"}}"#,
    r#"{"resourceType":"Observation","id":"ob","status":"final","code":{"coding":[{"system":"s","code":"b"}]}}"#,
    r#"{"resourceType":"Observation","id":"oc","status":"final","code":{"coding":[{"system":"s","code":"c"}]}}"#,
    r#"{"resourceType":"Observation","id":"ot","status":"final","code":{"coding":[{"system":"t","code":"yes"}]}}"#,
    r#"{"resourceType":"Observation","id":"on","status":"final","code":{"coding":[{"system":"t","code":"no"}]}}"#,
];

const QUERIES: [(ResourceType, &str, &str); 38] = [
    (OBSERVATION, "code:in=http://x/v1", "Observation/ob Observation/ot"),
    (OBSERVATION, "code:in=http://x/v1%7C1", "Observation/ob Observation/ot"),
    (OBSERVATION, "code:in=ValueSet/v2", "Observation/ot"),
    (OBSERVATION, "code:in=ValueSet/v2,http://x/stored", "Observation/oc Observation/ot"),
    (OBSERVATION, "code:not-in=http://x/v1", "Observation/oa Observation/oc Observation/on"),
    (OBSERVATION, "code:not-in=http://x/v1,http://x/stored", "Observation/oa Observation/on"),
    (OBSERVATION, "code:below=s%7Ca", "Observation/oa Observation/ob Observation/oc"),
    (OBSERVATION, "code:below=s%7Cb", "Observation/ob"),
    (OBSERVATION, "code:above=s%7Cb", "Observation/oa Observation/ob"),
    (OBSERVATION, "code:in=http://x/v1%7C2", "refused `code:in`"),
    (OBSERVATION, "code:in=http://x/unknown", "refused `code:in`"),
    (OBSERVATION, "code:in=http://x/filter", "refused `code:in`"),
    (OBSERVATION, "code:not-in=ValueSet/filter", "refused `code:not-in`"),
    (OBSERVATION, "code:in=ValueSet/circle", "refused `code:in`"),
    (OBSERVATION, "code:below=unknown%7Ca", "refused `code:below`"),
    (OBSERVATION, "code:above=s%7Cz", "refused `code:above`"),
    (ENCOUNTER, "location:below=Location/l1", "Encounter/e1 Encounter/e2 Encounter/e3"),
    (ENCOUNTER, "location:below=l2", "Encounter/e2 Encounter/e3"),
    (ENCOUNTER, "location:above=l2", "Encounter/e1 Encounter/e2"),
    (LOCATION, "partof:below=l1", "Location/l2 Location/l3"),
    (OBSERVATION, "encounter.location:below=l1", "Observation/oa"),
    (LOCATION, "near=50.1|0|20", "Location/l1"),
    (ENCOUNTER, "part-of:below=e1", "Encounter/e4"),
    (ENCOUNTER, "part-of:above=e4", "Encounter/e4"),
    (PROCEDURE, "encounter:below=Encounter/e1", "Procedure/q1"),
    (PROCEDURE, "part-of:below=Procedure/q1", "Procedure/q2"),
    (OBSERVATION, "_list=w1", "Observation/oa Observation/ob"),
    (OBSERVATION, "_list=w2", "Observation/oc"),
    (OBSERVATION, "_list=w1,w2", "Observation/oa Observation/ob Observation/oc"),
    (OBSERVATION, "_list=w1&_list=w2", ""),
    (OBSERVATION, "_list=w1&code=s%7Cb", "Observation/ob"),
    (OBSERVATION, "_list=never", ""),
    (OBSERVATION, "encounter._list=w1", ""),
    (PROCEDURE, "encounter._list=w1", "Procedure/q1"),
    (CARE_PLAN, "instantiates-canonical:below=http://x/plan%7C2", "CarePlan/k"),
    (CARE_PLAN, "instantiates-canonical:above=http://x/plan%7C2.1.7", "CarePlan/k"),
    (CARE_PLAN, "instantiates-canonical=http://x/plan", "CarePlan/k"),
    (CARE_PLAN, "instantiates-canonical:above=http://x/plan", "CarePlan/k"),
];

/// What is found, or the one thing that a refusal tells: which parameter it is about.
async fn answer(world: &World, kind: ResourceType, raw: &str, view: &dyn View) -> String {
    let query = world.query(kind, raw);
    match world.page(&query, None, &PageStart::First, view).await {
        Ok(page) => shown(&page),
        Err(RecordFault::Query(error)) => {
            let text = error.to_string();
            let name = text.strip_prefix("the value of ").unwrap().split(" is").next().unwrap();
            format!("refused {name}")
        }
        Err(fault) => panic!("{raw}: {fault:?}"),
    }
}

async fn table(world: World) {
    world.put(&RESOURCES).await;
    for (kind, raw, expected) in QUERIES {
        assert_eq!(answer(&world, kind, raw, &WholeStore).await, expected, "{raw}");
    }
}

#[tokio::test]
async fn lookups_are_answered_from_stored_resources() {
    table(model()).await;
    table(sqlite()).await;
}

#[tokio::test]
async fn what_is_stored_twice_must_be_named_by_version() {
    let world = model();
    world.put(&RESOURCES).await;
    let second =
        RESOURCES[0].replace(r#""v1""#, r#""v1b""#).replace(r#""version":"1""#, r#""version":"2""#);
    world.put(&[&second]).await;
    let found = |raw: &'static str| answer(&world, OBSERVATION, raw, &WholeStore);
    assert_eq!(found("code:in=http://x/v1").await, "refused `code:in`");
    assert_eq!(found("code:in=http://x/v1%7C2").await, "Observation/ob Observation/ot");
}

#[tokio::test]
async fn value_sets_may_nest_three_deep() {
    let world = model();
    world.put(&RESOURCES).await;
    let mut nested = Vec::new();
    for (outer, inner) in [("n2", "v1"), ("n3", "n2")] {
        nested.push(format!(
            r#"{{"resourceType":"ValueSet","id":"{outer}","status":"active","compose":{{"include":[{{"valueSet":["ValueSet/{inner}"]}}]}}}}"#
        ));
    }
    let nested: Vec<&str> = nested.iter().map(String::as_str).collect();
    world.put(&nested).await;
    // v1 refers to v2: from n2 that is two steps, from n3 three.
    let found = |raw: &'static str| answer(&world, OBSERVATION, raw, &WholeStore);
    assert_eq!(found("code:in=ValueSet/n3").await, "Observation/ob Observation/ot");
    let deepest = r#"{"resourceType":"ValueSet","id":"n4","status":"active","compose":{"include":[{"valueSet":["ValueSet/n3"]}]}}"#;
    world.put(&[deepest]).await;
    assert_eq!(found("code:in=ValueSet/n4").await, "refused `code:in`");
}

fn place(at: usize) -> String {
    let outer =
        at.checked_sub(1).map(|outer| format!(r#","partOf":{{"reference":"Location/h{outer}"}}"#));
    format!(r#"{{"resourceType":"Location","id":"h{at}"{}}}"#, outer.unwrap_or_default())
}

#[tokio::test]
async fn a_hierarchy_has_sixteen_steps_and_may_be_a_circle() {
    let world = model();
    let places: Vec<String> = (0..=17).map(place).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    world.put(places.get(..17).unwrap()).await;
    let page = |raw: &'static str| {
        let query = world.query(LOCATION, raw);
        let world = &world;
        async move { world.page(&query, None, &PageStart::First, &WholeStore).await }
    };
    assert_eq!(page("partof:below=h0").await.unwrap().hits.len(), 16);
    assert_eq!(page("partof:above=h16").await.unwrap().hits.len(), 16);
    world.put(places.get(17..).unwrap()).await;
    assert!(matches!(page("partof:below=h0").await, Err(RecordFault::TooCostly)));
    assert!(matches!(page("partof:above=h17").await, Err(RecordFault::TooCostly)));
    world
        .put(&[
            r#"{"resourceType":"Location","id":"c1","partOf":{"reference":"Location/c2"}}"#,
            r#"{"resourceType":"Location","id":"c2","partOf":{"reference":"Location/c1"}}"#,
        ])
        .await;
    assert_eq!(page("partof:below=c1").await.unwrap().hits.len(), 2);
    assert_eq!(page("partof:above=c1").await.unwrap().hits.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Promise P1 for lookups: hidden is the same as not there, in answers and in refusals.
    #[test]
    fn a_lookup_over_a_view_is_that_of_the_projected_store(
        hidden in subsequence(vec!["v1", "v2", "stored", "s", "l1", "l2", "l3", "e1", "e3", "e4", "ob", "ot", "q1", "w1", "w2"], 0..7),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let hidden: BTreeSet<String> = hidden.into_iter().map(str::to_owned).collect();
            let (whole, projected) = (model(), model());
            whole.put(&RESOURCES).await;
            let left: Vec<&str> = RESOURCES
                .iter()
                .copied()
                .filter(|json| !hidden.iter().any(|id| json.contains(&format!(r#""id":"{id}""#))))
                .collect();
            projected.put(&left).await;
            let view = Hides(hidden.clone());
            for (kind, raw, _) in QUERIES {
                let seen = answer(&whole, kind, raw, &view).await;
                let plain = answer(&projected, kind, raw, &WholeStore).await;
                assert_eq!(seen, plain, "{raw} without {hidden:?}");
            }
        });
    }
}
