//! Server keys: made, read, and signed with. The key is parsed once, not at every signature.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::SignatureAlgorithm;

/// Why a key could not be made or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The random source or the library failed.
    #[error("the key could not be generated")]
    Generate,
    /// The stored bytes are not a key of the expected kind.
    #[error("the stored key is not of the expected kind")]
    Malformed,
    /// Signing failed.
    #[error("signing failed")]
    Sign,
}

/// The private half of a server key.
enum PrivateKey {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key that this server signs with.
pub struct SigningKey {
    kid: String,
    key: PrivateKey,
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Generates a private key as PKCS#8.
///
/// # Errors
/// When the library or its random source fails, or the server never signs with the algorithm.
pub fn generate_pkcs8(algorithm: SignatureAlgorithm) -> Result<Vec<u8>, KeyError> {
    let failed = |_| KeyError::Generate;
    match algorithm {
        SignatureAlgorithm::Es256 => {
            EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|key| key.to_pkcs8v1().map(|document| document.as_ref().to_vec()))
                .map_err(failed)
        }
        SignatureAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)
            .and_then(|key| key.as_der().map(|document| document.as_ref().to_vec()))
            .map_err(failed),
        SignatureAlgorithm::EdDsa => Ed25519KeyPair::generate()
            .and_then(|key| key.to_pkcs8v1().map(|document| document.as_ref().to_vec()))
            .map_err(failed),
        SignatureAlgorithm::Rs384 | SignatureAlgorithm::Ps256 | SignatureAlgorithm::Es384 => {
            Err(KeyError::Generate)
        }
    }
}

impl SigningKey {
    /// Reads a private key from PKCS#8.
    ///
    /// # Errors
    /// When the bytes are not such a key, or the server never signs with the algorithm.
    pub fn from_pkcs8(
        kid: impl Into<String>,
        algorithm: SignatureAlgorithm,
        pkcs8: &[u8],
    ) -> Result<Self, KeyError> {
        let malformed = |_| KeyError::Malformed;
        let key = match algorithm {
            SignatureAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map(PrivateKey::Es256)
                    .map_err(malformed)?
            }
            SignatureAlgorithm::Rs256 => {
                RsaKeyPair::from_pkcs8(pkcs8).map(PrivateKey::Rs256).map_err(malformed)?
            }
            SignatureAlgorithm::EdDsa => {
                Ed25519KeyPair::from_pkcs8(pkcs8).map(PrivateKey::Ed25519).map_err(malformed)?
            }
            SignatureAlgorithm::Rs384 | SignatureAlgorithm::Ps256 | SignatureAlgorithm::Es384 => {
                return Err(KeyError::Malformed);
            }
        };
        Ok(Self { kid: kid.into(), key })
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        match &self.key {
            PrivateKey::Es256(_) => SignatureAlgorithm::Es256,
            PrivateKey::Rs256(_) => SignatureAlgorithm::Rs256,
            PrivateKey::Ed25519(_) => SignatureAlgorithm::EdDsa,
        }
    }

    /// Signs bare bytes.
    ///
    /// # Errors
    /// When the library fails.
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.key {
            PrivateKey::Es256(key) => key
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| KeyError::Sign),
            PrivateKey::Rs256(key) => {
                let mut out = vec![0; key.public_modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut out)
                    .map_err(|_| KeyError::Sign)?;
                Ok(out)
            }
            PrivateKey::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }

    /// Signs claims as a compact JWS of a type.
    ///
    /// # Errors
    /// When the library fails or the claims are not JSON.
    pub fn sign<T: Serialize>(&self, typ: &str, claims: &T) -> Result<String, KeyError> {
        let header =
            serde_json::json!({ "typ": typ, "alg": self.algorithm().name(), "kid": self.kid });
        let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Sign)?;
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The raw public key: 32 bytes for Ed25519, the uncompressed point for P-256, DER for RSA.
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.key {
            PrivateKey::Es256(key) => key.public_key().as_ref().to_vec(),
            PrivateKey::Rs256(key) => key.public_key().as_ref().to_vec(),
            PrivateKey::Ed25519(key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// The public half as a JWK (RFC 7517 §4).
    pub fn public_jwk(&self) -> serde_json::Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            PrivateKey::Es256(key) => {
                let point = key.public_key().as_ref();
                // SEC 1 §2.3.3: 0x04, then x and y of 32 bytes each.
                let (x, y) = point
                    .split_first()
                    .and_then(|(_, rest)| rest.split_at_checked(32))
                    .unwrap_or_default();
                serde_json::json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
            }
            PrivateKey::Rs256(key) => {
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                serde_json::json!({ "kty": "RSA", "n": text(&parts.n), "e": text(&parts.e) })
            }
            PrivateKey::Ed25519(key) => {
                serde_json::json!({
                    "kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref()),
                })
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("use".to_owned(), "sig".into());
            members.insert("alg".to_owned(), self.algorithm().name().into());
            members.insert("kid".to_owned(), self.kid.as_str().into());
        }
        jwk
    }
}

/// A JWK set document of public halves.
pub fn jwks_document(keys: &[serde_json::Value]) -> String {
    serde_json::json!({ "keys": keys }).to_string()
}
