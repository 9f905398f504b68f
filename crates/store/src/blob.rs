//! The content of one file, as an inode of the store.
//!
//! A hard link shows the blob's own inode, so a blob carries the mode and the modification time of
//! the installed file. The same content with another mode or time is another blob
//! (`<digest>-644-1700000000`). A file that gets the time of its installation is never linked, and
//! its blob is named `<digest>-644-now`.
//!
//! Where files can share blocks, the store keeps a content once, without mode and time
//! (`contents-v2`). There, blobs are made only where hard links are asked for.
//!
//! Size, mode and time together are the blob's seal. A blob is written with mode 0200 and gets its
//! mode last, so a torn blob has no seal. An edit through a hard link breaks the seal. The seal is
//! checked each time a file is made from the blob.

mod adopt;
mod state;

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, futimens, statat};
use rustix::io::Errno;

use super::Store;
pub use state::{BlobState, Facts};

use super::digest::{Digest, copy_hashed};
use super::shards::Shards;
use allegro_archive::FileTime;
use allegro_base::error::{Result, in_store};
use allegro_base::fs::rename_over;
use allegro_base::fs::timestamps;
use allegro_base::hex::{push_hex, unhex};

/// The modification time of an inode whose file has no known time yet: 2001-09-09.
const SEAL_TIME: i64 = 1_000_000_000;

/// The mode of a blob that a process is writing.
pub(super) const UNFINISHED: u32 = 0o200;

/// A regular file as a project shall have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSpec {
    /// Digest of the file's content.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Modification time.
    pub time: FileTime,
}

/// The bucket that an inode of the store is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    Blobs,
    Contents,
}

/// An inode of the store, described by its place and its seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    shelf: Shelf,
    /// Name below the bucket: `ab/cdef…-644-1700000000`.
    name: String,
    digest: Digest,
    size: u64,
    /// Permission bits. `None` means readable and nothing else, and the writer decides which
    /// classes of users may read.
    mode: Option<u32>,
    seconds: i64,
}

impl Blob {
    /// Returns the name below the bucket.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the digest of the content.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    fn of(file: &FileSpec) -> Self {
        let mut name = content_name(&file.digest, 24);
        // Writing into a string can't fail.
        let _ = match file.time {
            FileTime::Now => write!(name, "-{:o}-now", file.mode),
            FileTime::At(seconds) => write!(name, "-{:o}-{seconds}", file.mode),
        };
        Self {
            shelf: Shelf::Blobs,
            name,
            digest: file.digest,
            size: file.size,
            mode: Some(file.mode),
            seconds: match file.time {
                FileTime::Now => SEAL_TIME,
                FileTime::At(seconds) => seconds,
            },
        }
    }

    fn content(digest: &Digest, size: u64) -> Self {
        Self {
            shelf: Shelf::Contents,
            name: content_name(digest, 0),
            digest: *digest,
            size,
            mode: None,
            seconds: SEAL_TIME,
        }
    }

    /// Parses a blob's name with its shard. Returns `None` if the name isn't a blob's.
    pub(crate) fn parse(name: &str, size: u64) -> Option<Self> {
        let (shard, rest) = name.split_once('/')?;
        let mut parts = rest.splitn(3, '-');
        let digest = unhex(&format!("{shard}{}", parts.next()?))?;
        let digest = Digest(digest.try_into().ok()?);
        let blob = match (parts.next(), parts.next()) {
            (None, _) => Self::content(&digest, size),
            (Some(mode), Some(time)) => Self::of(&FileSpec {
                digest,
                size,
                mode: u32::from_str_radix(mode, 8).ok()?,
                time: if time == "now" {
                    FileTime::Now
                } else {
                    FileTime::At(time.parse().ok()?)
                },
            }),
            _ => return None,
        };
        (blob.name == name).then_some(blob)
    }

    /// Returns whether the blob's inode may be linked as this file. A file that gets the time of
    /// its installation needs an inode of its own.
    pub fn can_be_linked(&self) -> bool {
        self.shelf == Shelf::Blobs && !self.name.ends_with("-now")
    }
}

