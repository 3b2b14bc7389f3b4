//! A look at sharing choices by whoever runs an installation: logged, then answered.
//!
//! The same question is answered by this process or by the server that runs on the folder; either
//! way the look is in the audit log before its answer is anywhere.

use std::sync::Arc;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::via::Via;
use proviso_core::category::{Category, PurposeOfUse, SensitiveKind};
use proviso_core::consent::{Change, ConsentVersion, NamedConsent, Standing, Timeline};
use proviso_core::id::{ConsentId, PatientId};
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// The latest version of a choice.
    Latest(ConsentId),
    /// Every version of a choice.
    Every(ConsentId),
    /// The version of a choice that was on record at an instant.
    OnRecord(ConsentId, At),
    /// What was in force for a patient at an instant.
    InForce(PatientId, At),
}

/// One version, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// The hash of its content.
    pub version_id: String,
    /// How it stood at the instant asked about: `in-force`, `revoked` or `not-in-force`.
    pub standing: String,
    /// What it changed of the version before it.
    pub changes: Vec<String>,
    /// The version itself.
    pub version: ConsentVersion,
}

/// Logs the look and answers it.
///
/// # Errors
/// When there is no such choice, a history is damaged, or the look cannot be logged.
pub async fn look(app: &Arc<App>, question: &Question) -> anyhow::Result<Vec<VersionRow>> {
    let now = app.now();
    let (patients, rows) = match question {
        Question::Latest(consent) => {
            let line = existing(app, consent).await?;
            let latest = line.latest();
            (vec![latest.version().patient.clone()], vec![row(&line, latest, now)])
        }
        Question::Every(consent) => {
            let line = existing(app, consent).await?;
            let patient = line.latest().version().patient.clone();
            // Each version as it stood when it was recorded.
            let at = |named: &NamedConsent| named.version().recorded_at;
            (vec![patient], line.versions().map(|named| row(&line, named, at(named))).collect())
        }
        Question::OnRecord(consent, at) => {
            let line = existing(app, consent).await?;
            let patient = line.latest().version().patient.clone();
            (vec![patient], line.at(*at).map(|named| row(&line, named, *at)).into_iter().collect())
        }
        Question::InForce(patient, at) => {
            let lines = app.timelines_of_patient(patient).await?;
            let rows = lines
                .iter()
                .filter_map(|line| Some(row(line, line.in_force_at(*at)?, *at)))
                .collect();
            (vec![patient.clone()], rows)
        }
    };
    app.log_choices_shown(patients, &Via::default()).await.context("the look cannot be logged")?;
    Ok(rows)
}

async fn existing(app: &Arc<App>, consent: &ConsentId) -> anyhow::Result<Timeline> {
    let line = app.consent_timeline(consent).await?;
    line.with_context(|| format!("there is no sharing choice `{consent}`"))
}

fn row(line: &Timeline, named: &NamedConsent, at: At) -> VersionRow {
    let version = named.version();
    let before = version.number.checked_sub(1).and_then(|number| line.number(number));
    let changes = before.map(|before| version.changes_from(before.version())).unwrap_or_default();
    VersionRow {
        version_id: named.id().to_string(),
        standing: match version.standing(at) {
            Standing::InForce => "in-force",
            Standing::Revoked => "revoked",
            Standing::NotInForce => "not-in-force",
        }
        .to_owned(),
        changes: changes.iter().map(|change| change_text(change, version)).collect(),
        version: version.clone(),
    }
}

fn change_text(change: &Change, version: &ConsentVersion) -> String {
    let list = |codes: Vec<&'static str>| codes.join(", ");
    match change {
        Change::CategoriesAdded(set) => {
            format!("shares also {}", list(set.iter().map(Category::code).collect()))
        }
        Change::CategoriesRemoved(set) => {
            format!("no longer shares {}", list(set.iter().map(Category::code).collect()))
        }
        Change::SensitiveAdded(set) => {
            format!("names also {}", list(set.iter().map(SensitiveKind::code).collect()))
        }
        Change::SensitiveRemoved(set) => {
            format!("no longer names {}", list(set.iter().map(SensitiveKind::code).collect()))
        }
        Change::PurposesAdded(set) => {
            format!("also for {}", list(set.iter().map(PurposeOfUse::code).collect()))
        }
        Change::PurposesRemoved(set) => {
            format!("no longer for {}", list(set.iter().map(PurposeOfUse::code).collect()))
        }
        Change::Status => format!("is {}", version.status.code()),
        Change::Period => "another period".to_owned(),
        Change::DataPeriod => "another period of the data".to_owned(),
        Change::Offline => format!("access while away is {}", version.offline.code()),
        Change::Scopes => "other scopes".to_owned(),
        Change::Giver => format!("given by {}", version.given_by),
        Change::Recipient => "another recipient".to_owned(),
        Change::Wording => "another text, language or legal basis".to_owned(),
    }
}
