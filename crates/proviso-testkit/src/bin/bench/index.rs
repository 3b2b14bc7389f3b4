//! Consents in memory: how much they take, how fast one is found and decided by, how fast they are
//! there again after a start.

use std::path::Path;

use anyhow::Context as _;
use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::index::{
    Asked, EACH, Held, Lookups, Starts, fill_store, hold, open, snapshot,
};
use proviso_testkit::bench::median;
use proviso_testkit::bench::table::Unit;
use serde_json::json;

use crate::Bench;

/// What a process of its own measures, which then ends.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Alone {
    /// Holds them and says what it took.
    Hold,
    /// Opens the application.
    Open,
    /// Opens it and writes a snapshot.
    Snapshot,
}

/// Runs in a process of its own: prints one line of JSON.
pub(crate) async fn alone(what: Alone, patients: u32, folder: &Path) -> anyhow::Result<()> {
    let told = match what {
        Alone::Hold => serde_json::to_value(hold(patients, folder)?)?,
        Alone::Open => json!(open(folder, patients).await?),
        Alone::Snapshot => json!(snapshot(folder).await?),
    };
    println!("{told}");
    Ok(())
}

async fn ask<T: serde::de::DeserializeOwned>(
    what: &str,
    patients: u32,
    folder: &Path,
) -> anyhow::Result<T> {
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["--alone", what, "--alone-patients", &patients.to_string()])
        .arg("--alone-folder")
        .arg(folder)
        .output()
        .await?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(line.with_context(|| format!("{what}: {errors}"))?)
        .with_context(|| format!("{what}: {text}{errors}"))
}

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut raw = Vec::new();
    raw.push(memory(bench).await?);
    for patients in &bench.arguments.consents_of {
        raw.push(lookups(bench, *patients).await?);
    }
    raw.push(starts(bench).await?);
    Ok(raw)
}

async fn memory(bench: &Bench) -> anyhow::Result<serde_json::Value> {
    println!("\nconsents in memory, {EACH} of each patient, each size in a process of its own");
    let mut all: Vec<Held> = Vec::new();
    for patients in &bench.arguments.consents_of {
        let held: Held = ask("hold", *patients, bench.folder()).await?;
        println!(
            "    {patients:>9} patients: {:.0} bytes each; a version is taken in {:.0} ns, the \
             slowest in {:.0} us",
            held.bytes_each, held.put_nanos, held.worst_put_micros
        );
        all.push(held);
    }
    println!("    names of versions, 40 bytes a consent, are in a file and not counted");
    Ok(json!({ "title": "consents in memory", "rows": all }))
}

async fn lookups(bench: &Bench, patients: u32) -> anyhow::Result<serde_json::Value> {
    let lookups = Lookups::of(patients, bench.folder())?;
    let bare = "bare hash map, a scattered one";
    let contestants = vec![
        Contestant::calls(bare, lookups.bare(Asked::Scattered)),
        Contestant::calls("bare hash map, the same one", lookups.bare(Asked::Same)),
        Contestant::calls("index, a scattered one", lookups.index(Asked::Scattered)),
        Contestant::calls("index, the same one", lookups.index(Asked::Same)),
        Contestant::calls("found and decided, a scattered one", lookups.decide(Asked::Scattered)),
        Contestant::calls("found and decided, the same one", lookups.decide(Asked::Same)),
    ];
    let title = format!("one consent among those of {patients} patients");
    let told = contest(&title, Unit::Nanos, &[], bench.pace.inside(), contestants).await?;
    Ok(told.raw)
}

async fn starts(bench: &Bench) -> anyhow::Result<serde_json::Value> {
    println!("\nfrom an opened database to everything in memory, each in a process of its own");
    let mut all: Vec<Starts> = Vec::new();
    for patients in &bench.arguments.starts_of {
        let folder = bench.folder().join(format!("index-{patients}"));
        std::fs::create_dir_all(&folder)?;
        fill_store(&folder, *patients).await?;
        let (mut from_store, mut from_snapshot) = (Vec::new(), Vec::new());
        let turns = bench.arguments.passes.min(3);
        for _ in 0..turns {
            from_store.push(ask::<f64>("open", *patients, &folder).await?);
        }
        let (snapshot_millis, snapshot_bytes) = ask("snapshot", *patients, &folder).await?;
        for _ in 0..bench.arguments.passes {
            from_snapshot.push(ask::<f64>("open", *patients, &folder).await?);
        }
        let starts = Starts {
            patients: *patients,
            from_store_millis: median(&from_store),
            from_snapshot_millis: median(&from_snapshot),
            snapshot_millis,
            snapshot_bytes,
            database_bytes: std::fs::metadata(folder.join("proviso.db"))?.len(),
        };
        println!(
            "    {patients:>9} patients: from the store {:.0} ms, from a snapshot {:.0} ms ({:.1}x); \
             the snapshot took {:.0} ms and has {:.1} MB, the database {:.1} MB",
            starts.from_store_millis,
            starts.from_snapshot_millis,
            starts.from_store_millis / starts.from_snapshot_millis,
            snapshot_millis,
            snapshot_bytes as f64 / 1e6,
            starts.database_bytes as f64 / 1e6,
        );
        all.push(starts);
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(json!({ "title": "start with consents", "rows": all }))
}
