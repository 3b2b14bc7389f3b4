//! `review` on the command line.

use clap::{Args, Subcommand};

use super::Installation;

/// What to do with reviews of accesses.
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// List accesses whose review waits, the most urgent first.
    List(ReviewListArgs),
    /// Show one access with every version of its review.
    Show(ReviewShowArgs),
    /// Decide a review.
    Decide(ReviewDecideArgs),
}

/// Arguments of `review list`.
#[derive(Debug, Args)]
pub struct ReviewListArgs {
    #[command(flatten)]
    /// Where the accesses were made.
    pub installation: Installation,
    /// List those whose review is decided as well, the newest access first.
    #[arg(long)]
    pub all: bool,
    /// With `--all`: only accesses before this one.
    #[arg(long, value_name = "ACCESS", requires = "all")]
    pub before: Option<String>,
    /// List so many at most, 1 to 500.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: u16,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `review show`.
#[derive(Debug, Args)]
pub struct ReviewShowArgs {
    /// The access by its entry in the log, such as `aud_0199...`.
    #[arg(value_name = "ACCESS")]
    pub access: String,
    #[command(flatten)]
    /// Where it was made.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `review decide`.
#[derive(Debug, Args)]
pub struct ReviewDecideArgs {
    /// The access by its entry in the log, such as `aud_0199...`.
    #[arg(value_name = "ACCESS")]
    pub access: String,
    #[command(flatten)]
    /// Where it was made.
    pub installation: Installation,
    /// What is found: `justified`, `not-justified` or `follow-up`.
    #[arg(long, value_name = "VERDICT")]
    pub verdict: String,
    /// Why, in words.
    #[arg(long, value_name = "TEXT")]
    pub note: String,
    /// Whose verdict it is: the username of a privacy officer.
    #[arg(long, value_name = "USERNAME")]
    pub by: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
