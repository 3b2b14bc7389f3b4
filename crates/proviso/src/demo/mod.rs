//! The demo world: the same people, apps and records in the demo, in tests, in documents and in
//! screenshots (design §12).
//!
//! The generator is pure: a seed and a number of further patients give the same bytes everywhere.
//! Only seeding touches a store, and only there are secrets made.

mod calendar;
mod chart;
mod clients;
mod codes;
mod directory;
mod eyes;
mod folder;
mod james;
mod lily;
mod maria;
mod others;
mod random;
mod seed;
mod synthetic;
mod value;
pub mod world;

pub use chart::Record;
pub use clients::CLIENTS_FILE;
pub use folder::{MARKER_FILE, require_free_or_world, require_world};
pub(crate) use seed::commit_import;
pub use seed::{Seeding, account_id, seed};
pub use synthetic::patient_id;

use chart::resource;
use value::{Value, list, object};
use world::{ids, people};

/// The seed of the world that the documents describe.
pub const SEED: u64 = 20_261_101;

/// How many parts come before the further patients.
const PARTS_BEFORE: usize = 7;

/// The parts of the world in order: the directory, the people of the design, two
/// without an account, the Group, and then
/// so many further patients. Each part is one chart, small enough for one transaction.
pub fn parts(seed: u64, patients: u32) -> impl Iterator<Item = Vec<Record>> {
    let people: [fn() -> Vec<Record>; PARTS_BEFORE] = [
        directory::records,
        maria::chart,
        james::chart,
        lily::chart,
        others::walter,
        others::noah,
        groups,
    ];
    people
        .into_iter()
        .map(|part| part())
        .chain((1..=patients).map(move |number| synthetic::chart(seed, number)))
}

fn groups() -> Vec<Record> {
    let member = |id: &str| -> Value {
        object! { "entity": object! { "reference": format!("Patient/{id}") }, "inactive": false }
    };
    vec![resource(
        "Group",
        ids::GROUP,
        object! {
            "active": true,
            "type": "person",
            "actual": true,
            "name": "Quality cohort",
            "quantity": 2,
            "managingEntity": directory::RIVERSIDE.reference(),
            "member": list![member(people::MARIA_PATIENT), member(people::JAMES_PATIENT)],
        },
    )]
}

#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "us_core_tests.rs"]
mod us_core;
