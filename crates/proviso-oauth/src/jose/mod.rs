//! Signing and verifying compact JWS, and JWK sets.
//!
//! An algorithm is never taken from a token's header: each key says which algorithms it may be used
//! with, and the header must name one of those (RFC 8725 §3.1). Symmetric algorithms and `none` do
//! not exist here.

mod sign;
#[cfg(test)]
mod tests;

use std::sync::Once;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use self::sign::{KeyError, SigningKey, generate_pkcs8, jwks_document};

/// The asymmetric signature algorithms that this server uses or accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5, SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5, SHA-384.
    Rs384,
    /// RSASSA-PSS, SHA-256.
    Ps256,
    /// ECDSA P-256, SHA-256.
    Es256,
    /// ECDSA P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl SignatureAlgorithm {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Rs256, Self::Rs384, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa];

    /// The name in the `alg` header (RFC 7518 §3.1, RFC 8037).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of a name; `None` for `none`, HMAC and everything unknown.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    const fn library(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Ps256 => Algorithm::PS256,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

/// Why a compact JWS is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// It is too long, has not three parts, or a part is not base64url or not JSON.
    #[error("the token is malformed")]
    Malformed,
    /// Its `alg` is not one that the key may be used with.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// Its `typ` is not the expected one (RFC 8725 §3.11).
    #[error("the token's type is not the expected one")]
    Type,
    /// It has a `crit` header; we understand no extension (RFC 7515 §4.1.11).
    #[error("the token has a critical header that is not understood")]
    Critical,
    /// No key fits, or more than one.
    #[error("no single key fits the token")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
}

// LIMIT: header blocks end at 16 KiB; a larger token is not one of ours or of a sane client.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Selects the crypto library for the whole process; later calls change nothing.
fn use_explicit_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().is_err() {
            // Another part of the process chose first; only this one provider is compiled in.
        }
    });
}

/// The JOSE header members that matter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// Which algorithm it claims.
    pub alg: String,
    /// What kind of token it claims to be.
    #[serde(default)]
    pub typ: Option<String>,
    /// Which key it claims.
    #[serde(default)]
    pub kid: Option<String>,
    /// Where it says its keys are.
    #[serde(default)]
    pub jku: Option<String>,
    /// Extensions that must be understood.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// The parts of a compact JWS whose signature has not been checked.
struct Parts<'a> {
    header: Header,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

fn split(token: &str) -> Result<Parts<'_>, JwsError> {
    split_within(token, TOKEN_BYTES_MAX)
}

fn split_within(token: &str, bytes_max: usize) -> Result<Parts<'_>, JwsError> {
    if token.len() > bytes_max {
        return Err(JwsError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
    if payload.contains('.') {
        return Err(JwsError::Malformed);
    }
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| JwsError::Malformed)?;
    let header: Header = object_from_json(&header).ok_or(JwsError::Malformed)?;
    if header.crit.is_some() {
        return Err(JwsError::Critical);
    }
    Ok(Parts { header, signed, payload, signature })
}

/// Reads the header of a token that has not been verified: only to find the key.
///
/// # Errors
/// When the token is malformed.
pub fn peek_header(token: &str) -> Result<Header, JwsError> {
    split(token).map(|parts| parts.header)
}

/// The key that a document names, before it has been verified: only to find the key.
///
/// # Errors
/// When the document is malformed or longer than so many bytes.
pub fn peek_document_kid(document: &str, bytes_max: usize) -> Result<Option<String>, JwsError> {
    split_within(document, bytes_max).map(|parts| parts.header.kid)
}

/// Reads the claims of a token that has not been verified: only to find out whose key is needed.
///
/// # Errors
/// When the token is malformed.
pub fn peek_claims<T: DeserializeOwned>(token: &str) -> Result<T, JwsError> {
    decode_payload(split(token)?.payload)
}

fn decode_payload<T: DeserializeOwned>(payload: &str) -> Result<T, JwsError> {
    let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| JwsError::Malformed)?;
    object_from_json(&bytes).ok_or(JwsError::Malformed)
}

/// Reads a struct from a JSON object. A list of values in the order of its fields would otherwise
/// be read as one too.
pub(crate) fn object_from_json<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') { serde_json::from_slice(bytes).ok() } else { None }
}

/// A public key together with what it may be used for.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: Option<String>,
    key_type: KeyType,
    algorithms: Vec<SignatureAlgorithm>,
    key: DecodingKey,
}

/// The `kty` of a key, with the curve where it decides the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyType {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl KeyType {
    const fn algorithms(self) -> &'static [SignatureAlgorithm] {
        match self {
            Self::Rsa => {
                &[SignatureAlgorithm::Rs256, SignatureAlgorithm::Rs384, SignatureAlgorithm::Ps256]
            }
            Self::P256 => &[SignatureAlgorithm::Es256],
            Self::P384 => &[SignatureAlgorithm::Es384],
            Self::Ed25519 => &[SignatureAlgorithm::EdDsa],
        }
    }
}

impl core::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("key_type", &self.key_type)
            .finish_non_exhaustive()
    }
}

