//! Changes that name a key of their own (`Idempotency-Key`): asked again, they are not made again.

use super::*;

use proviso_core::audit::AuditKind;
use proviso_testkit::fhir_server::FhirServer;

const KEY: &str = "idempotency-key";

async fn keyed(asking: &Asking, key: &str, method: Method, path: &str, body: &str) -> Reply {
    asking.send(method, path, &[JSON, (KEY, key)], body).await
}

/// The answer but for what is new in each: the id of the request, which the headers have.
fn same(one: &Reply, two: &Reply) {
    assert_eq!(one.fingerprint(), two.fingerprint());
}

// Covers: design §7 writes (`Idempotency-Key`); draft-ietf-httpapi-idempotency-key-header-07 §2.6
#[tokio::test]
async fn a_create_asked_again_makes_nothing_and_answers_the_same() {
    let asking = Asking::over(&only_visible()).await;
    let before = asking.count().await;
    let body = without_id(&lab("", "a", "one"));
    let first = keyed(&asking, "k-1", Method::POST, "Observation", &body).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", text(&first));
    for key in ["k-1", "\"k-1\""] {
        let again = keyed(&asking, key, Method::POST, "Observation", &body).await;
        same(&first, &again);
    }
    assert_eq!(asking.count().await, before + 1);
    let other = keyed(&asking, "k-2", Method::POST, "Observation", &body).await;
    assert_ne!(other.headers["location"], first.headers["location"]);
    assert_eq!(asking.count().await, before + 2);

    // Another request under the same key is a mistake, whatever it differs in.
    for (method, path, body) in [
        (Method::POST, "Observation", without_id(&lab("", "a", "two"))),
        (Method::POST, "Observation?_format=json", body.clone()),
    ] {
        let refused = keyed(&asking, "k-1", method, path, &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.code(), "key-reused");
    }
    assert_eq!(asking.count().await, before + 2);
    // Each answer, those that were given again too, has its entry.
    let log = asking.world.accesses().await.unwrap();
    assert_eq!(log.iter().filter(|entry| entry.status == Some(201)).count(), 4);
}

/// A key is its sender's: another app with the same one is not told of anything.
#[tokio::test]
async fn a_key_belongs_to_one_app_and_person() {
    let asking = Asking::over(&only_visible()).await;
    let other = asking.world.share("bill-helper", &terms(NARROW)).await.unwrap();
    let body = without_id(&lab("", "a", "one"));
    let first = keyed(&asking, "k", Method::POST, "Observation", &body).await;
    let theirs = Asking { world: asking.world, access: other };
    let second = keyed(&theirs, "k", Method::POST, "Observation", &body).await;
    assert_eq!(second.status, StatusCode::CREATED);
    assert_ne!(first.headers["location"], second.headers["location"]);
    let another = without_id(&lab("", "a", "x"));
    let third = keyed(&theirs, "k", Method::POST, "Observation", &another).await;
    assert_eq!(third.code(), "key-reused");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_and_not_before() {
    let mut asking = Asking::over(&only_visible()).await;
    let before = asking.count().await;
    let body = without_id(&lab("", "a", "one"));
    let first = keyed(&asking, "k", Method::POST, "Observation", &body).await;
    asking.world.clock.advance_secs(24 * 60 * 60 - 1);
    let scopes = terms(NARROW).scopes;
    asking.access.token = asking.world.next_token(&asking.access, scopes).await.unwrap();
    same(&first, &keyed(&asking, "k", Method::POST, "Observation", &body).await);
    asking.world.clock.advance_secs(1);
    let later = keyed(&asking, "k", Method::POST, "Observation", &body).await;
    assert_eq!(later.status, StatusCode::CREATED, "{}", text(&later));
    assert_ne!(later.headers["location"], first.headers["location"]);
    assert_eq!(asking.count().await, before + 2);
}

#[tokio::test]
async fn updates_patches_and_deletions_are_made_once() {
    let asking = Asking::over(&only_visible()).await;
    let version = async || {
        let read = asking.world.get(&asking.access.token, "Observation/a-lab").await.unwrap();
        read.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned())
    };
    let changed = lab("a-lab", "a", "changed");
    let first = keyed(&asking, "u", Method::PUT, "Observation/a-lab", &changed).await;
    assert_eq!(first.status, StatusCode::OK, "{}", text(&first));
    let patch = r#"[{"op":"replace","path":"/status","value":"amended"}]"#;
    let patched =
        async || asking.send(Method::PATCH, "Observation/a-lab", &[PATCH, (KEY, "p")], patch).await;
    let amended = patched().await;
    assert_eq!(amended.status, StatusCode::OK, "{}", text(&amended));
    assert_eq!(version().await.as_deref(), Some("W/\"3\""));
    // The answer is that of then, although the resource has gone on.
    same(&first, &keyed(&asking, "u", Method::PUT, "Observation/a-lab", &changed).await);
    same(&amended, &patched().await);
    assert_eq!(version().await.as_deref(), Some("W/\"3\""));

    let delete = async || asking.send(Method::DELETE, "Observation/a-lab", &[(KEY, "d")], "").await;
    let deleted = delete().await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    same(&deleted, &delete().await);
    // What is gone is not told by an older key either.
    let gone = keyed(&asking, "u", Method::PUT, "Observation/a-lab", &changed).await;
    assert_eq!(gone.status, StatusCode::OK);
}

