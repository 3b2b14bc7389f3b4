//! The command line: words a stranger understands.

mod policy;
mod proxy;
mod review;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use proviso_core::id::{DecisionId, RequestId};

pub use self::policy::{
    PolicyArgs, PolicyCommand, PolicyListArgs, PolicyProposeArgs, PolicyStepArgs, ShadowArgs,
};
pub use self::proxy::{ProxyApproveArgs, ProxyArgs, ProxyCommand, ProxyListArgs};
pub use self::review::{ReviewCommand, ReviewDecideArgs, ReviewListArgs, ReviewShowArgs};

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
    /// Ask whether somebody may do something with a record now, and why.
    ///
    /// A running server decides from what is in force in it. The question is in the audit log, and the
    /// patient sees it. The exit code is 0 for yes and 3 for no.
    Decide(DecideArgs),
    /// Make past decisions again from what the audit log keeps of them.
    ///
    /// Each must come out with the same bytes as then. With `--decision` or `--request`, also prints
    /// why it fell as it did. What it prints names what was withheld: it is for privacy officers.
    Replay(ReplayArgs),
    /// Check receipts of sharing choices, without any server.
    ///
    /// Checks the signature, the hash of the text shown, the name of the version, the record made
    /// from it and its place in the audit log. Several receipts must be consecutive versions of one
    /// choice. Exit code 3 means that a receipt was changed or is not from the server whose keys
    /// were given.
    VerifyReceipt(VerifyReceiptArgs),
    /// Check that this installation can run: configuration, keys, store, upstream, clock, log.
    Doctor(DoctorArgs),
    /// Look at sharing choices: now, in every version, or as they were at an instant.
    ///
    /// Each look is written to the audit log, where the patient sees it.
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// Look at emergency access (break-glass) and decide its reviews.
    ///
    /// Each look is written to the audit log, where the patient sees it. A review is decided by
    /// another person than the one who declared the emergency.
    #[command(subcommand)]
    Emergency(EmergencyCommand),
    /// Look at accesses that a policy has looked at afterwards, and decide their reviews.
    ///
    /// Each look is written to the audit log, where the patient sees it. A review is decided by
    /// another person than the one whose access it was.
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Look after the roles of staff.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Look after people who act for a patient.
    ///
    /// Each look and each change is written to the audit log, where the patient sees it.
    #[command(subcommand)]
    Proxy(ProxyCommand),
    /// Look after signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// About the configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// About the rules by which records are labelled.
    #[command(subcommand)]
    Labels(LabelsCommand),
    /// Write, test and compare sets of access policies, and put them in force.
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

/// Who would act.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Somebody {
    /// A person, by user name or id: the patient or a proxy as in the portal, staff by their role.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// An app, by client id.
    #[arg(long, value_name = "CLIENT")]
    pub app: Option<String>,
    /// One connection, by id (`grt_…`).
    #[arg(long, value_name = "ID")]
    pub grant: Option<String>,
}

