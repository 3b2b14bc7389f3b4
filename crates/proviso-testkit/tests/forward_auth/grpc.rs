//! `envoy.service.auth.v3.Authorization/Check`, asked as Envoy asks, and compared with the answers
//! over HTTP.

use std::collections::HashMap;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use proviso_testkit::browser::links;
use proviso_testkit::grpc::{ENVOY_CHECK, envoy as wire, framed};

use super::*;

/// Sends bytes as a call; the message of the answer, if there was one, and the status of gRPC.
#[expect(clippy::disallowed_methods, reason = "plain HTTP/2 for one question of a test")]
async fn call(world: &DemoWorld, body: Bytes) -> (Option<Bytes>, String) {
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    let request = http::Request::post(world.url(ENVOY_CHECK))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(body))
        .unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let in_headers = response.headers().get("grpc-status").cloned();
    let collected = response.into_body().collect().await.unwrap();
    let in_trailers = collected.trailers().and_then(|own| own.get("grpc-status").cloned());
    let status = in_headers.or(in_trailers).unwrap().to_str().unwrap().to_owned();
    let bytes = collected.to_bytes();
    ((bytes.len() >= 5).then(|| bytes.slice(5..)), status)
}

fn question(token: &str, method: &str, path: &str) -> wire::Http {
    wire::Http {
        method: method.to_owned(),
        headers: HashMap::from([
            ("authorization".to_owned(), format!("Bearer {token}")),
            (":path".to_owned(), path.to_owned()),
            ("x-forwarded-proto".to_owned(), "https".to_owned()),
        ]),
        path: path.to_owned(),
        host: "fhir.example".to_owned(),
        size: -1,
        protocol: "HTTP/1.1".to_owned(),
        body: String::new(),
    }
}

async fn asked(world: &DemoWorld, http: wire::Http) -> wire::Answer {
    let request = Some(wire::Network { http: Some(http) });
    let context_extensions = HashMap::from([("route".to_owned(), "fhir".to_owned())]);
    let attributes = Some(wire::Attributes { request, context_extensions });
    let message = wire::Question { attributes }.encode_to_vec();
    let (answer, status) = call(world, framed(0, &message)).await;
    assert_eq!(status, "0");
    wire::Answer::decode(answer.unwrap()).unwrap()
}

/// The status of the answer over HTTP; 200 for a yes.
fn shown(answer: &wire::Answer) -> i32 {
    match (answer.status.as_ref().unwrap().code, &answer.ok, &answer.denied) {
        (0, Some(_), None) => 200,
        (1.., None, Some(denied)) => denied.status.as_ref().unwrap().code,
        _ => panic!("{answer:?}"),
    }
}

// Covers: consent.md §3.4; design §7 (gRPC answers as HTTP does, and hidden is as absent)
#[tokio::test]
async fn over_grpc_a_proxy_is_told_the_same_as_over_http() {
    let world = DemoWorld::start().await.unwrap();
    let (app, tokens) = maria_connected(&world).await;
    let (seen, hidden) = observations(&app, &tokens).await;
    let own = tokens.access().to_owned();
    let mut table: Vec<(String, &str, String)> = Vec::new();
    for id in seen.iter().take(4).chain(hidden.iter().take(4)) {
        table.push((own.clone(), "GET", format!("/fhir/r4/Observation/{id}")));
    }
    for (method, path) in [
        ("GET", "/fhir/r4/Patient/maria"),
        ("HEAD", "/fhir/r4/Patient/maria"),
        ("GET", "/fhir/r4/Patient/james"),
        ("GET", "/fhir/r4/Observation/never-was"),
        ("GET", "/fhir/r4/Observation"),
        ("GET", "/fhir/r4/Observation?patient=maria"),
        ("GET", "/fhir/r4/Patient/maria/$everything"),
        ("GET", "/fhir/r4/Patient/../Patient/maria"),
        ("GET", "/fhir/r4/Patient/%6daria"),
        ("GET", "/fhir/r4/Patient%2Fmaria"),
        ("GET", "/fhir/r4//Patient/maria"),
        ("POST", "/fhir/r4/Patient/maria"),
        ("DELETE", "/fhir/r4/Patient/maria"),
    ] {
        table.push((own.clone(), method, path.to_owned()));
        table.push(("nonsense".to_owned(), method, path.to_owned()));
    }
    let mut statuses = std::collections::BTreeSet::new();
    for (token, method, path) in table {
        let before = world.log_size().await.unwrap();
        let over_http = check(&world, &token, method, &path).await;
        let between = world.log_size().await.unwrap();
        let over_grpc = asked(&world, question(&token, method, &path)).await;
        let after = world.log_size().await.unwrap();
        assert_eq!(shown(&over_grpc), i32::from(over_http.status.as_u16()), "{method} {path}");
        statuses.insert(shown(&over_grpc));
        // P3: both leave the same in the log.
        assert_eq!(between - before, after - between, "{method} {path}");
        let told = over_grpc.denied.map(|denied| denied.headers).unwrap_or_default();
        let told = told.into_iter().filter_map(|given| given.header);
        let authenticate = told.filter(|pair| pair.key == "www-authenticate").map(|own| own.value);
        let expected = over_http.header("www-authenticate").map(str::to_owned);
        assert_eq!(authenticate.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 401, 403]);
}

