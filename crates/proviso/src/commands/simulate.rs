//! `proviso consent who`, `what-if` and `explain`: who could see which records, and why.

use std::collections::BTreeMap;

use anyhow::Context as _;
use proviso_app::simulate::{
    Answered, Simulated, SimulatedRecord, SimulatedSubject, SubjectStanding,
};
use proviso_core::category::{Category, PurposeOfUse, SensitiveKind};
use proviso_core::consent::{ConsentVersion, Recipient};
use proviso_core::id::ConsentId;
use proviso_core::reason::{Language, ReasonCode};
use proviso_gateway::GatewaySettings;
use proviso_http::Demonstration;
use proviso_http::simulation::answer_json;
use serde_json::{Value, json};

use super::Ending;
use super::consent::{ask as ask_choices, describe as describe_choice};
use super::serve::{gateway_settings, planes};
use crate::choices::{Question, VersionRow};
use crate::cli::{self, ConsentArgs, WhatIfArgs, WhoArgs};
use crate::console::{self, Mark};
use crate::control::{self, Order, Outcome};
use crate::installation::Installation;
use crate::simulation::simulate;

/// LIMIT: records that a list on the terminal names of one subject, unless all are asked for.
const NAMED_MAX: usize = 20;

/// `consent who`.
///
/// # Errors
/// When a word of the question is not known, or there is no answer.
pub async fn who(arguments: &WhoArgs) -> anyhow::Result<Ending> {
    let mut question = json!({ "patient": arguments.patient });
    if let Some(record) = &arguments.record {
        insert(&mut question, "record", json!(record));
    }
    let simulated = ask(&arguments.installation, question).await?;
    if arguments.json {
        console::line(&answer_json(&simulated).to_string());
        return Ok(Ending::Done);
    }
    let records = simulated.records.len();
    console::line(&format!("{}: {records} records at {}", simulated.patient, simulated.at));
    for (place, subject) in simulated.subjects.iter().enumerate() {
        describe_now(&simulated, place, subject);
    }
    Ok(Ending::Done)
}

/// `consent what-if`.
///
/// # Errors
/// As [`who`], or when the change could not be made.
pub async fn what_if(arguments: &WhatIfArgs) -> anyhow::Result<Ending> {
    let simulated = ask(&arguments.installation, question_of(arguments)?).await?;
    if arguments.json {
        console::line(&answer_json(&simulated).to_string());
        return Ok(Ending::Done);
    }
    console::line(&format!("{}: if it were done at {}", simulated.patient, simulated.at));
    let mut changed = false;
    for (place, subject) in simulated.subjects.iter().enumerate() {
        changed |= describe_change(&simulated, place, subject, arguments.all);
    }
    if !changed {
        console::line("nothing would come within anybody's reach or go out of it");
    }
    Ok(Ending::Done)
}

/// `consent explain`: what a choice means, which records it opens now, and which it keeps closed.
///
/// # Errors
/// When there is no such choice, or no answer.
pub async fn explain(arguments: &ConsentArgs) -> anyhow::Result<Ending> {
    let id = &arguments.consent;
    let consent: ConsentId =
        id.parse().with_context(|| format!("`{id}` is not the id of a sharing choice"))?;
    let rows = ask_choices(&arguments.installation, Question::Latest(consent)).await?;
    let row = rows.first().with_context(|| format!("there is no sharing choice `{id}`"))?;
    let question = json!({ "patient": row.version.patient, "subject": id });
    let simulated = ask(&arguments.installation, question).await?;
    if arguments.json {
        let meaning = meaning(row);
        let mut answer = answer_json(&simulated);
        insert(&mut answer, "consent", json!({ "version": row, "means": meaning }));
        console::line(&answer.to_string());
        return Ok(Ending::Done);
    }
    describe_choice(row);
    console::line("");
    for sentence in meaning(row) {
        console::line(&sentence);
    }
    if simulated.subjects.is_empty() {
        console::line("No way to records rests on this choice, so it opens none.");
    }
    for (place, subject) in simulated.subjects.iter().enumerate() {
        console::line("");
        describe_now(&simulated, place, subject);
        describe_closed(&simulated, place);
    }
    Ok(Ending::Done)
}

