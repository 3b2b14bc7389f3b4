//! A consent through time: its whole chain of versions, and what was in force at any instant.
//!
//! Knows how versions must hang together and which of them an instant belongs to. Does not know
//! where they are kept.

use alloc::vec::Vec;

use super::{ConsentVersion, NamedConsent, Standing};
use crate::id::{ConsentId, ConsentVersionId};
use crate::time::At;

/// Why versions are not one whole chain. The number is that of the version that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum ChainError {
    /// There is no version at all.
    #[error("there is no version")]
    Empty,
    /// Versions count up from 1 without a gap.
    #[error("version {0} is not the next one")]
    Gap(u32),
    /// A version names another predecessor than the one before it.
    #[error("version {0} does not follow from the version before it")]
    Predecessor(u32),
    /// A version is of another consent or about another patient.
    #[error("version {0} is of another consent or patient")]
    OtherConsent(u32),
    /// A version says that it was recorded before the one it follows.
    #[error("version {0} was recorded before its predecessor")]
    Backwards(u32),
}

/// Every version of one consent, oldest first; a whole chain, or it would not be here.
///
/// INVARIANT: never empty; numbers count up from 1; each version names the one before it; instants
/// of recording never run backwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    first: NamedConsent,
    later: Vec<NamedConsent>,
}

impl Timeline {
    /// Checks that versions, oldest first, are one whole chain.
    ///
    /// # Errors
    /// When they are not, with the first version that does not fit.
    pub fn new(versions: Vec<NamedConsent>) -> Result<Self, ChainError> {
        let mut versions = versions.into_iter();
        let first = versions.next().ok_or(ChainError::Empty)?;
        let later: Vec<NamedConsent> = versions.collect();
        let own = first.version();
        if own.number != 1 {
            return Err(ChainError::Gap(own.number));
        }
        if own.predecessor.is_some() {
            return Err(ChainError::Predecessor(own.number));
        }
        let mut before = &first;
        for next in &later {
            follows(before, next)?;
            before = next;
        }
        Ok(Self { first, later })
    }

    /// The consent.
    pub const fn consent(&self) -> &ConsentId {
        &self.first.version().consent
    }

    /// Every version, oldest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &NamedConsent> {
        core::iter::once(&self.first).chain(&self.later)
    }

    /// The newest version.
    pub fn latest(&self) -> &NamedConsent {
        self.later.last().unwrap_or(&self.first)
    }

    /// The version with a number.
    pub fn number(&self, number: u32) -> Option<&NamedConsent> {
        self.versions().find(|named| named.version().number == number)
    }

    /// The version that was the newest at an instant; `None` before the first was recorded. Of
    /// versions recorded at the same instant the later one counts.
    pub fn at(&self, at: At) -> Option<&NamedConsent> {
        self.versions().rev().find(|named| named.version().recorded_at <= at)
    }

    /// The version that was in force at an instant: the newest then, given, and inside its period.
    pub fn in_force_at(&self, at: At) -> Option<&NamedConsent> {
        self.at(at).filter(|named| named.version().in_force(at))
    }

    /// How the consent stood at an instant, by what was on record then.
    pub fn standing_at(&self, at: At) -> Standing {
        self.at(at).map_or(Standing::NotInForce, |named| named.version().standing(at))
    }
}

/// Whether a version is the next one of another.
///
/// # Errors
/// When it is not; the reason names the later of the two.
pub fn follows(before: &NamedConsent, next: &NamedConsent) -> Result<(), ChainError> {
    let (old, new): (&ConsentVersion, &ConsentVersion) = (before.version(), next.version());
    if new.consent != old.consent || new.patient != old.patient {
        return Err(ChainError::OtherConsent(new.number));
    }
    if old.number.checked_add(1) != Some(new.number) {
        return Err(ChainError::Gap(new.number));
    }
    if new.predecessor.as_ref() != Some(before.id() as &ConsentVersionId) {
        return Err(ChainError::Predecessor(new.number));
    }
    if new.recorded_at < old.recorded_at {
        return Err(ChainError::Backwards(new.number));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
