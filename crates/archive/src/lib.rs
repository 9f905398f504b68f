//! Reads zip and tar dists.
//!
//! [`Archive::open`] reads the whole directory before a byte is written. It refuses archives that
//! are damaged or hostile, or that may not come out as with Composer. [`Archive::extract`] then
//! passes the content of the files to a [`FileSink`]. Nothing here writes to disk.
//!
//! Uncertain archives are left to Composer, if Composer can unpack them without harm: see
//! [`Limits::judge`].
//!
//! The rules are those of `unzip -qq` (Info-ZIP 6.0 as Debian patches it), Composer's first choice.
//! A comment says *measured* if the outcome was observed in that program. `zip/differential.rs`
//! repeats the comparison.
//!
//! Tar follows PharData for names and modes. PharData damages some archives: links become empty
//! files, empty directories vanish, and pax paths are ignored. Such a tar is read as it was meant.

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

/// The archive format. Composer takes it from the dist type and never from the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// Dist type `zip`.
    Zip,
    /// Dist type `tar`: plain, gzip or bzip2, distinguished by the first bytes.
    Tar,
}

/// The bounds on the cost of one archive, and the circumstances of the run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most entries, implied directories included.
    pub max_entries: usize,
    /// Most uncompressed bytes of all files together.
    pub max_total: u64,
    /// Most uncompressed bytes per byte of archive. It is checked from `ratio_from` on. Deflate
    /// itself reaches at most 1032.
    pub max_ratio: u64,
    /// Number of uncompressed bytes from which `max_ratio` is checked.
    pub ratio_from: u64,
    /// Size in bytes above which a file is passed on in pieces instead of in one buffer.
    pub stream_above: u64,
    /// Whether unzip would see a UTF-8 locale. Without one, unzip writes `é` as `#U00e9` for some
    /// entries [measured]. These are flagged UTF-8 and have an extra field, as git and GitHub make
    /// them. Archives with such entries are then declined. ASCII names are not affected.
    pub utf8_locale: bool,
    /// Whether Composer would unpack a zip with unzip, and use PHP's ZipArchive only if unzip
    /// fails.
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
    /// Returns the error for an archive that the reader refuses. The original error comes back if
    /// Composer may have the archive. [`ArchiveError::Hostile`] comes back if Composer would
    /// exhaust the machine or is known to write outside of the package.
    pub fn judge(&self, path: &Path, kind: ArchiveKind, error: ArchiveError) -> ArchiveError {
        let is_damaged = match error {
            ArchiveError::Hostile { .. } | ArchiveError::Io(_) => return error,
            ArchiveError::Corrupt { .. } => true,
            ArchiveError::Declined { .. } => false,
        };
        let harm = match kind {
            ArchiveKind::Zip => self.harm_of_zip(path, is_damaged),
            // PharData creates no links, so it can't write through any.
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

    /// Refuses more entries than the limit.
    fn check_count(&self, count: usize) -> Result<()> {
        if count > self.max_entries {
            return Err(ArchiveError::hostile(format!(
                "more than {} entries",
                self.max_entries
            )));
        }
        Ok(())
    }

    /// Refuses an uncompressed total that exceeds the limits for an archive of `packed` bytes.
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

/// A receiver of the files' content.
pub trait FileSink {
    /// Starts the file `entries()[index]`. If it returns `false`, the content is skipped: neither
    /// [`Self::data`] nor [`Self::end`] follow, and the checksum is not verified.
    fn begin(&mut self, index: usize, entry: &Entry) -> io::Result<bool>;
    /// Takes the next bytes of the file. An empty file has no call. A file up to
    /// [`Limits::stream_above`] has one call as a rule, and a larger one several.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Ends the file. It is called only if size and checksum are right. Bytes of a file without
    /// `end` must not be trusted.
    fn end(&mut self) -> io::Result<()>;
}

/// An archive whose directory has been read and validated.
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

    /// Returns all entries in the order in which extraction creates them. Directories that the
    /// archive only implies stand before their first content. Every parent thus precedes its
    /// children, and no path occurs twice.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the folder that Composer strips: the only top-level entry besides `.DS_Store`, if it
    /// is a directory.
    pub fn top_folder(&self) -> Option<&str> {
        self.top.map(|index| self.entries[index].path.as_str())
    }

    /// Returns the mode of the stripped folder, or the default if the archive has none.
    pub fn root_mode(&self) -> Mode {
        self.top
            .map_or(Mode::Default, |index| self.entries[index].mode)
    }

    /// Returns the modification time of the stripped folder, if the archive has one.
    pub fn root_time(&self) -> Time {
        self.top.map_or(Time::Now, |index| self.entries[index].time)
    }

    /// Calls `sink` once for every file, in the order of [`Self::entries`], and checks sizes and
    /// checksums on the way. After an error the caller must discard what the sink received.
    pub fn extract(&mut self, sink: &mut dyn FileSink) -> Result<()> {
        match &mut self.reader {
            Reader::Zip(reader) => reader.extract(&self.entries, sink),
            Reader::Tar(reader) => reader.extract(&self.entries, sink),
        }
    }
}
