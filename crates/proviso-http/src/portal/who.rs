//! `/portal/who`: who could see which records now, and what would go out of sight by stopping.
//!
//! Everything comes from the simulator, as far as who reads may know it: records that they may see
//! themselves, and of what a patient chose in confidence nothing that it could be told by.

use std::cmp::Reverse;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::simulate::{
    Answered, PossibleSubject, RECORDS_MAX, Simulated, SimulatedRecord, SimulatedSubject,
    Simulation, SimulationError, SubjectFilter, SubjectStanding, SupposedChange, Viewer,
};
use proviso_core::category::Category;
use proviso_core::consent::Capacity;
use proviso_core::id::ConsentId;

use super::PatientVisit;
use super::person::Person;
use crate::authorize::failed;
use crate::frame::{FormTargets, Frame, Section, Visit, page, with_query};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::text::Texts;

/// LIMIT: lines of one page of a list.
const LIST_MAX: usize = 100;
/// LIMIT: lines of the list on the consent page, which has no other page to go on at.
const PREVIEW_MAX: usize = 500;

/// One record of a list.
#[derive(Debug)]
pub(crate) struct RecordLine {
    pub(crate) title: String,
    pub(crate) kinds: String,
    pub(crate) date: String,
}

/// How many records of one kind.
#[derive(Debug)]
pub(crate) struct KindCount {
    label: String,
    count: usize,
}

/// Somebody on the page.
#[derive(Debug)]
pub(crate) struct WhoCard {
    name: String,
    about: Vec<String>,
    count: String,
    kinds: Vec<KindCount>,
    href: String,
    link: String,
}

/// People or apps of one sort.
#[derive(Debug)]
pub(crate) struct WhoGroup {
    id: &'static str,
    title: String,
    /// What there is to say besides, or instead.
    lines: Vec<String>,
    cards: Vec<WhoCard>,
}

#[derive(Debug, Template)]
#[template(path = "who.html")]
pub(crate) struct WhoPage {
    frame: Frame,
    acting: Option<String>,
    groups: Vec<WhoGroup>,
    notes: Vec<String>,
}

#[derive(Debug, Template)]
#[template(path = "who-records.html")]
pub(crate) struct WhoRecordsPage {
    frame: Frame,
    acting: Option<String>,
    lines: Vec<String>,
    records: Vec<RecordLine>,
    newer: Option<String>,
    older: Option<String>,
    back: String,
}

/// What goes out of sight when a choice is stopped.
#[derive(Debug, Default)]
pub(crate) struct Losing {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) summary: String,
    pub(crate) records: Vec<RecordLine>,
    pub(crate) more: Option<(String, String)>,
}

const fn of_group(standing: SubjectStanding) -> Option<usize> {
    match standing {
        SubjectStanding::App => Some(0),
        SubjectStanding::Patient | SubjectStanding::Proxy => Some(1),
        SubjectStanding::Staff => Some(2),
        SubjectStanding::Service => Some(3),
        // They see no more than the people who use them.
        SubjectStanding::StaffApp => None,
    }
}

fn kinds_of(record: &SimulatedRecord) -> Vec<Category> {
    record.categories.iter().collect()
}

fn kinds_text(t: Texts, record: &SimulatedRecord) -> String {
    let names: Vec<String> = kinds_of(record).into_iter().map(|kind| t.category(kind)).collect();
    if names.is_empty() { t.say("who-other") } else { t.list(&names) }
}

fn line(t: Texts, record: &SimulatedRecord) -> RecordLine {
    let kinds = kinds_text(t, record);
    let at = record.period.and_then(|period| period.start.or(period.end));
    RecordLine {
        title: record.title.clone().unwrap_or_else(|| kinds.clone()),
        kinds,
        date: at.map_or_else(|| t.say("who-no-date"), |at| t.day(at)),
    }
}

/// The newest first; among equals in the order of types and ids.
fn newest_first(mut records: Vec<&SimulatedRecord>) -> Vec<&SimulatedRecord> {
    let start = |record: &SimulatedRecord| record.period.and_then(|own| own.start.or(own.end));
    records.sort_by_key(|record| Reverse(start(record)));
    records
}

