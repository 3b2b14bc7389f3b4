//! Token requests and answers (RFC 6749 §4.1.3, §4.4.2, §5, §6; SMART "Obtain access token").

use proviso_core::scope::{Scope, ScopeContext, ScopeSet};
use proviso_core::secret::Secret;
use proviso_core::time::At;
use serde::Serialize;

use crate::claims::ContextMembers;
use crate::client_auth::ClientAuthError;
use crate::params::{Params, ParamsError};
use crate::pkce::{self, VerifierError};
use crate::record::{AuthorizationCode, Client, ClientAuthentication, Grant, GrantType};

/// A token request, read but not judged.
#[derive(Debug, Clone)]
pub enum TokenRequest {
    /// A code is redeemed.
    Code {
        /// The code.
        code: Secret<String>,
        /// The redirect URI of the authorization request.
        redirect_uri: Option<String>,
        /// The PKCE verifier.
        verifier: Option<Secret<String>>,
    },
    /// Access is renewed.
    Refresh {
        /// The refresh token.
        token: Secret<String>,
        /// What is wanted; nothing means as before.
        scope: Option<String>,
    },
    /// A service asks for itself.
    ClientCredentials {
        /// What is wanted.
        scope: String,
    },
}

impl TokenRequest {
    /// Which grant type it is.
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::Code { .. } => GrantType::AuthorizationCode,
            Self::Refresh { .. } => GrantType::RefreshToken,
            Self::ClientCredentials { .. } => GrantType::ClientCredentials,
        }
    }
}

/// Why no token was issued (RFC 6749 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Parameters are repeated or too many.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A parameter is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The grant type is not offered.
    #[error("the grant type is not supported")]
    UnsupportedGrantType,
    /// The app may not use the grant type, or not without a key.
    #[error("the app may not use this grant type")]
    UnauthorizedClient,
    /// The app is not believed.
    #[error(transparent)]
    Client(#[from] ClientAuthError),
    /// The assertion was used before.
    #[error("client authentication failed: the assertion was used before")]
    AssertionReplayed,
    /// The code is unknown, ended, used, or another app's.
    #[error("the code is unknown, used or no longer valid")]
    Code,
    /// The redirect URI is not that of the authorization request.
    #[error("`redirect_uri` is not that of the authorization request")]
    RedirectUri,
    /// The PKCE verifier is missing or wrong.
    #[error(transparent)]
    Verifier(#[from] VerifierError),
    /// The refresh token is unknown, ended, replaced, or another app's.
    #[error("the refresh token is unknown or no longer valid")]
    RefreshToken,
    /// What the grant rests on has ended.
    #[error("access has ended")]
    GrantEnded,
    /// The scope is malformed, empty, or more than was granted.
    #[error("the scope is malformed or more than is allowed")]
    Scope,
    /// We cannot answer just now; nothing was issued.
    #[error("the server cannot answer just now")]
    TemporarilyUnavailable,
}

impl TokenError {
    /// The `error` code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Params(_) | Self::Missing(_) | Self::Client(ClientAuthError::Contradiction) => {
                "invalid_request"
            }
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::Client(ClientAuthError::Throttled { .. }) | Self::TemporarilyUnavailable => {
                "temporarily_unavailable"
            }
            Self::Client(_) | Self::AssertionReplayed => "invalid_client",
            Self::Code
            | Self::RedirectUri
            | Self::Verifier(_)
            | Self::RefreshToken
            | Self::GrantEnded => "invalid_grant",
            Self::Scope => "invalid_scope",
        }
    }

    /// Seconds until the next attempt, when it was one too many.
    pub const fn retry_after_secs(&self) -> Option<u32> {
        match self {
            Self::Client(error) => error.retry_after_secs(),
            Self::Params(_)
            | Self::Missing(_)
            | Self::UnsupportedGrantType
            | Self::UnauthorizedClient
            | Self::AssertionReplayed
            | Self::Code
            | Self::RedirectUri
            | Self::Verifier(_)
            | Self::RefreshToken
            | Self::GrantEnded
            | Self::Scope
            | Self::TemporarilyUnavailable => None,
        }
    }

    /// The HTTP status (RFC 6749 §5.2; RFC 6585 §4 for too many attempts).
    pub fn status(&self) -> u16 {
        match self.code() {
            "temporarily_unavailable" if self.retry_after_secs().is_some() => 429,
            "invalid_client" => 401,
            "temporarily_unavailable" => 503,
            _ => 400,
        }
    }

    /// The JSON body.
    pub fn to_json(&self) -> String {
        error_json(self.code(), &self.to_string())
    }
}

/// The JSON body of an error on an OAuth path (RFC 6749 §5.2).
pub fn error_json(code: &str, description: &str) -> String {
    // RFC 6749 §5.2: neither quotes nor backslashes in the description.
    let description: String = description
        .chars()
        .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
        .collect();
    serde_json::json!({ "error": code, "error_description": description }).to_string()
}

