//! How values compare, row by row as FHIR R4 search.html describes it.

use alloc::collections::BTreeSet;
use alloc::format;

use proviso_core::resource_type::ResourceType;

use super::{BASE, context, doc, matches, parse};
use crate::json::Doc;
use crate::search::{Joined, Query, SearchScope, matches_scope_filter};

fn check(json: &str, rows: &[(&str, bool)]) {
    for (raw, expected) in rows {
        assert_eq!(matches(json, raw), *expected, "{raw} on {json}");
    }
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p1",
    "meta":{"lastUpdated":"2024-05-06T07:08:09.123Z","tag":[{"system":"t","code":"x"}],
            "profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},
    "identifier":[{"system":"urn:mrn","value":"12|3","type":{"text":"Record number",
        "coding":[{"system":"http://v2-0203","code":"MR"}]}}],
    "active":true,"gender":"female","birthDate":"1980-02",
    "name":[{"family":"Álvarez","given":["María José"],"text":"María José Álvarez"}],
    "telecom":[{"system":"phone","use":"home","value":"555-1234"},
               {"system":"email","value":"Maria@Example.org"}],
    "address":[{"line":["1 Main St"],"city":"Springfield"}],
    "generalPractitioner":[{"reference":"Practitioner/d1"}],
    "managingOrganization":{"reference":"https://fhir.example/r4/Organization/o1",
        "identifier":{"system":"npi","value":"77"}}}"#;

#[test]
fn strings_start_alike_whatever_case_and_accents() {
    check(
        PATIENT,
        &[
            ("family=alv", true),
            ("family=ALVAREZ", true),
            ("family=lvarez", false),
            ("family:contains=LVAR", true),
            ("family:exact=Álvarez", true),
            ("family:exact=Alvarez", false),
            ("name=mar", true),
            ("name=jose", false),
            ("name=x,alv", true),
            ("address=spring", true),
            ("address=1%20main", true),
            ("address-city:exact=Springfield", true),
            ("phonetic=Alvares", true),
            ("phonetic=Okoro", false),
            ("phonetic=Maria%20Alvares", true),
            ("phonetic=Maria%20Okoro", false),
            ("family:missing=true", false),
            ("address-country:missing=true", true),
        ],
    );
}

#[test]
fn tokens_go_by_system_and_code() {
    check(
        PATIENT,
        &[
            ("identifier=urn:mrn%7C12%5C%7C3", true),
            ("identifier=12%5C%7C3", true),
            ("identifier=urn:mrn%7C", true),
            ("identifier=%7C12%5C%7C3", false),
            ("identifier=urn:other%7C12%5C%7C3", false),
            ("identifier:of-type=http://v2-0203|MR|12%5C%7C3", true),
            ("identifier:of-type=http://v2-0203|SS|12%5C%7C3", false),
            ("identifier:text=record", true),
            ("gender=female", true),
            ("gender=http://hl7.org/fhir/administrative-gender|female", true),
            ("gender=http://other|female", false),
            ("gender=|female", true),
            ("gender:not=male", true),
            ("gender:not=male,female", false),
            ("active=true", true),
            ("active=false", false),
            ("deceased=false", true),
            ("telecom=555-1234", true),
            ("telecom=home|555-1234", true),
            ("phone=maria@example.org", false),
            ("email=maria@example.ORG", true),
            ("_tag=t|x", true),
            ("_id=p1", true),
            ("_id=P1", false),
            ("language:not=en", true),
        ],
    );
}

#[test]
fn dates_compare_as_ranges() {
    check(
        PATIENT,
        &[
            ("birthdate=1980-02", true),
            ("birthdate=1980", true),
            ("birthdate=1980-02-01", false),
            ("birthdate=ne1980-02-01", true),
            ("birthdate=gt1980-02-01", true),
            ("birthdate=gt1980-02", false),
            ("birthdate=ge1980-02", true),
            ("birthdate=lt1980-02-15", true),
            ("birthdate=lt1980-02-01", false),
            ("birthdate=le1980-02", true),
            ("birthdate=sa1980-01", true),
            ("birthdate=sa1980-02-01", false),
            ("birthdate=eb1980-03", true),
            ("birthdate=eb1980-02-20", false),
            ("birthdate=ap1981", true),
            ("birthdate=ap2020", false),
            ("birthdate=ge1970&birthdate=lt1990", true),
            ("_lastUpdated=2024-05-06", true),
            ("_lastUpdated=gt2024-05-06T09:08:09%2B02:00", false),
            ("_lastUpdated=gt2024-05-06T09:08:08+02:00", true),
        ],
    );
}

#[test]
fn periods_and_timings_compare_by_their_limits() {
    let encounter = r#"{"resourceType":"Encounter","period":{"start":"2020-01-10"}}"#;
    check(
        encounter,
        &[
            ("date=ge2019", true),
            ("date=gt2030", true),
            ("date=lt2020-01-10", false),
            ("date=lt2020-01-11", true),
            ("date=2020", false),
            ("date=sa2020-01-09", true),
        ],
    );
    let timing = r#"{"resourceType":"ServiceRequest","occurrenceTiming":
        {"event":["2020-01-01","2020-03-01"]}}"#;
    check(timing, &[("occurrence=2020", true), ("occurrence=2020-01-01", false)]);
}

