//! The subcommands, one module each.

pub mod account;
pub mod config;
pub mod consent;
pub mod decide;
pub mod demo;
pub mod doctor;
pub mod emergency;
pub mod keys;
pub mod labels;
pub mod policy;
pub mod proxy;
pub mod replay;
pub mod review;
pub mod serve;
pub mod simulate;
pub mod verify;
pub mod verify_receipt;

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
