//! The demo world against the committed table of what US Core calls "must support".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{SEED, parts};

const TABLE: &str = include_str!("us-core-6.1.0.txt");

/// Profiles with their paths, as the table has them.
fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut table: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut profile = "";
    for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if line.starts_with(' ') {
            table.get_mut(profile).unwrap().extend(line.split_whitespace());
        } else {
            profile = line;
            assert!(table.insert(profile, Vec::new()).is_none(), "`{profile}` twice");
        }
    }
    table
}

/// The records of the named people, by the profiles that they claim.
fn claimed() -> BTreeMap<String, Vec<Value>> {
    let mut claimed: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in parts(SEED, 0).flatten() {
        let record: Value = serde_json::from_slice(&record.body).unwrap();
        let profiles = record["meta"]["profile"].as_array().cloned().unwrap_or_default();
        for profile in profiles {
            let url = profile.as_str().unwrap();
            let name =
                url.strip_prefix("http://hl7.org/fhir/us/core/StructureDefinition/").unwrap();
            claimed.entry(name.to_owned()).or_default().push(record.clone());
        }
    }
    claimed
}

/// Every value at a path, lists opened.
fn at<'a>(values: Vec<&'a Value>, path: &str) -> Vec<&'a Value> {
    let mut found = values;
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = next_step(rest);
        rest = after;
        found = found.into_iter().flat_map(|value| take(value, step)).collect();
    }
    found
}

/// The first step of a path and what comes after it; dots in brackets belong to the step.
fn next_step(path: &str) -> (&str, &str) {
    let mut depth = 0_i32;
    for (at, letter) in path.char_indices() {
        match letter {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            '.' if depth == 0 => {
                let (step, rest) = path.split_at(at);
                return (step, rest.trim_start_matches('.'));
            }
            _ => {}
        }
    }
    (path, "")
}

fn take<'a>(value: &'a Value, step: &str) -> Vec<&'a Value> {
    if let Some(name) = step.strip_prefix("extension(").and_then(|rest| rest.strip_suffix(')')) {
        let of_name = |one: &&Value| {
            one["url"].as_str().is_some_and(|url| url.ends_with(&format!("/{name}")))
        };
        return opened(&value["extension"]).into_iter().filter(of_name).collect();
    }
    let (name, filter) = match step.split_once('[') {
        Some((name, rest)) => (name, rest.strip_suffix(']')),
        None => (step, None),
    };
    let fits = |one: &&Value| match filter {
        None => true,
        Some(filter) => {
            let exact = filter.contains('=');
            let (inner, wanted) = filter.split_once(if exact { '=' } else { '^' }).unwrap();
            at(vec![*one], inner).into_iter().any(|value| {
                let text = value.as_str().unwrap_or("");
                if exact { text == wanted } else { text.starts_with(wanted) }
            })
        }
    };
    opened(&value[name]).into_iter().filter(fits).collect()
}

fn opened(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
    }
}

fn is_filled(record: &Value, path: &str) -> bool {
    path.split('|').any(|path| !at(vec![record], path).is_empty())
}

// Covers: US Core 6.1.0 §must support; the demo's records are what conformance suites read
#[test]
fn every_element_that_us_core_must_support_is_in_some_record() {
    let claimed = claimed();
    let mut missing = Vec::new();
    for (profile, paths) in table() {
        assert!(!paths.is_empty(), "`{profile}` has no paths");
        let records = claimed.get(profile).map_or(&[][..], Vec::as_slice);
        for path in paths {
            if !records.iter().any(|record| is_filled(record, path)) {
                missing.push(format!("{profile}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "no record has\n{}", missing.join("\n"));
}

#[test]
fn every_profile_that_a_record_claims_is_in_the_table() {
    let table = table();
    let claimed: BTreeSet<String> = claimed().into_keys().collect();
    let unknown: Vec<_> =
        claimed.iter().filter(|name| !table.contains_key(name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn paths_are_read_as_the_table_says() {
    let record = serde_json::json!({
        "a": [{"b": "x", "c": 1}, {"b": "y"}],
        "extension": [{"url": "http://e/us-core-sex", "valueCode": "1"}],
    });
    for (path, filled) in [
        ("a", true),
        ("a.c", true),
        ("a[b=x].c", true),
        ("a[b=y].c", false),
        ("a[b^x]", true),
        ("a.d", false),
        ("a.d|a.b", true),
        ("extension(us-core-sex)", true),
        ("extension(sex)", false),
        ("extension(us-core-race)", false),
    ] {
        assert_eq!(is_filled(&record, path), filled, "{path}");
    }
}
