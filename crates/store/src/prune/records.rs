//! Removes records that only save time, leftovers of runs, and buckets of former versions.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::prelude::*;

use super::select::Selection;
use super::{PruneOptions, Pruned, Removed, Remover, UNUSED_RECORDS};
use crate::lock::Turn;
use crate::projects::Registry;
use crate::walk::{self, Entry, look};
use crate::{Bucket, Store, directory_name};
use allegro_base::error::Result;
use allegro_base::fs::remove_all;
use rustix::fs::Stat;

/// The ending of records that hold the directories of a project as they were at its last dump.
const WALK: &str = ".walk";

/// Which records go: a function of the bucket, the name without directories, and the age in
/// seconds.
type Choice<'a> = &'a dyn Fn(Bucket, &str, u64) -> bool;

impl Store {
    /// Removes records of projects that are gone, and of packages that go. Records whose project or
    /// package nobody knows go when they are old.
    ///
    /// For the cache of a CI service, all records stay but those that hold inodes and times of one
    /// machine's files.
    pub(super) fn remove_records(
        &self,
        registry: &Registry,
        selection: &Selection,
        options: &PruneOptions,
        now: u64,
        remover: Remover,
        pruned: &mut Pruned,
    ) {
        let gone: HashSet<String> = registry
            .gone
            .iter()
            .filter_map(|gone| gone.project.as_ref())
            .map(|project| directory_name(&project.vendor_dir))
            .collect();
        let living: HashSet<String> = registry
            .living
            .iter()
            .map(|project| directory_name(&project.vendor_dir))
            .collect();
        let unused: HashSet<&str> = selection
            .unused
            .iter()
            .map(|file| file.hex.as_str())
            .collect();
        let is_old = |age: u64| age >= UNUSED_RECORDS;
        let choice = |bucket: Bucket, name: &str, age: u64| match bucket {
            Bucket::Autoload | Bucket::Told => {
                let directory = name.get(..32).unwrap_or(name);
                gone.contains(directory) || (is_old(age) && !living.contains(directory))
            }
            Bucket::Classes => {
                unused.contains(name) || (is_old(age) && !selection.kept.contains_key(name))
            }
            Bucket::Metadata | Bucket::Machine => is_old(age),
            Bucket::Blobs | Bucket::Contents | Bucket::Manifests | Bucket::Roots => false,
        };
        let of_ci = |bucket: Bucket, name: &str, _: u64| match bucket {
            Bucket::Autoload => name.ends_with(WALK),
            Bucket::Told => true,
            _ => false,
        };
        let choice: Choice<'_> = if options.ci { &of_ci } else { &choice };
        let mut removed = Removed::default();
        let mut hidden = Removed::default();
        for bucket in Bucket::ALL {
            if matches!(bucket, Bucket::Blobs | Bucket::Contents) {
                continue;
            }
            let mut directories = vec![(self.bucket(bucket), String::new())];
            while let Some((directory, shard)) = directories.pop() {
                let Ok(Some((dir, entries))) = walk::opened(rustix::fs::CWD, &directory) else {
                    continue;
                };
                for entry in &entries {
                    let path = || directory.join(&*entry.name.to_string_lossy());
                    if entry.is_hidden() {
                        remover.remove_hidden(&dir, entry, &path, &mut hidden);
                    } else if entry.is_dir(&dir) {
                        directories.push((path(), entry.name.to_string_lossy().into_owned()));
                    } else if let Some(facts) = chosen(bucket, &shard, entry, &dir, now, choice) {
                        remover.remove(&dir, entry, &facts, &path, &mut removed);
                    }
                }
            }
        }
        pruned.records += removed.sum.files;
        pruned.leftovers += hidden.sum.files;
        for removed in [removed, hidden] {
            pruned.add(removed.sum);
            pruned.failures.extend(removed.failures);
        }
    }

    /// Removes what killed processes have left in `tmp/`, and blobs that have been in quarantine
    /// for long.
    pub(super) fn remove_leftovers(
        &self,
        options: &PruneOptions,
        remover: Remover,
        pruned: &mut Pruned,
    ) {
        let mut removed = Removed::default();
        let mut count = 0;
        for path in self.leftovers(options.ci) {
            count += 1;
            remover.remove_tree(&path, &mut removed);
        }
        pruned.leftovers += count;
        pruned.add(removed.sum);
        pruned.failures.extend(removed.failures);
    }

    /// Removes the buckets of former versions. Other processes get the store in between.
    pub(super) fn remove_former_buckets(
        &self,
        mut turn: Option<&mut Turn<'_>>,
        remover: Remover,
        pool: &ThreadPool,
        pruned: &mut Pruned,
    ) -> Result<()> {
        for bucket in self.former_buckets().collect::<Vec<_>>() {
            let shards: Vec<PathBuf> = paths(&bucket).collect();
            // A bucket that is no directory goes as a whole.
            let shards = if shards.is_empty() {
                vec![bucket.clone()]
            } else {
                shards
            };
            for some in shards.chunks(16) {
                let removed: Vec<Removed> = pool.install(|| {
                    some.par_iter()
                        .map(|path| {
                            let mut removed = Removed::default();
                            remover.remove_tree(path, &mut removed);
                            removed
                        })
                        .collect()
                });
                for removed in removed {
                    pruned.add(removed.sum);
                    pruned.failures.extend(removed.failures);
                }
                if let Some(turn) = turn.as_mut() {
                    turn.breathe()?;
                }
            }
            if !remover.is_dry {
                let _ = remove_all(&bucket);
            }
            pruned.former.push(bucket);
        }
        Ok(())
    }
}

/// Returns the facts of a record that the choice removes.
fn chosen(
    bucket: Bucket,
    shard: &str,
    entry: &Entry,
    dir: &std::os::fd::OwnedFd,
    now: u64,
    choice: Choice<'_>,
) -> Option<Stat> {
    if matches!(bucket, Bucket::Manifests | Bucket::Roots) {
        return None;
    }
    let facts = look(dir, &entry.name).ok()?;
    let age = now.saturating_sub(u64::try_from(facts.st_mtime).unwrap_or_default());
    let name = entry.text()?;
    let name = match bucket {
        Bucket::Classes => format!("{shard}{name}"),
        _ => name.to_owned(),
    };
    choice(bucket, &name, age).then_some(facts)
}

fn paths(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}
