//! How another command asks a running server to do something: a socket in its data folder.
//!
//! TRUST: whoever can open the socket can rotate signing keys. It lies beside the database and the
//! master key, in a folder that only its owner may enter, and only the owner may open it; whoever
//! gets there can do worse. Nothing of it is on the network.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::policy::ShadowReport;
use proviso_app::simulate::Simulated;
use proviso_app::via::Via;
use serde::{Deserialize, Serialize};

use crate::question::{Asked, Told, decide};
use crate::simulation::simulate;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::accounts::{self, AccountRow, RolesOrder};
use crate::choices::{self, Question, VersionRow};
use crate::{emergencies, policies, proxies, reviews};

const SOCKET_FILE: &str = "control.sock";
/// LIMIT: the longest order proposes a set of policies, whose texts are a megabyte at most.
const ORDER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// LIMIT: the longest answer is a history with the texts that were shown, some kilobytes each.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// LIMIT: whoever connects and says nothing is not waited for.
const ORDER_SECS_MAX: u64 = 5;
/// LIMIT: making keys takes seconds at most.
const ANSWER_SECS_MAX: u64 = 60;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// New signing keys, in good order.
    RotateKeys,
    /// Whether somebody may do something now.
    Decide(Asked),
    /// A look at sharing choices.
    Choices(Question),
    /// What the policies that are tried out would have decided otherwise.
    Shadow,
    /// A look at the roles of staff, or a change of one.
    Roles(RolesOrder),
    /// Who could see what, one page, in the words of the HTTP endpoint.
    Simulate(serde_json::Value),
    /// A look at emergencies, or a verdict on one.
    Emergencies(emergencies::Order),
    /// A look at reviews of accesses, or a verdict on one.
    Reviews(reviews::Order),
    /// A look at people who act for a patient, or a change of one.
    Proxies(proxies::Order),
    /// A look at sets of policies, or a step with one.
    Policies(policies::Order),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The names of the keys that will sign.
    Active(Vec<String>),
    /// What was decided.
    Decided(Box<Told>),
    /// The sharing choices asked for.
    Choices(Vec<VersionRow>),
    /// What the shadow has shown; nothing when no set is tried out.
    Shadow(Option<ShadowReport>),
    /// The accounts of staff asked for or changed.
    Accounts(Vec<AccountRow>),
    /// Who could see what.
    Simulated(Box<Simulated>),
    /// Those who act for a patient, asked for or changed.
    Proxies(Vec<proxies::ProxyRow>),
    /// The sets of policies on record.
    Policies(policies::SetsOnRecord),
    /// The emergencies asked for.
    Emergencies(Vec<emergencies::Row>),
    /// The reviews of accesses asked for.
    Reviews(reviews::Rows),
    /// It was not done; why.
    Failed(String),
}

impl Outcome {
    /// Why this is not what was ordered: it was not done, or something else was.
    pub fn unexpected(self) -> anyhow::Error {
        if let Self::Failed(why) = self {
            anyhow::anyhow!(why)
        } else {
            anyhow::anyhow!("the running server answered another order")
        }
    }
}

/// Listens for orders until the server stops; the task ends once the socket is gone. The caller holds the lock of the folder, so a socket
/// that is there was left behind by a server that ended without tidying up.
///
/// # Errors
/// When no socket can be made in the folder.
pub fn start(
    app: Arc<App>,
    folder: &Path,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let path = folder.join(SOCKET_FILE);
    let listener =
        bind(&path).with_context(|| format!("cannot listen for orders at `{}`", path.display()))?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                // One after the other: two rotations at once would be one too many.
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => answer(&app, stream).await,
                    Err(error) => tracing::warn!(%error, "an order could not be taken"),
                },
                changed = stop.changed() => if changed.is_err() || *stop.borrow() { break },
            }
        }
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(%error, "the socket for orders is left behind");
        }
    }))
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn answer(app: &Arc<App>, stream: UnixStream) {
    let exchange = async {
        let (read, mut write) = stream.into_split();
        let mut line = String::new();
        let mut reader = BufReader::new(read.take(ORDER_BYTES_MAX));
        let reading = reader.read_line(&mut line);
        tokio::time::timeout(Duration::from_secs(ORDER_SECS_MAX), reading).await??;
        let outcome = match serde_json::from_str(line.trim()) {
            Ok(Order::RotateKeys) => match app.rotate_keys(&Via::default()).await {
                Ok(active) => Outcome::Active(active),
                Err(error) => Outcome::Failed(error.to_string()),
            },
            Ok(Order::Decide(asked)) => match decide(app, &asked).await {
                Ok(told) => Outcome::Decided(Box::new(told)),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Ok(Order::Simulate(question)) => match simulate(app, &question).await {
                Ok(simulated) => Outcome::Simulated(Box::new(simulated)),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Ok(Order::Choices(question)) => match choices::look(app, &question).await {
                Ok(rows) => Outcome::Choices(rows),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Ok(Order::Emergencies(order)) => match emergencies::carry_out(app, &order).await {
                Ok(rows) => Outcome::Emergencies(rows),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Ok(Order::Reviews(order)) => match reviews::carry_out(app, &order).await {
                Ok(rows) => Outcome::Reviews(rows),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Ok(Order::Proxies(order)) => match proxies::carry_out(app, &order).await {
                Ok(rows) => Outcome::Proxies(rows),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Ok(Order::Policies(order)) => match policies::carry_out(app, &order).await {
                Ok(sets) => Outcome::Policies(sets),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Ok(Order::Shadow) => Outcome::Shadow(app.policies().shadow_report()),
            Ok(Order::Roles(order)) => match accounts::carry_out(app, &order).await {
                Ok(rows) => Outcome::Accounts(rows),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Err(_) => Outcome::Failed("no such order".to_owned()),
        };
        let mut text = serde_json::to_vec(&outcome)?;
        text.push(b'\n');
        write.write_all(&text).await?;
        anyhow::Ok(())
    };
    if let Err(error) = exchange.await {
        tracing::warn!(%error, "an order could not be answered");
    }
}

/// Asks the server that runs on a folder; `None` when none listens there.
///
/// # Errors
/// When one listens and gives no answer.
pub async fn ask(folder: &Path, order: Order) -> anyhow::Result<Option<Outcome>> {
    let path: PathBuf = folder.join(SOCKET_FILE);
    let Ok(mut stream) = UnixStream::connect(&path).await else { return Ok(None) };
    let exchange = async {
        let mut text = serde_json::to_vec(&order)?;
        text.push(b'\n');
        stream.write_all(&text).await?;
        let mut line = String::new();
        BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line).await?;
        anyhow::Ok(serde_json::from_str(line.trim())?)
    };
    let answered = tokio::time::timeout(Duration::from_secs(ANSWER_SECS_MAX), exchange).await;
    let outcome = answered
        .context("the running server did not answer in time")?
        .context("the running server's answer cannot be read")?;
    Ok(Some(outcome))
}
