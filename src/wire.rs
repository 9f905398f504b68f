//! Requests and answers as they cross the boundary to PHP and to the helper: plain data, no logic.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::settings::Overrides;
use allegro_base::error::{Error, ErrorKind};
use allegro_composer::Dist;
use allegro_fetch::{Proxies, Tls};
use allegro_resolver::request::Problem;
use allegro_resolver::verdict::Verdict;
use allegro_store::Usage;
use allegro_store::link::{Method, Refusal};
use allegro_vendor::classmap::scan::Scan;
use allegro_vendor::classmap::{Dialect, Rule, Traits};

/// Grows when a request or an answer changes; plugin and native part must have the same number.
pub const PROTOCOL: u32 = 8;

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
    /// Composer's `TZ` variable, if it is set: archives may hold local times.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Only notices are wanted, and only while nothing is being written.
    #[serde(default)]
    pub is_quiet: bool,
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
    /// Where it will be installed (absolute); projects are told by it.
    #[serde(default)]
    pub path: Option<PathBuf>,
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
            .field("url", &allegro_base::redact::redact(&self.url))
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
    /// When the files of ready packages were made, first and last moment, in nanoseconds since 1970 by the clock
    /// that stamps inodes.
    pub made: (i64, i64),
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
        /// Why; empty where a notice of the answer tells it for several packages.
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

/// Why a package is declined that finds no room in the store.
pub const STORE_IS_FULL: &str = "the store is full";

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        match error.kind() {
            // The same words for each package, whichever of its files found no room.
            ErrorKind::Declined if error.is_full() => Self::Declined {
                reason: STORE_IS_FULL.to_owned(),
                loud: false,
            },
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

/// Find out which versions an update would lock.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// What the project overrides.
    #[serde(default)]
    pub settings: Overrides,
    /// How Composer speaks HTTP.
    #[serde(default)]
    pub http: HttpOptions,
    /// Where the metadata of each of the problem's repositories is; `None` for those without metadata files.
    pub sources: Vec<Option<ResolveSource>>,
    /// What is to be solved.
    pub problem: Problem,
}

/// Where the metadata of a repository is. Holds secrets: not `Debug` by derive.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveSource {
    /// Address of a file; `%package%` stands for its name.
    pub url: String,
    /// Header lines, credentials among them.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Certificates in place of those that all requests have in common.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The repository's directory in Composer's cache; `None` where that cache is off.
    #[serde(default)]
    pub cache_dir: Option<PathBuf>,
    /// Composer's cache may be written.
    #[serde(default)]
    pub cache_writable: bool,
}

impl std::fmt::Debug for ResolveSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ResolveSource")
            .field("url", &allegro_base::redact::redact(&self.url))
            .finish_non_exhaustive()
    }
}

/// Which versions an update would lock.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ResolveAnswer {
    /// Composer would lock these.
    Solved {
        /// Without aliases, the project and the platform.
        packages: Vec<ChosenPackage>,
        /// Aliases that come with them: name and normalized version.
        aliases: Vec<(String, String)>,
        /// For each repository the names that it was found to have.
        found: Vec<Vec<String>>,
        /// Names among these that nothing chosen requires: they stand for other names.
        unasked: Vec<String>,
        /// Names of the lock that a partial update reaches, in that order.
        unlocked: Vec<String>,
        /// What `-w` leaves as it is, because the project requires it itself.
        kept: Vec<String>,
        /// Versions that came into question.
        versions: usize,
        /// Versions that could make a difference.
        considered: usize,
        /// Rules of the solver.
        rules: usize,
        /// How many texts follow those of the packages. Each is a constraint in the links of these packages as it is
        /// written, and what it means: `["*"]`, `[operator, version]`, `["and", part, …]` or `["or", part, …]`. Any may
        /// be missing.
        constraints: usize,
    },
    /// The requirements can't be met; Composer says why at length.
    Unsolvable {
        /// Why in short, and what helps; `None` where that wasn't asked for or can't be told.
        verdict: Option<Verdict>,
    },
    /// It is not certain what Composer would lock.
    Declined {
        /// Why.
        reason: String,
    },
}

/// A package that an update would lock.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ChosenPackage {
    /// Name, lower case.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// The repository whose metadata it comes from. What that repository says of it is the next of the texts that come
    /// with the answer: JSON, as text so that the order of keys survives.
    pub repository: Option<usize>,
    /// Only `require-dev` needs it; unknown where Composer has to find out.
    pub is_dev: Option<bool>,
}

