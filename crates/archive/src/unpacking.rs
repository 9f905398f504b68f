//! How Composer would unpack an archive: by which program, under which umask, in which time zone.

use super::{ArchiveError, FileTime, Mode, Time, Zone};

/// The circumstances that modes and times of installed files depend on.
#[derive(Debug, Clone, Copy)]
pub struct Unpacking<'a> {
    /// Composer's umask.
    pub umask: u32,
    /// Composer's time zone.
    pub zone: &'a Zone,
    /// Composer would use PHP's ZipArchive, which knows neither modes nor extended timestamps.
    pub by_zip_archive: bool,
    /// It would do so after unzip has failed, on a file system that lets no modes be set: the directories are unzip's.
    pub after_unzip: bool,
    /// Unzip would surely write names in UTF-8.
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
    /// [`ArchiveError::Declined`] for a time that can't be told for sure.
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
    /// [`ArchiveError::Declined`] for a time that can't be told for sure.
    pub fn dir_time(&self, time: Time) -> Result<FileTime, ArchiveError> {
        if self.by_zip_archive && !self.after_unzip {
            Ok(FileTime::Now)
        } else {
            self.zone.with_unzip(time)
        }
    }
}
