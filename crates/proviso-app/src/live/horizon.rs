//! Up to which epoch everything that is durable is also in memory.
//!
//! Batches are applied in whatever order their tasks run, so the newest epoch in memory says
//! nothing of those before it. Each batch that is on its way holds the epoch that was the newest
//! when it set out; its own can only be later. Everything up to the least of those is in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Horizon {
    newest: AtomicU64,
    under_way: Mutex<BTreeMap<u64, u32>>,
}

/// A batch that is on its way.
#[derive(Debug)]
#[must_use = "a batch that is not said to have arrived holds the horizon for good"]
pub(super) struct UnderWay(u64);

impl Horizon {
    pub(super) fn at(epoch: u64) -> Self {
        Self { newest: AtomicU64::new(epoch), under_way: Mutex::default() }
    }

    /// The newest epoch in memory.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// A batch sets out.
    pub(super) fn set_out(&self) -> UnderWay {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.newest();
        *under_way.entry(newest).or_default() += 1;
        UnderWay(newest)
    }

    /// What a batch changes is in memory.
    pub(super) fn applied(&self, epoch: u64) {
        self.newest.fetch_max(epoch, Ordering::SeqCst);
    }

    /// A batch has been applied, or is certainly not on disk. One of which neither is certain never
    /// arrives: the horizon then stays where it is until the next start.
    pub(super) fn arrived(&self, UnderWay(from): UnderWay) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&from);
            }
        }
    }

    /// The epoch up to which everything is in memory.
    pub(super) fn whole(&self) -> u64 {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.newest();
        under_way.keys().next().map_or(newest, |from| newest.min(*from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_waits_for_every_batch_that_set_out() {
        let horizon = Horizon::at(5);
        assert_eq!(horizon.whole(), 5);
        let (first, second) = (horizon.set_out(), horizon.set_out());
        horizon.applied(7);
        horizon.arrived(second);
        assert_eq!((horizon.newest(), horizon.whole()), (7, 5), "6 is on its way");
        let third = horizon.set_out();
        horizon.applied(6);
        horizon.arrived(first);
        assert_eq!((horizon.newest(), horizon.whole()), (7, 7));
        horizon.applied(8);
        assert_eq!(horizon.whole(), 7);
        horizon.arrived(third);
        assert_eq!(horizon.whole(), 8);
    }

    #[test]
    fn a_batch_of_which_nobody_knows_holds_the_horizon() {
        let horizon = Horizon::at(1);
        let _lost = horizon.set_out();
        let next = horizon.set_out();
        horizon.applied(3);
        horizon.arrived(next);
        assert_eq!(horizon.whole(), 1);
    }
}