fn insert(to: &mut Value, name: &str, value: Value) {
    if let Some(members) = to.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn question_of(arguments: &WhatIfArgs) -> anyhow::Result<Value> {
    let codes = |text: &Option<String>| text.as_deref().map(split);
    let period = (arguments.data_from.is_some() || arguments.data_until.is_some())
        .then(|| json!({ "start": arguments.data_from, "end": arguments.data_until }));
    let of = &arguments.of;
    let mut change = json!({});
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            insert(&mut change, name, value);
        }
    };
    set("categories", codes(&arguments.categories).map(|own| json!(own)));
    set("sensitive", codes(&arguments.sensitive).map(|own| json!(own)));
    set("purposes", codes(&arguments.purposes).map(|own| json!(own)));
    set("data_period", period);
    if let Some(consent) = &of.consent {
        if arguments.stop {
            return Ok(json!({ "change": { "stop": { "consent": consent } } }));
        }
        set("offline", arguments.no_offline.then_some(json!(false)));
        set("consent", Some(json!(consent)));
        return Ok(json!({ "change": { "narrow": change } }));
    }
    let patient = arguments.patient.as_ref().context("name the patient with `--patient`")?;
    if let Some(account) = &of.end_proxy {
        return Ok(json!({
            "patient": patient, "change": { "end_proxy": { "account": account } }
        }));
    }
    let app = of.sign.as_ref().context("name a choice, an app or a person")?;
    let by = arguments.by.as_ref().context("name who signs with `--by`")?;
    anyhow::ensure!(arguments.categories.is_some(), "name kinds of record with `--categories`");
    set("app", Some(json!(app)));
    set("account", Some(json!(by)));
    set("duration", Some(json!(arguments.duration)));
    set("offline", arguments.offline.then_some(json!(true)));
    set("scope", arguments.scope.as_ref().map(|scope| json!(scope)));
    Ok(json!({ "patient": patient, "change": { "sign": change } }))
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|code| !code.is_empty()).map(str::to_owned).collect()
}

/// Asks page after page. A running server answers itself, from what is in force in it.
async fn ask(named: &cli::Installation, question: Value) -> anyhow::Result<Simulated> {
    let installation = Installation::named_by(named)?;
    anyhow::ensure!(installation.database().exists(), "there is nothing yet; start it once");
    let taken = match installation.lock() {
        Ok(lock) => {
            let app = installation.open(&lock).await?;
            let settings = match &installation.config {
                Some(config) => gateway_settings(config)?,
                None => GatewaySettings::embedded(installation.settings.public_url.clone()),
            };
            // The router is not served; it holds the data plane that has the records.
            let planes = planes(&app, settings, Demonstration::Off)?;
            let whole = every_page(question, async |page| simulate(&app, &page).await).await;
            drop(planes);
            return whole;
        }
        Err(taken) => taken,
    };
    let folder = &installation.data_dir;
    let mut taken = Some(taken);
    every_page(question, async |page| match control::ask(folder, Order::Simulate(page)).await? {
        Some(Outcome::Simulated(simulated)) => Ok(*simulated),
        Some(other) => Err(other.unexpected()),
        None => Err(taken.take().unwrap_or_else(|| anyhow::anyhow!("the server has stopped"))),
    })
    .await
}

/// Joins the pages of an answer. Each is decided at its own instant, so who could see anything must
/// be the same on all of them.
async fn every_page(
    mut question: Value,
    mut ask: impl AsyncFnMut(Value) -> anyhow::Result<Simulated>,
) -> anyhow::Result<Simulated> {
    let mut whole = ask(question.clone()).await?;
    while let Some((kind, id)) = whole.next.take() {
        insert(&mut question, "page", json!({ "token": format!("{kind}/{id}") }));
        let page = ask(question.clone()).await?;
        anyhow::ensure!(
            page.subjects == whole.subjects,
            "what is in force changed while it was looked at; ask again"
        );
        whole.records.extend(page.records);
        whole.next = page.next;
    }
    Ok(whole)
}

fn heading(subject: &SimulatedSubject) -> String {
    let who = &subject.who;
    let what = match who.standing {
        SubjectStanding::Patient => "the patient",
        SubjectStanding::Proxy => "acts for the patient",
        SubjectStanding::App => "app, by a sharing choice",
        SubjectStanding::Staff => "staff",
        SubjectStanding::StaffApp => "app of staff",
        SubjectStanding::Service => "service",
    };
    let for_whom = subject.for_name.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
    format!("{}{for_whom} ({what}, {})", subject.name, who.key())
}

fn name_of(record: &SimulatedRecord) -> String {
    format!("{}/{}", record.resource_type, record.id)
}

fn kind_of(record: &SimulatedRecord) -> String {
    let codes: Vec<&str> = record.categories.iter().map(Category::code).collect();
    if codes.is_empty() { "of no kind".to_owned() } else { codes.join("+") }
}

