//! The front door of the resolver: solves a problem, and asks for a verdict where it has no solution.

use std::rc::Rc;
use std::sync::Arc;

use allegro_base::tables::HashMap;
use allegro_semver::constraint::Terms;

use super::attempt::attempt;
use super::metadata::Metadata;
use super::outline::Outline;
use super::request::Problem;
use super::verdict::conflict::Conflict;
use super::verdict::{self, Verdict};
use super::{Answer, Provider};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The requirements can't be met.
    Unsolvable,
    /// It is not certain what Composer would do; a sentence why.
    Unclear(String),
    /// Something was believed that isn't true any more; it has to be solved once more.
    Outdated,
    /// Somebody wants it to stop.
    Interrupted,
}

/// What became of a problem.
#[derive(Debug)]
pub enum Resolution {
    /// It has a solution; with what was read of constraints on the way.
    Solved(Answer, Box<Terms>),
    /// It has none; why, if that was asked for.
    Unsolvable(Option<Verdict>),
}

/// Solves a problem as Composer would; where it can't be solved, finds out why and what would help.
pub fn solve(
    problem: &Problem,
    provider: &mut dyn Provider,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Resolution, Stop> {
    let mut attempts = Attempts::new(problem, provider, is_cancelled);
    let mut result = attempts.attempt(problem);
    // Whatever came of it: it may have come of what isn't true any more.
    if result.as_ref().err() != Some(&Stop::Interrupted) && !attempts.kept.settle()? {
        attempts = Attempts::new(problem, attempts.kept.provider, is_cancelled);
        result = attempts.attempt(problem);
    }
    match result {
        Ok(answer) => return Ok(Resolution::Solved(answer, Box::new(attempts.terms))),
        Err(Stop::Unsolvable) => {}
        Err(stop) => return Err(stop),
    }
    let conflict = attempts.conflict.take();
    let Some(conflict) = conflict.filter(|_| !problem.written.is_empty()) else {
        return Ok(Resolution::Unsolvable(None));
    };
    let verdict = verdict::judge(problem, &conflict, &mut attempts)?;
    Ok(Resolution::Unsolvable(Some(verdict)))
}

/// Attempts to solve a problem and its variants. All of them use the constraints and the metadata
/// that an earlier attempt has read.
pub(super) struct Attempts<'a> {
    pub terms: Terms,
    pub kept: Kept<'a>,
    /// The conflict that the last attempt without a solution has met.
    pub conflict: Option<Conflict>,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl<'a> Attempts<'a> {
    fn new(
        problem: &Problem,
        provider: &'a mut dyn Provider,
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> Self {
        Self {
            terms: Terms::new(problem.dialect),
            kept: Kept::new(provider),
            conflict: None,
            is_cancelled,
        }
    }

    /// Solves one problem.
    pub fn attempt(&mut self, problem: &Problem) -> Result<Answer, Stop> {
        self.conflict = None;
        attempt(
            problem,
            &mut self.terms,
            &mut self.kept,
            self.is_cancelled,
            &mut self.conflict,
        )
    }

    /// Returns whether somebody wants the work to stop.
    pub fn is_cancelled(&self) -> bool {
        (self.is_cancelled)()
    }
}

/// Keeps what was read of repositories, for the next try.
pub(super) struct Kept<'a> {
    pub(super) provider: &'a mut dyn Provider,
    read: HashMap<(usize, String), Option<Rc<Metadata>>>,
}

impl<'a> Kept<'a> {
    pub(super) fn new(provider: &'a mut dyn Provider) -> Self {
        Self {
            provider,
            read: HashMap::default(),
        }
    }

    /// What the files of a package say, in the order of repositories.
    pub(super) fn of(&self, name: &str) -> Vec<Rc<Metadata>> {
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

    fn names(&mut self) -> Vec<String> {
        self.provider.names()
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
