use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use proviso_core::interaction::Interaction;

use super::{
    BodyKind, Classified, ClassifyError, Method, RequestLine, Target, accepts_json, classify,
    classify_entry, format_is_json,
};

fn ask(method: &str, url: &str) -> Result<Classified, ClassifyError> {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    classify(&RequestLine { method: method.parse().unwrap(), path, query, if_none_exist: None })
}

fn shown(classified: &Classified) -> String {
    let target = match &classified.target {
        Target::System => "system".to_owned(),
        Target::Type(name) => format!("{name}"),
        Target::Instance(name, id) => format!("{name}/{id}"),
        Target::Version(name, id, version) => format!("{name}/{id}@{version}"),
        Target::Compartment(patient, name) => {
            format!("{} of {patient}", name.map_or("*", |name| name.as_str()))
        }
        Target::Conditional(name, query) => format!("{name}?{query}"),
    };
    let interaction = if let Interaction::Operation(name) = &classified.interaction {
        format!("${name}")
    } else {
        classified.interaction.code().to_owned()
    };
    format!("{interaction} {target} {:?}", classified.body)
}

#[test]
fn every_form_of_r4_is_understood() {
    let table = [
        ("GET", "/metadata", "capabilities system None"),
        ("GET", "metadata?_format=json", "capabilities system None"),
        ("GET", "/Patient/a", "read Patient/a None"),
        ("HEAD", "/Patient/a", "read Patient/a None"),
        ("GET", "/Patient/a.b-C?_elements=name", "read Patient/a.b-C None"),
        ("GET", "/Patient/a/_history/3", "vread Patient/a@3 None"),
        ("GET", "/Patient/a/_history", "history-instance Patient/a None"),
        ("GET", "/Patient/_history?_count=2", "history-type Patient None"),
        ("GET", "/_history", "history-system system None"),
        ("GET", "/Patient?name=x", "search-type Patient None"),
        ("GET", "/Patient", "search-type Patient None"),
        ("POST", "/Patient/_search", "search-type Patient Form"),
        ("GET", "/?_type=Patient", "search-system system None"),
        ("GET", "", "search-system system None"),
        ("POST", "/_search", "search-system system Form"),
        ("GET", "/Patient/a/Observation?code=x", "search-type Observation of a None"),
        ("POST", "/Patient/a/Observation/_search", "search-type Observation of a Form"),
        ("GET", "/Patient/a/*", "search-system * of a None"),
        ("POST", "/Patient", "create Patient Resource"),
        ("PUT", "/Patient/a", "update Patient/a Resource"),
        ("PUT", "/Patient?identifier=x|y", "update Patient?identifier=x|y Resource"),
        ("PATCH", "/Patient/a", "patch Patient/a Patch"),
        ("PATCH", "/Patient?_id=a", "patch Patient?_id=a Patch"),
        ("DELETE", "/Patient/a", "delete Patient/a None"),
        ("DELETE", "/Patient?_id=a", "delete Patient?_id=a None"),
        ("POST", "/", "batch system Resource"),
        ("POST", "", "batch system Resource"),
        ("GET", "/Patient/a/$everything", "$everything Patient/a None"),
        ("POST", "/Patient/$validate", "$validate Patient Resource"),
        ("POST", "/Patient/a/$validate", "$validate Patient/a Resource"),
        ("GET", "/$versions", "$versions system None"),
    ];
    for (method, url, wanted) in table {
        let got = ask(method, url).map(|classified| shown(&classified));
        assert_eq!(got.as_deref(), Ok(wanted), "{method} {url}");
    }
}

#[test]
fn a_create_with_if_none_exist_is_conditional() {
    let create = |if_none_exist| {
        classify(&RequestLine {
            method: Method::Post,
            path: "/Patient",
            query: Some("_format=json"),
            if_none_exist,
        })
    };
    assert_eq!(
        shown(&create(Some("identifier=x|y")).unwrap()),
        "create Patient?identifier=x|y Resource"
    );
    assert_eq!(create(Some("")), Err(ClassifyError::CriteriaRequired));
    assert_eq!(shown(&create(None).unwrap()), "create Patient Resource");
}

