//! Removes versions that can't make a difference from the pool: Composer's `PoolOptimizer`.

use std::rc::Rc;

use super::package::{Link, Package, PackageId, Packages};
use super::policy::Policy;
use super::pool::{Number, Pool};
use allegro_base::tables::{HashMap, HashSet, IndexMap};
use allegro_semver::constraint::{Constraint, ConstraintId, NameId, Terms};

/// The parts of the request that the optimizer and the rule generator need.
pub(super) struct Fixture<'a> {
    pub requires: &'a [(NameId, ConstraintId)],
    pub fixed: &'a [PackageId],
    pub locked: &'a [PackageId],
}

/// One flag for each package number; place 0 is unused.
type Marks = Vec<bool>;

/// Constraints by name, each once, in the order in which they were met.
type Constraints = HashMap<NameId, IndexMap<ConstraintId, ()>>;

/// Returns the parts of a disjunction, or the compacted constraint itself
/// (`PoolOptimizer::expandDisjunctiveMultiConstraints`, Composer 2.5.5).
fn expanded(
    terms: &mut Terms,
    cache: &mut HashMap<ConstraintId, Rc<[ConstraintId]>>,
    id: ConstraintId,
) -> Rc<[ConstraintId]> {
    if let Some(known) = cache.get(&id) {
        return Rc::clone(known);
    }
    let compact = terms.compact(id);
    let parts = match terms.constraint_of(compact) {
        Constraint::Multi {
            conjunctive: false,
            parts,
        } => Rc::clone(parts),
        _ => [compact].into(),
    };
    cache.insert(id, Rc::clone(&parts));
    parts
}

/// Collects constraints by name, split into the parts of disjunctions
/// (`requireConstraintsPerPackage`, `conflictConstraintsPerPackage`).
#[derive(Default)]
struct Wanted {
    by_name: Constraints,
    /// The links that were collected already. Most links occur in many packages.
    seen: HashSet<(NameId, ConstraintId)>,
}

impl Wanted {
    fn add(
        &mut self,
        terms: &mut Terms,
        cache: &mut HashMap<ConstraintId, Rc<[ConstraintId]>>,
        links: impl Iterator<Item = (NameId, ConstraintId)>,
    ) {
        for (name, constraint) in links {
            if self.seen.insert((name, constraint)) {
                let parts = expanded(terms, cache, constraint);
                let known = self.by_name.entry(name).or_default();
                known.extend(parts.iter().map(|part| (*part, ())));
            }
        }
    }
}

/// Returns the packages that stay, in their order (`PoolOptimizer::optimize`, Composer 2.5.5).
pub(super) fn optimize(
    packages: &Packages,
    terms: &mut Terms,
    list: Vec<PackageId>,
    fixture: &Fixture<'_>,
    policy: &Policy,
) -> Vec<PackageId> {
    let mut cache = HashMap::default();
    let (mut required, mut conflicts): (Wanted, Wanted) = Default::default();
    required.add(terms, &mut cache, fixture.requires.iter().copied());
    // Adjacent versions mostly share their links, so each set of links is read once.
    let mut seen = HashSet::default();
    for id in &list {
        let links = &packages[*id].links;
        if seen.insert(Rc::as_ptr(links)) {
            let pair = |link: &Link| (link.target, link.constraint);
            required.add(terms, &mut cache, links.requires.iter().map(pair));
            conflicts.add(terms, &mut cache, links.conflicts.iter().map(pair));
        }
    }
    let (required, conflicts) = (required.by_name, conflicts.by_name);
    let pool = Pool::new(packages, terms, list);
    let aliases = aliases_of(&pool);
    let irremovable = irremovable(&pool, fixture, &aliases);
    let mut kept = irremovable.clone();
    let mut preferred = HashSet::default();
    for group in groups(&pool, &irremovable, &required, &conflicts) {
        group.preferred(&pool, policy, &required, &mut preferred);
    }
    for number in preferred {
        keep(&pool, &aliases, &mut kept, number);
    }
    // Locked packages exclude versions that don't meet their requirements.
    for number in impossible(&pool, fixture, &irremovable, &aliases, &required) {
        kept[number as usize] = false;
    }
    pool.numbers()
        .filter(|number| kept[*number as usize])
        .map(|number| pool.id(number))
        .collect()
}

/// Returns the aliases of each package.
fn aliases_of(pool: &Pool<'_>) -> HashMap<PackageId, Vec<Number>> {
    let mut aliases: HashMap<PackageId, Vec<Number>> = HashMap::default();
    for number in pool.numbers() {
        if let Some(of) = pool.package(number).alias_of {
            aliases.entry(of).or_default().push(number);
        }
    }
    aliases
}

