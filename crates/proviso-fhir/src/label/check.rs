//! Checks a rule set before it labels anything: a rule that can never match protects nobody, and
//! whoever wrote it believes otherwise.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use super::index::{CODE_MAX, RuleIndex};
use super::security;
use super::set::{CodeList, EdgeRule, KnownLabel, LabelRule, RuleFault, RuleProblem, Rules};
use super::set::{STEPS_MAX, Text};
use super::system::CodeSystem;
use super::words::is_phrase;
use crate::spec::shape_of;

/// Systems of HL7's own terminology are known by their beginning.
const HL7_SYSTEMS: &str = "http://terminology.hl7.org/CodeSystem/";

/// Everything that is wrong with the rules, in their order.
pub(super) fn faults(rules: &Rules) -> Vec<RuleFault> {
    let mut faults = Vec::new();
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    let mut note = |id: &str, problems: Vec<RuleProblem>| {
        let fault = |problem| RuleFault { rule: id.to_string(), problem };
        faults.extend(problems.into_iter().map(fault));
    };
    let labels = rules.labels.iter().map(|rule| (&rule.id, label_problems(rule, rules)));
    let edges = rules.edges.iter().map(|rule| (&rule.id, edge_problems(rule)));
    let known = rules.known.iter().map(|label| (&label.id, known_problems(label)));
    for (id, problems) in labels.chain(edges).chain(known) {
        note(id, problems);
        let is_own = !is_id(id) || id == super::SECURITY_LABEL;
        note(id, is_own.then_some(RuleProblem::Id).into_iter().collect());
        note(id, (!ids.insert(id)).then_some(RuleProblem::Taken).into_iter().collect());
    }
    if rules.labels.len() >= usize::from(RuleIndex::MAX) {
        note("", alloc::vec![RuleProblem::TooMany]);
    }
    faults
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn label_problems(rule: &LabelRule, rules: &Rules) -> Vec<RuleProblem> {
    let mut problems = Vec::new();
    if rule.codes.is_empty() && rule.words.is_empty() {
        problems.push(RuleProblem::Empty);
    }
    for list in &rule.codes {
        code_problems(list, &rules.systems, &mut problems);
    }
    let bad = rule.words.iter().filter(|phrase| !is_phrase(phrase));
    problems.extend(bad.map(|phrase| RuleProblem::Phrase(phrase.to_string())));
    for kind in &rule.on {
        if matches!(*kind, ResourceType::PATIENT | ResourceType::PERSON) {
            problems.push(RuleProblem::NeverLabelled(*kind));
        }
    }
    element_problems(&rule.on, &rule.at, &mut problems);
    problems
}

fn code_problems(list: &CodeList, own: &[String], problems: &mut Vec<RuleProblem>) {
    if list.exact.is_empty() && list.under.is_empty() && list.between.is_empty() {
        problems.push(RuleProblem::EmptyList(list.system.clone()));
    }
    let known = CodeSystem::of(&list.system);
    if known.is_none() && !list.system.starts_with(HL7_SYSTEMS) && !own.contains(&list.system) {
        problems.push(RuleProblem::UnknownSystem(list.system.clone()));
    }
    let name = known.map_or(list.system.as_str(), |known| known.name());
    let not_a_code =
        |code: &str| RuleProblem::NotACode { code: code.to_string(), system: name.to_string() };
    let is_code = |code: &str| match known {
        Some(system) => system.accepts(code),
        None => (1..=CODE_MAX).contains(&code.trim().len()),
    };
    problems.extend(list.exact.iter().filter(|code| !is_code(code)).map(|code| not_a_code(code)));
    let has_groups = !list.under.is_empty() || !list.between.is_empty();
    if has_groups && !known.is_none_or(CodeSystem::has_stems) {
        problems.push(RuleProblem::NoStems(name.to_string()));
        return;
    }
    let is_stem = |stem: &str| match known {
        Some(system) => system.accepts_stem(stem),
        None => (1..=CODE_MAX).contains(&stem.trim().len()),
    };
    problems.extend(list.under.iter().filter(|stem| !is_stem(stem)).map(|stem| not_a_code(stem)));
    for (first, last) in &list.between {
        if !is_stem(first) || !is_stem(last) || first > last || first.len() != last.len() {
            problems.push(RuleProblem::EmptyRange(first.clone(), last.clone()));
        }
    }
}

fn element_problems(types: &[ResourceType], elements: &[Text], problems: &mut Vec<RuleProblem>) {
    if types.is_empty() && !elements.is_empty() {
        problems.push(RuleProblem::ElementsWithoutTypes);
        return;
    }
    let known = |path: &str| types.iter().any(|kind| has_element(*kind, path));
    let missing = elements.iter().filter(|path| !known(path));
    problems.extend(missing.map(|path| RuleProblem::NoElement(path.to_string())));
}

/// Whether a type has an element at a path such as `diagnosis.condition`.
fn has_element(kind: ResourceType, path: &str) -> bool {
    let mut shape = shape_of(kind);
    path.split('.').all(|name| {
        let member = shape.and_then(|inside| inside.member(name));
        shape = member.and_then(|member| member.element_type.shape());
        member.is_some()
    })
}

fn edge_problems(rule: &EdgeRule) -> Vec<RuleProblem> {
    let mut problems = Vec::new();
    if !(1..=STEPS_MAX).contains(&rule.steps) {
        problems.push(RuleProblem::Steps);
    }
    for kind in &rule.to {
        if matches!(*kind, ResourceType::PATIENT | ResourceType::PERSON) {
            problems.push(RuleProblem::NoSuchTarget(*kind));
        }
    }
    element_problems(&rule.from, &rule.elements, &mut problems);
    problems
}

fn known_problems(label: &KnownLabel) -> Vec<RuleProblem> {
    let mut problems = Vec::new();
    if security::is_known(&label.system) {
        problems.push(RuleProblem::LabelHasMeaning(label.code.clone()));
    }
    if !label.system.contains(':') {
        problems.push(RuleProblem::UnknownSystem(label.system.clone()));
    }
    if label.code.trim().is_empty() {
        problems.push(RuleProblem::Empty);
    }
    problems
}