impl VerifyingKey {
    /// Reads one JWK; `None` when it is not a public signature key that we accept.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enums may grow; a key of a new kind verifies nothing here"
    )]
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if matches!(&jwk.common.public_key_use, Some(use_) if *use_ != PublicKeyUse::Signature) {
            return None;
        }
        let key_type = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => {
                // F9: RSA keys have at least 2048 bits.
                let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
                let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
                (significant >= 256).then_some(KeyType::Rsa)?
            }
            AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
                EllipticCurve::P256 => KeyType::P256,
                EllipticCurve::P384 => KeyType::P384,
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(_) => KeyType::Ed25519,
            // Symmetric keys and key types that we do not know verify nothing.
            _ => return None,
        };
        let algorithms = match &jwk.common.key_algorithm {
            None => key_type.algorithms().to_vec(),
            Some(named) => key_type
                .algorithms()
                .iter()
                .copied()
                .filter(|algorithm| algorithm.name() == named.to_string())
                .collect(),
        };
        if algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { kid: jwk.common.key_id.clone(), key_type, algorithms, key })
    }

    /// Checks one token against this key only.
    fn verify_parts(
        &self,
        parts: &Parts<'_>,
        accepted: &[SignatureAlgorithm],
    ) -> Result<(), JwsError> {
        use_explicit_provider();
        let algorithm =
            SignatureAlgorithm::by_name(&parts.header.alg).ok_or(JwsError::Algorithm)?;
        if !self.algorithms.contains(&algorithm) || !accepted.contains(&algorithm) {
            return Err(JwsError::Algorithm);
        }
        let valid = jsonwebtoken::crypto::verify(
            parts.signature,
            parts.signed.as_bytes(),
            &self.key,
            algorithm.library(),
        )
        .map_err(|_| JwsError::Signature)?;
        if valid { Ok(()) } else { Err(JwsError::Signature) }
    }
}

/// The public keys of one signer.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<VerifyingKey>);

/// The text is not a JWK set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK set with a usable public key")]
pub struct KeySetError;

impl KeySet {
    /// Reads a JWK set (RFC 7517 §5). Keys of unknown kinds are left out, as the RFC asks.
    ///
    /// # Errors
    /// When it is not a JWK set, has no usable key, or holds a private or symmetric key.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        use_explicit_provider();
        if text.len() > 64 * 1024 {
            return Err(KeySetError);
        }
        let raw: serde_json::Value = serde_json::from_str(text).map_err(|_| KeySetError)?;
        let listed = raw.get("keys").and_then(serde_json::Value::as_array).ok_or(KeySetError)?;
        // TRUST: a private key in a public place is burnt; refusing it tells its owner.
        let secret = |key: &serde_json::Value| key.get("d").is_some() || key.get("k").is_some();
        if listed.iter().any(secret) {
            return Err(KeySetError);
        }
        let keys: Vec<VerifyingKey> = listed
            .iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok())
            .filter_map(|jwk| VerifyingKey::from_jwk(&jwk))
            .collect();
        if keys.is_empty() { Err(KeySetError) } else { Ok(Self(keys)) }
    }

    /// Verifies a compact JWS and reads its claims.
    ///
    /// The key is found by `kid` and by what its type allows; exactly one must fit (SMART 338). A
    /// token without `kid` is accepted only when exactly one key allows its algorithm.
    ///
    /// # Errors
    /// When anything about the token is not as it must be.
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        accepted: &[SignatureAlgorithm],
        types: &[&str],
    ) -> Result<T, JwsError> {
        self.verify_parts(&split(token)?, accepted, types)
    }

    /// As [`Self::verify`], for a document that no header has to hold, of at most so many bytes.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_document<T: DeserializeOwned>(
        &self,
        document: &str,
        accepted: &[SignatureAlgorithm],
        types: &[&str],
        bytes_max: usize,
    ) -> Result<T, JwsError> {
        self.verify_parts(&split_within(document, bytes_max)?, accepted, types)
    }

    fn verify_parts<T: DeserializeOwned>(
        &self,
        parts: &Parts<'_>,
        accepted: &[SignatureAlgorithm],
        types: &[&str],
    ) -> Result<T, JwsError> {
        check_type(parts.header.typ.as_deref(), types)?;
        let algorithm =
            SignatureAlgorithm::by_name(&parts.header.alg).ok_or(JwsError::Algorithm)?;
        if !accepted.contains(&algorithm) {
            return Err(JwsError::Algorithm);
        }
        let mut fitting = self.0.iter().filter(|key| {
            key.algorithms.contains(&algorithm)
                && parts.header.kid.as_ref().is_none_or(|kid| key.kid.as_ref() == Some(kid))
        });
        let key = fitting.next().ok_or(JwsError::UnknownKey)?;
        if fitting.next().is_some() {
            return Err(JwsError::UnknownKey);
        }
        key.verify_parts(parts, accepted)?;
        decode_payload(parts.payload)
    }
}

/// Media types compare without case and may leave out `application/` (RFC 7515 §4.1.9). An empty
/// list of types accepts a token without `typ` only by naming `""`.
fn check_type(typ: Option<&str>, types: &[&str]) -> Result<(), JwsError> {
    let typ = typ.unwrap_or_default().to_ascii_lowercase();
    let short = typ.strip_prefix("application/").unwrap_or(&typ);
    if types.iter().any(|accepted| accepted.eq_ignore_ascii_case(short)) {
        Ok(())
    } else {
        Err(JwsError::Type)
    }
}

/// Whether a text is a JWK set that an app may register.
pub fn is_registrable_jwks(text: &str) -> bool {
    serde_json::from_str::<JwkSet>(text).is_ok() && KeySet::parse(text).is_ok()
}
