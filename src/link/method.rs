//! How one file gets from the store into a project.
//!
//! Reflinks first (an edit in vendor touches nothing else), then hard links, then copies. The method steps
//! down only while it has never worked in this run, and only for errors that mean "this file system can't":
//! once a method has worked, the same error is a real one.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustix::fs::{AtFlags, linkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::error::{Error, Result, at};
use crate::fs::unique;
use crate::store::{BlobName, Digest, Store, open_directory};

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The first of reflink, hard link and copy that works.
    Auto,
    /// Reflinks or an error.
    Reflink,
    /// Hard links or an error.
    Hardlink,
    /// Copies.
    Copy,
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word.trim() {
            "auto" => Ok(Self::Auto),
            "reflink" => Ok(Self::Reflink),
            "hardlink" => Ok(Self::Hardlink),
            "copy" => Ok(Self::Copy),
            other => Err(Error::Input(format!(
                "{} must be auto, reflink, hardlink or copy, not \"{other}\"",
                crate::env::LINK_STRATEGY
            ))),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Reflink => "reflink",
            Self::Hardlink => "hardlink",
            Self::Copy => "copy",
        })
    }
}

/// What was really done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Method {
    /// A new inode that shares its blocks with the blob.
    Reflink = 0,
    /// Another name of the blob's inode.
    Hardlink = 1,
    /// A new inode with blocks of its own.
    Copy = 2,
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Reflink => "reflink",
            Self::Hardlink => "hardlink",
            Self::Copy => "copy",
        })
    }
}

/// A method that steps down until it works.
#[derive(Debug)]
struct Ladder {
    method: AtomicU8,
    confirmed: AtomicBool,
    forced: bool,
}

impl Ladder {
    fn new(method: Method, forced: bool) -> Self {
        Self {
            method: AtomicU8::new(method as u8),
            confirmed: AtomicBool::new(false),
            forced,
        }
    }

    fn method(&self) -> Method {
        match self.method.load(Ordering::Acquire) {
            0 => Method::Reflink,
            1 => Method::Hardlink,
            _ => Method::Copy,
        }
    }

    /// Notes that `method` worked.
    fn confirm(&self, method: Method) {
        if method == self.method() {
            self.confirmed.store(true, Ordering::Release);
        }
    }

    /// Whether to go on with the next method after `failed` said that it can't.
    fn step_down(&self, failed: Method, next: Method) -> bool {
        if self.forced || (self.confirmed.load(Ordering::Acquire) && self.method() == failed) {
            return false;
        }
        // Only from the method that failed: another thread may have stepped down already.
        let _ = self.method.compare_exchange(
            failed as u8,
            next as u8,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        true
    }
}

/// The blob that a file is made from.
#[derive(Debug)]
pub struct Source<'a> {
    /// Of its content.
    pub digest: &'a Digest,
    /// Its permission bits.
    pub mode: u32,
    /// Both, as the store names them.
    pub name: &'a BlobName,
}

/// Where a file goes: a short path from an open directory, so that the kernel needn't walk the long one for each.
#[derive(Debug)]
pub struct Target<'a> {
    /// The directory.
    pub dir: BorrowedFd<'a>,
    /// Its path.
    pub root: &'a Path,
    /// Relative to it.
    pub name: &'a str,
}

impl Target<'_> {
    fn path(&self) -> PathBuf {
        self.root.join(self.name)
    }
}

/// Puts files in place for one run.
#[derive(Debug)]
pub struct Linker {
    shared: Ladder,
    /// For files that must not share an inode with the store.
    private: Ladder,
}

impl Linker {
    /// A linker that follows the user's wish.
    pub fn new(strategy: Strategy) -> Self {
        let (method, forced) = match strategy {
            Strategy::Auto => (Method::Reflink, false),
            Strategy::Reflink => (Method::Reflink, true),
            Strategy::Hardlink => (Method::Hardlink, true),
            Strategy::Copy => (Method::Copy, true),
        };
        Self {
            shared: Ladder::new(method, forced),
            private: Ladder::new(
                if strategy == Strategy::Copy {
                    Method::Copy
                } else {
                    Method::Reflink
                },
                false,
            ),
        }
    }

