//! Recognizes an unchanged file by its `stat`, so that the file need not be read again.

use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

use crate::fs::inode_clock;

/// A point in time on the file system's clock, as seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Moment {
    /// Whole seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

impl Moment {
    /// Returns the current time of the clock that stamps inodes: the coarse clock, which advances
    /// once a tick.
    pub fn now() -> Self {
        Self::from_nanos(inode_clock())
    }

    /// Returns the moment as `i64` nanoseconds, for the protocol.
    pub fn as_nanos(self) -> i64 {
        self.seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(i64::from(self.nanos))
    }

    /// Returns the moment that a number of nanoseconds since 1970 stands for.
    pub fn from_nanos(nanos: i64) -> Self {
        Self::new(
            nanos.div_euclid(1_000_000_000),
            nanos.rem_euclid(1_000_000_000),
        )
    }

    fn new(seconds: i64, nanos: impl TryInto<u32>) -> Self {
        Self {
            seconds,
            nanos: nanos.try_into().unwrap_or(0),
        }
    }
}

/// The fields of a file's `stat` that change when its content does.
///
/// No program can set the change time, so an edit shows even if size and modification time are
/// restored. The change time is ignored for a file with several names, because another project's
/// installation changes it. An edit of such a file goes unnoticed if it keeps size and modification
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Modification time.
    pub modified: Moment,
    /// Change time, or the epoch for a file with several names.
    pub changed: Moment,
}

impl Identity {
    /// Returns whether the file has several names.
    pub fn is_shared(&self) -> bool {
        self.changed == Moment::default()
    }
}

impl From<&Stat> for Identity {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "the fields' types differ between systems"
    )]
    fn from(stat: &Stat) -> Self {
        // A directory has one name in each of its subdirectories (`..`), so its count says nothing.
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified: Moment::new(stat.st_mtime as i64, stat.st_mtime_nsec),
            changed: if is_file && stat.st_nlink as u64 > 1 {
                Moment::default()
            } else {
                Moment::new(stat.st_ctime as i64, stat.st_ctime_nsec)
            },
        }
    }
}

/// The time before any file was examined, and the precision of the file system's stamps.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    now: Moment,
    margin: Duration,
}

/// Margin for local file systems. Kernels stamp inodes by a clock that ticks 100 to 1000 times a
/// second.
const TICK: Duration = Duration::from_millis(10);

/// Margin for file systems that keep whole or even seconds, or that use a clock of their own.
const COARSE: Duration = Duration::from_secs(3);

impl Clock {
    /// Starts the clock for files on the file system of `directory`.
    pub fn start(directory: &Path) -> Self {
        Self {
            now: Moment::now(),
            margin: if stamps_by_our_clock(directory) {
                TICK
            } else {
                COARSE
            },
        }
    }

    /// Returns whether any later change must show in the identity, because it would carry a later
    /// time stamp.
    ///
    /// A file that was changed within the current tick could change once more without a trace.
    /// Content that is read from it now must not be trusted later.
    pub fn has_settled(&self, identity: &Identity) -> bool {
        // The change time of a shared file is ignored, so an edit must show in the modification
        // time.
        let last = if identity.is_shared() {
            identity.modified
        } else {
            identity.changed
        };
        let margin = if last.nanos == 0 { COARSE } else { self.margin };
        let margin = i64::try_from(margin.as_nanos()).unwrap_or(i64::MAX);
        last.as_nanos() < self.now.as_nanos().saturating_sub(margin)
    }
}

/// Returns whether the kernel's own clock stamps the inodes there, with nanosecond precision.
#[cfg(target_os = "linux")]
fn stamps_by_our_clock(directory: &Path) -> bool {
    // Magic numbers from linux/magic.h: ext2-4, XFS, btrfs, tmpfs, overlayfs, F2FS, bcachefs, ZFS.
    const LOCAL: [i64; 8] = [
        0xEF53,
        0x5846_5342,
        0x9123_683E,
        0x0102_1994,
        0x794C_7630,
        0xF2F5_2010,
        0xCA45_1A4E,
        0x2FC1_2FC1,
    ];
    #[allow(
        clippy::unnecessary_cast,
        reason = "the field's type differs between systems"
    )]
    rustix::fs::statfs(directory).is_ok_and(|statfs| LOCAL.contains(&(statfs.f_type as i64)))
}

/// Returns whether the kernel's own clock stamps the inodes there, with nanosecond precision.
#[cfg(not(target_os = "linux"))]
fn stamps_by_our_clock(_directory: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Timestamps, lstat};
    use std::fs;

    #[test]
    fn a_fresh_file_has_not_settled_and_an_old_one_has() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("a.php");
        fs::write(&path, "x").expect("written");
        let identity = Identity::from(&lstat(&path).expect("stat"));
        assert!(!Clock::start(dir.path()).has_settled(&identity));
        std::thread::sleep(Duration::from_millis(40));
        assert!(Clock::start(dir.path()).has_settled(&identity));
        // On a file system that keeps whole seconds, the same file is too young.
        assert!(!Clock::start(Path::new("/proc")).has_settled(&identity));
        let mut whole = identity;
        whole.changed.nanos = 0;
        assert!(!Clock::start(dir.path()).has_settled(&whole));
    }

    #[test]
    fn an_edit_shows_although_size_and_time_were_put_back() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("a.php");
        fs::write(&path, "one").expect("written");
        let stat = lstat(&path).expect("stat");
        let before = Identity::from(&stat);
        std::thread::sleep(Duration::from_millis(40));
        fs::write(&path, "two").expect("edited");
        let time = rustix::fs::Timespec {
            tv_sec: stat.st_mtime,
            tv_nsec: stat.st_mtime_nsec.try_into().expect("nanoseconds"),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(CWD, &path, &times, rustix::fs::AtFlags::empty()).expect("restored");
        let after = Identity::from(&lstat(&path).expect("stat"));
        assert_eq!((before.size, before.modified), (after.size, after.modified));
        assert_ne!(before, after);
    }
}
