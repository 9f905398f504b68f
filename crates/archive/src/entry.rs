//! Defines entries, validates their names, and lists them without conflicts.

use std::collections::HashMap;
use std::collections::hash_map;

use serde::{Deserialize, Serialize};

use super::error::ArchiveError;
use super::{Limits, Result};

/// Longest accepted path in bytes. Linux allows 4096, the install path included.
const MAX_PATH: usize = 1024;
/// Longest path component in bytes (`NAME_MAX` of every common file system). unzip fails above it.
pub(super) const MAX_COMPONENT: usize = 255;
/// Deepest nesting of a path. Real packages stay below 30. It bounds the implied directories of
/// each entry.
const MAX_DEPTH: usize = 128;
/// Most bytes of all paths of one archive together, implied directories included.
const MAX_NAMES: usize = 256 << 20;

/// The kind of file system object that an entry becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file. A tar hard link counts as a file with the content of its target.
    File,
    /// A directory, which the archive lists or only implies.
    Dir,
    /// A symbolic link. As with Composer, it may be absolute, dangling or lead outside. Code that
    /// creates it must never follow it.
    Symlink {
        /// Text of the link, byte for byte: 1 to 4095 bytes without NUL.
        target: Vec<u8>,
    },
}

/// Permission bits (at most 0o777) of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Mode {
    /// 0666 for files and 0777 for directories, less the umask. Links always have this mode.
    #[default]
    Default,
    /// The archive's mode, regardless of the umask.
    Exact(u32),
    /// The archive's mode, less the umask.
    Masked(u32),
}

impl Mode {
    /// Returns the permission bits under a umask. `default` is the mode that [`Self::Default`]
    /// stands for.
    pub fn under(self, umask: u32, default: u32) -> u32 {
        match self {
            Self::Default => default & !umask,
            Self::Exact(bits) => bits,
            Self::Masked(bits) => bits & !umask,
        }
    }
}

impl From<Option<u32>> for Mode {
    fn from(exact: Option<u32>) -> Self {
        exact.map_or(Self::Default, Self::Exact)
    }
}

/// The modification time that an archive gives an entry.
///
/// The resulting time depends on the program that unpacks: see [`super::Zone`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Time {
    /// The unpacker sets no time, so the entry gets the time of the installation.
    #[default]
    Now,
    /// The time stamps of a zip entry.
    Stamp {
        /// Seconds since 1970 from an extra field of the local header. unzip prefers this time, and
        /// PHP's ZipArchive ignores it.
        unix: Option<u32>,
        /// Date (high word) and time in MS-DOS format (APPNOTE 4.4.6), in local time.
        dos: u32,
    },
}

/// A file, directory or link that extraction creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the archive's root, top folder included. It is `/`-separated, without a trailing
    /// slash, control characters or backslashes. No component is empty, `.` or `..`.
    pub path: String,
    /// Kind of the entry.
    pub kind: EntryKind,
    /// Declared uncompressed size in bytes, or 0 for anything but files.
    pub size: u64,
    /// Permissions of the entry.
    pub mode: Mode,
    /// Modification time of the entry.
    pub time: Time,
}

