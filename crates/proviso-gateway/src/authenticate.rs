//! First verb: who is asking, by a bearer token in the one place where tokens belong (RFC 6750).

use proviso_app::bearer::BearerError;
use proviso_app::caller::Caller;
use proviso_core::reason::ReasonCode;
use proviso_core::time::At;

use crate::door::{AskedFor, Received, too_often};
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::query;
use crate::stop::Stopped;
use crate::trail::Trail;

/// A request whose token was verified against the live grant, now.
#[derive(Debug)]
pub struct Authenticated {
    pub(crate) received: Received,
    pub(crate) caller: Caller,
    pub(crate) trail: Trail,
}

/// Verifies the token; nothing is looked at but credentials.
pub async fn authenticate(gateway: &Gateway, received: Received) -> Result<Authenticated, Stopped> {
    let mut trail = Trail::of(&received);
    let caller = match caller(gateway, &received, &mut trail).await {
        Ok(caller) => caller,
        Err(refusal) => return Err(Stopped::new(refusal, trail)),
    };
    trail.caller_is(&caller);
    if let Err(wait) = gateway.rates.check_caller(&caller.client, caller.account.as_ref()) {
        return Err(Stopped::new(too_often(wait), trail));
    }
    Ok(Authenticated { received, caller, trail })
}

async fn caller(
    gateway: &Gateway,
    received: &Received,
    trail: &mut Trail,
) -> Result<Caller, Refusal> {
    // RFC 6750 §2.3: tokens in URLs end up in logs and histories; ours are not taken from there.
    let pairs = query::pairs(&received.query).ok_or(Problem::SearchRefused)?;
    if pairs.iter().any(|(name, _)| name == "access_token") {
        return Err(Problem::TokenMisplaced.into());
    }
    let header = received
        .headers
        .authorization
        .single()
        .map_err(|_| Problem::CredentialsAmbiguous)?
        .ok_or(Problem::TokenMissing)?;
    let token = bearer(header.expose()).ok_or(Problem::TokenInvalid)?;
    match gateway.app.authenticate_bearer(token, received.at).await {
        Ok(caller) => {
            let address = match received.asked_for {
                AskedFor::Itself => received.network.as_deref(),
                AskedFor::Another => None,
            };
            Ok(Caller { network: gateway.app.network_of(address), ..caller })
        }
        Err(error) => Err(refuse_bearer(gateway, received.at, token, error, trail).await),
    }
}

/// Why a token opens nothing is for the log and not for whoever holds it. Whoever stopped sharing
/// sees there that the app still tried.
async fn refuse_bearer(
    gateway: &Gateway,
    at: At,
    token: &str,
    error: BearerError,
    trail: &mut Trail,
) -> Refusal {
    let reason = match error {
        BearerError::Invalid | BearerError::Expired | BearerError::Audience => None,
        BearerError::GrantEnded | BearerError::ConsentEnded => {
            let holder = gateway.app.holder_of_ended(token, at).await;
            let revoked = holder.as_ref().is_some_and(|holder| holder.revoked);
            if let Some(holder) = holder {
                trail.was_held_by(holder.caller);
            }
            Some(if revoked || error == BearerError::ConsentEnded {
                ReasonCode::ConsentRevoked
            } else {
                ReasonCode::ConsentNotInForce
            })
        }
        BearerError::Disabled => Some(ReasonCode::AccountDisabled),
    };
    let mut refusal = Refusal::from(Problem::TokenInvalid);
    refusal.reasons.extend(reason);
    refusal
}

/// RFC 6750 §2.1: the scheme in any case, one space or more, then the token.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    let shape = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(shape))
        .then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_a_credential() {
        assert_eq!(bearer("Bearer abc.def-1"), Some("abc.def-1"));
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        for bad in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer a,b"] {
            assert_eq!(bearer(bad), None, "{bad}");
        }
    }
}
