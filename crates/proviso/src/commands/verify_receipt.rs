//! `proviso verify-receipt`: receipts, checked from their bytes and from keys that somebody kept.

use std::path::Path;

use anyhow::Context as _;
use proviso_app::receipt::{Anchor, Audience, TrustedKeys, Verified, verify_chain, verify_receipt};
use proviso_core::time::At;

use super::Ending;
use crate::cli::VerifyReceiptArgs;
use crate::console::{self, Mark};

/// Runs it. Nothing is asked of any server.
///
/// # Errors
/// When a file cannot be read, or the keys are none.
pub fn run(arguments: &VerifyReceiptArgs) -> anyhow::Result<Ending> {
    let keys = match &arguments.keys {
        Some(file) => {
            let keys = TrustedKeys::parse(&read(file)?);
            Some(keys.with_context(|| format!("`{}` holds no usable key", file.display()))?)
        }
        None => None,
    };
    let mut verified = Vec::new();
    let mut rows = Vec::new();
    for file in &arguments.files {
        let name = file.display().to_string();
        // What is no text is no receipt.
        let bytes = std::fs::read(file).with_context(|| format!("cannot read `{name}`"))?;
        let text = String::from_utf8_lossy(&bytes);
        match verify_receipt(&text, keys.as_ref()) {
            Ok(receipt) => {
                if !arguments.json {
                    describe(&name, &receipt);
                }
                rows.push(row(&name, &receipt));
                verified.push(receipt);
            }
            Err(why) => {
                if !arguments.json {
                    console::marked(Mark::Bad, &format!("{name}: {why}"));
                }
                rows.push(serde_json::json!({
                    "file": name, "good": false, "problem": why.to_string(),
                }));
            }
        }
    }
    let all_good = verified.len() == arguments.files.len();
    let chain = (arguments.files.len() > 1 && all_good).then(|| verify_chain(&verified));
    let problem = chain.and_then(Result::err).map(|why| why.to_string());
    if arguments.json {
        let report = serde_json::json!({
            "good": all_good && problem.is_none(),
            "receipts": rows,
            "chain_problem": problem,
        });
        console::line(&report.to_string());
    } else if let Some(why) = &problem {
        console::marked(Mark::Bad, &format!("the receipts do not follow one another: {why}"));
    } else if chain.is_some() {
        console::marked(Mark::Good, "the receipts are consecutive versions of one choice");
    }
    Ok(if all_good && problem.is_none() { Ending::Done } else { Ending::FoundWrong })
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))
}

const fn anchor_code(anchor: &Anchor) -> &'static str {
    match anchor {
        Anchor::SigningKey => "signing-key",
        Anchor::LogKey => "log-key",
        Anchor::Nothing => "nothing",
    }
}

fn row(name: &str, verified: &Verified) -> serde_json::Value {
    serde_json::json!({
        "file": name,
        "good": true,
        "anchor": anchor_code(&verified.anchor),
        "key_thumbprint": verified.thumbprint,
        "log_index": verified.logged.map(|(index, _)| index),
        "version_id": verified.version.as_ref().map(|named| named.id().to_string()),
        "receipt": verified.receipt,
    })
}

fn describe(name: &str, verified: &Verified) {
    let receipt = &verified.receipt;
    let state = receipt.events.first().map_or("", |event| event.event_state.as_str());
    console::marked(Mark::Good, &format!("{name}: receipt of {}, {state}", receipt.record_id));
    let fact = |label: &str, value: &str| console::line(&format!("      {label:<12} {value}"));
    for event in &receipt.events {
        fact("recorded", &event.event_time);
        fact("period", &event.validity_duration);
    }
    for party in &receipt.party_identification {
        fact(&party.party_role, &party.party_name);
    }
    if let Some(named) = &verified.version {
        fact("version id", named.id().as_str());
    }
    let at_issue = &receipt.at_issue;
    let in_force = if at_issue.in_force { "in force" } else { "not in force" };
    fact(
        "at issue",
        &format!(
            "{}: version {} was the newest, {}, {in_force}",
            At::from_secs(receipt.iat),
            at_issue.newest_version,
            at_issue.newest_state
        ),
    );
    match verified.logged {
        Some((index, size)) => fact("in the log", &format!("entry {index} of {size}")),
        None => fact("in the log", "not stated by this receipt"),
    }
    if receipt.audience == Audience::Partial {
        console::marked(
            Mark::Note,
            "made for somebody who acts for the patient: it does not hold the whole version",
        );
    }
    match verified.anchor {
        Anchor::SigningKey => fact("signed by", "a key that you gave"),
        Anchor::LogKey => fact("signed by", "a key that a log key you gave vouches for"),
        Anchor::Nothing => console::marked(
            Mark::Note,
            &format!(
                "it fits together; who made it is not shown without `--keys`. Key {} of {}",
                verified.thumbprint, receipt.iss
            ),
        ),
    }
}
