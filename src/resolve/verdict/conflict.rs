//! What can't be met together: the rules that are to blame, condensed to the statements that contradict each other.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::super::constraint::{ConstraintId, NameId, Terms};
use super::super::metadata::Metadata;
use super::super::package::{Link, Origin, Package, PackageId, Packages};
use super::super::pool::{Number, Numbered};
use super::super::request::Problem;
use super::super::rules::{Kind, Rule, package_of};
use super::words;

/// So many groups of statements are compared with each other. Real conflicts have a few dozen; comparing is quadratic.
const MOST_GROUPS: usize = 120;

/// So many statements are told, the most telling first: they have to fit on one line.
const MOST_STATEMENTS: usize = 3;

/// What a package says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// `require`
    Requires,
    /// `conflict`
    Conflicts,
    /// `replace`
    Replaces,
    /// `provide`
    Provides,
    /// It is there whatever happens: part of the platform.
    Is,
}

/// One side of a contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Statement {
    /// Who says it, in which versions, the newest first; `None`: the project.
    pub by: Option<(String, String, String)>,
    pub what: What,
    pub target: String,
    pub constraint: String,
    /// A package that requires the one who says it; `None` where the project does so itself.
    pub via: Option<String>,
    /// What is wanted and can't be had.
    pub unmet: Option<Unmet>,
}

/// What nothing meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Unmet {
    pub name: NameId,
    pub constraint: ConstraintId,
    /// A repository has the name.
    pub found: bool,
}

/// What can't be met together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Conflict {
    /// The project's requirements that take part, those that the statements lead back to first.
    pub requires: Vec<String>,
    /// How many of them the statements lead back to.
    pub told: usize,
    /// Requirements of the project that nothing meets.
    pub lacking: Vec<(String, Unmet)>,
    pub statements: Vec<Statement>,
}

/// Where the rules come from.
pub(in super::super) struct Context<'a> {
    pub problem: &'a Problem,
    pub terms: &'a Terms,
    pub packages: &'a Packages,
    pub found: &'a [HashSet<NameId>],
    pub files: &'a [Vec<Option<Rc<Metadata>>>],
    pub fixed: &'a [PackageId],
}

/// Requirements of one package (or of the project) on one name, alike in all of its versions here.
struct Group {
    /// The newest version; `None`: the project.
    by: Option<Number>,
    what: What,
    target: NameId,
    constraint: Option<ConstraintId>,
    providers: Rc<[Number]>,
    /// How many versions of the package that are newer say something else.
    rank: usize,
    /// Steps from the project.
    depth: usize,
}

/// Why two packages can't be installed together.
enum Exclusion {
    /// Both are, or replace, this.
    Name(NameId),
    /// The first conflicts with the second.
    Link(Number, Number, NameId, ConstraintId),
}

