//! Refresh tokens: rotated at each use, retried safely, reuse noticed (RFC 9700 §4.14).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proviso_core::consent::{DurationChoice, OfflineAccess};
use proviso_core::time::At;
use proviso_oauth::record::{Client, Grant, GrantEndReason, RefreshToken, Renewal, TokenHash};
use proviso_oauth::token::{self, TokenError};
use proviso_store::{Batch, Op, Precondition};

use super::{Answer, Issue};
use crate::App;
use crate::clients::Believed;
use crate::failure::Failure;
use crate::via::Via;

/// For this long after a rotation the replaced refresh token still yields its successor, so that an
/// app whose answer was lost on the way can try again (oauth-smart.md §6 "rotate idempotently").
const ROTATION_GRACE_SECS: i64 = 60;

impl App {
    pub(super) async fn refresh(
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

    pub(super) fn first_refresh_token(
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

    /// What the choice as it is now says about going on; access without one is not its matter.
    fn choice_lets_renew(&self, grant: &Grant) -> bool {
        let Some(id) = grant.consent() else { return true };
        self.live.consent(id).is_some_and(|indexed| {
            let now = indexed.facts();
            match grant.renewal {
                Renewal::Offline => now.offline == OfflineAccess::Allowed,
                // "Once" ends with the visit and is renewed by nothing.
                Renewal::WhileSignedIn { .. } => now.duration != DurationChoice::Once,
                Renewal::None => false,
            }
        })
    }

    /// The sliding end: the shorter of what the operator and the app's registration allow.
    fn refresh_end(&self, client: &Client, at: At) -> At {
        let own = i64::from(client.lifetimes.refresh_secs);
        at.plus_secs(own.min(self.settings.refresh_token_ttl_days.saturating_mul(86_400)))
    }

    /// Whether a grant may still be renewed: `online_access` ends with the session (A100), however
    /// that ends, and a person who has since chosen that the app may not go on without them is
    /// obeyed (P4). Renewing is the app's doing, so it does not put off the session's idle end.
    pub(crate) async fn renewal_holds(&self, grant: &Grant, at: At) -> Result<bool, Failure> {
        if !self.choice_lets_renew(grant) {
            return Ok(false);
        }
        match &grant.renewal {
            Renewal::None => Ok(false),
            Renewal::Offline => Ok(true),
            Renewal::WhileSignedIn { session } => {
                let session = self.store.session(session).await?;
                Ok(session.is_some_and(|session| self.session_is_alive(&session, at)))
            }
        }
    }
}
