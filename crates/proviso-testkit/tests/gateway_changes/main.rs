//! Changes through the gateway that look something up first, or come several at once: conditional
//! interactions, batches, transactions, `$validate`. Numbers are those of the catalogue of leaks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use proviso_core::audit::AuditOutcome;
use proviso_testkit::gateway_cases::{self, LAB, NARROW, everything, only_visible, terms};
use proviso_testkit::gateway_world::{Access, ORIGIN, Reply, World, request};

mod keys;
mod patches;

const JSON: (&str, &str) = ("content-type", "application/fhir+json");
const PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

struct Asking {
    world: World,
    access: Access,
}

impl Asking {
    async fn over(resources: &[String]) -> Self {
        let world = World::embedded().await.unwrap();
        world.load(resources).await.unwrap();
        let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
        Self { world, access }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<String>,
    ) -> Reply {
        let body: String = body.into();
        let request = request(method, &self.access.token, path, headers, body).unwrap();
        self.world.send(request).await.unwrap()
    }

    async fn bundle(&self, kind: &str, entries: &[String]) -> Reply {
        self.send(Method::POST, "", &[JSON], bundle(kind, entries)).await
    }

    /// How many laboratory results the app sees.
    async fn count(&self) -> u64 {
        let reply = self.world.get(&self.access.token, "Observation?_summary=count").await.unwrap();
        reply.json()["total"].as_u64().unwrap()
    }
}

fn bundle(kind: &str, entries: &[String]) -> String {
    let entries = entries.join(",");
    format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entries}]}}"#)
}

