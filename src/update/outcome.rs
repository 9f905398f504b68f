//! The new lock, made of the resolver's answer.

use std::collections::{HashMap, HashSet};

use allegro_composer::json::Json;
use allegro_composer::lock::{LockedAlias, NewLock};
use allegro_composer::operation_text::{
    full_pretty_version, install_text, uninstall_text, update_text,
};
use allegro_composer::package::{Alias, Link, Loader, Package, is_platform};
use allegro_composer::transaction::{Known, Operation, lock_operations};
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_composer::{content_hash, dialect::Dialect};

use super::problem::locked_package;
use super::references;
use super::repositories::Repositories;
use crate::install::closing::OperationNames;
use crate::install::project::Project;
use crate::protocol::resolve::ChosenPackage;

/// The packages of the new lock, and what changes.
pub struct Outcome {
    /// The packages, in the order of the answer.
    pub packages: Vec<Package>,
    /// Whether only `require-dev` needs each package.
    pub is_dev: Vec<bool>,
    /// Aliases that requirements of the project make, by package.
    root_aliases: HashMap<String, Vec<Alias>>,
    /// Operations between the old lock and the new one. Numbers of new packages are places in
    /// [`Self::packages`].
    pub operations: Vec<Operation>,
}

/// The part of an answer that the new lock is made of.
pub struct Solved<'a> {
    /// The chosen packages.
    pub packages: &'a [ChosenPackage],
    /// Aliases of these packages: name and normalized version.
    pub aliases: &'a [(String, String)],
    /// The entries of chosen packages that repositories have, as JSON.
    pub texts: &'a [String],
}

impl Outcome {
    /// Makes the packages of an answer.
    pub fn of(
        solved: &Solved<'_>,
        project: &Project,
        repositories: &Repositories,
        dialect: Dialect,
        compares_abandoned: bool,
    ) -> Result<Self, Unfamiliar> {
        let mut loader = Loader::new(dialect);
        let mut texts = solved.texts.iter();
        let has_dev = !project.root.package.dev_requires.is_empty();
        let mut packages = Vec::with_capacity(solved.packages.len());
        let mut is_dev = Vec::with_capacity(solved.packages.len());
        for chosen in solved.packages {
            let mut package = if let Some(repository) = chosen.repository {
                let gone = || Unfamiliar(format!("{} has no entry", chosen.name));
                let repository = repositories.list.get(repository).ok_or_else(gone)?;
                let text = texts.next().ok_or_else(gone)?;
                let url = repository.notification_url.as_deref();
                loader.load(entry(chosen, text, url)?)?
            } else {
                let kept = locked_package(project, &chosen.name, &chosen.version);
                let gone = || Unfamiliar(format!("{} is not in the lock", chosen.name));
                kept.ok_or_else(gone)?.clone()
            };
            if package.name != chosen.name || package.version != chosen.version {
                return unfamiliar(format!("the entry of {} is unusual", chosen.name));
            }
            let references = &project.root.references;
            let reference = references.iter().find(|(name, _)| *name == package.name);
            if let Some((_, reference)) = reference.filter(|_| chosen.repository.is_some()) {
                references::set(&mut package, reference);
            }
            check(&package)?;
            packages.push(package);
            is_dev.push(match chosen.is_dev {
                Some(is_dev) => is_dev,
                None if !has_dev => false,
                None => return unfamiliar("a solver must tell what development needs"),
            });
        }
        let root_aliases = root_aliases(&packages, solved.aliases)?;
        let old_packages = project.locked(true);
        let mut old_aliases: HashMap<String, Vec<Alias>> = HashMap::new();
        for alias in &project.lock.aliases {
            let list = old_aliases.entry(alias.package.clone()).or_default();
            list.push(Alias {
                version: alias.alias_normalized.clone(),
                pretty_version: alias.alias.clone(),
            });
        }
        let old = Known::all(&old_packages, &old_aliases);
        let new: Vec<&Package> = packages.iter().collect();
        let operations =
            lock_operations(&old, &Known::all(&new, &root_aliases), compares_abandoned);
        Ok(Self {
            packages,
            is_dev,
            root_aliases,
            operations,
        })
    }

