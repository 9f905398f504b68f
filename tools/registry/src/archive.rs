//! Writes dist archives. Bytes depend on the entries and their stated times alone: nothing reads a
//! clock, and neither compressor picks its path by the CPU.

mod stamp;
mod tarball;
mod zip;

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

pub use stamp::{Stamp, Times, dos_time, dos_words, extra, ut};

/// The format of a dist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// A zip in GitHub's form.
    Zip,
    /// A plain tar.
    Tar,
    /// A gzipped tar.
    TarGz,
    /// A bzipped tar.
    TarBz2,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Zip, Self::Tar, Self::TarGz, Self::TarBz2];

    /// Returns the extension of a dist's URL, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
        }
    }

    /// Returns Composer's name of the format, for `dist.type`.
    pub fn dist_type(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar | Self::TarGz | Self::TarBz2 => "tar",
        }
    }

    /// Returns the name without its extension, and the format of the extension.
    pub fn of_file_name(name: &str) -> Option<(&str, Self)> {
        Self::ALL.into_iter().find_map(|format| {
            let stem = name.strip_suffix(format.extension())?.strip_suffix('.')?;
            Some((stem, format))
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.extension() == text)
            .ok_or_else(|| Error::format(text, "expected zip, tar, tar.gz or tar.bz2"))
    }
}

/// The permissions of a plain entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The permissions of a file in git: no mode in a zip, 0644 in a tar.
    Plain,
    /// The permissions 0755.
    Executable,
    /// Exactly these bits, without a file type.
    Bits(u32),
}

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An empty directory. Directories on the way to a file need no entry of their own.
    Dir,
    /// A file.
    File(Vec<u8>, Mode),
    /// A symbolic link to this target.
    Symlink(String),
}

/// Collects entries into the bytes of one archive.
pub struct Builder {
    format: Format,
    writer: Writer,
    top: String,
    times: Times,
    dirs: HashSet<String>,
}

enum Writer {
    Zip(zip::ZipWriter),
    Tar(Box<tarball::TarWriter>),
}

impl Builder {
    /// Makes an archive with these times. Its entries are below `top`, or at the root if that is
    /// empty. `comment` becomes the archive comment of a zip, where GitHub writes the commit.
    pub fn new(format: Format, top: &str, comment: &str, times: Times) -> Self {
        let writer = match format {
            Format::Zip => Writer::Zip(zip::ZipWriter::new(comment)),
            _ => Writer::Tar(Box::new(tarball::TarWriter::new())),
        };
        let mut builder = Self {
            format,
            writer,
            top: if top.is_empty() {
                String::new()
            } else {
                format!("{top}/")
            },
            times,
            dirs: HashSet::new(),
        };
        if !top.is_empty() && builder.times.folders {
            builder.dir(&format!("{top}/"));
        }
        builder
    }

    /// Adds an entry. Before it, adds the directories above it that have none yet, unless folders
    /// are to have no entries. The empty path of a directory is that of the top folder.
    pub fn add(&mut self, own: &str, content: &Content) {
        let path = format!("{}{own}", self.top);
        let mut from = 0;
        while self.times.folders
            && let Some(at) = path[from..].find('/')
        {
            from += at + 1;
            self.dir(&path[..from]);
        }
        let stamp = self.times.at(own);
        match content {
            Content::Dir => self.dir(&format!("{}/", path.trim_end_matches('/'))),
            Content::File(data, mode) => match &mut self.writer {
                Writer::Zip(zip) => zip.file(&path, data, *mode, stamp),
                Writer::Tar(tar) => tar.file(&path, data, *mode, stamp),
            },
            Content::Symlink(target) => match &mut self.writer {
                Writer::Zip(zip) => zip.symlink(&path, target, stamp),
                Writer::Tar(tar) => tar.symlink(&path, target, stamp),
            },
        }
    }

    /// Returns the bytes of the archive.
    pub fn finish(self) -> Vec<u8> {
        match self.writer {
            Writer::Zip(zip) => zip.finish(),
            Writer::Tar(tar) => tar.finish(self.format),
        }
    }

    fn dir(&mut self, path: &str) {
        if self.dirs.insert(path.to_owned()) {
            let own = path.strip_prefix(&self.top).unwrap_or(path);
            let stamp = self.times.at(own.trim_end_matches('/'));
            match &mut self.writer {
                Writer::Zip(zip) => zip.dir(path, stamp),
                Writer::Tar(tar) => tar.dir(path, stamp),
            }
        }
    }
}
