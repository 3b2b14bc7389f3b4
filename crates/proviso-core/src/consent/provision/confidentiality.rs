//! HL7 v3 Confidentiality: how closely held a record is, as a chain.
//!
//! Knows the six codes and their order. Does not know who may see what.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::IdError;

/// The code system of [`Confidentiality`].
pub const CONFIDENTIALITY_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

/// How closely held: a chain, `U < L < M < N < R < V`.
///
/// A permit of a level reaches that level and all below; a deny of a level reaches that level and
/// all above. Source: HL7 v3-Confidentiality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Confidentiality {
    /// Unrestricted.
    #[serde(rename = "U")]
    Unrestricted,
    /// Low.
    #[serde(rename = "L")]
    Low,
    /// Moderate.
    #[serde(rename = "M")]
    Moderate,
    /// Normal: what a record of care is when nothing more is said.
    #[serde(rename = "N")]
    Normal,
    /// Restricted.
    #[serde(rename = "R")]
    Restricted,
    /// Very restricted.
    #[serde(rename = "V")]
    VeryRestricted,
}

impl Confidentiality {
    /// All levels, from the least to the most closely held.
    pub const ALL: &'static [Self] = &[
        Self::Unrestricted,
        Self::Low,
        Self::Moderate,
        Self::Normal,
        Self::Restricted,
        Self::VeryRestricted,
    ];

    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unrestricted => "U",
            Self::Low => "L",
            Self::Moderate => "M",
            Self::Normal => "N",
            Self::Restricted => "R",
            Self::VeryRestricted => "V",
        }
    }
}

impl FromStr for Confidentiality {
    type Err = IdError;

    fn from_str(code: &str) -> Result<Self, IdError> {
        Self::ALL.iter().copied().find(|level| level.code() == code).ok_or(IdError::Malformed)
    }
}

impl fmt::Display for Confidentiality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