    /// Returns the new lock.
    pub fn lock<'a>(&'a self, project: &'a Project, settings: &LockSettings<'a>) -> NewLock<'a> {
        let list = |wanted: bool| {
            let packages = self.packages.iter().zip(&self.is_dev);
            let packages = packages.filter(|(_, is_dev)| **is_dev == wanted);
            packages.map(|(package, _)| package).collect()
        };
        let root = &project.root;
        NewLock {
            content_hash: content_hash(&project.manifest),
            packages: list(false),
            packages_dev: list(true),
            aliases: self.locked_aliases(&root.aliases),
            minimum_stability: root.minimum_stability,
            stability_flags: root.stability_flags.clone(),
            prefer_stable: settings.prefer_stable,
            prefer_lowest: settings.prefer_lowest,
            platform: platform_requirements(&root.package, "require", &root.package.requires),
            platform_dev: platform_requirements(
                &root.package,
                "require-dev",
                &root.package.dev_requires,
            ),
            platform_overrides: settings.platform_overrides.to_vec(),
            plugin_api_version: settings.plugin_api_version,
            has_objects: settings.has_objects,
            dialect: settings.dialect,
        }
    }

    /// Returns the aliases of the project that are in use. Composer compares them with aliases of
    /// packages by name alone (`LockTransaction::getAliases`, composer 2.10.2).
    fn locked_aliases(&self, all: &[LockedAlias]) -> Vec<LockedAlias> {
        let mut named: HashSet<&str> = self
            .packages
            .iter()
            .filter(|package| package.alias.is_some())
            .map(|package| package.name.as_str())
            .collect();
        named.extend(self.root_aliases.keys().map(String::as_str));
        let used = all
            .iter()
            .filter(|alias| named.contains(alias.package.as_str()));
        let mut used: Vec<LockedAlias> = used.cloned().collect();
        used.sort_by(|one, other| one.package.cmp(&other.package));
        used
    }

    /// Returns the names and versions of the packages, with those for development if wanted.
    pub fn versions(&self, with_dev: bool) -> Vec<(&str, &str)> {
        let packages = self.packages.iter().zip(&self.is_dev);
        let packages = packages.filter(|(_, is_dev)| with_dev || !**is_dev);
        packages
            .map(|(package, _)| (package.name.as_str(), package.version.as_str()))
            .collect()
    }

    /// Returns the names of changed packages, in the order of the operations.
    pub fn names(&self, project: &Project, dialect: Dialect) -> OperationNames {
        let old = project.locked(true);
        let named = |package: &Package| {
            format!(
                "{}:{}",
                package.pretty_name,
                full_pretty_version(package, dialect)
            )
        };
        let mut names = OperationNames::default();
        for operation in &self.operations {
            match *operation {
                Operation::Install(to) => names.installs.push(named(&self.packages[to])),
                Operation::Update { to, .. } => names.updates.push(named(&self.packages[to])),
                Operation::Uninstall(from) => names.removals.push(old[from].pretty_name.clone()),
                Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
            }
        }
        names
    }

    /// Returns the lines about changed packages: removals first, and each part sorted by name.
    pub fn lines(&self, project: &Project, dialect: Dialect) -> Vec<String> {
        let old = project.locked(true);
        let mut lines: Vec<(bool, &str, String)> = Vec::new();
        for operation in &self.operations {
            match *operation {
                Operation::Install(to) => {
                    let package = &self.packages[to];
                    let text = install_text(package, dialect).replacen("Installing", "Locking", 1);
                    lines.push((true, &package.name, text));
                }
                Operation::Update { from, to } => {
                    let package = &self.packages[to];
                    lines.push((
                        true,
                        &package.name,
                        update_text(old[from], package, dialect),
                    ));
                }
                Operation::Uninstall(from) => {
                    lines.push((false, &old[from].name, uninstall_text(old[from], dialect)));
                }
                Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
            }
        }
        lines.sort_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
        let lines = lines.into_iter();
        lines.map(|(_, _, text)| format!("  - {text}")).collect()
    }

    /// Returns the number of suggestions of new packages that are not followed
    /// (`SuggestedPackagesReporter::getFilteredSuggestions`, composer 2.10.2).
    ///
    /// `platform` has the names of platform packages.
    pub fn suggestions(
        &self,
        project: &Project,
        dev_mode: bool,
        platform: &HashSet<String>,
    ) -> usize {
        let mut sources: Vec<&Package> = self
            .operations
            .iter()
            .filter_map(|operation| match *operation {
                Operation::Install(to) => Some(&self.packages[to]),
                _ => None,
            })
            .collect();
        let root = &project.root.package;
        if project.installed_text.is_none() {
            sources.push(root);
        }
        let suggested: Vec<&str> = sources
            .iter()
            .flat_map(|package| package.entry.entries_at("suggest"))
            .map(|(name, _)| name.as_str())
            .collect();
        if suggested.is_empty() {
            return 0;
        }
        let packages = self.packages.iter().zip(&self.is_dev);
        let packages = packages.filter(|(_, is_dev)| dev_mode || !**is_dev);
        let names: HashSet<&str> = packages
            .map(|(package, _)| package)
            .chain([root])
            .flat_map(|package| {
                let links = package.provides.iter().chain(&package.replaces);
                let links = links.map(|link| link.target.as_str());
                std::iter::once(package.name.as_str()).chain(links)
            })
            .collect();
        let is_open = |name: &&&str| !names.contains(**name) && !platform.contains(**name);
        suggested.iter().filter(is_open).count()
    }
}

