//! Metadata of a package in the form of Composer's repositories (`p2/vendor/name.json`), read only as far as it is needed.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::constraint::{Terms, VersionId};
use super::package::{Link, Links, branch_alias};
use super::versions::{Fields, Place, Text, UNSET, Versions};

// Places in `FIELDS`.
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
    versions: Arc<Versions>,
    /// The versions with all that counts, in the file's order.
    pub entries: Vec<Entry>,
}

/// One version.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Normalized.
    pub version: VersionId,
    /// The number under which a branch is known too.
    pub alias: Option<VersionId>,
}

/// A file that Composer would not accept, or that isn't understood here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear(pub String);

/// Links: names and constraints in the order in which they are written.
struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Pairs<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("constraints by name")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    pairs.push((name.0, map.next_value::<Text<'de>>()?.0));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

impl Metadata {
    /// Reads the versions of a file.
    pub fn of(terms: &mut Terms, versions: Arc<Versions>) -> Result<Self, Unclear> {
        let mut metadata = Self {
            versions,
            entries: Vec::new(),
        };
        let mut entries = Vec::with_capacity(metadata.versions.len());
        let mut extra: Option<(Place, Rc<Value>)> = None;
        for fields in &metadata.versions.fields {
            let pretty = metadata
                .string(fields[VERSION])?
                .ok_or_else(|| Unclear("no version".to_owned()))?;
            let normalized = metadata.string(fields[NORMALIZED])?;
            let invalid = || Unclear(format!("Invalid version string \"{pretty}\""));
            let version = match normalized.as_deref() {
                Some(normalized) if normalized != super::version::DEFAULT_BRANCH_ALIAS => {
                    terms.version(normalized)
                }
                _ => terms.normalized(&pretty).ok_or_else(invalid)?,
            };
            let alias = if pretty.starts_with("dev-") || pretty.ends_with("-dev") {
                if extra.as_ref().map(|known| known.0) != fields[EXTRA] {
                    extra = match fields[EXTRA] {
                        Some(place) => Some((place, Rc::new(metadata.json(place)?))),
                        None => None,
                    };
                }
                let is_default =
                    fields[DEFAULT].is_some_and(|place| metadata.text(place) == "true");
                branch_alias(&pretty, extra.as_ref().map(|known| &*known.1), is_default)
            } else {
                None
            };
            let alias = alias.map(|alias| terms.version(&alias));
            entries.push(Entry { version, alias });
        }
        metadata.entries = entries;
        Ok(metadata)
    }

    fn text(&self, place: Place) -> &str {
        self.versions.text(place)
    }

    fn json(&self, place: Place) -> Result<Value, Unclear> {
        serde_json::from_str(self.text(place)).map_err(|error| Unclear(error.to_string()))
    }

    fn string(&self, place: Option<Place>) -> Result<Option<Cow<'_, str>>, Unclear> {
        let Some(place) = place else { return Ok(None) };
        let text = self.text(place);
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
    pub fn pretty(&self, entry: usize) -> Result<Cow<'_, str>, Unclear> {
        let fields = self.fields(entry);
        Ok(self.string(fields[VERSION])?.unwrap_or_default())
    }

    fn fields(&self, entry: usize) -> &Fields {
        &self.versions.fields[entry]
    }

    /// Package type.
    pub fn kind(&self, entry: usize) -> Result<Cow<'_, str>, Unclear> {
        Ok(self
            .string(self.fields(entry)[TYPE])?
            .unwrap_or(Cow::Borrowed("library")))
    }

    /// The links of a version; `last` are those of another, which are the same more often than not.
    pub fn links(
        &self,
        terms: &mut Terms,
        entry: usize,
        last: &mut Option<(usize, Rc<Links>)>,
    ) -> Result<Rc<Links>, Unclear> {
        if let Some((other, links)) = last
            && self.fields(*other)[REQUIRE..=PROVIDE] == self.fields(entry)[REQUIRE..=PROVIDE]
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
            let Some(place) = self.fields(entry)[field] else {
                return Ok(Vec::new());
            };
            let text = self.text(place);
            if text.starts_with('[') || text == "null" {
                return Ok(Vec::new());
            }
            let mut links: Vec<Link> = Vec::new();
            let pairs: Pairs<'_> =
                serde_json::from_str(text).map_err(|error| Unclear(error.to_string()))?;
            for (target, constraint) in pairs.0 {
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
        *last = Some((entry, Rc::clone(&links)));
        Ok(links)
    }

    /// A version as the repository would give it if it weren't minified.
    pub fn whole(&self, entry: usize) -> Result<Box<RawValue>, Unclear> {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        let minified = self.versions.is_minified();
        let first = if minified { 0 } else { entry };
        for at in first..=entry {
            for (key, place) in self.versions.of(at) {
                let text = self.text(place);
                let known = fields.iter().position(|(name, _)| *name == key);
                match (known, minified && text == UNSET) {
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
