//! From what single directives say to one answer: across consents, across patients, and where
//! nothing speaks.
//!
//! Knows outcomes only. A deny decides, what cannot be read is a deny at the end, and every sensitive
//! label must be covered by some permit of some consent.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{
    Confidentiality, Cover, Evaluation, Fact, LabelSet, Outcome, Purpose, PurposeCode, RecordFacts,
    RequestFacts, Rule, WhoKind,
};
use crate::id::PatientId;
use crate::time::At;

/// How the consents of one patient are combined. HL7 leaves it to policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combination {
    /// Every consent in force is heard, and a deny decides.
    DenyOverrides,
    /// The consent with the latest date is heard alone; of several with that date, all.
    LatestWins,
}

/// A consent in force, with what it says.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'a> {
    /// When it was recorded (`Consent.dateTime`).
    pub recorded_at: At,
    /// What it says.
    pub evaluation: &'a Evaluation,
}

/// What the consents of one patient say together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combined {
    /// Before labels are looked at.
    pub said: Outcome,
    /// What the permits cover together.
    pub cover: Cover,
    /// The answer, labels included.
    pub outcome: Outcome,
    /// Which voices gave it, by index.
    pub deciding: Vec<usize>,
}

/// Combines the consents of one patient that are in force.
///
/// A consent that is not in force is not handed in: it is as absent.
pub fn combine(voices: &[Voice<'_>], how: Combination, labels: &Fact<LabelSet>) -> Combined {
    let latest = match how {
        Combination::DenyOverrides => None,
        Combination::LatestWins => voices.iter().map(|voice| voice.recorded_at).max(),
    };
    let heard = || {
        voices
            .iter()
            .enumerate()
            .filter(move |(_, voice)| latest.is_none_or(|latest| voice.recorded_at == latest))
    };
    let said = [Outcome::Deny, Outcome::Indeterminate, Outcome::Permit]
        .into_iter()
        .find(|outcome| heard().any(|(_, voice)| voice.evaluation.said == *outcome))
        .unwrap_or(Outcome::NotApplicable);
    let cover = if said == Outcome::Permit {
        heard().fold(Cover::Nothing, |all, (_, voice)| all.or(voice.evaluation.cover.clone()))
    } else {
        Cover::Nothing
    };
    let outcome =
        if said == Outcome::Permit && !cover.covers(labels) { Outcome::Deny } else { said };
    let deciding = heard()
        .filter(|(_, voice)| voice.evaluation.said == said)
        .map(|(index, _)| index)
        .collect();
    Combined { said, cover, outcome, deciding }
}

/// What holds where no consent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// Nothing is released: the shipped answer across organisations.
    Deny,
    /// Treatment, payment and operations, up to normal confidentiality and without any sensitive
    /// label, inside the organisation that holds the record.
    RoutineCare,
}

impl Fallback {
    /// The answer for a request and a record. An unknown fact denies.
    pub fn rule(self, request: &RequestFacts, record: &RecordFacts) -> Rule {
        match self {
            Self::Deny => Rule::Deny,
            Self::RoutineCare => {
                if routine_purpose(request) && plain_record(record) && inside(request, record) {
                    Rule::Permit
                } else {
                    Rule::Deny
                }
            }
        }
    }
}

fn routine_purpose(request: &RequestFacts) -> bool {
    const ROUTINE: [PurposeCode; 3] =
        [PurposeCode::Treatment, PurposeCode::Payment, PurposeCode::Operations];
    match &request.purpose {
        Fact::Known(Purpose::Hl7(asked)) => ROUTINE.iter().any(|named| named.reaches(*asked)),
        Fact::Known(Purpose::Foreign(_)) | Fact::Unknown => false,
    }
}

fn plain_record(record: &RecordFacts) -> bool {
    record.labels.known().is_some_and(|labels| {
        labels.effective_confidentiality() <= Confidentiality::Normal
            && Cover::Nothing.covers(&record.labels)
    })
}

fn inside(request: &RequestFacts, record: &RecordFacts) -> bool {
    record.custodian.known().is_some_and(|custodian| {
        custodian
            .known
            .iter()
            .any(|who| who.kind() == WhoKind::Organization && request.asker.known.contains(who))
    })
}

/// The last step: a permit or not. What cannot be read is a deny.
pub fn decide(outcome: Outcome, fallback: Rule) -> Rule {
    match outcome {
        Outcome::Permit => Rule::Permit,
        Outcome::Deny | Outcome::Indeterminate => Rule::Deny,
        Outcome::NotApplicable => fallback,
    }
}

/// Combines the answers for every patient named anywhere on a record.
///
/// All must permit, but for those who are `excused`: named only as a member of the care team or as
/// declared family. A record on which nobody is left to ask, or of which it is not known whom it
/// names, is denied.
pub fn across_patients(
    patients: &Fact<BTreeSet<PatientId>>,
    excused: &BTreeSet<PatientId>,
    answer_for: impl Fn(&PatientId) -> Rule,
) -> Rule {
    let Fact::Known(patients) = patients else { return Rule::Deny };
    let mut asked = patients.difference(excused).peekable();
    if asked.peek().is_some() && asked.all(|patient| answer_for(patient) == Rule::Permit) {
        Rule::Permit
    } else {
        Rule::Deny
    }
}

/// Whether the record that is asked for exists, for the joint rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Existence {
    /// It does.
    Exists,
    /// It does not, and its type belongs to patients.
    MissingOfPatientType,
    /// It does not, and its type belongs to no patient.
    MissingOther,
}

/// What is heard under the joint rule.
#[derive(Debug, Clone, Copy)]
pub struct JointVoices<'a> {
    /// Whether the record exists.
    pub existence: Existence,
    /// What the administrator's directives say.
    pub admin: Outcome,
    /// What each patient named on the record says.
    pub patients: &'a [Outcome],
    /// What the directives that cascade from the encounter say.
    pub cascade: Outcome,
}

/// The answer of the joint rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JointAnswer {
    /// Released.
    Permit,
    /// Withheld.
    Deny,
    /// May be told that there is none.
    NotFound,
}

/// The joint rule, in its exact order (as Google Cloud Healthcare documents it).
///
/// Of a record that is missing: a type that belongs to patients is denied, so that nobody learns
/// that a patient has none; else the administrator alone is heard. Of one that exists: any deny
/// denies; the administrator's permit permits; every patient's permit, or the encounter's,
/// permits; all else is denied. What cannot be read counts as a deny.
pub fn joint_rule(voices: &JointVoices<'_>) -> JointAnswer {
    let denies = |outcome: Outcome| matches!(outcome, Outcome::Deny | Outcome::Indeterminate);
    match voices.existence {
        Existence::MissingOther if voices.admin == Outcome::Permit => JointAnswer::NotFound,
        Existence::MissingOfPatientType | Existence::MissingOther => JointAnswer::Deny,
        Existence::Exists => {
            let any_deny = denies(voices.admin)
                || denies(voices.cascade)
                || voices.patients.iter().copied().any(denies);
            let all_patients = !voices.patients.is_empty()
                && voices.patients.iter().all(|patient| *patient == Outcome::Permit);
            let permitted = voices.admin == Outcome::Permit
                || all_patients
                || voices.cascade == Outcome::Permit;
            if !any_deny && permitted { JointAnswer::Permit } else { JointAnswer::Deny }
        }
    }
}
