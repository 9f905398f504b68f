//! Splits a metadata file into its versions, keys and values, as ranges of its text. No file
//! depends on another, so many files can be split in parallel.

mod reader;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::num::NonZeroU32;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::outline::Unclear;
use allegro_composer::json::PhpJson;
use reader::{Parts, Whole};

/// The mark of files in which each version holds only its differences from the previous one
/// (composer/metadata-minifier).
const MINIFIED: &str = "composer/2.0";

/// The value by which a version of a minified file drops a key of the previous version.
const UNSET: &str = "__unset";

/// Keys by which a repository makes Composer print a message at the download.
const MESSAGES: [&str; 4] = ["warning", "warnings", "info", "infos"];

/// Returns whether Composer's `ArrayLoader` (2.2 to 2.11) accepts a value for a key. Composer
/// makes a package of each version that a requirement allows, chosen or not. It fails at a value
/// that it doesn't accept.
fn is_fit(key: &str, value: &str) -> bool {
    let kinds: &[u8] = match key {
        "name" => b"\"",
        "type" | "time" | "notification-url" | "installation-source" | "target-dir" => b"\"n",
        "source" | "dist" => b"{n",
        "bin" => b"\"{[n",
        "autoload" | "autoload-dev" | "include-path" | "support" | "suggest" | "require-dev"
        | "archive" | "php-ext" => b"{[n",
        _ => return true,
    };
    let needs: &[&str] = match key {
        "source" => &["\"type\"", "\"url\"", "\"reference\""],
        "dist" => &["\"type\"", "\"url\""],
        _ => &[],
    };
    let is_object = value.starts_with('{');
    value
        .bytes()
        .next()
        .is_some_and(|byte| kinds.contains(&byte))
        && (!is_object || needs.iter().all(|need| value.contains(need)))
        && (key != "suggest" || !is_object || links(value).is_ok())
}

/// Returns whether a value is [`UNSET`], even if it is written with escapes.
fn is_unset(value: &str) -> bool {
    match value
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(text) if text.contains('\\') => {
            serde_json::from_str::<String>(value).is_ok_and(|text| text == UNSET)
        }
        text => text == Some(UNSET),
    }
}

/// A range of a file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(u32, NonZeroU32);

/// The ranges of a key and its value.
#[derive(Debug, Clone, Copy)]
struct Said {
    key: Span,
    value: Span,
}

/// The keys that the choice of versions depends on.
pub const FIELDS: [&str; 9] = [
    "version",
    "version_normalized",
    "require",
    "conflict",
    "replace",
    "provide",
    "extra",
    "default-branch",
    "type",
];

/// The values of [`FIELDS`] in one version.
pub type Fields = [Option<Span>; FIELDS.len()];

/// The versions of one package in one file, with the keys and values that the file gives for each.
#[derive(Debug)]
pub struct Versions {
    text: PhpJson,
    said: Vec<Said>,
    /// The end of each version in `said`.
    ends: Vec<u32>,
    minified: bool,
    /// The values of [`FIELDS`] for each version, with those that it inherits.
    pub fields: Vec<Fields>,
}

impl Versions {
    /// Splits a file; `None` if it doesn't have the package.
    pub fn read(text: PhpJson, name: &str) -> Result<Option<Self>, Unclear> {
        if u32::try_from(text.as_str().len()).is_err() {
            return Err(Unclear("a file of more than 4 GiB".to_owned()));
        }
        let mut parts = Parts {
            start: text.as_str().as_ptr() as usize,
            name,
            is_known: false,
            is_minified: false,
            said: Vec::new(),
            ends: Vec::new(),
        };
        let mut json = serde_json::Deserializer::from_str(text.as_str());
        json.deserialize_map(Whole(&mut parts))
            .and_then(|()| json.end())
            .map_err(unclear)?;
        let Parts {
            is_known,
            is_minified,
            said,
            ends,
            ..
        } = parts;
        let mut versions = Self {
            text,
            said,
            ends,
            minified: is_minified,
            fields: Vec::new(),
        };
        versions.expand();
        Ok(is_known.then_some(versions))
    }

