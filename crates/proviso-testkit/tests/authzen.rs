//! AuthZEN Authorization API 1.0 from outside: the shapes that its certification scenario asks for,
//! with the people and records of the demo world, and what an answer must not tell.

use std::collections::BTreeSet;

use http::Method;
use proviso_app::audit::AuditSearch;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::decision::FiledAtHand;
use proviso_testkit::browser::{Browser, Form};
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::signing::SigningKey;
use proviso_testkit::smart_app::{ASSERTION_TYPE, Proof, SmartApp, Tokens};
use serde_json::{Value, json};

struct Point {
    world: DemoWorld,
    http: HttpClient,
    token: String,
}

impl Point {
    async fn new() -> Self {
        let world = DemoWorld::start().await.unwrap();
        let http = HttpClient::default();
        let token = service_token(&world, "front-door", "access_evaluation").await;
        Self { world, http, token }
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(path, &self.token, &body.to_string()).await
    }

    async fn send(&self, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let url = self.world.url(&format!("/access/v1/{path}"));
        self.http.send(Method::POST, &url, &headers, body.to_owned()).await.unwrap()
    }

    async fn decide(&self, subject: Value, action: &str, kind: &str, id: &str) -> Value {
        let body = json!({
            "subject": subject,
            "action": { "name": action },
            "resource": { "type": kind, "id": id },
        });
        let answer = self.post("evaluation", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json().unwrap()
    }

    async fn logged(&self) -> Vec<AuditEntry> {
        let kinds = vec![AuditKind::Evaluation];
        let search = AuditSearch { kinds, limit: 1000, ..AuditSearch::default() };
        let page = self.world.app.search_audit(&search).await.unwrap();
        page.entries.into_iter().map(|logged| logged.entry).collect()
    }

    /// Maria connects Glucose Coach with these choices.
    async fn connect(&self, choices: &[(&str, &str)]) -> Tokens {
        let app = SmartApp::glucose_coach(&self.world.origin, "launch/patient patient/*.rs");
        app.connect(&mut Browser::new().unwrap(), "maria", choices).await.unwrap()
    }
}

async fn service_token(world: &DemoWorld, id: &str, scope: &str) -> String {
    let clients = world.clients().unwrap();
    let listed = clients["clients"].as_array().unwrap();
    let client = listed.iter().find(|client| client["client_id"] == id).unwrap();
    let key = SigningKey::of_demo_client(client).unwrap();
    let app = SmartApp::new(&world.origin, id, Proof::Public, scope);
    // The clock of the world stands still, so the assertion is made for its time.
    let mut claims = SigningKey::claims(id, &app.token_endpoint()).unwrap();
    claims["exp"] = json!(world.app.now().as_secs() + 300);
    let assertion = key.sign(&key.header(), &claims).unwrap();
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.as_str()),
    ];
    let http = HttpClient::default();
    let answer = http.post_form(&app.token_endpoint(), &[], &fields).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().unwrap()["access_token"].as_str().unwrap().to_owned()
}

fn account(name: &str) -> Value {
    json!({ "type": "account", "id": name })
}

fn coach() -> Value {
    json!({ "type": "app", "id": "glucose-coach", "properties": { "account": "maria" } })
}

const SHARED: &[(&str, &str)] = &[("category", "demographics"), ("duration", "1-year")];

// Covers: AuthZEN §6 (C-2.2.1, C-2.2.2, C-2.3, C-2.6); design P5
#[tokio::test]
async fn people_are_decided_about_as_they_would_be_at_the_record() {
    let point = Point::new().await;
    for (name, action, id, permitted) in [
        ("maria", "read", "maria", true),
        ("maria", "update", "maria", false),
        ("wei", "read", "lily", true),
        ("wei", "read", "maria", false),
        ("drpatel", "read", "maria", true),
        ("drpatel", "read", "james", false),
        ("nurseruiz", "read", "james", true),
        ("priya", "read", "maria", false),
        ("sol", "read", "maria", false),
        ("nobody-of-this-name", "read", "maria", false),
    ] {
        for _ in 0..2 {
            let answer = point.decide(account(name), action, "Patient", id).await;
            assert_eq!(answer["decision"], permitted, "{name} {action} {id}: {answer}");
        }
    }
}

