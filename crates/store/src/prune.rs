//! Removes packages and files that no project uses any more.
//!
//! Removal happens in turns of exclusive use (see `lock.rs`), between which waiting runs use the
//! store. Manifests go before their blobs, so a pruning that is killed leaves no package without
//! its files. After each pause, manifests that have come meanwhile are read. Thus nothing goes that
//! a run has linked or is about to link.

mod records;
mod select;
mod shelves;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use rayon::ThreadPool;
use rustix::fs::{AtFlags, Stat, unlinkat};
use serde::Serialize;

use super::Store;
use super::bucket::UNWRITTEN;
use super::lock::{Patience, Turn};
use super::projects::{Registry, now};
use super::walk::{Entry, Sum, look};
use allegro_base::error::{Error, Result};
use allegro_base::fs::{owner_is_alive, remove_all};
use allegro_base::threads::with_pool;
use select::Selection;

/// The time for which records stay that belong to no project and no package on record, in seconds.
const UNUSED_RECORDS: u64 = UNWRITTEN.as_secs();

/// What a pruning removes.
///
/// A package that a living project has stays in any case, except with [`Self::ci`]. A project is
/// living while its directory exists.
#[derive(Debug, Clone, Default)]
pub struct PruneOptions {
    /// Whether all packages go that no living project has. `None` means yes, unless `max_age` or
    /// `max_size` says which of them go.
    pub gc: Option<bool>,
    /// Whether the pruning only tells what it would remove.
    pub dry_run: bool,
    /// Bytes on disk that files of packages may take. Unused packages go until the store fits, the
    /// least recently used first.
    pub max_size: Option<u64>,
    /// Age of the last use from which unused packages go.
    pub max_age: Option<Duration>,
    /// Number of days without use after which a living project is named. Its packages stay.
    pub stale_days: Option<u32>,
    /// Whether only that stays which is cheaper to keep than to make again, for caches of CI
    /// services.
    ///
    /// Packages and their files go, used or not, because Composer's archive cache makes them again
    /// without the network. That cache is smaller, and serves runs without Allegro too. Records of
    /// projects go, because they name directories of one job. Lists of classes, results of dumps
    /// and outlines of metadata stay: they are small, and making them means to parse all files.
    pub ci: bool,
}

impl PruneOptions {
    /// Returns whether all packages go that no living project has.
    fn removes_all_unused(&self) -> bool {
        self.gc
            .unwrap_or(self.max_age.is_none() && self.max_size.is_none())
    }
}

/// The result of a pruning, or of a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Number of removed packages.
    pub manifests: u64,
    /// Number of removed files that no package on record has.
    pub blobs: u64,
    /// Size in bytes of everything that was removed.
    pub bytes: u64,
    /// Bytes on disk that became free. A file that a project still links frees nothing. Where files
    /// share blocks with projects' files, fewer bytes may become free.
    pub freed: u64,
    /// Number of records of projects whose directories are gone.
    pub roots: u64,
    /// Number of removed records that only save time.
    pub records: u64,
    /// Number of removed leftovers: files of killed processes, and files in quarantine.
    pub leftovers: u64,
    /// Buckets that former versions left.
    pub former: Vec<PathBuf>,
    /// Living projects that nobody has used for the given number of days.
    pub stale: Vec<String>,
    /// Bytes on disk by which the store exceeds the given size because projects use the packages.
    pub over: u64,
    /// Entries that couldn't be removed, with the reasons.
    pub failures: Vec<String>,
}

impl Pruned {
    fn add(&mut self, sum: Sum) {
        self.bytes += sum.bytes;
        self.freed += sum.freed;
    }
}

/// Removes entries, or only counts them in a dry run.
#[derive(Debug, Clone, Copy)]
struct Remover {
    is_dry: bool,
}

/// The count of one kind of entries, with the entries that couldn't be removed.
#[derive(Debug, Default)]
struct Removed {
    sum: Sum,
    failures: Vec<String>,
}

impl Remover {
    /// Removes a file whose facts are known. `path` returns the file's path.
    fn remove(
        self,
        dir: impl std::os::fd::AsFd,
        entry: &Entry,
        facts: &Stat,
        path: &dyn Fn() -> PathBuf,
        removed: &mut Removed,
    ) {
        if !self.is_dry && unlinkat(dir, &entry.name, AtFlags::empty()).is_err() {
            let path = path();
            if let Err(error) = remove_all(&path) {
                removed.failures.push(failure(&path, &error));
                return;
            }
        }
        removed.sum += Sum::of(facts);
    }

    /// Removes a file or a tree.
    fn remove_tree(self, path: &Path, removed: &mut Removed) {
        let sum = sum_of(path);
        if !self.is_dry
            && let Err(error) = remove_all(path)
        {
            removed.failures.push(failure(path, &error));
            return;
        }
        removed.sum += sum;
    }

