//! Roles of people: who has which, given and taken.
//!
//! A role is held by an account beside those of its kind. Each change is one batch with its audit
//! entry and in force before it is acknowledged: the next request of that person is decided with
//! the roles of then.

use proviso_core::account::{Account, AccountStatus, ActorKind};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::id::AccountId;
use proviso_core::org::{Governance, OrgAction, OrgQuestion, OrgResource, Role, RoleSet};
use proviso_store::{Batch, Op, Precondition, Presence};

use crate::App;
use crate::failure::Failure;
use crate::policy::Changer;
use crate::via::Via;

/// What is done with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleChange {
    /// The person has it from now on.
    Give,
    /// The person has it no longer.
    Take,
}

/// Who changes a role.
#[derive(Debug, Clone, Copy)]
pub enum RoleKeeper<'a> {
    /// Whoever runs this installation, at its own machine.
    Operator(&'a Via),
    /// A person, whom the policies in force must let change accounts.
    Person(Changer<'a>),
}

/// Why a role was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeRoleError {
    /// The policies in force do not let this person do it.
    #[error("the person may not change accounts")]
    NotAllowed,
    /// Nobody gives themselves a role.
    #[error("nobody changes their own roles")]
    Own,
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// Accounts of this kind have no roles.
    #[error("an account of this kind has no roles; work needs an account of its own")]
    NoStaff(ActorKind),
    /// People do not have this role.
    #[error("`{0}` is no role of people")]
    NotForPeople(Role),
    /// The role comes with the kind of account.
    #[error("`{0}` comes with the kind of account and cannot be taken")]
    OfKind(Role),
    /// Something inside failed; nothing was changed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl App {
    /// Gives a person a role, or takes it. What is so already is done, and logged all the same.
    ///
    /// # Errors
    /// When the keeper may not, or the account cannot have or lose the role.
    pub async fn change_role(
        &self,
        keeper: RoleKeeper<'_>,
        account: &AccountId,
        change: RoleChange,
        role: Role,
    ) -> Result<Account, ChangeRoleError> {
        // An account is saved as a whole: two changes at once would undo each other.
        let _one_at_a_time = self.accounts.lock().await;
        let action = match change {
            RoleChange::Give => format!("role-give-{role}"),
            RoleChange::Take => format!("role-take-{role}"),
        };
        self.may_keep_roles(keeper, account, &action).await?;
        let before = self.store.account(account).await.map_err(Failure::from)?;
        let mut changed = before.ok_or(ChangeRoleError::NotFound)?;
        changed.roles = roles_after(&changed, change, role)?;
        let mut entry = self.role_entry(keeper, AuditOutcome::Success, &action)?;
        entry.about = Some(account.clone());
        let op = Op::PutAccount { account: changed.clone(), expect: Presence::Present };
        match self.commit(Batch::new().with(op), entry).await.map_err(Failure::from) {
            Ok(_) => Ok(changed),
            Err(failure) if failure.precondition() == Some(&Precondition::Missing) => {
                Err(ChangeRoleError::NotFound)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn may_keep_roles(
        &self,
        keeper: RoleKeeper<'_>,
        account: &AccountId,
        action: &str,
    ) -> Result<(), ChangeRoleError> {
        let who = match keeper {
            RoleKeeper::Operator(_) => return Ok(()),
            RoleKeeper::Person(who) => who,
        };
        let answer = self.policies.answer(&OrgQuestion {
            purpose: PurposeOfUse::Operations,
            action: OrgAction::Update,
            resource: OrgResource::Governance(Governance::Accounts),
            environment: who.environment.clone(),
            ..OrgQuestion::of_staff(who.account)
        });
        let active = who.account.status == AccountStatus::Active;
        let own = who.account.id == *account;
        if answer.is_permit() && active && !own {
            return Ok(());
        }
        let mut entry = self.role_entry(keeper, AuditOutcome::Denied, action)?;
        entry.about = Some(account.clone());
        entry.reasons = answer.reasons.iter().copied().filter(|own| !own.is_basis()).collect();
        self.append_audit(entry).await.map_err(Failure::from)?;
        let allowed = answer.is_permit() && active;
        Err(if allowed { ChangeRoleError::Own } else { ChangeRoleError::NotAllowed })
    }

    fn role_entry(
        &self,
        keeper: RoleKeeper<'_>,
        outcome: AuditOutcome,
        action: &str,
    ) -> Result<proviso_core::audit::AuditEntry, Failure> {
        let (via, by) = match keeper {
            RoleKeeper::Operator(via) => (via, None),
            RoleKeeper::Person(who) => (who.via, Some(who.account.id.clone())),
        };
        let mut entry = self.draft_entry(via, AuditKind::Administration, outcome, action)?;
        entry.account = by;
        entry.policy_version = Some(self.policies.live().policy_version());
        Ok(entry)
    }
}

fn roles_after(
    account: &Account,
    change: RoleChange,
    role: Role,
) -> Result<RoleSet, ChangeRoleError> {
    if !account.kind.takes_roles() {
        return Err(ChangeRoleError::NoStaff(account.kind));
    }
    if !role.is_for_people() {
        return Err(ChangeRoleError::NotForPeople(role));
    }
    let of_kind = RoleSet::of_kind(account.kind).contains(role);
    match change {
        RoleChange::Give if of_kind => Ok(account.roles),
        RoleChange::Give => Ok(account.roles.with(role)),
        RoleChange::Take if of_kind => Err(ChangeRoleError::OfKind(role)),
        RoleChange::Take => Ok(account.roles.without(role)),
    }
}

#[cfg(test)]
mod tests;
