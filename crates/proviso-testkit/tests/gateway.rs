//! The gateway on the embedded store: the authorized view, leak by leak. Numbers are those of the
//! catalogue of leaks.

use std::num::NonZeroU32;

use http::{Method, StatusCode};
use proviso_app::audit::ActivityQuery;
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{Category, CategorySet};
use proviso_core::consent::Capacity;
use proviso_core::reason::ReasonCode;
use proviso_gateway::{GatewaySettings, Rates};
use proviso_testkit::gateway_cases::{self, NARROW, everything, hidden, only_visible, terms};
use proviso_testkit::gateway_world::{APP_ORIGIN, ORIGIN, Terms, World, request};

async fn world(resources: &[String]) -> (World, String) {
    let world = World::embedded().await.unwrap();
    world.load(resources).await.unwrap();
    let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    (world, access.token)
}

#[tokio::test]
async fn the_app_reads_what_was_shared_and_every_answer_is_logged() {
    let (world, token) = world(&everything()).await;
    let read = world.get(&token, "Observation/a-lab").await.unwrap();
    assert_eq!(read.status, StatusCode::OK, "{}", String::from_utf8_lossy(&read.body));
    assert_eq!(read.headers["etag"], "W/\"1\"");
    assert_eq!(read.headers["cache-control"], "no-store");
    assert_eq!(read.headers["content-type"], "application/fhir+json");
    assert_eq!(read.json()["valueQuantity"]["value"].to_string(), "7.2");
    assert!(String::from_utf8_lossy(&read.body).contains("7.20"), "number text is kept");

    let search = world.get(&token, "Observation?patient=a").await.unwrap();
    assert_eq!(search.entries(), ["Observation/a-lab", "Observation/a-lab2", "Observation/a-lab3"]);
    assert_eq!(search.json()["total"], 3);
    let links = search.json()["link"].to_string();
    assert!(links.contains(&format!("{ORIGIN}/fhir/r4/Observation?patient=a")), "{links}");

    let log = world.accesses().await.unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].released, 3);
    assert_eq!(log[0].query_shape.as_deref(), Some("patient"));
    assert_eq!(log[0].reasons, [ReasonCode::ConsentInForce]);
    assert_eq!(log[0].status, Some(200));
    assert_eq!(log[1].resources.len(), 1);
    assert!(log[1].consent.is_some() && log[1].token.is_some() && log[1].request.is_some());
}

/// Hidden records older than, between and newer than what is visible make no page of a history.
// Covers: design P1; leak 61
#[tokio::test]
async fn pages_of_a_history_end_with_the_last_visible_version() {
    let visible = only_visible();
    let mut mixed = everything().split_off(visible.len());
    for (number, resource) in visible.iter().enumerate() {
        mixed.push(resource.clone());
        mixed.push(hidden(&format!("b-{number}")));
    }
    let (full, token_full) = world(&mixed).await;
    let (bare, token_bare) = world(&visible).await;
    full.remove("Observation", "b-3").await.unwrap();
    for (count, expected) in [(1, 3), (2, 2), (3, 1), (4, 1)] {
        let mut path = format!("Observation/_history?_count={count}&_since=2020-01-01T00:00:00Z");
        let mut path_bare = path.clone();
        let mut seen = 0;
        loop {
            seen += 1;
            let one = full.get(&token_full, &path).await.unwrap();
            let two = bare.get(&token_bare, &path_bare).await.unwrap();
            assert_eq!(one.status, StatusCode::OK, "page {seen} of {count}");
            assert_eq!(one.fingerprint(), two.fingerprint(), "page {seen} of {count}");
            match (one.next(), two.next()) {
                (Some(next), Some(next_bare)) => (path, path_bare) = (next, next_bare),
                _ => break,
            }
        }
        assert_eq!(seen, expected, "{count} on a page");
    }
}

