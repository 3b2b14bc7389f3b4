//! Passwords: argon2id on few threads, so that guessing is slow and cannot starve the server.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use proviso_core::secret::Secret;
use tokio::sync::Semaphore;

use crate::ports::Entropy;

/// OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

// LIMIT: longer passwords are cut off by nobody; they are refused, to bound the work.
const PASSWORD_BYTES_MAX: usize = 1024;
// LIMIT: each check takes 19 MiB; two at a time leave a core for everything else.
const CHECKS_AT_ONCE: usize = 2;
// LIMIT: who waits behind more than this many others is told to come back.
const WAITING_MAX: usize = 64;

/// Why a password could not be hashed or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many people are signing in right now.
    #[error("too many password checks are waiting")]
    Busy,
    /// The password is empty or too long, or the library failed.
    #[error("the password cannot be hashed")]
    Hash,
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password as a PHC string. Slow on purpose; not for async tasks.
///
/// # Errors
/// When the password is empty or too long, or there is no randomness for the salt.
pub fn hash_password(password: &str, entropy: &dyn Entropy) -> Result<String, PasswordError> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Hash);
    }
    let mut salt = [0_u8; 16];
    entropy.fill(&mut salt).map_err(|_| PasswordError::Hash)?;
    let hash: PasswordHash = hasher()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Checks passwords, a few at a time.
#[derive(Debug)]
pub(crate) struct PasswordChecks {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Stands in for an account that does not exist, so that its answer takes as long (R29).
    decoy: String,
}

impl PasswordChecks {
    pub(crate) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(CHECKS_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            decoy: decoy(),
        }
    }

    /// Whether the password belongs to the hash; without a hash the answer is no, after as long.
    pub(crate) async fn check(
        &self,
        hash: Option<String>,
        password: Secret<String>,
    ) -> Result<bool, PasswordError> {
        let _place = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let permit =
            Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let matches = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let password = password.expose().as_bytes();
            let Ok(hash) = PasswordHash::new(&hash) else { return false };
            password.len() <= PASSWORD_BYTES_MAX
                && hasher().is_ok_and(|hasher| hasher.verify_password(password, &hash).is_ok())
        })
        .await
        .map_err(|_| PasswordError::Hash)?;
        Ok(known && matches)
    }
}

/// A hash with our parameters that no password has.
fn decoy() -> String {
    let output = Output::new(&[0x5a; 32]).map(|output| output.to_string()).unwrap_or_default();
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$cHJvdmlzbyBkZWNveSAxIQ${output}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemEntropy;

    #[test]
    fn the_parameters_are_in_the_hash() {
        let hash = hash_password("proviso-demo", &SystemEntropy::default()).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hash_password("proviso-demo", &SystemEntropy::default()).unwrap());
        assert_eq!(hash_password("", &SystemEntropy::default()), Err(PasswordError::Hash));
    }

    #[test]
    fn the_decoy_is_a_hash_like_any_other() {
        let decoy = decoy();
        let parsed = PasswordHash::new(&decoy).unwrap();
        let params = Params::try_from(&parsed).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19_456, 2, 1));
        assert!(parsed.salt.is_some() && parsed.hash.is_some());
    }

    #[tokio::test]
    async fn right_wrong_and_unknown_are_told_apart_only_by_the_answer() {
        let checks = PasswordChecks::new();
        let hash = hash_password("right", &SystemEntropy::default()).unwrap();
        let ask = |hash: Option<&String>, password: &str| {
            checks.check(hash.cloned(), Secret::new(password.to_owned()))
        };
        assert_eq!(ask(Some(&hash), "right").await, Ok(true));
        assert_eq!(ask(Some(&hash), "wrong").await, Ok(false));
        assert_eq!(ask(None, "right").await, Ok(false));
        assert_eq!(ask(Some(&hash), &"x".repeat(2000)).await, Ok(false));
    }
}
