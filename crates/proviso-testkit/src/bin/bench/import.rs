//! NDJSON of synthetic patients through `proviso import` into an empty store.

use std::path::Path;

use anyhow::Context as _;
use proviso_testkit::bench::contest::{Contestant, Meter, contest};
use proviso_testkit::bench::floor::bare_import;
use proviso_testkit::bench::table::{Pass, Unit};
use proviso_testkit::process::run;

use crate::Bench;

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let folder = bench.folder().join("import");
    std::fs::create_dir_all(&folder)?;
    let mut lines = Vec::new();
    let mut resources = 0_u64;
    let patients = bench.arguments.import_patients;
    for record in proviso::demo::parts(proviso::demo::SEED, patients).flatten() {
        lines.extend_from_slice(&record.body);
        lines.push(b'\n');
        resources += 1;
    }
    let file = folder.join("world.ndjson");
    std::fs::write(&file, &lines)?;
    let (lines, file, folder) = (&lines, &file, &folder);
    let contestants = vec![
        Contestant::own("bare: parsed, written to one SQLite table", move |_| {
            Box::pin(async move { bare(folder, lines, resources) })
        }),
        Contestant::own("proviso import", move |_| {
            Box::pin(async move { import(folder, file, resources).await })
        }),
    ];
    let notes = [format!(
        "{resources} resources, {:.1} MB; both commit 500 at a time, durably; the import also \
         validates, labels, indexes and logs",
        lines.len() as f64 / 1e6
    )];
    let title = "import into an empty store";
    let told = contest(title, Unit::PerSecond, &notes, bench.pace, contestants).await?;
    Ok(vec![told.raw])
}

fn bare(folder: &Path, lines: &[u8], resources: u64) -> anyhow::Result<Pass> {
    let store = tempfile::tempdir_in(folder)?;
    let meter = Meter::start();
    let count = bare_import(&store.path().join("bare.db"), lines)?;
    anyhow::ensure!(count == resources, "{count} of {resources} were written");
    Ok(meter.stop(count))
}

async fn import(folder: &Path, file: &Path, resources: u64) -> anyhow::Result<Pass> {
    let store = tempfile::tempdir_in(folder)?;
    let config = store.path().join("proviso.toml");
    std::fs::write(
        &config,
        "public_url = \"http://127.0.0.1:8080\"\ndata_dir = \"data\"\n\
         organization.name = \"Benchmark\"\nconsent.policy_uri = \"http://127.0.0.1:8080/terms\"\n\
         [keys]\nprovider = \"file\"\n",
    )?;
    let (config, file) = (config.to_str().context("path")?, file.to_str().context("path")?);
    let meter = Meter::start();
    let (code, out, err) = run(&["import", "--config", config, "--json", file]).await?;
    let pass = meter.stop(resources);
    anyhow::ensure!(code == Some(0), "import failed: {err}");
    let summary: serde_json::Value = serde_json::from_str(&out)?;
    anyhow::ensure!(summary["stored"] == resources, "not every resource was stored: {out}");
    // The processor time is that of another process, which has ended.
    Ok(Pass { cpu_micros: None, ..pass })
}
