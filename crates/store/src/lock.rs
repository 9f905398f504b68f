//! The lock on the store: shared while a run uses the store, exclusive while it is pruned.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use allegro_base::error::{Error, Result};
use allegro_base::fs::move_aside;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, fchmod, flock, fstat};
use rustix::io::Errno;

use super::Store;

/// The time for which a run waits for a lock that another process holds.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A function that decides whether to go on waiting for a lock. It is called repeatedly with the
/// time since the wait began.
pub type Patience<'a> = &'a dyn Fn(Duration) -> bool;

impl Store {
    /// Takes the lock for this process alone, without waiting. If that fails, the process keeps the
    /// shared lock.
    pub fn lock_exclusively(&self) -> bool {
        self.lock().is_some_and(|lock| {
            let alone = flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok();
            alone || {
                // A conversion that fails may have given the shared lock up (flock(2)).
                let _ = flock(lock, FlockOperation::LockShared);
                false
            }
        })
    }
}

/// Opens and takes the lock. Returns `None` where the lock file can't be opened, but the store can
/// still be read.
pub(super) fn lock(root: &Path, patience: Patience<'_>) -> Result<Option<File>> {
    let path = root.join("lock");
    let Some(file) = open_lock(root, &path) else {
        return Ok(None);
    };
    let began = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => {
                if !patience(began.elapsed()) {
                    return Err(Error::Store {
                        action: "waiting for the lock of another process on",
                        path,
                        source: io::ErrorKind::TimedOut.into(),
                    });
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            // File systems without locks come here too. Renames replace records there, which is
            // enough without pruning.
            Ok(()) | Err(_) => return Ok(Some(file)),
        }
    }
}

/// Opens the lock file. Its mode follows that of the store's directory, so that each user of the
/// store can lock it.
fn open_lock(root: &Path, path: &Path) -> Option<File> {
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let open = |flags| rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).map(File::from);
    for _ in 0..2 {
        let opened = open(OFlags::RDWR | flags).or_else(|error| match error {
            Errno::ACCESS | Errno::ROFS | Errno::PERM => open(OFlags::RDONLY | flags),
            Errno::NOENT => {
                let file = open(OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | flags)?;
                let mode = rustix::fs::stat(root)?.st_mode & 0o666;
                let _ = fchmod(&file, Mode::from_raw_mode(mode | 0o600));
                Ok(file)
            }
            other => Err(other),
        });
        let is_file = |file: &File| {
            fstat(file)
                .is_ok_and(|facts| FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile)
        };
        match opened {
            Ok(file) if is_file(&file) => return Some(file),
            // A directory, a pipe or a link stands in the place, or another process made the file
            // first.
            Ok(_) | Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO | Errno::EXIST) => {
                if fs::symlink_metadata(path).is_ok_and(|facts| !facts.is_file()) {
                    move_aside(path).ok()?;
                }
            }
            Err(_) => return None,
        }
    }
    None
}
