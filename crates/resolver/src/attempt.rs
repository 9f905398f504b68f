//! One attempt to solve a problem: build the pool, optimize it, generate rules, decide.

use std::rc::Rc;

use allegro_base::tables::{HashMap, HashSet};
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{Constraint, ConstraintId, NameId, Op, Terms};
use regex::Regex;

use super::Stop;
use super::answer::{Answer, Remains, aliases, chosen, unasked};
use super::extraction::Extraction;
use super::optimizer::{self, Fixture};
use super::package::{PackageId, Packages};
use super::policy::Policy;
use super::pool::Pool;
use super::pool_builder::Builder;
use super::provider::Provider;
use super::request::{PlatformFilter, Problem};
use super::rules::{Generator, Relaxed};
use super::solver::Solver;
use super::verdict::conflict::{Conflict, Context};

/// Solves a problem as Composer would. If there is no solution, `conflict` receives the
/// requirements or rules that can't be met.
pub fn attempt(
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
    let mut numbered = Pool::new(&packages, terms, list);
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
    let count = solver.rule_count();
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

/// Refuses a pool in which an alias has lost the package that it aliases.
///
/// Composer gives packages outside the pool the number -1, and takes such an alias for one of the
/// first in the pool. That behaviour isn't mirrored.
fn check_aliases(pool: &Pool<'_>) -> Result<(), Stop> {
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

/// Determines which platform requirements are ignored, and which lose their upper bound.
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
    // Adjacent versions mostly share their links, so each set of links is read once.
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
