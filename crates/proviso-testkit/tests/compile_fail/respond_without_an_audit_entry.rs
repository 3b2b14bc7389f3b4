//! What was only filtered cannot be sent.
use proviso_gateway::Gateway;
use proviso_gateway::filter::Filtered;
use proviso_gateway::respond::respond;

fn shortcut(gateway: &Gateway, filtered: Filtered) {
    let _ = respond(gateway, filtered);
}

fn main() {}
