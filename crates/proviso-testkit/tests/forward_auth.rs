//! A reverse proxy that asks before it forwards: by itself, and nginx with the example as it is
//! written in `examples/nginx`, in front of a server that would hand out everything.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::extract::Request;
use http::Method;
use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::process::free_port;
use proviso_testkit::smart_app::{SmartApp, Tokens};
use tokio::process::{Child, Command};

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
    for (ids, status) in [(&seen, 204), (&hidden, 403)] {
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

fn nginx() -> PathBuf {
    let unpacked =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/nginx/usr/sbin/nginx");
    if unpacked.is_file() { unpacked } else { "nginx".into() }
}

/// nginx with the example, in a folder of its own; ended when dropped.
struct Nginx {
    _child: Child,
    _folder: tempfile::TempDir,
    origin: String,
}

impl Nginx {
    async fn start(world: &DemoWorld, hospital: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/nginx/nginx.conf");
        let text = std::fs::read_to_string(example).unwrap();
        let port = free_port().unwrap();
        let proviso = world.origin.trim_start_matches("http://");
        let mut replaced = text;
        for (from, to) in [
            ("127.0.0.1:8080", proviso.to_owned()),
            ("127.0.0.1:8090", format!("127.0.0.1:{hospital}")),
            ("127.0.0.1:8100", format!("127.0.0.1:{port}")),
        ] {
            assert_eq!(replaced.matches(from).count(), 1, "{from}");
            replaced = replaced.replace(from, &to);
        }
        // Where Debian's nginx keeps what it would otherwise want in /var.
        let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let replaced = replaced.replacen("http {", &format!("http {{\n{temp}"), 1);
        std::fs::write(folder.path().join("nginx.conf"), replaced).unwrap();
        let child = Command::new(nginx())
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            // One process, so that none is left when it is ended.
            .args(["-g", "master_process off;"])
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx is installed by ./test");
        let origin = format!("http://127.0.0.1:{port}");
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let within = Duration::from_secs(30);
        tokio::time::timeout(within, listens).await.expect("nginx does not listen");
        Self { _child: child, _folder: folder, origin }
    }

    async fn get(&self, token: Option<&str>, path: &str) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        HttpClient::default().get(&format!("{}{path}", self.origin), &headers).await.unwrap()
    }
}

// Covers: consent.md §3.4 (fail closed; proxy and decision see one path)
#[tokio::test]
async fn nginx_lets_through_what_was_permitted_and_nothing_else() {
    let world = DemoWorld::start().await.unwrap();
    let (app, tokens) = maria_connected(&world).await;
    let (seen, hidden) = observations(&app, &tokens).await;
    let nginx = Nginx::start(&world, careless_server().await).await;
    let token = Some(tokens.access());
    for id in seen.iter().take(3) {
        let path = format!("/fhir/r4/Observation/{id}");
        let answer = nginx.get(token, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.text(), format!("everything about {path}"));
    }
    let refused = hidden.iter().take(3).map(|id| format!("/fhir/r4/Observation/{id}"));
    for path in refused.chain(
        [
            "/fhir/r4/Observation/never-was",
            "/fhir/r4/Observation",
            "/fhir/r4/Observation?patient=maria",
            "/fhir/r4/Patient/%6daria",
            "/fhir/r4//Patient/maria",
            "/fhir/r4/Patient/maria/",
            "/fhir/r4/Patient/x/../maria",
        ]
        .map(str::to_owned),
    ) {
        let answer = nginx.get(token, &path).await;
        assert!(matches!(answer.status.as_u16(), 403 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("everything"), "{path}");
    }
    for token in [None, Some("nonsense")] {
        let answer = nginx.get(token, "/fhir/r4/Patient/maria").await;
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    // No decision, no record.
    world.faults.fail_commits(true);
    let answer = nginx.get(token, "/fhir/r4/Patient/maria").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("everything"));
}
