//! The server's keys: made at the first start, sealed under the master key, published, rotated.
//!
//! Signing keys rotate; the checkpoint key and the derivation root do not, since what they protect
//! (the log, pseudonyms in it) outlives any rotation.

mod master;

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use proviso_core::id::hex;
use proviso_core::time::At;
use proviso_oauth::claims::{ACCESS_TOKEN_TYPE, AccessTokenClaims, ID_TOKEN_TYPE, IdTokenClaims};
use proviso_oauth::jose::{self, JwsError, KeyError, KeySet, SignatureAlgorithm, SigningKey};
use proviso_oauth::record::{IdTokenAlgorithm, KeyUse, OpaqueBytes, SealedKey};
use zeroize::Zeroizing;

pub use self::master::{MasterKey, MasterKeyError, SealError};
use crate::ports::{Entropy, EntropyError};

/// Why the server's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A stored key cannot be opened: another master key, or changed bytes.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A key could not be made or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no key for a use.
    #[error("there is no key for `{0:?}`")]
    Missing(KeyUse),
}

/// The uses for which one key is active at any time, and what each signs with.
const SIGNING_USES: [(KeyUse, SignatureAlgorithm); 3] = [
    (KeyUse::SignEs256, SignatureAlgorithm::Es256),
    (KeyUse::SignRs256, SignatureAlgorithm::Rs256),
    (KeyUse::SignEdDsa, SignatureAlgorithm::EdDsa),
];

/// A signing key with the times that decide whether it signs and whether it is published.
#[derive(Debug)]
struct Slot {
    key: SigningKey,
    created_at: At,
    retired_at: Option<At>,
    publish_until: Option<At>,
}

impl Slot {
    fn is_published(&self, at: At) -> bool {
        let signs = self.retired_at.is_none_or(|retired_at| at < retired_at);
        signs || self.publish_until.is_some_and(|until| at < until)
    }
}

/// The signing keys of one moment.
#[derive(Debug)]
struct Ring {
    slots: Vec<Slot>,
    verifiers: KeySet,
}

impl Ring {
    fn new(slots: Vec<Slot>) -> Self {
        let jwks: Vec<_> = slots.iter().map(|slot| slot.key.public_jwk()).collect();
        let verifiers = KeySet::parse(&jose::jwks_document(&jwks)).unwrap_or_default();
        Self { slots, verifiers }
    }

    /// The key that signs at an instant: of those not retired by then, the one that will be retired
    /// first, so that a successor is published for a while before it signs.
    fn active(&self, algorithm: SignatureAlgorithm, at: At) -> Option<&SigningKey> {
        self.slots
            .iter()
            .filter(|slot| slot.key.algorithm() == algorithm)
            .filter(|slot| slot.retired_at.is_none_or(|retired_at| at < retired_at))
            .min_by_key(|slot| {
                (slot.retired_at.unwrap_or(At::from_micros(i64::MAX)), slot.created_at)
            })
            .map(|slot| &slot.key)
    }
}

/// The keys of one server.
pub struct Keys {
    master: MasterKey,
    ring: ArcSwap<Ring>,
    checkpoint: SigningKey,
    derivation: Zeroizing<[u8; 32]>,
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keys").field("ring", &self.ring.load()).finish_non_exhaustive()
    }
}

/// New keys that are in use but not yet stored.
#[derive(Debug)]
#[must_use = "keys that are not stored are lost at the next start"]
pub struct Unstored(pub Vec<SealedKey>);

