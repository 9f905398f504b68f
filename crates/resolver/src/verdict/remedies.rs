//! Finds remedies outside of constraints: another name for a requirement, and the platform of the
//! machine in place of the configured one.

use super::super::request::{Content, OverriddenPlatform, Problem};
use super::super::solve::Attempts;
use super::super::{Provider as _, Stop};
use super::Change;
use super::nearest::nearest;
use super::search::Search;

/// Name of a package, and a constraint or version of it.
type Named = (String, String);

/// Returns the known names with a spelling close to a missing one, and the first of them that works
/// in its place. If none works with the constraint as it is, the nearest name is tried with other
/// constraints.
pub(super) fn other_name(
    missing: &str,
    problem: &Problem,
    attempts: &mut Attempts<'_>,
) -> Result<(Vec<String>, Option<Named>), Stop> {
    let mut known = known(problem);
    known.extend(attempts.kept.names());
    // A name that the project requires already is no typing error.
    known.retain(|name| problem.written(name).is_none());
    let names = nearest(missing, &known);
    let mut with_other_constraint = None;
    for (place, name) in names.iter().enumerate() {
        let renamed = renamed(missing, name, problem);
        if attempts.solution(&renamed)?.is_some() {
            let constraint = problem.written(missing).unwrap_or("*").to_owned();
            let works = (name.clone(), constraint);
            return Ok((names, Some(works)));
        }
        let conflict = attempts.conflict.take();
        let Some(conflict) = conflict.filter(|_| place == 0) else {
            continue;
        };
        let change = Search::new(&renamed, attempts).change(&conflict)?;
        if let [
            Change::Require {
                name: own,
                constraint,
            },
        ] = change.as_slice()
            && own == name
        {
            with_other_constraint = Some((name.clone(), constraint.clone()));
        }
    }
    Ok((names, with_other_constraint))
}

/// Returns the names that the problem itself has.
fn known(problem: &Problem) -> Vec<String> {
    let mut known: Vec<String> = problem.locked.iter().map(|one| one.name.clone()).collect();
    for repository in &problem.repositories {
        match &repository.content {
            Content::Fixed => {}
            Content::List { packages } => known.extend(packages.iter().map(|one| one.name.clone())),
            Content::Metadata { available, .. } => {
                known.extend(available.iter().flatten().cloned());
            }
        }
    }
    known
}

/// Returns the problem with another name for a requirement of the project.
fn renamed(from: &str, to: &str, problem: &Problem) -> Problem {
    let mut problem = problem.clone();
    let requires = problem.requires.iter_mut().map(|(name, _)| name);
    let written = problem.written.iter_mut().map(|(name, _)| name);
    let flags = problem.stability_flags.iter_mut().map(|(name, _)| name);
    let aliases = problem.root_aliases.iter_mut().map(|(name, _, _)| name);
    let temporary = problem.temporary.iter_mut().map(|(name, _)| name);
    let names = requires.chain(written).chain(flags).chain(aliases);
    for name in names.chain(temporary).filter(|name| *name == from) {
        to.clone_into(name);
    }
    problem
}

/// Returns a platform package with the version that the machine has, if that version works.
pub(super) fn real_platform(
    overridden: &OverriddenPlatform,
    problem: &Problem,
    attempts: &mut Attempts<'_>,
) -> Result<Option<Named>, Stop> {
    let name = &overridden.name;
    let Some((version, pretty)) = &overridden.real else {
        return Ok(None);
    };
    let mut problem = problem.clone();
    for package in problem.fixed.iter_mut().filter(|one| one.name == *name) {
        package.version.clone_from(version);
    }
    let solution = attempts.solution(&problem)?;
    Ok(solution.map(|_| (name.clone(), pretty.clone())))
}
