//! Sealed bytes: AES-256-GCM with a random nonce, bound to what they belong to.

use core::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::ports::{Entropy, EntropyError};

/// The first byte: version 1, AES-256-GCM, then 12 bytes of nonce.
const VERSION: u8 = 1;

/// Seals and opens with one key.
///
/// LIMIT: random nonces of one key are safe up to 2^32 texts (NIST SP 800-38D §8.3).
pub(crate) struct Envelope(LessSafeKey);

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Envelope(***)")
    }
}

/// A text could not be sealed or opened: a wrong key or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text could not be sealed or opened: a wrong key, or changed bytes")]
pub struct SealError;

/// Why something was not sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvelopeError {
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The crypto library failed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Envelope {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals a text. It opens only for what it is bound to.
    pub(crate) fn seal(
        &self,
        mut plain: Vec<u8>,
        bound_to: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, EnvelopeError> {
        let mut nonce = [0_u8; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        let unique = Nonce::assume_unique_for_key(nonce);
        let sealed = self.0.seal_in_place_append_tag(unique, Aad::from(bound_to), &mut plain);
        sealed.map_err(|_| SealError)?;
        Ok([&[VERSION], nonce.as_slice(), &plain].concat())
    }

    /// The text, unless it was sealed with another key or for something else, or has been changed.
    pub(crate) fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        if *version != VERSION {
            return Err(SealError);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut sealed = rest.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(bound_to), &mut sealed);
        let length = opened.map_err(|_| SealError)?.len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemEntropy;

    #[test]
    fn a_text_opens_for_what_it_was_sealed_for_and_only_unchanged() {
        let entropy = SystemEntropy::default();
        let envelope = Envelope::new(&[1; 32]).unwrap();
        let sealed = envelope.seal(b"text".to_vec(), b"one", &entropy).unwrap();
        assert_eq!(envelope.open(&sealed, b"one").unwrap(), b"text");
        assert!(envelope.open(&sealed, b"two").is_err());
        assert!(Envelope::new(&[2; 32]).unwrap().open(&sealed, b"one").is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(envelope.open(&changed, b"one").is_err(), "byte {at}");
            assert!(envelope.open(&sealed[..at], b"one").is_err(), "cut at {at}");
        }
        let again = envelope.seal(b"text".to_vec(), b"one", &entropy).unwrap();
        assert_ne!(sealed, again, "the same text never looks the same twice");
    }
}
