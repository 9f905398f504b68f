//! The registry of projects: which project has which packages, and when a run last used it.
//!
//! Allegro uses the registry to name the projects of a damaged blob, to know during pruning which
//! packages are in use, and to tell what the store saves.
//!
//! A record is on disk as a sealed [`Stored`] (see [`Record::Root`]), one for each vendor directory.
//! Records of the former version are read as well (see `former.rs`).

mod former;
mod installed;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::link::Method;
use super::{Bucket, Digest, Record, Store, directory_name};
use allegro_base::error::Result;
use allegro_composer::ManifestKey;

pub(super) use installed::Installed;

/// The time for which the last use of a project need not be written again, in seconds.
const A_DAY: u64 = 24 * 60 * 60;

/// A project that has packages from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Directory of `composer.json`. It is absent where the writer knew only the vendor directory.
    pub root: Option<PathBuf>,
    /// Vendor directory, or the own directory of a package outside of it. It identifies the record.
    pub vendor_dir: PathBuf,
    /// When a run last used the project, in seconds since 1970.
    pub last_used: u64,
    /// Digest of the lock file that the packages are from, if they are all packages of one.
    pub lock: Option<Digest>,
    /// The "lowest" method that put shared files into the project, if it is known.
    pub method: Option<Method>,
    /// Packages of the project.
    pub packages: Vec<ProjectPackage>,
}

/// A package of a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProjectPackage {
    /// Name of the package. It is empty in records of former versions.
    pub name: String,
    /// Pretty version of the package. It is empty in records of former versions.
    pub version: String,
    /// Key of the package's manifest.
    pub key: ManifestKey,
    /// Size of all files in bytes, if the writer knew it.
    pub bytes: Option<u64>,
}

/// A project's record on disk. Paths are bytes, because they need not be UTF-8.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    root: Option<Vec<u8>>,
    vendor_dir: Vec<u8>,
    last_used: u64,
    lock: Option<Digest>,
    method: Option<Method>,
    packages: Vec<ProjectPackage>,
}

impl Project {
    /// Returns the directory by which people know the project.
    pub fn directory(&self) -> &Path {
        self.root.as_deref().unwrap_or(&self.vendor_dir)
    }

    /// Returns whether the project's directory is gone. A directory that can't be looked at, for
    /// example on a disk that fails, is not gone.
    fn is_gone(&self) -> bool {
        match fs::metadata(self.directory()) {
            Ok(facts) => !facts.is_dir(),
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ),
        }
    }

    /// Adds packages. Each takes the place of another version, because a project has one version
    /// of a package. The last of two versions stays.
    fn add(&mut self, packages: &[ProjectPackage]) {
        let (mut keys, mut names) = (HashSet::new(), HashSet::new());
        let mut is_new = |package: &ProjectPackage| {
            let is_new = !keys.contains(&package.key)
                && (package.name.is_empty() || !names.contains(&package.name));
            keys.insert(package.key);
            names.insert(package.name.clone());
            is_new
        };
        let mut added: Vec<ProjectPackage> = packages
            .iter()
            .rev()
            .filter(|package| is_new(package))
            .cloned()
            .collect();
        added.reverse();
        self.packages.retain(|known| {
            !keys.contains(&known.key) && (known.name.is_empty() || !names.contains(&known.name))
        });
        self.packages.append(&mut added);
    }

    fn is_same_but_for_the_time(&self, other: &Self) -> bool {
        let (mut one, mut other) = (self.clone(), other.clone());
        one.last_used = other.last_used;
        one.packages.sort();
        other.packages.sort();
        one == other
    }

    fn to_stored(&self) -> Stored {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        let mut packages = self.packages.clone();
        packages.sort();
        Stored {
            root: self.root.as_deref().map(bytes),
            vendor_dir: bytes(&self.vendor_dir),
            last_used: self.last_used,
            lock: self.lock,
            method: self.method,
            packages,
        }
    }

    fn from_stored(stored: Stored) -> Self {
        let path = |bytes: Vec<u8>| PathBuf::from(OsString::from_vec(bytes));
        Self {
            root: stored.root.map(path),
            vendor_dir: path(stored.vendor_dir),
            last_used: stored.last_used,
            lock: stored.lock,
            method: stored.method,
            packages: stored.packages,
        }
    }
}

