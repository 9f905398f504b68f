//! Collects the candidate packages. The steps and their order are those of Composer's
//! `PoolBuilder`, because the order of the packages decides between equal candidates.

mod repositories;
mod unlocking;

use std::collections::BTreeMap;
use std::rc::Rc;

use regex::Regex;
use smallvec::smallvec;

use super::Stop;
use super::metadata::Metadata;
use super::package::{GivenConstraint, PackageId, PackageOrigin, Packages, add_given};
use super::provider::Provider;
use super::request::{Content, Problem, Reach, Repository, name_fits};
use allegro_base::tables::{HashMap, HashSet, IndexMap};
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{Constraint, ConstraintId, NameId, Terms, VersionId};
use allegro_semver::version::Stability;

/// The candidate packages, and the facts that were found while they were loaded.
#[derive(Debug, Default)]
pub(super) struct LoadedPackages {
    /// The packages, in the order of Composer's pool.
    pub packages: Vec<PackageId>,
    /// Root requirements.
    pub requires: Vec<(NameId, ConstraintId)>,
    /// Root requirements without `require-dev`; `None` if nobody asked for them.
    pub requires_without_dev: Option<Vec<(NameId, ConstraintId)>>,
    /// Locked or fixed packages that are left out because of their stability.
    pub unacceptable: HashSet<PackageId>,
    /// Packages that keep the version of the lock.
    pub locked: Vec<PackageId>,
    /// The project and the platform.
    pub fixed: Vec<PackageId>,
    /// Names that a partial update unlocked, in that order.
    pub unlocked: Vec<NameId>,
    /// Packages that `-w` leaves at their version, in the words of Composer's warning.
    pub kept: Vec<String>,
    /// The names that each repository was found to have.
    pub found: Vec<HashSet<NameId>>,
    /// Metadata files of each repository. `PackageOrigin::Metadata` refers to their places.
    pub files: Vec<Vec<Option<Rc<Metadata>>>>,
}

/// The origin of a repository's packages.
enum Source {
    /// The repository has no packages to load.
    Nothing,
    /// The problem lists the packages.
    List(Vec<PackageId>),
    /// The provider supplies metadata files.
    Metadata {
        /// Names that the repository lists (`available-packages`).
        available: Option<HashSet<NameId>>,
        /// Patterns of names that the repository lists (`available-package-patterns`).
        patterns: Vec<Regex>,
        /// Whether the repository lists its names at all.
        listed: bool,
    },
}

/// The filter on the names that a repository is asked for (`FilterRepository`).
#[derive(Default)]
struct Filter {
    /// The repository's `only`.
    only: Option<Regex>,
    /// The repository's `exclude`.
    exclude: Option<Regex>,
}

fn compile(pattern: &str) -> Result<Regex, Stop> {
    Regex::new(pattern).map_err(|_| bad_request("a pattern of names"))
}

impl Filter {
    fn of(repository: &Repository) -> Result<Self, Stop> {
        Ok(Self {
            only: repository.only.as_deref().map(compile).transpose()?,
            exclude: repository.exclude.as_deref().map(compile).transpose()?,
        })
    }

    fn allows(&self, name: &str) -> bool {
        match (&self.only, &self.exclude) {
            (Some(only), _) => only.is_match(name),
            (None, Some(exclude)) => !exclude.is_match(name),
            (None, None) => true,
        }
    }
}

