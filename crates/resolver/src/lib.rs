//! Which versions `composer update` would lock.
//!
//! The steps are Composer's, and so is their order, because order decides between equals: packages that come into
//! question ([`Builder`](pool_builder)), those that can make a difference (`optimizer`), rules, decisions. Nothing here
//! reads files or talks to servers; metadata comes from a [`Provider`].
//!
//! Facts are those of Composer's `DependencyResolver` (2.5 to 2.11) and of composer/semver. Where it is not certain that
//! the answer is Composer's, there is none: [`Stop::Unclear`], and Composer finds it itself.

mod extraction;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
pub mod metadata;
mod optimizer;
pub mod outline;
pub mod package;
mod policy;
mod pool;
mod pool_builder;
pub mod request;
mod rules;
mod solver;
#[cfg(test)]
mod tests;
mod usort;
pub mod verdict;
pub mod versions;

use std::rc::Rc;

use regex::Regex;

use allegro_base::tables::{HashMap, HashSet};
use allegro_semver::constraint::{Constraint, ConstraintId, NameId, Op, Terms};
use extraction::Extraction;
use optimizer::Fixture;
use package::{Origin, PackageId, Packages};
use policy::Policy;
use pool::Numbered;
pub use pool_builder::Provider;
use pool_builder::{Builder, Pool};
use request::{PlatformFilter, Problem, is_platform};
use rules::{Generator, Relaxed};
use solver::Solver;
use verdict::conflict::{Conflict, Context};

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

/// Where a version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The repository.
    pub repository: usize,
    /// The metadata file, as the provider was asked for it.
    pub file: String,
    /// The version's place in it.
    pub entry: usize,
}

/// A package that is to be locked.
#[derive(Debug)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// As it is written, where that is known.
    pub pretty: Option<String>,
    /// The number under which a branch is known too, normalized.
    pub alias: Option<String>,
    /// Where a metadata file has it.
    pub place: Option<Place>,
    /// Only `require-dev` needs it; unknown where that takes a solver to tell, or wasn't asked.
    pub is_dev: Option<bool>,
}

/// What is to be locked.
#[derive(Debug)]
pub struct Answer {
    /// Without aliases, and without what was fixed.
    pub packages: Vec<Chosen>,
    /// Aliases that come with them: name and version.
    pub aliases: Vec<(String, String)>,
    /// For each repository the names that it was found to have.
    pub found: Vec<Vec<String>>,
    /// Names among the packages that nothing chosen requires: they stand for other names.
    pub unasked: Vec<String>,
    /// Names of the lock that a partial update reaches, in that order.
    pub unlocked: Vec<String>,
    /// What `-w` leaves as it is, in the words of Composer's warning.
    pub kept: Vec<String>,
    /// Versions that came into question, and how many of them could make a difference.
    pub versions: (usize, usize),
    /// Rules of the solver.
    pub rules: usize,
    /// What isn't needed any more.
    pub remains: Remains,
}