    /// The method in use, known for sure once a file was linked.
    pub fn method(&self) -> Method {
        self.shared.method()
    }

    /// Puts a blob to `target`, which must not exist.
    ///
    /// `private`: the file is known to be written in place (bins, plugins, patched packages) and gets an
    /// inode of its own whatever the method.
    pub fn link(
        &self,
        store: &Store,
        source: &Source<'_>,
        target: &Target<'_>,
        private: bool,
    ) -> Result<Method> {
        let ladder = if private { &self.private } else { &self.shared };
        loop {
            let method = ladder.method();
            let result = match method {
                Method::Reflink => reflink(store, source, &target.path()),
                Method::Hardlink => linkat(
                    store.blobs_dir(),
                    source.name.as_str(),
                    target.dir,
                    target.name,
                    AtFlags::empty(),
                )
                .map_err(io::Error::from),
                Method::Copy => copy(store, source, &target.path()),
            };
            let error = match result {
                Ok(()) => {
                    ladder.confirm(method);
                    return Ok(method);
                }
                Err(error) => error,
            };
            let next = match method {
                Method::Reflink if cannot_reflink(&error) && private => Method::Copy,
                Method::Reflink if cannot_reflink(&error) => Method::Hardlink,
                Method::Hardlink if too_many_links(&error) => {
                    let path = store.blob_path(source.digest, source.mode);
                    store.renew_blob(&path, source.digest, source.mode)?;
                    continue;
                }
                Method::Hardlink if cannot_hardlink(&error) => Method::Copy,
                _ => return Err(at("writing", &target.path())(error)),
            };
            if !ladder.step_down(method, next) {
                return Err(if ladder.forced {
                    Error::Input(format!(
                        "{method} was asked for, but {} can't be made so: {error}; set {} to auto",
                        target.path().display(),
                        crate::env::LINK_STRATEGY
                    ))
                } else {
                    at("linking", &target.path())(error)
                });
            }
        }
    }
}

