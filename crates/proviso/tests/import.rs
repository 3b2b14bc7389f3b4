//! `proviso import` on a demo world on disk: what is stored, what is rejected, what is said.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::ProgressBar;
use proviso::cli::{ImportArgs, Installation as Named};
use proviso::commands::Ending;
use proviso::installation::Installation;
use proviso::{demo, import};
use proviso_app::records::Reading;
use proviso_core::resource_type::ResourceType;

const GOOD: &str = r#"{"resourceType":"Patient","id":"new-1","active":true}"#;
const ALSO_GOOD: &str = r#"{"resourceType":"Observation","id":"new-2","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/new-1"},"valueQuantity":{"value":7.20}}"#;

struct World {
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder };
        demo::require_free_or_world(&world.data()).unwrap();
        let installation = Installation::demo(&world.data(), "http://127.0.0.1:8080");
        let lock = installation.lock().unwrap();
        let app = installation.open(&lock).await.unwrap();
        let (_running, never) = tokio::sync::watch::channel(false);
        demo::seed(&app, &world.data(), 0, &ProgressBar::hidden(), &never).await.unwrap();
        world
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn import(&self, files: &[&Path]) -> anyhow::Result<Ending> {
        import::run(ImportArgs {
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            into: Named { config: None, data: Some(self.data()) },
            rejects: Some(self.folder.path().join("rejects.ndjson")),
            json: true,
        })
        .await
    }

    fn rejects(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("rejects.ndjson")).unwrap()
    }

    async fn body(&self, resource_type: ResourceType, id: &str) -> Option<(u64, String)> {
        let installation = Installation::demo(&self.data(), "http://127.0.0.1:8080");
        let lock = installation.lock().unwrap();
        let app = installation.open(&lock).await.unwrap();
        match app.records().read(resource_type, &id.parse().unwrap()).await.unwrap() {
            Reading::Live(record) => Some((record.version, record.doc.text().to_owned())),
            Reading::Deleted { .. } | Reading::Absent => None,
        }
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn good_lines_are_stored_and_bad_ones_named_by_line() {
    let world = World::new().await;
    let text = format!("{GOOD}\n\nnot json\n{ALSO_GOOD}\r\n{{\"resourceType\":\"Patient\"}}\n");
    let file = world.file("mixed.ndjson", text.as_bytes());
    assert_eq!(world.import(&[&file]).await.unwrap(), Ending::FoundWrong);
    let rejects = world.rejects();
    let lines: Vec<serde_json::Value> =
        rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = lines.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 5], "{rejects}");
    assert!(lines[1]["reason"].as_str().unwrap().contains("id"), "{rejects}");
    let (version, body) = world.body(ResourceType::OBSERVATION, "new-2").await.unwrap();
    assert_eq!(version, 1);
    assert!(body.contains(r#""value":7.20"#), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_again_changes_nothing_and_a_packed_one_reads_alike() {
    let world = World::new().await;
    let text = format!("{GOOD}\n{ALSO_GOOD}");
    let plain = world.file("plain.ndjson", text.as_bytes());
    let gzip = world.file("packed.ndjson.gz", &packed(&text));
    for _ in 0..2 {
        assert_eq!(world.import(&[&plain, &gzip]).await.unwrap(), Ending::Done);
        assert_eq!(world.rejects(), "");
    }
    assert_eq!(world.body(ResourceType::PATIENT, "new-1").await.unwrap().0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_bundle_is_loaded_whole_or_not_at_all() {
    let world = World::new().await;
    let entry = |resource: &str, url: &str| {
        format!(r#"{{"resource":{resource},"request":{{"method":"PUT","url":"{url}"}}}}"#)
    };
    let bundle = |entries: &[String]| {
        format!(
            r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#,
            entries.join(",")
        )
    };
    let bad = bundle(&[
        entry(GOOD, "Patient/new-1"),
        entry(r#"{"resourceType":"Patient","id":"x","nonsense":1}"#, "Patient/x"),
    ]);
    let bad = world.file("bad.json", bad.as_bytes());
    assert_eq!(world.import(&[&bad]).await.unwrap(), Ending::FoundWrong);
    assert!(world.body(ResourceType::PATIENT, "new-1").await.is_none());
    let good = bundle(&[entry(GOOD, "Patient/new-1"), entry(ALSO_GOOD, "Observation/new-2")]);
    let good = world.file("good.json", good.as_bytes());
    assert_eq!(world.import(&[&good]).await.unwrap(), Ending::Done);
    assert!(world.body(ResourceType::PATIENT, "new-1").await.is_some());
    assert!(world.body(ResourceType::OBSERVATION, "new-2").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_stops_before_anything_is_loaded() {
    let world = World::new().await;
    let file = world.file("plain.ndjson", GOOD.as_bytes());
    let absent = world.folder.path().join("absent.ndjson");
    let error = world.import(&[&file, &absent]).await.unwrap_err().to_string();
    assert!(error.contains("absent.ndjson"), "{error}");
    assert!(world.body(ResourceType::PATIENT, "new-1").await.is_none());
}