    /// Removes a hidden entry of a bucket if the process that made it is gone.
    fn remove_hidden(
        self,
        dir: impl std::os::fd::AsFd,
        entry: &Entry,
        path: &dyn Fn() -> PathBuf,
        removed: &mut Removed,
    ) {
        let name = entry.name.to_string_lossy();
        let owner = name.rsplit('.').next().unwrap_or_default();
        if owner_is_alive(owner.strip_prefix("odd-").unwrap_or(owner)) {
            return;
        }
        if entry.is_file(&dir) {
            if let Ok(facts) = look(&dir, &entry.name) {
                self.remove(dir, entry, &facts, path, removed);
            }
        } else {
            self.remove_tree(&path(), removed);
        }
    }
}

fn failure(path: &Path, error: &std::io::Error) -> String {
    format!("{} can't be removed: {error}", path.display())
}

/// Returns what a file or a tree takes. Directories don't count.
fn sum_of(path: &Path) -> Sum {
    let mut sum = Sum::default();
    let mut paths = vec![path.to_owned()];
    while let Some(path) = paths.pop() {
        let Ok(facts) = rustix::fs::lstat(&path) else {
            continue;
        };
        if rustix::fs::FileType::from_raw_mode(facts.st_mode) == rustix::fs::FileType::Directory {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            paths.extend(entries.map(|entry| entry.path()));
        } else {
            sum += Sum::of(&facts);
        }
    }
    sum
}

impl Store {
    /// Removes unused packages and files, and what runs have left behind (see [`PruneOptions`]).
    ///
    /// A file is unused if it has no other name and belongs to no remaining package. A dry run tells
    /// exactly what a run at the same moment would do.
    ///
    /// The pruning waits for running installs as long as `patience` allows. New installs wait for
    /// about two seconds at most. A dry run waits for nobody.
    ///
    /// # Errors
    /// [`Error::Input`] if the store stays in use, or if this user can't write it.
    pub fn prune(&self, options: &PruneOptions, patience: Patience<'_>) -> Result<Pruned> {
        if !options.dry_run && !self.is_writable() {
            return Err(Error::Input(format!(
                "this user can't write the store at {}",
                self.root().display()
            )));
        }
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        with_pool(threads, |pool| {
            let turn = (!options.dry_run)
                .then(|| Turn::take(self, patience))
                .transpose()?;
            Ok(self.prune_in(options, turn, pool))
        })?
    }

    fn prune_in(
        &self,
        options: &PruneOptions,
        mut turn: Option<Turn<'_>>,
        pool: &ThreadPool,
    ) -> Pruned {
        let remover = Remover {
            is_dry: options.dry_run,
        };
        let now = now();
        let mut pruned = Pruned::default();
        let registry = self.registry();
        let mut selection = Selection::of(self, options, &registry, now, pool, &mut pruned);
        pruned.over = selection.over;
        pruned.stale = stale(&registry, options, now);
        self.forget(&registry, options, remover, &mut pruned);
        self.remove_manifests(&selection, remover, pool, &mut pruned);
        self.remove_records(&registry, &selection, options, now, remover, &mut pruned);
        self.remove_leftovers(options, remover, &mut pruned);
        let outcome = self.remove_blobs(&mut selection, turn.as_mut(), remover, pool, &mut pruned);
        let outcome = outcome
            .and_then(|()| self.remove_former_buckets(turn.as_mut(), remover, pool, &mut pruned));
        if let Err(error) = outcome {
            pruned.failures.push(error.to_string());
        }
        if !remover.is_dry {
            self.renew_former_projects();
        }
        pruned
    }

    /// Removes the records of projects that are gone.
    fn forget(
        &self,
        registry: &Registry,
        options: &PruneOptions,
        remover: Remover,
        pruned: &mut Pruned,
    ) {
        let mut removed = Removed::default();
        for gone in &registry.gone {
            if !remover.is_dry
                && let Some(project) = &gone.project
            {
                self.note_last_use(project, None);
            }
            for path in &gone.paths {
                remover.remove_tree(path, &mut removed);
            }
            pruned.roots += 1;
        }
        if options.ci {
            for path in &registry.paths {
                remover.remove_tree(path, &mut removed);
            }
            pruned.roots += registry.living.len() as u64;
        }
        pruned.add(removed.sum);
        pruned.failures.extend(removed.failures);
    }
}

/// Returns the living projects that nobody has used for long.
fn stale(registry: &Registry, options: &PruneOptions, now: u64) -> Vec<String> {
    let Some(days) = options.stale_days else {
        return Vec::new();
    };
    let age = u64::from(days) * 24 * 60 * 60;
    registry
        .living
        .iter()
        .filter(|project| now.saturating_sub(project.last_used) >= age)
        .map(|project| project.directory().display().to_string())
        .collect()
}

#[cfg(test)]
mod tests;
