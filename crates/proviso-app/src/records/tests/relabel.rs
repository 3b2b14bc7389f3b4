//! Two versions of a rule set, and the way from one to the other: at reads at once, in the store
//! batch by batch.

use std::sync::Arc;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::id::ResourceId;
use proviso_core::label::{LabelSetVersion, Origin};
use proviso_core::resource_type::ResourceType;
use proviso_fhir::label::{Changes, LabelRule, RuleSet, Rules};
use proviso_store::LabelCounts;

use super::super::{Reading, Record};
use super::{World, model, sqlite};

/// The shipped rules with one more word for genetics, and perhaps without those for HIV.
fn rules(word: &str, off: &[&str]) -> Arc<RuleSet> {
    let rule = LabelRule {
        id: "own-word".into(),
        kind: SensitiveKind::Genetics,
        confidence: proviso_core::label::Confidence::Likely,
        source: "a test".into(),
        on: vec![],
        at: vec![],
        codes: vec![],
        words: vec![word.to_owned().into()],
    };
    let changes = Changes {
        off: off.iter().map(|id| (*id).to_owned()).collect(),
        rules: Rules { labels: vec![rule], ..Rules::default() },
        replaces: vec![],
    };
    Arc::new(RuleSet::shipped_with(changes).unwrap())
}

fn both() -> [World; 2] {
    [model(), sqlite()]
}

async fn read(world: &World, kind: ResourceType, id: &str) -> Record {
    let id: ResourceId = id.parse().unwrap();
    let Reading::Live(mut record) = world.records.read(kind, &id).await.unwrap() else {
        panic!("{id} is gone")
    };
    world.records.look_around(&mut record).await.unwrap();
    record
}

/// The kinds that decisions go by: those of the rules now, and those from elsewhere.
async fn kinds(world: &World, kind: ResourceType, id: &str) -> Vec<SensitiveKind> {
    let record = read(world, kind, id).await;
    let now = world.records.labels.findings(record.doc.root());
    let now: SensitiveSet = now.iter().map(|label| label.kind).collect();
    now.union(record.around).iter().collect()
}

async fn relabel(world: &World) -> usize {
    let Some(next) = world.records.relabel_next().await.unwrap() else { return 0 };
    world.records.store.commit(next.batch).await.unwrap();
    world.records.relabelled();
    next.count
}

async fn counts(world: &World) -> (u64, u64) {
    let progress = world.records.label_progress().await.unwrap();
    (progress.labelled, progress.stale)
}

const NOTE: &str =
    r#"{"resourceType":"Basic","id":"note","code":{"text":"HIV test; starflower panel"}}"#;
const PLACE: &str = r#"{"resourceType":"Location","id":"place","name":"Starflower clinic"}"#;
const VISIT: &str = r#"{"resourceType":"Encounter","id":"visit","status":"finished","class":{"code":"AMB"},
    "subject":{"reference":"Patient/p"},"location":[{"location":{"reference":"Location/place"}}]}"#;

use SensitiveKind::{Genetics, Hiv};

#[tokio::test]
async fn other_rules_count_at_once_and_take_nothing_away_until_the_job_has_come_by() {
    for mut world in both() {
        world.put(&[NOTE, PLACE, VISIT]).await;
        assert_eq!(kinds(&world, ResourceType::BASIC, "note").await, [Hiv]);
        assert_eq!(counts(&world).await, (3, 0));

        world.records.labels = rules("starflower", &["hiv-words"]);
        // Added at once, for what refers to it as well; taken away not yet.
        assert_eq!(kinds(&world, ResourceType::BASIC, "note").await, [Hiv, Genetics]);
        assert_eq!(kinds(&world, ResourceType::ENCOUNTER, "visit").await, [Genetics]);
        assert_eq!(counts(&world).await, (0, 3));

        assert_eq!(relabel(&world).await, 3);
        assert_eq!(relabel(&world).await, 0);
        assert_eq!(counts(&world).await, (3, 0));
        assert_eq!(kinds(&world, ResourceType::BASIC, "note").await, [Genetics]);
        assert_eq!(kinds(&world, ResourceType::ENCOUNTER, "visit").await, [Genetics]);

        // And back: what the place gave to its visit counts until it is gone over.
        world.records.labels = rules("moonflower", &[]);
        world.records.around.forget();
        assert_eq!(kinds(&world, ResourceType::ENCOUNTER, "visit").await, [Genetics]);
        assert_eq!(kinds(&world, ResourceType::BASIC, "note").await, [Hiv, Genetics]);
        relabel(&world).await;
        assert_eq!(kinds(&world, ResourceType::ENCOUNTER, "visit").await, []);
        assert_eq!(kinds(&world, ResourceType::BASIC, "note").await, [Hiv]);
        assert_eq!(world.records.label_progress().await.unwrap().changed, 2);
    }
}

