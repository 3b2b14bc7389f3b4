//! Examples, and the engine against the naive evaluator.

extern crate std;

use alloc::vec::Vec;

use super::oracle::naive;
use super::worlds::{Random, World, any_directive, record, request};
use super::*;
use crate::time::At;

/// How many worlds the long comparison looks at: `PROVISO_FUZZ_CASES=10000000 cargo test --release`.
const CASES: Option<&str> = option_env!("PROVISO_FUZZ_CASES");

fn agree(seed: u64) {
    let world = World::of_seed(seed);
    let wanted = naive(&world.directive, &world.request, &world.record);
    let got = world.evaluation();
    let (said, outcome) = (got.said, got.outcome(&world.record.labels));
    assert!(
        wanted.agrees_with(said, outcome),
        "seed {seed}, {}: {said:?}, {outcome:?}, not {wanted:?}",
        world.directive.dialect()
    );
}

/// A few thousand worlds, and as many more as the long comparison asks for.
fn over_worlds(what: &str, check: fn(u64)) {
    (0..4096).for_each(check);
    if let Some(cases) = CASES {
        let cases: u64 = cases.parse().unwrap();
        (0..cases).for_each(|seed| check(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        std::eprintln!("{cases} worlds: {what}");
    }
}

#[test]
fn engine_and_naive_evaluator_agree() {
    over_worlds("the engine and the naive evaluator agree", agree);
}

/// Whether a plan of one directive says what the directive says.
fn plan_agrees(seed: u64) {
    let world = World::of_seed(seed);
    let consents = [(At::from_secs(0), &world.directive)];
    let plan = Plan::compile(&consents, Combination::DenyOverrides, &world.request).unwrap();
    let got = plan.decide(&plan.view(&world.record));
    assert_eq!(got, world.outcome(), "seed {seed}: {world:?}");
}

/// Whether a plan of several directives says what they say together.
fn joint_plan_agrees(seed: u64) {
    let mut random = Random::new(seed);
    let directives: Vec<Directive> =
        (0..=random.below(6)).map(|_| any_directive(&mut random)).collect();
    let (request, record) = (request(&mut random), record(&mut random));
    let consents: Vec<(At, &Directive)> =
        (0..).map(|second| At::from_secs(second / 2)).zip(&directives).collect();
    let evaluations: Vec<Evaluation> =
        directives.iter().map(|one| evaluate(one, &request, &record)).collect();
    let voices: Vec<Voice<'_>> = consents
        .iter()
        .zip(&evaluations)
        .map(|((recorded_at, _), evaluation)| Voice { recorded_at: *recorded_at, evaluation })
        .collect();
    for how in [Combination::DenyOverrides, Combination::LatestWins] {
        let plan = Plan::compile(&consents, how, &request).unwrap();
        let wanted = combine(&voices, how, &record.labels).outcome;
        assert_eq!(plan.decide(&plan.view(&record)), wanted, "seed {seed}, {how:?}");
    }
}

#[test]
fn a_plan_says_what_its_directives_say() {
    over_worlds("the plan and the engine agree", plan_agrees);
}

#[test]
fn a_plan_of_several_says_what_they_say_together() {
    over_worlds("the plan of several and what they say together agree", joint_plan_agrees);
}

/// What is left of a directive is all that a plan needs, also after it was written and read.
fn residual_agrees(seed: u64) {
    let world = World::of_seed(seed);
    let residual = Residual::of(&world.directive, &world.request);
    let text = serde_json::to_string(&residual).unwrap();
    let residual: Residual = serde_json::from_str(&text).unwrap();
    let plan = Plan::of_residuals(&[residual], &world.request).unwrap();
    let got = plan.decide(&plan.view(&world.record));
    assert_eq!(got, world.outcome(), "seed {seed}: {text}");
}

#[test]
fn a_residual_is_the_whole_of_what_is_left() {
    over_worlds("what is left and the engine agree", residual_agrees);
}
