//! Rows of figures, printed for people and kept as JSON.

use super::median;
use super::open_loop::Arrivals;

/// By how much a baseline may stray from its own median.
pub const MOVED_MAX: f64 = 0.25;

/// What one pass gave.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Pass {
    /// How many of what is counted were done per second.
    pub per_second: f64,
    /// Processor microseconds of the measured programs for each.
    pub cpu_micros: Option<f64>,
    /// How many were done.
    pub count: u64,
    /// Resident memory of the measured program in megabytes.
    pub resident_mb: Option<f64>,
}

/// How the first figure of a row is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How many a second.
    PerSecond,
    /// How many milliseconds for each.
    Millis,
    /// How many nanoseconds for each.
    Nanos,
}

impl Unit {
    fn of(self, per_second: f64) -> f64 {
        let per_second = per_second.max(f64::MIN_POSITIVE);
        match self {
            Self::PerSecond => per_second,
            Self::Millis => 1e3 / per_second,
            Self::Nanos => 1e9 / per_second,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per second",
            Self::Millis => "ms each",
            Self::Nanos => "ns each",
        }
    }
}

/// All passes of one contestant.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// Who.
    pub name: String,
    /// The row to which its first figure is compared.
    pub baseline: String,
    /// The row to which its processor time is compared; without one, it is not.
    pub cpu_baseline: Option<String>,
    /// The passes of the closed loop.
    pub passes: Vec<Pass>,
    /// The passes at a fixed rate.
    pub arrivals: Vec<Arrivals>,
}

impl Row {
    /// How many a second, the median of the passes.
    pub fn rate(&self) -> f64 {
        self.median_of(|pass| Some(pass.per_second)).unwrap_or_default()
    }

    fn median_of(&self, figure: impl Fn(&Pass) -> Option<f64>) -> Option<f64> {
        let figures: Vec<f64> = self.passes.iter().filter_map(figure).collect();
        (!figures.is_empty()).then(|| median(&figures))
    }

    fn cpu(&self) -> Option<f64> {
        self.median_of(|pass| pass.cpu_micros)
    }

    /// How far a figure strayed from its own median at most, as a share of it.
    fn strayed(&self, figure: impl Fn(&Pass) -> Option<f64>) -> f64 {
        let Some(middle) = self.median_of(&figure).filter(|middle| *middle > 0.0) else {
            return 0.0;
        };
        let figures = self.passes.iter().filter_map(figure);
        figures.map(|one| (one - middle).abs() / middle).fold(0.0, f64::max)
    }
}

/// A baseline that moved too far.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Movement {
    /// Which.
    pub baseline: String,
    /// By which share of its own median.
    pub share: f64,
}

/// The baseline of another row that strayed furthest from its own median, when that is more than a
/// quarter.
pub fn movement(rows: &[Row]) -> Option<Movement> {
    let rates = rows.iter().filter(|row| {
        rows.iter().any(|other| other.name != row.name && other.baseline == row.name)
    });
    let cpus = rows.iter().filter(|row| {
        let compared = |other: &Row| other.cpu_baseline.as_ref() == Some(&row.name);
        rows.iter().any(|other| other.name != row.name && compared(other))
    });
    rates
        .map(|row| (row, row.strayed(|pass| Some(pass.per_second))))
        .chain(cpus.map(|row| (row, row.strayed(|pass| pass.cpu_micros))))
        .filter(|(_, share)| *share > MOVED_MAX)
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(row, share)| Movement { baseline: row.name.clone(), share })
}

