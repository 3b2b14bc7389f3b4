//! `proviso doctor`: can this installation run? Each check says what it found and what to do.

use std::net::SocketAddr;
use std::path::Path;

use proviso_app::audit::verify_with_master;
use proviso_app::keys::{Keys, MasterKey};
use proviso_app::ports::{Clock as _, SystemClock, SystemEntropy};
use proviso_core::time::At;
use proviso_store::{AuditLogReader, LabelCounts, SchemaHealth, stored_label_counts};

use super::{Ending, serve};
use crate::cli::DoctorArgs;
use crate::config::UpstreamConfig;
use crate::console::{self, Mark};
use crate::installation::Installation;
use crate::listener::Listener;

/// LIMIT: with less room than this the log may fail at any moment.
const FREE_MIB_MIN: u64 = 100;
/// Below this it is time to make room.
const FREE_MIB_AMPLE: u64 = 500;
/// No clock that is right shows a time before this release was made: 2026-11-01T00:00:00Z.
const RELEASED_AT: At = At::from_secs(1_793_491_200);

/// What one check found.
#[derive(Debug)]
struct Finding {
    what: &'static str,
    mark: Mark,
    text: String,
}

impl Finding {
    fn good(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, mark: Mark::Good, text: text.into() }
    }

    fn note(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, mark: Mark::Note, text: text.into() }
    }

    fn bad(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, mark: Mark::Bad, text: text.into() }
    }
}

/// Runs it. A running server is not disturbed: everything is only looked at.
///
/// # Errors
/// Never for a finding; only when nothing could be looked at.
pub async fn run(arguments: &DoctorArgs) -> anyhow::Result<Ending> {
    let findings = match Installation::named_by(&arguments.installation) {
        Err(error) => vec![Finding::bad("configuration", format!("{error:#}"))],
        Ok(installation) => examine(&installation).await,
    };
    if arguments.json {
        let rows: Vec<_> = findings
            .iter()
            .map(|finding| {
                let result = match finding.mark {
                    Mark::Good => "ok",
                    Mark::Note => "note",
                    Mark::Bad => "fail",
                };
                serde_json::json!({
                    "check": finding.what, "result": result, "text": finding.text
                })
            })
            .collect();
        console::line(&serde_json::Value::from(rows).to_string());
    } else {
        for finding in &findings {
            console::marked(finding.mark, &format!("{}: {}", finding.what, finding.text));
        }
    }
    let wrong = findings.iter().any(|finding| finding.mark == Mark::Bad);
    Ok(if wrong { Ending::FoundWrong } else { Ending::Done })
}

async fn examine(installation: &Installation) -> Vec<Finding> {
    let mut findings = vec![configuration(installation)];
    findings.extend(files(installation));
    if installation.data_dir.exists() {
        findings.push(space(&installation.data_dir));
    }
    if installation.database().exists() {
        findings.push(store(&installation.database()));
        findings.push(keys(installation));
        findings.push(log(installation));
        findings.push(labels(installation));
    } else {
        findings.push(Finding::note("store", "nothing is there yet; the first start makes it"));
    }
    findings.push(clock());
    if let Some(config) = &installation.config {
        findings.push(tls(config).await);
        if let Some(upstream) = &config.upstream {
            findings.push(self::upstream(upstream).await);
        }
    }
    findings
}

fn configuration(installation: &Installation) -> Finding {
    match &installation.config {
        None => Finding::good("configuration", "a demo world"),
        Some(config) if config.dev => Finding::note(
            "configuration",
            "accepted; `dev` allows unsafe combinations, keep real data away",
        ),
        Some(_) => Finding::good("configuration", "accepted"),
    }
}

fn files(installation: &Installation) -> Vec<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut findings = Vec::new();
    for (what, path, private) in [
        ("data folder", &installation.data_dir, 0o077),
        ("master key", &installation.master_key_file, 0o077),
    ] {
        match std::fs::metadata(path) {
            // A database cannot be opened without its key, and must not get a new one.
            Err(error) if installation.database().exists() => findings.push(Finding::bad(
                what,
                format!("`{}` cannot be looked at: {error}; put it back", path.display()),
            )),
            Err(_) => findings.push(Finding::note(
                what,
                format!("`{}` is not there yet; the first start makes it", path.display()),
            )),
            Ok(meta) if meta.permissions().mode() & private != 0 => findings.push(Finding::bad(
                what,
                format!("`{}` can be read by others; take their rights away", path.display()),
            )),
            Ok(_) => findings.push(Finding::good(what, format!("`{}`", path.display()))),
        }
    }
    findings
}

fn keys(installation: &Installation) -> Finding {
    let opened = (|| {
        let master = MasterKey::load(&installation.master_key_file)?;
        let reader = AuditLogReader::open(&installation.database(), &installation.settings.tenant)?;
        let stored = reader.sealed_keys()?;
        let entropy = SystemEntropy::default();
        let (_, unstored) = Keys::open(master, &stored, &entropy, SystemClock.now())?;
        anyhow::Ok((stored.len(), unstored.0.len()))
    })();
    match opened {
        Ok((stored, 0)) => Finding::good("keys", format!("{stored} keys open with the master key")),
        Ok((_, missing)) => {
            Finding::note("keys", format!("{missing} are missing; the next start makes them"))
        }
        Err(error) => Finding::bad("keys", format!("{error:#}")),
    }
}

