//! `/portal/activity`: who looked, who tried, what changed.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::audit::{ActivityQuery, ToldEntry};
use proviso_core::audit::{AuditOutcome, Told};
use proviso_core::category::Category;
use proviso_core::consent::Recipient;
use proviso_core::id::ClientId;
use proviso_core::time::At;

use super::PatientVisit;
use super::person::Person;
use super::sentence::{EntryView, Names, outcome_code};
use crate::authorize::failed;
use crate::form::Form;
use crate::frame::{Choice, FormTargets, Frame, Section, Visit, page, with_query};
use crate::state::HttpState;
use crate::text::Texts;

/// What the person chose to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) app: Option<String>,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) kind: Option<Category>,
    pub(crate) outcome: Option<AuditOutcome>,
    pub(crate) problem: Option<FilterProblem>,
}

/// Why the dates cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterProblem {
    BadDate,
    Order,
}

impl Filter {
    /// First instant of the first day, and first instant after the last day.
    pub(crate) fn period(&self) -> (Option<At>, Option<At>) {
        (start_of_day(&self.from), start_of_day(&self.to).map(|at| at.plus_days(1)))
    }

    pub(crate) fn is_active(&self) -> bool {
        self.app.is_some()
            || self.kind.is_some()
            || self.outcome.is_some()
            || !self.from.is_empty()
            || !self.to.is_empty()
    }

    /// Checks the dates as typed.
    pub(crate) fn check(mut self) -> Self {
        let readable = |text: &str| text.is_empty() || start_of_day(text).is_some();
        self.problem = if !readable(&self.from) || !readable(&self.to) {
            Some(FilterProblem::BadDate)
        } else if matches!(self.period(), (Some(from), Some(to)) if to <= from) {
            Some(FilterProblem::Order)
        } else {
            None
        };
        self
    }
}

fn start_of_day(text: &str) -> Option<At> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let stamp = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(At::from_micros(stamp.as_microsecond()))
}

/// The form above the list.
#[derive(Debug)]
pub(crate) struct FilterView {
    patient: Option<String>,
    apps: Vec<Choice>,
    kinds: Vec<Choice>,
    outcomes: Vec<Choice>,
    from: String,
    to: String,
    active: bool,
    clear: String,
    problem: Option<String>,
}

/// The entries of one day.
#[derive(Debug)]
pub(crate) struct Day {
    label: String,
    entries: Vec<EntryView>,
}

#[derive(Debug, Template)]
#[template(path = "activity.html")]
pub(crate) struct ActivityPage {
    frame: Frame,
    acting: Option<String>,
    filter: FilterView,
    days: Vec<Day>,
    empty_title: String,
    empty_text: String,
    older: Option<String>,
    newer: Option<String>,
}

/// One page of the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entries {
    pub(crate) newest_first: Vec<Told>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
    /// Whether this is not the first page.
    pub(crate) continued: bool,
}

impl ActivityPage {
    pub(crate) fn new(
        visit: &Visit,
        person: &Person,
        filter: &Filter,
        apps: &[(String, String)],
        page: &Entries,
        names: &Names,
    ) -> Self {
        let t = visit.texts();
        let suffix = if filter.is_active() { "-filtered" } else { "" };
        let base = person.address("/portal/activity");
        let first = address_of(&base, filter);
        Self {
            frame: visit.frame(t.say("activity-title"), Section::Activity),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            filter: filter_view(t, person, filter, apps),
            days: days(t, &page.newest_first, names),
            empty_title: t.say(&format!("activity-none{suffix}")),
            empty_text: t.say(&format!("activity-none{suffix}-text")),
            older: page.next.as_ref().map(|next| with_query(&first, "before", next)),
            newer: page.continued.then_some(first),
        }
    }
}

fn address_of(base: &str, filter: &Filter) -> String {
    let mut address = base.to_owned();
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            address = with_query(&address, name, value);
        }
    };
    set("app", filter.app.as_deref().unwrap_or(""));
    set("kind", filter.kind.map_or("", Category::code));
    set("outcome", filter.outcome.map_or("", outcome_code));
    set("from", &filter.from);
    set("to", &filter.to);
    address
}

