//! Entry point of the resolver. Solves a problem, and derives a verdict if the problem has no
//! solution.

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

/// The reason why an attempt produced no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The requirements can't be met.
    Unsolvable,
    /// The resolver can't tell what Composer would do; the text says why.
    Unclear(String),
    /// A cached metadata file turned out to be stale; the resolution must be repeated.
    Outdated,
    /// The caller cancelled the resolution.
    Interrupted,
}

/// The result of a resolution.
#[derive(Debug)]
pub enum Resolution {
    /// The problem has a solution. The terms hold the constraints that were parsed on the way.
    Solved(Answer, Box<Terms>),
    /// The problem has no solution. The verdict explains why, if the problem asked for one.
    Unsolvable(Option<Verdict>),
}

/// Solves a problem as Composer would. If the problem has no solution, the verdict says why, and
/// which change would help.
///
/// A resolution whose metadata turned out to be stale is repeated once with fresh metadata.
pub fn solve(
    problem: &Problem,
    provider: &mut dyn Provider,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Resolution, Stop> {
    let mut attempts = Attempts::new(problem, provider, is_cancelled);
    let mut result = attempts.attempt(problem);
    // An error may come from stale metadata too, so every result except a cancellation is settled.
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

    /// Solves a variant of the problem. Returns `None` if it has no solution, or none that is
    /// certain.
    pub fn solution(&mut self, variant: &Problem) -> Result<Option<Answer>, Stop> {
        if (self.is_cancelled)() {
            return Err(Stop::Interrupted);
        }
        match self.attempt(variant) {
            Ok(answer) => Ok(Some(answer)),
            Err(Stop::Interrupted) => Err(Stop::Interrupted),
            Err(Stop::Unsolvable | Stop::Unclear(_) | Stop::Outdated) => Ok(None),
        }
    }
}

/// Keeps the metadata that was read, so that further attempts don't read it again.
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

    /// Returns the metadata files of a package, in the order of repositories.
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