/// All records of the registry.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// Projects whose directory exists, by vendor directory.
    pub(super) living: Vec<Project>,
    /// Paths of the records of living projects.
    pub(super) paths: Vec<PathBuf>,
    /// Records of other projects, and records that can't be read.
    pub(super) gone: Vec<Gone>,
}

/// A record that no project needs any more.
#[derive(Debug)]
pub(super) struct Gone {
    /// Project of the record, if the record is readable.
    pub(super) project: Option<Project>,
    /// Paths of the record in this version's form and in the former one.
    pub(super) paths: Vec<PathBuf>,
}

/// Returns the current time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn place(vendor_dir: &Path) -> String {
    Record::Root.place(&directory_name(vendor_dir))
}

impl Store {
    /// Returns the record of the project with this vendor directory, if there is one.
    pub fn project(&self, vendor_dir: &Path) -> Option<Project> {
        let project = self.read_project(&place(vendor_dir));
        let former = self.read_former(&directory_name(vendor_dir));
        match (project, former) {
            (Some(project), Some(former)) => Some(former::merged(project, former)),
            (project, former) => project.or(former),
        }
    }

    fn read_project(&self, place: &str) -> Option<Project> {
        self.read_sealed(Record::Root, place)
            .map(Project::from_stored)
    }

    /// Records a project with all of its packages, in one write. Returns whether a write was
    /// needed: a record that says the same is written again only after a day.
    pub fn note_project(&self, project: &Project) -> Result<bool> {
        let known = self.project(&project.vendor_dir);
        if let Some(known) = &known {
            if known.is_same_but_for_the_time(project)
                && known.last_used.abs_diff(project.last_used) < A_DAY
            {
                return Ok(false);
            }
            self.note_last_use(known, Some(project));
        }
        self.write_project(project)?;
        Ok(true)
    }

    /// Records that a run has found the project as its lock file says. Returns whether the record
    /// is that of this lock file. If not, [`Self::note_project`] must write it.
    pub fn touch_project(&self, vendor_dir: &Path, lock: &Digest) -> Result<bool> {
        let Some(mut known) = self.project(vendor_dir) else {
            return Ok(false);
        };
        if known.lock != Some(*lock) {
            return Ok(false);
        }
        let now = now();
        if known.last_used.abs_diff(now) >= A_DAY {
            known.last_used = now;
            self.write_project(&known)?;
        }
        Ok(true)
    }

    /// Records that these packages were installed below a vendor directory. The other packages of
    /// the record stay, because the caller doesn't know them.
    pub fn note_packages(
        &self,
        vendor_dir: &Path,
        packages: &[ProjectPackage],
        method: Option<Method>,
    ) -> Result<bool> {
        let mut project = self.project(vendor_dir).unwrap_or_else(|| Project {
            root: None,
            vendor_dir: vendor_dir.to_owned(),
            last_used: 0,
            lock: None,
            method: None,
            packages: Vec::new(),
        });
        let before = project.packages.clone();
        project.add(packages);
        if !is_same_set(&before, &project.packages) {
            project.lock = None;
        }
        project.method = project.method.max(method);
        project.last_used = now();
        self.note_project(&project)
    }

    /// Removes the record of a project. Its packages are unused then, unless another project has
    /// them.
    pub fn forget_project(&self, vendor_dir: &Path) {
        let name = directory_name(vendor_dir);
        if let Some(project) = self.project(vendor_dir) {
            self.note_last_use(&project, None);
        }
        for path in [Record::Root.place(&name), former::place(&name)] {
            let _ = fs::remove_file(self.root().join(path));
        }
    }

