//! Emergency access and its reviews, as whoever runs an installation looks at and decides them:
//! logged, then answered.
//!
//! The same order is carried out by this process or by the server that runs on the folder. A verdict
//! is that of a named account, which the policy in force must let decide and which is not the one
//! that declared the emergency. TRUST: whoever has the folder can name any account.

use std::sync::Arc;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::emergency::{EmergencyRow, Officer};
use proviso_app::via::Via;
use proviso_core::account::Account;
use proviso_core::emergency::review::{Review, Verdict};
use proviso_core::emergency::{Emergency, Why};
use proviso_core::id::EmergencyId;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Emergencies: those whose review waits, or all.
    List {
        /// Which.
        which: Which,
    },
    /// One, with every version of its review.
    Show(EmergencyId),
    /// A verdict.
    Review {
        /// On which.
        emergency: EmergencyId,
        /// What is found.
        verdict: Verdict,
        /// Why.
        note: Why,
        /// Whose verdict: a username or account id.
        by: String,
    },
    /// The end of one that is in force.
    End {
        /// Which.
        emergency: EmergencyId,
        /// Who ends it: a username or account id.
        by: String,
    },
}

/// Which emergencies are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Those whose review waits.
    Waiting,
    /// All of them.
    All,
}

/// One emergency, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How it stands: `in-force`, `ended` or `expired`.
    pub standing: String,
    /// How its review stands: `open`, `overdue`, `follow-up`, `justified` or `not-justified`.
    pub review_standing: String,
    /// The emergency.
    pub emergency: Emergency,
    /// Its review: the latest version, or each one, oldest first.
    pub reviews: Vec<Review>,
}

/// Carries an order out.
///
/// # Errors
/// When it is refused, there is no such emergency, or it cannot be logged.
pub async fn carry_out(app: &Arc<App>, order: &Order) -> anyhow::Result<Vec<Row>> {
    let via = Via::default();
    let now = app.now();
    match order {
        Order::List { which } => {
            let mut rows = app.emergencies_for_operator(&via).await?;
            if *which == Which::Waiting {
                rows.retain(|row| row.review.standing(now).is_waiting());
            }
            Ok(rows.into_iter().map(|row| latest(row, now)).collect())
        }
        Order::Show(id) => {
            let found = app.emergency_for_operator(id, &via).await?;
            let (row, reviews) = found.with_context(|| none(id))?;
            let reviews = if reviews.is_empty() { vec![row.review.clone()] } else { reviews };
            Ok(vec![Row { reviews, ..latest(row, now) }])
        }
        Order::Review { emergency, verdict, note, by } => {
            let account = account(app, by).await?;
            let officer = Officer { account: &account, session: None, via: &via };
            let decided = app.review_emergency(officer, emergency, *verdict, note.clone()).await?;
            let row = decided.with_context(|| format!("the review of `{emergency}` stays open"))?;
            Ok(vec![latest(row, now)])
        }
        Order::End { emergency, by } => {
            let account = account(app, by).await?;
            let officer = Officer { account: &account, session: None, via: &via };
            let ended = app.end_emergency_of(officer, emergency).await?;
            ended.with_context(|| format!("`{emergency}` is not ended"))?;
            let found = app.emergency_for_operator(emergency, &via).await?;
            let (row, _) = found.with_context(|| none(emergency))?;
            Ok(vec![latest(row, app.now())])
        }
    }
}

fn none(id: &EmergencyId) -> String {
    format!("there is no emergency access `{id}`")
}

pub(crate) async fn account(app: &Arc<App>, name: &str) -> anyhow::Result<Account> {
    let id = app.account_named(name).await?;
    let account = id.and_then(|id| app.live().account(&id));
    let account = account.with_context(|| format!("there is no account `{name}`"))?;
    Ok(Account::clone(&account))
}

fn latest(row: EmergencyRow, now: At) -> Row {
    Row {
        standing: row.emergency.standing(now).code().to_owned(),
        review_standing: row.review.standing(now).code().to_owned(),
        emergency: row.emergency,
        reviews: vec![row.review],
    }
}