impl Context<'_> {
    fn text(&self, name: NameId) -> String {
        self.terms.name_text(name).to_owned()
    }

    fn is_found(&self, name: NameId) -> bool {
        self.found.iter().any(|names| names.contains(&name))
    }

    fn unmet(&self, name: NameId, constraint: ConstraintId) -> Unmet {
        Unmet {
            name,
            constraint,
            found: self.is_found(name),
        }
    }

    /// For requirements that nothing meets.
    pub fn lacking(&self, requires: &[(NameId, ConstraintId)]) -> Conflict {
        let lacking: Vec<(String, Unmet)> = requires
            .iter()
            .map(|(name, constraint)| (self.text(*name), self.unmet(*name, *constraint)))
            .collect();
        Conflict {
            requires: lacking.iter().map(|(name, _)| name.clone()).collect(),
            told: lacking.len(),
            lacking,
            statements: Vec::new(),
        }
    }

    /// For rules that can't be met together.
    pub fn conflict(&self, pool: &Numbered<'_>, rules: &[&Rule]) -> Conflict {
        let groups = self.groups(pool, rules);
        let mut chosen: Vec<Statement> = Vec::new();
        let mut told: IndexSet<NameId> = IndexSet::new();
        for (first, second, exclusion) in self.disputes(pool, &groups) {
            let new = self.statements(pool, &groups, first, second, exclusion.as_ref());
            let fresh: Vec<_> = new
                .into_iter()
                .filter(|statement| !chosen.contains(statement))
                .collect();
            if !chosen.is_empty() && chosen.len() + fresh.len() > MOST_STATEMENTS {
                break;
            }
            chosen.extend(fresh);
            for group in [Some(first), second].into_iter().flatten() {
                told.extend(self.origins(pool, &groups, group));
            }
        }
        let count = told.len();
        // What limits a requirement that nothing meets takes part without a rule of its own.
        let limits = groups.iter().filter(|group| group.providers.is_empty());
        let limits: Vec<NameId> = limits
            .flat_map(|group| {
                let offer = self
                    .offer(group.target)
                    .map(|(id, _, _)| self.packages[id].name);
                offer.into_iter().chain([group.target])
            })
            .collect();
        let own = groups
            .iter()
            .filter(|group| group.by.is_none() && group.what == What::Requires);
        told.extend(own.map(|group| group.target));
        told.extend(limits.into_iter().filter(|name| self.required(*name)));
        Conflict {
            requires: told.into_iter().map(|name| self.text(name)).collect(),
            told: count,
            lacking: Vec::new(),
            statements: chosen,
        }
    }

    fn required(&self, name: NameId) -> bool {
        let text = self.terms.name_text(name);
        self.problem.requires.iter().any(|(own, _)| own == text)
    }

    fn groups(&self, pool: &Numbered<'_>, rules: &[&Rule]) -> Vec<Group> {
        let mut groups: IndexMap<(Option<NameId>, NameId, Option<ConstraintId>), Group> =
            IndexMap::new();
        for rule in rules {
            let mut positive = positive(rule);
            positive.sort_by(|one, other| self.by_age(pool, *one, *other));
            let source = match (rule.kind, rule.required) {
                (Kind::Request, Some(name)) => (None, name, What::Requires),
                (Kind::Request, None) => match positive.first() {
                    Some(number) => (None, pool.package(*number).name, What::Is),
                    None => continue,
                },
                (_, Some(name)) => match rule.literals.first().filter(|literal| **literal < 0) {
                    Some(literal) => (Some(package_of(*literal)), name, What::Requires),
                    None => continue,
                },
                (_, None) => continue,
            };
            let (by, target, what) = source;
            let constraint = by.and_then(|number| {
                let mut links = pool.package(number).links.requires.iter();
                links.find(|link| link.target == target)
            });
            let constraint = constraint.map(|link| link.constraint);
            let key = (
                by.map(|number| pool.package(number).name),
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
                && self.is_newer(pool, one, newest)
            {
                group.by = Some(one);
            }
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        self.measure(pool, &mut groups);
        groups.sort_by_key(|group| (group.rank, group.depth));
        groups.truncate(MOST_GROUPS);
        groups
    }

    /// The newest first.
    fn by_age(&self, pool: &Numbered<'_>, one: Number, other: Number) -> Ordering {
        let version = |number| self.terms.version_of(pool.package(number).version);
        version(other).compare(version(one))
    }

    fn is_newer(&self, pool: &Numbered<'_>, one: Number, other: Number) -> bool {
        self.by_age(pool, one, other).is_lt()
    }

    fn measure(&self, pool: &Numbered<'_>, groups: &mut [Group]) {
        let ranks: Vec<usize> = groups
            .iter()
            .map(|group| {
                let Some(own) = group.by else { return 0 };
                let name = pool.package(own).name;
                let newer: HashSet<Number> = groups
                    .iter()
                    .filter_map(|other| other.by)
                    .filter(|other| pool.package(*other).name == name)
                    .filter(|other| self.is_newer(pool, *other, own))
                    .collect();
                newer.len()
            })
            .collect();
        let mut depths: HashMap<NameId, usize> = HashMap::new();
        let (mut depth, mut more) = (1, true);
        while more {
            more = false;
            for group in groups.iter().filter(|group| group.what == What::Requires) {
                let reached = match group.by {
                    None => depth == 1,
                    Some(by) => depths.get(&pool.package(by).name) == Some(&(depth - 1)),
                };
                if !reached {
                    continue;
                }
                let names = group
                    .providers
                    .iter()
                    .map(|number| pool.package(*number).name);
                for name in names.chain([group.target]) {
                    if let std::collections::hash_map::Entry::Vacant(place) = depths.entry(name) {
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
                    let name = pool.package(by).name;
                    depths.get(&name).copied().unwrap_or(depth)
                }
            };
        }
    }

    /// Pairs of groups that exclude each other, and groups that nothing meets, the most telling first.
    fn disputes(
        &self,
        pool: &Numbered<'_>,
        groups: &[Group],
    ) -> Vec<(usize, Option<usize>, Option<Exclusion>)> {
        let mut found = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            if group.providers.is_empty() {
                found.push(((group.rank, group.depth), (at, None, None)));
                continue;
            }
            for (other_at, other) in groups.iter().enumerate().skip(at + 1) {
                if let Some(exclusion) = exclusion(pool, group, other) {
                    let cost = (group.rank + other.rank, group.depth + other.depth);
                    found.push((cost, (at, Some(other_at), Some(exclusion))));
                }
            }
        }
        found.sort_by_key(|(cost, _)| *cost);
        found.into_iter().map(|(_, dispute)| dispute).collect()
    }

    fn statements(
        &self,
        pool: &Numbered<'_>,
        groups: &[Group],
        first: usize,
        second: Option<usize>,
        exclusion: Option<&Exclusion>,
    ) -> Vec<Statement> {
        let mut list = Vec::new();
        match exclusion {
            Some(Exclusion::Link(by, other, target, constraint)) => {
                let (id, what) = (pool.id(*by), What::Conflicts);
                let mut statement = self.says(pool, groups, id, what, *target, *constraint);
                if self.fixed.contains(&pool.id(*other)) {
                    statement.unmet = Some(self.unmet(*target, *constraint));
                }
                list.push(statement);
                for group in [Some(first), second].into_iter().flatten() {
                    let asks = groups[group].what == What::Requires;
                    if asks && groups[group].providers.contains(other) {
                        list.push(self.statement(pool, groups, group));
                    }
                }
            }
            Some(Exclusion::Name(name)) => {
                for group in [Some(first), second].into_iter().flatten() {
                    let provider = groups[group].providers[0];
                    let package = pool.package(provider);
                    let replaces = &package.links.replaces;
                    let replaced = replaces.iter().find(|link| link.target == *name);
                    match replaced.filter(|_| package.name != *name) {
                        Some(link) => {
                            let (id, constraint) = (pool.id(provider), link.constraint);
                            let what = What::Replaces;
                            list.push(self.says(pool, groups, id, what, *name, constraint));
                        }
                        None => list.push(self.statement(pool, groups, group)),
                    }
                }
            }
            None => {
                list.push(self.statement(pool, groups, first));
                let target = groups[first].target;
                if self.required(target) && !is_fixed_name(self, pool, target) {
                    list.push(self.own(target));
                } else if let Some((id, what, constraint)) = self.offer(target) {
                    list[0].unmet = None;
                    list.push(self.says(pool, groups, id, what, target, constraint));
                }
            }
        }
        list
    }

    /// The newest package that stands for a name that it hasn't got itself, in versions that nobody wants.
    fn offer(&self, name: NameId) -> Option<(PackageId, What, ConstraintId)> {
        if self.is_platform(name) || self.is_found(name) {
            return None;
        }
        let version = |id: PackageId| self.terms.version_of(self.packages[id].version);
        let own = self.packages.ids();
        own.filter(|id| self.packages[*id].alias_of.is_none())
            .filter_map(|id| {
                let links = &self.packages[id].links;
                let of = |links: &[Link], what: What| {
                    let mut links = links.iter();
                    let link = links.find(|link| link.target == name)?;
                    Some((id, what, link.constraint))
                };
                of(&links.replaces, What::Replaces).or_else(|| of(&links.provides, What::Provides))
            })
            .max_by(|(one, ..), (other, ..)| version(*one).compare(version(*other)))
    }

    /// A requirement of the project.
    fn own(&self, target: NameId) -> Statement {
        let target = self.text(target);
        let mut written = self.problem.written.iter();
        let constraint = written.find(|(name, _)| *name == target);
        Statement {
            by: None,
            what: What::Requires,
            constraint: constraint.map_or("*".to_owned(), |(_, text)| text.clone()),
            target,
            via: None,
            unmet: None,
        }
    }

    fn statement(&self, pool: &Numbered<'_>, groups: &[Group], at: usize) -> Statement {
        let group = &groups[at];
        let (Some(by), Some(constraint)) = (group.by, group.constraint) else {
            let mut statement = self.own(group.target);
            if group.what == What::Is {
                statement.what = What::Is;
                statement.constraint = self.version(pool.id(group.providers[0]));
            }
            return statement;
        };
        let mut statement = self.says(
            pool,
            groups,
            pool.id(by),
            What::Requires,
            group.target,
            constraint,
        );
        if let Some((_, _, oldest)) = &mut statement.by {
            *oldest = self.version(self.oldest_alike(pool.id(by), group.target, constraint));
        }
        if group.providers.is_empty() {
            let limited = self.required(group.target) && !is_fixed_name(self, pool, group.target);
            statement.unmet = (!limited).then(|| self.unmet(group.target, constraint));
        }
        statement
    }

    /// The last of the versions from one on downwards that require the same of a package. Those that the optimizer
    /// leaves out because they are alike count too.
    fn oldest_alike(&self, id: PackageId, target: NameId, constraint: ConstraintId) -> PackageId {
        let version = |id: &PackageId| self.terms.version_of(self.packages[*id].version);
        let name = self.packages[id].name;
        let mut older: Vec<PackageId> = self
            .packages
            .ids()
            .filter(|other| self.packages[*other].name == name)
            .filter(|other| self.packages[*other].alias_of.is_none())
            .filter(|other| version(other).compare(version(&id)).is_lt())
            .collect();
        older.sort_by(|one, other| version(other).compare(version(one)));
        let says = |id: &&PackageId| {
            let mut links = self.packages[**id].links.requires.iter();
            links.any(|link| link.target == target && link.constraint == constraint)
        };
        older.iter().take_while(says).last().copied().unwrap_or(id)
    }

    fn says(
        &self,
        pool: &Numbered<'_>,
        groups: &[Group],
        id: PackageId,
        what: What,
        target: NameId,
        constraint: ConstraintId,
    ) -> Statement {
        let name = self.packages[id].name;
        let version = self.version(id);
        let is_project = self.fixed.contains(&id) && !self.is_platform(name);
        Statement {
            by: (!is_project).then(|| (self.text(name), version.clone(), version)),
            what,
            target: self.text(target),
            constraint: self.written(id, what, target, constraint),
            via: self.via(pool, groups, name),
            unmet: None,
        }
    }

    fn is_platform(&self, name: NameId) -> bool {
        super::super::request::is_platform(self.terms.name_text(name))
    }

    /// Who requires a package, if it isn't the project.
    fn via(&self, pool: &Numbered<'_>, groups: &[Group], name: NameId) -> Option<String> {
        if self.required(name) {
            return None;
        }
        let mut asking = groups.iter().filter(|group| {
            let mut providers = group.providers.iter();
            group.what == What::Requires
                && providers.any(|number| pool.package(*number).name == name)
        });
        let by = asking.find_map(|group| group.by)?;
        let package = pool.package(by);
        (package.name != name)
            .then(|| format!("{} {}", self.text(package.name), self.version(pool.id(by))))
    }

    /// The requirements of the project that a group leads back to.
    fn origins(&self, pool: &Numbered<'_>, groups: &[Group], at: usize) -> IndexSet<NameId> {
        let mut origins = IndexSet::new();
        let mut seen = HashSet::from([at]);
        let mut queue = vec![at];
        while let Some(at) = queue.pop() {
            let group = &groups[at];
            let Some(by) = group.by else {
                if group.what == What::Requires {
                    origins.insert(group.target);
                }
                continue;
            };
            let package = pool.package(by);
            if self.required(package.name) {
                origins.insert(package.name);
            } else {
                for (other, asking) in groups.iter().enumerate() {
                    let mut providers = asking.providers.iter();
                    if asking.what == What::Requires
                        && providers.any(|number| pool.package(*number).name == package.name)
                        && seen.insert(other)
                    {
                        queue.push(other);
                    }
                }
            }
            if group.providers.is_empty() {
                let offer = self
                    .offer(group.target)
                    .map(|(id, _, _)| self.packages[id].name);
                let limits = [Some(group.target), offer].into_iter().flatten();
                origins.extend(limits.filter(|name| self.required(*name)));
            }
        }
        origins
    }

    /// A version as it is written.
    fn version(&self, id: PackageId) -> String {
        let package = &self.packages[id];
        let normalized = self.terms.version_of(package.version).text();
        if package.alias_of.is_some() {
            return words::version(normalized);
        }
        let written = self.entry(package).and_then(|(metadata, entry)| {
            let pretty = metadata.pretty(metadata.entries.get(entry)?).ok()?;
            Some(pretty.into_owned())
        });
        written.unwrap_or_else(|| words::version(normalized))
    }

    fn entry(&self, package: &Package) -> Option<(&Metadata, usize)> {
        let Origin::Metadata(repository, file, entry) = package.origin else {
            return None;
        };
        let metadata = self
            .files
            .get(repository as usize)?
            .get(file as usize)?
            .as_ref()?;
        Some((metadata, entry as usize))
    }

    /// The constraint of a link as it is written.
    fn written(
        &self,
        id: PackageId,
        what: What,
        target: NameId,
        constraint: ConstraintId,
    ) -> String {
        let key = match what {
            What::Conflicts => "conflict",
            What::Replaces => "replace",
            What::Provides => "provide",
            What::Requires | What::Is => "require",
        };
        let text = self
            .entry(&self.packages[id])
            .and_then(|(metadata, entry)| {
                let whole: Value = serde_json::from_str(metadata.whole(entry).ok()?.get()).ok()?;
                let target = self.terms.name_text(target);
                let (_, text) = whole
                    .get(key)?
                    .as_object()?
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(target))?;
                Some(
                    text.as_str()
                        .filter(|text| *text != "self.version")?
                        .to_owned(),
                )
            });
        text.unwrap_or_else(|| words::constraint(self.terms, constraint))
    }
}

fn positive(rule: &Rule) -> Vec<Number> {
    let literals = rule.literals.iter().filter(|literal| **literal > 0);
    literals.map(|literal| package_of(*literal)).collect()
}

/// Whether a name is that of a package that is there whatever happens.
fn is_fixed_name(context: &Context<'_>, pool: &Numbered<'_>, name: NameId) -> bool {
    context.is_platform(name)
        || context
            .fixed
            .iter()
            .any(|id| pool.packages[*id].name == name)
}

/// Why nothing of one group can be installed with anything of the other, told by the best of each.
fn exclusion(pool: &Numbered<'_>, one: &Group, other: &Group) -> Option<Exclusion> {
    let mut first = None;
    for left in &*one.providers {
        for right in &*other.providers {
            let found = excluded(pool, *left, *right)?;
            first.get_or_insert(found);
        }
    }
    first
}

fn excluded(pool: &Numbered<'_>, left: Number, right: Number) -> Option<Exclusion> {
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