/// Arguments of `decide`.
#[derive(Debug, Args)]
pub struct DecideArgs {
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    #[command(flatten)]
    /// Who would act.
    pub subject: Somebody,
    /// With `--app`: only for this person's connections.
    #[arg(long = "for", value_name = "NAME", requires = "app")]
    pub on_behalf_of: Option<String>,
    /// What would be done: read, update, patch or delete.
    #[arg(long, value_name = "ACTION", default_value = "read")]
    pub action: String,
    /// With which record.
    #[arg(long, value_name = "TYPE/ID")]
    pub resource: String,
    /// What for, such as TREAT; otherwise what the connection is for.
    #[arg(long, value_name = "CODE")]
    pub purpose: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    /// Whose log.
    pub installation: Installation,
    /// Only the decision with this id (`dec_…`).
    #[arg(long, value_name = "ID", conflicts_with = "request")]
    pub decision: Option<DecisionId>,
    /// Only the decisions of the request with this id (`req_…`).
    #[arg(long, value_name = "ID")]
    pub request: Option<RequestId>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `verify-receipt`.
#[derive(Debug, Args)]
pub struct VerifyReceiptArgs {
    /// Receipts as the portal gives them.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Keys that are the server's: what `proviso keys public` prints, a JWK set that was kept, or
    /// verifier key lines of its audit log. Without it nobody vouches for who made a receipt.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
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

/// About sharing choices.
#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// Show a sharing choice as it is now.
    Show(ConsentArgs),
    /// Show every version of a sharing choice, and what each changed.
    History(ConsentArgs),
    /// Show what was in force at a past instant, for a patient or of one choice.
    At(ConsentAtArgs),
    /// Show who could see which records of a patient now, who could not, and why.
    ///
    /// Decided for everybody by the function that decides requests. A running server answers from what
    /// is in force in it.
    Who(WhoArgs),
    /// Show which records would appear or disappear for whom if something were changed.
    ///
    /// Nothing is changed.
    WhatIf(Box<WhatIfArgs>),
    /// Say what a sharing choice means, which records it opens now, and which it keeps closed and why.
    Explain(ConsentArgs),
}

/// Arguments of `consent who`.
#[derive(Debug, Args)]
pub struct WhoArgs {
    /// Whose records.
    #[arg(long, value_name = "PATIENT")]
    pub patient: String,
    /// Only this record.
    #[arg(long, value_name = "TYPE/ID")]
    pub record: Option<String>,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What would be changed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Supposed {
    /// This choice would be stopped, or narrowed to what the other options say.
    #[arg(long, value_name = "CONSENT")]
    pub consent: Option<String>,
    /// This app would be let see records.
    #[arg(long, value_name = "CLIENT", requires_all = ["patient", "by", "categories"])]
    pub sign: Option<String>,
    /// This person would no longer act for the patient.
    #[arg(long, value_name = "NAME", requires = "patient")]
    pub end_proxy: Option<String>,
}

/// Arguments of `consent what-if`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct WhatIfArgs {
    #[command(flatten)]
    /// What would be changed.
    pub of: Supposed,
    /// With `--consent`: it would be stopped.
    #[arg(long, requires = "consent", conflicts_with_all = ["categories", "sensitive", "purposes", "data_from", "data_until", "no_offline"])]
    pub stop: bool,
    /// Whose records.
    #[arg(long, value_name = "PATIENT", conflicts_with = "consent")]
    pub patient: Option<String>,
    /// With `--sign`: who would sign, the patient or somebody who acts for them.
    #[arg(long, value_name = "NAME", requires = "sign")]
    pub by: Option<String>,
    /// Kinds of record, separated by commas.
    #[arg(long, value_name = "CODES")]
    pub categories: Option<String>,
    /// Sensitive kinds, separated by commas.
    #[arg(long, value_name = "CODES")]
    pub sensitive: Option<String>,
    /// Purposes, separated by commas, such as PATRQT.
    #[arg(long, value_name = "CODES")]
    pub purposes: Option<String>,
    /// Only records from this instant on.
    #[arg(long, value_name = "INSTANT")]
    pub data_from: Option<String>,
    /// Only records until this instant.
    #[arg(long, value_name = "INSTANT")]
    pub data_until: Option<String>,
    /// With `--consent`: the app might no longer go on while the person is away.
    #[arg(long, requires = "consent")]
    pub no_offline: bool,
    /// With `--sign`: the app might go on while the person is away.
    #[arg(long, requires = "sign")]
    pub offline: bool,
    /// With `--sign`: for how long; once, 30-days, 1-year or until-stopped.
    #[arg(long, value_name = "CODE", default_value = "1-year")]
    pub duration: String,
    /// With `--sign`: what the app asks for; the most it may, when left out.
    #[arg(long, value_name = "SCOPES", requires = "sign")]
    pub scope: Option<String>,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Name every record.
    #[arg(long)]
    pub all: bool,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to do with emergency access.
#[derive(Debug, Subcommand)]
pub enum EmergencyCommand {
    /// List emergencies whose review waits, the newest first.
    List(EmergencyListArgs),
    /// Show one emergency with every version of its review.
    Show(EmergencyShowArgs),
    /// Decide the review of an emergency that is over.
    Review(EmergencyReviewArgs),
    /// End an emergency that is in force, at once.
    End(EmergencyEndArgs),
}

/// Arguments of `emergency list`.
#[derive(Debug, Args)]
pub struct EmergencyListArgs {
    #[command(flatten)]
    /// Where they were declared.
    pub installation: Installation,
    /// List those whose review is decided as well.
    #[arg(long)]
    pub all: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `emergency show`.
#[derive(Debug, Args)]
pub struct EmergencyShowArgs {
    /// The emergency, such as `emg_0199...`.
    #[arg(value_name = "EMERGENCY")]
    pub emergency: String,
    #[command(flatten)]
    /// Where it was declared.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `emergency review`.
#[derive(Debug, Args)]
pub struct EmergencyReviewArgs {
    /// The emergency, such as `emg_0199...`.
    #[arg(value_name = "EMERGENCY")]
    pub emergency: String,
    #[command(flatten)]
    /// Where it was declared.
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

/// Arguments of `emergency end`.
#[derive(Debug, Args)]
pub struct EmergencyEndArgs {
    /// The emergency, such as `emg_0199...`.
    #[arg(value_name = "EMERGENCY")]
    pub emergency: String,
    #[command(flatten)]
    /// Where it was declared.
    pub installation: Installation,
    /// Who ends it: the username of a privacy officer.
    #[arg(long, value_name = "USERNAME")]
    pub by: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `consent show` and `consent history`.
#[derive(Debug, Args)]
pub struct ConsentArgs {
    /// The choice, such as `cns_0199...`.
    #[arg(value_name = "CONSENT")]
    pub consent: String,
    #[command(flatten)]
    /// Where it was made.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `consent at`.
#[derive(Debug, Args)]
pub struct ConsentAtArgs {
    /// The instant, such as `2026-11-22T14:02:09Z`.
    #[arg(value_name = "INSTANT")]
    pub at: String,
    #[command(flatten)]
    /// Of whom, or of what.
    pub of: ConsentSubject,
    #[command(flatten)]
    /// Where it was made.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Whose choices, or which one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ConsentSubject {
    /// Every choice of this patient.
    #[arg(long, value_name = "PATIENT")]
    pub patient: Option<String>,
    /// This choice alone.
    #[arg(long, value_name = "CONSENT")]
    pub consent: Option<String>,
}

/// About the roles of staff.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List the accounts of staff with their roles.
    List(AccountsArgs),
    /// Give somebody a role, beside those that come with the kind of account.
    ///
    /// The change is in the audit log, and in force for the next request of that person.
    Give(RoleArgs),
    /// Take a role from somebody.
    Take(RoleArgs),
}

/// Arguments of `account list`.
#[derive(Debug, Args)]
pub struct AccountsArgs {
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `account give` and `account take`.
#[derive(Debug, Args)]
pub struct RoleArgs {
    /// Whose, by user name or id.
    #[arg(value_name = "NAME")]
    pub account: String,
    /// The role: front-desk, nurse, clinician, emergency-clinician, billing, researcher,
    /// privacy-officer, support or administrator.
    #[arg(value_name = "ROLE")]
    pub role: String,
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
    /// Print the result as JSON.
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
    /// Print the public keys by which receipts and the audit log can be checked elsewhere.
    Public(KeysPublicArgs),
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

/// Arguments of `keys public`.
#[derive(Debug, Args)]
pub struct KeysPublicArgs {
    #[command(flatten)]
    /// Which installation.
    pub installation: Installation,
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

/// About the rules by which records are labelled.
#[derive(Debug, Subcommand)]
pub enum LabelsCommand {
    /// Check a file of label rules: every mistake with its line and rule.
    Check(LabelFileArgs),
    /// Run the tests that a file of label rules brings.
    ///
    /// The server does the same when it starts, and refuses to start when one fails.
    Test(LabelFileArgs),
    /// Say why a resource is labelled as it is: which rules fired, where, and along which
    /// references.
    Explain(ExplainArgs),
}

/// Arguments of `labels check` and `labels test`.
#[derive(Debug, Args)]
pub struct LabelFileArgs {
    /// File of label rules, as `labels.rules_file` names it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `labels explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// File with one resource, or a Bundle whose entries are explained one by one.
    #[arg(value_name = "RESOURCE")]
    pub resource: PathBuf,
    /// File of label rules; the shipped rules when left out.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// File with what the resource refers to: a resource or a Bundle. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
