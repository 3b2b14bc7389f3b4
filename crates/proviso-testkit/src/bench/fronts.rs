//! What the gateway is compared with: a FHIR server written by others, and nginx in front of it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::http_client::HttpClient;
use crate::process::free_port;

/// The FHIR server written by others (`tests/upstream/server.mjs`).
#[derive(Debug)]
pub struct Upstream {
    _child: Child,
    /// Its process.
    pub id: u32,
    /// Its base URL.
    pub base: String,
}

impl Upstream {
    /// Starts it with the people of the demo world in it, under the ids they have there; `None`
    /// when its npm packages are not installed.
    ///
    /// # Errors
    /// When it does not start or does not take a record.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/upstream");
        if !folder.join("node_modules").is_dir() {
            return Ok(None);
        }
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let base = lines.next_line().await?.context("the upstream ended")?;
        let id = child.id().context("the upstream ended")?;
        let upstream = Self { _child: child, id, base };
        upstream.load().await?;
        Ok(Some(upstream))
    }

    async fn load(&self) -> anyhow::Result<()> {
        let client = HttpClient::default();
        let headers = [("content-type", "application/fhir+json")];
        for record in proviso::demo::parts(proviso::demo::SEED, 0).flatten() {
            let url = format!("{}/{}/{}", self.base, record.resource_type, record.id);
            let answer =
                client.send(http::Method::PUT, &url, &headers, record.body.clone()).await?;
            anyhow::ensure!(answer.status.is_success(), "{url}: {}", answer.text());
        }
        Ok(())
    }
}

/// nginx as a plain proxy with keep-alive to the upstream.
#[derive(Debug)]
pub struct Nginx {
    _child: Child,
    /// Its one process.
    pub id: u32,
    /// Its base URL.
    pub base: String,
}

impl Nginx {
    /// Starts it in front of an upstream; `None` when it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(upstream: &str, folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(program) = ["/usr/sbin/nginx", "/usr/bin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).is_file())
        else {
            return Ok(None);
        };
        let url = url::Url::parse(upstream)?;
        let target = format!("{}:{}", url.host_str().unwrap_or(""), url.port().unwrap_or(80));
        let port = free_port()?;
        std::fs::create_dir_all(folder)?;
        let prefix = folder.to_str().context("path")?;
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config(prefix, port, &target))?;
        let child = Command::new(program)
            .args(["-p", prefix, "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().context("nginx ended")?;
        let base = format!("http://127.0.0.1:{port}{}", url.path());
        let client = HttpClient::default();
        for _ in 0..100 {
            if client.get(&format!("{base}/metadata"), &[]).await.is_ok() {
                return Ok(Some(Self { _child: child, id, base }));
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "another process does not say when it listens"
            )]
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("nginx did not start; see {}", folder.join("nginx.log").display())
    }
}

/// One process without a log of requests; connections to the upstream are kept as its guide says.
fn config(prefix: &str, port: u16, target: &str) -> String {
    format!(
        "daemon off;\nmaster_process off;\npid {prefix}/nginx.pid;\nerror_log {prefix}/nginx.log;\n\
         events {{ worker_connections 512; }}\nhttp {{ access_log off; keepalive_requests 1000000;\n\
         client_body_temp_path {prefix}/b; proxy_temp_path {prefix}/p;\n\
         fastcgi_temp_path {prefix}/f; uwsgi_temp_path {prefix}/u; scgi_temp_path {prefix}/s;\n\
         upstream fhir {{ server {target}; keepalive 64; keepalive_requests 1000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://fhir;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n"
    )
}
