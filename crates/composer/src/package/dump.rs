//! Writes packages as entries of installed.json and composer.lock.

use std::borrow::Cow;

use super::fields::{is_array, is_empty_array};
use super::time::rfc3339;
use super::{Package, Place};
use crate::dialect::Dialect;
use crate::json::{Json, Pretty, is_php_list};
use crate::php::order::sort_by_text;

/// A value of an entry, borrowed from the package where that is possible.
enum Value<'a> {
    Text(&'a str),
    Texts(Vec<&'a str>),
    True,
    Null,
    /// A value of the entry, which goes through PHP arrays.
    Kept(&'a Json),
    Made(Json),
    Pairs(Vec<(Cow<'a, str>, &'a str)>),
    Members(Vec<(&'static str, Value<'a>)>),
}

type Members<'a> = Vec<(&'static str, Value<'a>)>;

impl Package {
    /// Returns the entry that installed.json gets for the package (`ArrayDumper::dump` and
    /// `FilesystemRepository::write`, composer 2.10.2).
    ///
    /// The source is `dist` or `source`, and the path is relative to vendor/composer. Both are
    /// `None` for a metapackage.
    pub fn to_installed(
        &self,
        dialect: Dialect,
        installation_source: Option<&str>,
        install_path: Option<&str>,
    ) -> Json {
        Value::Members(self.members(dialect, installation_source, install_path)).into_json()
    }

    /// Writes the entry that installed.json gets for the package.
    pub(crate) fn write_installed(
        &self,
        pretty: &mut Pretty<'_>,
        depth: usize,
        dialect: Dialect,
        installation_source: Option<&str>,
        install_path: Option<&str>,
    ) {
        let members = self.members(dialect, installation_source, install_path);
        Value::Members(members).write(pretty, depth);
    }

    /// Returns the entry that composer.lock gets for the package (`Locker::lockPackages`, composer
    /// 2.10.2).
    pub fn to_locked(&self, dialect: Dialect) -> Json {
        Value::Members(self.locked_members(dialect)).into_json()
    }

    /// Writes the entry that composer.lock gets for the package.
    pub(crate) fn write_locked(&self, pretty: &mut Pretty<'_>, depth: usize, dialect: Dialect) {
        Value::Members(self.locked_members(dialect)).write(pretty, depth);
    }

    /// Returns the members of an entry of composer.lock, in which the time comes last.
    fn locked_members(&self, dialect: Dialect) -> Members<'_> {
        let mut members = self.members(dialect, None, None);
        members.retain(|(key, _)| !matches!(*key, "version_normalized" | "install-path"));
        if let Some(at) = members.iter().position(|(key, _)| *key == "time") {
            let time = members.remove(at);
            members.push(time);
        }
        members
    }

    fn members<'a>(
        &'a self,
        dialect: Dialect,
        installation_source: Option<&'a str>,
        install_path: Option<&'a str>,
    ) -> Members<'a> {
        let entry = &self.entry;
        let mut members: Members = vec![
            ("name", Value::Text(&self.pretty_name)),
            ("version", Value::Text(&self.pretty_version)),
            ("version_normalized", Value::Text(&self.version)),
        ];
        let mut add = |key: &'static str, value: Option<Value<'a>>| {
            members.extend(value.map(|value| (key, value)));
        };
        add("target-dir", self.target_dir.as_deref().map(Value::Text));
        add("source", self.source.as_ref().map(place));
        add("dist", self.dist.as_ref().map(place));
        for key in ["require", "conflict", "provide", "replace", "require-dev"] {
            add(key, links(entry.entries_at(key)));
        }
        add("suggest", self.suggestions());
        let time = entry
            .str_at("time")
            .filter(|time| !matches!(*time, "" | "0"));
        let time = time.and_then(|time| rfc3339(time).ok());
        add("time", time.map(|time| Value::Made(Json::Str(time))));
        let is_default = entry.get("default-branch") == Some(&Json::Bool(true));
        add("default-branch", is_default.then_some(Value::True));
        let bins: Vec<&str> = self.bins.iter().map(String::as_str).collect();
        add("bin", (!bins.is_empty()).then_some(Value::Texts(bins)));
        add("type", Some(Value::Text(&self.kind)));
        add("extra", kept(entry.get("extra")));
        add("installation-source", installation_source.map(Value::Text));
        add("autoload", kept(entry.get("autoload")));
        add("autoload-dev", kept(entry.get("autoload-dev")));
        add(
            "notification-url",
            self.notification_url.as_deref().map(Value::Text),
        );
        add("include-path", kept(entry.get("include-path")));
        if dialect.records_php_ext {
            add("php-ext", kept(entry.get("php-ext")));
        }
        add("archive", archive(entry.get("archive")));
        add("scripts", scripts(entry.entries_at("scripts")));
        add(
            "license",
            match entry.get("license") {
                Some(Json::Str(text)) => full(text).map(|license| Value::Texts(vec![license])),
                license => kept(license),
            },
        );
        add("authors", kept(entry.get("authors")));
        for key in ["description", "homepage"] {
            add(key, entry.str_at(key).and_then(full).map(Value::Text));
        }
        add("keywords", keywords(entry.items_at("keywords")));
        add("support", kept(entry.get("support")));
        add("funding", kept(entry.get("funding")));
        add(
            "abandoned",
            self.abandoned
                .as_ref()
                .map(|replacement| match replacement {
                    Some(package) => Value::Text(package),
                    None => Value::True,
                }),
        );
        add("transport-options", kept(entry.get("transport-options")));
        add(
            "install-path",
            Some(install_path.map_or(Value::Null, Value::Text)),
        );
        members
    }

    fn suggestions<'a>(&'a self) -> Option<Value<'a>> {
        let suggestions = self.entry.get("suggest")?;
        if !suggestions.items().is_empty() {
            let reasons = suggestions.items().iter().filter_map(Json::as_str);
            return Some(Value::Texts(
                reasons.map(|reason| self.reason(reason)).collect(),
            ));
        }
        let pair = |(name, reason): &'a (String, Json)| {
            Some((Cow::Borrowed(name.as_str()), self.reason(reason.as_str()?)))
        };
        sorted(suggestions.entries().iter().filter_map(pair).collect())
    }

    /// Returns the reason of a suggestion, in which the version may stand for itself.
    fn reason<'a>(&'a self, reason: &'a str) -> &'a str {
        if reason.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b']) == "self.version" {
            &self.pretty_version
        } else {
            reason
        }
    }
}

