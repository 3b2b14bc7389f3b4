//! `POST /oauth/authorize/{request}`: what the person answered.

use axum::extract::{Path, State};
use axum::response::Response;
use proviso_app::authorize::{Answer, ChoiceProblem, ConsentChoice, ConsentModel, Decided, Step};
use proviso_app::simulate::{
    NewTerms, Simulated, Simulation, SimulationError, SubjectFilter, SupposeError, SupposedChange,
    Viewer,
};
use proviso_core::category::{Category, CategorySet, SensitiveKind, SensitiveSet};
use proviso_core::consent::{DurationChoice, OfflineAccess};
use proviso_core::id::{AuthorizationRequestId, PatientId};
use proviso_core::time::Period;

use super::consent::{ConsentPage, Ticked};
use super::picker::PickerState;
use super::{Shown, consent_request, failed, next_step, render};
use crate::form::Form;
use crate::frame::{Problem as FieldProblem, Visit};
use crate::portal::who::Losing;
use crate::problem::Problem;
use crate::state::HttpState;
use crate::text::{DURATIONS, Language, Texts, duration_code};
use crate::visitor::Visitor;

/// `POST /oauth/authorize/{request}`
pub(crate) async fn submit(
    State(state): State<HttpState>,
    visitor: Visitor,
    Path(request): Path<String>,
    form: Form,
) -> Response {
    let Ok(id) = request.parse::<AuthorizationRequestId>() else {
        return Problem::NotFound.page(&visitor.visit);
    };
    if form.one("decision") == Some("deny") {
        return decide(&state, &visitor, &id, Answer::Deny).await;
    }
    let step = match next_step(&state, &visitor, &id).await {
        Ok(step) => step,
        Err(error) => return failed(&visitor.visit, &error),
    };
    match step {
        Step::PickPatient { .. } => pick(&state, &visitor, &id, &form, step).await,
        Step::Consent(model) => share(&state, &visitor, &form, *model).await,
        Step::Operational(_) if form.one("decision") == Some("allow") => {
            decide(&state, &visitor, &id, Answer::ActWithinRole).await
        }
        Step::Operational(_) => Problem::Form.page(&visitor.visit),
        // Signed out, ended, or answered meanwhile: what is the case now is shown.
        Step::SignIn { .. } | Step::Refused { .. } | Step::Return { .. } => {
            render(&state, &visitor, step, &mut Shown::default()).await
        }
    }
}

async fn pick(
    state: &HttpState,
    visitor: &Visitor,
    id: &AuthorizationRequestId,
    form: &Form,
    step: Step,
) -> Response {
    let Some(patient) = form.one("patient").and_then(|id| id.parse::<PatientId>().ok()) else {
        let mut shown = Shown { picker: Some(PickerState::NothingChosen), ..Shown::default() };
        return render(state, visitor, step, &mut shown).await;
    };
    let signed_in = visitor.signed_in.as_ref();
    let picked =
        state.app.pick_patient(id, &visitor.browser, signed_in, &patient, &visitor.via).await;
    match picked {
        Ok(Step::Consent(_) | Step::Operational(_)) => {
            crate::frame::see_other(&super::address_of(id))
        }
        Ok(step) => render(state, visitor, step, &mut Shown::default()).await,
        Err(error) => failed(&visitor.visit, &error),
    }
}

async fn decide(
    state: &HttpState,
    visitor: &Visitor,
    id: &AuthorizationRequestId,
    answer: Answer,
) -> Response {
    let signed_in = visitor.signed_in.as_ref();
    let decided =
        state.app.decide_authorization(id, &visitor.browser, signed_in, answer, &visitor.via).await;
    match decided {
        Ok(Decided::Step(step)) => render(state, visitor, step, &mut Shown::default()).await,
        Ok(Decided::Problem(problem)) => again(state, visitor, id, None, problem).await,
        Err(error) => failed(&visitor.visit, &error),
    }
}

