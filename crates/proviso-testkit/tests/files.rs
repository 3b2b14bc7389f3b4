//! Files (Binary): decided with the records that they belong to, and handed out as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use proviso_core::category::{Category, CategorySet, SensitiveKind, SensitiveSet};
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings};
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_world::{ORIGIN, Reply, Terms, World, request};
use serde_json::{Value, json};

const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const TEXT: &str = "See you next week.";
/// `TEXT`, in base64.
const DATA: &str = "U2VlIHlvdSBuZXh0IHdlZWsu";

fn file(id: &str, context: Option<&str>) -> Value {
    let mut own = json!({"resourceType": "Binary", "id": id, "contentType": "text/plain; charset=utf-8",
        "data": DATA});
    if let Some(context) = context {
        own["securityContext"] = json!({"reference": context});
    }
    own
}

fn note(id: &str, patient: &str, file: &str, label: Option<&str>) -> Value {
    let mut own = json!({"resourceType": "DocumentReference", "id": id, "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "content": [{"attachment": {"contentType": "text/plain", "url": file}}]});
    if let Some(label) = label {
        own["meta"] = json!({"security": [{"system": ACT, "code": label}]});
    }
    own
}

fn records() -> Vec<String> {
    let all = [
        json!({"resourceType": "Patient", "id": "a", "name": [{"family": "Ash"}]}),
        json!({"resourceType": "Patient", "id": "b", "name": [{"family": "Bluebird"}]}),
        file("plain", Some("Patient/a")),
        note("n-plain", "a", "Binary/plain", None),
        file("therapy", Some("Patient/a")),
        note("n-therapy", "a", "Binary/therapy", Some("PSY")),
        file("loose", None),
        note("n-loose", "a", "Binary/loose", None),
        file("loose-therapy", None),
        note("n-loose-therapy", "a", "Binary/loose-therapy", Some("PSY")),
        file("of-note", Some("DocumentReference/n-plain")),
        file("of-therapy", Some("DocumentReference/n-therapy")),
        file("of-nothing", Some("DocumentReference/never")),
        file("of-file", Some("Binary/plain")),
        file("shared", Some("Patient/a")),
        note("n-shared", "a", "Binary/shared", None),
        note("n-shared-therapy", "a", "Binary/shared", Some("PSY")),
        file("in-report", None),
        json!({"resourceType": "DiagnosticReport", "id": "report", "status": "final",
            "category": [{"coding": [{"code": "LAB",
                "system": "http://terminology.hl7.org/CodeSystem/v2-0074"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
            "subject": {"reference": "Patient/a"},
            "presentedForm": [{"contentType": "text/plain", "url": "Binary/in-report/_history/1"}]}),
        file("of-claim", Some("Patient/a")),
        json!({"resourceType": "Claim", "id": "claim", "status": "active", "use": "claim",
            "meta": {"security": [{"system": ACT, "code": "PSY"}]},
            "type": {"text": "t"}, "patient": {"reference": "Patient/a"}, "created": "2026-01-01",
            "provider": {"reference": "Practitioner/p"}, "priority": {"text": "p"},
            "supportingInfo": [{"sequence": 1, "category": {"text": "c"},
                "valueAttachment": {"url": "Binary/of-claim"}}],
            "insurance": [{"sequence": 1, "focal": true, "coverage": {"reference": "Coverage/c"}}]}),
        file("unnamed", Some("Patient/a")),
        file("nobodys", None),
        file("of-b", Some("Patient/b")),
        file("of-both", None),
        note("n-both", "a", "Binary/of-both", None),
        note("n-both-b", "b", "Binary/of-both", None),
        file("loose-of-b", None),
        note("n-b", "b", "Binary/loose-of-b", None),
    ];
    all.iter().map(Value::to_string).collect()
}

fn terms(sensitive: SensitiveSet) -> Terms {
    Terms {
        patient: "a",
        categories: Category::ALL.iter().copied().collect::<CategorySet>(),
        sensitive,
        scopes: "patient/*.cruds",
    }
}

async fn app(world: &World, sensitive: SensitiveSet) -> String {
    world.share("glucose-coach", &terms(sensitive)).await.unwrap().token
}

async fn embedded() -> World {
    let world = World::embedded().await.unwrap();
    world.load(&records()).await.unwrap();
    world
}

async fn get(world: &World, token: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    world.send(request(Method::GET, token, path, headers, "").unwrap()).await.unwrap()
}

/// Which files are seen, without and with therapy notes named.
const FILES: &[(&str, bool, bool)] = &[
    ("plain", true, true),
    ("therapy", false, true),
    ("loose", true, true),
    ("loose-therapy", false, true),
    ("of-note", true, true),
    ("of-therapy", false, true),
    ("of-nothing", false, false),
    ("of-file", false, false),
    ("shared", false, true),
    ("in-report", true, true),
    ("of-claim", false, true),
    ("unnamed", true, true),
    ("nobodys", false, false),
    ("of-b", false, false),
    ("of-both", true, true),
    ("loose-of-b", false, false),
];

async fn holds(world: &World, sensitive: SensitiveSet, named: bool) {
    let token = app(world, sensitive).await;
    let never = get(world, &token, "Binary/never", &[]).await;
    assert_eq!(never.status, StatusCode::NOT_FOUND);
    for (id, without, with) in FILES {
        let seen = if named { *with } else { *without };
        for accept in ["application/fhir+json", "text/plain"] {
            let reply = get(world, &token, &format!("Binary/{id}"), &[("accept", accept)]).await;
            if seen {
                assert_eq!(reply.status, StatusCode::OK, "{id}: {}", reply.text());
            } else {
                assert_eq!(reply.fingerprint(), never.fingerprint(), "{id} as {accept}");
            }
        }
        for tail in ["/_history", "/_history/1"] {
            let reply = get(world, &token, &format!("Binary/{id}{tail}"), &[]).await;
            if !seen {
                assert_eq!(reply.fingerprint(), never.fingerprint(), "{id}{tail}");
            }
        }
    }
}

// Covers: leak 118; FHIR R4 binary.html (securityContext); design §7
#[tokio::test]
async fn a_file_is_seen_with_every_record_that_it_belongs_to() {
    let world = embedded().await;
    holds(&world, SensitiveSet::EMPTY, false).await;
    let therapy = SensitiveSet::EMPTY.with(SensitiveKind::MentalHealth);
    let world = embedded().await;
    holds(&world, therapy, true).await;
}

/// Not only labels hide a record: what a scope or a choice leaves out takes its file along as well.
// Covers: leak 118; SMART App Launch 2.2 (granular scopes)
#[tokio::test]
async fn a_record_that_is_out_of_reach_takes_its_file_along() {
    const KIND: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category";
    let world = embedded().await;
    let mut clinical = note("n-clinical", "a", "Binary/clinical", None);
    clinical["category"] = json!([{"coding": [{"system": KIND, "code": "clinical-note"}]}]);
    let all = [file("clinical", Some("Patient/a")).to_string(), clinical.to_string()];
    world.load(&all).await.unwrap();
    let scopes = "patient/Binary.r patient/DocumentReference.r?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category|clinical-note";
    let granular = Terms { scopes, ..terms(SensitiveSet::EMPTY) };
    let token = world.share("reader", &granular).await.unwrap().token;
    for (path, status) in [
        ("DocumentReference/n-clinical", 200),
        ("Binary/clinical", 200),
        ("DocumentReference/n-plain", 404),
        ("Binary/plain", 404),
        ("Binary/of-note", 404),
        ("Binary/unnamed", 200),
    ] {
        let reply = get(&world, &token, path, &[]).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn the_same_in_front_of_another_server() {
    let server = FhirServer::start().await.unwrap();
    server.load(&records()).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let token = app(&world, SensitiveSet::EMPTY).await;
    let never = get(&world, &token, "Binary/never", &[]).await;
    for (id, seen, _) in FILES {
        let reply = get(&world, &token, &format!("Binary/{id}"), &[]).await;
        if *seen {
            assert_eq!(reply.status, StatusCode::OK, "{id}: {}", reply.text());
        } else {
            let told = reply.fingerprint_without_versions();
            assert_eq!(told, never.fingerprint_without_versions(), "{id}");
        }
    }
}

/// Nothing that looks around brings a file to light, and no change is a way to it.
// Covers: leak 118, 36, 63, 91
#[tokio::test]
async fn there_is_no_other_way_to_a_file() {
    let world = embedded().await;
    let attached = note("n-own", "a", "Binary/plain", None).to_string();
    let mut related: Value = serde_json::from_str(&attached).unwrap();
    related["context"] = json!({"related": [{"reference": "Binary/therapy"}]});
    world.load(&[related.to_string()]).await.unwrap();
    let token = app(&world, SensitiveSet::EMPTY).await;
    for path in ["Binary", "Binary?_id=plain", "Binary/_history"] {
        let reply = get(&world, &token, path, &[]).await;
        assert_eq!(reply.code(), "not-offered", "{path}: {}", reply.text());
    }
    for path in [
        "DocumentReference?_include=*",
        "DocumentReference?_include=DocumentReference:related",
        "Patient/a/$everything",
        "DocumentReference?related:Binary._id=therapy",
        "Patient?_has:DocumentReference:patient:related:Binary._id=plain",
    ] {
        let reply = get(&world, &token, path, &[]).await;
        assert!(!reply.text().contains("\"Binary\""), "{path}: {}", reply.text());
        assert!(!reply.text().contains(DATA), "{path}");
    }
    let json = ("content-type", "application/fhir+json");
    let send = async |method: Method, path: &str, body: String| {
        world.send(request(method, &token, path, &[json], body).unwrap()).await.unwrap()
    };
    // To refer to a file is to know of it: hidden and absent ones are refused alike.
    let mut fresh = note("x", "a", "Binary/therapy", None);
    fresh.as_object_mut().unwrap().shift_remove("id");
    let hidden = send(Method::POST, "DocumentReference", fresh.to_string()).await;
    let absent = fresh.to_string().replace("Binary/therapy", "Binary/nothing");
    let absent = send(Method::POST, "DocumentReference", absent).await;
    assert_eq!(hidden.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", hidden.text());
    assert_eq!(hidden.fingerprint(), absent.fingerprint());
    for (method, body) in [
        (Method::PUT, file("therapy", Some("Patient/a")).to_string()),
        (Method::DELETE, String::new()),
    ] {
        let headers: &[(&str, &str)] = if body.is_empty() { &[] } else { &[json] };
        let one = request(method.clone(), &token, "Binary/therapy", headers, body.clone()).unwrap();
        let one = world.send(one).await.unwrap();
        let body = body.replace("therapy", "nothing");
        let two = request(method, &token, "Binary/nothing", headers, body).unwrap();
        let two = world.send(two).await.unwrap();
        assert_eq!(one.status, StatusCode::NOT_FOUND);
        assert_eq!(one.fingerprint(), two.fingerprint());
    }
    // A transaction changes several things at once, and no file that is there.
    let patch = json!([{"op": "test", "path": "/data", "value": DATA}]).to_string();
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json",
        "data": STANDARD.encode(patch)});
    for id in ["therapy", "plain", "nothing"] {
        for entry in [
            json!({"request": {"method": "PATCH", "url": format!("Binary/{id}")}, "resource": patch}),
            json!({"request": {"method": "PUT", "url": format!("Binary/{id}")},
                "resource": file(id, Some("Patient/a"))}),
            json!({"request": {"method": "DELETE", "url": format!("Binary/{id}")}}),
            json!({"request": {"method": "DELETE", "url": format!("Binary?_id={id}")}}),
        ] {
            let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
            let reply = send(Method::POST, "/fhir/r4", bundle.to_string()).await;
            assert_eq!(reply.code(), "not-offered", "{id}: {}", reply.text());
        }
        for entry in [
            json!({"request": {"method": "PATCH", "url": format!("Binary/{id}")}, "resource": patch}),
            json!({"request": {"method": "GET", "url": format!("Binary/{id}")}}),
        ] {
            let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
            let reply = send(Method::POST, "/fhir/r4", bundle.to_string()).await;
            let status = reply.json()["entry"][0]["response"]["status"].to_string();
            let expected = if id == "plain" { "\"200" } else { "\"404" };
            assert!(status.starts_with(expected), "{id}: {}", reply.text());
        }
    }
    let fresh = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
            "request": {"method": "POST", "url": "Binary"}, "resource": {"resourceType": "Binary",
            "contentType": "text/plain", "securityContext": {"reference": "Patient/a"}, "data": DATA}},
        {"request": {"method": "POST", "url": "DocumentReference"}, "resource": {
            "resourceType": "DocumentReference", "status": "current",
            "subject": {"reference": "Patient/a"}, "content": [{"attachment":
            {"url": "urn:uuid:00000000-0000-4000-8000-000000000001"}}]}}]});
    let made = send(Method::POST, "/fhir/r4", fresh.to_string()).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    let criteria = send(Method::PUT, "Binary?_id=plain", file("x", Some("Patient/a")).to_string());
    assert_eq!(criteria.await.code(), "not-offered");
}

/// A file that is asked for in its own form comes in it, whole or in part.
// Covers: FHIR R4 binary.html#rest; RFC 9110 §14 (ranges)
#[tokio::test]
async fn a_file_comes_as_it_is() {
    let world = embedded().await;
    let token = app(&world, SensitiveSet::EMPTY).await;
    let ask = async |headers: &[(&str, &str)]| get(&world, &token, "Binary/plain", headers).await;
    let whole = ask(&[("accept", "text/plain")]).await;
    assert_eq!((whole.status, whole.text().as_str()), (StatusCode::OK, TEXT));
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("content-disposition", "attachment"),
        ("accept-ranges", "bytes"),
        ("cache-control", "no-store"),
        ("etag", "W/\"1\""),
        ("vary", "Origin, Accept"),
    ] {
        assert_eq!(whole.headers[name], value, "{name}");
    }
    for accept in ["text/*", "text/plain;q=0.5, image/png", "image/png, text/plain; charset=utf-8"]
    {
        assert_eq!(ask(&[("accept", accept)]).await.text(), TEXT, "{accept}");
    }
    // Whoever takes anything, or FHIR, gets FHIR.
    for accept in ["*/*", "application/fhir+json", "text/plain, application/fhir+json"] {
        let reply = ask(&[("accept", accept)]).await;
        assert_eq!(reply.json()["data"], DATA, "{accept}");
        assert_eq!(reply.headers["content-type"], "application/fhir+json");
    }
    for accept in ["image/png", "application/fhir+xml", "text/plain;q=0"] {
        assert_eq!(ask(&[("accept", accept)]).await.status, StatusCode::NOT_ACCEPTABLE, "{accept}");
    }
    let text = ("accept", "text/plain");
    for (range, status, body, of) in [
        ("bytes=0-2", 206, "See", "bytes 0-2/18"),
        ("bytes=14-", 206, "eek.", "bytes 14-17/18"),
        ("bytes=-4", 206, "eek.", "bytes 14-17/18"),
        ("bytes=14-99", 206, "eek.", "bytes 14-17/18"),
        ("bytes=-99", 206, TEXT, "bytes 0-17/18"),
        ("bytes=18-", 416, "", "bytes */18"),
        ("bytes=-0", 416, "", "bytes */18"),
        // What is no range of bytes, or more than one, is answered by the whole (RFC 9110 §14.2).
        ("bytes=0-1,4-5", 200, TEXT, ""),
        ("lines=0-1", 200, TEXT, ""),
        ("bytes=5-2", 200, TEXT, ""),
        ("bytes=x", 200, TEXT, ""),
    ] {
        let reply = ask(&[text, ("range", range)]).await;
        let told = reply.headers.get("content-range").map_or("", |value| value.to_str().unwrap());
        assert_eq!((reply.status.as_u16(), told), (status, of), "{range}");
        if status != 416 {
            assert_eq!(reply.text(), body, "{range}");
        }
    }
    let same = ask(&[text, ("if-none-match", "W/\"1\"")]).await;
    assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
    // Ranges of FHIR JSON are none.
    assert_eq!(ask(&[("range", "bytes=0-2")]).await.status, StatusCode::OK);
    // Only a file has a form of its own.
    let other = get(&world, &token, "Patient/a", &[text]).await;
    assert_eq!(other.status, StatusCode::NOT_ACCEPTABLE);
    let log = world.accesses().await.unwrap();
    assert!(log.iter().filter(|entry| entry.status == Some(206)).count() >= 5);
}

/// What a file says of its form is its own word: it is never handed on to a browser as a page.
#[tokio::test]
async fn a_file_that_would_be_a_page_is_none() {
    let world = World::embedded().await.unwrap();
    let page = json!({"resourceType": "Binary", "id": "page", "contentType": "text/html",
        "securityContext": {"reference": "Patient/a"}, "data": DATA});
    let odd = json!({"resourceType": "Binary", "id": "odd", "contentType": "not a type\r\nx: y",
        "securityContext": {"reference": "Patient/a"}, "data": DATA});
    let patient = json!({"resourceType": "Patient", "id": "a"});
    let broken = json!({"resourceType": "Binary", "id": "broken", "contentType": "text/plain",
        "securityContext": {"reference": "Patient/a"}});
    let all: Vec<String> = [patient, page, odd, broken].iter().map(Value::to_string).collect();
    for record in all {
        drop(world.load(&[record]).await);
    }
    let token = app(&world, SensitiveSet::EMPTY).await;
    let reply = get(&world, &token, "Binary/page", &[("accept", "text/html")]).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.headers["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(reply.headers["content-disposition"], "attachment");
    let reply = get(&world, &token, "Binary/broken", &[("accept", "text/plain")]).await;
    assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0));
    let reply = get(&world, &token, "Binary/odd", &[("accept", "not/a")]).await;
    assert!([404, 406].contains(&reply.status.as_u16()), "{}", reply.status);
}
