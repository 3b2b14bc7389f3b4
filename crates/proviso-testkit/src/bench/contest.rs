//! One table of the benchmark: its contestants take turns, and a run whose baseline moved is not
//! told.

use std::pin::Pin;
use std::time::Duration;

use super::cpu_nanos;
use super::load::{Shot, closed_loop, now};
use super::open_loop::open_loop;
use super::table::{Pass, Row, Unit, movement, render};

/// How often a table is measured at most until its baselines hold still.
const ATTEMPTS_MAX: usize = 3;
/// The share of the throughput of the closed loop at which latencies are taken.
const OPEN_LOOP_SHARE: f64 = 0.5;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Passes of each contestant.
    pub passes: usize,
    /// How long a pass takes.
    pub pass_time: Duration,
}

impl Pace {
    /// The same for what runs inside this program, where a pass needs less time for as many
    /// repetitions.
    #[must_use]
    pub fn inside(self) -> Self {
        Self { pass_time: self.pass_time / 4, ..self }
    }
}

/// A future of a contestant.
pub type Turn<'a, T> = Pin<Box<dyn Future<Output = anyhow::Result<T>> + 'a>>;

type Prepare<'a> = Box<dyn Fn() -> Turn<'a, Vec<Shot>> + 'a>;
type Work<'a> = Box<dyn FnMut(Duration) -> Turn<'a, Pass> + 'a>;

/// Where the latency at a fixed rate is taken as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// It is.
    Taken,
    /// It is not: the baseline is no server, or too few requests come for a 99th percentile.
    Left,
}

enum Does<'a> {
    Http { prepare: Prepare<'a>, connections: usize, processes: Vec<u32>, tail: Tail },
    Own(Work<'a>),
}

/// One row of a table.
pub struct Contestant<'a> {
    name: String,
    baseline: Option<String>,
    cpu_baseline: Option<String>,
    does: Does<'a>,
}

impl<'a> Contestant<'a> {
    fn new(name: impl Into<String>, does: Does<'a>) -> Self {
        Self { name: name.into(), baseline: None, cpu_baseline: None, does }
    }

    /// Requests over HTTP; the processor time is that of the processes. The shots of one round
    /// count as one request.
    pub fn http(
        name: impl Into<String>,
        shots: Vec<Shot>,
        connections: usize,
        processes: &[u32],
    ) -> Self {
        let prepare: Prepare<'a> = Box::new(move || {
            let shots = shots.clone();
            Box::pin(async move { Ok(shots) })
        });
        Self::prepared(name, prepare, connections, processes)
    }

    /// The same with shots that are made anew before each pass.
    pub fn prepared(
        name: impl Into<String>,
        prepare: impl Fn() -> Turn<'a, Vec<Shot>> + 'a,
        connections: usize,
        processes: &[u32],
    ) -> Self {
        let prepare: Prepare<'a> = Box::new(prepare);
        let processes = processes.to_vec();
        Self::new(name, Does::Http { prepare, connections, processes, tail: Tail::Taken })
    }

    /// Something else that measures itself for about that long.
    pub fn own(name: impl Into<String>, work: impl FnMut(Duration) -> Turn<'a, Pass> + 'a) -> Self {
        Self::new(name, Does::Own(Box::new(work)))
    }

    /// A function of this program, called again and again.
    pub fn calls(
        name: impl Into<String>,
        mut call: impl FnMut() -> anyhow::Result<()> + 'a,
    ) -> Self {
        Self::own(name, move |time| {
            let pass = repeat(time, &mut call);
            Box::pin(async move { pass })
        })
    }

    /// An asynchronous function of this program, awaited again and again.
    pub fn awaits<F>(name: impl Into<String>, call: F) -> Self
    where
        F: AsyncFn() -> anyhow::Result<()> + Clone + 'a,
    {
        Self::own(name, move |time| {
            let call = call.clone();
            Box::pin(async move { repeat_async(time, &call).await })
        })
    }

    /// Compared with another row than the first.
    #[must_use]
    pub fn against(mut self, baseline: &str) -> Self {
        self.baseline = Some(baseline.to_owned());
        self
    }

    /// Its processor time compared with that of a row.
    #[must_use]
    pub fn cpu_against(mut self, baseline: &str) -> Self {
        self.cpu_baseline = Some(baseline.to_owned());
        self
    }

    /// Without latencies at a fixed rate.
    #[must_use]
    pub fn without_tail(mut self) -> Self {
        if let Does::Http { tail, .. } = &mut self.does {
            *tail = Tail::Left;
        }
        self
    }

    async fn turn(&mut self, pace: Pace) -> anyhow::Result<Pass> {
        match &mut self.does {
            Does::Http { prepare, connections, processes, .. } => {
                let shots = prepare().await?;
                closed_loop(&shots, *connections, pace.pass_time, processes).await
            }
            Does::Own(work) => work(pace.pass_time).await,
        }
    }
}

