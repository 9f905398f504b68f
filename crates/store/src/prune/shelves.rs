//! Removes blobs and contents, shard by shard, on all cores.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::select::Selection;
use super::{Pruned, Removed, Remover, failure};
use crate::lock::Turn;
use crate::shards::Shards;
use crate::walk::{self, Entry, look};
use crate::{Blob, Digest, Store};
use allegro_base::error::Result;
use allegro_base::progress;
use rustix::fs::Stat;

/// The shards of both buckets: blobs and contents.
const SHARDS: usize = 512;

/// What a thread has removed in one turn.
#[derive(Default)]
struct Share {
    blobs: Removed,
    hidden: Removed,
}

impl Store {
    fn shard(&self, index: usize) -> (&Shards, String) {
        let shards = [&self.blobs, &self.contents][index / 256];
        (shards, format!("{:02x}", index % 256))
    }

    /// Removes the blobs that no package of the selection needs and that have no other name. Other
    /// processes get the store in between.
    pub(super) fn remove_blobs(
        &self,
        selection: &mut Selection,
        mut turn: Option<&mut Turn<'_>>,
        remover: Remover,
        pool: &ThreadPool,
        pruned: &mut Pruned,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        loop {
            let until = turn.as_ref().map(|turn| turn.until());
            let kept = &*selection;
            let shares = pool.broadcast(|_| {
                let mut share = Share::default();
                while until.is_none_or(|until| Instant::now() < until) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= SHARDS {
                        break;
                    }
                    self.remove_in_shard(index, kept, remover, &mut share);
                }
                share
            });
            for share in shares {
                pruned.blobs += share.blobs.sum.files;
                pruned.leftovers += share.hidden.sum.files;
                for removed in [share.blobs, share.hidden] {
                    pruned.add(removed.sum);
                    pruned.failures.extend(removed.failures);
                }
            }
            if next.load(Ordering::Relaxed) >= SHARDS {
                return Ok(());
            }
            if let Some(turn) = turn.as_mut()
                && turn.breathe()?
            {
                selection.refresh(self, remover, pruned);
            }
        }
    }

    fn remove_in_shard(
        &self,
        index: usize,
        selection: &Selection,
        remover: Remover,
        share: &mut Share,
    ) {
        let (shards, shard) = self.shard(index);
        let place = |entry: &Entry| -> PathBuf {
            let name = entry.name.to_string_lossy();
            shards.path.join(&shard).join(&*name)
        };
        let (dir, entries) = match walk::opened(shards.dir(), &*shard) {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(error) => {
                let path = shards.path.join(&shard);
                share.blobs.failures.push(failure(&path, &error));
                return;
            }
        };
        for entry in &entries {
            let path = || place(entry);
            if entry.is_hidden() {
                remover.remove_hidden(&dir, entry, &path, &mut share.hidden);
                continue;
            }
            let Some(digest) = self.digest_at(index, &shard, entry, &dir) else {
                continue;
            };
            if selection.needed.contains(&digest) {
                continue;
            }
            let Ok(facts) = look(&dir, &entry.name) else {
                continue;
            };
            if facts.st_nlink == 1 || selection.is_everything {
                remover.remove(&dir, entry, &facts, &path, &mut share.blobs);
                progress::step();
            }
        }
    }

    /// Returns the digest of an entry that is a blob or a content.
    fn digest_at(&self, index: usize, shard: &str, entry: &Entry, dir: &OwnedFd) -> Option<Digest> {
        let blob = Blob::parse(&format!("{shard}/{}", entry.text()?), 0)?;
        let (shards, _) = self.shard(index);
        let is_here = std::ptr::eq(self.shards_of(&blob), shards);
        (is_here && entry.is_file(dir)).then(|| *blob.digest())
    }

    /// Calls a function with the digest and the facts of each blob and content, on all cores, and
    /// returns its results.
    pub(crate) fn each_blob<T: Send>(
        &self,
        pool: &ThreadPool,
        take: impl Fn(&Digest, &Stat) -> Option<T> + Sync,
    ) -> Vec<T> {
        let of_shard = |index: usize| -> Vec<T> {
            let (shards, shard) = self.shard(index);
            let Ok(Some((dir, entries))) = walk::opened(shards.dir(), &*shard) else {
                return Vec::new();
            };
            entries
                .iter()
                .filter_map(|entry| {
                    let digest = self.digest_at(index, &shard, entry, &dir)?;
                    take(&digest, &look(&dir, &entry.name).ok()?)
                })
                .collect()
        };
        pool.install(|| {
            (0..SHARDS)
                .into_par_iter()
                .flat_map_iter(of_shard)
                .collect()
        })
    }
}
