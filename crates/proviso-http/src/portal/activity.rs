//! `/portal/activity`: who looked, who tried, what changed.

use askama::Template;
use proviso_core::audit::{AuditEntry, AuditOutcome};
use proviso_core::category::Category;
use proviso_core::time::At;

use super::person::Person;
use super::sentence::{EntryView, Names, outcome_code};
use crate::frame::{Choice, Frame, Section, Visit, with_query};
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
    /// Newest first.
    pub(crate) entries: Vec<AuditEntry>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
    /// Where this page began, when it is not the first.
    pub(crate) cursor: Option<String>,
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
            days: days(t, &page.entries, names),
            empty_title: t.say(&format!("activity-none{suffix}")),
            empty_text: t.say(&format!("activity-none{suffix}-text")),
            older: page.next.as_ref().map(|next| with_query(&first, "before", next)),
            newer: page.cursor.is_some().then_some(first),
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

fn days(t: Texts, entries: &[AuditEntry], names: &Names) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for entry in entries {
        let label = t.day(entry.at);
        let view = EntryView::new(t, entry, names);
        match days.last_mut() {
            Some(day) if day.label == label => day.entries.push(view),
            _ => days.push(Day { label, entries: vec![view] }),
        }
    }
    days
}
