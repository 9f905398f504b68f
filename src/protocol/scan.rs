//! Operation `scan`: makes the class map for Composer's autoload rules.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dist::Dist;

/// Asks for a class map.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// The project's vendor directory; the records of earlier scans are kept under its name.
    pub vendor_dir: PathBuf,
    /// The working directory without symbolic links; relative rules start there.
    pub cwd: String,
    /// The PHP and the parser whose reading of files must be matched.
    pub dialect: Dialect,
    /// Behaviour of the installed class-map-generator.
    pub traits: Traits,
    /// Autoload rules in Composer's order.
    pub rules: Vec<Rule>,
    /// Files that PHP has read, because an earlier answer named them as
    /// [`Unsure`](ScanAnswer::Unsure).
    #[serde(default)]
    pub known: Vec<KnownFile>,
    /// Packages that were put in place in this run.
    #[serde(default)]
    pub placed: Vec<PlacedPackage>,
    /// Composer's `TZ` variable, as in
    /// [`PrepareRequest`](super::prepare::PrepareRequest::timezone).
    #[serde(default)]
    pub timezone: Option<String>,
}

/// The PHP that runs Composer, and the parser of its class-map-generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// `PHP_VERSION_ID`.
    pub php: u32,
    /// PHP's setting `short_open_tag`.
    pub short_open_tag: bool,
    /// Whether a backslash before a keyword makes it part of a name (class-map-generator 1.3.4 and
    /// later).
    pub backslash_guards: bool,
}

/// Differences between versions of the class-map-generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traits {
    /// Whether a class outside the namespace of its PSR-4 rule is rejected, even if the length
    /// fits.
    pub psr4_prefix: bool,
    /// Whether a class outside the namespace of its PSR-0 rule is rejected, even if the length
    /// fits.
    pub psr0_prefix: bool,
}

/// An autoload rule: one call of `ClassMapGenerator::scanPaths`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A directory or a file, absolute or relative to the working directory.
    pub path: String,
    /// Type of the rule.
    pub kind: RuleKind,
    /// Namespace of a PSR rule.
    #[serde(default)]
    pub namespace: String,
    /// Composer's regular expression for excluded paths.
    #[serde(default)]
    pub excluded: Option<String>,
}

/// The type of an autoload rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleKind {
    /// Every class counts.
    #[serde(rename = "classmap")]
    Classmap,
    /// A class counts if its path follows from its name; underscores stand for directories too.
    #[serde(rename = "psr-0")]
    Psr0,
    /// A class counts if its path follows from its name less the namespace.
    #[serde(rename = "psr-4")]
    Psr4,
}

/// A file that PHP has read.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFile {
    /// Path of the file without symbolic links.
    pub path: String,
    /// The [token](UnsureFile::token) from the earlier answer.
    pub token: String,
    /// Classes that PHP found in the file.
    pub classes: Vec<String>,
}

/// A package that was put in place by renaming its directory in staging.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedPackage {
    /// Directory of the package.
    pub path: String,
    /// Identity of its archive.
    pub dist: Dist,
    /// Time span from [`PrepareAnswer::made`](super::prepare::PrepareAnswer::made).
    pub made: (i64, i64),
    /// As in [`PackageRequest::plain_modes`](super::prepare::PackageRequest::plain_modes).
    #[serde(default)]
    pub plain_modes: bool,
}

/// The class map, or the reason why there is none.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ScanAnswer {
    /// All files are read.
    Scanned {
        /// Paths; the numbers in `at` and `ambiguous` are places in this list.
        files: Vec<Arc<str>>,
        /// Class names in the order in which they were found. A name that isn't UTF-8 is written as
        /// a NUL and its bytes in hexadecimal, here and in the other lists.
        names: Vec<String>,
        /// The file of each name.
        at: Vec<u32>,
        /// Further files of a class, in the order in which they were found.
        ambiguous: Vec<(String, u32)>,
        /// Files of PSR rules without a class that counts, for Composer's warnings.
        rejected: Vec<Rejected>,
        /// Digest of the scan, for [`DumpedRequest`](super::dumped::DumpedRequest::digest).
        digest: String,
        /// Number of files that the rules cover.
        covered: usize,
        /// Number of files that were read for this scan.
        read: usize,
    },
    /// PHP must read some files; the plugin asks again with their classes.
    Unsure {
        /// The files.
        files: Vec<UnsureFile>,
    },
    /// Composer's own generator takes over.
    Declined {
        /// Reason of the refusal.
        reason: String,
    },
}

/// A file of a PSR rule that has classes, of which none counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Place of the rule in the request.
    pub rule: usize,
    /// Path of the file.
    pub path: Arc<str>,
    /// All classes of the file.
    pub classes: Vec<String>,
}

/// A file that only PHP can read reliably.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct UnsureFile {
    /// Path of the file without symbolic links.
    pub path: String,
    /// State of the file when it was examined. The plugin sends it back with the classes.
    pub token: String,
}
