//! Where things are in the store, and the lock on it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::composer::ManifestKey;
use crate::error::{Error, Result, in_store};
use crate::fs::{owner_is_alive, remove_all, unique, write_atomically};

/// The layout that this version reads and writes. A bucket whose format changes gets another number in its
/// name; this number changes only when the buckets themselves are arranged anew.
pub const LAYOUT: u32 = 1;

const BLOBS: &str = "blobs-v1";
const MANIFESTS: &str = "manifests-v1";

/// See <https://bford.info/cachedir/>: backup tools skip directories marked so.
const CACHEDIR_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n\
# This directory holds the package store of Allegro. It may be deleted at any time\n\
# when no install is running; the next install fills it again.\n";

/// An open store. Other processes may use it at the same time; it can't be pruned while this value lives.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    blobs: PathBuf,
    manifests: PathBuf,
    /// Of `blobs`: a path from here has two parts, whatever is above the store.
    blobs_dir: OwnedFd,
    /// Holds the shared lock until dropped.
    _lock: File,
}

impl Store {
    /// Opens the store at `root`, making it if it isn't there.
    ///
    /// # Errors
    /// [`Error::StoreLayout`] if a newer Allegro made it; [`Error::Store`] if it can't be written.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_locked(root, FlockOperation::LockShared)
    }

    /// Opens the store for nobody else. Waits for running installs to end.
    pub fn open_exclusively(root: &Path) -> Result<Self> {
        Self::open_locked(root, FlockOperation::LockExclusive)
    }

    fn open_locked(root: &Path, operation: FlockOperation) -> Result<Self> {
        let layout = root.join("layout");
        match fs::read_to_string(&layout) {
            Ok(text) => {
                let found = text.trim().parse().unwrap_or(u32::MAX);
                if found > LAYOUT {
                    return Err(Error::StoreLayout {
                        path: root.to_owned(),
                        found,
                        known: LAYOUT,
                    });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(root, &layout)?,
            Err(error) => return Err(in_store("reading", &layout)(error)),
        }
        let path = root.join("lock");
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(in_store("opening", &path))?;
        flock(&lock, operation).map_err(|error| in_store("locking", &path)(error.into()))?;
        let blobs = root.join(BLOBS);
        let blobs_dir = match open_directory(&blobs) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody removed it by hand.
                Self::create(root, &layout)?;
                open_directory(&blobs)
            }
            other => other,
        }
        .map_err(in_store("opening", &blobs))?;
        Ok(Self {
            root: root.to_owned(),
            blobs,
            blobs_dir,
            manifests: root.join(MANIFESTS),
            _lock: lock,
        })
    }

    fn create(root: &Path, layout: &Path) -> Result<()> {
        for bucket in [BLOBS, MANIFESTS] {
            for shard in 0..=255_u8 {
                let path = root.join(bucket).join(format!("{shard:02x}"));
                fs::create_dir_all(&path).map_err(in_store("creating", &path))?;
            }
        }
        for name in ["tmp", "quarantine"] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(in_store("creating", &path))?;
        }
        let tag = root.join("CACHEDIR.TAG");
        write_atomically(&tag, CACHEDIR_TAG).map_err(in_store("writing", &tag))?;
        // Last: a store without this file is taken as not made yet.
        write_atomically(layout, format!("{LAYOUT}\n").as_bytes())
            .map_err(in_store("writing", layout))
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn blobs(&self) -> &Path {
        &self.blobs
    }

    /// The directory that a [`BlobName`](super::BlobName) is relative to.
    pub fn blobs_dir(&self) -> BorrowedFd<'_> {
        self.blobs_dir.as_fd()
    }

    pub(super) fn manifests(&self) -> &Path {
        &self.manifests
    }

    /// Where a manifest is.
    pub fn manifest_path(&self, key: &ManifestKey) -> PathBuf {
        let hex = key.hex();
        let (shard, rest) = hex.split_at(2);
        self.manifests.join(shard).join(rest)
    }

    /// A new name below `tmp/`; nothing is created.
    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp").join(unique())
    }

    pub(super) fn quarantine(&self, name: &str) -> PathBuf {
        self.root
            .join("quarantine")
            .join(format!("{name}.{}", unique()))
    }

    /// Removes what killed processes left in `tmp/`. Failures don't matter.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.root.join("tmp")) else {
            return;
        };
        for entry in entries.flatten() {
            if !owner_is_alive(&entry.file_name().to_string_lossy()) {
                let _ = remove_all(&entry.path());
            }
        }
    }
}

/// A handle that paths can be relative to.
pub fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_is_tagged_and_opens_again() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().join("deep/store");
        drop(Store::open(&root).expect("made"));
        let tag = fs::read_to_string(root.join("CACHEDIR.TAG")).expect("tag");
        assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
        drop(Store::open(&root).expect("opened"));
    }

    #[test]
    fn a_store_of_a_newer_layout_is_refused() {
        let dir = tempfile::tempdir().expect("temporary directory");
        drop(Store::open(dir.path()).expect("made"));
        fs::write(dir.path().join("layout"), "2\n").expect("newer");
        let error = Store::open(dir.path()).expect_err("refused");
        assert_eq!(error.code(), "store.layout");
        assert!(error.to_string().contains("update Allegro"), "{error}");
    }

    #[test]
    fn a_store_half_made_is_finished() {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::create_dir_all(dir.path().join("blobs-v1/00")).expect("half");
        drop(Store::open(dir.path()).expect("finished"));
        assert!(dir.path().join("blobs-v1/ff").is_dir());
    }

    #[test]
    fn the_sweep_takes_only_what_the_dead_left() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(dir.path()).expect("made");
        let mine = store.temporary();
        fs::write(&mine, b"x").expect("mine");
        let dead = dir.path().join("tmp/7ffffff0-00000000");
        fs::create_dir(&dead).expect("dead");
        store.sweep();
        assert!(mine.exists());
        assert!(!dead.exists());
    }
}
