//! Builds the demo world in a store: people, apps, relationships, records, one sharing choice.
//!
//! Every step looks at what is there and does what is missing, so a stop at any point is made good
//! by the next start. Records go through the import, which remembers how far it has come.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::ProgressBar;
use jiff::civil::Date;
use proviso_app::App;
use proviso_app::password::hash_password;
use proviso_app::proxies::REAPPROVE_DAYS;
use proviso_app::records::{ImportProgress, Match, NotCommitted};
use proviso_app::via::Via;
use proviso_core::account::{Account, AccountStatus, Relationship, RelationshipKind};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::{Capacity, ConsentTerms, DurationChoice, OfflineAccess, Recipient};
use proviso_core::id::{AccountId, PatientId};
use proviso_core::mandate::{Mandate, MandateBasis};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::{At, Period};
use proviso_store::{Batch, Op, Presence};
use tokio::sync::watch;

use super::folder::{State, read_marker, write_marker};
use super::world::people::{self, Person};
use super::world::{PASSWORD, ids};
use super::{SEED, clients, parts};
use crate::console::total_known;

/// Under this name the import remembers how far the world has been loaded.
const IMPORT_NAME: &str = "demo-world";

/// A nurse's shift, in seconds.
const SHIFT_SECS: i64 = 12 * 3600;

/// How building the world ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeding {
    /// Everything is there.
    Complete,
    /// It was stopped; the next start goes on from there.
    Stopped,
}

/// Builds what is missing of the world in a folder, and enters what is new at every start: the
/// origin to which the apps return, and the nurse's shift.
///
/// More patients than last time are added; fewer change nothing.
///
/// When `stop` becomes true it ends at the next safe point.
///
/// # Errors
/// When anything cannot be written. The next start goes on from there.
pub async fn seed(
    app: &Arc<App>,
    folder: &Path,
    patients: u32,
    bar: &ProgressBar,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<Seeding> {
    let mut marker = read_marker(folder)?;
    let complete = marker.state == State::Ready && patients <= marker.patients;
    if complete {
        clients::register(app, folder).await?;
        start_shift(app).await?;
        return Ok(Seeding::Complete);
    }
    marker.patients = marker.patients.max(patients);
    marker.state = State::Building;
    write_marker(folder, &marker)?;
    add_people(app).await?;
    clients::register(app, folder).await?;
    add_records(app, marker.patients, bar, stop).await?;
    if *stop.borrow() {
        return Ok(Seeding::Stopped);
    }
    delete_mistake(app).await?;
    share_with_daughter(app).await?;
    marker.state = State::Ready;
    write_marker(folder, &marker)?;
    start_shift(app).await?;
    Ok(Seeding::Complete)
}

/// The account id of a person of the demo.
///
/// # Errors
/// Never for the people of the demo.
pub fn account_id(person: &Person) -> anyhow::Result<AccountId> {
    Ok(format!("acc_{}", person.username).parse()?)
}

async fn add_people(app: &Arc<App>) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for person in people::ALL {
        if app.store().account(&account_id(person)?).await?.is_none() {
            missing.push(*person);
        }
    }
    let hashes = hashes(app, missing.len()).await?;
    let mut batch = Batch::new();
    for (person, hash) in missing.into_iter().zip(hashes) {
        batch.push(Op::PutAccount {
            account: account(&person, hash, app.now())?,
            expect: Presence::Absent,
        });
    }
    for relationship in relationships(app.now())? {
        batch.push(Op::PutRelationship(relationship));
    }
    let entry = app.draft_entry(
        &Via::default(),
        AuditKind::Administration,
        AuditOutcome::Success,
        "demo-people",
    )?;
    app.commit(batch, entry).await.context("the people of the demo cannot be saved")?;
    Ok(())
}

/// One hash per person, each with its own salt, made on all cores: hashing is slow on purpose.
async fn hashes(app: &Arc<App>, count: usize) -> anyhow::Result<Vec<String>> {
    let mut tasks = Vec::with_capacity(count);
    for _ in 0..count {
        let app = Arc::clone(app);
        tasks.push(tokio::task::spawn_blocking(move || hash_password(PASSWORD, app.entropy())));
    }
    let mut hashes = Vec::with_capacity(count);
    for task in tasks {
        hashes.push(task.await??);
    }
    Ok(hashes)
}

