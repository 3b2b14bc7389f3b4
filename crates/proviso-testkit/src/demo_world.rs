//! The demo world in this process, behind a real socket: its clock stands still until moved, and
//! its storage fails when told to.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use proviso::commands::serve::{Planes, planes};
use proviso::demo;
use proviso::listener::Listener;
use proviso_app::App;
use proviso_app::keys::MasterKey;
use proviso_app::ports::{Clock, ManualClock, SystemEntropy};
use proviso_app::settings::Settings;
use proviso_gateway::{GatewaySettings, Rates};
use proviso_http::Demonstration;
use proviso_store::{Faults, OpenOptions, Store};
use tokio::sync::watch;

use crate::browser::Browser;
use crate::gateway_world::NOW;
use crate::http_client::HttpClient;
use crate::signing::SigningKey;
use crate::smart_app::ASSERTION_TYPE;

/// How long the world waits for the body of a request.
pub const BODY_WITHIN: Duration = Duration::from_secs(2);

/// Where the world keeps its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// In memory.
    Model,
    /// In an SQLite file.
    Sqlite,
}

/// The demo world, served on a free loopback port until it is dropped.
#[derive(Debug)]
pub struct DemoWorld {
    /// The application.
    pub app: Arc<App>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Makes its storage fail.
    pub faults: Faults,
    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub origin: String,
    folder: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

impl DemoWorld {
    /// A world in memory with the usual rates.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(Engine::Model, Rates::default()).await
    }

    /// A world on an engine, with rates of its own.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn with(engine: Engine, rates: Rates) -> anyhow::Result<Self> {
        // The demo app speaks HTTP through rustls-aware clients, which want one provider set.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let folder = tempfile::tempdir()?;
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await?;
        let origin = format!("http://{}", listener.address()?);
        let faults = Faults::default();
        let settings = Settings::demo(origin.clone());
        let options = OpenOptions::new(settings.tenant.clone()).with_faults(faults.clone());
        demo::require_free_or_world(folder.path())?;
        let store = match engine {
            Engine::Model => Store::model(options),
            Engine::Sqlite => Store::open_sqlite(&folder.path().join("proviso.db"), options)?,
        };
        let clock = Arc::new(ManualClock::starting_at(NOW));
        let app = App::open(
            store,
            MasterKey::from_bytes([7; 32]),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemEntropy::default()),
            settings,
        )
        .await?;
        let (_running, never) = watch::channel(false);
        let bar = proviso::console::progress("", 0);
        demo::seed(&app, folder.path(), 0, &bar, &never).await?;
        let gateway = GatewaySettings { rates, ..GatewaySettings::embedded(origin.clone()) };
        let Planes { router, gateway } = planes(&app, gateway, Demonstration::Served)?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(gateway.tell(stopped.clone()));
        let listener = listener.with_bodies_within(BODY_WITHIN);
        tokio::spawn(listener.serve(router, stopped));
        Ok(Self { app, clock, faults, origin, folder, _stop: stop })
    }

    /// A URL on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// What `demo-clients.json` says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn clients(&self) -> anyhow::Result<serde_json::Value> {
        let path = self.folder.path().join("demo-clients.json");
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// How many entries the audit log has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn log_size(&self) -> anyhow::Result<u64> {
        Ok(self.app.store().checkpoint().await?.map_or(0, |checkpoint| checkpoint.size))
    }

    /// A browser in which somebody has signed in.
    ///
    /// # Errors
    /// When they cannot.
    pub async fn signed_in(&self, username: &str) -> anyhow::Result<Browser> {
        let mut browser = Browser::open(&self.url("/login")).await?;
        browser.sign_in(username, "proviso-demo").await?;
        anyhow::ensure!(browser.page.status == 200, "{username}: {}", browser.page.status);
        Ok(browser)
    }

    /// A token that a service of the demo world gets with its key.
    ///
    /// # Errors
    /// When it gets none.
    pub async fn service_token(&self, id: &str, scope: &str) -> anyhow::Result<String> {
        let clients = self.clients()?;
        let listed = clients["clients"].as_array().context("no clients")?;
        let client = listed.iter().find(|client| client["client_id"] == id).context("no client")?;
        let key = SigningKey::of_demo_client(client)?;
        let endpoint = self.url("/oauth/token");
        // The clock of the world stands still, so the assertion is made for its time.
        let mut claims = SigningKey::claims(id, &endpoint)?;
        claims["exp"] = serde_json::json!(self.app.now().as_secs() + 300);
        let assertion = key.sign(&key.header(), &claims)?;
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        let answer = HttpClient::default().post_form(&endpoint, &[], &fields).await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.text());
        let token = answer.json()?["access_token"].as_str().map(str::to_owned);
        token.context("no token")
    }
}
