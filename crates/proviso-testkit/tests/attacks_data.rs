//! Attacks on the data plane that once worked, or nearly did. Each test is one way in, closed.

use http::{Method, StatusCode};
use proviso_core::category::{CategorySet, SensitiveSet};
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings};
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_cases::{LAB, observation};
use proviso_testkit::gateway_world::{Access, ORIGIN, Reply, Terms, World, request};

const JSON: &[(&str, &str)] = &[("content-type", "application/fhir+json")];
const RESTRICTED: &str = r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}"#;

const PATIENT: &str =
    r#"{"resourceType":"Patient","id":"a","name":[{"family":"Ash"}],"gender":"female"}"#;
const PRACTITIONER: &str =
    r#"{"resourceType":"Practitioner","id":"p","name":[{"family":"Patel"}]}"#;

fn lab(id: &str, more: &str) -> String {
    observation(id, "a", LAB, "4548-4", "7.2", "2026-01-01", more)
}

fn texts(resources: &[&str]) -> Vec<String> {
    resources.iter().map(|text| (*text).to_owned()).collect()
}

/// Patient `a` shares every kind of record and no sensitive kind.
async fn share_all(world: &World) -> Access {
    let terms = Terms {
        patient: "a",
        categories: CategorySet::all(),
        sensitive: SensitiveSet::EMPTY,
        scopes: "patient/*.cruds",
    };
    world.share("glucose-coach", &terms).await.unwrap()
}

async fn world_with(resources: &[&str]) -> (World, String) {
    let world = World::embedded().await.unwrap();
    world.load(&texts(&[PATIENT, PRACTITIONER])).await.unwrap();
    world.load(&texts(resources)).await.unwrap();
    let access = share_all(&world).await;
    (world, access.token)
}

async fn send(world: &World, token: &str, method: Method, path: &str, body: &str) -> Reply {
    world.send(request(method, token, path, JSON, body.to_owned()).unwrap()).await.unwrap()
}

const DEPRESSION: &str = r#"{"resourceType":"Condition","id":"dep","subject":{"reference":"Patient/a"},
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item"}]}],
"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F33.1"}]}}"#;

/// Records that lead to withheld ones, and their like that do not.
const LEADING: &[&str] = &[
    DEPRESSION,
    r#"{"resourceType":"Provenance","id":"prov","recorded":"2026-01-01T00:00:00Z","target":[{"reference":"Patient/a"},{"reference":"Condition/dep"}],"agent":[{"who":{"reference":"Practitioner/p"}}]}"#,
    r#"{"resourceType":"Encounter","id":"enc","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/a"},"diagnosis":[{"condition":{"reference":"Condition/dep/_history/1"}}]}"#,
    r#"{"resourceType":"Encounter","id":"plain","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/a"}}"#,
    r#"{"resourceType":"Medication","id":"m1","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"6813","display":"methadone"}]}}"#,
    r#"{"resourceType":"Medication","id":"m2","code":{"text":"metformin"}}"#,
    r#"{"resourceType":"MedicationRequest","id":"rx1","status":"active","intent":"order","subject":{"reference":"Patient/a"},"medicationReference":{"reference":"http://127.0.0.1:8080/fhir/r4/Medication/m1"}}"#,
    r#"{"resourceType":"MedicationRequest","id":"rx2","status":"active","intent":"order","subject":{"reference":"Patient/a"},"medicationReference":{"reference":"Medication/m2"}}"#,
    r#"{"resourceType":"Location","id":"org","name":"Harbor Methadone Clinic"}"#,
    r#"{"resourceType":"Appointment","id":"app","status":"booked","participant":[{"status":"accepted","actor":{"reference":"Patient/a"}},{"status":"accepted","actor":{"reference":"Location/org"}}]}"#,
    r#"{"resourceType":"Binary","id":"bin","contentType":"text/plain","securityContext":{"reference":"Patient/a"},"data":"VGhlcmFweSBmb3IgbWFqb3IgZGVwcmVzc2lvbg=="}"#,
    r#"{"resourceType":"DocumentReference","id":"doc","status":"current","subject":{"reference":"Patient/a"},"content":[{"attachment":{"contentType":"text/plain","url":"Binary/bin"}}]}"#,
];

