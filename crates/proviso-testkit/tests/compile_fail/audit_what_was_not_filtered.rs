//! What an upstream answered cannot skip the filter.
use proviso_gateway::Gateway;
use proviso_gateway::audit::audit;
use proviso_gateway::forward::Forwarded;

async fn shortcut(gateway: &Gateway, forwarded: Forwarded) {
    let _ = audit(gateway, forwarded, None).await;
}

fn main() {}