// Covers: design P2, P4: a decision is made from what is in force now
#[tokio::test]
async fn an_app_is_decided_about_by_its_connections_until_they_are_stopped() {
    let point = Point::new().await;
    let before = point.decide(coach(), "read", "Patient", "maria").await;
    assert_eq!(before["decision"], false);
    assert_eq!(before["context"]["reasons"], json!(["no-consent"]));

    point.connect(SHARED).await;
    let permitted = point.decide(coach(), "read", "Patient", "maria").await;
    assert_eq!(permitted["decision"], true, "{permitted}");
    assert_eq!(permitted["context"]["reasons"], json!(["consent-in-force"]));
    let consent = permitted["context"]["consent"].as_str().unwrap().to_owned();
    assert_eq!(permitted["context"]["digest"].as_str().unwrap().len(), 64);
    let for_anybody = json!({ "type": "app", "id": "glucose-coach" });
    assert_eq!(point.decide(for_anybody, "read", "Patient", "maria").await["decision"], true);
    let for_other =
        json!({ "type": "app", "id": "glucose-coach", "properties": { "account": "james" } });
    assert_eq!(point.decide(for_other, "read", "Patient", "maria").await["decision"], false);

    let mut maria = point.world.signed_in("maria").await.unwrap();
    maria.go(&point.world.url(&format!("/portal/apps/{consent}/stop"))).await.unwrap();
    let forms = maria.forms();
    let is_stop = |form: &&Form| {
        form.attributes.get("action").is_some_and(|action| action.ends_with("/stop"))
    };
    let form = forms.iter().find(is_stop).unwrap();
    maria.submit(form, &[]).await.unwrap();
    let stopped = point.decide(coach(), "read", "Patient", "maria").await;
    assert_eq!(stopped["decision"], false, "{stopped}");
}

// Covers: design §7: nothing tells a hidden record from none at all, to the one who would act
#[tokio::test]
async fn the_words_for_the_one_who_would_act_are_the_same_for_hidden_and_absent() {
    let point = Point::new().await;
    point.connect(&[("category", "laboratory"), ("duration", "1-year")]).await;
    let search = json!({
        "subject": account("maria"), "action": { "name": "read" },
        "resource": { "type": "Observation" },
    });
    let own = ids(&all_pages(&point, "search/resource", &search).await);
    let mut words = BTreeSet::new();
    let mut hidden = 0;
    for id in own.iter().map(String::as_str).chain(["never-was"]) {
        let answer = point.decide(coach(), "read", "Observation", id).await;
        if answer["decision"] == false {
            words.insert(answer["context"]["reason_user"].to_string());
            hidden += 1;
        }
    }
    assert!(hidden > 2, "{hidden}");
    assert_eq!(words.len(), 1, "{words:?}");
}

