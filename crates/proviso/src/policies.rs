//! Sets of policies on record and the steps by which they come into force, as whoever runs an
//! installation takes them.
//!
//! The same order is carried out by this process or by the server that runs on the folder. A step is
//! that of a named account: the policies in force say whether it may, and who proposed a set cannot
//! decide on it. TRUST: whoever has the folder can name any account.

use std::sync::Arc;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::policy::{ChangePoliciesError, Changer, Documents};
use proviso_app::via::Via;
use proviso_core::account::Account;
use proviso_core::org::Environment;
use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetId, PolicySetRecord};
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// What is on record and in force.
    List,
    /// A set is proposed.
    Propose {
        /// The set.
        documents: Box<Documents>,
        /// Why.
        note: String,
        /// Who proposes it: a username or account id.
        by: String,
    },
    /// One step with a set on record.
    Step {
        /// Which.
        step: Step,
        /// The set: its id or enough of its beginning. `shipped` for the one that comes with this
        /// release where it is put in force, `none` where none shall be tried out any more.
        set: String,
        /// Who takes it: a username or account id.
        by: String,
    },
}

/// A step with a set on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It is approved.
    Approve,
    /// It is rejected.
    Reject,
    /// It comes into force.
    Activate,
    /// It is tried out.
    Try,
}

/// What is on record and in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetsOnRecord {
    /// Which sets are in force.
    pub in_force: PoliciesInForce,
    /// The sets, oldest first.
    pub sets: Vec<PolicySetRecord>,
}

/// Carries an order out; what is on record and in force then.
///
/// # Errors
/// When it is refused, or somebody or something is not known.
pub async fn carry_out(app: &Arc<App>, order: &Order) -> anyhow::Result<SetsOnRecord> {
    match order {
        Order::List => {}
        Order::Propose { documents, note, by } => {
            let account = account(app, by).await?;
            let (environment, via) = (Environment::default(), Via::default());
            let who = Changer { account: &account, environment: &environment, via: &via };
            let documents = Documents::clone(documents);
            app.propose_policies(who, documents, note).await.map_err(in_words)?;
        }
        Order::Step { step, set, by } => {
            let account = account(app, by).await?;
            let (environment, via) = (Environment::default(), Via::default());
            let who = Changer { account: &account, environment: &environment, via: &via };
            take(app, who, *step, set).await?;
        }
    }
    let mut sets = app.store().policy_sets().await?;
    sets.sort_by(|a, b| (a.proposed.at, &a.id).cmp(&(b.proposed.at, &b.id)));
    Ok(SetsOnRecord { in_force: app.store().policies_in_force().await?, sets })
}

async fn take(app: &Arc<App>, who: Changer<'_>, step: Step, set: &str) -> anyhow::Result<()> {
    let id = match (step, set) {
        (Step::Activate, "shipped") | (Step::Try, "none") => None,
        (Step::Approve | Step::Reject | Step::Activate | Step::Try, named) => {
            Some(found(app, named).await?)
        }
    };
    let taken = match (step, &id) {
        (Step::Approve, Some(id)) => app.approve_policies(who, id).await.map(drop),
        (Step::Reject, Some(id)) => app.reject_policies(who, id).await.map(drop),
        (Step::Activate, id) => app.activate_policies(who, id.as_ref()).await.map(drop),
        (Step::Try, id) => app.shadow_policies(who, id.as_ref()).await.map(drop),
        (Step::Approve | Step::Reject, None) => Err(ChangePoliciesError::NotFound),
    };
    taken.map_err(in_words)
}

/// The set on record whose id begins like this.
async fn found(app: &App, named: &str) -> anyhow::Result<PolicySetId> {
    let sets = app.store().policy_sets().await?;
    let mut alike = sets.into_iter().map(|own| own.id).filter(|id| id.as_str().starts_with(named));
    let one = alike.next().filter(|_| !named.is_empty());
    let one = one.with_context(|| format!("there is no set of policies `{named}`"))?;
    anyhow::ensure!(alike.next().is_none(), "several sets of policies begin with `{named}`");
    Ok(one)
}

/// With each finding on a line of its own.
fn in_words(error: ChangePoliciesError) -> anyhow::Error {
    if let ChangePoliciesError::Refused(findings) = &error {
        let told: Vec<String> = findings.iter().map(|own| format!("\n  {own}")).collect();
        return anyhow::anyhow!("{error}{}", told.concat());
    }
    error.into()
}

async fn account(app: &App, name: &str) -> anyhow::Result<Account> {
    let id = app.account_named(name).await?;
    let account = id.and_then(|id| app.live().account(&id));
    let account = account.with_context(|| format!("there is no account `{name}`"))?;
    Ok(Account::clone(&account))
}
