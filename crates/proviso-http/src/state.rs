//! What every handler is given.

use std::sync::Arc;

use proviso_app::App;
use proviso_app::settings::Registration;
use proviso_oauth::discovery::RegistrationOffer;
use proviso_oauth::server::ServerUrls;

use crate::demo::DemoApp;
use crate::frame::World;
use crate::oauth::failures::Failures;

/// Whether the demonstration app is served beside the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demonstration {
    /// The demo world: `/demo`, sign-in hints, a banner on every page.
    Served,
    /// A real installation.
    Off,
}

/// Everything the control plane needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpState {
    pub(crate) app: Arc<App>,
    pub(crate) urls: Arc<ServerUrls>,
    pub(crate) demo: Option<Arc<DemoApp>>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) strangers: Arc<Failures>,
}

impl HttpState {
    /// Puts the control plane on top of the application.
    pub fn new(app: Arc<App>, demonstration: Demonstration) -> Self {
        let urls = Arc::new(ServerUrls::new(app.settings().public_url.clone()));
        let demo = match demonstration {
            Demonstration::Served => Some(Arc::new(DemoApp::new(&app.settings().public_url))),
            Demonstration::Off => None,
        };
        Self {
            app,
            urls,
            demo,
            failures: Arc::new(Failures::of_apps()),
            strangers: Arc::new(Failures::of_strangers()),
        }
    }

    pub(crate) const fn world(&self) -> World {
        if self.demo.is_some() { World::Demonstration } else { World::Real }
    }

    pub(crate) fn registration(&self) -> RegistrationOffer {
        match self.app.settings().registration {
            Registration::Open => RegistrationOffer::Open,
            Registration::Closed => RegistrationOffer::Closed,
        }
    }
}