/// Returns a text unless it is empty to PHP.
fn full(text: &str) -> Option<&str> {
    (!matches!(text, "" | "0")).then_some(text)
}

/// Returns a list or object that has elements.
fn kept(value: Option<&Json>) -> Option<Value<'_>> {
    value
        .filter(|value| is_array(value) && !is_empty_array(value))
        .map(Value::Kept)
}

fn place(place: &Place) -> Value<'_> {
    let mut members: Members = vec![
        ("type", Value::Text(&place.kind)),
        ("url", Value::Text(&place.url)),
    ];
    let texts = [("reference", &place.reference), ("shasum", &place.shasum)];
    for (key, text) in texts {
        members.extend(text.as_deref().map(|text| (key, Value::Text(text))));
    }
    members.extend(kept(Some(&place.mirrors)).map(|mirrors| ("mirrors", mirrors)));
    Value::Members(members)
}

/// Returns links sorted by their targets in small letters. The last of equal targets counts.
fn links(entries: &[(String, Json)]) -> Option<Value<'_>> {
    let mut pairs: Vec<(Cow<'_, str>, &str)> = Vec::with_capacity(entries.len());
    let mut has_capitals = false;
    for (name, constraint) in entries {
        let Some(constraint) = constraint.as_str() else {
            continue;
        };
        let mut target = Cow::Borrowed(name.as_str());
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            has_capitals = true;
            target = Cow::Owned(name.to_ascii_lowercase());
        }
        if has_capitals && let Some(old) = pairs.iter_mut().find(|(name, _)| *name == target) {
            old.1 = constraint;
        } else {
            pairs.push((target, constraint));
        }
    }
    sorted(pairs)
}

