//! `/portal/apps`: which apps see records, and how to stop them.

use askama::Template;
use proviso_core::consent::{ConsentStatus, ConsentVersion, DurationChoice, OfflineAccess};
use proviso_core::time::At;

use super::person::Person;
use crate::frame::{Fact, Frame, Section, Visit, with_query};
use crate::text::Texts;

/// One sharing choice, with what the page adds to it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) consent: ConsentVersion,
    /// The first version's instant: since when.
    pub(crate) since: At,
    /// The app's id, for links.
    pub(crate) app: String,
    pub(crate) app_name: String,
    /// Who chose, as the page names that person.
    pub(crate) given_by: String,
    /// When the app last looked; the outer `None` when it is not known here.
    pub(crate) last_look: Option<Option<At>>,
}

/// How a choice stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    InForce,
    NotYet,
    Ended,
}

impl Connection {
    fn standing(&self, at: At) -> Standing {
        if self.consent.status != ConsentStatus::Active {
            return Standing::Ended;
        }
        if self.consent.period.contains(at) {
            return Standing::InForce;
        }
        if self.consent.period.start.is_some_and(|start| at < start) {
            return Standing::NotYet;
        }
        Standing::Ended
    }

    fn facts(&self, t: Texts, at: At) -> Vec<Fact> {
        let consent = &self.consent;
        let kinds: Vec<String> = consent.categories.iter().map(|c| t.category(c)).collect();
        let sensitive: Vec<String> = consent.sensitive.iter().map(|k| t.sensitive(k)).collect();
        let purposes: Vec<String> = consent.purposes.iter().map(|p| t.purpose(p)).collect();
        let mut facts = vec![Fact::new(t.say("apps-sees"), t.list(&kinds))];
        let sensitive =
            if sensitive.is_empty() { t.say("apps-sensitive-none") } else { t.list(&sensitive) };
        facts.push(Fact::new(t.say("apps-sensitive"), sensitive));
        facts.push(Fact::new(t.say("apps-purpose"), t.list(&purposes)));
        facts.push(Fact::new(t.say("apps-since"), t.moment(self.since)));
        if self.standing(at) == Standing::Ended {
            facts.push(Fact::new(t.say("apps-ended-on"), t.moment(self.ended_at())));
        } else {
            let until = match (consent.duration, consent.period.end) {
                (DurationChoice::UntilStopped, _) | (_, None) => t.say("apps-until-stopped"),
                (_, Some(end)) => t.moment(end),
            };
            facts.push(Fact::new(t.say("apps-until"), until));
            let offline = match consent.offline {
                OfflineAccess::Allowed => t.say("apps-offline-yes"),
                OfflineAccess::Refused => t.say("apps-offline-no"),
            };
            facts.push(Fact::new(t.say("apps-offline"), offline));
        }
        if let Some(last) = self.last_look {
            let last = last.map_or_else(|| t.say("apps-last-seen-never"), |at| t.moment(at));
            facts.push(Fact::new(t.say("apps-last-seen"), last));
        }
        facts.push(Fact::new(t.say("apps-given-by"), self.given_by.as_str()));
        facts
    }

    /// When it ended: when its last version says so, or when its time ran out.
    fn ended_at(&self) -> At {
        match (self.consent.status, self.consent.period.end) {
            (ConsentStatus::Active, Some(end)) => end,
            _ => self.consent.recorded_at,
        }
    }
}

/// One app on the page.
#[derive(Debug)]
pub(crate) struct AppCard {
    name: String,
    status: String,
    facts: Vec<Fact>,
    stop_href: String,
    activity_href: String,
    activity_label: String,
}

#[derive(Debug, Template)]
#[template(path = "apps.html")]
pub(crate) struct AppsPage {
    frame: Frame,
    acting: Option<String>,
    active: Vec<AppCard>,
    ended: Vec<AppCard>,
}

impl AppsPage {
    pub(crate) fn new(visit: &Visit, person: &Person, connections: &[Connection], at: At) -> Self {
        let t = visit.texts();
        let card = |connection: &Connection| {
            let path = format!("/portal/apps/{}/stop", connection.consent.consent);
            let activity = person.address("/portal/activity");
            AppCard {
                name: connection.app_name.clone(),
                status: match connection.standing(at) {
                    Standing::InForce => t.say("apps-active"),
                    Standing::NotYet => t.say("apps-not-yet"),
                    Standing::Ended => t.say("apps-over"),
                },
                facts: connection.facts(t, at),
                stop_href: person.address(&path),
                activity_href: with_query(&activity, "app", &connection.app),
                activity_label: t.with("apps-activity", &[("app", &connection.app_name)]),
            }
        };
        let (ended, active): (Vec<&Connection>, Vec<&Connection>) =
            connections.iter().partition(|one| one.standing(at) == Standing::Ended);
        Self {
            frame: visit.frame(t.say("apps-title"), Section::Apps),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            active: active.into_iter().map(card).collect(),
            ended: ended.into_iter().map(card).collect(),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "stop.html")]
pub(crate) struct StopPage {
    frame: Frame,
    facts: Vec<Fact>,
    lines: Vec<String>,
    action: String,
    cancel: String,
}

impl StopPage {
    pub(crate) fn new(visit: &Visit, person: &Person, connection: &Connection, at: At) -> Self {
        let t = visit.texts();
        let title = t.with("stop-title", &[("app", &connection.app_name)]);
        let path = format!("/portal/apps/{}/stop", connection.consent.consent);
        Self {
            frame: visit.frame(title, Section::Apps),
            facts: connection.facts(t, at),
            lines: ["stop-next", "stop-away", "stop-copies", "stop-again", "stop-care"]
                .iter()
                .map(|key| t.say(key))
                .collect(),
            action: person.address(&path),
            cancel: person.address("/portal/apps"),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "stopped.html")]
pub(crate) struct StoppedPage {
    frame: Frame,
    lines: Vec<String>,
    activity: String,
    apps: String,
}

impl StoppedPage {
    pub(crate) fn new(visit: &Visit, person: &Person, connection: &Connection) -> Self {
        let t = visit.texts();
        let app = connection.app_name.as_str();
        let ended = t.moment(connection.ended_at());
        Self {
            frame: visit.frame(t.with("stopped-title", &[("app", app)]), Section::Apps),
            lines: ["stopped-at", "stopped-next", "stopped-copies", "stopped-log"]
                .iter()
                .map(|key| t.with(key, &[("app", app), ("at", &ended)]))
                .collect(),
            activity: person.address("/portal/activity"),
            apps: person.address("/portal/apps"),
        }
    }
}
