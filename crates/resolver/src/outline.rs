//! The outline of a metadata file: the part of it that the choice of versions depends on.
//!
//! An outline is made once, outside the thread of the solver. It can be stored for the next run,
//! and is a small part of the file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metadata_text::{Fields, Span, Versions, whole};
use super::package::branch_alias;
use allegro_base::tables::HashMap;
use allegro_semver::version::DEFAULT_BRANCH_ALIAS;

// Places in `FIELDS`.
const VERSION: usize = 0;
const NORMALIZED: usize = 1;
const REQUIRE: usize = 2;
const PROVIDE: usize = 5;
const EXTRA: usize = 6;
const DEFAULT: usize = 7;
const TYPE: usize = 8;

/// Version of the format. It must grow whenever the outline of an unchanged file changes.
pub const FORMAT: u32 = 1;

/// The reason why a file can't be used: Composer would refuse it, or it isn't understood here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear(pub String);

impl From<&str> for Unclear {
    fn from(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

/// The number of a text in its outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextId(u32);

/// The versions of one metadata file, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Whether each version holds only its differences from the previous one.
    is_minified: bool,
    /// All distinct texts, concatenated.
    text: Box<str>,
    /// The end of each text.
    ends: Box<[u32]>,
    /// The versions, in the order of the file.
    pub versions: Box<[Version]>,
    groups: Box<[Group]>,
    pairs: Box<[(TextId, TextId)]>,
}

/// A version of a package in an outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version as the file writes it.
    pub pretty: TextId,
    /// Normalized version, if the file has one.
    pub normalized: Option<TextId>,
    /// Normalized branch alias, if the version is a branch that has one.
    pub alias: Option<TextId>,
    /// Package type, if the file has one.
    pub kind: Option<TextId>,
    /// The number of the version's set of links.
    pub group: u32,
    /// The range of the version in the file: from its first key to the end of its last value.
    span: (u32, u32),
}

/// A set of links, which several versions may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    /// Begin of the set in `pairs`.
    from: u32,
    /// End of each kind of links in `pairs`.
    ends: [u32; 4],
    /// Whether a constraint is written as `self.version`, so that its meaning depends on the
    /// version.
    of_self: bool,
    /// The reason why the links can't be read.
    unclear: Option<TextId>,
}

/// The kinds of links, in the order in which an outline stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// `require`
    Require,
    /// `conflict`
    Conflict,
    /// `replace`
    Replace,
    /// `provide`
    Provide,
}

impl Outline {
    /// Makes the outline of a file.
    pub fn of(versions: &Versions) -> Result<Self, Unclear> {
        Maker::new(versions).outline()
    }

    /// Returns the text with a number.
    pub fn text(&self, id: TextId) -> &str {
        let at = id.0 as usize;
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[from as usize..self.ends[at] as usize]
    }

    /// Returns the number of distinct sets of links.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Returns whether the meaning of a set of links depends on the version that has it.
    pub fn is_of_self(&self, group: u32) -> bool {
        self.groups[group as usize].of_self
    }

    /// Returns the links of one kind: names and constraints, as they are written.
    pub fn links(
        &self,
        group: u32,
        kind: LinkKind,
    ) -> Result<impl Iterator<Item = (&str, &str)>, Unclear> {
        let group = &self.groups[group as usize];
        if let Some(reason) = group.unclear {
            return Err(Unclear(self.text(reason).to_owned()));
        }
        let kind = kind as usize;
        let from = kind
            .checked_sub(1)
            .map_or(group.from, |before| group.ends[before]);
        let pairs = &self.pairs[from as usize..group.ends[kind] as usize];
        let texts = pairs.iter();
        Ok(texts.map(|(name, constraint)| (self.text(*name), self.text(*constraint))))
    }

    /// Returns the number of bytes that must be read, from the start of the file, to get all of a
    /// version.
    pub fn needs(&self, version: usize) -> usize {
        let parts = self.parts(version).iter();
        parts.map(|part| part.span.1 as usize).max().unwrap_or(0)
    }

