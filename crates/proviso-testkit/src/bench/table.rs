//! Rows of figures, printed for people and kept as JSON.

use std::collections::BTreeMap;

use super::load::Pass;
use super::median;

/// All passes of one comparison, by contestant, the baseline first.
#[derive(Debug, Default)]
pub struct Comparison {
    /// What is compared.
    pub title: String,
    order: Vec<String>,
    passes: BTreeMap<String, Vec<Pass>>,
}

impl Comparison {
    /// An empty comparison.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a pass.
    pub fn add(&mut self, contestant: &str, pass: Pass) {
        if !self.order.iter().any(|name| name == contestant) {
            self.order.push(contestant.to_owned());
        }
        self.passes.entry(contestant.to_owned()).or_default().push(pass);
    }

    fn median_of(&self, contestant: &str, figure: impl Fn(&Pass) -> f64) -> f64 {
        let figures: Vec<f64> =
            self.passes.get(contestant).into_iter().flatten().map(figure).collect();
        median(&figures)
    }

    /// The table for people.
    pub fn render(&self) -> String {
        let mut text = format!(
            "\n{}\n{:<34} {:>10} {:>8} {:>12} {:>8} {:>9} {:>9}\n",
            self.title, "", "req/s", "ratio", "CPU µs/req", "ratio", "p50 ms", "p99 ms"
        );
        let Some(baseline) = self.order.first() else { return text };
        let base_rate = self.median_of(baseline, |pass| pass.per_second);
        let base_cpu = self.median_of(baseline, |pass| pass.cpu_micros);
        for name in &self.order {
            let rate = self.median_of(name, |pass| pass.per_second);
            let cpu = self.median_of(name, |pass| pass.cpu_micros);
            text.push_str(&format!(
                "{name:<34} {rate:>10.0} {:>7.2}x {cpu:>12.1} {:>7.2}x {:>9.2} {:>9.2}\n",
                rate / base_rate.max(f64::MIN_POSITIVE),
                cpu / base_cpu.max(f64::MIN_POSITIVE),
                self.median_of(name, |pass| pass.p50_millis),
                self.median_of(name, |pass| pass.p99_millis),
            ));
        }
        if let Some(moved) = self.baseline_moved() {
            text.push_str(&format!(
                "the baseline moved by {:.0} % from its median: the run is discarded\n",
                moved * 100.0
            ));
        }
        text
    }

    /// How far the baseline strayed from its own median, when that is more than a quarter.
    pub fn baseline_moved(&self) -> Option<f64> {
        let baseline = self.order.first()?;
        let middle = self.median_of(baseline, |pass| pass.per_second);
        let worst = self
            .passes
            .get(baseline)?
            .iter()
            .map(|pass| (pass.per_second - middle).abs() / middle.max(f64::MIN_POSITIVE))
            .fold(0.0, f64::max);
        (worst > 0.25).then_some(worst)
    }

    /// The raw rows.
    pub fn raw(&self) -> serde_json::Value {
        serde_json::json!({ "title": self.title, "passes": self.passes })
    }
}