// Covers: leaks 10: one path that two parsers could read differently.
#[test]
fn path_tricks_are_refused_with_one_answer() {
    let tricks = [
        "/Patient/A/../Patient/B",
        "/../Patient/B",
        "/Patient/..",
        "/Patient/.",
        "/./Patient/B",
        "/Patient/%2e%2e/Patient/B",
        "/Patient/%2E",
        "/Patient%2FB",
        "/Patient/A%2fB",
        "/Patient/%5cB",
        "/Patient\\B",
        "//Patient/B",
        "/Patient//B",
        "/Patient/B/",
        "/Patient/",
        "/Patient/B;x=1",
        "/Patient;x/B",
        "/Patient/B%3bx",
        "/Patient/B#x",
        "/Patient/B%23x",
        "/Patient/B.",
        "/Patient./B",
        "/Patient/%252e%252e",
        "/Patient/B%00",
        "/Patient/B%0a",
        "/Patient/B%",
        "/Patient/B%2",
        "/Patient/B%zz",
        "/Patient/B%+1",
        "/%50atient/B",
        "/Patient/%41",
        "/Patient/%24everything",
        "/Patient/a/%5fhistory",
        "/Patient/é",
        "/Patient/B%c0%ae",
        "/Patient/B\u{0}",
        "/Patient/B C",
        "/Patient/\tB",
        "/Patient/B%7f",
        "/Patient/...",
        "/Patient/B%3f_format=xml",
    ];
    for path in tricks {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] {
            let line = RequestLine {
                method: method.parse().unwrap(),
                path,
                query: None,
                if_none_exist: None,
            };
            assert_eq!(classify(&line), Err(ClassifyError::BadPath), "{method} {path}");
        }
    }
    assert_eq!(ClassifyError::BadPath.status(), 400);
}

// Covers: leaks 11: case and trimming.
#[test]
fn names_that_do_not_exist_are_not_found() {
    let table = [
        ("/patient/B", ClassifyError::UnknownType),
        ("/PATIENT/B", ClassifyError::UnknownType),
        ("/Patients", ClassifyError::UnknownType),
        ("/Patient%20/B", ClassifyError::UnknownType),
        ("/SubscriptionStatus/B", ClassifyError::UnknownType),
        ("/Resource/B", ClassifyError::UnknownType),
        ("/DomainResource", ClassifyError::UnknownType),
        ("/_History", ClassifyError::UnknownType),
        ("/METADATA", ClassifyError::UnknownType),
        ("/Patient/B%20", ClassifyError::UnknownPath),
        ("/Patient/B_C", ClassifyError::UnknownPath),
        ("/Patient/B:C", ClassifyError::UnknownPath),
        ("/Patient/B/_history/1/x", ClassifyError::UnknownPath),
        ("/Patient/B/_history/1_2", ClassifyError::UnknownPath),
        ("/Patient/B/observation", ClassifyError::UnknownPath),
        ("/Patient/B/Practitioner", ClassifyError::UnknownPath),
        ("/Observation/B/Condition", ClassifyError::UnknownPath),
        ("/Patient/B/Observation/C", ClassifyError::UnknownPath),
        ("/metadata/x", ClassifyError::UnknownType),
        ("/$", ClassifyError::UnknownPath),
        ("/$a_b", ClassifyError::UnknownPath),
        ("/Patient/$1", ClassifyError::UnknownPath),
        ("/Encounter/B/Observation", ClassifyError::UnsupportedCompartment),
    ];
    for (path, wanted) in table {
        assert_eq!(ask("GET", path), Err(wanted), "{path}");
    }
    let long = format!("/Patient/{}", "a".repeat(65));
    assert_eq!(ask("GET", &long), Err(ClassifyError::UnknownPath));
    assert!(ask("GET", &format!("/Patient/{}", "a".repeat(64))).is_ok());
    assert_eq!(ClassifyError::UnknownType.status(), 404);
}

// Covers: leaks 6 and 12: verbs without a meaning.
#[test]
fn methods_that_do_nothing_there_are_refused() {
    let table = [
        ("OPTIONS", "/Patient/B"),
        ("OPTIONS", "/"),
        ("POST", "/Patient/B"),
        ("PUT", "/"),
        ("DELETE", "/"),
        ("PATCH", "/"),
        ("POST", "/metadata"),
        ("PUT", "/metadata"),
        ("POST", "/Patient/B/_history"),
        ("DELETE", "/Patient/B/_history/1"),
        ("DELETE", "/_history"),
        ("GET", "/Patient/_search"),
        ("GET", "/_search"),
        ("PUT", "/Patient/B/$everything"),
        ("DELETE", "/Patient/B/Observation"),
        ("POST", "/Patient/B/Observation"),
    ];
    for (method, path) in table {
        assert_eq!(ask(method, path), Err(ClassifyError::MethodNotAllowed), "{method} {path}");
    }
    for method in ["get", "TRACE", "CONNECT", "GET ", "", "PROPFIND"] {
        assert!(method.parse::<Method>().is_err());
    }
}

#[test]
fn conditional_interactions_need_criteria() {
    for method in ["PUT", "PATCH", "DELETE"] {
        for url in ["/Patient", "/Patient?"] {
            assert_eq!(ask(method, url), Err(ClassifyError::CriteriaRequired), "{method} {url}");
        }
    }
}

