//! `proviso consent`: sharing choices, now and at any past instant.

use anyhow::Context as _;
use proviso_core::category::{Category, PurposeOfUse, SensitiveKind};
use proviso_core::consent::{ConsentVersion, Recipient};
use proviso_core::id::ConsentId;
use proviso_core::time::{At, Period};

use super::{Ending, simulate};
use crate::choices::{self, Question, VersionRow};
use crate::cli::{self, ConsentArgs, ConsentAtArgs, ConsentCommand};
use crate::console;
use crate::control::{self, Order, Outcome};
use crate::installation::Installation;

/// Runs it.
///
/// # Errors
/// When the installation cannot be opened, there is no such choice, or its history is damaged.
pub async fn run(command: &ConsentCommand) -> anyhow::Result<Ending> {
    match command {
        ConsentCommand::Show(arguments) => {
            let question = Question::Latest(consent(arguments)?);
            Ok(tell(&ask(&arguments.installation, question).await?, arguments.json, ""))
        }
        ConsentCommand::History(arguments) => {
            let question = Question::Every(consent(arguments)?);
            Ok(tell(&ask(&arguments.installation, question).await?, arguments.json, ""))
        }
        ConsentCommand::At(arguments) => {
            let (question, nothing) = at(arguments)?;
            let rows = ask(&arguments.installation, question).await?;
            Ok(tell(&rows, arguments.json, &nothing))
        }
        ConsentCommand::Who(arguments) => simulate::who(arguments).await,
        ConsentCommand::WhatIf(arguments) => simulate::what_if(arguments).await,
        ConsentCommand::Explain(arguments) => simulate::explain(arguments).await,
    }
}

fn consent(arguments: &ConsentArgs) -> anyhow::Result<ConsentId> {
    parse_consent(&arguments.consent)
}

fn parse_consent(text: &str) -> anyhow::Result<ConsentId> {
    text.parse().with_context(|| format!("`{text}` is not the id of a sharing choice"))
}

fn at(arguments: &ConsentAtArgs) -> anyhow::Result<(Question, String)> {
    let at = At::parse(&arguments.at).with_context(|| {
        format!("`{}` is not an instant such as 2026-11-22T14:02:09Z", arguments.at)
    })?;
    match (&arguments.of.patient, &arguments.of.consent) {
        (Some(patient), _) => {
            let patient = patient
                .parse()
                .with_context(|| format!("`{patient}` is not the id of a patient"))?;
            let nothing = format!("nothing was in force for {patient} at {at}");
            Ok((Question::InForce(patient, at), nothing))
        }
        (None, Some(consent)) => {
            let consent = parse_consent(consent)?;
            let nothing = format!("{consent} had not been recorded at {at}");
            Ok((Question::OnRecord(consent, at), nothing))
        }
        (None, None) => {
            anyhow::bail!("name a patient with `--patient` or a choice with `--consent`")
        }
    }
}

pub(super) async fn ask(
    named: &cli::Installation,
    question: Question,
) -> anyhow::Result<Vec<VersionRow>> {
    let installation = Installation::named_by(named)?;
    anyhow::ensure!(installation.database().exists(), "there are no choices yet; start it once");
    match installation.lock() {
        Ok(lock) => choices::look(&installation.open(&lock).await?, &question).await,
        // A server has the folder: it writes the log, so it answers.
        Err(taken) => {
            let asked = control::ask(&installation.data_dir, Order::Choices(question)).await?;
            match asked {
                Some(Outcome::Choices(rows)) => Ok(rows),
                Some(Outcome::Failed(why)) => anyhow::bail!("{why}"),
                Some(
                    Outcome::Active(_)
                    | Outcome::Decided(_)
                    | Outcome::Simulated(_)
                    | Outcome::Emergencies(_),
                ) => {
                    anyhow::bail!("the running server answered another order")
                }
                None => Err(taken),
            }
        }
    }
}

fn tell(rows: &[VersionRow], json: bool, nothing: &str) -> Ending {
    if json {
        console::line(&serde_json::json!({ "versions": rows }).to_string());
        return Ending::Done;
    }
    if rows.is_empty() {
        console::line(nothing);
    }
    for row in rows {
        describe(row);
    }
    Ending::Done
}

pub(super) fn describe(row: &VersionRow) {
    let version = &row.version;
    let heading = format!("{} version {}: {}", version.consent, version.number, row.standing);
    console::line(&console::bold(&heading));
    let fact = |name: &str, value: &str| {
        console::line(&format!("      {name:<12} {value}"));
    };
    fact("recorded", &version.recorded_at.to_string());
    fact("status", version.status.code());
    fact("patient", version.patient.as_str());
    fact("given by", &format!("{} ({})", version.given_by, version.capacity.code()));
    fact("to", &recipient(version));
    fact("shares", &codes(version.categories.iter().map(Category::code)));
    fact("sensitive", &codes(version.sensitive.iter().map(SensitiveKind::code)));
    fact("for", &codes(version.purposes.iter().map(PurposeOfUse::code)));
    fact("period", &period(&version.period));
    if !version.data_period.is_unbounded() {
        fact("data from", &period(&version.data_period));
    }
    fact("text shown", &format!("{} ({})", version.shown_text_hash, version.language));
    fact("version id", &row.version_id);
    if let Some(why) = &version.change_reason {
        fact("because", why);
    }
    for change in &row.changes {
        fact("changed", change);
    }
}

fn recipient(version: &ConsentVersion) -> String {
    match &version.recipient {
        Recipient::App(id) => format!("app {id}"),
        Recipient::Person(id) => format!("person {id}"),
        Recipient::Organization(id) => format!("organization {id}"),
        Recipient::CareTeam(id) => format!("care team {id}"),
    }
}

fn codes<'a>(codes: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = codes.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn period(period: &Period) -> String {
    let bound = |at: Option<At>, open: &str| at.map_or_else(|| open.to_owned(), At::to_rfc3339);
    format!("{} until {}", bound(period.start, "always"), bound(period.end, "stopped"))
}
