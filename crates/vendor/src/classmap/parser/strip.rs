//! Reimplements `php_strip_whitespace`: PHP's lexer, which drops comments and turns blanks in code
//! into one space.
//!
//! Tokens matter only as far as they decide where comments, blanks, strings and inline HTML are. So
//! the stripper copies most of the text without inspection. It reads an invalid PHP file as PHP's
//! lexer does when nobody listens to its errors.

mod text;

use super::bytes::{self, is_blank, is_label};
use super::{Dialect, Unsure};
use memchr::{memchr, memchr2, memchr3};
use std::ops::Range;

/// The first PHP in which `yield`, comments and `from` are one token, comments included.
const YIELD_WITH_COMMENTS: u32 = 80300;

/// The kind of text that the lexer is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Html,
    Code,
    Text(Text),
    End,
}

/// A kind of text with interpolations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Double,
    Backtick,
    Heredoc,
}

/// A bracket that is open in the code of an interpolation. Elsewhere nothing depends on brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// The interpolation itself, whose closing brace leads back to the text.
    Interpolation(Text),
    Brace,
    /// An open parenthesis. Parentheses and square brackets are tracked within heredocs only.
    Parenthesis,
    Bracket,
}

/// The situations in which a byte needs inspection, as bits.
const CODE: u8 = 1;
const INTERPOLATION: u8 = 2;
const IN_HEREDOC: u8 = 4;
const DOUBLE: u8 = 8;
const BACKTICK: u8 = 16;
const HEREDOC: u8 = 32;

/// For each byte, the situations in which it needs inspection.
const STOPS: [u8; 256] = {
    let mut stops = [0; 256];
    let mut byte = u8::MAX;
    loop {
        let code = CODE | INTERPOLATION | IN_HEREDOC;
        let text = DOUBLE | BACKTICK | HEREDOC;
        stops[byte as usize] = match byte {
            b'\n' | b'\r' => code | HEREDOC,
            b' ' | b'\t' | b'\'' | b'#' | b'/' | b'?' | b'<' => code,
            b'"' => code | DOUBLE,
            b'`' => code | BACKTICK,
            b'{' => INTERPOLATION | IN_HEREDOC | text,
            b'}' => INTERPOLATION | IN_HEREDOC,
            b'(' | b')' | b'[' | b']' | b'0'..=b'9' => IN_HEREDOC,
            b'$' | b'\\' => text,
            _ => 0,
        };
        if byte == 0 {
            break stops;
        }
        byte -= 1;
    }
};

/// Returns the text as `php_strip_whitespace` gives it.
pub(super) fn strip(source: &[u8], dialect: Dialect) -> Result<Vec<u8>, Unsure> {
    let start = shebang(source)?;
    if [&b"\xff\xfe"[..], b"\xfe\xff", b"\0\0\xfe\xff"]
        .iter()
        .any(|mark| source.starts_with(mark))
    {
        return Err(Unsure("UTF-16 or UTF-32"));
    }
    let mut stripper = Stripper {
        source,
        dialect,
        out: Vec::with_capacity(source.len() + 16),
        at: start,
        from: start,
        gap: usize::MAX,
        open: Vec::new(),
        labels: Vec::new(),
        looked_for_from: 0,
    };
    stripper.run()?;
    Ok(stripper.out)
}

/// Returns the end of a `#!` line for the system's loader. On the command line, PHP skips such a
/// first line in all files.
fn shebang(source: &[u8]) -> Result<usize, Unsure> {
    if !source.starts_with(b"#!") {
        return Ok(0);
    }
    let end = memchr(b'\n', source).ok_or(Unsure("a line for the loader without an end"))? + 1;
    // Elsewhere PHP doesn't skip the line. That makes no difference if it has neither `<` nor a
    // candidate.
    let plain =
        memchr(b'<', &source[..end]).is_none() && super::names::candidates(&source[..end]) == 0;
    plain
        .then_some(end)
        .ok_or(Unsure("a line for the loader with PHP in it"))
}

/// Returns whether a text ends with this word, in any case.
fn ends_with(text: &[u8], word: &[u8]) -> bool {
    text.len() >= word.len() && text[text.len() - word.len()..].eq_ignore_ascii_case(word)
}

struct Stripper<'a> {
    source: &'a [u8],
    dialect: Dialect,
    out: Vec<u8>,
    /// Position of the lexer.
    at: usize,
    /// Start of the text that is still to be copied, up to `at`. The text before is in `out`
    /// already.
    from: usize,
    /// Position right behind a blank after which nothing has been written. Further blanks there are
    /// dropped.
    gap: usize,
    open: Vec<Open>,
    /// Labels of the heredocs that are open.
    labels: Vec<Range<usize>>,
    /// Position up to which the text between a `yield` and a `from` has been checked for comments.
    looked_for_from: usize,
}

