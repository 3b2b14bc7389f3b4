//! `proviso emergency`: emergency access and its reviews.

use anyhow::Context as _;
use proviso_core::emergency::review::{Finding, Verdict};
use proviso_core::id::EmergencyId;
use proviso_core::time::At;

use super::Ending;
use crate::cli::{self, EmergencyCommand};
use crate::console;
use crate::control::{self, Outcome};
use crate::emergencies::{self, Order, Row, Which};
use crate::installation::Installation;

/// Runs it.
///
/// # Errors
/// When the installation cannot be opened, there is no such emergency, or the verdict is refused.
pub async fn run(command: &EmergencyCommand) -> anyhow::Result<Ending> {
    let (installation, json, order, nothing) = match command {
        EmergencyCommand::List(arguments) => {
            let which = if arguments.all { Which::All } else { Which::Waiting };
            let nothing = match which {
                Which::All => "nobody has declared an emergency",
                Which::Waiting => "no review waits",
            };
            (&arguments.installation, arguments.json, Order::List { which }, nothing)
        }
        EmergencyCommand::Show(arguments) => {
            let order = Order::Show(emergency(&arguments.emergency)?);
            (&arguments.installation, arguments.json, order, "")
        }
        EmergencyCommand::Review(arguments) => {
            let order = Order::Review {
                emergency: emergency(&arguments.emergency)?,
                verdict: verdict(&arguments.verdict)?,
                note: arguments.note.parse().context("the note says why in words")?,
                by: arguments.by.clone(),
            };
            (&arguments.installation, arguments.json, order, "")
        }
        EmergencyCommand::End(arguments) => {
            let order = Order::End {
                emergency: emergency(&arguments.emergency)?,
                by: arguments.by.clone(),
            };
            (&arguments.installation, arguments.json, order, "")
        }
    };
    let rows = ask(installation, order).await?;
    if json {
        console::line(&serde_json::json!({ "emergencies": rows }).to_string());
    } else if rows.is_empty() {
        console::line(nothing);
    } else {
        rows.iter().for_each(describe);
    }
    Ok(Ending::Done)
}

pub(super) fn verdict(code: &str) -> anyhow::Result<Verdict> {
    Verdict::of_code(code).with_context(|| {
        format!("`{code}` is not a verdict: justified, not-justified or follow-up")
    })
}

fn emergency(text: &str) -> anyhow::Result<EmergencyId> {
    text.parse().with_context(|| format!("`{text}` is not the id of an emergency access"))
}

async fn ask(named: &cli::Installation, order: Order) -> anyhow::Result<Vec<Row>> {
    let installation = Installation::named_by(named)?;
    anyhow::ensure!(installation.database().exists(), "there is nothing yet; start it once");
    match installation.lock() {
        Ok(lock) => emergencies::carry_out(&installation.open(&lock).await?, &order).await,
        // A server has the folder: it decides and writes the log, so it answers.
        Err(taken) => {
            let order = control::Order::Emergencies(order);
            match control::ask(&installation.data_dir, order).await? {
                Some(Outcome::Emergencies(rows)) => Ok(rows),
                Some(other) => Err(other.unexpected()),
                None => Err(taken),
            }
        }
    }
}

fn describe(row: &Row) {
    let declared = &row.emergency.declaration;
    let heading = format!("{}: {}, review {}", declared.id, row.standing, row.review_standing);
    console::line(&console::bold(&heading));
    let fact = |name: &str, value: &str| console::line(&format!("      {name:<12} {value}"));
    fact("declared by", declared.by.as_str());
    fact("patient", declared.patient.as_str());
    fact("reason", declared.reason.code());
    fact("why", declared.why.as_str());
    fact("from", &declared.declared_at.to_string());
    fact("until", &declared.ends_at.to_string());
    for review in &row.reviews {
        tell_review(review.due_at, review.finding(), &fact);
    }
}

/// What there is to say of a review: by when it is due, or what was found.
pub(super) fn tell_review(due_at: At, finding: Option<&Finding>, fact: &impl Fn(&str, &str)) {
    match finding {
        None => fact("review due", &due_at.to_string()),
        Some(finding) => {
            fact("found", &format!("{} by {}", finding.verdict.code(), finding.by));
            fact("at", &finding.at.to_string());
            fact("note", finding.note.as_str());
        }
    }
}
