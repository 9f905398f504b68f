//! Merges a source into a configuration (`Config::merge`, composer 2.10.2).

use super::value::{Array, Key, Value};
use super::{Config, shape};
use crate::json::Json;
use crate::unfamiliar::Unfamiliar;

impl Config<'_> {
    /// Merges a file with the members `config` and `repositories`, such as a `composer.json`, or
    /// the `config.json` of Composer's home.
    ///
    /// The name of the source is the path of the file, as [`Self::source_of`] tells it.
    /// [`Self::load`] merges all sources in Composer's order.
    pub fn merge(&mut self, json: &Json, source: &str) -> Result<(), Unfamiliar> {
        if !matches!(json, Json::Object(_)) {
            return Err(Unfamiliar(format!("{source} is not an object")));
        }
        if let Some(config) = json.get("config") {
            self.merge_config(config, source)?;
        }
        match json.get("repositories") {
            None => Ok(()),
            Some(repositories) => match Value::of(repositories) {
                Value::Array(repositories) => self.merge_repositories(&repositories, source),
                _ => Err(Unfamiliar(format!(
                    "the repositories of {source} are no list"
                ))),
            },
        }
    }

    /// Merges credentials: an `auth.json`, or the value of COMPOSER_AUTH with the source
    /// `COMPOSER_AUTH`.
    pub fn merge_auth(&mut self, json: &Json, source: &str) -> Result<(), Unfamiliar> {
        self.merge_config(json, source)
    }

    fn merge_config(&mut self, config: &Json, source: &str) -> Result<(), Unfamiliar> {
        let Json::Object(entries) = config else {
            return Err(Unfamiliar(format!(
                "the config of {source} is not an object"
            )));
        };
        for (key, value) in entries {
            if !shape::is_familiar(self.release, key, value) {
                return Err(Unfamiliar(format!("config.{key} of {source} is unusual")));
            }
            self.merge_value(key, &Value::of(value), source)?;
        }
        Ok(())
    }

    /// Merges the value of one key.
    pub(super) fn merge_value(
        &mut self,
        key: &str,
        value: &Value,
        source: &str,
    ) -> Result<(), Unfamiliar> {
        let odd = || {
            Unfamiliar(format!(
                "config.{key} of {source} meets a value of another type"
            ))
        };
        let old = self.values.at(key).filter(|old| **old != Value::Null);
        let merged = match (key, old, value) {
            (
                "bitbucket-oauth" | "github-oauth" | "gitlab-oauth" | "gitlab-token" | "http-basic"
                | "bearer",
                Some(old),
                new,
            ) => Value::Array(merge_both(old, new).ok_or_else(odd)?),
            ("client-certificate" | "forgejo-token", Some(old), new)
                if self.release.since(9, 0) =>
            {
                Value::Array(merge_both(old, new).ok_or_else(odd)?)
            }
            ("allow-plugins", Some(Value::Array(old)), Value::Array(new)) => {
                Value::Array(new.merged(old).merged(new))
            }
            ("allow-plugins", Some(Value::Array(_)), _)
                if !self.release.knows_plain_allow_plugins() =>
            {
                return Err(odd());
            }
            ("github-domains" | "gitlab-domains", Some(old), new) => {
                Value::Array(merge_both(old, new).ok_or_else(odd)?.unique())
            }
            ("preferred-install", Some(old), new) => {
                return self.merge_preferred_install(old.clone(), new.clone(), source);
            }
            ("audit", Some(Value::Array(old)), Value::Array(new)) if self.release.since(6, 0) => {
                Value::Array(self.merged_audit(old, new).ok_or_else(odd)?)
            }
            ("policy", old, new) if self.release.since(10, 0) => {
                // A policy of `true` is the same as an empty one.
                let new = if *new == Value::Bool(true) {
                    Value::empty()
                } else {
                    new.clone()
                };
                let merged = match &new {
                    Value::Array(new) => {
                        Value::Array(merged_policy(old.and_then(Value::as_array), new))
                    }
                    _ => Value::Bool(false),
                };
                self.values.put(key, merged);
                self.set_source(&new, key, source);
                return Ok(());
            }
            (_, _, new) => new.clone(),
        };
        self.values.put(key, merged);
        self.set_source(value, key, source);
        Ok(())
    }

    fn merge_preferred_install(
        &mut self,
        old: Value,
        new: Value,
        source: &str,
    ) -> Result<(), Unfamiliar> {
        const KEY: &str = "preferred-install";
        if let (Value::Str(_), Value::Str(_)) = (&old, &new) {
            self.values.put(KEY, new.clone());
            self.set_source(&new, KEY, source);
            return Ok(());
        }
        let as_map = |value: Value| match value {
            Value::Array(map) => Some(map),
            Value::Str(_) => Some([(Key::of("*"), value)].into_iter().collect()),
            _ => None,
        };
        let was_plain = matches!(old, Value::Str(_));
        let (Some(old), Some(new)) = (as_map(old), as_map(new)) else {
            return Err(Unfamiliar(format!("config.{KEY} of {source} is unusual")));
        };
        if was_plain {
            self.sources.insert(format!("{KEY}*"), source.to_owned());
        }
        let mut merged = old.merged(&new);
        // The pattern that fits everything goes to the end.
        if let Some(everything) = merged.remove(&Key::of("*")) {
            merged.put("*", everything);
        }
        self.values.put(KEY, Value::Array(merged));
        self.set_source(&Value::Array(new), KEY, source);
        Ok(())
    }

    fn merged_audit(&self, old: &Array, new: &Array) -> Option<Array> {
        let empty = Array::default();
        let ignored = |audit: &Array| match audit.at("ignore") {
            None => Some(empty.clone()),
            Some(ignored) => ignored.as_array().cloned(),
        };
        let ignore = ignored(old)?.merged(&ignored(new)?);
        let mut merged = if self.release.since(6, 3) {
            old.merged(new)
        } else {
            new.clone()
        };
        merged.put("ignore", Value::Array(ignore));
        Some(merged)
    }

    /// Remembers a source for a value and for all in it (`Config::setSourceOfConfigValue`, composer
    /// 2.10.2).
    pub(super) fn set_source(&mut self, value: &Value, path: &str, source: &str) {
        self.sources.insert(path.to_owned(), source.to_owned());
        for (key, value) in value.as_array().map_or(&[][..], Array::entries) {
            self.set_source(value, &format!("{path}.{}", key.text()), source);
        }
    }

    fn merge_repositories(&mut self, new: &Array, source: &str) -> Result<(), Unfamiliar> {
        if new.is_empty() {
            return Ok(());
        }
        let mut known = self.repositories.reversed();
        let mut next = next_index(&known);
        for (name, repository) in new.reversed().entries() {
            let Value::Array(members) = repository else {
                if *repository != Value::Bool(false) {
                    return Err(Unfamiliar(format!("a repository of {source} is unusual")));
                }
                disable(&mut known, &name.text());
                continue;
            };
            if let [(disabled, Value::Bool(false))] = members.entries() {
                disable(&mut known, &disabled.text());
                continue;
            }
            if members.at("type").and_then(Value::as_str) == Some("composer") {
                match members.at("url") {
                    Some(Value::Str(url)) if is_packagist(url) => {
                        disable(&mut known, "packagist.org");
                    }
                    None | Some(Value::Null | Value::Str(_)) => {}
                    Some(_) => {
                        return Err(Unfamiliar(format!("a repository of {source} is unusual")));
                    }
                }
            }
            let key = match name {
                Key::Int(_) if self.release.since(9, 0) && known.get(name).is_none() => {
                    name.clone()
                }
                Key::Int(_) => Key::Int(next),
                Key::Str(name) if name == "packagist" => Key::of("packagist.org"),
                Key::Str(_) => name.clone(),
            };
            if let Key::Int(index) = key {
                next = next.max(index.saturating_add(1));
            }
            known.set(key.clone(), repository.clone());
            let at = match &key {
                // Composer looks for the place by the value, and finds the first such repository.
                Key::Int(_) => known
                    .entries()
                    .iter()
                    .find(|(_, value)| value == repository),
                Key::Str(_) => None,
            };
            let path = at.map_or_else(|| key.text(), |(key, _)| key.text());
            self.set_source(repository, &format!("repositories.{path}"), source);
        }
        self.repositories = known.reversed();
        Ok(())
    }
}

