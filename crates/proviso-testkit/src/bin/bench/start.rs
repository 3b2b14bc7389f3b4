//! From `exec` to the first answer, and resident memory, at several world sizes.

use std::path::{Path, PathBuf};

use proviso_testkit::bench::contest::{Contestant, Meter, contest};
use proviso_testkit::bench::resident_bytes;
use proviso_testkit::bench::table::{Pass, Unit};
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::process::{Server, run};

use crate::Bench;
use crate::served::process_of;

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut notes = Vec::new();
    let mut worlds: Vec<(String, PathBuf)> = Vec::new();
    for patients in &bench.arguments.patients {
        let data = bench.folder().join(format!("start-{patients}"));
        let count = patients.to_string();
        let meter = Meter::start();
        Server::demo(&data, &["--patients", &count]).await?.interrupt().await?;
        let built = meter.elapsed().as_secs_f64();
        notes.push(format!("the world with {patients} added patients was built in {built:.1} s"));
        worlds.push((format!("first answer with {patients} patients"), data));
    }
    let mut contestants = vec![Contestant::own("proviso --version", |_| Box::pin(version()))];
    for (name, data) in &worlds {
        contestants.push(Contestant::own(name, move |_| Box::pin(start(data))));
    }
    let title = "start-up, and resident memory after the first answer";
    let told = contest(title, Unit::Millis, &notes, bench.pace, contestants).await?;
    Ok(vec![told.raw])
}

async fn version() -> anyhow::Result<Pass> {
    let meter = Meter::start();
    let (code, _, err) = run(&["--version"]).await?;
    let pass = meter.stop(1);
    anyhow::ensure!(code == Some(0), "--version: {err}");
    Ok(Pass { cpu_micros: None, ..pass })
}

async fn start(data: &Path) -> anyhow::Result<Pass> {
    let meter = Meter::start();
    let server = Server::demo(data, &[]).await?;
    let answer = HttpClient::default().get(&server.url("/login"), &[]).await?;
    let pass = meter.stop(1);
    anyhow::ensure!(answer.status == 200, "{}", answer.text());
    let resident_mb = Some(resident_bytes(process_of(&server)?) as f64 / 1e6);
    server.interrupt().await?;
    Ok(Pass { cpu_micros: None, resident_mb, ..pass })
}
