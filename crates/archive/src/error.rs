//! Defines the errors of archives, classified by the caller's reaction.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// The reason why an archive can't be read.
///
/// The classes differ in their consequence. Composer's own extraction takes a declined archive, and
/// a corrupt one whose directory can't be read. A file with a wrong checksum and a hostile archive
/// end the installation.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The reader can't guarantee the same tree as Composer's, so Composer's own code must extract
    /// the archive.
    #[error("archive is left to composer: {}", At(.entry.as_deref(), .reason))]
    Declined {
        /// Name of the entry that is to blame, if there is one.
        entry: Option<String>,
        /// Feature that is not supported.
        reason: Cow<'static, str>,
    },
    /// The bytes are damaged: truncated, wrong checksum, wrong size, broken directory.
    #[error("archive is corrupt: {}", At(.entry.as_deref(), .reason))]
    Corrupt {
        /// Name of the entry that is to blame, if there is one.
        entry: Option<String>,
        /// Damage that was found.
        reason: Cow<'static, str>,
    },
    /// The archive would exhaust the machine, or would make Composer write outside of the package.
    #[error("archive is hostile: {}", At(.entry.as_deref(), .reason))]
    Hostile {
        /// Name of the entry that is to blame, if there is one.
        entry: Option<String>,
        /// Harm that the archive attempts.
        reason: Cow<'static, str>,
        /// Whether the archive's bytes are damaged as well, so that another download may bring
        /// better ones.
        is_damaged: bool,
    },
    /// The archive file could not be read, or the sink failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Formats `entry: reason`, or the reason alone.
struct At<'a>(Option<&'a str>, &'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(entry) => write!(f, "{entry}: {}", self.1),
            None => f.write_str(self.1),
        }
    }
}

impl ArchiveError {
    /// Returns the name of the entry that is to blame, with control characters escaped.
    pub fn entry(&self) -> Option<&str> {
        match self {
            Self::Declined { entry, .. }
            | Self::Corrupt { entry, .. }
            | Self::Hostile { entry, .. } => entry.as_deref(),
            Self::Io(_) => None,
        }
    }

    /// Returns a stable word for tests and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Declined { .. } => "archive.declined",
            Self::Corrupt { .. } => "archive.corrupt",
            Self::Hostile { .. } => "archive.hostile",
            Self::Io(_) => "archive.io",
        }
    }

    pub(super) fn declined(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Declined {
            entry: None,
            reason: reason.into(),
        }
    }

    pub(super) fn corrupt(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Corrupt {
            entry: None,
            reason: reason.into(),
        }
    }

    pub(super) fn hostile(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Hostile {
            entry: None,
            reason: reason.into(),
            is_damaged: false,
        }
    }

    /// Adds the entry's name, unless the error has one already.
    pub(super) fn at(mut self, name: impl AsRef<[u8]>) -> Self {
        match &mut self {
            Self::Declined { entry, .. }
            | Self::Corrupt { entry, .. }
            | Self::Hostile { entry, .. } => {
                entry.get_or_insert_with(|| printable(name.as_ref()));
            }
            Self::Io(_) => {}
        }
        self
    }
}

/// Returns a name fit for messages: valid text without control characters.
fn printable(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for c in String::from_utf8_lossy(name).chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}
