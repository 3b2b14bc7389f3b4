//! People who act for a patient, looked at and changed by whoever runs an installation.
//!
//! The same order is carried out by this process or by the server that runs on the folder; either
//! way it is in the audit log before it is acknowledged. A change is that of a named account, which
//! must be one that may. TRUST: whoever has the folder can name any account.

use std::sync::Arc;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::proxies::{ProxyBasis, ProxyReach};
use proviso_app::via::Via;
use proviso_core::account::{Account, AccountStatus, Relationship};
use proviso_core::category::CategorySet;
use proviso_core::id::PatientId;
use proviso_core::time::{At, Period};
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Those who act or acted for somebody.
    List {
        /// For this patient only.
        patient: Option<PatientId>,
    },
    /// Somebody shall act for a patient.
    Approve {
        /// Who acts for whom, and who says so.
        named: Named,
        /// On what it rests.
        basis: Basis,
        /// Until when at the longest.
        until: Option<At>,
        /// Which kinds of record they may see.
        categories: CategorySet,
    },
    /// Somebody is approved again.
    Renew(Named),
    /// Somebody acts no longer.
    End(Named),
}

/// Who acts for whom, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Who acts: a username or account id.
    pub account: String,
    /// For whom.
    pub patient: PatientId,
    /// Who says so: a username or account id.
    pub by: String,
}

/// On what it rests that somebody acts for a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// They are a parent; the law of this place says until when.
    Parent(String),
    /// The patient appointed them.
    Appointed,
    /// A court did.
    Court,
}

/// Somebody who acts or acted for a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyRow {
    /// The username.
    pub username: String,
    /// Whether they act now.
    pub acts: bool,
    /// For whom, on what it rests, and from when until when, all limits considered.
    pub relationship: Relationship,
}

/// Carries an order out.
///
/// # Errors
/// When it is refused, somebody is not known, or it cannot be logged.
pub async fn carry_out(app: &Arc<App>, order: &Order) -> anyhow::Result<Vec<ProxyRow>> {
    let via = Via::default();
    let changed = match order {
        Order::List { patient } => {
            let found = app.proxies_for_operator(patient.as_ref(), &via).await?;
            return Ok(found.into_iter().map(|own| row(app, own)).collect());
        }
        Order::Approve { named, basis, until, categories } => {
            let (by, proxy) = both(app, named).await?;
            let patient = &named.patient;
            anyhow::ensure!(
                proxy.status == AccountStatus::Active,
                "`{}` is disabled",
                named.account
            );
            anyhow::ensure!(app.knows_patient(patient).await?, "there is no patient `{patient}`");
            let basis = match basis {
                Basis::Parent(jurisdiction) => ProxyBasis::Parent {
                    jurisdiction: jurisdiction.clone(),
                    zone: app.settings().filed.zone.clone(),
                },
                Basis::Appointed => ProxyBasis::Appointed,
                Basis::Court => ProxyBasis::Court,
            };
            let now = app.now();
            anyhow::ensure!(until.is_none_or(|until| until > now), "it would be over already");
            let period = Period { start: Some(now), end: *until };
            let reach = ProxyReach { period, categories: *categories };
            app.approve_proxy(&by, &proxy.id, patient, &basis, reach, &via).await?
        }
        Order::Renew(named) => {
            let (by, proxy) = both(app, named).await?;
            app.approve_proxy_again(&by, &proxy.id, &named.patient, &via).await?
        }
        Order::End(named) => {
            let (by, proxy) = both(app, named).await?;
            app.end_proxy(&by, &proxy.id, &named.patient, &via).await?
        }
    };
    Ok(vec![row(app, changed)])
}

async fn both(app: &App, named: &Named) -> anyhow::Result<(Account, Account)> {
    Ok((account(app, &named.by).await?, account(app, &named.account).await?))
}

async fn account(app: &App, name: &str) -> anyhow::Result<Account> {
    let id = app.account_named(name).await?;
    let account = id.and_then(|id| app.live().account(&id));
    let account = account.with_context(|| format!("there is no account `{name}`"))?;
    Ok(Account::clone(&account))
}

fn row(app: &App, relationship: Relationship) -> ProxyRow {
    let account = app.live().account(&relationship.account);
    let relationship = relationship.limited();
    ProxyRow {
        username: account.map_or_else(String::new, |own| own.username.clone()),
        acts: relationship.period.contains(app.now()),
        relationship,
    }
}
