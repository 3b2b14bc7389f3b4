//! In front of a FHIR server written by others: the same requests straight to it, through nginx as
//! a plain proxy, and through Proviso.

use std::collections::BTreeSet;

use anyhow::Context as _;
use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::fronts::{Nginx, Upstream};
use proviso_testkit::bench::hello::Hello;
use proviso_testkit::bench::load::Shot;
use proviso_testkit::bench::recorder::Recorder;
use proviso_testkit::bench::table::Unit;
use proviso_testkit::http_client::HttpClient;

use crate::Bench;
use crate::maria::{observations, split};
use crate::served::{Connection, READING, process_of, serve};

const AT_A_TIME: usize = 8;
const STRAIGHT: &str = "straight to the upstream";
const HELLO: &str = "hello on the same HTTP stack";
const NGINX: &str = "nginx, plain proxy";
const PROVISO: &str = "proviso, decided, filtered and logged";
const OWN: &str = "straight, but what the app asks itself";

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let Some(upstream) = Upstream::start().await? else {
        println!("\ngateway: skipped, `tests/upstream` has no npm packages (run `./test` once)");
        return Ok(Vec::new());
    };
    bench.cores.place(upstream.id)?;
    let folder = bench.folder().join("front");
    let nginx = Nginx::start(&upstream.base, &folder).await?;
    if let Some(nginx) = &nginx {
        bench.cores.place(nginx.id)?;
    }
    let paths = ["Patient/maria", "Observation?patient=maria&_count=20"];
    let asked = asked_of_the_upstream(bench, &upstream, &paths).await?;

    let server = serve(bench, &folder, Some(&upstream.base), 0).await?;
    let connection = Connection::of(&server.origin, "maria", READING).await?;
    let expected = Expected::of_maria()?;
    expected.check(&connection, &upstream).await?;
    let front =
        Front { bench, upstream: &upstream, nginx: nginx.as_ref(), connection: &connection };
    let process = process_of(&server)?;
    let mut raw = Vec::new();
    for ((title, path), asked) in
        ["read of one resource", "search of 20 entries"].into_iter().zip(paths).zip(&asked)
    {
        raw.push(front.table(title, path, asked, process).await?);
    }
    expected.check(&connection, &upstream).await?;
    println!(
        "    before and after, the search through the gateway gave exactly {} of {} observations \
         and none of the sensitive ones",
        expected.visible.len(),
        expected.visible.len() + expected.hidden.len()
    );
    server.interrupt().await?;
    Ok(raw)
}

/// What the gateway asks the upstream for each of the app's requests, once it has seen it before.
async fn asked_of_the_upstream(
    bench: &Bench,
    upstream: &Upstream,
    paths: &[&str],
) -> anyhow::Result<Vec<Vec<String>>> {
    let recorder = Recorder::start(&upstream.base).await?;
    let server = serve(bench, &bench.folder().join("front"), Some(&recorder.base), 0).await?;
    let connection = Connection::of(&server.origin, "maria", READING).await?;
    let mut asked = Vec::new();
    for path in paths {
        for _ in 0..3 {
            recorder.take();
            let answer = connection.app.fhir(connection.tokens.access(), path).await?;
            anyhow::ensure!(answer.status == 200, "{path}: {}", answer.text());
        }
        asked.push(recorder.take());
    }
    server.interrupt().await?;
    Ok(asked)
}

struct Front<'a> {
    bench: &'a Bench,
    upstream: &'a Upstream,
    nginx: Option<&'a Nginx>,
    connection: &'a Connection,
}

