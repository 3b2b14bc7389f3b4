//! What was filtered is no answer before its change is made with its entry.
use proviso_gateway::Gateway;
use proviso_gateway::audit::audit;
use proviso_gateway::filter::Filtered;

async fn shortcut(gateway: &Gateway, filtered: Filtered) {
    let _ = audit(gateway, filtered, None).await;
}

fn main() {}
