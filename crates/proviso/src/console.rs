//! Words on the terminal: coloured only where a person looks, JSON where a script asks.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

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

/// Prints a line with a mark, coloured when standard output is a terminal that wants colours.
pub fn marked(mark: Mark, text: &str) {
    let word = match mark {
        Mark::Good => "ok",
        Mark::Note => "note",
        Mark::Bad => "FAIL",
    };
    if colours(std::io::stdout().is_terminal()) {
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

/// Text in bold when standard output is a terminal that wants it.
pub fn bold(text: &str) -> String {
    if colours(std::io::stdout().is_terminal()) {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Whether escape sequences for colour and weight are written to a stream.
pub fn colours(terminal: bool) -> bool {
    // https://no-color.org: set to anything but nothing.
    terminal && !is_dumb() && environment("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A terminal that can do nothing but print: no colours, and nothing that is drawn again in place.
fn is_dumb() -> bool {
    environment("TERM").is_some_and(|term| term == "dumb")
}

/// About the terminal only the environment knows; nothing else is read from it.
fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// A progress bar on standard error; nothing when that is not a terminal that can redraw. Until a
/// total is known ([`total_known`]) it shows that something is done, and no bar.
pub fn progress(what: &str, total: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() && !is_dumb() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{msg} {spinner}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar =
        ProgressBar::with_draw_target(None, target).with_style(style).with_message(what.to_owned());
    total_known(&bar, total);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Gives a bar its total, and with it its shape. Of nothing no bar is drawn: it would be full.
pub fn total_known(bar: &ProgressBar, total: u64) {
    if total == 0 || bar.length() == Some(total) {
        return;
    }
    if bar.length().is_none() {
        let template = "{msg} [{wide_bar}] {human_pos}/{human_len} {rate} {eta} left";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let drawn = out.write_str(&whole_rate(state.per_sec()));
                // A line that cannot be drawn is drawn again a moment later.
                drawn.unwrap_or_default();
            });
        bar.set_style(style);
    }
    bar.set_length(total);
}

/// So many a second, in whole numbers.
fn whole_rate(per_sec: f64) -> String {
    format!("{per_sec:.0}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_whole_numbers() {
        for (rate, text) in [(0.0, "0/s"), (0.6, "1/s"), (12_695.905_7, "12696/s")] {
            assert_eq!(whole_rate(rate), text);
        }
    }

    #[test]
    fn a_bar_has_no_length_before_its_total_is_known() {
        let bar = progress("looking", 0);
        assert_eq!(bar.length(), None);
        total_known(&bar, 0);
        assert_eq!(bar.length(), None);
        total_known(&bar, 7);
        assert_eq!(bar.length(), Some(7));
        assert_eq!(progress("looking", 3).length(), Some(3));
    }
}