fn counts(t: Texts, records: &[&SimulatedRecord]) -> Vec<KindCount> {
    let of = |kind: &Category| records.iter().filter(|own| own.categories.contains(*kind)).count();
    let mut counts: Vec<KindCount> = Category::ALL
        .iter()
        .map(|kind| KindCount { label: t.category(*kind), count: of(kind) })
        .collect();
    let other = records.iter().filter(|own| own.categories.is_empty()).count();
    counts.push(KindCount { label: t.say("who-other"), count: other });
    counts.retain(|one| one.count > 0);
    counts
}

fn seen(simulated: &Simulated, place: usize) -> Vec<&SimulatedRecord> {
    let own = simulated.of_subject(place).filter(|(_, answered)| answered.before.permitted);
    own.map(|(record, _)| record).collect()
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Whether part of what is said of somebody is left out for this reader.
fn is_private(who: &PossibleSubject, reader: Capacity) -> bool {
    reader != Capacity::Patient && who.in_confidence
}

/// What holds for everything that is said: that somebody who acts for the patient is told the most
/// that could be seen, and that there is more than was looked at.
fn notes(t: Texts, reader: Capacity, simulated: &Simulated) -> Vec<String> {
    let at_most = (reader != Capacity::Patient).then(|| t.say("who-at-most"));
    let count = number(simulated.records.len());
    let cut = simulated.next.as_ref().map(|_| t.count("who-cut", count, &[]));
    at_most.into_iter().chain(cut).collect()
}

impl WhoPage {
    pub(crate) fn new(
        visit: &Visit,
        person: &Person,
        reader: (Capacity, &str),
        simulated: &Simulated,
    ) -> Self {
        let t = visit.texts();
        let (capacity, own_account) = reader;
        let organization = [("organization", visit.organization.as_str())];
        let group = |id, title: String, none: &str| WhoGroup {
            id,
            title,
            lines: vec![t.say(none)],
            cards: Vec::new(),
        };
        let mut groups = [
            group("apps", t.say("who-apps"), "who-apps-none"),
            group("acting", t.say("who-people"), "who-people-none"),
            group("care", t.say("who-staff"), "who-staff-none"),
            group("services", t.with("who-services", &organization), "who-services-none"),
        ];
        for (place, subject) in simulated.subjects.iter().enumerate() {
            let is_reader = subject.who.client.is_none()
                && subject.who.account.as_ref().is_some_and(|own| own.as_str() == own_account);
            let group = of_group(subject.who.standing).and_then(|at| groups.get_mut(at));
            if let (Some(group), false) = (group, is_reader) {
                group.cards.extend(card(t, person, capacity, simulated, (place, subject)));
            }
        }
        for group in &mut groups {
            if !group.cards.is_empty() {
                group.lines.clear();
            }
        }
        let [_, _, care, _] = &mut groups;
        if capacity != Capacity::Patient {
            care.lines = vec![t.say("who-staff-private")];
        } else if !care.cards.is_empty() {
            care.lines = vec![t.say("who-staff-apps")];
        }
        Self {
            frame: visit.frame(t.say("who-title"), Section::Home),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            groups: Vec::from(groups),
            notes: notes(t, capacity, simulated),
        }
    }
}

fn card(
    t: Texts,
    person: &Person,
    reader: Capacity,
    simulated: &Simulated,
    (place, subject): (usize, &SimulatedSubject),
) -> Option<WhoCard> {
    let records = seen(simulated, place);
    let private = is_private(&subject.who, reader);
    if records.is_empty() && !private {
        return None;
    }
    let mut about = Vec::new();
    if let (SubjectStanding::App, Some(name)) = (subject.who.standing, &subject.for_name) {
        about.push(t.with("who-chosen-by", &[("name", name)]));
    }
    if subject.who.standing == SubjectStanding::Patient {
        about.push(t.say("who-patient"));
    }
    if private {
        about.push(t.say("who-private"));
    }
    let list = person.address("/portal/who/records");
    let total = simulated.of_subject(place).count().to_string();
    Some(WhoCard {
        name: subject.name.clone(),
        about,
        count: t.count("who-count", number(records.len()), &[("total", &total)]),
        kinds: counts(t, &records),
        href: with_query(&list, "who", &subject.who.key()),
        link: t.with("who-open", &[("name", &subject.name)]),
    })
}

impl WhoRecordsPage {
    pub(crate) fn new(
        visit: &Visit,
        person: &Person,
        reader: Capacity,
        simulated: &Simulated,
        shown: (usize, usize),
    ) -> Option<Self> {
        let t = visit.texts();
        let (place, number_of_page) = shown;
        let subject = simulated.subjects.get(place)?;
        let records = newest_first(seen(simulated, place));
        let total = simulated.of_subject(place).count().to_string();
        let mut lines =
            vec![t.count("who-count", number(records.len()), &[("total", total.as_str())])];
        if is_private(&subject.who, reader) {
            lines.push(t.say("who-private"));
        }
        lines.extend(notes(t, reader, simulated));
        let first = number_of_page.saturating_mul(LIST_MAX);
        let own = with_query(&person.address("/portal/who/records"), "who", &subject.who.key());
        let page = |number: usize| with_query(&own, "page", &number.to_string());
        Some(Self {
            frame: visit
                .frame(t.with("who-records-title", &[("name", &subject.name)]), Section::Home),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            lines,
            newer: number_of_page.checked_sub(1).map(page),
            older: (records.len() > first.saturating_add(LIST_MAX))
                .then(|| page(number_of_page.saturating_add(1))),
            records: records
                .into_iter()
                .skip(first)
                .take(LIST_MAX)
                .map(|own| line(t, own))
                .collect(),
            back: person.address("/portal/who"),
        })
    }
}

impl Losing {
    /// What an app could no longer see; `None` when there is no answer, which must keep nobody from
    /// stopping.
    pub(crate) fn new(
        t: Texts,
        person: &Person,
        reader: Capacity,
        app: &str,
        simulated: Option<&Simulated>,
    ) -> Self {
        let title = t.with("losing-title", &[("app", app)]);
        let Some(simulated) = simulated else {
            return Self { title, lines: vec![t.say("losing-failed")], ..Self::default() };
        };
        let places = simulated.subjects.iter().enumerate();
        let mut lost: Vec<&SimulatedRecord> = Vec::new();
        let (mut more, mut private) = (None, false);
        for (place, subject) in places {
            let own = simulated.of_subject(place).filter(|(_, one)| Answered::disappears(one));
            lost.extend(own.map(|(record, _)| record));
            private |= is_private(&subject.who, reader);
            let one_by_one = person.address("/portal/who/records");
            more = Some(with_query(&one_by_one, "who", &subject.who.key()));
        }
        let lost = newest_first(lost);
        let mut lines = vec![t.count("losing-count", number(lost.len()), &[("app", app)])];
        lines.extend(counts(t, &lost).into_iter().map(|kind| {
            t.with("who-kind", &[("kind", &kind.label), ("count", &kind.count.to_string())])
        }));
        if private {
            lines.push(t.say("losing-private"));
        }
        lines.extend(notes(t, reader, simulated));
        let more = more.filter(|_| lost.len() > LIST_MAX);
        Self {
            title,
            lines,
            summary: t.say("losing-list"),
            records: lost.into_iter().take(LIST_MAX).map(|own| line(t, own)).collect(),
            more: more.map(|href| (href, t.with("who-open", &[("name", app)]))),
        }
    }
}

impl Losing {
    /// What an app could see if a person shared as they ticked; `None` when there is no answer.
    pub(crate) fn preview(
        t: Texts,
        reader: Capacity,
        app: &str,
        simulated: Option<&Simulated>,
    ) -> Self {
        let title = t.with("preview-title", &[("app", app)]);
        let Some(simulated) = simulated else {
            return Self { title, lines: vec![t.say("preview-failed")], ..Self::default() };
        };
        let (mut seen, mut total, mut lost) = (Vec::new(), 0_usize, 0_usize);
        for place in 0..simulated.subjects.len() {
            for (record, answered) in simulated.of_subject(place) {
                total += 1;
                lost += usize::from(answered.disappears());
                if answered.after.as_ref().is_some_and(|after| after.permitted) {
                    seen.push(record);
                }
            }
        }
        let seen = newest_first(seen);
        let total = total.to_string();
        let mut lines = vec![t.count("preview-count", number(seen.len()), &[("total", &total)])];
        if lost > 0 {
            lines.push(t.count("preview-lost", number(lost), &[]));
        }
        lines.extend(counts(t, &seen).into_iter().map(|kind| {
            t.with("who-kind", &[("kind", &kind.label), ("count", &kind.count.to_string())])
        }));
        lines.extend(notes(t, reader, simulated));
        if seen.len() > PREVIEW_MAX {
            lines.push(t.count("preview-listed", number(PREVIEW_MAX), &[]));
        }
        Self {
            title,
            lines,
            summary: t.say("losing-list"),
            records: seen.into_iter().take(PREVIEW_MAX).map(|own| line(t, own)).collect(),
            more: None,
        }
    }
}

async fn simulate(
    state: &HttpState,
    patient_visit: &PatientVisit,
    page: &'static str,
    question: &Simulation,
) -> Result<Simulated, SimulationError> {
    let member = &patient_visit.member;
    let viewer = Viewer::Person {
        person: &member.signed_in,
        capacity: patient_visit.capacity(),
        page,
        via: &member.visitor.via,
    };
    state.app.simulations()?.simulate(viewer, question).await
}

/// What goes out of sight when one choice is stopped.
pub(super) async fn losing(
    state: &HttpState,
    patient_visit: &PatientVisit,
    page: &'static str,
    consent: &ConsentId,
    app: &str,
) -> Losing {
    let question = Simulation {
        change: Some(SupposedChange::Stop { consent: consent.clone() }),
        subjects: SubjectFilter::OfConsent(consent.clone()),
        ..Simulation::now(patient_visit.person.patient.clone())
    };
    let simulated = simulate(state, patient_visit, page, &question).await;
    if let Err(error) = &simulated {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "no list for a page about stopping"
        );
    }
    let t = patient_visit.visit().texts();
    let reader = patient_visit.capacity();
    Losing::new(t, &patient_visit.person, reader, app, simulated.ok().as_ref())
}