impl Front<'_> {
    async fn table(
        &self,
        title: &str,
        path: &str,
        asked: &[String],
        process: u32,
    ) -> anyhow::Result<serde_json::Value> {
        let bearer = self.connection.bearer();
        let plain = [("accept", "application/fhir+json")];
        let headers = [("authorization", bearer.as_str()), plain[0]];
        let same = |base: &str| -> Vec<Shot> {
            asked.iter().map(|tail| Shot::get(format!("{base}{tail}"), &plain)).collect()
        };
        let answer = self.connection.app.fhir(self.connection.tokens.access(), path).await?;
        let hello = Hello::start(answer.body.len()).await?;
        self.bench.cores.place(hello.id)?;
        let greeting = vec![Shot::get(&hello.url, &headers)];
        let proxy = if self.nginx.is_some() { NGINX } else { HELLO };
        let own = format!("/{path}");

        let mut contestants = vec![
            Contestant::http(STRAIGHT, same(&self.upstream.base), AT_A_TIME, &[self.upstream.id]),
            Contestant::http(HELLO, greeting, AT_A_TIME, &[hello.id]).cpu_against(proxy),
        ];
        if let Some(nginx) = self.nginx {
            let shots = same(&nginx.base);
            contestants
                .push(Contestant::http(NGINX, shots, AT_A_TIME, &[nginx.id]).cpu_against(proxy));
        }
        let shots = vec![Shot::get(format!("{}{own}", self.connection.app.base()), &headers)];
        contestants
            .push(Contestant::http(PROVISO, shots, AT_A_TIME, &[process]).cpu_against(proxy));
        if asked != [own.clone()] {
            let shots = vec![Shot::get(format!("{}{own}", self.upstream.base), &plain)];
            contestants
                .push(Contestant::http(OWN, shots, AT_A_TIME, &[self.upstream.id]).without_tail());
        }
        let title = format!("{title}, 8 at a time, in front of a FHIR server by others");
        let notes = self.notes(asked);
        let told = contest(&title, Unit::PerSecond, &notes, self.bench.pace, contestants).await?;
        Ok(told.raw)
    }

    /// What is equal and what is not.
    fn notes(&self, asked: &[String]) -> Vec<String> {
        let mut notes = vec![format!(
            "equal: straight, through nginx and through proviso the upstream is asked for the same, \
             {} request(s) one after the other:",
            asked.len()
        )];
        notes.extend(asked.iter().map(|tail| format!("  GET {}", short(tail))));
        notes.push(
            "not equal: a plain proxy neither decides nor logs, and hands out every answer in full \
             with what is hidden; proviso waits for its durable entry"
                .to_owned(),
        );
        notes.push(
            "CPU: of the program alone, for straight the upstream's; a ratio of it is to the proxy's"
                .to_owned(),
        );
        if self.nginx.is_none() {
            notes.push("nginx is not installed: its row is left out".to_owned());
        }
        notes
    }
}

/// A long list of ids says no more than its beginning.
fn short(tail: &str) -> String {
    let start: String = tail.chars().take(96).collect();
    if start.len() < tail.len() { format!("{start}…") } else { start }
}

/// What the search through the gateway must give, made from the records and not by the gateway.
#[derive(Debug)]
struct Expected {
    visible: BTreeSet<String>,
    hidden: BTreeSet<String>,
}

impl Expected {
    fn of_maria() -> anyhow::Result<Self> {
        let (visible, hidden) = split(observations()?);
        Ok(Self { visible, hidden })
    }

    /// A benchmark of a gateway that withholds nothing, or too much, measures something else.
    async fn check(&self, connection: &Connection, upstream: &Upstream) -> anyhow::Result<()> {
        let client = HttpClient::default();
        let straight = format!("{}/Observation?subject=Patient/maria&_count=1000", upstream.base);
        let straight = ids(&client.get(&straight, &[]).await?.json()?);
        let all: BTreeSet<String> = self.visible.union(&self.hidden).cloned().collect();
        anyhow::ensure!(straight == all, "the upstream has other observations than expected");

        let bearer = connection.bearer();
        let headers = [("authorization", bearer.as_str())];
        let base = connection.app.base();
        let mut next = Some(format!("{base}/Observation?patient=maria&_count=20"));
        let (mut seen, mut totals) = (BTreeSet::new(), BTreeSet::new());
        let mut first = true;
        while let Some(url) = next {
            let page = client.get(&url, &headers).await?.json()?;
            let on_page = ids(&page);
            anyhow::ensure!(!first || on_page.len() == 20, "a first page of {}", on_page.len());
            totals.insert(page["total"].as_u64());
            seen.extend(on_page);
            first = false;
            let links = page["link"].as_array().cloned().unwrap_or_default();
            next = links
                .iter()
                .find(|link| link["relation"] == "next")
                .map(|link| link["url"].as_str().context("a link").map(str::to_owned))
                .transpose()?;
        }
        let leaked: Vec<_> = seen.intersection(&self.hidden).collect();
        anyhow::ensure!(leaked.is_empty(), "the gateway hands out hidden records: {leaked:?}");
        let other: Vec<_> = seen.symmetric_difference(&self.visible).collect();
        anyhow::ensure!(other.is_empty(), "handed out or withheld against expectation: {other:?}");
        let total = [u64::try_from(self.visible.len()).ok()].into();
        anyhow::ensure!(totals == total, "totals of {totals:?}, and not {total:?}");
        Ok(())
    }
}

/// The ids of the entries of a Bundle.
fn ids(bundle: &serde_json::Value) -> BTreeSet<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned)).collect()
}
