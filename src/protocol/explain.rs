//! Operation `explain`: explains why packages are locked in their versions, and what speaks against
//! newer ones.

use serde::{Deserialize, Serialize};

use super::resolve::problem::GivenConstraint;

/// Asks for the explanation of packages.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Packages to explain, in the order of the answer.
    pub subjects: Vec<ExplainSubject>,
    /// The project.
    pub project: ExplainProject,
    /// Packages of the lock without aliases, each name once.
    pub locked: Vec<ExplainPackage>,
    /// Aliases of packages of the lock.
    pub aliases: Vec<ExplainPackage>,
    /// Packages of the platform that the candidates' links name.
    pub platform: Vec<ExplainPlatform>,
    /// Names of the platform whose requirements are ignored.
    pub ignored: Vec<String>,
}

/// A package to explain.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainSubject {
    /// Name of the package in lower case.
    pub name: String,
    /// The parent project whose lock decides about the package; `None` if none does.
    pub parent: Option<String>,
    /// All versions that the repositories have; empty if the package isn't locked, or if a parent
    /// project decides about it.
    pub candidates: Vec<ExplainPackage>,
}

/// The parts of the project that decide about versions.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainProject {
    /// `require` and `require-dev`
    pub requires: Vec<WrittenLink>,
    /// `conflict`
    pub conflicts: Vec<WrittenLink>,
    /// `minimum-stability`, as Composer's number.
    pub minimum_stability: u8,
    /// Lowest stability of single packages, by name.
    pub stability_flags: Vec<(String, u8)>,
}

/// A package as Composer shows it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainPackage {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// Version as it is written.
    pub pretty: String,
    /// Version as it is written, with the commit if the package is a branch.
    pub full: String,
    /// `require`
    #[serde(default)]
    pub requires: Vec<WrittenLink>,
    /// `conflict`
    #[serde(default)]
    pub conflicts: Vec<WrittenLink>,
    /// `replace`
    #[serde(default)]
    pub replaces: Vec<WrittenLink>,
    /// `provide`
    #[serde(default)]
    pub provides: Vec<WrittenLink>,
}

/// A package of the platform.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainPlatform {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// Version as it is written.
    pub pretty: String,
}

/// A link of a package: target, constraint, and the constraint as it is written.
pub type WrittenLink = (String, GivenConstraint, String);

/// The explanation.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ExplainAnswer {
    /// Lines of the explanation.
    pub lines: Vec<String>,
}
