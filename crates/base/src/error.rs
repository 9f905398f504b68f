//! Defines the library's errors, classified by the caller's reaction.

use std::io;
use std::path::{Path, PathBuf};

/// The class of an error. The plugin decides by it how to react.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The library declines the package, and Composer's own code handles it. This is not a failure.
    Declined,
    /// The request makes no sense. The caller made a mistake.
    Input,
    /// The dist could not be downloaded.
    Network,
    /// Bytes differ from their expected content. This class never falls back to Composer.
    Integrity,
    /// A file operation failed.
    Filesystem,
    /// The user or the calling process asked to stop.
    Interrupted,
    /// Allegro has a bug.
    Internal,
}

/// Any error of the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library declines the package, and Composer's own code handles it.
    #[error("{reason}")]
    Declined {
        /// Reason why Composer must handle the package.
        reason: String,
    },
    /// The archive can't be opened. Composer reports the defect in its own words.
    #[error("{reason}")]
    Unreadable {
        /// Defect of the archive.
        reason: String,
    },
    /// The request can't be carried out.
    #[error("{0}")]
    Input(String),
    /// The download failed for good.
    #[error("{0}")]
    Network(String),
    /// The content is not what it claims to be.
    #[error("{0}")]
    Integrity(String),
    /// The archive's content doesn't match the archive's own checksums.
    #[error(
        "{0}; it has been removed from Composer's cache, so that the next run downloads it again"
    )]
    Damaged(String),
    /// A file operation below a project failed.
    #[error("{action} {path}: {source}")]
    Filesystem {
        /// Attempted action, as a verb phrase.
        action: &'static str,
        /// Path of the operation.
        path: PathBuf,
        /// Error that the system returned.
        source: io::Error,
    },
    /// A file operation below the store failed. The project is not to blame.
    #[error("{action} {path} in the store: {source}")]
    Store {
        /// Attempted action, as a verb phrase.
        action: &'static str,
        /// Path of the operation.
        path: PathBuf,
        /// Error that the system returned.
        source: io::Error,
    },
    /// A newer Allegro made the store.
    #[error(
        "the store at {path} has layout {found}, this Allegro knows {known}: update Allegro or point ALLEGRO_STORE elsewhere"
    )]
    StoreLayout {
        /// Root of the store.
        path: PathBuf,
        /// Layout number of the store.
        found: u32,
        /// Newest layout number that this Allegro can read.
        known: u32,
    },
    /// The system denies this process a further resource. Composer, which needs less, continues.
    #[error("{what}: {reason}")]
    Exhausted {
        /// Resource that is exhausted, as a clause.
        what: &'static str,
        /// Error that the system returned, or the amount that is left.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Allegro has a bug.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Result type of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns the error for work that needs a thread when no thread can be started.
    pub fn no_thread(reason: &dyn std::fmt::Display) -> Self {
        Self::Exhausted {
            what: "no thread can be started",
            reason: reason.to_string(),
        }
    }

    /// Returns whether the file operation failed because the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Filesystem { source, .. } | Self::Store { source, .. }
                if source.kind() == io::ErrorKind::NotFound
        )
    }

    /// Returns whether the file operation failed because the disk is full or the quota is exceeded.
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Filesystem { source, .. } | Self::Store { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
        )
    }

    /// Returns the class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            // An unwritable store costs speed, but never fails the install.
            Self::Declined { .. }
            | Self::Unreadable { .. }
            | Self::Store { .. }
            | Self::Exhausted { .. } => ErrorKind::Declined,
            Self::Input(_) | Self::StoreLayout { .. } => ErrorKind::Input,
            Self::Network(_) => ErrorKind::Network,
            Self::Integrity(_) | Self::Damaged(_) => ErrorKind::Integrity,
            Self::Filesystem { .. } => ErrorKind::Filesystem,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// Returns a stable word for tests and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Declined { .. } | Self::Unreadable { .. } => "declined",
            Self::Input(_) => "input",
            Self::Network(_) => "network",
            Self::Integrity(_) => "integrity",
            Self::Damaged(_) => "integrity.damaged",
            Self::Filesystem { .. } => "filesystem.project",
            Self::Store { .. } => "filesystem.store",
            Self::StoreLayout { .. } => "store.layout",
            Self::Exhausted { .. } => "exhausted",
            Self::Interrupted => "interrupted",
            Self::Internal(_) => "internal",
        }
    }

    /// Returns advice for the user, if the error has any.
    pub fn hint(&self) -> Option<&'static str> {
        let (Self::Filesystem { source, .. } | Self::Store { source, .. }) = self else {
            return None;
        };
        match (self, source.kind()) {
            (
                Self::Filesystem { .. },
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded,
            ) => Some(
                "free some space and run the command again; nothing half-written was left behind",
            ),
            // The command continues without the store.
            (_, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                Some("free some space there, or name another place for the store in ALLEGRO_STORE")
            }
            (_, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                Some("check the owner and the permissions of that directory")
            }
            _ => None,
        }
    }
}

/// Returns a function that adds an action and a path of a project to a system error.
pub fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + use<'a> {
    move |source| Error::Filesystem {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Returns a function that adds an action and a path of the store to a system error.
pub fn in_store<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + use<'a> {
    move |source| Error::Store {
        action,
        path: path.to_owned(),
        source,
    }
}
