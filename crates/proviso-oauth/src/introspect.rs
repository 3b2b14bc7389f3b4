//! Token introspection (RFC 7662, SMART "Token introspection") and revocation (RFC 7009).

use serde::Serialize;

use crate::claims::ContextMembers;
use crate::params::{Params, ParamsError};

/// What an introspection or revocation request names: one token of either kind.
#[derive(Clone)]
pub struct TokenReference {
    /// The token.
    pub token: String,
}

impl core::fmt::Debug for TokenReference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TokenReference(***)")
    }
}

/// Why such a request cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenReferenceError {
    /// Parameters are repeated or too many.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// `token` is missing.
    #[error("`token` is missing")]
    Missing,
}

impl TokenReference {
    /// Reads the body. `token_type_hint` is ignored: both kinds are looked for (RFC 7009 §2.1).
    ///
    /// # Errors
    /// When there is no token.
    pub fn parse(body: &Params) -> Result<Self, TokenReferenceError> {
        body.check_unique()?;
        let token = body.text("token").ok_or(TokenReferenceError::Missing)?.to_owned();
        Ok(Self { token })
    }
}

/// What is said of a live token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActiveToken {
    /// Always true.
    pub active: bool,
    /// Its scopes.
    pub scope: String,
    /// Its app.
    pub client_id: String,
    /// When it ends, in seconds.
    pub exp: i64,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// Who issued it.
    pub iss: String,
    /// The person or service.
    pub sub: String,
    /// Which FHIR base it is for.
    pub aud: String,
    /// `Bearer` for access tokens, absent for refresh tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// Its name in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The FHIR resource that is the person.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// The launch context, as in the token response (SMART 277).
    #[serde(flatten)]
    pub context: ContextMembers,
    /// What consents on file leave over; told to enforcement points alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Extensions>,
}

/// What IHE adds to a token (ITI-71 of IUA and PCF 1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Extensions {
    /// IHE IUA.
    pub ihe_iua: IheIua,
    /// IHE PCF.
    pub ihe_pcf: IhePcf,
}

/// IHE IUA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IheIua {
    /// What for: what was asked, and nothing more.
    pub purpose_of_use: Vec<Coded>,
}

/// IHE PCF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IhePcf {
    /// Whose records, as an address.
    pub patient_id: String,
    /// Which consents on file were heard, as addresses.
    pub doc_id: Vec<String>,
    /// The residual rules: a permit overrides a forbid, and what nothing forbids is released.
    pub residual: Vec<ResidualRule>,
}

/// A code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coded {
    /// Of which system.
    pub system: String,
    /// The code.
    pub code: String,
}

/// One residual rule. Attributes are all required, values are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResidualRule {
    /// `forbid` or `permit`.
    #[serde(rename = "type")]
    pub rule: &'static str,
    /// Security labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_label: Vec<Coded>,
    /// Clinical time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_period: Option<ResidualPeriod>,
    /// Records by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<ResidualData>,
}

/// A FHIR Period: both ends are inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResidualPeriod {
    /// First instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Last instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// Records by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResidualData {
    /// `instance`, `related` or `authoredby`.
    pub meaning: &'static str,
    /// From where.
    pub reference: Named,
}

/// A FHIR Reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Named {
    /// By address.
    Reference(String),
    /// By identifier.
    Identifier {
        /// Of which system.
        system: String,
        /// The value.
        value: String,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introspection {
    /// A live token.
    Active(Box<ActiveToken>),
    /// Anything else: unknown, ended, revoked, malformed, or not this asker's to see. Says nothing
    /// more (RFC 7662 §2.2).
    Inactive,
}

impl Introspection {
    /// The JSON body.
    pub fn to_json(&self) -> String {
        match self {
            Self::Active(token) => {
                serde_json::to_string(token).unwrap_or_else(|_| r#"{"active":false}"#.to_owned())
            }
            Self::Inactive => r#"{"active":false}"#.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inactive_token_is_told_nothing_else() {
        // Covers: RFC 7662 §2.2, Inferno token introspection invalid token
        assert_eq!(Introspection::Inactive.to_json(), r#"{"active":false}"#);
    }

    #[test]
    fn a_request_names_one_token() {
        let parse = |body: &[u8]| TokenReference::parse(&Params::parse_with_repeats(body).unwrap());
        assert_eq!(parse(b"token=x&token_type_hint=other").unwrap().token, "x");
        assert_eq!(parse(b"token=").err(), Some(TokenReferenceError::Missing));
        assert!(matches!(parse(b"token=a&token=b").err(), Some(TokenReferenceError::Params(_))));
    }
}
