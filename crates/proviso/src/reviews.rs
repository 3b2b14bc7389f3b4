//! Reviews of accesses, as whoever runs an installation looks at and decides them: logged, then
//! answered. As for [`crate::emergencies`], which has the same rules.

use std::sync::Arc;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::emergency::Officer;
use proviso_app::oversight::ReviewList;
use proviso_app::via::Via;
use proviso_core::emergency::Why;
use proviso_core::emergency::review::Verdict;
use proviso_core::id::AuditEntryId;
use proviso_core::oversight::AccessReview;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

use crate::emergencies::account;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Reviews.
    List {
        /// Which.
        list: ReviewList,
        /// At most so many.
        limit: usize,
    },
    /// One, in every version.
    Show(AuditEntryId),
    /// A verdict.
    Decide {
        /// On which access.
        access: AuditEntryId,
        /// What is found.
        verdict: Verdict,
        /// Why.
        note: Why,
        /// Whose verdict: a username or account id.
        by: String,
    },
}

/// One access, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How its review stands: `open`, `overdue`, `follow-up`, `justified` or `not-justified`.
    pub standing: String,
    /// Its review: the latest version, or each one, oldest first.
    pub reviews: Vec<AccessReview>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The accesses.
    pub rows: Vec<Row>,
    /// Whether there are more.
    pub more: bool,
}

/// Carries an order out.
///
/// # Errors
/// When it is refused, there is no such review, or it cannot be logged.
pub async fn carry_out(app: &Arc<App>, order: &Order) -> anyhow::Result<Rows> {
    let via = Via::default();
    let now = app.now();
    match order {
        Order::List { list, limit } => {
            let page = app.access_reviews_for_operator(list, *limit, &via).await?;
            let rows = page.reviews.into_iter().filter_map(|review| row(vec![review], now));
            Ok(Rows { rows: rows.collect(), more: page.next.is_some() })
        }
        Order::Show(access) => {
            let versions = app.access_review_for_operator(access, &via).await?;
            let row = row(versions, now).with_context(|| format!("`{access}` is not reviewed"))?;
            Ok(Rows { rows: vec![row], more: false })
        }
        Order::Decide { access, verdict, note, by } => {
            let account = account(app, by).await?;
            let officer = Officer { account: &account, session: None, via: &via };
            let decided = app.review_access(officer, access, *verdict, note.clone()).await?;
            let review = decided.with_context(|| format!("the review of `{access}` stays open"))?;
            Ok(Rows { rows: row(vec![review], app.now()).into_iter().collect(), more: false })
        }
    }
}

fn row(reviews: Vec<AccessReview>, now: At) -> Option<Row> {
    let standing = reviews.last()?.standing(now).code().to_owned();
    Some(Row { standing, reviews })
}
