//! `proviso keys`: signing keys, listed and rotated.

use proviso_app::keys::{MasterKey, public_keys};
use proviso_app::via::Via;

use super::Ending;
use crate::cli::{KeysArgs, KeysCommand, KeysPublicArgs};
use crate::console::{self, Mark};
use crate::control::{self, Order, Outcome};
use crate::installation::Installation;

/// Runs it.
///
/// # Errors
/// When the installation cannot be opened, or somebody else than a server is at work on it.
pub async fn run(command: &KeysCommand) -> anyhow::Result<Ending> {
    match command {
        KeysCommand::Rotate(arguments) => rotate(arguments).await,
        KeysCommand::List(arguments) => list(arguments),
        KeysCommand::Public(arguments) => public(arguments),
    }
}

async fn rotate(arguments: &KeysArgs) -> anyhow::Result<Ending> {
    let installation = Installation::named_by(&arguments.installation)?;
    anyhow::ensure!(installation.database().exists(), "there are no keys yet; start it once");
    let active = match installation.lock() {
        Ok(lock) => installation.open(&lock).await?.rotate_keys(&Via::default()).await?,
        // Somebody has the folder. A server does it itself: its keys are in its memory, and a
        // change behind its back would take effect at its next start only.
        Err(taken) => match control::ask(&installation.data_dir, Order::RotateKeys).await? {
            Some(Outcome::Active(active)) => active,
            Some(Outcome::Failed(why)) => {
                anyhow::bail!("the running server could not rotate its keys: {why}")
            }
            Some(
                Outcome::Decided(_)
                | Outcome::Simulated(_)
                | Outcome::Emergencies(_)
                | Outcome::Choices(_),
            ) => {
                anyhow::bail!("the running server answered another order")
            }
            None => return Err(taken),
        },
    };
    if arguments.json {
        console::line(&serde_json::json!({ "active": active }).to_string());
    } else {
        console::marked(Mark::Good, "new keys are published and sign ten minutes from now:");
        for id in active {
            console::line(&format!("      {id}"));
        }
        console::line("      the old ones stay published until their last token has ended");
    }
    Ok(Ending::Done)
}

/// Everything that somebody needs to check receipts and the log without us; no secret among it.
fn public(arguments: &KeysPublicArgs) -> anyhow::Result<Ending> {
    let installation = Installation::named_by(&arguments.installation)?;
    anyhow::ensure!(installation.database().exists(), "there are no keys yet; start it once");
    let reader = proviso_store::AuditLogReader::open(
        &installation.database(),
        &installation.settings.tenant,
    )?;
    let master = MasterKey::load(&installation.master_key_file)?;
    let document = public_keys(&reader, &master)?;
    console::line(&document);
    Ok(Ending::Done)
}

fn list(arguments: &KeysArgs) -> anyhow::Result<Ending> {
    let installation = Installation::named_by(&arguments.installation)?;
    anyhow::ensure!(installation.database().exists(), "there are no keys yet; start it once");
    let reader = proviso_store::AuditLogReader::open(
        &installation.database(),
        &installation.settings.tenant,
    )?;
    let mut keys = reader.sealed_keys()?;
    keys.sort_by_key(|key| key.created_at);
    if arguments.json {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                serde_json::json!({
                    "id": key.id,
                    "use": format!("{:?}", key.key_use),
                    "created_at": key.created_at.to_rfc3339(),
                    "retired_at": key.retired_at.map(proviso_core::time::At::to_rfc3339),
                    "published_until": key.publish_until.map(proviso_core::time::At::to_rfc3339),
                })
            })
            .collect();
        console::line(&serde_json::Value::from(rows).to_string());
        return Ok(Ending::Done);
    }
    for key in keys {
        let state = match (key.retired_at, key.publish_until) {
            (None, _) => "active".to_owned(),
            (Some(at), None) => format!("retired {at}"),
            (Some(at), Some(until)) => format!("retired {at}, published until {until}"),
        };
        console::line(&format!(
            "{:<10} {}  made {}  {state}",
            format!("{:?}", key.key_use),
            key.id,
            key.created_at
        ));
    }
    Ok(Ending::Done)
}