#[tokio::test]
async fn every_version_is_labelled_and_a_deletion_is_not() {
    for world in both() {
        world.put(&[NOTE]).await;
        let other = NOTE.replace("HIV test", "no test");
        world.put(&[&other]).await;
        let id: ResourceId = "note".parse().unwrap();
        let gone =
            world.records.delete(ResourceType::BASIC, &id, super::super::Match::Any).await.unwrap();
        world.commit(gone).await;
        assert_eq!(counts(&world).await, (2, 0));
        let none = LabelSetVersion::from_digest(&[0; 32]);
        let counted = world.records.store.label_counts(&none).await.unwrap();
        assert_eq!(counted, LabelCounts { labelled: 0, stale: 2 });
    }
}

/// 450 records are three batches; the second is lost before it is written, as if the power went.
#[tokio::test]
async fn a_job_that_stops_goes_on_where_it_was() {
    for mut world in both() {
        let notes: Vec<String> =
            (0..450).map(|n| NOTE.replace("\"note\"", &format!("\"n{n}\""))).collect();
        world.put(&notes.iter().map(String::as_str).collect::<Vec<_>>()).await;
        world.records.labels = rules("starflower", &[]);
        assert_eq!(relabel(&world).await, 200);
        let lost = world.records.relabel_next().await.unwrap().unwrap();
        assert_eq!(lost.count, 200);
        drop(lost);
        assert_eq!(counts(&world).await, (200, 250));
        // What is written meanwhile is labelled by the rules in effect.
        world.put(&[NOTE]).await;
        assert_eq!(counts(&world).await, (201, 250));
        assert_eq!(relabel(&world).await, 200);
        assert_eq!(relabel(&world).await, 50);
        assert_eq!(relabel(&world).await, 0);
        assert_eq!(counts(&world).await, (451, 0));
        assert_eq!(world.records.label_progress().await.unwrap().changed, 450);
        assert_eq!(kinds(&world, ResourceType::BASIC, "n449").await, [Hiv, Genetics]);
    }
}

#[tokio::test]
async fn other_rules_in_the_middle_of_a_job_begin_it_anew() {
    for mut world in both() {
        let notes: Vec<String> =
            (0..300).map(|n| NOTE.replace("\"note\"", &format!("\"n{n}\""))).collect();
        world.put(&notes.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let first = Arc::clone(&world.records.labels);
        world.records.labels = rules("starflower", &[]);
        assert_eq!(relabel(&world).await, 200);
        world.records.labels = first;
        assert_eq!(counts(&world).await, (100, 200));
        assert_eq!(relabel(&world).await, 200);
        assert_eq!(relabel(&world).await, 0);
        assert_eq!(kinds(&world, ResourceType::BASIC, "n0").await, [Hiv]);
        world.records.labels = rules("starflower", &[]);
        assert_eq!(relabel(&world).await, 200);
        assert_eq!(relabel(&world).await, 100);
    }
}

#[tokio::test]
async fn the_way_of_a_label_is_told() {
    for mut world in both() {
        world.put(&[PLACE, VISIT]).await;
        world.records.labels = rules("starflower", &[]);
        let record = read(&world, ResourceType::ENCOUNTER, "visit").await;
        let traced = world.records.trace_labels(&record).await.unwrap();
        let [label] = traced.found.as_slice() else { panic!("{traced:?}") };
        assert_eq!((label.rule.as_str(), label.element.as_str()), ("own-word", "name"));
        let Origin::Propagated(way) = &label.origin else { panic!("{label:?}") };
        assert_eq!(way.len(), 1);
        assert_eq!(way[0].element, "location[0].location.reference");
        assert_eq!(way[0].id.as_str(), "place");
    }
}

/// The process ends between two batches; another one opens the same file.
#[tokio::test]
async fn a_job_goes_on_in_the_next_process() {
    use proviso_store::{OpenOptions, Store};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let open = || {
        let options = OpenOptions::new(proviso_core::id::TenantId::default_tenant());
        super::world(Store::open_sqlite(&path, options).unwrap(), None)
    };
    let mut first = open();
    let notes: Vec<String> =
        (0..450).map(|n| NOTE.replace("\"note\"", &format!("\"n{n}\""))).collect();
    first.put(&notes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    first.records.labels = rules("starflower", &["hiv-words"]);
    assert_eq!(relabel(&first).await, 200);
    drop(first);
    let mut second = open();
    second.records.labels = rules("starflower", &["hiv-words"]);
    assert_eq!(counts(&second).await, (200, 250));
    // Done and not yet done: each is what it must be.
    assert_eq!(kinds(&second, ResourceType::BASIC, "n0").await, [Genetics]);
    assert_eq!(kinds(&second, ResourceType::BASIC, "n449").await, [Hiv, Genetics]);
    assert_eq!(relabel(&second).await, 200);
    assert_eq!(relabel(&second).await, 50);
    assert_eq!(relabel(&second).await, 0);
    assert_eq!(second.records.label_progress().await.unwrap().changed, 450);
    assert_eq!(kinds(&second, ResourceType::BASIC, "n449").await, [Genetics]);
}