impl Keys {
    /// Opens stored keys and makes those that are missing.
    ///
    /// # Errors
    /// When a stored key cannot be opened or a new one cannot be made. A key that cannot be opened
    /// is never replaced silently: that would hide a lost master key.
    pub fn open(
        master: MasterKey,
        stored: &[SealedKey],
        entropy: &dyn Entropy,
        at: At,
    ) -> Result<(Self, Unstored), KeysError> {
        let mut all = stored.to_vec();
        let mut unstored = Vec::new();
        for key_use in [
            KeyUse::SignEs256,
            KeyUse::SignRs256,
            KeyUse::SignEdDsa,
            KeyUse::Checkpoint,
            KeyUse::Derivation,
        ] {
            let exists = all.iter().any(|key| key.key_use == key_use && key.retired_at.is_none());
            if !exists {
                let key = generate(&master, key_use, entropy, at)?;
                all.push(key.clone());
                unstored.push(key);
            }
        }
        let ring = Ring::new(open_ring(&master, &all)?);
        let checkpoint = open_one(&master, &all, KeyUse::Checkpoint)?;
        let (id, bytes) = checkpoint;
        let checkpoint = SigningKey::from_pkcs8(id, SignatureAlgorithm::EdDsa, &bytes)?;
        let (_, bytes) = open_one(&master, &all, KeyUse::Derivation)?;
        let derivation = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SealError)?;
        let keys = Self {
            master,
            ring: ArcSwap::from_pointee(ring),
            checkpoint,
            derivation: Zeroizing::new(derivation),
        };
        Ok((keys, Unstored(unstored)))
    }

    /// Makes the successors of the signing keys; nothing signs with them until [`Keys::reload`].
    pub(crate) fn successors(
        &self,
        entropy: &dyn Entropy,
        at: At,
    ) -> Result<Vec<SealedKey>, KeysError> {
        SIGNING_USES
            .iter()
            .map(|(key_use, _)| generate(&self.master, *key_use, entropy, at))
            .collect()
    }

    /// Takes over the signing keys as they are stored now.
    pub(crate) fn reload(&self, stored: &[SealedKey]) -> Result<(), KeysError> {
        self.ring.store(Arc::new(Ring::new(open_ring(&self.master, stored)?)));
        Ok(())
    }

    /// The names of the keys that sign at an instant.
    pub fn active_ids(&self, at: At) -> Vec<String> {
        let ring = self.ring.load();
        let active = |algorithm| ring.active(algorithm, at).map(|key| key.kid().to_owned());
        SIGNING_USES.iter().filter_map(|(_, algorithm)| active(*algorithm)).collect()
    }

    /// The JWK set that is published (SMART 207): active keys, and retired ones until the last
    /// token they signed has ended (O6).
    pub fn jwks(&self, at: At) -> String {
        let ring = self.ring.load();
        let jwks: Vec<_> = ring
            .slots
            .iter()
            .filter(|slot| slot.is_published(at))
            .map(|slot| slot.key.public_jwk())
            .collect();
        jose::jwks_document(&jwks)
    }

    /// Signs an access token: ES256, the smallest that every client library can verify.
    ///
    /// # Errors
    /// When there is no key or signing fails.
    pub fn sign_access_token(&self, claims: &AccessTokenClaims) -> Result<String, KeysError> {
        let ring = self.ring.load();
        let key = ring
            .active(SignatureAlgorithm::Es256, At::from_secs(claims.iat))
            .ok_or(KeysError::Missing(KeyUse::SignEs256))?;
        Ok(key.sign(ACCESS_TOKEN_TYPE, claims)?)
    }

    /// Signs an ID token with what the app registered for.
    ///
    /// # Errors
    /// When there is no key or signing fails.
    pub fn sign_id_token(
        &self,
        algorithm: IdTokenAlgorithm,
        claims: &IdTokenClaims,
    ) -> Result<String, KeysError> {
        let key_use = match algorithm {
            IdTokenAlgorithm::Rs256 => KeyUse::SignRs256,
            IdTokenAlgorithm::Es256 => KeyUse::SignEs256,
            IdTokenAlgorithm::EdDsa => KeyUse::SignEdDsa,
        };
        let ring = self.ring.load();
        let at = At::from_secs(claims.iat);
        let key = ring.active(algorithm.into(), at).ok_or(KeysError::Missing(key_use))?;
        Ok(key.sign(ID_TOKEN_TYPE, claims)?)
    }

    /// Signs a receipt as access tokens are signed, and gives the public key as a JWK with it: a
    /// receipt is looked at long after the key was last published.
    ///
    /// # Errors
    /// When there is no key or signing fails.
    pub fn sign_receipt<T: serde::Serialize>(
        &self,
        typ: &str,
        claims: &T,
        at: At,
    ) -> Result<(String, serde_json::Value), KeysError> {
        let ring = self.ring.load();
        let key = ring
            .active(SignatureAlgorithm::Es256, at)
            .ok_or(KeysError::Missing(KeyUse::SignEs256))?;
        Ok((key.sign(typ, claims)?, key.public_jwk()))
    }

    /// Verifies the signature and type of an access token of ours, with a key that is published at
    /// that instant. Times, audience and the grant are judged by the caller.
    ///
    /// # Errors
    /// When it is not one.
    pub fn verify_access_token(&self, token: &str, at: At) -> Result<AccessTokenClaims, JwsError> {
        let ring = self.ring.load();
        let kid = jose::peek_header(token)?.kid;
        // A key that was withdrawn signs nothing any more, even if somebody has a copy of it.
        let published = ring
            .slots
            .iter()
            .any(|slot| kid.as_deref() == Some(slot.key.kid()) && slot.is_published(at));
        if !published {
            return Err(JwsError::UnknownKey);
        }
        ring.verifiers.verify(token, &[SignatureAlgorithm::Es256], &[ACCESS_TOKEN_TYPE])
    }

    /// A 32-byte key for one purpose, the same at every start.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn derive(&self, label: &[u8]) -> Result<[u8; 32], KeysError> {
        let key = master::derive(&self.derivation, label).map_err(|()| SealError)?;
        Ok(*key)
    }

    /// HMAC-SHA-256 under the key of one purpose: pseudonyms, form secrets, token families.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn hmac(&self, label: &[u8], message: &[u8]) -> Result<[u8; 32], KeysError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derive(label)?);
        let tag = hmac::sign(&key, message);
        Ok(<[u8; 32]>::try_from(tag.as_ref()).map_err(|_| SealError)?)
    }

    /// Signs the text of a checkpoint of the audit log with Ed25519.
    pub fn sign_checkpoint(&self, text: &[u8]) -> Option<[u8; 64]> {
        self.checkpoint.sign_bytes(text).ok()?.try_into().ok()
    }

    /// The public half of the checkpoint key.
    pub fn checkpoint_public_key(&self) -> [u8; 32] {
        self.checkpoint.public_bytes().try_into().unwrap_or_default()
    }
}

