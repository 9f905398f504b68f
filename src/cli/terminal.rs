//! The output layer: results, messages, colours and progress of the command line.

use std::io::{self, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::settings::Settings;
use crate::settings::Environment;

/// Style of things that are added or in order.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Style of things that are removed or wrong.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Style of things that need a look.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
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

    /// Prints a remark that only `--verbose` shows.
    pub fn detail(&self, line: impl std::fmt::Display) {
        if self.is_verbose {
            self.note(line);
        }
    }

    /// Prints a warning on standard error, unless the user wants quiet.
    pub fn warn(&self, sentence: impl std::fmt::Display) {
        self.note(format_args!(
            "{WARNING}allegro: warning:{WARNING:#} {sentence}"
        ));
    }

    /// Reports a failure, unless the user has seen it, and returns the exit code.
    pub fn fail(&self, failure: &Failure) -> u8 {
        if let Failure::Untold { message, hint, .. } = failure {
            let mut errors = self.errors();
            let _ = writeln!(errors, "{BAD}allegro:{BAD:#} {message}");
            if let Some(hint) = hint {
                let _ = writeln!(errors, "  {DIM}{hint}{DIM:#}");
            }
        }
        failure.exit_code()
    }

    /// Returns the width of standard output in columns.
    pub fn width(&self) -> usize {
        rustix::termios::tcgetwinsize(io::stdout())
            .map(|size| usize::from(size.ws_col))
            .ok()
            .filter(|width| *width > 0)
            .unwrap_or(WIDTH)
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

    /// Returns a progress display of `length` steps, which is invisible where nobody wants one.
    pub fn progress(&self, length: Option<u64>, task: &'static str) -> ProgressBar {
        let target = if self.has_progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(length, target);
        let template = if length.is_some() {
            "{msg} {wide_bar} {pos}/{len}"
        } else {
            "{spinner} {msg} {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(task);
        if self.has_progress && length.is_none() {
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
        }
        bar
    }
}
