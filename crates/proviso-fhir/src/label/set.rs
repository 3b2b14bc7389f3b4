//! A rule set as a value: what can be written down, checked, hashed and compared.
//!
//! A set has a version, the hash of everything in it that can make a label: two servers with equal
//! versions label equally. What an organisation changes is a value too ([`Changes`]) and is applied
//! to the shipped rules before anything is labelled. How rules are found in a resource is not
//! known here.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::label::{Confidence, LabelSetVersion};
use proviso_core::resource_type::ResourceType;
use sha2::{Digest as _, Sha256};

use super::index::{CodeIndex, RuleIndex, canonical_system};
use super::words::WordIndex;

/// Stands in the content hash for how rules are applied; counts up when the same rules would label
/// otherwise.
const ENGINE: &str = "proviso labels 3";

/// LIMIT: how many steps labels travel along references, whatever a rule says.
pub const STEPS_MAX: u8 = 4;

/// Text of the shipped rules is in the program, text of others on the heap.
pub type Text = Cow<'static, str>;

/// Codes of one system. A code fits when any of the three lists has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeList {
    /// The system, under any of its names.
    pub system: String,
    /// Exactly these.
    pub exact: Vec<String>,
    /// Every code that starts with one of these, dots left out.
    pub under: Vec<String>,
    /// Every code whose beginning lies between two categories, both included.
    pub between: Vec<(String, String)>,
}

/// A rule that gives a kind to a resource for what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRule {
    /// The stable id, as shown in explanations.
    pub id: Text,
    /// What it means.
    pub kind: SensitiveKind,
    /// How sure that is.
    pub confidence: Confidence,
    /// What the rule was written from.
    pub source: Text,
    /// Only in resources of these types; of any type when empty. A contained resource counts as
    /// what it is.
    pub on: Vec<ResourceType>,
    /// Only inside these elements of the resource; anywhere when empty.
    pub at: Vec<Text>,
    /// Codes that it knows.
    pub codes: Vec<CodeList>,
    /// Phrases that it knows: stems of neighbouring words, lower case, separated by one space. A
    /// stem matches every word that starts with it; a stem that ends in `=` matches only the whole
    /// word, one that ends in `^` only the whole word in capitals. The first stem has three letters
    /// or more. Letters with accents part words, here as in the text.
    pub words: Vec<Text>,
}

/// A rule that lets the kinds of what a reference leads to count for what refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRule {
    /// The stable id, as shown in explanations.
    pub id: Text,
    /// Why labels travel there.
    pub source: Text,
    /// Only references in resources of these types; of any type when empty.
    pub from: Vec<ResourceType>,
    /// Only references at these elements, written as `diagnosis.condition`; any when empty.
    pub elements: Vec<Text>,
    /// Only references to these types; any when empty.
    pub to: Vec<ResourceType>,
    /// How far from the record that is labelled the reference may stand: 1 is in the record itself,
    /// 2 in what the record refers to.
    pub steps: u8,
}

/// What a security label of an organisation's own means. HL7's labels have their meaning already,
/// and every other label restricts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLabel {
    /// The stable id, as shown in explanations.
    pub id: Text,
    /// Who says so.
    pub source: Text,
    /// The system of the label.
    pub system: String,
    /// Its code, compared with case.
    pub code: String,
    /// What it means; nothing for a label that says how to handle a record.
    pub means: SensitiveSet,
}

/// The rules of a set, in no order that matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Rules over codes and words.
    pub labels: Vec<LabelRule>,
    /// Rules over references.
    pub edges: Vec<EdgeRule>,
    /// Labels of the organisation's own.
    pub known: Vec<KnownLabel>,
    /// Code systems of the organisation's own.
    pub systems: Vec<String>,
}

/// What an organisation changes of the shipped rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Ids of shipped rules that no longer apply.
    pub off: Vec<String>,
    /// Rules that are added, or put in the place of the shipped one with their id.
    pub rules: Rules,
    /// Ids among them that are meant to take the place of a shipped rule.
    pub replaces: Vec<String>,
}

/// What is wrong with a rule, and with which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}`: {problem}")]
pub struct RuleFault {
    /// The id of the rule.
    pub rule: String,
    /// What is wrong.
    pub problem: RuleProblem,
}

/// What can be wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleProblem {
    /// The id is empty, too long or has other characters than letters, digits and `-`.
    #[error("an id is 1 to 64 letters, digits and `-`")]
    Id,
    /// Another rule has the id.
    #[error("there is another rule with this id; say `replaces = true` if it is to go")]
    Taken,
    /// There is no shipped rule with the id.
    #[error("no shipped rule has this id")]
    NoSuchRule,
    /// It names no code and no word.
    #[error("names no code and no word, so it can never match")]
    Empty,
    /// A list of codes is empty.
    #[error("a list of codes of `{0}` is empty")]
    EmptyList(String),
    /// No such code system is known.
    #[error("the code system `{0}` is not known; name your own in `systems`")]
    UnknownSystem(String),
    /// A code does not have the form of its system.
    #[error("`{code}` is no code of {system}: its form or check digit is wrong")]
    NotACode {
        /// The code.
        code: String,
        /// The system, as people call it.
        system: String,
    },
    /// The beginnings of codes mean nothing in this system.
    #[error("codes of {0} are not grouped by how they begin; name each one")]
    NoStems(String),
    /// A range ends before it begins, or its ends differ in length.
    #[error("nothing lies between `{0}` and `{1}`")]
    EmptyRange(String, String),
    /// A phrase has a form that no text fits.
    #[error(
        "the phrase `{0}` fits no text: write it in small ASCII letters and digits, words \
             separated by one space, the first of three letters or more"
    )]
    Phrase(String),
    /// Nothing is ever labelled there.
    #[error("`{0}` is never labelled by what it says")]
    NeverLabelled(ResourceType),
    /// None of the types has such an element.
    #[error("none of the types that it is for has the element `{0}`")]
    NoElement(String),
    /// Elements are named without the types that have them.
    #[error("names elements but no types")]
    ElementsWithoutTypes,
    /// The reference never leads there.
    #[error("labels do not travel to `{0}`")]
    NoSuchTarget(ResourceType),
    /// The number of steps is out of bounds.
    #[error("`steps` is a whole number from 1 to {STEPS_MAX}")]
    Steps,
    /// The label has a meaning already.
    #[error("the label `{0}` has its meaning from HL7")]
    LabelHasMeaning(String),
    /// The set has more rules than can be numbered.
    #[error("the set has too many rules")]
    TooMany,
}

