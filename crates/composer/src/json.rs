//! Represents JSON as PHP sees it: objects keep their order, and `{}` and `[]` stay apart.
//!
//! The module encodes text as Composer writes its files (`JsonFile::encode`), or as it hashes a
//! manifest (`Locker::getContentHash`).

mod grammar;
mod write;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use memchr::memchr2;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::Unfamiliar;

pub use grammar::PhpJson;
pub(crate) use write::{Pretty, is_php_list};

/// The number of keys from which on a hash table finds a repeated key faster than a look at each.
const MANY_KEYS: usize = 48;

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

    /// Parses the text of a file that Composer would read. The name stands in the error.
    pub fn read(name: &str, text: &str) -> Result<Self, Unfamiliar> {
        Self::parse(text).map_err(|error| Unfamiliar(format!("{name} is not plain JSON: {error}")))
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
                    let place = if entries.len() < MANY_KEYS {
                        entries.iter().position(|(name, _)| *name == key)
                    } else {
                        if places.is_empty() {
                            let named = entries.iter().enumerate();
                            places.extend(named.map(|(place, (name, _))| (name.clone(), place)));
                        }
                        places.get(&key).copied()
                    };
                    if let Some(place) = place {
                        entries[place].1 = value;
                        continue;
                    }
                    if entries.len() >= MANY_KEYS {
                        places.insert(key.clone(), entries.len());
                    }
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
