//! Emergency access (break-glass): a person declares that they must see one patient's records now,
//! although nothing else lets them, and says why (design §6).
//!
//! ```text
//! (none)   --declare-> in-force
//! in-force --end-----> ended
//! in-force --expire--> expired
//! ```
//!
//! Declaring and ending are acts of people and each of them is a version; time alone expires, so
//! nothing has to happen for the access to be over. What was declared never changes. Each
//! declaration opens a [`review`] in the same instant.
//!
//! Knows who declares what for how long. It does not know whether the organisation's policy lets
//! that person in, nor which records that opens: that is the decision's ([`crate::decision`]).

pub mod review;

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, EmergencyId, PatientId};
use crate::org::{EmergencyReason, MAX_EMERGENCY_MINUTES};
use crate::time::At;

/// LIMIT: the person proved who they are less than so many seconds before they declare.
pub const STEP_UP_SECS_MAX: i64 = 300;

/// LIMIT: why, in a paragraph.
pub const WHY_CHARS_MAX: usize = 2_000;

/// Why a value of a declaration cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmergencyValueError {
    /// No time at all, or more than the limit.
    #[error("emergency access is for 1 to {MAX_EMERGENCY_MINUTES} minutes")]
    Minutes,
    /// Nothing is said, or too much.
    #[error("say why in your own words, in at most {WHY_CHARS_MAX} characters")]
    Why,
}

/// For how many minutes: 1 to [`MAX_EMERGENCY_MINUTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Minutes(u8);

impl Minutes {
    /// The most there can be.
    pub const MAX: Self = Self(MAX_EMERGENCY_MINUTES);

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The same in seconds.
    pub fn secs(self) -> i64 {
        i64::from(self.0) * 60
    }
}

impl TryFrom<u32> for Minutes {
    type Error = EmergencyValueError;

    fn try_from(minutes: u32) -> Result<Self, EmergencyValueError> {
        u8::try_from(minutes)
            .ok()
            .filter(|own| (1..=MAX_EMERGENCY_MINUTES).contains(own))
            .map(Self)
            .ok_or(EmergencyValueError::Minutes)
    }
}

impl From<Minutes> for u32 {
    fn from(minutes: Minutes) -> Self {
        minutes.0.into()
    }
}

/// Why, in the person's own words. It may say something about the patient's health, hence it is for
/// the patient and for officers; never empty.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Why(String);

impl Why {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::str::FromStr for Why {
    type Err = EmergencyValueError;

    fn from_str(text: &str) -> Result<Self, EmergencyValueError> {
        let text = text.trim();
        // Something a person can read: signs that show nothing are no reason.
        let says = text.chars().any(char::is_alphanumeric);
        let fits = text.chars().count() <= WHY_CHARS_MAX;
        if says && fits { Ok(Self(text.to_owned())) } else { Err(EmergencyValueError::Why) }
    }
}

impl TryFrom<String> for Why {
    type Error = EmergencyValueError;

    fn try_from(text: String) -> Result<Self, EmergencyValueError> {
        text.parse()
    }
}

impl From<Why> for String {
    fn from(why: Why) -> Self {
        why.0
    }
}

impl fmt::Debug for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a person declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Who.
    pub by: AccountId,
    /// For which patient; never more than one.
    pub patient: PatientId,
    /// Why, as a code.
    pub reason: EmergencyReason,
    /// Why, in their own words.
    pub why: Why,
    /// For how long.
    pub minutes: Minutes,
    /// When they proved who they are, for this.
    pub authenticated_at: At,
}

/// What was declared. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Declaration {
    /// Its id.
    pub id: EmergencyId,
    /// Who.
    pub by: AccountId,
    /// For which patient.
    pub patient: PatientId,
    /// Why, as a code.
    pub reason: EmergencyReason,
    /// Why, in their own words.
    pub why: Why,
    /// When they proved who they are, for this.
    pub authenticated_at: At,
    /// From when.
    pub declared_at: At,
    /// Until before when.
    pub ends_at: At,
}

/// Who ended it early, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedEarly {
    /// Who.
    pub by: AccountId,
    /// When.
    pub at: At,
}

/// How far it has come by what people did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nobody ended it; it ends by itself.
    Declared,
    /// Somebody ended it before its time was over.
    Ended(EndedEarly),
}

/// What is done to an emergency access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Declare it.
    Declare,
    /// End it early.
    End,
    /// Its time is over; nobody does that.
    Expire,
}

impl Verb {
    /// The word that the log uses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Declare => "declare",
            Self::End => "end",
            Self::Expire => "expire",
        }
    }
}

/// How it stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It opens records.
    InForce,
    /// Somebody ended it early.
    Ended,
    /// Its time is over, or has not come: a clock was set back.
    Expired,
}

