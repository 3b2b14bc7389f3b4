//! `/emergency`: where a clinician declares emergency access to one patient's records, opens an app
//! under it, and ends it.
//!
//! Nothing on the page depends on any patient until a declaration is in force: a refusal shows what
//! was typed and what has to be put right, whoever was named. That there is no such patient is told
//! only to one who met every other condition, their password included.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use proviso_app::emergency::{DeclareProblem, DeclareRefusal, DeclaredTerms};
use proviso_app::failure::Failure;
use proviso_app::launch::LaunchOrder;
use proviso_core::id::{ClientId, EmergencyId, PatientId};
use proviso_core::org::EmergencyReason;
use proviso_core::secret::Secret;
use proviso_core::time::At;

use crate::authorize::failed;
use crate::form::Form;
use crate::frame::{
    Choice, FormTargets, Frame, Menu, Problem, Section, Visit, menu_of, page, see_other,
};
use crate::launch::{LaunchableApp, offered_apps};
use crate::problem::Problem as ErrorPage;
use crate::state::HttpState;
use crate::visitor::Member;

/// For how many minutes, unless somebody says otherwise.
const MINUTES_AT_FIRST: &str = "30";

/// An emergency that the person has open.
#[derive(Debug, Clone)]
pub(crate) struct OpenEmergency {
    pub(crate) id: EmergencyId,
    pub(crate) patient_name: String,
    pub(crate) until: At,
}

/// The same as the page shows it.
#[derive(Debug)]
pub(crate) struct OpenCard {
    id: String,
    title: String,
    until: String,
    action: String,
    apps: Vec<Choice>,
}

/// What was typed, to be shown again. The password never is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed {
    pub(crate) patient: String,
    pub(crate) reason: String,
    pub(crate) why: String,
    pub(crate) minutes: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "emergency.html")]
pub(crate) struct EmergencyPage {
    frame: Frame,
    problems: Vec<Problem>,
    open: Vec<OpenCard>,
    reasons: Vec<Choice>,
    patient: String,
    why: String,
    minutes: String,
}

/// What the page is made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct EmergencyFacts {
    pub(crate) open: Vec<OpenEmergency>,
    pub(crate) apps: Vec<LaunchableApp>,
    pub(crate) reasons: Vec<EmergencyReason>,
}

impl EmergencyPage {
    pub(crate) fn new(
        visit: &Visit,
        facts: &EmergencyFacts,
        typed: &Typed,
        problems: Vec<Problem>,
    ) -> Self {
        let t = visit.texts();
        let open = facts.open.iter().enumerate().map(|(number, own)| {
            let addresses =
                facts.apps.iter().flat_map(|app| app.launch_uris.iter().map(move |uri| (app, uri)));
            let apps = addresses.enumerate().map(|(place, (app, uri))| Choice {
                id: format!("app-{number}-{place}"),
                value: format!("{} {uri}", app.id),
                label: t.with("emergency-app", &[("app", &app.name), ("uri", uri)]),
                about: String::new(),
                ticked: false,
            });
            OpenCard {
                id: format!("open-{number}"),
                title: t.with("emergency-open", &[("patient", &own.patient_name)]),
                until: t.with("emergency-until", &[("time", &t.moment(own.until))]),
                action: format!("/emergency/{}", own.id),
                apps: apps.collect(),
            }
        });
        let reasons = facts.reasons.iter().map(|reason| Choice {
            id: format!("reason-{}", reason.code()),
            value: reason.code().to_owned(),
            label: t.say(&format!("emergency-reason-{}", reason.code())),
            about: String::new(),
            ticked: typed.reason == reason.code(),
        });
        Self {
            frame: visit.frame(t.say("emergency-title"), Section::Launch),
            problems,
            open: open.collect(),
            reasons: reasons.collect(),
            patient: typed.patient.clone(),
            why: typed.why.clone(),
            minutes: typed.minutes.clone().unwrap_or_else(|| MINUTES_AT_FIRST.to_owned()),
        }
    }
}

/// `GET /emergency`
pub(crate) async fn show(State(state): State<HttpState>, member: Member) -> Response {
    answer(&state, &member, &Typed::default(), &[]).await
}

