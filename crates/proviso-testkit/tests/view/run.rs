//! How many worlds a law is tried in. `./test` tries a few; a long run goes on where another ended:
//!
//! ```sh
//! PROVISO_VIEW_WORLDS=25000 PROVISO_VIEW_FROM=60 cargo test --profile measure \
//!     -p proviso-testkit --test view an_answer_is_that_of_a_store -- --nocapture
//! ```

use std::ops::Range;

/// After how many worlds a long run says how far it is.
const TOLD_EVERY: u64 = 250;

fn number(name: &str) -> Option<u64> {
    let value = std::env::var_os(name)?;
    Some(value.to_str().unwrap().parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The seeds of this run: `usual` of them, or as the environment says.
pub(crate) fn seeds(usual: u64) -> Range<u64> {
    let from = number("PROVISO_VIEW_FROM").unwrap_or(0);
    from..from + number("PROVISO_VIEW_WORLDS").unwrap_or(usual)
}

/// Tries a law in the world of each seed, `asked` times in each; at least one answer in `one_in`
/// has to hold something, or the law says nothing.
pub(crate) async fn law(
    name: &str,
    seeds: Range<u64>,
    asked: usize,
    one_in: usize,
    holds: impl AsyncFn(u64) -> usize,
) {
    let mut full = 0;
    let worlds = usize::try_from(seeds.end - seeds.start).unwrap();
    for seed in seeds.clone() {
        full += holds(seed).await;
        if (seed + 1 - seeds.start).is_multiple_of(TOLD_EVERY) {
            eprintln!("{name}: held up to seed {seed}");
        }
    }
    let asked = worlds * asked;
    eprintln!("{name}: {worlds} worlds, {asked} requests, {full} with something in the answer");
    assert!(full * one_in > asked, "too few answers hold anything: {full} of {asked}");
}
