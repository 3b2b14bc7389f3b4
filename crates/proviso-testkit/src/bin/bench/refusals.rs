//! Bodies that must be refused, at full speed: one that is taken ends the run.

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::hello::Hello;
use proviso_testkit::bench::hostile::{bodies, observation};
use proviso_testkit::bench::load::Shot;
use proviso_testkit::bench::table::Unit;
use proviso_testkit::http_client::HttpClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Bench;
use crate::served::{Connection, embedded, process_of};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.rs \
                     patient/Observation.cruds";
const JSON: (&str, &str) = ("content-type", "application/fhir+json");
const AT_A_TIME: usize = 8;
const HELLO: &str = "hello that reads a body of the deepest one's size";
/// Larger than any body that is read.
const TOO_LARGE: usize = 64 * 1024 * 1024;

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let server = embedded(bench).await?;
    let connection = Connection::of(&server.origin, "maria", SCOPE).await?;
    let bearer = connection.bearer();
    let headers = [("authorization", bearer.as_str()), JSON];
    let url = format!("{}/Observation", connection.app.base());
    // What differs from the bodies below in nothing but their fault is taken.
    let client = HttpClient::default();
    let good = observation(connection.patient(), "");
    let taken = client.send(Method::POST, &url, &headers, good).await?;
    anyhow::ensure!(taken.status == 201, "a good body: {} {}", taken.status, taken.text());
    too_large_is_refused(&server.origin, &bearer).await?;
    let before = stored(&client, &connection).await?;

    let hello = Hello::start(512).await?;
    bench.cores.place(hello.id)?;
    let process = [process_of(&server)?];
    let bodies = bodies(connection.patient());
    let largest = bodies.iter().map(|(_, body)| body.len()).max().unwrap_or_default();
    let greeting = Shot::post(&hello.url, &[JSON], Bytes::from(vec![b'x'; largest]), 200);
    let mut contestants = vec![
        Contestant::http(HELLO, vec![greeting], AT_A_TIME, &[hello.id])
            .cpu_against(HELLO)
            .without_tail(),
    ];
    for (name, body) in bodies {
        let shots = vec![Shot::post(&url, &headers, body, 400)];
        contestants.push(
            Contestant::http(format!("refused: {name}"), shots, AT_A_TIME, &process)
                .cpu_against(HELLO)
                .without_tail(),
        );
    }
    let title = "hostile bodies posted to the gateway, 8 at a time; each refusal is logged";
    let told = contest(title, Unit::PerSecond, &[], bench.pace, contestants).await?;
    let after = stored(&client, &connection).await?;
    anyhow::ensure!(after == before, "a refused body was stored: {before} before, {after} after");
    let refused: u64 = told
        .figures
        .iter()
        .flatten()
        .filter(|row| row.name != HELLO)
        .flat_map(|row| &row.passes)
        .map(|pass| pass.count)
        .sum();
    println!("    {refused} refused, none taken, none stored; a body of 64 MiB is refused unread");
    server.interrupt().await?;
    Ok(vec![told.raw])
}

/// How many Observations the app sees.
async fn stored(client: &HttpClient, connection: &Connection) -> anyhow::Result<u64> {
    let base = connection.app.base();
    let url = format!("{base}/Observation?patient={}&_summary=count", connection.patient());
    let bearer = connection.bearer();
    let answer = client.get(&url, &[("authorization", bearer.as_str())]).await?;
    answer.json()?["total"].as_u64().with_context(|| answer.text())
}

/// The server does not wait for the end of a body that says it is too large.
async fn too_large_is_refused(origin: &str, bearer: &str) -> anyhow::Result<()> {
    let address = origin.strip_prefix("http://").context("origin")?;
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let head = format!(
        "POST /fhir/r4/Observation HTTP/1.1\r\nhost: {address}\r\nauthorization: {bearer}\r\n\
         content-type: application/fhir+json\r\ncontent-length: {TOO_LARGE}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut status = [0_u8; 12];
    let read = stream.read_exact(&mut status);
    tokio::time::timeout(std::time::Duration::from_secs(10), read).await??;
    let status = String::from_utf8_lossy(&status).into_owned();
    anyhow::ensure!(status == "HTTP/1.1 413", "a body of 64 MiB: {status}");
    Ok(())
}
