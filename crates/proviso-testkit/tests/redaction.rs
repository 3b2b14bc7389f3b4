//! Records that are shown in part: nothing of the rest leaves, by no way that a request can be made,
//! and nothing tells whether there is a rest.

use http::{Method, StatusCode};
use proviso_app::settings::Settings;
use proviso_core::account::{ActorKind, RelationshipKind};
use proviso_core::category::PurposeOfUse;
use proviso_core::decision::{Labels, Way};
use proviso_core::org::Role;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::Period;
use proviso_fhir::json::Doc;
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings};
use proviso_store::HistoryQuery;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_world::{ORIGIN, Reply, World, request};
use serde_json::{Value, json};

const FHIR: &[(&str, &str)] = &[("content-type", "application/fhir+json")];
/// What must not be seen for research.
const SECRETS: &[&str] =
    &["Quimby", "Zelda", "MRN-4711", "River Road", "555-0199", "SN-99", "Rosa"];

fn of(kind: &str, id: &str, rest: &Value) -> Value {
    let mut record = json!({"resourceType": kind, "id": id});
    record.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    record
}

fn narrative(text: &str) -> Value {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{text}</div>");
    json!({"status": "generated", "div": div})
}

/// One patient whose name stands in many places.
fn records() -> Vec<Value> {
    let subject = json!({
        "reference": "Patient/z", "display": "Zelda Quimby", "identifier": {"value": "MRN-4711"}
    });
    let result = |id: &str, code: &str| {
        of(
            "Observation",
            id,
            &json!({
                "status": "final", "text": narrative("Zelda Quimby had 7.2"),
                "category": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory"
                }]}],
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "subject": subject, "effectiveDateTime": "2026-10-01",
                "note": [{"text": "Came with her sister Rosa."}],
                "valueQuantity": {"value": 7.2, "unit": "%"}
            }),
        )
    };
    vec![
        of(
            "Patient",
            "z",
            &json!({
                "text": narrative("Zelda Quimby"), "birthDate": "1970-01-01", "gender": "female",
                "identifier": [{"system": "http://example.org/mrn", "value": "MRN-4711"}],
                "name": [{"family": "Quimby", "given": ["Zelda"]}],
                "telecom": [{"system": "phone", "value": "555-0199"}],
                "address": [{"line": ["1 River Road"], "city": "Salem", "postalCode": "01970"}],
                "extension": [{"url": "http://example.org/known-as", "valueString": "Zelda"}]
            }),
        ),
        result("r1", "4548-4"),
        result("r2", "2345-7"),
        of(
            "Device",
            "d",
            &json!({"patient": subject, "serialNumber": "SN-99", "status": "active"}),
        ),
        of(
            "Coverage",
            "c",
            &json!({
                "status": "active", "beneficiary": subject,
                "payor": [{"display": "Insurer"}]
            }),
        ),
        of(
            "Claim",
            "cl",
            &json!({
                "status": "active", "use": "claim", "created": "2026-11-01",
                "text": narrative("For Zelda Quimby"),
                "type": {"coding": [{"code": "professional"}]},
                "patient": subject, "provider": {"display": "Dr. Kim"},
                "priority": {"coding": [{"code": "normal"}]},
                "insurance": [{
                    "sequence": 1, "focal": true, "coverage": {"reference": "Coverage/c"}
                }]
            }),
        ),
    ]
}

/// The same without what is not shown for research.
fn bare() -> Vec<Value> {
    let mut bare = records();
    for record in &mut bare {
        let record = record.as_object_mut().unwrap();
        for name in ["text", "identifier", "name", "telecom", "note", "serialNumber", "extension"] {
            record.shift_remove(name);
        }
        for name in ["subject", "patient", "beneficiary"] {
            if let Some(own) = record.get_mut(name) {
                *own = json!({"reference": "Patient/z"});
            }
        }
        if let Some(address) = record.get_mut("address") {
            address[0].as_object_mut().unwrap().shift_remove("line");
        }
    }
    bare
}

