//! Represents JSON as PHP sees it: objects keep their order, and `{}` and `[]` stay apart.
//!
//! The module encodes text as Composer writes its files (`JsonFile::encode`), or as it hashes a
//! manifest (`Locker::getContentHash`).

mod grammar;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use memchr::memchr2;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

pub use grammar::PhpJson;

/// A JSON value whose objects remember the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// The value `null`.
    Null,
    /// One of the values `true` and `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Str(String),
    /// A list, `[…]`.
    Array(Vec<Json>),
    /// An object, `{…}`, in the order of the text.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(&without_negative_zeros(text))
    }

    /// Returns an empty object.
    pub fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// Returns a string.
    pub fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// Returns a list of strings.
    pub fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::Array(items.into_iter().map(Self::str).collect())
    }

    /// Returns the value under `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Returns a mutable reference to the value under `key`, if this is an object that has it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Object(entries) => entries
                .iter_mut()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Sets `key`, in its old place if there was one. A value that is not an object becomes one
    /// first, as an empty list does in PHP.
    pub fn set(&mut self, key: &str, value: Self) {
        if let Some(old) = self.get_mut(key) {
            *old = value;
            return;
        }
        match self {
            Self::Object(entries) => entries.push((key.to_owned(), value)),
            _ => *self = Self::Object(vec![(key.to_owned(), value)]),
        }
    }

    /// Returns the object under `key`, and makes it if it is absent.
    pub fn child(&mut self, key: &str) -> &mut Self {
        if !matches!(self.get(key), Some(Self::Object(_))) {
            self.set(key, Self::object());
        }
        self.get_mut(key)
            .unwrap_or_else(|| unreachable!("set just above"))
    }

    /// Removes `key` and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        match self {
            Self::Object(entries) => {
                let at = entries.iter().position(|(name, _)| name == key)?;
                Some(entries.remove(at).1)
            }
            _ => None,
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the text under `key`.
    pub fn str_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::as_str)
    }

    /// Returns the elements of a list, or none for any other value.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// Returns the elements of the list under `key`.
    pub fn items_at(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }

    /// Returns the entries of an object, or none for any other value.
    pub fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Object(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the entries of the object under `key`.
    pub fn entries_at(&self, key: &str) -> &[(String, Self)] {
        self.get(key).map_or(&[], Self::entries)
    }

    /// Returns a string, or a list of strings, as a list.
    pub fn one_or_many(&self) -> Vec<&str> {
        match self {
            Self::Str(text) => vec![text],
            Self::Array(items) => items.iter().filter_map(Self::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the text of a file that Composer writes: indented by four spaces, with a newline at
    /// the end. Slashes and unicode stay as they are.
    pub fn to_file_text(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0);
        out.push('\n');
        out
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

    fn write_pretty(&self, out: &mut String, depth: usize) {
        let indent = |out: &mut String, depth: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("    ", depth));
        };
        match self {
            Self::Array(items) if !items.is_empty() => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    indent(out, depth + 1);
                    item.write_pretty(out, depth + 1);
                }
                indent(out, depth);
                out.push(']');
            }
            Self::Object(entries) if !entries.is_empty() => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    indent(out, depth + 1);
                    write_string(out, key, Escape::Little);
                    out.push_str(": ");
                    value.write_pretty(out, depth + 1);
                }
                indent(out, depth);
                out.push('}');
            }
            _ => self.write_compact(out, Escape::Little, false),
        }
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
                let list = as_php_array
                    && entries
                        .iter()
                        .enumerate()
                        .all(|(index, (key, _))| *key == index.to_string());
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
    for character in text.chars() {
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
    out.push('"');
}

/// Returns the text with `0` for each `-0`. PHP reads the number -0 as the integer 0, and -0.0 as a
/// negative float.
fn without_negative_zeros(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut kept = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = memchr2(b'"', b'-', &bytes[at..]) {
        at += found;
        if bytes[at] == b'"' {
            at += 1;
            // The loop goes to the end of the string.
            while let Some(end) = memchr2(b'"', b'\\', &bytes[at..]) {
                at += end + 1;
                if bytes[at - 1] == b'"' {
                    break;
                }
                at = (at + 1).min(bytes.len());
            }
            continue;
        }
        let is_float = |byte: &u8| matches!(byte, b'.' | b'e' | b'E' | b'0'..=b'9');
        let is_exponent = at > 0 && matches!(bytes[at - 1], b'e' | b'E');
        if !is_exponent
            && bytes.get(at + 1) == Some(&b'0')
            && !bytes.get(at + 2).is_some_and(is_float)
        {
            kept.push(&text[from..at]);
            from = at + 1;
        }
        at += 1;
    }
    if kept.is_empty() {
        return Cow::Borrowed(text);
    }
    kept.push(&text[from..]);
    Cow::Owned(kept.concat())
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

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = Json;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any JSON value")
            }

            fn visit_unit<E>(self) -> std::result::Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> std::result::Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> std::result::Result<Json, E> {
                Ok(Json::Int(value))
            }

            #[allow(clippy::cast_precision_loss)] // what PHP does with a number beyond its integers
            fn visit_u64<E>(self, value: u64) -> std::result::Result<Json, E> {
                Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Int))
            }

            fn visit_f64<E>(self, value: f64) -> std::result::Result<Json, E> {
                Ok(Json::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> std::result::Result<Json, E> {
                Ok(Json::str(value))
            }

            fn visit_string<E>(self, value: String) -> std::result::Result<Json, E> {
                Ok(Json::Str(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::Array(list))
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Json, A::Error> {
                let mut entries: Vec<(String, Json)> = Vec::new();
                let mut places: HashMap<String, usize> = HashMap::new();
                while let Some((key, value)) = map.next_entry::<String, Json>()? {
                    // PHP keeps the place of the first key and the value of the last.
                    if let Some(&place) = places.get(&key) {
                        entries[place].1 = value;
                        continue;
                    }
                    places.insert(key.clone(), entries.len());
                    entries.push((key, value));
                }
                Ok(Json::Object(entries))
            }
        }

        deserializer.deserialize_any(Values)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Json;

    #[test]
    fn order_and_the_two_kinds_of_empty_survive() {
        let text = "{\n    \"z\": {},\n    \"a\": [],\n    \"m\": \"é/\\\"\"\n}\n";
        assert_eq!(Json::parse(text).unwrap().to_file_text(), text);
    }

    #[test]
    fn php_arrays_forget_what_an_object_was() {
        let json =
            Json::parse(r#"{"e":{},"l":{"0":"a","1":"b"},"s":"a/é","f":1.0,"d":1,"d":2}"#).unwrap();
        assert_eq!(
            json.to_php_default(),
            r#"{"e":[],"l":["a","b"],"s":"a\/\u00e9","f":1,"d":2}"#
        );
    }

    #[test]
    fn set_keeps_the_place_and_turns_an_empty_list_into_an_object() {
        let mut json = Json::parse(r#"{"a":1,"b":[]}"#).unwrap();
        json.set("a", Json::Int(2));
        json.child("b").set("c", Json::Null);
        assert_eq!(json.to_line(), r#"{"a":2,"b":{"c":null}}"#);
    }
}