#[test]
fn references_match_however_they_are_written() {
    check(
        PATIENT,
        &[
            ("general-practitioner=d1", true),
            ("general-practitioner=Practitioner/d1", true),
            ("general-practitioner:Practitioner=d1", true),
            ("general-practitioner:Organization=d1", false),
            ("general-practitioner=https://fhir.example/r4/Practitioner/d1", true),
            ("general-practitioner=https://other.example/Practitioner/d1", false),
            ("organization=Organization/o1", true),
            ("organization=o1,o2", true),
            ("organization:identifier=npi|77", true),
            ("organization:identifier=npi|78", false),
        ],
    );
    let versioned =
        r#"{"resourceType":"Observation","subject":{"reference":"Patient/1/_history/3"}}"#;
    check(
        versioned,
        &[
            ("subject=Patient/1", true),
            ("subject=Patient/1/_history/3", true),
            ("subject=Patient/1/_history/2", false),
            ("patient=1", true),
        ],
    );
    let by_criteria = r#"{"resourceType":"Encounter","participant":[{"individual":
        {"reference":"Practitioner?identifier=http://npi|99"}}]}"#;
    check(
        by_criteria,
        &[
            ("practitioner:identifier=http://npi|99", true),
            ("practitioner:identifier=http://npi|98", false),
            ("participant:identifier=99", true),
        ],
    );
    let canonical = r#"{"resourceType":"CarePlan",
        "instantiatesCanonical":["http://x/PlanDefinition/p|2.0"]}"#;
    check(
        canonical,
        &[
            ("instantiates-canonical=http://x/PlanDefinition/p", true),
            ("instantiates-canonical=http://x/PlanDefinition/p%7C2.0", true),
            ("instantiates-canonical=http://x/PlanDefinition/p%7C3.0", false),
            ("instantiates-canonical:below=http://x/PlanDefinition/p%7C2", true),
            ("instantiates-canonical:below=http://x/PlanDefinition/p%7C2.0.1", false),
            ("instantiates-canonical:below=http://x/PlanDefinition", true),
            ("instantiates-canonical:above=http://x/PlanDefinition/p%7C2.0.1", true),
            ("instantiates-canonical:above=http://x/PlanDefinition/p%7C2", false),
            ("instantiates-canonical:missing=false", true),
        ],
    );
}

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o1","status":"final",
    "code":{"coding":[{"system":"http://loinc.org","code":"2339-0","display":"Glucose"}],
            "text":"Blood sugar"},
    "valueQuantity":{"value":7.20,"unit":"mmol/l","system":"http://unitsofmeasure.org",
                     "code":"mmol/L"},
    "component":[{"code":{"coding":[{"code":"c1"}]},"valueQuantity":{"value":100}},
                 {"code":{"coding":[{"code":"c2"}]},"valueQuantity":{"value":3}}]}"#;

#[test]
fn quantities_compare_by_number_and_unit() {
    check(
        OBSERVATION,
        &[
            ("value-quantity=7.2", true),
            ("value-quantity=7.20||mmol/L", true),
            ("value-quantity=7.2||mmol/l", true),
            ("value-quantity=7.2|http://unitsofmeasure.org|mmol/L", true),
            ("value-quantity=7.2|http://unitsofmeasure.org|mg", false),
            ("value-quantity=7", true),
            ("value-quantity=7.0", false),
            ("value-quantity=gt7.2", false),
            ("value-quantity=ge7.2", true),
            ("value-quantity=lt7.21", true),
            ("value-quantity=ne7.3", true),
            ("value-quantity=ap7.9", true),
            ("value-quantity=ap8.1", false),
            ("combo-value-quantity=3", true),
        ],
    );
    let below = r#"{"resourceType":"Observation","valueQuantity":{"value":5,"comparator":"<"}}"#;
    check(
        below,
        &[("value-quantity=lt3", true), ("value-quantity=gt5", false), ("value-quantity=5", false)],
    );
}

