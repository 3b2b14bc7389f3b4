//! What `--help` says.

use clap::CommandFactory as _;
use proviso::cli::Cli;

use crate::Ran;

/// The help of a command and of every command below it.
fn help(command: &mut clap::Command, path: &str, out: &mut String) {
    let text = command.render_long_help().to_string();
    out.push_str(&format!("$ {path} --help\n{}\n\n", text.trim_end()));
    for below in command.get_subcommands_mut() {
        let path = format!("{path} {}", below.get_name());
        help(below, &path, out);
    }
}

#[test]
fn every_command_explains_itself() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut out = String::new();
    help(&mut command, "proviso", &mut out);
    insta::assert_snapshot!(out);
}

#[tokio::test]
async fn help_and_version_are_no_mistakes() {
    let help = Ran::of(&["--help"]).await.expect(0);
    help.says("Exit codes").says("proviso demo");
    assert!(!help.out.contains('\u{1b}'), "coloured without a terminal");
    Ran::of(&["--version"]).await.expect(0).says("proviso 0.");
    Ran::of(&["config", "reference"]).await.expect(0).says("public_url");
}

#[tokio::test]
async fn a_wrong_command_line_is_told_apart_from_a_failure() {
    for arguments in [
        &["nonsense"][..],
        &[],
        &["serve"],
        &["verify"],
        &["verify", "--config", "a", "--data", "b"],
        &["demo", "--listen", "nowhere"],
        &["demo", "--patients", "-1"],
        &["import", "--data", "x"],
        &["keys"],
    ] {
        let ran = Ran::of(arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("Usage") || ran.err.contains("--help"), "{arguments:?}");
    }
}
