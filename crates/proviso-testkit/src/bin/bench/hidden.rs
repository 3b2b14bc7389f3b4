//! Whether the time of an answer tells a record that is hidden from one that never was (leak 4).
//!
//! Reads of both take turns, one at a time, over one connection, first the one and then the other
//! and the other way round. What is told is how far the two distributions are apart
//! (Kolmogorov-Smirnov) and by how much they would have to be for chance to be ruled out.

use http::{Method, StatusCode};
use proviso_testkit::bench::load::now;
use proviso_testkit::http_client::HttpClient;

use crate::Bench;
use crate::served::{Connection, READING, embedded};

/// How often each is read.
const READS: usize = 10_000;
/// Reads before any is counted.
const WARM_UP: usize = 500;
/// How many records of each kind take turns.
const RECORDS: usize = 40;
/// The factor of `sqrt((n + m) / nm)` from which on chance is ruled out at 1 in 100.
const FACTOR: f64 = 1.628;

/// What is compared with ids that never were.
struct Kind {
    name: &'static str,
    /// Ids of it, and ids of the same length that nothing ever had.
    there: fn(usize) -> String,
    never: fn(usize) -> String,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "another patient's",
        there: |number| format!("Observation/james-observation-{number}"),
        never: |number| format!("Observation/jamez-observation-{number}"),
    },
    // The first of the two again: how far apart two halves of the same are, by chance.
    Kind {
        name: "two halves of what never was",
        there: |number| format!("Observation/jamey-observation-{number}"),
        never: |number| format!("Observation/jamez-observation-{number}"),
    },
];

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let server = embedded(bench).await?;
    let james = Connection::of(&server.origin, "james", READING).await?;
    let (owner, base) = (james.bearer(), james.app.base());
    let client = HttpClient::default();
    let get = async |bearer: &str, path: &str| {
        let headers = [("authorization", bearer)];
        let url = format!("{base}/{path}");
        let started = now();
        let answer = client.send(Method::GET, &url, &headers, String::new()).await?;
        anyhow::Ok((answer.status, started.elapsed().as_nanos()))
    };
    let mut raw = Vec::new();
    println!("\nreads of what is hidden and of what never was, one at a time");
    for kind in &KINDS {
        let numbers: Vec<usize> = (1..=RECORDS).collect();
        if kind.name == KINDS[0].name {
            for number in &numbers {
                let (status, _) = get(&owner, &(kind.there)(*number)).await?;
                anyhow::ensure!(status == StatusCode::OK, "{number} is not there: {status}");
            }
        }
        // All of one kind are read within the five minutes that a token lives.
        let maria = Connection::of(&server.origin, "maria", READING).await?;
        let stranger = maria.bearer();
        let (mut there, mut never) = (Vec::new(), Vec::new());
        for turn in 0..READS + WARM_UP {
            let number = numbers[turn % RECORDS];
            let both = [(kind.there)(number), (kind.never)(number)];
            let first = (turn / RECORDS) % 2;
            for which in [first, 1 - first] {
                let (status, nanos) = get(&stranger, &both[which]).await?;
                anyhow::ensure!(status == StatusCode::NOT_FOUND, "{}: {status}", both[which]);
                if turn >= WARM_UP {
                    if which == 0 { &mut there } else { &mut never }.push(nanos);
                }
            }
        }
        raw.push(tell(kind.name, there, never));
    }
    server.interrupt().await?;
    Ok(raw)
}

fn tell(name: &str, mut there: Vec<u128>, mut never: Vec<u128>) -> serde_json::Value {
    there.sort_unstable();
    never.sort_unstable();
    let apart = distance(&there, &never);
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let (n, m) = (there.len() as f64, never.len() as f64);
    let limit = FACTOR * ((n + m) / (n * m)).sqrt();
    let verdict = if apart > limit { "can be told" } else { "no more than chance" };
    let at = |all: &[u128], hundredth: usize| all[(all.len() - 1) * hundredth / 100] / 1_000;
    println!(
        "  {name:<32} median {:>5} us against {:>5}, 95 % {:>5} against {:>5}, apart {apart:.4} \
         (limit {limit:.4}): {verdict}",
        at(&there, 50),
        at(&never, 50),
        at(&there, 95),
        at(&never, 95),
    );
    serde_json::json!({
        "title": format!("time of a hidden read: {name}"),
        "reads": there.len(),
        "median_us": [at(&there, 50), at(&never, 50)],
        "p95_us": [at(&there, 95), at(&never, 95)],
        "apart": apart,
        "limit": limit,
    })
}

/// The largest difference of two distributions, each sorted.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn distance(one: &[u128], other: &[u128]) -> f64 {
    let share =
        |all: &[u128], at: u128| all.partition_point(|own| *own <= at) as f64 / all.len() as f64;
    one.iter()
        .chain(other)
        .map(|at| (share(one, *at) - share(other, *at)).abs())
        .fold(0.0, f64::max)
}
