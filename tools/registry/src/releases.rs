//! Makes up a repository of any size, to measure how choosing versions grows with it.
//!
//! Packages require others that come later in the list, base libraries more often than others, in
//! ranges that fit the moment of a release. Most packages are best in their newest version. Of
//! some, all versions above a certain one need a missing PHP version, or versions that others don't
//! have. So a solver has to backtrack. A solution always exists.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::rng::Rng;

/// The number of major versions of a package.
const MAJORS: usize = 5;

/// The number of versions of a minor version, which have the same requirements.
const PATCHES: usize = 4;

const VENDORS: [&str; 6] = ["acme", "borealis", "cobalt", "dune", "ember", "fjord"];
const WORDS: [&str; 7] = [
    "bundle", "client", "cache", "http", "log", "mapper", "queue",
];

/// The size of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Releases {
    /// Number of packages, all of which are needed.
    pub packages: usize,
    /// Number of versions of each package.
    pub versions: usize,
    /// Seed of the repository.
    pub seed: u64,
}

/// A version number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: usize,
    minor: usize,
    patch: usize,
}

/// A package without its versions.
struct Package {
    name: String,
    /// Required packages, by place in the list.
    requires: Vec<usize>,
    /// Place of the version that is part of the solution.
    good: usize,
}

impl Releases {
    /// Writes the repository as files for any web server, and the `composer.json` of a project that
    /// needs all of it.
    ///
    /// # Errors
    /// Fails if a file can't be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let write = |path: &str, value: &Value| -> Result<()> {
            let path = dir.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(Error::io(parent))?;
            }
            fs::write(&path, value.to_string()).map_err(Error::io(&path))
        };
        let root = json!({ "packages": [], "metadata-url": "/p2/%package%.json" });
        write("packages.json", &root)?;
        let packages = self.list();
        for place in 0..packages.len() {
            let name = &packages[place].name;
            let entries = minified(self.entries(&packages, place));
            let file = json!({ "packages": { name: entries }, "minified": "composer/2.0" });
            write(&format!("p2/{name}.json"), &file)?;
        }
        write("composer.json", &self.manifest(&packages))
    }

    /// Returns the number of packages that the project itself requires.
    fn roots(&self) -> usize {
        (self.packages / 50).max(4).min(self.packages)
    }

    fn random(&self, what: &str, place: usize) -> Rng {
        Rng::from_parts(&["releases", &self.seed.to_string(), what, &place.to_string()])
    }

    fn version(&self, number: usize) -> Version {
        let major = number * MAJORS / self.versions;
        let within = number - (major * self.versions).div_ceil(MAJORS);
        Version {
            major: major + 1,
            minor: within / PATCHES,
            patch: within % PATCHES,
        }
    }

    fn list(&self) -> Vec<Package> {
        let mut list: Vec<Package> = (0..self.packages)
            .map(|place| {
                let mut random = self.random("package", place);
                let (vendor, word) = (random.pick(&VENDORS), random.pick(&WORDS));
                let newest = self.versions - 1;
                let good = if random.percent(10) {
                    random.range(newest * 3 / 5, newest)
                } else {
                    newest
                };
                let later = self.packages - 1 - place;
                let mut requires = Vec::new();
                for _ in 0..random.below(6) {
                    if later > 0 {
                        // Libraries at the end of the list are required by many others.
                        let back = random.below(later).min(random.below(later));
                        requires.push(self.packages - 1 - back);
                    }
                }
                Package {
                    name: format!("{vendor}/{word}-{place:04}"),
                    requires,
                    good,
                }
            })
            .collect();
        for place in self.roots()..self.packages {
            // One package requires this one in each of its versions.
            let parent = self.random("parent", place).below(place);
            list[parent].requires.push(place);
        }
        for package in &mut list {
            package.requires.sort_unstable();
            package.requires.dedup();
        }
        list
    }

    /// Returns the constraint on another package in a release of this moment.
    fn range(&self, random: &mut Rng, moment: usize, must_fit: Option<usize>) -> String {
        let then = self.version(moment);
        let before = then.major.saturating_sub(1).max(1);
        let (text, fits): (_, Box<dyn Fn(Version) -> bool>) = match random.below(10) {
            0..=3 => (
                format!("^{}.{}", then.major, then.minor),
                Box::new(move |it| it.major == then.major && it.minor >= then.minor),
            ),
            4..=6 => (
                format!("^{before}.0 || ^{}.0", then.major),
                Box::new(move |it| it.major == before || it.major == then.major),
            ),
            7 => (
                format!("~{}.{}", then.major, then.minor),
                Box::new(move |it| it.major == then.major && it.minor >= then.minor),
            ),
            8 => (
                format!(">={before}.2"),
                Box::new(move |it| {
                    it >= Version {
                        major: before,
                        minor: 2,
                        patch: 0,
                    }
                }),
            ),
            _ => (
                format!("^{}.0", then.major),
                Box::new(move |it| it.major == then.major),
            ),
        };
        match must_fit.map(|good| self.version(good)) {
            Some(good) if !fits(good) => format!("^{}.0 || {text}", good.major),
            _ => text,
        }
    }

    /// Returns the versions of a package, the newest first.
    fn entries(&self, packages: &[Package], place: usize) -> Vec<Map<String, Value>> {
        let package = &packages[place];
        let name = &package.name;
        let mut links = json!({});
        let mut last = None;
        let mut entries = Vec::with_capacity(self.versions);
        for number in 0..self.versions {
            let version = self.version(number);
            let minor = (version.major, version.minor);
            if last != Some(minor) {
                last = Some(minor);
                let good = self.version(package.good);
                let is_good = (good.major, good.minor) == minor;
                links = self.links(packages, place, number, is_good);
            }
            let text = format!("{}.{}.{}", version.major, version.minor, version.patch);
            let commit = format!("{:016x}", self.random(name, number).next_u64()).repeat(3);
            let commit = &commit[..40];
            let mut entry = json!({
                "name": name,
                "description": "Made up, to be chosen or not",
                "keywords": [],
                "homepage": format!("https://{}.example", name.replace('/', ".")),
                "version": text,
                "version_normalized": format!("{text}.0"),
                "license": ["MIT"],
                "authors": [{ "name": "Somebody", "email": "somebody@acme.example" }],
                "source": { "type": "git", "url": format!("https://git.example/{name}.git"), "reference": commit },
                "dist": { "type": "zip", "url": format!("https://git.example/{name}/{commit}.zip"), "reference": commit, "shasum": "" },
                "type": "library",
                "time": format!("20{:02}-{:02}-{:02}T12:00:00+00:00", 10 + number * 15 / self.versions, 1 + number % 12, 1 + place % 28),
                "autoload": { "psr-4": { format!("Made\\P{place}\\"): "src/" } },
            });
            for (key, value) in links.as_object().into_iter().flatten() {
                entry[key] = value.clone();
            }
            if number > package.good {
                self.spoil(&mut entry, packages, place);
            }
            if let Value::Object(entry) = entry {
                entries.push(entry);
            }
        }
        entries.reverse();
        entries
    }

    /// Returns the links of the versions of a minor version: `require`, `replace`, `provide` and
    /// `conflict`.
    fn links(&self, packages: &[Package], place: usize, moment: usize, is_good: bool) -> Value {
        let package = &packages[place];
        let mut random = self.random(&package.name, self.versions + moment);
        let php = ["^7.2 || ^8.0", ">=7.4", "^8.1"][moment * 3 / self.versions];
        let mut require = json!({ "php": php });
        for other in &package.requires {
            let good = is_good.then_some(packages[*other].good);
            require[&packages[*other].name] = json!(self.range(&mut random, moment, good));
        }
        let mut links = json!({});
        match place % 50 {
            // One package replaces an old name, and another one still requires that name.
            10 => {
                links["replace"] = json!({ format!("acme/old-{}", place / 50): "self.version" });
            }
            9 if place + 1 < self.packages => {
                require[format!("acme/old-{}", place / 50)] = json!("*");
            }
            // Two packages provide a name, and another one requires it.
            20 | 30 => {
                links["provide"] =
                    json!({ format!("acme/thing-{}-implementation", place / 50): "1.0.0" });
            }
            31 => {
                require[format!("acme/thing-{}-implementation", place / 50)] = json!("^1.0");
            }
            5 | 25 | 45 => {
                if let Some(other) = package.requires.first() {
                    links["conflict"] = json!({ &packages[*other].name: "<1.1" });
                }
            }
            _ => {}
        }
        links["require"] = require;
        links
    }

    /// Makes a version impossible, or possible only beside old versions of others.
    fn spoil(&self, entry: &mut Value, packages: &[Package], place: usize) {
        let package = &packages[place];
        match package.requires.first() {
            Some(other) if place.is_multiple_of(2) => {
                let good = self.version(packages[*other].good);
                entry["conflict"] = json!({ &packages[*other].name: format!("^{}.0", good.major) });
            }
            _ => entry["require"]["php"] = json!(">=9.0"),
        }
    }

    fn manifest(&self, packages: &[Package]) -> Value {
        let (mut require, mut dev) = (json!({}), json!({}));
        for (place, package) in packages.iter().take(self.roots()).enumerate() {
            let good = self.version(package.good);
            let range = format!("^{}.0 || ^{}.0", (good.major - 1).max(1), good.major);
            let list = if place % 5 == 4 {
                &mut dev
            } else {
                &mut require
            };
            list[&package.name] = json!(range);
        }
        json!({
            "name": "acme/project",
            "description": "Needs all that there is",
            "license": "MIT",
            "type": "project",
            "require": require,
            "require-dev": dev,
            "config": { "platform": { "php": "8.2.0" } },
        })
    }
}

