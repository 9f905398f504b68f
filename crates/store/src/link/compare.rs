//! Compares a package's directory with its manifest.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;
use rustix::fs::{FileType, Mode, OFlags, Stat, readlinkat};

use crate::walk::{list, look, open_listable};
use crate::{Digest, Item, ItemKind, Manifest, copy_hashed};
use allegro_archive::{self as archive, FileTime, Unpacking};
use allegro_base::error::{Error, Result};
use allegro_base::progress;

/// What a comparison expects beside the manifest.
#[derive(Debug, Clone, Copy)]
pub struct CompareOptions<'a> {
    /// The way in which Composer would unpack the archive.
    pub unpacking: Unpacking<'a>,
    /// Paths of files that Composer has made executable, relative to the package.
    pub programs: &'a [String],
    /// Whether files are read whose size and time are right.
    pub reads_content: bool,
    /// User that everything belongs to, if that counts.
    pub owner: Option<u32>,
    /// Whether modes count. They don't where a default ACL decides on them.
    pub has_modes: bool,
    /// Paths below the package that belong to other packages.
    pub foreign: &'a [String],
}

/// A difference between a package and its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Path relative to the package. It is empty for the package's directory itself.
    pub path: PathBuf,
    /// The difference.
    pub fault: Fault,
}

/// The kind of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A file has another size.
    Size,
    /// A file has another modification time, and the same content.
    Time,
    /// A file has another content.
    Content,
    /// An entry is missing. What belongs below it is not named.
    Missing,
    /// The manifest has no such entry. What lies below it is not named.
    Added,
    /// An entry has other permission bits.
    Mode {
        /// Bits that the entry has.
        found: u32,
        /// Bits that it had after an installation.
        expected: u32,
    },
    /// An entry belongs to another user.
    Owner {
        /// User that the entry belongs to.
        found: u32,
        /// User that it should belong to.
        expected: u32,
    },
    /// A symbolic link has another target.
    Target,
    /// Something of another kind is in the place, such as a file in the place of a directory.
    Kind,
    /// The entry can't be looked at, for this reason.
    Unreadable(String),
}

/// What a place should have.
#[derive(Debug, Clone, Copy)]
enum Expected<'m> {
    File {
        digest: &'m Digest,
        size: u64,
        mode: u32,
        time: FileTime,
    },
    Directory(u32),
    Link(&'m [u8]),
}

/// The expected entries of each directory, by the directory's path.
type Layout<'m> = HashMap<&'m str, Vec<(&'m str, Expected<'m>)>, RandomState>;

