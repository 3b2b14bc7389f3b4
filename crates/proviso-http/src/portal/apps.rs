//! `/portal/apps`: which apps see records, and how to stop them.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::audit::ActivityQuery;
use proviso_app::consent::{ChoiceError, SharingChoice};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::SensitiveSet;
use proviso_core::consent::{
    ConsentStatus, ConsentVersion, DurationChoice, OfflineAccess, Recipient,
};
use proviso_core::id::{ClientId, ConsentId};
use proviso_core::time::At;

use super::PatientVisit;
use super::person::Person;
use super::who::{Losing, losing};
use crate::authorize::failed;
use crate::form::Form;
use crate::frame::{Fact, FormTargets, Frame, Section, Visit, page, see_other, with_query};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::text::Texts;

/// With whom a choice shares: each has a page of its own, and words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    App,
    /// A person, or a group of people.
    Person,
}

impl Party {
    const fn of(recipient: &Recipient) -> Self {
        match recipient {
            Recipient::App(_) => Self::App,
            Recipient::Person(_) | Recipient::Organization(_) | Recipient::CareTeam(_) => {
                Self::Person
            }
        }
    }

    pub(super) const fn page(self) -> &'static str {
        match self {
            Self::App => "/portal/apps",
            Self::Person => "/portal/people",
        }
    }

    pub(super) const fn section(self) -> Section {
        match self {
            Self::App => Section::Apps,
            Self::Person => Section::People,
        }
    }

    /// The words that lead back to the page.
    pub(super) const fn back_key(self) -> &'static str {
        match self {
            Self::App => "stopped-apps",
            Self::Person => "stopped-people",
        }
    }

    const fn before(self) -> &'static [&'static str] {
        match self {
            Self::App => &["stop-next", "stop-away", "stop-copies", "stop-again", "stop-care"],
            Self::Person => &["stop-person-next", "stop-person-acting", "stop-person-again"],
        }
    }

    const fn after(self) -> &'static [&'static str] {
        match self {
            Self::App => &["stopped-at", "stopped-next", "stopped-copies", "stopped-log"],
            Self::Person => {
                &["stopped-at", "stopped-person-next", "stopped-person-acting", "stopped-log"]
            }
        }
    }
}

/// One sharing choice, with what the page adds to it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) consent: ConsentVersion,
    /// The sensitive kinds it names, if the reader may know them.
    pub(crate) sensitive: Option<SensitiveSet>,
    /// The first version's instant: since when.
    pub(crate) since: At,
    pub(crate) party: Party,
    /// The app's id, for links.
    pub(crate) app: String,
    /// Whom it names.
    pub(crate) app_name: String,
    /// Who chose, as the page names that person.
    pub(crate) given_by: String,
    /// When the app last got a record; `None` when it never did.
    pub(crate) last_look: Option<At>,
    /// Whether the app is told at once of new records.
    pub(crate) is_told: bool,
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

    /// How it stands, in words.
    pub(super) fn status(&self, t: Texts, at: At) -> String {
        t.say(match self.standing(at) {
            Standing::InForce => "apps-active",
            Standing::NotYet => "apps-not-yet",
            Standing::Ended => "apps-over",
        })
    }

    pub(super) fn can_be_stopped(&self, at: At) -> bool {
        self.standing(at) != Standing::Ended
    }

    pub(super) fn facts(&self, t: Texts, at: At) -> Vec<Fact> {
        let consent = &self.consent;
        let kinds: Vec<String> = consent.categories.iter().map(|c| t.category(c)).collect();
        let purposes: Vec<String> = consent.purposes.iter().map(|p| t.purpose(p)).collect();
        let sees = match (self.standing(at), self.party) {
            (Standing::Ended, Party::App) => "apps-saw",
            (Standing::Ended, Party::Person) => "people-saw",
            (Standing::InForce | Standing::NotYet, Party::App) => "apps-sees",
            (Standing::InForce | Standing::NotYet, Party::Person) => "people-sees",
        };
        let mut facts = vec![Fact::new(t.say(sees), t.list(&kinds))];
        let sensitive = match self.sensitive {
            None => t.say("apps-sensitive-private"),
            Some(SensitiveSet::EMPTY) => t.say("apps-sensitive-none"),
            Some(kinds) => t.list(&kinds.iter().map(|kind| t.sensitive(kind)).collect::<Vec<_>>()),
        };
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
            if self.party == Party::App {
                let offline = match consent.offline {
                    OfflineAccess::Allowed => t.say("apps-offline-yes"),
                    OfflineAccess::Refused => t.say("apps-offline-no"),
                };
                facts.push(Fact::new(t.say("apps-offline"), offline));
                if self.is_told {
                    facts.push(Fact::new(t.say("apps-told"), t.say("apps-told-yes")));
                }
            }
        }
        if self.party == Party::App {
            let last =
                self.last_look.map_or_else(|| t.say("apps-last-seen-never"), |at| t.moment(at));
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

/// One app or person on the page.
#[derive(Debug)]
pub(crate) struct AppCard {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) facts: Vec<Fact>,
    pub(super) stop_href: String,
    pub(super) history_href: String,
    pub(super) history_label: String,
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
        let (active, ended) = cards(t, person, connections, at);
        Self {
            frame: visit.frame(t.say("apps-title"), Section::Apps),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            active,
            ended,
        }
    }
}

