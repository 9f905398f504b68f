//! Holds the packages of the registry, and the archives made of them.

mod fit;
mod generate;
mod layout;
mod lock;
mod older;
mod semver;
mod store;
mod trees;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::archive::{Format, Mode};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::project::{Project, ProjectOptions};
use crate::spec::{FileSpec, PackageSpec, Role};

pub use generate::{GenSpec, Profile};
pub use lock::LockOptions;
pub(crate) use lock::path_package;
pub use older::OlderOptions;
pub use store::Archive;
pub use trees::TreeOptions;

/// A package that can be downloaded.
#[derive(Debug, Clone)]
pub struct Package {
    /// Specification of the archive's content.
    pub spec: PackageSpec,
    /// Entry of the package in a lock, with its original dist.
    pub entry: Json,
    /// Format of the dist in projects.
    pub format: Format,
}

/// Sizes of a catalog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Number of packages with an archive.
    pub packages: usize,
    /// Number of their files.
    pub files: usize,
    /// Number of directories of an installation: the packages' roots, and the directories below
    /// them.
    pub dirs: usize,
    /// Unpacked size of the files in bytes. It is known only after the archives are made.
    pub bytes: u64,
    /// Size of the archives in bytes.
    pub archive_bytes: u64,
}

/// A set of packages, with the project that requires them.
#[derive(Debug, Default)]
pub struct Catalog {
    project: Project,
    packages: Vec<Package>,
    /// Positions of packages by name.
    index: HashMap<String, Vec<usize>>,
    store: store::Store,
}

impl Catalog {
    /// Makes a catalog without packages, whose project requires nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a catalog of everything that the lock of a project names.
    pub fn from_lock(project: &Project, options: &LockOptions) -> Result<Self> {
        lock::catalog(project, options)
    }

    /// Makes a catalog of a project and packages from a size and a seed alone.
    pub fn generated(spec: &GenSpec) -> Self {
        generate::catalog(spec)
    }

    /// Makes a catalog of real source trees on disk, with one package for every `composer.json`
    /// found.
    pub fn from_trees(options: &TreeOptions) -> Result<Self> {
        trees::catalog(options)
    }

    pub(crate) fn of(project: Project, packages: Vec<Package>) -> Self {
        let mut catalog = Self {
            project,
            ..Self::default()
        };
        for package in packages {
            catalog.add(package);
        }
        catalog
    }

