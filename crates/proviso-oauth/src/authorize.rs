//! Authorization requests: what an app asks for by way of the browser (RFC 6749 §4.1.1, OIDC Core
//! §3.1.2.1, SMART App Launch 2.2 "Obtain authorization code").
//!
//! Two kinds of refusal. Until app and redirect URI are known to belong together, only the person
//! in front of the browser is told, by a page; afterwards the app is told, by redirect.

use proviso_core::id::ClientId;
use proviso_core::scope::{Scope, ScopeSet};

use crate::params::{self, Params};
use crate::pkce::ChallengeError;
use crate::record::{
    AuthorizationRequest, Client, ClientStatus, GrantType, OpaqueBytes, PkceChallenge, Prompt,
    RequestedAuthorization, TokenHash,
};
use crate::redirect;
use crate::server::ServerUrls;

/// Why the person is shown an error page. Nothing is sent to any app (R2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// `client_id` is missing, repeated or not an identifier.
    #[error("`client_id` is missing, repeated or malformed")]
    ClientId,
    /// No such app, or it is switched off.
    #[error("this app is not known here")]
    UnknownClient,
    /// `redirect_uri` is missing, repeated or not a registered one.
    #[error("the app's return address is not one that it registered")]
    RedirectUri,
    /// The request is too large or cannot be read.
    #[error("the request cannot be read")]
    Malformed,
}

impl PageError {
    /// A stable code for the page and the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClientId => "invalid-client-id",
            Self::UnknownClient => "unknown-client",
            Self::RedirectUri => "invalid-redirect-uri",
            Self::Malformed => "malformed-request",
        }
    }
}

/// Why an app gets an error back (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// A parameter is repeated.
    #[error("a parameter is repeated")]
    Repeated,
    /// `response_type` is missing.
    #[error("`response_type` is missing")]
    ResponseTypeMissing,
    /// Only `code` is offered.
    #[error("only the response type `code` is supported")]
    ResponseType,
    /// Only the query is offered as a way back.
    #[error("only the response mode `query` is supported")]
    ResponseMode,
    /// The app may not use this flow.
    #[error("the app is not registered for the authorization code flow")]
    GrantType,
    /// PKCE is missing or wrong.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// `aud` is missing or not this server's FHIR base.
    #[error("`aud` must be this server's FHIR base URL")]
    Audience,
    /// Nothing that was asked for is known and registered.
    #[error("no requested scope is known and registered for the app")]
    Scope,
    /// Nothing but the scope `launch` without a `launch` value, or a value that is unknown, used,
    /// ended or made for another app or person.
    #[error("`launch` is missing, unknown or no longer usable")]
    Launch,
    /// `max_age`, `prompt`, `nonce` or `state` cannot be used.
    #[error("`{0}` cannot be used")]
    Parameter(&'static str),
    /// `request` is not supported.
    #[error("`request` is not supported")]
    RequestObject,
    /// `request_uri` is not supported.
    #[error("`request_uri` is not supported")]
    RequestUri,
    /// `prompt=none`, but nobody is signed in.
    #[error("nobody is signed in")]
    LoginRequired,
    /// `prompt=none`, but the person must be asked.
    #[error("the person must be asked")]
    ConsentRequired,
    /// `prompt=none`, but the person must choose.
    #[error("the person must choose")]
    InteractionRequired,
    /// The person said no, or may not share this.
    #[error("access was not given")]
    AccessDenied,
    /// We cannot answer just now.
    #[error("the server cannot answer just now")]
    TemporarilyUnavailable,
}

impl AuthorizeError {
    /// The `error` code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Repeated
            | Self::ResponseTypeMissing
            | Self::ResponseMode
            | Self::Challenge(_)
            | Self::Audience
            | Self::Launch
            | Self::Parameter(_) => "invalid_request",
            Self::ResponseType => "unsupported_response_type",
            Self::GrantType => "unauthorized_client",
            Self::Scope => "invalid_scope",
            Self::RequestObject => "request_not_supported",
            Self::RequestUri => "request_uri_not_supported",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccessDenied => "access_denied",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// Where an answer goes: only ever a registered redirect URI of a known app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnAddress {
    redirect_uri: String,
    state: Option<OpaqueBytes>,
}

