//! `policy` on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Installation;

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
    /// List the sets on record, and which of them is in force.
    List(PolicyListArgs),
    /// Propose a set: it is checked as a whole, tests included, and waits for another person.
    Propose(PolicyProposeArgs),
    /// Approve a set that somebody else proposed.
    Approve(PolicyStepArgs),
    /// Reject a set that somebody else proposed, for good.
    Reject(PolicyStepArgs),
    /// Put an approved set in force, at once; `shipped` is the set that comes with this release.
    ///
    /// Going back to an earlier set is the same command with its name.
    Activate(PolicyStepArgs),
    /// Try an approved set out beside the one in force, where it decides nothing; `none` stops it.
    Try(PolicyStepArgs),
    /// Show what a running server found of the set that it tries out beside the one in force.
    Shadow(ShadowArgs),
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

/// Arguments of `policy shadow`.
#[derive(Debug, Args)]
pub struct ShadowArgs {
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
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

/// Arguments of `policy list`.
#[derive(Debug, Args)]
pub struct PolicyListArgs {
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `policy propose`.
#[derive(Debug, Args)]
pub struct PolicyProposeArgs {
    /// Folder of the set: `*.cedar`, and `tests/*.toml`.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Why, in words.
    #[arg(long, value_name = "TEXT")]
    pub note: String,
    /// Who proposes it: the username of somebody who may.
    #[arg(long, value_name = "USERNAME")]
    pub by: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `policy approve`, `reject`, `activate` and `try`.
#[derive(Debug, Args)]
pub struct PolicyStepArgs {
    /// The set: its id, or enough of its beginning.
    #[arg(value_name = "SET")]
    pub set: String,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Who does it: the username of somebody who may.
    #[arg(long, value_name = "USERNAME")]
    pub by: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
