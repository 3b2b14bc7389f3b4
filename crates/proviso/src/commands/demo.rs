//! `proviso demo`: a world of synthetic people, served on this machine only.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings, UpstreamSettings};
use proviso_http::Demonstration;

use super::Ending;
use super::serve::{Planes, planes, stop_on_signal};
use crate::cli::DemoArgs;
use crate::console::{bold, line, progress};
use crate::control;
use crate::demo::{self, Seeding, world};
use crate::housekeeping;
use crate::installation::Installation;
use crate::listener::Listener;

/// As the default of `limits.not_found_millis`.
const NOT_FOUND_BEAT: Duration = Duration::from_millis(5);

/// Runs it until Ctrl-C.
///
/// # Errors
/// When the folder is not a demo's, the address is taken, or the address is not loopback.
pub async fn run(arguments: &DemoArgs) -> anyhow::Result<Ending> {
    anyhow::ensure!(
        arguments.listen.ip().is_loopback(),
        "the demo listens on this machine only, because everybody knows its passwords; \
         `--listen` takes a loopback address such as 127.0.0.1:8080"
    );
    // Before anything is built: whoever stops it at once stops it in good order.
    let stop = stop_on_signal()?;
    demo::require_free_or_world(&arguments.data)?;
    let listener = Listener::bind(arguments.listen, None).await?;
    let origin = format!("http://{}", listener.address()?);
    let installation = Installation::demo(&arguments.data, &origin);
    let lock = installation.lock()?;
    let app = installation.open(&lock).await?;
    let bar = progress("building the demo world", 0);
    let seeding = demo::seed(&app, &arguments.data, arguments.patients, &bar, &stop).await;
    bar.finish_and_clear();
    if seeding? == Seeding::Stopped {
        line("stopped before the world was complete; the same command goes on where it was");
        return Ok(Ending::Done);
    }
    let mut gateway = GatewaySettings::embedded(origin.clone());
    gateway.limits.not_found_beat = NOT_FOUND_BEAT;
    if let Some(url) = &arguments.upstream {
        let url = url.trim_end_matches('/');
        gateway.upstream = UpstreamSettings::Http(HttpUpstreamSettings::at(url));
    }
    let Planes { router, gateway } = planes(&app, gateway, Demonstration::Served)?;
    greet(&origin, arguments);
    housekeeping::start(Arc::clone(&app), stop.clone());
    let telling = tokio::spawn(gateway.tell(stop.clone()));
    let orders = control::start(Arc::clone(&app), &arguments.data, stop.clone())?;
    listener.serve(router, stop).await;
    telling.await.context("notifications")?;
    orders.await.context("control socket")?;
    housekeeping::write_snapshot(&app).await;
    line("stopped; the same command finds everything again");
    drop(Arc::clone(&app));
    Ok(Ending::Done)
}

fn greet(origin: &str, arguments: &DemoArgs) {
    line("");
    line(&format!("Proviso is ready at {}", bold(origin)));
    line("It listens on this machine only. All people are synthetic.");
    line("");
    line(&format!("  try it     {origin}/demo"));
    line(&format!("  portal     {origin}/portal"));
    line(&format!("  clinicians {origin}/launch"));
    line(&format!("  FHIR base  {origin}/fhir/r4"));
    line("");
    line(&format!("Sign in with any of these names; the password is {}", bold("proviso-demo")));
    for person in world::people::ALL {
        line(&format!("  {:<10} {}", person.username, person.about));
    }
    line("");
    line("What to try first:");
    line("  1. Open the first address and connect Glucose Coach as maria.");
    line("  2. Tick medications and laboratory results; choose Share.");
    line("  3. Look at Activity in the portal, stop sharing, and ask for the data again.");
    line("");
    line(&format!(
        "Data is in {} (secrets of the demo apps: demo-clients.json). Ctrl-C stops.",
        arguments.data.display()
    ));
}
