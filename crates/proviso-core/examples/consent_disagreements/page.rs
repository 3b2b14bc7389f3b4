//! The reference page of cases on which the readings of published consents part, as text.

use std::fmt::Write as _;

use proviso_core::consent::provision::{
    Coding, Dialect, Difference, Directive, Fact, Fallback, LabelSet, Purpose, RecordFacts,
    RequestFacts, Rule, Who, compare,
};
use proviso_core::time::At;
use serde_json::Value;

/// Readings that can part. Ordered Permission codes answer as the unordered, `latest-wins` reads one
/// consent as `fhir-tree`, and PCF's other profiles read as its advanced one what they allow.
const READINGS: [(&str, &str); 8] = [
    ("fhir-tree", "tree"),
    ("ihe-pcf-advanced", "pcf"),
    ("hl7-fast", "fast"),
    ("joint", "joint"),
    ("permission-deny-overrides", "deny-over"),
    ("permission-permit-overrides", "permit-over"),
    ("permission-deny-unless-permit", "deny-unless"),
    ("permission-permit-unless-deny", "permit-unless"),
];

const SETS: [(&str, &str); 3] = [
    ("IHE PCF", include_str!("../../tests/vectors/ihe-pcf.jsonl")),
    ("AB 352", include_str!("../../tests/vectors/ab352.jsonl")),
    ("FHIR examples", include_str!("../../tests/vectors/hl7-examples.jsonl")),
];

const HEAD: &str = "\
# Consent disagreements

Written by `crates/proviso-core/examples/consent_disagreements`; a test keeps it so.

The consents of the test vectors, each under eight readings, over the grid that its own values span,
with *deny* where nothing speaks. A row is one way in which the readings part, with a case: **P** is
released, a dot is withheld. A reading that does not allow what a document contains withholds all of
it. A consent without rows is read alike by all.

The columns: FHIR's tree; IHE PCF advanced; HL7 FAST; joint rule; HL7 Permission with
`deny-overrides`, `permit-overrides`, `deny-unless-permit`, `permit-unless-deny`.
";

fn who(who: &Who) -> String {
    match who {
        Who::Reference(reference) => reference.clone(),
        Who::Identifier(identifier) => identifier.value.clone(),
    }
}

fn labels(labels: &Fact<LabelSet>) -> String {
    let Fact::Known(labels) = labels else { return "not labelled".to_owned() };
    let level = labels.confidentiality.iter().map(|level| level.code().to_owned());
    let codes = labels.sensitivity.iter().map(|code| code.code().to_owned());
    let foreign = labels.foreign.iter().map(|coding| coding.code.clone());
    level.chain(codes).chain(foreign).collect::<Vec<String>>().join("+")
}

fn day(at: At) -> String {
    at.to_rfc3339().chars().take(10).collect()
}

/// What of a case the consent tells apart, in words.
fn words(case: &Difference, text: &str) -> String {
    let (request, record): (&RequestFacts, &RecordFacts) = (&case.request, &case.record);
    let mut parts = Vec::new();
    if let Fact::Known(purpose) = &request.purpose {
        parts.push(match purpose {
            Purpose::Hl7(code) => code.code().to_owned(),
            Purpose::Foreign(coding) => coding.code.clone(),
        });
    }
    let names = |what: &str| text.contains(&format!("\"{what}\":"));
    let codes = |set: &Fact<std::collections::BTreeSet<Coding>>| {
        let code = set.known().and_then(|set| set.first()).map(|coding| coding.code.clone());
        code.unwrap_or_else(|| "other".to_owned())
    };
    if names("actors") {
        let asker = request.asker.known.first().map_or("someone else".to_owned(), who);
        parts.push(format!("by {asker}"));
        let held = record.custodian.known().and_then(|it| it.known.first());
        parts.extend(held.map(|holder| format!("held by {}", who(holder))));
    }
    if names("period") {
        parts.push(format!("on {}", day(request.at)));
    }
    if names("actions")
        && let Fact::Known(action) = &request.action
    {
        parts.push(format!("to {}", action.code));
    }
    if names("locations") {
        let place = request.locations.known().and_then(|places| places.first());
        parts.push(place.map_or("elsewhere".to_owned(), |place| format!("at {}", who(place))));
    }
    if names("labels") {
        parts.push(labels(&record.labels));
    }
    if names("data_period") {
        let clinical = record.clinical.known().and_then(|period| period.start);
        parts.push(clinical.map_or("no date".to_owned(), |at| format!("of {}", day(at))));
    }
    if names("classes") {
        parts.push(codes(&record.classes));
    }
    if names("codes") {
        parts.push(codes(&record.codes));
    }
    if names("data") || text.contains("\"author\"") {
        let first = |set: &Fact<std::collections::BTreeSet<Who>>| {
            set.known().and_then(|set| set.first()).map(who)
        };
        let author = record.authors.known().and_then(|authors| authors.known.first()).map(who);
        let instance = record.instance.known().map(who);
        let relation = first(&record.refers_to)
            .map(|it| format!("refers to {it}"))
            .or(first(&record.referred_by).map(|it| format!("named by {it}")))
            .or(author.map(|it| format!("written by {it}")))
            .or(instance.filter(|it| it != "Basic/example"));
        parts.push(relation.unwrap_or_else(|| "unrelated".to_owned()));
    }
    parts.join(", ")
}

/// The page.
pub(crate) fn page() -> String {
    let dialects: Vec<Dialect> = READINGS.iter().map(|(name, _)| name.parse().unwrap()).collect();
    let mut page = HEAD.to_owned();
    for (set, file) in SETS {
        writeln!(page, "\n## {set}\n").unwrap();
        let columns: Vec<&str> = READINGS.iter().map(|(_, column)| *column).collect();
        writeln!(page, "| consent | case | {} |", columns.join(" | ")).unwrap();
        writeln!(page, "|---|---|{}", "---|".repeat(READINGS.len())).unwrap();
        for line in file.lines().filter(|line| line.contains("\"kind\":\"directive\"")) {
            let line: Value = serde_json::from_str(line).unwrap();
            let name = line["name"].as_str().unwrap();
            let text = line["value"].to_string();
            let directive: Directive = serde_json::from_value(line["value"].clone()).unwrap();
            for case in compare(&directive, &dialects, Fallback::Deny).differences {
                let marks: Vec<&str> = case
                    .answers
                    .iter()
                    .map(|(_, _, rule)| if *rule == Rule::Permit { "P" } else { "·" })
                    .collect();
                let row = words(&case, &text);
                writeln!(page, "| {name} | {row} | {} |", marks.join(" | ")).unwrap();
            }
        }
    }
    page
}
