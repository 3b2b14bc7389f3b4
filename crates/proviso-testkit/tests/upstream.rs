//! The same enforcement in front of a FHIR server that others wrote.

use http::{Method, StatusCode};
use proviso_app::failure::Failure;
use proviso_app::launch::{LaunchOrder, LaunchRefusal};
use proviso_app::via::Via;
use proviso_app::visits::VisitsError;
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings};
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_cases::{self, NARROW, everything, hidden, terms};
use proviso_testkit::gateway_world::{ORIGIN, World, request};

struct Fronted {
    server: FhirServer,
    world: World,
    token: String,
}

async fn fronted(resources: &[String]) -> Fronted {
    let server = FhirServer::start().await.unwrap();
    server.load(resources).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    Fronted { server, world, token: access.token }
}

#[tokio::test]
async fn pages_are_full_and_totals_are_those_of_the_view() {
    let Fronted { world, token, server: _server } = fronted(&everything()).await;
    let mut path = "Observation?_count=1&_sort=-date".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get(&token, &path).await.unwrap();
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.json()["total"], 3);
        assert_eq!(page.entries().len(), 1);
        seen.extend(page.entries());
        match page.next() {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen, ["Observation/a-lab3", "Observation/a-lab2", "Observation/a-lab"]);
    let with_performer =
        world.get(&token, "Observation?_id=a-lab&_include=Observation:performer").await.unwrap();
    assert_eq!(with_performer.entries(), ["Observation/a-lab", "Practitioner/p"]);
}

#[tokio::test]
async fn what_the_upstream_would_have_to_look_up_elsewhere_is_refused_by_name() {
    let Fronted { world, token, server: _server } = fronted(&everything()).await;
    for (path, name) in [
        ("Observation?code:in=http://x/vs", "code:in"),
        ("Observation?code:not-in=ValueSet/vs", "code:not-in"),
        ("Observation?code:below=http://loinc.org%7C4548-4", "code:below"),
        ("Observation?performer:above=Organization/o", "performer:above"),
        ("Observation?_list=l", "_list"),
    ] {
        let refused = world.get(&token, path).await.unwrap();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(String::from_utf8_lossy(&refused.body).contains(name), "{path}");
    }
}

// Covers: FHIR R4 patient-operation-everything.html
#[tokio::test]
async fn everything_keeps_to_the_range_of_care_in_front_of_another_server() {
    let Fronted { world, token, server: _server } = fronted(&everything()).await;
    for (query, expected) in gateway_cases::CARE {
        let path = format!("Patient/a/$everything?{query}");
        let reply = world.get(&token, &path).await.unwrap();
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        let mut entries = reply.entries();
        entries.retain(|entry| entry != "Practitioner/p");
        entries.sort();
        let found = entries.join(" ").replace("Observation/", "");
        assert_eq!(found.replace("MedicationRequest/", ""), *expected, "{path}");
    }
}

/// What happens between the first page and the second.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    /// A result is written that comes before what was read.
    Written(&'static str),
    /// The one that was read is deleted.
    Deleted,
}

// Covers: leak 38
#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_the_upstream_changes() {
    use Meanwhile::{Deleted, Written};
    for (query, meanwhile, expected) in [
        ("_count=1", Written("2026-01-05"), "a-lab a-lab2 a-lab3"),
        ("_count=1", Deleted, "a-lab a-lab2 a-lab3"),
        ("_count=1&_sort=-date", Written("2026-01-05"), "a-lab3 a-lab2 a-lab"),
        ("_count=1&_sort=-date", Deleted, "a-lab3 a-lab2 a-lab"),
        ("_count=1&_sort=date", Written("2025-01-05"), "a-lab a-lab2 a-lab3"),
        ("_count=2&_sort=-value-quantity", Deleted, "a-lab3 a-lab a-lab2"),
    ] {
        let Fronted { world, token, server } = fronted(&everything()).await;
        let first = world.get(&token, &format!("Observation?{query}")).await.unwrap();
        let mut seen = first.entries();
        match meanwhile {
            Written(date) => {
                let fresh = hidden("a-0").replace("2026-01-01", date);
                server.load(&[fresh]).await.unwrap();
            }
            Deleted => {
                let tail = format!("/{}", seen[0]);
                server.send(Method::DELETE, &tail, String::new()).await.unwrap();
            }
        }
        let mut next = first.next();
        while let Some(path) = next {
            let page = world.get(&token, &path).await.unwrap();
            assert_eq!(page.status, StatusCode::OK, "{path}");
            seen.extend(page.entries());
            next = page.next();
        }
        let found = seen.join(" ").replace("Observation/", "");
        assert_eq!(found, expected, "{query} {meanwhile:?}");
    }
}

