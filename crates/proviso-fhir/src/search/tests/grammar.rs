//! What is accepted, and what is refused by name.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use super::{context, parse};
use crate::search::{Query, SearchError, SearchScope, Total};

fn refusal(resource_type: ResourceType, raw: &str) -> String {
    match parse(resource_type, raw) {
        Err(error) => error.to_string(),
        Ok(query) => panic!("{raw} was accepted: {query:?}"),
    }
}

#[test]
fn well_formed_queries_are_accepted() {
    for raw in [
        "",
        "name=a,b&name:exact=c&name:contains=d&name:missing=false",
        "gender:not=male&identifier=http%3A%2F%2Fx%7C1&identifier:of-type=s|c|v",
        "birthdate=ge1980-01-01&birthdate=lt2000&death-date=ap2020",
        "general-practitioner:Practitioner=1&organization:identifier=s|v",
        "organization.name=x&general-practitioner:Practitioner.name:exact=y",
        "_has:Observation:patient:code=1234&_has:Condition:subject:_has:Provenance:target:agent=1",
        "_list=1,2&_list=3&organization._list=4",
        "_id=1&_lastUpdated=gt2020&_tag=a|b&_security=c&_profile=http://p&_source=u",
        "_count=10&_sort=-birthdate,name&_total=accurate&_summary=data",
        "_elements=id,name&_include=Patient:organization&_revinclude=Observation:patient",
        "_include=*&_revinclude=*:*&_include:iterate=Organization:partof",
    ] {
        if let Err(error) = parse(ResourceType::PATIENT, raw) {
            panic!("{raw}: {error}");
        }
    }
}

#[test]
fn what_is_unknown_or_unsupported_is_refused_by_name() {
    for (raw, text) in [
        ("nam=x", "the search parameter `nam` is not known here"),
        ("name:foo=x", "the modifier `foo` does not apply to the search parameter `name`"),
        ("name:not=x", "the modifier `not` does not apply to the search parameter `name`"),
        ("link:below=1", "the search parameter `link:below` is not supported by this server"),
        ("_text=x", "the search parameter `_text` is not supported by this server"),
        ("_list=$current-problems", "the value of `_list` is not an id"),
        ("_list=1,", "the value of `_list` is not an id"),
        ("_list=List/1", "the value of `_list` is not an id"),
        ("_list:missing=true", "the search parameter `_list:missing` is not known here"),
        ("_contained=true", "the search parameter `_contained` is not supported by this server"),
        ("_type=Patient", "the search parameter `_type` is not known here"),
        ("_foo=1", "the search parameter `_foo` is not known here"),
        ("birthdate=abc", "the value of `birthdate` is not a date or time"),
        ("identifier:text=%20", "the value of `identifier:text` is not a text"),
        ("birthdate=", "the value of `birthdate` is not given"),
        ("gender:missing=maybe", "the value of `gender:missing` is not `true` or `false`"),
        ("name=a\\b", "the value of `name` is not a text whose escapes are complete"),
        (
            "organization=a/b/c/d",
            "the value of `organization` is not an id, `Type/id` or an absolute URL",
        ),
        (
            "link:Organization=1",
            "the modifier `Organization` does not apply to the search parameter `link`",
        ),
        ("name.given=x", "the chain `name.given` fits no type that has the last parameter"),
        (
            "organization.foo=x",
            "the chain `organization.foo` fits no type that has the last parameter",
        ),
        (
            "_has:Observation:code:code=x",
            "the search parameter `_has:Observation:code:code` is not known here",
        ),
        (
            "_has:Observation:patient=x",
            "the search parameter `_has:Observation:patient` is not known here",
        ),
        ("_sort=foo", "the search parameter `_sort=foo` is not known here"),
        ("_count=-1", "the value of `_count` is not a whole number"),
        ("_count=1&_count=2", "the parameter `_count` is given more than once"),
        ("_include=Patient:name", "the search parameter `Patient:name` is not known here"),
        (
            "_include:foo=Patient:link",
            "the modifier `foo` does not apply to the search parameter `_include`",
        ),
        (
            "_summary=text&_include=Patient:link",
            "the search parameter `_summary=text` is not supported by this server",
        ),
        ("a=%zz", "the query is not valid form-encoded UTF-8"),
    ] {
        assert_eq!(refusal(ResourceType::PATIENT, raw), text, "{raw}");
    }
}

