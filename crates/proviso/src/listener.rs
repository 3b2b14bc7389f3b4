//! Listening sockets: plain on loopback, TLS elsewhere; connection limits and a clean stop.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse as _;
use http::{StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::config::TlsConfig;
use crate::slow_body::SlowBody;

/// LIMIT: open connections of one listener. Beyond it new ones wait in the accept queue.
const CONNECTIONS_MAX: usize = 4096;
/// LIMIT: how long a peer may take to send a request head, or to finish a TLS handshake.
const HEAD_SECS_MAX: u64 = 10;
/// LIMIT: how long a peer may take to send a request body, from the first wait for it: 4 MiB over a
/// slow line, with room.
const BODY_SECS_MAX: u64 = 60;
/// LIMIT: how long requests in flight may take to finish once a stop was asked for.
const DRAIN_SECS_MAX: u64 = 10;
/// LIMIT: bytes of one request head that are read before the connection is answered with 431.
/// Twice the 16 KiB that design §13 allows, so that the routers can answer in their own form.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// LIMIT: concurrent streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;

/// A bound socket that has not started to answer.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    body_within: Duration,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Listener {
    /// Binds an address, with TLS when a certificate is given.
    ///
    /// # Errors
    /// When the address is taken or the certificate cannot be used.
    pub async fn bind(address: SocketAddr, tls: Option<&TlsConfig>) -> anyhow::Result<Self> {
        let tls = tls.map(acceptor).transpose()?;
        let tcp = TcpListener::bind(address).await.map_err(|error| {
            if error.kind() == io::ErrorKind::AddrInUse {
                anyhow::anyhow!(
                    "{address} is already in use; choose another address with `--listen` or the \
                     key `listen`"
                )
            } else {
                anyhow::Error::new(error).context(format!("cannot listen on {address}"))
            }
        })?;
        Ok(Self { tcp, tls, body_within: Duration::from_secs(BODY_SECS_MAX) })
    }

    /// The same with another time limit for request bodies.
    #[must_use]
    pub const fn with_bodies_within(mut self, body_within: Duration) -> Self {
        self.body_within = body_within;
        self
    }

    /// The bound address, with the port the system chose when 0 was asked for.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers requests until `stop` says so, then lets those in flight finish.
    pub async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                _ = stop.wait_for(|stopped| *stopped) => break,
            };
            let (stream, peer) = match accepted {
                Ok(pair) => pair,
                Err(error) => {
                    // A peer that went away, or no file descriptor left: neither ends the server.
                    tracing::warn!(%error, "accept failed");
                    pause().await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
            let connection = Connection {
                peer,
                tls: self.tls.clone(),
                router: router.clone(),
                body_within: self.body_within,
                permit,
            };
            let watcher = graceful.watcher();
            tokio::spawn(async move { connection.run(stream, watcher).await });
        }
        drop(self.tcp);
        let drained = Duration::from_secs(DRAIN_SECS_MAX);
        if tokio::time::timeout(drained, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not finish in time and were cut off");
        }
    }
}

struct Connection {
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    body_within: Duration,
    permit: tokio::sync::OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        match self.tls.clone() {
            None => self.answer(stream, watcher).await,
            Some(acceptor) => {
                let handshake = acceptor.accept(stream);
                match tokio::time::timeout(Duration::from_secs(HEAD_SECS_MAX), handshake).await {
                    Ok(Ok(stream)) => self.answer(stream, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                    Err(_) => tracing::debug!("TLS handshake took too long"),
                }
            }
        }
    }

    async fn answer<S>(self, stream: S, watcher: hyper_util::server::graceful::Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, router, permit, body_within, .. } = self;
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let router = router.clone();
            async move {
                if !names_host_once(&request) {
                    return Ok(StatusCode::BAD_REQUEST.into_response());
                }
                request.extensions_mut().insert(ConnectInfo(peer));
                let within = |body| axum::body::Body::new(SlowBody::new(body, body_within));
                router.oneshot(request.map(within)).await
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(HEAD_SECS_MAX))
            .max_buf_size(HEAD_BYTES_MAX)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(30));
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
        }
        drop(permit);
    }
}

/// RFC 9112 §3.2: anything else is how two servers come to disagree about whom a request is for.
fn names_host_once<B>(request: &http::Request<B>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() != Version::HTTP_11)
}

fn acceptor(config: &TlsConfig) -> anyhow::Result<TlsAcceptor> {
    let chain = certificates(&config.certificate_file)
        .context("key `tls.certificate_file`: cannot be used")?;
    let key = PrivateKeyDer::from_pem_file(&config.key_file)
        .context("key `tls.key_file`: cannot be used")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // RFC 9325: TLS 1.2 and 1.3 only; rustls has no older ones to offer.
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("keys `tls.certificate_file` and `tls.key_file` do not fit together")?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)?.collect();
    let chain = chain?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", path.display());
    Ok(chain)
}

/// Lets what keeps connections from being accepted pass, instead of asking without end.
#[expect(clippy::disallowed_methods, reason = "the system does not say when it can accept again")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