    /// Forgets the projects whose directories are gone, and returns these directories. Records that
    /// can't be read go too.
    pub fn forget_gone_projects(&self) -> Vec<PathBuf> {
        let mut forgotten = Vec::new();
        for gone in self.registry().gone {
            if let Some(project) = &gone.project {
                self.note_last_use(project, None);
                forgotten.push(project.directory().to_owned());
            }
            for path in gone.paths {
                let _ = fs::remove_file(path);
            }
        }
        forgotten
    }

    fn write_project(&self, project: &Project) -> Result<()> {
        let name = directory_name(&project.vendor_dir);
        let place = Record::Root.place(&name);
        self.write_sealed(Record::Root, &place, &project.to_stored())?;
        // The new record holds what the former one held.
        let _ = fs::remove_file(self.root().join(former::place(&name)));
        Ok(())
    }

    /// Keeps the last use of packages that a project gives up. Without a project, the modification
    /// time of a manifest says when its package was last used.
    pub(super) fn note_last_use(&self, known: &Project, next: Option<&Project>) {
        let kept: BTreeSet<ManifestKey> = next
            .into_iter()
            .flat_map(|next| next.packages.iter().map(|package| package.key))
            .collect();
        let last_used = UNIX_EPOCH + Duration::from_secs(known.last_used);
        for package in &known.packages {
            let path = self.manifest_path(&package.key);
            if kept.contains(&package.key) {
                continue;
            }
            let is_older = fs::metadata(&path)
                .and_then(|facts| facts.modified())
                .is_ok_and(|moment| moment < last_used);
            if is_older && let Ok(file) = File::open(&path) {
                let _ = file.set_modified(last_used);
            }
        }
    }

    /// Returns all projects on record that still exist, by vendor directory.
    pub fn projects(&self) -> Vec<Project> {
        self.registry().living
    }

    pub(super) fn registry(&self) -> Registry {
        let mut projects: BTreeMap<PathBuf, (Project, Vec<PathBuf>)> = BTreeMap::new();
        let mut registry = Registry::default();
        let mut take = |project: Option<Project>, path: PathBuf| match project {
            Some(project) => match projects.remove(&project.vendor_dir) {
                Some((known, mut paths)) => {
                    paths.push(path);
                    let vendor_dir = known.vendor_dir.clone();
                    projects.insert(vendor_dir, (former::merged(known, project), paths));
                }
                None => {
                    projects.insert(project.vendor_dir.clone(), (project, vec![path]));
                }
            },
            None => registry.gone.push(Gone {
                project: None,
                paths: vec![path],
            }),
        };
        for (name, path) in names(&self.bucket(Bucket::Roots)) {
            take(self.read_project(&Record::Root.place(&name)), path);
        }
        for (name, path) in names(&self.root().join(former::BUCKET)) {
            take(self.read_former(&name), path);
        }
        for (project, paths) in projects.into_values() {
            if project.is_gone() {
                registry.gone.push(Gone {
                    project: Some(project),
                    paths,
                });
            } else {
                registry.living.push(project);
                registry.paths.extend(paths);
            }
        }
        registry
    }

    /// Returns the directories of projects that have this package and still exist.
    pub fn projects_with(&self, key: &ManifestKey) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = self
            .projects()
            .into_iter()
            .filter(|project| project.packages.iter().any(|package| package.key == *key))
            .map(|project| project.directory().to_owned())
            .collect();
        directories.sort();
        directories
    }
}

fn is_same_set(one: &[ProjectPackage], other: &[ProjectPackage]) -> bool {
    let set = |packages: &[ProjectPackage]| -> BTreeSet<ManifestKey> {
        packages.iter().map(|package| package.key).collect()
    };
    set(one) == set(other)
}

/// Returns the names and paths of the records in a directory, without those that are being written.
fn names(directory: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .filter(|(name, _)| !name.starts_with('.'))
}

/// The records' decoders, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const FUZZED: [allegro_base::testing::records::RecordKind; 2] = [
    allegro_base::testing::records::RecordKind {
        magic: *Record::Root.magic(),
        again: |bytes| {
            allegro_base::testing::records::again::<Stored>(*Record::Root.magic(), bytes)
        },
    },
    former::FUZZED,
];

#[cfg(test)]
mod tests;
