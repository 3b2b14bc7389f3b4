//! What is kept between requests: registered apps, requests under way, codes, grants, tokens.
//!
//! These are values; which of them are written together is the caller's choice. Secrets and tokens
//! appear only as hashes, so that a copy of the database opens nothing (RFC 9700 §4.13).

mod client;
mod grant;
mod key;
mod request;

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::client::{
    Client, ClientAuthentication, ClientKeys, ClientProfile, ClientStatus, GrantType,
    IdTokenAlgorithm, SELF_REGISTERED_BYTES, SELF_REGISTERED_PREFIX, TokenLifetimes,
};
pub use self::grant::{
    AuthorizationCode, Grant, GrantBasis, GrantEnd, GrantEndReason, RefreshToken, Renewal,
    Rotation, UsedAssertion,
};
pub use self::key::{KeyUse, SealedKey};
pub use self::request::{
    AuthorizationRequest, AuthorizationStage, FhirContextItem, LaunchContext, LaunchTicket,
    PkceChallenge, Prompt, RequestedAuthorization,
};

/// SHA-256 of an opaque token, code or secret that this server made with 256 bits of entropy.
///
/// A fast hash is right here: what it hashes cannot be guessed, unlike a password.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes the text form of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest as lower-case hex: the key under which the record is stored.
    pub fn to_hex(self) -> String {
        proviso_core::id::hex(&self.0)
    }

    /// Whether a presented token has this hash, compared in constant time.
    pub fn is_of(&self, token: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.ct_eq(&Self::of(token).0).into()
    }
}

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hex digits")]
pub struct TokenHashError;

impl TryFrom<String> for TokenHash {
    type Error = TokenHashError;

    fn try_from(text: String) -> Result<Self, TokenHashError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(TokenHashError),
        };
        if text.len() != 64 {
            return Err(TokenHashError);
        }
        let mut bytes = [0_u8; 32];
        for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return Err(TokenHashError) };
            *slot = (digit(*high)? << 4) | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_hex()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Bytes that must come back exactly as they were sent (`state`, RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpaqueBytes(pub Vec<u8>);

impl TryFrom<String> for OpaqueBytes {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        URL_SAFE_NO_PAD.decode(text).map(Self)
    }
}

impl From<OpaqueBytes> for String {
    fn from(bytes: OpaqueBytes) -> Self {
        URL_SAFE_NO_PAD.encode(bytes.0)
    }
}
