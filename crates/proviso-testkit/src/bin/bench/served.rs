//! Servers of the benchmark's own, and apps that are connected to them.

use std::path::Path;

use anyhow::Context as _;
use proviso_testkit::browser::Browser;
use proviso_testkit::process::{Server, free_port};
use proviso_testkit::smart_app::{SmartApp, Tokens, everything};

use crate::Bench;

/// What the benchmark's app asks for when it only reads.
pub(crate) const READING: &str = "launch/patient openid fhirUser offline_access patient/*.rs";

/// A server on a world of its own with so many added patients, with limits that do not get in the way, on the core of the
/// measured programs.
pub(crate) async fn serve(
    bench: &Bench,
    folder: &Path,
    upstream: Option<&str>,
    patients: u32,
) -> anyhow::Result<Server> {
    let data = folder.join("data");
    if !data.join("demo.json").exists() {
        std::fs::create_dir_all(folder)?;
        let patients = patients.to_string();
        Server::demo(&data, &["--patients", &patients]).await?.interrupt().await?;
    }
    let (port, admin) = (free_port()?, free_port()?);
    let upstream = upstream.map(|url| format!("[upstream]\nurl = \"{url}\"\n")).unwrap_or_default();
    let config = format!(
        "public_url = \"http://127.0.0.1:{port}\"\nlisten = \"127.0.0.1:{port}\"\n\
         admin_listen = \"127.0.0.1:{admin}\"\ndata_dir = \"data\"\n\
         organization.name = \"Benchmark\"\nconsent.policy_uri = \"http://127.0.0.1:{port}/terms\"\n\
         log.level = \"warn\"\n[keys]\nprovider = \"file\"\n[oauth]\naccess_token_ttl_secs = 3600\n\
         [limits]\naddress_per_sec = 1000000\nclient_per_sec = 1000000\n\
         account_per_sec = 1000000\npatients_per_hour = 1000000\n{upstream}"
    );
    let file = folder.join("proviso.toml");
    std::fs::write(&file, config)?;
    let file = file.to_str().context("path")?;
    let server =
        Server::start_at(&["serve", "--config", file], &format!("http://127.0.0.1:{port}")).await?;
    bench.cores.place(process_of(&server)?)?;
    Ok(server)
}

/// The same on the embedded store, on the one world that the tables share.
pub(crate) async fn embedded(bench: &Bench) -> anyhow::Result<Server> {
    serve(bench, &bench.folder().join("embedded"), None, 0).await
}

pub(crate) fn process_of(server: &Server) -> anyhow::Result<u32> {
    server.id().context("the server ended")
}

/// One person's records shared with an app: every kind that is offered, no sensitive kind.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) app: SmartApp,
    pub(crate) tokens: Tokens,
}

impl Connection {
    pub(crate) async fn of(origin: &str, person: &str, scope: &str) -> anyhow::Result<Self> {
        let app = SmartApp::glucose_coach(origin, scope);
        let tokens = app.connect(&mut Browser::new()?, person, &everything()).await?;
        Ok(Self { app, tokens })
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.tokens.access())
    }

    pub(crate) fn patient(&self) -> &str {
        self.tokens.text("patient")
    }
}
