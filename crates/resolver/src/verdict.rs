//! Why requirements can't be met, who stands against it, and the smallest change that helps: found by trying it.
//!
//! Every try is a whole resolution by the same solver, of the problem that the changed composer.json would give. What
//! was read of repositories is kept between tries, so that only what a change adds is asked for.

mod changes;
pub(super) mod conflict;
mod lack;
mod search;
#[cfg(test)]
mod tests;
mod words;

use std::rc::Rc;
use std::sync::Arc;

use super::metadata::Metadata;
use super::outline::Outline;
use super::request::Problem;
use super::{Answer, Provider, Stop};
use allegro_base::tables::HashMap;
use allegro_semver::constraint::Terms;
pub use conflict::What;
use conflict::{Conflict, Statement};
pub use lack::Lack;
use search::Search;

/// What became of a problem.
#[derive(Debug)]
pub enum Outcome {
    /// It has a solution; with what was read of constraints on the way.
    Solved(Answer, Box<Terms>),
    /// It has none; why, if that was asked for.
    Unsolvable(Option<Verdict>),
}

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

/// Solves a problem as Composer would; where it can't be solved, finds out why and what would help.
pub fn solve(
    problem: &Problem,
    provider: &mut dyn Provider,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Outcome, Stop> {
    let mut search = Search::new(problem, Kept::new(provider), is_cancelled);
    let mut result = search.attempt(problem);
    // Whatever came of it: it may have come of what isn't true any more.
    if result.as_ref().err() != Some(&Stop::Interrupted) && !search.kept.settle()? {
        search = Search::new(problem, Kept::new(search.kept.provider), is_cancelled);
        result = search.attempt(problem);
    }
    match result {
        Ok(answer) => return Ok(Outcome::Solved(answer, Box::new(search.terms))),
        Err(Stop::Unsolvable) => {}
        Err(stop) => return Err(stop),
    }
    let conflict = search.conflict.take();
    let Some(conflict) = conflict.filter(|_| !problem.written.is_empty()) else {
        return Ok(Outcome::Unsolvable(None));
    };
    let change = search.change(&conflict)?;
    Ok(Outcome::Unsolvable(Some(search.verdict(&conflict, change))))
}

impl Search<'_> {
    fn verdict(mut self, conflict: &Conflict, change: Vec<Change>) -> Verdict {
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

/// Keeps what was read of repositories, for the next try.
struct Kept<'a> {
    provider: &'a mut dyn Provider,
    read: HashMap<(usize, String), Option<Rc<Metadata>>>,
}

impl<'a> Kept<'a> {
    fn new(provider: &'a mut dyn Provider) -> Self {
        Self {
            provider,
            read: HashMap::default(),
        }
    }

    /// What the files of a package say, in the order of repositories.
    fn of(&self, name: &str) -> Vec<Rc<Metadata>> {
        let mut files: Vec<_> = self
            .read
            .iter()
            .filter(|((_, file), _)| file.strip_suffix("~dev").unwrap_or(file) == name)
            .collect();
        files.sort_by_key(|(place, _)| *place);
        files
            .into_iter()
            .filter_map(|(_, metadata)| metadata.clone())
            .collect()
    }
}

impl Provider for Kept<'_> {
    fn prepare(&mut self, repository: usize, files: &[String]) -> Result<(), Stop> {
        let known = |file: &String| self.read.contains_key(&(repository, file.clone()));
        let files: Vec<String> = files.iter().filter(|file| !known(file)).cloned().collect();
        if files.is_empty() {
            return Ok(());
        }
        self.provider.prepare(repository, &files)
    }

    fn file(&mut self, repository: usize, file: &str) -> Result<Option<Arc<Outline>>, Stop> {
        self.provider.file(repository, file)
    }

    fn is_at_hand(&mut self, repository: usize, file: &str) -> Result<bool, Stop> {
        self.provider.is_at_hand(repository, file)
    }

    fn is_outdated(&mut self) -> bool {
        self.provider.is_outdated()
    }

    fn settle(&mut self) -> Result<bool, Stop> {
        self.provider.settle()
    }

    fn metadata(
        &mut self,
        terms: &mut Terms,
        repository: usize,
        file: &str,
    ) -> Result<Option<Rc<Metadata>>, Stop> {
        let place = (repository, file.to_owned());
        if let Some(known) = self.read.get(&place) {
            return Ok(known.clone());
        }
        let metadata = self.provider.metadata(terms, repository, file)?;
        self.read.insert(place, metadata.clone());
        Ok(metadata)
    }
}
