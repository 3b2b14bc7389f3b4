//! What a server does for itself now and then: forgetting what has ended.

use std::sync::Arc;
use std::time::Duration;

use proviso_app::App;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_hours(1);

/// Starts the work, until the server stops.
pub fn start(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if let Err(error) = app.purge_expired().await {
                        tracing::warn!(%error, "what has ended could not be forgotten; tried again later");
                    }
                }
                changed = stop.changed() => {
                    if changed.is_err() || *stop.borrow() {
                        return;
                    }
                }
            }
        }
    });
}