/// A laboratory result with an identifier, by which criteria find it.
fn lab(id: &str, subject: &str, identifier: &str) -> String {
    let id = if id.is_empty() { "new" } else { id };
    let more = format!(r#","identifier":[{{"system":"urn:lab","value":"{identifier}"}}]"#);
    gateway_cases::observation(id, subject, LAB, "4548-4", "6.10", "2026-02-01", &more)
}

/// The same without an id, as clients send it.
fn without_id(lab: &str) -> String {
    lab.replacen(r#","id":"new""#, "", 1)
}

fn entry(method: &str, url: &str, resource: &str, more: &str) -> String {
    let resource =
        if resource.is_empty() { String::new() } else { format!(r#""resource":{resource},"#) };
    format!(r#"{{{resource}"request":{{"method":"{method}","url":"{url}"{more}}}}}"#)
}

fn linked(full_url: &str, entry: &str) -> String {
    entry.replacen('{', &format!(r#"{{"fullUrl":"{full_url}","#), 1)
}

/// A JSON Patch as an entry of a Bundle carries it.
fn binary(patch: &str) -> String {
    let data = STANDARD.encode(patch);
    format!(
        r#"{{"resourceType":"Binary","contentType":"application/json-patch+json","data":"{data}"}}"#
    )
}

fn statuses(reply: &Reply) -> Vec<String> {
    let bundle = reply.json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap().chars().take(3).collect())
        .collect()
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

// Covers: FHIR R4 http.html#cond-update; design §7 writes; leak 89
#[tokio::test]
async fn a_conditional_update_finds_only_what_its_caller_sees() {
    let mut resources = everything();
    resources.push(lab("b-named", "b", "1"));
    let asking = Asking::over(&resources).await;
    let put = async |criteria: &str, body: String, headers: &[(&str, &str)]| {
        let headers: Vec<_> = std::iter::once(JSON).chain(headers.iter().copied()).collect();
        asking.send(Method::PUT, &format!("Observation?{criteria}"), &headers, body).await
    };
    // The other patient's result has the same identifier and is not found: one is added.
    let made = put("identifier=urn:lab%7C1", without_id(&lab("", "a", "1")), &[]).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", text(&made));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        made.headers["location"],
        format!("{ORIGIN}/fhir/r4/Observation/{id}/_history/1").as_str()
    );
    // Now it is found, with or without its id in the body.
    let body = without_id(&lab("", "a", "1")).replace("6.10", "6.20");
    let updated = put("identifier=urn:lab%7C1", body, &[]).await;
    assert_eq!(updated.status, StatusCode::OK, "{}", text(&updated));
    assert_eq!(
        (updated.json()["id"].as_str(), text(&updated).contains("6.20")),
        (Some(&*id), true)
    );
    let same = put("identifier=urn:lab%7C1", lab(&id, "a", "1"), &[("if-match", "W/\"2\"")]).await;
    assert_eq!(same.status, StatusCode::OK);
    let stale = put("identifier=urn:lab%7C1", lab(&id, "a", "1"), &[("if-match", "W/\"2\"")]).await;
    assert_eq!(stale.code(), "version-mismatch");
    for (criteria, body, code) in [
        // Another id than that of what was found; an id that is nobody's, or hidden: no difference.
        ("identifier=urn:lab%7C1", lab("other", "a", "1"), "body-mismatch"),
        ("identifier=urn:lab%7C9", lab("fresh", "a", "9"), "not-found"),
        ("identifier=urn:lab%7C9", lab("b-named", "a", "9"), "not-found"),
        ("code=4548-4", without_id(&lab("", "a", "1")), "condition-ambiguous"),
        ("_sort=date", without_id(&lab("", "a", "1")), "criteria-missing"),
        ("nonsense=1", without_id(&lab("", "a", "1")), "search-refused"),
        // What would result lies outside the grant.
        ("identifier=urn:lab%7C1", without_id(&lab("", "b", "1")), "write-refused"),
        ("identifier=urn:lab%7C9", without_id(&lab("", "b", "9")), "write-refused"),
    ] {
        let refused = put(criteria, body, &[]).await;
        assert_eq!(refused.code(), code, "{criteria}: {}", text(&refused));
    }
    let untouched = asking.world.app.records();
    let untouched =
        untouched.read("Observation".parse().unwrap(), &"b-named".parse().unwrap()).await.unwrap();
    let proviso_app::records::Reading::Live(untouched) = untouched else { panic!() };
    assert_eq!(untouched.version, 1);
}

// Covers: FHIR R4 http.html#cdelete, http.html#patch; design §7 writes
#[tokio::test]
async fn conditional_patches_and_deletes_find_only_what_their_caller_sees() {
    let mut resources = everything();
    resources.extend([lab("b-named", "b", "1"), lab("a-named", "a", "1")]);
    let asking = Asking::over(&resources).await;
    let value = r#"[{"op":"replace","path":"/valueQuantity/value","value":6.30}]"#;
    let away = r#"[{"op":"replace","path":"/subject/reference","value":"Patient/b"}]"#;
    let patch = async |criteria: &str, patch: &str| {
        asking.send(Method::PATCH, &format!("Observation?{criteria}"), &[PATCH], patch).await
    };
    let patched = patch("identifier=urn:lab%7C1", value).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", text(&patched));
    assert_eq!(
        (patched.json()["id"].as_str(), text(&patched).contains("6.30")),
        (Some("a-named"), true)
    );
    for (criteria, body, code) in [
        ("identifier=urn:lab%7C1", away, "write-refused"),
        ("identifier=urn:lab%7C1", "[{\"op\":\"remove\",\"path\":\"/none\"}]", "patch-invalid"),
        ("identifier=urn:lab%7C9", value, "not-found"),
        ("_id=b-named", value, "not-found"),
        ("code=4548-4", value, "condition-ambiguous"),
    ] {
        let refused = patch(criteria, body).await;
        assert_eq!(refused.code(), code, "{criteria} {body}");
    }
    let delete = async |criteria: &str| {
        asking.send(Method::DELETE, &format!("Observation?{criteria}"), &[], "").await
    };
    assert_eq!(delete("code=4548-4").await.code(), "condition-ambiguous");
    assert_eq!(delete("identifier=urn:lab%7C1").await.status, StatusCode::NO_CONTENT);
    let gone = asking.world.get(&asking.access.token, "Observation/a-named").await.unwrap();
    assert_eq!(gone.status, StatusCode::GONE);
    // Nothing that the caller sees is left: what is hidden stays, and is not told of.
    for criteria in ["identifier=urn:lab%7C1", "_id=b-named", "_id=never"] {
        let nothing = delete(criteria).await;
        assert_eq!((nothing.status, nothing.body.len()), (StatusCode::NO_CONTENT, 0), "{criteria}");
    }
    let records = asking.world.app.records();
    let left =
        records.read("Observation".parse().unwrap(), &"b-named".parse().unwrap()).await.unwrap();
    assert!(matches!(left, proviso_app::records::Reading::Live(_)));
}

/// Criteria are a search; whoever may not search learns nothing by them.
// Covers: leak 89
#[tokio::test]
async fn without_the_right_to_search_there_are_no_criteria() {
    let world = World::embedded().await.unwrap();
    world.load(&everything()).await.unwrap();
    let mut narrow = terms(NARROW);
    narrow.scopes = "patient/Observation.cud";
    let access = world.share("bill-helper", &narrow).await.unwrap();
    let asking = Asking { world, access };
    for (method, path, headers) in [
        (Method::POST, "Observation", vec![JSON, ("if-none-exist", "_id=a-lab")]),
        (Method::PUT, "Observation?_id=a-lab", vec![JSON]),
        (Method::PATCH, "Observation?_id=a-lab", vec![PATCH]),
        (Method::DELETE, "Observation?_id=a-lab", vec![]),
    ] {
        let body = match method {
            Method::PATCH => "[]".to_owned(),
            Method::DELETE => String::new(),
            _ => without_id(&lab("", "a", "1")),
        };
        let refused = asking.send(method.clone(), path, &headers, body).await;
        assert_eq!(refused.code(), "scope-insufficient", "{method}");
    }
    // By id it may: that is what its scope says.
    let deleted = asking.send(Method::DELETE, "Observation/a-lab", &[], "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

/// What may be seen and may not be changed is refused like what is not there, found or named.
// Covers: design §7 writes; SMART App Launch 2.2 granular scopes
#[tokio::test]
async fn what_may_only_be_seen_is_not_changed_by_criteria_or_in_a_transaction() {
    let world = World::embedded().await.unwrap();
    world.load(&everything()).await.unwrap();
    let mut wide = terms(NARROW);
    wide.categories = wide.categories.with(proviso_core::category::Category::Vitals);
    wide.scopes = "patient/Observation.rs patient/Observation.ud?category=\
                   http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let access = world.share("bill-helper", &wide).await.unwrap();
    let asking = Asking { world, access };
    let seen = asking.world.get(&asking.access.token, "Observation/a-vital").await.unwrap();
    assert_eq!(seen.status, StatusCode::OK);
    let patch = r#"[{"op":"replace","path":"/status","value":"amended"}]"#;
    for (id, expected) in [("a-vital", ["404", "404"]), ("a-lab", ["200", "204"])] {
        let path = format!("Observation?_id={id}");
        let patched = asking.send(Method::PATCH, &path, &[PATCH], patch).await;
        let deletes = [entry("DELETE", &format!("Observation/{id}"), "", "")];
        let by_id = asking.bundle("transaction", &deletes).await;
        let by_id = if by_id.status == StatusCode::OK {
            statuses(&by_id).remove(0)
        } else {
            by_id.status.as_u16().to_string()
        };
        assert_eq!([patched.status.as_str(), &by_id], expected, "{id}");
    }
    let deleted = asking.send(Method::DELETE, "Observation?_id=a-vital", &[], "").await;
    assert_eq!(deleted.code(), "not-found");
    let still = asking.world.get(&asking.access.token, "Observation/a-vital").await.unwrap();
    assert_eq!(still.status, StatusCode::OK);
}

// Covers: FHIR R4 http.html#batch
#[tokio::test]
async fn a_batch_does_one_entry_after_the_other() {
    let asking = Asking::over(&everything()).await;
    let named = without_id(&lab("", "a", "7"));
    let exists = r#","ifNoneExist":"identifier=urn:lab|7""#;
    // [{"op":"replace","path":"/status","value":"amended"}]
    let patch = r#"{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W3sib3AiOiJyZXBsYWNlIiwicGF0aCI6Ii9zdGF0dXMiLCJ2YWx1ZSI6ImFtZW5kZWQifV0="}"#;
    let reply = asking
        .bundle(
            "batch",
            &[
                entry("POST", "Observation", &named, exists),
                entry("POST", "Observation", &named, exists),
                entry("PATCH", "Observation/a-lab", patch, ""),
                entry("PATCH", "Observation/b-lab", patch, ""),
                entry("PATCH", "Observation/a-lab", &named, ""),
                entry("GET", "Observation/a-lab", "", ""),
                entry("PUT", "Observation?identifier=urn:lab|7", &named, ""),
                entry("DELETE", "Observation?identifier=urn:lab|7", "", ""),
                entry("DELETE", "Observation?identifier=urn:lab|7", "", ""),
            ],
        )
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    let expected = ["201", "200", "200", "404", "422", "200", "200", "204", "204"];
    assert_eq!(statuses(&reply), expected, "{}", text(&reply));
    assert_eq!(reply.json()["entry"][5]["resource"]["status"], "amended");
    assert_eq!(reply.json()["type"], "batch-response");
    assert_eq!(asking.world.accesses().await.unwrap().len(), 10, "each entry, and the batch");
}

// Covers: FHIR R4 http.html#trules; design §7 writes
#[tokio::test]
async fn a_transaction_happens_as_a_whole_and_its_reads_see_what_came_of_it() {
    let asking = Asking::over(&everything()).await;
    let report = r#"{"resourceType":"Observation","status":"final",
        "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
        "code":{"text":"panel"},"subject":{"reference":"Patient/a"},
        "hasMember":[{"reference":"urn:uuid:1"},{"reference":"Observation?identifier=urn:lab|old"}]}"#;
    let old = asking.send(Method::POST, "Observation", &[JSON], lab("", "a", "old")).await;
    let old = old.json()["id"].as_str().unwrap().to_owned();
    let reply = asking
        .bundle(
            "transaction",
            &[
                entry("GET", "Observation?identifier=urn:lab|2", "", ""),
                linked("urn:uuid:2", &entry("POST", "Observation", report, "")),
                linked(
                    "urn:uuid:1",
                    &entry("POST", "Observation", &without_id(&lab("", "a", "2")), ""),
                ),
                entry("DELETE", "Observation/a-lab2", "", ""),
                entry("GET", "Observation/b-lab", "", ""),
                entry(
                    "PUT",
                    "Observation/a-lab",
                    &lab("a-lab", "a", "3"),
                    r#","ifMatch":"W/\"1\"""#,
                ),
                entry("GET", "Observation/a-lab2", "", ""),
            ],
        )
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", text(&reply));
    assert_eq!(reply.json()["type"], "transaction-response");
    let expected = ["200", "201", "201", "204", "404", "200", "410"];
    assert_eq!(statuses(&reply), expected, "{}", text(&reply));
    let bundle = reply.json();
    assert_eq!(bundle["entry"][0]["resource"]["total"], 1, "what was just added is found");
    let member = bundle["entry"][2]["resource"]["id"].as_str().unwrap();
    let members = &bundle["entry"][1]["resource"]["hasMember"];
    assert_eq!(members[0]["reference"], format!("Observation/{member}"));
    assert_eq!(members[1]["reference"], format!("Observation/{old}"));
    let log = asking.world.accesses().await.unwrap();
    let actions: Vec<(&str, AuditOutcome)> =
        log.iter().rev().skip(1).map(|entry| (entry.action.as_str(), entry.outcome)).collect();
    let (good, bad) = (AuditOutcome::Success, AuditOutcome::Denied);
    assert_eq!(
        actions,
        [
            ("transaction", good),
            ("create", good),
            ("create", good),
            ("delete", good),
            ("update", good),
            ("search-type", good),
            ("read", bad),
            ("read", AuditOutcome::Failure),
        ]
    );
}

/// One entry that may not be, and none of it is; the answer is the same whatever is hidden.
// Covers: design P1; FHIR R4 http.html#trules; leak 85, 86, 87, 89, 91
#[tokio::test]
async fn one_refused_entry_stops_the_whole_transaction() {
    let good = || entry("POST", "Observation", &without_id(&lab("", "a", "5")), "");
    let about_b = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:b"}}"#;
    let new_patient =
        linked("urn:uuid:b", &entry("POST", "Patient", r#"{"resourceType":"Patient"}"#, ""));
    let conditional = lab("", "a", "5").replace("Practitioner/p", "Patient?identifier=urn:mrn|B-1");
    let refers = lab("", "a", "5")
        .replace(r#""status""#, r#""hasMember":[{"reference":"Observation/b-lab"}],"status""#);
    let refers_to_none = refers.replace("b-lab", "never");
    let bare_labels = lab("a-marked", "a", "5");
    let cases: Vec<(&str, Vec<String>, u16, &str)> = vec![
        (
            "another's",
            vec![entry("POST", "Observation", &lab("", "b", "5"), "")],
            403,
            "write-refused",
        ),
        (
            "hidden",
            vec![entry("PUT", "Observation/b-lab", &lab("b-lab", "a", "5"), "")],
            404,
            "not-found",
        ),
        (
            "absent",
            vec![entry("PUT", "Observation/never", &lab("never", "a", "5"), "")],
            404,
            "not-found",
        ),
        (
            "hidden with a version",
            vec![entry(
                "PUT",
                "Observation/b-lab",
                &lab("b-lab", "a", "5"),
                r#","ifMatch":"W/\"9\"""#,
            )],
            404,
            "not-found",
        ),
        ("hidden delete", vec![entry("DELETE", "Observation/a-hiv", "", "")], 404, "not-found"),
        ("absent delete", vec![entry("DELETE", "Observation/never", "", "")], 404, "not-found"),
        (
            "deleted",
            vec![entry("PUT", "Observation/a-gone", &lab("a-gone", "a", "5"), "")],
            404,
            "not-found",
        ),
        (
            "links",
            vec![new_patient, linked("urn:uuid:o", &entry("POST", "Observation", about_b, ""))],
            403,
            "scope-insufficient",
        ),
        (
            "hidden target",
            vec![entry("POST", "Observation", &refers, "")],
            422,
            "reference-refused",
        ),
        (
            "no target",
            vec![entry("POST", "Observation", &refers_to_none, "")],
            422,
            "reference-refused",
        ),
        (
            "conditional target",
            vec![entry("POST", "Observation", &conditional, "")],
            412,
            "condition-ambiguous",
        ),
        (
            "label",
            vec![entry("PUT", "Observation/a-marked", &bare_labels, "")],
            403,
            "write-refused",
        ),
        (
            "out of scope",
            vec![entry("GET", "Condition?patient=a", "", "")],
            403,
            "scope-insufficient",
        ),
        (
            "governance",
            vec![entry("POST", "Consent", r#"{"resourceType":"Consent"}"#, "")],
            403,
            "server-owned",
        ),
        (
            "invalid",
            vec![entry("POST", "Observation", &lab("", "a", "5").replace("final", "done"), "")],
            422,
            "resource-invalid",
        ),
        (
            "twice",
            vec![
                entry("DELETE", "Observation/a-lab", "", ""),
                entry("DELETE", "Observation/a-lab", "", ""),
            ],
            409,
            "conflict",
        ),
        (
            "stale",
            vec![entry(
                "PUT",
                "Observation/a-lab",
                &lab("a-lab", "a", "5"),
                r#","ifMatch":"W/\"9\"""#,
            )],
            412,
            "version-mismatch",
        ),
        (
            "operation",
            vec![entry("GET", "Observation/$stats", "", "")],
            404,
            "operation-not-offered",
        ),
    ];
    let marked = gateway_cases::observation(
        "a-marked",
        "a",
        LAB,
        "4548-4",
        "6.10",
        "2026-02-01",
        r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]}"#,
    );
    let start = async |resources: Vec<String>| {
        let asking = Asking::over(&resources).await;
        asking.world.load(&[marked.clone(), lab("a-gone", "a", "9")]).await.unwrap();
        asking.world.remove("Observation", "a-gone").await.unwrap();
        asking
    };
    let full = start(everything()).await;
    let bare = start(only_visible()).await;
    for (what, mut entries, status, code) in cases {
        entries.insert(0, good());
        let before = full.count().await;
        let (one, two) = (
            full.bundle("transaction", &entries).await,
            bare.bundle("transaction", &entries).await,
        );
        assert_eq!(
            (one.status.as_u16(), one.code().as_str()),
            (status, code),
            "{what}: {}",
            text(&one)
        );
        assert_eq!(one.fingerprint(), two.fingerprint(), "{what}");
        let place = one.json()["issue"][0]["expression"][0].as_str().unwrap_or("").to_owned();
        let bad = if what == "twice" { 2 } else { 1 };
        assert!(place.starts_with(&format!("Bundle.entry[{bad}]")), "{what}: {place}");
        assert_eq!(full.count().await, before, "{what}: nothing was written");
    }
    // What one entry deletes, another one neither finds nor refers to (FHIR R4 http.html#trules).
    let found = r#","ifNoneExist":"_id=a-lab""#;
    let refers_to_own = refers.replace("b-lab", "a-lab");
    for (other, code) in [
        (entry("POST", "Observation", &without_id(&lab("", "a", "5")), found), "conflict"),
        (entry("POST", "Observation", &refers_to_own, ""), "reference-refused"),
    ] {
        let before = full.count().await;
        let reply = full
            .bundle("transaction", &[entry("DELETE", "Observation/a-lab", "", ""), other])
            .await;
        assert_eq!(reply.code(), code, "{}", text(&reply));
        assert_eq!(full.count().await, before);
    }
    // Criteria that match hidden records only do not stop a create.
    let exists = r#","ifNoneExist":"_id=b-lab""#;
    let entries = [good(), entry("POST", "Observation", &without_id(&lab("", "a", "6")), exists)];
    let (one, two) =
        (full.bundle("transaction", &entries).await, bare.bundle("transaction", &entries).await);
    assert_eq!(statuses(&one), ["201", "201"]);
    assert_eq!(statuses(&two), ["201", "201"]);
    let log = full.world.accesses().await.unwrap();
    assert!(log.iter().any(|entry| entry.outcome == AuditOutcome::Denied
        && entry.patients.iter().any(|patient| patient.as_str() == "b")));
}

// Covers: design P2, P3
#[tokio::test]
async fn without_a_log_or_a_choice_nothing_of_a_transaction_is_done() {
    let asking = Asking::over(&everything()).await;
    let entries = [
        entry("POST", "Observation", &without_id(&lab("", "a", "5")), ""),
        entry("DELETE", "Observation/a-lab", "", ""),
    ];
    let before = asking.count().await;
    asking.world.faults.fail_commits(true);
    let reply = asking.bundle("transaction", &entries).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "audit-unavailable")
    );
    asking.world.faults.fail_commits(false);
    assert_eq!(asking.count().await, before);
    asking.world.stop_sharing(&asking.access).await.unwrap();
    let reply = asking.bundle("transaction", &entries).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    let again = asking.world.share("bill-helper", &terms(NARROW)).await.unwrap();
    let asking = Asking { access: again, ..asking };
    assert_eq!(asking.count().await, before);
    let reply = asking.bundle("transaction", &entries).await;
    assert_eq!(statuses(&reply), ["201", "204"]);
    assert_eq!(asking.count().await, before);
}

/// Conditional creates at the same time: one of them creates.
// Covers: FHIR R4 http.html#ccreate
#[tokio::test]
async fn conditional_creates_at_once_make_one_resource_and_nobody_waits_for_ever() {
    let asking = std::sync::Arc::new(Asking::over(&everything()).await);
    let exists = r#","ifNoneExist":"identifier=urn:lab|8""#;
    let one = entry("POST", "Observation", &without_id(&lab("", "a", "8")), exists);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (asking, one) = (std::sync::Arc::clone(&asking), one.clone());
        running.spawn(async move {
            let kind = if number % 2 == 0 { "batch" } else { "transaction" };
            let reply = asking.bundle(kind, &[one]).await;
            assert_eq!(reply.status, StatusCode::OK, "{}", text(&reply));
            statuses(&reply).remove(0)
        });
    }
    let mut created: Vec<String> = running.join_all().await;
    created.sort();
    assert_eq!(created, ["200", "200", "200", "200", "200", "200", "200", "201"]);
}

// Covers: FHIR R4 resource-operation-validate.html
#[tokio::test]
async fn validate_says_what_is_wrong_with_the_callers_own_resource() {
    let asking = Asking::over(&everything()).await;
    let ask = async |path: &str, body: String| asking.send(Method::POST, path, &[JSON], body).await;
    let good = ask("Observation/$validate", lab("", "a", "1")).await;
    assert_eq!((good.status, good.code().as_str()), (StatusCode::OK, "valid"), "{}", text(&good));
    assert_eq!(good.json()["issue"][0]["severity"], "information");
    let bad = lab("", "b", "1")
        .replace("final", "done")
        .replace(r#""valueQuantity""#, r#""valueQuantum""#);
    let bad = ask("Observation/$validate", bad).await;
    assert_eq!((bad.status, bad.code().as_str()), (StatusCode::OK, "resource-invalid"));
    let faults = text(&bad);
    assert!(faults.contains("Observation.status") && faults.contains("valueQuantum"), "{faults}");
    assert!(!faults.contains("done"), "no value is repeated: {faults}");
    let inside = |more: &str| {
        let resource = lab("", "a", "1");
        format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"resource","resource":{resource}}}{more}]}}"#
        )
    };
    let base = "http://hl7.org/fhir/StructureDefinition/Observation";
    for (more, code) in [
        (String::new(), "valid"),
        (r#",{"name":"mode","valueCode":"create"}"#.to_owned(), "valid"),
        (format!(r#",{{"name":"profile","valueUri":"{base}"}}"#), "valid"),
        (r#",{"name":"mode","valueCode":"delete"}"#.to_owned(), "parameter-refused"),
        (format!(r#",{{"name":"profile","valueUri":"{base}x"}}"#), "parameter-refused"),
        (r#",{"name":"other","valueCode":"x"}"#.to_owned(), "parameter-refused"),
    ] {
        assert_eq!(ask("Observation/$validate", inside(&more)).await.code(), code, "{more}");
    }
    let none = r#"{"resourceType":"Parameters"}"#.to_owned();
    assert_eq!(ask("Observation/$validate", none).await.code(), "parameter-refused");
    let other = r#"{"resourceType":"Patient"}"#.to_owned();
    assert_eq!(ask("Observation/$validate", other).await.code(), "body-mismatch");
    // Whoever cannot read a type has no business there.
    let refused = ask("Condition/$validate", r#"{"resourceType":"Condition"}"#.to_owned()).await;
    assert_eq!(refused.code(), "scope-insufficient");
    let before = asking.count().await;
    ask("Observation/$validate", lab("", "a", "1")).await;
    assert_eq!(asking.count().await, before, "nothing is stored");
    let log = asking.world.accesses().await.unwrap();
    assert!(log.iter().any(|entry| entry.action == "operation" && entry.released == 0));
}