/// Compares the directory of a package with its manifest.
///
/// Times of directories don't count, because each change of an entry changes them. A file that has
/// got the time of its installation is read in any case.
///
/// # Errors
/// [`Error::Declined`] if the manifest has a time that is not certain in this time zone.
pub fn compare_tree(
    manifest: &Manifest,
    directory: &Path,
    options: &CompareOptions<'_>,
) -> Result<Vec<Difference>> {
    let mut comparison = Comparison {
        layout: layout(manifest, options)?,
        options,
        found: Vec::new(),
    };
    let root = match open_listable(rustix::fs::CWD, directory) {
        Ok(root) => root,
        Err(error) => {
            let fault = match rustix::fs::lstat(directory) {
                Err(rustix::io::Errno::NOENT) => Fault::Missing,
                Ok(facts) if kind(&facts) != FileType::Directory => Fault::Kind,
                _ => Fault::Unreadable(io::Error::from(error).to_string()),
            };
            comparison.note("", fault);
            return Ok(comparison.found);
        }
    };
    match rustix::fs::fstat(&root) {
        Ok(facts) => {
            comparison.owner("", &facts);
            comparison.directory_mode("", &facts, directory_mode(manifest.root_mode, options));
        }
        Err(error) => comparison.note("", Fault::Unreadable(io::Error::from(error).to_string())),
    }
    comparison.directory(&root, "");
    let mut found = comparison.found;
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Returns what each directory of a package should have, sorted by name.
fn layout<'m>(manifest: &'m Manifest, options: &CompareOptions<'_>) -> Result<Layout<'m>> {
    let unpacking = options.unpacking;
    let mut times = Vec::with_capacity(manifest.times.len());
    for &time in &manifest.times {
        let time = unpacking.file_time(time).map_err(|error| Error::Declined {
            reason: error.to_string(),
        })?;
        times.push(time);
    }
    let mut layout = Layout::default();
    layout.insert("", Vec::new());
    for item in &manifest.items {
        let expected = match &item.kind {
            ItemKind::Dir => {
                add_directory(&mut layout, item, directory_mode(item.mode, options));
                continue;
            }
            ItemKind::Symlink { target } => Expected::Link(target),
            ItemKind::File { digest, size } => Expected::File {
                digest,
                size: *size,
                mode: if options.programs.contains(&item.path) {
                    0o777 & !unpacking.umask
                } else {
                    unpacking.file_mode(item.mode)
                },
                time: times
                    .get(item.time as usize)
                    .copied()
                    .unwrap_or(FileTime::Now),
            },
        };
        let (parent, name) = split(&item.path);
        imply(&mut layout, parent, 0o777 & !unpacking.umask);
        layout.entry(parent).or_default().push((name, expected));
    }
    for entries in layout.values_mut() {
        entries.sort_unstable_by_key(|(name, _)| *name);
    }
    Ok(layout)
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Adds a directory that has an entry of its own. The first entry decides, except on exact modes,
/// which are set at the end.
fn add_directory<'m>(layout: &mut Layout<'m>, item: &'m Item, mode: u32) {
    let (parent, name) = split(&item.path);
    if !layout.contains_key(item.path.as_str()) {
        imply(layout, &item.path, mode);
        return;
    }
    if matches!(item.mode, archive::Mode::Exact(_))
        && let Some(entries) = layout.get_mut(parent)
        && let Some((_, expected)) = entries.iter_mut().find(|(other, _)| *other == name)
    {
        *expected = Expected::Directory(mode);
    }
}

/// Adds a directory and its parents, unless they are there. `mode` is that of the directory, and
/// parents have the default one.
fn imply<'m>(layout: &mut Layout<'m>, path: &'m str, mode: u32) {
    if layout.contains_key(path) {
        return;
    }
    layout.insert(path, Vec::new());
    let (parent, name) = split(path);
    imply(layout, parent, mode);
    layout
        .entry(parent)
        .or_default()
        .push((name, Expected::Directory(mode)));
}

/// Returns the permission bits of a directory, as `link_tree` makes them.
fn directory_mode(mode: archive::Mode, options: &CompareOptions<'_>) -> u32 {
    let umask = options.unpacking.umask;
    if options.unpacking.by_zip_archive {
        0o777 & !umask
    } else {
        mode.under(umask, 0o777)
    }
}

fn kind(facts: &Stat) -> FileType {
    FileType::from_raw_mode(facts.st_mode)
}

/// A comparison in progress.
struct Comparison<'m, 'o> {
    layout: Layout<'m>,
    options: &'o CompareOptions<'o>,
    found: Vec<Difference>,
}

