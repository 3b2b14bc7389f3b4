//! `proviso account`: the roles of staff, listed, given and taken.

use anyhow::Context as _;
use proviso_core::org::{Role, RoleSet, kind_code};

use super::Ending;
use crate::accounts::{self, AccountRow, RolesOrder};
use crate::cli::{self, AccountCommand, RoleArgs};
use crate::console::{self, Mark};
use crate::control::{self, Order, Outcome};
use crate::installation::Installation;

/// Runs it.
///
/// # Errors
/// When the installation cannot be opened, or the account cannot have or lose the role.
pub async fn run(command: &AccountCommand) -> anyhow::Result<Ending> {
    match command {
        AccountCommand::List(arguments) => {
            let rows = ask(&arguments.installation, RolesOrder::List).await?;
            list(&rows, arguments.json)
        }
        AccountCommand::Give(arguments) => change(arguments, RolesOrder::Give).await,
        AccountCommand::Take(arguments) => change(arguments, RolesOrder::Take).await,
    }
}

async fn change(
    arguments: &RoleArgs,
    order: impl FnOnce(String, Role) -> RolesOrder,
) -> anyhow::Result<Ending> {
    let word = &arguments.role;
    let role = word.parse::<Role>().with_context(|| {
        let known: Vec<&str> =
            Role::ALL.iter().filter(|own| own.is_for_people()).map(|own| own.code()).collect();
        format!("`{word}` is no role; there are {}", known.join(", "))
    })?;
    let rows = ask(&arguments.installation, order(arguments.account.clone(), role)).await?;
    if arguments.json {
        return list(&rows, true);
    }
    for row in &rows {
        let told = format!("{} has now: {}", row.username, words(row.roles));
        console::marked(Mark::Good, &told);
    }
    Ok(Ending::Done)
}

async fn ask(named: &cli::Installation, order: RolesOrder) -> anyhow::Result<Vec<AccountRow>> {
    let installation = Installation::named_by(named)?;
    anyhow::ensure!(installation.database().exists(), "there are no accounts yet; start it once");
    match installation.lock() {
        Ok(lock) => accounts::carry_out(&installation.open(&lock).await?, &order).await,
        // A server has the folder: a change behind its back would be in force at its next start
        // only, so it makes the change itself.
        Err(taken) => match control::ask(&installation.data_dir, Order::Roles(order)).await? {
            Some(Outcome::Accounts(rows)) => Ok(rows),
            Some(other) => Err(other.unexpected()),
            None => Err(taken),
        },
    }
}

fn list(rows: &[AccountRow], json: bool) -> anyhow::Result<Ending> {
    if json {
        console::line(&serde_json::to_string(rows)?);
        return Ok(Ending::Done);
    }
    for row in rows {
        let AccountRow { id, username, kind, roles, given } = row;
        let given =
            if given.is_empty() { String::new() } else { format!("  given: {}", words(*given)) };
        console::line(&format!(
            "{username:<16} {:<16} {}{given}  {id}",
            kind_code(*kind),
            words(*roles)
        ));
    }
    Ok(Ending::Done)
}

fn words(roles: RoleSet) -> String {
    if roles.is_empty() {
        return "no role".to_owned();
    }
    roles.iter().map(Role::code).collect::<Vec<_>>().join(", ")
}