fn texts(records: &[Value]) -> Vec<String> {
    records.iter().map(Value::to_string).collect()
}

/// In front of a FHIR server that others wrote.
async fn fronted(records: &[Value]) -> (FhirServer, World) {
    let server = FhirServer::start().await.unwrap();
    server.load(&texts(records)).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    (server, world)
}

async fn world() -> World {
    let settings = Settings::demo(ORIGIN);
    let world = World::with(GatewaySettings::embedded(ORIGIN), settings).await.unwrap();
    world.load(&texts(&records())).await.unwrap();
    world
}

async fn research(world: &World) -> String {
    let scope = "system/*.cruds";
    world.service_for("study", PurposeOfUse::Research, scope).await.unwrap()
}

async fn ask(world: &World, token: &str, method: Method, path: &str, body: &str) -> Reply {
    let asked = request(method, token, path, FHIR, body.to_owned()).unwrap();
    world.send(asked).await.unwrap()
}

fn tells_nothing(reply: &Reply, what: &str) {
    let said = format!("{:?} {}", reply.headers, reply.text());
    for secret in SECRETS {
        assert!(!said.contains(secret), "{what} tells `{secret}`: {said}");
    }
    for name in ["etag", "last-modified"] {
        assert!(!reply.headers.contains_key(name), "{what} has a version");
    }
    assert!(!said.contains("\"versionId\"") && !said.contains("\"lastUpdated\""), "{what}: {said}");
}

