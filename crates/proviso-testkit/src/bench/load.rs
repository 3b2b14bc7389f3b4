//! A closed loop of requests: for throughput and processor time, not for tail latency claims.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::cpu_nanos;

/// One kind of request against one contestant.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Method.
    pub method: Method,
    /// Absolute URL.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// The status that counts as done; anything else fails the run.
    pub status: u16,
}

impl Shot {
    /// A GET that must answer 200.
    pub fn get(url: impl Into<String>, headers: &[(&str, &str)]) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: Bytes::new(),
            status: 200,
        }
    }
}

/// What one pass gave.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Pass {
    /// Requests per second.
    pub per_second: f64,
    /// Processor microseconds per request of the watched processes.
    pub cpu_micros: f64,
    /// Median latency in milliseconds.
    pub p50_millis: f64,
    /// 99th percentile of latency in milliseconds (closed loop: a lower bound).
    pub p99_millis: f64,
}

/// Runs shots in a closed loop for a while over a number of connections.
///
/// # Errors
/// When any answer has another status than expected.
pub async fn pass(
    shot: &Shot,
    connections: usize,
    duration: Duration,
    processes: &[u32],
) -> anyhow::Result<Pass> {
    let before: u64 = processes.iter().copied().map(cpu_nanos).sum();
    let started = now();
    let count = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for _ in 0..connections {
        workers.push(tokio::spawn(worker(shot.clone(), started, duration, Arc::clone(&count))));
    }
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let elapsed = started.elapsed().as_secs_f64();
    let after: u64 = processes.iter().copied().map(cpu_nanos).sum();
    let requests = count.load(Ordering::SeqCst).max(1) as f64;
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() as f64 - 1.0) * share).max(0.0) as usize;
        latencies.get(index).copied().unwrap_or_default() as f64 / 1000.0
    };
    Ok(Pass {
        per_second: requests / elapsed,
        cpu_micros: after.saturating_sub(before) as f64 / 1000.0 / requests,
        p50_millis: at(0.50),
        p99_millis: at(0.99),
    })
}

async fn worker(
    shot: Shot,
    started: Instant,
    duration: Duration,
    count: Arc<AtomicU64>,
) -> anyhow::Result<Vec<u64>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "each worker of a load has a connection of its own"
    )]
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let mut latencies = Vec::new();
    while started.elapsed() < duration {
        let mut request = Request::builder().method(shot.method.clone()).uri(&shot.url);
        for (name, value) in &shot.headers {
            request = request.header(name, value);
        }
        let sent = now();
        let answer = client.request(request.body(Full::new(shot.body.clone()))?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        anyhow::ensure!(
            status.as_u16() == shot.status,
            "{} answered {status}: {}",
            shot.url,
            String::from_utf8_lossy(&body)
        );
        let micros = u64::try_from(sent.elapsed().as_micros()).context("latency")?;
        latencies.push(micros);
        count.fetch_add(1, Ordering::SeqCst);
    }
    Ok(latencies)
}

/// The monotonic clock: the benchmark is the one place that may read it.
#[expect(clippy::disallowed_methods, reason = "the benchmark measures time")]
pub fn now() -> Instant {
    Instant::now()
}
