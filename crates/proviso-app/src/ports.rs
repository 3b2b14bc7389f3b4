//! What the outside gives us: time and randomness, replaceable in tests.

use core::fmt;
use std::sync::Mutex;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use proviso_core::id::IdEntropy;
use proviso_core::time::At;

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The instant now.
    fn now(&self) -> At;
}

/// The system clock. The only place where the wall clock is read.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock port's own reading of time")]
    fn now(&self) -> At {
        At::from_micros(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that stands still until it is moved; for tests and simulations.
#[derive(Debug)]
pub struct ManualClock(Mutex<At>);

impl ManualClock {
    /// Starts at an instant.
    pub const fn starting_at(at: At) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves to an instant.
    pub fn set(&self, at: At) {
        if let Ok(mut now) = self.0.lock() {
            *now = at;
        }
    }

    /// Moves forward.
    pub fn advance_secs(&self, secs: i64) {
        if let Ok(mut now) = self.0.lock() {
            *now = now.plus_secs(secs);
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> At {
        self.0.lock().map_or(At::from_micros(0), |now| *now)
    }
}

/// The source of randomness is broken; nothing secret may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random source failed")]
pub struct EntropyError;

/// Gives random bytes.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills the buffer.
    ///
    /// # Errors
    /// When the source is broken; the caller refuses whatever it was about to do.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;

    /// Entropy for one identifier.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn for_id(&self) -> Result<IdEntropy, EntropyError> {
        let mut bytes = [0_u8; 10];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// 32 random bytes: keys, secrets, salts.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn secret_bytes(&self) -> Result<[u8; 32], EntropyError> {
        let mut bytes = [0_u8; 32];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

/// The operating system's random source.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(buffer).map_err(|_| EntropyError)
    }
}