/// Turns a name in an archive into an entry path.
///
/// `./` and doubled slashes vanish, as with unzip 6.0 and PharData [measured]. An empty result
/// means the archive's root itself. A name that leads out of the package is left to Composer. Each
/// of its unpackers strips or resolves such names in its own way, and none of them leaves the
/// directory [measured].
pub(super) fn safe_path(raw: &[u8], is_dir: bool) -> Result<String> {
    if raw.contains(&0) {
        return Err(ArchiveError::declined("the name contains a NUL byte"));
    }
    if raw.first() == Some(&b'/') {
        return Err(ArchiveError::declined("the name is an absolute path"));
    }
    if raw
        .split(|&b| b == b'/' || b == b'\\')
        .any(|part| part == b"..")
    {
        return Err(ArchiveError::declined("the name has '..' in it"));
    }
    let Ok(name) = std::str::from_utf8(raw) else {
        return Err(ArchiveError::declined("the name is not UTF-8"));
    };
    if name.contains('\\') {
        return Err(ArchiveError::declined("the name contains a backslash"));
    }
    if name.chars().any(char::is_control) {
        return Err(ArchiveError::declined(
            "the name contains control characters",
        ));
    }
    let mut path = String::with_capacity(name.len());
    let mut depth = 0;
    for part in name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part.len() > MAX_COMPONENT {
            return Err(ArchiveError::declined(
                "a part of the name is longer than 255 bytes",
            ));
        }
        if depth > 0 {
            path.push('/');
        }
        path.push_str(part);
        depth += 1;
    }
    if path.len() > MAX_PATH || depth > MAX_DEPTH {
        return Err(ArchiveError::declined("the name is too long or too deep"));
    }
    if !is_dir && (path.is_empty() || matches!(name.rsplit('/').next(), Some("" | "."))) {
        return Err(ArchiveError::declined("a file has the name of a directory"));
    }
    Ok(path)
}

/// Checks the text of a symbolic link.
pub(super) fn check_target(target: &[u8]) -> Result<()> {
    if target.contains(&0) {
        return Err(ArchiveError::declined(
            "the link's target contains a NUL byte",
        ));
    }
    if target.is_empty() {
        // unzip creates an empty regular file of mode 0777 instead.
        return Err(ArchiveError::declined("the link's target is empty"));
    }
    if target.len() > MAX_TARGET {
        return Err(ArchiveError::declined("the link's target is too long"));
    }
    Ok(())
}

/// Longest text of a link in bytes (`PATH_MAX` less the final NUL).
pub(super) const MAX_TARGET: usize = 4095;

/// Returns the permission bits of a mode, unless the mode denies its owner what linking and
/// Composer need.
///
/// A directory must be readable, writable and searchable for its owner, and a file readable.
/// Otherwise the outcome depends on whether root runs Composer.
pub(super) fn usable_mode(mode: u32, is_dir: bool) -> Result<u32> {
    let needed = if is_dir { 0o700 } else { 0o400 };
    if mode & needed == needed {
        Ok(mode & 0o777)
    } else {
        Err(ArchiveError::declined(format!(
            "mode {:04o} locks the owner out",
            mode & 0o777
        )))
    }
}

/// A list of entries in the order in which extraction creates them.
#[derive(Debug, Default)]
pub(super) struct EntryList {
    entries: Vec<Entry>,
    by_path: HashMap<Box<str>, u32>,
    name_bytes: usize,
    max_entries: usize,
}

