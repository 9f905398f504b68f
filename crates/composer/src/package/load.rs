//! Reads packages from entries of composer.lock and installed.json.

use std::collections::HashSet;

use allegro_semver::constraint::Terms;
use allegro_semver::version::{
    DEFAULT_BRANCH_ALIAS, Dialect as Semver, normalize, normalize_branch, numeric_alias_prefix,
};

use super::fields::{Fields, is_array, is_empty_array, refuse};
use super::names::is_package;
use super::time::rfc3339;
use super::{Alias, Link, Package, Place};
use crate::Unfamiliar;
use crate::dialect::Dialect;
use crate::json::Json;
use crate::php::order::check_order;

impl Package {
    /// Reads an entry of composer.lock or installed.json (`ArrayLoader::load`, composer 2.10.2).
    ///
    /// [`Loader`] does the same for many packages, and checks each constraint once.
    pub fn load(entry: Json, dialect: Dialect) -> Result<Self, Unfamiliar> {
        Loader::new(dialect).load(entry)
    }
}

/// Reads packages and remembers the constraints that it has checked.
pub struct Loader {
    dialect: Dialect,
    terms: Terms,
    valid: HashSet<String>,
}

impl Loader {
    /// Returns a loader for a dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            terms: Terms::new(Semver::default()),
            valid: HashSet::new(),
        }
    }

    /// Reads an entry of composer.lock or installed.json.
    pub fn load(&mut self, entry: Json) -> Result<Package, Unfamiliar> {
        let package = self.load_any(entry)?;
        // Newer versions of Composer refuse such packages
        // (`ValidatingArrayLoader::validatePackage`, composer 2.10.2).
        let fields = Fields::new(&package.entry, &package.name);
        if !is_package(&package.name) {
            return fields.odd("name");
        }
        let places = [&package.source, &package.dist].into_iter().flatten();
        for place in places {
            let reference = place.reference.as_deref().unwrap_or_default();
            if place.kind.is_empty() || place.kind == "0" || place.url.is_empty() {
                return fields.odd("source or dist");
            }
            if [place.url.as_str(), reference]
                .iter()
                .any(|text| text.trim().starts_with('-'))
            {
                return fields.odd("source or dist");
            }
        }
        let has_parent = |bin: &String| bin.split(['/', '\\']).any(|part| part == "..");
        if package.bins.iter().any(has_parent) {
            return fields.odd("bin");
        }
        Ok(package)
    }

    /// Reads an entry whose name and places are not checked, as those of a root package are not.
    pub(crate) fn load_any(&mut self, entry: Json) -> Result<Package, Unfamiliar> {
        let Some(pretty_name) = entry.str_at("name") else {
            return refuse("a package has no name");
        };
        let pretty_name = pretty_name.to_owned();
        let fields = Fields::new(&entry, &pretty_name);
        let Some(pretty_version) = fields.text("version")? else {
            return fields.odd("version");
        };
        if pretty_version.bytes().any(|byte| byte.is_ascii_control()) {
            return fields.odd("version");
        }
        let version = match fields.text("version_normalized")? {
            Some(version) if version != DEFAULT_BRANCH_ALIAS => version.to_owned(),
            _ => normalized(pretty_version).map_or_else(|| fields.odd("version"), Ok)?,
        };
        check_what_stays(&fields)?;
        let pretty_version = pretty_version.to_owned();
        let mut links = |key| self.links(&fields, key, &pretty_version);
        Ok(Package {
            name: pretty_name.to_ascii_lowercase(),
            requires: links("require")?,
            conflicts: links("conflict")?,
            provides: links("provide")?,
            replaces: links("replace")?,
            dev_requires: links("require-dev")?,
            kind: match fields.text("type")? {
                None | Some("" | "0") => "library".to_owned(),
                Some(kind) => kind.to_ascii_lowercase(),
            },
            target_dir: target_dir(&fields)?,
            source: place(&fields, "source")?,
            dist: place(&fields, "dist")?,
            bins: bins(&fields)?,
            autoload: fields.array("autoload")?.cloned().unwrap_or(Json::Null),
            include_paths: fields.texts("include-path")?,
            alias: self.branch_alias(&fields, &pretty_version)?,
            notification_url: match fields.text("notification-url")? {
                None | Some("" | "0") => None,
                Some(url) => Some(url.to_owned()),
            },
            abandoned: match fields.set("abandoned") {
                None | Some(Json::Bool(false)) => None,
                Some(Json::Bool(true)) => Some(None),
                Some(Json::Str(text)) if text.is_empty() || text == "0" => None,
                Some(Json::Str(text)) => Some(Some(text.clone())),
                Some(_) => return fields.odd("abandoned"),
            },
            has_funding: fields
                .array("funding")?
                .is_some_and(|value| !is_empty_array(value)),
            version,
            pretty_version,
            pretty_name,
            entry,
        })
    }

    /// Reads links (`ArrayLoader::parseLinks`, composer 2.10.2).
    pub(crate) fn links(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        version: &str,
    ) -> Result<Vec<Link>, Unfamiliar> {
        let pairs = fields.pairs(key)?;
        let mut links: Vec<Link> = Vec::with_capacity(pairs.len());
        let mut has_capitals = false;
        for (name, constraint) in pairs {
            let target = name.to_ascii_lowercase();
            // Keys differ, but for their case.
            has_capitals |= target != name;
            let constraint = match constraint {
                "self.version" => version,
                constraint => constraint,
            };
            if !self.is_valid(constraint) {
                return fields.odd(key);
            }
            let constraint = constraint.to_owned();
            let old = links
                .iter_mut()
                .find(|link| has_capitals && link.target == target);
            match old {
                Some(link) => link.constraint = constraint,
                None => links.push(Link { target, constraint }),
            }
        }
        Ok(links)
    }

    /// Returns whether composer/semver accepts a constraint.
    pub(crate) fn is_valid(&mut self, constraint: &str) -> bool {
        if is_surely_valid(constraint) || self.valid.contains(constraint) {
            return true;
        }
        // Versions of composer/semver differ in dates with many parts.
        let older = Semver {
            long_dates: false,
            ..Semver::default()
        };
        let is_valid = !constraint.bytes().any(|byte| byte.is_ascii_control())
            && self.terms.parse(constraint).is_some()
            && (!may_be_a_date(constraint) || Terms::new(older).parse(constraint).is_some());
        if is_valid {
            self.valid.insert(constraint.to_owned());
        }
        is_valid
    }

    /// Returns the alias of a branch (`ArrayLoader::getBranchAlias`, composer 2.10.2).
    fn branch_alias(
        &self,
        fields: &Fields<'_>,
        version: &str,
    ) -> Result<Option<Alias>, Unfamiliar> {
        if !version.starts_with("dev-") && !version.ends_with("-dev") {
            return Ok(None);
        }
        let extra = fields.array("extra")?.unwrap_or(&Json::Null);
        let aliases = match extra.get("branch-alias") {
            Some(aliases @ (Json::Object(_) | Json::Array(_))) => aliases,
            Some(Json::Null) | None => &Json::Null,
            Some(_) => return fields.odd("branch-alias"),
        };
        let listed = aliases.items().iter();
        if !listed
            .chain(aliases.entries().iter().map(|(_, target)| target))
            .all(is_text)
        {
            return fields.odd("branch-alias");
        }
        for (source, target) in aliases.entries() {
            let Some(branch) = target
                .as_str()
                .and_then(|target| target.strip_suffix("-dev"))
            else {
                continue;
            };
            let target = format!("{branch}-dev");
            let normalized = if target == DEFAULT_BRANCH_ALIAS {
                target.clone()
            } else {
                normalize_branch(branch)
            };
            if !normalized.ends_with("-dev") || !version.eq_ignore_ascii_case(source) {
                continue;
            }
            if let Some(from) = numeric_alias_prefix(source)
                && let Some(to) = numeric_alias_prefix(&target)
                && !to.starts_with(&from)
            {
                continue;
            }
            return Ok(Some(alias(normalized)));
        }
        let numeric = match version.strip_prefix('v') {
            Some(rest) if self.dialect.v_is_numeric => rest,
            _ => version,
        };
        let is_default = fields.set("default-branch") == Some(&Json::Bool(true));
        let is_alias = is_default && numeric_alias_prefix(numeric).is_none();
        Ok(is_alias.then(|| alias(DEFAULT_BRANCH_ALIAS.to_owned())))
    }
}

