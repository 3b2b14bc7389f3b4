//! Wiring: configuration, keys, listeners, the demo world and the subcommands of the binary.

pub mod accounts;
pub mod choices;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod control;
pub mod demo;
pub mod emergencies;
pub mod housekeeping;
pub mod import;
pub mod installation;
pub mod key_fetch;
pub mod listener;
pub mod policies;
pub mod proxies;
pub mod question;
pub mod reviews;
pub mod simulation;
pub mod single_instance;

pub mod slow_body;
pub mod telemetry;
