//! How well the shipped label rules find each sensitive kind, on labelled data that they were not
//! written from (`data/labels/README.md`). The table is in the book and held to by a snapshot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::decision::Labels;
use proviso_fhir::json::Doc;
use proviso_fhir::label::{CodeSystem, RuleSet};

/// One thing to be labelled and what it is to be labelled with.
struct Case {
    expected: Option<SensitiveKind>,
    resource: String,
}

fn data(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/labels");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn kind(code: &str) -> Option<SensitiveKind> {
    (code != "none").then(|| code.parse().unwrap())
}

fn uri(name: &str) -> &'static str {
    match name {
        "icd10" => CodeSystem::Icd10,
        "sct" => CodeSystem::Snomed,
        "loinc" => CodeSystem::Loinc,
        "rxnorm" => CodeSystem::RxNorm,
        other => panic!("{other}"),
    }
    .uri()
}

fn coded(system: &str, code: &str, display: &str) -> String {
    let display = if display.is_empty() {
        serde_json::json!({})
    } else {
        serde_json::json!({ "display": display })
    };
    let mut coding = serde_json::json!({ "system": uri(system), "code": code });
    coding.as_object_mut().unwrap().extend(display.as_object().unwrap().clone());
    serde_json::json!({ "resourceType": "Observation", "code": { "coding": [coding] } }).to_string()
}

fn titled(title: &str) -> String {
    serde_json::json!({ "resourceType": "Observation", "code": { "text": title } }).to_string()
}

/// Whether a case is in the half that was looked at when rules were written: its figures would
/// flatter. Codes are divided by category, so that neighbours do not tell of each other.
fn is_for_development(text: &str) -> bool {
    text.bytes().map(u32::from).sum::<u32>() % 2 == 0
}

/// Codes of ICD-10-CM, as the lines of the file spell them out.
fn icd_codes() -> Vec<Case> {
    let text = data("icd-10-cm.txt");
    let mut cases = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (expected, category) = (kind(words.next().unwrap()), words.next().unwrap());
        if is_for_development(category) {
            continue;
        }
        for ending in words {
            let code = format!("{category}{}", ending.trim_start_matches('.'));
            cases.push(Case { expected, resource: coded("icd10", &code, "") });
        }
    }
    cases
}

fn icd_titles() -> Vec<Case> {
    let text = data("icd-10-cm-titles.txt");
    let case = |line: &str| {
        let (expected, title) = line.split_once('\t').unwrap();
        let case = Case { expected: kind(expected), resource: titled(title) };
        (!is_for_development(title)).then_some(case)
    };
    text.lines().filter_map(case).collect()
}

fn shift(with_display: bool) -> Vec<Case> {
    let text = data("shift-kinds.txt");
    let case = |line: &str| {
        let [expected, system, code, display] = fields(line);
        let display = if with_display { display } else { "" };
        Case { expected: kind(expected), resource: coded(system, code, display) }
    };
    text.lines().map(case).collect()
}

/// Physicians agree that a code is about substance use from five tenths on, and that it is not up
/// to two; what lies between is left out.
fn shares(with_display: bool) -> Vec<Case> {
    let text = data("shares-substance-use.txt");
    let case = |line: &str| {
        let [system, code, tenths, display] = fields(line);
        let display = if with_display { display } else { "" };
        let expected = match tenths.parse::<u32>().unwrap() {
            0..=2 => None,
            5..=10 => Some(SensitiveKind::SubstanceUse),
            _ => return None,
        };
        Some(Case { expected, resource: coded(system, code, display) })
    };
    text.lines().filter_map(case).collect()
}

fn fields(line: &str) -> [&str; 4] {
    let fields: Vec<&str> = line.split('\t').collect();
    fields.try_into().unwrap()
}

#[derive(Default, Clone, Copy)]
struct Tally {
    /// Of the kind, and labelled with it.
    found: u32,
    /// Of the kind, and not labelled with it.
    missed: u32,
    /// Labelled with it, and of no kind at all.
    extra: u32,
}

impl Tally {
    /// In tenths of a percent, rounded down; `None` where there is nothing to divide by.
    fn per_mille(part: u32, whole: u32) -> Option<u32> {
        (part * 1000).checked_div(whole)
    }

    fn recall(self) -> Option<u32> {
        Self::per_mille(self.found, self.found + self.missed)
    }

    fn precision(self) -> Option<u32> {
        Self::per_mille(self.found, self.found + self.extra)
    }
}

fn labelled(rules: &RuleSet, case: &Case) -> SensitiveSet {
    let doc = Doc::parse(case.resource.clone().into_bytes()).unwrap();
    match rules.label(doc.root()) {
        Labels::Known(kinds) => kinds,
        Labels::Unclassified => panic!("{}", case.resource),
    }
}

/// Counts, for each kind that the data has. A second kind beside the expected one is no mistake:
/// the data name one kind of each case, and many have more.
fn measure(rules: &RuleSet, cases: &[Case]) -> BTreeMap<SensitiveKind, Tally> {
    let mut tallies: BTreeMap<SensitiveKind, Tally> = BTreeMap::new();
    for kind in cases.iter().filter_map(|case| case.expected) {
        tallies.entry(kind).or_default();
    }
    for case in cases {
        let found = labelled(rules, case);
        match case.expected {
            Some(kind) if found.contains(kind) => tallies.get_mut(&kind).unwrap().found += 1,
            Some(kind) => tallies.get_mut(&kind).unwrap().missed += 1,
            None => {
                for kind in found.iter() {
                    if let Some(tally) = tallies.get_mut(&kind) {
                        tally.extra += 1;
                    }
                }
            }
        }
    }
    tallies
}

fn percent(per_mille: Option<u32>) -> String {
    per_mille.map_or_else(|| "-".to_owned(), |p| format!("{}.{} %", p / 10, p % 10))
}

fn table() -> String {
    let rules = RuleSet::shipped();
    let sets: [(&str, Vec<Case>); 6] = [
        ("ICD-10-CM by DXCCSR, codes alone", icd_codes()),
        ("ICD-10-CM by DXCCSR, titles alone", icd_titles()),
        ("SHARES physicians, codes alone", shares(false)),
        ("SHARES physicians, codes with displays", shares(true)),
        ("SHIFT lists, codes alone", shift(false)),
        ("SHIFT lists, codes with displays", shift(true)),
    ];
    let mut out = "| data | kind | of the kind | recall | of no kind, but labelled | precision |\n\
                   |---|---|---|---|---|---|\n"
        .to_owned();
    for (name, cases) in sets {
        let negatives = cases.iter().filter(|case| case.expected.is_none()).count();
        for (kind, tally) in measure(&rules, &cases) {
            let precision = if negatives > 0 { percent(tally.precision()) } else { "-".to_owned() };
            writeln!(
                out,
                "| {name} | `{kind}` | {} | {} | {} of {negatives} | {precision} |",
                tally.found + tally.missed,
                percent(tally.recall()),
                tally.extra,
            )
            .unwrap();
        }
    }
    out
}

/// The figures that the book tells are those that this prints.
#[test]
fn the_book_tells_the_measured_recall_and_precision_of_each_kind() {
    let table = table();
    println!("{table}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/concepts/labels.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(table.trim()), "docs/src/concepts/labels.md does not have\n{table}");
}