fn merge_both(old: &Value, new: &Value) -> Option<Array> {
    Some(old.as_array()?.merged(new.as_array()?))
}

fn merged_policy(old: Option<&Array>, new: &Array) -> Array {
    let mut merged = old.cloned().unwrap_or_default();
    for (name, list) in new.entries() {
        if *name == Key::of("ignore-unreachable") {
            merged.set(name.clone(), list.clone());
            continue;
        }
        let list = if *list == Value::Bool(true) {
            Value::empty()
        } else {
            list.clone()
        };
        let old = match merged.get(name) {
            Some(Value::Bool(true)) => Some(Value::empty()),
            old => old.cloned(),
        };
        let list = match (old, list) {
            (Some(Value::Array(old)), Value::Array(new)) => {
                Value::Array(merged_policy_list(&old, &new))
            }
            (_, list) => list,
        };
        merged.set(name.clone(), list);
    }
    merged
}

fn merged_policy_list(old: &Array, new: &Array) -> Array {
    let mut merged = old.merged(new);
    for name in ["ignore", "ignore-id", "ignore-severity", "ignore-source"] {
        if let (Some(Value::Array(old)), Some(Value::Array(new))) = (old.at(name), new.at(name)) {
            merged.put(name, Value::Array(old.merged(new)));
        }
    }
    merged
}

/// Returns the index that PHP gives to the next value without a key.
fn next_index(array: &Array) -> i64 {
    let indexes = array.entries().iter().filter_map(|(key, _)| match key {
        Key::Int(index) => Some(index.saturating_add(1)),
        Key::Str(_) => None,
    });
    indexes.max().unwrap_or(0).max(0)
}

/// Removes a repository by its name (`Config::disableRepoByName`, composer 2.10.2).
fn disable(repositories: &mut Array, name: &str) {
    if repositories.remove(&Key::of(name)).is_none() && name == "packagist" {
        repositories.remove(&Key::of("packagist.org"));
    }
}

/// Returns whether a URL is one of packagist.org, so that it replaces the default repository.
fn is_packagist(url: &str) -> bool {
    let Some(rest) = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
    else {
        return false;
    };
    let is_named = |rest: &str| {
        let rest = rest.strip_prefix("packagist").unwrap_or_default();
        let mut characters = rest.chars();
        // Composer's pattern has any character in place of the dot.
        characters.next().is_some_and(|dot| dot != '\n')
            && characters
                .as_str()
                .strip_prefix("org")
                .is_some_and(|rest| rest.starts_with('/') || matches!(rest, "" | "\n"))
    };
    let is_label = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let prefix = rest.bytes().take_while(|byte| is_label(*byte)).count();
    is_named(rest)
        || rest[..prefix]
            .match_indices('.')
            .any(|(dot, _)| dot > 0 && is_named(&rest[dot + 1..]))
}
