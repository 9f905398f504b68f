//! Metadata of a package in the form of Composer's repositories (`p2/vendor/name.json`), read only as far as it is needed.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::constraint::{Terms, VersionId};
use super::package::{Link, Links, branch_alias};

/// What is read of each version.
const FIELDS: [&str; 9] = [
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

const VERSION: usize = 0;
const NORMALIZED: usize = 1;
const REQUIRE: usize = 2;
const CONFLICT: usize = 3;
const REPLACE: usize = 4;
const PROVIDE: usize = 5;
const EXTRA: usize = 6;
const DEFAULT: usize = 7;
const TYPE: usize = 8;

/// The versions of one package in one file.
#[derive(Debug)]
pub struct Metadata {
    text: String,
    /// What each version says, or says otherwise than the one before.
    said: Vec<Vec<(Box<str>, Range<usize>)>>,
    minified: bool,
    /// The versions with all that counts, in the file's order.
    pub entries: Vec<Entry>,
}

/// One version.
#[derive(Debug, Clone)]
pub struct Entry {
    fields: [Option<Range<usize>>; FIELDS.len()],
    /// Normalized.
    pub version: VersionId,
    /// The number under which a branch is known too.
    pub alias: Option<VersionId>,
}

/// A file that Composer would not accept, or that isn't understood here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear(pub String);

/// An object in the order in which it is written.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    pairs.push((key.0, map.next_value()?));
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A key, copied only where it is written with escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn object(text: &str) -> Result<Object<'_>, Unclear> {
    serde_json::from_str(text).map_err(|error| Unclear(error.to_string()))
}

fn value_of<'a>(object: &Object<'a>, key: &str) -> Option<&'a RawValue> {
    // PHP takes the last of several.
    object
        .0
        .iter()
        .rev()
        .find(|(name, _)| name == key)
        .map(|(_, value)| *value)
}

impl Metadata {
    /// Reads the versions of a package; `None` if the file doesn't know it.
    pub fn read(terms: &mut Terms, text: String, name: &str) -> Result<Option<Self>, Unclear> {
        let whole = object(&text)?;
        let Some(packages) = value_of(&whole, "packages") else {
            return Ok(None);
        };
        if packages.get().starts_with('[') {
            return Ok(None);
        }
        let packages = object(packages.get())?;
        let Some(versions) = value_of(&packages, name).filter(|versions| versions.get() != "null")
        else {
            return Ok(None);
        };
        let minified =
            value_of(&whole, "minified").is_some_and(|mark| mark.get() == "\"composer/2.0\"");
        let versions: Vec<&RawValue> = if versions.get().starts_with('[') {
            serde_json::from_str(versions.get()).map_err(|error| Unclear(error.to_string()))?
        } else {
            object(versions.get())?
                .0
                .into_iter()
                .map(|(_, value)| value)
                .collect()
        };
        let start = text.as_ptr() as usize;
        let range = |value: &RawValue| {
            let from = value.get().as_ptr() as usize - start;
            from..from + value.get().len()
        };
        let mut said = Vec::with_capacity(versions.len());
        for version in versions {
            let pairs = object(version.get())?.0;
            said.push(
                pairs
                    .into_iter()
                    .map(|(key, value)| (Box::from(&*key), range(value)))
                    .collect(),
            );
        }
        let mut metadata = Self {
            text,
            said,
            minified,
            entries: Vec::new(),
        };
        metadata.expand(terms)?;
        Ok(Some(metadata))
    }

    /// `MetadataMinifier::expand()`, for what counts here.
    fn expand(&mut self, terms: &mut Terms) -> Result<(), Unclear> {
        let mut fields: [Option<Range<usize>>; FIELDS.len()] = Default::default();
        let mut extra: Option<(Range<usize>, Rc<Value>)> = None;
        for said in &self.said {
            if !self.minified {
                fields = Default::default();
            }
            for (key, range) in said {
                let Some(field) = FIELDS.iter().position(|field| **field == **key) else {
                    continue;
                };
                let unset = self.minified && &self.text[range.clone()] == "\"__unset\"";
                fields[field] = (!unset).then(|| range.clone());
            }
            let pretty = self
                .string(fields[VERSION].as_ref())?
                .ok_or_else(|| Unclear("no version".to_owned()))?;
            let normalized = self.string(fields[NORMALIZED].as_ref())?;
            let invalid = || Unclear(format!("Invalid version string \"{pretty}\""));
            let version = match normalized.as_deref() {
                Some(normalized) if normalized != super::version::DEFAULT_BRANCH_ALIAS => {
                    terms.version(normalized)
                }
                _ => terms.normalized(&pretty).ok_or_else(invalid)?,
            };
            let alias = if pretty.starts_with("dev-") || pretty.ends_with("-dev") {
                if extra.as_ref().map(|known| &known.0) != fields[EXTRA].as_ref() {
                    extra = match &fields[EXTRA] {
                        Some(range) => Some((range.clone(), Rc::new(self.json(range)?))),
                        None => None,
                    };
                }
                let is_default = fields[DEFAULT]
                    .as_ref()
                    .is_some_and(|range| &self.text[range.clone()] == "true");
                branch_alias(&pretty, extra.as_ref().map(|known| &*known.1), is_default)
            } else {
                None
            };
            let alias = alias.map(|alias| terms.version(&alias));
            self.entries.push(Entry {
                fields: fields.clone(),
                version,
                alias,
            });
        }
        Ok(())
    }