fn is_text(value: &Json) -> bool {
    matches!(value, Json::Str(_))
}

/// Returns the alias with a normalized version, and with `.x` for its open parts.
fn alias(version: String) -> Alias {
    let mut pretty_version = version.clone();
    while pretty_version.contains(".9999999.9999999") {
        pretty_version = pretty_version.replace(".9999999.9999999", ".9999999");
    }
    Alias {
        pretty_version: pretty_version.replace(".9999999", ".x"),
        version,
    }
}

/// Normalizes a version, if all versions of composer/semver agree on it.
pub(crate) fn normalized(version: &str) -> Option<String> {
    let normalized = normalize(Semver::default(), version)?;
    if may_be_a_date(version) {
        let older = Semver {
            long_dates: false,
            ..Semver::default()
        };
        return normalize(older, version).filter(|older| *older == normalized);
    }
    Some(normalized)
}

fn may_be_a_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .windows(4)
        .any(|four| four.iter().all(u8::is_ascii_digit))
}

/// Returns whether a constraint consists of versions with up to four short numbers. Most do, and
/// this check costs less than a look into a table.
fn is_surely_valid(constraint: &str) -> bool {
    let is_number = |part: &str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_range = |part: &str| {
        let part = ["^", "~", ">=", "<=", "<", ">", "!=", "==", "=", ""]
            .iter()
            .find_map(|operator| part.strip_prefix(operator));
        let part = part.unwrap_or_default();
        part.split('.').all(is_number) && part.split('.').count() <= 4
    };
    constraint == "*"
        || constraint
            .split('|')
            .filter(|part| !part.is_empty())
            .all(|part| part.trim_matches(' ').split(',').all(is_range))
            && constraint.split('|').count() <= 64
            && !constraint.starts_with('|')
            && !constraint.ends_with('|')
            && !constraint.is_empty()
            && !constraint.contains("|||")
}