    /// Returns all of a version as JSON, as an unminified file would have it. `text` is the file,
    /// or as much of it as [`Self::needs`] says.
    pub fn whole(&self, version: usize, text: &str) -> Result<String, Unclear> {
        let parts = self.parts(version).iter();
        let parts = parts.map(|part| text.get(part.span.0 as usize..part.span.1 as usize));
        let parts: Option<Vec<&str>> = parts.collect();
        let parts = parts.ok_or_else(|| Unclear("the file is too short".to_owned()))?;
        whole(&parts, self.is_minified)
    }

    /// Returns the versions whose text makes up a version: all up to it if the file is minified.
    fn parts(&self, version: usize) -> &[Version] {
        let first = if self.is_minified { 0 } else { version };
        &self.versions[first..=version]
    }

    /// Returns whether all references of the outline are valid. A stored outline may be damaged.
    pub fn is_whole(&self) -> bool {
        let text = |id: TextId| (id.0 as usize) < self.ends.len();
        let may_be = |id: Option<TextId>| id.is_none_or(text);
        let mut last = 0;
        let in_order = |end: &u32| {
            let fits = *end >= last && self.text.is_char_boundary(*end as usize);
            last = *end;
            fits
        };
        self.ends.iter().all(in_order)
            && self.versions.iter().all(|version| {
                text(version.pretty)
                    && may_be(version.normalized)
                    && may_be(version.alias)
                    && may_be(version.kind)
                    && (version.group as usize) < self.groups.len()
            })
            && self.groups.iter().all(|group| {
                let ends = group.ends.map(|end| end as usize);
                may_be(group.unclear)
                    && group.from as usize <= ends[0]
                    && ends.is_sorted()
                    && ends[3] <= self.pairs.len()
            })
            && self.pairs.iter().all(|pair| text(pair.0) && text(pair.1))
    }
}

/// Makes an outline.
struct Maker<'a> {
    versions: &'a Versions,
    known: HashMap<String, TextId>,
    text: String,
    ends: Vec<u32>,
    groups: Vec<Group>,
    pairs: Vec<(TextId, TextId)>,
}

fn number(value: usize) -> u32 {
    // An outline isn't longer than its file, which has less than 4 GiB.
    u32::try_from(value).expect("fewer than 2^32 of anything")
}