/// Shows the page once more, with what was ticked and what is wrong with it.
async fn again(
    state: &HttpState,
    visitor: &Visitor,
    id: &AuthorizationRequestId,
    ticked: Option<Ticked>,
    problem: ChoiceProblem,
) -> Response {
    let t = visitor.visit.texts();
    let problems = vec![choice_problem(t, problem)];
    match next_step(state, visitor, id).await {
        Ok(step) => {
            render(state, visitor, step, &mut Shown { ticked, problems, ..Shown::default() }).await
        }
        Err(error) => failed(&visitor.visit, &error),
    }
}

fn choice_problem(t: Texts, problem: ChoiceProblem) -> FieldProblem {
    let (href, key) = match problem {
        ChoiceProblem::NothingChosen => ("#see", "consent-error-category"),
        ChoiceProblem::NotOffered => ("#see", "consent-error-unknown"),
        ChoiceProblem::OnceAndAway => ("#long", "consent-error-once-away"),
        ChoiceProblem::NoShownText => ("#see", "consent-error-changed"),
        ChoiceProblem::NoPart2End => ("#long", "consent-error-part2-end"),
        ChoiceProblem::NoStanding => ("#see", "consent-error-standing"),
    };
    FieldProblem { href, text: t.say(key) }
}

/// What the form says, as far as it can be read.
struct Read {
    categories: CategorySet,
    sensitive: SensitiveSet,
    duration: Option<DurationChoice>,
    offline: OfflineAccess,
    unknown: bool,
}

impl Read {
    fn of(form: &Form) -> Self {
        let categories: Vec<Option<Category>> =
            form.all("category").map(|code| code.parse().ok()).collect();
        let sensitive: Vec<Option<SensitiveKind>> =
            form.all("sensitive").map(|code| code.parse().ok()).collect();
        let sent = form.one("duration");
        let duration =
            DURATIONS.into_iter().find(|duration| sent == Some(duration_code(*duration)));
        let offline: Vec<&str> = form.all("offline").collect();
        Self {
            unknown: categories.contains(&None)
                || sensitive.contains(&None)
                || (sent.is_some() && duration.is_none())
                || !matches!(offline.as_slice(), [] | ["yes"]),
            categories: categories.into_iter().flatten().collect(),
            sensitive: sensitive.into_iter().flatten().collect(),
            duration,
            offline: match offline.as_slice() {
                ["yes"] => OfflineAccess::Allowed,
                _ => OfflineAccess::Refused,
            },
        }
    }

    fn ticked(&self) -> Ticked {
        Ticked {
            categories: self.categories,
            sensitive: self.sensitive,
            duration: self.duration.map(duration_code),
            offline: self.offline == OfflineAccess::Allowed,
        }
    }
}

/// Shows the page once more with what the app could see by what is ticked. Nothing is recorded but
/// the look.
async fn preview(
    state: &HttpState,
    visitor: &Visitor,
    form: &Form,
    model: ConsentModel,
) -> Response {
    let read = Read::of(form);
    let t = visitor.visit.texts();
    let problem = if read.unknown {
        Some(ChoiceProblem::NotOffered)
    } else if read.categories.is_empty() {
        Some(ChoiceProblem::NothingChosen)
    } else {
        None
    };
    let ticked = Some(read.ticked());
    let simulated = match problem {
        Some(problem) => Err(problem),
        None => simulated(state, visitor, &read, &model).await,
    };
    let mut shown = match simulated {
        Err(problem) => {
            Shown { ticked, problems: vec![choice_problem(t, problem)], ..Shown::default() }
        }
        Ok(simulated) => {
            let app = model.client.name.as_str();
            let preview = Losing::preview(t, model.capacity, app, simulated.as_ref());
            Shown { ticked, preview: Some(preview), ..Shown::default() }
        }
    };
    render(state, visitor, Step::Consent(Box::new(model)), &mut shown).await
}

