//! A request that was only classified cannot be forwarded.
use proviso_gateway::Gateway;
use proviso_gateway::classify::Classified;
use proviso_gateway::forward::forward;

async fn shortcut(gateway: &Gateway, classified: Classified) {
    let _ = forward(gateway, classified).await;
}

fn main() {}
