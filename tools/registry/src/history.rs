//! Reads all releases of packages, and writes a repository as it stood at a moment.
//!
//! A history is a gzipped list with one line for each package: `{"name", "stable": [...], "dev":
//! [...]}`. Both lists are minified as Composer's metadata is (`composer/2.0`): an entry holds the
//! differences from the one before, and `__unset` removes a key.
//!
//! Each entry has its `time`. A branch may be in the list several times; the newest entry not after
//! the moment counts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The number of characters of a time that are compared: `2025-10-20T10:46:15`.
const SECONDS: usize = 19;

/// All packages of a history.
#[derive(Debug)]
pub struct History {
    lines: HashMap<String, String>,
}

/// The tags and branches of a package at a moment.
#[derive(Debug, Default)]
pub struct Released {
    /// Tagged versions in the form of Composer's metadata.
    pub tags: Vec<Value>,
    /// Versions that are branches.
    pub branches: Vec<Value>,
}

impl History {
    /// Reads a history.
    ///
    /// # Errors
    /// Fails if the file can't be read or unpacked.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let mut text = String::new();
        MultiGzDecoder::new(file)
            .read_to_string(&mut text)
            .map_err(Error::io(path))?;
        let lines = text.lines().filter_map(|line| {
            let name = line.strip_prefix("{\"name\":\"")?.split('"').next()?;
            Some((name.to_owned(), line.to_owned()))
        });
        Ok(Self {
            lines: lines.collect(),
        })
    }

    /// Returns every package that a project with this manifest may come to need, as it stood at a
    /// moment.
    ///
    /// # Errors
    /// Fails if an entry isn't JSON.
    pub fn reachable(&self, manifest: &Value, moment: &str) -> Result<BTreeMap<String, Released>> {
        let mut found = BTreeMap::new();
        let mut queue = targets(&manifest["require"]);
        queue.extend(targets(&manifest["require-dev"]));
        let mut seen = HashSet::new();
        while let Some(name) = queue.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(line) = self.lines.get(&name) {
                let released = released(line, moment, &mut queue)?;
                found.insert(name, released);
            }
        }
        Ok(found)
    }

    /// Writes such a repository as files for any web server, and returns its number of packages.
    ///
    /// # Errors
    /// Fails if an entry isn't JSON, or if a file can't be written.
    pub fn write(&self, manifest: &Value, moment: &str, dir: &Path) -> Result<usize> {
        let write = |path: &str, value: &Value| -> Result<()> {
            let path = dir.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(Error::io(parent))?;
            }
            fs::write(&path, value.to_string()).map_err(Error::io(&path))
        };
        write(
            "packages.json",
            &json!({ "packages": [], "metadata-url": "/p2/%package%.json" }),
        )?;
        let packages = self.reachable(manifest, moment)?;
        let count = packages.len();
        for (name, released) in packages {
            for (file, list) in [
                (name.clone(), released.tags),
                (format!("{name}~dev"), released.branches),
            ] {
                let content = json!({ "packages": { name.clone(): list } });
                write(&format!("p2/{file}.json"), &content)?;
            }
        }
        Ok(count)
    }
}

fn targets(links: &Value) -> Vec<String> {
    let links = links.as_object().into_iter().flatten();
    links.map(|(name, _)| name.to_lowercase()).collect()
}

