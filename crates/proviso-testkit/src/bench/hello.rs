//! A server on the same HTTP stack that does nothing: what HTTP alone costs.

use std::io::Read as _;
use std::process::Stdio;

use anyhow::Context as _;
use axum::body::to_bytes;
use axum::http::header::CONTENT_TYPE;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// LIMIT: the largest body that a request of the benchmark has.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// Reads every request to its end and answers with so many bytes, until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(bytes: usize) -> anyhow::Result<()> {
    let answer = Bytes::from(vec![b'x'; bytes]);
    let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let answer = answer.clone();
        async move {
            drop(to_bytes(request.into_body(), BODY_MAX).await);
            ([(CONTENT_TYPE, "application/fhir+json")], answer)
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        if let Err(why) = stream.set_nodelay(true) {
            eprintln!("hello: {why}");
        }
    });
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        read = ended => drop(read??),
    }
    Ok(())
}

/// The running server: this program again.
#[derive(Debug)]
pub struct Hello {
    _child: Child,
    /// Its process.
    pub id: u32,
    /// Its URL.
    pub url: String,
}

impl Hello {
    /// Starts one that answers with so many bytes.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(bytes: usize) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--hello", &bytes.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let url = BufReader::new(stdout).lines().next_line().await?.context("it ended")?;
        let id = child.id().context("it ended")?;
        Ok(Self { _child: child, id, url })
    }
}
