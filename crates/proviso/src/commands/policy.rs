//! `proviso policy`: sets of policies, checked and compared without a server.

use std::path::Path;

use anyhow::Context as _;
use proviso_app::policy::{
    Change, Difference, Documents, Explained, Finding, PolicySet, Report, SCHEMA, Severity,
    ShadowDifference, ShadowReport, compare, describe_answer, describe_question, read_question,
};
use proviso_core::decision::Effect;
use proviso_core::org::lifecycle::{PolicySetRecord, SetStage};
use proviso_core::org::{OrgAnswer, OrgQuestion};
use proviso_core::reason::ReasonCode;
use serde_json::json;

use super::Ending;
use crate::cli::{
    self, PolicyCommand, PolicyListArgs, PolicyProposeArgs, PolicyStepArgs, ShadowArgs,
};
use crate::console::{self, Mark};
use crate::control::{self, Order, Outcome};
use crate::installation::Installation;
use crate::policies::{self, SetsOnRecord, Step};

/// Runs it.
///
/// # Errors
/// When a folder or file cannot be read; what is wrong with a set is a finding.
pub async fn run(command: &PolicyCommand) -> anyhow::Result<Ending> {
    match command {
        PolicyCommand::New { folder } => new(folder),
        PolicyCommand::Check(arguments) => {
            report(&arguments.folder, arguments.json, PolicySet::check)
        }
        PolicyCommand::Test(arguments) => {
            report(&arguments.folder, arguments.json, PolicySet::test)
        }
        PolicyCommand::Diff { before, after, json } => diff(before, after, *json),
        PolicyCommand::List(PolicyListArgs { installation, json }) => {
            on_record(installation, policies::Order::List, *json).await
        }
        PolicyCommand::Propose(arguments) => propose(arguments).await,
        PolicyCommand::Approve(arguments) => step(Step::Approve, arguments).await,
        PolicyCommand::Reject(arguments) => step(Step::Reject, arguments).await,
        PolicyCommand::Activate(arguments) => step(Step::Activate, arguments).await,
        PolicyCommand::Try(arguments) => step(Step::Try, arguments).await,
        PolicyCommand::Shadow(arguments) => shadow(arguments).await,
        PolicyCommand::Explain { folder, question, json } => explain(folder, question, *json),
    }
}

async fn propose(arguments: &PolicyProposeArgs) -> anyhow::Result<Ending> {
    let folder = &arguments.folder;
    let documents = Documents::read(folder)
        .with_context(|| format!("cannot read the set in `{}`", folder.display()))?;
    let order = policies::Order::Propose {
        documents: Box::new(documents),
        note: arguments.note.clone(),
        by: arguments.by.clone(),
    };
    on_record(&arguments.installation, order, arguments.json).await
}

async fn step(step: Step, arguments: &PolicyStepArgs) -> anyhow::Result<Ending> {
    let PolicyStepArgs { set, by, installation, json } = arguments;
    let order = policies::Order::Step { step, set: set.clone(), by: by.clone() };
    on_record(installation, order, *json).await
}

async fn on_record(
    named: &cli::Installation,
    order: policies::Order,
    json: bool,
) -> anyhow::Result<Ending> {
    let told = ask(named, order).await?;
    if json {
        console::line(&serde_json::to_string(&told)?);
        return Ok(Ending::Done);
    }
    if told.in_force.live.is_none() {
        console::marked(Mark::Good, "in force: the set that comes with this release");
    }
    told.sets.iter().for_each(|set| tell_set(set, &told));
    Ok(Ending::Done)
}

async fn ask(named: &cli::Installation, order: policies::Order) -> anyhow::Result<SetsOnRecord> {
    let installation = Installation::named_by(named)?;
    anyhow::ensure!(installation.database().exists(), "there is nothing yet; start it once");
    match installation.lock() {
        Ok(lock) => policies::carry_out(&installation.open(&lock).await?, &order).await,
        // A server has the folder: it puts the set in force, for the next decision.
        Err(taken) => match control::ask(&installation.data_dir, Order::Policies(order)).await? {
            Some(Outcome::Policies(sets)) => Ok(sets),
            Some(other) => Err(other.unexpected()),
            None => Err(taken),
        },
    }
}

