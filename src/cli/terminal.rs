//! The output layer: results, messages, colours and progress of the command line.

use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::progress::ProgressLine;
use super::settings::Settings;
use crate::settings::Environment;

/// Style of things that are added or in order.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Style of things that are removed or wrong.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Style of things that need a look. Yellow can't be read on a white ground.
pub const WARNING: Style = AnsiColor::Magenta.on_default().bold();
/// Style of side remarks.
pub const DIM: Style = Style::new().dimmed();
/// Style of headings and names.
pub const STRONG: Style = Style::new().bold();

/// Width in columns where nothing is known about the terminal.
const WIDTH: usize = 80;

/// The two output streams of the process, and what the user wants to see on them.
#[derive(Debug)]
pub struct Terminal {
    colors: ColorChoice,
    is_quiet: bool,
    is_verbose: bool,
    has_progress: bool,
}

impl Terminal {
    /// Returns the terminal for errors before the settings are known.
    pub fn plain() -> Self {
        Self {
            colors: ColorChoice::Auto,
            is_quiet: false,
            is_verbose: false,
            has_progress: false,
        }
    }

    /// Returns the terminal that the settings ask for.
    pub fn new(settings: &Settings, environment: &Environment) -> Self {
        let is_dumb = environment.value("TERM").is_some_and(|term| term == "dumb");
        let is_ci = environment.value("CI").is_some();
        Self {
            colors: if settings.no_color.value {
                ColorChoice::Never
            } else {
                ColorChoice::Auto
            },
            is_quiet: settings.quiet.value,
            is_verbose: settings.verbose.value,
            has_progress: !settings.quiet.value
                && !settings.no_progress.value
                && !is_dumb
                && !is_ci
                && io::stderr().is_terminal(),
        }
    }

    /// Returns the terminal without colours.
    #[must_use]
    pub fn without_colors(self) -> Self {
        Self {
            colors: ColorChoice::Never,
            ..self
        }
    }

    /// Returns standard output, which drops colours where they are unwanted.
    pub fn output(&self) -> AutoStream<io::Stdout> {
        AutoStream::new(io::stdout(), self.colors)
    }

    fn errors(&self) -> AutoStream<io::Stderr> {
        AutoStream::new(io::stderr(), self.colors)
    }

    /// Prints a line of the command's result, also where the user wants quiet.
    pub fn say(&self, line: impl std::fmt::Display) -> Result<(), Failure> {
        Ok(writeln!(self.output(), "{line}")?)
    }

    /// Prints a text that ends with a line break.
    pub fn print(&self, text: impl std::fmt::Display) -> Outcome {
        write!(self.output(), "{text}")?;
        Ok(0)
    }

    /// Prints a value as JSON with indentation.
    pub fn json(&self, value: &impl Serialize) -> Outcome {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| allegro_base::error::Error::Internal(error.to_string()))?;
        self.say(text)?;
        Ok(0)
    }

    /// Prints a remark on standard error, unless the user wants quiet.
    pub fn note(&self, line: impl std::fmt::Display) {
        if !self.is_quiet {
            // A remark that nobody can read is no failure.
            let _ = writeln!(self.errors(), "{line}");
        }
    }

    /// Prints the next step for the user on standard error, unless the user wants quiet.
    pub fn advise(&self, step: impl std::fmt::Display) {
        let width = error_width().saturating_sub(NEXT.len());
        let step = wrapped(&step.to_string(), width, NEXT);
        self.note(format_args!("{NEXT}{DIM}{step}{DIM:#}"));
    }

    /// Prints a remark that only `--verbose` shows.
    pub fn detail(&self, line: impl std::fmt::Display) {
        if self.is_verbose {
            self.note(line);
        }
    }

    /// Prints a warning on standard error, unless the user wants quiet.
    pub fn warn(&self, sentence: impl std::fmt::Display) {
        let label = "allegro: warning:";
        let text = wrapped(&format!("{label} {sentence}"), error_width(), NEXT);
        let text = text.strip_prefix(label).unwrap_or(&text);
        self.note(format_args!("{WARNING}{label}{WARNING:#}{text}"));
    }

    /// Reports a failure, unless the user has seen it, and returns the exit code.
    pub fn fail(&self, failure: &Failure) -> u8 {
        if let Failure::Untold { message, hint, .. } = failure {
            let mut errors = self.errors();
            let label = "allegro:";
            let text = wrapped(&format!("{label} {message}"), error_width(), NEXT);
            let text = text.strip_prefix(label).unwrap_or(&text);
            let _ = writeln!(errors, "{BAD}{label}{BAD:#}{text}");
            if let Some(hint) = hint {
                let hint = wrapped(hint, error_width().saturating_sub(NEXT.len()), NEXT);
                let _ = writeln!(errors, "{NEXT}{DIM}{hint}{DIM:#}");
            }
        }
        failure.exit_code()
    }

    /// Returns whether a person can answer a question.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question on standard error, and returns whether the answer is yes.
    pub fn asks(&self, question: impl std::fmt::Display) -> bool {
        let mut errors = self.errors();
        let _ = write!(errors, "{question} [y/N] ");
        let _ = errors.flush();
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).is_ok()
            && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// Returns a display for a task of a known number of steps. It is invisible where nobody wants
    /// one.
    pub fn steps(&self, task: &'static str) -> ProgressLine {
        ProgressLine::of_steps(task, self.has_progress)
    }

    /// Returns a display for a task whose end is not known. It is invisible where nobody wants one.
    pub fn progress(&self, task: &'static str) -> ProgressLine {
        ProgressLine::without_end(task, self.has_progress)
    }
}

/// The indentation of what belongs to the line above.
const NEXT: &str = "  ";

/// Returns the width of the terminal that a stream leads to, or the usual one.
pub fn width_of(stream: impl AsFd) -> usize {
    rustix::termios::tcgetwinsize(stream)
        .map(|size| usize::from(size.ws_col))
        .ok()
        .filter(|width| *width > 0)
        .unwrap_or(WIDTH)
}

/// Returns the width that messages are wrapped to. Only terminals need that.
fn error_width() -> usize {
    if io::stderr().is_terminal() {
        width_of(io::stderr())
    } else {
        usize::MAX
    }
}

/// Breaks lines between words, so that they fit a width where that is possible. Further lines begin
/// with `indent`.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut current = String::new();
        let mut columns = 0;
        for word in line.split(' ') {
            let length = word.chars().count();
            if columns > 0 && columns + 1 + length > width {
                lines.push(std::mem::replace(&mut current, indent.to_owned()));
                columns = indent.len();
            } else if columns > 0 {
                current.push(' ');
                columns += 1;
            }
            current.push_str(word);
            columns += length;
        }
        lines.push(current);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_break_between_words() {
        assert_eq!(wrapped("a bc def", 8, "  "), "a bc def");
        assert_eq!(wrapped("a bc def", 7, "  "), "a bc\n  def");
        assert_eq!(wrapped("a bcdefghij k", 5, "  "), "a\n  bcdefghij\n  k");
        assert_eq!(wrapped("one\ntwo", 80, "  "), "one\ntwo");
        assert_eq!(wrapped("a  b", usize::MAX, ""), "a  b");
    }
}