/// A set of rules, ready to label.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(super) rules: Rules,
    pub(super) codes: CodeIndex,
    pub(super) words: WordIndex,
    version: LabelSetVersion,
}

impl RuleSet {
    /// The rules that Proviso ships.
    pub fn shipped() -> Self {
        // INVARIANT: the shipped rules pass their own checks; a test holds them to it.
        Self::compiled(super::rules::shipped())
    }

    /// A set of exactly these rules.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(rules: Rules) -> Result<Self, Vec<RuleFault>> {
        let faults = super::check::faults(&rules);
        if faults.is_empty() { Ok(Self::compiled(rules)) } else { Err(faults) }
    }

    /// The shipped rules with an organisation's changes.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn shipped_with(changes: Changes) -> Result<Self, Vec<RuleFault>> {
        super::rules::shipped().changed(changes).and_then(Self::new)
    }

    fn compiled(rules: Rules) -> Self {
        let mut codes = CodeIndex::default();
        let mut words = WordIndex::default();
        for (number, rule) in (0..RuleIndex::MAX).zip(&rules.labels) {
            for list in &rule.codes {
                codes.add(list, number);
            }
            for phrase in &rule.words {
                words.add(phrase, number);
            }
        }
        codes.sort();
        words.sort();
        let version = version_of(&rules);
        Self { rules, codes, words, version }
    }

    /// What names this set among all.
    pub fn version(&self) -> &LabelSetVersion {
        &self.version
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn rule(&self, number: RuleIndex) -> Option<&LabelRule> {
        self.rules.labels.get(usize::from(number))
    }
}

impl Rules {
    /// These rules with an organisation's changes.
    ///
    /// # Errors
    /// A change that names no rule, or a new rule with the id of another.
    pub fn changed(mut self, changes: Changes) -> Result<Self, Vec<RuleFault>> {
        let mut faults = Vec::new();
        let fault = |rule: &str, problem| RuleFault { rule: rule.to_string(), problem };
        for id in &changes.off {
            if !self.remove(id) {
                faults.push(fault(id, RuleProblem::NoSuchRule));
            }
        }
        for id in &changes.replaces {
            if !self.remove(id) {
                faults.push(fault(id, RuleProblem::NoSuchRule));
            }
        }
        self.labels.extend(changes.rules.labels);
        self.edges.extend(changes.rules.edges);
        self.known.extend(changes.rules.known);
        self.systems.extend(changes.rules.systems);
        if faults.is_empty() { Ok(self) } else { Err(faults) }
    }

    fn remove(&mut self, id: &str) -> bool {
        let before = self.labels.len() + self.edges.len();
        self.labels.retain(|rule| rule.id != id);
        self.edges.retain(|rule| rule.id != id);
        self.labels.len() + self.edges.len() < before
    }
}

/// Everything that can make a label, each part with its length in front, so that no two sets have
/// the same bytes. Sources and the order of rules make none.
fn version_of(rules: &Rules) -> LabelSetVersion {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for rule in &rules.labels {
        let mut line = Line::of("label", &rule.id);
        line.text(rule.kind.code()).text(rule.confidence.code());
        line.list(rule.on.iter().map(|kind| kind.as_str()));
        line.list(rule.at.iter().map(AsRef::as_ref));
        for list in &rule.codes {
            line.text(&canonical_system(&list.system));
            line.list(list.exact.iter().map(String::as_str));
            line.list(list.under.iter().map(String::as_str));
            line.list(list.between.iter().flat_map(|(a, b)| [a.as_str(), b.as_str()]));
        }
        line.list(rule.words.iter().map(AsRef::as_ref));
        lines.push(line.0);
    }
    for rule in &rules.edges {
        let mut line = Line::of("edge", &rule.id);
        line.list(rule.from.iter().map(|kind| kind.as_str()));
        line.list(rule.elements.iter().map(AsRef::as_ref));
        line.list(rule.to.iter().map(|kind| kind.as_str()));
        line.0.push(rule.steps);
        lines.push(line.0);
    }
    for label in &rules.known {
        let mut line = Line::of("known", &label.id);
        line.text(&canonical_system(&label.system)).text(&label.code);
        line.list(label.means.iter().map(SensitiveKind::code));
        lines.push(line.0);
    }
    lines.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(ENGINE.as_bytes());
    for line in lines {
        hash.update(u64::try_from(line.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(&line);
    }
    LabelSetVersion::from_digest(&hash.finalize().into())
}

/// One rule as bytes.
struct Line(Vec<u8>);

impl Line {
    fn of(what: &str, id: &str) -> Self {
        let mut line = Self(Vec::new());
        line.text(what).text(id);
        line
    }

    fn text(&mut self, text: &str) -> &mut Self {
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn list<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        let texts: Vec<&str> = texts.collect();
        let len = u64::try_from(texts.len()).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        for text in texts {
            self.text(text);
        }
    }
}
