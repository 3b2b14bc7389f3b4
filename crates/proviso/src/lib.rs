//! Wiring: configuration, keys, listeners, the demo world and the subcommands of the binary.

pub mod cli;
pub mod config;
pub mod listener;
pub mod telemetry;
