//! `/portal/people`: with which people records are shared, and who acts for the patient.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use proviso_core::mandate::{Mandate, MandateBasis};
use proviso_core::time::{At, Period};

use super::PatientVisit;
use super::apps::{
    AppCard, Connection, Party, after_stop, before_stop, cards, connections, do_stop,
};
use super::person::Person;
use crate::form::Form;
use crate::frame::{Fact, FormTargets, Frame, Section, Visit, page};
use crate::state::HttpState;
use crate::text::Texts;

/// Somebody who acts for the patient.
#[derive(Debug, Clone)]
pub(crate) struct ActingPerson {
    pub(crate) name: String,
    pub(crate) period: Period,
    pub(crate) mandate: Option<Mandate>,
}

/// Such a person on the page.
#[derive(Debug)]
pub(crate) struct ActingCard {
    name: String,
    facts: Vec<Fact>,
}

#[derive(Debug, Template)]
#[template(path = "people.html")]
pub(crate) struct PeoplePage {
    frame: Frame,
    acting: Option<String>,
    active: Vec<AppCard>,
    ended: Vec<AppCard>,
    proxies: Vec<ActingCard>,
}

impl PeoplePage {
    pub(crate) fn new(
        visit: &Visit,
        person: &Person,
        connections: &[Connection],
        proxies: &[ActingPerson],
        at: At,
    ) -> Self {
        let t = visit.texts();
        let (active, ended) = cards(t, person, connections, at);
        let proxy = |one: &ActingPerson| {
            let moment =
                |at: Option<At>, key: &str| at.map_or_else(|| t.say(key), |at| t.moment(at));
            let organization = [("organization", visit.organization.as_str())];
            let mut facts = vec![
                Fact::new(t.say("people-sees"), t.say("people-acting-sees")),
                Fact::new(t.say("apps-since"), moment(one.period.start, "people-no-start")),
                Fact::new(t.say("apps-until"), moment(one.period.end, "people-no-end")),
            ];
            facts.extend(one.mandate.iter().flat_map(|mandate| approval(t, mandate)));
            facts.push(Fact::new(
                t.say("people-acting-end"),
                t.with("people-acting-end-who", &organization),
            ));
            ActingCard { name: one.name.clone(), facts }
        };
        Self {
            frame: visit.frame(t.say("people-title"), Section::People),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            active,
            ended,
            proxies: proxies.iter().map(proxy).collect(),
        }
    }
}

/// When it was approved, until when that holds, and what else ends it.
fn approval(t: Texts, mandate: &Mandate) -> Vec<Fact> {
    let mut facts = vec![Fact::new(t.say("people-approved"), t.moment(mandate.approved_at))];
    if let Some(due) = mandate.approval_due() {
        facts.push(Fact::new(t.say("people-approval-due"), t.moment(due)));
    }
    if let MandateBasis::Parent { of_age, .. } = mandate.basis {
        facts.push(Fact::new(t.say("people-of-age"), t.moment(of_age)));
    }
    facts
}

/// Those who act for the patient, or will.
pub(super) fn acting_for(state: &HttpState, patient_visit: &PatientVisit) -> Vec<ActingPerson> {
    let at = state.app.now();
    let live = state.app.live();
    let own = live.acting_for(&patient_visit.person.patient);
    own.into_iter()
        .filter(|own| own.period.end.is_none_or(|end| at < end))
        .map(|own| ActingPerson {
            name: live
                .account(&own.account)
                .map_or_else(|| own.account.to_string(), |account| account.display_name.clone()),
            period: own.period,
            mandate: own.mandate,
        })
        .collect()
}

/// `GET /portal/people`
pub(crate) async fn show(
    State(state): State<HttpState>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    patient_visit.log(&state, "people").await?;
    let connections = connections(&state, &patient_visit, Party::Person).await?;
    let proxies = acting_for(&state, &patient_visit);
    let PatientVisit { person, .. } = &patient_visit;
    let at = state.app.now();
    let view = PeoplePage::new(patient_visit.visit(), person, &connections, &proxies, at);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}

/// `GET /portal/people/{consent}/stop`: what will happen, before anything does.
pub(crate) async fn ask_stop(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    before_stop(&state, &patient_visit, Party::Person, &id).await
}

/// `POST /portal/people/{consent}/stop`. When this has answered, the choice is over.
pub(crate) async fn stop(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
    _: Form,
) -> Result<Response, Response> {
    do_stop(&state, &patient_visit, Party::Person, &id).await
}

/// `GET /portal/people/{consent}/stopped`: what happened.
pub(crate) async fn show_stopped(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    after_stop(&state, &patient_visit, Party::Person, &id).await
}