/// Keeps a package together with its aliases (`PoolOptimizer::keepPackage`, Composer 2.5.5).
fn keep(
    pool: &Pool<'_>,
    aliases: &HashMap<PackageId, Vec<Number>>,
    kept: &mut Marks,
    number: Number,
) {
    kept[number as usize] = true;
    let base = pool.package(number).alias_of.unwrap_or(pool.id(number));
    let aliases = aliases.get(&base).into_iter().flatten().copied();
    for other in aliases.chain(pool.number_of(base)) {
        kept[other as usize] = true;
    }
}

/// Marks all packages that share name and version with a fixed or locked one, and their aliases
/// (`PoolOptimizer::prepare`, Composer 2.5.5).
fn irremovable(
    pool: &Pool<'_>,
    fixture: &Fixture<'_>,
    aliases: &HashMap<PackageId, Vec<Number>>,
) -> Marks {
    let mut versions: HashMap<NameId, Vec<allegro_semver::constraint::VersionId>> =
        HashMap::default();
    for id in fixture.fixed.iter().chain(fixture.locked) {
        let package = &pool.packages[*id];
        versions
            .entry(package.name)
            .or_default()
            .push(package.version);
    }
    let same = |a, b| {
        a == b || {
            let (left, right) = (pool.terms.version_of(a), pool.terms.version_of(b));
            !left.is_branch() && !right.is_branch() && left.compare(right).is_eq()
        }
    };
    let mut found = vec![false; pool.len() + 1];
    for number in pool.numbers() {
        let package = pool.package(number);
        let Some(versions) = versions.get(&package.name) else {
            continue;
        };
        if versions
            .iter()
            .any(|version| same(*version, package.version))
        {
            keep(pool, aliases, &mut found, number);
        }
    }
    found
}

/// Numbers lists of constraints, so that equal lists have equal numbers.
#[derive(Default)]
struct Lists(HashMap<Box<[ConstraintId]>, u32>);

impl Lists {
    /// Returns the number of a list.
    fn id(&mut self, list: &[ConstraintId]) -> u32 {
        if let Some(id) = self.0.get(list) {
            return *id;
        }
        let id = u32::try_from(self.0.len()).expect("fewer than 2^32 lists");
        self.0.insert(list.into(), id);
        id
    }
}

/// A group of packages that are interchangeable for all other packages.
enum Group {
    /// The packages match the same requirement and conflicts, and have the same links.
    Equal(Vec<Number>),
    /// The packages match the same conflicts, and have the same links. Those that match a
    /// requirement are interchangeable.
    ///
    /// They replace nothing, so only their own name counts.
    Alike {
        name: NameId,
        /// Whether the packages match conflicts. If so, packages that fail to match a requirement
        /// are interchangeable too.
        in_conflict: bool,
        numbers: Vec<Number>,
    },
}

impl Group {
    /// Adds the packages that the policy would select.
    fn preferred(
        &self,
        pool: &Pool<'_>,
        policy: &Policy,
        required: &Constraints,
        into: &mut HashSet<Number>,
    ) {
        let mut select = |equal: &[Number]| match equal {
            [one] => drop(into.insert(*one)),
            several => into.extend(policy.select(pool, several, None)),
        };
        match self {
            Self::Equal(numbers) => select(numbers),
            Self::Alike {
                name,
                in_conflict,
                numbers,
            } => {
                let wanted = required.get(name).into_iter().flat_map(IndexMap::keys);
                let fits = |number: Number, constraint: ConstraintId| {
                    pool.terms.fits(constraint, pool.package(number).version)
                };
                if let [one] = numbers[..] {
                    if *in_conflict || wanted.copied().any(|constraint| fits(one, constraint)) {
                        select(numbers);
                    }
                    return;
                }
                // Most requirements are met by the same versions, so each selection is made once.
                let mut seen: HashSet<Vec<Number>> = HashSet::default();
                for constraint in wanted.clone() {
                    let meet = numbers.iter().copied();
                    let meet: Vec<Number> = meet.filter(|one| fits(*one, *constraint)).collect();
                    if !meet.is_empty() && !seen.contains(&meet) {
                        select(&meet);
                        seen.insert(meet);
                    }
                }
                let fails = |one: Number| wanted.clone().any(|constraint| !fits(one, *constraint));
                let fail = numbers
                    .iter()
                    .copied()
                    .filter(|one| *in_conflict && fails(*one));
                let fail: Vec<Number> = fail.collect();
                if !fail.is_empty() {
                    select(&fail);
                }
            }
        }
    }
}

