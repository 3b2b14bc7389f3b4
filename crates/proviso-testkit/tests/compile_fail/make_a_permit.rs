//! Only the decision makes permits.
use proviso_gateway::decide::Permit;

fn main() {
    let _ = Permit(());
}
