//! The file in which an organisation writes its label rules (TOML), read into values or refused
//! with everything that is wrong with it, line by line.

use std::collections::BTreeMap;
use std::fmt;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::label::Confidence;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::Doc;
use proviso_fhir::label::{
    Changes, CodeList, EdgeRule, KnownLabel, LabelRule, RuleFault, RuleProblem, RuleSet,
};
use serde::Deserialize;
use toml::Spanned;

use super::trial::{Expected, Trial};

/// LIMIT: a larger file is no list that people look after.
const BYTES_MAX: usize = 4 * 1024 * 1024;
const SOURCE: &str = "rule of the organisation";

/// An organisation's rules: the shipped ones with its changes, and its tests of them.
#[derive(Debug, Clone)]
pub struct RulesFile {
    /// What the organisation calls the set.
    pub name: String,
    /// The rules in effect.
    pub set: RuleSet,
    /// The tests, in the order of the file.
    pub trials: Vec<Trial>,
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The line, counting from 1.
    pub line: Option<usize>,
    /// The id of the rule, or the name of the test.
    pub rule: Option<String>,
    /// What is wrong.
    pub problem: FileProblem,
}

/// What can be wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// It is larger than is read.
    #[error("the file is larger than {BYTES_MAX} bytes")]
    TooLarge,
    /// It is no TOML, or has a key or a value that means nothing here.
    #[error("{0}")]
    NotToml(String),
    /// It changes nothing.
    #[error("changes nothing: it has no rule and switches none off")]
    Empty,
    /// The set has no name.
    #[error("`name` is empty")]
    NoName,
    /// No such sensitive kind is known.
    #[error("the kind `{0}` is not known; kinds are {known}", known = kinds())]
    UnknownKind(String),
    /// No such confidence is known.
    #[error("the confidence `{0}` is not known; it is `possible`, `likely` or `certain`")]
    UnknownConfidence(String),
    /// No such resource type is known.
    #[error("`{0}` is no resource type of FHIR R4")]
    UnknownType(String),
    /// A rule names a value set that the file does not have.
    #[error("there is no value set `{0}` in this file")]
    NoSuchValueSet(String),
    /// No rule names a value set of the file.
    #[error("no rule uses the value set `{0}`")]
    UnusedValueSet(String),
    /// The rule can never match, contradicts another, or names something that is not there.
    #[error(transparent)]
    Rule(RuleProblem),
    /// A test's resource is no JSON.
    #[error("the resource of the test is no JSON: {0}")]
    NotJson(String),
    /// What a test refers to has no type and id.
    #[error("a resource in `with` needs its type and id")]
    NoKey,
    /// A test expects nothing that can be compared.
    #[error("a test says either `kinds` or `unclassified = true`")]
    NoExpectation,
}