// Covers: design §7 (redaction, value canary); leaks 47, 107, 108, 110; 45 CFR 164.514(e)(2)
#[tokio::test]
async fn nothing_that_identifies_the_patient_leaves_for_research_by_any_read() {
    let world = world().await;
    let token = research(&world).await;
    for (path, found) in [
        ("Patient/z", true),
        ("Observation/r1", true),
        ("Device/d", true),
        ("Patient", true),
        ("Observation?patient=z", true),
        ("Observation?patient=z&_summary=true", true),
        ("Observation?patient=z&_summary=text", true),
        ("Observation?patient=z&_elements=subject,note", true),
        ("Observation?_include=Observation:patient&code=4548-4", true),
        ("Patient?_revinclude=Observation:patient&_revinclude=Device:patient", true),
        ("Patient/z/Observation?_sort=-date", true),
        ("Patient/z/$everything", true),
        ("Patient?_has:Observation:patient:code=4548-4", true),
        ("Observation?patient.gender=female", true),
        ("Patient/none", false),
    ] {
        let reply = ask(&world, &token, Method::GET, path, "").await;
        let expected = if found { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(reply.status, expected, "{path}: {}", reply.text());
        tells_nothing(&reply, path);
        assert!(!found || reply.text().contains("REDACTED"), "{path}: {}", reply.text());
    }
    let patient = ask(&world, &token, Method::GET, "Patient/z", "").await.json();
    assert_eq!(patient["birthDate"], "1970-01-01");
    assert_eq!(patient["address"], json!([{"city": "Salem", "postalCode": "01970"}]));
    assert_eq!(patient["meta"]["security"][0]["code"], "REDACTED");
    let result = ask(&world, &token, Method::GET, "Observation/r1", "").await.json();
    assert_eq!(result["subject"], json!({"reference": "Patient/z"}));
    assert_eq!(result["valueQuantity"]["value"], 7.2);
    // The log says by which rules.
    let entries = world.accesses().await.unwrap();
    let version = world.app.settings().redaction.version();
    assert!(entries.iter().any(|entry| entry.redaction.as_deref() == Some(version)));
}

// Covers: design §7 (a query is admitted only if it looks at what is seen); leaks 25, 26, 28, 29, 54
#[tokio::test]
async fn a_search_that_looks_at_what_is_not_shown_is_refused_alike_for_every_value() {
    let world = world().await;
    let token = research(&world).await;
    for (path, other) in [
        ("Patient?name=Quimby", "Patient?name=Nobody"),
        ("Patient?family:exact=Quimby", "Patient?family:exact=Nobody"),
        ("Patient?name:missing=true", "Patient?name:missing=false"),
        ("Patient?identifier=MRN-4711", "Patient?identifier=MRN-0"),
        ("Patient?identifier:not=MRN-4711", "Patient?identifier:not=MRN-0"),
        ("Patient?phone=555-0199", "Patient?phone=555-0100"),
        ("Patient?_sort=family", "Patient?_sort=-family"),
        ("Observation?patient.name=Quimby", "Observation?patient.name=Nobody"),
        ("Observation?patient:identifier=MRN-4711", "Observation?patient:identifier=MRN-0"),
        (
            "Observation?subject:Patient.identifier=MRN-4711",
            "Observation?subject:Patient.identifier=1",
        ),
        ("Coverage?beneficiary.family=Quimby", "Coverage?beneficiary.family=Nobody"),
        ("Observation?_lastUpdated=gt2020-01-01", "Observation?_lastUpdated=lt2020-01-01"),
        ("Observation?_sort=_lastUpdated", "Observation?_sort=-_lastUpdated"),
        ("Device?patient._lastUpdated=gt2020", "Device?patient._lastUpdated=lt2020"),
        (
            "Patient/z/$everything?_since=2020-01-01T00:00:00Z",
            "Patient/z/$everything?_since=2040-01-01T00:00:00Z",
        ),
        ("Patient/z/$everything?start=2020-01-01", "Patient/z/$everything?start=2040-01-01"),
    ] {
        let one = ask(&world, &token, Method::GET, path, "").await;
        assert_eq!(one.status, StatusCode::BAD_REQUEST, "{path}: {}", one.text());
        assert_eq!(one.code(), "search-refused", "{path}");
        tells_nothing(&one, path);
        let other = ask(&world, &token, Method::GET, other, "").await;
        assert_eq!(one.fingerprint(), other.fingerprint(), "{path}");
    }
}

// Covers: leaks 54, 59, 93: versions, and changes by those who see a part
#[tokio::test]
async fn what_is_seen_in_part_has_no_versions_and_is_not_changed() {
    let world = world().await;
    let token = research(&world).await;
    let seen = ask(&world, &token, Method::GET, "Patient/z", "").await.text();
    let patch = r#"[{"op":"replace","path":"/gender","value":"male"}]"#;
    for (method, path, body) in [
        (Method::GET, "Patient/z/_history", ""),
        (Method::GET, "Patient/z/_history/1", ""),
        (Method::GET, "Patient/_history", ""),
        (Method::GET, "Patient/none/_history", ""),
        (Method::PUT, "Patient/z", seen.as_str()),
        (Method::PUT, "Patient?_id=z", seen.as_str()),
        (Method::DELETE, "Patient/z", ""),
        (Method::DELETE, "Patient/none", ""),
        (Method::DELETE, "Patient?_id=z", ""),
    ] {
        let reply = ask(&world, &token, method.clone(), path, body).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path}: {}", reply.text());
        assert_eq!(reply.code(), "seen-in-part", "{method} {path}");
    }
    let patching = [("content-type", "application/json-patch+json")];
    let asked = request(Method::PATCH, &token, "Patient/z", &patching, patch.to_owned()).unwrap();
    assert_eq!(world.send(asked).await.unwrap().code(), "seen-in-part");
    let entry = |method: &str, url: &str| json!({"request": {"method": method, "url": url}});
    let bundle = json!({
        "resourceType": "Bundle", "type": "transaction", "entry": [entry("DELETE", "Patient/z")]
    });
    let reply = ask(&world, &token, Method::POST, "", &bundle.to_string()).await;
    assert_eq!(reply.code(), "seen-in-part", "{}", reply.text());
    let bundle = json!({
        "resourceType": "Bundle", "type": "batch",
        "entry": [entry("GET", "Patient/z"), entry("GET", "Patient/z/_history"),
                  entry("GET", "Patient?name=Quimby")]
    });
    let reply = ask(&world, &token, Method::POST, "", &bundle.to_string()).await;
    assert_eq!(reply.status, StatusCode::OK);
    tells_nothing(&reply, "a batch");
    // A condition tells no version either.
    let asked =
        request(Method::GET, &token, "Patient/z", &[("if-none-match", "W/\"1\"")], String::new());
    assert_eq!(world.send(asked.unwrap()).await.unwrap().status, StatusCode::OK);
    // Nothing was lost.
    let whole = world.service("whole", "system/*.rs").await.unwrap();
    let reply = ask(&world, &whole, Method::GET, "Patient/z", "").await;
    assert!(reply.text().contains("Quimby") && reply.headers.contains_key("etag"));
}