/// Calls a function for about that long.
fn repeat(time: Duration, call: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<Pass> {
    let meter = Meter::start();
    let mut count = 0;
    // The clock is asked rarely, or it would be most of what is measured.
    let mut chunk = 1;
    while meter.elapsed() < time {
        let before = meter.elapsed();
        for _ in 0..chunk {
            call()?;
        }
        count += chunk;
        if meter.elapsed().saturating_sub(before) < time / 100 {
            chunk *= 2;
        }
    }
    Ok(meter.stop(count))
}

async fn repeat_async(
    time: Duration,
    call: &impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<Pass> {
    let meter = Meter::start();
    let mut count = 0;
    while meter.elapsed() < time {
        call().await?;
        count += 1;
    }
    Ok(meter.stop(count))
}

/// Time, and processor time of this program.
#[derive(Debug)]
pub struct Meter {
    started: std::time::Instant,
    cpu_nanos: u64,
}

impl Meter {
    /// Starts now.
    pub fn start() -> Self {
        Self { started: now(), cpu_nanos: cpu_nanos(std::process::id()) }
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The pass, when so many were done.
    pub fn stop(self, count: u64) -> Pass {
        let cpu = cpu_nanos(std::process::id()).saturating_sub(self.cpu_nanos) as f64;
        Pass {
            per_second: count as f64 / self.started.elapsed().as_secs_f64(),
            cpu_micros: Some(cpu / 1000.0 / count.max(1) as f64),
            count,
            resident_mb: None,
        }
    }
}

/// Measures a table, prints it when its baselines held still, and gives what came of it.
///
/// # Errors
/// When a contestant does not do what it must.
pub async fn contest(
    title: &str,
    unit: Unit,
    notes: &[String],
    pace: Pace,
    mut contestants: Vec<Contestant<'_>>,
) -> anyhow::Result<Told> {
    println!("\n{title}");
    // Caches fill and compilers of the others warm up; nobody's first requests count.
    for contestant in &mut contestants {
        contestant.turn(pace).await?;
    }
    let mut attempts = Vec::new();
    let mut figures = None;
    for attempt in 1..=ATTEMPTS_MAX {
        let mut rows = rows_of(&contestants);
        for _ in 0..pace.passes {
            for (contestant, row) in contestants.iter_mut().zip(&mut rows) {
                row.passes.push(contestant.turn(pace).await?);
            }
        }
        let moved = movement(&rows);
        if moved.is_none() {
            arrivals(&contestants, &mut rows, pace).await?;
        }
        attempts.push(serde_json::json!({ "discarded": moved, "rows": rows }));
        let Some(moved) = moved else {
            print!("{}", render(unit, &rows));
            for note in notes {
                println!("    {note}");
            }
            figures = Some(rows);
            break;
        };
        println!(
            "  discarded: the baseline `{}` moved by {:.0} % from its own median (attempt {attempt} \
             of {ATTEMPTS_MAX})",
            moved.baseline,
            moved.share * 100.0
        );
    }
    let raw = serde_json::json!({ "title": title, "notes": notes, "attempts": attempts });
    Ok(Told { figures, raw })
}

/// What came of a table.
#[derive(Debug)]
pub struct Told {
    /// Its rows, unless every attempt was discarded.
    pub figures: Option<Vec<Row>>,
    /// Every attempt, for the file of raw rows.
    pub raw: serde_json::Value,
}

fn rows_of(contestants: &[Contestant<'_>]) -> Vec<Row> {
    let first = contestants.first().map_or("", |contestant| &contestant.name);
    contestants
        .iter()
        .map(|contestant| Row {
            name: contestant.name.clone(),
            baseline: contestant.baseline.clone().unwrap_or_else(|| first.to_owned()),
            cpu_baseline: contestant.cpu_baseline.clone(),
            passes: Vec::new(),
            arrivals: Vec::new(),
        })
        .collect()
}

/// The latencies of each server at half of what it can.
async fn arrivals(
    contestants: &[Contestant<'_>],
    rows: &mut [Row],
    pace: Pace,
) -> anyhow::Result<()> {
    for _ in 0..pace.passes {
        for (contestant, row) in contestants.iter().zip(rows.iter_mut()) {
            let Does::Http { prepare, tail: Tail::Taken, .. } = &contestant.does else { continue };
            let shots = prepare().await?;
            let rate = row.rate() * OPEN_LOOP_SHARE;
            row.arrivals.push(open_loop(&shots, rate, pace.pass_time).await?);
        }
    }
    Ok(())
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A contestant that gives these rates one after the other, and the last one from then on.
    fn giving(name: &str, rates: &'static [f64]) -> Contestant<'static> {
        let turn = Cell::new(0);
        Contestant::own(name, move |_| {
            let rate = rates.get(turn.get()).or(rates.last()).copied().unwrap_or_default();
            turn.set(turn.get() + 1);
            let pass = Pass { per_second: rate, cpu_micros: None, count: 1, resident_mb: None };
            Box::pin(async move { Ok(pass) })
        })
    }

    async fn check(baseline: &'static [f64], attempts: usize, told: bool) {
        let pace = Pace { passes: 3, pass_time: Duration::ZERO };
        let contestants = vec![giving("floor", baseline), giving("ours", &[1.0, 9.0, 5.0])];
        let found = contest("test", Unit::PerSecond, &[], pace, contestants).await.unwrap();
        assert_eq!(found.raw["attempts"].as_array().unwrap().len(), attempts, "{baseline:?}");
        assert_eq!(found.figures.is_some(), told, "{baseline:?}");
    }

    #[tokio::test]
    async fn a_table_is_told_only_when_its_baseline_held_still() {
        // The first turn of each warms up and does not count.
        check(&[500.0, 100.0], 1, true).await;
        check(&[100.0, 100.0, 100.0, 200.0, 100.0], 2, true).await;
        check(&[0.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0], 3, false).await;
    }
}