fn account(person: &Person, hash: String, at: At) -> anyhow::Result<Account> {
    let fhir_user = match person.fhir_user {
        Some((resource_type, id)) => Some((resource_type.parse()?, id.parse()?)),
        None => None,
    };
    Ok(Account {
        id: account_id(person)?,
        username: person.username.to_owned(),
        display_name: person.display_name.to_owned(),
        kind: person.kind,
        roles: person.roles,
        fhir_user,
        password_hash: Some(hash),
        language: None,
        status: AccountStatus::Active,
        created_at: at,
    })
}

/// Those who act for a patient were approved when the demo was built.
fn relationships(at: At) -> anyhow::Result<Vec<Relationship>> {
    let one = |person: &Person, patient: &str, kind, from: Date, until: Option<Date>| {
        anyhow::Ok(Relationship {
            account: account_id(person)?,
            patient: patient.parse()?,
            kind,
            period: Period { start: Some(midnight(from)?), end: until.map(midnight).transpose()? },
            mandate: None,
        })
    };
    let since = jiff::civil::date(2018, 1, 1);
    let approved = |own: Relationship, basis: MandateBasis| Relationship {
        mandate: Some(Mandate {
            basis,
            approved_at: at,
            approved_by: None,
            reapprove_days: Some(REAPPROVE_DAYS),
            categories: CategorySet::all(),
        }),
        ..own
    };
    let of_age = midnight(people::LILY_OF_AGE)?;
    let confidential_from = Some(midnight(people::LILY_CONFIDENTIAL_FROM)?);
    Ok(vec![
        one(&people::DRPATEL, people::MARIA_PATIENT, RelationshipKind::Care, since, None)?,
        one(&people::DRPATEL, people::LILY_PATIENT, RelationshipKind::Care, since, None)?,
        approved(
            one(
                &people::WEI,
                people::LILY_PATIENT,
                RelationshipKind::Proxy,
                people::LILY_BORN,
                None,
            )?,
            MandateBasis::Parent { of_age, confidential_from },
        ),
        approved(
            one(
                &people::GRACE,
                people::JAMES_PATIENT,
                RelationshipKind::Proxy,
                jiff::civil::date(2024, 12, 1),
                Some(people::GRACE_UNTIL),
            )?,
            MandateBasis::Appointed,
        ),
    ])
}

/// Midnight in Riverside.
fn midnight(day: Date) -> anyhow::Result<At> {
    At::parse(&format!("{day}T00:00:00-07:00")).context("a day of the demo is no date")
}

/// The nurse's shift begins when the demo is started and lasts twelve hours: whoever tries the
/// demo finds her at work, and a demo left running overnight shows a shift that is over.
async fn start_shift(app: &Arc<App>) -> anyhow::Result<()> {
    let at = app.now();
    let shift = Relationship {
        account: account_id(&people::NURSERUIZ)?,
        patient: people::JAMES_PATIENT.parse()?,
        kind: RelationshipKind::Shift,
        period: Period { start: Some(at), end: Some(at.plus_secs(SHIFT_SECS)) },
        mandate: None,
    };
    let mut entry = app.draft_entry(
        &Via::default(),
        AuditKind::Administration,
        AuditOutcome::Success,
        "shift",
    )?;
    entry.account = Some(shift.account.clone());
    entry.patients = vec![shift.patient.clone()];
    app.commit(Batch::new().with(Op::PutRelationship(shift)), entry)
        .await
        .context("the shift cannot be saved")?;
    Ok(())
}

