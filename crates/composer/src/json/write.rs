//! Writes JSON as Composer and PHP do.

use std::fmt::Write as _;

use super::Json;

impl Json {
    /// Returns the text of a file that Composer writes: indented by four spaces, with a newline at
    /// the end. Slashes and unicode stay as they are.
    pub fn to_file_text(&self) -> String {
        let mut pretty = Pretty::new("    ", 0);
        pretty.value(self, 0);
        pretty.into_file_text()
    }

    /// Returns the value as one line without spaces. Slashes and unicode stay as they are.
    pub fn to_line(&self) -> String {
        let mut out = String::new();
        self.write_compact(&mut out, Escape::Little, false);
        out
    }

    /// Returns `json_encode` of the value after a trip through PHP arrays, with PHP's default
    /// flags.
    pub fn to_php_default(&self) -> String {
        let mut out = String::new();
        self.write_compact(&mut out, Escape::All, true);
        out
    }

    fn write_compact(&self, out: &mut String, escape: Escape, as_php_array: bool) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Float(value) => write_float(out, *value),
            Self::Str(text) => write_string(out, text, escape),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_compact(out, escape, as_php_array);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                let list = as_php_array && is_php_list(entries);
                out.push(if list { '[' } else { '{' });
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    if !list {
                        write_string(out, key, escape);
                        out.push(':');
                    }
                    value.write_compact(out, escape, as_php_array);
                }
                out.push(if list { ']' } else { '}' });
            }
        }
    }
}

/// The degree to which a string is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// Escapes only what JSON and JavaScript need.
    Little,
    /// Escapes slashes and everything outside ASCII too, which is PHP's default.
    All,
}

fn write_string(out: &mut String, text: &str, escape: Escape) {
    out.push('"');
    let special = match escape {
        Escape::Little => &LITTLE,
        Escape::All => &ALL,
    };
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = bytes[from..]
        .iter()
        .position(|byte| special[usize::from(*byte)])
    {
        out.push_str(&text[from..from + found]);
        let Some(character) = text[from + found..].chars().next() else {
            break;
        };
        write_character(out, character, escape);
        from += found + character.len_utf8();
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// The bytes with which characters begin that may need an escape.
const fn special(escape: Escape) -> [bool; 256] {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        special[byte] = byte < 0x20 || matches!(escape, Escape::All) && byte >= 0x80;
        byte += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special[b'/' as usize] = matches!(escape, Escape::All);
    // The line separators begin with this byte.
    special[0xe2] = true;
    special
}

const LITTLE: [bool; 256] = special(Escape::Little);
const ALL: [bool; 256] = special(Escape::All);

fn write_character(out: &mut String, character: char, escape: Escape) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '/' if escape == Escape::All => out.push_str("\\/"),
        // PHP escapes the two line separators even when told to leave unicode alone.
        '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        }
        _ if escape == Escape::All && !character.is_ascii() => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        _ => out.push(character),
    }
}

/// Writes indented JSON piece by piece, with the escapes of Composer's files.
pub(crate) struct Pretty<'a> {
    out: String,
    indent: &'a str,
}

impl<'a> Pretty<'a> {
    /// Begins an empty text whose levels are indented by `indent`. The text may become this long
    /// without another allocation.
    pub(crate) fn new(indent: &'a str, capacity: usize) -> Self {
        Self {
            out: String::with_capacity(capacity),
            indent,
        }
    }

    /// Returns the text with a newline at its end.
    pub(crate) fn into_file_text(mut self) -> String {
        self.out.push('\n');
        self.out
    }

    /// Writes `null`, `true` or `false`.
    pub(crate) fn word(&mut self, word: &'static str) {
        self.out.push_str(word);
    }

    /// Writes a string.
    pub(crate) fn string(&mut self, text: &str) {
        write_string(&mut self.out, text, Escape::Little);
    }

    /// Writes a value; `{}` and `[]` stay apart.
    pub(crate) fn value(&mut self, value: &Json, depth: usize) {
        match value {
            Json::Array(items) if !items.is_empty() => {
                self.list(depth, items, |pretty, item| pretty.value(item, depth + 1));
            }
            Json::Object(entries) if !entries.is_empty() => {
                self.object(depth, entries, |pretty, (key, value)| {
                    pretty.key(key);
                    pretty.value(value, depth + 1);
                });
            }
            _ => value.write_compact(&mut self.out, Escape::Little, false),
        }
    }

    /// Writes a value after a trip through PHP arrays: `{}` becomes `[]`.
    pub(crate) fn php_value(&mut self, value: &Json, depth: usize) {
        match value {
            Json::Array(items) => {
                self.list(depth, items, |pretty, item| {
                    pretty.php_value(item, depth + 1);
                });
            }
            Json::Object(entries) if is_php_list(entries) => {
                self.list(depth, entries, |pretty, (_, item)| {
                    pretty.php_value(item, depth + 1);
                });
            }
            Json::Object(entries) => self.object(depth, entries, |pretty, (key, value)| {
                pretty.key(key);
                pretty.php_value(value, depth + 1);
            }),
            _ => value.write_compact(&mut self.out, Escape::Little, true),
        }
    }

    /// Writes the name of a member and its colon.
    pub(crate) fn key(&mut self, key: &str) {
        self.string(key);
        self.out.push_str(": ");
    }

    /// Writes a list, each item of it by `write`.
    pub(crate) fn list<T>(
        &mut self,
        depth: usize,
        items: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Self, T),
    ) {
        self.items(depth, ['[', ']'], items, write);
    }

    /// Writes an object, each member of it by `write`. An object without members is a PHP array
    /// without items, so the caller decides about it.
    pub(crate) fn object<T>(
        &mut self,
        depth: usize,
        members: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Self, T),
    ) {
        self.items(depth, ['{', '}'], members, write);
    }

    fn items<T>(
        &mut self,
        depth: usize,
        [open, close]: [char; 2],
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.out.push(open);
        let mut is_empty = true;
        for item in items {
            if !is_empty {
                self.out.push(',');
            }
            is_empty = false;
            self.line(depth + 1);
            write(self, item);
        }
        if !is_empty {
            self.line(depth);
        }
        self.out.push(close);
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        for _ in 0..depth {
            self.out.push_str(self.indent);
        }
    }
}

/// Returns whether PHP takes an object for a list: its keys count from zero.
pub(crate) fn is_php_list(entries: &[(String, Json)]) -> bool {
    let is_digit = |key: &str| key.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let mut named = entries.iter().enumerate();
    named.all(|(index, (key, _))| is_digit(key) && *key == index.to_string())
}

/// Writes a number as PHP does with `serialize_precision` -1, by the shortest digits that mean it.
/// Exponential notation applies from 1.0e+17 on and below 0.0001 (`smart_str_append_double`, PHP
/// 8.2).
fn write_float(out: &mut String, value: f64) {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..17).contains(&exponent) {
        let _ = write!(out, "{value}");
        return;
    }
    out.push_str(digits);
    if !digits.contains('.') {
        out.push_str(".0");
    }
    let _ = write!(out, "e{exponent:+}");
}
