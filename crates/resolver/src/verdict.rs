//! Explains why requirements can't be met: which packages stand against them, and the smallest
//! change that helps.
//!
//! The search finds that change by trying. Each try is a whole resolution by the same solver, of
//! the problem that the changed composer.json would give. The metadata that was read is kept
//! between tries, so that a try requests only what its change adds.

mod changes;
pub(super) mod conflict;
mod lack;
mod nearest;
mod remedies;
mod search;
mod sentences;
#[cfg(test)]
mod tests;
mod words;

use super::Stop;
use super::request::{OverriddenPlatform, Problem};
use super::solve::Attempts;
use conflict::{Conflict, Statement, Unmet, What};
use lack::Lack;
use search::Search;

/// The reason why requirements can't be met, and a remedy. [`Verdict::lines`] renders both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Names of the project's requirements that can't be met together.
    requires: Vec<String>,
    /// Number of further requirements of the project that take part in the conflict.
    more: usize,
    /// The reason why nothing meets the first of the requirements, if nothing does.
    lack: Option<Lack>,
    /// Statements that stand against a solution, each with the package that makes it.
    claims: Vec<Claim>,
    /// The change that was tried and works; empty if none was found.
    change: Vec<Change>,
    /// Number of changes that were tried.
    tried: usize,
    /// Known names with a spelling close to the name that no repository has, the nearest first.
    nearest: Vec<String>,
    /// The one of these names that works in place of the missing one, and its constraint.
    instead: Option<(String, String)>,
    /// The platform package with which a solution exists if `config.platform` does not override it,
    /// and its version on the machine.
    real: Option<(String, String)>,
}

/// A statement of a package or of the project that stands against a solution.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    /// Name of the package that makes the statement; `None` for the project.
    by: Option<String>,
    /// Newest version of the package that makes the statement.
    newest: String,
    /// Oldest version of the package that makes the statement.
    oldest: String,
    /// Kind of the statement.
    what: What,
    /// Name of the package that the statement is about.
    target: String,
    /// Versions that the statement is about, as a constraint.
    constraint: String,
    /// A package that requires the one that makes the statement, with its version. `None` if the
    /// project requires it, or if nobody does.
    via: Option<String>,
    /// The reason why nothing meets the statement, if nothing does.
    lack: Option<Lack>,
}

/// A change with which a solution exists.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// composer.json gets this requirement.
    Require {
        /// Name of the package.
        name: String,
        /// Constraint of the requirement.
        constraint: String,
    },
    /// composer.json loses this requirement.
    Remove {
        /// Name of the package.
        name: String,
    },
    /// The same command gets the option `--with-all-dependencies`.
    AllDependencies,
    /// The command updates all packages.
    Everything,
    /// The same command loses its option `--with`.
    WithoutTemporary,
}

impl Change {
    /// Returns the name of the requirement that the change is about.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Require { name, .. } | Self::Remove { name } => Some(name),
            Self::AllDependencies | Self::Everything | Self::WithoutTemporary => None,
        }
    }
}

/// Judges a conflict: searches the smallest change that helps, and other remedies where the
/// conflict allows them.
pub(super) fn judge(
    problem: &Problem,
    conflict: &Conflict,
    attempts: &mut Attempts<'_>,
) -> Result<Verdict, Stop> {
    let mut search = Search::new(problem, attempts);
    let change = search.change(conflict)?;
    let mut verdict = search.verdict(conflict, change);
    if let Some(missing) = verdict.missing() {
        let (nearest, instead) = remedies::other_name(missing, problem, attempts)?;
        verdict.nearest = nearest;
        verdict.instead = instead;
    }
    if let Some(overridden) = verdict.overridden(problem) {
        verdict.real = remedies::real_platform(overridden, problem, attempts)?;
    }
    Ok(verdict)
}

impl Verdict {
    /// Returns the requirement whose name no repository has.
    fn missing(&self) -> Option<&str> {
        let first = self.requires.first()?;
        (self.lack == Some(Lack::Name)).then_some(first)
    }

    /// Returns the platform package that stands against a solution and that `config.platform`
    /// overrides. There is none where another constraint helps.
    fn overridden<'a>(&self, problem: &'a Problem) -> Option<&'a OverriddenPlatform> {
        let is_requirement = |change: &Change| matches!(change, Change::Require { .. });
        if self.change.iter().any(is_requirement) {
            return None;
        }
        let is_platform = |lack: Option<&Lack>| matches!(lack, Some(Lack::Platform { .. }));
        let claims = self.claims.iter();
        let claimed = claims.filter(|claim| is_platform(claim.lack.as_ref()));
        let own = self.requires.iter().take(1);
        let own = own.filter(|_| is_platform(self.lack.as_ref()));
        let mut names = claimed.map(|claim| &claim.target).chain(own);
        names.find_map(|name| problem.overridden(name))
    }
}

impl Search<'_, '_> {
    /// Returns the verdict on a conflict, with the change that helps.
    fn verdict(mut self, conflict: &Conflict, change: Vec<Change>) -> Verdict {
        let lacking = conflict.lacking.first();
        let lack = lacking.map(|(_, unmet)| self.lack(unmet));
        let claims = conflict
            .statements
            .iter()
            .map(|statement| self.claim(statement))
            .collect();
        // Beside the origins of the conflict, the verdict names the requirements that the change is
        // about.
        let mut requires = conflict.requires.clone();
        let shown = conflict.told.max(1).min(requires.len());
        let rest = requires.split_off(shown);
        let (named, rest): (Vec<String>, Vec<String>) = rest.into_iter().partition(|name| {
            change
                .iter()
                .any(|change| change.name() == Some(name.as_str()))
        });
        requires.extend(named);
        Verdict {
            requires,
            more: rest.len(),
            lack,
            claims,
            change,
            tried: self.tried,
            ..Verdict::default()
        }
    }

    fn lack(&mut self, unmet: &Unmet) -> Lack {
        let Attempts { terms, kept, .. } = &mut *self.attempts;
        lack::lack(self.problem, terms, kept, unmet)
    }

    fn claim(&mut self, statement: &Statement) -> Claim {
        let unmet = statement.unmet.as_ref();
        let (by, newest, oldest) = statement.by.clone().map_or_else(
            || (None, String::new(), String::new()),
            |(name, newest, oldest)| (Some(name), newest, oldest),
        );
        Claim {
            by,
            newest,
            oldest,
            what: statement.what,
            target: statement.target.clone(),
            constraint: statement.constraint.clone(),
            via: statement.via.clone(),
            lack: unmet.map(|unmet| self.lack(unmet)),
        }
    }
}
