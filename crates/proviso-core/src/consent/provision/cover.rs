//! Which labels of a record a permit covers: every one must be covered by some permit.
//!
//! Knows coverage only. The rule is ours, in every dialect: a record labelled for psychiatry and
//! for HIV is not released on a permit for psychiatry alone.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::matching::{PermitReach, permit_reach};
use super::{Coding, Confidentiality, Fact, Label, LabelSet, SensitivitySet, is_handling};

/// What the permits that applied cover.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cover {
    /// Everything, labels that are not known included.
    Everything,
    /// These labels and no others; none, for a record without sensitive labels.
    Only(SensitivitySet, BTreeSet<Coding>),
    /// Nothing.
    #[default]
    Nothing,
}

impl Cover {
    /// What a permit with these label values covers; `None` when it names no label at all.
    ///
    /// A permit that names a category covers that category. One that names a confidentiality of R
    /// or more, and no category, covers every category: that is what "including sensitive" says to
    /// a patient. One that names N or less covers none.
    pub fn of_labels(labels: &[Label], reach: PermitReach) -> Option<Self> {
        if labels.is_empty() {
            return None;
        }
        let named = Self::categories(labels, reach);
        if named != Self::Nothing {
            return Some(named);
        }
        let restricted = labels.iter().any(|label| match label {
            Label::Confidentiality(level) => *level >= Confidentiality::Restricted,
            Label::Sensitivity(_) | Label::Foreign(_) => false,
        });
        Some(if restricted { Self::Everything } else { Self::Nothing })
    }

    /// What the category labels alone cover.
    pub fn categories(labels: &[Label], reach: PermitReach) -> Self {
        let (mut codes, mut foreign) = (SensitivitySet::EMPTY, BTreeSet::new());
        for label in labels {
            match label {
                Label::Sensitivity(code) => codes = codes.union(permit_reach(*code, reach)),
                Label::Foreign(coding) if !is_handling(coding) => {
                    foreign.insert(coding.clone());
                }
                Label::Foreign(_) | Label::Confidentiality(_) => {}
            }
        }
        if codes.is_empty() && foreign.is_empty() {
            Self::Nothing
        } else {
            Self::Only(codes, foreign)
        }
    }

    /// What either covers.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::Nothing, cover) | (cover, Self::Nothing) => cover,
            (Self::Only(codes, mut foreign), Self::Only(more, more_foreign)) => {
                foreign.extend(more_foreign);
                Self::Only(codes.union(more), foreign)
            }
        }
    }

    /// What both cover.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            (Self::Everything, cover) | (cover, Self::Everything) => cover,
            (Self::Only(codes, mut foreign), Self::Only(others, other_foreign)) => {
                foreign.retain(|coding| other_foreign.contains(coding));
                let codes = codes.intersection(others);
                if codes.is_empty() && foreign.is_empty() {
                    Self::Nothing
                } else {
                    Self::Only(codes, foreign)
                }
            }
        }
    }

    /// Whether every sensitive label of the record is covered.
    pub fn covers(&self, labels: &Fact<LabelSet>) -> bool {
        match labels {
            Fact::Known(labels) => self.missing(labels).next().is_none(),
            Fact::Unknown => *self == Self::Everything,
        }
    }

    /// The sensitive labels of a record that no permit covers: why a permit was not enough.
    pub fn missing<'a>(&'a self, labels: &'a LabelSet) -> impl Iterator<Item = Label> + 'a {
        let covered = move |label: &Label| match (self, label) {
            (Self::Everything, _) | (_, Label::Confidentiality(_)) => true,
            (Self::Only(codes, _), Label::Sensitivity(code)) => codes.contains(*code),
            (Self::Only(_, named), Label::Foreign(coding)) => named.contains(coding),
            (Self::Nothing, Label::Sensitivity(_) | Label::Foreign(_)) => false,
        };
        let sensitive = labels.foreign.iter().filter(|coding| !is_handling(coding));
        labels
            .sensitivity
            .iter()
            .map(Label::Sensitivity)
            .chain(sensitive.cloned().map(Label::Foreign))
            .filter(move |label| !covered(label))
    }
}
