//! The locks on the store.
//!
//! `lock` is shared while a run uses the store, and exclusive while content is removed. `gate` is
//! exclusive while a process waits for the exclusive lock. Runs that begin in that time wait for a
//! moment, so that the process gets its turn though runs overlap.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use allegro_base::error::{Error, Result};
use allegro_base::fs::move_aside;
use allegro_base::progress;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, fchmod, flock, fstat};
use rustix::io::Errno;

use super::Store;

/// The time for which a run waits for a lock that another process holds.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A function that decides whether to go on waiting for a lock. It is called repeatedly with the
/// time since the wait began.
pub type Patience<'a> = &'a dyn Fn(Duration) -> bool;

/// The time between two tries to take a lock.
const POLL: Duration = Duration::from_millis(10);

/// The time for which a process may keep the gate closed while runs use the store.
const GATE: Duration = Duration::from_secs(2);

/// The time for which the gate stays open when the runs have not ended in [`GATE`].
const OPEN: Duration = Duration::from_millis(500);

/// The time for which a run respects a closed gate. It ends the wait for a process that was
/// stopped.
const RESPECT: Duration = Duration::from_secs(3);

/// The time after which a turn lets waiting runs in.
const SLICE: Duration = Duration::from_millis(500);

/// The time for which waiting runs are let in.
const BREATH: Duration = Duration::from_millis(30);

/// Exclusive use of the store, which ends when the value is dropped. The store has its shared lock
/// again then.
pub(super) struct Turn<'s> {
    store: &'s Store,
    lock: &'s File,
    gate: File,
    patience: Patience<'s>,
    began: Instant,
}

impl<'s> Turn<'s> {
    /// Waits for exclusive use of the store. No other process uses the store then.
    ///
    /// # Errors
    /// [`Error::Input`] if `patience` ends, or where the store can't be locked.
    pub(super) fn take(store: &'s Store, patience: Patience<'s>) -> Result<Self> {
        let unlockable = || {
            Error::Input(format!(
                "the store at {} can't be locked by this user, or on this file system",
                store.root().display()
            ))
        };
        let lock = store.lock().ok_or_else(unlockable)?;
        let gate = open_lock(store.root(), &store.root().join("gate")).ok_or_else(unlockable)?;
        let mut turn = Self {
            store,
            lock,
            gate,
            patience,
            began: Instant::now(),
        };
        turn.wait()?;
        Ok(turn)
    }

    /// Lets waiting runs use the store if the turn has lasted for long. Returns whether it did, so
    /// that the caller looks at the store anew.
    ///
    /// # Errors
    /// Fails as [`Self::take`] does.
    pub(super) fn breathe(&mut self) -> Result<bool> {
        if self.began.elapsed() < SLICE {
            return Ok(false);
        }
        let _ = flock(self.lock, FlockOperation::Unlock);
        let _ = flock(&self.gate, FlockOperation::Unlock);
        std::thread::sleep(BREATH);
        self.wait()?;
        Ok(true)
    }

    /// Returns how long the turn may still last.
    pub(super) fn until(&self) -> Instant {
        self.began + SLICE
    }

    fn wait(&mut self) -> Result<()> {
        // Two processes that wait with a shared lock would wait for each other.
        let _ = flock(self.lock, FlockOperation::Unlock);
        let began = Instant::now();
        let try_lock = |file: &File| match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
            Err(error) => Err(Error::Store {
                action: "locking",
                path: self.store.root().to_owned(),
                source: error.into(),
            }),
        };
        loop {
            if try_lock(&self.gate)? {
                let until = Instant::now() + GATE;
                while Instant::now() < until {
                    if try_lock(self.lock)? {
                        self.began = Instant::now();
                        return Ok(());
                    }
                    self.pause(began, POLL)?;
                }
                // A run takes long. Others must not wait for it.
                let _ = flock(&self.gate, FlockOperation::Unlock);
                self.pause(began, OPEN)?;
            } else {
                self.pause(began, POLL)?;
            }
        }
    }

    fn pause(&self, began: Instant, pause: Duration) -> Result<()> {
        let waited = began.elapsed();
        if !(self.patience)(waited) {
            return Err(Error::Input(format!(
                "the store at {} is in use: run the command again when no install is running",
                self.store.root().display()
            )));
        }
        progress::step();
        std::thread::sleep(pause);
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = flock(&self.gate, FlockOperation::Unlock);
        let _ = flock(self.lock, FlockOperation::LockShared);
    }
}

/// Waits while another process waits for exclusive use, but not for long.
fn respect_gate(root: &Path, began: Instant, patience: Patience<'_>) {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let Ok(gate) = rustix::fs::open(root.join("gate"), flags, Mode::empty()) else {
        return;
    };
    while began.elapsed() < RESPECT
        && flock(&gate, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
        && patience(began.elapsed())
    {
        std::thread::sleep(POLL);
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
    respect_gate(root, began, patience);
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
                std::thread::sleep(POLL);
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
