//! A permit is used up by forwarding it.
use proviso_gateway::Gateway;
use proviso_gateway::decide::Permitted;
use proviso_gateway::forward::forward;

async fn again(gateway: &Gateway, permitted: Permitted) {
    let _ = forward(gateway, permitted).await;
    let _ = forward(gateway, permitted).await;
}

fn main() {}
