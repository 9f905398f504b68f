//! The problem that a resolution solves: the fields of Composer's `Request`, `PoolBuilder` and
//! `DefaultPolicy`.

use serde::{Deserialize, Serialize};

use super::super::yes;

/// The problem to solve.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that the plugin answers by name"
)]
pub struct Problem {
    /// Behaviour of the running Composer's version parser.
    #[serde(default)]
    pub dialect: Dialect,
    /// Requirements of the project, in their order.
    pub requires: Vec<(String, GivenConstraint)>,
    /// Requirements of the project without those of `require-dev`, if there is a difference.
    #[serde(default)]
    pub requires_without_dev: Option<Vec<(String, GivenConstraint)>>,
    /// Packages that can't change: the project and the platform.
    pub fixed: Vec<GivenPackage>,
    /// Packages of the lock.
    #[serde(default)]
    pub locked: Vec<GivenPackage>,
    /// Names, or patterns with `*`, that a partial update changes; empty for a full update.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Reach of a partial update.
    #[serde(default)]
    pub reach: Reach,
    /// Repositories in their order.
    pub repositories: Vec<Repository>,
    /// Stabilities that all packages may have.
    pub stabilities: Vec<u8>,
    /// Lowest stability of single packages, by name.
    #[serde(default)]
    pub stability_flags: Vec<(String, u8)>,
    /// Aliases in the project's requirements: name, version, alias (both normalized).
    #[serde(default)]
    pub root_aliases: Vec<(String, String, String)>,
    /// Constraints for this run alone (`--with`), by name.
    #[serde(default)]
    pub temporary: Vec<(String, GivenConstraint)>,
    /// Ignored requirements on the platform.
    #[serde(default)]
    pub platform: PlatformFilter,
    /// `prefer-stable`
    #[serde(default)]
    pub prefer_stable: bool,
    /// `prefer-lowest`
    #[serde(default)]
    pub prefer_lowest: bool,
    /// `COMPOSER_PREFER_DEV_OVER_PRERELEASE`
    #[serde(default)]
    pub prefer_dev_over_prerelease: bool,
    /// Versions that are kept where possible (`--minimal-changes`), by name.
    #[serde(default)]
    pub preferred: Vec<(String, String)>,
    /// Package types that are left out.
    #[serde(default)]
    pub ignored_types: Vec<String>,
    /// The only package types that are accepted; `None` accepts all.
    #[serde(default)]
    pub allowed_types: Option<Vec<String>>,
    /// Number of names that Composer loads at a time.
    #[serde(default)]
    pub batch: Option<usize>,
    /// Whether temporary constraints apply to all names of a package (newer Composers).
    #[serde(default)]
    pub temporary_for_all_names: bool,
    /// Whether a name is loaded that an updated package replaces and another package requires, even
    /// if the update does not replace it any more (since Composer 2.6).
    #[serde(default)]
    pub replaced_if_required: bool,
    /// Whether a path repository's package that is updated because it may have changed gets the
    /// alias that the project gives it (Composer 2.2.22, and since 2.6.3).
    #[serde(default)]
    pub aliases_of_unlocked_paths: bool,
    /// Whether Composer's pool optimizer is on.
    #[serde(default = "yes")]
    pub optimize: bool,
    /// The project's requirements as they are written, by name, for a verdict; empty if no verdict
    /// is wanted.
    #[serde(default)]
    pub written: Vec<(String, String)>,
    /// Platform packages whose version `config.platform` states, for a verdict.
    #[serde(default)]
    pub overridden: Vec<OverriddenPlatform>,
}

/// A platform package whose version `config.platform` states.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OverriddenPlatform {
    /// Name of the package.
    pub name: String,
    /// The version that the machine has, normalized and as it is written; `None` if the machine
    /// lacks the package.
    pub real: Option<(String, String)>,
}

