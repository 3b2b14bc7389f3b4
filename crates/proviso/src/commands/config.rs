//! `proviso config`.

use std::path::Path;

use super::Ending;
use crate::cli::ConfigCommand;
use crate::config::{Config, reference_page};
use crate::console::{self, Mark};

/// Runs it.
///
/// # Errors
/// Never; a refused configuration is a finding.
pub fn run(command: &ConfigCommand) -> anyhow::Result<Ending> {
    match command {
        ConfigCommand::Reference => {
            console::line(reference_page().trim_end());
            Ok(Ending::Done)
        }
        ConfigCommand::Check { config } => Ok(check(config)),
    }
}

fn check(file: &Path) -> Ending {
    match Config::load(file) {
        Ok(_) => {
            console::marked(Mark::Good, &format!("`{}` is accepted", file.display()));
            Ending::Done
        }
        Err(error) => {
            console::marked(Mark::Bad, &format!("{:#}", anyhow::Error::from(error)));
            Ending::FoundWrong
        }
    }
}
