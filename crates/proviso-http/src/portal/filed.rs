//! `/portal/choices`: what a patient chose elsewhere and is on file here, in plain words.
//!
//! Only the patient sees it. What is on file may speak of what a parent or a helper may not know of.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::filed::FiledDocument;
use proviso_core::category::{PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::consent::provision::{CONFIDENTIALITY_SYSTEM, Label};
use proviso_core::time::At;
use proviso_fhir::consent::Status;
use proviso_fhir::json::Node;

use super::PatientVisit;
use super::person::{Person, Standing};
use crate::frame::{Fact, FormTargets, Frame, Section, Visit, page};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::text::Texts;

/// LIMIT: values of one attribute that are named; the others are counted.
const NAMED_MAX: usize = 8;

/// One rule of a consent, or an exception to the one above it.
#[derive(Debug)]
pub(crate) struct RuleView {
    /// 0 for what the whole says, 1 for an exception, 2 for an exception from one and deeper.
    depth: usize,
    heading: String,
    facts: Vec<Fact>,
}

/// One consent on file.
#[derive(Debug)]
pub(crate) struct FiledView {
    heading: String,
    status: String,
    state: &'static str,
    facts: Vec<Fact>,
    rules: Vec<RuleView>,
}

#[derive(Debug, Template)]
#[template(path = "filed.html")]
pub(crate) struct FiledPage {
    frame: Frame,
    intro: String,
    empty: Empty,
    filed: Vec<FiledView>,
    change: bool,
    back: String,
}

/// What is said where no consent is shown.
#[derive(Debug)]
pub(crate) struct Empty {
    title: String,
    text: String,
}

impl FiledPage {
    pub(crate) fn new(visit: &Visit, person: &Person, documents: &[FiledDocument]) -> Self {
        let t = visit.texts();
        let organization = [("organization", visit.organization.as_str())];
        Self {
            frame: visit.frame(t.say("filed-title"), Section::Home),
            intro: t.with("filed-intro", &organization),
            empty: Empty { title: t.say("filed-none"), text: t.say("filed-none-text") },
            filed: documents.iter().map(|own| view(t, own)).collect(),
            change: true,
            back: person.address("/portal"),
        }
    }

    /// The page for somebody who acts for the patient: it says whose it is, and nothing of what is
    /// on it, nor whether anything is.
    pub(crate) fn kept(visit: &Visit, person: &Person) -> Self {
        let t = visit.texts();
        Self {
            intro: t.with("filed-intro-kept", &[("organization", &visit.organization)]),
            empty: Empty { title: t.say("filed-kept"), text: t.say("filed-kept-text") },
            change: false,
            ..Self::new(visit, person, &[])
        }
    }
}

fn view(t: Texts, document: &FiledDocument) -> FiledView {
    let root = document.doc.root();
    let active = root.string_at(&["status"]).as_deref() == Some(Status::Active.code());
    let heard = document.read.as_ref().is_some_and(|read| read.enforced().is_some());
    let (status, state) = match (&document.read, active, heard) {
        (None, true, _) => ("filed-unread", "care"),
        (_, _, true) => ("filed-heard", "good"),
        (Some(_), true, false) => ("filed-other", "plain"),
        (_, false, false) => ("filed-ended", "plain"),
    };
    let date = root.string_at(&["dateTime"]);
    let read = document.read.as_ref();
    let given = read.and_then(|read| read.header().date.as_ref()?.span().start);
    let mut facts = Vec::new();
    match (given, date) {
        (Some(at), _) => facts.push(Fact::new(t.say("filed-given"), t.day(at))),
        (None, Some(text)) => facts.push(Fact::new(t.say("filed-given"), date_words(t, &text))),
        (None, None) => {}
    }
    facts.push(Fact::new(t.say("filed-since"), t.moment(document.filed_at)));
    let mut rules = Vec::new();
    if let Some(provision) = root.get("provision") {
        add_rules(t, provision, 0, &mut rules);
    }
    FiledView {
        heading: t.with("filed-number", &[("number", &document.number.to_string())]),
        status: t.say(status),
        state,
        facts,
        rules,
    }
}

fn add_rules(t: Texts, provision: Node<'_>, depth: usize, rules: &mut Vec<RuleView>) {
    let permits = provision.string_at(&["type"]).as_deref() == Some("permit");
    let heading = match (depth, permits) {
        (0, true) => "filed-permit",
        (0, false) => "filed-deny",
        (1, true) => "filed-but-permit",
        (1, false) => "filed-but-deny",
        (_, true) => "filed-of-that-permit",
        (_, false) => "filed-of-that-deny",
    };
    rules.push(RuleView {
        depth: depth.min(2),
        heading: t.say(heading),
        facts: rule_facts(t, provision),
    });
    for child in provision.get("provision").into_iter().flat_map(Node::items) {
        add_rules(t, child, depth + 1, rules);
    }
}

/// Each attribute that limits the rule. What is not named does not limit it.
fn rule_facts(t: Texts, provision: Node<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |key: &str, names: Vec<String>| {
        if !names.is_empty() {
            facts.push(Fact::new(t.say(key), some_of(t, names)));
        }
    };
    add("filed-who", provision.at(&["actor"]).map(|actor| actor_name(t, actor)).collect());
    add("filed-for", provision.at(&["purpose"]).map(|code| purpose(t, code)).collect());
    add("filed-labels", labels(t, provision));
    let kinds = provision.at(&["class"]).chain(provision.at(&["code"]));
    add("filed-kinds", kinds.map(words).collect());
    add("filed-records", provision.at(&["data", "reference"]).map(reference).collect());
    add("filed-actions", provision.at(&["action"]).map(words).collect());
    for (key, name) in [("filed-when", "period"), ("filed-from", "dataPeriod")] {
        if let Some(period) = provision.get(name) {
            facts.push(Fact::new(t.say(key), between(t, period)));
        }
    }
    if facts.is_empty() {
        facts.push(Fact::new(t.say("filed-who"), t.say("filed-everything")));
    }
    facts
}

fn some_of(t: Texts, mut names: Vec<String>) -> String {
    names.dedup();
    let more = names.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        names.truncate(NAMED_MAX);
        let count = u64::try_from(more).unwrap_or(u64::MAX);
        names.push(t.count("filed-more", count, &[]));
    }
    t.list(&names)
}