impl Standing {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

/// Every transition there is: standing before, verb, standing after. What is not here is refused.
pub const TRANSITIONS: &[(Option<Standing>, Verb, Standing)] = &[
    (None, Verb::Declare, Standing::InForce),
    (Some(Standing::InForce), Verb::End, Standing::Ended),
    (Some(Standing::InForce), Verb::Expire, Standing::Expired),
];

/// Why a step is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmergencyError {
    /// The person did not prove who they are just before.
    #[error("the person did not prove who they are just before")]
    StepUp,
    /// It is not in force.
    #[error("the emergency access is over")]
    Over,
    /// No more versions can be counted.
    #[error("there are too many versions")]
    TooManyVersions,
}

/// One version of an emergency access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergency {
    /// The number of this version, from 1.
    pub number: u32,
    /// What was declared.
    pub declaration: Declaration,
    /// How far it has come.
    pub stage: Stage,
}

/// Whether a proof of who somebody is was fresh at an instant; one from the future never is.
pub fn is_stepped_up(authenticated_at: At, at: At) -> bool {
    authenticated_at <= at && at < authenticated_at.plus_secs(STEP_UP_SECS_MAX)
}

impl Emergency {
    /// Declares an emergency.
    ///
    /// # Errors
    /// When the person did not prove who they are just before.
    pub fn declare(id: EmergencyId, terms: Terms, at: At) -> Result<Self, EmergencyError> {
        if !is_stepped_up(terms.authenticated_at, at) {
            return Err(EmergencyError::StepUp);
        }
        let declaration = Declaration {
            id,
            by: terms.by,
            patient: terms.patient,
            reason: terms.reason,
            why: terms.why,
            authenticated_at: terms.authenticated_at,
            declared_at: at,
            ends_at: at.plus_secs(terms.minutes.secs()),
        };
        Ok(Self { number: 1, declaration, stage: Stage::Declared })
    }

    /// Ends it before its time is over: the next version.
    ///
    /// # Errors
    /// When it is over.
    pub fn end(self, by: AccountId, at: At) -> Result<Self, EmergencyError> {
        if self.standing(at) != Standing::InForce {
            return Err(EmergencyError::Over);
        }
        let number = self.number.checked_add(1).ok_or(EmergencyError::TooManyVersions)?;
        Ok(Self { number, stage: Stage::Ended(EndedEarly { by, at }), ..self })
    }

    /// How it stands at an instant.
    pub fn standing(&self, at: At) -> Standing {
        self.facts().standing(at)
    }

    /// What a decision looks at.
    pub fn facts(&self) -> EmergencyFacts {
        let own = &self.declaration;
        EmergencyFacts {
            id: own.id.clone(),
            by: own.by.clone(),
            patient: own.patient.clone(),
            reason: own.reason,
            authenticated_at: own.authenticated_at,
            declared_at: own.declared_at,
            ends_at: own.ends_at,
            ended_at: match &self.stage {
                Stage::Declared => None,
                Stage::Ended(ended) => Some(ended.at),
            },
        }
    }

    /// Whether this can be the version that follows another: the same declaration, ended.
    pub fn follows(&self, before: &Self) -> bool {
        let ended = matches!(self.stage, Stage::Ended(_));
        matches!(before.stage, Stage::Declared)
            && ended
            && self.declaration == before.declaration
            && before.number.checked_add(1) == Some(self.number)
    }
}

/// What a decision looks at: everything but the free text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EmergencyFacts {
    /// Which.
    pub id: EmergencyId,
    /// Who declared it.
    pub by: AccountId,
    /// For which patient.
    pub patient: PatientId,
    /// Why, as a code.
    pub reason: EmergencyReason,
    /// When they proved who they are.
    pub authenticated_at: At,
    /// From when.
    pub declared_at: At,
    /// Until before when.
    pub ends_at: At,
    /// When somebody ended it early.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<At>,
}

impl EmergencyFacts {
    /// How it stands at an instant. An end that somebody set counts from the moment it is known,
    /// whatever a clock says.
    pub fn standing(&self, at: At) -> Standing {
        // INVARIANT: whatever is stored, nothing is in force longer than the limit.
        let longest = self.declared_at.plus_secs(Minutes::MAX.secs());
        if self.ended_at.is_some() {
            Standing::Ended
        } else if self.declared_at <= at && at < self.ends_at && at < longest {
            Standing::InForce
        } else {
            Standing::Expired
        }
    }

    /// Whether the person proved who they are just before they declared it.
    pub fn stepped_up(&self) -> bool {
        is_stepped_up(self.authenticated_at, self.declared_at)
    }

    /// How many whole minutes ago it was declared, as policies compare it.
    pub fn minutes(&self, at: At) -> u8 {
        let secs = at.as_secs().saturating_sub(self.declared_at.as_secs());
        // An age below zero comes from a clock that is wrong: it counts as too old.
        u8::try_from(secs.div_euclid(60)).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests;
