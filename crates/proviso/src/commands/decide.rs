//! `proviso decide`: whether somebody may do something with a record now, and why.

use anyhow::Context as _;
use proviso_core::reason::Language;
use proviso_gateway::GatewaySettings;
use proviso_http::Demonstration;

use super::Ending;
use super::replay::describe_tree;
use super::serve::{gateway_settings, planes};
use crate::cli::DecideArgs;
use crate::console::{self, Mark};
use crate::control::{self, Order, Outcome};
use crate::installation::Installation;
use crate::question::{self, Asked, Told};

/// Runs it. A running server decides itself, from what is in force in it.
///
/// # Errors
/// When a word of the question is not known, or there is no answer.
pub async fn run(arguments: &DecideArgs) -> anyhow::Result<Ending> {
    let installation = Installation::named_by(&arguments.installation)?;
    anyhow::ensure!(installation.database().exists(), "there is nothing yet; start it once");
    let asked = asked(arguments)?;
    let told = match installation.lock() {
        Ok(lock) => {
            let app = installation.open(&lock).await?;
            let settings = match &installation.config {
                Some(config) => gateway_settings(config)?,
                None => GatewaySettings::embedded(installation.settings.public_url.clone()),
            };
            // The router is not served; it holds the data plane that decides.
            let planes = planes(&app, settings, Demonstration::Off)?;
            let told = question::decide(&app, &asked).await;
            drop(planes);
            told?
        }
        Err(taken) => {
            let order = Order::Decide(asked.clone());
            match control::ask(&installation.data_dir, order).await? {
                Some(Outcome::Decided(told)) => *told,
                Some(other) => return Err(other.unexpected()),
                None => return Err(taken),
            }
        }
    };
    if arguments.json {
        console::line(&serde_json::to_string(&told)?);
    } else {
        describe(&asked, &told);
    }
    Ok(if told.permitted { Ending::Done } else { Ending::FoundWrong })
}

fn asked(arguments: &DecideArgs) -> anyhow::Result<Asked> {
    let subject = &arguments.subject;
    let named = [("account", &subject.account), ("app", &subject.app), ("grant", &subject.grant)];
    let (kind, id) = named
        .into_iter()
        .find_map(|(kind, id)| Some((kind, id.clone()?)))
        .context("name somebody with `--account`, `--app` or `--grant`")?;
    Ok(Asked {
        kind: kind.to_owned(),
        id,
        account: arguments.on_behalf_of.clone(),
        action: arguments.action.clone(),
        resource: arguments.resource.clone(),
        purpose: arguments.purpose.clone(),
    })
}

fn describe(asked: &Asked, told: &Told) {
    let Asked { kind, id, action, resource, .. } = asked;
    let answer = if told.permitted { "may" } else { "may not" };
    let mark = if told.permitted { Mark::Good } else { Mark::Note };
    console::marked(mark, &format!("{kind} `{id}` {answer} {action} {resource}"));
    console::line(&format!("      {}", told.decision));
    if let Some(tree) = &told.explanation {
        describe_tree(tree);
        return;
    }
    // There is no way in at all, so nothing was looked at.
    for reason in &told.reasons {
        let text = reason.auditor_text(Language::English);
        console::line(&format!("      {}: {text}", reason.code()));
    }
}
