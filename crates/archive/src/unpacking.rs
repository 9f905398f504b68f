//! Describes how Composer would unpack an archive: with which program, under which umask, in which
//! time zone.

use super::{ArchiveError, FileTime, Mode, Time, Zone};

/// The circumstances that determine modes and times of installed files.
#[derive(Debug, Clone, Copy)]
pub struct Unpacking<'a> {
    /// Umask of Composer's process.
    pub umask: u32,
    /// Time zone of Composer's process.
    pub zone: &'a Zone,
    /// Whether Composer would use PHP's ZipArchive, which supports neither modes nor extended
    /// timestamps.
    pub by_zip_archive: bool,
    /// Whether Composer would use ZipArchive only after unzip has failed, on a file system that
    /// refuses to set modes. The directories are then unzip's.
    pub after_unzip: bool,
    /// Whether unzip would certainly write names in UTF-8.
    pub utf8_locale: bool,
}

impl Unpacking<'_> {
    /// Returns the permission bits of a file.
    pub fn file_mode(&self, mode: Mode) -> u32 {
        if self.by_zip_archive {
            0o666 & !self.umask
        } else {
            mode.under(self.umask, 0o666)
        }
    }

    /// Returns the modification time of a file.
    ///
    /// # Errors
    /// Returns [`ArchiveError::Declined`] for an uncertain time.
    pub fn file_time(&self, time: Time) -> Result<FileTime, ArchiveError> {
        if self.by_zip_archive {
            self.zone.with_zip_archive(time)
        } else {
            self.zone.with_unzip(time)
        }
    }

    /// Returns the modification time of a directory.
    ///
    /// # Errors
    /// Returns [`ArchiveError::Declined`] for an uncertain time.
    pub fn dir_time(&self, time: Time) -> Result<FileTime, ArchiveError> {
        if self.by_zip_archive && !self.after_unzip {
            Ok(FileTime::Now)
        } else {
            self.zone.with_unzip(time)
        }
    }
}
