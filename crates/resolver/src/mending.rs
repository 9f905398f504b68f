//! Searches the smallest update of a lock after which security advisories affect no package of a
//! list (`composer resolve --security-only`).
//!
//! Composer tests updates in trials that write nothing. First only the affected packages may move,
//! then the packages that they require, at last all packages. No package gets an older version.
//! Trials prefer the lowest versions, so a package that can stay stays.
//!
//! The search is deterministic and keeps nothing between calls. [`mend`] gets the results of all
//! trials so far, repeats its decisions, and returns the first step whose result is unknown.

mod plan;
mod reasons;
mod search;
#[cfg(test)]
mod tests;

use allegro_semver::constraint::{ConstraintId, Op, Terms};
use allegro_semver::version::{Stability, stability};

use super::package::GivenConstraint;
use search::Search;

/// The lock, and the packages that have to move.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// Packages of the lock, without aliases.
    pub locked: Vec<LockedPackage>,
    /// Requirements of the project, those of `require-dev` last.
    pub requires: Vec<Requirement>,
    /// Constraints that the project pins packages to (`extra.allegro.exceptions`).
    pub pinned: Vec<Requirement>,
    /// Packages of the lock that have to move, in the order of the lock.
    pub affected: Vec<AffectedPackage>,
    /// For each affected package, the candidates that policies allow. `None` if policies have not
    /// been asked yet.
    pub allowed: Option<Vec<(String, Vec<String>)>>,
    /// Whether an update can ignore policies.
    pub has_policies: bool,
}

/// A package of the lock.
#[derive(Debug, Clone, Default)]
pub struct LockedPackage {
    /// Package name.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// The version as it is written.
    pub pretty: String,
    /// The commit, or another reference of the content.
    pub reference: Option<String>,
    /// Whether an advisory affects the version.
    pub is_affected: bool,
    /// Requirements of the package that are about affected packages.
    pub requires: Vec<Requirement>,
}

/// A requirement, or another constraint on a package.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// Name of the package that the constraint is about.
    pub name: String,
    /// The constraint as it is written.
    pub written: String,
    /// The constraint.
    pub constraint: GivenConstraint,
}

/// A package that has to move.
#[derive(Debug, Clone, Default)]
pub struct AffectedPackage {
    /// Package name.
    pub name: String,
    /// Versions that the repositories have, without branches and affected ones: normalized, and as
    /// they are written.
    pub versions: Vec<(String, String)>,
    /// The parent project that the package's version comes from.
    pub parent: Option<String>,
}

/// An update that Composer tries without writing anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of Composer's update"
)]
pub struct Trial {
    /// Packages that may move.
    pub packages: Vec<String>,
    /// Constraints in the form of `--with`.
    pub with: Vec<String>,
    /// Whether the lowest versions are preferred.
    pub prefer_lowest: bool,
    /// Whether packages that the named ones require may move too.
    pub with_all_dependencies: bool,
    /// Whether policies keep out nothing.
    pub ignore_policies: bool,
    /// Whether [`TrialPackage::is_affected`] is needed.
    pub needs_advisories: bool,
}

/// A package in the lock that a trial would write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrialPackage {
    /// Package name.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// The commit, or another reference of the content.
    pub reference: Option<String>,
    /// Whether an advisory affects the version; false where the trial does not need it.
    pub is_affected: bool,
}

/// The result of a trial: the lock that it would write, or `None` if there is no solution.
pub type TrialResult = Option<Vec<TrialPackage>>;

/// Gives the result of the next trial; `None` if nobody has made that trial yet.
pub type Tries<'a> = &'a mut dyn FnMut(&Trial) -> Option<TrialResult>;

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Policies have to be asked which of these versions they allow. For each package, the list has
    /// its normalized versions, the lowest first.
    Filter(Vec<(String, Vec<String>)>),
    /// A trial has to be made.
    Try(Trial),
    /// The search is over.
    Plan(Plan),
}

