//! Client authentication at the token, introspection and revocation endpoints (RFC 6749 §2.3,
//! RFC 7523, SMART "asymmetric").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proviso_core::id::ClientId;
use proviso_core::secret::Secret;
use proviso_core::time::At;
use serde::Deserialize;

use crate::jose::{self, JwsError, KeySet, SignatureAlgorithm};
use crate::params::{self, Params};
use crate::record::{Client, ClientAuthentication, ClientProfile, ClientStatus, UsedAssertion};
use crate::server::ServerUrls;

/// The one assertion type (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// SMART asymmetric: an assertion ends at most five minutes from now.
const ASSERTION_LIFETIME_SECS_MAX: i64 = 300;
/// Clocks may differ by this much (design §13).
pub const CLOCK_SKEW_SECS: i64 = 30;

/// What a request shows to prove which app it comes from.
#[derive(Debug, Clone)]
pub enum Presented {
    /// Only a `client_id`: a public client.
    Id(ClientId),
    /// A `client_id` and secret; by header, both readings of the header are possible.
    Secret {
        /// The readings, most likely first.
        candidates: Vec<(ClientId, Secret<String>)>,
        /// Whether it came in the `Authorization` header.
        by_header: bool,
    },
    /// A signed assertion.
    Assertion {
        /// The `iss` it claims, not verified.
        claimed: ClientId,
        /// The assertion.
        assertion: Secret<String>,
    },
    /// Nothing at all.
    Nothing,
}

/// Why an app is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthError {
    /// More than one way at once, or a way that contradicts `client_id` (RFC 6749 §2.3).
    #[error("more than one client authentication, or a `client_id` that contradicts it")]
    Contradiction,
    /// The header or the assertion type cannot be read.
    #[error("the client authentication cannot be read")]
    Malformed,
    /// Nothing was shown.
    #[error("client authentication is missing")]
    Missing,
    /// Unknown app, wrong secret, wrong method: one answer for all (R29).
    #[error("client authentication failed")]
    Failed,
    /// Too many wrong secrets came from there; nothing was checked (RFC 6749 §2.3.1, R29).
    #[error("too many attempts, try again later")]
    Throttled {
        /// Seconds until the next attempt counts.
        wait_secs: u32,
    },
    /// The assertion's signature, key, algorithm or type is wrong.
    #[error("client authentication failed: {0}")]
    Assertion(JwsError),
    /// A claim of the assertion is missing or wrong.
    #[error("client authentication failed: the assertion's `{0}` is missing or not acceptable")]
    Claim(&'static str),
}

impl ClientAuthError {
    /// Seconds until the next attempt, when it was one too many.
    pub const fn retry_after_secs(self) -> Option<u32> {
        match self {
            Self::Throttled { wait_secs } => Some(wait_secs),
            Self::Contradiction
            | Self::Malformed
            | Self::Missing
            | Self::Failed
            | Self::Assertion(_)
            | Self::Claim(_) => None,
        }
    }
}

impl Presented {
    /// Reads the `Authorization` header and the body of a request.
    ///
    /// # Errors
    /// When there is more than one way at once, or a way that cannot be read.
    pub fn read(authorization: Option<&str>, body: &Params) -> Result<Self, ClientAuthError> {
        let basic = authorization.and_then(basic_credentials);
        let body_id = body.text("client_id");
        let body_secret = body.text("client_secret");
        let assertion = body.text("client_assertion");
        let assertion_type = body.text("client_assertion_type");
        let methods = usize::from(basic.is_some())
            + usize::from(body_secret.is_some())
            + usize::from(assertion.is_some() || assertion_type.is_some());
        if methods > 1 {
            return Err(ClientAuthError::Contradiction);
        }
        if let Some(encoded) = basic {
            return read_basic(encoded, body_id);
        }
        if assertion.is_some() || assertion_type.is_some() {
            return read_assertion(assertion, assertion_type, body_id);
        }
        let Some(id) = body_id else {
            return if body_secret.is_some() {
                Err(ClientAuthError::Malformed)
            } else {
                Ok(Self::Nothing)
            };
        };
        let id: ClientId = id.parse().map_err(|_| ClientAuthError::Failed)?;
        Ok(match body_secret {
            None => Self::Id(id),
            Some(secret) => Self::Secret {
                candidates: vec![(id, Secret::new(secret.to_owned()))],
                by_header: false,
            },
        })
    }