impl Stripper<'_> {
    fn run(&mut self) -> Result<(), Unsure> {
        let mut state = State::Html;
        loop {
            state = match state {
                State::Html => self.html(),
                State::Code => self.code()?,
                State::Text(Text::Heredoc) => self.heredoc()?,
                State::Text(text) => self.text(text)?,
                State::End => break,
            };
        }
        self.at = self.source.len();
        self.copy();
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    /// Copies the text that is still to be copied.
    fn copy(&mut self) {
        self.out.extend_from_slice(&self.source[self.from..self.at]);
        self.from = self.at;
    }

    /// Goes on at `to`, and leaves out the text between.
    fn drop_to(&mut self, to: usize) {
        (self.at, self.from) = (to, to);
    }

    /// Reads inline HTML, up to the end of the next opening tag.
    fn html(&mut self) -> State {
        while let Some(found) = memchr(b'<', &self.source[self.at..]) {
            self.at += found + 1;
            if let Some(end) = self.opening_tag() {
                self.at = end;
                return State::Code;
            }
        }
        State::End
    }

    /// Returns the end of the opening tag whose `<` is right before.
    fn opening_tag(&self) -> Option<usize> {
        let tag = self.source[self.at..].strip_prefix(b"?")?;
        let short = self.dialect.short_open_tag.then_some(self.at + 1);
        if tag.first() == Some(&b'=') {
            return Some(self.at + 2);
        }
        if !tag
            .get(..3)
            .is_some_and(|php| php.eq_ignore_ascii_case(b"php"))
        {
            return short;
        }
        let end = self.at + 4;
        match self.source.get(end) {
            None => Some(end),
            Some(b' ' | b'\t') => Some(end + 1),
            Some(_) => bytes::newline(self.source, end).or(short),
        }
    }

    /// Reads code, up to the start of something else.
    fn code(&mut self) -> Result<State, Unsure> {
        let kind = match (self.open.is_empty(), self.labels.is_empty()) {
            (true, true) => CODE,
            (false, true) => INTERPOLATION,
            (_, false) => IN_HEREDOC,
        };
        let source = self.source;
        while let Some(&byte) = source.get(self.at) {
            if STOPS[usize::from(byte)] & kind == 0 {
                self.at += 1;
                continue;
            }
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.blank(byte)?,
                b'\'' => self.single(),
                b'"' | b'`' => {
                    self.at += 1;
                    return Ok(State::Text(if byte == b'"' {
                        Text::Double
                    } else {
                        Text::Backtick
                    }));
                }
                b'/' => match self.peek(1) {
                    Some(b'/') => self.comment(self.line_comment_end(self.at + 2))?,
                    Some(b'*') => self.comment(self.block_comment_end())?,
                    _ => self.at += 1,
                },
                b'#' if self.peek(1) == Some(b'[') => self.attribute(kind)?,
                b'#' => self.comment(self.line_comment_end(self.at + 1))?,
                b'?' => match self.peek(1) {
                    Some(b'>') => {
                        self.at = self.closing_tag_end();
                        return Ok(State::Html);
                    }
                    // `??>` is no closing tag.
                    Some(b'?') => self.at += 2,
                    _ => self.at += 1,
                },
                b'<' => {
                    if let Some(opening) = bytes::heredoc(source, self.at) {
                        return self.open_heredoc(opening);
                    }
                    // `<<<<LABEL` is a shift and no heredoc.
                    self.at += 1 + usize::from(self.peek(1) == Some(b'<'));
                }
                b'{' => self.push(Open::Brace),
                b'(' => self.push(Open::Parenthesis),
                b'[' => self.push(Open::Bracket),
                b'}' => {
                    self.at += 1;
                    if let Some(text) = self.close_brace()? {
                        return Ok(State::Text(text));
                    }
                }
                b')' => self.close(Open::Parenthesis)?,
                b']' => self.close(Open::Bracket)?,
                _ => self.number()?,
            }
        }
        Ok(State::End)
    }

    fn push(&mut self, open: Open) {
        self.open.push(open);
        self.at += 1;
    }

    /// Reads a closing parenthesis or bracket within a heredoc.
    ///
    /// A wrong one makes PHP give up finding the indentation of the heredoc's end.
    fn close(&mut self, open: Open) -> Result<(), Unsure> {
        self.at += 1;
        if self.open.pop() == Some(open) {
            Ok(())
        } else {
            Err(Unsure("unbalanced brackets in a heredoc"))
        }
    }

    /// Returns the text that the closing brace leads back to, if it closes an interpolation.
    fn close_brace(&mut self) -> Result<Option<Text>, Unsure> {
        match self.open.pop() {
            Some(Open::Interpolation(text)) => Ok(Some(text)),
            Some(Open::Brace) => Ok(None),
            None if self.labels.is_empty() => Ok(None),
            _ => Err(Unsure("unbalanced brackets in a heredoc")),
        }
    }

    /// Reads blanks in code, and writes one space for them.
    fn blank(&mut self, byte: u8) -> Result<(), Unsure> {
        if byte == b' ' && self.gap != self.at && !self.peek(1).is_some_and(is_blank) {
            // A single space stays as it is.
            self.at += 1;
            self.gap = self.at;
            return Ok(());
        }
        let end = bytes::skip(self.source, self.at, is_blank);
        if self.gap != self.at {
            if ends_with(&self.source[..self.at], b"yield") && self.is_from(end) {
                return Err(Unsure("more than a space in `yield from`"));
            }
            self.copy();
            self.out.push(b' ');
        }
        self.copy();
        self.drop_to(end);
        self.gap = end;
        Ok(())
    }

    /// Returns whether `from` starts here.
    fn is_from(&self, at: usize) -> bool {
        let word = self.source[at..].get(..4);
        word.is_some_and(|word| word.eq_ignore_ascii_case(b"from"))
    }

    /// Drops a comment. Comments separate nothing: blanks on either side count as one.
    fn comment(&mut self, end: usize) -> Result<(), Unsure> {
        self.copy();
        if self.dialect.php >= YIELD_WITH_COMMENTS
            && self.at >= self.looked_for_from
            && self.is_behind(b"yield")
        {
            self.look_for_from()?;
        }
        if self.gap == self.at {
            self.gap = end;
        }
        self.drop_to(end);
        Ok(())
    }

    /// Returns whether the output ends with this word, apart from a blank. Nothing may be left to
    /// be copied.
    fn is_behind(&self, word: &[u8]) -> bool {
        ends_with(self.out.strip_suffix(b" ").unwrap_or(&self.out), word)
    }

    /// Checks that no `from` follows a `yield` with only blanks and comments between.
    fn look_for_from(&mut self) -> Result<(), Unsure> {
        let mut at = self.at;
        loop {
            at = bytes::skip(self.source, at, is_blank);
            let rest = &self.source[at..];
            at = if rest.starts_with(b"/*") {
                match memchr::memmem::find(&rest[2..], b"*/") {
                    Some(found) => at + found + 4,
                    None => self.source.len(),
                }
            } else if rest.starts_with(b"//")
                || (rest.starts_with(b"#") && !rest.starts_with(b"#["))
            {
                bytes::line_end(self.source, at)
            } else {
                break;
            };
        }
        self.looked_for_from = at;
        if self.is_from(at) {
            return Err(Unsure("a comment in `yield from`"));
        }
        Ok(())
    }

    fn line_comment_end(&self, mut at: usize) -> usize {
        while let Some(found) = memchr3(b'\n', b'\r', b'?', &self.source[at..]) {
            at += found;
            if self.source[at] != b'?' || self.source.get(at + 1) == Some(&b'>') {
                return at;
            }
            at += 1;
        }
        self.source.len()
    }

    fn block_comment_end(&self) -> usize {
        // Slashes are rarer in comments than stars.
        let mut at = self.at + 3;
        while let Some(found) = self.source.get(at..).and_then(|rest| memchr(b'/', rest)) {
            at += found + 1;
            if self.source[at - 2] == b'*' {
                return at;
            }
        }
        self.source.len()
    }

    fn closing_tag_end(&self) -> usize {
        let end = self.at + 2;
        bytes::newline(self.source, end).unwrap_or(end)
    }

    /// Reads `#[`, the start of an attribute.
    fn attribute(&mut self, kind: u8) -> Result<(), Unsure> {
        self.copy();
        if self.is_behind(b"->") {
            return Err(Unsure("a comment where a property is expected"));
        }
        if kind == IN_HEREDOC {
            self.open.push(Open::Bracket);
        }
        self.at += 2;
        Ok(())
    }

    /// Reads a number in a heredoc. A wrong number makes PHP give up on the heredoc's indentation.
    fn number(&mut self) -> Result<(), Unsure> {
        let start = self.at;
        self.at = bytes::skip(self.source, start, |byte| {
            byte.is_ascii_digit() || byte == b'_'
        });
        let continues = start > 0 && is_label(self.source[start - 1]);
        let digits = &self.source[start..self.at];
        if !continues && digits[0] == b'0' && memchr2(b'8', b'9', digits).is_some() {
            return Err(Unsure("a wrong number in a heredoc"));
        }
        Ok(())
    }

    /// Reads a string in single quotes.
    fn single(&mut self) {
        self.at += 1;
        while let Some(found) = memchr2(b'\'', b'\\', &self.source[self.at..]) {
            self.at += found + 1;
            if self.source[self.at - 1] == b'\'' {
                return;
            }
            self.at = (self.at + 1).min(self.source.len());
        }
        self.at = self.source.len();
    }
}
