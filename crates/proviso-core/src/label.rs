//! What a sensitivity label is: a kind, and everything that is needed to trust or dispute it.
//!
//! It knows values only: which rule found a kind, in which version of the rule set, how sure that
//! is, and whether the record says it itself or has it from what it refers to. How rules find
//! anything is not known here.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::category::SensitiveKind;
use crate::id::{IdError, ResourceId, hex};
use crate::resource_type::ResourceType;

/// The content hash that names one version of a rule set: 64 lower-case hex digits of SHA-256.
///
/// Decisions, page links and stored labels are bound to it: equal versions label equally.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelSetVersion(String);

impl LabelSetVersion {
    /// Names a rule set by the SHA-256 digest of its canonical bytes.
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(hex(digest))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits: enough for a person to tell two versions apart.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl FromStr for LabelSetVersion {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text.to_string())) } else { Err(IdError::Malformed) }
    }
}

impl TryFrom<String> for LabelSetVersion {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<LabelSetVersion> for String {
    fn from(version: LabelSetVersion) -> String {
        version.0
    }
}

impl fmt::Display for LabelSetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LabelSetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How sure a label is, from the least to the most. It never decides whether a record is withheld:
/// every label counts. It tells a person which labels are worth a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It may also mean something else.
    Possible,
    /// It most often means this; a word in a text may be about another person or be denied.
    Likely,
    /// The code means this.
    Certain,
    /// Whoever wrote the record says so.
    Stated,
}

impl Confidence {
    /// All values, the least first.
    pub const ALL: &'static [Self] = &[Self::Possible, Self::Likely, Self::Certain, Self::Stated];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
            Self::Stated => "stated",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One step along a reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hop {
    /// The rule that lets labels travel along this reference.
    pub rule: String,
    /// Where the reference stands, such as `encounter.reference`.
    pub element: String,
    /// The type that it leads to.
    pub to: ResourceType,
    /// The id that it leads to.
    pub id: ResourceId,
}

/// Whether a record says a kind itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A security label that the record came with.
    ExistingLabel,
    /// What the record says: its codes and words.
    OwnContent,
    /// What it refers to, and by which way: the first step leads away from the record, the last
    /// one to where the rule of the label found the kind.
    Propagated(Vec<Hop>),
}

/// One label of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Label {
    /// The kind.
    pub kind: SensitiveKind,
    /// The rule that found it.
    pub rule: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Whose words they are.
    pub origin: Origin,
    /// Where in the resource that says it, such as `code.coding[0]`.
    pub element: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_sha_256_in_hex_and_nothing_else() {
        let version = LabelSetVersion::from_digest(&[0xab; 32]);
        assert_eq!(version.as_str().parse(), Ok(version.clone()));
        assert_eq!(version.short(), "abababababab");
        for wrong in ["", "ab", &version.as_str().to_uppercase(), version.short()] {
            assert_eq!(wrong.parse::<LabelSetVersion>(), Err(IdError::Malformed), "{wrong}");
        }
    }

    #[test]
    fn the_code_of_a_confidence_is_how_it_is_written() {
        for confidence in Confidence::ALL {
            let written = serde_json::to_string(confidence).unwrap();
            assert_eq!(written, alloc::format!("\"{}\"", confidence.code()));
        }
        assert!(Confidence::ALL.is_sorted());
    }
}
