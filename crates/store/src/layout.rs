//! Opens the store: finds its places, its lock, and who may write it.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, Mode, accessat, fchmod, fstat, fstatfs, futimens};

use super::Bucket;
use super::lock::{PATIENCE, Patience, lock};
use super::shards::{Shards, create_bucket, open_bucket};
use allegro_base::error::{Error, Result, in_store};
use allegro_base::fs::timestamps;
use allegro_base::fs::{
    has_default_acl, inode_clock, make_directories, owner_is_alive, put, read_regular, remove_all,
    unique,
};

/// The layout that this version reads and writes. A bucket whose format changes gets another number
/// in its name. The layout's number changes only when the buckets themselves are arranged anew.
pub const LAYOUT: u32 = 1;

pub(super) const QUARANTINE: &str = "quarantine";

/// The time without writes after which a former version counts as gone from the machine.
const FORMER_REST: Duration = Duration::from_hours(7 * 24);

/// The time for which quarantined blobs stay for inspection.
const QUARANTINE_REST: Duration = Duration::from_hours(30 * 24);

/// The mark that makes backup tools skip a directory (see <https://bford.info/cachedir/>).
const CACHEDIR_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n\
# This directory holds the package store of Allegro. It may be deleted at any time\n\
# when no install is running; the next install fills it again.\n";

/// An open store. Other processes may use it at the same time. Nobody can prune it while this value
/// lives.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the place"
)]
pub struct Store {
    root: PathBuf,
    pub(super) blobs: Shards,
    /// Shards of contents without mode and time (see [`Self::keeps_contents`]).
    pub(super) contents: Shards,
    keeps_contents: bool,
    is_overlay: bool,
    is_btrfs: bool,
    /// Whether blobs get an ACL from default ACLs below the store.
    gives_acl: bool,
    is_writable: bool,
    owner: u32,
    user: u32,
    group: u32,
    content_mode: u32,
    /// Lock file, which holds the lock until dropped.
    lock: Option<File>,
}