/// Builds a pool: Composer's `PoolBuilder` with its state (`PoolBuilder::buildPool`, Composer
/// 2.5.5). The comments give Composer's name of a field where there is one.
pub(super) struct Builder<'a> {
    problem: &'a Problem,
    terms: &'a mut Terms,
    packages: &'a mut Packages,
    provider: &'a mut dyn Provider,
    /// Packages of each repository, in the order of the problem.
    sources: Vec<Source>,
    /// Filter of each repository, in the same order.
    filters: Vec<Filter>,
    /// Root requirements, with one constraint for each name.
    requires: IndexMap<NameId, ConstraintId>,
    /// Lowest acceptable stability of single packages (`stabilityFlags`), as a number of
    /// Composer's `BasePackage`.
    flags: HashMap<NameId, u8>,
    /// Aliases of root requirements (`1.0 as 2.0`), by name and version (`rootAliases`).
    root_aliases: HashMap<(NameId, VersionId), VersionId>,
    /// All packages of the lock.
    locked_repo: Vec<PackageId>,
    /// Packages that a partial update keeps (`Request::getLockedPackages`), in order.
    locked: IndexMap<PackageId, ()>,
    /// The project and the platform (`Request::getFixedPackages`).
    fixed: Vec<PackageId>,
    /// Locked packages that link to a path repository. A partial update always unlocks them.
    linked_paths: HashSet<PackageId>,
    /// Whether the update is partial (`updateAllowList`).
    allow: bool,
    /// Names to be loaded next, with their constraints (`packagesToLoad`).
    to_load: IndexMap<NameId, ConstraintId>,
    /// Names that are loaded, with their constraints (`loadedPackages`).
    loaded: HashMap<NameId, ConstraintId>,
    /// Versions that each repository has supplied (`loadedPerRepo`).
    loaded_per_repo: HashSet<(usize, NameId, VersionId)>,
    /// The repository of each package.
    repo_of: HashMap<PackageId, usize>,
    /// Aliases of each package, with their places in `list` (`aliasMap`).
    aliases: HashMap<PackageId, Vec<(usize, PackageId)>>,
    /// Candidate packages by their place, in the order in which they were loaded (`packages`).
    list: BTreeMap<usize, PackageId>,
    /// The next place in `list` (`indexCounter`).
    counter: usize,
    /// Locked packages that are not loaded until something unlocks them (`skippedLoad`), by their
    /// names and by the names that they replace.
    skipped: HashMap<NameId, Vec<PackageId>>,
    /// Names of locked packages of path repositories, which are unlocked (`pathRepoUnlocked`).
    path_unlocked: HashSet<NameId>,
    /// Names whose constraint can't grow any more (`maxExtendedReqs`).
    max_extended: HashSet<NameId>,
    /// The result so far.
    pool: LoadedPackages,
    /// The place of each metadata file in `pool.files` of its repository.
    file_ids: HashMap<(usize, String), usize>,
}

fn requirements(
    terms: &mut Terms,
    given: &[(String, GivenConstraint)],
) -> Result<Vec<(NameId, ConstraintId)>, Stop> {
    let ids = given
        .iter()
        .map(|(name, constraint)| Some((terms.name(name), constraint.id(terms)?)));
    ids.collect::<Option<_>>()
        .ok_or_else(|| bad_request("a requirement"))
}

fn bad_request(what: &str) -> Stop {
    Stop::Unclear(format!("{what} is not understood"))
}

impl<'a> Builder<'a> {
    pub fn new(
        problem: &'a Problem,
        terms: &'a mut Terms,
        packages: &'a mut Packages,
        provider: &'a mut dyn Provider,
    ) -> Result<Self, Stop> {
        let requires: IndexMap<NameId, ConstraintId> = requirements(terms, &problem.requires)?
            .into_iter()
            .collect();
        let without_dev = problem.requires_without_dev.as_deref();
        let requires_without_dev = without_dev
            .map(|given| requirements(terms, given))
            .transpose()?;
        let mut first = 0;
        let mut add = |terms: &mut Terms, packages: &mut Packages, given| {
            let ids =
                add_given(terms, packages, given, first).ok_or_else(|| bad_request("a package"));
            first += given.len();
            ids
        };
        let fixed = add(terms, packages, &problem.fixed)?;
        let locked_repo = add(terms, packages, &problem.locked)?;
        let mut sources = Vec::new();
        let mut filters = Vec::new();
        let mut repo_of = HashMap::default();
        for (index, repository) in problem.repositories.iter().enumerate() {
            filters.push(Filter::of(repository)?);
            sources.push(match &repository.content {
                Content::Fixed => Source::Nothing,
                Content::List { packages: given } => {
                    let ids = add(terms, packages, given)?;
                    repo_of.extend(ids.iter().map(|id| (*id, index)));
                    Source::List(ids)
                }
                Content::Metadata {
                    available,
                    available_patterns,
                } => Source::Metadata {
                    available: available
                        .as_ref()
                        .map(|names| names.iter().map(|name| terms.name(name)).collect()),
                    patterns: available_patterns
                        .iter()
                        .flatten()
                        .map(|pattern| compile(pattern))
                        .collect::<Result<_, _>>()?,
                    listed: available.is_some() || available_patterns.is_some(),
                },
            });
        }
        let linked_paths = problem
            .locked
            .iter()
            .zip(&locked_repo)
            .filter(|(given, _)| given.linked_path)
            .map(|(_, id)| *id)
            .collect();
        let flags = problem
            .stability_flags
            .iter()
            .map(|(name, flag)| (terms.name(name), *flag))
            .collect();
        let mut root_aliases = HashMap::default();
        for (name, version, alias) in &problem.root_aliases {
            let place = (terms.name(name), terms.version(version));
            root_aliases.insert(place, terms.version(alias));
        }
        let count = sources.len();
        Ok(Self {
            problem,
            terms,
            packages,
            provider,
            sources,
            filters,
            pool: LoadedPackages {
                requires: requires.iter().map(|(name, id)| (*name, *id)).collect(),
                requires_without_dev,
                found: vec![HashSet::default(); count],
                files: (0..count).map(|_| Vec::new()).collect(),
                ..LoadedPackages::default()
            },
            requires,
            flags,
            root_aliases,
            locked_repo,
            locked: IndexMap::default(),
            fixed,
            linked_paths,
            allow: !problem.allow.is_empty(),
            to_load: IndexMap::default(),
            loaded: HashMap::default(),
            loaded_per_repo: HashSet::default(),
            repo_of,
            aliases: HashMap::default(),
            list: BTreeMap::new(),
            counter: 0,
            skipped: HashMap::default(),
            path_unlocked: HashSet::default(),
            max_extended: HashSet::default(),
            file_ids: HashMap::default(),
        })
    }

