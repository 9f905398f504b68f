//! Defines the errors of reading a catalog, writing a project, and starting a server.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, with its path, package or text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system reported an error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A text is not JSON.
    #[error("{what} is not valid JSON: {source}")]
    Json {
        /// Name of the text.
        what: String,
        /// Place and reason of the error.
        source: serde_json::Error,
    },
    /// JSON of another form than expected.
    #[error("{what}: {reason}")]
    Format {
        /// Name of the text.
        what: String,
        /// Description of the missing or unexpected part.
        reason: String,
    },
    /// The catalog has no such package, version or reference.
    #[error("the catalog has no package {0}")]
    UnknownPackage(String),
    /// A fault or auth rule that cannot be read.
    #[error("rule {rule:?}: {reason}")]
    Rule {
        /// The text of the rule.
        rule: String,
        /// Description of the mistake.
        reason: String,
    },
    /// The network or TLS set-up failed.
    #[error("{action}: {reason}")]
    Server {
        /// Action that failed.
        action: &'static str,
        /// Reason of the failure.
        reason: String,
    },
}

impl Error {
    /// Returns a function for `map_err` after a file operation on `path`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn format(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Format {
            what: what.into(),
            reason: reason.into(),
        }
    }
}