/// The table for people: each ratio names the row that it is to.
pub fn render(unit: Unit, rows: &[Row]) -> String {
    let mut text = format!(
        "    {:<44} {:>12} {:>12} {:>9} {:>10} {:>10} {:>9} {:>8}\n",
        "",
        unit.name(),
        "least",
        "ratio",
        "CPU µs",
        "least",
        "ratio",
        "RSS MB"
    );
    let find = |name: &str| rows.iter().zip('a'..).find(|(row, _)| row.name == name);
    for (row, letter) in rows.iter().zip('a'..) {
        let figure = unit.of(row.rate());
        let least = row.passes.iter().map(|pass| unit.of(pass.per_second)).fold(f64::MAX, f64::min);
        let ratio = find(&row.baseline)
            .map(|(base, letter)| format!("{} {letter}", share(figure / unit.of(base.rate()))));
        let cpu_least = row.passes.iter().filter_map(|pass| pass.cpu_micros).reduce(f64::min);
        let cpu_ratio = row.cpu_baseline.as_deref().and_then(find).and_then(|(base, letter)| {
            let base = base.cpu().filter(|base| *base > 0.0)?;
            Some(format!("{} {letter}", share(row.cpu()? / base)))
        });
        let resident = row.median_of(|pass| pass.resident_mb).map(|mb| format!("{mb:.1}"));
        text.push_str(&format!(
            "  {letter} {:<44} {:>12} {:>12} {:>9} {:>10} {:>10} {:>9} {:>8}\n",
            row.name,
            number(figure),
            number(least),
            ratio.unwrap_or_default(),
            row.cpu().map(number).unwrap_or_default(),
            cpu_least.map(number).unwrap_or_default(),
            cpu_ratio.unwrap_or_default(),
            resident.unwrap_or_default(),
        ));
    }
    text.push_str(&render_arrivals(rows));
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Latencies at a fixed rate, the worst pass beside the median one.
fn render_arrivals(rows: &[Row]) -> String {
    if rows.iter().all(|row| row.arrivals.is_empty()) {
        return String::new();
    }
    let mut text = format!(
        "    {:<44} {:>12} {:>12} {:>9} {:>10} {:>10}\n",
        "at half of that rate, from the intended time",
        "per second",
        "in a pass",
        "p50 ms",
        "p99 ms",
        "worst p99"
    );
    for (row, letter) in rows.iter().zip('a'..).filter(|(row, _)| !row.arrivals.is_empty()) {
        let all = |figure: fn(&Arrivals) -> f64| -> Vec<f64> {
            row.arrivals.iter().map(figure).collect()
        };
        text.push_str(&format!(
            "  {letter} {:<44} {:>12} {:>12} {:>9.2} {:>10.2} {:>10.2}\n",
            row.name,
            number(median(&all(|pass| pass.per_second))),
            number(median(&all(|pass| pass.count as f64))),
            median(&all(|pass| pass.p50_millis)),
            median(&all(|pass| pass.p99_millis)),
            all(|pass| pass.p99_millis).into_iter().fold(0.0, f64::max),
        ));
    }
    text
}

/// A ratio; small ones are told apart.
fn share(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { number(ratio) }
}

/// Three digits are what such a figure is worth.
fn number(figure: f64) -> String {
    if figure >= 100.0 {
        format!("{figure:.0}")
    } else if figure >= 10.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, baseline: &str, rates: &[f64]) -> Row {
        let pass = |per_second: &f64| Pass {
            per_second: *per_second,
            cpu_micros: Some(1e6 / per_second),
            count: 10,
            resident_mb: None,
        };
        Row {
            name: name.to_owned(),
            baseline: baseline.to_owned(),
            cpu_baseline: Some(baseline.to_owned()),
            passes: rates.iter().map(pass).collect(),
            arrivals: Vec::new(),
        }
    }

    #[test]
    fn only_a_baseline_that_moved_by_more_than_a_quarter_discards() {
        let still = row("floor", "floor", &[100.0, 100.0, 125.0]);
        let moved = row("floor", "floor", &[100.0, 100.0, 126.0]);
        let ours = row("ours", "floor", &[10.0, 50.0, 90.0]);
        assert_eq!(movement(&[still, ours.clone()]), None, "by a quarter, and another row by more");
        let found = movement(&[moved, ours]).unwrap();
        assert_eq!(found.baseline, "floor");
        assert!((found.share - 0.26).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_baseline_of_processor_time_may_not_move_either() {
        let mut floor = row("floor", "floor", &[100.0, 100.0, 100.0]);
        floor.passes[2].cpu_micros = Some(20_000.0);
        assert_eq!(movement(&[floor.clone()]), None, "nobody is compared with it");
        let ours = row("ours", "floor", &[10.0, 10.0, 10.0]);
        assert!(movement(&[floor, ours]).is_some());
    }

    #[test]
    fn a_ratio_names_the_row_that_it_is_to() {
        let floor = row("floor", "floor", &[1000.0, 1100.0, 900.0]);
        let mut ours = row("ours", "floor", &[500.0, 250.0, 500.0]);
        ours.arrivals = vec![
            Arrivals { per_second: 250.0, count: 500, p50_millis: 1.0, p99_millis: 4.0 },
            Arrivals { per_second: 250.0, count: 500, p50_millis: 1.0, p99_millis: 9.0 },
        ];
        let told = format!("told:\n{}", render(Unit::PerSecond, &[floor.clone(), ours.clone()]));
        insta::assert_snapshot!(told, @r"
        told:
                                                           per second        least     ratio     CPU µs      least     ratio   RSS MB
          a floor                                                1000          900    1.00 a       1000        909    1.00 a
          b ours                                                  500          250    0.50 a       2000       2000    2.00 a
            at half of that rate, from the intended time   per second    in a pass    p50 ms     p99 ms  worst p99
          b ours                                                  250          500      1.00       6.50       9.00
        ");
        let text = render(Unit::Millis, &[floor, ours]);
        let line = text.lines().nth(2).unwrap();
        assert_eq!(
            line.split_whitespace().take(5).collect::<Vec<_>>(),
            ["b", "ours", "2.00", "2.00", "2.00"]
        );
    }
}