/// The behaviour of Composer's version parser, which differs between its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that the plugin answers by name"
)]
pub struct Dialect {
    /// Whether two numbers may follow a date.
    pub long_dates: bool,
    /// Whether `<1.0-RC` states a stability, as `<1.0-beta` does.
    pub rc_is_a_modifier: bool,
    /// Whether a constraint that excludes some points is written as `!=` only if all branches match
    /// too.
    pub points_need_branches: bool,
    /// Whether `0.0.0.0-dev` is the lowest version.
    pub zero_is_least: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            long_dates: true,
            rc_is_a_modifier: true,
            points_need_branches: true,
            zero_is_least: true,
        }
    }
}

/// The reach of a partial update.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The packages that are listed.
    #[default]
    Listed,
    /// Their requirements too, unless the project requires those itself (`-w`).
    Dependencies,
    /// All their requirements (`-W`).
    AllDependencies,
}

/// The requirements on the platform that are ignored.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformFilter {
    /// Whether all of them are ignored.
    pub all: bool,
    /// Names of those that are ignored, a regular expression.
    pub names: Option<String>,
    /// Names of those whose upper bound is ignored, a regular expression.
    pub upper_bounds: Option<String>,
}

/// A repository. Composer asks repositories in the order of the list.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Repository {
    /// Content of the repository.
    #[serde(flatten)]
    pub content: Content,
    /// Names that the repository may be asked for, a regular expression.
    #[serde(default)]
    pub only: Option<String>,
    /// Names that the repository may not be asked for, a regular expression.
    #[serde(default)]
    pub exclude: Option<String>,
    /// Whether a name that is found here isn't looked for in later repositories.
    #[serde(default = "yes")]
    pub canonical: bool,
}

/// The content of a repository.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// The repository has nothing to load: its packages are fixed or locked.
    Fixed,
    /// The repository's packages, which Composer has loaded.
    List {
        /// Packages in Composer's order. An alias names its package by the place in this list.
        packages: Vec<GivenPackage>,
    },
    /// The repository has metadata files, one or two for a package.
    Metadata {
        /// Names that the repository has; `None` if it must be asked.
        #[serde(default)]
        available: Option<Vec<String>>,
        /// Patterns of names that the repository has, as regular expressions.
        #[serde(default)]
        available_patterns: Option<Vec<String>>,
    },
}

/// A package that Composer has loaded itself.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that the plugin answers by name"
)]
pub struct GivenPackage {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// Place in the list of the package that this one is an alias of.
    #[serde(default)]
    pub alias_of: Option<usize>,
    /// Whether a requirement of the project makes this alias.
    #[serde(default)]
    pub root_alias: bool,
    /// `require`
    #[serde(default)]
    pub requires: Vec<GivenLink>,
    /// `conflict`
    #[serde(default)]
    pub conflicts: Vec<GivenLink>,
    /// `replace`
    #[serde(default)]
    pub replaces: Vec<GivenLink>,
    /// `provide`
    #[serde(default)]
    pub provides: Vec<GivenLink>,
    /// Whether a path repository links the package; such a package is never taken from a lock.
    #[serde(default)]
    pub linked_path: bool,
    /// Whether the package is accepted whatever its stability: the project, or part of the
    /// platform.
    #[serde(default)]
    pub always: bool,
    /// Whether the package has a type that is left out.
    #[serde(default)]
    pub ignored: bool,
}

/// A link of a package: target, constraint, and whether it is written as `self.version`.
pub type GivenLink = (String, GivenConstraint, bool);

/// A constraint: Composer's object, spelled out.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum GivenConstraint {
    /// `["==", "1.0.0.0"]`
    Single(String, String),
    /// `{"and": […]}`
    And {
        /// Two or more parts.
        and: Vec<GivenConstraint>,
    },
    /// `{"or": […]}`
    Or {
        /// Two or more parts.
        or: Vec<GivenConstraint>,
    },
    /// `true` for every version, `false` for none.
    Fixed(bool),
}
