//! Writes lines as Composer's `ConsoleIO` does: to standard error, with its tags turned into
//! colours or left out.

use std::io::Write;

use crate::scripts::ScriptIo;
pub use crate::scripts::Verbosity;
use crate::scripts::markup::formatted;

/// A place for lines in Composer's notation. Composer writes colours to both streams or to none,
/// because they share a formatter (`Factory::createOutput`, composer 2.10.2).
pub struct Console {
    verbosity: Verbosity,
    is_decorated: bool,
    writer: Box<dyn Write + Send>,
}

impl Console {
    /// Returns a console that writes to `writer`.
    pub fn new(
        verbosity: Verbosity,
        is_decorated: bool,
        writer: impl Write + Send + 'static,
    ) -> Self {
        Self {
            verbosity,
            is_decorated,
            writer: Box::new(writer),
        }
    }

    /// Writes a line to standard output, unless the run is quiet.
    pub fn output_line(&mut self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            let mut line = formatted(text, self.is_decorated);
            line.push('\n');
            self.write_raw(line.as_bytes());
        }
    }

    /// Writes a line to standard output, if the run is verbose.
    pub fn output_detail(&mut self, text: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.output_line(text);
        }
    }

    /// Writes a line at normal verbosity. Nobody may be reading, which is not a failure.
    pub fn line(&mut self, text: &str) {
        self.line_at(Verbosity::Normal, text);
    }

    /// Writes a line if the run is at least as verbose as `verbosity`.
    pub fn line_at(&mut self, verbosity: Verbosity, text: &str) {
        if self.verbosity >= verbosity {
            let mut line = formatted(text, self.is_decorated);
            line.push('\n');
            let _ = self.writer.write_all(line.as_bytes());
        }
    }
}

impl ScriptIo for Console {
    fn write_error(&mut self, line: &str) {
        self.line_at(Verbosity::Quiet, line);
    }

    fn write_raw(&mut self, bytes: &[u8]) {
        self.flush();
        let mut output = std::io::stdout();
        let _ = output.write_all(bytes).and_then(|()| output.flush());
    }

    fn write_error_raw(&mut self, bytes: &[u8]) {
        let _ = self.writer.write_all(bytes);
        self.flush();
    }

    fn flush(&mut self) {
        let _ = self.writer.flush();
    }
}
