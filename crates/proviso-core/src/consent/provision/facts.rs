//! What the engine is told of a request and of a record; every part may be unknown.
//!
//! Knows the facts, not where they come from: the caller resolves groups, care teams and references
//! and says so where it could not.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{ActorRole, Coding, LabelSet, Purpose, Who, WhoKind};
use crate::id::PatientId;
use crate::time::{At, Period};

/// A fact, or that it is not known.
///
/// INVARIANT: an unknown fact never permits. It makes a permit not match and a deny match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact<T> {
    /// It is this.
    Known(T),
    /// It is not known.
    Unknown,
}

impl<T> Fact<T> {
    /// The fact, if it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(fact) => Some(fact),
            Self::Unknown => None,
        }
    }
}

/// Everything that someone is known to be, and what is not known of them.
///
/// For a clinician: the Practitioner, each PractitionerRole, the Organizations, Groups and
/// CareTeams they belong to, their identifiers. A kind in `unresolved` was not looked up to the
/// end: a clause that names another one of that kind is neither true nor false.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Identities {
    /// What they are.
    #[serde(default)]
    pub known: BTreeSet<Who>,
    /// Kinds of which they may be more than `known` says.
    #[serde(default)]
    pub unresolved: BTreeSet<WhoKind>,
}

impl Identities {
    /// Someone who is exactly these and nothing else.
    pub fn exactly(known: impl IntoIterator<Item = Who>) -> Self {
        Self { known: known.into_iter().collect(), unresolved: BTreeSet::new() }
    }
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// When access takes place.
    pub at: At,
    /// Who would receive the data.
    pub asker: Identities,
    /// Who is in other roles, where the request states it.
    #[serde(default)]
    pub others: Vec<(ActorRole, Identities)>,
    /// What for.
    pub purpose: Fact<Purpose>,
    /// What is done with the data.
    pub action: Fact<Coding>,
    /// Where the recipient is: every Location that contains it.
    pub locations: Fact<BTreeSet<Who>>,
    /// Code systems beyond HL7's whose labels, purposes and actions this site assigns itself, so
    /// that the absence of a code means that it does not apply. A deny that names a code of any
    /// other unknown system is indeterminate: nobody here can say that it does not apply.
    #[serde(default)]
    pub understood: BTreeSet<String>,
}

/// What is known of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFacts {
    /// The record itself, such as `Observation/o1`; unknown before it is created.
    pub instance: Fact<Who>,
    /// Its security labels; unknown until it has been labelled.
    pub labels: Fact<LabelSet>,
    /// Its clinical time: an instant is a period of one microsecond.
    pub clinical: Fact<Period>,
    /// Who wrote it.
    pub authors: Fact<Identities>,
    /// Who holds it.
    pub custodian: Fact<Identities>,
    /// What it refers to.
    pub refers_to: Fact<BTreeSet<Who>>,
    /// What refers to it.
    pub referred_by: Fact<BTreeSet<Who>>,
    /// Its classes: its type, its profiles, the type of document.
    pub classes: Fact<BTreeSet<Coding>>,
    /// The codes found in it.
    pub codes: Fact<BTreeSet<Coding>>,
    /// Every patient named anywhere on it.
    pub patients: Fact<BTreeSet<PatientId>>,
}

impl RecordFacts {
    /// A record of which nothing is known.
    pub const UNKNOWN: Self = Self {
        instance: Fact::Unknown,
        labels: Fact::Unknown,
        clinical: Fact::Unknown,
        authors: Fact::Unknown,
        custodian: Fact::Unknown,
        refers_to: Fact::Unknown,
        referred_by: Fact::Unknown,
        classes: Fact::Unknown,
        codes: Fact::Unknown,
        patients: Fact::Unknown,
    };
}