fn tell_set(set: &PolicySetRecord, told: &SetsOnRecord) {
    let live = told.in_force.live.as_ref() == Some(&set.id);
    let (mark, stands) = match &set.stage {
        SetStage::Approved(_) if live => (Mark::Good, "in force"),
        SetStage::Approved(_) if told.in_force.shadow.as_ref() == Some(&set.id) => {
            (Mark::Note, "tried out")
        }
        SetStage::Approved(_) => (Mark::Note, "approved"),
        SetStage::Proposed => (Mark::Note, "waits for another person"),
        SetStage::Rejected(_) => (Mark::Bad, "rejected"),
    };
    console::marked(mark, &format!("{}: {stands}", set.id.short()));
    let fact = |name: &str, value: &str| console::line(&format!("      {name:<12} {value}"));
    fact("why", &set.note);
    fact("proposed", &format!("{} by {}", set.proposed.at, set.proposed.by));
    match &set.stage {
        SetStage::Proposed => {}
        SetStage::Approved(by) => fact("approved", &format!("{} by {}", by.at, by.by)),
        SetStage::Rejected(by) => fact("rejected", &format!("{} by {}", by.at, by.by)),
    }
}

async fn shadow(arguments: &ShadowArgs) -> anyhow::Result<Ending> {
    let installation = Installation::named_by(&arguments.installation)?;
    let report = match control::ask(&installation.data_dir, Order::Shadow).await? {
        Some(Outcome::Shadow(report)) => report,
        Some(other) => return Err(other.unexpected()),
        None => {
            anyhow::bail!("no server runs here; what a set would decide is found while one runs")
        }
    };
    if arguments.json {
        console::line(&serde_json::to_string(&report)?);
        return Ok(Ending::Done);
    }
    let Some(ShadowReport { set, asked, different, differences }) = report else {
        console::line("no set is tried out");
        return Ok(Ending::Done);
    };
    console::line(&format!("set {set}: asked {asked} times, {different} times otherwise"));
    for ShadowDifference { question, live, shadow, times } in differences {
        let (now, then) = (word(live), word(shadow));
        console::line(&format!("{times:>7}  {now} -> {then}  {question}"));
    }
    Ok(Ending::Done)
}

fn new(folder: &Path) -> anyhow::Result<Ending> {
    let told = || format!("cannot write into `{}`", folder.display());
    std::fs::create_dir_all(folder.join("tests")).with_context(told)?;
    let taken = std::fs::read_dir(folder)
        .with_context(told)?
        .flatten()
        .any(|entry| entry.file_name() != "tests");
    anyhow::ensure!(!taken, "`{}` is not empty", folder.display());
    let starter = Documents::starter();
    for file in starter.policies.iter().chain(&starter.tests) {
        std::fs::write(folder.join(&file.name), &file.text).with_context(told)?;
    }
    // For editors that know Cedar; every check compares it with this release's.
    std::fs::write(folder.join("schema.cedarschema"), SCHEMA).with_context(told)?;
    console::marked(Mark::Good, &format!("wrote the starter set into `{}`", folder.display()));
    Ok(Ending::Done)
}

/// A set, or what is wrong with it.
fn load(folder: &Path) -> anyhow::Result<Result<PolicySet, Vec<Finding>>> {
    let documents = Documents::read(folder)
        .with_context(|| format!("cannot read the set in `{}`", folder.display()))?;
    Ok(PolicySet::compile(documents))
}

fn report(
    folder: &Path,
    json: bool,
    look: impl Fn(&PolicySet) -> Report,
) -> anyhow::Result<Ending> {
    let (id, report) = match load(folder)? {
        Ok(set) => (Some(set.id().clone()), look(&set)),
        Err(findings) => (None, Report { policies: 0, tests: 0, invariants: 0, findings }),
    };
    let sound = report.is_sound();
    if json {
        let mut told = serde_json::to_value(&report)?;
        if let Some(fields) = told.as_object_mut() {
            fields.insert("sound".to_owned(), sound.into());
            fields.insert("id".to_owned(), serde_json::to_value(id)?);
        }
        console::line(&told.to_string());
    } else {
        findings(&report.findings);
        if let Some(id) = id.filter(|_| sound) {
            let Report { policies, tests, invariants, .. } = report;
            let checked = if invariants == 0 {
                String::new()
            } else {
                format!(", {invariants} invariants hold")
            };
            let told = format!("{policies} policies, {tests} tests pass{checked}");
            console::marked(Mark::Good, &told);
            console::line(&format!("      set {id}"));
        }
    }
    Ok(if sound { Ending::Done } else { Ending::FoundWrong })
}