fn filter_view(
    t: Texts,
    person: &Person,
    filter: &Filter,
    apps: &[(String, String)],
) -> FilterView {
    let option = |value: &str, label: String, ticked: bool| Choice {
        id: String::new(),
        value: value.to_owned(),
        label,
        about: String::new(),
        ticked,
    };
    let all = |key: &str, ticked: bool| option("", t.say(key), ticked);
    let mut app_choices = vec![all("activity-filter-all-apps", filter.app.is_none())];
    app_choices
        .extend(apps.iter().map(|(id, name)| {
            option(id, name.clone(), filter.app.as_deref() == Some(id.as_str()))
        }));
    let mut kinds = vec![all("activity-filter-all-kinds", filter.kind.is_none())];
    kinds.extend(Category::ALL.iter().map(|category| {
        option(category.code(), t.category(*category), filter.kind == Some(*category))
    }));
    let mut outcomes = vec![all("activity-filter-all-outcomes", filter.outcome.is_none())];
    outcomes.extend(OUTCOMES.iter().map(|outcome| {
        let code = outcome_code(*outcome);
        let label = t.say(&format!("activity-outcome-{code}"));
        option(code, label, filter.outcome == Some(*outcome))
    }));
    FilterView {
        patient: person.acting_for().map(|_| person.patient.to_string()),
        apps: app_choices,
        kinds,
        outcomes,
        from: filter.from.clone(),
        to: filter.to.clone(),
        active: filter.is_active(),
        clear: person.address("/portal/activity"),
        problem: filter.problem.map(|problem| {
            t.say(match problem {
                FilterProblem::BadDate => "activity-filter-bad-date",
                FilterProblem::Order => "activity-filter-order",
            })
        }),
    }
}

pub(crate) const OUTCOMES: [AuditOutcome; 4] =
    [AuditOutcome::Success, AuditOutcome::Denied, AuditOutcome::Failure, AuditOutcome::Error];

fn days(t: Texts, entries: &[Told], names: &Names) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for told in entries {
        let label = t.day(told.entry().at);
        let view = EntryView::new(t, told, names);
        match days.last_mut() {
            Some(day) if day.label == label => {
                let repeats = day.entries.last_mut().is_some_and(|last| last.absorb(t, &view));
                if !repeats {
                    day.entries.push(view);
                }
            }
            _ => days.push(Day { label, entries: vec![view] }),
        }
    }
    days
}

/// How many entries a page shows.
const PAGE_ENTRIES: usize = 20;

// LIMIT: how often the log is asked again when entries are left out of a page.
const ROUNDS_MAX: usize = 20;

impl Filter {
    /// Reads the filter from the address. What is unknown filters nothing; the form shows so.
    fn of(query: &Form) -> Self {
        let text = |name: &str| query.one(name).unwrap_or("").trim().to_owned();
        let outcome = text("outcome");
        Self {
            app: query.one("app").filter(|app| !app.is_empty()).map(str::to_owned),
            from: text("from"),
            to: text("to"),
            kind: text("kind").parse().ok(),
            outcome: OUTCOMES.into_iter().find(|one| outcome_code(*one) == outcome),
            problem: None,
        }
        .check()
    }
}

/// `GET /portal/activity`
pub(crate) async fn show(
    State(state): State<HttpState>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    patient_visit.log(&state, "activity").await?;
    let visit = patient_visit.visit();
    let filter = Filter::of(&patient_visit.query);
    let before = patient_visit.query.one("before").unwrap_or("");
    let entries = if filter.problem.is_some() {
        Entries::default()
    } else {
        feed(&state, &patient_visit, &filter, before, PAGE_ENTRIES).await?
    };
    let names = names(&state, &patient_visit, &entries.newest_first).await;
    let apps = apps(&state, &patient_visit, &filter, &names).await?;
    let view = ActivityPage::new(visit, &patient_visit.person, &filter, &apps, &entries, &names);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}

