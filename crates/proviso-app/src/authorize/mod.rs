//! Authorization requests from the browser, step by step: sign in, pick the patient, decide.
//!
//! A request is stored at once and bound to the browser that brought it, so that it survives a
//! restart and cannot be finished by another browser (session fixation, RFC 9700 §4.7). Every step
//! is computed anew from what is stored; nothing is taken from hidden form fields.

mod context;
mod decide;
mod page;
mod refuse;
mod silent;

use std::sync::Arc;

use proviso_core::id::{AuthorizationRequestId, PatientId};
use proviso_core::scope::Scope;
use proviso_oauth::authorize::{self, AuthorizeError, PageError};
use proviso_oauth::params::Params;
use proviso_oauth::record::{
    AuthorizationRequest, AuthorizationStage, Client, ClientStatus, LaunchContext, Prompt,
    TokenHash,
};
use proviso_store::{Batch, Op, Precondition};

use self::context::Settled;
pub(crate) use self::context::own_patient;
pub use self::context::{PatientCandidate, PatientRelation};
pub use self::decide::{Answer, ChoiceProblem, ConsentChoice, Decided};
pub use self::page::{ConsentModel, OperationalModel};
use self::silent::may_be_answered_silently;
use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;
use crate::via::Via;

/// How long a person may take to decide.
const REQUEST_TTL_SECS: i64 = 30 * 60;

/// Why the person is shown an error page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageRefusal {
    /// The request itself is wrong.
    #[error(transparent)]
    Request(#[from] PageError),
    /// The app would be told, but nobody is signed in who knows why they are sent there (R24).
    #[error("the app's request is wrong: {0}")]
    App(AuthorizeError),
    /// No such request, or it has been answered or has ended.
    #[error("this request has ended")]
    Ended,
    /// It was begun in another browser.
    #[error("this request was begun in another browser")]
    OtherBrowser,
    /// It was changed elsewhere, such as in another tab.
    #[error("this request was changed in another window")]
    ChangedElsewhere,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// An error page. No redirect.
    Refused {
        /// Why.
        why: PageRefusal,
        /// Where the person may go on by their own click, when that is safe.
        return_link: Option<String>,
    },
    /// Back to the app, with a code or an error. A redirect by 303.
    Return {
        /// Where to.
        url: String,
    },
    /// The sign-in page; then [`App::continue_authorization`].
    SignIn {
        /// The request to go on with.
        request: AuthorizationRequestId,
        /// The app that waits.
        client: Arc<Client>,
        /// Whom the app expects; only to fill the field in.
        login_hint: Option<String>,
    },
    /// The patient picker; then [`App::pick_patient`].
    PickPatient {
        /// The request to go on with.
        request: AuthorizationRequestId,
        /// The app that waits.
        client: Arc<Client>,
        /// Whom the person may pick.
        candidates: Vec<PatientCandidate>,
    },
    /// The consent page; then [`App::decide_authorization`].
    Consent(Box<ConsentModel>),
    /// The page on which staff let an app act within their role; then
    /// [`App::decide_authorization`].
    Operational(Box<OperationalModel>),
}

/// Which of the two access modes of design §5 a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// A patient or proxy shares: an active consent or nothing.
    PatientDirected,
    /// Staff act within their role, or anybody only says who they are.
    Operational,
}

impl App {
    /// Takes an authorization request, from the query or from a form; both are the same.
    ///
    /// `browser` is the value of a cookie that every browser gets before anything else.
    ///
    /// # Errors
    /// When something inside fails; no answer goes to any app then.
    pub async fn begin_authorization(
        &self,
        params: &Params,
        browser: &str,
        signed_in: Option<&SignedIn>,
        via: &Via,
    ) -> Result<Step, Failure> {
        let client_id = match authorize::claimed_client(params) {
            Ok(id) => id,
            Err(why) => return Ok(Step::Refused { why: why.into(), return_link: None }),
        };
        let client = self.live.client(&client_id);
        let urls = self.urls();
        let requested = match authorize::validate(params, client.as_deref(), &urls) {
            Ok(requested) => requested,
            Err(refusal) => {
                return self.refuse(refusal, client.as_deref(), signed_in, via).await;
            }
        };
        let at = self.now();
        let request = AuthorizationRequest {
            id: AuthorizationRequestId::generate(at, self.entropy.for_id()?),
            revision: 0,
            requested,
            browser: TokenHash::of(browser),
            created_at: at,
            expires_at: at.plus_secs(REQUEST_TTL_SECS),
            stage: AuthorizationStage::Requested,
        };
        let put = Op::PutAuthorizationRequest { request: request.clone(), expect: None };
        self.store.commit(Batch::new().with(put)).await?;
        self.advance(request, signed_in, via).await
    }

