//! What is to be solved: the fields of Composer's `Request`, `PoolBuilder` and `DefaultPolicy`. Tests write it as JSON.

#[cfg(test)]
use serde::Deserialize;

use super::package::{GivenConstraint, GivenPackage};
use allegro_semver::version::Dialect;

/// A repository, in the order in which Composer asks them.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Deserialize), serde(default))]
pub struct Repository {
    /// What is in it.
    #[cfg_attr(test, serde(flatten))]
    pub content: Content,
    /// Only these names, a regular expression.
    pub only: Option<String>,
    /// Not these names, a regular expression.
    pub exclude: Option<String>,
    /// A name that is found here isn't looked for in those that follow.
    pub canonical: bool,
}

impl Default for Repository {
    /// Returns a repository without packages. Composer takes repositories to be canonical too.
    fn default() -> Self {
        Self {
            content: Content::Fixed,
            only: None,
            exclude: None,
            canonical: true,
        }
    }
}

/// What a repository has.
#[derive(Debug, Clone)]
#[cfg_attr(
    test,
    derive(Deserialize),
    serde(tag = "kind", rename_all = "snake_case")
)]
pub enum Content {
    /// Nothing that can be loaded: its packages are fixed or locked.
    Fixed,
    /// Packages that Composer has loaded.
    List {
        /// In Composer's order; aliases name their package by its place.
        packages: Vec<GivenPackage>,
    },
    /// Metadata files, one or two a package.
    Metadata {
        /// Names that it has; `None`: it has to be asked.
        available: Option<Vec<String>>,
        /// Patterns of names that it has, as regular expressions.
        available_patterns: Option<Vec<String>>,
    },
}

/// Which requirements on the platform don't count.
#[derive(Debug, Clone, Default)]
#[cfg_attr(test, derive(Deserialize), serde(default, deny_unknown_fields))]
pub struct PlatformFilter {
    /// None of them counts.
    pub all: bool,
    /// Names of those that don't, a regular expression.
    pub names: Option<String>,
    /// Names of those of which only the lower bound counts, a regular expression.
    pub upper_bounds: Option<String>,
}

/// How far a partial update reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(Deserialize), serde(rename_all = "snake_case"))]
pub enum Reach {
    /// The packages that are listed.
    #[default]
    Listed,
    /// What they require too, unless the project requires it itself (`-w`).
    Dependencies,
    /// What they require too (`-W`).
    AllDependencies,
}

/// What is to be solved.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Deserialize), serde(default, deny_unknown_fields))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Problem {
    /// The language of versions and constraints.
    #[cfg_attr(test, serde(skip))]
    pub dialect: Dialect,
    /// Requirements of the project, in their order.
    pub requires: Vec<(String, GivenConstraint)>,
    /// The same without `require-dev`, if there is a difference.
    pub requires_without_dev: Option<Vec<(String, GivenConstraint)>>,
    /// Packages that are there whatever happens: the project and the platform.
    pub fixed: Vec<GivenPackage>,
    /// Packages of the lock.
    pub locked: Vec<GivenPackage>,
    /// A partial update: what is to be updated (`*` stands for anything). Empty: everything.
    pub allow: Vec<String>,
    /// How far a partial update reaches.
    pub reach: Reach,
    /// Repositories in their order.
    pub repositories: Vec<Repository>,
    /// Stabilities that are taken of all packages.
    pub stabilities: Vec<u8>,
    /// Least stability of single packages, by name.
    pub stability_flags: Vec<(String, u8)>,
    /// Aliases that the project's requirements make: name, version, alias (both normalized).
    pub root_aliases: Vec<(String, String, String)>,
    /// Constraints for this run alone, by name.
    pub temporary: Vec<(String, GivenConstraint)>,
    /// Requirements on the platform that don't count.
    pub platform: PlatformFilter,
    /// `prefer-stable`
    pub prefer_stable: bool,
    /// `prefer-lowest`
    pub prefer_lowest: bool,
    /// `COMPOSER_PREFER_DEV_OVER_PRERELEASE`
    pub prefer_dev_over_prerelease: bool,
    /// Versions that are taken where they can be (`--minimal-changes`), by name.
    pub preferred: Vec<(String, String)>,
    /// Package types that are left out.
    pub ignored_types: Vec<String>,
    /// Only these package types.
    pub allowed_types: Option<Vec<String>>,
    /// Names that Composer loads at a time.
    pub batch: Option<usize>,
    /// Temporary constraints count for all names of a package (newer Composers).
    pub temporary_for_all_names: bool,
    /// What an updated package replaces is loaded if something requires it, whether the update replaces it or not
    /// (since Composer 2.6).
    pub replaced_if_required: bool,
    /// A path repository's package that is updated because it may have changed gets the alias that the project gives it
    /// (Composer 2.2.22, and since 2.6.3).
    pub aliases_of_unlocked_paths: bool,
    /// Composer's pool optimizer is on.
    pub optimize: bool,
    /// The project's requirements as they are written, by name: for a verdict if they can't be met. Empty: none is
    /// wanted.
    pub written: Vec<(String, String)>,
    /// Platform packages whose version `config.platform` states.
    pub overridden: Vec<OverriddenPlatform>,
}

