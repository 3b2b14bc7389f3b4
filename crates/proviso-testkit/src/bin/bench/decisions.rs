//! Decisions in process against a bare look-up in a hash map.

use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::decisions::{Exceptions, compiler, decider};
use proviso_testkit::bench::floor::BareMap;
use proviso_testkit::bench::table::Unit;

use crate::Bench;

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let (mut one, mut million) = (BareMap::of(1), BareMap::of(1_000_000));
    let contestants = vec![
        Contestant::calls("bare hash-map look-up, always the same key", move || one.look_up()),
        Contestant::calls("bare hash-map look-up, one of a million", move || million.look_up()),
        Contestant::calls("plan of a request and one resource decided", decider()?),
        Contestant::calls(
            "plan of 200 consents on file, four levels deep",
            compiler(200, Exceptions::One)?,
        ),
        Contestant::calls(
            "the same with two exceptions in each provision",
            compiler(200, Exceptions::Two)?,
        ),
    ];
    let title = "one decision, in process";
    let told = contest(title, Unit::Nanos, &[], bench.pace.inside(), contestants).await?;
    Ok(vec![told.raw])
}