/// The cards of choices that are in force or will be, and of those that have ended.
pub(super) fn cards(
    t: Texts,
    person: &Person,
    connections: &[Connection],
    at: At,
) -> (Vec<AppCard>, Vec<AppCard>) {
    let card = |connection: &Connection| {
        let own = format!("{}/{}", connection.party.page(), connection.consent.consent);
        let path = format!("{own}/stop");
        let app = [("app", connection.app_name.as_str())];
        let activity = person.address("/portal/activity");
        AppCard {
            name: connection.app_name.clone(),
            status: connection.status(t, at),
            facts: connection.facts(t, at),
            stop_href: person.address(&path),
            history_href: person.address(&own),
            history_label: t.with("apps-history", &app),
            activity_href: with_query(&activity, "app", &connection.app),
            activity_label: t.with("apps-activity", &app),
        }
    };
    let (ended, active): (Vec<&Connection>, Vec<&Connection>) =
        connections.iter().partition(|one| one.standing(at) == Standing::Ended);
    (active.into_iter().map(card).collect(), ended.into_iter().map(card).collect())
}

#[derive(Debug, Template)]
#[template(path = "stop.html")]
pub(crate) struct StopPage {
    frame: Frame,
    facts: Vec<Fact>,
    lines: Vec<String>,
    losing: Option<Losing>,
    action: String,
    cancel: String,
}

