//! FHIR Subscriptions: an app is told of what it may see, by what is in force at that moment, and by
//! nothing else (leaks 129, 130).

use std::time::Duration;

use http::{Method, StatusCode};
use proviso_app::records::{Match, NewIds, Op};
use proviso_app::subscriptions::Presence;
use proviso_app::via::Via;
use proviso_core::account::Account;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::{Category, CategorySet, PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::resource_type::ResourceType;
use proviso_gateway::GatewaySettings;
use proviso_store::Batch;
use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_cases::{LAB, observation};
use proviso_testkit::gateway_world::{Access, ORIGIN, Reply, Terms, World, request};
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::receiver::{Got, Receiver};
use proviso_testkit::smart_app::{SmartApp, everything};
use serde_json::{Value, json};

const HIV: &str = r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}"#;
const JSON: (&str, &str) = ("content-type", "application/fhir+json");

fn terms() -> Terms {
    Terms {
        patient: "a",
        categories: Category::ALL.iter().copied().collect::<CategorySet>(),
        sensitive: SensitiveSet::EMPTY,
        scopes: "patient/Observation.rs patient/Condition.rs patient/Patient.r",
    }
}

fn lab(id: &str, patient: &str, more: &str) -> String {
    observation(id, patient, LAB, "4548-4", "7.20", "2026-01-01", more)
}

struct Scene {
    world: World,
    receiver: Receiver,
    access: Access,
}

impl Scene {
    async fn new() -> Self {
        Self::with(&terms()).await
    }

    async fn with(terms: &Terms) -> Self {
        let world = World::embedded().await.unwrap();
        let people = [
            json!({"resourceType": "Patient", "id": "a"}).to_string(),
            json!({"resourceType": "Patient", "id": "b"}).to_string(),
            json!({"resourceType": "Practitioner", "id": "p"}).to_string(),
            lab("before", "a", ""),
        ];
        world.load(&people).await.unwrap();
        let receiver = Receiver::start().await.unwrap();
        let access = world.share("glucose-coach", terms).await.unwrap();
        world.redirect_to("glucose-coach", &format!("{}/cb", receiver.origin)).await.unwrap();
        Self { world, receiver, access }
    }

    fn wanted(&self, criteria: &str) -> Value {
        json!({
            "resourceType": "Subscription", "status": "requested", "reason": "to know at once",
            "criteria": criteria,
            "channel": {
                "type": "rest-hook", "endpoint": format!("{}/hook", self.receiver.origin),
                "payload": "application/fhir+json", "header": ["Authorization: Bearer theirs"],
            },
        })
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = if body.is_empty() { &[][..] } else { &[JSON][..] };
        let sent = request(method, &self.access.token, path, headers, body).unwrap();
        self.world.send(sent).await.unwrap()
    }

