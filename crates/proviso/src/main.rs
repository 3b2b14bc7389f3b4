//! The binary: words in, one use of the library, an exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use proviso::cli::{Cli, Command};
use proviso::commands::{self, Ending};
use proviso::config::LogFormat;
use proviso::{import, telemetry};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(ending) => ending.into(),
        Err(error) => {
            eprintln!("proviso: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<Ending> {
    // One provider for every TLS configuration; the first call decides, so it is made first.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        anyhow::bail!("another TLS provider is installed");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Serve(arguments) => runtime.block_on(commands::serve::run(&arguments.config)),
        Command::Demo(arguments) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::demo::run(&arguments))
        }
        Command::Import(arguments) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(import::run(arguments))
        }
        Command::Verify(arguments) => {
            telemetry::start(LogFormat::Text, "warn");
            commands::verify::run(&arguments)
        }
        Command::Decide(arguments) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::decide::run(&arguments))
        }
        Command::Replay(arguments) => {
            telemetry::start(LogFormat::Text, "warn");
            commands::replay::run(&arguments)
        }
        Command::VerifyReceipt(arguments) => {
            telemetry::start(LogFormat::Text, "warn");
            commands::verify_receipt::run(&arguments)
        }
        Command::Doctor(arguments) => {
            telemetry::start(LogFormat::Text, "error");
            runtime.block_on(commands::doctor::run(&arguments))
        }
        Command::Consent(command) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::consent::run(&command))
        }
        Command::Emergency(command) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::emergency::run(&command))
        }
        Command::Review(command) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::review::run(&command))
        }
        Command::Account(command) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::account::run(&command))
        }
        Command::Proxy(command) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::proxy::run(&command))
        }
        Command::Keys(command) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::keys::run(&command))
        }
        Command::Config(command) => commands::config::run(&command),
        Command::Labels(command) => commands::labels::run(&command),
        Command::Policy(command) => {
            telemetry::start(LogFormat::Text, "warn");
            runtime.block_on(commands::policy::run(&command))
        }
    }
}
