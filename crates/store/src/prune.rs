//! Removes packages and files that no project uses any more.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::verify::listed;
use super::{Bucket, ItemKind, Store};
use allegro_base::error::{Error, Result};
use allegro_base::fs::remove_all;
use allegro_composer::ManifestKey;

/// The result of a pruning, or of a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Number of packages that no directory on record has.
    pub manifests: u64,
    /// Number of files that nothing links and no package on record has.
    pub blobs: u64,
    /// Size in bytes of the removed files, and of buckets that former versions left.
    pub bytes: u64,
    /// Number of records of directories that are gone.
    pub roots: u64,
    /// Buckets that former versions left.
    pub former: Vec<PathBuf>,
    /// Entries that couldn't be removed, with the reasons.
    pub failures: Vec<String>,
}

impl Store {
    /// Removes unused packages and files, the oldest first, and buckets of former versions.
    ///
    /// A package is unused if no record of a project names it. A file is unused if it has no other
    /// name and belongs to no remaining package.
    ///
    /// # Errors
    /// [`Error::Input`] while another process uses the store.
    pub fn prune(&self, is_dry_run: bool) -> Result<Pruned> {
        if !self.lock_exclusively() {
            return Err(Error::Input(format!(
                "the store at {} is in use: run the command again when no install is running",
                self.root().display()
            )));
        }
        let mut pruned = Pruned::default();
        let remove = |path: &Path, pruned: &mut Pruned| {
            if !is_dry_run && let Err(error) = remove_all(path) {
                pruned
                    .failures
                    .push(format!("{} can't be removed: {error}", path.display()));
            }
        };
        let (roots, gone) = self.roots();
        let used: HashSet<String> = roots
            .iter()
            .flat_map(|root| root.keys.iter().map(ManifestKey::hex))
            .collect();
        for path in gone {
            pruned.roots += 1;
            remove(&path, &mut pruned);
        }
        let mut needed = HashSet::new();
        let mut unused = Vec::new();
        for path in listed(&self.bucket(Bucket::Manifests), &mut pruned.failures) {
            let place = path.strip_prefix(self.root()).unwrap_or(&path);
            let hex: String = place
                .components()
                .skip(1)
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            if !used.contains(&hex) {
                unused.push(path);
                continue;
            }
            let manifest = self.read_manifest_at(&place.to_string_lossy());
            for item in manifest
                .ok()
                .flatten()
                .into_iter()
                .flat_map(|found| found.items)
            {
                if let ItemKind::File { digest, .. } = item.kind {
                    needed.insert(digest);
                }
            }
        }
        for path in oldest_first(unused) {
            pruned.manifests += 1;
            remove(&path, &mut pruned);
        }
        let blobs = self.blob_paths(&mut pruned.failures);
        let unneeded = |path: &PathBuf| {
            self.blob_at(path)
                .is_some_and(|blob| !needed.contains(blob.digest()))
                && fs::symlink_metadata(path).is_ok_and(|facts| facts.nlink() == 1)
        };
        for path in oldest_first(blobs.into_iter().filter(unneeded).collect()) {
            pruned.blobs += 1;
            pruned.bytes += fs::symlink_metadata(&path).map_or(0, |facts| facts.len());
            remove(&path, &mut pruned);
        }
        for path in self.former_buckets().collect::<Vec<_>>() {
            let mut ignored = Vec::new();
            pruned.bytes += listed(&path, &mut ignored)
                .iter()
                .filter_map(|path| fs::symlink_metadata(path).ok())
                .map(|facts| facts.len())
                .sum::<u64>();
            remove(&path, &mut pruned);
            pruned.former.push(path);
        }
        Ok(pruned)
    }
}

/// Sorts paths by the change times of their inodes, because blobs carry modification times of
/// archives.
fn oldest_first(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut paths: Vec<((i64, i64), PathBuf)> = paths
        .into_iter()
        .map(|path| {
            let changed = fs::symlink_metadata(&path)
                .map_or((0, 0), |facts| (facts.ctime(), facts.ctime_nsec()));
            (changed, path)
        })
        .collect();
    paths.sort();
    paths.into_iter().map(|(_, path)| path).collect()
}
