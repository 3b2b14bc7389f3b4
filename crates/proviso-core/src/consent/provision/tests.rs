//! Examples, and the engine against the naive evaluator.

extern crate std;

use super::oracle::naive;
use super::worlds::World;

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

#[test]
fn engine_and_naive_evaluator_agree() {
    for seed in 0..4096 {
        agree(seed);
    }
    if let Some(cases) = CASES {
        let cases: u64 = cases.parse().unwrap();
        for seed in 0..cases {
            agree(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        std::eprintln!("compared {cases} worlds with the naive evaluator: all agree");
    }
}
