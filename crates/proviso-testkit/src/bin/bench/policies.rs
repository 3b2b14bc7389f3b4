//! Policies: one record decided by Cedar and by the rules that are left for the one who asks, as a
//! set grows.

use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::floor::BareMap;
use proviso_testkit::bench::policies::{Asker, OF_A_WARD, wards};
use proviso_testkit::bench::table::Unit;

use crate::Bench;

/// How many wards have policies; a ward has fifty.
const WARDS: [usize; 4] = [1, 4, 10, 100];
/// Random questions that Cedar and the rules answer alike before anything is measured. Cedar takes
/// milliseconds for each where there are thousands of policies.
const QUESTIONS: [u32; 4] = [100_000, 20_000, 20_000, 2_000];

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut raw = Vec::new();
    for (count, questions) in WARDS.into_iter().zip(QUESTIONS) {
        let set = wards(count)?;
        let asker = Asker::of(&set)?;
        let permitted = asker.agree(questions)?;
        println!(
            "\n{} policies, of which {} are left for the one who asks; {questions} random questions \
             answered alike, {permitted} of them permitted",
            count * OF_A_WARD,
            asker.left(),
        );
        let mut one = BareMap::of(1);
        let contestants = vec![
            Contestant::calls("bare hash-map look-up, always the same key", move || one.look_up()),
            Contestant::calls("cedar-policy, all policies asked", asker.by_cedar()?),
            Contestant::calls("rules, the same record", asker.by_rules()?),
            Contestant::calls(
                "rules, another random record each time",
                asker.by_rules_at_random()?,
            ),
            Contestant::calls("a decision about the same record by a plan", asker.by_plan()?),
            Contestant::calls("rules worked out for one who asks", asker.planning(&set)?),
        ];
        let title = format!("one record, {} policies", count * OF_A_WARD);
        let told = contest(&title, Unit::Nanos, &[], bench.pace.inside(), contestants).await?;
        raw.push(told.raw);
    }
    Ok(raw)
}