#[tokio::test]
async fn what_is_created_comes_back_as_it_may_be_seen_and_conditions_cannot_ask() {
    let world = world().await;
    let token = research(&world).await;
    let new = json!({
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
        "subject": {"reference": "Patient/z", "display": "Zelda Quimby"},
        "note": [{"text": "Rosa called."}]
    });
    let reply = ask(&world, &token, Method::POST, "Observation", &new.to_string()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
    tells_nothing(&reply, "a create");
    assert!(!reply.headers["location"].to_str().unwrap().contains("_history"));
    // Whether somebody of that name exists must not be told by what is created or found.
    for name in ["Quimby", "Nobody"] {
        let headers = [FHIR[0], ("if-none-exist", &*format!("family={name}"))];
        let person = json!({"resourceType": "Patient", "name": [{"family": "New"}]}).to_string();
        let asked = request(Method::POST, &token, "Patient", &headers, person).unwrap();
        let reply = world.send(asked).await.unwrap();
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{name}: {}", reply.text());
    }
    // Nor by a reference that leads to whom it finds.
    let refer = |to: &str| {
        let mut new = new.clone();
        new["subject"] = json!({"reference": format!("Patient?identifier={to}")});
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
            "resource": new, "request": {"method": "POST", "url": "Observation"}
        }]})
        .to_string()
    };
    let mut told = Vec::new();
    for to in ["MRN-4711", "MRN-0"] {
        let reply = ask(&world, &token, Method::POST, "", &refer(to)).await;
        assert!(reply.status.is_client_error(), "{to}: {}", reply.text());
        told.push(reply.fingerprint());
    }
    assert_eq!(told[0], told[1]);
}

// Covers: design §7 (matched again on the redacted form)
#[tokio::test]
async fn what_goes_because_it_says_a_name_is_not_found_by_it_either() {
    let world = world().await;
    // A town with the name of the person who lives there.
    let other = json!({
        "resourceType": "Patient", "id": "y", "name": [{"family": "Salem"}],
        "address": [{"city": "Salem", "postalCode": "01971"}]
    });
    world.load(&[other.to_string()]).await.unwrap();
    let token = research(&world).await;
    let found = async |path: &str| {
        let reply = ask(&world, &token, Method::GET, path, "").await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        reply.entries()
    };
    let shown = ask(&world, &token, Method::GET, "Patient/y", "").await.json();
    assert_eq!(shown["address"], json!([{"postalCode": "01971"}]));
    assert_eq!(found("Patient?address-city=Salem").await, ["Patient/z"]);
    assert_eq!(found("Patient?address-city:missing=true").await, ["Patient/y"]);
    assert_eq!(found("Patient?address-postalcode=01971").await, ["Patient/y"]);
    assert_eq!(found("Patient?_sort=address-city").await, ["Patient/z", "Patient/y"]);
    assert_eq!(found("Patient?_sort=-address-city&_count=1").await, ["Patient/z"]);
}