/// The update that mends as many packages as possible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Packages that the update names; empty if no package can be mended.
    pub packages: Vec<String>,
    /// Constraints in the form of `--with`.
    pub with: Vec<String>,
    /// For each affected package, the reason to tell if it stays affected.
    pub reasons: Vec<(String, String)>,
}

/// Returns the next step of the search.
///
/// Returns `None` if a constraint has an operator that Composer doesn't have.
pub fn mend(task: &Task, tries: Tries<'_>) -> Option<Step> {
    let mut terms = Terms::default();
    let candidates = candidates(task, &mut terms);
    let Some(allowed) = &task.allowed else {
        let versions = candidates.into_iter().map(|one| (one.name, one.versions));
        return Some(Step::Filter(versions.collect()));
    };
    let candidates = candidates.into_iter().map(|one| one.allowed(allowed));
    let mut search = Search::new(task, candidates.collect(), terms, tries)?;
    Some(match search.plan() {
        Ok(plan) => Step::Plan(plan),
        Err(trial) => Step::Try(trial),
    })
}

/// Versions of an affected package that would do, normalized, the lowest first.
#[derive(Debug, Clone)]
struct Candidates {
    name: String,
    versions: Vec<String>,
    /// The lowest version that policies keep out.
    refused: Option<String>,
}

impl Candidates {
    /// Leaves out the versions that policies don't allow.
    fn allowed(self, allowed: &[(String, Vec<String>)]) -> Self {
        let mut lists = allowed.iter();
        let list = lists.find(|(name, _)| *name == self.name);
        let is_allowed =
            |version: &String| list.is_some_and(|(_, versions)| versions.contains(version));
        let (versions, refused): (Vec<_>, Vec<_>) = self.versions.into_iter().partition(is_allowed);
        Self {
            name: self.name,
            versions,
            refused: refused.into_iter().next(),
        }
    }
}

/// Returns the candidates of each affected package: the versions above the locked one. Pre-releases
/// count only if one is locked, or if there is nothing else.
fn candidates(task: &Task, terms: &mut Terms) -> Vec<Candidates> {
    let mut lists = Vec::new();
    for affected in &task.affected {
        let locked = task.locked(&affected.name).map(|one| one.version.as_str());
        let locked = locked.filter(|locked| stability(locked) != Stability::Dev);
        let mut versions: Vec<&str> = Vec::new();
        if let Some(locked) = locked {
            let all = affected
                .versions
                .iter()
                .map(|(version, _)| version.as_str());
            versions = all
                .filter(|version| ranks(terms, version, Op::Gt, locked))
                .collect();
            let is_stable = |version: &str| stability(version) == Stability::Stable;
            if is_stable(locked) && versions.iter().any(|version| is_stable(version)) {
                versions.retain(|version| is_stable(version));
            }
            versions.sort_by(|one, other| {
                let (one, other) = (terms.version(one), terms.version(other));
                terms.version_of(one).compare(terms.version_of(other))
            });
        }
        lists.push(Candidates {
            name: affected.name.clone(),
            versions: versions.into_iter().map(str::to_owned).collect(),
            refused: None,
        });
    }
    lists
}

/// Compares two normalized versions, as composer/semver's `Comparator` does.
fn ranks(terms: &mut Terms, one: &str, op: Op, other: &str) -> bool {
    let (one, other) = (terms.version(one), terms.version(other));
    terms.ranks(one, op, other)
}

/// Returns whether a constraint allows a normalized version.
fn allows(terms: &mut Terms, constraint: ConstraintId, version: &str) -> bool {
    let version = terms.version(version);
    terms.fits(constraint, version)
}

impl Task {
    fn locked(&self, name: &str) -> Option<&LockedPackage> {
        self.locked.iter().find(|one| one.name == name)
    }

    fn pinned(&self, name: &str) -> Option<&Requirement> {
        self.pinned.iter().find(|one| one.name == name)
    }
}

impl LockedPackage {
    fn is_branch(&self) -> bool {
        stability(&self.version) == Stability::Dev
    }
}
