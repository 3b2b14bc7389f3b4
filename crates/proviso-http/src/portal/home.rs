//! `/portal`: what matters now, in a few cards.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::consent::SharingChoice;
use proviso_core::audit::Told;
use proviso_core::consent::{Capacity, Recipient, Standing};
use proviso_core::emergency::{Emergency, Stage, Standing as EmergencyStanding};
use proviso_core::oversight::NOTICE_DAYS;
use proviso_core::time::At;

use super::activity::{Filter, feed, names};
use super::people::acting_for;
use super::person::{Person, Standing as Reader};
use super::sentence::{Names, sentence};
use super::{PatientVisit, PortalVisit};
use crate::authorize::failed;
use crate::frame::{Choice, FormTargets, Frame, Menu, Section, Visit, World, page};
use crate::state::HttpState;
use crate::text::Texts;

/// One card.
#[derive(Debug)]
pub(crate) struct Card {
    title: String,
    lines: Vec<String>,
    href: String,
    link: String,
}

/// The notice that these are somebody else's pages.
#[derive(Debug)]
pub(crate) struct Acting {
    title: String,
    text: String,
}

#[derive(Debug, Template)]
#[template(path = "home.html")]
pub(crate) struct HomePage {
    frame: Frame,
    acting: Option<Acting>,
    people: Vec<Choice>,
    nobody: bool,
    cards: Vec<Card>,
    emergencies: Vec<String>,
    notices: Vec<String>,
}

/// What the page says about the patient's records.
#[derive(Debug, Clone)]
pub(crate) struct HomeFacts {
    /// How many apps can see records now.
    pub(crate) apps: u64,
    /// With how many people records are shared now.
    pub(crate) people: u64,
    /// How many people act for the patient.
    pub(crate) proxies: u64,
    /// How many consents on file are in use; `None` for those who may not know.
    pub(crate) filed: Option<u64>,
    /// Emergency access to the records, the newest first, in sentences.
    pub(crate) emergencies: Vec<String>,
    /// What a policy of the organisation tells the patient of at once, the newest first.
    pub(crate) notices: Vec<String>,
    /// The latest sentences of the activity list.
    pub(crate) latest: Vec<String>,
}

impl HomePage {
    /// `chosen` is the person whose pages are shown, with what there is to say.
    pub(crate) fn new(
        visit: &Visit,
        people: &[Person],
        chosen: Option<(&Person, HomeFacts)>,
    ) -> Self {
        let t = visit.texts();
        let (name, menu) = visit
            .signed_in
            .as_ref()
            .map_or(("", Menu::HomeOnly), |person| (person.name.as_str(), person.menu));
        let mut cards = Vec::new();
        let mut acting = None;
        let (mut emergencies, mut notices) = (Vec::new(), Vec::new());
        let staff = menu == Menu::Launch;
        let nobody = chosen.is_none() && !staff;
        let choices = people.iter().map(|person| Choice {
            id: format!("patient-{}", person.patient),
            value: person.patient.to_string(),
            label: person.label(t),
            about: String::new(),
            ticked: chosen.as_ref().is_some_and(|(one, _)| one.patient == person.patient),
        });
        let choices = choices.collect();
        if let Some((person, facts)) = chosen {
            emergencies = facts.emergencies;
            notices = facts.notices;
            acting = person.acting_for().map(|whom| Acting {
                title: t.with("home-acting", &[("name", whom)]),
                text: t.with("home-acting-what", &[("name", whom)]),
            });
            cards.push(Card {
                title: t.say("home-apps"),
                lines: vec![t.count("home-apps-count", facts.apps, &[])],
                href: person.address("/portal/apps"),
                link: t.say("home-apps-link"),
            });
            cards.push(Card {
                title: t.say("home-people"),
                lines: vec![
                    t.count("home-people-count", facts.people, &[]),
                    t.count("home-people-acting", facts.proxies, &[]),
                ],
                href: person.address("/portal/people"),
                link: t.say("home-people-link"),
            });
            cards.push(who_card(t, person));
            if let Some(filed) = facts.filed {
                cards.push(Card {
                    title: t.say("home-filed"),
                    lines: vec![t.count("home-filed-count", filed, &[])],
                    href: person.address("/portal/choices"),
                    link: t.say("home-filed-link"),
                });
            }
            cards.push(activity_card(t, person, facts.latest));
        }
        if staff {
            cards.push(Card {
                title: t.say("home-staff"),
                lines: vec![t.say("home-staff-text")],
                href: "/launch".to_owned(),
                link: t.say("home-staff-link"),
            });
        }
        if visit.world == World::Demonstration && menu == Menu::Portal {
            cards.push(Card {
                title: t.say("home-demo"),
                lines: vec![t.say("home-demo-text")],
                href: "/demo".to_owned(),
                link: t.say("home-demo-link"),
            });
        }
        let title = t.with("home-title", &[("name", name)]);
        Self {
            frame: visit.frame(title, Section::Home),
            acting,
            people: choices,
            nobody,
            cards,
            emergencies,
            notices,
        }
    }
}

