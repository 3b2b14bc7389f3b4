//! The subcommands, one module each.

pub mod config;
pub mod demo;
pub mod doctor;
pub mod keys;
pub mod policy;
pub mod serve;
pub mod verify;

use std::process::ExitCode;

/// How a command ended, for scripts (the codes are in `--help`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Done.
    Done,
    /// Done, and something was found wrong.
    FoundWrong,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::SUCCESS,
            Ending::FoundWrong => Self::from(3),
        }
    }
}
