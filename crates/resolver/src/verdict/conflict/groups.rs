//! Groups the rules that exclude a solution into statements, and finds the groups that exclude each
//! other.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use indexmap::{IndexMap, IndexSet};

use super::super::super::package::Package;
use super::super::super::pool::{Number, Pool};
use super::super::super::rules::{Blamed, Literal, RuleType, package_of};
use super::{Context, What};
use allegro_base::tables::{HashMap, HashSet};
use allegro_semver::constraint::{ConstraintId, NameId};

/// The number of groups that are compared with each other. Real conflicts have a few dozen, and the
/// comparison is quadratic.
const MOST_GROUPS: usize = 120;

/// The same requirement in several versions of one package, or a requirement of the project.
pub(super) struct Group {
    /// Newest version of the package that has the requirement; `None` for the project.
    pub by: Option<Number>,
    pub what: What,
    pub target: NameId,
    pub constraint: Option<ConstraintId>,
    pub providers: Rc<[Number]>,
    /// Number of newer versions of the package in other groups.
    rank: usize,
    /// Number of steps from the project.
    depth: usize,
}

/// The reason why two packages can't be installed together.
pub(super) enum Exclusion {
    /// Both packages have or replace this name.
    Name(NameId),
    /// The first package conflicts with the second.
    Link(Number, Number, NameId, ConstraintId),
}

/// A group that nothing meets, or two groups that exclude each other.
pub(super) struct Dispute {
    pub first: usize,
    pub second: Option<(usize, Exclusion)>,
}

impl Dispute {
    /// Returns the groups of the dispute, as places in the list of groups.
    pub fn groups(&self) -> impl Iterator<Item = usize> {
        [Some(self.first), self.second.as_ref().map(|(at, _)| *at)]
            .into_iter()
            .flatten()
    }
}

/// The rules that exclude a solution, in groups.
pub(super) struct Blame<'a> {
    pub context: &'a Context<'a>,
    pub pool: &'a Pool<'a>,
    pub groups: Vec<Group>,
}

