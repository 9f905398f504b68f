//! The problem that an update poses. The plugin's `Question.php` asks the same of Composer's
//! objects.

use std::collections::HashMap;

use allegro_composer::package::{Alias, Link, Package, is_platform};
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_semver::version::{Stability, normalize, stability};
use regex::escape;

use super::options::Options;
use super::snapshot::{Snapshot, alias};
use crate::install::decide::Habits;
use crate::install::project::Project;
use crate::machine::UpdateFacts;
use crate::machine::platform::Ignored;
use crate::protocol::resolve::problem::{
    Dialect, GivenPackage, PlatformFilter, Problem, Reach, Repository,
};
use crate::scripts::Version;

/// The stabilities, from the most stable one on.
const STABILITIES: [Stability; 5] = [
    Stability::Stable,
    Stability::Rc,
    Stability::Beta,
    Stability::Alpha,
    Stability::Dev,
];

/// The inputs of a problem.
pub struct Inputs<'a> {
    /// The project. Its lock is empty if there is none.
    pub project: &'a Project,
    /// Versions of platform packages that the configuration sets; `None` hides a package.
    pub overrides: &'a [(String, Option<String>)],
    /// The options of the command.
    pub options: &'a Options,
    /// Composer.
    pub habits: &'a Habits,
    /// Behaviour of Composer in updates.
    pub facts: &'a UpdateFacts,
    /// Repositories in their order.
    pub repositories: Vec<Repository>,
}