    /// Loads all candidate packages (`PoolBuilder::buildPool`, Composer 2.5.5).
    pub fn build(mut self) -> Result<LoadedPackages, Stop> {
        if self.allow {
            self.lock_the_rest();
        }
        let fixed: Vec<(PackageId, bool)> = self
            .fixed
            .iter()
            .zip(&self.problem.fixed)
            .map(|(id, given)| (*id, given.always))
            .chain(self.locked.keys().map(|id| (*id, false)))
            .collect();
        let everything = self.terms.constraint(Constraint::All);
        for (id, always) in fixed {
            let links = Rc::clone(&self.packages[id].links);
            self.loaded.insert(self.packages[id].name, everything);
            for link in &links.replaces {
                self.loaded.insert(link.target, everything);
            }
            if always
                || self.acceptable(&self.packages[id].names(true), self.packages[id].stability)
            {
                self.load(id, false);
            } else {
                self.pool.unacceptable.insert(id);
            }
        }
        for (name, constraint) in self.pool.requires.clone() {
            if !self.loaded.contains_key(&name) {
                self.to_load.insert(name, constraint);
                self.max_extended.insert(name);
            }
        }
        let loaded = &self.loaded;
        self.to_load.retain(|name, _| !loaded.contains_key(name));
        while !self.to_load.is_empty() {
            self.load_marked()?;
        }
        self.apply_temporary()?;
        self.pool.packages = self.list.into_values().collect();
        self.pool.locked = self.locked.into_keys().collect();
        self.pool.fixed = self.fixed;
        Ok(self.pool)
    }

    /// Locks the packages that a partial update doesn't name (beginning of
    /// `PoolBuilder::buildPool`).
    fn lock_the_rest(&mut self) {
        for id in self.locked_repo.clone() {
            let package = &self.packages[id];
            let (name, links) = (package.name, Rc::clone(&package.links));
            let text = self.terms.name_text(name);
            if self
                .problem
                .allow
                .iter()
                .any(|pattern| name_fits(pattern, text))
            {
                continue;
            }
            self.skipped.entry(name).or_default().push(id);
            for link in &links.replaces {
                self.skipped.entry(link.target).or_default().push(id);
            }
            if self.linked_paths.contains(&id) {
                self.path_unlocked.insert(name);
            } else {
                self.locked.insert(id, ());
            }
        }
    }

    /// Returns whether a stability is acceptable for a package with these names
    /// (`StabilityFilter::isPackageAcceptable`, Composer 2.5.5).
    fn acceptable(&self, names: &[NameId], stability: Stability) -> bool {
        names.iter().any(|name| match self.flags.get(name) {
            Some(flag) => stability as u8 <= *flag,
            None => self.problem.stabilities.contains(&(stability as u8)),
        })
    }

