//! Proof Key for Code Exchange, S256 only (RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::record::PkceChallenge;

/// Why a challenge in an authorization request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// There is none.
    #[error("`code_challenge` is missing")]
    Missing,
    /// The method is absent (which means `plain`), `plain`, or unknown.
    #[error("`code_challenge_method` must be `S256`")]
    NotS256,
    /// It is not 43 characters of base64url that stand for 32 bytes.
    #[error("`code_challenge` is not the base64url text of a SHA-256 digest")]
    Malformed,
}

/// Why a verifier in a token request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// There is none, though the code has a challenge.
    #[error("`code_verifier` is missing")]
    Missing,
    /// It is not 43 to 128 unreserved characters.
    #[error("`code_verifier` must have 43 to 128 unreserved characters")]
    Malformed,
    /// It is not what the challenge was made from.
    #[error("`code_verifier` does not match")]
    Mismatch,
    /// There is one, though the code has no challenge: somebody took the challenge away on the way
    /// (RFC 9700 §4.8.2).
    #[error("`code_verifier` was sent for a code without a challenge")]
    Downgrade,
}

impl PkceChallenge {
    /// Reads the two parameters of an authorization request.
    ///
    /// # Errors
    /// When the challenge is missing, malformed or not by S256.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, ChallengeError> {
        let challenge = challenge.ok_or(ChallengeError::Missing)?;
        // RFC 7636 §4.3: without a method, `plain` is meant; we never accept it.
        if method != Some("S256") {
            return Err(ChallengeError::NotS256);
        }
        let digest = URL_SAFE_NO_PAD.decode(challenge).map_err(|_| ChallengeError::Malformed)?;
        if digest.len() == 32 {
            Ok(Self(challenge.to_owned()))
        } else {
            Err(ChallengeError::Malformed)
        }
    }

    /// The challenge that belongs to a verifier (RFC 7636 §4.2).
    pub fn of(verifier: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
    }
}

/// Checks the verifier of a token request against the challenge of its code (RFC 7636 §4.6).
///
/// # Errors
/// When they do not belong together, one of them is missing, or the verifier is malformed.
pub fn verify(
    challenge: Option<&PkceChallenge>,
    verifier: Option<&str>,
) -> Result<(), VerifierError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(VerifierError::Downgrade),
        (Some(_), None) => Err(VerifierError::Missing),
        (Some(challenge), Some(verifier)) => {
            // RFC 7636 §4.1.
            let unreserved = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
            };
            if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
                return Err(VerifierError::Malformed);
            }
            let own = PkceChallenge::of(verifier);
            if own.0.as_bytes().ct_eq(challenge.0.as_bytes()).into() {
                Ok(())
            } else {
                Err(VerifierError::Mismatch)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_vector_of_rfc_7636_appendix_b_holds() {
        assert_eq!(PkceChallenge::of(VERIFIER).as_str(), CHALLENGE);
        let challenge = PkceChallenge::parse(Some(CHALLENGE), Some("S256")).unwrap();
        assert_eq!(verify(Some(&challenge), Some(VERIFIER)), Ok(()));
    }

    #[test]
    fn plain_is_refused_by_name_and_by_default() {
        // Covers: R6, SMART 15
        for method in [None, Some("plain"), Some("s256"), Some("")] {
            assert_eq!(
                PkceChallenge::parse(Some(CHALLENGE), method).err(),
                Some(ChallengeError::NotS256)
            );
        }
        assert_eq!(PkceChallenge::parse(None, Some("S256")).err(), Some(ChallengeError::Missing));
        assert_eq!(
            PkceChallenge::parse(Some("abc"), Some("S256")).err(),
            Some(ChallengeError::Malformed)
        );
    }

    #[test]
    fn the_four_bad_verifiers_of_the_certification_kit_are_refused() {
        // Covers: g10 invalid_pkce_code_verifier group
        let challenge = PkceChallenge::of(VERIFIER);
        assert_eq!(verify(Some(&challenge), None), Err(VerifierError::Missing));
        let other = "1c1d3e56-8c2b-4d5e-9f0a-000000000000-1c1d3e56-8c2b-4d5e-9f0a-000000000001";
        assert_eq!(verify(Some(&challenge), Some(other)), Err(VerifierError::Mismatch));
        assert_eq!(verify(Some(&challenge), Some(CHALLENGE)), Err(VerifierError::Mismatch));
        assert_eq!(verify(Some(&challenge), Some("short")), Err(VerifierError::Malformed));
    }

    #[test]
    fn a_verifier_for_a_code_without_challenge_is_a_downgrade() {
        // Covers: R7
        assert_eq!(verify(None, Some(VERIFIER)), Err(VerifierError::Downgrade));
        assert_eq!(verify(None, None), Ok(()));
    }
}