/// The words of a coding or a concept: its own, else its code.
fn words(node: Node<'_>) -> String {
    let texts =
        [&["text"][..], &["display"], &["coding", "display"], &["code"], &["coding", "code"]];
    let found = texts.iter().find_map(|path| node.first(path)?.as_str());
    found.unwrap_or_default().into_owned()
}

fn reference(node: Node<'_>) -> String {
    let texts = [&["display"][..], &["reference"], &["identifier", "value"]];
    let found = texts.iter().find_map(|path| node.first(path)?.as_str());
    found.unwrap_or_default().into_owned()
}

/// Who, and as what unless as the one who receives.
fn actor_name(t: Texts, actor: Node<'_>) -> String {
    let name = actor.get("reference").map(reference).unwrap_or_default();
    match actor.first(&["role", "coding", "code"]).and_then(Node::as_str).as_deref() {
        Some("AUT") => t.with("filed-author", &[("name", &name)]),
        Some("CST") => t.with("filed-holder", &[("name", &name)]),
        Some(_) | None => name,
    }
}

fn purpose(t: Texts, coding: Node<'_>) -> String {
    let code = coding.string_at(&["code"]).unwrap_or_default();
    match code.parse::<PurposeOfUse>() {
        Ok(known) => t.purpose(known),
        Err(_) => words(coding),
    }
}

/// Sensitive kinds in our words where the label is one of ours, else in its own.
fn labels(t: Texts, provision: Node<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for node in provision.at(&["securityLabel"]) {
        let system = node.string_at(&["system"]).unwrap_or_default();
        let code = node.string_at(&["code"]).unwrap_or_default();
        let coding = proviso_core::consent::provision::Coding::new(&*system, &*code);
        let kinds = match Label::from_coding(coding) {
            Label::Sensitivity(sensitivity) => sensitivity.kinds(),
            Label::Confidentiality(_) | Label::Foreign(_) => SensitiveSet::EMPTY,
        };
        if system == CONFIDENTIALITY_SYSTEM {
            let key = format!("filed-level-{}", code.to_ascii_lowercase());
            names.push(t.say(&key));
        } else if kinds.is_empty() {
            names.push(words(node));
        } else {
            names.extend(kinds.iter().map(|kind: SensitiveKind| t.sensitive(kind)));
        }
    }
    names
}

/// A FHIR `dateTime` in words, as exact as it is; what is none as it stands.
fn date_words(t: Texts, text: &str) -> String {
    let start = |rest: &str| At::parse(&format!("{text}{rest}"));
    if let Some(at) = At::parse(text) {
        t.moment(at)
    } else if let Some(at) = start("T00:00:00Z") {
        t.day(at)
    } else if let Some(at) = start("-01T00:00:00Z") {
        t.month(at)
    } else {
        text.to_owned()
    }
}

fn between(t: Texts, period: Node<'_>) -> String {
    let bound = |name: &str| Some(date_words(t, &period.string_at(&[name])?));
    match (bound("start"), bound("end")) {
        (Some(start), Some(end)) => t.with("filed-between", &[("start", &start), ("end", &end)]),
        (Some(start), None) => t.with("filed-starting", &[("start", &start)]),
        (None, Some(end)) => t.with("filed-ending", &[("end", &end)]),
        (None, None) => t.say("filed-everything"),
    }
}

/// `GET /portal/choices`
pub(crate) async fn show(
    State(state): State<HttpState>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    patient_visit.log(&state, "choices").await?;
    // That there is such a page is no secret; what is on it is the patient's alone.
    if patient_visit.person.standing != Standing::Own {
        let view = FiledPage::kept(patient_visit.visit(), &patient_visit.person);
        return Ok(page(StatusCode::OK, &view, &FormTargets::Own));
    }
    let patient = &patient_visit.person.patient;
    let documents = state.app.filed_documents(patient).await;
    let documents = documents.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "consents on file");
        Problem::Unavailable.page(patient_visit.visit())
    })?;
    let view = FiledPage::new(patient_visit.visit(), &patient_visit.person, &documents);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}