    /// Expands the values of [`FIELDS`] (`MetadataMinifier::expand`, composer/metadata-minifier
    /// 1.0.0).
    fn expand(&mut self) {
        let mut expanded = Vec::with_capacity(self.len());
        let mut fields = Fields::default();
        for version in 0..self.len() {
            if !self.minified {
                fields = Fields::default();
            }
            for said in self.said_of(version) {
                let key = self.text(said.key);
                if let Some(field) = FIELDS.iter().position(|field| *field == key) {
                    let is_unset = self.minified && is_unset(self.text(said.value));
                    fields[field] = (!is_unset).then_some(said.value);
                }
            }
            expanded.push(fields);
        }
        self.fields = expanded;
    }

    /// Returns the number of versions.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no versions.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns whether each version holds only its differences from the previous one.
    pub fn is_minified(&self) -> bool {
        self.minified
    }

    /// Returns the keys and values that the file gives for a version.
    fn said_of(&self, version: usize) -> &[Said] {
        let from = version
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.said[from..self.ends[version] as usize]
    }

    /// Returns the text of a range.
    pub fn text(&self, place: Span) -> &str {
        &self.text.as_str()[place.0 as usize..place.1.get() as usize]
    }

    /// Parses the text of a range.
    pub fn json(&self, place: Span) -> Result<Value, Unclear> {
        serde_json::from_str(self.text(place)).map_err(unclear)
    }

    /// Parses the text of a range, which must be a string.
    pub fn string(&self, place: Option<Span>) -> Result<Option<Cow<'_, str>>, Unclear> {
        let Some(place) = place else { return Ok(None) };
        let text = serde_json::from_str::<Text<'_>>(self.text(place)).map_err(unclear)?;
        Ok(Some(text.0))
    }

    /// Parses the text of a range, which must be links. Returns names and constraints in the order
    /// of the file.
    pub fn links(&self, place: Option<Span>) -> Result<Vec<Pair<'_, Cow<'_, str>>>, Unclear> {
        links(place.map_or("null", |place| self.text(place)))
    }

    /// Returns the range of a version: from its first key to the end of its last value.
    pub fn span(&self, version: usize) -> (u32, u32) {
        let said = self.said_of(version);
        match (said.first(), said.last()) {
            // The quote before the first key belongs to the range.
            (Some(first), Some(last)) => (first.key.0 - 1, last.value.1.get()),
            _ => (0, 0),
        }
    }
}

/// Parses links. Returns names and constraints in the order of the text. An empty list is often
/// written as `[]`.
pub fn links(text: &str) -> Result<Vec<Pair<'_, Cow<'_, str>>>, Unclear> {
    let list = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if text == "null" || list.is_some_and(|list| list.trim_ascii().is_empty()) {
        return Ok(Vec::new());
    }
    let links: Pairs<'_, Text<'_>> = serde_json::from_str(text).map_err(unclear)?;
    let links = links.0.into_iter();
    Ok(links
        .map(|(name, constraint)| (name, constraint.0))
        .collect())
}

/// Returns all of a version as JSON, as an unminified file would have it. The parts are the text
/// of the version or, if `is_minified`, of all versions up to it.
pub fn whole(parts: &[&str], is_minified: bool) -> Result<String, Unclear> {
    let objects: Vec<String> = parts.iter().map(|part| format!("{{{part}}}")).collect();
    let mut fields: Vec<(Cow<'_, str>, &str)> = Vec::new();
    for object in &objects {
        let said: Pairs<'_, &RawValue> = serde_json::from_str(object).map_err(unclear)?;
        for (key, value) in said.0 {
            let text = value.get();
            let known = fields.iter().position(|(name, _)| *name == key);
            match (known, is_minified && is_unset(text)) {
                (Some(at), true) => {
                    fields.remove(at);
                }
                (Some(at), false) => fields[at].1 = text,
                (None, true) => {}
                (None, false) => fields.push((key, text)),
            }
        }
    }
    let mut json = String::from("{");
    for (at, (key, text)) in fields.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str(&Value::from(&**key).to_string());
        json.push(':');
        json.push_str(text);
    }
    json.push('}');
    Ok(json)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn unclear(error: serde_json::Error) -> Unclear {
    Unclear(error.to_string())
}

/// A key and its value.
type Pair<'a, V> = (Cow<'a, str>, V);

/// A JSON object, in the order in which it is written.
struct Pairs<'a, V>(Vec<Pair<'a, V>>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Object<V> {
            type Value = Pairs<'de, V>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    pairs.push((name.0, map.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// A JSON string, which is copied only if it is written with escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Words)
    }
}
