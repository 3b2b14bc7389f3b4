//! `proviso replay`: past decisions, made again from what the log keeps of them.

use anyhow::Context as _;
use proviso_app::audit::{Outcome, ReplayCounts, Replayed, Wanted, replay_with_master};
use proviso_app::keys::MasterKey;
use proviso_core::decision::Effect;
use proviso_core::decision::explain::Explanation;
use proviso_core::reason::Language;

use super::Ending;
use crate::cli::ReplayArgs;
use crate::console::{self, Mark};
use crate::installation::Installation;

/// Runs it. The server may be running meanwhile: one snapshot is looked at.
///
/// # Errors
/// When the log cannot be read, or what is asked for is not in it.
pub fn run(arguments: &ReplayArgs) -> anyhow::Result<Ending> {
    let wanted = match (&arguments.decision, &arguments.request) {
        (Some(id), _) => Wanted::Decision(id.clone()),
        (None, Some(id)) => Wanted::Request(id.clone()),
        (None, None) => Wanted::All,
    };
    let one = wanted != Wanted::All;
    let installation = Installation::named_by(&arguments.installation)?;
    let database = installation.database();
    let master = MasterKey::load(&installation.master_key_file)?;
    let bar = console::progress("deciding again", 0);
    // All of them are too many to list: those that did not come out the same are.
    let mut shown: Vec<Replayed> = Vec::new();
    let counts = replay_with_master(
        &database,
        (&installation.settings.tenant, &installation.settings.filed),
        master,
        &wanted,
        |replayed| {
            if one || replayed.outcome != Outcome::Same {
                shown.push(replayed);
            }
        },
        |done, total| {
            console::total_known(&bar, total);
            bar.set_position(done);
        },
    )
    .with_context(|| format!("cannot replay the log in `{}`", database.display()))?;
    bar.finish_and_clear();
    anyhow::ensure!(!one || counts.decisions > 0, "no decision with this id is kept in the log");
    if arguments.json {
        console::line(&as_json(&shown, counts)?.to_string());
    } else {
        shown.iter().for_each(describe);
        summary(counts);
    }
    Ok(if counts.differing == 0 { Ending::Done } else { Ending::FoundWrong })
}

fn as_json(shown: &[Replayed], counts: ReplayCounts) -> serde_json::Result<serde_json::Value> {
    let decisions = shown.iter().map(one_as_json).collect::<serde_json::Result<Vec<_>>>()?;
    Ok(serde_json::json!({
        "entries": counts.entries,
        "decisions": counts.decisions,
        "differing": counts.differing,
        "shown": decisions,
    }))
}

fn one_as_json(replayed: &Replayed) -> serde_json::Result<serde_json::Value> {
    let now = match &replayed.outcome {
        Outcome::Differs(record) => Some(serde_json::to_value(record)?),
        Outcome::Same | Outcome::DigestWrong | Outcome::Impossible(_) => None,
    };
    Ok(serde_json::json!({
        "index": replayed.index,
        "decision": replayed.entry.decision,
        "request": replayed.entry.request,
        "at": replayed.entry.at.to_rfc3339(),
        "digest": replayed.entry.digest,
        "outcome": said(&replayed.outcome),
        "record": serde_json::to_value(&replayed.record)?,
        "explanations": serde_json::to_value(replayed.explanations())?,
        "now": now,
    }))
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Same => "the same".to_owned(),
        Outcome::Differs(_) => "decided otherwise now".to_owned(),
        Outcome::DigestWrong => "the digest is not that of the record".to_owned(),
        Outcome::Impossible(why) => format!("cannot be decided again: {why}"),
    }
}

fn describe(replayed: &Replayed) {
    let mark = if replayed.outcome == Outcome::Same { Mark::Good } else { Mark::Bad };
    let id = replayed.entry.decision.as_ref().map_or("-", |id| id.as_str());
    let at = replayed.entry.at.to_rfc3339();
    console::marked(mark, &format!("{id} at {at}: {}", said(&replayed.outcome)));
    if let Some(digest) = &replayed.entry.digest {
        console::line(&format!("      digest {digest}"));
    }
    let mut trees = replayed.explanations();
    let resources = trees.len();
    // Records that are alike have the same tree.
    trees.dedup();
    for tree in &trees {
        describe_tree(tree);
    }
    if resources > trees.len() {
        console::line(&format!("      ({resources} records, {} kinds of tree)", trees.len()));
    }
    if let Outcome::Differs(now) = &replayed.outcome {
        let before: Vec<&str> = reasons(&replayed.record);
        let after: Vec<&str> = reasons(now);
        console::line(&format!("      then: {}", before.join(", ")));
        console::line(&format!("      now:  {}", after.join(", ")));
    }
}

fn reasons(record: &proviso_core::decision::record::DecisionRecord) -> Vec<&'static str> {
    let judged = record.judged.iter().flat_map(|group| &group.reasons);
    record.denied.iter().chain(judged).map(|reason| reason.code()).collect()
}

pub(super) fn describe_tree(tree: &Explanation) {
    let effect = match tree.effect {
        Effect::Permit => "permitted",
        Effect::Deny => "refused",
    };
    let codes: Vec<&str> = tree.reasons.iter().map(|reason| reason.code()).collect();
    console::line(&format!("      {effect}: {}", codes.join(", ")));
    for layer in &tree.layers {
        console::line(&format!("        {}", layer.layer.text(Language::English)));
        for step in &layer.steps {
            let (word, text) = match step.refused {
                None => ("met", step.check.met(Language::English)),
                Some(reason) => ("NOT", reason.auditor_text(Language::English)),
            };
            console::line(&format!("          {word}  {text}"));
        }
    }
    let wanted: Vec<&str> =
        tree.would_be_permitted_if().map(|step| step.check.wanted(Language::English)).collect();
    if !wanted.is_empty() {
        console::line(&format!("        it would be permitted if {}", wanted.join(", and ")));
    }
}

fn summary(counts: ReplayCounts) {
    let ReplayCounts { entries, decisions, differing } = counts;
    if differing == 0 {
        let text = format!("{decisions} decisions of {entries} entries come out the same");
        console::marked(Mark::Good, &text);
    } else {
        let text = format!("{differing} of {decisions} decisions do not come out the same");
        console::marked(Mark::Bad, &text);
    }
}
