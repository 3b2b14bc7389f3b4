//! The token endpoint: codes, refresh tokens and services in exchange for access tokens.
//!
//! Every answer, yes or no, is logged in the same commit as its effect, before it is given.

mod code;
mod refresh;
mod service;

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::id::{GrantId, TokenId};
use proviso_core::oversight::SHORT_TOKEN_SECS;
use proviso_core::scope::Scope;
use proviso_core::time::At;
use proviso_oauth::claims::{
    AccessTokenClaims, ContextMembers, IdTokenClaims, fhir_user_url, subject,
};
use proviso_oauth::client_auth::{ClientAuthError, Presented};
use proviso_oauth::params::Params;
use proviso_oauth::record::{
    Client, Grant, GrantBasis, GrantEnd, GrantEndReason, TokenHash, UsedAssertion,
};
use proviso_oauth::token::{self, TokenError, TokenRequest, TokenResponse, scope_text};
use proviso_store::{Batch, Op, Precondition};

use crate::App;
use crate::access::demands_short_tokens;
use crate::clients::Believed;
use crate::failure::Failure;
use crate::via::Via;

/// RFC 9068 / SMART 91: at most an hour.
const ACCESS_SECS_MAX: i64 = 3600;
/// SMART 257, 262: tokens of services.
const SERVICE_ACCESS_SECS_MAX: i64 = 300;
/// ID tokens are read once, on arrival.
const ID_TOKEN_SECS: i64 = 600;

/// A refused token request, with what the HTTP answer needs beyond the error itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRefusal {
    /// Why.
    pub error: TokenError,
    /// Whether the app used the `Authorization` header, so that 401 names the scheme (R28).
    pub challenge_basic: bool,
}

/// Everything that one issue of tokens is made from.
struct Issue<'a> {
    believed: &'a Believed,
    grant: &'a Grant,
    scopes: Vec<Scope>,
    refresh_token: Option<String>,
    action: &'static str,
    with_id_token: bool,
}

impl App {
    /// Answers a token request. `authorization` is the header as it came.
    ///
    /// # Errors
    /// With the refusal, which is logged already, unless the log itself failed.
    pub async fn token(
        &self,
        authorization: Option<&str>,
        body: &Params,
        via: &Via,
    ) -> Result<TokenResponse, TokenRefusal> {
        let challenge_basic = authorization.is_some();
        self.answer_token_request(authorization, body, via).await.map_err(|error| TokenRefusal {
            challenge_basic: challenge_basic && error.status() == 401,
            error,
        })
    }

    async fn answer_token_request(
        &self,
        authorization: Option<&str>,
        body: &Params,
        via: &Via,
    ) -> Result<TokenResponse, TokenError> {
        if let Err(error) = body.check_unique() {
            return self.refuse_token(error.into(), None, None, via).await;
        }
        // The grant type comes first: an unknown one is 400 whoever asks.
        let request = match token::parse(body) {
            Ok(request) => request,
            Err(error) => return self.refuse_token(error, None, None, via).await,
        };
        let presented = match Presented::read(authorization, body) {
            Ok(presented) => presented,
            Err(error) => return self.refuse_token(error.into(), None, None, via).await,
        };
        let presented = match self.resolve_public(presented, &request).await {
            Ok(presented) => presented,
            Err(failure) => return Err(unavailable(&failure)),
        };
        let believed = match self.believe(&presented, via).await {
            Ok(Ok(believed)) => believed,
            Ok(Err(error)) => {
                let error = refresh_without_client(error, &request);
                return self.refuse_token(error, None, None, via).await;
            }
            Err(failure) => return Err(unavailable(&failure)),
        };
        if let Err(error) = token::check_grant_type(&believed.client, request.grant_type()) {
            return self.refuse_token(error, Some(&believed), None, via).await;
        }
        let answer = match request {
            TokenRequest::Code { code, redirect_uri, verifier } => {
                let verifier = verifier.as_ref().map(|verifier| verifier.expose().as_str());
                self.redeem_code(&believed, code.expose(), redirect_uri.as_deref(), verifier, via)
                    .await
            }
            TokenRequest::Refresh { token, scope } => {
                self.refresh(&believed, token.expose(), scope.as_deref(), via).await
            }
            TokenRequest::ClientCredentials { scope } => {
                self.issue_to_service(&believed, &scope, via).await
            }
        };
        match answer {
            Ok(Ok(response)) => Ok(response),
            Ok(Err((error, grant))) => self.refuse_token(error, Some(&believed), grant, via).await,
            Err(failure) => Err(unavailable(&failure)),
        }
    }