impl<'a> Blame<'a> {
    pub fn of(context: &'a Context<'a>, pool: &'a Pool<'a>, rules: &[Blamed<'_>]) -> Self {
        let mut blame = Self {
            context,
            pool,
            groups: Vec::new(),
        };
        blame.groups = blame.condense(rules);
        blame
    }

    fn condense(&self, rules: &[Blamed<'_>]) -> Vec<Group> {
        let mut groups: IndexMap<(Option<NameId>, NameId, Option<ConstraintId>), Group> =
            IndexMap::new();
        for (rule, literals) in rules {
            let mut positive = positive(literals);
            positive.sort_by(|one, other| self.by_age(*one, *other));
            let source = match (rule.kind, rule.required) {
                (RuleType::Request, Some(name)) => (None, name, What::Requires),
                (RuleType::Request, None) => match positive.first() {
                    Some(number) => (None, self.pool.package(*number).name, What::Is),
                    None => continue,
                },
                (_, Some(name)) => match literals.first().filter(|literal| **literal < 0) {
                    Some(literal) => (Some(package_of(*literal)), name, What::Requires),
                    None => continue,
                },
                (_, None) => continue,
            };
            let (by, target, what) = source;
            let constraint = by.and_then(|number| {
                let mut links = self.pool.package(number).links.requires.iter();
                links.find(|link| link.target == target)
            });
            let constraint = constraint.map(|link| link.constraint);
            let key = (
                by.map(|number| self.pool.package(number).name),
                target,
                constraint,
            );
            let group = groups.entry(key).or_insert_with(|| Group {
                by,
                what,
                target,
                constraint,
                providers: positive.into(),
                rank: 0,
                depth: 0,
            });
            if let (Some(one), Some(newest)) = (by, group.by)
                && self.is_newer(one, newest)
            {
                group.by = Some(one);
            }
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        self.measure(&mut groups);
        groups.sort_by_key(|group| (group.rank, group.depth));
        groups.truncate(MOST_GROUPS);
        groups
    }

    /// Orders packages by version, the newest first.
    fn by_age(&self, one: Number, other: Number) -> Ordering {
        let version = |number| {
            self.context
                .terms
                .version_of(self.pool.package(number).version)
        };
        version(other).compare(version(one))
    }

    fn is_newer(&self, one: Number, other: Number) -> bool {
        self.by_age(one, other).is_lt()
    }

    fn measure(&self, groups: &mut [Group]) {
        let ranks: Vec<usize> = groups
            .iter()
            .map(|group| {
                let Some(own) = group.by else { return 0 };
                let name = self.pool.package(own).name;
                let newer: HashSet<Number> = groups
                    .iter()
                    .filter_map(|other| other.by)
                    .filter(|other| self.pool.package(*other).name == name)
                    .filter(|other| self.is_newer(*other, own))
                    .collect();
                newer.len()
            })
            .collect();
        let mut depths: HashMap<NameId, usize> = HashMap::default();
        let (mut depth, mut more) = (1, true);
        while more {
            more = false;
            for group in self
                .groups
                .iter()
                .filter(|group| group.what == What::Requires)
            {
                let reached = match group.by {
                    None => depth == 1,
                    Some(by) => depths.get(&self.pool.package(by).name) == Some(&(depth - 1)),
                };
                if !reached {
                    continue;
                }
                let names = group
                    .providers
                    .iter()
                    .map(|number| self.pool.package(*number).name);
                for name in names.chain([group.target]) {
                    if let Entry::Vacant(place) = depths.entry(name) {
                        place.insert(depth);
                        more = true;
                    }
                }
            }
            depth += 1;
        }
        for (group, rank) in groups.iter_mut().zip(ranks) {
            group.rank = rank;
            group.depth = match group.by {
                None => 0,
                Some(by) => {
                    let name = self.pool.package(by).name;
                    depths.get(&name).copied().unwrap_or(depth)
                }
            };
        }
    }

    /// Returns the contradictions among the groups, the most telling first.
    pub fn disputes(&self) -> Vec<Dispute> {
        let mut found = Vec::new();
        for (first, group) in self.groups.iter().enumerate() {
            if group.providers.is_empty() {
                let second = None;
                found.push(((group.rank, group.depth), Dispute { first, second }));
                continue;
            }
            for (at, other) in self.groups.iter().enumerate().skip(first + 1) {
                if self.are_versions(group, other) {
                    continue;
                }
                if let Some(exclusion) = exclusion(self.pool, group, other) {
                    let cost = (group.rank + other.rank, group.depth + other.depth);
                    let second = Some((at, exclusion));
                    found.push((cost, Dispute { first, second }));
                }
            }
        }
        found.sort_by_key(|(cost, _)| *cost);
        found.into_iter().map(|(_, dispute)| dispute).collect()
    }

    /// Returns whether two groups belong to different versions of one package, which exclude each
    /// other anyway.
    fn are_versions(&self, one: &Group, other: &Group) -> bool {
        let name = |number: Number| self.pool.package(number).name;
        match (one.by, other.by) {
            (Some(one), Some(other)) => one != other && name(one) == name(other),
            _ => false,
        }
    }

    /// Returns the requirements of the project that take part.
    pub fn requires(&self) -> Vec<NameId> {
        let asks = |group: &&Group| group.by.is_none() && group.what == What::Requires;
        let own = self.groups.iter().filter(asks).map(|group| group.target);
        own.chain(self.groups.iter().flat_map(|group| self.limits(group)))
            .collect()
    }

    /// Returns the requirements of the project that limit a group that nothing meets. They take
    /// part without a rule of their own.
    fn limits(&self, group: &Group) -> impl Iterator<Item = NameId> {
        let unmet = group.providers.is_empty();
        let offer = self.offer(group.target).filter(|_| unmet);
        let offer = offer.map(|(id, ..)| self.context.packages[id].name);
        let names = [offer, unmet.then_some(group.target)];
        let names = names.into_iter().flatten();
        names.filter(|name| self.context.required(*name))
    }

    /// Returns a package that requires another one, with its version; `None` if the project
    /// requires it.
    pub fn via(&self, name: NameId) -> Option<String> {
        if self.context.required(name) {
            return None;
        }
        let asking = self.asking(name).filter_map(|at| self.groups[at].by);
        let by = asking
            .map(|by| self.pool.id(by))
            .find(|by| self.context.packages[*by].name != name)?;
        let package = self.context.text(self.context.packages[by].name);
        Some(format!("{package} {}", self.version(by)))
    }

    /// Returns the requirements of the project that a contradiction leads back to.
    pub fn origins(&self, dispute: &Dispute) -> IndexSet<NameId> {
        let mut origins = IndexSet::new();
        let mut seen: HashSet<usize> = HashSet::default();
        for first in dispute.groups() {
            let mut queue = vec![first];
            while let Some(at) = queue.pop() {
                if !seen.insert(at) {
                    continue;
                }
                let group = &self.groups[at];
                match group.by.map(|by| self.pool.package(by).name) {
                    Some(name) if self.context.required(name) => {
                        origins.insert(name);
                    }
                    Some(name) => queue.extend(self.asking(name)),
                    None if group.what == What::Requires => {
                        origins.insert(group.target);
                    }
                    None => {}
                }
                origins.extend(self.limits(group));
            }
        }
        origins
    }

    /// Returns the groups of requirements that a package meets.
    fn asking(&self, name: NameId) -> impl Iterator<Item = usize> {
        let meets = move |group: &Group| {
            let mut providers = group.providers.iter();
            group.what == What::Requires
                && providers.any(|number| self.pool.package(*number).name == name)
        };
        let groups = self.groups.iter().enumerate();
        groups
            .filter(move |(_, group)| meets(group))
            .map(|(at, _)| at)
    }
}

fn positive(literals: &[Literal]) -> Vec<Number> {
    let literals = literals.iter().filter(|literal| **literal > 0);
    literals.map(|literal| package_of(*literal)).collect()
}

/// Returns the reason why no provider of one group can be installed with one of the other. The best
/// providers of each give the reason.
fn exclusion(pool: &Pool<'_>, one: &Group, other: &Group) -> Option<Exclusion> {
    let mut first = None;
    for left in &*one.providers {
        for right in &*other.providers {
            let found = excluded(pool, *left, *right)?;
            first.get_or_insert(found);
        }
    }
    first
}

fn excluded(pool: &Pool<'_>, left: Number, right: Number) -> Option<Exclusion> {
    let (one, other) = (pool.package(left), pool.package(right));
    let base = |number: Number, package: &Package| package.alias_of.unwrap_or(pool.id(number));
    if base(left, one) == base(right, other) {
        return None;
    }
    let names = other.names(false);
    if let Some(name) = one.names(false).iter().find(|name| names.contains(name)) {
        return Some(Exclusion::Name(*name));
    }
    let conflict = |by: Number, with: Number| {
        let links = &pool.package(by).links.conflicts;
        links
            .iter()
            .find(|link| pool.offers(with, link.target, link.constraint))
            .map(|link| Exclusion::Link(by, with, link.target, link.constraint))
    };
    conflict(left, right).or_else(|| conflict(right, left))
}
