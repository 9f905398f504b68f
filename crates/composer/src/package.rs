//! A package as Composer's `ArrayLoader` reads it from a lock or from `installed.json`.

pub(crate) mod dump;
pub(crate) mod fields;
mod load;
pub(crate) mod names;
mod time;

use allegro_semver::version::{Stability, stability};

pub use load::Loader;
pub(crate) use load::normalized;
pub use names::is_platform;

use crate::json::Json;

/// A package with the fields that an installation needs. The remaining fields stay in `entry`.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    /// Name in lower case, by which packages are compared.
    pub name: String,
    /// Name as the package writes it.
    pub pretty_name: String,
    /// Normalized version.
    pub version: String,
    /// Version as the package writes it.
    pub pretty_version: String,
    /// Type in lower case, `library` if the package names none.
    pub kind: String,
    /// The subdirectory that the package wants to be installed into.
    pub target_dir: Option<String>,
    /// Place of the package's sources.
    pub source: Option<Place>,
    /// Place of the package's archive.
    pub dist: Option<Place>,
    /// Links under `require`, in the order of the text.
    pub requires: Vec<Link>,
    /// Links under `conflict`.
    pub conflicts: Vec<Link>,
    /// Links under `provide`.
    pub provides: Vec<Link>,
    /// Links under `replace`.
    pub replaces: Vec<Link>,
    /// Links under `require-dev`.
    pub dev_requires: Vec<Link>,
    /// Programs, relative to the package's directory, without leading slashes.
    pub bins: Vec<String>,
    /// Value of `autoload`.
    pub autoload: Json,
    /// Value of `include-path`.
    pub include_paths: Vec<String>,
    /// The alias that `extra.branch-alias` or `default-branch` makes.
    pub alias: Option<Alias>,
    /// URL to which installs are reported.
    pub notification_url: Option<String>,
    /// Whether the package is abandoned, and the package that its author recommends instead.
    pub abandoned: Option<Option<String>>,
    /// Whether the package names ways to fund it.
    pub has_funding: bool,
    /// The whole entry, as it was read.
    pub entry: Json,
}

/// A place that a package can be fetched from: a value of `dist` or `source`.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Type, such as `zip` or `git`.
    pub kind: String,
    /// URL as it is written, with placeholders.
    pub url: String,
    /// Commit, or another name of the exact state.
    pub reference: Option<String>,
    /// SHA-1 of the archive. A source has none.
    pub shasum: Option<String>,
    /// Value of `mirrors`, `Null` if there is none.
    pub mirrors: Json,
}

/// A link to another package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Name of the other package in lower case.
    pub target: String,
    /// Constraint as it is written; `self.version` is replaced by the version.
    pub constraint: String,
}

/// Another version under which a package is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Normalized version.
    pub version: String,
    /// Version as people write it.
    pub pretty_version: String,
}

impl Package {
    /// Returns whether the version is a development version (`BasePackage::isDev`).
    pub fn is_dev(&self) -> bool {
        stability(&self.version) == Stability::Dev
    }

    /// Returns whether the package is a plugin of Composer.
    pub fn is_plugin(&self) -> bool {
        matches!(self.kind.as_str(), "composer-plugin" | "composer-installer")
    }

    /// Returns whether the package has no files (`MetapackageInstaller`).
    pub fn is_metapackage(&self) -> bool {
        self.kind == "metapackage"
    }
}