    /// Ruling for apps that refresh without naming themselves: the token says which app, if that
    /// app is public. A confidential app must always prove itself.
    async fn resolve_public(
        &self,
        presented: Presented,
        request: &TokenRequest,
    ) -> Result<Presented, Failure> {
        let (Presented::Nothing, TokenRequest::Refresh { token, .. }) = (&presented, request)
        else {
            return Ok(presented);
        };
        let hash = TokenHash::of(token.expose());
        let Some(stored) = self.store.refresh_token(&hash).await? else { return Ok(presented) };
        let client = self.live.client(&stored.client);
        Ok(match client {
            Some(client) if client.is_public() => Presented::Id(client.id.clone()),
            _ => presented,
        })
    }

    /// Ends a grant with its audit entry; one that has ended already stays as it is.
    pub(crate) async fn end_grant(
        &self,
        id: &GrantId,
        reason: GrantEndReason,
        action: &str,
        via: &Via,
    ) -> Result<(), Failure> {
        let Some(grant) = self.store.grant(id).await? else { return Ok(()) };
        if grant.ended.is_some() {
            return Ok(());
        }
        let mut entry =
            self.draft_entry(via, AuditKind::TokenRevocation, AuditOutcome::Success, action)?;
        describe(&mut entry, &grant);
        let end = Op::EndGrant { id: id.clone(), end: GrantEnd { at: entry.at, reason } };
        match self.commit(Batch::new().with(end), entry).await {
            Ok(_) => Ok(()),
            Err(error) if error.precondition() == Some(&Precondition::Ended) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A grant of which tokens may be issued now, scopes cut to the consent as it is now.
    fn usable_grant(&self, id: &GrantId, at: At) -> Option<Grant> {
        let grant = self.live.grant(id).filter(|grant| grant.is_live(at))?;
        self.check_basis(&grant, at).ok()?;
        let mut grant = Grant::clone(&grant);
        grant.scopes = self.scopes_now(&scope_text(&grant.scopes), &grant).into_vec();
        Some(grant)
    }

    /// Signs the tokens, writes the batch with its entry, and only then hands the tokens out.
    async fn issue(
        &self,
        issue: Issue<'_>,
        batch: Batch,
        via: &Via,
    ) -> Result<TokenResponse, Failure> {
        let (client, grant) = (&issue.believed.client, issue.grant);
        let at = self.now();
        let urls = self.urls();
        let expires_at = self.access_end(client, grant, via, at).await;
        let context = ContextMembers::of(&grant.context, &urls, self.settings.tenant.as_str());
        let scope = scope_text(&issue.scopes);
        let claims = AccessTokenClaims {
            iss: urls.issuer().to_owned(),
            aud: urls.fhir_base().to_owned(),
            sub: subject(grant.account.as_ref(), &client.id),
            client_id: client.id.clone(),
            jti: TokenId::generate(at, self.entropy.for_id()?),
            iat: at.as_secs(),
            exp: expires_at.as_secs(),
            scope: scope.clone(),
            grant: grant.id.clone(),
            purpose: grant.purpose.code().to_owned(),
            context: context.clone(),
            fhir_user: fhir_user_url(grant, &issue.scopes, &urls),
        };
        let access_token = self.keys.sign_access_token(&claims)?;
        let id_token = match IdTokenClaims::of(grant, &issue.scopes, &urls, at, ID_TOKEN_SECS) {
            Some(claims) if issue.with_id_token => {
                Some(self.keys.sign_id_token(client.id_token_signed_response_alg, &claims)?)
            }
            _ => None,
        };
        let mut entry =
            self.draft_entry(via, AuditKind::Token, AuditOutcome::Success, issue.action)?;
        describe(&mut entry, grant);
        entry.token = Some(claims.jti.clone());
        let batch = with_assertion(batch, issue.believed.assertion.as_ref());
        self.commit(batch, entry).await?;
        Ok(TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: claims.exp - claims.iat,
            scope,
            refresh_token: issue.refresh_token,
            id_token,
            context,
        })
    }

    /// When an access token that is issued now ends: as the app, the server and the grant say, and
    /// within [`SHORT_TOKEN_SECS`] where a policy lets tokens live shorter.
    async fn access_end(&self, client: &Client, grant: &Grant, via: &Via, at: At) -> At {
        let longest = match grant.basis {
            GrantBasis::PreAuthorized => SERVICE_ACCESS_SECS_MAX,
            GrantBasis::Consent { .. } | GrantBasis::Operational | GrantBasis::Emergency { .. } => {
                ACCESS_SECS_MAX
            }
        };
        if let (GrantBasis::Operational, Some(account)) = (&grant.basis, &grant.account) {
            self.renew_relations(account, at).await;
        }
        let network = self.network_of(via.network.as_deref());
        let short = demands_short_tokens(self.grounds(), grant, network, at);
        let longest = if short { longest.min(SHORT_TOKEN_SECS) } else { longest };
        let own = i64::from(client.lifetimes.access_secs);
        let end = at.plus_secs(own.min(self.settings.access_token_ttl_secs).clamp(1, longest));
        grant.expires_at.map_or(end, |grant_end| grant_end.min(end))
    }

    /// Logs a refusal and passes it on. An assertion that was shown counts as used.
    async fn refuse_token<T>(
        &self,
        error: TokenError,
        believed: Option<&Believed>,
        grant: Option<GrantId>,
        via: &Via,
    ) -> Result<T, TokenError> {
        let refused: Result<(), Failure> = async {
            let mut entry =
                self.draft_entry(via, AuditKind::Token, AuditOutcome::Failure, error.code())?;
            entry.client = believed.map(|believed| believed.client.id.clone());
            entry.grant = grant;
            let assertion = believed.and_then(|believed| believed.assertion.as_ref());
            let batch = with_assertion(Batch::new(), assertion);
            match self.commit(batch, entry.clone()).await {
                Ok(_) => Ok(()),
                // The assertion is known already; the refusal is logged all the same.
                Err(error) if error.precondition().is_some() => {
                    self.commit(Batch::new(), entry).await?;
                    Ok(())
                }
                Err(error) => Err(error.into()),
            }
        }
        .await;
        match refused {
            Ok(()) => Err(error),
            Err(failure) => Err(unavailable(&failure)),
        }
    }
}

/// Tokens, or a refusal with the grant it is about, or a failure inside.
type Answer = Result<Result<TokenResponse, (TokenError, Option<GrantId>)>, Failure>;

fn with_assertion(mut batch: Batch, assertion: Option<&UsedAssertion>) -> Batch {
    if let Some(assertion) = assertion {
        batch.push(Op::UseAssertion(assertion.clone()));
    }
    batch
}

/// Fills in whom a grant is about.
pub(crate) fn describe(entry: &mut AuditEntry, grant: &Grant) {
    entry.client = Some(grant.client.clone());
    entry.account.clone_from(&grant.account);
    entry.grant = Some(grant.id.clone());
    entry.purpose = Some(grant.purpose);
    entry.emergency = grant.emergency().cloned();
    entry.patients = grant.context.patient.iter().cloned().collect();
}

/// An unknown refresh token without any client is the token's fault, not the client's.
fn refresh_without_client(error: ClientAuthError, request: &TokenRequest) -> TokenError {
    match (error, request) {
        (ClientAuthError::Missing, TokenRequest::Refresh { .. }) => TokenError::RefreshToken,
        (error, _) => TokenError::Client(error),
    }
}

fn unavailable(failure: &Failure) -> TokenError {
    tracing::error!(error = %Chain(failure), "no token could be issued");
    TokenError::TemporarilyUnavailable
}

/// An error with its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn core::error::Error);

impl core::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
