//! Reading zip and tar dists.
//!
//! [`Archive::open`] reads the whole directory and refuses what is damaged, hostile or not
//! certain to come out as with Composer, before a byte is written. [`Archive::extract`] then hands
//! the content of the files to a [`FileSink`]; nothing here writes to disk.
//!
//! What is not certain is left to Composer, as long as Composer can unpack it without harm: see
//! [`Limits::judge`].
//!
//! The rules are those of `unzip -qq` (Info-ZIP 6.0 as Debian patches it), Composer's first
//! choice. Where a comment says *measured*, the outcome was taken from that program;
//! `zip/differential.rs` repeats the comparison. Tar follows PharData for names and modes; where
//! PharData damages an archive (links become empty files, empty directories vanish, pax paths are
//! ignored) the tar is read as it was meant.

mod entry;
mod error;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
mod links;
mod source;
mod tar;
mod unpacking;
mod zip;
mod zone;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

pub use entry::{Entry, EntryKind, Mode, Time};
pub use error::ArchiveError;
pub use links::leads_out;
pub use unpacking::Unpacking;
pub use zone::{FileTime, Zone};

type Result<T, E = ArchiveError> = std::result::Result<T, E>;

/// The format, which Composer takes from the dist type and never from the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// Dist type `zip`.
    Zip,
    /// Dist type `tar`: plain, gzip or bzip2, told apart by the first bytes.
    Tar,
}

/// Bounds on what one archive may cost, and the circumstances of the run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most entries, implied directories included.
    pub max_entries: usize,
    /// Most uncompressed bytes of all files together.
    pub max_total: u64,
    /// Most uncompressed bytes per byte of archive, looked at from `ratio_from` on.
    /// Deflate itself ends at 1032.
    pub max_ratio: u64,
    /// Uncompressed bytes from which `max_ratio` counts.
    pub ratio_from: u64,
    /// Files above this many bytes are handed on in pieces instead of in one buffer.
    pub stream_above: u64,
    /// Whether unzip would see a UTF-8 locale. When not, it writes `é` as `#U00e9` for some
    /// entries (flagged UTF-8 and with an extra field, as git and GitHub make them) [measured];
    /// archives with such entries are declined then. Packages with ASCII names do not care.
    pub utf8_locale: bool,
    /// Whether Composer would unpack a zip with unzip, and with PHP's ZipArchive only what unzip
    /// fails on.
    pub by_unzip: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_entries: 1_000_000,
            max_total: 32 << 30,
            max_ratio: 1000,
            ratio_from: 1 << 30,
            stream_above: 16 << 20,
            utf8_locale: false,
            by_unzip: true,
        }
    }
}

impl Limits {
    /// Decides what becomes of an archive that we don't unpack: the error comes back as it is if
    /// Composer can have the archive, and as [`ArchiveError::Hostile`] if Composer would exhaust
    /// the machine or is known to write outside of the package.
    pub fn judge(&self, path: &Path, kind: ArchiveKind, error: ArchiveError) -> ArchiveError {
        let is_damaged = match error {
            ArchiveError::Hostile { .. } | ArchiveError::Io(_) => return error,
            ArchiveError::Corrupt { .. } => true,
            ArchiveError::Declined { .. } => false,
        };
        let harm = match kind {
            ArchiveKind::Zip => self.harm_of_zip(path, is_damaged),
            // PharData makes no links, so there is nothing to write through.
            ArchiveKind::Tar => tar::check_total(path, self),
        };
        match harm {
            Err(harm @ (ArchiveError::Hostile { .. } | ArchiveError::Io(_))) => harm,
            Ok(()) | Err(_) => error,
        }
    }

    fn harm_of_zip(&self, path: &Path, is_damaged: bool) -> Result<()> {
        zip::check_totals(path, self)?;
        match self.by_unzip.then(|| zip::escape(path, self)).transpose()? {
            None | Some(None) => Ok(()),
            Some(Some(link)) => Err(ArchiveError::Hostile {
                entry: None,
                reason: "the symbolic link leads out of the package, and Composer would write through it".into(),
                is_damaged,
            }
            .at(link)),
        }
    }

