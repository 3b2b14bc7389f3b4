//! Proviso.
fn main() {}
