//! `/api/v1/consents`: the registry for those who do not speak FHIR REST. It is the FHIR API in
//! another form, so each answer is compared with that of the FHIR API.

use http::{Method, StatusCode};
use proviso_testkit::gateway_cases::{NARROW, everything, terms};
use proviso_testkit::gateway_world::{Reply, World, request};
use serde_json::{Value, json};

const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const API: &str = "/api/v1/consents";

struct Registry {
    world: World,
    token: String,
}

impl Registry {
    async fn new() -> Self {
        let world = World::embedded().await.unwrap();
        world.load(&everything()).await.unwrap();
        let token = world.service("consent-registry", "system/Consent.crus").await.unwrap();
        Self { world, token }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        let path = format!("{API}{path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.world.send(request(method, &self.token, &path, &headers, body).unwrap()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &Value::Null).await
    }
}

fn r4(kind: &str) -> Value {
    json!({"fhir_version": "4.0", "consent": {
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope",
            "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/a"}, "dateTime": "2026-11-01",
        "organization": [{"reference": "Organization/riverside"}],
        "policy": [{"uri": "http://example.org/privacy"}],
        "provision": {"type": kind, "purpose": [{"system": ACT_REASON, "code": "HMARKT"}]}}})
}

fn r5() -> Value {
    json!({"fhir_version": "5.0", "consent": {
        "resourceType": "Consent", "status": "active", "decision": "permit",
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "subject": {"reference": "Patient/a"}, "date": "2026-11-01",
        "provision": [{"purpose": [{"system": ACT_REASON, "code": "HMARKT"}]}]}})
}

