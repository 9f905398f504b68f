//! Searches a change that helps: first in one requirement, then in pairs of requirements. Removing
//! a requirement comes last.

use indexmap::IndexSet;

use super::super::request::{Problem, Reach};
use super::super::solve::Attempts;
use super::super::{Answer, Stop};
use super::Change;
use super::changes::{self, Edit, LOWER, To, Unit, changes_of};
use super::conflict::Conflict;
use allegro_composer::package::is_platform;
use allegro_semver::version::Stability;

/// The number of changes that are tried. Real conflicts are between two to eight requirements, and
/// the first tries decide.
pub(super) const MOST_TRIES: usize = 40;

/// The number of versions, summed over all tries, after which the search ends. A try takes as long
/// as there are versions to look at.
///
/// The largest known project (1,700 packages, 22,000 versions) needs this number for ten tries.
/// They take about as long as Composer needs for its refusal. A project of 200 packages gets to
/// [`MOST_TRIES`].
const MOST_VERSIONS: usize = 220_000;

/// The number of pairs of requirements that are tried, so that tries are left for the steps after
/// them.
const MOST_PAIRS: usize = 6;

/// The number of requirements that are changed together. A project that must change more of them
/// needs more than a hint.
const MOST_CHANGES: usize = 5;

/// Tries changes of one problem.
pub(crate) struct Search<'p, 'a> {
    pub problem: &'p Problem,
    pub attempts: &'p mut Attempts<'a>,
    pub tried: usize,
    /// Number of versions that came into question, summed over the tries.
    versions: usize,
    /// Requirements of the project that took part in the conflicts of the tries.
    met: IndexSet<String>,
}

impl<'p, 'a> Search<'p, 'a> {
    pub fn new(problem: &'p Problem, attempts: &'p mut Attempts<'a>) -> Self {
        Self {
            problem,
            attempts,
            tried: 0,
            versions: 0,
            met: IndexSet::new(),
        }
    }

    /// Solves a changed problem. Returns `None` if it has no solution, if no solution is certain,
    /// or if the limits of the search are reached.
    fn solution(&mut self, problem: &Problem) -> Result<Option<Answer>, Stop> {
        if self.tried == MOST_TRIES || self.versions > MOST_VERSIONS {
            return Ok(None);
        }
        self.tried += 1;
        let answer = self.attempts.solution(problem)?;
        if let Some(answer) = &answer {
            self.versions += answer.versions.0;
        } else {
            let conflict = self.attempts.conflict.take().unwrap_or_default();
            self.versions += conflict.versions;
            self.met.extend(conflict.requires);
        }
        Ok(answer)
    }

    fn with(&mut self, edits: &[Edit]) -> Result<Option<Answer>, Stop> {
        match changes::changed(&mut self.attempts.terms, self.problem, edits) {
            Some(problem) => self.solution(&problem),
            None => Ok(None),
        }
    }

    /// Returns the smallest change that helps; empty if the search found none.
    pub fn change(&mut self, conflict: &Conflict) -> Result<Vec<Change>, Stop> {
        if let Some(change) = self.other_run()? {
            return Ok(vec![change]);
        }
        let units = Self::units(conflict);
        let mut found = self.single(&units)?;
        if found.is_none() {
            found = self.added(conflict)?;
        }
        if found.is_some() {
            return Ok(changes_of(found));
        }
        let mut removable = None;
        for unit in &units {
            if self.with(&unit.gone())?.is_some() {
                removable = Some(unit.gone());
                break;
            }
        }
        let pairs = self.pairs(&units, conflict);
        found = self.double(&pairs)?.or(removable);
        if found.is_none() {
            for unit in &pairs {
                if self.with(&unit.gone())?.is_some() {
                    found = Some(unit.gone());
                    break;
                }
            }
        }
        if found.is_none() {
            found = self.one_by_one(conflict)?;
        }
        Ok(changes_of(found))
    }

    fn pairs(&self, units: &[Unit], conflict: &Conflict) -> Vec<Unit> {
        let mut others: IndexSet<&String> = conflict.requires.iter().collect();
        others.extend(&self.met);
        let mut pairs = Vec::new();
        for (at, unit) in units.iter().enumerate() {
            let later = |other: &str| !units[..=at].iter().any(|before| before.has(other));
            for other in others.iter().filter(|other| later(other)) {
                pairs.push(unit.with(other));
            }
        }
        pairs.truncate(MOST_PAIRS);
        pairs
    }