/// What an answer was made of. To let go of it takes as long as a tenth of the work: nobody has to wait for that.
#[derive(Debug, Default)]
pub struct Remains(#[expect(dead_code, reason = "held")] Option<Box<(Packages, Pool)>>);

/// Solves a problem as Composer would; where there is no solution, `conflict` says what stands against it.
fn attempt(
    problem: &Problem,
    terms: &mut Terms,
    provider: &mut dyn Provider,
    is_cancelled: &dyn Fn() -> bool,
    conflict: &mut Option<Conflict>,
) -> Result<Answer, Stop> {
    let mut packages = Packages::default();
    let mut pool = Builder::new(problem, terms, &mut packages, provider)?.build()?;
    if provider.is_outdated() {
        return Err(Stop::Outdated);
    }
    let preferred = problem
        .preferred
        .iter()
        .map(|(name, version)| (terms.name(name), terms.version(version)))
        .collect();
    let policy = Policy {
        prefer_stable: problem.prefer_stable,
        prefer_lowest: problem.prefer_lowest,
        dev_over_prerelease: problem.prefer_dev_over_prerelease,
        preferred,
    };
    let list = std::mem::take(&mut pool.packages);
    let fixture = Fixture {
        requires: &pool.requires,
        fixed: &pool.fixed,
        locked: &pool.locked,
    };
    let total = list.len();
    let list = if problem.optimize {
        optimizer::optimize(&packages, terms, list, &fixture, &policy)
    } else {
        list
    };
    let left = list.len();
    let relaxed = relax(terms, &packages, &list, &pool.requires, &problem.platform)?;
    let mut numbered = Numbered::new(&packages, terms, list);
    check_aliases(&numbered)?;
    let context = Context {
        problem,
        terms,
        packages: &packages,
        found: &pool.found,
        files: &pool.files,
        fixed: &pool.fixed,
    };
    let mut lacking = Vec::new();
    for (name, constraint) in &pool.requires {
        let Some(constraint) = relaxed.relax(*name, *constraint, true) else {
            continue;
        };
        if numbered.what_provides(*name, constraint).is_empty() {
            lacking.push((*name, constraint));
        }
    }
    if !lacking.is_empty() {
        *conflict = Some(context.lacking(&numbered, &lacking));
        return Err(Stop::Unsolvable);
    }
    let rules = Generator::rules_for(&mut numbered, &relaxed, &fixture, &pool.unacceptable);
    let count = rules.order.len();
    let fixed: HashSet<u32> = pool
        .fixed
        .iter()
        .filter_map(|id| numbered.number_of(*id))
        .collect();
    let mut solver = Solver::new(&numbered, &policy, rules, fixed.clone(), is_cancelled);
    let installed = solver.solve().inspect_err(|stop| {
        if *stop == Stop::Unsolvable {
            *conflict = Some(context.conflict(&numbered, &solver.blamed()));
        }
    })?;
    drop(solver);
    let needed = pool.requires_without_dev.as_deref().and_then(|requires| {
        Extraction::new(&mut numbered, &relaxed, &installed, &fixed).needed_by(requires)
    });
    let ids: Vec<PackageId> = installed
        .into_iter()
        .map(|number| numbered.id(number))
        .collect();
    drop(numbered);
    Ok(Answer {
        packages: chosen(terms, &packages, &pool, &ids, needed.as_ref())?,
        aliases: aliases(terms, &packages, &pool, &ids),
        unasked: unasked(terms, &packages, &pool, &ids),
        found: pool
            .found
            .iter()
            .map(|names| {
                names
                    .iter()
                    .map(|name| terms.name_text(*name).to_owned())
                    .collect()
            })
            .collect(),
        unlocked: pool
            .unlocked
            .iter()
            .map(|name| terms.name_text(*name).to_owned())
            .collect(),
        kept: std::mem::take(&mut pool.kept),
        versions: (total, left),
        rules: count,
        remains: Remains(Some(Box::new((packages, pool)))),
    })
}

/// Composer, for which what isn't in the pool has the number -1, takes an alias that has lost its package for one of the
/// pool's first.
fn check_aliases(pool: &Numbered<'_>) -> Result<(), Stop> {
    let is_lost = |alias: u32| {
        let base = pool.package(alias).alias_of;
        base.is_some_and(|base| pool.number_of(base).is_none())
    };
    if pool.numbers().any(is_lost) {
        let reason = "an alias of the lock has lost its package";
        return Err(Stop::Unclear(reason.to_owned()));
    }
    Ok(())
}

/// Aliases among what is installed, as names and versions.
fn aliases(
    terms: &Terms,
    packages: &Packages,
    pool: &Pool,
    ids: &[PackageId],
) -> Vec<(String, String)> {
    ids.iter()
        .map(|id| &packages[*id])
        .filter(|package| package.alias_of.is_some_and(|of| !pool.fixed.contains(&of)))
        .map(|package| {
            let version = terms.version_of(package.version).text();
            (terms.name_text(package.name).to_owned(), version.to_owned())
        })
        .collect()
}

/// Names of what is installed, as far as nobody requires them.
fn unasked(terms: &Terms, packages: &Packages, pool: &Pool, ids: &[PackageId]) -> Vec<String> {
    let links = ids.iter().flat_map(|id| &packages[*id].links.requires);
    let required = pool.requires.iter().map(|(name, _)| *name);
    let required: HashSet<NameId> = required.chain(links.map(|link| link.target)).collect();
    let held: HashSet<PackageId> = pool.fixed.iter().chain(&pool.locked).copied().collect();
    let installed = ids.iter().filter(|id| !held.contains(id));
    let names = installed.map(|id| packages[*id].name);
    names
        .filter(|name| !required.contains(name))
        .map(|name| terms.name_text(name).to_owned())
        .collect()
}

fn chosen(
    terms: &Terms,
    packages: &Packages,
    pool: &Pool,
    ids: &[PackageId],
    needed: Option<&HashSet<PackageId>>,
) -> Result<Vec<Chosen>, Stop> {
    let fixed: HashSet<PackageId> = pool.fixed.iter().copied().collect();
    let mut list = Vec::new();
    for id in ids {
        let package = &packages[*id];
        if package.alias_of.is_some() || fixed.contains(id) {
            continue;
        }
        let mut one = Chosen {
            name: terms.name_text(package.name).to_owned(),
            version: terms.version_of(package.version).text().to_owned(),
            pretty: None,
            alias: None,
            place: None,
            is_dev: needed.map(|needed| !needed.contains(id)),
        };
        if let Origin::Metadata(repository, file, entry) = package.origin {
            let (repository, entry) = (repository as usize, entry as usize);
            let metadata = pool.files[repository][file as usize].as_ref();
            let metadata =
                metadata.ok_or_else(|| Stop::Unclear("a metadata file is gone".to_owned()))?;
            let alias = metadata.entries[entry].alias;
            one.pretty = Some(metadata.pretty(entry).to_owned());
            one.alias = alias.map(|alias| terms.version_of(alias).text().to_owned());
            one.place = Some(Place {
                repository,
                file: metadata.file.clone().into(),
                entry,
            });
        }
        list.push(one);
    }
    Ok(list)
}

/// Works out which requirements on the platform don't count, or count for less.
fn relax(
    terms: &mut Terms,
    packages: &Packages,
    list: &[PackageId],
    requires: &[(NameId, ConstraintId)],
    filter: &PlatformFilter,
) -> Result<Relaxed, Stop> {
    let mut relaxed = Relaxed::default();
    if !filter.all && filter.names.is_none() && filter.upper_bounds.is_none() {
        return Ok(relaxed);
    }
    let compile = |pattern: &Option<String>| -> Result<Option<Regex>, Stop> {
        let unclear = |_| Stop::Unclear("the platform filter is not understood".to_owned());
        pattern
            .as_deref()
            .map(Regex::new)
            .transpose()
            .map_err(unclear)
    };
    let (names, bounds) = (compile(&filter.names)?, compile(&filter.upper_bounds)?);
    let fits = |pattern: &Option<Regex>, name: &str| {
        pattern
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(name))
    };
    let mut links: HashSet<(NameId, ConstraintId)> = requires.iter().copied().collect();
    // Neighbouring versions mostly have the same links.
    let mut seen = HashSet::default();
    for id in list {
        let own = &packages[*id].links;
        if !seen.insert(Rc::as_ptr(own)) {
            continue;
        }
        links.extend(
            own.requires
                .iter()
                .chain(&own.conflicts)
                .map(|link| (link.target, link.constraint)),
        );
    }
    let mut known: HashMap<NameId, (bool, bool)> = HashMap::default();
    for (name, constraint) in links {
        let (ignored, bounded) = *known.entry(name).or_insert_with(|| {
            let text = terms.name_text(name);
            let platform = is_platform(text);
            (
                platform && (filter.all || fits(&names, text)),
                platform && fits(&bounds, text),
            )
        });
        if ignored {
            relaxed.ignored.insert(name);
        } else if bounded && let Some(end) = terms.upper_end(constraint) {
            let above = terms.constraint(Constraint::Single(Op::Ge, end));
            let widened = terms.multi(false, &[constraint, above]);
            relaxed.widened.insert((name, constraint), widened);
        }
    }
    Ok(relaxed)
}
