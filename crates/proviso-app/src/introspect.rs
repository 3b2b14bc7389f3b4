//! Introspection and revocation of tokens.

use std::sync::Arc;

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::id::ClientId;
use proviso_core::scope::ScopeContext;
use proviso_core::time::At;
use proviso_oauth::claims::{ContextMembers, fhir_user_url, subject};
use proviso_oauth::client_auth::{ClientAuthError, Presented};
use proviso_oauth::introspect::{ActiveToken, Introspection, TokenReference, TokenReferenceError};
use proviso_oauth::params::Params;
use proviso_oauth::record::{Client, Grant, GrantEndReason, GrantType, TokenHash};
use proviso_oauth::token::scope_text;
use proviso_store::{Batch, Op};

use crate::App;
use crate::bearer::BearerError;
use crate::failure::Failure;
use crate::token::describe;
use crate::via::Via;

/// Why introspection or revocation is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenUseError {
    /// The request cannot be read.
    #[error(transparent)]
    Request(#[from] TokenReferenceError),
    /// The app that asks is not believed.
    #[error(transparent)]
    Client(#[from] ClientAuthError),
    /// The bearer token that asks is not good.
    #[error(transparent)]
    Bearer(BearerError),
    /// Something inside failed.
    #[error("the server cannot answer just now")]
    Unavailable(#[from] Failure),
}

impl TokenUseError {
    /// The `error` code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request(_) | Self::Client(ClientAuthError::Contradiction) => "invalid_request",
            Self::Client(ClientAuthError::Throttled { .. }) | Self::Unavailable(_) => {
                "temporarily_unavailable"
            }
            Self::Client(_) => "invalid_client",
            Self::Bearer(_) => "invalid_token",
        }
    }

    /// Seconds until the next attempt, when it was one too many.
    pub const fn retry_after_secs(&self) -> Option<u32> {
        match self {
            Self::Client(error) => error.retry_after_secs(),
            Self::Request(_) | Self::Bearer(_) | Self::Unavailable(_) => None,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self.code() {
            "temporarily_unavailable" if self.retry_after_secs().is_some() => 429,
            "invalid_client" | "invalid_token" => 401,
            "temporarily_unavailable" => 503,
            _ => 400,
        }
    }

    /// The JSON body.
    pub fn to_json(&self) -> String {
        proviso_oauth::token::error_json(self.code(), &self.to_string())
    }
}

/// Whose tokens somebody may ask about.
#[derive(Debug)]
enum Reach {
    /// Those of one app.
    Own(ClientId),
    /// Those of any app: resource servers and services that the organisation agreed with.
    Any(ClientId),
}

impl App {
    /// Says what a token is, to an app or service that proves who it is (RFC 7662). Never to a
    /// stranger; SMART 282: a bearer token of a service is proof too.
    ///
    /// # Errors
    /// When the asker is not believed or something inside fails.
    pub async fn introspect(
        &self,
        authorization: Option<&str>,
        body: &Params,
        via: &Via,
    ) -> Result<Introspection, TokenUseError> {
        let reference = TokenReference::parse(body)?;
        let reach = match bearer_of(authorization) {
            Some(token) => self.reach_of_bearer(token).await?,
            None => self.reach_of_client(authorization, body, via).await?,
        };
        let at = self.now();
        let found = self.look_up(&reference.token, at).await?;
        let (Reach::Own(asker) | Reach::Any(asker)) = &reach;
        let visible = found.filter(|(grant, _)| match &reach {
            Reach::Own(client) => grant.client == *client,
            Reach::Any(_) => true,
        });
        let visible = match (visible, &reach) {
            // What consents withhold is for those who enforce it, and not for the app.
            (Some((grant, mut active)), Reach::Any(_)) if active.token_type.is_some() => {
                match self.authenticate_bearer(&reference.token, at).await {
                    Ok(caller) => {
                        active.extensions = self.leftover_of(&caller, at).await;
                        Some((grant, active))
                    }
                    // It ended this very moment.
                    Err(_) => None,
                }
            }
            (visible, _) => visible,
        };
        let mut entry = self
            .draft_entry(via, AuditKind::Introspection, AuditOutcome::Success, "introspect")
            .map_err(Failure::from)?;
        if let Some((grant, _)) = &visible {
            describe(&mut entry, grant);
        }
        entry.client = Some(asker.clone());
        self.commit(Batch::new(), entry).await.map_err(Failure::from)?;
        Ok(visible.map_or(Introspection::Inactive, |(_, active)| Introspection::Active(active)))
    }

    /// Takes a token back (RFC 7009), and with it everything of the same connection. An unknown
    /// token is no error.
    ///
    /// # Errors
    /// When the app is not believed or something inside fails; the token may be alive then.
    pub async fn revoke_token(
        &self,
        authorization: Option<&str>,
        body: &Params,
        via: &Via,
    ) -> Result<(), TokenUseError> {
        let reference = TokenReference::parse(body)?;
        let client = self.believed_client(authorization, body, via).await?;
        let grant = match self.store.refresh_token(&TokenHash::of(&reference.token)).await {
            Ok(Some(stored)) => self.store.grant(&stored.grant).await.map_err(Failure::from)?,
            Ok(None) => match self.keys.verify_access_token(&reference.token, self.now()) {
                Ok(claims) => self.store.grant(&claims.grant).await.map_err(Failure::from)?,
                Err(_) => None,
            },
            Err(error) => return Err(Failure::from(error).into()),
        };
        // RFC 7009 §2.1: only the app it was issued to; others are told nothing.
        if let Some(grant) = grant.filter(|grant| grant.client == client.id) {
            self.end_grant(&grant.id, GrantEndReason::ClientRevoked, "revoke", via).await?;
        }
        Ok(())
    }

    async fn reach_of_bearer(&self, token: &str) -> Result<Reach, TokenUseError> {
        let caller =
            self.authenticate_bearer(token, self.now()).await.map_err(TokenUseError::Bearer)?;
        let service = caller.account.is_none()
            && caller.scopes.iter().any(|scope| {
                scope.as_resource().is_some_and(|r| r.context == ScopeContext::System)
            });
        Ok(if service { Reach::Any(caller.client) } else { Reach::Own(caller.client) })
    }

    async fn reach_of_client(
        &self,
        authorization: Option<&str>,
        body: &Params,
        via: &Via,
    ) -> Result<Reach, TokenUseError> {
        let client = self.believed_client(authorization, body, via).await?;
        // A public client proves nothing, so it may not ask (never anonymous).
        if client.is_public() {
            return Err(ClientAuthError::Failed.into());
        }
        // A service that registered itself has agreed on nothing with anybody.
        let agreed = client.may_use(GrantType::ClientCredentials)
            && client.scopes.iter().any(|scope| {
                scope.as_resource().is_some_and(|r| r.context == ScopeContext::System)
            });
        Ok(if agreed { Reach::Any(client.id.clone()) } else { Reach::Own(client.id.clone()) })
    }

    /// The app that asks, its assertion recorded as used.
    async fn believed_client(
        &self,
        authorization: Option<&str>,
        body: &Params,
        via: &Via,
    ) -> Result<Arc<Client>, TokenUseError> {
        let presented = Presented::read(authorization, body)?;
        let believed = self.believe(&presented, via).await??;
        if let Some(assertion) = believed.assertion {
            let batch = Batch::new().with(Op::UseAssertion(assertion));
            match self.store.commit(batch).await {
                Ok(_) => {}
                Err(error) if error.precondition().is_some() => {
                    return Err(ClientAuthError::Failed.into());
                }
                Err(error) => return Err(Failure::from(error).into()),
            }
        }
        Ok(believed.client)
    }

    /// A live token of either kind, with its grant.
    async fn look_up(
        &self,
        token: &str,
        at: At,
    ) -> Result<Option<(Arc<Grant>, Box<ActiveToken>)>, TokenUseError> {
        if let Ok(claims) = self.verified_claims(token, at) {
            let Ok(grant) = self.live_grant(&claims, at) else { return Ok(None) };
            let active = ActiveToken {
                active: true,
                scope: self.scopes_now(&claims.scope, &grant).to_string(),
                client_id: claims.client_id.as_str().to_owned(),
                exp: claims.exp,
                iat: claims.iat,
                iss: claims.iss.clone(),
                sub: claims.sub.clone(),
                aud: claims.aud.clone(),
                token_type: Some("Bearer"),
                jti: Some(claims.jti.as_str().to_owned()),
                fhir_user: claims.fhir_user.clone(),
                context: claims.context.clone(),
                extensions: None,
            };
            return Ok(Some((grant, Box::new(active))));
        }
        self.look_up_refresh_token(token, at).await
    }

    async fn look_up_refresh_token(
        &self,
        token: &str,
        at: At,
    ) -> Result<Option<(Arc<Grant>, Box<ActiveToken>)>, TokenUseError> {
        let stored = self.store.refresh_token(&TokenHash::of(token)).await;
        let Some(stored) = stored.map_err(Failure::from)?.filter(|stored| {
            stored.rotated.is_none() && at < stored.expires_at && at < stored.absolute_expires_at
        }) else {
            return Ok(None);
        };
        let grant = self.live.grant(&stored.grant).filter(|grant| grant.is_live(at));
        let Some(grant) = grant.filter(|grant| self.check_basis(grant, at).is_ok()) else {
            return Ok(None);
        };
        if !self.renewal_holds(&grant, at).await? {
            return Ok(None);
        }
        let urls = self.urls();
        let active = ActiveToken {
            active: true,
            scope: self.scopes_now(&scope_text(&grant.scopes), &grant).to_string(),
            client_id: grant.client.as_str().to_owned(),
            exp: stored.expires_at.as_secs(),
            iat: stored.issued_at.as_secs(),
            iss: urls.issuer().to_owned(),
            sub: subject(grant.account.as_ref(), &grant.client),
            aud: urls.fhir_base().to_owned(),
            token_type: None,
            jti: None,
            fhir_user: fhir_user_url(&grant, &grant.scopes, &urls),
            context: ContextMembers::of(&grant.context, &urls, self.settings.tenant.as_str()),
            extensions: None,
        };
        Ok(Some((grant, Box::new(active))))
    }
}

fn bearer_of(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
