//! The roles of staff, looked at and changed by whoever runs an installation.
//!
//! The same order is carried out by this process or by the server that runs on the folder; either
//! way a change is in the audit log before it is acknowledged.

use std::sync::Arc;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::staff::{RoleChange, RoleKeeper};
use proviso_app::via::Via;
use proviso_core::account::{Account, ActorKind};
use proviso_core::id::AccountId;
use proviso_core::org::{Role, RoleSet};
use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolesOrder {
    /// List every account that can have roles.
    List,
    /// Give somebody, by user name or id, a role.
    Give(String, Role),
    /// Take one.
    Take(String, Role),
}

/// One account of staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its id.
    pub id: AccountId,
    /// What the person types at sign-in.
    pub username: String,
    /// The kind of account.
    pub kind: ActorKind,
    /// Every role.
    pub roles: RoleSet,
    /// Those of them that were given, beside those of the kind.
    pub given: RoleSet,
}

/// Carries an order out.
///
/// # Errors
/// When there is no such account, or it cannot have or lose the role.
pub async fn carry_out(app: &Arc<App>, order: &RolesOrder) -> anyhow::Result<Vec<AccountRow>> {
    let (name, change, role) = match order {
        RolesOrder::List => {
            let accounts = app.store().accounts().await?;
            let mut staff: Vec<AccountRow> =
                accounts.iter().filter(|own| own.kind.takes_roles()).map(row).collect();
            staff.sort_by(|one, other| one.username.cmp(&other.username));
            return Ok(staff);
        }
        RolesOrder::Give(name, role) => (name, RoleChange::Give, *role),
        RolesOrder::Take(name, role) => (name, RoleChange::Take, *role),
    };
    let account = named(app, name).await?;
    let via = Via::default();
    let changed = app.change_role(RoleKeeper::Operator(&via), &account, change, role).await?;
    Ok(vec![row(&changed)])
}

async fn named(app: &Arc<App>, name: &str) -> anyhow::Result<AccountId> {
    if let Some(account) = app.store().account_by_username(name).await? {
        return Ok(account.id);
    }
    let by_id = match name.parse::<AccountId>() {
        Ok(id) => app.store().account(&id).await?.map(|account| account.id),
        Err(_) => None,
    };
    by_id.with_context(|| format!("there is no account `{name}`"))
}

fn row(account: &Account) -> AccountRow {
    AccountRow {
        id: account.id.clone(),
        username: account.username.clone(),
        kind: account.kind,
        roles: account.all_roles(),
        given: account.roles,
    }
}
