//! The input of a resolution: the fields of Composer's `Request`, `PoolBuilder` and
//! `DefaultPolicy`. Tests write it as JSON.

#[cfg(test)]
use serde::Deserialize;

use super::package::{GivenConstraint, GivenPackage};
use allegro_semver::version::Dialect;

/// A repository. Repositories are listed in the order in which Composer asks them.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Deserialize), serde(default))]
pub struct Repository {
    /// The packages of the repository, or the way to find them.
    #[cfg_attr(test, serde(flatten))]
    pub content: Content,
    /// A regular expression; the repository is asked only for names that match.
    pub only: Option<String>,
    /// A regular expression; the repository is never asked for names that match.
    pub exclude: Option<String>,
    /// Whether a name that is found here is not looked for in later repositories.
    pub canonical: bool,
}

impl Default for Repository {
    /// Returns a repository without packages. Composer's default is canonical too.
    fn default() -> Self {
        Self {
            content: Content::Fixed,
            only: None,
            exclude: None,
            canonical: true,
        }
    }
}

/// The packages of a repository.
#[derive(Debug, Clone)]
#[cfg_attr(
    test,
    derive(Deserialize),
    serde(tag = "kind", rename_all = "snake_case")
)]
pub enum Content {
    /// The repository offers nothing to load, because its packages are fixed or locked.
    Fixed,
    /// Packages that Composer has loaded.
    List {
        /// The packages in Composer's order. An alias names its package by the place in this list.
        packages: Vec<GivenPackage>,
    },
    /// The repository has metadata files, one or two for each package.
    Metadata {
        /// Names that the repository lists (`available-packages`). `None`: each name must be
        /// requested.
        available: Option<Vec<String>>,
        /// Patterns of names that the repository lists, as regular expressions.
        available_patterns: Option<Vec<String>>,
    },
}

/// The platform requirements that are ignored or relaxed.
#[derive(Debug, Clone, Default)]
#[cfg_attr(test, derive(Deserialize), serde(default, deny_unknown_fields))]
pub struct PlatformFilter {
    /// Whether all platform requirements are ignored.
    pub all: bool,
    /// A regular expression for names whose requirements are ignored.
    pub names: Option<String>,
    /// A regular expression for names whose requirements keep only their lower bound.
    pub upper_bounds: Option<String>,
}

/// The reach of a partial update.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(Deserialize), serde(rename_all = "snake_case"))]
pub enum Reach {
    /// Only the listed packages are updated.
    #[default]
    Listed,
    /// The dependencies of listed packages are updated too, except root requirements (`-w`).
    Dependencies,
    /// All dependencies of listed packages are updated too (`-W`).
    AllDependencies,
}

/// A problem to be solved.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Deserialize), serde(default, deny_unknown_fields))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Problem {
    /// The rules for versions and constraints of the composer/semver that Composer uses.
    #[cfg_attr(test, serde(skip))]
    pub dialect: Dialect,
    /// Root requirements, in their order.
    pub requires: Vec<(String, GivenConstraint)>,
    /// Root requirements without `require-dev`; `None` if there is no difference.
    pub requires_without_dev: Option<Vec<(String, GivenConstraint)>>,
    /// Packages that are always present: the project and the platform.
    pub fixed: Vec<GivenPackage>,
    /// Packages of the lock file.
    pub locked: Vec<GivenPackage>,
    /// Patterns of the packages that a partial update names (`*` stands for anything). Empty: a
    /// full update.
    pub allow: Vec<String>,
    /// The reach of a partial update.
    pub reach: Reach,
    /// Repositories in the order in which Composer asks them.
    pub repositories: Vec<Repository>,
    /// Stabilities that are acceptable for all packages, as numbers of Composer's `BasePackage`.
    pub stabilities: Vec<u8>,
    /// The lowest acceptable stability of single packages, by name.
    pub stability_flags: Vec<(String, u8)>,
    /// Aliases of root requirements: name, version, alias (both versions normalized).
    pub root_aliases: Vec<(String, String, String)>,
    /// Constraints for this run only (`--with`, `--patch-only`), by name.
    pub temporary: Vec<(String, GivenConstraint)>,
    /// The platform requirements that are ignored or relaxed.
    pub platform: PlatformFilter,
    /// `prefer-stable`
    pub prefer_stable: bool,
    /// `prefer-lowest`
    pub prefer_lowest: bool,
    /// `COMPOSER_PREFER_DEV_OVER_PRERELEASE`
    pub prefer_dev_over_prerelease: bool,
    /// Versions that are preferred where they are possible (`--minimal-changes`), by name.
    pub preferred: Vec<(String, String)>,
    /// Package types that are left out.
    pub ignored_types: Vec<String>,
    /// The only acceptable package types; `None`: all.
    pub allowed_types: Option<Vec<String>>,
    /// The number of names that Composer loads at a time; `None`: all at once.
    pub batch: Option<usize>,
    /// Whether a temporary constraint applies to every name of a package (newer versions of
    /// Composer).
    pub temporary_for_all_names: bool,
    /// Whether a name that an unlocked package replaces is loaded if something requires it (since
    /// Composer 2.6). The updated version may no longer replace that name.
    pub replaced_if_required: bool,
    /// Whether root aliases apply to packages of path repositories that are unlocked because they
    /// may have changed (Composer 2.2.22, and since 2.6.3).
    pub aliases_of_unlocked_paths: bool,
    /// Whether Composer's pool optimizer is on.
    pub optimize: bool,
    /// Root requirements as the project writes them, by name. They serve the verdict of a problem
    /// without solution. Empty: no verdict is wanted.
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
    /// Returns a problem without requirements, with the defaults of Composer.
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

/// Returns whether a name matches a pattern, in which `*` stands for anything. Case is ignored
/// (`BasePackage::packageNameToRegexp`, Composer 2.5.5).
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