    fn json(&self, range: &Range<usize>) -> Result<Value, Unclear> {
        serde_json::from_str(&self.text[range.clone()]).map_err(|error| Unclear(error.to_string()))
    }

    fn string(&self, range: Option<&Range<usize>>) -> Result<Option<Cow<'_, str>>, Unclear> {
        let Some(range) = range else { return Ok(None) };
        let text = &self.text[range.clone()];
        if let Some(plain) = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            && !plain.contains('\\')
        {
            return Ok(Some(Cow::Borrowed(plain)));
        }
        serde_json::from_str(text)
            .map(|text| Some(Cow::Owned(text)))
            .map_err(|error| Unclear(error.to_string()))
    }

    /// A version as it is written.
    pub fn pretty(&self, entry: &Entry) -> Result<Cow<'_, str>, Unclear> {
        Ok(self
            .string(entry.fields[VERSION].as_ref())?
            .unwrap_or_default())
    }

    /// Package type.
    pub fn kind(&self, entry: &Entry) -> Result<Cow<'_, str>, Unclear> {
        Ok(self
            .string(entry.fields[TYPE].as_ref())?
            .unwrap_or(Cow::Borrowed("library")))
    }

    /// The links of a version; `last` are those of the version before, which are the same more often than not.
    pub fn links(
        &self,
        terms: &mut Terms,
        entry: &Entry,
        last: &mut Option<(Entry, Rc<Links>)>,
    ) -> Result<Rc<Links>, Unclear> {
        if let Some((other, links)) = last
            && other.fields[REQUIRE..=PROVIDE] == entry.fields[REQUIRE..=PROVIDE]
            && ![
                &links.requires,
                &links.conflicts,
                &links.replaces,
                &links.provides,
            ]
            .into_iter()
            .flatten()
            .any(|link| link.of_self)
        {
            return Ok(Rc::clone(links));
        }
        let pretty = self.pretty(entry)?.into_owned();
        let mut read = |field: usize| -> Result<Vec<Link>, Unclear> {
            let Some(range) = &entry.fields[field] else {
                return Ok(Vec::new());
            };
            let text = &self.text[range.clone()];
            if text.starts_with('[') || text == "null" {
                return Ok(Vec::new());
            }
            let mut links: Vec<Link> = Vec::new();
            for (target, constraint) in object(text)?.0 {
                let constraint: Cow<'_, str> = match constraint.get().strip_prefix('"') {
                    Some(_) => {
                        serde_json::from_str::<Text<'_>>(constraint.get())
                            .map_err(|error| Unclear(error.to_string()))?
                            .0
                    }
                    None => return Err(Unclear(format!("a link to {target} that is no text"))),
                };
                let of_self = constraint == "self.version";
                let parsed = terms.parse(if of_self { &pretty } else { &constraint });
                let parsed = parsed.ok_or_else(|| {
                    Unclear(format!("Could not parse version constraint {constraint}"))
                })?;
                let link = Link {
                    target: terms.name(&target),
                    constraint: parsed,
                    of_self,
                };
                // Keys that differ in case are one.
                match links.iter_mut().find(|known| known.target == link.target) {
                    Some(known) => *known = link,
                    None => links.push(link),
                }
            }
            Ok(links)
        };
        let links = Rc::new(Links {
            requires: read(REQUIRE)?,
            conflicts: read(CONFLICT)?,
            replaces: read(REPLACE)?,
            provides: read(PROVIDE)?,
        });
        *last = Some((entry.clone(), Rc::clone(&links)));
        Ok(links)
    }

    /// A version as the repository would give it if it weren't minified.
    pub fn whole(&self, entry: usize) -> Result<Box<RawValue>, Unclear> {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        let first = if self.minified { 0 } else { entry };
        for said in &self.said[first..=entry] {
            for (key, range) in said {
                let text = &self.text[range.clone()];
                let known = fields.iter().position(|(name, _)| *name == &**key);
                match (known, self.minified && text == "\"__unset\"") {
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
            json.push_str(&Value::from(*key).to_string());
            json.push(':');
            json.push_str(text);
        }
        json.push('}');
        RawValue::from_string(json).map_err(|error| Unclear(error.to_string()))
    }
}

/// Text, copied only where it is written with escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
