//! The command line: words a stranger understands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Consent-first access governance for FHIR APIs.
///
/// Proviso stands between apps and a FHIR server. Patients decide in it who sees what, see what was
/// seen, and stop it at once. Start with `proviso demo`.
#[derive(Debug, Parser)]
#[command(name = "proviso", version, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 a check found \
                        something wrong.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it: builds a world of synthetic people in a folder and serves it on this machine.
    Demo(DemoArgs),
    /// Run the server with a configuration file.
    Serve(ServeArgs),
    /// Load FHIR resources into the embedded store.
    ///
    /// Reads NDJSON as Bulk Data exports write it (plain or .gz) and transaction Bundles. Stopped
    /// half-way, the same command goes on where it was.
    Import(ImportArgs),
    /// Check the audit log from the first entry to the last.
    ///
    /// Recomputes every commitment, leaf and signature from disk and names the first bad entry.
    Verify(VerifyArgs),
    /// Check that this installation can run: configuration, keys, store, upstream, clock, log.
    Doctor(DoctorArgs),
    /// Look after signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// About the configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write, test and compare sets of access policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder of the demo world; made if it does not exist.
    #[arg(long, value_name = "DIR", default_value = "./proviso-data")]
    pub data: PathBuf,
    /// Address and port to listen on; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// How many synthetic patients to add to the named people, when the world is first built.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub patients: u32,
    /// Put the gateway in front of this FHIR R4 server instead of the embedded store.
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
}

/// Where the installation is.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Installation {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder of a demo world.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files to load: `.ndjson`, `.ndjson.gz`, or a `.json` transaction Bundle.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    /// Where to load them.
    pub into: Installation,
    /// Write each rejected line with its reason to this file, as NDJSON.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    /// Whose log.
    pub installation: Installation,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
}

/// About signing keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make new signing keys; the old ones stay published until their last token has ended.
    ///
    /// A running server does it itself and goes on; nothing has to be restarted.
    Rotate(KeysArgs),
    /// List the signing keys.
    List(KeysArgs),
}

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// About the configuration file.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every key with its meaning, unit, default and bounds.
    Reference,
    /// Check a configuration file without starting anything.
    Check {
        /// Configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Sets of access policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Write the set that comes with this release into a folder, to start from.
    New {
        /// Folder; made if it does not exist, and empty.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Check a set: syntax, schema, tests, policies that can do nothing, invariants.
    Check(PolicyArgs),
    /// Run the tests of a set, and nothing else.
    Test(PolicyArgs),
    /// Tell which decisions change when one set takes the place of another.
    Diff {
        /// Folder of the set that is in force.
        #[arg(value_name = "BEFORE")]
        before: PathBuf,
        /// Folder of the set that is to take its place.
        #[arg(value_name = "AFTER")]
        after: PathBuf,
        /// Print the differences as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Answer one question, and tell how every policy that could apply stood to it.
    Explain {
        /// Folder of the set.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The question: a TOML file with the keys of `ask` in a test.
        #[arg(value_name = "QUESTION")]
        question: PathBuf,
        /// Print the answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `policy check` and `policy test`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Folder of the set: `*.cedar`, and `tests/*.toml`.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
}
