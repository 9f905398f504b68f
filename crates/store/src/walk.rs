//! Lists directories of the store, and sums up what its files take.

use std::ffi::{CStr, CString};
use std::io;
use std::ops::AddAssign;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, statat};
use rustix::io::Errno;

/// An entry of a directory, as the directory itself tells it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: CString,
    pub(crate) inode: u64,
    /// Kind of the entry. It is unknown on some file systems.
    kind: FileType,
}

impl Entry {
    /// Returns the name, if it is UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        self.name.to_str().ok()
    }

    /// Returns whether the entry is a leftover of an atomic write, or was moved aside.
    pub(crate) fn is_hidden(&self) -> bool {
        self.name.to_bytes().starts_with(b".")
    }

    /// Returns whether the entry is a regular file.
    pub(crate) fn is_file(&self, dir: impl AsFd) -> bool {
        self.kind(dir) == FileType::RegularFile
    }

    /// Returns whether the entry is a directory.
    pub(crate) fn is_dir(&self, dir: impl AsFd) -> bool {
        self.kind(dir) == FileType::Directory
    }

    fn kind(&self, dir: impl AsFd) -> FileType {
        if self.kind == FileType::Unknown {
            look(dir, &self.name).map_or(FileType::Unknown, |facts| {
                FileType::from_raw_mode(facts.st_mode)
            })
        } else {
            self.kind
        }
    }
}

/// Opens a directory so that it can be listed. The function follows no links.
pub(crate) fn open_listable(
    parent: impl AsFd,
    name: impl rustix::path::Arg,
) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// Opens and lists a directory. Returns `None` if it is missing, or is something else.
pub(crate) fn opened(
    parent: impl AsFd,
    name: impl rustix::path::Arg,
) -> io::Result<Option<(OwnedFd, Vec<Entry>)>> {
    match open_listable(parent, name) {
        Ok(dir) => {
            let entries = list(&dir)?;
            Ok(Some((dir, entries)))
        }
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the entries of an open directory.
pub(crate) fn list(dir: &OwnedFd) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            entries.push(Entry {
                name: name.to_owned(),
                inode: entry.ino(),
                kind: entry.file_type(),
            });
        }
    }
    Ok(entries)
}

/// Returns the facts of an entry. The function follows no link.
pub(crate) fn look(dir: impl AsFd, name: &CStr) -> rustix::io::Result<Stat> {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// What files take, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Number of files.
    pub(crate) files: u64,
    /// Sum of the files' lengths.
    pub(crate) bytes: u64,
    /// Bytes on disk that the removal of the files gives back.
    pub(crate) freed: u64,
}

impl Sum {
    /// Returns what one file takes. An inode with other names takes its blocks all the same.
    pub(crate) fn of(facts: &Stat) -> Self {
        Self {
            files: 1,
            bytes: u64::try_from(facts.st_size).unwrap_or_default(),
            freed: if facts.st_nlink > 1 { 0 } else { blocks(facts) },
        }
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.freed += other.freed;
    }
}

/// Returns the bytes that an inode takes on disk.
pub(crate) fn blocks(facts: &Stat) -> u64 {
    // stat(2): the unit is 512 bytes, whatever the file system's block size.
    u64::try_from(facts.st_blocks)
        .unwrap_or_default()
        .saturating_mul(512)
}
