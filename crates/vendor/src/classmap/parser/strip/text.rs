//! Reads texts with interpolations, and heredocs.

use super::super::Unsure;
use super::super::bytes::{self, is_blank, is_label, is_label_start};
use super::{BACKTICK, DOUBLE, HEREDOC, Open, STOPS, State, Stripper, Text};
use memchr::memchr;

impl Stripper<'_> {
    /// Reads text in double quotes or backticks, up to its end or an interpolation.
    pub(super) fn text(&mut self, text: Text) -> Result<State, Unsure> {
        let kind = if text == Text::Double {
            DOUBLE
        } else {
            BACKTICK
        };
        while let Some(&byte) = self.source.get(self.at) {
            if STOPS[usize::from(byte)] & kind == 0 {
                self.at += 1;
                continue;
            }
            match byte {
                b'\\' => {
                    if !self.labels.is_empty() && self.peek(1) == Some(b'u') {
                        return Err(Unsure("a code point in a heredoc's interpolation"));
                    }
                    self.at += 2;
                }
                b'$' | b'{' => {
                    if self.interpolation(byte, text) {
                        return Ok(State::Code);
                    }
                }
                _ => {
                    self.at += 1;
                    return Ok(State::Code);
                }
            }
        }
        Ok(State::End)
    }

    /// Steps over a `$` or `{` in a text, with its variable. Returns whether code follows.
    fn interpolation(&mut self, byte: u8, text: Text) -> bool {
        let next = self.peek(1);
        self.at += 1;
        if byte == b'{' {
            if next == Some(b'$') {
                self.open.push(Open::Interpolation(text));
                return true;
            }
        } else if next == Some(b'{') {
            self.at += 1;
            self.open.push(Open::Interpolation(text));
            return true;
        } else if next.is_some_and(is_label_start) {
            self.at = bytes::skip(self.source, self.at, is_label);
            if self.peek(0) == Some(b'[') {
                self.offset();
            }
        }
        false
    }

    /// Reads the offset in `$name[offset]`. Quotes in the offset don't end the text.
    fn offset(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' | b'\\' | b'\'' | b'#' => return,
                b']' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    /// Reads the heredoc that opens here, at least up to its first line.
    pub(super) fn open_heredoc(&mut self, opening: bytes::Opening) -> Result<State, Unsure> {
        self.at = opening.end;
        self.labels.push(opening.label);
        if let Some(end) = self.label_end()? {
            return self.close_heredoc(end);
        }
        if opening.raw {
            self.nowdoc()
        } else {
            Ok(State::Text(Text::Heredoc))
        }
    }

    /// Skips the indentation of a line. Returns the end of the label if it closes the heredoc.
    fn label_end(&mut self) -> Result<Option<usize>, Unsure> {
        let start = self.at;
        self.at = bytes::skip(self.source, start, |byte| matches!(byte, b' ' | b'\t'));
        let rest = &self.source[self.at..];
        let label = self
            .labels
            .last()
            .map_or(&[][..], |label| &self.source[label.clone()]);
        // A label that ends the file doesn't close the heredoc.
        if !rest.starts_with(label) || rest.get(label.len()).is_none_or(|&byte| is_label(byte)) {
            return Ok(None);
        }
        let indentation = &self.source[start..self.at];
        if memchr(b' ', indentation).is_some() && memchr(b'\t', indentation).is_some() {
            return Err(Unsure("a heredoc indented by both tabs and spaces"));
        }
        Ok(Some(self.at + label.len()))
    }

    fn nowdoc(&mut self) -> Result<State, Unsure> {
        loop {
            self.at = bytes::line_end(self.source, self.at);
            let Some(line) = bytes::newline(self.source, self.at) else {
                return Ok(State::End);
            };
            self.at = line;
            if let Some(end) = self.label_end()? {
                return self.close_heredoc(end);
            }
        }
    }

    /// Reads a heredoc's text, up to its end or an interpolation.
    pub(super) fn heredoc(&mut self) -> Result<State, Unsure> {
        while let Some(&byte) = self.source.get(self.at) {
            if STOPS[usize::from(byte)] & HEREDOC == 0 {
                self.at += 1;
                continue;
            }
            match byte {
                b'\n' | b'\r' => {
                    self.at = bytes::newline(self.source, self.at).unwrap_or(self.at + 1);
                    if let Some(end) = self.label_end()? {
                        return self.close_heredoc(end);
                    }
                }
                b'\\' => {
                    let newline = matches!(self.peek(1), Some(b'\n' | b'\r'));
                    self.at += if newline { 1 } else { 2 };
                }
                _ => {
                    if self.interpolation(byte, Text::Heredoc) {
                        return Ok(State::Code);
                    }
                }
            }
        }
        Ok(State::End)
    }

    /// Writes the token behind a heredoc's label, and a newline, as PHP does. Only a blank gives
    /// way to the newline.
    fn close_heredoc(&mut self, end: usize) -> Result<State, Unsure> {
        self.at = end;
        self.labels.pop();
        self.copy();
        let mut state = State::Code;
        let Some(byte) = self.peek(0) else {
            return Ok(State::End);
        };
        let next = self.peek(1);
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                self.drop_to(bytes::skip(self.source, end, is_blank));
            }
            b';' | b',' => self.at += 1,
            b')' | b']' if self.labels.is_empty() => self.at += 1,
            b')' => self.close(Open::Parenthesis)?,
            b']' => self.close(Open::Bracket)?,
            b'}' => {
                self.at += 1;
                if let Some(text) = self.close_brace()? {
                    state = State::Text(text);
                }
            }
            b'.' if !matches!(next, Some(b'0'..=b'9' | b'.' | b'=')) => self.at += 1,
            b':' if next != Some(b':') => self.at += 1,
            b'?' if next == Some(b'>') => {
                self.at = self.closing_tag_end();
                state = State::Html;
            }
            b'?' if !matches!(next, Some(b'?' | b'-')) => self.at += 1,
            b'/' if next == Some(b'/') => self.at = self.line_comment_end(end + 2),
            b'/' if next == Some(b'*') => self.at = self.block_comment_end(),
            b'#' if next != Some(b'[') => self.at = self.line_comment_end(end + 1),
            _ => return Err(Unsure("what follows a heredoc")),
        }
        self.copy();
        self.out.push(b'\n');
        self.gap = self.at;
        Ok(state)
    }
}