/// The records of [`LEADING`] that must not be seen.
const LED_ASTRAY: &[&str] = &[
    "Condition/dep",
    "Provenance/prov",
    "Encounter/enc",
    "Encounter/enc/_history/1",
    "Encounter/enc/_history",
    "MedicationRequest/rx1",
    "Appointment/app",
    "Binary/bin",
    "DocumentReference/doc",
];

/// What refers to a withheld record tells that it is there, and in which company.
// Covers: design §6 (propagation), P1
#[tokio::test]
async fn what_leads_to_a_withheld_record_is_withheld_with_it() {
    let (world, token) = world_with(LEADING).await;
    let never = world.get(&token, "Encounter/never").await.unwrap().fingerprint();
    for path in LED_ASTRAY {
        let reply = world.get(&token, path).await.unwrap();
        assert_eq!(reply.fingerprint(), never, "{path}");
    }
    for (path, expected) in [
        ("Encounter", &["Encounter/plain"][..]),
        ("MedicationRequest", &["MedicationRequest/rx2"]),
        ("MedicationRequest?_sort=-_lastUpdated", &["MedicationRequest/rx2"]),
        ("Provenance", &[]),
        ("Provenance?target=Condition/dep", &[]),
        ("Patient?_has:Encounter:patient:status=finished", &["Patient/a"]),
        ("Patient?_has:Provenance:patient:_id=prov", &[]),
        ("Medication?_id=m1&_revinclude=MedicationRequest:medication", &["Medication/m1"]),
        ("Encounter/_history", &["Encounter/plain"]),
        ("Provenance?_summary=count", &[]),
    ] {
        let reply = world.get(&token, path).await.unwrap();
        assert_eq!(reply.entries(), expected, "{path}");
        assert!(
            reply.json()["total"].as_u64().is_none_or(|total| total == expected.len() as u64),
            "{path}"
        );
    }
    let all = world.get(&token, "Patient/a/$everything").await.unwrap().entries();
    for hidden in ["Provenance/prov", "Encounter/enc", "MedicationRequest/rx1", "Medication/m1"] {
        assert!(!all.contains(&hidden.to_owned()), "{hidden} in {all:?}");
    }
}

/// The same in front of a FHIR server that others wrote.
#[tokio::test]
async fn what_leads_to_a_withheld_record_of_an_upstream_is_withheld_with_it() {
    let server = FhirServer::start().await.unwrap();
    server.load(&texts(&[PATIENT, PRACTITIONER])).await.unwrap();
    server.load(&texts(LEADING)).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let token = share_all(&world).await.token;
    let never = world.get(&token, "Encounter/never").await.unwrap().fingerprint();
    // A reference under our own base is not one of the upstream's, and this upstream does not give
    // the content of a Binary as FHIR.
    for path in LED_ASTRAY.iter().filter(|path| !path.ends_with("rx1") && !path.ends_with("doc")) {
        let reply = world.get(&token, path).await.unwrap();
        assert_eq!(reply.fingerprint(), never, "{path}");
    }
    for (path, expected) in [
        ("Encounter?patient=a", &["Encounter/plain"][..]),
        ("Provenance?target=Condition/dep", &[]),
        ("Patient?_id=a&_revinclude=Encounter:patient", &["Patient/a", "Encounter/plain"]),
    ] {
        assert_eq!(world.get(&token, path).await.unwrap().entries(), expected, "{path}");
    }
}

/// A target that was deleted still tells what it was by what refers to it.
#[tokio::test]
async fn what_led_to_a_deleted_withheld_record_stays_withheld() {
    let (world, token) = world_with(&[
        DEPRESSION,
        r#"{"resourceType":"CarePlan","id":"cp","status":"active","intent":"plan","subject":{"reference":"Patient/a"},"addresses":[{"reference":"Condition/dep"}]}"#,
    ])
    .await;
    world.remove("Condition", "dep").await.unwrap();
    assert_eq!(world.get(&token, "CarePlan/cp").await.unwrap().status, StatusCode::NOT_FOUND);
}