impl<'m> Comparison<'m, '_> {
    fn note(&mut self, path: impl Into<PathBuf>, fault: Fault) {
        self.found.push(Difference {
            path: path.into(),
            fault,
        });
    }

    fn owner(&mut self, path: &str, facts: &Stat) {
        if let Some(expected) = self.options.owner
            && facts.st_uid != expected
        {
            let found = facts.st_uid;
            self.note(path, Fault::Owner { found, expected });
        }
    }

    fn mode(&mut self, path: &str, found: u32, expected: u32) {
        if self.options.has_modes && found != expected {
            self.note(path, Fault::Mode { found, expected });
        }
    }

    fn directory_mode(&mut self, path: &str, facts: &Stat, expected: u32) {
        // An inherited set-group-ID bit is no difference.
        self.mode(path, facts.st_mode & 0o5777, expected);
    }

    /// Compares the entries of a directory.
    fn directory(&mut self, dir: &OwnedFd, path: &str) {
        let entries = match list(dir) {
            Ok(entries) => entries,
            Err(error) => return self.note(path, Fault::Unreadable(error.to_string())),
        };
        let expected = self.layout.remove(path).unwrap_or_default();
        let mut seen = vec![false; expected.len()];
        for entry in entries {
            progress::step();
            let place = entry
                .text()
                .and_then(|name| expected.binary_search_by_key(&name, |(name, _)| *name).ok());
            match (place, entry.text()) {
                (Some(place), Some(name)) => {
                    seen[place] = true;
                    let path = joined(path, name);
                    self.entry(dir, &entry.name, &path, expected[place].1);
                }
                _ => self.unexpected(dir, &entry.name, path),
            }
        }
        for ((name, _), is_seen) in expected.iter().zip(seen) {
            if !is_seen {
                self.note(joined(path, name), Fault::Missing);
            }
        }
    }

    /// Handles an entry that the manifest doesn't have.
    fn unexpected(&mut self, dir: &OwnedFd, name: &CStr, parent: &str) {
        let own = OsStr::from_bytes(name.to_bytes());
        let path = Path::new(parent).join(own);
        let foreign = self.options.foreign;
        if foreign.iter().any(|other| Path::new(other) == path) {
            return;
        }
        if foreign
            .iter()
            .any(|other| Path::new(other).starts_with(&path))
            && let Ok(inner) = open_listable(dir, name)
            && let Some(text) = path.to_str()
        {
            return self.directory(&inner, text);
        }
        self.note(path, Fault::Added);
    }

    fn entry(&mut self, dir: &OwnedFd, name: &CStr, path: &str, expected: Expected<'m>) {
        let facts = match look(dir, name) {
            Ok(facts) => facts,
            Err(error) => {
                let error = io::Error::from(error);
                return self.note(path, Fault::Unreadable(error.to_string()));
            }
        };
        self.owner(path, &facts);
        match (expected, kind(&facts)) {
            (
                Expected::File {
                    digest,
                    size,
                    mode,
                    time,
                },
                FileType::RegularFile,
            ) => {
                self.mode(path, facts.st_mode & 0o7777, mode);
                self.file(dir, name, path, &facts, (digest, size, time));
            }
            (Expected::Directory(mode), FileType::Directory) => {
                self.directory_mode(path, &facts, mode);
                match open_listable(dir, name) {
                    Ok(inner) => self.directory(&inner, path),
                    Err(error) => {
                        let error = io::Error::from(error);
                        self.note(path, Fault::Unreadable(error.to_string()));
                    }
                }
            }
            (Expected::Link(target), FileType::Symlink) => {
                match readlinkat(dir, name, Vec::new()) {
                    Ok(found) if found.to_bytes() == target => {}
                    _ => self.note(path, Fault::Target),
                }
            }
            _ => self.note(path, Fault::Kind),
        }
    }

    fn file(
        &mut self,
        dir: &OwnedFd,
        name: &CStr,
        path: &str,
        facts: &Stat,
        (digest, size, time): (&Digest, u64, FileTime),
    ) {
        if u64::try_from(facts.st_size) != Ok(size) {
            return self.note(path, Fault::Size);
        }
        let has_time = match time {
            FileTime::At(seconds) => facts.st_mtime == seconds && facts.st_mtime_nsec == 0,
            FileTime::Now => true,
        };
        if has_time && time != FileTime::Now && !self.options.reads_content {
            return;
        }
        match has_content(dir, name, digest) {
            Ok(true) if has_time => {}
            Ok(true) => self.note(path, Fault::Time),
            Ok(false) => self.note(path, Fault::Content),
            Err(error) => self.note(path, Fault::Unreadable(error.to_string())),
        }
    }
}

fn joined(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

fn has_content(dir: &OwnedFd, name: &CStr, digest: &Digest) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    copy_hashed(&mut File::from(file), &mut io::sink(), digest)
}

#[cfg(test)]
mod tests;