/// Returns pairs sorted by name as `ksort` does. [`Package::load`] has checked that this works.
fn sorted<'a>(mut pairs: Vec<(Cow<'a, str>, &'a str)>) -> Option<Value<'a>> {
    let _ = sort_by_text(&mut pairs, |(name, _)| name);
    (!pairs.is_empty()).then_some(Value::Pairs(pairs))
}

fn keywords(items: &[Json]) -> Option<Value<'_>> {
    let mut keywords: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
    let _ = sort_by_text(&mut keywords, |keyword| keyword);
    (!keywords.is_empty()).then_some(Value::Texts(keywords))
}

fn archive(archive: Option<&Json>) -> Option<Value<'_>> {
    let archive = archive?;
    let name = archive.str_at("name").and_then(full).map(Value::Text);
    let exclude = kept(archive.get("exclude"));
    let members = [("name", name), ("exclude", exclude)];
    let members: Members = members
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    (!members.is_empty()).then_some(Value::Members(members))
}

/// Returns scripts with a list of listeners for each.
fn scripts(scripts: &[(String, Json)]) -> Option<Value<'_>> {
    let listed = |(name, listeners): &(String, Json)| {
        let listeners = match listeners {
            Json::Null => Json::Array(Vec::new()),
            Json::Str(listener) => Json::strings([listener.as_str()]),
            listeners => listeners.clone(),
        };
        (name.clone(), listeners)
    };
    let scripts: Vec<_> = scripts.iter().map(listed).collect();
    (!scripts.is_empty()).then_some(Value::Made(Json::Object(scripts)))
}

impl Value<'_> {
    fn into_json(self) -> Json {
        match self {
            Self::Text(text) => Json::str(text),
            Self::Texts(texts) => Json::strings(texts),
            Self::True => Json::Bool(true),
            Self::Null => Json::Null,
            Self::Kept(value) => through_php(value),
            Self::Made(value) => through_php(&value),
            Self::Pairs(pairs) => {
                let pairs = pairs.into_iter();
                Json::Object(
                    pairs
                        .map(|(key, text)| (key.into_owned(), Json::str(text)))
                        .collect(),
                )
            }
            Self::Members(members) => {
                let members = members.into_iter();
                let member = |(key, value): (&str, Self)| (key.to_owned(), value.into_json());
                Json::Object(members.map(member).collect())
            }
        }
    }

    fn write(&self, pretty: &mut Pretty<'_>, depth: usize) {
        match self {
            Self::Text(text) => pretty.string(text),
            Self::Texts(texts) => pretty.list(depth, texts, |pretty, text| pretty.string(text)),
            Self::True => pretty.word("true"),
            Self::Null => pretty.word("null"),
            Self::Kept(value) => pretty.php_value(value, depth),
            Self::Made(value) => pretty.php_value(value, depth),
            Self::Pairs(pairs) => pretty.object(depth, pairs, |pretty, (key, text)| {
                pretty.key(key);
                pretty.string(text);
            }),
            Self::Members(members) => pretty.object(depth, members, |pretty, (key, value)| {
                pretty.key(key);
                value.write(pretty, depth + 1);
            }),
        }
    }
}

/// Returns a value after a trip through PHP arrays, which know no objects.
pub(crate) fn through_php(value: &Json) -> Json {
    match value {
        Json::Array(items) => Json::Array(items.iter().map(through_php).collect()),
        Json::Object(entries) if is_php_list(entries) => {
            Json::Array(entries.iter().map(|(_, item)| through_php(item)).collect())
        }
        Json::Object(entries) => {
            let entries = entries.iter();
            Json::Object(
                entries
                    .map(|(key, value)| (key.clone(), through_php(value)))
                    .collect(),
            )
        }
        value => value.clone(),
    }
}
