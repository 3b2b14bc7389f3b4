//! The catalogue of leaks, asked of Proviso by URL: on the embedded store, and in front of a FHIR
//! server by others; beside each stands a second one in which nothing is hidden.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proviso_core::category::{CategorySet, SensitiveSet};
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings, Rates};
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_cases::NARROW;
use proviso_testkit::gateway_world::{Access, ORIGIN, Terms, World};
use proviso_testkit::leaks::{Adapter, Catalogue, Column, Finding, Outcome, run, scorecard};
use tokio::sync::watch;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn catalogue() -> Catalogue {
    Catalogue::read(&root().join("tests/leaks")).unwrap()
}

fn terms(scopes: &'static str) -> Terms {
    Terms {
        patient: "pat-ash",
        categories: NARROW.iter().copied().collect::<CategorySet>(),
        sensitive: SensitiveSet::EMPTY,
        scopes,
    }
}

/// A Proviso on a loopback port, with the tokens of the catalogue.
struct Served {
    world: World,
    server: Option<FhirServer>,
    app: Access,
    adapter: Adapter,
    _stop: watch::Sender<bool>,
}

/// Where the records are.
#[derive(Clone, Copy, PartialEq)]
enum Behind {
    Embedded,
    Another,
}

async fn served(behind: Behind, records: &[&[String]]) -> Served {
    let server = match behind {
        Behind::Embedded => None,
        Behind::Another => Some(FhirServer::start().await.unwrap()),
    };
    let settings = match &server {
        None => GatewaySettings::embedded(ORIGIN),
        Some(server) => {
            GatewaySettings::in_front_of(ORIGIN, HttpUpstreamSettings::at(server.base.clone()))
        }
    };
    // The clock stands still, so no allowance comes back.
    let many = NonZeroU32::new(100_000).unwrap();
    let rates = Rates {
        address_per_sec: many,
        client_per_sec: many,
        account_per_sec: many,
        ..Rates::default()
    };
    let world = World::new(GatewaySettings { rates, ..settings }).await.unwrap();
    for records in records {
        match &server {
            None => world.load(records).await.unwrap(),
            Some(server) => server.load(records).await.unwrap(),
        }
    }
    let app = world.share("glucose-coach", &terms("patient/*.cruds")).await.unwrap();
    let other = world.share("bill-helper", &terms("patient/*.cruds")).await.unwrap();
    let mixed =
        world.share("mixed-up", &terms("patient/*.rs user/*.cruds system/*.cruds")).await.unwrap();
    let (address, stop) = world.serve().await.unwrap();
    let tokens = [
        ("app", app.token.clone()),
        ("other", other.token),
        ("mixed", mixed.token),
        ("invalid", "none".to_owned()),
    ];
    let mut adapter: Adapter = toml::from_str(&format!(
        "base = \"{address}/fhir/r4\"\nlinks = \"{ORIGIN}/fhir/r4\"\n\
         volatile_behind = [\"_cursor=\", \"req_\"]\n[tokens]\n"
    ))
    .unwrap();
    adapter.tokens = tokens
        .into_iter()
        .map(|(name, token)| (name.to_owned(), token))
        .collect::<BTreeMap<_, _>>();
    if let Some(server) = &server {
        // That server makes versions and times of writing up itself, differently at every start.
        adapter.behind = Some(server.base.clone());
        for name in ["etag", "last-modified", "content-length"] {
            adapter.volatile_headers.push(name.to_owned());
        }
        for name in ["versionId", "lastUpdated", "etag", "lastModified"] {
            adapter.volatile_members.push(name.to_owned());
        }
    }
    Served { world, server, app, adapter, _stop: stop }
}

/// One server with everything, its twin with what may be seen.
async fn pair(behind: Behind, catalogue: &Catalogue) -> (Served, Served) {
    let Catalogue { visible, hidden, gone, .. } = catalogue;
    let mut full = served(behind, &[visible, hidden, gone]).await;
    for record in gone {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        let (kind, id) = (record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap());
        match &full.server {
            None => full.world.remove(kind, id).await.unwrap(),
            Some(server) => {
                let path = format!("/{kind}/{id}");
                server.send(http::Method::DELETE, &path, String::new()).await.unwrap();
            }
        }
    }
    let bare = served(behind, &[visible]).await;
    full.adapter.twin = Some(Box::new(bare.adapter.clone()));
    (full, bare)
}

