//! Why requirements can't be met, who stands against it, and the smallest change that helps: found by trying it.
//!
//! Every try is a whole resolution by the same solver, of the problem that the changed composer.json would give. What
//! was read of repositories is kept between tries, so that only what a change adds is asked for.

mod changes;
pub(super) mod conflict;
mod lack;
pub(super) mod search;
#[cfg(test)]
mod tests;
mod words;

pub use conflict::What;
use conflict::{Conflict, Statement};
pub use lack::Lack;
use search::Search;

/// Why requirements can't be met, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Requirements of the project that can't be had together, by name.
    pub requires: Vec<String>,
    /// How many more of them take part.
    pub more: usize,
    /// Why nothing meets the first of them, if that is so.
    pub lack: Option<Lack>,
    /// Who says what stands against it.
    pub claims: Vec<Claim>,
    /// A change that was tried and works; empty: none was found.
    pub change: Vec<Change>,
    /// How many changes were tried.
    pub tried: usize,
}

/// What somebody says that stands against a solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The package; `None`: the project.
    pub by: Option<String>,
    /// The newest of its versions that say so.
    pub newest: String,
    /// The oldest of them.
    pub oldest: String,
    /// What it says.
    pub what: What,
    /// Of which package.
    pub target: String,
    /// Of which versions of it.
    pub constraint: String,
    /// A package that requires the one that says it, with its version; `None`: the project does, or nobody.
    pub via: Option<String>,
    /// What there is instead.
    pub lack: Option<Lack>,
}

/// A change that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
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

impl Search<'_> {
    /// Returns the verdict on a conflict, with the change that helps.
    pub(super) fn verdict(mut self, conflict: &Conflict, change: Vec<Change>) -> Verdict {
        let lacking = conflict.lacking.first();
        let lack =
            lacking.map(|(_, unmet)| lack::lack(self.problem, &mut self.terms, &self.kept, unmet));
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
        }
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
            lack: unmet.map(|unmet| lack::lack(self.problem, &mut self.terms, &self.kept, unmet)),
        }
    }
}
