//! Wrong credentials at the endpoints for apps are counted by address (R29).
//!
//! Only failures count, so that no busy app is slowed down; whoever guesses secrets, codes or
//! tokens is. The address is that of the connection: behind a proxy that does not keep addresses
//! apart, everybody shares one count, which is why it is generous.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use proviso_core::time::At;

use crate::answer::oauth_error;
use crate::state::HttpState;

/// How many failures one address may have within a minute.
const FAILURES_PER_MINUTE: u32 = 300;
/// How many requests to connect may come from one address within a minute before anybody has
/// signed in: each one is stored, and a refused one is logged for good.
const STRANGERS_PER_MINUTE: u32 = 600;
const MINUTE_SECS: i64 = 60;
// LIMIT: memory; when it is full, minutes that are over go first, then everything.
const ADDRESSES_MAX: usize = 10_000;

/// The failures of one address in its current minute.
#[derive(Debug, Clone, Copy)]
struct Minute {
    began: At,
    count: u32,
}

impl Minute {
    fn ends(self) -> At {
        self.began.plus_secs(MINUTE_SECS)
    }
}

/// Counts by address and minute, in memory; a restart forgets them.
#[derive(Debug)]
pub(crate) struct Failures {
    per_minute: u32,
    minutes: Mutex<HashMap<IpAddr, Minute>>,
}

impl Failures {
    /// For wrong credentials at the endpoints for apps.
    pub(crate) fn of_apps() -> Self {
        Self { per_minute: FAILURES_PER_MINUTE, minutes: Mutex::default() }
    }

    /// For requests to connect from browsers in which nobody is signed in.
    pub(crate) fn of_strangers() -> Self {
        Self { per_minute: STRANGERS_PER_MINUTE, minutes: Mutex::default() }
    }

    /// How many seconds the address must wait, if it had too many.
    pub(crate) fn wait_secs(&self, address: IpAddr, at: At) -> Option<i64> {
        let minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = minutes.get(&address)?;
        let over = minute.count >= self.per_minute && at < minute.ends();
        over.then(|| (minute.ends().as_secs() - at.as_secs()).max(1))
    }

    pub(crate) fn count(&self, address: IpAddr, at: At) {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() >= ADDRESSES_MAX && !minutes.contains_key(&address) {
            minutes.retain(|_, minute| at < minute.ends());
            if minutes.len() >= ADDRESSES_MAX {
                minutes.clear();
            }
        }
        let minute = minutes.entry(address).or_insert(Minute { began: at, count: 0 });
        if at >= minute.ends() {
            *minute = Minute { began: at, count: 0 };
        }
        minute.count = minute.count.saturating_add(1);
    }
}

/// Turns an address away that had too many failures, and counts new ones.
pub(crate) async fn limit(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let address = request
        .extensions()
        .get::<ConnectInfo<std::net::SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    // Without an address, as in a test without a listener, there is nothing to count by.
    let Some(address) = address else { return next.run(request).await };
    if let Some(wait) = state.failures.wait_secs(address, state.app.now()) {
        let mut response = oauth_error(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            "too many failures from this address",
        );
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        return response;
    }
    let response = next.run(request).await;
    if matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED) {
        state.failures.count(address, state.app.now());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    // Covers: R29
    #[test]
    fn an_address_with_too_many_failures_waits_for_its_minute_to_end() {
        let failures = Failures::of_apps();
        let guesser: IpAddr = "203.0.113.9".parse().unwrap();
        let other: IpAddr = "10.0.0.1".parse().unwrap();
        let at = At::from_secs(1_800_000_000);
        for _ in 1..FAILURES_PER_MINUTE {
            failures.count(guesser, at);
        }
        assert_eq!(failures.wait_secs(guesser, at), None);
        failures.count(guesser, at);
        assert_eq!(failures.wait_secs(guesser, at), Some(60));
        assert_eq!(failures.wait_secs(guesser, at.plus_secs(59)), Some(1));
        assert_eq!(failures.wait_secs(guesser, at.plus_secs(60)), None);
        assert_eq!(failures.wait_secs(other, at), None);
        failures.count(guesser, at.plus_secs(60));
        assert_eq!(failures.wait_secs(guesser, at.plus_secs(60)), None);
    }
}
