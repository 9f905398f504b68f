//! Shows on the terminal how far a command is.
//!
//! The display is one line of plain text. It needs no escape sequence, so it is the same where
//! colours are unwanted, and whatever a dead process leaves can be overwritten.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::terminal::width_of;
use crate::install::summary::bytes;

/// Number of characters of a bar between its brackets.
const BAR: usize = 24;

/// Columns at the end of the line that stay empty, for the `^C` that a terminal echoes.
const ECHO: usize = 2;

/// Time between two pictures of a display without steps.
const TICK: Duration = Duration::from_millis(120);

/// A display that shows how far a command is. Nothing of it stays on the screen.
#[derive(Debug, Clone)]
pub struct ProgressLine {
    bar: ProgressBar,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    task: &'static str,
    unit: &'static str,
    began: Instant,
    done: usize,
    total: usize,
    received: u64,
    /// Packages that are still to come, by id. It may be empty although there are some.
    open: HashMap<usize, String>,
}

impl ProgressLine {
    /// Returns a display for a task, which appears as soon as the number of steps is known.
    pub fn of_steps(task: &'static str, is_shown: bool) -> Self {
        Self::new(task, is_shown, "{wide_msg}")
    }

    /// Returns a display for a task whose end is not known. Ctrl-C removes it and ends the process.
    pub fn without_end(task: &'static str, is_shown: bool) -> Self {
        let line = Self::new(task, is_shown, "{spinner} {wide_msg}");
        if is_shown {
            line.bar.set_message(task);
            line.bar.enable_steady_tick(TICK);
            line.end_at_signals();
        }
        line
    }

    fn new(task: &'static str, is_shown: bool, template: &str) -> Self {
        let target = if is_shown {
            ProgressDrawTarget::term_like_with_hz(Box::new(PlainTerminal::default()), 20)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.tick_chars("|/-\\ "));
        }
        let state = State {
            task,
            unit: "packages",
            began: Instant::now(),
            done: 0,
            total: 0,
            received: 0,
            open: HashMap::new(),
        };
        Self {
            bar,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Sets the number of packages to come.
    pub fn expect(&self, total: usize) {
        self.state.lock().total = total;
        self.show();
    }

    /// Sets the packages to come, by name and id.
    pub fn expect_packages(&self, packages: &[(usize, String)]) {
        if !self.bar.is_hidden() {
            self.state.lock().open = packages.iter().cloned().collect();
        }
        self.expect(packages.len());
    }

    /// Counts a package that is ready.
    pub fn settle(&self, id: usize) {
        let mut state = self.state.lock();
        state.done += 1;
        state.open.remove(&id);
    }

    /// Counts bytes that arrived.
    pub fn receive(&self, bytes: u64) {
        self.state.lock().received += bytes;
    }

    /// Sets the number of metadata files that were answered, and of those that are known of.
    pub fn count_metadata(&self, done: usize, total: usize) {
        let mut state = self.state.lock();
        state.unit = "metadata files";
        (state.done, state.total) = (done, total);
    }

    /// Shows the present state.
    pub fn show(&self) {
        if !self.bar.is_hidden() {
            let text = self.state.lock().text(columns());
            self.bar.set_message(text);
            self.bar.tick();
        }
    }

    /// Calls a function that prints something, while the display is away.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Removes the display.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn end_at_signals(&self) {
        let bar = self.bar.clone();
        // Without the thread, a signal ends the process too, and leaves the line.
        if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
            let _ = std::thread::Builder::new().spawn(move || {
                for signal in signals.forever() {
                    bar.finish_and_clear();
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
            });
        }
    }
}

impl State {
    /// Returns the text of the line, with as many of its parts as fit.
    fn text(&self, columns: usize) -> String {
        let counts = format!("{}/{} {}", self.done, self.total, self.unit);
        let mut text = String::from(self.task);
        if text.len() + BAR + counts.len() + 4 <= columns {
            let filled = (BAR * self.done).checked_div(self.total).unwrap_or(0);
            let head = if filled < BAR { ">" } else { "" };
            let rest = BAR - filled - head.len();
            let _ = write!(text, " [{}{head}{}]", "=".repeat(filled), "-".repeat(rest));
        }
        text.push(' ');
        text.push_str(&counts);
        for detail in self.details() {
            if text.len() + detail.len() + 2 > columns {
                break;
            }
            text.push_str(", ");
            text.push_str(&detail);
        }
        text
    }

    /// Returns the parts of the line behind the numbers.
    fn details(&self) -> Vec<String> {
        let mut details = Vec::new();
        if self.received > 0 {
            details.push(bytes(self.received));
            let seconds = self.began.elapsed().as_secs_f64();
            if seconds >= 1.0 {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the rate is for people"
                )]
                let rate = (self.received as f64 / seconds) as u64;
                details.push(format!("{}/s", bytes(rate)));
            }
        }
        if self.open.len() == 1
            && let Some(name) = self.open.values().next()
            && name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            details.push(name.clone());
        }
        details
    }
}

/// Returns the number of columns that the line may have.
fn columns() -> usize {
    width_of(io::stderr()).saturating_sub(ECHO + 1)
}

/// A terminal of which carriage returns and spaces are used alone.
#[derive(Debug, Default)]
struct PlainTerminal {
    picture: Mutex<String>,
}

impl PlainTerminal {
    fn add(&self, text: &str) {
        self.picture.lock().push_str(text);
    }
}

impl TermLike for PlainTerminal {
    fn width(&self) -> u16 {
        u16::try_from(columns()).unwrap_or(u16::MAX)
    }

    // The display has one line, so the cursor never leaves it.
    fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text);
        self.add("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let spaces = " ".repeat(columns() + ECHO);
        self.add(&format!("\r{spaces}\r"));
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let picture = std::mem::take(&mut *self.picture.lock());
        // One write for each picture keeps the line from flickering.
        io::stderr().write_all(picture.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(done: usize, received: u64) -> State {
        State {
            task: "Installing",
            unit: "packages",
            began: Instant::now(),
            done,
            total: 8,
            received,
            open: HashMap::from([(3, "acme/last".to_owned())]),
        }
    }

    #[test]
    fn the_line_has_what_fits() {
        for (columns, text) in [
            (10, "Installing 4/8 packages"),
            (40, "Installing 4/8 packages, acme/last"),
            (60, "Installing [============>-----------] 4/8 packages"),
            (
                80,
                "Installing [============>-----------] 4/8 packages, acme/last",
            ),
        ] {
            assert_eq!(state(4, 0).text(columns), text);
        }
        assert_eq!(
            state(8, 3 << 20).text(62),
            "Installing [========================] 8/8 packages, 3.0 MiB"
        );
        assert_eq!(
            state(0, 0).text(50),
            "Installing [>-----------------------] 0/8 packages"
        );
    }
}
