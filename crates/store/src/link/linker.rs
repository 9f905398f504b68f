//! Puts one file from the store into a project.
//!
//! The linker hard-links a file only where the blob's inode equals a new file there in owner,
//! group, ACL, mode and time. It reflinks or copies everything else. A refusal for one file
//! concerns that file only.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, futimens, linkat};
use rustix::io::Errno;

use super::strategy::{Method, Refusal, Strategy};
use crate::{Blob, BlobState, Facts, FileSpec, Store, copy_hashed};
use allegro_archive::FileTime;
use allegro_base::error::{Error, Result, at, in_store};
use allegro_base::fs::timestamps;
use allegro_base::fs::{has_acl, has_attributes, has_default_acl, inode_clock, unique};

/// Properties of new files in a project's staging directory, and the link methods that work there.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the place"
)]
struct Ground {
    user: u32,
    group: u32,
    has_acl: bool,
    has_default_acl: bool,
    can_chmod: bool,
    can_reflink: bool,
    /// Error of a hard link from the store, if none can be made.
    no_links: Option<Errno>,
}

impl Ground {
    /// Creates, reflinks and links probe files in the staging directory, and returns what worked.
    fn probe(store: &Store, staging: &Path) -> Result<Self> {
        let path = staging.join(format!(".probe-{}", unique()));
        let file = File::create_new(&path).map_err(at("writing", &path))?;
        let facts = file.metadata().map_err(at("reading", &path))?;
        let acl = has_acl(&path);
        let can_chmod = fchmod(&file, Mode::from_raw_mode(0o640)).is_ok();
        let _ = fs::remove_file(&path);
        // Every store has this file.
        let source = store.root().join("layout");
        let can_reflink = reflink_copy::reflink(&source, &path).is_ok();
        let _ = fs::remove_file(&path);
        let no_links = rustix::fs::link(&source, &path).err();
        let _ = fs::remove_file(&path);
        Ok(Self {
            user: facts.uid(),
            group: facts.gid(),
            has_acl: acl,
            has_default_acl: has_default_acl(staging),
            can_chmod,
            can_reflink,
            no_links,
        })
    }
}

/// The place of a new file: a name in an open directory. The handle saves the walk along the path
/// for each file.
pub struct LinkTarget<'a> {
    /// Handle of the directory.
    pub dir: BorrowedFd<'a>,
    /// Name of the file in the directory.
    pub name: &'a str,
    /// Function that returns the whole path, for messages.
    pub path: &'a dyn Fn() -> PathBuf,
}

/// An inode of the store that a file can be made from.
#[derive(Debug, Clone)]
pub struct LinkSource {
    blob: Blob,
    /// Whether the inode itself may get another name.
    is_linkable: bool,
    /// Whether the linker must check the content while it copies.
    is_unproven: bool,
}

/// The result of a look-up of a file's content in the store.
#[derive(Debug)]
pub enum Supply {
    /// The store has a sound inode.
    Ready(LinkSource),
    /// The store has no inode of this content.
    Missing,
    /// The store had a file with another content. The linker has put it into quarantine if it may
    /// write.
    Damaged,
}

/// Puts files in place for one run.
#[derive(Debug)]
pub struct Linker<'s> {
    store: &'s Store,
    ground: Ground,
    /// Method for files that may share an inode with the store.
    shared: Method,
    /// Method for files that need an inode of their own.
    private: Method,
    /// Whether the linker reads each blob before use.
    verify: bool,
    started: i64,
    refusal: Mutex<Option<Refusal>>,
}

