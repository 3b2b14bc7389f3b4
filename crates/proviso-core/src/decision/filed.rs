//! Consents on file: what they say of a record is one more fact of it, asked for each request.
//!
//! A registry keeps a patient's directives as FHIR Consents. The provision engine reads them
//! ([`crate::consent::provision`]); here their answer takes its place in a decision. It restricts
//! and never widens: what a consent on file permits has to be permitted by everything else as well.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::consent::provision::{
    Combination, Directive, Outcome, RecordFacts, RequestFacts, Voice, combine, evaluate,
};
use crate::id::{ConsentVersionId, PatientId, ResourceId};
use crate::time::At;

/// Whether consents on file have a say.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FiledRule {
    /// They have none: patients look at their own record.
    NotHeard,
    /// What they withhold is withheld; where they say nothing, everything else decides.
    #[default]
    Restricts,
    /// One of every patient on the record has to permit it, besides everything else.
    Required,
}

impl FiledRule {
    /// Whether this is the rule that holds where none is stated.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which version of a consent on file was heard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FiledVersion {
    /// The logical id of the Consent.
    pub consent: ResourceId,
    /// The number of the version (`meta.versionId`).
    pub number: u64,
    /// Its name: the hash of its content.
    pub name: ConsentVersionId,
}

/// What the consents on file of one patient say together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FiledAnswer {
    /// Whose.
    pub patient: PatientId,
    /// What they say.
    pub outcome: Outcome,
    /// The versions that were in force, in the order of their ids.
    pub heard: Vec<FiledVersion>,
}

/// What consents on file say of a record, and what they were told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FiledAnswers {
    /// What was known of the record.
    pub record: RecordFacts,
    /// One answer for each patient on the record who has any in force, in the order of patients.
    pub answers: Vec<FiledAnswer>,
}

/// What consents on file were told of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FiledRequest {
    /// Who asks, what for and when.
    pub facts: RequestFacts,
    /// How several consents of one patient are combined.
    pub combination: Combination,
}

/// A version of a consent on file, as the engine reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledDirective {
    /// When it was given (`Consent.dateTime`), or else when it was filed.
    pub recorded_at: At,
    /// What it directs.
    pub directive: Directive,
}

/// The versions that have to be at hand to decide again.
pub type FiledAtHand = BTreeMap<ConsentVersionId, FiledDirective>;

impl FiledAnswers {
    /// Asks the same versions of the same record again.
    ///
    /// # Errors
    /// The name of a version that is not at hand.
    pub fn again(
        &self,
        request: &FiledRequest,
        at_hand: &FiledAtHand,
    ) -> Result<Box<Self>, ConsentVersionId> {
        let answers = self.answers.iter().map(|answer| {
            let heard: Result<Vec<&FiledDirective>, ConsentVersionId> = answer
                .heard
                .iter()
                .map(|own| at_hand.get(&own.name).ok_or_else(|| own.name.clone()))
                .collect();
            let outcome = hear(&heard?, request, &self.record);
            Ok(FiledAnswer { outcome, ..answer.clone() })
        });
        Ok(Box::new(Self {
            record: self.record.clone(),
            answers: answers.collect::<Result<_, _>>()?,
        }))
    }

    /// The versions that were heard.
    pub fn heard(&self) -> impl Iterator<Item = &FiledVersion> {
        self.answers.iter().flat_map(|answer| &answer.heard)
    }

    /// What the consents of a patient say, if there are any.
    pub fn of(&self, patient: &PatientId) -> Option<Outcome> {
        self.answers.iter().find(|answer| answer.patient == *patient).map(|answer| answer.outcome)
    }
}

/// What consents of one patient that are in force say together of a record.
pub fn hear(heard: &[&FiledDirective], request: &FiledRequest, record: &RecordFacts) -> Outcome {
    let evaluations: Vec<_> = heard
        .iter()
        .map(|own| (own.recorded_at, evaluate(&own.directive, &request.facts, record)))
        .collect();
    let voices: Vec<Voice<'_>> = evaluations
        .iter()
        .map(|(recorded_at, evaluation)| Voice { recorded_at: *recorded_at, evaluation })
        .collect();
    combine(&voices, request.combination, &record.labels).outcome
}