// Covers: leak 115: two stores that differ in nothing but what is not shown
#[tokio::test]
async fn whether_something_is_not_shown_cannot_be_told() {
    let without = World::embedded().await.unwrap();
    without.load(&texts(&bare())).await.unwrap();
    let with = world().await;
    let (one, other) = (research(&with).await, research(&without).await);
    for path in [
        "Patient/z",
        "Observation/r1",
        "Device/d",
        "Claim/cl",
        "Patient",
        "Observation?patient=z&_total=accurate",
        "Observation?patient=z&_count=1",
        "Patient?_revinclude=Observation:patient",
        "Patient/z/$everything",
        "Patient?name=Quimby",
        "Patient/z/_history",
    ] {
        let one = ask(&with, &one, Method::GET, path, "").await;
        let other = ask(&without, &other, Method::GET, path, "").await;
        assert_eq!(one.fingerprint(), other.fingerprint(), "{path}: {}", one.text());
    }
}

// Covers: design §7 (an upstream is untrusted, and what is shown of its records is the same)
#[tokio::test]
async fn records_of_a_server_by_others_are_shown_in_part_too() {
    let (_server, with) = fronted(&records()).await;
    let (_bare_server, without) = fronted(&bare()).await;
    let (one, other) = (research(&with).await, research(&without).await);
    for (path, status) in [
        ("Patient/z", 200),
        ("Observation/r1", 200),
        ("Device/d", 200),
        ("Claim/cl", 200),
        ("Patient", 200),
        ("Patient?address-city=Salem", 200),
        ("Observation?patient=z&_total=accurate", 200),
        ("Observation?patient=z&_sort=-date&_count=1", 200),
        ("Observation?_include=Observation:patient&code=4548-4", 200),
        ("Patient?_revinclude=Observation:patient", 200),
        ("Patient/z/$everything", 200),
        ("Patient?name=Quimby", 400),
        ("Patient?identifier=MRN-4711", 400),
        ("Observation?patient:identifier=MRN-4711", 400),
        ("Observation?_lastUpdated=gt2020-01-01", 400),
        ("Patient/z/_history", 403),
    ] {
        let one = ask(&with, &one, Method::GET, path, "").await;
        assert_eq!(one.status.as_u16(), status, "{path}: {}", one.text());
        tells_nothing(&one, path);
        let other = ask(&without, &other, Method::GET, path, "").await;
        assert_eq!(one.fingerprint(), other.fingerprint(), "{path}");
    }
    let seen = ask(&with, &one, Method::GET, "Patient/z", "").await.text();
    for (method, body) in [(Method::PUT, seen.as_str()), (Method::DELETE, "")] {
        let path = "Patient/z";
        let reply = ask(&with, &one, method, path, body).await;
        assert_eq!(reply.code(), "seen-in-part", "{path}");
    }
}

// Covers: issue "billing sees codes and dates, not notes"; 45 CFR 164.502(b)
#[tokio::test]
async fn the_billing_office_sees_codes_and_dates_and_no_words() {
    let world = world().await;
    let office = (ActorKind::Staff, &[Role::Billing][..]);
    let token = world.colleague("bo", office, PurposeOfUse::Payment, "user/*.rs").await.unwrap();
    let inside = |path: &str| {
        let mut asked = request(Method::GET, &token, path, FHIR, String::new()).unwrap();
        let peer = std::net::SocketAddr::new("127.0.0.1".parse().unwrap(), 9);
        asked.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        world.send(asked)
    };
    let claim = inside("Claim/cl").await.unwrap();
    assert_eq!(claim.status, StatusCode::OK, "{}", claim.text());
    let claim = claim.json();
    assert_eq!(claim.get("text"), None);
    assert_eq!(claim["created"], "2026-11-01");
    // Whom to bill is not a word too many.
    assert_eq!(claim["patient"]["display"], "Zelda Quimby");
    assert_eq!(inside("Patient?family=Quimby").await.unwrap().entries().len(), 1);
}

