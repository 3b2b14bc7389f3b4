//! `/login` and `/logout`.

use askama::Template;

use crate::frame::{Frame, Section, Visit, World};

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