/// The values of a lock that neither the packages nor the manifest decide alone.
pub struct LockSettings<'a> {
    /// Whether stable versions are preferred.
    pub prefer_stable: bool,
    /// Whether the lowest versions are preferred.
    pub prefer_lowest: bool,
    /// Versions of platform packages that the configuration sets.
    pub platform_overrides: &'a [(String, Option<String>)],
    /// Version of Composer's plugin API.
    pub plugin_api_version: &'a str,
    /// Whether empty lists of names are written as objects.
    pub has_objects: bool,
    /// Differences in what Composer records.
    pub dialect: Dialect,
}

/// Returns the entry of a repository as Composer makes a package of it
/// (`ComposerRepository::createPackages`, composer 2.10.2).
fn entry(chosen: &ChosenPackage, text: &str, url: Option<&str>) -> Result<Json, Unfamiliar> {
    let mut entry = Json::read(&chosen.name, text)?;
    entry.set("version_normalized", Json::str(chosen.version.as_str()));
    let is_null = |value: Option<&Json>| value.is_none_or(|value| *value == Json::Null);
    if is_null(entry.get("notification-url"))
        && let Some(url) = url
    {
        entry.set("notification-url", Json::str(url));
    }
    // Links to the package itself are left out (`ArrayLoader::configureCachedLinks`).
    for key in ["require", "conflict", "provide", "replace", "require-dev"] {
        if let Some(Json::Object(links)) = entry.get_mut(key) {
            links.retain(|(target, _)| !target.eq_ignore_ascii_case(&chosen.name));
        }
    }
    // The options of a package are those of its repository, and mirrors too.
    entry.remove("transport-options");
    if let Some(dist) = entry.get_mut("dist") {
        dist.remove("mirrors");
    }
    Ok(entry)
}

/// Checks that nothing about a package is unusual.
fn check(package: &Package) -> Result<(), Unfamiliar> {
    let name = &package.name;
    let options = package.entry.get("transport-options");
    if options.is_some_and(|options| options.get("ssl").is_some()) {
        return unfamiliar(format!("{name} has certificates of its own"));
    }
    if package.entry.get("installation-source").is_some() {
        return unfamiliar(format!("{name} has an installation source"));
    }
    if !package.entry.items_at("suggest").is_empty() {
        return unfamiliar(format!("{name} has a list of suggestions"));
    }
    if package.pretty_version.contains(['<', '\\']) {
        return unfamiliar(format!("the version of {name} is unusual"));
    }
    Ok(())
}

/// Returns the aliases in an answer that are not the packages' own.
fn root_aliases(
    packages: &[Package],
    aliases: &[(String, String)],
) -> Result<HashMap<String, Vec<Alias>>, Unfamiliar> {
    let mut seen = HashSet::new();
    let mut found: HashMap<String, Vec<Alias>> = HashMap::new();
    let own: HashMap<&str, &str> = packages
        .iter()
        .filter_map(|package| {
            let alias = package.alias.as_ref()?;
            Some((package.name.as_str(), alias.version.as_str()))
        })
        .collect();
    for (name, version) in aliases {
        if !seen.insert((name.as_str(), version.as_str())) {
            return unfamiliar(format!("{name} has two aliases {version}"));
        }
        if own.get(name.as_str()) != Some(&version.as_str()) {
            found.entry(name.clone()).or_default().push(Alias {
                version: version.clone(),
                pretty_version: version.clone(),
            });
        }
    }
    if let Some((name, _)) = own.into_iter().find(|alias| !seen.contains(alias)) {
        return unfamiliar(format!("the alias of {name} is not chosen"));
    }
    Ok(found)
}

/// Returns the requirements on the platform as they are written
/// (`Installer::extractPlatformRequirements`).
fn platform_requirements(root: &Package, key: &str, links: &[Link]) -> Vec<(String, String)> {
    let entries = root.entry.entries_at(key);
    let links = links.iter().filter(|link| is_platform(&link.target));
    links
        .map(|link| {
            let mut written = entries.iter().rev();
            let written = written.find(|(name, _)| name.eq_ignore_ascii_case(&link.target));
            let written = written.and_then(|(_, text)| text.as_str());
            (
                link.target.clone(),
                written.unwrap_or(&link.constraint).to_owned(),
            )
        })
        .collect()
}