    /// The next step of a request, after signing in or when a page is loaded again.
    ///
    /// # Errors
    /// As [`App::begin_authorization`].
    pub async fn continue_authorization(
        &self,
        id: &AuthorizationRequestId,
        browser: &str,
        signed_in: Option<&SignedIn>,
        via: &Via,
    ) -> Result<Step, Failure> {
        match self.open_request(id, browser).await? {
            Ok(request) => self.advance(request, signed_in, via).await,
            Err(why) => Ok(Step::Refused { why, return_link: None }),
        }
    }

    /// Settles whose records the request is about.
    ///
    /// # Errors
    /// As [`App::begin_authorization`].
    pub async fn pick_patient(
        &self,
        id: &AuthorizationRequestId,
        browser: &str,
        signed_in: Option<&SignedIn>,
        patient: &PatientId,
        via: &Via,
    ) -> Result<Step, Failure> {
        let request = match self.open_request(id, browser).await? {
            Ok(request) => request,
            Err(why) => return Ok(Step::Refused { why, return_link: None }),
        };
        let Some(person) = signed_in.filter(|person| is_fresh(&request, person)) else {
            return self.advance(request, signed_in, via).await;
        };
        let candidates = self.candidates(&person.account).await?;
        if !candidates.iter().any(|candidate| candidate.patient == *patient) {
            // Not one of those offered: the page is shown again, and says no more.
            return self.advance(request, signed_in, via).await;
        }
        let context = match self.launch_context(&request, person, via).await? {
            Ok(context) => LaunchContext { patient: Some(patient.clone()), ..context },
            Err(error) => return self.fail(request, Some(person), error, via).await,
        };
        let stage = picked(person, context);
        match self.save_stage(request, stage).await? {
            Ok(request) => self.advance(request, signed_in, via).await,
            Err(why) => Ok(Step::Refused { why, return_link: None }),
        }
    }

    /// Finds a request that this browser may go on with.
    async fn open_request(
        &self,
        id: &AuthorizationRequestId,
        browser: &str,
    ) -> Result<Result<AuthorizationRequest, PageRefusal>, Failure> {
        let Some(request) = self.store.authorization_request(id).await? else {
            return Ok(Err(PageRefusal::Ended));
        };
        if !request.browser.is_of(browser) {
            return Ok(Err(PageRefusal::OtherBrowser));
        }
        let answered = matches!(request.stage, AuthorizationStage::Decided { .. });
        if answered || self.now() >= request.expires_at {
            return Ok(Err(PageRefusal::Ended));
        }
        Ok(Ok(request))
    }