fn findings(findings: &[Finding]) {
    for finding in findings {
        let mark = match finding.severity {
            Severity::Error => Mark::Bad,
            Severity::Warning => Mark::Note,
        };
        let bare = Finding { case: None, ..finding.clone() };
        console::marked(mark, &bare.to_string());
        if let Some(case) = &finding.case {
            console::line(&format!("      {case}"));
        }
    }
}

fn diff(before: &Path, after: &Path, json: bool) -> anyhow::Result<Ending> {
    let (before, after) = match (load(before)?, load(after)?) {
        (Ok(before), Ok(after)) => (before, after),
        (before, after) => {
            let wrong: Vec<Finding> =
                [before.err(), after.err()].into_iter().flatten().flatten().collect();
            return Ok(cannot_compare(&wrong, json));
        }
    };
    let differences = match compare(&before, &after) {
        Ok(differences) => differences,
        Err(wrong) => return Ok(cannot_compare(&wrong, json)),
    };
    if json {
        let told = json!({
            "before": before.id(), "after": after.id(), "differences": differences,
        });
        console::line(&told.to_string());
    } else if differences.is_empty() {
        console::marked(Mark::Good, "no decision changes");
    } else {
        for Difference { change, cases, text } in &differences {
            let sign = match change {
                Change::Opens => "+ permit",
                Change::Closes => "- permit",
                Change::Obligations => "~ obligations",
            };
            console::line(&format!("{sign}  {text}  ({cases})"));
        }
    }
    Ok(Ending::Done)
}

fn cannot_compare(wrong: &[Finding], json: bool) -> Ending {
    if json {
        console::line(&json!({ "findings": wrong }).to_string());
    } else {
        findings(wrong);
    }
    Ending::FoundWrong
}

fn explain(folder: &Path, question: &Path, json: bool) -> anyhow::Result<Ending> {
    let set = match load(folder)? {
        Ok(set) => set,
        Err(wrong) => return Ok(cannot_compare(&wrong, json)),
    };
    let named = || format!("cannot read the question in `{}`", question.display());
    let text = std::fs::read_to_string(question).with_context(named)?;
    let question = read_question(&text).with_context(named)?;
    let (answer, policies) = set.explain(&question);
    if json {
        console::line(&as_json(&question, &answer, &policies).to_string());
    } else {
        describe(&question, &answer, &policies);
    }
    Ok(Ending::Done)
}

fn codes(reasons: &[ReasonCode]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.code()).collect()
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Permit => "permit",
        Effect::Deny => "forbid",
    }
}

fn as_json(
    question: &OrgQuestion,
    answer: &OrgAnswer,
    policies: &[Explained],
) -> serde_json::Value {
    json!({
        "question": describe_question(question),
        "decision": if answer.is_permit() { "permit" } else { "deny" },
        "reasons": answer.reasons,
        "by": answer.determining,
        "obligations": answer.obligations,
        "advice": answer.advice,
        "policies": policies.iter().map(|own| json!({
            "policy": own.policy,
            "effect": word(own.effect),
            "applies": own.applied,
            "missing": codes(&own.missing),
        })).collect::<Vec<_>>(),
    })
}

fn describe(question: &OrgQuestion, answer: &OrgAnswer, policies: &[Explained]) {
    console::line(&describe_question(question));
    console::line("");
    for line in describe_answer(answer) {
        console::line(&line);
    }
    console::line("");
    console::line(&console::bold("policies that could apply"));
    for own in policies {
        let stood = if own.applied {
            "applies".to_owned()
        } else if own.missing.is_empty() {
            "does not apply".to_owned()
        } else {
            format!("does not apply: {}", codes(&own.missing).join(", "))
        };
        console::line(&format!("  {:<6}  {:<32}  {stood}", word(own.effect), own.policy.as_str()));
    }
}