// Covers: design §13 limits of a query
#[test]
fn limits_hold_on_both_sides() {
    let many = |n: usize| (0..n).map(|_| "name=a").collect::<Vec<_>>().join("&");
    assert!(parse(ResourceType::PATIENT, &many(50)).is_ok());
    assert_eq!(parse(ResourceType::PATIENT, &many(51)), Err(SearchError::TooManyParameters));

    let values = |n: usize| format!("name={}", (0..n).map(|_| "a").collect::<Vec<_>>().join(","));
    assert!(parse(ResourceType::PATIENT, &values(200)).is_ok());
    assert!(matches!(
        parse(ResourceType::PATIENT, &values(201)),
        Err(SearchError::TooManyValues { .. })
    ));

    let chain = |n: usize| format!("{}name=x", "partof.".repeat(n));
    assert!(parse(ResourceType::ORGANIZATION, &chain(3)).is_ok());
    assert!(matches!(
        parse(ResourceType::ORGANIZATION, &chain(4)),
        Err(SearchError::TooDeep { .. })
    ));

    let three = "_include=Observation:encounter&_include:iterate=Encounter:location\
                 &_include:iterate=Location:organization";
    assert!(parse(ResourceType::OBSERVATION, three).is_ok());
    let four = format!("{three}&_include:iterate=Organization:endpoint");
    assert!(matches!(parse(ResourceType::OBSERVATION, &four), Err(SearchError::TooDeep { .. })));

    let query = parse(ResourceType::PATIENT, "_count=100000").unwrap();
    assert_eq!(query.controls.count, Some(1000));
}

#[test]
fn query_and_body_are_both_required() {
    let query = Query::parse(
        &context(),
        SearchScope::Type(ResourceType::PATIENT),
        &["gender=male", "birthdate=2000&_total=none"],
    )
    .unwrap();
    assert_eq!(query.filters.len(), 2);
    assert_eq!(query.controls.total, Total::None);
}

#[test]
fn a_search_of_everything_takes_what_its_types_share() {
    let system = |raw: &str| Query::parse(&context(), SearchScope::System, &[raw]);
    let query = system("_type=Observation,Condition&patient=1&_lastUpdated=gt2020").unwrap();
    assert_eq!(query.types, [ResourceType::CONDITION, ResourceType::OBSERVATION]);
    assert!(system("_id=1").is_ok());
    assert!(system("patient=1").is_err());
    assert!(system("_type=Observation,Practitioner&patient=1").is_err());
    assert!(system("_type=Foo").is_err());
}

// Covers: FHIR R4 patient-operation-everything.html
#[test]
fn everything_takes_its_own_parameters_and_no_other() {
    let patient = "p1".parse().unwrap();
    let ask = |raw: &str| Query::everything(&context(), &patient, raw);
    for raw in [
        "",
        "start=2020&end=2020-02-03&_since=2020-01-01T00:00:00Z&_type=Patient,Observation&_count=5",
        "_type=Patient&_type=Practitioner&_format=json&_pretty=true",
        "start=2020-01-01&end=2020-01-01",
        "start=2020-06&end=2020",
        "_since=2020-01-01T00:00:00+01:00",
    ] {
        assert!(ask(raw).is_ok(), "{raw} {:?}", ask(raw));
    }
    for (raw, text) in [
        ("start=x", "the value of `start` is not a date"),
        ("end=2020-01-01T10:00:00Z", "the value of `end` is not a date"),
        ("start=ge2020", "the value of `start` is not a date"),
        ("start=2020&start=2021", "the parameter `start` is given more than once"),
        (
            "start=2020-01-02&end=2020-01-01",
            "the value of `end` is not a date that is not before `start`",
        ),
        ("_since=x", "the value of `_since` is not an instant"),
        ("_since=2020&_since=2020", "the parameter `_since` is given more than once"),
        ("_type=Nonsense", "the value of `_type` is not a list of resource types"),
        ("_count=x", "the value of `_count` is not a whole number"),
        ("_include=*", "the search parameter `_include` is not supported by this server"),
        ("code=x", "the search parameter `code` is not supported by this server"),
    ] {
        assert_eq!(ask(raw).unwrap_err().to_string(), text, "{raw}");
    }
}

#[test]
fn only_the_patient_compartment_is_offered() {
    let within = |owner_type, resource_type, raw: &str| {
        let owner = "p1".parse().unwrap();
        let scope = SearchScope::Compartment { owner_type, owner, resource_type };
        Query::parse(&context(), scope, &[raw])
    };
    let observation = Some(ResourceType::OBSERVATION);
    assert!(within(ResourceType::PATIENT, observation, "code=x").is_ok());
    assert!(within(ResourceType::PATIENT, None, "").unwrap().types.len() > 60);
    assert!(within(ResourceType::PATIENT, Some(ResourceType::PRACTITIONER), "").is_err());
    assert!(within(ResourceType::ENCOUNTER, observation, "").is_err());
}
