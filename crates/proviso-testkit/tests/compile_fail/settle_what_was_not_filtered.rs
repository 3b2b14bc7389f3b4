//! What an upstream answered cannot skip the filter.
use proviso_gateway::Gateway;
use proviso_gateway::audit::settle;
use proviso_gateway::forward::Forwarded;

async fn shortcut(gateway: &Gateway, forwarded: Forwarded) {
    let _ = settle(gateway, forwarded).await;
}

fn main() {}
