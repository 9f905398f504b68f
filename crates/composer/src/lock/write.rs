//! Writes composer.lock.

use allegro_semver::version::Stability;

use super::LockedAlias;
use crate::Unfamiliar;
use crate::dialect::Dialect;
use crate::installed::indentation;
use crate::json::{Json, Pretty};
use crate::package::Package;
use crate::package::dump::through_php;
use crate::php::order::sort_by_text;

/// The lines under `_readme`. The last one has a mark for other programs, which must not take this
/// file for a generated one.
const README: [&str; 3] = [
    "This file locks the dependencies of your project to a known state",
    "Read more about it at https://getcomposer.org/doc/01-basic-usage.md#installing-dependencies",
    concat!("This file is @gener", "ated automatically"),
];

/// Number of bytes that the entry of a package takes, more often than not.
const BYTES_PER_PACKAGE: usize = 2_600;

/// The content of a lock that is written (`Locker::setLockData`, composer 2.10.2).
#[derive(Debug, Clone)]
pub struct NewLock<'a> {
    /// Hash over the manifest.
    pub content_hash: String,
    /// The packages that are always installed, in any order.
    pub packages: Vec<&'a Package>,
    /// The packages for development, in any order.
    pub packages_dev: Vec<&'a Package>,
    /// The aliases that requirements of the root package made, in their order.
    pub aliases: Vec<LockedAlias>,
    /// The least stable stability that a package may have.
    pub minimum_stability: Stability,
    /// Stabilities of single packages, in the order of the requirements.
    pub stability_flags: Vec<(String, Stability)>,
    /// Whether stable versions are preferred.
    pub prefer_stable: bool,
    /// Whether the lowest versions are preferred.
    pub prefer_lowest: bool,
    /// The platform requirements of the root package as they are written, in their order.
    pub platform: Vec<(String, String)>,
    /// The platform requirements for development.
    pub platform_dev: Vec<(String, String)>,
    /// Versions of platform packages that the project sets; `None` hides a package.
    pub platform_overrides: Vec<(String, Option<String>)>,
    /// Version of Composer's plugin API.
    pub plugin_api_version: &'a str,
    /// Whether empty lists of names are written as objects, and stability flags are sorted
    /// (`Locker::fixupJsonDataType`, since composer 2.8.1).
    pub has_objects: bool,
    /// Differences in what Composer records.
    pub dialect: Dialect,
}

impl NewLock<'_> {
    /// Returns the text of the lock in place of an older text.
    pub fn text(&self, old: Option<&str>) -> Result<String, Unfamiliar> {
        let indent = match old {
            Some(old) if self.dialect.keeps_indentation => indentation(old),
            _ => "    ",
        };
        let count = self.packages.len() + self.packages_dev.len();
        let mut pretty = Pretty::new(indent, 1_000 + count * BYTES_PER_PACKAGE);
        let lists = [&self.packages, &self.packages_dev].map(|list| sorted(list));
        let members = self.members()?;
        let keys = ["packages", "packages-dev"].into_iter().zip(&lists);
        let lists = keys.map(|(key, list)| Member::Packages(key, list));
        let mut before: Vec<Member<'_>> = Vec::new();
        let mut after = Vec::new();
        for (key, value) in &members {
            let part = if matches!(*key, "_readme" | "content-hash") {
                &mut before
            } else {
                &mut after
            };
            part.push(Member::Value(key, value));
        }
        let all = before.into_iter().chain(lists).chain(after);
        pretty.object(0, all, |pretty, member| match member {
            Member::Value(key, value) => {
                pretty.key(key);
                pretty.value(value, 1);
            }
            Member::Packages(key, list) => {
                pretty.key(key);
                pretty.list(1, list, |pretty, package| {
                    package.write_locked(pretty, 2, self.dialect);
                });
            }
        });
        Ok(pretty.into_file_text())
    }

    /// Returns whether a lock with this text takes the place of an older one, given its text.
    ///
    /// Composer compares the contents. A lock with an empty object differs from itself, because
    /// Composer reads an array there.
    pub fn replaces(&self, text: &str, old: &str) -> Result<bool, Unfamiliar> {
        let has_empty = self.stability_flags.is_empty()
            || self.platform.is_empty()
            || self.platform_dev.is_empty();
        if self.has_objects && has_empty {
            return Ok(true);
        }
        if text == old {
            return Ok(false);
        }
        let read = |text| Json::read("composer.lock", text).map(|json| through_php(&json));
        Ok(read(text)? != read(old)?)
    }

    fn members(&self) -> Result<Vec<(&'static str, Json)>, Unfamiliar> {
        let mut flags: Vec<(String, Json)> = self
            .stability_flags
            .iter()
            .map(|(name, flag)| (name.clone(), Json::Int((*flag as u8).into())))
            .collect();
        if self.has_objects {
            sort_by_text(&mut flags, |(name, _)| name)?;
        }
        let object = |entries: Vec<(String, Json)>| {
            if entries.is_empty() && !self.has_objects {
                Json::Array(Vec::new())
            } else {
                Json::Object(entries)
            }
        };
        let links = |links: &[(String, String)]| {
            let links = links.iter();
            links
                .map(|(name, constraint)| (name.clone(), Json::str(constraint.as_str())))
                .collect()
        };
        let mut members = vec![
            ("_readme", Json::strings(README)),
            ("content-hash", Json::str(self.content_hash.as_str())),
            (
                "aliases",
                Json::Array(self.aliases.iter().map(alias).collect()),
            ),
            (
                "minimum-stability",
                Json::str(self.minimum_stability.text()),
            ),
            ("stability-flags", object(flags)),
            ("prefer-stable", Json::Bool(self.prefer_stable)),
            ("prefer-lowest", Json::Bool(self.prefer_lowest)),
            ("platform", object(links(&self.platform))),
            ("platform-dev", object(links(&self.platform_dev))),
        ];
        if !self.platform_overrides.is_empty() {
            let overrides = self.platform_overrides.iter();
            let overrides = overrides.map(|(name, version)| {
                let version = version.as_deref().map_or(Json::Bool(false), Json::str);
                (name.clone(), version)
            });
            members.push(("platform-overrides", Json::Object(overrides.collect())));
        }
        members.push(("plugin-api-version", Json::str(self.plugin_api_version)));
        Ok(members)
    }
}

/// A member of the lock.
enum Member<'a> {
    Value(&'static str, &'a Json),
    Packages(&'static str, &'a [&'a Package]),
}

/// Returns packages sorted by name and version as they are written.
fn sorted<'a>(packages: &[&'a Package]) -> Vec<&'a Package> {
    let mut packages = packages.to_vec();
    packages.sort_by(|one, other| {
        let names = one.pretty_name.cmp(&other.pretty_name);
        names.then_with(|| one.pretty_version.cmp(&other.pretty_version))
    });
    packages
}

/// Returns an alias as it is written. Default branches have the version that Composer 1 gave them.
fn alias(alias: &LockedAlias) -> Json {
    let version = match alias.version.as_str() {
        "dev-master" | "dev-trunk" | "dev-default" => allegro_semver::version::DEFAULT_BRANCH_ALIAS,
        other => other,
    };
    let texts = [
        ("package", alias.package.as_str()),
        ("version", version),
        ("alias", &alias.alias),
        ("alias_normalized", &alias.alias_normalized),
    ];
    let texts = texts.map(|(key, text)| (key.to_owned(), Json::str(text)));
    Json::Object(texts.to_vec())
}
