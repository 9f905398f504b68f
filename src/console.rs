//! Writes lines as Composer's `ConsoleIO` does: to standard error, with its tags turned into
//! colours or left out.

use std::io::Write;

use crate::scripts::ScriptIo;
pub use crate::scripts::Verbosity;

/// A place for lines in Composer's notation.
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

    /// Returns the verbosity of the run.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Returns whether the lines have colours.
    pub fn is_decorated(&self) -> bool {
        self.is_decorated
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

    /// Writes a line to standard output, at normal verbosity.
    pub fn output(&mut self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            let mut line = formatted(text, self.is_decorated);
            line.push('\n');
            self.write_raw(line.as_bytes());
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

/// The styles of Composer and of Symfony's console, with the codes that begin and end them
/// (`Factory::createAdditionalStyles`, composer 2.10.2; `OutputFormatter`, symfony/console 5.4).
const STYLES: [(&str, &str, &str); 6] = [
    ("info", "\x1b[32m", "\x1b[39m"),
    ("comment", "\x1b[33m", "\x1b[39m"),
    ("question", "\x1b[30;46m", "\x1b[39;49m"),
    ("error", "\x1b[37;41m", "\x1b[39;49m"),
    ("warning", "\x1b[30;43m", "\x1b[39;49m"),
    ("highlight", "\x1b[31m", "\x1b[39m"),
];

/// Replaces the tags in a text by colours, or removes them.
pub fn formatted(text: &str, is_decorated: bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut open: Vec<(&str, &str)> = Vec::new();
    let mut rest = text;
    // Symfony colours each piece of text between two tags by the innermost style.
    let piece = |out: &mut String, open: &[(&str, &str)], text: &str| match open.last() {
        Some((begin, end)) if is_decorated && !text.is_empty() => {
            out.push_str(begin);
            out.push_str(text);
            out.push_str(end);
        }
        _ => out.push_str(text),
    };
    while let Some(at) = rest.find('<') {
        let tag = &rest[at..];
        let opened = STYLES.iter().find_map(|(name, begin, end)| {
            let length = name.len() + 2;
            (tag.get(1..=name.len()) == Some(name) && tag.get(length - 1..length) == Some(">"))
                .then_some((length, (*begin, *end)))
        });
        let closed = STYLES.iter().find_map(|(name, ..)| {
            let length = name.len() + 3;
            (tag.get(1..2) == Some("/")
                && tag.get(2..length - 1) == Some(name)
                && tag.get(length - 1..length) == Some(">"))
            .then_some(length)
        });
        let length = match (opened, closed) {
            (Some((length, style)), _) => {
                piece(&mut out, &open, &rest[..at]);
                open.push(style);
                length
            }
            (None, Some(length)) => {
                piece(&mut out, &open, &rest[..at]);
                open.pop();
                length
            }
            (None, None) => {
                piece(&mut out, &open, &rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            }
        };
        rest = &rest[at + length..];
    }
    piece(&mut out, &open, rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_colours_or_vanish() {
        let line = "  - Installing <info>a/b</info> (<comment>1.0</comment>): x < y";
        assert_eq!(
            formatted(line, false),
            "  - Installing a/b (1.0): x < y"
        );
        assert_eq!(
            formatted(line, true),
            "  - Installing \x1b[32ma/b\x1b[39m (\x1b[33m1.0\x1b[39m): x < y"
        );
        assert_eq!(
            formatted("<warning>Careful</warning>", true),
            "\x1b[30;43mCareful\x1b[39;49m"
        );
    }
}
