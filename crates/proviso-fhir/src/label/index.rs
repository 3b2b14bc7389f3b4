//! Finds the rules that name a code, without allocating and without looking at every rule.
//!
//! It knows codes as texts of numbered systems and rules as numbers; what either means is not
//! known here.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::set::CodeList;
use super::system::CodeSystem;

/// LIMIT: no code of any system is longer; rules with longer ones are refused.
pub(super) const CODE_MAX: usize = 40;

/// The number of a rule in its set.
pub(super) type RuleIndex = u16;

/// A system as a number: the known ones first, then those that only this set names.
type SystemIndex = u16;

#[derive(Debug, Clone, Default)]
pub(super) struct CodeIndex {
    /// Systems that only rules of an organisation name, as they are compared.
    others: Vec<String>,
    /// Sorted.
    exact: Vec<(SystemIndex, Box<str>, RuleIndex)>,
    /// Sorted.
    under: Vec<(SystemIndex, Box<str>, RuleIndex)>,
    between: Vec<Range>,
}

#[derive(Debug, Clone)]
struct Range {
    system: SystemIndex,
    first: Box<str>,
    last: Box<str>,
    rule: RuleIndex,
}

/// A code as it is compared: capitals, and without dots where those are decoration.
struct Comparable {
    letters: [u8; CODE_MAX],
    len: usize,
    /// Whether the code went on beyond what is kept.
    is_cut: bool,
}

impl Comparable {
    fn of(code: &str, has_dots: bool) -> Self {
        let mut out = Self { letters: [0; CODE_MAX], len: 0, is_cut: false };
        // Neither white space around a code nor its case means anything in these systems.
        for byte in code.trim().bytes().filter(|byte| !has_dots || *byte != b'.') {
            match out.letters.get_mut(out.len) {
                Some(slot) => {
                    *slot = byte.to_ascii_uppercase();
                    out.len += 1;
                }
                None => out.is_cut = true,
            }
        }
        out
    }

    fn bytes(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or(&[])
    }
}

fn number(system: CodeSystem) -> SystemIndex {
    match system {
        CodeSystem::Icd10 => 0,
        CodeSystem::Icd9 => 1,
        CodeSystem::Loinc => 2,
        CodeSystem::Snomed => 3,
        CodeSystem::RxNorm => 4,
        CodeSystem::Hcpcs => 5,
    }
}

/// How many systems are known by number.
const KNOWN: SystemIndex = 6;

fn comparable(code: &str, has_dots: bool) -> Box<str> {
    let text: String = code.trim().chars().filter(|c| !has_dots || *c != '.').collect();
    text.to_ascii_uppercase().into_boxed_str()
}

/// A system name as it is compared: case, a version behind `|` and a slash at the end say nothing.
fn comparable_uri(uri: &str) -> String {
    let uri = uri.trim().split('|').next().unwrap_or_default().trim_end_matches('/');
    uri.to_ascii_lowercase()
}

impl CodeIndex {
    pub(super) fn add(&mut self, list: &CodeList, rule: RuleIndex) {
        let known = CodeSystem::of(&list.system);
        let system = match known {
            Some(known) => number(known),
            None => self.number_of_other(&list.system),
        };
        let has_dots = known.is_some_and(CodeSystem::has_dots);
        let entry = |code: &String| (system, comparable(code, has_dots), rule);
        self.exact.extend(list.exact.iter().map(entry));
        self.under.extend(list.under.iter().map(entry));
        self.between.extend(list.between.iter().map(|(first, last)| Range {
            system,
            first: comparable(first, has_dots),
            last: comparable(last, has_dots),
            rule,
        }));
    }

    fn number_of_other(&mut self, uri: &str) -> SystemIndex {
        let uri = comparable_uri(uri);
        let place = self.others.iter().position(|other| *other == uri).unwrap_or_else(|| {
            self.others.push(uri);
            self.others.len() - 1
        });
        KNOWN.saturating_add(u16::try_from(place).unwrap_or(u16::MAX))
    }

    /// To be called once everything is added.
    pub(super) fn sort(&mut self) {
        self.exact.sort_unstable();
        self.exact.dedup();
        self.under.sort_unstable();
        self.under.dedup();
    }

    /// Calls `hit` with every rule that names the code.
    pub(super) fn find(&self, uri: Option<&str>, code: &str, hit: &mut dyn FnMut(RuleIndex)) {
        let Some(uri) = uri else {
            // A code without a system is tried in those whose codes cannot be mistaken for others'.
            for system in [CodeSystem::Icd10, CodeSystem::Loinc, CodeSystem::Snomed] {
                self.find_in(number(system), &Comparable::of(code, system.has_dots()), hit);
            }
            return;
        };
        if let Some(known) = CodeSystem::of(uri) {
            self.find_in(number(known), &Comparable::of(code, known.has_dots()), hit);
        } else if !self.others.is_empty() {
            let uri = comparable_uri(uri);
            if let Some(place) = self.others.iter().position(|other| *other == uri) {
                let system = KNOWN.saturating_add(u16::try_from(place).unwrap_or(u16::MAX));
                self.find_in(system, &Comparable::of(code, false), hit);
            }
        }
    }

    fn find_in(&self, system: SystemIndex, code: &Comparable, hit: &mut dyn FnMut(RuleIndex)) {
        let bytes = code.bytes();
        if !code.is_cut {
            equal(&self.exact, system, bytes, hit);
        }
        // Stems are short, codes hardly longer: one look for each beginning of the code.
        if self.under.iter().any(|(known, _, _)| *known == system) {
            for len in 1..=bytes.len() {
                equal(&self.under, system, bytes.get(..len).unwrap_or(&[]), hit);
            }
        }
        for range in self.between.iter().filter(|range| range.system == system) {
            let category = bytes.get(..range.first.len()).unwrap_or(&[]);
            if !category.is_empty()
                && category >= range.first.as_bytes()
                && category <= range.last.as_bytes()
            {
                hit(range.rule);
            }
        }
    }
}

/// Calls `hit` with the rules of the entries that are exactly this.
fn equal(
    sorted: &[(SystemIndex, Box<str>, RuleIndex)],
    system: SystemIndex,
    code: &[u8],
    hit: &mut dyn FnMut(RuleIndex),
) {
    let from =
        sorted.partition_point(|(known, text, _)| (*known, text.as_bytes()) < (system, code));
    for (known, text, rule) in sorted.get(from..).unwrap_or(&[]) {
        if *known != system || text.as_bytes() != code {
            return;
        }
        hit(*rule);
    }
}

/// The name under which a system that rules name is compared, for messages and the content hash.
pub(super) fn canonical_system(uri: &str) -> String {
    match CodeSystem::of(uri) {
        Some(known) => known.uri().to_owned(),
        None => comparable_uri(uri),
    }
}