    /// Refuses more entries than the bound.
    fn check_count(&self, count: usize) -> Result<()> {
        if count > self.max_entries {
            return Err(ArchiveError::hostile(format!(
                "more than {} entries",
                self.max_entries
            )));
        }
        Ok(())
    }

    /// Refuses an uncompressed total that is beyond the bounds for an archive of `packed` bytes.
    fn check_total(&self, total: u64, packed: u64) -> Result<()> {
        if total > self.max_total {
            return Err(ArchiveError::hostile(format!(
                "unpacks to more than {} bytes",
                self.max_total
            )));
        }
        if total > self.ratio_from && total / packed.max(1) > self.max_ratio {
            return Err(ArchiveError::hostile(format!(
                "unpacks to more than {} times its size",
                self.max_ratio
            )));
        }
        Ok(())
    }
}

/// Receives the content of files.
pub trait FileSink {
    /// Starts the file `entries()[index]`. `false` skips its content: neither [`Self::data`] nor
    /// [`Self::end`] follow, and its checksum is not verified.
    fn begin(&mut self, index: usize, entry: &Entry) -> io::Result<bool>;
    /// The next bytes: no call for an empty file, as a rule one call for files up to
    /// [`Limits::stream_above`], several calls above.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Ends the file. It is called only when size and checksum were right, so bytes of a file
    /// without `end` must not be trusted.
    fn end(&mut self) -> io::Result<()>;
}

/// An archive whose directory has been read and found sound.
#[derive(Debug)]
pub struct Archive {
    entries: Vec<Entry>,
    top: Option<usize>,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Zip(zip::ZipReader),
    Tar(tar::TarReader),
}

impl Archive {
    /// Reads and validates the directory: names, links, duplicates, sizes, limits.
    pub fn open(path: &Path, kind: ArchiveKind, limits: &Limits) -> Result<Self> {
        Self::read(path, kind, limits).map_err(|error| limits.judge(path, kind, error))
    }

    fn read(path: &Path, kind: ArchiveKind, limits: &Limits) -> Result<Self> {
        let (entries, reader) = match kind {
            ArchiveKind::Zip => {
                let (entries, reader) = zip::open(path, limits)?;
                (entries, Reader::Zip(reader))
            }
            ArchiveKind::Tar => {
                let (entries, reader) = tar::open(path, limits)?;
                (entries, Reader::Tar(reader))
            }
        };
        let top = entry::find_top(&entries)?;
        Ok(Self {
            entries,
            top,
            reader,
        })
    }

    /// All entries in the order in which extraction creates them. Directories that the archive
    /// only implies stand before their first content, so every parent precedes its children, and
    /// no path occurs twice.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The folder that Composer strips: the only top-level entry besides `.DS_Store`, when it is
    /// a directory.
    pub fn top_folder(&self) -> Option<&str> {
        self.top.map(|index| self.entries[index].path.as_str())
    }

    /// The mode of the stripped folder when the archive fixes one.
    pub fn root_mode(&self) -> Mode {
        self.top
            .map_or(Mode::Default, |index| self.entries[index].mode)
    }

    /// The modification time of the stripped folder when the archive fixes one.
    pub fn root_time(&self) -> Time {
        self.top.map_or(Time::Now, |index| self.entries[index].time)
    }

    /// Calls `sink` once for every file, in the order of [`Self::entries`], and checks sizes and
    /// checksums on the way. After an error what the sink got is to be thrown away.
    pub fn extract(&mut self, sink: &mut dyn FileSink) -> Result<()> {
        match &mut self.reader {
            Reader::Zip(reader) => reader.extract(&self.entries, sink),
            Reader::Tar(reader) => reader.extract(&self.entries, sink),
        }
    }
}
