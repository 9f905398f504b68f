//! Why requirements can't be met, who stands against it, and the smallest change that helps: found by trying it.
//!
//! Every try is a whole resolution by the same solver, of the problem that the changed composer.json would give. What
//! was read of repositories is kept between tries, so that only what a change adds is asked for.

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

/// Why requirements can't be met, and what helps. [`Verdict::lines`] tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Requirements of the project that can't be had together, by name.
    requires: Vec<String>,
    /// How many more of them take part.
    more: usize,
    /// Why nothing meets the first of them, if that is so.
    lack: Option<Lack>,
    /// Who says what stands against it.
    claims: Vec<Claim>,
    /// A change that was tried and works; empty: none was found.
    change: Vec<Change>,
    /// How many changes were tried.
    tried: usize,
    /// Names that are written much like the one that no repository has, the nearest first.
    nearest: Vec<String>,
    /// The name among these that works in place of the missing one, and its constraint.
    instead: Option<(String, String)>,
    /// The platform package that works as the machine has it, without `config.platform`, and its
    /// version there.
    real: Option<(String, String)>,
}

/// What somebody says that stands against a solution.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    /// The package; `None`: the project.
    by: Option<String>,
    /// The newest of its versions that say so.
    newest: String,
    /// The oldest of them.
    oldest: String,
    /// What it says.
    what: What,
    /// Of which package.
    target: String,
    /// Of which versions of it.
    constraint: String,
    /// A package that requires the one that says it, with its version; `None`: the project does, or nobody.
    via: Option<String>,
    /// What there is instead.
    lack: Option<Lack>,
}

/// A change that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// This requirement in composer.json.
    Require {
        /// Package name.
        name: String,
        /// Its constraint.
        constraint: String,
    },
    /// Without this requirement.
    Remove {
        /// Package name.
        name: String,
    },
    /// The same run with `--with-all-dependencies`.
    AllDependencies,
    /// An update of everything.
    Everything,
    /// The same run without `--with`.
    WithoutTemporary,
}

impl Change {
    /// The requirement that it is about.
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
        // What the contradiction leads back to, and what the change is about.
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
