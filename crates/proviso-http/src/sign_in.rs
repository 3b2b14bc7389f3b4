//! `/login` and `/logout`.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use proviso_app::sign_in::SignInOutcome;
use proviso_core::secret::Secret;

use crate::cookie::{self, Keep};
use crate::form::Form;
use crate::frame::{FormTargets, Frame, Section, Visit, World, page, see_other};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::visitor::{Visitor, local_address, set_cookie};

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    frame: Frame,
    notice: Option<String>,
    problem: Option<String>,
    intro: String,
    next: Option<String>,
    username: String,
    hint: Option<String>,
}

/// What happened before the page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInState {
    Fresh,
    SignedOut,
    Missing,
    Wrong,
    Throttled { seconds: u64 },
}

impl SignInPage {
    /// `app` is the app that waits for the answer, `next` where to go on afterwards.
    pub(crate) fn new(
        visit: &Visit,
        state: SignInState,
        app: Option<&str>,
        next: Option<String>,
        username: String,
    ) -> Self {
        let t = visit.texts();
        let problem = match state {
            SignInState::Fresh | SignInState::SignedOut => None,
            SignInState::Missing => Some(t.say("sign-in-missing")),
            SignInState::Wrong => Some(t.say("sign-in-wrong")),
            SignInState::Throttled { seconds } => {
                Some(t.with("sign-in-throttled", &[("seconds", &seconds.to_string())]))
            }
        };
        Self {
            frame: visit.frame(t.say("sign-in-title"), Section::None),
            notice: (state == SignInState::SignedOut).then(|| t.say("sign-in-signed-out")),
            problem,
            intro: app.map_or_else(
                || t.say("sign-in-intro"),
                |app| t.with("sign-in-for-app", &[("app", app)]),
            ),
            next,
            username,
            hint: (visit.world == World::Demonstration).then(|| t.say("sign-in-demo-hint")),
        }
    }
}

/// Where a person goes on after signing in, and which app waits there.
#[derive(Debug, Clone, Default)]
struct Onward {
    next: Option<String>,
    app: Option<String>,
    targets: Option<FormTargets>,
}

impl Onward {
    async fn of(state: &HttpState, visitor: &Visitor, next: Option<&str>) -> Self {
        let Some(next) = next.and_then(local_address) else { return Self::default() };
        let waiting = crate::authorize::waiting_app(state, visitor, next).await;
        Self {
            next: Some(next.to_owned()),
            app: waiting.as_ref().map(|app| app.name.clone()),
            targets: waiting.map(|app| FormTargets::redirecting_to(&app.redirect_uri)),
        }
    }

    fn targets(&self) -> FormTargets {
        self.targets.clone().unwrap_or(FormTargets::Own)
    }
}

/// `GET /login`
pub(crate) async fn show(
    State(state): State<HttpState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let onward = Onward::of(&state, &visitor, query.one("next")).await;
    let signed_out = query.one("signed-out").is_some();
    let state = if signed_out { SignInState::SignedOut } else { SignInState::Fresh };
    answer(&visitor, state, &onward, String::new())
}

fn answer(visitor: &Visitor, state: SignInState, onward: &Onward, username: String) -> Response {
    let status = match state {
        SignInState::Fresh | SignInState::SignedOut => StatusCode::OK,
        SignInState::Missing => StatusCode::BAD_REQUEST,
        SignInState::Wrong => StatusCode::FORBIDDEN,
        SignInState::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
    };
    let app = onward.app.as_deref();
    let view = SignInPage::new(&visitor.visit, state, app, onward.next.clone(), username);
    let mut response = page(status, &view, &onward.targets());
    if let SignInState::Throttled { seconds } = state {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// `POST /login`
pub(crate) async fn submit(
    State(state): State<HttpState>,
    visitor: Visitor,
    form: Form,
) -> Response {
    let onward = Onward::of(&state, &visitor, form.one("next")).await;
    let username = form.one("username").unwrap_or("").trim().to_owned();
    let password = form.one("password").unwrap_or("").to_owned();
    if username.is_empty() || password.is_empty() {
        return answer(&visitor, SignInState::Missing, &onward, username);
    }
    let previous = visitor.cookie.as_deref();
    let outcome = state.app.sign_in(&username, Secret::new(password), previous, &visitor.via).await;
    match outcome {
        Ok(SignInOutcome::SignedIn(session)) => {
            let mut response = see_other(onward.next.as_deref().unwrap_or("/portal"));
            let cookie = session.cookie.expose();
            set_cookie(&mut response, cookie::SESSION, cookie, Keep::WhileOpen);
            response
        }
        Ok(SignInOutcome::Wrong) => answer(&visitor, SignInState::Wrong, &onward, username),
        Ok(SignInOutcome::Throttled { wait_secs }) => {
            let seconds = u64::try_from(wait_secs).unwrap_or(1);
            answer(&visitor, SignInState::Throttled { seconds }, &onward, username)
        }
        Err(error) => {
            tracing::error!(%error, request = %visitor.visit.request, "sign-in failed");
            Problem::Unavailable.page(&visitor.visit)
        }
    }
}

/// `POST /logout`
pub(crate) async fn sign_out(
    State(state): State<HttpState>,
    visitor: Visitor,
    _: Form,
) -> Response {
    if let Some(cookie) = &visitor.cookie
        && let Err(error) = state.app.sign_out(cookie, &visitor.via).await
    {
        tracing::error!(%error, request = %visitor.visit.request, "sign-out failed");
        return Problem::Unavailable.page(&visitor.visit);
    }
    let mut response = see_other("/login?signed-out=yes");
    set_cookie(&mut response, cookie::SESSION, "", Keep::Remove);
    response
}
