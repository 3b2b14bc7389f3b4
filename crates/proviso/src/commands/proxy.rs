//! `proviso proxy`: people who act for a patient.

use anyhow::Context as _;
use proviso_core::category::{Category, CategorySet};
use proviso_core::id::PatientId;
use proviso_core::mandate::MandateBasis;
use proviso_core::time::At;

use super::Ending;
use crate::cli::{self, ProxyApproveArgs, ProxyArgs, ProxyCommand};
use crate::console::{self, Mark};
use crate::control::{self, Outcome};
use crate::installation::Installation;
use crate::proxies::{self, Basis, Named, Order, ProxyRow};

/// Runs it.
///
/// # Errors
/// When the installation cannot be opened, or the change is refused.
pub async fn run(command: &ProxyCommand) -> anyhow::Result<Ending> {
    let (installation, json, order) = match command {
        ProxyCommand::List(arguments) => {
            let patient = arguments.patient.as_deref().map(patient).transpose()?;
            (&arguments.installation, arguments.json, Order::List { patient })
        }
        ProxyCommand::Approve(arguments) => {
            (&arguments.installation, arguments.json, approval(arguments)?)
        }
        ProxyCommand::Renew(arguments) => {
            (&arguments.installation, arguments.json, Order::Renew(named(arguments)?))
        }
        ProxyCommand::End(arguments) => {
            (&arguments.installation, arguments.json, Order::End(named(arguments)?))
        }
    };
    let rows = ask(installation, order).await?;
    if json {
        console::line(&serde_json::json!({ "proxies": rows }).to_string());
    } else if rows.is_empty() {
        console::line("nobody acts for a patient");
    } else {
        rows.iter().for_each(describe);
    }
    Ok(Ending::Done)
}

fn patient(text: &str) -> anyhow::Result<PatientId> {
    text.parse().with_context(|| format!("`{text}` is not the id of a patient"))
}

fn named(arguments: &ProxyArgs) -> anyhow::Result<Named> {
    let ProxyArgs { account, patient: whose, by, .. } = arguments;
    Ok(Named { account: account.clone(), patient: patient(whose)?, by: by.clone() })
}

fn approval(arguments: &ProxyApproveArgs) -> anyhow::Result<Order> {
    let basis = match (arguments.basis.as_str(), &arguments.jurisdiction) {
        ("parent", Some(place)) => Basis::Parent(place.clone()),
        ("parent", None) => anyhow::bail!("for a parent, `--jurisdiction` says whose law counts"),
        ("appointed" | "court", Some(_)) => {
            anyhow::bail!("`--jurisdiction` is for a parent only")
        }
        ("appointed", None) => Basis::Appointed,
        ("court", None) => Basis::Court,
        (other, _) => anyhow::bail!("`{other}` is no basis: parent, appointed or court"),
    };
    let instant = |text: &String| {
        At::parse(text).with_context(|| format!("`{text}` is no instant like 2027-06-30T00:00:00Z"))
    };
    Ok(Order::Approve {
        named: Named {
            account: arguments.account.clone(),
            patient: patient(&arguments.patient)?,
            by: arguments.by.clone(),
        },
        basis,
        until: arguments.until.as_ref().map(instant).transpose()?,
        categories: categories(&arguments.categories)?,
    })
}

fn categories(words: &[String]) -> anyhow::Result<CategorySet> {
    if words.is_empty() {
        return Ok(CategorySet::all());
    }
    let read = |word: &String| {
        word.parse::<Category>().with_context(|| {
            let known: Vec<&str> = Category::ALL.iter().map(|kind| kind.code()).collect();
            format!("`{word}` is no kind of record; there are {}", known.join(", "))
        })
    };
    words.iter().map(read).collect()
}

async fn ask(named: &cli::Installation, order: Order) -> anyhow::Result<Vec<ProxyRow>> {
    let installation = Installation::named_by(named)?;
    anyhow::ensure!(installation.database().exists(), "there is nothing yet; start it once");
    match installation.lock() {
        Ok(lock) => proxies::carry_out(&installation.open(&lock).await?, &order).await,
        // A server has the folder: a change behind its back would be in force at its next start
        // only, so it makes the change itself.
        Err(taken) => {
            let order = control::Order::Proxies(order);
            match control::ask(&installation.data_dir, order).await? {
                Some(Outcome::Proxies(rows)) => Ok(rows),
                Some(other) => Err(other.unexpected()),
                None => Err(taken),
            }
        }
    }
}

fn describe(row: &ProxyRow) {
    let own = &row.relationship;
    let mark = if row.acts { Mark::Good } else { Mark::Note };
    let stands = if row.acts { "acts" } else { "does not act" };
    console::marked(mark, &format!("{} {stands} for {}", row.username, own.patient));
    let fact = |name: &str, value: &str| console::line(&format!("      {name:<12} {value}"));
    if let Some(start) = own.period.start {
        fact("from", &start.to_string());
    }
    if let Some(end) = own.period.end {
        fact("until", &end.to_string());
    }
    let Some(mandate) = &own.mandate else { return };
    fact(
        "rests on",
        match mandate.basis {
            MandateBasis::Parent { .. } => "being a parent",
            MandateBasis::Appointed => "the patient's appointment",
            MandateBasis::Court => "a court's appointment",
        },
    );
    if let Some(by) = &mandate.approved_by {
        fact("approved by", by.as_str());
    }
    fact("approved", &mandate.approved_at.to_string());
    if mandate.categories != CategorySet::all() {
        let kinds: Vec<&str> = mandate.categories.iter().map(Category::code).collect();
        fact("sees", &kinds.join(", "));
    }
}
