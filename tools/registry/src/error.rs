//! What can go wrong while a catalog is read, a project is written or a server is started.

use std::io;
use std::path::{Path, PathBuf};

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, with the path, package or text it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A text is not JSON.
    #[error("{what} is not valid JSON: {source}")]
    Json {
        /// A name for the text.
        what: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// JSON of another form than expected.
    #[error("{what}: {reason}")]
    Format {
        /// A name for the text.
        what: String,
        /// What is missing or odd.
        reason: String,
    },
    /// No such package, version or reference in the catalog.
    #[error("the catalog has no package {0}")]
    UnknownPackage(String),
    /// A fault or auth rule that cannot be read.
    #[error("rule {rule:?}: {reason}")]
    Rule {
        /// The text of the rule.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The network or TLS set-up failed.
    #[error("{action}: {reason}")]
    Server {
        /// What was tried.
        action: &'static str,
        /// What came of it.
        reason: String,
    },
}

impl Error {
    /// For `map_err` after a file operation on `path`.
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
