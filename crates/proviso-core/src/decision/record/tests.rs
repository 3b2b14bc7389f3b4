//! Any past decision can be made again, to the same bytes (design P5).

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::decision::worlds::{World, any_world, filed_at_hand, filed_request};

fn recorded(worlds: &[World]) -> DecisionRecord {
    let first = worlds.first().unwrap();
    let mut record = DecisionRecord::new(RecordedRequest::of(&first.request()));
    match first.plan() {
        Err(denial) => record.deny(&denial),
        Ok(plan) => {
            record.heard(&filed_request());
            for world in worlds {
                if !plan.offers(&world.interaction, world.facts.resource_type) {
                    record.not_offered(world.interaction.clone(), world.facts.resource_type);
                }
                let decision = plan.decide(&world.interaction, &world.facts, &|filter| {
                    world.matching.contains(filter)
                });
                let filters: Vec<ScopeFilter> = world.matching.iter().cloned().collect();
                record.judge(
                    &world.interaction,
                    JudgedResource { facts: &world.facts, filters: &filters, decision: &decision },
                );
            }
        }
    }
    record
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn same_input_same_bytes(worlds in proptest::collection::vec(any_world(), 1..6)) {
        let record = recorded(&worlds);
        let read: DecisionRecord = serde_json::from_slice(&record.to_bytes().unwrap()).unwrap();
        let again = read.replay(worlds[0].consent(), &filed_at_hand()).unwrap();
        prop_assert_eq!(again.to_bytes().unwrap(), record.to_bytes().unwrap());
        prop_assert_eq!(again.digest().unwrap(), record.digest().unwrap());
    }

    #[test]
    fn what_is_left_out_had_no_part_in_it(worlds in proptest::collection::vec(any_world(), 1..6)) {
        let record = recorded(&worlds);
        let mut trimmed = record.clone();
        trimmed.trim();
        let again = trimmed.replay(worlds[0].consent(), &filed_at_hand()).unwrap();
        prop_assert_eq!(&again, &trimmed);
        prop_assert_eq!(again.judged, record.judged);
        prop_assert_eq!(again.denied, record.denied);
    }

    /// A changed effect, reason or input does not go unnoticed.
    #[test]
    fn a_forged_record_does_not_replay(worlds in proptest::collection::vec(any_world(), 1..3)) {
        let record = recorded(&worlds);
        if let Some(group) = record.judged.first() {
            let mut forged = record.clone();
            forged.judged[0].effect = match group.effect {
                Effect::Permit => Effect::Deny,
                Effect::Deny => Effect::Permit,
            };
            prop_assert_ne!(forged.replay(worlds[0].consent(), &filed_at_hand()).unwrap(), forged);
        } else {
            let mut forged = record.clone();
            forged.denied.clear();
            prop_assert_ne!(forged.replay(worlds[0].consent(), &filed_at_hand()).unwrap(), forged);
        }
    }
}

fn one_of(wanted: impl Fn(&World) -> bool) -> World {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..10_000)
        .map(|_| any_world().new_tree(&mut runner).unwrap().current())
        .find(wanted)
        .expect("such a world occurs")
}

#[test]
fn what_is_not_at_hand_is_named_and_nothing_is_guessed() {
    let world = one_of(|world| world.consent().is_some() && world.permits());
    let record = recorded(core::slice::from_ref(&world));
    let needed = world.consent().unwrap().id().clone();
    assert_eq!(
        record.replay(None, &filed_at_hand()),
        Err(ReplayError::ConsentMissing(needed.clone()))
    );
    let other = one_of(|other| other.consent().is_some_and(|named| *named.id() != needed));
    assert_eq!(
        record.replay(other.consent(), &filed_at_hand()),
        Err(ReplayError::ConsentMissing(needed))
    );

    let older = DecisionRecord { engine: "decision/0".into(), ..record };
    assert_eq!(
        older.replay(None, &filed_at_hand()),
        Err(ReplayError::OtherEngine("decision/0".into()))
    );
}

#[test]
fn a_token_that_was_not_taken_stays_refused() {
    let world = one_of(World::permits);
    let stopped =
        RecordedRequest::of(&world.request()).stopped_by(alloc::vec![ReasonCode::AccountDisabled]);
    let mut record = DecisionRecord::new(stopped);
    record.deny(&Decision::deny(alloc::vec![ReasonCode::AccountDisabled]));
    assert_eq!(record.replay(world.consent(), &filed_at_hand()).unwrap(), record);
}

#[test]
fn a_long_page_of_like_records_is_written_once_and_bounded() {
    let world = one_of(World::permits);
    let many: Vec<World> = core::iter::repeat_n(world.clone(), RESOURCES_MAX + 3).collect();
    let record = recorded(&many);
    assert_eq!(record.judged.len(), 1);
    assert_eq!(record.judged[0].members.len(), RESOURCES_MAX);
    assert_eq!(record.not_kept, 3);
    assert_eq!(record.replay(world.consent(), &filed_at_hand()).unwrap(), record);
}
