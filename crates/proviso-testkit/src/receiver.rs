//! Where an app is told: a server that keeps what it was sent.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// One notification.
#[derive(Debug, Clone)]
pub struct Got {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

#[derive(Debug)]
struct Shared {
    got: Mutex<Vec<Got>>,
    connections: AtomicUsize,
    status: AtomicU16,
    news: Notify,
}

/// The server; it ends with the runtime.
#[derive(Debug, Clone)]
pub struct Receiver {
    shared: Arc<Shared>,
    /// `http://127.0.0.1:PORT`
    pub origin: String,
}

impl Receiver {
    /// Starts it on loopback.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            connections: AtomicUsize::new(0),
            status: AtomicU16::new(StatusCode::OK.as_u16()),
            news: Notify::new(),
        });
        let own = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::SeqCst);
                let own = Arc::clone(&own);
                let service = service_fn(move |request| keep(Arc::clone(&own), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move {
                    // A sender that hangs up is no fault of the receiver.
                    drop(connection.await);
                });
            }
        });
        Ok(Self { shared, origin })
    }

    /// What came since it was asked last.
    pub fn take(&self) -> Vec<Got> {
        core::mem::take(&mut *self.shared.got.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for something to come, and gives what came.
    pub async fn wait(&self) -> Vec<Got> {
        loop {
            let news = self.shared.news.notified();
            let got = self.take();
            if !got.is_empty() {
                return got;
            }
            news.await;
        }
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// What it answers from now on.
    pub fn answer(&self, status: StatusCode) {
        self.shared.status.store(status.as_u16(), Ordering::SeqCst);
    }
}

async fn keep(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let got = Got {
        method: head.method,
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    shared.got.lock().unwrap_or_else(PoisonError::into_inner).push(got);
    shared.news.notify_waiters();
    let mut answer = Response::new(Full::new(Bytes::new()));
    let status = shared.status.load(Ordering::SeqCst);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    Ok(answer)
}
