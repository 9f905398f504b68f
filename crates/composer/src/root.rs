//! Reads the root package from composer.json.

mod requirements;

use allegro_semver::version::Stability;

use crate::Unfamiliar;
use crate::dialect::Dialect;
use crate::json::Json;
use crate::lock::LockedAlias;
use crate::package::fields::{Fields, refuse};
use crate::package::names::is_package;
use crate::package::{Link, Loader, Package, is_platform};

/// The version that a root package shows if nothing tells its version.
pub const DEFAULT_PRETTY_VERSION: &str = "1.0.0+no-version-set";

/// The name of a root package without a name.
pub const DEFAULT_NAME: &str = "__root__";

/// The version of a root package as version control tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuessedVersion {
    /// Normalized version.
    pub version: String,
    /// Version as people write it.
    pub pretty_version: String,
    /// The commit that is checked out.
    pub commit: Option<String>,
}

/// The root package.
#[derive(Debug, Clone, PartialEq)]
pub struct RootPackage {
    /// What it has in common with other packages. The entry is the manifest, in which the name and
    /// the version are filled in.
    pub package: Package,
    /// Value of `autoload-dev`.
    pub dev_autoload: Json,
    /// Value of `scripts`.
    pub scripts: Json,
    /// Value of `extra`.
    pub extra: Json,
    /// Value of `config`.
    pub config: Json,
    /// The least stable stability that a package may have.
    pub minimum_stability: Stability,
    /// Whether stable versions are preferred.
    pub prefer_stable: bool,
    /// Stabilities that requirements allow for single packages.
    pub stability_flags: Vec<(String, Stability)>,
    /// Commits that requirements name, as in `dev-main#abcdef`.
    pub references: Vec<(String, String)>,
    /// Aliases that requirements make, as in `dev-main as 1.0`.
    pub aliases: Vec<LockedAlias>,
}

impl RootPackage {
    /// Reads a manifest (`RootPackageLoader::load`, composer 2.10.2).
    ///
    /// `from_environment` is the value of `COMPOSER_ROOT_VERSION`. It goes before what version
    /// control tells, and a version in the manifest goes before both.
    pub fn load(
        manifest: &Json,
        guessed: Option<&GuessedVersion>,
        from_environment: Option<&str>,
        dialect: Dialect,
    ) -> Result<Self, Unfamiliar> {
        if manifest.entries().is_empty() && *manifest != Json::object() {
            return refuse("composer.json is not an object");
        }
        let mut entry = manifest.clone();
        for key in ["version_normalized", "installation-source"] {
            if entry.get(key).is_some() {
                return refuse(format!("the {key} of composer.json"));
            }
        }
        match Fields::new(manifest, "composer.json").text("name")? {
            None => entry.set("name", Json::str(DEFAULT_NAME)),
            Some(name) if is_package(name) => {}
            Some(name) => return refuse(format!("the name {name} of composer.json")),
        }
        let has_version = set_version(&mut entry, guessed, from_environment, dialect);
        let mut loader = Loader::new(dialect);
        let mut package = loader.load_any(entry)?;
        check_names(&package.entry)?;
        if !has_version {
            DEFAULT_PRETTY_VERSION.clone_into(&mut package.pretty_version);
        }
        let fields = Fields::new(manifest, "composer.json");
        let minimum_stability = match fields.text("minimum-stability")? {
            None => Stability::Stable,
            Some(name) => match requirements::stability_named(name) {
                Some(stability) => stability,
                None => return fields.odd("minimum-stability"),
            },
        };
        let mut read = requirements::Requirements::new(dialect, minimum_stability);
        for links in [&package.requires, &package.dev_requires] {
            read.add(links)?;
            if links.iter().any(|link| link.target == package.pretty_name) {
                return refuse("the root package requires itself");
            }
        }
        Ok(Self {
            dev_autoload: fields.array("autoload-dev")?.cloned().unwrap_or(Json::Null),
            scripts: fields.array("scripts")?.cloned().unwrap_or(Json::Null),
            extra: fields.array("extra")?.cloned().unwrap_or(Json::Null),
            config: fields.array("config")?.cloned().unwrap_or(Json::Null),
            prefer_stable: match fields.set("prefer-stable") {
                None => false,
                Some(Json::Bool(prefer_stable)) => *prefer_stable,
                Some(_) => return fields.odd("prefer-stable"),
            },
            minimum_stability,
            stability_flags: read.stability_flags,
            references: read.references,
            aliases: read.aliases,
            package,
        })
    }

    /// Returns the requirements, with those for development if wanted.
    pub fn requirements(&self, with_dev: bool) -> impl Iterator<Item = &Link> {
        let dev = self.package.dev_requires.iter().filter(move |_| with_dev);
        self.package.requires.iter().chain(dev)
    }
}

/// Fills in the version, and returns whether anything told it.
fn set_version(
    entry: &mut Json,
    guessed: Option<&GuessedVersion>,
    from_environment: Option<&str>,
    dialect: Dialect,
) -> bool {
    if entry
        .get("version")
        .is_some_and(|version| *version != Json::Null)
    {
        return true;
    }
    if let Some(version) = from_environment.filter(|version| !matches!(*version, "" | "0")) {
        let branch = version
            .get(..version.len().saturating_sub(4))
            .filter(|_| version.to_ascii_lowercase().ends_with("-dev"))
            .filter(|_| dialect.root_version_is_a_branch);
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let version = match branch.filter(|branch| branch.split('.').all(is_number)) {
            Some(branch) => format!("{branch}.x-dev"),
            None => version.to_owned(),
        };
        entry.set("version", Json::Str(version));
        return true;
    }
    let Some(guessed) = guessed else {
        entry.set("version", Json::str("1.0.0"));
        return false;
    };
    entry.set("version", Json::str(guessed.pretty_version.as_str()));
    entry.set("version_normalized", Json::str(guessed.version.as_str()));
    if let Some(commit) = guessed
        .commit
        .as_deref()
        .filter(|commit| !matches!(*commit, "" | "0"))
    {
        let place = ["type", "url", "reference"].map(|key| {
            let text = if key == "reference" { commit } else { "" };
            (key.to_owned(), Json::str(text))
        });
        for key in ["source", "dist"] {
            entry.set(key, Json::Object(place.to_vec()));
        }
    }
    true
}

/// Checks the names of other packages, of which Composer refuses odd ones.
fn check_names(entry: &Json) -> Result<(), Unfamiliar> {
    for key in ["require", "conflict", "provide", "replace", "require-dev"] {
        for (name, _) in entry.entries_at(key) {
            if !is_platform(name) && !is_package(name) {
                return refuse(format!("the name {name} under {key} of composer.json"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