/// Whoever may write could else ask by a reference of their own whether a guessed id is there.
// Covers: leak 91
#[tokio::test]
async fn a_written_reference_does_not_tell_whether_its_target_is_there() {
    let (world, token) = world_with(&[DEPRESSION, &lab("seen", "")]).await;
    world
        .load(&texts(&[
            r#"{"resourceType":"Patient","id":"b"}"#,
            r#"{"resourceType":"Encounter","id":"b-enc","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/b"}}"#,
        ]))
        .await
        .unwrap();
    let with = |edge: &str| {
        lab("x", &format!(r#","derivedFrom":[{{"reference":"{edge}"}}]"#))
            .replace(r#""id":"x","#, "")
    };
    let mut answers = Vec::new();
    for target in ["Condition/dep", "Condition/never", "Encounter/b-enc", "Encounter/never"] {
        let made = send(&world, &token, Method::POST, "Observation", &with(target)).await;
        assert_eq!(made.status, StatusCode::UNPROCESSABLE_ENTITY, "{target}");
        let body = lab("seen", &format!(r#","derivedFrom":[{{"reference":"{target}"}}]"#));
        let put = send(&world, &token, Method::PUT, "Observation/seen", &body).await;
        answers.push((made.fingerprint(), put.fingerprint()));
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    let made = send(&world, &token, Method::POST, "Observation", &with("Observation/seen")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.code());
}

/// What was open yesterday and is restricted today is not open in its history.
// Covers: leak 59
#[tokio::test]
async fn a_restricted_record_takes_its_past_with_it() {
    let (world, token) = world_with(&[&lab("one", ""), &lab("two", "")]).await;
    world.load(&[lab("one", RESTRICTED)]).await.unwrap();
    let never = world.get(&token, "Observation/never").await.unwrap().fingerprint();
    for path in [
        "Observation/one",
        "Observation/one/_history",
        "Observation/one/_history/1",
        "Observation/one/_history/2",
        "Observation/one/_history/3",
    ] {
        assert_eq!(world.get(&token, path).await.unwrap().fingerprint(), never, "{path}");
    }
    let reply = world.get(&token, "Observation/_history").await.unwrap();
    assert_eq!(reply.entries(), ["Observation/two"]);
    // Deleted in the end, it is still what it last was.
    world.remove("Observation", "one").await.unwrap();
    for path in ["Observation/one", "Observation/one/_history", "Observation/one/_history/1"] {
        assert_eq!(world.get(&token, path).await.unwrap().fingerprint(), never, "{path}");
    }
    let reply = world.get(&token, "Observation/_history").await.unwrap();
    assert_eq!(reply.entries(), ["Observation/two"]);
}

/// A page link keeps the state of its first page, but not what was withheld since.
// Covers: leak 42
#[tokio::test]
async fn the_next_page_does_not_show_what_was_restricted_meanwhile() {
    for query in ["_count=1", "_count=1&_sort=-_lastUpdated", "_count=1&_total=accurate"] {
        let (world, token) = world_with(&[&lab("o3", ""), &lab("o2", ""), &lab("o1", "")]).await;
        let first = world.get(&token, &format!("Observation?{query}")).await.unwrap();
        assert_eq!(first.entries(), ["Observation/o1"], "{query}");
        world.load(&[lab("o2", RESTRICTED)]).await.unwrap();
        let next = world.get(&token, &first.next().unwrap()).await.unwrap();
        assert_eq!(next.entries(), ["Observation/o3"], "{query}");
    }
}

/// A label on a part of a record is as hard to take away as one on the whole.
// Covers: leak 80
#[tokio::test]
async fn a_label_inside_a_record_cannot_be_written_away() {
    let world = World::embedded().await.unwrap();
    let inside = r#","note":[{"text":"x","extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label","valueCoding":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}}]}]"#;
    world.load(&texts(&[PATIENT, PRACTITIONER, &lab("one", inside)])).await.unwrap();
    let terms = Terms {
        patient: "a",
        categories: CategorySet::all(),
        sensitive: SensitiveSet::all(),
        scopes: "patient/*.cruds",
    };
    let token = world.share("glucose-coach", &terms).await.unwrap().token;
    let put = send(&world, &token, Method::PUT, "Observation/one", &lab("one", "")).await;
    assert_eq!(put.status, StatusCode::FORBIDDEN);
    let kept = lab("one", inside).replace("7.2", "7.3");
    let put = send(&world, &token, Method::PUT, "Observation/one", &kept).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.code());
}
