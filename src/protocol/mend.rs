//! Operation `mend`: searches the smallest update of a lock that mends packages with security
//! advisories.
//!
//! The plugin asks, does the step of the answer, and asks again with its result, until the answer
//! is a plan. A request has the results of all steps so far.

use serde::{Deserialize, Serialize};

use super::resolve::problem::GivenConstraint;

/// Asks for the next step of the search.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MendRequest {
    /// Packages of the lock, without aliases.
    pub locked: Vec<LockedPackage>,
    /// Requirements of the project, those of `require-dev` last.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// Constraints of `extra.allegro.exceptions`.
    #[serde(default)]
    pub pinned: Vec<Requirement>,
    /// Packages that have to move, in the order of the lock.
    pub affected: Vec<AffectedPackage>,
    /// Whether an update can ignore policies.
    #[serde(default)]
    pub has_policies: bool,
    /// Names, and normalized versions that policies allow: the result of a `filter` step; `None`
    /// before that step.
    #[serde(default)]
    pub allowed: Option<Vec<(String, Vec<String>)>>,
    /// Results of the `try` steps so far, in their order: packages of the lock that a trial would
    /// write; `None` if there is no solution.
    #[serde(default)]
    pub results: Vec<Option<Vec<TrialPackage>>>,
}

/// A package of the lock.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// The version as it is written.
    pub pretty: String,
    /// Reference of the source, or of the dist.
    #[serde(default)]
    pub reference: Option<String>,
    /// Whether an advisory affects the version.
    #[serde(default)]
    pub is_affected: bool,
    /// Requirements of the package that are about affected packages.
    #[serde(default)]
    pub requires: Vec<Requirement>,
}

/// A requirement, or another constraint: name of the package that it is about, text of the
/// constraint, and constraint.
pub type Requirement = (String, String, GivenConstraint);

/// A package that has to move.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AffectedPackage {
    /// Name of the package.
    pub name: String,
    /// Versions that the repositories have, without branches and affected ones: normalized, and as
    /// they are written.
    pub versions: Vec<(String, String)>,
    /// The parent project that the package's version comes from.
    #[serde(default)]
    pub parent: Option<String>,
}

/// A package in the lock that a trial would write.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrialPackage {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// Reference of the source, or of the dist.
    #[serde(default)]
    pub reference: Option<String>,
    /// Whether an advisory affects the version; false if the trial does not need advisories.
    #[serde(default)]
    pub is_affected: bool,
}

/// The next step of the search.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum MendAnswer {
    /// The plugin asks policies which of these versions they allow.
    Filter {
        /// Names, and normalized versions, the lowest first.
        candidates: Vec<(String, Vec<String>)>,
    },
    /// The plugin tries an update.
    Try {
        /// Packages that may move.
        packages: Vec<String>,
        /// Constraints in the form of `--with`.
        with: Vec<String>,
        /// Whether the lowest versions are preferred.
        prefer_lowest: bool,
        /// Whether packages that the named ones require may move too.
        with_all_dependencies: bool,
        /// Whether policies keep out nothing.
        ignore_policies: bool,
        /// Whether the result must tell which of its packages are affected.
        needs_advisories: bool,
    },
    /// The search is over.
    Plan {
        /// Packages that the update names; empty if no package can be mended.
        packages: Vec<String>,
        /// Constraints in the form of `--with`.
        with: Vec<String>,
        /// Names of the affected packages, and the reason to tell if one stays affected.
        reasons: Vec<(String, String)>,
    },
}
