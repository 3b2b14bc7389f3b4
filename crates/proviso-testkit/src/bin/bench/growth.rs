//! One patient's app in worlds of several sizes: what it asks costs what its answer costs, however
//! many others are in the store.

use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::load::Shot;
use proviso_testkit::bench::table::Unit;
use proviso_testkit::process::Server;

use crate::Bench;
use crate::served::{Connection, READING, process_of, serve};

const AT_A_TIME: usize = 8;

/// What is asked below the FHIR base, with a name.
const QUESTIONS: [(&str, &str); 7] = [
    ("a read", "Patient/maria"),
    ("a search by patient", "Observation?patient=maria&_count=20"),
    ("a search by code alone", "Observation?code=http://loinc.org|4548-4&_count=20"),
    ("a search by date, newest first", "Observation?date=gt2020-01-01&_sort=-date&_count=20"),
    ("a chained search", "Observation?subject:Patient.gender=female&_count=20"),
    ("a reverse chained search", "Patient?_has:Observation:patient:code=4548-4"),
    ("the history of a type", "Observation/_history?_count=20"),
];

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut worlds: Vec<(u32, Server, Connection)> = Vec::new();
    for patients in &bench.arguments.patients {
        let folder = bench.folder().join(format!("growth-{patients}"));
        let server = serve(bench, &folder, None, *patients).await?;
        let connection = Connection::of(&server.origin, "maria", READING).await?;
        worlds.push((*patients, server, connection));
    }
    let mut raw = Vec::new();
    for (name, path) in QUESTIONS {
        let mut rows = Vec::new();
        for (patients, server, connection) in &worlds {
            let bearer = connection.bearer();
            let url = format!("{}/{path}", connection.app.base());
            let shots = vec![Shot::get(url, &[("authorization", bearer.as_str())])];
            let name = format!("{patients} other patients");
            let row = Contestant::http(name, shots, AT_A_TIME, &[process_of(server)?]);
            rows.push(row.without_tail());
        }
        let title = format!("{name}, in worlds of several sizes, 8 at a time");
        let told = contest(&title, Unit::PerSecond, &[], bench.pace, rows).await?;
        raw.push(told.raw);
    }
    for (_, server, _) in worlds {
        server.interrupt().await?;
    }
    Ok(raw)
}
