//! `import`: lines, gzip, Bundles; rejections by line; again; after a power cut.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use proviso_testkit::process::Server;
use proviso_testkit::signing::SigningKey;
use proviso_testkit::smart_app::{Proof, SmartApp};

use crate::{Ran, World, text};

fn patient(id: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","gender":"female","birthDate":"1980-01-01"}}"#
    )
}

impl World {
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        text(&path)
    }

    async fn import(&self, files: &[&str], code: i32) -> serde_json::Value {
        let data = self.path();
        let mut arguments = vec!["import", "--json", "--data", &data];
        arguments.extend_from_slice(files);
        Ran::of(&arguments).await.expect(code).json()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn lines_gzip_and_bundles_are_loaded_once() {
    let world = World::new().await;
    let lines = format!("{}\n\n{}\r\n{}", patient("i1"), patient("i2"), patient("i3"));
    let plain = world.file("a.ndjson", lines.as_bytes());
    let report = world.import(&[&plain], 0).await;
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(3), Some(0)));

    // The same again, and the same packed: nothing changes.
    let packed = world.file("b.ndjson.gz", &gzip(lines.as_bytes()));
    let report = world.import(&[&plain, &packed], 0).await;
    assert_eq!((report["stored"].as_u64(), report["unchanged"].as_u64()), (Some(0), Some(6)));

    // Two gzip members behind each other are one file.
    let mut members = gzip(format!("{}\n", patient("i4")).as_bytes());
    members.extend_from_slice(&gzip(patient("i5").as_bytes()));
    let packed = world.file("c.ndjson.gz", &members);
    assert_eq!(world.import(&[&packed], 0).await["stored"], 2);

    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
{{"fullUrl":"urn:uuid:1","resource":{},"request":{{"method":"PUT","url":"Patient/i6"}}}},
{{"resource":{{"resourceType":"Observation","id":"i7","status":"final","code":{{"text":"x"}},
"subject":{{"reference":"Patient/i6"}}}},"request":{{"method":"PUT","url":"Observation/i7"}}}}]}}"#,
        patient("i6")
    );
    let file = world.file("d.json", bundle.as_bytes());
    assert_eq!(world.import(&[&file], 0).await["stored"], 2);
    assert_eq!(world.import(&[&file], 0).await["stored"], 0);
    let packed = world.file("e.json.gz", &gzip(bundle.as_bytes()));
    assert_eq!(world.import(&[&packed], 0).await["stored"], 0);

    let data = world.path();
    let ran = Ran::of(&["import", "--data", &data, &plain]).await.expect(0);
    ran.says("0 stored, 3 unchanged, 0 rejected");
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}

#[tokio::test]
async fn rejected_lines_are_named_with_their_reason() {
    let world = World::new().await;
    let lines = [
        patient("r1"),
        "{\"resourceType\":\"Patient\",\"id\":\"r2\"".to_owned(),
        "{\"resourceType\":\"Patient\",\"id\":\"r3\",\"secretword\":\"Bluebird\"}".to_owned(),
        "{\"resourceType\":\"Nonsense\",\"id\":\"r4\"}".to_owned(),
        "{\"resourceType\":\"Patient\",\"id\":\"r5\",\"id\":\"r5\"}".to_owned(),
        patient("r6"),
        "{\"resourceType\":\"Patient\",\"id\":\"bad id\"}".to_owned(),
    ];
    let file = world.file("bad.ndjson", lines.join("\n").as_bytes());
    let rejects = text(&world.folder.path().join("rejects.ndjson"));
    let data = world.path();
    let arguments = ["import", "--data", &data, "--rejects", &rejects, &file];
    let ran = Ran::of(&arguments).await.expect(3);
    ran.says("2 stored, 0 unchanged, 5 rejected");
    for line in [2, 3, 4, 5, 7] {
        ran.says(&format!("line {line}: "));
    }
    ran.says("Patient.secretword");
    assert!(!format!("{}{}", ran.out, ran.err).contains("Bluebird"), "a value is repeated");
    let written = std::fs::read_to_string(&rejects).unwrap();
    let rows: Vec<serde_json::Value> =
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<_> = rows.iter().map(|row| row["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 5, 7]);
    assert!(rows.iter().all(|row| row["reason"].as_str().is_some_and(|r| !r.is_empty())));
    assert!(rows.iter().all(|row| row["file"] == file.as_str()));

    // One bad entry refuses the whole Bundle.
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
{{"resource":{},"request":{{"method":"PUT","url":"Patient/r8"}}}},
{{"resource":{{"resourceType":"Patient","nonsense":1}},"request":{{"method":"POST","url":"Patient"}}}}]}}"#,
        patient("r8")
    );
    let file = world.file("bad.json", bundle.as_bytes());
    let report = world.import(&[&file], 3).await;
    assert_eq!((report["stored"].as_u64(), report["rejected"].as_u64()), (Some(0), Some(1)));
    let good = world.file("r8.ndjson", patient("r8").as_bytes());
    assert_eq!(world.import(&[&good], 0).await["stored"], 1, "half a Bundle was stored");
}

#[tokio::test]
async fn files_that_cannot_be_read_stop_the_import_before_it_begins() {
    let world = World::new().await;
    let good = world.file("good.ndjson", patient("f1").as_bytes());
    let data = world.path();
    let ran = Ran::of(&["import", "--data", &data, &good, "/nowhere.ndjson"]).await.expect(1);
    ran.says("/nowhere.ndjson");
    assert_eq!(world.import(&[&good], 0).await["stored"], 1, "it had begun");
    let torn = gzip(format!("{}\n{}", patient("f2"), patient("f3")).as_bytes());
    let torn = world.file("torn.ndjson.gz", &torn[..torn.len() - 6]);
    Ran::of(&["import", "--data", &data, &torn]).await.expect(1).says("torn.ndjson.gz");
    Ran::of(&["verify", "--data", &data]).await.expect(0);
}

