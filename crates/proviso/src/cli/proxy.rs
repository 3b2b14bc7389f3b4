//! `proxy` on the command line.

use clap::{Args, Subcommand};

use super::Installation;

/// What to do with people who act for a patient.
#[derive(Debug, Subcommand)]
pub enum ProxyCommand {
    /// List people who act for a patient, those whose time is over included.
    List(ProxyListArgs),
    /// Approve that somebody acts for a patient, for a stated time at most.
    ///
    /// It is approved for a year and then has to be renewed. A parent's access ends by itself on the
    /// day on which the patient comes of age by the law of the place.
    Approve(ProxyApproveArgs),
    /// Approve somebody again, from now on.
    Renew(ProxyArgs),
    /// End at once that somebody acts for a patient.
    End(ProxyArgs),
}

/// Arguments of `proxy list`.
#[derive(Debug, Args)]
pub struct ProxyListArgs {
    /// Those who act for this patient only.
    #[arg(long, value_name = "ID")]
    pub patient: Option<String>,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `proxy approve`.
#[derive(Debug, Args)]
pub struct ProxyApproveArgs {
    /// Who shall act: a username or the id of an account.
    #[arg(value_name = "NAME")]
    pub account: String,
    /// For whom: the id of the patient.
    #[arg(value_name = "PATIENT")]
    pub patient: String,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// On what it rests: `parent`, `appointed` (by the patient) or `court`.
    #[arg(long, value_name = "BASIS")]
    pub basis: String,
    /// For a parent, whose law says when the patient comes of age, such as `US-CA`.
    #[arg(long, value_name = "CODE")]
    pub jurisdiction: Option<String>,
    /// Until when at the longest, such as `2027-06-30T00:00:00Z`.
    #[arg(long, value_name = "INSTANT")]
    pub until: Option<String>,
    /// A kind of record that they may see, such as `laboratory`; several by repeating it, all
    /// without it.
    #[arg(long = "category", value_name = "KIND")]
    pub categories: Vec<String>,
    /// Who approves: the username of an administrator or privacy officer.
    #[arg(long, value_name = "USERNAME")]
    pub by: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `proxy renew` and `proxy end`.
#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// Who acts: a username or the id of an account.
    #[arg(value_name = "NAME")]
    pub account: String,
    /// For whom: the id of the patient.
    #[arg(value_name = "PATIENT")]
    pub patient: String,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Who does it: the username of an administrator or privacy officer; to end it, also of the
    /// patient or of the one who acts.
    #[arg(long, value_name = "USERNAME")]
    pub by: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
