//! Access tokens at the FHIR API: verified once, then judged against the live grant at every use.
//!
//! INVARIANT: what a token says about consent is a hint. Whether it may be used is decided from the
//! grant, the consent, the app and the account as they are now.

use std::sync::Arc;

use proviso_core::account::{AccountStatus, ActorKind};
use proviso_core::emergency::Standing;
use proviso_core::scope::ScopeSet;
use proviso_core::time::At;
use proviso_oauth::claims::AccessTokenClaims;
use proviso_oauth::client_auth::CLOCK_SKEW_SECS;
use proviso_oauth::record::{ClientStatus, Grant, GrantEndReason};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::App;
use crate::caller::Caller;
use crate::live::Live;

/// Why a bearer token opens nothing (RFC 6750 §3.1: `invalid_token`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// It is not an access token of ours.
    #[error("the token is not an access token of this server")]
    Invalid,
    /// Its time is over, or has not begun.
    #[error("the token has expired")]
    Expired,
    /// It is for another server.
    #[error("the token is for another audience")]
    Audience,
    /// The connection was ended or its time is over.
    #[error("the connection behind the token has ended")]
    GrantEnded,
    /// The person stopped sharing, or the choice is over.
    #[error("the sharing choice behind the token has ended")]
    ConsentEnded,
    /// The app or the account was disabled.
    #[error("the app or the account was disabled")]
    Disabled,
}

/// Who holds a token that no longer opens anything.
#[derive(Debug, Clone)]
pub struct EndedHolder {
    /// The app and the person; without any scope.
    pub caller: Caller,
    /// Whether the person stopped sharing, as against a time that ran out.
    pub revoked: bool,
}

/// Tokens whose signature was verified, by SHA-256 of their text.
#[derive(Debug)]
pub(crate) struct VerifiedTokens(Cache<[u8; 32], Arc<AccessTokenClaims>>);

impl VerifiedTokens {
    pub(crate) fn new() -> Self {
        // LIMIT: about 1 KiB each.
        Self(Cache::new(10_000))
    }
}

impl App {
    /// The identity behind a bearer token, if the token may be used at this instant.
    ///
    /// # Errors
    /// When the token is not ours, is over, or what it rests on has ended.
    #[expect(clippy::unused_async, reason = "on several nodes the grant is looked up elsewhere")]
    pub async fn authenticate_bearer(&self, token: &str, at: At) -> Result<Caller, BearerError> {
        let claims = self.verified_claims(token, at)?;
        let grant = self.live_grant(&claims, at)?;
        let caller = Caller::of_grant(&self.live, &grant, &claims.scope, claims.jti.clone());
        Ok(Caller {
            expires_at: At::from_secs(claims.exp),
            token_secs: claims.exp - claims.iat,
            ..caller.ok_or(BearerError::Disabled)?
        })
    }

    /// Who holds a good token of ours whose connection or sharing choice has ended; for the log, so
    /// that the patient sees that the app still tried. It opens nothing: it has no scope.
    pub async fn holder_of_ended(&self, token: &str, at: At) -> Option<EndedHolder> {
        let claims = self.verified_claims(token, at).ok()?;
        // A log line without names is worse than one with, but no reason to fail.
        let grant = self.store.grant(&claims.grant).await.ok()??;
        if grant.client != claims.client_id {
            return None;
        }
        let account = grant.account.as_ref().and_then(|id| self.live.account(id));
        Some(EndedHolder {
            revoked: grant.ended.is_some_and(|end| end.reason == GrantEndReason::ConsentRevoked),
            caller: Caller {
                kind: account.map_or(ActorKind::System, |account| account.kind),
                token: claims.jti.clone(),
                scopes: Vec::new(),
                patient: grant.context.patient.clone(),
                consent: grant.consent().cloned(),
                purpose: grant.purpose,
                fhir_user: None,
                network: None,
                expires_at: At::from_secs(claims.exp),
                token_secs: claims.exp - claims.iat,
                client: grant.client,
                account: grant.account,
                grant: grant.id,
            },
        })
    }

    /// Verifies signature, type, issuer, audience and times.
    pub(crate) fn verified_claims(
        &self,
        token: &str,
        at: At,
    ) -> Result<Arc<AccessTokenClaims>, BearerError> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let claims = if let Some(claims) = self.auth.verified.0.get(&hash) {
            claims
        } else {
            let claims =
                self.keys.verify_access_token(token, at).map_err(|_| BearerError::Invalid)?;
            let claims = Arc::new(claims);
            self.auth.verified.0.insert(hash, Arc::clone(&claims));
            claims
        };
        let urls = self.urls();
        if claims.iss != urls.issuer() {
            return Err(BearerError::Invalid);
        }
        if claims.aud != urls.fhir_base() {
            return Err(BearerError::Audience);
        }
        // Our own clock wrote these times, so `exp` gets no leeway; `iat` may be ahead by the skew
        // between nodes.
        let now = at.as_secs();
        if now >= claims.exp || claims.iat > now + CLOCK_SKEW_SECS {
            return Err(BearerError::Expired);
        }
        Ok(claims)
    }

    /// The grant behind verified claims, if it and what it rests on are alive.
    pub(crate) fn live_grant(
        &self,
        claims: &AccessTokenClaims,
        at: At,
    ) -> Result<Arc<Grant>, BearerError> {
        let grant = self
            .live
            .grant(&claims.grant)
            .filter(|grant| grant.client == claims.client_id && grant.is_live(at))
            .ok_or(BearerError::GrantEnded)?;
        self.check_basis(&grant, at)?;
        Ok(grant)
    }

    /// Whether everything that a grant rests on holds: app, account, consent or emergency.
    pub(crate) fn check_basis(&self, grant: &Grant, at: At) -> Result<(), BearerError> {
        let client = self.live.client(&grant.client);
        if client.is_none_or(|client| client.status != ClientStatus::Active) {
            return Err(BearerError::Disabled);
        }
        if let Some(id) = &grant.account {
            let account = self.live.account(id);
            if account.is_none_or(|account| account.status != AccountStatus::Active) {
                return Err(BearerError::Disabled);
            }
        }
        if let Some(id) = grant.emergency() {
            let emergency = self.live.emergency(id);
            return if emergency.is_some_and(|own| own.standing(at) == Standing::InForce) {
                Ok(())
            } else {
                Err(BearerError::GrantEnded)
            };
        }
        let Some(consent) = grant.consent() else { return Ok(()) };
        let latest = self.live.consent(consent);
        if latest.is_some_and(|indexed| indexed.facts().in_force(at)) {
            Ok(())
        } else {
            Err(BearerError::ConsentEnded)
        }
    }

    /// What a token may do now: what it says, cut to the grant and to the consent as it is now
    /// (P4: narrowing a choice narrows tokens that are already out).
    pub(crate) fn scopes_now(&self, scope: &str, grant: &Grant) -> ScopeSet {
        scopes_now(&self.live, scope, grant)
    }
}

/// As [`App::scopes_now`], by any live values.
pub(crate) fn scopes_now(live: &Live, scope: &str, grant: &Grant) -> ScopeSet {
    let own = ScopeSet::parse(scope).map(|parsed| parsed.known).unwrap_or_default();
    let own = own.narrow(&grant.scopes);
    match grant.consent().map(|consent| live.consent(consent)) {
        None => own,
        Some(None) => ScopeSet::default(),
        Some(Some(indexed)) => own.narrow(indexed.facts().granted_scopes),
    }
}