/// Entries about the patient that the reader may know of, newest first, without the reader's own
/// looks at the portal and at lists of people. `before` is a place that an earlier page named, or
/// nothing.
pub(crate) async fn feed(
    state: &HttpState,
    patient_visit: &PatientVisit,
    filter: &Filter,
    before: &str,
    limit: usize,
) -> Result<Entries, Response> {
    let (from, to) = filter.period();
    let Ok(client) = filter.app.as_deref().map(str::parse::<ClientId>).transpose() else {
        // No app has such an id, so nothing matches.
        return Ok(Entries::default());
    };
    let reader = &patient_visit.member.signed_in.account.id;
    let patient = &patient_visit.person.patient;
    let start = state.app.open_place(before, reader, patient);
    // One more than is shown: whether there is an older page is a question about what the reader
    // may know, not about what is in the log.
    let mut query = ActivityQuery {
        patient: patient.clone(),
        reader: patient_visit.capacity(),
        without_looks_of: Some(reader.clone()),
        kinds: Vec::new(),
        client,
        from,
        to,
        category: filter.kind,
        outcome: filter.outcome,
        before: start,
        limit: limit + 1,
    };
    let mut found: Vec<ToldEntry> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        query.limit = limit + 1 - found.len();
        let page = state.app.activity(&query).await;
        let page = page.map_err(|error| failed(patient_visit.visit(), &error))?;
        found.extend(page.entries);
        query.before = page.next_before;
        if found.len() > limit || query.before.is_none() {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = match found.last().filter(|_| more) {
        Some(last) => Some(
            state
                .app
                .seal_place(last.index, reader, patient)
                .map_err(|error| failed(patient_visit.visit(), &error))?,
        ),
        None => None,
    };
    Ok(Entries {
        newest_first: found.into_iter().map(|one| one.told).collect(),
        next,
        continued: start.is_some(),
    })
}

/// Names of everybody who occurs in the entries.
pub(crate) async fn names(
    state: &HttpState,
    patient_visit: &PatientVisit,
    entries: &[Told],
) -> Names {
    let reader = patient_visit.member.signed_in.account.id.clone();
    let mut names = Names { reader: Some(reader), ..Names::default() };
    let live = state.app.live();
    for entry in entries.iter().map(Told::entry) {
        if let Some(id) = entry.client.as_ref().filter(|id| !names.apps.contains_key(*id)) {
            let name = match live.client(id) {
                Some(client) => Some(client.name.clone()),
                None => state.app.store().client(id).await.ok().flatten().map(|it| it.name),
            };
            names.apps.extend(name.map(|name| (id.clone(), name)));
        }
        if let Some(id) = entry.account.as_ref().filter(|id| !names.people.contains_key(*id)) {
            let name = live.account(id).map(|account| account.display_name.clone());
            names.people.extend(name.map(|name| (id.clone(), name)));
        }
    }
    names
}

/// The apps to choose from: those the patient shared with, and those on the page.
async fn apps(
    state: &HttpState,
    patient_visit: &PatientVisit,
    filter: &Filter,
    names: &Names,
) -> Result<Vec<(String, String)>, Response> {
    let choices = state
        .app
        .sharing_choices(&patient_visit.person.patient, state.app.now())
        .await
        .map_err(|error| failed(patient_visit.visit(), &error))?;
    let mut apps: Vec<(String, String)> = choices
        .iter()
        .filter_map(|choice| match (&choice.consent.version().recipient, &choice.app) {
            (Recipient::App(id), Some(app)) => Some((id.to_string(), app.name.clone())),
            _ => None,
        })
        .chain(names.apps.iter().map(|(id, name)| (id.to_string(), name.clone())))
        .collect();
    if let Some(app) = &filter.app
        && !apps.iter().any(|(id, _)| id == app)
    {
        apps.push((app.clone(), app.clone()));
    }
    apps.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    apps.dedup();
    Ok(apps)
}
