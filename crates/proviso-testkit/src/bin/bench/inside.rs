//! Where the time goes: the parts of a read and of a search by themselves, inside this program.
//!
//! Nothing is switched off in the server for it: each part is called as the server calls it.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use proviso_app::App;
use proviso_app::audit::Sealer;
use proviso_app::caller::Caller;
use proviso_app::ports::SystemEntropy;
use proviso_app::records::Reading;
use proviso_app::via::Via;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::facts::resource_facts;
use proviso_fhir::json::Doc;
use proviso_fhir::search::matches_scope_filter;
use proviso_gateway::{Gateway, GatewaySettings, Rates};
use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::decisions::decider;
use proviso_testkit::bench::floor::copy;
use proviso_testkit::bench::table::Unit;
use proviso_testkit::demo_world::{DemoWorld, Engine};
use tower::ServiceExt as _;

use crate::Bench;
use crate::served::{Connection, READING};

/// A world inside this program, with a gateway that no socket is in front of.
#[derive(Debug)]
struct Inner {
    app: Arc<App>,
    router: axum::Router,
    token: String,
    caller: Caller,
    patient: ResourceId,
    _world: DemoWorld,
}

impl Inner {
    async fn with(engine: Engine) -> anyhow::Result<Self> {
        // The world's clock stands still, so that what may come at once is all that ever comes.
        let many = NonZeroU32::MAX;
        let rates = Rates {
            address_per_sec: many,
            client_per_sec: many,
            account_per_sec: many,
            ..Rates::default()
        };
        let world = DemoWorld::with(engine, rates).await?;
        let connection = Connection::of(&world.origin, "maria", READING).await?;
        let settings = GatewaySettings { rates, ..GatewaySettings::embedded(&world.origin) };
        let gateway = Arc::new(Gateway::new(Arc::clone(&world.app), settings)?);
        let router = axum::Router::new().nest_service("/fhir/r4", proviso_gateway::router(gateway));
        let app = Arc::clone(&world.app);
        let token = connection.tokens.access().to_owned();
        let caller = app.authenticate_bearer(&token, app.now()).await?;
        let patient = connection.patient().parse()?;
        Ok(Self { app, router, token, caller, patient, _world: world })
    }

    /// A whole request, from its head to the last byte of its answer.
    async fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let request = Request::get(format!("/fhir/r4/{path}"))
            .header("authorization", format!("Bearer {}", self.token))
            .body(Body::empty())?;
        let answer = self.router.clone().oneshot(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes().to_vec();
        let told = String::from_utf8_lossy(&body);
        anyhow::ensure!(status == StatusCode::OK, "{path}: {status} {told}");
        Ok(body)
    }

    async fn read(&self) -> anyhow::Result<()> {
        self.get(&format!("Patient/{}", self.patient)).await.map(drop)
    }

    async fn authenticate(&self) -> anyhow::Result<()> {
        black_box(self.app.authenticate_bearer(&self.token, self.app.now()).await?);
        Ok(())
    }

    async fn stored(&self) -> anyhow::Result<()> {
        let found = self.app.records().read(ResourceType::PATIENT, &self.patient).await?;
        anyhow::ensure!(matches!(found, Reading::Live(_)), "the record is not there");
        Ok(())
    }

    /// An entry as a read leaves it.
    fn entry(&self) -> anyhow::Result<AuditEntry> {
        let via = Via::default();
        let draft = self.app.draft_entry(&via, AuditKind::Access, AuditOutcome::Success, "read")?;
        Ok(AuditEntry {
            client: Some(self.caller.client.clone()),
            account: self.caller.account.clone(),
            patients: self.caller.patient.iter().cloned().collect(),
            interaction: Some(Interaction::Read),
            resource_type: Some(ResourceType::PATIENT),
            resources: vec![(ResourceType::PATIENT, self.patient.clone())],
            released: 1,
            purpose: Some(self.caller.purpose),
            grant: Some(self.caller.grant.clone()),
            token: Some(self.caller.token.clone()),
            status: Some(200),
            ..draft
        })
    }

