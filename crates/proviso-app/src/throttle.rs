//! How fast somebody may guess passwords.
//!
//! Waiting times belong to a pair of username and address, so that a stranger elsewhere cannot lock
//! a person out by guessing wrong on purpose; a second, looser count per address stops one machine
//! that tries many usernames.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proviso_core::time::At;

/// Wrong answers that cost nothing.
const FREE_FAILURES: u32 = 3;
/// The longest wait of a pair, in seconds.
const PAIR_WAIT_SECS_MAX: i64 = 900;
/// The longest wait of an app at an address, in seconds.
const APP_WAIT_SECS_MAX: i64 = 30;
/// Wrong answers from one address that cost nothing; a hospital has one address for many people.
const FREE_FAILURES_PER_ADDRESS: u32 = 50;
/// The longest wait of an address, in seconds.
const ADDRESS_WAIT_SECS_MAX: i64 = 60;
/// After so long without a failure, everything is forgotten.
const FORGET_AFTER_SECS: i64 = 3600;
// LIMIT: memory; the oldest half goes when it is full, which only forgives.
const ENTRIES_MAX: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: At,
}

/// The key of a count: a username at an address, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, String),
    Address(String),
}

/// Counts wrong answers in memory. A restart forgets them, which costs an attacker more than us.
#[derive(Debug)]
pub(crate) struct Throttle {
    counts: Mutex<HashMap<Key, Failures>>,
    pair_wait_secs_max: i64,
}

impl Throttle {
    /// For passwords, which people choose.
    pub(crate) fn of_passwords() -> Self {
        Self { counts: Mutex::default(), pair_wait_secs_max: PAIR_WAIT_SECS_MAX }
    }

    /// For the secrets of apps. Nobody guesses 256 bits, so the wait need only blunt the attempt;
    /// a longer one would let a stranger behind the same address keep a hospital's app out.
    pub(crate) fn of_app_secrets() -> Self {
        Self { counts: Mutex::default(), pair_wait_secs_max: APP_WAIT_SECS_MAX }
    }

    /// How many seconds to wait before the next try counts; `None` when it may be made now.
    pub(crate) fn wait_secs(&self, username: &str, address: &str, at: At) -> Option<i64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let [pair, whole] = keys(username, address);
        let waits = [
            (pair, FREE_FAILURES, self.pair_wait_secs_max),
            (whole, FREE_FAILURES_PER_ADDRESS, ADDRESS_WAIT_SECS_MAX),
        ];
        waits
            .into_iter()
            .filter_map(|(key, free, longest)| {
                let failures = counts.get(&key)?;
                let over = failures.count.checked_sub(free).filter(|over| *over > 0)?;
                let wait = 1_i64.checked_shl(over - 1).map_or(longest, |wait| wait.min(longest));
                let left = failures.last.plus_secs(wait).as_micros() - at.as_micros();
                // Rounded up, so that who waits as told is let through.
                (left > 0).then(|| left.div_euclid(1_000_000) + 1)
            })
            .max()
    }

    /// Counts a try as wrong before it is checked, so that many at once are no way around the wait.
    pub(crate) fn tried(&self, username: &str, address: &str, at: At) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ENTRIES_MAX {
            make_room(&mut counts, at);
        }
        for key in keys(username, address) {
            let failures = counts.entry(key).or_insert(Failures { count: 0, last: at });
            if failures.last.plus_secs(FORGET_AFTER_SECS) < at {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1).min(64);
            failures.last = at;
        }
    }

    /// Takes a try back that turned out right, and forgets the wrong ones of the pair. Those of the
    /// address stay: a right answer for one's own account earns no further guesses at others'.
    pub(crate) fn succeeded(&self, username: &str, address: &str) {
        let [pair, whole] = keys(username, address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&pair);
        if let Some(failures) = counts.get_mut(&whole) {
            failures.count = failures.count.saturating_sub(1);
        }
    }
}

fn keys(username: &str, address: &str) -> [Key; 2] {
    let username: String = username.to_lowercase().chars().take(128).collect();
    [Key::Pair(username, address.to_owned()), Key::Address(address.to_owned())]
}