impl Inputs<'_> {
    /// Returns the problem.
    pub fn problem(self) -> Result<Problem, Unfamiliar> {
        let root = &self.project.root;
        if root
            .package
            .provides
            .iter()
            .any(|link| is_platform(&link.target))
        {
            return unfamiliar("the project provides a platform package");
        }
        let semver = self.habits.target.semver;
        let mut snapshot = Snapshot::new(semver);
        let requires = merged(&root.package.requires, &root.package.dev_requires);
        let allow = self.allow();
        let version = Version::parse(&self.habits.target.version);
        let since = |at: Version| version.is_some_and(|version| version >= at);
        if !allow.is_empty() && self.facts.loads_if_required && !since(Version(2, 6, 3)) {
            return unfamiliar("this Composer forgets packages in partial updates");
        }
        let without_dev = &root.package.requires;
        let requires_without_dev = if root.package.dev_requires.is_empty() {
            None
        } else {
            Some(snapshot.requirements(without_dev)?)
        };
        let mut stability_flags: Vec<(String, u8)> = root
            .stability_flags
            .iter()
            .map(|(name, flag)| (name.clone(), *flag as u8))
            .collect();
        let own = stability(&root.package.version) as u8;
        stability_flags.retain(|(name, _)| *name != root.package.name);
        stability_flags.push((root.package.name.clone(), own));
        Ok(Problem {
            dialect: Dialect {
                long_dates: semver.long_dates,
                rc_is_a_modifier: semver.rc_is_a_modifier,
                points_need_branches: semver.points_need_branches,
                zero_is_least: semver.zero_is_least,
            },
            requires: snapshot.requirements(requires)?,
            requires_without_dev,
            fixed: self.fixed(&mut snapshot)?,
            locked: self.locked(&mut snapshot)?,
            allow,
            reach: self.options.reach,
            stabilities: STABILITIES
                .into_iter()
                .filter(|one| *one <= root.minimum_stability)
                .map(|one| one as u8)
                .collect(),
            stability_flags,
            root_aliases: self.root_aliases(),
            temporary: Vec::new(),
            platform: platform_filter(self.options.ignored_platform()),
            prefer_stable: self.options.prefer_stable || root.prefer_stable,
            prefer_lowest: self.options.prefer_lowest,
            prefer_dev_over_prerelease: false,
            preferred: Vec::new(),
            ignored_types: self.facts.ignored_types.clone(),
            allowed_types: None,
            batch: self.facts.batch,
            temporary_for_all_names: self.facts.batch.is_some(),
            replaced_if_required: self.facts.loads_if_required,
            aliases_of_unlocked_paths: since(Version(2, 6, 3))
                || since(Version(2, 2, 22)) && !since(Version(2, 3, 0)),
            optimize: true,
            written: Vec::new(),
            overridden: Vec::new(),
            repositories: self.repositories,
        })
    }

    /// Returns the names and patterns of a partial update.
    fn allow(&self) -> Vec<String> {
        let root = &self.project.root.package;
        let mut packages = self.options.packages.clone();
        if self.options.root_requirements {
            let dev = &root.dev_requires[..];
            let dev = if self.options.install.no_dev {
                &[]
            } else {
                dev
            };
            let names = root.requires.iter().chain(dev).map(|link| &link.target);
            if packages.is_empty() {
                packages = names.cloned().collect();
            } else {
                packages.retain(|package| names.clone().any(|name| name == package));
            }
        }
        let mut allow: Vec<String> = Vec::new();
        for package in packages {
            let package = package.to_ascii_lowercase();
            if allow.contains(&package) {
                continue;
            }
            allow.push(package);
        }
        allow
    }

    /// Returns the warnings about names and patterns that match nothing
    /// (`PoolBuilder::warnAboutNonMatchingUpdateAllowList`, composer 2.10.2).
    pub fn warnings(&self) -> Vec<String> {
        let root = &self.project.root.package;
        let requires = merged(&root.requires, &root.dev_requires);
        let locked = self.project.locked(true);
        let mut warnings = Vec::new();
        for pattern in self.allow() {
            let is_locked = locked.iter().any(|package| covers(&pattern, &package.name));
            let mut required = requires
                .iter()
                .filter(|link| covers(&pattern, &link.target));
            // Older versions of Composer take requirements on the platform for others.
            let counts = |link: &&&Link| !self.facts.knows_platform || !is_platform(&link.target);
            let has_platform = required.clone().next().is_some();
            if is_locked || required.any(|link| counts(&link)) {
                continue;
            }
            let text = if has_platform {
                "listed for update matches platform packages, but these cannot be updated by \
                 Composer."
            } else if pattern.contains('*') {
                "listed for update does not match any locked packages."
            } else {
                "listed for update is not locked."
            };
            let kind = if has_platform || pattern.contains('*') {
                "Pattern"
            } else {
                "Package"
            };
            warnings.push(format!("<warning>{kind} \"{pattern}\" {text}</warning>"));
        }
        warnings
    }

    /// Returns the packages that can't change: the project and the platform
    /// (`Installer::createRequest`, composer 2.10.2).
    fn fixed(&self, snapshot: &mut Snapshot) -> Result<Vec<GivenPackage>, Unfamiliar> {
        let root = &self.project.root.package;
        let mut fixed = Vec::new();
        push(&mut fixed, snapshot.root(root)?, root.alias.as_ref());
        let facts = self
            .habits
            .probe
            .as_ref()
            .and_then(|probe| probe.composer.as_ref());
        let platform = facts.map_or(&[][..], |facts| facts.platform.as_slice());
        let mut own: HashMap<String, Option<String>> = HashMap::new();
        for (name, version) in self.overrides {
            let lower = name.to_ascii_lowercase();
            if !is_platform(name) || own.contains_key(&lower) {
                return unfamiliar(format!("the platform version of {name}"));
            }
            let version = version.as_deref();
            let normalized = version.map(|version| {
                let normalized = normalize(self.habits.target.semver, version);
                normalized.ok_or_else(|| Unfamiliar(format!("the platform version of {name}")))
            });
            let normalized = normalized.transpose()?;
            if let Some(version) = &normalized {
                fixed.push(snapshot.platform(&lower, version, &[], &[])?);
            } else if lower == "php" {
                return unfamiliar("PHP is hidden");
            }
            own.insert(lower, normalized);
        }
        let php = own.get("php").cloned().flatten();
        for package in platform {
            if own.contains_key(&package.name) {
                continue;
            }
            let is_php = package.name.starts_with("php-");
            let (provides, replaces) = (&package.provides, &package.replaces);
            let (version, provides, replaces) = match php.as_deref().filter(|_| is_php) {
                Some(php) => (php, &[][..], &[][..]),
                None => (&*package.version, &provides[..], &replaces[..]),
            };
            fixed.push(snapshot.platform(&package.name, version, provides, replaces)?);
        }
        Ok(fixed)
    }

    /// Returns the packages of the lock with their aliases (`Locker::getLockedRepository`, composer
    /// 2.10.2).
    fn locked(&self, snapshot: &mut Snapshot) -> Result<Vec<GivenPackage>, Unfamiliar> {
        let mut locked = Vec::new();
        let mut places = HashMap::new();
        for package in self.project.locked(true) {
            let given = snapshot.package(package)?;
            push(&mut locked, given, package.alias.as_ref());
            if places
                .insert(package.name.clone(), locked.len() - 1)
                .is_some()
            {
                return unfamiliar(format!("{} is locked twice", package.name));
            }
        }
        for root_alias in &self.project.lock.aliases {
            if let Some(&place) = places.get(&root_alias.package) {
                let made = Alias {
                    version: root_alias.alias_normalized.clone(),
                    pretty_version: root_alias.alias.clone(),
                };
                let given = alias(&locked[place], place, &made, true);
                locked.push(given);
            }
        }
        Ok(locked)
    }

    /// Returns the aliases that requirements make. The last one of a version counts
    /// (`RepositorySet::getRootAliasesPerPackage`, composer 2.10.2).
    fn root_aliases(&self) -> Vec<(String, String, String)> {
        let mut aliases: Vec<(String, String, String)> = Vec::new();
        for one in &self.project.root.aliases {
            let (package, version) = (&one.package, &one.version);
            aliases.retain(|(name, of, _)| name != package || of != version);
            aliases.push((
                package.clone(),
                version.clone(),
                one.alias_normalized.clone(),
            ));
        }
        aliases
    }
}