#[tokio::test]
async fn those_who_treat_and_the_patient_see_records_whole() {
    let world = world().await;
    let doctor = world.staff("kim", &["z"], "user/*.rs").await.unwrap();
    world.relate("kim", "z", RelationshipKind::Care, Period::ALWAYS).await.unwrap();
    let reply = ask(&world, &doctor, Method::GET, "Observation/r1", "").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(reply.text().contains("Rosa") && !reply.text().contains("REDACTED"));
    assert!(reply.headers.contains_key("etag"));
    assert_eq!(ask(&world, &doctor, Method::GET, "Observation/r1/_history", "").await.status, 200);
}

/// Texts under some names of members, wherever they stand.
fn texts_under(value: &Value, names: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts_under(item, names, found)),
        Value::Object(members) => {
            for (name, inner) in members {
                match inner {
                    Value::String(text) if names.contains(&name.as_str()) => {
                        found.push(text.clone());
                    }
                    Value::Array(items) if names.contains(&name.as_str()) => {
                        found.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                        texts_under(inner, names, found);
                    }
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => texts_under(inner, names, found),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

// Covers: design §7: what is left still validates, and says nothing of what is gone
#[tokio::test]
async fn every_record_of_the_demonstration_is_valid_in_part_and_names_nobody() {
    let world = DemoWorld::start().await.unwrap();
    let mut all: Vec<(Doc, Value)> = Vec::new();
    for resource_type in ResourceType::all() {
        let query = HistoryQuery {
            resource_type: Some(resource_type),
            id: None,
            since: None,
            before_seq: None,
            patients: None,
            limit: 100_000,
        };
        for stored in world.app.store().history(query).await.unwrap() {
            let Some(body) = stored.body else { continue };
            let doc = Doc::parse(body).unwrap();
            let value = serde_json::from_str(doc.text()).unwrap();
            all.push((doc, value));
        }
    }
    assert!(all.len() > 500, "{}", all.len());
    let set = &world.app.settings().redaction;
    for purpose in [PurposeOfUse::Research, PurposeOfUse::Payment] {
        let redactions = set.for_asking(Way::Service, purpose);
        let mut names: Vec<String> = Vec::new();
        for (_, value) in all.iter().filter(|(_, value)| value["resourceType"] == "Patient") {
            let name = &value["name"][0];
            let part = |of: &Value| of.as_str().map(str::to_owned);
            let both = part(&name["given"][0]).zip(part(&name["family"]));
            names.extend(both.map(|(given, family)| format!("{given} {family}")));
        }
        assert!(names.len() >= 3, "{names:?}");
        for (doc, value) in &all {
            let shown = redactions.apply(doc, Labels::Unclassified).unwrap();
            let shown = shown.as_ref().unwrap_or(doc);
            let faults = proviso_fhir::validate::validate(shown.root());
            assert_eq!(faults, [], "{} {}", purpose.code(), shown.text());
            let now: Value = serde_json::from_str(shown.text()).unwrap();
            let mut words = Vec::new();
            texts_under(&now, &["div", "note", "comment", "conclusion"], &mut words);
            if redactions.covers(doc.resource_type().unwrap()) {
                assert_eq!(words, Vec::<String>::new(), "{}", shown.text());
            }
            if purpose != PurposeOfUse::Research {
                continue;
            }
            for name in &names {
                assert!(!shown.text().contains(name), "{name}: {}", shown.text());
            }
            if value["resourceType"] == "Patient" {
                let mut secrets = Vec::new();
                texts_under(&value["name"], &["family", "given", "text"], &mut secrets);
                texts_under(&value["telecom"], &["value"], &mut secrets);
                texts_under(&value["identifier"], &["value"], &mut secrets);
                texts_under(&value["address"], &["line"], &mut secrets);
                let mut left = Vec::new();
                texts_under(
                    &now,
                    &["family", "given", "value", "text", "line", "valueString"],
                    &mut left,
                );
                assert!(!secrets.is_empty());
                assert!(left.iter().all(|own| !secrets.contains(own)), "{}", shown.text());
            }
        }
    }
}