/// Returns the directory below the package's own (`Package::getTargetDir`, composer 2.10.2).
fn target_dir(fields: &Fields<'_>) -> Result<Option<String>, Unfamiliar> {
    let Some(directory) = fields.text("target-dir")? else {
        return Ok(None);
    };
    let has_dots = directory
        .split(['/', '\\'])
        .any(|part| matches!(part, "." | ".."));
    let directory = directory.trim_start_matches('/');
    if has_dots || directory.is_empty() || directory == "0" {
        return fields.odd("target-dir");
    }
    Ok(Some(directory.to_owned()))
}

fn place(fields: &Fields<'_>, key: &'static str) -> Result<Option<Place>, Unfamiliar> {
    let Some(value) = fields.set(key) else {
        return Ok(None);
    };
    let inner = Fields::new(value, fields.name);
    let (Some(kind), Some(url)) = (inner.text("type")?, inner.text("url")?) else {
        return fields.odd(key);
    };
    let reference = inner.text("reference")?;
    if key == "source" && reference.is_none() {
        return fields.odd(key);
    }
    Ok(Some(Place {
        kind: kind.to_owned(),
        url: url.to_owned(),
        reference: reference.map(str::to_owned),
        shasum: match key {
            "dist" => inner.text("shasum")?.map(str::to_owned),
            _ => None,
        },
        mirrors: inner.array("mirrors")?.cloned().unwrap_or(Json::Null),
    }))
}

fn bins(fields: &Fields<'_>) -> Result<Vec<String>, Unfamiliar> {
    let bins = match fields.set("bin") {
        Some(Json::Str(bin)) => vec![bin.clone()],
        _ => fields.texts("bin")?,
    };
    let relative = |bin: &String| bin.trim_start_matches('/').to_owned();
    Ok(bins.iter().map(relative).collect())
}

/// Checks the values that only [`Package::to_installed`] looks at.
fn check_what_stays(fields: &Fields<'_>) -> Result<(), Unfamiliar> {
    for key in [
        "extra",
        "autoload-dev",
        "php-ext",
        "support",
        "transport-options",
    ] {
        fields.array(key)?;
    }
    for key in ["description", "homepage", "installation-source"] {
        fields.text(key)?;
    }
    if let Some(time) = fields.text("time")?
        && !matches!(time, "" | "0")
    {
        rfc3339(time).map_err(|reason| fields.unfamiliar(&reason.0))?;
    }
    if !matches!(fields.set("license"), Some(Json::Str(_))) {
        fields.array("license")?;
    }
    fields.array("authors")?;
    let keywords = fields.texts("keywords")?;
    check_order(keywords.iter().map(String::as_str))?;
    if let Some(archive) = fields.array("archive")? {
        let archive = Fields::new(archive, fields.name);
        archive.text("name")?;
        archive.array("exclude")?;
    }
    // The links themselves are checked where they are read.
    for key in ["require", "conflict", "provide", "replace", "require-dev"] {
        let links = fields.set(key).map_or(&[][..], Json::entries);
        check_order(links.iter().map(|(name, _)| name.as_str()))?;
    }
    if fields
        .set("suggest")
        .is_some_and(|value| !value.items().is_empty())
    {
        fields.texts("suggest")?;
    } else {
        let suggestions = fields.pairs("suggest")?;
        check_order(suggestions.iter().map(|(name, _)| *name))?;
    }
    if let Some(scripts) = fields.set("scripts") {
        let reserved = ["composer", "php", "putenv"];
        let is_known = |(name, listeners): &(String, Json)| {
            !reserved.contains(&name.as_str())
                && (matches!(listeners, Json::Str(_) | Json::Null) || is_array(listeners))
        };
        if !scripts.items().is_empty() || !scripts.entries().iter().all(is_known) {
            return fields.odd("scripts");
        }
        fields.array("scripts")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_surely_valid_is_valid() {
        let mut rng = fastrand::Rng::with_seed(3);
        let parts = [
            "^", "~", ">=", "<=", "<", ">", "!=", "==", "=", "1", "0", "2023", ".", ",", "|", "||",
            " ", "-", "*", "x", "v",
        ];
        let mut valid = 0;
        for _ in 0..200_000 {
            let text: String = (0..rng.usize(1..9))
                .map(|_| parts[rng.usize(..parts.len())])
                .collect();
            if is_surely_valid(&text) {
                valid += 1;
                for long_dates in [false, true] {
                    let dialect = Semver {
                        long_dates,
                        ..Semver::default()
                    };
                    assert!(Terms::new(dialect).parse(&text).is_some(), "{text:?}");
                }
            }
        }
        assert!(valid > 5_000, "{valid} of the texts are surely valid");
    }
}
