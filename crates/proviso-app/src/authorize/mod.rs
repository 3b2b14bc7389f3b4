//! Authorization requests from the browser, step by step: sign in, pick the patient, decide.
//!
//! A request is stored at once and bound to the browser that brought it, so that it survives a
//! restart and cannot be finished by another browser (session fixation, RFC 9700 §4.7). Every step
//! is computed anew from what is stored; nothing is taken from hidden form fields.

mod context;
mod decide;
mod silent;

use std::sync::Arc;

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{CategorySet, PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::consent::{Capacity, OfflineAccess};
use proviso_core::id::{AuthorizationRequestId, PatientId, ResourceId};
use proviso_core::scope::{Scope, requested_categories};
use proviso_oauth::authorize::{self, AuthorizeError, PageError, Refusal, ReturnAddress};
use proviso_oauth::params::Params;
use proviso_oauth::record::{
    AuthorizationRequest, AuthorizationStage, Client, ClientStatus, LaunchContext, Prompt,
    TokenHash,
};
use proviso_oauth::token::scope_text;
use proviso_store::{Batch, Op, Precondition};

use self::context::Settled;
pub use self::context::{PatientCandidate, PatientRelation};
pub use self::decide::{Answer, ChoiceProblem, ConsentChoice, Decided};
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

/// Everything the consent page is made from.
#[derive(Debug, Clone)]
pub struct ConsentModel {
    /// The request to answer.
    pub request: AuthorizationRequestId,
    /// The app that asks.
    pub client: Arc<Client>,
    /// Host of the redirect URI.
    pub returns_to: String,
    /// Whose data.
    pub patient: PatientId,
    /// Their name.
    pub patient_name: String,
    /// Whether the patient or a proxy decides.
    pub capacity: Capacity,
    /// What for.
    pub purpose: PurposeOfUse,
    /// Kinds of record asked for.
    pub categories: CategorySet,
    /// Kinds that are ticked at first. None: a box ticked beforehand is no choice (CJEU C-673/17).
    pub preselected: CategorySet,
    /// Sensitive kinds that may be named; never ticked at first.
    pub sensitive: SensitiveSet,
    /// Whether the app asks to go on while the person is away.
    pub offline: OfflineAccess,
    /// Whether it asks to create or change records.
    pub writes: bool,
    /// Whether it asks to delete records.
    pub deletes: bool,
    /// Whether it asks who the person is.
    pub identity: bool,
    /// The scopes, for those who read them.
    pub scope_text: String,
    /// The terms.
    pub policy_uri: String,
}

/// Everything the page for staff is made from.
#[derive(Debug, Clone)]
pub struct OperationalModel {
    /// The request to answer.
    pub request: AuthorizationRequestId,
    /// The app that asks.
    pub client: Arc<Client>,
    /// Host of the redirect URI.
    pub returns_to: String,
    /// The patient in context.
    pub patient: Option<PatientId>,
    /// Their name.
    pub patient_name: Option<String>,
    /// The visit in context.
    pub encounter: Option<ResourceId>,
    /// Kinds of record the app may look at, within the person's role.
    pub view: CategorySet,
    /// Kinds of record the app may change.
    pub write: CategorySet,
    /// The scopes, for those who read them.
    pub scope_text: String,
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
        let context = match self.launch_context(&request, person).await? {
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
        let Some(access) = access_of(person, &request.requested.scopes) else {
            return self.fail(request, Some(person), AuthorizeError::AccessDenied, via).await;
        };
        let settled = match &request.stage {
            AuthorizationStage::PatientPicked { account, context, .. }
                if *account == person.account.id =>
            {
                Settled::Context(context.clone())
            }
            AuthorizationStage::Requested
            | AuthorizationStage::SignedIn { .. }
            | AuthorizationStage::PatientPicked { .. }
            | AuthorizationStage::Decided { .. } => {
                self.settle_context(&request, person, access).await?
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

    async fn page(
        &self,
        request: AuthorizationRequest,
        client: Arc<Client>,
        person: &SignedIn,
        context: LaunchContext,
        access: Access,
    ) -> Result<Step, Failure> {
        let scopes = &request.requested.scopes;
        let returns_to = host_of(&request.requested.redirect_uri);
        let patient_name = match &context.patient {
            Some(patient) => Some(self.patient_name(patient).await?),
            None => None,
        };
        match (access, context.patient) {
            (Access::PatientDirected, Some(patient)) => {
                let capacity = context::capacity_of(&person.account, &patient);
                Ok(Step::Consent(Box::new(ConsentModel {
                    returns_to,
                    patient_name: patient_name.unwrap_or_default(),
                    capacity,
                    purpose: client.purpose,
                    categories: requested_categories(scopes),
                    preselected: CategorySet::EMPTY,
                    sensitive: offered_sensitive(capacity),
                    offline: if scopes.contains(&Scope::OfflineAccess) {
                        OfflineAccess::Allowed
                    } else {
                        OfflineAccess::Refused
                    },
                    writes: any_permission(scopes, |p| p.create || p.update),
                    deletes: any_permission(scopes, |p| p.delete),
                    identity: scopes.iter().any(|scope| {
                        matches!(scope, Scope::OpenId | Scope::FhirUser | Scope::Profile)
                    }),
                    scope_text: scope_text(scopes),
                    policy_uri: self.settings.policy_uri.clone(),
                    request: request.id,
                    patient,
                    client,
                })))
            }
            (Access::PatientDirected | Access::Operational, patient) => {
                Ok(Step::Operational(Box::new(OperationalModel {
                    returns_to,
                    patient,
                    patient_name,
                    encounter: context.encounter,
                    view: categories_with(scopes, |p| p.read || p.search),
                    write: categories_with(scopes, |p| p.create || p.update || p.delete),
                    scope_text: scope_text(scopes),
                    request: request.id,
                    client,
                })))
            }
        }
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

    /// Answers a stored request with an error, for good.
    async fn fail(
        &self,
        request: AuthorizationRequest,
        person: Option<&SignedIn>,
        error: AuthorizeError,
        via: &Via,
    ) -> Result<Step, Failure> {
        let outcome = if error == AuthorizeError::AccessDenied {
            AuditOutcome::Denied
        } else {
            AuditOutcome::Failure
        };
        let mut entry = self.draft_entry(via, AuditKind::Authorization, outcome, error.code())?;
        entry.client = Some(request.requested.client.clone());
        entry.account = person.map(|person| person.account.id.clone());
        entry.session = person.map(|person| person.session.id.clone());
        let url = ReturnAddress::of(&request).with_error(error, self.urls().issuer());
        let expect = Some(request.revision);
        let mut request = request;
        request.revision += 1;
        request.stage = match person {
            Some(person) => AuthorizationStage::Decided {
                account: person.account.id.clone(),
                at: entry.at,
                grant: None,
            },
            // Nobody answered it; it simply may not be used again.
            None => request.stage,
        };
        if person.is_none() {
            request.expires_at = entry.at;
        }
        let put = Op::PutAuthorizationRequest { request, expect };
        match self.commit(Batch::new().with(put), entry).await {
            Ok(_) => Ok(Step::Return { url }),
            Err(error) if error.precondition() == Some(&Precondition::Changed) => {
                Ok(Step::Refused { why: PageRefusal::ChangedElsewhere, return_link: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses a request that never was one.
    async fn refuse(
        &self,
        refusal: Refusal,
        client: Option<&Client>,
        signed_in: Option<&SignedIn>,
        via: &Via,
    ) -> Result<Step, Failure> {
        let action = match &refusal {
            Refusal::Page(error) => error.code(),
            Refusal::Return { error, .. } => error.code(),
        };
        let mut entry =
            self.draft_entry(via, AuditKind::Authorization, AuditOutcome::Failure, action)?;
        entry.client = client.map(|client| client.id.clone());
        entry.account = signed_in.map(|person| person.account.id.clone());
        entry.session = signed_in.map(|person| person.session.id.clone());
        self.commit(Batch::new(), entry).await?;
        Ok(match refusal {
            Refusal::Page(error) => Step::Refused { why: error.into(), return_link: None },
            Refusal::Return { to, error, silent } => {
                let url = to.with_error(error, self.urls().issuer());
                // R24: a browser in which nobody is signed in is not sent anywhere by a link that
                // a stranger may have made; the person may go by their own click. Silent requests
                // are the exception that RFC 9700 §4.11.2 names.
                if silent || signed_in.is_some() {
                    Step::Return { url }
                } else {
                    Step::Refused { why: PageRefusal::App(error), return_link: Some(url) }
                }
            }
        })
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

/// Which access mode a person's request belongs to; `None` when their role sees no records.
fn access_of(person: &SignedIn, scopes: &[Scope]) -> Option<Access> {
    use proviso_core::account::ActorKind;
    if !scopes.iter().any(|scope| scope.as_resource().is_some()) {
        return Some(Access::Operational);
    }
    match person.account.kind {
        ActorKind::Patient | ActorKind::Proxy => Some(Access::PatientDirected),
        ActorKind::Clinician | ActorKind::Nurse | ActorKind::Staff => Some(Access::Operational),
        ActorKind::PrivacyOfficer
        | ActorKind::Administrator
        | ActorKind::SupportAgent
        | ActorKind::System => None,
    }
}

/// Sensitive kinds that the consent page offers. A teenager's confidential care is not a proxy's
/// to share (design §5).
fn offered_sensitive(capacity: Capacity) -> SensitiveSet {
    match capacity {
        Capacity::Patient => SensitiveSet::all(),
        Capacity::Proxy | Capacity::LegalAuthority => {
            SensitiveSet::all().without(SensitiveKind::Adolescent)
        }
    }
}

fn any_permission(
    scopes: &[Scope],
    wanted: impl Fn(proviso_core::scope::Permissions) -> bool,
) -> bool {
    scopes.iter().filter_map(Scope::as_resource).any(|scope| wanted(scope.permissions))
}

fn categories_with(
    scopes: &[Scope],
    wanted: impl Fn(proviso_core::scope::Permissions) -> bool,
) -> CategorySet {
    let fitting: Vec<Scope> = scopes
        .iter()
        .filter(|scope| scope.as_resource().is_some_and(|resource| wanted(resource.permissions)))
        .cloned()
        .collect();
    requested_categories(&fitting)
}

/// The part of a redirect URI by which a person may know the app's place.
fn host_of(redirect_uri: &str) -> String {
    let rest = redirect_uri.split_once("://").map_or(redirect_uri, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest).to_owned()
}