fn describe_now(simulated: &Simulated, place: usize, subject: &SimulatedSubject) {
    let (before, _) = simulated.tally(place);
    let mark = if before.permitted > 0 { Mark::Good } else { Mark::Note };
    console::marked(mark, &heading(subject));
    console::line(&format!("      sees {}, does not see {}", before.permitted, before.refused));
    if !subject.refused.is_empty() {
        for reason in &subject.refused {
            tell_reason(*reason, None);
        }
        return;
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (record, answered) in simulated.of_subject(place) {
        if answered.before.permitted {
            *kinds.entry(kind_of(record)).or_default() += 1;
        }
    }
    for (kind, count) in kinds {
        console::line(&format!("      {count:>6} {kind}"));
    }
    if let [record] = simulated.records.as_slice()
        && let Some((_, answered)) = simulated.of_subject(place).next()
    {
        console::line(&format!("      {}", name_of(record)));
        for reason in &answered.before.reasons {
            tell_reason(*reason, None);
        }
        return;
    }
    for (reason, count) in &before.reasons {
        tell_reason(*reason, Some(*count));
    }
}

fn tell_reason(reason: ReasonCode, count: Option<usize>) {
    let text = reason.auditor_text(Language::English);
    let times = count.map(|count| format!("{count} × ")).unwrap_or_default();
    console::line(&format!("      {times}{}: {text}", reason.code()));
}

/// The records that a choice keeps closed, by why.
fn describe_closed(simulated: &Simulated, place: usize) {
    let mut by_reasons: BTreeMap<Vec<ReasonCode>, Vec<String>> = BTreeMap::new();
    let (mut open, mut closed) = (Vec::new(), 0_usize);
    for (record, answered) in simulated.of_subject(place) {
        if answered.before.permitted {
            open.push(name_of(record));
        } else {
            closed += 1;
            let reasons = answered.before.reasons.clone();
            by_reasons.entry(reasons).or_default().push(name_of(record));
        }
    }
    console::line(&console::bold(&format!("opens {}", open.len())));
    names(&open, Shown::All);
    console::line(&console::bold(&format!("keeps closed {closed}")));
    for (reasons, records) in by_reasons {
        let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
        console::line(&format!("      {} ({})", codes.join(", "), records.len()));
        names(&records, Shown::All);
    }
}

/// How much of a list is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    All,
    First,
}

fn names(records: &[String], shown: Shown) {
    let most = if shown == Shown::All { records.len() } else { NAMED_MAX };
    for name in records.iter().take(most) {
        console::line(&format!("        {name}"));
    }
    let left = records.len().saturating_sub(most);
    if left > 0 {
        console::line(&format!("        and {left} more (--all names them)"));
    }
}

fn describe_change(
    simulated: &Simulated,
    place: usize,
    subject: &SimulatedSubject,
    all: bool,
) -> bool {
    let named = |which: fn(&Answered) -> bool| -> Vec<String> {
        let of = simulated.of_subject(place).filter(|(_, answered)| which(answered));
        of.map(|(record, _)| name_of(record)).collect()
    };
    let (appear, disappear) = (named(Answered::appears), named(Answered::disappears));
    if appear.is_empty() && disappear.is_empty() {
        return false;
    }
    console::marked(Mark::Note, &heading(subject));
    let (before, after) = simulated.tally(place);
    let then = after.map_or(before.permitted, |after| after.permitted);
    console::line(&format!("      sees {} now, {then} afterwards", before.permitted));
    let shown = if all { Shown::All } else { Shown::First };
    for (what, records) in [("would appear", appear), ("would disappear", disappear)] {
        if !records.is_empty() {
            console::line(&format!("      {} {what}", records.len()));
            names(&records, shown);
        }
    }
    for reason in &subject.refused_after {
        tell_reason(*reason, None);
    }
    true
}

/// What a choice means, in sentences.
fn meaning(row: &VersionRow) -> Vec<String> {
    let version = &row.version;
    let kinds: Vec<&str> = version.categories.iter().map(Category::code).collect();
    let sensitive: Vec<&str> = version.sensitive.iter().map(SensitiveKind::code).collect();
    let purposes: Vec<&str> = version.purposes.iter().map(PurposeOfUse::code).collect();
    let sensitive = if sensitive.is_empty() {
        "No sensitive kind is named, so no record of one is opened.".to_owned()
    } else {
        format!("Of the sensitive kinds it names {}; all others stay closed.", sensitive.join(", "))
    };
    let from = match (version.data_period.start, version.data_period.end) {
        (None, None) => "Records of any time count.".to_owned(),
        (start, end) => {
            let bound = |at: Option<proviso_core::time::At>, open: &str| {
                at.map_or_else(|| open.to_owned(), proviso_core::time::At::to_rfc3339)
            };
            format!(
                "Only records of between {} and {} count; one without a date does not.",
                bound(start, "the beginning"),
                bound(end, "now")
            )
        }
    };
    vec![
        format!("{} lets {} see records of {}.", giver(version), to(version), version.patient),
        format!("The kinds of record are {}.", kinds.join(", ")),
        sensitive,
        format!("The purposes are {}; no other purpose is included.", purposes.join(", ")),
        from,
        format!("It stands as: {}.", row.standing),
    ]
}

fn giver(version: &ConsentVersion) -> String {
    format!("{} ({})", version.given_by, version.capacity.code())
}

fn to(version: &ConsentVersion) -> String {
    match &version.recipient {
        Recipient::App(id) => format!("the app {id}"),
        Recipient::Person(id) => format!("the person {id}"),
        Recipient::Organization(id) => format!("the organization {id}"),
        Recipient::CareTeam(id) => format!("the care team {id}"),
    }
}
