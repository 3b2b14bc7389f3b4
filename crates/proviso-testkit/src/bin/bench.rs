//! The benchmark: figures as medians of interleaved passes and as ratios in one run.
//!
//! `cargo build --release && cargo run --release -p proviso-testkit --bin bench -- --help`

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Parser;
use proviso_testkit::bench::load::{Shot, now, pass};
use proviso_testkit::bench::table::Comparison;
use proviso_testkit::bench::{decisions, median, resident_bytes};
use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::process::{Server, free_port, run};
use proviso_testkit::smart_app::{SmartApp, Tokens};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Measures Proviso on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these parts: gateway, audited, token, decisions, import, start.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Passes of each contestant.
    #[arg(long, default_value_t = 7)]
    passes: usize,
    /// Seconds of each pass.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// World sizes for start-up time and memory.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1000, 10_000])]
    patients: Vec<u32>,
    /// Where raw rows go.
    #[arg(long, default_value = "target/bench.json")]
    out: PathBuf,
}

impl Arguments {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == part)
    }

    const fn pass_time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut raw = vec![machine()];
    if arguments.wants("decisions") {
        raw.push(measure_decisions(&arguments)?);
    }
    let folder = tempfile::tempdir()?;
    if arguments.wants("audited") || arguments.wants("token") {
        raw.extend(measure_embedded(&arguments, folder.path()).await?);
    }
    if arguments.wants("gateway") {
        raw.extend(measure_gateway(&arguments, &folder.path().join("front")).await?);
    }
    if arguments.wants("import") {
        raw.push(measure_import(folder.path()).await?);
    }
    if arguments.wants("start") {
        raw.push(measure_start(&arguments, folder.path()).await?);
    }
    if let Some(parent) = arguments.out.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&arguments.out, serde_json::to_vec_pretty(&raw)?)?;
    println!("\nraw rows: {}", arguments.out.display());
    Ok(())
}