// Covers: design §5, §7: what a teenager told in confidence is, to a parent, as absent
#[tokio::test]
async fn a_parent_cannot_tell_a_confidential_record_from_one_that_never_was() {
    let point = Point::new().await;
    let listed = async |name: &str| {
        let search = json!({
            "subject": account(name), "action": { "name": "read" },
            "resource": { "type": "Encounter" },
        });
        let ids = ids(&all_pages(&point, "search/resource", &search).await);
        ids.into_iter().collect::<BTreeSet<String>>()
    };
    let hidden: Vec<String> =
        listed("lily").await.difference(&listed("wei").await).cloned().collect();
    assert!(!hidden.is_empty());
    let of_maria = listed("maria").await.into_iter().next().unwrap();
    let mut told = BTreeSet::new();
    for id in hidden.iter().map(String::as_str).chain(["never-was", of_maria.as_str()]) {
        let answer = point.decide(account("wei"), "read", "Encounter", id).await;
        assert_eq!(answer["decision"], false);
        told.insert(answer["context"]["reason_user"].to_string());
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

// Covers: leaks 105, 106: what only this server writes, nobody is told that they may write
#[tokio::test]
async fn nobody_is_told_that_they_may_change_what_only_the_server_writes() {
    let point = Point::new().await;
    let service = json!({ "type": "app", "id": "quality-study" });
    for action in ["update", "patch", "delete"] {
        for kind in ["Consent", "AuditEvent", "Subscription", "StructureDefinition"] {
            let answer = point.decide(service.clone(), action, kind, "one").await;
            assert_eq!(answer["decision"], false, "{action} {kind}");
        }
    }
}

// Covers: AuthZEN §7 (C-3.2.1 to C-3.2.7, C-3.3)
#[tokio::test]
async fn several_questions_get_answers_in_their_order_with_defaults_and_semantics() {
    let point = Point::new().await;
    let batch = |semantic: &str| {
        json!({
            "subject": account("drpatel"),
            "action": { "name": "read" },
            "resource": { "type": "Patient" },
            "options": { "evaluations_semantic": semantic },
            "evaluations": [
                { "resource": { "id": "maria" } },
                { "resource": { "type": "Patient", "id": "james" } },
                { "resource": { "id": "lily" }, "subject": account("wei") },
                {},
            ],
        })
    };
    for (semantic, expected) in [
        ("execute_all", vec![true, false, true, false]),
        ("deny_on_first_deny", vec![true, false]),
        ("permit_on_first_permit", vec![true]),
    ] {
        let answer = point.post("evaluations", &batch(semantic)).await;
        assert_eq!(answer.status, 200);
        let body = answer.json().unwrap();
        assert!(body.get("decision").is_none());
        let decisions: Vec<bool> = body["evaluations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["decision"].as_bool().unwrap())
            .collect();
        assert_eq!(decisions, expected, "{semantic}");
    }
    assert_eq!(point.post("evaluations", &batch("whatever")).await.status, 400);
    // Without a list, or with an empty one, it is a single evaluation.
    for list in [json!({}), json!({ "evaluations": [] })] {
        let mut body = list;
        body["subject"] = account("maria");
        body["action"] = json!({ "name": "read" });
        body["resource"] = json!({ "type": "Patient", "id": "maria" });
        let answer = point.post("evaluations", &body).await.json().unwrap();
        assert_eq!(answer["decision"], true);
    }
    let many = json!({ "evaluations": vec![json!({}); 201] });
    assert_eq!(point.post("evaluations", &many).await.status, 413);
}

/// Every page of a search.
async fn all_pages(point: &Point, path: &str, body: &Value) -> Vec<Value> {
    let mut results = Vec::new();
    let mut body = body.clone();
    for _ in 0..50 {
        let answer = point.post(path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json().unwrap();
        results.extend(page["results"].as_array().unwrap().iter().cloned());
        let next = page["page"]["next_token"].as_str().unwrap().to_owned();
        if next.is_empty() {
            return results;
        }
        body["page"]["token"] = json!(next);
    }
    panic!("the pages do not end");
}

fn ids(results: &[Value]) -> Vec<String> {
    results.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

// Covers: AuthZEN §8 to §10 (C-4.2 to C-4.7)
#[tokio::test]
async fn searches_list_exactly_whom_and_what_single_questions_permit() {
    let point = Point::new().await;
    point.connect(SHARED).await;
    let subjects = json!({
        "subject": { "type": "account" }, "action": { "name": "read" },
        "resource": { "type": "Patient", "id": "maria" },
        "page": { "limit": 3 },
    });
    let listed: BTreeSet<String> =
        ids(&all_pages(&point, "search/subject", &subjects).await).into_iter().collect();
    let mut expected = BTreeSet::new();
    for name in [
        "maria",
        "james",
        "lily",
        "wei",
        "grace",
        "drpatel",
        "nurseruiz",
        "drstone",
        "priya",
        "sol",
    ] {
        let id = point.world.app.account_named(name).await.unwrap().unwrap();
        if point.decide(account(name), "read", "Patient", "maria").await["decision"] == true {
            expected.insert(id.as_str().to_owned());
        }
    }
    assert_eq!(listed, expected);
    assert!(expected.len() >= 2);

    let apps = json!({
        "subject": { "type": "app" }, "action": { "name": "read" },
        "resource": { "type": "Patient", "id": "maria" },
    });
    let listed = all_pages(&point, "search/subject", &apps).await;
    assert!(listed.contains(&json!({ "type": "app", "id": "glucose-coach" })), "{listed:?}");

    let actions = json!({ "subject": coach(), "resource": { "type": "Patient", "id": "maria" } });
    let listed = all_pages(&point, "search/action", &actions).await;
    let names: Vec<&str> = listed.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["read"]);

    for (path, body) in [
        (
            "search/action",
            json!({ "subject": account("nobody"), "resource": { "type": "Patient", "id": "maria" } }),
        ),
        (
            "search/subject",
            json!({ "subject": { "type": "spaceship" }, "action": { "name": "read" }, "resource": { "type": "Patient", "id": "maria" } }),
        ),
        (
            "search/resource",
            json!({ "subject": account("maria"), "action": { "name": "read" }, "resource": { "type": "record" } }),
        ),
    ] {
        assert!(all_pages(&point, path, &body).await.is_empty(), "{path}");
    }
}

// Covers: AuthZEN §9; design P1: what is listed is what a search under the same right would find
#[tokio::test]
async fn records_are_listed_page_by_page_without_those_that_are_hidden() {
    let point = Point::new().await;
    let tokens = point.connect(&[("category", "laboratory"), ("duration", "1-year")]).await;
    let search = json!({
        "subject": coach(), "action": { "name": "read" },
        "resource": { "type": "Observation" }, "page": { "limit": 4 },
    });
    let listed: BTreeSet<String> =
        ids(&all_pages(&point, "search/resource", &search).await).into_iter().collect();
    let app = SmartApp::glucose_coach(&point.world.origin, "launch/patient patient/*.rs");
    let bundle = app.fhir(tokens.access(), "Observation?_count=1000").await.unwrap();
    let found: BTreeSet<String> = bundle.json().unwrap()["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, found);
    assert!(listed.len() > 4);
    let mut forged = search;
    forged["page"]["token"] = json!("0.AAAA");
    assert_eq!(point.post("search/resource", &forged).await.status, 400);
}

// Covers: AuthZEN §12.1 (C-2.4, C-2.5), RFC 6750 §3
#[tokio::test]
async fn bad_questions_are_errors_and_strangers_get_no_answer() {
    let point = Point::new().await;
    let good = json!({
        "subject": account("maria"), "action": { "name": "read" },
        "resource": { "type": "Patient", "id": "maria" },
        "futureField": { "nested": true },
    });
    assert_eq!(point.post("evaluation", &good).await.json().unwrap()["decision"], true);
    for (member, value) in [
        ("subject", json!(null)),
        ("subject", json!("maria")),
        ("subject", json!({ "id": "maria" })),
        ("subject", json!({ "type": "account" })),
        ("subject", json!({ "type": "account", "id": 7 })),
        ("action", json!({})),
        ("action", json!({ "name": 123 })),
        ("resource", json!({ "id": "maria" })),
        ("resource", json!({ "type": "Patient" })),
        ("context", json!("now")),
    ] {
        let mut bad = good.clone();
        bad[member] = value.clone();
        assert_eq!(point.post("evaluation", &bad).await.status, 400, "{member}: {value}");
        bad.as_object_mut().unwrap().remove(member);
        let expected = if member == "context" { 200 } else { 400 };
        assert_eq!(point.post("evaluation", &bad).await.status, expected, "no {member}");
    }
    for body in ["", "{", "[]", "\"maria\""] {
        assert_eq!(point.send("evaluation", &point.token, body).await.status, 400, "{body}");
    }
    // Well formed, and nothing here fits it: no.
    for (member, value) in [
        ("action", json!({ "name": "launch-rockets" })),
        ("resource", json!({ "type": "record", "id": "1" })),
        ("resource", json!({ "type": "Patient", "id": "not an id" })),
        ("subject", json!({ "type": "spaceship", "id": "1" })),
        ("context", json!({ "purpose_of_use": "WHIM" })),
    ] {
        let mut odd = good.clone();
        odd[member] = value;
        let answer = point.post("evaluation", &odd).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json().unwrap()["decision"]),
            (200, &json!(false))
        );
    }

    let body = good.to_string();
    let stranger = point.send("evaluation", "nonsense", &body).await;
    assert_eq!(stranger.status, 401);
    assert!(stranger.header("www-authenticate").unwrap().contains("invalid_token"));
    // A patient's app, and a service that may read records: neither may ask about others.
    let tokens = point.connect(SHARED).await;
    let app = point.send("evaluation", tokens.access(), &body).await;
    assert_eq!(app.status, 403);
    assert!(app.header("www-authenticate").unwrap().contains("access_evaluation"));
    let fhir = SmartApp::new(&point.world.origin, "front-door", Proof::Public, "");
    let read = fhir.fhir(&point.token, "Patient/maria").await.unwrap();
    assert_eq!(read.status, 403, "{}", read.text());
}

// Covers: AuthZEN §12.1.7 (C-2.5)
#[tokio::test]
async fn the_request_id_of_the_question_comes_back() {
    let point = Point::new().await;
    let bearer = format!("Bearer {}", point.token);
    let url = point.world.url("/access/v1/evaluation");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("x-request-id", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"),
    ];
    let answer = point.http.send(Method::POST, &url, &headers, "{}").await.unwrap();
    assert_eq!(answer.header("x-request-id"), Some("bfe9eb29-ab87-4ca3-be83-a1d5d8305716"));
    let without = point.http.send(Method::POST, &url, &headers[..2], "{}").await.unwrap();
    assert!(without.header("x-request-id").unwrap().starts_with("req_"));
}

// Covers: AuthZEN §11 (C-6)
#[tokio::test]
async fn the_endpoints_are_found_by_discovery() {
    let point = Point::new().await;
    let url = point.world.url("/.well-known/authzen-configuration");
    let answer = point.http.get(&url, &[]).await.unwrap();
    assert_eq!(answer.status, 200);
    let document = answer.json().unwrap();
    assert_eq!(document["policy_decision_point"], point.world.origin.as_str());
    let good = json!({
        "subject": account("maria"), "action": { "name": "read" },
        "resource": { "type": "Patient", "id": "maria" },
    });
    let bearer = format!("Bearer {}", point.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for (name, endpoint) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") {
            let endpoint = endpoint.as_str().unwrap();
            let answer =
                point.http.send(Method::POST, endpoint, &headers, good.to_string()).await.unwrap();
            assert_eq!(answer.status, 200, "{name}");
        }
    }
}

// Covers: design P3 (no log, no answer), §9
#[tokio::test]
async fn every_answer_is_in_the_log_and_none_leaves_without() {
    let point = Point::new().await;
    let answer = point.decide(account("drpatel"), "read", "Patient", "maria").await;
    point.decide(account("drpatel"), "read", "Patient", "james").await;
    point.decide(account("drpatel"), "fly", "Patient", "james").await;
    let entries = point.logged().await;
    let outcomes: Vec<AuditOutcome> = entries.iter().rev().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [AuditOutcome::Success, AuditOutcome::Denied, AuditOutcome::Failure]);
    let first = entries.last().unwrap();
    assert_eq!(json!(first.decision), answer["context"]["id"]);
    assert_eq!(json!(first.digest), answer["context"]["digest"]);
    assert_eq!(first.client.as_ref().unwrap().as_str(), "front-door");
    assert_eq!(first.patients.len(), 1);
    assert_eq!(first.released, 0);
    let record = first.record.as_ref().unwrap();
    assert_eq!(record.replay(None, &FiledAtHand::new()).unwrap(), *record);

    // Maria sees that it was asked; what is asked of Lily's records, her father does not.
    let mut maria = point.world.signed_in("maria").await.unwrap();
    maria.go(&point.world.url("/portal/activity")).await.unwrap();
    assert!(maria.text().contains("Front Door, a service of your health organization, asked"));

    let size = point.world.log_size().await.unwrap();
    point.world.faults.fail_commits(true);
    let body = json!({
        "subject": account("maria"), "action": { "name": "read" },
        "resource": { "type": "Patient", "id": "maria" },
    });
    let answer = point.post("evaluation", &body).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(!answer.text().contains("decision"));
    point.world.faults.fail_commits(false);
    assert_eq!(point.world.log_size().await.unwrap(), size);
}