impl Store {
    /// Opens the store at `root` for a run, and makes it if it doesn't exist.
    ///
    /// # Errors
    /// - [`Error::StoreLayout`] if a newer Allegro made the store.
    /// - [`Error::Store`] if the store can neither be read nor made, or if another process holds
    ///   its lock for long.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_patiently(root, &|waited| waited < PATIENCE)
    }

    /// Opens the store as [`Self::open`] does, but waits for a lock only as long as `patience`
    /// allows.
    pub fn open_patiently(root: &Path, patience: Patience<'_>) -> Result<Self> {
        let layout = root.join("layout");
        match found_layout(&layout)? {
            Some(found) if found > LAYOUT => {
                return Err(Error::StoreLayout {
                    path: root.to_owned(),
                    found,
                    known: LAYOUT,
                });
            }
            Some(_) => {}
            None => Self::create(root, &layout)?,
        }
        let lock = lock(root, patience)?;
        let metadata = fs::metadata(root).map_err(in_store("reading", root))?;
        let user = rustix::process::geteuid().as_raw();
        let is_writable = lock.is_some() && is_writable(root);
        let blobs = open_bucket(root, Bucket::Blobs)?;
        let contents = open_bucket(root, Bucket::Contents)?;
        let facts =
            fstat(&blobs.dir).map_err(|error| in_store("reading", &blobs.path)(error.into()))?;
        // A new file has the group of a directory that has the set-group-ID bit (open(2)).
        let group = if facts.st_mode & 0o2000 == 0 {
            rustix::process::getegid().as_raw()
        } else {
            facts.st_gid
        };
        let kind = file_system(&blobs.dir);
        let mut store = Self {
            root: root.to_owned(),
            keeps_contents: false,
            is_overlay: kind == Some(OVERLAYFS),
            is_btrfs: kind == Some(BTRFS),
            gives_acl: has_default_acl(&blobs.path),
            is_writable,
            owner: metadata.uid(),
            content_mode: metadata.mode() & 0o444 | 0o400,
            user,
            group,
            blobs,
            contents,
            lock,
        };
        store.keeps_contents = store.can_share_blocks();
        Ok(store)
    }

    /// Opens the store as [`Self::open`] does, but doesn't wait, for callers that can work without
    /// a store.
    pub fn open_at_once(root: &Path) -> Result<Self> {
        Self::open_patiently(root, &|_| false)
    }

    fn create(root: &Path, layout: &Path) -> Result<()> {
        for bucket in Bucket::ALL {
            if bucket.is_made_with_the_store() {
                create_bucket(root, bucket)?;
            }
        }
        let tag = "CACHEDIR.TAG";
        put(root, tag, CACHEDIR_TAG).map_err(in_store("writing", &root.join(tag)))?;
        // This file comes last, because a store without it counts as not made yet.
        put(root, "layout", format!("{LAYOUT}\n").as_bytes()).map_err(in_store("writing", layout))
    }

    pub(super) fn lock(&self) -> Option<&File> {
        self.lock.as_ref()
    }

    /// Returns the store's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns whether the store keeps each content once, because the file system lets files share
    /// blocks. Elsewhere the store has a blob for each content, mode and time.
    pub fn keeps_contents(&self) -> bool {
        self.keeps_contents
    }

    #[cfg(test)]
    pub(crate) fn set_btrfs(&mut self, is_btrfs: bool) {
        self.is_btrfs = is_btrfs;
    }

    #[cfg(test)]
    pub(crate) fn set_keeps_contents(&mut self, keeps: bool) {
        self.keeps_contents = keeps;
    }

    /// Returns whether the store lies on overlayfs, where a hard link to a file of a lower layer
    /// copies the file.
    pub fn is_overlay(&self) -> bool {
        self.is_overlay
    }

    /// Returns whether a file of this size has no blocks of its own, although the file system counts
    /// one. Btrfs keeps small files in its trees, once for each inode (mount option `max_inline`).
    pub(super) fn is_inline(&self, size: u64) -> bool {
        const MOST: u64 = 2048;
        self.is_btrfs && size <= MOST
    }

    /// Returns whether new blobs get an ACL from the store's directories.
    pub fn gives_acl(&self) -> bool {
        self.gives_acl
    }

    /// Returns whether this process may add to the store.
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Returns the user and group that a blob has when this process writes it.
    pub fn new_owner(&self) -> (u32, u32) {
        (self.user, self.group)
    }

    /// Returns whether a blob of this user may be trusted without reading it. Such a blob belongs
    /// to the store's owner, to the running user or to root. Any other owner could have changed the
    /// blob without a trace.
    pub fn trusts(&self, user: u32) -> bool {
        user == self.owner || user == self.user || user == ROOT
    }

    /// Returns whether this process may replace a blob of this user.
    pub fn may_renew(&self, user: u32) -> bool {
        self.is_writable && (self.user == self.owner || self.user == user)
    }

    /// Returns the mode of contents. Whoever may read the store may read them, and nobody writes
    /// them.
    pub(super) fn content_mode(&self) -> u32 {
        self.content_mode
    }

    /// Checks whether the store's file system keeps modes and times, which distinguish sound blobs
    /// from others.
    ///
    /// # Errors
    /// [`Error::Store`] where the file system doesn't keep them.
    pub fn check_file_system(&self) -> Result<()> {
        if !self.is_writable {
            return Ok(());
        }
        let path = self.temporary();
        let result = (|| -> io::Result<bool> {
            let file = File::create_new(&path)?;
            fchmod(&file, Mode::from_raw_mode(0o604))?;
            futimens(&file, &timestamps(1_000_000_001))?;
            let facts = fstat(&file)?;
            Ok(facts.st_mode & 0o7777 == 0o604 && facts.st_mtime == 1_000_000_001)
        })();
        let _ = fs::remove_file(&path);
        match result {
            Ok(true) => Ok(()),
            Ok(false) => Err(in_store("keeping modes and times of files", &self.root)(
                io::ErrorKind::Unsupported.into(),
            )),
            // The content of a full store can be used all the same.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(in_store("keeping modes and times of files", &self.root)(
                error,
            )),
        }
    }

    /// Returns whether two files of the store can share blocks. The store probes this once, and
    /// keeps the answer with the file system's type.
    fn can_share_blocks(&self) -> bool {
        let kind = file_system(&self.blobs.dir).unwrap_or_default();
        let noted = |can: bool| format!("{kind:x} {}\n", u8::from(can)).into_bytes();
        let known = read_regular(&self.root.join("reflink")).ok().flatten();
        if let Some(can) = [true, false]
            .into_iter()
            .find(|&can| known.as_ref() == Some(&noted(can)))
        {
            return can;
        }
        if !self.is_writable {
            return false;
        }
        let [one, other] = [self.temporary(), self.temporary()];
        let can =
            fs::write(&one, [b'x'; 4096]).is_ok() && reflink_copy::reflink(&one, &other).is_ok();
        let _ = (fs::remove_file(&one), fs::remove_file(&other));
        let _ = put(&self.root, "reflink", &noted(can));
        can
    }

    /// Returns a new name below `tmp/`, and creates nothing.
    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp").join(unique())
    }

    pub(super) fn quarantine(&self, name: &str) -> PathBuf {
        self.root
            .join(QUARANTINE)
            .join(format!("{name}.{}", unique()))
    }

    /// Removes leftovers of killed processes from `tmp/`, and blobs that have been in quarantine
    /// for long. The function ignores failures.
    pub fn sweep(&self) {
        for path in self.leftovers(false) {
            let _ = remove_all(&path);
        }
    }

    /// Returns the paths of what killed processes have left in `tmp/`, and of blobs that have been
    /// in quarantine for long. With `is_all`, those of all blobs in quarantine.
    pub(super) fn leftovers(&self, is_all: bool) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for entry in entries(&self.root.join("tmp")) {
            if !owner_is_alive(&entry.file_name().to_string_lossy()) {
                paths.push(entry.path());
            }
        }
        for entry in entries(&self.root.join(QUARANTINE)) {
            // The move into quarantine changes the change time.
            let changed = entry.metadata().map(|facts| facts.ctime());
            let is_old = changed.is_ok_and(|then| {
                let rest = i64::try_from(QUARANTINE_REST.as_secs()).unwrap_or(i64::MAX);
                (inode_clock() / 1_000_000_000).saturating_sub(then) > rest
            });
            if is_all || is_old {
                paths.push(entry.path());
            }
        }
        paths
    }

    /// Removes buckets of former versions, as far as `budget` allows, once no former version has
    /// written anything for a while. A former version that comes back fills its buckets again.
    pub fn retire_former_buckets(&self, budget: Duration) {
        let until = Instant::now() + budget;
        if !self.is_writable || self.former_buckets().next().is_none() || self.is_formerly_used() {
            return;
        }
        for bucket in former_names() {
            for shard in entries(&self.root.join(bucket)) {
                if Instant::now() >= until {
                    return;
                }
                let _ = remove_all(&shard.path());
            }
            let _ = fs::remove_dir(self.root.join(bucket));
        }
    }

    fn is_formerly_used(&self) -> bool {
        former_names()
            // Blobs are left out, because they carry times of archives.
            .filter(|name| !Bucket::Blobs.former_names().contains(name))
            .flat_map(|name| entries(&self.root.join(name)).collect::<Vec<_>>())
            .filter_map(|entry| entry.metadata().ok()?.modified().ok()?.elapsed().ok())
            .any(|age| age < FORMER_REST)
    }

    /// Returns the buckets of former versions that exist.
    pub(super) fn former_buckets(&self) -> impl Iterator<Item = PathBuf> {
        former_names()
            .map(|bucket| self.root.join(bucket))
            .filter(|path| path.exists())
    }
}

