//! Facts about people that are kept for a stated time, and no longer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proviso_core::id::AccountId;
use proviso_core::time::At;

/// For how long what was read of a person is taken, in seconds.
pub(crate) const AGE_SECS_MAX: i64 = 60;
/// LIMIT: people remembered at once.
const PEOPLE_MAX: usize = 4_096;

/// Facts by person, each with the instant at which it was read.
#[derive(Debug)]
pub(crate) struct Aged<T>(Mutex<HashMap<AccountId, (At, T)>>);

impl<T> Default for Aged<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Aged<T> {
    /// What was read less than a minute ago.
    pub(crate) fn get(&self, account: &AccountId, at: At) -> Option<T> {
        self.younger_than(AGE_SECS_MAX, account, at)
    }

    /// The same for a shorter time: whoever will need a fact for a while reads it anew in time.
    pub(crate) fn younger_than(&self, secs: i64, account: &AccountId, at: At) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, facts) = known.get(account)?;
        // A clock that was set back makes it old, not eternal.
        let fresh = *since <= at && at < since.plus_secs(secs.min(AGE_SECS_MAX));
        fresh.then(|| facts.clone())
    }

    pub(crate) fn put(&self, account: &AccountId, at: At, facts: T) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= PEOPLE_MAX {
            known.clear();
        }
        known.insert(account.clone(), (at, facts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_counts_for_less_than_a_minute() {
        let aged = Aged::default();
        let account = "acc_one".parse().unwrap();
        aged.put(&account, At::from_secs(100), "fact");
        for (secs, counts) in [(99, false), (100, true), (159, true), (160, false)] {
            assert_eq!(aged.get(&account, At::from_secs(secs)).is_some(), counts, "{secs}");
        }
        let half = |secs| aged.younger_than(30, &account, At::from_secs(secs)).is_some();
        assert!(half(129) && !half(130));
        assert_eq!(aged.get(&"acc_two".parse().unwrap(), At::from_secs(100)), None);
    }
}
