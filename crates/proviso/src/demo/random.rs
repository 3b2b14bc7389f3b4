//! A small deterministic generator: the same seed gives the same world on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood 2014). Nothing secret is ever drawn from it.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of one part of the world: parts do not disturb each other.
    pub(super) fn of(seed: u64, part: u64) -> Self {
        let mut random = Self(seed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low).max(0)).unwrap_or(0).saturating_add(1);
        low.saturating_add(i64::try_from(self.next() % width).unwrap_or(0))
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of the items; `None` only for an empty list.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let last = i64::try_from(items.len()).ok()?.checked_sub(1)?;
        items.get(usize::try_from(self.between(0, last)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_streams_and_parts_differ() {
        let draw = |seed, part| {
            let mut random = Random::of(seed, part);
            (0..8).map(|_| random.between(0, 1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 1));
    }

    #[test]
    fn numbers_stay_between_their_bounds() {
        let mut random = Random::of(7, 7);
        let drawn: Vec<i64> = (0..1000).map(|_| random.between(-1, 1)).collect();
        assert!(drawn.iter().all(|number| (-1..=1).contains(number)));
        assert!([-1, 0, 1].iter().all(|number| drawn.contains(number)));
    }
}