/// What was measured on, so that a figure can be doubted properly.
fn machine() -> serde_json::Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let load = read("/proc/loadavg");
    println!("{model}, {cores} cores, load {}", load.trim());
    serde_json::json!({
        "cpu": model, "cores": cores, "load": load.trim(),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn measure_decisions(arguments: &Arguments) -> anyhow::Result<serde_json::Value> {
    let mut nanos = Vec::new();
    for _ in 0..arguments.passes {
        nanos.push(decisions::nanos_per_decision()?);
    }
    let middle = median(&nanos);
    println!("\ndecisions, in process\n  {middle:.0} ns each, {:.1} million/s", 1000.0 / middle);
    Ok(serde_json::json!({ "title": "decisions", "nanos": nanos }))
}

/// A server on a world of its own with limits that do not get in the way.
async fn serve(folder: &Path, upstream: Option<&str>) -> anyhow::Result<Server> {
    let data = folder.join("data");
    if !data.join("demo.json").exists() {
        std::fs::create_dir_all(folder)?;
        Server::demo(&data, &[]).await?.interrupt().await?;
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
    Server::start_at(&["serve", "--config", file], &format!("http://127.0.0.1:{port}")).await
}

/// Everything but the sensitive kinds, for an hour of requests.
async fn connect(origin: &str, person: &str) -> anyhow::Result<(SmartApp, Tokens)> {
    let app = SmartApp::glucose_coach(
        origin,
        "launch/patient openid fhirUser offline_access patient/*.rs",
    );
    let mut browser = Browser::new()?;
    let all: Vec<(&str, &str)> = proviso_core::category::Category::ALL
        .iter()
        .map(|category| ("category", category.code()))
        .chain([("duration", "1-year"), ("offline", "yes")])
        .collect();
    let tokens = app.connect(&mut browser, person, &all).await?;
    Ok((app, tokens))
}

async fn measure_embedded(
    arguments: &Arguments,
    folder: &Path,
) -> anyhow::Result<Vec<serde_json::Value>> {
    let server = serve(&folder.join("embedded"), None).await?;
    let (app, tokens) = connect(&server.origin, "maria").await?;
    let process = [server.id().context("server ended")?];
    let bearer = format!("Bearer {}", tokens.access());
    let headers = [("authorization", bearer.as_str())];
    let mut raw = Vec::new();
    if arguments.wants("audited") {
        let url = format!("{}/Patient/{}", app.base(), tokens.text("patient"));
        let shot = Shot::get(url, &headers);
        let mut table = Comparison::new("audited reads, embedded store, each waits for its entry");
        for _ in 0..arguments.passes {
            for connections in [1, 16, 64] {
                let name = format!("{connections} at a time");
                table.add(&name, pass(&shot, connections, arguments.pass_time(), &process).await?);
            }
        }
        println!("{}", table.render());
        raw.push(table.raw());
    }
    if arguments.wants("token") {
        let mut table = Comparison::new("token endpoint and introspection, audited");
        let clients: serde_json::Value = serde_json::from_slice(&std::fs::read(
            folder.join("embedded/data/demo-clients.json"),
        )?)?;
        for _ in 0..arguments.passes {
            // A refresh token may be presented again for a minute (a lost answer is no theft), so a
            // fresh one is made for each pass and each answer issues a new access token.
            let fresh = connect(&server.origin, "james").await?.1;
            for (name, shot) in token_shots(&server.origin, &clients, &tokens, &fresh)? {
                table.add(&name, pass(&shot, 16, arguments.pass_time(), &process).await?);
            }
        }
        println!("{}", table.render());
        raw.push(table.raw());
    }
    server.interrupt().await?;
    Ok(raw)
}

/// Requests to the token and introspection endpoints that can be repeated as they are.
fn token_shots(
    origin: &str,
    clients: &serde_json::Value,
    tokens: &Tokens,
    fresh: &Tokens,
) -> anyhow::Result<Vec<(String, Shot)>> {
    use base64::Engine as _;
    let secret = proviso_testkit::smart_app::client_secret(clients, "bill-helper")
        .context("no secret of bill-helper in demo-clients.json")?;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("bill-helper:{secret}"));
    let form = |url: String, body: String, status: u16| Shot {
        method: http::Method::POST,
        url,
        headers: vec![
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("authorization".to_owned(), format!("Basic {basic}")),
        ],
        body: Bytes::from(body),
        status,
    };
    let refresh = Shot {
        method: http::Method::POST,
        url: format!("{origin}/oauth/token"),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: Bytes::from(format!(
            "grant_type=refresh_token&client_id=glucose-coach&refresh_token={}",
            fresh.refresh()
        )),
        status: 200,
    };
    Ok(vec![
        ("token issued (refresh)".to_owned(), refresh),
        (
            "introspection".to_owned(),
            form(format!("{origin}/oauth/introspect"), format!("token={}", tokens.access()), 200),
        ),
    ])
}

/// The same requests straight to a FHIR server, through nginx, and through the gateway.
async fn measure_gateway(
    arguments: &Arguments,
    folder: &Path,
) -> anyhow::Result<Vec<serde_json::Value>> {
    let Some(upstream) = Upstream::start().await? else {
        println!("\ngateway: skipped, `tests/upstream` has no npm packages (run `./test` once)");
        return Ok(Vec::new());
    };
    upstream.load().await?;
    let nginx = Nginx::start(&upstream.base, folder).await?;
    let server = serve(folder, Some(&upstream.base)).await?;
    let (app, tokens) = connect(&server.origin, "maria").await?;
    let bearer = format!("Bearer {}", tokens.access());
    let headers = [("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
    let patient = tokens.text("patient").to_owned();
    let gateway_process = server.id().context("server ended")?;
    let mut raw = Vec::new();
    for (title, path) in [
        ("read of one resource", format!("Patient/{patient}")),
        ("search of 20 entries", format!("Observation?patient={patient}&_count=20")),
    ] {
        let mut table = Comparison::new(format!(
            "{title}: straight, through nginx, through the gateway (CPU of the proxy only)"
        ));
        let direct = Shot::get(format!("{}/{path}", upstream.base), &headers);
        let gateway = Shot::get(format!("{}/{path}", app.base()), &headers);
        for _ in 0..arguments.passes {
            let time = arguments.pass_time();
            table.add("straight to the upstream", pass(&direct, 8, time, &[upstream.id]).await?);
            if let Some(nginx) = &nginx {
                let shot = Shot::get(format!("{}/{path}", nginx.base), &headers);
                table.add("nginx, plain proxy", pass(&shot, 8, time, &nginx.workers()).await?);
            }
            table.add(
                "proviso, enforced and audited",
                pass(&gateway, 8, time, &[gateway_process]).await?,
            );
        }
        println!("{}", table.render());
        raw.push(table.raw());
    }
    server.interrupt().await?;
    Ok(raw)
}

/// The FHIR server written by others (`tests/upstream/server.mjs`).
struct Upstream {
    _child: Child,
    id: u32,
    base: String,
}

impl Upstream {
    async fn start() -> anyhow::Result<Option<Self>> {
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
        Ok(Some(Self { _child: child, id, base }))
    }

    /// Puts Maria's records into it, under the ids that they have in the demo world.
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

/// nginx as a plain proxy with keep-alive to the upstream, when it is installed.
struct Nginx {
    child: Child,
    base: String,
}

impl Nginx {
    async fn start(upstream: &str, folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(program) = ["/usr/sbin/nginx", "/usr/bin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).is_file())
        else {
            println!("\nnginx is not installed: its column is left out");
            return Ok(None);
        };
        let url = url::Url::parse(upstream)?;
        let target = format!("{}:{}", url.host_str().unwrap_or(""), url.port().unwrap_or(80));
        let port = free_port()?;
        std::fs::create_dir_all(folder)?;
        let prefix = folder.to_str().context("path")?;
        let config = format!(
            "daemon off;\nmaster_process off;\npid {prefix}/nginx.pid;\nerror_log {prefix}/nginx.log;\n\
             events {{ worker_connections 512; }}\nhttp {{ access_log off;\n\
             client_body_temp_path {prefix}/b; proxy_temp_path {prefix}/p;\n\
             fastcgi_temp_path {prefix}/f; uwsgi_temp_path {prefix}/u; scgi_temp_path {prefix}/s;\n\
             upstream fhir {{ server {target}; keepalive 32; }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://fhir;\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config)?;
        let child = Command::new(program)
            .args(["-p", prefix, "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let base = format!("http://127.0.0.1:{port}{}", url.path());
        let client = HttpClient::default();
        for _ in 0..100 {
            if client.get(&format!("{base}/metadata"), &[]).await.is_ok() {
                return Ok(Some(Self { child, base }));
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "another process does not say when it listens"
            )]
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("nginx did not start; see {}", folder.join("nginx.log").display())
    }

    /// The master and its worker.
    fn workers(&self) -> Vec<u32> {
        let Some(master) = self.child.id() else { return Vec::new() };
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"))
            .unwrap_or_default();
        std::iter::once(master)
            .chain(children.split_whitespace().filter_map(|id| id.parse().ok()))
            .collect()
    }
}

/// NDJSON of synthetic patients through `proviso import` into an empty store.
async fn measure_import(folder: &Path) -> anyhow::Result<serde_json::Value> {
    let folder = folder.join("import");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("world.ndjson");
    let mut text = Vec::new();
    let mut resources = 0_u64;
    for record in proviso::demo::parts(proviso::demo::SEED, 300).flatten() {
        text.extend_from_slice(&record.body);
        text.push(b'\n');
        resources += 1;
    }
    std::fs::write(&file, &text)?;
    let mut rates = Vec::new();
    for round in 0..3 {
        let config = folder.join(format!("{round}.toml"));
        std::fs::write(
            &config,
            format!(
                "public_url = \"http://127.0.0.1:8080\"\ndata_dir = \"store-{round}\"\n\
                 organization.name = \"Benchmark\"\nconsent.policy_uri = \"http://127.0.0.1:8080/terms\"\n\
                 [keys]\nprovider = \"file\"\n"
            ),
        )?;
        let (config, input) = (config.to_str().context("path")?, file.to_str().context("path")?);
        let started = now();
        let (code, _, err) = run(&["import", "--config", config, input]).await?;
        anyhow::ensure!(code == Some(0), "import failed: {err}");
        rates.push(resources as f64 / started.elapsed().as_secs_f64());
    }
    println!(
        "\nimport\n  {resources} resources, {:.1} MB: {:.0} resources/s (median of {})",
        text.len() as f64 / 1e6,
        median(&rates),
        rates.len()
    );
    Ok(serde_json::json!({ "title": "import", "resources": resources, "per_second": rates }))
}

/// From `exec` to the first answer, and resident memory, at several world sizes.
async fn measure_start(arguments: &Arguments, folder: &Path) -> anyhow::Result<serde_json::Value> {
    println!("\nstart-up\n  patients   first build s   start ms   resident MB");
    let mut rows = Vec::new();
    for patients in &arguments.patients {
        let data = folder.join(format!("start-{patients}"));
        let count = patients.to_string();
        let started = now();
        Server::demo(&data, &["--patients", &count]).await?.interrupt().await?;
        let built = started.elapsed().as_secs_f64();
        let mut starts = Vec::new();
        let mut resident = Vec::new();
        for _ in 0..arguments.passes {
            let started = now();
            let server = Server::demo(&data, &[]).await?;
            HttpClient::default().get(&server.url("/login"), &[]).await?;
            starts.push(started.elapsed().as_secs_f64() * 1000.0);
            resident.push(resident_bytes(server.id().context("ended")?) as f64 / 1e6);
            server.interrupt().await?;
        }
        println!(
            "  {patients:>8} {built:>15.1} {:>10.0} {:>13.1}",
            median(&starts),
            median(&resident)
        );
        rows.push(serde_json::json!({
            "patients": patients, "build_secs": built, "start_millis": starts, "resident_mb": resident
        }));
    }
    Ok(serde_json::json!({ "title": "start", "rows": rows }))
}
