//! Words on the terminal: coloured only where a person looks, JSON where a script asks.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How a line is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Wrong.
    Bad,
}

/// Prints a line to standard output; a closed pipe is not an error worth a panic.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").is_err() {
        tracing::debug!("standard output is closed");
    }
}

/// Prints a line with a coloured mark when standard output is a terminal.
pub fn marked(mark: Mark, text: &str) {
    let word = match mark {
        Mark::Good => "ok",
        Mark::Note => "note",
        Mark::Bad => "FAIL",
    };
    if std::io::stdout().is_terminal() {
        let colour = match mark {
            Mark::Good => 32,
            Mark::Note => 33,
            Mark::Bad => 31,
        };
        line(&format!("\u{1b}[{colour}m{word:>4}\u{1b}[0m  {text}"));
    } else {
        line(&format!("{word:>4}  {text}"));
    }
}

/// Text in bold when standard output is a terminal.
pub fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// A progress bar on standard error; nothing when that is not a terminal.
pub fn progress(what: &str, total: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(
        "{msg} [{wide_bar}] {human_pos}/{human_len} {per_sec} {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(total), target)
        .with_style(style)
        .with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
