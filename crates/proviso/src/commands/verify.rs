//! `proviso verify`: the audit log, recomputed from disk.

use anyhow::Context as _;
use proviso_app::audit::{VerifyReport, verify_with_master};
use proviso_app::keys::MasterKey;

use super::Ending;
use crate::cli::VerifyArgs;
use crate::console::{self, Mark};
use crate::installation::Installation;

/// Runs it. The server may be running meanwhile: one snapshot is looked at.
///
/// # Errors
/// When the log cannot be looked at at all.
pub fn run(arguments: &VerifyArgs) -> anyhow::Result<Ending> {
    let installation = Installation::named_by(&arguments.installation)?;
    let database = installation.database();
    let master = MasterKey::load(&installation.master_key_file)?;
    let bar = console::progress("checking", 0);
    let report =
        verify_with_master(&database, &installation.settings.tenant, master, |done, total| {
            console::total_known(&bar, total);
            bar.set_position(done);
        })
        .with_context(|| format!("cannot look at the log in `{}`", database.display()))?;
    bar.finish_and_clear();
    if arguments.json {
        console::line(&as_json(&report).to_string());
    } else {
        describe(&report);
    }
    Ok(if report.first_bad.is_none() { Ending::Done } else { Ending::FoundWrong })
}

fn as_json(report: &VerifyReport) -> serde_json::Value {
    serde_json::json!({
        "whole": report.first_bad.is_none(),
        "entries": report.entries,
        "checkpoint": report.checkpoint.as_ref().map(|checkpoint| serde_json::json!({
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": proviso_core::id::hex(&checkpoint.root),
        })),
        "first_bad": report.first_bad.as_ref().map(|bad| serde_json::json!({
            "index": bad.index,
            "problem": bad.why.to_string(),
        })),
    })
}

fn describe(report: &VerifyReport) {
    match &report.first_bad {
        None => {
            console::marked(
                Mark::Good,
                &format!("the audit log is whole: {} entries", report.entries),
            );
            if let Some(checkpoint) = &report.checkpoint {
                console::line(&format!(
                    "      checkpoint of {}: size {}, root {}",
                    checkpoint.origin,
                    checkpoint.size,
                    proviso_core::id::hex(&checkpoint.root)
                ));
            }
        }
        Some(bad) => {
            console::marked(
                Mark::Bad,
                &format!("the audit log is damaged at entry {}: {}", bad.index, bad.why),
            );
            console::line(&format!("      {} entries were found", report.entries));
        }
    }
}
