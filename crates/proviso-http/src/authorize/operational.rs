//! The page on which a staff member lets a clinical app act within their role, or anybody lets an
//! app know who they are.

use askama::Template;
use proviso_core::category::CategorySet;
use proviso_core::time::At;

use super::consent::{AppFacts, who_asks};
use crate::frame::{Fact, Frame, Section, Visit};

/// Everything the page is made from.
#[derive(Debug, Clone)]
pub(crate) struct OperationalRequest {
    pub(crate) app: AppFacts,
    pub(crate) patient_name: Option<String>,
    pub(crate) encounter: Option<String>,
    /// Until when the emergency lasts under which the app would act.
    pub(crate) emergency_until: Option<At>,
    pub(crate) view: CategorySet,
    pub(crate) write: CategorySet,
    pub(crate) scope_text: String,
    pub(crate) action: String,
}

#[derive(Debug, Template)]
#[template(path = "operational.html")]
pub(crate) struct OperationalPage {
    frame: Frame,
    /// Whether the app asks for records at all, or only for who somebody is.
    records: bool,
    intro: String,
    patient: Option<String>,
    encounter: Option<String>,
    emergency: Option<String>,
    who: Vec<Fact>,
    may: Vec<String>,
    rules: String,
    scope_text: String,
    action: String,
}

impl OperationalPage {
    pub(crate) fn new(visit: &Visit, request: &OperationalRequest) -> Self {
        let t = visit.texts();
        let kinds = |set: CategorySet| {
            let names: Vec<String> = set.iter().map(|category| t.category(category)).collect();
            t.list(&names)
        };
        let mut may = Vec::new();
        if !request.view.is_empty() {
            may.push(t.with("operational-scope-view", &[("kinds", &kinds(request.view))]));
        }
        if !request.write.is_empty() {
            may.push(t.with("operational-scope-write", &[("kinds", &kinds(request.write))]));
        }
        let name = visit.signed_in.as_ref().map_or("", |person| person.name.as_str());
        let records = !may.is_empty();
        let family = if records { "operational" } else { "identity" };
        if !records {
            may.extend([t.say("identity-who"), t.say("identity-nothing")]);
        }
        let title = t.with(&format!("{family}-title"), &[("app", &request.app.name)]);
        Self {
            records,
            frame: visit.frame(title, Section::None),
            intro: t.with(&format!("{family}-intro"), &[("name", name)]),
            patient: request
                .patient_name
                .clone()
                .or_else(|| records.then(|| t.say("operational-no-patient"))),
            encounter: request.encounter.clone(),
            emergency: request
                .emergency_until
                .map(|until| t.with("operational-emergency", &[("time", &t.moment(until))])),
            who: who_asks(t, &request.app),
            may,
            rules: t.with("operational-rules", &[("organization", &visit.organization)]),
            scope_text: request.scope_text.clone(),
            action: request.action.clone(),
        }
    }
}