    async fn subscribe(&self, criteria: &str) -> String {
        let reply = self.send(Method::POST, "Subscription", &self.wanted(criteria)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    /// Writes a record and tells whoever is to be told; what came.
    async fn after(&self, record: String) -> Vec<Got> {
        self.world.load(&[record]).await.unwrap();
        self.world.tell().await;
        self.receiver.take()
    }

    async fn read(&self, id: &str) -> Value {
        self.send(Method::GET, &format!("Subscription/{id}"), &Value::Null).await.json()
    }

    async fn notified(&self) -> Vec<AuditEntry> {
        let entries = self.world.accesses().await.unwrap();
        entries.into_iter().filter(|entry| entry.action == "notify").collect()
    }
}

// Covers: FHIR R4 subscription.html; design P3
#[tokio::test]
async fn an_app_is_told_of_a_new_record_and_the_log_knows_before() {
    let scene = Scene::new().await;
    let id = scene.subscribe("Observation?code=4548-4").await;
    let got = scene.after(lab("new", "a", "")).await;
    let [one] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!((one.method.as_str(), one.path.as_str()), ("PUT", "/hook/Observation/new"));
    assert_eq!(one.headers["authorization"], "Bearer theirs");
    assert_eq!(one.headers["content-type"], "application/fhir+json; fhirVersion=4.0");
    let record: Value = serde_json::from_str(&one.body).unwrap();
    assert_eq!(record["id"], "new");
    let read = scene.world.get(&scene.access.token, "Observation/new").await.unwrap();
    assert_eq!(record, read.json(), "it is what a read shows");

    let entries = scene.notified().await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.released, 1);
    assert_eq!(entry.client.as_ref().unwrap().as_str(), "glucose-coach");
    assert_eq!(entry.patients, ["a".parse().unwrap()]);
    assert!(entry.consent.is_some() && entry.token.is_some() && entry.record.is_some());

    // What does not match, what was there before, and what is told already is not told.
    assert!(
        scene
            .after(observation("other", "a", LAB, "2345-7", "1", "2026-01-01", ""))
            .await
            .is_empty()
    );
    assert_eq!(scene.world.tell().await, 0);
    // A change is told like a new record; a deletion is not (subscription.html).
    let changed = observation("new", "a", LAB, "4548-4", "8", "2026-01-01", "");
    assert_eq!(scene.after(changed).await.len(), 1);
    scene.world.remove("Observation", "new").await.unwrap();
    assert_eq!(scene.world.tell().await, 0);
    assert_eq!(scene.read(&id).await["status"], "active");
}

#[tokio::test]
async fn without_a_payload_only_the_fact_is_told() {
    let scene = Scene::new().await;
    let mut wanted = scene.wanted("Observation?");
    wanted["channel"].as_object_mut().unwrap().remove("payload");
    assert_eq!(scene.send(Method::POST, "Subscription", &wanted).await.status, 201);
    let got = scene.after(lab("new", "a", "")).await;
    let [one] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!((one.method.as_str(), one.path.as_str(), one.body.as_str()), ("POST", "/hook", ""));
    assert_eq!(scene.notified().await.len(), 1);
}

/// Neither a message nor a connection tells that something was written that the app may not see.
// Covers: leaks.md 129, 130; design P1
#[tokio::test]
async fn what_is_hidden_is_not_told_of_in_any_way() {
    let scene = Scene::new().await;
    scene.subscribe("Observation?").await;
    scene.subscribe("Observation?_filter=not%20(code%20eq%20x)").await;
    scene.subscribe("Observation?subject:Patient._id=b").await;
    for record in [
        lab("hiv", "a", HIV),
        lab("of-b", "b", ""),
        lab("hiv-of-b", "b", HIV),
        json!({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/a"}})
            .to_string(),
    ] {
        assert!(scene.after(record.clone()).await.is_empty(), "{record}");
    }
    assert_eq!(scene.receiver.connections(), 0);
    assert!(scene.notified().await.is_empty(), "what is not told is no access");
    // A record that turns out to be sensitive is told no more.
    assert_eq!(scene.after(lab("turns", "a", "")).await.len(), 2);
    assert!(scene.after(lab("turns", "a", HIV)).await.is_empty());
}

// Covers: leaks.md 129; design P2
#[tokio::test]
async fn who_stopped_sharing_is_told_of_no_more_from_that_moment_on() {
    let scene = Scene::new().await;
    let id = scene.subscribe("Observation?").await;
    assert_eq!(scene.after(lab("one", "a", "")).await.len(), 1);
    // Written before it is stopped, not told yet: not told any more.
    scene.world.load(&[lab("two", "a", "")]).await.unwrap();
    scene.world.stop_sharing(&scene.access).await.unwrap();
    assert_eq!(scene.world.tell().await, 0);
    assert_eq!((scene.receiver.take().len(), scene.receiver.connections()), (0, 1));
    // It is gone with its grant, on disk too; without anything written as well.
    assert!(scene.world.app.subscription(&id.parse().unwrap()).is_none());
    assert!(scene.world.app.store().subscriptions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_narrower_choice_narrows_what_is_told() {
    let scene =
        Scene::with(&Terms { sensitive: [SensitiveKind::Hiv].into_iter().collect(), ..terms() })
            .await;
    scene.subscribe("Observation?").await;
    assert_eq!(scene.after(lab("hiv", "a", HIV)).await.len(), 1);
    scene.world.share_otherwise(&scene.access, &terms()).await.unwrap();
    assert!(scene.after(lab("hiv-2", "a", HIV)).await.is_empty());
    assert_eq!(scene.after(lab("plain", "a", "")).await.len(), 1);
}

// Covers: leaks.md 129
#[tokio::test]
async fn a_subscription_is_its_apps_own_and_no_other_grant_knows_of_it() {
    let scene = Scene::new().await;
    let id = scene.subscribe("Observation?code=4548-4").await;
    let other = scene.world.share("bill-helper", &Terms { patient: "b", ..terms() }).await.unwrap();
    let mut replies = Vec::new();
    for id in [id.as_str(), "never-was"] {
        let path = format!("Subscription/{id}");
        let read = scene.world.get(&other.token, &path).await.unwrap();
        let mut body = scene.wanted("Observation?");
        body["id"] = id.into();
        let put = request(Method::PUT, &other.token, &path, &[JSON], body.to_string()).unwrap();
        let put = scene.world.send(put).await.unwrap();
        let gone = request(Method::DELETE, &other.token, &path, &[], "").unwrap();
        let gone = scene.world.send(gone).await.unwrap();
        for reply in [&read, &put, &gone] {
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{}", reply.text());
        }
        replies.push([read.fingerprint(), put.fingerprint(), gone.fingerprint()]);
    }
    assert_eq!(replies[0], replies[1], "one of another app is as one that never was");
    let list = scene.world.get(&other.token, "Subscription").await.unwrap().json();
    assert_eq!((list["total"].clone(), list["entry"].clone()), (json!(0), Value::Null));
    assert_eq!(scene.read(&id).await["status"], "active");
}

#[tokio::test]
async fn it_is_read_listed_changed_switched_off_and_ended() {
    let scene = Scene::new().await;
    let id = scene.subscribe("Observation?code=4548-4").await;
    let path = format!("Subscription/{id}");
    let read = scene.send(Method::GET, &path, &Value::Null).await;
    assert_eq!(read.headers["etag"], "W/\"1\"");
    assert_eq!(read.json()["meta"]["versionId"], "1");
    let list = scene.send(Method::GET, "Subscription", &Value::Null).await.json();
    assert_eq!(
        (list["total"].clone(), list["entry"][0]["resource"]["id"].clone()),
        (json!(1), json!(id))
    );

    let mut off = scene.wanted("Observation?code=4548-4");
    off["id"] = id.clone().into();
    off["status"] = "off".into();
    let headers = [JSON, ("if-match", "W/\"7\"")];
    let stale =
        request(Method::PUT, &scene.access.token, &path, &headers, off.to_string()).unwrap();
    assert_eq!(scene.world.send(stale).await.unwrap().status, StatusCode::PRECONDITION_FAILED);
    let reply = scene.send(Method::PUT, &path, &off).await;
    assert_eq!((reply.status, reply.json()["status"].clone()), (StatusCode::OK, json!("off")));
    assert!(scene.after(lab("while-off", "a", "")).await.is_empty());
    off["status"] = "requested".into();
    let reply = scene.send(Method::PUT, &path, &off).await;
    assert_eq!(
        (reply.headers["etag"].to_str().unwrap(), reply.json()["status"].clone()),
        ("W/\"3\"", json!("active"))
    );
    assert_eq!(
        scene.after(lab("on", "a", "")).await.len(),
        1,
        "nothing of the time while it was off"
    );

    assert_eq!(
        scene.send(Method::DELETE, &path, &Value::Null).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(scene.after(lab("ended", "a", "")).await.is_empty());
    assert_eq!(scene.send(Method::GET, &path, &Value::Null).await.status, StatusCode::NOT_FOUND);
    for (method, path) in [
        (Method::GET, format!("{path}/_history")),
        (Method::GET, "Subscription?status=active".to_owned()),
        (Method::PUT, "Subscription?status=active".to_owned()),
        (Method::DELETE, "Subscription?status=active".to_owned()),
    ] {
        let body = if method == Method::PUT { off.clone() } else { Value::Null };
        let reply = scene.send(method.clone(), &path, &body).await;
        assert!(reply.status.is_client_error(), "{method} {path}: {}", reply.text());
    }
}

/// Both sides of its end: an instant before, and at it.
#[tokio::test]
async fn it_ends_at_the_instant_that_it_names() {
    let scene = Scene::new().await;
    let end = scene.world.app.now().plus_secs(100);
    let mut wanted = scene.wanted("Observation?");
    wanted["end"] = end.to_rfc3339().into();
    let reply = scene.send(Method::POST, "Subscription", &wanted).await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    scene.world.clock.advance_secs(99);
    assert_eq!(scene.after(lab("in-time", "a", "")).await.len(), 1);
    scene.world.clock.advance_secs(1);
    assert!(scene.after(lab("late", "a", "")).await.is_empty());
    assert_eq!(scene.read(&id).await["status"], "off");
}

/// Who may not act while the person is away is told as long as a token lets it ask, and no longer.
// Covers: design §5
#[tokio::test]
async fn an_app_that_cannot_renew_its_token_is_told_until_that_ends() {
    let scene = Scene::new().await;
    let id = scene.subscribe("Observation?").await;
    let service = scene.world.service("nightly", "system/*.rs").await.unwrap();
    scene.world.redirect_to("nightly", &format!("{}/cb", scene.receiver.origin)).await.unwrap();
    let mut wanted = scene.wanted("Observation?");
    wanted["channel"]["endpoint"] = format!("{}/service", scene.receiver.origin).into();
    let sent =
        request(Method::POST, &service, "Subscription", &[JSON], wanted.to_string()).unwrap();
    assert_eq!(scene.world.send(sent).await.unwrap().status, StatusCode::CREATED);
    let paths = |got: Vec<Got>| {
        let mut paths: Vec<String> = got.into_iter().map(|one| one.path).collect();
        paths.sort();
        paths
    };
    scene.world.clock.advance_secs(24 * 3600 - 1);
    let got = scene.after(lab("in-time", "a", "")).await;
    assert_eq!(paths(got), ["/hook/Observation/in-time", "/service/Observation/in-time"]);
    scene.world.clock.advance_secs(1);
    // A service asks for a token whenever it likes.
    assert_eq!(paths(scene.after(lab("late", "a", "")).await), ["/service/Observation/late"]);
    assert!(scene.world.app.subscription(&id.parse().unwrap()).is_none());
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_later_and_given_up_in_the_end() {
    let scene = Scene::new().await;
    let id = scene.subscribe("Observation?").await;
    scene.receiver.answer(StatusCode::BAD_GATEWAY);
    assert_eq!(scene.after(lab("one", "a", "")).await.len(), 1);
    scene.world.load(&[lab("two", "a", "")]).await.unwrap();
    assert_eq!(scene.world.tell().await, 0, "it waits");
    assert!(scene.receiver.take().is_empty());
    scene.world.clock.advance_secs(4);
    scene.world.tell().await;
    assert!(scene.receiver.take().is_empty(), "an instant before");
    scene.world.clock.advance_secs(1);
    scene.receiver.answer(StatusCode::OK);
    assert_eq!(
        scene.world.tell().await,
        2,
        "nothing is lost, in the order in which it was written"
    );
    let paths: Vec<String> = scene.receiver.take().into_iter().map(|got| got.path).collect();
    assert_eq!(paths, ["/hook/Observation/one", "/hook/Observation/two"]);

    scene.receiver.answer(StatusCode::FOUND);
    scene.world.load(&[lab("three", "a", "")]).await.unwrap();
    for _ in 0..12 {
        scene.world.tell().await;
        scene.world.clock.advance_secs(3600);
    }
    assert_eq!(scene.receiver.take().len(), 12);
    let read = scene.read(&id).await;
    assert_eq!((read["status"].clone(), read["error"].is_string()), (json!("error"), true));
    scene.receiver.answer(StatusCode::OK);
    assert_eq!(scene.world.tell().await, 0);
    // Its app begins it again.
    let mut again = scene.wanted("Observation?");
    again["id"] = id.clone().into();
    let reply = scene.send(Method::PUT, &format!("Subscription/{id}"), &again).await.json();
    assert_eq!((reply["status"].clone(), reply["error"].clone()), (json!("active"), Value::Null));
    assert_eq!(scene.after(lab("four", "a", "")).await.len(), 1);
}

// Covers: design P3
#[tokio::test]
async fn nothing_is_told_while_the_log_cannot_be_written() {
    let scene = Scene::new().await;
    scene.subscribe("Observation?").await;
    scene.world.load(&[lab("one", "a", "")]).await.unwrap();
    scene.world.faults.fail_commits(true);
    assert_eq!(scene.world.tell().await, 0);
    assert!(scene.receiver.take().is_empty());
    scene.world.faults.fail_commits(false);
    scene.world.clock.advance_secs(5);
    scene.world.tell().await;
    assert_eq!(scene.receiver.take().len(), 1);
}

/// What could not be carried out as it is written is refused with its place; nothing is kept of it.
#[tokio::test]
async fn what_cannot_be_carried_out_is_refused_with_its_place() {
    let scene = Scene::new().await;
    let set = |place: &[&str], value: Value| {
        let mut wanted = scene.wanted("Observation?code=4548-4");
        let mut at = &mut wanted;
        for name in place {
            at = &mut at[*name];
        }
        *at = value;
        wanted
    };
    let hook = |path: &str| format!("{}{path}", scene.receiver.origin);
    for (wanted, status, code) in [
        (set(&["status"], json!("error")), 422, "subscription-refused"),
        (set(&["reason"], Value::Null), 422, "resource-invalid"),
        (set(&["criteria"], json!("Observation")), 422, "subscription-refused"),
        (set(&["criteria"], json!("Nonsense?a=b")), 422, "subscription-refused"),
        (set(&["criteria"], json!("Observation?nonsense=b")), 400, "search-refused"),
        (set(&["criteria"], json!("Observation?_count=5")), 422, "subscription-refused"),
        (
            set(&["criteria"], json!("Observation?_include=Observation:subject")),
            422,
            "subscription-refused",
        ),
        (set(&["criteria"], json!("Binary?")), 403, "scope-insufficient"),
        (set(&["criteria"], json!("Procedure?")), 403, "scope-insufficient"),
        (set(&["criteria"], json!("Patient?")), 403, "scope-insufficient"),
        (set(&["channel", "type"], json!("email")), 422, "subscription-refused"),
        (set(&["channel", "type"], json!("websocket")), 422, "subscription-refused"),
        (set(&["channel", "payload"], json!("application/fhir+xml")), 422, "subscription-refused"),
        (
            set(&["channel", "endpoint"], json!("https://elsewhere.example/hook")),
            422,
            "subscription-refused",
        ),
        (
            set(&["channel", "endpoint"], json!(hook("@elsewhere.example/"))),
            422,
            "subscription-refused",
        ),
        (set(&["channel", "endpoint"], json!(hook("/hook#part"))), 422, "subscription-refused"),
        (
            set(&["channel", "endpoint"], json!(hook("/").replace("http:", "ftp:"))),
            422,
            "subscription-refused",
        ),
        (set(&["channel", "header"], json!(["Host: elsewhere"])), 422, "subscription-refused"),
        (set(&["channel", "header"], json!(["no colon"])), 422, "subscription-refused"),
        (set(&["channel", "header"], json!(vec!["A: b"; 11])), 422, "subscription-refused"),
        (set(&["end"], json!("2020-01-01T00:00:00Z")), 422, "subscription-refused"),
        (
            set(&["modifierExtension"], json!([{"url": "http://x", "valueBoolean": true}])),
            422,
            "subscription-refused",
        ),
    ] {
        let reply = scene.send(Method::POST, "Subscription", &wanted).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (status, code),
            "{wanted}: {}",
            reply.text()
        );
    }
    assert!(scene.world.app.subscriptions().is_empty());
    for _ in 0..20 {
        scene.subscribe("Observation?code=4548-4").await;
    }
    let wanted = scene.wanted("Observation?code=4548-4");
    let reply = scene.send(Method::POST, "Subscription", &wanted).await;
    assert_eq!(reply.code(), "subscriptions-too-many", "{}", reply.text());
}

/// An app whose registration no longer names the place is not told there any more.
#[tokio::test]
async fn an_app_is_told_only_where_it_is_registered_now() {
    let scene = Scene::new().await;
    scene.subscribe("Observation?").await;
    assert_eq!(scene.after(lab("one", "a", "")).await.len(), 1);
    scene.world.redirect_to("glucose-coach", "https://elsewhere.example/cb").await.unwrap();
    assert!(scene.after(lab("two", "a", "")).await.is_empty());
    assert_eq!(scene.receiver.connections(), 1);
}

// Covers: design §7; leaks.md 25
#[tokio::test]
async fn what_is_shown_in_part_is_told_in_part_and_asked_for_by_what_is_shown() {
    let world = World::embedded().await.unwrap();
    let receiver = Receiver::start().await.unwrap();
    let token = world.service_for("study", PurposeOfUse::Research, "system/*.rs").await.unwrap();
    world.redirect_to("study", &format!("{}/cb", receiver.origin)).await.unwrap();
    let wanted = |criteria: &str| {
        json!({
            "resourceType": "Subscription", "status": "requested", "reason": "a study",
            "criteria": criteria,
            "channel": {"type": "rest-hook", "endpoint": format!("{}/hook", receiver.origin),
                        "payload": "application/fhir+json"},
        })
    };
    let subscribe = async |criteria: &str| {
        let body = wanted(criteria).to_string();
        let sent = request(Method::POST, &token, "Subscription", &[JSON], body).unwrap();
        world.send(sent).await.unwrap()
    };
    let hidden = subscribe("Patient?name=Bluebird").await;
    assert_eq!((hidden.status.as_u16(), hidden.code().as_str()), (400, "search-refused"));
    assert_eq!(subscribe("Patient?").await.status, StatusCode::CREATED);
    let patient = json!({"resourceType": "Patient", "id": "z", "gender": "male", "name": [{"family": "Bluebird"}]});
    world.load(&[patient.to_string()]).await.unwrap();
    world.tell().await;
    let got = receiver.take();
    let [one] = got.as_slice() else { panic!("{got:?}") };
    assert!(!one.body.contains("Bluebird"), "{}", one.body);
    let read: Value = world.get(&token, "Patient/z").await.unwrap().json();
    assert_eq!(serde_json::from_str::<Value>(&one.body).unwrap(), read);
}

#[tokio::test]
async fn in_front_of_a_server_by_url_there_are_none_and_the_statement_says_so() {
    let server = FhirServer::start().await.unwrap();
    let settings = GatewaySettings::in_front_of(
        ORIGIN,
        proviso_gateway::HttpUpstreamSettings::at(server.base.clone()),
    );
    let world = World::new(settings).await.unwrap();
    let access = world.share("glucose-coach", &terms()).await.unwrap();
    let reply = world.get(&access.token, "Subscription").await.unwrap();
    assert_eq!(reply.code(), "not-offered", "{}", reply.text());
    let statement = world.get(&access.token, "metadata").await.unwrap().text();
    assert!(!statement.contains("\"Subscription\""));
    let own = World::embedded().await.unwrap();
    assert!(own.get("none", "metadata").await.unwrap().text().contains("\"Subscription\""));
}

const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition";

impl Scene {
    fn by_topic(&self, filter: &str, content: &str, heartbeat: Option<u32>) -> Value {
        let mut wanted = self.wanted(&format!("{ORIGIN}/fhir/r4/SubscriptionTopic/record-change"));
        wanted["_criteria"] = json!({"extension": [
            {"url": format!("{BACKPORT}/backport-filter-criteria"), "valueString": filter}]});
        wanted["channel"]["_payload"] = json!({"extension": [
            {"url": format!("{BACKPORT}/backport-payload-content"), "valueCode": content}]});
        if let Some(secs) = heartbeat {
            wanted["channel"]["extension"] = json!([
                {"url": format!("{BACKPORT}/backport-heartbeat-period"), "valueUnsignedInt": secs}]);
        }
        wanted
    }

    async fn post(&self, wanted: &Value) -> Reply {
        self.send(Method::POST, "Subscription", wanted).await
    }
}

/// The Bundles that came, each with what its status says.
fn told(got: &[Got]) -> Vec<(Value, Vec<(String, Value)>)> {
    let read = |one: &Got| {
        assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/hook"));
        let bundle: Value = serde_json::from_str(&one.body).unwrap();
        assert_eq!(bundle["type"], "history");
        let status = bundle["entry"][0]["resource"]["parameter"].as_array().unwrap().clone();
        let value = |own: &Value| {
            let key = own.as_object().unwrap().keys().find(|key| *key != "name").unwrap().clone();
            (own["name"].as_str().unwrap().to_owned(), own[key.as_str()].clone())
        };
        (bundle, status.iter().map(value).collect())
    };
    got.iter().map(read).collect()
}

fn of<'a>(status: &'a [(String, Value)], name: &str) -> &'a Value {
    status.iter().find(|(own, _)| own == name).map_or(&Value::Null, |(_, value)| value)
}

// Covers: HL7 Subscriptions R5 Backport 1.1.0; design P1, P3
#[tokio::test]
async fn by_topic_the_receiver_is_asked_first_and_then_told_in_bundles() {
    let scene = Scene::new().await;
    let wanted = scene.by_topic("Observation?code=4548-4", "full-resource", None);
    let reply = scene.post(&wanted).await;
    assert_eq!(
        (reply.status, reply.json()["status"].clone()),
        (StatusCode::CREATED, json!("requested"))
    );
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    scene.world.tell().await;
    let got = scene.receiver.take();
    let [(_, status)] = told(&got).try_into().unwrap();
    assert_eq!(
        (of(&status, "type"), of(&status, "status")),
        (&json!("handshake"), &json!("requested"))
    );
    assert_eq!(of(&status, "events-since-subscription-start"), "0");
    assert_eq!(scene.read(&id).await["status"], "active");

    let got = scene.after(lab("new", "a", "")).await;
    assert_eq!(got[0].headers["content-type"], "application/fhir+json; fhirVersion=4.0");
    let [(bundle, status)] = told(&got).try_into().unwrap();
    assert_eq!(of(&status, "type"), "event-notification");
    assert_eq!(of(&status, "events-since-subscription-start"), "1");
    let own = format!("{ORIGIN}/fhir/r4/Subscription/{id}");
    assert_eq!(of(&status, "subscription")["reference"], own);
    let read = scene.world.get(&scene.access.token, "Observation/new").await.unwrap();
    assert_eq!(bundle["entry"][1]["resource"], read.json());
    assert_eq!(scene.notified().await.len(), 1);
    for hidden in [lab("hiv", "a", HIV), lab("of-b", "b", "")] {
        assert!(scene.after(hidden).await.is_empty());
    }
    // What is hidden counts nowhere.
    let got = scene.after(lab("newer", "a", "")).await;
    let [(_, status)] = told(&got).try_into().unwrap();
    assert_eq!(of(&status, "events-since-subscription-start"), "2");
    let path = format!("Subscription/{id}/$status");
    let asked = scene.send(Method::GET, &path, &Value::Null).await.json();
    let parameters = &asked["entry"][0]["resource"]["parameter"];
    assert!(parameters.to_string().contains(r#""valueString":"2""#), "{parameters}");
    assert!(parameters.to_string().contains("query-status"));
    let other = scene.world.share("bill-helper", &Terms { patient: "b", ..terms() }).await.unwrap();
    assert_eq!(scene.world.get(&other.token, &path).await.unwrap().status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn by_topic_no_more_is_told_than_was_asked_for() {
    let scene = Scene::new().await;
    for content in ["empty", "id-only"] {
        assert_eq!(scene.post(&scene.by_topic("Observation?", content, None)).await.status, 201);
    }
    scene.world.tell().await;
    scene.receiver.take();
    let got = scene.after(lab("new", "a", "")).await;
    assert_eq!(got.len(), 2);
    let mut focuses = 0;
    for (bundle, status) in told(&got) {
        assert_eq!(bundle["entry"].as_array().unwrap().len(), 1, "no record");
        let event = of(&status, "notification-event").to_string();
        focuses += usize::from(event.contains("/fhir/r4/Observation/new"));
        assert!(!bundle.to_string().contains("7.20"));
    }
    assert_eq!(focuses, 1);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_the_handshake_is_told_nothing() {
    let scene = Scene::new().await;
    scene.receiver.answer(StatusCode::NOT_FOUND);
    let wanted = scene.by_topic("Observation?", "full-resource", None);
    let id = scene.post(&wanted).await.json()["id"].as_str().unwrap().to_owned();
    for _ in 0..12 {
        let got = scene.after(lab("new", "a", "")).await;
        assert!(told(&got).iter().all(|(_, status)| of(status, "type") == "handshake"));
        assert_eq!(got.len(), 1);
        scene.world.clock.advance_secs(3600);
    }
    assert_eq!(scene.read(&id).await["status"], "error");
    assert!(scene.after(lab("newer", "a", "")).await.is_empty());
    assert!(scene.notified().await.is_empty());
}

#[tokio::test]
async fn a_heartbeat_says_that_there_was_nothing_when_its_time_is_over() {
    let scene = Scene::new().await;
    assert_eq!(scene.post(&scene.by_topic("Observation?", "empty", Some(60))).await.status, 201);
    scene.world.tell().await;
    assert_eq!(scene.receiver.take().len(), 1, "the handshake");
    scene.world.clock.advance_secs(59);
    scene.world.tell().await;
    assert!(scene.receiver.take().is_empty(), "an instant before");
    scene.world.clock.advance_secs(1);
    scene.world.tell().await;
    let [(bundle, status)] = told(&scene.receiver.take()).try_into().unwrap();
    assert_eq!(of(&status, "type"), "heartbeat");
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 1);
    assert!(scene.notified().await.is_empty(), "nothing is disclosed by it");
    scene.world.stop_sharing(&scene.access).await.unwrap();
    scene.world.clock.advance_secs(60);
    scene.world.tell().await;
    assert!(scene.receiver.take().is_empty(), "it ends with everything else");
}

#[tokio::test]
async fn what_is_asked_for_by_topic_and_not_offered_is_refused_with_its_place() {
    let scene = Scene::new().await;
    let good = || scene.by_topic("Observation?", "empty", Some(60));
    let set = |change: &dyn Fn(&mut Value)| {
        let mut wanted = good();
        change(&mut wanted);
        wanted
    };
    let elsewhere = json!("http://elsewhere.example/SubscriptionTopic/x");
    for (wanted, place) in [
        (set(&|own| own["criteria"] = elsewhere.clone()), "Subscription.criteria"),
        (set(&|own| own["criteria"] = json!("Observation?")), "Subscription.criteria"),
        (set(&|own| own["_criteria"] = Value::Null), "Subscription.criteria"),
        (
            set(&|own| own["_criteria"]["extension"][0]["url"] = json!("http://x")),
            "Subscription.criteria",
        ),
        (
            set(&|own| own["_criteria"]["extension"][0]["valueString"] = json!("patient=a")),
            "Subscription.criteria",
        ),
        (set(&|own| own["channel"]["_payload"] = Value::Null), "Subscription.channel.payload"),
        (
            set(&|own| own["channel"]["_payload"]["extension"][0]["valueCode"] = json!("all")),
            "Subscription.channel.payload",
        ),
        (
            set(&|own| drop(own["channel"].as_object_mut().unwrap().remove("payload"))),
            "Subscription.channel.payload",
        ),
        (
            set(&|own| own["channel"]["extension"][0]["valueUnsignedInt"] = json!(59)),
            "Subscription.channel.extension",
        ),
        (
            set(&|own| own["channel"]["extension"][0]["url"] = json!("http://x")),
            "Subscription.channel.extension",
        ),
    ] {
        let wanted = without_nulls(wanted);
        let reply = scene.post(&wanted).await;
        assert_eq!(reply.code(), "subscription-refused", "{wanted}: {}", reply.text());
        assert_eq!(reply.json()["issue"][0]["expression"][0], place, "{wanted}");
    }
    assert_eq!(scene.post(&good()).await.status, StatusCode::CREATED);
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, own)| !own.is_null())
            .map(|(key, own)| (key, without_nulls(own)))
            .collect(),
        other => other,
    }
}

/// The server itself, over HTTP: it tells as soon as something is written, the patient sees on its page
/// that the app is told, and stopping ends it.
// Covers: design P2, P3
#[tokio::test]
async fn a_served_world_tells_by_itself_and_the_patient_sees_it_and_stops_it() {
    let world = DemoWorld::start().await.unwrap();
    let receiver = Receiver::start().await.unwrap();
    let id = "glucose-coach".parse().unwrap();
    let known = world.app.live().client(&id).unwrap();
    let mut client = proviso_oauth::record::Client::clone(&known);
    client.origins.push(receiver.origin.clone());
    let entry =
        |kind| world.app.draft_entry(&Via::default(), kind, AuditOutcome::Success, "test").unwrap();
    let op = Op::PutClient { client, expect: Presence::Present };
    world.app.commit(Batch::new().with(op), entry(AuditKind::ClientRegistration)).await.unwrap();

    let scope = "launch/patient openid fhirUser offline_access patient/*.rs";
    let app = SmartApp::glucose_coach(&world.origin, scope);
    let mut maria = Browser::new().unwrap();
    let tokens = app.connect(&mut maria, "maria", &everything()).await.unwrap();
    let wanted = json!({
        "resourceType": "Subscription", "status": "requested", "reason": "new values",
        "criteria": "Observation?code=4548-4",
        "channel": {"type": "rest-hook", "endpoint": format!("{}/hook", receiver.origin),
                    "payload": "application/fhir+json"},
    });
    let bearer = format!("Bearer {}", tokens.access());
    let headers = [("authorization", bearer.as_str()), JSON];
    let url = world.url("/fhir/r4/Subscription");
    let http = HttpClient::default();
    let made = http.send(Method::POST, &url, &headers, wanted.to_string()).await.unwrap();
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());

    let write = async |id: &str| {
        let doc = lab(id, "maria", "").replace("Practitioner/p", "Practitioner/drpatel");
        let (kind, id) = (ResourceType::OBSERVATION, id.parse().unwrap());
        let records = world.app.records();
        let prepared = records.update(kind, &id, doc.into(), Match::Any, NewIds::Client).await;
        let ops = prepared.unwrap().take_ops();
        world.app.commit(Batch::from(ops), entry(AuditKind::Import)).await.unwrap();
    };
    write("told-at-once").await;
    let got = tokio::time::timeout(Duration::from_secs(20), receiver.wait()).await.unwrap();
    assert_eq!(got[0].path, "/hook/Observation/told-at-once");

    let mut reader = world.signed_in("maria").await.unwrap();
    reader.go(&world.url("/portal/apps")).await.unwrap();
    assert!(reader.page.text().contains("It is told of them at once"), "{}", reader.page.text());
    reader.go(&world.url("/portal/activity")).await.unwrap();
    let activity = reader.page.text();
    assert!(activity.contains("asked to be told at once of new records"), "{activity}");
    assert!(activity.contains("was told at once of one record"), "{activity}");
    assert!(!activity.contains("Nothing shown"), "{activity}");

    let consent = world.app.subscriptions()[0].asked.grant.clone();
    let consent = world.app.live().grant(&consent).unwrap().consent().unwrap().clone();
    let account = world.app.live().account(&"acc_maria".parse().unwrap());
    let account = account.map(|own| Account::clone(&own)).unwrap();
    world.app.revoke_consent(&account, &consent, None, &Via::default()).await.unwrap();
    write("after").await;
    // It is looked at for as long as it is there, and gone without having been told.
    let gone = async {
        while !world.app.subscriptions().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    assert!(receiver.take().is_empty());
}