/// A transaction happens once; its reads look again.
// Covers: FHIR R4 http.html#trules
#[tokio::test]
async fn a_transaction_asked_again_happens_once() {
    let asking = Asking::over(&only_visible()).await;
    let before = asking.count().await;
    let entries = [
        linked(
            "urn:uuid:00000000-0000-4000-8000-000000000001",
            &entry("POST", "Observation", &without_id(&lab("", "a", "one")), ""),
        ),
        entry("GET", "Observation?_summary=count", "", ""),
        entry("DELETE", "Observation/a-lab3", "", ""),
        entry(
            "POST",
            "Observation",
            &without_id(&lab("", "a", "two")),
            r#","ifNoneExist":"identifier=urn:lab|two""#,
        ),
        entry("DELETE", "Observation?identifier=urn:lab|none", "", ""),
    ];
    let body = bundle("transaction", &entries);
    let first = keyed(&asking, "t", Method::POST, "", &body).await;
    assert_eq!(statuses(&first), ["201", "200", "204", "201", "204"], "{}", text(&first));
    let again = keyed(&asking, "t", Method::POST, "", &body).await;
    same(&first, &again);
    assert_eq!(asking.count().await, before + 1);
}

/// Who may not see any more what was made is not shown it by asking again.
// Covers: design P2; leak 94
#[tokio::test]
async fn a_key_opens_nothing_that_is_closed_by_now() {
    let asking = Asking::over(&only_visible()).await;
    let body = without_id(&lab("", "a", "one"));
    let first = keyed(&asking, "k", Method::POST, "Observation", &body).await;
    let location = first.headers["location"].to_str().unwrap().to_owned();
    let id = location.split('/').rev().nth(2).unwrap();
    let hiv = r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}"#;
    let restricted = gateway_cases::observation(id, "a", LAB, "4548-4", "6.10", "2026-02-01", hiv);
    asking.world.load(&[restricted]).await.unwrap();
    let again = keyed(&asking, "k", Method::POST, "Observation", &body).await;
    let never = asking.world.get(&asking.access.token, "Observation/never").await.unwrap();
    assert_eq!(again.fingerprint(), never.fingerprint());

    asking.world.stop_sharing(&asking.access).await.unwrap();
    let stopped = keyed(&asking, "k", Method::POST, "Observation", &body).await;
    assert_eq!(stopped.status, StatusCode::UNAUTHORIZED);
}

/// Of several at once with one key, one makes the change; whoever was too early asks again.
#[tokio::test]
async fn at_once_with_one_key_one_change_is_made() {
    let asking = Asking::over(&only_visible()).await;
    let before = asking.count().await;
    let body = without_id(&lab("", "a", "one"));
    let create = async || keyed(&asking, "k", Method::POST, "Observation", &body).await;
    let (a, b, c, d) = tokio::join!(create(), create(), create(), create());
    let mut statuses: Vec<u16> = [a, b, c, d].iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(asking.count().await, before + 1);
    assert_eq!(create().await.status, StatusCode::CREATED);
}

/// Without a log there is no change, and then the key stands for nothing yet.
// Covers: design P3
#[tokio::test]
async fn a_key_whose_change_was_not_made_is_free() {
    let asking = Asking::over(&only_visible()).await;
    let body = without_id(&lab("", "a", "one"));
    let create = async || keyed(&asking, "k", Method::POST, "Observation", &body).await;
    asking.world.faults.fail_commits(true);
    assert_eq!(create().await.status, StatusCode::SERVICE_UNAVAILABLE);
    asking.world.faults.fail_commits(false);
    assert_eq!(create().await.status, StatusCode::CREATED);
    let refused = without_id(&lab("", "b", "one"));
    let denied = keyed(&asking, "r", Method::POST, "Observation", &refused).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    let free = keyed(&asking, "r", Method::POST, "Observation", &body).await;
    assert_eq!(free.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_key_that_is_none_or_where_none_is_taken_is_refused() {
    let asking = Asking::over(&only_visible()).await;
    let body = without_id(&lab("", "a", "one"));
    let long = "k".repeat(256);
    for key in ["", "\"\"", "a\"b", "a\\b", long.as_str()] {
        let refused = keyed(&asking, key, Method::POST, "Observation", &body).await;
        assert_eq!(refused.code(), "header-malformed", "{key}");
    }
    let longest = "k".repeat(255);
    let taken = keyed(&asking, &longest, Method::POST, "Observation", &body).await;
    assert_eq!(taken.status, StatusCode::CREATED);
    let twice = [JSON, (KEY, "a"), (KEY, "b")];
    let refused = asking.send(Method::POST, "Observation", &twice, body.clone()).await;
    assert_eq!(refused.code(), "header-malformed");
    let batch = bundle("batch", &[entry("GET", "Observation/a-lab", "", "")]);
    let refused = keyed(&asking, "k", Method::POST, "", &batch).await;
    assert_eq!(refused.code(), "key-misplaced");
    // Reads are the same however often they are asked.
    let read = asking.send(Method::GET, "Observation/a-lab", &[(KEY, "k")], "").await;
    assert_eq!(read.status, StatusCode::OK);
    let refusals = asking.world.accesses().await.unwrap();
    assert!(refusals.iter().all(|entry| entry.kind == AuditKind::Access));
}

/// A server by URL cannot promise it, so it is not promised.
#[tokio::test]
async fn in_front_of_another_server_keys_are_refused() {
    use proviso_gateway::{GatewaySettings, HttpUpstreamSettings};
    let server = FhirServer::start().await.unwrap();
    server.load(&only_visible()).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    let asking = Asking { world, access };
    let body = without_id(&lab("", "a", "one"));
    let refused = keyed(&asking, "k", Method::POST, "Observation", &body).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::BAD_REQUEST, "key-misplaced")
    );
    let made = asking.send(Method::POST, "Observation", &[JSON], body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", text(&made));
}