impl StopPage {
    pub(crate) fn new(
        visit: &Visit,
        person: &Person,
        connection: &Connection,
        losing: Option<Losing>,
        at: At,
    ) -> Self {
        let t = visit.texts();
        let title = t.with("stop-title", &[("app", &connection.app_name)]);
        let party = connection.party;
        let path = format!("{}/{}/stop", party.page(), connection.consent.consent);
        Self {
            frame: visit.frame(title, party.section()),
            facts: connection.facts(t, at),
            lines: party
                .before()
                .iter()
                .map(|key| t.with(key, &[("app", &connection.app_name)]))
                .collect(),
            losing,
            action: person.address(&path),
            cancel: person.address(party.page()),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "stopped.html")]
pub(crate) struct StoppedPage {
    frame: Frame,
    lines: Vec<String>,
    activity: String,
    back: String,
    back_label: String,
}

impl StoppedPage {
    pub(crate) fn new(visit: &Visit, person: &Person, connection: &Connection) -> Self {
        let t = visit.texts();
        let app = connection.app_name.as_str();
        let ended = t.moment(connection.ended_at());
        let party = connection.party;
        let title = match party {
            Party::App => "stopped-title",
            Party::Person => "stopped-person-title",
        };
        Self {
            frame: visit.frame(t.with(title, &[("app", app)]), party.section()),
            lines: party
                .after()
                .iter()
                .map(|key| t.with(key, &[("app", app), ("at", &ended)]))
                .collect(),
            activity: person.address("/portal/activity"),
            back: person.address(party.page()),
            back_label: t.say(party.back_key()),
        }
    }
}

/// A sharing choice with what the pages add to it.
async fn connection(
    state: &HttpState,
    patient_visit: &PatientVisit,
    choice: &SharingChoice,
) -> Result<Connection, Response> {
    let visit = patient_visit.visit();
    let mut version = choice.consent.version().clone();
    let sensitive = version.sensitive_known_to(patient_visit.capacity());
    // What the reader may not know is not there for any page to show.
    version.sensitive = sensitive.unwrap_or_default();
    let name = match (&version.recipient, &choice.app) {
        (Recipient::App(_), Some(app)) => app.name.clone(),
        (Recipient::App(client), None) => client.to_string(),
        (Recipient::Person(account), _) => state
            .app
            .live()
            .account(account)
            .map_or_else(|| account.to_string(), |account| account.display_name.clone()),
        (Recipient::Organization(id) | Recipient::CareTeam(id), _) => id.to_string(),
    };
    let (app, last_look) = match &version.recipient {
        Recipient::App(client) => {
            (client.to_string(), last_look(state, patient_visit, client, &version).await?)
        }
        Recipient::Person(_) | Recipient::Organization(_) | Recipient::CareTeam(_) => {
            (String::new(), None)
        }
    };
    let store = state.app.store();
    let versions =
        store.consent_versions(&version.consent).await.map_err(|error| failed(visit, &error))?;
    let since = versions.iter().map(|stored| stored.version.recorded_at).min();
    let reader = &patient_visit.member.signed_in.account.id;
    let t = visit.texts();
    let given_by = match &choice.given_by {
        _ if version.given_by == *reader => t.say("activity-who-you"),
        Some(account) => account.display_name.clone(),
        None => version.given_by.to_string(),
    };
    Ok(Connection {
        since: since.unwrap_or(version.recorded_at),
        party: Party::of(&version.recipient),
        app,
        app_name: name,
        given_by,
        last_look,
        is_told: state.app.tells_by(&version.consent),
        sensitive,
        consent: version,
    })
}

/// When the app last got a record of this patient while the choice was its ground.
async fn last_look(
    state: &HttpState,
    patient_visit: &PatientVisit,
    client: &ClientId,
    version: &ConsentVersion,
) -> Result<Option<At>, Response> {
    let query = ActivityQuery {
        patient: patient_visit.person.patient.clone(),
        reader: patient_visit.capacity(),
        without_looks_of: None,
        kinds: vec![AuditKind::Access],
        client: Some(client.clone()),
        from: version.period.start,
        to: (version.status != ConsentStatus::Active).then_some(version.recorded_at),
        category: None,
        outcome: Some(AuditOutcome::Success),
        before: None,
        limit: 1,
    };
    let found = state.app.activity(&query).await;
    let found = found.map_err(|error| failed(patient_visit.visit(), &error))?;
    Ok(found.entries.first().map(|one| one.told.entry().at))
}

/// The choices that share with apps, or those that share with people.
pub(super) async fn connections(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
) -> Result<Vec<Connection>, Response> {
    let mut connections = Vec::new();
    for choice in choices(state, patient_visit).await? {
        if Party::of(&choice.consent.version().recipient) == party {
            connections.push(connection(state, patient_visit, &choice).await?);
        }
    }
    Ok(connections)
}

async fn choices(
    state: &HttpState,
    patient_visit: &PatientVisit,
) -> Result<Vec<SharingChoice>, Response> {
    state
        .app
        .sharing_choices(&patient_visit.person.patient, state.app.now())
        .await
        .map_err(|error| failed(patient_visit.visit(), &error))
}

/// `GET /portal/apps`
pub(crate) async fn show(
    State(state): State<HttpState>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    patient_visit.log(&state, "apps").await?;
    let connections = connections(&state, &patient_visit, Party::App).await?;
    let visit = patient_visit.visit();
    let view = AppsPage::new(visit, &patient_visit.person, &connections, state.app.now());
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}

/// The connection that an address names, if it is this patient's.
pub(super) async fn named(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
) -> Result<Connection, Response> {
    let missing = || Problem::NotFound.page(patient_visit.visit());
    let id: ConsentId = id.parse().map_err(|_| missing())?;
    let choices = choices(state, patient_visit).await?;
    let choice = choices.iter().find(|choice| {
        let version = choice.consent.version();
        version.consent == id && Party::of(&version.recipient) == party
    });
    connection(state, patient_visit, choice.ok_or_else(missing)?).await
}

/// `GET /portal/apps/{consent}/stop`: what will happen, before anything does.
pub(crate) async fn ask_stop(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    before_stop(&state, &patient_visit, Party::App, &id).await
}

/// `POST /portal/apps/{consent}/stop`. When this has answered, no later request is permitted.
pub(crate) async fn stop(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
    _: Form,
) -> Result<Response, Response> {
    do_stop(&state, &patient_visit, Party::App, &id).await
}

/// `GET /portal/apps/{consent}/stopped`: what happened.
pub(crate) async fn show_stopped(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    after_stop(&state, &patient_visit, Party::App, &id).await
}

pub(super) async fn before_stop(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
) -> Result<Response, Response> {
    let connection = named(state, patient_visit, party, id).await?;
    let PatientVisit { person, .. } = patient_visit;
    let at = state.app.now();
    if connection.standing(at) == Standing::Ended {
        return Ok(see_other(&person.address(&format!("{}/{id}/stopped", party.page()))));
    }
    let losing = losing_of(state, patient_visit, &connection, "stop", at).await;
    let view = StopPage::new(patient_visit.visit(), person, &connection, losing, at);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}

/// What an app could no longer see if a choice were stopped; a person sees nothing by a choice alone.
pub(super) async fn losing_of(
    state: &HttpState,
    patient_visit: &PatientVisit,
    connection: &Connection,
    page: &'static str,
    at: At,
) -> Option<Losing> {
    if connection.party != Party::App || !connection.can_be_stopped(at) {
        return None;
    }
    let (consent, app) = (&connection.consent.consent, connection.app_name.as_str());
    Some(losing(state, patient_visit, page, consent, app).await)
}

pub(super) async fn do_stop(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
) -> Result<Response, Response> {
    let connection = named(state, patient_visit, party, id).await?;
    let visit = patient_visit.visit();
    let account = &patient_visit.member.signed_in.account;
    let via = &patient_visit.member.visitor.via;
    let revoked = state.app.revoke_consent(account, &connection.consent.consent, None, via).await;
    match revoked {
        // Stopping twice is no mistake: what the person wanted is the case.
        Ok(_) | Err(ChoiceError::Ended) => {
            let done = format!("{}/{id}/stopped", party.page());
            Ok(see_other(&patient_visit.person.address(&done)))
        }
        Err(ChoiceError::NotFound | ChoiceError::Capacity) => Err(Problem::NotFound.page(visit)),
        Err(
            error @ (ChoiceError::Changed
            | ChoiceError::Terms(_)
            | ChoiceError::Part2(_)
            | ChoiceError::Failure(_)),
        ) => Err(failed(visit, &error)),
    }
}

pub(super) async fn after_stop(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
) -> Result<Response, Response> {
    let connection = named(state, patient_visit, party, id).await?;
    let person = &patient_visit.person;
    if connection.standing(state.app.now()) != Standing::Ended {
        return Ok(see_other(&person.address(&format!("{}/{id}/stop", party.page()))));
    }
    let view = StoppedPage::new(patient_visit.visit(), person, &connection);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}
