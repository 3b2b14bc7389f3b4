//! Asks a FHIR server everything in the catalogue of leaks and says what it told.

use std::path::{Path, PathBuf};

use clap::Parser;
use proviso_testkit::leaks::{Adapter, Catalogue, Column, Finding, Outcome, run, scorecard};

/// Asks a FHIR server by URL the questions of the catalogue of leaks
///
/// The server holds the records of `visible.ndjson` and `hidden.ndjson`, and those of `gone.ndjson`
/// after they were deleted. Who asks with the token `app` may see what is in the first file.
#[derive(Parser)]
struct Options {
    /// What has to be known of the server: see `tests/leaks/README.md`
    adapter: PathBuf,
    /// The folder of the catalogue
    #[arg(long)]
    catalogue: Option<PathBuf>,
    /// Only these numbers
    #[arg(long, num_args = 1..)]
    only: Vec<u32>,
    /// Print the scorecard as a table in Markdown
    #[arg(long)]
    table: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/leaks");
    let mut catalogue = Catalogue::read(&options.catalogue.unwrap_or_else(shipped))?;
    if !options.only.is_empty() {
        catalogue.cases.retain(|case| options.only.contains(&case.leak));
    }
    let adapter = Adapter::read(&options.adapter)?;
    let findings = run(&catalogue, &adapter, Adapter::act).await;
    let failed = findings.iter().filter(|finding| leaks(finding)).count();
    if options.table {
        let name = adapter.base.clone();
        println!("{}", scorecard(&[Column { name, findings }]));
    } else {
        for Finding { leak, title, outcome } in &findings {
            match outcome {
                Outcome::Holds(statuses) => println!("{leak:>4}  holds  {title} {statuses:?}"),
                Outcome::Fails(how) => println!("{leak:>4}  LEAKS  {title}: {how}"),
                Outcome::HeldBy(_) | Outcome::NotOffered(_) => {
                    println!("{leak:>4}  not asked  {title}");
                }
            }
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of the questions told something");
    Ok(())
}

const fn leaks(finding: &Finding) -> bool {
    matches!(finding.outcome, Outcome::Fails(_))
}
