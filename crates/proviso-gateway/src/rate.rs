//! How often one may ask: token buckets per address, app and person, and a budget of distinct
//! patients per person and hour.
//!
//! TRUST: the buckets protect the server; the budget protects patients. One login that walks
//! through thousands of records is how whole registers have leaked, even where every single
//! request was permitted.

use core::hash::Hash;
use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use governor::clock::{Clock as GovernorClock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use proviso_app::ports::Clock;
use proviso_core::id::{AccountId, ClientId, PatientId};
use proviso_core::time::At;

use crate::settings::Rates;

const HOUR_SECS: i64 = 3600;
/// LIMIT: old keys are dropped every so many checks, so that the tables stay small.
const SWEEP_EVERY: u32 = 4096;

/// Governor's view of our clock, so that tests move it.
#[derive(Clone)]
struct AppClock(Arc<dyn Clock>);

impl GovernorClock for AppClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let micros = u64::try_from(self.0.now().as_micros()).unwrap_or(0);
        Nanos::new(micros.saturating_mul(1000))
    }
}

type Buckets<K> = RateLimiter<K, HashMapStateStore<K>, AppClock, NoOpMiddleware<Nanos>>;

/// Too often: when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOften {
    pub(crate) retry_after_secs: u64,
}

pub(crate) struct RateLimits {
    clock: AppClock,
    address: Buckets<String>,
    client: Buckets<ClientId>,
    account: Buckets<AccountId>,
    checks: AtomicU32,
    patients: PatientBudget,
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits").finish_non_exhaustive()
    }
}

impl RateLimits {
    pub(crate) fn new(rates: &Rates, clock: Arc<dyn Clock>) -> Self {
        let clock = AppClock(clock);
        Self {
            address: buckets(rates.address_per_sec, rates.burst_secs, &clock),
            client: buckets(rates.client_per_sec, rates.burst_secs, &clock),
            account: buckets(rates.account_per_sec, rates.burst_secs, &clock),
            checks: AtomicU32::new(0),
            patients: PatientBudget::new(rates.patients_per_hour),
            clock,
        }
    }

    pub(crate) fn check_address(&self, address: &str) -> Result<(), TooOften> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.address.retain_recent();
            self.client.retain_recent();
            self.account.retain_recent();
        }
        check(&self.address, &address.to_owned(), &self.clock)
    }

    pub(crate) fn check_caller(
        &self,
        client: &ClientId,
        account: Option<&AccountId>,
    ) -> Result<(), TooOften> {
        check(&self.client, client, &self.clock)?;
        account.map_or(Ok(()), |account| check(&self.account, account, &self.clock))
    }

    /// Counts the patients about to be shown; refuses when that would be more than the budget.
    pub(crate) fn spend_patients(
        &self,
        account: &AccountId,
        patients: &BTreeSet<PatientId>,
        at: At,
    ) -> Result<(), TooOften> {
        self.patients.spend(account, patients, at)
    }
}

fn buckets<K: Hash + Eq + Clone>(
    per_sec: NonZeroU32,
    burst_secs: NonZeroU32,
    clock: &AppClock,
) -> Buckets<K> {
    let quota = Quota::per_second(per_sec).allow_burst(per_sec.saturating_mul(burst_secs));
    RateLimiter::hashmap_with_clock(quota, clock.clone())
}

fn check<K: Hash + Eq + Clone>(
    buckets: &Buckets<K>,
    key: &K,
    clock: &AppClock,
) -> Result<(), TooOften> {
    buckets.check_key(key).map_err(|not_until| {
        let wait = not_until.earliest_possible().duration_since(clock.now());
        let wait = Duration::from(wait);
        TooOften { retry_after_secs: wait.as_secs().saturating_add(1) }
    })
}

/// Which patients each person was shown, and when, within the last hour.
struct PatientBudget {
    most: usize,
    shown: Mutex<HashMap<AccountId, VecDeque<(At, PatientId)>>>,
}

impl PatientBudget {
    fn new(most: usize) -> Self {
        Self { most, shown: Mutex::new(HashMap::new()) }
    }

    fn spend(
        &self,
        account: &AccountId,
        patients: &BTreeSet<PatientId>,
        at: At,
    ) -> Result<(), TooOften> {
        if patients.is_empty() {
            return Ok(());
        }
        // A poisoned lock means a panic elsewhere; the budget is then unknown and nothing is shown.
        let Ok(mut shown) = self.shown.lock() else {
            return Err(TooOften { retry_after_secs: HOUR_SECS.unsigned_abs() });
        };
        let start = at.plus_secs(-HOUR_SECS);
        shown.retain(|_, seen| {
            seen.retain(|(when, _)| *when > start);
            !seen.is_empty()
        });
        let seen = shown.entry(account.clone()).or_default();
        let known: BTreeSet<&PatientId> = seen.iter().map(|(_, patient)| patient).collect();
        let fresh: Vec<PatientId> =
            patients.iter().filter(|patient| !known.contains(patient)).cloned().collect();
        if known.len() + fresh.len() > self.most {
            let oldest = seen.front().map_or(at, |(when, _)| *when);
            let wait = oldest.plus_secs(HOUR_SECS).as_secs() - at.as_secs();
            return Err(TooOften { retry_after_secs: u64::try_from(wait.max(1)).unwrap_or(1) });
        }
        seen.extend(fresh.into_iter().map(|patient| (at, patient)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proviso_app::ports::ManualClock;

    use super::*;

    fn limits(rates: Rates) -> (Arc<ManualClock>, RateLimits) {
        let clock = Arc::new(ManualClock::starting_at(At::from_secs(1_000_000)));
        let limits = RateLimits::new(&rates, Arc::clone(&clock) as Arc<dyn Clock>);
        (clock, limits)
    }

    fn patients(from: u32, to: u32) -> BTreeSet<PatientId> {
        (from..to).map(|n| format!("p{n}").parse().unwrap()).collect()
    }

    #[test]
    fn an_address_is_stopped_after_its_burst_and_let_in_again_later() {
        let one = NonZeroU32::MIN;
        let (clock, limits) =
            limits(Rates { address_per_sec: one, burst_secs: one, ..Rates::default() });
        assert_eq!(limits.check_address("192.0.2.1"), Ok(()));
        assert!(limits.check_address("192.0.2.1").is_err());
        assert_eq!(limits.check_address("192.0.2.2"), Ok(()));
        clock.advance_secs(2);
        assert_eq!(limits.check_address("192.0.2.1"), Ok(()));
    }

    // Covers: leak 136
    #[test]
    fn a_person_is_shown_at_most_the_budget_of_distinct_patients_in_an_hour() {
        let (_, limits) = limits(Rates { patients_per_hour: 100, ..Rates::default() });
        let account: AccountId = "acc_1".parse().unwrap();
        let at = At::from_secs(1_000_000);
        assert_eq!(limits.spend_patients(&account, &patients(0, 100), at), Ok(()));
        assert_eq!(limits.spend_patients(&account, &patients(0, 100), at), Ok(()));
        let refused = limits.spend_patients(&account, &patients(100, 101), at);
        assert_eq!(refused, Err(TooOften { retry_after_secs: 3600 }));
        let later = at.plus_secs(HOUR_SECS);
        assert_eq!(limits.spend_patients(&account, &patients(100, 101), later), Ok(()));
    }
}