impl<'s> Linker<'s> {
    /// Probes which methods work from the store to files below `staging`, which must exist.
    ///
    /// # Errors
    /// [`Error::Input`] if the user asked for a method that doesn't work here.
    pub fn new(store: &'s Store, staging: &Path, strategy: Strategy, verify: bool) -> Result<Self> {
        let started = inode_clock();
        let ground = Ground::probe(store, staging)?;
        let impossible = |method: Method| {
            Err(Error::Input(format!(
                "{method} was asked for, but {} can't have files from the store at {} so; set {} to auto",
                staging.display(),
                store.root().display(),
                allegro_base::env::LINK_STRATEGY
            )))
        };
        let private = match strategy {
            Strategy::Copy => Method::Copy,
            _ if ground.can_reflink => Method::Reflink,
            _ => Method::Copy,
        };
        let mut linker = Self {
            store,
            ground,
            shared: private,
            private,
            verify,
            started,
            refusal: Mutex::new(None),
        };
        let wants_links = match strategy {
            Strategy::Reflink if !ground.can_reflink => return impossible(Method::Reflink),
            Strategy::Hardlink if ground.no_links.is_some() => return impossible(Method::Hardlink),
            Strategy::Copy | Strategy::Reflink => false,
            Strategy::Hardlink => true,
            Strategy::Auto => !ground.can_reflink,
        };
        if wants_links {
            match linker.refusal_of_all() {
                Some(refusal) => linker.note(refusal),
                None => linker.shared = Method::Hardlink,
            }
        }
        Ok(linker)
    }

    /// Returns the reason why no file of this run can be hard-linked, if there is one.
    fn refusal_of_all(&self) -> Option<Refusal> {
        let ground = &self.ground;
        if ground.no_links == Some(Errno::XDEV) {
            Some(Refusal::OtherFileSystem)
        } else if !self.store.is_writable() {
            Some(Refusal::ReadOnly)
        } else if ground.no_links.is_some() {
            Some(Refusal::Refused)
        } else {
            (ground.has_acl || self.store.gives_acl()).then_some(Refusal::Acl)
        }
    }

    /// Returns whether the file system lets modes be set. Where it doesn't, unzip fails, and
    /// Composer extracts with PHP's ZipArchive.
    pub fn can_chmod(&self) -> bool {
        self.ground.can_chmod
    }

    /// Returns whether a default ACL, not the umask, decides on the modes of new directories in the
    /// project.
    pub(super) fn has_default_acl(&self) -> bool {
        self.ground.has_default_acl
    }

    /// Returns the method for files that may share an inode with the store.
    pub fn method(&self) -> Method {
        self.shared
    }

    /// Returns everything that this linker found out about its place, as a text to compare.
    pub fn facts(&self) -> String {
        format!("{:?} {} {}", self.ground, self.shared, self.private)
    }

    /// Returns the run's first reason why a file that may share an inode with the store doesn't.
    pub fn refusal(&self) -> Option<Refusal> {
        *self.refusal.lock()
    }

    fn note(&self, refusal: Refusal) {
        self.refusal.lock().get_or_insert(refusal);
    }

    /// Finds a sound inode for a file, and mends a blob with a broken seal where it can.
    pub fn supply(&self, file: &FileSpec, is_private: bool) -> Result<Supply> {
        if !is_private && self.shared == Method::Hardlink {
            let blob = self.store.linkable(file);
            if blob.can_be_linked() {
                return self.supply_linkable(blob);
            }
        }
        let stored = self.store.stored(file);
        match self.prove(&stored)? {
            // Any inode of the same content serves for reading.
            Proof::Missing => match self.store.sibling(&stored) {
                Some(sibling) => Ok(match self.prove(&sibling)? {
                    Proof::Missing => Supply::Missing,
                    proof => proof.supply(sibling),
                }),
                None => Ok(Supply::Missing),
            },
            proof => Ok(proof.supply(stored)),
        }
    }

    fn supply_linkable(&self, blob: Blob) -> Result<Supply> {
        let mut proof = self.prove(&blob)?;
        if matches!(proof, Proof::Missing) && self.store.ensure_linkable(&blob)? {
            proof = self.prove(&blob)?;
        }
        let Proof::Sound(facts) = proof else {
            return Ok(proof.supply(blob));
        };
        let mut refusal = self.misfit(&blob, facts);
        // The blob was given away, or another user made it. A new inode fits if this process may
        // make one.
        if matches!(
            refusal,
            Some(Refusal::Owner | Refusal::Group | Refusal::Acl)
        ) && self.store.may_renew(facts.user)
            && self.store.new_owner() == (self.ground.user, self.ground.group)
            && self.store.renew(&blob)?
        {
            refusal = None;
        }
        if let Some(refusal) = refusal {
            self.note(refusal);
        }
        Ok(Supply::Ready(LinkSource {
            blob,
            is_linkable: refusal.is_none(),
            is_unproven: false,
        }))
    }