#[tokio::test]
async fn a_consent_is_filed_listed_shown_changed_and_revoked() {
    let registry = Registry::new().await;
    let filed = registry.send(Method::POST, "", &r4("deny")).await;
    assert_eq!(filed.status, StatusCode::CREATED, "{}", filed.json());
    let id = filed.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(filed.json()["version"], 1);

    let shown = registry.get(&format!("/{id}")).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.json());
    let shown = shown.json();
    assert_eq!(shown["kind"], "filed");
    assert_eq!(shown["patient"], "a");
    assert_eq!(shown["status"], "active");
    assert_eq!(shown["reading"], "fhir-tree");
    assert_eq!(shown["name"].as_str().unwrap().len(), 64);
    let fhir = registry.world.get(&registry.token, &format!("Consent/{id}")).await.unwrap();
    assert_eq!(shown["consent"], fhir.json(), "the same as by the FHIR API");

    let listed = registry.get("?patient=a&status=active").await.json();
    assert_eq!(listed["consents"].as_array().unwrap().len(), 1);
    assert_eq!(listed["consents"][0], shown);
    assert_eq!(registry.get("?patient=b").await.json()["consents"], json!([]));

    let changed = registry.send(Method::PUT, &format!("/{id}"), &r4("permit")).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    let versions = registry.get(&format!("/{id}/versions")).await.json();
    let numbers: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|own| own["version"].clone()).collect();
    assert_eq!(numbers, [json!(2), json!(1)]);
    assert_ne!(versions["versions"][0]["name"], versions["versions"][1]["name"]);
    let first = registry.get(&format!("/{id}/versions/1")).await.json();
    assert_eq!(first, versions["versions"][1]);

    let revoked = registry.send(Method::POST, &format!("/{id}/revoke"), &Value::Null).await;
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.json());
    assert_eq!(registry.get(&format!("/{id}")).await.json()["status"], "inactive");
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended() {
    let registry = Registry::new().await;
    for _ in 0..5 {
        registry.send(Method::POST, "", &r4("deny")).await;
    }
    let (mut path, mut seen) = ("?patient=a&count=2".to_owned(), Vec::new());
    loop {
        let page = registry.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.json());
        let page = page.json();
        for consent in page["consents"].as_array().unwrap() {
            seen.push(consent["id"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(cursor) => path = format!("?cursor={cursor}"),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

// Covers: FHIR R5 Consent
#[tokio::test]
async fn a_consent_comes_and_goes_in_fhir_r5() {
    let registry = Registry::new().await;
    let filed = registry.send(Method::POST, "", &r5()).await;
    assert_eq!(filed.status, StatusCode::CREATED, "{}", filed.json());
    let id = filed.json()["id"].as_str().unwrap().to_owned();
    let stored = registry.get(&format!("/{id}")).await.json()["consent"].clone();
    assert_eq!(stored["provision"]["type"], "permit", "{stored}");
    assert_eq!(stored["provision"]["provision"][0]["type"], "deny");
    let back = registry.get(&format!("/{id}?fhir_version=5.0")).await.json();
    assert_eq!(back["fhir_version"], "5.0");
    assert_eq!(back["consent"]["decision"], "permit", "{back}");
    assert_eq!(back["consent"]["subject"]["reference"], "Patient/a");
    assert_eq!(back["consent"]["provision"][0]["purpose"][0]["code"], "HMARKT");
    let other = registry.get(&format!("/{id}?fhir_version=3.0")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_choice_is_found_by_its_own_id_and_changed_elsewhere() {
    let registry = Registry::new().await;
    let access = registry.world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    let named = access.consent.unwrap();
    let id = named.version().consent.as_str();
    let shown = registry.get(&format!("/{id}")).await.json();
    assert_eq!(shown["kind"], "choice");
    assert_eq!(shown["choice"], id);
    assert_eq!(shown["name"], named.id().as_str());
    let refused = registry.send(Method::POST, &format!("/{id}/revoke"), &Value::Null).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json()["code"], "choice-made-here");
}

#[tokio::test]
async fn a_consent_can_be_checked_before_it_is_filed() {
    let registry = Registry::new().await;
    let good = registry.send(Method::POST, "/check", &r4("deny")).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.json());
    assert_eq!(good.json()["understood"], true);
    assert_eq!(good.json()["reading"], "fhir-tree");
    let mut bad = r4("deny");
    bad["consent"]["provision"]["type"] = json!("maybe");
    let refused = registry.send(Method::POST, "/check", &bad).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json()["code"], "consent-not-understood");
    assert_eq!(refused.json()["faults"][0]["at"], "Consent.provision.type");
    assert_eq!(registry.get("?patient=a").await.json()["consents"], json!([]), "nothing is filed");
}

#[tokio::test]
async fn bad_input_is_told_and_nothing_is_filed() {
    let registry = Registry::new().await;
    let long = "x".repeat(5 * 1024 * 1024);
    for (body, status, code) in [
        ("", 400, "malformed"),
        ("[]", 400, "malformed"),
        (r#"{"consent":{}}"#, 400, "malformed"),
        (r#"{"fhir_version":"4.0"}"#, 400, "malformed"),
        (r#"{"fhir_version":"4.0","consent":[]}"#, 400, "malformed"),
        (r#"{"fhir_version":"4.0","consent":{},"more":1}"#, 400, "malformed"),
        (r#"{"fhir_version":"6.0","consent":{}}"#, 400, "malformed"),
        (r#"{"fhir_version":"4.0","consent":{"resourceType":"Patient"}}"#, 400, "body-mismatch"),
        (r#"{"fhir_version":"4.0","consent":{"a":1,"a":2}}"#, 400, "malformed"),
        (&long, 413, "body-too-large"),
    ] {
        let headers = [("content-type", "application/json")];
        let sent = request(Method::POST, &registry.token, API, &headers, body.to_owned()).unwrap();
        let refused = registry.world.send(sent).await.unwrap();
        let text: String = body.chars().take(60).collect();
        assert_eq!(refused.status.as_u16(), status, "{text}: {}", refused.json());
        assert_eq!(refused.json()["code"], code, "{text}");
        assert_eq!(refused.headers["content-type"], "application/problem+json");
    }
    let form = [("content-type", "text/plain")];
    let sent = request(Method::POST, &registry.token, API, &form, "{}").unwrap();
    assert_eq!(registry.world.send(sent).await.unwrap().status.as_u16(), 415);
    for (path, status) in
        [("?nonsense=1", 400), ("/never", 404), ("/a_b", 404), ("/never/versions/1", 404)]
    {
        assert_eq!(registry.get(path).await.status.as_u16(), status, "{path}");
    }
    let deleted = registry.send(Method::DELETE, "/never", &Value::Null).await;
    assert_eq!(deleted.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(registry.get("?patient=a").await.json()["consents"], json!([]));
}

#[tokio::test]
async fn who_may_not_use_the_fhir_api_may_not_use_this_one() {
    let registry = Registry::new().await;
    let filed = registry.send(Method::POST, "", &r4("deny")).await.json();
    let id = filed["id"].as_str().unwrap();
    let world = &registry.world;
    let service = world.service("quality-study", "system/*.cruds").await.unwrap();
    let app = world.share("glucose-coach", &terms(NARROW)).await.unwrap().token;
    let before = world.accesses().await.unwrap().len();
    for (token, status) in [("", 401), ("nonsense", 401), (&service, 403), (&app, 403)] {
        for (method, path, body) in [
            (Method::GET, format!("{API}/{id}"), String::new()),
            (Method::GET, format!("{API}?patient=a"), String::new()),
            (Method::GET, format!("{API}/{id}/versions"), String::new()),
            (Method::POST, API.to_owned(), r4("permit").to_string()),
            (Method::POST, format!("{API}/check"), r4("permit").to_string()),
            (Method::PUT, format!("{API}/{id}"), r4("permit").to_string()),
            (Method::POST, format!("{API}/{id}/revoke"), String::new()),
            // What is malformed is told to those only who may ask.
            (Method::GET, format!("{API}?nonsense=1"), String::new()),
            (Method::GET, format!("{API}/{id}?fhir_version=9"), String::new()),
            (Method::POST, API.to_owned(), "[]".to_owned()),
            (Method::PUT, format!("{API}/a_b"), r4("permit").to_string()),
            (Method::POST, format!("{API}/a_b/revoke"), String::new()),
        ] {
            let headers = [("content-type", "application/json")];
            let sent = request(method.clone(), token, &path, &headers, body).unwrap();
            let refused = world.send(sent).await.unwrap();
            assert_eq!(refused.status.as_u16(), status, "{method} {path}: {}", refused.json());
        }
    }
    let log = world.accesses().await.unwrap();
    assert_eq!(log.len() - before, 48, "each of them is in the log");
    assert_eq!(registry.get(&format!("/{id}")).await.json()["version"], 1);
}