/// Reads the body of a token request.
///
/// # Errors
/// When the grant type is missing or not offered, or a parameter is missing.
pub fn parse(body: &Params) -> Result<TokenRequest, TokenError> {
    let text = |name: &'static str| body.text(name).ok_or(TokenError::Missing(name));
    match text("grant_type")? {
        "authorization_code" => Ok(TokenRequest::Code {
            code: Secret::new(text("code")?.to_owned()),
            redirect_uri: body.text("redirect_uri").map(str::to_owned),
            verifier: body.text("code_verifier").map(|verifier| Secret::new(verifier.to_owned())),
        }),
        "refresh_token" => Ok(TokenRequest::Refresh {
            token: Secret::new(text("refresh_token")?.to_owned()),
            scope: body.text("scope").map(str::to_owned),
        }),
        "client_credentials" => {
            Ok(TokenRequest::ClientCredentials { scope: text("scope")?.to_owned() })
        }
        _ => Err(TokenError::UnsupportedGrantType),
    }
}

/// Whether an app may use a grant type; services must sign (SMART Backend Services, A344).
///
/// # Errors
/// When it may not.
pub fn check_grant_type(client: &Client, grant_type: GrantType) -> Result<(), TokenError> {
    let signs = matches!(client.authentication, ClientAuthentication::PrivateKeyJwt { .. });
    let allowed = match grant_type {
        GrantType::ClientCredentials => client.may_use(grant_type) && signs,
        // A refresh token is only ever given to an app that may use it; it needs no other leave.
        GrantType::RefreshToken => true,
        GrantType::AuthorizationCode => client.may_use(grant_type),
    };
    if allowed { Ok(()) } else { Err(TokenError::UnauthorizedClient) }
}

/// Whether a code may be redeemed by this app with what it sent; whether it was used before is the
/// store's to say, at the moment of writing.
///
/// # Errors
/// When the code belongs to someone else, has ended, or the PKCE verifier is wrong.
pub fn check_code(
    code: &AuthorizationCode,
    client: &Client,
    redirect_uri: Option<&str>,
    verifier: Option<&str>,
    at: At,
) -> Result<(), TokenError> {
    // R11, R15: another app's attempt is refused before it can touch the code.
    if code.client != client.id || at >= code.expires_at {
        return Err(TokenError::Code);
    }
    // RFC 6749 §4.1.3: the redirect URI was part of the request, so it must be repeated.
    if redirect_uri != Some(code.redirect_uri.as_str()) {
        return Err(TokenError::RedirectUri);
    }
    pkce::verify(code.challenge.as_ref(), verifier).map_err(TokenError::from)
}

/// The scopes of a renewed token: as granted, or fewer when fewer are asked for; never more
/// (RFC 6749 §6, S4, R16).
///
/// # Errors
/// When more is asked for, or nothing is left.
pub fn narrowed_scopes(grant: &Grant, asked: Option<&str>) -> Result<Vec<Scope>, TokenError> {
    let Some(asked) = asked else { return Ok(grant.scopes.clone()) };
    let parsed = ScopeSet::parse(asked).map_err(|_| TokenError::Scope)?;
    if parsed.known.is_empty()
        || !parsed.unknown.is_empty()
        || !parsed.known.is_within(&grant.scopes)
    {
        return Err(TokenError::Scope);
    }
    Ok(parsed.known.into_vec())
}

/// The scopes of a service's token: what it asks for, inside what was agreed; explicitly asking
/// for more fails (SMART 240 to 244).
///
/// # Errors
/// When anything asked for is not a system scope that was agreed.
pub fn service_scopes(client: &Client, asked: &str) -> Result<Vec<Scope>, TokenError> {
    let parsed = ScopeSet::parse(asked).map_err(|_| TokenError::Scope)?;
    let only_system = parsed.known.iter().all(|scope| {
        *scope == Scope::AccessEvaluation
            || scope.as_resource().is_some_and(|resource| resource.context == ScopeContext::System)
    });
    if !parsed.unknown.is_empty() || !only_system {
        return Err(TokenError::Scope);
    }
    // A wildcard is cut to what was agreed; a named type outside of it is refused.
    let granted = parsed.known.narrow(&client.scopes);
    let explicit_missing = parsed.known.iter().any(|scope| {
        let single: ScopeSet = core::iter::once(scope.clone()).collect();
        single.narrow(&client.scopes).is_empty()
    });
    if granted.is_empty() || explicit_missing {
        return Err(TokenError::Scope);
    }
    Ok(granted.into_vec())
}

/// A successful answer (RFC 6749 §5.1, SMART "access token response").
#[derive(Clone, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token ends.
    pub expires_in: i64,
    /// The scopes, always present (SMART 78).
    pub scope: String,
    /// The refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The launch context.
    #[serde(flatten)]
    pub context: ContextMembers,
}

impl core::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenResponse")
            .field("scope", &self.scope)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// The scope string of an answer.
pub fn scope_text(scopes: &[Scope]) -> String {
    ScopeSet::from(scopes.to_vec()).to_string()
}

#[cfg(test)]
mod tests;