/// How many versions of `k…` patients are stored, and the highest version number.
fn stored(world: &World) -> (u64, u64) {
    let program = "import sqlite3, sys\n\
        db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, timeout=10)\n\
        print(*db.execute(\"select count(*), coalesce(max(version), 0) from record_version \
        where id like 'k%'\").fetchone())";
    let done = std::process::Command::new("python3")
        .args(["-c", program, &text(&world.database())])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

// Covers: design §8 (what was acknowledged survives)
#[tokio::test]
async fn an_import_that_was_killed_goes_on_where_it_was() {
    const LINES: u64 = 6000;
    let world = World::new().await;
    let lines: Vec<String> = (0..LINES).map(|n| patient(&format!("k{n}"))).collect();
    let file = world.file("many.ndjson", lines.join("\n").as_bytes());
    let data = world.path();
    let mut child = tokio::process::Command::new(proviso_testkit::process::binary().unwrap())
        .args(["import", "--data", &data, &file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Killed once the first batch is there; every batch takes much longer than one look.
    while stored(&world).0 == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended without storing anything");
    }
    child.kill().await.unwrap();
    let (there, _) = stored(&world);
    assert!(there > 0 && there < LINES, "not killed in the middle: {there}");
    Ran::of(&["verify", "--data", &data]).await.expect(0);

    let report = world.import(&[&file], 0).await;
    assert_eq!(report["rejected"], 0, "{report}");
    assert_eq!(report["files"][0]["lines"], LINES, "{report}");
    // What was stored before the kill was not looked at again, and nothing was stored twice.
    assert_eq!((report["stored"].as_u64(), report["unchanged"].as_u64()), (Some(LINES), Some(0)));
    assert_eq!(stored(&world), (LINES, 1));
    let report = world.import(&[&file], 0).await;
    assert_eq!((report["stored"].as_u64(), report["unchanged"].as_u64()), (Some(0), Some(LINES)));
    assert_eq!(stored(&world), (LINES, 1));
}

/// Files of our own making in the shape in which Synthea writes Bulk Data: one per type, references
/// by criteria to the directory, contained resources, times with offsets, numbers with many digits.
fn synthea() -> Vec<PathBuf> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/synthea");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// How many a search by the backend service finds.
async fn found(server: &Server, world: &World, query: &str) -> u64 {
    let clients = std::fs::read(world.data().join("demo-clients.json")).unwrap();
    let clients: serde_json::Value = serde_json::from_slice(&clients).unwrap();
    let of_id = |client: &&serde_json::Value| client["client_id"] == "quality-study";
    let client = clients["clients"].as_array().unwrap().iter().find(of_id).unwrap();
    let proof = Proof::Key(std::sync::Arc::new(SigningKey::of_demo_client(client).unwrap()));
    let app = SmartApp::new(&server.origin, "quality-study", proof, "system/*.rs");
    let fields = [("grant_type", "client_credentials"), ("scope", "system/*.rs")];
    let token = app.token(&fields).await.unwrap().json().unwrap();
    let answer = app.fhir(token["access_token"].as_str().unwrap(), query).await.unwrap();
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    let bundle = answer.json().unwrap();
    bundle["entry"].as_array().map_or(0, |entries| entries.len() as u64)
}

// Covers: Synthea's Bulk Data files are taken as they are, plain and packed
#[tokio::test]
async fn what_synthea_writes_is_loaded_whole_and_found() {
    let world = World::new().await;
    let files: Vec<String> = synthea()
        .iter()
        .map(|path| {
            let bytes = std::fs::read(path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            // Every second one is packed, as exports may be.
            if name.len().is_multiple_of(2) {
                world.file(&format!("{name}.gz"), &gzip(&bytes))
            } else {
                world.file(name, &bytes)
            }
        })
        .collect();
    let packed = files.iter().filter(|file| file.contains(".ndjson.gz")).count();
    assert!(packed > 3 && packed + 3 < files.len(), "not both plain and packed: {files:?}");
    let lines: u64 = synthea()
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap().lines().count() as u64)
        .sum();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let report = world.import(&names, 0).await;
    assert_eq!(report["rejected"], 0, "{report}");
    assert_eq!(report["stored"], lines, "{report}");
    assert_eq!(world.import(&names, 0).await["unchanged"], lines, "not the same the second time");

    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let patient = "5f0c0001-1d2e-4a3b-8c4d-000000000001";
    for (query, count) in [
        (format!("Patient?_id={patient}"), 1),
        ("Patient?family=Lindqvist77".to_owned(), 1),
        (format!("Observation?patient={patient}&category=vital-signs"), 1),
        (format!("Observation?patient={patient}&code=http://loinc.org|4548-4"), 1),
        (format!("Condition?patient={patient}"), 1),
        (format!("MedicationRequest?patient={patient}&status=stopped"), 1),
        (format!("Immunization?patient={patient}&date=ge2019-06-01"), 1),
        (format!("Device?patient={patient}"), 1),
        // The references by criteria lead to the practitioner and the place that were loaded.
        ("Encounter?participant=Practitioner/5f0c000c-1d2e-4a3b-8c4d-00000000000c".to_owned(), 2),
        ("Encounter?location=Location/5f0c000b-1d2e-4a3b-8c4d-00000000000b".to_owned(), 2),
        ("Patient?family=Nobody".to_owned(), 0),
    ] {
        assert_eq!(found(&server, &world, &query).await, count, "{query}");
    }
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    Ran::of(&["verify", "--data", &world.path()]).await.expect(0);
}