    /// The apps that may be meant, in the order to try them.
    pub fn claimed_clients(&self) -> Vec<&ClientId> {
        match self {
            Self::Id(id) | Self::Assertion { claimed: id, .. } => vec![id],
            Self::Secret { candidates, .. } => candidates.iter().map(|(id, _)| id).collect(),
            Self::Nothing => Vec::new(),
        }
    }

    /// Whether the `Authorization` header was used, so that a refusal must be 401 with a challenge.
    pub const fn used_header(&self) -> bool {
        matches!(self, Self::Secret { by_header: true, .. })
    }
}

/// The encoded part of a Basic header; the scheme compares without case (RFC 9110 §11.1).
fn basic_credentials(header: &str) -> Option<&str> {
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| rest.trim_start())
}

fn read_basic(encoded: &str, body_id: Option<&str>) -> Result<Presented, ClientAuthError> {
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| ClientAuthError::Malformed)?;
    let text = String::from_utf8(bytes).map_err(|_| ClientAuthError::Malformed)?;
    let (raw_id, raw_secret) = text.split_once(':').ok_or(ClientAuthError::Malformed)?;
    // RFC 6749 §2.3.1 asks for form encoding before Base64; many clients, and the certification
    // kit, send the bare texts. Both readings are tried, the bare one first.
    let mut candidates = Vec::with_capacity(2);
    if let Ok(id) = raw_id.parse() {
        candidates.push((id, Secret::new(raw_secret.to_owned())));
    }
    if text.contains(['%', '+'])
        && let (Some(id), Some(secret)) =
            (params::decode_component(raw_id), params::decode_component(raw_secret))
        && let Ok(id) = id.parse()
    {
        candidates.push((id, Secret::new(secret)));
    }
    if let Some(body_id) = body_id {
        candidates.retain(|(id, _): &(ClientId, _)| id.as_str() == body_id);
    }
    if candidates.is_empty() {
        return Err(ClientAuthError::Failed);
    }
    Ok(Presented::Secret { candidates, by_header: true })
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

fn read_assertion(
    assertion: Option<&str>,
    assertion_type: Option<&str>,
    body_id: Option<&str>,
) -> Result<Presented, ClientAuthError> {
    let (Some(assertion), Some(ASSERTION_TYPE)) = (assertion, assertion_type) else {
        return Err(ClientAuthError::Malformed);
    };
    let Issuer { iss } = jose::peek_claims(assertion).map_err(ClientAuthError::Assertion)?;
    if body_id.is_some_and(|id| id != iss) {
        return Err(ClientAuthError::Contradiction);
    }
    Ok(Presented::Assertion {
        claimed: iss.parse().map_err(|_| ClientAuthError::Failed)?,
        assertion: Secret::new(assertion.to_owned()),
    })
}

/// An app that has proved who it is, or is public and need not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticated {
    /// A public client: named, not proved.
    Public,
    /// By its secret.
    BySecret,
    /// By an assertion; the caller must record it, and refuse when it is known already.
    ByAssertion(UsedAssertion),
}

