//! A question of the operator on this machine: may somebody do something now, and why.

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::evaluation::{Asker, Question, interaction_named};
use proviso_app::via::Via;
use proviso_core::category::PurposeOfUse;
use proviso_core::decision::explain::Explanation;
use proviso_core::id::DecisionId;
use proviso_core::reason::ReasonCode;
use serde::{Deserialize, Serialize};

/// What is asked, in the words of the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `account`, `app` or `grant`.
    pub kind: String,
    /// Its name or id.
    pub id: String,
    /// For whom an app acts.
    pub account: Option<String>,
    /// What would be done.
    pub action: String,
    /// With which record, as `Type/id`.
    pub resource: String,
    /// What for, as a code.
    pub purpose: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whether it is permitted.
    pub permitted: bool,
    /// Why, or why not.
    pub reasons: Vec<ReasonCode>,
    /// The name of the decision in the log.
    pub decision: DecisionId,
    /// The digest of what it was made from.
    pub digest: Option<String>,
    /// The tree.
    pub explanation: Option<Explanation>,
}

/// Decides, and logs that it was asked.
///
/// # Errors
/// When a word of the question is not known, or there is no answer.
pub async fn decide(app: &App, asked: &Asked) -> anyhow::Result<Told> {
    let (kind, id) = asked.resource.split_once('/').context("name the record as `Type/id`")?;
    let subject = app
        .subject_named(&asked.kind, &asked.id, asked.account.as_deref())
        .await?
        .with_context(|| format!("there is no {} `{}`", asked.kind, asked.id))?;
    let purpose = asked.purpose.as_deref().map(str::parse::<PurposeOfUse>).transpose();
    let question = Question {
        subject,
        interaction: interaction_named(&asked.action).with_context(|| {
            format!("`{}` is not an action that can be asked about", asked.action)
        })?,
        resource_type: kind
            .parse()
            .with_context(|| format!("`{kind}` is not a type of FHIR R4"))?,
        id: id.parse().with_context(|| format!("`{id}` is not an id of FHIR"))?,
        purpose: purpose.context("the purpose is not one that is known, such as TREAT")?,
    };
    let via = Via::default();
    let operator = Asker { caller: None, via: &via };
    let questions = [question];
    let decided = app.evaluations()?.evaluate(operator, &questions, |_| false).await?;
    let one = decided.into_iter().next().context("no answer")?;
    Ok(Told {
        permitted: one.decision.is_permit(),
        reasons: one.decision.reasons,
        decision: one.id,
        digest: one.digest,
        explanation: one.explanation,
    })
}
