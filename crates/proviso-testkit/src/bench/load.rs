//! A closed loop of requests: for throughput and processor time, never for tail latency.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::cpu_nanos;
use super::table::Pass;
use crate::grpc::framed;

const GRPC_STATUS: &str = "grpc-status";

/// A client with connections of its own.
pub(super) type LoadClient = Client<HttpConnector, Full<Bytes>>;

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
    /// How it is sent.
    pub wire: Wire,
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1.
    Http,
    /// A call of gRPC, over HTTP/2: done when `grpc-status` is 0 as well.
    Grpc,
}

impl Shot {
    /// A GET that must answer 200.
    pub fn get(url: impl Into<String>, headers: &[(&str, &str)]) -> Self {
        Self::new(Method::GET, url, headers, Bytes::new(), 200)
    }

    /// A POST with a body that must answer with a status.
    pub fn post(
        url: impl Into<String>,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
        status: u16,
    ) -> Self {
        Self::new(Method::POST, url, headers, body.into(), status)
    }

    /// A call of gRPC with one message that must answer `OK`.
    pub fn grpc(url: impl Into<String>, message: &[u8]) -> Self {
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let shot = Self::new(Method::POST, url, &headers, framed(0, message), 200);
        Self { wire: Wire::Grpc, ..shot }
    }

    fn new(
        method: Method,
        url: impl Into<String>,
        headers: &[(&str, &str)],
        body: Bytes,
        status: u16,
    ) -> Self {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Self { method, url: url.into(), headers, body, status, wire: Wire::Http }
    }

    /// Sends it once, over a connection of its own, and gives the whole answer.
    ///
    /// # Errors
    /// When it has another status than expected.
    pub async fn answer(&self) -> anyhow::Result<Bytes> {
        self.fire(&client(std::slice::from_ref(self))).await
    }

    /// Sends it once and reads the whole answer.
    pub(super) async fn fire(&self, client: &LoadClient) -> anyhow::Result<Bytes> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = client.request(request.body(Full::new(self.body.clone()))?).await?;
        let status = answer.status();
        let called = answer.headers().get(GRPC_STATUS).cloned();
        let body = answer.into_body().collect().await?;
        let called = called.or_else(|| body.trailers()?.get(GRPC_STATUS).cloned());
        let body = body.to_bytes();
        anyhow::ensure!(
            status.as_u16() == self.status
                && (self.wire == Wire::Http || called.as_ref().is_some_and(|code| code == "0")),
            "{} answered {status} {called:?}: {}",
            self.url,
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}

/// Sends the shots one after the other; together they count as one request.
pub(super) async fn fire_all(shots: &[Shot], client: &LoadClient) -> anyhow::Result<()> {
    for shot in shots {
        shot.fire(client).await?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "each worker of a load has connections of its own")]
pub(super) fn client(shots: &[Shot]) -> LoadClient {
    let mut connector = HttpConnector::new();
    // Or an answer in two parts would wait for the timer of an acknowledgement.
    connector.set_nodelay(true);
    let second = shots.iter().any(|shot| shot.wire == Wire::Grpc);
    Client::builder(TokioExecutor::new()).http2_only(second).build(connector)
}

/// Fires shots in a closed loop for a while over a number of connections; the shots of one round
/// count as one request.
///
/// # Errors
/// When any answer has another status than expected.
pub async fn closed_loop(
    shots: &[Shot],
    connections: usize,
    duration: Duration,
    processes: &[u32],
) -> anyhow::Result<Pass> {
    let before: u64 = processes.iter().copied().map(cpu_nanos).sum();
    let started = now();
    let workers: Vec<_> =
        (0..connections).map(|_| tokio::spawn(worker(shots.to_vec(), started, duration))).collect();
    let mut count = 0;
    for worker in workers {
        count += worker.await??;
    }
    let elapsed = started.elapsed().as_secs_f64();
    let after: u64 = processes.iter().copied().map(cpu_nanos).sum();
    let cpu = after.saturating_sub(before) as f64 / 1000.0 / (count.max(1) as f64);
    Ok(Pass {
        per_second: count as f64 / elapsed,
        cpu_micros: (!processes.is_empty()).then_some(cpu),
        count,
        resident_mb: None,
    })
}

async fn worker(shots: Vec<Shot>, started: Instant, duration: Duration) -> anyhow::Result<u64> {
    let client = client(&shots);
    let mut count = 0;
    while started.elapsed() < duration {
        fire_all(&shots, &client).await?;
        count += 1;
    }
    Ok(count)
}

/// The monotonic clock: the benchmark is the one place that may read it.
#[expect(clippy::disallowed_methods, reason = "the benchmark measures time")]
pub fn now() -> Instant {
    Instant::now()
}