/// Checks what was presented against one registered app.
///
/// `keys` are the app's public keys, when it has registered any and they could be had.
///
/// # Errors
/// When the app is not proved to be the one it says.
pub fn authenticate(
    client: &Client,
    presented: &Presented,
    keys: Option<&KeySet>,
    urls: &ServerUrls,
    at: At,
) -> Result<Authenticated, ClientAuthError> {
    if client.status != ClientStatus::Active {
        return Err(ClientAuthError::Failed);
    }
    match (&client.authentication, presented) {
        (ClientAuthentication::None, Presented::Id(id)) if *id == client.id => {
            Ok(Authenticated::Public)
        }
        (
            ClientAuthentication::ClientSecret { secret_hash },
            Presented::Secret { candidates, .. },
        ) => {
            let right =
                candidates.iter().any(|(id, s)| *id == client.id && secret_hash.is_of(s.expose()));
            if right { Ok(Authenticated::BySecret) } else { Err(ClientAuthError::Failed) }
        }
        (
            ClientAuthentication::PrivateKeyJwt { .. },
            Presented::Assertion { claimed, assertion },
        ) if *claimed == client.id => {
            let keys = keys.ok_or(ClientAuthError::Failed)?;
            check_assertion(client, assertion.expose(), keys, urls, at)
                .map(Authenticated::ByAssertion)
        }
        // A client uses the method it was registered with and no weaker one.
        _ => Err(ClientAuthError::Failed),
    }
}

/// The algorithms of an app's assertions (oauth-smart.md §6: by profile).
pub const fn assertion_algorithms(profile: ClientProfile) -> &'static [SignatureAlgorithm] {
    match profile {
        ClientProfile::Smart => SignatureAlgorithm::ALL,
        ClientProfile::Fapi2 => {
            &[SignatureAlgorithm::Ps256, SignatureAlgorithm::Es256, SignatureAlgorithm::EdDsa]
        }
    }
}

#[derive(Deserialize)]
struct AssertionClaims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<serde_json::Value>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    jti: Option<String>,
}

fn check_assertion(
    client: &Client,
    assertion: &str,
    keys: &KeySet,
    urls: &ServerUrls,
    at: At,
) -> Result<UsedAssertion, ClientAuthError> {
    let accepted = assertion_algorithms(client.profile);
    let claims: AssertionClaims = keys
        .verify(assertion, accepted, &["jwt", "client-authentication+jwt", ""])
        .map_err(ClientAuthError::Assertion)?;
    // SMART asymmetric: `iss` and `sub` are both the client id.
    if claims.iss.as_deref() != Some(client.id.as_str()) {
        return Err(ClientAuthError::Claim("iss"));
    }
    if claims.sub.as_deref() != Some(client.id.as_str()) {
        return Err(ClientAuthError::Claim("sub"));
    }
    // Ruling on `aud` (oauth-smart.md §6, R32): a string, never an array.
    let aud = claims.aud.as_ref().and_then(serde_json::Value::as_str);
    let names_us = aud == Some(urls.issuer())
        || (client.profile == ClientProfile::Smart && aud == Some(urls.token_endpoint().as_str()));
    if !names_us {
        return Err(ClientAuthError::Claim("aud"));
    }
    let exp = whole_seconds(claims.exp).ok_or(ClientAuthError::Claim("exp"))?;
    let now = at.as_secs();
    if exp <= now - CLOCK_SKEW_SECS || exp > now + ASSERTION_LIFETIME_SECS_MAX + CLOCK_SKEW_SECS {
        return Err(ClientAuthError::Claim("exp"));
    }
    // `iat` and `nbf` need not be there; the certification kit sends neither.
    for (name, value) in [("iat", claims.iat), ("nbf", claims.nbf)] {
        if value.is_some() && whole_seconds(value).is_none_or(|secs| secs > now + CLOCK_SKEW_SECS) {
            return Err(ClientAuthError::Claim(name));
        }
    }
    let jti = claims.jti.filter(|jti| (1..=256).contains(&jti.len()));
    let jti = jti.ok_or(ClientAuthError::Claim("jti"))?;
    // Remembered until the skew has passed too: until then the same text would be accepted again.
    let expires_at = At::from_secs(exp + CLOCK_SKEW_SECS);
    Ok(UsedAssertion { issuer: client.id.clone(), jti, expires_at })
}

/// A NumericDate (RFC 7519 §2) as whole seconds; `None` outside any sensible time.
fn whole_seconds(value: Option<f64>) -> Option<i64> {
    let value = value?;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked just before")]
    (value.is_finite() && (0.0..=253_402_300_799.0).contains(&value)).then_some(value as i64)
}

#[cfg(test)]
mod tests;