fn who_card(t: Texts, person: &Person) -> Card {
    Card {
        title: t.say("who-title"),
        lines: vec![t.say("home-who-text")],
        href: person.address("/portal/who"),
        link: t.say("home-who-link"),
    }
}

fn activity_card(t: Texts, person: &Person, latest: Vec<String>) -> Card {
    Card {
        title: t.say("home-activity"),
        lines: if latest.is_empty() { vec![t.say("home-activity-none")] } else { latest },
        href: person.address("/portal/activity"),
        link: t.say("home-activity-link"),
    }
}

/// How many sentences of the activity list the page shows.
const LATEST: usize = 3;
/// Among how many entries they are looked for.
const LOOKED_AT: usize = 30;

/// `GET /portal`
pub(crate) async fn show(State(state): State<HttpState>, portal: PortalVisit) -> Response {
    let visit = portal.visit();
    let Some(person) = &portal.chosen else {
        let view = HomePage::new(visit, &portal.people, None);
        return page(StatusCode::OK, &view, &FormTargets::Own);
    };
    let patient_visit = PatientVisit {
        member: portal.member.clone(),
        person: person.clone(),
        query: portal.query.clone(),
    };
    if let Err(response) = patient_visit.log(&state, "home").await {
        return response;
    }
    match facts(&state, &patient_visit).await {
        Ok(facts) => {
            let view = HomePage::new(visit, &portal.people, Some((person, facts)));
            page(StatusCode::OK, &view, &FormTargets::Own)
        }
        Err(response) => response,
    }
}

async fn facts(state: &HttpState, patient_visit: &PatientVisit) -> Result<HomeFacts, Response> {
    let visit = patient_visit.visit();
    let choices = state
        .app
        .sharing_choices(&patient_visit.person.patient, state.app.now())
        .await
        .map_err(|error| failed(visit, &error))?;
    let in_force = choices.iter().filter(|choice| choice.standing == Standing::InForce);
    let is_app =
        |choice: &&SharingChoice| matches!(choice.consent.version().recipient, Recipient::App(_));
    let (apps, people): (Vec<_>, Vec<_>) = in_force.partition(is_app);
    let proxies = acting_for(state, patient_visit);
    let feed = feed(state, patient_visit, &Filter::default(), "", LOOKED_AT).await?;
    let names = names(state, patient_visit, &feed.newest_first).await;
    let t = visit.texts();
    let filed = match patient_visit.person.standing {
        Reader::Own => {
            let of = state.app.live().filed_in_use(&patient_visit.person.patient);
            Some(count(of))
        }
        Reader::Proxy => None,
    };
    Ok(HomeFacts {
        filed,
        apps: count(apps.len()),
        people: count(people.len()),
        proxies: count(proxies.len()),
        emergencies: emergencies(state, patient_visit).await?,
        notices: notices(state, patient_visit).await?,
        latest: latest(t, feed.newest_first.iter().map(|entry| sentence(t, entry, &names))),
    })
}

/// For so long after it ended, emergency access stands on the first page; it stays in the activity
/// list.
const EMERGENCY_DAYS: i64 = 30;

