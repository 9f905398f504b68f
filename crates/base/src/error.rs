//! What can go wrong, sorted by what the caller should do about it.

use std::io;
use std::path::{Path, PathBuf};

/// The class of an error; it decides what the plugin does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not a failure: Composer's own code shall take this package.
    Declined,
    /// A request that makes no sense; a mistake of the caller.
    Input,
    /// The dist couldn't be had.
    Network,
    /// Bytes that are not what they should be. Never falls back.
    Integrity,
    /// The file system refused.
    Filesystem,
    /// The user or the process that called us asked to stop.
    Interrupted,
    /// A bug of ours.
    Internal,
}

/// Any error of the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Composer's own code shall take it.
    #[error("{reason}")]
    Declined {
        /// Why we leave it to Composer.
        reason: String,
    },
    /// An archive that can't be opened; Composer says in its own words what is wrong with it.
    #[error("{reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// A request that can't be carried out as it is.
    #[error("{0}")]
    Input(String),
    /// A download that failed for good.
    #[error("{0}")]
    Network(String),
    /// Content that isn't what it claims to be.
    #[error("{0}")]
    Integrity(String),
    /// An archive whose content doesn't match its own checksums.
    #[error(
        "{0}; it has been removed from Composer's cache, so that the next run downloads it again"
    )]
    Damaged(String),
    /// A file operation below a project.
    #[error("{action} {path}: {source}")]
    Filesystem {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file operation below the store; the project is not to blame.
    #[error("{action} {path} in the store: {source}")]
    Store {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store was made by a newer Allegro.
    #[error(
        "the store at {path} has layout {found}, this Allegro knows {known}: update Allegro or point ALLEGRO_STORE elsewhere"
    )]
    StoreLayout {
        /// The store's root.
        path: PathBuf,
        /// The layout found there.
        found: u32,
        /// The newest layout we can read.
        known: u32,
    },
    /// The system gives this process no more of something. Composer, which needs less, goes on.
    #[error("{what}: {reason}")]
    Exhausted {
        /// What could not be had.
        what: &'static str,
        /// What the system said, or how much there is.
        reason: String,
    },
    /// Asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A bug.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Shorthand for this library's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns the error for work that needs a thread where none can be started.
    pub fn no_thread(reason: &dyn std::fmt::Display) -> Self {
        Self::Exhausted {
            what: "no thread can be started",
            reason: reason.to_string(),
        }
    }

    /// Whether something was not there any more.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Filesystem { source, .. } | Self::Store { source, .. }
                if source.kind() == io::ErrorKind::NotFound
        )
    }

    /// Whether there was no room on the disk, or no quota left.
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

    /// Where the error belongs.
    pub fn kind(&self) -> ErrorKind {
        match self {
            // A store that can't be written costs speed, never the install.
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

    /// A stable word for tests and support.
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

    /// What the user can do next, if there is something.
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
            // The command goes on.
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

/// Adds the path to what the system said, for paths of a project.
pub fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + use<'a> {
    move |source| Error::Filesystem {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Adds the path to what the system said, for paths of the store.
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