async fn add_records(
    app: &Arc<App>,
    patients: u32,
    bar: &ProgressBar,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let records = app.records();
    // The named people have about eleven hundred records, the others about 110 each.
    total_known(bar, 1100 + 110 * u64::from(patients));
    // Where the lines end the import ends too, with everything before it written. A batch is never
    // cut: whoever stops it waits for the one that is being written and no longer.
    let going_on = |_: &io::Result<Vec<u8>>| !*stop.borrow();
    let lines = parts(SEED, patients).flatten().map(|record| Ok(record.body)).take_while(going_on);
    let commit = async |batch: Batch| commit_import(app, batch, "demo-world").await;
    let mut show = |progress: &ImportProgress| {
        total_known(bar, bar.length().unwrap_or(0).max(progress.lines));
        bar.set_position(progress.lines);
    };
    let report = records.import_lines(IMPORT_NAME, lines, &commit, &mut show).await?;
    if let Some(rejection) = report.rejections.first() {
        anyhow::bail!("record {} of the demo world: {}", rejection.line, rejection.reason);
    }
    Ok(())
}

/// Writes a batch of imported records with the audit entry that says whose they are.
pub(crate) async fn commit_import(
    app: &Arc<App>,
    batch: Batch,
    action: &str,
) -> Result<(), NotCommitted> {
    let failed = |error: &dyn std::fmt::Display| NotCommitted::Failed(error.to_string());
    let mut entry = app
        .draft_entry(&Via::default(), AuditKind::Import, AuditOutcome::Success, action)
        .map_err(|error| failed(&error))?;
    let mut patients: BTreeSet<PatientId> = BTreeSet::new();
    let mut count = 0_u32;
    for op in &batch.ops {
        if let Op::PutRecord { record, .. } = op {
            patients.extend(record.patients.iter().cloned());
            count = count.saturating_add(1);
        }
    }
    entry.patients = patients.into_iter().collect();
    entry.released = count;
    match app.commit(batch, entry).await {
        Ok(_) => Ok(()),
        Err(error) if error.precondition().is_some() => Err(NotCommitted::Precondition),
        Err(error) => Err(failed(&error)),
    }
}

/// One record that was written and deleted again: what a deletion looks like can be tried.
async fn delete_mistake(app: &Arc<App>) -> anyhow::Result<()> {
    let mut deletion =
        app.records().delete(ResourceType::OBSERVATION, &ids::MISTAKE.parse()?, Match::Any).await?;
    let ops = deletion.take_ops();
    if ops.is_empty() {
        return Ok(());
    }
    let mut entry = app.draft_entry(
        &Via::default(),
        AuditKind::Administration,
        AuditOutcome::Success,
        "delete",
    )?;
    entry.patients = vec![people::MARIA_PATIENT.parse()?];
    entry.resource_type = Some(ResourceType::OBSERVATION);
    entry.resources = vec![(ResourceType::OBSERVATION, ids::MISTAKE.parse()?)];
    app.commit(Batch::from(ops), entry).await.context("the deletion cannot be saved")?;
    Ok(())
}

/// James shares with his daughter, as he did before the demo begins.
async fn share_with_daughter(app: &Arc<App>) -> anyhow::Result<()> {
    let patient: PatientId = people::JAMES_PATIENT.parse()?;
    if !app.store().consents_of_patient(&patient).await?.is_empty() {
        return Ok(());
    }
    let giver =
        app.store().account(&account_id(&people::JAMES)?).await?.context("James has no account")?;
    let terms = ConsentTerms {
        patient,
        given_by: giver.id.clone(),
        capacity: Capacity::Patient,
        recipient: Recipient::Person(account_id(&people::GRACE)?),
        categories: CategorySet::all().without(Category::Billing).without(Category::Coverage),
        sensitive: SensitiveSet::EMPTY,
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::Family),
        period: Period { start: Some(app.now()), end: Some(midnight(people::GRACE_UNTIL)?) },
        data_period: Period::ALWAYS,
        duration: DurationChoice::UntilStopped,
        offline: OfflineAccess::Refused,
        granted_scopes: Vec::new(),
        legal_basis: "consent".to_owned(),
        policy_uri: app.settings().policy_uri.clone(),
        language: "en".to_owned(),
        shown_text: "Grace Okoro, my daughter, may look at my records until the end of June 2027, \
                     to help me. She sees everything but bills and insurance. She sees nothing \
                     that counts as sensitive."
            .to_owned(),
    };
    app.record_consent(&giver, terms, &Via::default()).await?;
    Ok(())
}

#[cfg(test)]
#[path = "seed_tests.rs"]
mod tests;