/// A resolution will be asked for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUpRequest {
    /// How many packages the project requires.
    pub requirements: usize,
}

/// Remove directories that were moved out of the way.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveRequest {
    /// Files or directories; what isn't there is fine.
    pub paths: Vec<PathBuf>,
}

/// Puts a file that was written beside another one in the other one's place.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceRequest {
    /// The new file.
    pub temporary: PathBuf,
    /// The file that it takes the place, the owner, the group, the mode and the ACL of.
    pub path: PathBuf,
}

/// Whether a file was put in another one's place.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct ReplaceAnswer {
    /// It was; else the new file is still where it was written.
    pub replaced: bool,
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
    /// Why they can't be hard links, where that would be the next choice.
    pub sharing: Option<Sharing>,
    /// Why the store can't be used here.
    pub problem: Option<String>,
}

/// Why files can't be hard links, and what helps.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Sharing {
    /// The end of a sentence.
    pub reason: String,
    /// What the user can do.
    pub advice: String,
}

impl From<Refusal> for Sharing {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason().to_owned(),
            advice: refusal.advice().to_owned(),
        }
    }
}

/// Which classes do these rules give?
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// The project's vendor directory; what was read is remembered under this name.
    pub vendor_dir: PathBuf,
    /// The working directory without links, for rules that are relative.
    pub cwd: String,
    /// How files are read.
    pub dialect: Dialect,
    /// What counts.
    pub traits: Traits,
    /// In Composer's order.
    pub rules: Vec<Rule>,
    /// What PHP has read of files that we were not sure of.
    #[serde(default)]
    pub known: Vec<KnownFile>,
    /// Packages that were put in place in this run.
    #[serde(default)]
    pub placed: Vec<PlacedPackage>,
    /// As in [`PrepareRequest::timezone`].
    #[serde(default)]
    pub timezone: Option<String>,
}

/// A file that PHP has read.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFile {
    /// Its path without links.
    pub path: String,
    /// As in [`UnsureFile`].
    pub token: String,
    /// Its classes.
    pub classes: Vec<String>,
}

/// A package that was put in place by renaming what [`PrepareAnswer`] had made ready.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedPackage {
    /// Its directory.
    pub path: String,
    /// Its identity.
    pub dist: Dist,
    /// As in [`PrepareAnswer::made`].
    pub made: (i64, i64),
    /// As in [`PackageRequest::plain_modes`].
    #[serde(default)]
    pub plain_modes: bool,
}

/// The class map, or why there is none.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ScanAnswer {
    /// All files are read.
    Scanned {
        /// What they declare.
        #[serde(flatten)]
        scan: Scan,
        /// A digest of the scan, for [`DumpedRequest`].
        digest: String,
        /// Files that the rules cover.
        covered: usize,
        /// Files that had to be read for it.
        read: usize,
    },
    /// PHP must read these; then ask again.
    Unsure {
        /// The files.
        files: Vec<UnsureFile>,
    },
    /// Composer's own generator shall do it.
    Declined {
        /// Why.
        reason: String,
    },
}

/// A file that only PHP can read for sure.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct UnsureFile {
    /// Its path without links.
    pub path: String,
    /// What the file was when it was looked at; goes back with the classes.
    pub token: String,
}

/// Would a dump give what is there already?
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UnchangedRequest {
    /// The project's vendor directory.
    pub vendor_dir: PathBuf,
    /// Everything that a dump depends on apart from PHP files, as a digest.
    pub fingerprint: String,
}

/// Whether a dump would give what is there already.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct UnchangedAnswer {
    /// It would.
    pub unchanged: bool,
    /// What the last dump said, as the plugin gave it.
    pub said: String,
    /// Classes in the map.
    pub classes: u64,
}

/// A dump is done; the next one may be the same.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedRequest {
    /// The project's vendor directory.
    pub vendor_dir: PathBuf,
    /// As in [`UnchangedRequest`].
    pub fingerprint: String,
    /// Of the scan that the dump was made from.
    pub digest: String,
    /// What the dump said.
    pub said: String,
    /// Classes in the map that it returned.
    pub classes: u64,
    /// The files that it generates, with the SHA-256 of what it wrote; `None` for one that there must not be.
    pub outputs: Vec<(PathBuf, Option<String>)>,
}

/// Whether the next dump can be compared with this one.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct DumpedAnswer {
    /// It can.
    pub noted: bool,
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
