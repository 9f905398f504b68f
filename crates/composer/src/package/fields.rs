//! Reads the fields of an entry as PHP does, and refuses values of odd types.

use crate::Unfamiliar;
use crate::json::Json;
use crate::php::integer_key;

/// The fields of a package's entry.
pub(crate) struct Fields<'a> {
    entry: &'a Json,
    /// Name of the package, for messages.
    pub(crate) name: &'a str,
}

impl<'a> Fields<'a> {
    /// Returns the fields of the entry of a package.
    pub(crate) fn new(entry: &'a Json, name: &'a str) -> Self {
        Self { entry, name }
    }

    /// Refuses the value under a key.
    pub(crate) fn odd<T>(&self, key: &str) -> Result<T, Unfamiliar> {
        Err(self.unfamiliar(&format!("the {key}")))
    }

    /// Returns the refusal of some part of the package.
    pub(crate) fn unfamiliar(&self, part: &str) -> Unfamiliar {
        Unfamiliar(format!("{part} of {}", self.name))
    }

    /// Returns the value under a key, as PHP's `isset` sees it: `null` is none.
    pub(crate) fn set(&self, key: &str) -> Option<&'a Json> {
        self.entry.get(key).filter(|value| **value != Json::Null)
    }

    /// Returns the text under a key, if there is a value.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, Unfamiliar> {
        match self.set(key) {
            None => Ok(None),
            Some(Json::Str(text)) => Ok(Some(text)),
            Some(_) => self.odd(key),
        }
    }

    /// Returns the list or object under a key, if there is a value.
    pub(crate) fn array(&self, key: &str) -> Result<Option<&'a Json>, Unfamiliar> {
        match self.set(key) {
            None => Ok(None),
            Some(value) if is_array(value) => Ok(Some(value)),
            Some(_) => self.odd(key),
        }
    }

    /// Returns the list of texts under a key.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, Unfamiliar> {
        match self.array(key)? {
            None => Ok(Vec::new()),
            Some(value) if !value.entries().is_empty() => self.odd(key),
            Some(value) => {
                let texts = value
                    .items()
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned));
                let texts: Option<Vec<_>> = texts.collect();
                texts.map_or_else(|| self.odd(key), Ok)
            }
        }
    }

    /// Returns the names and texts of the object under a key. Names that are integers to PHP are
    /// refused.
    pub(crate) fn pairs(&self, key: &str) -> Result<Vec<(&'a str, &'a str)>, Unfamiliar> {
        let Some(value) = self.array(key)? else {
            return Ok(Vec::new());
        };
        if !value.items().is_empty() {
            return self.odd(key);
        }
        let pair = |(name, text): &'a (String, Json)| {
            let is_name = integer_key(name).is_none();
            text.as_str()
                .filter(|_| is_name)
                .map(|text| (name.as_str(), text))
        };
        let pairs: Option<Vec<_>> = value.entries().iter().map(pair).collect();
        pairs.map_or_else(|| self.odd(key), Ok)
    }
}

/// Returns whether PHP has an array for a value.
pub(crate) fn is_array(value: &Json) -> bool {
    matches!(value, Json::Array(_) | Json::Object(_))
}

/// Returns whether PHP has an array without elements for a value.
pub(crate) fn is_empty_array(value: &Json) -> bool {
    is_array(value) && value.items().is_empty() && value.entries().is_empty()
}

/// Returns the refusal of an input.
pub(crate) fn refuse<T>(reason: impl Into<String>) -> Result<T, Unfamiliar> {
    Err(Unfamiliar(reason.into()))
}