/// The public keys of an installation: the JWK set with every signing key that was
/// not withdrawn, and the verifier key line of its log, as a JSON document. For looking from outside; nothing is served.
///
/// # Errors
/// When a key cannot be opened with this master key, or the log has no name yet.
pub fn public_keys(
    reader: &proviso_store::AuditLogReader,
    master: &MasterKey,
) -> Result<String, KeysError> {
    let missing = |_| KeysError::Missing(KeyUse::Checkpoint);
    let stored = reader.sealed_keys().map_err(missing)?;
    let origin = reader.setting(crate::audit::ORIGIN_SETTING).map_err(missing)?;
    let origin = origin.ok_or(KeysError::Missing(KeyUse::Checkpoint))?;
    let slots = open_ring(master, &stored)?;
    // A key that was withdrawn at once had leaked: what it signed may be anybody's.
    let good = |slot: &&Slot| slot.retired_at.is_none() || slot.publish_until > slot.retired_at;
    let jwks: Vec<_> = slots.iter().filter(good).map(|slot| slot.key.public_jwk()).collect();
    let (id, bytes) = open_one(master, &stored, KeyUse::Checkpoint)?;
    let key = SigningKey::from_pkcs8(id, SignatureAlgorithm::EdDsa, &bytes)?;
    let key: [u8; 32] = key.public_bytes().try_into().map_err(|_| SealError)?;
    let line = proviso_tlog::note::ed25519_verifier_key(&origin, &key);
    Ok(serde_json::json!({ "keys": jwks, "log_keys": [line] }).to_string())
}

/// What a sealed key is bound to, so that rows cannot be exchanged for one another.
fn bound_to(id: &str, key_use: KeyUse) -> Vec<u8> {
    format!("proviso key 1 {} {key_use:?} {id}", id.len()).into_bytes()
}

fn generate(
    master: &MasterKey,
    key_use: KeyUse,
    entropy: &dyn Entropy,
    at: At,
) -> Result<SealedKey, KeysError> {
    let (prefix, plain) = match key_use {
        KeyUse::SignEs256 => ("es256", jose::generate_pkcs8(SignatureAlgorithm::Es256)?),
        KeyUse::SignRs256 => ("rs256", jose::generate_pkcs8(SignatureAlgorithm::Rs256)?),
        KeyUse::SignEdDsa => ("eddsa", jose::generate_pkcs8(SignatureAlgorithm::EdDsa)?),
        KeyUse::Checkpoint => ("checkpoint", jose::generate_pkcs8(SignatureAlgorithm::EdDsa)?),
        KeyUse::Derivation => ("derivation", entropy.secret_bytes()?.to_vec()),
    };
    let plain = Zeroizing::new(plain);
    let mut random = [0_u8; 8];
    entropy.fill(&mut random)?;
    let id = format!("{prefix}-{}", hex(&random));
    let sealed = master.seal(&bound_to(&id, key_use), &plain, entropy)?;
    Ok(SealedKey {
        id,
        key_use,
        sealed: OpaqueBytes(sealed),
        created_at: at,
        retired_at: None,
        publish_until: None,
    })
}