impl ReturnAddress {
    /// The address of a request that was validated before.
    pub fn of(request: &AuthorizationRequest) -> Self {
        Self {
            redirect_uri: request.requested.redirect_uri.clone(),
            state: request.requested.state.clone(),
        }
    }

    /// The URL that tells the app of a refusal, with `state` and `iss` (RFC 9207 §2).
    pub fn with_error(&self, error: AuthorizeError, issuer: &str) -> String {
        let mut query = String::new();
        params::append(&mut query, "error", error.code().as_bytes());
        params::append(&mut query, "error_description", error.to_string().as_bytes());
        self.finish(query, issuer)
    }

    /// The URL that brings the app its code, with `state` and `iss` (RFC 9207 §2).
    pub fn with_code(&self, code: &str, issuer: &str) -> String {
        let mut query = String::new();
        params::append(&mut query, "code", code.as_bytes());
        self.finish(query, issuer)
    }

    fn finish(&self, mut query: String, issuer: &str) -> String {
        if let Some(state) = &self.state {
            params::append(&mut query, "state", &state.0);
        }
        params::append(&mut query, "iss", issuer.as_bytes());
        redirect::with_query(&self.redirect_uri, &query)
    }
}

/// A refused authorization request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Told to the person only.
    Page(PageError),
    /// Told to the app.
    Return {
        /// Where to.
        to: ReturnAddress,
        /// Why.
        error: AuthorizeError,
        /// Whether the app asked for no pages, so that it may be told before anyone signs in.
        silent: bool,
    },
}

/// The app that a request names, to be looked up.
///
/// # Errors
/// When it names none, or more than one.
pub fn claimed_client(request: &Params) -> Result<ClientId, PageError> {
    if request.is_repeated("client_id") {
        return Err(PageError::ClientId);
    }
    request.text("client_id").and_then(|id| id.parse().ok()).ok_or(PageError::ClientId)
}

/// Validates a request of a known app; GET and POST are the same (SMART 48, 49).
///
/// # Errors
/// With who may be told, and what.
pub fn validate(
    request: &Params,
    client: Option<&Client>,
    urls: &ServerUrls,
) -> Result<RequestedAuthorization, Refusal> {
    let client = client
        .filter(|client| client.status == ClientStatus::Active)
        .ok_or(Refusal::Page(PageError::UnknownClient))?;
    let redirect_uri = redirect_uri(request, client).map_err(Refusal::Page)?;
    // A `state` that came twice is not anyone's; the app gets none back.
    let state = if request.is_repeated("state") { None } else { request.bytes("state") };
    let to = ReturnAddress {
        redirect_uri: redirect_uri.clone(),
        state: state.map(|bytes| OpaqueBytes(bytes.to_vec())),
    };
    let state = to.state.clone();
    let silent = prompts(request).is_ok_and(|prompts| prompts == [Prompt::None]);
    check_rest(request, client, urls, redirect_uri, state).map_err(|error| Refusal::Return {
        to,
        error,
        silent,
    })
}

fn redirect_uri(request: &Params, client: &Client) -> Result<String, PageError> {
    if request.is_repeated("redirect_uri") {
        return Err(PageError::RedirectUri);
    }
    let requested = request.text("redirect_uri").ok_or(PageError::RedirectUri)?;
    let registered =
        client.redirect_uris.iter().any(|registered| redirect::matches(registered, requested));
    if registered { Ok(requested.to_owned()) } else { Err(PageError::RedirectUri) }
}

