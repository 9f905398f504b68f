//! Values as PHP holds a configuration: JSON whose objects and lists both became arrays.

use crate::json::Json;

/// A value of PHP.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
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
    /// An array, which was an object or a list in JSON.
    Array(Array),
}

/// A key of an array. PHP turns strings that are whole decimal numbers into integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// An integer.
    Int(i64),
    /// Any other string.
    Str(String),
}

/// An ordered map, as PHP's arrays are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Array {
    entries: Vec<(Key, Value)>,
}

impl Key {
    /// Returns the key that PHP makes of a string.
    pub fn of(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Self::Int(number),
            _ => Self::Str(text.to_owned()),
        }
    }

    /// Returns the key as a string.
    pub fn text(&self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Str(text) => text.clone(),
        }
    }
}

impl Value {
    /// Returns the value that `json_decode` gives for a JSON value.
    pub fn of(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Int(value) => Self::Int(*value),
            Json::Float(value) => Self::Float(*value),
            Json::Str(value) => Self::Str(value.clone()),
            Json::Array(items) => Self::Array(items.iter().map(Self::of).collect()),
            Json::Object(entries) => {
                let mut array = Array::default();
                for (key, value) in entries {
                    array.set(Key::of(key), Self::of(value));
                }
                Self::Array(array)
            }
        }
    }

    /// Returns a string.
    pub fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// Returns an empty array.
    pub fn empty() -> Self {
        Self::Array(Array::default())
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the array, if this is one.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// Returns whether PHP takes the value for true.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => is_true(text),
            Self::Array(array) => !array.is_empty(),
        }
    }

    /// Returns the value as `json_encode` sees it. An empty array becomes a list.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::Int(*value),
            Self::Float(value) => Json::Float(*value),
            Self::Str(text) => Json::Str(text.clone()),
            Self::Array(array) => array.to_json(),
        }
    }
}

/// Returns whether PHP takes a string for true.
pub(crate) fn is_true(text: &str) -> bool {
    !text.is_empty() && text != "0"
}

impl Array {
    /// Returns the entries in their order.
    pub fn entries(&self) -> &[(Key, Value)] {
        &self.entries
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the values in their order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// Returns the value under a key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        let found = self.entries.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }

    /// Returns the value under a name.
    pub fn at(&self, name: &str) -> Option<&Value> {
        self.get(&Key::of(name))
    }

    /// Sets a key, in its old place if there was one.
    pub fn set(&mut self, key: Key, value: Value) {
        match self.entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }

    /// Sets a name, in its old place if there was one.
    pub fn put(&mut self, name: &str, value: Value) {
        self.set(Key::of(name), value);
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, key: &Key) -> Option<Value> {
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(at).1)
    }

    /// Returns the entries of both, as `array_merge` does: integer keys are numbered anew, and a
    /// string key of the second replaces the value of the first.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut merged = Self::default();
        let mut next = 0;
        for (key, value) in self.entries.iter().chain(&other.entries) {
            if let Key::Str(_) = key {
                merged.set(key.clone(), value.clone());
            } else {
                merged.entries.push((Key::Int(next), value.clone()));
                next += 1;
            }
        }
        merged
    }

    /// Returns the entries without those whose value occurred before, as `array_unique` does. The
    /// values must be strings.
    #[must_use]
    pub fn unique(&self) -> Self {
        let mut unique = Self::default();
        for (key, value) in &self.entries {
            if !unique.values().any(|seen| seen == value) {
                unique.entries.push((key.clone(), value.clone()));
            }
        }
        unique
    }

    /// Returns the entries in the opposite order with their keys.
    #[must_use]
    pub fn reversed(&self) -> Self {
        self.entries.iter().rev().cloned().collect()
    }

    /// Returns the array as `json_encode` sees it.
    pub fn to_json(&self) -> Json {
        let is_list = (0i64..)
            .zip(&self.entries)
            .all(|(index, (key, _))| *key == Key::Int(index));
        if is_list {
            return Json::Array(self.values().map(Value::to_json).collect());
        }
        let entry = |(key, value): &(Key, Value)| (key.text(), value.to_json());
        Json::Object(self.entries.iter().map(entry).collect())
    }
}

impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let entries = (0i64..)
            .zip(values)
            .map(|(index, value)| (Key::Int(index), value));
        Self {
            entries: entries.collect(),
        }
    }
}

impl FromIterator<(Key, Value)> for Array {
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(entries: I) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}
