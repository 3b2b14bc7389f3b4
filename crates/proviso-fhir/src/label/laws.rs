//! Laws of labelling, and a naive labeller that shares nothing with the real one.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proviso_core::label::Origin;
use serde_json::{Value, json};

use super::*;
use crate::json::Doc;

extern crate std;

fn doc(value: &Value) -> Doc {
    Doc::parse(value.to_string().into_bytes()).unwrap()
}

fn kinds_of(labels: Labels) -> BTreeSet<SensitiveKind> {
    match labels {
        Labels::Known(kinds) => kinds.iter().collect(),
        // Whoever may see nothing restricted may not see it either.
        Labels::Unclassified => BTreeSet::from([SensitiveKind::Restricted]),
    }
}

// ----- the oracle: rules over codes, read as the pages of the book tell them

fn naive_system(uri: &str) -> Option<&'static str> {
    let uri = uri.trim().to_ascii_lowercase();
    let uri = uri.split('|').next().unwrap().trim_end_matches('/').to_string();
    let bare = uri.replace("https://", "").replace("http://", "").replace("www.", "");
    if bare.starts_with("snomed.info/sct") || uri == "urn:oid:2.16.840.1.113883.6.96" {
        return Some("http://snomed.info/sct");
    }
    match bare.as_str() {
        "loinc.org" => Some("http://loinc.org"),
        "hl7.org/fhir/sid/icd-10-cm" | "hl7.org/fhir/sid/icd-10" | "hl7.org/fhir/sid/icd-10-gm" => {
            Some("http://hl7.org/fhir/sid/icd-10-cm")
        }
        "hl7.org/fhir/sid/icd-9-cm" => Some("http://hl7.org/fhir/sid/icd-9-cm"),
        "nlm.nih.gov/research/umls/rxnorm" => Some("http://www.nlm.nih.gov/research/umls/rxnorm"),
        "terminology.hl7.org/codesystem/hcpcs" => {
            Some("http://terminology.hl7.org/CodeSystem/HCPCS")
        }
        _ => None,
    }
}

fn naive_fits(list: &CodeList, code: &str) -> bool {
    // Dots are decoration where codes are grouped by how they begin, and nowhere else.
    let has_dots = list.system.contains("icd") || list.system.contains("HCPCS");
    let plain = |text: &str| {
        let text = text.trim().to_uppercase();
        if has_dots { text.replace('.', "") } else { text }
    };
    let code = plain(code);
    list.exact.iter().any(|known| plain(known) == code)
        || list.under.iter().any(|stem| code.starts_with(stem.as_str()))
        || list.between.iter().any(|(first, last)| {
            let category: String = code.chars().take(first.len()).collect();
            category.len() == first.len() && first <= &category && &category <= last
        })
}

