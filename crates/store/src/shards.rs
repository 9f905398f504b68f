//! A directory of the store that is divided into 256 shards.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use allegro_base::error::{Result, in_store};
use allegro_base::fs::{make_directories, move_odd_aside};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, statat};
use rustix::io::Errno;

use super::Bucket;

/// A directory of the store with 256 shards, and a handle that paths are relative to.
#[derive(Debug)]
pub(super) struct Shards {
    pub(super) path: PathBuf,
    pub(super) dir: OwnedFd,
    /// For each shard, whether it is known to be a directory.
    checked: [AtomicBool; 256],
}

/// Opens a directory as a handle that paths can be relative to. The function follows no links.
pub fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    open_directory_at(rustix::fs::CWD, path)
}

/// Opens a directory relative to another one. The function follows no links.
pub fn open_directory_at(parent: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// Makes the directories of a bucket.
pub(super) fn create_bucket(root: &Path, bucket: Bucket) -> Result<()> {
    for shard in 0..=255_u8 {
        let place = format!("{}/{shard:02x}", bucket.name());
        make_directories(root, &place).map_err(in_store("creating", &root.join(&place)))?;
    }
    Ok(())
}

/// Opens a bucket, and makes its directories if they are missing.
pub(super) fn open_bucket(root: &Path, bucket: Bucket) -> Result<Shards> {
    let path = root.join(bucket.name());
    let dir = match open_directory(&path) {
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
            ) =>
        {
            create_bucket(root, bucket)?;
            open_directory(&path)
        }
        other => other,
    }
    .map_err(in_store("opening", &path))?;
    Ok(Shards {
        path,
        dir,
        checked: [const { AtomicBool::new(false) }; 256],
    })
}

impl Shards {
    /// Makes sure that a shard is a directory or absent, because a link would lead out of the
    /// store. Each shard is checked once a run.
    pub(super) fn check_shard(&self, shard: u8) {
        let checked = &self.checked[usize::from(shard)];
        if checked.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("{shard:02x}");
        match statat(&self.dir, &*name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                checked.store(true, Ordering::Relaxed);
            }
            // Where the entry can't be moved, the store can't be written either.
            Ok(_) => drop(move_odd_aside(&self.path.join(name))),
            Err(_) => {}
        }
    }

    /// Makes a shard that is missing.
    pub(super) fn make_shard(&self, shard: u8) -> io::Result<()> {
        make_directories(&self.path, &format!("{shard:02x}"))
    }

    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}
