//! Operation `dumped`: records a finished autoloader dump, so that the next one can be compared
//! with it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Describes a finished dump.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedRequest {
    /// The project's vendor directory.
    pub vendor_dir: PathBuf,
    /// Digest of everything that the dump depends on, except PHP files.
    pub fingerprint: String,
    /// Digest of the scan that the dump was made from.
    pub digest: String,
    /// Output of the dump.
    pub said: String,
    /// Number of classes in the class map.
    pub classes: u64,
    /// Generated files with the SHA-256 of their content; `None` for a file that must not exist.
    pub outputs: Vec<(PathBuf, Option<String>)>,
}

/// The result of the recording.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct DumpedAnswer {
    /// Whether the next dump can be compared with this one.
    pub noted: bool,
}