fn log(installation: &Installation) -> Finding {
    let verified = MasterKey::load(&installation.master_key_file)
        .map_err(anyhow::Error::from)
        .and_then(|master| {
            let database = installation.database();
            Ok(verify_with_master(&database, &installation.settings.tenant, master, |_, _| {})?)
        });
    match verified {
        Ok(report) => match report.first_bad {
            None => Finding::good("audit log", format!("whole, {} entries", report.entries)),
            Some(bad) => Finding::bad(
                "audit log",
                format!("damaged at entry {}: {}; keep a copy of the folder", bad.index, bad.why),
            ),
        },
        Err(error) => Finding::bad("audit log", format!("{error:#}")),
    }
}

/// Whether every stored record is labelled by the rules in effect.
fn labels(installation: &Installation) -> Finding {
    let what = "labels";
    let settings = &installation.settings;
    let set = settings.labels.version();
    let version = set.short();
    match stored_label_counts(&installation.database(), &settings.tenant, set) {
        Ok(LabelCounts { labelled, stale: 0 }) => Finding::good(
            what,
            format!("{labelled} record versions are labelled by the rules in effect, {version}"),
        ),
        Ok(LabelCounts { labelled, stale }) => Finding::note(
            what,
            format!(
                "{stale} of {} record versions are still to be labelled by the rules in effect, \
                 {version}; a running server does it by itself, and until then every label counts",
                labelled.saturating_add(stale)
            ),
        ),
        Err(error) => Finding::note(what, format!("cannot be counted: {error}")),
    }
}

fn clock() -> Finding {
    let now = SystemClock.now();
    if now < RELEASED_AT {
        Finding::bad("clock", format!("{now} lies before this release was made; set the clock"))
    } else {
        Finding::good("clock", now.to_rfc3339())
    }
}

/// Binding to any free port shows whether the certificate can be used, without disturbing a server.
async fn tls(config: &crate::config::Config) -> Finding {
    let Some(tls) = &config.tls else {
        return Finding::good("tls", "off: the listener is on loopback or `dev` is set");
    };
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    match Listener::bind(anywhere, Some(tls)).await {
        Ok(_) => Finding::good("tls", "certificate and key fit together"),
        Err(error) => Finding::bad("tls", format!("{error:#}")),
    }
}

/// Asks the upstream what it is, with the credential that the server would send.
async fn upstream(config: &UpstreamConfig) -> Finding {
    let what = "upstream";
    let settings = match serve::http_upstream(config) {
        Ok(settings) => settings,
        Err(error) => return Finding::bad(what, format!("{error:#}")),
    };
    match proviso_gateway::probe_upstream(&settings).await {
        Ok(version) => Finding::good(what, format!("`{}` speaks FHIR {version}", config.url)),
        Err(error) => Finding::bad(what, format!("`{}`: {error}", config.url)),
    }
}

fn store(database: &Path) -> Finding {
    let what = "store";
    let health = match proviso_store::store_health(database) {
        Ok(health) => health,
        Err(error) => return Finding::bad(what, format!("`{}`: {error}", database.display())),
    };
    if let Some(complaint) = health.complaints.first() {
        return Finding::bad(
            what,
            format!(
                "`{}` is damaged ({complaint}); restore a copy of the folder",
                database.display()
            ),
        );
    }
    match health.schema {
        Some(SchemaHealth::Current { number }) => {
            Finding::good(what, format!("the file is sound, schema {number}"))
        }
        Some(SchemaHealth::Older { found, known }) => Finding::note(
            what,
            format!("the file is sound; the next start brings schema {found} to {known}"),
        ),
        Some(SchemaHealth::Newer { found, known }) => Finding::bad(
            what,
            format!("it has schema {found}, this release knows up to {known}; use a newer release"),
        ),
        Some(SchemaHealth::Changed { number }) => Finding::bad(
            what,
            format!("schema {number} is not the one of this release; use the release that made it"),
        ),
        None => Finding::bad(what, "the schema cannot be read; restore a copy of the folder"),
    }
}

/// How much room the disk of the data folder has.
fn space(folder: &Path) -> Finding {
    match rustix::fs::statvfs(folder) {
        Ok(disk) => judge_space(disk.f_bavail.saturating_mul(disk.f_frsize) / (1024 * 1024)),
        Err(error) => Finding::bad("disk", format!("cannot be looked at: {error}")),
    }
}

/// Without room no entry can be logged, and without an entry nothing is released.
fn judge_space(free_mib: u64) -> Finding {
    let text = format!("{free_mib} MiB free");
    match free_mib {
        ..FREE_MIB_MIN => Finding::bad(
            "disk",
            format!("{text}; nothing is released when the log cannot be written: make room"),
        ),
        FREE_MIB_MIN..FREE_MIB_AMPLE => Finding::note("disk", format!("{text}; make room soon")),
        FREE_MIB_AMPLE.. => Finding::good("disk", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_found_before_it_is_full() {
        for (free, mark) in [
            (0, Mark::Bad),
            (FREE_MIB_MIN - 1, Mark::Bad),
            (FREE_MIB_MIN, Mark::Note),
            (FREE_MIB_AMPLE - 1, Mark::Note),
            (FREE_MIB_AMPLE, Mark::Good),
        ] {
            let finding = judge_space(free);
            assert_eq!(finding.mark, mark, "{free} MiB: {}", finding.text);
            assert!(finding.text.starts_with(&format!("{free} MiB free")));
        }
    }
}