    /// Solves several independent conflicts: changes one requirement until the next conflict shows,
    /// then a requirement of that one.
    fn one_by_one(&mut self, conflict: &Conflict) -> Result<Option<Vec<Edit>>, Stop> {
        let mut unit = Unit::default();
        let mut next = conflict.requires.clone();
        'problems: while unit.names.len() + unit.missing.len() < MOST_CHANGES {
            for name in std::mem::take(&mut next) {
                if unit.has(&name) {
                    continue;
                }
                for with in [unit.with(&name), unit.without(&name)] {
                    let edits = with.edits(|_| Some(To::Any(None))).unwrap_or_default();
                    self.met.clear();
                    if let Some(answer) = self.with(&edits)? {
                        return self.exactly(&with, &answer);
                    }
                    if !self.met.is_empty() && !self.met.contains(&name) {
                        unit = with;
                        next = self.met.iter().cloned().collect();
                        continue 'problems;
                    }
                }
            }
            break;
        }
        Ok(None)
    }

    /// Tries the command with other options, while composer.json stays as it is.
    fn other_run(&mut self) -> Result<Option<Change>, Stop> {
        let problem = self.problem;
        let mut runs = Vec::new();
        if !problem.temporary.is_empty() {
            let mut other = problem.clone();
            other.temporary.clear();
            runs.push((Change::WithoutTemporary, other));
        }
        if !problem.allow.is_empty() {
            let mut other = problem.clone();
            if problem.reach < Reach::AllDependencies {
                other.reach = Reach::AllDependencies;
                runs.push((Change::AllDependencies, other.clone()));
            }
            other.allow.clear();
            other.reach = Reach::Listed;
            runs.push((Change::Everything, other));
        }
        for (change, other) in runs {
            if self.solution(&other)?.is_some() {
                return Ok(Some(change));
            }
        }
        Ok(None)
    }

    fn units(conflict: &Conflict) -> Vec<Unit> {
        let one = |name: &String| Unit::default().with(name);
        if conflict.lacking.is_empty() {
            return conflict.requires.iter().map(one).collect();
        }
        let mut unit = Unit::default();
        for (name, unmet) in &conflict.lacking {
            let place = if unmet.found || unmet.offer.is_some() || is_platform(name) {
                &mut unit.names
            } else {
                &mut unit.missing
            };
            place.push(name.clone());
        }
        vec![unit]
    }

    /// Changes one requirement, or all that nothing meets. The search tries another constraint
    /// first, then a lower stability, then both.
    fn single(&mut self, units: &[Unit]) -> Result<Option<Vec<Edit>>, Stop> {
        let units: Vec<&Unit> = units.iter().filter(|unit| !unit.names.is_empty()).collect();
        let mut works = Vec::new();
        for unit in &units {
            let edits = unit.edits(|_| Some(To::Any(None))).unwrap_or_default();
            if let Some(answer) = self.with(&edits)? {
                let is_lower = !unit.names.iter().all(|name| self.is_raised(name, &answer));
                works.push((is_lower, *unit, answer));
            }
        }
        // Newer versions are preferred to older ones.
        works.sort_by_key(|(is_lower, _, _)| *is_lower);
        for (_, unit, answer) in works {
            if let Some(edits) = self.exactly(unit, &answer)? {
                return Ok(Some(edits));
            }
        }
        for unit in &units {
            if let Some(edits) = self.less_stable(unit, false)? {
                return Ok(Some(edits));
            }
        }
        for unit in &units {
            if let Some(edits) = self.less_stable(unit, true)? {
                return Ok(Some(edits));
            }
        }
        Ok(None)
    }

    /// Changes two requirements.
    fn double(&mut self, pairs: &[Unit]) -> Result<Option<Vec<Edit>>, Stop> {
        for unit in pairs {
            let edits = unit.edits(|_| Some(To::Any(None))).unwrap_or_default();
            if let Some(answer) = self.with(&edits)?
                && let Some(edits) = self.exactly(unit, &answer)?
            {
                return Ok(Some(edits));
            }
        }
        for unit in pairs {
            if let Some(edits) = self.less_stable(unit, true)? {
                return Ok(Some(edits));
            }
        }
        Ok(None)
    }

    /// Requires a package that dependencies need in a stability that the project does not accept.
    /// The added requirement only states that stability.
    fn added(&mut self, conflict: &Conflict) -> Result<Option<Vec<Edit>>, Stop> {
        let wanted: Vec<String> = conflict
            .statements
            .iter()
            .filter(|statement| statement.unmet.as_ref().is_some_and(|unmet| unmet.found))
            .map(|statement| statement.target.clone())
            .filter(|name| !is_platform(name) && self.problem.written(name).is_none())
            .collect();
        for name in wanted {
            let edits = |level: Stability| {
                let text = format!("*@{}", level.text());
                vec![Edit::new(&name, To::Text(text, Some(level as u8)))]
            };
            if self.with(&edits(LOWER[LOWER.len() - 1]))?.is_none() {
                continue;
            }
            for lower in LOWER {
                let edits = edits(lower);
                if self.with(&edits)?.is_some() {
                    return Ok(Some(edits));
                }
            }
        }
        Ok(None)
    }

    /// Tries lower stabilities, the most stable first. With `others`, other versions count too.
    fn less_stable(&mut self, unit: &Unit, others: bool) -> Result<Option<Vec<Edit>>, Stop> {
        if unit.names.iter().any(|name| is_platform(name)) {
            return Ok(None);
        }
        let edits = |search: &Self, level: Stability| {
            unit.edits(|name| {
                if others {
                    return Some(To::Any(Some(level as u8)));
                }
                let text = changes::with_stability(search.problem.written(name)?, level.text())?;
                Some(To::Text(text, Some(level as u8)))
            })
        };
        // The lowest stability comes first, because no stability above it helps if it doesn't.
        let Some(lowest) = edits(self, LOWER[LOWER.len() - 1]) else {
            return Ok(None);
        };
        if self.with(&lowest)?.is_none() {
            return Ok(None);
        }
        for lower in LOWER {
            let Some(edits) = edits(self, lower) else {
                continue;
            };
            let Some(answer) = self.with(&edits)? else {
                continue;
            };
            if !others {
                return Ok(Some(edits));
            }
            if let Some(edits) = self.exactly(unit, &answer)? {
                return Ok(Some(edits));
            }
        }
        Ok(None)
    }

    /// Returns the requirements that `composer require` would write for the versions of an answer,
    /// if a solution exists with them.
    fn exactly(&mut self, unit: &Unit, answer: &Answer) -> Result<Option<Vec<Edit>>, Stop> {
        let edits = unit.edits(|name| Some(self.recommended(name, answer)));
        let edits = edits.unwrap_or_default();
        Ok(self.with(&edits)?.map(|_| edits))
    }

    fn recommended(&self, name: &str, answer: &Answer) -> To {
        let (text, flag) = if let Some(chosen) = answer.packages.iter().find(|one| one.name == name)
        {
            changes::recommended(chosen)
        } else {
            let fixed = |name: &str| {
                let mut fixed = self.problem.fixed.iter();
                let own = fixed.find(|package| package.name == name);
                own.map(|package| package.version.as_str())
            };
            let text = fixed(name).map_or("*".to_owned(), |version| {
                changes::recommended_platform(name, version, fixed("php"))
            });
            (text, None)
        };
        To::Text(text, flag)
    }

    /// Returns whether the answer has a version of a package above the constraint of the project.
    fn is_raised(&mut self, name: &str, answer: &Answer) -> bool {
        let mut requires = self.problem.requires.iter();
        let own = requires.find(|(own, _)| own == name);
        let Some(constraint) = own.and_then(|(_, given)| given.id(&mut self.attempts.terms)) else {
            return false;
        };
        let chosen = answer.packages.iter().find(|one| one.name == name);
        let (Some(chosen), Some(end)) = (chosen, self.attempts.terms.upper_end(constraint)) else {
            return false;
        };
        let version = self.attempts.terms.version(&chosen.version);
        let version = self.attempts.terms.version_of(version);
        !version.is_branch() && version.compare(self.attempts.terms.version_of(end)).is_ge()
    }
}
