//! Versions that can't make a difference are left out: Composer's `PoolOptimizer`.

use std::rc::Rc;

use super::constraint::{Constraint, ConstraintId, NameId, Terms};
use super::package::{Link, Package, PackageId, Packages};
use super::policy::Policy;
use super::pool::{Number, Numbered};
use super::tables::{HashMap, HashSet, IndexMap};

/// What the optimizer needs to know of the request.
pub(super) struct Fixture<'a> {
    pub requires: &'a [(NameId, ConstraintId)],
    pub fixed: &'a [PackageId],
    pub locked: &'a [PackageId],
}

/// A mark for each number of a pool, from 0 on.
type Marks = Vec<bool>;

type Constraints = HashMap<NameId, IndexMap<ConstraintId, ()>>;

/// A disjunction counts as its parts.
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

fn by_name(
    terms: &mut Terms,
    cache: &mut HashMap<ConstraintId, Rc<[ConstraintId]>>,
    links: &[Link],
    into: &mut Constraints,
) {
    for link in links {
        let parts = expanded(terms, cache, link.constraint);
        let known = into.entry(link.target).or_default();
        known.extend(parts.iter().map(|part| (*part, ())));
    }
}

/// The packages that stay, in their order.
pub(super) fn optimize(
    packages: &Packages,
    terms: &mut Terms,
    list: Vec<PackageId>,
    fixture: &Fixture<'_>,
    policy: &Policy,
) -> Vec<PackageId> {
    let mut cache = HashMap::default();
    let (mut required, mut conflicts): (Constraints, Constraints) = Default::default();
    for (name, constraint) in fixture.requires {
        let parts = expanded(terms, &mut cache, *constraint);
        let known = required.entry(*name).or_default();
        known.extend(parts.iter().map(|part| (*part, ())));
    }
    // Neighbouring versions mostly have the same links.
    let mut seen = HashSet::default();
    for id in &list {
        let links = &packages[*id].links;
        if seen.insert(Rc::as_ptr(links)) {
            by_name(terms, &mut cache, &links.requires, &mut required);
            by_name(terms, &mut cache, &links.conflicts, &mut conflicts);
        }
    }
    let pool = Numbered::new(packages, terms, list);
    let aliases = aliases_of(&pool);
    let irremovable = irremovable(&pool, fixture, &aliases);
    let mut kept = irremovable.clone();
    for group in groups(&pool, &irremovable, &required, &conflicts) {
        let preferred = match group.as_slice() {
            [one] => vec![*one],
            several => policy.select(&pool, several, None),
        };
        for number in preferred {
            keep(&pool, &aliases, &mut kept, number);
        }
    }
    // Locked packages limit what their requirements can be met with.
    for number in impossible(&pool, fixture, &irremovable, &aliases, &required) {
        kept[number as usize] = false;
    }
    pool.numbers()
        .filter(|number| kept[*number as usize])
        .map(|number| pool.id(number))
        .collect()
}

fn aliases_of(pool: &Numbered<'_>) -> HashMap<PackageId, Vec<Number>> {
    let mut aliases: HashMap<PackageId, Vec<Number>> = HashMap::default();
    for number in pool.numbers() {
        if let Some(of) = pool.package(number).alias_of {
            aliases.entry(of).or_default().push(number);
        }
    }
    aliases
}

/// A package and its aliases stay together.
fn keep(
    pool: &Numbered<'_>,
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

/// All packages with name and version of a fixed or locked one.
fn irremovable(
    pool: &Numbered<'_>,
    fixture: &Fixture<'_>,
    aliases: &HashMap<PackageId, Vec<Number>>,
) -> Marks {
    let mut versions: HashMap<NameId, Vec<super::constraint::VersionId>> = HashMap::default();
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

/// Lists of constraints, each kept once.
#[derive(Default)]
struct Lists(HashMap<Box<[ConstraintId]>, u32>);

impl Lists {
    fn id(&mut self, list: &[ConstraintId]) -> u32 {
        if let Some(id) = self.0.get(list) {
            return *id;
        }
        let id = u32::try_from(self.0.len()).expect("fewer than 2^32 lists");
        self.0.insert(list.into(), id);
        id
    }
}

/// Packages of a name that meet the same requirements and conflicts and want the same themselves.
fn groups(
    pool: &Numbered<'_>,
    irremovable: &Marks,
    required: &Constraints,
    conflicts: &Constraints,
) -> Vec<Vec<Number>> {
    type Key = (NameId, u32, u32, u32);
    let mut lists = Lists::default();
    let (mut parts, mut met): (Vec<ConstraintId>, Vec<ConstraintId>) = Default::default();
    let mut wants: HashMap<Vec<u32>, u32> = HashMap::default();
    let mut want_of: HashMap<*const super::package::Links, u32> = HashMap::default();
    let mut groups: IndexMap<Key, Vec<Number>> = IndexMap::default();
    for number in pool.numbers() {
        if irremovable[number as usize] {
            continue;
        }
        let package = pool.package(number);
        let want = *want_of
            .entry(Rc::as_ptr(&package.links))
            .or_insert_with(|| {
                let next = u32::try_from(wants.len()).expect("fewer than 2^32 packages");
                *wants
                    .entry(dependency_key(pool.terms, package))
                    .or_insert(next)
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
                groups
                    .entry((name, lists.id(&parts), met_id, want))
                    .or_default()
                    .push(number);
            }
        }
    }
    groups.into_values().collect()
}

/// What a package wants, so that the same is equal: targets by name, one constraint each.
fn dependency_key(terms: &Terms, package: &Package) -> Vec<u32> {
    let mut key = Vec::new();
    let links = &package.links;
    for list in [
        &links.requires,
        &links.conflicts,
        &links.replaces,
        &links.provides,
    ] {
        let mut unique: IndexMap<NameId, ConstraintId> = IndexMap::default();
        for link in list {
            unique.insert(link.target, link.constraint);
        }
        unique.sort_by(|a, _, b, _| terms.name_text(*a).cmp(terms.name_text(*b)));
        for (target, constraint) in unique {
            key.extend([target.0, constraint.0]);
        }
        key.push(u32::MAX);
    }
    key
}

fn impossible(
    pool: &Numbered<'_>,
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
        // One that nothing requires any more may go, and its requirements with it.
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
