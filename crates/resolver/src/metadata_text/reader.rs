//! Walks through a metadata file, and records the ranges of keys and values.

use std::borrow::Cow;
use std::num::NonZeroU32;

use allegro_base::tables::HashSet;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{MESSAGES, MINIFIED, Said, Span, Text, is_fit, is_unset};

/// The ranges that were found so far.
pub struct Parts<'a> {
    pub start: usize,
    pub name: &'a str,
    pub is_known: bool,
    pub is_minified: bool,
    pub said: Vec<Said>,
    pub ends: Vec<u32>,
}

impl Parts<'_> {
    /// Returns the range of a part of the text.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the text is shorter than 4 GiB"
    )]
    fn place(&self, part: &str) -> Span {
        let from = part.as_ptr() as usize - self.start;
        let end = NonZeroU32::new((from + part.len()) as u32);
        Span(from as u32, end.expect("a brace stands before it"))
    }

    /// Drops all versions found so far, because PHP takes the last of several values of one key.
    fn forget(&mut self) {
        self.is_known = false;
        self.said.clear();
        self.ends.clear();
    }
}

/// Reads the document.
pub struct Whole<'p, 'a>(pub &'p mut Parts<'a>);

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                "packages" => map.next_value_seed(Packages(self.0))?,
                "minified" => {
                    let mark = map.next_value::<&RawValue>()?.get();
                    // The slash may be escaped.
                    self.0.is_minified =
                        serde_json::from_str::<String>(mark).is_ok_and(|mark| mark == MINIFIED);
                }
                key if MESSAGES.contains(&key) => {
                    return Err(M::Error::custom("it has a message for the user"));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads the value of `packages`: an object by name, or an empty list.
struct Packages<'p, 'a>(&'p mut Parts<'a>);

impl<'de> DeserializeSeed<'de> for Packages<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.forget();
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Packages<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("packages by name")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if key.0 == self.0.name {
                map.next_value_seed(List(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Reads the versions of the package: a list, or an object whose keys don't matter.
struct List<'p, 'a>(&'p mut Parts<'a>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.forget();
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("versions")
    }

    /// Treats `null` like a missing package.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        self.0.is_known = true;
        while list.next_element_seed(One(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        self.0.is_known = true;
        let mut keys = HashSet::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if !keys.insert(key.0) {
                return Err(M::Error::custom("a version is there twice"));
            }
            map.next_value_seed(One(&mut *self.0))?;
        }
        Ok(())
    }
}

/// Reads one version.
struct One<'p, 'a>(&'p mut Parts<'a>);

impl<'de> DeserializeSeed<'de> for One<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a version")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let parts = self.0;
        let mut keys: HashSet<&str> = HashSet::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            // The key is stored as a range of the text. With escapes, that text differs from the
            // key.
            let Cow::Borrowed(key) = key.0 else {
                return Err(M::Error::custom("a key of a version with escapes"));
            };
            // PHP puts the value of the last duplicate in the place of the first.
            if !keys.insert(key) {
                return Err(M::Error::custom("a version says something twice"));
            }
            let value = map.next_value::<&RawValue>()?;
            let is_unset = is_unset(value.get());
            // The first version has no previous version whose key it could drop.
            if is_unset && (parts.ends.is_empty() || key == "name") {
                return Err(M::Error::custom(
                    "a version unsets what it doesn't have, or its name",
                ));
            }
            if !is_unset && !is_fit(key, value.get()) {
                return Err(M::Error::custom(format!(
                    "no package can have such a {key}"
                )));
            }
            let said = Said {
                key: parts.place(key),
                value: parts.place(value.get()),
            };
            parts.said.push(said);
        }
        let end = u32::try_from(parts.said.len()).map_err(M::Error::custom)?;
        parts.ends.push(end);
        Ok(())
    }
}