// Covers: leak 2, leak 3
#[tokio::test]
async fn what_is_hidden_looks_like_what_never_was() {
    let (world, token) = world(&everything()).await;
    let never = world.get(&token, "Observation/never").await.unwrap();
    assert_eq!(never.status, StatusCode::NOT_FOUND);
    assert_eq!(never.code(), "not-found");
    for path in [
        "Observation/b-lab",
        "Observation/a-hiv",
        "Observation/a-vital",
        "Observation/a-about-b",
        "Patient/b",
        "Condition/b-cond",
        "Group/g",
        "Observation/b-lab/_history/1",
    ] {
        let kind_offered = !path.starts_with("Condition") && !path.starts_with("Group");
        let hidden = world.get(&token, path).await.unwrap();
        if kind_offered {
            assert_eq!(hidden.fingerprint(), never.fingerprint(), "{path}");
        } else {
            // The scope does not reach the type at all, whatever the id.
            assert_eq!(hidden.code(), "scope-insufficient", "{path}");
        }
    }
    let log = world.accesses().await.unwrap();
    assert!(log.iter().any(|entry| entry.outcome == AuditOutcome::Denied
        && entry.patients.iter().any(|patient| patient.as_str() == "b")));
}

// Covers: RFC 6750 §3; leak 17, leak 101
#[tokio::test]
async fn without_a_good_token_nothing_is_answered() {
    let (world, token) = world(&everything()).await;
    for path in [
        "Observation/a-lab",
        "Observation",
        "Patient/a/$everything",
        "Observation/_history",
        "Nonsense/x",
        "Patient/a/../b",
        "$graphql",
    ] {
        let reply = world.get("", path).await.unwrap();
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer realm=\"fhir\"", "{path}");
        let reply = world.get("not.a.token", path).await.unwrap();
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
        let challenge = reply.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
    for (method, body) in [(Method::POST, "{}"), (Method::PUT, ""), (Method::DELETE, "")] {
        let reply = world.send(request(method, "", "", &[], body).unwrap()).await.unwrap();
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
    let misplaced = world.get("", &format!("Patient/a?access_token={token}")).await.unwrap();
    assert_eq!(
        (misplaced.status, misplaced.code().as_str()),
        (StatusCode::BAD_REQUEST, "token-misplaced")
    );
    let mut twice = request(Method::GET, &token, "Patient/a", &[], "").unwrap();
    twice.headers_mut().append("authorization", "Bearer x".parse().unwrap());
    let twice = world.send(twice).await.unwrap();
    assert_eq!(twice.code(), "credentials-ambiguous");
}

// Covers: design P2; leak 42, leak 66, leak 126
#[tokio::test]
async fn after_stop_sharing_the_next_request_and_the_next_page_are_refused() {
    let world = World::embedded().await.unwrap();
    world.load(&everything()).await.unwrap();
    let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    let first = world.get(&access.token, "Observation?_count=1").await.unwrap();
    let next = first.next().unwrap();
    assert_eq!(world.get(&access.token, &next).await.unwrap().status, StatusCode::OK);
    world.stop_sharing(&access).await.unwrap();
    for path in ["Observation/a-lab", "Patient/a/$everything", &next] {
        let reply = world.get(&access.token, path).await.unwrap();
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

// Covers: leak 38, leak 40, leak 41, leak 45
#[tokio::test]
async fn pages_hold_the_view_and_belong_to_one_caller() {
    let (world, token) = world(&everything()).await;
    let mut path = "Observation?_count=1&_sort=-date".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get(&token, &path).await.unwrap();
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.entries().len(), 1, "each page is full");
        seen.extend(page.entries());
        match page.next() {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen, ["Observation/a-lab3", "Observation/a-lab2", "Observation/a-lab"]);

    let next = world.get(&token, "Observation?_count=1").await.unwrap().next().unwrap();
    let other = world.share("bill-helper", &terms(NARROW)).await.unwrap();
    for (token, path) in [
        (&other.token, next.clone()),
        (&token, format!("{next}A")),
        (&token, next.replace("_cursor=", "_cursor=A")),
        (&token, next.replace("Observation?", "Patient?")),
        (&token, format!("{next}&_count=50")),
        (&token, format!("{next}&code=x")),
    ] {
        let reply = world.get(token, &path).await.unwrap();
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(reply.code(), "cursor-invalid", "{path}");
    }
    // A page read while the store grows is the page of the store as it was.
    world.load(&[hidden("a-lab0")]).await.unwrap();
    let second = world.get(&token, &next).await.unwrap();
    assert_eq!(second.entries(), ["Observation/a-lab2"]);
}

// Covers: leak 12, leak 13
#[tokio::test]
async fn invented_headers_change_nothing() {
    let (world, token) = world(&everything()).await;
    let plain = world.get(&token, "Observation/b-lab").await.unwrap();
    for header in [
        ("x-original-url", "/fhir/r4/Observation/a-lab"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-for", "192.0.2.9"),
        ("x-http-method-override", "DELETE"),
        ("x-ms-internal-bundle", "true"),
        ("if-none-match", "W/\"1\""),
        ("prefer", "handling=lenient"),
    ] {
        let request = request(Method::GET, &token, "Observation/b-lab", &[header], "").unwrap();
        let reply = world.send(request).await.unwrap();
        assert_eq!(reply.fingerprint(), plain.fingerprint(), "{header:?}");
    }
}

// Covers: design P3; leak 138
#[tokio::test]
async fn without_a_log_there_is_no_data() {
    let (world, token) = world(&everything()).await;
    world.faults.fail_commits(true);
    for path in ["Observation/a-lab", "Observation", "Observation/never"] {
        let reply = world.get(&token, path).await.unwrap();
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(reply.code(), "audit-unavailable", "{path}");
        assert!(reply.headers.contains_key("retry-after"));
        assert!(!String::from_utf8_lossy(&reply.body).contains("7.20"));
    }
    world.faults.fail_commits(false);
    let reply = world.get(&token, "Observation/a-lab").await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
}

// Covers: leak 7
#[tokio::test]
async fn a_condition_is_looked_at_after_the_decision() {
    let (world, token) = world(&everything()).await;
    let ask = async |path: &str| {
        let headers = [("if-none-match", "W/\"1\"")];
        world.send(request(Method::GET, &token, path, &headers, "").unwrap()).await.unwrap()
    };
    assert_eq!(ask("Observation/a-lab").await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(ask("Observation/b-lab").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_app_page_of_a_registered_origin_may_read_and_no_other() {
    let (world, token) = world(&everything()).await;
    let ask = async |method: Method, token: &str, path: &str, origin: &str| {
        let headers = [("origin", origin)];
        let reply = world.send(request(method, token, path, &headers, "").unwrap()).await.unwrap();
        let allowed = reply.headers.get("access-control-allow-origin");
        (reply.status, allowed.map(|value| value.to_str().unwrap().to_owned()))
    };
    let own = Some(APP_ORIGIN.to_owned());
    let get = Method::GET;
    let read = "Observation/a-lab";
    assert_eq!(ask(get.clone(), &token, read, APP_ORIGIN).await, (StatusCode::OK, own.clone()));
    let evil = "https://evil.example";
    assert_eq!(ask(get.clone(), &token, read, evil).await, (StatusCode::OK, None));
    let options = Method::OPTIONS;
    assert_eq!(ask(options.clone(), "", read, APP_ORIGIN).await, (StatusCode::NO_CONTENT, own));
    assert_eq!(ask(options, "", read, evil).await, (StatusCode::NO_CONTENT, None));
    assert_eq!(ask(get, "", "metadata", evil).await, (StatusCode::OK, Some("*".to_owned())));
}

// Covers: design §13
#[tokio::test]
async fn bad_input_gets_the_answer_of_the_table() {
    let (world, token) = world(&everything()).await;
    let json = [("content-type", "application/fhir+json")];
    let post = |path: &'static str, headers: &[(&str, &str)], body: String| {
        request(Method::POST, &token, path, headers, body).unwrap()
    };
    let deep =
        format!("{{\"resourceType\":\"Observation\",\"x\":{}1{}}}", "[".repeat(70), "]".repeat(70));
    let many = (0..51).map(|n| format!("_tag={n}")).collect::<Vec<_>>().join("&");
    let values = (0..201).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let entry = r#"{"request":{"method":"GET","url":"Patient/a"}}"#;
    let entries = vec![entry; 201].join(",");
    let big_batch = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{entries}]}}"#);
    let get = |path: String| request(Method::GET, &token, &path, &[], "").unwrap();
    let long = "v".repeat(17 * 1024);
    let cases = [
        (post("Observation", &json, " ".repeat(4 * 1024 * 1024 + 1)), 413, "body-too-large"),
        (get(format!("Observation?code={}", "x".repeat(9000))), 414, "url-too-long"),
        (
            request(Method::GET, &token, "Patient/a", &[("x-a", &long)], "").unwrap(),
            431,
            "headers-too-large",
        ),
        (post("Observation", &json, deep), 400, "body-malformed"),
        (post("Observation", &json, r#"{"a":1,"a":2}"#.to_owned()), 400, "body-malformed"),
        (post("Observation", &json, r#"{"a":1} x"#.to_owned()), 400, "body-malformed"),
        (
            post("Observation", &[("content-type", "application/fhir+xml")], "<a/>".to_owned()),
            415,
            "media-type-unsupported",
        ),
        (post("Observation", &[], "{}".to_owned()), 415, "media-type-unsupported"),
        (
            request(Method::GET, &token, "Patient/a", &[("accept", "application/fhir+xml")], "")
                .unwrap(),
            406,
            "not-acceptable",
        ),
        (get("Patient/a?_format=xml".to_owned()), 406, "not-acceptable"),
        (get("Nonsense/a".to_owned()), 404, "type-unknown"),
        (get("Observation/a_b".to_owned()), 404, "path-unknown"),
        (get(format!("Observation?{many}")), 400, "search-too-large"),
        (get(format!("Observation?_tag={values}")), 400, "search-too-large"),
        (get("Observation?nonsense=1".to_owned()), 400, "search-refused"),
        (get("Observation?_text=1".to_owned()), 400, "search-refused"),
        (post("", &json, big_batch), 413, "batch-too-large"),
        (
            post("", &json, r#"{"resourceType":"Bundle","type":"message"}"#.to_owned()),
            400,
            "entry-malformed",
        ),
        (request(Method::DELETE, &token, "Observation", &[], "").unwrap(), 400, "criteria-missing"),
    ];
    for (number, (request, status, code)) in cases.into_iter().enumerate() {
        let what = format!("row {number}: {} {}", request.method(), request.uri().path());
        let reply = world.send(request).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{what}");
        assert!(reply.headers.contains_key("x-request-id"), "{what}");
    }
    let capped = world.get(&token, "Observation?_count=5000").await.unwrap();
    assert_eq!(capped.status, StatusCode::OK);
}

// Covers: design §7 writes; leak 80, 85, 86, 87, 91, 94, 105, 106
#[tokio::test]
async fn writes_stay_within_the_grant() {
    let (world, token) = world(&everything()).await;
    let json = [("content-type", "application/fhir+json")];
    let send = async |method: Method, path: &str, headers: &[(&str, &str)], body: &str| {
        let request = request(method, &token, path, headers, body.to_owned()).unwrap();
        world.send(request).await.unwrap()
    };
    let lab = |id: &str, subject: &str| {
        gateway_cases::observation(
            id,
            subject,
            gateway_cases::LAB,
            "4548-4",
            "6.10",
            "2026-02-01",
            "",
        )
    };
    let created = send(Method::POST, "Observation", &json, &lab("client-chosen", "a")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&created.body));
    let location = created.headers["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(&format!("{ORIGIN}/fhir/r4/Observation/")), "{location}");
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(id, "client-chosen");

    let updated = send(Method::PUT, &format!("Observation/{id}"), &json, &lab(&id, "a")).await;
    assert_eq!(updated.status, StatusCode::OK);
    let patch_type = [("content-type", "application/json-patch+json")];
    let value = r#"[{"op":"replace","path":"/valueQuantity/value","value":6.30}]"#;
    let patched = send(Method::PATCH, &format!("Observation/{id}"), &patch_type, value).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", String::from_utf8_lossy(&patched.body));
    assert!(String::from_utf8_lossy(&patched.body).contains("6.30"));
    let stale = [("content-type", "application/fhir+json"), ("if-match", "W/\"1\"")];
    let stale = send(Method::PUT, &format!("Observation/{id}"), &stale, &lab(&id, "a")).await;
    assert_eq!(stale.code(), "version-mismatch");

    let move_away = r#"[{"op":"replace","path":"/subject/reference","value":"Patient/b"}]"#;
    for (leak, method, path, headers, body, code) in [
        (85, Method::POST, "Observation".to_owned(), &json, lab("x", "b"), "write-refused"),
        (85, Method::POST, "Observation".to_owned(), &json, lab("x", "nobody"), "write-refused"),
        (86, Method::PUT, format!("Observation/{id}"), &json, lab(&id, "b"), "write-refused"),
        (
            86,
            Method::PATCH,
            format!("Observation/{id}"),
            &patch_type,
            move_away.to_owned(),
            "write-refused",
        ),
        (86, Method::PUT, "Observation/b-lab".to_owned(), &json, lab("b-lab", "a"), "not-found"),
        (87, Method::PUT, "Observation/fresh".to_owned(), &json, lab("fresh", "a"), "not-found"),
        (87, Method::DELETE, "Observation/b-lab".to_owned(), &json, String::new(), "not-found"),
        (87, Method::DELETE, "Observation/never".to_owned(), &json, String::new(), "not-found"),
        (
            105,
            Method::POST,
            "Consent".to_owned(),
            &json,
            r#"{"resourceType":"Consent"}"#.to_owned(),
            "server-owned",
        ),
        (
            106,
            Method::POST,
            "AuditEvent".to_owned(),
            &json,
            r#"{"resourceType":"AuditEvent"}"#.to_owned(),
            "server-owned",
        ),
        (
            106,
            Method::POST,
            "Provenance".to_owned(),
            &json,
            r#"{"resourceType":"Provenance"}"#.to_owned(),
            "server-owned",
        ),
    ] {
        let reply = send(method.clone(), &path, headers, &body).await;
        assert_eq!(reply.code(), code, "leak {leak}: {method} {path}");
    }
    // Criteria see what the caller sees: hidden matches neither block a create nor are named.
    for (criteria, status) in [("_id=a-lab", 200), ("_id=b-lab", 201), ("_id=a-hiv", 201)] {
        let headers = [json[0], ("if-none-exist", criteria)];
        let reply = send(Method::POST, "Observation", &headers, &lab("x", "a")).await;
        assert_eq!(reply.status.as_u16(), status, "leak 89: {criteria}");
    }
    let headers = [json[0], ("if-none-exist", "code=4548-4")];
    let reply = send(Method::POST, "Observation", &headers, &lab("x", "a")).await;
    assert_eq!(reply.code(), "condition-ambiguous");

    let deleted = send(Method::DELETE, &format!("Observation/{id}"), &[], "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let gone = world.get(&token, &format!("Observation/{id}")).await.unwrap();
    assert_eq!(gone.status, StatusCode::GONE);
    let history = world.get(&token, &format!("Observation/{id}/_history")).await.unwrap();
    let methods: Vec<String> = history.json()["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["request"]["method"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(methods, ["DELETE", "PUT", "POST"]);

    let log = world.accesses().await.unwrap();
    let actions: Vec<&str> = log
        .iter()
        .filter(|entry| entry.outcome == AuditOutcome::Success)
        .map(|entry| entry.action.as_str())
        .collect();
    for action in ["create", "update", "patch", "delete"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
}

// Covers: leak 98, 99, 101, 102, 103
#[tokio::test]
async fn each_entry_of_a_batch_is_decided_by_itself() {
    let (world, token) = world(&everything()).await;
    let lab = gateway_cases::observation(
        "x",
        "a",
        gateway_cases::LAB,
        "4548-4",
        "6.10",
        "2026-02-01",
        "",
    );
    let foreign = lab.replace("Patient/a", "Patient/b");
    let body = format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[
        {{"request":{{"method":"GET","url":"Observation/a-lab"}}}},
        {{"request":{{"method":"GET","url":"Observation/b-lab"}}}},
        {{"request":{{"method":"GET","url":"Observation?patient=a&_summary=count"}}}},
        {{"resource":{lab},"request":{{"method":"POST","url":"Observation"}}}},
        {{"resource":{foreign},"request":{{"method":"POST","url":"Observation"}}}},
        {{"request":{{"method":"GET","url":"Patient/../Patient/b"}}}}]}}"#
    );
    let json = [("content-type", "application/fhir+json")];
    let reply = world.send(request(Method::POST, &token, "", &json, body).unwrap()).await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    let bundle = reply.json();
    let statuses: Vec<String> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap().chars().take(3).collect())
        .collect();
    assert_eq!(statuses, ["200", "404", "200", "201", "403", "400"]);
    assert_eq!(bundle["entry"][2]["resource"]["total"], 3);
    assert_eq!(world.accesses().await.unwrap().len(), 7, "one line for each entry and the batch");
}

#[tokio::test]
async fn everything_is_the_view_of_one_patient() {
    let (world, token) = world(&everything()).await;
    let reply = world.get(&token, "Patient/a/$everything").await.unwrap();
    assert_eq!(reply.status, StatusCode::OK, "{}", String::from_utf8_lossy(&reply.body));
    let mut entries = reply.entries();
    entries.sort();
    assert_eq!(
        entries,
        [
            "MedicationRequest/a-med",
            "Observation/a-lab",
            "Observation/a-lab2",
            "Observation/a-lab3",
            "Patient/a",
            "Practitioner/p",
        ]
    );
    let other = world.get(&token, "Patient/b/$everything").await.unwrap();
    let never = world.get(&token, "Patient/never/$everything").await.unwrap();
    assert_eq!(other.fingerprint(), never.fingerprint());
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

/// The ids of one `$everything`, without the directory entry that every page brings along.
async fn care(world: &World, token: &str, query: &str) -> String {
    let reply = world.get(token, &format!("Patient/a/$everything?{query}")).await.unwrap();
    assert_eq!(reply.status, StatusCode::OK, "{query} {}", String::from_utf8_lossy(&reply.body));
    let mut entries = reply.entries();
    entries.retain(|entry| entry != "Practitioner/p");
    entries.sort();
    entries.join(" ").replace("Observation/", "").replace("MedicationRequest/", "")
}

// Covers: FHIR R4 patient-operation-everything.html
#[tokio::test]
async fn everything_keeps_to_the_range_of_care_and_the_types_that_are_asked_for() {
    let (world, token) = world(&everything()).await;
    for (query, expected) in gateway_cases::CARE {
        assert_eq!(care(&world, &token, query).await, *expected, "{query}");
    }
    let mut path = "Patient/a/$everything?start=2026-01-02&_count=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get(&token, &path).await.unwrap();
        assert_eq!(page.status, StatusCode::OK);
        let bundle = page.json();
        let matches = bundle["entry"].as_array().unwrap().iter();
        let matches = matches.filter(|entry| entry["search"]["mode"] == "match");
        seen.extend(matches.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()));
        // The range belongs to the link, and what is written meanwhile to none of its pages.
        world.load(&[hidden("a-lab0"), hidden("a-late")]).await.unwrap();
        match page.next() {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen, ["a-lab2", "a-lab3", "a"]);
}

fn value_set(id: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"ValueSet","id":"{id}","status":"active","url":"http://x/{id}","compose":{{"include":[
{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","concept":[{{"code":"{code}"}}]}}]}}}}"#
    )
}

/// A scope for one category is a part of the view like any other: value sets on that category are
/// answered over what it leaves, and with what value sets the scopes reach.
// Covers: SMART App Launch 2.2 finer-grained resource constraints; leak 28
#[tokio::test]
async fn a_granular_scope_bounds_what_value_sets_on_its_own_parameter_find() {
    let sets = [value_set("lab", "laboratory"), value_set("vital", "vital-signs")];
    let narrow = "patient/Patient.rs patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let both: Vec<Category> = NARROW.iter().copied().chain([Category::Vitals]).collect();
    let ask = async |resources: &[String], with_sets: bool, scopes: &'static str, path: &str| {
        let world = World::embedded().await.unwrap();
        world.load(resources).await.unwrap();
        if with_sets {
            world.load(&sets).await.unwrap();
        }
        let terms = Terms { scopes, ..terms(&both) };
        let access = world.share("glucose-coach", &terms).await.unwrap();
        world.get(&access.token, path).await.unwrap()
    };
    let whole: &'static str = "patient/Patient.rs patient/Observation.rs patient/ValueSet.rs";
    let granular: &'static str = "patient/ValueSet.rs patient/Patient.rs patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let labs = ["Observation/a-lab", "Observation/a-lab2", "Observation/a-lab3"];
    for (path, seen_whole, seen_granular) in [
        ("Observation?category:in=http://x/lab", &labs[..], &labs[..]),
        ("Observation?category:not-in=http://x/vital", &labs[..], &labs[..]),
        ("Observation?category:in=ValueSet/vital", &["Observation/a-vital"][..], &[][..]),
        ("Observation?category:not-in=http://x/lab", &["Observation/a-vital"][..], &[][..]),
    ] {
        let reply = ask(&everything(), true, whole, path).await;
        assert_eq!(reply.entries(), seen_whole, "{path}");
        assert_eq!(reply.json()["total"], seen_whole.len(), "{path}");
        let reply = ask(&everything(), true, granular, path).await;
        assert_eq!(reply.entries(), seen_granular, "{path}");
        let bare = ask(&only_visible(), true, granular, path).await;
        assert_eq!(reply.fingerprint(), bare.fingerprint(), "{path}");
        // A value set out of the scopes' reach is one that does not exist.
        let hidden = ask(&everything(), true, narrow, path).await;
        let never = ask(&everything(), false, narrow, path).await;
        assert_eq!(hidden.fingerprint(), never.fingerprint(), "{path}");
        assert_eq!(
            (hidden.status, hidden.code().as_str()),
            (StatusCode::BAD_REQUEST, "search-refused")
        );
        assert!(String::from_utf8_lossy(&hidden.body).contains("category:"), "{path}");
    }
}

// Covers: FHIR R4 search.html list
#[tokio::test]
async fn a_list_that_is_shared_finds_what_of_it_is_shared() {
    let world = World::embedded().await.unwrap();
    world.load(&everything()).await.unwrap();
    let entry = |to: &str| format!(r#"{{"item":{{"reference":"Observation/{to}"}}}}"#);
    let list = |id: &str, entries: &[&str]| {
        let entries: Vec<String> = entries.iter().map(|to| entry(to)).collect();
        format!(
            r#"{{"resourceType":"List","id":"{id}","status":"current","mode":"working","subject":{{"reference":"Patient/a"}},"entry":[{}]}}"#,
            entries.join(",")
        )
    };
    world
        .load(&[list("mixed", &["a-lab", "a-vital"]), list("sensitive", &["a-lab", "a-hiv"])])
        .await
        .unwrap();
    let token =
        world.service("quality-study", "system/Observation.rs system/List.rs").await.unwrap();
    let labs = world.get(&token, "Observation?_list=mixed").await.unwrap();
    assert_eq!(labs.entries(), ["Observation/a-lab", "Observation/a-vital"]);
    // A List that names something withheld is withheld with it.
    let hidden = world.get(&token, "Observation?_list=sensitive").await.unwrap();
    let never = world.get(&token, "Observation?_list=notthere1").await.unwrap();
    assert_eq!(hidden.fingerprint().replace("sensitive", "notthere1"), never.fingerprint());
    assert_eq!(hidden.json()["total"], 0);
}

#[tokio::test]
async fn a_service_sees_nothing_sensitive_and_the_metadata_is_public() {
    let (world, _) = world(&everything()).await;
    let token = world.service("quality-study", "system/Observation.rs").await.unwrap();
    let reply = world.get(&token, "Observation").await.unwrap();
    let entries = reply.entries();
    assert!(entries.contains(&"Observation/b-lab".to_owned()), "{entries:?}");
    assert!(!entries.contains(&"Observation/a-hiv".to_owned()), "{entries:?}");
    let metadata = world.get("", "metadata").await.unwrap();
    assert_eq!(metadata.json()["resourceType"], "CapabilityStatement");
}

// Covers: design §13; leak 136
#[tokio::test]
async fn too_often_and_too_many_patients_are_answered_with_when_to_come_back() {
    let one = NonZeroU32::MIN;
    let slow = Rates { client_per_sec: one, burst_secs: one, ..Rates::default() };
    let few = Rates { patients_per_hour: 0, ..Rates::default() };
    for (rates, first, second) in
        [(slow, "", "rate-limited"), (few, "patient-budget", "patient-budget")]
    {
        let settings = GatewaySettings { rates, ..GatewaySettings::embedded(ORIGIN) };
        let world = World::new(settings).await.unwrap();
        world.load(&everything()).await.unwrap();
        let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
        for code in [first, second] {
            let reply = world.get(&access.token, "Observation/a-lab").await.unwrap();
            assert_eq!(reply.code(), code);
            if code.is_empty() {
                assert_eq!(reply.status, StatusCode::OK);
            } else {
                assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
                assert!(reply.headers.contains_key("retry-after"));
                assert!(!String::from_utf8_lossy(&reply.body).contains("7.20"));
            }
        }
        let log = world.accesses().await.unwrap();
        assert_eq!(log[0].outcome, AuditOutcome::Denied);
        assert_eq!((log[0].status, log[0].released), (Some(429), 0));
    }
}

/// What is written to the operator's log while a test runs on this thread.
#[derive(Clone, Default)]
struct OperatorLog(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for OperatorLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// Covers: design §13 (over 100 distinct patients: 429, and an alert); leak 136
#[tokio::test]
async fn whoever_walks_through_too_many_patients_raises_an_alert() {
    let log = OperatorLog::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    for (budget, status) in [(1, StatusCode::OK), (0, StatusCode::TOO_MANY_REQUESTS)] {
        let rates = Rates { patients_per_hour: budget, ..Rates::default() };
        let settings = GatewaySettings { rates, ..GatewaySettings::embedded(ORIGIN) };
        let world = World::new(settings).await.unwrap();
        world.load(&everything()).await.unwrap();
        let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
        let reply = world.get(&access.token, "Observation/a-lab").await.unwrap();
        assert_eq!(reply.status, status);
        let said = String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap();
        let alerts = said.lines().filter(|line| line.contains("alert: one person asked")).count();
        assert_eq!(alerts, usize::from(status != StatusCode::OK), "{said}");
        // Who it was, and nothing of any record.
        assert_eq!(said.contains(access.account.id.as_str()), status != StatusCode::OK, "{said}");
        assert!(!said.contains("Ash") && !said.contains("7.20"), "{said}");
    }
}

// Covers: leak 17, leak 19, leak 121
#[tokio::test]
async fn a_choice_that_is_over_opens_nothing() {
    let (world, token) = world(&everything()).await;
    assert_eq!(world.get(&token, "Patient/a").await.unwrap().status, StatusCode::OK);
    world.clock.advance_secs(24 * 3600);
    let reply = world.get(&token, "Patient/a").await.unwrap();
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

// Covers: design §9, kinds of record without payloads
#[tokio::test]
async fn what_was_asked_for_in_vain_is_logged_by_kind_and_found_by_kind() {
    let (world, token) = world(&everything()).await;
    let codes = "Observation?patient=a&category=vital-signs";
    assert_eq!(world.get(&token, codes).await.unwrap().status, 200);
    let entry = world.accesses().await.unwrap().remove(0);
    let vitals = CategorySet::EMPTY.with(Category::Vitals);
    assert_eq!((entry.asked, entry.categories, entry.released), (vitals, CategorySet::EMPTY, 0));
    assert_eq!(entry.reasons, [ReasonCode::ConsentInForce, ReasonCode::CategoryNotShared]);
    let found = async |category| {
        let query = ActivityQuery {
            patient: "a".parse().unwrap(),
            reader: Capacity::Patient,
            without_looks_of: None,
            kinds: vec![AuditKind::Access],
            client: None,
            from: None,
            to: None,
            category: Some(category),
            outcome: None,
            before: None,
            limit: 9,
        };
        world.app.activity(&query).await.unwrap().entries.len()
    };
    assert_eq!((found(Category::Vitals).await, found(Category::Laboratory).await), (1, 0));
    // A kind that is shared and of which there is something is not said to be unshared.
    world.get(&token, "Observation?patient=a&category=laboratory").await.unwrap();
    let entry = world.accesses().await.unwrap().remove(0);
    assert_eq!(entry.reasons, [ReasonCode::ConsentInForce]);
    assert_eq!((found(Category::Vitals).await, found(Category::Laboratory).await), (1, 1));
}
