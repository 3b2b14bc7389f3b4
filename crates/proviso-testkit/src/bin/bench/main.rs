//! The benchmark: figures as medians of interleaved passes and as ratios in one run.
//!
//! `cargo build --release && cargo run --release -p proviso-testkit --bin bench -- --help`

mod audited;
mod decisions;
mod front;
mod growth;
mod hidden;
mod import;
mod index;
mod inside;
mod maria;
mod policies;
mod questions;
mod refusals;
mod served;
mod start;
mod token;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use proviso_testkit::bench::contest::Pace;
use proviso_testkit::bench::hello;
use proviso_testkit::bench::machine::{Cores, describe, load_average};

/// Measures Proviso on this machine.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    /// Only these tables.
    #[arg(long, value_delimiter = ',', value_name = "TABLE")]
    only: Vec<Part>,
    /// Passes of each contestant.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    passes: u16,
    /// Seconds of each pass; inside the program a quarter of that.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// World sizes for start-up time, memory and growth.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1000, 10_000])]
    patients: Vec<u32>,
    /// Patients in the file that is imported.
    #[arg(long, default_value_t = 300)]
    import_patients: u32,
    /// Patients, with five consents each, whose consents are held in memory.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    consents_of: Vec<u32>,
    /// Patients, with five consents each, with whose consents the application starts.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    starts_of: Vec<u32>,
    /// Where raw rows go.
    #[arg(long, default_value = "target/bench.json")]
    out: PathBuf,
    /// Serves so many bytes to whoever asks, as the benchmark's own HTTP floor.
    #[arg(long, hide = true)]
    hello: Option<usize>,
    /// Measures one thing about consents in memory in a process that does nothing else.
    #[arg(long, hide = true, requires = "alone_folder")]
    alone: Option<index::Alone>,
    /// For how many patients.
    #[arg(long, hide = true, default_value_t = 0)]
    alone_patients: u32,
    /// In which folder.
    #[arg(long, hide = true)]
    alone_folder: Option<PathBuf>,
}

/// The tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Decisions in process.
    Decisions,
    /// Policies, by Cedar and by the rules that are left for one who asks.
    Policies,
    /// Consents in memory: memory, look-ups, starts.
    Index,
    /// Where the time of a read and of a search goes.
    Inside,
    /// Decisions for enforcement points, over HTTP and gRPC, one and a hundred at once.
    Questions,
    /// Reads that wait for their entry in the log.
    Audited,
    /// Token endpoint and introspection.
    Token,
    /// Signing in with a password.
    Login,
    /// Whether time tells what is hidden from what never was.
    Hidden,
    /// Bodies that must be refused.
    Refusals,
    /// In front of a FHIR server: straight, through nginx, through Proviso.
    Gateway,
    /// One patient's app in worlds of several sizes.
    Growth,
    /// Loading NDJSON.
    Import,
    /// Start-up time and resident memory.
    Start,
}

/// What every table needs.
#[derive(Debug)]
pub(crate) struct Bench {
    arguments: Arguments,
    pace: Pace,
    cores: Cores,
    folder: tempfile::TempDir,
}

impl Bench {
    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Before the runtime is made: a second thread would stay where it is.
    let cores = match (arguments.hello, arguments.alone) {
        (Some(_), _) | (_, Some(_)) => Cores::Shared("whoever started this places it"),
        (None, None) => Cores::part()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match (arguments.hello, arguments.alone, &arguments.alone_folder) {
            (Some(bytes), ..) => hello::serve(bytes).await,
            (None, Some(what), Some(folder)) => {
                index::alone(what, arguments.alone_patients, folder).await
            }
            (None, ..) => measure(arguments, cores).await,
        }
    })
}

async fn measure(arguments: Arguments, cores: Cores) -> anyhow::Result<()> {
    // The demo app speaks HTTP through rustls-aware clients, which want one provider set.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let pace = Pace {
        passes: usize::from(arguments.passes),
        pass_time: Duration::from_secs(arguments.seconds),
    };
    println!("{} passes of {} s each", arguments.passes, arguments.seconds);
    let mut raw = vec![describe(&cores)];
    let bench = Bench { arguments, pace, cores, folder: tempfile::tempdir()? };
    for part in Part::value_variants() {
        if bench.arguments.only.is_empty() || bench.arguments.only.contains(part) {
            raw.extend(match part {
                Part::Decisions => decisions::measure(&bench).await?,
                Part::Policies => policies::measure(&bench).await?,
                Part::Index => index::measure(&bench).await?,
                Part::Inside => inside::measure(&bench).await?,
                Part::Questions => questions::measure(&bench).await?,
                Part::Audited => audited::measure(&bench).await?,
                Part::Token => token::measure_tokens(&bench).await?,
                Part::Login => token::measure_logins(&bench).await?,
                Part::Hidden => hidden::measure(&bench).await?,
                Part::Refusals => refusals::measure(&bench).await?,
                Part::Gateway => front::measure(&bench).await?,
                Part::Growth => growth::measure(&bench).await?,
                Part::Import => import::measure(&bench).await?,
                Part::Start => start::measure(&bench).await?,
            });
        }
    }
    let load = load_average();
    println!("\nload average at the end: {load}");
    raw.push(serde_json::json!({ "title": "end", "load_average": load }));
    let out = &bench.arguments.out;
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(out, serde_json::to_vec_pretty(&raw)?)?;
    println!("raw rows: {}", out.display());
    Ok(())
}