    /// Returns why a sound blob differs from a new file in the project, if it does.
    fn misfit(&self, blob: &Blob, facts: Facts) -> Option<Refusal> {
        if facts.user != self.ground.user {
            Some(Refusal::Owner)
        } else if facts.group != self.ground.group {
            Some(Refusal::Group)
        } else if self.store.is_overlay() && facts.changed < self.started {
            Some(Refusal::Overlay)
        } else if facts.links > 1 && has_attributes(self.store.path(blob)) {
            // Since the blob was written, attributes can have come to it only through another name.
            Some(Refusal::Acl)
        } else {
            None
        }
    }

    /// Checks a blob. A blob with the right content and a broken seal gets its seal back. A blob
    /// with the wrong content goes to quarantine.
    fn prove(&self, blob: &Blob) -> Result<Proof> {
        let (facts, is_sealed) = match self.store.settled_state(blob) {
            BlobState::Missing => return Ok(Proof::Missing),
            BlobState::Odd => {
                if self.store.is_writable() {
                    self.store.quarantine_blob(blob)?;
                }
                return Ok(Proof::Missing);
            }
            BlobState::Sealed(facts) => (facts, true),
            BlobState::Unsealed(facts) => (facts, false),
        };
        let is_trusted = is_sealed && self.store.trusts(facts.user);
        if is_trusted && !self.verify {
            return Ok(Proof::Sound(facts));
        }
        if !self.store.has_content(blob)? {
            if self.store.is_writable() {
                self.store.quarantine_blob(blob)?;
            }
            return Ok(Proof::Damaged);
        }
        if is_trusted {
            return Ok(Proof::Sound(facts));
        }
        if !self.store.may_renew(facts.user) {
            return Ok(Proof::Unproven);
        }
        // Mode and time of an inode with other names are those of other projects' files, so they
        // stay.
        let is_alone = facts.links == 1 && self.store.trusts(facts.user);
        let mended = (is_alone && self.store.reseal(blob).is_ok()) || self.store.renew(blob)?;
        Ok(match self.store.state(blob) {
            BlobState::Sealed(facts) if mended => Proof::Sound(facts),
            _ => Proof::Unproven,
        })
    }

    /// Makes the file `target`, which must not exist.
    ///
    /// # Errors
    /// [`LinkError::Vanished`] if the source is gone or isn't sound after all. Then nothing is at
    /// the target.
    pub fn link(
        &self,
        source: &LinkSource,
        file: &FileSpec,
        target: &LinkTarget<'_>,
    ) -> Result<Method, LinkError> {
        if source.is_linkable && self.link_inode(source, target)? {
            return Ok(Method::Hardlink);
        }
        if self.private == Method::Reflink
            && !source.is_unproven
            && self.reflink(source, file, target)?
        {
            return Ok(Method::Reflink);
        }
        self.copy(source, file, target)?;
        Ok(Method::Copy)
    }

    /// Gives the blob's inode another name. Returns `false` if the file system refuses.
    fn link_inode(&self, source: &LinkSource, target: &LinkTarget<'_>) -> Result<bool, LinkError> {
        let link = || {
            linkat(
                self.store.directory(&source.blob),
                source.blob.name(),
                target.dir,
                target.name,
                AtFlags::empty(),
            )
        };
        let error = match link() {
            Ok(()) => return Ok(true),
            // The inode has as many links as the file system allows. A new inode takes the next
            // ones.
            Err(Errno::MLINK) if matches!(self.store.renew(&source.blob), Ok(true)) => match link()
            {
                Ok(()) => return Ok(true),
                Err(error) => error,
            },
            Err(error) => error,
        };
        match error {
            Errno::NOENT => Err(LinkError::Vanished),
            Errno::EXIST => Err(target.error("linking", error.into())),
            _ => {
                self.note(Refusal::Refused);
                Ok(false)
            }
        }
    }