async fn findings(behind: Behind, catalogue: &Catalogue) -> Vec<Finding> {
    let (full, bare) = pair(behind, catalogue).await;
    // The one action of the catalogue: access ends, as the patient ends it.
    let stop_sharing = async |adapter: &Adapter, action: &str| {
        assert_eq!(action, "revoke");
        let asked = if adapter.base == full.adapter.base { &full } else { &bare };
        asked.world.stop_sharing(&asked.app).await
    };
    run(catalogue, &full.adapter, stop_sharing).await
}

fn failures(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .filter_map(|finding| match &finding.outcome {
            Outcome::Fails(how) => Some(format!("{} {}: {how}", finding.leak, finding.title)),
            _ => None,
        })
        .collect()
}

const PAGE: &str = "docs/src/reference/leaks.md";

/// Every question of the catalogue tells nothing, and the scorecard of the documentation says so.
// Covers: design P1; leaks.md: every number that requests can show
#[tokio::test]
async fn no_question_of_the_catalogue_tells_what_is_hidden() {
    let catalogue = catalogue();
    let mut columns = Vec::new();
    for (behind, name) in
        [(Behind::Embedded, "embedded store"), (Behind::Another, "in front of another FHIR server")]
    {
        let findings = findings(behind, &catalogue).await;
        let failed = failures(&findings);
        assert!(failed.is_empty(), "{name}: {}\n{}", failed.len(), failed.join("\n"));
        columns.push(Column { name: name.to_owned(), findings });
    }
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once("| leak |").unwrap();
    let wanted = format!("{head}{}", scorecard(&columns));
    if page != wanted && std::env::var_os("PROVISO_WRITE_SCORECARD").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(page == wanted, "{PAGE} is stale: run this test with PROVISO_WRITE_SCORECARD=1");
    }
}

/// A server that hides nothing, asked straight: the catalogue sees it.
// Covers: the runner finds what it is there for
#[tokio::test]
async fn a_server_that_hides_nothing_is_found_out() {
    let catalogue = catalogue();
    let server = FhirServer::start().await.unwrap();
    server.load(&catalogue.visible).await.unwrap();
    server.load(&catalogue.hidden).await.unwrap();
    let mut adapter: Adapter =
        toml::from_str(&format!("base = \"{}\"\n[tokens]\napp = \"any\"\n", server.base)).unwrap();
    adapter.volatile_headers.push("etag".to_owned());
    let found = run(&catalogue, &adapter, Adapter::act).await;
    let told: Vec<u32> = found
        .iter()
        .filter(|finding| matches!(finding.outcome, Outcome::Fails(_)))
        .map(|finding| finding.leak)
        .collect();
    for leak in [1, 2, 3, 7, 16, 25, 28, 33, 36, 59, 63] {
        assert!(told.contains(&leak), "{leak} was not found: {told:?}");
    }
}

/// Each number of the catalogue is there, and each test that is named for one exists.
#[test]
fn every_leak_is_asked_or_held_by_a_test_that_exists() {
    let catalogue = catalogue();
    let sources = sources(&root().join("crates"));
    for case in &catalogue.cases {
        let ways = [!case.step.is_empty(), !case.held_by.is_empty(), case.not_offered.is_some()];
        assert_eq!(ways.iter().filter(|way| **way).count(), 1, "leak {}", case.leak);
        for test in &case.held_by {
            let there = sources.iter().any(|text| text.contains(&format!("fn {test}(")));
            assert!(there, "leak {}: no test {test}", case.leak);
        }
    }
    for line in catalogue.hidden.iter().chain(&catalogue.gone).chain(&catalogue.visible) {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let said = catalogue.hidden.join("\n");
    let shown = catalogue.visible.join("\n");
    for canary in &catalogue.canaries {
        assert!(said.contains(canary.as_str()), "no hidden record says {canary}");
        assert!(!shown.contains(canary.as_str()), "a visible record says {canary}");
    }
}

fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// Collects what a server writes about itself.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Operational logs at their most talkative say nothing that stands in records, hidden or not.
// Covers: leak 142
#[tokio::test]
async fn what_the_server_writes_of_itself_says_nothing_of_records() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let catalogue = catalogue();
    findings(Behind::Embedded, &catalogue).await;
    let said = String::from_utf8_lossy(&written.0.lock().unwrap()).into_owned();
    assert!(!said.is_empty(), "nothing was written");
    // Of the caller's own records too; short words could stand in any random id.
    let own = ["ash-lab-1", "pat-ash", "prac-patel", "1980-01-01"];
    let words = catalogue.canaries.iter().map(String::as_str).chain(own);
    let told: Vec<&str> = words.filter(|word| word.len() > 6 && said.contains(word)).collect();
    assert!(told.is_empty(), "{told:?}");
}
