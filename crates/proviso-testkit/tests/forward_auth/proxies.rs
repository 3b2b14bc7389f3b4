//! nginx and Envoy, with their examples.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use proviso_testkit::process::free_port;
use tokio::process::{Child, Command};

use super::*;

fn tool(unpacked: &str, name: &str) -> PathBuf {
    let unpacked = root().join("target/tools").join(unpacked);
    if unpacked.is_file() { unpacked } else { name.into() }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A proxy with its example, in a folder of its own; ended when dropped.
struct Proxy {
    _child: Child,
    _folder: tempfile::TempDir,
    origin: String,
}

/// The example with other addresses, in this order: Proviso, the FHIR server, the proxy itself.
fn adapted(example: &str, addresses: [(&str, String); 3]) -> String {
    let mut text = std::fs::read_to_string(root().join("examples").join(example)).unwrap();
    for (from, to) in addresses {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    text
}

impl Proxy {
    async fn nginx(world: &DemoWorld, hospital: u16) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
        let text = adapted(
            "nginx/nginx.conf",
            [
                ("127.0.0.1:8080", world.origin.trim_start_matches("http://").to_owned()),
                ("127.0.0.1:8090", format!("127.0.0.1:{hospital}")),
                ("127.0.0.1:8100", format!("127.0.0.1:{port}")),
            ],
        );
        // Where Debian's nginx keeps what it would otherwise want in /var.
        let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let text = text.replacen("http {", &format!("http {{\n{temp}"), 1);
        std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let mut command = Command::new(tool("nginx/usr/sbin/nginx", "nginx"));
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        // One process, so that none is left when it is ended.
        command.args(["-g", "master_process off;"]);
        Self::start(command, folder, port).await
    }

    async fn envoy(world: &DemoWorld, hospital: u16, example: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
        let (_, proviso) = world.origin.rsplit_once(':').unwrap();
        let text = adapted(
            &format!("envoy/{example}"),
            [
                ("8080", proviso.to_owned()),
                ("8090", hospital.to_string()),
                ("8100", port.to_string()),
            ],
        );
        let file = folder.path().join("envoy.yaml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(tool("envoy/envoy/_bin/envoy", "envoy"));
        command.arg("-c").arg(file).args(["--use-dynamic-base-id", "--concurrency", "1"]);
        command.args(["--log-level", "error", "--disable-hot-restart"]);
        Self::start(command, folder, port).await
    }

    async fn start(mut command: Command, folder: tempfile::TempDir, port: u16) -> Self {
        let child = command
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the proxies are installed by ./test");
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let within = Duration::from_secs(30);
        tokio::time::timeout(within, listens).await.expect("the proxy does not listen");
        Self { _child: child, _folder: folder, origin: format!("http://127.0.0.1:{port}") }
    }

    async fn get(&self, token: Option<&str>, path: &str) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        HttpClient::default().get(&format!("{}{path}", self.origin), &headers).await.unwrap()
    }
}

/// Envoy writes a path in its plain form before it asks, and forwards what it asked about.
async fn asks_what_it_forwards(world: &DemoWorld, envoy: &Proxy) {
    let (_, tokens) = maria_connected(world).await;
    let answer = envoy.get(Some(tokens.access()), "/fhir/r4/Patient/%6daria").await;
    assert_eq!(answer.text(), "everything about /fhir/r4/Patient/maria");
    let answer = envoy.get(Some(tokens.access()), "/fhir/r4/Patient/j%61mes").await;
    assert_eq!(answer.status, 403);
}

/// Lets through what was permitted and nothing else, and nothing without a decision.
async fn is_strict(world: &DemoWorld, proxy: &Proxy, without_decision: &[u16]) {
    let (app, tokens) = maria_connected(world).await;
    let (seen, hidden) = observations(&app, &tokens).await;
    let token = Some(tokens.access());
    for id in seen.iter().take(3) {
        let path = format!("/fhir/r4/Observation/{id}");
        let answer = proxy.get(token, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.text(), format!("everything about {path}"));
    }
    let refused = hidden.iter().take(3).map(|id| format!("/fhir/r4/Observation/{id}"));
    for path in refused.chain(
        [
            "/fhir/r4/Observation/never-was",
            "/fhir/r4/Observation",
            "/fhir/r4/Observation?patient=maria",
            "/fhir/r4/Patient%2Fmaria",
            "/fhir/r4//Patient/maria",
            "/fhir/r4/Patient/maria/",
        ]
        .map(str::to_owned),
    ) {
        let answer = proxy.get(token, &path).await;
        assert!(matches!(answer.status.as_u16(), 400 | 403 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("everything"), "{path}");
    }
    for token in [None, Some("nonsense")] {
        let answer = proxy.get(token, "/fhir/r4/Patient/maria").await;
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    // No decision, no record.
    world.faults.fail_commits(true);
    let answer = proxy.get(token, "/fhir/r4/Patient/maria").await;
    assert!(without_decision.contains(&answer.status.as_u16()), "{}", answer.status);
    assert!(!answer.text().contains("everything"));
    world.faults.fail_commits(false);
    assert_eq!(proxy.get(token, "/fhir/r4/Patient/maria").await.status, 200);
}

// Covers: consent.md §3.4 (fail closed; proxy and decision see one path)
#[tokio::test]
async fn nginx_lets_through_what_was_permitted_and_nothing_else() {
    let world = DemoWorld::start().await.unwrap();
    let nginx = Proxy::nginx(&world, careless_server().await).await;
    is_strict(&world, &nginx, &[500]).await;
    let (_, tokens) = maria_connected(&world).await;
    for path in ["/fhir/r4/Patient/x/../maria", "/fhir/r4/Patient/%6daria"] {
        let answer = nginx.get(Some(tokens.access()), path).await;
        assert!(matches!(answer.status.as_u16(), 403 | 404), "{}", answer.status);
    }
}

// Covers: consent.md §3.4 (failure_mode_allow off; CVE-2021-29492, envoy#20260)
#[tokio::test]
async fn envoy_over_http_lets_through_what_was_permitted_and_nothing_else() {
    let world = DemoWorld::start().await.unwrap();
    let envoy = Proxy::envoy(&world, careless_server().await, "envoy.yaml").await;
    is_strict(&world, &envoy, &[503]).await;
    asks_what_it_forwards(&world, &envoy).await;
}

// Covers: consent.md §3.4 (Envoy ext_authz over gRPC, failure_mode_allow off)
#[tokio::test]
async fn envoy_over_grpc_lets_through_what_was_permitted_and_nothing_else() {
    let world = DemoWorld::start().await.unwrap();
    let envoy = Proxy::envoy(&world, careless_server().await, "envoy-grpc.yaml").await;
    is_strict(&world, &envoy, &[503]).await;
    asks_what_it_forwards(&world, &envoy).await;
}

// Covers: consent.md §3.4 (where nobody answers, the proxy refuses)
#[tokio::test]
async fn envoy_refuses_where_proviso_does_not_answer() {
    let world = DemoWorld::start().await.unwrap();
    let (_, tokens) = maria_connected(&world).await;
    let hospital = careless_server().await;
    let mut nobody = world;
    nobody.origin = format!("http://127.0.0.1:{}", free_port().unwrap());
    for example in ["envoy.yaml", "envoy-grpc.yaml"] {
        let envoy = Proxy::envoy(&nobody, hospital, example).await;
        let answer = envoy.get(Some(tokens.access()), "/fhir/r4/Patient/maria").await;
        assert_eq!(answer.status, 503, "{example}");
        assert!(!answer.text().contains("everything"));
    }
}