/// Every object with a `code`, wherever it stands, and whether a rule names it.
fn naive(value: &Value, rules: &Rules, found: &mut BTreeSet<SensitiveKind>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| naive(item, rules, found)),
        Value::Object(members) => {
            if let Some(code) = members.get("code").and_then(Value::as_str) {
                for rule in rules.labels.iter().filter(|rule| rule.on.is_empty()) {
                    for list in &rule.codes {
                        let fits = match members.get("system").and_then(Value::as_str) {
                            Some(uri) => naive_system(uri) == Some(list.system.as_str()),
                            None => ["icd-10", "loinc", "snomed"]
                                .iter()
                                .any(|name| list.system.contains(name)),
                        };
                        if fits && naive_fits(list, code) {
                            found.insert(rule.kind);
                        }
                    }
                }
            }
            members.values().for_each(|member| naive(member, rules, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

const URIS: &[&str] = &[
    "http://hl7.org/fhir/sid/icd-10-cm",
    "https://hl7.org/fhir/sid/icd-10-gm/",
    "HTTP://hl7.org/fhir/sid/icd-10|2019",
    "http://hl7.org/fhir/sid/icd-9-cm",
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://snomed.info/sct/731000124108",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://terminology.hl7.org/CodeSystem/HCPCS",
    "http://unitsofmeasure.org",
];

/// Codes that rules name, such codes bent a little, and any others.
fn code() -> impl Strategy<Value = String> {
    let rules = rules::shipped();
    let lists = rules.labels.iter().flat_map(|rule| &rule.codes);
    let known: Vec<String> = lists
        .flat_map(|list| {
            let ends = list.between.iter().flat_map(|(a, b)| [a.clone(), b.clone()]);
            list.exact.iter().chain(&list.under).cloned().chain(ends).collect::<Vec<_>>()
        })
        .collect();
    let bent = (prop::sample::select(known), 0_u8..7).prop_map(|(code, how)| match how {
        0 => code,
        1 => code.to_lowercase(),
        2 => format!(" {code} "),
        3 => format!("{code}1"),
        4 => code.chars().take(code.len() - 1).collect(),
        5 if code.len() > 3 => {
            let (category, ending) = code.split_at(3);
            format!("{category}.{ending}")
        }
        _ => format!("{code}.9"),
    });
    prop_oneof![3 => bent, 1 => "[A-Z][0-9][0-9A-Z](\\.[0-9]{1,3})?", 1 => "[0-9]{3,9}(-[0-9])?"]
}

fn coding() -> impl Strategy<Value = Value> {
    (prop::option::of(prop::sample::select(URIS)), code()).prop_map(|(system, code)| match system {
        Some(system) => json!({ "system": system, "code": code }),
        None => json!({ "code": code }),
    })
}

/// A resource that says nothing but codes, here and there.
fn coded() -> impl Strategy<Value = Value> {
    prop::collection::vec((coding(), 0_u8..4), 1..4).prop_map(|codings| {
        let mut resource = json!({ "resourceType": "Observation" });
        for (coding, place) in codings {
            let concept = json!({ "coding": [coding] });
            match place {
                0 => resource["code"] = concept,
                1 => resource["component"] = json!([{ "code": concept }]),
                2 => {
                    let inner = json!({ "resourceType": "Condition", "code": concept });
                    resource["contained"] = json!([inner]);
                }
                _ => resource["extension"] = json!([{ "url": "x", "valueCoding": coding }]),
            }
        }
        resource
    })
}

/// The shipped rules over codes anywhere; words and places are not the oracle's business.
fn code_rules() -> Rules {
    let mut rules = rules::shipped();
    rules.labels.retain(|rule| rule.words.is_empty() && rule.on.is_empty());
    rules
}

// ----- rules and resources over a small alphabet

const WORDS: &[&str] = &["apple", "banana split", "cherry="];

fn small_rule() -> impl Strategy<Value = LabelRule> {
    let kind = prop::sample::select(SensitiveKind::ALL.to_vec());
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..2);
    let codes = prop::collection::vec(prop::sample::select(&["B20", "F33", "F3", "Z21"][..]), 0..3);
    let on = prop::option::of(prop::sample::select(
        &[ResourceType::OBSERVATION, ResourceType::CONDITION][..],
    ));
    (kind, words, codes, on).prop_map(|(kind, words, codes, on)| LabelRule {
        id: Text::Borrowed("rule"),
        kind,
        confidence: Confidence::Certain,
        source: Text::Borrowed("a test"),
        on: on.into_iter().collect(),
        at: Vec::new(),
        codes: alloc::vec![CodeList {
            system: CodeSystem::Icd10.uri().to_string(),
            under: codes.iter().map(|code| (*code).to_string()).collect(),
            ..CodeList::default()
        }],
        words: words.into_iter().map(Text::Borrowed).collect(),
    })
}

/// A set of rules with ids of their own.
fn small_rules() -> impl Strategy<Value = Vec<LabelRule>> {
    prop::collection::vec(small_rule(), 0..5)
}

fn set_of(rules: &[LabelRule]) -> RuleSet {
    let numbered = rules.iter().enumerate().filter(|(_, rule)| {
        !rule.words.is_empty() || rule.codes.iter().any(|list| !list.under.is_empty())
    });
    let labels = numbered.map(|(number, rule)| LabelRule {
        id: format!("rule-{number}").into(),
        codes: rule.codes.iter().filter(|list| !list.under.is_empty()).cloned().collect(),
        ..rule.clone()
    });
    let edges = rules::shipped().edges;
    RuleSet::new(Rules { labels: labels.collect(), edges, ..Rules::default() }).unwrap()
}

fn small_resource() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(
        &["apple pie", "a banana  split", "cherry", "cherries", "banana", "none"][..],
    );
    let code = prop::sample::select(&["B20", "F33.1", "E11.9", "Z21"][..]);
    let kind = prop::sample::select(&["Observation", "Condition", "Basic"][..]);
    let label = prop::option::of(prop::sample::select(&["HIV", "R", "nonsense"][..]));
    (words, code, kind, label).prop_map(|(words, code, kind, label)| {
        let mut resource = json!({ "resourceType": kind, "code": { "text": words, "coding": [
            { "system": CodeSystem::Icd10.uri(), "code": code }] } });
        if let Some(label) = label {
            resource["meta"] = json!({ "security": [
                { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": label }] });
        }
        resource
    })
}

// ----- references

/// Resources that refer to one another as they like, cycles included.
fn graph() -> impl Strategy<Value = Vec<Value>> {
    let node = (small_resource(), prop::collection::vec((0_usize..6, 0_u8..4), 0..4));
    prop::collection::vec(node, 1..6).prop_map(|nodes| {
        let names = ["Encounter", "MedicationRequest", "Condition", "Observation"];
        let of = |number: usize| format!("{}/n{number}", names[number % names.len()]);
        let build = |(number, (resource, edges)): (usize, (Value, Vec<(usize, u8)>))| {
            let mut node = json!({ "resourceType": names[number % names.len()],
                "id": format!("n{number}"), "code": resource["code"] });
            for (to, place) in edges {
                let reference = json!({ "reference": of(to) });
                match place {
                    0 => node["encounter"] = reference,
                    1 => node["reasonReference"] = json!([reference]),
                    2 => node["diagnosis"] = json!([{ "condition": reference }]),
                    _ => node["basedOn"] = json!([reference]),
                }
            }
            node
        };
        nodes.into_iter().enumerate().map(build).collect()
    })
}

type At = BTreeMap<Key, Doc>;

fn at_hand(nodes: &[Value]) -> At {
    let docs = nodes.iter().map(doc);
    docs.map(|doc| ((doc.resource_type().unwrap(), doc.id().unwrap()), doc)).collect()
}

fn traced(rules: &RuleSet, record: &Doc, others: &At) -> (Traced, usize) {
    let mut trace = Trace::new(rules, record, "");
    let mut visits = 0;
    loop {
        let ring = trace.next_ring();
        if ring.is_empty() {
            return (trace.finish(), visits);
        }
        for key in ring {
            visits += 1;
            trace.give(&key, others.get(&key));
        }
    }
}

/// The same without ways, as records are judged.
fn walked(rules: &RuleSet, record: &Doc, others: &At) -> BTreeSet<SensitiveKind> {
    let own = record.resource_type().zip(record.id());
    let mut walk = Walk::new(own, 100);
    walk.go(None, rules.reach(record.root(), ""));
    let mut kinds = kinds_of(rules.label(record.root()));
    loop {
        let ring = walk.next_ring();
        if ring.is_empty() {
            return kinds;
        }
        for key in ring {
            let Some(doc) = others.get(&key) else { continue };
            kinds.extend(rules.label_for_referrers(doc.root()).iter());
            walk.go(Some(&key), rules.reach(doc.root(), ""));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rules_over_codes_find_what_the_naive_labeller_finds(resource in coded()) {
        let rules = code_rules();
        let mut expected = BTreeSet::new();
        naive(&resource, &rules, &mut expected);
        let set = RuleSet::new(rules).unwrap();
        prop_assert_eq!(kinds_of(set.label(doc(&resource).root())), expected, "{}", resource);
    }

    #[test]
    fn adding_a_rule_never_removes_a_label(
        rules in small_rules(), more in small_rules(), resource in small_resource()
    ) {
        let doc = doc(&resource);
        let before = kinds_of(set_of(&rules).label(doc.root()));
        let all: Vec<LabelRule> = rules.into_iter().chain(more).collect();
        let after = kinds_of(set_of(&all).label(doc.root()));
        prop_assert!(before.is_subset(&after), "{:?} {:?}", before, after);
    }

    /// A display is whatever a sender writes into it. It may add labels; it takes none away and is
    /// no way to name a rule or to close a string.
    #[test]
    fn no_text_takes_a_label_away(resource in small_resource(), text in "\\PC{0,40}", at in 0_u8..3) {
        let rules = RuleSet::shipped();
        let before = kinds_of(rules.label(doc(&resource).root()));
        let mut changed = resource;
        match at {
            0 => changed["code"]["coding"][0]["display"] = Value::from(text),
            1 => changed["text"] = json!({ "status": "generated", "div": text }),
            _ => changed["note"] = json!([{ "text": text }]),
        }
        let after = kinds_of(rules.label(doc(&changed).root()));
        prop_assert!(before.is_subset(&after), "{}", changed);
    }

    #[test]
    fn a_walk_along_references_ends_keeps_its_way_and_finds_what_labelling_finds(
        rules in small_rules(), nodes in graph()
    ) {
        let (rules, others) = (set_of(&rules), at_hand(&nodes));
        for (key, record) in &others {
            let (traced, visits) = traced(&rules, record, &others);
            // Nothing twice, and the record itself not at all.
            prop_assert!(visits <= 6, "{} visits", visits);
            prop_assert_eq!(kinds_of(traced.labels), walked(&rules, record, &others));
            for label in &traced.found {
                let Origin::Propagated(way) = &label.origin else { continue };
                prop_assert!((1..=usize::from(STEPS_MAX)).contains(&way.len()));
                let last = way.last().unwrap();
                prop_assert!((last.to, last.id.clone()) != *key);
                // Each step stands where the step before leads to.
                let mut at = record;
                for hop in way {
                    let edges = rules.edges(at.root(), "");
                    let found = edges.iter().find(|edge| edge.target == (hop.to, hop.id.clone()));
                    prop_assert_eq!(&found.unwrap().hop(), hop);
                    at = &others[&(hop.to, hop.id.clone())];
                }
            }
        }
    }
}

#[test]
fn a_record_that_refers_to_itself_or_round_about_gains_nothing_by_it() {
    let rules = RuleSet::shipped();
    let own =
        json!({ "resourceType": "Encounter", "id": "e", "partOf": { "reference": "Encounter/e" } });
    let (found, visits) = traced(&rules, &doc(&own), &at_hand(core::slice::from_ref(&own)));
    assert_eq!((found.labels, visits), (Labels::Known(SensitiveSet::EMPTY), 0));
    let a =
        json!({ "resourceType": "Encounter", "id": "a", "partOf": { "reference": "Encounter/b" } });
    let b =
        json!({ "resourceType": "Encounter", "id": "b", "partOf": { "reference": "Encounter/a" } });
    let (found, visits) = traced(&rules, &doc(&a), &at_hand(&[a.clone(), b]));
    assert_eq!((found.labels, visits), (Labels::Known(SensitiveSet::EMPTY), 1));
}

/// Labels of a dispense go as far as the rules say and not one step farther.
#[test]
fn labels_travel_as_far_as_the_rule_says_and_no_farther() {
    let node = |n: u8, to: Option<u8>| {
        let mut node = json!({ "resourceType": "ServiceRequest", "id": format!("n{n}") });
        match to {
            Some(to) => node["basedOn"] = json!([{ "reference": format!("ServiceRequest/n{to}") }]),
            None => node["code"] = json!({ "text": "HIV test" }),
        }
        node
    };
    let nodes: Vec<Value> = (0..5).map(|n| node(n, (n < 4).then_some(n + 1))).collect();
    let (rules, others) = (RuleSet::shipped(), at_hand(&nodes));
    let labels = |n: u8| {
        let key = (ResourceType::SERVICE_REQUEST, format!("n{n}").parse().unwrap());
        kinds_of(traced(&rules, &others[&key], &others).0.labels)
    };
    // `order-reason` reaches three steps: from the second of them on.
    assert_eq!(labels(0), BTreeSet::new());
    assert_eq!(labels(1), BTreeSet::from([SensitiveKind::Hiv]));
    assert_eq!(labels(4), BTreeSet::from([SensitiveKind::Hiv]));
}

#[test]
fn a_record_that_leads_to_more_than_is_looked_at_has_every_kind() {
    let result: Vec<Value> =
        (0..1002).map(|n| json!({ "reference": format!("Observation/o{n}") })).collect();
    let report = json!({ "resourceType": "DiagnosticReport", "id": "r", "result": result });
    let (found, _) = traced(&RuleSet::shipped(), &doc(&report), &At::new());
    assert!(found.is_cut);
    assert_eq!(found.labels, Labels::Known(SensitiveSet::all()));
}

#[test]
fn rules_of_documents_and_insurance_look_only_where_they_say() {
    let rules = RuleSet::shipped();
    let at = |kind: &str, element: &str, system: &str, code: &str| {
        let concept = json!({ "coding": [{ "system": system, "code": code }] });
        let resource = json!({ "resourceType": kind, element: concept });
        kinds_of(rules.label(doc(&resource).root()))
    };
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let service = "http://terminology.hl7.org/CodeSystem/v2-0074";
    let loinc = CodeSystem::Loinc.uri();
    assert!(
        at("DocumentReference", "type", loinc, "34786-4").contains(&SensitiveKind::MentalHealth)
    );
    assert!(at("Composition", "type", loinc, "68656-8").contains(&SensitiveKind::Genetics));
    assert_eq!(at("Observation", "bodySite", loinc, "68656-8"), BTreeSet::new());
    assert_eq!(
        at("DocumentReference", "type", loinc, "34787-2"),
        BTreeSet::from([SensitiveKind::MentalHealth, SensitiveKind::PsychotherapyNotes])
    );
    assert_eq!(
        at("DiagnosticReport", "category", service, "GE"),
        BTreeSet::from([SensitiveKind::Genetics])
    );
    assert_eq!(at("DiagnosticReport", "category", service, "LAB"), BTreeSet::new());
    assert_eq!(at("Observation", "category", service, "GE"), BTreeSet::new());
    assert_eq!(at("Coverage", "type", act, "HIVAIDS"), BTreeSet::from([SensitiveKind::Hiv]));
    assert_eq!(at("Coverage", "type", act, "PUBLICPOL"), BTreeSet::new());
    assert_eq!(at("Account", "type", act, "HIVAIDS"), BTreeSet::new());
}

/// What can be read counts beside what cannot; with nothing read it is unclassified.
#[test]
fn what_cannot_be_read_takes_nothing_away_from_what_can() {
    let rules = RuleSet::shipped();
    let picture = json!([{ "attachment": { "contentType": "image/png", "data": "AA==" } }]);
    let mut note = json!({ "resourceType": "DocumentReference", "content": picture });
    assert_eq!(rules.label(doc(&note).root()), Labels::Unclassified);
    note["description"] = Value::from("HIV clinic");
    let both = SensitiveSet::EMPTY.with(SensitiveKind::Hiv).with(SensitiveKind::Restricted);
    assert_eq!(rules.label(doc(&note).root()), Labels::Known(both));
}
