//! `proviso serve`: both planes on one listener, health on another.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use proviso_app::App;
use proviso_app::evaluation::Evaluations;
use proviso_app::simulate::Simulations;
use proviso_app::visits::Visits;
use proviso_core::secret::Secret;
use proviso_gateway::{
    Gateway, GatewaySettings, HttpUpstreamSettings, Rates, Reach, UpstreamSettings,
};
use proviso_http::{Demonstration, HttpState};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Ending;
use crate::config::{Config, RateConfig, UpstreamConfig};
use crate::control;
use crate::housekeeping;
use crate::installation::Installation;
use crate::listener::Listener;
use crate::telemetry;

/// Runs it until a signal asks it to stop.
///
/// # Errors
/// When it cannot start; why is said in words that name the key.
pub async fn run(file: &Path) -> anyhow::Result<Ending> {
    let installation = Installation::configured(file)?;
    let Some(config) = installation.config.clone() else {
        anyhow::bail!("no configuration");
    };
    telemetry::start(config.log_format, &config.log_level);
    if config.dev {
        tracing::warn!("`dev` is set: unsafe combinations are allowed; keep real data away");
    }
    let lock = installation.lock()?;
    let listener = Listener::bind(config.listen, config.tls.as_ref()).await?;
    let admin = Listener::bind(config.admin_listen, None).await?;
    let app = installation.open(&lock).await?;
    let gateway = gateway_settings(&config)?;
    let Planes { router, gateway } = planes(&app, gateway, Demonstration::Off)?;
    let stop = stop_on_signal()?;
    tracing::info!(
        listen = %listener.address()?,
        public_url = %installation.settings.public_url,
        "serving"
    );
    housekeeping::start(Arc::clone(&app), stop.clone());
    let telling = tokio::spawn(gateway.tell(stop.clone()));
    let orders = control::start(Arc::clone(&app), &installation.data_dir, stop.clone())?;
    let health =
        tokio::spawn(admin.serve(proviso_http::health_router(Arc::clone(&app)), stop.clone()));
    listener.serve(router, stop).await;
    telling.await.context("notifications")?;
    health.await.context("health listener")?;
    orders.await.context("control socket")?;
    housekeeping::write_snapshot(&app).await;
    tracing::info!("stopped");
    Ok(Ending::Done)
}

/// Both planes of one server, and the data plane by itself.
#[derive(Debug)]
pub struct Planes {
    /// What is served.
    pub router: Router,
    /// What tells apps of changes.
    pub gateway: Arc<Gateway>,
}

/// Both planes of one server.
///
/// # Errors
/// When the gateway cannot be set up.
pub fn planes(
    app: &Arc<App>,
    gateway: GatewaySettings,
    demonstration: Demonstration,
) -> anyhow::Result<Planes> {
    let gateway = Arc::new(Gateway::new(Arc::clone(app), gateway)?);
    let visits: Arc<dyn Visits> = gateway.clone();
    app.ask_visits_of(Arc::downgrade(&visits));
    let evaluations: Arc<dyn Evaluations> = gateway.clone();
    app.ask_evaluations_of(Arc::downgrade(&evaluations));
    let simulations: Arc<dyn Simulations> = gateway.clone();
    app.ask_simulations_of(Arc::downgrade(&simulations));
    let control = proviso_http::router(HttpState::new(Arc::clone(app), demonstration));
    let asked = proviso_gateway::forward_auth_router(Arc::clone(&gateway));
    let consents = proviso_gateway::consents_router(Arc::clone(&gateway));
    let router = control
        .merge(asked)
        .nest("/api/v1/consents", consents)
        .nest_service("/fhir/r4", proviso_gateway::router(Arc::clone(&gateway)));
    Ok(Planes { router, gateway })
}

pub(super) fn gateway_settings(config: &Config) -> anyhow::Result<GatewaySettings> {
    let mut settings = GatewaySettings::embedded(config.settings.public_url.clone());
    settings.rates = rates(&config.rates);
    if config.private_receivers {
        settings.receivers = Reach::Private;
    }
    settings.limits.not_found_beat = Duration::from_millis(config.rates.not_found_millis.into());
    if let Some(upstream) = &config.upstream {
        settings.upstream = UpstreamSettings::Http(http_upstream(upstream)?);
    }
    Ok(settings)
}

fn rates(config: &RateConfig) -> Rates {
    let per_sec = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Rates {
        address_per_sec: per_sec(config.address_per_sec),
        client_per_sec: per_sec(config.client_per_sec),
        account_per_sec: per_sec(config.account_per_sec),
        patients_per_hour: usize::try_from(config.patients_per_hour).unwrap_or(usize::MAX),
        ..Rates::default()
    }
}

/// How the upstream of a configuration is reached.
///
/// # Errors
/// When the file with its credential cannot be read.
pub fn http_upstream(config: &UpstreamConfig) -> anyhow::Result<HttpUpstreamSettings> {
    let mut upstream = HttpUpstreamSettings::at(config.url.clone());
    upstream.timeout = Duration::from_secs(config.timeout_secs);
    if let Some(file) = &config.authorization_file {
        let text = std::fs::read_to_string(file).with_context(|| {
            format!("key `upstream.authorization_file`: cannot read `{}`", file.display())
        })?;
        upstream.authorization = Some(Secret::new(text.trim().to_owned()));
    }
    Ok(upstream)
}

/// Becomes true on Ctrl-C or SIGTERM. From the moment this returns, either of them stops the
/// process in good order; before, they end it.
///
/// # Errors
/// When the system does not let signals be handled.
pub fn stop_on_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        sender.send_replace(true);
    });
    Ok(receiver)
}