    /// Computes the next step of an open request.
    async fn advance(
        &self,
        request: AuthorizationRequest,
        signed_in: Option<&SignedIn>,
        via: &Via,
    ) -> Result<Step, Failure> {
        let client = self.live.client(&request.requested.client);
        let Some(client) = client.filter(|client| client.status == ClientStatus::Active) else {
            let why = PageRefusal::Request(PageError::UnknownClient);
            return Ok(Step::Refused { why, return_link: None });
        };
        let silent = request.requested.prompt == [Prompt::None];
        let Some(person) = signed_in.filter(|person| is_fresh(&request, person)) else {
            if silent {
                return self.fail(request, None, AuthorizeError::LoginRequired, via).await;
            }
            return Ok(Step::SignIn {
                request: request.id,
                client,
                login_hint: request.requested.login_hint,
            });
        };
        let Some(access) = access_of(person, &client, &request.requested.scopes) else {
            return self.fail(request, Some(person), AuthorizeError::AccessDenied, via).await;
        };
        if silent && !may_be_answered_silently(&client, &request) {
            // Before anything else is looked at: the answer tells nobody what was chosen earlier.
            return self.fail(request, Some(person), AuthorizeError::ConsentRequired, via).await;
        }
        let settled = match &request.stage {
            AuthorizationStage::PatientPicked { account, context, .. }
                if *account == person.account.id =>
            {
                // What tied the person to the patient may have ended since.
                self.renew_relations(&person.account.id, self.now()).await;
                if self.context_stands(&person.account, context) {
                    Settled::Context(context.clone())
                } else {
                    Settled::Refused(AuthorizeError::AccessDenied)
                }
            }
            AuthorizationStage::Requested
            | AuthorizationStage::SignedIn { .. }
            | AuthorizationStage::PatientPicked { .. }
            | AuthorizationStage::Decided { .. } => {
                self.settle_context(&request, person, access, via).await?
            }
        };
        let context = match settled {
            Settled::Context(context) => context,
            Settled::Choose(_) if silent => {
                let error = AuthorizeError::InteractionRequired;
                return self.fail(request, Some(person), error, via).await;
            }
            Settled::Choose(candidates) => {
                let request = request.id;
                return Ok(Step::PickPatient { request, client, candidates });
            }
            Settled::Refused(error) => {
                return self.fail(request, Some(person), error, via).await;
            }
        };
        let request = match self.save_stage(request, picked(person, context.clone())).await? {
            Ok(request) => request,
            Err(why) => return Ok(Step::Refused { why, return_link: None }),
        };
        if silent {
            return self.answer_silently(request, &client, person, &context, access, via).await;
        }
        self.page(request, client, person, context, access).await
    }

    /// Saves a stage, unless somebody else moved the request on first.
    async fn save_stage(
        &self,
        mut request: AuthorizationRequest,
        stage: AuthorizationStage,
    ) -> Result<Result<AuthorizationRequest, PageRefusal>, Failure> {
        if request.stage == stage {
            return Ok(Ok(request));
        }
        let expect = Some(request.revision);
        request.revision += 1;
        request.stage = stage;
        let put = Op::PutAuthorizationRequest { request: request.clone(), expect };
        match self.store.commit(Batch::new().with(put)).await {
            Ok(_) => Ok(Ok(request)),
            Err(error) if error.precondition() == Some(&Precondition::Changed) => {
                Ok(Err(PageRefusal::ChangedElsewhere))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a session is young enough for what the app asked (OIDC Core §3.1.2.1).
fn is_fresh(request: &AuthorizationRequest, person: &SignedIn) -> bool {
    let signed_in_at = person.session.authenticated_at;
    if signed_in_at >= request.created_at {
        return true;
    }
    let again = request
        .requested
        .prompt
        .iter()
        .any(|prompt| matches!(prompt, Prompt::Login | Prompt::SelectAccount));
    let young = request
        .requested
        .max_age_secs
        .is_none_or(|max_age| signed_in_at.plus_secs(i64::from(max_age)) >= request.created_at);
    !again && young
}

fn picked(person: &SignedIn, context: LaunchContext) -> AuthorizationStage {
    AuthorizationStage::PatientPicked {
        account: person.account.id.clone(),
        session: person.session.id.clone(),
        authenticated_at: person.session.authenticated_at,
        context,
    }
}

/// Which access mode a person's request belongs to; `None` when their role sees no records, or when
/// staff are asked by an app that no organisation has agreed to.
fn access_of(person: &SignedIn, client: &Client, scopes: &[Scope]) -> Option<Access> {
    use proviso_core::account::ActorKind;
    if !scopes.iter().any(|scope| scope.as_resource().is_some()) {
        return Some(Access::Operational);
    }
    match person.account.kind {
        ActorKind::Patient | ActorKind::Proxy => Some(Access::PatientDirected),
        ActorKind::Clinician | ActorKind::Nurse | ActorKind::Staff => {
            (!client.registered_itself()).then_some(Access::Operational)
        }
        ActorKind::PrivacyOfficer
        | ActorKind::Administrator
        | ActorKind::SupportAgent
        | ActorKind::System => None,
    }
}