    /// Makes a new inode that shares the blob's blocks. Returns `false` if the file system refuses.
    fn reflink(
        &self,
        source: &LinkSource,
        file: &FileSpec,
        target: &LinkTarget<'_>,
    ) -> Result<bool, LinkError> {
        let path = (target.path)();
        match reflink_copy::reflink(self.store.path(&source.blob), &path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(target.error("writing", error));
            }
            Err(error) => {
                return match Errno::from_io_error(&error) {
                    Some(Errno::NOSPC | Errno::DQUOT) => Err(target.error("writing", error)),
                    _ => Ok(false),
                };
            }
        }
        // The file is opened for reading, because its mode may forbid writing.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let made = rustix::fs::openat(target.dir, target.name, flags, Mode::empty())
            .map_err(|error| target.error("opening", error.into()))?;
        finish(made.as_fd(), file).map_err(|error| target.error("writing", error))?;
        Ok(true)
    }

    fn copy(
        &self,
        source: &LinkSource,
        file: &FileSpec,
        target: &LinkTarget<'_>,
    ) -> Result<(), LinkError> {
        let mut from = match self.store.open_blob(&source.blob) {
            Ok(from) => from,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LinkError::Vanished);
            }
            Err(error) => {
                let path = self.store.path(&source.blob);
                return Err(LinkError::Failed(in_store("reading", &path)(error)));
            }
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut to = rustix::fs::openat(target.dir, target.name, flags, Mode::from_raw_mode(0o666))
            .map(File::from)
            .map_err(|error| target.error("writing", error.into()))?;
        let result = if source.is_unproven || self.verify {
            copy_hashed(&mut from, &mut to, &file.digest)
        } else {
            io::copy(&mut from, &mut to).map(|bytes| bytes == file.size)
        }
        .and_then(|is_right| finish(to.as_fd(), file).map(|()| is_right));
        match result {
            Ok(true) => Ok(()),
            other => {
                let _ = rustix::fs::unlinkat(target.dir, target.name, AtFlags::empty());
                Err(match other {
                    Err(error) => target.error("writing", error),
                    Ok(_) => LinkError::Vanished,
                })
            }
        }
    }
}

/// The result of checking a blob.
enum Proof {
    /// The content is right, and the seal is whole.
    Sound(Facts),
    /// The content was right at the check, but somebody else may change it.
    Unproven,
    Missing,
    Damaged,
}

impl Proof {
    fn supply(self, blob: Blob) -> Supply {
        match self {
            Self::Missing => Supply::Missing,
            Self::Damaged => Supply::Damaged,
            Self::Sound(_) | Self::Unproven => Supply::Ready(LinkSource {
                blob,
                is_linkable: false,
                is_unproven: matches!(self, Self::Unproven),
            }),
        }
    }
}

/// The reason why a file was not put in place.
#[derive(Debug)]
pub enum LinkError {
    /// The source is gone, or isn't sound any more.
    Vanished,
    /// Another error occurred.
    Failed(Error),
}

impl LinkTarget<'_> {
    fn error(&self, action: &'static str, error: io::Error) -> LinkError {
        LinkError::Failed(at(action, &(self.path)())(error))
    }
}

/// Gives a new file its mode and time, as far as the file system supports them. Composer's
/// unpackers ignore such failures too.
fn finish(made: BorrowedFd<'_>, file: &FileSpec) -> io::Result<()> {
    tolerate(fchmod(made, Mode::from_raw_mode(file.mode)))?;
    match file.time {
        FileTime::Now => Ok(()),
        FileTime::At(seconds) => tolerate(futimens(made, &timestamps(seconds))),
    }
}

/// Treats an error that says "this file system can't" as success.
pub(super) fn tolerate(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => other.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests;