#[tokio::test]
async fn writes_stay_within_the_grant_in_front_of_another_server() {
    let Fronted { world, token, server } = fronted(&everything()).await;
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
    let created = send(Method::POST, "Observation", &json, &lab("x", "a")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&created.body));
    let location = created.headers["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("{ORIGIN}/fhir/r4/Observation/")), "{location}");
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let updated = send(Method::PUT, &format!("Observation/{id}"), &json, &lab(&id, "a")).await;
    assert_eq!(updated.status, StatusCode::OK);
    for (method, path, body, code) in [
        (Method::POST, "Observation".to_owned(), lab("x", "b"), "write-refused"),
        (Method::PUT, format!("Observation/{id}"), lab(&id, "b"), "write-refused"),
        (Method::PUT, "Observation/b-lab".to_owned(), lab("b-lab", "a"), "not-found"),
        (Method::PUT, "Observation/fresh".to_owned(), lab("fresh", "a"), "not-found"),
        (Method::DELETE, "Observation/b-lab".to_owned(), String::new(), "not-found"),
    ] {
        let reply = send(method.clone(), &path, &json, &body).await;
        assert_eq!(reply.code(), code, "{method} {path}");
    }
    let (_, untouched) =
        server.send(Method::GET, "/Observation/b-lab", String::new()).await.unwrap();
    assert!(untouched.contains("99.99") && untouched.contains("Patient/b"), "{untouched}");
    let deleted = send(Method::DELETE, &format!("Observation/{id}"), &[], "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

/// An upstream would match criteria over records that the caller does not see.
// Covers: leak 89
#[tokio::test]
async fn changes_by_criteria_and_transactions_are_refused_in_front_of_another_server() {
    let Fronted { world, token, server } = fronted(&everything()).await;
    let json = ("content-type", "application/fhir+json");
    let patch = ("content-type", "application/json-patch+json");
    let lab = gateway_cases::observation(
        "a-lab",
        "a",
        gateway_cases::LAB,
        "4548-4",
        "6.10",
        "2026-02-01",
        "",
    );
    let bundle = |entries: &str| {
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#)
    };
    let delete = bundle(r#"{"request":{"method":"DELETE","url":"Observation/a-lab"}}"#);
    for (method, path, headers, body) in [
        (Method::POST, "Observation", vec![json, ("if-none-exist", "_id=a-lab")], lab.clone()),
        (Method::PUT, "Observation?_id=a-lab", vec![json], lab.clone()),
        (Method::PATCH, "Observation?_id=a-lab", vec![patch], "[]".to_owned()),
        (Method::DELETE, "Observation?_id=a-lab", vec![], String::new()),
        (Method::POST, "", vec![json], delete),
    ] {
        let request = request(method.clone(), &token, path, &headers, body).unwrap();
        let reply = world.send(request).await.unwrap();
        assert_eq!(reply.code(), "not-offered", "{method} {path}");
    }
    let (_, untouched) =
        server.send(Method::GET, "/Observation/a-lab", String::new()).await.unwrap();
    assert!(untouched.contains("7.2"), "{untouched}");
    // What looks nothing up is served: reads together, and the caller's own resource looked at.
    let reads = bundle(
        r#"{"request":{"method":"GET","url":"Observation/a-lab"}},{"request":{"method":"GET","url":"Observation/b-lab"}}"#,
    );
    let reply =
        world.send(request(Method::POST, &token, "", &[json], reads).unwrap()).await.unwrap();
    let status = |n: usize| reply.json()["entry"][n]["response"]["status"].to_string();
    assert!(status(0).starts_with("\"200") && status(1).starts_with("\"404"), "{}", reply.json());
    let validate = request(Method::POST, &token, "Observation/$validate", &[json], lab).unwrap();
    assert_eq!(world.send(validate).await.unwrap().code(), "valid");
}

// Covers: design §13
#[tokio::test]
async fn an_upstream_that_is_down_gives_no_data_and_one_clear_answer() {
    // Port 9 discards or refuses; nothing FHIR is there.
    let upstream = HttpUpstreamSettings::at("http://127.0.0.1:9/fhir");
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    for path in ["Observation/a-lab", "Observation", "Patient/a/$everything"] {
        let reply = world.get(&access.token, path).await.unwrap();
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(reply.code(), "upstream-unavailable");
    }
}

// Covers: design §13
#[tokio::test]
async fn an_upstream_that_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}/fhir", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    let timeout = std::time::Duration::from_millis(100);
    let upstream = HttpUpstreamSettings { timeout, ..HttpUpstreamSettings::at(base) };
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    for path in ["Observation/a-lab", "Observation", "Patient/a/$everything"] {
        let reply = world.get(&access.token, path).await.unwrap();
        assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT, "{path}");
        assert_eq!(reply.code(), "upstream-timeout");
    }
    let log = world.accesses().await.unwrap();
    assert!(log.iter().all(|entry| entry.status == Some(504) && entry.released == 0));
    silent.abort();
}

