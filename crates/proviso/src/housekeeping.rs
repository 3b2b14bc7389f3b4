//! What a server does for itself: forgetting what has ended, now and then, labelling its records
//! anew when the rules have changed, and keeping a snapshot of consents for its next start.

use std::sync::Arc;
use std::time::Duration;

use proviso_app::App;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_hours(1);
/// After how many batches it is told how far the labels are.
const TELL_EVERY: u64 = 50;

/// Starts the work, until the server stops.
pub fn start(app: Arc<App>, stop: watch::Receiver<bool>) {
    tokio::spawn(forget(Arc::clone(&app), stop.clone()));
    tokio::spawn(keep_snapshots(Arc::clone(&app), stop.clone()));
    tokio::spawn(relabel(app, stop));
}

/// Writes a snapshot of the consents in memory, for the next start. Without one, or with an earlier
/// one, that start takes longer and decides the same.
pub async fn write_snapshot(app: &App) {
    match app.write_snapshot().await {
        Ok(None) => {}
        Ok(Some(written)) => tracing::info!(
            epoch = written.epoch,
            consents = written.consents,
            bytes = written.bytes,
            "a snapshot of consents was written"
        ),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no snapshot of consents was written; the next start reads more from the store"
            );
        }
    }
}

async fn keep_snapshots(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut written = None;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once: after a start from the store there is a snapshot soon.
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let epoch = app.live().epoch();
                if written != Some(epoch) {
                    write_snapshot(&app).await;
                    written = Some(epoch);
                }
            }
            changed = stop.changed() => {
                if changed.is_err() || *stop.borrow() {
                    return;
                }
            }
        }
    }
}

async fn forget(app: Arc<App>, mut stop: watch::Receiver<bool>) {
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
}

/// Labels stored records by the rules in effect, batch by batch. A server that stops goes on after
/// the last batch when it starts again. What fails is tried again in an hour.
async fn relabel(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if let Err(error) = relabel_all(&app, &stop).await {
                    tracing::warn!(%error, "records could not be labelled anew; tried again later");
                }
            }
            changed = stop.changed() => {
                if changed.is_err() || *stop.borrow() {
                    return;
                }
            }
        }
    }
}

async fn relabel_all(
    app: &App,
    stop: &watch::Receiver<bool>,
) -> Result<(), proviso_app::records::RelabelError> {
    let mut batches = 0_u64;
    while !*stop.borrow() && app.relabel_batch().await? > 0 {
        batches += 1;
        if batches % TELL_EVERY == 1 {
            tell(app).await?;
        }
    }
    if batches > 0 {
        tell(app).await?;
    }
    Ok(())
}

async fn tell(app: &App) -> Result<(), proviso_app::records::RelabelError> {
    let progress = app.label_progress().await?;
    tracing::info!(
        version = progress.set.short(),
        labelled = progress.labelled,
        left = progress.stale,
        changed = progress.changed,
        "labelling records by the rules in effect"
    );
    Ok(())
}
