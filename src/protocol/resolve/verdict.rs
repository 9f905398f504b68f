//! The explanation why requirements can't be met.

use serde::{Deserialize, Serialize};

/// Why requirements can't be met, and a change that helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Names of the project's requirements that exclude each other.
    pub requires: Vec<String>,
    /// Number of further requirements that take part.
    pub more: usize,
    /// Reason why nothing meets the first requirement, if that is the case.
    pub lack: Option<Lack>,
    /// Statements of packages that exclude each other.
    pub claims: Vec<Claim>,
    /// A change that was tried and works; empty if none was found.
    pub change: Vec<Change>,
    /// Number of changes that were tried.
    pub tried: usize,
}

/// A statement of a package, or of the project, that stands against a solution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Name of the package; `None` for the project.
    pub by: Option<String>,
    /// The newest version of the package that makes the statement.
    pub newest: String,
    /// The oldest version of the package that makes the statement.
    pub oldest: String,
    /// Type of the statement.
    pub what: What,
    /// The package that the statement is about.
    pub target: String,
    /// The versions that the statement is about.
    pub constraint: String,
    /// A package that requires the stating package, with its version; `None` if the project does,
    /// or no package.
    pub via: Option<String>,
    /// Reason why nothing meets the statement, if that is the case.
    pub lack: Option<Lack>,
}

/// The type of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// `require`
    Requires,
    /// `conflict`
    Conflicts,
    /// `replace`
    Replaces,
    /// `provide`
    Provides,
    /// The package is part of the platform, whatever happens.
    Is,
}

/// The reason why nothing meets a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Lack {
    /// No repository has the name.
    Name,
    /// No version fits.
    Version {
        /// The lowest version that exists.
        oldest: String,
        /// The highest version that exists.
        newest: String,
    },
    /// All versions that fit are less stable than the project accepts.
    Stability {
        /// The highest version that fits.
        version: String,
        /// Stability of that version.
        stability: String,
    },
    /// Another package stands for the name, in versions that don't fit.
    Offered {
        /// Name of that package.
        by: String,
        /// Version of that package.
        version: String,
        /// Versions of the name that it stands for.
        constraint: String,
    },
    /// The platform has another version.
    Platform {
        /// The platform's version; `None` if the platform lacks the package.
        has: Option<String>,
    },
    /// The package is locked and not part of the update.
    Locked {
        /// The locked version.
        version: String,
    },
    /// Versions that fit exist, but this run can't choose them.
    Elsewhere,
}

/// A change that makes the requirements solvable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Another constraint in composer.json.
    Require {
        /// Name of the required package.
        name: String,
        /// The new constraint.
        constraint: String,
    },
    /// The removal of a requirement from composer.json.
    Remove {
        /// Name of the required package.
        name: String,
    },
    /// The same command with `--with-all-dependencies`.
    AllDependencies,
    /// An update of all packages.
    Everything,
    /// The same command without `--with`.
    WithoutTemporary,
}