    /// Keeps archives in this directory between runs. Large ones are then not held in memory.
    #[must_use]
    pub fn with_cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.store = store::Store::in_dir(dir.into());
        self
    }

    /// Returns the project that requires the packages.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Returns all packages.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Adds a package, in place of one with the same name, version and reference.
    pub fn add(&mut self, package: Package) {
        if let Some(at) = self.position(
            &package.spec.name,
            &package.spec.version,
            &package.spec.reference,
        ) {
            self.packages[at] = package;
            return;
        }
        let positions = self.index.entry(package.spec.name.clone()).or_default();
        positions.push(self.packages.len());
        self.packages.push(package);
    }

    /// Adds a package with given files: path, bytes, executable. The entry needs `name` and
    /// `version`. Its manifest is among the files, or else made from the entry.
    ///
    /// Returns the lock entry, for [`ProjectOptions::extra_packages`].
    pub fn add_files(&mut self, entry: Json, files: Vec<(String, Vec<u8>, bool)>) -> Result<Json> {
        let files = files
            .into_iter()
            .map(|(path, bytes, executable)| FileSpec {
                size: bytes.len(),
                mode: if executable {
                    Mode::Executable
                } else {
                    Mode::Plain
                },
                role: Role::Bytes(bytes),
                path,
            })
            .collect();
        self.add_specs(entry, files)
    }

    /// Adds the tree at `dir` as one package, without the files that `skip` names (paths below
    /// `dir`).
    pub fn add_tree(&mut self, entry: Json, dir: &Path, skip: &[&str]) -> Result<Json> {
        let files = trees::files(dir, skip)?;
        self.add_specs(entry, files)
    }

    fn add_specs(&mut self, entry: Json, mut files: Vec<FileSpec>) -> Result<Json> {
        let name = entry
            .str_at("name")
            .ok_or_else(|| Error::format("a package entry", "has no name"))?
            .to_owned();
        let version = entry
            .str_at("version")
            .ok_or_else(|| Error::format(&name, "has no version"))?
            .to_owned();
        let manifest = lock::manifest_of(&entry);
        if !files.iter().any(|file| file.path == "composer.json") {
            files.push(FileSpec::new("composer.json", 0, Role::Manifest));
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let mut spec = PackageSpec {
            name,
            version,
            reference: String::new(),
            top_folder: true,
            manifest,
            plugins: Vec::new(),
            files,
            times: None,
        };
        spec.reference = match entry.get("dist").and_then(|dist| dist.str_at("reference")) {
            Some(reference) => reference.to_owned(),
            None => store::sha1_hex(spec.fingerprint().as_bytes()),
        };
        let entry = lock::with_dist(entry, &spec.reference);
        self.add(Package {
            spec,
            entry: entry.clone(),
            format: Format::Zip,
        });
        Ok(entry)
    }

    /// Gives every version of `name` another dist format.
    pub fn set_format(&mut self, name: &str, format: Format) -> Result<()> {
        let positions = self
            .index
            .get(name)
            .ok_or_else(|| Error::UnknownPackage(name.to_owned()))?;
        for at in positions {
            self.packages[*at].format = format;
        }
        Ok(())
    }

    /// Returns the package with this name and reference.
    pub fn find(&self, name: &str, reference: &str) -> Option<&Package> {
        self.versions(name)
            .find(|package| package.spec.reference == reference)
    }

    /// Returns all versions of a package.
    pub fn versions(&self, name: &str) -> impl Iterator<Item = &Package> {
        self.index
            .get(name)
            .into_iter()
            .flatten()
            .map(|at| &self.packages[*at])
    }

    /// Returns the names of all packages, including those without an archive, sorted.
    pub fn names(&self) -> Vec<&str> {
        let bare = self.project.entries().filter(|entry| is_metapackage(entry));
        let mut names: Vec<&str> = bare.filter_map(|entry| entry.str_at("name")).collect();
        names.extend(self.index.keys().map(String::as_str));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns the lock entries of a package in all its versions, with their original dists.
    pub(crate) fn entries<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a Json, Option<&'a Package>)> {
        let bare = self.project.entries().filter(move |entry| {
            is_metapackage(entry)
                && entry
                    .str_at("name")
                    .is_some_and(|own| own.eq_ignore_ascii_case(name))
        });
        self.versions(name)
            .map(|package| (&package.entry, Some(package)))
            .chain(bare.map(|entry| (entry, None)))
    }

    fn position(&self, name: &str, version: &str, reference: &str) -> Option<usize> {
        let same = |at: &&usize| {
            let spec = &self.packages[**at].spec;
            spec.version == version && spec.reference == reference
        };
        self.index.get(name)?.iter().find(same).copied()
    }

    /// Returns the archive of a package, and makes it if needed.
    pub fn archive(&self, package: &Package, format: Format) -> Result<Arc<Archive>> {
        self.store.archive(&package.spec, format)
    }

    /// Returns the bytes of an archive that is already made and in memory.
    pub(crate) fn ready(&self, package: &Package, format: Format) -> Option<bytes::Bytes> {
        let archive = self.store.made(&package.spec, format)?;
        (!archive.is_on_disk()).then(|| archive.bytes().ok())?
    }

    /// Makes all archives, on all cores.
    pub fn warm(&self) -> Result<()> {
        let mut all: Vec<&Package> = self.packages.iter().collect();
        // The largest archives come first, so that no core is left with a long one at the end.
        all.sort_by_key(|package| {
            std::cmp::Reverse(
                package
                    .spec
                    .files
                    .iter()
                    .map(|file| file.size)
                    .sum::<usize>(),
            )
        });
        all.par_iter()
            .with_max_len(1)
            .try_for_each(|package| self.archive(package, package.format).map(drop))
    }

    /// Counts packages, files and bytes. For that it makes the archives.
    pub fn stats(&self) -> Result<Stats> {
        self.warm()?;
        let mut stats = Stats {
            packages: self.packages.len(),
            ..Stats::default()
        };
        for package in &self.packages {
            let archive = self.archive(package, package.format)?;
            stats.files += package
                .spec
                .files
                .iter()
                .filter(|file| file.role != Role::Dir)
                .count();
            stats.dirs += package.spec.directories() + 1;
            stats.bytes += archive.unpacked;
            stats.archive_bytes += archive.len();
        }
        Ok(stats)
    }

    /// Writes `composer.json`, `composer.lock` and the files that they refer to for this catalog's
    /// project, which a server at `base_url` serves.
    pub fn write_project(
        &self,
        dir: &Path,
        base_url: &str,
        options: &ProjectOptions,
    ) -> Result<()> {
        crate::project::write(&self.project, self, dir, base_url, options)
    }

    /// Writes another state of the project, as [`Catalog::add_older`] returns it.
    pub fn write_project_state(
        &self,
        state: &Project,
        dir: &Path,
        base_url: &str,
        options: &ProjectOptions,
    ) -> Result<()> {
        crate::project::write(state, self, dir, base_url, options)
    }

    /// Derives an earlier state of the project, and adds the packages that only that state has.
    pub fn add_older(&mut self, options: &OlderOptions) -> Project {
        let (project, packages) = older::derive(self, options);
        for package in packages {
            self.add(package);
        }
        project
    }
}

fn is_metapackage(entry: &Json) -> bool {
    entry.str_at("type") == Some("metapackage")
}