/// Returns the versions that a package had released. Adds the requirements of these versions to the
/// queue.
fn released(line: &str, moment: &str, queue: &mut Vec<String>) -> Result<Released> {
    let entry: Value = serde_json::from_str(line).map_err(|source| Error::Json {
        what: "a line of the history".to_owned(),
        source,
    })?;
    let until = |time: &str| time.get(..SECONDS).unwrap_or(time).to_owned();
    let mut versions: Vec<Value> = Vec::new();
    for list in ["stable", "dev"] {
        let mut current = Map::new();
        let mut newest: HashMap<String, (String, usize)> = HashMap::new();
        for said in entry[list].as_array().into_iter().flatten() {
            for (key, value) in said.as_object().into_iter().flatten() {
                if value == "__unset" {
                    current.remove(key);
                } else {
                    current.insert(key.clone(), value.clone());
                }
            }
            let text = |key: &str| {
                let value = current.get(key).and_then(Value::as_str);
                value.unwrap_or_default().to_owned()
            };
            let (time, version) = (text("time"), text("version"));
            if until(&time) > until(moment) {
                continue;
            }
            queue.extend(targets(current.get("require").unwrap_or(&Value::Null)));
            let whole = Value::Object(current.clone());
            match newest.get_mut(&version) {
                Some((known, place)) if *known < time => {
                    *known = time;
                    versions[*place] = whole;
                }
                Some(_) => {}
                None => {
                    newest.insert(version, (time, versions.len()));
                    versions.push(whole);
                }
            }
        }
    }
    let (branches, tags) = versions.into_iter().partition(|version| {
        let version = version["version"].as_str().unwrap_or_default();
        version.starts_with("dev-") || version.ends_with("-dev")
    });
    Ok(Released { tags, branches })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_repository_as_it_stood() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("history.jsonl.gz");
        let mut file = flate2::write::GzEncoder::new(
            File::create(&path).expect("a file"),
            flate2::Compression::fast(),
        );
        let lines = [
            json!({ "name": "a/a", "stable": [
                { "name": "a/a", "version": "2.0.0", "time": "2024-01-01T00:00:00+00:00", "require": { "b/B": "*" } },
                { "version": "1.0.0", "time": "2020-01-01T00:00:00+00:00", "require": "__unset" },
            ], "dev": [
                { "name": "a/a", "version": "dev-main", "time": "2021-01-01T00:00:00+00:00", "source": { "reference": "new" } },
                { "time": "2020-01-01T00:00:00+00:00", "source": { "reference": "old" } },
            ] }),
            json!({ "name": "b/b", "stable": [{ "name": "b/b", "version": "1.0.0", "time": "2019-01-01T00:00:00+00:00" }], "dev": [] }),
            json!({ "name": "c/c", "stable": [], "dev": [] }),
        ];
        for line in lines {
            // The name comes first, as in real histories.
            let line = line.to_string();
            let name = line
                .split("\"name\":\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            let name = name.expect("a name");
            let rest = line.replacen(&format!("\"name\":\"{name}\","), "", 1);
            writeln!(file, "{{\"name\":\"{name}\",{}", &rest[1..]).expect("a line");
        }
        file.finish().expect("a file");
        let history = History::open(&path).expect("a history");
        let project = json!({ "require": { "A/a": "*" } });
        let versions = |moment: &str, name: &str| -> Vec<String> {
            let found = history.reachable(&project, moment).expect("packages");
            let Some(package) = found.get(name) else {
                return Vec::new();
            };
            let all = package.tags.iter().chain(&package.branches);
            all.map(|version| {
                format!("{} {}", version["version"], version["source"]["reference"])
                    .replace('"', "")
            })
            .collect()
        };
        assert_eq!(
            versions("2020-06-01T00:00:00Z", "a/a"),
            ["1.0.0 null", "dev-main old"]
        );
        assert_eq!(
            versions("2020-06-01T00:00:00Z", "b/b"),
            Vec::<String>::new()
        );
        assert_eq!(
            versions("2024-06-01T00:00:00Z", "a/a"),
            ["2.0.0 null", "1.0.0 null", "dev-main new"]
        );
        assert_eq!(versions("2024-06-01T00:00:00Z", "b/b"), ["1.0.0 null"]);
        let out = dir.path().join("out");
        assert_eq!(
            history
                .write(&project, "2024-06-01T00:00:00Z", &out)
                .expect("files"),
            2
        );
        assert!(out.join("p2/a/a~dev.json").exists() && out.join("packages.json").exists());
        assert!(!out.join("p2/c/c.json").exists());
    }
}
