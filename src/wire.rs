//! Requests and answers as they cross the boundary to PHP and to the helper: plain data, no logic.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::composer::Dist;
use crate::error::{Error, ErrorKind};
use crate::fetch::{Proxies, Tls};
use crate::link::Method;
use crate::settings::Overrides;
use crate::store::Usage;

/// Grows when a request or an answer changes; plugin and native part must have the same number.
pub const PROTOCOL: u32 = 2;

/// Make packages ready in staging.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareRequest {
    /// The project's vendor directory (absolute); used in messages and to tell file systems apart.
    pub vendor_dir: PathBuf,
    /// A directory below it, made if missing; package `id` gets `<staging>/<id>`.
    pub staging: PathBuf,
    /// Composer's umask.
    pub umask: u32,
    /// What the project overrides.
    #[serde(default)]
    pub settings: Overrides,
    /// How Composer speaks HTTP.
    #[serde(default)]
    pub http: HttpOptions,
    /// What to make ready.
    pub packages: Vec<PackageRequest>,
}

/// What all downloads have in common.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// Composer's own.
    pub user_agent: String,
    /// The certificate bundle that Composer trusts.
    pub ca_file: Option<PathBuf>,
    /// A directory of certificates that Composer trusts.
    pub ca_dir: Option<PathBuf>,
    /// Redirects to plain HTTP are refused.
    pub secure_http: bool,
    /// Ways to the servers, as Composer read them from the environment.
    pub proxies: Proxies,
}

/// One package to make ready.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that the plugin answers by name"
)]
pub struct PackageRequest {
    /// The caller's number for it, unique in the request.
    pub id: usize,
    /// Name, lower case.
    pub name: String,
    /// Pretty version.
    pub version: String,
    /// Its identity.
    pub dist: Dist,
    /// The archive's place in Composer's cache; `None` where that cache is off.
    #[serde(default)]
    pub archive: Option<PathBuf>,
    /// Composer's cache may be written.
    #[serde(default)]
    pub archive_writable: bool,
    /// Whether what the store and the cache hold may be used (`--no-cache` says no).
    #[serde(default = "yes")]
    pub use_store: bool,
    /// The archive itself is wanted too, because somebody listens for downloaded files.
    #[serde(default)]
    pub want_archive: bool,
    /// How to download it; `None`: not yet, say that it is missing.
    #[serde(default)]
    pub fetch: Option<FetchInfo>,
    /// Never share inodes with the store.
    #[serde(default)]
    pub private: bool,
    /// Files that get an inode of their own.
    #[serde(default)]
    pub bins: Vec<String>,
    /// Composer would unpack with ZipArchive: no modes, no links.
    #[serde(default)]
    pub plain_modes: bool,
}

fn yes() -> bool {
    true
}

/// How to download a dist. Holds secrets: not `Debug` by derive.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FetchInfo {
    /// The URL to ask, possibly with credentials.
    pub url: String,
    /// Header lines as Composer's `AuthHelper` gives them.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Certificates in place of those that all downloads have in common.
    #[serde(default)]
    pub tls: Option<Tls>,
}

impl std::fmt::Debug for FetchInfo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FetchInfo")
            .field("url", &crate::fetch::redact(&self.url))
            .finish_non_exhaustive()
    }
}

/// What became of the packages, in the order of the request.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct PrepareAnswer {
    /// One per requested package.
    pub packages: Vec<PackageAnswer>,
    /// How shared files were put in place, if there were any.
    pub method: Option<Method>,
    /// Sentences for the user.
    pub notices: Vec<String>,
}

/// What became of one package.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct PackageAnswer {
    /// The number from the request.
    pub id: usize,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of one package.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Ready at `stage`.
    Ready {
        /// The complete package directory, to be renamed into place.
        stage: PathBuf,
        /// Where its content came from.
        from: Origin,
        /// Regular files.
        files: u64,
        /// Bytes that came over the network.
        downloaded: u64,
        /// The archive, where it was wanted.
        archive: Option<PathBuf>,
    },
    /// Neither in the store nor in the cache, and no way to fetch it was given.
    Missing,
    /// Composer's own code shall take it.
    Declined {
        /// Why.
        reason: String,
        /// Worth a line at normal verbosity (a full or unwritable store), not just at `-v`.
        loud: bool,
    },
    /// The run must stop.
    Failed {
        /// Class of the error.
        kind: ErrorKind,
        /// Stable word.
        code: String,
        /// What is wrong.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
}

/// Where a package's content came from.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// All of it was in the store.
    Store,
    /// Composer's archive cache.
    Archive,
    /// The network.
    Download,
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Declined => Self::Declined {
                reason: match error.hint() {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                },
                loud: matches!(error, Error::Store { .. }),
            },
            // Composer asks again and reports in its own words, with its own exit code.
            ErrorKind::Network => Self::Declined {
                reason: error.to_string(),
                loud: false,
            },
            kind => Self::Failed {
                kind,
                code: error.code().to_owned(),
                message: error.to_string(),
                hint: error.hint().map(str::to_owned),
            },
        }
    }
}

/// Remove directories that were moved out of the way.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveRequest {
    /// Files or directories; what isn't there is fine.
    pub paths: Vec<PathBuf>,
}

/// What couldn't be removed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct RemoveAnswer {
    /// One sentence each.
    pub failures: Vec<String>,
}

/// What would an install into this directory use?
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnoseRequest {
    /// The project's vendor directory; it may not exist yet.
    pub vendor_dir: PathBuf,
}

/// A directory and where it is.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Place {
    /// The directory, which may not exist yet.
    pub path: PathBuf,
    /// The file system's type, as `mount` names it; `None` where it can't be told.
    pub file_system: Option<String>,
    /// Where that file system is mounted.
    pub mount: Option<PathBuf>,
}

/// What was found out by trying.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct DiagnoseAnswer {
    /// Our version.
    pub version: String,
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// The store's layout.
    pub layout: u32,
    /// The link strategy that is asked for.
    pub strategy: String,
    /// Parallel downloads.
    pub workers: usize,
    /// Threads for files and archives.
    pub threads: usize,
    /// The store.
    pub store: Place,
    /// The project's vendor directory.
    pub vendor: Place,
    /// What the store holds, if it can be used.
    pub usage: Option<Usage>,
    /// How files get into the project, if they do.
    pub method: Option<Method>,
    /// Why the store can't be used here.
    pub problem: Option<String>,
}

/// Facts about this native part.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct InfoAnswer {
    /// Our version.
    pub version: String,
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// The store's root under the current environment, if it can be told.
    pub store: Option<PathBuf>,
    /// The link strategy that is asked for.
    pub strategy: String,
}