/// Which method an install into `directory` would use: a file is put there and removed again.
///
/// # Errors
/// Where no file can be put there at all, or not by the method asked for.
pub fn probe(store: &Store, strategy: Strategy, directory: &Path) -> Result<Method> {
    // Not the same content as another process that does this at the moment.
    let content = format!("Allegro tries out how files can be linked: {}\n", unique());
    let digest = Digest(sha2::Sha256::digest(&content).into());
    let blob = store.ensure_blob(&digest, 0o644, content.as_bytes())?;
    let handle = open_directory(directory).map_err(at("opening", directory))?;
    let name = BlobName::new(&digest, 0o644);
    let source = Source {
        digest: &digest,
        mode: 0o644,
        name: &name,
    };
    let target = Target {
        dir: handle.as_fd(),
        root: directory,
        name: "probe",
    };
    let method = Linker::new(strategy).link(store, &source, &target, false);
    let _ = fs::remove_file(target.path());
    let _ = fs::remove_file(blob);
    method
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

fn cannot_reflink(error: &io::Error) -> bool {
    // ENOTTY and EINVAL: older kernels and file systems that never heard of FICLONE.
    matches!(
        errno(error),
        Some(
            Errno::OPNOTSUPP
                | Errno::NOSYS
                | Errno::NOTTY
                | Errno::INVAL
                | Errno::XDEV
                | Errno::PERM
        )
    ) || error.kind() == io::ErrorKind::Unsupported
}

fn cannot_hardlink(error: &io::Error) -> bool {
    // EPERM: no hard links there, or fs.protected_hardlinks and a store of another user.
    matches!(
        errno(error),
        Some(Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::ACCESS)
    )
}

fn too_many_links(error: &io::Error) -> bool {
    errno(error) == Some(Errno::MLINK)
}

fn reflink(store: &Store, source: &Source<'_>, target: &Path) -> io::Result<()> {
    reflink_copy::reflink(store.blob_path(source.digest, source.mode), target)?;
    // Not opened for writing: the mode may forbid it.
    crate::store::seal(&File::open(target)?, source.digest, source.mode)
}

fn copy(store: &Store, source: &Source<'_>, target: &Path) -> io::Result<()> {
    let result = (|| {
        let mut from = File::open(store.blob_path(source.digest, source.mode))?;
        let mut to = File::create_new(target)?;
        io::copy(&mut from, &mut to)?;
        crate::store::seal(&to, source.digest, source.mode)
    })();
    // What exists already isn't ours to remove.
    if let Err(error) = &result
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        let _ = fs::remove_file(target);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn blob(store: &Store) -> (std::path::PathBuf, Digest) {
        let digest = Digest(sha2::Sha256::digest(b"content").into());
        (
            store
                .ensure_blob(&digest, 0o644, b"content")
                .expect("a blob"),
            digest,
        )
    }

    fn link(
        linker: &Linker,
        store: &Store,
        digest: &Digest,
        target: &Path,
        private: bool,
    ) -> Result<Method> {
        let root = target.parent().expect("a directory");
        let dir = crate::store::open_directory(root).expect("a handle");
        let source = Source {
            digest,
            mode: 0o644,
            name: &BlobName::new(digest, 0o644),
        };
        let target = Target {
            dir: dir.as_fd(),
            root,
            name: target.file_name().and_then(|n| n.to_str()).expect("a name"),
        };
        linker.link(store, &source, &target, private)
    }

    #[test]
    fn hard_links_share_the_inode_and_private_files_do_not() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (source, digest) = blob(&store);
        let linker = Linker::new(Strategy::Hardlink);
        let (shared, private) = (dir.path().join("shared"), dir.path().join("private"));
        let method = link(&linker, &store, &digest, &shared, false).expect("linked");
        assert_eq!(method, Method::Hardlink);
        let method = link(&linker, &store, &digest, &private, true).expect("linked");
        assert_ne!(method, Method::Hardlink);
        let inode = |path: &Path| fs::metadata(path).expect("metadata").ino();
        assert_eq!(inode(&shared), inode(&source));
        assert_ne!(inode(&private), inode(&source));
        assert_eq!(fs::read(&private).expect("content"), b"content");
        assert_eq!(
            fs::metadata(&private).expect("metadata").mtime(),
            digest.mtime()
        );
    }

    #[test]
    fn the_method_steps_down_before_its_first_success_only() {
        let ladder = Ladder::new(Method::Reflink, false);
        assert!(ladder.step_down(Method::Reflink, Method::Hardlink));
        assert_eq!(ladder.method(), Method::Hardlink);
        ladder.confirm(Method::Hardlink);
        assert!(!ladder.step_down(Method::Hardlink, Method::Copy));
        assert_eq!(ladder.method(), Method::Hardlink);
        // A thread that was late with the first method still goes on with the one that works.
        assert!(ladder.step_down(Method::Reflink, Method::Hardlink));
        assert_eq!(ladder.method(), Method::Hardlink);
    }

    #[test]
    fn a_forced_method_never_steps_down() {
        assert!(!Ladder::new(Method::Reflink, true).step_down(Method::Reflink, Method::Hardlink));
    }

    #[test]
    fn only_errors_of_the_file_system_step_down() {
        let os = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(cannot_reflink(&os(Errno::OPNOTSUPP)));
        assert!(cannot_hardlink(&os(Errno::XDEV)));
        for error in [Errno::NOSPC, Errno::EXIST, Errno::NOENT, Errno::ROFS] {
            assert!(!cannot_reflink(&os(error)), "{error}");
            assert!(!cannot_hardlink(&os(error)), "{error}");
        }
    }

    #[test]
    fn an_existing_target_is_left_alone() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (_, digest) = blob(&store);
        let target = dir.path().join("target");
        for strategy in [Strategy::Hardlink, Strategy::Copy] {
            fs::write(&target, b"mine").expect("mine");
            link(&Linker::new(strategy), &store, &digest, &target, false).expect_err("in the way");
            assert_eq!(fs::read(&target).expect("read"), b"mine");
        }
    }
}