fn kinds() -> String {
    let codes: Vec<&str> = SensitiveKind::ALL.iter().map(|kind| kind.code()).collect();
    codes.join(", ")
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.rule) {
            (Some(line), Some(rule)) => write!(f, "line {line}, `{rule}`: {}", self.problem),
            (Some(line), None) => write!(f, "line {line}: {}", self.problem),
            (None, Some(rule)) => write!(f, "`{rule}`: {}", self.problem),
            (None, None) => write!(f, "{}", self.problem),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileText {
    name: Spanned<String>,
    #[serde(default)]
    switch_off: Vec<Spanned<String>>,
    #[serde(default)]
    systems: Vec<String>,
    #[serde(default, rename = "value-set")]
    value_sets: Vec<ValueSetText>,
    #[serde(default, rename = "rule")]
    rules: Vec<RuleText>,
    #[serde(default, rename = "reference")]
    references: Vec<ReferenceText>,
    #[serde(default, rename = "label")]
    labels: Vec<LabelText>,
    #[serde(default, rename = "test")]
    tests: Vec<TestText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CodesText {
    system: String,
    #[serde(default)]
    exact: Vec<String>,
    #[serde(default)]
    under: Vec<String>,
    #[serde(default)]
    between: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ValueSetText {
    url: Spanned<String>,
    codes: Vec<CodesText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RuleText {
    id: Spanned<String>,
    kind: Spanned<String>,
    confidence: Option<Spanned<String>>,
    source: Option<String>,
    #[serde(default)]
    replaces: bool,
    #[serde(default)]
    on: Vec<Spanned<String>>,
    #[serde(default)]
    at: Vec<String>,
    #[serde(default)]
    codes: Vec<CodesText>,
    #[serde(default)]
    value_sets: Vec<Spanned<String>>,
    #[serde(default)]
    words: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ReferenceText {
    id: Spanned<String>,
    source: Option<String>,
    #[serde(default)]
    replaces: bool,
    #[serde(default)]
    from: Vec<Spanned<String>>,
    #[serde(default)]
    elements: Vec<String>,
    #[serde(default)]
    to: Vec<Spanned<String>>,
    steps: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LabelText {
    id: Spanned<String>,
    source: Option<String>,
    system: String,
    code: String,
    means: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TestText {
    name: Spanned<String>,
    resource: Spanned<String>,
    #[serde(default)]
    with: Vec<Spanned<String>>,
    kinds: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    unclassified: bool,
}

/// Reads one file; gathers everything that is wrong.
struct Reader<'t> {
    text: &'t str,
    faults: Vec<FileFault>,
    /// Where each rule stands.
    lines: BTreeMap<String, usize>,
}

impl RulesFile {
    /// Reads a file: the shipped rules with its changes, checked. Its tests are not run yet.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub fn parse(text: &str) -> Result<Self, Vec<FileFault>> {
        let mut reader = Reader { text, faults: Vec::new(), lines: BTreeMap::new() };
        let read = reader.read();
        let mut faults = reader.faults;
        faults.sort_by_key(|fault| fault.line.unwrap_or(usize::MAX));
        match read {
            Some(file) if faults.is_empty() => Ok(file),
            Some(_) | None => Err(faults),
        }
    }
}

impl Reader<'_> {
    fn read(&mut self) -> Option<RulesFile> {
        if self.text.len() > BYTES_MAX {
            self.fault(None, None, FileProblem::TooLarge);
            return None;
        }
        let file: FileText = match toml::from_str(self.text) {
            Ok(file) => file,
            Err(error) => {
                let at = error.span().map(|span| span.start);
                let problem = FileProblem::NotToml(error.message().to_owned());
                self.fault(at, None, problem);
                return None;
            }
        };
        if file.name.get_ref().trim().is_empty() {
            self.fault(Some(file.name.span().start), None, FileProblem::NoName);
        }
        let is_empty = file.rules.is_empty() && file.references.is_empty();
        if is_empty && file.labels.is_empty() && file.switch_off.is_empty() {
            self.fault(None, None, FileProblem::Empty);
        }
        let changes = self.changes(&file);
        let trials = file.tests.iter().filter_map(|test| self.trial(test)).collect();
        match RuleSet::shipped_with(changes) {
            Ok(set) => Some(RulesFile { name: file.name.into_inner(), set, trials }),
            Err(faults) => {
                for RuleFault { rule, problem } in faults {
                    let line = self.lines.get(&rule).copied();
                    let problem = FileProblem::Rule(problem);
                    self.faults.push(FileFault { line, rule: Some(rule), problem });
                }
                None
            }
        }
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(&[]);
        before.split(|byte| *byte == b'\n').count()
    }

    fn fault(&mut self, at: Option<usize>, rule: Option<&str>, problem: FileProblem) {
        let line = at.map(|at| self.line(at));
        self.faults.push(FileFault { line, rule: rule.map(str::to_owned), problem });
    }

    /// Notes where a rule stands and hands out its id.
    fn id(&mut self, id: &Spanned<String>) -> String {
        let line = self.line(id.span().start);
        self.lines.insert(id.get_ref().clone(), line);
        id.get_ref().clone()
    }

    fn changes(&mut self, file: &FileText) -> Changes {
        let mut changes = Changes::default();
        for id in &file.switch_off {
            changes.off.push(self.id(id));
        }
        changes.rules.systems.clone_from(&file.systems);
        for text in &file.rules {
            let id = self.id(&text.id);
            if text.replaces {
                changes.replaces.push(id.clone());
            }
            changes.rules.labels.extend(self.label_rule(id, text, file));
        }
        for text in &file.references {
            let id = self.id(&text.id);
            if text.replaces {
                changes.replaces.push(id.clone());
            }
            changes.rules.edges.push(EdgeRule {
                source: text.source.clone().unwrap_or_else(|| SOURCE.to_owned()).into(),
                from: self.types(&id, &text.from),
                elements: text.elements.iter().cloned().map(Into::into).collect(),
                to: self.types(&id, &text.to),
                steps: text.steps,
                id: id.into(),
            });
        }
        for text in &file.labels {
            let id = self.id(&text.id);
            let means = text.means.iter().filter_map(|kind| self.kind(&id, kind));
            changes.rules.known.push(KnownLabel {
                means: means.collect::<SensitiveSet>(),
                source: text.source.clone().unwrap_or_else(|| SOURCE.to_owned()).into(),
                system: text.system.clone(),
                code: text.code.clone(),
                id: id.into(),
            });
        }
        for set in &file.value_sets {
            let url = set.url.get_ref();
            let is_used = |rule: &RuleText| rule.value_sets.iter().any(|own| own.get_ref() == url);
            if !file.rules.iter().any(is_used) {
                let problem = FileProblem::UnusedValueSet(url.clone());
                self.fault(Some(set.url.span().start), None, problem);
            }
        }
        changes
    }

    fn label_rule(&mut self, id: String, text: &RuleText, file: &FileText) -> Option<LabelRule> {
        let mut codes: Vec<CodeList> = text.codes.iter().map(code_list).collect();
        for url in &text.value_sets {
            let named = file.value_sets.iter().find(|set| set.url.get_ref() == url.get_ref());
            if let Some(set) = named {
                codes.extend(set.codes.iter().map(code_list));
            } else {
                let problem = FileProblem::NoSuchValueSet(url.get_ref().clone());
                self.fault(Some(url.span().start), Some(&id), problem);
            }
        }
        let confidence = match &text.confidence {
            // Words may be about somebody else, or be denied.
            None if codes.is_empty() => Confidence::Likely,
            None => Confidence::Certain,
            Some(code) => self.confidence(&id, code)?,
        };
        Some(LabelRule {
            kind: self.kind(&id, &text.kind)?,
            confidence,
            source: text.source.clone().unwrap_or_else(|| SOURCE.to_owned()).into(),
            on: self.types(&id, &text.on),
            at: text.at.iter().cloned().map(Into::into).collect(),
            codes,
            words: text.words.iter().cloned().map(Into::into).collect(),
            id: id.into(),
        })
    }

    fn kind(&mut self, rule: &str, code: &Spanned<String>) -> Option<SensitiveKind> {
        let kind = code.get_ref().parse().ok();
        if kind.is_none() {
            let problem = FileProblem::UnknownKind(code.get_ref().clone());
            self.fault(Some(code.span().start), Some(rule), problem);
        }
        kind
    }

    fn confidence(&mut self, rule: &str, code: &Spanned<String>) -> Option<Confidence> {
        let known = Confidence::ALL.iter().find(|known| known.code() == code.get_ref());
        // That the source says so is not for a rule to claim.
        let known = known.copied().filter(|known| *known != Confidence::Stated);
        if known.is_none() {
            let problem = FileProblem::UnknownConfidence(code.get_ref().clone());
            self.fault(Some(code.span().start), Some(rule), problem);
        }
        known
    }

    fn types(&mut self, rule: &str, names: &[Spanned<String>]) -> Vec<ResourceType> {
        let mut types = Vec::new();
        for name in names {
            if let Ok(known) = name.get_ref().parse() {
                types.push(known);
            } else {
                let problem = FileProblem::UnknownType(name.get_ref().clone());
                self.fault(Some(name.span().start), Some(rule), problem);
            }
        }
        types
    }

    fn trial(&mut self, text: &TestText) -> Option<Trial> {
        let name = text.name.get_ref().clone();
        let line = self.line(text.name.span().start);
        let expected = match (&text.kinds, text.unclassified) {
            (Some(kinds), false) => {
                let known: Vec<_> = kinds.iter().map(|kind| self.kind(&name, kind)).collect();
                Expected::Kinds(known.into_iter().collect::<Option<SensitiveSet>>()?)
            }
            (None, true) => Expected::Unclassified,
            (Some(_), true) | (None, false) => {
                let at = Some(text.name.span().start);
                self.fault(at, Some(&name), FileProblem::NoExpectation);
                return None;
            }
        };
        let resource = self.resource(&name, &text.resource)?;
        let mut with = Vec::new();
        for other in &text.with {
            let doc = self.resource(&name, other)?;
            if doc.resource_type().is_none() || doc.id().is_none() {
                self.fault(Some(other.span().start), Some(&name), FileProblem::NoKey);
                return None;
            }
            with.push(doc);
        }
        Some(Trial { name, line, resource, with, expected })
    }

    fn resource(&mut self, trial: &str, text: &Spanned<String>) -> Option<Doc> {
        match Doc::parse(text.get_ref().clone().into_bytes()) {
            Ok(doc) => Some(doc),
            Err(error) => {
                let problem = FileProblem::NotJson(error.to_string());
                self.fault(Some(text.span().start), Some(trial), problem);
                None
            }
        }
    }
}

fn code_list(text: &CodesText) -> CodeList {
    CodeList {
        system: text.system.clone(),
        exact: text.exact.clone(),
        under: text.under.clone(),
        between: text.between.clone(),
    }
}
