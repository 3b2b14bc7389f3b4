//! `proviso labels`: checks and tests a file of label rules, and explains the labels of a resource.

use std::path::Path;

use anyhow::Context as _;
use proviso_app::labels::{
    Expected, Explained, RuleSet, RulesError, RulesFile, TrialResult, explain_resource,
};
use proviso_core::label::{Hop, Label, Origin};
use serde_json::{Value, json};

use super::Ending;
use crate::cli::{ExplainArgs, LabelFileArgs, LabelsCommand};
use crate::console::{self, Mark};

/// Runs it.
///
/// # Errors
/// When a file cannot be read, or the resource to explain is none. What is wrong with rules is a
/// finding.
pub fn run(command: &LabelsCommand) -> anyhow::Result<Ending> {
    match command {
        LabelsCommand::Check(arguments) => check(arguments),
        LabelsCommand::Test(arguments) => test(arguments),
        LabelsCommand::Explain(arguments) => explain(arguments),
    }
}

/// The rules of a file, or what is wrong with them.
fn read(path: &Path) -> anyhow::Result<Result<RulesFile, RulesError>> {
    match RulesFile::load(path) {
        Err(RulesError::Unreadable { source, .. }) => {
            Err(source).with_context(|| format!("cannot read `{}`", path.display()))
        }
        read => Ok(read),
    }
}

fn check(arguments: &LabelFileArgs) -> anyhow::Result<Ending> {
    Ok(match read(&arguments.file)? {
        Ok(file) => {
            accepted(&file, arguments);
            Ending::Done
        }
        Err(refused) => refuse(&refused, arguments),
    })
}

fn accepted(file: &RulesFile, arguments: &LabelFileArgs) {
    let rules = file.set.rules();
    let (labels, edges) = (rules.labels.len(), rules.edges.len());
    if arguments.json {
        let value = json!({
            "accepted": true,
            "name": file.name,
            "version": file.set.version(),
            "rules": labels,
            "references": edges,
            "tests": file.trials.len(),
        });
        console::line(&value.to_string());
    } else {
        let text = format!(
            "`{}` is accepted: {labels} rules and {edges} over references are in effect, {} tests, \
             version {}",
            file.name,
            file.trials.len(),
            file.set.version().short()
        );
        console::marked(Mark::Good, &text);
    }
}

fn refuse(refused: &RulesError, arguments: &LabelFileArgs) -> Ending {
    let faults = refused.faults();
    if arguments.json {
        let rows: Vec<Value> = faults
            .iter()
            .map(|fault| {
                json!({
                    "line": fault.line,
                    "rule": fault.rule,
                    "problem": fault.problem.to_string(),
                })
            })
            .collect();
        console::line(&json!({ "accepted": false, "faults": rows }).to_string());
    } else {
        for fault in faults {
            console::marked(Mark::Bad, &format!("{}: {fault}", arguments.file.display()));
        }
    }
    Ending::FoundWrong
}

fn test(arguments: &LabelFileArgs) -> anyhow::Result<Ending> {
    let file = match read(&arguments.file)? {
        Ok(file) => file,
        Err(refused) => return Ok(refuse(&refused, arguments)),
    };
    let results = file.run_trials();
    let failed = results.iter().filter(|result| !result.holds()).count();
    if arguments.json {
        let rows: Vec<Value> = results.iter().map(result_json).collect();
        let value = json!({
            "version": file.set.version(),
            "tests": rows,
            "failed": failed,
        });
        console::line(&value.to_string());
    } else {
        for result in &results {
            tell_result(result);
        }
        let mark = if failed > 0 { Mark::Bad } else { Mark::Good };
        let text = format!("{} tests, {failed} failed", results.len());
        console::marked(if results.is_empty() { Mark::Note } else { mark }, &text);
    }
    Ok(if failed > 0 { Ending::FoundWrong } else { Ending::Done })
}

fn tell_result(result: &TrialResult) {
    if result.holds() {
        console::marked(Mark::Good, &format!("{}: {}", result.name, result.found.words()));
        return;
    }
    let text = format!(
        "{} (line {}): expected {}, found {}",
        result.name,
        result.line,
        result.expected.words(),
        result.found.words()
    );
    console::marked(Mark::Bad, &text);
    for label in &result.labels {
        console::line(&format!("        {}", sentence(label)));
    }
}

fn result_json(result: &TrialResult) -> Value {
    json!({
        "name": result.name,
        "line": result.line,
        "holds": result.holds(),
        "expected": outcome(result.expected),
        "found": outcome(result.found),
        "labels": result.labels,
    })
}

fn outcome(expected: Expected) -> Value {
    match expected {
        Expected::Unclassified => Value::from("unclassified"),
        Expected::Kinds(kinds) => kinds.iter().map(|kind| Value::from(kind.code())).collect(),
    }
}

fn explain(arguments: &ExplainArgs) -> anyhow::Result<Ending> {
    let rules = match &arguments.rules {
        None => RuleSet::shipped(),
        Some(file) => {
            let read = RulesFile::load(file);
            read.with_context(|| format!("`{}` is refused", file.display()))?.set
        }
    };
    let bytes = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
    };
    let resource = bytes(&arguments.resource)?;
    let others: Vec<Vec<u8>> =
        arguments.with.iter().map(|path| bytes(path)).collect::<Result<_, _>>()?;
    let explained = explain_resource(&rules, resource, others)
        .with_context(|| format!("`{}` cannot be explained", arguments.resource.display()))?;
    if arguments.json {
        let rows: Vec<Value> = explained.iter().map(explained_json).collect();
        let value = json!({ "version": rules.version(), "resources": rows });
        console::line(&value.to_string());
    } else {
        console::line(&format!("rules of version {}", rules.version().short()));
        for one in &explained {
            tell(one);
        }
    }
    Ok(Ending::Done)
}

fn explained_json(explained: &Explained) -> Value {
    json!({
        "resource": explained.resource,
        "kinds": outcome(explained.labels),
        "labels": explained.found,
        "not-at-hand": explained.missing,
    })
}

fn tell(explained: &Explained) {
    console::line(&format!("{}: {}", explained.resource, explained.labels.words()));
    for label in &explained.found {
        console::line(&format!("    {}", sentence(label)));
    }
    for missing in &explained.missing {
        console::line(&format!("    `{missing}` is not at hand; give it with `--with`"));
    }
}

/// One label in words: the kind, by which rule, where, how sure, and by which way.
fn sentence(label: &Label) -> String {
    let found =
        format!("{} by `{}` at `{}` ({})", label.kind, label.rule, label.element, label.confidence);
    match &label.origin {
        Origin::ExistingLabel => format!("{found}, a label it came with"),
        Origin::OwnContent => found,
        Origin::Propagated(way) => {
            let steps: Vec<String> = way.iter().map(step).collect();
            format!("{found}, from {}", steps.join(", then "))
        }
    }
}

fn step(hop: &Hop) -> String {
    format!("{}/{} at `{}` by `{}`", hop.to.as_str(), hop.id, hop.element, hop.rule)
}