    /// Marks a name to be loaded, or to be loaded again if the constraint grows
    /// (`PoolBuilder::markPackageNameForLoading`, Composer 2.5.5).
    fn mark(&mut self, name: NameId, constraint: ConstraintId) {
        if is_platform(self.terms.name_text(name)) || self.max_extended.contains(&name) {
            return;
        }
        let mut constraint = constraint;
        // A root requirement limits the constraints of dependencies.
        if let Some(root) = self.requires.get(&name).copied()
            && !self.terms.is_subset(constraint, root)
        {
            constraint = root;
        }
        if let Some(loaded) = self.loaded.get(&name).copied() {
            if self.terms.is_subset(constraint, loaded) {
                return;
            }
            constraint = self.either(loaded, constraint);
            self.to_load.insert(name, constraint);
            self.loaded.remove(&name);
            return;
        }
        if let Some(marked) = self.to_load.get(&name).copied() {
            if self.terms.is_subset(constraint, marked) {
                return;
            }
            constraint = self.either(marked, constraint);
        }
        self.to_load.insert(name, constraint);
    }

    /// Returns the compacted disjunction of two constraints.
    fn either(&mut self, one: ConstraintId, other: ConstraintId) -> ConstraintId {
        let both = self.terms.create(false, &[one, other]);
        self.terms.compact(both)
    }

    /// Appends a package to the list, and records it if it is an alias.
    fn push(&mut self, id: PackageId) -> usize {
        let index = self.counter;
        self.counter += 1;
        self.list.insert(index, id);
        if let Some(of) = self.packages[id].alias_of {
            self.aliases.entry(of).or_default().push((index, id));
        }
        index
    }

    /// Adds a package to the pool, and marks its requirements to be loaded
    /// (`PoolBuilder::loadPackage`, Composer 2.5.5).
    fn load(&mut self, id: PackageId, propagate: bool) {
        self.push(id);
        let (name, version) = (self.packages[id].name, self.packages[id].version);
        let links = Rc::clone(&self.packages[id].links);
        let unlocked_path =
            self.problem.aliases_of_unlocked_paths && self.path_unlocked.contains(&name);
        if (propagate || unlocked_path)
            && let Some(alias) = self.root_aliases.get(&(name, version)).copied()
        {
            let base = self.packages[id].alias_of.unwrap_or(id);
            let alias = self
                .packages
                .alias(self.terms, base, alias, PackageOrigin::RootAlias);
            if let Some(repository) = self.repo_of.get(&base).copied() {
                self.repo_of.insert(alias, repository);
            }
            self.push(alias);
        }
        let deep = propagate && self.problem.reach > Reach::Listed;
        for link in &links.requires {
            if self.skipped.contains_key(&link.target) {
                if deep {
                    if self.may_unlock(link.target) {
                        self.unlock(link.target);
                        self.mark(link.target, link.constraint);
                    }
                } else if self.path_unlocked.contains(&link.target)
                    && !self.loaded.contains_key(&link.target)
                {
                    self.mark(link.target, link.constraint);
                }
            } else {
                self.mark(link.target, link.constraint);
            }
        }
        if deep {
            for link in &links.replaces {
                if self.loaded.contains_key(&link.target)
                    && self.skipped.contains_key(&link.target)
                    && self.may_unlock(link.target)
                {
                    self.unlock(link.target);
                    if self.problem.replaced_if_required {
                        self.mark_if_required(link.target);
                    } else {
                        self.mark(link.target, link.constraint);
                    }
                }
            }
        }
    }

    /// Removes versions that don't match a temporary constraint (`--with`, `--patch-only`). A
    /// package and its aliases are removed together.
    fn apply_temporary(&mut self) -> Result<(), Stop> {
        let mut temporary = HashMap::default();
        for (name, constraint) in &self.problem.temporary {
            let constraint = constraint
                .id(self.terms)
                .ok_or_else(|| bad_request("a constraint"))?;
            temporary.insert(self.terms.name(name), constraint);
        }
        if temporary.is_empty() {
            return Ok(());
        }
        for (index, id) in self.list.clone() {
            let package = &self.packages[id];
            if package.alias_of.is_some() {
                continue;
            }
            let names = if self.problem.temporary_for_all_names {
                package.names(true)
            } else {
                smallvec![package.name]
            };
            for name in names {
                let Some(constraint) = temporary.get(&name) else {
                    continue;
                };
                let mut unit = vec![(index, id)];
                unit.extend(self.aliases.get(&id).into_iter().flatten().copied());
                if !unit
                    .iter()
                    .any(|(_, id)| self.terms.fits(*constraint, self.packages[*id].version))
                {
                    for (index, _) in unit {
                        self.list.remove(&index);
                    }
                }
            }
        }
        Ok(())
    }
}
