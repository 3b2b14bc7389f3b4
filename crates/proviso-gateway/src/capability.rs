//! What this server offers, generated from what it enforces.

use crate::gateway::Gateway;

/// The CapabilityStatement as bytes.
pub(crate) fn statement(_: &Gateway) -> Option<Vec<u8>> {
    None
}
