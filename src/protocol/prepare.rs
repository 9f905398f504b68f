//! Operation `prepare`: makes packages ready in a staging directory.

use std::fmt;
use std::path::PathBuf;

use allegro_base::redact::redact;
use serde::{Deserialize, Serialize};

use super::dist::Dist;
use super::error::ErrorKind;
use super::http::{HttpOptions, Tls};
use super::settings::Overrides;
use super::store::Method;
use super::yes;

/// Asks for packages.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareRequest {
    /// The project's vendor directory (absolute). It occurs in messages and tells file systems
    /// apart.
    pub vendor_dir: PathBuf,
    /// A directory below it, created if missing. The package with identifier `id` gets
    /// `<staging>/<id>`.
    pub staging: PathBuf,
    /// Composer's umask.
    pub umask: u32,
    /// Composer's `TZ` variable, if it is set. Archives may contain local times.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Whether the caller wants no events but notices, and those only while nothing is being
    /// written.
    #[serde(default)]
    pub is_quiet: bool,
    /// Settings that differ from the environment.
    #[serde(default)]
    pub settings: Overrides,
    /// Options of all downloads.
    #[serde(default)]
    pub http: HttpOptions,
    /// The packages.
    pub packages: Vec<PackageRequest>,
}

/// A package to make ready.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that the plugin answers by name"
)]
pub struct PackageRequest {
    /// Identifier of the package, unique in the request.
    pub id: usize,
    /// Name of the package, lower case.
    pub name: String,
    /// Pretty version.
    pub version: String,
    /// Identity of the archive.
    pub dist: Dist,
    /// Directory into which the package will be installed (absolute). It tells projects apart.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Path of the archive in Composer's cache; `None` if that cache is off.
    #[serde(default)]
    pub archive: Option<PathBuf>,
    /// Whether Composer's cache may be written.
    #[serde(default)]
    pub archive_writable: bool,
    /// Whether the content of the store and of Composer's cache may be used; `--no-cache` forbids
    /// it.
    #[serde(default = "yes")]
    pub use_store: bool,
    /// Whether the archive itself is wanted too, because a plugin listens for downloaded files.
    #[serde(default)]
    pub want_archive: bool,
    /// How to download the archive. If it is absent and a download is needed, the outcome is
    /// [`Missing`](Outcome::Missing).
    #[serde(default)]
    pub fetch: Option<FetchInfo>,
    /// Whether the package must not share inodes with the store.
    #[serde(default)]
    pub private: bool,
    /// Files that must not share inodes with the store.
    #[serde(default)]
    pub bins: Vec<String>,
    /// Whether files of `bins` that are executable already may share inodes with the store. It is
    /// no part of the protocol, because Composer sets the mode of each program that it installs.
    #[serde(skip)]
    pub shares_bins: bool,
    /// Path below the staging directory for the ready package. The parent exists. `None` stands for
    /// a name that follows from the id.
    #[serde(skip)]
    pub stage: Option<PathBuf>,
    /// Whether Composer would unpack the archive with `ZipArchive`, which knows neither modes nor
    /// links.
    #[serde(default)]
    pub plain_modes: bool,
}

/// How to download an archive. It contains secrets, so `Debug` hides them.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FetchInfo {
    /// The URL to request, possibly with credentials.
    pub url: String,
    /// Header lines as Composer's `AuthHelper` gives them.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Certificates in place of those that all downloads share.
    #[serde(default)]
    pub tls: Option<Tls>,
}

impl fmt::Debug for FetchInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FetchInfo")
            .field("url", &redact(&self.url))
            .finish_non_exhaustive()
    }
}

/// The outcome of each package.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct PrepareAnswer {
    /// Outcomes in the order of the request.
    pub packages: Vec<PackageAnswer>,
    /// Method by which shared files were put in place; `None` if there are no such files.
    pub method: Option<Method>,
    /// Sentences for the user.
    pub notices: Vec<String>,
    /// First and last moment at which files of ready packages were made, in nanoseconds since 1970
    /// by the clock that stamps inodes.
    pub made: (i64, i64),
}

/// A package and its outcome.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct PackageAnswer {
    /// Identifier from the request.
    pub id: usize,
    /// Outcome of the package.
    #[serde(flatten)]
    pub outcome: PackageOutcome,
}

/// The outcome of a package.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PackageOutcome {
    /// The package is ready.
    Ready {
        /// The complete package directory, to be renamed into place.
        stage: PathBuf,
        /// Source of its content.
        from: Provenance,
        /// Number of regular files.
        files: u64,
        /// Number of bytes that were downloaded.
        downloaded: u64,
        /// Path of the archive, if the request wanted it.
        archive: Option<PathBuf>,
    },
    /// Neither the store nor Composer's cache has the package, and the request has no way to
    /// download it.
    Missing,
    /// Composer's own code takes over.
    Declined {
        /// Reason of the refusal; empty if a notice of the answer tells it for several packages.
        reason: String,
        /// Whether the reason is worth a line at normal verbosity, not just at `-v`.
        loud: bool,
    },
    /// The run must stop.
    Failed {
        /// Class of the error.
        kind: ErrorKind,
        /// Stable word for the error.
        code: String,
        /// Description of the error.
        message: String,
        /// Advice for the user.
        hint: Option<String>,
    },
}

/// The source of a package's content.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// The store had all of it.
    Store,
    /// The archive was in Composer's cache.
    Archive,
    /// The archive was downloaded.
    Download,
}