fn content_name(digest: &Digest, more: usize) -> String {
    let mut name = String::with_capacity(2 * digest.0.len() + 1 + more);
    push_hex(&mut name, &digest.0[..1]);
    name.push('/');
    push_hex(&mut name, &digest.0[1..]);
    name
}

impl Store {
    fn shards(&self, shelf: Shelf) -> &Shards {
        match shelf {
            Shelf::Blobs => &self.blobs,
            Shelf::Contents => &self.contents,
        }
    }

    /// Returns the blob whose inode can be linked as the file.
    pub fn linkable(&self, file: &FileSpec) -> Blob {
        Blob::of(file)
    }

    /// Returns the inode to read the file's content from, which is the one that [`Self::ensure`]
    /// makes.
    pub fn stored(&self, file: &FileSpec) -> Blob {
        if self.keeps_contents() {
            Blob::content(&file.digest, file.size)
        } else {
            Blob::of(file)
        }
    }

    /// Returns the directory that a blob's name is relative to.
    pub fn directory(&self, blob: &Blob) -> BorrowedFd<'_> {
        self.shards(blob.shelf).dir()
    }

    /// Returns the path of a blob.
    pub fn path(&self, blob: &Blob) -> PathBuf {
        self.shards(blob.shelf).path.join(&blob.name)
    }

    /// Returns the state of a blob, with one `stat`.
    pub fn state(&self, blob: &Blob) -> BlobState {
        self.look(blob).0
    }

    /// Returns the state of a blob, and whether a process may be writing the blob at this moment.
    fn look(&self, blob: &Blob) -> (BlobState, bool) {
        self.shards(blob.shelf).check_shard(blob.digest.0[0]);
        let stat = match statat(self.directory(blob), &*blob.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // The shard is something else than a directory.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return (BlobState::Missing, false),
            Err(_) => return (BlobState::Odd, false),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return (BlobState::Odd, false);
        }
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_sign_loss,
            clippy::cast_possible_wrap,
            reason = "the fields' types differ between systems"
        )]
        let facts = Facts {
            user: stat.st_uid,
            group: stat.st_gid,
            links: stat.st_nlink as u64,
            changed: (stat.st_ctime as i64)
                .saturating_mul(1_000_000_000)
                .saturating_add(stat.st_ctime_nsec as i64),
        };
        let bits = stat.st_mode & 0o7777;
        let has_mode = match blob.mode {
            Some(mode) => bits == mode,
            None => bits & 0o400 != 0 && bits & !0o444 == 0,
        };
        if has_mode
            && u64::try_from(stat.st_size) == Ok(blob.size)
            && stat.st_mtime == blob.seconds
            && stat.st_mtime_nsec == 0
        {
            (BlobState::Sealed(facts), false)
        } else {
            (BlobState::Unsealed(facts), bits == UNFINISHED)
        }
    }

    /// Returns the state of a blob as [`Self::state`] does, but waits while a process seems to be
    /// writing it.
    ///
    /// Such a blob looks like one that was torn a moment ago. The function takes it as torn when it
    /// stays so for longer than writing can take.
    pub fn settled_state(&self, blob: &Blob) -> BlobState {
        let mut until = None;
        loop {
            let (state, is_unfinished) = self.look(blob);
            let is_being_written =
                is_unfinished && matches!(state, BlobState::Unsealed(facts) if facts.is_recent());
            if !is_being_written {
                return state;
            }
            let now = Instant::now();
            let until = *until.get_or_insert_with(|| now + writing_time(blob.size));
            if now >= until {
                return state;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Makes sure that a file's content is in the store. `content` is the whole content.
    pub fn ensure(&self, file: &FileSpec, content: &[u8]) -> Result<()> {
        self.ensure_with(&self.stored(file), |target| target.write_all(content))
    }

    /// Makes sure that a file's content is in the store. The function reads `source` and doesn't
    /// change it.
    pub fn ensure_from(&self, file: &FileSpec, source: &Path) -> Result<()> {
        self.ensure_with(&self.stored(file), |target| {
            io::copy(&mut File::open(source)?, target).map(drop)
        })
    }

    fn ensure_with(&self, blob: &Blob, fill: impl Fn(&mut File) -> io::Result<()>) -> Result<()> {
        let path = self.path(blob);
        let shards = self.shards(blob.shelf);
        shards.check_shard(blob.digest.0[0]);
        // The blob is made without a look-up before, because nearly all blobs are new on a filling
        // store.
        match self.write_new(&path, blob, &fill) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let trusted = |facts: Facts| self.trusts(facts.user);
                if matches!(self.state(blob), BlobState::Sealed(facts) if trusted(facts)) {
                    return Ok(());
                }
            }
            Err(error) if is_shard_missing(&error) => {
                // Part of the store was deleted by hand.
                shards
                    .make_shard(blob.digest.0[0])
                    .map_err(in_store("creating the shard of", &path))?;
            }
            Err(error) => return Err(in_store("writing", &path)(error)),
        }
        // The blob is torn, edited, or another process is writing it at this moment. Ours takes its
        // place. The other process goes on writing to an inode without a name, and finds ours when
        // it links.
        self.replace(blob, fill)
    }

    /// Gives a blob a new inode.
    fn replace(&self, blob: &Blob, fill: impl Fn(&mut File) -> io::Result<()>) -> Result<()> {
        let path = self.path(blob);
        let temporary = self.temporary();
        self.write_new(&temporary, blob, fill)
            .and_then(|()| rename_over(&temporary, &path))
            .map_err(|error| {
                let _ = fs::remove_file(&temporary);
                in_store("writing", &path)(error)
            })
    }

    /// Creates `path`, fills it and seals it. A file that exists already stays as it is
    /// (`AlreadyExists`).
    fn write_new(
        &self,
        path: &Path,
        blob: &Blob,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(UNFINISHED)
            .open(path)?;
        let result = fill(&mut file).and_then(|()| self.seal(&file, blob));
        if result.is_err() {
            // On a full disk, nothing half-written is left behind.
            let _ = fs::remove_file(path);
        }
        result
    }

    /// Sets the time of a complete file, and then its mode.
    fn seal(&self, file: &File, blob: &Blob) -> io::Result<()> {
        futimens(file, &timestamps(blob.seconds))?;
        let mode = blob.mode.unwrap_or_else(|| self.content_mode());
        fchmod(file, Mode::from_raw_mode(mode))?;
        Ok(())
    }

    /// Opens a blob for reading. The blob must be a regular file.
    pub fn open_blob(&self, blob: &Blob) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = rustix::fs::openat(self.directory(blob), &*blob.name, flags, Mode::empty())?;
        Ok(File::from(file))
    }

    /// Reads a blob and returns whether its content matches the digest in its name.
    ///
    /// # Errors
    /// [`allegro_base::error::Error::Store`] if the blob can't be read, for example by this user.
    pub fn has_content(&self, blob: &Blob) -> Result<bool> {
        let read = || -> io::Result<bool> {
            copy_hashed(&mut self.open_blob(blob)?, &mut io::sink(), &blob.digest)
        };
        match read() {
            // Another process has removed the blob.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map_err(in_store("reading", &self.path(blob))),
        }
    }

    /// Makes a blob that can be linked from another inode of the same content, if there is a sound
    /// one.
    ///
    /// Where contents are not kept, the function lists a shard. It is called only when a project is
    /// installed under another umask or time zone for the first time.
    pub fn ensure_linkable(&self, blob: &Blob) -> Result<bool> {
        let Some(source) = self.sibling(blob) else {
            return Ok(false);
        };
        self.make_from(blob, &source)
    }

    /// Makes a blob from another inode of the same content. The function reads and checks that
    /// content.
    fn make_from(&self, blob: &Blob, source: &Blob) -> Result<bool> {
        let temporary = self.temporary();
        let Ok(mut from) = self.open_blob(source) else {
            // The source has vanished meanwhile, or this user can't read it.
            return Ok(false);
        };
        let result = (|| -> io::Result<bool> {
            if self.keeps_contents() && self.has_content(source).unwrap_or(false) {
                reflink_copy::reflink(self.path(source), &temporary)?;
                let file = File::open(&temporary)?;
                self.seal(&file, blob)?;
            } else {
                let mut is_right = false;
                self.write_new(&temporary, blob, |target| {
                    is_right = copy_hashed(&mut from, target, &blob.digest)?;
                    Ok(())
                })?;
                if !is_right {
                    return Ok(false);
                }
            }
            let path = self.path(blob);
            match rename_over(&temporary, &path) {
                Err(error) if is_shard_missing(&error) => {
                    self.shards(blob.shelf).make_shard(blob.digest.0[0])?;
                    rename_over(&temporary, &path)?;
                }
                result => result?,
            }
            Ok(true)
        })();
        if !matches!(result, Ok(true)) {
            let _ = fs::remove_file(&temporary);
        }
        result.map_err(in_store("writing", &self.path(blob)))
    }

    /// Gives a blob a new inode of the same content, mode and time, owned by the running user.
    /// Callers renew a blob that has reached the file system's link limit, or that has another
    /// owner. Returns `false` if the content is not sound.
    pub fn renew(&self, blob: &Blob) -> Result<bool> {
        self.make_from(blob, blob)
    }

    /// Restores the seal of a blob whose content is known to be right.
    ///
    /// Callers may do this only where the inode has no other name, because mode and time are those
    /// of all names.
    pub fn reseal(&self, blob: &Blob) -> io::Result<()> {
        self.seal(&self.open_blob(blob)?, blob)
    }

    /// Moves a damaged blob to quarantine, so that nothing else is linked to it.
    pub fn quarantine_blob(&self, blob: &Blob) -> Result<()> {
        let path = self.path(blob);
        let name = blob.name.replace('/', "");
        match fs::rename(&path, self.quarantine(&name)) {
            Ok(()) => Ok(()),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(in_store("moving to quarantine", &path)(error)),
        }
    }

    /// Returns another inode of the same content with a whole seal, or the content itself.
    pub fn sibling(&self, blob: &Blob) -> Option<Blob> {
        let content = Blob::content(&blob.digest, blob.size);
        let is_sealed = |blob: &Blob| matches!(self.state(blob), BlobState::Sealed(_));
        if blob.shelf != Shelf::Contents && is_sealed(&content) {
            return Some(content);
        }
        let (shard, rest) = content.name.split_once('/')?;
        for entry in fs::read_dir(self.blobs.path.join(shard)).ok()?.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.starts_with(rest)) else {
                continue;
            };
            if let Some(other) = Blob::parse(&format!("{shard}/{name}"), blob.size)
                && other != *blob
                && is_sealed(&other)
            {
                return Some(other);
            }
        }
        None
    }

    /// Returns the blob that a path below one of the buckets names, with the size of the file
    /// there.
    pub(super) fn blob_at(&self, path: &Path) -> Option<Blob> {
        let size = fs::symlink_metadata(path).ok()?.len();
        let (shelf, bucket) = [Shelf::Blobs, Shelf::Contents]
            .into_iter()
            .map(|shelf| (shelf, self.shards(shelf)))
            .find(|(_, bucket)| path.starts_with(&bucket.path))?;
        let name = path.strip_prefix(&bucket.path).ok()?.to_str()?;
        Blob::parse(name, size).filter(|blob| blob.shelf == shelf)
    }
}

fn is_shard_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Returns the longest time that writing a blob may take on a busy machine with a slow disk.
fn writing_time(size: u64) -> Duration {
    Duration::from_millis(2_000 + size / 20_000)
}

#[cfg(test)]
mod tests;