impl Problem {
    /// Returns a requirement of the project as it is written.
    pub(super) fn written(&self, name: &str) -> Option<&str> {
        let mut written = self.written.iter();
        let own = written.find(|(own, _)| own == name);
        own.map(|(_, text)| text.as_str())
    }

    /// Returns the entry of `config.platform` for a package.
    pub(super) fn overridden(&self, name: &str) -> Option<&OverriddenPlatform> {
        self.overridden.iter().find(|own| own.name == name)
    }
}

/// A platform package whose version `config.platform` states.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Deserialize))]
pub struct OverriddenPlatform {
    /// Package name.
    pub name: String,
    /// The version that the machine has, normalized and as it is written. `None` if the machine
    /// lacks the package.
    pub real: Option<(String, String)>,
}

impl Default for Problem {
    /// Returns a problem without requirements, as a Composer without settings has it.
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            requires: Vec::new(),
            requires_without_dev: None,
            fixed: Vec::new(),
            locked: Vec::new(),
            allow: Vec::new(),
            reach: Reach::default(),
            repositories: Vec::new(),
            stabilities: Vec::new(),
            stability_flags: Vec::new(),
            root_aliases: Vec::new(),
            temporary: Vec::new(),
            platform: PlatformFilter::default(),
            prefer_stable: false,
            prefer_lowest: false,
            prefer_dev_over_prerelease: false,
            preferred: Vec::new(),
            ignored_types: Vec::new(),
            allowed_types: None,
            batch: None,
            temporary_for_all_names: false,
            replaced_if_required: false,
            aliases_of_unlocked_paths: false,
            optimize: true,
            written: Vec::new(),
            overridden: Vec::new(),
        }
    }
}

/// A pattern of names as `BasePackage::packageNameToRegexp()` reads it: `*` stands for anything, case doesn't count.
pub(super) fn name_fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether a name is one of the platform's: `PlatformRepository::isPlatformPackage()`.
pub(super) fn is_platform(name: &str) -> bool {
    match name {
        "php"
        | "php-64bit"
        | "php-ipv6"
        | "php-zts"
        | "php-debug"
        | "hhvm"
        | "composer"
        | "composer-plugin-api"
        | "composer-runtime-api" => true,
        _ => {
            let Some(rest) = name
                .strip_prefix("ext-")
                .or_else(|| name.strip_prefix("lib-"))
            else {
                return false;
            };
            let bytes = rest.as_bytes();
            // [a-z0-9](?:[_.-]?[a-z0-9]+)*
            !bytes.is_empty()
                && bytes[0].is_ascii_alphanumeric()
                && bytes[bytes.len() - 1].is_ascii_alphanumeric()
                && bytes
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
                && bytes
                    .windows(2)
                    .all(|two| two.iter().any(u8::is_ascii_alphanumeric))
        }
    }
}
