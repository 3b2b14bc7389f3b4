//! Value sets, hierarchies and places: what is asked for, what stored resources say, and what
//! matches once the answers are there.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proviso_core::resource_type::ResourceType;
use serde_json::{Value, json};

use super::laws::satisfies;
use super::{BASE, doc, matches, parse};
use crate::search::{
    CodeSet, Direction, Found, Indexer, Joined, LookupKind, Param, ValueSetName, ValueSetReading,
    hierarchy, part_of,
};

/// The first reading of a ValueSet that refers to no other.
fn read(json: &str) -> Option<CodeSet> {
    let doc = doc(json);
    let readings = ValueSetReading::of(doc.root(), BASE);
    readings.into_iter().find_map(|reading| reading.complete(&BTreeMap::new()))
}

fn value_set(rest: &str) -> String {
    format!(r#"{{"resourceType":"ValueSet","url":"http://x/vs",{rest}}}"#)
}

fn compose(rest: &str) -> String {
    value_set(&format!(r#""compose":{{{rest}}}"#))
}

#[test]
fn a_value_set_is_what_it_enumerates() {
    let set = read(&compose(
        r#""include":[{"system":"s","concept":[{"code":"a"},{"code":"b"}]},{"system":"t"}],
           "exclude":[{"system":"t","concept":[{"code":"x"}]},{"system":"s","concept":[{"code":"b"}]}]"#,
    ))
    .unwrap();
    let rows = [
        ("s", "a", true),
        ("s", "b", false),
        ("s", "c", false),
        ("t", "y", true),
        ("t", "x", false),
    ];
    for (system, code, expected) in rows {
        assert_eq!(set.contains(system, code), expected, "{system}|{code}");
    }
    assert!(!set.contains("u", "a"));
}

#[test]
fn what_is_not_enumerated_has_no_reading() {
    for rest in [
        r#""include":[{"system":"s","filter":[{"property":"concept","op":"is-a","value":"a"}]}]"#,
        r#""include":[{"system":"s"}],"exclude":[{"system":"s","filter":[{"property":"p"}]}]"#,
        r#""include":[]"#,
        r#""include":[{}]"#,
        r#""include":[{"concept":[{"code":"a"}]}]"#,
        r#""include":[{"system":"s","concept":[{"display":"a"}]}]"#,
        r#""inactive":false,"include":[{"system":"s"}]"#,
        r#""include":[{"system":"s","modifierExtension":[{"url":"x"}]}]"#,
        r##""include":[{"valueSet":["#contained"]}]"##,
    ] {
        assert_eq!(read(&compose(rest)), None, "{rest}");
    }
    assert_eq!(read(&value_set(r#""status":"active""#)), None);
    assert_eq!(read(r#"{"resourceType":"Basic","compose":{"include":[{"system":"s"}]}}"#), None);
}

#[test]
fn an_expansion_counts_when_it_is_whole() {
    let expansion = |rest: &str| {
        read(&value_set(&format!(
            r#""compose":{{"include":[{{"system":"s","filter":[{{"op":"="}}]}}]}},
               "expansion":{{{rest}"contains":[{{"system":"s","code":"a","contains":[
                   {{"system":"s","code":"b"}},{{"system":"s","code":"top","abstract":true}}]}}]}}"#
        )))
    };
    let set = expansion(r#""total":3,"offset":0,"#).unwrap();
    assert!(set.contains("s", "a") && set.contains("s", "b") && !set.contains("s", "top"));
    for rest in [
        r#""total":4,"#,
        r#""offset":1,"#,
        r#""parameter":[{"name":"filter","valueString":"a"}],"#,
        r#""extension":[{"url":"http://hl7.org/fhir/StructureDefinition/valueset-unclosed"}],"#,
        r#""modifierExtension":[{"url":"x"}],"#,
    ] {
        assert_eq!(expansion(rest), None, "{rest}");
    }
}

#[test]
fn nested_value_sets_narrow_each_other() {
    let json = compose(
        r#""include":[{"system":"s","valueSet":["http://x/one|2","ValueSet/two"]}],
           "exclude":[{"valueSet":["http://x/three"]}]"#,
    );
    let doc = doc(&json);
    let reading = ValueSetReading::of(doc.root(), BASE).pop().unwrap();
    assert_eq!(reading.needs().len(), 3);
    let listing = |codes: &[&str]| {
        Arc::new(CodeSet::listing("s", codes.iter().map(ToString::to_string).collect()))
    };
    let name = |text| ValueSetName::parse(text, BASE).unwrap();
    let mut found = BTreeMap::from([
        (name("http://x/one|2"), listing(&["a", "b", "c"])),
        (name("https://fhir.example/r4/ValueSet/two"), listing(&["b", "c", "d"])),
    ]);
    assert_eq!(reading.clone().complete(&found), None);
    found.insert(name("http://x/three"), listing(&["c"]));
    let set = reading.complete(&found).unwrap();
    let held: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|c| set.contains("s", c)).collect();
    assert_eq!(held, ["b"]);
}

const CODE_SYSTEM: &str = r#""url":"s","content":"complete",
    "property":[{"code":"up","uri":"http://hl7.org/fhir/concept-properties#parent","type":"code"},
                {"code":"child","uri":"http://x/other","type":"code"}],
    "concept":[{"code":"a","concept":[{"code":"b","concept":[{"code":"c"}]}]},
               {"code":"d","property":[{"code":"up","valueCode":"b"}]},
               {"code":"e","property":[{"code":"child","valueCode":"a"},{"code":"parent","valueCode":"f"}]},
               {"code":"f","property":[{"code":"up","valueCode":"g"}]},
               {"code":"g","property":[{"code":"up","valueCode":"f"}]}]"#;

fn around(rest: &str, code: &str, direction: Direction) -> Option<String> {
    let doc = doc(&format!(r#"{{"resourceType":"CodeSystem",{rest}}}"#));
    let set = hierarchy(doc.root(), code, direction)?;
    Some(["a", "b", "c", "d", "e", "f", "g"].into_iter().filter(|c| set.contains("s", c)).collect())
}

#[test]
fn a_hierarchy_is_nested_or_told_by_properties() {
    for (code, below, above) in [
        ("a", "abcd", "a"),
        ("b", "bcd", "ab"),
        ("c", "c", "abc"),
        ("d", "d", "abd"),
        ("e", "e", "efg"),
        ("g", "efg", "fg"),
    ] {
        assert_eq!(around(CODE_SYSTEM, code, Direction::Below).as_deref(), Some(below), "{code}");
        assert_eq!(around(CODE_SYSTEM, code, Direction::Above).as_deref(), Some(above), "{code}");
    }
    assert_eq!(around(CODE_SYSTEM, "z", Direction::Below), None);
    for (text, other) in [
        (r#""content":"complete""#, r#""content":"fragment""#),
        (r#""content":"complete","#, ""),
        (r#""content":"complete""#, r#""content":"complete","hierarchyMeaning":"part-of""#),
        (r#""url":"s","#, ""),
    ] {
        let rest = CODE_SYSTEM.replace(text, other);
        assert_eq!(around(&rest, "a", Direction::Below), None, "{other}");
    }
    let stated = CODE_SYSTEM.replace(r#""url":"s""#, r#""url":"s","hierarchyMeaning":"is-a""#);
    assert!(around(&stated, "a", Direction::Below).is_some());
}

#[test]
fn lookups_are_listed_and_read() {
    let query = parse(
        ResourceType::ENCOUNTER,
        "class:in=http://x/vs|1,ValueSet/v&type:not-in=http://x/vs&reason-code:below=s|a\
         &location:above=Location/l&service-provider:below=o",
    )
    .unwrap();
    let kinds: Vec<_> = query.lookups.iter().map(|lookup| &lookup.kind).collect();
    let name = |text| LookupKind::ValueSet(ValueSetName::parse(text, BASE).unwrap());
    let below = Direction::Below;
    assert_eq!(
        kinds,
        [
            &name("http://x/vs|1"),
            &name("ValueSet/v"),
            &name("http://x/vs"),
            &LookupKind::Concept { system: "s".into(), code: "a".into(), direction: below },
            &LookupKind::PartOf {
                start: (ResourceType::LOCATION, "l".parse().unwrap()),
                direction: Direction::Above,
            },
            &LookupKind::PartOf {
                start: (ResourceType::ORGANIZATION, "o".parse().unwrap()),
                direction: below,
            },
        ]
    );
    let reads: Vec<_> = query.reads().into_iter().map(|(t, code)| format!("{t}.{code}")).collect();
    for read in
        ["ValueSet.url", "ValueSet._id", "CodeSystem.url", "Location.partof", "Organization.partof"]
    {
        assert!(reads.iter().any(|found| found == read), "{read} in {reads:?}");
    }
}

/// Whether the resource is an answer once all lookups of the query have the same answer.
fn matches_given(json: &str, raw: &str, found: &Found) -> bool {
    let doc = doc(json);
    let query = parse(doc.resource_type().unwrap(), raw).unwrap();
    // Without an answer nothing matches, however the question is put.
    assert!(!query.matches(doc.root(), &Joined::default()), "{raw}");
    let found = query.lookups.iter().map(|_| found.clone()).collect();
    query.matches(doc.root(), &Joined { found, ..Joined::default() })
}

#[test]
fn codes_are_in_a_set_by_system_and_code() {
    let set = CodeSet::listing("s", BTreeSet::from(["a".into()]));
    let found = Found::Codes(set);
    for (coding, within, outside) in [
        (r#","code":{"coding":[{"system":"s","code":"a"}]}"#, true, false),
        (
            r#","code":{"coding":[{"system":"s","code":"b"},{"system":"s","code":"a"}]}"#,
            true,
            false,
        ),
        (r#","code":{"coding":[{"system":"s","code":"b"}]}"#, false, true),
        (r#","code":{"coding":[{"code":"a"}]}"#, false, true),
        (r#","code":{"text":"a"}"#, false, true),
        // Where there is no code at all, there is none outside the set either.
        ("", false, false),
    ] {
        let json = format!(r#"{{"resourceType":"Observation"{coding}}}"#);
        assert_eq!(matches_given(&json, "code:in=http://x/vs", &found), within, "{coding}");
        assert_eq!(matches_given(&json, "code:below=s|a", &found), within, "{coding}");
        assert_eq!(matches_given(&json, "code:not-in=http://x/vs", &found), outside, "{coding}");
    }
    let statuses = CodeSet::listing(
        "http://hl7.org/fhir/observation-status",
        BTreeSet::from(["final".into()]),
    );
    let json = r#"{"resourceType":"Observation","status":"final"}"#;
    assert!(matches_given(json, "status:in=http://x/vs", &Found::Codes(statuses)));
}

#[test]
fn references_lead_into_a_hierarchy() {
    let key = |id: &str| (ResourceType::LOCATION, id.parse().unwrap());
    let found = Found::Resources(BTreeSet::from([key("l1"), key("l2")]));
    for (reference, expected) in [
        ("Location/l2", true),
        ("https://fhir.example/r4/Location/l1", true),
        ("Location/l3", false),
    ] {
        let json = format!(
            r#"{{"resourceType":"Encounter","location":[{{"location":{{"reference":"{reference}"}}}}]}}"#
        );
        assert_eq!(matches_given(&json, "location:below=l1", &found), expected, "{reference}");
    }
}

#[test]
fn every_hierarchy_is_made_by_a_reference_of_a_type_to_itself() {
    let mut count = 0;
    for resource_type in ResourceType::all() {
        let Some(code) = part_of(resource_type) else { continue };
        let link = Param::find(resource_type, code).unwrap();
        assert!(link.may_target(resource_type), "{resource_type}");
        let query = parse(resource_type, &format!("{code}:above={resource_type}/x")).unwrap();
        assert_eq!(query.lookups.len(), 1, "{resource_type}");
        count += 1;
    }
    assert_eq!(count, 9);
}

#[test]
fn places_are_near_or_not() {
    let json = r#"{"resourceType":"Location","id":"l",
        "position":{"longitude":-83.69471,"latitude":42.25650}}"#;
    for (raw, expected) in [
        ("near=42.256500|-83.694810|11.20|km", true),
        ("near=42.2565|-83.6948|5|m", false),
        ("near=42.2565|-83.6948|15|m", true),
        ("near=42.35|-83.69", true),
        ("near=43|-83.69", false),
        ("near=43|-83.69|60|%5Bmi_us%5D", true),
        ("near=0|0|1,42.2|-83.6|30", true),
        ("near:missing=false", true),
        ("near:missing=true", false),
    ] {
        assert_eq!(matches(json, raw), expected, "{raw}");
        let query = parse(ResourceType::LOCATION, raw).unwrap();
        // Every Location is a candidate: a place has no key.
        let clauses = query.clauses(&Indexer::new(ResourceType::LOCATION), &Joined::default());
        assert!(clauses.is_empty(), "{raw} {clauses:?}");
    }
    assert!(!matches(r#"{"resourceType":"Location"}"#, "near=0|0|20000"));
    let nowhere = r#"{"resourceType":"Location","position":{"longitude":500,"latitude":0}}"#;
    assert!(!matches(nowhere, "near=0|0|30000"));
}

#[test]
fn malformed_values_are_refused_by_name() {
    for (resource_type, raw, text) in [
        (ResourceType::LOCATION, "near=x", "the value of `near` is not `latitude|longitude|"),
        (ResourceType::LOCATION, "near:exact=1|2", "the modifier `exact` does not apply"),
        (
            ResourceType::LOCATION,
            "_sort=near",
            "the search parameter `_sort=near` is not supported",
        ),
        (ResourceType::OBSERVATION, "code:in=x", "the value of `code:in` is not the URL"),
        (ResourceType::OBSERVATION, "code:not-in=Basic/x", "the value of `code:not-in` is not the"),
        (
            ResourceType::OBSERVATION,
            "code:below=a",
            "the value of `code:below` is not `system|code`",
        ),
        (
            ResourceType::OBSERVATION,
            "code:above=|a",
            "the value of `code:above` is not `system|code`",
        ),
        (ResourceType::OBSERVATION, "subject:in=x", "the modifier `in` does not apply"),
        (
            ResourceType::ENCOUNTER,
            "location:below=Patient/1",
            "the value of `location:below` is not",
        ),
        (
            ResourceType::PLAN_DEFINITION,
            "definition:below=PlanDefinition/1",
            "the value of `definition:below` is not a canonical URL",
        ),
        (
            ResourceType::ENCOUNTER,
            "part-of:below=Location/1",
            "the value of `part-of:below` is not the id",
        ),
        (
            ResourceType::ENCOUNTER,
            "diagnosis:below=Condition/1",
            "the value of `diagnosis:below` is not the id",
        ),
        (
            ResourceType::CONDITION,
            "asserter:below=Patient/1",
            "the search parameter `asserter:below` is not supported by this server",
        ),
    ] {
        let refusal = parse(resource_type, raw).unwrap_err().to_string();
        assert!(refusal.starts_with(text), "{raw}: {refusal}");
    }
}

const SYSTEMS: [&str; 3] = ["s", "t", "http://hl7.org/fhir/observation-status"];
const CODES: [&str; 4] = ["a", "b", "c", "final"];

fn rule() -> impl Strategy<Value = Value> {
    (select(&SYSTEMS[..]), option::of(vec(select(&CODES[..]), 1..3))).prop_map(|(system, codes)| {
        match codes {
            Some(codes) => {
                let concepts: Vec<_> = codes.iter().map(|code| json!({ "code": code })).collect();
                json!({ "system": system, "concept": concepts })
            }
            None => json!({ "system": system }),
        }
    })
}

fn holds(rules: &Value, system: &Value, code: &Value) -> bool {
    rules.as_array().unwrap().iter().any(|rule| {
        rule["system"] == *system
            && rule["concept"]
                .as_array()
                .is_none_or(|concepts| concepts.iter().any(|concept| concept["code"] == *code))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn value_sets_match_as_their_text_says_and_narrowing_loses_none(
        include in vec(rule(), 1..4),
        exclude in vec(rule(), 0..3),
        codings in vec((option::of(select(&SYSTEMS[..])), select(&CODES[..])), 0..3),
        code in select(&["code", "combo-code", "status"][..]),
        modifier in select(&["in", "not-in"][..]),
    ) {
        let set = json!({ "resourceType": "ValueSet",
            "compose": { "include": include, "exclude": exclude } });
        let found = Found::Codes(read(&set.to_string()).unwrap());
        let written: Vec<Value> = codings
            .iter()
            .map(|(system, code)| match system {
                Some(system) => json!({ "system": system, "code": code }),
                None => json!({ "code": code }),
            })
            .collect();
        let resource = json!({ "resourceType": "Observation", "id": "o1", "status": "final",
            "code": { "coding": written } });
        let seen = if code == "status" {
            Vec::from([json!({ "system": SYSTEMS[2], "code": "final" })])
        } else {
            written
        };
        let within = seen.iter().any(|coding| {
            let (system, code) = (&coding["system"], &coding["code"]);
            holds(&set["compose"]["include"], system, code)
                && !holds(&set["compose"]["exclude"], system, code)
        });
        let expected = if modifier == "in" { within } else { !within && !seen.is_empty() };

        let doc = doc(&resource.to_string());
        let query = parse(ResourceType::OBSERVATION, &format!("{code}:{modifier}=http://x/vs")).unwrap();
        let joined = Joined { found: Vec::from([found]), ..Joined::default() };
        let matched = query.matches(doc.root(), &joined);
        prop_assert_eq!(matched, expected, "{} {} on {}", set, modifier, resource);
        let indexer = Indexer::new(ResourceType::OBSERVATION);
        let index = indexer.keys(doc.root(), BASE);
        for clause in query.clauses(&indexer, &joined) {
            prop_assert!(!matched || satisfies(&clause, &index, &doc), "{:?} loses {}", clause, resource);
        }
    }

    #[test]
    fn hierarchies_of_places_narrow_without_loss(
        held in vec(select(&["l1", "l2", "l3"][..]), 0..3),
        referred in option::of(select(&["Location/l1", "Location/l3",
            "https://fhir.example/r4/Location/l2", "http://o/Location/l2"][..])),
    ) {
        let key = |id: &&str| (ResourceType::LOCATION, id.parse().unwrap());
        let found = Found::Resources(held.iter().map(key).collect());
        let location = referred.map(|text| json!([{ "location": { "reference": text } }]));
        let resource = json!({ "resourceType": "Encounter", "id": "e", "location": location });
        let expected = referred.is_some_and(|text| {
            let local = text.strip_prefix("https://fhir.example/r4/").unwrap_or(text);
            held.iter().any(|id| local == format!("Location/{id}"))
        });
        let doc = doc(&resource.to_string());
        let query = parse(ResourceType::ENCOUNTER, "location:below=Location/l1").unwrap();
        let joined = Joined { found: Vec::from([found]), ..Joined::default() };
        let matched = query.matches(doc.root(), &joined);
        prop_assert_eq!(matched, expected);
        let indexer = Indexer::new(ResourceType::ENCOUNTER);
        let index = indexer.keys(doc.root(), BASE);
        for clause in query.clauses(&indexer, &joined) {
            prop_assert!(!matched || satisfies(&clause, &index, &doc), "{:?} loses {}", clause, resource);
        }
    }
}