/// What the app could see; nothing when there is no answer just now.
async fn simulated(
    state: &HttpState,
    visitor: &Visitor,
    read: &Read,
    model: &ConsentModel,
) -> Result<Option<Simulated>, ChoiceProblem> {
    let Some(person) = &visitor.signed_in else { return Ok(None) };
    let asked = state.app.store().authorization_request(&model.request).await;
    let Ok(Some(request)) = asked else { return Ok(None) };
    let account = &person.account.id;
    let terms = NewTerms {
        client: model.client.id.clone(),
        given_by: account.clone(),
        categories: read.categories,
        sensitive: read.sensitive,
        purposes: None,
        // How long has no part in what could be seen at once; the choice itself must say it.
        duration: read.duration.unwrap_or(DurationChoice::OneYear),
        offline: read.offline,
        data_period: Period::ALWAYS,
        scopes: Some(request.requested.scopes),
    };
    let question = Simulation {
        change: Some(SupposedChange::Sign(Box::new(terms))),
        subjects: SubjectFilter::Named(format!("app:{}:{account}", model.client.id)),
        ..Simulation::now(model.patient.clone())
    };
    let (capacity, via) = (model.capacity, &visitor.via);
    let viewer = Viewer::Person { person, capacity, page: "consent-preview", via };
    let Ok(simulations) = state.app.simulations() else { return Ok(None) };
    match simulations.simulate(viewer, &question).await {
        Ok(simulated) => Ok(Some(simulated)),
        Err(SimulationError::Change(SupposeError::Choice(problem))) => Err(problem),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "no preview of a choice");
            Ok(None)
        }
    }
}

/// Records the choice when it is whole and was made on the page as it is now.
async fn share(state: &HttpState, visitor: &Visitor, form: &Form, model: ConsentModel) -> Response {
    match form.one("decision") {
        Some("allow") => {}
        Some("preview") => return preview(state, visitor, form, model).await,
        Some(_) | None => return Problem::Form.page(&visitor.visit),
    }
    let read = Read::of(form);
    // The text is recorded in the language in which it was shown, whatever was chosen since.
    let mut visit: Visit = visitor.visit.clone();
    if let Some(language) = form.one("lang").and_then(Language::from_tag) {
        visit.language = language;
    }
    let page = ConsentPage::new(&visit, &consent_request(state, &model), &read.ticked(), vec![]);
    let shown = page.shown_text();
    let t = visit.texts();
    let mut problems = Vec::new();
    // Tools that fill in the form by its contract need not send the hash; what is sent must fit.
    if form.all("shown").any(|hash| hash != shown.hash) {
        problems.push(choice_problem(t, ChoiceProblem::NoShownText));
    }
    if read.unknown {
        problems.push(choice_problem(t, ChoiceProblem::NotOffered));
    }
    if read.categories.is_empty() {
        problems.push(choice_problem(t, ChoiceProblem::NothingChosen));
    }
    let Some(duration) = read.duration.filter(|_| problems.is_empty()) else {
        if read.duration.is_none() {
            problems.push(FieldProblem { href: "#long", text: t.say("consent-error-duration") });
        }
        let ticked = Some(read.ticked());
        let mut shown = Shown { ticked, problems, ..Shown::default() };
        return render(state, visitor, Step::Consent(Box::new(model)), &mut shown).await;
    };
    let choice = ConsentChoice {
        categories: read.categories,
        sensitive: read.sensitive,
        duration,
        offline: read.offline,
        shown_text: shown.text,
        language: visit.language.tag().to_owned(),
    };
    let signed_in = visitor.signed_in.as_ref();
    let answer = Answer::Share(Box::new(choice));
    let decided = state
        .app
        .decide_authorization(&model.request, &visitor.browser, signed_in, answer, &visitor.via)
        .await;
    match decided {
        Ok(Decided::Step(step)) => render(state, visitor, step, &mut Shown::default()).await,
        Ok(Decided::Problem(problem)) => {
            again(state, visitor, &model.request, Some(read.ticked()), problem).await
        }
        Err(error) => failed(&visitor.visit, &error),
    }
}