impl<'a> Maker<'a> {
    fn new(versions: &'a Versions) -> Self {
        Self {
            versions,
            known: HashMap::default(),
            text: String::new(),
            ends: Vec::new(),
            groups: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// Makes the outline, version by version.
    fn outline(mut self) -> Result<Outline, Unclear> {
        let versions = self.versions;
        let mut list = Vec::with_capacity(versions.len());
        let mut extra: Option<(Span, Value)> = None;
        let mut groups: HashMap<[Option<&str>; 4], u32> = HashMap::default();
        for (at, fields) in versions.fields.iter().enumerate() {
            let pretty = versions
                .string(fields[VERSION])?
                .ok_or_else(|| Unclear("no version".to_owned()))?;
            let normalized = versions
                .string(fields[NORMALIZED])?
                .filter(|normalized| normalized != DEFAULT_BRANCH_ALIAS);
            let alias = if pretty.starts_with("dev-") || pretty.ends_with("-dev") {
                if extra.as_ref().map(|known| known.0) != fields[EXTRA] {
                    extra = match fields[EXTRA] {
                        Some(place) => Some((place, versions.json(place)?)),
                        None => None,
                    };
                }
                let is_default =
                    fields[DEFAULT].is_some_and(|place| versions.text(place) == "true");
                branch_alias(&pretty, extra.as_ref().map(|known| &known.1), is_default)
            } else {
                None
            };
            // Composer checks `isset()`, which is false for `null`.
            let kind = fields[TYPE].filter(|place| versions.text(*place) != "null");
            let kind = versions.string(kind)?;
            let key = [0, 1, 2, 3].map(|kind| Some(versions.text(fields[REQUIRE + kind]?)));
            let group = if let Some(group) = groups.get(&key) {
                *group
            } else {
                let group = number(self.groups.len());
                let made = self.group(fields);
                self.groups.push(made);
                groups.insert(key, group);
                group
            };
            list.push(Version {
                pretty: self.keep(&pretty),
                normalized: normalized.map(|text| self.keep(&text)),
                alias: alias.map(|text| self.keep(&text)),
                kind: kind.map(|text| self.keep(&text)),
                group,
                span: versions.span(at),
            });
        }
        Ok(Outline {
            is_minified: versions.is_minified(),
            text: self.text.into(),
            ends: self.ends.into(),
            versions: list.into(),
            groups: self.groups.into(),
            pairs: self.pairs.into(),
        })
    }

    /// Returns the number of a text, which is added at its first use.
    fn keep(&mut self, text: &str) -> TextId {
        if let Some(id) = self.known.get(text) {
            return *id;
        }
        let id = TextId(number(self.ends.len()));
        self.text.push_str(text);
        self.ends.push(number(self.text.len()));
        self.known.insert(text.to_owned(), id);
        id
    }

    /// Reads the links of a version.
    fn group(&mut self, fields: &Fields) -> Group {
        let from = number(self.pairs.len());
        let mut group = Group {
            from,
            ends: [from; 4],
            of_self: false,
            unclear: None,
        };
        for (place, end) in fields[REQUIRE..=PROVIDE].iter().zip(0..) {
            match self.versions.links(*place) {
                Ok(pairs) => {
                    for (name, constraint) in pairs {
                        group.of_self |= constraint == "self.version";
                        let pair = (self.keep(&name), self.keep(&constraint));
                        self.pairs.push(pair);
                    }
                }
                // An error matters only if somebody asks for this version.
                Err(reason) => {
                    self.pairs.truncate(from as usize);
                    group.ends = [from; 4];
                    group.unclear = Some(self.keep(&reason.0));
                    return group;
                }
            }
            group.ends[end] = number(self.pairs.len());
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use allegro_composer::json::PhpJson;

    fn outline(text: &str) -> Result<Outline, Unclear> {
        let text = PhpJson::of(text.to_owned()).expect("JSON");
        let versions = Versions::read(text, "a/a")?.expect("it is known");
        Outline::of(&versions)
    }

    fn example() -> Outline {
        let text = json!({ "packages": { "a/a": [
            { "version": "2.0", "version_normalized": "2.0.0.0", "require": { "b/b": "^1", "c/c": "*" } },
            { "version": "1.1", "version_normalized": "1.1.0.0", "type": "metapackage",
              "require": { "b/b": "^1", "c/c": "*" }, "replace": { "d/d": "self.version" } },
            { "version": "1.0", "version_normalized": "1.0.0.0", "require": { "b/b": "^1", "c/c": "*" } },
            { "version": "dev-main", "version_normalized": "9999999-dev", "require": { "b/b": 5 },
              "extra": { "branch-alias": { "dev-main": "3.x-dev" } } },
        ] } });
        outline(&text.to_string()).expect("an outline")
    }

    #[test]
    fn it_says_what_counts() {
        let outline = example();
        let text = |id: TextId| outline.text(id).to_owned();
        let shown: Vec<_> = outline
            .versions
            .iter()
            .map(|version| {
                let normalized = version.normalized.map(text);
                let (alias, kind) = (version.alias.map(text), version.kind.map(text));
                (text(version.pretty), normalized, alias, kind, version.group)
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        let own = |text: &str| text.to_owned();
        assert_eq!(
            shown,
            [
                (own("2.0"), some("2.0.0.0"), None, None, 0),
                (own("1.1"), some("1.1.0.0"), None, some("metapackage"), 1),
                (own("1.0"), some("1.0.0.0"), None, None, 0),
                (
                    own("dev-main"),
                    None,
                    some("3.9999999.9999999.9999999-dev"),
                    None,
                    2
                ),
            ]
        );
        let links = |group, kind| -> Vec<(String, String)> {
            let links = outline.links(group, kind).expect("links");
            links.map(|(one, other)| (own(one), own(other))).collect()
        };
        let requires = [(own("b/b"), own("^1")), (own("c/c"), own("*"))];
        assert_eq!(links(0, LinkKind::Require), requires);
        assert_eq!(links(1, LinkKind::Require), requires);
        assert_eq!(links(1, LinkKind::Conflict), []);
        assert_eq!(
            links(1, LinkKind::Replace),
            [(own("d/d"), own("self.version"))]
        );
        assert_eq!(links(1, LinkKind::Provide), []);
        assert_eq!(
            [0, 1, 2].map(|group| outline.is_of_self(group)),
            [false, true, false]
        );
        assert!(outline.links(2, LinkKind::Require).is_err());
    }

    #[test]
    fn a_version_is_told_in_full() {
        let minified = r#"{ "minified": "composer\/2.0", "packages": { "a/a": [
            { "version": "2.0", "require": { "b/b": "^1" }, "type": "library", "ä": "\u00e4/\/" },
            { "version" : "1.0", "type": "__unset" },
            { "version": "0.1", "type": "project", "require": {} }
        ] } }"#;
        let plain = minified.replace("composer", "another");
        let tell = |text: &str, version: usize| {
            let outline = outline(text).expect("an outline");
            let needed = &text[..outline.needs(version)];
            outline.whole(version, needed).expect("a version")
        };
        let first =
            r#"{"version":"2.0","require":{ "b/b": "^1" },"type":"library","ä":"\u00e4/\/"}"#;
        assert_eq!(tell(minified, 0), first);
        assert_eq!(tell(&plain, 0), first);
        let second = r#"{"version":"1.0","require":{ "b/b": "^1" },"ä":"\u00e4/\/"}"#;
        assert_eq!(tell(minified, 1), second);
        assert_eq!(tell(&plain, 1), r#"{"version":"1.0","type":"__unset"}"#);
        let third = r#"{"version":"0.1","require":{},"ä":"\u00e4/\/","type":"project"}"#;
        assert_eq!(tell(minified, 2), third);
        assert!(
            outline(minified)
                .expect("an outline")
                .whole(2, &minified[..200])
                .is_err()
        );
    }

    #[test]
    fn damaged_ones_are_noticed() {
        let outline = example();
        assert!(outline.is_whole());
        let bytes = postcard::to_stdvec(&outline).expect("bytes");
        assert_eq!(
            postcard::from_bytes::<Outline>(&bytes).as_ref(),
            Ok(&outline)
        );
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let Ok(damaged) = postcard::from_bytes::<Outline>(&bytes) else {
                    continue;
                };
                if !damaged.is_whole() {
                    continue;
                }
                // All references of an outline that passes the check are valid.
                for version in &damaged.versions {
                    damaged.text(version.pretty);
                    if let Ok(links) = damaged.links(version.group, LinkKind::Provide) {
                        links.count();
                    }
                }
            }
        }
    }

    #[test]
    fn a_type_may_be_null() {
        let text = json!({ "packages": { "a/a": [{ "version": "1", "type": null }] } });
        let outline = outline(&text.to_string()).expect("an outline");
        assert_eq!(outline.versions[0].kind, None);
    }

    #[test]
    fn what_composer_would_not_read_has_none() {
        for version in [
            json!({}),
            json!({ "version": 5 }),
            json!({ "version": "1", "type": 5 }),
        ] {
            let text = json!({ "packages": { "a/a": [version] } }).to_string();
            assert!(outline(&text).is_err(), "{text}");
        }
    }
}
