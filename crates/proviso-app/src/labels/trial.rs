//! An organisation's tests of its rules: a resource in, its kinds out.

use std::collections::BTreeMap;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::decision::Labels;
use proviso_core::label::Label;
use proviso_fhir::json::Doc;
use proviso_fhir::label::{Key, RuleSet, Trace, Traced};

use super::format::RulesFile;

/// What a resource is to be labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// With exactly these kinds.
    Kinds(SensitiveSet),
    /// As one that cannot be read and nobody has labelled.
    Unclassified,
}

impl Expected {
    /// As codes for people, such as `hiv, sti`.
    pub fn words(self) -> String {
        match self {
            Self::Unclassified => "unclassified".to_owned(),
            Self::Kinds(kinds) if kinds.is_empty() => "no kind".to_owned(),
            Self::Kinds(kinds) => {
                let codes: Vec<&str> = kinds.iter().map(SensitiveKind::code).collect();
                codes.join(", ")
            }
        }
    }
}

impl From<Labels> for Expected {
    fn from(labels: Labels) -> Self {
        match labels {
            Labels::Known(kinds) => Self::Kinds(kinds),
            Labels::Unclassified => Self::Unclassified,
        }
    }
}

/// One test.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What it shows.
    pub name: String,
    /// Where it stands in its file.
    pub line: usize,
    /// The resource.
    pub resource: Doc,
    /// What the resource leads to.
    pub with: Vec<Doc>,
    /// What it is to be labelled.
    pub expected: Expected,
}

/// What came of a test.
#[derive(Debug, Clone)]
pub struct TrialResult {
    /// What it shows.
    pub name: String,
    /// Where it stands in its file.
    pub line: usize,
    /// What the resource was to be labelled.
    pub expected: Expected,
    /// What it is labelled.
    pub found: Expected,
    /// Each label with its rule and way.
    pub labels: Vec<Label>,
}

impl TrialResult {
    /// Whether it went as it was to go.
    pub fn holds(&self) -> bool {
        self.expected == self.found
    }
}

impl RulesFile {
    /// Runs every test of the file.
    pub fn run_trials(&self) -> Vec<TrialResult> {
        let run = |trial: &Trial| {
            let traced = traced(&self.set, &trial.resource, &trial.with);
            TrialResult {
                name: trial.name.clone(),
                line: trial.line,
                expected: trial.expected,
                found: traced.labels.into(),
                labels: traced.found,
            }
        };
        self.trials.iter().map(run).collect()
    }
}

/// The labels of a resource among others that are at hand.
pub(super) fn traced(rules: &RuleSet, resource: &Doc, others: &[Doc]) -> Traced {
    let at_hand: BTreeMap<Key, &Doc> =
        others.iter().filter_map(|doc| Some(((doc.resource_type()?, doc.id()?), doc))).collect();
    let mut trace = Trace::new(rules, resource, "");
    loop {
        let ring = trace.next_ring();
        if ring.is_empty() {
            return trace.finish();
        }
        for key in ring {
            trace.give(&key, at_hand.get(&key).copied());
        }
    }
}
