//! Arrivals at a fixed rate, whether or not earlier ones were answered: the only source of tail
//! latencies.
//!
//! A closed loop waits for a slow answer before it asks again, so that each stall is counted once
//! and not once for everybody who would have asked meanwhile. Here every latency counts from the
//! instant at which the request was meant to be sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::load::{Shot, client, fire_all, now};

/// LIMIT: how long answers are waited for after the last arrival.
const DRAIN: Duration = Duration::from_secs(30);

/// What one pass at a fixed rate gave.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Arrivals {
    /// Requests per second that were meant to be sent.
    pub per_second: f64,
    /// How many were.
    pub count: usize,
    /// Median latency in milliseconds.
    pub p50_millis: f64,
    /// 99th percentile of latency in milliseconds.
    pub p99_millis: f64,
}

/// Sends at a fixed rate for a while and waits for every answer.
///
/// # Errors
/// When any answer has another status than expected or does not come.
pub async fn open_loop(
    shots: &[Shot],
    per_second: f64,
    duration: Duration,
) -> anyhow::Result<Arrivals> {
    anyhow::ensure!(per_second > 0.0, "no rate to send at");
    let shots: Arc<[Shot]> = shots.into();
    let client = client(&shots);
    let (tell, mut due) = mpsc::unbounded_channel();
    let clock = tokio::task::spawn_blocking(move || beat(per_second, duration, &tell));
    let mut asked = JoinSet::new();
    while let Some(meant_at) = due.recv().await {
        let (shots, client) = (Arc::clone(&shots), client.clone());
        asked.spawn(async move {
            fire_all(&shots, &client).await?;
            anyhow::Ok(meant_at.elapsed().as_micros())
        });
    }
    clock.await?;
    let drain = async {
        let mut latencies = Vec::with_capacity(asked.len());
        while let Some(answered) = asked.join_next().await {
            latencies.push(u64::try_from(answered??)?);
        }
        anyhow::Ok(latencies)
    };
    let mut latencies =
        tokio::time::timeout(DRAIN, drain).await.context("answers did not come in time")??;
    latencies.sort_unstable();
    Ok(Arrivals {
        per_second,
        count: latencies.len(),
        p50_millis: percentile(&latencies, 0.50),
        p99_millis: percentile(&latencies, 0.99),
    })
}

/// Tells of each arrival when its time has come. A thread of its own: the timers of the runtime
/// count in whole milliseconds.
fn beat(per_second: f64, duration: Duration, tell: &mpsc::UnboundedSender<Instant>) {
    let started = now();
    let step = Duration::from_secs_f64(1.0 / per_second);
    let mut meant_at = started;
    while meant_at.duration_since(started) < duration {
        #[expect(clippy::disallowed_methods, reason = "arrivals are made by the clock")]
        std::thread::sleep(meant_at.saturating_duration_since(now()));
        if tell.send(meant_at).is_err() {
            return;
        }
        meant_at += step;
    }
}

/// The latency, in milliseconds, within which a share of the answers came (nearest rank).
fn percentile(sorted_micros: &[u64], share: f64) -> f64 {
    let rank = (sorted_micros.len() as f64 * share).ceil().max(1.0) as usize;
    sorted_micros.get(rank - 1).copied().unwrap_or_default() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_latency_of_the_nearest_rank() {
        let micros: Vec<u64> = (1..=1000).collect();
        for (sorted, share, millis) in [
            (&micros[..], 0.50, 0.5),
            (&micros[..], 0.99, 0.99),
            (&micros[..1], 0.99, 0.001),
            (&[][..], 0.99, 0.0),
        ] {
            assert!((percentile(sorted, share) - millis).abs() < 1e-9, "{share}");
        }
    }
}
