//! A reverse proxy that asks before it forwards: by itself, over HTTP and over gRPC, and nginx and
//! Envoy with the examples as they are written in `examples`, in front of a server that would hand
//! out everything.

mod grpc;
mod proxies;

use axum::extract::Request;
use http::Method;
use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::smart_app::{SmartApp, Tokens};

const SHARED: &[(&str, &str)] =
    &[("category", "demographics"), ("category", "laboratory"), ("duration", "1-year")];

async fn maria_connected(world: &DemoWorld) -> (SmartApp, Tokens) {
    let app = SmartApp::glucose_coach(&world.origin, "launch/patient patient/*.rs");
    let tokens = app.connect(&mut Browser::new().unwrap(), "maria", SHARED).await.unwrap();
    (app, tokens)
}

async fn check(world: &DemoWorld, token: &str, method: &str, uri: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-original-method", method),
        ("x-original-uri", uri),
    ];
    let url = world.url("/access/v1/http/check");
    HttpClient::default().get(&url, &headers).await.unwrap()
}

async fn envoy(world: &DemoWorld, token: &str, method: Method, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let url = world.url(&format!("/access/v1/http/envoy{path}"));
    HttpClient::default().send(method, &url, &headers, "").await.unwrap()
}

/// The ids of Maria's observations, those that her app sees and those that it does not.
async fn observations(app: &SmartApp, tokens: &Tokens) -> (Vec<String>, Vec<String>) {
    let mut all: Vec<String> = Vec::new();
    for record in proviso::demo::parts(proviso::demo::SEED, 0).flatten() {
        let text = String::from_utf8_lossy(&record.body).into_owned();
        if record.resource_type == "Observation" && text.contains("Patient/maria") {
            all.push(record.id.clone());
        }
    }
    let (mut seen, mut hidden) = (Vec::new(), Vec::new());
    for id in all {
        let read = app.fhir(tokens.access(), &format!("Observation/{id}")).await.unwrap();
        if read.status == 200 { &mut seen } else { &mut hidden }.push(id);
    }
    assert!(seen.len() > 2 && hidden.len() > 2, "{} {}", seen.len(), hidden.len());
    (seen, hidden)
}

// Covers: consent.md §3.4; design §7: the answer is that of a read, and hidden is as absent
#[tokio::test]
async fn a_proxy_is_told_what_a_read_would_have_said() {
    let world = DemoWorld::start().await.unwrap();
    let (app, tokens) = maria_connected(&world).await;
    let (seen, hidden) = observations(&app, &tokens).await;
    let before = world.log_size().await.unwrap();
    for (ids, status) in [(&seen, 200), (&hidden, 403)] {
        for id in ids.iter().take(5) {
            let path = format!("/fhir/r4/Observation/{id}");
            for answer in [
                check(&world, tokens.access(), "GET", &path).await,
                envoy(&world, tokens.access(), Method::GET, &path).await,
            ] {
                assert_eq!(answer.status, status, "{path}");
                assert!(answer.body.is_empty());
                assert_eq!(answer.header("cache-control"), Some("no-store"));
                assert_eq!(answer.header("etag"), None);
            }
        }
    }
    // P3: each of them is in the log.
    let asked = u64::try_from((seen.len().min(5) + hidden.len().min(5)) * 2).unwrap();
    assert_eq!(world.log_size().await.unwrap(), before + asked);

    let absent = check(&world, tokens.access(), "GET", "/fhir/r4/Observation/never-was").await;
    assert_eq!(absent.status, 403);
    let stranger = check(&world, "nonsense", "GET", "/fhir/r4/Patient/maria").await;
    assert_eq!(stranger.status, 401);
    assert!(stranger.header("www-authenticate").unwrap().contains("invalid_token"));
    for (method, uri) in [
        ("POST", "/fhir/r4/Patient/maria"),
        ("GET", "/fhir/r4/Observation?patient=maria"),
        ("GET", "/fhir/r4/Patient/maria/$everything"),
        ("GET", "/fhir/r4/Patient/../Patient/maria"),
        ("GET", "/fhir/r4/Patient/%6daria"),
    ] {
        assert_eq!(check(&world, tokens.access(), method, uri).await.status, 403, "{uri}");
    }
    let encoded = envoy(&world, tokens.access(), Method::GET, "/fhir/r4/Patient/%6daria").await;
    assert_eq!(encoded.status, 403);

    // No log, no yes.
    world.faults.fail_commits(true);
    let answer = check(&world, tokens.access(), "GET", "/fhir/r4/Patient/maria").await;
    assert_eq!(answer.status, 503);
    world.faults.fail_commits(false);
}

/// A FHIR server that hands out everything to everybody.
async fn careless_server() -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let handler = |request: Request| async move {
        assert!(!request.headers().contains_key("authorization"), "the token went on");
        format!("everything about {}", request.uri())
    };
    let router = axum::Router::new().fallback(handler);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}