/// Groups packages by name, matching constraints and links
/// (`PoolOptimizer::optimizeByIdenticalDependencies`, Composer 2.5.5).
fn groups(
    pool: &Pool<'_>,
    irremovable: &Marks,
    required: &Constraints,
    conflicts: &Constraints,
) -> Vec<Group> {
    let mut lists = Lists::default();
    let (mut parts, mut met): (Vec<ConstraintId>, Vec<ConstraintId>) = Default::default();
    let mut wants: HashMap<Vec<u32>, u32> = HashMap::default();
    let mut want_of: HashMap<*const super::package::Links, u32> = HashMap::default();
    let mut equal: HashMap<(NameId, u32, u32, u32), Vec<Number>> = HashMap::default();
    let mut alike: HashMap<(NameId, u32, u32), (bool, Vec<Number>)> = HashMap::default();
    for number in pool.numbers() {
        if irremovable[number as usize] {
            continue;
        }
        let package = pool.package(number);
        let want = *want_of
            .entry(Rc::as_ptr(&package.links))
            .or_insert_with(|| {
                let next = u32::try_from(wants.len()).expect("fewer than 2^32 packages");
                *wants.entry(dependency_key(package)).or_insert(next)
            });
        let replaced: Vec<ConstraintId> = package
            .links
            .replaces
            .iter()
            .map(|link| link.constraint)
            .filter(|constraint| pool.terms.fits(*constraint, package.version))
            .collect();
        for name in package.names(false) {
            let Some(wanted) = required.get(&name) else {
                continue;
            };
            met.clear();
            met.extend(
                conflicts
                    .get(&name)
                    .into_iter()
                    .flat_map(IndexMap::keys)
                    .copied()
                    .filter(|constraint| pool.terms.fits(*constraint, package.version)),
            );
            let met_id = lists.id(&met);
            if package.links.replaces.is_empty() {
                let group = alike.entry((name, met_id, want));
                let (_, numbers) = group.or_insert_with(|| (!met.is_empty(), Vec::new()));
                numbers.push(number);
                continue;
            }
            let mut shared = false;
            for constraint in wanted.keys() {
                parts.clear();
                if pool.terms.fits(*constraint, package.version) {
                    parts.push(*constraint);
                } else if shared || (replaced.is_empty() && met.is_empty()) {
                    continue;
                } else {
                    shared = true;
                }
                parts.extend(&replaced);
                equal
                    .entry((name, lists.id(&parts), met_id, want))
                    .or_default()
                    .push(number);
            }
        }
    }
    let alike = alike
        .into_iter()
        .map(|((name, ..), (in_conflict, numbers))| Group::Alike {
            name,
            in_conflict,
            numbers,
        });
    alike.chain(equal.into_values().map(Group::Equal)).collect()
}

/// Returns a key that equal links share (`PoolOptimizer::calculateDependencyHash`, Composer
/// 2.5.5). Each target counts once, with its last constraint.
fn dependency_key(package: &Package) -> Vec<u32> {
    let links = &package.links;
    let lists = [
        &links.requires,
        &links.conflicts,
        &links.replaces,
        &links.provides,
    ];
    let mut key = Vec::with_capacity(4 + 2 * lists.iter().map(|list| list.len()).sum::<usize>());
    let mut pairs: Vec<(NameId, ConstraintId)> = Vec::new();
    for list in lists {
        pairs.clear();
        // The list is reversed, so that the last constraint of a target precedes the others.
        pairs.extend(list.iter().rev().map(|link| (link.target, link.constraint)));
        pairs.sort_by_key(|(target, _)| *target);
        pairs.dedup_by_key(|(target, _)| *target);
        key.extend(
            pairs
                .iter()
                .flat_map(|(target, constraint)| [target.0, constraint.0]),
        );
        key.push(u32::MAX);
    }
    key
}

/// Returns the packages that locked packages exclude
/// (`PoolOptimizer::optimizeImpossiblePackagesAway`, Composer 2.5.5).
fn impossible(
    pool: &Pool<'_>,
    fixture: &Fixture<'_>,
    irremovable: &Marks,
    aliases: &HashMap<PackageId, Vec<Number>>,
    required: &Constraints,
) -> HashSet<Number> {
    let mut removed = HashSet::default();
    if fixture.locked.is_empty() {
        return removed;
    }
    let mut candidates: HashMap<NameId, Vec<Number>> = HashMap::default();
    for number in pool.numbers() {
        let (id, package) = (pool.id(number), pool.package(number));
        let left_alone = irremovable[number as usize]
            || aliases.contains_key(&id)
            || package.alias_of.is_some()
            || fixture.fixed.contains(&id)
            || fixture.locked.contains(&id);
        if !left_alone {
            candidates.entry(package.name).or_default().push(number);
        }
    }
    for id in fixture.locked {
        let package = &pool.packages[*id];
        // A locked package that nothing requires any more may be removed, so its requirements
        // don't count.
        if !package
            .names(false)
            .iter()
            .any(|name| required.contains_key(name))
        {
            continue;
        }
        for link in &package.links.requires {
            for number in candidates.get(&link.target).into_iter().flatten() {
                if !pool
                    .terms
                    .fits(link.constraint, pool.package(*number).version)
                {
                    removed.insert(*number);
                }
            }
        }
    }
    removed
}
