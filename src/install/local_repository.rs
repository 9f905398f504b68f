//! The repository of installed packages, in the order in which Composer has it while the operations
//! of an install are carried out (`InstalledFilesystemRepository`, composer 2.10.2).

use std::collections::HashMap;

use allegro_composer::installed::{Member, Present, Record};
use allegro_composer::package::{Alias, Package};
use allegro_composer::transaction::Operation;

use super::decide::Steps;
use super::project::Project;

/// A member of the repository.
#[derive(Debug, Clone, Copy)]
enum Entry<'a> {
    /// A package and the place that it was installed from.
    Package(&'a Package, Option<&'a str>),
    /// An alias of a package.
    Alias(&'a Package, &'a Alias),
}

/// The installed packages and their aliases.
#[derive(Debug)]
pub struct LocalRepository<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> LocalRepository<'a> {
    /// Returns the repository as it is read from `installed.json`.
    pub fn new(installed: &'a [Record]) -> Self {
        let mut entries = Vec::with_capacity(installed.len());
        for record in installed {
            // An alias is added before the package that it names (`ArrayRepository::addPackage`).
            if let Some(alias) = &record.package.alias {
                entries.push(Entry::Alias(&record.package, alias));
            }
            let source = record.installation_source.as_deref();
            entries.push(Entry::Package(&record.package, source));
        }
        Self { entries }
    }

    /// Returns the repository after all operations.
    pub fn after(project: &'a Project, steps: &'a Steps<'a>) -> Self {
        let mut repository = Self::new(&project.installed);
        for &operation in &steps.operations {
            repository.apply(
                operation,
                &project.installed,
                &steps.locked,
                &steps.root_aliases,
            );
        }
        repository
    }

    /// Changes the repository as an operation does.
    pub fn apply(
        &mut self,
        operation: Operation,
        installed: &'a [Record],
        locked: &[&'a Package],
        root_aliases: &'a HashMap<String, Vec<Alias>>,
    ) {
        match operation {
            Operation::Install(to) => self.add(locked[to]),
            Operation::Update { from, to } => {
                self.remove(&installed[from].package);
                self.add(locked[to]);
            }
            Operation::Uninstall(from) => self.remove(&installed[from].package),
            Operation::MarkAliasInstalled(to) => {
                let package = locked[to];
                let root_aliases = root_aliases.get(&package.name).into_iter().flatten();
                let mut aliases: Vec<_> = package.alias.iter().chain(root_aliases).collect();
                // Composer sorts aliases downward, and takes the last one first
                // (`Transaction::setResultPackageMaps`).
                aliases.sort_by(|left, right| left.version.cmp(&right.version));
                for alias in aliases {
                    if !self.has_alias(package, alias) {
                        self.entries.push(Entry::Alias(package, alias));
                    }
                }
            }
            Operation::MarkAliasUninstalled(from) => {
                let package = &installed[from].package;
                self.entries.retain(|entry| {
                    !matches!(entry, Entry::Alias(other, alias)
                        if other.name == package.name
                            && package.alias.as_ref().is_some_and(|gone| gone.version == alias.version))
                });
            }
        }
    }

    fn add(&mut self, package: &'a Package) {
        let source = (!package.is_metapackage()).then_some("dist");
        self.entries.push(Entry::Package(package, source));
    }

    fn remove(&mut self, package: &Package) {
        self.entries.retain(
            |entry| !matches!(entry, Entry::Package(other, _) if other.name == package.name),
        );
    }

    fn has_alias(&self, package: &Package, alias: &Alias) -> bool {
        self.entries.iter().any(|entry| {
            matches!(entry, Entry::Alias(other, known)
                if other.name == package.name && known.version == alias.version)
        })
    }

    /// Returns all packages without aliases, in the order of the repository.
    pub fn packages(&self) -> impl Iterator<Item = &'a Package> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Package(package, _) => Some(*package),
            Entry::Alias(..) => None,
        })
    }

    /// Returns each package once, at the place where its name first occurs
    /// (`ArrayRepository::getCanonicalPackages`).
    pub fn canonical_packages(&self) -> Vec<&'a Package> {
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(self.entries.len());
        let mut found: Vec<(bool, &'a Package)> = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let (is_package, package) = match entry {
                Entry::Package(package, _) => (true, *package),
                Entry::Alias(package, _) => (false, *package),
            };
            match places.get(package.name.as_str()) {
                None => {
                    places.insert(&package.name, found.len());
                    found.push((is_package, package));
                }
                Some(&place) if !found[place].0 => found[place] = (is_package, package),
                Some(_) => {}
            }
        }
        found.into_iter().map(|(_, package)| package).collect()
    }

    /// Returns the members for the files that record them, with the absolute paths of the packages.
    pub fn members<'p>(&self, paths: &'p HashMap<&str, String>) -> Vec<Member<'p>>
    where
        'a: 'p,
    {
        self.entries
            .iter()
            .map(|entry| match *entry {
                Entry::Package(package, installation_source) => Member::Package(Present {
                    package,
                    installation_source,
                    path: paths.get(package.name.as_str()).map(String::as_str),
                }),
                Entry::Alias(package, alias) => Member::Alias(package, alias),
            })
            .collect()
    }
}
