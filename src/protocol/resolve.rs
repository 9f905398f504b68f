//! Operation `resolve`: finds the versions that an update would lock.

pub mod problem;

use std::fmt;
use std::path::PathBuf;

use allegro_base::redact::redact;
use serde::{Deserialize, Serialize};

use super::http::{HttpOptions, Tls};
use super::settings::Overrides;
use problem::Problem;

/// Asks for a resolution.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// Settings that differ from the environment.
    #[serde(default)]
    pub settings: Overrides,
    /// Options of all HTTP requests.
    #[serde(default)]
    pub http: HttpOptions,
    /// Location of the metadata of each of the problem's repositories; `None` for a repository
    /// without metadata files.
    pub sources: Vec<Option<ResolveSource>>,
    /// The problem to solve.
    pub problem: Problem,
}

/// The location of a repository's metadata. It contains secrets, so `Debug` hides them.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveSource {
    /// URL of a metadata file; `%package%` stands for the name of the package.
    pub url: String,
    /// Header lines, credentials among them.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Certificates in place of those that all requests share.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The repository's directory in Composer's cache; `None` if that cache is off.
    #[serde(default)]
    pub cache_dir: Option<PathBuf>,
    /// Whether Composer's cache may be written.
    #[serde(default)]
    pub cache_writable: bool,
}

impl fmt::Debug for ResolveSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResolveSource")
            .field("url", &redact(&self.url))
            .finish_non_exhaustive()
    }
}

/// The result of a resolution.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ResolveAnswer {
    /// Composer would lock these packages.
    Solved {
        /// The packages, without aliases, the project and the platform.
        packages: Vec<ChosenPackage>,
        /// Aliases of these packages: name and normalized version.
        aliases: Vec<(String, String)>,
        /// For each repository the names that it was found to have.
        found: Vec<Vec<String>>,
        /// Names among these that no chosen package requires, because another package stands for
        /// them.
        unasked: Vec<String>,
        /// Names of the lock that a partial update reaches, in that order.
        unlocked: Vec<String>,
        /// Names that `-w` leaves as they are, because the project requires them itself.
        kept: Vec<String>,
        /// Number of versions that came into question.
        versions: usize,
        /// Number of versions that could make a difference.
        considered: usize,
        /// Number of the solver's rules.
        rules: usize,
        /// Number of texts that follow those of the packages. Each is a constraint in the links of
        /// these packages as it is written, and its meaning: `["*"]`, `[operator, version]`,
        /// `["and", part, …]` or `["or", part, …]`. Any constraint may be missing.
        constraints: usize,
    },
    /// The requirements can't be met; Composer explains it at length.
    Unsolvable {
        /// Explanation and remedy as plain text, a line each; empty if the request wants none.
        lines: Vec<String>,
    },
    /// It is not certain what Composer would lock.
    Declined {
        /// Reason of the refusal.
        reason: String,
    },
}

/// A package that an update would lock.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ChosenPackage {
    /// Name of the package, lower case.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// Place of the repository whose metadata has the package. The repository's entry is the next
    /// of the texts that follow the answer: it is sent as text, because the order of its keys must
    /// survive.
    pub repository: Option<usize>,
    /// Whether only `require-dev` needs the package; `None` if Composer must find out.
    pub is_dev: Option<bool>,
}