/// A visit of one patient; `more` is put behind the id.
fn visit(id: &str, patient: &str, start: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Encounter","id":"{id}"{more},"status":"finished",
"class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB","display":"ambulatory"}},
"subject":{{"reference":"Patient/{patient}"}},"period":{{"start":"{start}"}}}}"#
    )
}

// Covers: SMART App Launch 2.2 §EHR launch; design P1, P3 in front of a FHIR server by URL
#[tokio::test]
async fn the_visits_of_a_launch_are_those_of_the_upstream_that_staff_may_see() {
    const RESTRICTED: &str = r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"ETH"}]}"#;
    let mut resources = everything();
    resources.extend([
        visit("a-old", "a", "2024-01-01T08:00:00Z", ""),
        visit("a-new", "a", "2026-01-01T08:00:00Z", ""),
        visit("a-ethanol", "a", "2025-01-01T08:00:00Z", RESTRICTED),
        visit("b-visit", "b", "2026-01-02T08:00:00Z", ""),
    ]);
    let Fronted { world, server: _server, .. } = fronted(&resources).await;
    let doctor = world.clinician("doctor", &["a"]).await.unwrap();
    let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
    let via = Via::default();
    let list = world.app.visits_of(&doctor, &a, &via).await.unwrap().unwrap();
    let ids: Vec<&str> = list.newest_first.iter().map(|visit| visit.id.as_str()).collect();
    assert_eq!(ids, ["a-new", "a-old"]);
    assert_eq!(list.newest_first[0].what.as_deref(), Some("ambulatory"));
    let none = world.app.visits_of(&doctor, &b, &via).await.unwrap();
    assert_eq!(none, Err(LaunchRefusal::Patient));
    let entries = world.accesses().await.unwrap();
    assert_eq!((entries[0].released, entries[0].withheld), (2, 1));

    let client = world.launchable("chart").await.unwrap();
    let order = |visit: &str| LaunchOrder {
        client: client.clone(),
        launch_uri: "https://chart.example/launch".to_owned(),
        patient: Some("a".parse().unwrap()),
        encounter: Some(visit.parse().unwrap()),
        intent: None,
        emergency: None,
    };
    for (visit, refused) in [
        ("a-new", None),
        ("a-ethanol", Some(LaunchRefusal::Visit)),
        ("b-visit", Some(LaunchRefusal::Visit)),
        ("nothing", Some(LaunchRefusal::Visit)),
    ] {
        let started = world.app.start_launch(&doctor, order(visit), &via).await.unwrap();
        assert_eq!(started.err(), refused, "{visit}");
    }
    world.faults.fail_commits(true);
    let unlogged = world.app.visits_of(&doctor, &a, &via).await;
    assert!(matches!(unlogged, Err(Failure::Visits(VisitsError::NotLogged))), "{unlogged:?}");
}
