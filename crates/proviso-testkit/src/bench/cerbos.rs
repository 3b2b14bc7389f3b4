//! Cerbos as a peer: a decision point by others, which is told the facts with each question.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::http_client::HttpClient;
use crate::process::free_port;

/// The running program.
#[derive(Debug)]
pub struct Cerbos {
    _child: Child,
    /// Its process.
    pub id: u32,
    /// Where it answers over HTTP.
    pub http: String,
    /// Where it answers over gRPC.
    pub grpc: String,
}

impl Cerbos {
    /// Starts it with the policies of `tests/peers/cerbos`; `None` when its npm package is not
    /// installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers");
        let program = peers.join("node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64");
        if !program.is_file() {
            return Ok(None);
        }
        std::fs::create_dir_all(folder)?;
        let (http, grpc) = (free_port()?, free_port()?);
        let file = folder.join("cerbos.yaml");
        std::fs::write(&file, config(http, grpc, &peers.join("cerbos").canonicalize()?))?;
        let child = Command::new(program)
            .args(["server", "--log-level=error", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().context("Cerbos ended")?;
        let http = format!("http://127.0.0.1:{http}");
        let grpc = format!("http://127.0.0.1:{grpc}");
        let client = HttpClient::default();
        for _ in 0..200 {
            let health = client.get(&format!("{http}/_cerbos/health"), &[]).await;
            if health.is_ok_and(|answer| answer.status == 200) {
                return Ok(Some(Self { _child: child, id, http, grpc }));
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "another process does not say when it listens"
            )]
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("Cerbos did not start")
    }
}

/// Without a log of decisions, without watching files, and with batches of a hundred.
fn config(http: u16, grpc: u16, policies: &Path) -> String {
    format!(
        "server:\n  httpListenAddr: \"127.0.0.1:{http}\"\n  grpcListenAddr: \"127.0.0.1:{grpc}\"\n  \
         requestLimits:\n    maxResourcesPerRequest: 100\n\
         storage:\n  driver: disk\n  disk:\n    directory: \"{}\"\n    watchForChanges: false\n\
         audit:\n  enabled: false\ntelemetry:\n  disabled: true\n",
        policies.display()
    )
}