fn make_room(counts: &mut HashMap<Key, Failures>, at: At) {
    counts.retain(|_, failures| failures.last.plus_secs(FORGET_AFTER_SECS) >= at);
    if counts.len() >= ENTRIES_MAX {
        let mut times: Vec<At> = counts.values().map(|failures| failures.last).collect();
        times.sort_unstable();
        if let Some(median) = times.get(times.len() / 2).copied() {
            counts.retain(|_, failures| failures.last > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At::from_secs(1_800_000_000);

    #[test]
    fn waits_double_after_three_free_failures_and_end() {
        // Covers: R29
        let throttle = Throttle::of_passwords();
        for _ in 0..3 {
            throttle.tried("maria", "10.0.0.1", AT);
            assert_eq!(throttle.wait_secs("maria", "10.0.0.1", AT), None);
        }
        for expected in [1, 2, 4, 8] {
            throttle.tried("Maria", "10.0.0.1", AT);
            let wait = throttle.wait_secs("maria", "10.0.0.1", AT).unwrap();
            assert_eq!(wait, expected + 1);
            assert_eq!(throttle.wait_secs("maria", "10.0.0.1", AT.plus_secs(wait)), None);
        }
        for _ in 0..100 {
            throttle.tried("maria", "10.0.0.1", AT);
        }
        assert_eq!(throttle.wait_secs("maria", "10.0.0.1", AT), Some(901));
    }

    #[test]
    fn an_apps_wait_stays_short() {
        // Covers: R29
        let throttle = Throttle::of_app_secrets();
        for _ in 0..100 {
            throttle.tried("bill-helper", "10.0.0.1", AT);
        }
        // The address as a whole waits a minute by then.
        assert_eq!(throttle.wait_secs("bill-helper", "10.0.0.1", AT), Some(61));
        let throttle = Throttle::of_app_secrets();
        for _ in 0..40 {
            throttle.tried("bill-helper", "10.0.0.1", AT);
        }
        assert_eq!(throttle.wait_secs("bill-helper", "10.0.0.1", AT), Some(31));
        assert_eq!(throttle.wait_secs("quality-study", "10.0.0.1", AT), None);
    }

    #[test]
    fn a_stranger_elsewhere_cannot_lock_a_person_out() {
        let throttle = Throttle::of_passwords();
        for _ in 0..40 {
            throttle.tried("maria", "203.0.113.9", AT);
        }
        assert!(throttle.wait_secs("maria", "203.0.113.9", AT).is_some());
        assert_eq!(throttle.wait_secs("maria", "10.0.0.1", AT), None);
    }

    #[test]
    fn one_address_cannot_try_many_usernames() {
        let throttle = Throttle::of_passwords();
        for number in 0..60 {
            throttle.tried(&format!("user{number}"), "203.0.113.9", AT);
        }
        assert!(throttle.wait_secs("somebody-else", "203.0.113.9", AT).is_some());
    }

    #[test]
    fn many_people_signing_in_from_one_address_wait_for_nothing() {
        let throttle = Throttle::of_passwords();
        for number in 0..500 {
            let username = format!("user{number}");
            assert_eq!(throttle.wait_secs(&username, "10.0.0.1", AT), None);
            throttle.tried(&username, "10.0.0.1", AT);
            throttle.succeeded(&username, "10.0.0.1");
        }
    }

    #[test]
    fn a_right_answer_and_an_hour_forgive() {
        let throttle = Throttle::of_passwords();
        for _ in 0..10 {
            throttle.tried("maria", "a", AT);
        }
        throttle.succeeded("maria", "a");
        assert_eq!(throttle.wait_secs("maria", "a", AT), None);
        for _ in 0..10 {
            throttle.tried("maria", "a", AT);
        }
        let later = AT.plus_secs(FORGET_AFTER_SECS + 1);
        throttle.tried("maria", "a", later);
        assert_eq!(throttle.wait_secs("maria", "a", later), None);
    }
}
