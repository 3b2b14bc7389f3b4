//! Authorization codes in exchange for tokens (RFC 6749 §4.1.3).

use proviso_oauth::record::{AuthorizationCode, GrantEndReason, TokenHash};
use proviso_oauth::token::{self, TokenError};
use proviso_store::{Batch, Op, Precondition};

use super::{Answer, Issue};
use crate::App;
use crate::clients::Believed;
use crate::via::Via;

impl App {
    pub(super) async fn redeem_code(
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
        if let Err(error) = token::check_code(&stored, &believed.client, redirect_uri, verifier, at)
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
}
