//! Security labels, one by one and as a set that is compared by bits.
//!
//! Knows HL7's confidentiality and sensitivity codes and keeps every other code as it is. Does not
//! know who assigned a label.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::confidentiality::CONFIDENTIALITY_SYSTEM;
use super::sensitivity::SENSITIVITY_SYSTEM;
use super::{Coding, Confidentiality, Sensitivity};
use crate::category::SensitiveSet;

/// One security label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// How closely held.
    Confidentiality(Confidentiality),
    /// What makes it sensitive.
    Sensitivity(Sensitivity),
    /// Any other code, matched by system and code alone.
    Foreign(Coding),
}

impl Label {
    /// Reads a coding: HL7's codes where they are ones we know.
    pub fn from_coding(coding: Coding) -> Self {
        if coding.system == CONFIDENTIALITY_SYSTEM
            && let Ok(level) = coding.code.parse()
        {
            return Self::Confidentiality(level);
        }
        if coding.system == SENSITIVITY_SYSTEM
            && let Ok(code) = coding.code.parse()
        {
            return Self::Sensitivity(code);
        }
        Self::Foreign(coding)
    }

    /// The coding that is read back as this label.
    pub fn to_coding(&self) -> Coding {
        match self {
            Self::Confidentiality(level) => Coding::new(CONFIDENTIALITY_SYSTEM, level.code()),
            Self::Sensitivity(code) => Coding::new(SENSITIVITY_SYSTEM, code.code()),
            Self::Foreign(coding) => coding.clone(),
        }
    }
}

/// Codes of v3-ActCode that say how to handle a record, not what makes it sensitive: obligations,
/// refrain policies and laws (HL7 v3-ObligationPolicy, v3-RefrainPolicy, v3-ActUSPrivacyLaw).
const HANDLING_CODES: &[&str] = &[
    "42CFRPart2",
    "42CFRPart2CD",
    "ANONY",
    "AOD",
    "AUDIT",
    "AUDTR",
    "CPLYCC",
    "CPLYCD",
    "CPLYJPP",
    "CPLYOPP",
    "CPLYOSP",
    "CPLYPOL",
    "CommonRule",
    "DECLASSIFYLABEL",
    "DEID",
    "DELAU",
    "DOWNGRDLABEL",
    "DRIVLABEL",
    "ENCRYPT",
    "ENCRYPTR",
    "ENCRYPTT",
    "ENCRYPTU",
    "HIPAAAuth",
    "HIPAAConsent",
    "HIPAANOPP",
    "HIPAAPsyNotes",
    "HIPAAROA",
    "HIPAASelfPay",
    "HUAPRV",
    "LABEL",
    "MASK",
    "MINEC",
    "NOAUTH",
    "NOCOLLECT",
    "NODSCLCD",
    "NODSCLCDS",
    "NOINTEGRATE",
    "NOLIST",
    "NOMOU",
    "NOORGPOL",
    "NOPAT",
    "NOPERSISTP",
    "NORDSCLCD",
    "NORDSCLCDS",
    "NORDSCLW",
    "NORELINK",
    "NOREUSE",
    "NOVIP",
    "ORCON",
    "PERSISTLABEL",
    "PRIVMARK",
    "PROCESSINLINELABEL",
    "PSEUD",
    "REDACT",
    "Title38Section7332",
    "UPGRDLABEL",
];

/// Systems whose codes never say that a record is sensitive: purposes (test data), integrity,
/// laws.
const HANDLING_SYSTEMS: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "http://terminology.hl7.org/CodeSystem/v3-ActUSPrivacyLaw",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "http://terminology.hl7.org/CodeSystem/common-tags",
];

/// Whether a label of another system says how to handle a record and not that it is sensitive.
///
/// A code that we do not know counts as sensitive: a permit has to name it.
pub fn is_handling(coding: &Coding) -> bool {
    HANDLING_SYSTEMS.contains(&coding.system.as_str())
        || (coding.system == SENSITIVITY_SYSTEM && HANDLING_CODES.contains(&coding.code.as_str()))
}

/// The tree as bits: for each code, what stands at or below it, and what strictly above.
struct Family {
    below: [u64; Sensitivity::ALL.len()],
    above: [u64; Sensitivity::ALL.len()],
}

const FAMILY: Family = family();

#[expect(clippy::indexing_slicing, reason = "runs at build time, where a wrong index is an error")]
const fn family() -> Family {
    const CODES: &[Sensitivity] = Sensitivity::ALL;
    let mut family = Family { below: [0; CODES.len()], above: [0; CODES.len()] };
    let mut one = 0;
    while one < CODES.len() {
        let mut other = 0;
        while other < CODES.len() {
            if CODES[other].is_a(CODES[one]) {
                family.below[one] |= CODES[other].bit();
                if one != other {
                    family.above[other] |= CODES[one].bit();
                }
            }
            other += 1;
        }
        one += 1;
    }
    family
}

