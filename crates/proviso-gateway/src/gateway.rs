//! The gateway as a value: the application, the upstream, the limits.

use std::sync::Arc;

use proviso_app::App;
use proviso_app::ports::Clock;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use tokio::sync::Semaphore;

use crate::cursor::Cursors;
use crate::rate::RateLimits;
use crate::settings::{GatewaySettings, UpstreamSettings};
use crate::upstream::Upstream;
use crate::upstream::http::{HttpUpstream, UpstreamSetupError};

/// LIMIT: looks through all records of a patient that go on at the same time, so that they leave most
/// of the machine to requests; others wait.
const SIMULATIONS_AT_ONCE: usize = 2;

/// Why the gateway refuses to start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The upstream's settings cannot work.
    #[error("the upstream cannot be used")]
    Upstream(#[source] UpstreamSetupError),
    /// No key for page links.
    #[error("the key for page links cannot be had")]
    CursorKey,
}

/// The data plane: everything a FHIR request needs on its way.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) app: Arc<App>,
    pub(crate) settings: GatewaySettings,
    pub(crate) upstream: Upstream,
    /// Where consents on file are: our own store, wherever the records are.
    pub(crate) registry: Upstream,
    pub(crate) rates: RateLimits,
    pub(crate) cursors: Cursors,
    /// Whose turn it is to look through all records of a patient.
    pub(crate) simulating: Semaphore,
    /// `[public_url]/fhir/r4`
    pub(crate) base: String,
    /// The CapabilityStatement.
    pub(crate) capability: Vec<u8>,
}

/// The application's clock, as the rate limits want it.
#[derive(Debug)]
struct AppTime(Arc<App>);

impl Clock for AppTime {
    fn now(&self) -> At {
        self.0.now()
    }
}

impl Gateway {
    /// Puts a gateway in front of the upstream that the settings name.
    ///
    /// # Errors
    /// When the upstream's settings cannot work or no key for page links can be had.
    pub fn new(app: Arc<App>, settings: GatewaySettings) -> Result<Self, GatewayError> {
        let upstream = match &settings.upstream {
            UpstreamSettings::Embedded => Upstream::Embedded(Arc::clone(&app)),
            UpstreamSettings::Http(http) => {
                let http = HttpUpstream::new(http, app.labels()).map_err(GatewayError::Upstream)?;
                Upstream::Http(Box::new(http))
            }
        };
        let key = app.keys().derive(b"fhir page links").map_err(|_| GatewayError::CursorKey)?;
        let cursors = Cursors::new(&key).map_err(|_| GatewayError::CursorKey)?;
        let clock = Arc::new(AppTime(Arc::clone(&app)));
        let base = format!("{}/fhir/r4", settings.public_url.trim_end_matches('/'));
        let rates = RateLimits::new(&settings.rates, clock);
        let capability = crate::capability::statement(&settings, &base);
        let registry = Upstream::Embedded(Arc::clone(&app));
        let simulating = Semaphore::new(SIMULATIONS_AT_ONCE);
        Ok(Self { app, settings, upstream, registry, rates, cursors, simulating, base, capability })
    }

    /// Where the resources of a type are.
    pub(crate) fn upstream_of(&self, kind: ResourceType) -> &Upstream {
        if kind == ResourceType::CONSENT { &self.registry } else { &self.upstream }
    }
}
