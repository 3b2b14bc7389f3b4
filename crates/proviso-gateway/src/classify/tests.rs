use proviso_fhir::bundle::IncomingBundle;

use super::*;

fn asked_of(method: Method, path: &str, query: &str) -> Result<String, Problem> {
    let line = RequestLine { method, path, query: Some(query), if_none_exist: None };
    classify::classify(&line)
        .map_err(refuse_path)
        .and_then(|line| {
            let code = line.interaction.code().to_owned();
            let (kind, _) = asked(line, query, Body::None, &EntryHeaders::default())?;
            Ok(format!("{code} {kind}"))
        })
        .map_err(|refusal| refusal.problem)
}

#[test]
fn every_offered_path_is_known_by_its_shape() {
    for (path, expected) in [
        ("/Patient/a", "read Patient"),
        ("/Patient/a/_history/1", "vread Patient"),
        ("/Patient/a/_history", "history-instance Patient"),
        ("/Observation/_history", "history-type Observation"),
        ("/Observation", "search-type Observation"),
        ("/Patient/a/Observation", "search-type Observation"),
        ("/Patient/a/$everything", "operation Patient"),
    ] {
        assert_eq!(asked_of(Method::Get, path, ""), Ok(expected.to_owned()), "{path}");
    }
    for (path, query) in [("/Patient/a", ""), ("/Patient", "identifier=x")] {
        assert_eq!(asked_of(Method::Delete, path, query), Ok("delete Patient".to_owned()));
    }
    assert_eq!(
        asked_of(Method::Post, "/Observation/_search", ""),
        Ok("search-type Observation".to_owned())
    );
}

// Covers: leak 10
#[test]
fn paths_that_two_readers_could_read_differently_are_refused() {
    for path in [
        "/Patient/A/../Patient/B",
        "/Patient/%2e%2e/B",
        "/Patient%2FB",
        "/Patient//B",
        "//Patient/B",
        "/Patient/B;x=1",
        "/Patient/B%252F",
        "/Patient/./B",
        "/Patient/B/",
        "/Patient/B.",
        "/Patient\\B",
        "/Patient#B",
    ] {
        assert_eq!(asked_of(Method::Get, path, ""), Err(Problem::PathRefused), "{path}");
    }
}

// Covers: leak 11, leak 48, leak 61, leak 74, leak 77, leak 78, leak 79, leak 81, leak 82, leak 90
#[test]
fn what_is_not_offered_is_refused_by_its_shape_alone() {
    for (method, path, query, problem) in [
        (Method::Get, "/patient/B", "", Problem::TypeUnknown),
        (Method::Get, "/Nonsense/B", "", Problem::TypeUnknown),
        (Method::Get, "/Patient/B%20", "", Problem::PathUnknown),
        (Method::Get, "/", "", Problem::NotOffered),
        (Method::Get, "/", "_type=Observation", Problem::NotOffered),
        (Method::Get, "/_history", "", Problem::NotOffered),
        (Method::Post, "/_search", "", Problem::NotOffered),
        (Method::Get, "/$graphql", "", Problem::OperationNotOffered),
        (Method::Get, "/Patient/$match", "", Problem::OperationNotOffered),
        (Method::Get, "/Patient/a/$graphql", "", Problem::OperationNotOffered),
        (Method::Get, "/Observation/$stats", "", Problem::OperationNotOffered),
        (Method::Get, "/Observation/a/$everything", "", Problem::OperationNotOffered),
        (Method::Get, "/Patient/$validate", "", Problem::OperationNotOffered),
        (Method::Post, "/Patient/a/$validate", "", Problem::OperationNotOffered),
        (Method::Post, "/Patient/a/$meta-add", "", Problem::OperationNotOffered),
        (Method::Post, "/Patient/a/$expunge", "", Problem::OperationNotOffered),
        (Method::Get, "/Patient/a/*", "", Problem::NotOffered),
        (Method::Get, "/Encounter/a/Condition", "", Problem::NotOffered),
        (Method::Delete, "/Observation", "", Problem::CriteriaMissing),
        (Method::Put, "/Observation", "", Problem::CriteriaMissing),
    ] {
        assert_eq!(asked_of(method, path, query), Err(problem), "{method} {path}?{query}");
    }
}

#[test]
fn a_read_with_a_search_parameter_is_refused() {
    let read = |query| asked_of(Method::Get, "/Patient/a", query);
    assert_eq!(read("_format=json"), Ok("read Patient".to_owned()));
    assert_eq!(read("_elements=id"), Err(Problem::SearchRefused));
    assert_eq!(read("_summary=text"), Err(Problem::SearchRefused));
}

#[test]
fn a_version_is_named_in_quotes() {
    let version = |text: &str| weak_version(Some(text)).map_err(|refusal| refusal.problem);
    assert_eq!(version("W/\"3\""), Ok(Some("3".to_owned())));
    assert_eq!(version("\"3\""), Ok(Some("3".to_owned())));
    for bad in ["3", "*", "W/3", "W/\"\"", "W/\"1\", W/\"2\""] {
        assert_eq!(version(bad), Err(Problem::HeaderMalformed), "{bad}");
    }
}

// Covers: leak 98, leak 102, leak 103
#[test]
fn an_entry_is_a_request_below_this_base() {
    let entry = |method: &str, url: &str| {
        let json = format!(
            r#"{{"resourceType":"Bundle","type":"batch",
                "entry":[{{"request":{{"method":"{method}","url":"{url}"}}}}]}}"#
        );
        let doc = Doc::parse(json.into_bytes()).unwrap();
        let incoming = IncomingBundle::read(&doc).map_err(|e| bundle::refuse_bundle(&e).problem)?;
        bundle::entry_parts(&incoming.entries[0])
            .map(|(line, ..)| line.interaction.code().to_owned())
            .map_err(|refusal| refusal.problem)
    };
    assert_eq!(entry("GET", "Patient/a"), Ok("read".to_owned()));
    assert_eq!(entry("GET", "Observation?subject:Patient=a"), Ok("search-type".to_owned()));
    for (method, url, problem) in [
        ("GET", "/Patient/a", Problem::PathRefused),
        ("GET", "http://h/Patient/a", Problem::PathRefused),
        ("GET", "Patient/../Patient/b", Problem::PathRefused),
        ("GET", "Patient/%2e", Problem::PathRefused),
        ("TRACE", "Patient/a", Problem::EntryMalformed),
        ("PUT", "Patient/a", Problem::EntryMalformed),
        // A batch inside a batch.
        ("POST", "", Problem::NotOffered),
    ] {
        assert_eq!(entry(method, url), Err(problem), "{method} {url}");
    }
}