// Covers: leaks 103: wild URLs in bundle entries.
#[test]
fn entry_urls_are_relative_or_refused() {
    let entry = |method: &str, url: &str| {
        classify_entry(method.parse().unwrap(), url, None).map(|classified| shown(&classified))
    };
    assert_eq!(entry("GET", "Patient/a").unwrap(), "read Patient/a None");
    assert_eq!(
        entry("GET", "Observation?subject:Patient=a&code=http://loinc.org|1").unwrap(),
        "search-type Observation None"
    );
    assert_eq!(entry("GET", "metadata").unwrap(), "capabilities system None");
    for url in [
        "http://other.example/Patient/a",
        "https://x",
        "//x/Patient/a",
        "/Patient/a",
        "file:///x",
        "../Patient/a",
        "Patient/../Observation/a",
        "Patient/a#x",
        "Patient?a=b#c",
        "urn:uuid:1",
        "Patient%2Fa",
        "javascript:x",
    ] {
        assert_eq!(entry("GET", url), Err(ClassifyError::BadPath), "{url}");
    }
    assert_eq!(entry("POST", ""), Err(ClassifyError::MethodNotAllowed));
}

#[test]
fn the_answer_is_the_same_for_any_value() {
    for (one, other) in [("/Patient/A/..", "/Observation/secret/../x"), ("/patient/A", "/x")] {
        let body = |path| ask("GET", path).unwrap_err().outcome().to_bytes();
        assert_eq!(body(one), body(other));
    }
}

#[test]
fn only_json_is_spoken() {
    let resource = BodyKind::Resource;
    for good in [
        "application/fhir+json",
        "application/json",
        "Application/FHIR+JSON; charset=UTF-8",
        "application/fhir+json;fhirVersion=4.0",
        "application/json; charset=\"utf-8\"",
    ] {
        assert!(resource.fits(Some(good)), "{good}");
    }
    for bad in [
        "",
        "text/json",
        "application/fhir+xml",
        "application/xml",
        "text/html",
        "application/json; charset=utf-16",
        "application/fhir+json; fhirVersion=5.0",
        "application/x-www-form-urlencoded",
        "application/json-patch+json",
    ] {
        assert!(!resource.fits(Some(bad)), "{bad}");
    }
    assert!(!resource.fits(None));
    assert!(BodyKind::None.fits(None));
    assert!(BodyKind::Form.fits(Some("application/x-www-form-urlencoded")));
    assert!(BodyKind::Patch.fits(Some("application/json-patch+json")));
    assert!(BodyKind::Patch.fits(Some("application/fhir+json")));
    assert!(!BodyKind::Patch.fits(Some("application/json")));
}

#[test]
fn what_is_accepted_must_include_json() {
    for good in [
        None,
        Some(""),
        Some("*/*"),
        Some("application/fhir+json"),
        Some("application/json"),
        Some("application/fhir+xml, application/fhir+json;q=0.5"),
        Some("text/html,*/*;q=0.1"),
        Some("application/fhir+json; fhirVersion=4.0"),
        Some("application/*"),
    ] {
        assert!(accepts_json(good), "{good:?}");
    }
    for bad in [
        "application/fhir+xml",
        "text/turtle",
        "application/fhir+ndjson",
        "application/json;q=0",
        "application/json; q=0.00",
        "text/html",
        "application/fhir+json; fhirVersion=3.0",
    ] {
        assert!(!accepts_json(Some(bad)), "{bad}");
    }
    for good in ["json", "application/fhir+json", "application/json", "application/fhir json"] {
        assert!(format_is_json(good), "{good}");
    }
    for bad in ["xml", "", "ttl", "application/fhir+xml", "html", "ndjson"] {
        assert!(!format_is_json(bad), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600, rng_seed: RngSeed::Fixed(7), failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_understood_is_written_in_plain_characters(
        path in "(/?(Patient|Observation|_history|_search|metadata|\\*|[$]e|[a.%2eF/;_é-]{0,4})){0,5}",
        query in proptest::option::of("[a-z=&|:%]{0,6}"),
        at in 0_usize..7,
    ) {
        let method = [
            Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete,
            Method::Options,
        ][at];
        let line = RequestLine { method, path: &path, query: query.as_deref(), if_none_exist: None };
        if classify(&line).is_ok() {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._$*".contains(&b);
            prop_assert!(path.bytes().all(plain), "{}", path);
            prop_assert!(!path.contains("//") && !path.contains(".."), "{}", path);
        }
        let url = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        drop(classify_entry(method, &url, None));
    }
}