fn refused(visit: &Visit, error: &SimulationError) -> Response {
    match error {
        SimulationError::Refused | SimulationError::NoRecord => Problem::NotFound.page(visit),
        SimulationError::Change(_)
        | SimulationError::TooMany
        | SimulationError::NotLogged
        | SimulationError::NoAnswer => failed(visit, error),
    }
}

/// `GET /portal/who`
pub(crate) async fn show(
    State(state): State<HttpState>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    let PatientVisit { person, member, .. } = &patient_visit;
    let visit = patient_visit.visit();
    let question = Simulation::now(person.patient.clone());
    let simulated = simulate(&state, &patient_visit, "who", &question).await;
    let simulated = simulated.map_err(|error| refused(visit, &error))?;
    let reader = (patient_visit.capacity(), member.signed_in.account.id.as_str());
    let view = WhoPage::new(visit, person, reader, &simulated);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}

/// `GET /portal/who/records?who=…`: the records one by one.
pub(crate) async fn records(
    State(state): State<HttpState>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    let visit = patient_visit.visit();
    let missing = || Problem::NotFound.page(visit);
    let key = patient_visit.query.one("who").ok_or_else(missing)?.to_owned();
    let number_of_page = match patient_visit.query.one("page") {
        None => 0,
        // LIMIT: there are no more pages than records.
        Some(text) => {
            let number = text.parse::<usize>().ok().filter(|number| *number <= RECORDS_MAX);
            number.ok_or_else(missing)?
        }
    };
    let person = &patient_visit.person;
    let subjects = SubjectFilter::Named(key);
    let question = Simulation { subjects, ..Simulation::now(person.patient.clone()) };
    let simulated = simulate(&state, &patient_visit, "who-records", &question).await;
    let simulated = simulated.map_err(|error| refused(visit, &error))?;
    let shown = (0, number_of_page);
    let view = WhoRecordsPage::new(visit, person, patient_visit.capacity(), &simulated, shown);
    Ok(page(StatusCode::OK, &view.ok_or_else(missing)?, &FormTargets::Own))
}
