//! gRPC as callers speak it: framing, and the messages of two protocols.

pub mod cerbos;
pub mod envoy;

use bytes::{BufMut as _, Bytes};

/// The path of Envoy's question.
pub const ENVOY_CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// One message as gRPC frames it.
///
/// # Panics
/// When a message has 4 GiB or more.
pub fn framed(compressed: u8, message: &[u8]) -> Bytes {
    let mut frame = Vec::new();
    frame.put_u8(compressed);
    frame.put_u32(u32::try_from(message.len()).expect("a message of less than 4 GiB"));
    frame.put_slice(message);
    frame.into()
}