/// Minifies entries: each holds the differences from the one before, and `__unset` removes a key.
fn minified(entries: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let mut before = Map::new();
    let mut list = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut less = entry.clone();
        less.retain(|key, value| before.get(key) != Some(value));
        for key in before.keys().filter(|key| !entry.contains_key(*key)) {
            less.insert(key.clone(), json!("__unset"));
        }
        list.push(less);
        before = entry;
    }
    list
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SMALL: Releases = Releases {
        packages: 120,
        versions: 25,
        seed: 1,
    };

    #[test]
    fn versions_rise() {
        for count in [5, 12, 25, 50, 200] {
            let releases = Releases {
                versions: count,
                ..SMALL
            };
            let versions: Vec<Version> = (0..count).map(|at| releases.version(at)).collect();
            assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
            assert_eq!(versions[count - 1].major, MAJORS);
        }
    }

    #[test]
    fn all_packages_are_needed_and_there() {
        let dir = tempfile::tempdir().expect("a directory");
        SMALL.write(dir.path()).expect("files");
        let read = |path: &str| -> Value {
            serde_json::from_slice(&fs::read(dir.path().join(path)).expect(path)).expect(path)
        };
        let manifest = read("composer.json");
        let mut open: Vec<String> = ["require", "require-dev"]
            .iter()
            .flat_map(|list| manifest[list].as_object().into_iter().flatten())
            .map(|(name, _)| name.clone())
            .collect();
        let (mut seen, mut offered, mut virtual_names) =
            (HashSet::new(), HashSet::new(), HashSet::new());
        while let Some(name) = open.pop() {
            if name == "php" || !seen.insert(name.clone()) {
                continue;
            }
            let path = format!("p2/{name}.json");
            if !dir.path().join(&path).exists() {
                virtual_names.insert(name);
                continue;
            }
            let file = read(&path);
            assert_eq!(file["packages"][&name].as_array().map(Vec::len), Some(25));
            for entry in file["packages"][&name].as_array().into_iter().flatten() {
                let names = |list: &str| -> Vec<String> {
                    let list = entry[list].as_object().into_iter().flatten();
                    list.map(|(name, _)| name.clone()).collect()
                };
                open.extend(names("require"));
                offered.extend(names("replace"));
                offered.extend(names("provide"));
            }
        }
        assert_eq!(seen.len() - virtual_names.len(), SMALL.packages);
        assert!(!virtual_names.is_empty() && virtual_names.is_subset(&offered));
    }

    #[test]
    fn what_is_minified_can_be_made_whole() {
        let entry = |value: Value| value.as_object().cloned().expect("an object");
        let entries = vec![
            entry(json!({ "name": "a/a", "version": "2", "conflict": {} })),
            entry(json!({ "name": "a/a", "version": "1" })),
        ];
        assert_eq!(
            minified(entries)[1],
            entry(json!({ "version": "1", "conflict": "__unset" }))
        );
    }
}
