//! Removes blobs and contents, shard by shard, on all cores.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

use parking_lot::Mutex;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::select::Selection;
use super::{Pruned, Removed, Remover, failure};
use crate::lock::Turn;
use crate::shards::Shards;
use crate::walk::{self, Entry, look};
use crate::{Digest, Store};
use allegro_base::error::Result;
use allegro_base::progress;
use rustix::fs::Stat;

/// The shards of both buckets: blobs and contents.
const SHARDS: usize = 512;

/// The number of entries after which a thread looks at the clock.
const AT_ONCE: usize = 64;

/// A shard, or what a turn has left of it.
#[derive(Debug, Clone, Copy)]
struct Rest {
    index: usize,
    /// The smallest inode that was not looked at.
    from: u64,
}

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
        let open: Vec<Rest> = (0..SHARDS)
            .rev()
            .map(|index| Rest { index, from: 0 })
            .collect();
        let open = Mutex::new(open);
        loop {
            let until = turn.as_ref().map(|turn| turn.until());
            let kept = &*selection;
            let shares = pool.broadcast(|_| {
                let mut share = Share::default();
                while until.is_none_or(|until| Instant::now() < until) {
                    let next = open.lock().pop();
                    let Some(next) = next else { break };
                    if let Some(rest) = self.remove_in_shard(next, until, kept, remover, &mut share)
                    {
                        open.lock().push(rest);
                    }
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
            if open.lock().is_empty() {
                return Ok(());
            }
            if let Some(turn) = turn.as_mut()
                && turn.breathe()?
            {
                selection.refresh(self, remover, pool, pruned);
            }
        }
    }

    /// Removes blobs of a shard until a moment, and returns what is left to do.
    fn remove_in_shard(
        &self,
        Rest { index, from }: Rest,
        until: Option<Instant>,
        selection: &Selection,
        remover: Remover,
        share: &mut Share,
    ) -> Option<Rest> {
        let (shards, shard) = self.shard(index);
        let place = |entry: &Entry| -> PathBuf {
            let name = entry.name.to_string_lossy();
            shards.path.join(&shard).join(&*name)
        };
        let (dir, entries) = match walk::opened(shards.dir(), &*shard) {
            // Neighbours in the inode table follow each other.
            Ok(Some((dir, mut entries))) => {
                entries.sort_unstable_by_key(|entry| entry.inode);
                (dir, entries)
            }
            Ok(None) => return None,
            Err(error) => {
                let path = shards.path.join(&shard);
                share.blobs.failures.push(failure(&path, &error));
                return None;
            }
        };
        let begin = entries.partition_point(|entry| entry.inode < from);
        for (number, entry) in entries[begin..].iter().enumerate() {
            // The first ones are done in any case, so that each turn gets on.
            if number > 0
                && number % AT_ONCE == 0
                && until.is_some_and(|until| Instant::now() >= until)
            {
                let from = entry.inode;
                return Some(Rest { index, from });
            }
            let path = || place(entry);
            if entry.is_hidden() {
                remover.remove_hidden(&dir, entry, &path, &mut share.hidden);
                continue;
            }
            let Some(digest) = Self::digest_at(index, entry, &dir) else {
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
        None
    }

    /// Returns the digest of an entry that is a blob or a content.
    fn digest_at(index: usize, entry: &Entry, dir: &OwnedFd) -> Option<Digest> {
        let shard = u8::try_from(index % 256).ok()?;
        let (digest, rest) = digest_of(shard, entry.name.to_bytes())?;
        let is_named = if index < 256 {
            is_mode_and_time(rest)
        } else {
            rest.is_empty()
        };
        (is_named && entry.is_file(dir)).then_some(digest)
    }

    /// Calls a function with the digest, the facts and the path of each blob and content, on all
    /// cores, and returns its results.
    pub(crate) fn each_blob<T: Send>(
        &self,
        pool: &ThreadPool,
        take: impl Fn(&Digest, &Stat, &dyn Fn() -> PathBuf) -> Option<T> + Sync,
    ) -> Vec<T> {
        let of_shard = |index: usize| -> Vec<T> {
            let (shards, shard) = self.shard(index);
            let Ok(Some((dir, mut entries))) = walk::opened(shards.dir(), &*shard) else {
                return Vec::new();
            };
            entries.sort_unstable_by_key(|entry| entry.inode);
            entries
                .iter()
                .filter_map(|entry| {
                    let digest = Self::digest_at(index, entry, &dir)?;
                    let name = || entry.name.to_string_lossy();
                    let path = || shards.path.join(&shard).join(&*name());
                    take(&digest, &look(&dir, &entry.name).ok()?, &path)
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

/// Splits a name into the digest, whose first byte the shard is, and the rest.
fn digest_of(shard: u8, name: &[u8]) -> Option<(Digest, &[u8])> {
    const HEX: usize = 62;
    let (hex, rest) = name.split_at_checked(HEX)?;
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 32];
    digest[0] = shard;
    for (byte, pair) in digest[1..].iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some((Digest(digest), rest))
}

/// Returns whether the rest of a blob's name is `-<octal mode>-<seconds>` or `-<octal mode>-now`.
fn is_mode_and_time(rest: &[u8]) -> bool {
    let is_number = |digits: &[u8], last: u8| {
        digits.iter().all(|digit| (b'0'..=last).contains(digit))
            && matches!(digits, [b'0'] | [b'1'..=b'9', ..])
            && digits.len() < 20
    };
    let mut parts = rest.splitn(3, |&byte| byte == b'-');
    let (Some([]), Some(mode), Some(time)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let seconds = time.strip_prefix(b"-").unwrap_or(time);
    is_number(mode, b'7') && (time == b"now" || is_number(seconds, b'9'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Blob;

    /// The quick reader knows the names that [`Blob::parse`] knows.
    #[test]
    fn names_of_blobs_are_told_from_others() {
        let hex = "0123456789abcdef".repeat(4);
        let (shard, rest) = hex.split_at(2);
        for end in [
            "",
            "-644-1700000000",
            "-755-now",
            "-0-0",
            "-644--5",
            "-644",
            "-644-",
            "-0644-5",
            "-648-5",
            "-644-05",
            "-644-5x",
            "-644-nowx",
            "x",
            "-",
            "--",
            "-644-5-5",
        ] {
            let name = format!("{rest}{end}");
            let parsed = Blob::parse(&format!("{shard}/{name}"), 0);
            let quick = digest_of(0x01, name.as_bytes())
                .filter(|(_, rest)| rest.is_empty() || is_mode_and_time(rest))
                .map(|(digest, _)| digest);
            assert_eq!(quick, parsed.map(|blob| *blob.digest()), "{end}");
        }
        for odd in [
            "",
            "ab",
            &rest.to_uppercase(),
            &rest[1..],
            &format!("é{rest}"),
        ] {
            assert_eq!(
                digest_of(1, odd.as_bytes()).map(|(_, rest)| rest),
                None,
                "{odd}"
            );
        }
    }
}
