//! The review of an emergency access: another person looks at it before a deadline and says whether
//! it was justified.
//!
//! ```text
//! (none)    --open------> open
//! open      --justify---> justified
//! open      --reject----> not-justified
//! open      --follow up-> follow-up
//! follow-up --justify---> justified
//! follow-up --reject----> not-justified
//! ```
//!
//! A review that is open or being followed up is overdue from its deadline on; it stays to be decided.

use serde::{Deserialize, Serialize};

use super::{Emergency, Standing, Why};
use crate::id::{AccountId, EmergencyId};
use crate::time::At;

/// LIMIT: a review is to be decided within so many seconds of its opening, and again of a follow-up:
/// three days.
pub const DUE_SECS: i64 = 72 * 3_600;

/// What a reviewer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The emergency was one, and no more was looked at than it needed.
    Justified,
    /// It was not.
    NotJustified,
    /// It cannot be said yet, or something has to be done first.
    NeedsFollowUp,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: &'static [Self] = &[Self::Justified, Self::NotJustified, Self::NeedsFollowUp];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::NotJustified => "not-justified",
            Self::NeedsFollowUp => "follow-up",
        }
    }

    /// The word for giving it, in the diagram.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Justified => "justify",
            Self::NotJustified => "reject",
            Self::NeedsFollowUp => "follow up",
        }
    }

    /// The verdict of a code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|own| own.code() == code)
    }
}

/// What one reviewer said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub note: Why,
    /// Who.
    pub by: AccountId,
    /// When.
    pub at: At,
}

/// How far a review has come by what people did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Waits for another person.
    Open,
    /// Looked at, and not done with.
    FollowUp(Finding),
    /// Decided.
    Decided(Finding),
}

impl Stage {
    /// The stage after a verdict.
    ///
    /// # Errors
    /// When the verdict cannot follow.
    pub fn decide(&self, finding: Finding) -> Result<Self, ReviewError> {
        match (self, finding.verdict) {
            (Self::Open, Verdict::NeedsFollowUp) => Ok(Self::FollowUp(finding)),
            (Self::Open | Self::FollowUp(_), Verdict::Justified | Verdict::NotJustified) => {
                Ok(Self::Decided(finding))
            }
            (Self::FollowUp(_), Verdict::NeedsFollowUp) | (Self::Decided(_), _) => {
                Err(ReviewError::AlreadyDecided)
            }
        }
    }

    /// By when the next verdict is to be given, in a stage that came of a verdict: a follow-up has
    /// its own time, anything else keeps the one it had.
    pub fn due_at(&self, before: At) -> At {
        match self {
            Self::FollowUp(finding) => finding.at.plus_secs(DUE_SECS),
            Self::Open | Self::Decided(_) => before,
        }
    }

    /// How a review in this stage stands at an instant.
    pub fn standing(&self, due_at: At, at: At) -> ReviewStanding {
        match self {
            Self::Open | Self::FollowUp(_) if at >= due_at => ReviewStanding::Overdue,
            Self::Open => ReviewStanding::Open,
            Self::FollowUp(_) => ReviewStanding::FollowUp,
            Self::Decided(finding) => match finding.verdict {
                Verdict::Justified => ReviewStanding::Justified,
                // A decided follow-up is not made here; read from elsewhere, nobody was cleared.
                Verdict::NotJustified | Verdict::NeedsFollowUp => ReviewStanding::NotJustified,
            },
        }
    }

    /// What was found last, if anything.
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Open => None,
            Self::FollowUp(finding) | Self::Decided(finding) => Some(finding),
        }
    }

    /// Whether nobody has to decide any more.
    pub const fn is_decided(&self) -> bool {
        matches!(self, Self::Decided(_))
    }
}

/// How a review stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewStanding {
    /// To be decided, in time.
    Open,
    /// Looked at and to be decided, in time.
    FollowUp,
    /// To be decided, and late.
    Overdue,
    /// Decided: it was justified.
    Justified,
    /// Decided: it was not.
    NotJustified,
}

