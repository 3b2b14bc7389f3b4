//! A FHIR R4 server written by others (Medplum's router and in-memory repository, run by Node),
//! for the tests that put Proviso in front of one. `./test` installs its modules.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proviso_fhir::json::Doc;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The running server; it ends with this value.
#[derive(Debug)]
pub struct FhirServer {
    /// Its base URL.
    pub base: String,
    client: Client<HttpConnector, Full<Bytes>>,
    _process: Child,
}

impl FhirServer {
    /// Starts the server on a free port.
    ///
    /// # Errors
    /// When Node or the server's modules are missing.
    pub async fn start() -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/upstream/server.mjs");
        let mut process = Command::new("node")
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node cannot be started")?;
        let stdout = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let base = lines.next_line().await?.context(
            "the FHIR server did not start; install its modules with `npm ci` in tests/upstream",
        )?;
        #[expect(clippy::disallowed_methods, reason = "the one client of the foreign server")]
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { base, client, _process: process })
    }

    /// Puts resources under the ids they state.
    ///
    /// # Errors
    /// When the server refuses one.
    pub async fn load(&self, resources: &[String]) -> anyhow::Result<()> {
        for text in resources {
            let doc = Doc::parse(text.clone().into_bytes())?;
            let (Some(kind), Some(id)) = (doc.resource_type(), doc.id()) else {
                bail!("no type or id: {text}");
            };
            let (status, body) =
                self.send(Method::PUT, &format!("/{kind}/{id}"), text.clone()).await?;
            if !status.is_success() {
                bail!("{status} for {kind}/{id}: {body}");
            }
        }
        Ok(())
    }

    /// Sends a request past the gateway.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        tail: &str,
        body: String,
    ) -> anyhow::Result<(StatusCode, String)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{tail}", self.base))
            .header("content-type", "application/fhir+json")
            .body(Full::new(Bytes::from(body)))?;
        let response = self.client.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