fn check_rest(
    request: &Params,
    client: &Client,
    urls: &ServerUrls,
    redirect_uri: String,
    state: Option<OpaqueBytes>,
) -> Result<RequestedAuthorization, AuthorizeError> {
    request.check_unique().map_err(|_| AuthorizeError::Repeated)?;
    if request.was_sent("request") {
        return Err(AuthorizeError::RequestObject);
    }
    if request.was_sent("request_uri") {
        return Err(AuthorizeError::RequestUri);
    }
    match request.text("response_type") {
        None => return Err(AuthorizeError::ResponseTypeMissing),
        Some("code") => {}
        Some(_) => return Err(AuthorizeError::ResponseType),
    }
    if !matches!(request.text("response_mode"), None | Some("query")) {
        return Err(AuthorizeError::ResponseMode);
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        return Err(AuthorizeError::GrantType);
    }
    let challenge = PkceChallenge::parse(
        request.text("code_challenge"),
        request.text("code_challenge_method"),
    )?;
    let scope_text = request.text("scope").unwrap_or_default();
    // Scopes that do not exist here ask for nothing; a malformed one might mean anything.
    let asked = ScopeSet::parse(scope_text).map_err(|_| AuthorizeError::Scope)?.known;
    check_audience(request, urls, &asked)?;
    let scopes = asked.narrow(&client.scopes);
    if scopes.is_empty() {
        return Err(AuthorizeError::Scope);
    }
    let (scopes, launch) = with_launch(request, scopes)?;
    Ok(RequestedAuthorization {
        client: client.id.clone(),
        redirect_uri,
        state,
        scopes: scopes.into_vec(),
        scope_text: scope_text.to_owned(),
        challenge,
        nonce: bounded(request, "nonce")?,
        aud: urls.fhir_base().to_owned(),
        launch,
        prompt: prompts(request)?,
        max_age_secs: max_age(request)?,
        // A hint that is too long is no hint.
        login_hint: bounded(request, "login_hint").unwrap_or_default(),
    })
}

/// SMART: `aud` is required and must name us, so that a token meant for a real server is never
/// asked for by a counterfeit one. A request for nothing but sign-in needs none.
fn check_audience(
    request: &Params,
    urls: &ServerUrls,
    asked: &ScopeSet,
) -> Result<(), AuthorizeError> {
    let only_sign_in =
        asked.iter().all(|scope| matches!(scope, Scope::OpenId | Scope::Profile | Scope::FhirUser));
    match request.text("aud") {
        Some(aud) if urls.is_fhir_base(aud) => Ok(()),
        None if !request.was_sent("aud") && only_sign_in => Ok(()),
        _ => Err(AuthorizeError::Audience),
    }
}

/// The scope `launch` belongs with the parameter `launch`. One without the other asks for nothing:
/// an app that always names all of its scopes may be started on its own.
fn with_launch(
    request: &Params,
    scopes: ScopeSet,
) -> Result<(ScopeSet, Option<TokenHash>), AuthorizeError> {
    match (scopes.contains(&Scope::Launch), request.text("launch")) {
        (true, Some(launch)) => Ok((scopes, Some(TokenHash::of(launch)))),
        (true, None) => {
            let rest = scopes.without(&Scope::Launch);
            if rest.is_empty() { Err(AuthorizeError::Launch) } else { Ok((rest, None)) }
        }
        // Without the scope the app has not asked to know the context.
        (false, _) => Ok((scopes, None)),
    }
}

fn prompts(request: &Params) -> Result<Vec<Prompt>, AuthorizeError> {
    let text = request.text("prompt").unwrap_or_default();
    let mut prompts = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompts.push(Prompt::None),
            "login" => prompts.push(Prompt::Login),
            "consent" => prompts.push(Prompt::Consent),
            "select_account" => prompts.push(Prompt::SelectAccount),
            // Values of extensions that we do not know ask for nothing we could do.
            _ => {}
        }
    }
    // OIDC Core §3.1.2.1: `none` stands alone.
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(AuthorizeError::Parameter("prompt"));
    }
    Ok(prompts)
}

fn max_age(request: &Params) -> Result<Option<u32>, AuthorizeError> {
    request
        .text("max_age")
        .map(|text| text.parse().map_err(|_| AuthorizeError::Parameter("max_age")))
        .transpose()
}

fn bounded(request: &Params, name: &'static str) -> Result<Option<String>, AuthorizeError> {
    match request.text(name) {
        Some(value) if value.len() <= 1024 => Ok(Some(value.to_owned())),
        Some(_) => Err(AuthorizeError::Parameter(name)),
        None if request.bytes(name).is_some() => Err(AuthorizeError::Parameter(name)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
