//! TLS: the versions that are spoken, and pairs that cannot be used.

use std::process::Command;
use std::sync::Arc;

use proviso_testkit::process::{Server, free_port};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Ran, World, text};

impl World {
    /// A self-signed certificate for 127.0.0.1 and its key.
    fn certificate(&self, name: &str) -> (String, String) {
        let path = |what: &str| text(&self.folder.path().join(format!("{name}.{what}.pem")));
        let (certificate, key) = (path("certificate"), path("key"));
        let done = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=proviso-test", "-keyout", &key])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out", &certificate])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        (certificate, key)
    }
}

/// One request over one version of TLS.
async fn ask(
    port: u16,
    certificate: &str,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let request = "GET /oauth/jwks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

// Covers: RFC 9325; design P6
#[tokio::test]
async fn the_tls_port_speaks_tls_and_nothing_else() {
    let world = World::new().await;
    let (certificate, key) = world.certificate("own");
    let port = free_port().unwrap();
    let config = world.config(
        "tls.toml",
        &format!(
            "public_url = \"https://127.0.0.1:{port}\"\nlisten = \"127.0.0.1:{port}\"\n\
             log.level = \"error\"\n\
             tls = {{ certificate_file = {certificate:?}, key_file = {key:?} }}"
        ),
    );
    let origin = format!("http://127.0.0.1:{port}");
    let server = Server::start_at(&["serve", "--config", &config], &origin).await.unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let answer = ask(port, &certificate, version).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{version:?}: {answer}");
    }
    // Plain HTTP gets an alert or nothing, and the connection is closed.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain.write_all(b"GET /oauth/jwks HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A reset is as good as a close.
    let closed = plain.read_to_end(&mut answer).await;
    assert!(closed.is_ok() || answer.is_empty());
    assert!(!answer.windows(4).any(|bytes| bytes == b"HTTP"), "plain HTTP was answered");
    // Somebody else's certificate is not accepted as ours: the pair that was configured is used.
    let (foreign, _) = world.certificate("foreign");
    assert!(ask(port, &foreign, &rustls::version::TLS13).await.is_err());
    // Older versions are refused; the client of the system may not even be able to offer them.
    let older = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-tls1_1"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!older.status.success(), "TLS 1.1 is spoken");
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_pair_that_cannot_be_used_is_refused_by_its_key() {
    let world = World::new().await;
    let (certificate, key) = world.certificate("one");
    let (_, other_key) = world.certificate("two");
    let garbage = text(&world.folder.path().join("garbage.pem"));
    std::fs::write(&garbage, "not a PEM file").unwrap();
    for (name, certificate, key, says) in [
        ("foreign", &certificate, &other_key, "do not fit together"),
        ("no-certificate", &garbage, &key, "`tls.certificate_file`"),
        ("no-key", &certificate, &garbage, "`tls.key_file`"),
        ("swapped", &key, &certificate, "`tls.certificate_file`"),
    ] {
        let more = format!("tls = {{ certificate_file = {certificate:?}, key_file = {key:?} }}");
        let config = world.config(&format!("{name}.toml"), &more);
        Ran::of(&["serve", "--config", &config]).await.expect(1).says(says);
        Ran::of(&["doctor", "--config", &config]).await.expect(3).says(says);
    }
    let more = format!("tls = {{ certificate_file = {certificate:?}, key_file = {key:?} }}");
    let config = world.config("good.toml", &more);
    Ran::of(&["doctor", "--config", &config]).await.expect(0).says("fit together");
}
