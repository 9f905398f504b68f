//! JSON as PHP sees it: objects keep their order, `{}` and `[]` stay apart, and text is encoded the way Composer
//! writes its files or the way it hashes a manifest.

use std::fmt::{self, Write as _};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, Result};

/// A JSON value whose objects remember the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Str(String),
    /// `[…]`
    Array(Vec<Json>),
    /// `{…}`, in the order of the text.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text; `what` names it in the error.
    pub fn parse(text: &str, what: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|source| Error::Json {
            what: what.to_owned(),
            source,
        })
    }

    /// Reads and parses a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// An empty object.
    pub fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// A string value.
    pub fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// A list of strings.
    pub fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::Array(items.into_iter().map(Self::str).collect())
    }

    /// The value under `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The value under `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Object(entries) => entries
                .iter_mut()
                .rev()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Sets `key`, in its old place if there was one. Anything that is not an object becomes one first, which is
    /// what PHP does to an empty list.
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

    /// The object under `key`, made when absent.
    pub fn child(&mut self, key: &str) -> &mut Self {
        if !matches!(self.get(key), Some(Self::Object(_))) {
            self.set(key, Self::object());
        }
        self.get_mut(key)
            .unwrap_or_else(|| unreachable!("set just above"))
    }

    /// Removes `key` and returns what it held.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        match self {
            Self::Object(entries) => {
                let at = entries.iter().rposition(|(name, _)| name == key)?;
                Some(entries.remove(at).1)
            }
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The text under `key`.
    pub fn str_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::as_str)
    }

    /// The elements of a list; nothing for any other value.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The elements of the list under `key`.
    pub fn items_at(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }

    /// The entries of an object; nothing for any other value.
    pub fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Object(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of the object under `key`.
    pub fn entries_at(&self, key: &str) -> &[(String, Self)] {
        self.get(key).map_or(&[], Self::entries)
    }

    /// A string, or a list of strings, as a list.
    pub fn one_or_many(&self) -> Vec<&str> {
        match self {
            Self::Str(text) => vec![text],
            Self::Array(items) => items.iter().filter_map(Self::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The text of a file that Composer writes: four spaces, slashes and unicode as they are, a newline at the end.
    pub fn to_file_text(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0);
        out.push('\n');
        out
    }

    /// One line without spaces, slashes and unicode as they are.
    pub fn to_line(&self) -> String {
        let mut out = String::new();
        self.write_compact(&mut out, Escape::Little, false);
        out
    }

    /// `json_encode` of the value after a trip through PHP arrays, with PHP's default flags.
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
            Self::Float(value) => {
                let _ = write!(out, "{value}");
            }
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
                // PHP keeps the place of the first key and the value of the last.
                let mut unique: Vec<(&str, &Self)> = Vec::with_capacity(entries.len());
                let mut places = std::collections::HashMap::with_capacity(entries.len());
                for (key, value) in entries {
                    match places.entry(key.as_str()) {
                        std::collections::hash_map::Entry::Occupied(place) => {
                            let place: &usize = place.get();
                            unique[*place].1 = value;
                        }
                        std::collections::hash_map::Entry::Vacant(place) => {
                            place.insert(unique.len());
                            unique.push((key, value));
                        }
                    }
                }
                let list = as_php_array
                    && unique
                        .iter()
                        .enumerate()
                        .all(|(index, (key, _))| *key == index.to_string());
                out.push(if list { '[' } else { '{' });
                for (index, (key, value)) in unique.iter().enumerate() {
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

/// How much a string is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// Only what JSON and JavaScript need.
    Little,
    /// Slashes and everything outside ASCII too: PHP's default.
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
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
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
        assert_eq!(Json::parse(text, "test").unwrap().to_file_text(), text);
    }

    #[test]
    fn php_arrays_forget_what_an_object_was() {
        let json = Json::parse(
            r#"{"e":{},"l":{"0":"a","1":"b"},"s":"a/é","f":1.0,"d":1,"d":2}"#,
            "test",
        )
        .unwrap();
        assert_eq!(
            json.to_php_default(),
            r#"{"e":[],"l":["a","b"],"s":"a\/\u00e9","f":1,"d":2}"#
        );
    }

    #[test]
    fn set_keeps_the_place_and_turns_an_empty_list_into_an_object() {
        let mut json = Json::parse(r#"{"a":1,"b":[]}"#, "test").unwrap();
        json.set("a", Json::Int(2));
        json.child("b").set("c", Json::Null);
        assert_eq!(json.to_line(), r#"{"a":2,"b":{"c":null}}"#);
    }
}