/// Shows the page. Names of patients on it are in the log before.
async fn answer(
    state: &HttpState,
    member: &Member,
    typed: &Typed,
    problems: &[(&'static str, String)],
) -> Response {
    let visit = member.visit();
    let account = &member.signed_in.account;
    let reasons = state.app.emergency_reasons(account, &member.visitor.via);
    if menu_of(account.kind) != Menu::Launch || reasons.is_empty() {
        return ErrorPage::Forbidden.page(visit);
    }
    let facts = match facts(state, member, reasons).await {
        Ok(facts) => facts,
        Err(error) => return failed(visit, &error),
    };
    let targets = FormTargets::redirecting_to_any(
        facts.apps.iter().flat_map(|app| &app.launch_uris).map(String::as_str),
    );
    let shown = problems.iter().map(|(href, text)| Problem { href, text: text.clone() }).collect();
    let status =
        if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    page(status, &EmergencyPage::new(visit, &facts, typed, shown), &targets)
}

async fn facts(
    state: &HttpState,
    member: &Member,
    reasons: Vec<EmergencyReason>,
) -> Result<EmergencyFacts, Failure> {
    let mut open = Vec::new();
    for own in state.app.open_emergencies(&member.signed_in.account) {
        open.push(OpenEmergency {
            id: own.declaration.id.clone(),
            patient_name: state.app.patient_name(&own.declaration.patient).await?,
            until: own.declaration.ends_at,
        });
    }
    let shown: Vec<PatientId> = state
        .app
        .open_emergencies(&member.signed_in.account)
        .iter()
        .map(|own| own.declaration.patient.clone())
        .collect();
    let via = &member.visitor.via;
    state.app.log_names_shown(&member.signed_in, shown, None, "emergency", via).await?;
    Ok(EmergencyFacts { open, apps: offered_apps(state).await?, reasons })
}

/// `POST /emergency`: declares one.
pub(crate) async fn declare(
    State(state): State<HttpState>,
    member: Member,
    form: Form,
) -> Response {
    let visit = member.visit();
    if menu_of(member.signed_in.account.kind) != Menu::Launch {
        return ErrorPage::Forbidden.page(visit);
    }
    let field = |name: &str| form.one(name).unwrap_or("").to_owned();
    let typed = Typed {
        patient: field("patient"),
        reason: field("reason"),
        why: field("why"),
        minutes: Some(field("minutes")),
    };
    let terms = DeclaredTerms {
        patient: typed.patient.clone(),
        reason: typed.reason.clone(),
        why: typed.why.clone(),
        minutes: field("minutes"),
        password: Secret::new(field("password")),
    };
    let t = visit.texts();
    let via = &member.visitor.via;
    match state.app.declare_emergency(&member.signed_in, terms, via).await {
        Ok(Ok(_)) => see_other("/emergency"),
        Ok(Err(DeclareRefusal::NotAllowed(_))) => ErrorPage::Forbidden.page(visit),
        Ok(Err(DeclareRefusal::Problems(problems))) => {
            let told: Vec<(&'static str, String)> =
                in_words(&problems).map(|(href, key)| (href, t.say(key))).collect();
            answer(&state, &member, &typed, &told).await
        }
        Ok(Err(DeclareRefusal::Password)) => {
            let told = [("#password", t.say("emergency-wrong-password"))];
            answer(&state, &member, &typed, &told).await
        }
        Ok(Err(DeclareRefusal::NoPatient)) => {
            let told = [("#patient", t.say("emergency-no-patient"))];
            answer(&state, &member, &typed, &told).await
        }
        Ok(Err(DeclareRefusal::Throttled { wait_secs })) => {
            let seconds = u64::try_from(wait_secs).unwrap_or(1);
            let text = t.with("sign-in-throttled", &[("seconds", &seconds.to_string())]);
            let mut response = answer(&state, &member, &typed, &[("#password", text)]).await;
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Ok(Err(DeclareRefusal::TooMany)) => ErrorPage::TooMany.page(visit),
        Err(error) => failed(visit, &error),
    }
}

fn in_words(
    problems: &BTreeSet<DeclareProblem>,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    problems.iter().map(|problem| match problem {
        DeclareProblem::Patient => ("#patient", "emergency-missing-patient"),
        DeclareProblem::Reason => ("#reason", "emergency-missing-reason"),
        DeclareProblem::Why => ("#why", "emergency-missing-why"),
        DeclareProblem::Minutes => ("#minutes", "emergency-missing-minutes"),
        DeclareProblem::NoPassword => ("#password", "emergency-missing-password"),
    })
}

/// `POST /emergency/{emergency}`: opens an app under it, or ends it.
pub(crate) async fn act(
    State(state): State<HttpState>,
    member: Member,
    Path(emergency): Path<String>,
    form: Form,
) -> Response {
    let visit = member.visit();
    let account = &member.signed_in.account;
    // Who may declare none any more can still end what is open.
    let none = state.app.emergency_reasons(account, &member.visitor.via).is_empty()
        && state.app.open_emergencies(account).is_empty();
    if menu_of(account.kind) != Menu::Launch || none {
        return ErrorPage::Forbidden.page(visit);
    }
    let Ok(id) = emergency.parse::<EmergencyId>() else {
        return ErrorPage::NotFound.page(visit);
    };
    let via = &member.visitor.via;
    if form.one("step") == Some("end") {
        return match state.app.end_own_emergency(&member.signed_in, &id, via).await {
            // What is over already is what was wanted; what is not theirs is not there.
            Ok(_) => see_other("/emergency"),
            Err(error) => failed(visit, &error),
        };
    }
    let open = state.app.open_emergencies(&member.signed_in.account);
    let Some(own) = open.iter().find(|own| own.declaration.id == id) else {
        // Over, somebody else's or none at all: the page shows what is open.
        return see_other("/emergency");
    };
    let chosen = form.one("app").and_then(|value| {
        let (client, launch_uri) = value.split_once(' ')?;
        Some((client.parse::<ClientId>().ok()?, launch_uri.to_owned()))
    });
    let Some((client, launch_uri)) = chosen else {
        let told = [("#open", visit.texts().say("launch-missing-app"))];
        return answer(&state, &member, &Typed::default(), &told).await;
    };
    let order = LaunchOrder {
        client,
        launch_uri,
        patient: Some(own.declaration.patient.clone()),
        encounter: None,
        intent: None,
        emergency: Some(id),
    };
    match state.app.start_launch(&member.signed_in, order, via).await {
        Ok(Ok(url)) => see_other(&url),
        Ok(Err(_)) => ErrorPage::Launch.page(visit),
        Err(error) => failed(visit, &error),
    }
}
