//! The token endpoint: codes, refresh tokens and services in exchange for access tokens.
//!
//! Every answer, yes or no, is logged in the same commit as its effect, before it is given.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::id::{GrantId, TokenId};
use proviso_core::scope::Scope;
use proviso_core::time::At;
use proviso_oauth::claims::{
    AccessTokenClaims, ContextMembers, IdTokenClaims, fhir_user_url, subject,
};
use proviso_oauth::client_auth::{ClientAuthError, Presented};
use proviso_oauth::params::Params;
use proviso_oauth::record::{
    AuthorizationCode, Client, Grant, GrantBasis, GrantEnd, GrantEndReason, LaunchContext,
    RefreshToken, Renewal, TokenHash, UsedAssertion,
};
use proviso_oauth::token::{self, TokenError, TokenRequest, TokenResponse, scope_text};
use proviso_store::{Batch, Op, Precondition};

use crate::App;
use crate::clients::Believed;
use crate::failure::Failure;
use crate::via::Via;

/// For this long after a rotation the replaced refresh token still yields its successor, so that an
/// app whose answer was lost on the way can try again (oauth-smart.md §6 "rotate idempotently").
const ROTATION_GRACE_SECS: i64 = 60;
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
        let believed = match self.believe(&presented).await {
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
            Ok(Err((error, grant))) => {
                self.refuse_token(error, Some(&believed), grant, via).await
            }
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

    async fn redeem_code(
        &self,
        believed: &Believed,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        via: &Via,
    ) -> Answer {
        let at = self.now();
        let Some(stored) = self.store.authorization_code(&TokenHash::of(code)).await? else {
            return Ok(Err((TokenError::Code, None)));
        };
        if stored.client != believed.client.id {
            return Ok(Err((TokenError::Code, None)));
        }
        if stored.consumed_at.is_some() {
            return self.end_for_reuse(&stored, via).await;
        }
        if let Err(error) =
            token::check_code(&stored, &believed.client, redirect_uri, verifier, at)
        {
            return Ok(Err((error, Some(stored.grant))));
        }
        let Some(grant) = self.usable_grant(&stored.grant, at) else {
            return Ok(Err((TokenError::GrantEnded, Some(stored.grant))));
        };
        let mut batch = Batch::new().with(Op::ConsumeAuthorizationCode { hash: stored.hash, at });
        let refresh_token = match self.first_refresh_token(&believed.client, &grant, at)? {
            Some((text, record)) => {
                batch.push(Op::PutRefreshToken(record));
                Some(text)
            }
            None => None,
        };
        let scopes = grant.scopes.clone();
        let issue = Issue {
            believed,
            grant: &grant,
            scopes,
            refresh_token,
            action: "code",
            with_id_token: true,
        };
        match self.issue(issue, batch, via).await {
            Ok(response) => Ok(Ok(response)),
            Err(failure) => match failure.precondition() {
                // Somebody redeemed it between our read and our write: that is a second use.
                Some(Precondition::AlreadyConsumed) => self.end_for_reuse(&stored, via).await,
                Some(Precondition::Exists) => {
                    Ok(Err((TokenError::AssertionReplayed, Some(grant.id))))
                }
                Some(_) => Ok(Err((TokenError::Code, Some(grant.id)))),
                None => Err(failure),
            },
        }
    }

    /// R9: the second use of a code ends everything that came of it.
    async fn end_for_reuse(&self, code: &AuthorizationCode, via: &Via) -> Answer {
        self.end_grant(&code.grant, GrantEndReason::CodeReused, "code-reused", via).await?;
        Ok(Err((TokenError::Code, Some(code.grant.clone()))))
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

    async fn refresh(
        &self,
        believed: &Believed,
        presented: &str,
        scope: Option<&str>,
        via: &Via,
    ) -> Answer {
        let hash = TokenHash::of(presented);
        // Twice: another request of the same app may rotate the token between read and write.
        for _ in 0..2 {
            let at = self.now();
            let Some(stored) = self.store.refresh_token(&hash).await? else {
                return Ok(Err((TokenError::RefreshToken, None)));
            };
            // R15: another app's attempt changes nothing.
            if stored.client != believed.client.id {
                return Ok(Err((TokenError::RefreshToken, None)));
            }
            let grant_id = stored.grant.clone();
            if at >= stored.expires_at || at >= stored.absolute_expires_at {
                return Ok(Err((TokenError::RefreshToken, Some(grant_id))));
            }
            let Some(grant) = self.usable_grant(&grant_id, at) else {
                return Ok(Err((TokenError::GrantEnded, Some(grant_id))));
            };
            if !self.renewal_holds(&grant, at).await? {
                return Ok(Err((TokenError::RefreshToken, Some(grant_id))));
            }
            let scopes = match token::narrowed_scopes(&grant, scope) {
                Ok(scopes) => scopes,
                Err(error) => return Ok(Err((error, Some(grant_id)))),
            };
            let successor = self.successor_of(presented)?;
            let mut batch = Batch::new();
            match &stored.rotated {
                None => {
                    let next = self.next_refresh_token(&stored, &successor, believed, &grant, at);
                    batch.push(Op::RotateRefreshToken { current: hash, next, at });
                }
                Some(rotation) => {
                    let in_grace = at < rotation.at.plus_secs(ROTATION_GRACE_SECS);
                    let successor_used = match self.store.refresh_token(&rotation.to).await? {
                        Some(next) => next.rotated.is_some(),
                        None => true,
                    };
                    if !in_grace || successor_used || rotation.to != TokenHash::of(&successor) {
                        let reason = GrantEndReason::RefreshTokenReused;
                        self.end_grant(&grant_id, reason, "refresh-token-reused", via).await?;
                        return Ok(Err((TokenError::RefreshToken, Some(grant_id))));
                    }
                }
            }
            let issue = Issue {
                believed,
                grant: &grant,
                scopes,
                refresh_token: Some(successor),
                action: "refresh",
                with_id_token: true,
            };
            match self.issue(issue, batch, via).await {
                Ok(response) => return Ok(Ok(response)),
                Err(failure) => match failure.precondition() {
                    Some(Precondition::AlreadyConsumed | Precondition::Changed) => {}
                    Some(Precondition::Exists) => {
                        return Ok(Err((TokenError::AssertionReplayed, Some(grant_id))));
                    }
                    Some(_) => return Ok(Err((TokenError::RefreshToken, Some(grant_id)))),
                    None => return Err(failure),
                },
            }
        }
        Ok(Err((TokenError::TemporarilyUnavailable, None)))
    }

    /// The successor of a refresh token: a keyed function of it, so that a retry gets the very same
    /// one although no token is ever stored.
    fn successor_of(&self, token: &str) -> Result<String, Failure> {
        let tag = self.keys.hmac(b"proviso refresh token 1", token.as_bytes())?;
        Ok(URL_SAFE_NO_PAD.encode(tag))
    }

    fn first_refresh_token(
        &self,
        client: &Client,
        grant: &Grant,
        at: At,
    ) -> Result<Option<(String, RefreshToken)>, Failure> {
        if grant.renewal == Renewal::None {
            return Ok(None);
        }
        let absolute = at.plus_secs(i64::from(client.lifetimes.refresh_absolute_secs));
        let absolute = grant.expires_at.map_or(absolute, |end| end.min(absolute));
        let text = self.new_secret()?.into_exposed();
        let record = RefreshToken {
            hash: TokenHash::of(&text),
            grant: grant.id.clone(),
            client: client.id.clone(),
            generation: 1,
            issued_at: at,
            expires_at: self.refresh_end(client, at).min(absolute),
            absolute_expires_at: absolute,
            rotated: None,
        };
        Ok(Some((text, record)))
    }

    fn next_refresh_token(
        &self,
        current: &RefreshToken,
        successor: &str,
        believed: &Believed,
        grant: &Grant,
        at: At,
    ) -> RefreshToken {
        let absolute = grant
            .expires_at
            .map_or(current.absolute_expires_at, |end| end.min(current.absolute_expires_at));
        RefreshToken {
            hash: TokenHash::of(successor),
            grant: current.grant.clone(),
            client: current.client.clone(),
            generation: current.generation.saturating_add(1),
            issued_at: at,
            expires_at: self.refresh_end(&believed.client, at).min(absolute),
            absolute_expires_at: absolute,
            rotated: None,
        }
    }

    /// The sliding end: the shorter of what the operator and the app's registration allow.
    fn refresh_end(&self, client: &Client, at: At) -> At {
        let own = i64::from(client.lifetimes.refresh_secs);
        at.plus_secs(own.min(self.settings.refresh_token_ttl_days.saturating_mul(86_400)))
    }

    /// Whether a grant may still be renewed: `online_access` ends with the session (A100).
    async fn renewal_holds(&self, grant: &Grant, at: At) -> Result<bool, Failure> {
        match &grant.renewal {
            Renewal::None => Ok(false),
            Renewal::Offline => Ok(true),
            Renewal::WhileSignedIn { session } => {
                let session = self.store.session(session).await?;
                Ok(session.is_some_and(|session| {
                    session.ended_at.is_none() && at < session.expires_at
                }))
            }
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

    async fn issue_to_service(&self, believed: &Believed, scope: &str, via: &Via) -> Answer {
        let at = self.now();
        let client = &believed.client;
        let scopes = match token::service_scopes(client, scope) {
            Ok(scopes) => scopes,
            Err(error) => return Ok(Err((error, None))),
        };
        // One grant stands for the agreement; it is made anew when it was ended or changed.
        let existing = self.store.grants_of_client(&client.id).await?.into_iter().find(|grant| {
            grant.basis == GrantBasis::PreAuthorized
                && grant.is_live(at)
                && grant.scopes == client.scopes
                && grant.purpose == client.purpose
        });
        let mut batch = Batch::new();
        let grant = match existing {
            Some(grant) => grant,
            None => {
                let grant = Grant {
                    id: GrantId::generate(at, self.entropy.for_id()?),
                    client: client.id.clone(),
                    account: None,
                    basis: GrantBasis::PreAuthorized,
                    scopes: client.scopes.clone(),
                    context: LaunchContext::default(),
                    purpose: client.purpose,
                    renewal: Renewal::None,
                    fhir_user: None,
                    authenticated_at: None,
                    nonce: None,
                    created_at: at,
                    expires_at: None,
                    ended: None,
                };
                batch.push(Op::PutGrant(grant.clone()));
                grant
            }
        };
        let issue = Issue {
            believed,
            grant: &grant,
            scopes,
            refresh_token: None,
            action: "client-credentials",
            with_id_token: false,
        };
        match self.issue(issue, batch, via).await {
            Ok(response) => Ok(Ok(response)),
            Err(failure) => match failure.precondition() {
                Some(_) => Ok(Err((TokenError::AssertionReplayed, Some(grant.id)))),
                None => Err(failure),
            },
        }
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
        let expires_at = self.access_end(client, grant, at);
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
        let id_token =
            match IdTokenClaims::of(grant, &issue.scopes, &urls, at, ID_TOKEN_SECS) {
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

    fn access_end(&self, client: &Client, grant: &Grant, at: At) -> At {
        let longest = match grant.basis {
            GrantBasis::PreAuthorized => SERVICE_ACCESS_SECS_MAX,
            GrantBasis::Consent { .. } | GrantBasis::Operational => ACCESS_SECS_MAX,
        };
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
    entry.account = grant.account.clone();
    entry.grant = Some(grant.id.clone());
    entry.purpose = Some(grant.purpose);
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