impl EntryList {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            max_entries: limits.max_entries,
            ..Self::default()
        }
    }

    /// Adds an entry after the directories that it implies. Returns its index, or `None` for a
    /// directory that exists already. unzip keeps the first mode, and for an implied directory that
    /// is the default [measured].
    pub(super) fn add(&mut self, entry: Entry) -> Result<Option<usize>> {
        if let Some(&index) = self.by_path.get(entry.path.as_str()) {
            let there = &self.entries[index as usize].kind;
            return match (there, &entry.kind) {
                (EntryKind::Dir, EntryKind::Dir) => Ok(None),
                (EntryKind::Dir, _) | (_, EntryKind::Dir) => Err(ArchiveError::declined(
                    "a directory and something else share the name",
                )),
                _ => Err(ArchiveError::declined("two entries share the name")),
            };
        }
        self.imply_parents(&entry.path, Mode::Default)?;
        self.push(entry).map(Some)
    }

    /// Adds the missing parent directories of a path.
    pub(super) fn imply_parents(&mut self, path: &str, mode: Mode) -> Result<()> {
        // The search starts at the nearest ancestor, because nearly always the direct parent is
        // known.
        let mut known = 0;
        let mut end = path.len();
        while let Some(slash) = path[..end].rfind('/') {
            if let Some(&index) = self.by_path.get(&path[..slash]) {
                match self.entries[index as usize].kind {
                    EntryKind::Dir => {}
                    EntryKind::File => {
                        return Err(ArchiveError::declined("the entry lies below a file"));
                    }
                    EntryKind::Symlink { .. } => {
                        return Err(ArchiveError::declined(
                            "the entry lies below a symbolic link",
                        ));
                    }
                }
                known = slash + 1;
                break;
            }
            end = slash;
        }
        for (offset, _) in path[known..].match_indices('/') {
            self.push(Entry {
                path: path[..known + offset].to_owned(),
                kind: EntryKind::Dir,
                size: 0,
                mode,
                // Unpackers set no time on a directory that they create for its content.
                time: Time::Now,
            })?;
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry) -> Result<usize> {
        let index = self.entries.len();
        self.name_bytes += entry.path.len();
        let Ok(number) = u32::try_from(index) else {
            return Err(ArchiveError::hostile("too many entries"));
        };
        if index >= self.max_entries || self.name_bytes > MAX_NAMES {
            return Err(ArchiveError::hostile(format!(
                "more than {} entries, or names of more than {MAX_NAMES} bytes",
                self.max_entries
            )));
        }
        match self.by_path.entry(entry.path.as_str().into()) {
            hash_map::Entry::Vacant(slot) => slot.insert(number),
            hash_map::Entry::Occupied(_) => {
                return Err(ArchiveError::declined("two entries share the name"));
            }
        };
        self.entries.push(entry);
        Ok(index)
    }

    /// Returns the entry at a path with its index, if it has been added.
    pub(super) fn find(&self, path: &str) -> Option<(usize, &Entry)> {
        let index = *self.by_path.get(path)? as usize;
        Some((index, &self.entries[index]))
    }

    /// Drops the look-up table and returns the entries.
    pub(super) fn finish(self) -> Vec<Entry> {
        self.entries
    }
}

/// Returns the index of the folder that Composer strips, if there is one.
///
/// Top-level names except `.DS_Store` count. A single one that is a directory is stripped
/// (`ArchiveDownloader::install`). Composer's `is_dir` follows links, so a lone link is left to
/// Composer. Cases that depend on Composer's version are left to it as well: since 2.11 other names
/// of metadata don't count either.
pub(super) fn find_top(entries: &[Entry]) -> Result<Option<usize>> {
    let tops = || {
        entries
            .iter()
            .enumerate()
            .filter(|(_, e)| !e.path.contains('/') && e.path != ".DS_Store")
    };
    let content = |(_, e): &(usize, &Entry)| !is_metadata(&e.path);
    if let Some((_, metadata)) = tops().find(|top| !content(top))
        && (tops().count() == 1 || tops().filter(content).count() == 1)
        && tops().any(|(_, e)| !matches!(e.kind, EntryKind::File))
    {
        return Err(ArchiveError::declined(
            "versions of Composer differ about metadata at the top",
        )
        .at(&metadata.path));
    }
    let mut tops = tops();
    let (Some((index, only)), None) = (tops.next(), tops.next()) else {
        return Ok(None);
    };
    match only.kind {
        EntryKind::Dir => Ok(Some(index)),
        EntryKind::File => Ok(None),
        EntryKind::Symlink { .. } => Err(ArchiveError::declined(
            "the only top-level entry is a symbolic link",
        )
        .at(&only.path)),
    }
}

/// Returns whether a name is operating system metadata, by the list that Composer has since 2.11
/// (`METADATA_NAME_REGEX`).
fn is_metadata(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        ".DS_Store",
        "__MACOSX",
        ".AppleDouble",
        ".fseventsd",
        ".Spotlight-V100",
        ".Trashes",
    ];
    name.starts_with("._")
        || NAMES.contains(&name)
        || name.eq_ignore_ascii_case("thumbs.db")
        || name.eq_ignore_ascii_case("desktop.ini")
}

#[cfg(test)]
mod tests;
