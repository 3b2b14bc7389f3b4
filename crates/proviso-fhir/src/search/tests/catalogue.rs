//! Every published search parameter is really evaluated.

use alloc::format;
use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use crate::search::param::{Param, ParamType};
use crate::search::{Indexer, Query};
use crate::spec;

#[test]
fn every_parameter_of_every_type_compiles() {
    let mut compiled = 0;
    for resource_type in ResourceType::all() {
        for definition in spec::search_params_for(resource_type) {
            let param = Param::compile(resource_type, definition)
                .unwrap_or_else(|error| panic!("{resource_type} {}: {error}", definition.code))
                .unwrap_or_else(|| panic!("{resource_type} {} has no expression", definition.code));
            let finds_something = param.expression.paths().iter().any(|p| !p.steps.is_empty())
                || param.kind == ParamType::Composite
                || param.code == "deceased";
            assert!(finds_something, "{resource_type} {}", definition.code);
            assert_eq!(param.components.len(), definition.components.len());
            compiled += 1;
        }
    }
    assert!(compiled > 1300, "{compiled}");
}

#[test]
fn every_parameter_takes_a_value_of_its_kind() {
    let mut refused = Vec::new();
    for resource_type in ResourceType::all() {
        for param in Param::all(resource_type) {
            let value = |kind| match kind {
                ParamType::Number | ParamType::Quantity => "5",
                ParamType::Date => "2020",
                ParamType::Reference => "http://x/1",
                ParamType::String | ParamType::Token | ParamType::Uri | ParamType::Composite => "x",
                ParamType::Special => "1|2",
            };
            let parts: Vec<&str> = match param.components.as_slice() {
                [] => Vec::from([value(param.kind)]),
                parts => parts.iter().map(|part| value(part.kind)).collect(),
            };
            let text = parts.join("$");
            let raw = format!("{}={text}", param.code);
            if super::parse(resource_type, &raw).is_err() {
                refused.push(format!("{resource_type} {}", param.code));
            }
        }
    }
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn shared_elements_are_indexed_once() {
    let indexer = Indexer::new(ResourceType::OBSERVATION);
    let doc = super::doc(
        r#"{"resourceType":"Observation","code":{"coding":[{"code":"a"}]},
            "subject":{"reference":"Patient/1"}}"#,
    );
    // One key for `code` (under `combo-code`) and one for `subject` (which sees all of `patient`).
    assert_eq!(indexer.keys(doc.root(), super::BASE).keys.len(), 2);
}

#[test]
fn the_exchanged_components_of_document_relationship_are_put_right() {
    let json = r#"{"resourceType":"DocumentReference","relatesTo":[{"code":"appends",
        "target":{"reference":"DocumentReference/9"}}]}"#;
    assert!(super::matches(json, "relationship=DocumentReference/9$appends"));
    assert!(!super::matches(json, "relationship=DocumentReference/9$replaces"));
}

#[test]
fn a_query_tells_what_it_reads() {
    let query: Query = super::parse(
        ResourceType::OBSERVATION,
        "code=x&subject:Patient.name=y&_has:Provenance:target:agent=Device/1&_sort=date\
         &_include=Observation:performer",
    )
    .unwrap();
    let reads: Vec<_> = query.reads().into_iter().map(|(t, code)| format!("{t}.{code}")).collect();
    assert_eq!(
        reads,
        [
            "Observation.code",
            "Observation.date",
            "Observation.performer",
            "Observation.subject",
            "Patient.name",
            "Provenance.agent",
            "Provenance.target",
        ]
    );
}

#[test]
fn parameters_of_canonical_urls_are_known_by_their_elements() {
    for (resource_type, code, expected) in [
        (ResourceType::CARE_PLAN, "instantiates-canonical", true),
        (ResourceType::CONCEPT_MAP, "source", true),
        (ResourceType::PLAN_DEFINITION, "definition", true),
        (ResourceType::QUESTIONNAIRE_RESPONSE, "questionnaire", true),
        (ResourceType::LIBRARY, "depends-on", true),
        (ResourceType::OBSERVATION, "subject", false),
        (ResourceType::LIST, "item", false),
        (ResourceType::ENCOUNTER, "location", false),
    ] {
        let param = Param::find(resource_type, code).unwrap();
        assert_eq!(param.is_canonical, expected, "{resource_type} {code}");
    }
}