/// Adds a package behind its alias, if it has one. So does `ArrayRepository::addPackage`.
fn push(list: &mut Vec<GivenPackage>, package: GivenPackage, own: Option<&Alias>) {
    if let Some(own) = own {
        list.push(alias(&package, list.len() + 1, own, false));
    }
    list.push(package);
}

/// Returns requirements with those for development, which take the place of others of the same name
/// (`array_merge`).
pub fn merged<'l>(requires: &'l [Link], dev: &'l [Link]) -> Vec<&'l Link> {
    let mut all: Vec<&Link> = requires.iter().collect();
    for link in dev {
        match all.iter_mut().find(|other| other.target == link.target) {
            Some(other) => *other = link,
            None => all.push(link),
        }
    }
    all
}

/// Returns whether a pattern with `*` covers a name.
fn covers(pattern: &str, name: &str) -> bool {
    let expression = format!("^(?:{})$", expression(pattern));
    regex::Regex::new(&expression).is_ok_and(|expression| expression.is_match(name))
}

/// Returns a pattern with `*` as a regular expression (`BasePackage::packageNameToRegexp`, composer
/// 2.10.2).
pub fn expression(pattern: &str) -> String {
    escape(pattern).replace("\\*", ".*")
}

/// Returns patterns as one regular expression; `None` if there is none.
pub fn any_of<'p>(patterns: impl Iterator<Item = &'p str>) -> Option<String> {
    let patterns: Vec<String> = patterns.map(expression).collect();
    (!patterns.is_empty()).then(|| format!("(?i)^(?:{})$", patterns.join("|")))
}

/// Returns the filter of requirements on the platform
/// (`IgnoreListPlatformRequirementFilter::__construct`, composer 2.10.2).
fn platform_filter(ignored: &Ignored) -> PlatformFilter {
    match ignored {
        Ignored::None => PlatformFilter::default(),
        Ignored::All => PlatformFilter {
            all: true,
            ..PlatformFilter::default()
        },
        Ignored::These(patterns) => {
            let whole = patterns.iter().filter(|pattern| !pattern.ends_with('+'));
            let bounds = patterns
                .iter()
                .filter_map(|pattern| pattern.strip_suffix('+'));
            PlatformFilter {
                all: false,
                names: any_of(whole.map(String::as_str)),
                upper_bounds: any_of(bounds),
            }
        }
    }
}

/// Returns whether an update takes its packages from the network at all.
pub fn loads_packages(problem: &Problem) -> bool {
    problem.reach != Reach::Listed
        || !problem.allow.is_empty()
        || problem.requires.iter().any(|(name, _)| !is_platform(name))
}

/// Returns the package of the lock with a name.
pub fn locked_package<'p>(project: &'p Project, name: &str, version: &str) -> Option<&'p Package> {
    let mut locked = project.locked(true).into_iter();
    locked.find(|package| package.name == name && package.version == version)
}