// Covers: P2 (live revocation), P3 (no log, no yes)
#[tokio::test]
async fn a_yes_over_grpc_ends_with_the_consent_and_needs_the_log() {
    let world = DemoWorld::start().await.unwrap();
    let (_, tokens) = maria_connected(&world).await;
    let ask = || asked(&world, question(tokens.access(), "GET", "/fhir/r4/Patient/maria"));
    let yes = ask().await;
    assert_eq!(shown(&yes), 200);
    let removed = yes.ok.unwrap().headers_to_remove;
    assert!(removed.contains(&"authorization".to_owned()));
    assert!(removed.contains(&"x-http-method-override".to_owned()));

    world.faults.fail_commits(true);
    assert_eq!(shown(&ask().await), 503);
    world.faults.fail_commits(false);
    assert_eq!(shown(&ask().await), 200);

    let mut browser = world.signed_in("maria").await.unwrap();
    browser.go(&world.url("/portal/apps")).await.unwrap();
    let links = links(&browser.page.text());
    let stop = links.into_iter().map(|(_, to)| to).find(|to| to.contains("/stop"));
    browser.go(&world.url(&stop.unwrap())).await.unwrap();
    let form = browser
        .forms()
        .into_iter()
        .find(|form| form.attributes.get("action").is_some_and(|action| action.ends_with("/stop")));
    browser.submit(&form.unwrap(), &[]).await.unwrap();
    assert_eq!(shown(&ask().await), 401);
}

// Covers: consent.md §3.4 (what is not understood is refused)
#[tokio::test]
async fn what_is_no_question_over_grpc_gets_no_yes() {
    let world = DemoWorld::start().await.unwrap();
    let (_, tokens) = maria_connected(&world).await;
    let good = || question(tokens.access(), "GET", "/fhir/r4/Patient/maria");
    assert_eq!(shown(&asked(&world, good()).await), 200);
    let with_body = wire::Http { body: "{}".to_owned(), ..good() };
    assert_eq!(shown(&asked(&world, with_body).await), 403);
    let sized = wire::Http { size: 2, ..good() };
    assert_eq!(shown(&asked(&world, sized).await), 403);
    let mut twice = good();
    let token = tokens.access();
    twice.headers.insert("authorization".to_owned(), format!("Bearer {token},Bearer {token}"));
    assert_eq!(shown(&asked(&world, twice).await), 401);
    let mut bare = good();
    bare.headers.clear();
    assert_eq!(shown(&asked(&world, bare).await), 401);

    let nothing = wire::Question { attributes: None }.encode_to_vec();
    let (answer, status) = call(&world, framed(0, &nothing)).await;
    assert_eq!(status, "0");
    assert_eq!(shown(&wire::Answer::decode(answer.unwrap()).unwrap()), 403);

    let long = wire::Http { host: "x".repeat(200_000), ..good() };
    let request = Some(wire::Network { http: Some(long) });
    let attributes = Some(wire::Attributes { request, ..wire::Attributes::default() });
    let long = framed(0, &wire::Question { attributes }.encode_to_vec());
    for broken in [
        long,
        framed(0, &[0xff; 40]),
        framed(1, &nothing),
        Bytes::from_static(&[0, 0, 0, 0, 9, 1]),
        Bytes::new(),
    ] {
        let (answer, status) = call(&world, broken).await;
        assert_ne!(status, "0");
        assert!(answer.is_none());
    }
}
