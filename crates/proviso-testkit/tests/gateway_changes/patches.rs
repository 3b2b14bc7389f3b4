//! Patches and updates: what they may cost, and that they tell nothing of what may not be read.

use super::*;

/// A short patch that copies what it copied would fill the memory of the machine.
// Covers: RFC 5789 §2.2; design §7 writes
#[tokio::test]
async fn a_patch_that_makes_too_much_is_refused_however_it_comes() {
    let mut resources = everything();
    let large = format!(
        r#","language":"en","text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>"}}"#,
        "x".repeat(700_000)
    );
    resources.push(gateway_cases::observation(
        "a-large",
        "a",
        LAB,
        "4548-4",
        "6.10",
        "2026-02-01",
        &large,
    ));
    let asking = Asking::over(&resources).await;
    let list = |first: &str, again: &str, count: usize| {
        let mut operations = vec![again; count];
        operations.insert(0, first);
        format!("[{}]", operations.join(","))
    };
    let note =
        format!(r#"{{"op":"add","path":"/note","value":[{{"text":"{}"}}]}}"#, "x".repeat(1000));
    let copies = list(&note, r#"{"op":"copy","from":"/note","path":"/note/-"}"#, 24);
    let replace = r#"{"op":"replace","path":"/status","value":"amended"}"#;
    for (id, patch, code) in [
        ("a-lab", copies, "body-too-large"),
        ("a-large", list(replace, replace, 99), "patch-too-costly"),
        ("a-lab", list(replace, replace, 100), "patch-too-costly"),
        ("a-large", list(replace, replace, 1), ""),
        ("a-lab", list(replace, replace, 99), ""),
    ] {
        let (status, code) =
            if code.is_empty() { (200, String::new()) } else { (413, code.to_owned()) };
        let told = |reply: &Reply| {
            let code = if reply.status.is_success() { String::new() } else { reply.code() };
            (reply.status.as_u16(), code)
        };
        let path = format!("Observation/{id}");
        let by_id = asking.send(Method::PATCH, &path, &[PATCH], patch.clone()).await;
        assert_eq!(told(&by_id), (status, code.clone()), "{}", by_id.body.len());
        let criteria = format!("Observation?_id={id}");
        let found = asking.send(Method::PATCH, &criteria, &[PATCH], patch.clone()).await;
        assert_eq!(told(&found), (status, code.clone()));
        let entries = [entry("PATCH", &path, &binary(&patch), "")];
        let batch = asking.bundle("batch", &entries).await;
        assert_eq!(statuses(&batch), [status.to_string()]);
        let transaction = asking.bundle("transaction", &entries).await;
        assert_eq!(told(&transaction), (status, code));
    }
}

const TO_LABORATORY: &str = r#"[{"op":"add","path":"/category/-","value":{"coding":[
    {"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}}]"#;

/// A result as it is written, with nothing in it that its writer could not see.
fn vital(id: &str, value: &str, more: &str) -> String {
    gateway_cases::observation(id, "a", "vital-signs", "8867-4", value, "2026-01-01", more)
}

impl Asking {
    async fn with_scopes(resources: &[String], scopes: &'static str) -> Self {
        let world = World::embedded().await.unwrap();
        world.load(resources).await.unwrap();
        let mut wide = terms(NARROW);
        wide.categories = wide.categories.with(proviso_core::category::Category::Vitals);
        wide.scopes = scopes;
        let access = world.share("bill-helper", &wide).await.unwrap();
        Self { world, access }
    }

    /// The answers to one patch by id, in a batch and in a transaction: status and code.
    async fn patched_each_way(&self, id: &str, patch: &str) -> [(String, String); 3] {
        let path = format!("Observation/{id}");
        let by_id = self.send(Method::PATCH, &path, &[PATCH], patch).await;
        let entries = [entry("PATCH", &path, &binary(patch), "")];
        let batch = self.bundle("batch", &entries).await;
        let transaction = self.bundle("transaction", &entries).await;
        let single = |reply: &Reply| {
            let refused = !reply.status.is_success();
            let code = if refused { reply.code() } else { String::new() };
            (reply.status.as_str().to_owned(), code)
        };
        let outcome = &batch.json()["entry"][0]["response"]["outcome"];
        let code = &outcome["issue"][0]["details"]["coding"][0]["code"];
        let in_batch = (statuses(&batch).remove(0), code.as_str().unwrap_or_default().to_owned());
        [single(&by_id), in_batch, single(&transaction)]
    }
}

/// Nothing in the answer tells what was there.
fn tells_nothing(reply: &Reply) {
    assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0), "{}", text(reply));
    assert!(!reply.headers.contains_key("etag") && !reply.headers.contains_key("last-modified"));
}

/// A patch tells by its answer what it was applied to, so it is for those who may read.
// Covers: SMART App Launch 2.2 "Scopes for requesting FHIR Resources"; design §7 writes; leak 94
#[tokio::test]
async fn a_patch_needs_a_scope_that_reads() {
    let asking = Asking::with_scopes(&everything(), "patient/Observation.us").await;
    for value in ["final", "amended"] {
        let test = format!(r#"[{{"op":"test","path":"/status","value":"{value}"}}]"#);
        let refused = ("403".to_owned(), "scope-insufficient".to_owned());
        for id in ["a-lab", "never"] {
            let all = asking.patched_each_way(id, &test).await;
            assert_eq!(all, [refused.clone(), refused.clone(), refused.clone()], "{value} {id}");
        }
        let found = asking.send(Method::PATCH, "Observation?_id=a-lab", &[PATCH], test).await;
        assert_eq!(found.code(), "scope-insufficient");
        let challenge = found.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.ends_with(r#"scope="patient/Observation.r""#), "{challenge}");
    }
    let asking = Asking::with_scopes(&everything(), "patient/Observation.ru").await;
    let good = ("200".to_owned(), String::new());
    let test = r#"[{"op":"test","path":"/status","value":"final"}]"#;
    assert_eq!(asking.patched_each_way("a-lab", test).await, [good.clone(), good.clone(), good]);
}

/// Two scopes, one wide for changes and one narrow for reading: a patch is for what both reach.
// Covers: SMART App Launch 2.2 granular scopes; design §7 writes; leaks 87, 94
#[tokio::test]
async fn what_may_be_changed_and_not_read_is_no_target_of_a_patch() {
    const NARROW_READ: &str = "patient/Observation.u patient/Observation.rs?category=\
        http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    // Found by criteria, and still not to be read.
    const NARROW_READ_WIDE_SEARCH: &str = "patient/Observation.us patient/Observation.r?category=\
        http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let right = r#"[{"op":"test","path":"/valueQuantity/value","value":99.99}]"#;
    let wrong = r#"[{"op":"test","path":"/valueQuantity/value","value":1}]"#;
    for scopes in [NARROW_READ, NARROW_READ_WIDE_SEARCH] {
        let asking = Asking::with_scopes(&everything(), scopes).await;
        let missing = ("404".to_owned(), "not-found".to_owned());
        let missing = [missing.clone(), missing.clone(), missing];
        for patch in [right, wrong, TO_LABORATORY] {
            assert_eq!(asking.patched_each_way("a-vital", patch).await, missing, "{patch}");
            assert_eq!(asking.patched_each_way("never", patch).await, missing, "{patch}");
            let found =
                asking.send(Method::PATCH, "Observation?_id=a-vital", &[PATCH], patch).await;
            assert_eq!(found.code(), "not-found", "{patch}");
        }
        let hidden = asking.world.get(&asking.access.token, "Observation/a-vital").await.unwrap();
        assert_eq!(hidden.code(), "not-found");
        // What both scopes reach is patched, and comes back.
        let lab = asking.send(Method::PATCH, "Observation/a-lab", &[PATCH], TO_LABORATORY).await;
        assert_eq!(lab.status, StatusCode::OK, "{}", text(&lab));
        assert_eq!(lab.headers["etag"], "W/\"2\"");
        assert!(lab.headers.contains_key("last-modified") && text(&lab).contains("7.20"));
        let good = ("200".to_owned(), String::new());
        let test = r#"[{"op":"test","path":"/status","value":"final"}]"#;
        let all = asking.patched_each_way("a-lab", test).await;
        assert_eq!(all, [good.clone(), good.clone(), good]);
    }
}

/// Whoever writes over what it may not read hears nothing of it, and does not open it.
// Covers: SMART App Launch 2.2 granular scopes; design §7 writes; leaks 91, 94
#[tokio::test]
async fn an_update_of_what_may_not_be_read_tells_nothing_and_opens_nothing() {
    const WIDE_UPDATE: &str = "patient/Observation.us patient/Observation.r?category=\
        http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let mut resources = everything();
    let member = |id: &str| format!(r#","hasMember":[{{"reference":"Observation/{id}"}}]"#);
    resources.push(vital("a-panel", "1", &member("a-vital")));
    let asking = Asking::with_scopes(&resources, WIDE_UPDATE).await;
    let put = async |path: &str, body: String, more: &[(&str, &str)]| {
        let headers: Vec<_> = std::iter::once(JSON).chain(more.iter().copied()).collect();
        asking.send(Method::PUT, path, &headers, body).await
    };
    // As it is, changed, and changed once more: the answers are the same.
    for value in ["99.99", "1.00", "2.00", "2.00"] {
        tells_nothing(&put("Observation/a-vital", vital("a-vital", value, ""), &[]).await);
        tells_nothing(&put("Observation?_id=a-vital", vital("a-vital", value, ""), &[]).await);
        let whole = [entry("PUT", "Observation/a-vital", &vital("a-vital", value, ""), "")];
        for kind in ["batch", "transaction"] {
            let reply = asking.bundle(kind, &whole).await;
            assert_eq!(statuses(&reply), ["200"], "{}", text(&reply));
            let only = &reply.json()["entry"][0];
            assert!(only.get("resource").is_none(), "{only}");
            let told = only["response"].as_object().unwrap();
            assert!(!told.contains_key("etag") && !told.contains_key("lastModified"), "{only}");
        }
    }
    // It does not become readable, and no reference is known but those the writer sees.
    let opened = |id: &str| lab(id, "a", "1");
    for (body, status, code) in [
        (opened("a-panel"), 403, "write-refused"),
        (vital("a-panel", "1", &member("a-vital")), 422, "reference-refused"),
        (vital("a-panel", "1", &member("a-hiv")), 422, "reference-refused"),
        (vital("a-panel", "1", &member("never")), 422, "reference-refused"),
    ] {
        let by_id = put("Observation/a-panel", body.clone(), &[]).await;
        assert_eq!((by_id.status.as_u16(), by_id.code().as_str()), (status, code), "{body}");
        let found = put("Observation?_id=a-panel", body.clone(), &[]).await;
        assert_eq!((found.status.as_u16(), found.code().as_str()), (status, code), "{body}");
        let entries = [entry("PUT", "Observation/a-panel", &body, "")];
        let together = asking.bundle("transaction", &entries).await;
        assert_eq!((together.status.as_u16(), together.code().as_str()), (status, code), "{body}");
    }
    // A version that has to match would tell which one it is: right, wrong, nobody's, all the same.
    for (id, version) in [("a-panel", 1), ("a-panel", 9), ("never", 1)] {
        let tag = format!("W/\"{version}\"");
        let body = vital(id, "1", "");
        let by_id = put(&format!("Observation/{id}"), body.clone(), &[("if-match", &tag)]).await;
        assert_eq!(by_id.code(), "not-found", "{id} {version}");
        let if_match = format!(r#","ifMatch":"W/\"{version}\"""#);
        let entries = [
            entry("PUT", &format!("Observation/{id}"), &body, &if_match),
            entry("PUT", "Observation/a-lab", &lab("a-lab", "a", "1"), r#","ifMatch":"W/\"9\"""#),
        ];
        let together = asking.bundle("transaction", &entries).await;
        assert_eq!(together.code(), "not-found", "{id} {version}");
        if id == "a-panel" {
            let criteria = "Observation?_id=a-panel";
            let found = put(criteria, body, &[("if-match", &tag)]).await;
            assert_eq!(found.code(), "not-found", "{version}");
        }
    }
    // Those who can read have the version before and after.
    let stale = put("Observation/a-lab", lab("a-lab", "a", "1"), &[("if-match", "W/\"9\"")]).await;
    assert_eq!(stale.code(), "version-mismatch");
    let good = put("Observation/a-lab", lab("a-lab", "a", "1"), &[("if-match", "W/\"1\"")]).await;
    assert_eq!((good.status, good.headers["etag"].as_bytes()), (StatusCode::OK, &b"W/\"2\""[..]));
    assert!(text(&good).contains("6.10") && good.headers.contains_key("last-modified"));
}

/// A FHIRPath Patch, however it comes, does what the JSON Patch of the same meaning does.
// Covers: FHIR R4 http.html#patch, fhirpatch.html
#[tokio::test]
async fn a_fhirpath_patch_is_a_patch() {
    let asking = Asking::over(&everything()).await;
    let replace = |path: &str, value: &str| {
        format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"operation","part":[
{{"name":"type","valueCode":"replace"}},{{"name":"path","valueString":"{path}"}},
{{"name":"value",{value}}}]}}]}}"#
        )
    };
    let amended = replace("Observation.status", r#""valueCode":"amended""#);
    let status = async || {
        let read = asking.world.get(&asking.access.token, "Observation/a-lab").await.unwrap();
        read.json()["status"].as_str().unwrap().to_owned()
    };
    let by_id = asking.send(Method::PATCH, "Observation/a-lab", &[JSON], amended.as_str()).await;
    assert_eq!(by_id.status, StatusCode::OK, "{}", text(&by_id));
    assert_eq!(by_id.json()["status"], "amended");
    for (kind, to) in [("batch", "final"), ("transaction", "corrected")] {
        let patch = replace("Observation.status", &format!(r#""valueCode":"{to}""#));
        let reply = asking.bundle(kind, &[entry("PATCH", "Observation/a-lab", &patch, "")]).await;
        assert_eq!(statuses(&reply), ["200"], "{}", text(&reply));
        assert_eq!(status().await, to);
    }
    let found =
        asking.send(Method::PATCH, "Observation?_id=a-lab", &[JSON], amended.as_str()).await;
    assert_eq!(found.status, StatusCode::OK, "{}", text(&found));
    // What would come of it has to conform, and what is hidden is as if it were not there.
    let wrong = replace("Observation.status", r#""valueCode":"nonsense""#);
    let refused = asking.send(Method::PATCH, "Observation/a-lab", &[JSON], wrong).await;
    assert_eq!(refused.code(), "resource-invalid", "{}", text(&refused));
    let moved = replace("Observation.subject", r#""valueReference":{"reference":"Patient/b"}"#);
    let refused = asking.send(Method::PATCH, "Observation/a-lab", &[JSON], moved).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", text(&refused));
    let hidden = asking.send(Method::PATCH, "Observation/a-hiv", &[JSON], amended.as_str()).await;
    let never = asking.send(Method::PATCH, "Observation/never", &[JSON], amended.as_str()).await;
    assert_eq!(hidden.fingerprint(), never.fingerprint());
    let none =
        asking.send(Method::PATCH, "Observation/a-lab", &[JSON], r#"{"resourceType":"Basic"}"#);
    assert_eq!(none.await.code(), "patch-invalid");
    assert_eq!(status().await, "amended");
}