/// A set of sensitivity codes, as bits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(from = "Vec<Sensitivity>", into = "Vec<Sensitivity>")]
pub struct SensitivitySet(u64);

impl SensitivitySet {
    /// The set that has no member.
    pub const EMPTY: Self = Self(0);

    /// The set of every code.
    pub fn all() -> Self {
        Sensitivity::ALL.iter().copied().collect()
    }

    /// Whether the code is a member.
    pub const fn contains(self, code: Sensitivity) -> bool {
        self.0 & code.bit() != 0
    }

    /// This set with one more member.
    #[must_use]
    pub const fn with(self, code: Sensitivity) -> Self {
        Self(self.0 | code.bit())
    }

    /// Members of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Members of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether every member is also in the other set.
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether the sets share no member.
    pub const fn is_disjoint_from(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }

    /// Every code that stands at or below a member: what a permit or a deny of the members reaches.
    #[must_use]
    pub fn with_descendants(self) -> Self {
        self.iter().fold(self, |all, member| all.union(Self::at_or_below(member)))
    }

    /// The code and every code that stands under it.
    pub fn at_or_below(code: Sensitivity) -> Self {
        Self(FAMILY.below.get(code as usize).copied().unwrap_or(code.bit()))
    }

    /// Every code that stands strictly above this one.
    pub fn above(code: Sensitivity) -> Self {
        Self(FAMILY.above.get(code as usize).copied().unwrap_or(0))
    }

    /// Whether the set has no member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, a parent before its children.
    pub fn iter(self) -> impl Iterator<Item = Sensitivity> {
        Sensitivity::ALL.iter().copied().filter(move |code| self.contains(*code))
    }
}

impl FromIterator<Sensitivity> for SensitivitySet {
    fn from_iter<I: IntoIterator<Item = Sensitivity>>(codes: I) -> Self {
        codes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl From<Vec<Sensitivity>> for SensitivitySet {
    fn from(codes: Vec<Sensitivity>) -> Self {
        codes.into_iter().collect()
    }
}

impl From<SensitivitySet> for Vec<Sensitivity> {
    fn from(set: SensitivitySet) -> Self {
        set.iter().collect()
    }
}

/// The labels of a record that has been labelled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct LabelSet {
    /// The highest confidentiality label, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confidentiality: Option<Confidentiality>,
    /// Sensitivity labels.
    #[serde(default)]
    pub sensitivity: SensitivitySet,
    /// Labels of other systems.
    #[serde(default)]
    pub foreign: BTreeSet<Coding>,
}

impl LabelSet {
    /// How closely held the record is.
    ///
    /// The highest label counts (high-water mark). With none, a record that carries a sensitive
    /// label is restricted, and one that carries nothing is known to be normal.
    pub fn effective_confidentiality(&self) -> Confidentiality {
        let sensitive =
            !self.sensitivity.is_empty() || self.foreign.iter().any(|coding| !is_handling(coding));
        self.confidentiality.unwrap_or(if sensitive {
            Confidentiality::Restricted
        } else {
            Confidentiality::Normal
        })
    }

    /// This set with one more label.
    #[must_use]
    pub fn with(mut self, label: Label) -> Self {
        match label {
            Label::Confidentiality(level) => {
                self.confidentiality = self.confidentiality.max(Some(level));
            }
            Label::Sensitivity(code) => self.sensitivity = self.sensitivity.with(code),
            Label::Foreign(coding) => {
                self.foreign.insert(coding);
            }
        }
        self
    }

    /// The labels one by one: the confidentiality, then sensitivity, then those of other systems.
    pub fn labels(&self) -> impl Iterator<Item = Label> {
        let own = self.confidentiality.map(Label::Confidentiality).into_iter();
        own.chain(self.sensitivity.iter().map(Label::Sensitivity))
            .chain(self.foreign.iter().cloned().map(Label::Foreign))
    }

    /// The sensitive kinds that the labels stand for.
    pub fn kinds(&self) -> SensitiveSet {
        self.sensitivity.iter().fold(SensitiveSet::EMPTY, |kinds, code| kinds.union(code.kinds()))
    }
}

impl FromIterator<Label> for LabelSet {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        labels.into_iter().fold(Self::default(), Self::with)
    }
}

impl From<SensitiveSet> for LabelSet {
    fn from(kinds: SensitiveSet) -> Self {
        kinds.iter().map(|kind| Label::Sensitivity(Sensitivity::of_kind(kind))).collect()
    }
}