/// Who opened the records in an emergency, when, why and until when. Why in their own words is for
/// the patient alone: those who act for them might learn from it what they may not know.
async fn emergencies(
    state: &HttpState,
    patient_visit: &PatientVisit,
) -> Result<Vec<String>, Response> {
    let visit = patient_visit.visit();
    let t = visit.texts();
    let now = state.app.now();
    let all = state
        .app
        .emergencies_of_patient(&patient_visit.person.patient)
        .await
        .map_err(|error| failed(visit, &error))?;
    let recent =
        all.into_iter().filter(|own| now < own.declaration.ends_at.plus_days(EMERGENCY_DAYS));
    let reader = patient_visit.capacity();
    let line = |own: Emergency| {
        let account = state.app.live().account(&own.declaration.by);
        let who =
            account.map_or_else(|| own.declaration.by.to_string(), |it| it.display_name.clone());
        EmergencyLine { own, who }.text(t, now, reader)
    };
    Ok(recent.map(line).collect())
}

/// So many notices stand on the first page.
const NOTICES: usize = 10;

/// What a policy of the organisation tells the patient of at once, as far as the reader may know it.
async fn notices(state: &HttpState, patient_visit: &PatientVisit) -> Result<Vec<String>, Response> {
    let visit = patient_visit.visit();
    let from = state.app.now().plus_days(-NOTICE_DAYS);
    let patient = &patient_visit.person.patient;
    let notices = state.app.notices(patient, patient_visit.capacity(), from, NOTICES).await;
    let notices = notices.map_err(|error| failed(visit, &error))?;
    let names = names(state, patient_visit, &notices).await;
    Ok(notices.iter().map(|told| notice_line(visit.texts(), told, &names)).collect())
}

/// One notice: when, what, and for whom.
pub(crate) fn notice_line(t: Texts, told: &Told, names: &Names) -> String {
    let values = [
        ("when", t.moment(told.entry().at)),
        ("sentence", sentence(t, told, names)),
        ("who", names.who(t, told.entry())),
    ];
    t.with("home-notice", &values.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// One emergency and the name of who declared it.
pub(crate) struct EmergencyLine {
    pub(crate) own: Emergency,
    pub(crate) who: String,
}

impl EmergencyLine {
    pub(crate) fn text(&self, t: Texts, now: At, reader: Capacity) -> String {
        let declaration = &self.own.declaration;
        let reason = t.say(&format!("emergency-reason-{}.patient", declaration.reason.code()));
        let ended = match &self.own.stage {
            Stage::Declared => declaration.ends_at,
            Stage::Ended(ended) => ended.at,
        };
        let over = if self.own.standing(now) == EmergencyStanding::InForce { "no" } else { "yes" };
        let mut text = t.with(
            "home-emergency",
            &[
                ("who", &self.who),
                ("from", &t.moment(declaration.declared_at)),
                ("reason", &reason),
                ("until", &t.moment(ended)),
                ("over", over),
            ],
        );
        if reader == Capacity::Patient {
            text.push(' ');
            text.push_str(&t.with("home-emergency-words", &[("why", declaration.why.as_str())]));
        }
        text
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// The newest sentences; what was said again and again is said once, with how often.
fn latest(t: Texts, sentences: impl Iterator<Item = String>) -> Vec<String> {
    let mut counted: Vec<(String, u64)> = Vec::new();
    for sentence in sentences {
        match counted.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, count)) => *count += 1,
            None => counted.push((sentence, 1)),
        }
    }
    let line = |(sentence, count): (String, u64)| match count {
        1 => sentence,
        _ => t.count("home-activity-times", count, &[("sentence", &sentence)]),
    };
    counted.into_iter().take(LATEST).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    #[test]
    fn what_happened_again_and_again_is_said_once() {
        let said = ["Wei looked.", "App read.", "Wei looked.", "Wei looked.", "B.", "C."];
        let lines = latest(Language::English.texts(), said.iter().map(ToString::to_string));
        assert_eq!(lines, ["Wei looked. (3 times)", "App read.", "B."]);
    }
}