impl ReviewStanding {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::FollowUp => "follow-up",
            Self::Overdue => "overdue",
            Self::Justified => "justified",
            Self::NotJustified => "not-justified",
        }
    }

    /// Whether somebody still has to decide.
    pub const fn is_waiting(self) -> bool {
        match self {
            Self::Open | Self::FollowUp | Self::Overdue => true,
            Self::Justified | Self::NotJustified => false,
        }
    }
}

/// Every verdict that can be given: where the review is, what is found, where it is then.
pub const TRANSITIONS: &[(ReviewStanding, Verdict, ReviewStanding)] = &[
    (ReviewStanding::Open, Verdict::Justified, ReviewStanding::Justified),
    (ReviewStanding::Open, Verdict::NotJustified, ReviewStanding::NotJustified),
    (ReviewStanding::Open, Verdict::NeedsFollowUp, ReviewStanding::FollowUp),
    (ReviewStanding::FollowUp, Verdict::Justified, ReviewStanding::Justified),
    (ReviewStanding::FollowUp, Verdict::NotJustified, ReviewStanding::NotJustified),
];

/// Why a verdict is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The one whose access it was may not judge it.
    #[error("nobody reviews their own access")]
    SamePerson,
    /// The access goes on.
    #[error("the emergency access is still in force")]
    StillInForce,
    /// It was decided before.
    #[error("the review was decided before")]
    AlreadyDecided,
    /// It is the review of another emergency.
    #[error("this is the review of another emergency")]
    OtherEmergency,
    /// No more versions can be counted.
    #[error("there are too many versions")]
    TooManyVersions,
}

/// One version of a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Of which emergency.
    pub emergency: EmergencyId,
    /// The number of this version, from 1.
    pub number: u32,
    /// When it was opened.
    pub opened_at: At,
    /// By when it is to be decided.
    pub due_at: At,
    /// How far it has come.
    pub stage: Stage,
}

impl Review {
    /// Opens the review of an emergency, when that is declared.
    pub fn open(emergency: &Emergency) -> Self {
        let opened_at = emergency.declaration.declared_at;
        Self {
            emergency: emergency.declaration.id.clone(),
            number: 1,
            opened_at,
            due_at: opened_at.plus_secs(DUE_SECS),
            stage: Stage::Open,
        }
    }

    /// Gives a verdict: the next version.
    ///
    /// # Errors
    /// When the person declared the emergency, it is still in force, or the verdict cannot follow.
    pub fn decide(self, emergency: &Emergency, finding: Finding) -> Result<Self, ReviewError> {
        if self.emergency != emergency.declaration.id {
            return Err(ReviewError::OtherEmergency);
        }
        if finding.by == emergency.declaration.by {
            return Err(ReviewError::SamePerson);
        }
        if emergency.standing(finding.at) == Standing::InForce {
            return Err(ReviewError::StillInForce);
        }
        let number = self.number.checked_add(1).ok_or(ReviewError::TooManyVersions)?;
        let stage = self.stage.decide(finding)?;
        Ok(Self { number, due_at: stage.due_at(self.due_at), stage, ..self })
    }

    /// How it stands at an instant.
    pub fn standing(&self, at: At) -> ReviewStanding {
        self.stage.standing(self.due_at, at)
    }

    /// What was found last, if anything.
    pub const fn finding(&self) -> Option<&Finding> {
        self.stage.finding()
    }

    /// Whether this can be the version that follows another, of an emergency that this person
    /// declared.
    pub fn follows(&self, before: &Self, declared_by: &AccountId) -> bool {
        let by_another = self.finding().is_some_and(|own| own.by != *declared_by);
        !before.stage.is_decided()
            && by_another
            && self.emergency == before.emergency
            && self.opened_at == before.opened_at
            && before.number.checked_add(1) == Some(self.number)
    }
}