#[test]
fn composites_hold_at_one_place() {
    check(
        OBSERVATION,
        &[
            ("code-value-quantity=2339-0$gt7", true),
            ("code-value-quantity=http://loinc.org|2339-0$gt8", false),
            ("component-code-value-quantity=c1$100", true),
            ("component-code-value-quantity=c1$3", false),
            ("combo-code-value-quantity=c2$3", true),
            ("code:text=blood", true),
            ("code:text=gluc", true),
        ],
    );
}

#[test]
fn uris_match_whole_or_by_path() {
    check(
        PATIENT,
        &[
            ("_profile=http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient", true),
            ("_profile=http://hl7.org/fhir/us/core/StructureDefinition/us-core", false),
            ("_profile:below=http://hl7.org/fhir/us/core", true),
            ("_profile:below=http://hl7.org/fhir/us/co", false),
            (
                "_profile:above=http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient/x",
                true,
            ),
        ],
    );
}

#[test]
fn chains_and_has_rest_on_what_the_caller_found() {
    let patient = doc(PATIENT);
    let query =
        parse(ResourceType::PATIENT, "organization.name=x&_has:Observation:patient:code=2339-0")
            .unwrap();
    let organization = doc(r#"{"resourceType":"Organization","id":"o1","name":"Xavier"}"#);
    let observation =
        doc(r#"{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/p1"},
            "code":{"coding":[{"code":"2339-0"}]}}"#);
    let answers = |visible: &[&Doc]| {
        let mut joined = Joined::default();
        for join in &query.joins {
            let mut set = BTreeSet::new();
            for found in visible {
                let hit = join.queries.iter().any(|q| q.matches(found.root(), &Joined::default()));
                if hit {
                    join.collect(found.root(), BASE, &mut set);
                }
            }
            joined.keys.push(set);
        }
        query.matches(patient.root(), &joined)
    };
    assert!(answers(&[&organization, &observation]));
    assert!(!answers(&[&organization]));
    assert!(!answers(&[&observation]));
}

// Covers: FHIR R4 search.html list
#[test]
fn a_list_has_what_its_entries_refer_to_unless_they_are_marked_deleted() {
    let list = doc(r#"{"resourceType":"List","id":"l","entry":[
        {"item":{"reference":"Patient/p1"}},
        {"item":{"reference":"https://fhir.example/r4/Patient/p2/_history/3"}},
        {"deleted":true,"item":{"reference":"Patient/p3"}},
        {"deleted":false,"item":{"reference":"Patient/p4"}},
        {"item":{"reference":"https://other.example/Patient/p5"}},
        {"item":{"reference":"Practitioner/p6"}},{"item":{"display":"p7"}}]}"#);
    let query = parse(ResourceType::PATIENT, "_list=l,m").unwrap();
    let join = &query.joins[0];
    let inner = |json: &str| join.queries[0].matches(doc(json).root(), &Joined::default());
    assert!(inner(r#"{"resourceType":"List","id":"m"}"#));
    assert!(!inner(r#"{"resourceType":"List","id":"n"}"#));
    assert!(!inner(r#"{"resourceType":"Group","id":"m"}"#));
    let mut on_it = BTreeSet::new();
    join.collect(list.root(), BASE, &mut on_it);
    let joined = Joined { keys: alloc::vec![on_it], ..Joined::default() };
    for (id, expected) in
        [("p1", true), ("p2", true), ("p3", false), ("p4", true), ("p5", false), ("p6", false)]
    {
        let patient = doc(&format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#));
        assert_eq!(query.matches(patient.root(), &joined), expected, "{id}");
        assert!(!query.matches(patient.root(), &Joined::default()), "{id}");
    }
    let reads = query.reads();
    assert!(reads.contains(&(ResourceType::LIST, "item".into())), "{reads:?}");
}

#[test]
fn a_compartment_is_the_owner_and_what_refers_to_it() {
    let owner = "p1".parse().unwrap();
    let scope =
        SearchScope::Compartment { owner_type: ResourceType::PATIENT, owner, resource_type: None };
    let query = Query::parse(&context(), scope, &[""]).unwrap();
    for (json, inside) in [
        (PATIENT, true),
        (r#"{"resourceType":"Patient","id":"p2"}"#, false),
        (r#"{"resourceType":"Observation","subject":{"reference":"Patient/p1"}}"#, true),
        (r#"{"resourceType":"Observation","subject":{"reference":"Patient/p2"}}"#, false),
        (r#"{"resourceType":"Practitioner","id":"p1"}"#, false),
    ] {
        assert_eq!(query.matches(doc(json).root(), &Joined::default()), inside, "{json}");
    }
}

#[test]
fn order_puts_missing_values_last_both_ways() {
    let docs = [
        doc(r#"{"resourceType":"Patient","id":"a","birthDate":"1990"}"#),
        doc(r#"{"resourceType":"Patient","id":"b"}"#),
        doc(r#"{"resourceType":"Patient","id":"c","birthDate":"1980"}"#),
        doc(r#"{"resourceType":"Patient","id":"d","birthDate":"1990"}"#),
    ];
    for (sort, expected) in
        [("birthdate", "c a d b"), ("-birthdate", "a d c b"), ("-_id", "d c b a")]
    {
        let query = parse(ResourceType::PATIENT, &format!("_sort={sort}")).unwrap();
        let mut rows: alloc::vec::Vec<_> =
            docs.iter().map(|d| (query.sort_row(d.root()).unwrap(), d.id().unwrap())).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let ids: alloc::vec::Vec<_> = rows.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids.join(" "), expected, "{sort}");
    }
}

#[test]
fn a_place_among_the_matches_survives_being_written_down() {
    let docs = [
        r#"{"resourceType":"Observation","id":"a","effectiveDateTime":"1890-02-03T04:05:06.789Z","valueQuantity":{"value":-7.250},"code":{"coding":[{"code":"É \"x\""}]},"subject":{"reference":"Patient/1"}}"#,
        r#"{"resourceType":"Observation","id":"b","effectivePeriod":{"end":"2020"},"valueQuantity":{"value":0}}"#,
        r#"{"resourceType":"Observation","id":"c","valueQuantity":{"value":1e30},"code":{"text":""}}"#,
    ];
    for raw in ["", "_sort=date,-value-quantity", "_sort=-code,subject,_id,-_lastUpdated"] {
        let query = parse(ResourceType::OBSERVATION, raw).unwrap();
        for json in docs {
            let row = query.sort_row(doc(json).root()).unwrap();
            assert_eq!(query.read_sort_row(&row.to_text()), Some(row), "{raw} {json}");
        }
        for broken in
            ["", "{}", "x", r#"{"k":["Observation"],"v":[]}"#, r#"{"k":["X","a"],"v":[]}"#]
        {
            assert_eq!(query.read_sort_row(broken), None, "{raw} {broken}");
        }
    }
    let two = parse(ResourceType::OBSERVATION, "_sort=date,code").unwrap();
    assert_eq!(two.read_sort_row(r#"{"k":["Observation","a"],"v":[{}]}"#), None);
}

#[test]
fn parts_of_a_resource_are_marked_and_keep_what_is_mandatory() {
    let subset = |raw: &str, json: &str| {
        let query = parse(doc(json).resource_type().unwrap(), raw).unwrap();
        query
            .controls
            .subset(&doc(json))
            .map(|bytes| alloc::string::String::from_utf8(bytes).unwrap())
    };
    let tag = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;
    let json = r#"{"resourceType":"Observation","id":"o","text":{"status":"generated","div":"<div/>"},
"status":"final","code":{"text":"x"},"valueQuantity":{"value":7.20},"note":[{"text":"n"}],"bodySite":{}}"#;
    assert_eq!(subset("", json), None);
    assert_eq!(
        subset("_elements=note,value", json).unwrap(),
        format!(
            r#"{{"resourceType":"Observation","id":"o",
"status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":7.20}},"note":[{{"text":"n"}}],"meta":{{"tag":[{tag}]}}}}"#
        )
    );
    let summary = subset("_summary=true", json).unwrap();
    assert!(!summary.contains("note") && !summary.contains("bodySite"), "{summary}");
    assert!(summary.contains("7.20"), "{summary}");
    let text = subset("_summary=text", json).unwrap();
    assert!(text.contains("div") && text.contains("status") && !text.contains("7.20"), "{text}");
    let data = subset("_summary=data", json).unwrap();
    assert!(!data.contains("div") && data.contains("note"), "{data}");
}

#[test]
fn a_scope_filter_is_a_plain_parameter_or_nothing() {
    let resource = doc(OBSERVATION);
    let filter = |param: &str, value: &str| matches_scope_filter(resource.root(), param, value);
    assert!(filter("code", "http://loinc.org|2339-0"));
    assert!(!filter("code", "http://loinc.org|1"));
    assert!(!filter("code:not", "1"));
    assert!(!filter("foo", "1"));
    assert!(!filter("subject.name", "x"));
    assert!(!filter("_list", "x"));
}