    async fn append(&self) -> anyhow::Result<()> {
        black_box(self.app.append_audit(self.entry()?).await?);
        Ok(())
    }
}

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let memory = Inner::with(Engine::Model).await?;
    let disk = Inner::with(Engine::Sqlite).await?;
    Ok(vec![read(bench, &memory, &disk).await?, search(bench, &memory).await?])
}

async fn read(bench: &Bench, memory: &Inner, disk: &Inner) -> anyhow::Result<serde_json::Value> {
    let sealer = Sealer::new(memory.app.keys())?;
    let (entry, entropy) = (memory.entry()?, SystemEntropy::default());
    let whole = "whole read, without HTTP and disk";
    let contestants = vec![
        Contestant::awaits(whole, async || memory.read().await),
        Contestant::awaits("the same, its entry durable", async || disk.read().await),
        Contestant::calls("token: signature verified", || {
            black_box(memory.app.keys().verify_access_token(&memory.token, memory.app.now())?);
            Ok(())
        }),
        Contestant::awaits("token: known, its grant looked up", async || {
            memory.authenticate().await
        }),
        Contestant::calls("plan of a request and one resource decided", decider()?),
        Contestant::awaits("record read from memory", async || memory.stored().await),
        Contestant::awaits("record read from SQLite", async || disk.stored().await),
        Contestant::calls("audit entry sealed", move || {
            black_box(sealer.seal(&entry, &entropy)?);
            Ok(())
        }),
        Contestant::awaits("audit entry sealed, logged, signed, in memory", async || {
            memory.append().await
        }),
        Contestant::awaits("audit entry sealed, logged, signed, durable", async || {
            disk.append().await
        }),
    ];
    let title = "where the time of one read goes, one at a time, inside this program";
    let pace = bench.pace.inside();
    Ok(contest(title, Unit::Nanos, &[], pace, contestants).await?.raw)
}

async fn search(bench: &Bench, memory: &Inner) -> anyhow::Result<serde_json::Value> {
    let path = format!("Observation?patient={}&_count=20", memory.patient);
    let bundle = memory.get(&path).await?;
    let size = bundle.len();
    let entries = judge(memory, &bundle)?;
    anyhow::ensure!(entries == 20, "the Bundle has {entries} entries that are permitted");
    let (bytes, path, mut room) = (&bundle, &path, Vec::with_capacity(size));
    let contestants = vec![
        Contestant::calls("memcpy of the Bundle's bytes", move || {
            copy(bytes, &mut room);
            Ok(())
        }),
        Contestant::calls("parsed and checked", || {
            black_box(Doc::parse(bytes.clone())?);
            Ok(())
        }),
        Contestant::calls("parsed, each entry labelled and decided", || {
            black_box(judge(memory, bytes)?);
            Ok(())
        }),
        Contestant::awaits("whole search, without HTTP and disk", async || {
            memory.get(path).await.map(drop)
        }),
    ];
    let title = "where the time of a search of 20 entries goes, inside this program";
    let notes = [format!("the Bundle has {size} bytes")];
    let pace = bench.pace.inside();
    Ok(contest(title, Unit::Nanos, &notes, pace, contestants).await?.raw)
}

/// What the filter does with each entry of a Bundle: how many are permitted.
fn judge(inner: &Inner, bundle: &[u8]) -> anyhow::Result<usize> {
    let doc = Doc::parse(bundle.to_vec())?;
    let plan = inner.app.plan_access(&inner.caller, inner.app.now());
    let plan = plan.map_err(|denial| anyhow::anyhow!("{denial:?}"))?;
    let mut permitted = 0;
    let labels = inner.app.labels();
    for resource in doc.root().at(&["entry", "resource"]) {
        let Some(facts) = resource_facts(resource, &labels) else { continue };
        let decision = plan.decide(&Interaction::Search, &facts, &|filter| {
            matches_scope_filter(resource, &filter.param, &filter.value)
        });
        permitted += usize::from(decision.is_permit());
    }
    Ok(permitted)
}
