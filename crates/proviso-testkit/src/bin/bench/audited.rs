//! Reads of the embedded store, each of which waits for its durable entry, against bare group
//! commits by as many waiters.

use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::floor::group_commit;
use proviso_testkit::bench::hello::Hello;
use proviso_testkit::bench::load::Shot;
use proviso_testkit::bench::table::Unit;
use proviso_testkit::http_client::HttpClient;

use crate::Bench;
use crate::served::{Connection, READING, embedded, process_of};

const AT_A_TIME: [usize; 3] = [1, 16, 64];
const HELLO: &str = "hello on the same HTTP stack";

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let server = embedded(bench).await?;
    let connection = Connection::of(&server.origin, "maria", READING).await?;
    let bearer = connection.bearer();
    let headers = [("authorization", bearer.as_str())];
    let url = format!("{}/Patient/{}", connection.app.base(), connection.patient());
    let answer = HttpClient::default().get(&url, &headers).await?;
    anyhow::ensure!(answer.status == 200, "{url}: {}", answer.text());
    let hello = Hello::start(answer.body.len()).await?;
    bench.cores.place(hello.id)?;
    let floor = bench.folder().join("floor.db");
    let process = [process_of(&server)?];

    let notes = [
        "the floor writes one row of 1 KiB with the store's SQLite settings; it neither decides nor \
         signs a checkpoint"
            .to_owned(),
    ];
    let (mut raw, path) = (Vec::new(), &floor);
    // A table for each, so that a disk that is restless for one does not hide the others.
    for waiters in AT_A_TIME {
        let greeting = vec![Shot::get(&hello.url, &headers)];
        let shots = vec![Shot::get(&url, &headers)];
        let contestants = vec![
            Contestant::own("bare group commit by as many", move |time| {
                Box::pin(group_commit(path, waiters, time))
            }),
            Contestant::http("audited read", shots, waiters, &process).cpu_against(HELLO),
            Contestant::http(HELLO, greeting, waiters, &[hello.id]).cpu_against(HELLO),
        ];
        let title = format!(
            "reads from the embedded store, {waiters} at a time, each waits for its durable entry"
        );
        let told = contest(&title, Unit::PerSecond, &notes, bench.pace, contestants).await?;
        raw.push(told.raw);
    }
    server.interrupt().await?;
    Ok(raw)
}