/// Returns the number in the file `layout`, or `None` if the file is absent or holds no number.
fn found_layout(path: &Path) -> Result<Option<u32>> {
    let bytes = read_regular(path).map_err(in_store("reading", path))?;
    Ok(bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.trim().parse().ok()))
}

const ROOT: u32 = 0;

/// The type of overlayfs, from linux/magic.h.
const OVERLAYFS: i64 = 0x794C_7630;

/// The type of btrfs, from linux/magic.h.
const BTRFS: i64 = 0x9123_683E;

#[cfg(target_os = "linux")]
fn file_system(dir: &OwnedFd) -> Option<i64> {
    #[allow(
        clippy::unnecessary_cast,
        reason = "the field's type differs between systems"
    )]
    fstatfs(dir).ok().map(|facts| facts.f_type as i64)
}

#[cfg(not(target_os = "linux"))]
fn file_system(_dir: &OwnedFd) -> Option<i64> {
    None
}

fn former_names() -> impl Iterator<Item = &'static str> {
    Bucket::ALL
        .iter()
        .flat_map(|bucket| bucket.former_names().iter().copied())
}

fn entries(directory: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(directory).into_iter().flatten().flatten()
}

/// Returns whether this process may make files in the store. The function tests `tmp`, because
/// every write begins there. It makes `tmp` and the quarantine if they are missing.
fn is_writable(root: &Path) -> bool {
    for name in ["tmp", QUARANTINE] {
        // Where this fails, the store is not writable.
        let _ = make_directories(root, name);
    }
    let access = Access::WRITE_OK | Access::EXEC_OK;
    accessat(rustix::fs::CWD, root.join("tmp"), access, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests;
