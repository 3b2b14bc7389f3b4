//! `proviso review`: accesses that a policy has looked at afterwards.

use anyhow::Context as _;
use proviso_app::oversight::ReviewList;
use proviso_core::category::PurposeOfUse;
use proviso_core::id::{AccountId, AuditEntryId, ClientId, PatientId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;

use super::Ending;
use crate::cli::{self, ReviewCommand};
use crate::console;
use crate::control::{self, Outcome};
use crate::installation::Installation;
use crate::reviews::{self, Order, Row, Rows};

/// Runs it.
///
/// # Errors
/// When the installation cannot be opened, there is no such review, or the verdict is refused.
pub async fn run(command: &ReviewCommand) -> anyhow::Result<Ending> {
    let (installation, json, order, nothing) = match command {
        ReviewCommand::List(arguments) => {
            let (list, nothing) = if arguments.all {
                let before = arguments.before.as_deref().map(access).transpose()?;
                (ReviewList::All(before), "no access was to be reviewed")
            } else {
                (ReviewList::Waiting(None), "no review waits")
            };
            let order = Order::List { list, limit: usize::from(arguments.limit) };
            (&arguments.installation, arguments.json, order, nothing)
        }
        ReviewCommand::Show(arguments) => {
            let order = Order::Show(access(&arguments.access)?);
            (&arguments.installation, arguments.json, order, "")
        }
        ReviewCommand::Decide(arguments) => {
            let order = Order::Decide {
                access: access(&arguments.access)?,
                verdict: super::emergency::verdict(&arguments.verdict)?,
                note: arguments.note.parse().context("the note says why in words")?,
                by: arguments.by.clone(),
            };
            (&arguments.installation, arguments.json, order, "")
        }
    };
    let found = ask(installation, order).await?;
    if json {
        let answer = serde_json::json!({ "reviews": found.rows, "more": found.more });
        console::line(&answer.to_string());
    } else if found.rows.is_empty() {
        console::line(nothing);
    } else {
        found.rows.iter().for_each(describe);
        if found.more {
            console::line("there are more; see --limit and --before");
        }
    }
    Ok(Ending::Done)
}

fn access(text: &str) -> anyhow::Result<AuditEntryId> {
    text.parse().with_context(|| format!("`{text}` is not the id of an entry in the log"))
}

async fn ask(named: &cli::Installation, order: Order) -> anyhow::Result<Rows> {
    let installation = Installation::named_by(named)?;
    anyhow::ensure!(installation.database().exists(), "there is nothing yet; start it once");
    match installation.lock() {
        Ok(lock) => reviews::carry_out(&installation.open(&lock).await?, &order).await,
        // A server has the folder: it decides and writes the log, so it answers.
        Err(taken) => {
            let order = control::Order::Reviews(order);
            match control::ask(&installation.data_dir, order).await? {
                Some(Outcome::Reviews(rows)) => Ok(rows),
                Some(other) => Err(other.unexpected()),
                None => Err(taken),
            }
        }
    }
}

fn describe(row: &Row) {
    let Some(access) = row.reviews.last().map(|review| &review.access) else { return };
    console::line(&console::bold(&format!("{}: {}", access.entry, row.standing)));
    let fact = |name: &str, value: &str| console::line(&format!("      {name:<12} {value}"));
    let patients: Vec<&str> = access.patients.iter().map(PatientId::as_str).collect();
    let what = access.interaction.as_ref().map_or("asked", Interaction::code);
    let of = access.resource_type.map_or("records", ResourceType::as_str);
    fact("at", &access.at.to_string());
    fact("by", access.account.as_ref().map_or("a service", AccountId::as_str));
    fact("with", access.client.as_ref().map_or("no app", ClientId::as_str));
    fact("patients", &patients.join(", "));
    fact("what", &format!("{what} {of}, {} released", access.released));
    fact("for", access.purpose.map_or("nothing named", PurposeOfUse::code));
    if let Some(decision) = &access.decision {
        fact("decision", decision.as_str());
    }
    for review in &row.reviews {
        super::emergency::tell_review(review.due_at, review.finding(), &fact);
    }
}