fn open_ring(master: &MasterKey, stored: &[SealedKey]) -> Result<Vec<Slot>, KeysError> {
    let mut slots = Vec::new();
    for sealed in stored {
        let algorithm = SIGNING_USES
            .iter()
            .find(|(key_use, _)| *key_use == sealed.key_use)
            .map(|(_, algorithm)| *algorithm);
        let Some(algorithm) = algorithm else { continue };
        let plain = master.open(&bound_to(&sealed.id, sealed.key_use), &sealed.sealed.0)?;
        slots.push(Slot {
            key: SigningKey::from_pkcs8(sealed.id.as_str(), algorithm, &plain)?,
            created_at: sealed.created_at,
            retired_at: sealed.retired_at,
            publish_until: sealed.publish_until,
        });
    }
    Ok(slots)
}

fn open_one(
    master: &MasterKey,
    stored: &[SealedKey],
    key_use: KeyUse,
) -> Result<(String, Zeroizing<Vec<u8>>), KeysError> {
    let sealed = stored
        .iter()
        .filter(|key| key.key_use == key_use && key.retired_at.is_none())
        .min_by_key(|key| key.created_at)
        .ok_or(KeysError::Missing(key_use))?;
    let plain = master.open(&bound_to(&sealed.id, key_use), &sealed.sealed.0)?;
    Ok((sealed.id.clone(), plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemEntropy;

    const AT: At = At::from_secs(1_800_000_000);

    fn open(stored: &[SealedKey], master: u8) -> Result<(Keys, Unstored), KeysError> {
        let master = MasterKey::from_bytes([master; 32]);
        Keys::open(master, stored, &SystemEntropy::default(), AT)
    }

    #[test]
    fn keys_are_made_once_and_found_again() {
        let (first, Unstored(stored)) = open(&[], 1).unwrap();
        assert_eq!(stored.len(), 5);
        let (second, Unstored(none)) = open(&stored, 1).unwrap();
        assert!(none.is_empty());
        assert_eq!(first.jwks(AT), second.jwks(AT));
        assert_eq!(first.derive(b"x").unwrap(), second.derive(b"x").unwrap());
        assert_ne!(first.derive(b"x").unwrap(), first.derive(b"y").unwrap());
        assert_eq!(first.checkpoint_public_key(), second.checkpoint_public_key());
        assert!(first.sign_checkpoint(b"text").is_some());
    }

    #[test]
    fn another_master_key_is_noticed_and_nothing_is_replaced() {
        let (_, Unstored(stored)) = open(&[], 1).unwrap();
        assert!(matches!(open(&stored, 2), Err(KeysError::Seal(_))));
    }

    #[test]
    fn a_key_row_cannot_stand_in_for_another() {
        let (_, Unstored(mut stored)) = open(&[], 1).unwrap();
        let other = stored[1].sealed.clone();
        stored[0].sealed = other;
        assert!(matches!(open(&stored, 1), Err(KeysError::Seal(_))));
    }

    #[test]
    fn retired_keys_stay_published_until_their_tokens_have_ended() {
        // Covers: O6
        let (keys, Unstored(mut stored)) = open(&[], 1).unwrap();
        let before = keys.jwks(AT);
        let retired = stored[0].id.clone();
        stored[0].retired_at = Some(AT);
        stored[0].publish_until = Some(AT.plus_secs(3600));
        stored.extend(keys.successors(&SystemEntropy::default(), AT.plus_secs(1)).unwrap());
        keys.reload(&stored).unwrap();
        assert!(before.contains(&retired));
        assert!(keys.jwks(AT.plus_secs(3599)).contains(&retired));
        assert!(!keys.jwks(AT.plus_secs(3600)).contains(&retired));
        assert!(keys.active_ids(AT.plus_secs(-1)).contains(&retired));
        assert!(!keys.active_ids(AT).contains(&retired));
    }
}
